"""T8: bias and mean. Which losses ignore them, which spend an output on the constant feature, and when that costs a feature."""

import numpy as np
import pytest
import sympy as sp

import symscape as ss

A0, SIGMA = np.diag([0.9, 0.6, 0.3]), np.eye(3)
MEAN = np.array([0.5, -0.2, 0.1])
CENTRED = {"A0": A0 + np.outer(MEAN, MEAN), "Sigma": SIGMA + np.outer(MEAN, MEAN), "mean": MEAN}

#: What a bias does, by hand. Shift-invariant losses hold no bias. With raw second moments the constant feature has
#: r = 1, so b = c_A + c_S in B = c_A A_0 + c_S Sigma: 2 for -2 Tr M. For dot products |W m + b|^2 cancels between -E s and
#: E s over independent pairs.
EFFECTS = {
    "infonce": (ss.InfoNCE(), "ignored", 0, False),
    "infonce n=3": (ss.InfoNCE(n=3), "ignored", 0, False),
    "infonce dot": (ss.InfoNCE(similarity="dot"), "mean", None, False),
    "ntxent": (ss.NTXent(epsilon=1), "mean", None, False),
    "spectral": (ss.SpectralContrastive(), "constant feature", 2, True),
    "barlow twins raw": (ss.BarlowTwins(), "constant feature", 2, True),
    "barlow twins raw, lambda=2": (ss.BarlowTwins(lambda_=2), "constant feature", 2, True),
    "barlow twins": (ss.BarlowTwins(epsilon=1), "ignored", 0, False),
    "vicreg": (ss.VICReg(), "ignored", 0, False),
}


def assert_effect(name, kind, strength, spends):
    """Assert what a bias does to a loss of the table."""
    found = ss.bias_effect(EFFECTS[name][0])
    assert (found.kind, found.strength, found.spends_an_output) == (kind, strength, spends), str(found)


@pytest.mark.parametrize("name", EFFECTS)
def test_what_a_bias_does(name):
    """Euclidean InfoNCE, VICReg and batch-normalised Barlow Twins ignore it, spectral and raw Barlow Twins spend an output
    on it, dot products and the smooth cosine drive the mean to zero; and nothing else is said of any of them."""
    _, kind, strength, spends = EFFECTS[name]
    assert_effect(name, kind, strength, spends)
    for wrong in ((kind, 3, spends), ("another", strength, spends), (kind, strength, not spends)):
        with pytest.raises(AssertionError):
            assert_effect(name, *wrong)


def features_kept(loss, d1, bias):
    """How many of the three features, apart from the constant, survive."""
    found = ss.collapse(ss.landscape(loss, data=ss.GaussianViews(mean=True), bias=bias), **CENTRED, d1=d1)
    constant = [
        k
        for k, mode in enumerate(found.modes)
        if bias and len(mode.direction) == 4 and np.abs(mode.direction[:3]).max() < 1e-7
    ]
    return sum(mode.survives for k, mode in enumerate(found.modes) if k not in constant)


@pytest.mark.parametrize("d1", [1, 2, 3, 4, 5])
def test_when_the_constant_costs_a_feature(d1):
    """Spectral loss: with a bias one feature is lost as long as d1 <= n_surviving (3 here), and none beyond."""
    condition = ss.bias_effect(ss.SpectralContrastive()).costs_a_feature
    costs = bool(condition.subs({ss.d_1: d1, sp.Symbol("n_surviving", integer=True, nonnegative=True): 3}))
    assert features_kept(ss.SpectralContrastive(), d1, bias=True) == min(3, d1) - costs
    assert features_kept(ss.InfoNCE(), d1, bias=True) == features_kept(ss.InfoNCE(), d1, bias=False) == min(3, d1)
    assert features_kept(ss.InfoNCE(similarity="dot"), d1, bias=True) == min(3, d1)


def test_a_mean_without_a_bias_is_a_rank_one_feature():
    """Without a bias the spectral loss sees second moments: a mean large in a direction raises that direction's r."""
    land = ss.landscape(ss.SpectralContrastive(), data=ss.GaussianViews(mean=True))
    plain = ss.collapse(land, A0=A0, Sigma=SIGMA, mean=np.zeros(3), d1=3)
    moved = ss.collapse(land, **CENTRED, d1=3)
    np.testing.assert_allclose([m.eigenvalue for m in plain.modes], [1.8, 1.2, 0.6], rtol=1e-12)
    # r of the pencil (A_0 + m m^T, 1 + m m^T), computed apart.
    r = np.linalg.eigvals(np.linalg.solve(CENTRED["Sigma"], CENTRED["A0"])).real
    np.testing.assert_allclose([m.eigenvalue for m in moved.modes], 2 * np.sort(r)[::-1], rtol=1e-12)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose([m.eigenvalue for m in moved.modes], [1.8, 1.2, 0.6], rtol=1e-2)


def test_the_bias_of_the_minimum_centres_the_representation_of_dot_products():
    """Dot InfoNCE: at the minimum b = -W mean."""
    land = ss.landscape(ss.InfoNCE(similarity="dot"), data=ss.GaussianViews(mean=True), bias=True)
    point = ss.stationary_points(land, **CENTRED, d1=2).minima[0]
    np.testing.assert_allclose(point.bias, -point.W @ MEAN, atol=1e-12)
    assert np.abs(point.bias).max() > 0.05
    gradients = land.numpy().gradient(point.W, b=point.bias, **CENTRED)
    assert max(np.abs(g).max() for g in gradients) < 1e-12
    assert np.abs(land.numpy().gradient(point.W, b=1.1 * point.bias, **CENTRED)[1]).max() > 1e-3
