"""A scale-invariant loss as a series in the fluctuations of inner products about their means, on the shell Tr P = 1.

With k comparable modes, f(u).f(v) = m_uv + d_uv, where the mean m_uv is of order one and the fluctuation d_uv of order
1/sqrt(k): n fluctuations together have a mean of order k^{-n/2} (n even), k^{-(n+1)/2} (n odd). Writing e d_uv for d_uv and
expanding in e turns the loss into a polynomial in inner products, whose expectation the engine takes exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import factorial

import sympy as sp

from symscape.errors import InputError, NotAnalyticError
from symscape.landscape.landscape import landscape
from symscape.losses.language import Dot, Entry, Expectation, Node, SqDist, Total, WeightNorm, free_views
from symscape.losses.loss import Loss
from symscape.probability.views import SECOND_MOMENT, View

Series = tuple[sp.Expr, ...]


def trace_symbol(letter: str, positive: bool = False) -> sp.Symbol:
    """Return the symbol of Tr(W letter W^T): ``Tr P`` for Sigma, ``Tr M`` for A_0."""
    name = {"Sigma": "Tr P", "A_0": "Tr M"}.get(letter, f"Tr W {letter} Wᵀ")
    return sp.Symbol(name, positive=True) if positive else sp.Symbol(name, real=True)


class FluctuationSeries:
    """The series of one loss up to ``order`` in the fluctuations; ``norms=False`` holds every |f(u)|^2 at its mean.

    ``traces`` maps the letter of each mean that occurs to its symbol. Raises InputError for a loss that is not made of
    inner products, NotAnalyticError where it has no series at the means.
    """

    def __init__(self, loss: Loss, order: int, norms: bool, call: str):
        if loss.expr.has(Entry, WeightNorm):
            raise InputError(
                f"{call}: the loss sees entries of P and M, or ||W||, beside inner products of views; it is no loss of "
                "cosines. Use landscape(loss)"
            )
        self.loss, self.order, self.norms, self.call = loss, order, norms, call
        # A view's own moment is positive semidefinite, so that its trace has a root; a cross moment need not be.
        self._positive = {view.moment for view in loss.views}
        self.traces: dict[str, sp.Symbol] = {}
        self._variable = sp.Dummy("e")
        self.terms = self._series(loss.expr)

    def mean(self, u: View, v: View) -> sp.Expr:
        """Return E f(u).f(v): 0 for independent data, 1 for |f(u)|^2 on the shell, else the symbol of a trace."""
        words = landscape(Loss(Expectation(Dot(u, v), *{u, v})), order=2).terms
        if not words:
            return sp.S.Zero
        (((_, (letter,)),), _) = words[0]
        if letter == SECOND_MOMENT:
            return sp.S.One
        return self.traces.setdefault(letter, trace_symbol(letter, letter in self._positive))

    def _series(self, expr: sp.Expr) -> Series:
        zeros = (sp.S.Zero,) * self.order
        if isinstance(expr, SqDist):
            return self._series(expr.as_dots())
        if isinstance(expr, Dot):
            mean = self.mean(*expr.args)
            fixed = expr.args[0] == expr.args[1] and not self.norms
            return (mean, sp.S.Zero if fixed else expr - mean, *zeros[1:])
        if isinstance(expr, Expectation):
            return tuple(_averaged(c, expr.args[1:]) for c in self._series(expr.args[0]))
        if isinstance(expr, Total):
            inner, view, n = expr.args
            return tuple(_summed(c, view, n) for c in self._series(inner))
        if not expr.has(Node):
            return (expr, *zeros)
        return self._composed(expr)

    def _composed(self, expr: sp.Expr) -> Series:
        """Return the series of a function of series: its derivatives by e at e = 0, with the chain rule left to SymPy."""
        series = [self._series(argument) for argument in expr.args]
        values: dict[sp.Expr, sp.Expr] = {}
        arguments = []
        for coefficients in series:
            # Zeros stay zeros: a power with a constant exponent keeps the simple rule of its derivative.
            names = [c if j == 0 or c == 0 else sp.Dummy(real=True) for j, c in enumerate(coefficients)]
            values |= {name: c for name, c in zip(names[1:], coefficients[1:], strict=True) if c != 0}
            arguments.append(sp.Add(*[name * self._variable**j for j, name in enumerate(names)]))
        derivative, found = expr.func(*arguments), []
        for j in range(self.order + 1):
            value = derivative.subs(self._variable, 0) / factorial(j)
            if value.has(sp.zoo, sp.nan, sp.oo, sp.Derivative, sp.Subs, sp.Heaviside, sp.DiracDelta, sp.sign):
                raise NotAnalyticError(
                    f"{self.call}: {expr} has no series where every inner product is at its mean; choose a function that "
                    "is analytic there"
                )
            found.append(value.xreplace(values))
            derivative = derivative.diff(self._variable)
        return tuple(found)


def _averaged(expr: sp.Expr, views: Iterable[View]) -> sp.Expr:
    """Return the expectation over those of the views that occur, term by term."""
    total = []
    for term in sp.Add.make_args(sp.expand(expr)):
        constant, varying = term.as_independent(Node, as_Add=False)
        present = free_views(varying) & set(views)
        total.append(constant * (Expectation(varying, *present) if present else varying))
    return sp.Add(*total)


def _summed(expr: sp.Expr, view: View, n: sp.Expr) -> sp.Expr:
    """Return the sum over n copies of a view, term by term."""
    total = []
    for term in sp.Add.make_args(sp.expand(expr)):
        constant, varying = term.as_independent(Node, as_Add=False)
        total.append(constant * (Total(varying, view, n) if view in free_views(varying) else n * varying))
    return sp.Add(*total)
