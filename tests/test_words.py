"""Normal forms of words, the ring of polynomials in them, and power series: identities, counts and fuzz."""

from itertools import combinations_with_replacement, product
from math import factorial, gcd, prod

import numpy as np
import pytest
import sympy as sp

from symscape.algebra import series
from symscape.algebra.graphs import monomial_of_index_sum
from symscape.algebra.modular import word_value
from symscape.algebra.polynomial import Polynomial
from symscape.algebra.scalars import Scalars
from symscape.algebra.words import closed_word, coordinate, degree, entry, open_word

SEEDS = range(25)
LETTERS = ("A", "B", "C")


def random_word(rng, length):
    return tuple(str(letter) for letter in rng.choice(LETTERS, size=length))


def assert_same(left, right, message=""):
    assert left == right, f"{left} is not {right}; {message}"


# Closed and open words


@pytest.mark.parametrize("seed", SEEDS)
def test_a_trace_is_read_from_any_letter_in_either_direction(seed):
    """Tr(A B ... C) = Tr(B ... C A) = Tr(C ... B A) for symmetric letters."""
    rng = np.random.default_rng(seed)
    word = random_word(rng, int(rng.integers(1, 9)))
    start = int(rng.integers(len(word)))
    turned = word[start:] + word[:start]
    for variant in (turned, turned[::-1]):
        assert_same(closed_word(variant), closed_word(word), f"seed={seed}")


def test_letters_of_a_trace_do_not_commute():
    """Tr(A A B B) is not Tr(A B A B): a normal form that sorts letters is caught."""
    with pytest.raises(AssertionError, match="is not"):
        assert_same(closed_word(("A", "A", "B", "B")), closed_word(("A", "B", "A", "B")))


def bracelets(length, letters):
    """Burnside's count of cyclic words read in either direction."""
    turns = sum(letters ** gcd(length, k) for k in range(length))
    axes = letters ** ((length + 1) // 2) + letters ** (length // 2 + 1)
    mirrors = axes * length // 2 if length % 2 == 0 else length * letters ** ((length + 1) // 2)
    return (turns + mirrors) // (2 * length)


def assert_number_of_traces(length, letters, expected):
    found = {closed_word(word) for word in product(LETTERS[:letters], repeat=length)}
    assert len(found) == expected, f"{len(found)} traces of {length} letters, expected {expected}"


@pytest.mark.parametrize(("length", "letters"), [(k, m) for k in range(1, 8) for m in (2, 3)])
def test_distinct_traces_stay_distinct(length, letters):
    """There are as many traces of k symmetric letters as bracelets: no two are merged, none is counted twice."""
    assert_number_of_traces(length, letters, bracelets(length, letters))


def test_the_count_of_traces_tells_bracelets_from_necklaces():
    """130 words of 6 letters out of 3 differ by rotation, 92 by rotation and mirror: the larger count is refused."""
    assert bracelets(6, 3) == 92
    with pytest.raises(AssertionError, match="expected 130"):
        assert_number_of_traces(6, 3, 130)


@pytest.mark.parametrize("length", range(6))
def test_an_open_word_is_the_same_read_backwards_and_nothing_else(length):
    """u^T w v = v^T (w backwards) u: k^n words between two views, (k^n + k^ceil(n/2))/2 between a view and itself."""
    words = list(product(LETTERS, repeat=length))
    for word in words:
        assert_same(open_word("x", word, "chi"), open_word("chi", word[::-1], "x"))
    assert len({open_word("x", word, "chi") for word in words}) == 3**length
    assert len({open_word("x", word, "x") for word in words}) == (3**length + 3 ** ((length + 1) // 2)) // 2


def test_degrees_count_factors_of_the_weights():
    """A letter is W^T ... W, an entry has two factors of W, a coordinate one, an inner product two."""
    words = [closed_word(("A", "B")), open_word("x", ("A",), "y"), entry("A", "i", "j"), coordinate("m", "i")]
    assert [degree(word) for word in words] == [4, 4, 2, 1]
    with pytest.raises(ValueError, match="unknown kind"):
        degree(("other",))
    with pytest.raises(ValueError, match="empty trace"):
        closed_word(())


# Sums over output indices


def random_index_sum(rng):
    names = ["i", "j", "k", "l"][: int(rng.integers(1, 5))]
    factors = [entry(str(rng.choice(LETTERS)), *rng.choice(names, size=2)) for _ in range(int(rng.integers(1, 5)))]
    factors += [coordinate(str(rng.choice(["m", "v"])), str(rng.choice(names))) for _ in range(int(rng.integers(3)))]
    return factors, names


@pytest.mark.parametrize("seed", SEEDS)
def test_an_index_sum_does_not_know_the_names_of_its_indices(seed):
    """Renaming the summed indices and reordering the entries leaves the normal form as it is."""
    rng = np.random.default_rng(seed)
    factors, names = random_index_sum(rng)
    rename = dict(zip(names, rng.permutation(["p", "q", "r", "s"]).tolist(), strict=False))
    renamed = [(kind, letter, *(rename[i] for i in indices)) for kind, letter, *indices in factors]
    shuffled = [renamed[k] for k in rng.permutation(len(renamed))]
    assert_same(
        monomial_of_index_sum(shuffled, list(rename.values())), monomial_of_index_sum(factors, names), f"seed={seed}"
    )


def assert_index_sum_has_its_value(factors, names, monomial, free, rng, message):
    d1 = 3
    halves = {letter: rng.integers(-4, 5, size=(d1, d1)).astype(object) for letter in LETTERS}
    moments = {letter: half + half.T for letter, half in halves.items()}
    vectors = {name: rng.integers(-4, 5, size=d1).astype(object) for name in ("m", "v")}
    total = 0
    for values in product(range(d1), repeat=len(names)):
        at = dict(zip(names, values, strict=True))
        total += prod(
            moments[g[1]][at[g[2]], at[g[3]]] if g[0] == "entry" else vectors[g[1]][at[g[2]]] for g in factors
        )
    assert total == d1**free * prod(word_value(g, moments, vectors) for g in monomial), message


@pytest.mark.parametrize("seed", SEEDS)
def test_the_normal_form_of_an_index_sum_has_the_value_of_the_sum(seed):
    """The explicit sum of products of entries is the product of its words, times d1 for each free sum."""
    rng = np.random.default_rng(seed)
    factors, names = random_index_sum(rng)
    monomial, free = monomial_of_index_sum(factors, names)
    assert_index_sum_has_its_value(factors, names, monomial, free, rng, f"seed={seed}")


def test_a_trace_in_place_of_a_hadamard_word_is_caught():
    """sum_i A_ii^2 is not Tr A^2."""
    rng, entries = np.random.default_rng(0), [entry("A", "i", "i"), entry("A", "i", "i")]
    with pytest.raises(AssertionError, match="planted"):
        assert_index_sum_has_its_value(entries, ["i"], (closed_word(("A", "A")),), 0, rng, "planted")


def assert_number_of_index_sums(edges, expected):
    names = [str(k) for k in range(2 * edges)]
    entries = [entry("A", i, j) for i, j in combinations_with_replacement(names, 2)]
    found = {monomial_of_index_sum(chosen, names)[0] for chosen in combinations_with_replacement(entries, edges)}
    assert len(found) == expected, f"{len(found)} index sums of {edges} entries, expected {expected}"


@pytest.mark.parametrize(("edges", "expected"), [(1, 2), (2, 7), (3, 23)])
def test_distinct_index_sums_stay_distinct(edges, expected):
    """Products of e entries of one symmetric matrix give 2, 7, 23 sums: multigraphs with loops on e edges."""
    assert_number_of_index_sums(edges, expected)


def test_the_count_of_index_sums_tells_loops_from_none():
    """There are 3 multigraphs without loops on two edges, not 7."""
    with pytest.raises(AssertionError, match="expected 3"):
        assert_number_of_index_sums(2, 3)


def test_index_sums_of_degree_two_are_words():
    """sum A_ij B_jk C_ki = Tr(A B C), sum m_i A_ij v_j = m^T A v, and an index that nothing uses gives d1."""
    triangle = [entry("A", "i", "j"), entry("B", "j", "k"), entry("C", "k", "i")]
    assert monomial_of_index_sum(triangle, ["i", "j", "k"]) == ((closed_word(("A", "B", "C")),), 0)
    path = [coordinate("m", "i"), entry("A", "i", "j"), coordinate("v", "j")]
    assert monomial_of_index_sum(path, ["i", "j", "k"]) == ((open_word("m", ("A",), "v"),), 1)


# The ring of polynomials, truncated by degree

TAU = sp.Symbol("tau", positive=True)
SCALARS = {"rational": [sp.S.One], "with a parameter": [sp.S.One, TAU, 1 / TAU]}
RINGS = {name: Scalars(scalars) for name, scalars in SCALARS.items()}


def random_polynomial(rng, name, constant=True):
    domain = RINGS[name]
    zero = Polynomial(domain, 6, {})
    generators = [closed_word(("A",)), closed_word(("A", "B")), open_word("x", (), "x"), open_word("x", ("B",), "y")]
    scalars = [domain.convert(scalar) for scalar in SCALARS[name]]
    total = zero
    for _ in range(int(rng.integers(1, 6))):
        term = zero.constant(domain.rational(int(rng.integers(-5, 6)) or 1, int(rng.integers(1, 5))))
        term = term.scale(scalars[int(rng.integers(len(scalars)))])
        for _ in range(int(rng.integers(0 if constant else 1, 4))):
            term = term * zero.from_generator(generators[int(rng.integers(len(generators)))])
        total = total + term
    return total


def assert_zero(polynomial, message):
    assert not polynomial, f"{list(polynomial.terms())} is not zero; {message}"


@pytest.mark.parametrize("name", RINGS)
@pytest.mark.parametrize("seed", SEEDS)
def test_polynomials_form_a_commutative_ring(seed, name):
    """Sums and products associate, commute and distribute, after truncation too."""
    rng = np.random.default_rng(seed)
    a, b, c = (random_polynomial(rng, name) for _ in range(3))
    one = a.constant(a.domain.one)
    for identity in (
        (a * b) * c - a * (b * c),
        a * b - b * a,
        a * (b + c) - a * b - a * c,
        (a + b) + c - (c + b) - a,
        a * one - a,
        a.power(3) - a * a * a,
        a.power(0) - one,
        a.scale(a.domain.rational(3)) - a - a - a,
    ):
        assert_zero(identity, f"{name}, seed={seed}")


@pytest.mark.parametrize("seed", SEEDS)
def test_truncation_is_a_ring_homomorphism(seed):
    """Truncating a product at a lower order is the product of the truncations: nothing above the order flows back."""
    rng = np.random.default_rng(seed)
    a, b = (random_polynomial(rng, "rational") for _ in range(2))
    low = Polynomial(a.domain, 4, {})
    truncated = low.from_terms(dict((a * b).terms()))
    assert_zero(truncated - low.from_terms(dict(a.terms())) * low.from_terms(dict(b.terms())), f"seed={seed}")
    assert max((a * b).parts, default=0) <= 6


def test_a_square_without_its_cross_term_is_caught():
    """(a + b)^2 is not a^2 + b^2."""
    rng = np.random.default_rng(0)
    a, b = (random_polynomial(rng, "rational") for _ in range(2))
    with pytest.raises(AssertionError, match="is not zero"):
        assert_zero((a + b).power(2) - a.power(2) - b.power(2), "planted")


# Power series


@pytest.mark.parametrize("name", RINGS)
@pytest.mark.parametrize("seed", SEEDS)
def test_series_obey_the_rules_of_their_functions(seed, name):
    """exp(log(1+u)) = 1+u, (1+u)^{1/2} squared = 1+u, (1+u)^{-1} (1+u) = 1, exp(u+v) = exp u exp v, and the log of it."""
    rng, domain = np.random.default_rng(seed), RINGS[name]
    u, v = (random_polynomial(rng, name, constant=False) for _ in range(2))
    one = u.constant(domain.one)
    inverse_factorials = [domain.rational(1, factorial(k)) for k in range(4)]
    for identity in (
        series.exponential(series.logarithm(u)) - one - u,
        series.logarithm(series.exponential(u) - one) - u,
        series.binomial(u, domain.rational(1, 2)).power(2) - one - u,
        series.binomial(u, domain.rational(-1)) * (one + u) - one,
        series.exponential(u + v) - series.exponential(u) * series.exponential(v),
        series.logarithm(u + v + u * v) - series.logarithm(u) - series.logarithm(v),
        series.compose(inverse_factorials, u) - series.exponential(u),
    ):
        assert_zero(identity, f"{name}, seed={seed}")


def test_powers_with_a_symbol_in_the_exponent_add():
    """(1+u)^tau (1+u)^{1-tau} = 1+u."""
    domain = RINGS["with a parameter"]
    u, tau = random_polynomial(np.random.default_rng(3), "with a parameter", constant=False), domain.convert(TAU)
    both = series.binomial(u, tau) * series.binomial(u, domain.one - tau)
    assert_zero(both - u - u.constant(domain.one), "symbolic exponent")


def test_a_wrong_root_is_caught():
    """The square of (1+u)^{0.52} is not 1+u."""
    u = random_polynomial(np.random.default_rng(0), "rational", constant=False)
    root = series.binomial(u, u.domain.rational(13, 25))
    with pytest.raises(AssertionError, match="is not zero"):
        assert_zero(root.power(2) - u - u.constant(u.domain.one), "planted")


@pytest.mark.parametrize("function", [series.exponential, series.logarithm])
def test_a_series_needs_an_argument_that_vanishes_at_the_origin(function):
    """A constant term would put infinitely many powers into one degree."""
    one = Polynomial(Scalars(), 4, {}).constant(Scalars().one)
    with pytest.raises(ValueError, match="without constant term"):
        function(one)
