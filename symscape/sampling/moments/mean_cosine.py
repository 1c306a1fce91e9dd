"""The mean cosine of paired rows, and the same after whitening each view (W-MSE)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from symscape.errors import InputError
from symscape.losses.batch import MeanCosine
from symscape.sampling.evaluator import Array
from symscape.sampling.moments.rows import (
    CentredRows,
    about_mean,
    as_float64,
    blocks,
    row_products,
    typed,
)
from symscape.sampling.settings import setting
from symscape.sampling.unit_rows import unit_rows


class _Whitened(NamedTuple):
    """Rows L^{-1} (z - mean), with L the Cholesky factor of (1 - epsilon) Cov1 + epsilon 1."""

    rows: Array
    factor: Array


class MeanCosineEvaluator:
    """offset + slope * mean cosine; whitened where the form says so, with the derivative through the Cholesky factor.

    Whitening refuses a singular covariance (InputError): constant or linearly dependent outputs, or N <= d1, at epsilon = 0.

    >>> import sympy as sp
    >>> a = np.array([[2.0, 0.0], [0.0, 3.0]])
    >>> MeanCosineEvaluator(MeanCosine(sp.Integer(2), sp.Integer(-2))).value(a, a[::-1])
    2.0
    """

    def __init__(self, form: MeanCosine):
        self.form = form
        self.offset, self.slope, self.epsilon = (setting(form, name) for name in ("offset", "slope", "epsilon"))

    def value(self, a: Array, b: Array) -> float:
        """Return the loss."""
        rows_a, rows_b = (z if view is None else view.rows for z, view in self._views(a, b))
        return self._value(cosines(rows_a, rows_b))

    def value_and_gradient(self, a: Array, b: Array) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b, each view varying: no target is held constant."""
        views = self._views(a, b)
        rows_a, rows_b = (z if view is None else view.rows for z, view in views)
        found, *gradients = cosine_gradients(rows_a, rows_b, self.slope / len(a))
        through = (
            gradient if view is None else self._through_whitening(view, gradient)
            for gradient, (_, view) in zip(gradients, views, strict=True)
        )
        return typed(self._value(found), tuple(through), a)

    def influence(self, a: Array, b: Array) -> Array:
        """Return N times the derivative of the loss by the weight of each datum, about its mean."""
        views = self._views(a, b)
        rows_a, rows_b = (z if view is None else view.rows for z, view in views)
        if not self.form.whitened:
            return about_mean(self.slope * cosines(rows_a, rows_b))
        found, *gradients = cosine_gradients(rows_a, rows_b, self.slope / len(a))
        influence = self.slope * found
        for (_, view), gradient in zip(views, gradients, strict=True):
            if view is not None:
                by_own, unbiased = _by_own_covariance(view, gradient), len(a) / (len(a) - 1)
                influence += (1 - self.epsilon) * unbiased * row_products(view.rows @ by_own, view.rows)
                influence -= view.rows @ gradient.sum(axis=0)
        return about_mean(influence)

    def _value(self, found: Array) -> float:
        return self.offset + self.slope * float(found.mean())

    def _views(self, a: Array, b: Array) -> list[tuple[Array, _Whitened | None]]:
        return [(z, self._whitened(z, name) if self.form.whitened else None) for z, name in ((a, "a"), (b, "b"))]

    def _whitened(self, z: Array, name: str) -> _Whitened:
        rows, count = CentredRows(z)[:], len(z)
        covariance = (1 - self.epsilon) * (rows.T @ rows) / (count - 1) + self.epsilon * np.eye(z.shape[1])
        try:
            factor = cholesky(covariance, lower=True)
        except LinAlgError:
            raise self._singular(z, name) from None
        # The squared pivot is what is left of a variance after regression on the outputs before it; sums over the rows, and
        # the numbers of the rows themselves, are rounded.
        left = np.diagonal(factor) ** 2
        sums = count * np.finfo(np.float64).eps * np.diagonal(covariance)
        numbers = (np.finfo(z.dtype).eps * np.abs(z).max(axis=0).astype(np.float64)) ** 2
        if (left <= 16 * (sums + numbers)).any():
            raise self._singular(z, name)
        return _Whitened(solve_triangular(factor, rows.T, lower=True).T, factor)

    def _singular(self, z: Array, name: str) -> InputError:
        count, d = z.shape
        few = (
            f"{count} rows cannot whiten {d} outputs, which takes {d + 1} or more"
            if count <= d
            else "outputs are dependent"
        )
        return InputError(
            f"W-MSE whitening: the covariance of view {name} is singular ({few}); use more rows or fewer outputs, "
            "or a positive epsilon"
        )

    def _through_whitening(self, view: _Whitened, gradient: Array) -> Array:
        """Pull a derivative by the whitened rows back to the rows.

        Y = L^{-1} X: by X directly, L^{-T} times the derivative; through L, by the derivative of the Cholesky factor.
        """
        weight = 2 * (1 - self.epsilon) / (len(gradient) - 1)
        total = gradient + weight * (view.rows @ _by_own_covariance(view, gradient))
        by_rows = solve_triangular(view.factor, total.T, lower=True, trans="T").T
        return as_float64(by_rows - by_rows.mean(axis=0))


def _by_own_covariance(view: _Whitened, gradient: Array) -> Array:
    """Return S with derivative L^{-T} S L^{-1} by the covariance: the lower half of -G^T Y, made symmetric."""
    lower = np.tril(-gradient.T @ view.rows)
    np.fill_diagonal(lower, np.diagonal(lower) / 2)
    return (lower + lower.T) / 2


def cosines(a: Array, b: Array) -> Array:
    """Return the cosine of each pair of rows, (N,)."""
    found = np.empty(len(a))
    for rows in blocks(len(a)):
        found[rows] = row_products(unit_rows(as_float64(a[rows])).rows, unit_rows(as_float64(b[rows])).rows)
    return found


def cosine_gradients(a: Array, b: Array, weight: float) -> tuple[Array, Array, Array]:
    """Return the cosines, and weight times the derivatives of their sum by both views."""
    found, by_a, by_b = np.empty(len(a)), np.empty_like(a), np.empty_like(b)
    for rows in blocks(len(a)):
        u, v = unit_rows(as_float64(a[rows])), unit_rows(as_float64(b[rows]))
        found[rows] = row_products(u.rows, v.rows)
        by_a[rows], by_b[rows] = u.pull_back(weight * v.rows), v.pull_back(weight * u.rows)
    return found, by_a, by_b
