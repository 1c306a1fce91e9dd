"""Two views with a similarity between their rows, and what an anchor loses to its negatives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit

from symscape.errors import InputError
from symscape.sampling.evaluator import Array
from symscape.sampling.pairs.logits import PairLogits, positive_logits
from symscape.sampling.unit_rows import UnitRows, unit_rows

#: Below this temperature, normalised rows of float32 are kept in float64.
FINE = 1e-4
#: The error that rounding may leave in a loss, for float32 and float64, and relative to the loss.
ABSOLUTE, RELATIVE = {4: 2.0**-9, 8: 1e-5}, 1e-6


@dataclass(frozen=True)
class Similar:
    """Views a and b, N x d1, compared by "cosine", "dot" or "sqdist" at temperature tau."""

    a: Array
    b: Array
    kind: str
    tau: float
    epsilon: float = 0.0

    @property
    def squared(self) -> bool:
        """Whether logits are distances."""
        return self.kind == "sqdist"

    @cached_property
    def _unit(self) -> tuple[UnitRows, UnitRows]:
        a, b = (unit_rows(z, self.epsilon, np.dtype(float) if self.tau < FINE else z.dtype) for z in (self.a, self.b))
        return a, b

    @cached_property
    def rows(self) -> tuple[Array, Array]:
        """The rows that are compared: normalised ones for the cosine."""
        return (self._unit[0].rows, self._unit[1].rows) if self.kind == "cosine" else (self.a, self.b)

    @cached_property
    def positive(self) -> Array:
        """The logits of the positives, in float64."""
        return positive_logits(*self.rows, self.tau, self.squared)

    def pull_back(self, gradient_a: Array, gradient_b: Array) -> tuple[Array, Array]:
        """Return the gradients by the views from those by the rows that are compared."""
        if self.kind == "cosine":
            gradient_a, gradient_b = (u.pull_back(g) for u, g in zip(self._unit, (gradient_a, gradient_b), strict=True))
        return gradient_a.astype(self.a.dtype, copy=False), gradient_b.astype(self.b.dtype, copy=False)


def anchor_losses(gap: Array, positive: bool) -> Array:
    """Return log(1 + e^gap), gap = log sum over negatives - positive's logit; the gap itself without the positive."""
    return np.logaddexp(0.0, gap) if positive else gap


def anchor_slopes(gap: Array, positive: bool) -> Array:
    """Return the derivative of the losses by the gap."""
    return np.asarray(expit(gap)) if positive else np.ones_like(gap)


def trusted(value: float, logits: PairLogits) -> float:
    """Return the value; raise InputError when rounding of the logits may have spoiled it."""
    if logits.error > max(ABSOLUTE[logits.left.itemsize], RELATIVE * abs(value)):
        raise InputError(
            f"the logits reach {logits.error / np.finfo(logits.left.dtype).eps:.3g} at tau={logits.tau:g}, so that rounding "
            f"leaves errors of {logits.error:.2g} in them while the loss is {value:.3g}; divide the representations by a number"
        )
    return value
