"""SymPy objects as LaTeX in the notation of the document: traces in P and M, |f| for norms, 1 for the identity."""

from __future__ import annotations

import re
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter

from symscape.spectrum.spectrum_landscape import latex_trace
from symscape.typesetting.latex import LatexWriter
from symscape.typesetting.symbols import Meaning, W, d_1
from symscape.typesetting.sympy_reading import with_word_symbols

_NAMES = {
    "augmentation_strength": "s", "pi_i": r"\pi_{c}", "n_surviving": r"n_{+}", "n_above": r"n_{+}", "TrP": r"\Tr P",
    "TrM": r"\Tr M", "TrP2": r"\Tr P^{2}", "TrM2": r"\Tr M^{2}", "TrPM": r"\Tr P M", "|m_i|^2": r"\lvert m_{c} \rvert^{2}",
}  # fmt: skip
_P, _M = (sp.MatrixSymbol(name, d_1, d_1) for name in "PM")


def plain_traces(text: str) -> str:
    r"""Write traces and norms as the text around them does: \Tr P, |f|.

    >>> plain_traces(r"\operatorname{Tr}\left[M P\right]")
    '\\Tr M P'
    """
    text = re.sub(r"\\operatorname{Tr}\\left\[((?:(?!\\right\])[^+])*)\\right\]", r"\\Tr \1", text)
    text = text.replace(r"\operatorname{Tr}", r"\Tr ").replace(r"\lVert", r"\lvert").replace(r"\rVert", r"\rvert")
    return re.sub(r"\\left\((\\Tr [^()]*)\\right\)", r"(\1)", text)


class _Printer(LatexPrinter):
    """SymPy's printer with the names and traces of this document."""

    def _print_Symbol(self, expr: sp.Symbol, style: str = "plain") -> str:
        if expr.name in _NAMES:
            return _NAMES[expr.name]
        if expr.name.startswith("Tr "):
            word = expr.name.removeprefix("Tr ").split()
            if all(letter in ("Sigma", "A_0", "I") or "_" in letter for letter in word):
                return plain_traces(LatexWriter(Meaning(), "PM").generator(("tr", tuple(word))))
            return plain_traces(latex_trace(expr))
        if re.fullmatch(r"[a-z]{3,}", expr.name) and super()._print_Symbol(expr) == expr.name:
            return rf"\mathrm{{{expr.name}}}"
        return str(super()._print_Symbol(expr))

    def _print_Trace(self, expr: sp.Trace, exp: str | None = None) -> str:
        inner = expr.arg.xreplace({W * sp.MatrixSymbol(letter, *W.shape[1:] * 2) * W.T: symbol
                                   for letter, symbol in (("Sigma", _P), ("A_0", _M))})  # fmt: skip
        text = (
            rf"\Tr {self._print(inner)}"
            if not isinstance(inner, sp.MatAdd)
            else rf"\Tr\left({self._print(inner)}\right)"
        )
        return text if exp is None else rf"({text})^{{{exp}}}"

    def _print_MatAdd(self, expr: Any) -> str:
        terms = sorted((self._print(term) for term in expr.args), key=lambda term: term.startswith("-"))
        return " ".join(term if not k or term.startswith("-") else f"+ {term}" for k, term in enumerate(terms))

    def _print_And(self, expr: Any) -> str:
        """Print a < x and x < b as one chain."""
        if len(expr.args) == 2 and all(isinstance(part, sp.Rel) for part in expr.args):
            low, high = sorted(expr.args, key=lambda part: part.rel_op[0] == "<")
            if low.lhs == high.lhs and low.rel_op[0] == ">" and high.rel_op[0] == "<":
                return f"{self._print(low.reversed)} {self._print(high).removeprefix(self._print(high.lhs)).strip()}"
        return str(super()._print_And(expr))

    def _print_HadamardProduct(self, expr: Any) -> str:
        return r" \circ ".join(self._print(part) for part in expr.args)

    def _print_HadamardPower(self, expr: Any) -> str:
        return r" \circ ".join([self._print(expr.base)] * int(expr.exp))

    def _print_Transpose(self, expr: Any) -> str:
        return rf"{self.parenthesize(expr.arg, 1000)}^{{\top}}"

    def _print_Identity(self, expr: Any) -> str:
        return "1"

    def _print_MatrixSymbol(self, expr: Any) -> str:
        return r"\bar\phi" if expr.name == "mean" else str(super()._print_Symbol(sp.Symbol(expr.name)))

    def _print_AppliedUndef(self, expr: Any) -> str:
        if expr.func.__name__.startswith("kappa_"):
            blocks = expr.func.__name__.removeprefix("kappa_").replace("p", "'").split("_")
            return rf"\kappa[{' | '.join(blocks)}]".replace(" | ", r" \mid ")
        return str(super()._print_Function(expr))

    def _print_Function(self, expr: Any, exp: str | None = None) -> str:
        return (
            self._print_AppliedUndef(expr)
            if str(expr.func).startswith("kappa_")
            else str(super()._print_Function(expr, exp))
        )


def sympy_latex(value: Any) -> str:
    """Return a SymPy object as LaTeX, its traces in P and M."""
    if isinstance(value, sp.Expr) and not isinstance(value, sp.MatrixExpr):
        value = with_word_symbols(value)
    value = value.xreplace({f: sp.Float(float(f), 6) for f in value.atoms(sp.Float)})
    return str(_Printer({"mat_delim": "(", "mat_str": "matrix", "fold_frac_powers": True}).doprint(value))
