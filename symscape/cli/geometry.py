"""What the command says about stationary points, thresholds and collapse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from symscape.conditions.collapse import Collapse, collapse
from symscape.conditions.threshold import Threshold, threshold
from symscape.data.digits import load_digits
from symscape.errors import InputError
from symscape.landscape.facts import is_rotation_invariant
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.language import WeightNorm
from symscape.losses.loss import Loss, WeightDecay
from symscape.probability.moments import Moments
from symscape.sampling.noisy_views import NoisyViews
from symscape.spectrum.equal_shares.equal_shares import hinge_regimes
from symscape.stationary.stationary_points import stationary_points

gamma = sp.Symbol("gamma", positive=True)
#: A formula of more signs than this is not printed in a terminal.
LONG = 400


def geometry_lines(land: Landscape) -> list[str]:
    """Return what the stationary points of a landscape are, and when its modes survive, in words."""
    try:
        lines = str(stationary_points(land)).splitlines()
    except InputError as error:
        apart = [] if is_rotation_invariant(land.loss.expr) else _of_single_outputs(land.loss)
        return apart or [str(error)]
    if not land.loss.expr.has(WeightNorm) and gamma not in land.loss.expr.free_symbols:
        decayed = landscape(land.loss + WeightDecay(gamma), land.order, land.data, land.bias)
        lines.append(f"with weight decay gamma ||W||²: {_condition(decayed, gamma)}")
    for parameter in land.parameters:
        if parameter.name != "d_1":
            lines.append(f"by {parameter}: {_condition(land, parameter)}")
    return lines


def _condition(land: Landscape, parameter: sp.Symbol) -> str:
    found = threshold(land, parameter)
    assert isinstance(found, Threshold)
    number = found.quantity
    if found.any_mode is None and len(str(found.mode(0))) > LONG:
        return "modes compete; the condition is long, see threshold(land, parameter)"
    if found.any_mode is not None:
        return f"mode k < d_1 survives where {found.any_mode}; {number.letter}_k: {number.meaning}"
    return f"modes compete; the first survives where {found.mode(0)}; {number.letter}_0: largest {number.meaning}"


def _of_single_outputs(loss: Loss) -> list[str]:
    try:
        regimes = hinge_regimes(loss)
    except InputError:
        return []
    lines = [
        "outputs count apart; away from W = 0, least over rotations of the outputs, a mode of strength p_i and canonical "
        "correlation r_i is kept where this vanishes, with TrP = sum_i p_i, TrM = sum_i r_i p_i, and eta the multiplier of a "
        "constraint on Tr P:"
    ]
    return lines + [f"{regime.name}: {_short(regime.stationarity)}" for regime in regimes]


def _short(expr: sp.Expr) -> str:
    text = sp.sstr(min(expr, sp.factor(expr), key=sp.count_ops))
    return text if len(text) <= LONG else f"{len(text)} signs, see hinge_regimes(loss)"


def moments_of(file: Path | None, noise: float) -> tuple[Moments, str]:
    """Return the moments of a file with arrays A0 and Sigma, or of the digits with noise, and what they are.

    Raises InputError for a file that cannot be read or lacks an array.
    """
    if file is None:
        if not 0 <= noise < float("inf"):
            raise InputError(f"--noise {noise}: the noise of the digits is a standard deviation, 0 or more")
        views = NoisyViews(load_digits()[0], noise)
        return Moments(views.A_0, views.Sigma), f"handwritten digits, 64 pixels, two views with noise {noise}"
    if not file.is_file():
        raise InputError(f"--moments {file}: there is no such file")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            missing = sorted({"A0", "Sigma"} - set(arrays.files if hasattr(arrays, "files") else []))
            if missing:
                raise InputError(
                    f"--moments {file}: the array {missing[0]} is missing; save np.savez(file, A0=..., Sigma=...)"
                )
            return Moments(arrays["A0"], arrays["Sigma"]), str(file)
    except (OSError, ValueError, EOFError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"--moments {file}: not an .npz file with the arrays A0 and Sigma") from error


def forecast(loss: Loss, decay: Any, moments: Moments, d1: int) -> Collapse:
    """Return what collapses for a loss with weight decay."""
    return collapse(loss + WeightDecay(decay) if decay else loss, moments["A0"], moments["Sigma"], d1)
