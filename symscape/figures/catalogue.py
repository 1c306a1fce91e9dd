"""The figures by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from symscape.errors import InputError, UnknownNameError
from symscape.figures.figure_1 import figure_1, figure_1_augmentation
from symscape.figures.growth import growth
from symscape.figures.phase_augmentation import phase_augmentation
from symscape.figures.phase_imbalance import phase_imbalance
from symscape.figures.phase_normalisation import phase_normalisation
from symscape.figures.quartic_and_exact import quartic_and_exact
from symscape.figures.robustness import robustness
from symscape.figures.spectra import spectra
from symscape.figures.style import root_figure, settings
from symscape.figures.writing import format_of, whole_file, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Dots per inch of a png: fine enough for print at this size, and two pixels a point on a screen.
DPI = 200
#: Between which dots per inch a png is written.
DPI_RANGE = (30, 1200)


@dataclass(frozen=True)
class NamedFigure:
    """A figure by name: what it shows, in a line, and the function that draws it and returns its axes."""

    name: str
    title: str
    draw: Callable[..., tuple[Axes, ...]]


FIGURES = (
    NamedFigure("figure-1", "Figure 1 of the paper: landscapes of no, dimensional and complete collapse", figure_1),
    NamedFigure("figure-1-augmentation", "the same for VICReg, by augmentation strength", figure_1_augmentation),
    NamedFigure("phase-augmentation", "kind of collapse by augmentation strength and weight decay", phase_augmentation),
    NamedFigure("phase-normalisation", "kind of collapse by temperature and normalisation", phase_normalisation),
    NamedFigure("phase-imbalance", "kind of collapse by class probability and weight decay", phase_imbalance),
    NamedFigure("spectra", "predicted spectra against canonical correlations, loss by loss", spectra),
    NamedFigure("quartic-and-exact", "the quartic landscape of InfoNCE against the exact one", quartic_and_exact),
    NamedFigure("growth", "growth of modes under gradient flow", growth),
    NamedFigure("robustness", "strength of a rare class by its probability, loss by loss", robustness),
)


def plain(name: str) -> str:
    """Return a name without case, hyphens, underscores and spaces.

    >>> plain("Figure_1")
    'figure1'
    """
    return "".join(c for c in name.lower() if c.isalnum())


def find_figure(name: str) -> NamedFigure:
    """Return a figure by name; case and hyphens are ignored. Raises UnknownNameError with a suggestion.

    >>> find_figure("Figure 1").name
    'figure-1'
    """
    known = {plain(figure.name): figure for figure in FIGURES}
    if plain(name) in known:
        return known[plain(name)]
    close = get_close_matches(plain(name), known, n=1) or [key for key in known if plain(name) and plain(name) in key]
    hint = f"did you mean {known[close[0]].name!r}? " if close else ""
    raise UnknownNameError(f"unknown figure {name!r}; {hint}known: {', '.join(figure.name for figure in FIGURES)}")


def save_figure(name: str, file: str | os.PathLike[str], dpi: float = DPI) -> Path:
    """Draw a figure into a file, png, svg or pdf by the ending of its name; return its path.

    What cannot be written is refused before anything is drawn, and a file is written whole or not at all; one that exists is
    replaced. ``dpi`` is for png. Raises UnknownNameError for an unknown figure, InputError for a file or dpi that will not do,
    SymscapeError without matplotlib.
    """
    figure, form = find_figure(name), format_of(file)
    if isinstance(dpi, bool) or not DPI_RANGE[0] <= dpi <= DPI_RANGE[1]:
        raise InputError(f"save_figure({name!r}, dpi={dpi!r}): dots per inch are from {DPI_RANGE[0]} to {DPI_RANGE[1]}")
    with settings(), whole_file(file) as stream:
        write(root_figure(figure.draw()[0]), stream, form, dpi)
    return Path(file)
