"""The rows of a batch, and gradients by them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.sampling.expression.inputs import InnerForm

Array = NDArray[np.float64]

#: Views of entries below this, or above its reciprocal, are refused: squares of squares are beyond the range of floats.
SMALLEST = 1e-75


class Batch:
    """The rows of the views, N x d1 each, in float64; what is shared by all blocks is computed once."""

    def __init__(self, arrays: Mapping[str, NDArray]):
        self.arrays: dict[str, Array] = {name: np.asarray(rows, dtype=np.float64) for name, rows in arrays.items()}
        self.rows, self.outputs = next(iter(self.arrays.values())).shape
        largest = max(float(np.abs(rows).max()) for rows in self.arrays.values())
        if largest and not SMALLEST < largest < 1 / SMALLEST:
            raise InputError(
                f"the views have entries of up to {largest:.3g}, whose squares are lost in floats; rescale the views"
            )
        self._extended: dict[tuple[str, bool], Array] = {}
        self._forms: dict[tuple[str, str, float, float, float], Array] = {}

    @cached_property
    def mean(self) -> Array:
        """The mean of all views."""
        return np.mean([rows.mean(axis=0) for rows in self.arrays.values()], axis=0)

    def of(self, array: str, centred: bool) -> Array:
        """Return the rows, or the rows less the mean of the batch."""
        return self.extended(array, True)[:, :-2] if centred else self.arrays[array]

    def extended(self, array: str, centred: bool) -> Array:
        """Return the columns (rows, 1, squared norms) of an array."""
        key = (array, centred)
        if key not in self._extended:
            columns = np.ones((self.rows, self.outputs + 2))
            rows = columns[:, :-2]
            rows[...] = self.arrays[array] - self.mean if centred else self.arrays[array]
            columns[:, -1] = squared_norms(rows)
            self._extended[key] = columns
        return self._extended[key]

    def row_values(self, form: InnerForm) -> Array:
        """Return the value of a form in two views of one datum, for every row."""
        key = (form.u.array, form.v.array, form.dot, form.left, form.constant)
        if key not in self._forms:
            u, v = self.arrays[form.u.array], self.arrays[form.v.array]
            values = form.left * squared_norms(u - v) if form.is_distance else form.dot * np.einsum("nd,nd->n", u, v)
            self._forms[key] = values
        return self._forms[key]


class Gradient:
    """Gradients by every array of a batch, gathered block by block."""

    def __init__(self, batch: Batch):
        self.batch = batch
        self._arrays: dict[str, Array] = {}
        self._weights: dict[InnerForm, Array] = {}
        self._norms: dict[tuple[str, bool], Array] = {}

    def of(self, array: str) -> Array:
        """Return the gradient by an array, to be added to."""
        if array not in self._arrays:
            self._arrays[array] = np.zeros_like(self.batch.arrays[array])
        return self._arrays[array]

    def weights(self, form: InnerForm) -> Array:
        """Return the adjoints of an inner product of two views of one datum, (N,), to be added to."""
        if form not in self._weights:
            self._weights[form] = np.zeros(self.batch.rows)
        return self._weights[form]

    def add_weights(self, form: InnerForm, adjoints: Array) -> None:
        """Add to the adjoints of an inner product of two views of one datum."""
        self.weights(form)[...] += adjoints

    def norms(self, array: str, centred: bool) -> Array:
        """Return the adjoints of the squared norms of an array, (N,), to be added to."""
        if (array, centred) not in self._norms:
            self._norms[array, centred] = np.zeros(self.batch.rows)
        return self._norms[array, centred]

    def scale(self, factor: float) -> None:
        """Multiply what was gathered."""
        for gathered in (*self._arrays.values(), *self._weights.values(), *self._norms.values()):
            gathered *= factor

    def add_to(self, total: Gradient, factor: float) -> None:
        """Add a multiple to another gradient."""
        for name, array in self._arrays.items():
            total.of(name)[...] += factor * array
        for form, weights in self._weights.items():
            total.weights(form)[...] += factor * weights
        for (name, centred), weights in self._norms.items():
            total.norms(name, centred)[...] += factor * weights

    def finish(self) -> dict[str, Array]:
        """Return the gradients by the arrays."""
        for form, weights in self._weights.items():
            u, v = self.batch.arrays[form.u.array], self.batch.arrays[form.v.array]
            w = weights[:, None]
            if form.is_distance:
                found = 2 * form.left * w * (u - v)
                self.of(form.u.array)[...] += found
                self.of(form.v.array)[...] -= found
            else:
                self.of(form.u.array)[...] += form.dot * w * v
                self.of(form.v.array)[...] += form.dot * w * u
        for (name, centred), weights in self._norms.items():
            self.of(name)[...] += 2 * weights[:, None] * self.batch.of(name, centred)
        self._weights, self._norms = {}, {}
        return {name: self.of(name) for name in self.batch.arrays}


def squared_norms(rows: Array) -> Array:
    """Return |z|^2 for every row."""
    return np.einsum("...d,...d->...", rows, rows)
