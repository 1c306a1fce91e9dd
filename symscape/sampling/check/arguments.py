"""The arguments of a check, checked before any work is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscape.errors import InputError, MomentsError
from symscape.landscape.landscape import Landscape
from symscape.losses.loss import Loss
from symscape.probability.views import View
from symscape.sampling.check.populations import Population

Array = NDArray[np.float64]

#: Fewest samples: eight batches of an ordinary loss.
FEWEST = 4096


def with_numbers(call: str, loss: Any, parameters: dict[str, Any]) -> tuple[Loss, dict[str, Any]]:
    """Return the loss with numbers for its symbols, and the arguments that are none of them."""
    if not isinstance(loss, Loss):
        raise InputError(f"{call}: the first argument is a Loss; wrap an expression in Loss(...)")
    params = parameters.pop("params", None)
    if params is not None and not isinstance(params, Mapping):
        raise InputError(f"{call}: params={params!r} is not a dictionary; give {{symbol or name: number}}")
    given = {**{str(k): v for k, v in (params or {}).items()}, **parameters}
    names = set(loss.parameters) | {f"{name}_" for name in loss.parameters}
    numeric = loss.with_values({k: v for k, v in given.items() if k in names})
    missing = sorted(set(numeric.parameters) - {"d_1"})
    if missing:
        raise InputError(f"{call}: the loss has the symbols {', '.join(missing)}; give them numbers")
    extra = sorted(
        view.name for view in loss.views if view.datum == "x" and view not in (View("x"), View("x'", of=View("x")))
    )
    if extra:
        raise InputError(f"{call}: the view {extra[0]} is a further view of the anchor's datum; a check draws two")
    return numeric, {k: v for k, v in given.items() if k not in names}


def check_arguments(call: str, d1: int | None, samples: int | None, land: Any) -> None:
    """Raise InputError for numbers that make no sense, and for a landscape that is none."""
    if d1 is not None and (isinstance(d1, bool) or not isinstance(d1, int) or d1 < 1):
        raise InputError(f"{call}: d1={d1!r}; the number of outputs is a positive integer")
    if samples is not None and (isinstance(samples, bool) or not isinstance(samples, int) or samples < FEWEST):
        raise InputError(f"{call}: samples={samples!r}; a check takes {FEWEST} samples or more")
    if land is not None and not isinstance(land, Landscape):
        raise InputError(f"{call}: land={land!r} is not a landscape; give landscape(loss), or leave it out")


def generator(call: str, rng: Any) -> np.random.Generator:
    """Return the generator that was given, or that of a seed, 0 by default; raise InputError for anything else."""
    if rng is None or (isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0):
        return np.random.default_rng(0 if rng is None else int(rng))
    if not isinstance(rng, np.random.Generator):
        raise InputError(
            f"{call}: rng={rng!r} is not a numpy.random.Generator; pass a seed such as 0, or default_rng(0)"
        )
    return rng


def given_weights(call: str, W: ArrayLike) -> list[Array]:
    """Return the matrices that were given as W; raise MomentsError for what is none, and for other shapes."""
    try:
        array = np.asarray(W)
        real = array.dtype.kind in "biuf"
    except (TypeError, ValueError):
        real = False
    if not real:
        given = " ".join(repr(W).split())
        raise MomentsError(
            f"{call}: W={given} is not a matrix of real numbers; give a d1 x d0 matrix, or several of them"
        )
    array = array.astype(np.float64)
    if array.ndim not in (2, 3) or not array.size or not np.isfinite(array).all():
        raise MomentsError(f"{call}: W has shape {array.shape}; give a finite d1 x d0 matrix, or several of them")
    return list(array[None] if array.ndim == 2 else array)


def normalised(call: str, weights: Sequence[Array], population: Population) -> list[Array]:
    """Return weights with Tr P = 1; raise MomentsError where P is zero."""
    Sigma = population.moments["Sigma"]
    sizes = [float(np.trace(W @ Sigma @ W.T)) for W in weights]
    if min(sizes) <= 0:
        raise MomentsError(f"{call}: W represents these views by 0; give another")
    return [W / np.sqrt(size) for W, size in zip(weights, sizes, strict=True)]
