"""Effective ranks. "RankMe" is a different number in every library, so each definition goes by its own name here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]


def entropy_rank(eigenvalues: ArrayLike) -> float:
    """Return exp of the entropy of eigenvalues of P, as shares of their sum; 0 if all are.

    Source: Roy and Vetterli, "The effective rank", 2007, there of singular values: see `singular_entropy_rank`.

    >>> entropy_rank([2.0, 2.0, 0.0])
    2.0
    """
    p = _positive(eigenvalues)
    if not len(p):
        return 0.0
    share = p / p.sum()
    return float(np.exp(-share @ np.log(share)))


def singular_entropy_rank(eigenvalues: ArrayLike) -> float:
    """Return exp of the entropy of singular values of the representations, the roots of the eigenvalues of P.

    Not centred if P is not: RankMe of Garrido et al., 2023, but for its small constant.

    >>> round(singular_entropy_rank([4.0, 1.0]), 4)
    1.8899
    """
    return entropy_rank(np.sqrt(_positive(eigenvalues)))


def participation_ratio(eigenvalues: ArrayLike) -> float:
    """Return (sum p)^2 / sum p^2; 0 if all eigenvalues are.

    >>> participation_ratio([3.0, 3.0])
    2.0
    """
    p = _positive(eigenvalues)
    return float(p.sum() ** 2 / (p @ p)) if len(p) else 0.0


def stable_rank(eigenvalues: ArrayLike) -> float:
    """Return sum p / max p, the squared Frobenius norm over the squared spectral norm; 0 if all eigenvalues are.

    >>> stable_rank([4.0, 2.0])
    1.5
    """
    p = _positive(eigenvalues)
    return float(p.sum() / p.max()) if len(p) else 0.0


def _positive(eigenvalues: ArrayLike) -> Array:
    p = np.asarray(eigenvalues, dtype=float)
    return p[p > 0]
