"""The whitelist parser: exact results for what it reads, one readable ExpressionError for everything else."""

import random

import pytest
import sympy as sp

import symscape as ss
from symscape.losses.parser import parse_loss, parse_scalar, parse_setting
from symscape.losses.vocabulary import MAX_LENGTH

x, xp, chi, chi2, chi3 = ss.anchor, ss.positive, ss.negative, ss.View("chi2"), ss.View("chi3")
tau, lambda_, epsilon = sp.symbols("tau lambda epsilon", positive=True)
n = sp.Symbol("n", positive=True, integer=True)
i, j = ss.outputs("i j")

SCALARS = {
    "0": sp.Integer(0),
    "007": sp.Integer(7),
    "1e-4": sp.Rational(1, 10**4),
    "0.1": sp.Rational(1, 10),
    ".5": sp.Rational(1, 2),
    "5.": sp.Integer(5),
    "2.5E+3": sp.Integer(2500),
    "1e60": sp.Integer(10) ** 60,
    "-3": sp.Integer(-3),
    "--3": sp.Integer(3),
    "+3": sp.Integer(3),
    "2^3^2": sp.Integer(512),
    "2**3**2": sp.Integer(512),
    "-2^2": sp.Integer(-4),
    "2^-1": sp.Rational(1, 2),
    "7-2-1": sp.Integer(4),
    "8/4/2": sp.Integer(1),
    "1 - 2*(3 + 4)/5": sp.Rational(-9, 5),
    " \n(1 +\n\t2)\r\n": sp.Integer(3),
    "oo": sp.oo,
    " inf ": sp.oo,
    "Infinity": sp.oo,
    "tau": tau,
    "n": n,
    "d_1": ss.d_1,
    "d_0": ss.d_0,
    "lambda": lambda_,
    "lambda_": lambda_,
    "lambda_ - lambda": sp.Integer(0),
    "2*lambda^2/(1 + lambda_)": 2 * lambda_**2 / (1 + lambda_),
    "pi/4": sp.pi / 4,
    "sqrt(12)": 2 * sp.sqrt(3),
    "sqrt(epsilon^2)": epsilon,
    "exp(1)": sp.E,
    "exp(log(tau))": tau,
    "log(tau)": sp.log(tau),
    "tanh(tau)": sp.tanh(tau),
    "sin(pi/6) + cos(pi/3)": sp.Integer(1),
    "sinh(tau) + cosh(tau)": sp.sinh(tau) + sp.cosh(tau),
    "tau^lambda": tau**lambda_,
    "2^(-5000*tau)": 2 ** (-5000 * tau),
}

LOSSES = {
    "tau": tau,
    "weight_norm()": ss.weight_norm(),
    "E(dot(x, xp))": ss.E(ss.dot(x, xp)),
    "E(sqdist(x, x'))": ss.E(ss.sqdist(x, xp)),
    "E(sqnorm(x)) - E(sqnorm(chi3))": ss.E(ss.sqnorm(x)) - ss.E(ss.sqnorm(chi3)),
    "E(dot(x, chi)^2, over=(x, chi))": ss.E(ss.dot(x, chi) ** 2, over=(x, chi)),
    "E(log(E(exp(dot(x, chi)/tau), over=chi)))": ss.E(sp.log(ss.E(sp.exp(ss.dot(x, chi) / tau), over=chi))),
    "E(log(E(exp(dot(x, chi)/tau), chi)))": ss.E(sp.log(ss.E(sp.exp(ss.dot(x, chi) / tau), over=chi))),
    "E(softplus(-dot(x, xp)))": ss.E(sp.log(1 + sp.exp(-ss.dot(x, xp)))),
    "E(sigmoid(dot(x, chi2)))": ss.E(1 / (1 + sp.exp(-ss.dot(x, chi2)))),
    "E(maximum(0, 1 - dot(x, xp)))": ss.E(sp.Max(0, 1 - ss.dot(x, xp))),
    "E(tanh(sqnorm(x))/sqrt(1 + sqnorm(x)))": ss.E(sp.tanh(ss.sqnorm(x)) / sp.sqrt(1 + ss.sqnorm(x))),
    "output_sum((1 - M(i,i))^2, i) + lambda*output_sum(M(i,j)^2, i, j, distinct=True)": ss.BarlowTwins(lambda_).expr,
    "output_sum(P(i, j, centred=True), i, j, distinct=False)/d_1": (
        ss.output_sum(ss.P(i, j, centred=True), i, j) / ss.d_1
    ),
    "-2*E(dot(x, xp)) + E(dot(x, chi)^2)": ss.SpectralContrastive().expr,
    "E(sqdist(x, xp)/(2*tau)) + E(log(E(exp(-sqdist(x, chi)/(2*tau)), over=chi)))": ss.InfoNCE(tau).expr,
    "E(-dot(x, xp)/tau) + E(log(exp(dot(x, xp)/tau) + total(exp(dot(x, chi)/tau), over=chi, n=n))) - log(n + 1)": (
        ss.InfoNCE(tau, n, similarity="dot").expr
    ),
}

HOSTILE = {
    # Python
    "__import__('os')": "__import__",
    "().__class__": ".",
    "().__class__.__bases__[0].__subclasses__()": ".",
    "E.__init__": ".",
    "tau.func": ".",
    "exec": "exec",
    "exec('1')": "exec",
    "eval(tau)": "eval",
    "open": "open",
    "f'{1}'": "f'",
    'f"{1}"': '"',
    "'tau'": "'",
    "lambda x: x": "lambda x",
    "lambda: 1": ":",
    "(y := 1)": ":",
    "[1]": "[",
    "tau[0]": "[",
    "{1}": "{",
    "[y for y in tau]": "[",
    "1 if tau else 2": "1 if",
    "not 1": "not",
    "tau; 1": ";",
    "tau\\": "\\",
    "tau # 1": "#",
    "tau__x": "tau__x",
    "_tau": "_tau",
    "None": "None",
    "True": "True",
    "1 < 2": "<",
    "5 % 2": "%",
    "5 // 2": "/",
    "tau == 1": "=",
    "tau = 1": "=",
    "exp(*tau)": "*tau",
    "exp(**tau)": "**tau",
    "exp(expr=1, expr=2)": "expr=2",
    # Sizes
    "9**9**9": "9**9**9",
    "((9**64)**64)**64": "(9**64)**64",
    "10**10000": "10**10000",
    "1e999999999": "1e999999999",
    "9" * 41: "9" * 41,
    "tau^65": "tau^65",
    "(tau^60)^60": "(tau^60)^60",
    "tau^(1/1000)": "tau^(1/1000)",
    "(1e60*tau)^64": "(1e60*tau)^64",
    "*".join(["1e60"] * 20): "*".join(["1e60"] * 20)[:28],
    "exp(1e9*log(9))": "exp(1e9*log(9))",
    "exp(tau + 1e9*log(9))": "exp(tau + 1e9*log(9))",
    "exp(1e9*log(9)*tau)^(1/tau)": "exp(1e9*log(9)*tau)^(1/tau)",
    "2^(1e9*log(9)/log(2))": "2^(1e9*log(9)/log(2))",
    "(9^sqrt(2))^(1e9*sqrt(2))": "(9^sqrt(2))^(1e9*sqrt(2))",
    "9^(1e9*tau)*9^(1e9 - 1e9*tau)": "9^(1e9*tau)",
    "exp(exp(exp(exp(3))))": "exp(exp(exp(3)))",
    "cosh(1e9)": "cosh(1e9)",
    "(" * 10_000 + "1" + ")" * 10_000: "20001 characters",
    "(" * 900 + "1" + ")" * 900: "(",
    "-" * 1999 + "1": "-",
    "exp(" * 300 + "1" + ")" * 300: "(",
    "2" + "**2" * 600: "2",
    "1+" * 2000 + "1": "4001 characters",
    # Characters
    "": "empty",
    " \n\t": "empty",
    "tau\x00": "\\x00",
    "\x00": "\\x00",
    "\u0435xp(1)": "\u0435",
    "\uff45xp(1)": "\uff45",
    "\u202e1": "\\u202e",
    "\u0661": "\u0661",
    "1\u00a0+ 1": "\\xa0",
    "\ufefftau": "\\ufeff",
    "\ud800": "\\ud800",
    # No value, or no expression
    "1/0": "1/0",
    "tau/(1 - 1)": "tau/(1 - 1)",
    "0^-1": "0^-1",
    "log(0)": "log(0)",
    "sqrt(-1)": "sqrt(-1)",
    "(-8)^(1/3)": "(-8)^(1/3)",
    "log(-tau*0 - 1)": "log(-tau*0 - 1)",
    "oo + 1": "oo",
    "-oo": "oo",
    "(1": "(",
    "1)": ")",
    "1)*(2": ")",
    ")(": ")",
    "()": "()",
    "1 +": "+",
    "* 1": "*",
    "2 tau": "2 tau",
    "2tau": "2tau",
    "1.2.3": "1.2.3",
    "0x10": "0x10",
    "1_000": "1_000",
    "1j": "1j",
    "2(3)": "2",
    "(1)(2)": "1",
    "1, 2": "1, 2",
    "exp": "exp",
    "exp()": "exp()",
    "exp(1, 2)": "exp(1, 2)",
    "tau''": "tau'",
    "e": "e",
    "I": "I",
    "nan": "nan",
}

HOSTILE_LOSSES = {
    "x": ("x", "sqnorm(x)"),
    "E(x)": ("x", "sqnorm(x)"),
    "i + 1": ("i", "P(i, i)"),
    "E(sqdst(x, chi))": ("sqdst", 'Did you mean "sqdist"?'),
    "E(dot(x, ch))": ("ch", 'Did you mean "chi"?'),
    "E(dot(x, 2))": ("2", "Choose from x, xp"),
    "E(dot(x, chi1))": ("chi1", "chi2, chi3"),
    "E(dot(x, chi'))": ("chi'", "Only x'"),
    "E(dot(x, x''))": ("'", "character"),
    "E(dot(x, chi), over=tau)": ("tau", "Choose from x, xp"),
    "E(dot(x, chi), under=chi)": ("E(dot(x, chi), under=chi)", "Write E(expr, over=None)"),
    "E(dot(x, chi), over=x, over=chi)": ("over=chi", "Write E(expr, over=None)"),
    "E(dot(x), over=x)": ("dot(x)", "Write dot(u, v)"),
    "P(i, l)": ("l", "Choose from i, j, k"),
    "output_sum(P(i, i), i, distinct=1)": ("1", "Choose from True, False"),
    "total(sqnorm(chi), over=chi, n=oo)": ("oo", "n=oo"),
    "maximum(1)": ("maximum(1)", "Write maximum(left, right)"),
    "E": ("E", "Write E(expr, over=None)"),
    "sqrt(0 - 1)*E(sqnorm(x))": ("sqrt(0 - 1)", "real"),
}

SETTINGS = {
    "tau=0.5": ("tau", sp.Rational(1, 2)),
    " tau = 1e-4 ": ("tau", sp.Rational(1, 10**4)),
    "lambda=2": ("lambda_", sp.Integer(2)),
    "lambda_=2": ("lambda_", sp.Integer(2)),
    "n=oo": ("n", sp.oo),
    "n=n": ("n", n),
    "epsilon=None": ("epsilon", None),
    "similarity=dot": ("similarity", "dot"),
    "similarity=Euclidean": ("similarity", "euclidean"),
    "mu=2*lambda": ("mu", 2 * lambda_),
}


@pytest.mark.parametrize("text", SCALARS)
def test_scalars_are_exact(text):
    assert parse_scalar(text) == SCALARS[text]


@pytest.mark.parametrize("text", LOSSES)
def test_losses_equal_those_built_in_python(text):
    assert parse_loss(text) == ss.Loss(LOSSES[text])


@pytest.mark.parametrize("text", [text for text in SCALARS if "oo" not in text and "nf" not in text])
def test_every_scalar_is_a_loss(text):
    assert parse_loss(text).expr == SCALARS[text]


@pytest.mark.parametrize("text", SETTINGS)
def test_settings(text):
    assert parse_setting(text) == SETTINGS[text]


def assert_refused(parse, text, piece, advice=""):
    """Assert that ``text`` gives an ExpressionError that points at ``piece`` and holds ``advice``."""
    with pytest.raises(ss.ExpressionError) as caught:
        parse(text)
    message = str(caught.value)
    assert message.startswith(f"{parse.__name__}(") and "\n" not in message and len(message) < 800
    assert piece in message and advice in message, message
    if " at column " in message and piece in text:
        column = int(message.split(" at column ")[1].split()[0])
        assert text[column - 1 :].startswith(piece), message


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("parse", [parse_scalar, parse_loss])
def test_hostile_text_is_refused(parse, text):
    assert_refused(parse, text, HOSTILE[text])


@pytest.mark.parametrize("text", HOSTILE_LOSSES)
def test_mistakes_in_losses_are_pointed_at(text):
    assert_refused(parse_loss, text, *HOSTILE_LOSSES[text])


@pytest.mark.parametrize("value", [text for text in HOSTILE if text != "None"])
def test_hostile_settings_are_refused(value):
    with pytest.raises(ss.ExpressionError, match=r"^parse_setting\(.*(column|empty|characters)"):
        parse_setting(f"tau={value}")


NO_SETTINGS = ["", "tau", "=1", " = 1", "2=1", "a b=1", "__a__=1", "exec=1", "a.b=1", "tau==1", "tau=", "a" * 41 + "=1"]


@pytest.mark.parametrize("text", NO_SETTINGS)
def test_what_is_no_setting_is_refused(text):
    with pytest.raises(ss.ExpressionError) as caught:
        parse_setting(text)
    assert str(caught.value).startswith(f'parse_setting("{text}")')


@pytest.mark.parametrize("parse", [parse_scalar, parse_loss, parse_setting])
@pytest.mark.parametrize("value", [None, 1, 0.5, b"tau", ["tau"], tau])
def test_only_strings_are_parsed(parse, value):
    with pytest.raises(ss.ExpressionError, match=r"NAME=VALUE|is a string"):
        parse(value)


def test_the_words_of_losses_are_no_words_of_scalars():
    assert_refused(parse_scalar, "E(1)", "E", "losses")
    assert_refused(parse_scalar, "x'", "x'", "Only x'")


@pytest.mark.parametrize(("character", "spelling"), {"τ": "tau", "λ": "lambda", "−": "-", "∞": "oo", "·": "*"}.items())
def test_characters_from_a_paper_are_spelled_out(character, spelling):
    assert_refused(parse_scalar, f"1 {character} 2", character, f'Write "{spelling}"')


def test_errors_of_the_language_pass_through():
    with pytest.raises(ss.UnboundViewError, match="never integrated"):
        parse_loss("dot(x, xp)")
    with pytest.raises(ss.ConditionalExpectationError, match="same datum"):
        parse_loss("E(dot(x, xp), over=x)")
    with pytest.raises(ss.InputError, match="no view is free"):
        parse_loss("E(1)")
    with pytest.raises(ss.InputError, match="does not contain the view"):
        parse_loss("total(sqnorm(x), over=chi, n=3)")


def test_the_name_of_a_loss_is_its_text_unless_given():
    assert parse_loss("E( sqnorm(x) )").name == "E( sqnorm(x) )"
    assert parse_loss("E(sqnorm(x))", name="norm").name == "norm"
    assert len(parse_loss("+".join(["E(sqnorm(x))"] * 50)).name) < 70


def test_a_long_sum_is_read_within_the_nesting_limit():
    text = "+".join(["tau"] * 400)
    assert len(text) < MAX_LENGTH and parse_scalar(text) == 400 * tau
    assert parse_scalar("*".join(["tau"] * 60)) == tau**60
    assert parse_scalar("(" * 40 + "tau" + ")" * 40) == tau


def test_a_parsed_loss_has_a_landscape():
    """The landscape of a typed loss is that of the catalogue's."""
    typed = parse_loss("E(sqdist(x, x'))/2 + E(log(E(exp(-sqdist(x, chi)/2), over=chi)))")
    wrong = parse_loss("E(sqdist(x, x'))/2 + E(log(E(exp(-sqdist(x, chi)/3), over=chi)))")
    assert ss.landscape(typed, order=4) == ss.landscape(ss.InfoNCE(tau=1), order=4)
    assert ss.landscape(wrong, order=4) != ss.landscape(ss.InfoNCE(tau=1), order=4)


@pytest.mark.parametrize("seed", range(4))
def test_random_text_gives_a_loss_or_an_input_error(seed):
    words = ["x", "xp", "x'", "chi", "tau", "lambda", "E", "dot", "exp", "total", "P", "i", "over", "n", "True", "__a"]
    signs = [
        "(",
        ")",
        "(",
        ")",
        "+",
        "-",
        "*",
        "/",
        "**",
        "^",
        ",",
        "=",
        " ",
        "'",
        ".",
        "0",
        "2",
        "1e9",
        "oo",
        "\x00",
        "é",
    ]
    random_ = random.Random(seed)
    for _ in range(1000):
        text = "".join(random_.choices(words + signs, k=random_.randint(1, 12)))
        try:
            made = parse_loss(text)
        except ss.InputError:
            continue
        assert isinstance(made, ss.Loss), f"seed {seed}: {text!r}"
