"""Barlow Twins on a batch: a function of the d1 x d1 cross-covariance and of each output's mean and variance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from symscape.errors import InputError
from symscape.losses.batch import CrossCorrelation
from symscape.sampling.evaluator import Array, ViewMoments
from symscape.sampling.moments.central import by_raw_moments, covariances, refuse_lost_variances
from symscape.sampling.moments.rows import CentredRows, about_mean, blocks, row_products
from symscape.sampling.settings import setting


class _Derivatives(NamedTuple):
    value: float
    by_mean: Array  # (2, d), at fixed covariances
    by_variance: Array  # (2, d)
    by_cross: Array  # (d, d)


class _Scales(NamedTuple):
    """What the outputs are multiplied by, and its derivative by the biased variance."""

    scale: Array
    slope: Array


class CrossCorrelationEvaluator:
    """Barlow Twins, in every standardisation of `CrossCorrelation`.

    Constant outputs are standardised to 0 where epsilon is positive, and refused (InputError) at epsilon = 0, where they are
    0/0. With "deviation" the derivative by a deviation of 0 is 0, as in the library.

    >>> import sympy as sp
    >>> a = np.array([[1.0], [-1.0]])
    >>> CrossCorrelationEvaluator(CrossCorrelation(sp.Integer(1), standardise="none")).value(2 * a, a)
    1.0
    """

    def __init__(self, form: CrossCorrelation):
        self.form, self.lambda_, self.epsilon = form, setting(form, "lambda_"), setting(form, "epsilon")
        self.raw = form.standardise == "none"
        #: Whether adding one vector to every row of both views leaves the loss as it is.
        self.shift_invariant = not self.raw

    def value(self, a: Array, b: Array) -> float:
        """Return the loss."""
        return self._of_rows(a, b)[1].value

    def value_and_gradient(self, a: Array, b: Array) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b."""
        views, found = self._of_rows(a, b)
        gradients = np.empty_like(a), np.empty_like(b)
        for rows in blocks(len(a)):
            z_a, z_b = (view[rows] for view in views)
            for k, z, by_z in ((0, z_a, z_b @ found.by_cross.T), (1, z_b, z_a @ found.by_cross)):
                if not self.raw:
                    z *= 2 * found.by_variance[k]
                    by_z += z
                    by_z += found.by_mean[k]
                by_z /= len(a)
                gradients[k][rows] = by_z
        return found.value, *gradients

    def influence(self, a: Array, b: Array) -> Array:
        """Return N times the derivative of the loss by the weight of each datum, about its mean."""
        views, found = self._of_rows(a, b)
        influence = np.empty(len(a))
        for rows in blocks(len(a)):
            z_a, z_b = (view[rows] for view in views)
            influence[rows] = row_products(z_a @ found.by_cross, z_b)
            for k, z in enumerate((z_a, z_b)):
                influence[rows] += z**2 @ found.by_variance[k] + z @ found.by_mean[k]
        return about_mean(influence)

    def from_moments(self, moments: ViewMoments) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by ``mean`` and by ``second`` (those of the cross moment by second[0, 1])."""
        central = moments.second if self.raw else covariances(moments)
        variances = np.array([np.diagonal(central[v, v]) for v in (0, 1)])
        if not self.raw:
            shared = variances.sum(axis=0) / 2 + (moments.mean[0] - moments.mean[1]) ** 2 / 4
            known = np.array([shared, shared]) if self.form.standardise == "jointly" else variances
            refuse_lost_variances(
                moments, known, self.epsilon**2 if self.form.standardise == "deviation" else self.epsilon
            )
        found = self._of(moments.count, moments.mean, np.maximum(variances, 0.0), central[0, 1])
        by_central = np.zeros_like(central)
        by_central[0, 1] = found.by_cross
        for v in (0, 1):
            by_central[v, v] = np.diag(found.by_variance[v])
        if self.raw:
            return found.value, np.zeros_like(moments.mean), by_central
        return found.value, *by_raw_moments(moments, found.by_mean, by_central)

    def _of_rows(self, a: Array, b: Array) -> tuple[tuple[CentredRows, CentredRows], _Derivatives]:
        """Return the rows, centred unless the form is raw, and what the loss is and how it changes."""
        views = CentredRows(a, not self.raw), CentredRows(b, not self.raw)
        cross, variances = np.zeros((a.shape[1], a.shape[1])), np.zeros((2, a.shape[1]))
        for rows in blocks(len(a)):
            z_a, z_b = (view[rows] for view in views)
            cross += z_a.T @ z_b
            variances += [np.einsum("ij,ij->j", z, z) for z in (z_a, z_b)]
        mean, variances = np.array([view.mean for view in views]), variances / len(a)
        # Below the resolution of the numbers outputs are constant, and means the same.
        resolution = np.finfo(a.dtype).eps * np.abs(mean).max(axis=0)
        variances[variances <= resolution**2] = 0.0
        mean[1] = np.where(np.abs(mean[1] - mean[0]) <= resolution, mean[0], mean[1])
        return views, self._of(len(a), mean, variances, cross / len(a))

    def _of(self, count: int, mean: Array, variances: Array, cross: Array) -> _Derivatives:
        if self.raw:
            value, by_K = self._of_correlation(cross)
            return _Derivatives(value, np.zeros_like(mean), np.zeros_like(variances), by_K)
        if self.form.standardise == "jointly":
            return self._jointly(mean, variances, cross)
        (scale_a, slope_a), (scale_b, slope_b) = (
            self._scales(count, v, name) for v, name in zip(variances, "ab", strict=True)
        )
        value, by_K = self._of_correlation(scale_a[:, None] * cross * scale_b)
        weighted = by_K * cross
        by_variance = np.array([slope_a * (weighted @ scale_b), slope_b * (scale_a @ weighted)])
        return _Derivatives(value, np.zeros_like(mean), by_variance, scale_a[:, None] * by_K * scale_b)

    def _jointly(self, mean: Array, variances: Array, cross: Array) -> _Derivatives:
        """One mean and variance for both views: the means are half their difference away from the common one."""
        half = (mean[0] - mean[1]) / 2
        scale, slope = self._scales(0, variances.sum(axis=0) / 2 + half**2, "a and b")
        about = cross - np.outer(half, half)
        value, by_K = self._of_correlation(scale[:, None] * about * scale)
        weighted, by_cross = by_K * about, scale[:, None] * by_K * scale
        by_variance = slope * (weighted @ scale + scale @ weighted)
        by_half = 2 * half * by_variance - by_cross @ half - half @ by_cross
        return _Derivatives(
            value, np.array([by_half, -by_half]) / 2, np.array([by_variance, by_variance]) / 2, by_cross
        )

    def _of_correlation(self, K: Array) -> tuple[float, Array]:
        """Return sum (1 - K_ii)^2 + lambda sum_{i != j} K_ij^2 and its derivative by K."""
        short = 1 - np.diagonal(K)
        off = K - np.diag(np.diagonal(K))
        value = float(short @ short) + self.lambda_ * float(np.vdot(off, off))
        off *= 2 * self.lambda_
        np.fill_diagonal(off, -2 * short)
        return value, off

    def _scales(self, count: int, variance: Array, view: str) -> _Scales:
        if self.epsilon == 0 and not variance.all():
            raise InputError(
                f"{self.form.standardise!r} standardisation with epsilon=0: output {int(np.argmin(variance))} of view {view} "
                "is constant over the batch, so that its standardised value is 0/0; pass a positive epsilon"
            )
        if self.form.standardise != "deviation":
            scale = 1 / np.sqrt(variance + self.epsilon)
            return _Scales(scale, -(scale**3) / 2)
        unbiased = count / (count - 1)
        deviation = np.sqrt(variance * unbiased)
        scale = 1 / (deviation + self.epsilon)
        by_variance = np.divide(unbiased / 2, deviation, out=np.zeros_like(deviation), where=deviation > 0)
        return _Scales(scale, -(scale**2) * by_variance)
