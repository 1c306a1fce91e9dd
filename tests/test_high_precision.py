"""Landscapes against the population losses of `population`, which knows no contraction: Taylor coefficients of L(tW)."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import population
import pytest
import sympy as sp
from population import Component, mp

import symscape as ss
from symscape.programs.landscape_function import LandscapeFunction
from symscape.typesetting.symbols import Meaning

n = sp.Symbol("n", positive=True, integer=True)
tau = sp.Symbol("tau", positive=True)
TAU, EPSILON, LAMBDA = 0.75, 1.25, 0.375
NONE: Mapping[str, Any] = MappingProxyType({})


class Data(NamedTuple):
    """A weight matrix with features of three coordinates, for the engine and for the population loss."""

    W: Any
    A0: Any
    Sigma: Any
    mean: Any
    b: Any

    def component(self, weight: float = 1, mean: bool = False, bias: bool = False) -> Component:
        """Return the moments of the representation, about its mean, to 30 digits."""
        W, A0, Sigma = (mp.matrix(a.tolist()) for a in (self.W, self.A0, self.Sigma))
        shift = self.mean * mean, self.b * bias
        m, b = (mp.matrix(a.tolist()) for a in shift)
        return Component(mp.mpf(weight), W * Sigma * W.T, W * A0 * W.T, tuple(W * m + b))


def random_data(d1: int, seed: int) -> Data:
    rng = np.random.default_rng(seed)
    root, noise = rng.normal(size=(2, 3, 3)) / 2
    A0 = root @ root.T
    return Data(rng.normal(size=(d1, 3)), A0, A0 + noise @ noise.T, rng.normal(size=3) / 2, rng.normal(size=d1) / 2)


def assert_taylor_coefficients(
    parts: dict[int, Callable], expected: list[Any], data: Data, classes: Mapping[str, Any] = NONE, **given: Any
) -> None:
    """Assert that the homogeneous parts of a landscape are the Taylor coefficients of L(tW), to 1e-13 of each."""
    for k, coefficient in enumerate(expected):
        part = parts[2 * k]
        of_classes = {key: classes[key] for key in (*part.letters, *part.vectors) if key in classes}
        value = part(data.W, A0=data.A0, Sigma=data.Sigma, **of_classes, **given)
        gap, size = abs(value - coefficient), abs(coefficient)
        assert gap <= 1e-13 * size + 1e-26, f"degree {2 * k}: {value!r} for {mp.nstr(coefficient, 17)}"


def homogeneous_parts(land: ss.Landscape) -> dict[int, Callable]:
    return {k: land.part(k).numpy() for k in range(0, land.order + 1, 2)}


def with_planted_error(land: ss.Landscape, index: int) -> dict[int, Callable]:
    """Return the homogeneous parts of a mean-zero landscape, one coefficient of them 2 % too large."""
    planted = land.terms[index][0]
    parts = {}
    for k in range(0, land.order + 1, 2):
        terms = [(m, c * sp.Rational(51, 50) if m == planted else c) for m, c in land.part(k).terms]
        parts[k] = LandscapeFunction("planted", terms, Meaning())
    return parts


# Every loss of the catalogue, mean zero


class Case(NamedTuple):
    """A loss, its Taylor coefficients for data and an order, and the orders and output dimensions to be tested."""

    loss: ss.Loss
    population: Callable
    order: int
    d1: tuple[int, ...] = (1, 2)
    parameters: Mapping[str, float] = NONE


def of_data(loss: Callable, **settings: Any) -> Callable:
    return lambda data, order: loss([data.component()], order, **settings)


def of_moments(loss: Callable, **settings: Any) -> Callable:
    return lambda data, order: loss(data.component(), order, **settings)


CASES = {
    "infonce": Case(ss.InfoNCE(tau=TAU), of_data(population.infonce, tau=TAU), 8),
    "infonce-dot": Case(
        ss.InfoNCE(tau=TAU, similarity="dot"), of_data(population.infonce, tau=TAU, similarity="dot"), 8
    ),
    "ntxent": Case(ss.NTXent(tau=TAU, epsilon=EPSILON), of_data(population.ntxent, tau=TAU, epsilon=EPSILON), 6),
    "spectral": Case(ss.SpectralContrastive(), of_data(population.spectral), 4),
    "barlow-raw": Case(ss.BarlowTwins(lambda_=LAMBDA), of_moments(population.barlow_twins, lambda_=LAMBDA), 4),
    "barlow-normalised": Case(
        ss.BarlowTwins(lambda_=LAMBDA, epsilon=EPSILON),
        of_moments(population.barlow_twins, lambda_=LAMBDA, epsilon=EPSILON),
        4,
    ),
    "vicreg": Case(
        ss.VICReg(lambda_=5, mu=3, nu=2, epsilon=0.25),
        of_moments(population.vicreg, lambda_=5, mu=3, nu=2, epsilon=0.25),
        4,
    ),
}


def finitely_many_negatives(similarity: str) -> dict[str, Case]:
    """Return cases for n = 1, 2, 3, and at order 4 again with n and tau symbols that are given numbers last."""
    cases = {}
    symbolic = ss.InfoNCE(tau=tau, n=n, similarity=similarity)
    orders = [(1, 4, (1, 2)), (2, 4, (1, 2)), (3, 4, (1, 2)), (1, 6, (2,)), (2, 6, (1, 2)), (1, 8, (1,))]
    for number, order, d1 in orders:
        exact = of_data(population.finite_infonce, n=number, tau=TAU, similarity=similarity)
        integer = ss.InfoNCE(tau=TAU, n=number, similarity=similarity)
        cases[f"infonce-{similarity}-{number}-order-{order}"] = Case(integer, exact, order, d1)
        if order == 4:
            cases[f"infonce-{similarity}-n-at-{number}"] = Case(symbolic, exact, 4, d1, {"n": number, "tau": TAU})
    return cases


CASES |= finitely_many_negatives("euclidean") | finitely_many_negatives("dot")
WITH_D1 = [(name, d1) for name, case in CASES.items() for d1 in case.d1]


@lru_cache
def coefficients_of(population_loss: Callable, d1: int, order: int) -> list[Any]:
    return population_loss(random_data(d1, seed=d1), order)


@pytest.mark.parametrize(("name", "d1"), WITH_D1)
def test_each_part_of_a_landscape_is_a_taylor_coefficient_of_the_population_loss(name, d1):
    """T1, X3: the part of degree 2k is the coefficient of t^2k in L(tW), whatever order was asked for."""
    case, data = CASES[name], random_data(d1, seed=d1)
    expected = coefficients_of(case.population, d1, case.order)
    for order in range(2, case.order + 1, 2):
        parts = homogeneous_parts(ss.landscape(case.loss, order))
        assert_taylor_coefficients(parts, expected[: order // 2 + 1], data, params=case.parameters)


@pytest.mark.parametrize(("name", "d1"), WITH_D1)
def test_two_percent_off_in_any_one_coefficient_is_caught(name, d1):
    """The comparison above sees every term of every landscape, at either number of outputs."""
    case, data = CASES[name], random_data(d1, seed=d1)
    expected = coefficients_of(case.population, d1, case.order)
    land = ss.landscape(case.loss, case.order)
    for index in range(len(land.terms)):
        with pytest.raises(AssertionError):
            assert_taylor_coefficients(with_planted_error(land, index), expected, data, params=case.parameters)


# Data with a mean, a bias, classes


NOT_SHIFT_INVARIANT = {
    "infonce-dot": (ss.InfoNCE(tau=TAU, similarity="dot"), partial(population.infonce, tau=TAU, similarity="dot")),
    "infonce-dot-1": (
        ss.InfoNCE(tau=TAU, n=1, similarity="dot"),
        partial(population.finite_infonce, n=1, tau=TAU, similarity="dot"),
    ),
    "ntxent": (ss.NTXent(tau=TAU, epsilon=EPSILON), partial(population.ntxent, tau=TAU, epsilon=EPSILON)),
    "spectral": (ss.SpectralContrastive(), population.spectral),
}
OF_CLASSES = {
    **NOT_SHIFT_INVARIANT,
    "infonce": (ss.InfoNCE(tau=TAU), partial(population.infonce, tau=TAU)),
    "infonce-2": (ss.InfoNCE(tau=TAU, n=2), partial(population.finite_infonce, n=2, tau=TAU)),
}


def about_zero(data: Data, mean: bool, bias: bool) -> tuple[Data, dict[str, Any]]:
    """Return the data with second moments about zero, and the mean and the bias that they have."""
    outer = np.outer(data.mean, data.mean) * mean
    vectors = ({"mean": data.mean} if mean else {}) | ({"b": data.b} if bias else {})
    return data._replace(A0=data.A0 + outer, Sigma=data.Sigma + outer), vectors


@pytest.mark.parametrize("name", NOT_SHIFT_INVARIANT)
@pytest.mark.parametrize(("mean", "bias"), [(True, False), (False, True), (True, True)])
def test_a_mean_and_a_bias_shift_the_representation(name, mean, bias):
    """T8: the representation has mean W mean + b; Sigma and A_0 are second moments, not about the mean."""
    loss, exact = NOT_SHIFT_INVARIANT[name]
    data = random_data(2, seed=8)
    expected = exact([data.component(mean=mean, bias=bias)], 4)
    parts = homogeneous_parts(ss.landscape(loss, 4, data=ss.GaussianViews(mean=mean), bias=bias))
    moments, vectors = about_zero(data, mean, bias)
    assert_taylor_coefficients(parts, expected, moments, **vectors)
    moments, vectors = about_zero(data._replace(mean=1.02 * data.mean, b=1.02 * data.b), mean, bias)
    with pytest.raises(AssertionError):
        assert_taylor_coefficients(parts, expected, moments, **vectors)


@pytest.mark.parametrize("name", OF_CLASSES)
def test_both_views_of_a_datum_share_its_class_and_a_negative_draws_its_own(name):
    """T10: the landscape of a mixture, from covariances and means of its classes."""
    loss, exact = OF_CLASSES[name]
    one, two = random_data(2, seed=10), random_data(2, seed=11)
    two = two._replace(W=one.W)
    expected = exact([one.component(0.25, mean=True), two.component(0.75, mean=True)], 4)
    parts = homogeneous_parts(ss.landscape(loss, 4, data=ss.MixtureViews(2, (sp.Rational(1, 4), sp.Rational(3, 4)))))
    classes = {"A_1": one.A0, "Sigma_1": one.Sigma, "A_2": two.A0, "Sigma_2": two.Sigma}
    classes |= {"m_1": one.mean, "m_2": two.mean}
    assert_taylor_coefficients(parts, expected, one, classes)
    for key, value in classes.items():
        with pytest.raises(AssertionError):
            assert_taylor_coefficients(parts, expected, one, classes | {key: 1.02 * value})


# Series against whole losses


def assert_remainder_is_of_degree(degree: int, at: Callable, series: list[Any]) -> None:
    """Assert that L(tW) minus its series to below t^degree falls by 2^(degree/2) when t^2 is halved."""
    large, small = (at(s) - mp.polyval(series[degree // 2 - 1 :: -1], s) for s in (mp.mpf(1) / 128, mp.mpf(1) / 256))
    assert abs(mp.log(large / small, 2) - degree / 2) < 0.1


@pytest.mark.parametrize(
    ("at", "series", "degree"),
    [
        (population.infonce_at, population.infonce, 6),
        (population.infonce_at, population.infonce, 8),
        (population.finite_infonce_at, partial(population.finite_infonce, n=1), 4),
        (population.finite_infonce_at, partial(population.finite_infonce, n=1), 8),
        (partial(population.ntxent_at, epsilon=EPSILON), partial(population.ntxent, epsilon=EPSILON), 6),
    ],
)
def test_quadrature_of_jets_is_the_series_of_the_loss_integrated_whole(at, series, degree):
    """The witness's own witness: adaptive quadrature of the loss at two small t, with no series in it."""
    P, M = mp.mpf(1.25), mp.mpf(0.5)
    coefficients = series([Component(mp.one, mp.matrix([P]), mp.matrix([M]), (mp.zero,))], degree, tau=TAU)
    whole = lru_cache(partial(at, P=P, M=M, tau=TAU))
    assert_remainder_is_of_degree(degree, whole, coefficients)
    for k in range(1, degree // 2):
        if abs(coefficients[k]) > 1e-25:
            planted = [c * (1.02 if j == k else 1) for j, c in enumerate(coefficients)]
            with pytest.raises(AssertionError):
                assert_remainder_is_of_degree(degree, whole, planted)


# InfoNCE at order 20, exactly


def infonce_in_closed_form(order: int) -> dict[tuple, sp.Expr]:
    """Return the terms of Euclidean InfoNCE with Gaussian views from its closed form, a function g of eigenvalues of P.

    For chi ~ N(0, P), completing the square gives

        E_chi e^{-|f - chi|^2/2tau} = det(1 + P/tau)^{-1/2} e^{-f^T (tau + P)^{-1} f / 2}.

    Its logarithm is quadratic in f, so that averaging over f ~ N(0, P) needs E f f^T = P only; with
    E|f(x) - f(x')|^2 / 2tau = Tr(P - M)/tau for the positives,

        L = -Tr M/tau + Tr g(P/tau),   g(q) = q - (1/2) log(1 + q) - (1/2) q/(1 + q).
    """
    q = sp.Symbol("q")
    g = sp.series(q - sp.log(1 + q) / 2 - q / (1 + q) / 2, q, 0, order // 2 + 1).removeO()
    terms = {(("tr", ("Sigma",) * k),): g.coeff(q, k) / tau**k for k in range(1, order // 2 + 1)}
    return {(("tr", ("A_0",)),): -1 / tau} | {m: c for m, c in terms.items() if c != 0}


def assert_same_terms(land: ss.Landscape, expected: dict[tuple, sp.Expr]) -> None:
    found = dict(land.terms)
    assert found.keys() == expected.keys()
    assert all(sp.cancel(found[m] - expected[m]) == 0 for m in found)


def test_infonce_at_order_20_is_the_series_of_its_closed_form():
    """X1: with the negatives integrated by hand, Tr P^k has the coefficient (-1)^k (1 + 1/k) / (2 tau^k), Tr P none."""
    land = ss.landscape(ss.InfoNCE(tau=tau), order=20)
    expected = infonce_in_closed_form(20)
    assert_same_terms(land, expected)
    assert [expected[(("tr", ("Sigma",) * k),)] * tau**k for k in range(2, 11)] == [
        sp.Rational((-1) ** k * (k + 1), 2 * k) for k in range(2, 11)
    ]
    for monomial in expected:
        with pytest.raises(AssertionError):
            assert_same_terms(land, expected | {monomial: expected[monomial] * sp.Rational(51, 50)})


# Many negatives


def limit_of_many_negatives(land: ss.Landscape) -> dict[tuple, sp.Expr]:
    limits = {m: sp.limit(c, n, sp.oo) for m, c in land.terms}
    return {m: c for m, c in limits.items() if c != 0}


@pytest.mark.parametrize("similarity", ["euclidean", "dot"])
def test_many_negatives_give_the_population_limit(similarity):
    """X3: as n grows, the landscape with n a symbol becomes the one for n = oo."""
    finite = ss.landscape(ss.InfoNCE(tau=tau, n=n, similarity=similarity), order=6)
    limits = limit_of_many_negatives(finite)
    assert_same_terms(ss.landscape(ss.InfoNCE(tau=tau, similarity=similarity), order=6), limits)
    with pytest.raises(AssertionError):
        planted = ss.landscape(ss.InfoNCE(tau=tau * sp.Rational(51, 50), similarity=similarity), order=6)
        assert_same_terms(planted, limits)
