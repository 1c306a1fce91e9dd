"""Where the number of surviving modes changes along a parameter: bracketed on a grid, then located."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

import numpy as np

from symscape.conditions.compiled_branches import AlongParameter, Followed

#: Steps are located to this relative accuracy.
ACCURACY = 1e-9
#: A step is verified at this relative distance from it.
ASIDE = 1e-5


class Counted(Protocol):
    """How many modes survive as a function of a parameter, and where the number changes between two of its values."""

    def count(self, value: float) -> int:
        """Return the number of surviving modes."""
        ...

    def steps(self, a: float, b: float) -> list[tuple[float, int]]:
        """Return (step, number beyond it) for every change between a and b."""
        ...


def plateaus_of(counted: Counted, grid: Sequence[float]) -> list[tuple[float, float, int]]:
    """Return (low, high, number) between the ends of a grid."""
    found, start, number = [], float(grid[0]), counted.count(float(grid[0]))
    for a, b in pairwise(grid):
        for step, beyond in counted.steps(float(a), float(b)):
            found.append((start, step, number))
            start, number = step, beyond
    found.append((start, float(grid[-1]), number))
    return found


class Bisected:
    """A count that is asked for nothing but numbers: each step by bisection."""

    def __init__(self, count: Callable[[float], int]):
        self.count = lru_cache(maxsize=None)(count)

    def steps(self, a: float, b: float) -> list[tuple[float, int]]:
        """Return (step, number beyond it) for every change between a and b."""
        if self.count(a) == self.count(b):
            return []
        middle = float(np.sqrt(a * b))
        if b - a <= ACCURACY * b:
            return [(middle, self.count(b))]
        return self.steps(a, middle) + self.steps(middle, b)


class FollowedSteps:
    """A minimum over spectra that is followed; where one mode is lost, at the zero of its strength, continued beyond it.

    On a grid every ``every``-th minimum is searched for everywhere, those between are followed from both sides.
    """

    def __init__(self, along: AlongParameter, grid: Sequence[float], every: int = 4):
        self._along = along
        self._found: dict[float, Followed] = {}
        values = [float(value) for value in grid]
        ends = sorted({*range(0, len(values), every), len(values) - 1})
        for k in ends:
            self._at(values[k])
        for i, j in pairwise(ends):
            for value in values[i + 1 : j]:
                self._at(value, values[i], values[j])

    def count(self, value: float) -> int:
        """Return the number of surviving modes."""
        return self._at(value).surviving

    def _at(self, value: float, *between: float) -> Followed:
        if value not in self._found:
            self._found[value] = self._along.at(value, [self._found[v] for v in between])
        return self._found[value]

    def steps(self, a: float, b: float) -> list[tuple[float, int]]:
        """Return (step, number beyond it) for every change between a and b."""
        left, right = self._at(a), self._at(b)
        if left.surviving == right.surviving:
            return []
        middle = float(np.sqrt(a * b))
        if b - a <= ACCURACY * b:
            return [(middle, right.surviving)]
        step = self._lost(a, b) if abs(left.surviving - right.surviving) == 1 else None
        if step is not None:
            return [(step, right.surviving)]
        self._at(middle, a, b)
        return self.steps(a, middle) + self.steps(middle, b)

    def _lost(self, a: float, b: float) -> float | None:
        """Return where one mode is lost or gained between a and b; None where it is not lost at strength zero."""
        from scipy.optimize import brentq

        ends = self._found[a], self._found[b]
        more, fewer = sorted(ends, key=lambda f: -f.surviving)
        gone = set(more.best.kept) - set(fewer.best.kept)
        if len(gone) != 1:
            return None
        (mode,) = gone

        def strength(log: float) -> float:
            found = self._along.strength(float(np.exp(log)), mode, more)
            if found is None:
                raise _NotFollowedError
            return found

        try:
            step = float(np.exp(brentq(strength, np.log(a), np.log(b), xtol=ACCURACY / 10, rtol=ACCURACY / 10)))
        except (_NotFollowedError, ValueError):
            return None
        # Next to the step itself rounding decides whether a mode counts as kept.
        sides = [
            self._along.at(v, ends) if a < v < b else e
            for v, e in zip((step * (1 - ASIDE), step * (1 + ASIDE)), ends, strict=True)
        ]
        return step if [side.surviving for side in sides] == [end.surviving for end in ends] else None


class _NotFollowedError(Exception):
    """Newton's method lost the minimum that it follows."""


class FollowedWidths:
    """The number of surviving modes by the number of outputs, followed from one to the next; searched anew at ``anchors``."""

    def __init__(self, along: AlongParameter, anchors: Sequence[int]):
        self._along = along
        self._found = {width: along.at(width) for width in anchors}

    def __call__(self, width: int) -> int:
        """Return the number of surviving modes."""
        if width not in self._found:
            below = max((w for w in self._found if w < width), default=None)
            above = min((w for w in self._found if w > width), default=None)
            near = [self._found[w] for w in (below, above) if w is not None]
            self._found[width] = self._along.at(width, near)
        return self._found[width].surviving


@dataclass(frozen=True)
class Widths:
    """A count over whole numbers of outputs; a step is at the first number beyond it."""

    counts: Callable[[int], int]

    def plateaus(self, low: int, high: int, points: int) -> list[tuple[int, int, int]]:
        """Return (first, last, number): every width where there are few, else steps between ``points`` widths bisected."""
        if high - low < points:
            grid = list(range(low, high + 1))
        else:
            grid = sorted({round(w) for w in np.geomspace(low, high, points)})
        found, first = [], low
        for a, b in pairwise(grid):
            for step in self._steps(a, b):
                found.append((first, step - 1, self.counts(first)))
                first = step
        return [*found, (first, high, self.counts(first))]

    def _steps(self, a: int, b: int) -> list[int]:
        if self.counts(a) == self.counts(b):
            return []
        if b - a == 1:
            return [b]
        middle = (a + b) // 2
        return self._steps(a, middle) + self._steps(middle, b)
