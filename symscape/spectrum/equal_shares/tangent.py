"""Whether a line stays below a function of one variable on an interval, decided at its critical points."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import sympy as sp

from symscape.errors import InputError

#: Slack, relative to the terms of the function, that rounding may take.
_SLACK = 1e-10


def is_bounded_below(phi: sp.Expr, x: sp.Symbol, at: float, slope: float, low: float, high: float) -> bool:
    """Tell whether phi(x) >= phi(at) + slope (x - at) for all x between low and high, which may be infinite.

    phi is rational in x and one square root of a linear function of x, with at most one Max of two branches. The gap is
    compared with zero at every critical point, at the kink, and at the ends; False where its critical points cannot be found.

    >>> x = sp.Symbol("x", positive=True)
    >>> is_bounded_below(x**2, x, 1.0, 2.0, 0.0, float("inf")), is_bounded_below(-(x**2), x, 1.0, -2.0, 0.0, 3.0)
    (True, False)
    """
    try:
        pieces = _pieces(phi, x, low, high)
        gaps = [(piece - slope * x, left, right) for piece, left, right in pieces]
        level = float(phi.subs(x, at)) - slope * at
        slack = _SLACK * (1.0 + abs(level) + abs(slope * at))
        return all(_least(gap, x, left, right) >= level - slack for gap, left, right in gaps)
    except (InputError, TypeError, sp.PolynomialError):
        return False


def _pieces(phi: sp.Expr, x: sp.Symbol, low: float, high: float) -> list[tuple[sp.Expr, float, float]]:
    """Return the smooth pieces of phi on an interval."""
    kinks = phi.atoms(sp.Max)
    if not kinks:
        return [(phi, low, high)]
    if len(kinks) > 1 or any(len(k.args) != 2 for k in kinks):
        raise InputError(f"{phi} has more than one kink")
    (kink,) = kinks
    turns = sorted(t for t in _real_roots(kink.args[0] - kink.args[1], x) if low < t < high)
    ends = [low, *turns, high]
    pieces = []
    for left, right in pairwise(ends):
        inside = (left + right) / 2 if np.isfinite(left + right) else (left + 1.0 if np.isfinite(left) else right - 1.0)
        branch = max(kink.args, key=lambda b, point=inside: float(b.subs(x, point)))  # type: ignore[misc]
        pieces.append((phi.xreplace({kink: branch}), left, right))
    return pieces


def _least(gap: sp.Expr, x: sp.Symbol, low: float, high: float) -> float:
    """Return the infimum of a smooth function on an interval."""
    points = [low, high, *(t for t in _real_roots(sp.diff(gap, x), x) if low < t < high)]
    values = [float(gap.subs(x, p)) if np.isfinite(p) else float(_limit(gap, x, p)) for p in points]
    return min(values)


def _limit(gap: sp.Expr, x: sp.Symbol, end: float) -> sp.Expr:
    free = sp.Dummy(real=True)
    return sp.limit(sp.nsimplify(gap, rational=True).xreplace({x: free}), free, sp.oo if end > 0 else -sp.oo)


def _real_roots(expr: sp.Expr, x: sp.Symbol) -> list[float]:
    """Return candidates for all real zeros of a function that is rational in x and in one root of a linear function of x."""
    roots = {e.base for e in expr.atoms(sp.Pow) if e.exp.is_Rational and e.exp.q == 2 and e.base.has(x)}
    u, back = sp.Dummy("u", positive=True), None
    if roots:
        linear = [sp.Poly(base, x) for base in roots]
        if len(roots) > 1 or linear[0].degree() != 1:
            raise InputError(f"{expr} has more than one root")
        (base,) = roots
        slope, rest = linear[0].all_coeffs()
        back = (u**2 - rest) / slope
        expr = sp.powdenest(expr.xreplace({base: u**2}).subs(x, back), force=True)
    variable = u if roots else x
    numerator = sp.fraction(sp.together(expr))[0]
    if not numerator.has(variable):
        return []
    found = sp.Poly(numerator, variable).nroots(n=30, maxsteps=200)
    real = [root for root in found if abs(sp.im(root)) < 1e-12 * (1 + abs(root))]
    return [float(sp.re(root) if back is None else back.subs(u, sp.re(root))) for root in real]
