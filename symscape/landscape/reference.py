"""The slow reference for whole losses: L(tW) expanded in t with explicit numbers, without words.

A random quantity is a polynomial in the coordinates of every view, a function is its Taylor sum in powers, an expectation
replaces each monomial by its moment (`symscape.probability.reference`), n copies of a view are n views.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import factorial, prod
from typing import Any, NamedTuple

import sympy as sp
from sympy.polys.domains import QQ
from sympy.polys.rings import PolyElement, ring

from symscape.errors import InputError
from symscape.losses.language import Dot, Entry, Expectation, Node, OutputSum, SqDist, Total, WeightNorm, free_views
from symscape.probability.reference import ExplicitGaussian, Leg, Matrix, Vector, rational
from symscape.probability.views import View, anchor, covariance_letter, positive


@dataclass(frozen=True)
class ExplicitComponent:
    """One component of the data: its weight, covariances about its mean by letter (Sigma, A_0), and its mean."""

    covariances: Mapping[str, Matrix]
    mean: Vector | None = None
    weight: Any = 1


def loss_series(
    expr: sp.Expr,
    W: Matrix,
    components: Sequence[ExplicitComponent],
    order: int,
    given: Mapping[str, Vector] | None = None,
) -> list[sp.Expr]:
    """Return the coefficients of t^0, t^2, ..., t^order of the loss expression at the weights t W, exactly.

    ``given`` fixes views that stay free at explicit feature vectors. The expression holds numbers only, chosen so that
    what multiplies a series is rational at W = 0 (epsilon = 1/4, not 1/3); the value at t = 0 may be any constant.
    Raises InputError when it is not rational, when free views and given ones differ, when a number of copies is a symbol.

    >>> from symscape.losses.infonce import InfoNCE
    >>> loss_series(InfoNCE(tau=1).expr, [[1]], [ExplicitComponent({"Sigma": [[2]], "A_0": [[1]]})], order=4)
    [0, -1, 3]
    """
    given = given or {}
    free = {view.name for view in free_views(expr)}
    if free != set(given):
        raise InputError(f"loss_series(..., given={sorted(given)}): the views that stay free are {sorted(free)}")
    expansion = _LossSeries(expr, W, components, order // 2)
    result = expansion.expand(expr, {})
    return [result.origin, *(expansion.value(part, given) for part in result.parts)]


class _Series(NamedTuple):
    """A power series in t^2: its value at t = 0 and the coefficients of t^2, t^4, ..., polynomials in coordinates."""

    origin: sp.Expr
    parts: list[PolyElement]


class _LossSeries:
    """Expands one loss; ``at`` says which copy of a view is meant, and which output an index stands for."""

    def __init__(self, expr: sp.Expr, W: Matrix, components: Sequence[ExplicitComponent], half: int):
        self.W, self.half, self.components = W, half, components
        self.indices = range(len(W[0]))
        self.gram = [[rational(sum(row[a] * row[b] for row in W)) for b in self.indices] for a in self.indices]
        self.copies = dict.fromkeys(sorted({anchor, positive, *expr.atoms(View)}, key=str), 1)
        for node in expr.atoms(Total):
            if not node.args[2].is_Integer:
                raise InputError(f"loss_series: {node} has {node.args[2]} copies; substitute a number")
            self.copies[node.args[1]] = max(self.copies[node.args[1]], int(node.args[2]))
        names = [(v, k, a) for v in self.copies for k in range(self.copies[v]) for a in self.indices]
        self.ring, *generators = ring([f"{v}_{k}_{a}" for v, k, a in names], QQ)
        self.place = {name: position for position, name in enumerate(names)}
        self.coordinate = dict(zip(names, generators, strict=True))
        pairs = [(u, v, s) for u, v in product(self.copies, repeat=2) if (s := covariance_letter(u, v)) is not None]
        self.laws = [
            ExplicitGaussian(
                {(u.name, v.name): component.covariances[letter] for u, v, letter in pairs},
                {v.name: component.mean for v in self.copies if component.mean is not None},
            )
            for component in components
        ]
        self.moments: dict[tuple[Leg, ...], Any] = {}

    def expand(self, expr: sp.Expr, at: Mapping[Any, int]) -> _Series:
        """Return the series of an expression."""
        if not expr.has(Node):
            return _Series(expr, [self.ring.zero] * self.half)
        if isinstance(expr, SqDist):
            return self.expand(expr.expand(func=True), at)
        if isinstance(expr, (Dot, Entry, WeightNorm)):
            return _Series(sp.S.Zero, [self._leaf(expr, at), *[self.ring.zero] * (self.half - 1)])
        if isinstance(expr, Expectation):
            return self._integrated(self.expand(expr.args[0], at), expr.args[1:])
        if isinstance(expr, Total):
            summand, view, n = expr.args
            return self._sum([self.expand(summand, {**at, view: k}) for k in range(int(n))])
        if isinstance(expr, OutputSum):
            summand, distinct, *names = expr.args
            every = product(range(len(self.W)), repeat=len(names))
            chosen = [v for v in every if not distinct or len(set(v)) == len(v)]
            return self._sum([self.expand(summand, {**at, **dict(zip(names, v, strict=True))}) for v in chosen])
        if expr.is_Pow:
            if expr.exp.has(Node):
                raise InputError(f"loss_series: write {expr} as an exponential")
            return self._function(lambda v: v**expr.exp, self.expand(expr.base, at))
        children = [self.expand(argument, at) for argument in expr.args]
        if expr.is_Add:
            return self._sum(children)
        if expr.is_Mul:
            return reduce(self._times, children)
        kinks = len({child.origin for child in children}) < len(children)
        if kinks or (isinstance(expr, (sp.Abs, sp.sign)) and children[0].origin == 0):
            raise InputError(f"loss_series: {expr} has a kink at W = 0")
        if isinstance(expr, (sp.Max, sp.Min)):
            return (max if isinstance(expr, sp.Max) else min)(children, key=lambda child: child.origin)
        return self._function(expr.func, children[0])

    def value(self, part: PolyElement, given: Mapping[str, Vector]) -> sp.Rational:
        """Return a coefficient with the coordinates that are left at their given values."""
        total = QQ(0)
        for powers, number in part.terms():
            left = ((view, a, power) for (view, _, a), power in zip(self.place, powers, strict=True) if power)
            total += number * prod(rational(given[view.name][a]) ** power for view, a, power in left)
        return QQ.to_sympy(total)

    def _leaf(self, expr: sp.Expr, at: Mapping[Any, int]) -> PolyElement:
        """Return f(u).f(v), ||W||^2, or E[f_i(x) f_j(u)] with u = x for P and x' for M, less E[f_i] E[f_j] if centred."""
        pairs = list(product(self.indices, repeat=2))
        if isinstance(expr, Dot):
            (u, k), (v, m) = ((view, at.get(view, 0)) for view in expr.args)
            terms = (self.coordinate[u, k, a] * self.gram[a][b] * self.coordinate[v, m, b] for a, b in pairs)
            return sum(terms, self.ring.zero)
        if isinstance(expr, WeightNorm):
            return self.ring.one * sum(self.gram[a][a] for a in self.indices)
        (first, second), (i, j) = ("x", "x" if expr.kind == "P" else "x'"), (at[index] for index in expr.args[1:3])
        total = self.ring.zero
        for a, b in pairs:
            moment = self._moment(((first, a), (second, b)))
            if expr.centred:
                moment = moment - self._moment(((first, a),)) * self._moment(((second, b),))
            total += rational(self.W[i][a] * self.W[j][b]) * moment
        return total

    # Algebra

    def _sum(self, terms: Sequence[_Series]) -> _Series:
        parts = [sum((term.parts[k] for term in terms), self.ring.zero) for k in range(self.half)]
        return _Series(sp.Add(*(term.origin for term in terms)), parts)

    def _times(self, left: _Series, right: _Series) -> _Series:
        parts = [self.ring.zero] * self.half
        for this, other in ((left, right), (right, left)):
            if any(other.parts):
                parts = [p + q * rational(this.origin) for p, q in zip(parts, other.parts, strict=True)]
        for i, j in product(range(self.half), repeat=2):
            if i + j + 1 < self.half:
                parts[i + j + 1] += left.parts[i] * right.parts[j]
        return _Series(left.origin * right.origin, parts)

    def _function(self, function: Any, u: _Series) -> _Series:
        """f(c + u) = sum over k of f^(k)(c) u^k / k!, term by term."""
        v = sp.Dummy("v", real=True)
        small = _Series(sp.S.Zero, u.parts)
        power, derivative = _Series(sp.S.One, [self.ring.zero] * self.half), function(v)
        total = _Series(sp.sympify(function(u.origin)), [self.ring.zero] * self.half)
        for k in range(1, self.half + 1 if any(u.parts) else 1):
            power, derivative = self._times(power, small), sp.diff(derivative, v)
            coefficient = rational(derivative.subs(v, u.origin) / factorial(k))
            total = self._sum([total, _Series(sp.S.Zero, [part * coefficient for part in power.parts])])
        return total

    # Expectation

    def _integrated(self, series: _Series, views: Sequence[View]) -> _Series:
        """Copies of a view are independent of one another, and so are views of different data."""
        groups: dict[tuple[str, int], list[tuple[int, Leg]]] = {}
        for (view, k, a), position in self.place.items():
            if view in views:
                groups.setdefault((view.datum, k), []).append((position, (view.name, a)))
        inside = {position for group in groups.values() for position, _ in group}
        parts = []
        for part in series.parts:
            terms: dict[tuple[int, ...], Any] = {}
            for powers, value in part.terms():
                for group in groups.values():
                    value = value * self._moment(tuple(leg for position, leg in group for _ in range(powers[position])))
                outside = tuple(0 if position in inside else power for position, power in enumerate(powers))
                terms[outside] = terms.get(outside, QQ(0)) + value
            parts.append(self.ring.from_dict({powers: value for powers, value in terms.items() if value}))
        return _Series(series.origin, parts)

    def _moment(self, legs: tuple[Leg, ...]) -> Any:
        if legs not in self.moments:
            weighted = zip(self.components, self.laws, strict=True)
            self.moments[legs] = rational(sum(component.weight * law.moment(legs) for component, law in weighted))
        return self.moments[legs]
