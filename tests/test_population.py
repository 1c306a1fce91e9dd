"""Population values and Taylor coefficients by quadrature, and the landscapes that they witness."""

import mpmath
import numpy as np
import population as by_hand
import pytest
import sympy as sp
import test_user_losses
import user_language
from catalogue_cases import LOSSES
from population import Component, mp

import symscape as ss
from symscape.population.values import population_series, population_value

USER = {case.__name__: ss.Loss(case().expr, case.__name__) for case in test_user_losses.CASES}


def data(d1: int, seed: int = 0):
    """Return W and moments of three features."""
    rng = np.random.default_rng([seed, d1])
    root, noise = rng.normal(size=(2, 3, 3)) / 2
    A0 = root @ root.T
    return rng.normal(size=(d1, 3)), {"A0": A0, "Sigma": A0 + noise @ noise.T}


def assert_parts(parts, coefficients, relative: float = 1e-13) -> None:
    """Assert that numbers are coefficients, in their order, to 13 digits of each."""
    for k, (part, coefficient) in enumerate(zip(parts, coefficients, strict=True)):
        gap = abs(part - coefficient)
        assert gap <= relative * abs(coefficient) + 1e-24, (
            f"degree {2 * k}: {part!r} for {mpmath.nstr(coefficient, 17)}"
        )


def parts_of(loss, order, W, moments, **params):
    land = ss.landscape(loss, order)
    return [float(land.part(d).numpy()(W, **moments, **params)) for d in range(0, order + 1, 2)]


# Series


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("d1", [1, 2])
def test_every_landscape_of_the_catalogue_is_the_taylor_series_of_its_population_loss(name, d1):
    """T1, X3: to order 8 (two negatives: 4), to 13 digits; an error of 1e-10 in any coefficient is caught."""
    loss, (W, moments) = LOSSES[name], data(d1)
    order = 4 if "n=2" in name or ("n=" in name and d1 == 2) else 8
    found, parts = population_series(loss, W, order=order, **moments), parts_of(loss, order, W, moments)
    assert_parts(parts, found)
    for k, part in enumerate(parts):
        if part:
            with pytest.raises(AssertionError):
                assert_parts([*parts[:k], part * (1 + 1e-10), *parts[k + 1 :]], found)


@pytest.mark.parametrize("name", USER)
@pytest.mark.parametrize("d1", [1, 2])
def test_every_loss_of_ones_own_has_the_landscape_that_is_derived(name, d1):
    """X7: sixteen losses that no file of the package knows; order 8 at d1 = 1, order 4 at d1 = 2."""
    loss, (W, moments), order = USER[name], data(d1), 12 - 4 * d1
    if name == "many_triplets":
        order = 4
    values = {k: v for k, v in user_language.VALUES.items() if name != "many_triplets" or str(k) != "n"}
    values |= {user_language.n: 2} if name == "many_triplets" else {}
    found = population_series(loss, W, order=order, params=values, **moments)
    assert_parts(parts_of(loss, order, W, moments, params=values), found)
    assert any(found[1:])


@pytest.mark.parametrize(
    ("loss", "hand"),
    [
        (ss.InfoNCE(tau=0.75), lambda c: by_hand.infonce(c, 6, tau=0.75)),
        (ss.InfoNCE(tau=0.75, n=2, similarity="dot"), lambda c: by_hand.finite_infonce(c, 6, 2, 0.75, "dot")),
        (ss.NTXent(tau=0.75, epsilon=1.25), lambda c: by_hand.ntxent(c, 6, 0.75, 1.25)),
    ],
    ids=["infonce", "two negatives", "ntxent"],
)
def test_both_witnesses_agree(loss, hand):
    """The witness that walks the expression and the one written by hand for each loss share no code, and 20 digits."""
    W, moments = data(1)
    P, M = (mp.matrix(W.tolist()) * mp.matrix(moments[k].tolist()) * mp.matrix(W.T.tolist()) for k in ("Sigma", "A0"))
    expected = hand([Component(mp.one, P, M, (mp.zero,))])
    assert_parts(population_series(loss, W, order=6, digits=20, **moments), expected, 1e-16)


@pytest.mark.parametrize("data_model", [ss.GaussianViews(mean=True), ss.MixtureViews(2)], ids=repr)
def test_means_and_classes_are_integrated(data_model):
    """T8, T10: representations with a mean, and of two classes."""
    W, first = data(2, 1)
    _, second = data(2, 2)
    m = np.array([[0.3, -0.2, 0.5], [-0.4, 0.1, 0.2]])
    given = {"A_1": first["A0"], "Sigma_1": first["Sigma"], "m_1": m[0]}
    given |= {"A_2": second["A0"], "Sigma_2": second["Sigma"], "m_2": m[1], "pi_1": 0.25}
    if isinstance(data_model, ss.GaussianViews):
        outer = np.outer(m[0], m[0])
        given = {"A0": first["A0"] + outer, "Sigma": first["Sigma"] + outer, "mean": m[0]}
    loss = ss.NTXent(tau=0.75, epsilon=1.25)
    found = population_series(loss, W, order=4, data=data_model, **given)
    land = ss.landscape(loss, 4, data=data_model)
    assert_parts([float(land.part(d).numpy()(W, **given)) for d in (0, 2, 4)], found)
    with pytest.raises(AssertionError):
        shifted = given | {"mean" if "mean" in given else "m_1": 1.001 * m[0]}
        assert_parts([float(land.part(d).numpy()(W, **shifted)) for d in (0, 2, 4)], found)


# Values


@pytest.mark.parametrize(
    ("name", "d1"),
    [("infonce", 1), ("infonce dot", 1), ("spectral", 2), ("barlow twins normalised", 2), ("vicreg", 2)],
)
def test_values_are_sums_of_their_series(name, d1):
    """L(tW) less its series to order 8 falls by 2^10 when t is halved; with an error of 1e-4 in a coefficient it does not."""
    loss, (W, moments) = LOSSES[name], data(d1)
    W = W / 64
    series = population_series(loss, W, order=8, digits=24, **moments)
    order, top = 10, 2

    def remainders(coefficients):
        values = [population_value(loss, W / k, digits=24, **moments) for k in (1, top)]
        sums = [mpmath.fsum(c / k ** (2 * j) for j, c in enumerate(coefficients)) for k in (1, top)]
        return [abs(v - s) for v, s in zip(values, sums, strict=True)]

    with mpmath.workdps(40):
        large, small = remainders(series)
        assert large < 1e-24 or abs(mpmath.log(large / small, 2) - order) < 0.3
        large, small = remainders([*series[:2], series[2] * (1 + mpmath.mpf("1e-4")), *series[3:]])
        assert large > 1e-24 and abs(mpmath.log(large / small, 2) - 4) < 0.3


def test_infonce_has_the_value_of_its_closed_form():
    """X1: -Tr M/tau + sum over eigenvalues q of P/tau of q - log(1 + q)/2 - q/(1 + q)/2, to 30 digits at d1 = 2."""
    A0, Sigma = np.diag([0.5, 0.25]), np.diag([1.5, 0.75])
    found = population_value(ss.InfoNCE(tau=0.5), np.eye(2), A0=A0, Sigma=Sigma)
    with mpmath.workdps(40):
        q = [mpmath.mpf(3), mpmath.mpf("1.5")]
        exact = sum(v - mpmath.log(1 + v) / 2 - v / (1 + v) / 2 for v in q) - mpmath.mpf("1.5")
        assert abs(found - exact) < mpmath.mpf("1e-29")


def test_a_value_by_quadrature_is_that_of_another_route():
    """Smooth NT-Xent and InfoNCE with one negative at d1 = 1, against adaptive quadrature written by hand: 12 digits."""
    P, M, s = 1.25, 0.5, mp.mpf(1) / 64
    given = {"W": [[0.125]], "A0": [[M]], "Sigma": [[P]], "digits": 10}
    found = population_value(ss.NTXent(tau=0.75, epsilon=1.25), **given)
    assert abs(found - by_hand.ntxent_at(s, mp.mpf(P), mp.mpf(M), 0.75, 1.25)) < 1e-12
    found = population_value(ss.InfoNCE(tau=0.75, n=1), **given)
    assert abs(found - by_hand.finite_infonce_at(s, mp.mpf(P), mp.mpf(M), 0.75)) < 1e-12


def test_a_scale_invariant_loss_has_a_value_and_no_series():
    """NT-Xent with the exact cosine: told apart; at d1 = 1, E sign sign' = (2/pi) asin r and the log is log cosh(1/tau)."""
    given = {"W": [[1.0]], "A0": [[0.5]], "Sigma": [[1.25]]}
    with pytest.raises(ss.NotAnalyticError, match="scale-invariant"):
        population_series(ss.NTXent(tau=2), **given)
    found = population_value(ss.NTXent(tau=2), **given, digits=10)
    with mpmath.workdps(30):
        exact = -mpmath.asin(mpmath.mpf("0.4")) / mpmath.pi + mpmath.log(mpmath.cosh(mpmath.mpf("0.5")))
        assert abs(found - exact) < mpmath.mpf("1e-11")


# What is refused


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"W": np.ones((3, 1))}, ss.InputError, "d1 = 1 and 2"),
        ({"W": [[1.0, 2.0]]}, ss.MomentsError, "with this W"),
        ({"A0": [[2.0]]}, ss.MomentsError, "Sigma - A0"),
        ({"Sigma": [[np.nan]]}, ss.MomentsError, "finite"),
        ({"loss": ss.InfoNCE.symbolic()}, ss.InputError, "the symbol n has no value"),
        ({"loss": "infonce"}, ss.InputError, "is a Loss"),
        ({"data": ss.CumulantViews()}, ss.InputError, "names no distribution"),
        ({"tau": 3}, ss.UnknownNameError, "unknown argument tau"),
        ({"digits": 0}, ss.InputError, "digits"),
        ({"loss": ss.Loss(ss.E(sp.exp(ss.dot(ss.anchor, ss.negative))))}, ss.InputError, "infinite"),
        ({"loss": ss.Loss(ss.E(sp.Abs(ss.sqnorm(ss.anchor) - sp.Rational(1, 3))))}, ss.InputError, "digits"),
    ],
)
def test_bad_input_is_told(change, error, message):
    """Each is refused with its reason: no number is returned that was not reached."""
    given = {"loss": ss.InfoNCE(), "W": [[1.0]], "A0": [[0.5]], "Sigma": [[1.25]], "digits": 8} | change
    with pytest.raises(error, match=message):
        population_value(**given)


def test_an_odd_order_is_refused():
    """Landscapes are even in W."""
    with pytest.raises(ss.OrderError, match="even"):
        population_series(ss.InfoNCE(), [[1.0]], order=3, A0=[[0.5]], Sigma=[[1.0]])
