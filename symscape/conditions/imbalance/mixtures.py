"""Data imbalance between two classes about means of their own, seen by one output along the difference of the means.

Class 1 has probability pi and the mean m + (1 - pi) delta, class 2 the mean m - pi delta, m the mean of all data; within a
class the clean datum has variance A along delta, and augmentation adds sigma^2. About m, A_0 along delta is
A + pi (1 - pi) delta^2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symscape.algebra.words import IDENTITY, Generator
from symscape.conditions.imbalance.classes import (
    ClassLandscape,
    Sigma_i,
    class_landscape,
    depends_on_directions_only,
    pi_i,
)
from symscape.errors import InputError
from symscape.landscape.facts import is_rotation_invariant
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.language import d_1, weight_norm
from symscape.losses.loss import Loss, WeightDecay, positive_parameter
from symscape.probability.data_models import MixtureViews
from symscape.spectrum.modes import p_i, r_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape

#: Distance of the means along their difference, variance within a class, the augmentation's standard deviation, overall mean.
delta, within, sigma = sp.symbols("delta A sigma", positive=True)
overall = sp.Symbol("m", real=True)

#: The squared weight of the output along delta.
weight = sp.Symbol("w2", positive=True)


@dataclass(frozen=True)
class MixtureStrength:
    """The strengths along the difference of two class means at the minimum of a landscape; made by `mixture_strength`.

    SymPy expressions: ``p``, the output's variance E f^2 - (E f)^2, and ``q`` = |W delta|^2, valid where they are positive
    (elsewhere the direction is lost). ``p_exponent``, ``q_exponent``: the powers of pi by which they go as pi -> 0.
    """

    name: str
    p: sp.Expr
    q: sp.Expr
    p_exponent: int
    q_exponent: int

    @property
    def robust_in_p(self) -> bool:
        """Whether the variance along delta is bounded below as pi -> 0."""
        return self.p_exponent <= 0

    @property
    def robust_in_q(self) -> bool:
        """Whether |W delta|^2 is bounded below as pi -> 0."""
        return self.q_exponent <= 0


def mixture_polynomial(loss: Loss) -> sp.Expr:
    """Return the landscape of order 4 over two classes at one output, in w2 = w^2, pi_1, delta, A, sigma and the mean m.

    Words of covariances and means become products of numbers. Raises as `landscape` does.

    >>> from symscape.losses.spectral_contrastive import SpectralContrastive
    >>> mixture_polynomial(SpectralContrastive()).subs({overall: 0, within: 0, sigma: 0}).factor()
    delta**2*pi_i*w2*(pi_i - 1)*(delta**2*pi_i**2*w2 - delta**2*pi_i*w2 + 2)
    """
    land = landscape(loss, order=4, data=MixtureViews(2, weights=(pi_i, 1 - pi_i)))
    clean = {"A_1": within, "A_2": within}
    noisy = {"Sigma_1": within + sigma**2, "Sigma_2": within + sigma**2, IDENTITY: sp.S.One}
    means = {"m_1": overall + (1 - pi_i) * delta, "m_2": overall - pi_i * delta}
    values = {**clean, **noisy, **means}

    def value(generator: Generator) -> sp.Expr:
        kind = generator[0]
        if kind == "tr":
            names = generator[1]
        elif kind == "form":
            names = (generator[1], *generator[2], generator[3])
        elif kind == "graph":
            names = (*(edge[0] for edge in generator[1]), *(leg[0] for leg in generator[2]))
        else:
            raise InputError(f"mixture_polynomial({loss.name}): {generator} has no value over two classes")
        return sp.Mul(*[values[name] for name in names])

    terms = [
        c * weight ** sp.Rational(Landscape.degree_of(m), 2) * sp.Mul(*[value(g) for g in m]) for m, c in land.terms
    ]
    return sp.Add(*terms).subs(d_1, 1)


def mixture_strength(loss: Loss, noise: Any = 0, spread: Any = 0, gamma: Any = 0, mean: Any = 0) -> MixtureStrength:
    """Return the strengths along the difference of two class means, one output, as functions of pi.

    ``noise``: the augmentation's standard deviation sigma; ``spread``: the variance A within a class; ``gamma``: weight decay;
    ``mean``: of all data, along delta: numbers or symbols. A rotation-invariant loss through its landscape of order 4 over
    the mixture, not only its second moments; a loss of single outputs at d1 = 1 through second moments about the mean.
    A scale-invariant loss leaves w free: the strengths are those of its normalised output. Raises InputError for a landscape
    that is not quadratic in w^2.

    >>> from symscape.losses.infonce import InfoNCE
    >>> found = mixture_strength(InfoNCE())
    >>> found.q, found.p_exponent, found.q_exponent
    (4, 1, 0)
    """
    noise = positive_parameter("mixture_strength", "noise", noise, zero=True)
    spread = positive_parameter("mixture_strength", "spread", spread, zero=True)
    gamma = positive_parameter("mixture_strength", "gamma", gamma, zero=True)
    whole = loss + WeightDecay(gamma) if gamma != 0 else loss
    between = pi_i * (1 - pi_i) * delta**2
    second = spread + between + noise**2
    if depends_on_directions_only(loss) and not (spread or noise or whole.expr.has(weight_norm())):
        # Both classes are points, which the direction of f sends to +-1: f / |f| has the distance 2, or 0 on one side.
        means = (sp.sympify(mean) + (1 - pi_i) * delta, sp.sympify(mean) - pi_i * delta)
        side = [sp.sign(sp.limit(m / (delta * pi_i), pi_i, 0, "+")) for m in means]
        q = (side[0] - side[1]) ** 2
        return MixtureStrength(loss.name, q * pi_i * (1 - pi_i), q, 1, 0)
    if is_rotation_invariant(loss.expr):
        setting = {sigma: noise, within: spread, overall: mean}
        slope = sp.expand(sp.diff(mixture_polynomial(whole).subs(setting), weight))
        p = sp.factor(_root(slope, weight, loss) * second)
    else:
        p = _of_second_moments(whole, sp.cancel((spread + between) / second), second)
    q = sp.factor(sp.cancel(p / second * delta**2))
    return MixtureStrength(loss.name, p, q, _exponent(p), _exponent(p) - _exponent(second / delta**2))


def _root(slope: sp.Expr, unknown: sp.Symbol, loss: Loss) -> sp.Expr:
    linear = sp.Poly(slope, unknown)
    if linear.degree() != 1:
        raise InputError(f"mixture_strength({loss.name}): dL/d{unknown} = {slope} is not linear in {unknown}")
    return sp.factor(-linear.nth(0) / linear.nth(1))


def _of_second_moments(loss: Loss, r: sp.Expr, second: sp.Expr) -> sp.Expr:
    """Return p at d1 = 1, where a loss of second moments is a function of p and r.

    A shell holds p: that of the normalised output. A hinge that ends at a kink is convex in p at one output, so that the least
    value is at the stationary point below the kink, or at the kink.
    """
    land = class_landscape(loss)
    values: Mapping[sp.Symbol, sp.Expr] = {r_i: r, Sigma_i: second, d_1: sp.S.One}
    if land.shell is not None:
        return land.shell.subs(values)

    def slope(piece: SpectrumLandscape | ClassLandscape) -> sp.Expr:
        own = {symbol: summand.subs(values) for symbol, summand in piece.sums.items()}
        return sp.diff(piece.outer.subs(values).subs(own), p_i)

    if len(land.pieces) < 2:
        return _root(sp.numer(sp.together(slope(land))), p_i, loss)
    active, kink = land.pieces[:2]
    if kink.shell is None:
        raise InputError(f"mixture_strength({loss.name}): {land.outer} has no kink in Tr P")
    turn = kink.shell.subs(values)
    roots = sp.solve(slope(active), p_i)
    return sp.Min(turn, *map(sp.factor, roots))


def _exponent(expr: sp.Expr) -> int:
    """Return the power of pi by which an expression goes as pi -> 0: a rational function, or one with a finite limit."""
    if expr.is_rational_function(pi_i):
        top, bottom = (sp.Poly(part, pi_i) for part in sp.fraction(sp.together(expr)))
        return int(top.monoms()[-1][0] - bottom.monoms()[-1][0])
    parts = [sp.limit(part, pi_i, 0, "+") for part in (expr.args if isinstance(expr, sp.Min) else (expr,))]
    if any(part.is_infinite or part == 0 for part in parts):
        raise InputError(f"mixture_strength: {expr} has no power of pi as pi -> 0")
    return 0
