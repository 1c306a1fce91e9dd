"""Operations on arrays and their derivatives: the base, arithmetic, and what follows the larger or the sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def summed_to(array: Array, shape: tuple[int, ...]) -> Array:
    """Sum an array over the axes that broadcasting added or stretched."""
    array = np.asarray(array)
    if array.shape == shape:
        return array
    extra = array.ndim - len(shape)
    stretched = tuple(k + extra for k, n in enumerate(shape) if n == 1 and array.shape[k + extra] != 1)
    return array.sum(axis=(*range(extra), *stretched), keepdims=True).reshape(shape)


def combined(ufunc: np.ufunc, result: Array, other: Array, own: bool) -> Array:
    """Return a sum or product, in place of the result so far if that is the caller's own: new memory costs more than a pass."""
    if own and np.ndim(result) and np.broadcast_shapes(np.shape(result), np.shape(other)) == np.shape(result):
        return ufunc(result, other, out=result)
    return ufunc(result, other)


class Operation:
    """Base: ``value(*arguments)``, and ``adjoints(adjoint, value, *arguments)``, one for each argument or None for none.

    Adjoints have the broadcast shape; the tape sums them down to the shape of the argument.
    """

    def value(self, *arguments: Array) -> Array:
        """Return the result."""
        raise NotImplementedError

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """Return the derivatives by the arguments, times the adjoint of the result."""
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Operation):
    """A number."""

    number: float

    def value(self, *arguments: Array) -> Array:
        """Return the number."""
        return np.asarray(self.number)

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """Nothing to derive."""
        return ()


@dataclass(frozen=True)
class Input(Operation):
    """What the batch supplies under a key; the tape is given its value."""

    key: Any


@dataclass(frozen=True)
class Linear(Operation):
    """constant + the sum of coefficients times arguments."""

    coefficients: tuple[float, ...]
    constant: float = 0.0

    def value(self, *arguments: Array) -> Array:
        """Return the sum."""
        result, own = None, False
        for coefficient, argument in zip(self.coefficients, arguments, strict=True):
            term = argument if coefficient == 1 else coefficient * argument
            if result is None:
                result, own = term, coefficient != 1
            else:
                result, own = combined(np.add, result, term, own), True
        assert result is not None
        return combined(np.add, result, np.asarray(self.constant), own) if self.constant else result

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """The coefficients."""
        return [adjoint if c == 1 else c * adjoint for c in self.coefficients]


@dataclass(frozen=True)
class Product(Operation):
    """The product of the arguments."""

    def value(self, *arguments: Array) -> Array:
        """Return the product."""
        result = arguments[0]
        for k, factor in enumerate(arguments[1:]):
            result = combined(np.multiply, result, factor, k > 0)
        return result

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """The products of the others; for factors of fewer axes the product by the factor, summed first."""
        found: list[Array | None] = []
        whole = None
        for k, factor in enumerate(arguments):
            if np.shape(factor) != np.shape(value) and np.all(factor):
                whole = adjoint * value if whole is None else whole
                found.append(summed_to(whole, np.shape(factor)) / factor)
                continue
            derivative = adjoint
            for position, other in enumerate((*arguments[:k], *arguments[k + 1 :])):
                derivative = combined(np.multiply, derivative, other, position > 0)
            found.append(derivative)
        return found


@dataclass(frozen=True)
class Extremum(Operation):
    """The largest (``sign`` 1) or smallest (-1) of the arguments; at ties the derivative goes to the first: a subgradient."""

    sign: int

    def value(self, *arguments: Array) -> Array:
        """Return the extremum."""
        choose = np.maximum if self.sign > 0 else np.minimum
        result = arguments[0]
        for other in arguments[1:]:
            result = choose(result, other)
        return result

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """The adjoint where an argument is the extremum."""
        left = np.ones(np.shape(value), dtype=bool)
        found: list[Array | None] = []
        for x in arguments:
            here = left & (x == value)
            left = left & ~here
            found.append(adjoint * here)
        return found


@dataclass(frozen=True)
class AbsoluteValue(Operation):
    """|x|, with derivative 0 at 0: a subgradient."""

    def value(self, *arguments: Array) -> Array:
        """Return |x|."""
        return np.abs(arguments[0])

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """The sign."""
        return (adjoint * np.sign(arguments[0]),)
