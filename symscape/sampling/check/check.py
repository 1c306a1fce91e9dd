"""check(loss, ...): its landscape against the sampled loss, in standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscape.data.digits import load_digits
from symscape.errors import InputError, MomentsError, ScaleInvariantError
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.batch import CrossEntropy
from symscape.losses.loss import Loss
from symscape.probability.data_models import CumulantViews
from symscape.sampling.check.arguments import check_arguments, generator, given_weights, normalised, with_numbers
from symscape.sampling.check.batches import Sampler
from symscape.sampling.check.directions import Terms, directions, value
from symscape.sampling.check.image import Ray
from symscape.sampling.check.populations import NoisyPopulation, Population, population_of
from symscape.sampling.check.progress import Progress, steps
from symscape.sampling.check.result import Check, TermSight
from symscape.sampling.check.rounding import rounding_of_loss
from symscape.sampling.check.series import Series, needs_moments_alone, next_orders
from symscape.sampling.check.survey import Survey
from symscape.sampling.noisy_views import NoisyViews

Array = NDArray[np.float64]

#: Data per batch, batches to start with, and how many times as many at most.
SIZE, BATCHES, MOST_ROUNDS = 512, 16, 16
#: Data per batch where losses need moments alone.
MANY = 16384


def check(
    loss: Loss,
    data: Any = None,
    data_b: ArrayLike | None = None,
    *,
    order: int = 4,
    land: Landscape | None = None,
    d1: int | None = None,
    samples: int | None = None,
    rng: np.random.Generator | int | None = None,
    W: ArrayLike | None = None,
    progress: Progress | None = None,
    **parameters: Any,
) -> Check:
    """Check the landscape of a loss against the loss as coded, sampled; ``print(check(loss))`` says what came out.

    ``data``: None for noisy views of the handwritten digits; GaussianViews() or MixtureViews(k), with moments by name
    (``A0=``, ``Sigma=``, ...; some are chosen otherwise); or two arrays features_a, features_b, N x d0, or the pair of them,
    whose rows are then the population. ``land`` replaces the landscape that is checked. W, d1 x d0 or several of them, is
    chosen so that every term shows, and scaled. ``samples`` is the number of data drawn: as many as show an error of 2 % in
    each coefficient unless given, within bounds. The symbols of the loss get numbers by name. Batches share their random
    numbers over all W and scales; their second moments are matched, the derived effect of their cumulants is taken off, and
    so is the bias in 1/N and 1/N^2. Next orders are derived for Gaussian views, and measured at larger scales for others, so
    that they are those of the actual views. ``rng`` is a generator or a seed. ``progress`` is called with (done, most) after
    each batch; without it, a bar is shown where standard error is a terminal.

    Raises InputError for symbols without numbers, a landscape of other data, losses of more views than two; MomentsError for
    bad moments; NotAnalyticError for a loss without a series.

    >>> import symscape as ss
    >>> found = check(ss.SpectralContrastive(), ss.GaussianViews())
    >>> found.verdict, found.conclusive
    ('agrees', True)
    """
    call = f"check({getattr(loss, 'name', loss)}, ...)"
    loss, rest = with_numbers(call, loss, parameters)
    check_arguments(call, d1, samples, land)
    rng = generator(call, rng)
    if data_b is not None:
        data = (data, data_b)
    weights = None if W is None else given_weights(call, W)
    outputs = weights[0].shape[0] if weights else d1 or (4 if data is None else 2)
    if data is None:
        population: Population = _digits(0.3)
    else:
        population = population_of(call, data, rest, outputs, None if land is None else land.data.has_mean)
    if rest:
        raise InputError(f"{call}: unknown argument {min(rest)}")
    return _checked(call, loss, population, order, land, outputs, samples, rng, weights, progress)


def check_on_digits(
    loss: Loss,
    order: int = 4,
    rng: np.random.Generator | int | None = None,
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
    check_arguments(call, d1, samples, land)
    rng = generator(call, rng)
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
    rng: np.random.Generator,
    weights: Sequence[Array] | None,
    progress: Progress | None,
) -> Check:
    land = _landscape(call, loss, order, population) if land is None else land
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
    terms = Terms(land)
    chosen = directions(terms, population, d1, rng) if weights is None else normalised(call, weights, population)
    following = next_orders(loss, land, population)
    series = [Series(loss, land, population, W, terms, following) for W in chosen]
    size = _batch_size(loss, d1)
    rounding = rounding_of_loss(loss, d1, size)
    rays = [Ray(s.W, s.scales(rounding, k == 0)) for k, s in enumerate(series)]
    first = BATCHES if samples is None else max(8, samples // size)
    survey = Survey(loss, population, series, Sampler(loss, population, rays, size))
    most = first if samples is not None else MOST_ROUNDS * first
    with steps(progress, most) as step:
        survey.sampler.draw(first, rng, step)
        survey.choose()
        more = first
        while survey.batches < most and (hidden := survey.worth_sharpening(most)):
            survey.sharpen(hidden, max(1, min(more, (most - survey.batches) // len(hidden))), rng, step)
            more *= 2
    derived = float(value(land.numpy(), 0 * chosen[0], population.arguments, series[0].kappa))
    least = survey.least_errors()
    return Check(
        loss=loss.name,
        order=land.order,
        exact=land.is_exact,
        population=population.name,
        d1=d1,
        directions=len(chosen),
        samples=survey.batches * size,
        batches=survey.batches,
        rows=tuple(sorted((j.row for j in survey.judgements()), key=lambda row: (row.direction, row.scale))),
        terms=tuple(TermSight(*found) for found in zip(terms.texts, terms.degrees, map(float, least), strict=True)),
        constant=None if survey.sampler.constant is None else (survey.sampler.constant, derived),
        weights=tuple(chosen),
    )


def _landscape(call: str, loss: Loss, order: int, population: Population) -> Landscape:
    """Return the landscape to check; tell what to do for a loss that is scale-invariant and takes no epsilon."""
    try:
        return landscape(loss, order=order, data=population.data)
    except ScaleInvariantError as error:
        if all(isinstance(form, CrossEntropy) for _, form in loss.batch):
            raise
        raise ScaleInvariantError(
            f"{call}: {loss.name} is scale-invariant, so it has no series at W = 0, and it takes no epsilon. Check a loss of "
            "your own with smooth cosines, dot(u, v) / sqrt((sqnorm(u) + epsilon) * (sqnorm(v) + epsilon)), or use "
            "normalised_landscape(loss), its landscape at Tr P = 1"
        ) from error


def _batch_size(loss: Loss, d1: int) -> int:
    """Data per batch: many for losses of moments, more than usual for many outputs, whose moments are matched in each part."""
    return MANY if needs_moments_alone(loss) else max(SIZE, 64 * d1)
