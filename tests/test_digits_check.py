"""The check on real data agrees with right landscapes and rejects planted errors."""

import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape.sampling.check.check import check, check_on_digits

LOSSES = [
    ss.InfoNCE(),
    ss.NTXent(tau=0.5, epsilon=1),
    ss.SpectralContrastive(),
    ss.VICReg(),
]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_landscapes_agree_with_the_sampled_loss_on_digits(loss):
    """On noisy views of the digits the landscape agrees, and 2 % in any coefficient would have been seen."""
    checked = check_on_digits(loss, rng=np.random.default_rng(1))
    assert checked.verdict == "agrees", str(checked)
    assert checked.good_up_to is not None
    assert checked.rows[0].relative_error < 0.01


@pytest.mark.parametrize(
    ("loss", "wrong"),
    [
        (ss.SpectralContrastive(), ss.Loss(ss.SpectralContrastive().expr * sp.Rational(51, 50))),
        (ss.InfoNCE(), ss.InfoNCE(tau=sp.Rational(49, 50))),
        (ss.VICReg(), ss.VICReg(mu=sp.Rational(251, 10))),
    ],
    ids=["2 % in scale", "2 % in tau", "0.4 % in mu"],
)
def test_a_planted_error_is_found_on_digits(loss, wrong):
    """A landscape that is wrong by a few per cent does not pass the check."""
    assert not check_on_digits(loss, land=ss.landscape(wrong), rng=np.random.default_rng(1)).agrees


def test_the_fourth_cumulant_is_seen_on_digits():
    """The digits are not Gaussian: the Gaussian landscape of InfoNCE is off where the one with fourth cumulants agrees (X4)."""
    checked = check_on_digits(ss.InfoNCE(), samples=4096, rng=np.random.default_rng(2))
    seen = [row for row in checked.rows if abs(row.deviation) > 5 * abs(row.cumulant_deviation)]
    assert seen and checked.agrees


def test_digits_are_the_default_of_check():
    """check(loss) is check_on_digits(loss): the same draws, the same rows."""
    loss = ss.SpectralContrastive()
    assert check(loss) == check_on_digits(loss)
    assert check(loss) != check_on_digits(loss, noise=0.5)


@pytest.mark.parametrize(
    "loss",
    [
        ss.Loss(ss.E(ss.dot(ss.anchor, ss.positive)), name="quadratic"),
        ss.Loss(ss.E(ss.sqdist(ss.anchor, ss.positive))) + ss.WeightDecay(0.1),
        ss.Loss(
            ss.E(sp.Max(0, 1 + ss.sqdist(ss.anchor, ss.positive) - ss.sqdist(ss.anchor, ss.negative))), name="hinge"
        ),
    ],
    ids=["quadratic", "weight decay", "hinge"],
)
def test_losses_without_sampling_noise_agree(loss):
    """Where matched moments leave no noise, roundoff is not taken for a difference, nor is leaving a hinge's branch."""
    checked = check_on_digits(loss, samples=4096)
    assert checked.agrees, str(checked)


@pytest.mark.parametrize(
    "arguments",
    [{"rng": "3"}, {"samples": 1}, {"noise": -1}, {"d1": 0}, {"land": ss.landscape(ss.InfoNCE(), bias=True)}],
)
def test_bad_arguments_of_the_check_are_told(arguments):
    """Few samples, negative noise, words for a generator and a landscape with a bias are refused before any work."""
    with pytest.raises(ss.InputError, match="check_on_digits"):
        check_on_digits(ss.InfoNCE(), **arguments)
    with pytest.raises(ss.InputError, match="symbols"):
        check_on_digits(ss.InfoNCE.symbolic())


def test_the_digits_are_what_they_claim():
    """1797 images of 64 pixels between 0 and 1, ten classes of about equal size."""
    pixels, labels = ss.load_digits()
    assert pixels.shape == (1797, 64) and pixels.min() == 0 and pixels.max() == 1
    assert np.bincount(labels).min() > 170 and len(np.bincount(labels)) == 10


@pytest.mark.parametrize("order", [6, 8])
def test_higher_orders_raise_no_false_alarm_on_digits(order):
    """Rounding at the smallest scales is no difference; terms that rest on higher cumulants are said not to be checked."""
    checked = check_on_digits(ss.InfoNCE(), order=order, samples=4096)
    assert checked.verdict == "inconclusive", str(checked)
    assert "degree 6 and more rest on the law of the views" in str(checked)
    assert [t.visible for t in checked.terms[:2]] == [True, True]
