"""Landscapes without canonical coordinates: the stationary points that a numeric search meets, and nothing claimed beyond."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.stationary.coordinates import CanonicalCoordinates
from symscape.stationary.count import CountRange
from symscape.stationary.given import Given
from symscape.stationary.point import Stability, StationaryPoint
from symscape.stationary.points import StationaryPoints
from symscape.stationary.search import FoundPoint, SearchResult, falls_without_end, search_stationary
from symscape.stationary.word_program import WordProgram

Array = NDArray[np.floating[Any]]

#: How many random starts a search takes unless asked for another number.
STARTS = 60


class SearchedPoints(StationaryPoints):
    """What a search from random starts finds, where B and the letters of the quartic part do not commute.

    ``equation`` is what the points solve. A point's ``kept`` counts its eigenvalues of P: it names no canonical modes.
    """

    complete = False

    def __init__(
        self,
        call: str,
        coordinates: CanonicalCoordinates,
        given: Given,
        program: WordProgram,
        metric: Array,
        equation: str,
    ):
        super().__init__(call, coordinates, given, program, metric)
        self.equation = equation

    @property
    def origin(self) -> float:
        """The value of the landscape at W = 0."""
        return self.program.constant

    @property
    def statement(self) -> str:  # type: ignore[override]
        """What is known of the list."""
        return (
            f"no closed form: the matrices do not commute in canonical coordinates; {self.equation}; found by a search from "
            f"{self.result.starts} random starts, of which {self.result.converged} converged"
        )

    @cached_property
    def result(self) -> SearchResult:
        """What the search met."""
        return search_stationary(self.program, self.metric, self.d1, STARTS)

    def _is_known(self, found: FoundPoint) -> bool:
        return any(found.matches(point.loss, point.spectrum) for point in self.result.points)

    @property
    def count(self) -> int | CountRange:
        """At least as many as were found."""
        return CountRange(len(self.result.points), None)

    @cached_property
    def bounded_below(self) -> bool:
        """Whether the part of highest degree is nowhere negative, as far as descents show, and a minimum was met."""
        leading = self.program.leading()

        def highest(W: Array) -> tuple[float, Array]:
            return float(leading.value(W)), leading.gradient(W)

        if falls_without_end(highest, self.program.degree, self.d1, np.diagonal(self.metric)):
            return False
        return any(point.index == 0 for point in self.result.points)

    @property
    def minima(self) -> Sequence[StationaryPoint]:
        """The lowest point without descent directions that was met."""
        if not self.bounded_below:
            return ()
        lowest = next((point for point in self.result.points if point.index == 0), None)
        return () if lowest is None else (self._from(lowest),)

    def __iter__(self) -> Iterator[StationaryPoint]:
        return map(self._from, self.result.points)

    def family(self, kept: Sequence[int] = ()) -> StationaryPoint:
        """Refuse: these points keep no canonical modes."""
        raise InputError(f"{self.call}.family(kept={tuple(kept)}): {self.statement}; iterate over the points instead")

    def _from(self, point: FoundPoint) -> StationaryPoint:
        O, root, _ = np.linalg.svd(point.W @ _root(self.metric), full_matrices=False)
        rank = int((point.spectrum > 1e-9 * point.units[0]).sum())
        size = self.d1 * self.program.columns
        turned = O.T @ point.W  # rows sqrt(p_a) times a mode, also where features never vary
        rotation = rank * (self.d1 - rank) + rank * (rank - 1) // 2
        constant = self.d1 * len(self.coordinates.constant_rows)
        rest = point.nullity - rotation - constant
        stability = Stability(point.index, size - point.index - point.nullity, rotation, 0, constant, max(rest, 0))
        return StationaryPoint(
            tuple(range(rank)), root[:rank] ** 2, point.loss, stability, self.d1, turned[:rank] / root[:rank, None],
            self.given.weights,
        )  # fmt: skip

    def strengths(self, kept: tuple[int, ...]) -> Array | None:
        """None: there is no closed form."""
        return None

    def value(self, kept: tuple[int, ...], p: Array) -> float:
        """Refuse: the landscape is no function of the spectrum here."""
        raise InputError(f"{self.call}: {self.statement}")

    def stability(self, kept: tuple[int, ...], p: Array) -> Stability:
        """Refuse: see the points themselves."""
        raise InputError(f"{self.call}: {self.statement}")


def _root(metric: Array) -> Array:
    values, vectors = np.linalg.eigh(metric)
    return vectors * np.sqrt(np.clip(values, 0.0, None))
