"""Scalars of an expression as floats, and expressions as they are quoted."""

from __future__ import annotations

import sympy as sp

from symscape.errors import InputError


def number(expr: sp.Expr) -> float:
    """Return a scalar as a float; raises InputError for a symbol without value."""
    names = sorted(str(s) for s in expr.free_symbols)
    if names:
        raise InputError(f"{expr}: the symbol {names[0]} has no value; give it one before the loss is sampled")
    try:
        return float(expr)
    except (TypeError, OverflowError) as error:
        raise InputError(f"{expr}: not a finite real number") from error


def quoted(expr: sp.Expr) -> str:
    """Return an expression as it is quoted in errors: shortened in the middle."""
    text = str(expr)
    return text if len(text) <= 160 else f"{text[:78]} ... {text[-77:]}"
