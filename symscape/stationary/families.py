"""Stationary points symbolically: one family per set of kept modes, with its spectrum, value, existence and stability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import sympy as sp
from sympy.logic.boolalg import Boolean

from symscape.errors import InputError
from symscape.losses.language import d_1
from symscape.stationary.quartic_form import QuarticForm, strength_of_mode, total_of_kept, value_of_kept
from symscape.stationary.quartic_theory import Proof, local_minima_are_global
from symscape.typesetting.symbols import Meaning, d_0, letter_matrix

#: Modes that are not kept and have b_j > 2 beta T; modes with b_j > 0; modes in all.
above = sp.Symbol("n_above", integer=True, nonnegative=True)
positive = sp.Symbol("n_positive", integer=True, nonnegative=True)


def _is_negative(expr: sp.Expr) -> sp.Expr:
    """Return 1 where an expression is negative, else 0."""
    return sp.S.Zero if expr.is_nonnegative else sp.Piecewise((1, expr < 0), (0, True))


def mode_eigenvalue(place: int) -> sp.Symbol:
    """Return the symbol of an eigenvalue b_0 >= b_1 >= ... of the pencil (B, S)."""
    return sp.Symbol(f"b_{place}", real=True)


@dataclass(frozen=True)
class SymbolicFamily:
    """The stationary points that keep a set of modes, as SymPy expressions in b_0 > b_1 > ... and the parameters.

    ``spectrum``: p by mode kept; ``total``: Tr P; ``loss``: the value; ``exists``: when the family exists; ``index``,
    ``nullity``, ``symmetry_nullity``: of the Hessian in W, for distinct b, in d_1 and ``n_above``, the number of modes left
    out with b_j > 2 beta T (for beta = 0: with b_j > 0); ``minimum``: when it is the global minimum; ``kind``: in words.
    """

    kept: tuple[int, ...]
    spectrum: tuple[sp.Expr, ...]
    total: sp.Expr
    loss: sp.Expr
    exists: Boolean
    index: sp.Expr
    nullity: sp.Expr
    symmetry_nullity: sp.Expr
    minimum: Boolean

    @property
    def kind(self) -> str:
        """``saddle``, or what decides between a minimum and a saddle."""
        if self.minimum == sp.false:
            return "saddle"
        return f"minimum where {sp.sstr(self.minimum)}, else saddle or maximum"

    def __str__(self) -> str:
        spectrum = ", ".join(f"p_{i} = {p}" for i, p in zip(self.kept, self.spectrum, strict=True)) or "P = 0"
        return (
            f"keeps {', '.join(map(str, self.kept)) or 'nothing'}: {spectrum}; loss {self.loss}; exists where "
            f"{sp.sstr(self.exists)}; index {self.index}, nullity {self.nullity}; {self.kind}"
        )

    __repr__ = __str__

    def latex(self) -> str:
        """Return spectrum, value and existence in LaTeX."""
        rows = [f"p_{{{i}}} &= {sp.latex(p)}" for i, p in zip(self.kept, self.spectrum, strict=True)]
        rows += [rf"\mathcal{{L}} &= {sp.latex(self.loss)}", rf"\text{{exists where }} & {sp.latex(self.exists)}"]
        return r"\begin{aligned} " + r" \\ ".join(rows) + r" \end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"


class StationaryFamilies:
    """All stationary points of -Tr(W B W^T) + alpha Tr P^2 + beta (Tr P)^2 as formulas, for any B and any numbers d0, d1.

    ``family(kept=(0, 2))``: one family; ``spectrum``, ``total``, ``loss``: for any set of k modes, in the mode's b_i and the
    sums s_1, s_2 of b and b^2 over the set; ``count``: the number of families; ``proof``: why the least value is the only
    local minimum. Modes are the eigenvectors of the pencil B u = b S u.
    """

    complete = True
    k = sp.Symbol("k", integer=True, nonnegative=True)
    s_1, s_2 = sp.symbols("s_1 s_2", real=True)
    b = sp.Symbol("b_i", real=True)

    def __init__(self, name: str, form: QuarticForm, meaning: Meaning):
        self.name, self.form, self._meaning = name, form, meaning

    @property
    def alpha(self) -> sp.Expr:
        """The coefficient of Tr P^2."""
        return self.form.alpha

    @property
    def beta(self) -> sp.Expr:
        """The coefficient of (Tr P)^2."""
        return self.form.beta

    @property
    def B(self) -> sp.Expr:
        """The matrix of the quadratic part -Tr(W B W^T)."""
        return self._matrix(dict(self.form.B))

    @property
    def metric(self) -> sp.Expr:
        """The matrix S in P = W S W^T."""
        return self._matrix(dict(self.form.metric))

    def _matrix(self, coefficients: dict[str, sp.Expr]) -> sp.Expr:
        if not coefficients:
            return sp.ZeroMatrix(d_0, d_0)
        return sp.MatAdd(*[c * letter_matrix(s, self._meaning) for s, c in coefficients.items()]).doit()

    @property
    def bounded_below(self) -> Boolean:
        """When the landscape has a least value."""
        return sp.And(self.alpha > 0, self.alpha + sp.Min(d_0, d_1) * self.beta > 0)

    @cached_property
    def total(self) -> sp.Expr:
        """Tr P of a set of k modes whose b sum to s_1."""
        return total_of_kept(self.alpha, self.beta, self.k, self.s_1)

    @cached_property
    def spectrum(self) -> sp.Expr:
        """p_i of a kept mode, in b_i, k and s_1."""
        return sp.factor(strength_of_mode(self.alpha, self.beta, self.b, self.total))

    @cached_property
    def loss(self) -> sp.Expr:
        """The value, in k, s_1 and s_2."""
        return value_of_kept(self.form.constant, self.alpha, self.beta, self.k, self.s_1, self.s_2)

    @property
    def exists(self) -> Boolean:
        """When a set of modes is a family: for each of its modes."""
        return self._kept(self.b, self.total)

    @property
    def count(self) -> sp.Expr | None:
        """The number of families in n_positive, the number of modes with b > 0, for beta = 0; None: the sums of b decide."""
        if self.beta != 0:
            return None
        j = sp.Symbol("j", integer=True, nonnegative=True)
        return sp.Sum(sp.binomial(positive, j), (j, 0, sp.Min(positive, d_1)))

    @property
    def proof(self) -> Proof:
        """Why the global minimum is the only local one, statement by statement, each computed."""
        return local_minima_are_global()

    def margin(self, place: int) -> sp.Expr:
        """Return the margin of a mode: it is kept at the minimum when this is positive (and place < d_1); falls with place."""
        b = [mode_eigenvalue(i) for i in range(place + 1)]
        if self.beta == 0:
            return b[-1]
        return sp.factor((self.alpha + self.beta * (place + 1)) * b[-1] - self.beta * sp.Add(*b))

    def _kept(self, b: sp.Expr, total: sp.Expr) -> Boolean:
        """When p_i > 0."""
        if self.alpha.is_positive:
            return sp.Gt(b, sp.factor(2 * self.beta * total))
        return sp.Gt(sp.factor(strength_of_mode(self.alpha, self.beta, b, total)), 0)

    def family(self, kept: Sequence[int] = ()) -> SymbolicFamily:
        """Return the family that keeps these modes, 0-based in descending b.

        Raises InputError for modes that are not different integers from 0.
        """
        call = f"stationary_points({self.name}).family(kept={tuple(kept)})"
        if any(isinstance(i, bool) or not hasattr(i, "__index__") or int(i) < 0 for i in kept):
            raise InputError(f"{call}: modes are integers from 0, in descending b")
        if len(set(map(int, kept))) < len(kept):
            raise InputError(f"{call}: a mode is named twice")
        chosen = tuple(sorted(map(int, kept)))
        b, count = [mode_eigenvalue(i) for i in chosen], sp.Integer(len(chosen))
        total = total_of_kept(self.alpha, self.beta, count, sp.Add(*b))
        spectrum = tuple(sp.factor(strength_of_mode(self.alpha, self.beta, value, total)) for value in b)
        squares = sp.Add(*[value**2 for value in b])
        loss = value_of_kept(self.form.constant, self.alpha, self.beta, count, sp.Add(*b), squares)
        exists = sp.And(*[self._kept(value, total) for value in b])
        inversions = sum(place - n for n, place in enumerate(chosen))
        free = d_1 - count
        rotation = sp.expand(count * free + count * (count - 1) / 2)
        following = sp.Or(sp.Eq(d_1, count), sp.Le(self.margin(len(chosen)), 0))
        stiffness = sp.factor(self.alpha + count * self.beta)
        bounded = [sp.Gt(c, 0) for c in (self.alpha, stiffness) if not c.is_positive]
        minimum = sp.false if inversions else sp.And(exists, following, *bounded)
        # For alpha < 0 the strengths of kept modes are unstable, too: see the blocks "pair" and "stretch".
        index = inversions + free * above
        if chosen:
            index += (count * (count + 1) / 2 - 1) * _is_negative(self.alpha) + _is_negative(stiffness)
        return SymbolicFamily(chosen, spectrum, total, loss, exists, index, rotation, rotation, minimum)

    def __str__(self) -> str:
        lines = [
            f"stationary points of {self.name}: one family per set S of at most min(d_0, d_1) modes, B u = b S u with",
            f"  B = {sp.sstr(self.B)}, S = {sp.sstr(self.metric)}",
            f"  p_i = {self.spectrum}, i in S, exists where p_i > 0 for all",
            f"  loss = {self.loss}",
        ]
        if self.beta != 0:
            lines.append("  k = |S|, s_1 = sum of b over S, s_2 = sum of b^2 over S")
        else:
            lines.append("  s_2 = sum of b^2 over S")
        kept = "the k largest b" if self.beta == 0 else "the k largest b, while margin(k) is positive,"
        where = "" if self.alpha.is_positive and self.beta == 0 else f", where {sp.sstr(self.bounded_below)}"
        lines.append(f"  {kept} are kept at the global minimum, the only local one{where} (see .proof)")
        return "\n".join(lines)

    __repr__ = __str__

    def latex(self) -> str:
        """Return spectrum and value for any set of modes in LaTeX."""
        return (
            rf"\begin{{aligned}} p_i &= {sp.latex(self.spectrum)} > 0, \quad i \in S \\ "
            rf"\mathcal{{L}} &= {sp.latex(self.loss)}, \quad s_n = \textstyle\sum_{{i \in S}} b_i^n,\; k = |S| \end{{aligned}}"
        )

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"
