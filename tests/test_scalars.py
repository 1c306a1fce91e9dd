"""Normal forms of coefficients: the relations they must know, and that equality does not depend on the ring."""

import numpy as np
import pytest
import sympy as sp

from symscape.algebra.atoms import exact
from symscape.algebra.modular import is_zero_modulo_prime
from symscape.algebra.scalars import Scalars
from symscape.errors import InputError

epsilon, tau, n, alpha = sp.symbols("epsilon tau n alpha", positive=True)
b = sp.Symbol("b", real=True)
half, third = sp.Rational(1, 2), sp.Rational(1, 3)

#: Pairs of equal scalars, each a relation that the normal form must know.
EQUAL = {
    "a root squared is its radicand": ((epsilon + 1) / sp.sqrt(epsilon), sp.sqrt(epsilon) + 1 / sp.sqrt(epsilon)),
    "roots of a parameter share one generator": (
        epsilon**half + epsilon**third,
        epsilon**third * (1 + epsilon ** (third / 2)),
    ),
    "the root of a number": ((1 + sp.sqrt(2)) ** 2, 3 + 2 * sp.sqrt(2)),
    "roots of integers multiply": (sp.sqrt(2) * (sp.sqrt(3) + 1), sp.sqrt(6) + sp.sqrt(2)),
    "a root leaves the denominator": (1 / (1 + sp.sqrt(2)), sp.sqrt(2) - 1),
    "a cube root leaves the denominator": (1 / (1 + 2**third), (1 - 2**third + 2 ** (2 * third)) / 3),
    "the root of a polynomial": (1 / sp.sqrt(1 + tau) + tau / sp.sqrt(1 + tau), sp.sqrt(1 + tau)),
    "a nested root": (1 / (1 + sp.sqrt(1 + sp.sqrt(2))), (sp.sqrt(1 + sp.sqrt(2)) - 1) / sp.sqrt(2)),
    "exponentials multiply": (sp.exp(2 * b) - 1, (sp.exp(b) - 1) * (sp.exp(b) + 1)),
    "an exponential of a sum": (sp.exp(b + tau), sp.exp(b) * sp.exp(tau)),
    "a half exponential": (sp.exp(b / 2) ** 2 + sp.exp(-b / 2), sp.exp(-b / 2) * (1 + sp.exp(3 * b / 2))),
    "softplus by reflection": (sp.log(1 + sp.exp(-b)), sp.log(1 + sp.exp(b)) - b),
    "sigmoid by reflection": (1 / (1 + sp.exp(-b)), sp.exp(b) / (1 + sp.exp(b))),
    "sigmoids of b and -b sum to 1": (1 / (1 + sp.exp(-b)) + 1 / (1 + sp.exp(b)), sp.S.One),
    "tanh in exponentials": (sp.tanh(b), 1 - 2 / (sp.exp(2 * b) + 1)),
    "tanh and sech": (sp.tanh(b) ** 2 + 1 / sp.cosh(b) ** 2, sp.S.One),
    "logarithm of a product": (sp.log(2 * n + 2), sp.log(2) + sp.log(n + 1)),
    "logarithm of a power": (sp.log(4) + sp.log((1 + tau) ** 2), 2 * sp.log(2) + 2 * sp.log(1 + tau)),
    "logarithm of a quotient": (sp.log(tau / (n + 1)), sp.log(tau) - sp.log(n + 1)),
    "partial fractions": (1 / (n * (n + 1)), 1 / n - 1 / (n + 1)),
    "a common factor cancels": ((n**2 - 1) / (n + 1), n - 1),
    "falling factorials over powers": (n * (n - 1) / (n + 1) ** 2, 1 - 3 / (n + 1) + 2 / (n + 1) ** 2),
    "powers with a symbol in the exponent": (tau ** (alpha + 1), tau * tau**alpha),
    "their squares": (tau ** (2 * alpha) - 1, (tau**alpha - 1) * (tau**alpha + 1)),
    "powers of a product": ((2 * tau) ** alpha, 2**alpha * tau**alpha),
    "transcendental numbers stand as they are": ((sp.pi + 1) ** 2 - 1, sp.pi * (sp.pi + 2)),
    "epsilon and its root together": ((epsilon - 1) / (sp.sqrt(epsilon) - 1), sp.sqrt(epsilon) + 1),
}


def assert_equal_scalars(left, right, others=()):
    ring = Scalars([left, right, *others])
    assert ring.is_zero(ring.convert(left) - ring.convert(right)), f"{left} is not {right}"


@pytest.mark.parametrize("name", EQUAL)
def test_equal_coefficients_have_equal_normal_forms(name):
    """Two expressions of one number, which SymPy leaves different, differ by a coefficient whose normal form is zero."""
    assert EQUAL[name][0] != EQUAL[name][1]
    assert_equal_scalars(*EQUAL[name])


@pytest.mark.parametrize("name", EQUAL)
def test_equality_does_not_depend_on_the_ring(name):
    """The relation holds in a ring that knows many other scalars, among them higher roots of the same ones."""
    others = [
        epsilon ** (half / 6),
        sp.exp(b / 4),
        sp.sqrt(6),
        sp.log(n + 1),
        1 / (n + 2),
        tau**third,
        sp.sqrt(1 + tau),
    ]
    assert_equal_scalars(*EQUAL[name], others)


@pytest.mark.parametrize("name", EQUAL)
def test_unequal_coefficients_are_told_apart(name):
    """Three per cent on one side of any of the relations is caught, and so is a term too much."""
    left, right = EQUAL[name]
    with pytest.raises(AssertionError, match="is not"):
        assert_equal_scalars(left, right * sp.Rational(103, 100))
    with pytest.raises(AssertionError, match="is not"):
        assert_equal_scalars(left, right + epsilon / 1000)


@pytest.mark.parametrize("name", EQUAL)
def test_the_normal_form_agrees_with_residues_modulo_a_prime(name):
    """An independent witness calls the same pairs equal and unequal."""
    (left, right), rng = EQUAL[name], np.random.default_rng(1)
    assert is_zero_modulo_prime([((), left), ((), -right)], rng)
    assert not is_zero_modulo_prime([((), left), ((), -right * sp.Rational(103, 100))], rng)


def random_scalar(rng, depth=3):
    atoms = [epsilon, tau, sp.sqrt(epsilon), sp.exp(b), sp.exp(-b), sp.log(1 + sp.exp(b)), sp.sqrt(1 + tau), sp.sqrt(2)]
    if depth == 0:
        return [*atoms, 1 / (n + 1), sp.Integer(2), sp.Rational(-2, 3)][int(rng.integers(len(atoms) + 3))]
    left, right = (random_scalar(rng, depth - 1) for _ in range(2))
    return [left + right, left - right, left * right, 1 / (3 + left**2)][int(rng.integers(4))]


@pytest.mark.parametrize("seed", range(12))
def test_arithmetic_in_the_ring_is_arithmetic_of_expressions(seed):
    """convert(x) convert(y) + convert(x) = convert(x y + x), and the expression of an element converts back to it."""
    rng = np.random.default_rng(seed)
    x, y = random_scalar(rng, 2), random_scalar(rng, 2)
    ring = Scalars([x, y, x * y + x])
    made = ring.convert(x) * ring.convert(y) + ring.convert(x)
    assert ring.is_zero(made - ring.convert(x * y + x)), f"seed={seed}: {x} and {y}"
    assert_equal_scalars(ring.expression(made), x * y + x)
    at = {epsilon: 0.7, tau: 1.3, n: 2.5, b: -0.4}
    assert sp.N((ring.expression(made) - x * y - x).subs(at)) == pytest.approx(0, abs=1e-9), f"seed={seed}"


def test_expressions_are_reduced_and_factored():
    """The normal form has no common factor, no square root of a number below the line, and roots as they were typed."""
    shown = {
        (n**2 - 1) / (n + 1): n - 1,
        1 / (1 + sp.sqrt(2)): 1 / (1 + sp.sqrt(2)),
        sp.sqrt(epsilon) ** 3 / epsilon: sp.sqrt(epsilon),
        tau**2 + 2 * tau + 1: (tau + 1) ** 2,
    }
    for scalar, normal in shown.items():
        ring = Scalars([scalar])
        assert ring.expression(ring.convert(scalar)) == normal


def test_without_parameters_the_ring_is_the_rationals():
    """Numbers need no polynomial: elements are plain rationals."""
    ring = Scalars([sp.Rational(2, 3)])
    assert ring.convert(sp.Rational(2, 3)) == ring.rational(2, 3)
    assert ring.rational(1, 2) + ring.rational(1, 2) == ring.one
    assert ring.expression(ring.rational(-3, 4)) == sp.Rational(-3, 4)


@pytest.mark.parametrize("scalar", [sp.oo, sp.nan, sp.zoo, sp.I, 1 + sp.I, sp.sqrt(-2), tau + sp.oo * b, sp.I * tau])
def test_non_finite_and_complex_scalars_are_rejected(scalar):
    """A coefficient is a finite real number."""
    with pytest.raises(InputError, match="not a finite real scalar"):
        Scalars([scalar])


def test_a_scalar_that_the_ring_was_not_made_for_is_refused():
    """A ring knows the scalars it was made for, and all rational numbers."""
    with pytest.raises(KeyError, match="not among the scalars"):
        Scalars([tau]).convert(epsilon)


def test_floats_are_the_rationals_that_they_print_as():
    """0.1 means 1/10, not the binary fraction next to it; so do floats within expressions and NumPy scalars."""
    assert exact(0.1) == sp.Rational(1, 10)
    assert exact(np.float64(1e-4)) == sp.Rational(1, 10000)
    assert exact(0.3 * tau) == sp.Rational(3, 10) * tau
    assert exact(np.int64(3)) == 3


@pytest.mark.parametrize("value", ["tau", b"1", True, None, [1, 2], object()])
def test_what_is_no_number_is_rejected(value):
    """A name is no parameter until it is a symbol."""
    with pytest.raises(InputError, match="is not a number"):
        exact(value)
