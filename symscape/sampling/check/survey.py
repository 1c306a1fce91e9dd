"""The sampled loss along rays t W: what is judged, where it is sharpest, and more batches where they would show more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from symscape.losses.loss import Loss
from symscape.sampling.check.batches import Point, Sampler
from symscape.sampling.check.image import Ray
from symscape.sampling.check.populations import Population
from symscape.sampling.check.result import VISIBLE
from symscape.sampling.check.row import CheckRow
from symscape.sampling.check.series import COMBINED, DOUBT, Series

Array = NDArray[np.float64]

#: Standard errors by which an error must exceed what chance may do before it counts as visible.
MARGIN = 2


@dataclass(frozen=True)
class Judgement:
    """A row, and how well its rest is known: ``effects``, how much of each term shows in it."""

    row: CheckRow
    point: Point
    effects: Array

    def least_errors(self, noise: float = 1.0) -> Array:
        """Return the relative error of each coefficient that would have been seen, had the noise been so much of what it is."""
        point = self.point
        error = max(noise * point.standard_error, point.rounding)
        hidden = self.row.slack + point.bias_bound + (point.quantile + MARGIN) * error
        return np.divide(hidden, self.effects, out=np.full_like(self.effects, np.inf), where=self.effects > 0)


@dataclass
class Survey:
    """Rays that are sampled together, and each again where its terms show best."""

    loss: Loss
    population: Population
    series: Sequence[Series]
    sampler: Sampler
    _sharpest: list[int] = field(default_factory=list, init=False)
    _again: dict[int, Sampler] = field(default_factory=dict, init=False)
    _reaches: dict[int, int] = field(default_factory=dict, init=False)

    def choose(self) -> None:
        """Find the scale of each ray at which errors of coefficients show best."""
        for k, s in enumerate(self.series):
            found = {i: _score(self._judged(k, i)) for i in s.candidates(self._scales(k))}
            self._sharpest.append(min(found, key=lambda i: found[i]))

    @property
    def batches(self) -> int:
        """All batches that were drawn."""
        return self.sampler.batches + sum(again.batches for again in self._again.values())

    def judgements(self) -> list[Judgement]:
        """Return what is shown: along the first W where the series reaches, and every ray where it is sharpest."""
        found = []
        for k, s in enumerate(self.series):
            shown = set(s.shown(self._scales(k))) if k == 0 else set()
            found += [self._judged(k, i) for i in sorted(shown | {self._sharpest[k]})]
        return found

    def least_errors(self) -> Array:
        """Return the relative error of each coefficient that would have been seen somewhere."""
        return np.min([judged.least_errors() for judged in self.judgements()], axis=0)

    def worth_sharpening(self, most: int) -> list[int]:
        """Return the rays where as many batches as are left of ``most`` would show a term that hides."""
        hidden = self.least_errors() > VISIBLE
        sharpest = [self._judged(k, i) for k, i in enumerate(self._sharpest)]
        noise = (self.sampler.batches / (self.sampler.batches + max(0, most - self.batches))) ** 0.5
        could = np.array([judged.least_errors(noise) for judged in sharpest])
        best = {int(could[:, j].argmin()) for j in np.flatnonzero(hidden & (could.min(axis=0) < VISIBLE))}
        return sorted(best)

    def sharpen(
        self, rays: Sequence[int], batches: int, rng: np.random.Generator, step: Callable[[int], None] | None
    ) -> None:
        """Draw so many batches more for some rays, at their sharpest scales."""
        for k in rays:
            if k not in self._again:
                ray = Ray(self.series[k].W, self._window(k, self._scales(k)))
                self._again[k] = Sampler(self.loss, self.population, [ray], self.sampler.size)
            self._again[k].draw(batches, rng, step)

    def _scales(self, ray: int) -> tuple[float, ...]:
        return self.sampler.images[ray].ray.scales

    def _reach(self, ray: int) -> int:
        if ray not in self._reaches:
            s, scales = self.series[ray], self._scales(ray)
            sampled = [self.sampler.point(ray, w).estimate for w in np.eye(len(scales))]
            self._reaches[ray] = s.reach(scales, np.array(sampled) - [s.best(t) for t in scales])
        return self._reaches[ray]

    def _point(self, ray: int, index: int, weights: Array) -> Point:
        point = self.sampler.point(ray, weights)
        if ray not in self._again or index != self._sharpest[ray]:
            return point
        kept = slice(index, index + len(self._again[ray].images[0].ray.scales))
        return point.pooled(self._again[ray].point(0, weights[kept]))

    def _window(self, ray: int, scales: tuple[float, ...]) -> tuple[float, ...]:
        """Return the scales that what is judged at the sharpest one is made of."""
        first = self._sharpest[ray]
        return scales[first : first + (1 if self.series[ray].derived else COMBINED)]

    def _judged(self, ray: int, index: int) -> Judgement:
        s, scales = self.series[ray], self._scales(ray)
        t, best = scales[index], np.array([s.best(t) + s.next_part(t) for t in scales])
        contrast = s.contrast(index, len(scales))
        raw = self._point(ray, index, np.eye(len(scales))[index])
        judged = self._point(ray, index, contrast.judged)
        rest = judged.estimate - float(contrast.judged @ best)
        next_part = raw.estimate - s.best(t) - rest
        slack = s.slack(t) + float(np.abs(contrast.judged) @ [s.rounding(t) for t in scales])
        if not s.derived:
            doubts = [self._point(ray, index, doubt).estimate - float(doubt @ best) for doubt in contrast.doubts]
            slack += DOUBT * sum(map(abs, doubts)) + s.beyond_measured(t, next_part)
            if index + COMBINED > self._reach(ray):
                slack = float("inf")
        change = s.change(t)
        row = CheckRow(
            direction=ray + 1,
            scale=t,
            trace_P=t * t,
            sampled=raw.estimate,
            standard_error=raw.standard_error,
            bias_removed=raw.bias_removed,
            bias_bound=raw.bias_bound,
            landscape=change,
            with_cumulants=None if s.cumulants is None else s.best(t),
            next_part=next_part,
            tolerance=judged.tolerance,
            slack=slack,
            quantile=raw.quantile,
            branch=s.branch,
        )
        return Judgement(row, judged, s.effects(index, scales))


def _score(judged: Judgement) -> float:
    """The geometric mean of the errors that would have been seen, each at most 1."""
    errors = judged.least_errors()
    return float(np.mean(np.log(np.minimum(errors[judged.effects > 0], 1.0)))) if np.any(judged.effects > 0) else 0.0
