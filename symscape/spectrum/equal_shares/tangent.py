"""Whether a line stays below a function of one variable on an interval, decided at its critical points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
import sympy as sp

from symscape.errors import InputError

#: Slack, relative to the terms of the function, that rounding may take.
_SLACK = 1e-10
#: A coefficient below this share of its terms has cancelled.
_CANCELLED = 1e-13


def is_bounded_below(phi: sp.Expr, x: sp.Symbol, at: float, slope: float, low: float, high: float) -> bool:
    """Tell whether phi(x) >= phi(at) + slope (x - at) for all x between low and high, which may be infinite.

    phi is rational in x and one square root of a linear function of x, with at most one Max of two branches. The gap is
    compared with zero at every critical point, at the kink, and at the ends; False where its critical points cannot be found.

    >>> x = sp.Symbol("x", positive=True)
    >>> is_bounded_below(x**2, x, 1.0, 2.0, 0.0, float("inf")), is_bounded_below(-(x**2), x, 1.0, -2.0, 0.0, 3.0)
    (True, False)
    """
    return TangentTest(phi, x).is_bounded_below(at, slope, low, high)


class TangentTest:
    """A function phi of x, compiled once for all values of its parameters, with the test of `is_bounded_below`."""

    def __init__(self, phi: sp.Expr, x: sp.Symbol, parameters: Sequence[sp.Symbol] = ()):
        self.phi, self.x = phi, x
        self._value = _compiled([x, *parameters], phi)
        self._slope = _compiled([x, *parameters], sp.diff(phi, x))
        self._values: tuple[float, ...] = ()
        self._kink: tuple[_Smooth, ...] = ()
        self._pieces: tuple[_Smooth, ...] = ()
        kinks = phi.atoms(sp.Max)
        try:
            if not kinks:
                self._pieces = (_Smooth(phi, x, parameters),)
            elif len(kinks) == 1 and len(next(iter(kinks)).args) == 2:
                (kink,) = kinks
                self._kink = tuple(_Smooth(branch, x, parameters) for branch in kink.args)
                self._kink += (_Smooth(kink.args[0] - kink.args[1], x, parameters),)
                self._pieces = tuple(_Smooth(phi.xreplace({kink: branch}), x, parameters) for branch in kink.args)
        except (InputError, sp.PolynomialError):
            self._pieces = ()

    def at(self, *values: float) -> Self:
        """Return the same function with values for the parameters."""
        made = copy(self)
        made._values = values
        return made

    def value(self, x: float) -> float:
        """Return phi(x)."""
        return float(self._value(x, *self._values))

    def slope(self, x: float) -> float:
        """Return dphi/dx."""
        return float(self._slope(x, *self._values))

    @property
    def depends(self) -> bool:
        """Whether phi depends on x."""
        return bool(self.phi.has(self.x))

    @cached_property
    def is_linear(self) -> bool:
        """Whether phi is linear in x."""
        return bool(not self.phi.has(sp.Max) and sp.diff(self.phi, self.x, 2) == 0)

    def is_bounded_below(self, at: float, slope: float, low: float, high: float) -> bool:
        """Tell whether the line through (at, phi(at)) stays below phi on an interval; False where that is not found out."""
        if not self._pieces:
            return False
        try:
            with np.errstate(all="ignore"):
                level = self.value(at) - slope * at
                slack = _SLACK * (1.0 + abs(level) + abs(slope * at))
                pieces = self._on(low, high)
                return all(f.least_gap(slope, a, b, self._values) >= level - slack for f, a, b in pieces)
        except (InputError, TypeError):
            return False

    def _on(self, low: float, high: float) -> list[tuple[_Smooth, float, float]]:
        """Return the smooth pieces of phi on an interval."""
        if not self._kink:
            return [(self._pieces[0], low, high)]
        *branches, gap = self._kink
        turns = sorted({t for t in gap.zeros(self._values) if low < t < high})
        found = []
        for left, right in pairwise([low, *turns, high]):
            inside = (left + right) / 2
            if not np.isfinite(inside):
                inside = left + 1.0 if np.isfinite(left) else right - 1.0
            highest = int(np.argmax([branch.value(inside, self._values) for branch in branches]))
            found.append((self._pieces[highest], left, right))
        return found


class _Smooth:
    """A function that is rational in x and in one square root u of a linear function of x."""

    def __init__(self, f: sp.Expr, x: sp.Symbol, parameters: Sequence[sp.Symbol]):
        self._f, self._line = _compiled([x, *parameters], f), sp.Dummy("slope", real=True)
        u, back = _uniformised(f, x)
        self._rooted = u != x
        self._back = _compiled([u, *parameters], back)
        arguments = [*parameters, self._line]

        def polynomial(expr: sp.Expr) -> Callable[..., Any]:
            return _compiled(arguments, sp.Poly(expr, u).all_coeffs())

        def in_root(expr: sp.Expr) -> sp.Expr:
            return _in_root(expr, x, u, back)

        top, bottom = sp.fraction(sp.together(in_root(f - self._line * x)))
        self._top, self._bottom = polynomial(top), polynomial(bottom)
        self._zeros = polynomial(sp.fraction(sp.together(in_root(f)))[0])
        self._critical = polynomial(sp.fraction(sp.together(in_root(sp.diff(f, x) - self._line)))[0])

    def value(self, x: float, values: tuple[float, ...]) -> float:
        return float(self._f(x, *values))

    def zeros(self, values: tuple[float, ...]) -> list[float]:
        return self._roots(self._zeros, 0.0, values)

    def least_gap(self, slope: float, low: float, high: float, values: tuple[float, ...]) -> float:
        """Return the infimum of f(x) - slope x on an interval."""
        points = [low, high, *(t for t in self._roots(self._critical, slope, values) if low < t < high)]
        gaps = [
            self.value(x, values) - slope * x if np.isfinite(x) else self._limit(slope, x > 0, values) for x in points
        ]
        return min(gaps) if not np.isnan(gaps).any() else -np.inf

    def _roots(self, polynomial: Callable[..., Any], slope: float, values: tuple[float, ...]) -> list[float]:
        # A real part that is no root is one more point to look at, and does no harm.
        roots = np.roots(_trimmed(polynomial, slope, values))
        return [float(self._back(root, *values)) for root in np.real(roots)]

    def _limit(self, slope: float, upwards: bool, values: tuple[float, ...]) -> float:
        """Return the limit of f(x) - slope x as x, or minus x, goes to infinity."""
        top, bottom = (_trimmed(part, slope, values) for part in (self._top, self._bottom))
        excess = len(top) - len(bottom)
        if not len(top) or excess < 0:
            return 0.0
        ratio = float(top[0] / bottom[0])
        if excess == 0:
            return ratio
        if self._rooted and (self._back(1e9, *values) > 0) != upwards:
            return float("nan")  # the root is not real there
        return float(np.copysign(np.inf, ratio * (1.0 if upwards else (-1.0) ** excess)))


def _trimmed(polynomial: Callable[..., Any], slope: float, values: tuple[float, ...]) -> Any:
    """Return coefficients, the highest first, without leading ones that have cancelled."""
    found = np.array([float(c) for c in polynomial(*values, slope)])
    parts = np.abs([float(c) for c in polynomial(*values, 0.0)])
    kept = np.flatnonzero(np.abs(found) > _CANCELLED * (parts + np.abs(found - np.array(polynomial(*values, 0.0)))))
    return found[kept[0] :] if len(kept) else found[:0]


def _uniformised(f: sp.Expr, x: sp.Symbol) -> tuple[sp.Symbol, sp.Expr]:
    """Return (u, x as a function of u), in which f is rational; u is x itself where f holds no root."""
    roots = _roots_of(f, x)
    if not roots:
        return x, x
    linear = [sp.Poly(base, x) for base in roots]
    if len(roots) > 1 or linear[0].degree() != 1:
        raise InputError(f"{f} has more than one root")
    slope, rest = linear[0].all_coeffs()
    u = sp.Dummy("u", positive=True)
    return u, (u**2 - rest) / slope


def _in_root(expr: sp.Expr, x: sp.Symbol, u: sp.Symbol, back: sp.Expr) -> sp.Expr:
    if u == x:
        return expr
    return sp.powdenest(expr.xreplace(dict.fromkeys(_roots_of(expr, x), u**2)).subs(x, back), force=True)


def _roots_of(f: sp.Expr, x: sp.Symbol) -> set[sp.Expr]:
    return {e.base for e in f.atoms(sp.Pow) if e.exp.is_Rational and e.exp.q == 2 and e.base.has(x)}


def _compiled(arguments: Sequence[sp.Symbol], expr: Any) -> Callable[..., Any]:
    compiled: Callable[..., Any] = sp.lambdify(list(arguments), expr, modules=["scipy", "numpy"])
    return compiled
