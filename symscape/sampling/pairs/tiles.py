"""Tiles of the matrix of all pairs: their sizes, order, and the memory they may take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from symscape.sampling.evaluator import Array

#: Memory beyond the inputs, in bytes: copies of the rows, gradients and tiles together.
MEMORY = 64 << 20
#: Rows and columns of a tile of float32: 512 KiB, so that it stays in the second-level cache. Taller tiles are faster where
#: nothing but sums is taken from them, wider ones where they are multiplied from both sides.
SUMMED, WEIGHTED = (512, 256), (256, 512)
#: Whole rows that are kept between two products: the more, the fewer small steps between them.
PANEL = 64, 384


def blocks(stop: int, size: int = 1024, start: int = 0) -> Iterator[slice]:
    """Cut range(start, stop) into slices of at most ``size``.

    >>> list(blocks(5, 2, start=1))
    [slice(1, 3, None), slice(3, 5, None)]
    """
    return (slice(k, min(k + size, stop)) for k in range(start, stop, size))


def rectangle(n: int, m: int, size: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Yield tiles of an n x m matrix."""
    return ((rows, columns) for rows in blocks(n, size[0]) for columns in blocks(m, size[1]))


def upper_triangle(n: int, size: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Yield square tiles on the diagonal of an n x n matrix, and tiles above it."""
    for rows in blocks(n, size[0]):
        yield rows, rows
        yield from ((rows, columns) for columns in blocks(n, size[1], rows.stop))


def fill_diagonals(tile: Array, rows: slice, columns: slice, offsets: Iterable[int], value: float) -> None:
    """Set to ``value`` the entries of a tile with column - row among the offsets, in places of the whole matrix."""
    for offset in offsets:
        local = offset + rows.start - columns.start
        first, last = max(0, -local), min(tile.shape[0], tile.shape[1] - local)
        if first < last:
            places = np.arange(first, last)
            tile[places, places + local] = value


class Buffer:
    """Memory for one tile at a time, cut to its shape."""

    def __init__(self, size: int, dtype: np.dtype):
        self._flat = np.empty(size, dtype)

    def __call__(self, rows: slice, columns: slice) -> Array:
        """Return the memory in the shape of some rows and columns."""
        shape = rows.stop - rows.start, columns.stop - columns.start
        return self._flat[: shape[0] * shape[1]].reshape(shape)


def panel_rows(columns: int, itemsize: int, taken: int) -> int:
    """Return how many whole rows of the matrix fit in the memory that is left; never so few that products get slow."""
    return max(PANEL[0], min((MEMORY - taken) // (columns * itemsize) // 32 * 32, PANEL[1]))
