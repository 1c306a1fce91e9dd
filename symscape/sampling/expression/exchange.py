"""What each copy of a datum in a window does to a mean: how the mean's argument changes when another copy takes its place.

Sums over copies are all that the copies of a window enter together. A copy is exchanged for a typical one, which adds to each
sum the mean of all terms of the anchor; what follows from the sums is then computed anew, for every copy. So one copy that is
most of a sum is seen as that, and windows that hold nearly all data do not hide how their copies differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.sampling.expression.inputs import window_axis
from symscape.sampling.expression.reductions import Mean, Scale, Sum
from symscape.sampling.expression.tape import Tape

Array = NDArray[np.float64]


class Exchange:
    """The steps of a tape between the sums over copies of a datum, by number, and the means over it."""

    def __init__(self, tape: Tape, datum: int):
        self._tape = tape
        self._window, self._copies = window_axis(datum), window_axis(datum) + 1
        self._sums = [k for k, (step, _) in enumerate(tape.steps) if step == Sum((self._copies,))]
        given = {*self._sums, *(tape.scales[k] for k in self._sums if k in tape.scales)}
        changed = set(given)
        for k, (step, arguments) in enumerate(tape.steps):
            if not self._reduces(step) and not changed.isdisjoint(arguments):
                changed.add(k)
        means = [arguments[0] for step, arguments in tape.steps if isinstance(step, Mean) and self._reduces(step)]
        self._alone = any(self._copies in tape.axes[a] for a in changed.intersection(means))
        ends = list(means)
        needed: set[int] = set()
        while ends:
            k = ends.pop()
            if k in changed - given - needed:
                needed.add(k)
                ends.extend(tape.steps[k][1])
        self._steps = sorted(needed)

    def _reduces(self, step: Any) -> bool:
        """Whether a step compares windows: it sees them as they are, and its scale is that of its argument as it is."""
        return isinstance(step, (Mean, Scale)) and self._window in step.axes

    def __len__(self) -> int:
        """How many arrays of a block are computed anew."""
        return len(self._sums) + len(self._steps)

    def results(self, results: list[Any]) -> dict[int, Array]:
        """Return the results that change, by place: for each copy those with it exchanged.

        Where a mean's argument depends on a copy alone and on sums too, they stand beside the next copy, to whose term they
        belong. Raises InputError where a sum with a typical copy is beyond the domain of what follows.
        """
        found: dict[int, Array] = {}
        for k in self._sums:
            total, terms = results[k], results[self._tape.steps[k][1][0]]
            scale, unit = self._tape.scales.get(k), np.ones(())
            if scale is not None:
                found[scale] = results[scale].max(axis=self._window, keepdims=True)
                unit = np.exp(results[scale] - found[scale])
            total = total * unit
            exchanged = terms * -unit
            exchanged += total + total.mean(axis=self._window, keepdims=True) / terms.shape[self._copies]
            found[k] = np.roll(exchanged, 1, axis=self._copies) if self._alone else exchanged
        try:
            for k in self._steps:
                step, arguments = self._tape.steps[k]
                found[k] = step.value(*(found.get(a, results[a]) for a in arguments))
        except InputError as error:
            raise InputError(
                f"standard error, with a copy in a sum exchanged for the mean of all: {error}; the value alone does without"
            ) from None
        return found

    def by_copy(self, place: int, results: list[Any], exchanged: dict[int, Array], centre: Array | float) -> Array:
        """Return what each copy in each window does to a mean of the result at a place, times the copies in a window.

        A copy that the result depends on by itself has its own term, of which ``centre`` is typical, and its part in the sums
        that the others' terms contain.
        """
        result = results[place]
        own = self._copies in self._tape.axes[place]
        if place not in exchanged:
            return result - centre
        change: Array = result - exchanged[place]
        change -= change.mean(axis=(self._window, self._copies), keepdims=True)
        change *= change.shape[self._copies] - own
        if self._alone:
            change = np.roll(change, -1, axis=self._copies)
        if own:
            change += result - centre
        return change
