"""X5: how fast modes leave the origin, in which order, and when they arrive; each beside a wrong formula that must fail."""

from functools import lru_cache

import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape.conditions.growth.growth import gradient_flow, growth_rates, logistic
from symscape.conditions.growth.mode_growth import part, q_0, q_k, time_of_flow

x, chi, E = ss.anchor, ss.negative, ss.E
tau, gamma = sp.symbols("tau gamma", positive=True)
a, b = sp.symbols("a b", positive=True)
lambda_k, sigma_k = sp.Symbol("lambda_k", real=True), sp.Symbol("sigma_k", positive=True)

#: Commuting moments turned by a common rotation: mode 1 has more variance, mode 0 more that views share; mode 3 decays.
TURN = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
A0, SIGMA = TURN @ np.diag([1.0, 0.6, 0.3, 0.05]) @ TURN.T, TURN @ np.diag([1.2, 2.0, 0.5, 1.0]) @ TURN.T
#: Moments that do not commute.
MIXED = SIGMA + 0.4 * np.outer(TURN[:, 0] + TURN[:, 2], TURN[:, 0] + TURN[:, 2])
LAND = ss.landscape(ss.InfoNCE() + ss.WeightDecay(sp.Rational(1, 10)))


def aligned(found, scale):
    """Weights whose columns along the modes are orthogonal, each of length ``scale``, turned by a rotation of the outputs."""
    return scale * np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0] @ found.directions


def assert_logistic(solution, time):
    """Assert that q(t) solves dq/dt = a q - b q^2 from q_0, and reaches the part of a/b at that time."""
    assert sp.simplify(solution.diff(time_of_flow) - a * solution + b * solution**2) == 0
    assert sp.simplify(solution.subs(time_of_flow, 0) - q_0) == 0
    values = {a: 1.3, b: 0.7, q_0: 0.01, part: 0.9}
    assert float(solution.subs(time_of_flow, time).subs(values)) == pytest.approx(0.9 * 1.3 / 0.7, rel=1e-12)


def test_x5_one_mode_is_a_logistic():
    """X5: dq/dt = a q - b q^2 is solved by the logistic, and reaches a part f of a/b at log((q_inf/q_0 - 1) f/(1 - f)) / a."""
    solution, time = logistic()
    assert_logistic(solution, time)
    by_hand = sp.log((a / (b * q_0) - 1) * part / (1 - part)) / a
    assert_logistic(solution, by_hand)
    for wrong in ((sp.Rational(21, 20) * solution, time), (solution, sp.Rational(21, 20) * time)):
        with pytest.raises(AssertionError):
            assert_logistic(*wrong)


def assert_flow(found, kappa, alpha):
    """Assert, for p = sigma q, dp/dt = 4 kappa p - 8 alpha sigma p^2, and the time of THEORY's X5."""
    p = sigma_k * q_k
    assert sp.expand(sigma_k * found.flow - 4 * kappa * p + 8 * alpha * sigma_k * p**2) == 0
    assert sp.simplify(found.weight_rate - 2 * kappa) == 0
    p_end, p_start = kappa / (2 * alpha * sigma_k), sigma_k * q_0
    assert sp.simplify(sigma_k * found.plateau - p_end) == 0
    time = sp.log((p_end / p_start - 1) * part / (1 - part)) / (4 * kappa)
    values = {tau: 0.7, gamma: 0.2, lambda_k: 0.9, sigma_k: 1.4, q_0: 0.001, part: 0.3}
    assert float(found.time.subs(values)) == pytest.approx(float(time.subs(values)), rel=1e-12)


SYMBOLIC = {
    # B = A_0 / tau - gamma, alpha = 3 / (4 tau^2).
    "InfoNCE with weight decay": (ss.InfoNCE(tau=tau) + ss.WeightDecay(gamma), lambda_k / tau - gamma, 3 / (4 * tau**2)),
    "spectral": (ss.SpectralContrastive(), 2 * lambda_k, sp.S.One),
    # A user's own: |f|^2 pulls with Sigma.
    "own": (
        ss.Loss(E(ss.dot(x, chi) ** 2) + E(ss.sqdist(x, ss.positive)) - 3 * E(ss.sqnorm(x))),
        2 * lambda_k + sigma_k, sp.S.One,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SYMBOLIC)
def test_x5_rates_and_times_in_symbols(name):
    """X5: where modes decouple p obeys dp/dt = 4 kappa p - 8 alpha sigma p^2, kappa the eigenvalue of B along the mode."""
    loss, kappa, alpha = SYMBOLIC[name]
    found = growth_rates(ss.landscape(loss))
    assert_flow(found, kappa, alpha)
    for wrong in ((sp.Rational(21, 20) * kappa, alpha), (kappa, sp.Rational(21, 20) * alpha)):
        with pytest.raises(AssertionError):
            assert_flow(found, *wrong)


def assert_rates(land, Sigma, rates, tolerance):
    """Assert that near the origin log |W u_k| grows with the given slopes, from a W that is small and in general position."""
    found = growth_rates(land, A0, Sigma, d1=3)
    W0 = 1e-7 * np.random.default_rng(2).standard_normal((3, 4))
    flow = gradient_flow(land, W0, np.linspace(0, 2, 5), A0, Sigma)
    slopes = np.diff(np.log(flow.along(found.directions)), axis=0) / (2 * 0.5)
    assert np.allclose(slopes, rates, atol=tolerance, rtol=0), f"{slopes} is not {rates}"


@pytest.mark.parametrize("Sigma", [SIGMA, MIXED], ids=["commuting", "not commuting"])
def test_x5_weights_grow_with_the_eigenvalues_of_b(Sigma):
    """X5: |W u_k| grows like e^{2 kappa t}, kappa the eigenvalues of B itself, whether or not Sigma commutes with it."""
    # By hand: eigenvalues of A_0 less 1/10. The last decays.
    rates = 2 * (np.array([1.0, 0.6, 0.3, 0.05]) - 0.1)
    found = growth_rates(LAND, A0, Sigma, d1=3)
    assert np.allclose(found.weight_rates, rates) and found.kappa[-1] < 0
    assert_rates(LAND, Sigma, rates, 1e-6)
    pencil = 2 * np.sort(np.linalg.eigvals(np.linalg.solve(Sigma, A0 - 0.1 * np.eye(4))).real)[::-1]
    for wrong in (1.05 * rates, pencil):
        with pytest.raises(AssertionError):
            assert_rates(LAND, Sigma, wrong, 1e-6)


def assert_times(land, times, fraction, tolerance, scale=1e-3):
    """Assert that from aligned weights the strength of every growing mode is that fraction of its plateau at its time."""
    found = growth_rates(land, A0, SIGMA, d1=4, scale=scale, fraction=fraction)
    order = np.argsort(times)
    flow = gradient_flow(land, aligned(found, scale), times[order], A0, SIGMA)
    sigma = np.einsum("ki,ij,kj->k", found.directions, SIGMA, found.directions)
    reached = [sigma[k] * flow.along(found.directions)[i, k] / found.plateau[k] for i, k in enumerate(order)]
    assert np.allclose(reached, fraction, atol=tolerance, rtol=0), f"{reached} is not {fraction}"


@pytest.mark.parametrize("fraction", [0.5, 0.9])
def test_x5_times_to_the_plateau(fraction):
    """X5: decoupled modes reach a part of their plateau at the predicted time, to 1e-6, in the order of kappa."""
    found = growth_rates(LAND, A0, SIGMA, d1=4, scale=1e-3, fraction=fraction)
    assert not found.approximate and found.times[3] == np.inf and (np.diff(found.times[:3]) > 0).all()
    # p_inf = kappa / (2 alpha sigma), alpha = 3/4.
    assert np.allclose(found.plateau, np.array([0.9 / 1.2, 0.5 / 2.0, 0.2 / 0.5, 0.0]) / 1.5)
    assert_times(LAND, found.times[:3], fraction, 1e-6)
    for wrong in (1.05 * found.times[:3], found.times[:3] + 0.01):
        with pytest.raises(AssertionError):
            assert_times(LAND, wrong, fraction, 1e-6)


def test_x5_a_higher_order_is_no_logistic():
    """X5: words of one trace decouple at any order; where the flow is no logistic, time is a quadrature."""
    # -2 Tr M + Tr P^2 + Tr P^3, invented here: E (f.f(chi))^2 and a chain of three negatives.
    chi2 = ss.View("chi2")
    chain = E(ss.dot(x, chi) * ss.dot(chi, chi2) * ss.dot(chi2, x))
    land = ss.landscape(ss.SpectralContrastive() + ss.Loss(chain), order=6)
    found = growth_rates(land, A0, SIGMA, d1=4, scale=1e-3)
    assert_times(land, found.times, 0.5, 1e-6)
    with pytest.raises(AssertionError):
        assert_times(
            land, growth_rates(ss.landscape(ss.SpectralContrastive()), A0, SIGMA, 4, scale=1e-3).times, 0.5, 1e-6
        )
    assert growth_rates(land).time is None


def test_x5_the_flow_ends_at_the_predicted_spectrum():
    """X5: the flow descends, and ends at the minimum that `collapse` finds, also where the matrices do not commute."""
    W0 = 1e-2 * np.random.default_rng(4).standard_normal((3, 4))
    flow = gradient_flow(LAND, W0, [0.0, 5.0, 50.0, 2000.0], A0, MIXED)
    assert (np.diff(flow.loss) < 1e-12).all()
    predicted = np.sort(ss.collapse(LAND, A0=A0, Sigma=MIXED, d1=3).spectrum)[::-1][:3]
    assert np.allclose(flow.spectra[-1], predicted, atol=1e-6)
    with pytest.raises(AssertionError):
        assert np.allclose(flow.spectra[-1], 1.05 * predicted, atol=1e-6)


def test_x5_order_of_learning_is_not_the_order_of_survival():
    """X5: kappa orders learning and b survival: with one output a mode of more variance is learned first, and then replaced."""
    # kappa = 1 and 0.5, b = kappa / sigma = 0.25 and 0.5.
    cross, sigma = np.diag([1.0, 0.5]), np.diag([4.0, 1.0])
    land = ss.landscape(ss.InfoNCE())
    found = growth_rates(land, cross, sigma, d1=1, scale=1e-4)
    assert np.argmax(np.abs(found.directions), axis=1).tolist() == [0, 1] and np.isnan(found.times[1])
    assert any("replace" in line for line in found.assumptions)
    flow = gradient_flow(land, [[1e-4, 1e-4]], [1.5 * found.times[0], 500.0], cross, sigma)
    early, late = flow.along(found.directions) * np.diagonal(sigma)
    assert early[0] > 100 * early[1] and late[1] > 100 * late[0]


def test_x5_what_couples_is_marked():
    """X5: where modes couple (matrices that do not commute, products of traces, outputs apart) times are marked approximate."""
    assert growth_rates(LAND, A0, MIXED, d1=3, scale=1e-3).approximate
    for loss in (ss.NTXent(epsilon=1), ss.InfoNCE(n=8), ss.VICReg()):
        land = ss.landscape(loss)
        assert growth_rates(land, A0, SIGMA, d1=3, scale=1e-3).approximate and growth_rates(land).time is None
    assert not growth_rates(ss.landscape(ss.BarlowTwins()), A0, SIGMA, d1=3, scale=1e-3).approximate


def test_x5_learning_rate_is_time_per_step():
    """X5: SGD with step eta advances time by eta a step, by eta / (1 - momentum) with momentum: discrete descent agrees."""
    found = growth_rates(LAND, A0, SIGMA, d1=4, scale=1e-3)
    eta = 1e-3
    steps = found.steps(eta)
    assert np.allclose(steps[:3] * eta, found.times[:3]) and np.allclose(found.steps(eta, 0.9)[:3], 0.1 * steps[:3])
    gradient, W = LAND.numpy().gradient, aligned(found, 1e-3)
    for _ in range(round(steps[0])):
        W = W - eta * gradient(W, A0=A0, Sigma=SIGMA)
    u = found.directions[0]
    assert (u @ SIGMA @ u) * np.sum((W @ u) ** 2) / found.plateau[0] == pytest.approx(0.5, abs=0.01)


def sampled_gradient(W, x, y):
    """Gradient in W of Euclidean InfoNCE on a batch at tau = 1: view x_i against y_i and the other y_j, by hand.

    d(-|W v|^2 / 2)/dW = -W v v^T; the softmax weights the v = x_i - y_j.
    """
    f, g = x @ W.T, y @ W.T
    logits = f @ g.T - (f**2).sum(1)[:, None] / 2 - (g**2).sum(1) / 2
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    cross = x.T @ weights @ y
    spread = x.T @ x + (y * weights.sum(0)[:, None]).T @ y - cross - cross.T
    return W @ ((x - y).T @ (x - y) - spread) / len(x)


def batch(rng, size, cross, sigma):
    """Two views of Gaussian data with these (diagonal) moments."""
    s = rng.standard_normal((size, len(cross))) * np.sqrt(cross)
    noise = rng.standard_normal((2, size, len(cross))) * np.sqrt(sigma - cross)
    return s + noise[0], s + noise[1]


CROSS, SPREAD = np.array([1.0, 0.5, 0.2]), np.array([1.5, 1.5, 1.0])


@lru_cache
def sampled_rates(draws=4000, size=128):
    """Rates at which the sampled gradient pushes small weights, a row per batch."""
    rng, W = np.random.default_rng(6), 0.01 * np.eye(3)
    return np.array([-np.diagonal(sampled_gradient(W, *batch(rng, size, CROSS, SPREAD))) / 0.01 for _ in range(draws)])


def assert_sampled_rates(kappa):
    """Assert, within 4 standard errors, that the sampled gradient of InfoNCE at small W is -2 kappa W u along each mode."""
    draws = sampled_rates()
    error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    deviation = (draws.mean(axis=0) - 2 * kappa) / error
    assert (np.abs(deviation) < 4).all(), f"{deviation} standard errors"


def test_x5_rates_of_the_sampled_loss():
    """X5: the loss as practitioners code it pushes small weights with rate 2 kappa, n/(n + 1) of finite batches included."""
    land = ss.landscape(ss.InfoNCE(n=127))
    kappa = growth_rates(land, np.diag(CROSS), np.diag(SPREAD), d1=3).kappa
    assert np.allclose(kappa, 127 / 128 * CROSS)
    assert_sampled_rates(kappa)
    for k in range(3):
        with pytest.raises(AssertionError):
            assert_sampled_rates(kappa * np.where(np.arange(3) == k, 1.05, 1.0))


def test_x5_sgd_learns_modes_in_order():
    """X5: SGD on the sampled loss, fresh batches, brings modes to half their plateau in the predicted order, about in time."""
    rng, eta = np.random.default_rng(7), 0.05
    found = growth_rates(ss.landscape(ss.InfoNCE()), np.diag(CROSS), np.diag(SPREAD), d1=3, scale=0.01)
    W, history = 0.01 * np.linalg.qr(rng.standard_normal((3, 3)))[0], []
    for _ in range(round(1.5 * found.steps(eta)[2])):
        history.append((W**2).sum(axis=0) * SPREAD)
        W = W - eta * sampled_gradient(W, *batch(rng, 128, CROSS, SPREAD))
    half = np.array([np.argmax(np.array(history)[:, k] > found.plateau[k] / 2) for k in range(3)])
    assert (np.diff(half) > 0).all() and np.allclose(half / found.steps(eta), 1, atol=0.25)


def test_x5_bad_input():
    """X5: what cannot be followed is refused in words."""
    land = ss.landscape(ss.InfoNCE(tau=tau))
    for arguments, message in (
        ({"A0": A0}, "Sigma is missing"),
        ({"A0": A0, "Sigma": SIGMA, "d1": 2}, "no value for tau"),
        ({"A0": A0, "Sigma": SIGMA, "d1": 2, "tau": 1, "scale": -1.0}, "positive"),
        ({"A0": A0, "Sigma": SIGMA, "d1": 2, "tau": 1, "scale": [1.0, 2.0]}, "one per mode"),
        ({"fraction": 1.0}, "between 0 and 1"),
        ({"scale": 0.1}, "needs numbers"),
        ({"sigma": 2}, "no parameter 'sigma'"),
    ):
        with pytest.raises(ss.InputError, match=message):
            growth_rates(land, **arguments)
    with pytest.raises(ss.InputError, match="that of landscape"):
        growth_rates(ss.InfoNCE())
    with pytest.raises(ss.InputError, match="runs off"):
        gradient_flow(ss.landscape(-ss.SpectralContrastive()), np.ones((2, 4)), [50.0], A0, SIGMA)
    with pytest.raises(ss.InputError, match="ascend"):
        gradient_flow(LAND, np.ones((2, 4)), [1.0, 0.5], A0, SIGMA)
    with pytest.raises(ss.InputError, match="pass scale="):
        growth_rates(LAND, A0, SIGMA, d1=2).steps(0.1)
