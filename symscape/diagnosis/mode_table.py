"""The table of modes: the strongest and those around the threshold, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from typing import TYPE_CHECKING

from symscape.diagnosis.wording import figure, number, probability, with_error

if TYPE_CHECKING:
    from symscape.diagnosis.modes import DiagnosedMode
    from symscape.diagnosis.report import Diagnosis

#: Up to so many modes a short table shows every one.
FEW = 12
#: Beyond, the first, so many on each side of where modes begin to collapse, and so many that are at their threshold.
STRONGEST, AROUND, DOUBTFUL = 6, 3, 8

Row = tuple[str, ...]


def shown_modes(report: Diagnosis) -> tuple[int, ...]:
    """Return which modes a short table shows: the first, and those around the last that survives and the threshold."""
    modes = report.modes
    if len(modes) <= FEW:
        return tuple(range(len(modes)))
    strongest = modes[:STRONGEST]
    kept = [mode for mode in modes if mode.survives]
    lost = [mode for mode in modes if not mode.survives]
    chosen = [*strongest, *kept[-AROUND:], *lost[:AROUND]]
    theory = report.theory
    doubtful = sorted(doubtful_modes(report), key=lambda k: abs(theory.eigenvalues[k] - theory.critical))
    return tuple(sorted({mode.number for mode in chosen} | set(doubtful[:DOUBTFUL])))


def doubtful_modes(report: Diagnosis) -> tuple[int, ...]:
    """Return the modes at their threshold whose fate more rows might change: all but those that no output is left for."""
    full = report.surviving >= report.possible
    return tuple(
        mode.number for mode in report.modes if mode.verdict == "at its threshold" and (mode.survives or not full)
    )


def mode_table(report: Diagnosis, every_mode: bool = False) -> tuple[Row, tuple[Row, ...]]:
    """Return headings and rows of cells; a row of one cell counts modes that are left out. Empty columns are left out."""
    indices = range(len(report.modes)) if every_mode else shown_modes(report)
    chosen = [report.modes[k] for k in indices]
    pencil, refined = report.theory.variable == "b", report.refined is not None
    terms = {term.term: f"({i})" for i, term in enumerate(report.terms, 1)}
    learned = {k: str(place) for place, k in enumerate(report.learning_order, 1)}
    columns = {
        "mode": [str(mode.number) for mode in chosen],
        "r": [figure(mode.r) if pencil else with_error(mode.r, mode.r_error) for mode in chosen],
        "b": [with_error(mode.eigenvalue, mode.standard_error) if pencil else "" for mode in chosen],
        "p theory": [figure(mode.theory_strength) for mode in chosen],
        "p rows": [figure(mode.strength) if refined else "" for mode in chosen],
        "verdict": [mode.verdict for mode in chosen],
        "sure": [_sure(report, mode) for mode in chosen],
        "drives": [terms.get(mode.driven_by, "") for mode in chosen],
        "holds": [terms.get(mode.held_by, "") for mode in chosen],
        "order": [learned.get(mode.number, "") for mode in chosen],
    }
    columns = {heading: cells for heading, cells in columns.items() if any(cells)}
    rows = tuple(zip(*columns.values(), strict=True))
    return tuple(columns), tuple(_with_gaps(report.modes, tuple(indices), rows))


def legend(report: Diagnosis, headings: Sequence[str]) -> tuple[str, ...]:
    """Return what the columns mean, where the threshold is, and the terms of the loss by number."""
    theory = report.theory
    both = ", by theory and by the loss on rows" if "p rows" in headings else ", by theory"
    meanings = {
        "r": "r: canonical correlation of the two views",
        "b": "b: eigenvalue of the pencil (B, Sigma), weight decay included",
        "p theory": f"p: eigenvalue of P after training{both}",
        "sure": "sure: probability that the mode is on this side of its threshold",
        "drives": "drives, holds: the term that does most to raise p, and to lower it",
        "order": "order: in which modes are learned from small weights",
    }
    words = [meaning for heading, meaning in meanings.items() if heading in headings]
    if not isnan(theory.critical):
        words.append(f"threshold of theory: {theory.variable} = {number(theory.critical)}")
    shown = "drives" in headings or "holds" in headings
    return ("; ".join(words), *(f"({i}) {term.term}" for i, term in enumerate(report.terms, 1) if shown))


def _sure(report: Diagnosis, mode: DiagnosedMode) -> str:
    """Return how sure a verdict is; where the loss on rows finds another than theory does, say so instead."""
    by_theory = mode.number in report.theory.kept
    if by_theory == mode.survives:
        return probability(mode.confidence)
    return "theory: kept" if by_theory else "theory: lost"


def _with_gaps(modes: Sequence[DiagnosedMode], indices: Sequence[int], rows: Sequence[Row]) -> Iterator[Row]:
    before = -1
    for k, row in zip((*indices, len(modes)), (*rows, ()), strict=True):
        between = modes[before + 1 : k]
        kept = sum(mode.survives for mode in between)
        lost = len(between) - kept
        words = [f"{count} more {what}" for count, what in ((kept, "kept"), (lost, "lost")) if count]
        if words:
            yield (f"... {', '.join(words)}",)
        if row:
            yield row
        before = k
