"""Polynomials in words, graded by degree in W and truncated at an order, with exact coefficients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from symscape.algebra.words import Generator, Monomial, degree, product

Terms = dict[Monomial, Any]


class Polynomial:
    """A polynomial, not changed once made: ``parts[k]`` holds the monomials of degree k with coefficients that are not zero.

    ``domain`` is a ring of coefficients with ``zero``, ``one`` and ``rational(p, q)`` (see `symscape.algebra.scalars`);
    products drop every monomial of degree above ``order``.
    """

    __slots__ = ("domain", "order", "parts")

    def __init__(self, domain: Any, order: int, parts: dict[int, Terms]):
        self.domain = domain
        self.order = order
        self.parts = {k: terms for k, terms in parts.items() if terms}

    # Makers

    def constant(self, coefficient: Any) -> Polynomial:
        """Return a constant of the same ring and order."""
        return Polynomial(self.domain, self.order, {0: {(): coefficient}} if coefficient else {})

    def from_generator(self, generator: Generator) -> Polynomial:
        """Return one generator as a polynomial of the same ring and order."""
        return self.from_terms({(generator,): self.domain.one})

    def from_terms(self, terms: Terms) -> Polynomial:
        """Return a polynomial of the same ring and order from a dict of monomials."""
        parts: dict[int, Terms] = {}
        for monomial, coefficient in terms.items():
            d = sum(map(degree, monomial))
            if coefficient and d <= self.order:
                parts.setdefault(d, {})[monomial] = coefficient
        return Polynomial(self.domain, self.order, parts)

    # Reading

    def terms(self) -> Iterator[tuple[Monomial, Any]]:
        """Yield (monomial, coefficient) by ascending degree, monomials sorted."""
        for d in sorted(self.parts):
            yield from sorted(self.parts[d].items())

    def part(self, d: int) -> Polynomial:
        """Return the homogeneous part of degree ``d``."""
        return Polynomial(self.domain, self.order, {d: self.parts.get(d, {})})

    def without_constant(self) -> Polynomial:
        """Return everything but the constant term."""
        return Polynomial(self.domain, self.order, {d: t for d, t in self.parts.items() if d})

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    # Ring operations

    def __add__(self, other: Polynomial) -> Polynomial:
        parts = {d: dict(terms) for d, terms in self.parts.items()}
        for d, terms in other.parts.items():
            target = parts.setdefault(d, {})
            for monomial, coefficient in terms.items():
                add_term(target, monomial, coefficient)
        return Polynomial(self.domain, self.order, parts)

    def __neg__(self) -> Polynomial:
        return self.scale(-self.domain.one)

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + (-other)

    def scale(self, factor: Any) -> Polynomial:
        """Return the product with a coefficient."""
        if not factor:
            return Polynomial(self.domain, self.order, {})
        parts = {}
        for d, terms in self.parts.items():
            scaled = ((m, c * factor) for m, c in terms.items())
            parts[d] = {m: c for m, c in scaled if c}
        return Polynomial(self.domain, self.order, parts)

    def __mul__(self, other: Polynomial) -> Polynomial:
        parts: dict[int, Terms] = {}
        for da, terms_a in self.parts.items():
            for db, terms_b in other.parts.items():
                if da + db <= self.order:
                    multiply_terms(terms_a, terms_b, parts.setdefault(da + db, {}))
        return Polynomial(self.domain, self.order, parts)

    def power(self, exponent: int) -> Polynomial:
        """Return a non-negative integer power."""
        result, base = self.constant(self.domain.one), self
        while exponent:
            if exponent & 1:
                result = result * base
            exponent >>= 1
            if exponent:
                base = base * base
        return result


def add_term(target: Terms, monomial: Monomial, coefficient: Any) -> None:
    """Add one term to a dict of terms in place, dropping it when it cancels."""
    old = target.get(monomial)
    if old is None:
        if coefficient:
            target[monomial] = coefficient
        return
    total = old + coefficient
    if total:
        target[monomial] = total
    else:
        del target[monomial]


def multiply_terms(left: Terms, right: Terms, target: Terms) -> None:
    """Add the product of two dicts of terms to ``target`` in place."""
    for monomial_a, coefficient_a in left.items():
        for monomial_b, coefficient_b in right.items():
            add_term(target, product(monomial_a, monomial_b), coefficient_a * coefficient_b)
