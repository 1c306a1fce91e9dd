"""Losses through d1 x d1 moments against N x N: `python benchmarks/moment_losses.py` prints a Markdown table (or `--quick`).

Value and gradient on representations N x d1, against the same loss through the Gram matrices of its rows, N x N, in NumPy; and
a step with W (value and derivative by W) once the moments of the features are known, at N and at 16 N.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy as sp
from timing import Comparison, duration, markdown_table, seconds, times_longer

import symscape as ss
from symscape.losses.batch import Spectral
from symscape.losses.loss import Loss
from symscape.sampling.forms import evaluator_of
from symscape.sampling.moments.central import view_moments

HEADER = ("what", "symscape", "baseline", "ratio", "goal", "met")
GOAL = 40.0
#: A step from moments may take this much longer at 16 N, which is noise.
SAME = 1.25

LOSSES: dict[str, Loss] = {
    "spectral": ss.SpectralContrastive(),
    "Barlow Twins": ss.BarlowTwins(0.0051, epsilon=1e-5),
    "VICReg": ss.VICReg(),
}
#: Losses that second moments determine; the spectral one does so over all pairs, i = j too.
OF_MOMENTS: dict[str, Loss] = {
    "spectral, all pairs": Loss(ss.SpectralContrastive().expr, batch=((sp.S.One, Spectral(distinct=False)),)),
    "Barlow Twins": LOSSES["Barlow Twins"],
    "VICReg": LOSSES["VICReg"],
}

Result = tuple[float, np.ndarray, np.ndarray]


# The same losses through N x N arrays


def spectral(a: np.ndarray, b: np.ndarray) -> Result:
    """The spectral contrastive loss as released: all products, the diagonal taken out."""
    count = len(a)
    products = a @ b.T
    own = np.diag(products).copy()
    np.fill_diagonal(products, 0.0)
    pairs = count * (count - 1)
    value = (products**2).sum() / pairs - 2 * own.mean()
    return value, 2 * products @ b / pairs - 2 * b / count, 2 * products.T @ a / pairs - 2 * a / count


def barlow_twins(a: np.ndarray, b: np.ndarray, lambda_: float = 0.0051, epsilon: float = 1e-5) -> Result:
    """Barlow Twins through Gram matrices of rows: sum_ij K_ij^2 = <Z Z^T, Y Y^T> / N^2."""
    count = len(a)
    centred = [z - z.mean(0) for z in (a, b)]
    scales = [1 / np.sqrt(z.var(0) + epsilon) for z in centred]
    z, y = (rows * scale for rows, scale in zip(centred, scales, strict=True))
    own, grams = (z * y).mean(0), [z @ z.T, y @ y.T]
    value = ((1 - own) ** 2).sum() + lambda_ * ((grams[0] * grams[1]).sum() / count**2 - (own**2).sum())
    gradients = []
    for rows, other, gram, scale in ((z, y, grams[1], scales[0]), (y, z, grams[0], scales[1])):
        by_rows = (2 * lambda_ / count**2) * gram @ rows + (-2 * (1 - own) - 2 * lambda_ * own) * other / count
        by_rows = by_rows - rows * (rows * by_rows).mean(0)
        gradients.append(scale * (by_rows - by_rows.mean(0)))
    return value, *gradients


def vicreg(
    a: np.ndarray, b: np.ndarray, weights: tuple[float, float, float] = (25, 25, 1), epsilon: float = 1e-4
) -> Result:
    """VICReg through Gram matrices of rows: sum_ij Cov_ij^2 = |Z Z^T|^2 / (N - 1)^2."""
    (count, d), (lambda_, mu, nu) = a.shape, weights
    difference = a - b
    value, gradients = lambda_ * (difference**2).mean(), []
    for rows, sign in ((a, 1), (b, -1)):
        z = rows - rows.mean(0)
        gram, variance = z @ z.T, (z**2).sum(0) / (count - 1)
        deviation = np.sqrt(variance + epsilon)
        value += mu / 2 * np.maximum(0, 1 - deviation).mean()
        value += nu * ((gram**2).sum() / (count - 1) ** 2 - (variance**2).sum()) / d
        slope = -mu / (2 * d) * (deviation < 1) / deviation - 4 * nu * variance / d
        by_rows = slope * z / (count - 1) + (4 * nu / d) * gram @ z / (count - 1) ** 2
        gradients.append(by_rows + sign * 2 * lambda_ * difference / (count * d))
    return value, *gradients


BASELINES: dict[str, Callable[[np.ndarray, np.ndarray], Result]] = {
    "spectral": spectral,
    "Barlow Twins": barlow_twins,
    "VICReg": vicreg,
}


# Tasks


def two_views(count: int, outputs: int, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Return two noisy views of Gaussian data."""
    rng = np.random.default_rng(0)
    datum = rng.standard_normal((count, outputs))
    a, b = (datum + 0.5 * rng.standard_normal(datum.shape) for _ in range(2))
    return a.astype(dtype), b.astype(dtype)


def on_rows(name: str, count: int, outputs: int, dtype: type = np.float64) -> tuple[Callable, Callable]:
    """Return value and gradient of a loss through moments, and through N x N, as tasks."""
    views = two_views(count, outputs, dtype)
    ((_, form),) = LOSSES[name].batch
    evaluator = evaluator_of(form)
    return lambda: evaluator.value_and_gradient(*views), lambda: BASELINES[name](*views)


@dataclass(frozen=True)
class Step:
    """Value and derivative by W of a loss, from moments of the features that are known."""

    name: str
    count: int
    features: int
    outputs: int

    def task(self) -> Callable[[], tuple[float, np.ndarray]]:
        """Return the step as a task; the moments are computed here, once."""
        ((_, form),) = OF_MOMENTS[self.name].batch
        evaluator = evaluator_of(form)
        moments = view_moments(*two_views(self.count, self.features))
        W = np.random.default_rng(1).standard_normal((self.outputs, self.features)) / np.sqrt(self.features)

        def step() -> tuple[float, np.ndarray]:
            value, by_mean, by_second = evaluator.from_moments(moments.image(W))
            by_W = by_mean.T @ moments.mean
            for u, v in ((0, 0), (1, 1), (0, 1)):
                D, S = by_second[u, v], moments.second[u, v]
                by_W += D @ (W @ S.T) + D.T @ (W @ S)
            return value, by_W

        return step


def interleaved(task: Callable, baseline: Callable, rounds: int, repeats: int) -> Comparison:
    """Run both in turn and return medians; nothing is cached between calls, so no cache is cleared."""
    first, again, other = [], [], []
    for _ in range(rounds):
        other.append(seconds(baseline))
        first.append(seconds(task))
        again += [seconds(task) for _ in range(repeats)]
    return Comparison(statistics.median(first), statistics.median(again), statistics.median(other))


def rows(quick: bool = False, count: int = 4000, outputs: int = 64, features: int = 128) -> list[list[str]]:
    """Measure, and return the lines of the table; the goal is one for N = 4000."""
    rounds, repeats = (1, 3) if quick else (7, 5)
    lines = []
    for name in LOSSES:
        found = interleaved(*on_rows(name, count, outputs), rounds, repeats)
        what = f"{name}, value + gradient, N = {count}, d1 = {outputs}"
        lines.append(line(what, found, "N x N", f">= {GOAL:g}", found.baseline / found.warm >= GOAL))
    for name in OF_MOMENTS:
        few, many = (Step(name, size, features, outputs).task() for size in (count, 16 * count))
        found = interleaved(few, many, 10 * rounds, 1)
        what = f"{name}, one step of W, d0 = {features}, moments known, N = {count}"
        lines.append(line(what, found, f"N = {16 * count}", f"<= {SAME:g}", found.baseline / found.warm <= SAME))
    return lines


def line(what: str, found: Comparison, baseline: str, goal: str, met: bool) -> list[str]:
    """Return one line of the table: what a loop sees, calls after the first."""
    words = f"{baseline}, {duration(found.baseline)}"
    return [what, duration(found.warm), words, times_longer(found.baseline / found.warm), goal, "yes" if met else "NO"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round")
    quick = parser.parse_args().quick
    print(
        f"Python {sys.version.split()[0]}, NumPy {np.__version__}, SymPy {sp.__version__}, symscape {ss.__version__}\n"
    )
    print(markdown_table(HEADER, rows(quick)))


if __name__ == "__main__":
    main()
