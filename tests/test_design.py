"""X6: inverse design. The values of a parameter at which exactly k modes survive, or why there are none."""

import numpy as np
import pytest
import sympy as sp

import symscape as ss

gamma, tau, lambda_ = sp.symbols("gamma tau lambda", positive=True)
A0 = np.diag([3.0, 2.0, 1.0, 0.5]) + 0.2
SIGMA = A0 + np.diag([0.5, 1.0, 1.5, 2.0])


def assert_design(found, low, high, rtol=1e-8):
    """Assert that one interval is found, with these ends."""
    assert len(found.intervals) == 1, str(found)
    np.testing.assert_allclose(found.intervals[0], (low, high), rtol=rtol)
    assert found.intervals[0][0] < found.suggested < found.intervals[0][1]


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_weight_decay_that_keeps_k_modes_of_infonce(keep):
    """InfoNCE: exactly k survive for lambda_{k+1} < gamma < lambda_k, eigenvalues of A_0 / tau (Sylvester, T5)."""
    levels = np.linalg.eigvalsh(A0)[::-1] / 0.5
    found = ss.inverse_design(ss.landscape(ss.InfoNCE(tau=0.5) + ss.WeightDecay(gamma)), gamma, keep, A0, SIGMA, d1=4)
    assert_design(found, levels[keep], levels[keep - 1])
    with pytest.raises(AssertionError):
        assert_design(found, levels[keep] * 1.1, levels[keep - 1])
    for value, factor in ((levels[keep], 1.02), (levels[keep - 1], 0.98)):
        land = ss.landscape(ss.InfoNCE(tau=0.5) + ss.WeightDecay(float(value * factor)))
        assert ss.collapse(land, A0, SIGMA, d1=4).surviving == keep


def test_temperature_that_keeps_k_modes():
    """InfoNCE with decay: mode k survives for tau < lambda_k / gamma."""
    levels = np.linalg.eigvalsh(A0)[::-1] / 0.3
    land = ss.landscape(ss.InfoNCE(tau=tau) + ss.WeightDecay(0.3))
    assert_design(ss.inverse_design(land, "tau", 2, A0, SIGMA, d1=4), levels[2], levels[1])


def test_invariance_weight_that_keeps_k_modes_of_vicreg():
    """VICReg, least over rotations away from W = 0: the design keeps exactly k."""
    r = np.array([0.95, 0.85, 0.7, 0.5])
    A, S = np.diag(r), np.eye(4)
    loss = ss.VICReg(lambda_=lambda_)
    found = ss.inverse_design(loss, "lambda", 2, A, S, d1=4, between=(0.5, 500.0))
    (interval,) = found.intervals
    for factor, kept in ((1.02, 2), (0.98, 3)):
        assert ss.rotation_minimised(loss, r, 4, lambda_=interval[0] * factor).surviving == kept
    for factor, kept in ((0.98, 2), (1.02, 1)):
        assert ss.rotation_minimised(loss, r, 4, lambda_=interval[1] * factor).surviving == kept


@pytest.mark.parametrize(
    ("keep", "matrix", "why"),
    [
        (5, A0, "at most min"),
        (1, np.eye(4), "lost together"),
        (0, A0, "2 survive whatever"),
    ],
)
def test_why_there_is_none(keep, matrix, why):
    """Too many modes, tied modes, and a parameter that decides nothing are told apart."""
    if why.startswith("2 "):
        found = ss.inverse_design(ss.landscape(ss.InfoNCE(tau=tau)), tau, keep, A0, SIGMA, d1=2)
    else:
        land = ss.landscape(ss.InfoNCE() + ss.WeightDecay(gamma))
        found = ss.inverse_design(land, gamma, keep, matrix, matrix + np.eye(4), d1=4)
    assert not found.intervals and found.suggested is None and why in found.reason
    assert str(keep) in str(found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keep": -1}, "keep=-1"),
        ({"keep": 1.5}, "keep=1.5"),
        ({"keep": True}, "keep=True"),
        ({"keep": 1, "parameter": "sigma"}, "no parameter 'sigma'"),
        ({"keep": 1, "between": (1, 0.5)}, "between"),
        ({"keep": 1, "Sigma": A0 / 2}, "Sigma - A0"),
        ({"keep": 1, "d1": 0}, "d1=0"),
    ],
)
def test_bad_requests_are_refused(arguments, message):
    """Errors quote what was asked for."""
    land = ss.landscape(ss.InfoNCE() + ss.WeightDecay(gamma))
    given = {"parameter": gamma, "A0": A0, "Sigma": SIGMA, "d1": 2, **arguments}
    with pytest.raises(ss.InputError, match=message):
        ss.inverse_design(land, **given)


def test_augmentation_strength_that_keeps_a_mode_of_the_one_sided_loss():
    """T6: with only the positive augmented a mode is lost at strength 2 rho_k, A_0 u = rho (Sigma - A_0) u."""
    x = ss.anchor
    clean = ss.View("s", of=x, moment="A_0")
    negative = ss.View("chi0", moment="A_0")
    attraction = ss.E(ss.sqdist(clean, ss.positive) / 2)
    loss = ss.Loss(attraction + ss.E(sp.log(ss.E(sp.exp(-ss.sqdist(clean, negative) / 2), over=negative))))
    ratios = np.sort(np.linalg.eigvals(np.linalg.solve(SIGMA - A0, A0)).real)[::-1]
    found = ss.inverse_design(ss.landscape(loss), ss.augmentation_strength, 1, A0, SIGMA, d1=4)
    assert_design(found, 2 * ratios[1], 2 * ratios[0], rtol=1e-6)  # eigenvalues within 1e-9 of zero count as zero
    with pytest.raises(AssertionError):
        assert_design(found, 3 * ratios[1], 3 * ratios[0])


def assert_counts(curve, count, rng, rows=14):
    """Assert that a curve has, at values drawn over its range and 0.01 % beside its steps, the number counted there."""
    low, high = curve.plateaus[0].low, curve.plateaus[-1].high
    values = [*np.exp(rng.uniform(np.log(low), np.log(high), rows))]
    values += [p.high * factor for p in curve.plateaus[:-1] for factor in (0.9999, 1.0001)]
    assert [curve.at(v) for v in values] == [count(v) for v in values]


FOLLOWED = [
    (ss.VICReg(nu=lambda_), (1e-3, 10)),
    (ss.VICReg(mu=lambda_), (1e-2, 1e3)),
    (ss.BarlowTwins(lambda_=lambda_, epsilon=0), (1e-5, 1)),
]


@pytest.mark.parametrize(("loss", "between"), FOLLOWED, ids=["nu", "mu", "barlow"])
def test_a_minimum_that_is_followed_is_the_one_that_is_searched_for(loss, between):
    """The curve, whose minima are followed from value to value and whose steps are zeros of a strength, counts what
    `rotation_minimised` counts at each value by itself."""
    r = np.linspace(0.97, 0.1, 9)
    curve = ss.survival_curve(loss, "lambda", np.diag(r), np.eye(9), d1=8, between=between)
    assert len(curve.plateaus) > 3

    def count(value):
        return ss.rotation_minimised(loss, r, 8, lambda_=value).surviving

    assert_counts(curve, count, np.random.default_rng(1))
    with pytest.raises(AssertionError):
        assert_counts(curve, lambda value: count(1.001 * value), np.random.default_rng(1))
