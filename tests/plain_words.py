"""Polynomials in words as their definitions say, without any sharing: what compiled programs are compared with.

A word is multiplied out from left to right, a graph is one sum over all outputs. The functions take arrays of complex or mpmath
numbers as well, so that derivatives come from a complex step, or from differences with many digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """A polynomial in words with numbers: monomials and coefficients, letters, means (absent: zero), the bias if any."""

    monomials: Sequence[tuple]
    coefficients: Sequence[Any]
    matrices: Mapping[str, np.ndarray]
    means: Mapping[str, np.ndarray]
    bias: np.ndarray | None = None


def value(case: Case, W: np.ndarray, bias: np.ndarray | None) -> Any:
    """Return the polynomial at one W."""
    total: Any = 0
    for monomial, coefficient in zip(case.monomials, case.coefficients, strict=True):
        total = total + reduce(lambda a, b: a * b, [_word(case, g, W, bias) for g in monomial], coefficient)
    return total


def gradient(case: Case, W: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the derivatives by W and by the bias, by complex steps: exact to rounding."""
    dW, db = np.zeros(W.shape), None if case.bias is None else np.zeros(case.bias.shape)
    step = 1e-150
    for place in np.ndindex(W.shape):
        moved = W.astype(complex)
        moved[place] += 1j * step
        dW[place] = value(case, moved, case.bias).imag / step
    if case.bias is not None:
        for place in np.ndindex(case.bias.shape):
            moved = case.bias.astype(complex)
            moved[place] += 1j * step
            db[place] = value(case, W, moved).imag / step
    return dW, db


def _word(case: Case, generator: tuple, W: np.ndarray, bias: np.ndarray | None) -> Any:
    kind, *parts = generator
    if kind == "tr":
        return np.trace(reduce(np.matmul, [_moment(case, s, W) for s in parts[0]]))
    if kind == "form":
        left, word, right = parts
        return reduce(np.matmul, [_vector(case, left, W, bias), *[_moment(case, s, W) for s in word]]) @ _vector(
            case, right, W, bias
        )
    edges, legs = parts
    operands: list[Any] = []
    for letter, a, b in edges:
        operands += [_moment(case, letter, W), [a, b]]
    for name, a in legs:
        operands += [_vector(case, name, W, bias), [a]]
    return np.einsum(*operands, [])


def _moment(case: Case, letter: str, W: np.ndarray) -> np.ndarray:
    return W @ W.T if letter == "1" else W @ case.matrices[letter] @ W.T


def _vector(case: Case, name: str, W: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    mean = W @ case.means[name] if name in case.means else 0 * W[:, 0]
    return mean if bias is None else mean + bias
