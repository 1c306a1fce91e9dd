"""A numeric search for stationary points from random starts, which assumes nothing about their form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.stationary.word_program import WordProgram, inertia

Array = NDArray[np.floating[Any]]

#: A gradient below this, in natural units, is zero; so are strengths and values that differ by less than the second.
CONVERGED, SAME = 1e-11, 1e-5
#: Iterations of one start; entries of all Hessians of one batch.
ITERATIONS, BATCH = 400, 4_000_000
#: Starts that descend in L, beside those that solve for a zero gradient.
DESCENTS = 20


@dataclass(frozen=True, eq=False)
class FoundPoint:
    """A stationary point that a search met: W, the value, the spectrum of P in the metric, descending, and its inertia."""

    W: Array
    loss: float
    spectrum: Array
    index: int
    nullity: int
    #: The units of strengths and of values in which the search ran.
    units: tuple[float, float] = field(default=(1.0, 1.0), repr=False)

    def matches(self, loss: float, spectrum: Array, tolerance: float = SAME) -> bool:
        """Whether value and spectrum are those of another point, within a tolerance in natural units."""
        padded = np.zeros(max(len(self.spectrum), len(spectrum)))
        padded[: len(self.spectrum)] = self.spectrum
        padded[: len(spectrum)] -= np.sort(spectrum)[::-1]
        strength, value = self.units
        size = max(1.0, float(np.abs(self.spectrum).max(initial=0.0)) / strength)
        return bool(np.abs(padded).max() <= tolerance * size * strength) and (
            abs(self.loss - loss) <= tolerance * size * value
        )


@dataclass(frozen=True)
class SearchResult:
    """Distinct points that a search met, by ascending value, and how many of the starts converged.

    ``unmatched``: those that are none of the families of the list they were compared with, by value and spectrum.
    """

    points: tuple[FoundPoint, ...]
    starts: int
    converged: int
    unmatched: tuple[FoundPoint, ...] = ()

    def __str__(self) -> str:
        return (
            f"{len(self.points)} distinct points from {self.starts} random starts, {self.converged} of which converged; "
            f"{len(self.unmatched)} in no family"
        )

    __repr__ = __str__


def search_stationary(
    program: WordProgram,
    metric: Array,
    d1: int,
    starts: int = 200,
    rng: np.random.Generator | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SearchResult:
    """Return the stationary points that Levenberg-Marquardt reaches on the gradient from random W, and W = 0.

    Starts spread over a decade and a half about the natural scale, and over all ranks; a few more descend in L first.
    ``progress`` is called with (done, all) after each batch.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    columns = program.columns
    size = d1 * columns
    # Whitened columns, and units in which the quadratic part and the others weigh alike.
    scale, axes = np.linalg.eigh(metric)
    largest = float(scale.max(initial=0.0)) or 1.0
    T = axes / np.sqrt(np.where(scale > 1e-12 * largest, scale, largest))
    whitened = program.in_units(T, 1.0, 1.0)
    strength = whitened.natural_strength()
    value = strength * max(_reward(whitened), 1e-300)
    natural = program.in_units(T, strength, value)
    found: list[FoundPoint] = []
    converged, done = 0, 0
    batch = max(1, BATCH // size**2)
    while done < starts:
        count = min(batch, starts - done)
        U = np.stack([_random(rng, d1, columns) for _ in range(count)])
        U = _levenberg_marquardt(natural, U)
        converged += len(U)
        if not done:
            # Stationary points of high index attract as much as minima do, so some starts descend first.
            lowest = _descended(natural, np.stack([_random(rng, d1, columns) for _ in range(min(DESCENTS, batch))]))
            U = np.concatenate([U, _levenberg_marquardt(natural, lowest)])
        done += count
        spectra, values = _spectra(U, metric, T), natural.value(U)
        for u, spectrum, loss in zip(U, spectra, np.atleast_1d(values), strict=True):
            if not any(_near(spectrum, loss, other, (strength, value)) for other in found):
                found.append(_measured(program, natural, metric, u, T, (strength, value)))
        if progress is not None:
            progress(done, starts)
    if not any(_near(np.zeros(d1), natural.constant, other, (strength, value)) for other in found):
        found.append(_measured(program, natural, metric, np.zeros((d1, columns)), T, (strength, value)))
    return SearchResult(tuple(sorted(found, key=lambda point: point.loss)), starts, converged)


def _reward(program: WordProgram) -> float:
    curvature = np.linalg.eigvalsh(program.hessian(np.zeros((1, program.columns)))) / 2
    return float(-curvature[0]) if curvature[0] < 0 else float(np.abs(curvature).max())


def _random(rng: np.random.Generator, d1: int, columns: int) -> Array:
    rank = int(rng.integers(1, min(d1, columns) + 1))
    U = rng.standard_normal((d1, rank)) @ rng.standard_normal((rank, columns))
    return U * 10 ** rng.uniform(-1.0, 0.5) / np.sqrt(rank * columns)


def _spectra(U: Array, metric: Array, T: Array) -> Array:
    """Return the eigenvalues of P in natural units, descending, one row per U."""
    return np.linalg.eigvalsh(U @ (T.T @ metric @ T) @ np.swapaxes(U, -1, -2))[:, ::-1]


def _near(spectrum: Array, loss: float, other: FoundPoint, units: tuple[float, float]) -> bool:
    return other.matches(float(loss) * units[1], spectrum * units[0])


def _measured(
    program: WordProgram, natural: WordProgram, metric: Array, U: Array, T: Array, units: tuple[float, float]
) -> FoundPoint:
    if np.abs(U).max() < 1e-12:
        U = np.zeros_like(U)
    W = np.sqrt(units[0]) * U @ T.T
    spectrum = np.linalg.eigvalsh(W @ metric @ W.T)[::-1]
    # Congruence keeps the inertia.
    index, nullity, _ = inertia(natural.hessian(U), 1e-7)
    return FoundPoint(W, float(program.value(W)), spectrum, index, nullity, units)


def _descended(program: WordProgram, U: Array) -> Array:
    """Return where Newton's method with curvatures made positive descends to, without the starts that run away."""
    size = U.shape[-2] * U.shape[-1]
    for _ in range(100):
        U = U[np.abs(U).max(axis=(1, 2)) < 1e3]
        if not len(U):
            break
        bend, vectors = np.linalg.eigh(program.hessian(U))
        bend = np.maximum(np.abs(bend), 1e-3 * np.abs(bend).max(axis=1, keepdims=True) + 1e-300)
        gradient = program.gradient(U).reshape(-1, size)
        if np.abs(gradient).max() < 1e-9:
            break
        step = -np.einsum("nij,nj->ni", vectors, np.einsum("nji,nj->ni", vectors, gradient) / bend).reshape(U.shape)
        value, share = program.value(U), np.ones(len(U))
        for _ in range(30):
            worse = program.value(U + share[:, None, None] * step) > value
            if not worse.any():
                break
            share = np.where(worse, share / 2, share)
        U = U + share[:, None, None] * step
    return U


def _levenberg_marquardt(program: WordProgram, U: Array) -> Array:
    """Return the stationary points that a batch of starts reaches, those that converge, polished."""
    count, size = len(U), U.shape[-2] * U.shape[-1]
    if not count:
        return U
    shape, active = U.shape[1:], np.arange(count)
    U, reached = U.copy(), np.zeros(count, dtype=bool)
    damping = np.full(count, 1e-2)
    gradient = program.gradient(U).reshape(count, size)
    for _ in range(ITERATIONS):
        H, g = program.hessian(U[active]), gradient[active]
        norm = np.linalg.norm(H, axis=(1, 2))
        system = H @ H + ((damping[active] * norm**2)[:, None, None] + 1e-300) * np.eye(size)
        slope = np.einsum("nij,nj->ni", H, g)
        step = -np.linalg.solve(system, slope[..., None])[..., 0]
        moved = U[active] + step.reshape(-1, *shape)
        new = program.gradient(moved).reshape(-1, size)
        before, after = np.linalg.norm(g, axis=1), np.linalg.norm(new, axis=1)
        better = after < before
        taken = active[better]
        U[taken], gradient[taken] = moved[better], new[better]
        damping[active] = np.clip(np.where(better, damping[active] / 8, damping[active] * 4), 1e-14, 1e8)
        # Strict, so that a degenerate point is approached as far as rounding allows.
        size_of_terms = 1 + np.abs(U[active]).max(axis=(1, 2)) * norm
        small = np.linalg.norm(gradient[active], axis=1) <= CONVERGED * size_of_terms
        stuck = (np.linalg.norm(slope, axis=1) <= 1e-10 * before * norm) | ((damping[active] >= 1e8) & ~better)
        reached[active[small]] = True
        active = active[~(small | stuck)]
        if not len(active):
            break
    U = U[reached]
    for _ in range(2 if len(U) else 0):
        # Newton's step, along directions in which the Hessian does not vanish.
        values, vectors = np.linalg.eigh(program.hessian(U))
        used = np.abs(values) > 1e-6 * np.abs(values).max(axis=1, keepdims=True)
        g = np.einsum("nji,nj->ni", vectors, program.gradient(U).reshape(len(U), size))
        step = np.where(used, -g / np.where(used, values, 1.0), 0.0)
        U = U + np.einsum("nij,nj->ni", vectors, step).reshape(U.shape)
    return U


def falls_without_end(
    value_and_gradient: Callable[[Array], tuple[float, Array]],
    degree: int,
    d1: int,
    variances: Array,
    starts: int = 12,
) -> bool:
    """Whether the homogeneous part of highest degree, given as a function of W, is negative somewhere: found by descent.

    The part is minimised over directions, as its value at W / |W|, from random starts; ``variances`` of the features set the
    units of the columns of W.
    """
    from scipy.optimize import minimize

    rng = np.random.default_rng(0)
    sizes: list[float] = []
    units = np.sqrt(np.where(variances > 0, variances, 1.0))
    shape = (d1, len(units))

    def on_sphere(flat: Array) -> tuple[float, Array]:
        length = float(np.linalg.norm(flat))
        unit = flat / length
        value, slope = value_and_gradient(unit.reshape(shape) / units)
        slope = slope / units
        # Homogeneous: the slope along W is degree * value, which is taken off.
        return value, (slope.ravel() - degree * value * unit) / length

    for _ in range(starts):
        start = rng.standard_normal(int(np.prod(shape)))
        sizes.append(abs(on_sphere(start)[0]))
        found = minimize(on_sphere, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
        if found.fun < -1e-10 * max(sizes):
            return True
    return False
