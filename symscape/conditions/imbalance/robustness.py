"""Which losses keep a rare class: p_c and |W m_c|^2 as pi_c -> 0, and the class probability below which a class is lost.

The strength of class c solves dL/dp_c = 0, linear in p_c, where the other classes enter through sums over classes alone. As
pi_c -> 0 these sums tend to those of the other classes, so that the solution, a rational function of pi_c, tells how p_c goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from symscape.algebra.words import IDENTITY
from symscape.conditions.imbalance.classes import (
    ClassLandscape,
    Sigma_i,
    class_landscape,
    depends_on_directions_only,
    pi_i,
    sigma,
    strength_symbol,
)
from symscape.errors import InputError, NotAnalyticError
from symscape.landscape.landscape import landscape
from symscape.losses.language import weight_norm
from symscape.losses.loss import CatalogueLoss, Loss, WeightDecay, positive_parameter
from symscape.spectrum.modes import p_i, r_i

#: Class probability at which the sign of a strength is read off a minimum, where symbols do not tell.
RARE = 1e-6


@dataclass(frozen=True)
class Robustness:
    """How the strengths of a class go as its probability pi_c -> 0; made by `robustness`.

    ``p``, ``q``: eigenvalue of P along the class and |W m_c|^2, in pi_i, |m_i|^2, sigma, and sums over all classes; they go
    like pi_c to the power of ``p_exponent``, ``q_exponent``. ``lost``: whether the class collapses at a positive pi_c already,
    None when free parameters decide. Robust: bounded below as pi_c -> 0.
    """

    name: str
    p: sp.Expr
    q: sp.Expr
    p_exponent: int
    q_exponent: int
    lost: bool | None
    reason: str

    @property
    def robust_in_p(self) -> bool:
        """Whether p_c is bounded below."""
        return not self.lost and self.p_exponent <= 0

    @property
    def robust_in_q(self) -> bool:
        """Whether |W m_c|^2 is bounded below."""
        return not self.lost and self.q_exponent <= 0

    def __str__(self) -> str:
        p, q = growth(self.p_exponent, self.lost), growth(self.q_exponent, self.lost)
        return f"{self.name}: p_c = {p}, |W m_c|^2 = {q}; {self.reason}"

    __repr__ = __str__


def growth(exponent: int, lost: bool | None, small: str = "pi_c") -> str:
    """Return how a strength goes as pi_c -> 0, as text."""
    if lost:
        return "0"
    return {0: "O(1)", 1: f"O({small})", -1: f"O(1/{small})"}.get(exponent, f"O({small}^{exponent})")


def robustness(loss: Loss, noise: Any = 0, gamma: Any = 0) -> Robustness:
    """Return how p_c and |W m_c|^2 go as pi_c -> 0, the other classes as they are.

    ``noise`` is the standard deviation of the augmentation, ``gamma`` the weight decay: numbers or positive symbols. Raises
    InputError for a landscape that is not quadratic in p_c.

    >>> from symscape.losses.spectral_contrastive import SpectralContrastive
    >>> found = robustness(SpectralContrastive())
    >>> found.p_exponent, found.q_exponent, found.reason
    (0, -1, 'second moments alone enter: p_c depends on r_c, which is 1 without noise')
    >>> robustness(SpectralContrastive(), noise=sp.Symbol("sigma", positive=True)).p
    pi_i*|m_i|^2/(pi_i*|m_i|^2 + sigma**2)
    """
    noise = positive_parameter("robustness", "noise", noise, zero=True)
    gamma = positive_parameter("robustness", "gamma", gamma, zero=True)
    name = repr(loss) if isinstance(loss, CatalogueLoss) else loss.name
    if depends_on_directions_only(loss) and noise == 0 and gamma == 0 and not loss.expr.has(weight_norm()):
        reason = "directions of f alone enter: f / |f| is a unit vector for every class, so p_c = pi_c"
        return Robustness(name, pi_i, sp.S.One, 1, 0, False, reason)
    land = class_landscape(loss + WeightDecay(gamma) if gamma != 0 else loss)
    slope = _of_class(land.stationarity, noise)
    linear = sp.Poly(slope, p_i)
    if linear.degree() != 1:
        raise InputError(f"robustness({loss.name}): dL/dp_c = {land.stationarity} is not linear in p_c")
    p = sp.factor(-linear.nth(0) / linear.nth(1))
    q = sp.factor(p * strength_symbol / _second_moment(noise))
    exponents = _exponent(p), _exponent(q)
    lost = _is_lost(loss, land, p, noise, gamma)
    return Robustness(name, p, q, *exponents, lost, _reason(land, noise, gamma, exponents[0], lost))


def _second_moment(noise: sp.Expr) -> sp.Expr:
    return pi_i * strength_symbol + noise**2


def _of_class(expr: sp.Expr, noise: sp.Expr) -> sp.Expr:
    """Return an expression of a class in its probability and strength."""
    second = _second_moment(noise)
    return expr.subs({r_i: pi_i * strength_symbol / second, Sigma_i: second}, simultaneous=True)


def _exponent(expr: sp.Expr) -> int:
    """Return the power of pi_c by which a rational function goes as pi_c -> 0."""
    top, bottom = (sp.Poly(part, pi_i) for part in sp.fraction(sp.together(expr)))
    return int(top.monoms()[-1][0] - bottom.monoms()[-1][0])


def _is_lost(loss: Loss, land: ClassLandscape, p: sp.Expr, noise: sp.Expr, gamma: sp.Expr) -> bool | None:
    """Read the sign of p_c: from its leading coefficient where that decides, else from a minimum at a small pi_c."""
    leading = sp.limit(p / pi_i ** _exponent(p), pi_i, 0)
    if leading.is_negative or leading.is_positive:
        return bool(leading.is_negative)
    if noise.free_symbols or gamma.free_symbols or loss.parameters.keys() - {"d_1"}:
        return None
    from symscape.conditions.imbalance.imbalance import imbalance

    pi = [(1 - RARE) / 2, (1 - RARE) / 2, RARE]
    return bool(imbalance(loss, pi, noise=float(noise), gamma=float(gamma)).lost[2])


def _reason(land: ClassLandscape, noise: sp.Expr, gamma: sp.Expr, exponent: int, lost: bool | None) -> str:
    if lost:
        return f"{'weight decay' if gamma != 0 else 'augmentation noise'} outweighs a class that is rare enough"
    if noise != 0:
        power = {0: "stays finite", 1: "goes like r_c", -1: "grows like 1/r_c"}.get(exponent, f"like pi_c^{exponent}")
        return f"with noise r_c goes to 0 like pi_c, and p_c {power}"
    if land.cumulant != 0:
        factor = "" if land.cumulant == 1 else f"{land.cumulant} "
        return f"a fourth cumulant enters, {factor}kappa: its pi_c |W m_c|^4 caps |W m_c|^2, and p_c goes like pi_c"
    return "second moments alone enter: p_c depends on r_c, which is 1 without noise"


# The class probability below which a class is lost


@dataclass(frozen=True)
class ClassThreshold:
    """The probability below which a class is lost; made by `class_threshold`.

    ``origin``: near W = 0, from B of the quadratic part, None without a series. ``trained``: with the other classes learned, in
    sums over them, at the order of the landscape (`loss_on_classes` has the exact loss without noise). Both in |m_i|^2, sigma
    and the parameters of the loss.
    """

    name: str
    origin: sp.Expr | None
    trained: sp.Expr

    def __str__(self) -> str:
        return f"{self.name}: a class is lost below pi_c = {self.trained}; near W = 0, below pi_c = {self.origin}"

    __repr__ = __str__


def class_threshold(loss: Loss, noise: Any = sigma) -> ClassThreshold:
    """Return the class probability at which p_c leaves 0, where the slope dL/dp_c at p_c = 0 changes its sign.

    ``loss`` holds its weight decay: ``loss + WeightDecay(gamma)``. ``noise``: standard deviation of the augmentation. Raises
    InputError when no single probability solves the condition.

    >>> from symscape.losses.infonce import InfoNCE
    >>> found = class_threshold(InfoNCE() + WeightDecay(sp.Symbol("gamma", positive=True)))
    >>> found.origin
    gamma/|m_i|^2
    >>> found.trained
    4*gamma/(|m_i|^2*(Tr M + 4))
    """
    noise = positive_parameter("class_threshold", "noise", noise, zero=True)
    land = class_landscape(loss)
    trained = _solved(_of_class(land.stationarity.subs(p_i, 0), noise), loss)
    try:
        coefficients = landscape(loss).hessian.coefficients
    except NotAnalyticError:
        return ClassThreshold(loss.name, None, trained)
    # B along the class: what each moment weighs there.
    weights = {"A_0": pi_i * strength_symbol, "Sigma": _second_moment(noise), IDENTITY: sp.S.One}
    B = sp.Add(*[c * weights[str(key)] for key, c in coefficients.items()])
    return ClassThreshold(loss.name, _solved(B, loss), trained)


def _solved(condition: sp.Expr, loss: Loss) -> sp.Expr:
    top = sp.numer(sp.together(condition))
    free = [factor for factor, _ in sp.factor_list(top, pi_i)[1]] if top.has(pi_i) else []
    solutions = [s for factor in free for s in sp.solve(factor, pi_i, check=False)]
    if any(factor == pi_i for factor in free):
        solutions = [s for s in solutions if s != 0] or [sp.S.Zero]
    if len(solutions) != 1:
        raise InputError(f"class_threshold({loss.name}): the condition {condition} = 0 has the solutions {solutions}")
    return sp.factor(solutions[0])
