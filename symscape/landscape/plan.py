"""A loss as a tree of analytic operations, with its exact scalars and its value at W = 0.

`plan` reads a SymPy expression of the loss language once. It decides what each function does at W = 0, where every inner
product vanishes, and finds before any expansion whether a series exists. The tree then lists the scalars it needs, so
that the ring of coefficients can be made, and `symscape.landscape.expansion` walks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import factorial

import sympy as sp

from symscape.algebra.atoms import exact, prepare
from symscape.errors import InputError, NotAnalyticError, ScaleInvariantError
from symscape.losses.language import (
    Dot,
    Entry,
    Expectation,
    Node,
    OutputSum,
    SqDist,
    Total,
    WeightNorm,
    d_1,
    free_outputs,
)


@dataclass(frozen=True, eq=False)
class Step:
    """An operation: the SymPy expression it stands for, its value at W = 0, its arguments, its own scalars."""

    source: sp.Expr
    origin: sp.Expr
    children: tuple[Step, ...] = ()
    scalars: tuple[sp.Expr, ...] = ()

    def walk(self) -> Iterator[Step]:
        """Yield this step and all below it."""
        for child in self.children:
            yield from child.walk()
        yield self


class Constant(Step):
    """A scalar free of views."""


class InnerProduct(Step):
    """f(u).f(v)."""


class MomentEntry(Step):
    """An entry of P or M."""


class SquaredNorm(Step):
    """||W||_F^2."""


class Sum(Step):
    """A sum."""


class Branch(Step):
    """The active branch of a Max or Min: the same series, but not the same function away from W = 0."""


class Product(Step):
    """A product."""


class IntegerPower(Step):
    """A power with a positive integer exponent."""


class Power(Step):
    """A power with any other scalar exponent, of an argument that is not zero at W = 0."""


class Exponential(Step):
    """exp."""


class Logarithm(Step):
    """log of an argument that is not zero at W = 0; its scalars are 1 / origin of the argument and of its factors."""


class Taylor(Step):
    """Any other function of one argument: ``scalars[k]`` is its k-th Taylor coefficient at the argument's origin."""


class Average(Step):
    """An expectation over the views in ``source.args[1:]``."""


class CopiesSum(Step):
    """A sum over exchangeable copies; its scalars are their number."""


class CoordinateSum(Step):
    """A sum over output indices."""


@dataclass
class Plan:
    """The root step with what choosing a branch at W = 0, and a radius of convergence, assume: sentences."""

    root: Step
    order: int
    regimes: list[str] = field(default_factory=list)

    def scalars(self) -> list[sp.Expr]:
        """Return every scalar that the expansion will convert."""
        found: dict[sp.Expr, None] = {}
        for step in self.root.walk():
            for scalar in (step.origin, *step.scalars):
                found.setdefault(scalar)
        return list(found)


def plan(expr: sp.Expr, order: int, call: str) -> Plan:
    """Return the plan of a loss expression for a series of the given order; ``call`` is quoted in errors.

    Raises ScaleInvariantError or NotAnalyticError when there is no series at W = 0.
    """
    made = Plan(Constant(sp.S.Zero, sp.S.Zero), order)
    made.root = _Planner(made, call, expr).step(expr)
    return made


class _Planner:
    def __init__(self, made: Plan, call: str, whole: sp.Expr):
        self.plan, self.call, self.whole = made, call, whole
        self.known: dict[sp.Expr, Step] = {}

    def step(self, expr: sp.Expr) -> Step:
        if expr not in self.known:
            self.known[expr] = self._step(expr)
        return self.known[expr]

    def _step(self, expr: sp.Expr) -> Step:
        if not expr.has(Node):
            return Constant(expr, self._scalar(expr, expr))
        if isinstance(expr, Dot):
            return InnerProduct(expr, sp.S.Zero)
        if isinstance(expr, Entry):
            return MomentEntry(expr, sp.S.Zero)
        if isinstance(expr, WeightNorm):
            return SquaredNorm(expr, sp.S.Zero)
        if isinstance(expr, SqDist):
            return self.step(expr.as_dots())
        if isinstance(expr, Expectation):
            child = self.step(expr.args[0])
            return Average(expr, child.origin, (child,))
        if isinstance(expr, Total):
            child, n = self.step(expr.args[0]), expr.args[2]
            return CopiesSum(expr, self._scalar(expr, n * child.origin), (child,), (n,))
        if isinstance(expr, OutputSum):
            return self._output_sum(expr)
        if isinstance(expr, (sp.Max, sp.Min)):
            return self._regime(expr)
        if isinstance(expr, sp.Abs):
            return self._absolute_value(expr)
        if expr.is_Add or expr.is_Mul:
            children = tuple(self.step(a) for a in expr.args)
            origin = self._scalar(expr, expr.func(*(c.origin for c in children)))
            return (Sum if expr.is_Add else Product)(expr, origin, children)
        if isinstance(expr, sp.exp):
            child = self.step(expr.args[0])
            return Exponential(expr, self._scalar(expr, sp.exp(child.origin)), (child,))
        if expr.is_Pow:
            return self._power(expr)
        if isinstance(expr, sp.log) and len(expr.args) == 1:
            child = self.step(expr.args[0])
            if self._vanishes(child.origin):
                raise self._singular(expr, "log of 0")
            scalars = tuple(self._scalar(expr, 1 / factor.origin) for factor in factors(child))
            return Logarithm(expr, self._scalar(expr, sp.log(child.origin)), (child,), scalars)
        if isinstance(expr, sp.functions.elementary.hyperbolic.HyperbolicFunction):
            return self.step(expr.rewrite(sp.exp, deep=False))
        if len(expr.args) == 1 and isinstance(expr, sp.Function):
            return self._taylor(expr)
        raise NotAnalyticError(
            f"{self.call}: no rule expands {type(expr).__name__} in {expr}; choose a function of one argument that is "
            "analytic at W = 0, or write it with log, exp, powers"
        )

    def _power(self, expr: sp.Expr) -> Step:
        base, exponent = expr.args
        if exponent.has(Node):
            return self.step(sp.exp(exponent * sp.log(base), evaluate=False))
        child = self.step(base)
        if exponent.is_Integer and exponent.is_positive:
            return IntegerPower(expr, self._scalar(expr, child.origin**exponent), (child,))
        if self._vanishes(child.origin):
            raise self._singular(expr, f"the power {exponent} of 0")
        if child.origin.is_negative and not exponent.is_Integer:
            raise self._not_real(expr, child.origin**exponent)
        self._converges(expr, base, child.origin)
        scalars = (exponent, self._scalar(expr, 1 / child.origin))
        return Power(expr, self._scalar(expr, child.origin**exponent), (child,), scalars)

    def _output_sum(self, expr: OutputSum) -> Step:
        inner, distinct, *indices = expr.args
        for nested in inner.atoms(OutputSum):
            shared = free_outputs(nested)
            if shared:
                raise InputError(
                    f"{self.call}: {nested} sums inside a sum over its index {min(shared)}; write one output_sum over both"
                )
        child = self.step(inner)
        count = sp.ff(d_1, len(indices)) if distinct else d_1 ** len(indices)
        powers = tuple(d_1**k for k in range(1, len(indices) + 1))
        return CoordinateSum(expr, self._scalar(expr, sp.expand_func(count) * child.origin), (child,), powers)

    def _regime(self, expr: sp.Expr) -> Step:
        """Max and Min: the branch that is active at W = 0; where symbols leave it open, the one not constant."""
        sign = 1 if isinstance(expr, sp.Max) else -1
        children = sorted((self.step(a) for a in expr.args), key=lambda s: isinstance(s, Constant))
        best = children[0]
        for _ in children:
            # A branch that is known to beat the best so far replaces it; as many rounds as branches settle it.
            better = [c for c in children if sp.simplify(sign * (c.origin - best.origin)).is_positive]
            best = better[0] if better else best
        for other in children:
            if other is best:
                continue
            gap = sp.simplify(sign * (best.origin - other.origin))
            if gap.is_zero or gap == 0:
                raise self._singular(expr, "a kink")
            if not gap.is_positive:
                self._assume(f"{sp.Gt(gap, 0)} (the regime at W = 0)")
        self._assume(f"the series is that of {best.source}, the branch of {expr} that is active at W = 0")
        return Branch(expr, best.origin, (best,))

    def _absolute_value(self, expr: sp.Expr) -> Step:
        """|u|: u or -u, by the sign at W = 0; where symbols leave it open, u."""
        child = self.step(expr.args[0])
        if self._vanishes(child.origin):
            raise self._singular(expr, "a kink")
        if child.origin.is_negative:
            child = self.step(-expr.args[0])
        elif not child.origin.is_positive:
            self._assume(f"{sp.Gt(child.origin, 0)} (the regime at W = 0)")
        return Branch(expr, child.origin, (child,))

    def _taylor(self, expr: sp.Expr) -> Step:
        child = self.step(expr.args[0])
        variable = sp.Dummy("u", real=True)
        derivative, coefficients = expr.func(variable), []
        for k in range(self.plan.order // 2 + 1):
            try:
                value = derivative.subs(variable, child.origin) / factorial(k)
            except (ValueError, ZeroDivisionError, TypeError) as error:
                raise self._singular(expr, "a singularity") from error
            broken = (sp.Derivative, sp.Subs, sp.DiracDelta, sp.Heaviside, sp.AccumBounds, sp.Piecewise)
            if isinstance(expr, sp.sinc) and self._vanishes(child.origin):
                # The one removable singularity among SymPy's functions: sin(u) / u.
                value = sp.S.Zero if k % 2 else sp.Rational((-1) ** (k // 2), factorial(k + 1))
            if value.has(sp.nan, sp.zoo, sp.oo, -sp.oo, *broken) or isinstance(expr, sp.sign):
                raise self._singular(expr, "a kink or singularity")
            coefficients.append(self._scalar(expr, value))
            derivative = derivative.diff(variable)
        return Taylor(expr, coefficients[0], (child,), tuple(coefficients))

    def _scalar(self, expr: sp.Expr, value: sp.Expr) -> sp.Expr:
        value = prepare(exact(value))
        if value.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
            raise self._singular(expr, "a singular value")
        if value.has(sp.I) or value.is_real is False:
            raise self._not_real(expr, value)
        return value

    def _assume(self, statement: str) -> None:
        if statement not in self.plan.regimes:
            self.plan.regimes.append(statement)

    def _converges(self, expr: sp.Expr, base: sp.Expr, origin: sp.Expr) -> None:
        """Say how far the series of a power or logarithm of output moments converges; others are asymptotic anyway."""
        if base.has(Entry) and not base.has(Dot, SqDist, WeightNorm) and scaling_degree(sp.expand(base - origin)) == 2:
            self._assume(f"the series of {expr} converges for |{sp.expand(base - origin)}| < {origin} only")

    def _not_real(self, expr: sp.Expr, value: sp.Expr) -> NotAnalyticError:
        return NotAnalyticError(
            f"{self.call}: {expr} is not real at W = 0, where it is {value}. Check its sign, or choose parameters that make "
            "the argument positive"
        )

    @staticmethod
    def _vanishes(origin: sp.Expr) -> bool:
        return bool(origin.is_zero) or sp.simplify(origin) == 0

    def _singular(self, expr: sp.Expr, what: str) -> NotAnalyticError:
        if scaling_degree(self.whole) == 0:
            return ScaleInvariantError(
                f"{self.call}: the loss is scale-invariant, f -> c f leaves it as it is, so it has no series at W = 0 "
                f"({what} in {expr}). Smooth the normalisation: pass `epsilon=...` where the loss takes it, "
                "or write dot(u, v) / sqrt((sqnorm(u) + epsilon) * (sqnorm(v) + epsilon))"
            )
        return NotAnalyticError(
            f"{self.call}: no series at W = 0: {what} in {expr}. Add a positive constant to the argument "
            "(an epsilon), or choose a function that is analytic there"
        )


def factors(step: Step) -> Iterator[Step]:
    """Yield a step and, if it is a product, its factors and theirs."""
    yield step
    if isinstance(step, Product):
        for child in step.children:
            yield from factors(child)


def scaling_degree(expr: sp.Expr) -> sp.Expr | None:
    """Return k when f -> c f multiplies the expression by c^k, read from its form; None when it does not scale.

    >>> from symscape.losses.language import dot, sqnorm
    >>> from symscape.probability.views import View
    >>> x, y = View("x"), View("y")
    >>> scaling_degree(dot(x, y) / sp.sqrt(sqnorm(x) * sqnorm(y)))
    0
    """
    if isinstance(expr, (Dot, SqDist, Entry, WeightNorm)):
        return sp.Integer(2)
    if not expr.has(Node):
        return sp.Integer(0)
    if isinstance(expr, (Expectation, Total, OutputSum)):
        return scaling_degree(expr.args[0])
    if isinstance(expr, (sp.Max, sp.Min)) or expr.is_Add:
        degrees = {scaling_degree(a) for a in expr.args if a != 0}
        return degrees.pop() if len(degrees) == 1 else None
    degrees_of = [scaling_degree(a) for a in expr.args]
    if None in degrees_of:
        return None
    if expr.is_Mul:
        return sp.Add(*degrees_of)
    if expr.is_Pow:
        return degrees_of[0] * expr.exp if not expr.exp.has(Node) else (sp.Integer(0) if degrees_of == [0, 0] else None)
    if isinstance(expr, sp.Abs):
        return degrees_of[0]
    return sp.Integer(0) if all(d == 0 for d in degrees_of) else None
