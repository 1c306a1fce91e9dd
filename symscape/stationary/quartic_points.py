"""Stationary points of -Tr(W B W^T) + alpha Tr P^2 + beta (Tr P)^2 with numbers: the complete list, each with its stability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.stationary.coordinates import CanonicalCoordinates
from symscape.stationary.count import CountRange, count_families
from symscape.stationary.given import Given
from symscape.stationary.point import Stability, StationaryPoint
from symscape.stationary.points import Minima, StationaryPoints
from symscape.stationary.word_program import WordProgram

Array = NDArray[np.floating[Any]]


class QuarticPoints(StationaryPoints):
    """The stationary points of constant - Tr(W B W^T) + alpha Tr P^2 + beta (Tr P)^2.

    Bounded below for alpha > 0 and alpha + min(d0, d1) beta > 0. Source of the spectrum and the stability: stationarity
    b_i = 2 alpha p_i + 2 beta T and the second variation, see `symscape.stationary.quartic_theory`.
    """

    complete = True

    def __init__(
        self,
        call: str,
        coordinates: CanonicalCoordinates,
        given: Given,
        program: WordProgram,
        metric: Array,
        constant: float,
        alpha: float,
        beta: float,
    ):
        super().__init__(call, coordinates, given, program, metric)
        self.constant, self.alpha, self.beta = constant, alpha, beta
        if alpha == 0:
            raise InputError(f"{call}: the quartic part has alpha = 0 at these numbers, so that P is not determined")

    @property
    def origin(self) -> float:
        """The value of the landscape at W = 0."""
        return self.constant

    @property
    def statement(self) -> str:  # type: ignore[override]
        """What is known of the list."""
        if not self.bounded_below:
            return "complete: every stationary point is a rotation of one of these"
        return (
            "complete: every stationary point is a rotation of one of these; the least value is the only local minimum, "
            "every other point is a strict saddle or a maximum, ties apart"
        )

    @cached_property
    def tie(self) -> float:
        """The distance below which two eigenvalues count as equal."""
        return self.coordinates.tie_of(np.sign(self.alpha) * self.eigenvalues)

    @property
    def _most(self) -> int:
        return min(len(self.eigenvalues), self.d1)

    @cached_property
    def count(self) -> int | CountRange:
        """The number of families, the origin included."""
        return count_families(self.eigenvalues, self.alpha, self.beta, self.d1, self.tie)

    @property
    def bounded_below(self) -> bool:
        """Whether alpha > 0 and alpha + min(d0, d1) beta > 0."""
        return self.alpha > 0 and self.alpha + self._most * self.beta > 0

    def total(self, kept: Sequence[int]) -> float | None:
        """Return T = Tr P on a set of modes; None when the sum of (*) over them leaves it open."""
        stiffness = self.alpha + self.beta * len(kept)
        return float(self.eigenvalues[list(kept)].sum()) / (2 * stiffness) if stiffness else None

    def strengths(self, kept: tuple[int, ...]) -> Array | None:
        """Return p on a set of modes; a p that is zero within the tie tolerance counts as zero."""
        total = self.total(kept)
        if total is None:
            return None
        gap = self.eigenvalues[list(kept)] - 2 * self.beta * total
        return np.where(np.abs(gap) <= self.tie, 0.0, gap) / (2 * self.alpha)

    def value(self, kept: tuple[int, ...], p: Array) -> float:
        """Return the landscape at a stationary spectrum: half its quadratic part, by Euler's identity."""
        return self.constant - float(self.eigenvalues[list(kept)] @ p) / 2

    @cached_property
    def _kept_at_minimum(self) -> tuple[int, ...]:
        """The longest prefix of modes with (alpha + beta k) b_k > beta sum_{i <= k} b_i: the margin falls with k."""
        b = self.eigenvalues[: self._most]
        sizes = np.arange(1, len(b) + 1)
        stiffness = self.alpha + self.beta * sizes
        margin = b * stiffness - self.beta * np.cumsum(b)
        kept = tuple(range(int((margin > self.tie * stiffness).sum())))
        # At the tie itself rounding may see the last mode kept here and lost in its strength.
        while kept and not ((p := self.strengths(kept)) is not None and (p > 0).all()):
            kept = kept[:-1]
        return kept

    @property
    def minima(self) -> Sequence[StationaryPoint]:
        """The families of least value: where the last kept mode is tied with one that is not, every choice among the tied."""
        if not self.bounded_below:
            return ()
        kept, b = self._kept_at_minimum, self.eigenvalues
        last = b[kept[-1]] if kept else np.inf
        tied = tuple(int(i) for i in np.flatnonzero(np.abs(b - last) <= self.tie))
        always = tuple(i for i in kept if i not in tied)
        return Minima(always, tied, len(kept) - len(always), self.family)

    def stability(self, kept: tuple[int, ...], p: Array) -> Stability:
        """Return the stability, from the blocks of the second variation (`quartic_theory.second_variation`)."""
        b, count, d1 = self.eigenvalues, len(kept), self.d1
        on = np.zeros(len(b), dtype=bool)
        on[list(kept)] = True
        free = d1 - count
        total = self.total(kept) or 0.0
        exchange = b[on][:, None] - b[~on][None, :]  # mode i of an output for mode j
        growth = 2 * self.beta * total - b[~on]  # an output without a mode takes mode j
        rotation = count * free + count * (count - 1) // 2
        stretch = np.sign(self.alpha) * (count * (count - 1) // 2)
        # alpha diag(p) + beta sqrt(p) sqrt(p)^T: by Sylvester as alpha + beta 1 1^T.
        diagonal = [np.sign(self.alpha)] * (count - 1) + [np.sign(self.alpha + self.beta * count)] * (count > 0)
        negative = int((exchange < -self.tie).sum()) + free * int((growth < -self.tie).sum())
        positive = int((exchange > self.tie).sum()) + free * int((growth > self.tie).sum())
        negative += int(max(-stretch, 0)) + diagonal.count(-1)
        positive += int(max(stretch, 0)) + diagonal.count(1)
        return Stability(
            index=negative,
            positive=positive + d1 * self.coordinates.decayed,
            rotation=rotation,
            tied=int((np.abs(exchange) <= self.tie).sum()),
            constant=d1 * len(self.coordinates.constant_rows),
            flat=free * int((np.abs(growth) <= self.tie).sum()) + diagonal.count(0),
        )

    def _candidates(self) -> Iterator[tuple[int, ...]]:
        if self.beta:
            return super()._candidates()
        possible = [int(i) for i in np.flatnonzero(np.sign(self.alpha) * self.eigenvalues > self.tie)]
        most = min(len(possible), self.d1)
        return (s for k in range(most + 1) for s in combinations(possible, k))
