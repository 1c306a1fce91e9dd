"""Limited-memory BFGS with a line search for weak Wolfe conditions, which is steady where kinks are nearly sharp.

Source of the line search: Lewis and Overton, "Nonsmooth optimization via quasi-Newton methods", 2013, algorithm 2.6.
SciPy's L-BFGS-B solves small triangular systems by threaded LAPACK on every step, which on shared cores costs a
hundred times the loss itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Pairs of steps remembered; decrease and curvature asked of a step; steps without progress before stopping.
_MEMORY, _DECREASE, _CURVATURE, _PATIENCE = 40, 1e-4, 0.9, 5


def limited_memory_bfgs(objective: Callable[[Array], tuple[float, Array]], start: Array, steps: int = 3000) -> Array:
    """Return a point of least value near ``start``; ``objective`` returns a value and its gradient.

    >>> limited_memory_bfgs(lambda x: (float((x - 1) @ (x - 1)), 2 * (x - 1)), np.zeros(2))
    array([1., 1.])
    """
    x = start
    value, slope = objective(x)
    pairs: deque[tuple[Array, Array, float]] = deque(maxlen=_MEMORY)
    idle = 0
    for _ in range(steps):
        direction = -_times_inverse_hessian(slope, pairs)
        descent = float(slope @ direction)
        if not descent < 0:
            break
        first = 1.0 if pairs else 1.0 / (1.0 + float(np.sqrt(slope @ slope)))
        step, new_value, new_slope = _line_search(objective, x, value, direction, descent, first)
        if not new_value < value:
            if not pairs:
                break
            pairs.clear()
            continue
        idle = idle + 1 if value - new_value <= 1e-15 * abs(value) else 0
        moved, turned = step * direction, new_slope - slope
        x, value, slope = x + moved, new_value, new_slope
        curvature = float(moved @ turned)
        if curvature > 0:
            pairs.append((moved, turned, curvature))
        if idle == _PATIENCE:
            break
    return x


def _line_search(
    objective: Callable[[Array], tuple[float, Array]],
    x: Array,
    value: float,
    direction: Array,
    descent: float,
    step: float,
) -> tuple[float, float, Array]:
    low, high = 0.0, np.inf
    for _ in range(40):
        new_value, new_slope = objective(x + step * direction)
        if not new_value <= value + _DECREASE * step * descent:
            high = step
        elif float(new_slope @ direction) < _CURVATURE * descent:
            low = step
        else:
            break
        step = (low + high) / 2 if np.isfinite(high) else 2 * step
    return step, new_value, new_slope


def _times_inverse_hessian(slope: Array, pairs: deque[tuple[Array, Array, float]]) -> Array:
    """Return the two-loop product of the limited-memory inverse Hessian with a gradient."""
    vector, weights = slope.copy(), []
    for moved, turned, curvature in reversed(pairs):
        weights.append(float(moved @ vector) / curvature)
        vector -= weights[-1] * turned
    if pairs:
        _, turned, curvature = pairs[-1]
        vector *= curvature / float(turned @ turned)
    for (moved, turned, curvature), weight in zip(pairs, reversed(weights), strict=True):
        vector += (weight - float(turned @ vector) / curvature) * moved
    return vector
