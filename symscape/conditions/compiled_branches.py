"""The minimum of a landscape over spectra along one parameter: compiled once, and followed from value to value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.algebra.atoms import exact
from symscape.errors import InputError, UnknownNameError
from symscape.losses.language import d_1
from symscape.losses.loss import Loss
from symscape.spectrum.equal_shares.branches import BranchedLandscape, branches_of_landscape, lowest
from symscape.spectrum.equal_shares.minimum import compiled
from symscape.spectrum.minimum import SpectrumMinimum
from symscape.spectrum.spectrum_landscape import SpectrumLandscape

Array = NDArray[np.floating[Any]]

#: Modes by the value of a parameter: eigenvalues, descending.
Modes = Callable[[float], Array]


@dataclass(frozen=True)
class Followed:
    """The minimum at one value of a parameter: what was found on every branch, and which branch has the lowest."""

    minima: tuple[SpectrumMinimum, ...]
    branch: int

    @property
    def best(self) -> SpectrumMinimum:
        """The lowest minimum."""
        return self.minima[self.branch]

    @property
    def surviving(self) -> int:
        """How many modes are kept."""
        return self.best.surviving


@dataclass(frozen=True)
class AlongParameter:
    """The minimum of a landscape over spectra as a function of one parameter, all others with values."""

    call: str
    name: str
    branched: BranchedLandscape
    symbol: sp.Symbol | None
    numbers: Mapping[sp.Symbol, float]
    modes: Modes
    outputs: int | None
    scales: Sequence[float]

    def _setting(self, value: float) -> tuple[tuple[float, ...], Array, int]:
        numbers = dict(self.numbers)
        if self.symbol is not None:
            numbers[self.symbol] = value
        return self.branched.values(numbers), self.modes(value), int(value) if self.outputs is None else self.outputs

    def at(self, value: float, near: Sequence[Followed] = ()) -> Followed:
        """Return the minimum at a value of the parameter; ``near``: those at values on both sides, from which to start.

        Raises InputError where there is none.
        """
        values, r, outputs = self._setting(value)
        minima, own = [], []
        for k, branch in enumerate(self.branched.branches):
            found = branch.search(values, r, outputs, self.scales, [f.minima[k].p for f in near])
            minima.append(found)
            own.append(found if branch.holds(found, values) else None)
        best = lowest(own)
        if best is None:
            raise InputError(f"{self.call}: at {self.name} = {value:.6g} the landscape has no least value")
        return Followed(tuple(minima), best)

    def strength(self, value: float, mode: int, near: Followed) -> float | None:
        """Return the strength of a mode on the continuation of a minimum that keeps it, negative beyond where it is lost."""
        values, r, outputs = self._setting(value)
        found = self.branched.branches[near.branch].on_support(values, r, outputs, near.best.p, near.best.kept)
        return None if found is None else float(found[mode])


def along_parameter(
    call: str,
    land: SpectrumLandscape | Loss,
    name: str | None,
    outputs: int | None,
    fixed: Mapping[str, Any],
    modes: Modes,
    scales: Sequence[float],
) -> AlongParameter:
    """Return a landscape over spectra, or a loss at equal shares, with one parameter left open.

    ``name``: None where the parameter enters by the modes alone; ``outputs``: None where it is d1. Raises UnknownNameError for
    a parameter that is unknown, or has no value.
    """
    known = {str(s).rstrip("_"): s for s in (land.parameters.values() if isinstance(land, Loss) else land.parameters)}
    wrong = sorted(key for key in fixed if key.rstrip("_") not in known)
    if wrong:
        raise UnknownNameError(f"{call}: there is no parameter {wrong[0]!r}; there are {', '.join(known)}")
    values = {known[key.rstrip("_")]: exact(value) for key, value in fixed.items()}
    if outputs is not None:
        values = {d_1: sp.Integer(outputs), **values}
    symbol = d_1 if outputs is None else (None if name is None else known.get(name.rstrip("_")))
    missing = ", ".join(sorted(str(s) for s in known.values() if s not in values and s not in (symbol, d_1)))
    if missing:
        raise UnknownNameError(f"{call}: no value for {missing}; pass {missing.split(', ')[0]}=...")
    if isinstance(land, Loss):
        branched, _ = compiled(land, values)
    else:
        branched = branches_of_landscape(land)
    numbers = {s: float(v) for s, v in values.items()}
    return AlongParameter(call, str(name), branched, symbol, numbers, modes, outputs, scales)
