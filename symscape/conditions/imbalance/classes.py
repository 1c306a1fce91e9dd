"""Landscapes over orthogonal classes: a function of the strength p_c of P along the direction of each class.

Class c has probability pi_c and the clean features s = +m_c or -m_c, equally likely, along a direction of its own; augmentation
adds independent Gaussian noise of variance sigma_c^2. So A_0 = sum_c pi_c m_c m_c^T, and along class c

    Sigma_c = pi_c |m_c|^2 + sigma_c^2,    r_c = pi_c |m_c|^2 / Sigma_c,    |W m_c|^2 = p_c |m_c|^2 / Sigma_c = p_c r_c / pi_c.

W is aligned, which a landscape of this form asks for: W m_c are orthogonal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from symscape.algebra.words import IDENTITY, Generator
from symscape.errors import InputError, ScaleInvariantError
from symscape.landscape.facts import is_rotation_invariant
from symscape.landscape.landscape import landscape
from symscape.losses.language import Dot, SqDist, weight_norm
from symscape.losses.loss import Loss
from symscape.probability.data_models import CumulantViews
from symscape.spectrum.modes import p_i, r_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.spectrum.words import ENTRIES, mode_of_word

#: Probability of a class, and second moment of a view along it; with p_i and r_i, what a class brings to a sum.
pi_i = sp.Symbol("pi_i", positive=True)
Sigma_i = sp.Symbol("Sigma_i", positive=True)
CLASS_SYMBOLS = (p_i, r_i, pi_i, Sigma_i)

#: Feature strength |m_c|^2 and standard deviation of the augmentation noise.
strength_symbol = sp.Symbol("|m_i|^2", positive=True)
sigma = sp.Symbol("sigma", positive=True)

#: Multiplier of a spectrum whose trace is held.
eta = sp.Symbol("eta", real=True)


@dataclass(frozen=True)
class ClassLandscape:
    """L = outer(S_1, ...), each S_k the sum over classes of ``sums[S_k]``, in p_i, r_i, pi_i and Sigma_i.

    ``shell``: where Tr P is held. ``cumulant``: the coefficient of fourth cumulants, 0 when second moments suffice.
    ``pieces``: the smooth landscapes that a kink of ``outer`` separates, or the landscape alone.
    """

    name: str
    outer: sp.Expr
    sums: Mapping[sp.Symbol, sp.Expr]
    shell: sp.Expr | None
    cumulant: sp.Expr
    order: int | None
    pieces: tuple[SpectrumLandscape, ...] = ()

    @property
    def stationarity(self) -> sp.Expr:
        """dL/dp_i in the symbols of a class and the sums; a slope of ``outer`` at a kink is a symbol of its own.

        On a shell, less the multiplier eta.
        """
        slope = sp.S.Zero if self.shell is None else -eta
        for symbol, summand in self.sums.items():
            factor = sp.diff(self.outer, symbol)
            kinked = factor.has(sp.Heaviside, sp.Max, sp.Derivative)
            slope += (sp.Symbol(f"dL/d{symbol}", real=True) if kinked else factor) * sp.diff(summand, p_i)
        return sp.expand(slope)

    @property
    def parameters(self) -> tuple[sp.Symbol, ...]:
        """The symbols of the loss that need a value, d_1 included, sorted by name."""
        inside = set().union(*(s.free_symbols for s in self.sums.values()), self.outer.free_symbols)
        return tuple(sorted(inside - set(self.sums) - set(CLASS_SYMBOLS), key=str))


def class_landscape(loss: Loss) -> ClassLandscape:
    """Return a loss as a function of the strengths p_c of orthogonal classes.

    A rotation-invariant loss with a series at 0: its landscape of order 4, fourth cumulants of the classes included. A loss of
    single outputs: its landscape at equal shares, which holds away from 0 too. Raises ScaleInvariantError for cosines,
    InputError for a landscape in other words.

    >>> from symscape.losses.infonce import InfoNCE
    >>> L = class_landscape(InfoNCE())
    >>> L.cumulant, L.sums[sp.Symbol("E|Ws|^4", real=True)]
    (1/8, p_i**2*r_i**2/pi_i)
    """
    if depends_on_directions_only(loss):
        raise ScaleInvariantError(
            f"{loss.name}: the loss sees the direction of f alone, which decides the strengths without noise and decay only; "
            "smooth it, NTXent(epsilon=...)"
        )
    return _derived(loss.expr, loss.name)


@lru_cache(maxsize=128)
def _derived(expr: sp.Expr, name: str) -> ClassLandscape:
    loss = Loss(expr, name=name)
    return _from_words(loss) if is_rotation_invariant(expr) else _from_equal_shares(loss)


def _from_words(loss: Loss) -> ClassLandscape:
    land = landscape(loss, order=4, data=CumulantViews())
    sums: dict[sp.Symbol, sp.Expr] = {}
    outer, cumulant = sp.S.Zero, sp.S.Zero
    for monomial, coefficient in land.terms:
        term = coefficient
        for generator in monomial:
            if generator[0] == "cumulant4":
                cumulant += coefficient
                term *= _fourth_cumulant(sums)
            elif generator[0] == "tr" and set(generator[1]) <= {"Sigma", "A_0", IDENTITY}:
                term *= _trace(generator, sums)
            else:
                raise InputError(
                    f"{loss.name}: the landscape {land} holds more than traces of Sigma, A_0 and cumulants; classes with "
                    "given moments do not determine it"
                )
        outer += term
    return ClassLandscape(loss.name, sp.expand(outer), sums, None, sp.factor(cumulant), None if land.is_exact else 4)


def _trace(generator: Generator, sums: dict[sp.Symbol, sp.Expr]) -> sp.Symbol:
    """Return the symbol of a trace: with w_c^2 = p_c / Sigma_c, a letter is p_c, r_c p_c or, the identity, w_c^2."""
    word = generator[1]
    data, decay = word.count("A_0"), word.count(IDENTITY)
    name = "M" * data + "P" * (len(word) - data - decay) + "1" * decay
    entries = {**ENTRIES, IDENTITY: 1 / Sigma_i}
    return _noted(sums, f"Tr {name}", mode_of_word(word, entries))


def _noted(sums: dict[sp.Symbol, sp.Expr], name: str, summand: sp.Expr) -> sp.Symbol:
    symbol = sp.Symbol(name, real=True)
    sums[symbol] = summand
    return symbol


def _fourth_cumulant(sums: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    """Return the sum over outputs a, b of cum(f_a, f_a, f_b, f_b) over the classes.

    Independent Gaussian noise adds no cumulant, so that every pattern of views of one datum has the cumulant of f = W s: its
    fourth moment less the three pairings. Over a sign-symmetric class f = +- W m_c, so that the fourth moment is
    sum_c pi_c |W m_c|^4, and second moments are diagonal, with entries pi_c |W m_c|^2 = r_c p_c.
    """
    q = p_i * r_i / pi_i
    outputs = ("a", "a", "b", "b")
    cumulant: sp.Expr = _noted(sums, "E|Ws|^4", sp.expand(pi_i * q**2))
    for pairing in (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))):
        # A pair of legs with one output closes a sum over it; a pair with two joins both sums into one.
        apart = all(outputs[u] == outputs[v] for u, v in pairing)
        pair = sp.expand(pi_i * q)
        cumulant -= _noted(sums, "Tr M", pair) ** 2 if apart else _noted(sums, "Tr MM", pair**2)
    return cumulant


def _from_equal_shares(loss: Loss) -> ClassLandscape:
    from symscape.spectrum.equal_shares.equal_shares import equal_share_landscape, hinge_regimes

    gamma = loss.expr.coeff(weight_norm())
    spectrum = equal_share_landscape(Loss(loss.expr - gamma * weight_norm(), name=loss.name))
    if gamma != 0 and spectrum.shell is not None:
        raise ScaleInvariantError(
            f"{loss.name}: with weight decay a scale-invariant loss has no minimum, W shrinks for ever; leave the decay out"
        )
    pieces: tuple[SpectrumLandscape, ...] = (spectrum,)
    if spectrum.outer.has(sp.Max):
        pieces = tuple(regime.landscape for regime in hinge_regimes(spectrum))
    norm = sp.Symbol("Tr 1", real=True)

    def decayed(sums: Mapping[sp.Symbol, sp.Expr]) -> dict[sp.Symbol, sp.Expr]:
        return {**sums, norm: p_i / Sigma_i} if gamma != 0 else dict(sums)

    pieces = tuple(
        SpectrumLandscape(s.name, s.outer + gamma * norm, decayed(s.sums), s.shell, s.assumptions) for s in pieces
    )
    outer = spectrum.outer + gamma * norm
    return ClassLandscape(loss.name, outer, decayed(spectrum.sums), spectrum.shell, sp.S.Zero, None, pieces)


def depends_on_directions_only(loss: Loss) -> bool:
    """Tell whether a loss stays as it is when the representation of every view is scaled by a factor of its own.

    Raises InputError for what is no loss.

    >>> from symscape.losses.ntxent import NTXent
    >>> depends_on_directions_only(NTXent()), depends_on_directions_only(NTXent(epsilon=1))
    (True, False)
    """
    if not isinstance(loss, Loss):
        raise InputError(f"{loss!r} is not a Loss; wrap an expression in Loss(...)")
    distances = {node: node.as_dots() for node in loss.expr.atoms(SqDist)}
    plain = loss.expr.xreplace(distances)
    scale = {view: sp.Symbol(f"scale_{view.name}", positive=True) for view in loss.views}
    scaled = plain.replace(
        lambda node: isinstance(node, Dot), lambda node: scale[node.args[0]] * scale[node.args[1]] * node
    )
    return bool(loss.views) and not (scaled.free_symbols & set(scale.values())) and scaled == plain
