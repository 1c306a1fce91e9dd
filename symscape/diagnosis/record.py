"""The report as plain values, ready for JSON."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from symscape.diagnosis.agreement import agreement

if TYPE_CHECKING:
    from symscape.diagnosis.comparison import Comparison
    from symscape.diagnosis.design import Suggestion
    from symscape.diagnosis.modes import DiagnosedMode
    from symscape.diagnosis.report import Diagnosis
    from symscape.forecast.forecast import Forecast
    from symscape.sampling.evaluator import Estimate

#: Changes when a key is renamed, or its meaning changes; keys may join without.
SCHEMA = 1


def record_of(report: Diagnosis) -> dict[str, Any]:
    """Return a report as a dictionary of plain Python values, None in place of NaN and infinity; `json.dumps` takes it.

    ``symscape``, ``schema``: versions of the package and of these keys.
    ``loss``: name; ``gamma``: of gamma ||W||^2; ``outputs``: d1; ``has_bias``; ``features``: {rows, columns, name}, the
    name that of the file or files, or "arrays"; ``run``: {max_rows, batch_size, seed} of the loss on rows.
    ``kind``: "complete" | "dimensional" | "none"; ``surviving``; ``possible``: min(d0, d1); ``surviving_error``.
    ``spectrum``: predicted eigenvalues of P, d1 numbers, descending; ``spectrum_error``; ``scale_free``: whether only their
    ratios are predicted.
    ``effective_ranks``: {definition: value}; ``effective_rank_error``, ``participation_ratio_error``.
    ``loss_at_prediction``, ``loss_at_collapse``.
    ``threshold``: {variable: "r" | "b", value}.
    ``modes``: a list, descending by eigenvalue, of {number, eigenvalue, eigenvalue_error, r, r_error, strength,
    theory_strength, strength_error, survives, verdict, confidence, growth_rate, driven_by, held_by}.
    ``learning_order``: indices of the surviving modes; ``terms``: a list of {term, force}, by mode.
    ``theory``, ``refined``: {route, kind, surviving, kept, effective_rank, value, value_at_collapse, spectrum, notes};
    ``refined`` is None where the loss was not run on rows.
    ``accuracy``: {theory, gaussian, rows, truncated, beyond_gaussian, beyond_theory}, gains over collapse, or None;
    ``agreement``: {spectrum, strength, mode, rank, reason, agrees} of theory with rows, relative, or None.
    ``findings``: what was found in the data, a list of {kind, sentence, where}; ``notes``: sentences.

    Errors are standard errors. Weights and directions are left out: see ``report.W``, ``report.modes``.
    """
    asked, request, error = report.request.problem, report.request, report.uncertainty
    return _plain({
        "symscape": version("symscape"),
        "schema": SCHEMA,
        "loss": report.name,
        "gamma": float(asked.gamma),
        "outputs": asked.d1,
        "has_bias": asked.bias,
        "features": {
            "rows": report.moments.rows,
            "columns": report.moments.columns,
            "name": report.moments.name,
        },
        "run": {"max_rows": request.max_rows, "batch_size": request.batch_size, "seed": request.seed},
        "kind": report.kind,
        "surviving": report.surviving,
        "possible": report.possible,
        "surviving_error": None if error is None else error.surviving,
        "spectrum": report.spectrum,
        "spectrum_error": None if error is None else error.spectrum,
        "scale_free": report.theory.scale_free,
        "effective_ranks": report.ranks,
        "effective_rank_error": None if error is None else error.effective_rank,
        "participation_ratio_error": None if error is None else error.participation_ratio,
        "loss_at_prediction": report.loss,
        "loss_at_collapse": report.loss_at_collapse,
        "threshold": {"variable": report.theory.variable, "value": report.theory.critical},
        "modes": [_mode(report, mode) for mode in report.modes],
        "learning_order": report.learning_order,
        "terms": [{"term": term.term, "force": term.force} for term in report.terms],
        "theory": _forecast(report.theory),
        "refined": None if report.refined is None else _forecast(report.refined),
        "accuracy": _accuracy(report),
        "agreement": _agreement(report),
        "findings": [{"kind": f.kind, "sentence": f.sentence, "where": f.where} for f in report.moments.findings],
        "notes": report.notes,
    })  # fmt: skip


def suggestions_record(suggestions: tuple[Suggestion, ...]) -> list[dict[str, Any]]:
    """Return what keeps a number of modes as plain values: {parameter, keep, intervals, value, reason}."""
    fields = ("parameter", "keep", "intervals", "value", "reason")
    return [_plain({name: getattr(suggestion, name) for name in fields}) for suggestion in suggestions]


def comparison_record(found: Comparison) -> dict[str, Any]:
    """Return a comparison after training as plain values.

    {observed, predicted: spectra; surviving_observed, surviving_predicted; effective_rank_observed, effective_rank_predicted;
    difference; steps: [{name, moved, effective_rank}]; causes; facts}.
    """
    names = (
        "observed", "predicted", "surviving_observed", "surviving_predicted", "effective_rank_observed",
        "effective_rank_predicted", "difference", "causes", "facts",
    )  # fmt: skip
    steps = [{"name": s.name, "moved": s.moved, "effective_rank": s.effective_rank} for s in found.steps]
    return _plain({**{name: getattr(found, name) for name in names}, "steps": steps})


def _mode(report: Diagnosis, mode: DiagnosedMode) -> dict[str, Any]:
    error = report.uncertainty
    return {
        "number": mode.number,
        "eigenvalue": mode.eigenvalue,
        "eigenvalue_error": mode.standard_error,
        "r": mode.r,
        "r_error": mode.r_error,
        "strength": mode.strength,
        "theory_strength": mode.theory_strength,
        "strength_error": None if error is None else error.strengths[mode.number],
        "survives": mode.survives,
        "verdict": mode.verdict,
        "confidence": mode.confidence,
        "growth_rate": mode.growth_rate,
        "driven_by": mode.driven_by or None,
        "held_by": mode.held_by or None,
    }


def _forecast(found: Forecast) -> dict[str, Any]:
    names = ("route", "kind", "surviving", "kept", "effective_rank", "value", "value_at_collapse", "spectrum", "notes")
    return {name: getattr(found, name) for name in names}


def _accuracy(report: Diagnosis) -> dict[str, Any] | None:
    found = report.accuracy
    if found is None:
        return None

    def estimate(value: Estimate) -> dict[str, float]:
        return {"value": value.value, "standard_error": value.standard_error}

    return {
        "theory": found.theory,
        "gaussian": estimate(found.gaussian),
        "rows": estimate(found.rows),
        "truncated": found.truncated,
        "beyond_gaussian": found.beyond_gaussian,
        "beyond_theory": found.beyond_theory,
    }


def _agreement(report: Diagnosis) -> dict[str, Any] | None:
    found = agreement(report)
    names = ("spectrum", "strength", "mode", "rank", "reason", "agrees")
    return None if found is None else {name: getattr(found, name) for name in names}


def _plain(value: Any) -> Any:
    """Return a value in types that JSON has: arrays and tuples as lists, NaN and infinity as None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
