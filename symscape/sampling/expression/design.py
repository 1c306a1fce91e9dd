"""Which rows of which array stand for a view, and for the independent data of an expectation.

Datum x has the rows i of both arrays: x is a_i, x' is b_i. An independent datum is another row, its view taken from the other
array than the view that it is compared with, as anchors meet candidates: b_j against x, a_j against x'. Where it is compared
with both, both of its views serve in turn, and the mean over the two is taken. Views are exchangeable, so that each choice is
unbiased. Any further view needs an array of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.losses.language import Dot, SqDist
from symscape.probability.views import CROSS_MOMENT, SECOND_MOMENT, View

#: Tuples of rows per anchor, where an expectation compares three or more data at a time.
TUPLES = 1024

OTHER = {"a": "b", "b": "a"}


def arrays_of_views(expr: sp.Expr, whole: sp.Expr, given: Collection[str]) -> list[dict[View, str]]:
    """Return the array of each view of a closed expectation in a whole loss: one assignment, or two to be averaged over.

    ``given`` names views that have arrays of their own. Raises InputError for a view that needs one and has none.
    """
    here = {view.datum for view in expr.atoms(View)}
    data: dict[str, list[View]] = {}
    for view in sorted(whole.atoms(View), key=lambda v: (v.name != v.datum, v.name)):
        if view.datum in here:
            data.setdefault(view.datum, []).append(view)
    main = "x" if "x" in data else min(data, key=lambda datum: (-len(data[datum]), datum))
    fixed = _pair(data[main], "a", given)
    either, chosen = [], dict(fixed)
    for datum in sorted(set(data) - {main}):
        met = {chosen[view] for view in _compared(expr, data[datum], set(fixed))} & set(OTHER)
        if not met:
            met = {chosen[view] for view in _compared(expr, data[datum], set(chosen))} & set(OTHER)
        first = OTHER[min(met)] if met else "b"
        if len(met) == 2:
            either.append(datum)
        chosen |= _pair(data[datum], first, given)
    for view in sorted(expr.atoms(View), key=str):
        if view not in chosen:
            plain = view.moment == SECOND_MOMENT and view.cross == CROSS_MOMENT
            reason = "is one more view than the two of a batch" if plain else "has moments of its own"
            raise InputError(
                f"the view {view} of the datum {view.datum} {reason}; give it an array, views={{{view.name!r}: array}}, its "
                "rows paired with those of the batch, or write the loss with two views"
            )
    if not either:
        return [chosen]
    swapped = {view: OTHER.get(array, array) if view.datum in either else array for view, array in chosen.items()}
    return [chosen, swapped]


def _pair(views: list[View], first: str, given: Collection[str]) -> dict[View, str]:
    """Return the arrays of the views of one datum: the datum's own in ``first``, the next in the other array."""
    found: dict[View, str] = {}
    free = [first, OTHER[first]] if any(v.name == v.datum for v in views) else [OTHER[first]]
    for view in views:
        if view.name in given:
            found[view] = view.name
            if view.name == view.datum:
                free.remove(first)
        elif view.moment == SECOND_MOMENT and view.cross == CROSS_MOMENT and free:
            found[view] = free.pop(0)
    return found


def _compared(expr: sp.Expr, views: list[View], others: set[View]) -> set[View]:
    """Return which of the others stand in an inner product with one of the views; with its own view, if there is one."""
    base = views[0]
    found = set()
    for node in expr.atoms(Dot, SqDist):
        u, v = node.args
        for mine, other in ((u, v), (v, u)):
            if mine == base and other in others:
                found.add(other)
    return found


@dataclass(frozen=True)
class Shifts:
    """The rows that stand for an independent datum: row i + s of the batch, cyclically, for s in (windows, copies)."""

    table: NDArray[np.intp]
    contiguous: bool

    @property
    def count(self) -> int:
        """How many rows serve each anchor."""
        return self.table.size


def shifts_of_data(rows: int, copies: tuple[int, ...], joint: tuple[bool, ...], call: str) -> list[Shifts]:
    """Return the shifts of each independent datum of an expectation, for a batch of so many rows.

    ``copies`` of a datum are windows of as many neighbouring rows, so that all rows serve. Data that are compared with one
    another (``joint``) have disjoint sets of shifts, spread over the batch, of at most TUPLES combinations. Raises InputError
    when the batch is too small.
    """
    together = [c for c, j in zip(copies, joint, strict=True) if j]
    unit = max([*(c for c, j in zip(copies, joint, strict=True) if not j), sum(together)])
    if rows - 1 < unit:
        raise InputError(
            f"{call}: one anchor needs {unit} other rows and the batch has {rows}; give at least {unit + 1} rows"
        )
    found, offset = [], 1
    for count, is_joint in zip(copies, joint, strict=True):
        if not is_joint:
            windows = (rows - 1) // count
            found.append(Shifts(np.arange(1, windows * count + 1).reshape(windows, count), True))
            continue
        rounds = (rows - 1) // sum(together)
        bound = int((TUPLES / np.prod([float(c) for c in together])) ** (1 / len(together)) + 1e-9)
        windows = max(1, min(rounds, bound))
        starts = (np.arange(windows) * rounds // windows) * sum(together)
        found.append(Shifts(starts[:, None] + offset + np.arange(count), False))
        offset += count
    return found
