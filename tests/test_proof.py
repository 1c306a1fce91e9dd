"""Claims hold and fail as they should: each way of checking one, its planted error, and how traces and sums are compared."""

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from sympy import HadamardProduct, Identity, OneMatrix, Trace, ZeroMatrix

import symscape as ss
from symscape import A_0, Sigma, W
from symscape.typesetting.sympy_reading import matrix_terms, with_word_symbols
from symscape.verification.verdict import Kind

P, M = W * Sigma * W.T, W * A_0 * W.T
tau, a, b = sp.symbols("tau a b", positive=True)
mean, bias = sp.MatrixSymbol("mean", ss.d_0, 1), sp.MatrixSymbol("b", ss.d_1, 1)
v = W * mean + bias


def verdict(kind, *arguments, tamper=False):
    """Return the verdict of one claim."""
    proof = ss.Proof(tamper)
    getattr(proof, kind)("it is", *arguments)
    (only,) = proof.verdicts
    assert proof.good == (only.holds != tamper)
    return only


# exact

#: What was derived, the same said otherwise, and something else that is near.
EXACT = {
    "numbers": (sp.Rational(1, 2), 0.5, 0.51),
    "nothing": (sp.S.Zero, a - a, a),
    "infinity": (math.inf, sp.oo, -sp.oo),
    "scalars": ((a**2 - 1) / (a - 1), a + 1, a + 2),
    "a symbol": (sp.sqrt(a**2), a, b),
    "radicals": (1 / (sp.sqrt(2) - 1), 1 + sp.sqrt(2), 1 - sp.sqrt(2)),
    "words": ("saddle", "saddle", "maximum"),
    "truths": (True, sp.true, False),
    "undecided": (None, None, True),
    "tuples": ((1, "a", a), [1, "a", a], (1, "a")),
    "empty tuples": ((), [], (1,)),
    "nested": ([(1, a)], [(1, a)], [(1, b)]),
    "conditions": (sp.Gt(a, 1), sp.Lt(1, a), sp.Ge(a, 1)),
    "shifted conditions": (sp.Gt(a - b, 0), sp.Gt(a, b), sp.Gt(b, a)),
    "joined conditions": (sp.And(a > 1, b > 2), sp.And(b > 2, a > 1), sp.Or(a > 1, b > 2)),
    "matrices": (sp.Matrix([[a * (a + 1)]]), sp.Matrix([[a**2 + a]]), sp.Matrix([[a**2]])),
    "matrices of a shape": (sp.zeros(1, 2), sp.zeros(1, 2), sp.zeros(2, 1)),
    "sums of moments": (2 * (Sigma - A_0) + 3 * A_0, A_0 + 2 * Sigma, A_0 + Sigma),
    "the identity": (A_0 - 2 * Identity(ss.d_0), A_0 - Identity(ss.d_0) - Identity(ss.d_0), A_0 - Identity(ss.d_0)),
    "no matrix": (A_0 - A_0, ZeroMatrix(ss.d_0, ss.d_0), A_0),
    "traces": (Trace(P * M), Trace(M * P), Trace(P) * Trace(M)),
    "landscapes": (ss.landscape(ss.InfoNCE(tau=2)), ss.landscape(ss.InfoNCE(tau=2)), ss.landscape(ss.InfoNCE(tau=3))),
    "a landscape and its traces": (
        ss.landscape(ss.InfoNCE(tau=tau)),
        3 * Trace(P * P) / (4 * tau**2) - Trace(M) / tau,
        Trace(P * P) / (2 * tau**2) - Trace(M) / tau,
    ),
    "losses": (2 * ss.InfoNCE(), ss.InfoNCE() * 2, ss.InfoNCE()),
    "a scalar and a condition": (a, a, sp.Gt(a, 1)),
}


@pytest.mark.parametrize("name", EXACT)
def test_exact_claims(name):
    """The same thing said otherwise holds, another thing fails, and a planted error is caught from either side."""
    derived, same, other = EXACT[name]
    assert verdict("exact", derived, same).holds and verdict("exact", same, derived).holds
    assert verdict("exact", derived, same).kind is Kind.EXACT
    wrong = verdict("exact", derived, other)
    assert not wrong.holds and wrong.figure.startswith("derived ")
    for claimed in (derived, same):
        caught = verdict("exact", derived, claimed, tamper=True)
        assert caught.tampered and not caught.holds, caught


def test_a_planted_error_is_a_few_per_cent():
    """Of the last term of a sum, the last part of a tuple, the bound of a condition: what stays is right."""
    planted = [
        (a + b, "a + 41*b/40"),
        (a, "41*a/40"),
        ((1, a), "(1, 41*a/40)"),
        (sp.Gt(a, 2), "a > 41/20"),
        (sp.zeros(1, 1), "Matrix([[1/40]])"),
        (ZeroMatrix(2, 2), str(OneMatrix(2, 2) * sp.Rational(1, 40))),
        ((), "(1/40,)"),
    ]
    for claimed, wrong in planted:
        assert verdict("exact", claimed, claimed, tamper=True).figure.endswith(f", not {wrong}")


# digits, sampled, numeric


def test_digits():
    """Numbers and sequences of them agree to so many digits of the largest; one unit more in the last digit is caught."""
    third = mpmath.mpf(1) / 3
    assert verdict("digits", third, sp.Rational(1, 3), 14).kind is Kind.DIGITS
    for derived, claimed, digits in [
        (third, 0.333333, 5),
        ([1e6, 0.25], np.array([1e6, 0.3]), 6),
        (math.sqrt(2), sp.sqrt(2), 15),
        (0.0, 0.0, 12),
        ([], [], 3),
    ]:
        assert verdict("digits", derived, claimed, digits).holds
        assert not len(np.atleast_1d(claimed)) or not verdict("digits", derived, claimed, digits, tamper=True).holds
    off = verdict("digits", third, 0.333333, 8)
    assert not off.holds and off.figure == "5 digits, 8 claimed"
    assert not verdict("digits", [1.0, 2.0], [1.0, 2.1], 3).holds
    for numbers in ([1.0, math.nan], [math.nan, 1.0], [1.0, math.inf]):
        assert (
            not verdict("digits", numbers, [1.0, 1.0], 3).holds and not verdict("digits", [1.0, 1.0], numbers, 3).holds
        )
    with pytest.raises(ss.InputError, match="2 numbers are compared with 1"):
        ss.Proof().digits("it is", [1, 2], [1])


def test_sampled():
    """Within four standard errors, of a sample that sees 5 %; an error of 5 % is caught by every such sample."""
    assert verdict("sampled", 1.003, 0.001, 1).figure == "+3.0 s.e." and verdict("sampled", 1.003, 0.001, 1).holds
    assert not verdict("sampled", 1.005, 0.001, 1).holds
    assert not verdict("sampled", 0.995, 0.001, 1).holds
    small = verdict("sampled", 1.0, 0.01, 1)
    assert not small.holds and small.figure.endswith("the sample is too small to see 5 %")
    for deviation in (-4, -1, 0, 2, 4):
        for claimed in (1, -1):
            held, error = claimed + deviation * 0.006, 0.006
            assert verdict("sampled", held, error, claimed).holds or abs(deviation) == 4
            assert not verdict("sampled", held, error, claimed, tamper=True).holds
    for estimate, error in ((math.nan, 0.1), (1.0, 0.0), (math.inf, 0.1), (1.0, math.nan)):
        with pytest.raises(ss.InputError, match="draw a larger sample"):
            ss.Proof().sampled("it is", estimate, error, 1)


def test_numeric():
    """A check is asked about the claim as it is, and under planted errors about one that is 2.5 % off."""
    asked = []
    assert verdict("numeric", lambda off: not asked.append(off)).figure == "checked"
    assert verdict("numeric", lambda off: not asked.append(off), "3 of 3", tamper=True).figure == "3 of 3"
    assert asked == [0.0, 0.025]
    assert not verdict("numeric", lambda off: np.False_).holds


# A proof


def test_a_proof_holds_when_every_claim_does_and_there_is_one():
    """It reports each verdict as it comes, and remembers before which claim a sentence stood."""
    reported = []
    proof = ss.Proof(report=reported.append)
    assert not proof.good
    proof.text("First.")
    proof.exact("a is", a, a)
    proof.text("Then.")
    proof.exact("and b, too", b, b)
    assert proof.good and reported == proof.verdicts and proof.texts == [(0, "First."), (1, "Then.")]
    assert [v.number for v in proof.verdicts] == [1, 2]
    assert str(proof.verdicts[0]) == "(1) a is: a  [exact identity: identical; holds]"
    assert str(proof.verdicts[1]) == "(2) and b, too  [exact identity: identical; holds]"
    proof.exact("a is", a, b)
    assert not proof.good and str(reported[-1]) == "(3) a is: a  [exact identity: derived a, not b; FAILS]"


def test_long_results_are_shortened():
    total = sp.Add(*sp.symbols("x_:60"))
    failed = verdict("exact", total, a)
    assert " ... " in failed.figure and len(failed.figure) < 180 and failed.result == ""


# How traces and sums of matrices are compared

SAME = [
    (Trace(P * M), Trace(W.T * W * Sigma * W.T * W * A_0)),
    (Trace(P * P * M), Trace((M * P * P).T)),
    (Trace(P**3), Trace(P * P * P)),
    (Trace((P + 2 * M) ** 2), Trace(P * P) + 4 * Trace(P * M) + 4 * Trace(M * M)),
    (Trace(W * W.T), Trace(W.T * W)),
    (Trace(W * (Sigma - A_0) * W.T), Trace(P) - Trace(M)),
    (Trace(HadamardProduct(P, M)), Trace(HadamardProduct(M, P))),
    (Trace(HadamardProduct(P + M, 2 * P)), 2 * Trace(HadamardProduct(P, P)) + 2 * Trace(HadamardProduct(M, P))),
    (Trace(v * v.T), Trace(v.T * v)),
    (Trace(v.T * P * v), Trace(P * v * v.T)),
    (Trace(W * mean * mean.T * W.T), Trace(mean.T * W.T * W * mean)),
    (Trace(Identity(ss.d_1)), ss.d_1),
    (Trace(sp.Matrix([[a, 1], [1, b]])), a + b),
]
OTHER = [
    (Trace(P * P), Trace(P) ** 2),
    (Trace(P * M * P * M), Trace(P * P * M * M)),
    (Trace(HadamardProduct(P, M)), Trace(P * M)),
    (Trace(v.T * P * v), Trace(v.T * M * v)),
    (Trace(v * v.T), Trace(v * v.T) ** 2),
    (Trace(W * W.T), Trace(P)),
]


@pytest.mark.parametrize(("one", "two"), SAME, ids=str)
def test_traces_that_are_one(one, two):
    assert verdict("exact", one, two).holds and verdict("exact", a * one - a * two, 0).holds
    assert not verdict("exact", one, two * sp.Rational(41, 40)).holds


@pytest.mark.parametrize(("one", "two"), OTHER, ids=str)
def test_traces_that_are_not(one, two):
    assert not verdict("exact", one, two).holds and not verdict("exact", two, one).holds


@pytest.mark.parametrize("seed", range(40))
def test_words_are_one_exactly_when_their_numbers_are(seed):
    """Two random products of P, M and W W^T, the second often the first turned or read backwards, against random matrices."""
    rng = np.random.default_rng(seed)
    letters = [Sigma, A_0, Identity(ss.d_0)]
    first = rng.integers(0, 3, rng.integers(2, 6))
    turned = np.roll(first[:: rng.choice([-1, 1])], rng.integers(0, 6))
    second = turned if rng.random() < 0.5 else rng.permutation(first)
    one, two = (Trace(sp.MatMul(*[f for k in word for f in (W, letters[k], W.T)])) for word in (first, second))
    weights, roots = rng.standard_normal((3, 4)), rng.standard_normal((2, 4, 4))
    numbers = [weights @ m @ weights.T for m in (*(root @ root.T for root in roots), np.eye(4))]
    x, y = (np.trace(np.linalg.multi_dot([numbers[k] for k in word])) for word in (first, second))
    same = sp.expand(with_word_symbols(one - two)) == 0
    assert same == bool(abs(x - y) <= 1e-9 * abs(x)), f"seed {seed}: {one} and {two}, {x} and {y}"


def test_parts_of_a_sum_of_matrices():
    """Coefficients by part, without those that cancel; letters are symmetric, products keep their order."""
    assert matrix_terms((a + 1) * A_0 - a * A_0.T) == {A_0: 1}
    assert matrix_terms(Sigma * A_0 - (A_0 * Sigma).T) == {}
    assert matrix_terms(Sigma * A_0 - A_0 * Sigma) == {Sigma * A_0: 1, A_0 * Sigma: -1}
    assert matrix_terms(mean * mean.T - (mean * mean.T).T) == {}
