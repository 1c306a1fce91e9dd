"""Landscapes of the spectrum at equal shares: a rotation of the outputs gives each the same part of Tr P and of Tr M.

In canonical coordinates and W = O diag(sqrt(p)), with O Hadamard-like, P_ii = Tr P / d1 and M_ii = Tr M / d1 for every
output i, and sums over outputs become functions of power sums of the spectrum:

    sum_i g(P_ii, M_ii)    = d1 g(Tr P / d1, Tr M / d1)
    sum_{i != j} P_ij^2    = Tr P^2 - (Tr P)^2 / d1
    sum_{i != j} P_ij M_ij = Tr PM - Tr P Tr M / d1
    sum_{i != j} M_ij^2    = Tr M^2 - (Tr M)^2 / d1.

Whether equal shares are the best ones is another question; see `symscape.spectrum.equal_shares.bound`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import sympy as sp

from symscape.errors import InputError
from symscape.losses.language import Expectation, OutputSum, d_1
from symscape.losses.loss import Loss
from symscape.spectrum.equal_shares.output_losses import (
    M_ii,
    M_jj,
    OutputTerm,
    P_ii,
    P_jj,
    as_maximum,
    read_expectation,
    read_output_sum,
    rewrite,
)
from symscape.spectrum.modes import p_i, r_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape

#: Power sums over modes: of p, r p, p^2, r p^2 and r^2 p^2.
TrP = sp.Symbol("TrP", positive=True)
TrM, TrPM = sp.symbols("TrM TrPM", real=True)
TrP2, TrM2 = sp.symbols("TrP2 TrM2", nonnegative=True)
_SUMS: dict[str, tuple[sp.Symbol, sp.Expr]] = {
    "P": (TrP, p_i),
    "M": (TrM, r_i * p_i),
    "PP": (TrP2, p_i**2),
    "MP": (TrPM, r_i * p_i**2),
    "MM": (TrM2, r_i**2 * p_i**2),
}

#: Multiplier of a spectrum whose trace is held: dL/dp_i = eta on the kept modes.
eta = sp.Symbol("eta", real=True)

_EQUAL = "every output has the same share of Tr P and of Tr M"


def equal_share_landscape(loss: Loss) -> SpectrumLandscape:
    """Return a loss of second moments as a function of the spectrum, every output with an equal share.

    A loss that is scale-invariant is put on the shell Tr P = d1. Raises InputError, quoting the term, where P_ij or M_ij enter
    otherwise than squared or multiplied with one another, and for terms that are no functions of P and M.

    >>> from symscape.losses.barlow_twins import BarlowTwins
    >>> L = equal_share_landscape(BarlowTwins(lambda_=sp.Symbol("lambda"), epsilon=0))
    >>> L.outer
    d_1*(-TrM/d_1 + 1)**2 + lambda*(-TrM**2/d_1 + TrM2)
    >>> L.shell
    d_1
    """
    if not isinstance(loss, Loss):
        raise InputError(f"equal_share_landscape({loss!r}): give a Loss; wrap an expression in Loss(...)")
    return _equal_share_landscape(loss)


@lru_cache(maxsize=128)
def _equal_share_landscape(loss: Loss) -> SpectrumLandscape:
    call = f"equal_share_landscape({loss.name})"
    named = {str(symbol) for symbol, _ in _SUMS.values()} | {str(eta), str(p_i), str(r_i)}
    clash = sorted(named & set(loss.parameters))
    if clash:
        raise InputError(f"{call}: the parameter {clash[0]} has the name of a sum over modes; choose another name")

    def on_node(node: sp.Expr) -> sp.Expr:
        if isinstance(node, Expectation):
            terms = read_expectation(node, call)
            return sp.Add(*[c * sp.Mul(*[_sum_of(word, node, call) for word in words]) for c, words in terms])
        return _at_equal_shares(read_output_sum(node, call), node, call)

    outer = rewrite(as_maximum(loss.expr), on_node, call)
    assumptions: list[str] = [_EQUAL]
    shell = None
    limit = large_output_limit(outer)
    if limit is not None and sp.simplify(limit - outer) == 0:
        shell, outer = d_1, outer.subs(TrP, d_1)
        assumptions.append("the loss is scale-invariant, and Tr P is held at d_1")
    elif limit is not None:
        gone = ", ".join(sorted(map(str, outer.free_symbols - limit.free_symbols))) or "the constants beside P"
        assumptions.append(
            f"large outputs: the loss tends to the scale-invariant {limit}; for this regime of the data set {gone} to 0 in "
            "the loss, whose landscape then lives on the shell Tr P = d_1"
        )
    sums = {symbol: summand for symbol, summand in _SUMS.values() if outer.has(symbol)}
    return SpectrumLandscape(loss.name, outer, sums or {TrP: p_i}, shell, tuple(assumptions))


def _sum_of(word: str, node: sp.Expr, call: str) -> sp.Symbol:
    if word not in _SUMS:
        raise InputError(f"{call}: {node} holds Tr {word}; traces of at most two moments are read")
    return _SUMS[word][0]


def _at_equal_shares(term: OutputTerm, node: OutputSum, call: str) -> sp.Expr:
    shares = {P_ii: TrP / d_1, P_jj: TrP / d_1, M_ii: TrM / d_1, M_jj: TrM / d_1}
    off_diagonal = {
        (0, 0): d_1 * (d_1 - 1),
        (2, 0): TrP2 - TrP**2 / d_1,
        (1, 1): TrPM - TrP * TrM / d_1,
        (0, 2): TrM2 - TrM**2 / d_1,
    }
    unread = sorted(set(term.pairs) - set(off_diagonal))
    if unread:
        k, l = unread[0]
        raise InputError(
            f"{call}: {node} holds P_ij^{k} M_ij^{l} at i != j, which the spectrum does not determine; squares and the "
            "product P_ij M_ij are"
        )
    pairs = [c.xreplace(shares) * off_diagonal[powers] for powers, c in term.pairs.items()]
    return d_1 * term.own.xreplace(shares) + sp.Add(*pairs)


def large_output_limit(outer: sp.Expr) -> sp.Expr | None:
    """Return the limit of L(c p) as c grows, if it is finite and depends on the spectrum; L itself if scale-invariant."""
    if outer.has(sp.Max):
        return None
    limit = limit_at_scale(outer, {symbol: len(word) for word, (symbol, _) in _SUMS.items()})
    return limit if limit is not None and limit.free_symbols & {symbol for symbol, _ in _SUMS.values()} else None


def limit_at_scale(expr: sp.Expr, degrees: Mapping[sp.Expr, int]) -> sp.Expr | None:
    """Return the limit of an expression as symbols grow like c^degree, itself if it does not change; None where not finite.

    Rational in the symbols and in square roots of those of degree 1.
    """
    root = sp.Dummy("root_of_c", positive=True)
    larger = {symbol: root ** (2 * degree) * symbol for symbol, degree in degrees.items()}
    scaled = sp.cancel(sp.together(expr.subs(larger, simultaneous=True)))
    if not scaled.has(root):
        return expr
    if not scaled.is_rational_function(root):
        return None
    top, bottom = (sp.Poly(part, root) for part in sp.fraction(scaled))
    if top.degree() > bottom.degree():
        return None
    return sp.simplify(top.LC() / bottom.LC()) if top.degree() == bottom.degree() else sp.S.Zero


# Regimes


@dataclass(frozen=True)
class HingeRegime:
    """One smooth regime of an equal-share landscape, with the modes it keeps.

    ``name``: "active", "at the kink", "inactive", or "smooth" for a loss without a kink. ``where``: the condition on Tr P.
    ``stationarity``: vanishes for a kept mode, and is positive for a lost one at p_i = 0; in p_i, r_i, the sums, and on a
    shell the multiplier eta. ``multiplier``: the two ends of the range of eta at the kink, the inactive and the active one;
    None elsewhere.
    """

    name: str
    landscape: SpectrumLandscape
    where: sp.Basic
    stationarity: sp.Expr
    multiplier: tuple[sp.Expr, sp.Expr] | None = None

    @cached_property
    def strengths(self) -> tuple[sp.Expr, ...]:
        """The strength of a kept mode: p_i solved for, in r_i, the sums and eta."""
        return tuple(map(sp.expand, sp.solve(self.stationarity, p_i))) if self.stationarity.has(p_i) else ()

    @cached_property
    def thresholds(self) -> tuple[sp.Expr, ...]:
        """The r_i at which the strength of a mode is zero, in the sums and eta."""
        at_zero = self.stationarity.subs(p_i, 0)
        return tuple(map(sp.expand, sp.solve(at_zero, r_i))) if at_zero.has(r_i) else ()

    @property
    def kept(self) -> sp.Basic:
        """The condition on r_i under which a mode is kept: at p_i = 0 the loss falls with p_i."""
        return sp.Lt(self.stationarity.subs(p_i, 0), 0)


def hinge_regimes(loss: Loss | SpectrumLandscape) -> tuple[HingeRegime, ...]:
    """Return the smooth regimes of a loss at equal shares, with the strength and the threshold of a mode in each.

    A loss without Max, Min or Abs has one. Raises InputError for more than one kink, or one that is not set by Tr P alone.

    >>> from symscape.losses.vicreg import VICReg
    >>> active, kink, inactive = hinge_regimes(VICReg.symbolic())
    >>> kink.strengths
    (TrP/d_1 + d_1*eta/(4*nu) + lambda*r_i/(2*nu) - lambda/(2*nu),)
    >>> kink.landscape.shell, kink.multiplier
    (d_1*(1 - epsilon), (0, mu/(2*d_1)))
    """
    land = loss if isinstance(loss, SpectrumLandscape) else equal_share_landscape(loss)
    call = f"hinge_regimes({land.name})"
    kinks = sorted(land.outer.atoms(sp.Max), key=sp.default_sort_key)
    if not kinks:
        return (_regime("smooth", land, sp.true),)
    if len(kinks) > 1 or len(kinks[0].args) != 2 or kinks[0].free_symbols & set(land.sums) != {TrP} or land.shell:
        raise InputError(
            f"{call}: {', '.join(map(str, kinks))} is not one kink, between two branches, in Tr P alone; write the loss so"
        )
    (kink,) = kinks
    inactive, active = sorted(kink.args, key=lambda branch: (branch.has(TrP), sp.count_ops(branch)))
    turns = sp.solve(active - inactive, TrP)
    if not turns:
        # One branch is the larger at every Tr P: the one that is at Tr P = d1, or at 1 where d1 is a number.
        gap = (active - inactive).subs(TrP, d_1 if active.has(d_1) else 1)
        if gap.is_positive or gap.is_negative:
            branch, name = (active, "active") if gap.is_positive else (inactive, "inactive")
            return (_regime(name, _with_outer(land, land.outer.xreplace({kink: branch})), sp.true),)
    if len(turns) != 1:
        raise InputError(f"{call}: {kink} turns at Tr P = {turns}, not at one value")
    turn = sp.simplify(turns[0])
    above, below = (_with_outer(land, land.outer.xreplace({kink: branch})) for branch in (active, inactive))
    slope = sp.simplify(-sp.diff(above.outer - below.outer, TrP).subs(TrP, turn))
    held = SpectrumLandscape(
        land.name,
        below.outer,
        {**land.sums, TrP: p_i},
        turn,
        (*land.assumptions, "Tr P is held at the kink of the hinge"),
    )
    return (
        _regime("active", above, sp.Gt(active, inactive)),
        _regime("at the kink", held, sp.Eq(TrP, turn), (sp.S.Zero, slope)),
        _regime("inactive", below, sp.Gt(inactive, active)),
    )


def _with_outer(land: SpectrumLandscape, outer: sp.Expr) -> SpectrumLandscape:
    return SpectrumLandscape(land.name, outer, land.sums, land.shell, land.assumptions)


def _regime(
    name: str, land: SpectrumLandscape, where: sp.Basic, multiplier: tuple[sp.Expr, sp.Expr] | None = None
) -> HingeRegime:
    stationarity = sp.expand(land.stationarity - (0 if land.shell is None else eta))
    return HingeRegime(name, land, where, stationarity, multiplier)
