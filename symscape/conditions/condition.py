"""A condition as data: an inequality, solved for a parameter where that can be done, printable, typesettable, evaluable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp
from sympy.logic.boolalg import Boolean

#: A margin of more operations than this is solved where it is linear only.
LONG = 20


@dataclass(frozen=True)
class Condition:
    """``margin > 0``: when a mode is kept. ``critical``: the value of ``parameter`` at which the margin vanishes.

    ``kept_side``: ``below`` or ``above`` the critical value, None when that is open or the margin does not depend on the
    parameter. ``assuming``: what else must hold for the solved form; the margin itself is always right. ``of_loss``: the
    condition is the opposite, margin <= 0: when nothing is kept. SymPy takes it as its inequality.
    """

    margin: sp.Expr
    parameter: sp.Symbol
    critical: sp.Expr | None
    kept_side: str | None
    assuming: tuple[Boolean, ...] = ()
    of_loss: bool = False

    @property
    def inequality(self) -> Boolean:
        """The condition as it is derived."""
        return self._signed(self.margin)

    def _sympy_(self) -> Boolean:
        return self.inequality

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """The symbols of the inequality."""
        return self.margin.free_symbols

    def _signed(self, margin: sp.Expr) -> Boolean:
        return sp.Le(margin, 0) if self.of_loss else sp.Gt(margin, 0)

    @property
    def _shortest(self) -> Boolean:
        """The inequality without the factors that are positive anyway."""
        return self._signed(sign_part(self.margin))

    @property
    def failure(self) -> Condition:
        """The opposite condition."""
        return replace(self, of_loss=not self.of_loss)

    @property
    def solved(self) -> Boolean | None:
        """The condition solved for the parameter, None where it has no closed form."""
        if self.critical is None or self.kept_side is None:
            return None
        if self.of_loss:
            # Outside what is assumed the opposite of the solved form need not hold: then the margin says it.
            relation = sp.Ge if self.kept_side == "below" else sp.Le
            return None if self.assuming else relation(self.parameter, self.critical)
        relation = sp.Lt if self.kept_side == "below" else sp.Gt
        return relation(self.parameter, self.critical)

    @property
    def depends(self) -> bool:
        """Whether the parameter matters: whether the sign of the margin may change with it."""
        return sign_part(self.margin).has(self.parameter)

    def evaluate(self, values: Mapping[Any, Any]) -> Boolean:
        """Return the inequality with values for symbols, by symbol or by name: true or false once all have one."""
        by_name = {str(key): sp.sympify(value) for key, value in values.items()}
        return self._signed(
            self.margin.xreplace({s: by_name[str(s)] for s in self.margin.free_symbols if str(s) in by_name})
        )

    def __str__(self) -> str:
        if not self.depends:
            return f"{sp.sstr(self._shortest)}, whatever {self.parameter}"
        solved = self.solved
        if solved is None:
            return sp.sstr(self._shortest)
        where = f", where {', '.join(map(sp.sstr, self.assuming))}" if self.assuming else ""
        return f"{sp.sstr(solved)}{where}"

    __repr__ = __str__

    def latex(self) -> str:
        """Return the condition in LaTeX, solved where it is."""
        solved = self.solved
        text = sp.latex(self._shortest if solved is None else solved)
        return text + (
            r"\quad\text{where } " + r",\; ".join(map(sp.latex, self.assuming))
            if solved is not None and self.assuming
            else ""
        )

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"


def condition(margin: sp.Expr, parameter: sp.Symbol) -> Condition:
    """Return a condition ``margin > 0``, solved for the parameter where its sign changes once.

    Symbols of eigenvalues are taken positive where the solved form needs a sign, and the assumption is carried.

    >>> lam, tau, gamma = sp.Symbol("lambda_k", real=True), *sp.symbols("tau gamma", positive=True)
    >>> condition(lam / tau - gamma, tau)
    tau < lambda_k/gamma
    """
    core = sign_part(margin)
    if not core.has(parameter):
        return Condition(margin, parameter, None, None)
    numerator, _ = sp.fraction(core)
    found = []
    for root in _roots(sp.expand(numerator), parameter):
        if parameter.is_positive and root.is_nonpositive:
            continue  # not a value of the parameter
        side, assuming = _side(core, parameter, root)
        if side is not None:
            found.append((root, side, assuming))
    if len(found) != 1:
        return Condition(margin, parameter, None, None)
    root, side, assuming = found[0]
    return Condition(margin, parameter, _tidy(root), side, assuming)


def sign_part(margin: sp.Expr) -> sp.Expr:
    """Return a margin, as one fraction, without the factors that are positive.

    >>> n, tau, r = *sp.symbols("n tau", positive=True), sp.Symbol("r_0", real=True)
    >>> sign_part(n * r / (n * tau + tau))
    r_0
    """
    factors = sp.Mul.make_args(sp.factor(sp.together(margin)))
    return sp.Mul(*[f for f in factors if not _is_positive(f)])


def _is_positive(factor: sp.Expr) -> bool:
    """Whether a factor is positive whatever its symbols are: by its signs, or as a quadratic without a real zero."""
    base = factor.base if factor.is_Pow and factor.exp.is_integer else factor
    if base.is_positive:
        return True
    for s in base.free_symbols:
        if base.is_polynomial(s) and sp.degree(base, s) == 2:
            lead, slope, shift = sp.Poly(base, s).all_coeffs()
            if lead.is_positive and sp.expand(4 * lead * shift - slope**2).is_positive:
                return True
    return False


def _roots(numerator: sp.Expr, parameter: sp.Symbol) -> list[sp.Expr]:
    """Return the zeros of a margin where they are short: of a linear form, or of another one of few terms."""
    if numerator.is_polynomial(parameter):
        degree = sp.degree(numerator, parameter)
        if degree == 1:
            slope, shift = sp.Poly(numerator, parameter).all_coeffs()
            return [sp.cancel(-shift / slope)]
        if degree > 2:
            return []
    if sp.count_ops(numerator) > LONG:
        return []
    try:
        return sp.solve(numerator, parameter)
    except NotImplementedError:
        return []


def _tidy(root: sp.Expr) -> sp.Expr:
    if sp.count_ops(root) > LONG:
        return sp.factor(root)
    return min((sp.factor(root), sp.simplify(root), root), key=sp.count_ops)


def _side(margin: sp.Expr, parameter: sp.Symbol, root: sp.Expr) -> tuple[str | None, tuple[Boolean, ...]]:
    """Return on which side of a root the margin is positive, and what had to be assumed.

    Eigenvalues are assumed positive, or canonical correlations below 1, only where a sign needs it. Unless the margin is
    linear in the parameter, the root must be positive where the parameter is.
    """
    free = (margin.free_symbols | root.free_symbols) - {parameter}
    open_signs = sorted((s for s in free if not s.is_positive), key=str)
    correlations = [s for s in open_signs if s.name.startswith("r_")]
    choices: list[tuple[dict[sp.Symbol, sp.Expr], list[Boolean]]] = [
        ({}, []),
        ({s: 1 - sp.Symbol(f"q_{s.name}", positive=True) for s in correlations}, [sp.Lt(s, 1) for s in correlations]),
        ({s: sp.Symbol(s.name, positive=True) for s in open_signs}, [sp.Gt(s, 0) for s in open_signs]),
    ]
    if sp.diff(margin, parameter, 2) == 0:
        return _side_of_linear(margin, parameter, root, choices)
    for last, (assumed, needs) in zip((False, False, True), choices, strict=True):
        known = sp.factor(root.xreplace(assumed))
        if known.is_negative and parameter.is_positive:
            return None, ()
        slope = sp.factor(sp.simplify(sp.diff(margin, parameter).subs(parameter, root).xreplace(assumed)))
        sign = 1 if slope.is_positive else -1 if slope.is_negative else _monotone(margin.xreplace(assumed), parameter)
        placed = not parameter.is_positive or known.is_positive
        if sign and (placed or last):
            inside = needs if placed else [*needs, sp.Gt(_tidy(root), 0)]
            return ("above" if sign > 0 else "below"), tuple(dict.fromkeys(inside))
    return None, ()


def _side_of_linear(
    margin: sp.Expr,
    parameter: sp.Symbol,
    root: sp.Expr,
    choices: Sequence[tuple[Mapping[sp.Symbol, sp.Expr], list[Boolean]]],
) -> tuple[str | None, tuple[Boolean, ...]]:
    """The slope decides the side; where its sign is open, the sign at 0 does, given that the root is positive."""
    slope, shift = sp.diff(margin, parameter), margin.subs(parameter, 0)
    *mild, strong = choices
    for assumed, needs in mild:
        sign = _sign(slope.xreplace(assumed))
        if sign:
            return ("above" if sign > 0 else "below"), tuple(needs)
    for assumed, needs in choices if parameter.is_positive else ():
        sign = _sign(shift.xreplace(assumed))
        if sign:
            return ("below" if sign > 0 else "above"), tuple(dict.fromkeys([*needs, sp.Gt(_tidy(root), 0)]))
    sign = _sign(slope.xreplace(strong[0]))
    return ("above" if sign > 0 else "below" if sign < 0 else None), tuple(strong[1])


def _sign(expr: sp.Expr) -> int:
    """Return 1 or -1 for an expression of one sign whatever its symbols are, else 0."""
    sign = 1
    for factor in sp.Mul.make_args(sp.factor(sp.together(expr))):
        if not _is_positive(factor):
            if not _is_positive(-factor):
                return 0
            sign = -sign
    return sign


def _monotone(margin: sp.Expr, parameter: sp.Symbol) -> int:
    """Return the sign of the derivative by the parameter where it is one sign everywhere, else 0."""
    slope = sp.factor(sp.diff(margin, parameter))
    return 1 if slope.is_positive else -1 if slope.is_negative else 0
