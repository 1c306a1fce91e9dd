"""Landscapes over spectra compiled once for all values of one parameter, branch by smooth branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.algebra.atoms import exact
from symscape.errors import UnknownNameError
from symscape.losses.language import d_1
from symscape.losses.loss import Loss
from symscape.spectrum.minimum import NumericSpectrum, SpectrumMinimum, find_minimum
from symscape.spectrum.spectrum_landscape import SpectrumLandscape

Array = NDArray[np.floating[Any]]


def compiled_branches(
    call: str, land: SpectrumLandscape | Loss, name: str | None, outputs: int, fixed: Mapping[str, Any]
) -> tuple[CompiledBranch, ...]:
    """Return the smooth branches of a landscape over spectra, or of a loss at equal shares, with one parameter left open."""
    branches: tuple[tuple[SpectrumLandscape, Any], ...]
    if isinstance(land, SpectrumLandscape):
        over_spectra, branches = land, ((land, sp.true),)
    else:
        from symscape.spectrum.equal_shares.equal_shares import equal_share_landscape, hinge_regimes

        over_spectra = equal_share_landscape(land)
        branches = tuple((regime.landscape, regime.where) for regime in hinge_regimes(over_spectra))
    given = {**({"d_1": outputs} if d_1 in over_spectra.parameters else {}), **fixed}
    known = {str(s).rstrip("_"): s for s in over_spectra.parameters}
    symbol = known.get(name.rstrip("_")) if name is not None else sp.Dummy("unused")
    if symbol is None:
        raise UnknownNameError(f"{call}: {name} does not enter at equal shares; there are {', '.join(known)}")
    wrong = sorted(key for key in given if key.rstrip("_") not in known)
    if wrong:
        raise UnknownNameError(f"{call}: there is no parameter {wrong[0]!r}; there are {', '.join(known)}")
    values = {known[key.rstrip("_")]: exact(value) for key, value in given.items()}
    missing = ", ".join(sorted(str(s) for s in known.values() if s not in values and s != symbol))
    if missing:
        raise UnknownNameError(f"{call}: no value for {missing}; pass {missing.split(', ')[0]}=...")
    return tuple(CompiledBranch(branch, where, symbol, values) for branch, where in branches)


class CompiledBranch:
    """A smooth branch of a landscape over spectra, compiled once for all values of one parameter."""

    def __init__(
        self, land: SpectrumLandscape, where: sp.Basic, symbol: sp.Symbol, values: Mapping[sp.Symbol, sp.Expr]
    ):
        values = dict(values)
        sums = {s: e.xreplace(values) for s, e in land.sums.items()}
        shell = None if land.shell is None else land.shell.xreplace(values)
        self._spectrum = NumericSpectrum(land.outer.xreplace(values), sums, shell, [symbol])
        self._where = None
        if where != sp.true and land.shell is None:
            total = sp.Symbol("TrP", positive=True)
            self._where = sp.lambdify([total, symbol], where.xreplace(values), modules=["scipy", "numpy"])

    def minimum(self, value: float, r: Array, outputs: int, scales: Sequence[float]) -> SpectrumMinimum | None:
        """Return the least value at a value of the parameter; None where there is none on this branch."""
        spectrum = self._spectrum.at(value)
        if spectrum.shell is not None and spectrum.shell <= 0:
            return None
        found = find_minimum(spectrum, r, np.zeros(len(r)), outputs, scales)
        # On either side of a kink the least value may lie beyond it; then the kink itself is lower.
        outside = self._where is not None and not self._where(float(found.p.sum()), value)
        return found if found.bounded and not outside else None
