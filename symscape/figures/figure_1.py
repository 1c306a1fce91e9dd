"""Figure 1 of the paper: the landscape around the origin, and the three ways in which it collapses or does not (T12).

The signs of B, ++, +- and --, make W = diag(w_1, w_2) keep both modes, one, or none. InfoNCE with weight decay, B = A_0 - gamma
at tau = 1, gets there as gamma passes the eigenvalues of A_0; VICReg at lambda = mu = nu = 1, epsilon = 1/4, which has
B = (A_0 - s C) / 2 for Sigma = A_0 + s C, as augmentation grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.figures.diagonal_points import DiagonalPoint, diagonal_points
from symscape.figures.style import BLACK, BLUE, checked_axes, finish, letter, marker_of, new_figure, one_axes, styled
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.infonce import InfoNCE
from symscape.losses.loss import WeightDecay
from symscape.losses.vicreg import VICReg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating[Any]]

gamma = sp.Symbol("gamma", positive=True)
#: Two modes, by what data vary and by what the augmented features do.
A0, SIGMA = np.diag([1.0, 0.6]), np.diag([1.2, 0.9])
#: How far |w_1| and |w_2| are shown.
REACH = 0.95


class Setting(NamedTuple):
    """One landscape of the figure: moments, parameters, and in words of LaTeX where it lies."""

    Sigma: Array
    parameters: dict[str, float]
    one_mode: str
    two_modes: str


#: Below, between and above the eigenvalues of A_0: none, dimensional and complete collapse.
BY_DECAY = tuple(
    Setting(SIGMA, {"gamma": decay}, one, two)
    for decay, one, two in (
        (0.15, r"\gamma < \lambda", r"\gamma < \lambda_2"),
        (0.7, "", r"\lambda_2 < \gamma < \lambda_1"),
        (1.2, r"\gamma > \lambda", r"\lambda_1 < \gamma"),
    )
)
BY_AUGMENTATION = tuple(
    Setting(A0 + strength * np.eye(2), {}, one, two)
    for strength, one, two in (
        (0.15, r"s < \lambda", r"s < \lambda_2"),
        (0.66, "", r"\lambda_2 < s < \lambda_1"),
        (1.3, r"s > \lambda", r"\lambda_1 < s"),
    )
)


def weight_decay_landscape() -> Landscape:
    """Return the landscape of InfoNCE with weight decay gamma."""
    return landscape(InfoNCE() + WeightDecay(gamma))


def augmentation_landscape() -> Landscape:
    """Return the landscape of a VICReg whose invariance outweighs its hinge at W = 0 where augmentation is strong."""
    return landscape(VICReg(lambda_=1, mu=1, nu=1, epsilon=sp.Rational(1, 4)))


def values_along(land: Landscape, w: Array, A0: Array, Sigma: Array, **parameters: Any) -> Array:
    """Return the landscape at diagonal W less its value at 0; w of shape (..., d), the diagonals."""
    value, d = land.numpy(), w.shape[-1]
    arguments = {"A0": A0, "Sigma": Sigma, **parameters}
    return np.asarray(value(w[..., None] * np.eye(d), **arguments)) - value(np.zeros((d, d)), **arguments)


@styled
def landscape_cut(
    ax: Axes | None = None,
    land: Landscape | None = None,
    A0: Any = A0[:1, :1],
    Sigma: Any = SIGMA[:1, :1],
    reach: float = REACH,
    **parameters: Any,
) -> Axes:
    """Draw a landscape over one weight w with its stationary points; return the axes.

    ``land``: that of InfoNCE with weight decay unless given; its parameters by name. A number is the index of a point.
    """
    ax = one_axes("landscape_cut", ax, 2.2, 2.6)
    land, a, s = _checked("landscape_cut", land, A0, Sigma, 1)
    w = np.linspace(-reach, reach, 401)
    ax.plot(w, values_along(land, w[:, None], a, s, **parameters), color=BLUE)
    for point in diagonal_points(land, a, s, reach, **parameters):
        level = float(values_along(land, point.w, a, s, **parameters))
        _mark(ax, point, [(place[0], level) for place in _with_signs(point.w)])
    ax.set(xlabel="$w$", ylabel="$L(w) - L(0)$", xlim=(-reach, reach))
    return finish(ax)


@styled
def landscape_plane(
    ax: Axes | None = None,
    land: Landscape | None = None,
    A0: Any = A0,
    Sigma: Any = SIGMA,
    reach: float = REACH,
    **parameters: Any,
) -> Axes:
    """Draw a landscape over W = diag(w_1, w_2) with all its stationary points of this form; return the axes.

    ``land``: that of InfoNCE with weight decay unless given; its parameters by name. Lightness is the value, dark where it
    is low; a shape tells the kind of a point, a number its index, both in the whole space of 2 x 2 weights. Raises InputError
    for moments that are not diagonal.
    """
    ax = one_axes("landscape_plane", ax, 2.6, 2.6)
    land, a, s = _checked("landscape_plane", land, A0, Sigma, 2)
    _contours(ax, reach, lambda w: values_along(land, w, a, s, **parameters))
    for point in diagonal_points(land, a, s, reach, **parameters):
        _mark(ax, point, _with_signs(point.w))
    ax.set(xlabel="$w_1$", ylabel="$w_2$", xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    return finish(ax, frame=True)


def _checked(call: str, land: Landscape | None, A0: Any, Sigma: Any, d: int) -> tuple[Landscape, Array, Array]:
    a, s = np.asarray(A0, dtype=float), np.asarray(Sigma, dtype=float)
    for matrix in (a, s):
        if matrix.shape != (d, d) or np.any(matrix != np.diag(np.diag(matrix))):
            raise InputError(
                f"{call}(A0, Sigma): the modes are the axes of W = diag(w); give diagonal {d} x {d} matrices"
            )
    return weight_decay_landscape() if land is None else land, a, s


def _with_signs(w: Array) -> list[tuple[float, ...]]:
    """Return the points that differ from w by signs, w first."""
    return list(product(*[(float(v), -float(v)) if v else (0.0,) for v in w]))


def _mark(ax: Axes, point: DiagonalPoint, places: Sequence[tuple[float, ...]]) -> None:
    from matplotlib.patheffects import withStroke

    for place in places:
        ax.plot(*[[v] for v in place], **marker_of(point.kind, over_colour=True), zorder=4)
    halo = [withStroke(linewidth=1.8, foreground="white")]
    ax.annotate(str(point.index), (places[0][0], places[0][1]), (5.0, 3.5), textcoords="offset points", fontsize=8.0,
                path_effects=halo, zorder=5)  # fmt: skip


def _contours(ax: Axes, reach: float, height: Any) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm, ListedColormap

    w = np.linspace(-reach, reach, 101)
    values = height(np.stack(np.meshgrid(w, w), axis=-1))
    # Evenly below the origin, where the stationary points are, and ever wider apart up the walls; the rest stays white.
    depth, top = -float(values.min()), 0.35 * float(values.max())
    below = round(12 * np.sqrt(depth / (depth + top)))
    levels = np.concatenate([np.linspace(-depth, 0, below + 1)[:-1], top * np.linspace(0, 1, 14 - below) ** 2])
    shades = ListedColormap(colormaps["Blues_r"](np.linspace(0.3, 1.0, 256)))
    filled = ax.contourf(w, w, values, levels, cmap=shades, norm=BoundaryNorm(levels, 256, extend="max"), extend="max")
    filled.set_edgecolor("face")
    ax.contour(w, w, values, levels[1:], colors=BLACK, linewidths=0.35, linestyles="solid", alpha=0.5)


@styled
def figure_1(axes: Sequence[Axes] | None = None) -> tuple[Axes, ...]:
    """Draw Figure 1 for InfoNCE by weight decay: two cuts, and the landscapes of no, dimensional and complete collapse.

    ``axes``: five, or None for a figure with a legend. Returns the five axes.
    """
    return _five_panels("figure_1", axes, weight_decay_landscape(), BY_DECAY, REACH)


@styled
def figure_1_augmentation(axes: Sequence[Axes] | None = None) -> tuple[Axes, ...]:
    """Draw Figure 1 for VICReg by augmentation strength, as `figure_1` does; return the five axes."""
    return _five_panels("figure_1_augmentation", axes, augmentation_landscape(), BY_AUGMENTATION, REACH)


def _five_panels(
    call: str, axes: Sequence[Axes] | None, land: Landscape, settings: Sequence[Setting], reach: float
) -> tuple[Axes, ...]:
    legend_axes = None
    if axes is None:
        figure = new_figure(4.1)
        grid = figure.add_gridspec(2, 3, height_ratios=(1.0, 1.18))
        places = [figure.add_subplot(grid[row, column]) for row in (0, 1) for column in range(3)]
        legend_axes, found = places[2], (*places[:2], *places[3:])
    else:
        found = checked_axes(call, axes, 5)
    for i, (ax, setting, name) in enumerate(zip(found[:2], settings[::2], ("no collapse", "collapse"), strict=True)):
        landscape_cut(ax=ax, land=land, Sigma=setting.Sigma[:1, :1], reach=reach, **setting.parameters)
        letter(ax, i, f"{name}, ${setting.one_mode}$")
    _same_heights(found[0], found[1])
    for i, (ax, setting, name) in enumerate(
        zip(found[2:], settings, ("no collapse", "dimensional", "complete"), strict=True)
    ):
        landscape_plane(ax=ax, land=land, Sigma=setting.Sigma, reach=reach, **setting.parameters)
        letter(ax, i + 2, f"{name}, ${setting.two_modes}$")
        ax.set(yticks=(-0.5, 0, 0.5))
    for ax in found:
        ax.set(xticks=(-0.5, 0, 0.5))
    for ax in (found[1], *found[3:]):
        ax.set_ylabel("")
    if legend_axes is not None:
        _legend(legend_axes)
    return found


def _same_heights(first: Axes, second: Axes) -> None:
    """Give two cuts one scale, down to the deepest minimum and twice as far up."""
    depth = -min(float(np.min(line.get_ydata())) for ax in (first, second) for line in ax.lines)
    for ax in (first, second):
        ax.set_ylim(-1.3 * depth, 2.0 * depth)


def _legend(ax: Axes) -> None:
    from matplotlib.lines import Line2D

    ax.set_axis_off()
    shapes = [Line2D([], [], label=kind, **marker_of(kind)) for kind in ("minimum", "saddle", "maximum")]
    number = Line2D([], [], linestyle="none", marker="$2$", markersize=5.0, markerfacecolor=BLACK, markeredgewidth=0,
                    label="index: negative\neigenvalues of the\nHessian in $W$")  # fmt: skip
    ax.legend(handles=[*shapes, number], loc="center left", borderaxespad=0, labelspacing=0.6, handlelength=1.2)
