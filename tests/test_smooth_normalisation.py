"""T7: smooth normalisation f / sqrt(|f|^2 + epsilon) at order 4, against training on samples."""

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import minimize
from scipy.stats import norm, qmc

import symscape as ss
from symscape.spectrum.modes import p_i, r_i
from symscape.spectrum.words import spectrum_of_words

tau, epsilon, gamma = sp.symbols("tau epsilon gamma", positive=True)


def assert_smooth_condition(factor):
    """Assert the slope of an empty mode of smooth NT-Xent: (r_j (factor Tr P - epsilon) + Tr M) / (tau epsilon^2)."""
    land = spectrum_of_words(ss.landscape(ss.NTXent.symbolic()))
    named = {summand: symbol for symbol, summand in land.sums.items()}
    P, M = named[p_i], named[p_i * r_i]
    expected = (r_i * (factor * P - epsilon) + M) / (tau * epsilon**2)
    assert sp.simplify(land.stationarity.subs(p_i, 0) - expected) == 0


def test_smooth_normalisation_keeps_a_mode_iff():
    """T7: at order 4 mode j of smooth NT-Xent stays collapsed iff r_j (epsilon - Tr P) <= Tr M, at any temperature."""
    assert_smooth_condition(1)
    with pytest.raises(AssertionError):
        assert_smooth_condition(sp.Rational(21, 20))


def symmetric_views(correlations, count, seed):
    """Points of a Sobol sequence for (x, x'), with every reflection of an axis: E x x^T = 1 and E x x'^T = diag(r) exactly."""
    d0 = len(correlations)
    uniform = qmc.Sobol(2 * d0, seed=seed).random(count)
    total, change = np.split(norm.ppf(np.clip(uniform, 1e-9, 1 - 1e-9)), 2, axis=1)
    total /= np.sqrt((total**2).mean(axis=0))
    change -= total * (total * change).mean(axis=0)
    change /= np.sqrt((change**2).mean(axis=0))
    up, down = np.sqrt((1 + correlations) / 2), np.sqrt((1 - correlations) / 2)
    signs = np.array(np.meshgrid(*[[1, -1]] * d0)).reshape(d0, -1).T[:, None]
    return ((signs * view).reshape(-1, d0) for view in (up * total + down * change, up * total - down * change))


def trained_strengths(correlations, gamma, tau=1.0, epsilon=1.0):
    """Train W by L-BFGS on the sampled smooth cosine loss with weight decay; return the diagonal of W^T W."""
    views = symmetric_views(correlations, 128, 3)
    negatives, _ = symmetric_views(correlations, 128, 4)
    x, xp = views
    size, d0 = len(x), len(correlations)

    def smooth(data, W):
        f = data @ W.T
        length = np.sqrt((f**2).sum(axis=1) + epsilon)[:, None]
        return f / length, length

    def back(slope, unit, length, data):
        return ((slope - unit * (slope * unit).sum(axis=1)[:, None]) / length).T @ data

    def objective(flat):
        W = flat.reshape(-1, d0)
        (u, lu), (v, lv), (c, lc) = (smooth(data, W) for data in (x, xp, negatives))
        kernel = np.exp(u @ c.T / tau)
        mean = kernel.mean(axis=1)
        value = np.log(mean).mean() - (u * v).sum() / size / tau + gamma * (W**2).sum()
        share = kernel / (mean[:, None] * kernel.shape[1] * size * tau)
        slope = back(share @ c - v / (size * tau), u, lu, x) + back(share.T @ u, c, lc, negatives)
        return value, (slope + back(-u / (size * tau), v, lv, xp) + 2 * gamma * W).ravel()

    start = np.random.default_rng(5).standard_normal((2, d0)).ravel() * 0.1
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 400}
    )
    W = found.x.reshape(-1, d0)
    return (W**2).sum(axis=0)


def assert_complete_threshold(threshold):
    correlations = np.array([0.8, 0.5])
    assert trained_strengths(correlations, 1.02 * threshold).max() < 1e-5
    assert trained_strengths(correlations, 0.98 * threshold).max() > 1e-4


def test_smooth_complete_collapse():
    """T7, T5: with weight decay gamma smooth NT-Xent collapses completely iff gamma >= r_1 / (tau epsilon): trained on
    samples, 2 per cent on either side."""
    land = spectrum_of_words(ss.landscape(ss.NTXent(tau=1, epsilon=1) + ss.WeightDecay(gamma)))
    b = np.array([0.8, 0.5])
    for decay, kept in ((0.98 * 0.8, 1), (1.02 * 0.8, 0)):
        assert land.minimum(r=b, b=b - decay).surviving == kept
    assert_complete_threshold(0.8)
    with pytest.raises(AssertionError):
        assert_complete_threshold(0.8 * 1.1)


def assert_dimensional_threshold(threshold, decay):
    """Assert that the second of two modes is lost in training 4 per cent below the threshold in r_2, and kept above it."""
    for factor, kept in ((0.96, False), (1.04, True)):
        p = trained_strengths(np.array([0.8, factor * threshold]), decay)
        assert p[0] > 0.005
        assert (p[1] > 1e-3 * p[0]) == kept


def test_smooth_dimensional_collapse():
    """T7: near complete collapse, where order 4 is accurate, training loses the second mode where r_2 (epsilon - Tr P) -
    gamma tau epsilon^2 <= Tr M."""
    decay = 0.7
    land = spectrum_of_words(ss.landscape(ss.NTXent(tau=1, epsilon=1) + ss.WeightDecay(gamma)))
    p = land.minimum(r=[0.8], b=[0.8 - decay]).p[0]
    threshold = (decay + 0.8 * p) / (1 - p)
    for factor, kept in ((0.99, 1), (1.01, 2)):
        modes = np.array([0.8, factor * threshold])
        assert land.minimum(r=modes, b=modes - decay).surviving == kept
    assert_dimensional_threshold(threshold, decay)
    with pytest.raises(AssertionError):
        assert_dimensional_threshold(1.08 * threshold, decay)
