"""Coordinates of a descent: whitened features, and the size of outputs taken out where the loss does not see it.

W = V T^T with T^T (Sigma + gamma / h 1) T = 1: the curvature of the loss is about h in whitened coordinates, and weight decay
adds gamma to that in W, so that all directions get curvatures of one size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError

Array = NDArray[np.floating[Any]]
Function = Callable[[Array], tuple[float, Array]]

#: An eigenvalue of the metric below this, relative to the largest and in units of the features, is a direction without data.
CONSTANT = 1e-12
#: What the loss does not see of the outputs' size: nothing, that of all together, or that of each.
Blind = Literal["nothing", "all", "each"]


@dataclass(frozen=True, eq=False)
class Coordinates:
    """W = D V T^T, V being d1 x k, with D a size: 1, or what gives outputs size 1 where the loss is blind to theirs.

    ``metric``: the moment of the features that measures outputs, in these coordinates; ``back``: V = W ``back``.
    """

    to_weights: Array
    back: Array
    metric: Array
    blind: Blind = "nothing"

    def weights(self, V: Array) -> Array:
        """Return W, d1 x d0."""
        found: Array = (V / self._sizes(V)) @ self.to_weights.T
        return found

    def of(self, W: Array) -> Array:
        """Return the V of weights; of W the part that never meets data is lost."""
        found: Array = W @ self.back
        return found

    def _sizes(self, V: Array) -> Array:
        """Return roots of the outputs' second moments, d1 x 1, or of their sum, or 1."""
        if self.blind == "nothing":
            return np.ones((1, 1))
        squares = np.einsum("ok,ok->o", V @ self.metric, V)
        squares = squares[:, None] if self.blind == "each" else squares.sum()[None, None]
        return np.sqrt(squares)

    def unit(self, V: Array) -> Array:
        """Return V with outputs of size 1, where the loss is blind to theirs."""
        return V / self._sizes(V)

    def pulled(self, objective: Function) -> Function:
        """Return an objective of W, with its gradient, as one of V."""

        def function(V: Array) -> tuple[float, Array]:
            sizes = self._sizes(V)
            unit = V / sizes
            value, by_W = objective(unit @ self.to_weights.T)
            slope = by_W @ self.to_weights
            if self.blind != "nothing":
                along = np.einsum("ok,ok->o", slope, unit)[:, None]
                along = along if self.blind == "each" else along.sum()[None, None]
                slope = (slope - along * (unit @ self.metric)) / sizes
            return value, slope

        return function


def whitened(moment: Array, decay: Array, metric: Array, blind: Blind = "nothing") -> Coordinates:
    """Return coordinates in which moment + diag(decay) is 1, on its support. ``metric``: what measures outputs.

    Features count in units of their own deviation, so that one in small units is not taken for one without data.
    """
    whole = moment + np.diag(decay)
    diagonal = np.diagonal(whole)
    units = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, axes = np.linalg.eigh(whole / np.outer(units, units))
    stays = values > CONSTANT * max(float(values[-1]), np.finfo(float).tiny)
    roots, axes = np.sqrt(values[stays]), axes[:, stays]
    T = axes / roots / units[:, None]
    return Coordinates(T, units[:, None] * axes * roots, T.T @ metric @ T, blind)


def blindness(value: Callable[[Array], float], W: Array, rng: np.random.Generator) -> Blind:
    """Return what a loss does not see of the outputs' size, from its values at W and at rescaled outputs.

    Small constants, as the epsilon of a batch normalisation, are not felt at large outputs, where a loss that sees sizes does.
    At W the value must not change much either: far away a bounded loss is flat.
    """
    factors = np.exp(rng.uniform(-0.7, 0.7, size=(len(W), 1)))

    def changes_by(factor: Array | float, size: float) -> float:
        here = value(size * W)
        return abs(value(size * factor * W) - here) / max(abs(here), np.finfo(float).tiny)

    scalings: tuple[tuple[Blind, Array | float], ...] = (("each", factors), ("all", 2.0))
    try:
        for blind, factor in scalings:
            if changes_by(factor, 1.0) < 1e-3 and changes_by(factor, 100.0) < 1e-7:
                return blind
    except InputError:  # it overflows at large outputs
        pass
    return "nothing"
