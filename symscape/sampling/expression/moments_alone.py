"""Expressions of second moments alone, from the moments of two views: a step with W costs nothing that grows with N."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import MomentsError
from symscape.sampling.evaluator import ViewMoments
from symscape.sampling.expression.inputs import InnerForm, ValueKey
from symscape.sampling.expression.output_total import OutputTotal
from symscape.sampling.expression.parts import Found, Part
from symscape.sampling.expression.program import Program
from symscape.sampling.expression.row_mean import RowMean
from symscape.sampling.moments.central import by_raw_moments, covariances, refuse_lost_variances

Array = NDArray[np.float64]

#: A mean squared distance below this fraction of the mean squared norms is lost in their rounding.
LOST = 1e-9


@dataclass(frozen=True)
class MomentResult:
    """A value with its derivatives by the means (2, d), by the second moments (2, 2, d, d), and by the norm of W."""

    value: float
    by_mean: Array
    by_second: Array
    by_weight_norm: float


def run_on_moments(program: Program, moments: ViewMoments, weight_norm: float | None) -> MomentResult:
    """Return the value of a program that depends on ``moments`` alone.

    Raises MomentsError where its digits are lost in those of larger moments: the rows have them.
    """
    by_mean, by_second = np.zeros(moments.mean.shape), np.zeros(moments.second.shape)
    parts: list[_OnMoments] = []

    def run_part(number: int, part: Part, values: Mapping[Any, Any]) -> Found:
        parts.append(_OnMoments(moments))
        return parts[-1].run(part, values)

    value, results, found = program.evaluate(run_part, weight_norm)
    weights, by_weight_norm = program.chain(results, found)
    for weight, part, outcome in zip(weights, parts, found, strict=True):
        part.add_derivatives(outcome, weight, by_mean, by_second)
    return MomentResult(value, by_mean, by_second, by_weight_norm)


class _OnMoments:
    """One part of an expression on moments."""

    def __init__(self, moments: ViewMoments):
        self.moments = moments
        self._slopes: dict[InnerForm, float] = {}

    def run(self, part: Part, values: Mapping[Any, Any]) -> Found:
        """Return the value of a part."""
        if isinstance(part, OutputTotal):
            return part.of_moments(self._entries, values, 1.0)
        assert isinstance(part, RowMean)
        results = part.tape.forward(lambda key: self._mean(key) if isinstance(key, InnerForm) else values[key])
        found = Found(float(results[part.end.factor]))
        for key, slope in part.tape.constant_derivatives(part.end.factor).items():
            if isinstance(key, ValueKey):
                found.by_parts[key] = slope
            else:
                self._slopes[key] = slope
        return found

    def _entries(self, kind: str, centred: bool) -> Array:
        second = self.moments.second
        if centred:
            second = covariances(self.moments)
            refuse_lost_variances(self.moments, np.einsum("uuii->ui", second), 0.0)
        matrix = (second[0, 0] + second[1, 1]) / 2 if kind == "P" else second[0, 1]
        return (matrix + matrix.T) / 2

    def _mean(self, form: InnerForm) -> Array:
        """Return the mean of an inner product of the views."""
        u, v = ("ab".index(slot.array) for slot in (form.u, form.v))
        trace = np.einsum("uvii->uv", self.moments.second)
        norms = trace[u, u] + trace[v, v]
        value = form.dot * trace[u, v] + form.left * norms
        if form.is_distance and value <= LOST * norms * form.left:
            raise MomentsError("the mean squared distance of the views is lost in their norms; evaluate on rows")
        return value

    def add_derivatives(self, found: Found, weight: float, by_mean: Array, by_second: Array) -> None:
        """Add the derivatives of the part, times its factor in the loss."""
        unit = np.eye(by_mean.shape[1])
        for form, slope in self._slopes.items():
            u, v = ("ab".index(slot.array) for slot in (form.u, form.v))
            by_second[u, v] += weight * slope * form.dot * unit
            if form.left:
                by_second[u, u] += weight * slope * form.left * unit
                by_second[v, v] += weight * slope * form.left * unit
        for (kind, centred), adjoint in found.moments.items():
            own = np.zeros_like(by_second)
            if kind == "P":
                own[0, 0] = own[1, 1] = weight * adjoint / 2
            else:
                own[0, 1] = weight * adjoint
            if centred:
                through, raw = by_raw_moments(self.moments, np.zeros_like(by_mean), own)
                by_mean += through
                own = np.asarray(raw, dtype=np.float64)
            by_second += own
