"""A trained linear head, and what it makes of features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscape.errors import InputError
from symscape.sampling.batch_arguments import real_array, refuse_infinite

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A linear head f = W phi + b, as training left it. Made by `train_head`.

    ``W`` is d1 x d0, ``bias`` of length d1 or None. ``value``: the objective, loss and weight decay; ``value_at_start``: where
    training began; ``gradient_norm``: of the objective, in the coordinates of the descent. ``history``: (step, value), one row
    a step. ``reason``: why training stopped, a sentence.
    """

    name: str
    W: Array
    bias: Array | None
    value: float
    value_at_start: float
    gradient_norm: float
    converged: bool
    steps: int
    history: Array
    reason: str

    def representations(self, features: ArrayLike) -> Array:
        """Return W phi + b of features N x d0, as N x d1. Raises InputError for features of another width, or not finite."""
        name = "representations(features)"
        rows = real_array(name, features)
        if rows.ndim != 2 or rows.shape[1] != self.W.shape[1]:
            raise InputError(f"{name}: features has shape {rows.shape}; the head takes N x {self.W.shape[1]}")
        refuse_infinite(name, rows)
        images: Array = rows @ self.W.T
        return images if self.bias is None else images + self.bias

    def spectrum(self, features_a: ArrayLike, features_b: ArrayLike | None = None, centred: bool = False) -> Array:
        """Return the eigenvalues of P = E[f f^T], averaged over the views given, divided by N, descending, length d1.

        ``centred``: of f minus its mean over all views. Raises InputError for features that do not fit the head.
        """
        views = [self.representations(x) for x in (features_a, features_b) if x is not None]
        mean = np.mean([z.mean(axis=0) for z in views], axis=0) if centred else 0.0
        second = np.mean([(z - mean).T @ (z - mean) / len(z) for z in views], axis=0)
        eigenvalues: Array = np.maximum(np.linalg.eigvalsh(second)[::-1], 0.0)
        return eigenvalues

    def __str__(self) -> str:
        d1, d0 = self.W.shape
        head = f"head of {d1} x {d0}" + (" with a bias" if self.bias is not None else "")
        return (
            f"{self.name}, {head}: {self.value_at_start:.6g} -> {self.value:.6g} in {self.steps} steps, "
            f"{'converged' if self.converged else 'not converged'}: {self.reason}"
        )

    __repr__ = __str__
