"""The hinges of VICReg apart from its smooth part: where mu is large, outputs rest on the kink, which stops L-BFGS.

A hinge is the largest of y c over 0 <= y <= m, with c = 1 - sqrt(variance + epsilon) and m its weight. The proximal form

    max over 0 <= y <= m of  y c - (y - y_0)^2 / (2 rho)

is smooth in c, and at the minimum of the loss has the same value once y_0 is the y of that minimum. So y_0 <- y after each
descent, the method of multipliers, converges to it with no stiffness. Source: Bertsekas, "Constrained Optimization and
Lagrange Multiplier Methods", 1982, section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.losses.batch import VarianceCovariance
from symscape.losses.language import d_1
from symscape.losses.loss import Loss
from symscape.sampling.batch_arguments import number_of

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Hinges:
    """Hinges of weight ``weight`` on the deviation of each output in each group of rows (a view of a batch).

    ``roots``: for each group R with R^T R the unbiased covariance of its features.
    """

    roots: Sequence[Array]
    weight: float
    epsilon: float

    def gaps(self, W: Array) -> tuple[Array, list[Array], Array]:
        """Return c, groups x d1, the images R W^T, and the deviations."""
        images: list[Array] = [R @ W.T for R in self.roots]
        deviations = np.sqrt(np.array([(z**2).sum(axis=0) for z in images]) + self.epsilon)
        c: Array = 1 - deviations
        return c, images, deviations

    def smooth(self, W: Array, multipliers: Array, rho: float) -> tuple[float, Array, Array]:
        """Return the proximal form, its derivative by W, and the y that reach its maximum, groups x d1."""
        c, images, deviations = self.gaps(W)
        y = np.clip(multipliers + rho * c, 0.0, self.weight)
        value = float((y * c - (y - multipliers) ** 2 / (2 * rho)).sum())
        gradient = np.zeros_like(W)
        for R, z, slope in zip(self.roots, images, y / deviations, strict=True):
            gradient -= (z * slope).T @ R
        return value, gradient, y

    def missing(self, W: Array, y: Array) -> float:
        """Return how far y c, a lower bound, is below the hinges."""
        c = self.gaps(W)[0]
        return float((self.weight * np.maximum(c, 0.0) - y * c).sum())


def split_hinges(loss: Loss, d1: int) -> tuple[Loss, float, float] | None:
    """Return (loss without hinges, their weight in all, epsilon); None for a loss that has none, or of several kinds."""
    found = [(c, form) for c, form in loss.batch if isinstance(form, VarianceCovariance)]
    if len(found) != 1:
        return None
    ((coefficient, form),) = found
    size = {d_1: sp.Integer(d1)}
    weight = number_of((coefficient * form.mu).xreplace(size))
    if weight <= 0:
        return None
    rest = tuple((c, replace(f, mu=sp.S.Zero) if f is form else f) for c, f in loss.batch)
    return Loss(sp.S.Zero, loss.name, rest), weight, number_of(form.epsilon.xreplace(size))


def covariance_root(rows: Array) -> Array:
    """Return R, at most d0 x d0, with R^T R the unbiased covariance of rows."""
    centred = (rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1)
    if len(rows) <= rows.shape[1]:
        return centred
    triangle: Any = np.linalg.qr(centred, mode="r")
    return triangle
