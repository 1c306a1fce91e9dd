"""Losses on batches: against the landscape in standard errors, derivatives, moments in place of rows, refusals."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape.errors import InputError, MomentsError, UnknownNameError
from symscape.losses.batch import BatchForm, Expression
from symscape.sampling.evaluator import Estimate
from symscape.sampling.forms import _MAKERS, evaluator_of
from symscape.sampling.sampled_loss import SampledLoss, sampled_loss

x, xp, chi = ss.anchor, ss.positive, ss.negative
dot, sqdist, sqnorm, E = ss.dot, ss.sqdist, ss.sqnorm, ss.E
i, j = ss.outputs("i j")
gamma = sp.Symbol("gamma", positive=True)


def as_users_own(loss):
    """The same expression, of which nothing else is known."""
    return ss.Loss(loss.expr, loss.name)


def softplus(u):
    return sp.log(1 + sp.exp(u))


class Case(NamedTuple):
    """A loss, the size of Tr P at which its series of this order is good to what the sample sees, and the batch size."""

    loss: ss.Loss
    size: float
    order: int
    rows: int = 120


CASES = {
    "infonce": Case(ss.InfoNCE(tau=0.75), 0.1, 8),
    "infonce-dot": Case(ss.InfoNCE(tau=0.75, similarity="dot"), 0.2, 8),
    "infonce-two-negatives": Case(ss.InfoNCE(tau=0.75, n=2), 0.1, 8),
    "ntxent": Case(ss.NTXent(tau=0.75, epsilon=1), 0.02, 8),
    "spectral": Case(ss.SpectralContrastive(), 1, 4),
    "barlow-twins-raw": Case(ss.BarlowTwins(lambda_=0.25), 0.5, 4),
    "barlow-twins": Case(ss.BarlowTwins(lambda_=0.25, epsilon=1), 0.1, 8),
    "vicreg": Case(ss.VICReg(lambda_=5, mu=3, nu=2, epsilon=0.25), 0.05, 8),
    "own-infonce": Case(as_users_own(ss.InfoNCE(tau=0.75)), 0.1, 8),
    "own-two-negatives": Case(as_users_own(ss.InfoNCE(tau=0.75, n=2)), 0.1, 8, 240),
    "own-ntxent": Case(as_users_own(ss.NTXent(tau=0.75, epsilon=1)), 0.02, 8),
    "own-spectral": Case(as_users_own(ss.SpectralContrastive()), 1, 4),
    "own-barlow-twins": Case(as_users_own(ss.BarlowTwins(lambda_=0.25, epsilon=1)), 0.1, 8),
    "own-vicreg": Case(as_users_own(ss.VICReg(lambda_=5, mu=3, nu=2, epsilon=0.25)), 0.05, 8),
    "align-uniform": Case(ss.Loss(E(sqdist(x, xp)) + sp.log(E(sp.exp(-2 * sqdist(x, chi))))), 0.03, 8),
    "siglip": Case(ss.Loss(E(softplus(1 - 3 * dot(x, xp))) + E(softplus(3 * dot(x, chi) - 1))), 0.1, 8),
    "triplet": Case(ss.Loss(E(softplus(sp.Rational(1, 2) + sqdist(x, xp) - sqdist(x, chi)))), 0.05, 8),
    "three-data": Case(ss.Loss(E(sp.exp(dot(x, chi) * dot(chi, ss.View("chi2")) - dot(x, xp)))), 0.1, 8, 80),
}

BATCHES = 200


class Population:
    """Gaussian views with d0 = 3 and d1 = 2."""

    def __init__(self, seed: int, size: float):
        self.rng = np.random.default_rng(seed)
        self.root, noise = self.rng.normal(size=(2, 3, 3))
        self.noise = noise / 2
        self.W = self.rng.normal(size=(2, 3))
        self.A0 = self.root @ self.root.T
        self.Sigma = self.A0 + self.noise @ self.noise.T
        self.W *= np.sqrt(size / np.trace(self.W @ self.Sigma @ self.W.T))

    def draw(self, rows: int):
        datum = self.rng.normal(size=(rows, 3)) @ self.root.T
        return [datum + self.rng.normal(size=(rows, 3)) @ self.noise.T for _ in range(2)]


@lru_cache
def sampled(name):
    """Per batch: estimates, and loss minus landscape and quadratic part at the batch's moments, O(1/N) removed by halves."""
    case = CASES[name]
    views = Population(list(CASES).index(name), case.size)
    land = ss.landscape(case.loss, order=case.order)
    f, quadratic = land.numpy(), land.part(2).numpy()
    estimates, gaps = [], []

    def gap(a, b):
        cross = a.T @ b / len(a)
        moments = {"A0": (cross + cross.T) / 2, "Sigma": (a.T @ a + b.T @ b) / (2 * len(a))}
        value = SampledLoss(case.loss, a, b).value(views.W)
        return np.array([value - f(views.W, **moments), quadratic(views.W, **moments)])

    for _ in range(BATCHES):
        a, b = views.draw(case.rows)
        half = case.rows // 2
        with pytest.MonkeyPatch.context() as patch:  # influences as they are: leaving out groups too has its own tests
            patch.setattr("symscape.sampling.sampled_loss.MOST", 0)
            estimates.append(sampled_loss(case.loss, a, b, views.W))
        gaps.append(2 * gap(a, b) - (gap(a[:half], b[:half]) + gap(a[half:], b[half:])) / 2)
    return estimates, np.array(gaps)


def assert_zero_in_standard_errors(differences, part):
    """Assert a mean of zero within 4 standard errors, and that 8 of them are below 2 % of a part of the landscape."""
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    assert 8 * error < 0.02 * abs(part), f"the sample is too small: {8 * error} for 2 % of {part}"
    assert abs(differences.mean()) < 4 * error, f"{differences.mean() / error:.1f} standard errors"


def assert_standard_error_is_the_spread(estimates, factor=1.0):
    """Assert the mean standard error within 15 % of the spread of the values."""
    spread = np.std([e.value for e in estimates], ddof=1)
    told = factor * np.sqrt(np.mean([e.standard_error**2 for e in estimates]))
    assert abs(told / spread - 1) < 0.15, f"standard error {told} for a spread of {spread}"


@pytest.mark.parametrize("name", CASES)
def test_the_sampled_loss_has_the_derived_landscape(name):
    """The catalogue through its forms, and through expressions as a user's own; users' losses."""
    _, gaps = sampled(name)
    assert_zero_in_standard_errors(gaps[:, 0], gaps[:, 1].mean())


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("name", CASES)
def test_two_percent_off_in_the_landscape_is_caught(name, sign):
    _, gaps = sampled(name)
    with pytest.raises(AssertionError, match="standard errors"):
        assert_zero_in_standard_errors(gaps[:, 0] + sign * 0.02 * gaps[:, 1], gaps[:, 1].mean())


@pytest.mark.parametrize("name", CASES)
def test_the_standard_error_is_the_spread_over_batches(name):
    assert_standard_error_is_the_spread(sampled(name)[0])


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_a_standard_error_that_forgets_the_negatives_is_caught(factor):
    """sqrt(2) is what counting only anchors, or both views as data, makes of it."""
    with pytest.raises(AssertionError, match="for a spread"):
        assert_standard_error_is_the_spread(sampled("infonce")[0], factor)


def features(rows=40, columns=4, dtype=np.float64):
    rng = np.random.default_rng(2)
    a = rng.normal(size=(rows, columns))
    return (
        a.astype(dtype),
        (a + rng.normal(size=a.shape) / 2).astype(dtype),
        rng.normal(size=(3, columns)).astype(dtype) / 2,
    )


LOSSES = {name: case.loss for name, case in CASES.items()} | {
    "decayed": ss.InfoNCE(tau=0.5) + ss.WeightDecay(0.25),
    "own-decay": ss.Loss(E(sqdist(x, xp)) * sp.exp(-ss.weight_norm()) + ss.weight_norm() ** 2),
    "times-d1": ss.d_1 * ss.SpectralContrastive() - 2 * ss.BarlowTwins(epsilon=0.1) / ss.d_1,
}


@pytest.mark.parametrize("name", LOSSES)
def test_the_derivative_by_W(name):
    """By central differences in a random direction; for features times W it is the chain rule from rows or moments."""
    a, b, W = features()
    loss = SampledLoss(LOSSES[name], a, b)
    value, by_W = loss.value_and_gradient(W)
    assert abs(value - loss.value(W)) <= 1e-12 * abs(value)
    assert abs(value - loss.estimate(W).value) <= 1e-10 * abs(value)
    D, h = np.random.default_rng(3).normal(size=W.shape), 1e-5
    difference = (loss.value(W + h * D) - loss.value(W - h * D)) / (2 * h)
    assert by_W.shape == W.shape
    assert abs(np.sum(by_W * D) - difference) < 1e-6 * np.sum(abs(by_W * D))


@pytest.mark.parametrize("name", [n for n in LOSSES if "decay" not in n])
def test_features_with_W_are_representations(name):
    """L(phi, W) = L(W phi, nothing), value and, by the chain rule, gradient."""
    a, b, W = features()
    value, by_W = SampledLoss(LOSSES[name], a, b).value_and_gradient(W)
    own, (by_a, by_b) = SampledLoss(LOSSES[name], a @ W.T, b @ W.T).value_and_gradient()
    assert abs(value - own) <= 1e-10 * max(1, abs(own))
    assert np.allclose(by_W, by_a.T @ a + by_b.T @ b, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    "name", ["barlow-twins", "barlow-twins-raw", "vicreg", "own-barlow-twins", "own-vicreg", "own-decay"]
)
def test_steps_with_moments_do_not_read_the_rows(name, monkeypatch):
    """After the first call, losses of second moments need W alone."""
    a, b, W = features()
    loss = SampledLoss(LOSSES[name], a, b)
    loss.value(W)
    expected = SampledLoss(LOSSES[name], a, b).value_and_gradient(2 * W)
    monkeypatch.setattr(loss, "_features", lambda name: pytest.fail("the rows were read"))
    value, by_W = loss.value_and_gradient(2 * W)
    assert value == expected[0]
    assert np.array_equal(by_W, expected[1])
    with pytest.raises(pytest.fail.Exception):
        loss.estimate(W)


@pytest.mark.parametrize("name", ["barlow-twins", "vicreg", "own-barlow-twins", "own-vicreg"])
def test_digits_that_moments_lose_are_in_the_rows(name):
    """Features far from zero: the variance of an output is beyond the digits of its square, not of the output."""
    a, b, W = features()
    value, by_W = SampledLoss(LOSSES[name], a, b).value_and_gradient(W)
    far, gradient = SampledLoss(LOSSES[name], a + 1e7, b + 1e7).value_and_gradient(W)
    assert abs(far - value) < 1e-6 * abs(value)
    assert np.allclose(gradient, by_W, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_float32_stays(name):
    """Gradients of the type of the arrays, values to their digits."""
    a, b, W = features()
    value, by_W = SampledLoss(LOSSES[name], a.astype("f4"), b.astype("f4")).value_and_gradient(W)
    expected, gradient = SampledLoss(LOSSES[name], a, b).value_and_gradient(W)
    assert by_W.dtype == np.float32
    assert isinstance(value, float)
    assert abs(value - expected) < 1e-5 * max(1, abs(expected))
    assert np.allclose(by_W, gradient, rtol=1e-3, atol=1e-4)


def test_parameters_by_name():
    """A symbol takes its number by name, with an underscore where Python needs one, or in params=."""
    a, b, _ = features()
    expected = sampled_loss(ss.VICReg(lambda_=3, mu=2, nu=1, epsilon=0.25), a, b)
    symbolic = ss.VICReg.symbolic()
    assert sampled_loss(symbolic, a, b, lambda_=3, mu=2, nu=1, epsilon=0.25) == expected
    symbols = symbolic.parameters
    params = {symbols["lambda"]: 3, "mu": 2, symbols["nu"]: 1, "unused": 7}
    assert sampled_loss(symbolic, a, b, params=params, epsilon=0.25) == expected
    finite = sampled_loss(ss.InfoNCE.symbolic(), a, b, tau=0.5, n=2)
    assert finite == sampled_loss(ss.InfoNCE(tau=0.5, n=2), a, b)


def test_symbols_of_the_population_alone_need_no_number():
    """The number of negatives of a pairwise loss is the batch's own; it may be given all the same."""
    a, b, _ = features()
    n = sp.Symbol("n", positive=True)
    loss = ss.Loss(n * E(sqdist(x, chi)), batch=ss.SpectralContrastive().batch)
    assert sampled_loss(loss, a, b) == sampled_loss(loss, a, b, n=3) == sampled_loss(ss.SpectralContrastive(), a, b)


def test_more_views_than_two():
    """A third crop, or a clean view, has an array of its own, and goes through W like the others."""
    a, b, W = features()
    x3 = ss.View("x3", of=x)
    loss = ss.Loss(E(sqdist(x, xp)) + E(sqdist(x, x3)))
    third = SampledLoss(loss, a, b, views={"x3": b + 1})
    expected = np.mean(np.sum(((a - b) @ W.T) ** 2, 1)) + np.mean(np.sum(((a - b - 1) @ W.T) ** 2, 1))
    value, by_W = third.value_and_gradient(W)
    assert abs(value - expected) < 1e-12
    D = (a - b - 1).T @ (a - b - 1) + (a - b).T @ (a - b)
    assert np.allclose(by_W, 2 * W @ D / len(a))
    with pytest.raises(InputError, match="views="):
        SampledLoss(loss, a, b).value(W)


def test_the_estimate_of_an_expression_without_data():
    """Weight decay alone has no error."""
    a, b, W = features()
    assert sampled_loss(ss.WeightDecay(2), a, b, W) == Estimate(2 * float(np.sum(W**2)), 0.0)


class Nameless(BatchForm):
    """A form that nothing computes."""


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"loss": 0.5}, InputError, "the first argument is a Loss"),
        ({"a": np.zeros((40, 3))}, InputError, r"a has shape \(40, 3\) and b \(40, 4\)"),
        ({"a": np.zeros(40)}, InputError, "one row for each datum"),
        ({"a": [[1, 2], [3]]}, InputError, "rows of equal length"),
        (
            {"a": np.ones((1, 40)), "b": np.ones((1, 40))},
            InputError,
            r"a has shape \(1, 40\), N x d .* at least two data",
        ),
        ({"a": np.full((40, 4), "q")}, InputError, "give real numbers"),
        ({"a": np.full((40, 4), 1j)}, InputError, "give real numbers"),
        ({"a": np.where(np.arange(160).reshape(40, 4) == 13, np.nan, 0.0)}, InputError, r"a\[3, 1\] is nan"),
        ({"b": np.where(np.arange(160).reshape(40, 4) == 2, -np.inf, 0.0)}, InputError, r"b\[0, 2\] is -inf"),
        ({"W": np.ones((4, 3))}, MomentsError, "d1 x 4; it looks transposed"),
        ({"W": np.ones(4)}, MomentsError, "d1 x 4"),
        ({"W": np.full((3, 4), np.inf)}, InputError, r"W\[0, 0\] is inf"),
        ({"loss": ss.WeightDecay(1), "W": None}, InputError, "weight decay is a function of W; give W"),
        ({"loss": ss.Loss(ss.weight_norm()), "W": None}, InputError, "norm of W; give W"),
        ({"loss": ss.NTXent.symbolic()}, UnknownNameError, r"tau|epsilon"),
        ({"tau": 2}, UnknownNameError, "no parameter 'tau'; it has: none"),
        ({"loss": ss.InfoNCE.symbolic(), "tau": "warm", "n": 2}, InputError, "tau='warm' is not a number"),
        ({"loss": ss.InfoNCE.symbolic(), "tau": -1, "n": 2}, InputError, "tau=-1 is positive"),
        ({"loss": ss.InfoNCE.symbolic(), "tau": 1, "n": 2.5}, InputError, "n=2.5 is an integer"),
        ({"loss": ss.InfoNCE.symbolic(), "tau": np.nan, "n": 2}, InputError, "not finite"),
        ({"loss": ss.InfoNCE.symbolic(), "params": {"tau": 1}, "tau": 1, "n": 2}, InputError, "given twice"),
        (
            {"loss": ss.Loss(E(sqnorm(x)), batch=((sp.S.One, Nameless()),))},
            InputError,
            "no evaluator computes this form",
        ),
    ],
)
def test_bad_input_is_refused(change, error, message):
    """In words, before anything is computed."""
    a, b, W = features()
    arguments = {"loss": ss.SpectralContrastive(), "a": a, "b": b, "W": W} | change
    loss, z_a, z_b = (arguments.pop(name) for name in ("loss", "a", "b"))
    with pytest.raises(error, match=message):
        sampled_loss(loss, z_a, z_b, **arguments)


def test_every_form_has_an_evaluator():
    """Forms of the language of batches, apart from decay, which needs no rows."""
    from symscape.losses import batch

    forms = {f for f in vars(batch).values() if isinstance(f, type) and issubclass(f, BatchForm)} - {
        BatchForm,
        batch.Decay,
    }
    assert forms - {batch.FirstOutputs} == set(_MAKERS)
    assert evaluator_of(batch.FirstOutputs(batch.Spectral(), sp.Integer(1))).value(*np.eye(2)[:, :, None]) == 0.5
    assert Expression in forms


def test_integers_and_lists_are_arrays():
    rows = [[1, 0], [0, 2], [1, 1]]
    assert (
        SampledLoss(ss.SpectralContrastive(), rows, rows).value()
        == SampledLoss(ss.SpectralContrastive(), np.array(rows, float), np.array(rows, float)).value()
    )
