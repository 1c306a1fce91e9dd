"""From an expression of the language to operations on arrays, exponentials carried as a factor and a scale.

A value is m e^s with two arrays m and s where it stands under a logarithm or in a quotient, so that the mean of e^l is
(mean of e^(l - max l), max l), its log is log m + s, and scales cancel in quotients: no temperature overflows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log
from typing import Any, NamedTuple

import sympy as sp

from symscape.errors import InputError
from symscape.losses.language import (
    Dot,
    Entry,
    Expectation,
    Node,
    OutputSum,
    SqDist,
    Total,
    WeightNorm,
    free_outputs,
    free_views,
)
from symscape.probability.views import View
from symscape.sampling.expression.functions import (
    Exponential,
    Function,
    LogAddExp,
    Logarithm,
    Power,
    RelativeExponential,
)
from symscape.sampling.expression.inputs import EntryKey, RowKey, Slot, window_axis
from symscape.sampling.expression.linear_forms import inner_form
from symscape.sampling.expression.operations import AbsoluteValue, Extremum, Input, Linear, Product
from symscape.sampling.expression.reductions import Mean, Scale, Sum
from symscape.sampling.expression.scalars import number, quoted
from symscape.sampling.expression.tape import Tape


class Scaled(NamedTuple):
    """The places of m and s of a value m e^s; no s for m itself."""

    factor: int
    scale: int | None = None


class Compiler:
    """Appends expressions to a tape. ``closed(node, scaled)`` gives the value of an expectation or sum that nothing is free in.

    ``slots`` are the views that are free, ``outputs`` the axes of free output indices; ``new_data(expectation, slots)`` gives
    slots to the views that an inner expectation integrates, ``of_rows(expr, slots)`` takes over functions of one datum.
    """

    def __init__(
        self,
        tape: Tape,
        closed: Callable[[Tape, sp.Expr, bool], Scaled],
        slots: Mapping[View, Slot],
        outputs: Mapping[str, int],
        new_data: Callable[[Expectation, Mapping[View, Slot]], dict[View, Slot]] | None = None,
        of_rows: Callable[[sp.Expr, Mapping[View, Slot]], RowKey] | None = None,
    ):
        self.tape, self.closed, self.slots, self.outputs = tape, closed, dict(slots), outputs
        self.new_data, self.of_rows = new_data, of_rows
        self._known: dict[tuple[sp.Expr, bool], Scaled] = {}

    def plain(self, expr: sp.Expr) -> int:
        """Return the place of the value of an expression."""
        return self._plain(self.compile(expr, False), expr)

    def compile(self, expr: sp.Expr, scaled: bool) -> Scaled:
        """Return the value of an expression, with a scale where that is wanted and the expression has exponentials."""
        key = (expr, scaled)
        if key not in self._known:
            self._known[key] = self._compile(expr, scaled)
        return self._known[key]

    def _compile(self, expr: sp.Expr, scaled: bool) -> Scaled:
        if not expr.has(Node):
            return Scaled(self.tape.constant(number(expr)))
        if isinstance(expr, (Dot, SqDist)) or expr.is_Add or expr.is_Mul:
            form = inner_form(expr, self.slots)
            if form is not None:
                return Scaled(self._input(form, form.u.datum, form.v.datum))
        if self.of_rows is not None and self._is_of_rows(expr, scaled):
            key = self.of_rows(expr, self.slots)
            return Scaled(self._input(key, key.datum))
        if isinstance(expr, (Expectation, OutputSum, WeightNorm)) and not free_views(expr) and not free_outputs(expr):
            return self.closed(self.tape, expr, scaled)
        if isinstance(expr, Expectation):
            return self._inner_mean(expr, scaled)
        if isinstance(expr, Total):
            return self._total(expr, scaled)
        if isinstance(expr, OutputSum):
            return self._inner_output_sum(expr)
        if isinstance(expr, Entry):
            i, j = (self.outputs[index.name] for index in expr.args[1:3])
            return Scaled(self.tape.add(Input(EntryKey(expr.kind, expr.centred, i, j)), axes=frozenset({i, j})))
        if expr.is_Add:
            return self._add(expr, scaled)
        if expr.is_Mul:
            return self._product(expr, scaled)
        if isinstance(expr, sp.exp):
            exponent = self.plain(expr.args[0])
            if scaled:
                return Scaled(self.tape.constant(1), exponent)
            return Scaled(self.tape.add(Exponential(quoted(expr)), exponent))
        if expr.is_Pow:
            return self._power(expr, scaled)
        if isinstance(expr, sp.log) and len(expr.args) == 1:
            return Scaled(self._logarithm(expr))
        if isinstance(expr, (sp.Max, sp.Min)):
            arguments = (self.plain(a) for a in expr.args)
            return Scaled(self.tape.add(Extremum(1 if isinstance(expr, sp.Max) else -1), *arguments))
        if isinstance(expr, sp.Abs):
            return Scaled(self.tape.add(AbsoluteValue(), self.plain(expr.args[0])))
        return Scaled(self._function(expr))

    # Inner products

    def _input(self, key: Any, *data: int) -> int:
        return self.tape.add(Input(key), axes=self._axes(*data))

    def _axes(self, *data: int) -> frozenset[int]:
        return frozenset(axis for datum in data if datum for axis in (window_axis(datum), window_axis(datum) + 1))

    def _is_of_rows(self, expr: sp.Expr, scaled: bool) -> bool:
        """Whether an expression is a function of one datum, not the anchor, that is not needed with a scale."""
        if expr.has(Expectation, Total, OutputSum, WeightNorm, Entry) or (scaled and expr.has(sp.exp)):
            return False
        data = {self.slots[view].datum for view in free_views(expr)}
        return len(data) == 1 and 0 not in data

    # Reductions

    def _inner_mean(self, expr: Expectation, scaled: bool) -> Scaled:
        assert self.new_data is not None
        inner = Compiler(self.tape, self.closed, self.slots, self.outputs, self.new_data, self.of_rows)
        made = self.new_data(expr, self.slots)
        inner.slots.update(made)
        data = sorted({slot.datum for slot in made.values()})
        axes = tuple(axis for datum in data for axis in (window_axis(datum), window_axis(datum) + 1))
        return self.reduced(Mean(axes), inner.compile(expr.args[0], scaled), axes)

    def _total(self, expr: Total, scaled: bool) -> Scaled:
        if expr.args[1] not in free_views(expr.args[0]):  # what depended on it was multiplied by 0
            return self.compile(expr.args[2] * expr.args[0], scaled)
        axes = (window_axis(self.slots[expr.args[1]].datum) + 1,)
        return self.reduced(Sum(axes), self.compile(expr.args[0], scaled), axes)

    def reduced(self, reduction: Mean | Sum, value: Scaled, axes: tuple[int, ...]) -> Scaled:
        """Return the mean or sum of a value over axes."""
        factor, scale = value
        if scale is None or not self.tape.axes[scale] & set(axes):
            return Scaled(self.tape.add(reduction, factor), scale)
        largest = self.tape.add(Scale(axes), scale)
        relative = self._exponential(scale, largest)
        one = self.tape.number(factor)
        factor = relative if one == 1 else self.tape.add(Product(), factor, relative)
        reduced = self.tape.add(reduction, factor)
        if isinstance(reduction, Sum):
            self.tape.scales[reduced] = largest
        return Scaled(reduced, largest)

    def _inner_output_sum(self, expr: OutputSum) -> Scaled:
        raise InputError(
            f"{expr}: a sum over outputs in which {self._free(expr)} stays free; write one output_sum over all of the indices, "
            "and inner products of views outside of it"
        )

    @staticmethod
    def _free(expr: sp.Expr) -> str:
        return ", ".join(sorted({*(view.name for view in free_views(expr)), *free_outputs(expr)}))

    # Arithmetic

    def _add(self, expr: sp.Add, scaled: bool) -> Scaled:
        constant, coefficients, terms = 0.0, [], []
        for term in expr.args:
            factor, node = term.as_independent(Node, as_Add=False)
            if node == 1:
                constant += number(factor)
            else:
                coefficients.append(number(factor))
                terms.append(self.compile(node, scaled))
        return self.combined(coefficients, terms, constant)

    def combined(self, coefficients: Sequence[float], terms: Sequence[Scaled], constant: float = 0.0) -> Scaled:
        """Return constant + the sum of coefficients times values."""
        scales = {term.scale for term in terms}
        if not terms:
            return Scaled(self.tape.constant(constant))
        if scales == {None}:
            return Scaled(self.tape.add(Linear(tuple(coefficients), constant), *(t.factor for t in terms)))
        if len(scales) > 1 or constant:
            unit = self.tape.constant(0)
            own = [unit if s is None else s for s in (t.scale for t in terms)]
            own += [unit] if constant else []
            scale = self.tape.add(Scale(), *dict.fromkeys(own))
            factors = [t.factor for t in terms] + ([self.tape.constant(1)] if constant else [])
            coefficients = [*coefficients, constant] if constant else coefficients
            rescaled = [
                self.tape.add(Product(), factor, self._exponential(s, scale))
                for factor, s in zip(factors, own, strict=True)
            ]
            return Scaled(self.tape.add(Linear(tuple(coefficients)), *rescaled), scale)
        return Scaled(self.tape.add(Linear(tuple(coefficients)), *(t.factor for t in terms)), terms[0].scale)

    def _exponential(self, scale: int, origin: int) -> int:
        """Return exp of a scale less another that is at least as large."""
        return self.tape.add(RelativeExponential(), scale, origin)

    def _product(self, expr: sp.Mul, scaled: bool) -> Scaled:
        factor, rest = expr.as_independent(Node, as_Add=False)
        factors = sp.Mul.make_args(rest)
        quotient = any(f.is_Pow and f.exp.is_negative and f.base.has(sp.exp) for f in factors)
        parts = [self.compile(f, scaled or quotient) for f in factors]
        # What is constant over other data first, so that coefficients are multiplied into small arrays.
        places = sorted((p.factor for p in parts), key=lambda place: len(self.tape.axes[place]))
        if factor != 1:
            places[0] = self.tape.add(Linear((number(factor),)), places[0])
        value = places[0] if len(places) == 1 else self.tape.add(Product(), *places)
        scales = [p.scale for p in parts if p.scale is not None]
        scale = None
        if scales:
            scale = scales[0] if len(scales) == 1 else self.tape.add(Linear((1.0,) * len(scales)), *scales)
        result = Scaled(value, scale)
        return result if scaled else Scaled(self._plain(result, expr))

    def _power(self, expr: sp.Pow, scaled: bool) -> Scaled:
        base, exponent = expr.args
        if exponent.has(Node):
            return self.compile(sp.exp(exponent * sp.log(base), evaluate=False), scaled)
        p = number(exponent)
        value = self.compile(base, base.has(sp.exp))
        factor = self.tape.add(Power(p, quoted(expr)), value.factor)
        scale = None if value.scale is None else self.tape.add(Linear((p,)), value.scale)
        result = Scaled(factor, scale)
        return result if scaled else Scaled(self._plain(result, expr))

    def _logarithm(self, expr: sp.log) -> int:
        (argument,) = expr.args
        pair = self._two_exponentials(argument)
        if pair is not None:
            return self.tape.add(LogAddExp(), *pair)
        value = self.compile(argument, True)
        if value.scale is None:
            return self.tape.add(Logarithm(quoted(expr)), value.factor)
        constant = self.tape.number(value.factor)
        if constant is not None and constant > 0:
            return self.tape.add(Linear((1.0,), log(constant)), value.scale)
        logarithm = self.tape.add(Logarithm(quoted(expr)), value.factor)
        return self.tape.add(Linear((1.0, 1.0)), logarithm, value.scale)

    def _two_exponentials(self, argument: sp.Expr) -> tuple[int, int] | None:
        """Return the exponents of a sum of two positive multiples of exponentials, of which one may be a number."""
        if not argument.is_Add or len(argument.args) != 2:
            return None
        exponents = []
        for term in argument.args:
            factor, node = term.as_independent(Node, as_Add=False)
            if number(factor) <= 0 or not (node == 1 or isinstance(node, sp.exp)):
                return None
            offset = log(number(factor))
            if node == 1:
                exponents.append(self.tape.constant(offset))
            else:
                place = self.plain(node.args[0])
                exponents.append(self.tape.add(Linear((1.0,), offset), place) if offset else place)
        return exponents[0], exponents[1]

    def _plain(self, value: Scaled, expr: sp.Expr) -> int:
        if value.scale is None:
            return value.factor
        exponential = self.tape.add(Exponential(quoted(expr)), value.scale)
        return (
            exponential if self.tape.number(value.factor) == 1 else self.tape.add(Product(), value.factor, exponential)
        )

    def _function(self, expr: sp.Expr) -> int:
        """Return any other function, by SymPy's own code and derivatives for it."""
        arguments = list(expr.args) if isinstance(expr, sp.Function) and not isinstance(expr, sp.Piecewise) else []
        inner = [a for a in arguments if a.has(Node)] or _largest_nodes(expr)
        if inner == [expr]:
            raise InputError(
                f"{quoted(expr)}: {type(expr).__name__} has no meaning on a batch; write it with dot, sqdist, E"
            )
        symbols = sp.symbols(f"u:{len(inner)}", real=True)
        known = dict(zip(inner, symbols, strict=True))
        if arguments:
            outer = expr.func(*(known.get(a, a) for a in arguments))
        else:
            outer = expr.xreplace(known)
        return self.tape.add(Function(outer, symbols), *(self.plain(a) for a in inner))


def _largest_nodes(expr: sp.Basic) -> list[sp.Expr]:
    """Return the parts of an expression that are expectations, sums, inner products, not inside one another."""
    if isinstance(expr, Node):
        return [expr]
    return list(dict.fromkeys(node for a in expr.args for node in _largest_nodes(a)))
