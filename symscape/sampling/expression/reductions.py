"""Means, sums and maxima over axes of arrays, with their derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symscape.sampling.expression.operations import Operation

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mean(Operation):
    """The mean over axes, which are kept with length 1."""

    axes: tuple[int, ...]

    def value(self, *arguments: Array) -> Array:
        """Return the mean."""
        return np.mean(arguments[0], axis=self.axes, keepdims=True)

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """An equal share each."""
        shape = np.shape(arguments[0])
        count = np.prod([shape[k] for k in self.axes])
        return (np.broadcast_to(adjoint / count, shape),)


@dataclass(frozen=True)
class Sum(Operation):
    """The sum over axes, which are kept with length 1."""

    axes: tuple[int, ...]

    def value(self, *arguments: Array) -> Array:
        """Return the sum."""
        return np.sum(arguments[0], axis=self.axes, keepdims=True)

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """One each."""
        return (np.broadcast_to(adjoint, np.broadcast_shapes(np.shape(adjoint), np.shape(arguments[0]))),)


@dataclass(frozen=True)
class SumOverOutputs(Operation):
    """The sum over ``indices`` axes of length ``size``: over all entries, or over those with different indices."""

    size: int
    indices: int
    distinct: bool

    def value(self, *arguments: Array) -> Array:
        """Return the sum, a scalar."""
        return np.asarray(np.sum(arguments[0] * self._weights()))

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """One for each entry that counts."""
        return (adjoint * self._weights(),)

    def _weights(self) -> Array:
        grids = np.indices((self.size,) * self.indices, sparse=True)
        weights = np.ones((self.size,) * self.indices)
        if self.distinct:
            for k in range(self.indices):
                for other in range(k):
                    weights = weights * (grids[k] != grids[other])
        return weights


@dataclass(frozen=True)
class Scale(Operation):
    """The largest entry over axes of one argument, or of several: where exponents are measured from, constant in derivatives.

    Results do not depend on the scale that they were computed at, so it has no derivative.
    """

    axes: tuple[int, ...] = ()

    def value(self, *arguments: Array) -> Array:
        """Return the maximum."""
        if self.axes:
            return np.max(arguments[0], axis=self.axes, keepdims=True)
        result = arguments[0]
        for other in arguments[1:]:
            result = np.maximum(result, other)
        return result

    def adjoints(self, adjoint: Array, value: Array, *arguments: Array) -> Sequence[Array | None]:
        """None."""
        return [None] * len(arguments)
