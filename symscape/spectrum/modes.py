"""The symbols of one mode: its strength in P, its canonical correlation, its eigenvalue of the quadratic part."""

from __future__ import annotations

import sympy as sp

#: Strength of a mode, its canonical correlation A_0 u = r Sigma u, and its eigenvalue B u = b Sigma u.
p_i = sp.Symbol("p_i", nonnegative=True)
r_i = sp.Symbol("r_i", real=True)
b_i = sp.Symbol("b_i", real=True)
MODE_SYMBOLS = (p_i, r_i, b_i)


def mode_symbols(k: int) -> dict[sp.Symbol, sp.Symbol]:
    """Return what stands for p_i, r_i and b_i in mode number k."""
    return {
        p_i: sp.Symbol(f"p_{k}", nonnegative=True),
        r_i: sp.Symbol(f"r_{k}", real=True),
        b_i: sp.Symbol(f"b_{k}", real=True),
    }
