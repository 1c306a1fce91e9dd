"""T4 with numbers: every listed point is stationary, its stability is that of the Hessian, and there are no others."""

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import minimize
from stationary_cases import (
    QUARTIC,
    assert_stationary,
    beta,
    gamma,
    hessian,
    inertia,
    of_columns,
    random_moments,
    rotation_rank,
    weights,
)

import symscape as ss

LAND = ss.landscape(QUARTIC)
SHAPES = [(1, 1), (1, 3), (2, 1), (2, 2), (3, 2), (3, 5), (4, 4), (5, 3), (6, 2), (6, 6), (5, 6)]


def beta_of(seed: int, d0: int, d1: int) -> float:
    """Zero, positive, or negative with 1 + min(d0, d1) beta > 0, by turns."""
    return (0.0, 0.4, -0.6 / min(d0, d1))[seed % 3]


def solved(seed: int, d0: int, d1: int):
    rng = np.random.default_rng(seed)
    A0, Sigma = random_moments(rng, d0, commuting=seed % 2 == 1)
    given = {"A0": A0, "Sigma": Sigma, "gamma": float(rng.uniform(0, 0.2)), "beta": beta_of(seed, d0, d1)}
    points = ss.stationary_points(LAND, d1=d1, **given)
    B = 2 * A0 - given["gamma"] * np.eye(d0)
    return points, given, float(np.linalg.norm(B, 2))


@pytest.mark.parametrize(("seed", "shape"), [(seed, shape) for seed, shape in enumerate(SHAPES * 3)])
def test_t4_every_point_is_stationary_with_the_stability_of_its_hessian(seed, shape):
    """T4: gradient zero to 1e-12, value, index, nullity and rotations, for B that does and does not commute with Sigma."""
    points, given, size = solved(seed, *shape)
    value, gradient = of_columns(LAND.numpy(), False, **given)
    listed = list(points)
    assert len(listed) == points.count, f"seed {seed}"
    for point in listed:
        assert_stationary(point, value, gradient, size, f"seed {seed}, {shape}, {point}")
    # The lowest is the one without descent, and what `minima` says.
    lowest = min(listed, key=lambda point: point.loss)
    assert lowest.kept == points.minima[0].kept, f"seed {seed}"
    assert [p.kept for p in listed if p.index == 0] == [lowest.kept], f"seed {seed}"
    if lowest.rank:
        for wrong in ({"spread": 0.05}, {"index": lowest.index + 1}):
            with pytest.raises(AssertionError):
                assert_stationary(lowest, value, gradient, size, "planted", **wrong)


@pytest.mark.parametrize("wrong", ["alpha", "beta", "B"])
def test_t4_a_wrong_coefficient_is_caught(wrong):
    """Planted: alpha, beta or B off by 7 % leaves no kept mode stationary."""
    points, given, size = solved(4, 4, 4)
    off = sp.Rational(107, 100)
    x, xp, chi = ss.anchor, ss.positive, ss.negative
    parts = {"B": -2 * ss.E(ss.dot(x, xp)), "alpha": ss.E(ss.dot(x, chi) ** 2), "beta": beta * ss.E(ss.sqnorm(x)) ** 2}
    parts = {name: part * (off if name == wrong else 1) for name, part in parts.items()}
    land = ss.landscape(ss.Loss(sum(parts.values())) + ss.WeightDecay(gamma))
    value, gradient = of_columns(land.numpy(), False, **given)
    kept = [point for point in points if point.rank]
    assert kept
    for point in kept:
        with pytest.raises(AssertionError, match="gradient"):
            assert_stationary(point, value, gradient, size, "planted")


@pytest.mark.parametrize(("seed", "shape"), list(enumerate([(2, 2), (3, 2), (3, 4), (4, 3), (5, 5), (6, 4)], 100)))
def test_t4_the_list_is_complete(seed, shape):
    """T4: a search from 200 random starts finds nothing outside the list, and points of every index."""
    points, _, _ = solved(seed, *shape)
    found = points.search(200, np.random.default_rng(seed))
    assert found.converged >= 190 and len(found.points) >= 0.6 * points.count, f"seed {seed}: {found}, {points.count}"
    assert found.unmatched == (), f"seed {seed}: {found.unmatched}"
    listed = list(points)
    for met in found.points:
        same = [p for p in listed if met.matches(p.loss, p.spectrum)]
        assert same and (same[0].index, same[0].nullity) == (met.index, met.nullity), f"seed {seed}: {met}"


def test_t4_a_family_that_is_missing_is_found():
    """Planted: with one family struck from the list, the search says so."""
    points, _, _ = solved(103, 4, 3)
    lost = points.minima[0].kept
    complete = points.strengths
    points.strengths = lambda kept: None if kept == lost else complete(kept)
    (missing,) = points.search(100).unmatched
    assert missing.index == 0


@pytest.mark.parametrize("seed", range(6))
def test_t4_an_optimiser_reaches_the_lowest(seed):
    """T4: gradient descent from random W ends at the least value: there are no other local minima."""
    d0, d1 = ((4, 3), (5, 5), (3, 4))[seed % 3]
    points, given, _ = solved(seed + 200, d0, d1)
    value, gradient = of_columns(LAND.numpy(), False, **given)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        start = rng.standard_normal(d1 * d0)
        found = minimize(lambda v: value(v.reshape(d1, d0)), start, jac=lambda v: gradient(v.reshape(d1, d0)).ravel(),
                         options={"gtol": 1e-9})  # fmt: skip
        least = points.minima[0].loss
        assert abs(found.fun - least) <= 1e-7 * abs(least), f"seed {seed}: {found.fun} for {least}"
        assert abs(found.fun - 1.05 * least) > 1e-7 * abs(least)


MEAN = ss.GaussianViews(mean=True)
BIASED = {
    # Second moments in the features (phi, 1); InfoNCE of distances does not see the bias.
    "spectral": ss.SpectralContrastive() + ss.WeightDecay(gamma),
    "InfoNCE": ss.InfoNCE(tau=sp.Rational(1, 2)) + ss.WeightDecay(gamma),
    "dot": ss.InfoNCE(similarity="dot") + ss.WeightDecay(gamma),
}


@pytest.mark.parametrize("name", BIASED)
@pytest.mark.parametrize("seed", range(2))
def test_t4_with_a_mean_and_a_bias(name, seed):
    """T4, T8: the pair (W, b) of every point has zero gradient in the landscape of W and b, and the stability stated."""
    land = ss.landscape(BIASED[name], data=MEAN, bias=True)
    rng = np.random.default_rng(seed)
    d0, d1 = ((3, 2), (2, 4))[seed]
    A0, Sigma = random_moments(rng, d0, rng.uniform(0.2, 0.9, d0))
    mean = rng.standard_normal(d0) / 2
    given = {"A0": A0 + np.outer(mean, mean), "Sigma": Sigma + np.outer(mean, mean), "mean": mean, "gamma": 0.05}
    points = ss.stationary_points(land, d1=d1, **given)
    _, gradient = of_columns(land.numpy(), True, **given)
    size = float(np.linalg.norm(hessian(gradient, np.zeros((1, d0 + 1))), 2)) / 2
    blind = name == "InfoNCE"
    assert any(point.rank for point in points)
    for point in points:
        moved = np.column_stack([point.W, point.bias + 0.05 * np.abs(weights(point)).max()])
        assert np.abs(gradient(weights(point))).max() <= 1e-12 * size * np.linalg.norm(weights(point))
        assert not point.rank or blind == (np.abs(gradient(moved)).max() <= 1e-12 * size), f"{name}, seed {seed}"
        H = hessian(gradient, weights(point))
        # Zero directions of a bias that nothing depends on are told apart: stability is then in W alone.
        assert (point.index, point.nullity + d1 * blind) == inertia(H), f"{name}, seed {seed}: {point}"
        assert point.symmetry_nullity == rotation_rank(weights(point))


ONE_SIDED_VIEWS = (
    ss.View("s", moment="A_0"),
    ss.View("xp", of=ss.View("s", moment="A_0")),
    ss.View("sn", moment="A_0"),
)


def test_t4_a_metric_that_is_not_sigma():
    """T4: one-sided InfoNCE, (Sigma - 3 A_0)/2 against 3/4 Tr (W A_0 W^T)^2 or so: any B, in the metric A_0."""
    s, xp, sn = ONE_SIDED_VIEWS
    spread = sp.log(ss.E(sp.exp(-ss.sqdist(s, sn) / 2), over=sn))
    land = ss.landscape(ss.Loss(ss.E(ss.sqdist(s, xp)) / 2 + ss.E(spread)) + ss.WeightDecay(gamma))
    for seed in range(4):
        rng = np.random.default_rng(seed)
        A0, Sigma = random_moments(rng, 4, rng.uniform(0.2, 0.95, 4))
        given = {"A0": A0, "Sigma": Sigma, "gamma": 0.03}
        points = ss.stationary_points(land, d1=3, **given)
        value, gradient = of_columns(land.numpy(), False, **given)
        size = float(np.linalg.norm(hessian(gradient, np.zeros((1, 4))), 2)) / 2
        assert points.complete and np.allclose(points.metric, A0), f"seed {seed}"
        for point in points:
            assert_stationary(point, value, gradient, size, f"seed {seed}: {point}")
        assert points.search(100, rng).unmatched == (), f"seed {seed}"


def test_t4_finding_weights_from_python_lists():
    """The weights of a point are plain arrays, d1 x d0, of rank as many as modes kept."""
    points = ss.stationary_points(LAND, A0=[[0.5]], Sigma=[[1]], d1=2, gamma=0, beta=0)
    assert points.minima[0].W.shape == (2, 1) and points.minima[0].rank == 1
    assert inertia(hessian(of_columns(LAND.numpy(), False, A0=[[0.5]], Sigma=[[1]], gamma=0, beta=0)[1],
                           weights(points.family()))) == (2, 0)  # fmt: skip
