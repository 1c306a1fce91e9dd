"""What a training is given, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscape.errors import InputError, MomentsError
from symscape.losses.loss import positive_parameter
from symscape.sampling.batch_arguments import number_of, real_array, refuse_infinite
from symscape.stationary.given import checked_outputs

Array = NDArray[np.floating[Any]]

METHODS = ("L-BFGS", "SGD")
#: Deviation of each output at a random start.
SCALE = 0.1
#: Rows of a batch of SGD, where there are as many.
BATCH = 256


@dataclass(frozen=True)
class Training:
    """How a head is trained: checked numbers, None where nothing was said."""

    call: str
    method: str
    d1: int
    gamma: float
    batch_size: int | None
    steps: int | None
    learning_rate: float | None
    momentum: float
    scale: float

    @property
    def is_stochastic(self) -> bool:
        """Whether batches are drawn anew in each epoch."""
        return self.method == "SGD"

    def batch_of(self, rows: int) -> int:
        """Return the rows of a batch. Raises InputError where there are not as many."""
        if self.batch_size is None:
            return min(BATCH, rows) if self.is_stochastic else rows
        if self.batch_size > rows:
            raise InputError(
                f"{self.call}: batch_size={self.batch_size} is more than the {rows} rows; give a smaller one"
            )
        return self.batch_size


def checked_training(
    call: str,
    method: Any,
    d1: Any,
    weight_decay: Any,
    batch_size: Any,
    steps: Any,
    learning_rate: Any,
    momentum: Any,
    scale: Any,
    bias: Any,
) -> Training:
    """Return the arguments of a training as numbers; raise InputError for those that make no sense."""
    if not isinstance(bias, bool):
        raise InputError(f"{call}: bias={bias!r} is True or False; it starts at 0")
    if method not in METHODS:
        raise InputError(f"{call}: method={method!r}; choose one of {', '.join(map(repr, METHODS))}")
    if method != "SGD" and learning_rate is not None:
        raise InputError(
            f"{call}: learning_rate={learning_rate!r} is for method='SGD'; L-BFGS finds its steps by itself"
        )
    return Training(
        call,
        method,
        checked_outputs(call, d1),
        number_of(positive_parameter(call.removesuffix("(...)"), "weight_decay", weight_decay, zero=True)),
        None if batch_size is None else _integer(call, "batch_size", batch_size, 2),
        None if steps is None else _integer(call, "steps", steps, 1),
        None if learning_rate is None else _number(call, "learning_rate", learning_rate),
        _number(call, "momentum", momentum, zero=True, below=1.0),
        SCALE if scale is None else _number(call, "scale", scale),
    )


def starting_weights(call: str, W: ArrayLike, d1: int, d0: int) -> Array:
    """Return W as d1 x d0 floats; raise MomentsError for another shape, InputError for entries that are not finite."""
    weights = real_array(f"{call}: W", W).astype(np.float64)
    if weights.shape != (d1, d0):
        hint = "; it looks transposed" if weights.shape == (d0, d1) else ""
        raise MomentsError(
            f"{call}: W has shape {weights.shape}; with d1 = {d1} and features of {d0} columns it is {d1} x {d0}{hint}"
        )
    refuse_infinite(f"{call}: W", weights)
    return weights


def _integer(call: str, name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value.__index__()) < least:
        raise InputError(f"{call}: {name}={value!r}; give an integer of at least {least}")
    return int(value.__index__())


def _number(call: str, name: str, value: Any, zero: bool = False, below: float = inf) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not (isfinite(number) and (number >= 0 if zero else number > 0) and number < below):
        upper = "" if below == inf else f" below {below:g}"
        raise InputError(
            f"{call}: {name}={value!r}; give a {'number from 0 and' if zero else 'positive number'}{upper}"
        )
    return number
