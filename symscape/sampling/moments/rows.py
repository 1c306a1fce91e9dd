"""Rows of a batch in float64, a block at a time, centred or as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from symscape.sampling.evaluator import Array

#: Rows that are turned to float64 and multiplied at a time.
BLOCK = 512


def as_float64(z: Array) -> Array:
    """Return the array itself, or a copy in float64."""
    return np.asarray(z, dtype=np.float64)


def blocks(count: int) -> Iterator[slice]:
    """Yield slices of at most BLOCK rows."""
    for start in range(0, count, BLOCK):
        yield slice(start, min(start + BLOCK, count))


class CentredRows:
    """Rows less their mean, in float64, a block at a time: ``rows[slice]``; constant outputs give exact zeros.

    The first row is subtracted before the mean is taken, so that outputs far from zero keep their digits. ``centre=False``:
    the rows themselves, and mean zero.
    """

    def __init__(self, z: Array, centre: bool = True):
        self._z, self._centre = z, centre
        self._first: Array
        self._offset: Array
        self._first, self._offset = np.zeros((2, z.shape[1]))
        if centre:
            self._first = as_float64(z[0])
            self._offset = np.sum([self[rows].sum(axis=0) for rows in blocks(len(z))], axis=0) / len(z)
        #: The mean, (d1,).
        self.mean = self._first + self._offset

    def __getitem__(self, rows: slice) -> Array:
        if not self._centre:
            return as_float64(self._z[rows])
        found = np.subtract(self._z[rows], self._first, dtype=np.float64)
        found -= self._offset
        return found


def row_products(a: Array, b: Array) -> Array:
    """Return a_i.b_i for each row, (N,)."""
    return np.einsum("ij,ij->i", a, b)


def about_mean(influence: Array) -> Array:
    """Return values per datum less their mean: what a change of weights at fixed total weight does."""
    return influence - influence.mean()


def typed(value: float, gradients: Sequence[Array], like: Array) -> tuple[float, Array, Array]:
    """Return a value with its derivatives by both views in the float type of the batch."""
    by_a, by_b = (np.asarray(gradient, dtype=like.dtype) for gradient in gradients)
    return value, by_a, by_b
