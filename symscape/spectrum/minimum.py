"""The least value of a landscape over spectra p >= 0, by a projected Newton method and Newton on the support."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from symscape.spectrum.numeric_spectrum import ROUNDING, NumericSpectrum

__all__ = ["ROUNDING", "NumericSpectrum", "SpectrumMinimum", "find_minimum", "stationary_on", "threshold_of_a_mode"]

Array = NDArray[np.floating[Any]]

#: A strength beyond this counts as running away, unless the landscape rises beyond it.
FAR = 1e9
#: Scales of the spectrum at which a descent may start.
PROFILE = np.logspace(-13, 13, 53)


@dataclass(frozen=True)
class SpectrumMinimum:
    """The spectrum of least value: p per mode, the value, the kept modes (0-based), the multiplier of the shell.

    ``residual``: the largest violation of stationarity, relative to the largest term; ``bounded``: False when L falls
    without end or its infimum is at infinity, and then p is where the search stopped; ``rounding``: how far the
    cancellation of large terms may have moved the value; ``slope``: dL/dp less the multiplier, of the first d1 modes: zero on
    the kept ones, and not negative on the others.
    """

    p: Array
    value: float
    kept: tuple[int, ...]
    multiplier: float
    residual: float
    bounded: bool
    rounding: float = 0.0
    slope: Array = field(default_factory=lambda: np.zeros(0), repr=False)

    @property
    def surviving(self) -> int:
        """How many modes are kept."""
        return len(self.kept)


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
    numeric: OverSpectra,
    r: Array,
    b: Array,
    d1: int,
    scales: Sequence[float] = (1e-3, 1.0, 1e3),
    near: Sequence[Array] = (),
) -> SpectrumMinimum:
    """Return the least L over p >= 0 with support among the first d1 modes, descending from each of ``scales``.

    ``near``: spectra near which to look instead; where Newton's method leads from none of them to a minimum, all is searched.
    """
    size = min(len(r), d1)
    modes = r[:size], b[:size]
    with np.errstate(all="ignore"):
        best = _nearest(numeric, [p[:size] for p in near], *modes)
        bounded = best is not None
        if best is None:
            p, bounded = _search(numeric, *modes, scales)
            best = _polish(numeric, p, *modes)
        p, residual, multiplier = best
        value, rounding = float(numeric.value(p, *modes)), numeric.rounding(p, *modes)
        slope = numeric.gradient(p, *modes) - multiplier
    full = np.zeros(len(r))
    full[:size] = p
    bounded = bounded and (numeric.shell is not None or _rises_beyond(numeric, p, value, *modes))
    return SpectrumMinimum(
        full, value, tuple(int(k) for k in np.flatnonzero(p)), multiplier, residual, bounded, rounding, slope
    )


#: A spectrum whose residual is below this is stationary.
STATIONARY = 1e-9


def _nearest(numeric: OverSpectra, near: Sequence[Array], r: Array, b: Array) -> tuple[Array, float, float] | None:
    """Return the lowest of the minima to which Newton's method leads from given spectra; None where it leads to none."""
    found = []
    for start in near:
        if numeric.shell is not None and not start.sum() > 0:
            continue
        p = start.copy() if numeric.shell is None else start * (numeric.shell / start.sum())
        p, residual, multiplier = _polish(numeric, p, r, b)
        if residual < STATIONARY and _curves_up(numeric, p, r, b):
            found.append((float(numeric.value(p, r, b)), p, residual, multiplier))
    return min(found, key=lambda one: one[0])[1:] if found else None


def stationary_on(
    numeric: OverSpectra, p: Array, support: Sequence[int], r: Array, b: Array, steps: int = 30
) -> Array | None:
    """Return the spectrum near p at which L is stationary on a support, of either sign; None where Newton finds none."""
    on, p = np.asarray(support, dtype=np.intp), p.copy()
    with np.errstate(all="ignore"):
        for _ in range(steps):
            step = _newton_step(numeric, p, r, b, on, numeric.gradient(p, r, b))
            if step is None or not np.isfinite(step).all():
                return None
            p[on] += step
            if np.abs(step).max(initial=0.0) <= 1e-13 * np.abs(p).max(initial=0.0):
                return p
    return None


def threshold_of_a_mode(
    numeric: NumericSpectrum, found: SpectrumMinimum, r: Array, b: Array, variable: str = "r"
) -> float:
    """Return the r, or the b, at which dL/dp_i, less the multiplier, is zero at p_i = 0, with the sums as at a minimum.

    NaN where there is none between the smallest and the largest of the modes, and -1 and 1 for r.
    """
    from scipy.optimize import brentq

    with np.errstate(all="ignore"):
        slope = numeric.slope_at_zero(found.p, r, b, variable)

        def excess(x: float) -> float:
            return float(slope(x)) - found.multiplier

        values = r if variable == "r" else b
        reach = 1.0 if variable == "r" else 2 * float(np.abs(b).max())
        ends = min(-reach, float(values.min())), max(reach, float(values.max()))
        low, high = map(excess, ends)
        if not np.isfinite([low, high]).all() or low * high >= 0:
            return float("nan")
        return float(brentq(excess, *ends, xtol=1e-14, rtol=1e-14))


def _curves_up(numeric: OverSpectra, p: Array, r: Array, b: Array) -> bool:
    """Whether the Hessian on the kept modes has no negative direction, with Tr P held on a shell."""
    on = np.flatnonzero(p)
    if not len(on):
        return True
    hessian = numeric.hessian(p, r, b)[np.ix_(on, on)]
    if numeric.shell is not None:
        # Beside a large curvature along Tr P, that of the other directions decides.
        hessian = hessian + (np.abs(hessian).max() + 1e-300) * 10
    slack = 1e-9 * np.abs(np.diagonal(hessian)).max()
    try:
        np.linalg.cholesky(hessian + slack * np.eye(len(on)))
    except np.linalg.LinAlgError:
        return False
    return True


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

        if shell is not None:
            # Newton's method ends a short descent well where it ends in a minimum.
            short = minimize(scaled, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(r), options=_SHORT)
            near = None if not short.x.sum() > 0 else _nearest(numeric, [on_shell(short.x)], r, b)
            if near is not None:
                return near[0], True
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
    if isinstance(numeric, NumericSpectrum):
        profile = numeric.values_at_scales(PROFILE, r, b)
    else:
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


_SHORT = {"maxiter": 60, "ftol": 1e-13, "gtol": 1e-11}
_OPTIONS = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-13}


def _polish(numeric: OverSpectra, p: Array, r: Array, b: Array) -> tuple[Array, float, float]:
    """Newton's method on the support, dropping modes that leave p > 0 and adding those that want to grow."""
    kept = p > 1e-7 * max(p.max(initial=0.0), 1e-300)
    p = np.where(kept, p, 0.0)
    multiplier, size = 0.0, np.inf
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
        size, last = np.abs(step).max() / np.abs(moved).max(), size
        # Newton's steps shrink until nothing but rounding is left of them.
        if size <= 1e-15 or (size < 1e-10 and size > last / 2):
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
