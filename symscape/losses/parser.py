"""Expressions from outside, read by a whitelist: scalars, losses, and settings of the command line.

    scalar    numbers, parameters, pi, + - * / ** ^ ( ), sqrt exp log tanh sin cos sinh cosh; oo alone
    loss      a scalar, and the words of `symscape.losses.language`: E, dot, sqdist, ..., views, output indices
    setting   NAME=VALUE, the value a scalar or one of the words euclidean, dot, none

Numbers are exact: 1e-4 is 1/10000. Sizes are bounded before anything is computed. The work is done by
`symscape.losses.reader` with the words of `symscape.losses.vocabulary`.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symscape.errors import ExpressionError
from symscape.losses.loss import Loss
from symscape.losses.reader import Reader
from symscape.losses.vocabulary import (
    INFINITY,
    LOSS_FUNCTIONS,
    MAX_DIGITS,
    NAME,
    SCALAR_FUNCTIONS,
    WORDS,
    is_python,
    quoted,
    short,
)


def parse_scalar(text: str) -> sp.Expr:
    """Return a scalar: numbers exactly, names as positive symbols (n, d_0 and d_1 positive integers), oo alone.

    Raises ExpressionError for anything that is not on the whitelist.

    >>> parse_scalar("1e-4"), parse_scalar("lambda^2/(2*tau)")
    (1/10000, lambda**2/(2*tau))
    """
    if isinstance(text, str) and text.strip().lower() in INFINITY:
        return sp.oo
    return Reader("parse_scalar", text, SCALAR_FUNCTIONS).read()


def parse_loss(text: str, name: str | None = None) -> Loss:
    """Return the loss that a text writes in the loss language; its name is the text unless given.

    Raises ExpressionError for anything that is not on the whitelist; errors of the language itself pass through.

    >>> parse_loss("E(sqdist(x, x')) + log(E(exp(-2*sqdist(x, chi))))").expr
    log(E_{x, chi}[exp(-2*|f(x) - f(chi)|^2)]) + E_{x, x'}[|f(x) - f(x')|^2]
    """
    expr = Reader("parse_loss", text, LOSS_FUNCTIONS).read()
    return Loss(expr, name=short(" ".join(text.split())) if name is None else name)


def parse_setting(text: str) -> tuple[str, Any]:
    """Return (name, value) of a setting ``NAME=VALUE``; the value is a scalar, "euclidean", "dot" or None.

    The name is spelled as an argument is: ``lambda`` becomes ``lambda_``. Raises ExpressionError for anything else.

    >>> parse_setting("lambda=0.5"), parse_setting("epsilon=none")
    (('lambda_', 1/2), ('epsilon', None))
    """
    name, sign, value = text.partition("=") if isinstance(text, str) else ("", "", "")
    name = name.strip()
    if not sign or not NAME.match(name) or len(name) > MAX_DIGITS or is_python(name):
        shown = quoted(short(text)) if isinstance(text, str) else repr(text)
        what = f"{quoted(short(name))} is not a name; write" if sign else "write"
        raise ExpressionError(f"parse_setting({shown}): {what} NAME=VALUE, for instance tau=0.5")
    name = "lambda_" if name == "lambda" else name
    word = value.strip().lower()
    if word in WORDS:
        return name, WORDS[word]
    if word in INFINITY:
        return name, sp.oo
    return name, Reader("parse_setting", value, SCALAR_FUNCTIONS, before=f"{name}=").read()
