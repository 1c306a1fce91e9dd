"""Sums over all pairs of anchors and negatives, weighted by the derivative of the loss, which make up its gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from symscape.sampling.evaluator import Array
from symscape.sampling.pairs.logits import drop_subnormal
from symscape.sampling.pairs.negatives import LogSums, Negatives, PairSums, Places, cut
from symscape.sampling.pairs.tiles import MEMORY, WEIGHTED, Buffer, blocks, panel_rows

#: The derivative of the loss by the log sums of some rows, from these.
Weigh = Callable[[slice, Array], Array]


def row_gradient(negatives: Negatives, weigh: Weigh) -> tuple[Array, PairSums]:
    """Return the log sums of row anchors and the weighted sums over pairs, with one exponential per pair.

    sum_j e_ij v_j / sum_j e_ij is divided by the sum afterwards; sum_i e_ij u_i / sum_j e_ij needs it before: a panel of whole
    rows is kept between the two products, tile after tile.
    """
    logits = negatives.logits
    (n, m), d, dtype = negatives.shape, logits.width, logits.left.dtype
    height = panel_rows(m, dtype.itemsize, (n + m) * (2 * d + 2) * dtype.itemsize + (8 << 20))
    columns = list(blocks(m, WEIGHTED[1] * 4 // dtype.itemsize))
    memory, one = panel_memory(height, columns, dtype), np.ones(m, dtype)
    by_row, by_column = np.zeros((n, d), dtype), np.zeros((m, d), dtype)
    row_weights, column_weights, logs = np.zeros(n), np.zeros(m), np.empty(n)
    for rows in blocks(n, height):
        tiles = [cut(tile, rows, c) for tile, c in zip(memory, columns, strict=True)]
        mine, sums = by_row[rows], np.zeros(rows.stop - rows.start)
        for c, tile in zip(columns, tiles, strict=True):
            negatives.exponentials(rows, c, tile)
            sums += tile @ one[: tile.shape[1]]
            mine += tile @ logits.right[c, :d]
        found = in_range(negatives, rows, sums)
        for chunk, shares, log in negatives.from_largest(found.missed + rows.start):
            place = chunk - rows.start
            found.log[place], found.sums[place] = log, 1.0
            mine[place] = shares @ logits.right[:, :d]
            for c, tile in zip(columns, tiles, strict=True):
                tile[place] = shares[:, c]
        weights = weigh(rows, found.log)
        factor = found.scaled(weights, dtype)
        mine *= factor[:, None]
        lifted = logits.left[rows, :d] * factor[:, None]
        for c, tile in reversed(list(zip(columns, tiles, strict=True))):  # the last ones are still in the cache
            by_column[c] += tile.T @ lifted
            if logits.squared:
                column_weights[c] += factor @ tile
        logs[rows], row_weights[rows] = found.log, weights
    return logs, PairSums(by_row, by_column, row_weights, column_weights)


def panel_memory(height: int, columns: list[slice], dtype: np.dtype) -> list[Array]:
    """Return memory for the tiles of a panel in one piece, of 4 MiB at least: NumPy then asks for huge pages."""
    flat = np.empty(max(height * columns[-1].stop, (4 << 20) // dtype.itemsize + 1), dtype)
    return [flat[height * c.start : height * c.stop] for c in columns]


def in_range(negatives: Negatives, rows: slice, sums: Array) -> LogSums:
    """Return the log sums of some rows; those out of range are left to the caller."""
    safe, shift = negatives.logits.range, negatives.logits.shift[rows]
    small = sums < safe.lowest
    positive = negatives.positive
    missed = small if positive is None else small & (shift - positive[rows] > safe.margin)
    with np.errstate(divide="ignore"):
        return LogSums(np.log(sums) + shift, np.where(missed, 0.0, sums), np.flatnonzero(missed))


def tiles_to_keep(negatives: Negatives) -> list[Array]:
    """Return empty tiles for the exponentials of the first pass, as many as there is memory for."""
    (n, m), dtype = negatives.shape, negatives.logits.left.dtype
    taken = (n + m) * (2 * negatives.logits.width + 2) * dtype.itemsize + (8 << 20)
    size = WEIGHTED[0] * WEIGHTED[1] * 4
    total = sum(1 for _ in negatives.tiles(WEIGHTED))
    count = int(np.clip((MEMORY - taken) // size, 0, total))
    return list(np.empty((count, size // dtype.itemsize), dtype))


def two_sided_gradient(
    negatives: Negatives, weights: tuple[Array, ...], sums: tuple[LogSums, ...], kept: list[Array]
) -> PairSums:
    """Return the weighted sums over pairs where rows and columns are anchors: e_ij (w_i / sum_i + w_j / sum_j).

    The exponentials of the ``kept`` tiles are not computed again. For symmetric pairs, the sums of rows hold everything.
    """
    logits, (n, m) = negatives.logits, negatives.shape
    d, dtype, symmetric = logits.width, logits.left.dtype, negatives.anchors == "symmetric"
    factors = [s.scaled(w, dtype) for w, s in zip(weights, sums, strict=True)]
    buffer, outer = (Buffer(WEIGHTED[0] * WEIGHTED[1] * 4 // dtype.itemsize, dtype) for _ in range(2))
    by_row, row_weights = np.zeros((n, d), dtype), np.zeros(n)
    by_column, column_weights = (by_row, row_weights) if symmetric else (np.zeros((m, d), dtype), np.zeros(m))
    left, right, one = logits.left[:, :d], logits.right[:, :d], np.ones(max(n, m), dtype)

    def add(rows: slice | Places, columns: slice, tile: Array, transposed: bool) -> None:
        by_row[rows] += tile @ right[columns]
        if transposed:
            by_column[columns] += tile.T @ left[rows]
        if logits.squared:
            row_weights[rows] += tile @ one[: tile.shape[1]]
            if transposed:
                column_weights[columns] += one[: tile.shape[0]] @ tile

    for place, (rows, columns) in enumerate(negatives.tiles(WEIGHTED)):
        if place < len(kept):
            tile = cut(kept[place], rows, columns)
        else:
            tile = negatives.exponentials(rows, columns, buffer(rows, columns))
        tile *= np.add(factors[0][rows, None], factors[-1][None, columns], out=outer(rows, columns))
        add(rows, columns, tile, not symmetric or rows != columns)
    for chunk, shares, _ in negatives.from_largest(sums[0].missed):
        add(chunk, slice(0, m), drop_subnormal(shares * weights[0][chunk, None].astype(dtype)), True)
    if not symmetric:
        back = negatives.transposed()
        for chunk, shares, _ in back.from_largest(sums[1].missed):
            shares = drop_subnormal(shares * weights[1][chunk, None].astype(dtype))
            by_column[chunk] += shares @ left
            by_row += shares.T @ right[chunk]
            column_weights[chunk] += shares.sum(axis=1)
            row_weights += shares.sum(axis=0)
    return PairSums(by_row, by_column, row_weights, column_weights)
