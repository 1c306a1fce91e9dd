"""The expectations of a loss taken exactly, for Gaussian views of mean zero, from inside out.

Each part is a quadratic form in the representations, or a sum of exponentials of such forms, as long as views are free;
once all are integrated it is a function of sums over modes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

import sympy as sp

from symscape.algebra.words import IDENTITY, Generator
from symscape.errors import InputError
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.language import (
    Dot,
    Entry,
    Expectation,
    Node,
    OutputSum,
    SqDist,
    Total,
    WeightNorm,
    free_views,
)
from symscape.losses.loss import Loss
from symscape.probability.data_models import GaussianViews
from symscape.probability.views import CROSS_MOMENT, View
from symscape.spectrum.closed_form.gaussian import (
    Quadratic,
    expected,
    in_order,
    is_positive,
    log_expected_exponential,
    tidy,
)
from symscape.spectrum.modes import p_i
from symscape.spectrum.words import ENTRIES, mode_of_word

#: How the ledger ends the statement of terms that rest on no distribution.
_FREE = "any distribution"

#: Tr(W W^T) = sum_i DECAY_i p_i, were the weights diagonal with the modes; they need not be, so that it never shows.
DECAY = sp.Dummy("decay", real=True)


@dataclass(frozen=True)
class Exponentials:
    """A sum of coefficient times exp(quadratic form)."""

    terms: tuple[tuple[sp.Expr, Quadratic], ...]

    @property
    def views(self) -> set[View]:
        """The views that are not integrated."""
        return set().union(*(form.views for _, form in self.terms))


Value = Quadratic | Exponentials


class Integration:
    """One pass over a loss: the sums over modes that it meets, where its integrals are finite, what they rest on."""

    def __init__(self, loss: Loss):
        self.loss = loss
        self.sums: dict[sp.Symbol, sp.Expr] = {}
        self.finite: list[str] = []
        self.rests_on: list[str] = []
        clean = any(view.moment == CROSS_MOMENT for view in loss.views)
        self.correlations = "positive" if clean else "real"

    def refuse(self, expr: sp.Expr, why: str) -> NoReturn:
        """Raise the error that names a term."""
        raise InputError(
            f"closed_form({self.loss.name}): {expr} has no closed form: {why}. "
            f"landscape(loss, order=4) gives its series at W = 0, if there is one"
        )

    # Values, from inside out

    def value(self, expr: sp.Expr) -> Value:
        """Return an expression with its own expectations taken."""
        if not expr.has(Node):
            return Quadratic(expr)
        if expr.is_Add:
            # Polynomials together, as sums over single outputs may add up to a trace.
            integrated = sp.Add(*[term for term in expr.args if _is_integrated_polynomial(term)])
            others = [self.value(term) for term in expr.args if not _is_integrated_polynomial(term)]
            return self._sum(expr, [*others, *([self._polynomial(integrated)] if integrated != 0 else [])])
        if _is_integrated_polynomial(expr):
            return self._polynomial(expr)
        if isinstance(expr, Dot):
            return Quadratic(forms={in_order(*expr.args): sp.S.One})
        if isinstance(expr, SqDist):
            return self.value(expr.as_dots())
        if isinstance(expr, Expectation):
            return self._expectation(expr)
        if expr.is_Mul:
            first, *others = (self.value(factor) for factor in expr.args)
            for other in others:
                first = self._product(expr, first, other)
            return first
        if isinstance(expr, sp.exp):
            exponent = self.value(expr.args[0])
            if isinstance(exponent, Quadratic):
                return Exponentials(((sp.S.One, exponent),))
        if isinstance(expr, (sp.cosh, sp.sinh)):
            return self.value(expr.rewrite(sp.exp))
        if isinstance(expr, sp.log):
            argument = self.value(expr.args[0])
            if isinstance(argument, Exponentials) and len(argument.terms) == 1:
                ((coefficient, form),) = argument.terms
                return form + Quadratic(sp.log(coefficient))
        if expr.is_Pow and not expr.exp.has(Node):
            base = self.value(expr.base)
            if isinstance(base, Exponentials) and len(base.terms) == 1:
                ((coefficient, form),) = base.terms
                return Exponentials(((coefficient**expr.exp, form * expr.exp),))
            if isinstance(base, Exponentials) and expr.exp.is_Integer and expr.exp.is_positive:
                return self.value(sp.Mul(*[expr.base] * int(expr.exp), evaluate=False))
        return self._function(expr)

    def _function(self, expr: sp.Expr) -> Quadratic:
        """Return any function of what holds no free view."""
        if isinstance(expr, Total):
            self.refuse(expr, "a function of a sum over finitely many copies of a view is no Gaussian integral")
        if free_views(expr):
            self.refuse(expr, "only exponentials of quadratic forms, and logarithms of one, are integrated exactly")
        if isinstance(expr, (Entry, OutputSum)):
            self.refuse(expr, "it depends on single outputs, not on the spectrum of P alone")
        return Quadratic(expr.func(*[self.closed(self.value(argument)) for argument in expr.args]))

    def _expectation(self, expr: Expectation) -> Value:
        inner, *views = expr.args
        inner = sp.expand_mul(inner, deep=False)
        if inner.is_Add:
            return self._sum(expr, [self.value(_expectation(term, views)) for term in inner.args])
        constant, varying = inner.as_independent(Node, as_Add=False)
        if constant != 1:
            return self._product(expr, Quadratic(constant), self.value(_expectation(varying, views)))
        if isinstance(varying, Total) and varying.args[1] in views:
            return self._product(expr, Quadratic(varying.args[2]), self.value(_expectation(varying.args[0], views)))
        value = self.value(varying)
        self._rest_on(GaussianViews().assumption)
        if isinstance(value, Quadratic):
            return expected(value, views)
        return Exponentials(tuple((c, self._integrated(expr, form, views)) for c, form in value.terms))

    def _integrated(self, expr: sp.Expr, form: Quadratic, views: Iterable[View]) -> Quadratic:
        integrated, positive = log_expected_exponential(form, views)
        open_ = [e for e in positive if not is_positive(e, correlations=self.correlations)]
        if open_:
            conditions = " and ".join(f"{sp.factor(e)} > 0" for e in dict.fromkeys(open_))
            self.finite.append(f"{expr} is finite where {conditions} in every mode")
        return integrated

    def _sum(self, expr: sp.Expr, values: list[Value]) -> Value:
        quadratic = Quadratic()
        terms: list[tuple[sp.Expr, Quadratic]] = []
        for value in values:
            if isinstance(value, Quadratic):
                quadratic = quadratic + value
            else:
                terms += value.terms
        if not terms:
            return quadratic
        sum_of_terms = Exponentials(tuple(terms))
        if quadratic.views:
            self.refuse(expr, "it adds an exponential to a quadratic form of views that are still to be integrated")
        if not sum_of_terms.views:
            return Quadratic(self.closed(sum_of_terms)) + quadratic
        constant = self.closed(quadratic)
        return Exponentials((*terms, (constant, Quadratic()))) if constant != 0 else sum_of_terms

    def _product(self, expr: sp.Expr, left: Value, right: Value) -> Value:
        if isinstance(left, Exponentials) and isinstance(right, Exponentials):
            return Exponentials(tuple((c * d, f + g) for c, f in left.terms for d, g in right.terms))
        if left.views and right.views:
            self.refuse(expr, "a product of views beyond a quadratic form stands beside or inside an exponential")
        scalar, other = (right, left) if left.views else (left, right)
        factor = self.closed(scalar)
        if isinstance(other, Exponentials):
            return Exponentials(tuple((factor * c, form) for c, form in other.terms))
        if not factor.free_symbols & set(self.sums):
            return other * factor
        if other.views:
            self.refuse(expr, "the factor of a quadratic form of free views depends on the spectrum")
        return Quadratic(factor * self.closed(other))

    def _polynomial(self, expr: sp.Expr) -> Quadratic:
        """Return an integrated polynomial by its landscape, which is exact."""
        return self.words(landscape(Loss(expr, name=self.loss.name), order=max(2, _degree(expr) or 0)))

    def words(self, land: Landscape) -> Quadratic:
        """Return a landscape with each closed word a sum over modes: Tr P^2 M is the sum of p_i^2 r_i p_i."""
        expr, found = land.loss.expr, Quadratic()
        for assumption in land.assumptions:
            self._rest_on(assumption.statement)
        for monomial, coefficient in land.terms:
            summands = [self._word(expr, generator) for generator in monomial]
            if len(summands) == 1:
                found += Quadratic(mode=coefficient * summands[0])
            else:
                found += Quadratic(coefficient * sp.Mul(*map(self._total, summands)))
        return found

    def _word(self, expr: sp.Expr, generator: Generator) -> sp.Expr:
        if generator[0] != "tr":
            self.refuse(expr, "it depends on single outputs, not on the spectrum of P alone")
        if generator[1] == (IDENTITY,):
            return DECAY * p_i
        if set(generator[1]) - set(ENTRIES):
            self.refuse(expr, "it has moments other than Sigma and A_0, which need not share their modes")
        return mode_of_word(generator[1])

    # Functions of sums over modes

    def closed(self, value: Value) -> sp.Expr:
        """Return a value without free views as a function of sums over modes."""
        if isinstance(value, Quadratic):
            return value.constant + self._total(value.mode)
        return sp.Add(*[c * sp.exp(self.closed(form)) for c, form in value.terms])

    def _total(self, summand: sp.Expr) -> sp.Expr:
        summand = tidy(summand)
        if summand == 0:
            return sp.S.Zero
        for symbol, known in self.sums.items():
            if known == summand:
                return symbol
        symbol = self.new_symbol(f"S_{len(self.sums) + 1}")
        self.sums[symbol] = summand
        return symbol

    def new_symbol(self, name: str) -> sp.Symbol:
        """Return a symbol for a sum over modes, of a name that no parameter has."""
        while name in self.loss.parameters:
            name += "'"
        return sp.Symbol(name, real=True)

    def decoupled(self, value: Value) -> tuple[sp.Expr, sp.Expr, dict[sp.Symbol, sp.Expr]]:
        """Return a value without free views as (outer, summand, the sums in outer): outer(...) + sum_i summand."""
        mode = value.mode if isinstance(value, Quadratic) else sp.S.Zero
        constant = value.constant if isinstance(value, Quadratic) else self.closed(value)
        outer = sp.S.Zero
        for term in sp.Add.make_args(sp.expand_mul(constant)):
            met = term.free_symbols & set(self.sums)
            factor = term.coeff(min(met, key=str)) if len(met) == 1 else sp.S.Zero
            if met and factor * min(met, key=str) == term and not factor.has(*met):
                mode += factor * self.sums[met.pop()]
            else:
                outer += term
        return outer, tidy(mode), {s: e for s, e in self.sums.items() if outer.has(s)}

    def _rest_on(self, statement: str) -> None:
        gaussian = GaussianViews().assumption
        if statement == gaussian:
            self.rests_on = [s for s in self.rests_on if not s.endswith(_FREE)]
        if statement not in self.rests_on and not (statement.endswith(_FREE) and gaussian in self.rests_on):
            self.rests_on.append(statement)


def _expectation(expr: sp.Expr, views: Iterable[View]) -> sp.Expr:
    """Return the expectation over those of the views that are free in an expression."""
    free = [view for view in views if view in free_views(expr)]
    return Expectation(expr, *free) if free else expr


def _is_integrated_polynomial(expr: sp.Expr) -> bool:
    return _degree(expr) is not None and not free_views(expr)


def _degree(expr: sp.Expr) -> int | None:
    """Return the degree in W, even, of an expression whose form is polynomial; None for any other."""
    if not expr.has(Node):
        return 0
    if isinstance(expr, (Dot, SqDist, WeightNorm, Entry)):
        return 2
    if isinstance(expr, (Expectation, Total, OutputSum)):
        return _degree(expr.args[0])
    if expr.is_Pow and expr.exp.is_Integer and expr.exp.is_positive:
        degree = _degree(expr.base)
        return None if degree is None else degree * int(expr.exp)
    if not (expr.is_Add or expr.is_Mul):
        return None
    degrees = [degree for argument in expr.args if (degree := _degree(argument)) is not None]
    if len(degrees) < len(expr.args):
        return None
    return max(degrees) if expr.is_Add else sum(degrees)
