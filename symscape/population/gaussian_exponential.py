"""E exp(quadratic form) over Gaussian views in closed form, given the views that stay free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from symscape.errors import InputError
from symscape.losses.language import Dot, SqDist
from symscape.population.law import Law, number, square_root
from symscape.probability.views import View


def expectation_of_exponential(
    body: sp.Expr, views: Sequence[View], points: Mapping[View, Sequence[Any]], law: Law
) -> Any:
    """Return E over ``views`` of exp(sum of multiples of inner products), over nodes of the others; None for other bodies.

    With z = m + R xi stacking the integrated views, xi standard, the exponent z^T A z / 2 + z^T b + c gives

        E = det(G)^{-1/2} exp( beta^T G^{-1} beta / 2 + m^T A m / 2 + m^T b + c ),   G = 1 - R^T A R,  beta = R^T (b + A m).

    Raises InputError where G is not positive definite: the expectation is infinite.
    """
    if not isinstance(body, sp.exp):
        return None
    weights = _coefficients(body.args[0])
    if weights is None or not all(v in views or v in points for pair in weights for v in pair):
        return None
    d, order = law.outputs, {view: k for k, view in enumerate(views)}
    A = mpmath.zeros(len(views) * d)
    b: list[Any] = [mpmath.mpf(0)] * (len(views) * d)
    c: Any = mpmath.mpf(0)
    for (u, v), weight in weights.items():
        inside = [view for view in (u, v) if view in order]
        for i in range(d):
            if len(inside) == 2:
                p, q = order[u] * d + i, order[v] * d + i
                A[p, q] += weight
                A[q, p] += weight
            elif inside:
                other = v if u in order else u
                b[order[inside[0]] * d + i] = b[order[inside[0]] * d + i] + weight * points[other][i]
            else:
                c = c + weight * points[u][i] * points[v][i]
    data = list(dict.fromkeys(view.datum for view in views))
    total: Any = mpmath.mpf(0)
    for classes in product(law.classes, repeat=len(data)):
        chosen = dict(zip(data, classes, strict=True))
        share = mpmath.fprod(component.weight for component in classes)
        total = total + share * _of_class(body, views, chosen, A, b, d) * np.frompyfunc(mpmath.exp, 1, 1)(c)
    return total


def _of_class(body: sp.Expr, views: Sequence[View], chosen: Mapping[str, Any], A: Any, b: list[Any], d: int) -> Any:
    joint = mpmath.zeros(len(views) * d)
    for datum, component in chosen.items():
        places = [k for k, view in enumerate(views) if view.datum == datum]
        own = component.joint([views[k] for k in places])
        for p, k in enumerate(places):
            for q, l in enumerate(places):
                for i, j in product(range(d), repeat=2):
                    joint[k * d + i, l * d + j] = own[p * d + i, q * d + j]
    mean = mpmath.matrix([m for view in views for m in chosen[view.datum].mean])
    root = square_root(joint)
    Am = A * mean
    exponent: Any = (mean.T * Am)[0] / 2
    for k in range(len(b)):
        exponent = exponent + mean[k] * b[k]
    if not root.cols:
        return np.frompyfunc(mpmath.exp, 1, 1)(exponent)
    G = mpmath.eye(root.cols) - root.T * A * root
    values, vectors = mpmath.eigsy(G)
    if min(values) <= 0:
        raise InputError(f"E {body} is infinite: the covariance is too large for this exponential")
    for k in range(root.cols):
        direction = root * vectors[:, k]
        along: Any = mpmath.mpf(0)
        for p in range(len(b)):
            along = along + direction[p] * (b[p] + Am[p])
        exponent = exponent + along**2 / (2 * values[k])
    return np.frompyfunc(mpmath.exp, 1, 1)(exponent) / mpmath.sqrt(mpmath.fprod(values))


def _coefficients(exponent: sp.Expr) -> dict[tuple[View, View], Any] | None:
    """Return the numbers that multiply inner products in a linear combination of them, None for anything else."""
    found: dict[tuple[View, View], Any] = {}
    for term in sp.Add.make_args(sp.expand(exponent)):
        factor, node = term.as_independent(Dot, SqDist, as_Add=False)
        if not isinstance(node, (Dot, SqDist)) or not factor.is_number:
            return None
        for inner in sp.Add.make_args(node.as_dots() if isinstance(node, SqDist) else node):
            times, pair = inner.as_coeff_Mul()
            u, v = pair.args
            found[u, v] = found.get((u, v), mpmath.mpf(0)) + number(factor * times)
    return found
