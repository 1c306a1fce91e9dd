"""How far moments of so many rows may move a forecast: standard errors by groups of rows.

Left without a group of rows g, an eigenvalue of the pencil (B, Sigma) moves, to first order, by

    -w_g / (1 - w_g) u^T (B_g - b Sigma_g) u,    w_g the share of the rows, B_g and Sigma_g the moments of the group alone,

so that no eigenproblem is solved again. Where weights are orthogonal to the mean m, u moves with it besides, and the group
counts for -2 nu u^T (m_g - m) more, nu m being the force (B - b Sigma) u that keeps u orthogonal to m. Strengths, threshold and
ranks then follow from the theory. Their spread over the groups is the jackknife's standard error. It is that of a forecast from
another sample of as many independent rows, whose bias of order d0/N is the same; a head that is trained on these very rows sees
these very moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from symscape.data.moments import FeatureMoments
from symscape.errors import InputError
from symscape.forecast.forecast import Forecast, spectrum_of
from symscape.forecast.problem import Problem
from symscape.forecast.theory import Theory
from symscape.spectrum.ranks import entropy_rank, participation_ratio
from symscape.stationary.coordinates import canonical_coordinates

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Standard errors of a forecast of the theory.

    ``eigenvalues``, ``r``, ``strengths``, ``margin``: by mode, ``margin`` being the eigenvalue less the threshold;
    ``confidence``: by mode, the probability that it lies on the side of the threshold on which it is found (NaN where the
    threshold is unknown); ``spectrum``: of the eigenvalues of P; ``surviving``: of the number of kept modes, were modes
    independent (NaN where the threshold is unknown); ``effective_rank``, ``participation_ratio``.
    """

    eigenvalues: Array
    r: Array
    strengths: Array
    margin: Array
    confidence: Array
    spectrum: Array
    surviving: float
    effective_rank: float
    participation_ratio: float


def uncertainty(asked: Problem, theory: Theory, forecast: Forecast, moments: FeatureMoments) -> Uncertainty:
    """Return the standard errors of a forecast from moments of data."""
    share, b_moves, r_moves = _moves(asked, theory, forecast, moments)
    b_error, r_error = (_spread_of_means(share, moves) for moves in (b_moves, r_moves))
    # A canonical correlation is at most 1, and first order may leave that.
    bound = 1.0 if forecast.variable == "r" else np.inf
    left = np.clip(forecast.eigenvalues - (share / (1 - share))[:, None] * b_moves, -bound, bound)
    found: list[tuple[Array, float, Array]] = []
    for values in left:
        order = np.argsort(-values, kind="stable")
        try:
            solved = theory.solve(values[order], asked.d1, forecast.sizes[order])
        except InputError:
            continue
        p = np.zeros(len(values))
        p[order] = solved.p
        found.append((p, solved.critical, spectrum_of(solved.outputs)))
    strengths, critical, spectra = (np.array(column, dtype=float) for column in zip(*found, strict=True))
    margin_error = _jackknife(left[: len(critical)] - critical[:, None]) if len(found) == len(left) else b_error
    margin = forecast.eigenvalues - forecast.critical
    with np.errstate(divide="ignore", invalid="ignore"):
        confidence = norm.cdf(np.abs(margin) / margin_error)
    return Uncertainty(
        b_error,
        r_error,
        _jackknife(strengths),
        margin_error,
        confidence,
        _jackknife(spectra),
        _count_error(confidence[: forecast.possible]),
        float(_jackknife(np.array([entropy_rank(p) for p in spectra]))),
        float(_jackknife(np.array([participation_ratio(p) for p in spectra]))),
    )


def _moves(asked: Problem, theory: Theory, forecast: Forecast, moments: FeatureMoments) -> tuple[Array, Array, Array]:
    """Return the share of each group, and by group and mode u^T (B_g - b Sigma_g) u and the same for r."""
    frame, modes = forecast.frame, forecast.coordinates
    b_turns, r_turns = _turns_with_the_mean(asked, theory, forecast, moments)
    share, b_moves, r_moves = [], [], []
    for group in moments.groups:
        A, S = frame.moments(group.C, group.covariance, group.mean)
        B, size, off = theory.pencil(A, S, frame.decay_metric(), asked.d1), _along(modes, S), group.mean - moments.mean
        share.append(group.rows / moments.rows)
        r_moves.append(_along(modes, A) - forecast.r * size - r_turns @ off)
        b_moves.append(_along(modes, B) - forecast.eigenvalues * size - b_turns @ off)
    return np.array(share), np.array(b_moves), np.array(r_moves)


def _turns_with_the_mean(
    asked: Problem, theory: Theory, forecast: Forecast, moments: FeatureMoments
) -> tuple[Array, Array]:
    """Return 2 nu u by mode, of b and of r, modes x d0: how fast they fall as the mean moves that weights are orthogonal to."""
    if forecast.frame.mean_goes != "weights":
        none = np.zeros_like(forecast.rows)
        return none, none
    mean, S, rows = moments.mean, moments.covariance, forecast.rows
    A = S - moments.C
    B = theory.pencil(A, S, np.eye(len(mean)), asked.d1)
    share = np.array([group.rows / moments.rows for group in moments.groups])
    off = np.array([group.mean - mean for group in moments.groups])

    def turns(matrix: Array, values: Array) -> Array:
        force = rows @ (matrix @ mean) - values * (rows @ (S @ mean))
        slopes = 2 * force[:, None] / float(mean @ mean) * rows
        error = _spread_of_means(share, off @ slopes.T)
        # Eigenvalues under one constraint lie between those without (Cauchy), however uncertain the mean's direction is.
        free = canonical_coordinates("uncertainty", S, matrix).eigenvalues
        between = -np.diff(free) if len(free) == len(values) + 1 else np.full(len(values), np.ptp(free))
        found: Array = slopes * np.minimum(1.0, between / 2 / np.maximum(error, 1e-300))[:, None]
        return found

    return turns(B, forecast.eigenvalues), turns(A, forecast.r)


def _count_error(confidence: Array) -> float:
    """Return the standard error of the number of kept modes: the jackknife does not see a count that no one group changes."""
    return float(np.sqrt((confidence * (1 - confidence)).sum()))


def _along(rows: Array, matrix: Array) -> Array:
    found: Array = np.einsum("ki,ki->k", rows @ matrix, rows)
    return found


def _spread_of_means(share: Array, moves: Array) -> Array:
    """Return the standard error of sum_g w_g x_g, whose groups are independent."""
    count = len(share)
    found: Array = np.sqrt(count / (count - 1) * ((share[:, None] * moves) ** 2).sum(axis=0))
    return found


def _jackknife(values: Sequence[Any] | Array) -> Array:
    """Return the standard error from the values without one group each."""
    values = np.asarray(values, dtype=float)
    count = len(values)
    found: Array = np.sqrt((count - 1) / count * ((values - values.mean(axis=0)) ** 2).sum(axis=0))
    return found
