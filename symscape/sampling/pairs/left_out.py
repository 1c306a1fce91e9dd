"""What the losses of all other anchors gain when a datum is left out: the jackknife of a cross-entropy, without its O(N^3)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from symscape.sampling.evaluator import Array
from symscape.sampling.pairs.exponential import EXPONENTIAL
from symscape.sampling.pairs.logits import TOLERANCE, fill_diagonals, raise_to_floor
from symscape.sampling.pairs.negatives import Negatives, Places
from symscape.sampling.pairs.tiles import SUMMED, Buffer, blocks

#: Shares above this are one minus the share of the rest.
CARRIES = 0.5


def left_out(negatives: Negatives, logs: Array, positives: Array, positive: bool, data: int) -> Array:
    """Return, for each datum, how much leaving it out lowers log sums over candidates, summed over the other data's anchors.

    ``logs``: of every row of pairs, the log sum over its negatives; ``positives``: the logit of its positive, which is a
    candidate where ``positive``. A datum has as many candidates, every ``data`` columns, as there are views among them. With p
    the share that they have in an anchor's sum, the log falls by -log(1 - p). A share above 1/2, of which an anchor has one at
    most, comes from the sum over the rest: 1 - p has no digits left where one candidate carries the sum.
    """
    whole = np.logaddexp(logs, positives) if positive else logs
    if data == 2:  # no negative is left
        fall = whole - positives if positive else np.zeros_like(whole)
        return np.asarray(fall.reshape(-1, 2).sum(axis=0)[::-1])
    found, anchors, carriers = np.zeros(data), [], []
    for rows, columns, share in shares(negatives, whole, data):
        if share.max() > CARRIES:
            places = np.nonzero(share > CARRIES)
            share[places] = 0
            anchors.append(rows[places[0]])
            carriers.append(places[1] + columns.start)
        np.log1p(np.negative(share, out=share), out=share)
        found[columns] -= share.sum(axis=0, dtype=np.float64)
    if anchors:
        carried, by = np.concatenate(anchors), np.concatenate(carriers)
        rest = _without(negatives, carried, by, data)
        rest = np.logaddexp(rest, positives[carried]) if positive else rest
        found += np.bincount(by, np.maximum(whole[carried] - rest, 0.0), data)
    return found


def shares(negatives: Negatives, whole: Array, data: int) -> Iterator[tuple[Places, slice, Array]]:
    """Yield anchors, data, and the shares e^s / e^whole that the candidates of each datum have in each anchor's sum."""
    logits, (n, m) = negatives.logits, negatives.shape
    dtype = logits.left.dtype
    if logits.error > TOLERANCE[dtype]:  # rounding of a shift may be more than the logits are apart
        for anchors, panel, log in negatives.from_largest(np.arange(n)):
            panel = panel.reshape(len(anchors), m // data, data).sum(axis=1)
            panel *= np.exp(np.minimum(log - whole[anchors], 0.0))[:, None].astype(dtype)
            yield anchors, slice(0, data), panel
        return
    lift = ((logits.shift - whole) * EXPONENTIAL.unit).astype(dtype)[:, None]
    buffers = [Buffer(SUMMED[0] * SUMMED[1], dtype) for _ in range(2)]
    for rows in blocks(n, SUMMED[0]):
        for columns in blocks(data, SUMMED[1]):
            share, tile = (buffer(rows, columns) for buffer in buffers)
            share[...] = 0
            for start in range(0, m, data):
                view = slice(start + columns.start, start + columns.stop)
                logits.tile(rows, view, tile)
                tile += lift[rows]
                raise_to_floor(np.minimum(tile, 0, out=tile))
                fill_diagonals(tile, rows, view, negatives.excluded, -np.inf)
                share += EXPONENTIAL.function(tile, out=tile)
            yield np.arange(rows.start, rows.stop), columns, share


def _without(negatives: Negatives, anchors: Places, datum: Places, data: int) -> Array:
    """Return the log sums of anchors over their negatives but those of one datum each."""
    columns = datum[:, None] + np.arange(0, negatives.shape[1], data)
    return np.concatenate([log for *_, log in negatives.from_largest(anchors, columns)])
