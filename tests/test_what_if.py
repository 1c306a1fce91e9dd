"""`report.what_if`: every change is the diagnosis with that change, made from the start."""

from typing import Any

import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape.data.features import open_features
from symscape.data.moments import feature_moments
from symscape.diagnosis.causes import distance
from symscape.diagnosis.diagnose import diagnose
from symscape.diagnosis.normalised import on_normalised_outputs
from symscape.diagnosis.report import Diagnosis
from symscape.diagnosis.variants import variable_settings, with_setting
from symscape.diagnosis.what_if import with_class_shares
from symscape.errors import InputError, UnknownNameError

D0 = 5
RNG = np.random.default_rng(5)
LABELS = np.repeat(["cat", "dog", "eel"], [250, 120, 50])[RNG.permutation(420)]
CENTRES = {"cat": 1.5, "dog": -1.0, "eel": 3.0}
S = RNG.normal(size=(420, D0)) * [1.5, 1.0, 0.8, 0.5, 0.3]
S[:, 1] += [CENTRES[label] for label in LABELS]
A, B = (S + 0.4 * RNG.normal(size=S.shape) for _ in range(2))


def assert_same(changed: Diagnosis, fresh: Diagnosis, rtol: float = 1e-7) -> None:
    """Assert that two reports are of the same forecast: spectrum of theory and on rows, kept modes, loss."""
    np.testing.assert_allclose(changed.theory.spectrum, fresh.theory.spectrum, rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(changed.spectrum, fresh.spectrum, rtol=max(rtol, 1e-5), atol=1e-9)
    assert (changed.kind, changed.surviving) == (fresh.kind, fresh.surviving)
    assert changed.loss == pytest.approx(fresh.loss, rel=1e-6)
    assert changed.refined is None or fresh.refined is not None


START: dict[str, dict[str, Any]] = {
    "spectral": {"loss": "spectral", "d1": 3, "weight_decay": 0.3},
    "InfoNCE": {"loss": "infonce", "tau": 0.8, "d1": 4, "weight_decay": 0.3},
    "InfoNCE object": {"loss": ss.InfoNCE(tau=0.8), "d1": 4},
    "InfoNCE with a symbol": {"loss": ss.InfoNCE(tau=sp.Symbol("tau", positive=True)), "tau": 0.8, "d1": 4},
    "VICReg": {"loss": "vicreg-official/vicreg", "d1": 4},
    "NT-Xent": {"loss": ss.preset("lightly/ntxent"), "d1": 4},
}


@pytest.mark.parametrize(("start", "change", "fresh"), [
    ("spectral", {"bias": True}, {"bias": True}),
    ("spectral", {"d1": 5}, {"d1": 5}),
    ("spectral", {"weight_decay": 1.1}, {"weight_decay": 1.1}),
    ("spectral", {"weight_decay": 0, "d1": 2}, {"weight_decay": 0, "d1": 2}),
    ("InfoNCE", {"tau": 2}, {"tau": 2}),
    ("InfoNCE", {"tau": 2, "weight_decay": 0}, {"tau": 2, "weight_decay": 0}),
    ("InfoNCE object", {"tau": 2}, {"loss": ss.InfoNCE(tau=2)}),
    ("InfoNCE with a symbol", {"tau": 2}, {"tau": 2}),
    ("VICReg", {"nu": 4}, {"nu": 4}),
    ("VICReg", {"lambda_": 15}, {"lambda_": 15}),
    ("VICReg", {"lambda": 15}, {"lambda_": 15}),
    ("NT-Xent", {"tau": 0.2}, {"loss": "lightly/ntxent", "tau": 0.2}),
    ("NT-Xent", {"bias": True}, {"bias": True}),
    ("spectral", {"loss": ss.InfoNCE(tau=3)}, {"loss": ss.InfoNCE(tau=3)}),
    ("InfoNCE", {"loss": "spectral"}, {"loss": "spectral", "tau": None}),
])  # fmt: skip
def test_a_change_is_the_diagnosis_with_that_change(start: str, change: dict[str, Any], fresh: dict[str, Any]):
    moments = feature_moments(A, B)
    given = {name: value for name, value in {**START[start], **fresh}.items() if value is not None}
    report = diagnose(moments, **START[start])
    changed, expected = report.what_if(**change), diagnose(moments, **given)
    assert_same(changed, expected)
    assert changed.name == expected.name
    # Planted: the report as it was.
    with pytest.raises(AssertionError):
        assert_same(report, expected)


def test_changes_add_up_one_after_the_other():
    report = diagnose(feature_moments(A, B), **START["InfoNCE"])
    one, other = report.what_if(tau=2, d1=2), report.what_if(tau=2).what_if(d1=2)
    assert_same(one, other)
    assert_same(report.what_if(tau=2).what_if(tau=0.8), report)


@pytest.mark.parametrize("refine", [False, True])
@pytest.mark.parametrize("start", ["spectral", "NT-Xent"])
def test_standardised_features_are_features_over_their_deviations(start: str, refine: bool):
    report = diagnose(A, B, **START[start])
    deviations = np.sqrt((A.var(axis=0) + B.var(axis=0)) / 2 + ((A.mean(axis=0) - B.mean(axis=0)) / 2) ** 2)
    changed = report.what_if(standardise=True, refine=refine)
    assert_same(changed, diagnose(A / deviations, B / deviations, refine=refine, **START[start]))
    assert (changed.refined is not None) == refine
    np.testing.assert_allclose(np.diagonal(changed.moments.covariance), 1)
    if start == "spectral":  # planted: deviations of one view; without weight decay W takes up any scale
        with pytest.raises(AssertionError):
            assert_same(changed, diagnose(A / A.std(axis=0), B / A.std(axis=0), refine=refine, **START[start]))


def test_refined_changes_are_refined_diagnoses():
    report = diagnose(A, B, **START["InfoNCE"])
    assert_same(report.what_if(tau=2, refine=True), diagnose(A, B, **{**START["InfoNCE"], "tau": 2}))
    assert report.what_if(tau=2).refined is None


def test_normalised_outputs_are_the_loss_of_cosines():
    """Squared distances of InfoNCE become 2 - 2 cos: half the temperature of dot products of unit vectors, and a constant."""
    x, xp, chi = ss.anchor, ss.positive, ss.negative

    def cosine(u, v):  # type: ignore[no-untyped-def]
        return ss.dot(u, v) / sp.sqrt(ss.sqnorm(u) * ss.sqnorm(v))

    by_hand = ss.Loss(-2 * ss.E(cosine(x, xp)) + ss.E(cosine(x, chi) ** 2), name="cosines")
    report = diagnose(A, B, loss="spectral", d1=4)
    changed = report.what_if(normalise=True)
    assert_same(changed, diagnose(A, B, loss=by_hand, d1=4, refine=False))
    assert changed.theory.scale_free and not report.theory.scale_free
    with pytest.raises(InputError, match="counts outputs apart"):
        on_normalised_outputs(ss.VICReg())


def test_changes_stay_when_others_follow():
    """Normalised outputs, standardised features: a further change, a design and training are of these."""
    report = diagnose(A, B, loss=ss.SpectralContrastive() + ss.WeightDecay(0.2), d1=3, weight_decay=0.1)
    unit = report.what_if(normalise=True).what_if(d1=2)
    assert_same(unit, report.what_if(d1=2).what_if(normalise=True))
    assert unit.theory.scale_free and not report.what_if(d1=2).theory.scale_free
    assert "only shrinks" in unit.keep(1, parameter="weight_decay")[0].reason
    deviations = np.sqrt(np.diagonal(report.moments.covariance))
    scaled = report.what_if(standardise=True)
    fresh = diagnose(A / deviations, B / deviations, loss="spectral", d1=2, weight_decay=0.3)
    assert_same(scaled.what_if(d1=2, refine=True), fresh)
    np.testing.assert_allclose(
        scaled.what_if(d1=2).train().spectrum(A / deviations, B / deviations), fresh.spectrum, rtol=0.01
    )


def test_rows_beyond_those_the_loss_is_run_on_are_not_copied_to_be_scaled():
    report = diagnose(A, B, loss="spectral", d1=3, max_rows=100).what_if(standardise=True)
    with pytest.raises(InputError, match="moments alone"):
        report.train()


# Classes


def rows_by_hand(shares: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of each class in these shares, as many as the rarest allows, drawn as the report draws them."""
    total = min(int((c == LABELS).sum() / share) for c, share in shares.items() if share)
    rng = np.random.default_rng(0)
    picked = [
        rng.choice(np.flatnonzero(c == LABELS), int(total * shares.get(c, 0.0)), replace=False) for c in sorted(CENTRES)
    ]
    chosen = np.sort(np.concatenate(picked))
    return A[chosen], B[chosen]


@pytest.mark.parametrize("shares", [
    "balanced", {"cat": 0.5, "dog": 0.5}, {"cat": 0.2, "dog": 0.2, "eel": 0.6}, {"eel": 1.0},
])  # fmt: skip
def test_other_class_shares_are_the_diagnosis_of_rows_drawn_so(shares: Any):
    report = diagnose(A, B, **START["spectral"])
    wanted = dict.fromkeys(CENTRES, 1 / 3) if shares == "balanced" else shares
    changed = report.what_if(labels=LABELS, shares=shares)
    expected = diagnose(*rows_by_hand(wanted), refine=False, **START["spectral"])
    assert_same(changed, expected)
    assert changed.moments.rows == expected.moments.rows
    with pytest.raises(AssertionError):
        assert_same(report.what_if(), expected)


def test_rows_drawn_by_class_have_these_shares_and_are_rows_of_the_features():
    drawn = with_class_shares(open_features(A, B), LABELS, {"cat": 0.25, "dog": 0.25, "eel": 0.5}, seed=3)
    a, b = drawn.all()
    numbers = [int(np.flatnonzero((row == A).all(axis=1))[0]) for row in a]
    np.testing.assert_array_equal(b, B[numbers])
    assert len(set(numbers)) == len(numbers) == 100
    assert dict(zip(*np.unique(LABELS[numbers], return_counts=True), strict=True)) == {"cat": 25, "dog": 25, "eel": 50}


def test_the_mean_between_classes_decides_by_their_shares():
    """Of one class alone the second feature varies less: its mode is weaker than with classes apart."""
    report = diagnose(A, B, loss="infonce", d1=2, refine=False)
    alone = report.what_if(labels=LABELS, shares={"cat": 1.0})
    assert alone.moments.covariance[1, 1] < report.moments.covariance[1, 1] / 1.5
    assert distance(alone.spectrum, report.spectrum) > 0.1


# The usual changes


def test_the_usual_changes_say_what_each_makes():
    report = diagnose(feature_moments(A, B), **START["spectral"])
    found = {w.change: w for w in report.what_ifs}
    changes = {
        "with a bias": {"bias": True}, "with standardised features": {"standardise": True},
        "with normalised outputs": {"normalise": True}, "without weight decay": {"weight_decay": 0},
    }  # fmt: skip
    assert list(found) == list(changes)
    for name, change in changes.items():
        expected = report.what_if(**change)
        assert (found[name].kind, found[name].surviving) == (expected.kind, expected.surviving)
        assert found[name].effective_rank == pytest.approx(expected.effective_rank)
        assert (found[name].before, found[name].rank_before) == (report.surviving, pytest.approx(report.effective_rank))
        assert name in str(found[name]) and not found[name].reason


@pytest.mark.parametrize(("start", "changes"), [
    ("NT-Xent", ["with a bias", "with standardised features"]),
    ("VICReg", ["with a bias", "with standardised features"]),
    ("InfoNCE object", ["with a bias", "with standardised features", "with normalised outputs"]),
])  # fmt: skip
def test_only_changes_that_make_sense_are_offered(start: str, changes: list[str]):
    report = diagnose(feature_moments(A, B), **START[start])
    assert [w.change for w in report.what_ifs] == changes
    assert "without a bias" in [w.change for w in report.what_if(bias=True).what_ifs]


def test_a_change_without_an_answer_says_why():
    """Without weight decay identical views have no minimum."""
    report = diagnose(A, A, loss="infonce", d1=3, weight_decay=0.3, refine=False)
    found = {w.change: w for w in report.what_ifs}
    assert "identical" in found["without weight decay"].reason and not found["with a bias"].reason
    assert "identical" in str(found["without weight decay"])


@pytest.mark.parametrize(("change", "error", "says"), [
    ({"temperature": 1}, UnknownNameError, "temperature"),
    ({"d1": 0}, InputError, "d1"),
    ({"d1": 1.5}, InputError, "d1"),
    ({"weight_decay": -1}, InputError, "weight_decay"),
    ({"tau": -1}, InputError, "tau"),
    ({"loss": "infonse"}, UnknownNameError, "infonce"),
    ({"labels": LABELS[:-1]}, InputError, "one label for each"),
    ({"labels": LABELS, "shares": "equal"}, InputError, "balanced"),
    ({"labels": LABELS, "shares": {"cow": 1.0}}, InputError, "cow"),
    ({"labels": LABELS, "shares": {"cat": 0.7}}, InputError, "add up"),
    ({"labels": LABELS, "shares": {"cat": 1.5, "dog": -0.5}}, InputError, "shares"),
])  # fmt: skip
def test_a_change_that_makes_no_sense_is_refused(change: dict[str, Any], error: type[Exception], says: str):
    report = diagnose(A, B, loss="infonce", tau=0.8, d1=3, refine=False)
    with pytest.raises(error, match=says):
        report.what_if(**change)


def test_classes_are_of_rows():
    with pytest.raises(InputError, match="moments alone"):
        diagnose(feature_moments(A, B), loss="spectral", d1=3).what_if(labels=LABELS)


def test_settings_that_recipes_tune_are_those_that_can_be_changed():
    assert (
        variable_settings("infonce", {"tau": 2}) == ("tau",) and variable_settings(ss.SpectralContrastive(), {}) == ()
    )
    loss, rest = with_setting(ss.VICReg(nu=3), {}, "nu", 7)
    assert loss.expr == ss.VICReg(nu=7).expr and not rest
    with pytest.raises(UnknownNameError, match="tau"):
        with_setting(ss.InfoNCE(), {}, "temperature", 1)
