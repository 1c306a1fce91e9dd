"""The refined forecast: the loss on rows, minimised over the aligned family, one amplitude a mode.

W = O diag(a) U: the directions U of the theory and its rotation O of the outputs are kept, and the amplitudes minimise the
loss as code runs it. This drops the Gaussian assumption and the truncation, at min(d0, d1) numbers in place of d1 x d0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from symscape.errors import InputError
from symscape.forecast.forecast import Forecast
from symscape.forecast.mode_rows import ModeRows
from symscape.forecast.problem import Problem

Array = NDArray[np.floating[Any]]

#: A mode is kept whose strength is above this share of the strongest; what a descent leaves of a collapsed one is less. One
#: that theory loses needs more: directions that are a little off keep a little.
KEPT, KEPT_THOUGH_LOST = 1e-4, 2e-3
#: All modes are lost where the strongest is below this share of where the descent began.
NOTHING = 1e-8
#: The loss on rows has no minimum where weights that grow by this factor lower it.
GROWN = 10.0
#: Where a collapsed mode starts, as a share of the largest amplitude.
SEED = 0.05


class NoMinimumOnRowsError(InputError):
    """The loss on rows falls without end along the theory's modes."""


def modes_in_play(asked: Problem, forecast: Forecast) -> tuple[int, ...]:
    """Return which modes the aligned family holds: the kept ones, and the next by eigenvalue, up to d1 in all.

    A loss of second moments alone keeps the modes that theory says: rows add nothing to what the moments decide.
    """
    if asked.sees_moments_alone:
        return forecast.kept or (0,)
    d1 = asked.d1
    others = [k for k in range(len(forecast.eigenvalues)) if k not in forecast.kept]
    return tuple(sorted([*forecast.kept, *others[: max(d1 - len(forecast.kept), 0)]]))


def refined(
    forecast: Forecast,
    rows: ModeRows,
    used: tuple[int, ...],
    progress: Callable[[int, float], None] | None = None,
) -> Forecast:
    """Return a forecast with the strengths of least loss on rows, which are in the coordinates of the modes ``used``.

    ``progress(step, loss)`` is called after every step. Raises NoMinimumOnRowsError where strengths grow without end.
    """
    chosen = list(used)
    start = np.sqrt(forecast.strengths[chosen])
    start = np.maximum(start, SEED * max(float(start.max(initial=0.0)), 1.0 if not start.any() else 0.0))
    turn = _rotation(forecast, used, rows.asked.d1)
    steps = 0

    def objective(a: Array) -> tuple[float, Array]:
        value, slope = rows.value_and_gradient(turn * a)
        return value, np.einsum("ok,ok->k", turn, slope)

    def step(intermediate_result: Any) -> None:
        nonlocal steps
        steps += 1
        if progress is not None:
            progress(steps, float(intermediate_result.fun))

    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", callback=step,
        options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-8, "maxcor": 20},
    )  # fmt: skip
    a = np.abs(found.x)
    if forecast.scale_free:
        a *= np.sqrt(forecast.strengths.sum()) / np.linalg.norm(a)
    largest = float((a**2).max(initial=0.0))
    least = rows.value_and_gradient(turn * a)[0]
    grown = least if forecast.scale_free or not a.any() else rows.value_and_gradient(GROWN * turn * a)[0]
    if grown < least:
        raise NoMinimumOnRowsError(
            f"{rows.asked.loss.name}: the loss on {rows.rows} rows falls without end as weights grow: the views are all but "
            "identical, or so few rows can be told apart one by one; augment more, add weight decay, or give more rows"
        )
    collapsed = not forecast.scale_free and largest < NOTHING * float((start**2).max(initial=0.0))
    enough = np.where([k in forecast.kept for k in used], KEPT, KEPT_THOUGH_LOST)
    kept = np.zeros(len(a), dtype=bool) if collapsed else a**2 > enough * largest
    a = np.where(kept, a, 0.0)
    strengths, outputs = np.zeros(len(forecast.eigenvalues)), np.zeros((rows.asked.d1, len(forecast.eigenvalues)))
    strengths[chosen], outputs[:, chosen] = a**2, turn * a
    return replace(
        forecast,
        level="refined",
        route=f"the loss on {rows.rows} rows, least over the strengths of {len(used)} modes",
        strengths=strengths,
        kept=tuple(k for k, stays in zip(used, kept, strict=True) if stays),
        outputs=outputs,
        value=float(found.fun) if forecast.scale_free else rows.value_and_gradient(turn * a)[0],
        value_at_collapse=rows.value_at_collapse,
        critical=float("nan"),
        notes=("directions, and the rotation of the outputs, are those of the theory",),
    )


def _rotation(forecast: Forecast, used: tuple[int, ...], d1: int) -> Array:
    """Return d1 x modes orthonormal columns: those along which theory puts the kept modes, completed for the others."""
    along = forecast.outputs[:, list(used)]
    columns = np.zeros((d1, len(used)))
    have = [i for i, k in enumerate(used) if k in forecast.kept]
    lack = [i for i in range(len(used)) if i not in have]
    columns[:, have] = along[:, have] / np.linalg.norm(along[:, have], axis=0)
    if lack:
        free = np.linalg.svd(columns[:, have], full_matrices=True)[0][:, len(have) :] if have else np.eye(d1)
        columns[:, lack] = free[:, : len(lack)]
    return columns
