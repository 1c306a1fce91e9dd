"""Phase diagrams over temperature: what normalisation does to complete and to dimensional collapse (T5, T7).

Without normalisation, a mode of InfoNCE is lost where gamma tau passes an eigenvalue of A_0. The smooth cosine
f / sqrt(|f|^2 + epsilon) moves this to gamma tau epsilon, so that complete collapse goes away with epsilon. On the shell
Tr P = 1 of the cosine itself nothing collapses completely: the temperature alone says how many modes are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.conditions.threshold import Threshold, threshold
from symscape.figures.regions import paint_regions
from symscape.figures.style import BLACK, BLUE, finish, letter, one_axes, panels, styled
from symscape.landscape.landscape import landscape
from symscape.losses.infonce import InfoNCE
from symscape.losses.loss import Loss, WeightDecay
from symscape.losses.ntxent import NTXent
from symscape.spectrum.cosine.shell import normalised_landscape
from symscape.spectrum.cosine.thresholds import shell_thresholds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating[Any]]

tau, gamma, epsilon = sp.symbols("tau gamma epsilon", positive=True)
#: Variances of three modes of the data, and of their augmented features.
DATA, FEATURES = (3.0, 2.0, 1.0), (4.0, 3.0, 2.0)
TEMPERATURES, DECAY = (0.01, 2.0), 0.1
#: Canonical correlations on the shell.
CORRELATIONS = tuple(np.linspace(0.95, 0.05, 16))
COLUMNS = 81


def bounds_in(loss: Loss, parameter: sp.Symbol, temperatures: Array, **others: float) -> list[Array]:
    """Return, for each mode, the value of a parameter at which it is lost, at every temperature.

    From the conditions of `threshold` in symbols: lambda_k is an eigenvalue of A_0, r_k and s_k the canonical correlation and
    the variance of the features along it.
    """
    found = threshold(landscape(loss), parameter)
    assert isinstance(found, Threshold)
    numbers = {f"lambda_{k}": a for k, a in enumerate(DATA)} | {f"s_{k}": s for k, s in enumerate(FEATURES)}
    numbers |= {f"r_{k}": a / s for k, (a, s) in enumerate(zip(DATA, FEATURES, strict=True))} | others
    bounds = []
    for k in range(len(DATA)):
        condition = found.mode(k)
        bound = condition.critical
        if bound is None:
            # The side on which modes that compete are kept is not solved for; where the margin vanishes is: it is linear.
            rate, rest = sp.Poly(sp.numer(condition.margin), parameter).all_coeffs()
            bound = -rest / rate
        fixed = bound.xreplace({s: sp.Float(numbers[s.name]) for s in bound.free_symbols - {tau}})
        bounds.append(sp.lambdify(tau, fixed)(temperatures))
    return bounds


@styled
def phase_normalisation(axes: Sequence[Axes] | None = None) -> tuple[Axes, ...]:
    """Draw how many modes survive by temperature: without normalisation, with the smooth cosine, and with the cosine."""
    found = panels("phase_normalisation", axes, 3, 2.3)
    temperatures = np.geomspace(*TEMPERATURES, COLUMNS)
    smooth = NTXent(tau=tau, epsilon=epsilon) + WeightDecay(gamma)
    ranges: tuple[tuple[float, float], ...] = ((0.0, 8.0), (0.0, 80.0))
    names = (r"weight decay $\gamma$", r"smoothing $\epsilon$")
    for ax, limits, name in zip(found, ranges, names, strict=False):
        ax.set(xlim=(0.0, TEMPERATURES[1]), ylim=limits, xlabel=r"temperature $\tau$", ylabel=name)
    paint_regions(found[0], temperatures, bounds_in(InfoNCE(tau=tau) + WeightDecay(gamma), gamma, temperatures))
    paint_regions(found[1], temperatures, bounds_in(smooth, epsilon, temperatures, gamma=DECAY))
    kept_on_the_shell(ax=found[2])
    for i, (ax, title) in enumerate(
        zip(found, ("InfoNCE", rf"smooth cosine, $\gamma = {DECAY:g}$", "cosine"), strict=True)
    ):
        letter(ax, i, title)
        finish(ax, frame=i < 2)
    return found


@styled
def kept_on_the_shell(ax: Axes | None = None, r: Sequence[float] = CORRELATIONS) -> Axes:
    """Draw how many modes of correlations r, descending, the cosine keeps by temperature; return the axes.

    By the landscape of NT-Xent on the shell Tr P = 1, which holds above the dotted line k tau = 1, well below tau = 1.
    """
    ax = one_axes("kept_on_the_shell", ax, 2.3, 2.6)
    found = shell_thresholds(normalised_landscape(NTXent(tau=tau)), tau)
    reach = (0.03, 1.0)
    # Mode k is kept below its threshold: the count falls by one at each.
    steps = np.sort([t for t in found.values(r) if reach[0] < t < reach[1]])
    edges = np.array([reach[0], *steps, reach[1]])
    counts = np.array([found.kept(r, value) for value in np.sqrt(edges[1:] * edges[:-1])])
    ax.stairs(counts, edges, color=BLUE, linewidth=1.3, baseline=None)
    line = np.geomspace(*reach, 60)
    ax.plot(line, 1 / line, color=BLACK, linestyle=(0, (1.2, 1.4)), linewidth=0.9)
    ax.annotate(r"$k = 1/\tau$", (0.2, 5), (-4, -9), textcoords="offset points", ha="right", fontsize=8.0)
    ax.set(xscale="log", xlim=reach, ylim=(0, len(r) + 1), xlabel=r"temperature $\tau$", ylabel="modes kept, $k$",
           yticks=range(0, len(r) + 1, 4))  # fmt: skip
    return finish(ax)
