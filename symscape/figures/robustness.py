"""What becomes of a rare class: its strength at the minimum as its probability falls, loss by loss (T10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscape.conditions.imbalance.imbalance import imbalance
from symscape.figures.style import COLOURS, DASHES, MARKERS, finish, letter, one_axes, panels, styled
from symscape.losses.barlow_twins import BarlowTwins
from symscape.losses.infonce import InfoNCE
from symscape.losses.loss import Loss
from symscape.losses.spectral_contrastive import SpectralContrastive
from symscape.losses.vicreg import VICReg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating[Any]]

PROBABILITIES = tuple(np.geomspace(1e-3, 0.5, 13))
NOISE = 0.1


def losses() -> dict[str, Loss]:
    """Return the losses of the figure by the names that it gives them."""
    return {
        "InfoNCE": InfoNCE(),
        "spectral contrastive": SpectralContrastive(),
        "Barlow Twins": BarlowTwins(),
        "VICReg": VICReg(),
    }


def rare_strengths(loss: Loss, probabilities: ArrayLike, noise: float) -> Array:
    """Return p_c of the rarer of two classes of |m|^2 = 1, for each of its probabilities; 0 where it is lost."""
    shares = np.asarray(probabilities, dtype=float)
    return np.array([imbalance(loss, [1 - pi, pi], noise=noise).p[1] for pi in shares])


@styled
def strength_of_rare_class(
    ax: Axes | None = None, noise: float = 0.0, probabilities: Sequence[float] = PROBABILITIES
) -> Axes:
    """Draw p_c of a rare class against its probability, for four losses and one noise; return the axes.

    A loss is robust where its line does not fall towards the left; a line that ends, ends where the class is lost.
    """
    ax = one_axes("strength_of_rare_class", ax, 2.4, 2.8)
    for i, (name, loss) in enumerate(losses().items()):
        p = rare_strengths(loss, probabilities, noise)
        # Markers at other places on each line, so that lines that coincide are seen.
        ax.plot(probabilities, np.where(p > 0, p, np.nan), color=COLOURS[i], linestyle=DASHES[i], marker=MARKERS[i],
                markersize=4.2, markevery=(i, 4), label=name)  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel=r"probability $\pi_c$", ylabel="strength $p_c$", ylim=(1e-3, 20))
    return finish(ax)


@styled
def robustness(axes: Sequence[Axes] | None = None) -> tuple[Axes, ...]:
    """Draw the strength of a rare class against its probability, without and with augmentation noise."""
    found = panels("robustness", axes, 2, 2.4, sharey=True)
    for i, (ax, noise) in enumerate(zip(found, (0.0, NOISE), strict=True)):
        strength_of_rare_class(ax=ax, noise=noise)
        letter(ax, i, rf"noise $\sigma = {noise:g}$" if noise else "no noise")
    found[1].set_ylabel("")
    found[1].legend(loc="lower right")
    return found
