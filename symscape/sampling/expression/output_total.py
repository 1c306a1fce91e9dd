"""Sums over outputs of functions of the second moments of a batch, with their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.losses.language import OutputSum
from symscape.sampling.expression.compiler import Compiler, Scaled
from symscape.sampling.expression.inputs import EntryKey, ValueKey
from symscape.sampling.expression.parts import Closed, Found, Wanted
from symscape.sampling.expression.reductions import SumOverOutputs
from symscape.sampling.expression.rows import Batch, Gradient
from symscape.sampling.expression.scalars import quoted
from symscape.sampling.expression.tape import Tape

Array = NDArray[np.float64]


class OutputTotal:
    """A sum over outputs of a function of the second moments of the batch.

    P is the mean over both views, M is symmetrised; centred ones are about the mean of each view.
    """

    def __init__(self, expr: OutputSum, outputs: int, closed: Closed):
        inner, distinct, *indices = expr.args
        if outputs ** len(indices) > 2**24:
            raise InputError(f"{quoted(expr)}: {len(indices)} indices of {outputs} outputs are too many to sum over")
        self.tape = Tape()
        self.end: Scaled
        compiler = Compiler(self.tape, closed, {}, {index.name: k for k, index in enumerate(indices)})
        self._rank = len(indices)
        total = SumOverOutputs(outputs, self._rank, bool(distinct))
        self.end = Scaled(self.tape.add(total, compiler.plain(inner)))

    def run(self, batch: Batch, values: Mapping[Any, Any], wanted: Wanted, gradient: Gradient | None) -> Found:
        """Return the sum, with derivatives by the rows."""
        derive = wanted.gradient or wanted.influence
        found = self.of_moments(
            lambda kind, centred: moment(batch, kind, centred), values, wanted.slope if derive else 0.0
        )
        if wanted.gradient:
            found.gradient = Gradient(batch) if gradient is None else gradient
            for (kind, centred), adjoint in found.moments.items():
                add_moment_gradient(batch, kind, centred, adjoint, found.gradient)
        if wanted.influence:
            found.influence = np.zeros(batch.rows)
            for (kind, centred), adjoint in found.moments.items():
                for u, v in _views(batch, kind, centred):
                    share = np.einsum("nj,nj->n", u @ adjoint, v)
                    found.influence += share / 2 if kind == "P" else share
        return found

    def of_moments(self, moments: Callable[[str, bool], Array], values: Mapping[Any, Any], slope: float) -> Found:
        """Return the sum with derivatives by P and M, centred or not, times ``slope``; none if that is 0."""

        def supply(key: Any) -> Any:
            if isinstance(key, ValueKey):
                return values[key]
            matrix = moments(key.kind, key.centred)
            return (np.diagonal(matrix) if key.i == key.j else matrix).reshape(self._shape(key, len(matrix)))

        results = self.tape.forward(supply)
        found = Found(float(results[self.end.factor]))

        def receive(key: Any, adjoint: Array) -> None:
            if isinstance(key, ValueKey):
                found.by_parts[key] = found.by_parts.get(key, 0.0) + float(np.sum(adjoint))
                return
            d = max(adjoint.shape)
            matrix = np.diag(adjoint.reshape(d)) if key.i == key.j else adjoint.reshape(d, d)
            name = (key.kind, key.centred)
            found.moments[name] = found.moments.get(name, 0.0) + (matrix + matrix.T) / 2

        if slope:
            self.tape.backward(results, {self.end.factor: np.float64(slope)}, receive)
        return found

    def _shape(self, key: EntryKey, outputs: int) -> tuple[int, ...]:
        return tuple(outputs if k in (key.i, key.j) else 1 for k in range(self._rank))


def _views(batch: Batch, kind: str, centred: bool) -> list[tuple[Array, Array]]:
    a, b = (_about_mean(batch.arrays[name]) if centred else batch.arrays[name] for name in "ab")
    return [(a, a), (b, b)] if kind == "P" else [(a, b)]


def _about_mean(rows: Array) -> Array:
    """Subtract the mean, twice, so that its own rounding is gone too: gradients add up to zero then."""
    once = rows - rows.mean(axis=0)
    return once - once.mean(axis=0)


def moment(batch: Batch, kind: str, centred: bool) -> Array:
    """Return P or M of a batch, d1 x d1."""
    products = [u.T @ v for u, v in _views(batch, kind, centred)]
    mean = sum(products[1:], start=products[0]) / (batch.rows * len(products))
    return (mean + mean.T) / 2


def add_moment_gradient(batch: Batch, kind: str, centred: bool, adjoint: Array, into: Gradient) -> None:
    """Add what the adjoint of P or M, symmetric, makes of the gradient by the rows; about a mean, it adds up to 0 by itself."""
    for (u, v), names in zip(_views(batch, kind, centred), ("aa", "bb") if kind == "P" else ("ab",), strict=True):
        share = batch.rows * (2 if kind == "P" else 1)
        into.of(names[0])[...] += v @ adjoint / share
        into.of(names[1])[...] += u @ adjoint / share
