"""`diagnose`: its promised face, its prediction against heads trained on the same rows, the mean, and bad input."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import symscape as ss
from symscape.data.digits import load_digits
from symscape.data.moments import feature_moments
from symscape.diagnosis.causes import distance
from symscape.diagnosis.diagnose import diagnose
from symscape.diagnosis.report import Diagnosis
from symscape.errors import InputError, SymscapeError, UnknownNameError
from symscape.spectrum.ranks import entropy_rank
from symscape.training.train_head import TrainedHead, train_head

D0 = 6
RNG = np.random.default_rng(0)
S = RNG.normal(size=(400, D0)) @ RNG.normal(size=(D0, D0)) / 1.5
S -= S.mean(axis=0)
A, B = (S + 0.4 * RNG.normal(size=S.shape) for _ in range(2))
CENTRE = (A.mean(axis=0) + B.mean(axis=0)) / 2

LOSSES = {
    "spectral": ss.SpectralContrastive(),
    "InfoNCE": ss.InfoNCE(tau=1),
    "InfoNCE of dot products": ss.InfoNCE(similarity="dot"),
    "NT-Xent": ss.preset("lightly/ntxent"),
    "VICReg": ss.preset("vicreg-official/vicreg"),
    "Barlow Twins": ss.preset("barlow-twins-official/barlow-twins"),
}
x, xp, chi = ss.anchor, ss.positive, ss.negative
ALIGN_UNIFORM = ss.Loss(ss.E(ss.sqdist(x, xp)) + sp.log(ss.E(sp.exp(-2 * ss.sqdist(x, chi)))), name="align-uniform")
#: A loss that is in no catalogue: alignment, and a penalty on squared inner products of four different rows.
OWN = ss.Loss(ss.E(ss.sqdist(x, xp)) - 3 * ss.E(ss.sqnorm(x)) + ss.E(ss.dot(x, chi) ** 2), name="my loss")


def shares(p: np.ndarray) -> np.ndarray:
    return p / p.sum() if p.any() else p


# The promised face


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("d1", [1, D0 + 2])
def test_the_promised_face(loss: str, d1: int):
    """API.md, section 6, for fewer outputs than features, for one, and for more."""
    report = diagnose(A, B, loss=LOSSES[loss], d1=d1)
    assert report.spectrum.shape == (d1,) and (np.diff(report.spectrum) <= 0).all() and (report.spectrum >= 0).all()
    assert report.surviving == (report.spectrum > 0).sum() == sum(survives for _, _, survives in report.modes)
    possible = min(D0, d1)
    kind = "complete" if not report.surviving else "none" if report.surviving == possible else "dimensional"
    assert report.kind == kind and report.surviving <= possible
    assert report.effective_rank == pytest.approx(entropy_rank(report.spectrum))
    assert 1 - 1e-9 <= report.effective_rank <= report.surviving + 1e-9
    values = [eigenvalue for eigenvalue, _, _ in report.modes]
    assert values == sorted(values, reverse=True)
    assert all(direction.shape == (D0,) and type(survives) is bool for _, direction, survives in report.modes)
    assert isinstance(report.plot(), Axes)
    ax = Figure().subplots()
    assert report.plot(ax=ax) is ax
    assert report.name in str(report).replace("\n  ", " ") and str(report) == repr(report)
    json.dumps(report.record(), allow_nan=False)


@pytest.mark.parametrize(("name", "given", "same"), [
    ("infonce", {"tau": 0.5}, ss.InfoNCE(tau=0.5)),
    ("InfoNCE", {"params": {"tau": 0.5}}, ss.InfoNCE(tau=0.5)),
    ("spectral", {}, ss.SpectralContrastive()),
    ("vicreg", {"lambda_": 5, "nu": 2}, ss.VICReg(lambda_=5, nu=2)),
    ("solo-learn/vicreg", {}, ss.preset("solo-learn/vicreg")),
    (ss.InfoNCE(tau=sp.Symbol("tau", positive=True)), {"tau": 0.5}, ss.InfoNCE(tau=0.5)),
    (2 * ss.SpectralContrastive(), {}, ss.SpectralContrastive() + ss.SpectralContrastive()),
])  # fmt: skip
def test_a_loss_by_name_preset_or_symbols_is_the_loss_itself(name: Any, given: dict[str, Any], same: ss.Loss):
    one, other = (diagnose(A, B, loss=loss, d1=4, **more) for loss, more in ((name, given), (same, {})))
    np.testing.assert_allclose(one.spectrum, other.spectrum, rtol=1e-9)
    assert one.loss == pytest.approx(other.loss)


def test_weight_decay_inside_the_loss_beside_it_or_both_is_one():
    loss = ss.SpectralContrastive()
    given = [(loss, 0.4), (loss + ss.WeightDecay(0.4), 0), (loss + ss.WeightDecay(0.1), sp.Rational(3, 10))]
    reports = [diagnose(A, B, loss=one, d1=4, weight_decay=gamma) for one, gamma in given]
    for report in reports[1:]:
        np.testing.assert_allclose(report.spectrum, reports[0].spectrum, rtol=1e-7)
        assert report.loss == pytest.approx(reports[0].loss)
    # Planted: the framework's number, twice gamma, is another question.
    assert distance(diagnose(A, B, loss=loss, d1=4, weight_decay=0.2).spectrum, reports[0].spectrum) > 0.02


@pytest.mark.parametrize("loss", [OWN, ALIGN_UNIFORM], ids=lambda loss: loss.name)
def test_a_users_own_loss_is_forecast_as_a_head_trains_on_it(loss: ss.Loss):
    report = diagnose(A, B, loss=loss, d1=3)
    assert_predicts(report, train_head(loss, A, B, 3, rng=np.random.default_rng(2)), 0.05)


def test_own_loss_by_hand():
    """E|f - f'|^2 - 3 E|f|^2 + E (f.chi)^2 = -Tr M' + |P|^2 with slopes 1 + 2 r: p = (1 + 2 r)/2, least -sum p^2."""
    report = diagnose(A, B, loss=OWN, d1=3, refine=False)
    r = np.sort(np.linalg.eigvals(np.linalg.solve(A.T @ A + B.T @ B, A.T @ B + B.T @ A)).real)[::-1][:3]
    np.testing.assert_allclose(report.spectrum, (1 + 2 * r) / 2, rtol=1e-8)
    assert report.loss == pytest.approx(-float((report.spectrum**2).sum()))


# Against training


PIXELS = load_digits()[0][:800]
PIXELS = PIXELS[:, np.sort(np.argsort(-PIXELS.var(axis=0))[:24])]
DIGITS_A, DIGITS_B = (PIXELS + 0.3 * RNG.standard_normal(PIXELS.shape) for _ in range(2))
OTHERS = [PIXELS[:400] + 0.4 * RNG.standard_normal((400, 24)) for _ in range(2)]


def assert_predicts(report: Diagnosis, head: TrainedHead, close: float, a: Any = A, b: Any = B) -> None:
    """Assert that the predicted spectrum is near that of a head, relative to its sum; and effective rank, kept modes.

    Modes that the report says lie at their threshold may be kept or lost; no other.
    """
    observed = head.spectrum(a, b, centred=report.best.frame.mean_goes in ("loss", "bias"))
    predicted = report.spectrum
    if report.theory.scale_free:
        observed, predicted = shares(observed), shares(predicted)
    assert head.converged and distance(predicted, observed) < close
    assert report.effective_rank == pytest.approx(entropy_rank(observed), rel=close)
    doubtful = [mode.survives for mode in report.modes if mode.verdict == "at its threshold"]
    least = report.surviving - sum(doubtful)
    assert least <= int((observed > 1e-3 * observed.max()).sum()) <= least + len(doubtful)


@pytest.mark.parametrize(("loss", "close", "planted"), [
    ("spectral", 0.01, {"loss": ss.SpectralContrastive() + ss.WeightDecay(0.05)}),
    ("InfoNCE", 0.05, {"loss": ss.InfoNCE(tau=1.1)}),
    ("NT-Xent", 0.05, {"loss": "lightly/ntxent", "tau": 0.4}),
    ("VICReg", 0.01, {"loss": "vicreg-official/vicreg", "lambda_": 22}),
    ("Barlow Twins", 0.02, {"loss": "barlow-twins-official/barlow-twins", "lambda_": 0.007}),
])  # fmt: skip
def test_the_report_predicts_heads_trained_on_the_digits(loss: str, close: float, planted: dict[str, Any]):
    """d1 = 16, noise 0.3; the head starts from random weights and is told nothing of the prediction."""
    report = diagnose(DIGITS_A, DIGITS_B, loss=LOSSES[loss], d1=16)
    head = train_head(LOSSES[loss], DIGITS_A, DIGITS_B, 16)
    assert_predicts(report, head, close, DIGITS_A, DIGITS_B)
    with pytest.raises(AssertionError):
        assert_predicts(diagnose(DIGITS_A, DIGITS_B, d1=16, **planted), head, close, DIGITS_A, DIGITS_B)
    if loss != "NT-Xent":  # other features: those of other digits, with more noise
        with pytest.raises(AssertionError):
            assert_predicts(diagnose(*OTHERS, loss=LOSSES[loss], d1=16), head, close, DIGITS_A, DIGITS_B)


@pytest.mark.parametrize("loss", ["spectral", "VICReg"])
def test_theory_alone_predicts_heads_where_it_is_exact(loss: str):
    report = diagnose(DIGITS_A, DIGITS_B, loss=LOSSES[loss], d1=8, refine=False)
    assert report.refined is None
    assert_predicts(report, train_head(LOSSES[loss], DIGITS_A, DIGITS_B, 8), 0.02, DIGITS_A, DIGITS_B)


# Where rows come from


def test_features_in_files_are_features(tmp_path: Path):
    np.save(tmp_path / "a.npy", A)
    np.save(tmp_path / "b.npy", B)
    np.savez(tmp_path / "both.npz", first=A, second=B)
    here = diagnose(A, B, loss="spectral", d1=3)
    for given in ((str(tmp_path / "a.npy"), tmp_path / "b.npy"), (tmp_path / "both.npz",)):
        keys = {"keys": ("first", "second")} if len(given) == 1 else {}
        np.testing.assert_allclose(diagnose(*given, loss="spectral", d1=3, **keys).spectrum, here.spectrum, rtol=1e-12)


def test_moments_in_place_of_features_give_the_theory_alone():
    report, whole = diagnose(feature_moments(A, B), loss="infonce", d1=3), diagnose(A, B, loss="infonce", d1=3)
    assert report.refined is None and report.accuracy is None
    np.testing.assert_allclose(report.spectrum, whole.theory.spectrum, rtol=1e-9)
    assert distance(report.spectrum, whole.spectrum) > 0.01
    assert "theory alone" in " ".join(report.notes)
    with pytest.raises(InputError, match="features"):
        report.train()


def test_progress_is_told_of_rows_and_of_steps():
    said: list[tuple[str, int, int]] = []
    diagnose(A, B, loss="spectral", d1=3, progress=lambda *one: said.append(one))
    assert ("moments", 400, 400) in said and [n for stage, n, _ in said if stage == "loss on rows"][:2] == [1, 2]


def test_the_loss_is_run_on_the_rows_asked_for():
    loss = LOSSES["InfoNCE"]
    batched = diagnose(A, B, loss=loss, d1=3, batch_size=50)
    parts = [ss.SampledLoss(loss, A[k : k + 50], B[k : k + 50]).value(batched.W) for k in range(0, 400, 50)]
    assert batched.loss == pytest.approx(np.mean(parts))
    few = diagnose(A, B, loss=loss, d1=3, max_rows=100, seed=5)
    chosen = np.sort(np.random.default_rng(5).choice(400, 100, replace=False))
    assert few.loss == pytest.approx(ss.SampledLoss(loss, A[chosen], B[chosen]).value(few.W))
    assert few.loss != pytest.approx(diagnose(A, B, loss=loss, d1=3, max_rows=100, seed=6).loss, rel=1e-3)


def test_small_batches_keep_more_of_a_mode():
    """With N rows a batch, -Tr M + ... has N - 1 negatives: E log of a mean of few is lower, and strengths larger."""
    loss = LOSSES["InfoNCE of dot products"]
    report, head = (
        make(loss) for make in (
            lambda loss: diagnose(A, B, loss=loss, d1=3, batch_size=40),
            lambda loss: train_head(loss, A, B, 3, batch_size=40),
        )
    )  # fmt: skip
    assert_predicts(report, head, 0.05)
    with pytest.raises(AssertionError):
        assert_predicts(diagnose(A, B, loss=loss, d1=3), head, 0.05)


# Collapse, and features at the edge


@pytest.mark.parametrize("loss", ["spectral", "InfoNCE", "InfoNCE of dot products"])
@pytest.mark.parametrize("refine", [False, True])
def test_under_heavy_weight_decay_everything_collapses(loss: str, refine: bool):
    report = diagnose(A + 3, B + 3, loss=LOSSES[loss], d1=3, weight_decay=400, refine=refine)
    assert (report.kind, report.surviving, report.effective_rank) == ("complete", 0, 0.0)
    assert not report.spectrum.any() and not report.W.any()
    assert all(mode.verdict == "collapses" and not mode.survives for mode in report.modes)
    assert report.loss == pytest.approx(report.loss_at_collapse, abs=1e-9)
    assert "every mode collapses" in " ".join(report.notes) or not refine
    assert str(report) and set(report.ranks.values()) == {0.0}
    assert report.learning_order == ()


def test_features_that_are_constant_or_copies_change_nothing_where_the_loss_does_not_see_them():
    for loss in ("InfoNCE", "VICReg", "Barlow Twins"):
        more = [np.column_stack([v, np.full(400, 2.0), v[:, 0], 3 - v[:, 1]]) for v in (A, B)]
        one, other = diagnose(A, B, loss=LOSSES[loss], d1=3), diagnose(*more, loss=LOSSES[loss], d1=3)
        np.testing.assert_allclose(other.theory.spectrum, one.theory.spectrum, rtol=1e-7)
        assert distance(other.spectrum, one.spectrum) < 0.02
        assert len(other.modes) == D0 and {f.kind for f in other.moments.findings} >= {
            "constant features",
            "duplicated features",
        }


def test_two_copies_of_every_feature_halve_weight_decay():
    """w phi + w' phi with w = w' is (2 w) phi at half of |2 w|^2."""
    copies = diagnose(np.hstack([A, A]), np.hstack([B, B]), loss="spectral", d1=3, weight_decay=0.8)
    half = diagnose(A, B, loss="spectral", d1=3, weight_decay=0.4)
    np.testing.assert_allclose(copies.spectrum, half.spectrum, rtol=1e-6)


def test_a_constant_feature_is_a_bias_where_the_loss_sees_means():
    with_one = [np.column_stack([v + 0.3, np.ones(400)]) for v in (A, B)]
    one = diagnose(*with_one, loss="spectral", d1=3)
    other = diagnose(A + 0.3, B + 0.3, loss="spectral", d1=3, bias=True)
    np.testing.assert_allclose(one.spectrum, other.spectrum, rtol=1e-6)
    assert one.theory.spectrum[0] == pytest.approx(1) and other.bias is not None and np.abs(other.bias).max() > 0.1


def test_fewer_rows_than_features_is_said():
    report = diagnose(A[:3], B[:3], loss="spectral", d1=3)
    assert len(report.modes) == 6 and "fewer rows than features" in {f.kind for f in report.moments.findings}
    assert report.modes[0].r == pytest.approx(1) and report.modes[-1].r == pytest.approx(
        -1
    )  # some direction separates any rows


def test_views_without_augmentation():
    """r = 1: the spectral loss has p = 1 all over; InfoNCE has no minimum, and says so."""
    report = diagnose(A, A, loss="spectral", d1=3, refine=False)
    np.testing.assert_allclose(report.spectrum, 1, rtol=1e-9)
    with pytest.raises(InputError, match="identical"):
        diagnose(A, A, loss="infonce", d1=3)


# The mean


@pytest.mark.parametrize("loss", ["InfoNCE", "VICReg", "Barlow Twins"])
def test_a_loss_that_ignores_the_mean_gives_the_same_answer_at_a_large_mean(loss: str):
    here, far = diagnose(A, B, loss=LOSSES[loss], d1=3), diagnose(A + 1e4, B + 1e4, loss=LOSSES[loss], d1=3)
    np.testing.assert_allclose(far.theory.spectrum, here.theory.spectrum, rtol=1e-6)
    assert distance(far.spectrum, here.spectrum) < 0.02
    assert far.loss == pytest.approx(here.loss, rel=1e-2)


@pytest.mark.parametrize("loss", LOSSES)
def test_with_a_bias_a_large_mean_changes_nothing(loss: str):
    here = diagnose(A - CENTRE, B - CENTRE, loss=LOSSES[loss], d1=3, bias=True)
    far = diagnose(A + 1e4, B + 1e4, loss=LOSSES[loss], d1=3, bias=True)
    np.testing.assert_allclose(far.theory.spectrum, here.theory.spectrum, rtol=1e-5)
    assert distance(far.spectrum, here.spectrum) < 0.02
    if loss in ("spectral", "InfoNCE of dot products"):  # Planted: without a bias it is another answer.
        assert distance(diagnose(A + 1e4, B + 1e4, loss=LOSSES[loss], d1=3).spectrum, here.spectrum) > 0.01


@pytest.mark.parametrize("loss", ["NT-Xent", "InfoNCE of dot products"])
def test_training_turns_weights_away_from_a_large_mean(loss: str):
    """W mean = 0, as the report says; a report on the same features about their mean fails."""
    mean = np.array([6.0, -4.0, 2.0, 5.0, 0.0, 3.0])
    a, b = A + mean, B + mean
    report, head = diagnose(a, b, loss=LOSSES[loss], d1=3), train_head(LOSSES[loss], a, b, 3)
    assert report.theory.frame.mean_goes == "weights" and len(report.modes) == D0 - 1
    assert np.linalg.norm(report.W @ report.moments.mean) < 1e-9 * np.linalg.norm(report.W) * np.linalg.norm(mean)
    assert np.linalg.norm(head.W @ mean) < 0.1 * np.linalg.norm(head.W) * np.linalg.norm(mean)
    assert_predicts(report, head, 0.05, a, b)
    with pytest.raises(AssertionError):
        assert_predicts(diagnose(a - mean, b - mean, loss=LOSSES[loss], d1=3), head, 0.02, a, b)


def test_of_two_frames_the_rows_choose_the_one_of_less_loss():
    """A short mean along the strongest feature: to lose that feature costs more than the mean does."""
    rng = np.random.default_rng(4)
    s = rng.normal(size=(400, 3)) * [3.0, 0.6, 0.3] + [1.1, 0.0, 0.0]
    a, b = (s + 0.3 * rng.normal(size=s.shape) for _ in range(2))
    report = diagnose(a, b, loss="lightly/ntxent", d1=2)
    alone = diagnose(a, b, loss="lightly/ntxent", d1=2, refine=False)
    assert alone.theory.frame.mean_goes == "weights" and report.theory.frame.mean_goes == "stays"
    head = train_head("lightly/ntxent", a, b, 2)
    assert_predicts(report, head, 0.05, a, b)
    with pytest.raises(AssertionError):
        assert_predicts(alone, head, 0.05, a, b)


# Input that makes no sense


@pytest.mark.parametrize(("given", "error", "says"), [
    ({"loss": None}, InputError, "say which loss"),
    ({"loss": "infonse"}, UnknownNameError, "infonce"),
    ({"loss": 3}, InputError, "is no loss"),
    ({"loss": "infonce", "temperature": 2}, UnknownNameError, "temperature"),
    ({"loss": ss.InfoNCE(), "temperature": 2}, UnknownNameError, "temperature"),
    ({"loss": ss.InfoNCE(tau=sp.Symbol("tau", positive=True))}, UnknownNameError, "tau"),
    ({"loss": "infonce", "d1": 0}, InputError, "d1"),
    ({"loss": "infonce", "d1": 2.5}, InputError, "d1"),
    ({"loss": "infonce", "weight_decay": -1}, InputError, "weight_decay"),
    ({"loss": "infonce", "weight_decay": float("nan")}, InputError, "weight_decay"),
    ({"loss": "infonce", "weight_decay": "much"}, InputError, "much"),
    ({"loss": "infonce", "max_rows": 1}, InputError, "max_rows"),
])  # fmt: skip
def test_what_is_wrong_with_the_question_is_said_before_a_pass(
    given: dict[str, Any], error: type[SymscapeError], says: str, monkeypatch: pytest.MonkeyPatch
):
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the features were read before the mistake was told")

    monkeypatch.setattr("symscape.diagnosis.diagnose.feature_moments", never)
    with pytest.raises(error, match=says):
        diagnose(A, B, **{"d1": 3, **given})
    with pytest.raises(AssertionError, match="were read"):
        diagnose(A, B, loss="infonce", d1=3)


@pytest.mark.parametrize("size", [1, 401, 2.5, "all"])
def test_a_batch_is_a_number_of_rows(size: Any):
    with pytest.raises(InputError, match="batch_size"):
        diagnose(A, B, loss="infonce", d1=3, batch_size=size)


def test_moments_stand_for_both_views():
    with pytest.raises(InputError, match="both views"):
        diagnose(feature_moments(A, B), B, loss="infonce", d1=3)


def with_bad_rows() -> tuple[np.ndarray, np.ndarray]:
    a, b = A.copy(), B.copy()
    a[7, 2], b[11, 0] = np.nan, np.inf
    return a, b


def test_bad_rows_are_refused_or_dropped_as_asked():
    a, b = with_bad_rows()
    with pytest.raises(InputError, match="7"):
        diagnose(a, b, loss="spectral", d1=3)
    good = np.setdiff1d(np.arange(400), [7, 11])
    dropped, clean = (
        diagnose(a, b, loss="spectral", d1=3, drop_bad_rows=True),
        diagnose(A[good], B[good], loss="spectral", d1=3),
    )
    np.testing.assert_allclose(dropped.spectrum, clean.spectrum, rtol=1e-9)
    assert dropped.moments.dropped == 2 and dropped.moments.rows == 398


@pytest.mark.parametrize("spoil", [
    lambda a, b: (a[:, :3], b), lambda a, b: (a[:-1], b), lambda a, b: (a.astype(str), b), lambda a, b: (a[0], b[0]),
    lambda a, b: (a * 1j, b), lambda a, b: (a[:1], b[:1]), lambda a, b: (a, None),
])  # fmt: skip
def test_what_is_no_pair_of_features_is_refused(spoil: Callable[..., Any]):
    with pytest.raises(InputError):
        diagnose(*spoil(A, B), loss="spectral", d1=3)


# What makes no sense


@pytest.mark.parametrize(("change", "says"), [
    ({"loss": 0 * ss.InfoNCE()}, "depends on the data"), ({"loss": ss.WeightDecay(0.1)}, "depends on the data"),
    ({"seed": -1}, "seed"), ({"params": 3}, "mapping"), ({"progress": 3}, "progress"), ({"bias": "yes"}, "True or False"),
    ({"refine": "no"}, "True or False"), ({"max_rows": 1}, "max_rows"), ({"max_rows": 50, "batch_size": 60}, "2 to 50"),
    ({"weight_decay": "much"}, "weight_decay"), ({"features_a": np.ones((50, 3)), "features_b": np.ones((50, 3))}, "varies"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_in_words(change: dict, says: str):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(80, 3))
    call = {"features_a": a, "features_b": a + 0.3 * rng.normal(size=a.shape), "loss": ss.InfoNCE(), "d1": 2, **change}
    with pytest.raises(InputError, match=says):
        diagnose(**call)


def test_further_calls_that_make_no_sense_are_refused_in_words():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(80, 3))
    report = diagnose(a, a + 0.3 * rng.normal(size=a.shape), loss=ss.InfoNCE(), d1=2)
    for call in (
        lambda: report.compare(None),
        lambda: report.train(d1=3),
        lambda: report.keep(1, parameter=3),
        lambda: report.what_if(labels=np.arange(80) % 2, shares=3),
    ):
        with pytest.raises(InputError):
            call()
    assert report.keep(np.int64(2))[0].keep == 2


def test_an_expression_is_a_loss():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(80, 3))
    b = a + 0.3 * rng.normal(size=a.shape)
    written = diagnose(a, b, loss="E(sqdist(x, xp)) / 2 + E(log(E(exp(-sqdist(x, chi) / 2), over=chi)))", d1=2)
    np.testing.assert_allclose(written.theory.spectrum, diagnose(a, b, loss=ss.InfoNCE(), d1=2).theory.spectrum)
