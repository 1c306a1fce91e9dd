"""T4 where eigenvalues are tied, vanish, or stand at a threshold, and where numbers are badly scaled."""

import numpy as np
import pytest
import sympy as sp
from stationary_cases import QUARTIC, assert_stationary, hessian, inertia, of_columns, random_moments, weights

import symscape as ss

LAND = ss.landscape(QUARTIC)


def solved(A0, Sigma, d1, gamma=0.0, beta=0.0, land=LAND):
    """Return the points, each checked against the compiled landscape."""
    given = {"A0": A0, "Sigma": Sigma} | ({"gamma": gamma, "beta": beta} if land is LAND else {})
    points = ss.stationary_points(land, d1=d1, **given)
    value, gradient = of_columns(land.numpy(), False, **given)
    size = np.linalg.norm(hessian(gradient, np.zeros((1, len(np.atleast_2d(Sigma))))), 2) / 2
    return points, (value, gradient, float(size))


def turned(rng, values):
    Q = np.linalg.qr(rng.standard_normal((len(values),) * 2))[0]
    return Q * np.asarray(values, dtype=float) @ Q.T


@pytest.mark.parametrize("seed", range(6))
def test_t4_repeated_eigenvalues(seed):
    """T4: tied modes give one family per choice, the same value each, and exchanges of them are zero directions: `tied`."""
    rng = np.random.default_rng(seed)
    r = ([0.6, 0.6, 0.6, 0.2], [0.6, 0.5, 0.2, 0.2], [0.5, 0.5, 0.5, 0.5])[seed % 3]
    d1 = (2, 3, 3)[seed % 3]
    A0, Sigma = random_moments(rng, 4, r)
    points, check = solved(A0, Sigma, d1, beta=0.1)
    for point in points:
        assert_stationary(point, *check, f"seed {seed}: {point}")
        assert point.nullity == point.symmetry_nullity + point.stability.tied and point.stability.flat == 0
    minima = points.minima
    assert len(minima) == (3, 2, 4)[seed % 3]
    assert max(p.loss for p in minima) - min(p.loss for p in minima) < 1e-12
    assert all(p.kind == "minimum" and p.stability.tied > 0 for p in minima), f"seed {seed}"
    with pytest.raises(AssertionError):
        assert_stationary(minima[0], *check, "planted", index=1)


@pytest.mark.parametrize("epsilon", [1e-7, 1e-12])
def test_t4_nearly_tied_eigenvalues(epsilon):
    """T4: a difference of 1e-7 is one, of 1e-12 is a tie; the points are stationary to 1e-12 in both."""
    A0, Sigma = random_moments(np.random.default_rng(3), 4, [0.6, 0.6 + epsilon, 0.2, -0.1])
    points, (_, gradient, size) = solved(A0, Sigma, 1, beta=0.1)
    assert len(points.minima) == (1 if epsilon > 1e-9 else 2)
    for point in points:
        assert np.abs(gradient(point.W)).max() <= 1e-12 * size * np.linalg.norm(point.W)
    assert points.search(60).unmatched == ()


THRESHOLDS = [([0.6, 0.3, 0.15], 0.6, 1), ([0.6, 0.3, 0.15], 0.3, 2), ([0.3, 0.3, 0.3], 0.6, 0), ([0.3], 0.6, 0)]


@pytest.mark.parametrize(("r", "gamma", "survive"), THRESHOLDS)
def test_t4_eigenvalues_exactly_at_threshold(r, gamma, survive):
    """T4: b_i = 0 exactly: the mode is not kept, the point without descent says `degenerate` while an output is free."""
    for seed in range(3):
        A0 = turned(np.random.default_rng(seed), r) if seed else np.diag(r)
        for d1 in (1, 3):
            points, _ = solved(A0, np.eye(len(r)), d1, gamma=gamma)
            (lowest,) = points.minima
            assert lowest.rank == min(survive, d1), f"seed {seed}, d1 {d1}: {points}"
            free, at_zero = d1 - lowest.rank, sum(abs(2 * v - gamma) < 1e-12 for v in r)
            assert lowest.stability.flat == free * at_zero
            assert lowest.kind == ("degenerate" if free and at_zero else "minimum")
            # Just beside the threshold nothing is degenerate.
            beside, _ = solved(A0, np.eye(len(r)), d1, gamma=gamma * 0.999)
            assert beside.minima[0].kind == "minimum" and beside.minima[0].rank == min(survive + at_zero, d1)


def test_t4_a_threshold_by_rounding():
    """T4: 2 (0.1 + 0.2) - 0.6 is 1e-16, not a mode that survives."""
    points, _ = solved([[0.1 + 0.2]], [[1.0]], 1, gamma=0.6)
    assert points.count == 1 and points.minima[0].kind == "degenerate"


@pytest.mark.parametrize("gamma", [0.0, 0.05])
@pytest.mark.parametrize("seed", range(3))
def test_t4_features_that_never_vary(seed, gamma):
    """T4: Sigma of rank 4 in 6 features: without weight decay their weights are zero directions, with it they are held."""
    rng = np.random.default_rng(seed)
    A0, Sigma = random_moments(rng, 4, [0.6, 0.5, 0.2, -0.1])
    out = rng.standard_normal((6, 4))
    points, check = solved(out @ A0 @ out.T, out @ Sigma @ out.T, 3, gamma, 0.1)
    for point in points:
        assert_stationary(point, *check, f"seed {seed}: {point}")
        assert point.stability.constant == (0 if gamma else 3 * 2)
    assert points.search(60, rng).unmatched == ()


def test_t4_features_that_never_vary_but_are_rewarded():
    """T4: B that rewards weights of features without variance makes the landscape fall without end: said, with a way out."""
    land = ss.landscape(ss.Loss(QUARTIC.expr - ss.WeightDecay(1).expr))
    with pytest.raises(ss.SymscapeError, match=r"falls without end.*WeightDecay"):
        ss.stationary_points(land, A0=np.diag([0.5, 0]), Sigma=np.diag([1, 0]), d1=1, gamma=0, beta=0)


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e3, 1e8])
@pytest.mark.parametrize("gamma", [1e-12, 0.1, 10.0])
def test_t4_badly_scaled_moments(scale, gamma):
    """T4: Sigma in any unit, weight decay of any size: the points scale, nothing is lost."""
    A0, Sigma = random_moments(np.random.default_rng(2), 4, [0.6, 0.4, 0.2, -0.1])
    unit, _ = solved(A0, Sigma, 3, gamma, 0.1)
    scaled, check = solved(scale * A0, scale * Sigma, 3, gamma * scale, 0.1)
    assert unit.count == scaled.count
    _, gradient, size = check
    for ours, theirs in zip(unit, scaled, strict=True):
        assert (ours.kept, ours.index, ours.nullity) == (theirs.kept, theirs.index, theirs.nullity)
        assert abs(ours.loss - theirs.loss) <= 1e-12
        assert np.abs(gradient(theirs.W)).max() <= 1e-12 * size * max(np.linalg.norm(theirs.W), 1e-300)
    assert scaled.search(40).unmatched == ()


@pytest.mark.parametrize("condition", [1e6, 1e8, 1e10])
@pytest.mark.parametrize("gamma", [0.0, 1e-3])
def test_t4_nearly_constant_features(condition, gamma):
    """T4: Sigma of condition 1e10, where weight decay makes eigenvalues from 1 to -1e7: strong modes stay sharp."""
    rng = np.random.default_rng(7)
    half = np.linalg.qr(rng.standard_normal((4, 4)))[0] * np.sqrt([1, 0.3, 0.1, 1 / condition])
    A0 = half @ turned(rng, [0.6, 0.4, 0.2, 0.1]) @ half.T
    points, (_, gradient, size) = solved((A0 + A0.T) / 2, half @ half.T, 3, gamma, 0.1)
    assert points.count == (8 if gamma else 15)
    for point in points:
        norm = np.linalg.norm(point.W)
        # W S W^T is rounded to |W|^2 |S|.
        assert np.abs(gradient(point.W)).max() <= 1e-12 * size * norm + 4e-16 * norm**3, f"{point}"
        assert point.index > 0 or point.kept == points.minima[0].kept


def test_t4_single_precision_moments():
    """T4: float32 moments are taken as they are."""
    A0, Sigma = random_moments(np.random.default_rng(4), 5)
    points, check = solved(A0.astype(np.float32), Sigma.astype(np.float32), 3, 0.01, 0.1)
    for point in points:
        assert_stationary(point, *check, str(point))


def test_t4_only_negative_correlations_collapse():
    """T4: r < 0 throughout: the origin alone, a minimum."""
    points, check = solved(*random_moments(np.random.default_rng(0), 3, [-0.1, -0.5, -0.9]), 2)
    (origin,) = points
    assert (origin.rank, origin.kind) == (0, "minimum")
    assert_stationary(origin, *check, "origin")


def test_t4_an_indefinite_metric():
    """T4: raw Barlow Twins, -2 Tr M + Tr M^2, with a negative correlation: M^2 = M also holds for W = (cosh, sinh) along a
    positive and a negative mode, so the list is of aligned points, says so, and calls them degenerate."""
    land = ss.landscape(ss.BarlowTwins())
    A0, Sigma = random_moments(np.random.default_rng(1), 3, [0.7, 0.3, -0.4])
    points, check = solved(A0, Sigma, 2, land=land)
    assert not points.complete and "not aligned" in points.statement
    for point in points:
        assert_stationary(point, *check, str(point))
    assert points.minima[0].kind == "degenerate" and points.minima[0].stability.flat == 2
    found = points.search(60)
    assert found.unmatched and "in no family" in points.statement
    # One of the points found: hyperbolic, W A_0 W^T = 1 with a share of the negative mode.
    strange = found.unmatched[0].W
    assert np.abs(check[1](strange)).max() < 1e-9 * check[2] * np.linalg.norm(strange)


def test_t4_complete_collapse_and_one_of_each():
    """T4: gamma above every eigenvalue collapses all; d0 = d1 = 1 has the origin and one point."""
    points, _ = solved(0.5 * np.eye(3), np.eye(3), 2, gamma=5.0)
    assert (points.count, points.minima[0].rank, points.minima[0].kind) == (1, 0, "minimum")
    points, check = solved([[0.5]], [[1.0]], 1)
    assert [p.kept for p in points] == [(), (0,)] and [p.kind for p in points] == ["maximum", "minimum"]
    for point in points:
        assert_stationary(point, *check, str(point))


def test_t4_not_bounded_below():
    """T4: alpha + min(d0, d1) beta <= 0: no minima, and the points are listed all the same."""
    A0, Sigma = random_moments(np.random.default_rng(0), 3, [0.7, 0.4, 0.2])
    points, check = solved(A0, Sigma, 3, beta=-0.5)
    assert not points.bounded_below and list(points.minima) == [] and "not bounded below" in str(points)
    for point in points:
        assert_stationary(point, *check, str(point))
        assert inertia(hessian(check[1], weights(point)))[0] > 0
    assert points.search(60).unmatched == ()


def test_t4_alpha_at_zero_says_so():
    """T4: alpha = 0 leaves P open."""
    a = sp.Symbol("a")
    x, chi = ss.anchor, ss.negative
    land = ss.landscape(ss.Loss(a * ss.E(ss.dot(x, chi) ** 2) - ss.E(ss.dot(x, ss.positive))))
    for loss in (land.loss, land.loss + ss.Loss(ss.E(ss.sqnorm(x)) ** 2)):
        with pytest.raises(ss.SymscapeError, match="alpha = 0"):
            ss.stationary_points(ss.landscape(loss), A0=[[0.5]], Sigma=[[1]], d1=1, a=0)
