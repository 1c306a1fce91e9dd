"""The value of a loss expression on samples: every expectation a mean over the rows that were drawn.

Each datum has an axis of its own; the views of one datum share it, row by row, and independent data broadcast against
each other. Plain and general: it serves any expression of the language, and holds all pairs in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.losses.language import Dot, Entry, Expectation, OutputSum, SqDist, Total, WeightNorm, d_1
from symscape.probability.views import View

Array = NDArray[np.float64]


class SampledExpression:
    """Evaluates expressions on representations: ``views[name]`` has shape (axis sizes..., d1), ``axes[datum]`` its axis.

    ``P`` and ``M`` are the sample's second moments of the representation, d1 x d1, and ``mean_outer`` the product of its
    mean with itself, which centring subtracts.
    """

    def __init__(
        self, views: Mapping[str, Array], axes: Mapping[str, int], W: Array, P: Array, M: Array, mean_outer: Array
    ):
        self.views, self.axes, self.W = dict(views), dict(axes), W
        self.moments = {"P": P, "M": M}
        self.mean_outer = mean_outer

    def value(self, expr: sp.Expr) -> float:
        """Return the value of an expression in which every view is integrated."""
        return float(np.squeeze(self._value(expr, {})))

    def inner_product(self, u: View, v: View) -> Array:
        """Return f(u).f(v) on the rows that were drawn."""
        a, b = self.views[u.name], self.views[v.name]
        if a.ndim == b.ndim == 3 and a.shape[1] == 1 and b.shape[0] == 1:
            return a[:, 0] @ b[0].T
        return np.einsum("...d,...d->...", a, b)

    def _value(self, expr: sp.Expr, indices: dict[str, int]) -> Any:
        if isinstance(expr, Dot):
            return self.inner_product(*expr.args)
        if isinstance(expr, SqDist):
            return self._value(expr.as_dots(), indices)
        if isinstance(expr, Expectation):
            axes = tuple(sorted({self.axes[view.datum] for view in expr.args[1:]}))
            return np.mean(self._value(expr.args[0], indices), axis=axes, keepdims=True)
        if isinstance(expr, Total):
            return np.sum(self._value(expr.args[0], indices), axis=self.axes[expr.args[1].datum], keepdims=True)
        if isinstance(expr, WeightNorm):
            return np.sum(self.W**2)
        if isinstance(expr, OutputSum):
            return self._output_sum(expr)
        if isinstance(expr, Entry):
            return self._entry(expr, indices)
        if expr == d_1:
            return float(len(self.W))
        if not expr.args:
            if not expr.is_number:
                raise InputError(f"the parameter {expr} has no value; give it one before sampling")
            return float(expr)
        arguments = [self._value(argument, indices) for argument in expr.args]
        if expr.is_Add:
            return sum(arguments[1:], start=arguments[0])
        if expr.is_Mul:
            result = arguments[0]
            for argument in arguments[1:]:
                result = result * argument
            return result
        if expr.is_Pow:
            return np.power(arguments[0], arguments[1])
        if isinstance(expr, (sp.Max, sp.Min)):
            return (np.maximum if isinstance(expr, sp.Max) else np.minimum).reduce(np.broadcast_arrays(*arguments))
        simple = {sp.exp: np.exp, sp.log: np.log}.get(expr.func)
        if simple is None:
            dummies = sp.symbols(f"u:{len(arguments)}")
            simple = sp.lambdify(dummies, expr.func(*dummies), "numpy")
        return simple(*arguments)

    def _output_sum(self, expr: OutputSum) -> float:
        inner, distinct, *names = expr.args
        size = len(self.W)
        indices = {index.name: k for k, index in enumerate(names)}
        values = np.broadcast_to(self._value(inner, indices), (size,) * len(names))
        if distinct:
            grids = np.indices(values.shape)
            keep = np.ones(values.shape, dtype=bool)
            for a in range(len(names)):
                for b in range(a):
                    keep &= grids[a] != grids[b]
            values = values[keep]
        return float(np.sum(values))

    def _entry(self, expr: Entry, indices: dict[str, int]) -> Array:
        moment = self.moments[expr.kind]
        if expr.centred:
            moment = moment - self.mean_outer
        first, second = (indices[index.name] for index in expr.args[1:3])
        if first == second:
            shape = [1] * len(indices)
            shape[first] = len(moment)
            return np.diagonal(moment).reshape(shape)
        shape = [1] * len(indices)
        shape[first] = shape[second] = len(moment)
        return (moment if first < second else moment.T).reshape(shape)
