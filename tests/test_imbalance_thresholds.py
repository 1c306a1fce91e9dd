"""T10, data imbalance with weight decay: the class probability below which a class is lost, derived and trained."""

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import brentq, minimize

import symscape as ss
from symscape.conditions.imbalance.classes import strength_symbol
from symscape.conditions.imbalance.exact import loss_on_classes
from symscape.conditions.imbalance.imbalance import imbalance
from symscape.conditions.imbalance.robustness import class_threshold, sigma

gamma, tau, epsilon = sp.symbols("gamma tau epsilon", positive=True)
a = strength_symbol
THRESHOLDS = {
    # B along the class: 2 pi a - gamma, pi a/tau - gamma; the smooth cosine's is pi a/(tau eps) - gamma.
    "spectral": (ss.SpectralContrastive(), gamma / (2 * a)),
    "InfoNCE": (ss.InfoNCE(tau=tau), gamma * tau / a),
    "NT-Xent": (ss.NTXent(tau=tau, epsilon=epsilon), gamma * tau * epsilon / a),
    # (2/d1) lambda (Tr P - Tr M) - mu Tr P/(2 sqrt(eps) d1), with lambda = mu = 1, eps = 1/4, on pi a + sigma^2 and pi a.
    "VICReg": (ss.VICReg(lambda_=1, mu=1, epsilon=sp.Rational(1, 4)), (ss.d_1 * gamma + sigma**2) / a),
}


def assert_same(found, expected):
    """Assert that two expressions are equal identically."""
    assert sp.simplify(found - expected) == 0, f"{found} is not {expected}"


@pytest.mark.parametrize("name", THRESHOLDS)
def test_t10_class_probability_below_which_decay_collapses_a_class(name):
    """T10: near W = 0 a class is lost below the probability at which B along it vanishes."""
    loss, expected = THRESHOLDS[name]
    found = class_threshold(loss + ss.WeightDecay(gamma))
    assert_same(found.origin, expected)
    with pytest.raises(AssertionError):
        assert_same(found.origin, sp.Rational(11, 10) * expected)


def test_t10_trained_classes_lower_the_threshold_of_infonce():
    """T10: with other classes learned, Q = sum pi |W m|^2, InfoNCE at order 4 loses a class below gamma/(|m|^2 (1 + Q/4));
    the spectral loss has the threshold of the origin."""
    Q = sp.Symbol("Tr M", real=True)
    found = class_threshold(ss.InfoNCE() + ss.WeightDecay(gamma))
    assert_same(found.trained, gamma / (a * (1 + Q / 4)))
    spectral = class_threshold(ss.SpectralContrastive() + ss.WeightDecay(gamma))
    assert_same(spectral.trained, spectral.origin)
    decay = 0.12

    # At the threshold the others are as without the class: solve pi (1 + Q/4) = gamma for pi.
    def gap(t):
        rest = imbalance(ss.InfoNCE(), [(1 - t) / 2, (1 - t) / 2, t], gamma=decay, d1=2)
        return t * (1 + np.sum(rest.pi * rest.q) / 4) - decay

    threshold = brentq(gap, 0.08, 0.1199, xtol=1e-4)
    shares = {side: side * threshold for side in (0.98, 1.02)}
    rare = {side: imbalance(ss.InfoNCE(), [(1 - t) / 2, (1 - t) / 2, t], gamma=decay) for side, t in shares.items()}
    assert rare[0.98].lost[2] and not rare[1.02].lost[2]
    assert rare[1.02].pi[2] < decay  # below the threshold of the origin, and kept


# The loss as practitioners code it, trained to convergence


def sampled_views(pi, strengths, noise, rng, rows=400):
    """Three sets of views of stratified sign-symmetric classes: anchors, positives, and negatives, which share the data."""
    counts = np.rint(np.asarray(pi) * rows / 2).astype(int)
    m = np.diag(np.sqrt(strengths))
    clean = np.concatenate([np.repeat([m[c], -m[c]], n, axis=0) for c, n in enumerate(counts)])
    return [clean + noise * rng.standard_normal(clean.shape) for _ in range(3)]


def spectral_value(W, x, xp, chi):
    """-2 mean f.f' + mean (f.f-)^2, and its gradient."""
    f, g, h = x @ W.T, xp @ W.T, chi @ W.T
    N, gram = len(x), f @ h.T
    value = -2 * np.mean(np.sum(f * g, axis=1)) + np.mean(gram**2)
    gradient = -2 * (g.T @ x + f.T @ xp) / N + 2 * ((gram @ h).T @ x + (gram.T @ f).T @ chi) / N**2
    return value, gradient


def infonce_value(W, x, xp, chi):
    """mean |f - f'|^2/2 + mean log mean exp(-|f - f-|^2/2), and its gradient."""
    f, g, h = x @ W.T, xp @ W.T, chi @ W.T
    N, apart = len(x), f - g
    kernel = np.exp(f @ h.T - np.sum(f**2, axis=1)[:, None] / 2 - np.sum(h**2, axis=1) / 2)
    sums = kernel.sum(axis=1)
    share = kernel / sums[:, None]
    value = np.mean(np.sum(apart**2, axis=1)) / 2 + np.mean(np.log(sums / N))
    by_f, by_h = share @ h - f, share.T @ f - share.sum(axis=0)[:, None] * h
    gradient = (apart.T @ (x - xp) + by_f.T @ x + by_h.T @ chi) / N
    return value, gradient


def trained_rare_strength(value, pi, strengths, decay, seed=0):
    """|W m_c|^2 of the last class after L-BFGS on the sampled loss with weight decay."""
    rng = np.random.default_rng(seed)
    views = sampled_views(pi, strengths, 0.02, rng)

    def objective(w):
        W = w.reshape(3, 3)
        found, gradient = value(W, *views)
        return found + decay * np.sum(W**2), (gradient + 2 * decay * W).ravel()

    start = rng.standard_normal(9) / 3
    W = minimize(objective, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-8}).x.reshape(3, 3)
    return strengths[2] * np.sum(W[:, 2] ** 2)


def assert_kept(strength):
    """Assert that a class is clearly there."""
    assert strength > 0.03, strength


def assert_lost(strength):
    """Assert that a class is collapsed."""
    assert strength < 1e-3, strength


@pytest.mark.parametrize("rows_of_rare", [38, 42])
@pytest.mark.parametrize("name", ["spectral", "InfoNCE"])
def test_t10_sampled_losses_lose_the_class_below_the_threshold(name, rows_of_rare):
    """T10: 5 % below the class probability gamma/(2 |m|^2) (spectral) and gamma/|m|^2 (InfoNCE near W = 0, the common classes
    too weak to be learned) training loses the rare class, and 5 % above keeps it."""
    t = rows_of_rare / 400
    pi = [0.5, 0.5 - t, t]
    loss, value, strengths = {
        "spectral": (ss.SpectralContrastive(), spectral_value, [1.0, 1.0, 1.0]),
        "InfoNCE": (ss.InfoNCE(), infonce_value, [0.1, 0.1, 1.0]),
    }[name]
    threshold = class_threshold(loss + ss.WeightDecay(gamma)).origin.subs(a, 1)
    (decay,) = sp.solve(threshold - sp.Rational(1, 10), gamma)
    found = trained_rare_strength(value, pi, strengths, float(decay))
    right, wrong = (assert_kept, assert_lost) if rows_of_rare > 40 else (assert_lost, assert_kept)
    right(found)
    with pytest.raises(AssertionError):
        wrong(found)
    # Planted: a threshold 10 % off foretells the opposite on this side.
    off = 1.1 if rows_of_rare > 40 else 0.9
    assert (t > 0.1) != (t > 0.1 * off)


def exact_decay_at_threshold(pi):
    """The gamma at which the slope of exact InfoNCE along the lost last class changes sign, the others trained."""
    q = sp.symbols("q_1:4", positive=True)
    expr = loss_on_classes(ss.InfoNCE(), pi, q)
    slopes = sp.lambdify([q], [expr, *(sp.diff(expr, s) for s in q)], cse=True)

    def slope(decay):
        def objective(pair):
            value, *by_q = slopes([*pair, 0.0])
            return value + decay * sum(pair), np.array(by_q[:2]) + decay

        rest = minimize(objective, [1.0, 1.0], jac=True, method="L-BFGS-B", bounds=[(0, None)] * 2).x
        return slopes([*rest, 0.0])[3] + decay

    return brentq(slope, 0.08, 0.2, xtol=1e-6)


@pytest.mark.parametrize("factor", [0.95, 1.05])
def test_t10_sampled_infonce_with_trained_classes(factor):
    """T10: with the common classes trained, sampled InfoNCE loses the rare class where the exact finite sum says so, at a
    weight decay above that of the origin, pi_c |m_c|^2."""
    pi = [0.5, 0.4, 0.1]
    decay = factor * exact_decay_at_threshold([sp.Rational(1, 2), sp.Rational(2, 5), sp.Rational(1, 10)])
    assert decay > 0.1
    found = trained_rare_strength(infonce_value, pi, [1.0, 1.0, 1.0], decay)
    right, wrong = (assert_kept, assert_lost) if factor < 1 else (assert_lost, assert_kept)
    right(found)
    with pytest.raises(AssertionError):
        wrong(found)
