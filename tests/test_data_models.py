"""Means, biases, mixtures and cumulants: what each data model adds, against exact finite sums and quadrature.

`Law` is a distribution of (phi(x), phi(x')) with finite support: a discrete one, or the nodes and weights of a Gauss-Hermite
rule, which averages the polynomials met here without error. On it L(tW) is a finite sum for every t, and its power
series in s = t^2 to s^2, an array of shape (3, ...), is exact.
"""

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from catalogue_cases import LOSSES, cumulant_terms, every_loss
from differences import assert_gradient

import symscape as ss

# Laws with finite support


class Law(NamedTuple):
    """Probabilities, and the features of both views, N x d0; the two views may be swapped."""

    p: np.ndarray
    x: np.ndarray
    xp: np.ndarray

    @property
    def moments(self) -> dict[str, np.ndarray]:
        """A_0, Sigma and the mean."""
        cross = np.einsum("n,na,nb->ab", self.p, self.x, self.xp)
        return {"A0": cross, "Sigma": np.einsum("n,na,nb->ab", self.p, self.x, self.x), "mean": self.p @ self.x}


def discrete_law(d0: int, centred: bool, seed: int = 0) -> Law:
    """Return a skewed law: x = s + z with independent z given s, four values of s with two of z each."""
    rng = np.random.default_rng(seed)
    s, z = rng.normal(size=(4, d0)), rng.normal(size=(4, 2, d0)) / 2
    ps, pz = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(2), size=4)
    places = list(product(range(4), range(2), range(2)))
    p = np.array([ps[a] * pz[a, b] * pz[a, c] for a, b, c in places])
    x, xp = (np.array([s[place[0]] + z[place[0], place[view]] for place in places]) for view in (1, 2))
    return Law(p, x - p @ x, xp - p @ x) if centred else Law(p, x, xp)


def mixture_law(weights: list[float], classes: list[dict[str, float]]) -> Law:
    """Return a mixture of Gaussians at d0 = 1 as a Gauss-Hermite rule that is exact up to degree 13 in x and in x'."""
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(7)
    y, w = np.array(list(product(nodes, nodes))), np.prod(list(product(node_weights, node_weights)), axis=1)
    p, views = [], []
    for weight, c in zip(weights, classes, strict=True):
        root = np.linalg.cholesky([[c["Sigma"], c["A"]], [c["A"], c["Sigma"]]])
        p.append(weight * w / w.sum())
        views.append(c["m"] + y @ root.T)
    return Law(np.concatenate(p), *np.concatenate(views).T[:, :, None])


# Losses on such laws, as power series in s


def times(f, g):
    return np.stack([f[0] * g[0], f[0] * g[1] + f[1] * g[0], f[0] * g[2] + f[1] * g[1] + f[2] * g[0]])


def after(f, value, slope, curvature):
    """Return h(f) for a function with this value, slope and curvature at f[0]."""
    return np.stack([value, slope * f[1], slope * f[2] + curvature * f[1] ** 2 / 2])


def exponential(f):
    return after(f, *[np.exp(f[0])] * 3)


def logarithm(f):
    return after(f, np.log(f[0]), 1 / f[0], -1 / f[0] ** 2)


def inverse_root(f):
    return after(f, f[0] ** -0.5, -0.5 * f[0] ** -1.5, 0.75 * f[0] ** -2.5)


def linear(g):
    """Return the series g s."""
    return np.stack([0 * g, g, 0 * g])


def constant(shape, c):
    return np.stack([np.full(shape, float(c)), np.zeros(shape), np.zeros(shape)])


def similarity(kind: str, u, v):
    """Return the logit at tau = 0.75 as a series; u and v broadcast, outputs last."""
    if kind == "euclidean":
        return linear(-((u - v) ** 2).sum(-1) / 1.5)
    if kind == "dot":
        return linear((u * v).sum(-1) / 0.75)
    norms = [inverse_root(linear((f**2).sum(-1)) + constant(f.shape[:-1], 0.5)) for f in (u, v)]
    return times(linear((u * v).sum(-1)), times(*norms)) / 0.75


def many_negatives(kind: str, p, u, v):
    """-E s(u, v) + E_u log E_c e^{s(u, c)}."""
    partition = exponential(similarity(kind, u[:, None], u[None])) @ p
    return (logarithm(partition) - similarity(kind, u, v)) @ p


def few_negatives(kind: str, n: int, p, u, v):
    """E log(1 + sum_{j=1..n} e^{s(u, c_j) - s(u, v)}) - log(n + 1)."""
    ratios = exponential(similarity(kind, u[:, None], u[None]) - similarity(kind, u, v)[:, :, None])
    total = constant(ratios.shape[1:2] + (1,) * n, 1)
    for place in range(n):
        shape = [1] * n
        shape[place] = len(p)
        total = total + ratios.reshape(3, -1, *shape)
    result = logarithm(total)
    for _ in range(n + 1):
        result = np.moveaxis(result, 1, -1) @ p
    return result - constant((), np.log(n + 1))


def spectral(p, u, v):
    return np.array([0, -2 * p @ (u * v).sum(-1), p @ (u @ u.T) ** 2 @ p])


AS_SERIES = {
    "infonce": lambda *law: many_negatives("euclidean", *law),
    "infonce n=1": lambda *law: few_negatives("euclidean", 1, *law),
    "infonce n=2": lambda *law: few_negatives("euclidean", 2, *law),
    "infonce dot": lambda *law: many_negatives("dot", *law),
    "infonce dot n=2": lambda *law: few_negatives("dot", 2, *law),
    "ntxent": lambda *law: many_negatives("cosine", *law),
    "spectral": spectral,
}
every_contrastive_loss = pytest.mark.parametrize("name", AS_SERIES)


def assert_taylor_coefficients(name: str, land: ss.Landscape, law: Law, W: np.ndarray, **given) -> None:
    """Assert that the parts of a landscape are the coefficients of 1, t^2, t^4 in L(tW) on the law."""
    expected = AS_SERIES[name](law.p, law.x @ W.T, law.xp @ W.T)
    for degree, coefficient in zip((0, 2, 4), expected, strict=True):
        found = land.part(degree).numpy()(W, **given)
        assert abs(found - coefficient) <= 1e-11 * max(1, abs(coefficient)), f"{degree}: {found} for {coefficient}"


# Cumulants of a law


class FiniteCumulants:
    """Joint cumulants of a law with finite support, by their definition: what ``kappa=`` takes."""

    def __init__(self, law: Law):
        centre = law.moments["mean"]
        self.p, self.views = law.p, {"x": law.x - centre, "x'": law.xp - centre}

    def moment(self, *views: str) -> np.ndarray:
        letters = "abcd"[: len(views)]
        terms = ",".join("n" + letter for letter in letters)
        return np.einsum(f"n,{terms}->{letters}", self.p, *(self.views[view] for view in views))

    def value_and_gradient(self, pattern, W, end):
        """Contract with G = W^T W: K_abcd G_ab G_cd, or K_abc G_ab (W^T end)_c, with the derivatives by W and end."""
        G = W.T @ W
        if end is not None:
            K = self.moment(*pattern[0], pattern[1])
            left = np.einsum("abc,ab->c", K, G)
            slope = np.einsum("abc,c->ab", K, W.T @ end)
            return end @ W @ left, W @ (slope + slope.T) + np.outer(end, left), W @ left
        u, v, s, t = (*pattern[0], *pattern[1])
        K = self.moment(u, v, s, t)
        for (p, q), (r, o), places in (
            ((u, v), (s, t), "ab,cd"),
            ((u, s), (v, t), "ac,bd"),
            ((u, t), (v, s), "ad,bc"),
        ):
            K = K - np.einsum(f"{places}->abcd", self.moment(p, q), self.moment(r, o))
        slope = np.einsum("abcd,cd->ab", K, G) + np.einsum("cdab,cd->ab", K, G)
        return np.einsum("abcd,ab,cd->", K, G, G), W @ (slope + slope.T), None


class Scaled:
    """Cumulants times a factor: a planted error."""

    def __init__(self, kappa, factor: float):
        self.kappa, self.factor = kappa, factor

    def value_and_gradient(self, *arguments):
        return tuple(None if part is None else self.factor * part for part in self.kappa.value_and_gradient(*arguments))


def weights(d1: int, d0: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(d1, d0))


@every_contrastive_loss
@pytest.mark.parametrize("d1, d0", [(1, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("mean", [False, True])
def test_cumulants_make_order_four_exact_for_any_distribution(name, d1, d0, mean):
    """X4: with third and fourth cumulants the landscape is the Taylor series of L(tW) on a skewed discrete law."""
    law, W = discrete_law(d0, centred=not mean), weights(d1, d0)
    land, kappa = ss.landscape(LOSSES[name], data=ss.CumulantViews(mean=mean)), FiniteCumulants(law)
    given = law.moments if mean else {"A0": law.moments["A0"], "Sigma": law.moments["Sigma"]}
    assert_taylor_coefficients(name, land, law, W, **given, kappa=kappa)
    if cumulant_terms(land):
        with pytest.raises(AssertionError):
            assert_taylor_coefficients(name, land, law, W, **given, kappa=Scaled(kappa, 1.02))


@every_contrastive_loss
def test_a_bias_keeps_the_cumulants(name):
    """X4, T8: with f = W phi + b the landscape at (W, b) is that of the features (phi, 1), whose cumulants end at phi."""
    law, W, b = discrete_law(2, centred=False), weights(2, 2), np.array([0.4, -0.3])
    land = ss.landscape(LOSSES[name], data=ss.CumulantViews(mean=True), bias=True)
    extended = Law(law.p, *(np.column_stack([view, np.ones(len(view))]) for view in (law.x, law.xp)))
    expected = AS_SERIES[name](law.p, extended.x @ np.c_[W, b].T, extended.xp @ np.c_[W, b].T)
    found = land.numpy()(W, b=b, **law.moments, kappa=FiniteCumulants(law))
    assert np.isclose(found, expected.sum(), rtol=1e-11)


@pytest.mark.parametrize("name", ["infonce n=2", "ntxent"])
def test_cumulants_enter_the_gradient(name):
    """X4: value and gradient belong together when fourth and third cumulants are there, for W and for b."""
    law, W, b = discrete_law(2, centred=False), weights(2, 2), np.array([0.4, -0.3])
    given = {**law.moments, "kappa": FiniteCumulants(law)}
    f = ss.landscape(LOSSES[name], data=ss.CumulantViews(mean=True), bias=True).numpy()
    by_W, by_b = f.gradient(W, b=b, **given)
    assert_gradient(lambda V: f(V, b=b, **given), by_W, W)
    assert_gradient(lambda c: f(W, b=c, **given), by_b, b)
    with pytest.raises(AssertionError):
        assert_gradient(lambda V: f(V, b=b, **given), 1.02 * by_W, W)


def test_cumulants_of_rows_are_those_of_their_law():
    """X4: FourthCumulants on rows, each as often as its probability says, has the values and slopes of the law."""
    rng = np.random.default_rng(7)
    x, xp = rng.normal(size=(2, 5, 2)) ** 3
    law = Law(np.full(10, 0.1), np.concatenate([x, xp]), np.concatenate([xp, x]))
    rows, exact = ss.FourthCumulants({"x": law.x, "x'": law.xp}), FiniteCumulants(law)
    W, end = weights(2, 2), np.array([0.7, -0.2])
    xx, both, other = ("x", "x"), ("x", "x'"), ("x'", "x'")
    for pattern in ((xx, xx), (xx, both), (both, both), (xx, other)):
        for found, expected in zip(
            rows.value_and_gradient(pattern, W, None)[:2], exact.value_and_gradient(pattern, W, None)[:2], strict=True
        ):
            assert np.allclose(found, expected, rtol=1e-11)
    for pattern in ((xx, "x"), (xx, "x'"), (both, "x")):
        for found, expected in zip(
            rows.value_and_gradient(pattern, W, end), exact.value_and_gradient(pattern, W, end), strict=True
        ):
            assert np.allclose(found, expected, rtol=1e-11)


# Means


def random_moments(seed: int = 1, d0: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return covariances (cross, own) and a mean."""
    rng = np.random.default_rng(seed)
    root, noise = rng.normal(size=(2, d0, d0)) / 2
    return root @ root.T, root @ root.T + noise @ noise.T, rng.normal(size=d0)


def assert_ignores_the_mean(loss: ss.Loss) -> None:
    """Assert that a mean, and a bias, leave only the covariances in the landscape."""
    cross, own, mean = random_moments()
    W, outer = weights(2, 3), np.outer(mean, mean)
    plain = ss.landscape(loss).numpy()(W, A0=cross, Sigma=own)
    for bias in (False, True):
        given = {"b": np.array([0.6, -0.9])} if bias else {}
        f = ss.landscape(loss, data=ss.GaussianViews(mean=True), bias=bias).numpy()
        found = f(W, A0=cross + outer, Sigma=own + outer, mean=mean, **given)
        assert abs(found - plain) <= 1e-11 * abs(plain), f"bias={bias}: {found} for {plain}"


@pytest.mark.parametrize("name", ["infonce", "infonce n=1", "infonce n=2", "barlow twins normalised", "vicreg"])
def test_differences_and_covariances_ignore_a_mean(name):
    """T8: squared-Euclidean InfoNCE, centred Barlow Twins and VICReg see neither a mean nor a bias."""
    assert_ignores_the_mean(LOSSES[name])


@pytest.mark.parametrize("name", ["infonce dot", "infonce dot n=2", "ntxent", "spectral", "barlow twins"])
def test_inner_products_and_raw_moments_see_a_mean(name):
    """T8: dot products, cosines, the spectral loss and raw Barlow Twins do not ignore it."""
    with pytest.raises(AssertionError):
        assert_ignores_the_mean(LOSSES[name])


@every_loss
def test_the_origin_is_stationary_with_a_mean_and_a_bias(name):
    """T2: at (W, b) = 0 the gradient vanishes, mean or no mean."""
    cross, own, mean = random_moments()
    f = ss.landscape(LOSSES[name], data=ss.GaussianViews(mean=True), bias=True).numpy()
    given = {"A0": cross + np.outer(mean, mean), "Sigma": own + np.outer(mean, mean), "mean": mean}
    slopes = f.gradient(np.zeros((2, 3)), b=np.zeros(2), **given)
    assert not any(np.any(slope) for slope in slopes)


def test_the_spectral_loss_needs_second_moments_only():
    """T1, T8: -2 Tr M + Tr P^2 in second moments, with a mean or without, exact and free of any distribution."""
    plain = ss.landscape(ss.SpectralContrastive())
    for data in (ss.GaussianViews(mean=True), ss.CumulantViews(), ss.CumulantViews(mean=True)):
        land = ss.landscape(ss.SpectralContrastive(), data=data)
        assert land.expr == plain.expr
        assert land.is_exact and land.distribution_free_order == float("inf")
        assert not cumulant_terms(land)


def assert_text_of(land: ss.Landscape, expected: str) -> None:
    assert str(land).split(" + O(")[0] == expected


def test_text_means_what_it_says():
    """P is W Sigma W^T, a second moment: where a mean is taken off, the text says so; where it is not, it does not."""
    data = ss.GaussianViews(mean=True)
    assert_text_of(ss.landscape(ss.SpectralContrastive(), data=data), "-2 Tr M + Tr P²")
    for loss in (ss.InfoNCE(), ss.VICReg(), ss.BarlowTwins(epsilon=1)):
        with pytest.raises(AssertionError):
            assert_text_of(ss.landscape(loss, data=data), str(ss.landscape(loss)).split(" + O(")[0])


@every_loss
@pytest.mark.parametrize("mean", [False, True])
def test_a_bias_is_one_more_feature(name, mean):
    """T8: with f = W phi + b the landscape at (W, b) is the one without bias of (phi, 1) at [W b], gradients included."""
    cross, own, centre = random_moments()
    centre = centre if mean else 0 * centre
    W, b, outer = weights(2, 3), np.array([0.6, -0.9]), np.outer(centre, centre)
    given = {"A0": cross + outer, "Sigma": own + outer} | ({"mean": centre} if mean else {})
    f = ss.landscape(LOSSES[name], data=ss.GaussianViews(mean=mean), bias=True).numpy()
    value, (by_W, by_b) = f.value_and_gradient(W, b=b, **given)

    def bordered(matrix):
        return np.block([[matrix + outer, centre[:, None]], [centre[None], np.ones((1, 1))]])

    g = ss.landscape(LOSSES[name], data=ss.GaussianViews(mean=True)).numpy()
    wide = {"A0": bordered(cross), "Sigma": bordered(own), "mean": np.append(centre, 1)}
    expected, slopes = g.value_and_gradient(np.c_[W, b], **wide)
    assert np.isclose(value, expected, rtol=1e-11)
    assert np.allclose(np.c_[by_W, by_b], slopes, rtol=1e-10, atol=1e-10)
    if name in ("spectral", "ntxent", "infonce dot", "barlow twins"):
        assert not np.isclose(value, g(np.c_[W, 1.02 * b], **wide), rtol=1e-6)


# Mixtures


@every_loss
@pytest.mark.parametrize("bias", [False, True])
def test_one_class_is_a_gaussian_with_a_mean(name, bias):
    """MixtureViews(1), with covariances about m_1, is GaussianViews(mean=True), with second moments."""
    cross, own, mean = random_moments()
    W, outer = weights(2, 3), np.outer(mean, mean)
    given = {"b": np.array([0.6, -0.9])} if bias else {}
    gaussian = ss.landscape(LOSSES[name], data=ss.GaussianViews(mean=True), bias=bias).numpy()
    mixture = ss.landscape(LOSSES[name], data=ss.MixtureViews(1), bias=bias).numpy()
    classes = {key: value for key, value in {"A_1": cross, "Sigma_1": own, "m_1": mean}.items() if key in repr(mixture)}
    expected = gaussian(W, A0=cross + outer, Sigma=own + outer, mean=mean, **given)
    assert np.isclose(mixture(W, **classes, **given), expected, rtol=1e-11)


def of_two_classes(name: str, **options) -> Callable:
    """Return the landscape of two classes as a function that takes all their moments, used or not."""
    f = ss.landscape(LOSSES[name], data=ss.MixtureViews(2), **options).numpy()
    return lambda W, **given: f(W, **{key: value for key, value in given.items() if f"{key}=" in repr(f)})


@every_loss
def test_equal_classes_are_one(name):
    """Two classes with means 0 and one covariance are a Gaussian, whatever their weights; with two covariances not."""
    cross, own, _ = random_moments()
    W, zero, f = weights(2, 3), np.zeros(3), of_two_classes(name)
    expected = ss.landscape(LOSSES[name]).numpy()(W, A0=cross, Sigma=own)
    given = {"A_1": cross, "Sigma_1": own, "m_1": zero, "A_2": cross, "Sigma_2": own, "m_2": zero}
    for share in (0.5, 0.2):
        assert np.isclose(f(W, **given, pi_1=share), expected, rtol=1e-11)
        assert not np.isclose(f(W, **(given | {"A_2": 1.1 * cross, "Sigma_2": 1.1 * own}), pi_1=share), expected)


@every_contrastive_loss
@pytest.mark.parametrize("share", [0.3, 0.5])
def test_mixtures_agree_with_quadrature(name, share):
    """T10: at d1 = 1 the parts of the landscape of two classes are the Taylor coefficients of L(tW) by quadrature."""
    classes = [{"A": 0.4, "Sigma": 0.7, "m": 0.9}, {"A": 0.2, "Sigma": 0.3, "m": -0.5}]
    law = mixture_law([share, 1 - share], classes)
    land = ss.landscape(LOSSES[name], data=ss.MixtureViews(2, weights=(share, 1 - share)))
    given = {f"{kind}_{c}": one[kind] for c, one in enumerate(classes, 1) for kind in ("A", "Sigma", "m")}

    def assert_parts(**given):
        expected = AS_SERIES[name](law.p, law.x, law.xp)
        for degree, coefficient in zip((0, 2, 4), expected, strict=True):
            f = land.part(degree).numpy()
            used = {
                key: np.full((1,) if key[0] == "m" else (1, 1), v) for key, v in given.items() if f"{key}=" in repr(f)
            }
            found = f(np.eye(1), **used)
            assert abs(found - coefficient) <= 1e-11 * max(1, abs(coefficient)), f"{degree}: {found}, {coefficient}"

    assert_parts(**given)
    for key in given:
        with pytest.raises(AssertionError):
            assert_parts(**{**given, key: 1.02 * given[key]})


def test_the_mixture_rule_has_the_moments_of_the_mixture():
    """The quadrature rule itself: total mean and second moments of the two classes."""
    classes = [{"A": 0.4, "Sigma": 0.7, "m": 0.9}, {"A": 0.2, "Sigma": 0.3, "m": -0.5}]
    found = mixture_law([0.3, 0.7], classes).moments
    assert np.isclose(found["mean"], 0.3 * 0.9 - 0.7 * 0.5)
    assert np.isclose(found["Sigma"], 0.3 * (0.7 + 0.81) + 0.7 * (0.3 + 0.25))
    assert np.isclose(found["A0"], 0.3 * (0.4 + 0.81) + 0.7 * (0.2 + 0.25))
