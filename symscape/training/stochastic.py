"""Plain stochastic gradient descent with momentum, on batches drawn without replacement in each epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.training.arguments import Training
from symscape.training.coordinates import Coordinates, Function
from symscape.training.objective import HeadObjective
from symscape.training.run import Progress, Run, begun

Array = NDArray[np.floating[Any]]

#: Epochs unless the number of steps is given, and the fewest steps then.
EPOCHS, FEWEST = 100, 2000
#: The learning rate that follows the curvature h is this share of (1 - momentum) / h.
SHARE = 0.5
#: Products with the Hessian in one estimate of the largest curvature.
PRODUCTS = 10
#: Value above the start, relative to what the loss varies by, at which training has diverged.
DIVERGED = 1e3
#: Epochs, as a share of all, over which the loss must be level.
LEVEL = 0.25


def by_stochastic_gradient(
    asked: Training,
    objective: HeadObjective,
    space: Coordinates,
    start: Array,
    batch_size: int,
    rng: np.random.Generator,
    progress: Progress | None,
) -> Run:
    """Return where SGD leads from a start. The learning rate is constant for half of the steps, and then falls to 0.

    Raises OverflowError where training diverges.
    """

    def on(rows: NDArray[np.integer[Any]]) -> Function:
        return space.pulled(lambda W: objective.on_rows(rows, W))

    count = len(objective.a)
    an_epoch = count // batch_size
    most = max(EPOCHS * an_epoch, FEWEST) if asked.steps is None else asked.steps
    order = rng.permutation(count)
    run = begun(on(order[:batch_size]), start, progress)
    V, velocity, rate = start, np.zeros_like(start), asked.learning_rate or 0.0
    try:
        for step in range(most):
            epoch, k = divmod(step, an_epoch)
            if k == 0:
                order = rng.permutation(count)
                if asked.learning_rate is None and epoch & (epoch - 1) == 0:  # epochs 0, 1, 2, 4, 8, ...
                    rate = SHARE * (1 - asked.momentum) / curvature(on(order[:batch_size]), V, rng)
            try:
                value, slope = on(order[k * batch_size : (k + 1) * batch_size])(V)
            except InputError as error:
                raise _diverged(rate, step, f"{error}") from None
            if not value - run.history[0][1] < DIVERGED * _spread(run.history, an_epoch):
                raise _diverged(rate, step, f"the loss is {value:.3g}, from {run.history[0][1]:.3g}")
            velocity = asked.momentum * velocity + slope
            V = space.unit(V - rate * min(1.0, 2 * (1 - step / most)) * velocity)
            run.record(V, value, float(np.linalg.norm(slope)))
    except KeyboardInterrupt:
        return run.interrupted()
    run.converged, run.reason = levelled(np.array([v for _, v in run.history[1:]]), an_epoch)
    return run


def curvature(function: Function, V: Array, rng: np.random.Generator) -> float:
    """Return about the largest curvature of a function, in absolute value, by the power method on differences of gradients."""
    along = rng.standard_normal(V.shape)
    along /= np.linalg.norm(along)
    size = 0.0
    h = 1e-4 * max(float(np.linalg.norm(V)), 1e-8)
    for _ in range(PRODUCTS):
        product = (function(V + h * along)[1] - function(V - h * along)[1]) / (2 * h)
        size = float(np.linalg.norm(product))
        if not size:
            break
        along = product / size
    return size or 1.0


def levelled(values: Array, an_epoch: int) -> tuple[bool, str]:
    """Return whether the means over epochs are level in the end, with the reason in words.

    Level: over the last quarter, a line through the means falls by no more than twice its standard error, or by less than a
    thousandth of the whole descent.
    """
    epochs = len(values) // an_epoch
    last = max(int(LEVEL * epochs), 5)
    made = f"{len(values)} steps in {epochs} epochs were made"
    if epochs < last:
        return False, f"{made}, too few to tell whether the loss is level"
    means = values[len(values) - epochs * an_epoch :].reshape(epochs, an_epoch).mean(axis=1)
    tail = means[-last:]
    time = np.arange(last) - (last - 1) / 2
    slope = time @ tail / (time @ time)
    noise = float(np.sqrt(((tail - tail.mean() - slope * time) ** 2).sum() / (last - 2) / (time @ time)))
    fall, error, whole = -slope * (last - 1), noise * (last - 1), abs(values[0] - tail.mean())
    level = bool(fall <= max(2 * error, 1e-3 * whole))
    change = f"over the last {last} epochs the loss fell by {fall:.2g} ± {error:.1g}"
    return level, f"{made}; {change}, " + ("which is level" if level else "which is no end")


def _spread(history: list[tuple[int, float]], an_epoch: int) -> float:
    """Return what the loss varies by: its size at the start, its deviation over the first epoch."""
    first = np.array([value for _, value in history[: an_epoch + 1]])
    return max(abs(float(first[0])), float(first.std()), 1e-12)


def _diverged(rate: float, step: int, what: str) -> OverflowError:
    return OverflowError(
        f"training diverges at step {step + 1}: {what}. Lower the learning rate, learning_rate={rate / 10:.2g}"
    )
