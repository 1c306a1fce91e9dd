"""The least value of a landscape over spectra p >= 0, by a projected Newton method and Newton on the support."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.spectrum.modes import MODE_SYMBOLS, p_i

Array = NDArray[np.floating[Any]]

#: Terms that cancel leave an error of this times the largest of them.
ROUNDING = 64 * np.finfo(float).eps
#: A strength beyond this counts as running away, unless the landscape rises beyond it.
FAR = 1e9
#: Scales of the spectrum at which a descent may start.
PROFILE = np.logspace(-13, 13, 53)


@dataclass(frozen=True)
class SpectrumMinimum:
    """The spectrum of least value: p per mode, the value, the kept modes (0-based), the multiplier of the shell.

    ``residual``: the largest violation of stationarity, relative to the largest term; ``bounded``: False when L falls
    without end or its infimum is at infinity, and then p is where the search stopped; ``rounding``: how far the
    cancellation of large terms may have moved the value.
    """

    p: Array
    value: float
    kept: tuple[int, ...]
    multiplier: float
    residual: float
    bounded: bool
    rounding: float = 0.0

    @property
    def surviving(self) -> int:
        """How many modes are kept."""
        return len(self.kept)


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
        self.shell: float | None = None
        if not open_symbols and self._shell is not None:
            self.shell = float(self._shell())

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
        return np.array([np.broadcast_to(row, p.shape) for row in rows])

    def _function(self, order: int, totals: Array) -> Array:
        return np.asarray(self._outer[order](*totals, *self._values), dtype=float)

    def value(self, p: Array, r: Array, b: Array) -> float:
        """Return L(p)."""
        return float(self._function(0, self._sums(0, p, r, b).sum(axis=1)))

    def rounding(self, p: Array, r: Array, b: Array) -> float:
        """Return how far the cancellation of the terms of L may have moved its value."""
        sums = self._sums(0, p, r, b).sum(axis=1)
        return float(ROUNDING * np.abs(sums * self._function(1, sums)).max(initial=0.0))

    def gradient(self, p: Array, r: Array, b: Array) -> Array:
        """Return dL/dp."""
        return self._function(1, self._sums(0, p, r, b).sum(axis=1)) @ self._sums(1, p, r, b)

    def hessian(self, p: Array, r: Array, b: Array) -> Array:
        """Return the second derivatives by p."""
        totals, slopes = self._sums(0, p, r, b).sum(axis=1), self._sums(1, p, r, b)
        first, second = self._function(1, totals), self._function(2, totals)
        return slopes.T @ second @ slopes + np.diag(first @ self._sums(2, p, r, b))


class OverSpectra(Protocol):
    """What `find_minimum` needs of a function of the spectrum; ``shell`` is where Tr P is held, or None."""

    shell: float | None

    def value(self, p: Array, r: Array, b: Array) -> float:
        """Return L(p)."""
        ...

    def rounding(self, p: Array, r: Array, b: Array) -> float:
        """Return how far rounding may have moved L(p)."""
        ...

    def gradient(self, p: Array, r: Array, b: Array) -> Array:
        """Return dL/dp."""
        ...

    def hessian(self, p: Array, r: Array, b: Array) -> Array:
        """Return the second derivatives by p."""
        ...


def find_minimum(
    numeric: OverSpectra, r: Array, b: Array, d1: int, scales: Sequence[float] = (1e-3, 1.0, 1e3)
) -> SpectrumMinimum:
    """Return the least L over p >= 0 with support among the first d1 modes, descending from each of ``scales``."""
    size = min(len(r), d1)
    modes = r[:size], b[:size]
    with np.errstate(all="ignore"):
        p, bounded = _search(numeric, *modes, scales)
        p, residual, multiplier = _polish(numeric, p, *modes)
        value, rounding = float(numeric.value(p, *modes)), numeric.rounding(p, *modes)
    full = np.zeros(len(r))
    full[:size] = p
    bounded = bounded and (numeric.shell is not None or _rises_beyond(numeric, p, value, *modes))
    return SpectrumMinimum(
        full, value, tuple(int(k) for k in np.flatnonzero(p)), multiplier, residual, bounded, rounding
    )


def _search(numeric: OverSpectra, r: Array, b: Array, scales: Sequence[float]) -> tuple[Array, bool]:
    """Minimise from several scales by L-BFGS-B; on the shell, the spectrum is a multiple of the variables."""
    from scipy.optimize import minimize

    shell = numeric.shell

    def on_shell(x: Array) -> Array:
        return x if shell is None else shell * x / x.sum()

    def objective(x: Array) -> tuple[float, Array]:
        p = on_shell(x)
        value, slope = float(numeric.value(p, r, b)), numeric.gradient(p, r, b)
        if shell is not None:
            slope = (slope - slope @ p / shell) * shell / x.sum()
        return (value, slope) if np.isfinite(value) and np.isfinite(slope).all() else (1e300, np.zeros_like(x))

    best: Array | None = None
    lowest = np.inf
    for scale in _starting_scales(numeric, r, b, scales) if shell is None else (1.0 / len(r),):
        start = np.full(len(r), scale)
        if shell is None:
            p, value, converged = _projected_newton(numeric, start, r, b)
            if value + numeric.rounding(p, r, b) < lowest:
                best, lowest = p, value
            if converged:
                continue
            start = p
        # In units of the start, as a quasi-Newton method knows no other scale.
        unit = float(start.max()) if shell is None else 1.0

        def scaled(x: Array, unit: float = unit) -> tuple[float, Array]:
            value, slope = objective(x * unit)
            return value, slope * unit

        found = minimize(
            scaled, start / unit, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(r), options=_OPTIONS
        )
        if shell is not None and not found.x.sum() > 0:
            continue
        p = on_shell(found.x * unit)
        # Along a line of least values a search runs far out, and what it gains there is rounding.
        if float(found.fun) + numeric.rounding(p, r, b) < lowest:
            best, lowest = p, float(found.fun)
    if best is None:
        return np.zeros(len(r)), False
    return best, True


def _starting_scales(numeric: OverSpectra, r: Array, b: Array, scales: Sequence[float]) -> list[float]:
    """Return where L has a local minimum along equal strengths, over 26 decades, and the given scales."""
    profile = np.array([float(numeric.value(np.full(len(r), s), r, b)) for s in PROFILE])
    profile = np.where(np.isfinite(profile), profile, np.inf)
    inner = (profile[1:-1] < profile[:-2]) & (profile[1:-1] <= profile[2:])
    return [*PROFILE[1:-1][inner], *scales]


def _projected_newton(numeric: OverSpectra, p: Array, r: Array, b: Array) -> tuple[Array, float, bool]:
    """Return (p, value, converged) of Newton's method on p >= 0 with a backtracking search along the projected step.

    Source: Bertsekas, "Projected Newton methods for optimization problems with simple constraints", 1982.
    """
    p, value = p.copy(), float(numeric.value(p, r, b))
    if not np.isfinite(value):
        return p, np.inf, False
    for _ in range(100):
        slope = numeric.gradient(p, r, b)
        if not np.isfinite(slope).all():
            return p, value, False
        free = (p > 1e-14 * p.max()) | (slope < 0)
        if not free.any():
            return p, value, True
        hessian = numeric.hessian(p, r, b)[np.ix_(free, free)]
        step = np.zeros_like(p)
        step[free] = _downhill(hessian, slope[free], max(float(p.max()), 1e-300))
        size = 1.0
        while size > 1e-12:
            moved = np.maximum(p + size * step, 0.0)
            new = float(numeric.value(moved, r, b))
            if np.isfinite(new) and new <= value + 1e-4 * slope @ (moved - p):
                break
            size /= 2
        else:
            # No descent that rounding lets through: `_polish` decides.
            return p, value, True
        change, drop = np.abs(moved - p).max(), value - new
        p, value = moved, new
        if change <= 1e-12 * p.max(initial=0.0) or (drop <= 1e-15 * abs(value) and size == 1.0):
            return p, value, True
    return p, value, False


def _downhill(hessian: Array, slope: Array, largest: float) -> Array:
    """Return Newton's step, with the curvature made positive, and no longer than a hundred times the largest strength."""
    if not np.isfinite(hessian).all():
        step: Array = -slope * largest / max(float(np.abs(slope).max()), 1e-300)
        return step
    try:
        root = np.linalg.cholesky(hessian)
        step = -np.linalg.solve(root.T, np.linalg.solve(root, slope))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(hessian)
        bend = np.maximum(np.abs(values), 1e-10 * np.abs(values).max() + 1e-300)
        step = -vectors @ ((vectors.T @ slope) / bend)
    return step * min(1.0, 100 * largest / max(float(np.abs(step).max()), 1e-300))


def _rises_beyond(numeric: OverSpectra, p: Array, value: float, r: Array, b: Array) -> bool:
    """Whether L rises when the largest strengths grow tenfold, measured by what they gained over a tenth of them."""
    largest = float(p.max(initial=0.0))
    if not largest:
        return float(numeric.value(np.full(len(p), PROFILE[-1]), r, b)) >= value
    runs = p > 1e-3 * largest
    grown, shrunk = (float(numeric.value(np.where(runs, p * c, p), r, b)) for c in (10.0, 0.1))
    gained = shrunk - value
    if not np.isfinite(grown):
        return True
    if gained > 1e-12 * abs(value):
        return grown - value > 1e-9 * gained
    return largest < FAR and grown - value >= -1e-12 * abs(value)


_OPTIONS = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-13}


def _polish(numeric: OverSpectra, p: Array, r: Array, b: Array) -> tuple[Array, float, float]:
    """Newton's method on the support, dropping modes that leave p > 0 and adding those that want to grow."""
    kept = p > 1e-7 * max(p.max(initial=0.0), 1e-300)
    p = np.where(kept, p, 0.0)
    multiplier = 0.0
    for _ in range(60):
        slope = numeric.gradient(p, r, b)
        on = np.flatnonzero(kept)
        if numeric.shell is not None and len(on):
            multiplier = float(np.mean(slope[on]))
        scale = np.abs(slope).max(initial=0.0) + abs(multiplier) + 1e-300
        wanting = ~kept & (slope - multiplier < -1e-9 * scale)
        if wanting.any() and np.abs(slope[on] - multiplier).max(initial=0.0) < 1e-9 * scale:
            kept = kept | wanting
            p = np.where(wanting, 1e-6 * max(p.max(initial=0.0), 1e-6), p)
            continue
        if not len(on):
            break
        step = _newton_step(numeric, p, r, b, on, slope)
        if step is None or not np.isfinite(step).all():
            break
        moved = p[on] + step
        if (moved <= 0).any():
            # Go as far as the first mode that reaches zero, and drop it.
            ratio = np.where(step < 0, p[on] / -step, np.inf)
            p[on] = p[on] + ratio.min() * step
            gone = on[ratio <= ratio.min() * (1 + 1e-12)]
            kept[gone], p[gone] = False, 0.0
            continue
        p[on] = moved
        if np.abs(step).max() <= 1e-15 * np.abs(moved).max():
            break
    slope = numeric.gradient(p, r, b)
    on, off = kept, ~kept
    if numeric.shell is not None and on.any():
        multiplier = float(np.mean(slope[on]))
    terms = (
        np.abs(slope).max(initial=0.0)
        + abs(multiplier)
        + np.abs(numeric.gradient(0 * p + 1e-12, r, b)).max(initial=0.0)
    )
    broken = max(np.abs(slope[on] - multiplier).max(initial=0.0), (multiplier - slope[off]).max(initial=0.0))
    return p, float(broken / terms) if terms else 0.0, multiplier


def _newton_step(
    numeric: OverSpectra, p: Array, r: Array, b: Array, on: NDArray[np.intp], slope: Array
) -> Array | None:
    hessian = numeric.hessian(p, r, b)[np.ix_(on, on)]
    try:
        if numeric.shell is None:
            return np.linalg.solve(hessian, -slope[on])
        size = len(on)
        system = np.zeros((size + 1, size + 1))
        system[:size, :size], system[size, :size], system[:size, size] = hessian, 1.0, 1.0
        right = np.append(-slope[on], numeric.shell - p.sum())
        return np.linalg.solve(system, right)[:size]
    except np.linalg.LinAlgError:
        return None
