"""Exact coefficients: rational functions of parameters and of the constants born at W = 0, reduced by their relations.

Two rings serve two needs. While a derivation runs, coefficients live in a polynomial ring Q[t, 1/q] with one generator
per transcendental or root t (see `symscape.algebra.atoms`) and one per irreducible denominator q, so that a product never
computes a common divisor. At the end every coefficient is brought to the normal form numerator / (product of powers of the
q): roots reduced by their relation, the q cancelled. A root stays in a denominator, where it is well conditioned, so two
coefficients are equal when the numerator of their difference is zero. Not seen: identities between nested roots, such as
sqrt(3 + 2 sqrt(2)) = 1 + sqrt(2), and between functions that are kept as they stand, such as sin and cos.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

import sympy as sp
from sympy.polys.domains import QQ
from sympy.polys.rings import PolyElement, ring

from symscape.algebra.atoms import Atoms, base_powers, prepare, root_of
from symscape.errors import InputError


class Scalars:
    """The ring of coefficients that contains a given collection of SymPy scalars.

    Elements are rationals when there is no parameter, else sparse polynomials; they support ``+ - *`` and truth.
    """

    def __init__(self, expressions: Iterable[sp.Expr] = ()):
        prepared = {expr: prepare(expr) for expr in expressions}
        atoms = Atoms()
        for expr in prepared.values():
            atoms.collect(expr)
        names = atoms.generators()
        self._roots = atoms.root_orders
        self._atoms = names
        self._base, *base_gens = ring([f"t{k}" for k in range(len(names))], QQ)
        self._position = dict(zip(names, base_gens, strict=True))
        self._relations: dict[PolyElement, tuple[int, PolyElement]] = {}
        for generator, order, radicand in atoms.radicals():
            self._relations[self._position[generator]] = (order, self._numerator(radicand))
        fractions = {expr: self._fraction(p) for expr, p in prepared.items()}
        factors: dict[PolyElement, None] = {}
        for _, denominator in fractions.values():
            for factor, _ in _factored(denominator)[1]:
                factors.setdefault(factor.monic())
        self._denominators = sorted(factors, key=str)
        count = len(names) + len(self._denominators)
        self._trivial = count == 0
        self._ring = ring([f"s{k}" for k in range(count)], QQ)[0]
        self._count = (len(names), len(self._denominators))
        self.zero = QQ(0) if self._trivial else self._ring.zero
        self.one = QQ(1) if self._trivial else self._ring.one
        self._known = {expr: self._element(*fraction) for expr, fraction in fractions.items()}

    # Into the ring

    def rational(self, numerator: int, denominator: int = 1) -> Any:
        """Return a rational number as an element."""
        value = QQ(numerator, denominator)
        return value if self._trivial else self._ring.ground_new(value)

    def convert(self, expr: sp.Expr) -> Any:
        """Return one of the scalars that the ring was made for, or a rational number, as an element."""
        known = self._known.get(expr)
        if known is not None:
            return known
        if expr.is_Rational:
            return self.rational(int(expr.p), int(expr.q))
        raise KeyError(f"{expr} is not among the scalars of this ring")

    def _element(self, numerator: PolyElement, denominator: PolyElement) -> Any:
        if self._trivial:
            return numerator.coeff(1) / denominator.coeff(1)
        content, factors = _factored(denominator)
        exponents = [0] * self._count[1]
        for factor, multiplicity in factors:
            content *= factor.LC**multiplicity
            exponents[self._denominators.index(factor.monic())] += multiplicity
        return self._ring.from_dict({(*monomial, *exponents): value / content for monomial, value in numerator.terms()})

    # Reading expressions

    def _numerator(self, expr: sp.Expr) -> PolyElement:
        numerator, denominator = self._fraction(expr)
        if not denominator.is_ground:
            raise InputError(f"{expr}: a root of a quotient is not supported; multiply it out")
        return numerator.quo_ground(denominator.LC)

    def _fraction(self, expr: sp.Expr) -> tuple[PolyElement, PolyElement]:
        """Return (numerator, denominator) over the base ring, roots reduced, without common factor."""
        one = self._base.one
        if expr.is_Rational:
            return self._base.ground_new(QQ(int(expr.p), int(expr.q))), one
        if expr.is_Add or expr.is_Mul:
            parts = [self._fraction(a) for a in expr.args]
            if expr.is_Mul:
                return self._reduced(*(reduce(lambda a, b: a * b, p) for p in zip(*parts, strict=True)))
            return self._reduced(*reduce(lambda a, b: (a[0] * b[1] + b[0] * a[1], a[1] * b[1]), parts))
        result = one, one
        for base, exponent in base_powers(expr):
            if (base.is_Rational and exponent.is_Integer) or (
                base not in self._roots and (base.is_Add or base.is_Mul or base.is_Pow)
            ):
                top, bottom = self._fraction(base)
                power = exponent
            else:
                root = self._roots.get(base)
                if root is None:
                    raise KeyError(f"{expr} is not among the scalars of this ring")
                top, bottom = self._position[root_of(base, root)], one
                power = exponent * root
            if power < 0:
                top, bottom = bottom, top
            if not bottom:
                raise InputError(f"{expr}: division by zero")
            result = result[0] * top ** abs(int(power)), result[1] * bottom ** abs(int(power))
        return self._reduced(*result)

    def _reduced(self, numerator: PolyElement, denominator: PolyElement) -> tuple[PolyElement, PolyElement]:
        numerator, denominator = self._reduce_roots(numerator), self._reduce_roots(denominator)
        return numerator.cancel(denominator)

    def _reduce_roots(self, element: PolyElement) -> PolyElement:
        """Lower every root below its order; the radicand of one may hold another, so until nothing is left to lower."""
        high = self._too_high(element)
        while high is not None:
            order, radicand = self._relations[high]
            place = self._base.gens.index(high)
            result = self._base.zero
            for monomial, value in element.terms():
                times, rest = divmod(monomial[place], order)
                lowered = self._base.from_dict({(*monomial[:place], rest, *monomial[place + 1 :]): value})
                result += lowered * radicand**times
            element = result
            high = self._too_high(element)
        return element

    def _too_high(self, element: PolyElement) -> PolyElement | None:
        return next((g for g, (order, _) in self._relations.items() if element.degree(g) >= order), None)

    # Out of the ring

    def normal_form(self, element: Any) -> tuple[PolyElement, tuple[int, ...]]:
        """Return (numerator over the base ring, exponent of every irreducible denominator)."""
        if self._trivial:
            return self._base.ground_new(element), ()
        size, count = self._count
        highest = [0] * count
        for monomial in element.monoms():
            highest = [max(a, b) for a, b in zip(highest, monomial[size:], strict=True)]
        numerator = self._base.zero
        groups: dict[tuple[int, ...], dict[tuple[int, ...], Any]] = {}
        for monomial, value in element.terms():
            group = groups.setdefault(monomial[size:], {})
            key = monomial[:size]
            group[key] = group.get(key, QQ(0)) + value
        for exponents, terms in groups.items():
            part = self._base.from_dict({m: v for m, v in terms.items() if v})
            for factor, top, exponent in zip(self._denominators, highest, exponents, strict=True):
                part = part * factor ** (top - exponent)
            numerator += part
        numerator = self._reduce_roots(numerator)
        if not numerator:
            return numerator, (0,) * count
        for k, factor in enumerate(self._denominators):
            while highest[k]:
                quotient, remainder = numerator.div(factor)
                if remainder:
                    break
                numerator, highest[k] = quotient, highest[k] - 1
        return numerator, tuple(highest)

    def expression(self, element: Any) -> sp.Expr:
        """Return an element as a SymPy expression in its normal form, factored."""
        numerator, exponents = self.normal_form(element)
        values = self._atoms
        bottom = [q.as_expr(*values) ** -e for q, e in zip(self._denominators, exponents, strict=True)]
        # One product, so that SymPy does not multiply a rational factor into a sum.
        return sp.Mul(*_signed(numerator, values), *bottom)

    def is_zero(self, element: Any) -> bool:
        """Tell whether an element is zero by its normal form."""
        return not self.normal_form(element)[0]


def _factored(element: PolyElement) -> tuple[Any, list[tuple[PolyElement, int]]]:
    if element.is_ground:
        return (element.LC if element else QQ(0)), []
    return element.factor_list()


def _signed(numerator: PolyElement, values: list[sp.Expr]) -> list[sp.Expr]:
    """Return a numerator as factors with integer coefficients; a minus sign goes into a sum where it reads better."""
    content, factors = _factored(numerator)
    made: list[sp.Expr] = []
    for factor, multiplicity in factors:
        cleared, integral = factor.clear_denoms()
        common = integral.content()
        content *= (common / cleared) ** multiplicity
        factor = integral.quo_ground(common)
        # -(s - 1) reads better as 1 - s, and (-a - b) as -(a + b).
        negative = sum(1 for c in factor.coeffs() if c < 0)
        mostly_negative = 2 * negative > len(factor) or (content < 0 and 2 * negative == len(factor))
        if multiplicity % 2 and mostly_negative and len(factor) > 1:
            content, factor = -content, -factor
        made.append(factor.as_expr(*values) ** multiplicity)
    return [_rational(content), *made]


def _rational(value: Any) -> sp.Rational:
    return sp.Rational(int(value.numerator), int(value.denominator))
