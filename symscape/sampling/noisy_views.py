"""Views made of given rows and additive Gaussian noise: a population whose moments are known exactly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isqrt

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError, MomentsError
from symscape.losses.language import Expectation, Node, Total, WeightNorm
from symscape.losses.loss import Loss
from symscape.probability.views import CROSS_MOMENT, SECOND_MOMENT, View
from symscape.sampling.cumulants import FourthCumulants
from symscape.sampling.expression import SampledExpression

Array = NDArray[np.float64]

#: Most pairs (or triples) of rows held in memory at a time.
MOST_PAIRS = 300_000


@dataclass(frozen=True)
class NoisyViews:
    """The population phi(x) = s + noise * e: s one of the rows, centred, and e standard Gaussian, fresh for every view.

    ``rows`` is N x d0. Raises MomentsError for anything else, or for NaN.
    """

    rows: Array
    noise: float
    A_0: Array = field(init=False)
    Sigma: Array = field(init=False)

    def __post_init__(self) -> None:
        rows = np.asarray(self.rows, dtype=float)
        if rows.ndim != 2 or len(rows) < 4 or not np.isfinite(rows).all():
            raise MomentsError(f"NoisyViews: the rows have shape {rows.shape}; give a finite N x d0 array with N >= 4")
        rows = rows - rows.mean(axis=0)
        A_0 = rows.T @ rows / len(rows)
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "A_0", A_0)
        object.__setattr__(self, "Sigma", A_0 + self.noise**2 * np.eye(rows.shape[1]))

    @property
    def cumulants(self) -> FourthCumulants:
        """The joint cumulants of the views: Gaussian noise adds none, so every pattern has those of the rows."""
        crops = {kind + "'" * k: self.rows for kind in ("x", "x_A_0") for k in range(4)}
        return FourthCumulants(crops)

    def draw(self, loss: Loss, W: Array, rng: np.random.Generator) -> Draw:
        """Return one draw of all views of a loss, represented by f = W phi.

        The anchor's datum runs over all rows; every other datum is drawn with replacement, as many as memory allows.
        Raises InputError for a view with moments of its own.
        """
        views = sorted(loss.views, key=lambda view: (view.datum != "x", view.name))
        for view in views:
            if view.moment not in (SECOND_MOMENT, CROSS_MOMENT) or view.cross != CROSS_MOMENT:
                raise InputError(f"the view {view} has moments of its own; these rows give no sample of it")
        data = list(dict.fromkeys(["x", *(view.datum for view in views)]))
        copies = {node.args[1].datum: int(node.args[2]) for node in _totals(loss)}
        others = [datum for datum in data if datum != "x" and datum not in copies]
        # Two noise copies of every row where the loss is not linear in means over the anchor, so that halves differ in noise
        # alone and the bias of that mean is removed with theirs.
        twice = 1 if _is_linear_in_the_anchor(loss.expr) else 2
        anchors = np.tile(np.arange(len(self.rows)), twice)
        most = MOST_PAIRS // len(anchors)
        size = max(8, min(600, most if len(others) < 2 else isqrt(most)))
        dim = len(data)
        rows: dict[str, NDArray[np.intp]] = {}
        for k, datum in enumerate(data):
            shape = [1] * dim
            if k == 0:
                shape[0] = len(anchors)
                rows[datum] = anchors.reshape(shape)
                continue
            shape[k] = copies.get(datum, size)
            shape[0] = len(anchors) if datum in copies else 1
            rows[datum] = rng.integers(0, len(self.rows), size=shape)
        features: dict[str, Array] = {}
        for view in (*views, View("x"), View("x'", of=View("x"))):
            if view.name not in features:
                clean = self.rows[rows[view.datum]] @ W.T
                noise = 0.0 if view.moment == CROSS_MOMENT else self._noise(clean.shape, W, rng)
                features[view.name] = clean + noise
        axes = {datum: k for k, datum in enumerate(data)}
        halved = {axes[datum] for datum in others} | ({0} if twice == 2 else set())
        return Draw(loss, W, features, axes, {v.name: v for v in views}, frozenset(halved))

    def _noise(self, shape: tuple[int, ...], W: Array, rng: np.random.Generator) -> Array:
        # W e for standard Gaussian e of d0 entries, drawn in d1 dimensions: a square root of W W^T has the same law.
        root = np.linalg.cholesky(W @ W.T + 1e-14 * np.trace(W @ W.T) * np.eye(len(W)))
        return self.noise * rng.standard_normal(shape) @ root.T


@dataclass(frozen=True)
class Draw:
    """Representations of all views for one draw, at one W; `value` scales them to evaluate the loss at t W."""

    loss: Loss
    W: Array
    features: dict[str, Array]
    axes: dict[str, int]
    views: dict[str, View]
    halved: frozenset[int]

    def value(self, scale: float) -> float:
        """Return the loss at ``scale * W``, the O(1/K) bias of functions of a mean over K rows removed.

        With i.i.d. rows the bias is c / K + O(1/K^2), so twice the value less the mean over both halves has none.
        """
        whole = self._value(scale, None)
        return 2 * whole - (self._value(scale, 0) + self._value(scale, 1)) / 2 if self.halved else whole

    def _part(self, half: int | None) -> dict[str, Array]:
        """Return all rows, or the first or second half of them along every axis that is halved."""
        if half is None:
            return self.features
        features = {}
        for name, rows in self.features.items():
            for axis in self.halved:
                size = rows.shape[axis] // 2
                if size:
                    rows = np.take(rows, np.arange(size) + half * size, axis=axis)
            features[name] = rows
        return features

    def _value(self, scale: float, half: int | None) -> float:
        features = {name: scale * rows for name, rows in self._part(half).items()}
        x, xp = (features[name].reshape(-1, len(self.W)) for name in ("x", "x'"))
        P = (x.T @ x + xp.T @ xp) / (2 * len(x))
        M = (x.T @ xp + xp.T @ x) / (2 * len(x))
        # The noise of the two means is independent, so their product has no O(1/N) bias, as the square of one would.
        outer = np.outer(x.mean(axis=0), xp.mean(axis=0))
        return SampledExpression(features, self.axes, scale * self.W, P, M, (outer + outer.T) / 2).value(self.loss.expr)

    def mean_inner_products(self, moments: dict[str, Array]) -> list[float]:
        """Return, for every pair of views, the mean of f(u).f(v) on this draw less its exact expectation.

        To second order in W a sampled loss is a linear function of these, halves and all: they are its control variates.
        """
        whole = np.array(self._inner_products(moments, None))
        if not self.halved:
            return list(whole)
        halves = [np.array(self._inner_products(moments, half)) for half in (0, 1)]
        return list(2 * whole - sum(halves) / 2)

    def _inner_products(self, moments: dict[str, Array], half: int | None) -> list[float]:
        found = []
        features = self._part(half)
        names = sorted(features)
        data = {name: self.views[name].datum if name in self.views else "x" for name in names}
        for k, u in enumerate(names):
            for v in names[k:]:
                a, b = features[u], features[v]
                paired = data[u] == data[v] or (a.ndim > 1 and a.shape[0] == b.shape[0] > 1)
                d = a.shape[-1]
                if data[u] == data[v]:
                    kind = (
                        "Sigma" if u == v and (u not in self.views or self.views[u].moment == SECOND_MOMENT) else "A_0"
                    )
                    expected = float(np.sum((self.W @ moments[kind]) * self.W))
                else:
                    expected = 0.0
                if paired:
                    value = float(np.mean(np.einsum("...d,...d->...", a, b)))
                else:
                    value = float(a.reshape(-1, d).mean(axis=0) @ b.reshape(-1, d).mean(axis=0))
                found.append(value - expected)
        return found


def _is_linear_in_the_anchor(expr: sp.Expr) -> bool:
    """Whether a loss is a sum of expectations times scalars: no function of a mean over the anchor's rows."""
    for term in sp.Add.make_args(expr):
        _, factors = term.as_independent(Node, as_Add=False)
        if not isinstance(factors, (Expectation, WeightNorm)) and factors != 1:
            return False
    return True


def _totals(loss: Loss) -> Iterable[Total]:
    for node in loss.expr.atoms(Total):
        if not node.args[2].is_Integer:
            raise InputError(f"the number of negatives {node.args[2]} is a symbol; give it a value before sampling")
        yield node
