"""A forecast: the weights, strengths and spectrum that a loss is predicted to train, and what the prediction rests on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.forecast.frames import Frame
from symscape.spectrum.ranks import entropy_rank, participation_ratio

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Forecast:
    """What training makes of d0 features in d1 outputs, mode by mode.

    ``level``: "theory" (from moments alone), "refined" (the loss minimised on rows over the aligned family) or "trained" (over
    all weights). ``eigenvalues``: of every mode, descending, of the pencil that ``variable`` names: "r" (canonical
    correlations) or "b" (of B, weight decay included); ``coordinates``: modes x k, in those of ``frame``; ``rows``: modes x d0,
    directions u in the features, and ``offsets``: modes, so that u.phi + offset has second moment 1; ``r``: canonical
    correlation along each; ``strengths``: p of each; ``kept``: 0-based. ``outputs``: d1 x modes. ``value``: of the loss, in the
    population form for theory, as code runs it beyond; ``value_at_collapse``: when all outputs are one point, NaN where it is
    unknown. ``critical``: the eigenvalue beyond which one more mode would survive, NaN where unknown. ``scale_free``: the loss
    does not change along W -> c W, and the sum of strengths is a convention.
    """

    level: str
    route: str
    frame: Frame
    variable: str
    eigenvalues: Array
    coordinates: Array
    rows: Array
    offsets: Array
    r: Array
    strengths: Array
    kept: tuple[int, ...]
    outputs: Array
    value: float
    value_at_collapse: float
    critical: float
    has_bias: bool
    scale_free: bool
    notes: tuple[str, ...] = ()

    @cached_property
    def W(self) -> Array:
        """The weights, d1 x d0."""
        found: Array = self.outputs @ self.rows
        return found

    @property
    def bias(self) -> Array | None:
        """The bias, d1, where the model has one."""
        return self.outputs @ self.offsets if self.has_bias else None

    @cached_property
    def spectrum(self) -> Array:
        """The eigenvalues of P after training, descending, length d1, zeros for collapsed modes."""
        return spectrum_of(self.outputs)

    @property
    def surviving(self) -> int:
        """How many modes survive."""
        return len(self.kept)

    @property
    def possible(self) -> int:
        """How many could: min(d0, d1), a bias that is one more feature counted."""
        d1, d0 = self.W.shape
        return min(d1, max(d0, len(self.frame.basis)))

    @property
    def kind(self) -> str:
        """``complete`` (nothing survives), ``none`` (min(d0, d1) modes survive) or ``dimensional``."""
        if not self.kept:
            return "complete"
        return "none" if self.surviving >= self.possible else "dimensional"

    @property
    def effective_rank(self) -> float:
        """exp of the entropy of the eigenvalues of P (Roy and Vetterli, 2007); 0 at complete collapse."""
        return entropy_rank(self.spectrum)

    @property
    def participation_ratio(self) -> float:
        """(sum p)^2 / sum p^2 of the eigenvalues of P; 0 at complete collapse."""
        return participation_ratio(self.spectrum)

    @property
    def sizes(self) -> Array:
        """|u|^2 of every mode, which weight decay acts on."""
        found: Array = np.einsum("ki,ki->k", self.rows, self.rows)
        return found

    def representations(self, features: Array) -> Array:
        """Return f = W phi (+ b) for N x d0 features, N x d1."""
        found: Array = np.asarray(features) @ self.W.T
        return found if self.bias is None else found + self.bias


def spectrum_of(outputs: Array) -> Array:
    """Return the eigenvalues of P = outputs outputs^T, descending, rounding below zero cut off."""
    values = np.linalg.svd(outputs, compute_uv=False) ** 2
    return np.concatenate([values, np.zeros(max(len(outputs) - len(values), 0))])
