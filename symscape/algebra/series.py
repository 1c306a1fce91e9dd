"""Functions of a polynomial u without constant term, as power series truncated at the order of u.

The three recurrences come from the Euler operator D, which multiplies the part of degree k by k and is a derivation:
y = exp(u) gives D y = y D u;  y = log(1 + u) gives (1 + u) D y = D u;  y = (1 + u)^p gives (1 + u) D y = p y D u.
Each costs one product per pair of degrees, where summing powers of u would cost a product per power and pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symscape.algebra.polynomial import Polynomial, Terms, add_term, multiply_terms


def _check(u: Polynomial) -> list[int]:
    if 0 in u.parts:
        raise ValueError("the series needs a polynomial without constant term")
    return sorted(u.parts)


def _accumulate(target: Terms, terms: Terms, factor: Any) -> None:
    for monomial, coefficient in terms.items():
        add_term(target, monomial, coefficient * factor)


def exponential(u: Polynomial) -> Polynomial:
    """Return exp(u)."""
    degrees, domain = _check(u), u.domain
    parts: dict[int, Terms] = {0: {(): domain.one}}
    for n in range(1, u.order + 1):
        part: Terms = {}
        for k in degrees:
            if k <= n and parts.get(n - k):
                product: Terms = {}
                multiply_terms(u.parts[k], parts[n - k], product)
                _accumulate(part, product, domain.rational(k, n))
        parts[n] = part
    return Polynomial(domain, u.order, parts)


def logarithm(u: Polynomial) -> Polynomial:
    """Return log(1 + u)."""
    return _log_or_power(u, None)


def binomial(u: Polynomial, exponent: Any) -> Polynomial:
    """Return (1 + u)^exponent for an exponent of the coefficient ring."""
    return _log_or_power(u, exponent)


def _log_or_power(u: Polynomial, exponent: Any | None) -> Polynomial:
    degrees, domain = _check(u), u.domain
    parts: dict[int, Terms] = {} if exponent is None else {0: {(): domain.one}}
    for n in range(1, u.order + 1):
        part: Terms = {}
        if exponent is None:
            _accumulate(part, u.parts.get(n, {}), domain.one)
        for k in degrees:
            if k > n or not parts.get(n - k):
                continue
            product: Terms = {}
            multiply_terms(u.parts[k], parts[n - k], product)
            # n y_n = [k p] u_k y_{n-k} - (n - k) u_k y_{n-k}; the log has D u in place of p y D u.
            factor = domain.rational(k - n, n)
            _accumulate(part, product, factor if exponent is None else factor + exponent * domain.rational(k, n))
        parts[n] = part
    return Polynomial(domain, u.order, parts)


def compose(coefficients: Sequence[Any], u: Polynomial) -> Polynomial:
    """Return the sum of ``coefficients[k] * u**k``."""
    _check(u)
    result = u.constant(u.domain.zero)
    for coefficient in reversed(coefficients):
        result = result * u + u.constant(coefficient)
    return result
