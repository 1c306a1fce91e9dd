"""A word form on the aligned family: L as a function of the spectrum p when every letter is diagonal along the modes.

With P = diag(p) and letters of diagonal entries s_i, a word S_1 ... S_m is the sum over modes of p_i^m s_1i ... s_mi.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.algebra.words import Word
from symscape.spectrum.minimum import ROUNDING
from symscape.stationary.point import Stability
from symscape.stationary.second_variation import pair_block
from symscape.stationary.word_form import WordForm

Array = NDArray[np.floating[Any]]

#: The letter of the whole quadratic part: -Tr(W B W^T) is minus its trace.
B = "B"
#: An eigenvalue of the Hessian below this, relative to the terms that make it up, is zero.
ZERO = 1e-9


class AlignedForm:
    """A form with numbers on the aligned family: ``entries[letter]`` holds a letter's diagonal entries, one per mode."""

    def __init__(self, form: WordForm, entries: Mapping[str, Array], eigenvalues: Array, sizes: Array):
        self.entries = {**entries, B: eigenvalues}
        self._sizes = sizes
        self.constant = float(form.constant)
        self.terms: list[tuple[float, tuple[Word, ...]]] = [(-1.0, ((B,),))]
        self.terms += [(float(c), words) for words, c in form.higher]
        self.words: list[Word] = sorted({w for _, words in self.terms for w in words})
        self.degree = max(sum(map(len, words)) for _, words in self.terms)
        self._weights = {w: np.prod([self.entries[s] for s in w], axis=0) for w in self.words}
        self._form = form
        self.shell: float | None = None

    @property
    def decoupled(self) -> bool:
        """Whether the modes do not interact: no products of traces."""
        return all(len(words) == 1 for _, words in self.terms)

    def first(self, modes: int) -> AlignedForm:
        """Return the form of the first modes alone."""
        kept = {s: v[:modes] for s, v in self.entries.items() if s != B}
        return AlignedForm(self._form, kept, self.entries[B][:modes], self._sizes[:modes])

    def leading(self) -> AlignedForm:
        """Return the part of highest degree on the shell Tr P = 1: positive there, it bounds the landscape from below."""
        made = self.first(len(self.entries[B]))
        made.terms = [(c, words) for c, words in self.terms if sum(map(len, words)) == self.degree]
        made.constant, made.shell = 0.0, 1.0
        return made

    def _traces(self, p: Array) -> dict[Word, float]:
        return {w: float(weights @ p ** len(w)) for w, weights in self._weights.items()}

    def slopes(self, p: Array) -> dict[Word, float]:
        """Return dL/dTr(word) for every word, at a spectrum over all modes."""
        traces = self._traces(p)
        found = dict.fromkeys(self.words, 0.0)
        for c, words in self.terms:
            for k, w in enumerate(words):
                found[w] += c * prod(traces[v] for v in (*words[:k], *words[k + 1 :]))
        return found

    # As a function of the spectrum; r and b are unused, the form has its own letters.

    def value(self, p: Array, r: Array | None = None, b: Array | None = None) -> float:
        """Return L at a spectrum over all modes."""
        traces = self._traces(p)
        return self.constant + sum(c * prod(traces[w] for w in words) for c, words in self.terms)

    def rounding(self, p: Array, r: Array | None = None, b: Array | None = None) -> float:
        """Return how far the cancellation of the terms of L may have moved its value."""
        traces = self._traces(p)
        return ROUNDING * max((abs(c * prod(traces[w] for w in words)) for c, words in self.terms), default=0.0)

    def gradient(self, p: Array, r: Array | None = None, b: Array | None = None) -> Array:
        """Return dL/dp."""
        return sum(
            (slope * len(w) * self._weights[w] * p ** (len(w) - 1) for w, slope in self.slopes(p).items()),
            start=np.zeros_like(p),
        )

    def hessian(self, p: Array, r: Array | None = None, b: Array | None = None) -> Array:
        """Return the second derivatives by p."""
        traces = self._traces(p)
        first = {w: len(w) * weights * p ** (len(w) - 1) for w, weights in self._weights.items()}
        bend = np.zeros_like(p)
        for w, slope in self.slopes(p).items():
            if len(w) > 1:
                bend = bend + slope * len(w) * (len(w) - 1) * self._weights[w] * p ** (len(w) - 2)
        result = np.diag(bend)
        for c, words in self.terms:
            for k, v in enumerate(words):
                for m, w in enumerate(words):
                    if k != m:
                        rest = prod(traces[u] for n, u in enumerate(words) if n not in (k, m))
                        result = result + c * rest * np.outer(first[v], first[w])
        return result

    def lowest_per_mode(self) -> tuple[Array, Array]:
        """Return the strength of least value of every mode by itself, and that value, at most 0; modes that are decoupled."""
        weights: dict[int, Array] = {}
        for c, (word,) in self.terms:
            weights[len(word)] = weights.get(len(word), 0.0) + c * self._weights[word]
        modes = len(self.entries[B])
        strengths, values = np.zeros(modes), np.zeros(modes)
        for k in range(modes):
            polynomial = np.polynomial.Polynomial(
                [0.0, *(float(weights.get(n, np.zeros(modes))[k]) for n in range(1, self.degree + 1))]
            )
            roots = polynomial.deriv().roots()
            real = roots[(np.abs(roots.imag) <= 1e-9 * np.abs(roots)) & (roots.real > 0)].real
            for p in real:
                if polynomial(p) < values[k]:
                    strengths[k], values[k] = float(p), float(polynomial(p))
        return strengths, values

    # Stability

    def stability(self, kept: tuple[int, ...], strengths: Array, d1: int, constant: int, decayed: int) -> Stability:
        """Return the inertia of the Hessian in W at an aligned stationary point, from the blocks of the second variation.

        ``constant``, ``decayed``: directions that never vary, free and held at zero.
        """
        p = np.zeros(len(self.entries[B]))
        p[list(kept)] = strengths
        slopes = [(slope, w) for w, slope in self.slopes(p).items()]
        on, count, free = list(kept), len(kept), d1 - len(kept)
        off = [j for j in range(len(p)) if j not in set(kept)]

        def block(first: Any, second: Any, p_a: Any, p_b: Any) -> tuple[Array, Array]:
            """Return xx + yy of pair blocks (yy = 0 where output b stays), and the size of the terms in them."""
            found = []
            for entries, weights in ((self.entries, slopes), (sizes, [(abs(c), w) for c, w in slopes])):
                at_i, at_j = ({s: v[modes] for s, v in entries.items()} for modes in (first, second))
                xx, yy, _ = pair_block(weights, p_a, p_b, at_i, at_j, np.sqrt(p_a * p_b))
                found.append(xx + (yy if second_moves else 0.0) + np.zeros(len(second)))
            return found[0], found[1]

        def tied(first: Array, second: Array) -> NDArray[np.bool_]:
            size = {s: np.abs(v).max(initial=0.0) for s, v in self.entries.items()}
            near = [np.abs(v[first] - v[second]) <= ZERO * size[s] for s, v in self.entries.items() if s in used]
            return np.logical_and.reduce(near)

        used = {s for _, w in slopes for s in w}
        sizes = {s: self._sizes if s == B else np.abs(v) for s, v in self.entries.items()}
        # Two outputs that carry modes: a 2 x 2 block, of which one direction is their rotation.
        i, j = (np.array(on, dtype=int)[side] for side in np.triu_indices(count, 1))
        second_moves = True
        between = block(i, j, p[i], p[j])  # its determinant vanishes with the rotation, so the trace is the other one
        # An output that carries mode i moves towards mode j; one without a mode takes mode j.
        i, j = (grid.ravel() for grid in np.meshgrid(np.array(on, dtype=int), np.array(off, dtype=int), indexing="ij"))
        second_moves = False
        ties = tied(i, j)
        exchange = block(i, j, p[i], 0 * p[j])
        growth = block(np.array(off, dtype=int), np.array(off, dtype=int), 0 * p[off], p[off])
        root = np.sqrt(strengths)
        bend = 2 * root[:, None] * root * self.hessian(p)[np.ix_(on, on)]
        stretch = np.linalg.eigvalsh(bend) if count else np.zeros(0)
        blocks = (
            between,
            exchange,
            tuple(np.repeat(v, free) for v in growth),
            (stretch, np.full(count, np.abs(bend).max(initial=0.0))),
        )
        signs = [np.where(np.abs(value) <= ZERO * size, 0, np.sign(value)) for value, size in blocks]
        tied_zero = int((signs[1][ties] == 0).sum())
        counted = np.concatenate(signs)
        return Stability(
            index=int((counted < 0).sum()),
            positive=int((counted > 0).sum()) + d1 * decayed,
            rotation=count * free + count * (count - 1) // 2,
            tied=tied_zero,
            constant=d1 * constant,
            flat=int((counted == 0).sum()) - tied_zero,
        )
