"""Figures: what the theory looks like, every number in them derived by the engine when they are drawn.

Each figure is a function that takes ``axes=`` (or, for one panel, ``ax=``), draws in new axes where none are given, and returns
the axes; their ``.figure`` saves them. They need matplotlib, ``pip install 'symscape[figures]'``, which is imported when the
first one is drawn; pyplot and its global state are left alone.
"""

from symscape.figures.catalogue import FIGURES, NamedFigure, find_figure, save_figure
from symscape.figures.figure_1 import figure_1, figure_1_augmentation, landscape_cut, landscape_plane
from symscape.figures.growth import growth, growth_of_modes
from symscape.figures.phase_augmentation import phase_augmentation, phase_diagram
from symscape.figures.phase_imbalance import class_phase_diagram, phase_imbalance
from symscape.figures.phase_normalisation import kept_on_the_shell, phase_normalisation
from symscape.figures.quartic_and_exact import quartic_and_exact, series_cut, trained_strength
from symscape.figures.robustness import robustness, strength_of_rare_class
from symscape.figures.spectra import predicted_against_r, spectra

__all__ = [
    "FIGURES",
    "NamedFigure",
    "class_phase_diagram",
    "figure_1",
    "figure_1_augmentation",
    "find_figure",
    "growth",
    "growth_of_modes",
    "kept_on_the_shell",
    "landscape_cut",
    "landscape_plane",
    "phase_augmentation",
    "phase_diagram",
    "phase_imbalance",
    "phase_normalisation",
    "predicted_against_r",
    "quartic_and_exact",
    "robustness",
    "save_figure",
    "series_cut",
    "spectra",
    "strength_of_rare_class",
    "trained_strength",
]
