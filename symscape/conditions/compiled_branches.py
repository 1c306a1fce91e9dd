"""Landscapes over spectra compiled once for all values of one parameter, branch by smooth branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.algebra.atoms import exact
from symscape.errors import UnknownNameError
from symscape.losses.language import d_1
from symscape.losses.loss import Loss
from symscape.spectrum.minimum import SpectrumMinimum, find_minimum
from symscape.spectrum.spectrum_landscape import MODE_SYMBOLS, SpectrumLandscape, p_i

Array = NDArray[np.floating[Any]]


def compiled_branches(
    call: str, land: SpectrumLandscape | Loss, name: str | None, outputs: int, fixed: Mapping[str, Any]
) -> tuple[CompiledBranch, ...]:
    """Return the smooth branches of a landscape over spectra, or of a loss at equal shares, with one parameter left open."""
    branches: tuple[tuple[SpectrumLandscape, Any], ...]
    if isinstance(land, SpectrumLandscape):
        over_spectra, branches = land, ((land, sp.true),)
    else:
        from symscape.spectrum.equal_shares import equal_share_landscape, hinge_regimes

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
        outer, names = land.outer.xreplace(values), list(land.sums)
        summands = [e.xreplace(values) for e in land.sums.values()]
        first = [sp.diff(outer, s) for s in names]
        second = [[sp.diff(e, s).replace(sp.DiracDelta, lambda *_: sp.S.Zero) for s in names] for e in first]

        def compiled(arguments: Sequence[Any], expr: Any) -> Callable[..., Any]:
            return sp.lambdify(arguments, expr, modules=["scipy", "numpy"], cse=True)

        self.sums = [compiled([*MODE_SYMBOLS, symbol], [sp.diff(e, p_i, k) for e in summands]) for k in range(3)]
        self.outer = [compiled([*names, symbol], e) for e in (outer, first, second)]
        self.shell = None if land.shell is None else compiled([symbol], land.shell.xreplace(values))
        total = sp.Symbol("TrP", positive=True)
        self.where = (
            None if where == sp.true or land.shell is not None else compiled([total, symbol], where.xreplace(values))
        )

    def minimum(self, value: float, r: Array, outputs: int, scales: Sequence[float]) -> SpectrumMinimum | None:
        """Return the least value at a value of the parameter; None where there is none on this branch."""
        shell = None if self.shell is None else float(self.shell(value))
        if shell is not None and shell <= 0:
            return None
        found = find_minimum(_AtValue(self, value, shell), r, np.zeros(len(r)), outputs, scales)
        # On either side of a kink the least value may lie beyond it; then the kink itself is lower.
        outside = self.where is not None and not self.where(float(found.p.sum()), value)
        return found if found.bounded and not outside else None


@dataclass
class _AtValue:
    """A compiled branch at one value of the parameter, for `find_minimum`."""

    branch: CompiledBranch
    at: float
    shell: float | None

    def _sums(self, k: int, p: Array, r: Array, b: Array) -> Array:
        return np.array([np.broadcast_to(row, p.shape) for row in self.branch.sums[k](p, r, b, self.at)])

    def value(self, p: Array, r: Array, b: Array) -> float:
        """Return L(p)."""
        return float(self.branch.outer[0](*self._sums(0, p, r, b).sum(axis=1), self.at))

    def gradient(self, p: Array, r: Array, b: Array) -> Array:
        """Return dL/dp."""
        slopes = np.asarray(self.branch.outer[1](*self._sums(0, p, r, b).sum(axis=1), self.at), dtype=float)
        return slopes @ self._sums(1, p, r, b)

    def hessian(self, p: Array, r: Array, b: Array) -> Array:
        """Return the second derivatives by p."""
        totals, slopes = self._sums(0, p, r, b).sum(axis=1), self._sums(1, p, r, b)
        first, second = (np.asarray(self.branch.outer[k](*totals, self.at), dtype=float) for k in (1, 2))
        return slopes.T @ second @ slopes + np.diag(first @ self._sums(2, p, r, b))
