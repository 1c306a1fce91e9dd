"""The sampled loss along rays t W, with common random numbers, matched moments, a control variate, and no O(1/N) bias.

A batch of N data gives representations f = W phi. They are mapped linearly so that their mean and second moments are those of
the population: then a landscape at the batch's own moments is the landscape of the population. What still fluctuates at
order 4 are the batch's joint cumulants, and what they add to the loss is derived: it is subtracted. Both make the
estimate a smooth function of the batch's distribution, so that its bias is c_1/N + c_2/N^2 + ...; with the mean over quarters
and over sixteenths of the batch, (64 L(N) - 20 L(N/4) + L(N/16)) / 45 has neither of the first two terms. (Halves and
quarters would do, but with weights that make noise of size 1/N four times as large.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from symscape.losses.loss import Loss
from symscape.sampling.check.image import ROUNDOFF, CumulantTerms, Image, Ray
from symscape.sampling.check.populations import Population
from symscape.sampling.check.row import CHANCE

Array = NDArray[np.float64]

#: The next term of the bias, 64 c_3 / N^3, against what the last step removed, 4 c_2 / N^2: c_3 up to twice c_2.
NEXT_BIAS = 32


@dataclass(frozen=True)
class Point:
    """The sampled loss at one t W, or a combination over some t: what is estimated, and how well.

    ``rounding``, which more batches do not take away, is a floor for the standard error; ``freedom`` counts the batches that
    tell it.
    """

    estimate: float
    standard_error: float
    bias_removed: float
    bias_bound: float
    rounding: float
    freedom: int

    @property
    def quantile(self) -> float:
        """How many standard errors chance may do, as rarely as four of a normal distribution."""
        return float(stdtrit(self.freedom, ndtr(CHANCE)))

    @property
    def tolerance(self) -> float:
        """What chance, bias and rounding may do."""
        return self.quantile * self.standard_error + self.bias_bound

    def pooled(self, other: Point) -> Point:
        """Return this with another, independent estimate of the same."""
        m, n = self.freedom, other.freedom
        p, q = m / (m + n), n / (m + n)
        return Point(
            p * self.estimate + q * other.estimate,
            max(float(np.hypot(p * self.standard_error, q * other.standard_error)), self.rounding, other.rounding),
            p * self.bias_removed + q * other.bias_removed,
            p * self.bias_bound + q * other.bias_bound,
            max(self.rounding, other.rounding),
            m + n,
        )


class Sampler:
    """Samples a loss along rays, with the same batches for all of them.

    ``control=False`` leaves out what cuts the noise, matching and control variate, to measure what they bring.
    """

    def __init__(self, loss: Loss, population: Population, rays: Sequence[Ray], size: int, control: bool = True):
        terms = CumulantTerms(loss, population.data.has_mean) if control else None
        self.images = [Image(loss, population, ray, terms) for ray in rays]
        self.population, self.size = population, size
        self._values: list[list[tuple[Array, Array]]] = []

    @property
    def batches(self) -> int:
        """How many batches were drawn."""
        return len(self._values)

    def draw(self, batches: int, rng: np.random.Generator, progress: Callable[[int], None] | None = None) -> None:
        """Draw so many batches more; ``progress`` is called with 1 after each."""
        for _ in range(batches):
            a, b = self.population.draw(self.size, rng)
            self._values.append([image.values(a, b) for image in self.images])
            if progress is not None:
                progress(1)

    def points(self) -> list[list[Point]]:
        """Return the change of the loss from W = 0 at every point of every ray."""
        return [[self.point(k, w) for w in np.eye(len(i.ray.scales))] for k, i in enumerate(self.images)]

    def point(self, ray: int, weights: Array) -> Point:
        """Return a combination of the changes of the loss from W = 0 over the scales of a ray."""
        image = self.images[ray]
        used = np.flatnonzero(weights)
        scales, weights = np.array(image.ray.scales)[used], weights[used]
        drawn = np.array([batch[ray][0][used] for batch in self._values])
        values = np.einsum("s,bsl->bl", weights, drawn)
        controls = np.array([batch[ray][1] for batch in self._values])
        sizes = image.sizes(self.size)
        unbiased, fewer = _without_bias(sizes), _without_bias(sizes[:2])
        estimates, before = values @ unbiased, values[:, :2] @ fewer
        estimate, error, freedom = _intercept(estimates, controls @ unbiased)
        rounding = np.abs(weights) @ (image.rounding(self.size) + ROUNDOFF * np.abs(drawn).max(axis=(0, 2)))
        return Point(
            estimate=estimate + float(weights @ (image.shift * scales**4)),
            standard_error=max(error, float(rounding)),
            bias_removed=float(values[:, 0].mean() - estimates.mean()),
            bias_bound=float(NEXT_BIAS / sizes[0] * abs(np.mean(estimates - before))),
            rounding=float(rounding),
            freedom=freedom,
        )

    def estimates(self, ray: int) -> Array:
        """Return the estimate of each batch at each scale of a ray, (batches, scales)."""
        image = self.images[ray]
        weights, shift = _without_bias(image.sizes(self.size)), image.shift * np.array(image.ray.scales) ** 4
        return np.array([values @ weights for values, _ in (batch[ray] for batch in self._values)]) + shift

    @property
    def constant(self) -> float | None:
        """The loss at W = 0 as coded; None where it depends on the number of data."""
        image = self.images[0]
        whole, part, _ = (image.at_zero(size) for size in image.sizes(self.size))
        return whole if abs(whole - part) <= 1e-12 * max(1.0, abs(whole)) else None


def _without_bias(sizes: Sequence[int]) -> Array:
    """Weights of values at these sizes with sum 1 that cancel 1/N, 1/N^2, ...: one power less than there are sizes."""
    powers = np.array([[(sizes[0] / size) ** k for size in sizes] for k in range(len(sizes))])
    return np.linalg.solve(powers, [1.0] + [0.0] * (len(sizes) - 1))


def _intercept(values: Array, controls: Array) -> tuple[float, float, int]:
    """Return by least squares the value where all controls are zero, its standard error, and the degrees of freedom."""
    scale = np.abs(controls).max(axis=0, initial=0.0)
    design = np.column_stack([np.ones(len(values)), controls[:, scale > 0] / scale[scale > 0]])
    solution = np.linalg.lstsq(design, values, rcond=None)[0]
    residual = values - design @ solution
    freedom = len(values) - design.shape[1]
    variance = residual @ residual / freedom * np.linalg.pinv(design.T @ design)[0, 0]
    return float(solution[0]), float(np.sqrt(variance)), freedom
