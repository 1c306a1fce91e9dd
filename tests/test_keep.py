"""`report.keep`: what keeps exactly k modes, by theory within and beyond the interval, and by heads trained at that value."""

from functools import cache
from typing import Any

import numpy as np
import pytest

import symscape as ss
from symscape.data.moments import feature_moments
from symscape.diagnosis.design import Suggestion, surviving_at
from symscape.diagnosis.diagnose import diagnose
from symscape.diagnosis.report import Diagnosis
from symscape.errors import InputError, UnknownNameError
from symscape.training.train_head import train_head

D0 = 6
RNG = np.random.default_rng(1)
S = RNG.normal(size=(600, D0)) * [2.0, 1.5, 1.1, 0.8, 0.55, 0.35] @ np.linalg.qr(RNG.normal(size=(D0, D0)))[0]
A, B = (S + 0.5 * RNG.normal(size=S.shape) for _ in range(2))
A, B = (view - (A + B).mean(axis=0) / 2 for view in (A, B))
MOMENTS = feature_moments(A, B)

GIVEN: dict[str, dict[str, Any]] = {
    "spectral": {"loss": "spectral", "weight_decay": 0.5},
    "InfoNCE": {"loss": "infonce", "weight_decay": 0.4},
    "VICReg": {"loss": ss.VICReg()},
    "VICReg preset": {"loss": "vicreg-official/vicreg"},
    "Barlow Twins": {"loss": "barlow-twins-official/barlow-twins"},
    "NT-Xent": {"loss": "lightly/ntxent"},
}


@cache
def report_on(name: str, d1: int = 5) -> Diagnosis:
    return diagnose(MOMENTS, d1=d1, **GIVEN[name])


@cache
def suggested(name: str, keep: int) -> dict[str, Suggestion]:
    return {found.parameter: found for found in report_on(name).keep(keep)}


def fresh(name: str, parameter: str, value: float, d1: int) -> int:
    """Return how many modes a diagnosis from the start keeps at another value of a parameter."""
    given = {**GIVEN[name], "d1": d1, parameter: value}
    if isinstance(given["loss"], ss.Loss) and parameter not in ("weight_decay", "d1"):
        given["loss"] = ss.VICReg(**{parameter: given.pop(parameter)})
    if parameter == "d1":
        given["d1"] = int(value)
    return diagnose(MOMENTS, **given).surviving


def assert_keeps_exactly(name: str, found: Suggestion, d1: int = 5) -> None:
    """Assert that theory keeps the number at the value and just inside the ends, and another number just outside of them."""
    assert found.value is not None and found.intervals and not found.reason
    assert fresh(name, found.parameter, found.value, d1) == found.keep
    assert any(low <= found.value <= high for low, high in found.intervals)
    for low, high in found.intervals:
        for end, sign in ((low, 1), (high, -1)):
            inside, outside = (end * (1 + sign * side * 1e-3) for side in (1, -1))
            if found.parameter == "d1":
                inside, outside = end, end - sign
            if not 1e-5 < end < 4096:
                continue  # the end of the range that was searched, and no threshold
            if found.parameter == "d1" and not 1 <= outside <= 64:
                continue
            assert fresh(name, found.parameter, inside, d1) == found.keep
            assert fresh(name, found.parameter, outside, d1) != found.keep


@pytest.mark.parametrize(("name", "parameter", "keep"), [
    ("spectral", "weight_decay", 1), ("spectral", "weight_decay", 3), ("spectral", "d1", 2),
    ("InfoNCE", "weight_decay", 2), ("InfoNCE", "tau", 3),
    ("VICReg", "nu", 2),
    ("NT-Xent", "tau", 3),
])  # fmt: skip
def test_the_suggestion_keeps_exactly_k_modes(name: str, parameter: str, keep: int):
    found = suggested(name, keep)[parameter]
    assert (found.parameter.rstrip("_"), found.keep) == (parameter.rstrip("_"), keep)
    assert_keeps_exactly(name, found)
    # Planted: the same interval said to keep one more.
    with pytest.raises(AssertionError):
        assert_keeps_exactly(name, Suggestion(found.parameter, keep + 1, found.intervals, found.value, ""))


def test_sylvester_counts_the_modes_that_weight_decay_keeps():
    """The spectral loss keeps as many modes as 2 A_0 has eigenvalues above gamma."""
    levels = 2 * np.linalg.eigvalsh(MOMENTS.A_0)[::-1]
    for keep in (1, 2, 3):
        (found,) = report_on("spectral").keep(keep, parameter="weight_decay")
        np.testing.assert_allclose(found.intervals, [(levels[keep], levels[keep - 1])], rtol=1e-6)


def kept_by_training(loss: ss.Loss, gamma: float, d1: int) -> int:
    head = train_head(loss, A, B, d1, weight_decay=gamma)
    spectrum = head.spectrum(A, B)
    assert head.converged
    return int((spectrum > 1e-3 * spectrum[0]).sum())


def test_a_head_trained_at_the_suggested_weight_decay_keeps_k():
    for keep in (2, 4):
        (found,) = report_on("spectral").keep(keep, parameter="weight_decay")
        assert kept_by_training(ss.SpectralContrastive(), found.value, 5) == keep
        low, high = found.intervals[0]
        assert (
            kept_by_training(ss.SpectralContrastive(), 0.93 * low, 5)
            > keep
            > kept_by_training(ss.SpectralContrastive(), 1.07 * high, 5)
        )


def test_a_head_trained_at_the_suggested_covariance_weight_keeps_k():
    found = suggested("VICReg", 2)["nu"]
    assert kept_by_training(ss.VICReg(nu=found.value), 0, 5) == 2
    assert kept_by_training(ss.VICReg(nu=1.3 * found.intervals[0][1]), 0, 5) != 2


def test_every_parameter_that_recipes_tune_is_tried():
    assert list(suggested("VICReg", 2)) == ["weight_decay", "lambda_", "mu", "nu", "d1"]
    assert [s.parameter for s in report_on("NT-Xent").keep(2, d1=3)] == ["weight_decay", "tau"]
    found = report_on("spectral").keep(2, between=(1e-3, 1e3))
    assert [s.parameter for s in found] == ["weight_decay", "d1"] and str(found).count("\n") == 1
    (one,) = report_on("VICReg").keep(2, parameter="lambda", between=(1, 1000))
    np.testing.assert_allclose(one.intervals, suggested("VICReg", 2)["lambda_"].intervals, rtol=1e-6)


def test_where_nothing_keeps_k_the_reason_is_given():
    """Weight decay on cosines; more modes than outputs; more than there are."""
    (decay,) = report_on("NT-Xent").keep(2, parameter="weight_decay")
    assert decay.value is None and not decay.intervals and "only shrinks" in decay.reason
    for keep, parameter in ((6, "weight_decay"), (9, "weight_decay"), (9, "d1")):
        (found,) = report_on("spectral").keep(keep, parameter=parameter)
        assert found.value is None and not found.intervals and found.reason and "none keeps exactly" in str(found)
    (tau,) = diagnose(MOMENTS, loss="infonce", d1=5).keep(2, parameter="tau")
    assert tau.value is None and tau.reason


@pytest.mark.parametrize("name", ["VICReg preset", "Barlow Twins"])
def test_a_width_that_keeps_k_of_losses_that_count_outputs(name: str):
    """What Barlow Twins' authors could not answer: the wider the output, the fewer or the more modes, one by one."""
    kept = {d1: fresh(name, "d1", d1, d1) for d1 in (2, 4, 6)}
    for keep in sorted(set(kept.values())):
        (found,) = report_on(name).keep(keep, parameter="d1", between=(2, 6))
        inside = {d1 for d1 in kept if any(low <= d1 <= high for low, high in found.intervals)}
        assert inside == {d1 for d1 in kept if kept[d1] == keep} and found.value is not None
        assert fresh(name, "d1", found.value, 0) == keep


def test_a_bias_does_not_decay():
    """The spectral loss sees a bias as one more feature, which survives any decay; the others are those about the mean.

    Mode k is lost at gamma = 2 lambda_k of A_0 about the mean: the bias takes the mean for nothing.
    """
    moments = feature_moments(A + 0.5, B + 0.5)
    report = diagnose(moments, loss="spectral", d1=5, weight_decay=0.5, bias=True)
    levels = 2 * np.linalg.eigvalsh(moments.covariance - moments.C)[::-1]
    for keep in (1, 3):
        (found,) = report.keep(keep, parameter="weight_decay", between=(0.1, 1e3))
        (ends,) = found.intervals
        np.testing.assert_allclose(ends, (levels[keep - 1], 1e3 if keep == 1 else levels[keep - 2]), rtol=1e-6)
        assert diagnose(moments, loss="spectral", d1=5, weight_decay=found.value, bias=True).surviving == keep
    (none,) = report.keep(0, parameter="weight_decay")
    assert none.value is None and none.reason


def test_another_number_of_outputs_asks_for_another_value():
    report = report_on("Barlow Twins")
    (narrow,), (wide,) = (report.keep(2, parameter="lambda", d1=d1) for d1 in (3, 6))
    for found, d1 in ((narrow, 3), (wide, 6)):
        assert found.value is not None and fresh("Barlow Twins", "lambda_", found.value, d1) == 2
        assert fresh("Barlow Twins", "lambda_", 1.01 * found.intervals[-1][1], d1) != 2
        assert surviving_at(report, "lambda_", found.value, d1) == 2
    assert max(high for _, high in narrow.intervals) != pytest.approx(max(high for _, high in wide.intervals), rel=0.05)


def test_the_width_that_keeps_k_without_a_threshold_is_k():
    """Without weight decay the spectral loss keeps every mode with r > 0 that an output is left for."""
    (found,) = diagnose(MOMENTS, loss="spectral", d1=5).keep(3, parameter="d1")
    assert found.intervals == ((3.0, 3.0),) and found.value == 3


def test_the_range_searched_is_the_users():
    (found,) = report_on("spectral").keep(2, parameter="weight_decay", between=(1e-9, 1e-6))
    assert found.value is None and found.reason


@pytest.mark.parametrize(("keep", "more", "error", "says"), [
    (-1, {}, InputError, "keep"), (2.0, {}, InputError, "keep"), (True, {}, InputError, "keep"), ("2", {}, InputError, "keep"),
    (2, {"parameter": "temperature"}, UnknownNameError, "temperature"),
    (2, {"parameter": "d1", "between": (0, 3)}, InputError, "between"),
    (2, {"parameter": "d1", "between": (3, 1)}, InputError, "between"),
    (2, {"parameter": "weight_decay", "between": (-1, 1)}, InputError, "between"),
    (2, {"d1": 0}, InputError, "d1"), (2, {"d1": 1.5}, InputError, "d1"),
])  # fmt: skip
def test_what_cannot_be_kept_is_refused(keep: Any, more: dict[str, Any], error: type[Exception], says: str):
    with pytest.raises(error, match=says):
        report_on("spectral").keep(keep, **more)


# On rows


def test_a_suggestion_by_theory_is_tried_on_rows():
    """Features far from Gaussian: the loss on rows keeps another number at the value that theory suggests, and it is said."""
    rng = np.random.default_rng(2)
    s = rng.exponential(size=(500, 6)) ** 2 * [2.0, 1.5, 1.2, 1.0, 0.8, 0.6]
    a, b = (s + 0.5 * rng.normal(size=s.shape) for _ in range(2))
    report = diagnose(a, b, loss=ss.InfoNCE(), d1=6, weight_decay=0.2)
    (found,) = report.keep(3, parameter="weight_decay")
    assert found.on_rows == report.what_if(weight_decay=found.value, refine=True).surviving
    assert f"the loss on rows keeps {found.on_rows}" in str(found)
    (alone,) = diagnose(a, b, loss=ss.InfoNCE(), d1=6, weight_decay=0.2, refine=False).keep(3, parameter="weight_decay")
    assert alone.on_rows is None and "rows" not in str(alone)


def test_a_batch_is_a_change_of_the_loss_on_rows():
    rng = np.random.default_rng(2)
    s = rng.normal(size=(400, 5)) * [2.0, 1.5, 1.0, 0.5, 0.3]
    a, b = (s + 0.5 * rng.normal(size=s.shape) for _ in range(2))
    report = diagnose(a, b, loss=ss.InfoNCE(), d1=5, weight_decay=0.1)
    batched = report.what_if(batch_size=20)
    same = diagnose(a, b, loss=ss.InfoNCE(), d1=5, weight_decay=0.1, batch_size=20)
    np.testing.assert_allclose(batched.spectrum, same.spectrum)
    assert not np.allclose(batched.spectrum, report.spectrum, rtol=0.01)
    with pytest.raises(InputError, match="2 to 400"):
        report.what_if(batch_size=1)
