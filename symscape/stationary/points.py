"""All stationary points of a landscape with numbers, one point a family; lazy, as families are combinatorially many."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, islice
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError, UncountedError
from symscape.stationary.coordinates import CanonicalCoordinates
from symscape.stationary.count import CountRange
from symscape.stationary.given import Given
from symscape.stationary.point import Stability, StationaryPoint
from symscape.stationary.search import SAME, FoundPoint, SearchResult, search_stationary
from symscape.stationary.word_program import WordProgram

Array = NDArray[np.floating[Any]]

#: Families beyond this many modes are not listed where each has to be tried.
LISTED_MODES = 18
#: Up to this many modes a point that was met is compared with every family.
COMPARED_MODES = 8


class Minima(Sequence[StationaryPoint]):
    """The families of least value: one, or where eigenvalues are tied, one per choice among the tied modes. Lazy."""

    def __init__(
        self, always: tuple[int, ...], among: tuple[int, ...], size: int, make: Callable[..., StationaryPoint]
    ):
        self._always, self._among, self._size, self._make = always, among, size, make

    def __len__(self) -> int:
        return comb(len(self._among), self._size)

    def __iter__(self) -> Iterator[StationaryPoint]:
        return (self._make((*self._always, *chosen)) for chosen in combinations(self._among, self._size))

    def __getitem__(self, place: int | slice) -> StationaryPoint | tuple[StationaryPoint, ...]:  # type: ignore[override]
        if isinstance(place, slice):
            return tuple(self)[place]
        if not -len(self) <= place < len(self):
            raise IndexError(f"minima[{place}]: there are {len(self)}")
        return next(islice(iter(self), place % len(self), None))

    def __repr__(self) -> str:
        return f"[{', '.join(map(str, islice(self, 3)))}{', ...' if len(self) > 3 else ''}]"


class StationaryPoints(ABC):
    """The stationary points of one landscape, one per family (set of kept modes).

    ``count``: how many families; ``minima``: those of least value; ``family(kept=(0, 2))``: the point that keeps these
    modes; iterating lists all. ``complete``: whether there are no others, and ``statement`` says why.
    """

    def __init__(self, call: str, coordinates: CanonicalCoordinates, given: Given, program: WordProgram, metric: Array):
        self.call, self.coordinates, self.given = call, coordinates, given
        self.program, self.metric = program, metric
        self._found: SearchResult | None = None

    complete: bool
    statement: str
    #: What the landscape rests on beyond its own assumptions.
    notes: tuple[str, ...] = ()

    @property
    @abstractmethod
    def origin(self) -> float:
        """The value of the landscape at W = 0."""

    @property
    def eigenvalues(self) -> Array:
        """The b_i of the modes, descending."""
        return self.coordinates.eigenvalues

    @property
    @abstractmethod
    def count(self) -> int | CountRange:
        """The number of families."""

    @property
    @abstractmethod
    def bounded_below(self) -> bool:
        """Whether the landscape has a least value."""

    @property
    @abstractmethod
    def minima(self) -> Sequence[StationaryPoint]:
        """The families of least value; empty for a landscape that is not bounded below."""

    @abstractmethod
    def strengths(self, kept: tuple[int, ...]) -> Array | None:
        """Return p on a set of modes, or None when no stationary point keeps exactly these."""

    @abstractmethod
    def value(self, kept: tuple[int, ...], p: Array) -> float:
        """Return the landscape at a spectrum."""

    @abstractmethod
    def stability(self, kept: tuple[int, ...], p: Array) -> Stability:
        """Return the stability of the family."""

    @property
    def d1(self) -> int:
        """The number of outputs."""
        return self.given.d1

    def family(self, kept: Sequence[int] = ()) -> StationaryPoint:
        """Return the point that keeps exactly these modes (0-based, in descending b_i).

        Raises InputError for modes that do not exist, and for a set of modes that no stationary point keeps.
        """
        if isinstance(kept, str) or not isinstance(kept, Iterable):
            raise InputError(f"{self.call}.family(kept={kept!r}): kept is a tuple of modes, such as (0, 2)")
        call = f"{self.call}.family(kept={tuple(kept)})"
        modes = len(self.eigenvalues)
        if any(isinstance(i, bool) or not hasattr(i, "__index__") for i in kept):
            raise InputError(f"{call}: modes are integers, 0 to {modes - 1} in descending b_i")
        chosen = tuple(sorted(int(i) for i in kept))
        if len(set(chosen)) < len(chosen) or any(not 0 <= i < modes for i in chosen):
            raise InputError(f"{call}: modes are different integers from 0 to {modes - 1}, in descending b_i")
        if len(chosen) > self.d1:
            raise InputError(f"{call}: {len(chosen)} modes do not fit into d1 = {self.d1} outputs")
        p = self.strengths(chosen)
        if p is None or (p <= 0).any():
            what = "has no solution" if p is None else f"gives p = {np.array2string(p, precision=3)}"
            raise InputError(f"{call}: no stationary point keeps exactly these modes: stationarity {what}; see minima")
        return self._point(chosen, p)

    def _point(self, kept: tuple[int, ...], p: Array) -> StationaryPoint:
        rows = self.coordinates.rows[list(kept)]
        return StationaryPoint(kept, p, self.value(kept, p), self.stability(kept, p), self.d1, rows, self.given.weights)

    def search(
        self,
        starts: int = 200,
        rng: np.random.Generator | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> SearchResult:
        """Search for stationary points from random W, assuming nothing about them; ``unmatched``: those in no family.

        ``progress`` is called with (starts done, starts). Raises InputError unless ``starts`` is a positive integer.
        """
        if isinstance(starts, bool) or not hasattr(starts, "__index__") or int(starts) < 1:
            raise InputError(f"{self.call}.search(starts={starts!r}): a positive integer")
        found = search_stationary(self.program, self.metric, self.d1, int(starts), rng, progress)
        self._found = replace(found, unmatched=tuple(point for point in found.points if not self._is_known(point)))
        return self._found

    def _is_known(self, found: FoundPoint) -> bool:
        """Whether a family has the value and the spectrum of a point; the modes that it keeps are read off first."""
        coefficients = found.W @ self.metric @ self.coordinates.rows.T
        _, roots, across = np.linalg.svd(coefficients, full_matrices=False)
        directions = across[roots**2 > SAME / 10 * found.units[0]]
        for kept in (self._by_eigenvalue(directions), self._by_weight(directions)):
            p = self.strengths(kept)
            if p is not None and (p > 0).all() and found.matches(self.value(kept, p), p):
                return True
        if len(self.eigenvalues) > COMPARED_MODES:
            return False
        families = ((kept, self.strengths(kept)) for kept in self._candidates())
        return any(found.matches(self.value(kept, p), p) for kept, p in families if p is not None and (p > 0).all())

    def _by_eigenvalue(self, directions: Array) -> tuple[int, ...]:
        left = list(range(len(self.eigenvalues)))
        for b in sorted(directions**2 @ self.eigenvalues, reverse=True):
            left.remove(min(left, key=lambda j: abs(self.eigenvalues[j] - b)))
        return tuple(i for i in range(len(self.eigenvalues)) if i not in left)

    def _by_weight(self, directions: Array) -> tuple[int, ...]:
        weights = (directions**2).sum(axis=0)
        return tuple(sorted(int(i) for i in np.argsort(-weights, kind="stable")[: len(directions)]))

    def _candidates(self) -> Iterator[tuple[int, ...]]:
        modes = len(self.eigenvalues)
        if modes > LISTED_MODES:
            raise InputError(
                f"list({self.call}): 2^{modes} sets of modes would have to be tried; name families, "
                f"family(kept=...), or use minima"
            )
        return (s for k in range(min(modes, self.d1) + 1) for s in combinations(range(modes), k))

    def __iter__(self) -> Iterator[StationaryPoint]:
        for kept in self._candidates():
            p = self.strengths(kept)
            if p is not None and (p > 0).all():
                yield self._point(kept, p)

    def __len__(self) -> int:
        if isinstance(self.count, CountRange):
            raise UncountedError(f"len({self.call}): the number of families is {self.count}; it is not known exactly")
        return self.count

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        lines = [
            f"{self.call}: {self.count} {'family' if self.count == 1 else 'families'} of stationary points, d1 = {self.d1}",
            f"  {self.statement}",
        ]
        never = self.given.columns - len(self.eigenvalues)
        if never:
            lines.append(f"  the features never vary in {never} directions, to 1e-6 of the largest deviation")
        if self.bounded_below:
            minima = self.minima
            lines += [f"  {point}" for point in islice(minima, 3)]
            lines += [f"  ... {len(minima)} families of least value"] * (len(minima) > 3)
        else:
            lines.append("  not bounded below: there is no global minimum")
        return "\n".join(lines)

    __repr__ = __str__
