"""T7: the exact isotropic cosine, against quadrature and the sampled loss."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from cosine_losses import LOSSES, t
from scipy.special import roots_genlaguerre, roots_hermitenorm

from symscape.spectrum.cosine.isotropic import isotropic_cosine, r
from symscape.spectrum.cosine.moments import k, pair_mean, sphere_mean

CORRELATIONS = np.array([0.95, 0.9, 0.8, 0.7, 0.65, 0.3])


def quadrature_mean(h, modes, rho, nodes=60):
    """E h(|g|, |g'|, cos) by Gauss rules: |g|^2, then g' along g (a normal) and across it (chi^2 of modes - 1)."""
    u, wu = roots_genlaguerre(nodes, modes / 2 - 1)
    z, wz = roots_hermitenorm(nodes)
    v, wv = roots_genlaguerre(nodes, (modes - 1) / 2 - 1)
    a = np.sqrt(2 * u)[:, None, None]
    along = rho * a + np.sqrt(1 - rho**2) * z[:, None]
    b = np.sqrt(along**2 + (1 - rho**2) * 2 * v)
    weights = wu[:, None, None] * wz[:, None] * wv
    return (weights * h(a, b, along / b)).sum() / weights.sum()


def assert_pair_mean(power, alpha, beta, scale=1.0):
    c = sp.Symbol("c", real=True)
    expr = pair_mean(c**power, c, r, alpha, beta)
    for modes, rho in ((7, 0.8), (8, -0.4)):
        found = sp.lambdify((k, r), expr, "mpmath")(modes, mpmath.mpf(rho))
        direct = quadrature_mean(lambda a, b, c: a**alpha * b**beta * c**power, modes, rho)
        np.testing.assert_allclose(float(found) * scale, direct, rtol=5e-5)


@pytest.mark.parametrize(
    ("power", "alpha", "beta"), [(0, -1, -1), (1, 0, 0), (1, -2, 0), (2, 0, -1), (3, 1, -1), (2, -2, 0)]
)
def test_moments_of_norms_and_cosines(power, alpha, beta):
    """T7: E |g|^a |g'|^b cos^m of two Gaussian vectors is hypergeometric in r^2, as quadrature over norms and angle says."""
    assert_pair_mean(power, alpha, beta)
    with pytest.raises(AssertionError):
        assert_pair_mean(power, alpha, beta, scale=1.001)


def test_functions_without_closed_form_are_integrals():
    """T7: the joint density of norms and angle serves any function; on powers the integral is the closed form."""
    c = sp.Symbol("c", real=True)
    smooth = sp.lambdify((k, r), pair_mean(sp.tanh(c), c, r, -1, -1), "mpmath")(7, mpmath.mpf("0.8"))
    direct = quadrature_mean(lambda a, b, c: np.tanh(c) / (a * b), 7, 0.8)
    np.testing.assert_allclose(float(smooth), direct, rtol=2e-5)
    sphere = sp.lambdify((k, t), sphere_mean(c**2 * sp.exp(-t * c), c), "mpmath")(5, mpmath.mpf("1.3"))
    weight = lambda u: 1 - u**2  # noqa: E731 - the density of a cosine in five dimensions
    mean = mpmath.quad(lambda u: u**2 * mpmath.exp(-1.3 * u) * weight(u), [-1, 1]) / mpmath.quad(weight, [-1, 1])
    np.testing.assert_allclose(float(sphere), float(mean), rtol=1e-12)


def assert_sign_loss(scale=1.0):
    exact = isotropic_cosine(LOSSES["NT-Xent"])
    for rho, temperature in ((0.2, 0.5), (0.7, 0.1), (-0.6, 2.0)):
        found = exact.evaluate(exact.value, 1, rho, tau=temperature)
        expected = -2 / np.pi * np.arcsin(rho) / temperature + np.log(np.cosh(1 / temperature))
        np.testing.assert_allclose(float(found), scale * expected, rtol=1e-12)


def test_one_output_is_a_sign():
    """T7, d1 = 1: L = -(2/pi) arcsin(r_w)/tau + log cosh(1/tau); it falls with r_w, so that the stationary points are the
    canonical directions, and only the top one is a minimum."""
    assert_sign_loss()
    with pytest.raises(AssertionError):
        assert_sign_loss(scale=1.001)

    def loss(w):
        return -np.arcsin(w**2 @ CORRELATIONS / (w @ w))

    step, minima = 1e-4, []
    for mode, w in enumerate(np.eye(6)):
        around = [[loss(w + s * step * e) - loss(w) for s in (1, -1)] for e in np.delete(np.eye(6), mode, axis=0)]
        assert np.abs([up - down for up, down in around]).max() < 1e-12
        minima.append(all(up + down > 0 for up, down in around))
    assert minima == [True] + [False] * 5


def sampled_cosine_loss(rng, modes, rho, rho_new, temperature, deltas, batches=30, size=512, positives=16000):
    """NT-Xent of f = (sqrt(1 - delta) g, sqrt(delta) z) per batch and delta, common random numbers; the O(1/N) bias of
    log mean exp is removed by halves. Inner products are linear in delta, so that delta < 0 has a value too."""
    scales = np.append(np.full(modes, modes**-0.5), 1.0)
    correlations = np.append(np.full(modes, rho), rho_new)

    def draw(count):
        return rng.standard_normal((count, modes + 1)) * scales

    values = np.empty((batches, len(deltas)))
    for row in values:
        first = draw(positives)
        second = correlations * first + np.sqrt(1 - correlations**2) * draw(positives)
        a, b = draw(size), draw(size)
        for j, delta in enumerate(deltas):
            weights = np.append(np.full(modes, 1 - delta), delta)
            na, nb, n1, n2 = (np.sqrt(u**2 @ weights) for u in (a, b, first, second))
            kernel = np.exp((a * weights) @ b.T / na[:, None] / nb / temperature)
            halves = kernel[:, ::2].mean(axis=1), kernel[:, 1::2].mean(axis=1)
            contrast = 2 * np.log((halves[0] + halves[1]) / 2) - (np.log(halves[0]) + np.log(halves[1])) / 2
            row[j] = contrast.mean() - ((first * second) @ weights / n1 / n2).mean() / temperature
    return values


def assert_value_sampled(scale=1.0):
    exact = isotropic_cosine(LOSSES["NT-Xent"])
    values = sampled_cosine_loss(np.random.default_rng(11), 6, 0.8, 0.0, 0.5, [0.0])[:, 0]
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean() - scale * float(exact.evaluate(exact.value, 6, 0.8, tau=0.5))) < 4 * error


def test_isotropic_value_is_the_sampled_loss():
    """T7: the closed form at k equal modes is the sampled cosine NT-Xent loss, in standard errors."""
    assert_value_sampled()
    with pytest.raises(AssertionError):
        assert_value_sampled(scale=1.02)


def slope_in_standard_errors(rng, rho_new, temperature):
    """The derivative by delta at 0 of the sampled loss of 8 modes at r = 0.8, in standard errors."""
    step = 1e-3
    values = sampled_cosine_loss(rng, 8, 0.8, rho_new, temperature, [step, -step], batches=24)
    slopes = (values[:, 0] - values[:, 1]) / (2 * step)
    return slopes.mean() / (slopes.std(ddof=1) / np.sqrt(len(slopes)))


def assert_entry_in_correlation(threshold):
    """Assert that one more mode decays 5 per cent below the threshold in r_new, and grows 5 per cent above it."""
    rng = np.random.default_rng(21)
    assert slope_in_standard_errors(rng, 0.95 * threshold, 0.5) > 3
    assert slope_in_standard_errors(rng, 1.05 * threshold, 0.5) < -3


def test_one_more_mode_enters_at_the_exact_correlation():
    """T7: beside k isotropic modes a mode of correlation r' enters the sampled loss at the exact r'* and nowhere else."""
    exact = isotropic_cosine(LOSSES["NT-Xent"])
    threshold = float(exact.evaluate(exact.entry_correlation, 8, 0.8, tau=0.5))
    assert_entry_in_correlation(threshold)
    with pytest.raises(AssertionError):
        assert_entry_in_correlation(1.1 * threshold)
    # By hand: (1/tau) [-r' E 1/(|g||g'|) + E cos/|g|^2 - k/(k-2) I_{k/2}(1/tau)/I_{k/2-1}(1/tau)], here at k = 8.
    J1, J2 = (8 * quadrature_mean(h, 8, 0.8) for h in (lambda a, b, c: 1 / (a * b), lambda a, b, c: c / a**2))
    bessel = float(mpmath.besseli(4, 2) / mpmath.besseli(3, 2))
    np.testing.assert_allclose(threshold, (J2 - 8 / 6 * bessel) / J1, rtol=1e-6)


def assert_entry_in_temperature(threshold):
    """Assert that one more mode grows 9 per cent below the threshold in tau, and decays 9 per cent above it."""
    rng = np.random.default_rng(22)
    assert slope_in_standard_errors(rng, 0.55, 0.91 * threshold) < -3
    assert slope_in_standard_errors(rng, 0.55, 1.09 * threshold) > 3


def test_one_more_mode_enters_at_the_exact_temperature():
    """T7: a mode of correlation r' = 0.55 leaves the sampled loss as the temperature rises through tau*."""
    exact = isotropic_cosine(LOSSES["NT-Xent"])
    threshold = exact.entry_threshold("tau", (0.05, 20.0), 8, 0.8, r_new=0.55)
    assert_entry_in_temperature(threshold)
    with pytest.raises(AssertionError):
        assert_entry_in_temperature(1.1 * threshold)
