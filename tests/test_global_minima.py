"""Global minima where a descent, a series or a unit could mislead: barriers, rounding, directions without an end, scales."""

import numpy as np
import pytest
import sympy as sp

import symscape as ss

x, xp, chi, second = ss.anchor, ss.positive, ss.negative, ss.View("chi2")
gamma, t = sp.symbols("gamma t", positive=True)
i, j = ss.outputs("i j")
#: gamma ||W||^2 - 2 Tr M - 2 Tr P^2 + Tr P^3: a mode has (gamma - 2 r) p - 2 p^2 + p^3, which first dips below zero at p = 1.
BARRIER = ss.landscape(
    ss.Loss(
        -2 * ss.E(ss.dot(x, xp))
        - 2 * ss.E(ss.dot(x, chi) ** 2)
        + ss.E(ss.dot(x, chi) * ss.dot(chi, second) * ss.dot(second, x))
    )
    + ss.WeightDecay(gamma),
    order=6,
)


def assert_kept_below(found, ends):
    """Assert up to which value of the parameter each mode survives."""
    np.testing.assert_allclose([found.critical(k) for k in range(len(ends))], ends, rtol=1e-6)


def test_a_mode_that_survives_beyond_a_barrier():
    """At order 6 a mode of r survives up to gamma = 2 r + 1, where its least value is zero at p = 1, though B < 0 before."""
    A0 = np.diag([0.9, 0.5])
    found = ss.threshold(BARRIER, gamma, A0, np.eye(2), 2)
    assert_kept_below(found, [2.8, 2.0])
    with pytest.raises(AssertionError):
        assert_kept_below(found, [1.8, 1.0])  # where B changes sign
    # L' = 0.4 - 4 p + 3 p^2 at gamma = 2.2 for the first mode; the second has no value below zero.
    report = ss.collapse(BARRIER, A0, np.eye(2), 2, gamma=2.2)
    assert report.kept == (0,)
    np.testing.assert_allclose(report.spectrum[0], (4 + np.sqrt(16 - 4.8)) / 6, rtol=1e-12)
    assert any("by a jump" in a for a in ss.threshold(BARRIER, gamma).assumptions)


def test_a_vanishing_invariance_weight_does_not_run_away():
    """VICReg is never negative: without invariance its least value is 0 at the kink, not the rounding of huge strengths."""
    for weight in (0, 1e-9, 1e-6):
        found = ss.rotation_minimised(ss.VICReg(lambda_=weight), [0.9, 0.8, 0.5, 0.2], 3)
        assert -1e-12 < found.value < 1e-5 and found.p.max() < 2 and found.regime == "at the kink"


def test_a_coefficient_of_open_sign_is_a_condition():
    """(1 - t) Tr P^2 is solved with t < 1 stated; at t = 2 the family is a maximum, symbolically and with numbers."""
    loss = ss.Loss(-2 * ss.E(ss.dot(x, xp)) + (1 - t) * ss.E(ss.dot(x, chi) ** 2)) + ss.WeightDecay(gamma)
    land = ss.landscape(loss)
    families = ss.stationary_points(land)
    assert "1 - t > 0" in str(families) and any("1 - t > 0" in a for a in ss.threshold(land, gamma).assumptions)
    symbolic = families.family((0,))
    above = sp.Symbol("n_above", integer=True, nonnegative=True)
    numbers = {t: 2, gamma: 2, ss.d_1: 1, above: 0, sp.Symbol("b_0", real=True): -1}
    point = ss.stationary_points(land, [[0.5]], [[1.0]], 1, t=2, gamma=2).family((0,))
    assert symbolic.index.subs(numbers) == point.index == 1 and point.kind == "maximum"
    assert symbolic.minimum.subs(numbers) == sp.false
    with pytest.raises(ss.InputError, match="falls without end"):
        ss.collapse(land, [[0.5]], [[1.0]], 1, t=2, gamma=2)


@pytest.mark.parametrize("case", ["single outputs", "not commuting"])
def test_landscapes_that_fall_without_end_are_told(case):
    """The part of highest degree is negative somewhere: there is no least value, whatever local minima there are."""
    if case == "single outputs":
        land, moments, d1 = ss.landscape(ss.BarlowTwins(lambda_=1, epsilon=1)), (np.diag([-0.2]), np.eye(1)), 1
        assert land.numpy()([[100.0]], A0=moments[0], Sigma=moments[1]) < -1e6
    else:
        land, d1 = ss.landscape(ss.InfoNCE(n=2) + ss.WeightDecay(sp.Rational(1, 20)), order=8), 1
        moments = (
            np.array([[0.16764637829775814, 0.4747893800242982], [0.4747893800242982, 2.647169614620744]]),
            np.array([[1.1727255565305557, 0.8556585199308988], [0.8556585199308988, 10.416638100714026]]),
        )
        far = 10 * np.array([[np.cos(1.479), np.sin(1.479)]])
        assert land.numpy()(far, A0=moments[0], Sigma=moments[1]) < -1e6
    with pytest.raises(ss.InputError, match="falls without end"):
        ss.collapse(land, *moments, d1)


def test_modes_of_negative_correlation_are_not_called_optimal():
    """A loss that rewards negative r keeps the last mode; equal shares of the first ones are then not called optimal."""
    loss = ss.Loss(ss.output_sum((1 + ss.M(i, i)) ** 2, i) + ss.output_sum(ss.P(i, j) ** 2, i, j, distinct=True))
    assert ss.rotation_minimised(loss, [0.5, -0.5, -0.9], 1).equal_shares == "numeric"
    assert ss.rotation_minimised(ss.VICReg(), [0.5, -0.5, -0.9], 1).equal_shares == "optimal"


@pytest.mark.parametrize("unit", [1e-7, 2e6])
def test_units_of_features_do_not_matter(unit):
    """phi -> D phi leaves modes, strengths and values as they are."""
    D = np.diag([1.0, unit])
    A0, Sigma = np.array([[0.6, 0.1], [0.1, 0.5]]), np.array([[1.0, 0.2], [0.2, 1.0]])
    land = ss.landscape(ss.InfoNCE())
    plain, scaled = ss.collapse(land, A0, Sigma, 2), ss.collapse(land, D @ A0 @ D, D @ Sigma @ D, 2)
    assert plain.surviving == scaled.surviving == 2
    np.testing.assert_allclose(scaled.spectrum, plain.spectrum, rtol=1e-10)


def test_a_mode_enters_beside_two_with_an_infinite_slope():
    """The exact isotropic case needs three modes: 1/|g|^2 has no mean below that. A symbol names the parameter, too."""
    tau = sp.Symbol("tau", positive=True)
    exact = ss.isotropic_cosine(ss.NTXent(tau=tau))
    with pytest.raises(ss.InputError, match="3 or more"):
        exact.entry_threshold(tau, (0.01, 10), 2, 0.6, 0.5)
    assert exact.entry_threshold(tau, (0.05, 5), 8, 0.8, 0.55) == exact.entry_threshold("tau", (0.05, 5), 8, 0.8, 0.55)
