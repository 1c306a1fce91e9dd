"""The facts of the catalogue, derived from the expressions (symmetries measured on released code, LOSSES.md)."""

import pytest
import sympy as sp

import symscape as ss

INF = float("inf")
#                              polynomial, analytic, scale, rotation, shift, distribution-free
TABLE = [
    (ss.InfoNCE(), (False, True, False, True, True, 2)),
    (ss.InfoNCE(similarity="dot"), (False, True, False, True, False, 4)),
    (ss.InfoNCE.symbolic(), (False, True, False, True, True, 2)),
    (ss.NTXent(), (False, False, True, True, False, None)),
    (ss.NTXent.symbolic(), (False, True, False, True, False, 2)),
    (ss.SpectralContrastive(), (True, True, False, True, False, INF)),
    (ss.BarlowTwins(), (True, True, False, True, False, INF)),
    (ss.BarlowTwins(lambda_=0.005), (True, True, False, False, False, INF)),
    (ss.BarlowTwins(epsilon=0), (False, False, True, False, True, None)),
    (ss.BarlowTwins.symbolic(), (False, True, False, False, True, INF)),
    (ss.VICReg(), (False, True, False, False, True, INF)),
    (ss.VICReg.symbolic(), (False, True, False, False, True, INF)),
]


@pytest.mark.parametrize(("loss", "expected"), TABLE, ids=[repr(loss) for loss, _ in TABLE])
def test_facts_of_the_catalogue(loss, expected):
    """Cosine losses are scale-invariant; Euclidean InfoNCE, batch-normalised Barlow Twins and VICReg are shift-invariant; all
    but Barlow Twins at lambda != 1 and VICReg are rotation-invariant."""
    found = ss.facts(loss)
    assert (
        found.polynomial,
        found.analytic,
        found.scale_invariant,
        found.rotation_invariant,
        found.shift_invariant,
        found.distribution_free_order,
    ) == expected


x, xp, chi = ss.anchor, ss.positive, ss.negative
i, j = ss.outputs("i j")


@pytest.mark.parametrize(
    ("expr", "invariant"),
    [
        (ss.E(ss.sqnorm(x)) - ss.E(ss.dot(x, chi)), True),
        (ss.E(ss.sqnorm(x)) - ss.E(ss.dot(x, xp)), True),
        (ss.output_sum((ss.P(i, j) - ss.M(i, j)) ** 2, i, j), True),
        (ss.E(ss.sqnorm(x)) - 2 * ss.E(ss.dot(x, chi)), False),
        (ss.output_sum((ss.P(i, j) - 2 * ss.M(i, j)) ** 2, i, j), False),
        (ss.output_sum(ss.P(i, i), i) - ss.E(ss.sqnorm(x)), False),
    ],
    ids=["variance", "invariance", "P - M", "2 for 1", "P - 2M", "two forms of Tr P"],
)
def test_shift_invariance_of_moments(expr, invariant):
    """E c.f(u) is one number for every view; where the form does not show that shifts cancel, the answer is no."""
    assert ss.facts(ss.Loss(expr)).shift_invariant is invariant


@pytest.mark.parametrize(
    ("loss", "invariant"),
    [
        (ss.VICReg(nu=0, epsilon=0.5), False),
        (ss.Loss(ss.output_sum(sp.Max(0, sp.Rational(1, 2) - sp.sqrt(ss.P(i, i) + sp.Rational(1, 100))), i)), False),
        (ss.Loss(ss.output_sum(ss.P(i, i), i) / (ss.E(ss.sqnorm(x)) + 1)), True),
        (ss.Loss(ss.output_sum(ss.P(i, i), i) / (ss.E(ss.sqnorm(x)) - 1)), True),
        (ss.Loss(ss.output_sum(ss.P(i, j) ** 2, i, j)), True),
    ],
    ids=["VICReg, no covariance", "hinge", "quotient", "quotient - 1", "Tr P^2"],
)
def test_rotation_invariance_is_tried_at_large_and_small_moments(loss, invariant):
    """A hinge that is switched off at large moments is still not rotation-invariant; traces are."""
    assert ss.facts(loss).rotation_invariant is invariant


def test_weight_decay_ends_scale_invariance():
    """Adding gamma ||W||^2 to a scale-invariant loss leaves it neither scale-invariant nor analytic at W = 0."""
    found = ss.facts(ss.NTXent() + ss.WeightDecay(sp.Symbol("gamma", positive=True)))
    assert not found.scale_invariant and not found.analytic


def test_shift_invariance_is_found_when_dots_are_written_out():
    """|f(x) - f(x')|^2 written as dot products is shift-invariant, and one wrong factor ends it."""
    x, xp = ss.anchor, ss.positive
    right = ss.Loss(ss.E(ss.sqnorm(x) - 2 * ss.dot(x, xp) + ss.sqnorm(xp)))
    wrong = ss.Loss(ss.E(ss.sqnorm(x) - sp.Rational(19, 10) * ss.dot(x, xp) + ss.sqnorm(xp)))
    assert ss.facts(right).shift_invariant and not ss.facts(wrong).shift_invariant
