"""What a loss makes of given moments: frames of the mean, routes of the theory, thresholds, terms, and the refined forecast."""

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import minimize

import symscape as ss
from symscape.errors import InputError, UnknownNameError
from symscape.forecast.forecast import Forecast
from symscape.forecast.frames import Frame, frames_of, sees_second_moments_alone
from symscape.forecast.mode_rows import gaussian_rows, mode_rows
from symscape.forecast.problem import problem
from symscape.forecast.refined import NoMinimumOnRowsError, modes_in_play, refined
from symscape.forecast.terms import term_forces
from symscape.forecast.theory import theory_forecasts, theory_of

D0 = 5
RNG = np.random.default_rng(7)
S_ROWS = RNG.normal(size=(400, D0)) @ RNG.normal(size=(D0, D0)) / 2 + np.array([0.5, -0.3, 0.2, 0.0, 0.4])
A_ROWS, B_ROWS = (S_ROWS + 0.5 * RNG.normal(size=S_ROWS.shape) for _ in range(2))
MEAN = (A_ROWS.mean(axis=0) + B_ROWS.mean(axis=0)) / 2
SIGMA = (A_ROWS.T @ A_ROWS + B_ROWS.T @ B_ROWS) / (2 * len(A_ROWS))
A_0 = (A_ROWS.T @ B_ROWS + B_ROWS.T @ A_ROWS) / (2 * len(A_ROWS))
COVARIANCE, C = SIGMA - np.outer(MEAN, MEAN), SIGMA - A_0

LOSSES = {
    "spectral": ss.SpectralContrastive(),
    "InfoNCE": ss.InfoNCE(tau=1),
    "InfoNCE of dot products": ss.InfoNCE(tau=1, similarity="dot"),
    "InfoNCE, n = 20": ss.InfoNCE(tau=2, n=20),
    "NT-Xent": ss.preset("lightly/ntxent"),
    "VICReg": ss.preset("vicreg-official/vicreg"),
    "Barlow Twins": ss.preset("barlow-twins-official/barlow-twins"),
}


def forecast_of(loss: ss.Loss, d1: int = 3, gamma: float = 0, bias: bool = False) -> Forecast:
    return theory_forecasts("test", problem("test", loss, d1, gamma, bias), C, COVARIANCE, MEAN)[0]


# Frames


@pytest.mark.parametrize(("loss", "goes"), [
    ("InfoNCE", ["loss"]), ("VICReg", ["loss"]), ("Barlow Twins", ["loss"]), ("spectral", ["stays"]),
    ("InfoNCE of dot products", ["weights", "stays"]), ("NT-Xent", ["weights", "stays"]),
])  # fmt: skip
def test_each_loss_sees_the_mean_in_its_own_way(loss: str, goes: list[str]):
    assert [frame.mean_goes for frame in frames_of(LOSSES[loss], COVARIANCE, MEAN)] == goes


def assert_moments_are_those_of_the_rows(frame: Frame, mean: np.ndarray = MEAN) -> None:
    y_a, y_b = (x @ frame.basis.T + frame.offset for x in (A_ROWS, B_ROWS))
    cross, second = frame.moments(C, COVARIANCE, mean)
    np.testing.assert_allclose(second, (y_a.T @ y_a + y_b.T @ y_b) / (2 * len(y_a)), atol=1e-12)
    np.testing.assert_allclose(cross, (y_a.T @ y_b + y_b.T @ y_a) / (2 * len(y_a)), atol=1e-12)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_moments_of_a_frame_are_those_of_the_rows_in_it(loss: str, bias: bool):
    for frame in frames_of(LOSSES[loss], COVARIANCE, MEAN, bias):
        assert_moments_are_those_of_the_rows(frame)
        assert np.allclose(frame.basis @ MEAN + frame.offset, 0) == frame.centred


def test_moments_with_a_wrong_mean_are_caught():
    frame = frames_of(LOSSES["InfoNCE"], COVARIANCE, MEAN)[0]
    with pytest.raises(AssertionError):
        assert_moments_are_those_of_the_rows(frame, 0.97 * MEAN)


def test_no_mean_leaves_one_frame():
    assert len(frames_of(LOSSES["NT-Xent"], COVARIANCE, np.zeros(D0))) == 1
    assert len(frames_of(LOSSES["NT-Xent"], COVARIANCE, 1e-9 * MEAN)) == 1


def test_second_moments_alone_decide_only_where_the_landscape_says_so():
    assert sees_second_moments_alone(ss.SpectralContrastive()) and sees_second_moments_alone(ss.BarlowTwins(lambda_=2))
    assert not sees_second_moments_alone(ss.InfoNCE()) and not sees_second_moments_alone(ss.NTXent())
    assert not sees_second_moments_alone(ss.InfoNCE(similarity="dot"))


# Theory


def spectral_loss(W: np.ndarray, b: np.ndarray, gamma: float) -> float:
    """The population's spectral contrastive loss of W phi + b for these moments, written out: source, HaoChen et al., 2021."""
    second = W @ SIGMA @ W.T + np.outer(W @ MEAN, b) + np.outer(b, W @ MEAN) + np.outer(b, b)
    cross = W @ A_0 @ W.T + np.outer(W @ MEAN, b) + np.outer(b, W @ MEAN) + np.outer(b, b)
    return float(-2 * np.trace(cross) + np.sum(second**2) + gamma * np.sum(W**2))


def least_spectral(gamma: float, bias: bool, starts: int = 8) -> float:
    """The least value over W and b by descents from random starts."""
    rng, best = np.random.default_rng(0), np.inf

    def value(flat: np.ndarray) -> float:
        W, b = flat[: 3 * D0].reshape(3, D0), flat[3 * D0 :]
        return spectral_loss(W, b if bias else 0 * b, gamma)

    for _ in range(starts):
        best = min(best, minimize(value, rng.normal(size=3 * D0 + 3) / 2, method="BFGS", options={"gtol": 1e-8}).fun)
    return best


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("gamma", [0.0, 0.3])
def test_the_forecast_of_the_spectral_loss_is_its_least_value(gamma: float, bias: bool):
    """Weight decay that does not commute with Sigma, and a bias that does not decay."""
    found = forecast_of(ss.SpectralContrastive(), gamma=gamma, bias=bias)
    b = np.zeros(3) if found.bias is None else found.bias
    assert found.value == pytest.approx(spectral_loss(found.W, b, gamma), rel=1e-9)
    assert found.value == pytest.approx(least_spectral(gamma, bias), rel=1e-6)
    # Planted: weights 3 % too long, and a bias that decays.
    assert found.value != pytest.approx(spectral_loss(1.03 * found.W, b, gamma), rel=1e-6)
    if bias and gamma:
        assert np.abs(b).max() > 1e-3


@pytest.mark.parametrize("gamma", [0, 0.2])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_spectrum_is_that_of_the_weights(loss: str, gamma: float):
    found = forecast_of(LOSSES[loss], gamma=gamma)
    centre = MEAN if found.frame.mean_goes == "loss" else 0 * MEAN
    P = found.W @ (SIGMA - np.outer(centre, centre)) @ found.W.T
    np.testing.assert_allclose(np.linalg.eigvalsh(P)[::-1], found.spectrum, atol=1e-9)
    assert found.spectrum.shape == (3,) and (np.diff(found.spectrum) <= 0).all()
    assert (found.spectrum > 1e-9).sum() == found.surviving == len(found.kept)
    assert found.strengths.sum() == pytest.approx(found.spectrum.sum())


def test_vicreg_with_weight_decay_is_the_least_value_over_all_weights():
    """The code's loss, by descents over W, on rows whose views have one covariance; variances of 1/(N-1) give 1/N accuracy."""
    loss = ss.preset("vicreg-official/vicreg")
    found = forecast_of(loss, gamma=0.5)
    sampled = ss.SampledLoss(loss + ss.WeightDecay(0.5), np.vstack([A_ROWS, B_ROWS]), np.vstack([B_ROWS, A_ROWS]))
    rng, best = np.random.default_rng(1), np.inf
    for _ in range(10):
        start = rng.normal(size=3 * D0) / 2
        objective = lambda v: tuple(np.ravel(x) for x in sampled.value_and_gradient(v.reshape(3, D0)))  # noqa: E731
        best = min(best, float(np.ravel(minimize(objective, start, jac=True, method="L-BFGS-B").fun)[0]))
    assert sampled.value(found.W) == pytest.approx(best, rel=2e-3)
    assert found.value == pytest.approx(best, rel=5e-3)
    assert forecast_of(loss, gamma=0.0).value != pytest.approx(best, rel=5e-3)


@pytest.mark.parametrize(("loss", "gamma"), [
    ("InfoNCE", 0), ("InfoNCE", 0.2), ("spectral", 0), ("spectral", 0.2), ("NT-Xent", 0), ("InfoNCE, n = 20", 0), ("VICReg", 0),
    ("VICReg", 0.2), ("Barlow Twins", 0),
])  # fmt: skip
def test_a_mode_just_beyond_the_critical_eigenvalue_survives(loss: str, gamma: float):
    d1 = 8  # as many outputs as can share equally
    asked = problem("test", LOSSES[loss], d1, gamma)
    theory = theory_of(asked)
    found = forecast_of(LOSSES[loss], d1, gamma)
    reach = 1e-4 * max(1.0, abs(found.critical))
    for side, more in ((reach, 1), (-reach, 0)):
        values = np.sort(np.append(found.eigenvalues, found.critical + side))[::-1]
        assert len(theory.solve(values, d1).kept) == found.surviving + more


@pytest.mark.parametrize("loss", ["InfoNCE", "spectral", "NT-Xent", "VICReg", "Barlow Twins"])
def test_the_terms_balance_on_kept_modes_and_hold_the_others(loss: str):
    d1 = 4 if loss == "Barlow Twins" else 3  # as many outputs as can share equally
    asked = problem("test", LOSSES[loss], d1, 0.0)
    found = forecast_of(LOSSES[loss], d1)
    forces = term_forces(asked, found)
    total = sum(term.force for term in forces)
    kept, others = list(found.kept), [k for k in range(len(total)) if k not in found.kept]
    size = max(float(np.abs(term.force).max()) for term in forces)
    assert len(forces) >= 2
    np.testing.assert_allclose(total[kept], total[kept][0], atol=1e-5 * size)  # on a shell, the multiplier
    if found.surviving < d1:
        assert (total[others] < total[kept][0]).all()
    # Planted: strengths 5 % off do not balance.
    off = replace(found, strengths=found.strengths * (1 + 0.05 * np.arange(len(total))))
    unbalanced = sum(term.force for term in term_forces(asked, off))
    assert np.ptp(unbalanced[kept]) > 1e-4 * size or len(kept) == 1


def test_outputs_that_cannot_share_equally_are_minimised_over_all_weights():
    """Three outputs of Barlow Twins: equal shares would keep two modes, at a value that no weights reach."""
    r, lam = np.array([0.95, 0.6, 0.5]), 0.05
    asked = problem("test", ss.BarlowTwins(lambda_=lam, epsilon=0), 3)
    found = theory_of(asked).solve(r, 3)
    P, M = found.outputs @ found.outputs.T, found.outputs @ np.diag(r) @ found.outputs.T
    K = M / np.sqrt(np.outer(np.diag(P), np.diag(P)))
    value = np.sum((1 - np.diag(K)) ** 2) + lam * (np.sum(K**2) - np.sum(np.diag(K) ** 2))
    assert len(found.kept) == 3 and found.value == pytest.approx(value, rel=1e-9)
    assert found.value == pytest.approx(0.18375, rel=1e-3)  # by descents from many starts, in other code
    assert ss.rotation_minimised(asked.loss, r, 3).value < 0.98 * value


# Refined


def rows_of(loss: ss.Loss, d1: int = 3, gamma: float = 0):  # type: ignore[no-untyped-def]
    asked = problem("test", loss, d1, gamma)
    theory = theory_forecasts("test", asked, C, COVARIANCE, MEAN)[0]
    used = modes_in_play(asked, theory)
    return theory, mode_rows(asked, theory, A_ROWS, B_ROWS, used), used


@pytest.mark.parametrize("gamma", [0, 0.1])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_refined_forecast_lowers_the_loss_of_the_rows(loss: str, gamma: float):
    theory, rows, used = rows_of(LOSSES[loss], gamma=gamma)
    found = refined(theory, rows, used)
    weights = theory.outputs[:, list(used)]
    before = rows.estimate(weights).value
    scale_free = rows.asked.is_scale_free
    decay = 0 if scale_free else gamma
    whole = ss.SampledLoss(rows.asked.loss, A_ROWS, B_ROWS)
    assert before == pytest.approx(whole.value(theory.W) + decay * np.sum(theory.W**2), rel=1e-9)
    assert found.value <= before + 1e-9
    if not scale_free:  # strengths are scaled to those of the theory where the loss lets them
        assert found.value == pytest.approx(whole.value(found.W) + decay * np.sum(found.W**2), rel=1e-6)
    # No strength can be changed by 3 % to lower it; planted: the theory's strengths, where features are not Gaussian.
    least = rows.value_and_gradient(found.outputs[:, list(used)])[0]
    for k in range(len(used)):
        for factor in (0.985, 1.015):
            weights = found.outputs[:, list(used)] * np.where(np.arange(len(used)) == k, factor, 1.0)
            assert rows.value_and_gradient(weights)[0] >= least - 1e-5 * abs(least)


def test_a_loss_without_a_minimum_on_the_rows_is_told():
    """Smooth cosines without weight decay: the longer the weights, the less epsilon costs."""
    theory, rows, used = rows_of(ss.NTXent(tau=0.5, epsilon=1))
    with pytest.raises(NoMinimumOnRowsError, match="falls without end"):
        refined(theory, rows, used)
    theory, rows, used = rows_of(ss.NTXent(tau=0.5, epsilon=1), gamma=0.05)
    assert refined(theory, rows, used).spectrum.max() < 100


def test_rows_in_batches_are_the_mean_over_batches():
    theory, rows, used = rows_of(LOSSES["InfoNCE"])
    weights = theory.outputs[:, list(used)]
    batched = mode_rows(rows.asked, theory, A_ROWS, B_ROWS, used, batch_size=100)
    parts = [
        ss.SampledLoss(LOSSES["InfoNCE"], A_ROWS[k : k + 100], B_ROWS[k : k + 100]).value(theory.W)
        for k in range(0, 400, 100)
    ]
    assert batched.estimate(weights).value == pytest.approx(np.mean(parts), rel=1e-12)
    assert batched.value_and_gradient(weights)[0] == pytest.approx(np.mean(parts), rel=1e-12)
    assert rows.estimate(weights).value != pytest.approx(np.mean(parts), rel=1e-3)


@pytest.mark.parametrize("loss", ["InfoNCE", "InfoNCE of dot products", "NT-Xent", "spectral"])
def test_gaussian_rows_have_the_moments_of_the_modes(loss: str):
    theory, rows, used = rows_of(LOSSES[loss])
    gauss = gaussian_rows(rows.asked, theory, MEAN, 4000, used, np.random.default_rng(0))
    second = (gauss.a.T @ gauss.a + gauss.b.T @ gauss.b) / (2 * len(gauss.a))
    cross = (gauss.a.T @ gauss.b + gauss.b.T @ gauss.a) / (2 * len(gauss.a))
    np.testing.assert_allclose(second, np.eye(len(used)), atol=1e-9)
    np.testing.assert_allclose(cross, np.diag(theory.r[list(used)]), atol=1e-9)
    np.testing.assert_allclose(gauss.a.mean(axis=0), rows.a.mean(axis=0), atol=0.1)
    kurtosis = np.mean((gauss.a - gauss.a.mean(axis=0)) ** 4, axis=0) / gauss.a.var(axis=0) ** 2
    np.testing.assert_allclose(kurtosis, 3, atol=0.5)


# Bad input


@pytest.mark.parametrize(("loss", "change", "error", "says"), [
    ("infonse", {}, UnknownNameError, "infonce"),
    (3, {}, InputError, "is no loss"),
    (ss.InfoNCE(), {"d1": 0}, InputError, "d1"),
    (ss.InfoNCE(), {"weight_decay": -1}, InputError, "not negative"),
    (ss.InfoNCE(tau=sp.Symbol("tau", positive=True)), {}, UnknownNameError, "tau"),
    (ss.InfoNCE(), {"parameters": {"temperature": 1}}, UnknownNameError, "temperature"),
])  # fmt: skip
def test_a_problem_that_makes_no_sense_is_refused(loss, change, error, says):  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=says):
        problem(**{"call": "test", "loss": loss, "d1": 3, **change})


def test_a_loss_by_name_takes_its_settings():
    asked = problem("test", "infonce", 3, parameters={"tau": 0.5})
    found, unit = (
        theory_forecasts("test", p, C, COVARIANCE, MEAN)[0] for p in (asked, problem("test", ss.InfoNCE(tau=1), 3))
    )
    np.testing.assert_allclose(found.spectrum, unit.spectrum / 2)


def test_weight_decay_in_the_loss_and_beside_it_add_up():
    both, one = problem("test", ss.InfoNCE() + ss.WeightDecay(0.1), 3, 0.2), problem("test", ss.InfoNCE(), 3, 0.3)
    assert float(both.gamma) == pytest.approx(float(one.gamma)) and both.loss.expr == one.loss.expr
    assert not any(type(form).__name__ == "Decay" for _, form in both.loss.batch)


def test_views_without_augmentation_have_no_minimum():
    with pytest.raises(InputError, match="identical"):
        theory_forecasts("test", problem("test", ss.InfoNCE(), 3), 0 * C, COVARIANCE, MEAN)


def test_weight_decay_where_it_has_no_closed_form_names_the_way_out():
    with pytest.raises(InputError, match="train_head"):
        theory_forecasts("test", problem("test", ss.BarlowTwins(lambda_=2), 3, 1), C, COVARIANCE, MEAN)


# Features that are all but constant


@pytest.mark.parametrize("loss", ["spectral", "InfoNCE", "VICReg"])
def test_weight_decay_beside_a_feature_that_hardly_varies_blurs_no_mode(loss: str, monkeypatch):
    """Dead outputs of a network vary by rounding: decay holds their weights at zero, and the other modes are what they were."""
    import symscape.stationary.coordinates as coordinates

    tiny, asked = 3e-9, problem("test", LOSSES[loss], 3, 0.3)

    def spectrum() -> np.ndarray:
        # The last feature is tiny times a sum of the others and noise of its own.
        mixed = np.vstack([np.eye(D0), tiny * np.full(D0, 0.5)])
        own = np.diag(np.append(np.zeros(D0), tiny**2))
        moments = (mixed @ C @ mixed.T + own / 2, mixed @ COVARIANCE @ mixed.T + own)
        return theory_forecasts("test", asked, *moments, mixed @ MEAN)[0].spectrum

    expected = theory_forecasts("test", asked, C, COVARIANCE, MEAN)[0].spectrum
    np.testing.assert_allclose(spectrum(), expected, rtol=1e-6)
    monkeypatch.setattr(coordinates, "HOPELESS", np.inf)
    assert not np.allclose(spectrum(), expected, rtol=1e-3)
