"""One mode of a diagnosis: (eigenvalue, direction, survives), and all that is known of it beside."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


class _Mode(NamedTuple):
    eigenvalue: float
    direction: Array
    survives: bool


class DiagnosedMode(_Mode):
    """One mode: a triple (eigenvalue, direction u (d0,), survives), and more by name.

    ``number``: by descending eigenvalue, 0-based; ``standard_error``: of the eigenvalue; ``r`` and ``r_error``: canonical
    correlation of the two views along it; ``strength``: predicted eigenvalue of P along it, and ``theory_strength``;
    ``confidence``: the probability that it is on this side of its threshold, NaN where that is unknown; ``verdict``:
    "survives", "collapses", "no output left", or "at its threshold" (within two standard errors, or theory and the loss on
    rows do not agree); ``growth_rate``: of its weights near W = 0, under gradient flow (NaN where the loss has no series
    there); ``driven_by`` and ``held_by``: the terms of the loss that do most to raise and to lower its strength at the minimum
    ("" where unknown).
    """

    number: int
    standard_error: float
    r: float
    r_error: float
    strength: float
    theory_strength: float
    confidence: float
    verdict: str
    growth_rate: float
    driven_by: str
    held_by: str

    @classmethod
    def make(cls, eigenvalue: float, direction: Array, survives: bool, **more: Any) -> DiagnosedMode:
        """Return a mode with its further attributes."""
        made = cls(float(eigenvalue), direction, bool(survives))
        for name, value in more.items():
            setattr(made, name, value)
        return made

    def __repr__(self) -> str:
        return f"mode {self.number}: r = {self.r:.4g} ± {self.r_error:.1g}, p = {self.strength:.4g}, {self.verdict}"
