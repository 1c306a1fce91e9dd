"""Population losses at d1 = 1 and 2 to 30 digits, by quadrature of power series: no contraction, no cumulant, no SymPy.

Notation. W is scaled to t W, so that every inner product of representations is a multiple of s = t^2. At fixed values of
the representations a loss is a function of s; `Jet` is its power series. The coefficient of s^k is a polynomial of degree
2k in the representations, and these are Gaussian, so Gauss-Hermite quadrature with k + 1 nodes per dimension averages it
without error. An expectation inside a logarithm is averaged first, in the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations_with_replacement, product
from math import factorial, prod
from typing import Any, NamedTuple

import mpmath

mp = mpmath.MPContext()
mp.dps = 30

Point = tuple[Any, ...]


class Jet:
    """A power series in s, truncated: ``Jet([a0, a1, a2])`` is a0 + a1 s + a2 s^2. Numbers mix with jets."""

    __slots__ = ("c",)

    def __init__(self, coefficients: Iterable[Any]):
        self.c = list(coefficients)

    def __add__(self, other: Any) -> Jet:
        if isinstance(other, Jet):
            return Jet(a + b for a, b in zip(self.c, other.c, strict=True))
        return Jet([self.c[0] + other, *self.c[1:]])

    def __mul__(self, other: Any) -> Jet:
        if not isinstance(other, Jet):
            return Jet(other * a for a in self.c)
        return Jet(sum(self.c[j] * other.c[k - j] for j in range(k + 1)) for k in range(len(self.c)))

    __radd__, __rmul__ = __add__, __mul__

    def exp(self) -> Jet:
        """Return exp of the series: k e_k = sum_j j a_j e_{k-j}, from e' = a' e."""
        e = [mp.exp(self.c[0])]
        for k in range(1, len(self.c)):
            e.append(sum(j * self.c[j] * e[k - j] for j in range(1, k + 1)) / k)
        return Jet(e)

    def log(self) -> Jet:
        """Return log of the series: k a_0 l_k = k a_k - sum_{j<k} j l_j a_{k-j}, from a l' = a'."""
        found = [mp.log(self.c[0])]
        for k in range(1, len(self.c)):
            found.append((self.c[k] - sum(j * found[j] * self.c[k - j] for j in range(1, k)) / k) / self.c[0])
        return Jet(found)

    def inverse_root(self) -> Jet:
        """Return the series to the power -1/2."""
        return (self.log() * mp.mpf(-0.5)).exp()


def average(weighted: Iterable[tuple[Any, Jet]]) -> Jet:
    """Return the sum of weight times jet."""
    first, *rest = (jet * weight for weight, jet in weighted)
    return sum(rest, first)


# Gaussian views


class Component(NamedTuple):
    """A Gaussian class of data: covariances of the representation, P of one view and M of two, and its mean."""

    weight: Any
    P: Any
    M: Any
    mean: Point


class Views:
    """Quadrature nodes of the representations of views, exact for polynomials of degree 2 * ``nodes`` - 1 in each."""

    def __init__(self, components: Sequence[Component], nodes: int):
        grid = gauss_hermite(nodes)
        self.pairs, self.singles = [], []
        for component in components:
            weight_of_class, P, M, mean = component
            for weight, z in gaussian_nodes(two_by_two(P, M), grid):
                x, xp = shifted(z[: len(mean)], mean), shifted(z[len(mean) :], mean)
                self.pairs.append((weight_of_class * weight, x, xp))
            for weight, z in gaussian_nodes(P, grid):
                self.singles.append((weight_of_class * weight, shifted(z, mean)))


def two_by_two(P: Any, M: Any) -> Any:
    """Return the covariance of two views of one datum, [[P, M], [M, P]]."""
    d = P.rows
    joint = mp.matrix(2 * d, 2 * d)
    for i, j in product(range(d), repeat=2):
        joint[i, j] = joint[d + i, d + j] = P[i, j]
        joint[i, d + j] = joint[d + i, j] = M[i, j]
    return joint


def shifted(z: Point, mean: Point) -> Point:
    """Return the sum of two points."""
    return tuple(a + b for a, b in zip(z, mean, strict=True))


def gauss_hermite(nodes: int) -> list[tuple[Any, Any]]:
    """Return (weight, node) of the rule for N(0, 1): eigenvalues of the Jacobi matrix of the Hermite polynomials."""
    jacobi = mp.matrix(nodes, nodes)
    for k in range(1, nodes):
        jacobi[k, k - 1] = jacobi[k - 1, k] = mp.sqrt(k)
    values, vectors = mp.eigsy(jacobi)
    return [(vectors[0, k] ** 2, values[k]) for k in range(nodes)]


def gaussian_nodes(covariance: Any, grid: list[tuple[Any, Any]]) -> Iterator[tuple[Any, Point]]:
    """Yield (weight, point) of the product rule for N(0, covariance)."""
    factor = mp.cholesky(covariance)
    for rows in product(grid, repeat=covariance.rows):
        z = factor * mp.matrix([node for _, node in rows])
        yield prod(weight for weight, _ in rows), tuple(z)


def inner(u: Point, v: Point) -> Any:
    """Return the inner product of two points."""
    return sum(a * b for a, b in zip(u, v, strict=True))


# Losses with expectations: components of the data and an order in W to the coefficients of s^0, ..., s^(order/2)


def logit(u: Point, v: Point, order: int, tau: Any, similarity: str) -> Jet:
    """Return s * (similarity of u and v) / tau."""
    value = inner(u, v)
    if similarity == "euclidean":
        value = value - (inner(u, u) + inner(v, v)) / 2
    return Jet([mp.zero, value / tau] + [mp.zero] * (order // 2 - 1))


def infonce(components: Sequence[Component], order: int, tau: Any = 1, similarity: str = "euclidean") -> list[Any]:
    """Return -E logit(x, x') + E_x log E_chi e^{logit(x, chi)}."""
    views = Views(components, order // 2 + 1)

    def log_mean(x: Point) -> Jet:
        return average((w, logit(x, chi, order, tau, similarity).exp()) for w, chi in views.singles).log()

    align = average((-w, logit(x, xp, order, tau, similarity)) for w, x, xp in views.pairs)
    return (align + average((w, log_mean(x)) for w, x in views.singles)).c


def finite_infonce(
    components: Sequence[Component], order: int, n: int, tau: Any = 1, similarity: str = "euclidean"
) -> list[Any]:
    """Return E log( (e^{logit(x, x')} + sum_j e^{logit(x, chi_j)}) / (n + 1) ) - E logit(x, x'), n negatives."""
    views = Views(components, order // 2 + 1)
    batches = []  # negatives are exchangeable: unordered draws, with the number of their orders
    for draw in combinations_with_replacement(range(len(views.singles)), n):
        orders = factorial(n) // prod(factorial(k) for k in Counter(draw).values())
        batches.append((orders * prod(views.singles[j][0] for j in draw), draw))

    def given(x: Point, xp: Point) -> Jet:
        own = logit(x, xp, order, tau, similarity)
        others = [logit(x, chi, order, tau, similarity).exp() for _, chi in views.singles]
        share = own.exp()
        logs = average((w, (sum((others[j] for j in draw), share) * (mp.one / (n + 1))).log()) for w, draw in batches)
        return logs + own * -1

    return average((w, given(x, xp)) for w, x, xp in views.pairs).c


def ntxent(components: Sequence[Component], order: int, tau: Any, epsilon: Any) -> list[Any]:
    """Return -E c(x, x')/tau + E_x log E_chi e^{c(x, chi)/tau}, c(u, v) the dot product of f / sqrt(|f|^2 + epsilon)."""
    views = Views(components, order // 2 + 1)

    def series(constant: Any, linear: Any) -> Jet:
        return Jet([mp.mpf(constant), linear] + [mp.zero] * (order // 2 - 1))

    def root(u: Point) -> Jet:
        return series(epsilon, inner(u, u)).inverse_root()

    roots = {u: root(u) for _, u in views.singles}
    align = average((-w, series(0, inner(x, xp) / tau) * root(x) * root(xp)) for w, x, xp in views.pairs)

    def log_mean(x: Point) -> Jet:
        cosines = ((w, series(0, inner(x, chi) / tau) * roots[x] * roots[chi]) for w, chi in views.singles)
        return average((w, cosine.exp()) for w, cosine in cosines).log()

    return (align + average((w, log_mean(x)) for w, x in views.singles)).c


def spectral(components: Sequence[Component], order: int) -> list[Any]:
    """Return -2 E f(x).f(x') + E (f(x).f(chi))^2."""
    views = Views(components, order // 2 + 1)
    align = sum(-2 * w * inner(x, xp) for w, x, xp in views.pairs)
    spread = sum(w * v * inner(x, chi) ** 2 for w, x in views.singles for v, chi in views.singles)
    return [mp.zero, align, spread, *[mp.zero] * (order // 2 - 2)]


# Losses that are functions of P and M


def taylor(loss_at: Callable[[Any], Any], order: int) -> list[Any]:
    """Return the Taylor coefficients in s, by differentiation at raised precision."""
    return mp.taylor(loss_at, 0, order // 2)


def barlow_twins(component: Component, order: int, lambda_: Any, epsilon: Any = None) -> list[Any]:
    """Return sum_i (1 - K_ii)^2 + lambda sum_{i != j} K_ij^2, K = M or M_ij / sqrt((P_ii + epsilon)(P_jj + epsilon))."""
    _, P, M, mean = component
    outputs = range(len(mean))

    def at(s: Any) -> Any:
        scale = [mp.one if epsilon is None else mp.sqrt(s * P[i, i] + epsilon) for i in outputs]
        K = {(i, j): s * M[i, j] / (scale[i] * scale[j]) for i in outputs for j in outputs}
        return sum((1 - K[i, j]) ** 2 if i == j else lambda_ * K[i, j] ** 2 for i, j in K)

    return taylor(at, order)


def vicreg(component: Component, order: int, lambda_: Any, mu: Any, nu: Any, epsilon: Any) -> list[Any]:
    """Return VICReg with the constants of the official code, hinges active."""
    _, P, M, mean = component
    d = len(mean)

    def at(s: Any) -> Any:
        invariance = sum(2 * s * (P[i, i] - M[i, i]) for i in range(d))
        hinges = sum(1 - mp.sqrt(s * P[j, j] + epsilon) for j in range(d))
        covariances = sum((s * P[i, j]) ** 2 for i in range(d) for j in range(d) if i != j)
        return (lambda_ * invariance + mu * hinges + 2 * nu * covariances) / d

    return taylor(at, order)


# Whole losses at one s and d1 = 1, by adaptive quadrature: no series at all


def gaussian_integral(integrand: Callable[[Any], Any], variance: Any) -> Any:
    """Return E integrand(z) for z ~ N(0, variance), by Gauss-Legendre quadrature out to nine deviations."""
    ends = [-9, -4, 0, 4, 9]
    scale, norm = mp.sqrt(variance), mp.sqrt(2 * mp.pi)
    return mp.quad(
        lambda z: mp.exp(-z * z / 2) / norm * integrand(scale * z), ends, method="gauss-legendre", maxdegree=3
    )


def infonce_at(s: Any, P: Any, M: Any, tau: Any) -> Any:
    """Return Euclidean InfoNCE, n = oo and d1 = 1, at variance s P and covariance s M."""
    P, M = s * P, s * M

    def log_mean(x: Any) -> Any:
        return mp.log(gaussian_integral(lambda chi: mp.exp(-((x - chi) ** 2) / (2 * tau)), P))

    return (P - M) / tau + gaussian_integral(log_mean, P)


def finite_infonce_at(s: Any, P: Any, M: Any, tau: Any) -> Any:
    """Return Euclidean InfoNCE, n = 1 and d1 = 1: it needs only a = f(x') - f(x) and b = f(chi) - f(x)."""
    P, M = s * P, s * M
    variance_a, covariance = 2 * (P - M), P - M
    slope = covariance / variance_a

    def given(a: Any) -> Any:
        def log_share(z: Any) -> Any:
            return mp.log((1 + mp.exp((a * a - (slope * a + z) ** 2) / (2 * tau))) / 2)

        return gaussian_integral(log_share, 2 * P - slope * covariance)

    return gaussian_integral(given, variance_a)


def ntxent_at(s: Any, P: Any, M: Any, tau: Any, epsilon: Any) -> Any:
    """Return smooth NT-Xent at d1 = 1."""
    P, M = s * P, s * M

    def unit(u: Any) -> Any:
        return u / mp.sqrt(u * u + epsilon)

    def log_mean(x: Any) -> Any:
        return mp.log(gaussian_integral(lambda chi: mp.exp(unit(x) * unit(chi) / tau), P))

    def align(x: Any) -> Any:
        return unit(x) * gaussian_integral(lambda z: unit(M / P * x + z), P - M * M / P)

    return gaussian_integral(lambda x: log_mean(x) - align(x) / tau, P)
