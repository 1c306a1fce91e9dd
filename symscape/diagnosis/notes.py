"""What a prediction rests on, what was found in the data, and where the theory is off, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from symscape.diagnosis.agreement import AGREES, agreement
from symscape.diagnosis.mode_table import doubtful_modes
from symscape.diagnosis.wording import counted, listed, number, percent
from symscape.errors import SymscapeError
from symscape.losses.catalogue import make_loss
from symscape.losses.presets.preset import Preset

if TYPE_CHECKING:
    from symscape.diagnosis.report import Diagnosis


def notes_of(report: Diagnosis) -> tuple[str, ...]:
    """Return what a report rests on and what to beware of, the weightiest first: sentences."""
    parts = (_accuracy, _data, _modes, _route, _decay, _rows, _errors, _preset)
    return tuple(dict.fromkeys(sentence for part in parts for sentence in part(report)))


def _accuracy(report: Diagnosis) -> Iterator[str]:
    """Yield how far theory and the loss on rows differ, and the likely reason."""
    found = agreement(report)
    if found is None and report.accuracy is not None:
        yield (
            "the loss on these rows falls without end as weights grow, so the forecast is the theory's: the views are all but "
            "identical, or so few rows can be told apart one by one; augment more, add weight decay, or give more rows"
        )
        return
    if found is None:
        yield "theory alone: the loss was not run on rows, so that how far the theory is off here is unknown"
        return
    if found.kept_by_theory != found.kept_on_rows:
        yield f"theory keeps {counted(found.kept_by_theory, 'mode')}, the loss on rows {found.kept_on_rows}"
    if found.agrees and not report.surviving:
        yield "theory and the loss on rows agree: every mode collapses"
        return
    if found.agrees:
        apart = f", though mode {found.mode} by {percent(found.strength)}" if found.strength > AGREES else ""
        yield (
            f"theory and the loss on rows agree: spectra within {percent(found.spectrum)}, effective rank within "
            f"{percent(found.rank)}{apart}"
        )
        return
    mode = "" if found.mode is None else f", mode {found.mode} by {percent(found.strength)}"
    yield (
        f"theory and the loss on rows differ: spectra by {percent(found.spectrum)}{mode}, effective rank by "
        f"{percent(found.rank)}; go by the loss on rows"
    )
    yield f"likely reason: {found.reason}"
    yield from () if report.accuracy is None else report.accuracy.sentences


def _data(report: Diagnosis) -> Iterator[str]:
    yield from (str(finding) for finding in report.moments.findings if not finding.is_grave)


def _modes(report: Diagnosis) -> Iterator[str]:
    """Yield which modes are near their threshold, and which are lost for want of outputs."""
    near = doubtful_modes(report)
    if near:
        lie, they = ("lies", "it collapses") if len(near) == 1 else ("lie", "they collapse")
        yield f"{listed(near)} {lie} within two standard errors of the threshold: more rows would tell whether {they}"
    wanting = sum(mode.verdict == "no output left" for mode in report.modes)
    if wanting:
        modes = f"{counted(wanting, 'mode')} beyond the threshold {'is' if wanting == 1 else 'are'}"
        yield f"{modes} lost because no output is left: raise d1 above {report.request.problem.d1} to keep more"


def _route(report: Diagnosis) -> Iterator[str]:
    theory = report.theory
    rests = f"; it rests on: {'; '.join(theory.notes)}" if theory.notes else ""
    yield f"theory: {theory.route}, on {theory.frame.sentence}{rests}"
    if theory.scale_free:
        total = float(report.spectrum.sum())
        yield f"strengths are known up to a common factor, which the loss does not see: here they add up to {number(total)}"


def _decay(report: Diagnosis) -> Iterator[str]:
    gamma = float(report.request.problem.gamma)
    if gamma:
        yield (
            f"gamma = {number(gamma)} is weight decay {number(2 * gamma)} of a framework that adds it to the gradient; "
            "decoupled decay (AdamW, LARS) is no part of a loss, and has no gamma"
        )


def _rows(report: Diagnosis) -> Iterator[str]:
    refined, request = report.refined, report.request
    if refined is None:
        return
    used, rows = min(request.max_rows, report.moments.rows), report.moments.rows
    if used < rows:
        yield f"the loss was run on {used} of {rows} rows, drawn with seed {request.seed}"
    if request.batch_size is not None:
        yield f"the loss was run in batches of {request.batch_size}"
    yield from refined.notes


def _errors(report: Diagnosis) -> Iterator[str]:
    if report.uncertainty is not None:
        yield (
            "standard errors are those of another sample of as many independent rows; a head trained on these very rows sees "
            "these very moments"
        )
    else:
        yield "no standard errors: the moments come without groups of rows"


def _preset(report: Diagnosis) -> Iterator[str]:
    loss = report.request.loss
    if isinstance(loss, str):
        try:
            loss = make_loss(loss, report.request.settings)
        except SymscapeError:
            return
    if isinstance(loss, Preset):
        yield from (f"preset: {note}" for note in loss.notes)
