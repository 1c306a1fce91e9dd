"""A landscape over spectra as a compiled function: value, gradient and Hessian."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, Self

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.spectrum.modes import MODE_SYMBOLS, p_i

Array = NDArray[np.floating[Any]]

#: Terms that cancel leave an error of this times the largest of them.
ROUNDING = 64 * np.finfo(float).eps


class NumericSpectrum:
    """Value, gradient and Hessian of outer(S_1, S_2, ...), S_k the sum over modes of ``sums[S_k]``.

    Symbols in ``open_symbols`` get their values from `at`; no other is left. Compiled once for all values.
    """

    #: What a summand is written in; `_of_modes` gives their values.
    symbols: tuple[sp.Symbol, ...] = MODE_SYMBOLS

    def __init__(
        self,
        outer: sp.Expr,
        sums: Mapping[sp.Symbol, sp.Expr],
        shell: sp.Expr | None = None,
        open_symbols: Sequence[sp.Symbol] = (),
    ):
        names, summands = list(sums), list(sums.values())

        def compiled(arguments: Sequence[sp.Symbol], expr: Any) -> Callable[..., Any]:
            return sp.lambdify([*arguments, *open_symbols], expr, modules=["scipy", "numpy"], cse=True)

        first = [sp.diff(outer, s) for s in names]
        # A kink of Max has no weight in a second derivative anywhere else.
        second = [[sp.diff(e, s).replace(sp.DiracDelta, lambda *_: sp.S.Zero) for s in names] for e in first]
        self._summands = [compiled(self.symbols, [sp.diff(e, p_i, k) for e in summands]) for k in range(3)]
        self._outer = [compiled(names, e) for e in (outer, first, second)]
        self._shell = None if shell is None else compiled((), shell)
        self._values: tuple[float, ...] = ()
        self._on_arrays = not outer.has(sp.Max, sp.Min, sp.Piecewise)
        self.shell: float | None = None
        if not open_symbols and self._shell is not None:
            self.shell = float(self._shell())

    @property
    def on_shell(self) -> bool:
        """Whether Tr P is held."""
        return self._shell is not None

    def at(self, *values: float) -> Self:
        """Return the same function with values for the open symbols."""
        made = copy(self)
        made._values = values
        made.shell = None if self._shell is None else float(self._shell(*values))
        return made

    def _of_modes(self, p: Array, r: Array, b: Array) -> tuple[Array, ...]:
        """Return the values of ``symbols``, one array over modes each."""
        return p, r, b

    def _sums(self, order: int, p: Array, r: Array, b: Array) -> Array:
        rows = self._summands[order](*self._of_modes(p, r, b), *self._values)
        found = np.empty((len(rows), *p.shape))
        for place, row in enumerate(rows):
            found[place] = row
        return found

    def _function(self, order: int, totals: Array) -> Array:
        return np.asarray(self._outer[order](*totals, *self._values), dtype=float)

    def value(self, p: Array, r: Array, b: Array) -> float:
        """Return L(p)."""
        return float(self._function(0, self._sums(0, p, r, b).sum(axis=1)))

    def values_at_scales(self, scales: Array, r: Array, b: Array) -> Array:
        """Return L at equal strengths, one value per scale."""
        if not self._on_arrays:
            return np.array([self.value(np.full(len(r), s), r, b) for s in scales])
        strengths = np.repeat(scales[:, None], len(r), axis=1)
        found = self._outer[0](*self._sums(0, strengths, r, b).sum(axis=2), *self._values)
        return np.broadcast_to(np.asarray(found, dtype=float), scales.shape)

    def rounding(self, p: Array, r: Array, b: Array) -> float:
        """Return how far the cancellation of the terms of L may have moved its value."""
        sums = self._sums(0, p, r, b).sum(axis=1)
        return float(ROUNDING * np.abs(sums * self._function(1, sums)).max(initial=0.0))

    def gradient(self, p: Array, r: Array, b: Array) -> Array:
        """Return dL/dp."""
        return self._function(1, self._sums(0, p, r, b).sum(axis=1)) @ self._sums(1, p, r, b)

    def slope_at_zero(self, p: Array, r: Array, b: Array, variable: str = "r") -> Callable[[float], float]:
        """Return dL/dp_i at p_i = 0 as a function of r_i, or of b_i, with the sums over modes as they are at a spectrum."""
        outer, zero = self._function(1, self._sums(0, p, r, b).sum(axis=1)), np.zeros(1)

        def slope(x: float) -> float:
            at = np.array([x])
            return float((outer @ self._sums(1, zero, *((at, zero) if variable == "r" else (zero, at))))[0])

        return slope

    def hessian(self, p: Array, r: Array, b: Array) -> Array:
        """Return the second derivatives by p."""
        totals, slopes = self._sums(0, p, r, b).sum(axis=1), self._sums(1, p, r, b)
        first, second = self._function(1, totals), self._function(2, totals)
        return slopes.T @ second @ slopes + np.diag(first @ self._sums(2, p, r, b))
