"""NT-Xent in the limit of many negatives: cosine similarity, exact or smoothed."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symscape.losses.batch import CrossEntropy
from symscape.losses.language import E, dot, sqnorm
from symscape.losses.loss import CatalogueLoss, positive_parameter
from symscape.probability.views import View, anchor, negative, positive


class NTXent(CatalogueLoss):
    """NT-Xent: -E s(x, x') / tau + E_x log E_chi e^{s(x, chi) / tau}, s the cosine.

    The cosine is scale-invariant and has no series at W = 0; with ``epsilon`` it is smoothed, f / sqrt(|f|^2 + epsilon),
    and has one. Source: Chen et al., SimCLR, 2020. Raises InputError for a non-positive tau or epsilon.
    """

    command = "ntxent"
    summary = "cosine similarity, many negatives; epsilon smooths the normalisation"

    def __init__(self, tau: Any = 1, epsilon: Any = None):
        tau = positive_parameter("NTXent", "tau", tau)
        smooth = sp.S.Zero if epsilon is None else positive_parameter("NTXent", "epsilon", epsilon)

        def cosine(u: View, v: View) -> sp.Expr:
            return dot(u, v) / sp.sqrt(sqnorm(u) + smooth) / sp.sqrt(sqnorm(v) + smooth)

        x, xp, chi = anchor, positive, negative
        expr = E(-cosine(x, xp) / tau) + E(sp.log(E(sp.exp(cosine(x, chi) / tau), over=chi)))
        form = CrossEntropy("cosine", tau, "both-views", epsilon=smooth, per_candidate=True)
        super().__init__(expr, form, tau=tau, epsilon=None if epsilon is None else smooth)

    @classmethod
    def symbolic(cls) -> NTXent:
        """Return the smoothed loss with tau and epsilon symbols."""
        return cls(tau=sp.Symbol("tau", positive=True), epsilon=sp.Symbol("epsilon", positive=True))
