"""Facts of a loss, found from its form: what it is invariant to, and what its landscape may rely on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

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

    Inner products do not change. Expressions in single entries of P and M are evaluated at rational moments of as many
    outputs as there are indices in a sum, once as they are and once rotated in every plane by the angle of the 3-4-5
    triangle: a difference disproves invariance, and none means invariance but for a coincidence of these rationals.
    """
    if not expr.has(Entry):
        return True
    size = max([2, *(len(node.args) - 2 for node in expr.atoms(OutputSum))])
    P, M = (_rational_moment(size, shift) for shift in (1, 4))
    O = sp.eye(size)
    for k in range(size - 1):
        plane = sp.eye(size)
        plane[k : k + 2, k : k + 2] = sp.Matrix([[3, 4], [-4, 3]]) / 5
        O = plane * O
    values = {s: sp.Rational(k + 3, k + 5) for k, s in enumerate(sorted(expr.free_symbols - {d_1}, key=str))}
    plain, turned = (_explicit(expr, {"P": R * P * R.T, "M": R * M * R.T}).xreplace(values) for R in (sp.eye(size), O))
    return bool(abs(sp.N(plain - turned, 40)) < sp.Float("1e-30"))


def _rational_moment(size: int, shift: int) -> sp.Matrix:
    def value(i: int, j: int) -> sp.Rational:
        return sp.Rational(shift + 7 * i * j + 3 * (i + j) + 11 * (i == j), 13 + i + j + shift)

    return sp.Matrix(size, size, value)


def _explicit(expr: sp.Expr, moments: dict[str, sp.Matrix]) -> sp.Expr:
    """Replace sums over outputs by sums over the outputs of given moments; what is invariant anyway by 1."""
    if isinstance(expr, (Expectation, WeightNorm)):
        return sp.S.One
    if isinstance(expr, OutputSum):
        inner, distinct, *indices = expr.args
        total = sp.S.Zero
        for values in product(range(moments["P"].rows), repeat=len(indices)):
            place = dict(zip(indices, values, strict=True))
            if distinct and len(set(place.values())) < len(indices):
                continue
            entries = {e: moments[e.kind][place[e.args[1]], place[e.args[2]]] for e in inner.atoms(Entry)}
            total += inner.xreplace(entries)
        return total
    if not expr.args:
        return sp.Integer(moments["P"].rows) if expr == d_1 else expr
    return expr.func(*(_explicit(a, moments) for a in expr.args))
