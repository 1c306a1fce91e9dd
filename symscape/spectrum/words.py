"""Closed words as sums over modes: a landscape as a function of the spectrum of P, on the aligned family."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from symscape.algebra.words import IDENTITY, Monomial, Word
from symscape.errors import InputError
from symscape.landscape.landscape import Landscape
from symscape.spectrum.modes import b_i, p_i, r_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.typesetting.text import superscript

#: What a letter is for mode i in canonical coordinates, where Sigma is 1 and A_0 is diag(r).
ENTRIES = {"Sigma": sp.S.One, "A_0": r_i}


def spectrum_of_words(land: Landscape) -> SpectrumLandscape:
    """Return a landscape in closed words of Sigma and A_0 as a function of the spectrum of P, on the aligned family.

    A word with n letters, m of them A_0, is sum_i r_i^m p_i^n at W = diag(sqrt(p)). With weight decay the quadratic part is
    -sum_i b_i p_i, where B u = b Sigma u. Raises InputError for other words: entries of P and M, means, other letters.

    >>> from symscape.landscape.landscape import landscape
    >>> from symscape.losses.infonce import InfoNCE
    >>> spectrum_of_words(landscape(InfoNCE(tau=1))).expr(1)
    3*p_0**2/4 - p_0*r_0
    """
    terms, sums, outer = list(land.terms), {}, []
    assumptions = ["W is aligned with the modes: A_0 u = r Sigma u, P = diag(p) in canonical coordinates"]
    if any(generator == ("tr", (IDENTITY,)) for monomial, _ in terms for generator in monomial):
        quadratic = sp.Symbol("Tr WBWᵀ", real=True)
        sums[quadratic] = b_i * p_i
        outer.append(-quadratic)
        terms = [(monomial, c) for monomial, c in terms if Landscape.degree_of(monomial) != 2]
        assumptions.append(
            "B of the quadratic part, weight decay included, is diagonal along the same modes: B u = b Sigma u"
        )
    for monomial, coefficient in terms:
        outer.append(coefficient * sp.Mul(*[_sum_symbol(word, sums, land) for word in _words(monomial, land)]))
    if not land.is_exact:
        assumptions.append(f"series around W = 0 to order {land.order}")
    return SpectrumLandscape(
        land.loss.name, sp.Add(*outer), sums, None, (*assumptions, *(str(row) for row in land.assumptions))
    )


def _words(monomial: Monomial, land: Landscape) -> list[Word]:
    words = []
    for generator in monomial:
        if generator[0] != "tr" or not set(generator[1]) <= set(ENTRIES):
            raise InputError(
                f"the landscape of {land.loss.name}, {land}, holds more than traces of products of P and M, so that the "
                "spectrum of P does not determine it; ask for it as a function of W, landscape(...).numpy()"
            )
        words.append(generator[1])
    return words


def _sum_symbol(word: Word, sums: dict[sp.Symbol, sp.Expr], land: Landscape) -> sp.Symbol:
    """Return the symbol of the sum over modes that a closed word is, and note what it sums."""
    powers = [(letter, word.count(moment)) for letter, moment in (("P", "Sigma"), ("M", "A_0"))]
    name = "Tr " + "".join(letter + (superscript(n) if n > 1 else "") for letter, n in powers if n)
    symbol = sp.Symbol(name, real=True)
    sums[symbol] = mode_of_word(word)
    return symbol


def mode_of_word(word: Word, entries: Mapping[str, sp.Expr] = ENTRIES) -> sp.Expr:
    """Return what mode i adds to a closed word: p_i times the diagonal entry of each letter.

    >>> mode_of_word(("A_0", "Sigma"))
    p_i**2*r_i
    """
    return p_i ** len(word) * sp.Mul(*[entries[letter] for letter in word])
