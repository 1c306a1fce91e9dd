"""A landscape read as closed words between symmetric matrices: what canonical coordinates need to know of it.

    L = constant - Tr(W B W^T) + sum of coefficient * product of Tr(W S W^T W S' W^T ...)

An open word between two means, m^T G S G m with G = W^T W, is the closed word of S and the letter m m^T. A bias is one more
feature, constant 1: in second moments it needs no letter of its own; about the mean, W m + b is a coordinate of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import sympy as sp

from symscape.algebra.words import IDENTITY, Monomial, Word, closed_word
from symscape.errors import InputError
from symscape.landscape.centring import in_second_moments
from symscape.landscape.landscape import Landscape
from symscape.typesetting.symbols import Meaning

#: The letter of m m^T, m the mean of the features (with a bias: the direction of W m + b).
MEAN = "mean"
Words = tuple[Word, ...]


class Features(Enum):
    """Which features the columns of W stand for: as given, with a constant 1 appended, or with W m + b as a coordinate."""

    PLAIN = "phi"
    WITH_ONE = "(phi, 1)"
    WITH_MEAN = "(phi - mean, 1)"


@dataclass(frozen=True)
class WordForm:
    """A landscape as closed words.

    ``quadratic`` holds the coefficient of each letter in B, ``higher`` the words of degree 4 and more with coefficients,
    ``centred`` says that letters are covariances, ``features`` what the columns of W stand for.
    """

    name: str
    constant: sp.Expr
    quadratic: Mapping[str, sp.Expr]
    higher: tuple[tuple[Words, sp.Expr], ...]
    centred: bool
    features: Features
    is_exact: bool
    order: int

    @property
    def letters(self) -> tuple[str, ...]:
        """Every letter that occurs, sorted."""
        found = {letter for words, _ in self.higher for word in words for letter in word}
        return tuple(sorted(found | set(self.quadratic)))

    @property
    def higher_letters(self) -> frozenset[str]:
        """The letters of the words of degree 4 and more."""
        return frozenset(letter for words, _ in self.higher for word in words for letter in word)

    @property
    def parameters(self) -> tuple[sp.Symbol, ...]:
        """The symbols in the coefficients, sorted by name."""
        coefficients = [self.constant, *self.quadratic.values(), *(c for _, c in self.higher)]
        return tuple(sorted(set().union(*(c.free_symbols for c in coefficients)), key=str))

    def subs(self, values: Mapping[sp.Symbol, Any]) -> WordForm:
        """Return the form with values for parameters."""

        def fixed(c: sp.Expr) -> sp.Expr:
            found = c.xreplace(dict(values))
            if found.has(sp.zoo, sp.nan, sp.oo, sp.I):
                given = ", ".join(f"{s}={v}" for s, v in values.items())
                raise InputError(
                    f"{self.name}: a coefficient, {c}, is singular or not real at {given}; choose other values"
                )
            return found

        return WordForm(
            self.name,
            fixed(self.constant),
            {s: fixed(c) for s, c in self.quadratic.items()},
            tuple((words, fixed(c)) for words, c in self.higher),
            self.centred,
            self.features,
            self.is_exact,
            self.order,
        )


#: Coefficients of sum_i (W S W^T)_ii (W T W^T)_ii, by the pair of letters S, T.
OutputWords = dict[tuple[str, str], sp.Expr]


def word_form(land: Landscape) -> WordForm:
    """Return a landscape as closed words.

    Raises InputError where outputs count apart, where cumulants stay, and for a mixture whose class means do not pair up.

    >>> from symscape.landscape.landscape import landscape
    >>> from symscape.losses.infonce import InfoNCE
    >>> form = word_form(landscape(InfoNCE(tau=2)))
    >>> form.quadratic, form.higher
    ({'A_0': 1/2}, (((('Sigma', 'Sigma'),), 3/16),))
    """
    form, apart = split_form(land)
    if apart:
        raise InputError(
            f"{land.loss.name}: this landscape counts outputs apart, so rotating W changes it; use collapse(land, ...), "
            "which minimises over rotations, or rotation_minimised(loss, ...)"
        )
    return form


def split_form(land: Landscape) -> tuple[WordForm, OutputWords]:
    """Return a landscape as closed words, and the words in which single outputs count: products of two diagonal entries.

    Raises InputError as `word_form` does, and for other words in which outputs count apart.
    """
    terms, meaning, features = _terms(land)
    constant: sp.Expr = sp.S.Zero
    quadratic: dict[str, sp.Expr] = {}
    higher: list[tuple[Words, sp.Expr]] = []
    apart: OutputWords = {}
    for monomial, coefficient in terms:
        if len(monomial) == 1 and monomial[0][0] == "graph":
            edges, legs = monomial[0][1:]
            if len(edges) == 2 and not legs and all(a == b for _, a, b in edges):
                (s, _, _), (t, _, _) = edges
                apart[s, t] = coefficient
                continue
        words = _closed(monomial, land)
        if not words:
            constant = coefficient
        elif len(words) == 1 and len(words[0]) == 1:
            letter = words[0][0]
            quadratic[letter] = quadratic.get(letter, sp.S.Zero) - coefficient
        else:
            higher.append((words, coefficient))
    centred = meaning.centred and meaning.has_mean
    form = WordForm(land.loss.name, constant, quadratic, tuple(higher), centred, features, land.is_exact, land.order)
    return form, apart


def _terms(land: Landscape) -> tuple[Any, Meaning, Features]:
    if not land.bias:
        return (*land.display, Features.PLAIN)
    if len(land.data.components(True)) > 1:
        raise InputError(f"{land.loss.name}: a mixture with a bias has no canonical coordinates; leave the bias out")
    second = in_second_moments(land.polynomial)
    if second is not None:
        ring = second.domain
        pairs = tuple((m, e) for m, c in second.terms() if (e := ring.expression(c)) != 0)
        if not any(g[0] == "form" for m, _ in pairs for g in m):
            return pairs, Meaning(False, land.data.has_mean, True), Features.WITH_ONE
    needs_mean = any(g[0] == "form" for m, _ in land.terms for g in m)
    meaning = Meaning(land.data.has_mean, land.data.has_mean, True)
    return land.terms, meaning, Features.WITH_MEAN if needs_mean else Features.PLAIN


def _closed(monomial: Monomial, land: Landscape) -> Words:
    words: list[Word] = []
    open_words: list[tuple[str, Word, str]] = []
    for generator in monomial:
        kind = generator[0]
        if kind == "tr":
            words.append(generator[1])
        elif kind == "form":
            open_words.append(generator[1:])
        elif kind == "graph":
            raise InputError(
                f"{land.loss.name}: this landscape holds sums over outputs beyond products of two diagonal entries; derive it "
                "at order 4, or use rotation_minimised(loss, ...)"
            )
        else:
            raise InputError(
                f"{land.loss.name}: the cumulants of this landscape have no canonical coordinates; "
                "derive it with data=GaussianViews()"
            )
    while open_words:
        words.append(_joined(open_words, land))
    return tuple(sorted(words))


def _joined(open_words: list[tuple[str, Word, str]], land: Landscape) -> Word:
    """Take open words that close a ring, (u^T w v)(v^T w' u), and return Tr of u u^T w v v^T w' as a word."""
    start, word, end = open_words.pop(0)
    made = [_outer(start), *word]
    while end != start:
        found = next((k for k, (u, _, v) in enumerate(open_words) if end in (u, v)), None)
        if found is None:
            raise InputError(
                f"{land.loss.name}: this landscape joins the means of different classes to the first power, and has no "
                "canonical coordinates; pass second moments, landscape(loss), or use imbalance(loss, ...)"
            )
        u, inner, v = open_words.pop(found)
        made += [_outer(end), *(inner if u == end else inner[::-1])]
        end = v if u == end else u
    return closed_word(tuple(made))[1]


def is_rank_one(letter: str) -> bool:
    """Whether a letter is m m^T of a mean, whose powers are products of traces."""
    return letter == MEAN or letter.endswith("ᵀ")


def _outer(vector: str) -> str:
    """Return the letter of v v^T."""
    return MEAN if vector == "mean" else f"{vector} {vector}ᵀ"


def single_letter(form: WordForm) -> str | None:
    """Return the letter S when every word of degree 4 and more is in S alone, else None."""
    letters = form.higher_letters - {IDENTITY}
    return next(iter(letters)) if len(letters) == 1 and letters == form.higher_letters else None
