"""How far the theory's forecast and that of the loss on rows agree, and the likely reason where they do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symscape.diagnosis.accuracy import Accuracy
from symscape.diagnosis.wording import percent

if TYPE_CHECKING:
    from symscape.diagnosis.report import Diagnosis

#: Spectra and ranks that differ by less, relatively, are said to agree.
AGREES = 0.05
#: A mode with less than this share of the strongest is too weak for its relative difference to say anything.
WEAK = 0.05
#: A change of the gain counts as a reason beyond so many standard errors, and beyond this share of the gain.
ERRORS, SHARE = 2.0, 0.02


@dataclass(frozen=True)
class Agreement:
    """Relative differences of theory from the loss on rows, and the likely reason.

    ``spectrum``: sum |p - q| / sum q over modes; ``strength``: the largest of a mode that both keep and that is not weak, and
    which ``mode`` that is (None where there is none); ``rank``: of effective rank; ``kept_by_theory``, ``kept_on_rows``: how
    many modes each keeps.
    """

    spectrum: float
    strength: float
    mode: int | None
    rank: float
    kept_by_theory: int
    kept_on_rows: int
    reason: str

    @property
    def agrees(self) -> bool:
        """Whether both have about the same spectrum and effective rank; a weak mode more or less does not count."""
        return max(self.spectrum, self.rank) < AGREES


def agreement(report: Diagnosis) -> Agreement | None:
    """Return how far theory and the loss on rows agree; None where there is no forecast of the loss on rows."""
    theory, refined = report.theory, report.refined
    if refined is None:
        return None
    p, q = (np.asarray(found.strengths, dtype=float) for found in (theory, refined))
    if theory.scale_free:
        p, q = _shares(p), _shares(q)
    apart = np.abs(p - q)
    strong = [k for k in refined.kept if k in theory.kept and q[k] > WEAK * q.max()]
    mode = max(strong, key=lambda k: apart[k] / q[k]) if strong else None
    return Agreement(
        _relative(float(apart.sum()), float(q.sum())),
        0.0 if mode is None else float(apart[mode] / q[mode]),
        mode,
        _relative(abs(theory.effective_rank - refined.effective_rank), refined.effective_rank),
        theory.surviving,
        refined.surviving,
        "the views differ, and theory sees their average"
        if any(finding.kind == "views that differ" for finding in report.moments.findings)
        else likely_reason(report.accuracy, theory.route, report.request.max_rows < report.moments.rows),
    )


def likely_reason(accuracy: Accuracy | None, route: str, part_of_rows: bool = False) -> str:
    """Return what makes theory differ from the loss on rows: what changes the gain beyond its errors, most first.

    ``part_of_rows``: whether the loss was run on some of the rows that the moments are of.
    """
    if accuracy is None or not np.isfinite([accuracy.theory, accuracy.rows.value, accuracy.gaussian.value]).all():
        return "unknown, as the gain over collapse is"
    on_rows, gaussian = accuracy.rows, accuracy.gaussian
    noise = _relative(np.hypot(on_rows.standard_error, gaussian.standard_error), abs(gaussian.value))
    left_out = f"what the {route} leaves out, " + ("higher orders" if accuracy.truncated else "such as a finite batch")
    reasons = [
        (accuracy.beyond_gaussian, noise, "the features are not Gaussian"),
        (accuracy.beyond_theory, _relative(gaussian.standard_error, abs(accuracy.theory)), left_out),
    ]
    found = sorted((r for r in reasons if r[0] > max(ERRORS * r[1], SHARE)), reverse=True)
    if not found and part_of_rows:
        return "chance: the loss was run on a part of the rows, whose moments differ a little"
    if not found and ERRORS * noise > SHARE:
        perhaps = ": perhaps truncation of the series" if accuracy.truncated else ""
        return f"not to be told from so few rows: the gain has an error of {percent(noise)}{perhaps}"
    if not found:
        return "none stands out: at the theory's weights the loss on rows gains what theory says"
    return ", then ".join(f"{what} ({percent(by)} of what the loss gains)" for by, _, what in found)


def _shares(p: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    return p / p.sum() if p.any() else p


def _relative(value: float, reference: float) -> float:
    return value / reference if reference else (float("inf") if value else 0.0)
