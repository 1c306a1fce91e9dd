"""The stationary points of a landscape at W = diag(w), with their kind and index in the space of all d x d weights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.landscape.landscape import Landscape
from symscape.stationary.points import StationaryPoints
from symscape.stationary.stationary_points import stationary_points
from symscape.stationary.word_form import split_form

Array = NDArray[np.floating[Any]]

#: Starts of the search along each weight; a slope, and a curvature relative to the largest, that count as zero.
STARTS, FLAT = 9, 1e-9


@dataclass(frozen=True, eq=False)
class DiagonalPoint:
    """A stationary point diag(w), w >= 0: where, its value, kind and index."""

    w: Array
    loss: float
    kind: str
    index: int


def diagonal_points(land: Landscape, A0: Array, Sigma: Array, reach: float, **parameters: Any) -> list[DiagonalPoint]:
    """Return the stationary points at W = diag(w) for diagonal moments, one of those that differ by signs only.

    By `stationary_points`, which has them all; where outputs count apart, found from starts on a grid with 0 <= w <= reach,
    with their index from the exact Hessian. Sign changes of modes and outputs are symmetries, so that what is stationary
    among diagonal W is so among all.
    """
    if split_form(land)[1]:
        return _searched(land, reach, {"A0": A0, "Sigma": Sigma, **parameters}, len(A0))
    points = stationary_points(land, A0, Sigma, d1=len(A0), **parameters)
    assert isinstance(points, StationaryPoints)
    return [DiagonalPoint(np.linalg.norm(p.W, axis=0), p.loss, p.kind, p.index) for p in points]


def _searched(land: Landscape, reach: float, arguments: dict[str, Any], d: int) -> list[DiagonalPoint]:
    from scipy.optimize import root

    value = land.numpy()

    def slope(w: Array) -> Array:
        return np.diag(value.gradient(np.diag(w), **arguments))

    found: list[DiagonalPoint] = []
    for start in product(np.linspace(0, reach, STARTS), repeat=d):
        result = root(slope, np.array(start), tol=1e-13)
        w = np.where(np.abs(result.x) < 1e-7, 0.0, np.abs(result.x))
        new = all(np.abs(w - point.w).max() > 1e-6 for point in found)
        if new and w.max() <= reach and np.abs(slope(w)).max() < FLAT:
            found.append(DiagonalPoint(w, float(value(np.diag(w), **arguments)), *_kind(value, w, arguments)))
    return found


def _kind(value: Any, w: Array, arguments: dict[str, Any]) -> tuple[str, int]:
    units = np.eye(len(w) ** 2).reshape(-1, len(w), len(w))
    hessian = [value.hessian_vector_product(np.diag(w), unit, **arguments).ravel() for unit in units]
    curvatures = np.linalg.eigvalsh(np.array(hessian))
    zero = 1e-7 * max(1.0, float(np.abs(curvatures).max()))
    index = int((curvatures < -zero).sum())
    if index == 0:
        return ("minimum" if curvatures.min() > zero else "degenerate"), index
    return ("maximum" if curvatures.max() <= zero else "saddle"), index
