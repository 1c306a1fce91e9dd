"""VICReg on a batch: a function of the d1 x d1 covariance of each view and of the rows' differences."""

from __future__ import annotations

import numpy as np

from symscape.losses.batch import VarianceCovariance
from symscape.sampling.evaluator import Array, ViewMoments
from symscape.sampling.moments.central import by_raw_moments, covariances, refuse_lost_variances
from symscape.sampling.moments.rows import CentredRows, about_mean, blocks, row_products
from symscape.sampling.settings import setting


class VarianceCovarianceEvaluator:
    """VICReg. Constant outputs have the full hinge; where a hinge is at a kink its derivative is taken as 0.

    >>> import sympy as sp
    >>> form = VarianceCovariance(*map(sp.Integer, (25, 25, 1)), sp.Rational(1, 10000))
    >>> VarianceCovarianceEvaluator(form).value(np.ones((5, 2)), np.ones((5, 2)))
    24.75
    """

    #: Adding one vector to every row of both views leaves the loss as it is.
    shift_invariant = True

    def __init__(self, form: VarianceCovariance):
        self.form = form
        self.lambda_, self.mu, self.nu, self.epsilon = (
            setting(form, name) for name in ("lambda_", "mu", "nu", "epsilon")
        )

    def value(self, a: Array, b: Array) -> float:
        """Return the loss."""
        return self._of_rows(a, b)[1]

    def value_and_gradient(self, a: Array, b: Array) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b."""
        views, value, by_covariance = self._of_rows(a, b)
        gradients = np.empty_like(a), np.empty_like(b)
        for rows in blocks(len(a)):
            apart = _differences(a[rows], b[rows])
            apart *= 2 * self.lambda_ / a.size
            gradients[0][rows] = views[0][rows] @ (by_covariance[0] * (2 / len(a))) + apart
            gradients[1][rows] = views[1][rows] @ (by_covariance[1] * (2 / len(a))) - apart
        return value, *gradients

    def influence(self, a: Array, b: Array) -> Array:
        """Return N times the derivative of the loss by the weight of each datum, about its mean.

        The factor N/(N-1) of the unbiased covariance stays as it is.
        """
        views, _, by_covariance = self._of_rows(a, b)
        influence = np.empty(len(a))
        for rows in blocks(len(a)):
            apart = _differences(a[rows], b[rows])
            influence[rows] = (self.lambda_ / a.shape[1]) * row_products(apart, apart)
            for view, by_own in zip(views, by_covariance, strict=True):
                influence[rows] += row_products(view[rows] @ by_own, view[rows])
        return about_mean(influence)

    def from_moments(self, moments: ViewMoments) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by ``mean`` and by ``second`` (those of the cross moment by second[0, 1])."""
        central, second, d = covariances(moments), moments.second, moments.mean.shape[1]
        refuse_lost_variances(moments, np.array([np.diagonal(central[v, v]) for v in (0, 1)]), self.epsilon)
        by_central = np.zeros_like(central)
        invariance = np.trace(second[0, 0] + second[1, 1] - 2 * second[0, 1])
        value = self.lambda_ * max(float(invariance), 0.0) / d
        for v in (0, 1):
            spread, by_central[v, v] = self._spread(moments.count, central[v, v])
            value += spread
        by_mean, by_second = by_raw_moments(moments, np.zeros_like(moments.mean), by_central)
        for (u, v), weight in {(0, 0): 1, (1, 1): 1, (0, 1): -2}.items():
            by_second[u, v] += (weight * self.lambda_ / d) * np.eye(d)
        return value, by_mean, by_second

    def _of_rows(self, a: Array, b: Array) -> tuple[tuple[CentredRows, CentredRows], float, list[Array]]:
        """Return the centred rows, the loss, and its derivative by the biased covariance of each view."""
        views, squares = (CentredRows(a), CentredRows(b)), 0.0
        covariances = np.zeros((2, a.shape[1], a.shape[1]))
        for rows in blocks(len(a)):
            apart = _differences(a[rows], b[rows])
            squares += float(np.vdot(apart, apart))
            for covariance, view in zip(covariances, views, strict=True):
                z = view[rows]
                covariance += z.T @ z
        found = [self._spread(len(a), covariance / len(a)) for covariance in covariances]
        value = self.lambda_ * squares / a.size + sum(spread for spread, _ in found)
        return views, value, [by_covariance for _, by_covariance in found]

    def _spread(self, count: int, covariance: Array) -> tuple[float, Array]:
        """Return mu v / 2 + nu c of one view and its derivative by the biased covariance."""
        d, unbiased = len(covariance), count / (count - 1)
        off = covariance * unbiased
        deviation = np.sqrt(np.maximum(np.diagonal(off), 0.0) + self.epsilon)
        np.fill_diagonal(off, 0.0)
        hinge = np.maximum(1 - deviation, 0.0)
        value = self.mu / 2 * float(hinge.mean()) + self.nu * float(np.vdot(off, off)) / d
        slope = np.divide(-self.mu / (4 * d), deviation, out=np.zeros(d), where=(deviation > 0) & (deviation < 1))
        off *= 2 * self.nu / d
        np.fill_diagonal(off, slope)
        return value, unbiased * off


def _differences(a: Array, b: Array) -> Array:
    return np.subtract(a, b, dtype=np.float64)
