"""How a training runs and stops, what it refuses, and the gradients it descends along."""

from dataclasses import replace

import numpy as np
import pytest

import symscape as ss
from symscape.losses.loss import WeightDecay
from symscape.training.coordinates import whitened
from symscape.training.hinges import Hinges, covariance_root
from symscape.training.objective import HeadObjective
from symscape.training.stochastic import levelled
from symscape.training.train_head import train_head


@pytest.fixture(scope="module")
def rows():
    """Two views of 60 correlated data of four features, with a mean."""
    rng = np.random.default_rng(3)
    s = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) + [1.0, 0.0, -0.5, 0.2]
    return tuple(s + 0.3 * rng.normal(size=s.shape) for _ in range(2))


def assert_gradient(function, V, rng):
    """Assert the slope along random directions by central differences of steps h and 2h, whose error is O(h^4)."""
    slope = function(V)[1]
    assert slope.shape == V.shape
    h = 2e-4
    for _ in range(6):
        along = rng.standard_normal(V.shape)
        v = {k: function(V + k * h * along)[0] for k in (-2, -1, 1, 2)}
        difference = (8 * (v[1] - v[-1]) - (v[2] - v[-2])) / (12 * h)
        assert abs(np.vdot(slope, along) - difference) < 1e-6 * max(np.linalg.norm(slope) * np.linalg.norm(along), 1e-3)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch", [60, 20])
@pytest.mark.parametrize("blind", ["nothing", "all", "each"])
@pytest.mark.parametrize(
    "loss", [ss.SpectralContrastive(), ss.InfoNCE(), ss.NTXent(tau=0.5), ss.VICReg(), ss.BarlowTwins(epsilon=1e-5)]
)
def test_gradients_are_slopes(rows, loss, blind, batch, bias):
    """Of the mean over batches, with decay, a bias and whitening, and outputs held at size 1: the gradient by differences."""
    rng = np.random.default_rng(7)
    a, b = (np.column_stack([x, np.ones(60)]) if bias else x for x in rows)
    objective = HeadObjective(loss, 3, 0.1, a, b, bias, [slice(k, k + batch) for k in range(0, 60, batch)])
    space = whitened(objective.second_moment, 0.2 * objective.decayed, objective.covariance, blind)
    V = 0.3 * rng.standard_normal((3, space.to_weights.shape[1]))
    assert_gradient(space.pulled(objective.value_and_gradient), V, rng)
    planted = space.pulled(replace(objective, gamma=0.101).value_and_gradient)
    with pytest.raises(AssertionError):
        assert_gradient(lambda V: (space.pulled(objective.value_and_gradient)(V)[0], planted(V)[1]), V, rng)


def test_the_objective_is_the_loss_of_batches_and_its_decay(rows):
    """The mean of SampledLoss over the batches, plus gamma |W|^2 of all columns but the bias."""
    a, b = (np.column_stack([x, np.ones(60)]) for x in rows)
    batches = [slice(0, 20), slice(20, 40), slice(40, 60)]
    W = np.random.default_rng(0).standard_normal((2, 5))
    value = HeadObjective(ss.InfoNCE(), 2, 0.1, a, b, True, batches).value_and_gradient(W)[0]
    mean = np.mean([ss.SampledLoss(ss.InfoNCE(), a[k], b[k]).value(W) for k in batches])
    assert value == pytest.approx(mean + 0.1 * (W[:, :4] ** 2).sum(), rel=1e-12)


def test_hinges_apart_are_the_loss(rows):
    """VICReg is its smooth part and its hinges; rounded hinges are below them, and equal at the right multipliers."""
    objective = HeadObjective(3 * ss.VICReg(), 3, 0.1, *rows, False, [slice(0, 30), slice(30, 60)])
    smooth, hinges = objective.hinges
    W = 0.5 * np.random.default_rng(1).standard_normal((3, 4))
    c = hinges.gaps(W)[0]
    assert c.shape == (4, 3) and (c > 0).any() and (c < 0).any()
    exact = hinges.weight * np.maximum(c, 0).sum()
    assert smooth.value_and_gradient(W)[0] + exact == pytest.approx(objective.value_and_gradient(W)[0], rel=1e-12)
    rho = hinges.weight / 0.1
    assert hinges.smooth(W, np.full(c.shape, hinges.weight / 2), rho)[0] < exact - 1e-3
    at_kink = np.where(c > 0, hinges.weight, 0.0)
    assert hinges.smooth(W, at_kink, rho)[0] == pytest.approx(exact, rel=1e-12)
    assert hinges.missing(W, at_kink) == pytest.approx(0.0, abs=1e-12)
    rng = np.random.default_rng(2)
    multipliers = hinges.weight * rng.random(c.shape)
    assert_gradient(lambda V: hinges.smooth(V, multipliers, rho)[:2], W, rng)


def test_a_root_of_the_covariance_has_as_many_rows_as_features(rows):
    """R^T R is the unbiased covariance, at a cost for each step that does not grow with N."""
    root = covariance_root(rows[0])
    assert root.shape == (4, 4)
    assert root.T @ root == pytest.approx(np.cov(rows[0].T))
    assert isinstance(Hinges([root], 1.0, 0.0).gaps(np.eye(4))[0], np.ndarray)


# How it runs


@pytest.mark.parametrize("method", ["L-BFGS", "SGD"])
def test_progress_and_history_tell_every_step(rows, method):
    """progress(step, value) once a step, the same in the history, whose first row is the start."""
    told = []
    head = train_head(
        ss.InfoNCE(), *rows, 2, method=method, steps=7, progress=lambda step, value: told.append((step, value))
    )
    assert head.steps == 7 and not head.converged
    assert head.history[0, 0] == 0
    assert head.history[1:].tolist() == [list(pair) for pair in told]


@pytest.mark.parametrize("loss", [ss.InfoNCE(), ss.VICReg()], ids=str)
@pytest.mark.parametrize("method", ["L-BFGS", "SGD"])
def test_an_interrupted_training_returns_what_it_has(rows, method, loss):
    """The keyboard's interrupt at step 3: the head of that step, marked as not converged."""

    def stop(step, value):
        if step == 3:
            raise KeyboardInterrupt

    head = train_head(loss, *rows, 2, method=method, progress=stop)
    assert (head.steps, head.converged, head.reason) == (3, False, "interrupted after 3 steps")
    assert head.value < head.value_at_start


def test_the_same_generator_makes_the_same_head(rows):
    """A seed decides start and batches; arrays given are left as they are."""
    given = [x.copy() for x in rows]
    heads = [
        train_head("lightly/ntxent", *rows, 2, method="SGD", steps=20, rng=np.random.default_rng(k)) for k in (1, 1, 2)
    ]
    assert (heads[0].W == heads[1].W).all() and (heads[0].W != heads[2].W).all()
    assert all((x == y).all() for x, y in zip(rows, given, strict=True))


def test_level_means_tell_noise_from_descent():
    """Epoch means that fall by many of their standard errors are no end of training; noise about a level is."""
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.standard_normal(400)
    falling = np.linspace(1.0, 0.0, 400)
    assert not levelled(falling + noise, 10)[0]
    assert levelled(np.exp(-np.arange(400) / 10) + noise, 10)[0]
    assert not levelled(falling[:30], 10)[0]


# What it refuses


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"d1": 0}, "d1=0"),
        ({"d1": 2.0}, "d1=2.0"),
        ({"method": "Adam"}, "choose one of 'L-BFGS', 'SGD'"),
        ({"weight_decay": -1}, "weight_decay=-1"),
        ({"weight_decay": "much"}, "'much' is not a number"),
        ({"batch_size": 61}, "batch_size=61 is more than the 60 rows"),
        ({"batch_size": 1}, "batch_size=1"),
        ({"steps": 0}, "steps=0"),
        ({"scale": -1.0}, "scale=-1.0"),
        ({"momentum": 1.0}, "momentum=1.0"),
        ({"learning_rate": 0.1}, "for method='SGD'"),
        ({"learning_rate": np.nan, "method": "SGD"}, "learning_rate=nan"),
        ({"bias": 1}, "bias=1"),
        ({"rng": 3}, "default_rng"),
        ({"W": np.ones((4, 2))}, r"W has shape \(4, 2\).*transposed"),
        ({"W": np.full((2, 4), np.inf)}, r"W\[0, 0\] is inf"),
        ({"loss": 3}, "first argument is a Loss"),
        ({"loss": "no-such-loss"}, "no-such-loss"),
        ({"loss": ss.InfoNCE.symbolic()}, "tau"),
        ({"tau": 3}, "tau"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused_before_any_work(rows, given, said):
    """Each is named, as it was given; no step is made."""
    steps = []
    arguments = {"loss": ss.VICReg(), "d1": 2, "progress": lambda *step: steps.append(step)} | given
    with pytest.raises(ss.InputError, match=said):
        train_head(arguments.pop("loss"), *rows, **arguments)
    assert not steps


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda a, b: (np.where(a == a[5, 1], np.nan, a), b), r"a\[5, 1\] is nan"),
        (lambda a, b: (a, b[:-1]), "rows of all views are paired"),
        (lambda a, b: (a[:1], b[:1]), "at least two data"),
        (lambda a, b: (0 * a, 0 * b), "nothing to train on"),
        (lambda a, b: (a.astype(complex), b), "real numbers"),
    ],
)
def test_bad_rows_are_refused(rows, spoil, said):
    """NaN, unpaired rows, one row, no data, complex numbers."""
    with pytest.raises(ss.InputError, match=said):
        train_head(ss.InfoNCE(), *spoil(*rows), 2)


def test_training_that_runs_off_says_so(rows):
    """A learning rate far too high; a loss without a minimum; decay of weights whose size the loss does not see."""
    with pytest.raises(ss.InputError, match=r"diverges at step \d+.*Lower the learning rate"):
        train_head(ss.SpectralContrastive(), *rows, 2, method="SGD", learning_rate=50.0)
    apart = ss.Loss(-ss.E(ss.sqdist(ss.anchor, ss.positive)), name="apart")
    with pytest.raises(ss.InputError, match="falls without end"):
        train_head(apart, *rows, 2)
    with pytest.raises(ss.InputError, match="does not see the size of W"):
        train_head("lightly/ntxent", *rows, 2, weight_decay=0.1)
    assert train_head("lightly/ntxent", *rows, 2, weight_decay=0.1, method="SGD", steps=30).steps == 30


def test_a_bias_beside_own_decay_is_refused(rows):
    """||W||^2 in an own expression would hold the bias too; WeightDecay and weight_decay= do not."""
    own = ss.Loss(ss.SpectralContrastive().expr + ss.weight_norm() / 10, name="own")
    with pytest.raises(ss.InputError, match="weight_decay="):
        train_head(own, *rows, 2, bias=True)
    plain = ss.Loss(ss.SpectralContrastive().expr, name="own")
    assert train_head(own, *rows, 2).value == pytest.approx(
        train_head(plain + WeightDecay(0.1), *rows, 2).value, rel=1e-8
    )
