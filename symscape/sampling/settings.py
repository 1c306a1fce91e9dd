"""Numbers out of the fields of a form."""

from __future__ import annotations

import math

import sympy as sp

from symscape.errors import InputError
from symscape.losses.batch import BatchForm


def setting(
    form: BatchForm, name: str, *, least: float = -math.inf, positive: bool = False, infinite: bool = False
) -> float:
    """Return a field as a float; oo where it may be ``infinite``.

    Raises InputError when it still holds symbols, is not finite and real, is less than ``least``, or not positive.

    >>> from symscape.losses.batch import Spectral
    >>> setting(Spectral(), "mu", infinite=True), setting(Spectral(sp.Integer(10)), "mu")
    (inf, 10.0)
    """
    value, call = sp.sympify(getattr(form, name)), type(form).__name__
    if value.free_symbols:
        unknown = ", ".join(sorted(map(str, value.free_symbols)))
        raise InputError(f"{call}({name}={value}): give a number for {unknown} before the loss is computed on a batch")
    if infinite and value is sp.oo:
        return math.inf
    if value.is_extended_real is not True or not math.isfinite(number := float(value)):
        raise InputError(f"{call}({name}={value}): {name} is a finite real number here")
    if positive and number <= 0:
        raise InputError(f"{call}({name}={value}): {name} is positive")
    if number < least:
        raise InputError(f"{call}({name}={value}): {name} is at least {least:g}")
    return number


def choice(form: BatchForm, name: str, allowed: tuple[str, ...]) -> str:
    """Return a field that is one of a few words; raise InputError when it is another."""
    value = getattr(form, name)
    if value not in allowed:
        raise InputError(f"{type(form).__name__}({name}={value!r}): choose one of {', '.join(map(repr, allowed))}")
    return str(value)
