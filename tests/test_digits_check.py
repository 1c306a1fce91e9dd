"""The check on real data agrees with right landscapes and rejects planted errors."""

import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape.sampling.digits_check import check_on_digits


def quartic_of(loss, share):
    """A loss whose landscape at order 4 is a share of the quartic part of another: sum_j P_jj^2 or E |f|^4 in its place."""
    i, j = ss.outputs("i j")
    P, M = ss.P(j, j), ss.M(i, j)
    if isinstance(loss, ss.VICReg):
        return ss.Loss(share * 3124998 / ss.d_1 * ss.output_sum(P**2, j))
    if isinstance(loss, ss.BarlowTwins):
        return ss.Loss(share * 10**10 * (ss.output_sum(M**2, i, j) + 2 * ss.output_sum(ss.M(j, j) * P, j)))
    return ss.Loss(share * sp.Rational(3, 4) * ss.E(ss.dot(ss.anchor, ss.negative) ** 2))


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
        (ss.VICReg(), ss.VICReg() + quartic_of(ss.VICReg(), sp.Rational(1, 20))),
        (ss.InfoNCE(), ss.InfoNCE() + quartic_of(ss.InfoNCE(), sp.Rational(1, 20))),
        (ss.BarlowTwins(epsilon=1e-5), ss.BarlowTwins(epsilon=1e-5) + quartic_of(ss.BarlowTwins(epsilon=1e-5), 0.05)),
    ],
    ids=["2 % in scale", "n = 4 for 3", "2 % in tau", "0.4 % in mu", *(f"5 % in the quartic {k}" for k in "vib")],
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


@pytest.mark.parametrize("loss", [ss.BarlowTwins(), ss.SpectralContrastive()], ids=repr)
def test_right_landscapes_raise_no_false_alarm(loss):
    """Over many seeds the deviation of an exact landscape has mean 0 and variance 1: no bias hides in the estimate."""
    found = []
    for seed in range(8):
        checked = check_on_digits(loss, draws=12, rng=np.random.default_rng(seed))
        found += [row.deviation for row in checked.rows]
        assert checked.agrees or max(abs(row.deviation) for row in checked.rows) < 4.5
    found = np.array(found)
    assert abs(found.mean()) < 4 / np.sqrt(len(found)) and found.std() < 1.8


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
    """Where control variates leave no noise, roundoff is not taken for a difference, nor is leaving a hinge's branch."""
    assert check_on_digits(loss, draws=12).agrees


@pytest.mark.parametrize(
    "arguments", [{"rng": 3}, {"draws": 1}, {"noise": -1}, {"d1": 0}, {"land": ss.landscape(ss.InfoNCE(), bias=True)}]
)
def test_bad_arguments_of_the_check_are_told(arguments):
    """Few draws, negative noise, a seed for a generator and a landscape with a bias are refused before any work."""
    with pytest.raises(ss.InputError, match="check_on_digits"):
        check_on_digits(ss.InfoNCE(), **arguments)
    with pytest.raises(ss.InputError, match="symbols"):
        check_on_digits(ss.InfoNCE.symbolic())


def test_the_digits_are_what_they_claim():
    """1797 images of 64 pixels between 0 and 1, ten classes of about equal size."""
    pixels, labels = ss.load_digits()
    assert pixels.shape == (1797, 64) and pixels.min() == 0 and pixels.max() == 1
    assert np.bincount(labels).min() > 170 and len(np.bincount(labels)) == 10
