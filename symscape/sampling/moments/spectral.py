"""The spectral contrastive loss of a batch, from two d1 x d1 matrices and the products of paired rows.

Over all pairs, sum_ij (a_i.b_j)^2 = <A^T A, B^T B>. The released loss leaves i = j out, which is a fourth moment,
sum_i (a_i.b_i)^2: cheap per row, O(N d1), and no function of second moments. Where rows are at hand the loss is exact;
with ``distinct=False`` the pairs i = j stay in, and second moments suffice.

Where nearly all of the sum is on the diagonal, as with an outlier, the difference has no digits left: then, and where N is at
most d1, products are summed pair by pair, in tiles of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from symscape.losses.batch import Spectral
from symscape.sampling.evaluator import Array, ViewMoments
from symscape.sampling.moments.rows import about_mean, as_float64, blocks, row_products
from symscape.sampling.settings import setting

#: Off the diagonal less than this share of the diagonal is summed pair by pair.
LEAST_SHARE = 1e-4
TILE = 256


class _Clipped:
    """Rows within the ball of radius sqrt(mu), in float64, a block at a time: ``rows[slice]``."""

    def __init__(self, z: Array, mu: float):
        self._z, self._mu = z, mu

    def __getitem__(self, rows: slice) -> Array:
        z = as_float64(self._z[rows])
        return z if np.isinf(self._mu) else z / self._over(z)

    def pull_back(self, rows: slice, gradient: Array) -> Array:
        """Turn a derivative by clipped rows into one by the rows: beyond the ball only what is tangent to it is left."""
        if np.isinf(self._mu):
            return gradient
        z = as_float64(self._z[rows])
        over = self._over(z)
        z = z / over
        radial = np.where(over[:, 0] > 1, row_products(gradient, z) / self._mu, 0.0)
        return (gradient - radial[:, None] * z) / over

    def _over(self, z: Array) -> Array:
        return np.maximum(1.0, np.sqrt(row_products(z, z) / self._mu))[:, None]


class _PairSum(Protocol):
    """S = sum (a_i.b_j)^2 over pairs, and ``own`` (N,), the products a_i.b_i."""

    total: float
    own: Array

    def gradients(self, pair: float, own: float) -> Iterator[tuple[slice, Array, Array]]:
        """Yield the derivatives of pair / 2 * S - own * sum a_i.b_i by rows of both views."""
        ...

    def shares(self) -> Array:
        """Return for each i the sum of the terms of S in which row i occurs."""
        ...


class _ThroughMoments:
    """S = <A^T A, B^T B>, less the diagonal where pairs are distinct."""

    def __init__(self, a: _Clipped, b: _Clipped, count: int, outputs: int, distinct: bool):
        self.a, self.b, self.distinct = a, b, distinct
        self.own: Array = np.empty(count)
        self.aa, self.bb = np.zeros((2, outputs, outputs))
        for rows in blocks(count):
            z_a, z_b = a[rows], b[rows]
            self.aa += z_a.T @ z_a
            self.bb += z_b.T @ z_b
            self.own[rows] = row_products(z_a, z_b)
        self.total = float(np.vdot(self.aa, self.bb)) - (float(self.own @ self.own) if distinct else 0.0)

    def gradients(self, pair: float, own: float) -> Iterator[tuple[slice, Array, Array]]:
        aa, bb = pair * self.aa, pair * self.bb
        for rows in blocks(len(self.own)):
            z_a, z_b = self.a[rows], self.b[rows]
            paired = (pair * self.own[rows] + own if self.distinct else np.full(len(z_a), own))[:, None]
            by_a, by_b = z_a @ bb, z_b @ aa
            by_a -= paired * z_b
            by_b -= paired * z_a
            yield rows, by_a, by_b

    def shares(self) -> Array:
        found = np.empty_like(self.own)
        for rows in blocks(len(self.own)):
            z_a, z_b = self.a[rows], self.b[rows]
            found[rows] = row_products(z_a @ self.bb, z_a) + row_products(z_b @ self.aa, z_b)
        return found - 2 * self.own**2 if self.distinct else found


class _PairByPair:
    """The same over distinct pairs, each product computed: in tiles of rows."""

    def __init__(self, a: Array, b: Array):
        self.a, self.b, self.own = a, b, row_products(a, b)
        self.total = sum(float(np.vdot(tile, tile)) for _, tile in self._tiles())

    def _tiles(self) -> Iterator[tuple[slice, Array]]:
        for start in range(0, len(self.a), TILE):
            tile = self.a[start : start + TILE] @ self.b.T
            np.fill_diagonal(tile[:, start:], 0.0)
            yield slice(start, start + len(tile)), tile

    def gradients(self, pair: float, own: float) -> Iterator[tuple[slice, Array, Array]]:
        by_a, by_b = -own * self.b, -own * self.a
        for rows, tile in self._tiles():
            tile *= pair
            by_a[rows] += tile @ self.b
            by_b += tile.T @ self.a[rows]
        yield slice(0, len(by_a)), by_a, by_b

    def shares(self) -> Array:
        found = np.zeros(len(self.a))
        for rows, tile in self._tiles():
            squares = tile**2
            found[rows] += squares.sum(axis=1)
            found += squares.sum(axis=0)
        return found


class SpectralEvaluator:
    """The spectral contrastive loss on rows.

    >>> a = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> SpectralEvaluator(Spectral()).value(a, a)
    -2.0
    """

    def __init__(self, form: Spectral):
        self.form, self.mu = form, setting(form, "mu", infinite=True)
        self.scale = 1.0 if np.isinf(self.mu) else 1 / self.mu

    def value(self, a: Array, b: Array) -> float:
        """Return the loss."""
        return self._value(self._pairs(a, b)[1])

    def value_and_gradient(self, a: Array, b: Array) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b."""
        views, pairs = self._pairs(a, b)
        gradients = np.empty_like(a), np.empty_like(b)
        for rows, *found in pairs.gradients(2 * self.scale / self._count(len(a)), 2 * self.scale / len(a)):
            for gradient, view, by_clipped in zip(gradients, views, found, strict=True):
                gradient[rows] = view.pull_back(rows, by_clipped)
        return self._value(pairs), *gradients

    def influence(self, a: Array, b: Array) -> Array:
        """Return N times the derivative of the loss by the weight of each datum, about its mean."""
        pairs = self._pairs(a, b)[1]
        return about_mean(self.scale * (pairs.shares() * (len(a) / self._count(len(a))) - 2 * pairs.own))

    def _value(self, pairs: _PairSum) -> float:
        return self.scale * (pairs.total / self._count(len(pairs.own)) - 2 * float(pairs.own.mean()))

    def _count(self, rows: int) -> int:
        """The number of pairs."""
        return rows * (rows - 1 if self.form.distinct else rows)

    def _pairs(self, a: Array, b: Array) -> tuple[tuple[_Clipped, _Clipped], _PairSum]:
        views = _Clipped(a, self.mu), _Clipped(b, self.mu)
        if not self.form.distinct or len(a) > a.shape[1]:
            found = _ThroughMoments(*views, len(a), a.shape[1], self.form.distinct)
            if not self.form.distinct or found.total >= LEAST_SHARE * float(found.own @ found.own):
                return views, found
        return views, _PairByPair(views[0][:], views[1][:])


class SpectralMomentEvaluator(SpectralEvaluator):
    """The spectral contrastive loss over all pairs, neither clipped nor short of i = j: a function of second moments."""

    def from_moments(self, moments: ViewMoments) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by ``mean`` and by ``second`` (those of the cross moment by second[0, 1])."""
        aa, bb, ab = moments.second[0, 0], moments.second[1, 1], moments.second[0, 1]
        by_second = np.zeros_like(moments.second)
        by_second[0, 0], by_second[1, 1], by_second[0, 1] = bb, aa, -2 * np.eye(len(ab))
        return float(np.vdot(aa, bb) - 2 * np.trace(ab)), np.zeros_like(moments.mean), by_second


def spectral_evaluator(form: Spectral) -> SpectralEvaluator:
    """Return the evaluator of a form: through second moments where it is a function of them."""
    moments_suffice = not form.distinct and np.isinf(setting(form, "mu", infinite=True))
    return SpectralMomentEvaluator(form) if moments_suffice else SpectralEvaluator(form)
