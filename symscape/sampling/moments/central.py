"""Second moments about the mean, from raw ones, and derivatives back."""

from __future__ import annotations

import numpy as np

from symscape.errors import MomentsError
from symscape.sampling.evaluator import Array, ViewMoments

#: A variance plus its epsilon is known to this relative accuracy, or it is refused.
ACCURACY = 1e-6


def view_moments(a: Array, b: Array, shift: Array | None = None) -> ViewMoments:
    """Return the moments of two views, N x d each, in float64; ``shift`` (d,) is subtracted from both views first.

    Losses with ``shift_invariant`` evaluators do not see a common shift; subtracting the mean of both views keeps the digits
    of features far from zero.

    >>> view_moments(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]])).second[0].ravel().tolist()
    [5.0, 2.0]
    """
    blocks = 2048
    d, count = a.shape[1], len(a)
    mean, second = np.zeros(2 * d), np.zeros((2 * d, 2 * d))
    for start in range(0, count, blocks):
        rows = np.concatenate([z[start : start + blocks] for z in (a, b)], axis=1, dtype=np.float64)
        if shift is not None:
            rows -= np.concatenate([shift, shift])
        mean += rows.sum(axis=0)
        second += rows.T @ rows
    by_view = (second / count).reshape(2, d, 2, d).transpose(0, 2, 1, 3)
    return ViewMoments(count, (mean / count).reshape(2, d), np.ascontiguousarray(by_view))


def covariances(moments: ViewMoments) -> Array:
    """Return the moments about the means, (2, 2, d, d)."""
    return moments.second - np.einsum("ui,vj->uvij", moments.mean, moments.mean)


def by_raw_moments(moments: ViewMoments, by_mean: Array, by_covariance: Array) -> tuple[Array, Array]:
    """Turn derivatives by means at fixed covariances, and by covariances, into those by ``mean`` and by ``second``."""
    through = np.einsum("uvij,vj->ui", by_covariance, moments.mean)
    through += np.einsum("vuji,vj->ui", by_covariance, moments.mean)
    return by_mean - through, by_covariance


def refuse_lost_variances(moments: ViewMoments, variances: Array, epsilon: float) -> None:
    """Raise MomentsError where a variance plus epsilon is lost in the square of the mean."""
    lost = 8 * np.finfo(np.float64).eps * moments.mean**2 > ACCURACY * (np.maximum(variances, 0.0) + epsilon)
    if lost.any():
        view, output = (int(k) for k in np.argwhere(lost)[0])
        raise MomentsError(
            f"output {output} of view {view} has mean {moments.mean[view, output]:.3g}, in whose square its variance is lost; "
            "subtract the features' mean first, view_moments(a, b, shift=...), or evaluate on rows"
        )
