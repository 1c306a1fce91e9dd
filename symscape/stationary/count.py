"""How many families there are, without listing them: subsets of modes whose sum stays on one side of a bound."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

#: Steps of the exact search before it gives way to bounds.
BUDGET = 50_000
#: Cells of the tables of sums that bound a count: modes times outputs times grid.
GRID_CELLS = 2**25


@dataclass(frozen=True)
class CountRange:
    """A count that is known between two bounds; ``upper`` is None where nothing bounds it."""

    lower: int
    upper: int | None

    def __str__(self) -> str:
        if self.upper is None:
            return f"at least {self.lower}"
        return f"between {self.lower:.6g} and {self.upper:.6g}"

    __repr__ = __str__


class _OverBudget(Exception):
    pass


def count_families(b: Array, alpha: float, beta: float, d1: int, tie: float) -> int | CountRange:
    """Return the number of sets S of at most d1 modes with p_i = (b_i - 2 beta T_S) / (2 alpha) > 0 for all i in S.

    ``b`` descending. With L -> -L the stationary points stay, so alpha > 0 may be assumed; then p > 0 on S when it is at
    its least b_j, that is beta * sum_S b < b_j (alpha + beta |S|), times the sign of alpha + beta |S|. A set in which that
    holds within ``tie`` does not count: its mode would have p = 0.

    >>> count_families(np.array([3.0, 2.0, -1.0]), 1.0, 0.0, 2, 0.0)
    4
    """
    if alpha < 0:
        return count_families(-b[::-1], -alpha, -beta, d1, tie)
    most = min(len(b), d1)
    if beta == 0:
        positive = int((b > tie).sum())
        return sum(comb(positive, k) for k in range(min(most, positive) + 1))
    try:
        budget = [BUDGET]
        return 1 + sum(
            _with_least(b, j, k, alpha, beta, tie, budget) for j in range(len(b)) for k in range(1, most + 1)
        )
    except _OverBudget:
        return _bounds(b, alpha, beta, most)


def _bound(b_j: float, k: int, alpha: float, beta: float) -> tuple[float, bool] | None:
    """Return (bound, below): the other k - 1 modes must sum to less (or to more) than the bound; None when no set counts."""
    stiffness = alpha + beta * k
    if stiffness == 0:
        return None
    return b_j * stiffness / beta - b_j, (beta > 0) == (stiffness > 0)


def _with_least(b: Array, j: int, k: int, alpha: float, beta: float, tie: float, budget: list[int]) -> int:
    """Count the sets of k modes whose last is j."""
    if k - 1 > j:
        return 0
    found = _bound(float(b[j]), k, alpha, beta)
    if found is None:
        return 0
    bound, below = found
    values = b[:j] if below else -b[:j][::-1]
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return _subsets_below(values, sums, 0, k - 1, (bound if below else -bound) - tie, budget)


def _subsets_below(values: Array, sums: Array, start: int, size: int, bound: float, budget: list[int]) -> int:
    """Count subsets of ``size`` of values[start:], descending, with sum below the bound."""
    budget[0] -= 1
    if budget[0] < 0:
        raise _OverBudget
    left = len(values) - start
    if size > left:
        return 0
    if sums[start + size] - sums[start] < bound:
        return comb(left, size)
    if sums[-1] - sums[len(values) - size] >= bound:
        return 0
    rest = _subsets_below(values, sums, start + 1, size, bound, budget)
    return rest + _subsets_below(values, sums, start + 1, size - 1, bound - float(values[start]), budget)


def _bounds(b: Array, alpha: float, beta: float, most: int) -> CountRange:
    """Bound the count by tables of sums on a grid, every term rounded down in one and up in the other."""
    grid = max(64, min(4096, GRID_CELLS // (len(b) * most)))
    offsets = b - b[-1]
    step = max(float(offsets.sum()), 1e-300) / grid
    moves = np.floor(offsets / step).astype(int), np.ceil(offsets / step).astype(int)
    tables = [np.zeros((most, 2 * grid)) for _ in moves]
    for table in tables:
        table[0, 0] = 1.0
    sizes = np.arange(1, most + 1)
    stiffness = alpha + beta * sizes
    below = (beta > 0) == (stiffness > 0)
    least = greatest = 1.0
    for j in range(len(b)):
        bound = b[j] * stiffness / beta - b[j]
        place = (bound - (sizes - 1) * b[-1]) / step
        cut = np.clip(np.where(below, np.ceil(place) - 1, np.floor(place)), -1, 2 * grid - 1).astype(int)
        counts = []
        for table in tables:
            up_to = np.concatenate([np.zeros((most, 1)), np.cumsum(table, axis=1)], axis=1)
            inside = up_to[sizes - 1, cut + 1]
            counts.append(np.where(stiffness == 0, 0.0, np.where(below, inside, up_to[:, -1] - inside)))
        least += float(np.minimum(*counts).sum())
        greatest += float(np.maximum(*counts).sum())
        for table, move in zip(tables, moves, strict=True):
            shift = int(move[j])
            table[1:, shift:] += table[:-1, : 2 * grid - shift].copy()
    return CountRange(int(least), int(greatest))
