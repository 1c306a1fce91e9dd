"""Standard errors and confidence of a diagnosis against fresh data sets; forces of terms; growth against a step of descent."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

import symscape as ss
from symscape.data.moments import FeatureMoments, feature_moments
from symscape.diagnosis import uncertainty as module
from symscape.diagnosis.diagnose import diagnose
from symscape.diagnosis.report import Diagnosis
from symscape.diagnosis.uncertainty import Uncertainty, uncertainty
from symscape.forecast.forecast import Forecast
from symscape.forecast.frames import frames_of
from symscape.forecast.problem import problem
from symscape.forecast.theory import in_frame, theory_of

D0, ROWS, SETS = 6, 600, 40
SCALES = np.array([2.0, 1.5, 1.2, 0.9, 0.6, 0.4])
MEAN = np.array([0.5, -0.3, 0.2, 0.1, 0.4, 0.0])
NOISE = 0.5

#: Loss, gamma, and how far features are from being Gaussian: in frames where the mean stays, is ignored, is turned away from.
CASES = {
    "spectral with decay": (ss.SpectralContrastive(), 0.5, False),
    "spectral, heavy tails": (ss.SpectralContrastive(), 0.0, True),
    "dot products, weights orthogonal to the mean": (ss.InfoNCE(similarity="dot"), 0.5, False),
    "VICReg with decay, heavy tails": (ss.preset("vicreg-official/vicreg"), 1.0, True),
}


def views(seed: int, heavy: bool = False, scales: np.ndarray = SCALES) -> tuple[np.ndarray, np.ndarray]:
    """Two views of a signal of known moments; heavy tails: t with 8 degrees of freedom, of the same variance."""
    rng = np.random.default_rng(seed)
    s = rng.normal(size=(ROWS, D0))
    if heavy:
        s *= np.sqrt(6 / rng.chisquare(8, size=(ROWS, 1)))
    s = s * scales + MEAN
    return s + NOISE * rng.normal(size=s.shape), s + NOISE * rng.normal(size=s.shape)


def report_of(loss: ss.Loss, gamma: float, seed: int, heavy: bool = False, d1: int = 5) -> Diagnosis:
    return diagnose(feature_moments(*views(seed, heavy)), loss=loss, d1=d1, weight_decay=gamma)


@dataclass(frozen=True)
class Spread:
    """Spread over fresh data sets beside the mean standard error, number by number."""

    spread: np.ndarray
    error: np.ndarray


class Forecaster:
    """What `diagnose` does with moments, with the derivation done once: forecasts and their errors."""

    def __init__(self, loss: ss.Loss, gamma: float, d1: int = 5):
        self.asked = problem("test", loss, d1, gamma)
        self.theory = theory_of(self.asked)

    def forecast(self, moments: FeatureMoments) -> Forecast:
        frame = frames_of(self.asked.loss, moments.covariance, moments.mean)[0]
        given = frame.moments(moments.C, moments.covariance, moments.mean)
        return in_frame("test", self.asked, self.theory, frame, given)

    def errors(self, moments: FeatureMoments) -> Uncertainty:
        return uncertainty(self.asked, self.theory, self.forecast(moments), moments)


@cache
def spreads(name: str) -> dict[str, Spread]:
    loss, gamma, heavy = CASES[name]
    moments, made = [feature_moments(*views(seed, heavy)) for seed in range(SETS)], Forecaster(loss, gamma)
    forecasts, errors = [made.forecast(m) for m in moments], [made.errors(m) for m in moments[:4]]
    found = {}
    for what in ("eigenvalues", "r", "spectrum", "effective_rank", "participation_ratio"):
        values = np.array([np.atleast_1d(getattr(f, what)) for f in forecasts])
        given = np.array([np.atleast_1d(getattr(e, what)) for e in errors])
        moving = values.std(axis=0) > 1e-9
        found[what] = Spread(values.std(axis=0, ddof=1)[moving], given.mean(axis=0)[moving])
    report = report_of(loss, gamma, 0, heavy)
    np.testing.assert_allclose(report.uncertainty.spectrum, errors[0].spectrum)
    np.testing.assert_allclose(report.spectrum, forecasts[0].spectrum)
    return found


def assert_errors_are_the_spread(found: Spread, factor: float = 1.0) -> None:
    """Assert that errors are the spread within 1.5, and 1.25 on their geometric mean: a spread over 40 is known to 11 %."""
    assert len(found.spread)
    ratio = factor * found.error / found.spread
    assert (ratio < 1.5).all() and (ratio > 1 / 1.5).all(), ratio
    if len(ratio) > 2:
        assert 1 / 1.25 < np.exp(np.log(ratio).mean()) < 1.25, ratio


@pytest.mark.parametrize("what", ["eigenvalues", "r", "spectrum", "effective_rank", "participation_ratio"])
@pytest.mark.parametrize("name", CASES)
def test_a_standard_error_is_the_spread_over_fresh_data(name: str, what: str):
    assert_errors_are_the_spread(spreads(name)[what])
    # Planted: errors of half the rows' deviation, and of the wrong power of N.
    for factor in (0.5, 2.0):
        with pytest.raises(AssertionError):
            assert_errors_are_the_spread(spreads(name)[what], factor)


def error_of_r_by_hand(report: Diagnosis, sigma: float = 1.0) -> np.ndarray:
    """Return the error of r by mode from u^T (A_g - r Sigma_g) u over groups g of rows, their moments about zero."""
    moments, u, r = report.moments, report.theory.rows, report.theory.r
    squares = 0.0
    for group in moments.groups:
        A, S = (np.einsum("ki,ij,kj->k", u, matrix, u) for matrix in (group.A_0, group.Sigma))
        squares = squares + (group.rows / moments.rows * (A - r - sigma * r * (S - 1))) ** 2
    count = len(moments.groups)
    return np.sqrt(count / (count - 1) * squares)


def test_errors_that_forget_how_sigma_moves_are_caught():
    """The influence of a group is u^T (A_g - r Sigma_g) u; u^T A_g u - r alone is too large for strong modes."""
    name = "spectral, heavy tails"
    loss, gamma, heavy = CASES[name]
    reports = [report_of(loss, gamma, seed, heavy) for seed in range(4)]
    for report in reports:
        np.testing.assert_allclose(report.uncertainty.r, error_of_r_by_hand(report), rtol=1e-8)
    wrong = np.mean([error_of_r_by_hand(report, sigma=0.0) for report in reports], axis=0)
    with pytest.raises(AssertionError):
        assert_errors_are_the_spread(Spread(spreads(name)["r"].spread, wrong))


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("VICReg")])
def test_first_order_errors_are_those_of_the_jackknife_that_solves_every_eigenproblem_again(name: str):
    loss, gamma, heavy = CASES[name]
    made, moments = Forecaster(loss, gamma), feature_moments(*views(7, heavy))
    left = [made.forecast(part).eigenvalues for part in moments.leave_group_out()]
    count = len(left)
    solved = np.sqrt((count - 1) / count * ((np.array(left) - np.mean(left, axis=0)) ** 2).sum(axis=0))
    np.testing.assert_allclose(made.errors(moments).eigenvalues, solved, rtol=0.1)


def test_a_mean_that_moves_turns_the_weights(monkeypatch: pytest.MonkeyPatch):
    """Planted: without the force that keeps u orthogonal to the mean, errors are too small."""
    name = "dot products, weights orthogonal to the mean"
    loss, gamma, _ = CASES[name]
    made = Forecaster(loss, gamma)
    assert made.forecast(feature_moments(*views(0))).frame.mean_goes == "weights"
    monkeypatch.setattr(module, "_turns_with_the_mean", lambda *_: (np.zeros((D0 - 1, D0)),) * 2)
    wrong = np.mean([made.errors(feature_moments(*views(seed))).eigenvalues for seed in range(4)], axis=0)
    with pytest.raises(AssertionError):
        assert_errors_are_the_spread(Spread(spreads(name)["eigenvalues"].spread, wrong))


def test_a_mean_of_noise_alone_costs_no_mode():
    """It has no direction to turn the weights from: the modes are those of features without a mean."""
    a, b = views(0)
    report = diagnose(feature_moments(a - a.mean(axis=0), b - a.mean(axis=0)), loss=ss.InfoNCE(similarity="dot"), d1=D0)
    assert np.abs(report.moments.mean).max() > 0 and report.theory.frame.mean_goes == "stays"
    free = diagnose(feature_moments(a, b), loss=ss.InfoNCE(), d1=D0)
    np.testing.assert_allclose(report.theory.eigenvalues, free.theory.eigenvalues, atol=0.02)
    assert len(report.modes) == D0


# Confidence


def centred_report(gamma: float, seed: int) -> Diagnosis:
    a, b = (view - MEAN for view in views(seed))
    return diagnose(feature_moments(a, b), loss=ss.SpectralContrastive(), d1=D0, weight_decay=gamma)


def test_confidence_is_the_share_of_verdicts_that_are_right():
    """A signal drawn evenly about its threshold, 2 s^2 = gamma: of verdicts with confidence near q a share of about q is right.

    The number of kept modes, 3 or 4, has its error too.
    """
    gamma, sigma = 2 * SCALES[3] ** 2, SCALES[3] ** 2 + NOISE**2
    made = Forecaster(ss.SpectralContrastive(), gamma, D0)
    error, found = float(centred_report(gamma, 0).uncertainty.eigenvalues[3]), []
    for seed, offset in enumerate(np.random.default_rng(0).uniform(-3, 3, 110)):
        scales = SCALES.copy()
        scales[3] = np.sqrt(gamma / 2 + offset * error * sigma / 2)
        moments = feature_moments(*(view - MEAN for view in views(2000 + seed, scales=scales)), groups=8)
        sure = made.errors(moments)
        found.append((sure.confidence[3], (3 in made.forecast(moments).kept) == (offset > 0), sure.surviving))
    confidence, right, count = (np.array(column, dtype=float) for column in zip(*found, strict=True))
    for low, high in ((0.5, 0.9), (0.9, 1.0)):
        chosen = (confidence >= low) & (confidence <= high)
        said, spread = confidence[chosen].mean(), np.sqrt((confidence * (1 - confidence))[chosen].sum()) / chosen.sum()
        assert chosen.sum() > 30 and abs(right[chosen].mean() - said) < 2.5 * spread
    # Planted: everything said to be sure.
    assert abs(right.mean() - 1.0) > 2.5 * np.sqrt((confidence * (1 - confidence)).sum()) / len(confidence)
    np.testing.assert_allclose(count**2, confidence * (1 - confidence), atol=1e-3)


@pytest.mark.parametrize("k", [1, 3])
def test_a_mode_at_its_threshold_says_so_and_one_far_from_it_does_not(k: int):
    """At gamma = 2 lambda_k(A_0) mode k of these very rows is at b = 0 (Sylvester); half an error and five errors beside it."""
    start = centred_report(0.1, 3)
    at = 2 * float(np.linalg.eigvalsh(start.moments.A_0)[::-1][k])
    there = centred_report(at, 3)
    error, slope = float(there.uncertainty.margin[k]), float(there.theory.sizes[k])
    assert there.theory.eigenvalues[k] == pytest.approx(0, abs=1e-8)
    verdicts = {}
    for away in (-5, -0.5, 0.5, 5):
        report = centred_report(at - away * error / slope, 3)
        verdicts[away] = report.modes[k].verdict
        assert report.modes[k].confidence == pytest.approx(norm.cdf(abs(away)), abs=0.05)
    assert verdicts == {-5: "collapses", -0.5: "at its threshold", 0.5: "at its threshold", 5: "survives"}


def test_cosines_have_their_threshold_on_the_shell():
    """NT-Xent: a mode between kept and lost moves with the threshold, which moves with the others."""
    report = diagnose(feature_moments(*(v - MEAN for v in views(0))), loss="lightly/ntxent", d1=D0)
    assert np.isfinite(report.uncertainty.confidence).all() and 0 < report.theory.critical < 1
    sure = report.uncertainty.confidence
    assert sure[0] > 0.999 and ((sure >= 0.5) & (sure <= 1)).all()


def test_a_mode_without_an_output_is_not_at_its_threshold():
    report = diagnose(feature_moments(*views(0)), loss="spectral", d1=2)
    assert [mode.verdict for mode in report.modes] == ["survives"] * 2 + ["no output left"] * 4
    assert report.uncertainty.surviving < 1e-6


# Terms


@pytest.mark.parametrize(("loss", "gamma"), [
    (ss.SpectralContrastive(), 0.0), (ss.SpectralContrastive(), 0.5), (ss.InfoNCE(tau=0.5), 0.0), (ss.InfoNCE(tau=0.5), 0.3),
    (ss.InfoNCE(n=20), 0.3),
])  # fmt: skip
def test_the_forces_of_the_terms_add_up_to_zero_on_kept_modes(loss: ss.Loss, gamma: float):
    report = report_of(loss, gamma, 0, d1=4)
    total, kept = sum(term.force for term in report.terms), list(report.theory.kept)
    size = max(np.abs(term.force).max() for term in report.terms)
    assert len(report.terms) >= 2 + bool(gamma) and kept
    np.testing.assert_allclose(total[kept], 0, atol=1e-4 * size)
    # Planted: a term left out.
    assert all(np.abs((total - term.force)[kept]).max() > 0.01 * size for term in report.terms)
    for mode in report.modes:
        if mode.survives:
            forces = {term.term: term.force[mode.number] for term in report.terms}
            assert forces[mode.driven_by] == max(forces.values()) and forces[mode.held_by] == min(forces.values())


def test_forces_are_the_slopes_of_the_terms_of_the_spectral_loss():
    """-2 E f.f' drives by 2 r_k, E (f.chi)^2 holds by 2 p_k, gamma ||W||^2 by gamma |u_k|^2."""
    report = report_of(ss.SpectralContrastive(), 0.5, 0)
    forces = {term.term: term.force for term in report.terms}
    decay = next(force for name, force in forces.items() if "||W||" in name)
    np.testing.assert_allclose(decay, -0.5 * (report.theory.rows**2).sum(axis=1))
    others = sorted((force for name, force in forces.items() if "||W||" not in name), key=lambda force: force[0])
    np.testing.assert_allclose(others[0], -2 * report.theory.strengths, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(others[1], 2 * report.theory.r, rtol=1e-8)


# Growth


def step_of_flow(report: Diagnosis, k: int, size: float = 1e-4, rate: float = 1e-3) -> float:
    """Return the growth rate of weights along mode k in one step of gradient descent from small weights, on the landscape."""
    asked, moments = report.request.problem, report.moments
    land = ss.landscape(asked.whole, order=4)
    W = np.zeros((asked.d1, D0))
    W[0] = size * report.theory.rows[k]
    cross, second = (
        (moments.covariance - moments.C, moments.covariance) if report.theory.frame.mean_goes == "loss"
        else (moments.A_0, moments.Sigma)
    )  # fmt: skip
    moved = W - rate * land.numpy().gradient(W, A0=cross, Sigma=second)
    return (float(moved[0] @ W[0]) / float(W[0] @ W[0]) - 1) / rate


@pytest.mark.parametrize("gamma", [0.0, 0.3])
@pytest.mark.parametrize("loss", [ss.SpectralContrastive(), ss.InfoNCE(tau=0.7)], ids=lambda loss: loss.name)
def test_growth_rates_are_those_of_a_step_of_descent(loss: ss.Loss, gamma: float):
    report = report_of(loss, gamma, 1)
    measured = [step_of_flow(report, k) for k in range(D0)]
    np.testing.assert_allclose(report.growth_rates, measured, rtol=1e-4, atol=1e-6)
    # Planted: a report that forgets weight decay, or doubles it.
    other = replace(report, request=replace(report.request, problem=replace(report.request.problem, gamma=gamma + 0.1)))
    assert np.abs(other.growth_rates - measured).max() > 0.1


def test_modes_are_learned_in_the_order_in_which_they_grow():
    """Descent from small weights: the strength along each mode passes half of its end in the order of growth."""
    report = diagnose(feature_moments(*(v - MEAN for v in views(2))), loss="spectral", d1=4)
    order = report.learning_order
    assert set(order) == set(report.best.kept)
    assert list(order) == sorted(order, key=lambda k: -report.growth_rates[k])
    f = ss.landscape(ss.SpectralContrastive(), order=4).numpy()
    moments, rows = report.moments, report.theory.rows[list(order)]
    W = 1e-3 * np.random.default_rng(0).normal(size=(4, D0))
    passed = np.full(4, -1)
    for step in range(4000):
        W -= 0.01 * f.gradient(W, A0=moments.A_0, Sigma=moments.Sigma)
        along = ((W @ moments.Sigma @ rows.T) ** 2).sum(axis=0)
        passed = np.where((passed < 0) & (along > report.theory.strengths[list(order)] / 2), step, passed)
    assert (passed > 0).all() and (np.diff(passed) > 0).all()


def test_there_is_no_growth_near_the_origin_where_the_loss_has_no_series():
    report = report_of(ss.preset("lightly/ntxent"), 0.0, 0)
    assert np.isnan(report.growth_rates).all() and report.learning_order == ()
