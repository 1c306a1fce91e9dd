"""Canonical coordinates: the pencil B u = b S u, whose eigenvectors are the modes of a landscape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError

Array = NDArray[np.floating[Any]]

#: An eigenvalue of the metric below this, relative to the largest, belongs to a direction that never varies.
CONSTANT = 1e-12
#: Eigenvalues of the pencil closer than this, relative to the terms that make them up, are one eigenvalue.
TIE = 1e-9
EPS = float(np.finfo(float).eps)
#: A feature whose own b is this many times below zero, in units of the others, is held at zero by B as if it never varied: what
#: mixes it with others is smaller by that factor, and its b would drown the digits of theirs.
HOPELESS = 1e8


@dataclass(frozen=True)
class CanonicalCoordinates:
    """The modes of -Tr(W B W^T) in the metric S, by descending b_i.

    ``rows``: n x d, one mode a row, so that W = O diag(sqrt p) rows has P = O diag(p) O^T and -Tr(W B W^T) = -sum b_i p_i.
    ``constant_rows``: the directions that never vary, in which S vanishes and B does too: L does not change along them.
    ``decayed``: how many further directions never vary and are held at zero by B. ``sizes``: by mode, the sum of the sizes of
    the terms of B along it, of which b_i may be a small difference. ``noise``: by mode, what rounding of the entries of the
    matrices makes of b_i.
    """

    eigenvalues: Array
    rows: Array
    constant_rows: Array
    decayed: int
    sizes: Array
    noise: Array

    @property
    def tie(self) -> float:
        """The distance below which two eigenvalues count as equal, for a quartic part that is positive."""
        return self.tie_of(self.eigenvalues)

    def tie_of(self, b: Array) -> float:
        """Return the distance below which two eigenvalues count as equal; ``b``: minus them where the landscape is turned over.

        Modes far below zero, as weak features have under weight decay, are never kept and do not blur the others.
        """
        if not len(b):
            return 0.0
        reach = max(float(b.max()), 0.0)
        near = b >= min(-reach, float(b.max()))
        return float((TIE * self.sizes + self.noise)[near].max()) + 64 * EPS * float(np.abs(b).max())


def canonical_coordinates(
    call: str, metric: Array, B: Array, terms: Sequence[Array] | None = None
) -> CanonicalCoordinates:
    """Return the modes of the pencil (B, metric), both symmetric and the metric positive semidefinite.

    ``terms``: the matrices that B is the sum of, which set the scale on which its eigenvalues count as zero or equal.

    Directions of metric zero are minimised over first: W_N = -W_R B_RN B_NN^{-1}. Raises InputError when the metric is
    indefinite, or when B rewards a direction of metric zero, so that L falls without end.
    """
    metric = _without_hopeless(metric, B)
    # In units in which every feature has variance 1, so that a feature in small units is not taken for one that never varies.
    variances = np.diagonal(metric)
    units = np.sqrt(np.where(variances > 0, variances, 1.0))
    if (np.abs(units - 1.0) > 1e-12).any():
        outer = np.outer(units, units)
        found = canonical_coordinates(call, metric / outer, B / outer, [term / outer for term in terms or (B,)])
        return replace(found, rows=found.rows / units, constant_rows=found.constant_rows / units)
    scale, axes = np.linalg.eigh(metric)
    largest = float(np.abs(scale).max(initial=0.0))
    if scale.min() < -CONSTANT * largest:
        raise InputError(
            f"{call}: the metric of the quartic part has the eigenvalue {scale.min():.3g}, so the landscape has no canonical "
            "coordinates; use canonical correlations that are not negative"
        )
    varies = scale > CONSTANT * largest
    if varies.all():
        eigenvalues, modes = _pencil(B, np.linalg.cholesky(metric), metric)
        return _sized(eigenvalues[::-1], modes.T[::-1], np.zeros((0, len(B))), 0, metric, terms or (B,))
    R, N = axes[:, varies], axes[:, ~varies]
    inside, across, outside = R.T @ B @ R, R.T @ B @ N, N.T @ B @ N
    strength, turn = np.linalg.eigh(outside)
    size = float(np.abs(B).max(initial=0.0)) + 1e-300
    held = strength < -1e-12 * size
    coupling = across @ turn
    rewarded = (strength > 1e-9 * size) | (~held & (np.abs(coupling).max(axis=0, initial=0.0) > 1e-6 * size))
    if rewarded.any():
        raise InputError(
            f"{call}: the features never vary in {int((~varies).sum())} directions, and B rewards weights there, so that the "
            "landscape falls without end; drop these features or add WeightDecay(gamma)"
        )
    answer = np.zeros((N.shape[1], R.shape[1]))
    if held.any():
        solved = coupling[:, held] / strength[held]
        inside = inside - solved @ coupling[:, held].T
        answer = -turn[:, held] @ solved.T
    eigenvalues, modes = _pencil(inside, np.diag(np.sqrt(scale[varies])))
    rows = (R @ modes + N @ answer @ modes).T
    free = (N @ turn[:, ~held]).T
    return _sized(eigenvalues[::-1], rows[::-1], free, int(held.sum()), metric, terms or (B,))


def _without_hopeless(metric: Array, B: Array) -> Array:
    """Return the metric without features that weight decay holds at zero: their variance is nothing beside the decay."""
    variances = np.diagonal(metric)
    varies = variances > 0
    if not varies.any():
        return metric
    own = np.diagonal(B)[varies] / variances[varies]
    reach = max(float(own.max()), float(np.quantile(np.abs(own), 0.1)))
    hopeless = np.flatnonzero(varies)[own < -HOPELESS * reach]
    if not len(hopeless) or not reach:
        return metric
    kept = metric.copy()
    kept[hopeless, :] = kept[:, hopeless] = 0.0
    return kept


def _sized(
    b: Array, rows: Array, constant: Array, decayed: int, metric: Array, terms: Sequence[Array]
) -> CanonicalCoordinates:
    sizes = sum((np.abs(_along(rows, term)) for term in terms), start=np.zeros(len(b)))
    # A relative change of EPS in each entry of a matrix changes b_i by at most |u|^T |matrix| |u| EPS.
    entries = sum((np.abs(term) for term in terms), start=np.zeros_like(metric))
    noise = 4 * EPS * (_along(np.abs(rows), entries) + np.abs(b) * _along(np.abs(rows), np.abs(metric)))
    return CanonicalCoordinates(b, rows, constant, decayed, sizes, noise)


def _along(rows: Array, matrix: Array) -> Array:
    found: Array = np.einsum("ki,ki->k", rows @ matrix, rows)
    return found


def _pencil(B: Array, root: Array, metric: Array | None = None) -> tuple[Array, Array]:
    """Return eigenvalues and eigenvectors of B u = b S u for S = root root^T, u^T S u = 1."""
    from scipy.linalg import solve_triangular

    lower = bool(np.allclose(root, np.tril(root)))
    half = solve_triangular(root, B, lower=lower)
    whitened = solve_triangular(root, half.T, lower=lower)
    eigenvalues, vectors = np.linalg.eigh((whitened + whitened.T) / 2)
    X = solve_triangular(root, vectors, lower=lower, trans="T").T
    for _ in range(2):
        eigenvalues, X = _refined(X, B, root @ root.T if metric is None else metric)
    order = np.argsort(eigenvalues, kind="stable")
    return eigenvalues[order], X[order].T


def _refined(X: Array, B: Array, metric: Array) -> tuple[Array, Array]:
    """Return eigenvalues and rows X improved by one step of Newton's method for X S X^T = 1, X B X^T diagonal.

    Whitening amplifies rounding by the condition of S, and a large eigenvalue blurs small ones; the products with the rows
    themselves do neither. Source: Ogita and Aishima, "Iterative refinement for symmetric eigenvalue decomposition", 2018.
    """
    R, D = np.eye(len(X)) - X @ metric @ X.T, X @ B @ X.T
    R, D = (R + R.T) / 2, (D + D.T) / 2
    b = np.diagonal(D) / (1 - np.diagonal(R))
    gap = b[None, :] - b[:, None]
    turn = D + b[None, :] * R
    size = np.sqrt(np.abs(D) ** 2 + (np.abs(b) * np.abs(R)) ** 2)
    # Where the gap is no larger than what is to be removed, only orthonormality can be mended.
    apart = np.abs(gap) > 4 * np.maximum(size, size.T) + 64 * EPS * np.abs(b).max(initial=0.0)
    E = np.where(apart, turn / np.where(apart, gap, 1.0), R / 2)
    X = X + E.T @ X
    # Nearly equal eigenvalues turn far, and the square of the turn is left over.
    far = np.abs(E) > 1e-10
    np.fill_diagonal(far, True)
    left = np.where(far | far.T, np.eye(len(X)) - X @ metric @ X.T, 0.0)
    return b, X + left @ X / 2


def common_modes(
    call: str, metric: Array, B: Array, others: Mapping[str, Array], terms: Sequence[Array] | None = None
) -> tuple[CanonicalCoordinates, dict[str, Array]] | None:
    """Return modes along which B and the other matrices are diagonal in the metric, with their diagonal entries.

    None when there are none: the matrices do not commute in canonical coordinates.
    """
    mixture = B.copy()
    for k, matrix in enumerate(others.values()):
        size = float(np.abs(matrix).max(initial=0.0))
        if size:
            # A generic combination, so that modes are told apart by any of the matrices.
            mixture = mixture + (0.3819 + 0.217 * k) * matrix * (float(np.abs(B).max(initial=0.0)) or 1.0) / size
    found = canonical_coordinates(call, metric, mixture)
    rows = found.rows
    entries = {}
    for letter, matrix in {"B": B, **others}.items():
        inside = rows @ matrix @ rows.T
        entries[letter] = np.diagonal(inside).copy()
        outside = np.abs(inside - np.diag(entries[letter]))
        rounding = 8 * EPS * (np.abs(rows) @ np.abs(matrix) @ np.abs(rows).T)
        if (outside > TIE * float(np.abs(inside).max(initial=0.0)) + rounding).any():
            return None
    b = entries.pop("B")
    order = np.argsort(-b, kind="stable")
    coordinates = _sized(b[order], rows[order], found.constant_rows, found.decayed, metric, terms or (B,))
    return coordinates, {s: v[order] for s, v in entries.items()}
