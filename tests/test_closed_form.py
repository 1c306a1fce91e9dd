"""X1 and T6: landscapes of Gaussian views without truncation, and the trained spectrum, each beside a wrong one that must fail.

Notation. u = p / tau. Euclidean InfoNCE at n = oo, by hand: log E_chi e^{-|x - chi|^2 / 2 tau} is, per mode,
-log(1 + u) / 2 - x^2 / (2 (tau + p)), whose mean over x is -log(1 + u) / 2 - p / (2 (tau + p)); alignment adds (1 - r) u.
"""

from functools import lru_cache

import numpy as np
import pytest
import sympy as sp
from population import gauss_hermite, gaussian_integral, infonce_at, mp

import symscape as ss
from symscape import E, View, dot, sqdist
from symscape.spectrum.closed_form.closed_form import closed_form
from symscape.spectrum.closed_form.gaussian import is_positive
from symscape.spectrum.closed_form.minimiser import NoClosedForm, mode_minimiser
from symscape.spectrum.closed_form.truncation import truncation_table
from symscape.spectrum.modes import b_i, p_i, r_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape

x, xp, chi = ss.anchor, ss.positive, ss.negative
tau, t, gamma = sp.symbols("tau t gamma", positive=True)
c = sp.Symbol("c", positive=True)
half = sp.Rational(1, 2)

INFONCE = (1 - r_i) * p_i / tau - half * sp.log(1 + p_i / tau) - p_i / (2 * (tau + p_i))


def infonce(anchor, positive, negative):
    """Euclidean InfoNCE, n = oo, for any three views."""
    spread = sp.log(E(sp.exp(-sqdist(anchor, negative) / (2 * tau)), over=negative))
    return ss.Loss(E(sqdist(anchor, positive)) / (2 * tau) + E(spread))


def crops(clean_anchor=False, clean_positive=False, clean_negative=False):
    """An anchor, a positive and a negative, each an augmented view or the clean datum."""
    anchor = View("s", moment="A_0") if clean_anchor else View("x")
    positive = View("sp", of=anchor, moment="A_0") if clean_positive else View("xp", of=anchor)
    return anchor, positive, View("sn", moment="A_0") if clean_negative else View("chi")


ONE_SIDED = infonce(*crops(clean_anchor=True, clean_negative=True))
UNIFORMITY = ss.Loss(E(sqdist(x, xp)) + sp.log(E(sp.exp(-2 * sqdist(x, chi)))))
MEAN_OF_EXPONENTIALS = ss.Loss(E(sqdist(x, xp)) + E(sp.exp(-t * sqdist(x, chi))) / t)
# Two temperatures, invented here: its slope is a cubic in p.
TWO_TEMPERATURES = ss.Loss(UNIFORMITY.expr + ss.InfoNCE(tau=tau).expr)


def summand(landscape):
    """The one summand of a landscape that is a sum over modes."""
    ((symbol, expr),) = landscape.sums.items()
    assert landscape.outer == symbol
    return expr


@lru_cache
def minimiser(loss):
    """The strength of a mode at the minimum of the closed form of a loss."""
    return mode_minimiser(closed_form(loss))


def assert_equal(found, expected):
    assert sp.simplify(found - expected) == 0, f"{found} is not {expected}"


# X1: the closed form


def test_x1_infonce_in_closed_form():
    """X1: InfoNCE of Gaussian views is sum_i [(1 - r) u - log(1 + u)/2 - u/(2 (1 + u))], u = p/tau, and nothing else."""
    found = summand(closed_form(ss.InfoNCE(tau=tau)))
    assert_equal(found, INFONCE)
    with pytest.raises(AssertionError):
        assert_equal(found, INFONCE + p_i / (50 * (tau + p_i)))


def assert_series(landscape, loss, order):
    """Assert that the Taylor series in p of a sum over modes is the landscape of the loss, each word a sum over modes."""
    found, by_power = summand(landscape), dict.fromkeys(range(1, order // 2 + 1), sp.S.Zero)
    for monomial, coefficient in ss.landscape(loss, order).terms:
        ((kind, word),) = monomial  # one trace: nothing couples the modes
        assert kind == "tr"
        by_power[len(word)] += coefficient * r_i ** word.count("A_0")
    for k, expected in by_power.items():
        found = sp.diff(found, p_i)
        coefficient = found.subs(p_i, 0) / sp.factorial(k)
        assert sp.expand(coefficient - expected) == 0, f"p^{k}: {coefficient} is not {expected}"


SERIES = {
    "InfoNCE": ss.InfoNCE(tau=tau),
    "InfoNCE of dot products": ss.InfoNCE(tau=tau, similarity="dot"),
    "alignment and uniformity": UNIFORMITY,
    "one-sided": ONE_SIDED,
    "log-mean of dot products": ss.Loss(-E(dot(x, xp)) + sp.log(E(sp.exp(dot(x, chi) / t)))),
    "two temperatures": TWO_TEMPERATURES,
}


@pytest.mark.parametrize("name", SERIES)
def test_x1_taylor_series_is_the_landscape(name):
    """X1: the Taylor series of the closed form in p is T1, term by term to order 12."""
    loss = SERIES[name]
    closed = closed_form(loss)
    assert_series(closed, loss, 12)
    (symbol,) = closed.sums
    wrong = SpectrumLandscape("wrong", closed.outer, {symbol: summand(closed) + r_i * p_i**6 / 50})
    with pytest.raises(AssertionError):
        assert_series(wrong, loss, 12)


def test_x1_series_of_a_function_of_sums():
    """X1: a mean of exponentials is a product over modes, exp of a sum of logarithms; its series is T1 with two modes."""
    epsilon = sp.Symbol("epsilon", positive=True)
    modes = ((sp.Rational(2, 3), half), (sp.Rational(5, 4), sp.Rational(1, 7)))
    closed = closed_form(MEAN_OF_EXPONENTIALS).subs({"t": 2})
    values = {sp.Symbol(f"p_{k}", nonnegative=True): epsilon * p for k, (p, _) in enumerate(modes)}
    values |= {sp.Symbol(f"r_{k}", real=True): r for k, (_, r) in enumerate(modes)}
    exact = closed.expr(2).xreplace(values)

    def assert_coefficients(factor):
        series, expected = sp.series(exact, epsilon, 0, 4).removeO(), sp.S.Zero
        for monomial, coefficient in ss.landscape(MEAN_OF_EXPONENTIALS, 6).terms:
            words = [sum(p ** len(w) * r ** w.count("A_0") for p, r in modes) for _, w in monomial]
            expected += coefficient.subs(t, 2) * sp.Mul(*words) * epsilon ** sum(len(w) for _, w in monomial)
        assert sp.expand(series - factor * expected) == 0

    assert_coefficients(1)
    with pytest.raises(AssertionError):
        assert_coefficients(sp.Rational(51, 50))


def double_integral(p, r, temperature):
    """InfoNCE at d1 = 1: Gauss-Legendre over the negative, about its peak, inside Gauss-Hermite over the anchor."""
    width = mp.sqrt(p * temperature / (p + temperature))

    def log_mean(a):
        peak = a * p / (p + temperature)
        ends = [peak - 12 * width, peak - 3 * width, peak, peak + 3 * width, peak + 12 * width]
        norm = mp.sqrt(2 * mp.pi * p)
        return mp.log(
            mp.quad(lambda z: mp.exp(-((a - z) ** 2) / (2 * temperature) - z * z / (2 * p)) / norm, ends, maxdegree=5)
        )

    return p * (1 - r) / temperature + sum(w * log_mean(mp.sqrt(p) * z) for w, z in gauss_hermite(20))


@pytest.mark.parametrize("p", [sp.Rational(2, 5), sp.Integer(3), sp.Integer(40)])
def test_x1_against_a_double_integral(p):
    """X1: at d1 = 1 the closed form is the double Gaussian integral to 20 digits, at p = 80 tau too; the series converges
    for p < tau."""
    exact = double_integral(mp.mpf(p.p) / p.q, mp.mpf(3) / 5, mp.mpf(1) / 2)
    if p < half:
        assert abs(exact - infonce_at(1, mp.mpf(2) / 5, mp.mpf(6) / 25, mp.mpf(1) / 2)) < 1e-10

    def assert_integral(r):
        numbers = {sp.Symbol("p_0", nonnegative=True): p, sp.Symbol("r_0", real=True): r, tau: half}
        value = mp.mpf(str(closed.expr(1).xreplace(numbers).evalf(30)))
        assert abs(value / exact - 1) < 1e-20, f"{value} is not {exact}"

    closed = closed_form(ss.InfoNCE(tau=tau))
    assert_integral(sp.Rational(3, 5))
    with pytest.raises(AssertionError):
        assert_integral(sp.Rational(602, 1000))


def test_x1_a_loss_of_a_users_own_against_integrals():
    """X1, X7: E sqrt(E e^{-|x-chi|^2}) + tanh E e^{|x-x'|^2 / 9}, which no file of the package knows, at d1 = 1."""
    root = E(sp.sqrt(E(sp.exp(-sqdist(x, chi)), over=chi)))
    closed = closed_form(ss.Loss(root + sp.tanh(E(sp.exp(sqdist(x, xp) / 9)))))
    p, r = 1.5, 0.25
    mean_root = gaussian_integral(lambda a: mp.sqrt(gaussian_integral(lambda b: mp.exp(-((a - b) ** 2)), p)), p)
    # x - x' has variance 2 p (1 - r).
    mean_exp = gaussian_integral(lambda a: mp.exp(a * a / 9), 2 * p * (1 - r))

    def assert_value(value):
        assert value == pytest.approx(float(mean_root + mp.tanh(mean_exp)), rel=1e-8)

    assert_value(closed.value([p], [r]))
    with pytest.raises(AssertionError):
        assert_value(closed.value([1.02 * p], [r]))
    assert any("4*p_i*r_i - 4*p_i + 9" in statement for statement in closed.assumptions), "4 p (1 - r) < 9"


def test_x1_views_that_share_a_datum_and_where_the_mean_is_finite():
    """X1: E e^{xi^T Q xi} = det(1 - 2 S Q)^{-1/2} for four views of one datum, one of them clean; E cosh(x.chi) is
    (1 - p^2)^{-1/2}, for p < 1 only, which is stated."""
    third, clean = View("x3", of=x), View("s", of=x, moment="A_0")
    exponent = -sqdist(x, xp) - dot(third, third) / 2 + dot(x, clean) / 5
    closed, (p, r) = closed_form(ss.Loss(E(sp.exp(exponent)))), (0.7, 0.4)
    S = p * np.array([[1, r, r, r], [r, 1, r, r], [r, r, 1, r], [r, r, r, r]])
    Q = np.array([[-1, 1, 0, 0.1], [1, -1, 0, 0], [0, 0, -0.5, 0], [0.1, 0, 0, 0]])

    def assert_determinant(S):
        assert closed.value([p], [r]) == pytest.approx(np.linalg.det(np.eye(4) - 2 * S @ Q) ** -0.5, rel=1e-12)

    assert_determinant(S)
    with pytest.raises(AssertionError):
        assert_determinant(1.02 * S)
    cosh = closed_form(ss.Loss(E(sp.cosh(dot(x, chi)))))
    assert_equal(cosh.expr(1), 1 / sp.sqrt(1 - sp.Symbol("p_0", nonnegative=True) ** 2))
    assert any("(p_i - 1)*(p_i + 1) > 0" in statement for statement in cosh.assumptions)
    square = closed_form(ss.Loss(E((sp.exp(dot(x, chi)) - 1) ** 2))).value([0.3])
    assert square == pytest.approx((1 - 4 * 0.3**2) ** -0.5 - 2 * (1 - 0.3**2) ** -0.5 + 1, rel=1e-12)


# X1: not aligned, and sampled


def by_matrices(P, M, temperature):
    """Tr(P - M)/tau - log det(1 + P/tau)/2 - Tr P (tau + P)^{-1}/2: the closed form before it is diagonal."""
    one = np.eye(len(P))
    _, logdet = np.linalg.slogdet(one + P / temperature)
    spread = logdet + np.trace(np.linalg.solve(temperature * one + P, P))
    return np.trace(P - M) / temperature - spread / 2


def views_and_weights(size, seed):
    """A_0 and Sigma, 3 x 3, as factors; W, 2 x 3, aligned with nothing, of largest eigenvalue ``size`` of P."""
    rng = np.random.default_rng(seed)
    root, noise = rng.normal(size=(2, 3, 3))
    A0 = root @ root.T
    Sigma = A0 + noise @ noise.T
    W = rng.normal(size=(2, 3))
    return root, noise, A0, Sigma, W * np.sqrt(size / np.linalg.eigvalsh(W @ Sigma @ W.T)[-1])


def of_the_spectrum(W, A0, Sigma, temperature):
    """The closed form at a W that is not aligned: a function of the eigenvalues of P, less Tr M/tau."""
    closed = closed_form(ss.InfoNCE(tau=tau))
    p = np.linalg.eigvalsh(W @ Sigma @ W.T)
    return closed.value(p, np.zeros(len(p)), tau=temperature) - np.trace(W @ A0 @ W.T) / temperature


def test_x1_a_function_of_p_through_its_eigenvalues():
    """X1: where W is not aligned, what is not linear depends on P through its eigenvalues alone."""
    _, _, A0, Sigma, W = views_and_weights(5, 3)

    def assert_value(value):
        assert value == pytest.approx(by_matrices(W @ Sigma @ W.T, W @ A0 @ W.T, 0.75), rel=1e-12)

    assert_value(of_the_spectrum(W, A0, Sigma, 0.75))
    p, r = np.diag(W @ Sigma @ W.T), np.diag(W @ A0 @ W.T) / np.diag(W @ Sigma @ W.T)
    with pytest.raises(AssertionError):  # the diagonal of P in place of its eigenvalues
        assert_value(closed_form(ss.InfoNCE(tau=tau)).value(p, r, tau=0.75))


def test_x1_sampled_far_beyond_the_series():
    """X1: the sampled loss has the value of the closed form at p up to 7 tau, in standard errors; W is not aligned.

    As in test_sampled: a gap is the loss of a batch less the landscape at its own moments; 2 gap(N) - gap(N/2), the mean
    over halves, is free of the O(1/N) bias of the log of a mean.
    """
    root, noise, _, _, W = views_and_weights(3.5, 4)
    rng, N = np.random.default_rng(7), 400

    def gap(a, b):
        distances = ((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T) / (2 * 0.5)
        loss = np.mean(np.diag(distances)) + np.mean(np.log(np.exp(-distances).mean(1)))
        P, M = (a.T @ a + b.T @ b) / (2 * len(a)), (a.T @ b + b.T @ a) / (2 * len(a))
        closed = by_matrices(P, M, 0.5)
        return loss - closed, closed

    def batch():
        datum = rng.normal(size=(N, 3)) @ root.T
        a, b = ((datum + rng.normal(size=(N, 3)) @ noise.T) @ W.T for _ in range(2))
        halves = [gap(a[part], b[part])[0] for part in (slice(N // 2), slice(N // 2, N))]
        whole, closed = gap(a, b)
        return 2 * whole - sum(halves) / 2, closed

    gaps, values = np.array([batch() for _ in range(300)]).T
    error = gaps.std(ddof=1) / np.sqrt(len(gaps))

    def assert_zero(deviation):
        assert abs(deviation) < 4 * error, f"{deviation / error:.1f} standard errors"

    curved = abs(values.mean())
    assert 8 * error < 0.05 * curved, "the sample is too small to see 5 %"
    assert_zero(gaps.mean())
    with pytest.raises(AssertionError):
        assert_zero(gaps.mean() + 0.05 * curved)


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


# Refusals


clash = View("x5", of=x, moment="T5")
REFUSED = {
    "finitely many negatives": (lambda: closed_form(ss.InfoNCE(n=3)), "3 copies of chi.*landscape"),
    "cosine": (lambda: closed_form(ss.NTXent(epsilon=1)), r"sqrt.*landscape\(loss, order=4\)"),
    "softplus": (lambda: closed_form(ss.Loss(E(sp.log(1 + sp.exp(dot(x, xp)))))), r"log\(exp"),
    "single outputs": (lambda: closed_form(ss.VICReg()), "single outputs"),
    "Barlow Twins": (lambda: closed_form(ss.BarlowTwins(lambda_=2)), "single outputs"),
    "a product beside an exponential": (
        lambda: closed_form(ss.Loss(E(dot(x, xp) * sp.exp(-sqdist(x, chi))))),
        "beyond a quadratic form",
    ),
    "another moment": (lambda: closed_form(ss.Loss(E(sp.exp(-sqdist(clash, chi))))), "moment T5"),
    "weight decay": (lambda: closed_form(ss.InfoNCE() + ss.WeightDecay(gamma)), "pencil=True"),
    "r beyond the quadratic part": (lambda: closed_form(ONE_SIDED, pencil=True), "r_i enters beyond"),
    "no loss": (lambda: closed_form(E(dot(x, xp))), "wrap an expression"),
    "coupled modes": (lambda: mode_minimiser(closed_form(MEAN_OF_EXPONENTIALS)), r"couples the modes; use .minimum"),
    "correlations": (lambda: truncation_table(ss.InfoNCE(), [1.2]), "between -1 and 1"),
    "no value": (lambda: minimiser(ss.InfoNCE(tau=tau)).strength(0.5), "no value for 'tau'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_term_and_the_next_step(name):
    """What has no closed form is refused with the term that has none, and the way on."""
    call, message = REFUSED[name]
    with pytest.raises(ss.SymscapeError, match=message):
        call()


def test_a_polynomial_is_its_own_closed_form():
    """X1: spectral contrastive and raw Barlow Twins are polynomials: -2 r p + p^2, and d1 - 2 r p + (r p)^2."""
    assert_equal(summand(closed_form(ss.SpectralContrastive())), p_i**2 - 2 * r_i * p_i)
    closed = closed_form(ss.BarlowTwins())
    (total,) = closed.sums
    assert closed.outer == total + ss.d_1
    assert_equal(closed.sums[total], (r_i * p_i) ** 2 - 2 * r_i * p_i)
    assert mode_minimiser(closed).p == 1 / r_i
    with pytest.raises(AssertionError):
        assert_equal(closed.sums[total], (r_i * p_i) ** 2 - 2 * p_i)
