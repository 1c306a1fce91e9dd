"""Logits of all pairs of rows as one matrix product, with shifts that keep their exponentials in range."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.sampling.evaluator import Array
from symscape.sampling.pairs.exponential import EXPONENTIAL
from symscape.sampling.pairs.tiles import blocks, fill_diagonals
from symscape.sampling.unit_rows import squared_lengths

#: The error that logits may have: beyond it float32 gives way to float64, and expanded squared distances to differences.
TOLERANCE = {np.dtype(np.float32): 2.0**-10, np.dtype(np.float64): 1e-6}


@dataclass(frozen=True)
class Range:
    """Where exponentials of a float type are safe: sums up to e^room, sums from ``lowest``, ``margin`` above a positive.

    Logits below ``floor`` are raised to it: that adds nothing to a safe sum, while subnormal numbers make products many times
    slower.
    """

    room: float
    lowest: float
    margin: float
    floor: float


RANGES = {
    np.dtype(np.float32): Range(room=50.0, lowest=1e-16, margin=20.0, floor=-64.0),
    np.dtype(np.float64): Range(room=500.0, lowest=1e-220, margin=100.0, floor=-600.0),
}


@dataclass(frozen=True)
class PairLogits:
    """s_ij = u_i.v_j / tau, or -|u_i - v_j|^2 / (2 tau) where ``squared``, less a shift c_i, times the unit of the exponential.

    ``left`` and ``right`` hold u and v times ``scale`` in their first ``width`` columns. Further columns carry c and the norms,
    so that one product gives the logits, unless they are ``direct``: from differences, for rows that are long against their
    distances. ``bound``: of every row of u, an upper bound of its logits; ``least``: a lower bound of all. ``error``: what
    rounding may do to a logit.
    """

    left: Array
    right: Array
    width: int
    tau: float
    scale: float
    squared: bool
    direct: bool
    bound: Array
    least: float
    error: float
    shift: Array

    @property
    def range(self) -> Range:
        """The safe range of the float type."""
        return RANGES[self.left.dtype]

    @property
    def rounding(self) -> float:
        """A bound of what rounding may add to a logit less its shift, in a product of ``width`` + 2 terms."""
        return 2 * (self.width + 4) * self.error

    @cached_property
    def _deep(self) -> bool:
        """Whether logits may be below the floor."""
        return bool(self.least - self.shift.max() < self.range.floor)

    def shifted(self, shift: Array) -> PairLogits:
        """Return the logits less ``shift`` (of every row of u, or one number), in place."""
        shift = np.broadcast_to(np.asarray(shift, np.float64), len(self.left))
        self.left[:, self.width] -= ((shift - self.shift) * EXPONENTIAL.unit).astype(self.left.dtype)
        return replace(self, shift=shift)

    def transposed(self) -> PairLogits:
        """Return the logits with u and v exchanged; for one shift of all rows."""
        shift = np.full(len(self.right), self.shift[0])
        bound = np.full(len(self.right), self.bound.max())
        return replace(self, left=self.right, right=self.left, shift=shift, bound=bound)

    def tile(self, rows: slice | NDArray[np.intp], columns: slice, out: Array) -> Array:
        """Write the logits of some rows and columns to ``out``."""
        if not self.direct:
            return np.matmul(self.left[rows], self.right[columns].T, out=out)
        left, right = self.left[rows], self.right[columns]
        difference = np.empty_like(out)
        out[...] = 0
        for k in range(self.width):
            np.subtract(left[:, k, None], right[None, :, k], out=difference)
            np.multiply(difference, difference, out=difference)
            out += difference
        out *= -EXPONENTIAL.unit / (2 * self.tau)
        out += left[:, self.width, None] * right[None, :, self.width]
        out += left[:, self.width + 1, None] * right[None, :, self.width + 1]
        return out

    def exponentials(self, rows: slice, columns: slice, excluded: Iterable[int], out: Array) -> Array:
        """Write e^(s - c) of some rows and columns to ``out``, 0 on the ``excluded`` diagonals (column - row)."""
        self.tile(rows, columns, out)
        if self._deep:
            raise_to_floor(out)
        fill_diagonals(out, rows, columns, excluded, -np.inf)
        EXPONENTIAL.function(out, out=out)
        return out

    def gradient(self, products: Array, weights: Array, rows: Array) -> Array:
        """Turn, in place, sums over pairs into the gradient by u, ``rows`` being u times ``scale``; by v alike.

        ``products``: sum_j w_ij v_j times ``scale``; ``weights``: sum_j w_ij, w_ij the derivative of the loss by s_ij.
        """
        for part in blocks(len(products)):
            if self.squared:
                products[part] -= rows[part, : self.width] * weights[part, None].astype(rows.dtype)
            products[part] *= rows.dtype.type(1 / (self.scale * self.tau))
        return products


def pair_logits(u: Array, v: Array, tau: float, squared: bool) -> PairLogits:
    """Return the logits of all pairs of rows of u and v, unshifted, in their float type where that is precise enough.

    Raises InputError when squares of the rows, or logits, overflow float64.
    """
    logits = expanded(u, v, tau, squared)
    if logits.error > TOLERANCE[logits.left.dtype] and u.dtype == np.float32:
        u, v = u.astype(np.float64), v.astype(np.float64)
        logits = expanded(u, v, tau, squared)
    if not np.isfinite(logits.error):
        raise InputError(
            f"representations with entries up to {max(map(largest, (u, v))):.3g}, with tau={tau:g}: their logits overflow; "
            "divide the representations by a number, or take a larger tau"
        )
    if squared and logits.error > TOLERANCE[logits.left.dtype]:
        left, right = (
            np.concatenate([z, np.tile([0.0, 1.0][::way], (len(z), 1))], axis=1) for z, way in ((u, 1), (v, -1))
        )
        return replace(logits, left=left, right=right, scale=1.0, direct=True, error=0.0)
    return logits


def expanded(u: Array, v: Array, tau: float, squared: bool) -> PairLogits:
    """Return the logits as one matrix product; distances of rows from their common mean, which keeps the square precise."""
    dtype, (n, width) = u.dtype, u.shape
    scale = float(np.sqrt(EXPONENTIAL.unit / tau))
    centre = ((u.mean(axis=0, dtype=np.float64) + v.mean(axis=0, dtype=np.float64)) / 2).astype(dtype)
    left, right = np.empty((n, width + 2), dtype), np.empty((len(v), width + 2), dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for z, filled in ((u, left), (v, right)):
            for part in blocks(len(z)):
                main = filled[part, :width]
                np.multiply(np.subtract(z[part], centre, out=main) if squared else z[part], dtype.type(scale), out=main)
        squares_u, squares_v = (np.einsum("ij,ij->i", z[:, :width], z[:, :width]) for z in (left, right))
        most_u, most_v = (float(squares.max()) / EXPONENTIAL.unit for squares in (squares_u, squares_v))
        size = (most_u + most_v) / 2 if squared else math.sqrt(most_u) * math.sqrt(most_v)
        least = -((math.sqrt(most_u) + math.sqrt(most_v)) ** 2) / 2 if squared else -size
    left[:, width:], right[:, width:] = (0, 1), (1, 0)
    if squared:
        left[:, width], right[:, width + 1] = -squares_u / 2, -squares_v / 2
        bound = np.zeros(n)
    else:
        bound = np.sqrt(squares_u.astype(np.float64) / EXPONENTIAL.unit) * math.sqrt(most_v)
    error = size * float(np.finfo(dtype).eps) if math.isfinite(size) else math.inf
    return PairLogits(left, right, width, tau, scale, squared, False, bound, least, error, np.zeros(n))


def raise_to_floor(x: Array) -> Array:
    """Raise, in place, logits below the floor of their float type to it."""
    return np.maximum(x, x.dtype.type(RANGES[x.dtype].floor * EXPONENTIAL.unit), out=x)


def drop_subnormal(weights: Array) -> Array:
    """Set to 0, in place, positive weights that are subnormal numbers: these make products many times slower."""
    weights[weights < np.finfo(weights.dtype).tiny] = 0
    return weights


def largest(z: Array) -> float:
    """Return the largest absolute entry."""
    return float(max(z.max(), -z.min()))


def positive_logits(u: Array, v: Array, tau: float, squared: bool) -> Array:
    """Return s_ii in float64: distances from differences."""
    found = np.empty(len(u))
    with np.errstate(over="ignore"):
        for part in blocks(len(u)):
            if squared:
                found[part] = -squared_lengths(u[part] - v[part]) / (2 * tau)
            else:
                found[part] = np.einsum("ij,ij->i", u[part], v[part], dtype=np.float64) / tau
    return found
