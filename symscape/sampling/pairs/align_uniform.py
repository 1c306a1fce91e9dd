"""Alignment and uniformity of normalised rows on a batch (Wang and Isola, 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from symscape.data.threads import one_thread
from symscape.losses.batch import AlignUniform
from symscape.sampling.evaluator import Array
from symscape.sampling.pairs.exponential import EXPONENTIAL
from symscape.sampling.pairs.logits import PairLogits, pair_logits
from symscape.sampling.pairs.similar import trusted
from symscape.sampling.pairs.tiles import WEIGHTED, Buffer, blocks, fill_diagonals, upper_triangle
from symscape.sampling.settings import setting
from symscape.sampling.unit_rows import squared_lengths, unit_rows


@dataclass(frozen=True)
class AlignUniformEvaluator:
    """Evaluator of an `AlignUniform` with numbers for its symbols; rows are divided by max(|z|, 1e-12).

    Where the two rows of a pair coincide, the gradient of the alignment is taken as 0, as libraries do. Raises InputError where
    numbers are missing, alpha or t is not positive.

    >>> import sympy as sp
    >>> evaluator = AlignUniformEvaluator(AlignUniform(sp.Integer(2), sp.Integer(2), sp.Integer(1)))
    >>> evaluator.value(np.eye(2), np.eye(2)[::-1].copy())                       # |a - b|^2 = 2 everywhere: 2 - 2 * 2
    -2.0
    """

    form: AlignUniform

    def _settings(self) -> tuple[float, float, float]:
        return (
            setting(self.form, "alpha", positive=True),
            setting(self.form, "t", positive=True),
            setting(self.form, "weight"),
        )

    @one_thread()
    def value(self, a: Array, b: Array) -> float:
        """Return the loss."""
        alpha, t, weight = self._settings()
        u, v = unit_rows(a).rows, unit_rows(b).rows
        uniformity = (Uniformity(u, t).value() + Uniformity(v, t).value()) / 2
        return float(alignment(u, v, alpha).mean()) + weight * uniformity

    @one_thread()
    def value_and_gradient(self, a: Array, b: Array) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b."""
        alpha, t, weight = self._settings()
        views = unit_rows(a), unit_rows(b)
        u, v = views[0].rows, views[1].rows
        value, gradients = float(alignment(u, v, alpha).mean()), []
        for view, sign in zip(views, (1.0, -1.0), strict=True):
            uniformity, gradient = Uniformity(view.rows, t).value_and_gradient()
            value += weight / 2 * uniformity
            gradient = (gradient * (weight / 2)).astype(u.dtype, copy=False)
            for part in blocks(len(u)):
                apart = u[part].astype(np.float64) - v[part]
                gradient[part] += (sign / len(u)) * alignment_slope(apart, alpha)
            gradients.append(view.pull_back(gradient))
        return value, gradients[0], gradients[1]

    @one_thread()
    def influence(self, a: Array, b: Array) -> Array:
        """Return N times the derivative of the loss by the weight of each datum in its means over data and over pairs, (N,)."""
        alpha, t, weight = self._settings()
        u, v = unit_rows(a).rows, unit_rows(b).rows
        aligned = alignment(u, v, alpha)
        spread = Uniformity(u, t).influence() + Uniformity(v, t).influence()
        influence: Array = aligned - aligned.mean() + weight / 2 * spread
        return influence


def alignment(u: Array, v: Array, alpha: float) -> Array:
    """Return |u_i - v_i|^alpha in float64."""
    parts = [squared_lengths(u[part].astype(np.float64) - v[part]) for part in blocks(len(u))]
    return np.concatenate(parts) ** (alpha / 2)


def alignment_slope(apart: Array, alpha: float) -> Array:
    """Return the derivative of |x|^alpha at the rows x, 0 where x = 0."""
    lengths = np.sqrt(squared_lengths(apart))[:, None]
    direction = np.divide(apart, lengths, out=np.zeros_like(apart), where=lengths > 0)
    power = np.power(lengths, alpha - 1, out=np.zeros_like(lengths), where=lengths > 0)
    slope: Array = alpha * power * direction
    return slope


@dataclass(frozen=True)
class PairSum:
    """S = sum over i < j of e^(s_ij - c), and sum_j e_ij z_j (times the scale of the logits) and sum_j e_ij of every row i."""

    total: float
    products: Array
    weights: Array


@dataclass(frozen=True)
class Uniformity:
    """log mean over i < j of e^(-t |z_i - z_j|^2), of rows z."""

    rows: Array
    t: float

    @cached_property
    def _logits(self) -> PairLogits:
        """Logits less a shift that keeps their sum in range: none, or the largest of all."""
        return pair_logits(self.rows, self.rows, 1 / (2 * self.t), squared=True)

    def _sums(self, logits: PairLogits, products: bool) -> PairSum:
        n, d, dtype = len(self.rows), logits.width, logits.left.dtype
        buffer, right, one = (
            Buffer(WEIGHTED[0] * WEIGHTED[1], dtype),
            logits.right[:, :d],
            np.ones(max(WEIGHTED), dtype),
        )
        weights, by_row = np.zeros(n), np.zeros((n if products else 0, d), dtype)
        for rows, columns in upper_triangle(n, WEIGHTED):
            tile = logits.exponentials(rows, columns, (0,), buffer(rows, columns))
            weights[rows] += tile @ one[: tile.shape[1]]
            if rows != columns:
                weights[columns] += one[: tile.shape[0]] @ tile
            if products:
                by_row[rows] += tile @ right[columns]
                if rows != columns:
                    by_row[columns] += tile.T @ right[rows]
        return PairSum(float(weights.sum() / 2), by_row, weights)

    def _in_range(self, products: bool) -> tuple[PairLogits, PairSum]:
        logits = self._logits
        sums = self._sums(logits, products)
        if sums.total < logits.range.lowest * len(self.rows):
            logits = logits.shifted(np.asarray(self._largest()))
            sums = self._sums(logits, products)
        return logits, sums

    def _largest(self) -> float:
        logits, largest = self._logits, -np.inf
        buffer = Buffer(WEIGHTED[0] * WEIGHTED[1], logits.left.dtype)
        for rows, columns in upper_triangle(len(self.rows), WEIGHTED):
            tile = logits.tile(rows, columns, buffer(rows, columns))
            fill_diagonals(tile, rows, columns, (0,), -np.inf)
            largest = max(largest, float(tile.max()))
        return largest / EXPONENTIAL.unit

    def _value(self, logits: PairLogits, sums: PairSum) -> float:
        n = len(self.rows)
        return trusted(float(np.log(sums.total) + logits.shift[0]), logits) - float(np.log(n * (n - 1) / 2))

    def value(self) -> float:
        """Return the log mean."""
        return self._value(*self._in_range(products=False))

    def value_and_gradient(self) -> tuple[float, Array]:
        """Return the log mean and its derivative by the rows."""
        logits, sums = self._in_range(products=True)
        sums.products[...] /= logits.left.dtype.type(sums.total)
        return self._value(logits, sums), logits.gradient(sums.products, sums.weights / sums.total, logits.left)

    def influence(self) -> Array:
        """Return the influence of every row: N sum_j e_ij / S - 2."""
        _, sums = self._in_range(products=False)
        influence: Array = len(self.rows) * sums.weights / sums.total - 2
        return influence
