"""The matrix symbols of the promised notation, and what letters and vectors stand for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from symscape.algebra.words import IDENTITY

d_0, d_1 = sp.symbols("d_0 d_1", integer=True, positive=True)
W = sp.MatrixSymbol("W", d_1, d_0)
A_0 = sp.MatrixSymbol("A_0", d_0, d_0)
Sigma = sp.MatrixSymbol("Sigma", d_0, d_0)
mean = sp.MatrixSymbol("mean", d_0, 1)
bias = sp.MatrixSymbol("b", d_1, 1)


@dataclass(frozen=True)
class Meaning:
    """What the words of one landscape stand for.

    ``centred``: letters are covariances, Sigma - mean mean^T, not second moments. ``has_mean``, ``has_bias``: the
    representation of the vector ``mean`` is W mean + b, without the term that is absent.
    """

    centred: bool = False
    has_mean: bool = False
    has_bias: bool = False


@lru_cache(maxsize=256)
def letter_symbol(letter: str) -> sp.MatrixExpr:
    """Return the d0 x d0 symbol of a letter."""
    return sp.Identity(d_0) if letter == IDENTITY else sp.MatrixSymbol(letter, d_0, d_0)


def is_mean(name: str) -> bool:
    """Whether the end of an open word is a mean vector, ``mean`` or ``m_1``, and not a view.

    >>> is_mean("m_1"), is_mean("m_x")
    (True, False)
    """
    return name == "mean" or (name.startswith("m_") and name[2:].isdigit())


def is_centred(letter: str, meaning: Meaning) -> bool:
    """Whether a letter stands for a covariance where a second moment would be read."""
    return meaning.centred and meaning.has_mean and letter != IDENTITY


def letter_matrix(letter: str, meaning: Meaning) -> sp.MatrixExpr:
    """Return the matrix between W and W^T that a letter stands for."""
    symbol = letter_symbol(letter)
    return symbol - mean * mean.T if is_centred(letter, meaning) else symbol


def vector_matrix(vector: str, meaning: Meaning) -> sp.MatrixExpr:
    """Return the d1 x 1 representation of a vector: W mean + b."""
    parts = []
    if vector != "mean" or meaning.has_mean:
        parts.append(W * (mean if vector == "mean" else sp.MatrixSymbol(vector, d_0, 1)))
    if meaning.has_bias:
        parts.append(bias)
    return sp.MatAdd(*parts) if len(parts) > 1 else parts[0]
