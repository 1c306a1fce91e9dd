"""The theory of -Tr(W B W^T) + alpha Tr P^2 + beta (Tr P)^2: its second variation, and why local minima are global, proved.

At a point that keeps k modes, with T = Tr P, stationarity is b_i = 2 alpha p_i + 2 beta T. Every statement below is an
expression that must vanish identically; `proof` computes each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp

from symscape.losses.language import d_1
from symscape.stationary.quartic_form import total_of_kept
from symscape.stationary.second_variation import pair_block

alpha, beta, T = sp.symbols("alpha beta T", real=True)
p_a, p_b = sp.symbols("p_a p_b", positive=True)
b_a, b_b, x, y = sp.symbols("b_a b_b x y", real=True)
#: Number of modes, and of those that are kept.
modes, k = sp.symbols("d k", integer=True, nonnegative=True)


@dataclass(frozen=True)
class Block:
    """A kind of block of the second variation at a point: its quadratic form, and how many of them there are.

    ``form`` is in x (and y); ``directions``: how many entries of the variation it takes; ``eigenvalue``: the one that may
    be non-zero; ``symmetry``: how many of its directions are a rotation of the outputs.
    """

    name: str
    form: sp.Expr
    multiplicity: sp.Expr
    directions: int
    eigenvalue: sp.Expr
    symmetry: int


def _quadratic(
    p_first: sp.Expr, p_second: sp.Expr, b_first: sp.Expr, b_second: sp.Expr, second: sp.Expr = y
) -> sp.Expr:
    """Return the second variation of a pair of outputs with strengths and modes given, stationarity put in by the caller."""
    slopes = [(-sp.S.One, ("B",)), (alpha, ("S", "S")), (2 * beta * T, ("S",))]
    first, other = {"B": b_first, "S": sp.S.One}, {"B": b_second, "S": sp.S.One}
    xx, yy, xy = pair_block(slopes, p_first, p_second, first, other, sp.sqrt(p_first) * sp.sqrt(p_second))
    return sp.expand(xx * x**2 + yy * second**2 + xy * x * second)


def second_variation() -> tuple[Block, ...]:
    """Return the blocks of the second variation at a stationary point, computed from the words and stationarity.

    >>> [block.eigenvalue for block in second_variation()][:3]
    [b_a - b_b, 2*T*beta - b_b, 0]
    """
    kept_a, kept_b = 2 * alpha * p_a + 2 * beta * T, 2 * alpha * p_b + 2 * beta * T
    exchange = _quadratic(p_a, sp.S.Zero, b_a, b_b, sp.S.Zero).subs(p_a, sp.solve(sp.Eq(b_a, kept_a), p_a)[0])
    growth = _quadratic(sp.S.Zero, sp.S.Zero, sp.S.Zero, b_b, sp.S.Zero)
    copy = _quadratic(sp.S.Zero, p_b, sp.S.Zero, kept_b, sp.S.Zero)
    pair = _quadratic(p_a, p_b, kept_a, kept_b)
    pair_matrix = sp.hessian(pair, (x, y)) / 2
    # The diagonal entries: L as a function of s_i = sqrt(p_i), second derivatives at stationarity.
    s_a, s_b = sp.symbols("s_a s_b", positive=True)
    rest = sp.Symbol("rest", real=True)  # Tr P of the other modes
    L = -b_a * s_a**2 - b_b * s_b**2 + alpha * (s_a**4 + s_b**4) + beta * (s_a**2 + s_b**2 + rest) ** 2
    at = {b_a: 2 * alpha * s_a**2 + 2 * beta * T, b_b: 2 * alpha * s_b**2 + 2 * beta * T, rest: T - s_a**2 - s_b**2}
    curvature = (sp.hessian(L, (s_a, s_b)) / 2).subs(at).applyfunc(sp.factor)
    roots = {s_a: sp.sqrt(p_a), s_b: sp.sqrt(p_b)}
    stretch = sp.factor(sp.expand((sp.Matrix([[x, y]]) * curvature * sp.Matrix([x, y]))[0]).subs(roots))
    return (
        Block("exchange: the output of a kept mode a turns to a mode b that is not", exchange, k * (modes - k), 1,
              sp.factor(exchange.coeff(x, 2)), 0),
        Block("growth: an output without a mode takes a mode b that is not kept", growth, (d_1 - k) * (modes - k), 1,
              sp.factor(growth.coeff(x, 2)), 0),
        Block("copy: an output without a mode takes a kept mode", copy, (d_1 - k) * k, 1, sp.factor(copy.coeff(x, 2)), 1),
        Block("pair: the outputs of two kept modes turn to each other's", sp.factor(pair), k * (k - 1) / 2, 2,
              sp.factor(pair_matrix.trace()), 1),
        Block("stretch: the strengths of the kept modes change", stretch,
              sp.Integer(1), 0, alpha + beta * k, 0),
    )  # fmt: skip


@dataclass(frozen=True)
class ProofStep:
    """A statement with the expressions that it needs to vanish identically."""

    statement: str
    identities: tuple[sp.Expr, ...]

    @property
    def holds(self) -> bool:
        """Whether every expression vanishes, in exact arithmetic."""
        return all(sp.simplify(identity) == 0 for identity in self.identities)

    def __str__(self) -> str:
        return f"{self.statement}  [{'identity holds' if self.holds else 'FAILS'}]"

    __repr__ = __str__


class Proof:
    """The steps of a proof; it holds when every step does."""

    def __init__(self, claim: str, steps: tuple[ProofStep, ...]):
        self.claim, self.steps = claim, steps

    @property
    def holds(self) -> bool:
        """Whether every step holds."""
        return all(step.holds for step in self.steps)

    def __iter__(self) -> Iterator[ProofStep]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __str__(self) -> str:
        return "\n".join([self.claim, *(f"({n}) {step}" for n, step in enumerate(self.steps, 1))])

    __repr__ = __str__


def local_minima_are_global() -> Proof:
    """Return the proof that a landscape of this form, bounded below, has no local minimum but the global one, ties apart.

    >>> local_minima_are_global().holds
    True
    """
    exchange, growth, copy, pair, stretch = second_variation()
    b_k, b_next, total_b = sp.symbols("b_k b_{k+1} Sigma_b", real=True)

    def margin(count: sp.Expr, b_last: sp.Expr, sum_b: sp.Expr) -> sp.Expr:
        return (alpha + beta * count) * b_last - beta * sum_b

    kept_total = total_of_kept(alpha, beta, k, total_b)
    steps = (
        ProofStep(
            "The blocks take every entry of a variation of W once",
            (sum(b.multiplicity * b.directions for b in (exchange, growth, copy, pair)) + k - d_1 * modes,),
        ),
        ProofStep(
            "The zero directions of 'copy' and 'pair' are as many as the rotations of d1 outputs that move k of them",
            (
                copy.multiplicity + pair.multiplicity
                - (d_1 * (d_1 - 1) / 2 - (d_1 - k) * (d_1 - k - 1) / 2),
                copy.eigenvalue,
                sp.hessian(pair.form, (x, y)).det(),
            ),
        ),
        ProofStep("'exchange' is b_a - b_b: without descent, every kept mode has b at least that of every other", (
            exchange.eigenvalue - (b_a - b_b),)),
        ProofStep("'growth' is 2 beta T - b_b: without descent, k = d1 or no other mode has b above 2 beta T", (
            growth.eigenvalue - (2 * beta * T - b_b),)),
        ProofStep(
            "So the k largest are kept, p_k > 0 means h_k > 0 for h_k = (alpha + beta k) b_k - beta (b_1 + ... + b_k)",
            (2 * alpha * (alpha + beta * k) * ((b_k - 2 * beta * kept_total) / (2 * alpha)) - margin(k, b_k, total_b),),
        ),
        ProofStep(
            "and b_{k+1} <= 2 beta T means h_{k+1} <= 0",
            ((alpha + beta * k) * (b_next - 2 * beta * kept_total) - margin(k + 1, b_next, total_b + b_next),),
        ),
        ProofStep(
            "h_{k+1} - h_k = (alpha + beta k)(b_{k+1} - b_k) <= 0 where alpha + beta k > 0: one change of sign, so k is unique",
            (margin(k + 1, b_next, total_b + b_next) - margin(k, b_k, total_b) - (alpha + beta * k) * (b_next - b_k),),
        ),
        ProofStep(
            "'pair' is 2 alpha (sqrt(p_a) x + sqrt(p_b) y)^2 and 'stretch' is alpha + beta k by Sylvester: both positive",
            (
                pair.form - 2 * alpha * (sp.sqrt(p_a) * x + sp.sqrt(p_b) * y) ** 2,
                stretch.form - 4 * (alpha * (p_a * x**2 + p_b * y**2) + beta * (sp.sqrt(p_a) * x + sp.sqrt(p_b) * y) ** 2),
            ),
        ),
        ProofStep(
            "L grows without end, as Tr P^2 >= T^2 / k: its least value is reached, at a point without descent: that one",
            (sp.factor((alpha / k + beta) * T**2 - (alpha + beta * k) * T**2 / k),),
        ),
    )  # fmt: skip
    claim = (
        "For alpha > 0 and alpha + min(d0, d1) beta > 0 the only stationary points without a direction of descent are those "
        "of least value; every other one is a strict saddle or a maximum, ties apart"
    )
    return Proof(claim, steps)
