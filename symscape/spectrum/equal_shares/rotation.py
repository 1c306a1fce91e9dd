"""Rotations of the outputs that give each the same share of one or of two spectra at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError

Array = NDArray[np.float64]

#: Sweeps of plane rotations at most, per start.
MOST_SWEEPS = 400


def equal_share_rotation(p: Any, m: Any = None) -> tuple[Array, float]:
    """Return (O, residual): O orthogonal, with the diagonals of O diag(p) O^T and of O diag(m) O^T constant.

    ``p`` and ``m`` are d1 numbers each. ``residual`` is the largest deviation of a share, in units of the largest number of its
    spectrum. For one spectrum a solution always exists (Schur and Horn); for two it does when d1 is a power of two (Hadamard)
    or when the spectra are proportional, usually when d1 >= 5, and not in general when d1 = 3: there the residual says so.
    Raises InputError for lists of different lengths or that are not finite.

    >>> O, residual = equal_share_rotation([4.0, 1.0, 1.0, 0.0], [3.0, 0.5, 0.1, 0.0])
    >>> bool(residual < 1e-12)
    True
    """
    lists = [np.atleast_1d(np.asarray(numbers, dtype=float)) for numbers in (p, m) if numbers is not None]
    if any(x.ndim != 1 or x.shape != lists[0].shape or not np.isfinite(x).all() for x in lists) or not len(lists[0]):
        raise InputError("equal_share_rotation(p, m): give d1 finite numbers in p, and as many in m")
    spectra = np.array([x / max(np.abs(x).max(), 1e-300) for x in lists])
    size = spectra.shape[1]
    if size & (size - 1) == 0:
        from scipy.linalg import hadamard

        O = hadamard(size) / np.sqrt(size)
        return O, _residual(O, spectra)
    best: tuple[Array, float] | None = None
    for attempt in range(6):
        O = _plane_rotations(_start(size, attempt), spectra)
        found = O, _residual(O, spectra)
        if best is None or found[1] < best[1]:
            best = found
        if best[1] < 1e-12:
            break
    assert best is not None
    return best


def _residual(O: Array, spectra: Array) -> float:
    shares = spectra @ (O**2).T
    return float(np.abs(shares - spectra.mean(axis=1, keepdims=True)).max())


def _start(size: int, attempt: int) -> Array:
    """Return the Hartley matrix, whose shares are nearly equal, turned a little in every neighbouring plane."""
    angles = 2 * np.pi * np.outer(np.arange(size), np.arange(size)) / size
    O = (np.cos(angles) + np.sin(angles)) / np.sqrt(size)
    for k in range(size - 1):
        angle = attempt * (0.3 + 0.1 * np.sin(k + 1.0))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        O[k : k + 2] = turn @ O[k : k + 2]
    return O


def _plane_rotations(O: Array, spectra: Array) -> Array:
    """Sweep over all planes of two outputs, turning each by the angle that brings their shares closest together.

    Turned by an angle a, the difference of two shares is x cos 2a + y sin 2a, and the sum of its squares over the spectra is
    a quadratic form in (cos 2a, sin 2a): the best angle is its lowest eigenvector.
    """
    size = len(O)
    last = np.inf
    for sweep in range(MOST_SWEEPS):
        for i in range(size - 1):
            for j in range(i + 1, size):
                rows = O[[i, j]]
                gap = spectra @ (rows[0] ** 2 - rows[1] ** 2)
                cross = -2.0 * (spectra @ (rows[0] * rows[1]))
                xx, xy, yy = gap @ gap, gap @ cross, cross @ cross
                angle = 0.25 * np.arctan2(-2.0 * xy, yy - xx)
                c, s = np.cos(angle), np.sin(angle)
                O[i], O[j] = c * rows[0] - s * rows[1], s * rows[0] + c * rows[1]
        residual = _residual(O, spectra)
        if residual < 1e-14 or (sweep % 40 == 39 and residual > 0.5 * last):
            break
        last = residual if sweep % 40 == 39 else last
    return O
