"""T9: losses that are not rotation-invariant, minimised over rotations of the outputs, away from the origin too."""

from functools import cache

import numpy as np
import pytest
import scipy.linalg
import sympy as sp

import symscape as ss
from symscape.spectrum.equal_shares.equal_shares import TrM, TrM2, TrP, equal_share_landscape, eta, hinge_regimes
from symscape.spectrum.equal_shares.minimum import kept_modes_table, rotation_minimised
from symscape.spectrum.equal_shares.output_losses import P_ii
from symscape.spectrum.equal_shares.rotation import equal_share_rotation
from symscape.spectrum.equal_shares.tangent import is_bounded_below
from symscape.spectrum.equal_shares.weights import MomentLoss, minimise_over_weights
from symscape.spectrum.modes import p_i, r_i

i, j = ss.outputs("i j")
x, xp, chi = ss.anchor, ss.positive, ss.negative
lambda_, mu, nu, epsilon = sp.symbols("lambda mu nu epsilon", positive=True)
alignment = ss.E(ss.sqdist(x, xp))

#: Canonical correlations of no particular data, descending.
R = np.array([0.97, 0.95, 0.9, 0.86, 0.8, 0.73, 0.7, 0.61, 0.5, 0.46, 0.3, 0.29, 0.2, 0.17, 0.08, 0.05, 0.02, 0.01])
BARLOW = ss.BarlowTwins(lambda_=0.0051, epsilon=0)
#: A user's own loss: hinges on the cross-correlation's way, products P_ij M_ij, and a double sum with its diagonal.
OWN = ss.Loss(
    2 * alignment
    + ss.output_sum(abs(1 - ss.P(j, j)) ** 3, j)
    + ss.output_sum(3 * ss.P(i, j) * ss.M(i, j) + ss.M(i, j) ** 2 * sp.sqrt(1 + ss.P(i, i)), i, j, distinct=True)
    + sp.log(1 + ss.output_sum(ss.P(i, j) ** 2, i, j))
    + ss.output_sum(ss.M(i, i) * ss.P(j, j), i, j, distinct=True)
    + ss.E(ss.dot(x, chi) ** 2),
    name="own",
)


def at_equal_shares(p, r, d1):
    """W = O diag(sqrt p) with O Hadamard, in coordinates Sigma = 1, A_0 = diag(r)."""
    W = np.zeros((d1, len(r)))
    W[:, : len(p)] = scipy.linalg.hadamard(d1)[:, : len(p)] / np.sqrt(d1) * np.sqrt(p)
    return W


def assert_equal_share_landscape(loss, land, d1=4):
    """Assert that a landscape of the spectrum is the loss, as a function of P and M, at Hadamard-rotated weights."""
    rng = np.random.default_rng(3)
    for scale in (0.1, 1.0, 3.0):
        p, r = scale * rng.random(d1), rng.random(d1)
        if land.shell is not None:
            p *= d1 / p.sum()
        exact = MomentLoss(loss, d1).at(at_equal_shares(p, r, d1), np.diag(r), np.eye(d1))[0]
        np.testing.assert_allclose(land.value(p, r, d_1=d1), exact, rtol=1e-12)


LOSSES = [ss.VICReg(), BARLOW, ss.BarlowTwins(lambda_=0.3, epsilon=0.1), ss.BarlowTwins(lambda_=0.3), OWN]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name + str(getattr(loss, "settings", "")))
def test_t9_equal_shares_give_a_landscape_of_the_spectrum(loss):
    """T9: at W = O diag(sqrt p), O Hadamard, sums over outputs are functions of power sums of p and r p alone."""
    land = equal_share_landscape(loss)
    assert_equal_share_landscape(loss, land)
    wrong = ss.Loss(loss.expr + ss.output_sum(ss.P(j, j) ** 2, j) / 50)
    with pytest.raises(AssertionError):
        assert_equal_share_landscape(wrong, land)


def vicreg_by_hand(W, r, lam, m, n, eps):
    """VICReg's population value as written in LOSSES.md, from P and M."""
    P, d1 = W @ W.T, len(W)
    off = (P**2).sum() - (np.diag(P) ** 2).sum()
    hinge = np.maximum(0, 1 - np.sqrt(np.diag(P) + eps)).sum()
    return (lam * 2 * np.trace(P - W * r @ W.T) + m * hinge + 2 * n * off) / d1


def barlow_by_hand(W, r, lam):
    """Batch-normalised Barlow Twins, epsilon = 0."""
    M, scale = W * r @ W.T, np.sqrt(np.diag(W @ W.T))
    K = M / np.outer(scale, scale)
    return ((1 - np.diag(K)) ** 2).sum() + lam * ((K**2).sum() - (np.diag(K) ** 2).sum())


BY_HAND = [
    (ss.VICReg(3, 4, 2, 0.1), lambda W, r: vicreg_by_hand(W, r, 3, 4, 2, 0.1)),
    (BARLOW, lambda W, r: barlow_by_hand(W, r, 0.0051)),
]


def assert_value_and_gradient(loss, value_by_hand, W, r):
    """Assert that the exact evaluator has the value and, to central differences, the gradient of a formula."""
    value, gradient = MomentLoss(loss, len(W)).at(W, np.diag(r), np.eye(len(r)))
    np.testing.assert_allclose(value, value_by_hand(W, r), rtol=1e-12)
    numeric = np.zeros_like(W)
    for place in np.ndindex(*W.shape):
        step = np.zeros_like(W)
        step[place] = 1e-5
        numeric[place] = (value_by_hand(W + step, r) - value_by_hand(W - step, r)) / 2e-5
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("loss", "value_by_hand"), BY_HAND, ids=["vicreg", "barlow"])
def test_the_exact_population_loss_and_its_gradient(loss, value_by_hand):
    """A loss of second moments is evaluated from its expression: value as by hand, dL/dW = 2 (dL/dP W Sigma + dL/dM W A_0)."""
    W, r = np.random.default_rng(1).standard_normal((3, 5)) / 3, R[:5]
    assert_value_and_gradient(loss, value_by_hand, W, r)
    with pytest.raises(AssertionError):
        assert_value_and_gradient(1.02 * loss, value_by_hand, W, r)
    W = np.random.default_rng(2).standard_normal((3, 4))
    own = MomentLoss(OWN, 3)
    assert_value_and_gradient(OWN, lambda V, r: own.at(V, np.diag(r), np.eye(4))[0], W, R[:4])


def assert_strength(regime, expected):
    """Assert that a regime keeps modes with a displayed strength p_i."""
    (found,) = regime.strengths
    assert sp.simplify(found - expected) == 0, f"{found} is not {expected}"


def test_t9_the_hinge_regimes_of_vicreg():
    """T9: p_i = Tr P / d1 + (H - 2 lambda (1 - r_i)) / (4 nu), H = mu / (2 sqrt(Tr P / d1 + epsilon)) where hinges are active,
    0 where not, and at the kink Tr P = d1 (1 - epsilon) anything between 0 and mu / 2."""
    active, kink, inactive = hinge_regimes(ss.VICReg.symbolic())
    share = TrP / ss.d_1

    def by_hand(slope):
        # dL/dp_i = (2 lambda (1 - r_i) - H + 4 nu (p_i - Tr P / d1)) / d1.
        return share + (slope - 2 * lambda_ * (1 - r_i)) / (4 * nu)

    slope = mu / (2 * sp.sqrt(share + epsilon))
    assert_strength(active, by_hand(slope))
    assert_strength(kink, by_hand(ss.d_1 * eta))
    assert_strength(inactive, by_hand(0))
    assert sp.simplify(kink.landscape.shell - ss.d_1 * (1 - epsilon)) == 0
    assert [sp.simplify(ss.d_1 * end) for end in kink.multiplier] == [0, mu / 2]
    (threshold,) = active.thresholds
    assert sp.simplify(by_hand(slope).subs(r_i, threshold)) == 0
    with pytest.raises(AssertionError):
        assert_strength(active, by_hand(sp.Rational(51, 50) * slope))


def test_t9_the_spectrum_of_barlow_twins():
    """T9: batch-normalised Barlow Twins lives on Tr P = d1 and keeps modes with lambda r_i^2 p_i = c r_i + eta / 2, where
    c = 1 - (1 - lambda) Tr M / d1; a mode is kept for r_i > -eta / (2 c)."""
    (regime,) = hinge_regimes(ss.BarlowTwins(lambda_=lambda_, epsilon=0))
    # dL/dp_i = -2 r_i (1 - R / d1) + 2 lambda r_i^2 p_i - 2 lambda r_i R / d1.
    c = 1 - (1 - lambda_) * TrM / ss.d_1
    assert regime.landscape.shell == ss.d_1
    assert_strength(regime, (c * r_i + eta / 2) / (lambda_ * r_i**2))
    (threshold,) = regime.thresholds
    assert sp.simplify(threshold + eta / (2 * c)) == 0
    with pytest.raises(AssertionError):
        assert_strength(regime, (c * r_i + eta) / (lambda_ * r_i**2))


def test_t9_epsilon_and_the_regime_of_the_data():
    """T9: with epsilon > 0, Barlow Twins falls towards its epsilon = 0 landscape as outputs grow, and says so."""
    land = equal_share_landscape(ss.BarlowTwins.symbolic())
    assert any("scale-invariant" in sentence and "epsilon to 0" in sentence for sentence in land.assumptions)
    at_zero = rotation_minimised(BARLOW, R, 4)
    for loss in (ss.BarlowTwins(lambda_=0.0051, epsilon=1e-5), ss.preset("barlow-twins-official/barlow-twins")):
        large = rotation_minimised(loss, R, 4)
        assert (large.regime, at_zero.regime) == ("large outputs", "smooth") and large.is_global
        np.testing.assert_allclose((large.value, *large.p), (at_zero.value, *at_zero.p), rtol=1e-9)
        # The value is the infimum: the loss itself comes down to it as the outputs grow.
        values = [MomentLoss(loss, 4).at(scale * large.W, np.diag(R), np.eye(len(R)))[0] for scale in (1, 10, 1e3)]
        assert values[0] > values[1] > values[2] and values[2] < large.value * (1 + 1e-9)
    at = np.array([1.9, 1.1, 0.6, 0.4]), R[:4]
    bare = equal_share_landscape(BARLOW).value(*at, d_1=4)
    smooth = equal_share_landscape(ss.BarlowTwins(lambda_=0.0051, epsilon=1e-5))
    np.testing.assert_allclose(smooth.value(1e8 * at[0], at[1], d_1=4), bare, rtol=1e-10)


def over_weights(loss, r, d1, starts=1):
    """The least value of the exact loss over all W, from random starts."""
    return minimise_over_weights(loss, r, d1, np.random.default_rng(11), starts=starts)


def assert_global_minimum(found, predicted):
    """Assert that the least value found over all W, and its spectrum, are those predicted, and never below the bound."""
    assert found.value >= predicted.lower_bound - 1e-9 * (1 + abs(found.value)), "below a proved bound"
    np.testing.assert_allclose(found.value, predicted.value, rtol=1e-6, atol=1e-9)
    strengths = predicted.p[: len(found.p)]
    np.testing.assert_allclose(found.p[: len(strengths)], strengths, atol=2e-3 * strengths.max())


@pytest.mark.parametrize("d1", [4, 8, 16])
@pytest.mark.parametrize("loss", [ss.VICReg(), BARLOW], ids=["vicreg", "barlow"])
def test_t9_equal_shares_are_the_global_minimum(loss, d1):
    """T9: for VICReg's defaults and Barlow Twins at lambda = 0.0051 a lower bound over every W is attained at equal shares, and
    minimising over all W from random starts finds that value and that spectrum."""
    predicted = rotation_minimised(loss, R, d1)
    assert predicted.equal_shares == "optimal" and predicted.is_global
    attained = MomentLoss(loss, d1).at(predicted.W, np.diag(R), np.eye(len(R)))[0]
    np.testing.assert_allclose(attained, predicted.value, rtol=1e-10)
    found = over_weights(loss, R, d1)
    assert_global_minimum(found, predicted)
    wrong = rotation_minimised(loss, 0.99 * R, d1)
    with pytest.raises(AssertionError):
        assert_global_minimum(found, wrong)


def test_t9_where_equal_shares_are_not_optimal():
    """T9: VICReg with mu < 16 nu is not convex in a share below the kink, unequal shares win, and no proof is claimed; at
    lambda > 1 Barlow Twins is concave in a share, and none is claimed either."""
    loss = ss.VICReg(mu=5)
    predicted = rotation_minimised(loss, R, 4)
    assert predicted.equal_shares == "numeric" and not predicted.is_global
    assert over_weights(loss, R, 4).value < 0.99 * predicted.value
    assert rotation_minimised(ss.BarlowTwins(lambda_=2, epsilon=0), R, 4).equal_shares == "numeric"
    # The planted error: with the official mu there is nothing to win.
    with pytest.raises(AssertionError):
        assert over_weights(ss.VICReg(), R, 4).value < 0.99 * rotation_minimised(ss.VICReg(), R, 4).value


def test_t9_three_outputs():
    """T9: at d1 = 3 no rotation equalises two spectra at once: Barlow Twins stays above its equal-share bound, strictly, while
    VICReg, whose M enters through its trace, needs one spectrum only and reaches it (Schur and Horn)."""
    barlow, vicreg = (rotation_minimised(loss, R[2:], 3) for loss in (BARLOW, ss.VICReg()))
    assert (barlow.equal_shares, vicreg.equal_shares) == ("numeric", "optimal")
    assert barlow.share_residual > 1e-5 and vicreg.share_residual < 1e-12
    assert_global_minimum(over_weights(ss.VICReg(), R[2:], 3), vicreg)
    found = over_weights(BARLOW, R[2:], 3, starts=3)
    assert barlow.lower_bound < found.value * (1 - 1e-6) and found.value < barlow.value * 1.01
    with pytest.raises(AssertionError):
        assert_global_minimum(found, barlow)


def assert_equal_shares(O, *spectra):
    """Assert that a matrix is orthogonal and gives every output an equal share of each spectrum."""
    np.testing.assert_allclose(O @ O.T, np.eye(len(O)), atol=1e-12)
    for spectrum in spectra:
        np.testing.assert_allclose(np.diag(O * spectrum @ O.T), np.mean(spectrum), atol=1e-9)


@pytest.mark.parametrize("d1", [1, 2, 4, 6, 7, 10, 16, 101])
def test_t9_rotations_that_equalise_two_spectra(d1):
    """T9: a real rotation gives equal shares of two spectra at once for d1 a power of two, and generically for d1 >= 6."""
    p, m = np.random.default_rng(d1).random((2, d1))
    O, residual = equal_share_rotation(p, m)
    assert residual < 1e-9
    assert_equal_shares(O, p, m)
    if d1 > 1:
        turn = scipy.linalg.block_diag(np.array([[4.0, 3.0], [-3.0, 4.0]]) / 5, np.eye(d1 - 2))
        with pytest.raises(AssertionError):
            assert_equal_shares(O @ turn, p, m)


def test_t9_two_modes_and_an_odd_number_of_outputs():
    """T9: two modes of different p / m spread equally over d1 outputs need two orthogonal vectors of entries +-1, which an odd
    d1 has not; one spectrum alone can be spread at any d1."""
    p, m = np.array([[1.0, 0.5, 0, 0, 0], [1.0, 0.2, 0, 0, 0]])
    assert equal_share_rotation(p, m)[1] > 1e-3
    assert_equal_shares(equal_share_rotation(p)[0], p)
    with pytest.raises(AssertionError):
        assert_equal_shares(equal_share_rotation(p, m)[0], p, m)


def assert_keeps(table, surviving):
    """Assert the number of kept modes along a parameter, and that the kept ones are those of largest r."""
    assert list(table.surviving) == surviving
    expected = [R[k - 1] if k else np.nan for k in surviving]
    np.testing.assert_array_equal(table.least_kept_r, expected)


def vicreg_table(parameter, values, d1=8):
    numbers = {"lambda_": 25, "mu": 25, "nu": 1, "epsilon": 1e-4}
    numbers.pop(parameter, None)
    return kept_modes_table(ss.VICReg.symbolic(), R, d1, parameter, values, **numbers)


def test_t9_which_modes_vicreg_keeps():
    """T9: in VICReg augmentation competes with data away from the origin: modes of small r are lost, more of them as lambda
    grows, fewer as nu or d1 grows, and mu matters only while the hinges are active."""
    assert np.all(np.diff(vicreg_table("lambda_", [5, 25, 400]).surviving) < 0)
    assert np.all(np.diff(vicreg_table("nu", [0.05, 0.2, 1]).surviving) > 0)
    assert np.all(np.diff(vicreg_table("d1", [1, 4, 16]).surviving) > 0)
    table = vicreg_table("mu", [2, 50, 200])
    assert table.regime[0] == "active" and table.regime[-1] == "at the kink"
    assert np.ptp(table.surviving[-2:]) == 0 and table.surviving[0] < table.surviving[-1]
    assert_keeps(table, list(table.surviving))
    with pytest.raises(AssertionError):
        assert_keeps(table, [k + 1 for k in table.surviving])


def test_t9_vicreg_at_the_kink_in_closed_form():
    """T9: at the kink Tr P / d1 = 1 - epsilon, k modes kept have p_i = (1 - eps) d1 / k + lambda (r_i - mean r) / (2 nu)."""
    predicted = rotation_minimised(ss.VICReg(mu=100), R, 8)
    # p_i - Tr P / d1 is affine in r_i with slope lambda / (2 nu), and the kept p_i sum to Tr P.
    kept = R[: predicted.surviving]
    expected = 8 * (1 - 1e-4) / len(kept) + 25 / 2 * (kept - kept.mean())
    assert predicted.regime == "at the kink" and 0 <= 8 * predicted.multiplier <= 100 / 2
    np.testing.assert_allclose(predicted.p[: len(kept)], expected, rtol=1e-8)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(predicted.p[: len(kept)], 1.02 * expected, rtol=1e-8)


def test_t9_complete_collapse_of_vicreg():
    """T9: VICReg collapses completely for lambda (1 - r_1) > mu / (4 sqrt(epsilon)): the slope of the hinge at P = 0."""
    threshold = 25 / (4 * 0.01) / (1 - R[0])
    assert_keeps(vicreg_table("lambda_", [0.98 * threshold, 1.02 * threshold]), [1, 0])
    assert rotation_minimised(ss.VICReg(lambda_=1.02 * threshold), R, 8).is_global
    # Without a hinge to hold it, at mu = 0 or epsilon >= 1, it collapses at any lambda.
    for loss in (ss.VICReg(mu=0), ss.VICReg(epsilon=4)):
        assert rotation_minimised(loss, R, 8).surviving == 0
    with pytest.raises(AssertionError):
        assert_keeps(vicreg_table("lambda_", [1.02 * threshold, 1.04 * threshold]), [1, 0])


def test_t9_which_modes_barlow_twins_keeps():
    """T9: Barlow Twins keeps few modes at small lambda, those of largest r, and more as lambda grows; the raw form loses none
    while there are as many modes of r > 0 as outputs."""
    values = [1e-4, 1e-2, 1]
    table = kept_modes_table(ss.BarlowTwins(lambda_=lambda_, epsilon=0), R, 16, "lambda", values)
    assert np.all(np.diff(table.surviving) > 0) and set(table.equal_shares) == {"optimal"}
    assert_keeps(table, list(table.surviving))
    raw = kept_modes_table(ss.BarlowTwins(lambda_=lambda_), R, 8, "lambda", values)
    assert_keeps(raw, [8] * 3)
    with pytest.raises(AssertionError):
        assert_keeps(table, [16] * 3)


def test_t9_a_loss_of_the_user_goes_through_with_no_new_code():
    """T9, X7: a user's variance target in place of VICReg's hinge, proved and minimised the same way."""
    target = ss.output_sum((1 - ss.P(j, j)) ** 2, j) + 2 * ss.output_sum(ss.P(i, j) ** 2, i, j, distinct=True) / 3
    loss = ss.Loss(5 * alignment + target, name="target")
    predicted = rotation_minimised(loss, R, 8)
    assert predicted.equal_shares == "optimal" and predicted.is_global and predicted.surviving < 8
    assert_global_minimum(over_weights(loss, R, 8), predicted)
    with pytest.raises(AssertionError):
        assert_global_minimum(over_weights(1.02 * loss, R, 8), predicted)
    # Off-diagonal entries counted twice as much as diagonal ones leave the share concave: nothing is proved.
    uneven = ss.Loss(5 * alignment + target + ss.output_sum(ss.P(i, j) ** 2, i, j, distinct=True), name="uneven")
    assert rotation_minimised(uneven, R, 8).equal_shares == "numeric"


@cache
def digits_modes():
    """Canonical correlations of two views s + 0.3 noise of the handwritten digits, descending."""
    pixels, _ = ss.load_digits()
    A0 = np.cov(pixels.T, bias=True)
    return np.clip(scipy.linalg.eigh(A0, A0 + 0.09 * np.eye(64), eigvals_only=True)[::-1], 0, 1)


@pytest.mark.parametrize(("loss", "kept"), [(ss.VICReg(), 8), (BARLOW, 5)], ids=["vicreg", "barlow"])
def test_t9_the_handwritten_digits(loss, kept):
    """T9: on the digits with noise 0.3 and 16 outputs VICReg's defaults keep 8 modes and Barlow Twins at 0.0051 keeps 5, both
    proved for these numbers, and found by minimising over all 16 x 64 weights."""
    predicted = rotation_minimised(loss, digits_modes(), 16)
    assert predicted.surviving == kept and predicted.is_global
    found = over_weights(loss, digits_modes(), 16)
    assert_global_minimum(found, predicted)
    with pytest.raises(AssertionError):
        assert_global_minimum(found, rotation_minimised(loss, 1.02 * digits_modes(), 16))


def assert_threshold_parts(loss, r, d1, planted=1.0):
    """Assert that the derived threshold in r, at the sums of the minimum, lies between the kept and the lost modes."""
    predicted = rotation_minimised(loss, r, d1)
    (regime,) = [g for g in hinge_regimes(loss) if g.name == predicted.regime]
    p = predicted.p
    at = {TrP: p.sum(), TrM: r @ p, ss.d_1: d1, eta: predicted.multiplier}
    (threshold,) = (float(t.subs(at)) * planted for t in regime.thresholds)
    k = predicted.surviving
    assert r[k] <= threshold < r[k - 1], f"{threshold} is not between {r[k]} and {r[k - 1]}"
    assert [bool(regime.kept.subs({**at, r_i: float(each)})) for each in r[:d1]] == [n < k for n in range(d1)]


@pytest.mark.parametrize("loss", [ss.VICReg(), ss.VICReg(mu=100), BARLOW], ids=["active", "at the kink", "barlow"])
def test_t9_the_threshold_in_r_parts_kept_from_lost_modes(loss):
    """T9: a mode is kept where r_i exceeds the derived threshold: of lambda, mu, nu, d1 and the sums over kept modes."""
    assert_threshold_parts(loss, digits_modes(), 16)
    with pytest.raises(AssertionError):
        assert_threshold_parts(loss, digits_modes(), 16, planted=1.05)


def test_t9_how_far_a_share_may_reach():
    """T9: for VICReg the line of the active side at the kink stays below phi(q) = mu h(q) - 2 nu q^2 up to
    q = (1 - epsilon) + mu / (4 nu), and no further: below the kink phi is convex at mu >= 16 nu only."""
    eps = sp.Rational(1, 10000)
    hinge = sp.Max(0, 1 - sp.sqrt(P_ii + eps))
    at = 1 - 1e-4

    def holds(m, high):
        # The slope of mu h at the kink is -mu / 2.
        return is_bounded_below(m * hinge - 2 * P_ii**2, P_ii, at, -m / 2 - 4 * at, 0.0, high)

    assert holds(25, 0.999 * (at + 25 / 4)) and not holds(25, 1.001 * (at + 25 / 4))
    assert holds(16, at) and not holds(12, at)


def assert_bound_holds(loss, bound, predicted):
    """Assert that no W drawn, nor the one predicted, has a value below a bound."""
    rng, value = np.random.default_rng(4), MomentLoss(loss, 4).at
    weights = [
        predicted.W,
        *(predicted.W + s * rng.standard_normal(predicted.W.shape) for s in np.geomspace(1e-3, 3, 40)),
    ]
    assert all(value(W, np.diag(R), np.eye(len(R)))[0] >= bound - 1e-12 for W in weights)


@pytest.mark.parametrize("loss", [ss.VICReg(), BARLOW], ids=["vicreg", "barlow"])
def test_t9_the_lower_bound_holds_for_every_w(loss):
    """T9: the bound that proves equal shares optimal lies below the loss at every W, and one of 2 % more does not."""
    predicted = rotation_minimised(loss, R, 4)
    assert_bound_holds(loss, predicted.lower_bound, predicted)
    with pytest.raises(AssertionError):
        assert_bound_holds(loss, 1.02 * predicted.lower_bound, predicted)


def test_effective_ranks_are_named():
    """The entropy rank and the participation ratio are those of the eigenvalues of P, and 0 at collapse."""
    found = rotation_minimised(BARLOW, digits_modes(), 16)
    share = found.p[found.p > 0] / found.p.sum()
    np.testing.assert_allclose(found.entropy_rank, np.prod(share**-share))
    np.testing.assert_allclose(found.participation_ratio, 1 / (share**2).sum())
    assert abs(found.entropy_rank - found.participation_ratio) > 0.05
    collapsed = rotation_minimised(ss.VICReg(lambda_=1e6), R, 4)
    assert collapsed.surviving == collapsed.entropy_rank == collapsed.participation_ratio == 0


BAD = [
    (lambda: equal_share_landscape(ss.Loss(ss.output_sum(ss.P(i, j), i, j, distinct=True))), "squares"),
    (lambda: equal_share_landscape(ss.Loss(ss.output_sum(sp.exp(ss.M(i, j)), i, j, distinct=True))), "polynomial"),
    (lambda: equal_share_landscape(ss.Loss(ss.output_sum(ss.M(i, j) ** 4, i, j, distinct=True))), r"M_ij\^4"),
    (lambda: equal_share_landscape(ss.InfoNCE()), "not a function of P and M"),
    (lambda: equal_share_landscape(ss.VICReg() + ss.WeightDecay(1)), "weight decay"),
    (lambda: equal_share_landscape(ss.Loss(sp.Symbol("TrP") * alignment)), "choose another name"),
    (lambda: hinge_regimes(ss.VICReg() + ss.Loss(ss.output_sum(abs(ss.P(j, j) - 1), j))), "not one kink"),
    (lambda: rotation_minimised(ss.VICReg(), R[::-1], 4), "descending"),
    (lambda: rotation_minimised(ss.VICReg(), [2.0], 4), "between -1 and 1"),
    (lambda: rotation_minimised(ss.VICReg(), R, 0), "d1=0"),
    (lambda: rotation_minimised(ss.VICReg.symbolic(), R, 4, mu=1), "no value for"),
    (lambda: rotation_minimised(ss.VICReg(), R, 4, tau=1), "'tau'"),
    (lambda: rotation_minimised(ss.Loss(-alignment), R, 4), "no least value"),
    (lambda: equal_share_rotation([1.0, 2.0], [1.0]), "d1 finite numbers"),
    (lambda: minimise_over_weights(BARLOW, R, 4, np.random.default_rng(0), starts=0), "starts=0"),
    (lambda: MomentLoss(BARLOW, 2).at(np.eye(3), np.eye(3), np.eye(3)), "W has shape"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_is_quoted(call, message):
    """What cannot be read is refused with an error that quotes it and offers the next step."""
    with pytest.raises(ss.InputError, match=message):
        call()


def test_sums_of_the_barlow_landscape():
    """The sums over modes are Tr M and Tr M^2: r p and r^2 p^2."""
    assert equal_share_landscape(BARLOW).sums == {TrM: r_i * p_i, TrM2: r_i**2 * p_i**2}
