"""A tape: operations in order, evaluated forwards, and derived backwards by the chain rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.sampling.expression.operations import Constant, Input, Linear, Operation, summed_to
from symscape.sampling.expression.reductions import Mean, Scale, Sum, SumOverOutputs

Array = NDArray[np.float64]


@dataclass
class Tape:
    """Operations with the places of their arguments; equal operations on equal arguments are one.

    ``axes[k]`` are the axes along which the result of operation k extends, ``scales[k]`` is the place of the scale that a sum
    is measured in, if that varies along what is summed.
    """

    steps: list[tuple[Operation, tuple[int, ...]]] = field(default_factory=list)
    axes: list[frozenset[int]] = field(default_factory=list)
    scales: dict[int, int] = field(default_factory=dict)
    _known: dict[Any, int] = field(default_factory=dict)

    def add(self, operation: Operation, *arguments: int, axes: frozenset[int] = frozenset()) -> int:
        """Return the place of an operation, new or known; ``axes`` of an input, or of a reduction to remove."""
        key = (operation, arguments)
        if key not in self._known:
            spread = axes.union(*(self.axes[k] for k in arguments))
            if isinstance(operation, (Mean, Sum, Scale)):
                spread -= frozenset(operation.axes)
            if isinstance(operation, SumOverOutputs):
                spread = frozenset()
            self._known[key] = len(self.steps)
            self.steps.append((operation, arguments))
            self.axes.append(spread)
        return self._known[key]

    def constant(self, number: float) -> int:
        """Return the place of a number."""
        return self.add(Constant(float(number)))

    def number(self, place: int) -> float | None:
        """Return the number at a place, if it is a constant."""
        operation = self.steps[place][0]
        return operation.number if isinstance(operation, Constant) else None

    def inputs(self) -> list[Any]:
        """Return the keys of all inputs."""
        return [step.key for step, _ in self.steps if isinstance(step, Input)]

    def forward(self, supply: Callable[[Any], Array], keep: bool = True, ends: tuple[int, ...] = ()) -> list[Any]:
        """Return the results of all operations; without ``keep``, of those at the ``ends`` only."""
        last = {a: k for k, (_, arguments) in enumerate(self.steps) for a in arguments}
        results: list[Any] = []
        for k, (operation, arguments) in enumerate(self.steps):
            if isinstance(operation, Input):
                results.append(supply(operation.key))
            else:
                results.append(operation.value(*(results[a] for a in arguments)))
            if not keep:
                for a in arguments:
                    if last[a] == k and a not in ends:
                        results[a] = None
        return results

    def backward(
        self,
        results: list[Any],
        seeds: Mapping[int, Any],
        receive: Callable[[Any, Array], None] | None,
        at_mean: Callable[[int, Array], None] | None = None,
    ) -> None:
        """Propagate adjoints of results to the inputs, which ``receive(key, adjoint)`` collects.

        ``at_mean(place, adjoint)`` is called at every mean, for what depends on its weights.
        """
        adjoints: list[Any] = [None] * len(self.steps)
        for place, seed in seeds.items():
            adjoints[place] = seed
        wanted = self._leads(lambda step: receive is not None and isinstance(step, Input), at_mean is not None)
        for k in range(len(self.steps) - 1, -1, -1):
            operation, arguments = self.steps[k]
            adjoint, adjoints[k] = adjoints[k], None
            if adjoint is None or not wanted[k]:
                continue
            if isinstance(operation, Input):
                if receive is not None:
                    receive(operation.key, adjoint)
                continue
            values = [results[a] for a in arguments]
            if at_mean is not None and isinstance(operation, Mean):
                at_mean(k, adjoint)
            if not any(wanted[a] for a in arguments):
                continue
            derivatives = operation.adjoints(adjoint, results[k], *values)
            for a, value, derivative in zip(arguments, values, derivatives, strict=True):
                if derivative is not None and wanted[a]:
                    reduced = summed_to(derivative, np.shape(value))
                    adjoints[a] = reduced if adjoints[a] is None else adjoints[a] + reduced

    def _leads(self, is_end: Callable[[Operation], bool], means: bool) -> list[bool]:
        """Whether each operation depends on what derivatives are asked for."""
        found: list[bool] = []
        for operation, arguments in self.steps:
            here = is_end(operation) or (means and isinstance(operation, Mean)) or any(found[a] for a in arguments)
            found.append(here and not isinstance(operation, Scale))
        return found

    def constant_derivatives(self, end: int) -> dict[Any, float]:
        """Return the derivatives of a result by the inputs in which it is linear."""
        slopes: list[float | None] = [0.0] * len(self.steps)
        slopes[end] = 1.0
        found = {}
        for k in range(len(self.steps) - 1, -1, -1):
            operation, arguments = self.steps[k]
            slope = slopes[k]
            if isinstance(operation, Input) and slope is not None:
                found[operation.key] = slope
            for position, a in enumerate(arguments):
                before = slopes[a]
                if isinstance(operation, Linear) and slope is not None and before is not None:
                    slopes[a] = before + slope * operation.coefficients[position]
                elif slope != 0.0:
                    slopes[a] = None
        return found
