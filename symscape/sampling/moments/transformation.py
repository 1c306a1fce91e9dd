"""TiCo at its first step: the cosine of paired rows, and the square of the d1 x d1 second moment of unit rows."""

from __future__ import annotations

import numpy as np

from symscape.losses.batch import Transformation
from symscape.sampling.evaluator import Array
from symscape.sampling.moments.rows import about_mean, as_float64, blocks, row_products
from symscape.sampling.settings import setting
from symscape.sampling.unit_rows import unit_rows


class TransformationEvaluator:
    """offset - mean a^.b^ + rho (1 - beta) |A^^T A^ / N|^2, since mean a^^T S a^ = Tr S S.

    >>> import sympy as sp
    >>> a = np.array([[2.0, 0.0], [0.0, 3.0]])
    >>> TransformationEvaluator(Transformation(sp.Integer(1), sp.Integer(8), sp.Rational(1, 2))).value(a, a)
    2.0
    """

    def __init__(self, form: Transformation):
        self.form, self.offset = form, setting(form, "offset")
        self.weight = setting(form, "rho") * (1 - setting(form, "beta"))

    def value(self, a: Array, b: Array) -> float:
        """Return the loss."""
        return self._of_rows(a, b)[0]

    def value_and_gradient(self, a: Array, b: Array) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b."""
        value, S = self._of_rows(a, b)
        gradients = np.empty_like(a), np.empty_like(b)
        for rows in blocks(len(a)):
            u, v = unit_rows(as_float64(a[rows])), unit_rows(as_float64(b[rows]))
            gradients[0][rows] = u.pull_back((u.rows @ (4 * self.weight * S) - v.rows) / len(a))
            gradients[1][rows] = v.pull_back(-u.rows / len(a))
        return value, *gradients

    def influence(self, a: Array, b: Array) -> Array:
        """Return N times the derivative of the loss by the weight of each datum, about its mean."""
        S, influence = self._of_rows(a, b)[1], np.empty(len(a))
        for rows in blocks(len(a)):
            u, v = unit_rows(as_float64(a[rows])).rows, unit_rows(as_float64(b[rows])).rows
            influence[rows] = 2 * self.weight * row_products(u @ S, u) - row_products(u, v)
        return about_mean(influence)

    def _of_rows(self, a: Array, b: Array) -> tuple[float, Array]:
        """Return the loss and S, the second moment of the unit rows of the first view."""
        S, cosines = np.zeros((a.shape[1], a.shape[1])), 0.0
        for rows in blocks(len(a)):
            u, v = unit_rows(as_float64(a[rows])).rows, unit_rows(as_float64(b[rows])).rows
            S += u.T @ u
            cosines += float(np.vdot(u, v))
        S /= len(a)
        return self.offset - cosines / len(a) + self.weight * float(np.vdot(S, S)), S
