"""L-BFGS until the gradient is gone, begun anew where a line search fails."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.training.coordinates import Function
from symscape.training.run import Progress, Run, begun

Array = NDArray[np.floating[Any]]

#: Steps unless said otherwise.
STEPS = 20_000
#: A gradient below this share of the largest on the way is zero.
GONE = 1e-9
#: A gradient below this is small enough where rounding leaves no further descent.
SMALL = 1e-5
#: Descents without gain after which no more are begun.
FRUITLESS = 2


def by_quasi_newton(function: Function, start: Array, steps: int | None, progress: Progress | None) -> Run:
    """Return where L-BFGS leads from a start; interrupted by the keyboard, where it has led so far.

    Raises OverflowError where the loss falls without end.
    """
    run, most = begun(function, start, progress), STEPS if steps is None else steps
    try:
        descend(function, run, most)
    except KeyboardInterrupt:
        return run.interrupted()
    run.converged = run.share <= SMALL
    if run.share <= GONE:
        run.reason = f"the gradient fell to {run.share:.1g} of its largest"
    elif run.steps >= most:
        run.reason = f"{most} steps were made; the gradient is at {run.share:.1g} of its largest"
    elif run.converged:
        run.reason = f"no descent beyond rounding; the gradient fell to {run.share:.1g} of its largest"
    else:
        run.reason = (
            f"no step descends further, the gradient being at {run.share:.1g} of its largest: a kink, "
            "as where a row's outputs vanish under cosines"
        )
    return run


def descend(function: Function, run: Run, most: int, gone: float = GONE) -> None:
    """Take a run on until its gradient is ``gone``, or ``most`` steps are made, or descents begun anew gain nothing."""
    from scipy.optimize import minimize

    shape, size, fruitless = run.V.shape, run.gradient, 0

    def flat(x: Array) -> tuple[float, Array]:
        nonlocal size
        try:
            found, by_V = function(x.reshape(shape))
        except InputError as error:
            raise OverflowError(
                f"the loss falls without end, or training runs off: at step {run.steps + 1} weights reach "
                f"{np.abs(x).max():.3g} in units of white features ({error})"
            ) from None
        size = float(np.linalg.norm(by_V))
        return found, by_V.ravel()

    def step(intermediate_result: Any) -> None:
        run.record(intermediate_result.x.reshape(shape), float(intermediate_result.fun), size)

    while run.steps < most and fruitless < FRUITLESS and run.share > gone:
        before = run.value
        options = {"maxiter": most - run.steps, "maxfun": 10 * most, "ftol": 0.0, "maxcor": 30}
        options["gtol"] = 0.1 * gone * run.largest
        minimize(flat, run.V.ravel(), jac=True, method="L-BFGS-B", callback=step, options=options)
        fruitless = 0 if before - run.value > 1e-12 * abs(before) else fruitless + 1
