"""The zero test modulo a prime: an independent witness of equality, which agrees with the normal form."""

import numpy as np
import pytest
import sympy as sp

from symscape.algebra import modular
from symscape.algebra.graphs import monomial_of_index_sum
from symscape.algebra.modular import is_zero_modulo_prime, word_value
from symscape.algebra.scalars import Scalars
from symscape.algebra.words import entry
from symscape.landscape.landscape import landscape
from symscape.losses.barlow_twins import BarlowTwins
from symscape.losses.infonce import InfoNCE
from symscape.losses.language import E, dot, sqdist, sqnorm
from symscape.losses.loss import Loss, WeightDecay
from symscape.losses.ntxent import NTXent
from symscape.losses.spectral_contrastive import SpectralContrastive
from symscape.losses.vicreg import VICReg
from symscape.probability.data_models import CumulantViews, GaussianViews, MixtureViews
from symscape.probability.views import anchor, negative, positive

x, xp, chi = anchor, positive, negative
tau, epsilon, gamma = sp.symbols("tau epsilon gamma", positive=True)
b = sp.Symbol("b", real=True)
SEEDS = range(3)

SYMBOLIC = {
    "InfoNCE": (InfoNCE.symbolic(), 4, GaussianViews()),
    "InfoNCE at order 8": (InfoNCE(tau=tau), 8, GaussianViews()),
    "InfoNCE, mixture": (InfoNCE(tau=tau, similarity="dot"), 4, MixtureViews(2)),
    "InfoNCE, cumulants": (InfoNCE(tau=tau), 4, CumulantViews()),
    "NT-Xent": (NTXent.symbolic(), 6, GaussianViews()),
    "spectral with a mean": (SpectralContrastive() + WeightDecay(gamma), 4, GaussianViews(mean=True)),
    "Barlow Twins": (BarlowTwins.symbolic(), 6, GaussianViews()),
    "VICReg": (VICReg.symbolic(), 6, GaussianViews()),
    "SigLIP": (Loss(E(sp.log(1 + sp.exp(b - dot(x, xp) / tau)))), 4, GaussianViews()),
}


def negated(terms):
    return [(monomial, -coefficient) for monomial, coefficient in terms]


def assert_same_modulo_prime(left, right, seed=0):
    difference = [*left, *negated(right)]
    assert is_zero_modulo_prime(difference, np.random.default_rng(seed)), f"not the same, seed={seed}"


def disguised(land):
    """Return the terms with every trace turned and mirrored, and every coefficient expanded: equal, but typed otherwise."""
    terms = []
    for monomial, coefficient in land.terms:
        words = [("tr", g[1][1:] + g[1][:1]) if g[0] == "tr" else g for g in monomial]
        words = [("tr", g[1][::-1]) if g[0] == "tr" else g for g in words]
        terms.append((tuple(reversed(words)), sp.expand(coefficient)))
    return terms


@pytest.mark.parametrize("name", SYMBOLIC)
@pytest.mark.parametrize("seed", SEEDS)
def test_equal_landscapes_are_equal_modulo_a_prime(name, seed):
    """A landscape less itself, its words turned and its coefficients expanded, vanishes at a random point."""
    loss, order, data = SYMBOLIC[name]
    land = landscape(loss, order=order, data=data)
    assert_same_modulo_prime(land.terms, disguised(land), seed)


@pytest.mark.parametrize("name", SYMBOLIC)
def test_perturbed_landscapes_differ_modulo_a_prime(name):
    """Three per cent on any one coefficient, and any one term left out, is seen."""
    loss, order, data = SYMBOLIC[name]
    terms = list(landscape(loss, order=order, data=data).terms)
    for k, (monomial, coefficient) in enumerate(terms):
        for wrong in ([(monomial, sp.Rational(103, 100) * coefficient)], []):
            with pytest.raises(AssertionError, match="not the same"):
                assert_same_modulo_prime(terms, [*terms[:k], *wrong, *terms[k + 1 :]], seed=k)


PAIRS = {
    "a sum of losses": (
        InfoNCE(tau=tau) + 2 * SpectralContrastive(),
        2 * SpectralContrastive() + InfoNCE(tau=tau),
        True,
    ),
    "distances are inner products": (
        Loss(E(sqdist(x, chi) ** 2)),
        Loss(E((sqnorm(x) + sqnorm(chi) - 2 * dot(x, chi)) ** 2)),
        True,
    ),
    "softplus by reflection": (
        Loss(E(sp.log(1 + sp.exp(b + dot(x, xp))))),
        Loss(E(sp.log(1 + sp.exp(-b - dot(x, xp))) + dot(x, xp)) + b),
        True,
    ),
    "tanh in exponentials": (
        Loss(E(sp.tanh(b + dot(x, xp)))),
        Loss(E(1 - 2 / (1 + sp.exp(2 * b + 2 * dot(x, xp))))),
        True,
    ),
    "temperature rescales": (InfoNCE(tau=tau), InfoNCE(tau=2 * tau), False),
    "similarities differ": (InfoNCE(tau=tau), InfoNCE(tau=tau, similarity="dot"), False),
    "raw is not normalised": (BarlowTwins(lambda_=tau), BarlowTwins(lambda_=tau, epsilon=epsilon), False),
    "one view is not the other": (Loss(E(dot(x, xp) ** 2)), Loss(E(dot(x, chi) ** 2)), False),
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_witness_agrees_with_the_normal_form(name):
    """Two landscapes are equal by their normal forms exactly when their difference vanishes modulo a prime."""
    left, right, equal = PAIRS[name]
    first, second = landscape(left, order=4), landscape(right, order=4)
    assert (first == second) is equal
    if equal:
        assert_same_modulo_prime(first.terms, second.terms)
    else:
        with pytest.raises(AssertionError, match="not the same"):
            assert_same_modulo_prime(first.terms, second.terms)


@pytest.mark.parametrize("seed", range(20))
def test_the_witness_agrees_with_the_normal_form_on_fuzzed_coefficients(seed):
    """Sums of products of random coefficients, regrouped, are zero for both; shifted by 1/1000, for neither."""
    rng = np.random.default_rng(seed)
    atoms = [
        tau,
        sp.sqrt(tau),
        1 / (1 + tau),
        sp.exp(b),
        sp.exp(-2 * b),
        sp.log(2 + 2 * tau),
        sp.sqrt(6),
        sp.sqrt(1 + tau),
    ]
    u, v, w = (
        atoms[int(k)] + int(c) for k, c in zip(rng.integers(len(atoms), size=3), rng.integers(5, size=3), strict=True)
    )
    zero = u * (v + w) ** 2 - sp.expand(u * v**2) - 2 * u * v * w - sp.together(u * w**2)
    for scalar, expected in ((zero, True), (zero + sp.Rational(1, 1000), False)):
        ring = Scalars([scalar])
        assert ring.is_zero(ring.convert(scalar)) is expected, f"seed={seed}: {scalar}"
        assert is_zero_modulo_prime([((), scalar)], rng) is expected, f"seed={seed}: {scalar}"


def test_roots_of_products_split():
    """sqrt(tau + tau^2) = sqrt(tau) sqrt(1 + tau) and sqrt((1+tau)^2) = 1 + tau, parameters being positive."""
    rng = np.random.default_rng(0)
    for left, right in (
        (sp.sqrt(tau + tau**2), sp.sqrt(tau) * sp.sqrt(1 + tau)),
        (sp.sqrt(tau**2 + 2 * tau + 1), 1 + tau),
        (sp.exp(b * sp.log(tau)), tau**b),
        (sp.Rational(2, 3) ** b, 2**b * 3 ** (-b)),
    ):
        assert left != right
        assert is_zero_modulo_prime([((), left), ((), -right)], rng)
        assert not is_zero_modulo_prime([((), left), ((), -right - epsilon)], rng)


def test_matrices_are_too_large_for_identities_between_traces():
    """Cayley-Hamilton: Tr A^3 - (3/2) Tr A Tr A^2 + (1/2) (Tr A)^3 vanishes for 2 x 2 matrices, yet it is not zero."""
    one, two, three = (("tr", ("A",) * k) for k in (1, 2, 3))
    terms = [((three,), 1), ((one, two), sp.Rational(-3, 2)), ((one, one, one), sp.Rational(1, 2))]
    R = np.array([[2, 3], [3, -7]], dtype=object)
    assert sum(c * sp.prod([word_value(g, {"A": R}, {}) for g in monomial]) for monomial, c in terms) == 0
    assert not is_zero_modulo_prime(terms, np.random.default_rng(0))


def test_index_sums_are_told_from_traces():
    """sum_ij A_ij^2 typed as an index sum is Tr A^2; sum_i A_ii^2 is not."""
    square = (("tr", ("A", "A")),)
    free, _ = monomial_of_index_sum([entry("A", "i", "j"), entry("A", "i", "j")], ["i", "j"])
    hadamard, _ = monomial_of_index_sum([entry("A", "i", "i"), entry("A", "i", "i")], ["i"])
    as_graph = (("graph", (("A", 0, 1), ("A", 1, 0)), ()),)
    assert_same_modulo_prime([(free, 1)], [(square, 1)])
    assert_same_modulo_prime([(as_graph, 1)], [(square, 1)])
    with pytest.raises(AssertionError, match="not the same"):
        assert_same_modulo_prime([(hadamard, 1)], [(square, 1)])


def test_the_squared_norm_of_the_weights_is_a_letter_of_its_own():
    """Tr(W W^T) is Tr(W S W^T) for no other S."""
    with pytest.raises(AssertionError, match="not the same"):
        assert_same_modulo_prime([((("tr", ("1",)),), 1)], [((("tr", ("Sigma",)),), 1)])


def test_what_has_no_value_is_refused(monkeypatch):
    """1/(1 - 1) has no residue at any prime, and a summand that is not yet integrated no value."""
    monkeypatch.setattr(modular, "ATTEMPTS", 5)
    zero = sp.Add(tau, -tau, evaluate=False)
    with pytest.raises(ArithmeticError, match="in 5 attempts"):
        is_zero_modulo_prime([((), sp.Pow(zero, -1, evaluate=False))], np.random.default_rng(0))
    with pytest.raises(ValueError, match="not a closed word"):
        word_value(entry("A", "i", "j"), {}, {})
