"""Generators of the algebra: closed words, open words, and the few other scalars that a derivation meets.

With G = W^T W, every scalar built from inner products f(u).f(v) = phi(u)^T G phi(v) and from symmetric moment matrices is
a polynomial in

    closed words   Tr(G A G B ...)          ("tr", ("A", "B", ...))          degree 2 per letter
    open words     u^T G A G B ... G v      ("form", u, ("A", "B", ...), v)  degree 2 per letter, plus 2

where a letter names a symmetric matrix and an end names a view that is not integrated yet, or a deterministic vector.
A closed word is the same read from any letter and in either direction; an open word is the same read backwards.
Degrees count factors of W.

Generators are plain tuples that start with their kind, so that they hash, sort and print without help.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

Word = tuple[str, ...]
Generator = tuple
Monomial = tuple[Generator, ...]

#: Letter of the identity matrix: Tr(W 1 W^T) is the squared Frobenius norm of W.
IDENTITY = "1"


@lru_cache(maxsize=200_000)
def closed_word(word: Word) -> Generator:
    """Return the generator of the trace of ``word`` in its normal form.

    >>> closed_word(("Sigma", "A_0", "Sigma")) == closed_word(("A_0", "Sigma", "Sigma"))
    True
    """
    if not word:
        raise ValueError("closed_word(()): the empty trace is not a word")
    best = word
    if word.count(word[0]) != len(word):
        for direction in (word, word[::-1]):
            doubled = direction + direction
            for start in range(len(word)):
                candidate = doubled[start : start + len(word)]
                if candidate < best:
                    best = candidate
    return ("tr", best)


@lru_cache(maxsize=200_000)
def open_word(left: str, word: Word, right: str) -> Generator:
    """Return the generator of ``left^T G word G right`` in its normal form.

    >>> open_word("x", ("A", "B"), "chi") == open_word("chi", ("B", "A"), "x")
    True
    """
    if (right, word[::-1]) < (left, word):
        return ("form", right, word[::-1], left)
    return ("form", left, word, right)


def entry(letter: str, i: str, j: str) -> Generator:
    """Return the generator of one entry (W letter W^T)_ij of a second moment, for output indices ``i`` and ``j``."""
    return ("entry", letter, *sorted((i, j)))


def coordinate(vector: str, i: str) -> Generator:
    """Return the generator of one coordinate (W vector)_i of a deterministic vector."""
    return ("coordinate", vector, i)


def copies(index: int, degree: int, views: Iterable[str]) -> Generator:
    """Return the generator of a sum over exchangeable copies of a view, number ``index`` of a derivation.

    ``views`` are all that occur in its summands: legs that only appear once the copies are integrated.
    """
    return ("copies", index, degree, tuple(sorted(views)))


def ends(generator: Generator) -> tuple[str, ...]:
    """Return the views and vectors that a generator contains, hidden ones included; none for a closed word."""
    kind = generator[0]
    if kind == "form":
        return (generator[1], generator[3])
    if kind == "copies":
        return generator[3]
    return (generator[2],) if kind == "cumulant3" else ()


def fourth_cumulant(pattern: tuple[tuple[str, str], tuple[str, str]]) -> Generator:
    """Return the generator of the sum over a, b of cum(f_a(u), f_a(v), f_b(s), f_b(t)) for pattern ((u, v), (s, t))."""
    return ("cumulant4", pattern)


def third_cumulant(pattern: tuple[tuple[str, str], str], end: str) -> Generator:
    """Return the generator of the sum over a, b of cum(f_a(u), f_a(v), f_b(s)) f_b(end) for pattern ((u, v), s)."""
    return ("cumulant3", pattern, end)


@lru_cache(maxsize=500_000)
def degree(generator: Generator) -> int:
    """Return how many factors of W a generator contains.

    >>> degree(closed_word(("A_0", "Sigma"))), degree(open_word("x", ("A_0",), "chi"))
    (4, 4)
    """
    kind = generator[0]
    if kind == "tr":
        return 2 * len(generator[1])
    if kind == "form":
        return 2 * len(generator[2]) + 2
    if kind == "entry":
        return 2
    if kind == "coordinate":
        return 1
    if kind == "graph":
        return 2 * len(generator[1]) + len(generator[2])
    if kind == "copies":
        return int(generator[2])
    if kind in ("cumulant4", "cumulant3"):
        return 4
    raise ValueError(f"degree({generator!r}): unknown kind of generator")


def names_of(generator: Generator) -> tuple[str, ...]:
    """Return every letter, view and vector that a generator names."""
    kind = generator[0]
    if kind == "tr":
        return generator[1]
    if kind == "form":
        return (generator[1], *generator[2], generator[3])
    if kind == "graph":
        return (*(edge[0] for edge in generator[1]), *(leg[0] for leg in generator[2]))
    return ends(generator)


def product(left: Monomial, right: Monomial) -> Monomial:
    """Return the product of two monomials, each a sorted tuple of generators with repetitions."""
    if not left:
        return right
    if not right:
        return left
    return tuple(sorted(left + right))


def multiplicities(monomial: Monomial) -> list[tuple[Generator, int]]:
    """Return the distinct generators of a sorted monomial with their exponents."""
    found: list[tuple[Generator, int]] = []
    for generator in monomial:
        if found and found[-1][0] == generator:
            found[-1] = (generator, found[-1][1] + 1)
        else:
            found.append((generator, 1))
    return found
