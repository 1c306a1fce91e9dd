"""Growth under gradient flow (X5): modes are learned in the order of the eigenvalues of B, and those of the pencil survive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscape.conditions.growth.gradient_flow import gradient_flow
from symscape.conditions.growth.growth import growth_rates
from symscape.conditions.growth.mode_growth import NumericGrowth
from symscape.errors import InputError
from symscape.figures.style import COLOURS, DASHES, finish, letter, one_axes, panels, styled
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.spectral_contrastive import SpectralContrastive

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating[Any]]

#: The initial |W u_k| of every mode.
SCALE = 1e-3
#: Mode by mode the variance of the data, and of the augmented features; in the second case mode 1 has the larger b.
APART = (np.array([2.0, 1.2, 0.7]), np.array([2.2, 1.5, 1.1]))
REPLACED = (np.array([2.0, 1.4]), np.array([5.0, 1.6]))


def strengths_over_time(land: Landscape, data: ArrayLike, features: ArrayLike, d1: int, times: Array) -> Array:
    """Return sigma_k |W u_k|^2 over time, an array (times, modes), from outputs that start on one mode each, or on all."""
    a, s = np.asarray(data, dtype=float), np.asarray(features, dtype=float)
    if d1 not in (1, len(a)):
        raise InputError(f"strengths_over_time(d1={d1}): an output for every mode, or one for all")
    start = SCALE * (np.eye(len(a)) if d1 == len(a) else np.ones((1, len(a))))
    return gradient_flow(land, start, times, np.diag(a), np.diag(s)).along(np.eye(len(a))) * s


@styled
def growth_of_modes(
    ax: Axes | None = None, data: ArrayLike = APART[0], features: ArrayLike = APART[1], d1: int = 3, until: float = 4.0
) -> Axes:
    """Draw the strength of every mode of the spectral loss over time; return the axes.

    ``data`` and ``features``: A_0 and Sigma mode by mode. Circles: half the plateau, at the time that `growth_rates` predicts.
    """
    ax = one_axes("growth_of_modes", ax, 2.3, 2.7)
    land, times = landscape(SpectralContrastive()), np.linspace(0, until, 301)
    a, s = np.asarray(data, dtype=float), np.asarray(features, dtype=float)
    p = strengths_over_time(land, a, s, d1, times)
    predicted = growth_rates(land, np.diag(a), np.diag(s), d1, scale=SCALE)
    assert isinstance(predicted, NumericGrowth) and predicted.times is not None
    halves = {int(np.argmax(np.abs(u))): k for k, u in enumerate(predicted.directions)}
    for mode in range(len(a)):
        ax.plot(times, p[:, mode], color=COLOURS[mode], linestyle=DASHES[mode], label=f"mode {mode + 1}")
        time = predicted.times[halves[mode]]
        if np.isfinite(time):
            ax.plot([time], [predicted.plateau[halves[mode]] / 2], "o", markersize=4.5, markerfacecolor="white",
                    markeredgecolor=COLOURS[mode], zorder=4)  # fmt: skip
    ax.set(xlim=(0, until), ylim=(0, 1.02), xlabel="time $t$", ylabel=r"strength $\sigma_k |W u_k|^2$")
    return finish(ax)


@styled
def growth(axes: Sequence[Axes] | None = None) -> tuple[Axes, ...]:
    """Draw the growth of modes under the spectral loss, with an output for each mode and with one for two modes."""
    found = panels("growth", axes, 2, 2.3, sharey=True)
    growth_of_modes(ax=found[0])
    growth_of_modes(ax=found[1], data=REPLACED[0], features=REPLACED[1], d1=1, until=4.0)
    letter(found[0], 0, "an output for each mode")
    letter(found[1], 1, "one output for two modes")
    found[1].set_ylabel("")
    found[0].legend(loc="lower right")
    found[1].legend(loc="center right")
    return found
