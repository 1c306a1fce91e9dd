"""Phase diagrams: the plane of two parameters divided by how many modes survive, each region with its name in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symscape.figures.style import BLACK, root_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating[Any]]

#: Cells across and up in which room for a name is looked for; size of its letters in points, and their mean width.
CELLS = (181, 141)
LETTERS, WIDTH_OF_LETTER = 8.0, 0.45


def shades(modes: int) -> tuple[Any, ...]:
    """Return a colour for 0, 1, ..., ``modes`` survivors: dark at complete collapse, light where all survive."""
    from matplotlib import colormaps

    return tuple(colormaps["Blues_r"](np.linspace(0.05, 0.93, modes + 1)))


def words_for(surviving: int, possible: int) -> tuple[str, str, str]:
    """Return what a region is called, at length, in short, and in a sign.

    >>> words_for(0, 3)[0], words_for(2, 3)[0], words_for(3, 3)[0]
    ('complete collapse', '2 of 3 kept', 'no collapse')
    """
    if surviving == 0:
        return "complete collapse", "complete", "0"
    long = "no collapse" if surviving == possible else f"{surviving} of {possible} kept"
    return long, f"{surviving} kept", str(surviving)


def surviving_at(x: Array, bounds: Sequence[Array], at_x: Array, at_y: Array) -> NDArray[np.int_]:
    """Return how many modes survive at points of the plane, mode k below bounds[k] over x, read between columns."""
    return np.sum([at_y < np.interp(at_x, x, bound) for bound in bounds], axis=0)


def paint_regions(ax: Axes, x: Array, bounds: Sequence[Array]) -> None:
    """Paint and name the regions: mode k survives below bounds[k] over x, and bounds descend; lines mark the bounds.

    The limits and scales of the axes are those that were set before.
    """
    colours, low = shades(len(bounds)), ax.get_ylim()[0]
    ax.set_facecolor(colours[0])
    for k, bound in enumerate(bounds):
        ax.fill_between(x, low, np.maximum(bound, low), color=colours[k + 1], linewidth=0)
        ax.plot(x, bound, color=BLACK, linewidth=0.9, zorder=3)
    _name_regions(ax, x, bounds)


def _name_regions(ax: Axes, x: Array, bounds: Sequence[Array]) -> None:
    """Write into each region its name, where it has the most room; a region too small for one goes without."""
    from scipy.ndimage import distance_transform_edt, minimum_filter

    across, up = np.meshgrid(np.linspace(0, 1, CELLS[0]), np.linspace(0, 1, CELLS[1]))
    shares = np.column_stack([across.ravel(), up.ravel()])
    at = ax.transData.inverted().transform(ax.transAxes.transform(shares))
    counts = surviving_at(x, bounds, at[:, 0], at[:, 1]).reshape(up.shape)
    box, points = ax.get_window_extent(), 72 / root_figure(ax).dpi
    for surviving in range(len(bounds) + 1):
        for words in words_for(surviving, len(bounds)):
            wide = (len(words) * WIDTH_OF_LETTER + 0.4) * LETTERS / (box.width * points) * CELLS[0]
            high = 1.3 * LETTERS / (box.height * points) * CELLS[1]
            room = minimum_filter(counts == surviving, (int(high) | 1, int(wide) | 1), mode="constant", cval=0)
            if room.any():
                depth = distance_transform_edt(np.pad(room, 1))[1:-1, 1:-1]
                best = np.argwhere(depth > depth.max() - 1)
                row, column = best[((best - best.mean(axis=0)) ** 2).sum(axis=1).argmin()]
                colour = "white" if surviving <= len(bounds) / 3 else BLACK
                ax.text(across[row, column], up[row, column], words, transform=ax.transAxes, color=colour,
                        ha="center", va="center", fontsize=LETTERS, zorder=4)  # fmt: skip
                break
