"""Exact coefficients: rational functions of parameters and of the constants born at W = 0, reduced by their relations.

Two rings serve two needs. While a derivation runs, coefficients live in a polynomial ring Q[t, 1/q] with one generator
per transcendental or root t and one per irreducible denominator q, so that a product never computes a common divisor.
At the end every coefficient is brought to the normal form numerator / (product of powers of the q): roots reduced by
their relation, the q cancelled. Two coefficients are equal when their normal forms are.

Which t exist is read from the SymPy scalars that the derivation will need: parameters (``tau``), their roots
(``sqrt(epsilon)``, after which ``epsilon`` is its square), roots of numbers and of polynomials, exponentials (``exp(b)``,
after which ``exp(2*b)`` is its square), logarithms of irreducible polynomials, and anything else as it stands.
Parameters are taken to be positive where a root or a logarithm of a product is split.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import reduce
from math import lcm
from typing import Any

import sympy as sp
from sympy.polys.domains import QQ
from sympy.polys.rings import PolyElement, ring

from symscape.errors import InputError


def exact(value: Any) -> sp.Expr:
    """Return a number or SymPy expression with every float replaced by the rational that it prints as.

    >>> exact(1e-4), exact(0.5) * sp.Symbol("t")
    (1/10000, t/2)
    """
    expr = sp.sympify(value) if isinstance(value, sp.Basic) else _number(value)
    floats = expr.atoms(sp.Float)
    return expr.xreplace({f: sp.Rational(Fraction(repr(float(f)))) for f in floats}) if floats else expr


def _number(value: Any) -> sp.Expr:
    if isinstance(value, bool) or isinstance(value, (str, bytes)):
        raise InputError(
            f"{value!r} is not a number or a SymPy expression; write sympy.Symbol({str(value)!r}) for a name"
        )
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    try:
        return sp.sympify(value, strict=True)
    except (sp.SympifyError, TypeError) as error:
        raise InputError(f"{value!r} is not a number or a SymPy expression") from error


def prepare(expr: sp.Expr) -> sp.Expr:
    """Return a scalar rewritten so that equal constants share their transcendental parts."""
    expr = exact(expr)
    if expr.has(sp.functions.elementary.hyperbolic.HyperbolicFunction):
        expr = expr.rewrite(sp.exp)
    if expr.has(sp.log):
        expr = expr.replace(
            lambda e: isinstance(e, sp.log),
            lambda e: sp.expand_log(sp.log(_factor(e.args[0])), force=True, factor=True),
        )
    return expr


def _factor(expr: sp.Expr) -> sp.Expr:
    """Factor a sum with its exponentials as they stand: exp(10) + 1 is irreducible, though exp(1)^10 + 1 is not."""
    powers = [pair for e in expr.atoms(sp.exp, type(sp.E)) for pair in _base_powers(e)]
    steps: dict[sp.Expr, sp.Rational] = {}
    for base, exponent in powers:
        steps[base] = sp.gcd(steps.get(base, sp.S.Zero), exponent)
    names = {base: sp.Dummy(positive=True) for base in steps}
    values = {name: _raised(base, steps[base]) for base, name in names.items()}

    def named(e: sp.Expr) -> sp.Expr:
        return sp.Mul(*[names[base] ** (exponent / steps[base]) for base, exponent in _base_powers(e)])

    plain = expr.replace(lambda e: isinstance(e, sp.exp) or e is sp.E, named)
    return sp.factor(sp.together(plain)).xreplace(values)


class Scalars:
    """The ring of coefficients that contains a given collection of SymPy scalars.

    Elements are rationals when there is no parameter, else sparse polynomials; they support ``+ - *`` and truth.
    """

    def __init__(self, expressions: Iterable[sp.Expr] = ()):
        prepared = {expr: prepare(expr) for expr in expressions}
        atoms = _Atoms()
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
        for base, exponent in _base_powers(expr):
            if (base.is_Rational and exponent.is_Integer) or (base.is_Add and base not in self._roots):
                top, bottom = self._fraction(base)
                power = exponent
            else:
                root = self._roots.get(base)
                if root is None:
                    raise KeyError(f"{expr} is not among the scalars of this ring")
                top, bottom = self._position[_root_of(base, root)], one
                power = exponent * root
            if power < 0:
                top, bottom = bottom, top
            if not bottom:
                raise InputError(f"{expr}: division by zero")
            result = result[0] * top ** abs(int(power)), result[1] * bottom ** abs(int(power))
        return self._reduced(*result)

    def _reduced(self, numerator: PolyElement, denominator: PolyElement) -> tuple[PolyElement, PolyElement]:
        numerator, denominator = self._reduce_roots(numerator), self._reduce_roots(denominator)
        for generator, (order, _) in self._relations.items():
            if order == 2 and denominator.degree(generator) == 1:
                conjugate = denominator.compose(generator, -generator)
                numerator = self._reduce_roots(numerator * conjugate)
                denominator = self._reduce_roots(denominator * conjugate)
        return numerator.cancel(denominator)

    def _reduce_roots(self, element: PolyElement) -> PolyElement:
        for generator, (order, radicand) in self._relations.items():
            place = self._base.gens.index(generator)
            while element.degree(generator) >= order:
                result = self._base.zero
                for monomial, value in element.terms():
                    times, rest = divmod(monomial[place], order)
                    lowered = self._base.from_dict({(*monomial[:place], rest, *monomial[place + 1 :]): value})
                    result += lowered * radicand**times
                element = result
        return element

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


def _root_of(base: sp.Expr, root: sp.Rational) -> sp.Expr:
    """Return the generator that stands for ``base``: its ``root``-th root."""
    return base if root == 1 else _raised(base, 1 / sp.sympify(root))


def _raised(base: sp.Expr, exponent: sp.Rational) -> sp.Expr:
    """Return a base to a rational power, the exponent multiplied in."""
    if base is sp.E:
        return sp.exp(exponent)
    if isinstance(base, sp.exp):
        return sp.exp(base.args[0] * exponent)
    return sp.Pow(base.base, base.exp * exponent) if base.is_Pow else sp.Pow(base, exponent)


def _base_powers(expr: sp.Expr) -> list[tuple[sp.Expr, sp.Rational]]:
    """Split a scalar that is neither a sum nor a product into (base, rational exponent): exp(b/2) is exp(b) to 1/2."""
    if isinstance(expr, sp.exp) and expr is not sp.E:
        terms = [term.as_coeff_Mul() for term in sp.Add.make_args(sp.expand(expr.args[0]))]
        return [(sp.exp(rest), rational) for rational, rest in terms]
    if not expr.is_Pow:
        return [(expr, sp.Integer(1))]
    base, exponent = expr.args
    if base.is_Mul:
        return [pair for factor in base.args for pair in _base_powers(sp.Pow(factor, exponent))]
    rational, symbolic = sp.expand(exponent).as_coeff_Add()
    terms = [term.as_coeff_Mul() for term in sp.Add.make_args(symbolic)] if symbolic else []
    powers = [(sp.Pow(base, rest), coefficient) for coefficient, rest in terms]
    if base.is_Integer and not rational.is_Integer:
        return powers + [(sp.Integer(p), rational * e) for p, e in sp.factorint(base).items()]
    return powers + ([(base, rational)] if rational else [])


class _Atoms:
    """Collects the transcendental generators and roots that a set of scalars is made of."""

    def __init__(self) -> None:
        self.root_orders: dict[sp.Expr, sp.Rational] = {}

    def collect(self, expr: sp.Expr) -> None:
        if expr.is_Rational:
            return
        if expr.has(sp.I, sp.oo, sp.zoo, sp.nan):
            raise InputError(f"{expr} is not a finite real scalar")
        if expr.is_Add or expr.is_Mul:
            for argument in expr.args:
                self.collect(argument)
            return
        for base, exponent in _base_powers(expr):
            if base.is_Rational and exponent.is_Integer:
                continue
            if base.is_Add:
                self.collect(base)
            if isinstance(base, sp.exp) or base is sp.E:
                # The generator is the highest power of which all others are powers: exp(10) where only that occurs.
                known = self.root_orders.get(base)
                self.root_orders[base] = 1 / sp.gcd(exponent, 0 if known is None else 1 / known)
            elif not (base.is_Add and exponent.is_Integer):
                self.root_orders[base] = sp.Integer(lcm(int(self.root_orders.get(base, 1)), int(exponent.q)))

    def generators(self) -> list[sp.Expr]:
        """Return the generators, sorted by name: a base is represented by its highest root."""
        return sorted({_root_of(base, root) for base, root in self.root_orders.items()}, key=sp.default_sort_key)

    def radicals(self) -> list[tuple[sp.Expr, int, sp.Expr]]:
        """Return (generator, order, radicand) for the roots that are algebraic: of numbers and of polynomials."""
        return [
            (_root_of(base, root), int(root), base)
            for base, root in self.root_orders.items()
            if root > 1 and (base.is_Integer or base.is_Add)
        ]
