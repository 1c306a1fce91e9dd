"""What an expression from outside may say, and how large it may grow: functions, views, indices, bounded operations."""

from __future__ import annotations

import builtins
import difflib
import keyword
import re
from collections.abc import Callable, Collection
from typing import Any

import sympy as sp

from symscape.losses.language import E, M, Node, P, d_1, dot, output_sum, outputs, sqdist, sqnorm, total, weight_norm
from symscape.probability.views import View, anchor, negative, positive

MAX_LENGTH, MAX_DEPTH, MAX_DIGITS, MAX_EXPONENT = 2000, 40, 40, 64
#: Numbers inside a symbolic exponent, as in 2^(-5000 u): powers of one base are multiplied by adding these.
MAX_COEFFICIENT = 10_000
#: A number without parameters stays below e^MAX_LOGARITHM, a rational within MAX_BITS.
MAX_LOGARITHM, MAX_BITS = 230, 1024

NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*_?\Z")
INFINITY = ("oo", "inf", "infinity")
WORDS = {"euclidean": "euclidean", "dot": "dot", "none": None}
RESERVED = {"e": "Euler's number is exp(1)", "I": "scalars are real", "nan": "scalars are finite"}


class Refusal(Exception):
    """Why an operation is refused, before it is known where in the text it stands."""


# Operations, bounded


def is_number(expr: sp.Expr) -> bool:
    """Whether an expression is a number, views and parameters apart."""
    return bool(expr.is_number) and not expr.has(Node)


def _log_size(number: sp.Expr) -> float:
    """Return |log |number||, zero for zero."""
    value = abs(number.evalf(5))
    return abs(float(sp.log(value).evalf(5))) if value else 0.0


def bounded_number(expr: sp.Expr) -> sp.Expr:
    """Return the expression when its rational numbers are within MAX_BITS."""
    for number in (expr.as_coeff_Mul()[0], expr.as_coeff_Add()[0]):
        if number.is_Rational and max(int(number.p).bit_length(), int(number.q).bit_length()) > MAX_BITS:
            raise Refusal(f"makes a number of more than {MAX_BITS} bits")
    return expr


def regular(expr: sp.Expr) -> sp.Expr:
    """Return the expression when it is finite and real, without large numbers in exponents."""
    if expr.has(sp.zoo, sp.nan, sp.oo, -sp.oo):
        raise Refusal("is not finite")
    # By value where there is one: asking SymPy whether a function of a power is real multiplies the power out.
    if expr.has(sp.I) or (is_number(expr) and not expr.evalf(5).is_extended_real):
        raise Refusal("is not real")
    for power in expr.atoms(sp.Pow):
        for number in power.exp.atoms(sp.Rational) if power.base is not sp.E else ():
            if max(abs(int(number.p)), int(number.q)) > MAX_COEFFICIENT:
                raise Refusal(f"has a number above {MAX_COEFFICIENT} in an exponent")
    return bounded_number(expr)


def power(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    """Return base to the exponent, its size bounded before it is computed."""
    inner, times = base.as_base_exp()
    bound = MAX_LOGARITHM if inner is sp.E else MAX_EXPONENT
    # SymPy multiplies the exponents of a power of a power, and splits a^(64 + u): bound every number among them.
    for number in (*sp.Add.make_args(exponent), *sp.Add.make_args(times * exponent)):
        if (is_number(number) and abs(number.evalf(5)) > bound) or (number.is_Rational and number.q > bound):
            raise Refusal(f"has the exponent {short(number)}; numerator and denominator are at most {bound}")
    if base.is_zero and exponent.is_positive is not True and not exponent.is_zero:
        raise Refusal("divides by zero")
    coefficient = base if is_number(base) else base.as_coeff_Mul()[0]
    if is_number(exponent) and abs(exponent.evalf(5)) * _log_size(coefficient) > MAX_LOGARITHM:
        raise Refusal(f"makes a number beyond exp({MAX_LOGARITHM})")
    return regular(base**exponent)


def _growing(function: Callable[[sp.Expr], sp.Expr]) -> Callable[[sp.Expr], sp.Expr]:
    """Bound a function that grows like exp, which turns exp(u log 9) into 9^u, term by term of a sum."""

    def bounded(expr: sp.Expr) -> sp.Expr:
        if any(is_number(term) and abs(term.evalf(5)) > MAX_LOGARITHM for term in sp.Add.make_args(expr)):
            raise Refusal(f"has an argument beyond {MAX_LOGARITHM}")
        return function(expr)

    return bounded


Functions = dict[str, Callable[..., sp.Expr]]
SCALAR_FUNCTIONS: Functions = {
    "sqrt": lambda expr: power(expr, sp.Rational(1, 2)),
    "exp": _growing(sp.exp),
    "log": lambda expr: sp.log(expr),
    "tanh": _growing(sp.tanh),
    "sin": lambda expr: sp.sin(expr),
    "cos": lambda expr: sp.cos(expr),
    "sinh": _growing(sp.sinh),
    "cosh": _growing(sp.cosh),
}
LOSS_FUNCTIONS: Functions = {
    **{function.__name__: function for function in (E, dot, sqdist, sqnorm, total, weight_norm, P, M, output_sum)},
    "softplus": _growing(lambda expr: sp.log(1 + sp.exp(expr))),
    "sigmoid": _growing(lambda expr: 1 / (1 + sp.exp(-expr))),
    "maximum": lambda left, right: sp.Max(left, right),
    **SCALAR_FUNCTIONS,
}
#: What an argument is, by the name of the parameter; any other parameter is a scalar.
KINDS = {"u": "view", "v": "view", "over": "views", "i": "index", "j": "index", "indices": "index"}
KINDS |= {"centred": "flag", "distinct": "flag"}

INDICES = {index.name: index for index in outputs("i j k")}
VIEWS = {"x": anchor, "xp": positive, "x'": positive, "chi": negative}
VIEWS |= {f"chi{k}": View(f"chi{k}") for k in range(2, 100)}
VIEW_LIST = "x, xp (or x'), chi, chi2, chi3, ..."
INTEGERS = {"d_1": d_1} | {name: sp.Symbol(name, positive=True, integer=True) for name in ("n", "d_0")}


# Words in messages


def is_python(name: str) -> bool:
    """Whether a name means something in Python."""
    return name != "lambda" and (keyword.iskeyword(name) or hasattr(builtins, name))


def closest(name: str, known: Collection[str]) -> str:
    """Return a question with the closest known name, or nothing."""
    close = difflib.get_close_matches(name, known, n=1)
    return f'Did you mean "{close[0]}"? ' if close else ""


def short(value: Any) -> str:
    """Return a value as text of at most 60 characters."""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:28]}...{text[-28:]}"


def quoted(text: str) -> str:
    """Return text in quotes, what cannot be printed escaped."""
    return '"' + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text) + '"'
