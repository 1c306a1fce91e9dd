"""A form on the first coordinates of the rows (DirectCLR)."""

from __future__ import annotations

import numpy as np

from symscape.errors import InputError
from symscape.sampling.evaluator import Array, Evaluator


class FirstOutputsEvaluator:
    """Another evaluator on the first ``count`` coordinates (inf: all); the derivative by the others is 0.

    Raises InputError where the rows are shorter than ``count``.
    """

    def __init__(self, inner: Evaluator, count: float):
        self.inner, self.count = inner, count

    def value(self, a: Array, b: Array) -> float:
        """Return the loss."""
        return self.inner.value(*self._first(a, b))

    def value_and_gradient(self, a: Array, b: Array) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b."""
        first_a, first_b = self._first(a, b)
        value, *inner = self.inner.value_and_gradient(first_a, first_b)
        gradients = np.zeros_like(a), np.zeros_like(b)
        for whole, part in zip(gradients, inner, strict=True):
            whole[:, : part.shape[1]] = part
        return value, *gradients

    def influence(self, a: Array, b: Array) -> Array:
        """Return N times the derivative of the loss by the weight of each datum, about its mean."""
        return self.inner.influence(*self._first(a, b))

    def _first(self, a: Array, b: Array) -> tuple[Array, Array]:
        if np.isinf(self.count):
            return a, b
        if a.shape[1] < self.count:
            raise InputError(f"the loss takes the first {self.count:g} outputs; the rows have {a.shape[1]}")
        return a[:, : int(self.count)], b[:, : int(self.count)]
