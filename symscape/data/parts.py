"""Sums over parts of the rows, with what was bad in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.data.features import SHOWN, good_rows
from symscape.data.sums import PairedSums, Plan, Sums
from symscape.data.threads import one_thread


@dataclass(frozen=True, eq=False)
class Part:
    """Sums over some rows, None where none is good.

    ``bad``: how many rows are not finite, ``first`` the numbers of the first; ``overflow``: the largest entry, where its
    square is not finite in float64, else 0.
    """

    sums: PairedSums | None
    bad: int = 0
    first: tuple[int, ...] = ()
    overflow: float = 0.0


def part_of(a: NDArray[Any], b: NDArray[Any], plan: Plan, start: int) -> Part:
    """Return the sums over rows of two views, the first of which has the number ``start``."""
    sums = Sums(plan)
    with one_thread():
        bad, overflow = add_good_rows(sums, np.asarray(a), np.asarray(b))
    first = tuple((start + bad[:SHOWN]).tolist())
    return Part(sums.sums if sums.rows else None, len(bad), first, overflow)


def add_good_rows(sums: Sums, a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.int64], float]:
    """Add the finite rows of two views; return the numbers of the others, and the largest entry where squares overflow."""
    if sums.add(a, b):
        return np.zeros(0, np.int64), 0.0
    good = good_rows(a, b)
    bad = np.flatnonzero(~good)
    a, b = a[good], b[good]
    if sums.add(a, b, np.dtype(np.float64)):
        return bad, 0.0
    return bad, max(float(np.abs(a).max()), float(np.abs(b).max()))


def joined(parts: Sequence[Part]) -> Part:
    """Return the sums over the rows of several parts."""
    sums = [part.sums for part in parts if part.sums is not None]
    first = tuple(sorted(number for part in parts for number in part.first)[:SHOWN])
    overflow = max(part.overflow for part in parts)
    return Part(reduce(add, sums) if sums else None, sum(part.bad for part in parts), first, overflow)
