"""Which assumption is the likely cause of a difference between a predicted and an observed spectrum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from symscape.diagnosis.report import Diagnosis

Array = NDArray[np.floating[Any]]

#: Spectra closer than this agree: what separates them is noise of the rows.
AGREES = 0.02
#: Rows are unit vectors, or outputs standardised, when their sizes spread by less than this.
EQUAL = 1e-3
#: Below this share of explained variance representations are no linear function of the features.
LINEAR = 0.98
#: A head has converged when all further training gains less than this share of what training gained.
CONVERGED = 0.005
#: A factor between spectra closer to 1 than this is no other normalisation, nor one that leaves spectra this far apart.
FACTOR, SCALED = 1.15, 0.06

# What is measured on representations.
LENGTHS, DEVIATIONS = "spread of row lengths", "spread of the outputs' deviations"
LINEAR_SHARE = "share of variance that a linear head explains"
LOSS_ABOVE = "loss above that of all weights free, as a share of what training gains"

# The assumptions that are dropped one after the other, from theory to observation.
ON_GAUSSIAN, ON_ROWS, FREE, OBSERVED = (
    "the loss on Gaussian rows",
    "the loss on the rows",
    "all weights free on the rows",
    "observed",
)


@dataclass(frozen=True, eq=False)
class Step:
    """One assumption dropped: its name, the spectrum without it, how far that moved it (relative), and the effective rank."""

    name: str
    spectrum: Array
    moved: float
    effective_rank: float


def distance(p: ArrayLike, q: ArrayLike) -> float:
    """Return sum |p - q| / sum q of two descending spectra, the shorter one filled with zeros.

    >>> distance([1.0, 1.0], [2.0])
    1.0
    """
    a, b = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    size = max(len(a), len(b))
    a, b = (np.concatenate([x, np.zeros(size - len(x))]) for x in (a, b))
    total = float(b.sum())
    return float(np.abs(a - b).sum()) / total if total else float("inf" if a.any() else 0.0)


def likely_causes(
    report: Diagnosis,
    observed: Array,
    predicted: Array,
    steps: tuple[Step, ...],
    facts: Mapping[str, float],
    scale: float,
    gap: float | None,
) -> tuple[str, ...]:
    """Return the likely causes of the difference between prediction and observation, the likeliest first, in sentences.

    ``scale``: the observed sum of eigenvalues over the predicted one; ``gap``: of the loss, a share of what training gains, or
    None. Last comes what the theory alone leaves out, which a refined forecast has.
    """
    off = distance(predicted, observed)
    causes = list(_of_the_head(report, observed, predicted, facts, scale))
    moved = {step.name: step.moved for step in steps}
    if gap is not None and gap > CONVERGED and not causes:
        causes.append(
            "not converged, or trained on another loss, weight decay or bias: the loss of these representations is above the "
            f"loss that all weights free reach on the rows, by {100 * gap:.2g} % of what training gains"
        )
    if off >= AGREES:
        later = [name for name in (FREE, OBSERVED) if moved.get(name, 0.0) >= AGREES]
        if causes:
            later = [name for name in later if name != OBSERVED]
        causes += [_sentence(name, report, moved[name]) for name in sorted(later, key=lambda name: -moved[name])]
    elif not causes:
        causes.append(f"predicted and observed spectra agree to {100 * off:.2g} %")
    return (*causes, *_of_the_theory(report, moved, refined=report.refined is not None))


def _of_the_head(
    report: Diagnosis, observed: Array, predicted: Array, facts: Mapping[str, float], scale: float
) -> Iterator[str]:
    """Yield what the representations show of another head, or another normalisation, than was forecast."""
    if not observed.any():
        yield "collapse: every representation is the same point"
        return
    scale_free = report.request.problem.is_scale_free
    unit_rows = facts[LENGTHS] < EQUAL
    linear = facts.get(LINEAR_SHARE, 1.0)
    if unit_rows and not scale_free:
        yield "the normalisation: every representation has the same length, so that the loss saw f / |f|"
    elif linear < LINEAR and not unit_rows:
        yield (
            f"the head: only {100 * linear:.3g} % of the variance of the representations is linear in these features; a deeper "
            "head, features of another layer, or rows in another order"
        )
    if facts[DEVIATIONS] < EQUAL and report.request.problem.is_rotation_invariant:
        yield "the normalisation: every output has the same deviation, as a batch norm after the head leaves it"
    rest = distance(scale * predicted, observed)
    if max(scale, 1 / scale) > FACTOR and rest < min(SCALED, distance(predicted, observed) / 3):
        yield (
            f"the normalisation: times {scale:.4g}, the predicted spectrum is {100 * rest:.2g} % from the observed one; the "
            "features or representations are scaled, or the loss is divided by a constant"
        )


def _of_the_theory(report: Diagnosis, moved: Mapping[str, float], refined: bool) -> Iterator[str]:
    """Yield what the theory leaves out; the refined forecast has it."""
    # So many rows have fourth moments of their own, Gaussian or not.
    least = {ON_GAUSSIAN: AGREES, ON_ROWS: max(AGREES, 2 / np.sqrt(min(report.moments.rows, report.request.max_rows)))}
    early = sorted((name for name in least if moved.get(name, 0.0) >= least[name]), key=lambda name: -moved[name])
    for name in early:
        yield ("the theory alone, not the refined forecast: " if refined else "") + _sentence(name, report, moved[name])


def _sentence(name: str, report: Diagnosis, moved: float) -> str:
    what = {
        ON_GAUSSIAN: (
            f"truncation: the {report.theory.route} is off at this distance from W = 0" if report.theory_is_truncated
            else f"the {report.theory.route} leaves out what a finite batch does, or norms that vary"
        ),
        ON_ROWS: "features that are not Gaussian: the loss on the rows makes another spectrum of the same moments",
        FREE: "modes mix: training leaves the theory's directions",
        OBSERVED: "not converged, or trained otherwise: other batches, views drawn anew, noise of the steps, decoupled decay",
    }[name]  # fmt: skip
    return f"{what} (moves the spectrum by {100 * moved:.2g} %)"
