"""Inner products of the rows of a batch, block by block: values, and the way back from their adjoints to the rows.

A block is a range of anchors i with every row that serves them, i + s for the shifts s of an independent datum. Where s runs
over 1, ..., K the inner products are a band of one matrix product, read by a view whose rows are shifted against each other;
norms and coefficients are further columns of the product. Distances are taken about the mean of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from symscape.sampling.expression.design import Shifts
from symscape.sampling.expression.inputs import InnerForm, Slot, window_axis
from symscape.sampling.expression.rows import Batch, Gradient, squared_norms

Array = NDArray[np.float64]

#: Squared distances below this fraction of the squared norms are recomputed from differences.
NEAR = 1e-8


class Block:
    """Anchors ``start`` to ``stop``, with the shifts of every independent datum, numbered from 1."""

    def __init__(self, batch: Batch, start: int, stop: int, shifts: Sequence[Shifts]):
        self.batch, self.start, self.stop, self.shifts = batch, start, stop, shifts
        self.count = stop - start

    # Values

    def inner_products(self, form: InnerForm) -> Array:
        """Return the values of a form, with an axis for anchors and two, windows and copies, for every other datum."""
        if form.u.datum == form.v.datum:
            return self.spread(self.batch.row_values(form), form.u.datum)
        if form.u.datum == 0 and self.shifts[form.v.datum - 1].contiguous:
            values = self._band(form)
        else:
            values = self._gathered(form)
        return values.reshape(self._shape(form))

    def spread(self, vector: Array, datum: int) -> Array:
        """Return a number per row as an array of the block."""
        if datum == 0:
            return vector[self.start : self.stop].reshape(self._axes({}))
        shifts = self.shifts[datum - 1]
        shape = self._axes({datum: shifts.table.shape})
        if not shifts.contiguous:
            return vector[self._rows(datum)].reshape(shape)
        wide = np.concatenate([vector[lo:hi] for lo, hi, _ in self._columns(shifts)])
        return as_strided(wide, (self.count, shifts.count), (wide.strides[0],) * 2).reshape(shape)

    def _axes(self, lengths: Mapping[int, tuple[int, ...]]) -> tuple[int, ...]:
        shape = [self.count] + [1] * (2 * len(self.shifts))
        for datum, (windows, copies) in lengths.items():
            shape[window_axis(datum)], shape[window_axis(datum) + 1] = windows, copies
        return tuple(shape)

    def _shape(self, form: InnerForm) -> tuple[int, ...]:
        data = {slot.datum for slot in (form.u, form.v)} - {0}
        return self._axes({datum: self.shifts[datum - 1].table.shape for datum in data})

    def _rows(self, datum: int) -> NDArray[np.intp]:
        """Return the rows that stand for a datum, anchors x shifts."""
        anchors = np.arange(self.start, self.stop)[:, None]
        return anchors if datum == 0 else (anchors + self.shifts[datum - 1].table.ravel()) % self.batch.rows

    def _columns(self, shifts: Shifts) -> Iterator[tuple[int, int, int]]:
        """Yield ranges of rows, with their first column, that make up the columns start + 1, ..., cyclically."""
        width, at = self.count + shifts.count - 1, 0
        while at < width:
            lo = (self.start + 1 + at) % self.batch.rows
            hi = min(self.batch.rows, lo + width - at)
            yield lo, hi, at
            at += hi - lo

    def _band(self, form: InnerForm) -> Array:
        shifts = self.shifts[form.v.datum - 1]
        centred = form.is_distance
        anchors = self.batch.of(form.u.array, centred)[self.start : self.stop]
        if form.left or form.right or form.constant:
            own = form.left * squared_norms(anchors) + form.constant
            anchors = np.column_stack([form.dot * anchors, own, np.full(self.count, form.right)])
            others = self.batch.extended(form.v.array, centred)
        else:
            anchors = anchors if form.dot == 1 else form.dot * anchors
            others = self.batch.of(form.v.array, False)
        wide = np.empty((self.count, self.count + shifts.count - 1))
        for lo, hi, at in self._columns(shifts):
            np.matmul(anchors, others[lo:hi].T, out=wide[:, at : at + hi - lo])
        values = _banded(wide, shifts.count)
        if centred:
            self._recompute_near(form, values)
        return values

    def _recompute_near(self, form: InnerForm, values: Array) -> None:
        """Replace distances that are lost in the rounding of norms by those of differences."""
        u, v = self.batch.of(form.u.array, True), self.batch.of(form.v.array, True)
        largest = np.max(self.batch.extended(form.v.array, True)[:, -1])
        limit = form.constant + NEAR * form.left * (squared_norms(u[self.start : self.stop]) + largest)[:, None]
        near = values <= limit if form.left > 0 else values >= limit
        if not near.any():
            return
        row, shift = np.nonzero(near)
        for part in range(0, len(row), 4096):
            r, s = row[part : part + 4096], shift[part : part + 4096]
            difference = u[self.start + r] - v[(self.start + r + s + 1) % self.batch.rows]
            values[r, s] = form.left * squared_norms(difference) + form.constant

    def _gathered(self, form: InnerForm) -> Array:
        """Return u.v for shifts that are no band: (anchors, shifts of u, shifts of v)."""
        u, v = self._gather(form.u, form.is_distance), self._gather(form.v, form.is_distance)
        values = form.dot * (u @ v.swapaxes(1, 2)) + form.constant
        if form.left:
            values += form.left * squared_norms(u)[:, :, None]
        if form.right:
            values += form.right * squared_norms(v)[:, None, :]
        if form.is_distance:  # rounding must not make a distance negative
            values = (np.maximum if form.left > 0 else np.minimum)(values, form.constant)
        return values

    def _gather(self, slot: Slot, centred: bool) -> Array:
        return self.batch.of(slot.array, centred)[self._rows(slot.datum)]

    # The way back

    def add_gradient(self, form: InnerForm, adjoint: Array, into: Gradient) -> None:
        """Add what the adjoint of a form makes of the gradient by the rows."""
        if form.u.datum == form.v.datum:
            self.add_by_row(adjoint, form.u.datum, into.weights(form))
            return
        centred = form.is_distance
        by_u, by_v = into.of(form.u.array), into.of(form.v.array)
        if form.u.datum == 0 and self.shifts[form.v.datum - 1].contiguous:
            shifts = self.shifts[form.v.datum - 1]
            wide = self._wide(adjoint, shifts)
            u, v = self.batch.of(form.u.array, centred), self.batch.of(form.v.array, centred)
            anchors = slice(self.start, self.stop)
            if form.left:
                into.norms(form.u.array, centred)[anchors] += form.left * wide.sum(axis=1)
            if form.right:
                self._add_band(form.right * wide.sum(axis=0), shifts, into.norms(form.v.array, centred))
            scaled = form.dot * u[anchors]
            for lo, hi, at in self._columns(shifts):
                part = wide[:, at : at + hi - lo]
                by_u[anchors] += form.dot * (part @ v[lo:hi])
                by_v[lo:hi] += part.T @ scaled
            return
        u, v = self._gather(form.u, centred), self._gather(form.v, centred)
        w = np.broadcast_to(adjoint, self._shape(form)).reshape(self.count, u.shape[1], v.shape[1])
        self._add_rows(form.u.datum, form.dot * (w @ v) + 2 * form.left * w.sum(axis=2)[:, :, None] * u, by_u)
        w = w.swapaxes(1, 2)
        self._add_rows(form.v.datum, form.dot * (w @ u) + 2 * form.right * w.sum(axis=2)[:, :, None] * v, by_v)

    def add_by_row(self, array: Array, datum: int, into: Array) -> None:
        """Add an array of the block to a vector, entries to the rows that stand for a datum there."""
        if datum == 0:
            into[self.start : self.stop] += array.reshape(self.count)
            return
        shifts = self.shifts[datum - 1]
        values = np.broadcast_to(array, self._axes({datum: shifts.table.shape}))
        if shifts.contiguous:
            self._add_band(self._wide(values, shifts).sum(axis=0), shifts, into)
        else:
            self._add_rows(datum, values.reshape(self.count, shifts.count), into)

    def _add_band(self, columns: Array, shifts: Shifts, into: Array) -> None:
        """Add the columns of a band to the rows that they stand for."""
        for lo, hi, at in self._columns(shifts):
            into[lo:hi] += columns[at : at + hi - lo]

    def _wide(self, array: Array, shifts: Shifts) -> Array:
        """Return a band as a matrix with zeros beside it."""
        wide = np.zeros((self.count, self.count + shifts.count - 1))
        band = _banded(wide, shifts.count)
        band.reshape(self.count, *shifts.table.shape)[...] = array.reshape(self.count, *shifts.table.shape)
        return wide

    def _add_rows(self, datum: int, values: Array, into: Array) -> None:
        """Add values (anchors, shifts, ...) to the rows that stand for a datum: those of one shift are all different."""
        for k, rows in enumerate(self._rows(datum).T):
            into[rows] += values[:, k]


def _banded(wide: Array, count: int) -> Array:
    """Return the view of a matrix in which row r begins at column r."""
    down, along = wide.strides
    return as_strided(wide, (len(wide), count), (down + along, along))
