"""X1 and T6: the trained spectrum of closed forms, and what a truncation gets wrong, each beside a wrong one that must fail."""

import numpy as np
import pytest
import sympy as sp
from closed_form_cases import (
    INFONCE,
    MEAN_OF_EXPONENTIALS,
    ONE_SIDED,
    TWO_TEMPERATURES,
    UNIFORMITY,
    assert_equal,
    by_matrices,
    c,
    crops,
    gamma,
    half,
    infonce,
    minimiser,
    summand,
    tau,
    views_and_weights,
)

import symscape as ss
from symscape.spectrum.closed_form.closed_form import closed_form
from symscape.spectrum.closed_form.gaussian import is_positive
from symscape.spectrum.closed_form.minimiser import NoClosedForm, mode_minimiser
from symscape.spectrum.closed_form.truncation import truncation_table
from symscape.spectrum.modes import b_i, p_i, r_i

# X1: the trained spectrum


def test_x1_trained_spectrum_of_infonce():
    """X1: with y = 1/(1 + u), the trained spectrum solves y^2 + y = 2 (1 - r); it exists for 0 < r < 1, diverges at 1."""
    found = minimiser(ss.InfoNCE(tau=tau))

    def assert_solves(p):
        y = 1 / (1 + p / tau)
        assert_equal(y**2 + y, 2 * (1 - r_i))

    assert_solves(found.p)
    assert found.exists == sp.And(r_i > 0, r_i < 1)
    assert (found.diverges_at, found.unique) == (1, True)
    # At r = 1/2, 1 + u is the golden ratio g, and L = u/2 - log(g)/2 - u/(2 g) = 1/(2 g^3) - log(g)/2.
    g = sp.GoldenRatio
    assert_equal(found.value.subs(r_i, half), (1 / (2 * g**3) - sp.log(g) / 2).rewrite(sp.sqrt))
    assert [found.strength(r, tau=2) for r in (-0.1, 0, 1)] == [0, 0, np.inf]
    with pytest.raises(AssertionError):
        assert_solves(found.p * sp.Rational(51, 50))


def test_x1_weight_decay_as_a_pencil():
    """X1: with b an eigenvalue of (B, Sigma), y^2 + y = 2 (1 - tau b); it exists for 0 < tau b < 1, at any gamma."""
    closed = closed_form(ss.InfoNCE(tau=tau) + ss.WeightDecay(gamma), pencil=True)
    assert_equal(summand(closed), (INFONCE + (r_i / tau - b_i) * p_i))
    found = mode_minimiser(closed)

    def assert_solves(p):
        y = 1 / (1 + p / tau)
        assert_equal(y**2 + y, 2 * (1 - tau * b_i))

    assert_solves(found.p)
    assert found.exists == sp.And(b_i > 0, b_i < 1 / tau)
    assert_equal(found.diverges_at, 1 / tau)
    assert "A_0" in closed.assumptions[-1] and "gamma" in closed.assumptions[-1]
    with pytest.raises(AssertionError):
        assert_solves(found.p * sp.Rational(51, 50))


def test_x1_weight_decay_that_does_not_commute_with_sigma():
    """X1: descent over all W, 2 x 3, ends at the spectrum and value of the pencil, B and Sigma not commuting."""
    from scipy.linalg import eigh
    from scipy.optimize import minimize

    _, _, A0, Sigma, _ = views_and_weights(1, 5)
    temperature, decay = 0.5, 0.05
    B = A0 / temperature - decay * np.eye(3)
    assert np.abs(B @ Sigma - Sigma @ B).max() > 0.1
    b = eigh(B, Sigma, eigvals_only=True)[::-1]
    assert (b[:2] > 0).all()

    def loss(flat):
        W = flat.reshape(2, 3)
        return by_matrices(W @ Sigma @ W.T, W @ A0 @ W.T, temperature) + decay * np.sum(W**2)

    starts = np.random.default_rng(1).normal(size=(3, 6)) / 3
    best = min((minimize(loss, start, options={"gtol": 1e-9}) for start in starts), key=lambda found: found.fun)
    W = best.x.reshape(2, 3)
    found = closed_form(ss.InfoNCE(tau=tau) + ss.WeightDecay(gamma), pencil=True).minimum(b=b, d1=2, tau=temperature)

    def assert_minimum(minimum):
        assert minimum.value == pytest.approx(best.fun, rel=1e-8)
        assert minimum.p[:2] == pytest.approx(np.linalg.eigvalsh(W @ Sigma @ W.T)[::-1], rel=1e-4)

    assert_minimum(found)
    # The shortcut that takes W W^T diagonal with the modes of (A_0, Sigma).
    r, U = eigh(A0, Sigma)
    wrong = (r / temperature - decay * np.sum(U**2, axis=0))[::-1]
    with pytest.raises(AssertionError):
        assert_minimum(closed_form(ss.InfoNCE(tau=tau), pencil=True).minimum(b=wrong, d1=2, tau=temperature))


def assert_one_stationary_point(expr, r):
    """Assert that a function of one mode has one stationary point p > 0 at a rational r, tau = 1, by exact root counting."""
    numerator = sp.fraction(sp.cancel(sp.diff(expr, p_i).subs({r_i: r, tau: 1})))[0]
    assert sp.Poly(numerator, p_i).count_roots(sp.Rational(1, 10**9), 10**9) == 1


def test_x1_convex_per_mode():
    """X1: L is strictly convex in each p_i, so each set of kept modes has one stationary spectrum; order 6 has two."""
    exact = summand(closed_form(ss.InfoNCE(tau=tau)))
    u = p_i / tau
    assert_equal(sp.diff(exact, p_i, 2), (1 / (2 * (1 + u) ** 2) + 1 / (1 + u) ** 3) / tau**2)
    assert is_positive(sp.diff(exact, p_i, 2))
    r = sp.Rational(1, 20)
    assert_one_stationary_point(exact, r)
    order_six = sum(sp.diff(exact, p_i, k).subs(p_i, 0) * p_i**k / sp.factorial(k) for k in range(1, 4))
    with pytest.raises(AssertionError):
        assert_one_stationary_point(order_six, r)


@pytest.mark.parametrize(
    "loss", [ss.InfoNCE(tau=tau), ONE_SIDED, UNIFORMITY], ids=["two-sided", "one-sided", "uniformity"]
)
def test_x1_the_minimiser_is_the_numerical_minimum(loss):
    """X1: p as a formula, the numerical minimum over p >= 0, and the sign of L'' agree, mode by mode."""
    closed, found = closed_form(loss), minimiser(loss)
    parameters = {"tau": 0.7} if closed.parameters else {}
    r = [0.95, 0.6, 0.4, 0.2, 0.05]
    minimum = closed.minimum(r=r, **parameters)

    def assert_strengths(factor):
        np.testing.assert_allclose(
            minimum.p, [factor * found.strength(v, **parameters) for v in r], rtol=1e-6, atol=1e-12
        )

    assert_strengths(1)
    kept = [v for v in r if found.strength(v, **parameters)]
    assert all(found.with_numbers(found.second_derivative, v, parameters) > 0 for v in kept)
    values = [float(found.with_numbers(found.value, v, parameters)) for v in kept]
    assert sum(values) == pytest.approx(minimum.value, rel=1e-9)
    with pytest.raises(AssertionError):
        assert_strengths(1.02)


def test_x1_without_radicals():
    """X1: where the slope is a cubic, the equation is a value that solves itself numerically."""
    closed, found = closed_form(TWO_TEMPERATURES), minimiser(TWO_TEMPERATURES)
    assert isinstance(found, NoClosedForm) and "degree 3" in found.reason

    def assert_solves(p):
        assert abs(found.equation.lhs.subs({r_i: sp.Rational(1, 2), tau: 2, p_i: p})) < 1e-9

    p = found.strength(0.5, tau=2)
    assert p == pytest.approx(closed.minimum(r=[0.5], tau=2).p[0], rel=1e-7)
    assert_solves(p)
    with pytest.raises(AssertionError):
        assert_solves(1.02 * p)


# T6: augmentation strength


def test_t6_no_augmentation_strength_collapses_a_mode():
    """T6: all views augmented alike, p > 0 for every 0 < r < 1, proved: r = 1 - y (1 + y)/2 runs through (0, 1) with
    y = 1/(1 + c), c > 0, and there p = tau c and L'' > 0. With A_0 positive definite every r is positive, whatever C is."""
    found = minimiser(ss.InfoNCE(tau=tau))
    y = 1 / (1 + c)
    r = sp.together(1 - y * (1 + y) / 2)
    assert sp.diff(r, c).subs(c, 0) > 0 and is_positive(sp.diff(r, c).subs(c, p_i))
    assert (sp.limit(r, c, 0), sp.limit(r, c, sp.oo)) == (0, 1)

    def at(expr):
        by_c = expr.subs(r_i, r).replace(
            lambda e: e.is_Pow and e.exp == half, lambda e: sp.sqrt(sp.factor(sp.together(e.base)))
        )
        return sp.factor(sp.cancel(by_c))

    def assert_kept(p):
        assert (at(p) - tau * c).equals(0) and at(p).is_positive

    assert_kept(found.p)
    assert at(found.second_derivative).is_positive
    with pytest.raises(AssertionError):
        assert_kept(-found.p)
    rng = np.random.default_rng(2)
    root, noise = rng.normal(size=(2, 4, 4))
    A0, C = root @ root.T, 1e4 * noise @ noise.T
    correlations = np.sort(np.linalg.eigvals(np.linalg.solve(A0 + C, A0)).real)[::-1]
    assert 0 < correlations[-1] < correlations[0] < 1e-1
    assert closed_form(ss.InfoNCE(tau=1)).minimum(r=correlations).surviving == 4


@pytest.mark.parametrize("clean", [(a, p, n) for a in (0, 1) for p in (0, 1) for n in (0, 1) if a + p < 2])
def test_t6_which_view_decides(clean):
    """T6: B = (2 A_0 + E nn^T - E pp^T)/(2 tau) for the positive's and the negatives' second moments: a mode is lost only
    where the positive is augmented and the negatives are not, and then at r < 1/3; the anchor has no part in it."""
    anchor, positive, negative = crops(*map(bool, clean))
    loss = infonce(anchor, positive, negative)
    closed = closed_form(loss)
    letters = {"Sigma": ss.Sigma, "A_0": ss.A_0}

    def assert_B(factor):
        B = (2 * ss.A_0 + letters[negative.moment] - factor * letters[positive.moment]) / (2 * tau)
        gap = (ss.landscape(loss).hessian.B - B).expand()
        numbers = {ss.A_0: sp.ImmutableMatrix(sp.diag(1, 3)), ss.Sigma: sp.ImmutableMatrix(sp.diag(2, 5)), ss.d_0: 2}
        assert sp.simplify(gap.xreplace(numbers).doit().as_explicit()) == sp.zeros(2, 2)

    assert_B(1)
    with pytest.raises(AssertionError):
        assert_B(sp.Rational(51, 50))
    # The same B is the slope of the closed form at p = 0.
    of = {"Sigma": sp.S.One, "A_0": r_i}
    slope = -(2 * r_i + of[negative.moment] - of[positive.moment]) / (2 * tau)
    assert_equal(sp.diff(summand(closed), p_i).subs(p_i, 0), slope)
    lost = positive.moment == "Sigma" and negative.moment == "A_0"
    assert closed.minimum(r=[0.3, 0.1], tau=1).surviving == (0 if lost else 2)
    assert closed.minimum(r=[0.36], tau=1).surviving == 1


def test_t6_one_sided_augmentation():
    """T6: only the positive augmented, B = (3 A_0 - Sigma)/(2 tau): the mode lives for 1/3 < r < 1, where
    y = 1/(1 + r u) solves y^2 + y = (1 - r)/r, and is lost below."""
    found = minimiser(ONE_SIDED)

    def assert_solves(p, r):
        y = 1 / (1 + r * p / tau)
        assert_equal((y**2 + y).subs(r_i, r), (1 - r) / r)

    assert found.exists == sp.And(r_i > sp.Rational(1, 3), r_i < 1)
    assert (found.diverges_at, found.unique) == (1, True)
    for r in (sp.Rational(2, 5), sp.Rational(3, 4), sp.Rational(9, 10)):
        assert_solves(found.p.subs(r_i, r), r)
        with pytest.raises(AssertionError):
            assert_solves(found.p.subs(r_i, r) * sp.Rational(51, 50), r)
    assert [found.strength(r, tau=1) for r in (0.2, 1 / 3, 1)] == [0, 0, np.inf]
    assert found.strength(0.34, tau=1) > 0


# What the truncation gets wrong


def test_truncation_error_per_mode():
    """X1: order 4 gives p = 2 r tau/3, short by 46 % at r = 1/2; order 6 has no minimum from r = 0.06 on; order 8 has."""
    r = [0.01, 0.05, 0.5]
    four, six, eight = (truncation_table(ss.InfoNCE(tau=tau), r, order=order, tau=0.5) for order in (4, 6, 8))

    def assert_order_four(p):
        np.testing.assert_allclose(p, np.array(r) / 3, rtol=1e-12)

    assert_order_four(four.p_truncated)
    golden = (1 + np.sqrt(5)) / 2  # y^2 + y = 1 at r = 1/2
    assert four.p_exact[2] == pytest.approx(0.5 * (golden - 1), rel=1e-12)
    assert four.relative_error[2] == pytest.approx((1 / 6) / (0.5 * (golden - 1)) - 1, rel=1e-12)
    assert four.bounded.all() and eight.bounded.all() and not six.bounded.any()
    assert np.isnan(six.p_truncated).tolist() == [False, False, True] and "nan" in str(six)
    assert (np.abs(eight.relative_error) < np.abs(four.relative_error)).all()
    with pytest.raises(AssertionError):
        assert_order_four(four.p_exact)


def test_truncation_of_an_exact_landscape_is_none():
    """X1: InfoNCE of dot products ends at order 4, so that truncation there gets nothing wrong."""

    def assert_no_error(loss):
        table = truncation_table(loss, [0.9, 0.2], order=4, tau=0.5)
        np.testing.assert_allclose(table.relative_error, 0, atol=1e-12)
        np.testing.assert_allclose(table.value_truncated, table.value_exact, rtol=1e-12)

    assert_no_error(ss.InfoNCE(tau=tau, similarity="dot"))
    with pytest.raises(AssertionError):
        assert_no_error(ss.InfoNCE(tau=tau))


def test_truncation_of_a_landscape_that_couples_its_modes():
    """X1: modes that are coupled are minimised together; the row of a mode then holds the value of all."""
    table = truncation_table(MEAN_OF_EXPONENTIALS, [0.9, 0.8], order=4, t=1)
    found = closed_form(MEAN_OF_EXPONENTIALS).minimum(r=[0.9, 0.8], t=1)
    np.testing.assert_allclose(table.p_exact, found.p)
    assert (table.value_exact == found.value).all() and (table.p_truncated > 0).all()
