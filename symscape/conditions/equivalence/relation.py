"""What `equivalence` returns: the relation between two landscapes as a value, and the special values at which it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sympy as sp
from sympy.logic.boolalg import Boolean

from symscape.losses.language import d_1
from symscape.losses.loss import Loss

EQUAL, CONSTANT, FACTOR, SCALE, NO = (
    "equal",
    "equal up to a constant",
    "up to a factor",
    "up to a factor and a scale of W",
    "no",
)
ALL_ORDERS = "to all orders"
#: Systems of more operations than this are not solved for special values of parameters.
LONG = 300


class Difference(NamedTuple):
    """The first monomial that differs: its coefficient in the first loss, and c s^j times that in the second."""

    monomial: str
    first: sp.Expr
    second: sp.Expr


@dataclass(frozen=True)
class Equivalence:
    """L_a(W) = factor L_b(sqrt(scale) W) + constant, or why not.

    ``holds``: ``equal``, ``equal up to a constant``, ``up to a factor``, ``up to a factor and a scale of W``, or ``no``, with
    ``difference``, the first monomial that differs. ``reach``: ``to order N`` or ``to all orders``. ``conditions``: what the
    parameters must satisfy; where it does not hold in general, ``cases`` are the special values for which it does, each with
    its equivalence. ``assumptions``: what both landscapes rest on.
    """

    loss_a: Loss
    loss_b: Loss
    holds: str
    order: int
    reach: str
    factor: sp.Expr
    scale: sp.Expr
    constant: sp.Expr
    conditions: Boolean
    difference: Difference | None = None
    cases: tuple[tuple[Boolean, Equivalence], ...] = ()
    assumptions: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.holds != NO

    @property
    def equal_when(self) -> Boolean:
        """The values of parameters at which the factor and the scale are 1."""
        if not self:
            return sp.Or(*(sp.And(case, found.equal_when) for case, found in self.cases))
        gaps = [sp.Eq(value, 1) for value in (self.factor, self.scale) if value != 1]
        symbols = sorted(set().union(*(g.free_symbols for g in gaps)) - {d_1}, key=str)
        if not all(isinstance(g, sp.Eq) for g in gaps):
            return sp.false
        return alternatives(solved([g.lhs - g.rhs for g in gaps], symbols)) if gaps else sp.true

    def __str__(self) -> str:
        pair = f"{label(self.loss_a)} and {label(self.loss_b)}"
        if not self:
            assert self.difference is not None
            word, a, b = self.difference
            why = f"{word} has {a} against {b}"
            some = f"; they are for {sp.sstr(self.conditions)}" if self.cases else ""
            return f"{pair}: not the same landscape {self.reach}: {why}{some}"
        where = "" if self.conditions == sp.true else f", where {sp.sstr(self.conditions)}"
        relation = f"L_a(W) = {self._side('L_b')}"
        return f"{pair}: {self.holds}, {self.reach}: {relation}{where}"

    __repr__ = __str__

    def _side(self, other: str) -> str:
        inside = "W" if self.scale == 1 else f"sqrt({self.scale}) W"
        front = "" if self.factor == 1 else f"({self.factor}) "
        text = f"{front}{other}({inside})" + ("" if self.constant == 0 else f" + {self.constant}")
        return text.replace("+ -", "- ")

    def latex(self) -> str:
        """Return the relation in LaTeX."""
        if not self:
            return r"\mathcal{L}_a \not\sim \mathcal{L}_b"
        inside = "W" if self.scale == 1 else rf"{sp.latex(sp.sqrt(self.scale))}\, W"
        front = "" if self.factor == 1 else rf"\left({sp.latex(self.factor)}\right) "
        end = ("" if self.constant == 0 else f" + {sp.latex(self.constant)}").replace("+ -", "- ")
        rest = "" if self.reach == ALL_ORDERS else rf" + O(W^{{{self.order + 2}}})"
        return rf"\mathcal{{L}}_a(W) = {front}\mathcal{{L}}_b\left({inside}\right){end}{rest}"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"


def solved(gaps: Sequence[sp.Expr], symbols: Sequence[sp.Symbol]) -> list[dict[sp.Symbol, sp.Expr]]:
    """Return the real solutions of a short system."""
    numerators = [sp.numer(sp.together(gap)) for gap in gaps]
    if not symbols or any(not n.free_symbols & set(symbols) for n in numerators):
        return []
    if sum(map(sp.count_ops, numerators)) > LONG:
        return []
    try:
        solutions = sp.solve(numerators, symbols, dict=True)
    except NotImplementedError:
        return []
    return [
        x for x in solutions if all(v.is_extended_real is not False and v.is_finite is not False for v in x.values())
    ]


def alternatives(solutions: Iterable[Mapping[sp.Symbol, sp.Expr]]) -> Boolean:
    """Return solutions as a condition."""
    return sp.Or(*(sp.And(*(sp.Eq(s, v) for s, v in x.items())) for x in solutions))


def label(loss: Loss) -> str:
    """Return a loss in a few words: with its settings where it has some."""
    text = repr(loss)
    return loss.name if text.startswith("Loss(") else text
