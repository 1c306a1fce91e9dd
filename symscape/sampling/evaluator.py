"""What evaluates a form of a loss on a batch, and what a sampled loss is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Estimate:
    """The value of a sampled loss, and its standard error as an estimate of the population's.

    The standard error is that of the mean of the influence of every datum, as anchor and as negative. For cross-entropies
    (InfoNCE, NT-Xent and their presets) the influence is what leaving the datum out changes, the jackknife: a few candidates
    may carry an anchor's sum, as at a low temperature or with dot products of long rows. Elsewhere it is the derivative by the
    datum's weight, right to O(1/N); so it is for own expressions, where such heavy weights make it too small.

    It does not show the O(1/N) bias of functions of a mean over the batch.
    """

    value: float
    standard_error: float

    def __str__(self) -> str:
        return f"{self.value:.6g} ± {self.standard_error:.2g}"


class Evaluator(Protocol):
    """A form of a loss on representations of two views, N x d1 each, of one float type, rows paired.

    The arrays were checked: two axes, equal shapes, finite, N >= 2. Results are sums in float64, gradients of the arrays' type.
    """

    def value(self, a: Array, b: Array) -> float:
        """Return the loss."""
        ...

    def value_and_gradient(self, a: Array, b: Array) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b."""
        ...

    def influence(self, a: Array, b: Array) -> Array:
        """Return, for each datum, N times the derivative of the loss by its weight, or N - 1 times what leaving it out lowers.

        (N,), up to a constant: about their mean, the influences of the data.
        """
        ...


@dataclass(frozen=True)
class ViewMoments:
    """Moments of N data in two views: ``mean`` (2, d), ``second`` (2, 2, d, d), second[u, v] = mean of z_u z_v^T."""

    count: int
    mean: Array
    second: Array

    def image(self, W: Array) -> ViewMoments:
        """Return the moments of W z."""
        return ViewMoments(self.count, self.mean @ W.T, W @ self.second @ W.T)


class MomentEvaluator(Evaluator, Protocol):
    """An evaluator that needs the moments of the views only, so that a step with W costs nothing that grows with N."""

    def from_moments(self, moments: ViewMoments) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by ``mean`` and by ``second``."""
        ...
