"""Standard errors of own expressions: the spread over fresh data, with heavy weights and in windows of any length."""

import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape.errors import InputError
from symscape.sampling.expression.exchange import Exchange
from symscape.sampling.jackknife import correction
from symscape.sampling.sampled_loss import SampledLoss

x, xp, chi = ss.anchor, ss.positive, ss.negative
dot, sqdist, E, total = ss.dot, ss.sqdist, ss.E, ss.total
log, exp = sp.log, sp.exp


def gaussian(seed, rows):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, 3))
    return z + 0.5 * rng.normal(size=z.shape), z + 0.5 * rng.normal(size=z.shape)


def assert_standard_error_is_the_spread(expr, rows, batches=200, told=40):
    """Assert the root mean square of standard errors within 25 % of the spread of values over fresh data."""
    samples = [SampledLoss(ss.Loss(expr), *gaussian(seed, rows)) for seed in range(batches)]
    spread = np.std([sample.value() for sample in samples], ddof=1)
    errors = [sample.estimate().standard_error for sample in samples[:told]]
    ratio = np.sqrt(np.mean(np.square(errors))) / spread
    assert abs(ratio - 1) < 0.25, f"{ratio} of the spread"


@pytest.fixture
def influences_alone(monkeypatch):
    """Standard errors without what leaving out groups of data tells."""
    monkeypatch.setattr("symscape.sampling.sampled_loss.MOST", 0)


# Heavy weights

HEAVY = ss.InfoNCE(similarity="dot", tau=sp.Rational(1, 4)).expr


def test_heavy_weights():
    """Where few candidates carry each logarithm, leaving out groups tells what influences, linear in weights, do not."""
    assert_standard_error_is_the_spread(HEAVY, 160)


def test_influences_alone_are_caught_at_heavy_weights(influences_alone):
    with pytest.raises(AssertionError, match="of the spread"):
        assert_standard_error_is_the_spread(HEAVY, 160)


# Windows of n copies


def over_copies(name, n):
    return {
        "infonce": ss.InfoNCE(n=n, tau=1).expr,
        "log of a sum": E(log(total(exp(dot(x, chi) / 2), over=chi, n=n)) - dot(x, xp) / 2),
        "polynomial": E((total(sqdist(x, chi), over=chi, n=n) / n - sqdist(x, xp)) ** 2),
        "a copy times a sum": E(dot(x, chi) ** 2 * log(1 + total(exp(dot(x, chi) / 2), over=chi, n=n) / n)),
        "inner mean": E(log(E((1 + total(sqdist(x, chi), over=chi, n=n) / n) ** 2, over=chi))),
    }[name]


NAMES = ["infonce", "log of a sum", "polynomial", "a copy times a sum", "inner mean"]
WINDOWS = [(40, 1), (40, 25), (40, 38), (40, 39), (200, 199)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("rows", "n"), WINDOWS)
def test_windows_of_any_length(name, rows, n):
    """From one copy of the negative to all other rows."""
    assert_standard_error_is_the_spread(over_copies(name, n), rows)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [20, 39])
def test_influences_of_windows_need_no_groups(name, n, influences_alone):
    assert_standard_error_is_the_spread(over_copies(name, n), 40)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [20, 39])
def test_the_mean_of_a_window_given_to_all_its_rows_is_caught(name, n, influences_alone, monkeypatch):
    """Windows hold neighbours, so that their means tell little of their rows."""

    def window_mean(self, place, results, exchanged, centre):
        return n * np.mean(results[place] - centre, axis=self._copies, keepdims=True)

    monkeypatch.setattr(Exchange, "by_copy", window_mean)
    with pytest.raises(AssertionError, match="of the spread"):
        assert_standard_error_is_the_spread(over_copies(name, n), 40)


@pytest.mark.parametrize("tau", [1, 0.1, 0.001])
@pytest.mark.parametrize("n", [1, 7, 20, 39])
def test_windows_agree_between_the_catalogue_and_its_expression(n, tau, influences_alone):
    """One number by two programs, at any temperature: influences are O(1/N) apart."""
    loss = ss.InfoNCE(n=n, tau=sp.nsimplify(tau))
    form, own = (SampledLoss(each, *gaussian(0, 40)).estimate() for each in (loss, ss.Loss(loss.expr)))
    assert own.value == pytest.approx(form.value, rel=1e-12)
    assert own.standard_error == pytest.approx(form.standard_error, rel=0.08)


def test_a_copy_that_no_sum_can_do_without():
    """The log of a sum that is positive only thanks to one of its terms has a value and no standard error, in words."""
    a = np.array([[1.0], [1.0], [1.0], [5.0], [-3.0]])
    enough, little = (E(log(constant + total(dot(x, chi), over=chi, n=2))) for constant in (7, 3))
    assert SampledLoss(ss.Loss(enough), np.ones_like(a), a).estimate().standard_error > 0
    sample = SampledLoss(ss.Loss(little), np.ones_like(a), a)
    assert np.isfinite(sample.value())
    with pytest.raises(InputError, match=r"standard error, with a copy in a sum exchanged .* the value alone"):
        sample.estimate()


# The catalogue, and leaving out groups


def test_standard_errors_agree_between_the_catalogue_and_its_expression():
    """The positive is a candidate of one and not of the other: O(1/N) apart."""
    a, b = gaussian(0, 400)
    form, own = (SampledLoss(loss, a, b).estimate() for loss in (ss.InfoNCE(), ss.Loss(ss.InfoNCE().expr)))
    assert form.value != own.value and abs(form.value - own.value) < 10 / 400
    assert own.standard_error == pytest.approx(form.standard_error, rel=0.1)


def test_the_correction_of_a_linear_loss_is_1():
    """And of one that is twice as steep as its influences say, 2; where nothing varies, 1."""
    rows = np.random.default_rng(0).normal(size=203)
    assert correction(lambda kept: rows[kept].mean(), rows) == pytest.approx(1, rel=1e-12)
    assert correction(lambda kept: 2 * rows[kept].mean() + 5, rows - 3) == pytest.approx(2, rel=1e-12)
    assert correction(lambda kept: 1.0, np.zeros(40)) == 1
