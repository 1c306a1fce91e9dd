"""The check on real data agrees with right landscapes and rejects planted errors."""

import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape.sampling.digits_check import check_on_digits

LOSSES = [
    ss.InfoNCE(),
    ss.InfoNCE(similarity="dot", tau=sp.Rational(1, 2)),
    ss.InfoNCE(n=3),
    ss.NTXent(tau=0.5, epsilon=1),
    ss.SpectralContrastive(),
    ss.BarlowTwins(lambda_=0.005),
    ss.BarlowTwins(lambda_=0.005, epsilon=1e-5),
    ss.VICReg(),
]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_landscapes_agree_with_the_sampled_loss_on_digits(loss):
    """On noisy views of the digits the landscape agrees with the sampled loss wherever the series is good."""
    checked = check_on_digits(loss, draws=16, rng=np.random.default_rng(1))
    assert checked.agrees
    assert checked.good_up_to is not None
    assert checked.rows[0].relative_error < 0.01


@pytest.mark.parametrize(
    ("loss", "wrong"),
    [
        (ss.SpectralContrastive(), ss.Loss(ss.SpectralContrastive().expr * sp.Rational(51, 50))),
        (ss.InfoNCE(n=3), ss.InfoNCE(n=4)),
        (ss.InfoNCE(), ss.InfoNCE(tau=sp.Rational(49, 50))),
        (ss.VICReg(), ss.VICReg(mu=sp.Rational(251, 10))),
    ],
    ids=["2 % in scale", "n = 4 for 3", "2 % in tau", "0.4 % in mu"],
)
def test_a_planted_error_is_found_on_digits(loss, wrong):
    """A landscape that is wrong by a few per cent does not pass the check."""
    assert not check_on_digits(loss, draws=16, land=ss.landscape(wrong), rng=np.random.default_rng(1)).agrees


def test_the_fourth_cumulant_is_seen_on_digits():
    """The digits are not Gaussian: for InfoNCE with n = 3 the Gaussian landscape is off by several standard errors at a
    scale where the landscape with the fourth cumulants agrees (X4)."""
    checked = check_on_digits(ss.InfoNCE(n=3), rng=np.random.default_rng(2))
    seen = [row for row in checked.rows if abs(row.deviation) > 5 and abs(row.cumulant_deviation) < 3]
    assert seen


def test_the_digits_are_what_they_claim():
    """1797 images of 64 pixels between 0 and 1, ten classes of about equal size."""
    pixels, labels = ss.load_digits()
    assert pixels.shape == (1797, 64) and pixels.min() == 0 and pixels.max() == 1
    assert np.bincount(labels).min() > 170 and len(np.bincount(labels)) == 10
