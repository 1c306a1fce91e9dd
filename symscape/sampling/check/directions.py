"""Where a check looks: weights W in which every term of a landscape has its share, and multiples t of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.landscape.landscape import Landscape
from symscape.programs.landscape_function import LandscapeFunction, argument_name
from symscape.sampling.check.populations import Population
from symscape.typesetting.text import polynomial_text

Array = NDArray[np.float64]

#: Random weights to choose from, and how many are chosen at most.
CANDIDATES, MOST_DIRECTIONS = 400, 4
#: A direction more is taken only if it makes the least share of a term larger by this factor.
WORTH_IT = 1.2


def value(function: LandscapeFunction, W: Array, arguments: Mapping[str, Any], kappa: Any = None) -> Any:
    """Return a landscape's function at W, given moments that it may not need."""
    needed = {argument_name(name) for name in function.letters} | set(function.vectors) | {"mean"}
    needed |= {argument_name(str(symbol)) for symbol in function.parameters}
    given = {k: v for k, v in arguments.items() if k in needed and (k != "mean" or function.meaning.has_mean)}
    return function(W, **given, **({"kappa": kappa} if kappa is not None else {}))


class Terms:
    """The terms of a landscape one by one, constants apart."""

    def __init__(self, land: Landscape):
        terms, meaning = land.display
        kept = [(m, c) for m, c in terms if land.degree_of(m)]
        self.texts = [polynomial_text([(m, sp.S.One)], meaning) for m, _ in kept]
        self.degrees = [land.degree_of(m) for m, _ in kept]
        self._functions = [LandscapeFunction("term", [term], meaning) for term in kept]
        self._cumulants = [any(g[0].startswith("cumulant") for g in m) for m, _ in kept]

    def at(self, W: Array, population: Population) -> Array:
        """Return the value of every term at W, or at every W of a batch: shape (terms, ...)."""
        found = []
        for function, has_cumulants in zip(self._functions, self._cumulants, strict=True):
            kappa = population.cumulants if has_cumulants else None
            if has_cumulants and W.ndim == 3:
                found.append(np.array([value(function, w, population.arguments, kappa) for w in W]))
            else:
                found.append(value(function, W, population.arguments, kappa))
        return np.array(found)


def directions(terms: Terms, population: Population, d1: int, rng: np.random.Generator) -> list[Array]:
    """Return a few W with Tr P = 1, chosen so that every term is a good share of its homogeneous part in one of them."""
    pool = _candidates(population, d1, rng)
    if not terms.degrees:
        return [pool[0]]
    sizes = np.abs(terms.at(pool, population))
    degrees = np.array(terms.degrees)
    totals = np.stack([sizes[degrees == d].sum(axis=0) for d in degrees])
    shares = np.divide(sizes, totals, out=np.zeros_like(sizes), where=totals > 0)
    seen, chosen = np.zeros(len(shares)), list[int]()
    while len(chosen) < MOST_DIRECTIONS:
        together = np.maximum(shares, seen[:, None])
        # The least share first, and their geometric mean where that is no better.
        least = together.min(axis=0)
        best = int(np.argmax(least + 1e-3 * np.exp(np.mean(np.log(together + 1e-300), axis=0))))
        if chosen and least[best] < WORTH_IT * seen.min():
            break
        chosen.append(best)
        seen = together[:, best]
    return [pool[k] for k in chosen]


def _candidates(population: Population, d1: int, rng: np.random.Generator) -> Array:
    """Random W of different effective rank, along random, strong and strongly correlated features; Tr P = 1."""
    moments = population.moments
    Sigma, A0 = moments["Sigma"], moments["A0"]
    d0 = len(Sigma)
    values, vectors = np.linalg.eigh(Sigma)
    kept = values > 1e-9 * values[-1]
    white = vectors[:, kept] / np.sqrt(values[kept])
    _, modes = np.linalg.eigh(white.T @ A0 @ white)
    canonical = (white @ modes)[:, ::-1].T
    found = []
    for k in range(CANDIDATES):
        if k % 4 == 0:
            W = rng.standard_normal((d1, d0))
        else:
            first = rng.integers(0, max(1, len(canonical) - d1 + 1)) if k % 4 == 1 else 0
            modes_used = canonical[first : first + max(d1, 1 + int(rng.integers(0, 2 * d1)))]
            W = rng.standard_normal((d1, len(modes_used))) @ modes_used
            if k % 4 == 3 and len(modes_used) >= d1:  # equal in all outputs
                W = np.linalg.qr(rng.standard_normal((d1, d1)))[0] @ modes_used[:d1]
        W = rng.uniform(0.05, 1, size=(d1, 1)) ** (k % 3) * W
        found.append(W / np.sqrt(np.trace(W @ Sigma @ W.T)))
    return np.array(found)


def scales(ratios: Sequence[float], quadratic: float, quartic: float) -> list[float]:
    """Return the t at which the quartic part is a given fraction of the quadratic part, or of 1 where one of them is zero."""
    typical = abs(quadratic / quartic) if quadratic and quartic else 1.0
    return [float(np.sqrt(ratio * typical)) for ratio in ratios]
