"""Sums over paired rows from which every second moment follows without cancellation.

With s = (a - c) + (b - c) and e = a - b, two symmetric products give

    sum s s^T + sum e e^T = 2 sum (a - c)(a - c)^T + 2 sum (b - c)(b - c)^T,
    sum s s^T - sum e e^T = 2 sum (a - c)(b - c)^T + 2 sum (b - c)(a - c)^T,

so that C = E[e e^T] / 2 is never a small difference of large numbers. The shift c, about the mean of the first rows, keeps a
large mean out of the products. Blocks are multiplied in the type of the data and added up in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.data.rank_update import add_symmetric_product

Array = NDArray[np.floating[Any]]

#: Numbers of one tile, which stays in the processor's cache between subtracting and multiplying.
TILE = 2**16
#: float32 resolves variances down to this part of the largest to three digits; where there are smaller ones, float64 is used.
RESOLVED = 1e-4
SUMMED = ("rows", "s", "e", "ss", "ee", "se", "compared")
#: Columns that are added at a time.
PANEL = 64
#: The views are compared in every so many tiles.
COMPARED = 8
#: A mean of so many deviations is subtracted before views are added, so that rounding of their sum is not seen.
FAR = 1e3
#: Deviations whose squares float32 holds.
HELD = (1e-12, 1e12)


@dataclass(frozen=True, eq=False)
class PairedSums:
    """Sums over paired rows, about a shift c (d0).

    ``s``: sum of s, d0; ``ss``, ``ee``: of s s^T and e e^T, d0 x d0, the upper triangles. ``e``, ``se``: over ``compared`` of
    the rows, taken from all over them, sums of e and of s_i e_i, d0: how the views differ in mean and in squares.
    """

    rows: int
    shift: Array
    s: Array
    e: Array
    ss: Array
    ee: Array
    se: Array
    compared: int

    def __add__(self, other: PairedSums) -> PairedSums:
        """Return the sums over the rows of both, which have one shift."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in SUMMED)
        return replace(self, **{n: x + y for n, (x, y) in zip(SUMMED, pairs, strict=True)})

    def __sub__(self, other: PairedSums) -> PairedSums:
        """Return the sums over the rows of this without those of the other, which are some of them."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in SUMMED)
        return replace(self, **{n: x - y for n, (x, y) in zip(SUMMED, pairs, strict=True)})

    @property
    def mean(self) -> Array:
        """E[phi] over both views, d0."""
        return self.shift + self.s / (2 * self.rows)

    @property
    def covariance(self) -> Array:
        """Sigma about the mean, d0 x d0."""
        return self.about(self.mean)

    @property
    def Sigma(self) -> Array:
        """E[phi(x) phi(x)^T] about zero, d0 x d0, averaged over both views."""
        return self.about(np.zeros_like(self.shift))

    @property
    def A_0(self) -> Array:
        """E[phi(x) phi(x')^T] about zero, d0 x d0, symmetrised."""
        return self.Sigma - self.C

    def about(self, point: Array) -> Array:
        """Return Sigma about a point (d0), d0 x d0; A_0 about it is this less C."""
        off, away = self.s / (2 * self.rows), self.mean - point
        found: Array = _full((self.ss + self.ee) / (4 * self.rows)) - np.outer(off, off) + np.outer(away, away)
        return found

    @property
    def C(self) -> Array:
        """Sigma - A_0 = E[e e^T] / 2, d0 x d0."""
        return _full(self.ee / (2 * self.rows))

    @property
    def mean_difference(self) -> Array:
        """The mean of the first view less that of the second, d0, over the rows that are compared."""
        found: Array = self.e / self.compared
        return found

    @property
    def variance_difference(self) -> Array:
        """The variances of the first view less those of the second, d0, over the rows that are compared."""
        # With m_a + m_b - 2 c = s / N: v_a - v_b = mean of s e - (m_a - m_b)(m_a + m_b - 2 c).
        found: Array = self.se / self.compared - self.mean_difference * self.s / self.rows
        return found

    def scaled(self, factors: Array) -> PairedSums:
        """Return the sums for features multiplied by these factors, d0."""
        vectors = {name: getattr(self, name) * factors for name in ("shift", "s", "e")}
        matrices = {name: getattr(self, name) * np.outer(factors, factors) for name in ("ss", "ee")}
        return replace(self, **vectors, **matrices, se=self.se * factors**2)

    def rounded_up(self) -> PairedSums:
        """Return the sums without the negative eigenvalues that rounding of float32 leaves of zero ones."""
        return replace(self, ss=_semidefinite(self.ss), ee=_semidefinite(self.ee))


@dataclass(frozen=True, eq=False)
class Plan:
    """How a pass multiplies: ``shift`` c, d0; ``dtype``: float32 or float64; ``far``: c is many deviations from zero."""

    shift: Array
    dtype: np.dtype[Any]
    far: bool

    @classmethod
    def of(cls, a: NDArray[Any], b: NDArray[Any], dtype: np.dtype[Any]) -> Plan:
        """Return the plan for data of which these are the first rows, finite, of the type in which they are given.

        float32 is multiplied as float32 where the first rows show that it can be: deviations whose squares it holds, and no
        variance, of features in units of their deviations, so small that its rounding would be seen.
        """
        a, b = (view.astype(np.float64) for view in (a, b))
        shift = (a.mean(axis=0) + b.mean(axis=0)) / 2
        constant = (a == a[0]).all(axis=0) & (b == a[0]).all(axis=0)
        shift = np.where(constant, a[0], shift).astype(dtype).astype(np.float64)
        covariance = paired_sums(a, b, cls(shift, np.dtype(np.float64), True)).covariance
        deviations = np.sqrt(np.diagonal(covariance))
        far = bool((np.abs(shift) > FAR * deviations)[~constant].any())
        # A mean within a deviation takes no digit of what varies.
        shift = np.where(np.abs(shift) > deviations, shift, 0.0)
        # Numbers far from zero have few digits to vary in, whose squares float32 rounds off to one side.
        short = dtype == np.float32 and not far and len(a) >= 2 * len(shift)
        resolved = short and _is_resolved(covariance[~constant][:, ~constant])
        return cls(shift, np.dtype(np.float32 if resolved else np.float64), far)


class Sums:
    """Sums that grow block by block, in float64, from several threads; ``sums`` is what they have come to."""

    def __init__(self, plan: Plan):
        d0 = len(plan.shift)
        self._plan, self.rows = plan, 0
        self._ss, self._ee = (np.zeros((d0, d0), order="F") for _ in range(2))
        self._s, self._e, self._se = (np.zeros(d0) for _ in range(3))
        self._compared, self._adding = 0, Lock()

    def add(self, a: NDArray[Any], b: NDArray[Any], dtype: np.dtype[Any] | None = None) -> bool:
        """Add the rows of two views, n x d0, multiplied in ``dtype``; return False, adding none, where sums are not finite."""
        if not len(a):
            return True
        ss, ee, s, e, se, compared = _products(a, b, self._plan, dtype or self._plan.dtype)
        if not (np.isfinite(np.diagonal(ss)).all() and np.isfinite(np.diagonal(ee)).all()):
            return False
        with self._adding:
            self.rows += len(a)
            self._compared += compared
            for total, more in ((self._s, s), (self._e, e), (self._se, se)):
                total += more
            for start in range(0, len(ss), PANEL):
                # Above the diagonal only: memory that is never touched is never taken.
                panel = np.s_[: start + PANEL, start : start + PANEL]
                self._ss[panel] += ss[panel]
                self._ee[panel] += ee[panel]
        return True

    @property
    def sums(self) -> PairedSums:
        """The sums so far."""
        return PairedSums(self.rows, self._plan.shift, self._s, self._e, self._ss, self._ee, self._se, self._compared)


def paired_sums(a: NDArray[Any], b: NDArray[Any], plan: Plan) -> PairedSums:
    """Return the sums over the rows of two views, n x d0, which are finite."""
    sums = Sums(plan)
    sums.add(a, b)
    return sums.sums


def _products(
    a: NDArray[Any], b: NDArray[Any], plan: Plan, dtype: np.dtype[Any]
) -> tuple[Array, Array, Array, Array, Array, int]:
    """Return sums of s s^T, e e^T (upper triangles), s, and e, s e over so many rows, in tiles that stay in the cache."""
    rows, d0 = a.shape
    step = max(16, TILE // d0)
    shift = plan.shift.astype(dtype)
    twice, shifts = 2 * shift, bool(shift.any())
    ss, ee = (np.zeros((d0, d0), dtype, order="F") for _ in range(2))
    s_sum, e_sum, se_sum = (np.zeros(d0) for _ in range(3))
    s, e = (np.empty((min(step, rows), d0), dtype) for _ in range(2))
    ones, compared = np.ones(len(s), dtype), 0
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, rows, step):
            x, y = a[start : start + step], b[start : start + step]
            s, e, ones = s[: len(x)], e[: len(x)], ones[: len(x)]
            np.subtract(x, y, out=e, dtype=dtype, casting="same_kind")
            if plan.far:
                np.subtract(y, shift, out=s, dtype=dtype, casting="same_kind")
                np.add(s, s, out=s)
                np.add(s, e, out=s)
            else:
                np.add(x, y, out=s, dtype=dtype, casting="same_kind")
                if shifts:
                    np.subtract(s, twice, out=s)
            add_symmetric_product(s, ss)
            add_symmetric_product(e, ee)
            s_sum += ones @ s
            if start % (COMPARED * step) == 0:
                e_sum += ones @ e
                se_sum += np.einsum("ij,ij->j", s, e)
                compared += len(x)
    return ss, ee, s_sum, e_sum, se_sum, compared


def _is_resolved(covariance: Array) -> bool:
    """Whether float32 resolves every direction of features that all vary."""
    deviations = np.sqrt(np.diagonal(covariance))
    if not ((deviations > HELD[0]) & (deviations < HELD[1])).all():
        return False
    values = np.linalg.eigvalsh(covariance / np.outer(deviations, deviations))
    return bool((values > RESOLVED * values.max(initial=0.0)).all())


def _semidefinite(upper: Array) -> Array:
    matrix = _full(upper)
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        values, axes = np.linalg.eigh(matrix)
        if values[0] < -1e-13 * max(values[-1], 0.0):
            varies = np.diagonal(matrix) > 0
            return np.triu((axes * np.maximum(values, 0.0)) @ axes.T * np.outer(varies, varies))
    return upper


def _full(upper: Array) -> Array:
    """Return the symmetric matrix of an upper triangle, zero below it."""
    found: Array = upper + upper.T
    np.fill_diagonal(found, np.diagonal(upper))
    return found
