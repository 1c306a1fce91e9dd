"""What a landscape rests on: the ledger, equality across data models, and landscapes as values (X4, X2)."""

import pickle

import pytest
import sympy as sp
from catalogue_cases import LOSSES, cumulant_terms, every_loss

import symscape as ss

INFINITE = float("inf")
#: Loss -> the order up to which second moments determine its landscape, at orders 4 and 6.
FREE = {
    "infonce": (2, 2),
    "infonce n=1": (2, 2),
    "infonce n=2": (2, 2),
    "infonce dot": (4, 4),
    "infonce dot n=2": (2, 2),
    "ntxent": (2, 2),
    "spectral": (INFINITE, INFINITE),
    "barlow twins": (INFINITE, INFINITE),
    "barlow twins normalised": (INFINITE, INFINITE),
    "vicreg": (INFINITE, INFINITE),
}


def assert_ledger(land: ss.Landscape, free: float) -> None:
    """Assert the distribution-free order, and that the ledger names what the terms of higher degree rest on."""
    assert land.distribution_free_order == free
    resting = {d for row in land.assumptions if "Gaussian" in row.statement for d in row.degrees}
    above = {d for d in range(2, land.order + 1, 2) if d > free}
    # A part may rest on the distribution by vanishing for a Gaussian.
    assert {d for d in above if land.part(d).terms} <= resting <= above


@every_loss
@pytest.mark.parametrize("order", [4, 6])
def test_the_ledger_says_what_needs_a_gaussian(name, order):
    """X4: second moments determine what the ledger says, and no more.

    InfoNCE with dot products: log E_c e^{u.c} has the variance of u.c at degree 4 and its third cumulant at degree 6.
    """
    land = ss.landscape(LOSSES[name], order=order)
    assert_ledger(land, FREE[name][order // 2 - 2])
    with pytest.raises(AssertionError):
        assert_ledger(land, 3)


def test_products_of_expectations_rest_on_what_they_multiply():
    """E|f|^4 E|f|^2 is (Tr P)^3 + 2 Tr P Tr P^2 for a Gaussian and (Tr P)^3 at d0 = d1 = 1 for phi = +-1: it rests on the law,
    although nothing of it shows at degree 4. Its parts say what the whole says."""
    land = ss.landscape(ss.Loss(ss.E(ss.sqnorm(ss.anchor) ** 2) * ss.E(ss.sqnorm(ss.anchor))), order=6)
    assert land.distribution_free_order == 4
    assert any(row.degrees == (6,) and "Gaussian" in row.statement for row in land.assumptions)
    mixed = ss.landscape(ss.Loss(ss.E(ss.sqnorm(ss.anchor) ** 2) * (1 + ss.E(ss.dot(ss.anchor, ss.positive)))), order=6)
    assert mixed.distribution_free_order == 2
    assert any("Gaussian" in row.statement for row in mixed.part(6).assumptions)
    assert not any("Gaussian" in row.statement for row in mixed.part(2).assumptions)


def test_landscapes_of_different_data_are_told_apart():
    """X2: equal words are equal functions only where they mean the same: W Sigma W^T is not W (Sigma - mean mean^T) W^T."""
    i = ss.outputs("i")
    variance = ss.Loss(ss.output_sum(ss.P(i, i, centred=True), i))
    mean = ss.GaussianViews(mean=True)
    assert ss.landscape(variance) != ss.landscape(variance, data=mean)
    assert ss.landscape(ss.VICReg()) != ss.landscape(ss.VICReg(), data=mean)
    pair = ss.Loss(ss.E(ss.dot(ss.anchor, ss.negative)))
    assert ss.landscape(pair, bias=True) != ss.landscape(pair, data=mean)
    classes = ss.MixtureViews(2)
    assert ss.landscape(pair, data=classes, bias=True) != ss.landscape(pair, data=classes)
    # Second moments alone: the same function, with or without a mean.
    assert ss.landscape(ss.SpectralContrastive()) == ss.landscape(ss.SpectralContrastive(), data=mean)


def test_views_with_a_cross_moment_of_their_own_are_not_exchanged():
    """kappa[xx|xy] and kappa[xx|xx'] are different numbers when y has another cross moment with x."""
    y = ss.View("y", of=ss.anchor, cross="B")
    land = ss.landscape(
        ss.Loss(
            ss.E(ss.sqnorm(ss.anchor) * ss.dot(ss.anchor, y))
            - ss.E(ss.sqnorm(ss.anchor) * ss.dot(ss.anchor, ss.positive))
        ),
        data=ss.CumulantViews(),
    )
    assert sum(g[0] == "cumulant4" for m, _ in land.terms for g in m) == 2


def test_landscapes_do_not_change_and_travel():
    """A landscape is a value: it cannot be set, and comes back equal from a pickle, parts too."""
    land = ss.landscape(ss.InfoNCE.symbolic())
    with pytest.raises(AttributeError, match="does not change"):
        land.is_exact = True
    vicreg = ss.landscape(ss.VICReg())
    for value in (land, land.part(4), vicreg.part(0), vicreg.part(3), vicreg.part(4).part(2)):
        assert pickle.loads(pickle.dumps(value)) == value
    assert vicreg.part(3) != vicreg.part(0)


def test_steps_with_a_mean_say_what_they_take_off():
    """With a mean the steps are written in covariances, P and M with a tilde, and only the last in second moments."""
    steps = list(ss.landscape(ss.SpectralContrastive(), data=ss.GaussianViews(mean=True)).steps)
    assert "Tr M\u0303" in steps[1].text and "Tr P\u0303²" in steps[2].text
    assert steps[-1].text == "L = -2 Tr M + Tr P²" and "second moments" in steps[-1].rule


@every_loss
def test_what_is_distribution_free_needs_no_cumulant(name):
    """X4: the landscape at order 4 over any distribution has cumulants exactly where the ledger asks for a Gaussian."""
    assert bool(cumulant_terms(ss.landscape(LOSSES[name], data=ss.CumulantViews()))) == (FREE[name][0] < 4)


x, chi = ss.anchor, ss.negative
KURTOSIS = ss.E(ss.sqnorm(x) ** 2) - 2 * ss.E(ss.dot(x, chi) ** 2) - ss.E(ss.sqnorm(x)) ** 2


@pytest.mark.parametrize(
    "expr, order, free", [(KURTOSIS, 4, 2), (ss.E(ss.dot(x, chi) ** 3), 6, 4)], ids=("kurtosis", "skewness")
)
def test_what_vanishes_for_a_gaussian_rests_on_it(expr, order, free):
    """E|u|^4 - 2 E(u.c)^2 - (E|u|^2)^2 is a fourth cumulant, E(u.c)^3 a square of third ones: zero for Gaussians only."""
    assert ss.landscape(ss.Loss(expr), order=order).distribution_free_order == free


def test_third_cumulants_enter_with_a_mean():
    """X4: the smoothed cosine has third cumulants with a mean, and none without."""
    kinds = {
        mean: {g[0] for g in cumulant_terms(ss.landscape(LOSSES["ntxent"], data=ss.CumulantViews(mean=mean)))}
        for mean in (False, True)
    }
    assert kinds == {False: {"cumulant4"}, True: {"cumulant3", "cumulant4"}}


def test_weights_of_a_mixture_stay_symbols():
    """T10: without numbers the class probabilities are pi_1, ..., the last one minus the others."""
    land = ss.landscape(ss.SpectralContrastive(), data=ss.MixtureViews(2))
    assert land.parameters == (sp.Symbol("pi_1", positive=True),)
