"""`report.compare`: representations after training beside the prediction, and the likely cause of each difference."""

from functools import cache
from typing import Any

import numpy as np
import pytest

import symscape as ss
from symscape.diagnosis.causes import FREE, OBSERVED, ON_GAUSSIAN, ON_ROWS, distance
from symscape.diagnosis.comparison import Comparison
from symscape.diagnosis.diagnose import diagnose
from symscape.diagnosis.report import Diagnosis
from symscape.errors import InputError
from symscape.spectrum.ranks import entropy_rank
from symscape.training.train_head import TrainedHead, train_head

D0, D1, ROWS = 6, 4, 400


def features(heavy: bool = False, seed: int = 0, rows: int = ROWS, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Two views of a Gaussian signal, or of one with heavy tails: a log-normal scale a row."""
    rng = np.random.default_rng(seed)
    s = rng.normal(size=(rows, D0)) * [2.0, 1.5, 1.2, 0.9, 0.6, 0.4]
    if heavy:
        s *= np.exp(rng.normal(size=(rows, 1)) - 1)
    return s + noise * rng.normal(size=s.shape), s + noise * rng.normal(size=s.shape)


A, B = features()
LOSSES: dict[str, Any] = {
    "spectral": ss.SpectralContrastive(),
    "InfoNCE": ss.InfoNCE(tau=1),
    "NT-Xent": ss.preset("lightly/ntxent"),
    "VICReg": ss.VICReg(nu=4),
    "Barlow Twins": ss.preset("barlow-twins-official/barlow-twins"),
}


@cache
def report_on(name: str) -> Diagnosis:
    return diagnose(A, B, loss=LOSSES[name], d1=D1)


@cache
def head_on(name: str) -> TrainedHead:
    return train_head(LOSSES[name], A, B, D1)


def views_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    return head_on(name).representations(A), head_on(name).representations(B)


def first_cause(found: Comparison) -> str:
    return found.causes[0]


def assert_agrees(found: Comparison) -> None:
    assert "agree" in first_cause(found) or "modes mix" in first_cause(found), found.causes
    assert found.difference < 0.1 and found.surviving_observed == found.surviving_predicted


# Heads that converged


@pytest.mark.parametrize("loss", LOSSES)
def test_a_head_that_converged_agrees(loss: str):
    found = report_on(loss).compare(*views_of(loss))
    assert_agrees(found)
    assert [step.name for step in found.steps] == ["theory", ON_GAUSSIAN, ON_ROWS, FREE, OBSERVED]
    assert found.steps[-1].moved < 0.02
    assert found.effective_rank_observed == pytest.approx(found.effective_rank_predicted, rel=0.05)
    # Planted: one output doubled.
    with pytest.raises(AssertionError):
        assert_agrees(
            report_on(loss).compare(
                *(z * [2, 1, 1, 1] @ np.linalg.qr(np.ones((4, 4)) + np.eye(4))[0] for z in views_of(loss))
            )
        )


def test_numbers_of_a_comparison_are_those_of_the_representations():
    z_a, z_b = views_of("spectral")
    found = report_on("spectral").compare(z_a, z_b)
    np.testing.assert_allclose(found.observed, np.linalg.eigvalsh((z_a.T @ z_a + z_b.T @ z_b) / (2 * ROWS))[::-1])
    np.testing.assert_allclose(found.predicted, report_on("spectral").spectrum)
    assert found.difference == pytest.approx(distance(found.predicted, found.observed))
    assert found.effective_rank_observed == pytest.approx(entropy_rank(found.observed))
    for before, after in zip(found.steps, found.steps[1:], strict=False):
        assert after.moved == pytest.approx(distance(before.spectrum, after.spectrum))
    for said in (*found.causes, f"{found.surviving_observed} modes observed", found.name):
        assert said in str(found)


def test_a_loss_that_ignores_the_mean_is_compared_about_it():
    z_a, z_b = views_of("InfoNCE")
    found, moved = report_on("InfoNCE").compare(z_a, z_b), report_on("InfoNCE").compare(z_a + 7, z_b + 7)
    np.testing.assert_allclose(moved.observed, found.observed)
    z_a, z_b = views_of("spectral")
    assert distance(report_on("spectral").compare(z_a + 7, z_b + 7, train=False).observed, found.observed) > 1


def test_one_view_will_do():
    for loss in ("spectral", "NT-Xent"):
        assert_agrees(report_on(loss).compare(views_of(loss)[0]))


def test_without_training_there_is_one_step_less():
    found = report_on("spectral").compare(*views_of("spectral"), train=False)
    assert [step.name for step in found.steps] == ["theory", ON_GAUSSIAN, ON_ROWS, OBSERVED]
    assert_agrees(found)


def test_a_report_from_moments_compares_too():
    report = diagnose(ss_moments(), loss="spectral", d1=D1)
    found = report.compare(*views_of("spectral"))
    assert [step.name for step in found.steps] == ["theory", OBSERVED] and found.difference < 0.05


def ss_moments():  # type: ignore[no-untyped-def]
    from symscape.data.moments import feature_moments

    return feature_moments(A, B)


def test_batches_of_the_report_are_those_of_the_comparison():
    report = diagnose(A, B, loss=LOSSES["InfoNCE"], d1=D1, batch_size=50)
    head = train_head(LOSSES["InfoNCE"], A, B, D1, batch_size=50)
    assert_agrees(report.compare(head.representations(A), head.representations(B)))


# What went wrong


@pytest.mark.parametrize("loss", ["spectral", "InfoNCE", "VICReg"])
def test_a_head_stopped_early_has_not_converged(loss: str):
    head = train_head(LOSSES[loss], A, B, D1, method="SGD", batch_size=ROWS, steps=12, learning_rate=0.01, scale=0.3)
    found = report_on(loss).compare(head.representations(A), head.representations(B))
    assert (
        "not converged" in first_cause(found)
        and found.facts["loss above that of all weights free, as a share of what training gains"] > 0.05
    )
    # Planted: the one that converged is not said to be unfinished.
    assert not any("not converged" in cause for cause in report_on(loss).compare(*views_of(loss)).causes)


@pytest.mark.parametrize("loss", ["spectral", "InfoNCE"])
@pytest.mark.parametrize(("factor", "times"), [(3.0, "9"), (0.5, "0.25")])
def test_scaled_representations_are_another_normalisation(loss: str, factor: float, times: str):
    found = report_on(loss).compare(*(factor * z for z in views_of(loss)))
    assert first_cause(found).startswith("the normalisation: times ")
    said = float(first_cause(found).split("times ")[1].split(",")[0])
    assert said == pytest.approx(float(times), rel=0.05)


@pytest.mark.parametrize("loss", ["NT-Xent", "Barlow Twins"])
def test_a_loss_that_keeps_the_scale_does_not_see_it(loss: str):
    one, other = (report_on(loss).compare(*(c * z for z in views_of(loss))) for c in (1.0, 5.0))
    np.testing.assert_allclose(one.observed, other.observed, rtol=1e-9)
    assert_agrees(other)


def test_unit_rows_of_cosines_are_compared_as_unit_rows():
    """Libraries save f / |f|: the prediction is normalised row by row too."""
    z_a, z_b = views_of("NT-Xent")
    unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (z_a, z_b)]
    found = report_on("NT-Xent").compare(*unit)
    assert_agrees(found)
    expected = [report_on("NT-Xent").best.representations(x) for x in (A, B)]
    P = sum(u.T @ u for u in (f / np.linalg.norm(f, axis=1, keepdims=True) for f in expected)) / (2 * ROWS)
    np.testing.assert_allclose(found.predicted, np.linalg.eigvalsh(P)[::-1], rtol=1e-6)
    # Planted: unit rows against the spectrum of f itself.
    assert distance(report_on("NT-Xent").spectrum, found.observed) > 2 * found.difference


def test_unit_rows_of_a_loss_that_sees_the_scale_are_another_normalisation():
    z = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in views_of("spectral")]
    assert "same length" in first_cause(report_on("spectral").compare(*z))


def test_batch_normalised_outputs_are_another_normalisation():
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(D1, D1)))[0]
    z_a, z_b = (z @ turn for z in views_of("InfoNCE"))
    both = np.concatenate([z_a, z_b])
    z = [(x - both.mean(axis=0)) / both.std(axis=0) for x in (z_a, z_b)]
    assert any("batch norm" in cause for cause in report_on("InfoNCE").compare(*z).causes[:2])
    assert not any("batch norm" in cause for cause in report_on("InfoNCE").compare(z_a, z_b).causes)


@pytest.mark.parametrize("spoil", [
    lambda z: np.tanh(2 * z), lambda z: z[np.random.default_rng(0).permutation(ROWS)], lambda z: np.maximum(z, 0),
], ids=["tanh", "shuffled", "relu"])  # fmt: skip
@pytest.mark.parametrize("loss", ["spectral", "InfoNCE"])
def test_what_is_no_linear_image_of_the_features_is_another_head(loss: str, spoil: Any):
    found = report_on(loss).compare(*(spoil(z) for z in views_of(loss)))
    assert any(cause.startswith("the head: only") for cause in found.causes[:2])
    assert not any("the head" in cause for cause in report_on(loss).compare(*views_of(loss)).causes)


# What the theory leaves out


def test_heavy_tails_are_named_as_what_the_theory_leaves_out():
    a, b = features(heavy=True, noise=0.3)
    report, head = diagnose(a, b, loss=LOSSES["InfoNCE"], d1=D1), train_head(LOSSES["InfoNCE"], a, b, D1)
    found = report.compare(head.representations(a), head.representations(b))
    moved = {step.name: step.moved for step in found.steps}
    assert max((ON_GAUSSIAN, ON_ROWS), key=moved.__getitem__) == ON_ROWS and moved[ON_ROWS] > 0.1
    of_theory = [cause for cause in found.causes if cause.startswith("the theory alone")]
    assert "features that are not Gaussian" in of_theory[0]
    # Gaussian features are not accused.
    calm = {step.name: step.moved for step in report_on("InfoNCE").compare(*views_of("InfoNCE")).steps}
    assert calm[ON_ROWS] < moved[ON_ROWS] / 2


def test_a_series_far_from_its_origin_is_named_truncation():
    a, b = features(noise=0.4)
    loss = ss.InfoNCE(tau=1, n=20)
    report, head = diagnose(a, b, loss=loss, d1=2), train_head(loss, a, b, 2)
    assert report.theory_is_truncated
    found = report.compare(head.representations(a), head.representations(b))
    moved = {step.name: step.moved for step in found.steps}
    assert max(moved, key=moved.__getitem__) == ON_GAUSSIAN
    assert any("truncation" in cause for cause in found.causes)
    assert not any("truncation" in cause for cause in report_on("spectral").compare(*views_of("spectral")).causes)


# Representations that do not fit


@pytest.mark.parametrize(("spoil", "says"), [
    (lambda z: z[:, :3], "3 outputs"), (lambda z: z[:-1], "rows"), (lambda z: z[0], "shape"), (lambda z: z.astype(str), "type"),
    (lambda z: z[:0], "real numbers"), (lambda z: np.where(np.arange(ROWS)[:, None] == 7, np.nan, z), "row 7"),
    (lambda z: np.where(np.arange(ROWS)[:, None] == 9, np.inf, z), "row 9"),
])  # fmt: skip
@pytest.mark.parametrize("view", ["z_a", "z_b"])
def test_representations_that_do_not_fit_are_refused(spoil: Any, says: str, view: str):
    z_a, z_b = views_of("spectral")
    given = {"z_a": z_a, "z_b": z_b, view: spoil(z_a)}
    with pytest.raises(InputError, match=says) as told:
        report_on("spectral").compare(**given)
    assert view in str(told.value)


def test_collapsed_representations_are_compared_without_a_warning():
    for loss in LOSSES:
        found = report_on(loss).compare(np.zeros((ROWS, D1)), np.zeros((ROWS, D1)), train=False)
        assert found.surviving_observed == 0 and found.effective_rank_observed == 0 and found.causes and str(found)
