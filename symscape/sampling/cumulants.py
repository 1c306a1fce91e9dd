"""Joint third and fourth cumulants of features, contracted with W: what non-Gaussian data add at order 4."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscape.errors import MomentsError

Array = NDArray[np.float64]


class FourthCumulants:
    """Cumulants of the empirical distribution of rows: ``FourthCumulants({"x": features_a, "x'": features_b})``.

    Each array is N x d0, rows paired. For the pattern uv|st the contraction is the sum over outputs a, b of the joint
    cumulant of f_a(u), f_a(v), f_b(s), f_b(t); no d0^4 tensor is formed. Pass it as ``kappa=`` to the NumPy function of a
    landscape over CumulantViews. Raises MomentsError for arrays of different shapes or with NaN.
    """

    def __init__(self, views: Mapping[str, ArrayLike]):
        arrays = {name: np.asarray(rows, dtype=float) for name, rows in views.items()}
        shapes = {a.shape for a in arrays.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 2:
            raise MomentsError(
                f"FourthCumulants: the views have shapes {sorted(shapes)}; give N x d0 arrays of one shape"
            )
        for name, rows in arrays.items():
            if not np.isfinite(rows).all():
                raise MomentsError(f"FourthCumulants: the view {name} has NaN or infinite entries")
        self._rows = {name: a - a.mean(axis=0) for name, a in arrays.items()}

    def value_and_gradient(self, pattern: tuple, W: Array, end: Array | None) -> tuple[float, Array, Array | None]:
        """Return the contraction for a d1 x d0 W, its derivative by W, and by the end of a third cumulant."""
        if end is not None:
            return self._third(pattern, W, end)
        (u, v), (s, t) = pattern
        left, left_gradient = self._inner(u, v, W)
        right, right_gradient = self._inner(s, t, W)
        count = len(left)
        value = left @ right / count
        gradient = left_gradient(right) + right_gradient(left)
        # The Gaussian pairings: uv st couples traces, us vt and ut vs couple entries.
        C, D = self._covariance(u, v), self._covariance(s, t)
        trace_c, trace_d = np.sum((W @ C) * W), np.sum((W @ D) * W)
        value -= trace_c * trace_d
        gradient = gradient - trace_d * W @ (C + C.T) - trace_c * W @ (D + D.T)
        for (a, b), (c, d) in (((u, s), (v, t)), ((u, t), (v, s))):
            C, D = self._covariance(a, b), self._covariance(c, d)
            P, Q = W @ C @ W.T, W @ D @ W.T
            value -= np.sum(P * Q)
            gradient = gradient - (Q @ W @ C.T + Q.T @ W @ C + P @ W @ D.T + P.T @ W @ D)
        return float(value), gradient, None

    def _third(self, pattern: tuple, W: Array, end: Array) -> tuple[float, Array, Array]:
        (u, v), s = pattern
        inner, inner_gradient = self._inner(u, v, W)
        features = self._view(s)
        outer = features @ W.T @ end
        moment = inner @ features / len(inner)
        gradient = inner_gradient(outer) + np.outer(end, moment)
        return float(inner @ outer / len(inner)), gradient, W @ moment

    def _inner(self, u: str, v: str, W: Array):  # type: ignore[no-untyped-def]
        """Return f(u).f(v) by row, and what gives the derivative of its mean weighted by another array."""
        a, b = self._view(u), self._view(v)
        fa, fb = a @ W.T, b @ W.T

        def gradient(weights: Array) -> Array:
            return ((fa * weights[:, None]).T @ b + (fb * weights[:, None]).T @ a) / len(weights)

        return np.einsum("ni,ni->n", fa, fb), gradient

    def _covariance(self, u: str, v: str) -> Array:
        a, b = self._view(u), self._view(v)
        return a.T @ b / len(a)

    def _view(self, name: str) -> Array:
        if name not in self._rows:
            raise MomentsError(
                f"FourthCumulants: the landscape asks for the view {name!r}; given are {sorted(self._rows)}"
            )
        return self._rows[name]
