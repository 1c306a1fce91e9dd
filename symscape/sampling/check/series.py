"""The homogeneous parts of a landscape, and of the orders that follow it, along t W."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import numpy as np
from numpy.typing import NDArray

from symscape.landscape.landscape import Landscape, dropped_cumulants, landscape
from symscape.losses.batch import CrossCorrelation, Decay, Spectral, VarianceCovariance
from symscape.losses.loss import Loss
from symscape.probability.data_models import GaussianViews
from symscape.sampling.check.batches import CumulantTerms
from symscape.sampling.check.directions import Terms, scales, value
from symscape.sampling.check.populations import Population

Array = NDArray[np.float64]

#: Ratios of the quartic to the quadratic part at which the reach of a series is looked at, along the first W.
RATIOS = (0.003, 0.01, 0.03, 0.1, 0.3, 0.6)
#: How small what is not known must be against the least term of highest degree, at the scale where terms are weighed.
SHARP = 5e-3
#: Orders beyond the landscape's own that are derived: those that explain truncation, and one to bound the rest.
FURTHER = 6
#: The same where the series needs second moments alone.
FURTHER_IN_MOMENTS = 16


class Series:
    """The homogeneous parts of a landscape, and of the orders that follow it, at one W."""

    def __init__(self, loss: Loss, land: Landscape, population: Population, W: Array, terms: Terms):
        self.W, self.land = W, land
        #: Whether the loss as coded follows its series on one branch only: of a Max, or as long as no row is clipped.
        self.branch = land.has_branches or any(isinstance(f, Spectral) and f.mu.is_finite for _, f in loss.batch)
        self.kappa = population.cumulants if land.data.cumulants else None
        self.terms = np.asarray(terms.at(W, population), dtype=float).reshape(len(terms.degrees))
        self.degrees = np.array(terms.degrees, dtype=int)
        self.own = {d: float(self.terms[self.degrees == d].sum()) for d in range(2, land.order + 1, 2)}
        further = FURTHER if isinstance(population.data, GaussianViews) else FURTHER - 2
        if needs_moments_alone(loss) and isinstance(population.data, GaussianViews):
            further = FURTHER_IN_MOMENTS
        right = landscape(loss, order=land.order + further, data=population.data)
        self.next: dict[int, float] = {}
        for d in range(land.order + 2, right.order + 1, 2):
            part = right.part(d)
            self.next[d] = float(value(part.numpy(), W, population.arguments)) if part.terms else 0.0
        # Of the next orders only the Gaussian part is known, unless they need second moments alone.
        self.known = population.is_of_model or land.is_exact or right.distribution_free_order >= right.order
        #: What the cumulants of the population add, at t = 1, where the landscape leaves them out.
        self.cumulants: float | None = None
        if not population.is_of_model and land.order >= 4 and not land.data.cumulants and dropped_cumulants(land):
            added = CumulantTerms(land.loss, population.data.has_mean)
            self.cumulants = added.at(W, population.moments, population.cumulants)

    def change(self, t: float) -> float:
        """Return the landscape at t W less its constant."""
        return sum(part * t**d for d, part in self.own.items())

    def next_part(self, t: float) -> float:
        """Return what the next orders add, the last one apart."""
        return sum(part * t**d for d, part in list(self.next.items())[:-1])

    def slack(self, t: float) -> float:
        """Return a bound on what is known of neither: the rest of the series, as if it were geometric; infinite if it grows.

        Cumulants beyond the fourth, of views that do not have the law of the model, are taken to be as large as the Gaussian
        parts of their degree, and as a geometric series goes on from the quadratic and quartic parts.
        """
        bound = 0.0
        own, further = ([abs(part) * t**d for d, part in parts.items()] for parts in (self.own, self.next))
        if any(further):
            sizes = [s for s in (own[-1], *further) if s]
            ratio = max(b / a for a, b in pairwise(sizes[1:] if len(sizes) > 2 else sizes))
            bound += 2 * sizes[-1] / (1 - ratio) if ratio < 1 else inf
        if not self.known:
            bound += sum(further) + sum(own[2:])
            bound += own[1] ** 2 / own[0] if len(own) > 1 and own[0] else 0.0
        return bound

    @property
    def ratio_scales(self) -> list[float]:
        """The t at which the quartic part is a given fraction of the quadratic part."""
        return scales(RATIOS, self.own.get(2, 0.0), self.own.get(4, 0.0))

    @property
    def sharp_scale(self) -> float:
        """The largest t at which what is not known is small against the highest part of the landscape."""
        highest = max((d for d, part in self.own.items() if part), default=2)
        sizes = np.abs(self.terms[self.degrees == highest])
        wanted = SHARP * float(min(sizes[sizes > 0], default=0.0))
        t = scales((0.1,), self.own.get(2, 0.0), self.own.get(4, 0.0))[0]
        while self.slack(t) > wanted * t**highest and t > 1e-4:
            t *= 0.9
        return t


def needs_moments_alone(loss: Loss) -> bool:
    """Whether a loss is a function of second moments on a batch too, by the forms that are computed so."""
    forms = (VarianceCovariance, CrossCorrelation, Decay)
    return all(isinstance(form, forms) for _, form in loss.batch)
