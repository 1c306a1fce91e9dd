"""A word form with numbers: value, gradient and Hessian as functions of W, for searches and for checking stability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.algebra.words import IDENTITY
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
        *batch, d1, d0 = W.shape
        size = d1 * d0
        directions = np.broadcast_to(np.eye(size).reshape(size, d1, d0), (*batch, size, d1, d0))
        places = np.broadcast_to(W[..., None, :, :], directions.shape)
        found = self._program.hessian_vector(places, directions, self.matrices, {}, None, self._coefficients)
        result = found.reshape(*batch, size, size)
        return (result + np.swapaxes(result, -1, -2)) / 2

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


def inertia(hessian: Array, tolerance: float = 1e-8) -> tuple[int, int, int]:
    """Return how many eigenvalues are negative, zero and positive, relative to the largest.

    >>> inertia(np.diag([-1.0, 0.0, 2.0, 3.0]))
    (1, 1, 2)
    """
    values = np.linalg.eigvalsh(hessian)
    bound = tolerance * float(np.abs(values).max(initial=0.0))
    negative, positive = int((values < -bound).sum()), int((values > bound).sum())
    return negative, len(values) - negative - positive, positive
