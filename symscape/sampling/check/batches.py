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
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import SymscapeError
from symscape.landscape.landscape import landscape
from symscape.losses.batch import CrossEntropy
from symscape.losses.language import Total, WeightNorm
from symscape.losses.loss import Loss
from symscape.probability.data_models import CumulantViews
from symscape.programs.landscape_function import LandscapeFunction
from symscape.sampling.check.populations import Population, exchangeable_cumulants
from symscape.sampling.sampled_loss import SampledLoss

Array = NDArray[np.float64]

#: Into how many parts a batch is divided.
PARTS = (1, 4, 16)
#: The next term of the bias, 64 c_3 / N^3, against what the last step removed, 4 c_2 / N^2: c_3 up to twice c_2.
NEXT_BIAS = 32
#: Roundoff of a value, relative to the loss.
ROUNDOFF = 8e-15


@dataclass(frozen=True)
class Ray:
    """A direction W, d1 x d0, and multiples t of it."""

    W: Array
    scales: tuple[float, ...]


@dataclass(frozen=True)
class Point:
    """The sampled loss at one t W: estimate, standard error, the bias that was removed, and a bound on what is left."""

    estimate: float
    standard_error: float
    bias_removed: float
    bias_bound: float


class CumulantTerms:
    """What joint third and fourth cumulants add to a loss at order 4, for any distribution; nothing where none enters."""

    def __init__(self, loss: Loss, mean: bool):
        self._function: LandscapeFunction | None = None
        try:
            general = landscape(loss, order=4, data=CumulantViews(mean=mean))
        except SymscapeError:  # a loss that the engine cannot expand so is sampled without the control variate
            return
        terms, meaning = general.display
        kept = [(m, c) for m, c in terms if any(g[0].startswith("cumulant") for g in m)]
        if kept:
            accepted = {"A0", "Sigma", "kappa"} | ({"mean"} if mean else set())
            self._function = LandscapeFunction("cumulant terms", kept, meaning, accepted)

    def __bool__(self) -> bool:
        return self._function is not None

    def at(self, W: Array, moments: Any, cumulants: Any) -> float:
        """Return their value at W."""
        return 0.0 if self._function is None else float(self._function(W, **moments, kappa=cumulants))


class Sampler:
    """Samples a loss along rays, with the same batches for all of them.

    ``control=False`` leaves out what cuts the noise, matching and control variate, to measure what they bring.
    """

    def __init__(self, loss: Loss, population: Population, rays: Sequence[Ray], size: int, control: bool = True):
        terms = CumulantTerms(loss, population.data.has_mean) if control else None
        self.images = [_Image(loss, population, ray, terms) for ray in rays]
        self.population, self.size = population, size
        self._values: list[list[tuple[Array, Array]]] = []

    @property
    def batches(self) -> int:
        """How many batches were drawn."""
        return len(self._values)

    def draw(self, batches: int, rng: np.random.Generator, progress: Callable[[int, int], None] | None = None) -> None:
        """Draw so many batches more; ``progress`` is called with (done, all)."""
        for done in range(batches):
            a, b = self.population.draw(self.size, rng)
            self._values.append([image.values(a, b) for image in self.images])
            if progress is not None:
                progress(done + 1, batches)

    def points(self) -> list[list[Point]]:
        """Return the change of the loss from W = 0 at every point of every ray."""
        return [
            [
                _point(
                    self._of(k, i), self._controls(k), image.sizes(self.size), image.shift * t**4, image.size_of_loss
                )
                for i, t in enumerate(image.ray.scales)
            ]
            for k, image in enumerate(self.images)
        ]

    def estimates(self, ray: int) -> Array:
        """Return the estimate of each batch at each scale of a ray, (batches, scales)."""
        image = self.images[ray]
        weights, shift = _without_bias(image.sizes(self.size)), image.shift * np.array(image.ray.scales) ** 4
        return np.array([values @ weights for values, _ in (batch[ray] for batch in self._values)]) + shift

    def _of(self, ray: int, scale: int) -> Array:
        return np.array([batch[ray][0][scale] for batch in self._values])

    def _controls(self, ray: int) -> Array:
        return np.array([batch[ray][1] for batch in self._values])

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


def _point(values: Array, controls: Array, sizes: Sequence[int], shift: float, size_of_loss: float) -> Point:
    """The estimate from values (batches x levels), where controls (batches x controls x levels) are zero on average."""
    weights, fewer = _without_bias(sizes), _without_bias(sizes[:2])
    estimates, before = values @ weights, values[:, :2] @ fewer
    estimate, error = _intercept(estimates, controls @ weights)
    return Point(
        estimate=estimate + shift,
        standard_error=max(error, ROUNDOFF * max(float(np.abs(values).max()), size_of_loss)),
        bias_removed=float(values[:, 0].mean() - estimates.mean()),
        bias_bound=float(NEXT_BIAS / sizes[0] * abs(np.mean(estimates - before))),
    )


def _intercept(values: Array, controls: Array) -> tuple[float, float]:
    """Return by least squares the value where all controls are zero, and its standard error."""
    scale = np.abs(controls).max(axis=0, initial=0.0)
    design = np.column_stack([np.ones(len(values)), controls[:, scale > 0] / scale[scale > 0]])
    solution = np.linalg.lstsq(design, values, rcond=None)[0]
    residual = values - design @ solution
    freedom = len(values) - design.shape[1]
    variance = residual @ residual / freedom * np.linalg.pinv(design.T @ design)[0, 0]
    return float(solution[0]), float(np.sqrt(variance))


class _Image:
    """The population seen through one W."""

    def __init__(self, loss: Loss, population: Population, ray: Ray, terms: CumulantTerms | None):
        self.loss, self.ray, self.terms = loss, ray, terms
        moments, W = population.moments, ray.W
        self.moments = {"A0": W @ moments["A0"] @ W.T, "Sigma": W @ moments["Sigma"] @ W.T}
        self.mean = W @ moments["mean"] if "mean" in moments else np.zeros(len(W))
        if "mean" in moments:
            self.moments["mean"] = self.mean
        #: How many negatives stand together in a function.
        self.negatives = _negatives(loss)
        #: What the population's own cumulants add at t = 1.
        self.shift = terms.at(W, moments, population.cumulants) if terms is not None else 0.0
        #: Whether the loss treats both views alike; if not, the mean over both orders has less noise. None: not yet known.
        self._symmetric: bool | None = None
        self._zeros: dict[int, float] = {}
        self._lift = _lift(W) if loss.expr.has(WeightNorm) else np.eye(len(W))
        self._W = W if loss.expr.has(WeightNorm) else np.eye(len(W))

    def values(self, a: Array, b: Array) -> tuple[Array, Array]:
        """Return loss less control variate for every t, and controls: on the whole batch, and the means over its parts."""
        f, g = a @ self.ray.W.T, b @ self.ray.W.T
        levels, controls = [], []
        for count in PARTS:
            found = [self._of_part(f[part], g[part]) for part in self.parts(len(f), count)]
            levels.append(np.mean([values for values, _ in found], axis=0))
            controls.append(np.mean([neighbours for _, neighbours in found], axis=0))
        return np.stack(levels, axis=-1), np.stack(controls, axis=-1)

    def sizes(self, size: int) -> list[int]:
        """Return the sizes of the whole batch and of its parts."""
        return [self.parts(size, count)[0].stop for count in PARTS]

    def at_zero(self, size: int) -> float:
        """Return the loss at W = 0, for so many data."""
        if size not in self._zeros:
            zeros = np.zeros((size, self._lift.shape[1]))
            self._zeros[size] = SampledLoss(self.loss, zeros, zeros).value(0 * self._W)
        return self._zeros[size]

    @property
    def size_of_loss(self) -> float:
        """The size of what was subtracted, for rounding."""
        return max(map(abs, self._zeros.values()), default=0.0)

    def parts(self, size: int, count: int) -> list[slice]:
        """Return ``count`` parts of a batch, of sizes where every negative of an anchor counts equally often."""
        each = size // count
        used = each - (each - 1) % self.negatives
        return [slice(k * each, k * each + used) for k in range(count)]

    def _of_part(self, f: Array, g: Array) -> tuple[Array, Array]:
        control = 0.0
        if self.terms is not None:
            f, g = self._matched(f, g)
            if self.terms:
                control = self.terms.at(np.eye(f.shape[1]), self.moments, exchangeable_cumulants(f, g))
        neighbours = self._neighbours(f) + self._neighbours(g) if self.terms is not None else np.zeros(0)
        f, g = f @ self._lift, g @ self._lift
        values = self._sampled(f, g)
        if self._symmetric is not True:
            exchanged = self._sampled(g, f)
            if self._symmetric is None:
                self._symmetric = bool(np.allclose(values, exchanged, rtol=1e-12, atol=0))
            values = (values + exchanged) / 2
        return values - control * np.array(self.ray.scales) ** 4, neighbours

    def _neighbours(self, rows: Array) -> Array:
        """Products of neighbouring rows, zero on average but for O(1/N): what a loss of several negatives at a time feels.

        Negatives that stand together are neighbours, for every anchor: at order 4 their logits' products depend on these.
        """
        if self.negatives == 1:
            return np.zeros(0)
        rows = rows - self.mean
        squares = (rows**2).sum(axis=1)
        squares = squares - squares.mean()
        along = rows @ self.moments["Sigma"]
        shifts = range(1, self.negatives)
        weights = [self.negatives - k for k in shifts]
        products = [[squares @ np.roll(squares, k), np.sum(along * np.roll(rows, k, axis=0))] for k in shifts]
        return np.asarray(weights) @ np.array(products) / len(rows)

    def _sampled(self, f: Array, g: Array) -> Array:
        sampled = SampledLoss(self.loss, f, g)
        return np.array([sampled.value(t * self._W) for t in self.ray.scales]) - self.at_zero(len(f))

    def _matched(self, f: Array, g: Array) -> tuple[Array, Array]:
        """Map the rows linearly so that mean and second moments are the population's; the least change that does so."""
        rows, mean = np.hstack([f, g]), np.tile(self.mean, 2)
        rows = rows - rows.mean(axis=0)
        P, M = (self.moments[name] - np.outer(self.mean, self.mean) for name in ("Sigma", "A0"))
        wanted = np.block([[P, M], [M, P]])
        root, inverse = _roots(rows.T @ rows / len(rows))
        change = inverse @ _roots(root @ wanted @ root)[0] @ inverse
        rows = rows @ change + mean
        return rows[:, : f.shape[1]], rows[:, f.shape[1] :]


def _negatives(loss: Loss) -> int:
    """Return a common multiple of the finite numbers of negatives of a loss."""
    counts = {int(node.args[2]) for node in loss.expr.atoms(Total)}
    counts |= {int(f.negatives) for _, f in loss.batch if isinstance(f, CrossEntropy) and f.negatives.is_Integer}
    return lcm(*counts)


def _roots(matrix: Array) -> tuple[Array, Array]:
    """The square root of a positive semidefinite matrix, and its pseudo-inverse."""
    values, vectors = np.linalg.eigh(matrix)
    roots = np.sqrt(np.maximum(values, 0))
    kept = roots > 1e-7 * roots.max(initial=0.0)
    inverses = np.divide(1, roots, out=np.zeros_like(roots), where=kept)
    return np.asarray((vectors * roots) @ vectors.T), np.asarray((vectors * inverses) @ vectors.T)


def _lift(W: Array) -> Array:
    """L with f L W^T = f, so that features stand for given representations and W keeps its norm."""
    return np.asarray(np.linalg.pinv(W).T, dtype=np.float64)
