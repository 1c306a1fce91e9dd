"""What a head is trained on: the mean of a sampled loss over batches, and weight decay, as a function of W with its bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.losses.batch import Decay, Expression
from symscape.losses.language import WeightNorm, d_1
from symscape.losses.loss import Loss
from symscape.sampling.batch_arguments import number_of
from symscape.sampling.sampled_loss import SampledLoss
from symscape.training.hinges import Hinges, covariance_root, split_hinges

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class HeadObjective:
    """The mean over batches of ``loss`` (numbers for its symbols, no decay), plus ``gamma`` |W|^2, which a bias is free of.

    ``a``, ``b``: N x d0 rows of two views in float64; with ``bias`` their last column is 1. ``batches``: the rows of each.
    """

    loss: Loss
    d1: int
    gamma: float
    a: Array
    b: Array
    bias: bool
    batches: Sequence[Any]

    @cached_property
    def decayed(self) -> Array:
        """1 for the columns that weight decay acts on, 0 for a bias."""
        columns = np.ones(self.a.shape[1])
        columns[len(columns) - self.bias :] = 0.0
        return columns

    @cached_property
    def second_moment(self) -> Array:
        """E[phi phi^T] over both views."""
        found: Array = (self.a.T @ self.a + self.b.T @ self.b) / (2 * len(self.a))
        return found

    @cached_property
    def covariance(self) -> Array:
        """The second moment about the mean of both views."""
        mean = (self.a.mean(axis=0) + self.b.mean(axis=0)) / 2
        return self.second_moment - np.outer(mean, mean)

    @cached_property
    def _sampled(self) -> list[SampledLoss]:
        return [self._on(rows) for rows in self.batches]

    def _on(self, rows: Any) -> SampledLoss:
        return SampledLoss(self.loss, self.a[rows], self.b[rows])

    def value_and_gradient(self, W: Array) -> tuple[float, Array]:
        """Return the objective and its derivative by W."""
        return self._decay(W, *self.loss_alone(W))

    @cached_property
    def hinges(self) -> tuple[HeadObjective, Hinges] | None:
        """The objective without the hinges of its loss, and these; None where it has none."""
        found = split_hinges(self.loss, self.d1)
        if found is None:
            return None
        smooth, weight, epsilon = found
        roots = [covariance_root(view[rows]) for rows in self.batches for view in (self.a, self.b)]
        return replace(self, loss=smooth), Hinges(roots, weight / (len(roots) * self.d1), epsilon)

    def on_rows(self, rows: NDArray[np.integer[Any]], W: Array) -> tuple[float, Array]:
        """Return the objective with one batch of some rows, and its derivative by W."""
        return self._decay(W, *self._on(rows).value_and_gradient(W))

    def loss_alone(self, W: Array) -> tuple[float, Array]:
        """Return the mean of the loss over batches, without weight decay, and its derivative by W."""
        value, gradient = 0.0, np.zeros_like(W)
        for sampled in self._sampled:
            part, slope = sampled.value_and_gradient(W)
            value += float(part) / len(self._sampled)
            gradient += slope / len(self._sampled)
        return value, gradient

    def _decay(self, W: Array, value: float, gradient: Array) -> tuple[float, Array]:
        held = W * self.decayed
        return float(value) + self.gamma * float((held**2).sum()), gradient + 2 * self.gamma * held


def without_decay(call: str, loss: Loss, d1: int, bias: bool) -> tuple[Loss, float]:
    """Return what of a loss is computed on representations, and gamma of the weight decay in it.

    Raises InputError for an own expression in ||W||^2 where there is a bias, which would decay with the weights.
    """
    size = {d_1: sp.Integer(d1)}
    gamma, kept = 0.0, []
    for coefficient, form in loss.batch:
        if isinstance(form, Decay):
            gamma += number_of(coefficient.xreplace(size)) * number_of(form.gamma.xreplace(size))
            continue
        if bias and isinstance(form, Expression) and form.expr.has(WeightNorm):
            raise InputError(
                f"{call}: with a bias, give weight decay as weight_decay=, not as ||W||^2 in the expression"
            )
        kept.append((coefficient, form))
    # The forms are all that a batch needs, and some losses (W-MSE) have no expression.
    return Loss(sp.S.Zero, loss.name, tuple(kept)), gamma
