"""Rows divided by their lengths, and gradients taken back through the division."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symscape.sampling.evaluator import Array

#: What libraries put in place of the length of shorter rows.
SHORTEST = 1e-12
#: Rows that are worked on at a time.
BLOCK = 1024


@dataclass(frozen=True)
class UnitRows:
    """u = z / length, rows N x d1, with length = max(|z|, 1e-12), or sqrt(|z|^2 + epsilon) for positive ``epsilon``."""

    rows: Array
    lengths: Array
    constant: Array

    def pull_back(self, gradient: Array) -> Array:
        """Turn, in place, a gradient by u into that by z: (g - u (u.g)) / length, or g / 1e-12 where 1e-12 was put in."""
        for start in range(0, len(gradient), BLOCK):
            part = slice(start, start + BLOCK)
            g, u = gradient[part], self.rows[part]
            along = np.einsum("ij,ij->i", g, u, dtype=np.float64)
            along[self.constant[part]] = 0
            g -= u * along.astype(g.dtype)[:, None]
            np.divide(g, self.lengths[part, None], out=g, casting="same_kind")
        return gradient


def unit_rows(z: Array, epsilon: float = 0.0, dtype: np.dtype | None = None) -> UnitRows:
    """Divide rows by their lengths, computed in float64 whatever the size of the entries.

    >>> unit_rows(np.array([[3e200, 4e200], [0.0, 0.0]])).rows
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    largest = float(np.abs(z).max(initial=0.0))
    unit = largest if largest > 1e140 else 1.0
    squares = squared_lengths(z / unit if unit != 1.0 else z)
    if epsilon > 0:
        lengths, constant = unit * np.sqrt(squares + epsilon / unit / unit), np.zeros(len(z), bool)
    else:
        lengths = unit * np.sqrt(squares)
        constant = lengths < SHORTEST
        lengths[constant] = SHORTEST
    rows = np.empty(z.shape, dtype or z.dtype)
    np.divide(z, lengths[:, None], out=rows, casting="same_kind")
    return UnitRows(rows, lengths, constant)


def squared_lengths(z: Array) -> Array:
    """Return |z_i|^2 in float64."""
    squares: Array = np.einsum("ij,ij->i", z, z, dtype=np.float64)
    return squares
