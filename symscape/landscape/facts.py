"""Facts of a loss, found from its form: what it is invariant to, and what its landscape may rely on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import sympy as sp

from symscape.errors import NotAnalyticError
from symscape.landscape import plan as steps
from symscape.landscape.landscape import landscape, polynomial_degree
from symscape.losses.language import Dot, Entry, Expectation, Node, OutputSum, WeightNorm, d_1
from symscape.losses.loss import Loss
from symscape.probability.views import View


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
    """Tell whether f -> f + c leaves an expression as it is, by writing the shift out and expanding.

    Expectations are linear, and E c.f(u) is the same for every view. False where the form does not show it.
    """

    def shifted(node: sp.Expr) -> sp.Expr:
        if isinstance(node, Dot):
            u, v = node.args
            return node + _shift_of(u) + _shift_of(v) + sp.Symbol("|c|^2", positive=True)
        i, j = node.args[1:3]
        return (
            node
            + sp.Symbol(f"c_{i}") * sp.Symbol(f"m_{j}")
            + sp.Symbol(f"m_{i}") * sp.Symbol(f"c_{j}")
            + sp.Symbol(f"c_{i}") * sp.Symbol(f"c_{j}")
        )

    def moves(node: sp.Basic) -> bool:
        return isinstance(node, Dot) or (isinstance(node, Entry) and not node.centred)

    return _expanded(_expanded(expr).replace(moves, shifted)) == _expanded(expr)


def _shift_of(view: View) -> sp.Symbol:
    return sp.Symbol(f"c.f({view})", real=True)


def _expanded(expr: sp.Expr) -> sp.Expr:
    """Expand with expectations pushed through sums, E c.f(u) the same for every view."""
    if isinstance(expr, Expectation):
        views = expr.args[1:]
        means = {_shift_of(view): sp.Symbol("c.mean", real=True) for view in views}
        total = sp.S.Zero
        for term in sp.Add.make_args(_expanded(expr.args[0])):
            constant, varying = term.as_independent(Node, *means, as_Add=False)
            if varying in means:
                total += constant * means[varying]
            elif varying == 1:
                total += constant
            else:
                total += constant * Expectation(varying, *[v for v in views if varying.has(v, _shift_of(v))])
        return total
    if expr.args and not isinstance(expr, Node):
        expr = expr.func(*(_expanded(a) for a in expr.args))
    return sp.expand(expr, power_exp=False, power_base=False, log=False)


def is_rotation_invariant(expr: sp.Expr) -> bool:
    """Tell whether W -> O W leaves an expression as it is.

    Inner products do not change, and stand here as constants. Expressions in single entries of P and M are evaluated at
    rational moments of as many outputs as there are indices in a sum, large and small, once as they are and once rotated
    in every plane by the angle of the 3-4-5 triangle: a difference disproves invariance, and none means invariance but
    for a coincidence of these rationals.
    """
    if not expr.has(Entry):
        return True
    size = max([2, *(len(node.args) - 2 for node in expr.atoms(OutputSum))])
    O = sp.eye(size)
    for k in range(size - 1):
        plane = sp.eye(size)
        plane[k : k + 2, k : k + 2] = sp.Matrix([[3, 4], [-4, 3]]) / 5
        O = plane * O
    values = {s: sp.Rational(k + 3, k + 5) for k, s in enumerate(sorted(expr.free_symbols - {d_1}, key=str))}
    invariants = sorted(expr.atoms(Expectation, WeightNorm), key=sp.default_sort_key)
    constants = {node: sp.Rational(7 * k + 5, 4 * k + 9) for k, node in enumerate(invariants)}
    for scale in (sp.Integer(1), sp.Rational(1, 10), sp.Rational(1, 1000)):
        P, M = (_rational_moment(size, shift) * scale for shift in (1, 4))
        plain, turned = (
            _explicit(expr.xreplace(constants), {"P": R * P * R.T, "M": R * M * R.T}).xreplace(values)
            for R in (sp.eye(size), O)
        )
        if abs(sp.N(plain - turned, 40)) > sp.Float("1e-30"):
            return False
    return True


def _rational_moment(size: int, shift: int) -> sp.Matrix:
    def value(i: int, j: int) -> sp.Rational:
        return sp.Rational(shift + 7 * i * j + 3 * (i + j) + 11 * (i == j), 13 + i + j + shift)

    return sp.Matrix(size, size, value)


def _explicit(expr: sp.Expr, moments: dict[str, sp.Matrix]) -> sp.Expr:
    """Replace sums over outputs by sums over the outputs of given moments."""
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
