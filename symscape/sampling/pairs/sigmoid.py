"""The pairwise sigmoid loss on a batch (SigLIP; Zhai et al., 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from symscape.data.threads import one_thread
from symscape.losses.batch import PairwiseSigmoid
from symscape.sampling.evaluator import Array
from symscape.sampling.pairs.logits import RANGES, TOLERANCE, raise_to_floor
from symscape.sampling.pairs.tiles import WEIGHTED, Buffer, blocks, fill_diagonals, rectangle
from symscape.sampling.settings import setting
from symscape.sampling.unit_rows import UnitRows, squared_lengths, unit_rows


@dataclass(frozen=True)
class PairwiseSigmoidEvaluator:
    """Evaluator of a `PairwiseSigmoid` with numbers for its symbols; rows are divided by max(|z|, 1e-12).

    Raises InputError where numbers are missing.

    >>> import sympy as sp
    >>> evaluator = PairwiseSigmoidEvaluator(PairwiseSigmoid(sp.Integer(1), sp.Integer(0)))
    >>> bool(np.isclose(evaluator.value(np.eye(2), np.eye(2)), np.log1p(np.exp(-1)) + np.log(2)))
    True
    """

    form: PairwiseSigmoid

    @one_thread()
    def value(self, a: Array, b: Array) -> float:
        """Return the loss."""
        return self._batch(a, b).value()

    @one_thread()
    def value_and_gradient(self, a: Array, b: Array) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b."""
        return self._batch(a, b).value_and_gradient()

    @one_thread()
    def influence(self, a: Array, b: Array) -> Array:
        """Return N times the derivative of the loss by the weight of each datum, (N,).

        The loss is a mean over data plus N - 1 times a mean over pairs of different data.
        """
        return self._batch(a, b).influence()

    def _batch(self, a: Array, b: Array) -> SigmoidBatch:
        t, bias = setting(self.form, "t"), setting(self.form, "b")
        reach = abs(t) + abs(bias)
        single = a.dtype == np.float32 and reach * np.finfo(np.float32).eps < TOLERANCE[a.dtype]
        u, v = (unit_rows(z, dtype=np.dtype(np.float32 if single else np.float64)) for z in (a, b))
        return SigmoidBatch(u, v, t, bias, a.dtype)


@dataclass(frozen=True)
class SigmoidBatch:
    """The loss of two normalised views: logits x_ij = t u_i.v_j + b."""

    u: UnitRows
    v: UnitRows
    t: float
    bias: float
    dtype: np.dtype

    def _positives(self) -> Array:
        """The logits of the positives, in float64."""
        pairs = ((self.u.rows[part], self.v.rows[part]) for part in blocks(len(self.u.rows)))
        return self.t * np.concatenate([np.einsum("ij,ij->i", u, v, dtype=np.float64) for u, v in pairs]) + self.bias

    def _tiles(self, slopes: bool) -> Iterator[tuple[slice, slice, Array, Array]]:
        """Yield rows, columns, log(1 + e^x), and its derivative by x where asked for; 0 for positives.

        Where a bound of the logits keeps e^x in range, log(1 + e^x) needs no case distinction.
        """
        u, v = self.u.rows, self.v.rows
        (n, d), dtype = u.shape, u.dtype
        left, right = np.empty((n, d + 1), dtype), np.empty((n, d + 1), dtype)
        np.multiply(u, self.t, out=left[:, :d], casting="same_kind")
        left[:, d], right[:, :d], right[:, d] = self.bias, v, 1
        lengths = (np.sqrt(max(squared_lengths(z[part]).max() for part in blocks(n))) for z in (u, v))
        reach = abs(self.t) * float(np.prod(list(lengths)))
        bounded, deep = reach + self.bias < RANGES[dtype].room, self.bias - reach < RANGES[dtype].floor
        exponential, logarithm = (Buffer(WEIGHTED[0] * WEIGHTED[1], dtype) for _ in range(2))
        for rows, columns in rectangle(n, n, WEIGHTED):
            x, log = exponential(rows, columns), logarithm(rows, columns)
            np.matmul(left[rows], right[columns].T, out=x)
            if deep:
                raise_to_floor(x)
            fill_diagonals(x, rows, columns, (0,), -np.inf)
            if bounded:
                np.log1p(np.exp(x, out=x), out=log)
                if slopes:
                    x /= x + 1
            else:
                np.logaddexp(0, x, out=log)
                if slopes:
                    expit(x, out=x)
            yield rows, columns, log, x

    def value(self) -> float:
        """Return the loss."""
        total = np.logaddexp(0, -self._positives()).sum()
        total += sum(log.sum(dtype=np.float64) for _, _, log, _ in self._tiles(slopes=False))
        return float(total) / len(self.u.rows)

    def value_and_gradient(self) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by the views."""
        u, v, positives = self.u.rows, self.v.rows, self._positives()
        by_u, by_v = np.zeros_like(u), np.zeros_like(v)
        total = np.logaddexp(0, -positives).sum()
        for rows, columns, log, slope in self._tiles(slopes=True):
            total += log.sum(dtype=np.float64)
            by_u[rows] += slope @ v[columns]
            by_v[columns] += slope.T @ u[rows]
        for part in blocks(len(u)):
            own = expit(-positives[part, None]).astype(u.dtype)
            by_u[part] -= own * v[part]
            by_v[part] -= own * u[part]
        factor = u.dtype.type(self.t / len(u))
        by_u *= factor
        by_v *= factor
        by_a, by_b = self.u.pull_back(by_u), self.v.pull_back(by_v)
        return float(total) / len(u), by_a.astype(self.dtype, copy=False), by_b.astype(self.dtype, copy=False)

    def influence(self) -> Array:
        """Return the influence of each datum."""
        own = np.logaddexp(0, -self._positives())
        received = np.zeros(len(own))
        for rows, columns, log, _ in self._tiles(slopes=False):
            received[rows] += log.sum(axis=1, dtype=np.float64)
            received[columns] += log.sum(axis=0, dtype=np.float64)
        total = own + received
        influence: Array = total - total.mean()
        return influence
