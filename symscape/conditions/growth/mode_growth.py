"""Growth of modes as a value: in symbols and with numbers; and the logistic that a quartic landscape makes of one mode."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError

Array = NDArray[np.floating[Any]]

#: |W u_k|^2 and its initial value, the time of the flow, and the part of the plateau that is reached.
q_k, q_0 = sp.symbols("q_k q_0", positive=True)
time_of_flow, part = sp.symbols("time fraction", positive=True)


@lru_cache
def logistic() -> tuple[sp.Expr, sp.Expr]:
    """Return q(t) with dq/dt = a q - b q^2 and q(0) = q_0, and the time at which q = fraction a / b, in the symbols a, b.

    >>> logistic()[1]
    log(-fraction*(a - b*q_0)/(b*q_0*(fraction - 1)))/a
    """
    a, b = sp.symbols("a b", positive=True)
    inverse = sp.Function("v")
    # Bernoulli: v = 1/q obeys the linear dv/dt = -a v + b.
    equation = sp.Eq(inverse(time_of_flow).diff(time_of_flow), -a * inverse(time_of_flow) + b)
    v = sp.dsolve(equation, inverse(time_of_flow), ics={inverse(0): 1 / q_0}).rhs
    # v is affine in e^{-a t}; solved for it, time is a logarithm.
    decay = sp.Symbol("E", positive=True)
    affine = sp.expand(v.rewrite(sp.exp)).subs(sp.exp(-a * time_of_flow), decay)
    (solution,) = sp.solve(sp.Eq(affine, b / (part * a)), decay)
    return sp.simplify(1 / v), sp.log(sp.factor(1 / solution)) / a


@dataclass(frozen=True)
class Growth:
    """Growth of one mode, in symbols: ``lambda_k`` and ``sigma_k`` are A_0 and Sigma along it.

    ``kappa``: eigenvalue of B; ``weight_rate`` = 2 kappa: |W u_k| grows like e^{2 kappa t}; ``flow``: dq/dt of q = |W u_k|^2;
    ``plateau``: where it ends, ``solution``: q(t), ``time``: until a fraction of the plateau, from q_0 = |W(0) u_k|^2; None
    where the flow is no logistic or modes couple. ``assumptions``: what these rest on.
    """

    name: str
    kappa: sp.Expr
    flow: sp.Expr
    plateau: sp.Expr | None
    solution: sp.Expr | None
    time: sp.Expr | None
    assumptions: tuple[str, ...]

    @property
    def weight_rate(self) -> sp.Expr:
        """The rate at which |W u_k| grows near the origin; modes are learned by descending rate."""
        return 2 * self.kappa

    def __str__(self) -> str:
        lines = [f"{self.name}: |W u_k| grows like exp(({self.weight_rate}) t); modes are learned by descending rate"]
        lines.append(f"  q_k = |W u_k|^2: dq_k/dt = {self.flow}")
        if self.time is not None:
            lines.append(f"  plateau {self.plateau}; a fraction of it after t = {self.time}")
        return "\n".join([*lines, *(f"  {a}" for a in self.assumptions)])

    __repr__ = __str__

    def latex(self) -> str:
        """Return the flow of one mode in LaTeX."""
        return rf"\dot q_k = {sp.latex(self.flow)}"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"


@dataclass(frozen=True, eq=False)
class NumericGrowth:
    """Growth of every mode with numbers, in the order in which they are learned.

    ``kappa``: eigenvalues of B, descending; ``directions``: u_k, one a row; ``plateau``: p = sigma_k |W u_k|^2 at the end (0
    where kappa <= 0, inf where nothing bounds it); ``times``: until the fraction of the plateau (inf: never; nan: without a
    plateau, or beyond the d1-th mode, whose output others take), None without a scale. ``approximate``: modes couple, so
    that plateau and times are those of one mode alone; the rates are exact.
    """

    name: str
    kappa: Array
    directions: Array
    plateau: Array
    times: Array | None
    fraction: float
    approximate: bool
    assumptions: tuple[str, ...]

    @property
    def weight_rates(self) -> Array:
        """The rates 2 kappa at which |W u_k| grows near the origin."""
        return 2 * self.kappa

    def steps(self, learning_rate: float, momentum: float = 0.0) -> Array:
        """Return the steps of small-step SGD until the fraction of the plateau: each advances time by eta / (1 - momentum).

        Raises InputError without times, for a rate that is not positive, a momentum outside [0, 1).
        """
        if self.times is None:
            raise InputError(
                f"growth_rates({self.name}).steps(...): no times are known; pass scale=, the initial |W u_k|"
            )
        if not learning_rate > 0 or not 0 <= momentum < 1:
            raise InputError(
                f"steps({learning_rate!r}, momentum={momentum!r}): the rate is positive, momentum in [0, 1)"
            )
        return self.times * (1 - momentum) / learning_rate

    def __str__(self) -> str:
        about = " (approximate: modes couple)" if self.approximate else ""
        lines = [f"{self.name}: modes in the order in which they are learned{about}"]
        for k, (kappa, end) in enumerate(zip(self.kappa, self.plateau, strict=True)):
            when = "" if self.times is None else f", {self.fraction:g} of it after t = {self.times[k]:.6g}"
            lines.append(f"  mode {k}: |W u| grows like exp({2 * kappa:.6g} t), plateau p = {end:.6g}{when}")
        return "\n".join([*lines, *(f"  {a}" for a in self.assumptions)])

    __repr__ = __str__
