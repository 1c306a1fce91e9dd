"""Stationary points on the aligned family, for landscapes with further words than alpha Tr P^2 + beta (Tr P)^2."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.spectrum.minimum import find_minimum
from symscape.stationary.aligned import AlignedForm
from symscape.stationary.coordinates import CanonicalCoordinates
from symscape.stationary.count import CountRange
from symscape.stationary.given import Given
from symscape.stationary.point import Stability, StationaryPoint
from symscape.stationary.points import LISTED_MODES, StationaryPoints
from symscape.stationary.word_program import WordProgram

Array = NDArray[np.floating[Any]]

#: A strength below this, relative to the largest, is zero.
VANISHING = 1e-10


class AlignedPoints(StationaryPoints):
    """The stationary points along the modes: at order 4 one linear system per set of kept modes, above it Newton's method.

    ``complete`` where every word beyond the quadratic part is in one letter: then P and B' commute at every stationary
    point. Else other points may exist, and `search` looks for them.
    """

    def __init__(
        self,
        call: str,
        coordinates: CanonicalCoordinates,
        given: Given,
        program: WordProgram,
        metric: Array,
        form: AlignedForm,
        one_letter: bool,
    ):
        super().__init__(call, coordinates, given, program, metric)
        self.form, self._one_letter = form, one_letter

    @property
    def complete(self) -> bool:  # type: ignore[override]
        """Whether every stationary point is listed."""
        return self._one_letter and self.form.degree <= 2

    @property
    def origin(self) -> float:
        """The value of the landscape at W = 0."""
        return self.form.constant

    @property
    def statement(self) -> str:  # type: ignore[override]
        """What is known of the list."""
        branch = ""
        if self.form.degree > 2:
            branch = (
                "; above order 4 a set of modes may have several points: the one that continues the quartic is given"
            )
        met = "search() looks for them" if self._found is None else f"a search met {self._found}"
        if self._one_letter:
            others = f", and {met}" if branch else ""
            return f"every stationary point is aligned with the modes{branch}{others}"
        return f"the aligned family; points that are not aligned with the modes may exist, and {met}{branch}"

    @cached_property
    def count(self) -> int | CountRange:
        """The number of families found; bounds where there are too many sets of modes to try."""
        modes, most = len(self.eigenvalues), min(len(self.eigenvalues), self.d1)
        if modes > LISTED_MODES:
            return CountRange(1, sum(comb(modes, k) for k in range(most + 1)))
        return sum(1 for kept in self._candidates() if (p := self.strengths(kept)) is not None and (p > 0).all())

    @cached_property
    def bounded_below(self) -> bool:
        """Whether the part of highest degree is positive for every spectrum, found numerically."""
        modes, size = len(self.eigenvalues), min(len(self.eigenvalues), self.d1)
        leading, slope = self.form.leading(), self.form.gradient(np.zeros(modes))
        scale = max((abs(leading.value(p)) for p in np.eye(modes)), default=0.0)

        def falls(p: Array) -> bool:
            # Where the highest degree vanishes, as along a mean that only shifts, the quadratic part decides.
            highest = leading.value(p)
            return bool(highest < -1e-12 * scale or (highest <= 1e-12 * scale and slope @ p < 0))

        if any(falls(p) for p in np.eye(modes)):
            return False
        none = np.zeros(modes)
        found = find_minimum(leading, none, none, modes)
        if not falls(found.p) or found.surviving <= size:
            return not falls(found.p)
        first = find_minimum(self.form.first(size).leading(), none[:size], none[:size], size)
        return not falls(np.concatenate([first.p, none[size:]]))

    @cached_property
    def minima(self) -> Sequence[StationaryPoint]:
        """The aligned point of least value; empty when L is not bounded below."""
        if not self.bounded_below:
            return ()
        modes = len(self.eigenvalues)
        if modes <= LISTED_MODES and self.form.degree <= 2:
            return (min(self, key=lambda point: (point.loss, point.rank)),)
        size, none = min(modes, self.d1), np.zeros(modes)
        if self.form.decoupled:
            strengths, values = self.form.lowest_per_mode()
            chosen = np.argsort(values, kind="stable")[:size]
            kept = tuple(sorted(int(k) for k in chosen if strengths[k] > 0))
            return (self._point(kept, strengths[list(kept)]),)
        # A mode may be kept beyond a barrier that a joint descent does not cross: every prefix starts one of its own.
        prefixes = sorted({size, *np.unique(np.geomspace(1, size, 18).astype(int)).tolist()})
        found = min((find_minimum(self.form.first(k), none, none, k) for k in prefixes), key=lambda m: m.value)
        return (self._point(found.kept, found.p[list(found.kept)]),)

    def strengths(self, kept: tuple[int, ...]) -> Array | None:
        """Return p on a set of modes, or None when the equations have no solution with all of them positive."""
        on = list(kept)
        if not on:
            return np.zeros(0)
        zero = np.zeros(len(self.eigenvalues))
        slope, bend = self.form.gradient(zero)[on], self.form.hessian(zero)[np.ix_(on, on)]
        try:
            p = np.linalg.solve(bend, -slope)
        except np.linalg.LinAlgError:
            return None
        p = np.where(np.abs(p) <= VANISHING * np.abs(p).max(), 0.0, p)
        return p if self.form.degree <= 2 else self._continued(on, p)

    def _continued(self, on: list[int], start: Array) -> Array | None:
        """Follow the solution of the quartic part as the higher parts are switched on."""
        if (start <= 0).any():
            return None
        zero = np.zeros(len(self.eigenvalues))
        first, second = self.form.gradient(zero)[on], self.form.hessian(zero)[np.ix_(on, on)]
        p, full = start.copy(), zero.copy()
        for share in np.linspace(0.05, 1.0, 20):
            for _ in range(30):
                full[on] = p
                low, low_bend = first + second @ p, second
                residual = (1 - share) * low + share * self.form.gradient(full)[on]
                bend = (1 - share) * low_bend + share * self.form.hessian(full)[np.ix_(on, on)]
                try:
                    step = np.linalg.solve(bend, -residual)
                except np.linalg.LinAlgError:
                    return None
                p = p + step
                if (p <= 0).any() or not np.isfinite(p).all():
                    return None
                if np.abs(step).max() <= 1e-14 * np.abs(p).max():
                    break
            else:
                return None
        return p

    def value(self, kept: tuple[int, ...], p: Array) -> float:
        """Return the landscape at a spectrum."""
        full = np.zeros(len(self.eigenvalues))
        full[list(kept)] = p
        return self.form.value(full)

    def stability(self, kept: tuple[int, ...], p: Array) -> Stability:
        """Return the stability, from the blocks of the second variation."""
        coordinates = self.coordinates
        return self.form.stability(kept, p, self.d1, len(coordinates.constant_rows), coordinates.decayed)
