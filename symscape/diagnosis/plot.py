"""The predicted spectrum as a figure: by theory with its errors, and by the loss on rows."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symscape.diagnosis.wording import number
from symscape.figures.style import BLACK, BLUE, GREY, VERMILION, finish, one_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from symscape.diagnosis.report import Diagnosis

Array = NDArray[np.floating[Any]]

#: Inches, and the most modes that are drawn.
SIZE, MOST = (4.2, 2.6), 256
#: Strengths that spread over more than this factor are drawn on a logarithmic axis.
SPREAD = 30.0
#: Points and bars are drawn for so many modes; beyond, lines and a band.
POINTS = 80


@styled
def plot_spectrum(report: Diagnosis, ax: Axes | None = None) -> Axes:
    """Draw the predicted eigenvalues of P, mode by mode, and return the axes.

    Line and squares: theory, with bars or a band of one standard error; discs: the loss on rows; hollow: modes that collapse;
    dashes: where the threshold lies. Raises SymscapeError without matplotlib, InputError for ``ax`` that is no axes.
    """
    ax = one_axes("plot", ax, SIZE[1], SIZE[0])
    theory, best = report.theory, report.best
    count = _shown(report)
    x, p, q = np.arange(float(count)), theory.strengths[:count], best.strengths[:count]
    errors = np.zeros(count) if report.uncertainty is None else report.uncertainty.strengths[:count]
    logarithmic = _floor(ax, p, q)
    _theory(ax, x, p, errors, logarithmic)
    few = count <= POINTS
    size = 4.2 if count <= 40 else 2.6
    if report.refined is not None and q.any():
        kept = q > 0
        at, value = (x[kept], q[kept]) if few else (x, np.where(kept, q, np.nan))
        ax.plot(at, value, "o" if few else "-", color=BLACK, markersize=size, linewidth=1.2, zorder=4,
                label="loss on rows")  # fmt: skip
    lost = q <= 0
    if lost.any():
        base = np.full(int(lost.sum()), ax.get_ylim()[0])
        ax.plot(x[lost], base, "o", markersize=size, markerfacecolor="white", markeredgecolor=VERMILION,
                markeredgewidth=0.9, zorder=5, clip_on=False, label="lost")  # fmt: skip
    _threshold(ax, report, count)
    unit = " (up to a factor)" if theory.scale_free else ""
    ax.set(xlabel=f"mode, by descending {theory.variable}", ylabel=f"eigenvalue of P{unit}", xlim=(-0.6, count - 0.4))
    ax.locator_params(axis="x", integer=True)
    handles, names = ax.get_legend_handles_labels()
    order = sorted(range(len(names)), key=lambda i: ("theory" not in names[i], i))
    ax.legend([handles[i] for i in order], [names[i] for i in order], loc="best", handlelength=1.6)
    return finish(ax)


def _shown(report: Diagnosis) -> int:
    """Return how many modes are drawn: those that survive by either forecast, and a few that collapse."""
    kept = max((k + 1 for forecast in (report.theory, report.best) for k in forecast.kept), default=0)
    return min(len(report.theory.strengths), max(kept + max(3, kept // 3), 8), max(MOST, kept))


def _floor(ax: Axes, p: Array, q: Array) -> bool:
    """Set the scale and limits of the strengths; return whether the scale is logarithmic."""
    positive = np.concatenate([p[p > 0], q[q > 0]])
    if not len(positive):
        ax.set_ylim(0, 1)
        return False
    low, high = float(positive.min()), float(positive.max())
    if high < SPREAD * low:
        ax.set_ylim(0, 1.12 * high)
        return False
    ax.set_yscale("log")
    ax.set_ylim(low / 2.5, 1.6 * high)
    return True


def _theory(ax: Axes, x: Array, p: Array, errors: Array, logarithmic: bool) -> None:
    kept = p > 0
    if not kept.any():
        return
    at, value, error = x[kept], p[kept], errors[kept]
    # A bar that reaches below zero has no end on a logarithmic axis.
    down = np.minimum(error, 0.9 * value) if logarithmic else np.minimum(error, value)
    if len(x) > POINTS:
        ax.fill_between(at, value - down, value + error, color=BLUE, alpha=0.25, linewidth=0, zorder=1)
        ax.plot(at, value, "--", color=BLUE, linewidth=1.2, zorder=2, label="theory ± s.e.")
        return
    bars = np.vstack([down, error])
    shown: Any = bars if error.any() else None
    ax.errorbar(at, value, yerr=shown, fmt="s-", color=BLUE, markerfacecolor="white", markeredgewidth=0.9,
                markersize=4.6 if len(x) <= 40 else 2.8, linewidth=0.8, elinewidth=1.0, capsize=0, zorder=2,
                label="theory ± s.e." if error.any() else "theory")  # fmt: skip


def _threshold(ax: Axes, report: Diagnosis, count: int) -> None:
    """Draw where, among the modes, eigenvalues fall below the threshold of the theory."""
    theory = report.theory
    beyond = int((theory.eigenvalues > theory.critical).sum())
    if isnan(theory.critical) or not 0 <= beyond < count:
        return
    ax.axvline(beyond - 0.5, color=GREY, linewidth=0.9, linestyle=(0, (4, 2)), zorder=0)
    words = f"threshold {theory.variable} = {number(theory.critical)}"
    ax.annotate(words, (beyond - 0.5, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 2), ha="center", va="bottom",
                textcoords="offset points", fontsize=8.0, color="#555555")  # fmt: skip
