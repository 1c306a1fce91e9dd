"""An independent witness that a polynomial in words is zero: its value at a random point modulo a random prime.

At a random point every word is a number: letters are random symmetric matrices, W and the vectors are random, and so
are the parameters. A non-zero polynomial of degree D vanishes there with probability at most D/p (Schwartz and Zippel),
and p > 2^60. The matrices are large enough that words obey no relation of their own: traces and index sums whose graphs
have k vertices in all are independent polynomials once W has k rows.

Roots modulo p: the prime is p = 2 m + 1 with m odd. The squares modulo p form a group of order m, on which
x -> x^{1/q} is a homomorphism for every q coprime to m, as the positive real root is. Parameters are drawn among the
squares, and the point is drawn again until every irreducible factor of a radicand is one. Exponentials, powers with
a symbol in the exponent, logarithms of irreducible arguments and all other constants are independent residues: exp(2 b)
is the square of the one for exp(b).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import gcd, prod
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.algebra.words import IDENTITY, Generator, Monomial

#: How often a point is drawn again before giving up; each radicand that must be a square doubles the expected number.
ATTEMPTS = 2000


def is_zero_modulo_prime(terms: Iterable[tuple[Monomial, Any]], rng: np.random.Generator) -> bool:
    """Tell whether a polynomial, given by (monomial, SymPy coefficient) pairs as in `Landscape.terms`, is zero.

    Wrong about a non-zero polynomial with probability of about 1e-17. Words need not be in their normal form.
    Parameters and irreducible radicands are taken to be positive; a radicand like 3 + 2 sqrt(2), the square of another
    sum of roots, is not seen through. Raises ArithmeticError when radicands cannot all be squares, such as x and -x.

    >>> rng, b = np.random.default_rng(0), sp.Symbol("b")
    >>> rotated = [((("tr", ("A", "B", "B")),), sp.exp(b) ** 2), ((("tr", ("B", "A", "B")),), -sp.exp(2 * b))]
    >>> is_zero_modulo_prime(rotated, rng), is_zero_modulo_prime(rotated[:1], rng)
    (True, False)
    """
    pairs = [(monomial, _prepared(sp.sympify(coefficient))) for monomial, coefficient in terms]
    for _ in range(ATTEMPTS):
        try:
            point = _Point(pairs, rng)
            return sum(point.monomial(m) * point.scalar(c) for m, c in pairs) % point.prime == 0
        except _NoResidueError:
            continue
    raise ArithmeticError(f"no residues found for all roots and quotients in {ATTEMPTS} attempts")


def word_value(
    generator: Generator, moments: Mapping[str, NDArray[np.object_]], vectors: Mapping[str, NDArray[np.object_]]
) -> Any:
    """Return the value of a closed word, open word or index sum, in the arithmetic of the entries (int, Fraction).

    ``moments[S]`` is W S W^T and ``vectors[m]`` is W m, as object arrays.

    >>> R = np.array([[1, 2], [2, 5]], dtype=object)
    >>> word_value(("tr", ("A", "A")), {"A": R}, {}), word_value(("form", "m", (), "m"), {}, {"m": R[0]})
    (34, 5)
    """
    kind = generator[0]
    if kind == "tr":
        first, *rest = generator[1]
        matrix = moments[first]
        for letter in rest:
            matrix = matrix @ moments[letter]
        return matrix.trace()
    if kind == "form":
        _, left, word, right = generator
        vector = vectors[right]
        for letter in reversed(word):
            vector = moments[letter] @ vector
        return vectors[left] @ vector
    if kind == "graph":
        _, edges, legs = generator
        outputs = len(moments[edges[0][0]] if edges else vectors[legs[0][0]])
        return sum(
            prod(moments[s][at[a], at[b]] for s, a, b in edges) * prod(vectors[m][at[a]] for m, a in legs)
            for at in product(range(outputs), repeat=_vertices(generator))
        )
    raise ValueError(f"word_value({generator!r}): not a closed word, an open word or an index sum")


def _vertices(generator: Generator) -> int:
    """Return how many output indices a word sums over, when it is written as a sum of products of entries."""
    if generator[0] == "tr":
        return len(generator[1])
    if generator[0] == "form":
        return len(generator[2]) + 1
    if generator[0] == "graph":
        _, edges, legs = generator
        return 1 + max([*(max(a, b) for _, a, b in edges), *(a for _, a in legs)])
    return 0


def _prepared(expr: sp.Expr) -> sp.Expr:
    """Write hyperbolic functions in exponentials, and logarithms of products as sums."""
    hyperbolic = sp.functions.elementary.hyperbolic.HyperbolicFunction
    # Node by node: rewriting the whole would turn powers into exponentials of logarithms, too.
    expr = expr.replace(lambda e: isinstance(e, hyperbolic), lambda e: e.rewrite(sp.exp, deep=False))
    return expr.replace(
        lambda e: isinstance(e, sp.log),
        lambda e: sp.expand_log(sp.log(sp.factor(sp.together(e.args[0]))), force=True, factor=True),
    )


class _NoResidueError(ArithmeticError):
    """A root or a quotient does not exist at this point."""


class _Point:
    """A prime with a random residue for everything that occurs."""

    def __init__(self, pairs: Sequence[tuple[Monomial, sp.Expr]], rng: np.random.Generator):
        self.rng = rng
        self.prime = 4
        while self.prime % 4 != 3:
            self.prime = int(sp.nextprime(int(rng.integers(2**60, 2**61))))
        self.squares = (self.prime - 1) // 2
        self.atoms: dict[Any, int] = {}
        self.values: dict[Generator, int] = {}
        size = max([2, *(sum(map(_vertices, monomial)) for monomial, _ in pairs)])
        words = {g for monomial, _ in pairs for g in monomial}
        letters = {s for g in words if g[0] in ("tr", "form") for s in g[1 if g[0] == "tr" else 2]}
        letters |= {edge[0] for g in words if g[0] == "graph" for edge in g[1]}
        names = {end for g in words if g[0] == "form" for end in (g[1], g[3])}
        names |= {leg[0] for g in words if g[0] == "graph" for leg in g[2]}
        W = self._array(size, size)
        self.moments = {letter: W @ self._symmetric(letter, size) @ W.T % self.prime for letter in sorted(letters)}
        self.vectors = {name: W @ self._array(size) % self.prime for name in sorted(names)}

    def _array(self, *shape: int) -> NDArray[np.object_]:
        return self.rng.integers(1, self.prime, size=shape).astype(object)

    def _symmetric(self, letter: str, size: int) -> NDArray[np.object_]:
        entries = self._array(size, size)
        return np.eye(size, dtype=int).astype(object) if letter == IDENTITY else entries + entries.T

    def _square(self, key: Any) -> int:
        """Return the residue of something independent of everything else: a random square, the same at every call."""
        if key not in self.atoms:
            self.atoms[key] = pow(int(self.rng.integers(2, self.prime)), 2, self.prime)
        return self.atoms[key]

    # Words

    def monomial(self, monomial: Monomial) -> int:
        """Return the residue of a product of words; cumulants and what is not summed are independent residues."""
        value = 1
        for generator in monomial:
            if generator not in self.values:
                known = generator[0] in ("tr", "form", "graph")
                found = word_value(generator, self.moments, self.vectors) if known else self._square(generator)
                self.values[generator] = int(found) % self.prime
            value = value * self.values[generator] % self.prime
        return value

    # Coefficients

    def scalar(self, expr: sp.Expr) -> int:
        """Return the residue of a coefficient."""
        if expr.is_Rational:
            return int(expr.p) * self._root_power(int(expr.q), sp.S.NegativeOne) % self.prime
        if expr.is_Add:
            return sum(map(self.scalar, expr.args)) % self.prime
        if expr.is_Mul:
            return prod(map(self.scalar, expr.args)) % self.prime
        if isinstance(expr, sp.exp):
            return self._power(sp.E, expr.args[0])
        if expr.is_Pow:
            return self._power(expr.base, expr.exp)
        return self._square(expr)

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> int:
        """base^(c_0 + c_1 y_1 + ...) is base^c_0 times the product of (base^y_k)^c_k, c_k rational; e^(y log z) is z^y."""
        if exponent.is_Integer:
            return self._root_power(self.scalar(base), exponent)
        base = sp.factor(base)
        if base.is_Mul:
            return prod(self._power(factor, exponent) for factor in base.args) % self.prime
        if base.is_Rational and base.q != 1:
            return self._power(sp.Integer(base.p), exponent) * self._power(sp.Integer(base.q), -exponent) % self.prime
        if base.is_Integer and base > 1 and not sp.isprime(base):
            return prod(self._power(sp.Integer(q), k * exponent) for q, k in sp.factorint(base).items()) % self.prime
        if base.is_Pow or isinstance(base, sp.exp):
            inner, power = base.as_base_exp()
            return self._power(inner, power * exponent)
        value = 1
        for term in sp.Add.make_args(sp.expand(exponent)):
            rational, rest = term.as_coeff_Mul()
            logs = [factor for factor in sp.Mul.make_args(rest) if isinstance(factor, sp.log)]
            if base is sp.E and len(logs) == 1:
                power = self._power(logs[0].args[0], term / logs[0])
            else:
                one = self.scalar(base) if rest == 1 else self._square((base, rest))
                power = self._root_power(one, rational)
            value = value * power % self.prime
        return value

    def _root_power(self, value: int, exponent: sp.Rational) -> int:
        """Return value^exponent; a root is the one that is a power of a square."""
        numerator, denominator = int(exponent.p), int(exponent.q)
        if value % self.prime == 0 and numerator < 0:
            raise _NoResidueError("a division by zero")
        if denominator == 1:
            return pow(value, numerator, self.prime)
        if gcd(denominator, self.squares) != 1 or pow(value, self.squares, self.prime) != 1:
            raise _NoResidueError("a root of a residue that has none")
        return pow(value, numerator * pow(denominator, -1, self.squares) % self.squares, self.prime)
