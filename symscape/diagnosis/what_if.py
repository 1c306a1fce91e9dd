"""What changes if: the same features under another weight decay, temperature, width, bias, normalisation, or class balance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from symscape.data.features import PairedFeatures, open_features
from symscape.data.moments import feature_moments
from symscape.diagnosis.normalised import on_normalised_outputs
from symscape.diagnosis.variants import with_setting
from symscape.errors import InputError, SymscapeError
from symscape.forecast.problem import problem
from symscape.losses.loss import Loss

if TYPE_CHECKING:
    from symscape.diagnosis.report import Diagnosis
    from symscape.diagnosis.request import Request


@dataclass(frozen=True, eq=False)
class WhatIf:
    """A change, and the forecast with it beside the one without: by theory, on the same moments."""

    change: str
    kind: str
    surviving: int
    effective_rank: float
    before: int
    rank_before: float
    reason: str = ""

    def __str__(self) -> str:
        if self.reason:
            return f"{self.change}: {self.reason}"
        ranks = f"effective rank {self.effective_rank:.3g} for {self.rank_before:.3g}"
        return f"{self.change}: {self.surviving} modes survive for {self.before} now, {ranks}"

    __repr__ = __str__


def changed(
    report: Diagnosis,
    *,
    loss: Loss | str | None = None,
    d1: int | None = None,
    weight_decay: Any = None,
    bias: bool | None = None,
    batch_size: int | None = None,
    normalise: bool = False,
    standardise: bool = False,
    labels: ArrayLike | None = None,
    shares: Mapping[Any, float] | str = "balanced",
    refine: bool | None = None,
    **settings: Any,
) -> Diagnosis:
    """Return the report with changes: of the loss, its settings by name, d1, weight decay, bias, the features or their classes.

    ``normalise``: the loss on f / |f|; ``standardise``: every feature divided by its deviation; ``labels``: N classes, whose
    rows are drawn to ``shares`` ("balanced", or the share of every class). ``refine``: run the loss on rows too, which it is
    for a ``batch_size`` unless said, as theory sees no batches. Raises InputError for changes that make no sense,
    UnknownNameError for unknown settings.
    """
    from symscape.diagnosis.diagnose import checked_batch, report_of

    request = report.request
    refine = batch_size is not None if refine is None else refine
    if batch_size is not None:
        request = replace(
            request, batch_size=checked_batch("what_if", batch_size, min(report.moments.rows, request.max_rows))
        )
    chosen, given = (request.loss, dict(request.settings)) if loss is None else (loss, {})
    for name, value in settings.items():
        chosen, given = with_setting(chosen, given, name, value)
    features, moments = request.features, report.moments
    if labels is not None:
        features = with_class_shares(_rows_of(features, "labels"), np.asarray(labels), shares, request.seed)
        moments = feature_moments(features)
    if standardise:
        deviations = np.sqrt(np.diagonal(moments.covariance))
        factors = 1 / np.where(deviations > 0, deviations, 1.0)
        moments = moments.scaled(factors)
        if features is not None:
            features = _scaled(features, factors, request, refine)
    outputs = request.problem.d1 if d1 is None else d1
    decay = request.gamma if weight_decay is None else weight_decay
    with_bias = request.problem.bias if bias is None else bias
    asked = problem("what_if", chosen, outputs, decay, with_bias, given)
    if normalise:
        asked = replace(asked, loss=on_normalised_outputs(asked.loss))
        chosen, given, decay = asked.loss, {}, asked.gamma
    made = replace(request, problem=asked, loss=chosen, settings=given, gamma=decay, features=features)
    return report_of("what_if", made, moments, refine)


def _scaled(features: PairedFeatures, factors: np.ndarray, request: Request, refine: bool) -> PairedFeatures | None:
    """Return the rows that the loss is run on, scaled; None for more rows than that, unless they are asked for."""
    from symscape.diagnosis.diagnose import chosen_rows

    if not refine and features.rows > request.max_rows:
        return None
    a, b = chosen_rows(features, request.max_rows, np.random.default_rng(request.seed))
    return open_features(a * factors, b * factors)


def usual_changes(report: Diagnosis) -> tuple[WhatIf, ...]:
    """Return what a bias, normalised outputs, standardised features, and no weight decay would change."""
    asked = report.request.problem
    changes: list[tuple[str, dict[str, Any]]] = [
        ("without a bias" if asked.bias else "with a bias", {"bias": not asked.bias}),
        ("with standardised features", {"standardise": True}),
    ]
    if not asked.is_scale_free and asked.is_rotation_invariant:
        changes.append(("with normalised outputs", {"normalise": True}))
    if asked.gamma and not asked.is_scale_free:
        changes.append(("without weight decay", {"weight_decay": 0}))
    return tuple(_outcome(report, name, change) for name, change in changes)


def _outcome(report: Diagnosis, name: str, change: Mapping[str, Any]) -> WhatIf:
    before, rank = report.theory.surviving, report.theory.effective_rank
    try:
        found = changed(report, **change).theory
    except SymscapeError as error:
        return WhatIf(name, "", before, rank, before, rank, str(error))
    return WhatIf(name, found.kind, found.surviving, found.effective_rank, before, rank)


def with_class_shares(
    features: PairedFeatures, labels: np.ndarray, shares: Mapping[Any, float] | str, seed: int
) -> PairedFeatures:
    """Return rows drawn without replacement so that classes have given shares, as many rows as the rarest class allows.

    Raises InputError for labels that do not fit the rows, and for shares that are no probabilities of known classes.
    """
    if labels.shape != (features.rows,):
        raise InputError(f"labels have shape {labels.shape}; give one label for each of the {features.rows} rows")
    classes, counts = np.unique(labels, return_counts=True)
    known = ", ".join(map(str, classes[:10].tolist()))
    if isinstance(shares, str):
        if shares != "balanced":
            raise InputError(f'shares={shares!r}: pass "balanced", or the share of every class')
        wanted = np.full(len(classes), 1 / len(classes))
    elif not isinstance(shares, Mapping):
        raise InputError(f'shares={shares!r}: pass "balanced", or a mapping from every class to its share')
    else:
        stray = [c for c in shares if c not in set(classes.tolist())]
        if stray:
            raise InputError(f"shares: there is no class {stray[0]!r} among the labels; there are {known}")
        wanted = np.array([float(shares.get(c, 0.0)) for c in classes.tolist()])
    if not np.isfinite(wanted).all() or (wanted < 0).any() or abs(wanted.sum() - 1) > 1e-9:
        raise InputError(f"shares add up to {wanted.sum():.6g}; give shares of the classes, 0 to 1, that add up to 1")
    rows = min(int(count / share) for count, share in zip(counts, wanted, strict=True) if share)
    rng = np.random.default_rng(seed)
    picked = [
        rng.choice(np.flatnonzero(labels == c), int(rows * share), replace=False)
        for c, share in zip(classes, wanted, strict=True)
    ]
    return open_features(*features.take(np.sort(np.concatenate(picked))))


def _rows_of(features: PairedFeatures | None, name: str) -> PairedFeatures:
    if features is None:
        raise InputError(f"{name}=...: classes are of rows, and this report was made from moments alone; pass features")
    return features
