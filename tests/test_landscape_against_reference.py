"""Whole landscapes against the slow reference: at explicit rational W, A_0, Sigma both are the same exact numbers.

The engine derives words; the reference expands the loss in the coordinates of the features and knows no word.
"""

from fractions import Fraction
from math import factorial, prod

import numpy as np
import pytest
import sympy as sp

from symscape.algebra.modular import word_value
from symscape.algebra.words import IDENTITY, degree
from symscape.errors import InputError
from symscape.landscape.centring import in_second_moments
from symscape.landscape.landscape import landscape
from symscape.landscape.reference import ExplicitComponent, loss_series
from symscape.losses.barlow_twins import BarlowTwins
from symscape.losses.infonce import InfoNCE
from symscape.losses.language import E, M, P, d_1, dot, output_sum, outputs, sqdist, sqnorm, total, weight_norm
from symscape.losses.loss import Loss, WeightDecay
from symscape.losses.ntxent import NTXent
from symscape.losses.spectral_contrastive import SpectralContrastive
from symscape.losses.vicreg import VICReg
from symscape.probability.data_models import CumulantViews, GaussianViews, MixtureViews
from symscape.probability.expectation import set_partitions
from symscape.probability.reference import ExplicitGaussian
from symscape.probability.views import View, anchor, negative, positive

x, xp, chi, chi2 = anchor, positive, negative, View("chi2")
n = sp.Symbol("n", integer=True, positive=True)
quarter, third = sp.Rational(1, 4), sp.Rational(1, 3)

#: Name: (loss, numbers for its symbols). Roots of epsilon are rational where the reference multiplies by them.
CATALOGUE = {
    "InfoNCE": (InfoNCE(tau=sp.Rational(2, 3)), {}),
    "InfoNCE of dot products": (InfoNCE(tau=sp.Rational(2, 3), similarity="dot"), {}),
    **{f"InfoNCE, n = {k}": (InfoNCE(tau=2, n=k), {}) for k in (1, 2, 3)},
    **{f"InfoNCE of dot products, n = {k}": (InfoNCE(tau=2, n=k, similarity="dot"), {}) for k in (1, 2, 3)},
    **{f"InfoNCE with symbols, n = {k}": (InfoNCE.symbolic(), {"n": k, "tau": third}) for k in (1, 2, 3)},
    "InfoNCE of dot products with symbols": (InfoNCE.symbolic("dot"), {"n": 3, "tau": third}),
    "smooth NT-Xent": (NTXent(tau=sp.Rational(1, 2), epsilon=quarter), {}),
    "smooth NT-Xent with symbols": (NTXent.symbolic(), {"tau": third, "epsilon": 4 * quarter / 9}),
    "spectral": (SpectralContrastive(), {}),
    "Barlow Twins, raw": (BarlowTwins(lambda_=sp.Rational(3, 7)), {}),
    "Barlow Twins, normalised": (BarlowTwins(lambda_=sp.Rational(3, 7), epsilon=quarter), {}),
    "Barlow Twins with symbols": (BarlowTwins.symbolic(), {"lambda": sp.Rational(3, 7), "epsilon": third}),
    "VICReg": (VICReg(lambda_=3, mu=5, nu=2, epsilon=quarter), {}),
    "VICReg with symbols": (VICReg.symbolic(), {"lambda": 3, "mu": third, "nu": 2, "epsilon": quarter}),
    "spectral with weight decay": (SpectralContrastive() + WeightDecay(third), {}),
}
DATA = {
    "centred": GaussianViews(),
    "with a mean": GaussianViews(mean=True),
    "classes": MixtureViews(2, (quarter, 3 * quarter)),
}


def rationals(rng, *shape):
    """Return an array of small random Fractions."""
    pairs = zip(rng.integers(-3, 4, shape).flat, rng.integers(1, 4, shape).flat, strict=True)
    values = np.empty(shape, dtype=object)
    values.flat = [Fraction(int(p), int(q)) for p, q in pairs]
    return values


class Point:
    """Explicit rational numbers for W, b and every component of a data model, in words and for the reference."""

    def __init__(self, data, seed, d0=2, d1=2, bias=False):
        rng = np.random.default_rng([seed, d0, d1])
        W, b = rationals(rng, d1, d0), rationals(rng, d1)
        self.W = np.column_stack([W, b]) if bias else W
        self.moments, self.vectors, self.explicit = {IDENTITY: W @ W.T}, {}, []
        for component in data.components(bias):
            halves = {letter: rationals(rng, d0, d0) for letter in ("Sigma", "A_0")}
            covariances = {letter: half + half.T for letter, half in halves.items()}
            mean = rationals(rng, d0) * data.has_mean
            for letter, S in covariances.items():
                self.moments[component.letter(letter)] = W @ S @ W.T
            if component.mean:
                self.vectors[component.mean] = W @ mean + b * bias
            if bias:  # One feature more, constant 1.
                covariances = {
                    letter: np.pad(S, (0, 1), constant_values=Fraction(0)) for letter, S in covariances.items()
                }
                mean = np.append(mean, Fraction(1))
            self.explicit.append(ExplicitComponent(covariances, mean if component.mean else None, component.weight))

    def value(self, generator):
        return word_value(generator, self.moments, self.vectors)

    def values_by_degree(self, terms, order, numbers):
        """Return the values of the parts of degree 0, 2, ..., order of a landscape in words."""
        values = [sp.S.Zero] * (order // 2 + 1)
        for monomial, coefficient in terms:
            value = prod(map(self.value, monomial))
            values[sum(map(degree, monomial)) // 2] += coefficient.subs(numbers) * sp.Rational(value)
        return values


def assert_is_series_of(terms, loss, order, point, numbers, message=""):
    """The terms, evaluated, are the coefficients of t^0, t^2, ... of the loss at t W, exactly."""
    numbers = {**{symbol: numbers[str(symbol)] for symbol in loss.expr.free_symbols - {d_1}}, d_1: len(point.W)}
    expected = loss_series(loss.expr.subs(numbers), point.W, point.explicit, order)
    values = point.values_by_degree(terms, order, numbers)
    gaps = [sp.simplify(sp.expand_log(v - e, force=True)) for v, e in zip(values, expected, strict=True)]
    assert gaps == [0] * len(gaps), f"{loss}: differs by {gaps}; {message}"


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("order", [2, 4, 6])
def test_catalogue_landscapes_are_the_series_of_their_losses(name, order):
    """T1 at orders 2, 4, 6: the landscape of every catalogue loss is the Taylor series of L(tW) at t = 0."""
    loss, numbers = CATALOGUE[name]
    point = Point(GaussianViews(), seed=order)
    assert_is_series_of(landscape(loss, order=order).terms, loss, order, point, numbers)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_coefficient_three_per_cent_off_is_caught(name):
    """Any single coefficient of a landscape at order 4, changed by three per cent, is refused."""
    loss, numbers = CATALOGUE[name]
    point, terms = Point(GaussianViews(), seed=4), list(landscape(loss, order=4).terms)
    for k, (monomial, coefficient) in enumerate(terms):
        wrong = [*terms[:k], (monomial, coefficient * sp.Rational(103, 100)), *terms[k + 1 :]]
        with pytest.raises(AssertionError, match="differs by"):
            assert_is_series_of(wrong, loss, 4, point, numbers)


@pytest.mark.parametrize(("d0", "d1"), [(1, 1), (3, 1), (1, 3), (3, 3)])
@pytest.mark.parametrize("name", ["InfoNCE", "smooth NT-Xent", "Barlow Twins, normalised", "VICReg"])
def test_the_landscape_holds_in_every_dimension(name, d0, d1):
    """One derivation serves every number of features and outputs."""
    loss, numbers = CATALOGUE[name]
    point = Point(GaussianViews(), seed=1, d0=d0, d1=d1)
    assert_is_series_of(landscape(loss, order=4).terms, loss, 4, point, numbers, f"{d0=}, {d1=}")


@pytest.mark.parametrize("bias", [False, True], ids=["", "bias"])
@pytest.mark.parametrize("model", ["with a mean", "classes"])
@pytest.mark.parametrize("name", [name for name in CATALOGUE if "symbols" not in name and "decay" not in name])
def test_landscapes_with_means_classes_and_biases_are_the_series_of_their_losses(name, model, bias):
    """T8, T10: a mean, a mixture of two classes and a bias enter as they do feature by feature."""
    (loss, numbers), data = CATALOGUE[name], DATA[model]
    point = Point(data, seed=2, d0=1 if bias else 2, bias=bias)
    assert_is_series_of(landscape(loss, order=4, data=data, bias=bias).terms, loss, 4, point, numbers, model)


@pytest.mark.parametrize("name", ["InfoNCE", "smooth NT-Xent", "spectral"])
def test_second_moments_in_place_of_covariances_leave_the_value(name):
    """With S = S2 - m m^T in every word, the landscape in second moments has the same values."""
    (loss, numbers), data = CATALOGUE[name], DATA["with a mean"]
    point, land = Point(data, seed=3), landscape(loss, order=4, data=data)
    rewritten = in_second_moments(land.polynomial)
    terms = [(monomial, rewritten.domain.expression(c)) for monomial, c in rewritten.terms()]
    with pytest.raises(AssertionError, match="differs by"):  # Covariances where second moments are meant.
        assert_is_series_of(terms, loss, 4, point, numbers)
    mean = point.vectors["mean"]
    point.moments = {letter: moment + np.outer(mean, mean) for letter, moment in point.moments.items()}
    assert_is_series_of(terms, loss, 4, point, numbers)


# X7: losses that a user writes

i, j = outputs("i j")
clean, third_crop, chi_prime = View("s", of=anchor, moment="A_0"), View("x3", of=anchor), View("chi'", of=negative)
WRITTEN = {
    "alignment and uniformity": E(sqdist(x, xp)) + sp.log(E(sp.exp(-2 * sqdist(x, chi)))),
    "SigLIP": E(sp.log(1 + sp.exp(-dot(x, xp) - sp.log(2)))) + E(sp.log(1 + sp.exp(dot(x, chi) + sp.log(2)))),
    "hyperbolic": E(sp.tanh(dot(x, xp)) + sp.cosh(dot(x, chi))),
    "other functions": E(sp.atan(dot(x, xp)) * sp.cos(sqdist(x, chi)) + sp.asinh(sqnorm(x))),
    "a quotient of expectations": E(dot(x, xp)) / (1 + E(sqnorm(x))) ** 2,
    "a clean view and a third crop": E(
        sp.log(E(sp.exp(dot(clean, chi) + dot(third_crop, chi)), over=chi)) * dot(x, xp)
    ),
    "two views of a negative": E(sp.log(E(sp.exp(dot(chi, chi_prime) + dot(x, chi)), over=(chi, chi_prime)))),
    "nested expectations": E(E(dot(x, chi) ** 2 + E(dot(chi, chi2) ** 2, over=chi2), over=chi) * dot(x, xp)),
    "a loss of matrices": output_sum(P(i, j) * M(i, j) / sp.sqrt(quarter + P(i, i)), i, j) * weight_norm(),
    "a mean over copies": E(sp.sqrt(1 + total(sqdist(x, chi), chi, 3) / 3)),
    "a hinge": output_sum(sp.Max(0, 1 - P(i, i, centred=True)) ** 2, i) + output_sum(sp.Min(2, M(j, j)), j),
}


@pytest.mark.parametrize("model", DATA)
@pytest.mark.parametrize("name", WRITTEN)
def test_landscapes_of_written_losses_are_their_series(name, model):
    """X7: any loss built from expectations of functions of f(u).f(v) has the right series, with no code of its own."""
    loss, data = Loss(WRITTEN[name]), DATA[model]
    assert_is_series_of(landscape(loss, order=6, data=data).terms, loss, 6, Point(data, seed=5), {}, model)


def random_expression(rng, views, depth):
    """Return a random expression of the language, analytic at W = 0 with a rational value there."""
    if depth == 0:
        u, v = (views[int(k)] for k in rng.integers(len(views), size=2))
        factor = sp.Rational(int(rng.integers(1, 4)), int(rng.integers(-3, 0)))
        return factor * (sqdist(u, v) if u != v and rng.integers(2) else dot(u, v))
    inner = random_expression(rng, views, depth - 1)
    kind = int(rng.integers(8))
    if kind < 2:
        other = random_expression(rng, views, depth - 1)
        return inner + other if kind else inner + inner * other
    if kind < 5:
        return [sp.exp(inner) - 1, sp.log(1 + inner), 1 / sp.sqrt(4 + inner) - sp.Rational(1, 2)][kind - 2]
    fresh = [view for view in (chi, chi2) if view not in views]
    if kind == 5 or not fresh:
        return inner**2
    inner = dot(views[0], fresh[0]) + random_expression(rng, [*views, fresh[0]], depth - 1)
    if fresh[0] not in inner.atoms(View):
        return inner
    return E(inner, over=fresh[0]) if kind == 6 else sp.log(E(sp.exp(inner), over=fresh[0]))


@pytest.mark.parametrize("seed", range(40))
def test_random_losses_have_the_series_of_their_expressions(seed):
    """X7, fuzzed: random trees of sums, products, functions and conditional expectations agree at order 6."""
    rng = np.random.default_rng(seed)
    loss = Loss(E(dot(x, xp) + random_expression(rng, [x, xp], 3)))
    data = list(DATA.values())[seed % 3]
    assert_is_series_of(landscape(loss, order=6, data=data).terms, loss, 6, Point(data, seed), {}, f"seed={seed}")


# X4: any distribution, through its cumulants


class CumulantPoint(Point):
    """The same two classes as in `Point`, seen as one non-Gaussian distribution: all of it is joint cumulants."""

    def __init__(self, mean, seed):
        super().__init__(MixtureViews(2, (quarter, 3 * quarter)), seed)
        if not mean:
            self.explicit = [ExplicitComponent(c.covariances, None, c.weight) for c in self.explicit]
        W, G = self.W, self.W.T @ self.W
        self.features, names = range(W.shape[1]), {"Sigma": "x", "A_0": "x'"}
        first = np.array([self.cumulant([("x", a)]) for a in self.features], dtype=object)
        self.vectors = {"mean": W @ first} if mean else {}
        self.end = G @ first
        for letter, view in names.items():
            rows = [[self.cumulant([("x", a), (view, c)]) for c in self.features] for a in self.features]
            self.moments[letter] = W @ np.array(rows, dtype=object) @ W.T
        self.G = G

    def moment(self, legs):
        total = Fraction(0)
        for c in self.explicit:
            cross = {(u, v): c.covariances["Sigma" if u == v else "A_0"] for u in ("x", "x'") for v in ("x", "x'")}
            means = {} if c.mean is None else {"x": c.mean, "x'": c.mean}
            total += Fraction(int(c.weight.p), int(c.weight.q)) * ExplicitGaussian(cross, means).moment(legs)
        return total

    def cumulant(self, legs):
        """Return the joint cumulant of coordinates: sum over partitions of (-1)^(b-1) (b-1)! prod of moments of blocks."""
        return sum(
            (-1) ** (len(blocks) - 1) * factorial(len(blocks) - 1) * prod(map(self.moment, blocks))
            for blocks in set_partitions(legs)
        )

    def value(self, generator):
        if not generator[0].startswith("cumulant"):
            return super().value(generator)
        (u, v), second = generator[1]
        names, total = [u, v, *([second] if generator[0] == "cumulant3" else second)], Fraction(0)
        for at in np.ndindex(*[len(self.features)] * len(names)):
            last = self.G[at[2], at[3]] if len(at) == 4 else self.end[at[2]]
            total += self.G[at[0], at[1]] * last * self.cumulant(list(zip(names, at, strict=True)))
        return total


@pytest.mark.parametrize("mean", [False, True], ids=["centred", "with a mean"])
@pytest.mark.parametrize("name", ["InfoNCE", "InfoNCE of dot products, n = 2", "smooth NT-Xent", "spectral"])
def test_cumulants_carry_any_distribution_to_order_four(name, mean):
    """X4: with its third and fourth cumulants, a mixture of two Gaussians has the right quartic part; without, a wrong one."""
    loss, numbers = CATALOGUE[name]
    point = CumulantPoint(mean, seed=6)
    terms = landscape(loss, order=4, data=CumulantViews(mean=mean)).terms
    assert_is_series_of(terms, loss, 4, point, numbers)
    kept = [(m, c) for m, c in terms if not any(g[0].startswith("cumulant") for g in m)]
    if len(kept) < len(terms):
        with pytest.raises(AssertionError, match="differs by"):
            assert_is_series_of(kept, loss, 4, point, numbers)


# What the reference refuses


def test_the_reference_refuses_what_it_cannot_expand():
    """A symbolic number of copies, an irrational factor, a kink and a view that stays free are named, not guessed."""
    point = Point(GaussianViews(), seed=0)
    refused = {
        "substitute a number": E(total(dot(x, chi), chi, n)),
        "needs rational numbers": E(sp.exp(1 + dot(x, xp))),
        "stay free": dot(x, chi),
        "Max.* has a kink": output_sum(sp.Max(0, P(i, i)), i),
        "Abs.* has a kink": E(sp.Abs(dot(x, xp))),
        "as an exponential": E((1 + dot(x, xp)) ** dot(x, chi)),
    }
    for message, expr in refused.items():
        with pytest.raises(InputError, match=message):
            loss_series(expr, point.W, point.explicit, 4)
