"""T10, data imbalance: orthogonal classes and two classes about means of their own, as a class becomes rare."""

from functools import cache

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import minimize

import symscape as ss
from symscape.conditions.imbalance.classes import Sigma_i, class_landscape, depends_on_directions_only, pi_i
from symscape.conditions.imbalance.exact import loss_on_classes
from symscape.conditions.imbalance.imbalance import imbalance
from symscape.conditions.imbalance.robustness import robustness
from symscape.conditions.imbalance.table import catalogue_losses, imbalance_table
from symscape.spectrum.modes import p_i, r_i

PI = np.array([0.6, 0.3, 0.1])
tau = sp.Symbol("tau", positive=True)


def assert_close(found, expected, rtol=1e-8):
    """Assert that strengths are equal, class by class."""
    np.testing.assert_allclose(found, expected, rtol=rtol)


def infonce_by_hand(pi):
    """dL/dq_c = -pi + (pi^2 + pi/4) q_c - pi Q/4 = 0 at sigma = 0: q_c = (1 + Q/4)/(pi + 1/4), Q = sum pi q."""
    s = np.sum(pi / (pi + 0.25))
    return (1 + s / (1 - s / 4) / 4) / (pi + 0.25)


STRENGTHS = {
    # (loss, noise): p_c and q_c by hand.
    "spectral": (ss.SpectralContrastive(), 0.0, np.ones(3), 1 / PI),
    "InfoNCE": (ss.InfoNCE(), 0.0, PI * infonce_by_hand(PI), infonce_by_hand(PI)),
    # -M/tau + P^2/(2 tau^2): p = tau r.
    "InfoNCE of dot products": (ss.InfoNCE(tau=0.5, similarity="dot"), 0.0, np.full(3, 0.5), 0.5 / PI),
    # (1 - M_ii)^2: p = 1/r.
    "Barlow Twins": (ss.BarlowTwins(), 0.3, 1 / (PI / (PI + 0.09)), 1 / PI),
    "spectral with noise": (ss.SpectralContrastive(), 0.3, PI / (PI + 0.09), PI / (PI + 0.09) ** 2),
    # -Q/(tau eps) + sum pi q^2/(tau eps^2) + sum pi^2 q^2/(2 (tau eps)^2): the other terms cancel at sigma = 0.
    "NT-Xent, smooth": (ss.NTXent(tau=2, epsilon=3), 0.0, PI * 6 / (4 + PI), 6 / (4 + PI)),
    "NT-Xent, the cosine": (ss.NTXent(), 0.0, PI, np.ones(3)),
}  # fmt: skip


@pytest.mark.parametrize("name", STRENGTHS)
def test_t10_strengths_of_orthogonal_classes(name):
    """T10: the strength of every class at the minimum, p_c and |W m_c|^2, against solutions by hand."""
    loss, noise, p, q = STRENGTHS[name]
    found = imbalance(loss, PI, noise=noise)
    assert found.bounded and not found.lost.any()
    assert_close(found.p, p)
    assert_close(found.q, q)
    for factor in (0.9, 1.1):
        with pytest.raises(AssertionError):
            assert_close(found.q, factor * q)


def value_on_classes(loss, p, pi, strengths, noise):
    """The value of a class landscape by its sums."""
    land = class_landscape(loss)
    second = pi * strengths + noise**2
    classes = [
        {p_i: p[c], r_i: pi[c] * strengths[c] / second[c], pi_i: pi[c], Sigma_i: second[c]} for c in range(len(pi))
    ]
    sums = {s: sum(e.subs(k) for k in classes) for s, e in land.sums.items()}
    return float(land.outer.subs(sums))


@pytest.mark.parametrize("loss", [ss.InfoNCE(), ss.InfoNCE(n=3), ss.NTXent(epsilon=1)], ids=repr)
def test_t10_fourth_cumulants_of_the_classes(loss):
    """T10: fourth cumulants over the classes are sum pi q^2 - (sum pi q)^2 - 2 sum (pi q)^2, for every pattern of views:
    the landscape over classes is the one over explicit rows +-m_c with their empirical cumulants."""
    counts, strengths, noise = np.array([6, 3, 1]), np.array([1.0, 0.5, 2.0]), 0.4
    m = np.diag(np.sqrt(strengths))
    rows = np.concatenate([[m[c]] * n + [-m[c]] * n for c, n in enumerate(counts)])
    A0 = rows.T @ rows / len(rows)
    weights = np.array([0.7, 0.4, 0.9])
    f = ss.landscape(loss, data=ss.CumulantViews()).numpy()
    kappa = ss.FourthCumulants({"x": rows, "x'": rows})
    expected = f(np.diag(weights), A0=A0, Sigma=A0 + noise**2 * np.eye(3), kappa=kappa)
    pi = counts / 10
    p = weights**2 * (pi * strengths + noise**2)
    assert_close(value_on_classes(loss, p, pi, strengths, noise), expected, rtol=1e-12)
    with pytest.raises(AssertionError):
        assert_close(value_on_classes(loss, 1.1 * p, pi, strengths, noise), expected, rtol=1e-3)


def test_t10_the_aligned_family_holds_the_minimum():
    """T10: minimising the landscape of InfoNCE with the cumulants of explicit rows over all of W, from random W, gives the
    strengths of the classes."""
    counts = np.array([6, 3, 1])
    rows = np.concatenate([[np.eye(3)[c]] * n + [-np.eye(3)[c]] * n for c, n in enumerate(counts)])
    A0 = rows.T @ rows / len(rows)
    f = ss.landscape(ss.InfoNCE(), data=ss.CumulantViews()).numpy()
    moments = {"A0": A0, "Sigma": A0 + 0.09 * np.eye(3), "kappa": ss.FourthCumulants({"x": rows})}

    def objective(w):
        value, gradient = f.value_and_gradient(w.reshape(3, 3), **moments)
        return value, gradient.ravel()

    start = np.random.default_rng(3).standard_normal(9)
    W = minimize(objective, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10}).x.reshape(3, 3)
    found = imbalance(ss.InfoNCE(), PI, noise=0.3)
    assert_close(np.sum(W**2, axis=0), found.q, rtol=1e-4)
    with pytest.raises(AssertionError):
        assert_close(np.sum(W**2, axis=0), 1.1 * found.q, rtol=1e-4)


def infonce_over_points(pi, q):
    """InfoNCE over points +-m_c by hand: a datum meets itself, its mirror at 4 q_c, and other classes at q_c + q_c'."""
    total = sp.S.Zero
    for c, share in enumerate(pi):
        own = share / 2 * (1 + sp.exp(-2 * q[c]))
        others = sum(pi[b] * sp.exp(-(q[c] + q[b]) / 2) for b in range(len(pi)) if b != c)
        total += share * sp.log(own + others)
    return total


def quadratic_in_t(expr, t):
    """The value, slope and half second derivative of an expression at t = 0."""
    return [sp.diff(expr, t, k).subs(t, 0) / sp.factorial(k) for k in range(3)]


def assert_coefficients(found, expected):
    """Assert that coefficients are equal, exactly."""
    assert all(sp.simplify(a - b) == 0 for a, b in zip(found, expected, strict=True)), f"{found} is not {expected}"


def test_t10_infonce_over_points_exactly():
    """T10: over sign-symmetric points InfoNCE is a finite sum, whose series to order 4 in W is the landscape with fourth
    cumulants, in exact rationals; the package's own finite sum is the one by hand."""
    pi = [sp.Rational(1, 2), sp.Rational(1, 3), sp.Rational(1, 6)]
    t = sp.Symbol("t")
    q = [t * sp.Rational(k + 2, 3) for k in range(len(pi))]
    land = class_landscape(ss.InfoNCE())
    classes = [{p_i: w * s, r_i: 1, pi_i: w} for w, s in zip(pi, q, strict=True)]
    derived = quadratic_in_t(land.outer.subs({s: sum(e.subs(k) for k in classes) for s, e in land.sums.items()}), t)
    series = quadratic_in_t(infonce_over_points(pi, q), t)
    assert_coefficients(series, derived)
    with pytest.raises(AssertionError):
        assert_coefficients(series, [c * sp.Rational(11, 10) for c in derived])
    q = sp.symbols("q_1:4", positive=True)
    values = dict(zip(q, (sp.Rational(1, 3), sp.Rational(3, 2), sp.Rational(7, 5)), strict=True))
    found, expected = (e.subs(values).n(30) for e in (loss_on_classes(ss.InfoNCE(), pi, q), infonce_over_points(pi, q)))
    assert abs(found - expected) < 1e-25


def test_t10_the_cosine_sees_directions_only():
    """T10: over points the exact NT-Xent loss holds no |W m_c| at all, so that f/|f| has strength 1 whatever pi_c; smoothed
    it does."""
    q = sp.symbols("q_1:3", positive=True)
    pi = [sp.Rational(9, 10), sp.Rational(1, 10)]
    assert depends_on_directions_only(ss.NTXent())
    assert not loss_on_classes(ss.NTXent(), pi, q).free_symbols
    # -1 + sum_c pi_c log(pi_c cosh 1 + 1 - pi_c).
    expected = -1 + sum(w * np.log(w * np.cosh(1) + 1 - w) for w in (0.9, 0.1))
    assert_close(imbalance(ss.NTXent(), [0.9, 0.1]).value, expected)
    smooth = ss.NTXent(epsilon=1)
    assert not depends_on_directions_only(smooth)
    assert loss_on_classes(smooth, pi, q).free_symbols == set(q)


@cache
def noiseless_table():
    """The table of the catalogue, made once."""
    return imbalance_table()


def measured_exponents(loss, noise):
    """The slopes of log p_c and log q_c over log pi_c between two small pi_c."""
    rare = 1e-4, 1e-5
    found = [imbalance(loss, [(1 - t) / 2, (1 - t) / 2, t], noise=noise) for t in rare]
    return [np.log(getattr(found[1], a)[2] / getattr(found[0], a)[2]) / np.log(rare[1] / rare[0]) for a in "pq"]


def assert_exponents(measured, p_exponent, q_exponent):
    """Assert that measured slopes are the exponents."""
    np.testing.assert_allclose(measured, [p_exponent, q_exponent], atol=0.02)


@pytest.mark.parametrize("noise", [0, 0.3])
@pytest.mark.parametrize("loss", catalogue_losses(), ids=repr)
def test_t10_how_strengths_go_as_a_class_becomes_rare(loss, noise):
    """T10: the exponents that the symbolic strengths give are those of the minimum at small pi_c; a lost class is lost."""
    if noise and loss == ss.NTXent():
        with pytest.raises(ss.ScaleInvariantError, match="epsilon"):
            robustness(loss, noise)
        return
    found = robustness(loss, noise) if noise else next(r.classes for r in noiseless_table().rows if r.loss == loss)
    if found.lost:
        assert imbalance(loss, [0.5, 0.5 - 1e-5, 1e-5], noise=noise).lost[2]
        return
    measured = measured_exponents(loss, noise)
    assert_exponents(measured, found.p_exponent, found.q_exponent)
    with pytest.raises(AssertionError):
        assert_exponents(measured, found.p_exponent + 0.1, found.q_exponent)


def test_t10_table_of_the_catalogue():
    """T10: without noise, losses of second moments keep a rare class in p_c; those that gain a fourth cumulant, and the cosine,
    keep it in |W m_c|^2 alone; so along the difference of two means."""
    table = noiseless_table()
    robust = {row.classes.name: (row.classes.robust_in_p, row.mixture.robust_in_p) for row in table.rows}
    not_in_p = {repr(ss.InfoNCE()), repr(ss.NTXent()), repr(ss.NTXent(epsilon=1))}
    assert {name for name, (p, _) in robust.items() if not p} == not_in_p
    assert {name for name, (_, p) in robust.items() if not p} == not_in_p
    assert all(row.classes.robust_in_q and row.mixture.robust_in_q for row in table.rows)
    assert len(str(table).splitlines()) == len(table.rows) + 2


def test_t10_a_loss_of_ones_own():
    """T10, X7: a loss in no file of the package, with and without a fourth cumulant."""
    x, xp, chi = ss.anchor, ss.positive, ss.negative
    plain = ss.Loss(-3 * ss.E(ss.dot(x, xp)) + 2 * ss.E(ss.dot(x, chi) ** 2), name="plain")
    assert_close(imbalance(plain, PI).p, np.full(3, 0.75))
    heavy = ss.Loss(plain.expr + ss.E(ss.sqnorm(x) ** 2), name="heavy")
    # -3 Q + 2 sum (pi q)^2 + sum pi q^2: q = 3/(4 pi + 2).
    assert_close(imbalance(heavy, PI).q, 3 / (4 * PI + 2))
    assert robustness(plain).robust_in_p and not robustness(heavy).robust_in_p


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pi": [0.5, 0.4]}, "sum to 1"),
        ({"pi": [1.0, 0.0]}, "positive class probabilities"),
        ({"strength": [1.0, 2.0]}, "one number, or 3"),
        ({"noise": -1.0}, "not negative"),
        ({"d1": 0}, "positive integer"),
        ({"loss": "infonce"}, "is not a Loss"),
        ({"loss": ss.InfoNCE(tau=tau)}, "no value for tau"),
        ({"loss": ss.NTXent(), "noise": 0.1}, "smooth it"),
        ({"loss": ss.NTXent(), "d1": 2}, "cannot be orthogonal"),
        ({"loss": ss.NTXent(), "gamma": 0.1}, "smooth it"),
        ({"loss": ss.BarlowTwins(epsilon=0), "gamma": 0.1}, "leave the decay out"),
        ({"temperature": 1.0}, "no parameter 'temperature'"),
    ],
)
def test_bad_input(change, message):
    """Errors quote what was given and name the cure."""
    given = {"loss": ss.InfoNCE(), "pi": PI, **change}
    with pytest.raises(ss.InputError, match=message):
        imbalance(**given)


def test_parameters_by_name_and_fewer_outputs():
    """Parameters of a loss are given by name; with fewer outputs than classes the best choice of classes is kept."""
    assert_close(imbalance(ss.InfoNCE(tau=tau), PI, tau=1).q, infonce_by_hand(PI))
    found = imbalance(ss.SpectralContrastive(), PI, noise=0.3, d1=2)
    assert list(found.lost) == [False, False, True] and "lost" in str(found)
