"""`train_head`: a linear head on features, trained on a loss as code runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscape.errors import InputError
from symscape.losses.catalogue import make_loss
from symscape.losses.loss import Loss
from symscape.sampling.batch_arguments import checked_views, with_numbers
from symscape.training.arguments import Training, checked_training, starting_weights
from symscape.training.coordinates import Blind, Coordinates, blindness, whitened
from symscape.training.multipliers import by_multipliers
from symscape.training.objective import HeadObjective, without_decay
from symscape.training.quasi_newton import by_quasi_newton
from symscape.training.stochastic import by_stochastic_gradient, curvature
from symscape.training.trained_head import TrainedHead

__all__ = ["TrainedHead", "train_head"]

Array = NDArray[np.floating[Any]]

#: What a given start is disturbed by, as a share of its size: at W of low rank the gradient never leaves that rank.
DISTURBANCE = 1e-3


def train_head(
    loss: Loss | str,
    features_a: ArrayLike,
    features_b: ArrayLike,
    d1: int,
    *,
    weight_decay: Any = 0,
    W: ArrayLike | None = None,
    method: str = "L-BFGS",
    batch_size: int | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    momentum: float = 0.9,
    scale: float | None = None,
    bias: bool = False,
    rng: np.random.Generator | None = None,
    progress: Callable[[int, float], None] | None = None,
    params: Mapping[Any, Any] | None = None,
    **parameters: Any,
) -> TrainedHead:
    """Return a linear head f = W phi + b trained on features of two views, N x d0 each, rows paired.

    ``loss``: a Loss or the name of one or of a preset, with its parameters by name, as for `SampledLoss`. ``weight_decay`` is
    gamma of gamma ||W||^2, half of a framework's coupled number; a ``bias`` is not decayed, as in `landscape`. Rows are taken
    in float64.

    ``method``: "L-BFGS", to convergence: the objective is the loss of all rows, or with ``batch_size`` its mean over fixed
    batches, shuffled once. "SGD": gradient descent with ``momentum`` on batches of ``batch_size`` (256) rows, drawn anew each
    epoch. Rows that fill no batch are left out. Both run in coordinates in which features are white, which changes no minimum.
    ``learning_rate`` is in these coordinates too; unless given it follows the curvature of the loss. It falls to 0 in the
    second half of the ``steps``.

    ``W``: where to start, d1 x d0, and a bias at 0, disturbed by a thousandth lest it be a saddle; otherwise outputs start with
    random weights of deviation ``scale`` (0.1). Directions of W without data are 0. A minimum on the kink of VICReg's hinge is
    found by the method of multipliers. There may be several minima: two generators ``rng`` tell.

    Where the loss does not see the size of outputs, as with cosines or batch normalisation (but for its small constant), and
    there is no weight decay, outputs keep size 1: Tr P = 1, or variance 1 each.

    ``progress(step, value)`` is called after every step. Interrupted by the keyboard, training returns what it has, not
    converged. Raises InputError for bad rows, weights and numbers, a weight decay that only shrinks W without end, and a
    learning rate at which training diverges; UnknownNameError for unknown names.

    >>> import symscape as ss
    >>> rng = np.random.default_rng(0)
    >>> s = rng.normal(size=(500, 4)) * [2.0, 1.0, 0.5, 0.1]
    >>> a, b = (s + 0.3 * rng.normal(size=s.shape) for _ in range(2))
    >>> head = train_head(ss.SpectralContrastive(), a, b, d1=3, weight_decay=0.6)
    >>> head.converged, head.W.shape, [round(float(p), 2) for p in head.spectrum(a, b)]
    (True, (3, 4), [0.91, 0.6, 0.0])
    """
    name = loss.name if isinstance(loss, Loss) else repr(loss)
    asked = checked_training(
        f"train_head({name}, ...)", method, d1, weight_decay, batch_size, steps, learning_rate, momentum, scale, bias
    )
    call = asked.call
    if isinstance(loss, str):
        loss, parameters = make_loss(loss, parameters), {}
    if not isinstance(loss, Loss):
        raise InputError(f"{call}: the first argument is a Loss, for instance InfoNCE(tau=0.1), or a preset's name")
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise InputError(f"{call}: rng={rng!r} is no generator; pass numpy.random.default_rng(seed)")
    rng = np.random.default_rng(0) if rng is None else rng
    loss = with_numbers(call, loss, {} if params is None else params, parameters)
    bare, own_gamma = without_decay(call, loss, asked.d1, bias)
    views = checked_views(call, {"a": features_a, "b": features_b})
    a, b = (_with_constant(views[view], bias) for view in "ab")
    start = None if W is None else starting_weights(call, W, asked.d1, a.shape[1] - bias)
    size = asked.batch_of(len(a))
    objective = HeadObjective(bare, asked.d1, asked.gamma + own_gamma, a, b, bias, _batches(len(a), size, rng))
    space, V = _prepared(asked, objective, start, rng)
    whole = space.pulled(objective.value_and_gradient)
    at_start = whole(V)[0]
    try:
        if asked.is_stochastic:
            run = by_stochastic_gradient(asked, objective, space, V, size, rng, progress)
        elif objective.hinges is None:
            run = by_quasi_newton(whole, V, asked.steps, progress)
        else:
            run = by_multipliers(*objective.hinges, space, V, asked.steps, progress)
    except OverflowError as error:
        raise InputError(f"{call}: {error}") from None
    value, slope = whole(run.V)
    weights = space.weights(run.V)
    return TrainedHead(
        loss.name,
        weights[:, : len(weights.T) - bias],
        weights[:, -1] if bias else None,
        value,
        at_start,
        float(np.linalg.norm(slope)) if asked.is_stochastic else run.gradient,
        run.converged,
        run.steps,
        np.array(run.history, dtype=float),
        run.reason,
    )


def _with_constant(rows: Array, bias: bool) -> Array:
    """Return rows in float64, with a last column of ones where there is a bias."""
    if not bias:
        return rows.astype(np.float64, copy=False)
    extended = np.ones((len(rows), rows.shape[1] + 1))
    extended[:, :-1] = rows
    return extended


def _batches(rows: int, size: int, rng: np.random.Generator) -> list[Any]:
    """Return the rows of each batch: all of them as they are, or consecutive ones after a shuffle."""
    if size == rows:
        return [slice(None)]
    order = rng.permutation(rows)
    return [order[k : k + size] for k in range(0, rows - size + 1, size)]


def _prepared(
    asked: Training, objective: HeadObjective, given: Array | None, rng: np.random.Generator
) -> tuple[Coordinates, Array]:
    """Return the coordinates of the descent, and where it starts in them."""
    second = objective.second_moment
    none: Array = np.zeros(len(second))
    white = whitened(second, none, second)
    k = white.to_weights.shape[1]
    if not k:
        raise InputError(f"{asked.call}: the features are 0 in all rows, so there is nothing to train on")
    V = asked.scale / np.sqrt(k) * rng.standard_normal((asked.d1, k))
    if given is not None:
        weights = np.zeros((asked.d1, len(second)))
        weights[:, : given.shape[1]] = given
        start = white.of(weights)
        V = start + DISTURBANCE * max(1.0, float(np.sqrt((start**2).mean() / (V**2).mean()))) * V
    blind = _blindness(asked, objective, white.weights(V * np.sqrt(asked.d1 / (V**2).sum())), rng)
    decay = none
    if objective.gamma:
        decay = objective.gamma / curvature(white.pulled(objective.loss_alone), V, rng) * objective.decayed
    space = whitened(second, decay, objective.covariance if blind == "each" else second, blind)
    return space, space.unit(space.of(white.weights(V)))


def _blindness(asked: Training, objective: HeadObjective, W: Array, rng: np.random.Generator) -> Blind:
    """Return what the objective does not see of the outputs' size. Raises InputError where decay would shrink W without end."""

    def value(weights: Array) -> float:
        return objective.loss_alone(weights)[0]

    found = blindness(value, W, rng)
    if found == "nothing" or not objective.gamma:
        return found
    here = value(W)
    if not asked.is_stochastic and abs(value(2 * W) - here) <= 1e-12 * abs(here):
        raise InputError(
            f"{asked.call}: the loss does not see the size of W, so that weight decay {objective.gamma:g} only shrinks it, "
            "without end; leave weight_decay out, or train by method='SGD', where it sets the effective learning rate"
        )
    return "nothing"
