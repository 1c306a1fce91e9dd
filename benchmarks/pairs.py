"""How fast losses over pairs of rows are computed: `python benchmarks/pairs.py` prints a Markdown table (or `--quick`).

One thread. Baselines run in turn with their task: a hand-written loop over tiles that does only the matrix products and NumPy's
exponential, and NT-Xent as lightly computes it, with PyTorch's autograd where PyTorch is installed, else in N x N NumPy.
"""

from __future__ import annotations

import argparse
import os
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402  # after the number of threads
import sympy as sp  # noqa: E402
from timing import compare, duration, markdown_table, times_longer  # noqa: E402

from symscape.losses.batch import CrossEntropy  # noqa: E402
from symscape.sampling.pairs.cross_entropy import CrossEntropyEvaluator  # noqa: E402

HEADER = ("what", "symscape", "baseline", "ratio", "goal", "met")
SIMILARITIES = ("sqdist", "dot")
#: At most as many times its matrix products and exponentials, for a value and for a value with gradient; MiB.
VALUE_GOAL, GRADIENT_GOAL, MEMORY_GOAL = 1.1, 1.15, 64
#: At least as many times faster than NT-Xent in N x N.
NTXENT_GOAL = 8


def views(N: int, d1: int = 64, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Return two views of N data, standard normal halved, the second with noise 0.15."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((N, d1)) / 2
    return a.astype(dtype), (a + 0.15 * rng.standard_normal((N, d1))).astype(dtype)


def evaluator(similarity: str, tau: sp.Rational = sp.S.One, pool: str = "one-way") -> CrossEntropyEvaluator:
    """Return what is measured."""
    return CrossEntropyEvaluator(CrossEntropy(similarity, tau, pool))


def bare_value(a: np.ndarray, b: np.ndarray, height: int = 256, width: int = 512) -> np.ndarray:
    """One product and one exponential for every tile, nothing else; returns the last tile."""
    memory = np.empty((height, width), a.dtype)
    for i in range(0, len(a), height):
        for j in range(0, len(b), width):
            u, v = a[i : i + height], b[j : j + width]
            tile = np.matmul(u, v.T, out=memory[: len(u), : len(v)])
            np.exp(tile, out=tile)
    return tile


def bare_gradient(a: np.ndarray, b: np.ndarray, height: int = 256, width: int = 512) -> tuple[np.ndarray, np.ndarray]:
    """Three products and one exponential for every tile, nothing else: E B and E^T A, with E = e^(A B^T)."""
    memory, by_a, by_b = np.empty((height, width), a.dtype), np.zeros_like(a), np.zeros_like(b)
    for i in range(0, len(a), height):
        for j in range(0, len(b), width):
            rows, columns = slice(i, i + height), slice(j, j + width)
            u, v = a[rows], b[columns]
            tile = np.matmul(u, v.T, out=memory[: len(u), : len(v)])
            np.exp(tile, out=tile)
            by_a[rows] += tile @ v
            by_b[columns] += tile.T @ u
    return by_a, by_b


def ntxent_numpy(a: np.ndarray, b: np.ndarray, tau: float = 0.5) -> tuple[float, np.ndarray, np.ndarray]:
    """NT-Xent with gradient in 2N x 2N arrays."""
    N, z = len(a), np.concatenate([a, b])
    lengths = np.linalg.norm(z, axis=1, keepdims=True)
    z /= lengths
    s, rows = z @ z.T / np.asarray(tau, z.dtype), np.arange(2 * N)
    partner = np.roll(rows, N)
    np.fill_diagonal(s, -np.inf)
    largest = s.max(axis=1, keepdims=True)
    shares = np.exp(s - largest)
    sums = shares.sum(axis=1, keepdims=True)
    value = float(np.mean(np.log(sums[:, 0]) + largest[:, 0] - s[rows, partner]))
    shares /= sums
    shares[rows, partner] -= 1
    gradient = (shares + shares.T) @ z / np.asarray(2 * N * tau, z.dtype)
    gradient = (gradient - z * (z * gradient).sum(axis=1, keepdims=True)) / lengths
    return value, gradient[:N], gradient[N:]


def ntxent_torch(a: np.ndarray, b: np.ndarray, tau: float = 0.5) -> tuple[float, np.ndarray, np.ndarray]:
    """NT-Xent as lightly 1.6 computes it on one device, with autograd; raises ImportError without PyTorch."""
    import torch

    torch.set_num_threads(1)
    views = [torch.from_numpy(z).clone().requires_grad_() for z in (a, b)]
    out0, out1 = (torch.nn.functional.normalize(z, dim=1) for z in views)
    others = ~torch.eye(len(a), dtype=torch.bool)
    s00, s01, s10, s11 = (torch.einsum("nc,mc->nm", u, v) / tau for u in (out0, out1) for v in (out0, out1))
    s00, s11 = s00[others].view(len(a), -1), s11[others].view(len(a), -1)
    logits = torch.cat([torch.cat([s01, s00], dim=1), torch.cat([s10, s11], dim=1)], dim=0)
    loss = torch.nn.functional.cross_entropy(logits, torch.arange(len(a)).repeat(2))
    loss.backward()
    return loss.item(), views[0].grad.numpy(), views[1].grad.numpy()


def ntxent_baseline() -> tuple[str, Callable[..., object]]:
    """Return PyTorch's NT-Xent and its name, or NumPy's where PyTorch is absent."""
    try:
        import torch  # noqa: F401
    except ImportError:
        return "N x N NumPy (PyTorch is absent)", ntxent_numpy
    return "lightly, PyTorch autograd", ntxent_torch


def peak(task: Callable[[], object]) -> float:
    """Return the memory that a call takes at most, in MiB, as NumPy reports it; what it returns included."""
    tracemalloc.start()
    task()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 2**20


@dataclass(frozen=True)
class Task:
    """One row of the table: what is measured and against what, and the goal for time over baseline."""

    name: str
    run: Callable[[], object]
    baseline_name: str
    baseline: Callable[[], object]
    goal: float


def tasks(sizes: tuple[int, ...], ntxent_size: int, d1: int = 64) -> Iterator[Task]:
    """Yield the tasks for the given numbers of data, in float32; NT-Xent in float64 too."""
    for N in sizes:
        a, b = views(N, d1)
        for similarity in SIMILARITIES:
            loss = evaluator(similarity)
            name = f"InfoNCE, {similarity}, N = {N}"
            one, three = lambda a=a, b=b: bare_value(a, b), lambda a=a, b=b: bare_gradient(a, b)
            yield Task(name, lambda f=loss, a=a, b=b: f.value(a, b), "product, exp", one, VALUE_GOAL)
            run = lambda f=loss, a=a, b=b: f.value_and_gradient(a, b)  # noqa: E731
            yield Task(f"{name}, gradient", run, "three products, exp", three, GRADIENT_GOAL)
    words, baseline = ntxent_baseline()
    for dtype in (np.float32, np.float64):
        a, b = views(ntxent_size, d1, dtype)
        loss = evaluator("cosine", sp.Rational(1, 2), "both-views")
        name = f"NT-Xent, gradient, N = {ntxent_size}, {dtype.__name__}"
        run = lambda f=loss, a=a, b=b: f.value_and_gradient(a, b)  # noqa: E731
        yield Task(name, run, words, lambda a=a, b=b: baseline(a, b), 1 / NTXENT_GOAL)


def row(task: Task, rounds: int, repeats: int) -> list[str]:
    """Measure a task in turn with its baseline and return a line of the table; the ratio is baseline over symscape."""
    found = compare(task.run, task.baseline, rounds, repeats)
    ratio, memory = found.baseline / found.warm, peak(task.run)
    met = "yes" if ratio >= 1 / task.goal and memory <= MEMORY_GOAL else "NO"
    what, baseline = f"{task.name} ({memory:.0f} MiB)", f"{task.baseline_name}, {duration(found.baseline)}"
    return [what, duration(found.warm), baseline, times_longer(ratio), f">= {1 / task.goal:.2g}", met]


def rows(quick: bool = False) -> list[list[str]]:
    """Measure, and return the lines of the table, with the memory that each takes beyond its inputs."""
    sizes, ntxent_size = ((4000,), 2000) if quick else ((4000, 16000), 4000)
    return [row(task, 3 if quick else 7, 1) for task in tasks(sizes, ntxent_size)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, small batches")
    lines = rows(parser.parse_args().quick)
    print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}, one thread\n")
    print(markdown_table(HEADER, lines))


if __name__ == "__main__":
    main()
