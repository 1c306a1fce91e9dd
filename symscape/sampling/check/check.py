"""check(loss, ...): its landscape against the sampled loss, in standard errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscape.data.digits import load_digits
from symscape.errors import InputError, MomentsError
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.loss import Loss
from symscape.probability.data_models import CumulantViews
from symscape.sampling.check.arguments import check_arguments, given_weights, normalised, with_numbers
from symscape.sampling.check.batches import Point, Ray, Sampler
from symscape.sampling.check.directions import Terms, directions, value
from symscape.sampling.check.populations import NoisyPopulation, Population, population_of
from symscape.sampling.check.result import VISIBLE, Check, TermSight
from symscape.sampling.check.row import CHANCE, CheckRow
from symscape.sampling.check.series import Series, needs_moments_alone
from symscape.sampling.noisy_views import NoisyViews

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

#: Data per batch, batches to start with, and how many times as many at most.
SIZE, BATCHES, MOST_ROUNDS = 512, 16, 16
#: Data per batch where losses need moments alone.
MANY = 16384


def check(
    loss: Loss,
    data: Any = None,
    *,
    order: int = 4,
    land: Landscape | None = None,
    d1: int | None = None,
    samples: int | None = None,
    rng: np.random.Generator | None = None,
    W: ArrayLike | None = None,
    progress: Progress | None = None,
    **parameters: Any,
) -> Check:
    """Check the landscape of a loss against the loss as coded, sampled; ``print(check(loss))`` says what came out.

    ``data``: None for noisy views of the handwritten digits; GaussianViews() or MixtureViews(k), with moments by name
    (``A0=``, ``Sigma=``, ...; some are chosen otherwise); or a pair of arrays (features_a, features_b), N x d0, whose rows
    are then the population. ``land`` replaces the landscape that is checked. W, d1 x d0 or several of them, is chosen so
    that every term shows, and scaled. ``samples`` is the number of data drawn: as many as show an error of 2 % in each
    coefficient unless given, within bounds. The symbols of the loss get numbers by name. Batches share their random numbers
    over all W and scales; their second moments are matched, the derived effect of their cumulants is taken off, and so is the
    bias in 1/N and 1/N^2. ``progress`` is called with (done, all).

    Raises InputError for symbols without numbers, a landscape of other data, losses of more views than two; MomentsError for
    bad moments; NotAnalyticError for a loss without a series.

    >>> import symscape as ss
    >>> found = check(ss.SpectralContrastive(), ss.GaussianViews())
    >>> found.verdict, found.conclusive
    ('agrees', True)
    """
    call = f"check({getattr(loss, 'name', loss)}, ...)"
    loss, rest = with_numbers(call, loss, parameters)
    check_arguments(call, d1, samples, rng)
    weights = None if W is None else given_weights(call, W)
    outputs = weights[0].shape[0] if weights else d1 or (4 if data is None else 2)
    if data is None:
        population: Population = _digits(0.3)
    else:
        population = population_of(call, data, rest, outputs)
    if rest:
        raise InputError(f"{call}: unknown argument {min(rest)}")
    return _checked(call, loss, population, order, land, outputs, samples, rng, weights, progress)


def check_on_digits(
    loss: Loss,
    order: int = 4,
    rng: np.random.Generator | None = None,
    d1: int = 4,
    noise: float = 0.3,
    samples: int | None = None,
    land: Landscape | None = None,
    progress: Progress | None = None,
) -> Check:
    """Check the landscape of a loss with numeric parameters on noisy views of the handwritten digits; see `check`.

    The views are s + noise * e for the centred digits s, so that A_0, Sigma and every cumulant of the population are exact.
    Raises InputError as `check` does, and for a noise that is not positive.
    """
    call = f"check_on_digits({getattr(loss, 'name', loss)}, ...)"
    loss, _ = with_numbers(call, loss, {})
    check_arguments(call, d1, samples, rng)
    if not noise > 0:
        raise InputError(f"{call}: noise={noise}; the noise of the views is positive")
    return _checked(call, loss, _digits(noise), order, land, d1, samples, rng, None, progress)


def _digits(noise: float) -> NoisyPopulation:
    rows = load_digits()[0]
    name = f"two noisy views (noise {noise}) of {rows.shape[0]} x {rows.shape[1]} pixels"
    return NoisyPopulation(NoisyViews(rows, noise), name)


def _checked(
    call: str,
    loss: Loss,
    population: Population,
    order: int,
    land: Landscape | None,
    d1: int,
    samples: int | None,
    rng: np.random.Generator | None,
    weights: Sequence[Array] | None,
    progress: Progress | None,
) -> Check:
    land = landscape(loss, order=order, data=population.data) if land is None else land
    if land.bias or not isinstance(land.data, (type(population.data), CumulantViews)):
        raise InputError(f"{call}: derive the landscape with data={population.data}, and without a bias")
    if land.data.has_mean != population.data.has_mean:
        raise InputError(
            f"{call}: the views have {'a' if population.data.has_mean else 'no'} mean; derive the landscape "
            f"with data={population.data}"
        )
    d0 = len(population.moments["Sigma"])
    if d1 > d0:
        raise InputError(f"{call}: d1={d1} outputs of {d0} features are dependent; take d1 <= {d0}")
    if weights is not None and weights[0].shape[1] != d0:
        raise MomentsError(f"{call}: W has shape {weights[0].shape}; with these views it is d1 x {d0}")
    rng = np.random.default_rng(0) if rng is None else rng
    terms = Terms(land)
    chosen = directions(terms, population, d1, rng) if weights is None else normalised(call, weights, population)
    series = [Series(loss, land, population, W, terms) for W in chosen]
    sharp = [(s.sharp_scale,) for s in series]
    rays = [Ray(s.W, (*t, *_apart(s.ratio_scales, t[0])) if k == 0 else t) for k, (s, t) in _numbered(series, sharp)]
    size = _batch_size(loss, d1)
    first = BATCHES if samples is None else max(8, samples // size)
    sampler = Sampler(loss, population, rays, size)
    sampler.draw(first, rng, progress)
    focused = Sampler(loss, population, [Ray(s.W, t) for s, t in zip(series, sharp, strict=True)], size)
    rows = _rows(series, rays, sampler, focused)
    sights = _sights(terms, series, rows)
    while samples is None and focused.batches < (MOST_ROUNDS - 1) * first and _more_would_show(series, rows):
        focused.draw(max(first, focused.batches), rng, progress)
        rows = _rows(series, rays, sampler, focused)
        sights = _sights(terms, series, rows)
    derived = float(value(land.numpy(), 0 * chosen[0], population.arguments, series[0].kappa))
    return Check(
        loss=loss.name,
        order=land.order,
        exact=land.is_exact,
        population=population.name,
        d1=d1,
        directions=len(chosen),
        samples=(sampler.batches + focused.batches) * size,
        batches=sampler.batches + focused.batches,
        rows=tuple(sorted(rows, key=lambda row: (row.direction, row.scale))),
        terms=tuple(sights),
        constant=None if sampler.constant is None else (sampler.constant, derived),
        weights=tuple(chosen),
    )


def _numbered(series: Sequence[Series], sharp: Sequence[tuple[float]]) -> list[tuple[int, tuple[Series, tuple[float]]]]:
    return list(enumerate(zip(series, sharp, strict=True)))


def _apart(ratio_scales: Sequence[float], sharp: float) -> tuple[float, ...]:
    """Return the scales that are not nearly the sharp one."""
    return tuple(t for t in ratio_scales if abs(t / sharp - 1) > 0.2)


def _rows(series: Sequence[Series], rays: Sequence[Ray], sampler: Sampler, focused: Sampler) -> list[CheckRow]:
    sharper = focused.points() if focused.batches > 1 else None
    found = []
    for k, (s, ray, points) in enumerate(zip(series, rays, sampler.points(), strict=True)):
        for i, (t, point) in enumerate(zip(ray.scales, points, strict=True)):
            if i == 0 and sharper is not None:
                point = _pooled(point, sharper[k][0], sampler.batches, focused.batches)
            found.append(_row(k + 1, t, s, point))
    return found


def _row(direction: int, t: float, series: Series, point: Point) -> CheckRow:
    change = series.change(t)
    return CheckRow(
        direction=direction,
        scale=t,
        trace_P=t * t,
        sampled=point.estimate,
        standard_error=point.standard_error,
        bias_removed=point.bias_removed,
        bias_bound=point.bias_bound,
        landscape=change,
        with_cumulants=None if series.cumulants is None else change + series.cumulants * t**4,
        next_part=series.next_part(t),
        slack=series.slack(t),
        branch=series.branch,
    )


def _pooled(a: Point, b: Point, m: int, n: int) -> Point:
    """Two independent estimates of one point, from m and n batches."""
    p, q = m / (m + n), n / (m + n)
    return Point(
        p * a.estimate + q * b.estimate,
        float(np.hypot(p * a.standard_error, q * b.standard_error)),
        p * a.bias_removed + q * b.bias_removed,
        p * a.bias_bound + q * b.bias_bound,
    )


def _least_errors(series: Sequence[Series], rows: Sequence[CheckRow], noise: float = 1.0) -> Array:
    """The relative error of each term's coefficient that would have been seen: beyond chance, slack and two errors more.

    ``noise``: the standard errors in units of what they are.
    """
    found = np.full(len(series[0].degrees), np.inf)
    for row in rows:
        s = series[row.direction - 1]
        size = np.abs(s.terms) * row.scale**s.degrees
        hidden = row.bias_bound + row.slack + noise * (CHANCE + 2) * row.standard_error
        found = np.minimum(found, np.divide(hidden, size, out=np.full_like(size, np.inf), where=size > 0))
    return found


def _sights(terms: Terms, series: Sequence[Series], rows: Sequence[CheckRow]) -> list[TermSight]:
    errors = _least_errors(series, rows)
    return [TermSight(*found) for found in zip(terms.texts, terms.degrees, map(float, errors), strict=True)]


def _more_would_show(series: Sequence[Series], rows: Sequence[CheckRow]) -> bool:
    """Whether some term hides behind noise that all the rounds would take away."""
    hidden = _least_errors(series, rows) > VISIBLE
    return bool(np.any(hidden & (_least_errors(series, rows, noise=MOST_ROUNDS**-0.5) < VISIBLE)))


def _batch_size(loss: Loss, d1: int) -> int:
    """Data per batch: many for losses of moments, more than usual for many outputs, whose moments are matched in each part."""
    return MANY if needs_moments_alone(loss) else max(SIZE, 64 * d1)
