"""Bad input gets one clear error: of the right type, quoting what was given, and offering the next step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape import E, View, dot, sqnorm, total

x, xp, chi = ss.anchor, ss.positive, ss.negative
t = sp.Symbol("t", positive=True)
i, j, k = ss.outputs("i j k")
W, A0, SIGMA = np.ones((2, 3)), np.eye(3) / 2, np.eye(3)


class Bad(NamedTuple):
    """A call, the error that it raises, and what its message says: the input quoted, and the way out."""

    call: Callable[[], Any]
    error: type[ss.SymscapeError]
    quote: str
    hint: str


def assert_clear_error(bad: Bad) -> None:
    """Assert that a call raises the right error, whose message is one line with the input and the next step in it."""
    try:
        found = bad.call()
    except ss.SymscapeError as error:
        message = str(error)
        assert type(error) is bad.error, f"{type(error).__name__} for {bad.error.__name__}: {message}"
        assert "\n" not in message and len(message) < 500, message
        assert bad.quote in message, f"{bad.quote!r} is not quoted: {message}"
        assert bad.hint in message, f"{bad.hint!r} is not offered: {message}"
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} is no error of symscape: {error}") from error
    else:
        raise AssertionError(f"no error, but {found!r}")


def landscape(expr: Any, **options: Any) -> ss.Landscape:
    return ss.landscape(ss.Loss(expr), **options)


def function(loss: ss.Loss | None = None, **options: Any) -> Callable:
    return ss.landscape(ss.InfoNCE() if loss is None else loss, **options).numpy()


def value(W: Any = W, A0: Any = A0, Sigma: Any = SIGMA, **given: Any) -> Any:
    return function()(W, A0=A0, Sigma=Sigma, **given)


def of_parameter(**given: Any) -> Any:
    return function(ss.InfoNCE(tau=t))(W, A0=A0, Sigma=SIGMA, **given)


def with_mean(**given: Any) -> Any:
    return function(ss.SpectralContrastive(), data=ss.GaussianViews(mean=True), bias=True)(
        W, A0=A0, Sigma=SIGMA, **given
    )


ORDERS = {
    **{str(order): (order, "try order=4") for order in (3, 0, -2)},
    "5": (5, "try order=6"),
    **{repr(order): (order, "such as 4") for order in (4.5, True, "4", None)},
}
BAD_ORDERS = {
    f"order {name}": Bad(
        lambda order=order: ss.landscape(ss.InfoNCE(), order=order), ss.OrderError, f"the order {name} is not", hint
    )
    for name, (order, hint) in ORDERS.items()
}
BAD_ORDERS["cumulants at order 6"] = Bad(
    lambda: ss.landscape(ss.InfoNCE(), order=6, data=ss.CumulantViews()), ss.OrderError, "order=6", "use order=4"
)

NO_SERIES = {
    "NT-Xent": Bad(lambda: ss.landscape(ss.NTXent()), ss.ScaleInvariantError, "NTXent", "pass `epsilon=...`"),
    "NT-Xent says why": Bad(lambda: ss.landscape(ss.NTXent()), ss.ScaleInvariantError, "order=4", "scale-invariant"),
    "Barlow Twins": Bad(
        lambda: ss.landscape(ss.BarlowTwins(epsilon=0)), ss.ScaleInvariantError, "BarlowTwins", "pass `epsilon=...`"
    ),
    "a cosine": Bad(
        lambda: landscape(E(dot(x, xp) / sp.sqrt(sqnorm(x) * sqnorm(xp)))),
        ss.ScaleInvariantError,
        "landscape(loss",
        "+ epsilon",
    ),
    "VICReg": Bad(lambda: ss.landscape(ss.VICReg(epsilon=0)), ss.NotAnalyticError, "sqrt(P[j,j])", "an epsilon"),
    "VICReg at the hinge": Bad(lambda: ss.landscape(ss.VICReg(epsilon=1)), ss.NotAnalyticError, "Max(0, 1 - ", "kink"),
    **{
        name: Bad(lambda expr=expr: landscape(E(expr)), ss.NotAnalyticError, quote, "Add a positive constant")
        for name, expr, quote in (
            ("a norm", sp.sqrt(sqnorm(x)), "sqrt(|f(x)|^2)"),
            ("log of a norm", sp.log(sqnorm(x)), "log(|f(x)|^2)"),
            ("a reciprocal", 1 / dot(x, chi), "1/(f(x).f(chi))"),
            ("an absolute value", sp.Abs(dot(x, xp)), "Abs(f(x).f(x'))"),
            ("a hinge", sp.Max(0, dot(x, chi)), "Max(0, f(x).f(chi))"),
            ("a sign", sp.sign(dot(x, xp)), "sign(f(x).f(x'))"),
            ("a pole", sp.gamma(dot(x, chi)), "gamma(f(x).f(chi))"),
            ("a floor", sp.floor(dot(x, chi)), "floor(f(x).f(chi))"),
        )
    },
    "Barlow Twins with absolute values": Bad(
        lambda: landscape(ss.output_sum(sp.Abs(ss.M(i, j)), i, j, distinct=True)),
        ss.NotAnalyticError,
        "Abs(M[i,j])",
        "choose a function that is analytic",
    ),
    "a step": Bad(
        lambda: landscape(E(sp.Heaviside(dot(x, xp)))), ss.NotAnalyticError, "Heaviside(f(x).f(x'))", "choose"
    ),
    "log of a negative number": Bad(
        lambda: landscape(E(sp.log(dot(x, chi) - 1))), ss.NotAnalyticError, "log(f(x).f(chi) - 1)", "positive"
    ),
    "root of a negative number": Bad(
        lambda: landscape(E(sp.cbrt(dot(x, chi) - 1))), ss.NotAnalyticError, "(f(x).f(chi) - 1)**(1/3)", "positive"
    ),
}

NOT_A_LOSS = {
    "a view never integrated": Bad(lambda: ss.Loss(dot(x, xp)), ss.UnboundViewError, "f(x).f(x')", "E(...)"),
    "a view left over": Bad(
        lambda: ss.Loss(E(dot(x, chi), over=chi)), ss.UnboundViewError, "E_{chi}[f(x).f(chi)]", "the view x is never"
    ),
    "a text": Bad(lambda: ss.Loss("x"), ss.InputError, "'x'", "sympy.Symbol('x')"),
    "a matrix": Bad(lambda: ss.Loss(ss.W), ss.InputError, "W", "scalar"),
    "nan": Bad(lambda: ss.Loss(sp.nan), ss.InputError, "nan", "finite"),
    "a loss again": Bad(lambda: ss.Loss(ss.InfoNCE()), ss.InputError, "InfoNCE", "add losses with +"),
    "plus a number": Bad(lambda: ss.InfoNCE() + 3, ss.InputError, "InfoNCE + 3", "WeightDecay(gamma)"),
    "a number plus": Bad(lambda: 3 + ss.InfoNCE(), ss.InputError, "3", "WeightDecay(gamma)"),
    "a product": Bad(
        lambda: ss.InfoNCE() * ss.NTXent(), ss.InputError, "InfoNCE * NTXent", "they multiply by scalars only"
    ),
    "times a random variable": Bad(
        lambda: dot(x, xp) * ss.InfoNCE(), ss.InputError, "f(x).f(x') * InfoNCE", "multiply by finite scalars only"
    ),
    "divided by zero": Bad(lambda: ss.InfoNCE() / 0, ss.InputError, "zoo * InfoNCE", "finite scalars"),
    "an expression as a loss": Bad(
        lambda: ss.landscape(E(dot(x, xp))), ss.InputError, "E_{x, x'}[f(x).f(x')]", "wrap an expression in Loss(...)"
    ),
    "a name as a loss": Bad(lambda: ss.landscape("infonce"), ss.InputError, "'infonce'", "Loss(...)"),
    "a word as data": Bad(
        lambda: ss.landscape(ss.InfoNCE(), data="gauss"), ss.InputError, "data='gauss'", "GaussianViews()"
    ),
    "a part beyond the order": Bad(lambda: ss.landscape(ss.InfoNCE()).part(5), ss.InputError, "part(5)", "order 4"),
    "a part by a word": Bad(
        lambda: ss.landscape(ss.InfoNCE()).part("2"), ss.InputError, "'2'", "an integer, such as 4"
    ),
    "a notation": Bad(
        lambda: ss.landscape(ss.InfoNCE()).latex("X"), ss.InputError, "notation='X'", '"W" (W Sigma W^T) or "PM"'
    ),
}

LANGUAGE = {
    "a shared datum": Bad(
        lambda: E(sqnorm(x) * dot(x, xp), over=xp), ss.ConditionalExpectationError, "over=x'", "integrate both"
    ),
    "E of a scalar": Bad(lambda: E(sp.Integer(3)), ss.InputError, "E(3)", "nothing to integrate"),
    "E of an expectation": Bad(
        lambda: E(E(dot(x, xp))), ss.InputError, "E(E_{x, x'}[f(x).f(x')])", "nothing to integrate"
    ),
    "E over an absent view": Bad(lambda: E(dot(x, xp), over=chi), ss.InputError, "f(x).f(x')", "chi does not occur"),
    "E over a word": Bad(lambda: E(dot(x, xp), over="x"), ss.InputError, "over='x'", "View('name')"),
    "E over a number": Bad(lambda: E(dot(x, xp), over=5), ss.InputError, "5", "View('name')"),
    "E over nothing": Bad(lambda: E(dot(x, xp), over=()), ss.InputError, "f(x).f(x')", "view"),
    "dot of a word": Bad(lambda: dot(x, "chi"), ss.InputError, "dot(x, chi)", "View('name')"),
    "copies inside and outside": Bad(
        lambda: landscape(E(dot(x, chi) * total(dot(x, chi), over=chi, n=3))),
        ss.InputError,
        "chi",
        "use a second View",
    ),
    "copies of a positive": Bad(
        lambda: landscape(E(total(dot(x, xp), over=xp, n=3))), ss.InputError, "x'", "sum over an independent view"
    ),
    "the anchor before the copies": Bad(
        lambda: landscape(E(E(total(dot(x, chi) ** 2, over=chi, n=3), over=x), over=chi)),
        ss.ConditionalExpectationError,
        "E_{x}[sum_{3 copies of chi} (f(x).f(chi))**2]",
        "integrate the copies in the same E",
    ),
    "copies of copies": Bad(
        lambda: landscape(E(total(total(dot(chi, View("chi2")), over=chi, n=3), over=View("chi2"), n=2))),
        ss.InputError,
        "sum_{2 copies of chi2}",
        "write one sum",
    ),
    "a sum over outputs inside another": Bad(
        lambda: landscape(ss.output_sum(ss.P(i, i) * ss.output_sum(ss.P(i, j), j), i)),
        ss.InputError,
        "sum_{j} (P[i,j])",
        "write one output_sum over both",
    ),
    "copies of an absent view": Bad(
        lambda: total(dot(x, xp), over=chi, n=3), ss.InputError, "over=chi", "does not contain the view chi"
    ),
    **{
        f"{number} copies": Bad(
            lambda number=number: total(dot(x, chi), over=chi, n=number),
            ss.InputError,
            f"n={sp.nsimplify(number)}",
            "a positive integer or a symbol",
        )
        for number in (0, 1.5, -3, sp.oo)
    },
    "two views of one name": Bad(
        lambda: landscape(E(dot(x, View("c"))) + E(dot(x, View("c", of=chi)))),
        ss.InputError,
        "called c",
        "give one of them another name",
    ),
    "two cross moments": Bad(
        lambda: landscape(E(dot(View("p", of=x, cross="B1"), View("q", of=x, cross="B2")))),
        ss.InputError,
        "B1 and B2",
        "name the same one",
    ),
    "an index not summed": Bad(
        lambda: landscape(ss.output_sum(ss.M(i, j), i)), ss.InputError, "M[i,j]", "the output index j is not summed"
    ),
    "an entry without a sum": Bad(lambda: landscape(ss.M(i, i)), ss.InputError, "M[i,i]", "not summed"),
    "an index summed elsewhere": Bad(
        lambda: landscape(ss.output_sum(ss.output_sum(ss.P(i, i), i) * ss.P(i, k), k)),
        ss.InputError,
        "P[i,k]",
        "not summed",
    ),
    "an index that is a number": Bad(lambda: ss.P(1, 2), ss.InputError, "P(1, 2)", "outputs('i j')"),
    "a sum over no index": Bad(
        lambda: ss.output_sum(ss.P(i, i)), ss.InputError, "output_sum(P[i,i]", "one or more different"
    ),
    **{
        f"the name {name!r}": Bad(lambda name=name: View(name), ss.InputError, f"'{name}'", "a name is a letter")
        for name in ("1bad", "", "two words", "chi!")
    },
    "no name": Bad(lambda: View(None), ss.InputError, "None", "a name is a letter"),
    "a view of a word": Bad(lambda: View("s", of="x"), ss.InputError, "of='x'", "another view"),
    "a moment": Bad(lambda: View("s", of=x, moment="2A"), ss.InputError, "moment='2A'", "a moment is a letter"),
}

PARAMETERS = {
    **{
        f"tau = {tau}": Bad(lambda tau=tau: ss.InfoNCE(tau=tau), ss.InputError, f"tau={sp.sympify(tau)}", hint)
        for tau, hint in (
            (0, "tau is positive"),
            (-1, "tau is positive"),
            (float("nan"), "a finite real number or a symbol"),
            (sp.oo, "a finite real number or a symbol"),
            (sp.I, "a finite real number or a symbol"),
        )
    },
    "tau = '1'": Bad(lambda: ss.InfoNCE(tau="1"), ss.InputError, "'1'", "sympy.Symbol('1')"),
    "tau = None": Bad(lambda: ss.InfoNCE(tau=None), ss.InputError, "None", "a number or a SymPy expression"),
    "tau a random variable": Bad(lambda: ss.InfoNCE(tau=dot(x, xp)), ss.InputError, "f(x).f(x')", "tau"),
    **{
        f"n = {number}": Bad(
            lambda number=number: ss.InfoNCE(n=number),
            ss.InputError,
            f"n={sp.nsimplify(number)}",
            "a positive integer, a symbol or sympy.oo",
        )
        for number in (0, 1.5, -3, sp.nan)
    },
    "n = '3'": Bad(lambda: ss.InfoNCE(n="3"), ss.InputError, "'3'", "sympy.Symbol('3')"),
    "similarity": Bad(
        lambda: ss.InfoNCE(similarity="cos"), ss.InputError, "similarity='cos'", 'choose "euclidean" or "dot"'
    ),
    "epsilon of NT-Xent": Bad(lambda: ss.NTXent(epsilon=0), ss.InputError, "epsilon=0", "epsilon is positive"),
    "epsilon of Barlow Twins": Bad(lambda: ss.BarlowTwins(epsilon=-1), ss.InputError, "epsilon=-1", "not negative"),
    "lambda": Bad(lambda: ss.BarlowTwins(lambda_=-1), ss.InputError, "lambda_=-1", "not negative"),
    "nu": Bad(lambda: ss.VICReg(nu="a"), ss.InputError, "'a'", "sympy.Symbol('a')"),
    "gamma": Bad(lambda: ss.WeightDecay(-1), ss.InputError, "gamma=-1", "not negative"),
    "weight decay": Bad(lambda: ss.gamma_from_weight_decay(-1), ss.InputError, "w=-1", "not negative"),
    **{
        f"{count!r} classes": Bad(
            lambda count=count: ss.MixtureViews(count), ss.InputError, f"MixtureViews({count!r})", "a positive integer"
        )
        for count in (0, -1, 1.5, "2", True)
    },
    "weights": Bad(
        lambda: ss.MixtureViews(2, weights=(0.5, 0.6)), ss.InputError, "(0.5, 0.6)", "2 weights that sum to 1"
    ),
    "too few weights": Bad(
        lambda: ss.MixtureViews(2, weights=(1,)), ss.InputError, "weights=(1,)", "2 weights that sum to 1"
    ),
    "a negative weight": Bad(
        lambda: ss.MixtureViews(2, weights=(1.5, -0.5)), ss.InputError, "(1.5, -0.5)", "between 0 and 1"
    ),
    "one number as weights": Bad(lambda: ss.MixtureViews(2, weights=0.5), ss.InputError, "0.5", "sum to 1"),
}

NUMBERS = {
    "W a vector": Bad(lambda: value(np.ones(3)), ss.MomentsError, "(3,)", "d1 x d0"),
    "W too wide": Bad(lambda: value(np.ones((2, 4))), ss.MomentsError, "(3, 3)", "(4, 4)"),
    "A0 not square": Bad(lambda: value(A0=np.ones((3, 2))), ss.MomentsError, "A0 has shape (3, 2)", "(3, 3)"),
    "A0 a vector": Bad(lambda: value(A0=np.ones(3)), ss.MomentsError, "A0 has shape (3,)", "(3, 3)"),
    "Sigma too small": Bad(lambda: value(Sigma=np.eye(2)), ss.MomentsError, "Sigma has shape (2, 2)", "(3, 3)"),
    "no Sigma": Bad(lambda: function()(W, A0=A0), ss.UnknownNameError, "Sigma", "Sigma is missing"),
    "no A0": Bad(lambda: function()(W, Sigma=SIGMA), ss.UnknownNameError, "InfoNCE", "A0 is missing"),
    "unknown": Bad(lambda: value(bogus=1), ss.UnknownNameError, "'bogus'", "InfoNCE(W, A0=..., Sigma=...)"),
    "a parameter it has not": Bad(lambda: value(tau=1), ss.UnknownNameError, "'tau'", "InfoNCE(W, A0=..., Sigma=...)"),
    "a mean it has not": Bad(
        lambda: value(mean=np.ones(3)), ss.UnknownNameError, "this landscape has no mean", "GaussianViews(mean=True)"
    ),
    "no parameter": Bad(lambda: of_parameter(), ss.UnknownNameError, "t=...", "the parameter t is missing"),
    "a parameter by a word": Bad(lambda: of_parameter(t="a"), ss.InputError, "t='a'", "not a number"),
    "a temperature of zero": Bad(lambda: of_parameter(t=0), ss.InputError, "t=0", "InfoNCE"),
    "no mean": Bad(lambda: with_mean(b=np.ones(2)), ss.UnknownNameError, "mean=...", "mean is missing"),
    "no bias": Bad(lambda: with_mean(mean=np.ones(3)), ss.UnknownNameError, "b=...", "the bias, is missing"),
    "a bias too long": Bad(
        lambda: with_mean(mean=np.ones(3), b=np.ones(3)), ss.MomentsError, "b has shape (3,)", "it is (2,)"
    ),
    "W a word": Bad(lambda: value("abc"), ss.MomentsError, "'abc'", "W"),
    "W ragged": Bad(lambda: value([[1, 2], [3]]), ss.MomentsError, "[[1, 2], [3]]", "rows of equal length"),
    "W complex": Bad(lambda: value(W * 1j), ss.MomentsError, "W", "real"),
    "A0 a word": Bad(lambda: value(A0="A"), ss.MomentsError, "'A'", "A0"),
    "no cumulants": Bad(
        lambda: function(data=ss.CumulantViews())(W, A0=A0, Sigma=SIGMA),
        ss.UnknownNameError,
        "kappa is missing",
        "FourthCumulants",
    ),
}

GROUPS = (BAD_ORDERS, NO_SERIES, NOT_A_LOSS, LANGUAGE, PARAMETERS, NUMBERS)
ALL = {name: bad for group in GROUPS for name, bad in group.items()}


@pytest.mark.parametrize("name", ALL)
def test_bad_input_gets_one_clear_error(name):
    """The error is of the right kind, quotes what was given in one line, and offers the next step."""
    assert_clear_error(ALL[name])


def test_no_case_hides_another():
    """Every bad input has a name of its own."""
    assert len(ALL) == sum(map(len, GROUPS))


GOOD = BAD_ORDERS["order 3"]


@pytest.mark.parametrize(
    "planted",
    [
        GOOD._replace(call=lambda: ss.landscape(ss.InfoNCE(), order=4)),
        GOOD._replace(call=lambda: int("four")),
        GOOD._replace(error=ss.MomentsError),
        GOOD._replace(error=ss.InputError),
        GOOD._replace(quote="the order 5"),
        GOOD._replace(hint="give up"),
    ],
    ids=("no error", "an error of Python", "another type", "a base type", "another quote", "no hint"),
)
def test_an_unclear_error_is_caught(planted):
    """The check fails without an error, with the wrong one, and with a message that does not help."""
    with pytest.raises(AssertionError):
        assert_clear_error(planted)


@pytest.mark.parametrize("name", [name for name in dir(ss) if name.endswith("Error")])
def test_every_error_is_caught_as_one(name):
    """All errors are SymscapeErrors, and ValueErrors except for that base itself."""
    error = getattr(ss, name)
    assert issubclass(error, ss.SymscapeError)
    assert issubclass(error, ValueError) == (error is not ss.SymscapeError)
    assert error.__doc__
