"""After training: the predicted spectrum beside that of real representations, and what is likely to make the difference.

From theory to observation one assumption after the other is dropped, each step a spectrum:

    theory -> the loss on Gaussian rows          truncation of a series, finite batch
           -> the loss on the rows               features that are not Gaussian
           -> all weights free on the rows       modes that mix
           -> observed                           not converged, another normalisation, another head, other data

The step over which the spectrum moves most is the likely cause.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscape.diagnosis.causes import (
    DEVIATIONS,
    EQUAL,
    FREE,
    LENGTHS,
    LINEAR_SHARE,
    LOSS_ABOVE,
    OBSERVED,
    ON_GAUSSIAN,
    ON_ROWS,
    Step,
    distance,
    likely_causes,
)
from symscape.diagnosis.diagnose import chosen_rows
from symscape.errors import InputError, SymscapeError
from symscape.forecast.forecast import Forecast
from symscape.forecast.mode_rows import gaussian_rows, mode_rows
from symscape.forecast.refined import NoMinimumOnRowsError, modes_in_play, refined
from symscape.sampling.sampled_loss import SampledLoss
from symscape.spectrum.ranks import entropy_rank
from symscape.training.train_head import train_head
from symscape.training.trained_head import TrainedHead

if TYPE_CHECKING:
    from symscape.diagnosis.report import Diagnosis

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Predicted beside observed.

    ``observed``: eigenvalues of P of the representations, descending; ``predicted``: the report's, in the same normalisation;
    ``surviving_observed``; ``steps``: from theory to observation; ``causes``: sentences, the likeliest first; ``facts``: what
    was measured on the representations.
    """

    name: str
    observed: Array
    predicted: Array
    surviving_observed: int
    surviving_predicted: int
    steps: tuple[Step, ...]
    causes: tuple[str, ...]
    facts: dict[str, float] = field(default_factory=dict)

    @property
    def effective_rank_observed(self) -> float:
        """exp of the entropy of the observed eigenvalues of P."""
        return entropy_rank(self.observed)

    @property
    def effective_rank_predicted(self) -> float:
        """exp of the entropy of the predicted eigenvalues of P."""
        return entropy_rank(self.predicted)

    @property
    def difference(self) -> float:
        """The distance of the spectra, relative: sum |p - q| / sum q."""
        return distance(self.predicted, self.observed)

    def __str__(self) -> str:
        lines = [
            f"{self.name}: {self.surviving_observed} modes observed, {self.surviving_predicted} predicted; effective rank "
            f"{self.effective_rank_observed:.4g} observed, {self.effective_rank_predicted:.4g} predicted; spectra differ by "
            f"{100 * self.difference:.2g} %",
            "  from theory to observation, and how far the spectrum moves:",
        ]
        lines += [f"    {s.name}: {100 * s.moved:.2g} %, effective rank {s.effective_rank:.4g}" for s in self.steps]
        return "\n".join([*lines, *(f"  {cause}" for cause in self.causes)])

    __repr__ = __str__


def compare(report: Diagnosis, z_a: ArrayLike, z_b: ArrayLike | None = None, train: bool = True) -> Comparison:
    """Return how representations after training (N x d1, of the report's rows) compare with the prediction, and why.

    ``z_b``: of the other view; one view will do. ``train``: also free all weights on the rows, from the predicted ones, which
    tells mixing modes from a training that has not converged. Raises InputError for representations that do not fit.
    """
    views = _checked(report, z_a, z_b)
    asked, best = report.request.problem, report.best
    centred = best.frame.mean_goes in ("loss", "bias")
    observed = _eigenvalues(views, centred)
    facts = _facts(views)
    # What unit rows have is compared with what unit rows of the prediction would have.
    unit = facts[LENGTHS] < EQUAL and asked.is_scale_free
    features = report.request.features
    head: TrainedHead | None = None
    predicted = best.spectrum
    chain: list[tuple[str, Array]] = [("theory", report.theory.spectrum)]
    if features is not None:
        a, b = chosen_rows(features, report.request.max_rows, np.random.default_rng(report.request.seed))
        used = modes_in_play(asked, report.theory)
        rows = mode_rows(asked, report.theory, a, b, used, report.request.batch_size)
        gauss = gaussian_rows(
            asked, report.theory, report.moments.mean, len(a), used, np.random.default_rng(0), report.request.batch_size
        )

        def spectrum(model: Forecast | TrainedHead) -> Array:
            images = [model.representations(x) for x in (a, b)[: len(views)]]
            return _eigenvalues([_unit(z) for z in images] if unit else images, centred)

        def forecast_spectrum(model: Forecast) -> Array:
            # One view of so many rows has moments of its own.
            return spectrum(model) if unit or len(views) < 2 else model.spectrum

        predicted = forecast_spectrum(best)
        chain = [("theory", forecast_spectrum(report.theory))]
        with suppress(NoMinimumOnRowsError):
            chain.append((ON_GAUSSIAN, forecast_spectrum(refined(report.theory, gauss, used))))
        start = best
        with suppress(NoMinimumOnRowsError):
            start = refined(report.theory, rows, used)
            chain.append((ON_ROWS, spectrum(start)))
        if train:
            head = _trained(report, a, b, start.W)
            chain.append((FREE, spectrum(head)))
        facts |= _linear(views, features)
    scale = 1.0
    if asked.is_scale_free:
        observed, predicted = _shares(observed), _shares(predicted)
        chain = [(name, _shares(p)) for name, p in chain]
    else:
        scale = float(observed.sum() / predicted.sum()) if predicted.any() else 1.0
    steps = _steps([*chain, (OBSERVED, observed)])
    gap = _loss_gap(report, views, head)
    if gap is not None:
        facts[LOSS_ABOVE] = gap
    causes = likely_causes(report, observed, predicted, steps, facts, scale, gap)
    kept = int((observed > 1e-3 * observed.max(initial=0.0)).sum()) if observed.any() else 0
    return Comparison(report.name, observed, predicted, kept, best.surviving, steps, causes, facts)


def trained_from(report: Diagnosis, **settings: Any) -> TrainedHead:
    """Return the head that training reaches on the report's rows from the predicted weights; settings as of `train_head`."""
    features = report.request.features
    fixed = sorted({"loss", "d1", "features_a", "features_b", "W"} & set(settings))
    if fixed:
        raise InputError(f"train({fixed[0]}=...): the report says that; use train_head, or report.what_if(...) first")
    if features is None:
        raise InputError("train(): the report was made from moments alone; pass features to diagnose")
    a, b = chosen_rows(features, report.request.max_rows, np.random.default_rng(report.request.seed))
    return _trained(report, a, b, report.best.W, **settings)


def _trained(report: Diagnosis, a: Array, b: Array, W: Array, **settings: Any) -> TrainedHead:
    asked = report.request.problem
    # Decay would only shrink the weights of a loss that does not change along W -> c W.
    gamma = 0.0 if asked.is_scale_free else float(asked.gamma)
    given = {"W": W, "weight_decay": gamma, "bias": asked.bias, "batch_size": report.request.batch_size, **settings}
    return train_head(asked.loss, a, b, asked.d1, **given)


def _checked(report: Diagnosis, z_a: ArrayLike, z_b: ArrayLike | None) -> list[Array]:
    d1, rows = report.request.problem.d1, report.moments.rows
    if z_a is None:
        raise InputError("compare: give representations of at least one view, N x d1, of the rows of the report")
    views = []
    for name, z in (("z_a", z_a), ("z_b", z_b)):
        if z is None:
            continue
        try:
            views.append(np.asarray(z))
        except (RuntimeError, TypeError, ValueError) as error:
            raise InputError(f"compare: {name} does not turn into an array: {error}") from error
    for name, z in zip(("z_a", "z_b"), views, strict=False):
        if z.ndim != 2 or z.dtype.kind not in "fiu" or not len(z):
            raise InputError(f"compare: {name} has shape {z.shape} and type {z.dtype}; give N x d1 real numbers")
        if z.shape[1] != d1:
            raise InputError(f"compare: {name} has {z.shape[1]} outputs; the report is on d1 = {d1}")
        if len(z) != rows:
            raise InputError(
                f"compare: {name} has {len(z)} rows, the features have {rows}; give those of the same rows"
            )
        if not np.isfinite(z).all():
            raise InputError(f"compare: {name} has NaN or infinity in row {int(np.argmin(np.isfinite(z).all(axis=1)))}")
    return [z.astype(float) for z in views]


def _eigenvalues(views: list[Array], centred: bool) -> Array:
    """Return the eigenvalues of P, averaged over the views, descending."""
    mean = np.mean([z.mean(axis=0) for z in views], axis=0) if centred else 0.0
    P = np.mean([(z - mean).T @ (z - mean) / len(z) for z in views], axis=0)
    found: Array = np.maximum(np.linalg.eigvalsh(P)[::-1], 0.0)
    return found


def _shares(p: Array) -> Array:
    return p / p.sum() if p.any() else p


def _unit(z: Array) -> Array:
    found: Array = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    return found


def _facts(views: list[Array]) -> dict[str, float]:
    z = np.concatenate(views)
    lengths, deviations = np.linalg.norm(z, axis=1), z.std(axis=0)
    spread = {LENGTHS: lengths, DEVIATIONS: deviations}
    return {name: float(x.std() / x.mean()) if x.mean() else 0.0 for name, x in spread.items()}


def _linear(views: list[Array], features: Any) -> dict[str, float]:
    """Return the share of the variance of representations that a linear map of the features and a constant explain."""
    unexplained, total = 0.0, 0.0
    a, b = features.all() if features.rows <= 50_000 else features.take(np.arange(50_000))
    for z, phi in zip(views, (a, b), strict=False):
        design = np.column_stack([phi, np.ones(len(phi))])
        target = z[: len(phi)]
        answer, *_ = np.linalg.lstsq(design, target, rcond=None)
        unexplained += float(((target - design @ answer) ** 2).sum())
        total += float(((target - target.mean(axis=0)) ** 2).sum())
    return {LINEAR_SHARE: 1 - unexplained / total if total else 1.0}


def _loss_gap(report: Diagnosis, views: list[Array], head: TrainedHead | None) -> float | None:
    """Return how far the loss of the representations is above that of all weights free, as a share of training's gain."""
    if head is None or len(views) < 2 or report.request.problem.gamma or report.request.batch_size:
        return None
    most = report.request.max_rows
    chosen = (
        np.arange(len(views[0])) if len(views[0]) <= most
        else np.sort(np.random.default_rng(report.request.seed).choice(len(views[0]), most, replace=False))
    )  # fmt: skip
    try:
        value = SampledLoss(report.request.problem.loss, views[0][chosen], views[1][chosen]).value()
    except SymscapeError:
        return None
    gained = report.best.value_at_collapse - head.value
    return (value - head.value) / gained if gained > 0 else None


def _steps(chain: list[tuple[str, Array]]) -> tuple[Step, ...]:
    steps = [Step(chain[0][0], chain[0][1], 0.0, entropy_rank(chain[0][1]))]
    for (_, before), (name, after) in pairwise(chain):
        steps.append(Step(name, after, distance(before, after), entropy_rank(after)))
    return tuple(steps)
