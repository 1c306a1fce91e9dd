"""When collapse helps: labels y = theta.phi(s) + noise, least squares on N pairs (f(x), y), f with k of d modes kept.

In canonical coordinates z of a view (E z z^T = 1, A_0 diagonal with the r_i) and t of theta, mode i predicts the label with
coefficient r_i t_i. A lost mode turns its signal into noise, the bias sum (r_i t_i)^2 over lost modes; a kept one costs
variance. Views and data are jointly Gaussian, and E[s s^T] = E[s x^T] = A_0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from symscape.errors import InputError
from symscape.landscape.derivation import Derivation, DerivationStep
from symscape.probability.moments import ROUNDING, Moments

Array = NDArray[np.float64]

#: Samples, modes in all, modes kept; noise left by all modes, and what the lost modes add to it.
N, d, k = sp.symbols("N d k", positive=True)
v, bias = sp.symbols("v b_K", positive=True)


@dataclass(frozen=True)
class LeastSquaresRisk:
    """Expected risks of least squares, as SymPy expressions in N, d, k, v and b_K; made by `least_squares_risk`.

    ``coefficient`` and ``residual`` are those of one mode, in r_i and t_i; ``excess`` is over the best linear predictor from
    all modes; ``samples_below``: the N below which it does. ``steps`` derives all.
    """

    coefficient: sp.Expr
    residual: sp.Expr
    inverse_trace: sp.Expr
    collapsed_excess: sp.Expr
    full_excess: sp.Expr
    condition: sp.Rel
    samples_below: sp.Expr
    steps: Derivation


@lru_cache(maxsize=1)
def least_squares_risk() -> LeastSquaresRisk:
    """Derive the excess risks of k kept and of all d modes, and the condition under which k modes win.

    >>> found = least_squares_risk()
    >>> found.condition
    b_K/v < (d - k)/(N - d - 1)
    >>> found.full_excess
    d*v/(N - d - 1)
    """
    made: list[DerivationStep] = []

    def add(rule: str, text: str, left: str, right: sp.Expr) -> None:
        made.append(DerivationStep(len(made) + 1, rule, left, (sp.latex(right),), f"{text} = {right}"))

    r, t, beta = sp.Symbol("r_i", real=True), sp.Symbol("t_i", real=True), sp.Symbol("beta_i", real=True)
    # E(theta.s)^2 = sum_i r_i t_i^2, E theta.s z_i = r_i t_i and E z_i^2 = 1, so modes decouple.
    error = r * t**2 - 2 * beta * r * t + beta**2
    add(
        "Error of predicting theta.s along a mode by beta_i z_i",
        "E(t_i s_i - beta_i z_i)^2",
        r"\mathbb{E}(t_i s_i - \beta_i z_i)^2",
        error,
    )
    (coefficient,) = sp.solve(sp.diff(error, beta), beta)
    add("Least error: the coefficient of the mode", "beta_i", r"\beta_i", coefficient)
    residual = r * t**2 * sp.factor(error.subs(beta, coefficient) / (r * t**2))
    add("What is left of the mode, when it is kept; the sum over modes and sigma^2 make v", "v_i", "v_i", residual)
    lost = sp.factor(error.subs(beta, 0) - residual)
    add("What a lost mode adds to the noise; the sum over lost modes makes b_K", "b_i", "b_i", lost)

    # The i-th diagonal entry of (Z^T Z)^{-1} is one over the squared length of column i off the span of the k - 1 others: a
    # chi-square of m = N - k + 1 degrees of freedom. With m = 2 + a, its inverse has a mean for a > 0.
    a, length = sp.symbols("a x", positive=True)
    density = length ** (a / 2) * sp.exp(-length / 2) / (2 ** (a / 2 + 1) * sp.gamma(a / 2 + 1))
    inverse = sp.gammasimp(sp.integrate(density / length, (length, 0, sp.oo)))
    add(
        "Mean of one over a chi-square of 2 + a degrees of freedom", "E 1/chi^2", r"\mathbb{E}[1/\chi^2_{2+a}]", inverse
    )
    inverse_trace = k * inverse.subs(a, N - k + 1 - 2)
    add(
        "Sum over k diagonal entries, m = N - k + 1",
        "E Tr (Z^T Z)^{-1}",
        r"\mathbb{E}\,\mathrm{Tr}(Z^T Z)^{-1}",
        inverse_trace,
    )

    # The lost modes and the residual are independent of the kept z, so they are noise of variance v + b_K, and least
    # squares errs by (Z^T Z)^{-1} Z^T noise: variance (v + b_K) Tr (Z^T Z)^{-1} at a fresh z.
    risk = (v + bias) * (1 + inverse_trace)
    add("Risk at a fresh x, k modes kept", "R_K", "R_K", risk)
    collapsed = _tidy(risk - v)
    add("Excess over the best linear predictor from all modes", "R_K - v", "R_K - v", collapsed)
    full = _tidy(collapsed.subs({bias: 0, k: d}, simultaneous=True))
    add("The same with all d modes kept", "R - v", "R - v", full)

    # For N > d + 1 and k < d all denominators are positive.
    ratio = sp.Symbol("ratio", positive=True)
    (tie,) = sp.solve(sp.numer(sp.together((full - collapsed).subs(bias, ratio * v))), ratio)
    condition = sp.StrictLessThan(bias / v, _tidy(tie))
    add("Equal risks at this ratio; collapse wins below it", "b_K / v", r"b_K / v", _tidy(tie))
    (samples,) = sp.solve(bias / v - tie, N)
    samples = d + 1 + _tidy(samples - d - 1)
    add("Collapse wins below this number of samples", "N", "N", samples)
    return LeastSquaresRisk(
        coefficient, residual, inverse_trace, collapsed, full, condition, samples, Derivation(tuple(made))
    )


def _tidy(expr: sp.Expr) -> sp.Expr:
    """Return a factored quotient whose denominator starts with N."""
    top, bottom = sp.fraction(sp.factor(expr))
    return -top / -bottom if sp.expand(bottom).coeff(N) == -1 else top / bottom


@dataclass(frozen=True)
class CollapseReport:
    """Whether collapse helps, in numbers; made by `collapse_helps`.

    ``r`` and ``t`` list the canonical correlations and the coordinates of theta, r descending; ``kept`` are modes by place.
    ``ratio`` is b_K / v, and ``threshold`` what it must stay below. ``samples_below`` may be infinite.
    """

    r: Array
    t: Array
    kept: tuple[int, ...]
    samples: int
    noise_left: float
    bias: float
    full_excess: float
    collapsed_excess: float
    ratio: float
    threshold: float
    samples_below: float

    @property
    def helps(self) -> bool:
        """Whether the collapsed representation has the smaller expected risk."""
        return self.collapsed_excess < self.full_excess

    def __str__(self) -> str:
        sign = "<" if self.ratio < self.threshold else ">="
        told = (
            f"b_K / v = {self.ratio:.4g} {sign} (d - k)/(N - d - 1) = {self.threshold:.4g}"
            if np.isfinite(self.full_excess)
            else f"with N = {self.samples} <= d + 1 the expected risk of all {len(self.r)} modes is infinite"
        )
        risks = f"excess risk {self.collapsed_excess:.4g} collapsed, {self.full_excess:.4g} full"
        verdict = f"collapse {'helps' if self.helps else 'does not help'} (it wins for N < {self.samples_below:.4g})"
        return f"{len(self.kept)} of {len(self.r)} modes kept, N = {self.samples}: {risks}\n{told}: {verdict}"

    __repr__ = __str__


def collapse_helps(
    A0: ArrayLike, Sigma: ArrayLike, theta: ArrayLike, noise: float, samples: int, kept: int | Sequence[int]
) -> CollapseReport:
    """Return the expected excess risks with ``kept`` modes and with all, and which is smaller.

    ``A0`` and ``Sigma`` are d0 x d0, ``theta`` has d0 entries, ``noise`` is the standard deviation of the labels' noise,
    ``samples`` is N. ``kept`` is a number, of the modes with the largest r, or their places, 0-based, in descending r.
    Without the null space of Sigma. Raises MomentsError for bad moments, InputError for the rest, and for N <= k + 1, where
    the expected risk is infinite.

    >>> print(collapse_helps(np.diag([1.0, 0.5]), np.diag([1.5, 2.0]), [1.0, 0.1], noise=1.0, samples=10, kept=1))
    1 of 2 modes kept, N = 10: excess risk 0.1685 collapsed, 0.382 full
    b_K / v = 0.0009349 < (d - k)/(N - d - 1) = 0.1429: collapse helps (it wins for N < 1073)
    """
    task = _Task.of(A0, Sigma, theta, noise, samples, kept)
    signal = (task.r * task.t) ** 2
    residual = sp.lambdify(sp.symbols("r_i t_i", real=True), least_squares_risk().residual)
    noise_left = float(noise**2 + np.sum(residual(task.r, task.t)))
    lost = float(np.delete(signal, task.kept).sum())
    found, modes = least_squares_risk(), len(task.r)
    values = {N: samples, d: modes, k: len(task.kept), v: noise_left, bias: lost}

    def number(expr: sp.Expr) -> float:
        return float(expr.xreplace(values))

    infinite, finite = np.inf, samples > modes + 1
    full, threshold = (number(e) if finite else infinite for e in (found.full_excess, found.condition.rhs))
    ratio = lost / noise_left if noise_left else (infinite if lost else 0.0)
    below = number(found.samples_below) if lost else infinite
    collapsed = number(found.collapsed_excess)
    given = (task.r, task.t, task.kept, samples)
    return CollapseReport(*given, noise_left, lost, full, collapsed, ratio, threshold, below)


@dataclass(frozen=True)
class SimulatedRisk:
    """The mean excess risk over repeats of an experiment, and its standard error."""

    mean: float
    standard_error: float
    repeats: int

    def deviation(self, expected: float) -> float:
        """Return by how many standard errors the mean lies above an expected value."""
        return (self.mean - expected) / self.standard_error


def simulate_least_squares(
    A0: ArrayLike,
    Sigma: ArrayLike,
    theta: ArrayLike,
    noise: float,
    samples: int,
    kept: int | Sequence[int] | None = None,
    *,
    rng: np.random.Generator,
    repeats: int = 1000,
) -> SimulatedRisk:
    """Run the experiment: draw N pairs (f(x), y), fit by least squares, take the exact excess risk of the fit at a fresh x.

    Arguments as in `collapse_helps`; ``kept=None`` keeps all modes. The excess is over the best linear predictor from x. Its
    variance over repeats, and so the standard error, is finite for N > k + 3. Raises as `collapse_helps` does.

    >>> rng = np.random.default_rng(0)
    >>> run = simulate_least_squares([[1.0]], [[2.0]], [1.0], noise=1.0, samples=12, rng=rng, repeats=200)
    >>> abs(run.deviation(1.5 / 10)) < 4          # v = 1 + r (1 - r) t^2 = 1.5, and k / (N - k - 1) = 1 / 10
    True
    """
    task = _Task.of(A0, Sigma, theta, noise, samples, kept)
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 2:
        raise InputError(f"simulate_least_squares(repeats={repeats!r}): give an integer of at least 2")
    if not isinstance(rng, np.random.Generator):
        raise InputError(f"simulate_least_squares(rng={rng!r}): pass numpy.random.default_rng(seed)")
    clean, added = (np.sqrt(np.clip(l, 0, None)) * U for l, U in map(np.linalg.eigh, (task.A0, task.Sigma - task.A0)))
    W, best = task.whitening[list(task.kept)], task.whitening.T @ (task.r * task.t)
    found = np.empty(repeats)
    for trial in range(repeats):
        s = rng.standard_normal((samples, len(clean))) @ clean.T
        x = s + rng.standard_normal((samples, len(added))) @ added.T
        y = s @ task.theta + noise * rng.standard_normal(samples)
        weights = np.linalg.lstsq(x @ W.T, y, rcond=None)[0]
        gap = W.T @ weights - best
        found[trial] = gap @ task.Sigma @ gap
    return SimulatedRisk(float(found.mean()), float(found.std(ddof=1) / np.sqrt(repeats)), repeats)


@dataclass(frozen=True)
class _Task:
    """Checked inputs, in canonical coordinates: ``whitening`` has a row per mode, z = whitening x, r descending."""

    A0: Array
    Sigma: Array
    theta: Array
    whitening: Array
    r: Array
    t: Array
    kept: tuple[int, ...]

    @classmethod
    def of(cls, A0: Any, Sigma: Any, theta: Any, noise: Any, samples: Any, kept: Any) -> _Task:
        moments = Moments(A0=A0, Sigma=Sigma)
        cross, sigma = (np.asarray(moments[name], dtype=np.float64) for name in ("A0", "Sigma"))
        vector = np.asarray(theta, dtype=float)
        if vector.shape != sigma.shape[:1] or not np.isfinite(vector).all():
            raise InputError(f"theta has shape {vector.shape}; with this Sigma it is {sigma.shape[:1]}, and finite")
        if isinstance(noise, bool) or not isinstance(noise, (int, float, np.number)) or not 0 <= noise < np.inf:
            raise InputError(f"noise={noise!r}: give the standard deviation of the labels' noise, not negative")
        lengths, axes = np.linalg.eigh(sigma)
        present = lengths > ROUNDING * lengths[-1]
        if not present.any():
            raise InputError("Sigma is zero: there is nothing to regress on")
        root = axes[:, present] / np.sqrt(lengths[present])
        r, turned = np.linalg.eigh(root.T @ cross @ root)
        if r[0] < -ROUNDING:
            raise InputError(f"A0 has the canonical correlation {r[0]:.3g}: as E[s s^T] it is positive semidefinite")
        order = np.argsort(-r, kind="stable")
        r, whitening = np.clip(r[order], 0, 1), (root @ turned[:, order]).T
        places = _places(kept, len(r))
        if isinstance(samples, bool) or not isinstance(samples, (int, np.integer)) or samples < 1:
            raise InputError(f"samples={samples!r}: give the number N of labelled pairs, a positive integer")
        if samples <= len(places) + 1:
            raise InputError(
                f"samples={samples} with {len(places)} modes kept: the expected risk of least squares is infinite for "
                f"N <= k + 1; take samples >= {len(places) + 2}, or keep fewer modes"
            )
        return cls(cross, sigma, vector, whitening, r, whitening @ sigma @ vector, places)


def _places(kept: Any, modes: int) -> tuple[int, ...]:
    if kept is None:
        return tuple(range(modes))
    whole = isinstance(kept, (int, np.integer)) and not isinstance(kept, bool)
    try:
        places = tuple(range(kept)) if whole else tuple(sorted(int(i) for i in kept))
    except TypeError:
        places = (-1,)
    if len(set(places)) < len(places) or any(not 0 <= i < modes for i in places) or (whole and kept < 0):
        raise InputError(
            f"kept={kept!r}: give how many of the {modes} modes are kept, or their different places from 0 to {modes - 1}"
        )
    return places
