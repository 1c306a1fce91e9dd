"""The faces of the geometry: what users type, in each of the spellings that are promised, and what is refused."""

import copy
import pickle

import numpy as np
import pytest
import sympy as sp
from scipy.linalg import eigh

import symscape as ss

gamma, tau = sp.symbols("gamma tau", positive=True)
A0 = np.diag([3.0, 2.0, 1.0, 0.5]) + 0.1
SIGMA = np.diag([4.0, 4.0, 3.0, 2.0]) + 0.2
LAND = ss.landscape(ss.InfoNCE(tau=tau) + ss.WeightDecay(gamma))


@pytest.mark.parametrize("given", [{"lambda_": 1}, {"params": {"lambda": 1}}, {"params": {"lambda_": 1}}])
def test_a_parameter_that_is_a_keyword_is_known_by_every_spelling(given):
    """lambda_=, and lambda or lambda_ in params, are one parameter, in collapse and in thresholds by another."""
    rest = {"nu": 1, "epsilon": 0.25}
    land = ss.landscape(ss.VICReg.symbolic())
    assert ss.collapse(land, A0, SIGMA, 2, mu=1, **rest, **given).surviving > 0
    found = ss.threshold(land, "mu", A0, SIGMA, 2, **rest, **given)
    lam = sp.Symbol("lambda", positive=True)
    assert found.critical(0) == ss.threshold(land, "mu", A0, SIGMA, 2, **rest, params={lam: 1}).critical(0)


@pytest.mark.parametrize(
    ("loss", "through"),
    [
        (ss.NTXent(tau=0.2), lambda loss: ss.normalised_landscape(loss)),
        (ss.InfoNCE(), lambda loss: ss.landscape(loss)),
    ],
    ids=["cosine", "infonce"],
)
def test_collapse_of_a_loss_takes_the_route_that_suits_it(loss, through):
    """A cosine is minimised on the shell, any other loss through its landscape."""
    found, expected = ss.collapse(loss, A0, SIGMA, 3), ss.collapse(through(loss), A0, SIGMA, 3)
    assert found.kept == expected.kept and found.surviving > 0
    np.testing.assert_allclose(found.spectrum, expected.spectrum, rtol=1e-4, atol=1e-9)


def test_a_loss_of_single_outputs_is_minimised_over_rotations():
    """Its landscape over spectra has a kink, where a minimiser of smooth functions ends at a wrong point: it is refused."""
    r = eigh(A0, SIGMA, eigvals_only=True)[::-1]
    for loss in (ss.VICReg(), ss.VICReg(lambda_=20.4)):
        found, expected = ss.collapse(loss, A0, SIGMA, 3), ss.rotation_minimised(loss, r, 3)
        assert found.surviving == expected.surviving > 0
        np.testing.assert_allclose(found.spectrum[: len(expected.p)], expected.p, rtol=1e-6, atol=1e-9)
        land = ss.equal_share_landscape(loss)
        for ask in (lambda land=land: land.minimum(r=r, d1=3), lambda land=land: ss.collapse(land, A0, SIGMA, 3)):
            with pytest.raises(ss.InputError, match=r"has a kink, Max.*rotation_minimised"):
                ask()


def test_a_parameter_that_left_no_trace_is_accepted():
    """A part of a landscape takes the parameters of the whole: gamma has no part in degree 4."""
    quartic = LAND.part(4)
    assert "gamma" not in map(str, quartic.parameters)
    with pytest.raises(ss.UnknownNameError, match="sigma"):
        ss.stationary_points(quartic, A0, SIGMA, 2, tau=1, gamma=1, sigma=1)
    assert ss.stationary_points(quartic, A0, SIGMA, 2, tau=1, gamma=1).minima[0].rank == 0


def test_complete_collapse_is_a_condition_that_sympy_takes():
    """`complete` is where nothing survives, the opposite of the first mode's condition; SymPy and lambdify take both."""
    found = ss.threshold(LAND, gamma)
    lam = sp.Symbol("lambda_0", real=True)
    assert found.complete.solved == sp.Ge(gamma, lam / tau)
    assert found.mode(0).solved == sp.Lt(gamma, lam / tau)
    holds = sp.lambdify([gamma, lam, tau], sp.sympify(found.complete))
    assert holds(3.0, 1.0, 0.5) and not holds(1.0, 1.0, 0.5)
    by_tau = ss.threshold(LAND, tau).complete
    assert bool(by_tau.evaluate({"lambda_0": -1, "gamma": 0.1, "tau": 1})), "a mode of negative lambda never survives"
    assert "complete collapse where gamma >= lambda_0/tau" in str(found)


def test_numeric_thresholds_say_where_the_range_ends():
    """An end of the range searched is not printed as a threshold."""
    text = str(ss.threshold(LAND, gamma, A0, SIGMA, 2, tau=1.0))
    assert "mode 0 survives below 3.1" in text and "complete collapse above 3.1" in text and "1e-06 to" not in text


MEAN = np.array([0.5, -1.0, 0.3, 0.2])
SHIFTED = {"A0": A0 + np.outer(MEAN, MEAN), "Sigma": SIGMA + np.outer(MEAN, MEAN), "mean": MEAN}


@pytest.mark.parametrize(
    "land",
    [ss.VICReg(), ss.landscape(ss.BarlowTwins(lambda_=0.5, epsilon=1), data=ss.GaussianViews(mean=True))],
    ids=["over rotations", "by descent"],
)
def test_centred_losses_do_not_see_the_mean(land):
    """Losses about the mean have one answer for features with a mean and for the same features centred."""
    plain = land if isinstance(land, ss.Loss) else ss.landscape(land.loss)
    moved, centred = ss.collapse(land, d1=3, **SHIFTED), ss.collapse(plain, A0, SIGMA, 3)
    assert moved.kept == centred.kept
    np.testing.assert_allclose(moved.loss, centred.loss, rtol=1e-7)
    uncentred = ss.collapse(plain, SHIFTED["A0"], SHIFTED["Sigma"], 3)
    assert abs(uncentred.loss / centred.loss - 1) > 1e-3


def test_a_loss_of_raw_moments_sees_the_mean():
    """Raw Barlow Twins takes second moments about zero, mean or not."""
    loss = ss.BarlowTwins(lambda_=0.5)
    given = {key: SHIFTED[key] for key in ("A0", "Sigma")}
    np.testing.assert_allclose(ss.collapse(loss, d1=3, **SHIFTED).loss, ss.collapse(loss, d1=3, **given).loss)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ss.collapse(LAND), "threshold"),
        (lambda: ss.collapse(LAND, A0, SIGMA, 2, gamma=-1, tau=1), "gamma=-1"),
        (lambda: ss.collapse(LAND, A0, SIGMA, 2, gamma=1, tau=0), "tau=0"),
        (lambda: ss.collapse(LAND, A0, SIGMA, 2, gamma=1, tau=1, params={tau: 2}), "given twice"),
        (lambda: ss.collapse(LAND, A0, SIGMA, 2, params=[1]), "not a mapping"),
        (lambda: ss.collapse(LAND, A0.astype(complex) * 1j, SIGMA, 2, gamma=1, tau=1), "real numbers"),
        (lambda: ss.collapse(ss.landscape(ss.InfoNCE.symbolic()), A0, SIGMA, 2, tau=1, n=sp.oo), "n=sympy.oo"),
        (lambda: ss.stationary_points(LAND, A0, SIGMA, 2, gamma=1, tau=1).family(kept=0), r"\(0, 2\)"),
        (lambda: ss.threshold(ss.landscape(ss.InfoNCE()), gamma), "WeightDecay"),
        (lambda: ss.growth_rates(ss.landscape(ss.InfoNCE()), A0, SIGMA, 2, mean=np.full(4, 0.1)), "no mean"),
        (lambda: ss.mode_minimiser(ss.InfoNCE()), "closed_form"),
        (
            lambda: ss.threshold(ss.VICReg.symbolic(), "mu", A0, SIGMA, 2, np.zeros(4), lambda_=1, nu=1, epsilon=1),
            "mean zero",
        ),
        (lambda: ss.threshold(LAND, gamma, A0, SIGMA, 2, np.full(4, 0.1), tau=1), "mean"),
        (lambda: ss.collapse(ss.closed_form(ss.InfoNCE()), A0, SIGMA, 2, mean=np.zeros(4)), "mean zero"),
        (
            lambda: ss.collapse(ss.BarlowTwins(0.5) + ss.WeightDecay(0.1), A0, SIGMA, 2),
            "Tr M alone.*leave the decay out",
        ),
    ],
)
def test_refusals_quote_and_name_the_next_step(call, message):
    """Bad calls end in an error of the package that says what was given and what to do."""
    with pytest.raises(ss.InputError, match=message):
        call()


def test_features_that_never_vary_at_all():
    """With A_0 = Sigma = 0 nothing can survive, and the report says so."""
    found = ss.collapse(ss.landscape(ss.InfoNCE()), np.zeros((2, 2)), np.zeros((2, 2)), 2)
    assert found.kind == "complete" and found.surviving == 0 and "never vary" in str(found)


@pytest.mark.parametrize(
    "value",
    [
        ss.collapse(LAND, A0, SIGMA, 2, gamma=1.0, tau=1.0),
        ss.threshold(LAND, gamma),
        ss.threshold(LAND, gamma, A0, SIGMA, 2, tau=1.0),
        ss.stationary_points(LAND, A0, SIGMA, 2, gamma=1.0, tau=1.0),
        ss.rotation_minimised(ss.VICReg(), [0.9, 0.5], 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_results_are_values(value):
    """Results are copied and pickled, print the same afterwards, and compare without an error."""
    for other in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert repr(other) == repr(value)
    assert isinstance(value == copy.copy(value), bool)
