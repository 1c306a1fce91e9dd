"""How fast stationary points and thresholds are found: `python benchmarks/geometry.py` prints a Markdown table (or `--quick`).

Symbolic tasks start from a derived landscape, with cold caches; numeric ones from the moments. Baselines run in turn with
their task: SymPy on the gradient's components, and SciPy's L-BFGS with a hand-written gradient from a random start.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import islice

import numpy as np
import sympy as sp
from timing import Comparison, compare, duration, markdown_table, times_longer, yardstick

import symscape as ss

gamma = sp.Symbol("gamma", positive=True)
HEADER = ("what", "symscape", "warm", "baseline", "ratio", "goal", "met")
GOAL = 2.0

LOSSES: dict[str, Callable[[], ss.Loss]] = {
    "InfoNCE, symbolic tau": lambda: ss.InfoNCE(tau=sp.Symbol("tau", positive=True)),
    "InfoNCE, symbolic tau and n": ss.InfoNCE.symbolic,
    "smooth NT-Xent, symbolic": ss.NTXent.symbolic,
    "spectral": ss.SpectralContrastive,
    "raw Barlow Twins": ss.BarlowTwins,
}


def families_and_thresholds(loss: ss.Loss) -> Callable[[], object]:
    """Return the task: families of up to three modes, and the conditions in weight decay and in every parameter."""
    land, decayed = ss.landscape(loss), ss.landscape(loss + ss.WeightDecay(gamma))

    def task() -> object:
        families = ss.stationary_points(land)
        found = [str(families.family(range(k))) for k in range(3)]
        parameters = [s for s in land.parameters if s.name != "d_1"]
        return [*found, str(ss.threshold(decayed, gamma)), *(str(ss.threshold(land, s)) for s in parameters)]

    return task


def rotations(loss: ss.Loss) -> Callable[[], object]:
    """Return the task for a loss of single outputs: its landscape at equal shares, and stationarity per hinge regime."""
    return lambda: [str(regime.stationarity) for regime in ss.hinge_regimes(loss)]


def sympy_stationary_points() -> object:
    """The same question to SymPy in components, at d0 = 2 and d1 = 1 with numbers: what a user would try first."""
    w = sp.Matrix([sp.symbols("w1 w2", real=True)])
    A, S = sp.Matrix([[2, 1], [1, 1]]), sp.Matrix([[3, 1], [1, 2]])
    p, m = (w * S * w.T)[0], (w * A * w.T)[0]
    L = -m + sp.Rational(3, 4) * p**2
    return sp.solve([sp.expand(sp.diff(L, v)) for v in w], list(w), dict=True)


class Large:
    """Random moments at d0 = d1 = size, with weight decay that does not commute with them."""

    def __init__(self, size: int):
        rng = np.random.default_rng(0)
        F, E = rng.standard_normal((2, size, 2 * size)) / np.sqrt(size)
        self.A0, self.size = F @ F.T, size
        self.Sigma = self.A0 + E @ E.T
        self.gamma = float(np.median(np.linalg.eigvalsh(self.A0)))
        self.land = ss.landscape(ss.InfoNCE() + ss.WeightDecay(gamma))

    def task(self) -> object:
        """Global minimum, count, collapse report, and a hundred named families as matrices."""
        points = ss.stationary_points(self.land, self.A0, self.Sigma, self.size, gamma=self.gamma)
        report = ss.collapse(self.land, self.A0, self.Sigma, self.size, gamma=self.gamma)
        places = np.arange(100) % (report.surviving - 1)
        named = [points.family(kept=(k, report.surviving - 1)).W for k in places]
        return points.minima[0].loss, points.count, report.surviving, len(named)

    def descent(self) -> object:
        """Minimise over W by L-BFGS; the gradient is written by hand."""
        from scipy.optimize import minimize

        B = self.A0 - self.gamma * np.eye(self.size)

        def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
            W = flat.reshape(self.size, self.size)
            WB, WS = W @ B, W @ self.Sigma
            P = WS @ W.T
            return float(-np.vdot(W, WB) + 0.75 * np.vdot(P, P)), (-2 * WB + 3 * P @ WS).ravel()

        start = 0.1 * np.random.default_rng(1).standard_normal(self.size**2) / np.sqrt(self.size)
        return minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).fun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round, smaller matrices")
    quick = parser.parse_args().quick
    rounds, repeats = (1, 1) if quick else (3, 3)
    tasks = {f"families and thresholds: {name}": families_and_thresholds(make()) for name, make in LOSSES.items()}
    tasks |= {f"least over rotations: {name}": rotations(make()) for name, make in _OUTPUTS.items()}
    lines = []
    for place, (name, task) in enumerate(islice(tasks.items(), 3 if quick else None)):
        plain = place == 0
        found = compare(task, sympy_stationary_points if plain else yardstick, rounds, repeats)
        words = "SymPy solve, d0 = 2, d1 = 1, numbers" if plain else "yardstick"
        lines.append(row(name, found, words))
    large = Large(64 if quick else 512)
    name = f"d0 = d1 = {large.size}: minimum, count, collapse, 100 families"
    lines.append(
        row(name, compare(large.task, large.descent, 1, repeats), "one descent by L-BFGS, hand-written gradient")
    )
    print(f"Python {sys.version.split()[0]}, SymPy {sp.__version__}, symscape {ss.__version__}\n")
    print(markdown_table(HEADER, lines))


_OUTPUTS: dict[str, Callable[[], ss.Loss]] = {
    "VICReg, symbolic": ss.VICReg.symbolic,
    "Barlow Twins, symbolic lambda": lambda: ss.BarlowTwins(lambda_=sp.Symbol("lambda", positive=True), epsilon=0),
}


def row(name: str, found: Comparison, baseline: str) -> list[str]:
    """Return one line of the table."""
    times = [duration(found.cold), duration(found.warm), f"{baseline}, {duration(found.baseline)}"]
    return [name, *times, times_longer(found.ratio), f"< {duration(GOAL)}", "yes" if found.cold < GOAL else "NO"]


if __name__ == "__main__":
    main()
