"""Losses over pairs at the ends of the range: low temperatures, large and small rows, duplicates, two rows, zero rows.

The witness computes with 60 digits on the very numbers of the arrays.
"""

from dataclasses import replace
from itertools import product

import mpmath as mp
import numpy as np
import pytest
import slow_pairs
import sympy as sp
from scipy.special import logsumexp

from symscape.errors import InputError
from symscape.losses.batch import AlignUniform, CrossEntropy, PairwiseSigmoid
from symscape.sampling.pairs import left_out, logits
from symscape.sampling.pairs.align_uniform import AlignUniformEvaluator
from symscape.sampling.pairs.cross_entropy import CrossEntropyEvaluator
from symscape.sampling.pairs.sigmoid import PairwiseSigmoidEvaluator
from symscape.sampling.unit_rows import unit_rows

R = sp.Rational
TOLERANCE = {np.float64: 1e-12, np.float32: 3e-6}
POOLS = ("one-way", "both-ways", "both-views")


def views(N, d=3, seed=0, dtype=np.float64, noise=0.5, scale=1.0):
    rng = np.random.default_rng(seed)
    s = rng.standard_normal((N, d))
    return tuple((scale * (s + noise * rng.standard_normal((N, d)))).astype(dtype) for _ in range(2))


def assert_value(form, a, b, tolerance=None):
    """Assert that the value is right to the tolerance: of the loss, or of 1 where the loss is less."""
    exact = float(slow_pairs.exact_cross_entropy(form, a, b))
    tolerance = tolerance or TOLERANCE[a.dtype.type]
    for value in (CrossEntropyEvaluator(form).value(a, b), CrossEntropyEvaluator(form).value_and_gradient(a, b)[0]):
        assert abs(value - exact) <= tolerance * max(1, abs(exact))


def assert_gradient(form, a, b, tolerance=None):
    """Assert that slopes along single rows are right, to the tolerance of the largest gradient of a row."""
    _, *gradients = CrossEntropyEvaluator(form).value_and_gradient(a, b)
    tolerance = tolerance or 30 * TOLERANCE[a.dtype.type]
    size = max(np.abs(gradient).max() for gradient in gradients)
    rng = np.random.default_rng(1)
    for i, side in ((0, 0), (len(a) - 1, 1)):
        turn = [np.zeros(a.shape), np.zeros(a.shape)]
        turn[side][i] = rng.standard_normal(a.shape[1])
        found = np.vdot(gradients[side].astype(float), turn[side])
        assert abs(found - slow_pairs.exact_slope(form, a, b, *turn)) <= tolerance * size


@pytest.mark.parametrize("similarity", ["cosine", "dot", "sqdist"])
@pytest.mark.parametrize("tau", [R(1), R(1, 100), R(1, 5000)])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_temperatures_and_scales(similarity, tau, scale, dtype):
    """Five rows, one of them twice, in every pool, with and without the positive among the candidates."""
    a, b = views(5, dtype=dtype, scale=scale)
    a[3], b[4] = a[1], b[1]
    for pool, positive in product(POOLS, (True, False)):
        assert_value(CrossEntropy(similarity, tau, pool, positive), a, b)


@pytest.mark.parametrize("similarity", ["cosine", "dot", "sqdist"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("scale", "tau"), [(1e-8, R(1, 100)), (1.0, R(1, 100)), (100.0, R(10))])
def test_gradients_at_low_temperature_and_small_scale(similarity, dtype, scale, tau):
    a, b = views(4, dtype=dtype, scale=scale)
    for pool in POOLS:
        assert_gradient(CrossEntropy(similarity, tau, pool), a, b)


@pytest.mark.parametrize("pool", POOLS)
def test_two_rows(pool):
    """N = 2: one negative each way; DCL without the positive has it alone."""
    a, b = views(2)
    for similarity, positive in product(("cosine", "dot", "sqdist"), (True, False)):
        form = CrossEntropy(similarity, R(1, 3), pool, positive)
        assert_value(form, a, b)
        assert_gradient(form, a, b)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_equal_rows(scale, dtype):
    """When every output is the same point: NT-Xent log(2N - 1), one-way log N, DCL log(2N - 2); the gradient is 0."""
    N = 700
    a = np.full((N, 3), scale, dtype) * np.array([1, -2, 0.5], dtype)
    for similarity in ("cosine", "sqdist"):
        for pool, positive, count in (
            ("one-way", True, N),
            ("both-ways", True, N),
            ("both-views", True, 2 * N - 1),
            ("both-views", False, 2 * N - 2),
        ):
            form = CrossEntropy(similarity, R(1, 100), pool, positive)
            value, gradient, _ = CrossEntropyEvaluator(form).value_and_gradient(a, a)
            assert abs(value - np.log(count)) < (1e-12 if dtype == np.float64 else 2e-5)
            assert np.abs(gradient).max() * scale < (1e-12 if dtype == np.float64 else 1e-4)
            assert abs(CrossEntropyEvaluator(replace(form, per_candidate=True)).value(a, a)) < 2e-5


def test_zero_rows():
    """Libraries divide by max(|z|, 1e-12): a row of zeros has cosine 0 with all, and a gradient of order 1e12."""
    a, b = views(6)
    a[2] = 0
    form = CrossEntropy("cosine", R(1, 2))
    assert_value(form, a, b)
    _, gradient, _ = CrossEntropyEvaluator(form).value_and_gradient(a, b)
    unit = slow_pairs.unit(b)
    expected = (unit.mean(axis=0) - unit[2]) / 0.5 / len(a) / 1e-12
    assert np.allclose(gradient[2], expected, rtol=1e-12)
    zeros = np.zeros((4, 3), np.float32)
    assert CrossEntropyEvaluator(form).value(zeros, zeros) == pytest.approx(np.log(4), rel=1e-7)


def test_lengths_beyond_the_range_of_their_squares():
    for scale in (1e-200, 1e-11, 1e-13, 1e160, 1e300):
        z = views(3)[0] * scale
        norms = np.array([float(mp.norm([mp.mpf(x) for x in row])) for row in z])
        assert np.allclose(unit_rows(z).rows, z / np.maximum(norms, 1e-12)[:, None], rtol=1e-14, atol=0)


# Logits out of the range of the exponential


def batch(form, a, b):
    """The loss in float64 with scipy's logsumexp, for many rows."""
    a, b, tau, N = a.astype(float), b.astype(float), float(form.tau), len(a)
    if form.similarity == "cosine":
        a, b = slow_pairs.unit(a), slow_pairs.unit(b)
    sides = {"one-way": [(a, b)], "both-ways": [(a, b), (b, a)]}
    sides["both-views"] = [(np.concatenate([a, b]), np.concatenate([a, b]))]
    found = []
    for u, v in sides[form.pool]:
        s = slow_pairs.logits(form.similarity, tau, u, v)
        place = np.arange(len(u))
        partner = np.roll(place, N) if form.pool == "both-views" else place
        own = s[place, partner].copy()
        if form.pool == "both-views":
            np.fill_diagonal(s, -np.inf)
        if not form.positive:
            s[place, partner] = -np.inf
        found.append(np.mean(logsumexp(s, axis=1) - own))
    return np.mean(found)


SPREAD = [
    CrossEntropy(similarity, tau, pool, positive)
    for (similarity, tau), pool, positive in product(
        [("cosine", R(1, 100)), ("dot", R(1, 20)), ("sqdist", R(1, 20)), ("sqdist", R(1, 1000))], POOLS, (True, False)
    )
]


@pytest.mark.parametrize("form", SPREAD, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_out_of_range(form, dtype):
    """Rows whose sums leave the range of the float type take their largest logit; gradients of both float types agree."""
    a, b = views(90, d=8, dtype=dtype)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5  # logits reach some hundreds
    evaluator, exact = CrossEntropyEvaluator(form), batch(form, a, b)
    value, *gradients = evaluator.value_and_gradient(a, b)
    assert max(abs(evaluator.value(a, b) - exact), abs(value - exact)) < tolerance * max(1, abs(exact))
    fine = evaluator.value_and_gradient(a.astype(float), b.astype(float))[1:]
    influence = evaluator.influence(a.astype(float), b.astype(float))
    for found, wanted in [*zip(gradients, fine, strict=True), (evaluator.influence(a, b), influence)]:
        assert np.abs(found - wanted).max() <= 2e-4 * np.abs(wanted).max()


@pytest.mark.parametrize("form", SPREAD[6::5], ids=str)
def test_out_of_range_gradient_and_influence(form):
    """The same by a complex step of the definition, and by leaving out each datum."""
    a, b = views(30, d=8)
    _, *gradients = CrossEntropyEvaluator(form).value_and_gradient(a, b)
    turn = np.random.default_rng(2).standard_normal(a.shape)
    for gradient, moved in zip(gradients, ((a + 1e-40j * turn, b), (a, b + 1e-40j * turn)), strict=True):
        slope = slow_pairs.cross_entropy(form, *moved).imag / 1e-40
        assert abs(np.vdot(gradient, turn) - slope) < 1e-10 * np.abs(gradient).sum()
    assert_jackknife(form, a, b)


def assert_jackknife(form, a, b, tolerance=1e-12):
    wanted = slow_pairs.jackknife_differences(slow_pairs.cross_entropy, form, a, b, range(len(a)))
    found = CrossEntropyEvaluator(form).influence(a, b)
    assert np.abs(found - found[0] - wanted).max() < tolerance * np.abs(wanted).max()


CARRIED = [CrossEntropy("dot", R(1, 200), pool, positive) for pool, positive in product(POOLS, (True, False))]


@pytest.mark.parametrize("form", CARRIED, ids=str)
def test_one_candidate_that_carries_a_sum_can_be_left_out(form):
    """Then the rest of the sum has no digits in it: log sums of the rest are hundreds lower."""
    assert_jackknife(form, *views(12))


def test_the_rest_of_a_sum_as_a_difference_is_caught(monkeypatch):
    monkeypatch.setattr(left_out, "CARRIES", 1 - 1e-15)
    with pytest.raises(AssertionError):
        assert_jackknife(CARRIED[0], *views(12))


@pytest.mark.parametrize("pool", POOLS)
def test_leaving_out_one_of_two_data(pool):
    """The other has no negatives then: each datum takes the whole loss away, or its own loss where positives do not count."""
    a, b = views(2)
    assert np.abs(CrossEntropyEvaluator(CrossEntropy("dot", R(1), pool)).influence(a, b)).max() < 1e-14
    s = slow_pairs.logits("dot", 1.0, a, b)
    own = np.array([s[0, 1] - s[0, 0], s[1, 0] - s[1, 1]])
    found = CrossEntropyEvaluator(CrossEntropy("dot", R(1), positive=False)).influence(a, b)
    assert np.allclose(found, own - own.mean()) and abs(found[0]) > 1e-3


@pytest.mark.parametrize("similarity", ["dot", "sqdist"])
@pytest.mark.parametrize("pool", POOLS)
def test_rounding_of_large_shifts(similarity, pool):
    """Logits of 1e19 are rounded by thousands, and so is what a shift leaves of them: the loss is right to their digits."""
    for seed in range(20):
        z = np.outer(np.random.default_rng(seed).normal(size=20), [1, 1, 1]) * 1e8
        form = CrossEntropy(similarity, R(1, 1000), pool)
        evaluator, wanted = CrossEntropyEvaluator(form), batch(form, z, z)
        found, *gradients = evaluator.value_and_gradient(z, z)
        scale = np.abs(slow_pairs.logits(similarity, 1e-3, z, z)).max()
        assert abs(found - wanted) < 1e-14 * scale and abs(evaluator.value(z, z) - wanted) < 1e-14 * scale
        assert all(np.isfinite(g).all() for g in gradients)
        without = [batch(form, np.delete(z, k, axis=0), np.delete(z, k, axis=0)) for k in range(len(z))]
        influence = (len(z) - 1) * (np.mean(without) - without)
        assert np.abs(evaluator.influence(z, z) - influence).max() < 1e-12 * scale


def test_shares_of_rounded_logits_are_caught(monkeypatch):
    """Taken from a shift, the share of the largest candidate is lost in the rounding: planted by calling that precise."""
    monkeypatch.setattr(left_out, "TOLERANCE", {np.dtype(np.float64): np.inf})
    with pytest.raises(AssertionError):
        test_rounding_of_large_shifts("dot", "one-way")


def test_a_missing_fall_back_is_caught(monkeypatch):
    """Without the largest logit, sums underflow: planted by declaring no sum too small."""
    wide = {dtype: replace(found, lowest=-1.0) for dtype, found in logits.RANGES.items()}
    monkeypatch.setattr(logits, "RANGES", wide)
    form = SPREAD[7]
    with pytest.raises((AssertionError, RuntimeWarning)):
        test_out_of_range(form, np.float32)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_out_of_range_windows(dtype, n):
    a, b = views(15, d=4, dtype=dtype)
    for similarity, positive in product(("cosine", "dot", "sqdist"), (True, False)):
        form = CrossEntropy(similarity, R(1, 300), positive=positive, negatives=sp.Integer(n))
        exact = slow_pairs.cross_entropy(form, a.astype(float), b.astype(float))
        value, *gradients = CrossEntropyEvaluator(form).value_and_gradient(a, b)
        assert abs(value - exact) < (1e-12 if dtype == np.float64 else 1e-6) * max(1, abs(exact))
        assert all(np.isfinite(gradient).all() for gradient in gradients)
        assert np.isfinite(CrossEntropyEvaluator(form).influence(a, b)).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_subnormal_numbers(dtype):
    """Exponentials are 0 for excluded pairs, else normal numbers: others make products twenty times slower."""
    a, b = views(60, d=8, dtype=dtype, scale=3.0)
    found = logits.pair_logits(a, b, 0.05, squared=True)
    tile = found.exponentials(slice(0, 60), slice(0, 60), (0,), np.empty((60, 60), dtype))
    assert np.all((tile == 0) == np.eye(60, dtype=bool)) and tile[tile > 0].min() >= np.finfo(dtype).tiny
    plain = np.exp(slow_pairs.logits("sqdist", 0.05, a.astype(float), b.astype(float)).astype(dtype))
    assert np.any(plain < np.finfo(dtype).tiny)


# Distances of rows that are long against them


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("pool", POOLS)
def test_a_common_shift_costs_nothing(pool, dtype):
    """Distances do not change when a constant is added; float32 rows at 1000 keep what rounding to float32 left of them."""
    a, b = views(40, dtype=dtype)
    a, b = (z + dtype(1000) for z in (a, b))
    form = CrossEntropy("sqdist", R(1, 10), pool)
    assert abs(CrossEntropyEvaluator(form).value(a, b) - batch(form, a, b)) < (1e-11 if dtype == np.float64 else 2e-6)


def far_clusters(dtype, distance):
    a, b = views(6, dtype=dtype)
    sign = np.array([1, -1, 1, -1, 1, -1], dtype)[:, None] * dtype(distance)
    return a + sign, b + sign


@pytest.mark.parametrize(
    ("dtype", "distance"), [(np.float32, 100.0), (np.float32, 1e4), (np.float64, 1e5), (np.float64, 1e8)]
)
@pytest.mark.parametrize("pool", POOLS)
def test_far_clusters(pool, dtype, distance):
    """Near pairs among rows that are long: float32 goes over to float64, and that from expanded squares to differences."""
    form = CrossEntropy("sqdist", R(1, 10), pool)
    assert_value(form, *far_clusters(dtype, distance), tolerance=1e-7 if dtype == np.float64 else 1e-5)
    assert_gradient(form, *far_clusters(dtype, distance), tolerance=1e-5)


def test_expanded_squares_of_far_clusters_are_caught(monkeypatch):
    monkeypatch.setattr(logits, "TOLERANCE", dict.fromkeys(logits.TOLERANCE, np.inf))
    for dtype, distance in ((np.float32, 1e4), (np.float64, 1e8)):
        with pytest.raises((AssertionError, RuntimeWarning, InputError)):
            test_far_clusters("one-way", dtype, distance)


def test_small_losses_keep_their_digits():
    """A loss far below 1 is not the difference of two numbers of order 1."""
    a = 6 * np.eye(5)
    for similarity, tau in (("cosine", R(1, 30)), ("sqdist", R(1)), ("dot", R(1))):
        for pool in POOLS:
            form = CrossEntropy(similarity, tau, pool)
            exact = float(slow_pairs.exact_cross_entropy(form, a, a))
            assert 0 < exact < 1e-11
            assert abs(CrossEntropyEvaluator(form).value(a, a) / exact - 1) < 1e-12
            assert abs(CrossEntropyEvaluator(form).value(*2 * [a.astype(np.float32)]) / exact - 1) < 1e-4


# Clear errors


def test_logits_beyond_float64():
    """Dot products whose rounding errors exceed the loss, and rows whose squares overflow, are refused with the way out."""
    same = np.full((4, 3), 1e8) * np.array([1.1, -0.7, 0.3])
    evaluator = CrossEntropyEvaluator(CrossEntropy("dot", R(1, 100)))
    for call in (evaluator.value, evaluator.value_and_gradient, evaluator.influence):
        with pytest.raises(InputError, match="rounding leaves errors"):
            call(same, same)
    for similarity in ("dot", "sqdist"):
        with pytest.raises(InputError, match="overflow; divide the representations"):
            CrossEntropyEvaluator(CrossEntropy(similarity, R(1))).value(*views(3, scale=1e200))
    assert_value(CrossEntropy("cosine", R(1)), *views(3, scale=1e200))


# Alignment and uniformity; pairwise sigmoid


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("t", [R(1, 10), R(2), R(3000)])
def test_uniformity_at_any_t(dtype, t):
    """At large t all exponentials underflow, and the largest is taken out first."""
    form = AlignUniform(R(2), t, R(1))
    a, b = views(40, d=8, dtype=dtype)
    u, v = (slow_pairs.unit(z.astype(float)) for z in (a, b))
    above = np.triu_indices(40, 1)
    spread = [logsumexp(slow_pairs.logits("sqdist", 1 / (2 * float(t)), z, z)[above]) - np.log(780) for z in (u, v)]
    exact = ((u - v) ** 2).sum(axis=1).mean() + np.mean(spread)
    tolerance = 1e-12 if dtype == np.float64 else 1e-6
    value, *gradients = AlignUniformEvaluator(form).value_and_gradient(a, b)
    assert abs(AlignUniformEvaluator(form).value(a, b) - exact) < tolerance * max(1, abs(exact)) and np.isclose(
        value, exact
    )
    fine = AlignUniformEvaluator(form).value_and_gradient(a.astype(float), b.astype(float))[1:]
    assert all(np.abs(x - y).max() < 1e-3 * np.abs(y).max() for x, y in zip(gradients, fine, strict=True))
    assert abs(AlignUniformEvaluator(form).influence(a, b).mean()) < 1e-3


@pytest.mark.parametrize("scale", [1e-8, 1e8])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_normalised_losses_do_not_feel_the_scale(scale, dtype):
    """Value and influence stay, gradients are divided by the scale."""
    a, b = views(30, dtype=dtype)
    for evaluator in (
        AlignUniformEvaluator(AlignUniform(R(2), R(2), R(1))),
        PairwiseSigmoidEvaluator(PairwiseSigmoid(R(10), R(-10))),
        CrossEntropyEvaluator(CrossEntropy("cosine", R(1, 100), "both-views")),
    ):
        value, *gradients = evaluator.value_and_gradient(a, b)
        found, *scaled = evaluator.value_and_gradient(a * dtype(scale), b * dtype(scale))
        tolerance = 1e-12 if dtype == np.float64 else 2e-5
        assert abs(found - value) < tolerance * abs(value)
        for x, y in zip(scaled, gradients, strict=True):
            assert np.abs(x * dtype(scale) - y).max() < 10 * tolerance * np.abs(y).max()


def test_coinciding_pairs():
    """Where both views agree, alignment is 0 with gradient 0 at any exponent; equal rows have uniformity 0."""
    a = views(5)[0]
    for alpha in (R(1), R(2), R(3)):
        evaluator = AlignUniformEvaluator(AlignUniform(alpha, R(2), R(0)))
        value, *gradients = evaluator.value_and_gradient(a, a)
        assert value == 0 and not any(np.any(gradient) for gradient in gradients)
    same = np.ones((600, 3), np.float32)
    assert abs(AlignUniformEvaluator(AlignUniform(R(2), R(2), R(1))).value(same, same)) < 1e-6


@pytest.mark.parametrize(("t", "bias"), [(10, -10), (1000, 5), (-1000, 300), (1, 800), (10**6, -(10**5))])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sigmoid_at_any_logit(t, bias, dtype):
    a, b = views(20, dtype=dtype)
    x = t * slow_pairs.unit(a.astype(float)) @ slow_pairs.unit(b.astype(float)).T + bias
    y = 2 * np.eye(20) - 1
    exact = np.logaddexp(0, -y * x).sum() / 20
    evaluator = PairwiseSigmoidEvaluator(PairwiseSigmoid(sp.Integer(t), sp.Integer(bias)))
    value, *gradients = evaluator.value_and_gradient(a, b)
    tolerance = 1e-12 if dtype == np.float64 else 1e-6
    assert abs(evaluator.value(a, b) / exact - 1) < tolerance and abs(value / exact - 1) < tolerance
    fine = evaluator.value_and_gradient(a.astype(float), b.astype(float))[1:]
    assert all(np.abs(p - q).max() < 1e-4 * np.abs(q).max() for p, q in zip(gradients, fine, strict=True))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_two_rows_of_the_others(dtype):
    a, b = views(2, dtype=dtype)
    for evaluator, reference in (
        (AlignUniformEvaluator(AlignUniform(R(2), R(2), R(1))), slow_pairs.align_uniform),
        (PairwiseSigmoidEvaluator(PairwiseSigmoid(R(10), R(-10))), slow_pairs.sigmoid),
    ):
        wanted = reference(evaluator.form, a.astype(float), b.astype(float))
        assert abs(evaluator.value(a, b) - wanted) < (1e-13 if dtype == np.float64 else 1e-6) * abs(wanted)
