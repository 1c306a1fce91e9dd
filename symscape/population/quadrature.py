"""Nodes and weights for expectations over N(0, 1), and for datums with several views."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import factorial, prod
from typing import Any, NamedTuple

import mpmath
import numpy as np

from symscape.population.law import Law, square_root
from symscape.probability.views import View

Array = Any


class Line(NamedTuple):
    """Weights and nodes on the line, as object arrays of numbers."""

    weights: Array
    nodes: Array


def gauss_hermite(count: int) -> Line:
    """Return the rule for N(0, 1) that is exact for polynomials of degree 2 count - 1.

    The nodes are the eigenvalues of the Jacobi matrix of the Hermite polynomials (Golub and Welsch, 1969).
    """
    jacobi = mpmath.zeros(count)
    for k in range(1, count):
        jacobi[k, k - 1] = jacobi[k - 1, k] = mpmath.sqrt(k)
    values, vectors = mpmath.eigsy(jacobi)
    return Line(
        np.array([vectors[0, k] ** 2 for k in range(count)], dtype=object),
        np.array([values[k] for k in range(count)], dtype=object),
    )


def trapezoid(digits: int, level: int) -> Line:
    """Return equidistant nodes for N(0, 1), closer and reaching further with each level.

    For a function analytic in the strip |Im z| < a the error falls like e^(-2 pi a / step) (Trefethen and Weideman, 2014).
    """
    reach = mpmath.sqrt(2 * mpmath.log(10) * (digits + 4)) * mpmath.mpf("1.1") ** level
    step = mpmath.mpf("1.1") / mpmath.mpf("1.4") ** level
    half = int(reach / step) + 1
    nodes = np.array([step * (k + mpmath.mpf(1) / 3) for k in range(-half, half + 1)], dtype=object)
    weights = np.array([step * mpmath.npdf(z) for z in nodes], dtype=object)
    return Line(weights / weights.sum(), nodes)


def half_lines(digits: int, level: int) -> Line:
    """Return nodes for N(0, 1) that crowd at 0 from both sides, where the integrand may be singular.

    z = exp(u - e^{-u}) makes it double-exponential in u at both ends (Takahasi and Mori, 1974).
    """
    reach = mpmath.sqrt(2 * mpmath.log(10) * (digits + 4)) * mpmath.mpf("1.1") ** level
    step = mpmath.mpf("0.3") / mpmath.mpf("1.5") ** level
    lowest, highest = -mpmath.log(2.5 * (digits + 4)), mpmath.log(reach) + 1
    positions = [lowest + step * k for k in range(int((highest - lowest) / step) + 1)]
    positive = [mpmath.exp(u - mpmath.exp(-u)) for u in positions]
    slopes = [z * (1 + mpmath.exp(-u)) for z, u in zip(positive, positions, strict=True)]
    kept = [(z, step * slope * mpmath.npdf(z)) for z, slope in zip(positive, slopes, strict=True) if z < reach]
    nodes = np.array([sign * z for sign in (-1, 1) for z, _ in kept], dtype=object)
    weights = np.array([w for _ in range(2) for _, w in kept], dtype=object)
    return Line(weights / weights.sum(), nodes)


@dataclass(frozen=True)
class Nodes:
    """Weighted points of the views of one datum: ``points[view]`` is (nodes, d1), or (nodes, copies, d1) for copies."""

    weights: Array
    points: dict[View, Array]


def datum_nodes(law: Law, views: Sequence[View], line: Line) -> Nodes:
    """Return product nodes for the views of one datum, class by class."""
    d, weights, points = law.outputs, [], []
    for component in law.classes:
        root = square_root(component.joint(views))
        grids = np.meshgrid(*[np.arange(len(line.nodes))] * root.cols, indexing="ij")
        places = np.stack([g.ravel() for g in grids], axis=-1) if grids else np.zeros((1, 0), dtype=int)
        factor = np.array(root.tolist(), dtype=object).reshape(root.rows, root.cols)
        mean = np.array(list(component.mean) * len(views), dtype=object)
        points.append(line.nodes[places] @ factor.T + mean if root.cols else np.tile(mean, (1, 1)))
        weights.append(component.weight * np.prod(line.weights[places], axis=-1, initial=mpmath.mpf(1)))
    stacked = np.concatenate(points)
    return Nodes(np.concatenate(weights), {v: stacked[:, k * d : (k + 1) * d] for k, v in enumerate(views)})


def nodes_about_zero(law: Law, views: Sequence[View], line: Line) -> Nodes:
    """Return nodes for single outputs with mean zero whose lines stay at each view's own zero.

    Points of independent views, weighted by the density of the joint law relative to theirs.
    """
    (component,) = law.classes
    joint = component.joint(views)
    scales = [mpmath.sqrt(joint[k, k]) for k in range(len(views))]
    correlation = mpmath.matrix(
        [[joint[a, b] / (scales[a] * scales[b]) for b in range(len(views))] for a in range(len(views))]
    )
    tilt = np.array((correlation**-1 - mpmath.eye(len(views))).tolist(), dtype=object)
    places = np.stack([g.ravel() for g in np.meshgrid(*[np.arange(len(line.nodes))] * len(views))], axis=-1)
    z = line.nodes[places]
    exponent = -np.sum((z @ tilt) * z, axis=1) / 2
    density = np.frompyfunc(mpmath.exp, 1, 1)(exponent) / mpmath.sqrt(mpmath.det(correlation))
    weights = density * np.prod(line.weights[places], axis=1)
    return Nodes(weights, {v: (scales[k] * z[:, k])[:, None] for k, v in enumerate(views)})


def copies(nodes: Nodes, count: int) -> Nodes:
    """Return nodes of independent copies of a datum, for functions that do not depend on their order."""
    draws = list(combinations_with_replacement(range(len(nodes.weights)), count))
    orders = np.array(
        [factorial(count) // prod(map(factorial, Counter(draw).values())) for draw in draws], dtype=object
    )
    places = np.array(draws)
    weights = orders * np.prod(nodes.weights[places], axis=1)
    return Nodes(weights, {view: points[places] for view, points in nodes.points.items()})
