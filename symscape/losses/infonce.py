"""InfoNCE with the positive inside the denominator, for finitely or infinitely many negatives."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symscape.algebra.atoms import exact
from symscape.errors import InputError
from symscape.losses.batch import CrossEntropy
from symscape.losses.language import E, dot, sqdist, total
from symscape.losses.loss import CatalogueLoss, positive_parameter
from symscape.probability.views import View, anchor, negative, positive


class InfoNCE(CatalogueLoss):
    """InfoNCE: -log of the share of the positive among n negatives and itself, minus log(n + 1).

    With the logit s(u, v) = -|f(u) - f(v)|^2 / (2 tau), or f(u).f(v) / tau for ``similarity="dot"``,

        E[ -log( e^{s(x, x')} / ( sum_{j=1..n} e^{s(x, chi_j)} + e^{s(x, x')} ) ) ] - log(n + 1),

    and for ``n = oo``, ``-E s(x, x') + E_x log E_chi e^{s(x, chi)}``. Source: arXiv 2210.00638, section 3; van den Oord et
    al., 2018. Raises InputError for a non-positive tau, an n that is no positive integer or symbol, another similarity.

    >>> InfoNCE(tau=1).expr
    E_{x}[log(E_{chi}[exp(-|f(x) - f(chi)|^2/2)])] + E_{x, x'}[|f(x) - f(x')|^2/2]
    """

    command = "infonce"
    summary = "one positive against n negatives; the paper's squared-Euclidean form, or dot products"

    def __init__(self, tau: Any = 1, n: Any = sp.oo, similarity: str = "euclidean"):
        tau, n = positive_parameter("InfoNCE", "tau", tau), exact(n)
        if n is sp.nan or (n is not sp.oo and n.is_infinite):
            raise InputError(f"InfoNCE(n={n}): the number of negatives is a positive integer, a symbol or sympy.oo")
        if n is not sp.oo and (n.is_integer is False or n.is_positive is False):
            raise InputError(f"InfoNCE(n={n}): the number of negatives is a positive integer, a symbol or sympy.oo")
        if similarity not in ("euclidean", "dot"):
            raise InputError(f'InfoNCE(similarity={similarity!r}): choose "euclidean" or "dot"')

        def logit(u: View, v: View) -> sp.Expr:
            return dot(u, v) / tau if similarity == "dot" else -sqdist(u, v) / (2 * tau)

        x, xp, chi = anchor, positive, negative
        if n is sp.oo:
            expr = E(-logit(x, xp)) + E(sp.log(E(sp.exp(logit(x, chi)), over=chi)))
        else:
            denominator = sp.exp(logit(x, xp)) + total(sp.exp(logit(x, chi)), over=chi, n=n)
            expr = E(-logit(x, xp)) + E(sp.log(denominator)) - sp.log(n + 1)
        form = CrossEntropy("dot" if similarity == "dot" else "sqdist", tau, per_candidate=True, negatives=n)
        super().__init__(expr, form, tau=tau, n=n, similarity=similarity)

    @classmethod
    def symbolic(cls, similarity: str = "euclidean") -> InfoNCE:
        """Return the loss with tau and n symbols."""
        return cls(
            tau=sp.Symbol("tau", positive=True), n=sp.Symbol("n", positive=True, integer=True), similarity=similarity
        )
