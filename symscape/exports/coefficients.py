"""Coefficients as source code: numbers as they are, functions in the words of an array library."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.numpy import JaxPrinter, NumPyPrinter

from symscape.errors import InputError
from symscape.programs.arguments import argument_name

_FUNCTIONS = (sp.exp, sp.log, sp.sin, sp.cos, sp.tan, sp.asin, sp.acos, sp.atan, sp.sinh, sp.cosh, sp.tanh, sp.Abs)
_MODULES = {"numpy": ("numpy.", "np."), "jax": ("jax.numpy.", "jnp."), "torch": ("torch.", "torch.")}


def coefficient_source(expr: sp.Expr, backend: str, call: str) -> str:
    """Return a coefficient as an expression in its parameters by their argument names, d_1 as ``d1``.

    Raises InputError for a function that array libraries lack.
    """
    if expr.is_Rational:
        return str(expr)
    unknown = sorted({str(f.func) for f in expr.atoms(sp.Function) if not isinstance(f, _FUNCTIONS) and f.free_symbols})
    if unknown:
        raise InputError(
            f"{call}: the coefficient {expr} has the function {unknown[0]}, which {backend} lacks; give its parameters numbers"
        )
    expr = _with_floats(expr)
    names = {s: sp.Symbol(argument_name(str(s)).replace("d_1", "d1")) for s in expr.free_symbols}
    printer = _printer(backend)({"fully_qualified_modules": True})
    text: str = printer.doprint(expr.xreplace(names))
    long, short = _MODULES[backend]
    return text.replace(long, short)


def _printer(backend: str) -> Any:
    if backend != "torch":
        return {"numpy": NumPyPrinter, "jax": JaxPrinter}[backend]
    # SymPy's printer for PyTorch imports torch where it is installed, which takes a second.
    from sympy.printing.pytorch import TorchPrinter

    return TorchPrinter


def _with_floats(expr: sp.Expr) -> sp.Expr:
    """Return an expression in which what is an irrational number is a float, so that no function is left of numbers."""
    if not expr.free_symbols:
        return expr if expr.is_Rational else sp.Float(expr.evalf(20), 17)
    if not expr.args:
        return expr
    return expr.func(*(a if a.is_Rational else _with_floats(a) for a in expr.args))
