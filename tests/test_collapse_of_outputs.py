"""Losses of single outputs with weight decay, in the regime of the data, by width; and the weights that a collapse carries."""

import numpy as np
import pytest
import sympy as sp
from scipy.linalg import eigh
from scipy.optimize import minimize

import symscape as ss
from symscape.conditions.loss_of_outputs import loss_of_outputs
from symscape.spectrum.equal_shares.decay import cross_weight
from symscape.spectrum.equal_shares.weights import MomentLoss

gamma, lambda_ = sp.symbols("gamma lambda", positive=True)
_Q = np.linalg.qr(np.random.default_rng(5).standard_normal((7, 7)))[0]
A0 = (_Q * np.geomspace(5, 0.05, 7)) @ _Q.T
A0 = (A0 + A0.T) / 2
SIGMA = A0 + np.diag(np.linspace(0.1, 0.4, 7))
BARLOW = ss.BarlowTwins(lambda_=0.0051, epsilon=0)
x, xp = ss.anchor, ss.positive
i, j = ss.outputs("i j")
#: A user's own loss, in which M enters through two traces.
OWN = ss.Loss(
    ss.E(ss.sqdist(x, xp))
    - ss.E(ss.dot(x, xp))
    + 4 * ss.output_sum((1 - ss.P(j, j)) ** 2, j)
    + 2 * ss.output_sum(ss.P(i, j) ** 2, i, j, distinct=True),
    name="own",
)


def with_decay(moment_loss, decay, W, rounding=0.0):
    """The population loss plus decay ||W||^2, and its gradient, by W alone; kinks rounded."""
    value, slope = moment_loss.at(W, A0, SIGMA, rounding)
    return value + decay * (W**2).sum(), slope + 2 * decay * W


def least_over_weights(loss, d1, decay, starts=2):
    """The least value found over all W from random starts, and the eigenvalues of P there."""
    rng, moment_loss = np.random.default_rng(2), MomentLoss(loss, d1)

    def objective(flat, rounding):
        value, slope = with_decay(moment_loss, decay, flat.reshape(d1, 7), rounding)
        return value, slope.ravel()

    ends = []
    for flat in rng.standard_normal((starts, d1 * 7)) / 2:
        for rounding in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
            moved = flat + 1e-3 * rng.standard_normal(flat.size)
            options = {"maxiter": 400, "ftol": 1e-13, "gtol": 1e-8}
            flat = minimize(objective, moved, (rounding,), jac=True, options=options, method="L-BFGS-B").x
        ends.append(flat.reshape(d1, 7))
    W = min(ends, key=lambda W: with_decay(moment_loss, decay, W)[0])
    return with_decay(moment_loss, decay, W)[0], np.linalg.eigvalsh(W @ SIGMA @ W.T)[::-1]


def assert_minimum(found, value, spectrum):
    """Assert that a collapse has a value and a spectrum of P."""
    np.testing.assert_allclose(found.loss, value, rtol=2e-5)
    np.testing.assert_allclose(found.spectrum_of_P, spectrum, atol=2e-2 * spectrum[0])


@pytest.mark.parametrize(("loss", "decay", "kept"), [(ss.VICReg(), 3, 2), (ss.VICReg(), 12, 1), (OWN, 4, 3)])
def test_weight_decay_joins_the_trace_of_the_cross_moment(loss, decay, kept):
    """F(P) - c Tr M + gamma ||W||^2 = F(P) - c Tr W (A_0 - (gamma / c) 1) W^T: a descent over all W agrees."""
    found = ss.collapse(loss + ss.WeightDecay(decay), A0, SIGMA, 5)
    assert found.surviving == kept < ss.collapse(loss, A0, SIGMA, 5).surviving
    np.testing.assert_allclose(with_decay(MomentLoss(loss, 5), decay, found.W)[0], found.loss, rtol=1e-10)
    value, spectrum = least_over_weights(loss, 5, decay)
    assert_minimum(found, value, spectrum)
    with pytest.raises(AssertionError):
        assert_minimum(ss.collapse(loss + ss.WeightDecay(1.05 * decay), A0, SIGMA, 5), value, spectrum)


def test_the_weight_of_the_trace_is_read_from_the_loss():
    """c is the coefficient of -Tr M, whatever the loss is made of; None where M enters otherwise."""
    assert cross_weight(ss.VICReg.symbolic().expr, "") == 2 * lambda_ / ss.d_1
    assert cross_weight(OWN.expr, "") == 3
    assert cross_weight(ss.output_sum(ss.P(j, j) ** 2 - 3 * ss.M(j, j), j), "") == 3
    for other in (ss.M(j, j) ** 2, ss.M(j, j) * ss.P(j, j), ss.P(j, j)):
        assert cross_weight(ss.output_sum(other, j), "") is None
    assert loss_of_outputs(2 * ss.VICReg() + ss.WeightDecay(gamma)).shift == gamma * ss.d_1 / 100


def assert_parts(loss, critical, mode, d1=5):
    """Assert that a mode survives 1 % below a weight decay and not 1 % above it."""
    for factor, survives in ((0.99, True), (1.01, False)):
        found = ss.collapse(loss, A0, SIGMA, d1, gamma=critical * factor)
        assert found.modes[mode].survives == survives, f"mode {mode} at {factor} of {critical}"


def test_weight_decay_thresholds_and_design_of_vicreg():
    """X6: thresholds in gamma part the modes that collapse finds; the design keeps exactly k; the last is known in closed form:
    nothing survives where the slope of the hinge at P = 0 does not lift r' = eigenvalues of (A_0 - (gamma / c) 1, Sigma)."""
    loss = ss.VICReg() + ss.WeightDecay(gamma)
    found = ss.threshold(loss, "gamma", A0, SIGMA, 5)
    for mode in range(3):
        assert_parts(loss, found.critical(mode), mode)
        with pytest.raises(AssertionError):
            assert_parts(loss, 1.02 * found.critical(mode), mode)
    design = ss.inverse_design(loss, gamma, 2, A0, SIGMA, 5)
    np.testing.assert_allclose(design.intervals, [(found.critical(1 + 1), found.critical(1))])
    assert ss.collapse(loss, A0, SIGMA, 5, gamma=design.suggested).surviving == 2
    # dL/dp_1 at p = 0: lambda (1 - r'_1) = mu / (4 sqrt(epsilon)), with mu = lambda = 25, epsilon = 1e-4.
    r = eigh(A0 - found.critical(0) / 10 * np.eye(7), SIGMA, eigvals_only=True)[-1]
    np.testing.assert_allclose(1 - r, 1 / (4 * 0.01), rtol=1e-7)


def test_weight_decay_where_the_loss_keeps_its_scale():
    """Batch-normalised Barlow Twins and cosines keep their value along f -> c f: decay leaves the modes and says so."""
    for loss in (BARLOW, ss.NTXent(tau=0.2)):
        bare, decayed = (ss.collapse(one, A0, SIGMA, 5) for one in (loss, loss + ss.WeightDecay(0.3)))
        assert bare.kept == decayed.kept and bare.loss == decayed.loss
        assert any("infimum with it is at W -> 0" in note for note in decayed.notes)
        assert not any("decay" in note for note in bare.notes)
        assert ss.collapse(loss + ss.WeightDecay(gamma), A0, SIGMA, 5, gamma=2).kept == bare.kept
        found = ss.inverse_design(loss + ss.WeightDecay(gamma), gamma, 1, A0, SIGMA, 5)
        assert not found.intervals and "whatever its value" in found.reason
    values = [
        with_decay(MomentLoss(BARLOW, 5), 0.3, scale * ss.collapse(BARLOW, A0, SIGMA, 5).W)[0]
        for scale in (1, 0.1, 0.01)
    ]
    assert values[0] > values[1] > values[2] > ss.collapse(BARLOW, A0, SIGMA, 5).loss
    with pytest.raises(ss.InputError, match="Tr M alone"):
        ss.inverse_design(ss.BarlowTwins(0.5) + ss.WeightDecay(gamma), gamma, 1, A0, SIGMA, 5)


@pytest.mark.parametrize("name", [name for name in ss.presets() if "barlow" in name])
def test_barlow_twins_presets_collapse_in_the_regime_of_the_data(name):
    """Every released Barlow Twins, whichever way its epsilon enters, has the modes of epsilon = 0 once its outputs are larger
    than the variance that the note gives, where it is within 1 % of it."""
    loss = ss.preset(name)
    found = ss.collapse(loss, A0, SIGMA, 5)
    (note,) = [note for note in found.notes if note.startswith("large outputs")]
    variance = float(note.rsplit(">", 1)[1])
    assert found.kept == ss.collapse(BARLOW, A0, SIGMA, 5).kept

    def at(size):
        return MomentLoss(loss, 5).at(np.sqrt(size) * found.W, A0, SIGMA)[0]

    np.testing.assert_allclose(at(1e9), found.loss, rtol=1e-4)
    np.testing.assert_allclose(at(1.1 * variance), found.loss, rtol=0.0101)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(at(variance / 1.2), found.loss, rtol=0.0101)


def assert_attains(loss, found, d1=5):
    """Assert that the weights of a collapse have its value, and its spectrum of P."""
    np.testing.assert_allclose(MomentLoss(loss, d1).at(found.W, A0, SIGMA)[0], found.loss, rtol=1e-9, atol=1e-12)
    P = found.W @ SIGMA @ found.W.T
    np.testing.assert_allclose(np.linalg.eigvalsh(P)[::-1], found.spectrum_of_P, rtol=1e-8, atol=1e-10)
    assert np.count_nonzero(found.spectrum_of_P) == found.surviving and found.W.shape == (d1, 7)


@pytest.mark.parametrize(
    "loss", [ss.VICReg(), BARLOW, ss.BarlowTwins(lambda_=0.3), OWN], ids=["vicreg", "barlow", "raw", "own"]
)
def test_the_weights_of_a_loss_of_outputs(loss):
    """A loss of single outputs attains its least value at the weights returned: the modes turned to equal shares."""
    found = ss.collapse(loss, A0, SIGMA, 5)
    assert_attains(loss, found)
    with pytest.raises(AssertionError):
        assert_attains(1.01 * loss + ss.Loss(ss.output_sum(ss.P(j, j) ** 2, j) / 100), found)


LANDSCAPES = [
    ss.landscape(ss.SpectralContrastive() + ss.WeightDecay(0.2)),
    ss.landscape(ss.InfoNCE(similarity="dot")),
    ss.landscape(ss.BarlowTwins(lambda_=0.5, epsilon=1)),
    ss.landscape(ss.BarlowTwins(lambda_=0.5)),
    ss.landscape(ss.BarlowTwins(lambda_=2)),
]


def assert_stands_at(land, found):
    """Assert that a landscape has its least value, and no slope, at the weights of a collapse."""
    value, slope = land.numpy().value_and_gradient(found.W, A0=A0, Sigma=SIGMA)
    np.testing.assert_allclose(value, found.loss, rtol=1e-9, atol=1e-12)
    assert np.abs(slope).max() < 1e-5
    np.testing.assert_allclose(np.linalg.eigvalsh(found.W @ SIGMA @ found.W.T)[::-1], found.spectrum_of_P, atol=1e-9)


@pytest.mark.parametrize("land", LANDSCAPES, ids=lambda land: land.loss.name + str(getattr(land.loss, "settings", "")))
def test_the_weights_of_a_landscape(land):
    """The weights of a collapse are the global minimum of the compiled landscape; `spectrum` is in the metric of its quartic
    part, `spectrum_of_P` in Sigma."""
    found = ss.collapse(land, A0, SIGMA, 5)
    assert_stands_at(land, found)
    with pytest.raises(AssertionError):
        assert_stands_at(land, ss.collapse(land, A0, 1.02 * SIGMA, 5))


def test_the_weights_on_gaussian_rows():
    """The sampled loss of Gaussian rows has the value of a collapse at its weights, in standard errors; 30 % off it has not."""
    root = np.linalg.cholesky(np.block([[SIGMA, A0], [A0, SIGMA]]))
    rows = np.random.default_rng(8).standard_normal((200_000, 14)) @ root.T
    # With active hinges VICReg is smooth there, and a sample of N rows has a bias of 1 / N.
    for loss in (ss.VICReg(mu=5), ss.SpectralContrastive()):
        found = ss.collapse(loss, A0, SIGMA, 5)
        parts = [ss.SampledLoss(loss, a[:, :7], a[:, 7:]) for a in np.split(rows, 10)]

        def assert_value(W, parts=parts, found=found):
            values = np.array([part.value(W) for part in parts])
            error = values.std(ddof=1) / np.sqrt(len(values))
            assert abs(values.mean() - found.loss) < 4 * error + 20 / len(rows) * len(parts)

        assert_value(found.W)
        with pytest.raises(AssertionError):
            assert_value(1.3 * found.W)


def test_weights_with_a_bias_and_a_mean():
    """With a bias, W is d1 x d0 and the bias beside it, and P is that of the representation, E f f^T, the bias in it."""
    mean = np.linspace(-0.5, 0.5, 7)
    shifted = {"A0": A0 + np.outer(mean, mean), "Sigma": SIGMA + np.outer(mean, mean), "mean": mean}
    land = ss.landscape(ss.SpectralContrastive(), data=ss.GaussianViews(mean=True), bias=True)
    found = ss.collapse(land, d1=5, **shifted)
    f_mean = found.W @ mean + found.bias
    P = found.W @ SIGMA @ found.W.T + np.outer(f_mean, f_mean)
    assert found.W.shape == (5, 7) and found.bias.shape == (5,) and np.abs(found.bias).max() > 0
    np.testing.assert_allclose(np.linalg.eigvalsh(P)[::-1], found.spectrum_of_P, atol=1e-9)


@pytest.mark.parametrize(
    "loss", [ss.VICReg(), ss.BarlowTwins(lambda_=0.0051, epsilon=1e-5), ss.InfoNCE(), ss.NTXent(tau=0.5)]
)
def test_the_number_of_outputs_that_keeps_k_modes(loss):
    """X6 by width: exactly the numbers of outputs in the intervals keep k modes, asked one by one."""
    found = ss.inverse_design(loss, "d1", 4, A0, SIGMA, between=(1, 40))
    counts = {d1: ss.collapse(loss, A0, SIGMA, d1).surviving for d1 in range(1, 41)}
    inside = {d1 for low, high in found.intervals for d1 in range(int(low), int(high) + 1)}
    assert inside == {d1 for d1, count in counts.items() if count == 4} != set()
    assert [found.curve.at(d1) for d1 in counts] == list(counts.values())
    assert found.suggested in inside and f"d1 = {found.intervals[0][0]}" in str(found)


def test_widths_are_whole_and_alone():
    """d1 is looked for or given, and its range is of whole numbers."""
    for arguments, message in (
        ({"d1": 3}, "leave d1=3 out"),
        ({"between": (0.5, 9)}, "whole"),
        ({"between": (5, 2)}, "range"),
    ):
        with pytest.raises(ss.InputError, match=message):
            ss.inverse_design(ss.VICReg(), "d1", 2, A0, SIGMA, **arguments)
    with pytest.raises(ss.InputError, match="d1=None"):
        ss.inverse_design(ss.VICReg(mu=gamma), gamma, 2, A0, SIGMA)


R = np.array([0.95, 0.8, 0.55, 0.3, 0.05])
#: A landscape whose modes compete: beta = 3 / 10.
QUARTIC = ss.landscape(
    ss.Loss(ss.SpectralContrastive().expr + sp.Rational(3, 10) * ss.E(ss.sqnorm(x)) ** 2, name="compete")
)
CRITICAL = [
    (ss.VICReg(), 4),
    (ss.VICReg() + ss.WeightDecay(2), 4),
    (BARLOW, 4),
    (ss.NTXent(tau=0.7), 4),
    (QUARTIC, 4),
    (ss.VICReg(), 2),
    (ss.SpectralContrastive(), 3),
]


def assert_parts_at(land, d1, found, mode, critical):
    """Assert that a mode, the first that is lost, survives once its eigenvalue is 0.3 % above a critical one, and not below."""
    correlations = R.copy()
    b = found.modes[mode].eigenvalue
    for factor, survives in ((0.997, False), (1.003, True)):
        # All eigenvalues here are affine in r of their own mode.
        rate = (ss.collapse(land, np.diag(R + 1e-3), np.eye(5), d1).modes[mode].eigenvalue - b) / 1e-3
        correlations[mode] = R[mode] + (factor * critical - b) / rate
        again = ss.collapse(land, np.diag(correlations), np.eye(5), d1)
        carried = [k for k in again.kept if abs(again.modes[k].direction[mode]) > 0.5]
        assert bool(carried) == survives, f"{factor} of {critical}"


@pytest.mark.parametrize(("land", "d1"), CRITICAL, ids=lambda value: str(getattr(value, "name", "")) or None)
def test_how_far_a_mode_is_from_its_threshold(land, d1):
    """`critical`: raising the eigenvalue of the first lost mode above it lets the mode survive; kept ones lie above it."""
    found = ss.collapse(land, np.diag(R), np.eye(5), d1)
    b = np.array([mode.eigenvalue for mode in found.modes])
    assert np.isfinite(found.critical).all() and len(found.critical) == 5
    assert [bool(e > c) for e, c in zip(b, found.critical, strict=True)] == [mode.survives for mode in found.modes]
    first = found.surviving
    assert_parts_at(land, d1, found, first, found.critical[first])
    with pytest.raises(AssertionError):
        assert_parts_at(land, d1, found, first, 1.01 * found.critical[first])


def test_critical_eigenvalues_that_are_not_known():
    """A minimum found by descents has none."""
    found = ss.collapse(LANDSCAPES[2], A0, SIGMA, 5)
    assert np.isnan(found.critical).all()
