"""The modes of a landscape over spectra along a parameter, and the steps along it at which equal shares are not proved best."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.conditions.loss_of_outputs import loss_of_outputs
from symscape.conditions.margins import augmentation_strength
from symscape.losses.language import d_1
from symscape.losses.loss import Loss
from symscape.probability.moments import Moments
from symscape.spectrum.equal_shares.minimum import compiled, least_over_rotations
from symscape.spectrum.equal_shares.output_losses import numbers_of
from symscape.spectrum.equal_shares.weights import minimise_over_modes
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.stationary.coordinates import canonical_coordinates

Array = NDArray[np.floating[Any]]

#: A strength above this share of the largest one is kept by a descent in W.
DESCENT = 1e-4
#: A descent over W sees this many modes beside as many as there are outputs: those of largest eigenvalue.
SPARE = 4


def modes_along(
    call: str,
    land: SpectrumLandscape | Loss,
    name: str,
    moments: Moments,
    d1: int | None,
    fixed: Mapping[str, Any],
) -> Callable[[float], Array]:
    """Return the eigenvalues of the modes, descending, as a function of the parameter ``name``; d1 is None where it is d1."""
    modes = canonical_coordinates(call, moments["Sigma"], moments["A0"])
    r = modes.eigenvalues
    seen = loss_of_outputs(land) if isinstance(land, Loss) else None
    shift = sp.S.Zero if seen is None else seen.shift
    if name == augmentation_strength.name and shift == 0:
        A, C = moments["A0"], moments["Sigma"] - moments["A0"]

        def by_strength(value: float) -> Array:
            # C u = (1 - r) Sigma u: the directions stay, and r becomes r / (r + strength (1 - r)).
            variance = r + value * (1 - r)
            if not (variance > 0).all():
                return canonical_coordinates(call, A + value * C, A).eigenvalues
            found: Array = r / variance
            return found

        return by_strength
    if shift == 0:
        return lambda value: r
    assert isinstance(land, Loss)
    outputs = {} if d1 is None else {d_1: sp.Integer(d1)}
    width = 1 if d1 is None else d1
    known = {**fixed, **({} if name in {"d1", "d_1", augmentation_strength.name} else {name: 1})}
    numbers = {**numbers_of(land, width, known, call), **outputs}
    symbol = (
        d_1
        if d1 is None
        else next((s for s in land.parameters.values() if str(s).rstrip("_") == name.rstrip("_")), None)
    )
    taken = sp.lambdify([symbol or sp.Dummy()], shift.xreplace({s: v for s, v in numbers.items() if s != symbol}))
    if name == augmentation_strength.name:
        one, A, C = np.eye(len(moments["A0"])), moments["A0"], moments["Sigma"] - moments["A0"]
        return lambda value: canonical_coordinates(call, A + value * C, A - float(taken(value)) * one).eigenvalues
    of_one = modes.rows @ modes.rows.T

    def by_decay(value: float) -> Array:
        # In canonical coordinates A_0 is diag(r), and 1 is R R^T.
        found: Array = np.linalg.eigvalsh(np.diag(r) - float(taken(value)) * of_one)[::-1]
        return found

    return by_decay


@dataclass(frozen=True)
class Doubts:
    """The steps at which equal shares are not proved to be best, with what a descent over W keeps beside them."""

    call: str
    loss: Loss
    name: str
    moments: Moments
    d1: int
    fixed: Mapping[str, Any]
    plateaus: tuple[tuple[float, float, int], ...]

    def __iter__(self) -> Iterator[str]:
        modes = modes_along(self.call, self.loss, self.name, self.moments, self.d1, self.fixed)
        rest = loss_of_outputs(self.loss).loss
        for (_, step, before), (_, _, beyond) in pairwise(self.plateaus):
            fewer = min(before, beyond)
            value = step * (0.98 if before < beyond else 1.02)
            given = {**self.fixed, **({} if self.name == augmentation_strength.name else {self.name: value})}
            numbers, r = numbers_of(self.loss, self.d1, given, self.call), modes(value)
            if least_over_rotations(self.call, rest, numbers, r, self.d1).is_global:
                continue
            branched, _ = compiled(rest, numbers)
            assert branched.loss is not None
            numeric = Loss(branched.loss.expr.xreplace(numbers), name=rest.name)
            found = minimise_over_modes(numeric, r[: self.d1 + SPARE], self.d1, np.random.default_rng(0), starts=1).p
            kept = int((found > DESCENT * max(float(found.max()), DESCENT)).sum())
            where = f"at {self.name} = {step:.6g} equal shares of the outputs are not proved to be best"
            if kept == fewer:
                yield f"{where}; numeric: a descent over W agrees 2 % beyond it"
            else:
                yield f"{where}, and are not: 2 % beyond it a descent over W keeps {kept} modes, not {fewer}"
