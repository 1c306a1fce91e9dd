"""Expectation of a polynomial in open words over the views of one datum, or over exchangeable copies of a view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

from symscape.algebra.polynomial import Polynomial, Terms, add_term
from symscape.algebra.words import Monomial, degree, fourth_cumulant, third_cumulant
from symscape.errors import InputError, OrderError
from symscape.probability.contraction import GaussianLaw

#: (weight, law) of every component of a mixture; a weight is an element of the ring of coefficients.
Laws = Sequence[tuple[Any, GaussianLaw]]


class Integrator:
    """Expectations over the views of one datum, whose joint law given the component is in ``laws``.

    ``cumulants`` maps every view to its kind when joint cumulants are kept: views of one kind and one datum may be swapped.
    ``degrees_assumed`` collects the degrees of monomials with three or more legs: what they contribute rests on
    the distribution, beyond second moments.
    """

    def __init__(self, laws: Laws, cumulants: Mapping[str, str] | None = None):
        self.laws = laws
        self.views = laws[0][1].views
        self.cumulants = cumulants
        self.degrees_assumed: set[int] = set()

    def expectation(self, polynomial: Polynomial) -> Polynomial:
        """Return the conditional expectation, given every view that is not integrated."""
        moments: dict[Monomial, Polynomial] = {}
        groups: dict[Monomial, Terms] = {}
        for monomial, coefficient in polynomial.terms():
            touching = tuple(g for g in monomial if self._legs(g))
            rest = tuple(g for g in monomial if not self._legs(g)) if touching else monomial
            groups.setdefault(touching, {})[rest] = coefficient
        result = polynomial.constant(polynomial.domain.zero)
        for touching, terms in groups.items():
            outside = polynomial.from_terms(terms)
            if touching not in moments:
                moments[touching] = self._moment(touching, polynomial)
            result = result + outside * moments[touching]
        return result

    def _legs(self, generator: tuple) -> int:
        if generator[0] == "form":
            return (generator[1] in self.views) + (generator[3] in self.views)
        return int(generator[0] == "cumulant3" and generator[2] in self.views)

    def _moment(self, words: Monomial, like: Polynomial) -> Polynomial:
        legs = sum(map(self._legs, words))
        if legs > 2:
            self.degrees_assumed.add(sum(map(degree, words)))
        domain = like.domain
        terms: Terms = {}
        for weight, law in self.laws:
            for monomial, count in self._component_moment(words, law).items():
                add_term(terms, monomial, weight * domain.rational(count))
        if self.cumulants is not None and legs > 2:
            for monomial in self._cumulants(words, legs):
                add_term(terms, monomial, domain.one)
        return like.from_terms(terms) if words else like.constant(domain.one)

    def _component_moment(self, words: Monomial, law: GaussianLaw) -> dict[Monomial, int]:
        if words and words[0][0] == "cumulant3":
            mean = law.means.get(words[0][2])
            return {(third_cumulant(words[0][1], mean),): 1} if mean else {}
        return law.moment(words)

    def _cumulants(self, words: Monomial, legs: int) -> Iterator[Monomial]:
        """Yield what joint cumulants add to the moment of two inner products: the only case within order 4."""
        if len(words) != 2 or any(word[2] for word in words):
            raise OrderError("cumulants beyond the fourth are needed; CumulantViews determines order 4 only")
        means = self.laws[0][1].means
        if legs == 4:
            yield (fourth_cumulant(self._pattern4(words)),)
        # One leg at its mean, three in the cumulant: the four choices of that leg, or the one end that is no leg.
        for k, (_, u, _, v) in enumerate(words):
            pair = words[1 - k]
            if pair[1] not in self.views or pair[3] not in self.views:
                continue
            for leg, end in ((u, v), (v, u)):
                if leg not in self.views:
                    continue
                if end in self.views:
                    if end not in means:
                        continue
                    end = means[end]
                yield (third_cumulant(self._pattern3((pair[1], pair[3]), leg), end),)

    def _renamings(self, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Yield the names with the views of each kind called kind, kind', kind'', in every order."""
        assert self.cumulants is not None
        distinct = sorted(set(names))
        for order in permutations(distinct):
            numbers: dict[str, int] = {}
            new = {}
            for name in order:
                kind = self.cumulants[name]
                new[name] = kind + "'" * numbers.get(kind, 0)
                numbers[kind] = numbers.get(kind, 0) + 1
            yield tuple(new[name] for name in names)

    def _pattern4(self, words: Monomial) -> tuple[tuple[str, str], tuple[str, str]]:
        ends = [name for word in words for name in (word[1], word[3])]
        found = (sorted((_pair(names[:2]), _pair(names[2:]))) for names in self._renamings(ends))
        first, second = min(found)
        return first, second

    def _pattern3(self, pair: tuple[str, str], leg: str) -> tuple[tuple[str, str], str]:
        return min((_pair(names[:2]), names[2]) for names in self._renamings((*pair, leg)))


def _pair(names: Sequence[str]) -> tuple[str, str]:
    first, second = sorted(names)
    return first, second


class CopiesIntegrator:
    """Expectations over n exchangeable independent copies of a view that enter through sums over the copies.

    With T_i = sum_j H_i(chi_j), the expectation of a product of T_i given everything else is exact in n:

        E[T_1 ... T_k] = sum over partitions of {1..k} of n (n-1) ... (n-b+1) prod over its b blocks of E[prod_i H_i(chi)].
    """

    def __init__(self, one_copy: Integrator, summands: Mapping[tuple, Polynomial], count: Any):
        self.one_copy = one_copy
        self.summands = dict(summands)
        self.count = count

    def expectation(self, polynomial: Polynomial) -> Polynomial:
        """Return the conditional expectation over all copies."""
        one = polynomial.constant(polynomial.domain.one)
        memory: dict[Monomial, Polynomial] = {(): one}
        groups: dict[Monomial, Terms] = {}
        for monomial, coefficient in polynomial.terms():
            if any(self.one_copy._legs(g) for g in monomial):
                raise InputError(
                    f"the view {min(self.one_copy.views)} is used both inside and outside of a sum over its copies; "
                    "use a second View for the one outside"
                )
            sums = tuple(g for g in monomial if g in self.summands)
            groups.setdefault(sums, {})[tuple(g for g in monomial if g not in self.summands)] = coefficient
        result = polynomial.constant(polynomial.domain.zero)
        for sums, terms in groups.items():
            result = result + polynomial.from_terms(terms) * self._moment(sums, memory, one)
        return result

    def _moment(self, sums: Monomial, memory: dict[Monomial, Polynomial], one: Polynomial) -> Polynomial:
        if not sums:
            return one
        blocks: dict[Monomial, Polynomial] = {}
        total = one.constant(one.domain.zero)
        for partition in set_partitions(list(sums)):
            factor, term = one.domain.one, one
            for number, block in enumerate(partition):
                factor = factor * (self.count - one.domain.rational(number))
                key = tuple(sorted(block))
                if key not in blocks:
                    blocks[key] = self._block(key, memory, one)
                term = term * blocks[key]
            total = total + term.scale(factor)
        return total

    def _block(self, block: Monomial, memory: dict[Monomial, Polynomial], one: Polynomial) -> Polynomial:
        if block not in memory:
            summand = one
            for generator in block:
                summand = summand * self.summands[generator]
            memory[block] = self.one_copy.expectation(summand)
        return memory[block]


def set_partitions(items: list) -> Iterator[list[list]]:
    """Yield the partitions of a list into non-empty blocks, equal items counted apart.

    >>> len(list(set_partitions([1, 2, 3])))
    5
    """
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for partition in set_partitions(rest):
        yield [[first], *partition]
        for k in range(len(partition)):
            yield [*partition[:k], [first, *partition[k]], *partition[k + 1 :]]
