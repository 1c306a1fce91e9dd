"""The words and signs of plain-text mathematics, with their LaTeX."""

from __future__ import annotations

import re


def _names(text: str) -> list[str]:
    return re.findall(r"\w+", text)


GREEK = frozenset(
    _names(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau phi chi psi omega "
        "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
    )
)
FUNCTIONS = {
    **{name: rf"\{name}" for name in _names("log exp sin cos tan sinh cosh tanh arcsin det min max dim lim")},
    **{name: rf"\operatorname{{{name}}}" for name in _names("atanh diag rank cum cov erfc softplus Var mean sign")},
    "Tr": r"\Tr",
    "I": "I",
}
#: Functions whose argument may follow after a blank, as in log det A.
PREFIX = frozenset(_names("log exp sin cos tan sinh cosh tanh arcsin det Tr erfc atanh"))
#: What acts on all that follows, so that no product before a slash goes past it.
ACTING = frozenset(_names("E Var sum log exp max min lim in not mean o"))
DIFFERENTIALS = frozenset(_names("dL dW dt dp dq dv dw dB dc ds"))
LETTERS = {"oo": r"\infty", "PM": "P M", "MP": "M P", "TrP": r"\Tr P", "TrM": r"\Tr M"}
#: Names that are words of English as well, and words that a number belongs to: order 4.
ENGLISH = frozenset(_names("mean sum max min log exp sin cos tan det dim lim rank diag sign I a A"))
COUNTED = frozenset(_names("order orders degree degrees mode modes"))
OPERATORS = frozenset(["+", "-", "+-", "*", "/", "×"])
RELATIONS = frozenset(["=", "<", ">", "<=", ">=", "!=", "->", ">>", "<<"])
SIGNS = {
    "<=": r"\le", ">=": r"\ge", "!=": r"\ne", "->": r"\to", ">>": r"\gg", "<<": r"\ll", "+-": r"\pm", "...": r"\dots",
    "*": r"\cdot", "|": r"\mid", "||": r"\parallel", "<": "<", ">": ">", "=": "=", "+": "+", "-": "-", "/": "/", ":": ":",
    ";": ";", ",": ",", "×": r"\times", ".": r"\cdot", "'": "'",
}  # fmt: skip
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$", "²": r"\textsuperscript{2}", "³": r"\textsuperscript{3}", "\u2013": "--",
    "∘": r"$\circ$", "κ": r"$\kappa$", "Σ": r"$\Sigma$", "ᵀ": r"$^{\top}$", "π": r"$\pi$", "≤": r"$\le$", "≥": r"$\ge$",
}  # fmt: skip


def escaped(text: str) -> str:
    r"""Return text for text mode: every sign that TeX would act on is written out, one that fonts lack is a question mark.

    >>> print(escaped("50 % of d_1 & {x}"))
    50 \% of d\_1 \& \{x\}
    """
    return "".join(_SPECIAL.get(c) or (c if c.isascii() or "\u00a0" < c <= "\u017f" else "?") for c in text)


def is_known(name: str) -> bool:
    """Whether a word of several letters is mathematics: a Greek letter, a function, infinity, a differential."""
    stem = name.rstrip("0123456789")
    return (
        stem in GREEK
        or stem in FUNCTIONS
        or name in LETTERS
        or stem in DIFFERENTIALS
        or name in ("sum", "eps", "sqrt", "d2L")
        or len(stem) == 1
    )
