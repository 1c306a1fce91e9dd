"""The second variation of a landscape at an aligned point, block by block.

At W = diag(sqrt p) in canonical coordinates every letter is diagonal, and the signs W -> E W F of outputs and modes are a
symmetry. So a variation D splits into independent blocks: for a pair of outputs a, b that carry the modes i, j, the entries
x = D_aj and y = D_bi; and the diagonal entries D_ii of kept modes together. An output that carries no mode has p = 0.

In a pair block R_s = W s W^T, for a letter s with diagonal entries s_i and s_j, changes by t X_s off its diagonal and by
t^2 Y_s on it, where

    X_s = s_j sqrt(p_b) x + s_i sqrt(p_a) y,    Y_s = diag(s_j x^2, s_i y^2),

so that Tr(R_s R_t ...) changes at second order by one Y among diagonal entries, or by two X with the diagonal entries of
one output between them and those of the other around them.

Plain arithmetic: entries may be SymPy expressions, numbers, or arrays of one number per block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

Entries = Mapping[str, Any]


def pair_block_of_word(
    word: Sequence[str], p_a: Any, p_b: Any, i: Entries, j: Entries, root: Any
) -> tuple[Any, Any, Any]:
    """Return (xx, yy, xy): Tr of the word changes by xx x^2 + yy y^2 + xy x y in a pair block.

    ``i`` and ``j`` hold the diagonal entry of each letter at the mode that output a carries, and b. ``root`` is
    sqrt(p_a p_b).

    >>> import sympy as sp
    >>> p, q = sp.symbols("p q")
    >>> one = {"Sigma": 1}
    >>> pair_block_of_word(("Sigma", "Sigma"), p, q, one, one, sp.sqrt(p * q))
    (2*p + 2*q, 2*p + 2*q, 4*sqrt(p*q))
    """
    at_a, at_b = [p_a * i[s] for s in word], [p_b * j[s] for s in word]
    xx: Any = 0
    yy: Any = 0
    xy: Any = 0
    for k, s in enumerate(word):
        xx = xx + j[s] * _product(at_a[:k] + at_a[k + 1 :])
        yy = yy + i[s] * _product(at_b[:k] + at_b[k + 1 :])
    for k, m in combinations(range(len(word)), 2):
        s, t = word[k], word[m]
        around = _product(at_a[k + 1 : m]) * _product(at_b[:k] + at_b[m + 1 :])
        around = around + _product(at_b[k + 1 : m]) * _product(at_a[:k] + at_a[m + 1 :])
        xx = xx + around * j[s] * j[t] * p_b
        yy = yy + around * i[s] * i[t] * p_a
        xy = xy + around * (j[s] * i[t] + i[s] * j[t]) * root
    return xx, yy, xy


def pair_block(
    slopes: Sequence[tuple[Any, Sequence[str]]], p_a: Any, p_b: Any, i: Entries, j: Entries, root: Any
) -> tuple[Any, Any, Any]:
    """Return (xx, yy, xy) of a landscape whose derivative by the value of each word is given: the traces enter linearly.

    The first variation of every trace vanishes in a pair block, so products of traces add nothing more.
    """
    total: tuple[Any, Any, Any] = (0, 0, 0)
    for slope, word in slopes:
        block = pair_block_of_word(word, p_a, p_b, i, j, root)
        total = (total[0] + slope * block[0], total[1] + slope * block[1], total[2] + slope * block[2])
    return total


def _product(factors: Sequence[Any]) -> Any:
    result: Any = 1
    for factor in factors:
        result = result * factor
    return result
