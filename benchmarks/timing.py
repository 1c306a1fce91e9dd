"""Honest timing: interleaved runs, medians, cold caches, one table. Shared by all benchmarks."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sympy as sp
from sympy.core.cache import clear_cache


def clear_caches() -> None:
    """Empty SymPy's cache and every functools cache of a symscape module, so that nothing computed before helps."""
    clear_cache()
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "symscape":
            for value in list(vars(module).values()):
                if callable(getattr(value, "cache_clear", None)):
                    value.cache_clear()
    gc.collect()


def seconds(function: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


@dataclass(frozen=True)
class Comparison:
    """Medians over interleaved rounds, in seconds: a task with cold and with warm caches, and its baseline, cold."""

    cold: float
    warm: float
    baseline: float

    @property
    def ratio(self) -> float:
        """How many times longer the baseline takes than the task with cold caches."""
        return self.baseline / self.cold


def compare(task: Callable[[], object], baseline: Callable[[], object], rounds: int, repeats: int = 5) -> Comparison:
    """Run the baseline once and the task ``repeats`` times per round, in turn, and return the medians."""
    times: dict[str, list[float]] = {"cold": [], "warm": [], "baseline": []}
    for _ in range(rounds):
        clear_caches()
        times["baseline"].append(seconds(baseline))
        for _ in range(repeats):
            clear_caches()
            times["cold"].append(seconds(task))
            times["warm"].append(seconds(task))
    return Comparison(**{name: statistics.median(values) for name, values in times.items()})


def interleaved(tasks: Sequence[Callable[[], object]], rounds: int, inner: int = 1) -> list[float]:
    """Return the median time of one call of each task, run in turn ``inner`` times a round; the first round is a warm-up."""
    times: list[list[float]] = [[] for _ in tasks]
    for number in range(rounds + 1):
        for collected, task in zip(times, tasks, strict=True):
            taken = seconds(lambda task=task: [task() for _ in range(inner)]) / inner
            if number:
                collected.append(taken)
    return [statistics.median(collected) for collected in times]


def fresh_processes(commands: Sequence[Sequence[str]], rounds: int) -> list[float]:
    """Return the median wall time of each command in a new Python process, run in turn; the first round is a warm-up."""
    times: list[list[float]] = [[] for _ in commands]
    for number in range(rounds + 1):
        for collected, command in zip(times, commands, strict=True):
            taken = seconds(lambda command=command: subprocess.run([sys.executable, *command], check=True))
            if number:
                collected.append(taken)
    return [statistics.median(collected) for collected in times]


def yardstick() -> object:
    """A fixed piece of SymPy, so that times can be compared between machines: (1 + a + b + c)^12 multiplied out."""
    return sp.expand((1 + sum(sp.symbols("a b c"))) ** 12)


def duration(value: float | None) -> str:
    """Return a time in words.

    >>> duration(0.00752), duration(12.34), duration(None)
    ('7.52 ms', '12.3 s', '')
    """
    if value is None:
        return ""
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.3g} us"


def times_longer(ratio: float) -> str:
    """Return a ratio to three digits, large ones in full."""
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, its columns padded."""
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    cells = (" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(f"| {line} |" for line in cells)
