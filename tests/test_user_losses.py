"""X7: losses that no file knows, written in the loss language, go through with no new code.

Every case is a function: its docstring is the derivation by hand, what it returns is the loss and the values that the
derivation gives for each degree in W. Notation: u = f(x), v = f(x'), w = f(x3) are views of one datum, c = f(chi) of
another; d = u.v, e = u.c; P = E u u^T and M = E u v^T. By Isserlis, with Q = (Tr M)^2 + Tr M^2 + Tr P^2,

    E d = Tr M,   E d^2 = Q,   E e^2 = Tr P^2,   E |u|^4 = (Tr P)^2 + 2 Tr P^2,   E d |u|^2 = Tr M Tr P + 2 Tr MP.

Two expansions serve most cases. With s = 1 / (1 + e^-m), softplus(m + y) = log(1 + e^m) + s y + s (1 - s) y^2 / 2 + ...;
and log sum_{j=1..k} e^{y_j} = log k + mean(y) + (mean(y^2) - mean(y)^2) / 2 + ....
"""

from collections.abc import Callable
from math import exp, log, tanh
from typing import NamedTuple

import numpy as np
import pytest
import sympy as sp
from differences import assert_gradient
from user_language import (
    EPS,
    MARGIN,
    TAU,
    VALUES,
    A,
    B,
    N,
    T,
    Tr,
    a,
    assert_same_as_sympy,
    b,
    chi,
    eps,
    function,
    i,
    j,
    k,
    landscape,
    m,
    moments,
    n,
    softplus,
    t,
    tau,
    x,
    xp,
)

import symscape as ss
from symscape import E, dot, sqdist, sqnorm, total


class Case(NamedTuple):
    """A loss, and its landscape by hand: degree in W -> value at the moments P and M."""

    expr: sp.Expr
    by_hand: dict[int, Callable]
    rotates: bool = True


def sigmoid(y):
    return 1 / (1 + exp(-y))


def Q(P, M):
    return Tr(M) ** 2 + Tr(M, M) + Tr(P, P)


# Contrastive losses


def alignment_and_uniformity():
    """E |u-v|^2 + log E e^{-t |u-c|^2}.

    log E e^{-tY} = -t E Y + t^2 Var Y / 2 + ..., and u - c is Gaussian with covariance 2 P, so that E Y = 2 Tr P and
    Var Y = 2 Tr (2P)^2 = 8 Tr P^2.
    """
    by_hand = {
        0: lambda P, M: 0,
        2: lambda P, M: 2 * Tr(P) - 2 * Tr(M) - 2 * T * Tr(P),
        4: lambda P, M: 4 * T**2 * Tr(P, P),
    }
    return Case(E(sqdist(x, xp)) + sp.log(E(sp.exp(-t * sqdist(x, chi)))), by_hand)


def siglip():
    """E softplus(-t d - b) + E softplus(t e + b).

    Around -b the slope of softplus is 1 - s with s = sigmoid(b), the curvature s (1 - s) at both.
    """
    s = sigmoid(B)
    by_hand = {
        0: lambda P, M: log(1 + exp(-B)) + log(1 + exp(B)),
        2: lambda P, M: -T * (1 - s) * Tr(M),
        4: lambda P, M: T**2 * s * (1 - s) / 2 * (Q(P, M) + Tr(P, P)),
    }
    return Case(E(softplus(-t * dot(x, xp) - b)) + E(softplus(t * dot(x, chi) + b)), by_hand)


def decoupled_contrastive():
    """-E d / tau + E log sum_{j=1..n} e^{e_j / tau}: the positive is not in the denominator.

    E mean(y^2) = Tr P^2 / tau^2, and E mean(y)^2 = Tr P^2 / (n tau^2), as different negatives are uncorrelated.
    """
    by_hand = {
        0: lambda P, M: log(N),
        2: lambda P, M: -Tr(M) / TAU,
        4: lambda P, M: (N - 1) / (2 * N * TAU**2) * Tr(P, P),
    }
    return Case(E(-dot(x, xp) / tau + sp.log(total(sp.exp(dot(x, chi) / tau), over=chi, n=n))), by_hand)


def square_of_distance_gap(P, M):
    """E y^2 for y = |u-v|^2 - |u-c|^2 = (|v|^2 - |c|^2) + 2 u.(c - v).

    The square of the first bracket is 2 Var |v|^2 = 4 Tr P^2; the cross term 4 E(|v|^2 - |c|^2)(u.c - u.v) is
    4 (-(Tr P Tr M + 2 Tr PM) + Tr P Tr M); the last term is 4 (E e^2 + E d^2).
    """
    return 4 * Tr(P, P) - 8 * Tr(P, M) + 4 * Tr(P, P) + 4 * Q(P, M)


def smooth_triplet():
    """E softplus(m + |u-v|^2 - |u-c|^2): E y = 2 Tr (P - M) - 2 Tr P."""
    s = sigmoid(MARGIN)
    by_hand = {
        0: lambda P, M: log(1 + exp(MARGIN)),
        2: lambda P, M: -2 * s * Tr(M),
        4: lambda P, M: s * (1 - s) / 2 * square_of_distance_gap(P, M),
    }
    return Case(E(softplus(m + sqdist(x, xp) - sqdist(x, chi))), by_hand)


def many_triplets():
    """E log(1 + sum_{j=1..n} e^{y_j}), y_j the distance gap to negative j: the logits are 0, y_1, ..., y_n.

    For j != k, E y_j y_k = E(|v|^2 - |c_j|^2)(|v|^2 - |c_k|^2) + two cross terms -4 Tr PM + 4 E d^2, which is
    2 Tr P^2 - 8 Tr PM + 4 Q.
    """

    def quartic(P, M):
        same, different = square_of_distance_gap(P, M), 2 * Tr(P, P) - 8 * Tr(P, M) + 4 * Q(P, M)
        return (N * same / (N + 1) - (N * same + N * (N - 1) * different) / (N + 1) ** 2) / 2

    by_hand = {0: lambda P, M: log(N + 1), 2: lambda P, M: -2 * N / (N + 1) * Tr(M), 4: quartic}
    gap = sqdist(x, xp) - sqdist(x, chi)
    return Case(E(sp.log(1 + total(sp.exp(gap), over=chi, n=n))), by_hand)


def two_negatives():
    """E log(1 + e^{u.(c-v)} + e^{u.(c2-v)}) with two negatives by name.

    E y_j^2 = Tr P^2 + Q and E y_1 y_2 = Q: half of 2 (Tr P^2 + Q) / 3 - (2 Tr P^2 + 4 Q) / 9.
    """
    chi2 = ss.View("chi2")
    by_hand = {
        0: lambda P, M: log(3),
        2: lambda P, M: -2 / 3 * Tr(M),
        4: lambda P, M: 2 / 9 * Tr(P, P) + 1 / 9 * Q(P, M),
    }
    gaps = (dot(x, negative) - dot(x, xp) for negative in (chi, chi2))
    return Case(E(sp.log(1 + sum(sp.exp(gap) for gap in gaps))), by_hand)


# Other functions


def hyperbolic_tangent():
    """-E tanh(a + d) + E tanh(e)^2: tanh(a + d) = T + (1 - T^2)(d - T d^2) + ... with T = tanh a."""
    h = tanh(A)
    by_hand = {
        0: lambda P, M: -h,
        2: lambda P, M: -(1 - h**2) * Tr(M),
        4: lambda P, M: h * (1 - h**2) * Q(P, M) + Tr(P, P),
    }
    return Case(E(-sp.tanh(a + dot(x, xp))) + E(sp.tanh(dot(x, chi)) ** 2), by_hand)


def quotient_of_expectations():
    """-E d / (epsilon + E |u|^2): the quotient of two numbers."""
    by_hand = {
        0: lambda P, M: 0,
        2: lambda P, M: -Tr(M) / EPS,
        4: lambda P, M: Tr(M) * Tr(P) / EPS**2,
    }
    return Case(-E(dot(x, xp)) / (eps + E(sqnorm(x))), by_hand)


def expectation_of_a_quotient():
    """-E[d / (epsilon + |u|^2)]: now d and |u|^2 are correlated."""
    by_hand = {
        0: lambda P, M: 0,
        2: lambda P, M: -Tr(M) / EPS,
        4: lambda P, M: (Tr(M) * Tr(P) + 2 * Tr(M, P)) / EPS**2,
    }
    return Case(-E(dot(x, xp) / (eps + sqnorm(x))), by_hand)


def root_of_an_expectation():
    """sqrt(epsilon + E |u-v|^2) - log(epsilon + log(1 + E e^2)): functions of expectations, nested.

    sqrt(epsilon + z) = sqrt(epsilon) + z / (2 sqrt(epsilon)) - z^2 / (8 epsilon^{3/2}), z = 2 Tr (P - M).
    """
    by_hand = {
        0: lambda P, M: EPS**0.5 - log(EPS),
        2: lambda P, M: Tr(P - M) / EPS**0.5,
        4: lambda P, M: -(Tr(P - M) ** 2) / (2 * EPS**1.5) - Tr(P, P) / EPS,
    }
    return Case(sp.sqrt(eps + E(sqdist(x, xp))) - sp.log(eps + sp.log(1 + E(dot(x, chi) ** 2))), by_hand)


def symbolic_power():
    """E (epsilon + d)^-a = epsilon^-a (1 - a d / epsilon + a (a + 1) d^2 / (2 epsilon^2) + ...)."""
    scale = EPS**-A
    by_hand = {
        0: lambda P, M: scale,
        2: lambda P, M: -scale * A / EPS * Tr(M),
        4: lambda P, M: scale * A * (A + 1) / (2 * EPS**2) * Q(P, M),
    }
    return Case(E((eps + dot(x, xp)) ** (-a)), by_hand)


def divergence_of_the_softmax():
    """E_x of KL(p_x || uniform) for the softmax p_x ~ e^e over negatives: E_c[e^e e] / E_c[e^e] - log E_c[e^e].

    With E_c e^e = e^{q/2}, q = u^T P u, the first is d/dt of log E_c e^{te} at t = 1, which is q: what is left is q / 2.
    """
    weight = E(sp.exp(dot(x, chi)), over=chi)
    expr = E(E(sp.exp(dot(x, chi)) * dot(x, chi), over=chi) / weight - sp.log(weight))
    return Case(expr, {0: lambda P, M: 0, 2: lambda P, M: 0, 4: lambda P, M: Tr(P, P) / 2})


# More views


def three_crops():
    """E log(1 + e^-{u.v} + e^-{u.w}) with a third crop: E (u.v)(u.w) = (Tr M)^2 + Tr PM + Tr M^2 =: R.

    The quartic part is half of 2 Q / 3 - (2 Q + 2 R) / 9.
    """
    x3 = ss.View("x3", of=x)

    def quartic(P, M):
        R = Tr(M) ** 2 + Tr(P, M) + Tr(M, M)
        return 2 / 9 * Q(P, M) - R / 9

    by_hand = {0: lambda P, M: log(3), 2: lambda P, M: -2 / 3 * Tr(M), 4: quartic}
    return Case(E(sp.log(1 + sp.exp(-dot(x, xp)) + sp.exp(-dot(x, x3)))), by_hand)


def clean_anchor():
    """E |s-u|^2 / 2 + E_s log E_c e^{-|s-c|^2 / 2} with s = f of the datum itself: E s s^T = E s u^T = M.

    E |s-u|^2 = Tr P - Tr M, and E_c e^{s.c - |c|^2/2} = det(1+P)^{-1/2} e^{s^T P (1+P)^{-1} s / 2}, so that the log is
    -|s|^2/2 - Tr P / 2 + Tr P^2 / 4 + s^T P s / 2 + ....
    """
    s = ss.View("s", of=x, moment="A_0")
    by_hand = {
        0: lambda P, M: 0,
        2: lambda P, M: -Tr(M),
        4: lambda P, M: Tr(P, P) / 4 + Tr(M, P) / 2,
    }
    return Case(E(sqdist(s, x)) / 2 + E(sp.log(E(sp.exp(-sqdist(s, chi) / 2), over=chi))), by_hand)


# Outputs counted apart


def entries_of_moments():
    """-sum_i log(epsilon + P_ii) + sum_{i != j} P_ij M_ij: the second is Tr PM less its diagonal."""
    by_hand = {
        0: lambda P, M: -len(P) * log(EPS),
        2: lambda P, M: -Tr(P) / EPS,
        4: lambda P, M: np.sum(np.diag(P) ** 2) / (2 * EPS**2) + Tr(P, M) - np.diag(P) @ np.diag(M),
    }
    expr = -ss.output_sum(sp.log(eps + ss.P(i, i)), i) + ss.output_sum(ss.P(i, j) * ss.M(i, j), i, j, distinct=True)
    return Case(expr, by_hand, rotates=False)


def normalised_entries():
    """-sum_i M_ii / (epsilon + P_ii) + sum_{i != j != k} P_ij P_jk: all triples, less those where two indices agree."""

    def quartic(P, M):
        D = np.diag(P)
        triples = np.sum(P @ P) - 2 * np.sum(D[:, None] * P) - Tr(P, P) + 2 * D @ D
        return np.diag(M) @ D / EPS**2 + triples

    by_hand = {0: lambda P, M: 0, 2: lambda P, M: -Tr(M) / EPS, 4: quartic}
    ratio = -ss.output_sum(ss.M(i, i) / (eps + ss.P(i, i)), i)
    return Case(ratio + ss.output_sum(ss.P(i, j) * ss.P(j, k), i, j, k, distinct=True), by_hand, rotates=False)


CASES = (
    alignment_and_uniformity,
    siglip,
    decoupled_contrastive,
    smooth_triplet,
    many_triplets,
    two_negatives,
    hyperbolic_tangent,
    quotient_of_expectations,
    expectation_of_a_quotient,
    root_of_an_expectation,
    symbolic_power,
    divergence_of_the_softmax,
    three_crops,
    clean_anchor,
    entries_of_moments,
    normalised_entries,
)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)


# Data, and what is checked


def assert_parts(expr: sp.Expr, by_hand: dict[int, Callable]) -> None:
    """Assert that the homogeneous parts of a landscape have the values derived by hand, and that no others exist."""
    land = landscape(expr)
    W, given = moments(seed=1)
    P, M = W @ given["Sigma"] @ W.T, W @ given["A0"] @ W.T
    for degree in range(5):
        expected = by_hand.get(degree, lambda P, M: 0)(P, M)
        found = land.part(degree).numpy()(W, params=VALUES, **given)
        assert abs(found - expected) <= 1e-12 * max(1, abs(expected)), f"degree {degree}: {found} for {expected}"


def assert_invariant(f: Callable, change: Callable) -> None:
    """Assert that f does not change under W -> change(W)."""
    W, given = moments(seed=2)
    value = f(W, **given)
    assert abs(f(change(W), **given) - value) <= 1e-12 * max(1, abs(value))


def assert_latex(text: str) -> None:
    """Assert that LaTeX is there, its braces and brackets paired, with nothing of SymPy's own notation in it."""
    assert text.strip()
    depth = 0
    for character in text.replace(r"\{", "").replace(r"\}", ""):
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0, text
    assert depth == 0, text
    assert text.count(r"\left") == text.count(r"\right"), text
    assert not any(wrong in text for wrong in ("Trace", "Hadamard", "MatMul", "None", "+ -", "**")), text


# X7: the losses


@every_case
def test_the_landscape_is_the_one_derived_by_hand(case):
    """X7: every coefficient of a new loss is the one of the derivation in its docstring."""
    assert_parts(*case()[:2])


@every_case
@pytest.mark.parametrize("degree", [2, 4])
def test_a_coefficient_two_percent_off_is_caught(case, degree):
    """The comparison sees each part to 2 %."""
    expr, by_hand, _ = case()
    planted = {**by_hand, degree: lambda P, M: 1.02 * by_hand[degree](P, M) + 1e-3 * Tr(P)}
    with pytest.raises(AssertionError):
        assert_parts(expr, planted)


@every_case
def test_inner_products_rotate_and_entries_do_not(case):
    """T2: a loss of inner products does not change under W -> O W; one that counts outputs apart does."""
    expr, _, rotates = case()
    O = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    if rotates:
        assert_invariant(function(expr), lambda W: O @ W)
    else:
        with pytest.raises(AssertionError):
            assert_invariant(function(expr), lambda W: O @ W)


@pytest.mark.parametrize(
    "expr, rotates",
    [(case().expr, case().rotates) for case in CASES]
    + [
        (ss.output_sum(ss.P(i, j) * ss.P(j, k) * ss.P(i, k), i, j, k), True),
        (ss.output_sum(ss.P(i, j) * ss.P(j, k) * ss.P(i, k), i, j, k, distinct=True), False),
    ],
    ids=[case.__name__ for case in CASES] + ["triples", "distinct-triples"],
)
def test_the_facts_say_whether_a_loss_rotates(expr, rotates):
    """T2: `facts` finds the symmetry from the expression; three distinct outputs need a third one to be seen."""
    assert ss.facts(ss.Loss(expr)).rotation_invariant == rotates


@every_case
def test_the_sign_of_W_does_not_matter(case):
    """T2: W -> -W leaves every landscape as it is; W -> 2 W does not."""
    f = function(case().expr)
    assert_invariant(f, lambda W: -W)
    with pytest.raises(AssertionError):
        assert_invariant(f, lambda W: 2 * W)


@every_case
def test_the_gradient_is_that_of_the_value(case):
    """Value and gradient of the NumPy function belong together, for one W and for a batch."""
    W, given = moments(seed=4, d1=2)
    f = landscape(case().expr).numpy()
    value, gradient = f.value_and_gradient(W, params=VALUES, **given)
    assert_gradient(lambda V: f(V, params=VALUES, **given), gradient, W)
    with pytest.raises(AssertionError):
        assert_gradient(lambda V: f(V, params=VALUES, **given), 1.02 * gradient, W)
    batch = f.value_and_gradient(np.stack([W, -2 * W]), params=VALUES, **given)
    assert np.allclose(batch[0][0], value) and np.allclose(batch[1][0], gradient)


@every_case
def test_sympy_expression_and_numpy_function_agree(case):
    """`land.expr` with matrices put in is `land.numpy()` of these matrices."""
    land = landscape(case().expr)
    assert_same_as_sympy(land, land.expr)
    with pytest.raises(AssertionError):
        assert_same_as_sympy(land, land.expr + sp.Trace(ss.W * ss.Sigma * ss.W.T) / 50)


@every_case
def test_the_latex_is_well_formed(case):
    """Loss, landscape in both notations, and derivation are typeset."""
    land = landscape(case().expr)
    for text in (land.loss.latex(), land.latex(), land.latex("PM"), land.steps.latex()):
        assert_latex(text)
    for planted in (land.latex() + "}", r"\left( x", "x + -y", ""):
        with pytest.raises(AssertionError):
            assert_latex(planted)


@every_case
def test_losses_are_linear(case):
    """Two losses with weights have the landscape of the weighted sum."""
    expr, other = case().expr, E(dot(x, chi) ** 2)
    both = function((2 * ss.Loss(expr) - ss.Loss(other)).expr)
    W, given = moments(seed=6)
    assert np.isclose(both(W, **given), 2 * function(expr)(W, **given) - function(other)(W, **given), rtol=1e-12)


def test_two_named_negatives_are_infonce_with_two():
    """`two_negatives` is InfoNCE with dot products at n = 2, less the logit's constant log 3."""
    assert landscape(two_negatives().expr - sp.log(3)) == ss.landscape(ss.InfoNCE(n=2, similarity="dot"))
    assert landscape(two_negatives().expr) != ss.landscape(ss.InfoNCE(n=3, similarity="dot"))


@pytest.mark.parametrize(
    "expr, form",
    [
        (sp.log(E(sp.exp(-t * sqdist(x, chi)))), lambda P, M: -4 * T * P),
        (sp.log(E(sp.exp(dot(x, xp)))), lambda P, M: np.block([[M, P], [P, M]])),
        (sp.log(E(sp.cosh(dot(x, chi)))), lambda P, M: np.block([[0 * P, P], [P, 0 * P]])),
    ],
    ids=("uniformity", "positives", "cosh"),
)
def test_exponentials_of_quadratic_forms_at_order_eight(expr, form):
    """log E e^q = -log det(1 - X) / 2 with X = 2 (covariance)(form): its part of degree 2k is Tr X^k / (2k)."""
    land = landscape(expr, order=8)
    W, given = moments(seed=1)
    X = form(W @ given["Sigma"] @ W.T, W @ given["A0"] @ W.T)
    for power in range(1, 5):
        found = land.part(2 * power).numpy()(W, params=VALUES, **given)
        assert np.isclose(found, np.trace(np.linalg.matrix_power(X, power)) / (2 * power), rtol=1e-12, atol=1e-12)
