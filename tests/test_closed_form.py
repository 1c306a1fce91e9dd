"""X1: landscapes of Gaussian views without truncation, each beside a wrong one that must fail."""

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
    chi,
    gamma,
    half,
    minimiser,
    summand,
    t,
    tau,
    views_and_weights,
    x,
    xp,
)
from population import gauss_hermite, gaussian_integral, infonce_at, mp

import symscape as ss
from symscape import E, View, dot, sqdist
from symscape.spectrum.closed_form.closed_form import closed_form
from symscape.spectrum.closed_form.minimiser import mode_minimiser
from symscape.spectrum.closed_form.truncation import truncation_table
from symscape.spectrum.modes import p_i, r_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape

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
