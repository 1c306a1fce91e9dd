"""Polynomials in words as SymPy scalars: traces of MatrixSymbols, Hadamard products where outputs count apart."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from symscape.algebra.words import IDENTITY, Generator, Monomial
from symscape.typesetting.symbols import Meaning, W, d_1, letter_matrix, vector_matrix


def sympy_form(terms: Iterable[tuple[Monomial, sp.Expr]], meaning: Meaning) -> sp.Expr:
    """Return the sum of coefficient times product of words."""
    return sp.Add(*[c * sp.Mul(*[generator_form(g, meaning) for g in m]) for m, c in terms])


def generator_form(generator: Generator, meaning: Meaning) -> sp.Expr:
    """Return one generator as a SymPy scalar."""
    kind = generator[0]
    if kind == "tr":
        return sp.Trace(_word(generator[1], meaning))
    if kind == "form":
        _, left, word, right = generator
        ends = [vector_matrix(right, meaning), vector_matrix(left, meaning).T]
        return sp.Trace(sp.MatMul(*([_word(word, meaning)] if word else []), *ends))
    if kind == "graph":
        return _graph(generator[1], generator[2], meaning)
    if kind in ("cumulant4", "cumulant3"):
        name = "kappa_" + "_".join("".join(block) for block in generator[1]).replace("'", "p")
        arguments = (W,) if kind == "cumulant4" else (W, vector_matrix(generator[2], meaning))
        return sp.Function(name, real=True)(*arguments)
    raise ValueError(f"{generator!r} has no SymPy form: it holds a view that is not integrated")


def _second_moment(letter: str, meaning: Meaning) -> sp.MatrixExpr:
    return W * W.T if letter == IDENTITY else W * letter_matrix(letter, meaning) * W.T


def _word(word: tuple[str, ...], meaning: Meaning) -> sp.MatrixExpr:
    factors = []
    for letter in word:
        factors += [W, W.T] if letter == IDENTITY else [W, letter_matrix(letter, meaning), W.T]
    return sp.MatMul(*factors)


def _graph(edges: tuple, legs: tuple, meaning: Meaning) -> sp.Expr:
    vertices = {v for _, a, b in edges for v in (a, b)} | {v for _, v in legs}
    if vertices == {0} and not legs and len(edges) > 1:
        return sp.Trace(sp.HadamardProduct(*[_second_moment(letter, meaning) for letter, _, _ in edges]))
    if vertices == {0, 1} and not legs and len(edges) > 1 and all(a != b for _, a, b in edges):
        # sum_ij A_ij B_ij C_ij = Tr (A o B) C, as all three are symmetric.
        *some, last = [_second_moment(letter, meaning) for letter, _, _ in edges]
        return sp.Trace(sp.HadamardProduct(*some) * last)
    indices = [sp.Dummy(f"i_{v}", integer=True) for v in range(len(vertices))]
    factors = [_second_moment(letter, meaning)[indices[a], indices[b]] for letter, a, b in edges]
    factors += [vector_matrix(vector, meaning)[indices[v], 0] for vector, v in legs]
    return sp.Sum(sp.Mul(*factors), *[(index, 0, d_1 - 1) for index in indices])
