"""What the loss language promises about scope, copies, constants and names."""

from math import exp, log, tanh

import numpy as np
import pytest
import sympy as sp
from user_language import (
    A,
    B,
    T,
    Tr,
    a,
    assert_same_as_sympy,
    b,
    chi,
    function,
    i,
    j,
    landscape,
    moments,
    softplus,
    t,
    x,
    xp,
)

import symscape as ss
from symscape import E, dot, sqnorm, total

SIGLIP = E(softplus(-t * dot(x, xp) - b)) + E(softplus(t * dot(x, chi) + b))


def copies_by_hand(seed: int = 1):
    """Return (W, moments, P) for the tests below."""
    W, given = moments(seed)
    return W, given, W @ given["Sigma"] @ W.T


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    "other, by_hand",
    [
        (E(sqnorm(chi)), lambda P: Tr(P)),
        (E(dot(x, chi) ** 2), lambda P: Tr(P, P)),
        (sp.log(E(1 / (1 + sqnorm(chi)))), lambda P: -Tr(P) + 2 * Tr(P, P) + Tr(P) ** 2 / 2),
    ],
    ids=("norm", "square", "log"),
)
def test_a_bound_view_may_have_the_name_of_a_summed_one(other, by_hand, sign):
    """E sum_{j=1..3} e_j^2 plus a loss in which chi is bound, too: two variables, in whatever order they are read."""
    W, given, P = copies_by_hand()
    copies = E(total(dot(x, chi) ** 2, over=chi, n=3))
    assert np.isclose(function(other + sign * copies)(W, **given), by_hand(P) + sign * 3 * Tr(P, P))


def test_losses_with_different_numbers_of_negatives_add():
    """Landscapes are linear: InfoNCE(n=2) + InfoNCE(n=3) has the sum of the two landscapes."""
    W, given, _ = copies_by_hand()
    one, other = ss.InfoNCE(n=2), ss.InfoNCE(n=3)
    assert np.isclose(function((one + other).expr)(W, **given), sum(function(s.expr)(W, **given) for s in (one, other)))


def test_the_sum_of_all_entries_has_a_sympy_form():
    """sum_ij M_ij is the quadratic form of M with the vector of ones."""
    land = landscape(ss.output_sum(ss.M(i, j), i, j))
    W, given = moments(seed=3, d1=2)
    assert np.isclose(land.numpy()(W, **given), np.sum(W @ given["A0"] @ W.T))
    assert_same_as_sympy(land, land.expr)


def test_a_quadratic_part_that_is_no_trace_has_no_matrix_B():
    """T3: sum_ij M_ij joins the outputs, so that it is not -Tr(W B W^T) for any B: the Hessian says so."""
    with pytest.raises(ss.InputError, match="W B W"):
        _ = landscape(ss.output_sum(ss.M(i, j), i, j)).hessian


@pytest.mark.parametrize(
    "inside, value",
    [(1 - a**2, 1 - A**2), ((1 - a) * (1 - b), (1 - A) * (1 - B)), ((b - 1) * (b - 2), (B - 1) * (B - 2))],
    ids=("difference-of-squares", "two-parameters", "one-parameter"),
)
def test_the_logarithm_and_root_of_a_positive_constant_are_real(inside, value):
    """E log(g + e) = log g - Tr P^2 / (2 g^2) and E sqrt(g + e) = sqrt(g) - Tr P^2 / (8 g^{3/2}) for g > 0 of any form."""
    W, given, P = copies_by_hand()
    found = function(E(sp.log(inside + dot(x, chi))))(W, **given)
    assert np.isclose(found, log(value) - Tr(P, P) / (2 * value**2))
    found = function(E(sp.sqrt(inside + dot(x, chi))))(W, **given)
    assert np.isclose(found, value**0.5 - Tr(P, P) / (8 * value**1.5))


Z = 1 / B
SHARE = exp(1) / (2 + exp(1))
H, S = exp(B), exp(exp(B)) / (2 + exp(exp(B)))


@pytest.mark.parametrize(
    "function_of_e, value, curvature",
    [
        (lambda e: sp.tanh(a + 3 * e), tanh(A), -18 * tanh(A) * (1 - tanh(A) ** 2)),
        (lambda e: sp.tanh(a + e**2), tanh(A), 2 * (1 - tanh(A) ** 2)),
        (lambda e: sp.tanh(a + sp.cos(e)), tanh(A + 1), -(1 - tanh(A + 1) ** 2)),
        (lambda e: sp.log(2 + sp.exp(sp.exp(e))), log(2 + exp(1)), 2 * SHARE - SHARE**2),
        (lambda e: sp.log(2 + sp.exp(sp.exp(b + e))), log(2 + exp(H)), H * S * (1 + H) - (H * S) ** 2),
        (lambda e: sp.sqrt(1 + 1 / (b + e)), (1 + Z) ** 0.5, Z**3 / (1 + Z) ** 0.5 - Z**4 / (4 * (1 + Z) ** 1.5)),
    ],
    ids=(
        "tanh-linear",
        "tanh-square",
        "tanh-cosine",
        "exponential-tower",
        "tower-with-a-parameter",
        "root-of-a-quotient",
    ),
)
def test_functions_of_functions(function_of_e, value, curvature):
    """E h(e) = h(0) + h''(0) Tr P^2 / 2 + ... for any analytic h."""
    W, given, P = copies_by_hand()
    found = function(E(function_of_e(dot(x, chi))))(W, **given)
    assert np.isclose(found, value + curvature * Tr(P, P) / 2, rtol=1e-12)


def test_text_latex_and_expression_have_the_same_constant():
    """The constant of SigLIP, log(1 + e^-b) + log(1 + e^b), is a sum: its text keeps the sign of every term."""
    land = landscape(SIGLIP).part(0)
    assert sp.simplify(sp.sympify(str(land).split(" + O(")[0], {"b": b}) - land.expr) == 0


@pytest.mark.parametrize("name", ["mean", "m_1"])
def test_the_names_of_means_are_taken(name):
    """A view may not be called as a mean vector is: words are told apart by the names of their ends."""
    with pytest.raises(ss.InputError, match="taken by a mean"):
        ss.View(name)


def test_symbols_of_one_name_take_one_value():
    """t with and without an assumption is one parameter to whoever evaluates: `symbolic()` makes positive symbols."""
    W, given, P = copies_by_hand()
    f = landscape(t * E(sqnorm(x)) + sp.Symbol("t") * E(dot(x, chi) ** 2)).numpy()
    assert np.isclose(f(W, t=T, **given), T * (Tr(P) + Tr(P, P)))


@pytest.mark.parametrize("small", [1e-9, 1e-14])
def test_roots_in_denominators_keep_their_precision(small):
    """1 / (1 + sqrt(1 + a)) is 1/2 - a/8 + ...: not compiled as (sqrt(1 + a) - 1) / a, which loses every digit."""
    scalar = sp.Symbol("a", positive=True)
    W, given, P = copies_by_hand()
    f = landscape(E(sqnorm(x)) / (1 + sp.sqrt(1 + scalar))).numpy()
    assert np.isclose(f(W, a=small, **given), Tr(P) * (0.5 - small / 8), rtol=1e-12)


def test_a_removable_singularity_is_none():
    """sinc is analytic at 0: sin(e) / e = 1 - e^2 / 6 + ...."""
    W, given, P = copies_by_hand()
    assert np.isclose(function(E(sp.sinc(dot(x, chi))))(W, **given), 1 - Tr(P, P) / 6)


@pytest.mark.parametrize("constant", [sp.zeta(3), sp.LambertW(1), sp.besseli(0, 1)], ids=str)
def test_special_constants_are_evaluated(constant):
    """A coefficient that Python's math module does not know is a number all the same."""
    W, given, P = copies_by_hand()
    assert np.isclose(function(constant * E(sqnorm(x)))(W, **given), float(constant) * Tr(P))
