"""What a report says, section by section, in words and cells: the terminal and the HTML page lay out the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from symscape.diagnosis.mode_table import legend, mode_table
from symscape.diagnosis.wording import counted, figure, number, percent

if TYPE_CHECKING:
    from symscape.diagnosis.comparison import Comparison
    from symscape.diagnosis.design import Suggestion
    from symscape.diagnosis.report import Diagnosis
    from symscape.diagnosis.what_if import WhatIf


@dataclass(frozen=True)
class Section:
    """A part of a report: a title, a table of cells, and sentences below it. A row of one cell goes over all columns."""

    title: str
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    sentences: tuple[str, ...] = ()

    @property
    def numeric(self) -> tuple[bool, ...]:
        """By column, whether it holds numbers, which are set to the right."""
        whole = [row for row in self.rows if len(row) == len(self.headings)]
        return tuple(
            all(not cell or cell[0] in "-(>0123456789" for cell in column) for column in zip(*whole, strict=True)
        )


def subject(report: Diagnosis) -> str:
    """Return what a report is on: the loss, the features, the outputs."""
    outputs = counted(report.request.problem.d1, "output")
    return f"{report.name} on features {report.moments.rows} x {report.moments.columns}, {outputs}"


def answer(report: Diagnosis) -> str:
    """Return the answer in a line: kind of collapse, how many modes survive, effective rank."""
    said = {
        "complete": f"complete collapse, none of {counted(report.possible, 'possible mode')} survives",
        "none": f"no collapse, all of {counted(report.possible, 'possible mode')} survive",
        "dimensional": f"dimensional collapse, {report.surviving} of {report.possible} possible modes survive",
    }[report.kind]
    error = report.uncertainty
    if error is not None and error.surviving > 0:
        said += f" (± {number(error.surviving, 1)})"
    if report.surviving:
        spread = "" if error is None else _spread(error.effective_rank)
        said += f"; effective rank {figure(report.effective_rank)}{spread} (exp entropy of the eigenvalues of P)"
    grave = [finding.kind for finding in report.moments.findings if finding.is_grave]
    return f"{said}; beware of the data: {', '.join(grave)}" if grave else said


def sections_of(report: Diagnosis, every_mode: bool = False) -> tuple[Section, ...]:
    """Return the sections of a report below its first line: grave findings, modes, effective ranks, loss, notes."""
    headings, rows = mode_table(report, every_mode)
    grave = tuple(str(finding) for finding in report.moments.findings if finding.is_grave)
    return (
        *([Section("Beware", sentences=grave)] if grave else []),
        Section("Modes", headings, rows, legend(report, headings)),
        *([_ranks(report)] if report.surviving else []),
        Section("Loss", sentences=(_loss(report),)),
        Section("Notes", sentences=report.notes),
    )


def _ranks(report: Diagnosis) -> Section:
    error = report.uncertainty
    known = {} if error is None else {"exp entropy of the e": error.effective_rank, "part": error.participation_ratio}
    rows = []
    for definition, value in report.ranks.items():
        spread = next((error for start, error in known.items() if definition.startswith(start)), float("nan"))
        rows.append((definition, figure(value) + _spread(spread)))
    return Section("Effective rank, by definition", ("definition", "value"), tuple(rows))


def _spread(error: float) -> str:
    return f" ± {number(error, 1)}" if error > 0 else ""


def _loss(report: Diagnosis) -> str:
    where = "in the population, by theory" if report.refined is None else "as code runs it on the rows"
    at_collapse = report.loss_at_collapse
    collapsed = "0/0" if isnan(at_collapse) else number(at_collapse, 5)
    return f"{number(report.loss, 5)} at the predicted weights, {collapsed} where every output is one point; {where}"


def what_if_section(changes: Sequence[WhatIf]) -> Section:
    """Return what changes of the set-up would do."""
    return Section("What if, by theory", sentences=tuple(map(str, changes)))


def keep_section(keep: int, suggestions: Sequence[Suggestion]) -> Section:
    """Return what keeps so many modes, a sentence for each parameter."""
    sentences = [str(suggestion) for suggestion in suggestions]
    if any(suggestion.parameter == "weight_decay" for suggestion in suggestions):
        sentences.append("gamma is half of a framework's number, its coupled weight decay")
    return Section(f"To keep {counted(keep, 'mode')}, by theory", sentences=tuple(sentences))


def comparison_section(found: Comparison) -> Section:
    """Return how representations after training compare with the prediction, and the likely causes of a difference."""
    rows = tuple(
        (step.name, percent(step.moved) if i else "", figure(step.effective_rank)) for i, step in enumerate(found.steps)
    )
    said = (
        f"{counted(found.surviving_observed, 'mode')} observed, {found.surviving_predicted} predicted; effective rank "
        f"{figure(found.effective_rank_observed)} observed, {figure(found.effective_rank_predicted)} predicted; spectra "
        f"differ by {percent(found.difference)}"
    )
    headings = ("assumption dropped", "moves the spectrum by", "effective rank")
    return Section("After training", headings, rows, (said, *found.causes))
