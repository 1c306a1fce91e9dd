"""Gaussian expectations of products of open words, by integration by parts, one leg at a time.

For a Gaussian view u with mean m and covariance letters S_uv, and any polynomial F of the views,

    E[(u^T a) F] = (m^T a) E[F] + sum_v E[a^T S_uv grad_v F]            (Stein's identity).

Applied to one leg u of an open word (u, word, w): the leg becomes its mean, or is joined to another leg v.
The other end of the same word closes it to a trace; an end of another word makes the two one longer word.
States are sorted multisets of words, so equal ones merge with their multiplicity and every moment is computed once:
the number of states grows like that of contraction patterns, not of pairings. The longest word is always grown, which
keeps states of the form (one chain, some untouched words).
"""

from __future__ import annotations

from collections.abc import Mapping

from symscape.algebra.words import Generator, Monomial, closed_word, multiplicities, open_word, product

Moment = dict[Monomial, int]


class GaussianLaw:
    """The joint law of some views: ``covariances[u, v]`` is a letter, ``means[u]`` a vector; absent ones are zero."""

    def __init__(self, covariances: Mapping[tuple[str, str], str], means: Mapping[str, str]):
        self.covariances = dict(covariances)
        self.means = dict(means)
        self.views = frozenset(u for u, _ in self.covariances)
        self._memory: dict[Monomial, Moment] = {}

    def legs(self, words: Monomial) -> int:
        """Return how many ends of open words are views of this law."""
        return sum((word[1] in self.views) + (word[3] in self.views) for word in words)

    def moment(self, words: Monomial) -> Moment:
        """Return E[product of open words] as a polynomial with integer coefficients; ends outside the law stay."""
        if not words:
            return {(): 1}
        found = self._memory.get(words)
        if found is None:
            if not self.means and self.legs(words) % 2:
                found = {}
            else:
                found = self._integrate_by_parts(words)
            self._memory[words] = found
        return found

    def _integrate_by_parts(self, words: Monomial) -> Moment:
        chosen = max(words, key=lambda word: (len(word[2]), word))
        place = words.index(chosen)
        rest = words[:place] + words[place + 1 :]
        _, left, word, right = chosen
        if left not in self.views:
            left, word, right = right, word[::-1], left
        result: Moment = {}
        mean = self.means.get(left)
        if mean is not None:
            self._add(result, open_word(mean, word, right), rest, 1)
        letter = self.covariances.get((left, right))
        if letter is not None:
            self._add(result, closed_word((letter, *word)), rest, 1)
        # Read the chosen word towards its leg: right ... left, then the letter, then the partner from its leg outwards.
        incoming = word[::-1]
        for partner, count in multiplicities(rest):
            position = rest.index(partner)
            others = rest[:position] + rest[position + 1 :]
            _, near, inner, far = partner
            for leg, path, end in ((near, inner, far), (far, inner[::-1], near)):
                letter = self.covariances.get((left, leg))
                if letter is not None:
                    self._add(result, open_word(right, (*incoming, letter, *path), end), others, count)
        return result

    def _add(self, result: Moment, made: Generator, rest: Monomial, count: int) -> None:
        """Add count * E[made * rest] to ``result``; a word with no leg left is a factor."""
        state: Monomial
        factor: Monomial
        if made[0] == "form" and (made[1] in self.views or made[3] in self.views):
            state, factor = product((made,), rest), ()
        else:
            state, factor = rest, (made,)
        for monomial, coefficient in self.moment(state).items():
            key = product(monomial, factor)
            result[key] = result.get(key, 0) + count * coefficient
