"""Polynomials in words as LaTeX, in W Sigma W^T or in the second moments P and M of the representation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

import sympy as sp

from symscape.algebra.words import IDENTITY, Generator, Monomial, multiplicities
from symscape.errors import InputError
from symscape.probability.views import latex_name
from symscape.typesetting.symbols import Meaning, is_centred, is_mean

NOTATIONS = ("W", "PM")
_MOMENTS = {"Sigma": "P", "A_0": "M"}


class LatexWriter:
    """Writes polynomials. ``notation="W"``: W Sigma W^T and W A_0 W^T; ``"PM"``: P and M for the same."""

    def __init__(self, meaning: Meaning, notation: str = "W"):
        if notation not in NOTATIONS:
            raise InputError(f'notation={notation!r}: choose "W" (W Sigma W^T) or "PM" (P and M)')
        self.meaning, self.notation = meaning, notation

    def polynomial(self, terms: Iterable[tuple[Monomial, sp.Expr]]) -> str:
        """Return a sum of terms, signs drawn out."""
        text = ""
        for monomial, coefficient in terms:
            sign, factor = _coefficient(coefficient)
            body = self.monomial(monomial)
            if factor == "1" and body:
                factor = ""
            joint = r" \," if factor and body else ""
            lead = sign if not text else f" {sign or '+'} "
            text += f"{lead}{factor}{joint} {body}".rstrip() if factor else f"{lead}{body}"
        return text or "0"

    def lines(self, terms: Sequence[tuple[Monomial, sp.Expr]], width: int = 44, first: int = 44) -> list[str]:
        """Return a long sum as lines of about ``width`` visible signs, the first of about ``first``.

        Every line but the first starts with its sign.
        """
        rows: list[list[tuple[Monomial, sp.Expr]]] = [[]]
        for term in terms:
            room = first if len(rows) == 1 else width
            if rows[-1] and visible_width(self.polynomial([*rows[-1], term])) > room:
                rows.append([])
            rows[-1].append(term)
        lines = [self.polynomial(row) for row in rows]
        return lines[:1] + [line if line.startswith("-") else f"+ {line}" for line in lines[1:]]

    def monomial(self, monomial: Monomial) -> str:
        """Return a product of words."""
        return r" \, ".join(self._power(g, k) for g, k in multiplicities(monomial))

    def _power(self, generator: Generator, exponent: int) -> str:
        text = self.generator(generator)
        if text.startswith(r"\lVert") and text.endswith(r"\rVert^{2}"):
            return text.removesuffix("^{2}") + f"^{{{2 * exponent}}}"
        return text if exponent == 1 else rf"\left({text}\right)^{{{exponent}}}"

    def generator(self, generator: Generator) -> str:
        """Return one word."""
        kind = generator[0]
        if kind == "tr":
            return rf"\operatorname{{Tr}}\left[{self._word(generator[1])}\right]"
        if kind == "form":
            _, left, word, right = generator
            if left == right and not word:
                return rf"\lVert {self._end(left)} \rVert^{{2}}"
            end = self._end(right)
            return f"{self._transposed(left)} {self._word(word)} {f'({end})' if ' + ' in end else end}".replace(
                "  ", " "
            )
        if kind == "entry":
            return rf"{self._moment(generator[1])}_{{{generator[2]}{generator[3]}}}"
        if kind == "coordinate":
            return rf"\left({self._end(generator[1])}\right)_{{{generator[2]}}}"
        if kind == "graph":
            return self._graph(generator[1], generator[2])
        if kind == "cumulant4":
            return rf"\kappa_{{{'|'.join(self._names(pair) for pair in generator[1])}}}"
        if kind == "cumulant3":
            (pair, leg), end = generator[1], generator[2]
            return rf"\kappa_{{{self._names(pair)}|{latex_name(leg)}}} \cdot {self._end(end)}"
        if kind == "copies":
            return rf"T_{{{generator[1]}}}"
        raise ValueError(f"unknown generator {generator!r}")

    def _names(self, names: Sequence[str]) -> str:
        return " ".join(latex_name(name) for name in names)

    def _moment(self, letter: str) -> str:
        if self.notation == "PM" and letter in _MOMENTS:
            symbol = _MOMENTS[letter]
            return rf"\tilde{{{symbol}}}" if is_centred(letter, self.meaning) else symbol
        if letter == IDENTITY:
            return r"W W^{\top}"
        name = latex_name(letter)
        if is_centred(letter, self.meaning):
            name = rf"({name} - \bar\phi\bar\phi^{{\top}})"
        return rf"W {name} W^{{\top}}"

    def _word(self, word: tuple[str, ...]) -> str:
        pieces = []
        for letter, run in groupby(word):
            length, moment = len(list(run)), self._moment(letter)
            compound = " " in moment
            pieces.append(
                moment if length == 1 else (rf"\left({moment}\right)" if compound else moment) + f"^{{{length}}}"
            )
        return " ".join(pieces)

    def _end(self, name: str) -> str:
        if not is_mean(name):
            return f"f({latex_name(name)})"
        vector = r"\bar\phi" if name == "mean" else latex_name(name)
        parts = [f"W {vector}"] if name != "mean" or self.meaning.has_mean else []
        return " + ".join(parts + (["b"] if self.meaning.has_bias else []))

    def _transposed(self, name: str) -> str:
        end = self._end(name)
        return rf"({end})^{{\top}}" if " " in end else rf"{end}^{{\top}}"

    def _graph(self, edges: tuple, legs: tuple) -> str:
        vertices = {v for _, a, b in edges for v in (a, b)} | {v for _, v in legs}
        if vertices == {0} and not legs:
            return r"\operatorname{Tr}\left[" + r" \circ ".join(self._factor(e[0]) for e in edges) + r"\right]"
        names = ["ijklmnpq"[v] for v in range(len(vertices))]
        factors = [rf"({self._moment(letter)})_{{{names[a]}{names[b]}}}" for letter, a, b in edges]
        factors += [rf"({self._end(vector)})_{{{names[v]}}}" for vector, v in legs]
        return rf"\sum_{{{','.join(names)}}} " + " ".join(factors)

    def _factor(self, letter: str) -> str:
        moment = self._moment(letter)
        return rf"\left({moment}\right)" if " " in moment else moment


def visible_width(text: str) -> int:
    r"""Return about how many signs a formula shows: a command is one, a fraction as wide as its wider part.

    >>> visible_width(r"\frac{n}{2 \tau^{2}} \, \operatorname{Tr}\left[P\right]")
    8
    """
    fraction = re.compile(r"\\frac{((?:[^{}]|{[^{}]*})*)}{((?:[^{}]|{[^{}]*})*)}")
    while fraction.search(text):
        text = fraction.sub(lambda m: max(m.groups(), key=visible_width), text)
    text = re.sub(r"\\(left|right|operatorname|lVert|mathbb|mathcal|,|!|;)", "", text)
    return len(re.sub(r"[{}^_\s]", "", re.sub(r"\\[A-Za-z]+", "x", text)))


def _coefficient(coefficient: sp.Expr) -> tuple[str, str]:
    """Return (sign, LaTeX of the absolute value): the sign is drawn out of every term when all terms share it."""
    sign = ""
    if not coefficient.is_Add and coefficient.could_extract_minus_sign():
        sign, coefficient = "-", -coefficient
    text = sp.latex(coefficient)
    if coefficient.is_Add:
        text = rf"\left({text}\right)"
    return sign, text
