"""How fast landscapes are derived: `python benchmarks/engine.py` prints a Markdown table. `--quick` takes seconds.

A task is "make the loss, derive its landscape, read its normal form". Its time is the median with cold caches, in a
process that has done such a task before; "warm" is the same call again, "first call" the first in a new process. Every
baseline runs in turn with its task. Where there is no other route to compare with, the baseline is a fixed yardstick.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable

import baselines
import sympy as sp
from timing import Comparison, compare, duration, fresh_processes, markdown_table, seconds, times_longer, yardstick

import symscape as ss

#: Name of a task, and what it runs.
TASKS: dict[str, Callable[[], object]] = {
    "InfoNCE, order 4": lambda: ss.landscape(ss.InfoNCE(tau=1), order=4).terms,
    "InfoNCE, order 6": lambda: ss.landscape(ss.InfoNCE(tau=1), order=6).terms,
    "InfoNCE, order 10": lambda: ss.landscape(ss.InfoNCE(tau=1), order=10).terms,
    "InfoNCE, order 12": lambda: ss.landscape(ss.InfoNCE(tau=1), order=12).terms,
    "InfoNCE, order 20": lambda: ss.landscape(ss.InfoNCE(tau=1), order=20).terms,
    "E[(\\|f(x)\\|^2)^10]": lambda: ss.landscape(ss.Loss(ss.E(ss.sqnorm(ss.anchor) ** 10)), order=20).terms,
    "NT-Xent, symbolic tau and epsilon, order 6": lambda: ss.landscape(ss.NTXent.symbolic(), order=6).terms,
    "NT-Xent, symbolic tau and epsilon, order 8": lambda: ss.landscape(ss.NTXent.symbolic(), order=8).terms,
    "InfoNCE, symbolic tau and n, order 4": lambda: ss.landscape(ss.InfoNCE.symbolic(), order=4).terms,
    "InfoNCE, symbolic tau and n, order 6": lambda: ss.landscape(ss.InfoNCE.symbolic(), order=6).terms,
}
#: Name of a task, and the time it may take in seconds.
TIME_GOALS = {
    "InfoNCE, order 12": 0.05,
    "InfoNCE, order 20": 0.5,
    "E[(\\|f(x)\\|^2)^10]": 0.05,
    "NT-Xent, symbolic tau and epsilon, order 6": 1,
    "NT-Xent, symbolic tau and epsilon, order 8": 10,
    "InfoNCE, symbolic tau and n, order 4": 1,
    "InfoNCE, symbolic tau and n, order 6": 15,
}
HEADER = ("what", "symscape", "warm", "first call", "baseline", "ratio", "goal", "met")
COMPONENTS = "explicit components, d0 = 3, d1 = 2, "


def ratio_rows(quick: bool) -> list[tuple[str, str, Callable[[], object], int | None]]:
    """Return (task, baseline in words, baseline, goal for the ratio): named routes with a goal, shrewder ones without.

    The quick table has lower orders, so its ratios are not held against the goals.
    """
    low, high = (4, 10) if quick else (6, 12)
    plain, all_pairings = (None, None) if quick else (1000, 500)
    return [
        (f"InfoNCE, order {low}", COMPONENTS + "SymPy expand", lambda: baselines.component_expansion(low), plain),
        (f"InfoNCE, order {low}", COMPONENTS + "SymPy rings", lambda: baselines.ring_expansion(low), None),
        (f"InfoNCE, order {high}", "all pairings", lambda: baselines.pairing_sum(high), all_pairings),
        (f"InfoNCE, order {high}", "pairings view by view", lambda: baselines.pairing_sum_by_view(high), None),
    ]


def first_call(name: str, rounds: int) -> float:
    """Return the median time of the first call of a task in a new process."""
    command = [sys.executable, __file__, "--first-call", name]
    return statistics.median(float(subprocess.check_output(command, text=True)) for _ in range(rounds))


def row(name: str, found: Comparison, first: float | None, baseline: str, goal: str, met: bool | None) -> list[str]:
    """Return one line of the table."""
    times = [duration(found.cold), duration(found.warm), duration(first), f"{baseline}, {duration(found.baseline)}"]
    return [name, *times, times_longer(found.ratio), goal, "" if met is None else ("yes" if met else "NO")]


def import_row(rounds: int) -> list[str]:
    """Return the line of `import symscape`, in new processes, against `import sympy`."""
    ours, theirs = fresh_processes([["-c", "import symscape"], ["-c", "import sympy"]], rounds)
    goal, met = "adds at most 0.3 s", "yes" if ours - theirs <= 0.3 else "NO"
    baseline = f"import sympy, {duration(theirs)} (adds {duration(max(ours - theirs, 0.0))})"
    return ["import symscape, new process", duration(ours), "", "", baseline, times_longer(theirs / ours), goal, met]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, baselines of lower order")
    parser.add_argument("--first-call", metavar="TASK", help="print the time of the first call of one task and stop")
    arguments = parser.parse_args()
    if arguments.first_call:
        print(seconds(TASKS[arguments.first_call]))
        return
    rounds = 1 if arguments.quick else 3
    lines = []
    for name, goal in TIME_GOALS.items():
        found = compare(TASKS[name], yardstick, rounds)
        first = first_call(name, rounds)
        lines.append(row(name, found, first, "yardstick", f"< {duration(goal)}", found.cold < goal))
    for name, words, baseline, goal in ratio_rows(arguments.quick):
        found = compare(TASKS[name], baseline, rounds)
        met = None if goal is None else found.ratio >= goal
        lines.append(row(name, found, None, words, "" if goal is None else f"ratio >= {goal}", met))
    lines.append(import_row(3 if arguments.quick else 9))
    print(f"Python {sys.version.split()[0]}, SymPy {sp.__version__}, symscape {ss.__version__}\n")
    print(markdown_table(HEADER, lines))
    print("\nThe ratio is baseline / symscape with cold caches. The yardstick is a fixed expansion in SymPy.")


if __name__ == "__main__":
    main()
