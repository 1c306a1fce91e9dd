"""Powers, exponentials, logarithms and other functions of arrays, with their derivatives.

Where mathematics has no value (the log of a number that is not positive, a division by zero, an exponential beyond the
largest float) they raise InputError that quotes the expression, so that no NaN passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.special import expit

from symscape.errors import InputError
from symscape.sampling.expression.operations import Operation

Array = NDArray[np.float64]

#: The largest exponent whose exponential is a float.
LARGEST_EXPONENT = float(np.log(np.finfo(float).max))


@dataclass(frozen=True)
class Power(Operation):
    """The argument to a constant power."""

    exponent: float
    source: str

    def value(self, *arguments: Array) -> Array:
        """Return the power; raises InputError where it is not finite and real."""
        (x,) = arguments
        p = self.exponent
        if p < 0 and not np.all(x):
            raise InputError(
                f"{self.source}: the base is 0 at some data, so this divides by zero: a representation is constant or 0, or "
                "two coincide. Add a positive epsilon to the base, or leave those data out"
            )
        if not p.is_integer() and np.any(x < 0):
            raise InputError(f"{self.source}: the base is negative at some data, where the power {p:g} is not real")
        result = _power(x, p)
        if not np.all(np.isfinite(result)):
            raise InputError(f"{self.source}: the power is beyond the largest float at some data; rescale the views")
        return result

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """p x^(p - 1); raises InputError where that is infinite."""
        (x,) = arguments
        p = self.exponent
        if p < 1 and not np.all(x):
            raise InputError(
                f"{self.source}: the base is 0 at some data, where the power {p:g} has no derivative: two representations "
                "coincide, or one is 0. Add a positive epsilon to the base, or ask for the value alone"
            )
        return (adjoint * (p * _power(x, p - 1)),)


def _power(x: Array, p: float) -> Array:
    plain: dict[float, Callable[[Array], Array]] = {
        0.0: np.ones_like,
        1.0: lambda x: x,
        2.0: np.square,
        -1.0: np.reciprocal,
        0.5: np.sqrt,
        -0.5: lambda x: 1 / np.sqrt(x),
        3.0: lambda x: x * x * x,
    }
    return plain[p](x) if p in plain else np.power(x, p)


@dataclass(frozen=True)
class Exponential(Operation):
    """exp of one argument."""

    source: str

    def value(self, *arguments: Array) -> Array:
        """Return exp; raises InputError when it overflows."""
        (x,) = arguments
        if np.max(x) > LARGEST_EXPONENT:
            raise InputError(
                f"{self.source}: the exponential of {np.max(x):.4g} is beyond the largest float; scale the views down, raise "
                "the temperature, or write the loss so that the log of this mean or sum is taken"
            )
        return np.exp(x)

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """The value itself."""
        return (adjoint * value,)


@dataclass(frozen=True)
class RelativeExponential(Operation):
    """exp of an argument less a `Scale` that is at least as large, which is not derived."""

    def value(self, *arguments: Array) -> Array:
        """Return exp of the difference, at most 1."""
        difference = np.asarray(arguments[0] - arguments[1])
        return np.exp(difference, out=difference)

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """The value itself, for the argument."""
        return adjoint * value, None


@dataclass(frozen=True)
class Logarithm(Operation):
    """log of one argument."""

    source: str

    def value(self, *arguments: Array) -> Array:
        """Return log; raises InputError for an argument that is not positive."""
        (x,) = arguments
        if not np.all(x > 0):
            raise InputError(
                f"{self.source}: the argument of log is {np.min(x):.4g} at some data, not a positive number; add a positive "
                "constant to it, check its sign, or rescale the views"
            )
        return np.log(x)

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """1 / x."""
        return (adjoint / arguments[0],)


@dataclass(frozen=True)
class LogAddExp(Operation):
    """log(e^u + e^v): with u = 0 the softplus."""

    def value(self, *arguments: Array) -> Array:
        """Return it without overflow."""
        return np.logaddexp(*arguments)

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """The two shares, which are sigmoids."""
        u, v = arguments
        return adjoint * expit(u - v), adjoint * expit(v - u)


class Function(Operation):
    """Any other SymPy expression in its arguments, with the derivatives that SymPy gives; kinks count as flat."""

    def __init__(self, expr: sp.Expr, symbols: Sequence[sp.Symbol]):
        self._expr = expr
        derivatives = [expr.diff(s).replace(sp.DiracDelta, lambda *args: sp.S.Zero) for s in symbols]
        modules = ["scipy", "numpy"]
        self._value = sp.lambdify(list(symbols), expr, modules)
        self._derivatives = [sp.lambdify(list(symbols), d, modules) for d in derivatives]

    def value(self, *arguments: Array) -> Array:
        """Return the value; raises InputError where it is not finite."""
        return self._finite(self._value, arguments)

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """The derivatives."""
        return [adjoint * self._finite(d, arguments) for d in self._derivatives]

    def _finite(self, function: Callable[..., Any], arguments: Sequence[Array]) -> Array:
        with np.errstate(all="ignore"):
            result = np.asarray(function(*arguments))
        if result.dtype.kind == "c" or not np.all(np.isfinite(result)):
            raise InputError(f"{self._expr}: not finite and real at some data, nor its derivative; check the arguments")
        return result
