"""The course of a training: where it is, and the values of all steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.training.coordinates import Function

Array = NDArray[np.floating[Any]]
#: Called as progress(step, value).
Progress = Callable[[int, float], None]


@dataclass
class Run:
    """Where a descent is: the last point, the gradient there and the largest on the way, and the values of all steps."""

    V: Array
    value: float
    gradient: float
    progress: Progress | None
    history: list[tuple[int, float]] = field(default_factory=list)
    largest: float = 0.0
    converged: bool = False
    reason: str = ""

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return self.history[-1][0]

    @property
    def share(self) -> float:
        """The gradient as a share of the largest on the way."""
        return self.gradient / self.largest if self.largest else 0.0

    def record(self, V: Array, value: float, gradient: float = np.nan) -> None:
        """Note a step."""
        self.V, self.value, self.gradient = V.copy(), value, gradient
        self.largest = max(self.largest, gradient)
        self.history.append((self.steps + 1, value))
        if self.progress is not None:
            self.progress(self.steps, value)

    def interrupted(self) -> Run:
        """Return the run as it stands, not converged."""
        self.converged, self.reason = False, f"interrupted after {self.steps} steps"
        return self


def begun(function: Function, start: Array, progress: Progress | None) -> Run:
    """Return a run at its start."""
    value, slope = function(start)
    size = float(np.linalg.norm(slope))
    return Run(start, value, size, progress, [(0, value)], size)
