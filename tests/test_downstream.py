"""T11, when collapse helps: least squares on k of d modes, predicted and run."""

import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape.conditions.downstream import (
    N,
    bias,
    collapse_helps,
    d,
    k,
    least_squares_risk,
    simulate_least_squares,
    v,
)

rng = np.random.default_rng(31)
FEATURES = rng.standard_normal((6, 6))
# Moments that do not commute; the clean datum has E[s s^T] = A0.
A0 = FEATURES @ np.diag([3, 2, 1.5, 1, 0.3, 0.2]) @ FEATURES.T
SIGMA = A0 + np.diag([1.0, 0.5, 2.0, 1.0, 1.5, 0.8])
THETA = np.array([0.5, -0.4, 0.3, 0.2, -0.1, 0.3])


def assert_same(found, expected):
    """Assert that two expressions are equal identically."""
    assert sp.simplify(found - expected) == 0, f"{found} is not {expected}"


EXCESS = {
    # Excess of OLS with Gaussian design (Breiman and Freedman, 1983): noise (1 + k / (N - k - 1)), less v.
    "collapsed_excess": (v + bias) * (1 + k / (N - k - 1)) - v,
    "full_excess": v * d / (N - d - 1),
    "inverse_trace": k / (N - k - 1),
    "samples_below": d + 1 + (d - k) * v / bias,
}


@pytest.mark.parametrize("name", EXCESS)
def test_t11_expected_risks(name):
    """T11: k kept modes have the excess risk (v + bias)(1 + k/(N-k-1)) - v, and win below N = d + 1 + (d-k) v / bias."""
    assert_same(getattr(least_squares_risk(), name), EXCESS[name])
    with pytest.raises(AssertionError):
        assert_same(getattr(least_squares_risk(), name), EXCESS[name] + (v + bias) / (10 * N))


def test_t11_collapse_wins_where_the_difference_of_risks_is_positive():
    """T11: full less collapsed excess has the sign of (d-k)/(N-d-1) - bias/v, the rest being positive for N > d + 1 > k + 1."""
    found = least_squares_risk()
    gap = found.full_excess - found.collapsed_excess
    tie = found.condition.rhs - found.condition.lhs
    assert_same(gap, v * tie * (N - 1) / (N - k - 1))
    with pytest.raises(AssertionError):
        assert_same(gap, v * (tie + found.condition.lhs / 10) * (N - 1) / (N - k - 1))


def test_t11_mean_inverse_wishart_by_quadrature():
    """T11: the mean of one over chi-square of m = N - k + 1 degrees of freedom is 1/(N - k - 1), by quadrature at N=9, k=3."""
    import mpmath

    m = 9 - 3 + 1
    scale = 2 ** (mpmath.mpf(m) / 2) * mpmath.gamma(mpmath.mpf(m) / 2)
    mean = mpmath.quad(lambda x: x ** (mpmath.mpf(m) / 2 - 2) * mpmath.exp(-x / 2) / scale, [0, 1, 5, 20, 100])
    assert_same(sp.Float(3 * mean, 10), sp.Float(least_squares_risk().inverse_trace.subs({N: 9, k: 3}), 10))
    with pytest.raises(AssertionError):
        assert_same(sp.Float(3.3 * mean, 10), sp.Float(least_squares_risk().inverse_trace.subs({N: 9, k: 3}), 10))


def test_t11_one_mode_by_hand():
    """T11: with one mode, theta = 1, A_0 = 1, Sigma = 2: r = 1/2, t = sqrt 2, so v = sigma^2 + 1/2 and losing it costs 1/2."""
    report = collapse_helps([[1.0]], [[2.0]], [1.0], noise=1.0, samples=5, kept=0)
    np.testing.assert_allclose([report.r[0], abs(report.t[0])], [0.5, np.sqrt(2)])
    # E y^2 = sigma^2 + theta A_0 theta = 2 = v + bias.
    np.testing.assert_allclose([report.noise_left, report.bias], [1.5, 0.5])
    np.testing.assert_allclose([report.full_excess, report.collapsed_excess], [1.5 / 3, 0.5])
    np.testing.assert_allclose(report.samples_below, 2 + 1.5 / 0.5)


def test_t11_label_variance_is_kept_bias_and_rest():
    """T11: E y^2 = sigma^2 + theta^T A_0 theta splits into the signal of all modes and v, whatever the moments."""
    report = collapse_helps(A0, SIGMA, THETA, noise=0.7, samples=20, kept=2)
    total = 0.7**2 + THETA @ A0 @ THETA
    np.testing.assert_allclose(report.noise_left + np.sum((report.r * report.t) ** 2), total)
    # v is the residual of the best linear predictor Sigma^{-1} A_0 theta.
    g = np.linalg.solve(SIGMA, A0 @ THETA)
    np.testing.assert_allclose(report.noise_left, total - g @ SIGMA @ g)


def assert_predicted(kept, samples, noise, factor=1.0):
    """Assert that collapsed and full excess risks agree with 4000 repeats to 4 standard errors."""
    report = collapse_helps(A0, SIGMA, THETA, noise, samples, kept)
    generator = np.random.default_rng(8)
    for modes, expected in ((kept, report.collapsed_excess), (None, report.full_excess)):
        run = simulate_least_squares(A0, SIGMA, THETA, noise, samples, modes, rng=generator, repeats=4000)
        assert abs(run.deviation(factor * expected)) < 4, f"{run} against {factor * expected}"
    return report


@pytest.mark.parametrize(("kept", "samples", "noise"), [(2, 16, 3.0), ([0, 1, 3], 40, 0.2)])
def test_t11_prediction_against_experiment(kept, samples, noise):
    """T11: drawn pairs, least squares and the exact risk of the fit give the predicted excess, collapsed and full."""
    assert_predicted(kept, samples, noise)
    for factor in (0.9, 1.1):
        with pytest.raises(AssertionError):
            assert_predicted(kept, samples, noise, factor)


def assert_same_side(report, gap, error):
    """Assert that the full less the collapsed risk is clearly positive where collapse is said to help, negative elsewhere."""
    assert abs(gap) > 4 * error
    assert report.helps == (gap > 0) == (report.samples < report.samples_below)


def test_t11_both_sides_of_the_condition():
    """T11: below N = d + 1 + (d - k) v / bias the experiment prefers the collapsed representation, above the full one."""
    gaps = []
    below = collapse_helps(A0, SIGMA, THETA, noise=0.3, samples=20, kept=3).samples_below
    for samples in (int(0.6 * below), int(2 * below)):
        report = collapse_helps(A0, SIGMA, THETA, noise=0.3, samples=samples, kept=3)
        runs = [
            simulate_least_squares(A0, SIGMA, THETA, 0.3, samples, m, rng=np.random.default_rng(samples), repeats=2000)
            for m in (3, None)
        ]
        gap = runs[1].mean - runs[0].mean
        error = np.hypot(runs[0].standard_error, runs[1].standard_error)
        assert_same_side(report, gap, error)
        with pytest.raises(AssertionError):
            assert_same_side(report, -gap, error)
        gaps.append(gap)
    assert gaps[0] > 0 > gaps[1]


def test_t11_the_null_space_of_sigma_is_no_mode():
    """T11: a feature that never varies changes nothing."""
    wide = np.zeros((7, 7))
    wide[:6, :6] = A0
    wider = np.zeros((7, 7))
    wider[:6, :6] = SIGMA
    narrow = collapse_helps(A0, SIGMA, THETA, 1.0, 20, 3)
    found = collapse_helps(wide, wider, [*THETA, 5.0], 1.0, 20, 3)
    np.testing.assert_allclose(found.collapsed_excess, narrow.collapsed_excess)
    assert len(found.r) == 6


def test_t11_few_samples():
    """T11: for k + 1 < N <= d + 1 all modes have an infinite expected risk; for N <= k + 1 the kept ones, too."""
    report = collapse_helps(A0, SIGMA, THETA, noise=1.0, samples=7, kept=2)
    assert report.full_excess == np.inf and report.helps and "infinite" in str(report)
    with pytest.raises(ss.InputError, match="infinite for N <= k \\+ 1; take samples >= 4"):
        collapse_helps(A0, SIGMA, THETA, noise=1.0, samples=3, kept=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"theta": [1.0]}, "theta has shape"),
        ({"noise": -1.0}, "noise=-1.0"),
        ({"kept": 9}, "kept=9"),
        ({"kept": [0, 0]}, "different places"),
        ({"samples": 2.5}, "samples=2.5"),
        ({"A0": 2 * SIGMA}, "positive semidefinite"),
        ({"A0": -0.1 * SIGMA}, "canonical correlation -0.1"),
    ],
)
def test_bad_input(change, message):
    """Errors quote what was given and name the cure."""
    given = {"A0": A0, "Sigma": SIGMA, "theta": THETA, "noise": 1.0, "samples": 20, "kept": 2, **change}
    with pytest.raises(ss.InputError, match=message):
        collapse_helps(**given)
