"""Phase diagrams over augmentation strength and weight decay: which losses let augmentation compete with the data (T5, T6).

Augmentation of strength s makes Sigma = A_0 + s C. Where all views are augmented alike, InfoNCE has B = A_0 / tau: no strength
collapses a mode. Where the positive alone is augmented (a clean anchor and clean negatives), B = (3 A_0 - Sigma) / 2, and where
uniformity is weighed at t < 1 against alignment, B = 2 A_0 - (2 - 2 t) Sigma: there augmentation competes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.algebra.atoms import exact
from symscape.conditions.threshold import NumericThreshold, threshold
from symscape.figures.regions import paint_regions
from symscape.figures.style import finish, letter, one_axes, panels, styled
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.infonce import InfoNCE
from symscape.losses.language import E, sqdist
from symscape.losses.loss import Loss, WeightDecay
from symscape.probability.views import View, anchor, negative, positive

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating[Any]]

gamma = sp.Symbol("gamma", positive=True)
#: Three modes of the data, and an augmentation that does the same to each.
A0, C = np.diag([3.0, 2.0, 1.0]), np.eye(3)
STRENGTHS, DECAYS = (0.0, 4.0), (0.0, 3.6)
#: Between which weight decays thresholds are searched: below the lowest a mode counts as lost.
SEARCHED = (1e-4, 100.0)
COLUMNS = 25


def one_sided() -> Loss:
    """Return InfoNCE at tau = 1 of a clean anchor, an augmented positive and clean negatives."""
    clean, other = View("s", of=anchor, moment="A_0"), View("s'", moment="A_0")
    push = E(sp.log(E(sp.exp(-sqdist(clean, other) / 2), over=other)))
    return Loss(E(sqdist(clean, positive)) / 2 + push, name="InfoNCE, positive augmented")


def alignment_uniformity(t: Any) -> Loss:
    """Return alignment and uniformity, E|f(x) - f(x')|^2 + log E exp(-t |f(x) - f(chi)|^2)."""
    return Loss(E(sqdist(anchor, positive)) + sp.log(E(sp.exp(-exact(t) * sqdist(anchor, negative)))), name="alignment")


def decay_bounds(land: Landscape, A0: Any, C: Any, strengths: Sequence[float] | Array) -> list[Array]:
    """Return, for each mode, the weight decay at which it is lost, at Sigma = A0 + s C for every strength s; 0: at none."""
    a, c = np.asarray(A0, dtype=float), np.asarray(C, dtype=float)
    columns = []
    for strength in strengths:
        found = threshold(land, "gamma", a, a + strength * c, len(a), between=SEARCHED)
        assert isinstance(found, NumericThreshold)
        # Weight decay only pulls towards the origin: a mode is kept below one value, if anywhere.
        ends = [intervals[0][1] if intervals else 0.0 for intervals in found.intervals]
        columns.append([*ends, *[0.0] * (len(a) - len(ends))])
    return list(np.array(columns).T)


@styled
def phase_diagram(
    loss: Loss,
    ax: Axes | None = None,
    A0: Any = A0,
    C: Any = C,
    strengths: tuple[float, float] = STRENGTHS,
    decays: tuple[float, float] = DECAYS,
) -> Axes:
    """Draw how many modes of a loss survive over augmentation strength and weight decay; return the axes.

    ``loss``: without weight decay, its parameters numbers; ``A0`` and ``C``: second moments of the data, and of what
    augmentation adds at strength 1. The bounds are the thresholds of `threshold`, one per mode.
    """
    ax = one_axes("phase_diagram", ax, 2.6, 3.0)
    s = np.linspace(*strengths, COLUMNS)
    ax.set(xlim=strengths, ylim=decays, xlabel="augmentation strength $s$", ylabel=r"weight decay $\gamma$")
    paint_regions(ax, s, decay_bounds(landscape(loss + WeightDecay(gamma)), A0, C, s))
    return finish(ax, frame=True)


@styled
def phase_augmentation(axes: Sequence[Axes] | None = None) -> tuple[Axes, ...]:
    """Draw the phase diagrams of InfoNCE, of InfoNCE with only the positive augmented, and of a weak uniformity."""
    found = panels("phase_augmentation", axes, 3, 2.25, sharey=True)
    losses = (InfoNCE(), one_sided(), alignment_uniformity(sp.Rational(1, 2)))
    titles = ("all views augmented", "only the positive", "weak uniformity")
    for i, (ax, loss, title) in enumerate(zip(found, losses, titles, strict=True)):
        phase_diagram(loss, ax=ax)
        letter(ax, i, title)
        if i:
            ax.set_ylabel("")
    return found
