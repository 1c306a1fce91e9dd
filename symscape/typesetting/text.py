"""Polynomials in words as one line of plain text, in P = W Sigma W^T and M = W A_0 W^T."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import sympy as sp

from symscape.algebra.words import IDENTITY, Generator, Monomial, multiplicities
from symscape.typesetting.symbols import Meaning, is_centred, is_mean

_MOMENTS = {"Sigma": "P", "A_0": "M", IDENTITY: "WWᵀ"}
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def superscript(number: int) -> str:
    """Return a number as a Unicode superscript.

    >>> superscript(12)
    '¹²'
    """
    return str(number).translate(_SUPERSCRIPTS)


def polynomial_text(terms: Iterable[tuple[Monomial, sp.Expr]], meaning: Meaning) -> str:
    """Return a sum of terms as text."""
    text = ""
    for monomial, coefficient in terms:
        sign = "+"
        if not coefficient.is_Add and coefficient.could_extract_minus_sign():
            sign, coefficient = "-", -coefficient
        factor = str(coefficient)
        body = " ".join(
            generator_text(g, meaning) if k == 1 else f"({generator_text(g, meaning)}){superscript(k)}"
            for g, k in multiplicities(monomial)
        )
        if coefficient.is_Add and (body or sign == "-" or text):
            factor = f"({factor})"
        factor = "" if factor == "1" and body else factor
        lead = ("-" if sign == "-" else "") if not text else f" {sign} "
        text += lead + " ".join(part for part in (factor, body) if part)
    return text or "0"


def generator_text(generator: Generator, meaning: Meaning) -> str:
    """Return one word as text."""
    kind = generator[0]
    if kind == "tr":
        return (
            f"Tr {_word(generator[1], meaning)}"
            if len(set(generator[1])) == 1
            else f"Tr({_word(generator[1], meaning)})"
        )
    if kind == "form":
        _, left, word, right = generator
        if left == right and not word:
            return f"|{_end(left, meaning).strip('()') if left.startswith('m') else _end(left, meaning)}|²"
        middle = f" {_word(word, meaning)} " if word else "·"
        return f"{_end(left, meaning)}{'ᵀ' if word else ''}{middle}{_end(right, meaning)}"
    if kind == "entry":
        return f"{_moment(generator[1], meaning)}_{generator[2]}{generator[3]}"
    if kind == "coordinate":
        return f"({_end(generator[1], meaning)})_{generator[2]}"
    if kind == "graph":
        edges, legs = generator[1:]
        vertices = {v for _, a, b in edges for v in (a, b)} | {v for _, v in legs}
        if vertices == {0} and not legs:
            return f"Tr({'∘'.join(_moment(letter, meaning) for letter, _, _ in edges)})"
        names = "ijklmnpq"
        factors = [f"({_moment(letter, meaning)})_{names[a]}{names[b]}" for letter, a, b in edges]
        factors += [f"({_end(vector, meaning)})_{names[v]}" for vector, v in legs]
        return f"Σ_{''.join(names[v] for v in sorted(vertices))} {' '.join(factors)}"
    if kind == "cumulant4":
        return f"κ[{'|'.join(''.join(pair) for pair in generator[1])}]"
    if kind == "cumulant3":
        return f"κ[{''.join(generator[1][0])}|{generator[1][1]}]·{_end(generator[2], meaning)}"
    return f"T_{generator[1]}"


def _moment(letter: str, meaning: Meaning) -> str:
    centred = is_centred(letter, meaning)
    if letter in _MOMENTS:
        # A tilde marks a covariance of the representation where P and M would be read as second moments.
        return _MOMENTS[letter] + ("\u0303" if centred else "")
    return f"W ({letter} - mean meanᵀ) Wᵀ" if centred else f"W {letter} Wᵀ"


def _word(word: tuple[str, ...], meaning: Meaning) -> str:
    pieces = []
    for letter, run in groupby(word):
        length, moment = len(list(run)), _moment(letter, meaning)
        wrapped = f"({moment})" if " " in moment and len(word) > 1 else moment
        pieces.append(wrapped if length == 1 else f"{wrapped}{superscript(length)}")
    return " ".join(pieces)


def _end(name: str, meaning: Meaning) -> str:
    if not is_mean(name):
        return f"f({name})"
    parts = [f"W {name}"] if name != "mean" or meaning.has_mean else []
    parts += ["b"] if meaning.has_bias else []
    return f"({' + '.join(parts)})" if len(parts) > 1 else f"({parts[0]})" if " " in parts[0] else parts[0]
