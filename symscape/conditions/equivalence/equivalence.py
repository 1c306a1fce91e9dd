"""`equivalence`: whether two losses have the same landscape, up to a constant, a factor, and a scale of W.

    L_a(W) = c L_b(sqrt(s) W) + constant,    c, s > 0,

holds exactly when every monomial of degree 2j in W has coefficients a = c s^j b. Two monomials of different degrees fix c and
s; all others must agree. Words in traces are independent as functions of W, A_0 and Sigma once d0 and d1 are large enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.logic.boolalg import Boolean

from symscape.algebra.scalars import Scalars
from symscape.algebra.words import Monomial
from symscape.conditions.equivalence.orders import to_all_orders
from symscape.conditions.equivalence.relation import (
    ALL_ORDERS,
    CONSTANT,
    EQUAL,
    FACTOR,
    NO,
    SCALE,
    Difference,
    Equivalence,
    label,
    solved,
)
from symscape.errors import InputError, NotAnalyticError
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.language import d_1
from symscape.losses.loss import Loss
from symscape.probability.data_models import DataModel
from symscape.typesetting.symbols import Meaning
from symscape.typesetting.text import polynomial_text

Coefficients = dict[Monomial, sp.Expr]


def equivalence(
    loss_a: Loss,
    loss_b: Loss,
    order: int = 4,
    data: DataModel | None = None,
    limit: Mapping[sp.Symbol, Any] | None = None,
) -> Equivalence:
    """Return whether two losses have the same landscape to an order in W, and whether to all orders.

    Equal symbols in both losses are one parameter. ``limit={n: sp.oo}`` takes the limit of every coefficient first. All orders
    are proved from the expressions themselves, from exact polynomials, or from closed forms (Gaussian views of mean zero).
    Raises what `landscape` raises, InputError for what is no loss.

    >>> from symscape.losses.infonce import InfoNCE
    >>> from symscape.losses.spectral_contrastive import SpectralContrastive
    >>> found = equivalence(InfoNCE(tau=sp.Symbol("tau", positive=True)), SpectralContrastive())
    >>> found.holds, found.reach, found.factor, found.scale
    ('up to a factor and a scale of W', 'to order 4', 1/3, 3/(2*tau))
    """
    return _equivalence(loss_a, loss_b, order, data, dict(limit or {}), cases=True)


def differs_at(loss_a: Loss, loss_b: Loss, up_to: int = 8, data: DataModel | None = None) -> int | None:
    """Return the lowest order in W, up to a limit, at which two landscapes differ; None when there is none.

    Raises what `equivalence` raises.

    >>> from symscape.losses.infonce import InfoNCE
    >>> from symscape.losses.spectral_contrastive import SpectralContrastive
    >>> differs_at(InfoNCE(), SpectralContrastive())
    6
    """
    orders = range(2, up_to + 1, 2)
    return next((k for k in orders if not equivalence(loss_a, loss_b, order=k, data=data)), None)


def _equivalence(
    loss_a: Loss, loss_b: Loss, order: int, data: DataModel | None, limit: dict[sp.Symbol, Any], cases: bool
) -> Equivalence:
    for loss in (loss_a, loss_b):
        if not isinstance(loss, Loss):
            raise InputError(f"equivalence({loss!r}): compare two losses; wrap an expression in Loss(...)")
    lands = [landscape(loss, order=order, data=data) for loss in (loss_a, loss_b)]
    a, b = (_coefficients(land, limit) for land in lands)
    c, s = _factor_and_scale(a, b)
    # a = c s^j b on every monomial but the constant, exactly.
    wanted = {m: _tidy(c * s ** (Landscape.degree_of(m) // 2) * b.get(m, sp.S.Zero)) for m in {**a, **b} if m}
    gaps = {m: a.get(m, sp.S.Zero) - wanted[m] for m in _ordered(wanted)}
    wrong = [m for m, gap in gaps.items() if not _vanishes(gap)]
    upside_down = any(v.is_nonpositive or v.is_extended_real is False for v in (c, s))
    reach = f"to order {order}"
    rests = tuple(dict.fromkeys(str(row) for land in lands for row in land.assumptions))
    if wrong or upside_down:
        first = wrong[0] if wrong else _ordered(wanted)[0]
        # A factor that is not positive turns the landscape over: quote the coefficients as they stand.
        second = b.get(first, sp.S.Zero) if upside_down else wanted[first]
        difference = Difference(
            polynomial_text([(first, sp.S.One)], _meaning(lands[0])), a.get(first, sp.S.Zero), second
        )
        special = _cases(loss_a, loss_b, order, data, limit, [gaps[m] for m in wrong]) if cases and wrong else ()
        conditions = sp.Or(*(case for case, _ in special))
        return Equivalence(
            loss_a, loss_b, NO, order, reach, c, s, sp.S.Zero, conditions, difference, special, rests
        )  # fmt: skip
    constant = _tidy(a.get((), sp.S.Zero) - c * b.get((), sp.S.Zero))
    holds = SCALE if s != 1 else FACTOR if c != 1 else CONSTANT if constant != 0 else EQUAL
    if not limit:
        how = to_all_orders(lands, c, s)
        if how is not None:
            reach, rests = ALL_ORDERS, (*rests, how)
    signs = sp.And(*(sp.Gt(v, 0) for v in (c, s) if not v.is_positive))
    return Equivalence(loss_a, loss_b, holds, order, reach, c, s, constant, signs, assumptions=rests)


# Coefficients


def _coefficients(land: Landscape, limit: Mapping[sp.Symbol, Any]) -> Coefficients:
    found = dict(land.terms)
    for symbol, value in limit.items():
        found = {m: sp.limit(coefficient, symbol, value) for m, coefficient in found.items()}
    if any(not v.is_finite and v.is_finite is not None for v in found.values()):
        raise InputError(f"equivalence({land.loss.name}, limit={dict(limit)}): the landscape has no limit there")
    return {m: coefficient for m, coefficient in found.items() if coefficient != 0}


def _ordered(monomials: Iterable[Monomial]) -> list[Monomial]:
    return sorted(monomials, key=lambda m: (Landscape.degree_of(m), m))


def _factor_and_scale(a: Coefficients, b: Coefficients) -> tuple[sp.Expr, sp.Expr]:
    """Return c and s from the first monomials of two degrees that both landscapes have; s = 1 where it is left open."""
    shared = [m for m in _ordered(a) if m and m in b]
    if not shared:
        return sp.S.One, sp.S.One
    low = Landscape.degree_of(shared[0]) // 2
    ratio = a[shared[0]] / b[shared[0]]
    other = next((m for m in shared if Landscape.degree_of(m) // 2 > low), None)
    if other is None:
        return _tidy(ratio), sp.S.One
    # a = c s^j b at two degrees j: s is the root of the ratio of ratios.
    steps = Landscape.degree_of(other) // 2 - low
    s = _tidy(sp.root(_tidy(a[other] / b[other] / ratio), steps))
    return _tidy(ratio / s**low), s


def _tidy(expr: sp.Expr) -> sp.Expr:
    return sp.factor(sp.cancel(sp.together(expr))) if expr.free_symbols else sp.nsimplify(sp.radsimp(expr))


def _vanishes(expr: sp.Expr) -> bool:
    if expr == 0:
        return True
    try:
        ring = Scalars([expr])
        return ring.is_zero(ring.convert(expr))
    except (InputError, KeyError, NotImplementedError):
        return sp.simplify(expr) == 0


def _meaning(land: Landscape) -> Meaning:
    """What the words of ``terms`` stand for: letters are covariances about the mean where there is one."""
    centred = land.data.has_mean and land.data.components(False)[0].mean == "mean"
    return Meaning(centred, land.data.has_mean, False)


# Special values of the parameters


def _cases(
    loss_a: Loss, loss_b: Loss, order: int, data: DataModel | None, limit: dict[sp.Symbol, Any], gaps: Sequence[sp.Expr]
) -> tuple[tuple[Boolean, Equivalence], ...]:
    symbols = sorted(set().union(*(gap.free_symbols for gap in gaps)) - {d_1, *limit}, key=str)
    found = []
    for solution in solved(gaps, symbols):
        first, second = (Loss(loss.expr.xreplace(solution), name=loss.name) for loss in (loss_a, loss_b))
        try:
            case = _equivalence(first, second, order, data, limit, cases=False)
        except InputError:  # the value is no value of this parameter
            continue
        if case:
            found.append((sp.And(*(sp.Eq(s, v) for s, v in solution.items())), case))
    return tuple(found)


# All pairs


@dataclass(frozen=True)
class EquivalenceMap:
    """All pairs of some losses: ``pairs[i, j]`` for i < j is an Equivalence; losses without a series at W = 0 have none."""

    losses: tuple[Loss, ...]
    order: int
    pairs: Mapping[tuple[int, int], Equivalence]

    @property
    def classes(self) -> tuple[tuple[int, ...], ...]:
        """The losses by number, those with one landscape up to constant, factor and scale together."""
        found: list[list[int]] = []
        for k in range(len(self.losses)):
            home = next((group for group in found if self.pairs.get((group[0], k))), None)
            found.append([k]) if home is None else home.append(k)
        return tuple(map(tuple, found))

    def _cell(self, i: int, j: int) -> str:
        pair = self.pairs.get((min(i, j), max(i, j)))
        if i == j:
            return "="
        if pair is None:
            return "no series"
        mark = {EQUAL: "=", CONSTANT: "+", FACTOR: "c", SCALE: "c,s", NO: "no"}[pair.holds]
        return mark + ("*" if pair and pair.reach == ALL_ORDERS else "")

    def __str__(self) -> str:
        size = range(len(self.losses))
        names = [f"{k} {label(loss)}" for k, loss in enumerate(self.losses)]
        rows = [["", *map(str, size)], *([names[i], *(self._cell(i, j) for j in size)] for i in size)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        legend = "=: equal, +: up to a constant, c: a factor, c,s: a factor and a scale of W; *: all orders"
        return "\n".join([*lines, f"to order {self.order}; {legend}"])

    __repr__ = __str__

    def latex(self) -> str:
        """Return the table in LaTeX."""
        size = range(len(self.losses))
        marks = {"=": "$=$", "=*": r"$=^{*}$", "+": "$+$", "+*": "$+^{*}$", "c": "$c$", "c*": "$c^{*}$"}
        marks |= {"c,s": "$c, s$", "c,s*": "$c, s^{*}$", "no": "no", "no series": "--"}
        rows = [["", *(f"{k}" for k in size)]]
        for i in size:
            name = label(self.losses[i]).replace("_", r"\_")
            rows.append([f"{i} {name}", *(marks[self._cell(i, j)] for j in size)])
        body = " \\\\\n".join(" & ".join(row) for row in rows)
        return f"\\begin{{tabular}}{{l{'c' * len(self.losses)}}}\n{body} \\\\\n\\end{{tabular}}"

    def _repr_latex_(self) -> str:
        return self.latex()


def equivalence_map(losses: Iterable[Loss] | None = None, order: int = 4) -> EquivalenceMap:
    """Return which losses have the same landscape, pair by pair; the catalogue unless given.

    Raises InputError for what is no loss.

    >>> from symscape.losses.infonce import InfoNCE
    >>> from symscape.losses.spectral_contrastive import SpectralContrastive
    >>> equivalence_map([InfoNCE(), 3 * InfoNCE(), SpectralContrastive()])  # doctest: +NORMALIZE_WHITESPACE
                                                0    1    2
    0 InfoNCE(tau=1, n=oo, similarity=euclidean)  =    c*   c,s
    1 3*InfoNCE                                   c*   =    c,s
    2 SpectralContrastive()                       c,s  c,s  =
    to order 4; =: equal, +: up to a constant, c: a factor, c,s: a factor and a scale of W; *: all orders
    """
    from symscape.conditions.imbalance.table import catalogue_losses

    chosen = catalogue_losses() if losses is None else tuple(losses)
    pairs = {}
    for j, second in enumerate(chosen):
        for i, first in enumerate(chosen[:j]):
            try:
                pairs[i, j] = equivalence(first, second, order=order)
            except NotAnalyticError:
                continue
    return EquivalenceMap(chosen, order, pairs)
