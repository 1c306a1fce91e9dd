"""Gaussian views and mixtures of them, as populations with their joint cumulants in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.probability.data_models import DataModel
from symscape.probability.moments import Moments

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Component:
    """A Gaussian class: its weight, the covariances of one view and of two views, and its mean."""

    weight: float
    Sigma: Array
    A0: Array
    mean: Array


@dataclass(frozen=True)
class MixturePopulation:
    """Views of data from Gaussian classes; one class is a Gaussian population."""

    components: tuple[Component, ...]
    data: DataModel
    arguments: Mapping[str, Any]
    is_of_model: bool = field(default=True, init=False)

    @property
    def name(self) -> str:
        """What the views are, in words."""
        d0 = len(self.components[0].mean)
        kinds = f"a mixture of {len(self.components)} Gaussians" if len(self.components) > 1 else "Gaussian views"
        return f"{kinds} of {d0} features" + (", with a mean" if self.data.has_mean else "")

    @property
    def moments(self) -> Moments:
        """Second moments over all classes, and the mean."""
        outer = [np.outer(c.mean, c.mean) for c in self.components]
        A0, Sigma = (
            sum(c.weight * (m + o) for c, m, o in zip(self.components, matrices, outer, strict=True))
            for matrices in ([c.A0 for c in self.components], [c.Sigma for c in self.components])
        )
        mean = sum(c.weight * c.mean for c in self.components)
        return Moments(A0, Sigma, mean if self.data.has_mean else None)

    @property
    def cumulants(self) -> MixtureCumulants:
        """The joint cumulants, zero for one class."""
        return MixtureCumulants(self.components)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return two views of independent data: a common part and a part of each, so that they are exchangeable."""
        a, b = np.empty((2, count, len(self.components[0].mean)))
        chosen = rng.choice(len(self.components), size=count, p=[c.weight for c in self.components])
        for k, c in enumerate(self.components):
            rows = np.flatnonzero(chosen == k)
            s, e = rng.standard_normal((2, len(rows), len(c.mean)))
            s, e = s @ _root(c.Sigma + c.A0), e @ _root(c.Sigma - c.A0)
            a[rows], b[rows] = c.mean + (s + e) / np.sqrt(2), c.mean + (s - e) / np.sqrt(2)
        return a, b


@dataclass(frozen=True)
class MixtureCumulants:
    """Joint cumulants of a mixture of Gaussians, from moments of Gaussians with a mean: values only, no derivatives.

    With u = delta + noise in a class, E[(u.v)(s.t)] is the product of the means delta.delta + Tr C_uv of both factors, and
    their covariance, delta^T (C_us + C_ut + C_vs + C_vt) delta + Tr C_us C_vt + Tr C_ut C_vs.
    """

    components: tuple[Component, ...]

    def value_and_gradient(self, pattern: tuple, W: Array, end: Array | None) -> tuple[float, Array, Array | None]:
        """Return the contraction for a d1 x d0 W; the derivatives, which a check never asks for, are NaN."""
        (u, v), second = pattern
        if end is None:
            s, t = second
            value = self._fourth(u, v, s, t, W)
        else:
            value = self._third(u, v, second, W, end)
        return float(value), np.full_like(W, np.nan), None if end is None else np.full_like(end, np.nan)

    def _fourth(self, u: str, v: str, s: str, t: str, W: Array) -> float:
        value = 0.0
        for c, delta in zip(self.components, self._shifts(W), strict=True):
            block = partial(_block, c, W)
            means = [delta @ delta + np.trace(block(*pair)) for pair in ((u, v), (s, t))]
            covariance = delta @ (block(u, s) + block(u, t) + block(v, s) + block(v, t)) @ delta
            covariance += np.sum(block(u, s) * block(v, t)) + np.sum(block(u, t) * block(v, s))
            value += c.weight * (means[0] * means[1] + covariance)
        whole = partial(self._covariance, W)
        value -= np.trace(whole(u, v)) * np.trace(whole(s, t))
        return value - np.sum(whole(u, s) * whole(v, t)) - np.sum(whole(u, t) * whole(v, s))

    def _third(self, u: str, v: str, s: str, W: Array, end: Array) -> float:
        value = 0.0
        for c, delta in zip(self.components, self._shifts(W), strict=True):
            block = partial(_block, c, W)
            mean = delta @ delta + np.trace(block(u, v))
            value += c.weight * (mean * (delta @ end) + delta @ (block(u, s) + block(v, s)) @ end)
        return value

    def _shifts(self, W: Array) -> list[Array]:
        centre = sum(c.weight * c.mean for c in self.components)
        return [W @ (c.mean - centre) for c in self.components]

    def _covariance(self, W: Array, a: str, b: str) -> Array:
        shifts = zip(self.components, self._shifts(W), strict=True)
        return np.sum([c.weight * (_block(c, W, a, b) + np.outer(d, d)) for c, d in shifts], axis=0)


def _block(component: Component, W: Array, a: str, b: str) -> Array:
    return W @ (component.Sigma if a == b else component.A0) @ W.T


def _root(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
