"""VICReg: variance, invariance, covariance."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symscape.losses.batch import VarianceCovariance
from symscape.losses.language import E, P, d_1, output_sum, outputs, sqdist
from symscape.losses.loss import CatalogueLoss, positive_parameter
from symscape.probability.views import anchor, positive


class VICReg(CatalogueLoss):
    """VICReg, with the constants of the official code:

        (lambda/d1) E|f(x) - f(x')|^2 + (mu/d1) sum_j max(0, 1 - sqrt(P_jj + epsilon)) + (2 nu/d1) sum_{i != j} P_ij^2,

    P centred. Its series at W = 0 lives in the regime of active hinges, sqrt(epsilon) < 1, which is stated with the
    landscape; it reaches P_jj < epsilon only. Source: Bardes et al., 2022. Raises InputError for negative weights.
    """

    command = "vicreg"
    summary = "invariance, variance hinge and covariance; constants of the official code"

    def __init__(self, lambda_: Any = 25, mu: Any = 25, nu: Any = 1, epsilon: Any = 1e-4):
        lambda_, mu, nu, epsilon = (
            positive_parameter("VICReg", name, value, zero=True)
            for name, value in (("lambda_", lambda_), ("mu", mu), ("nu", nu), ("epsilon", epsilon))
        )
        i, j = outputs("i j")
        spread = sp.sqrt(P(j, j, centred=True) + epsilon)
        expr = (
            lambda_ / d_1 * E(sqdist(anchor, positive))
            + mu / d_1 * output_sum(sp.Max(0, 1 - spread), j)
            + 2 * nu / d_1 * output_sum(P(i, j, centred=True) ** 2, i, j, distinct=True)
        )
        form = VarianceCovariance(lambda_, mu, nu, epsilon)
        super().__init__(expr, form, lambda_=lambda_, mu=mu, nu=nu, epsilon=epsilon)

    @classmethod
    def symbolic(cls) -> VICReg:
        """Return the loss with all four parameters symbols."""
        lambda_, mu, nu, epsilon = sp.symbols("lambda mu nu epsilon", positive=True)
        return cls(lambda_=lambda_, mu=mu, nu=nu, epsilon=epsilon)
