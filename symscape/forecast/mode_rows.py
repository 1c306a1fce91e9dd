"""Rows in the coordinates of the modes, and the loss of weights that are aligned with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.forecast.forecast import Forecast
from symscape.forecast.problem import Problem
from symscape.losses.collapsed_value import collapsed_value
from symscape.sampling.evaluator import Estimate
from symscape.sampling.sampled_loss import SampledLoss

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class ModeRows:
    """Rows y = u_k.phi + offset_k of two views, N x m, one column a mode, and the loss of d1 x m weights on them.

    ``sizes``: |u_k|^2 of the modes, m, which weight decay acts on. ``batch_size``: rows of one batch, or None for all; the loss
    is then the mean over batches.
    """

    asked: Problem
    a: Array
    b: Array
    sizes: Array
    batch_size: int | None = None

    @property
    def rows(self) -> int:
        """N."""
        return len(self.a)

    @cached_property
    def _batches(self) -> Sequence[SampledLoss]:
        size = self.batch_size or self.rows
        starts = range(0, self.rows - size + 1, size)
        return [SampledLoss(self.asked.loss, self.a[k : k + size], self.b[k : k + size]) for k in starts]

    @property
    def _gamma(self) -> float:
        """Weight decay; none for a loss that keeps its value along W -> c W, which would only shrink the weights."""
        return 0.0 if self.asked.is_scale_free else float(self.asked.gamma)

    def value_and_gradient(self, weights: Array) -> tuple[float, Array]:
        """Return the loss of d1 x m weights whose rotation from the modes is orthogonal, and its derivative."""
        gamma = self._gamma
        value, gradient = gamma * float(((weights**2) @ self.sizes).sum()), 2 * gamma * weights * self.sizes
        for batch in self._batches:
            one, slope = batch.value_and_gradient(weights)
            value += one / len(self._batches)
            gradient = gradient + slope / len(self._batches)
        return value, gradient

    def estimate(self, weights: Array) -> Estimate:
        """Return the loss of d1 x m weights with its standard error."""
        found = [batch.estimate(weights) for batch in self._batches]
        errors = np.array([estimate.standard_error for estimate in found])
        decay = self._gamma * float(((weights**2) @ self.sizes).sum())
        value = float(np.mean([estimate.value for estimate in found])) + decay
        return Estimate(value, float(np.sqrt(np.mean(errors**2) / len(found))))

    @property
    def value_at_collapse(self) -> float:
        """The loss when every output is the same point: W = 0, or any point for a loss of cosines; NaN where it is 0/0."""
        if not self.asked.is_scale_free:
            return self._batches[0].value(np.zeros((self.asked.d1, self.a.shape[1])))
        try:
            return float(collapsed_value(self.asked.loss, self._batches[0].rows, self.asked.d1))
        except InputError:
            return float("nan")


def mode_rows(
    asked: Problem, forecast: Forecast, a: Array, b: Array, used: Sequence[int], batch_size: int | None = None
) -> ModeRows:
    """Return rows of features, N x d0 each, in the coordinates of some modes of a forecast."""
    chosen = list(used)
    rows, offsets = forecast.rows[chosen], forecast.offsets[chosen]
    return ModeRows(asked, a @ rows.T + offsets, b @ rows.T + offsets, forecast.sizes[chosen], batch_size)


def gaussian_rows(
    asked: Problem,
    forecast: Forecast,
    mean: Array,
    rows: int,
    used: Sequence[int],
    rng: np.random.Generator,
    batch_size: int | None = None,
) -> ModeRows:
    """Return Gaussian rows with the moments of the modes of a forecast: what the features would be to theory.

    Where there are more rows than moments need, the sample has exactly these moments, so that no noise of theirs is added.
    """
    chosen = list(used)
    r, centre = forecast.r[chosen], forecast.rows[chosen] @ mean + forecast.offsets[chosen]
    values, axes = np.linalg.eigh(np.diag((1 + r) / 2) - np.outer(centre, centre))
    draws = rng.standard_normal((rows, 2 * len(r)))
    if rows > 2 * draws.shape[1]:
        draws -= draws.mean(axis=0)
        draws = np.linalg.qr(draws)[0] * np.sqrt(rows)
    s = draws[:, : len(r)] @ (axes * np.sqrt(np.maximum(values, 0.0))).T + centre
    e = draws[:, len(r) :] * np.sqrt(np.maximum((1 - r) / 2, 0.0))
    return ModeRows(asked, s + e, s - e, forecast.sizes[chosen], batch_size)
