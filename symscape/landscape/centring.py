"""From covariances to second moments: with S = S2 - m m^T every word expands into words of S2 cut by the mean m."""

from __future__ import annotations

from itertools import product as choices

from symscape.algebra.polynomial import Polynomial
from symscape.algebra.words import IDENTITY, Generator, closed_word, open_word


def in_second_moments(polynomial: Polynomial) -> Polynomial | None:
    """Return a polynomial in covariance letters and the vector ``mean``, rewritten in second moments.

    None when outputs count apart, where covariances are the shorter form.
    """
    result = polynomial.constant(polynomial.domain.zero)
    memory: dict[Generator, Polynomial] = {}
    for monomial, coefficient in polynomial.terms():
        term = polynomial.constant(coefficient)
        for generator in monomial:
            if generator[0] == "graph":
                return None
            if generator not in memory:
                memory[generator] = _rewritten(generator, polynomial)
            term = term * memory[generator]
        result = result + term
    return result


def _rewritten(generator: Generator, like: Polynomial) -> Polynomial:
    kind = generator[0]
    if kind not in ("tr", "form"):
        return like.from_generator(generator)
    word = generator[1] if kind == "tr" else generator[2]
    total = like.constant(like.domain.zero)
    for cut in choices((False, True), repeat=len(word)):
        if any(c and letter == IDENTITY for c, letter in zip(cut, word, strict=True)):
            continue
        segments: list[list[str]] = [[]]
        for letter, is_cut in zip(word, cut, strict=True):
            if is_cut:
                segments.append([])
            else:
                segments[-1].append(letter)
        sign = like.domain.rational((-1) ** sum(cut))
        if kind == "form":
            ends = [generator[1], *["mean"] * (2 * sum(cut)), generator[3]]
            words = [open_word(ends[2 * k], tuple(s), ends[2 * k + 1]) for k, s in enumerate(segments)]
        elif len(segments) == 1:
            words = [closed_word(word)]
        else:
            first, *middle, last = segments
            words = [open_word("mean", tuple(s), "mean") for s in [last + first, *middle]]
        term = like.constant(sign)
        for made in words:
            term = term * like.from_generator(made)
        total = total + term
    return total
