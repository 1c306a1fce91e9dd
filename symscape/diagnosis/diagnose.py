"""`diagnose`: from features of two views and a loss, what will survive training and what will collapse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.data.features import PairedFeatures, open_features
from symscape.data.moments import FeatureMoments, feature_moments
from symscape.diagnosis.accuracy import Accuracy
from symscape.diagnosis.report import Diagnosis
from symscape.diagnosis.request import Request
from symscape.errors import InputError
from symscape.forecast.forecast import Forecast
from symscape.forecast.mode_rows import ModeRows, gaussian_rows, mode_rows
from symscape.forecast.problem import problem
from symscape.forecast.refined import NoMinimumOnRowsError, modes_in_play, refined
from symscape.forecast.theory import theory_forecasts, theory_of
from symscape.losses.loss import Loss
from symscape.sampling.evaluator import Estimate

Array = NDArray[np.floating[Any]]

#: Called as progress(stage, done, total).
Progress = Callable[[str, int, int], None]

#: A pair loss takes N^2 products: this many rows are enough for strengths to a per cent or so.
MAX_ROWS = 4096
#: Frames whose losses at the theory's weights are closer than this, as a share of the gain, are both refined.
CLOSE = 0.2


def diagnose(
    features_a: Any,
    features_b: Any = None,
    loss: Loss | str | None = None,
    d1: int | None = None,
    weight_decay: Any = 0,
    *,
    bias: bool = False,
    batch_size: int | None = None,
    refine: bool = True,
    max_rows: int = MAX_ROWS,
    keys: tuple[str, str] | None = None,
    drop_bad_rows: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    params: Mapping[Any, Any] | None = None,
    **parameters: Any,
) -> Diagnosis:
    """Return what a loss will make of features, before training: kept modes, spectrum, effective rank, and how sure that is.

    ``features_a``, ``features_b``: N x d0 features of two views, rows paired: arrays, Dask arrays, or files (.npy, .npz,
    .safetensors, .zarr; one file with two arrays, ``keys`` their names), or in place of both the moments of
    `feature_moments`. ``loss``: a Loss or the name of one or of a preset, with its parameters by name; ``d1``: the number of
    outputs, d0 unless given; ``weight_decay`` is gamma of gamma ||W||^2, half of a framework's coupled number. ``bias``: the
    head has one, not decayed.

    The theory's forecast needs the moments alone. With ``refine`` the loss itself, as code runs it, is then minimised on up
    to ``max_rows`` rows drawn with ``seed`` over the strengths of the theory's modes, in batches of ``batch_size`` where given.
    ``progress(stage, done, total)`` is called along the way.

    Raises InputError for features that are no pairs of finite rows (``drop_bad_rows=True`` leaves bad rows out), for a loss or
    a number that makes no sense, and where the loss has no minimum; UnknownNameError for unknown names.

    >>> import symscape as ss
    >>> rng = np.random.default_rng(0)
    >>> s = rng.normal(size=(2000, 4)) * [2.0, 1.0, 0.5, 0.1]
    >>> a, b = (s + 0.3 * rng.normal(size=s.shape) for _ in range(2))
    >>> report = diagnose(a, b, loss=ss.SpectralContrastive(), d1=3, weight_decay=0.6)
    >>> report.kind, report.surviving, [mode.verdict for mode in report.modes]
    ('dimensional', 2, ['survives', 'survives', 'collapses', 'collapses'])
    """
    name = getattr(loss, "name", repr(loss))
    call = f"diagnose(..., loss={name})"
    if loss is None:
        raise InputError(
            "diagnose(...): say which loss: loss=InfoNCE(tau=0.5), loss='vicreg', or a preset, see presets()"
        )
    for argument, number, least in (("max_rows", max_rows, 2), ("seed", seed, 0)):
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < least:
            raise InputError(f"{call}: {argument}={number!r} is an integer from {least}")
    for argument, flag in (("bias", bias), ("refine", refine), ("drop_bad_rows", drop_bad_rows)):
        if not isinstance(flag, (bool, np.bool_)):
            raise InputError(f"{call}: {argument}={flag!r} is True or False")
    if progress is not None and not callable(progress):
        raise InputError(f"{call}: progress={progress!r} is called as progress(stage, done, total)")
    if not isinstance(params, (Mapping, type(None))):
        raise InputError(f"{call}: params={params!r} is a mapping from symbols to numbers")
    features: PairedFeatures | None = None
    if isinstance(features_a, FeatureMoments):
        if features_b is not None:
            raise InputError(f"{call}: moments stand for both views; leave features_b out")
        moments = features_a
    else:
        # What is wrong with the loss is said before a pass over the data.
        features = open_features(features_a, features_b, keys=keys, drop_bad_rows=drop_bad_rows)
        problem(call, loss, features.columns if d1 is None else d1, weight_decay, bias, params, parameters)
        moments = feature_moments(features, progress=_stage(progress, "moments"))
    asked = problem(call, loss, moments.columns if d1 is None else d1, weight_decay, bias, params, parameters)
    if not np.diagonal(moments.covariance).any():
        raise InputError(f"{call}: no feature varies over the rows, so there is nothing to tell data apart by")
    if batch_size is not None:
        batch_size = checked_batch(call, batch_size, min(moments.rows, max_rows))
    settings = {**{str(k): v for k, v in (params or {}).items()}, **parameters}
    request = Request(asked, loss, settings, weight_decay, features, max_rows, batch_size, seed)
    return report_of(call, request, moments, refine, progress)


def checked_batch(call: str, batch_size: Any, rows: int) -> int:
    """Return a number of rows of a batch. Raises InputError for one that makes no sense."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or not 2 <= batch_size <= rows:
        raise InputError(
            f"{call}: batch_size={batch_size!r} is a number of rows, 2 to {rows}, those that the loss is run on"
        )
    return int(batch_size)


def report_of(
    call: str, request: Request, moments: FeatureMoments, refine: bool, progress: Progress | None = None
) -> Diagnosis:
    """Return the report on what was asked, for moments of the features."""
    asked = request.problem
    candidates = theory_forecasts(call, asked, moments.C, moments.covariance, moments.mean)
    theory, best, accuracy = candidates[0], None, None
    if request.features is not None and refine:
        theory, best, accuracy = _on_rows(request, moments, request.features, candidates, progress)
    return Diagnosis(request, moments, theory, best, accuracy)


def _on_rows(
    request: Request,
    moments: FeatureMoments,
    features: PairedFeatures,
    candidates: tuple[Forecast, ...],
    progress: Progress | None,
) -> tuple[Forecast, Forecast | None, Accuracy]:
    """Return the candidate of least loss on the rows, refined on them too, and how good the theory is there."""
    asked, rng = request.problem, np.random.default_rng(request.seed)
    a, b = chosen_rows(features, request.max_rows, rng)
    found: list[tuple[float, Forecast, ModeRows, tuple[int, ...]]] = []
    for candidate in candidates:
        used = modes_in_play(asked, candidate)
        rows = mode_rows(asked, candidate, a, b, used, request.batch_size)
        found.append((rows.value_and_gradient(candidate.outputs[:, list(used)])[0], candidate, rows, used))
    # At the weights of the theory the loss tells frames apart, unless they are close.
    least = min(found, key=lambda one: one[0])
    gain = least[2].value_at_collapse - least[0]
    close = [one for one in found if one is least or one[0] - least[0] < CLOSE * gain]
    tried: list[tuple[float, Forecast, Forecast | None, ModeRows, tuple[int, ...]]] = []
    for value, candidate, rows, used in close:
        try:
            on_rows = refined(candidate, rows, used, _steps(progress))
            tried.append((on_rows.value, candidate, on_rows, rows, used))
        except NoMinimumOnRowsError:  # the report says so, and goes by theory
            tried.append((value, candidate, None, rows, used))
    _, theory, best, rows, used = min(tried, key=lambda one: one[0])
    at_collapse = rows.value_at_collapse
    gauss = gaussian_rows(asked, theory, moments.mean, rows.rows, used, rng, request.batch_size)
    weights = theory.outputs[:, list(used)]
    accuracy = Accuracy(
        theory.value_at_collapse - theory.value,
        _gain(at_collapse, gauss.estimate(weights)),
        _gain(at_collapse, rows.estimate(weights)),
        theory_of(asked).is_truncated,
    )
    return theory, best, accuracy


def chosen_rows(features: PairedFeatures, most: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the rows of both views, or ``most`` of them, drawn without replacement."""
    if features.rows <= most:
        return features.all()
    return features.take(np.sort(rng.choice(features.rows, most, replace=False)))


def _gain(at_collapse: float, estimate: Estimate) -> Estimate:
    return Estimate(at_collapse - estimate.value, estimate.standard_error)


def _stage(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(name, done, total)


def _steps(progress: Progress | None) -> Callable[[int, float], None] | None:
    return None if progress is None else lambda step, _: progress("loss on rows", step, 0)
