"""Gaussian expectations: counts of pairings, the contraction engine and the determinant rule against explicit sums."""

from fractions import Fraction
from math import factorial, prod

import numpy as np
import pytest
import sympy as sp

from symscape.algebra import series
from symscape.algebra.modular import word_value
from symscape.algebra.polynomial import Polynomial
from symscape.algebra.scalars import Scalars
from symscape.algebra.words import degree, open_word
from symscape.errors import InputError
from symscape.landscape.landscape import landscape
from symscape.landscape.reference import ExplicitComponent, loss_series
from symscape.losses.language import E, dot, sqnorm, total
from symscape.losses.loss import Loss
from symscape.probability.contraction import GaussianLaw
from symscape.probability.data_models import Component, GaussianViews
from symscape.probability.expectation import Integrator, set_partitions
from symscape.probability.exponential import log_expectation_of_exponential
from symscape.probability.reference import ExplicitGaussian, expected_product, matchings
from symscape.probability.views import View, anchor, negative, positive

x, xp, chi = anchor, positive, negative
chi2, clean = View("chi2"), View("s", of=anchor, moment="A_0")
VIEWS = (x, xp, clean, chi, chi2)


def rationals(rng, *shape):
    """Return an array of small random Fractions."""
    size = int(np.prod(shape))
    pairs = zip(rng.integers(-4, 5, size).tolist(), rng.integers(1, 4, size).tolist(), strict=True)
    return np.array([Fraction(*pair) for pair in pairs] + [None], dtype=object)[:-1].reshape(shape)


class Point:
    """Explicit numbers: W, the moments Sigma and A_0, a mean or none, and the images of these under W."""

    def __init__(self, seed, mean, d0=2, d1=2):
        rng = np.random.default_rng([seed, 7])
        self.W = rationals(rng, d1, d0)
        self.covariances = {letter: half + half.T for letter in ("Sigma", "A_0") for half in [rationals(rng, d0, d0)]}
        self.mean = rationals(rng, d0) if mean else None
        self.fixed = {view.name: rationals(rng, d0) for view in VIEWS}
        self.moments = {letter: self.W @ S @ self.W.T for letter, S in self.covariances.items()}
        self.vectors = {name: self.W @ vector for name, vector in self.fixed.items()}
        if mean:
            self.vectors["mean"] = self.W @ self.mean

    def law(self, views):
        """Return the joint law of some views with explicit numbers."""
        cross = {
            (u.name, v.name): self.covariances[u.moment if u == v else "A_0"]
            for u in views
            for v in views
            if u.datum == v.datum
        }
        return ExplicitGaussian(cross, {} if self.mean is None else {view.name: self.mean for view in views})

    def value(self, monomial):
        """Return the value of a product of words."""
        return prod(word_value(generator, self.moments, self.vectors) for generator in monomial)


# Counts


@pytest.mark.parametrize("k", range(1, 7))
def test_pairings_are_counted_by_double_factorials(k):
    """E[(f(x).f(x))^k] = (2k-1)!! sigma^2k at d0 = d1 = 1: all (2k-1)!! pairings of 2k legs, each once."""
    law = GaussianLaw({("x", "x"): "Sigma"}, {})
    moment = law.moment((open_word("x", (), "x"),) * k)
    assert sum(moment.values()) == sp.factorial2(2 * k - 1)
    if k <= 4:
        assert sum(1 for _, alone in matchings(range(2 * k)) if not alone) == sp.factorial2(2 * k - 1)


@pytest.mark.parametrize("k", range(1, 6))
def test_contraction_patterns_are_counted_by_cycle_types(k):
    """E[|f(x)|^{2k}] is the sum over cycle types of k of 2^k k! / prod_j (2 j)^{m_j} m_j! times traces of those lengths."""
    law = GaussianLaw({("x", "x"): "Sigma"}, {})
    for words, count in law.moment((open_word("x", (), "x"),) * k).items():
        lengths = [len(word[1]) for word in words]
        symmetries = prod((2 * j) ** lengths.count(j) * factorial(lengths.count(j)) for j in set(lengths))
        assert count * symmetries == 2**k * factorial(k)


def test_a_double_factorial_too_many_is_caught():
    """E[|f(x)|^4] at d0 = d1 = 1 is 3 sigma^4, not 4!! = 8: the double factorial is the odd one."""
    law = GaussianLaw({("x", "x"): "Sigma"}, {})
    with pytest.raises(AssertionError):
        assert sum(law.moment((open_word("x", (), "x"),) * 2).values()) == sp.factorial2(4)


@pytest.mark.parametrize("k", range(1, 6))
def test_views_with_a_mean_are_counted_by_involutions(k):
    """A leg at its mean is a fixed point: the k legs of x in (f(x).m)^k give as many terms as there are involutions."""
    law = GaussianLaw({("x", "x"): "Sigma"}, {"x": "mean"})
    count = sum(law.moment((open_word("v", (), "x"),) * k).values())
    assert count == sum(1 for _ in matchings(range(k))) == [1, 2, 4, 10, 26][k - 1]


def test_set_partitions_are_counted_by_bell_numbers():
    """A set of k elements has 1, 1, 2, 5, 15, 52 partitions."""
    assert [len(list(set_partitions(list(range(k))))) for k in range(6)] == [1, 1, 2, 5, 15, 52]


# The contraction engine


def random_pairs(rng, views, count):
    return [tuple(views[int(k)] for k in rng.integers(len(views), size=2)) for _ in range(count)]


def assert_moment(moment, pairs, integrated, point, message):
    """The moment in words has the value of the sum over feature indices and pairings."""
    given = {view.name: point.fixed[view.name] for pair in pairs for view in pair if view not in integrated}
    names = [(u.name, v.name) for u, v in pairs]
    expected = expected_product(names, (point.W.T @ point.W).tolist(), point.law(integrated), given)
    value = sum(count * point.value(monomial) for monomial, count in moment.items())
    assert value == expected, f"{value} is not {expected}; {message}"


def moment_in_words(pairs, integrated, mean):
    law = Component(sp.S.One, "", "mean" if mean else None).law(integrated)
    return law.moment(tuple(sorted(open_word(u.name, (), v.name) for u, v in pairs)))


@pytest.mark.parametrize("mean", [False, True], ids=["centred", "with a mean"])
@pytest.mark.parametrize("seed", range(20))
def test_contraction_agrees_with_explicit_pairings(seed, mean):
    """E of any product of inner products of x, x', s, chi, chi2, as words, is the explicit sum over indices and pairings."""
    rng = np.random.default_rng(seed)
    pairs = random_pairs(rng, VIEWS, int(rng.integers(1, 4)))
    assert_moment(moment_in_words(pairs, VIEWS, mean), pairs, VIEWS, Point(seed, mean), f"seed={seed}, {pairs}")


@pytest.mark.parametrize("mean", [False, True], ids=["centred", "with a mean"])
@pytest.mark.parametrize("seed", range(20))
def test_conditional_expectations_agree_with_fixed_views(seed, mean):
    """Given the views that stay free, the expectation is the explicit one with these fixed at numbers."""
    rng = np.random.default_rng([seed, 1])
    integrated = (chi, chi2) if seed % 2 else (x, xp, clean)
    pairs = [(u, v) for u, v in random_pairs(rng, VIEWS, 12) if u in integrated or v in integrated][:3]
    moment = moment_in_words(pairs, integrated, mean)
    assert_moment(moment, pairs, integrated, Point(seed, mean), f"seed={seed}, {pairs}")


def test_a_missing_pairing_is_caught():
    """E[(f(x).f(x'))^2] without one of its contractions is refused, and so is a count that is one too high."""
    pairs, point = [(x, xp), (x, xp)], Point(0, mean=False)
    moment = moment_in_words(pairs, VIEWS, mean=False)
    assert len(moment) == 3
    for monomial in moment:
        for wrong in (0, moment[monomial] + 1):
            with pytest.raises(AssertionError, match="planted"):
                assert_moment({**moment, monomial: wrong}, pairs, VIEWS, point, "planted")


# The determinant rule

RATIONAL = Polynomial(Scalars(), 6, {})


def random_quadratic_form(rng, integrated, free):
    """Return q in words and as an expression: a quadratic form in the integrated views, linear terms in the free ones."""
    words, expr = RATIONAL, sp.S.Zero
    for u, v in [*random_pairs(rng, integrated, 3), *((u, free) for u in integrated), (free, free)]:
        c = int(rng.integers(-2, 3))
        words = words + RATIONAL.from_generator(open_word(u.name, (), v.name)).scale(RATIONAL.domain.rational(c))
        expr = expr + c * dot(u, v)
    return words, expr


def assert_zero(polynomial, message):
    assert not polynomial, f"{list(polynomial.terms())} is not zero; {message}"


def log_expectation_by_series(q, law):
    """Return log E exp(q), the exponential expanded and every term contracted."""
    one = q.constant(q.domain.one)
    return series.logarithm(Integrator([(q.domain.one, law)]).expectation(series.exponential(q)) - one)


def symbolic_law(views, mean):
    return Component(sp.S.One, "", "mean" if mean else None).law(views)


@pytest.mark.parametrize("mean", [False, True], ids=["centred", "with a mean"])
@pytest.mark.parametrize("seed", range(8))
def test_the_determinant_rule_agrees_with_the_series(seed, mean):
    """log E exp(q) done whole, by a log-determinant, is the logarithm of the contracted exponential series."""
    rng = np.random.default_rng(seed)
    integrated, free = ((x, xp), chi) if seed % 2 else ((chi,), x)
    q, _ = random_quadratic_form(rng, integrated, free)
    law = symbolic_law(integrated, mean)
    whole = log_expectation_of_exponential(q, law)
    assert_zero(whole - log_expectation_by_series(q, law), f"seed={seed}, q={list(q.terms())}")


@pytest.mark.parametrize("mean", [False, True], ids=["centred", "with a mean"])
@pytest.mark.parametrize("seed", range(6))
def test_the_determinant_rule_agrees_with_explicit_pairings(seed, mean):
    """At explicit numbers and a fixed free view, log E exp(q) has the coefficients of the reference series in t."""
    rng, point = np.random.default_rng(seed), Point(seed, mean)
    integrated, free = ((x, xp), chi) if seed % 2 else ((chi, chi2), x)
    q, expr = random_quadratic_form(rng, integrated, free)
    whole = log_expectation_of_exponential(q, symbolic_law(integrated, mean))
    data = [ExplicitComponent(point.covariances, point.mean)]
    given = {free.name: point.fixed[free.name]}
    expected = loss_series(sp.log(E(sp.exp(expr), over=integrated)), point.W, data, 6, given)
    for half, coefficient in enumerate(expected):
        terms = whole.parts.get(2 * half, {}).items()
        value = sum((Fraction(int(c.numerator), int(c.denominator)) * point.value(m) for m, c in terms), Fraction(0))
        assert sp.Rational(value) == coefficient, f"seed={seed}, degree {2 * half}, q={expr}"


def test_a_wrong_factor_in_the_determinant_is_caught():
    """-(1/2) log det scaled by 1.04 is not log E exp(|f(x)|^2)."""
    q = RATIONAL.from_generator(open_word("x", (), "x"))
    law = symbolic_law([x], mean=False)
    whole = log_expectation_of_exponential(q, law).scale(RATIONAL.domain.rational(26, 25))
    with pytest.raises(AssertionError, match="planted"):
        assert_zero(whole - log_expectation_by_series(q, law), "planted")


def test_what_is_no_quadratic_form_is_left_to_the_series():
    """The rule declines exp((f(x).f(chi))^2), which is quartic in x."""
    word = RATIONAL.from_generator(open_word("x", (), "chi"))
    assert log_expectation_of_exponential(word * word, symbolic_law([x], mean=False)) is None


# Finitely many copies

n = sp.Symbol("n", integer=True, positive=True)
SUMS = {
    "a square": total(dot(x, chi), chi, n) ** 2,
    "two sums": total(dot(x, chi), chi, n) ** 2 * total(sqnorm(chi), chi, n),
    "a sum of squares": total(dot(x, chi) ** 2, chi, n) * total(sqnorm(chi), chi, n),
    "a logarithm": sp.log(1 + sqnorm(x) + total(sp.exp(dot(x, chi)), chi, n)),
    "a softmax": total(dot(x, chi) * sp.exp(dot(x, chi)), chi, n) / total(sp.exp(dot(x, chi)), chi, n),
    "sums over two views": total(dot(x, chi), chi, n) * total(dot(xp, chi), chi, n) * total(sqnorm(chi2), chi2, n),
    "a sum of logarithms of means": total(sp.log(E(sp.exp(dot(chi, chi2)), over=chi2)), chi, n)
    * total(sqnorm(chi), chi, n),
}


def assert_exact_in_number_of_copies(expr, copies, mean, number):
    """The landscape with the symbol n, at n = number, is the explicit sum over copies many independent views."""
    point = Point(copies, mean)
    land = landscape(Loss(E(expr)), order=6, data=GaussianViews(mean=mean))
    data = [ExplicitComponent(point.covariances, point.mean)]
    expected = loss_series(E(expr).subs(n, copies), point.W, data, 6)
    values = [sp.S.Zero] * 4
    for monomial, coefficient in land.terms:
        values[sum(map(degree, monomial)) // 2] += coefficient.subs(n, number) * sp.Rational(point.value(monomial))
    gaps = [sp.expand_log(value - e, force=True) for value, e in zip(values, expected, strict=True)]
    assert gaps == [0, 0, 0, 0], f"{copies} copies: {expr} differs by {gaps}"


@pytest.mark.parametrize("mean", [False, True], ids=["centred", "with a mean"])
@pytest.mark.parametrize("copies", [1, 2, 3])
@pytest.mark.parametrize("name", SUMS)
def test_sums_over_copies_are_exact_in_their_number(name, copies, mean):
    """A landscape derived with n a symbol is that of n explicit independent copies, at n = 1, 2, 3."""
    assert_exact_in_number_of_copies(SUMS[name], copies, mean, number=copies)


@pytest.mark.parametrize("name", SUMS)
def test_a_wrong_number_of_copies_is_caught(name):
    """Two copies are not 2.08 copies."""
    with pytest.raises(AssertionError, match="2 copies"):
        assert_exact_in_number_of_copies(SUMS[name], 2, False, number=sp.Rational(208, 100))


def test_independent_copies_are_views_of_their_own():
    """E[(sum_j f(x).f(chi_j))^2] over n copies is n (n-1) E[f(x).f(chi) f(x).f(chi2)] + n E[(f(x).f(chi))^2]."""
    plain = landscape(Loss(E(SUMS["a square"])), order=4)
    by_hand = n * (n - 1) * E(dot(x, chi) * dot(x, chi2)) + n * E(dot(x, chi) ** 2)
    assert plain == landscape(Loss(by_hand), order=4)
    assert plain != landscape(Loss(by_hand * sp.Rational(103, 100)), order=4)


def test_one_view_is_not_both_summed_and_single():
    """A view inside and outside of a sum over its copies has no meaning, and is refused."""
    with pytest.raises(InputError, match="inside and outside"):
        landscape(Loss(E(total(dot(x, chi), chi, n) * dot(x, chi))), order=4)
