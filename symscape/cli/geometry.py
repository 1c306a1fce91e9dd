"""What the command says about stationary points, thresholds and collapse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from symscape.conditions.collapse import Collapse, Mode, collapse
from symscape.conditions.threshold import Threshold, threshold
from symscape.data.digits import load_digits
from symscape.errors import InputError
from symscape.landscape.facts import is_rotation_invariant
from symscape.landscape.landscape import Landscape, landscape
from symscape.landscape.plan import scaling_degree
from symscape.losses.language import WeightNorm
from symscape.losses.loss import Loss, WeightDecay
from symscape.probability.moments import Moments
from symscape.sampling.noisy_views import NoisyViews
from symscape.spectrum.cosine.shell import normalised_landscape
from symscape.spectrum.equal_shares.equal_shares import hinge_regimes
from symscape.spectrum.equal_shares.minimum import rotation_minimised
from symscape.stationary.coordinates import canonical_coordinates
from symscape.stationary.stationary_points import stationary_points

gamma = sp.Symbol("gamma", positive=True)


def geometry_lines(land: Landscape) -> list[str]:
    """Return what the stationary points of a landscape are, and when its modes survive, in words."""
    try:
        lines = str(stationary_points(land)).splitlines()
    except InputError as error:
        return (
            [*_of_single_outputs(land.loss), str(error)] if not is_rotation_invariant(land.loss.expr) else [str(error)]
        )
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
    if found.any_mode is not None:
        return f"mode k < d_1 survives where {found.any_mode}; {number.letter}_k: {number.meaning}"
    return f"modes compete; the first survives where {found.mode(0)}; {number.letter}_0: largest {number.meaning}"


def _of_single_outputs(loss: Loss) -> list[str]:
    try:
        regimes = hinge_regimes(loss)
    except InputError:
        return []
    lines = [
        "away from W = 0, least over rotations of the outputs, a kept mode solves dL/dp_i = eta (0 without a constraint):"
    ]
    return lines + [f"{regime.name}: {sp.sstr(regime.stationarity)}" for regime in regimes]


def moments_of(file: Path | None, noise: float) -> tuple[Moments, str]:
    """Return the moments of a file with arrays A0 and Sigma, or of the digits with noise, and what they are.

    Raises InputError for a file that cannot be read or lacks an array.
    """
    if file is None:
        if not 0 <= noise < float("inf"):
            raise InputError(f"--noise {noise}: the noise of the digits is a standard deviation, 0 or more")
        views = NoisyViews(load_digits()[0], noise)
        return Moments(views.A_0, views.Sigma), f"handwritten digits, 64 pixels, two views with noise {noise}"
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
    """Return what collapses for a loss with weight decay: on the shell for a cosine, over rotations where outputs count."""
    if scaling_degree(loss.expr) == 0 and is_rotation_invariant(loss.expr):
        return collapse(normalised_landscape(loss), moments["A0"], moments["Sigma"], d1)
    if not is_rotation_invariant(loss.expr):
        if decay:
            raise InputError(
                f"collapse({loss.name}): weight decay on a loss of single outputs has no closed form; leave --gamma out"
            )
        return _over_rotations(loss, moments, d1)
    land = landscape(loss + WeightDecay(decay)) if decay else landscape(loss)
    return collapse(land, moments["A0"], moments["Sigma"], d1)


def _over_rotations(loss: Loss, moments: Moments, d1: int) -> Collapse:
    modes = canonical_coordinates(f"collapse({loss.name})", moments["Sigma"], moments["A0"])
    r = np.clip(modes.eigenvalues, -1.0, 1.0)
    found = rotation_minimised(loss, r, d1)
    kept = set(found.kept)
    spectrum = np.zeros(len(r))
    spectrum[: len(found.p)] = found.p
    return Collapse(
        loss.name,
        len(kept),
        min(len(moments["Sigma"]), d1),
        tuple(Mode(float(b), row, k in kept) for k, (b, row) in enumerate(zip(r, modes.rows, strict=True))),
        spectrum,
        found.value,
        float("nan"),
        (f"modes by canonical correlation r; least over rotations of the outputs: {found.equal_shares}",),
    )
