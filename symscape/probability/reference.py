"""The slow reference for expectations, with explicit numbers, every pairing of Gaussian legs written out.

No words and no matrices G = W^T W as letters: the features phi(u) are vectors of at most three coordinates, W and all
moments are explicit rational matrices, and an expectation of a product of coordinates is a sum over matchings,

    E[xi_1 ... xi_k] = sum over all ways to join some legs in pairs: prod over pairs of their covariance
                       * prod over legs left alone of their mean                     (Isserlis' theorem).

`expected_product` is that sum for inner products, index by index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

import sympy as sp
from sympy.polys.domains import QQ

from symscape.errors import InputError

#: Explicit numbers, by rows: nested sequences or arrays of Fractions.
Vector = Sequence[Any]
Matrix = Sequence[Vector]
#: One coordinate of the features of one view: (name of the view, index).
Leg = tuple[str, int]


def matchings(legs: Sequence[Any]) -> Iterator[tuple[list[tuple[Any, Any]], list[Any]]]:
    """Yield every way to join some legs in pairs, as (pairs, legs left alone).

    >>> [sum(1 for _, alone in matchings(range(2 * k)) if not alone) for k in (1, 2, 3)]
    [1, 3, 15]
    """
    if not legs:
        yield [], []
        return
    first, rest = legs[0], legs[1:]
    for pairs, alone in matchings(rest):
        yield pairs, [first, *alone]
    for k, partner in enumerate(rest):
        for pairs, alone in matchings([*rest[:k], *rest[k + 1 :]]):
            yield [(first, partner), *pairs], alone


@dataclass(frozen=True)
class ExplicitGaussian:
    """Jointly Gaussian views: ``covariances[u, v]`` is a matrix, ``means[u]`` a vector; absent ones are zero."""

    covariances: Mapping[tuple[str, str], Matrix]
    means: Mapping[str, Vector] = field(default_factory=dict)

    def moment(self, legs: Sequence[Leg]) -> Any:
        """Return E[product of coordinates].

        >>> ExplicitGaussian({("x", "x"): [[2]]}, {"x": [3]}).moment([("x", 0), ("x", 0)])
        11
        """
        return sum(
            prod(self._covariance(*pair) for pair in pairs) * prod(self._mean(leg) for leg in alone)
            for pairs, alone in matchings(legs)
        )

    def _covariance(self, first: Leg, second: Leg) -> Any:
        matrix = self.covariances.get((first[0], second[0]))
        return 0 if matrix is None else matrix[first[1]][second[1]]

    def _mean(self, leg: Leg) -> Any:
        return self.means[leg[0]][leg[1]] if leg[0] in self.means else 0


def expected_product(
    pairs: Sequence[tuple[str, str]], G: Matrix, law: ExplicitGaussian, given: Mapping[str, Vector] | None = None
) -> Any:
    """Return E[prod_k phi(u_k)^T G phi(v_k)] over pairs (u_k, v_k), by a sum over all feature indices.

    Views in ``given`` are fixed at explicit vectors: the expectation is conditional on them.

    >>> law = ExplicitGaussian({("x", "x"): [[1]]})
    >>> [expected_product([("x", "x")] * k, [[1]], law) for k in (1, 2, 3)]
    [1, 3, 15]
    """
    given = given or {}
    views = [view for pair in pairs for view in pair]
    moments: dict[tuple[Leg, ...], Any] = {}
    total: Any = 0
    for indices in product(range(len(G)), repeat=len(views)):
        factor: Any = prod(G[a][b] for a, b in zip(indices[::2], indices[1::2], strict=True))
        legs = []
        for view, a in zip(views, indices, strict=True):
            if view in given:
                factor = factor * given[view][a]
            else:
                legs.append((view, a))
        key = tuple(sorted(legs))
        if key not in moments:
            moments[key] = law.moment(key)
        total = total + factor * moments[key]
    return total


def rational(value: Any) -> Any:
    """Return a rational number as an element of QQ."""
    number = sp.sympify(value)
    number = number if number.is_Rational else sp.simplify(number)
    if not number.is_Rational:
        raise InputError(f"the reference needs rational numbers at W = 0; {value} is not one")
    return QQ.from_sympy(number)
