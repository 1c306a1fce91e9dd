"""The spectral contrastive loss."""

from __future__ import annotations

from symscape.losses.batch import Spectral
from symscape.losses.language import E, dot
from symscape.losses.loss import CatalogueLoss
from symscape.probability.views import anchor, negative, positive


class SpectralContrastive(CatalogueLoss):
    """Spectral contrastive loss: -2 E[f(x).f(x')] + E[(f(x).f(chi))^2]. Source: HaoChen et al., 2021."""

    command = "spectral"
    summary = "align positives, square the inner products of negatives"

    def __init__(self) -> None:
        x, xp, chi = anchor, positive, negative
        super().__init__(-2 * E(dot(x, xp)) + E(dot(x, chi) ** 2), Spectral())

    @classmethod
    def symbolic(cls) -> SpectralContrastive:
        """Return the loss; it has no parameter."""
        return cls()
