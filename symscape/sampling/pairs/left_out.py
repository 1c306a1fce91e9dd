"""What the losses of all other anchors gain when a datum is left out: the jackknife of a cross-entropy, without its O(N^3)."""

from __future__ import annotations

import numpy as np

from symscape.errors import InputError
from symscape.sampling.evaluator import Array
from symscape.sampling.pairs.exponential import EXPONENTIAL
from symscape.sampling.pairs.logits import fill_diagonals, raise_to_floor
from symscape.sampling.pairs.negatives import Negatives, Places
from symscape.sampling.pairs.tiles import SUMMED, Buffer, blocks

#: Shares above this are one minus the share of the rest.
CARRIES = 0.5
#: A logit that is known no better than this does not say which candidate carries the sum.
DIGITS = 1e-2


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
    largest = float(np.abs(whole).max())
    if largest * np.finfo(np.float64).eps > DIGITS:
        raise InputError(
            f"the standard error of a cross-entropy is lost in the rounding of logits as large as {largest:.3g}; rescale the "
            "representations, or raise tau; SampledLoss(...).value() has the loss"
        )
    logits, (n, m) = negatives.logits, negatives.shape
    dtype = logits.left.dtype
    lift = ((logits.shift - whole) * EXPONENTIAL.unit).astype(dtype)[:, None]
    buffers = [Buffer(SUMMED[0] * SUMMED[1], dtype) for _ in range(2)]
    found, anchors, carriers = np.zeros(data), [], []
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
            if share.max() > CARRIES:
                places = np.nonzero(share > CARRIES)
                share[places] = 0
                anchors.append(places[0] + rows.start)
                carriers.append(places[1] + columns.start)
            np.log1p(np.negative(share, out=share), out=share)
            found[columns] -= share.sum(axis=0, dtype=np.float64)
    if anchors:
        carried, by = np.concatenate(anchors), np.concatenate(carriers)
        rest = _without(negatives, carried, by, data)
        rest = np.logaddexp(rest, positives[carried]) if positive else rest
        found += np.bincount(by, np.maximum(whole[carried] - rest, 0.0), data)
    return found


def _without(negatives: Negatives, anchors: Places, datum: Places, data: int) -> Array:
    """Return the log sums of anchors over their negatives but those of one datum each."""
    columns = datum[:, None] + np.arange(0, negatives.shape[1], data)
    return np.concatenate([log for *_, log in negatives.from_largest(anchors, columns)])
