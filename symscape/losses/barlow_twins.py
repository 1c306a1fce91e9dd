"""Barlow Twins, raw and batch-normalised."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symscape.losses.batch import CrossCorrelation
from symscape.losses.language import M, P, output_sum, outputs
from symscape.losses.loss import CatalogueLoss, positive_parameter


class BarlowTwins(CatalogueLoss):
    """Barlow Twins: sum_i (1 - K_ii)^2 + lambda sum_{i != j} K_ij^2.

    ``epsilon=None``: K = E[f(x) f(x')^T], raw and not centred. A number: batch-normalised,
    K_ij = M_ij / sqrt((P_ii + epsilon)(P_jj + epsilon)) with P and M centred; epsilon = 0 is scale-invariant and has no
    series at W = 0. Source: Zbontar et al., 2021. Raises InputError for a negative lambda or epsilon.
    """

    command = "barlow-twins"
    summary = "cross-correlation of the outputs towards the identity; epsilon=None is the raw form"

    def __init__(self, lambda_: Any = 1, epsilon: Any = None):
        lambda_ = positive_parameter("BarlowTwins", "lambda_", lambda_, zero=True)
        i, j = outputs("i j")
        if epsilon is None:
            same, other = M(i, i), M(i, j)
        else:
            epsilon = positive_parameter("BarlowTwins", "epsilon", epsilon, zero=True)
            same = M(i, i, centred=True) / (P(i, i, centred=True) + epsilon)
            scale = sp.sqrt(P(i, i, centred=True) + epsilon) * sp.sqrt(P(j, j, centred=True) + epsilon)
            other = M(i, j, centred=True) / scale
        expr = output_sum((1 - same) ** 2, i) + lambda_ * output_sum(other**2, i, j, distinct=True)
        form = CrossCorrelation(
            lambda_, sp.S.Zero if epsilon is None else epsilon, "none" if epsilon is None else "views"
        )
        super().__init__(expr, form, lambda_=lambda_, epsilon=epsilon)

    @classmethod
    def symbolic(cls) -> BarlowTwins:
        """Return the batch-normalised loss with lambda and epsilon symbols."""
        return cls(lambda_=sp.Symbol("lambda", positive=True), epsilon=sp.Symbol("epsilon", positive=True))
