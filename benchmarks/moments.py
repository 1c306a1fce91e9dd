"""Moments of features in files: `python benchmarks/moments.py` prints a Markdown table (or `--quick`).

Two views, 1,000,000 x 512 float32, in .npy files in a temporary folder (4 GB, removed afterwards), against: the two symmetric
products that moments need, on data in memory; one-shot NumPy, which reads both files and multiplies three times; Dask on one
worker; and the memory of the process. One thread each. Dask is a baseline where it is installed (pip install 'dask[array]').
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
from timing import duration, interleaved, markdown_table, times_longer  # noqa: E402

import symscape as ss  # noqa: E402
from symscape.data.moments import FeatureMoments, feature_moments  # noqa: E402

HEADER = ("what", "symscape", "baseline", "ratio", "goal", "met")
COLUMNS = 512
#: Rows of the files, and of what the two products are timed on.
SIZES = {True: (65_536, 16_384), False: (1_000_000, 65_536)}
#: The most memory of the process, in bytes.
MEMORY = 2**30
Files = tuple[Path, Path]
Result = tuple[np.ndarray, np.ndarray]


def written_views(folder: Path, rows: int, columns: int = COLUMNS) -> Files:
    """Write two noisy views of correlated Gaussian features, with a mean, block by block; return their files."""
    rng = np.random.default_rng(0)
    mixing = (rng.standard_normal((columns, columns)) / np.sqrt(columns) + np.eye(columns)).astype(np.float32)
    files = folder / "view_a.npy", folder / "view_b.npy"
    views = [np.lib.format.open_memmap(path, "w+", np.float32, (rows, columns)) for path in files]
    for start in range(0, rows, 16_384):
        count = min(16_384, rows - start)
        common = rng.standard_normal((count, columns), np.float32) @ mixing + 1
        for view in views:
            view[start : start + count] = common + 0.5 * rng.standard_normal((count, columns), np.float32)
    for view in views:
        view.flush()
    return files


def in_one_pass(files: Files) -> FeatureMoments:
    """The task: moments with their errors."""
    return feature_moments(*files)


def two_products(a: np.ndarray, b: np.ndarray) -> Result:
    """What any route has to compute: two symmetric products, on data in memory."""
    return a.T @ a, b.T @ b


def one_shot(files: Files) -> Result:
    """Sigma and A_0 about zero as one writes them: load, three products."""
    a, b = (np.load(path) for path in files)
    cross = a.T @ b
    return (a.T @ a + b.T @ b) / (2 * len(a)), (cross + cross.T) / (2 * len(a))


def in_dask(files: Files) -> Result:
    """The same formulas in Dask as one writes them, its own chunks, on one worker thread."""
    import dask
    import dask.array as da

    a, b = (da.from_array(np.load(path, mmap_mode="r")) for path in files)
    with dask.config.set(scheduler="threads", num_workers=1):
        found: Result = dask.compute((a.T @ a + b.T @ b) / (2 * len(a)), (a.T @ b + b.T @ a) / (2 * len(a)))
    return found


def peak_memory(files: Files) -> int:
    """Return the most memory, in bytes, that a process takes for the moments, interpreter and libraries included (Linux).

    Not by getrusage, which counts the process that started it too.
    """
    code = (
        "import sys; from pathlib import Path; from symscape.data.moments import feature_moments; "
        "feature_moments(*sys.argv[1:]); print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    run = subprocess.run([sys.executable, "-c", code, *map(str, files)], capture_output=True, text=True, check=True)
    return 1024 * int(run.stdout)


def rows(quick: bool) -> list[tuple[str, ...]]:
    """Return the lines of the table."""
    count, small = SIZES[quick]
    with tempfile.TemporaryDirectory() as folder:
        files = written_views(Path(folder), count)
        a, b = (np.load(path, mmap_mode="r")[:small].copy() for path in files)
        baselines: dict[str, tuple[Callable[[], object], float, str, Callable[[float], bool]]] = {
            "two symmetric products, in memory": (
                lambda: two_products(a, b),
                count / small,
                ">= 0.8",
                lambda r: r >= 0.8,
            ),
            "NumPy, one shot, from the files": (lambda: one_shot(files), 1.0, ">= 1.5", lambda r: r >= 1.5),
        }
        if importlib.util.find_spec("dask") is not None:
            baselines["Dask, one worker"] = (lambda: in_dask(files), 1.0, ">= 3.5", lambda r: r >= 3.5)
        tasks = [lambda: in_one_pass(files), *(task for task, *_ in baselines.values())]
        own, *others = interleaved(tasks, 1 if quick else 3)
        memory = peak_memory(files)
    what = f"moments and their errors, {count:,} x {COLUMNS} float32"
    lines = []
    for (name, (_, times, goal, met)), taken in zip(baselines.items(), others, strict=True):
        ratio = taken * times / own
        verdict = "yes" if met(ratio) else "NO"
        lines.append((what, duration(own), f"{name}, {duration(taken * times)}", times_longer(ratio), goal, verdict))
    verdict = "yes" if memory < MEMORY else "NO"
    lines.append(("its peak memory", f"{memory / 2**20:.0f} MiB", "", "", "< 1024 MiB", verdict))
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, small sizes")
    quick = parser.parse_args().quick
    lines = rows(quick)
    print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}, symscape {ss.__version__}, one thread\n")
    print(markdown_table(HEADER, lines))


if __name__ == "__main__":
    main()
