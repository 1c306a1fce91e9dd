"""The margin of a mode in symbols that a parameter does not change: eigenvalues, correlations, strengths of augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symscape.algebra.words import IDENTITY
from symscape.spectrum.modes import b_i, mode_symbols, r_i

#: Multiplies what augmentation adds: Sigma = A_0 + strength * C.
augmentation_strength = sp.Symbol("augmentation_strength", positive=True)

#: Coefficients of A_0 and of Sigma in a matrix.
Combination = tuple[Any, Any]


@dataclass(frozen=True)
class Quantity:
    """What a condition per mode is written in: a symbol for mode k, in descending order, and what it is an eigenvalue of.

    ``matrix``: the combination of A_0 and Sigma whose eigenvalues they are, in the metric ``metric`` (None: the identity);
    None where they are no eigenvalues of one matrix.
    """

    letter: str
    meaning: str
    matrix: Combination | None = None
    metric: Combination | None = None

    def of(self, k: Any = "k") -> sp.Symbol:
        """Return the symbol for mode k (0-based), or for any mode."""
        return sp.Symbol(f"{self.letter}_{k}", real=True)


EIGENVALUE_OF_A0 = Quantity("lambda", "eigenvalue of A_0", (1, 0))
EIGENVALUE_OF_SIGMA = Quantity("lambda", "eigenvalue of Sigma", (0, 1))
CORRELATION = Quantity("r", "canonical correlation: A_0 u = r Sigma u", (1, 0), (0, 1))
SIGNAL_TO_NOISE = Quantity(
    "rho", "ratio of data to augmentation variance at strength 1: A_0 u = rho (Sigma - A_0) u", (1, 0), (-1, 1)
)
PENCIL = Quantity("b", "eigenvalue of the pencil B u = b S u")


def of_mode(expr: sp.Expr, quantity: Quantity, k: int) -> sp.Expr:
    """Return an expression for any mode for mode k."""
    return expr.xreplace({quantity.of(): quantity.of(k), c_of(): c_of(k), s_of(): s_of(k)})


def c_of(k: Any = "k") -> sp.Symbol:
    """Return the symbol of what augmentation adds along mode k, at strength 1."""
    return sp.Symbol(f"c_{k}", positive=True)


def s_of(k: Any = "k") -> sp.Symbol:
    """Return the symbol of the variance of the features along mode k, an eigenvalue of Sigma."""
    return sp.Symbol(f"s_{k}", positive=True)


def mode_in_terms(B: Mapping[str, sp.Expr], symbol: sp.Symbol, k: int) -> dict[sp.Symbol, sp.Expr]:
    """Return r and b of mode k in symbols that the parameter does not change; modes are common to A_0 and Sigma."""
    cross, sigma, decay = (B.get(s, sp.S.Zero) for s in ("A_0", "Sigma", IDENTITY))
    r, variance = mode_symbols(k)[r_i], s_of(k)
    if symbol == augmentation_strength:
        rho = SIGNAL_TO_NOISE.of(k)
        r, variance = rho / (rho + augmentation_strength), c_of(k) * (rho + augmentation_strength)
    return {mode_symbols(k)[r_i]: r, mode_symbols(k)[b_i]: cross * r + sigma + decay / variance}


def meaning_of_symbols(B: Mapping[str, sp.Expr], symbol: sp.Symbol) -> str:
    """Return what the symbols of the modes after the first are, in a sentence."""
    decayed = IDENTITY in B
    if symbol == augmentation_strength:
        more = ", c_k: what augmentation adds along mode k; A_0 and Sigma have common eigenvectors" if decayed else ""
        return f"beyond the first mode, rho_k: ratio of data to augmentation variance at strength 1{more}"
    more = ", s_k: eigenvalue of Sigma; A_0 and Sigma have common eigenvectors" if decayed else ""
    return f"beyond the first mode, r_k: A_0 u = r Sigma u{more}"


def quadratic_margin(B: Mapping[str, sp.Expr], symbol: sp.Symbol) -> tuple[Quantity, sp.Expr, tuple[str, ...]]:
    """Return the quantity of a mode, an expression that has the sign of its b, and what that rests on."""
    cross, sigma, decay = (B.get(s, sp.S.Zero) for s in ("A_0", "Sigma", IDENTITY))
    sylvester = "the number of positive b is that of positive eigenvalues of B (Sylvester), for any A_0 and Sigma"
    if set(B) - {"A_0", "Sigma", IDENTITY}:
        return PENCIL, PENCIL.of(), ("b as a function of the parameter is found with numbers",)
    if symbol == augmentation_strength:
        return margin_in_strength(cross, sigma, decay)
    if decay == 0:
        return CORRELATION, sp.expand(cross * CORRELATION.of() + sigma), ("r between -1 and 1",)
    if sigma == 0:
        return EIGENVALUE_OF_A0, cross * EIGENVALUE_OF_A0.of() + decay, (sylvester,)
    if cross == 0:
        return EIGENVALUE_OF_SIGMA, sigma * EIGENVALUE_OF_SIGMA.of() + decay, (sylvester,)
    ratio = sp.simplify(sigma / cross)
    if not ratio.has(symbol):
        mixed = Quantity("lambda", f"eigenvalue of A_0 + ({ratio}) Sigma", (1, ratio))
        return mixed, cross * mixed.of() + decay, (sylvester, f"{cross} > 0")
    # The sum of A_0 and Sigma changes with the parameter, and its eigenvalues are no sums unless eigenvectors are common.
    both = Quantity("r", f"{CORRELATION.meaning}; s_k: eigenvalue of Sigma")
    return both, (cross * both.of() + sigma) * s_of() + decay, ("A_0 and Sigma have common eigenvectors",)


def margin_in_strength(cross: sp.Expr, sigma: sp.Expr, decay: sp.Expr) -> tuple[Quantity, sp.Expr, tuple[str, ...]]:
    """With Sigma = A_0 + strength C and A_0 u = rho C u, B along u is (cross + sigma) rho + sigma strength, in units of C."""
    if decay == 0:
        return (
            SIGNAL_TO_NOISE,
            (cross + sigma) * SIGNAL_TO_NOISE.of() + sigma * augmentation_strength,
            ("C positive definite",),
        )
    if sigma == 0:
        return EIGENVALUE_OF_A0, cross * EIGENVALUE_OF_A0.of() + decay, ("augmentation does not enter B",)
    one = Quantity("rho", "ratio of data to augmentation variance; c_k: what augmentation adds to mode k, Sigma - A_0")
    c = c_of()
    margin = ((cross + sigma) * one.of() + sigma * augmentation_strength) * c + decay
    return one, margin, ("A_0 and Sigma have common eigenvectors",)
