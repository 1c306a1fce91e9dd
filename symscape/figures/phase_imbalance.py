"""Phase diagrams over class probability and weight decay: when a rare class is lost, near W = 0 and after training (T10).

Two orthogonal classes of |m|^2 = 1 and probabilities 1 - pi, pi, without noise. A class leaves the origin where pi_c passes
a multiple of gamma. For the spectral loss that is what training ends in as well; InfoNCE keeps a rare class longer, because
the frequent class, once learned, pushes it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.conditions.imbalance.imbalance import imbalance
from symscape.conditions.imbalance.robustness import class_threshold
from symscape.figures.regions import paint_regions
from symscape.figures.style import BLACK, finish, letter, one_axes, panels, styled
from symscape.losses.infonce import InfoNCE
from symscape.losses.loss import Loss, WeightDecay
from symscape.losses.spectral_contrastive import SpectralContrastive

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating[Any]]

gamma, pi_c = sp.symbols("gamma pi_c", positive=True)
COLUMNS = 17


def decay_of(condition: sp.Expr) -> Callable[[Any, Any], Any]:
    """Return the weight decay at which a class of |m|^2 = 1 is lost, as a function of its probability and of Tr M.

    ``condition``: the probability below which it is lost, from `class_threshold`; Tr M is that of the learned classes.
    """
    names = {symbol.name: symbol for symbol in condition.free_symbols}
    one = condition.subs(names["|m_i|^2"], 1)
    (found,) = sp.solve(one - pi_c, gamma)
    return sp.lambdify((pi_c, names.get("Tr M", sp.Dummy())), found)


def decay_bounds(loss: Loss, probabilities: Array) -> list[Array]:
    """Return the weight decays at which the frequent class and the rare one, of probability pi <= 1/2, are lost."""
    from scipy.optimize import brentq

    lost_at = decay_of(class_threshold(loss + WeightDecay(gamma), noise=0).trained)
    frequent, rare = lost_at(1 - probabilities, 0), lost_at(probabilities, 0)

    def gap(decay: float, pi: float) -> float:
        found = imbalance(loss, [1 - pi, pi], gamma=decay)
        return float(lost_at(pi, found.pi @ found.q) - decay)

    # What the frequent class has learned moves the rare one's threshold; there it is as it would be without the rare one.
    for i, (pi, least, most) in enumerate(zip(probabilities, rare, frequent, strict=True)):
        if least < most and gap(least, pi) > 0:
            rare[i] = brentq(gap, least, most, args=(pi,), xtol=1e-9)
    return [frequent, rare]


@styled
def class_phase_diagram(loss: Loss, ax: Axes | None = None, decays: tuple[float, float] = (0.0, 1.2)) -> Axes:
    """Draw which of two classes survive over the probability of the rare one and weight decay; return the axes.

    The dashed line is the threshold near W = 0, where it differs from that after training.
    """
    ax = one_axes("class_phase_diagram", ax, 2.5, 2.8)
    pi = np.linspace(1e-3, 0.5, COLUMNS)
    bounds = decay_bounds(loss, pi)
    ax.set(
        xlim=(0, 0.5), ylim=decays, xlabel=r"probability of the rare class, $\pi_c$", ylabel=r"weight decay $\gamma$"
    )
    paint_regions(ax, pi, bounds)
    origin = decay_of(class_threshold(loss + WeightDecay(gamma), noise=0).origin)(pi, 0)
    if not np.allclose(origin, bounds[1], rtol=1e-4):
        ax.plot(pi, origin, color=BLACK, linestyle=(0, (5, 2)), linewidth=0.9, zorder=3)
        early = len(pi) // 5
        ax.annotate(
            "near $W = 0$", (pi[early], origin[early]), (4, -3), textcoords="offset points", va="top", fontsize=8.0
        )
    return finish(ax, frame=True)


@styled
def phase_imbalance(axes: Sequence[Axes] | None = None) -> tuple[Axes, ...]:
    """Draw the phase diagrams of the spectral loss and of InfoNCE over class probability and weight decay."""
    found = panels("phase_imbalance", axes, 2, 2.5)
    class_phase_diagram(SpectralContrastive(), ax=found[0], decays=(0.0, 2.4))
    class_phase_diagram(InfoNCE(), ax=found[1], decays=(0.0, 1.2))
    for i, (ax, title) in enumerate(zip(found, ("spectral contrastive", "InfoNCE"), strict=True)):
        letter(ax, i, title)
    return found
