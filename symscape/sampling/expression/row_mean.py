"""The mean of an expression over the rows of a batch, and over pairs and tuples of rows, with its derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.losses.language import Expectation, Total
from symscape.probability.views import View
from symscape.sampling.expression.blocks import Block
from symscape.sampling.expression.compiler import Compiler
from symscape.sampling.expression.design import Shifts, shifts_of_data
from symscape.sampling.expression.exchange import Exchange
from symscape.sampling.expression.inputs import InnerForm, RowKey, Slot, ValueKey, window_axis
from symscape.sampling.expression.operations import Constant, Input, Linear, combined
from symscape.sampling.expression.parts import Closed, Found, Wanted
from symscape.sampling.expression.reductions import Mean
from symscape.sampling.expression.rows import Batch, Gradient
from symscape.sampling.expression.scalars import quoted
from symscape.sampling.expression.tape import Tape

Array = NDArray[np.float64]

#: Entries of an array of a block, so that it stays in the cache, and bytes of all arrays of a block together.
ENTRIES, BYTES = 2**18, 3 * 2**24


class RowMean:
    """The mean of an expression over the rows of a batch, and over those of independent data.

    ``arrays`` gives the array of each view, ``anchor`` the datum whose rows are gone through in blocks.
    """

    def __init__(
        self, body: sp.Expr, data: frozenset[str], arrays: Mapping[View, str], anchor: str, closed: Closed, scaled: bool
    ):
        self.body, self._arrays = body, arrays
        self.tape = Tape()
        self._closed = closed
        self._row_functions: dict[tuple[sp.Expr, frozenset[tuple[View, Slot]]], _RowFunction] = {}
        self._copies: list[int] = []
        self._numbers: dict[tuple[str, int], int] = {}
        numbers = {anchor: 0} | {d: self._number(d, body) for d in sorted(data - {anchor})}
        slots = {view: Slot(arrays[view], numbers[view.datum]) for view in body.atoms(View) if view.datum in numbers}
        compiler = Compiler(self.tape, closed, slots, {}, self._new_data, self._of_rows)
        axes = tuple(k for n in sorted(numbers.values()) if n for k in (window_axis(n), window_axis(n) + 1))
        value = compiler.compile(body, scaled)
        self.end = compiler.reduced(Mean(axes), value, axes) if axes else value
        self._over_pairs = bool(axes)
        self._joint = self._joint_data()
        self._call = f"E[{quoted(body)}]"
        self._wide_steps = sum(1 for spread in self.tape.axes if spread)
        self._exchanges = [Exchange(self.tape, datum) for datum in range(1, len(self._copies) + 1)]

    @property
    def joint(self) -> int:
        """How many independent data are compared with other ones than the anchor."""
        return sum(self._joint)

    @property
    def is_moment(self) -> bool:
        """Whether this is linear in inner products of the two views of a datum, so that their moments suffice."""
        keys = [key for key in self.tape.inputs() if isinstance(key, InnerForm)]
        plain = all(isinstance(operation, (Linear, Input, Constant)) for operation, _ in self.tape.steps)
        return plain and not self._copies and all({key.u.array, key.v.array} <= {"a", "b"} for key in keys)

    def _number(self, datum: str, body: sp.Expr) -> int:
        key = (datum, copies_of(datum, body))
        if key not in self._numbers:
            self._copies.append(key[1])
            self._numbers[key] = len(self._copies)
        return self._numbers[key]

    def _new_data(self, expr: Expectation, slots: Mapping[View, Slot]) -> dict[View, Slot]:
        body, *views = expr.args
        return {view: Slot(self._arrays[view], self._number(view.datum, body)) for view in views}

    def _of_rows(self, expr: sp.Expr, slots: Mapping[View, Slot]) -> RowKey:
        here = frozenset((view, slots[view]) for view in expr.atoms(View))
        if (expr, here) not in self._row_functions:
            tape = Tape()
            end = Compiler(tape, self._closed, {view: Slot(slot.array, 0) for view, slot in here}, {}).plain(expr)
            (datum,) = {slot.datum for _, slot in here}
            key = RowKey(len(self._row_functions), datum)
            self._row_functions[expr, here] = _RowFunction(key, tape, end)
        return self._row_functions[expr, here].key

    def _joint_data(self) -> tuple[bool, ...]:
        """Whether each independent datum is compared with another one."""
        joint = [False] * len(self._copies)
        for spread in self.tape.axes:
            together = [n for n in range(1, len(joint) + 1) if window_axis(n) in spread]
            if len(together) > 1:
                for n in together:
                    joint[n - 1] = True
        return tuple(joint)

    def _shifts(self, rows: int) -> list[Shifts]:
        if not self._copies:
            return []
        return shifts_of_data(rows, tuple(self._copies), self._joint, self._call)

    def _block_rows(self, batch: Batch, shifts: list[Shifts], keep: bool) -> int:
        joint = float(np.prod([s.count for s, j in zip(shifts, self._joint, strict=True) if j]))
        width = max([joint, *(float(s.count) for s in shifts)])
        if joint > 1:
            width = max(width, batch.outputs * max(s.count for s in shifts))
        steps = (2 if keep else 1) * self._wide_steps + 6 + sum(len(exchange) for exchange in self._exchanges if keep)
        fitting = int(BYTES / (8 * width * steps))
        return max(1, min(fitting, max(8, int(ENTRIES / width)), 4096))

    def run(self, batch: Batch, values: Mapping[Any, Any], wanted: Wanted, gradient: Gradient | None) -> Found:
        """Return the mean, in one pass over blocks of anchors."""
        shifts = self._shifts(batch.rows)
        keep = wanted.gradient or wanted.influence
        size = self._block_rows(batch, shifts, keep)
        found = Found(0.0, -np.inf if self.end.scale is not None else 0.0)
        if wanted.gradient:
            found.gradient = Gradient(batch) if gradient is None else gradient
        found.influence = np.zeros(batch.rows) if wanted.influence else None
        functions = {f.key: (f, f.tape.forward(batch.row_values)) for f in self._row_functions.values()}
        given = {**values, **{key: results[f.end] for key, (f, results) in functions.items()}}
        found.by_rows = {key: np.zeros(batch.rows) for key in functions}
        for start in range(0, batch.rows, size):
            block = Block(batch, start, min(start + size, batch.rows), shifts)
            self._run_block(block, given, wanted, found, keep)
        if found.gradient is not None:
            for key, (function, results) in functions.items():
                function.tape.backward(results, {function.end: found.by_rows[key]}, found.gradient.add_weights)
        return found

    def _run_block(self, block: Block, values: Mapping[Any, Any], wanted: Wanted, found: Found, keep: bool) -> None:
        def supply(key: Any) -> Any:
            if isinstance(key, InnerForm):
                return block.inner_products(key)
            return block.spread(values[key], key.datum) if isinstance(key, RowKey) else values[key]

        ends = tuple(place for place in self.end if place is not None)
        results = self.tape.forward(supply, keep, ends)
        shape = (block.count,) + (1,) * (2 * len(block.shifts))
        factor = np.broadcast_to(results[self.end.factor], shape)
        weight = np.full(shape, 1 / block.batch.rows)
        if self.end.scale is not None:
            scale = np.broadcast_to(results[self.end.scale], shape)
            self._raise_scale(found, float(scale.max()))
            weight = weight * np.exp(scale - found.scale)
        found.factor += float(np.sum(factor * weight))
        if not keep:
            return
        seeds = {self.end.factor: wanted.slope * weight}
        if self.end.scale is not None:
            seeds[self.end.scale] = seeds[self.end.factor] * factor
        if found.influence is not None:
            block.add_by_row(block.batch.rows * seeds[self.end.factor] * factor, 0, found.influence)

        def receive(key: Any, adjoint: Array) -> None:
            if isinstance(key, ValueKey):
                found.by_parts[key] = found.by_parts.get(key, 0.0) + float(np.sum(adjoint))
            elif isinstance(key, RowKey):
                block.add_by_row(adjoint, key.datum, found.by_rows[key])
            elif found.gradient is not None:
                block.add_gradient(key, adjoint, found.gradient)

        exchanged = [exchange.results(results) for exchange in self._exchanges] if wanted.influence else []

        def at_mean(place: int, adjoint: Array) -> None:
            if found.influence is not None:
                self._add_influence(block, place, adjoint, results, exchanged, found.influence)

        self.tape.backward(results, seeds, receive, at_mean if wanted.influence else None)

    @staticmethod
    def _raise_scale(found: Found, scale: float) -> None:
        """Measure all sums from a new scale, if it is larger than the one so far."""
        if scale <= found.scale:
            return
        ratio = float(np.exp(found.scale - scale))
        found.scale, found.factor = scale, found.factor * ratio
        found.by_parts = {key: derivative * ratio for key, derivative in found.by_parts.items()}
        if found.influence is not None:
            found.influence *= ratio
        if found.gradient is not None:
            found.gradient.scale(ratio)
        for adjoints in found.by_rows.values():
            adjoints *= ratio

    def _add_influence(
        self,
        block: Block,
        place: int,
        adjoint: Array,
        results: list[Any],
        exchanged: list[dict[int, Array]],
        into: Array,
    ) -> None:
        """Add what the rows do to an inner mean in which they stand for an independent datum."""
        mean, (argument,) = self.tape.steps[place]
        assert isinstance(mean, Mean)
        # In a mean over anchors and other data at once all pairs count alike: deviations are values, a constant apart.
        centre = 0.0 if self._over_pairs and place == self.end.factor else results[place]
        for datum in sorted({(axis + 1) // 2 for axis in mean.axes}):
            own = (window_axis(datum), window_axis(datum) + 1)
            if own[0] not in self.tape.axes[argument]:
                continue
            effect = self._exchanges[datum - 1].by_copy(argument, results, exchanged[datum - 1], centre)
            change = combined(np.multiply, effect, block.batch.rows / block.shifts[datum - 1].count * adjoint, True)
            others = tuple(k for k in mean.axes if k not in own)
            free = tuple(k for k in range(1, change.ndim) if k not in mean.axes)
            if others or free:
                change = change.mean(axis=others, keepdims=True).sum(axis=free, keepdims=True)
            block.add_by_row(change, datum, into)


class _RowFunction(NamedTuple):
    """A function of one datum with the place of its result on a tape of its own."""

    key: RowKey
    tape: Tape
    end: int


def copies_of(datum: str, expr: sp.Basic) -> int:
    """Return how many copies of a datum the sums in an expression take, those in expectations over it apart."""
    found = {int(node.args[2]) for node in _totals(datum, expr)}
    if len(found) > 1:
        raise InputError(f"{expr}: sums over {sorted(found)} copies of {datum}; use a view of its own for each")
    return found.pop() if found else 1


def _totals(datum: str, expr: sp.Basic) -> list[Total]:
    if isinstance(expr, Expectation) and any(view.datum == datum for view in expr.args[1:]):
        return []
    found = [node for a in expr.args for node in _totals(datum, a)]
    if isinstance(expr, Total) and expr.args[1].datum == datum:
        if not expr.args[2].is_Integer:
            raise InputError(f"{quoted(expr)}: the number of copies {expr.args[2]} is a symbol; give it a value")
        found.append(expr)
    return found
