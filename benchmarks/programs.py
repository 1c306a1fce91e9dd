"""How fast compiled landscapes are: `python benchmarks/programs.py` prints a Markdown table (or `--quick`).

The InfoNCE landscape at order 4, value and gradient, against the best NumPy that can be written by hand (products shared, no
temporary too many), one matrix product of the same size, SymPy's lambdify of MatrixSymbols, and jax.jit of the same formula
where jax is installed. Run with one BLAS thread: OPENBLAS_NUM_THREADS=1 (and for jax taskset -c 0).
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from functools import partial

import numpy as np
import sympy as sp
from timing import duration, interleaved, markdown_table, times_longer

import symscape as ss

HEADER = ("what", "symscape", "baseline", "ratio", "goal", "met")
SIZES = ((64, 128), (128, 512), (512, 2048))
POINTS = 10_000
HAS_JAX = importlib.util.find_spec("jax") is not None

Array = np.ndarray


class Problem:
    """W, A_0, Sigma of one size, and the InfoNCE landscape as a function."""

    def __init__(self, d1: int, d0: int):
        rng = np.random.default_rng(0)
        root, noise = rng.standard_normal((2, d0, d0)) / np.sqrt(d0)
        self.A0 = root @ root.T
        self.Sigma = self.A0 + noise @ noise.T
        self.W = rng.standard_normal((d1, d0)) / np.sqrt(d0)
        self.function = ss.landscape(ss.InfoNCE()).numpy()
        self.floats = 4 * d1 * d0 * d0 + 4 * d1 * d1 * d0

    def symscape(self) -> tuple[float, Array]:
        """The compiled landscape."""
        return self.function.value_and_gradient(self.W, A0=self.A0, Sigma=self.Sigma)

    def by_hand(self) -> tuple[float, Array]:
        """The best NumPy: two products with W, P, and P (W Sigma), the rest in place."""
        WA, WS = self.W @ self.A0, self.W @ self.Sigma
        P = WS @ self.W.T
        value = 0.75 * np.vdot(P, P) - np.vdot(self.W, WA)
        P *= 3
        gradient = P @ WS
        WA *= 2
        gradient -= WA
        return value, gradient

    def lambdified(self) -> Callable[[], tuple[float, Array]]:
        """SymPy's lambdify of the value's traces and of the gradient in MatrixSymbols, as a user would type them."""
        d1, d0 = self.W.shape
        W, A, S = sp.MatrixSymbol("W", d1, d0), sp.MatrixSymbol("A", d0, d0), sp.MatrixSymbol("S", d0, d0)
        P = W * S * W.T
        # lambdify has no traces, so the matrices under them are taken, and traced in NumPy.
        made = sp.lambdify((W, A, S), (W * A * W.T, P * P, 3 * P * W * S - 2 * W * A), "numpy")

        def task() -> tuple[float, Array]:
            M, square, gradient = made(self.W, self.A0, self.Sigma)
            return 0.75 * np.trace(square) - np.trace(M), gradient

        return task

    def jitted(self) -> Callable[[], tuple[float, Array]]:
        """jax.jit of the formula, in float64, on arrays that are on its device."""
        import jax

        jax.config.update("jax_enable_x64", True)

        @jax.jit
        def formula(W: Array, A: Array, S: Array) -> tuple[float, Array]:
            WA, WS = W @ A, W @ S
            P = WS @ W.T
            return 0.75 * (P * P).sum() - (W * WA).sum(), 3 * P @ WS - 2 * WA

        arrays = [jax.numpy.asarray(x) for x in (self.W, self.A0, self.Sigma)]
        return lambda: jax.block_until_ready(formula(*arrays))


class Grid:
    """A grid of 2 x 2 matrices W, one array an entry, and the same as an array of matrices."""

    def __init__(self, points: int = POINTS):
        self.entries = np.random.default_rng(0).standard_normal((2, 2, points))
        self.W = np.moveaxis(self.entries, -1, 0)
        self.A0, self.Sigma = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([[3.0, 0.5], [0.5, 2.0]])
        self.function = ss.landscape(ss.InfoNCE()).numpy()

    def symscape(self) -> tuple[Array, Array]:
        """The compiled landscape on the whole grid."""
        return self.function.value_and_gradient(self.W, A0=self.A0, Sigma=self.Sigma)

    def by_hand(self) -> tuple[Array, Array]:
        """Arrays of entries, the symmetry of P used, numbers multiplied into A_0."""
        (w, x), (y, z) = self.entries
        a, b, c = -2 * self.A0[0, 0], -2 * self.A0[0, 1], -2 * self.A0[1, 1]
        s, t, u = self.Sigma[0, 0], self.Sigma[0, 1], self.Sigma[1, 1]
        gw, gx, gy, gz = a * w + b * x, b * w + c * x, a * y + b * z, b * y + c * z
        sw, sx, sy, sz = s * w + t * x, t * w + u * x, s * y + t * z, t * y + u * z
        p, q, r = sw * w + sx * x, sw * y + sx * z, sy * y + sz * z
        value = 0.5 * (w * gw + x * gx + y * gy + z * gz) + 0.75 * (p * p + r * r + 2 * q * q)
        for m in (p, q, r):
            m *= 3
        gw += p * sw + q * sy
        gx += p * sx + q * sz
        gy += q * sw + r * sy
        gz += q * sx + r * sz
        return value, np.array([[gw, gx], [gy, gz]])

    def vmapped(self) -> Callable[[], tuple[Array, Array]]:
        """jax.jit of jax.vmap of the formula."""
        import jax

        jax.config.update("jax_enable_x64", True)
        A, S = jax.numpy.asarray(self.A0), jax.numpy.asarray(self.Sigma)

        def formula(W: Array) -> tuple[float, Array]:
            WA, WS = W @ A, W @ S
            P = WS @ W.T
            return 0.75 * (P * P).sum() - (W * WA).sum(), 3 * P @ WS - 2 * WA

        made, W = jax.jit(jax.vmap(formula)), jax.numpy.asarray(self.W)
        return lambda: jax.block_until_ready(made(W))


def row(what: str, mine: float, baseline: str, other: float, goal: str, met: bool | None) -> list[str]:
    """Return one line of the table; the ratio is baseline over symscape."""
    verdict = "" if met is None else ("yes" if met else "NO")
    return [what, duration(mine), f"{baseline}, {duration(other)}", times_longer(other / mine), goal, verdict]


def rows(quick: bool = False) -> list[list[str]]:
    """Measure, and return the lines of the table."""
    lines = []
    for d1, d0 in SIZES[: 1 if quick else 3]:
        what, problem = f"value and gradient, InfoNCE, {d1} x {d0}", Problem(d1, d0)
        canonical = problem.function.canonical(A0=problem.A0, Sigma=problem.Sigma)
        V = canonical.coordinates(problem.W)
        tasks = [
            problem.symscape,
            problem.by_hand,
            partial(np.matmul, problem.W, problem.A0),
            partial(canonical.value_and_gradient, V),
            problem.lambdified(),
        ]
        tasks += [problem.jitted()] if HAS_JAX else []
        rounds, inner = (3, 5) if quick else ((41, 20) if d1 * d0 < 1e4 else (15, 5) if d1 * d0 < 1e5 else (7, 1))
        mine, hand, product, fast, lambdified, *jitted = interleaved(tasks, rounds, inner)
        (prepared,) = interleaved([partial(problem.function.canonical, A0=problem.A0, Sigma=problem.Sigma)], 1)
        peak = (problem.floats / mine) / (2 * d1 * d0 * d0 / product)
        lines.append(row(what, mine, "best NumPy by hand", hand, "ratio >= 0.91", hand / mine >= 1 / 1.1))
        met = peak >= 0.8 if d0 == 512 else None
        lines.append([what, duration(mine), f"speed of one product W A_0, {duration(product)}", f"{peak:.0%} of it",
                      ">= 80 %" if d0 == 512 else "", "" if met is None else ("yes" if met else "NO")])  # fmt: skip
        lines.append(row(what, mine, "lambdify of MatrixSymbols", lambdified, "ratio >= 2", lambdified / mine >= 2))
        if jitted:
            lines.append(row(what, mine, "jax.jit", jitted[0], "ratio >= 1", jitted[0] / mine >= 1))
        goal = "ratio >= 4" if d0 >= 512 else ""
        lines.append(row(f"the same in canonical coordinates (prepared in {duration(prepared)})", fast, "best NumPy by hand",
                         hand, goal, hand / fast >= 4 if goal else None))  # fmt: skip
    grid = Grid(1000 if quick else POINTS)
    tasks = [grid.symscape, grid.by_hand, *([grid.vmapped()] if HAS_JAX else [])]
    mine, hand, *vmapped = interleaved(tasks, 3 if quick else 41, inner=20)
    what = f"grid of {grid.W.shape[0]:,} 2 x 2"
    lines.append(row(what, mine, "arrays of entries by hand", hand, "ratio >= 0.95", hand / mine >= 1 / 1.05))
    if vmapped:
        lines.append(row(what, mine, "jax.vmap", vmapped[0], "ratio >= 3", vmapped[0] / mine >= 3))
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, small matrices")
    print(markdown_table(HEADER, rows(parser.parse_args().quick)))
    if not HAS_JAX:
        print("\njax is not installed, so that its rows are absent.")


if __name__ == "__main__":
    main()
