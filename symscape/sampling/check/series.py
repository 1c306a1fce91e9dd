"""The homogeneous parts of a landscape along t W, and what is known of the orders that follow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.landscape.landscape import Landscape, dropped_cumulants, landscape
from symscape.losses.batch import CrossCorrelation, Decay, Spectral, VarianceCovariance
from symscape.losses.loss import Loss
from symscape.probability.data_models import GaussianViews
from symscape.programs.landscape_function import LandscapeFunction
from symscape.sampling.check.directions import Terms, scales, value
from symscape.sampling.check.image import CumulantTerms
from symscape.sampling.check.populations import Population

Array = NDArray[np.float64]

#: Ratios of the quartic to the quadratic part at which the reach of a series is looked at, along the first W.
RATIOS = (0.003, 0.01, 0.03, 0.1, 0.3, 0.6)
#: How small what is not known must be against the least term of highest degree, at the scale where terms are weighed.
SHARP = 5e-3
#: Multiples of that scale which are tried too, where noise matters more.
LARGER = (1.0, 1.4, 2.0, 2.8)
#: Orders beyond the landscape's own that are derived: those that explain truncation, and one to bound the rest.
FURTHER = 6
#: The same where the series needs second moments alone.
FURTHER_IN_MOMENTS = 16
#: Where next orders are measured: the largest such ratio, and the factor from one ratio, or t^2, to the next.
LARGEST, STEP = 0.6, 3.0
#: How many of these are shown along the first W, are tried along all, and are combined, from a scale upwards.
REACH, LADDER, COMBINED = 6, 8, 4
#: A rest that is larger than this share of the landscape's last part says nothing of the orders after it.
MEASURABLE = 0.25
#: What was measured of the unknown, times this, bounds what is left of it.
DOUBT = 2
#: Rounding of the moments that a landscape takes and batches are matched to, relative to its terms: some hundred operations.
MOMENT_ROUNDING = 4e-13


@dataclass(frozen=True)
class Contrast:
    """What is judged at a scale, as weights of the differences at all scales, and weights of what bounds the unknown.

    ``doubts`` are the last order that was cancelled, and what cancelling one order more would take off.
    """

    judged: Array
    doubts: tuple[Array, ...] = ()


@dataclass(frozen=True)
class NextOrders:
    """The orders after those of a landscape, by degree: functions of W, None for zero; none of them where not ``derived``.

    ``unknown_from``: the lowest degree that has more than the landscape knows.
    """

    derived: bool
    unknown_from: int
    functions: Mapping[int, LandscapeFunction | None]
    arguments: Mapping[str, Any]


def next_orders(loss: Loss, land: Landscape, population: Population) -> NextOrders:
    """Return the next orders, derived where the views are Gaussian or second moments are all that matters."""
    unknown_from = land.order + 2 if population.is_of_model else min(6, land.order + 2)
    if land.is_exact and population.is_of_model:
        return NextOrders(True, unknown_from, {}, {})
    gaussian = isinstance(population.data, GaussianViews)
    moments_alone = needs_moments_alone(loss)
    further = land.order + (FURTHER_IN_MOMENTS if moments_alone else FURTHER)
    model = population.data if gaussian else GaussianViews(mean=True)
    if not (population.is_of_model and gaussian):
        to_be_measured = NextOrders(land.is_exact and land.order <= 4, unknown_from, {}, {})
        # Two orders are enough to see that more than second moments enter, and quickly derived.
        if any(landscape(loss, n, model).distribution_free_order < n for n in (land.order + 2, further)):
            return to_be_measured
    right = landscape(loss, further, model)
    parts = {d: right.part(d) for d in range(land.order + 2, right.order + 1, 2)}
    functions = {d: part.numpy() if part.terms else None for d, part in parts.items()}
    return NextOrders(True, land.order + 2, functions, population.moments)


class Series:
    """The homogeneous parts of a landscape at one W, and the orders that follow it, derived or to be measured.

    Where the views have the law of a model, or only second moments matter, the next orders are derived. Otherwise they are
    those of the actual views, and measured: differences at the scales t, sqrt(3) t and 3 t are combined so that the next two
    orders cancel and an error of a coefficient does not; one scale more tells what is left of the orders after those.
    """

    def __init__(
        self, loss: Loss, land: Landscape, population: Population, W: Array, terms: Terms, next_orders: NextOrders
    ):
        self.W, self.land = W, land
        #: Whether the loss as coded follows its series on one branch only: of a Max, or as long as no row is clipped.
        self.branch = land.has_branches or any(isinstance(f, Spectral) and f.mu.is_finite for _, f in loss.batch)
        self.kappa = population.cumulants if land.data.cumulants else None
        self.terms = np.asarray(terms.at(W, population), dtype=float).reshape(len(terms.degrees))
        self.degrees = np.array(terms.degrees, dtype=int)
        self.own = {d: float(self.terms[self.degrees == d].sum()) for d in range(2, land.order + 1, 2)}
        #: Whether the next orders are derived; if not, the lowest degree that has more than is known.
        self.derived, self.unknown_from = next_orders.derived, next_orders.unknown_from
        self.next = {
            d: 0.0 if f is None else float(value(f, W, next_orders.arguments)) for d, f in next_orders.functions.items()
        }
        #: What the cumulants of the population add, at t = 1, where the landscape leaves them out.
        self.cumulants: float | None = None
        if not population.is_of_model and land.order >= 4 and not land.data.cumulants and dropped_cumulants(land):
            added = CumulantTerms(land.loss, population.data.has_mean)
            self.cumulants = added.at(W, population.moments, population.cumulants)
        self._cancellation = _cancellation(land, population, W)

    # Values along t W

    def change(self, t: float) -> float:
        """Return the landscape at t W less its constant."""
        return sum(part * t**d for d, part in self.own.items())

    def best(self, t: float) -> float:
        """Return the landscape at t W with the cumulants that it leaves out."""
        return self.change(t) + (self.cumulants or 0.0) * t**4

    def next_part(self, t: float) -> float:
        """Return what the next orders add that are derived, the last one apart."""
        return sum(part * t**d for d, part in list(self.next.items())[:-1])

    def rounding(self, t: float) -> float:
        """Return a bound on the rounding of the landscape: of its moments, of covariances as differences of them."""
        return MOMENT_ROUNDING * self._cancellation * float(np.abs(self.terms) @ t**self.degrees)

    def slack(self, t: float) -> float:
        """Return a bound on the orders after those derived, as if the series were geometric; infinite if it grows."""
        own, further = ([abs(part) * t**d for d, part in parts.items()] for parts in (self.own, self.next))
        if not any(further):
            return 0.0
        sizes = [s for s in (own[-1], *further) if s]
        ratio = max(b / a for a, b in pairwise(sizes[1:] if len(sizes) > 2 else sizes))
        return 2 * sizes[-1] / (1 - ratio) if ratio < 1 else inf

    # Where to look, and how

    def scales(self, rounding: float, first: bool) -> tuple[float, ...]:
        """Return the t at which the loss is sampled; more of them along the first W. ``rounding``: that of the loss."""
        if self.derived:
            sharp = [factor * self.sharp_scale(rounding) for factor in LARGER]
            apart = [t for t in self._at_ratios(RATIOS) if all(abs(t / s - 1) > 0.2 for s in sharp[:1])]
            return tuple(sorted([*sharp, *apart] if first else sharp))
        (top,) = self._at_ratios((LARGEST,))
        smallest = self._least_scale(rounding)
        down = [top * STEP ** (-k / 2) for k in range(LADDER)]
        kept = [t for k, t in enumerate(down) if k < REACH or t >= smallest]
        return tuple(sorted(kept))

    def shown(self, scales: tuple[float, ...]) -> list[int]:
        """Return which of the scales have rows along the first W."""
        return list(range(len(scales)))[0 if self.derived else -REACH :]

    def candidates(self, scales: tuple[float, ...]) -> list[int]:
        """Return which of the scales can be judged."""
        return list(range(len(scales) if self.derived else len(scales) - COMBINED + 1))

    def contrast(self, index: int, count: int) -> Contrast:
        """Return what is judged at one of so many scales; the difference itself where there are too few larger ones."""
        units = np.eye(count)
        if self.derived or index + COMBINED > count:
            return Contrast(units[index])
        k = self.unknown_from // 2
        once = [units[j] - units[j + 1] * STEP**-k for j in range(index, index + 3)]
        doubts = [later * STEP ** -(k + 1) for later in once[1:]]
        twice = [first - doubt for first, doubt in zip(once, doubts, strict=False)]
        return Contrast(twice[0], (doubts[0], twice[1] * STEP ** -(k + 2)))

    def effects(self, index: int, scales: tuple[float, ...]) -> Array:
        """Return how much of each term shows in what is judged at a scale, beyond what raises the bound on the unknown."""
        contrast, t = self.contrast(index, len(scales)), np.array(scales)
        powers = t[:, None] ** self.degrees
        hidden = [DOUBT * np.abs(doubt @ powers) for doubt in contrast.doubts]
        found: Array = np.abs(self.terms) * np.maximum(np.abs(contrast.judged @ powers) - sum(hidden), 0.0)
        # What cancels exactly leaves rounding, not a term.
        if not self.derived:
            found[self.degrees >= self.unknown_from] = 0.0
        return found

    def beyond_measured(self, t: float, next_part: float) -> float:
        """Return a bound on what follows a measured part as a geometric series goes on, at most as much again."""
        return abs(next_part) * min(1.0, abs(next_part) / self._last_part(t))

    def reach(self, scales: tuple[float, ...], rests: Array) -> int:
        """Return how many scales, from the smallest, have so small a rest that next orders explain it.

        Four at least: what does not even fall at the smallest scales is no matter of next orders.
        """
        beyond = [abs(rest) > MEASURABLE * self._last_part(t) for t, rest in zip(scales, rests, strict=True)]
        return max(COMBINED, beyond.index(True) if any(beyond) else len(scales))

    def _last_part(self, t: float) -> float:
        """The size of the landscape's part of highest degree."""
        highest, _ = self._least_term
        return max(abs(self.own[highest] + (highest == 4) * (self.cumulants or 0.0)) * t**highest, 1e-300)

    def sharp_scale(self, rounding: float) -> float:
        """The largest t at which what is not known is small against the least term of highest degree, above rounding."""
        highest, least = self._least_term
        t = self._at_ratios((0.1,))[0]
        smallest = self._least_scale(rounding)
        while self.slack(t) > SHARP * least * t**highest and t > smallest:
            t *= 0.9
        return t

    def _least_scale(self, rounding: float) -> float:
        """The t below which rounding hides the least term of highest degree."""
        highest, least = self._least_term
        return float((10 * rounding / (SHARP * least)) ** (1 / highest)) if least else 1e-4

    @property
    def _least_term(self) -> tuple[int, float]:
        """The highest degree, and the size of the least term of it."""
        highest = int(max((d for d, part in self.own.items() if part), default=2))
        sizes = np.abs(self.terms[self.degrees == highest])
        return highest, float(min(sizes[sizes > 1e-12 * sizes.max(initial=0.0)], default=0.0))

    def _at_ratios(self, ratios: tuple[float, ...]) -> list[float]:
        sizes = [float(np.abs(self.terms[self.degrees == d]).sum()) for d in (2, 4)]
        return scales(ratios, *sizes)


def _cancellation(land: Landscape, population: Population, W: Array) -> float:
    """How much larger W and the moments are than what is left of them, in W mean and in covariances as their difference."""
    moments = population.moments
    if "mean" not in moments:
        return 1.0
    sizes, mean = np.abs(W) @ np.abs(moments["mean"]), W @ moments["mean"]
    left = float(np.trace(W @ moments["Sigma"] @ W.T)) - float(mean @ mean) * land.display[1].centred
    return 1.0 + float(sizes @ sizes) / left if left > 0 else inf


def needs_moments_alone(loss: Loss) -> bool:
    """Whether a loss is a function of second moments on a batch too, by the forms that are computed so."""
    forms = (VarianceCovariance, CrossCorrelation, Decay)
    return all(isinstance(form, forms) for _, form in loss.batch)
