"""Bad input to `stationary_points` gets one clear error, early: of the right type, quoting the call, offering the next step."""

import numpy as np
import pytest
import sympy as sp
from stationary_cases import QUARTIC, gamma

import symscape as ss
from symscape.errors import InputError, MomentsError, SymscapeError, UnknownNameError

LAND = ss.landscape(ss.InfoNCE() + ss.WeightDecay(gamma))
GIVEN = {"A0": np.diag([0.8, 0.3]), "Sigma": np.eye(2), "d1": 2, "gamma": 0.1}


def points(**changed):
    return ss.stationary_points(LAND, **{k: v for k, v in {**GIVEN, **changed}.items() if v is not None})


NAN, LOPSIDED = np.array([[1, np.nan], [np.nan, 1]]), np.array([[0.5, 0.2], [0.0, 0.5]])
CASES = {
    "shapes differ": (lambda: points(A0=np.eye(3)), MomentsError, ["(3, 3)", "(2, 2)"]),
    "not square": (lambda: points(A0=np.ones((2, 3))), MomentsError, ["A0", "(2, 3)", "d0 x d0"]),
    "a vector": (lambda: points(Sigma=np.ones(2)), MomentsError, ["Sigma", "(2,)"]),
    "words": (lambda: points(Sigma="sigma"), MomentsError, ["'sigma'"]),
    "not symmetric": (lambda: points(A0=LOPSIDED), MomentsError, ["A0 is not symmetric", "(A0 + A0.T) / 2"]),
    "indefinite": (lambda: points(Sigma=np.diag([1, -1])), MomentsError, ["Sigma has the eigenvalue -1"]),
    "NaN": (lambda: points(Sigma=NAN), MomentsError, ["Sigma[0, 1] is nan"]),
    "swapped": (lambda: points(A0=2 * np.eye(2)), MomentsError, ["Sigma - A0", "swapped"]),
    "too negative": (lambda: points(A0=-2 * np.eye(2)), MomentsError, ["Sigma + A0"]),
    "no Sigma": (lambda: points(Sigma=None), UnknownNameError, ["Sigma is missing"]),
    "no d1": (lambda: points(d1=None), UnknownNameError, ["d1 is missing"]),
    **{
        f"d1 = {d1!r}": (lambda d1=d1: points(d1=d1), InputError, [f"d1={d1!r}", "positive integer"])
        for d1 in (0, -1, 2.0, True, "two")
    },
    "missing": (lambda: points(gamma=None), UnknownNameError, ["no value for gamma", "gamma=..."]),
    "unknown": (lambda: points(gama=1), UnknownNameError, ["'gama'", "has: gamma"]),
    "unknown, symbolic": (lambda: ss.stationary_points(LAND, gama=1), UnknownNameError, ["'gama'", "gamma"]),
    "no number": (lambda: points(gamma=sp.Symbol("g")), InputError, ["gamma=g", "finite real number"]),
    "infinite": (lambda: points(gamma=np.inf), InputError, ["gamma=inf"]),
    "NaN parameter": (lambda: points(gamma=float("nan")), InputError, ["gamma=nan"]),
    "complex": (lambda: points(gamma=1j), InputError, ["gamma=1j"]),
    "a word for a number": (lambda: points(gamma="much"), InputError, ["gamma='much'"]),
    "a mean": (lambda: points(mean=[0.1, 0.1]), UnknownNameError, ["no mean", "GaussianViews(mean=True)"]),
    "order 2": (
        lambda: ss.stationary_points(ss.landscape(LAND.loss, order=2), **GIVEN), InputError, ["order=4"],
    ),
    "order 2, symbolic": (
        lambda: ss.stationary_points(ss.landscape(LAND.loss, order=2)), InputError, ["order=4"],
    ),
    "a loss": (lambda: ss.stationary_points(ss.InfoNCE(), **GIVEN), InputError, ["landscape(loss)"]),
    "outputs count apart": (
        lambda: ss.stationary_points(ss.landscape(ss.VICReg()), **GIVEN), InputError, ["VICReg", "collapse(land, ...)"],
    ),
    "needs its mean": (
        lambda: ss.stationary_points(ss.landscape(ss.InfoNCE(), data=ss.GaussianViews(mean=True)), **{**GIVEN, "gamma": 0}),
        UnknownNameError, ["'gamma'"],
    ),
    "a family that does not exist": (
        lambda: points(A0=np.diag([0.8, 0.01])).family(kept=(1,)), InputError, ["family(kept=(1,))", "p = [-", "see minima"],
    ),
    "a mode that does not exist": (lambda: points().family(kept=(2,)), InputError, ["kept=(2,)", "0 to 1"]),
    "a negative mode": (lambda: points().family(kept=(-1,)), InputError, ["kept=(-1,)"]),
    "a mode twice": (lambda: points().family(kept=(0, 0)), InputError, ["kept=(0, 0)", "different"]),
    "half a mode": (lambda: points().family(kept=(0.5,)), InputError, ["kept=(0.5,)", "integers"]),
    "more modes than outputs": (lambda: points(d1=1).family(kept=(0, 1)), InputError, ["d1 = 1"]),
    "symbolic, negative": (lambda: ss.stationary_points(LAND).family(kept=(-1,)), InputError, ["integers from 0"]),
    "symbolic, twice": (lambda: ss.stationary_points(LAND).family(kept=(1, 1)), InputError, ["twice"]),
    "no starts": (lambda: points().search(0), InputError, ["starts=0", "positive integer"]),
    "a list of 2^20": (
        lambda: list(ss.stationary_points(ss.landscape(QUARTIC), A0=np.eye(20) / 2, Sigma=np.eye(20), d1=5, gamma=0, beta=1)),
        InputError, ["2^20", "family(kept=...)"],
    ),
    "the length of a range": (
        lambda: len(ss.stationary_points(ss.landscape(ss.InfoNCE(n=2)), A0=np.eye(20) / 2, Sigma=np.eye(20), d1=5)),
        SymscapeError, ["between", "not known exactly"],
    ),
}  # fmt: skip


def assert_clear_error(call, error, quotes):
    """Assert that a call raises an error of the type, in one line that holds the quotes."""
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500, message
    assert "stationary_points(" in message or "VICReg" in message, f"the call is not quoted: {message}"
    for quote in quotes:
        assert quote in message, f"{quote!r} is not in: {message}"


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name):
    """T4: bad input is refused where it enters, quoted, with the way out."""
    assert_clear_error(*CASES[name])
    call, error, _ = CASES[name]
    with pytest.raises(AssertionError):
        assert_clear_error(call, error, ["a quote that no message has"])


def test_what_is_accepted():
    """T4: numbers by name or by symbol, numpy integers and lists."""
    by_name = points()
    by_symbol = ss.stationary_points(
        LAND, A0=GIVEN["A0"].tolist(), Sigma=[[1, 0], [0, 1]], d1=np.int64(2), params={gamma: 0.1}
    )
    assert np.allclose(by_name.minima[0].W, by_symbol.minima[0].W) and by_name.count == by_symbol.count
