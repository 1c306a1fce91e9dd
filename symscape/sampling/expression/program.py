"""A whole expression, compiled: its closed parts in order, and the tape of what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.losses.language import OutputSum, WeightNorm, d_1, free_views
from symscape.probability.views import View
from symscape.sampling.expression.compiler import Compiler, Scaled
from symscape.sampling.expression.design import arrays_of_views
from symscape.sampling.expression.inputs import ValueKey
from symscape.sampling.expression.operations import Input
from symscape.sampling.expression.output_total import OutputTotal
from symscape.sampling.expression.parts import Found, Part, Wanted
from symscape.sampling.expression.row_mean import RowMean
from symscape.sampling.expression.rows import Batch, Gradient
from symscape.sampling.expression.scalars import quoted
from symscape.sampling.expression.tape import Tape

Array = NDArray[np.float64]

#: The squared norm of W, which is no function of the rows.
WEIGHT_NORM = ValueKey(-1)


@dataclass(frozen=True)
class Result:
    """A value, with the derivatives that were asked for: by every array, by the squared norm of W, by the weights of data."""

    value: float
    gradients: dict[str, Array]
    by_weight_norm: float
    influence: Array | None


class Program:
    """``Program(expr, outputs, given)``: for so many outputs, and views that have arrays of their own by name."""

    def __init__(self, expr: sp.Expr, outputs: int, given: Collection[str] = ()):
        self._outputs, self._given = outputs, frozenset(given)
        self.parts: list[Part] = []
        self._numbers: dict[Any, int] = {}
        self.tape = Tape()
        self.expr = expr
        expr = expr.xreplace({d_1: sp.Integer(outputs)})
        self.end = Compiler(self.tape, self._closed, {}, {}).plain(expr)
        slopes = self.tape.constant_derivatives(self.end)
        inner = {key for part in self.parts for key in part.tape.inputs() if isinstance(key, ValueKey)}
        #: Parts that the loss is linear in: their derivatives go straight into its own.
        self._slopes = {
            key.number: slope
            for key, slope in slopes.items()
            if key not in inner and key != WEIGHT_NORM and self.parts[key.number].end.scale is None
        }
        self._has_weight_norm = WEIGHT_NORM in inner | set(self.tape.inputs())
        #: Whether second moments of the two views are all that the value depends on.
        self.of_moments = all(
            isinstance(p, OutputTotal) or (isinstance(p, RowMean) and p.is_moment) for p in self.parts
        )

    # Compilation

    def _closed(self, tape: Tape, expr: sp.Expr, scaled: bool) -> Scaled:
        """Return the value, on a tape, of an expectation or sum in which nothing is free."""
        if isinstance(expr, WeightNorm):
            return Scaled(tape.add(Input(WEIGHT_NORM)))
        if isinstance(expr, OutputSum):
            return self._part(tape, expr, lambda: OutputTotal(expr, self._outputs, self._closed))
        compiler = Compiler(tape, self._closed, {}, {})
        assignments = arrays_of_views(expr, self.expr, self._given)
        terms = []
        for arrays in assignments:
            # E is linear: terms that depend on fewer data are averaged over fewer.
            groups: dict[frozenset[str], list[sp.Expr]] = {}
            for term in sp.Add.make_args(expr.args[0]):
                groups.setdefault(frozenset(view.datum for view in free_views(term)), []).append(term)
            for data, group in groups.items():
                body = sp.Add(*group)
                if not data:
                    terms.append(compiler.compile(body, scaled))
                    continue
                own = {view: array for view, array in arrays.items() if body.has(view)}
                make = partial(self._row_mean, body, data, own, scaled and body.has(sp.exp))
                terms.append(self._part(tape, (body, frozenset(own.items()), scaled and body.has(sp.exp)), make))
        return compiler.combined([1 / len(assignments)] * len(terms), terms)

    def _row_mean(self, body: sp.Expr, data: frozenset[str], arrays: dict[View, str], scaled: bool) -> RowMean:
        """Return the mean with x for anchor, unless with another datum fewer data are compared with one another."""
        found = []
        for anchor in sorted(data, key=lambda datum: (datum != "x", datum)):
            found.append(RowMean(body, data, arrays, anchor, self._closed, scaled))
            if not found[-1].joint:
                return found[-1]
        return min(found, key=lambda mean: mean.joint)

    def _part(self, tape: Tape, key: Any, make: Any) -> Scaled:
        if key not in self._numbers:
            part = make()
            self._numbers[key] = len(self.parts)
            self.parts.append(part)
        number = self._numbers[key]
        factor = tape.add(Input(ValueKey(number)))
        has_scale = self.parts[number].end.scale is not None
        return Scaled(factor, tape.add(Input(ValueKey(number, True))) if has_scale else None)

    # Evaluation

    def run(
        self, batch: Batch, weight_norm: float | None = None, gradient: bool = False, influence: bool = False
    ) -> Result:
        """Return the value on a batch. Raises InputError where it has none, or where the norm of W is not given."""
        total = Gradient(batch)

        def run_part(number: int, part: Part, values: Mapping[Any, Any]) -> Found:
            slope = self._slopes.get(number)
            wanted = Wanted(gradient, influence, 1.0 if slope is None else slope)
            return part.run(batch, values, wanted, None if slope is None else total)

        value, results, found = self.evaluate(run_part, weight_norm)
        if not (gradient or influence):
            return Result(value, {}, 0.0, None)
        weights, by_weight_norm = self.chain(results, found, self._slopes)
        for number, (weight, part) in enumerate(zip(weights, found, strict=True)):
            if part.gradient is not None and number not in self._slopes:
                part.gradient.add_to(total, weight)
        gradients = total.finish() if gradient else {}
        for name, array in gradients.items():
            if not np.isfinite(array).all():
                row = int(np.nonzero(~np.isfinite(array).all(axis=1))[0][0])
                raise InputError(
                    f"{quoted(self.expr)}: the gradient by row {row} of the view {name} is not finite; rescale the views"
                )
        terms = [
            weight * part.influence for weight, part in zip(weights, found, strict=True) if part.influence is not None
        ]
        return Result(value, gradients, by_weight_norm, sum(terms, start=np.zeros(batch.rows)) if influence else None)

    def evaluate(
        self, run_part: Callable[[int, Part, Mapping[Any, Any]], Found], weight_norm: float | None
    ) -> tuple[float, list[Any], list[Found]]:
        """Return the value, the results of the tape, and what each part was found to be."""
        if self._has_weight_norm and weight_norm is None:
            raise InputError(
                f"{quoted(self.expr)}: the loss depends on the norm of W; give W, and features in place of views"
            )
        values: dict[Any, Any] = {WEIGHT_NORM: np.float64(0.0 if weight_norm is None else weight_norm)}
        found: list[Found] = []
        with np.errstate(all="ignore"):
            for number, part in enumerate(self.parts):
                found.append(run_part(number, part, values))
                self._check(found[-1], part)
                values[ValueKey(number)] = np.float64(found[-1].factor)
                values[ValueKey(number, True)] = np.float64(found[-1].scale)
            results = self.tape.forward(lambda key: values[key])
        value = float(results[self.end])
        if not np.isfinite(value):
            raise InputError(f"{quoted(self.expr)}: the loss is not finite on this batch; rescale the views")
        return value, results, found

    def _check(self, found: Found, part: Part) -> None:
        if not np.isfinite(found.factor):
            raise InputError(
                f"{quoted(self.expr)}: the mean of {quoted(getattr(part, 'body', self.expr))} is not finite on this batch; "
                "rescale the views"
            )

    def chain(self, results: list[Any], found: list[Found], linear: Collection[int] = ()) -> tuple[list[float], float]:
        """Return the factor of each part's derivatives in those of the loss, and the derivative by the norm of W.

        Derivatives of ``linear`` parts have their factors already.
        """
        by_part: dict[ValueKey, float] = {}

        def receive(key: ValueKey, adjoint: Array) -> None:
            by_part[key] = by_part.get(key, 0.0) + float(np.sum(adjoint))

        weights = [0.0] * len(found)
        with np.errstate(all="ignore"):
            self.tape.backward(results, {self.end: np.float64(1.0)}, receive)
        for number in range(len(found) - 1, -1, -1):
            weights[number] = 1.0 if number in linear else by_part.get(ValueKey(number), 0.0)
            for key, derivative in found[number].by_parts.items():
                by_part[key] = by_part.get(key, 0.0) + weights[number] * derivative
        return weights, by_part.get(WEIGHT_NORM, 0.0)


@lru_cache(maxsize=64)
def compiled(expr: sp.Expr, outputs: int, given: frozenset[str]) -> Program:
    """Return the program of an expression; a loss is compiled once for all its batches."""
    return Program(expr, outputs, given)
