"""Thresholds against training: 2 per cent on either side of each, the sampled loss does what is predicted.

Every prediction is asked of `threshold` or `collapse`; every training is of the loss as practitioners code it, on a sample with
the given second moments (see `trained`). A prediction that is 10 per cent off, either way, must fail the same checker.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pytest
import sympy as sp
import trained as train

import symscape as ss
from symscape.spectrum.cosine.isotropic import isotropic_cosine

gamma, tau = sp.symbols("gamma tau", positive=True)
lambda_, mu, nu = sp.symbols("lambda mu nu", positive=True)

#: A_0 and Sigma that do not commute: the thresholds in weight decay are eigenvalues of A_0 all the same.
A0 = np.diag([1.0, 0.9, 0.5])
TURN = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
C = TURN @ np.diag([0.2, 0.6, 1.5]) @ TURN.T
SIGMA = A0 + C

#: Strengths of P below this are lost; near a threshold, 2 per cent away from it, a kept one is far above.
LOST, KEPT = 1e-6, 1e-3


def surviving(strengths: Any) -> int:
    """Return how many strengths are kept; none may be in between."""
    strengths = np.asarray(strengths)
    assert ((strengths < LOST) | (strengths > KEPT)).all(), f"neither kept nor lost: {strengths}"
    return int((strengths > KEPT).sum())


def assert_threshold(trained: Callable[[float], Any], critical: float, below: int, above: int) -> None:
    """Assert that training keeps ``below`` modes 2 per cent below a critical value, and ``above`` 2 per cent above it."""
    for factor, kept in ((0.98, below), (1.02, above)):
        found = trained(float(critical) * factor)
        assert surviving(found) == kept, f"at {factor} of {critical}: {found}"


def assert_threshold_and_planted_errors(
    trained: Callable[[float], Any], critical: float, below: int, above: int
) -> None:
    """Assert a threshold, and that one 10 per cent off is caught on either side."""
    once = lru_cache(maxsize=None)(trained)
    assert_threshold(once, critical, below, above)
    for error in (0.9, 1.1):
        with pytest.raises(AssertionError):
            assert_threshold(once, critical * error, below, above)


def start(d1: int, columns: int, scale: float = 1e-2) -> Any:
    return scale * np.random.default_rng(7).standard_normal((d1, columns))


# The trainers themselves


def assert_gradients(scale: float = 1.0) -> None:
    rng = np.random.default_rng(0)
    x, xp = (view[:40] for view in train.two_views(rng, A0, SIGMA, 30))
    W = rng.standard_normal((3, 3)) * 0.3
    chi = rng.standard_normal((30, 3))
    losses = (train.spectral(x, xp), train.infonce(x, xp, chi, 0.7), train.vicreg(x, xp, 3, 2, 1, 0.01, 0.1))
    for loss in losses:
        wrong = lambda V, loss=loss: (scale * loss(V)[0], loss(V)[1])  # noqa: E731 - a planted error
        assert train.gradient_error(wrong, W) < 1e-7


def test_gradients_of_the_trained_losses():
    """The gradients by hand are those of the sampled losses."""
    assert_gradients()
    with pytest.raises(AssertionError):
        assert_gradients(1.001)


def assert_population_values(scale: float = 1.0) -> None:
    rng = np.random.default_rng(1)
    sample = train.two_views(rng, A0, SIGMA, 20_000)
    W = 0.3 * rng.standard_normal((2, 3))
    moments = {"A0": A0, "Sigma": SIGMA}
    spectral = ss.landscape(ss.SpectralContrastive()).numpy()(W, **moments)
    np.testing.assert_allclose(train.spectral(*sample)(W)[0], scale * spectral, rtol=2e-3)
    P, M = W @ SIGMA @ W.T, W @ A0 @ W.T
    hinge = np.mean(1 - np.sqrt(np.diag(P) + 1e-4))
    vicreg = 25 * np.trace(P - M) + 25 * hinge + 2 * (P**2).sum() / 2 - 2 * (np.diag(P) ** 2).sum() / 2
    np.testing.assert_allclose(train.vicreg(*sample, 25, 25, 1, 1e-4)(W)[0], scale * vicreg, rtol=2e-3)
    short, few = 0.2 * W, train.two_views(rng, A0, SIGMA, 1000)
    infonce = ss.landscape(ss.InfoNCE(), order=8).numpy()(short, **moments)
    np.testing.assert_allclose(train.infonce(*few, few[0])(short)[0], scale * infonce, rtol=5e-3)


def test_sampled_losses_are_those_of_the_landscapes():
    """The losses trained here have the values of the population losses that the predictions are about."""
    assert_population_values()
    with pytest.raises(AssertionError):
        assert_population_values(1.01)


# Weight decay


@cache
def views(count: int, seed: int) -> tuple[Any, Any]:
    return train.two_views(np.random.default_rng(seed), A0, SIGMA, count)


def spectral_with_decay(decay: float) -> Any:
    objective = train.with_decay(train.spectral(*views(10_000, 0)), decay)
    return train.strengths(train.trained(objective, start(3, 3)), SIGMA)


def infonce_with_decay(decay: float, temperature: float = 1.0) -> Any:
    objective = train.with_decay(train.infonce(*views(500, 0), views(500, 1)[0], temperature), decay)
    return train.strengths(train.trained(objective, start(3, 3)), SIGMA)


def value(condition: Any, **numbers: float) -> float:
    """Return the solved threshold of a condition with numbers for its symbols."""
    assert condition.critical is not None, condition
    return float(condition.critical.subs({s: numbers[str(s)] for s in condition.critical.free_symbols}))


@pytest.mark.parametrize("k", [0, 1, 2])
def test_t5_weight_decay_under_the_spectral_loss(k):
    """T5: mode k of the spectral loss is lost where gamma passes twice the k-th eigenvalue of A_0, whatever Sigma is."""
    land = ss.landscape(ss.SpectralContrastive() + ss.WeightDecay(gamma))
    critical = value(ss.threshold(land, gamma).mode(k), **{f"lambda_{k}": A0[k, k]})
    np.testing.assert_allclose(ss.threshold(land, gamma, A0, SIGMA, 3).critical(k), critical, rtol=1e-8)
    assert_threshold_and_planted_errors(spectral_with_decay, critical, k + 1, k)


def test_t5_plain_gradient_descent():
    """T5: gradient descent with a fixed rate crosses the same threshold as L-BFGS, and ends at the predicted spectrum."""
    land = ss.landscape(ss.SpectralContrastive() + ss.WeightDecay(gamma))

    def descended(decay):
        objective = train.with_decay(train.spectral(*views(3000, 0)), decay)
        return train.strengths(train.by_descent(objective, start(3, 3, 0.1), rate=0.2, steps=1000), SIGMA)

    critical = ss.threshold(land, gamma, A0, SIGMA, 3).critical(1)
    assert_threshold_and_planted_errors(descended, critical, 2, 1)
    predicted = np.sort(ss.collapse(land, A0, SIGMA, 3, gamma=0.98 * critical).spectrum)[::-1]
    np.testing.assert_allclose(descended(0.98 * critical), predicted, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("k", [0, 1])
def test_t5_weight_decay_under_infonce(k):
    """T5: mode k of InfoNCE is lost where gamma passes the k-th eigenvalue of A_0, the modes before it trained."""
    land = ss.landscape(ss.InfoNCE() + ss.WeightDecay(gamma))
    critical = value(ss.threshold(land, gamma).mode(k), **{f"lambda_{k}": A0[k, k]})
    assert_threshold_and_planted_errors(infonce_with_decay, critical, k + 1, k)


# Temperature


def test_t5_temperature_at_a_weight_decay():
    """T5: at weight decay gamma, mode k of InfoNCE is lost where tau passes lambda_k / gamma."""
    condition = ss.threshold(ss.landscape(ss.InfoNCE(tau=tau) + ss.WeightDecay(gamma)), tau).mode(0)
    critical = value(condition, lambda_0=A0[0, 0], gamma=2.0)
    assert_threshold_and_planted_errors(lambda t: infonce_with_decay(2.0, t), critical, 1, 0)


def growth_of_one_more_mode(correlation, temperatures, batches=72, modes=8, common=0.8, size=1000):
    """Mean and standard error of the slope of sampled cosine NT-Xent along a mode that is not yet there, per temperature.

    The features of the mode have exact moments, independent of the others, and are averaged: E z z' = r, E z^2 = 1.
    """
    slopes = np.empty((batches, len(temperatures)))
    unit = np.eye(modes)
    for batch, row in enumerate(slopes):
        rng = np.random.default_rng(batch)
        g, gp = train.two_views(rng, common * unit, unit, 10 * size)
        G, Gp = (g**2).sum(axis=1), (gp**2).sum(axis=1)
        length = np.sqrt(G * Gp)
        # f = (g, w z): by w^2 at 0 a cosine grows by z z' / (|g| |g'|) - cos (z^2 / |g|^2 + z'^2 / |g'|^2) / 2.
        positive = (correlation / length - (g * gp).sum(axis=1) / length * (1 / G + 1 / Gp) / 2).mean()
        a, b = (train.white(rng, size // 2, modes) for _ in range(2))
        A, B = (a**2).sum(axis=1), (b**2).sum(axis=1)
        cosines = a @ b.T / np.sqrt(A[:, None] * B)
        change = -cosines * ((1 / A)[:, None] + 1 / B) / 2
        for j, temperature in enumerate(temperatures):
            kernel = np.exp(cosines / temperature)
            share = kernel / kernel.mean(axis=1, keepdims=True)
            row[j] = ((share * change).mean() - positive) / temperature
    return slopes.mean(axis=0), slopes.std(axis=0, ddof=1) / np.sqrt(batches)


def test_t7_temperature_of_the_cosine():
    """T7: beside eight isotropic modes of r = 0.8 one of r = 0.55 grows 2 per cent below the exact temperature, and decays
    2 per cent above it: the slope of the sampled NT-Xent, by more than 4 standard errors."""
    exact = isotropic_cosine(ss.NTXent(tau=tau))
    critical = exact.entry_threshold("tau", (0.05, 20.0), 8, 0.8, r_new=0.55)
    factors = np.outer([1.0, 0.9, 1.1], [0.98, 1.02])
    means, errors = growth_of_one_more_mode(0.55, critical * factors.ravel())

    def assert_crossing(at):
        below, above = (means / errors).reshape(3, 2)[at]
        assert below < -4 and above > 4, (below, above)

    assert_crossing(0)
    for planted in (1, 2):
        with pytest.raises(AssertionError):
            assert_crossing(planted)


# Augmentation


def test_t6_one_sided_augmentation():
    """T6: where only the positive is augmented, InfoNCE loses mode k as the augmentation strength passes 2 rho_k."""
    anchor, negative = ss.View("s", moment="A_0"), ss.View("sn", moment="A_0")
    positive = ss.View("xp", of=anchor)
    contrast = ss.E(sp.log(ss.E(sp.exp(-ss.sqdist(anchor, negative) / 2), over=negative)))
    land = ss.landscape(ss.Loss(ss.E(ss.sqdist(anchor, positive)) / 2 + contrast, name="one-sided"))
    symbolic = ss.threshold(land, "augmentation_strength")
    numeric = ss.threshold(land, "augmentation_strength", A0, SIGMA, 3)
    rho = np.sort(np.linalg.eigvals(np.linalg.solve(C, A0)).real)[::-1]

    def trained(strength):
        first, second = (train.one_sided_views(np.random.default_rng(n), A0, strength * C, 500) for n in (0, 1))
        return train.strengths(train.trained(train.infonce(*first, second[0]), start(3, 3)), A0)

    for k in range(3):
        critical = value(symbolic.mode(k), **{f"rho_{k}": rho[k]})
        np.testing.assert_allclose([numeric.critical(k), critical], 2 * rho[k], rtol=1e-7)
        assert_threshold_and_planted_errors(trained, critical, k + 1, k)


# Loss weights: VICReg, which counts outputs apart, away from W = 0


def vicreg_strengths(correlations: Any, d1: int, **weights: float) -> Any:
    """Train from four starts, the kink of the hinge rounded less and less; return the spectrum of least loss."""
    modes = np.asarray(correlations)
    x, xp = train.two_views(np.random.default_rng(5), np.diag(modes), np.eye(len(modes)), 500)
    rng, found = np.random.default_rng(6), []
    for _ in range(4):
        W = rng.standard_normal((d1, len(modes))) / 2
        for rounding in (0.3, 1e-2, 1e-4):
            W = W + 1e-4 * rng.standard_normal(W.shape)
            W = train.trained(train.vicreg(x, xp, **weights, rounding=rounding), W)
        found.append((train.vicreg(x, xp, **weights)(W)[0], train.strengths(W, np.eye(len(modes)))))
    return min(found, key=lambda pair: pair[0])[1]


DEFAULTS = {"lambda_": 25.0, "mu": 25.0, "nu": 1.0, "epsilon": 1e-4}
ALONG = {"lambda_": lambda_, "mu": mu, "nu": nu}


@pytest.mark.parametrize(
    ("name", "k", "correlations", "d1", "other", "kept_below"),
    [
        ("lambda_", 1, [0.9, 0.7], 2, {}, True),
        ("lambda_", 2, [0.9, 0.7, 0.5], 3, {}, True),
        ("nu", 1, [0.9, 0.7], 2, {"lambda_": 10.0}, False),
        ("mu", 0, [0.9, 0.7], 2, {"lambda_": 1.0, "epsilon": 0.25}, False),
    ],
)
def test_t9_weights_of_vicreg(name, k, correlations, d1, other, kept_below):
    """T9: sampled VICReg loses mode k at the weight that its landscape, minimised over rotations, says."""
    fixed = {**DEFAULTS, **other}
    loss = ss.VICReg(**{**fixed, name: ALONG[name]})
    rough = {"lambda_": (2.0, 60.0), "nu": (0.05, 10.0), "mu": (0.02, 5.0)}[name]
    r, unit = np.diag(correlations), np.eye(len(correlations))
    critical = ss.threshold(loss, ALONG[name], r, unit, d1, between=rough).critical(k)
    below, above = (k + 1, k) if kept_below else (k, k + 1)
    assert_threshold_and_planted_errors(
        lambda weight: vicreg_strengths(correlations, d1, **{**fixed, name: weight}), critical, below, above
    )


# Bias


def test_t8_the_bias_takes_a_dimension_of_the_spectral_loss():
    """T8: with d1 outputs and a bias, the spectral loss spends one on the constant (r = 1), and mode d1 - 1 is lost, at a
    weight decay at which it is kept without; 2 per cent above its threshold it is lost both ways."""
    land, biased = (ss.landscape(ss.SpectralContrastive() + ss.WeightDecay(gamma), bias=bias) for bias in (False, True))
    sample = views(3000, 0)
    with_one = tuple(map(train.constant_feature, sample))

    def trained(decay, d1, bias):
        objective = train.spectral(*(with_one if bias else sample))

        def decayed(W):  # the bias, the last column, does not decay
            value, slope = objective(W)
            weights = np.where(np.arange(W.shape[1]) < 3, W, 0.0)
            return value + decay * (weights**2).sum(), slope + 2 * decay * weights

        W = train.trained(decayed, start(d1, 3 + bias, 0.1))
        return train.strengths(W[:, :3], SIGMA)

    critical = ss.threshold(land, gamma, A0, SIGMA, 2).critical(1)
    assert_threshold_and_planted_errors(lambda decay: trained(decay, 2, False), critical, 2, 1)
    for factor in (0.98, 1.02):
        assert surviving(trained(factor * critical, 2, True)) == 1
        predicted = ss.collapse(biased, A0, SIGMA, 2, gamma=factor * critical)
        assert predicted.surviving == 2 and any("constant" in note for note in predicted.notes)
    # One more output brings mode 1 back, at the threshold that it has without a bias.
    assert_threshold_and_planted_errors(lambda decay: trained(decay, 3, True), critical, 2, 1)


def test_t8_infonce_ignores_the_bias():
    """T8: distances do not change with a bias, so that it takes no dimension of InfoNCE."""
    sample = [train.constant_feature(view) for view in (*views(100, 0), views(100, 1)[0])]
    W = start(2, 4, 0.5)
    objective = train.infonce(*sample)
    assert np.abs(objective(W)[1][:, -1]).max() < 1e-12
    assert np.abs(train.spectral(*sample[:2])(W)[1][:, -1]).max() > 1e-2
    assert ss.landscape(ss.InfoNCE(), bias=True).hessian.B == ss.landscape(ss.InfoNCE()).hessian.B


# Class probability


def class_strength(loss: str, probability: float, decay: float) -> Any:
    """|W m_c|^2 of the last of three orthogonal classes of strength 1, the others too weak to be kept."""
    # Class c is sqrt(pi_c |m_c|^2) along its own direction: points +m_c and -m_c, as often as pi_c says to 1 in 5000.
    rows = 5000 if loss == "spectral" else 1000
    rare = round(probability * rows / 2)
    counts = [rows // 4, rows // 2 - rows // 4 - rare, rare]
    means = np.diag(np.sqrt([0.1, 0.1, 1.0]))
    clean = np.concatenate([np.repeat([m, -m], n, axis=0) for m, n in zip(means, counts, strict=True)])
    rng = np.random.default_rng(4)
    noisy = [clean + 0.01 * rng.standard_normal(clean.shape) for _ in range(3)]
    objective = train.spectral(*noisy[:2]) if loss == "spectral" else train.infonce(*noisy)
    W = train.trained(train.with_decay(objective, decay), start(3, 3, 0.1))
    return [float(np.sum(W[:, 2] ** 2))]


@pytest.mark.parametrize(("loss", "made"), [("spectral", ss.SpectralContrastive()), ("InfoNCE", ss.InfoNCE())])
def test_t10_class_probability(loss, made):
    """T10: with weight decay a class is lost where its probability falls below the threshold that is derived."""
    origin = ss.class_threshold(made + ss.WeightDecay(gamma)).origin
    strength, _ = sorted(origin.free_symbols, key=lambda s: s == gamma)
    decay = 0.2 if loss == "spectral" else 0.1
    critical = float(origin.subs({strength: 1, gamma: decay}))
    assert_threshold_and_planted_errors(lambda pi: class_strength(loss, pi, decay), critical, 0, 1)
