"""Proofs that two landscapes agree without truncation: as polynomials, as expressions, or as closed forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from symscape.errors import InputError
from symscape.landscape.landscape import Landscape
from symscape.losses.language import Dot, Entry, Expectation, Node, SqDist, WeightNorm
from symscape.probability.data_models import GaussianViews
from symscape.spectrum.closed_form.closed_form import closed_form
from symscape.spectrum.modes import MODE_SYMBOLS, b_i, p_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape


def to_all_orders(lands: Sequence[Landscape], c: sp.Expr, s: sp.Expr) -> str | None:
    """Return why L_a(W) = c L_b(sqrt(s) W) + constant holds without truncation, None where that is not shown."""
    first, second = (land.loss for land in lands)
    if all(land.is_exact for land in lands):
        return "both landscapes are polynomials, not truncated"
    turned = second.expr.xreplace({x: s * x for x in second.expr.atoms(Dot, SqDist, Entry, WeightNorm)})
    gap = sp.expand(_linear(first.expr) - c * _linear(turned), power_exp=False, power_base=False, log=False)
    if not gap.has(Node):
        return "the expressions are the same for W scaled, whatever the distribution"
    if lands[0].data != GaussianViews():
        return None
    try:
        # The rest of both is a function of P alone, and the quadratic parts agree word by word.
        a, b = (closed_form(loss, pencil=True) for loss in (first, second))
    except InputError:
        return None
    if same_closed_forms(a, b, c, s):
        return "Gaussian views of mean zero: the closed forms agree, as functions of P"
    return None


def same_closed_forms(first: SpectrumLandscape, second: SpectrumLandscape, c: sp.Expr, s: sp.Expr) -> bool:
    """Tell whether first(p) = c second(s p) + constant for every spectrum, apart from the part in b_i.

    False also where this form does not show it.

    >>> S = sp.Symbol("S")
    >>> log, twice = (SpectrumLandscape("", k * S, {S: sp.log(1 + x * p_i)}) for k, x in ((1, 1), (2, 3)))
    >>> same_closed_forms(twice, log, sp.Integer(2), sp.Integer(3)), same_closed_forms(twice, log, sp.Integer(2), sp.S.One)
    (True, False)
    """
    sums = [{S: e.xreplace({b_i: sp.S.Zero}) for S, e in form.sums.items()} for form in (first, second)]
    scaled = {S: e.xreplace({p_i: s * p_i}) for S, e in sums[1].items()}
    slopes = [_slope(form.outer, chosen) for form, chosen in ((first, sums[0]), (second, scaled))]
    if all(slope is not None for slope in slopes):
        # Both are sums over modes: one mode decides.
        return _same_function(slopes[0] - c * slopes[1])
    partner: dict[sp.Symbol, sp.Expr] = {}
    for S, e in sums[0].items():
        found = [(T, k) for T, h in scaled.items() if (k := _multiple(e, h)) is not None]
        if not found:
            return False
        partner[S] = found[0][1] * found[0][0]
    gap = sp.simplify(first.outer.xreplace(partner) - c * second.outer)
    return not gap.free_symbols & set(second.sums)


def _slope(outer: sp.Expr, sums: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr | None:
    """Return the summand of one mode where outer is linear in its sums, else None."""
    factors = {S: sp.diff(outer, S) for S in sums}
    if any(k.free_symbols & set(sums) for k in factors.values()):
        return None
    return sp.Add(*(k * sums[S] for S, k in factors.items()))


def _same_function(gap: sp.Expr) -> bool:
    """Tell whether a function of p_i vanishes: at 0, and its derivative, which is rational where logarithms enter."""
    at_origin = sp.simplify(gap.xreplace({p_i: sp.S.Zero}))
    return at_origin == 0 and sp.simplify(sp.together(sp.diff(gap, p_i))) == 0


def _multiple(e: sp.Expr, h: sp.Expr) -> sp.Expr | None:
    ratio = sp.simplify(e / h) if h != 0 else sp.nan
    return None if ratio.has(*MODE_SYMBOLS, sp.nan, sp.zoo) else ratio


def _linear(expr: sp.Expr) -> sp.Expr:
    """Push expectations through sums and constant factors."""
    if isinstance(expr, Expectation):
        total = sp.S.Zero
        for term in sp.Add.make_args(sp.expand(_linear(expr.args[0]), power_exp=False, power_base=False, log=False)):
            constant, varying = term.as_independent(Node, as_Add=False)
            total += constant * (varying if varying == 1 else Expectation(varying, *expr.args[1:]))
        return total
    if isinstance(expr, sp.Expr) and expr.args and not isinstance(expr, Node):
        return expr.func(*map(_linear, expr.args))
    return expr
