"""The population seen through one W: the loss of a batch along t W, with matched moments and a control variate."""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import SymscapeError
from symscape.landscape.landscape import landscape
from symscape.losses.batch import CrossEntropy, Decay
from symscape.losses.language import Total, d_1
from symscape.losses.loss import Loss
from symscape.probability.data_models import CumulantViews
from symscape.programs.landscape_function import LandscapeFunction
from symscape.sampling.check.populations import Population, exchangeable_cumulants
from symscape.sampling.check.rounding import rounding_of_loss
from symscape.sampling.expression.expression_evaluator import ExpressionEvaluator
from symscape.sampling.forms import evaluator_of

Array = NDArray[np.float64]

#: Into how many parts a batch is divided.
PARTS = (1, 4, 16)
#: Roundoff of a value, relative to the loss.
ROUNDOFF = 8e-15


@dataclass(frozen=True)
class Ray:
    """A direction W, d1 x d0, and multiples t of it."""

    W: Array
    scales: tuple[float, ...]


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


class CodedLoss:
    """A loss with numbers on representations: the evaluators of its forms, made once for many small batches."""

    def __init__(self, loss: Loss, W: Array):
        self._norm = float(np.sum(W**2))
        size = {d_1: sp.Integer(len(W))}
        self._terms = []
        for coefficient, form in loss.batch:
            form = form.xreplace(size)
            made = form if isinstance(form, Decay) else evaluator_of(form)
            self._terms.append((float(coefficient.xreplace(size)), made))

    def value(self, f: Array, g: Array, t: float) -> float:
        """Return the loss of t f and t g, the images under t W."""
        found = 0.0
        f, g, norm = t * f, t * g, t * t * self._norm
        for coefficient, made in self._terms:
            if isinstance(made, Decay):
                found += coefficient * float(made.gamma) * norm
            elif isinstance(made, ExpressionEvaluator):
                found += coefficient * made.run(f, g, weight_norm=norm).value
            else:
                found += coefficient * float(made.value(f, g))
        return found


class Image:
    """The population seen through one W."""

    def __init__(self, loss: Loss, population: Population, ray: Ray, terms: CumulantTerms | None):
        self.ray, self.terms = ray, terms
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
        self._coded = CodedLoss(loss, W)
        self._loss = loss

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
            zeros = np.zeros((size, len(self.ray.W)))
            self._zeros[size] = self._coded.value(zeros, zeros, 0.0)
        return self._zeros[size]

    def rounding(self, size: int) -> float:
        """Return a bound on the rounding of the loss near W = 0, and of what is subtracted from it."""
        zero = max(map(abs, self._zeros.values()), default=0.0)
        return rounding_of_loss(self._loss, len(self.ray.W), size) + ROUNDOFF * zero

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
        return np.array([self._coded.value(f, g, t) for t in self.ray.scales]) - self.at_zero(len(f))

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
