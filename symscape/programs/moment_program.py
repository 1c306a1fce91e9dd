"""Value and gradient of a polynomial in words, as a NumPy function of W.

Every word is a product of the d1 x d1 moments R_S = W S W^T and of the vectors v = W m + b, so the program is

    W -> R_S, v -> words -> value,

and the gradient goes back the same way: with Y the derivative of the value by R_S, the derivative by W is (Y + Y^T) W S.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from symscape.algebra.words import IDENTITY, Generator, Monomial

Array = NDArray[np.floating[Any]]


class Cumulants(Protocol):
    """What evaluates joint cumulants contracted with W: ``kappa=`` of a compiled landscape."""

    def value_and_gradient(self, pattern: tuple, W: Array, end: Array | None) -> tuple[Any, Array, Array | None]:
        """Return the contraction for one W, its derivative by W, and by the end of a third cumulant."""
        ...


class MomentProgram:
    """A compiled polynomial: monomials of words, with numeric coefficients given at each call."""

    def __init__(self, monomials: Sequence[Monomial]):
        self.monomials = list(monomials)
        self.generators: list[Generator] = sorted({g for m in self.monomials for g in m})
        self.letters = sorted({letter for g in self.generators for letter in _letters(g)})
        self.vectors = sorted({vector for g in self.generators for vector in _vectors(g)})

    def run(
        self,
        W: Array,
        matrices: Mapping[str, Array],
        means: Mapping[str, Array],
        bias: Array | None,
        coefficients: Sequence[float],
        kappa: Cumulants | None,
        gradient: bool,
    ) -> tuple[Array, Array | None, Array | None]:
        """Return (value, derivative by W, derivative by the bias); the derivatives are None unless asked for."""
        WS = {s: W if s == IDENTITY else W @ matrices[s] for s in self.letters}
        state = _State(W, kappa)
        transposed = np.swapaxes(W, -1, -2)
        state.R = {s: WS[s] @ transposed for s in self.letters}
        for vector in self.vectors:
            image = np.zeros(W.shape[:-1]) if means.get(vector) is None else W @ means[vector]
            state.v[vector] = image if bias is None else image + bias
        values = {g: state.value(g) for g in self.generators}
        batch = W.shape[:-2]
        total = np.zeros(batch)
        slopes = {g: np.zeros(batch) for g in self.generators}
        for monomial, coefficient in zip(self.monomials, coefficients, strict=True):
            total = total + coefficient * _product([values[g] for g in monomial], batch)
            if gradient:
                for k, g in enumerate(monomial):
                    others = [values[h] for h in (*monomial[:k], *monomial[k + 1 :])]
                    slopes[g] = slopes[g] + coefficient * _product(others, batch)
        if not gradient:
            return total, None, None
        state.start_gradient(self.letters, self.vectors)
        for g in self.generators:
            state.pull_back(g, slopes[g])
        dW = state.dW
        for s in self.letters:
            Y = state.dR[s]
            dW = dW + (Y + np.swapaxes(Y, -1, -2)) @ WS[s]
        db = np.zeros(W.shape[:-1]) if bias is not None else None
        for vector in self.vectors:
            if means.get(vector) is not None:
                dW = dW + state.dv[vector][..., :, None] * means[vector]
            if db is not None:
                db = db + state.dv[vector]
        return total, dW, db


class _State:
    """Moments of the representation at one W, and the derivatives of the value by them."""

    def __init__(self, W: Array, kappa: Cumulants | None):
        self.W, self.kappa = W, kappa
        self.R: dict[str, Array] = {}
        self.v: dict[str, Array] = {}
        self.dR: dict[str, Array] = {}
        self.dv: dict[str, Array] = {}
        self.dW: Array = np.zeros_like(W)

    def start_gradient(self, letters: Sequence[str], vectors: Sequence[str]) -> None:
        self.dR = {s: np.zeros_like(self.R[s]) for s in letters}
        self.dv = {m: np.zeros_like(self.v[m]) for m in vectors}

    def value(self, generator: Generator) -> Array:
        kind = generator[0]
        if kind == "tr":
            *some, last = generator[1]
            if not some:
                return np.trace(self.R[last], axis1=-2, axis2=-1)
            return np.einsum("...ij,...ji->...", self._chain(some), self.R[last])
        if kind == "form":
            _, left, word, right = generator
            return np.einsum("...i,...i->...", self.v[left], self._apply(word, self.v[right]))
        if kind == "graph":
            operands = self._graph_operands(generator)
            return np.einsum(",".join(s for s, _, _ in operands) + "->...", *[x for _, x, _ in operands])
        return self._cumulant(generator)[0]

    def pull_back(self, generator: Generator, slope: Array) -> None:
        """Add slope times the derivatives of one word."""
        kind, wide = generator[0], slope[..., None, None]
        if kind == "tr":
            word = generator[1]
            for k, letter in enumerate(word):
                rest = (*word[k + 1 :], *word[:k])
                self.dR[letter] += wide * (self._chain(rest) if rest else np.eye(self.W.shape[-2]))
        elif kind == "form":
            _, left, word, right = generator
            for k, letter in enumerate(word):
                after, before = self._apply(word[k + 1 :], self.v[right]), self._apply(word[:k][::-1], self.v[left])
                self.dR[letter] += wide * after[..., :, None] * before[..., None, :]
            self.dv[left] += slope[..., None] * self._apply(word, self.v[right])
            self.dv[right] += slope[..., None] * self._apply(word[::-1], self.v[left])
        elif kind == "graph":
            operands = self._graph_operands(generator)
            for k, (subscript, _, add) in enumerate(operands):
                others = [(s, x) for j, (s, x, _) in enumerate(operands) if j != k]
                missing = [c for c in subscript.replace("...", "") if all(c not in s for s, _ in others)]
                others += [("..." + c, np.ones(self.W.shape[-2])) for c in missing]
                add(slope, np.einsum(",".join(s for s, _ in others) + "->" + subscript, *[x for _, x in others]))
        else:
            _, dW, dend = self._cumulant(generator)
            self.dW = self.dW + wide * dW
            if dend is not None:
                self.dv[generator[2]] += slope[..., None] * dend

    def _chain(self, word: Sequence[str]) -> Array:
        result = self.R[word[0]]
        for letter in word[1:]:
            result = result @ self.R[letter]
        return result

    def _apply(self, word: Sequence[str], vector: Array) -> Array:
        for letter in reversed(word):
            vector = np.einsum("...ij,...j->...i", self.R[letter], vector)
        return vector

    def _graph_operands(self, generator: Generator) -> list[tuple[str, Array, Callable[[Array, Array], None]]]:
        """Return (einsum subscript, operand, what adds to its derivative) for every edge and leg."""

        def edge_adder(letter: str) -> Callable[[Array, Array], None]:
            def add(slope: Array, part: Array) -> None:
                self.dR[letter] += slope[..., None, None] * part

            return add

        def loop_adder(letter: str) -> Callable[[Array, Array], None]:
            def add(slope: Array, part: Array) -> None:
                self.dR[letter] += (slope[..., None] * part)[..., None] * np.eye(part.shape[-1])

            return add

        def leg_adder(vector: str) -> Callable[[Array, Array], None]:
            def add(slope: Array, part: Array) -> None:
                self.dv[vector] += slope[..., None] * part

            return add

        names, made = "ijklmnopq", []
        for letter, a, b in generator[1]:
            if a == b:
                diagonal = np.diagonal(self.R[letter], axis1=-2, axis2=-1)
                made.append(("..." + names[a], diagonal, loop_adder(letter)))
            else:
                made.append(("..." + names[a] + names[b], self.R[letter], edge_adder(letter)))
        for vector, a in generator[2]:
            made.append(("..." + names[a], self.v[vector], leg_adder(vector)))
        return made

    def _cumulant(self, generator: Generator) -> tuple[Array, Array, Array | None]:
        assert self.kappa is not None
        end = self.v[generator[2]] if generator[0] == "cumulant3" else None
        batch, shape = self.W.shape[:-2], self.W.shape
        flat_W = self.W.reshape(-1, *shape[-2:])
        flat_end = None if end is None else end.reshape(-1, shape[-2])
        results = [
            self.kappa.value_and_gradient(generator[1], w, None if flat_end is None else flat_end[k])
            for k, w in enumerate(flat_W)
        ]
        dend = None if end is None else np.array([r[2] for r in results]).reshape(end.shape)
        return np.array([r[0] for r in results]).reshape(batch), np.array([r[1] for r in results]).reshape(shape), dend


def _product(factors: Sequence[Array], batch: tuple[int, ...]) -> Array:
    result = np.ones(batch)
    for factor in factors:
        result = result * factor
    return result


def _letters(generator: Generator) -> tuple[str, ...]:
    if generator[0] == "tr":
        return generator[1]
    if generator[0] == "form":
        return generator[2]
    return tuple(edge[0] for edge in generator[1]) if generator[0] == "graph" else ()


def _vectors(generator: Generator) -> tuple[str, ...]:
    if generator[0] == "form":
        return (generator[1], generator[3])
    if generator[0] == "graph":
        return tuple(leg[0] for leg in generator[2])
    return (generator[2],) if generator[0] == "cumulant3" else ()
