"""Scalars read into transcendental generators and roots: which t a collection of exact scalars is a rational function of.

Parameters (``tau``), their roots (``sqrt(epsilon)``, after which ``epsilon`` is its square), roots of numbers and of
polynomials, exponentials (``exp(b)``, after which ``exp(2*b)`` is its square), logarithms of irreducible polynomials, and
anything else as it stands. A root or a logarithm of a product is split where the factors are positive for all parameters,
which are real unless declared otherwise.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Any

import sympy as sp

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
    hyperbolic = sp.functions.elementary.hyperbolic.HyperbolicFunction
    if expr.has(hyperbolic):
        expr = expr.replace(lambda e: isinstance(e, hyperbolic), lambda e: e.rewrite(sp.exp, deep=False))
    if expr.has(sp.log):
        expr = expr.replace(lambda e: isinstance(e, sp.log) and len(e.args) == 1, lambda e: _logarithm(e.args[0]))
    return expr


def _logarithm(argument: sp.Expr) -> sp.Expr:
    """Return log with the factors that are positive for all real parameters taken out, numbers split into primes."""
    positive, rest = _positive_factors(argument)
    parts = []
    for base, exponent in positive:
        if base.is_Rational:
            primes = {**sp.factorint(base.p), **{p: -e for p, e in sp.factorint(base.q).items()}}
            parts += [exponent * e * sp.log(p) for p, e in primes.items()]
        else:
            parts.append(exponent * (base.args[0] if isinstance(base, sp.exp) else sp.log(base)))
    return sp.Add(*parts, *([] if rest == 1 else [sp.log(rest)]))


def _positive_factors(expr: sp.Expr) -> tuple[list[tuple[sp.Expr, sp.Expr]], sp.Expr]:
    """Split off the factors that are positive for all real parameters, as (base, exponent); the rest is expanded."""
    positive, rest = [], sp.S.One
    for factor in sp.Mul.make_args(_factor(expr)):
        base, exponent = factor.as_base_exp()
        if isinstance(factor, sp.exp) or base is sp.E:
            base, exponent = sp.exp(1) if base is sp.E else factor, exponent if base is sp.E else sp.S.One
            positive.append((base, exponent))
        elif _is_positive(base):
            positive.append((base, exponent))
        elif exponent.is_Integer and _is_positive(-base):
            positive.append((-base, exponent))
            rest *= (-1) ** exponent
        else:
            rest *= factor
    return [(b, e) for b, e in positive if b != 1], sp.expand(rest)


def _is_positive(expr: sp.Expr) -> bool:
    """Whether an expression is positive for all values of its symbols, which are real unless declared otherwise."""
    reals = {s: sp.Dummy(real=True) for s in expr.free_symbols if s.is_extended_real is None}
    return expr.xreplace(reals).is_positive is True


def _factor(expr: sp.Expr) -> sp.Expr:
    """Factor a sum with its exponentials as they stand: exp(10) + 1 is irreducible, though exp(1)^10 + 1 is not."""
    if not (expr.is_Add or expr.is_Mul or expr.is_Pow):
        return expr
    steps: dict[sp.Expr, sp.Rational] = {}
    for node in _outer_exponentials(expr):
        for base, exponent in base_powers(node):
            steps[base] = sp.gcd(steps.get(base, sp.S.Zero), exponent)
    names = {base: sp.Dummy(positive=True) for base in steps}
    values = {name: _raised(base, steps[base]) for base, name in names.items()}
    named = {
        node: sp.Mul(*[names[base] ** (exponent / steps[base]) for base, exponent in base_powers(node)])
        for node in _outer_exponentials(expr)
    }
    return sp.factor(sp.together(expr.xreplace(named))).xreplace(values)


def _outer_exponentials(expr: sp.Expr) -> set[sp.Expr]:
    if isinstance(expr, sp.exp) or expr is sp.E:
        return {expr}
    return set().union(*(_outer_exponentials(argument) for argument in expr.args)) if expr.args else set()


def root_of(base: sp.Expr, root: sp.Rational) -> sp.Expr:
    """Return the generator that stands for ``base``: its ``root``-th root."""
    return base if root == 1 else _raised(base, 1 / sp.sympify(root))


def _raised(base: sp.Expr, exponent: sp.Rational) -> sp.Expr:
    """Return a base to a rational power, the exponent multiplied in."""
    if base is sp.E:
        return sp.exp(exponent)
    if isinstance(base, sp.exp):
        return sp.exp(base.args[0] * exponent)
    if base.is_Pow and not base.exp.is_Integer:
        return sp.Pow(base.base, base.exp * exponent)
    return sp.Pow(base, exponent)


def base_powers(expr: sp.Expr) -> list[tuple[sp.Expr, sp.Rational]]:
    """Split a scalar that is neither a sum nor a product into (base, rational exponent): exp(b/2) is exp(b) to 1/2."""
    if isinstance(expr, sp.exp) and expr is not sp.E:
        terms = [term.as_coeff_Mul() for term in sp.Add.make_args(sp.expand(expr.args[0]))]
        return [(_exponential(rest), rational) for rational, rest in terms]
    if not expr.is_Pow:
        return [(expr, sp.Integer(1))]
    base, exponent = expr.args
    if not exponent.is_Integer and (base.is_Add or base.is_Mul or base.is_Pow):
        positive, rest = _positive_factors(base)
        if positive and positive != [(base, 1)]:
            pairs = [pair for b, e in positive for pair in base_powers(sp.Pow(b, e * exponent))]
            return pairs + ([] if rest == 1 else base_powers(sp.Pow(rest, exponent)))
    if base.is_Rational and base.is_negative and not exponent.is_Integer:
        raise InputError(f"{expr} is not real")
    rational, symbolic = sp.expand(exponent).as_coeff_Add()
    terms = [term.as_coeff_Mul() for term in sp.Add.make_args(symbolic)] if symbolic else []
    powers = [(sp.Pow(base, rest), coefficient) for coefficient, rest in terms]
    if base.is_Integer and not rational.is_Integer:
        return powers + [(sp.Integer(p), rational * e) for p, e in sp.factorint(base).items()]
    return powers + ([(base, rational)] if rational else [])


def _exponential(exponent: sp.Expr) -> sp.Expr:
    """Return exp, with exp(b log(tau)) written as tau^b."""
    factors = sp.Mul.make_args(exponent)
    logs = [factor for factor in factors if isinstance(factor, sp.log)]
    if len(logs) != 1:
        return sp.exp(exponent)
    return sp.Pow(logs[0].args[0], sp.Mul(*[factor for factor in factors if factor is not logs[0]]))


def _is_compound(base: sp.Expr) -> bool:
    """Whether a base is itself a polynomial or product, so that its roots are algebraic over other generators."""
    return bool(base.is_Add or base.is_Mul or (base.is_Pow and base.exp.is_Integer))


class Atoms:
    """Collects the transcendental generators and roots that a set of scalars is made of."""

    def __init__(self) -> None:
        self.root_orders: dict[sp.Expr, sp.Rational] = {}

    def collect(self, expr: sp.Expr) -> None:
        """Add what one scalar is made of. Raises InputError when it is not finite and real."""
        if expr.is_Rational:
            return
        if expr.has(sp.I, sp.oo, -sp.oo, sp.zoo, sp.nan):
            raise InputError(f"{expr} is not a finite real scalar")
        if expr.is_Add or expr.is_Mul:
            for argument in expr.args:
                self.collect(argument)
            return
        for base, exponent in base_powers(expr):
            if base.is_Rational and exponent.is_Integer:
                continue
            if _is_compound(base):
                self.collect(base)
            if isinstance(base, sp.exp) or base is sp.E:
                # The generator is the highest power of which all others are powers: exp(10) where only that occurs.
                known = self.root_orders.get(base)
                self.root_orders[base] = 1 / sp.gcd(exponent, 0 if known is None else 1 / known)
            elif not (_is_compound(base) and exponent.is_Integer):
                self.root_orders[base] = sp.Integer(lcm(int(self.root_orders.get(base, 1)), int(exponent.q)))

    def generators(self) -> list[sp.Expr]:
        """Return the generators, sorted by name: a base is represented by its highest root."""
        return sorted({root_of(base, root) for base, root in self.root_orders.items()}, key=sp.default_sort_key)

    def radicals(self) -> list[tuple[sp.Expr, int, sp.Expr]]:
        """Return (generator, order, radicand) for the roots that are algebraic: of numbers and of polynomials."""
        return [
            (root_of(base, root), int(root), base)
            for base, root in self.root_orders.items()
            if root > 1 and (base.is_Integer or _is_compound(base))
        ]
