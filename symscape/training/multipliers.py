"""L-BFGS for a loss with hinges, by the method of multipliers: to a minimum on the kink itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.training.coordinates import Coordinates
from symscape.training.hinges import Hinges
from symscape.training.objective import HeadObjective
from symscape.training.quasi_newton import GONE, SMALL, STEPS, descend
from symscape.training.run import Progress, Run, begun

Array = NDArray[np.floating[Any]]

#: Deviation over which a hinge is rounded at first, and at least.
WIDEST, NARROWEST = 0.1, 1e-3
#: Descents, each with multipliers of its own.
ROUNDS = 40
#: The least gradient, as a share of the largest, to which a descent is taken before the multipliers are near their limit.
FIRST = 1e-6
#: A lower bound this close to the loss, as a share of it, is the loss.
CLOSE = 1e-6


def by_multipliers(
    smooth: HeadObjective,
    hinges: Hinges,
    space: Coordinates,
    start: Array,
    steps: int | None,
    progress: Progress | None,
) -> Run:
    """Return where descents on the smooth part and rounded hinges lead; values of steps are those of rounded hinges."""
    most, width = STEPS if steps is None else steps, WIDEST
    y = np.full((len(hinges.roots), len(start)), hinges.weight)

    def rounded(W: Array) -> tuple[float, Array]:
        value, slope = smooth.value_and_gradient(W)
        above, by_W, _ = hinges.smooth(W, y, hinges.weight / width)
        return value + above, slope + by_W

    function = space.pulled(rounded)
    run = begun(function, start, progress)
    missing = np.inf
    try:
        for k in range(ROUNDS):
            last = missing <= CLOSE * abs(run.value)
            descend(function, run, most, GONE if last else max(FIRST, 10.0 ** -(k + 3)))
            before, W = missing, space.weights(run.V)
            y = hinges.smooth(W, y, hinges.weight / width)[2]
            missing = hinges.missing(W, y)
            run.value, slope = function(run.V)
            run.gradient = float(np.linalg.norm(slope))
            if (last and missing <= CLOSE * abs(run.value)) or run.steps >= most:
                break
            if missing > before / 4:
                width = max(width / 3, NARROWEST)
    except KeyboardInterrupt:
        return run.interrupted()
    run.converged = missing <= 10 * CLOSE * abs(run.value) and run.share <= SMALL
    resting = int(((y > 0) & (y < hinges.weight)).sum())
    at = f"{resting} of {y.size} hinges at their kink" if resting else "no hinge at its kink"
    run.reason = f"the gradient fell to {run.share:.1g} of its largest, {at}"
    if not run.converged:
        run.reason = f"{run.steps} steps were made; the gradient is at {run.share:.1g} of its largest, {at}"
    return run
