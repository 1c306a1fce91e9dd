"""Power series in s = t^2 whose coefficients are numbers, or arrays of numbers over quadrature nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from symscape.errors import InputError, NotAnalyticError


class Jet:
    """c_0 + c_1 s + ... + c_K s^K; a coefficient is a number, an object array of numbers, or None for zero.

    With K = 0 it is a plain value, over nodes.
    """

    __slots__ = ("c",)

    def __init__(self, coefficients: Sequence[Any]):
        self.c = list(coefficients)

    def __add__(self, other: Jet) -> Jet:
        return Jet([b if a is None else a if b is None else a + b for a, b in zip(self.c, other.c, strict=True)])

    def __mul__(self, other: Jet) -> Jet:
        found: list[Any] = [None] * len(self.c)
        for j, a in enumerate(self.c):
            for k, b in enumerate(other.c[: len(self.c) - j]):
                if a is not None and b is not None:
                    found[j + k] = a * b if found[j + k] is None else found[j + k] + a * b
        return Jet(found)

    def scaled(self, factor: Any) -> Jet:
        """Return a number, or an array over nodes, times the series."""
        return Jet([None if a is None else factor * a for a in self.c])

    def map(self, function: Callable[[Any], Any]) -> Jet:
        """Return the series with a linear function of each coefficient that is not zero."""
        return Jet([None if a is None else function(a) for a in self.c])

    def substituted(self, taylor: Sequence[Any]) -> Jet:
        """Return sum_k taylor_k (self - c_0)^k, by Horner's rule: a function with these Taylor coefficients at c_0."""
        rise = Jet([None, *self.c[1:]])
        found = constant(taylor[-1], len(self.c))
        for coefficient in reversed(taylor[:-1]):
            found = found * rise + constant(coefficient, len(self.c))
        return found

    @property
    def origin(self) -> Any:
        """The value at s = 0."""
        return mpmath.mpf(0) if self.c[0] is None else self.c[0]


def constant(value: Any, length: int) -> Jet:
    """Return a number, or numbers over nodes, as a series."""
    return Jet([value] + [None] * (length - 1))


def apply(call: sp.Expr, arguments: Sequence[Jet]) -> Jet:
    """Return a function of series: ``call`` is the SymPy expression whose arguments have these values.

    Raises NotAnalyticError where the function has no power series, InputError where it has no real value.
    """
    if isinstance(call, (sp.Max, sp.Min)):
        return _extreme(call, arguments)
    if call.is_Pow and call.exp.is_Integer and call.exp >= 0:
        found = constant(mpmath.mpf(1), len(arguments[0].c))
        for _ in range(int(call.exp)):
            found = found * arguments[0]
        return found
    if len(arguments[0].c) == 1:
        function = _numeric(call.func, len(arguments))
        values = [argument.origin for argument in arguments]
        return Jet([_over_nodes(function, call, values)])
    if call.is_Pow and len(arguments) == 2:
        base, exponent = arguments
        if any(c is not None for c in exponent.c[1:]):  # b^e = exp(e log b)
            return apply(sp.exp(sp.Dummy()), [exponent * apply(sp.log(sp.Dummy()), [base])])
        return base.substituted(_powers(call, base.origin, exponent.origin, len(base.c)))
    if len(arguments) != 1:
        raise InputError(f"{call}: no rule for a function of {len(arguments)} arguments")
    return arguments[0].substituted(_taylor(call, arguments[0].origin, len(arguments[0].c)))


def _extreme(call: sp.Expr, arguments: Sequence[Jet]) -> Jet:
    """The largest or smallest series near s = 0; over nodes, the largest or smallest value at each."""
    highest = isinstance(call, sp.Max)
    origins = [argument.origin for argument in arguments]
    if len(arguments[0].c) == 1:
        found = origins[0]
        for other in origins[1:]:
            found = np.maximum(found, other) if highest else np.minimum(found, other)
        return Jet([found])
    ranked = sorted(range(len(origins)), key=lambda k: origins[k], reverse=highest)
    if origins[ranked[0]] == origins[ranked[1]]:
        raise NotAnalyticError(
            f"{call}: two branches meet at W = 0, so there is no series; population_value has a value"
        )
    return arguments[ranked[0]]


def _powers(call: sp.Expr, base: Any, exponent: Any, length: int) -> list[Any]:
    """The Taylor coefficients of b^e at b: binomial(e, k) b^(e - k)."""
    if base == 0:
        raise NotAnalyticError(f"{call}: the base is 0 at W = 0")
    return [real(mpmath.binomial(exponent, k) * base ** (exponent - k), call) for k in range(length)]


def _taylor(call: sp.Expr, origin: Any, length: int) -> list[Any]:
    u = sp.Dummy("u", real=True)
    derivative, found = call.func(u), []
    for k in range(length):
        value = _over_nodes(sp.lambdify([u], derivative, "mpmath"), call, [origin])
        if not mpmath.isfinite(value):
            raise NotAnalyticError(f"{call}: not analytic at W = 0, where its argument is {mpmath.nstr(origin, 5)}")
        found.append(value / factorial(k))
        derivative = sp.diff(derivative, u)
    if call.func in (sp.Abs, sp.sign) and origin == 0:
        raise NotAnalyticError(f"{call}: not analytic at W = 0, where its argument is 0")
    return found


def _numeric(function: Any, arguments: int) -> Callable[..., Any]:
    direct = {sp.exp: mpmath.exp, sp.log: mpmath.log, sp.Abs: abs, sp.tanh: mpmath.tanh}.get(function)
    if direct is not None:
        return direct
    dummies = sp.symbols(f"u:{arguments}", real=True)
    return sp.lambdify(dummies, function(*dummies), "mpmath")


def _over_nodes(function: Callable[..., Any], call: sp.Expr, values: Sequence[Any]) -> Any:
    try:
        found = np.frompyfunc(function, len(values), 1)(*values)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        if "division" in str(error) or "singular" in str(error) or "log" in str(error):
            raise NotAnalyticError(f"{call}: singular, where its argument is {_shown(values[0])}") from error
        raise InputError(f"{call}: no value, where its argument is {_shown(values[0])}") from error
    return real(found, call)


def real(values: Any, call: sp.Expr) -> Any:
    """Return real numbers; raise InputError when some are not."""
    if any(isinstance(v, mpmath.mpc) for v in np.ravel(np.asarray(values, dtype=object))):
        raise InputError(f"{call}: not real for some values of its argument")
    return values


def _shown(value: Any) -> str:
    return "0 at some node" if isinstance(value, np.ndarray) else mpmath.nstr(value, 5)
