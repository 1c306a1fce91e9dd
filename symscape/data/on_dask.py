"""Moments of Dask arrays: sums over chunks of rows where the chunks are, added up in a tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symscape.data.parts import Part, joined, part_of
from symscape.data.sums import Plan

#: Sums that one task adds up.
ADDED = 8


def parts_on_dask(
    view_a: Any, view_b: Any, plan: Plan, count: int, step: int, progress: Callable[[int, int], object] | None
) -> list[Part]:
    """Return the sums over each of ``count`` groups of rows of two Dask arrays: chunk j belongs to group j modulo ``count``.

    They run on the scheduler in use: a cluster where there is a client of one, else this machine. Chunks are split into
    ``step`` rows where there are too few for the groups.
    """
    import dask  # type: ignore[import-not-found, unused-ignore]

    lengths = tuple(length for length in view_a.chunks[0] if length)
    a = view_a.rechunk({0: lengths if len(lengths) >= count else step, 1: -1})
    b = view_b.rechunk(a.chunks)
    starts = np.concatenate([[0], np.cumsum(a.chunks[0])[:-1]]).tolist()
    sums_of, sum_of, shared = dask.delayed(part_of), dask.delayed(joined), dask.delayed(plan)
    blocks = zip(a.to_delayed().ravel(), b.to_delayed().ravel(), starts, strict=True)
    tasks = [sums_of(x, y, shared, start) for x, y, start in blocks]
    groups = [_tree(sum_of, tasks[k::count]) for k in range(count)]
    if progress is None:
        return list(dask.compute(*groups))
    found: list[Part] = []
    for k, group in enumerate(groups):
        found.extend(dask.compute(group))
        progress(sum(sum(a.chunks[0][g::count]) for g in range(k + 1)), a.shape[0])
    return found


def _tree(add: Any, tasks: list[Any]) -> Any:
    while len(tasks) > 1:
        tasks = [add(tasks[k : k + ADDED]) for k in range(0, len(tasks), ADDED)]
    return tasks[0]
