"""The value of a loss expression, or its power series in t^2, with expectations by quadrature or in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from math import comb, prod
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from symscape.errors import InputError
from symscape.losses.language import (
    Dot,
    Entry,
    Expectation,
    Node,
    OutputSum,
    SqDist,
    Total,
    WeightNorm,
    d_1,
    free_views,
)
from symscape.population.gaussian_exponential import expectation_of_exponential
from symscape.population.jet import Jet, apply, constant
from symscape.population.law import ClassLaw, Law, number
from symscape.population.quadrature import Line, Nodes, copies, datum_nodes, gauss_hermite, nodes_about_zero
from symscape.probability.views import CROSS_MOMENT, SECOND_MOMENT, View

#: Points of one expectation, times those of the expectations around it: what a minute or so allows.
MOST_POINTS = 400_000


class TooManyPoints(Exception):
    """An expectation needs more points than are affordable."""


@dataclass(frozen=True)
class Context:
    """Points of the views that are free here: d1 arrays each, one axis per datum around; views summed over copies."""

    points: Mapping[View, Sequence[Any]] = field(default_factory=dict)
    copies: Mapping[str, tuple[int, Nodes]] = field(default_factory=dict)
    axes: int = 0
    size: int = 1

    def with_axes(self, more: int) -> dict[View, Sequence[Any]]:
        """Return the points with further axes of length 1."""
        return {v: [a.reshape(a.shape + (1,) * more) for a in arrays] for v, arrays in self.points.items()}


class Evaluation:
    """Evaluates expressions for one law: as values (``length`` 1) or as series in s to s^(length - 1).

    ``line`` makes the nodes for what is no polynomial in inner products; a series needs polynomials only. ``about_zero``: the
    line is made for integrands that are singular where a representation is zero. ``most``: points per expectation.
    """

    def __init__(
        self,
        law: Law,
        length: int,
        line: Callable[[], Line] | None = None,
        about_zero: bool = False,
        most: int = MOST_POINTS,
    ):
        self.law, self.length, self._line, self._about_zero, self._most = law, length, line, about_zero, most
        self.approximate = False
        self._lines: dict[int, Line] = {}
        self._nodes: dict[Any, Nodes] = {}

    def value(self, expr: sp.Expr, context: Context, indices: Mapping[str, int]) -> Jet:
        """Return the value of an expression where some views and output indices are given."""
        if isinstance(expr, Dot):
            u, v = (context.points[view] for view in self._known(expr, context))
            return self._quadratic(sum(a * b for a, b in zip(u, v, strict=True)))
        if isinstance(expr, SqDist):
            u, v = (context.points[view] for view in self._known(expr, context))
            return self._quadratic(sum((a - b) ** 2 for a, b in zip(u, v, strict=True)))
        if isinstance(expr, Expectation):
            return self._expectation(expr.args[0], expr.args[1:], context, indices)
        if isinstance(expr, Total):
            return self._total(expr, context, indices)
        if isinstance(expr, WeightNorm):
            return self._quadratic(self.law.weight_norm)
        if isinstance(expr, OutputSum):
            inner, distinct, *names = expr.args
            places = product(range(self.law.outputs), repeat=len(names))
            chosen = [p for p in places if not distinct or len(set(p)) == len(p)]
            named = ({index.name: k for index, k in zip(names, p, strict=True)} for p in chosen)
            return _sum([self.value(inner, context, {**indices, **n}) for n in named], self.length)
        if isinstance(expr, Entry):
            i, j = (indices[index.name] for index in expr.args[1:3])
            letter = {"P": SECOND_MOMENT, "M": CROSS_MOMENT}[expr.kind]
            return self._quadratic(self.law.second_moment(letter, expr.centred)[i, j])
        if not expr.has(Node, d_1):
            return constant(number(expr), self.length)
        if expr == d_1:
            return constant(mpmath.mpf(self.law.outputs), self.length)
        if expr.is_Pow and expr.exp.is_Integer:
            base = self.value(expr.base, context, indices)
            return apply(expr, [base, constant(number(expr.exp), self.length)])
        arguments = [self.value(argument, context, indices) for argument in expr.args]
        if expr.is_Add:
            return _sum(arguments, self.length)
        if expr.is_Mul:
            found = arguments[0]
            for argument in arguments[1:]:
                found = found * argument
            return found
        return apply(expr, arguments)

    def _quadratic(self, value: Any) -> Jet:
        return Jet([value]) if self.length == 1 else Jet([None, value] + [None] * (self.length - 2))

    @staticmethod
    def _known(expr: sp.Expr, context: Context) -> Sequence[View]:
        for view in expr.args:
            if view not in context.points:
                raise InputError(f"{expr}: the view {view} is summed over copies; use it inside that sum only")
        return expr.args

    # Expectations

    def _expectation(self, body: sp.Expr, views: Sequence[View], context: Context, indices: Mapping[str, int]) -> Jet:
        """Term by term: factors without the integrated views stand outside, and only views that occur are integrated."""
        found = []
        for term in sp.Add.make_args(body):
            inside = [f for f in sp.Mul.make_args(term) if free_views(f) & set(views)]
            outside = [f for f in sp.Mul.make_args(term) if not free_views(f) & set(views)]
            mean = self._mean(sp.Mul(*inside), views, context, indices) if inside else None
            factor = self.value(sp.Mul(*outside), context, indices)
            found.append(factor if mean is None else factor * mean if outside else mean)
        return _sum(found, self.length)

    def _mean(self, body: sp.Expr, views: Sequence[View], context: Context, indices: Mapping[str, int]) -> Jet:
        occurring = [view for view in views if view in free_views(body)]
        if self.length == 1:
            closed = expectation_of_exponential(body, occurring, context.points, self.law)
            if closed is not None:
                return Jet([closed])
        groups = self._groups(body, occurring)
        size = context.size * prod(len(nodes.weights) for nodes in groups.values())
        if size > self._most:
            raise TooManyPoints(f"{size} points")
        points, repeated = context.with_axes(len(groups)), dict(context.copies)
        for k, (datum, nodes) in enumerate(groups.items()):
            shape = [1] * (context.axes + len(groups))
            shape[context.axes + k] = len(nodes.weights)
            if next(iter(nodes.points.values())).ndim == 3:
                repeated[datum] = (context.axes + k, nodes)
            else:
                points |= {v: [p[:, i].reshape(shape) for i in range(p.shape[1])] for v, p in nodes.points.items()}
        inner = self.value(body, Context(points, repeated, context.axes + len(groups), size), indices)
        for nodes in reversed(list(groups.values())):
            inner = inner.map(partial(_average, weights=nodes.weights))
        return inner

    def _groups(self, body: sp.Expr, views: Sequence[View]) -> dict[str, Nodes]:
        """Return nodes by datum."""
        line = self._line_for(body)
        if self.length == 1 and len(self.law.classes) == 1 and not self._about_zero and _is_of_distances(body, views):
            return {"": self._differences(views, line)}
        groups: dict[str, list[View]] = {}
        for view in views:
            groups.setdefault(view.datum, []).append(view)
        numbers = {node.args[1].datum: int(node.args[2]) for node in body.atoms(Total)}
        found, size = {}, 1
        for datum, members in groups.items():
            count = numbers.get(datum, 1)
            each = len(line.nodes) ** (len(members) * self.law.outputs) * len(self.law.classes)
            size *= comb(each + count - 1, count)
            if size > self._most:
                raise TooManyPoints(f"{size} points")
            key = (tuple(members), len(line.nodes), line.nodes[0], count if datum in numbers else None)
            if key not in self._nodes:
                singular = self._about_zero and degree_in_products(body) is None
                nodes = (nodes_about_zero if singular else datum_nodes)(self.law, members, line)
                self._nodes[key] = copies(nodes, count) if datum in numbers else nodes
            found[datum] = self._nodes[key]
        return found

    def _differences(self, views: Sequence[View], line: Line) -> Nodes:
        """Distances do not see a shift: put the first view at 0, and the others at their differences from it."""
        first, *others = views
        (component,) = self.law.classes
        d, joint = self.law.outputs, component.joint(views)
        change = mpmath.zeros((len(views) - 1) * d, len(views) * d)
        for k in range(change.rows):
            change[k, k % d], change[k, k + d] = -1, 1
        if len(line.nodes) ** change.rows > self._most:
            raise TooManyPoints(f"{len(line.nodes)}^{change.rows} points")
        names = [View(f"difference{k}") for k in range(len(others))]
        stacked = _Stacked(mpmath.mpf(1), change * joint * change.T, [mpmath.mpf(0)] * d)
        nodes = datum_nodes(Law((stacked,), 0), names, line)
        points = {view: nodes.points[name] for view, name in zip(others, names, strict=True)}
        zero = np.full((len(nodes.weights), d), mpmath.mpf(0), dtype=object)
        return Nodes(nodes.weights, {first: zero, **points})

    def _line_for(self, body: sp.Expr) -> Line:
        degree = self.length - 1 if self.length > 1 else degree_in_products(body)
        if degree is None:
            self.approximate = True
            degree = -1
        if degree not in self._lines:
            if degree == -1 and self._line is not None:
                self._lines[degree] = self._line()
            else:
                self._lines[degree] = gauss_hermite(degree + 1)
        return self._lines[degree]

    def _total(self, expr: Total, context: Context, indices: Mapping[str, int]) -> Jet:
        inner, view, count = expr.args
        if view.datum not in context.copies:
            raise InputError(f"{expr}: the expectation over {view} stands inside the sum over its copies")
        axis, nodes = context.copies[view.datum]
        points = context.with_axes(1)
        for copied, arrays in nodes.points.items():
            shape = [1] * context.axes + [arrays.shape[1]]
            shape[axis] = arrays.shape[0]
            points[copied] = [arrays[:, :, i].reshape(shape) for i in range(arrays.shape[2])]
        rest = {datum: place for datum, place in context.copies.items() if datum != view.datum}
        values = self.value(inner, Context(points, rest, context.axes + 1, context.size), indices)

        def added(coefficient: Any) -> Any:
            if isinstance(coefficient, np.ndarray) and coefficient.shape[-1] == int(count):
                return coefficient.sum(axis=-1)
            return int(count) * (coefficient[..., 0] if isinstance(coefficient, np.ndarray) else coefficient)

        return values.map(added)


@dataclass(frozen=True)
class _Stacked(ClassLaw):
    """A class whose views have one given joint covariance."""

    def joint(self, views: Sequence[View]) -> Any:
        return self.covariances


def degree_in_products(expr: sp.Expr) -> int | None:
    """Return the degree of an expression as a polynomial in inner products, None when it is none."""
    if isinstance(expr, (Dot, SqDist)):
        return 1
    if not free_views(expr):
        return 0
    if isinstance(expr, (Total, Expectation)):
        return degree_in_products(expr.args[0])
    degrees = [degree_in_products(a) for a in expr.args]
    known = [d for d in degrees if d is not None]
    if len(known) < len(degrees):
        return None
    if expr.is_Add:
        return max(known)
    if expr.is_Mul:
        return sum(known)
    if expr.is_Pow and expr.exp.is_Integer and expr.exp >= 0:
        return known[0] * int(expr.exp)
    return None


def _is_of_distances(body: sp.Expr, views: Sequence[View]) -> bool:
    """Whether views enter through distances alone, at least one view can be fixed, and every free view is integrated."""
    return len(views) > 1 and not body.has(Dot, Expectation, Total, OutputSum) and free_views(body) == set(views)


def _sum(jets: Sequence[Jet], length: int) -> Jet:
    found = Jet([None] * length)
    for jet in jets:
        found = found + jet
    return found


def _average(values: Any, weights: Any) -> Any:
    """The mean over the last axis; over no axis at all where the values do not depend on it."""
    if not isinstance(values, np.ndarray):
        return values
    return np.dot(values, weights) if values.shape[-1] == len(weights) else values[..., 0]
