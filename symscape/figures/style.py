"""What all figures have in common: colours, markers, sizes and letters, and how axes are made and left.

Colours are those of Okabe and Ito, and cividis, both safe for colour-blind readers; what a figure says it says by lightness,
dashes and markers too, so that it survives a printer without colour. Nothing here touches pyplot, and the settings of
matplotlib hold only while a figure of this package is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from symscape.errors import InputError, SymscapeError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

#: Okabe and Ito's colours in order of lightness, dark to light; black leads.
BLACK, BLUE, VERMILION, GREEN, ORANGE, SKY = "#000000", "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9"
GREY = "#7F7F7F"
#: Lines that are told apart without colour: one colour, dash and marker for each in turn.
COLOURS = (BLACK, BLUE, VERMILION, GREEN, ORANGE, SKY)
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.6, 1.2, 1.6)), (0, (2.6, 1.4)), "-")
MARKERS = ("o", "s", "^", "D", "v", "P")
#: Stationary points by kind: marker, and size in points.
KINDS = {"minimum": ("o", 6.0), "saddle": ("D", 5.0), "maximum": ("^", 6.5), "degenerate": ("s", 5.0)}

#: Inches: the text width of a one-column paper.
WIDTH = 5.5

SETTINGS: Any = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.titlepad": 5.0,
    "axes.labelsize": 9.0,
    "axes.labelpad": 3.0,
    "axes.linewidth": 0.6,
    "axes.facecolor": "white",
    "axes.edgecolor": BLACK,
    "axes.grid": False,
    "axes.formatter.use_mathtext": True,
    "axes.unicode_minus": True,
    "figure.facecolor": "white",
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.minor.size": 1.6,
    "ytick.minor.size": 1.6,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "hatch.linewidth": 0.5,
    # Files: letters as outlines of fonts that every reader has, and the same bytes for the same figure.
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "symscape",
}


@contextmanager
def settings() -> Iterator[None]:
    """Hold the settings of the figures, and give back those of the user. Raises SymscapeError without matplotlib."""
    try:
        from matplotlib import rc_context
    except ImportError as error:
        raise SymscapeError("figures need matplotlib: pip install 'symscape[figures]'") from error
    with rc_context(SETTINGS):
        yield


def styled(draw: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return a function that draws under the settings of the figures."""

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with settings():
            return draw(*args, **kwargs)

    return drawn


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure, in inches, which lays itself out; pyplot does not know of it."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def panels(call: str, axes: Sequence[Axes] | None, count: int, height: float, **options: Any) -> tuple[Axes, ...]:
    """Return the axes to draw in: those given, or a row of new ones. Raises InputError for a wrong number of them."""
    if axes is not None:
        return checked_axes(call, axes, count)
    return tuple(new_figure(height).subplots(1, count, squeeze=False, **options).ravel())


def checked_axes(call: str, axes: Any, count: int) -> tuple[Axes, ...]:
    """Return axes given as a sequence or an array; raises InputError unless they are ``count`` axes of matplotlib."""
    from matplotlib.axes import Axes

    flat = axes.ravel() if hasattr(axes, "ravel") else axes
    found = tuple(flat) if isinstance(flat, Iterable) else (flat,)
    if len(found) != count or not all(isinstance(ax, Axes) for ax in found):
        raise InputError(f"{call}: axes are {count} axes of matplotlib, one per panel; {len(found)} given")
    return found


def one_axes(call: str, ax: Any, height: float, width: float = WIDTH) -> Axes:
    """Return the axes to draw in: those given, or new ones in a figure of their own."""
    return checked_axes(call, (ax,), 1)[0] if ax is not None else new_figure(height, width).subplots()


def root_figure(ax: Axes) -> Any:
    """Return the figure that axes are in, not a part of it."""
    figure: Any = ax.figure
    return getattr(figure, "figure", figure) or figure


def finish(ax: Axes, frame: bool = False) -> Axes:
    """Leave axes in the common style: ticks outside, no frame where a line is drawn on white."""
    if not frame:
        ax.spines[["top", "right"]].set_visible(False)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_tick_params(which="both", direction="out")
        axis.set_tick_params(which="major", labelsize=8.0, labelfontfamily="STIXGeneral")
    return ax


def letter(ax: Axes, index: int, title: str = "") -> None:
    """Put (a), (b), ... and a title at the top left of a panel."""
    ax.set_title(f"({'abcdefgh'[index]}) {title}".rstrip(), loc="left")


def marker_of(kind: str, over_colour: bool = False) -> dict[str, Any]:
    """Return how a stationary point of a kind is drawn: its shape by kind; filled at minima, hollow elsewhere."""
    shape, size = KINDS[kind]
    filled = kind == "minimum"
    return {
        "marker": shape,
        "markersize": size,
        "markerfacecolor": BLACK if filled else "white",
        "markeredgecolor": "white" if filled and over_colour else BLACK,
        "markeredgewidth": 0.9,
        "linestyle": "none",
    }
