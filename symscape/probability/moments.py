"""Second moments as numbers: checked where they enter, ready to be passed to a compiled landscape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscape.errors import MomentsError

Array = NDArray[np.floating[Any]]

#: How far, relative to the largest entry, a matrix may be from symmetric and an eigenvalue below zero by rounding.
ROUNDING = 1e-9


class Moments(Mapping[str, Array]):
    """The moments A_0 = E[phi(x) phi(x')^T] and Sigma = E[phi(x) phi(x)^T], each d0 x d0, and perhaps the mean, d0.

    A mapping, so that a landscape takes it as ``f(W, **moments)``. Raises MomentsError for wrong shapes, NaN, matrices that
    are not symmetric, an indefinite Sigma, and an A_0 that Sigma does not dominate (Sigma - A_0 and Sigma + A_0 are
    positive semidefinite for every pair of views with these moments).

    >>> f"{Moments(A0=[[1.0]], Sigma=[[2.0]])['A0']}"
    '[[1.]]'
    """

    def __init__(self, A0: ArrayLike, Sigma: ArrayLike, mean: ArrayLike | None = None):
        sigma, cross = symmetric_matrix("Sigma", Sigma), symmetric_matrix("A0", A0)
        if sigma.shape != cross.shape:
            raise MomentsError(f"A0 has shape {cross.shape} and Sigma {sigma.shape}; both are d0 x d0")
        self._values = {"A0": cross, "Sigma": sigma}
        scale = max(float(np.abs(sigma).max()), float(np.abs(cross).max()))
        centre = np.zeros(len(sigma))
        if mean is not None:
            centre = np.asarray(mean, dtype=float)
            if centre.shape != sigma.shape[:1] or not np.isfinite(centre).all():
                raise MomentsError(
                    f"mean has shape {centre.shape}; with this Sigma it is {sigma.shape[:1]}, and finite"
                )
            self._values["mean"] = centre
        outer = np.outer(centre, centre)
        for name, matrix in (
            ("Sigma" if mean is None else "Sigma - mean mean^T", sigma - outer),
            ("Sigma - A0", sigma - cross),
            ("Sigma + A0" if mean is None else "Sigma + A0 - 2 mean mean^T", sigma + cross - 2 * outer),
        ):
            lowest = float(np.linalg.eigvalsh(matrix)[0])
            if lowest < -ROUNDING * scale:
                hint = "" if name.startswith("Sigma -") and mean is not None else _HINTS.get(name, "")
                raise MomentsError(f"{name} has the eigenvalue {lowest:.3g}: it must be positive semidefinite{hint}")

    @classmethod
    def from_views(cls, view_a: ArrayLike, view_b: ArrayLike, mean: bool = False) -> Moments:
        """Return the moments of two N x d0 arrays of paired rows: averaged over both views, symmetrised, divided by N.

        Not centred; ``mean=True`` keeps the mean beside them. Raises MomentsError for unequal shapes or NaN.
        """
        a, b = np.asarray(view_a, dtype=float), np.asarray(view_b, dtype=float)
        if a.ndim != 2 or a.shape != b.shape or len(a) == 0:
            raise MomentsError(f"the views have shapes {a.shape} and {b.shape}; give two N x d0 arrays of paired rows")
        for name, rows in (("first", a), ("second", b)):
            bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
            if len(bad):
                raise MomentsError(
                    f"the {name} view has NaN or infinite entries in {len(bad)} rows, first row {bad[0]}"
                )
        # With s = a + b and e = a - b, C = E[e e^T] / 2 is found without cancellation.
        s, e = (a + b) / 2, (a - b) / 2
        common, difference = s.T @ s / len(a), e.T @ e / len(a)
        return cls(common - difference, common + difference, (a.mean(axis=0) + b.mean(axis=0)) / 2 if mean else None)

    def __getitem__(self, name: str) -> Array:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Moments({', '.join(self._values)}; d0 = {len(self._values['Sigma'])})"


_HINTS = {
    "Sigma": ", as every second moment is",
    "Sigma - A0": "; two views of one datum have Sigma - A_0 = E[(phi(x) - phi(x'))(...)^T] / 2. Are A0 and Sigma swapped?",
    "Sigma + A0": "; two views of one datum have Sigma + A_0 = E[(phi(x) + phi(x'))(...)^T] / 2",
}


def symmetric_matrix(name: str, value: Any) -> Array:
    """Return a d0 x d0 array, symmetric and finite; raise MomentsError that names it otherwise."""
    try:
        if np.iscomplexobj(value):
            raise TypeError("complex")
        matrix = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise MomentsError(f"{name}={value!r} is not an array of real numbers") from error
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise MomentsError(f"{name} has shape {matrix.shape}; it is d0 x d0")
    if not np.isfinite(matrix).all():
        i, j = np.argwhere(~np.isfinite(matrix))[0]
        raise MomentsError(f"{name}[{i}, {j}] is {matrix[i, j]}; moments are finite")
    gap = np.abs(matrix - matrix.T)
    if gap.max() > ROUNDING * max(np.abs(matrix).max(), np.finfo(float).tiny):
        i, j = np.unravel_index(gap.argmax(), gap.shape)
        raise MomentsError(
            f"{name} is not symmetric: [{i}, {j}] is {matrix[i, j]:.6g} and [{j}, {i}] is {matrix[j, i]:.6g}; "
            f"symmetrise it, ({name} + {name}.T) / 2"
        )
    return (matrix + matrix.T) / 2
