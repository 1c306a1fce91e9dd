"""The Gaussian integral of the exponential of a quadratic form, done whole.

For a Gaussian vector xi of mean zero and covariance S, joint over the integrated views, and q = c + l^T xi + xi^T Q xi,

    log E exp(q) = c - (1/2) log det(1 - 2 S Q) + (1/2) l^T (1 - 2 S Q)^{-1} S l
                 = c + sum_k Tr (2 S Q)^k / (2 k) + (1/2) sum_k l^T (2 S Q)^k S l,

every term a single word: the logarithm of the moments has only connected contractions. A view with a mean m is m + xi,
so its words are first expanded about the mean.
"""

from __future__ import annotations

from typing import Any

from symscape.algebra.polynomial import Polynomial, Terms, add_term
from symscape.algebra.words import closed_word, open_word
from symscape.probability.contraction import GaussianLaw

# A polynomial in non-commuting letters; the key (A, B) stands for the matrix G A G B G between two ends.
Matrix = dict[tuple[str, ...], Any]


def log_expectation_of_exponential(exponent: Polynomial, law: GaussianLaw) -> Polynomial | None:
    """Return log E exp(exponent) over the views of ``law``, or None when the exponent is not a quadratic form in them."""
    if law.means:
        exponent = _about_the_means(exponent, law)
    domain, order = exponent.domain, exponent.order
    half, two = domain.rational(1, 2), domain.rational(2)
    outside: Terms = {}
    quadratic: dict[tuple[str, str], Matrix] = {}
    linear: dict[str, list[tuple[str, tuple[str, ...], Any]]] = {}
    for monomial, coefficient in exponent.terms():
        touching = [g for g in monomial if g[0] in ("cumulant3", "copies") or _touches(g, law)]
        if not touching:
            add_term(outside, monomial, coefficient)
            continue
        if len(monomial) > 1 or monomial[0][0] != "form":
            return None
        _, left, word, right = monomial[0]
        if left in law.views and right in law.views:
            for u, path, v in ((left, word, right), (right, word[::-1], left)):
                _add(quadratic.setdefault((u, v), {}), path, coefficient * half)
        elif left in law.views:
            linear.setdefault(left, []).append((right, word, coefficient))
        else:
            linear.setdefault(right, []).append((left, word[::-1], coefficient))

    # step[u, v] = 2 (S Q)_uv as words that start with the letter of S.
    step: dict[tuple[str, str], Matrix] = {}
    for (u, w), letter in law.covariances.items():
        for (w2, v), matrix in quadratic.items():
            if w == w2:
                for path, coefficient in matrix.items():
                    _add(step.setdefault((u, v), {}), (letter, *path), coefficient * two)

    terms = outside
    power: dict[tuple[str, str], Matrix] = {(u, u): {(): domain.one} for u in law.views}
    k = 0
    while any(power.values()):
        for (u, w), matrix in power.items():
            for (w2, v), letter in law.covariances.items():
                if w != w2:
                    continue
                for start, first, c1 in linear.get(u, ()):
                    for end, last, c2 in linear.get(v, ()):
                        for middle, c in matrix.items():
                            # first reads from the leg outwards; here it is read inwards.
                            made = open_word(start, (*first[::-1], *middle, letter, *last), end)
                            add_term(terms, (made,), half * c1 * c2 * c)
        power = _times(power, step, order)
        k += 1
        for u in law.views:
            for path, coefficient in power.get((u, u), {}).items():
                add_term(terms, (closed_word(path),), coefficient * domain.rational(1, 2 * k))
    return exponent.from_terms(terms)


def _about_the_means(exponent: Polynomial, law: GaussianLaw) -> Polynomial:
    """Replace u by m + u in every open word, after which u stands for the deviation from its mean m."""
    result = exponent.constant(exponent.domain.zero)
    for monomial, coefficient in exponent.terms():
        term = exponent.constant(coefficient)
        for generator in monomial:
            if _touches(generator, law):
                _, left, word, right = generator
                terms: Terms = {}
                for u in {left, law.means.get(left, left)}:
                    for v in {right, law.means.get(right, right)}:
                        add_term(terms, (open_word(u, word, v),), exponent.domain.one)
                term = term * exponent.from_terms(terms)
            else:
                term = term * exponent.from_generator(generator)
        result = result + term
    return result


def _touches(generator: tuple, law: GaussianLaw) -> bool:
    return generator[0] == "form" and (generator[1] in law.views or generator[3] in law.views)


def _add(matrix: Matrix, path: tuple[str, ...], coefficient: Any) -> None:
    total = matrix.get(path, 0) + coefficient
    if total:
        matrix[path] = total
    else:
        matrix.pop(path, None)


def _times(
    power: dict[tuple[str, str], Matrix], step: dict[tuple[str, str], Matrix], order: int
) -> dict[tuple[str, str], Matrix]:
    result: dict[tuple[str, str], Matrix] = {}
    for (u, w), left in power.items():
        for (w2, v), right in step.items():
            if w != w2:
                continue
            target = result.setdefault((u, v), {})
            for path_a, coefficient_a in left.items():
                for path_b, coefficient_b in right.items():
                    if 2 * (len(path_a) + len(path_b)) <= order:
                        _add(target, path_a + path_b, coefficient_a * coefficient_b)
    return result
