"""How exact a sampled loss is: a running error analysis at W = 0, where all inner products vanish."""

from __future__ import annotations

from math import isfinite, log

import numpy as np
import sympy as sp

from symscape.losses.batch import CrossEntropy, Decay, Expression
from symscape.losses.language import Expectation, Node, OutputSum, Total, d_1
from symscape.losses.loss import Loss

#: Rounding of a mean of many terms of size 1.
UNIT = 2e-15


def rounding_of_loss(loss: Loss, outputs: int, size: int) -> float:
    """Return a bound on the absolute rounding error of a loss with numbers on ``size`` data near W = 0.

    A loss that is 0 there may come from terms that are not: log sum e^s - log N has the rounding of log N.

    >>> from symscape.losses.infonce import InfoNCE
    >>> rounding_of_loss(InfoNCE(), 2, 512) > 1e-14
    True
    """
    total = 0.0
    for coefficient, form in loss.batch:
        if isinstance(form, Decay):
            continue
        share = 1.0
        if isinstance(form, CrossEntropy):
            share = 1.0 + log(2 * size)
        elif isinstance(form, Expression):
            share = _value_and_error(form.expr, outputs)[1] * (1.0 + log(size))
        total += abs(float(coefficient.xreplace({d_1: sp.Integer(outputs)}))) * share
    return UNIT * total


def _value_and_error(expr: sp.Basic, outputs: int) -> tuple[float, float]:
    """Return the value at W = 0 and a bound on its error, in units of rounding: of every step, through all that follow."""
    if isinstance(expr, (Expectation, Total, OutputSum)):
        value, error = _value_and_error(expr.args[0], outputs)
        times = 1.0
        if isinstance(expr, Total):
            times = float(expr.args[2])
        elif isinstance(expr, OutputSum):
            times = float(outputs ** (len(expr.args) - 2))
        return times * value, times * (error + abs(value))
    if isinstance(expr, Node):
        return 0.0, 0.0
    if expr == d_1:
        return float(outputs), 0.0
    if expr.is_Number or expr.is_NumberSymbol:
        return float(expr), 0.0
    names = sp.symbols(f"argument:{len(expr.args)}", real=True)
    known = [_value_and_error(arg, outputs) for arg in expr.args]
    at = dict(zip(names, (value for value, _ in known), strict=True))
    function = expr.func(*names)
    value = _number(function, at)
    slopes = [
        abs(_number(function.diff(name), at)) if error else 0.0 for name, (_, error) in zip(names, known, strict=True)
    ]
    return value, abs(value) + sum(slope * error for slope, (_, error) in zip(slopes, known, strict=True))


def _number(expr: sp.Expr, at: dict[sp.Symbol, float]) -> float:
    """Return a number; 1 where there is none, as for the slope of a kink."""
    try:
        found = complex(expr.subs(at))
    except (TypeError, ValueError, ZeroDivisionError):
        return 1.0
    return float(found.real) if isfinite(found.real) and np.isclose(found.imag, 0) else 1.0
