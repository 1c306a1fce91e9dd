"""A word form with numbers: value, gradient and Hessian as functions of W, for searches and for checking stability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.algebra.words import IDENTITY, Word
from symscape.programs.moment_program import MomentProgram
from symscape.stationary.word_form import WordForm, Words

Array = NDArray[np.floating[Any]]


class WordProgram:
    """L(W) = constant + sum of coefficient times product of traces of words, given the matrix of each letter.

    W is d1 x d0, with leading batch axes if wanted.
    """

    def __init__(self, constant: float, terms: Sequence[tuple[float, Words]], matrices: Mapping[str, Array]):
        self.constant, self.terms, self.matrices = constant, tuple(terms), matrices
        self._program = MomentProgram([tuple(("tr", word) for word in words) for _, words in self.terms])
        self._coefficients = [c for c, _ in self.terms]
        self._words: list[Word] = sorted({w for _, words in self.terms for w in words})
        self.columns = len(next(iter(matrices.values())))

    @classmethod
    def from_form(cls, form: WordForm, matrices: Mapping[str, Array]) -> WordProgram:
        """Return the program of a form whose coefficients are numbers."""
        terms: list[tuple[float, Words]] = [(-float(c), ((letter,),)) for letter, c in form.quadratic.items()]
        terms += [(float(c), words) for words, c in form.higher]
        # In other coordinates the identity is a matrix like any other, so it takes a name of its own.
        named = {s: "one" if s == IDENTITY else s for s in matrices}
        return cls(
            float(form.constant),
            [(c, tuple(tuple(named[s] for s in word) for word in words)) for c, words in terms],
            {named[s]: m for s, m in matrices.items()},
        )

    @property
    def degree(self) -> int:
        """The highest degree in W."""
        return max((2 * sum(map(len, words)) for _, words in self.terms), default=0)

    def leading(self) -> WordProgram:
        """Return the part of highest degree."""
        highest = [(c, words) for c, words in self.terms if 2 * sum(map(len, words)) == self.degree]
        return WordProgram(0.0, highest, self.matrices)

    def value(self, W: Array) -> Array:
        """Return L, of the batch shape of W."""
        return self.constant + self._program.run(W, self.matrices, {}, None, self._coefficients, None, False)[0]

    def gradient(self, W: Array) -> Array:
        """Return dL/dW, of the shape of W."""
        found = self._program.run(W, self.matrices, {}, None, self._coefficients, None, True)[1]
        assert found is not None
        return found

    def hessian(self, W: Array) -> Array:
        """Return the Hessian, (..., d1 d0, d1 d0)."""
        batch, size = W.shape[:-2], W.shape[-2] * W.shape[-1]
        U = {s: W @ self.matrices[s] for w in self._words for s in w}
        R = {s: u @ np.swapaxes(W, -1, -2) for s, u in U.items()}
        traces = {w: np.trace(_chain(w, R, W), axis1=-2, axis2=-1) for w in self._words}
        slopes = {w: np.zeros(batch) for w in self._words}
        product = any(len(words) > 1 for _, words in self.terms)
        first = {w: _first(w, U, R, W).reshape(*batch, size) for w in self._words} if product else {}
        # d1, d0, d1, d0: entries (a, i) and (b, j) of the variation.
        result = np.zeros((*batch, size, size))
        for c, words in self.terms:
            for k, v in enumerate(words):
                slopes[v] = slopes[v] + c * prod((traces[u] for u in (*words[:k], *words[k + 1 :])), start=1.0)
                for m, w in enumerate(words):
                    if m != k:
                        rest = prod((traces[u] for n, u in enumerate(words) if n not in (k, m)), start=c)
                        result += np.asarray(rest)[..., None, None] * first[v][..., :, None] * first[w][..., None, :]
        for w, slope in slopes.items():
            result += slope[..., None, None] * _second(w, U, R, W, self.matrices).reshape(*batch, size, size)
        return result

    def in_units(self, T: Array, strength: float, value: float) -> WordProgram:
        """Return the program in U, W = sqrt(strength) U T^T, with values in units of ``value``."""
        matrices = {s: strength * (T.T @ m @ T) for s, m in self.matrices.items()}
        return WordProgram(self.constant / value, [(c / value, words) for c, words in self.terms], matrices)

    def natural_strength(self) -> float:
        """Return the eigenvalue of P at which words of degree 4 and more weigh as much as the quadratic part rewards."""
        norms = {s: float(np.abs(np.linalg.eigvalsh(m)).max(initial=0.0)) for s, m in self.matrices.items()}
        quadratic = [(c, words) for c, words in self.terms if sum(map(len, words)) == 1]
        B = sum((-c * self.matrices[words[0][0]] for c, words in quadratic), start=np.zeros((self.columns,) * 2))
        values = np.linalg.eigvalsh(B)
        reward = float(values[-1]) if values[-1] > 0 else float(np.abs(values).max())
        weights: dict[int, float] = {}
        for c, words in self.terms:
            degree = sum(map(len, words))
            if degree > 1:
                weight = abs(c) * prod(norms[s] for w in words for s in w)
                weights[degree] = weights.get(degree, 0.0) + weight
        found = [(reward / (m * weight)) ** (1 / (m - 1)) for m, weight in weights.items() if weight > 0 and reward > 0]
        return min(found, default=1.0)


def _chain(word: Word, R: Mapping[str, Array], W: Array) -> Array:
    """Return the product of R over a word; the identity for an empty one."""
    if not word:
        return np.broadcast_to(np.eye(W.shape[-2]), (*W.shape[:-2], W.shape[-2], W.shape[-2]))
    result = R[word[0]]
    for letter in word[1:]:
        result = result @ R[letter]
    return result


def _first(word: Word, U: Mapping[str, Array], R: Mapping[str, Array], W: Array) -> Array:
    """Return the derivative of Tr of a word: each R_s changes by D U_s^T + U_s D^T with U_s = W s."""
    total = np.zeros_like(W)
    for k, s in enumerate(word):
        rest = _chain((*word[k + 1 :], *word[:k]), R, W)
        total = total + (rest + np.swapaxes(rest, -1, -2)) @ U[s]
    return total


def _second(
    word: Word, U: Mapping[str, Array], R: Mapping[str, Array], W: Array, matrices: Mapping[str, Array]
) -> Array:
    """Return the second derivative of Tr of a word, of shape (..., d1, d0, d1, d0)."""
    half = np.zeros((*W.shape, *W.shape[-2:]))
    for k, s in enumerate(word):
        # Both variations in one letter: Tr(D s D^T rest).
        rest = _chain((*word[k + 1 :], *word[:k]), R, W)
        half += np.einsum("...ba,ij->...aibj", rest, matrices[s])
        for m in range(k + 1, len(word)):
            # In two: Tr((D U^T + U D^T) A (D V^T + V D^T) B), with A and B the words between.
            A, B = _chain(word[k + 1 : m], R, W), _chain((*word[m + 1 :], *word[:k]), R, W)
            u, v = U[s], U[word[m]]
            uA, vB = np.swapaxes(u, -1, -2) @ A, np.swapaxes(v, -1, -2) @ B
            half += np.einsum("...ib,...ja->...aibj", uA, vB)
            half += np.einsum("...ij,...ba->...aibj", uA @ v, B)
            half += np.einsum("...ab,...ji->...aibj", A, vB @ u)
            half += np.einsum("...aj,...bi->...aibj", A @ v, B @ u)
    return half + np.moveaxis(half, (-4, -3), (-2, -1))


def inertia(hessian: Array, tolerance: float = 1e-8) -> tuple[int, int, int]:
    """Return how many eigenvalues are negative, zero and positive, relative to the largest.

    >>> inertia(np.diag([-1.0, 0.0, 2.0, 3.0]))
    (1, 1, 2)
    """
    values = np.linalg.eigvalsh(hessian)
    bound = tolerance * float(np.abs(values).max(initial=0.0))
    negative, positive = int((values < -bound).sum()), int((values > bound).sum())
    return negative, len(values) - negative - positive, positive
