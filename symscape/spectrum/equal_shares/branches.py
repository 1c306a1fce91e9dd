"""Landscapes over spectra compiled once, their parameters left open, smooth branch by smooth branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.losses.loss import Loss
from symscape.spectrum.equal_shares.data_regime import data_regime
from symscape.spectrum.equal_shares.equal_shares import TrP, equal_share_landscape, hinge_regimes
from symscape.spectrum.minimum import NumericSpectrum, SpectrumMinimum, find_minimum, stationary_on
from symscape.spectrum.spectrum_landscape import SpectrumLandscape

Array = NDArray[np.floating[Any]]

#: Strengths from which descents over spectra start.
SCALES = (1e-3, 1.0, 1e3)
#: The regime of a loss that no longer sees the scale of its outputs, beside those of hinges.
LARGE_OUTPUTS = "large outputs"


@dataclass(frozen=True)
class SmoothBranch:
    """One smooth branch: ``name`` of its hinge regime, whether it is the kink itself, and where it is the landscape's own."""

    name: str
    at_kink: bool
    spectrum: NumericSpectrum
    own: Callable[..., Any] | None

    def minimum(
        self, values: Sequence[float], r: Array, d1: int, scales: Sequence[float] = SCALES
    ) -> SpectrumMinimum | None:
        """Return the least value; None where there is none on this branch."""
        found = self.search(values, r, d1, scales)
        return found if self.holds(found, values) else None

    def search(
        self,
        values: Sequence[float],
        r: Array,
        d1: int,
        scales: Sequence[float] = SCALES,
        near: Sequence[Array] = (),
    ) -> SpectrumMinimum:
        """Return what `find_minimum` finds on this branch and its continuation."""
        spectrum = self.spectrum.at(*values)
        if spectrum.shell is not None and spectrum.shell <= 0:  # hinges are inactive at every W
            return SpectrumMinimum(np.zeros(len(r)), np.inf, (), 0.0, np.inf, bounded=False)
        return find_minimum(spectrum, r, np.zeros(len(r)), d1, scales, near)

    def on_support(self, values: Sequence[float], r: Array, d1: int, p: Array, support: Sequence[int]) -> Array | None:
        """Return the spectrum near p that is stationary on a support, of either sign; None where there is none."""
        size = min(len(r), d1)
        return stationary_on(self.spectrum.at(*values), p[:size], support, r[:size], np.zeros(size))

    def holds(self, found: SpectrumMinimum, values: Sequence[float]) -> bool:
        """Whether a minimum is one, and on the branch itself: beyond a kink, the kink itself is lower."""
        return found.bounded and (self.own is None or bool(self.own(float(found.p.sum()), *values)))


@dataclass(frozen=True)
class BranchedLandscape:
    """A landscape over spectra as its smooth branches, compiled for all values of ``symbols``.

    ``loss``: the loss that it is of, in the regime of the data; None where it is given by itself.
    """

    symbols: tuple[sp.Symbol, ...]
    branches: tuple[SmoothBranch, ...]
    loss: Loss | None = None

    def values(self, numbers: Mapping[sp.Symbol, Any]) -> tuple[float, ...]:
        """Return the values of ``symbols``, in order."""
        return tuple(float(numbers[s]) for s in self.symbols)


def lowest(minima: Sequence[SpectrumMinimum | None]) -> int | None:
    """Return the place of the least value, of equal ones to rounding the first; None where no branch has one."""
    best: int | None = None
    for k, found in enumerate(minima):
        if found is None:
            continue
        least = None if best is None else minima[best]
        if least is None or found.value + found.rounding < least.value:
            best = k
    return best


@lru_cache(maxsize=128)
def branches_of_loss(loss: Loss) -> BranchedLandscape:
    """Return a loss at equal shares, in the regime of the data where it has one; derived and compiled once per loss."""
    large = data_regime(loss)
    seen = loss if large is None else large
    land = equal_share_landscape(seen)
    symbols, found = land.parameters, []
    for regime in hinge_regimes(land):
        own = None
        if regime.multiplier is None and regime.where != sp.true:
            own = sp.lambdify([TrP, *symbols], regime.where, modules=["scipy", "numpy"])
        name = regime.name if large is None else LARGE_OUTPUTS
        found.append(SmoothBranch(name, regime.multiplier is not None, _compiled(regime.landscape, symbols), own))
    return BranchedLandscape(symbols, tuple(found), seen)


def branches_of_landscape(land: SpectrumLandscape) -> BranchedLandscape:
    """Return a landscape over spectra as its one branch."""
    symbols = land.parameters
    return BranchedLandscape(symbols, (SmoothBranch("smooth", False, _compiled(land, symbols), None),))


def _compiled(land: SpectrumLandscape, symbols: tuple[sp.Symbol, ...]) -> NumericSpectrum:
    return NumericSpectrum(land.outer, land.sums, land.shell, symbols)
