"""Facts of a loss, found from its form: what it is invariant to, and what its landscape may rely on."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from symscape.errors import NotAnalyticError
from symscape.landscape import plan as steps
from symscape.landscape.landscape import landscape, polynomial_degree
from symscape.losses.language import Dot, Entry, Expectation, OutputSum, WeightNorm, d_1
from symscape.losses.loss import Loss


@dataclass(frozen=True)
class Facts:
    """Facts of a loss.

    ``polynomial``: in W; ``analytic``: has a series at W = 0; ``scale_invariant``: under f -> c f; ``rotation_invariant``:
    under W -> O W; ``shift_invariant``: under f -> f + c; ``distribution_free_order``: the order up to which second
    moments determine the landscape (at order 4 or below; infinite for a polynomial that needs no more; None without one).
    """

    polynomial: bool
    analytic: bool
    scale_invariant: bool
    rotation_invariant: bool
    shift_invariant: bool
    distribution_free_order: int | float | None


def facts(loss: Loss) -> Facts:
    """Return the facts of a loss, derived from its expression.

    >>> from symscape.losses.spectral_contrastive import SpectralContrastive
    >>> found = facts(SpectralContrastive())
    >>> found.polynomial, found.rotation_invariant, found.shift_invariant, found.distribution_free_order
    (True, True, False, inf)
    """
    polynomial, free_order, analytic = False, None, True
    try:
        degree = polynomial_degree(steps.plan(loss.expr, 4, f"facts({loss.name})").root)
        polynomial = degree is not None
        order = 4 if degree is None else max(2, degree + degree % 2)
        free_order = landscape(loss, order=order).distribution_free_order
    except NotAnalyticError:
        analytic = False
    return Facts(
        polynomial=polynomial,
        analytic=analytic,
        scale_invariant=steps.scaling_degree(loss.expr) == 0,
        rotation_invariant=is_rotation_invariant(loss.expr),
        shift_invariant=is_shift_invariant(loss.expr),
        distribution_free_order=free_order,
    )


def is_shift_invariant(expr: sp.Expr) -> bool:
    """Tell whether f -> f + c leaves an expression as it is, by writing the shift out and expanding."""
    if any(not entry.centred for entry in expr.atoms(Entry)):
        return False
    square = sp.Symbol("|c|^2", positive=True)

    def shifted(node: Dot) -> sp.Expr:
        u, v = node.args
        return node + sp.Symbol(f"c.f({u})", real=True) + sp.Symbol(f"c.f({v})", real=True) + square

    def expanded(e: sp.Expr) -> sp.Expr:
        return sp.expand(e, power_exp=False, power_base=False, log=False)

    return expanded(expanded(expr).replace(lambda e: isinstance(e, Dot), shifted)) == expanded(expr)


def is_rotation_invariant(expr: sp.Expr) -> bool:
    """Tell whether W -> O W leaves an expression as it is.

    Inner products do not change. Expressions in single entries of P and M are evaluated for two outputs at rational
    moments, once as they are and once rotated by the angle of the 3-4-5 triangle: a difference disproves invariance, and
    none means invariance but for a coincidence of rationals chosen at random once and for all.
    """
    if not expr.has(Entry):
        return True
    P = sp.Matrix([[sp.Rational(17, 7), sp.Rational(3, 11)], [sp.Rational(3, 11), sp.Rational(13, 5)]])
    M = sp.Matrix([[sp.Rational(9, 8), sp.Rational(-2, 13)], [sp.Rational(-2, 13), sp.Rational(5, 17)]])
    O = sp.Matrix([[sp.Rational(3, 5), sp.Rational(4, 5)], [sp.Rational(-4, 5), sp.Rational(3, 5)]])
    values = {s: sp.Rational(k + 3, k + 5) for k, s in enumerate(sorted(expr.free_symbols - {d_1}, key=str))}
    plain, turned = (_explicit(expr, {"P": R * P * R.T, "M": R * M * R.T}).xreplace(values) for R in (sp.eye(2), O))
    return bool(abs(sp.N(plain - turned, 40)) < sp.Float("1e-30"))


def _explicit(expr: sp.Expr, moments: dict[str, sp.Matrix]) -> sp.Expr:
    """Replace sums over outputs by sums over two outputs with given moments; what is invariant anyway by 1."""
    if isinstance(expr, (Expectation, WeightNorm)):
        return sp.S.One
    if isinstance(expr, OutputSum):
        inner, distinct, *indices = expr.args
        total = sp.S.Zero
        for flat in range(2 ** len(indices)):
            place = {index: flat >> k & 1 for k, index in enumerate(indices)}
            if distinct and len(set(place.values())) < len(indices):
                continue
            entries = {e: moments[e.kind][place[e.args[1]], place[e.args[2]]] for e in inner.atoms(Entry)}
            total += inner.xreplace(entries)
        return total
    if not expr.args:
        return sp.Integer(2) if expr == d_1 else expr
    return expr.func(*(_explicit(a, moments) for a in expr.args))
