"""What one would do without symscape: honest slow routes to the landscape of InfoNCE with infinitely many negatives.

    L(W) = E |f(x) - f(x')|^2 / 2 + E_x log E_chi exp(-|f(x) - f(chi)|^2 / 2),      f = W phi, tau = 1,

for jointly Gaussian features of mean zero. None of this imports symscape; tests/test_benchmarks.py holds every route
against `symscape.landscape`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import product
from math import factorial, prod

import sympy as sp
from sympy.polys.domains import QQ
from sympy.polys.rings import ring

# 1. Explicit components: the integrand as a polynomial in the entries of W, phi(x) and phi(chi).


def matrices(d0: int, d1: int) -> tuple[sp.Matrix, sp.Matrix, sp.Matrix]:
    """Return W (d1 x d0), A_0 and Sigma (d0 x d0, symmetric), every entry a symbol."""
    W = sp.Matrix(d1, d0, lambda a, k: sp.Symbol(f"w_{a}{k}"))
    A0, Sigma = (
        sp.Matrix(d0, d0, lambda k, m, s=s: sp.Symbol(f"{s}_{min(k, m)}{max(k, m)}")) for s in ("alpha", "sigma")
    )
    return W, A0, Sigma


def gaussian_moment(exponents: tuple[int, ...], covariance: sp.Matrix) -> sp.Expr:
    """Return E[prod xi_k^exponents[k]] by Isserlis' recursion: one leg is joined to each other leg in turn."""

    @cache
    def moment(powers: tuple[int, ...]) -> sp.Expr:
        k = next((k for k, power in enumerate(powers) if power), None)
        if k is None:
            return sp.S.One
        rest = list(powers)
        rest[k] -= 1
        total = sp.S.Zero
        for m, power in enumerate(rest):
            if power:
                rest[m] -= 1
                total += power * covariance[k, m] * moment(tuple(rest))
                rest[m] += 1
        return sp.expand(total)

    return moment(exponents) if sum(exponents) % 2 == 0 else sp.S.Zero


def expectation(expr: sp.Expr, variables: Sequence[sp.Symbol], covariance: sp.Matrix) -> sp.Expr:
    """Return the expectation of a polynomial over Gaussian variables, each monomial replaced by its moment."""
    if expr == 0:
        return expr
    terms = sp.Poly(expr, *variables).terms()
    return sp.expand(sp.Add(*[value * gaussian_moment(powers, covariance) for powers, value in terms]))


def component_expansion(order: int, d0: int = 3, d1: int = 2) -> sp.Expr:
    """Return the landscape in the entries of W, A_0 and Sigma by SymPy's `expand`, one power of W^2 after the other."""
    W, A0, Sigma = matrices(d0, d1)
    x, chi = sp.symbols(f"x:{d0}"), sp.symbols(f"chi:{d0}")
    f = W * (sp.Matrix(x) - sp.Matrix(chi))
    q = sp.expand(-(f.T * f)[0] / 2)
    # u = E_chi exp(q) - 1 by degree; then log(1 + u) = l by (1 + u) D l = D u.
    power, u, log = sp.S.One, [sp.S.Zero], [sp.S.Zero]
    for m in range(1, order // 2 + 1):
        power = sp.expand(power * q / m)
        u.append(expectation(power, chi, Sigma))
        log.append(sp.expand(u[m] - sum(sp.Rational(k, m) * log[k] * u[m - k] for k in range(1, m))))
    alignment = sp.expand((W * (Sigma - A0) * W.T).trace())
    return sp.expand(alignment + sum(expectation(part, x, Sigma) for part in log))


def ring_expansion(order: int, d0: int = 3, d1: int = 2) -> sp.Expr:
    """Return the same by SymPy's sparse polynomial rings, the fastest polynomials that come with SymPy."""
    W, A0, Sigma = matrices(d0, d1)
    names = sorted({*W, *A0, *Sigma}, key=str)
    R, *made = ring([*sp.symbols(f"x:{d0} chi:{d0}"), *names], QQ)
    x, chi, value = made[:d0], made[d0 : 2 * d0], dict(zip(names, made[2 * d0 :], strict=True))

    @cache
    def moment(powers: tuple[int, ...]):
        return R.from_expr(gaussian_moment(powers, Sigma))

    def expected(element, first: int):
        groups: dict[tuple[int, ...], dict] = {}
        for monomial, coefficient in element.terms():
            rest = (*monomial[:first], *[0] * d0, *monomial[first + d0 :])
            groups.setdefault(monomial[first : first + d0], {})[rest] = coefficient
        return sum((R.from_dict(terms) * moment(powers) for powers, terms in groups.items()), R.zero)

    f = [sum((value[W[a, k]] * (x[k] - chi[k]) for k in range(d0)), R.zero) for a in range(d1)]
    q = sum((part**2 for part in f), R.zero) * QQ(-1, 2)
    power, u, log = R.one, [R.zero], [R.zero]
    for m in range(1, order // 2 + 1):
        power = power * q * QQ(1, m)
        u.append(expected(power, d0))
        log.append(u[m] - sum((log[k] * u[m - k] * QQ(k, m) for k in range(1, m)), R.zero))
    total = sum((expected(part, 0) for part in log), R.zero)
    for a, k, m in product(range(d1), range(d0), range(d0)):
        total += value[W[a, k]] * (value[Sigma[k, m]] - value[A0[k, m]]) * value[W[a, m]]
    return total.as_expr()


# 2. Wick's theorem in words: every pairing of legs, drawn and read off as closed and open words.

#: A word by its kind and its letters: a trace of P M ..., or an open word between two legs of views not integrated yet.
Word = tuple[str, tuple[str, ...]]
Terms = dict[tuple[Word, ...], Fraction]


def pairings(legs: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
    """Yield all (2n - 1)!! perfect matchings of 2n legs."""
    if not legs:
        yield []
        return
    first, rest = legs[0], legs[1:]
    for k in range(len(rest)):
        for tail in pairings(rest[:k] + rest[k + 1 :]):
            yield [(first, rest[k]), *tail]


def words_of(joined: list[tuple[int, int]], words: Sequence[tuple[str, ...]]) -> tuple[Word, ...]:
    """Return the words that a pairing makes of words whose ends are the legs 2k and 2k + 1: every pair is one Sigma."""
    partner = {}
    for a, b in joined:
        partner[a], partner[b] = b, a
    seen, made = set(), []
    starts = [leg for leg in range(2 * len(words)) if leg not in partner]
    for start in [*starts, *partner]:
        if start // 2 in seen:
            continue
        leg, letters = start, []
        while True:
            seen.add(leg // 2)
            letters += words[leg // 2] if leg % 2 == 0 else words[leg // 2][::-1]
            out = leg ^ 1
            if out not in partner:
                made.append(("open", min(tuple(letters), tuple(letters[::-1]))))
                break
            letters.append("Sigma")
            leg = partner[out]
            if leg == start:
                made.append(("trace", cyclic(tuple(letters))))
                break
    return tuple(sorted(made))


def cyclic(word: tuple[str, ...]) -> tuple[str, ...]:
    """Return the least of the rotations and reflections of a word."""
    return min(d[k:] + d[:k] for d in (word, word[::-1]) for k in range(len(word)))


def add(terms: Terms, key: tuple[Word, ...], value: Fraction) -> None:
    """Add one term in place."""
    terms[key] = terms.get(key, Fraction(0)) + value
    if not terms[key]:
        del terms[key]


def negative_exponents(m: int) -> Iterator[tuple[int, int, int, Fraction]]:
    """Yield (a, b, c, coefficient) of (-|f(x) - f(chi)|^2/2)^m / m! in (x.x)^a (x.chi)^b (chi.chi)^c."""
    for a in range(m + 1):
        for b in range(m - a + 1):
            c = m - a - b
            yield a, b, c, Fraction((-1) ** (a + c), 2 ** (a + c) * factorial(a) * factorial(b) * factorial(c))


def alignment() -> Terms:
    """Return Tr P - Tr M."""
    return {(("trace", ("Sigma",)),): Fraction(1), (("trace", ("A_0",)),): Fraction(-1)}


def multisets(factors: Sequence[tuple], budget: int, start: int = 0) -> Iterator[list[int]]:
    """Yield the non-empty multisets of factors, as ascending positions, whose degrees add up to at most ``budget``."""
    for k in range(start, len(factors)):
        if factors[k][0] <= budget:
            yield [k]
            for rest in multisets(factors, budget - factors[k][0], k):
                yield [k, *rest]


def pairing_sum(order: int) -> Terms:
    """Return the landscape as the plain sum over all pairings of the fully expanded loss.

    log(1 + u) = sum_r (-1)^(r+1) u^r / r, and u^r is an expectation over r independent negatives chi_1, ..., chi_r, so
    the loss is a sum of moments of products of x.x, x.chi_j and chi_j.chi_j: each is a sum over the pairings of its legs.
    Equal factors of different negatives are merged: a choice of factors is a multiset.
    """
    total = alignment()
    factors = [(m, *term) for m in range(1, order // 2 + 1) for term in negative_exponents(m)]
    for chosen in multisets(factors, order // 2):
        r, count = len(chosen), 0
        legs: dict[int, list[int]] = {}
        for j, k in enumerate(chosen, 1):
            _, a, b, c, _ = factors[k]
            for left, right, number in ((0, 0, a), (0, j, b), (j, j, c)):
                for _ in range(number):
                    legs.setdefault(left, []).append(2 * count)
                    legs.setdefault(right, []).append(2 * count + 1)
                    count += 1
        if any(len(ends) % 2 for ends in legs.values()):
            continue
        arrangements = Fraction(factorial(r), prod(map(factorial, Counter(chosen).values())))
        coefficient = Fraction((-1) ** (r + 1), r) * arrangements * prod(factors[k][4] for k in chosen)
        found: Counter[tuple[Word, ...]] = Counter()
        for joined in product(*(list(pairings(ends)) for ends in legs.values())):
            found[words_of([pair for part in joined for pair in part], [()] * count)] += 1
        for words, times in found.items():
            add(total, words, coefficient * times)
    return total


def pairing_sum_by_view(order: int) -> Terms:
    """Return the landscape by pairings of chi, then the logarithm with like terms collected, then pairings of x."""
    half = order // 2
    u: list[Terms] = [{} for _ in range(half + 1)]
    for m in range(1, half + 1):
        for a, b, c, coefficient in negative_exponents(m):
            if b % 2:
                continue
            # The words: b of (x, chi) with chi's leg odd, then c of (chi, chi).
            legs = [*range(1, 2 * b, 2), *range(2 * b, 2 * (b + c))]
            found = Counter(words_of(joined, [()] * (b + c)) for joined in pairings(legs))
            for words, times in found.items():
                add(u[m], tuple(sorted((*words, *[("open", ())] * a))), coefficient * times)
    log: list[Terms] = [{} for _ in range(half + 1)]
    for m in range(1, half + 1):
        log[m] = dict(u[m])
        for k in range(1, m):
            for (left, value_a), (right, value_b) in product(log[k].items(), u[m - k].items()):
                add(log[m], tuple(sorted(left + right)), -Fraction(k, m) * value_a * value_b)
    total = alignment()
    for part in log:
        for words, value in part.items():
            closed = tuple(word for word in words if word[0] == "trace")
            opened = [letters for kind, letters in words if kind == "open"]
            for joined in pairings(list(range(2 * len(opened)))):
                add(total, tuple(sorted((*closed, *words_of(joined, opened)))), value)
    return total
