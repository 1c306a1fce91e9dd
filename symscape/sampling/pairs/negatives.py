"""Log sums of the exponential over the negatives of every anchor, and sums over pairs weighted by their derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symscape.sampling.evaluator import Array
from symscape.sampling.pairs.exponential import EXPONENTIAL
from symscape.sampling.pairs.logits import PairLogits, raise_to_floor
from symscape.sampling.pairs.tiles import (
    SUMMED,
    WEIGHTED,
    Buffer,
    rectangle,
    upper_triangle,
)

#: Indices of rows.
Places = NDArray[np.intp]


@dataclass(frozen=True)
class LogSums:
    """log sum over its negatives of e^s, for every anchor; ``sums`` are those of e^(s - c), 0 for the missed.

    ``missed``: anchors whose sum ran out of range, so that their log came from their largest logit.
    """

    log: Array
    sums: Array
    missed: Places

    def scaled(self, weights: Array, dtype: np.dtype) -> Array:
        """Return weights / sums, so that times e^(s - c) they weight pairs; 0 for anchors out of range."""
        return np.divide(weights, self.sums, out=np.zeros(len(weights)), where=self.sums > 0).astype(dtype)


@dataclass(frozen=True)
class PairSums:
    """Sums over pairs with weights w_ij: sum_j w_ij v_j and sum_i w_ij u_i, times ``scale``; sum_j w_ij and sum_i w_ij."""

    left: Array
    right: Array
    left_weights: Array
    right_weights: Array


@dataclass(frozen=True)
class Negatives:
    """Anchors against their negatives: all pairs of rows but those on the ``excluded`` diagonals (column - row).

    ``anchors``: "rows"; "both" rows and columns, with one shift c for all; "symmetric", where rows and columns are the same
    and tiles below the diagonal are not computed. ``positive``: the logits of the positives of rows, or None where sums over
    negatives are needed even if the positive outweighs them beyond any precision.
    """

    logits: PairLogits
    excluded: tuple[int, ...]
    anchors: str
    positive: Array | None

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return len(self.logits.left), len(self.logits.right)

    def transposed(self) -> Negatives:
        """Return the negatives of the columns."""
        return Negatives(self.logits.transposed(), tuple(-k for k in self.excluded), self.anchors, self.positive)

    def tiles(self, size: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
        """Yield the tiles: rows and columns."""
        itemsize = self.logits.left.itemsize
        size = size[0], size[1] * 4 // itemsize
        if self.anchors == "symmetric":
            return upper_triangle(self.shape[0], size)
        return rectangle(*self.shape, size)

    def exponentials(self, rows: slice, columns: slice, out: Array) -> Array:
        """Write e^(s - c) to ``out``, with 0 for pairs that are no negatives."""
        return self.logits.exponentials(rows, columns, self.excluded, out)

    def log_sums(self, keep: list[Array] | None = None) -> tuple[LogSums, ...]:
        """Return the log sums of the anchors: of rows, or of rows and of columns.

        ``keep``: a list of empty tiles, to hold the exponentials of as many tiles for weighted sums.
        """
        size = SUMMED if keep is None else WEIGHTED
        dtype, (n, m) = self.logits.left.dtype, self.shape
        symmetric, both = self.anchors == "symmetric", self.anchors == "both"
        buffer, one = Buffer(max(size) ** 2, dtype), np.ones(max(size), dtype)
        row_sums, column_sums = np.zeros(n), np.zeros(m)
        for place, (rows, columns) in enumerate(self.tiles(size)):
            out = cut(keep[place], rows, columns) if keep and place < len(keep) else buffer(rows, columns)
            tile = self.exponentials(rows, columns, out)
            row_sums[rows] += tile @ one[: tile.shape[1]]
            if both or (symmetric and rows != columns):
                (row_sums if symmetric else column_sums)[columns] += one[: tile.shape[0]] @ tile
        if not both:
            return (self.in_range(row_sums),)
        return self.in_range(row_sums), self.transposed().in_range(column_sums)

    def in_range(self, sums: Array) -> LogSums:
        """Return the log sums of the rows, through the largest logit where their sums are out of range."""
        safe, shift = self.logits.range, self.logits.shift
        small = sums < safe.lowest
        missed = small if self.positive is None else small & (shift - self.positive > safe.margin)
        with np.errstate(divide="ignore"):
            log = np.log(sums) + shift
        places = np.flatnonzero(missed)
        for chunk, _, found in self.from_largest(places):
            log[chunk] = found
        return LogSums(log, np.where(missed, 0.0, sums), places)

    def from_largest(self, anchors: Places, without: Places | None = None) -> Iterator[tuple[Places, Array, Array]]:
        """Yield some of the given rows at a time, shares e^s / sum of their negatives, and log sums, at any size of logits.

        ``without``: columns to leave out of each row's sum, (anchors, k).
        """
        m, unit, dtype = self.shape[1], EXPONENTIAL.unit, self.logits.left.dtype
        step = max(1, min((4 << 20) // (m * dtype.itemsize), WEIGHTED[0]))
        for first in range(0, len(anchors), step):
            chunk = anchors[first : first + step]
            panel = np.empty((len(chunk), m), dtype)
            for columns in (slice(k, min(k + 1024, m)) for k in range(0, m, 1024)):
                panel[:, columns] = self.logits.tile(chunk, columns, np.empty_like(panel[:, columns]))
            for offset in self.excluded:
                place = chunk + offset
                inside = np.flatnonzero((place >= 0) & (place < m))
                panel[inside, place[inside]] = -np.inf
            if without is not None:
                np.put_along_axis(panel, without[first : first + step], -np.inf, axis=1)
            largest = panel.max(axis=1)
            panel -= largest[:, None]
            EXPONENTIAL.function(raise_to_floor(panel), out=panel)
            sums = panel.sum(axis=1, dtype=np.float64)
            panel /= sums[:, None].astype(dtype)
            yield chunk, panel, np.log(sums) + largest / unit + self.logits.shift[chunk]


def cut(tile: Array, rows: slice, columns: slice) -> Array:
    """Return the memory of a tile in the shape of some rows and columns."""
    shape = rows.stop - rows.start, columns.stop - columns.start
    flat: Array = tile.reshape(-1)[: shape[0] * shape[1]]
    return flat.reshape(shape)
