"""How fast the numbers are, all in one run: `python benchmarks/numerics.py` prints a Markdown table (or `--quick`).

Compiled landscapes, sampled losses, and how few samples a check needs; medians of interleaved runs on one thread. The ratio is
baseline over symscape. JAX and PyTorch are baselines where they are installed (pip install jax torch); what is absent is named.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
if hasattr(os, "sched_setaffinity"):
    # XLA takes every core that it sees, whatever the variables say.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import check  # noqa: E402
import moment_losses  # noqa: E402
import numpy as np  # noqa: E402
import pairs  # noqa: E402
import programs  # noqa: E402
from timing import markdown_table  # noqa: E402

import symscape as ss  # noqa: E402

PARTS = (programs, pairs, moment_losses, check)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, small sizes")
    quick = parser.parse_args().quick
    lines = [line for part in PARTS for line in part.rows(quick)]
    print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}, symscape {ss.__version__}, one thread\n")
    print(markdown_table(programs.HEADER, lines))
    absent = [name for name in ("jax", "torch") if importlib.util.find_spec(name) is None]
    if absent:
        print(f"\nNot installed, and so not compared with: {', '.join(absent)}.")


if __name__ == "__main__":
    main()
