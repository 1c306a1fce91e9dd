"""Predicted spectra: the strength p_i of every mode after training against its canonical correlation r_i, loss by loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from symscape.conditions.collapse import collapse, suited_landscape
from symscape.figures.style import BLACK, BLUE, GREY, WIDTH, checked_axes, finish, letter, new_figure, one_axes, styled
from symscape.landscape.landscape import Landscape
from symscape.losses.barlow_twins import BarlowTwins
from symscape.losses.infonce import InfoNCE
from symscape.losses.loss import Loss
from symscape.losses.ntxent import NTXent
from symscape.losses.spectral_contrastive import SpectralContrastive
from symscape.losses.vicreg import VICReg
from symscape.spectrum.closed_form.closed_form import closed_form
from symscape.spectrum.cosine.shell import normalised_landscape
from symscape.stationary.points import StationaryPoints
from symscape.stationary.stationary_points import stationary_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating[Any]]

#: Canonical correlations of sixteen modes, with as many outputs.
CORRELATIONS = tuple(np.linspace(0.95, 0.05, 16))


@dataclass(frozen=True)
class Predicted:
    """A panel: the title, and what is minimised, a loss or a landscape over spectra, as `collapse` takes it."""

    title: str
    land: Callable[[], Any]


#: The constants of NT-Xent, Barlow Twins and VICReg are those of their official codes; epsilon of batch normalisation is 0.
PREDICTED = (
    Predicted("InfoNCE", lambda: closed_form(InfoNCE())),
    Predicted("spectral contrastive", SpectralContrastive),
    Predicted(r"NT-Xent, $\tau = 1/2$", lambda: normalised_landscape(NTXent(tau=sp.Rational(1, 2)))),
    Predicted("Barlow Twins, raw", BarlowTwins),
    Predicted("Barlow Twins", lambda: BarlowTwins(lambda_=sp.Rational(51, 10000), epsilon=0)),
    Predicted("VICReg", VICReg),
)


def predicted_spectrum(loss: Any, r: ArrayLike) -> Array:
    """Return p of every mode at the minimum, Sigma = 1 and A_0 = diag(r) descending, as many outputs as modes.

    ``loss``: a loss, whose suited landscape is minimised, or a landscape over spectra.
    """
    numbers = np.asarray(r, dtype=float)
    A0, Sigma, d1 = np.diag(numbers), np.eye(len(numbers)), len(numbers)
    land = suited_landscape(loss) if isinstance(loss, Loss) else loss
    if isinstance(land, Landscape):
        points = stationary_points(land, A0, Sigma, d1=d1)
        assert isinstance(points, StationaryPoints)
        # Through W, for the strengths of a landscape in words of M alone are eigenvalues of M.
        return np.asarray((points.minima[0].W ** 2).sum(axis=0))
    found, p = collapse(land, A0, Sigma, d1), np.zeros(d1)
    for mode, strength in zip(found.modes, found.spectrum, strict=True):
        p[int(np.argmax(np.abs(mode.direction)))] = strength
    return p


@styled
def predicted_against_r(land: Any, ax: Axes | None = None, r: Sequence[float] = CORRELATIONS) -> Axes:
    """Draw the predicted spectrum of a loss, or of a landscape over spectra, against r; return the axes.

    Filled: kept modes; hollow: collapsed ones.
    """
    ax = one_axes("predicted_against_r", ax, 2.0, 2.6)
    numbers, p = np.asarray(r, dtype=float), predicted_spectrum(land, r)
    kept = p > 0
    ax.plot(numbers[kept], p[kept], "o-", color=GREY, linewidth=0.8, markersize=4.0, markerfacecolor=BLUE,
            markeredgecolor=BLUE, zorder=3)  # fmt: skip
    if not kept.all():
        ax.plot(numbers[~kept], p[~kept], "o", markersize=4.0, markerfacecolor="white", markeredgecolor=BLACK,
                markeredgewidth=0.8, zorder=4, clip_on=False)  # fmt: skip
    ax.set(xlim=(0, 1), ylim=(0, 1.15 * p.max()), xlabel="$r_i$", ylabel="$p_i$", xticks=(0, 0.5, 1))
    ax.locator_params(axis="y", nbins=4, steps=[1, 2, 5, 10])
    return finish(ax)


@styled
def spectra(axes: Sequence[Axes] | None = None) -> tuple[Axes, ...]:
    """Draw the predicted spectra of six losses at sixteen equally spaced correlations, in six panels."""
    if axes is None:
        found = tuple(new_figure(3.5, WIDTH).subplots(2, 3, sharex=True).ravel())
    else:
        found = checked_axes("spectra", axes, len(PREDICTED))
    for i, (ax, predicted) in enumerate(zip(found, PREDICTED, strict=True)):
        predicted_against_r(predicted.land(), ax=ax)
        letter(ax, i, predicted.title)
        ax.set(xlabel="$r_i$" if i >= 3 else "", ylabel="$p_i$" if i % 3 == 0 else "")
    return found
