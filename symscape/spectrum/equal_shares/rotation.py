"""Rotations of the outputs that give each the same share of one or of two spectra at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError

Array = NDArray[np.float64]

#: Steps at most, per start, and starts.
MOST_STEPS, STARTS = 60, 4
#: A residual below this is rounding.
_EXACT = 1e-13


def equal_share_rotation(*spectra: Any) -> tuple[Array, float]:
    """Return (O, residual): O orthogonal, with the diagonal of O diag(p) O^T constant for every spectrum p given.

    Each holds d1 numbers. ``residual`` is the largest deviation of a share, in units of the largest number of its
    spectrum. For one spectrum a solution always exists (Schur and Horn); for two it does when d1 is a power of two (Hadamard)
    or when the spectra are proportional, usually when d1 >= 5, and not in general when d1 = 3: there the residual says so.
    Raises InputError for lists of different lengths or that are not finite.

    >>> O, residual = equal_share_rotation([4.0, 1.0, 1.0, 0.0], [3.0, 0.5, 0.1, 0.0])
    >>> bool(residual < 1e-12)
    True
    """
    lists = [np.atleast_1d(np.asarray(numbers, dtype=float)) for numbers in spectra if numbers is not None]
    if any(x.ndim != 1 or x.shape != lists[0].shape or not np.isfinite(x).all() for x in lists) or not len(lists[0]):
        raise InputError("equal_share_rotation(p, m): give d1 finite numbers in p, and as many in m")
    units = np.array([x / max(np.abs(x).max(), 1e-300) for x in lists])
    size = units.shape[1]
    if size & (size - 1) == 0:
        from scipy.linalg import hadamard

        O = hadamard(size) / np.sqrt(size)
        return O, _residual(O, units)
    if len(units) == 1:
        O = _one_by_one(units[0])
        return O, _residual(O, units)
    best: tuple[Array, float] | None = None
    for attempt in range(STARTS):
        O = _descended(_start(size, attempt), units)
        found = O, _residual(O, units)
        if best is None or found[1] < best[1]:
            best = found
        if best[1] < _EXACT * size:
            break
    assert best is not None
    return best


def _residual(O: Array, spectra: Array) -> float:
    shares = spectra @ (O**2).T
    return float(np.abs(shares - spectra.mean(axis=1, keepdims=True)).max())


def _one_by_one(p: Array) -> Array:
    """Set one share after another to the mean, turning an output above it with one below it.

    Source: Bendel and Mickey, "Population correlation matrices for sampling experiments", 1978.
    """
    size, mean = len(p), float(p.mean())
    O, G = np.eye(size), np.diag(p)
    left = np.arange(size)
    for _ in range(size - 1):
        shares = G[left, left] - mean
        i, j = left[shares.argmax()], left[shares.argmin()]
        if i == j:
            break
        # With t = tan of the angle, the share of i becomes (G_ii + 2 t G_ij + t^2 G_jj) / (1 + t^2).
        above, across, below = G[i, i] - mean, G[i, j], G[j, j] - mean
        root = np.sqrt(max(across**2 - above * below, 0.0))
        nearest = -across - np.copysign(root, across)
        t = above / nearest if nearest else 0.0
        c = 1 / np.sqrt(1 + t**2)
        turn = c * np.array([[1.0, t], [-t, 1.0]])
        pair = [i, j]
        O[pair], G[pair] = turn @ O[pair], turn @ G[pair]
        G[:, pair] = G[:, pair] @ turn.T
        left = left[left != i]
    return O


def _start(size: int, attempt: int) -> Array:
    """Return the Hartley matrix, whose shares are nearly equal, turned a little in every neighbouring plane."""
    angles = 2 * np.pi * np.outer(np.arange(size), np.arange(size)) / size
    O = (np.cos(angles) + np.sin(angles)) / np.sqrt(size)
    for k in range(size - 1):
        angle = attempt * (0.3 + 0.1 * np.sin(k + 1.0))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        O[k : k + 2] = turn @ O[k : k + 2]
    return O


def _descended(O: Array, spectra: Array) -> Array:
    """Bring the shares together by the method of Levenberg and Marquardt over O -> exp(A) O, A antisymmetric.

    To first order share i moves by 2 sum_j A_ij G_ij, G = O diag(p) O^T. The step A_ij = 2 sum_s (y^s_i - y^s_j) G^s_ij is
    the shortest one, y a solution of a system with one unknown per share.
    """
    count, size = spectra.shape
    damping = 1e-3

    def deviations(O: Array) -> Array:
        return spectra @ (O**2).T - spectra.mean(axis=1, keepdims=True)

    gap = deviations(O)
    for _ in range(MOST_STEPS):
        squares = float((gap**2).sum())
        if np.abs(gap).max() < _EXACT:
            break
        G = np.array([(O * p) @ O.T for p in spectra])
        products = np.einsum("sij,tij->stij", G, G)
        products[:, :, np.arange(size), np.arange(size)] = 0.0
        system = -products
        system[:, :, np.arange(size), np.arange(size)] = products.sum(axis=3)
        system = 4 * system.transpose(0, 2, 1, 3).reshape(count * size, count * size)
        scale = float(np.trace(system)) / len(system) + 1e-300
        for _ in range(12):
            y = np.linalg.solve(system + damping * scale * np.eye(len(system)), -gap.ravel()).reshape(count, size)
            A = 2 * np.einsum("sij,sij->ij", y[:, :, None] - y[:, None, :], G)
            moved = np.linalg.solve(np.eye(size) - A / 2, O + A @ O / 2)
            new = deviations(moved)
            if (new**2).sum() < squares:
                break
            damping *= 8
        else:
            break
        O, gap, damping = moved, new, max(damping / 30, 1e-14)
        if (gap**2).sum() > 0.999 * squares:
            break
    # Cayley steps are orthogonal to rounding, which adds up.
    for _ in range(2):
        O = O @ (1.5 * np.eye(size) - 0.5 * O.T @ O)
    return O
