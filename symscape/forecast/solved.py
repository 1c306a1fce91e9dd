"""What a route of the theory finds for given eigenvalues of the modes: strengths, kept modes, value, threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Solved:
    """The minimum over spectra.

    ``p``: strength of every mode; ``kept``: 0-based; ``value``: of the loss, population form; ``critical``: the eigenvalue
    beyond which one more mode would survive, all else as it is (NaN where unknown); ``outputs``: d1 x modes, so that
    W = outputs rows has P = outputs outputs^T; ``notes``: what the answer rests on.
    """

    p: Array
    kept: tuple[int, ...]
    value: float
    critical: float
    outputs: Array
    notes: tuple[str, ...] = ()


def aligned_outputs(p: Array, kept: tuple[int, ...], d1: int) -> Array:
    """Return d1 x modes weights of the kept modes, one output each: diag(sqrt p) without the rows of collapsed modes.

    >>> aligned_outputs(np.array([4.0, 0.0, 1.0]), (0, 2), 2)
    array([[2., 0., 0.],
           [0., 0., 1.]])
    """
    outputs = np.zeros((d1, len(p)))
    outputs[range(len(kept)), list(kept)] = np.sqrt(p[list(kept)])
    return outputs
