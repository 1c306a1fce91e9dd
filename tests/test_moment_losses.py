"""Losses through d1 x d1 moments: their values, gradients and influences are those of the definitions, pair by pair."""

import importlib
import tracemalloc
from pathlib import Path

import batch_reference
import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape.errors import InputError, MomentsError
from symscape.losses.batch import (
    CrossCorrelation,
    FirstOutputs,
    MeanCosine,
    Spectral,
    Transformation,
    VarianceCovariance,
)
from symscape.sampling.evaluator import ViewMoments
from symscape.sampling.forms import evaluator_of
from symscape.sampling.moments.central import view_moments
from symscape.sampling.sampled_loss import SampledLoss

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    benchmark = importlib.import_module("moment_losses")


def numbers(*values):
    return tuple(sp.Rational(str(value)) for value in values)


FORMS = {
    "spectral": Spectral(),
    "spectral, clipped": Spectral(sp.Integer(3)),
    "spectral, all pairs": Spectral(distinct=False),
    "spectral, all pairs, clipped": Spectral(sp.Integer(3), distinct=False),
    "mean cosine": MeanCosine(*numbers(2, -2)),
    "W-MSE": MeanCosine(*numbers(2, -2), whitened=True),
    "W-MSE, shrunk": MeanCosine(*numbers(2, -2), whitened=True, epsilon=sp.Rational(1, 5)),
    "Barlow Twins, raw": CrossCorrelation(*numbers(0.3), standardise="none"),
    "Barlow Twins": CrossCorrelation(*numbers(0.3, 0.2)),
    "Barlow Twins, scale-free": CrossCorrelation(*numbers(0.3)),
    "Barlow Twins, jointly": CrossCorrelation(*numbers(0.3, 0.2), standardise="jointly"),
    "Barlow Twins, deviation": CrossCorrelation(*numbers(0.3, 0.2), standardise="deviation"),
    "VICReg": VarianceCovariance(*numbers(5, 7, 2, 0.1)),
    "TiCo": Transformation(*numbers(1, 8, 0.9)),
    "first outputs": FirstOutputs(VarianceCovariance(*numbers(5, 7, 2, 0.1)), sp.Integer(2)),
}
THROUGH_MOMENTS = [name for name, form in FORMS.items() if hasattr(evaluator_of(form), "from_moments")]


def two_views(rows=9, outputs=3, seed=0, dtype=np.float64):
    """Two views with means, correlations and unequal scales; some rows beyond the ball, some deviations below 1."""
    rng = np.random.default_rng(seed)
    datum = rng.normal(size=(rows, outputs)) * np.linspace(0.5, 1.6, outputs) + rng.normal(size=outputs)
    mix = np.eye(outputs) + 0.4 * rng.normal(size=(outputs, outputs))
    return tuple(((datum + 0.4 * rng.normal(size=datum.shape) + 0.1 * k) @ mix).astype(dtype) for k in range(2))


def differences(function, x, step=1e-3):
    """Return the derivative of a function of an array, by central differences of sixth order."""
    slopes = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        for k, weight in ((1, 45), (2, -9), (3, 1)):
            h = np.zeros_like(x)
            h[place] = k * step
            slopes[place] += weight * (function(x + h) - function(x - h)) / (60 * step)
    return slopes


def assert_close(found, right, tolerance=1e-8):
    assert np.abs(found - right).max() <= tolerance * max(1e-300, np.abs(right).max()), f"{found} for {right}"


def assert_influence(influence, right):
    """Assert a derivative by weights, which is about its mean on both sides."""
    assert abs(influence.mean()) <= 1e-12 * np.abs(influence).max()
    assert_close(influence, right - right.mean())


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


@pytest.mark.parametrize("rows", [2, 9])
def test_value_is_that_of_the_definition(form, rows):
    """At N = 2 too, where whitening one output is all that N > d1 allows."""
    a, b = two_views(rows, 1 if rows == 2 and getattr(form, "whitened", False) else 3)
    right = batch_reference.value(form, a, b, np.ones(rows))
    found = evaluator_of(form).value(a, b)
    assert_close(found, right, 1e-12)
    with pytest.raises(AssertionError):
        assert_close(1.01 * found, right, 1e-12)


def test_gradient_is_that_of_the_definition(form):
    """Sixth-order differences of the definition, in every entry of both views."""
    a, b = two_views()
    w = np.ones(len(a))
    value, by_a, by_b = evaluator_of(form).value_and_gradient(a, b)
    assert value == evaluator_of(form).value(a, b)
    assert_close(by_a, differences(lambda z: batch_reference.value(form, z, b, w), a))
    right = differences(lambda z: batch_reference.value(form, a, z, w), b)
    assert_close(by_b, right)
    with pytest.raises(AssertionError):
        assert_close(1.01 * by_b, right)


def test_influence_is_the_derivative_by_the_weights(form):
    """N times the derivative of the loss when every mean is a weighted mean, at equal weights."""
    a, b = two_views()
    weights = np.ones(len(a))
    right = len(a) * differences(lambda w: batch_reference.value(form, a, b, w), weights)
    found = evaluator_of(form).influence(a, b)
    assert_influence(found, right)
    with pytest.raises(AssertionError):
        assert_influence(1.01 * found, right)


@pytest.mark.parametrize("rows", [9, 5000])
def test_arrays_are_left_as_they_are(form, rows):
    """Nothing is computed in the caller's arrays, in one block of rows or in several, and several give what one gives."""
    a, b = two_views(rows)
    kept = a.copy(), b.copy()
    evaluator = evaluator_of(form)
    value, *gradients = evaluator.value_and_gradient(a, b)
    influence = evaluator.influence(a, b)
    assert (a == kept[0]).all() and (b == kept[1]).all()
    order = np.random.default_rng(5).permutation(rows)
    again, *moved = evaluator.value_and_gradient(a[order], b[order])
    assert_close(again, value, 1e-11)
    for found, right in zip(moved, gradients, strict=True):
        assert_close(found, right[order], 1e-9)
    assert_close(evaluator.influence(a[order], b[order]), influence[order], 1e-9)


@pytest.mark.parametrize("name", THROUGH_MOMENTS)
def test_moments_give_what_rows_give(name):
    """Value, and derivative by W of features: from moments of the features, nothing that grows with N."""
    evaluator = evaluator_of(FORMS[name])
    phi_a, phi_b = two_views(40, 5)
    W = np.random.default_rng(1).normal(size=(3, 5))
    moments = view_moments(phi_a, phi_b)

    def at(W):
        return evaluator.from_moments(moments.image(W))

    value, by_a, by_b = evaluator.value_and_gradient(phi_a @ W.T, phi_b @ W.T)
    assert_close(at(W)[0], value, 1e-12)
    _, by_mean, by_second = at(W)
    by_W = by_a.T @ phi_a + by_b.T @ phi_b

    def assembled(by_second):
        total = np.einsum("ui,uj->ij", by_mean, moments.mean)
        for u, v in np.ndindex(2, 2):
            total += by_second[u, v] @ W @ moments.second[u, v].T + by_second[u, v].T @ W @ moments.second[u, v]
        return total

    assert_close(assembled(by_second), by_W, 1e-11)
    with pytest.raises(AssertionError):
        assert_close(assembled(by_second.swapaxes(0, 1)), by_W * 1.001, 1e-11)


def test_losses_of_moments_are_known():
    assert {"Barlow Twins", "VICReg", "spectral, all pairs"} <= set(THROUGH_MOMENTS)
    assert not {"spectral", "spectral, all pairs, clipped", "W-MSE", "TiCo"} & set(THROUGH_MOMENTS)


def test_view_moments_are_means_of_products():
    """Over several blocks of rows, with and without a shift."""
    a, b = two_views(5000, 2)
    for shift in (None, np.array([1.0, -2.0])):
        moved = [z if shift is None else z - shift for z in (a, b)]
        found = view_moments(a, b, shift)
        right = [[u.T @ v / len(a) for v in moved] for u in moved]
        assert found.count == 5000
        assert_close(found.second, np.array(right), 1e-12)
        assert_close(found.mean, np.array([z.mean(0) for z in moved]), 1e-12)


def test_all_pairs_leave_out_nothing():
    """The V-statistic is the U-statistic times (N - 1)/N, plus the pairs i = j."""
    a, b = two_views()
    n, own = len(a), (a * b).sum(1)
    distinct, every = (evaluator_of(FORMS[name]).value(a, b) for name in ("spectral", "spectral, all pairs"))
    align = -2 * own.mean()
    assert_close(every - align, (distinct - align) * (n - 1) / n + (own**2).sum() / n**2, 1e-12)


@pytest.mark.parametrize(
    ("catalogue", "form"),
    [
        (ss.SpectralContrastive(), Spectral()),
        (ss.BarlowTwins(0.3), FORMS["Barlow Twins, raw"]),
        (ss.BarlowTwins(0.3, epsilon=0.2), FORMS["Barlow Twins"]),
        (ss.VICReg(5, 7, 2, 0.1), FORMS["VICReg"]),
    ],
)
def test_the_catalogue_has_these_forms(catalogue, form):
    assert catalogue.batch == ((1, form),)


# Numerical honesty


def test_outputs_far_from_zero_keep_their_digits():
    """Losses that ignore a shift give the same at a mean of 1e6 as at zero, from rows; moments say that they cannot."""
    a, b = two_views(200)
    for form in FORMS.values():
        evaluator = evaluator_of(form)
        if not getattr(evaluator, "shift_invariant", getattr(form, "whitened", False)):
            continue
        far_a, far_b = a + 1e6, b + 1e6
        near_a, near_b = far_a - 1e6, far_b - 1e6  # the same numbers after rounding
        value, *gradients = evaluator.value_and_gradient(far_a, far_b)
        right, *right_gradients = evaluator.value_and_gradient(near_a, near_b)
        assert_close(value, right, 1e-9)
        assert_close(np.array(gradients), np.array(right_gradients), 1e-8)
        if hasattr(evaluator, "from_moments"):
            with pytest.raises(MomentsError, match=r"shift=\.\.\."):
                evaluator.from_moments(view_moments(far_a, far_b))
            shift = (far_a.mean(0) + far_b.mean(0)) / 2
            assert_close(evaluator.from_moments(view_moments(far_a, far_b, shift))[0], right, 1e-9)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_scale(form, scale):
    """From 1e-8 to 1e8: right values and gradients in float64 and float32, with no warning."""
    for dtype, tolerance in ((np.float64, 1e-9), (np.float32, 2e-4)):
        a, b = two_views(dtype=dtype)
        a, b = a * dtype(scale), b * dtype(scale)
        wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
        value, by_a, by_b = evaluator_of(form).value_and_gradient(a, b)
        assert by_a.dtype == by_b.dtype == dtype and np.isfinite(by_a).all() and np.isfinite(by_b).all()
        assert_close(value, batch_reference.value(form, wide_a, wide_b, np.ones(len(a))), 1e-9)
        h = 1e-4 * scale
        direction = np.zeros_like(wide_a)
        direction[1, 2] = direction[4, 0] = 1

        def along(t, form=form, a=wide_a, b=wide_b, direction=direction):
            return batch_reference.value(form, a + t * direction, b, np.ones(len(a)))

        slope = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
        roundoff = 4e-15 * abs(value) / h
        size = max(abs(slope), np.abs(by_a).max())
        assert abs((by_a.astype(np.float64) * direction).sum() - slope) <= max(tolerance, 1e-6) * size + roundoff


@pytest.mark.parametrize("standardise", ["views", "jointly", "deviation"])
@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_scale_of_epsilon(standardise, scale):
    """Barlow Twins of c z is that of z with epsilon / c^2 (of deviations: epsilon / c), and its gradient 1/c of that."""
    a, b = two_views()
    factor = scale if standardise == "deviation" else scale**2
    here, there = (
        evaluator_of(CrossCorrelation(*numbers(0.3), sp.Float(epsilon), standardise)) for epsilon in (0.2, 0.2 / factor)
    )
    _, by_a, by_b = here.value_and_gradient(scale * a, scale * b)
    _, right_a, right_b = there.value_and_gradient(a, b)
    assert_close(scale * by_a, right_a, 1e-9)
    assert_close(scale * by_b, right_b, 1e-9)


def test_float32_rows_are_summed_in_float64():
    """20,000 rows of float32: the value is that of the same numbers in float64, not of sums in float32."""
    a, b = two_views(20_000, dtype=np.float32)
    for form in FORMS.values():
        found = evaluator_of(form).value(a, b)
        assert_close(found, evaluator_of(form).value(a.astype(np.float64), b.astype(np.float64)), 1e-12)


@pytest.mark.parametrize("name", ["spectral", "spectral, clipped"])
@pytest.mark.parametrize("kind", ["orthogonal", "outlier"])
def test_products_off_the_diagonal_keep_their_digits(name, kind):
    """Where the pairs i = j outweigh all others by 1e16 and more, the others are still right: pair by pair."""
    if kind == "orthogonal":
        a = np.diag([1e4, 2e4, 3e4, 5e4])
        a[0, 1] = 1e-8
    else:
        a, _ = two_views(600)
        a[300] *= 1e8
    b, rows = a, len(a)
    form = FORMS[name]
    value, by_a, by_b = evaluator_of(form).value_and_gradient(a, b)
    mu = float(form.mu)
    u, v = (z * np.minimum(1, np.sqrt(mu / (z**2).sum(1, keepdims=True))) for z in (a, b))
    products = u @ v.T
    own = np.diag(products).copy()
    np.fill_diagonal(products, 0)
    scale = 1 if np.isinf(mu) else 1 / mu
    assert_close(value, scale * ((products**2).sum() / (rows * (rows - 1)) - 2 * own.mean()), 1e-12)
    if np.isinf(mu):
        assert_close(by_a, 2 * products @ v / (rows * (rows - 1)) - 2 * v / rows, 1e-12)
        assert_close(by_b, 2 * products.T @ u / (rows * (rows - 1)) - 2 * u / rows, 1e-12)
        lost = ((u.T @ u) * (v.T @ v)).sum() - (own**2).sum()
        with pytest.raises(AssertionError):
            assert_close(lost, (products**2).sum(), 1e-9)
    shares = (products**2).sum(1) + (products**2).sum(0)
    right = scale * (shares / (rows - 1) - 2 * own)
    assert np.abs(evaluator_of(form).influence(a, b) - right + right.mean()).max() <= 1e-12 * np.abs(right).max()


def test_duplicates_are_data(form):
    """Every row twice leaves functions of means as they are, but for N / (N - 1) and the pairs i = j."""
    a, b = (np.repeat(z, 2, axis=0) for z in two_views())
    found = evaluator_of(form).value(a, b)
    assert_close(found, batch_reference.value(form, a, b, np.ones(len(a))), 1e-12)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("level", [0.0, 0.1, 1e8])
def test_constant_outputs(form, level, outputs):
    """Every output the same point: the value at collapse and a finite gradient, or an error that says what is undefined."""
    if isinstance(form, FirstOutputs) and outputs == 1:
        return
    a = np.full((7, outputs), level)
    singular = getattr(form, "whitened", False) and form.epsilon == 0
    undefined = isinstance(form, CrossCorrelation) and form.standardise == "views" and form.epsilon == 0
    evaluator = evaluator_of(form)
    if singular or undefined:
        for compute in (evaluator.value, evaluator.value_and_gradient, evaluator.influence):
            with pytest.raises(InputError, match="singular" if singular else "constant over the batch"):
                compute(a, a)
        return
    value, by_a, by_b = evaluator.value_and_gradient(a, a)
    whitened = getattr(form, "whitened", False)  # to zeros, whose cosines are 0; the definition is left with rounding
    assert_close(value, float(form.offset) if whitened else batch_reference.value(form, a, a, np.ones(7)), 1e-12)
    assert np.isfinite(by_a).all() and np.isfinite(by_b).all()
    assert np.abs(evaluator.influence(a, a)).max() <= 1e-9 * max(1, abs(value))


def test_one_constant_output_among_others():
    """The deviation of a constant output has the derivative 0, so that it does not move; others are as without it."""
    a, b = two_views()
    a[:, 1] = b[:, 1] = 0.3
    form = CrossCorrelation(*numbers(0.3, 1e-5), standardise="deviation")
    _, by_a, _ = evaluator_of(form).value_and_gradient(a, b)
    assert np.isfinite(by_a).all() and np.abs(by_a[:, 1]).max() < 1e-10
    scale_free = evaluator_of(FORMS["Barlow Twins, scale-free"])
    with pytest.raises(InputError, match="output 1 of view a"):
        scale_free.value(a, b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_but_for_rounding(dtype):
    """Outputs and means that differ in the last digit are constant, and the same: not correlations of rounding."""
    a, b = two_views(dtype=dtype)
    above = np.nextafter(dtype(0.3), dtype(1))
    a[:, 1] = b[:, 1] = np.where(np.arange(9) % 2, dtype(0.3), above)
    with pytest.raises(InputError, match="output 1 of view a"):
        evaluator_of(FORMS["Barlow Twins, scale-free"]).value(a, b)
    a[:, 1], b[:, 1] = dtype(0.3), above
    with pytest.raises(InputError, match="output 1 of view a and b"):
        evaluator_of(CrossCorrelation(*numbers(0.3), standardise="jointly")).value(a, b)


@pytest.mark.parametrize(("rows", "outputs", "says"), [(3, 3, "3 rows cannot whiten 3 outputs"), (9, 3, "dependent")])
def test_whitening_refuses_a_singular_covariance(rows, outputs, says):
    """Too few rows, or an output that is a sum of others, at any scale."""
    a, b = two_views(rows, outputs)
    if rows > outputs:
        b = b + 30  # in float32 the sum holds to 1e-7 of the numbers, which are larger than their deviations
        b[:, 2] = b[:, 0] - 2 * b[:, 1]
    for scale in (1e-8, 1.0, 1e8):
        for dtype in (np.float32, np.float64):
            with pytest.raises(InputError, match=says):
                evaluator_of(FORMS["W-MSE"]).value_and_gradient((scale * a).astype(dtype), (scale * b).astype(dtype))


def test_whitening_takes_correlated_outputs():
    """A correlation of 0.9999 is no singular covariance, in float32 and at thousands of rows either."""
    a, b = two_views(5000)
    for z in (a, b):
        z[:, 2] = z[:, 1] + 0.01 * z[:, 2]
    right = batch_reference.value(FORMS["W-MSE"], a, b, np.ones(len(a)))
    assert_close(evaluator_of(FORMS["W-MSE"]).value(a, b), right, 1e-9)
    assert_close(evaluator_of(FORMS["W-MSE"]).value(a.astype(np.float32), b.astype(np.float32)), right, 1e-3)


def test_a_hinge_without_epsilon_has_no_slope_at_zero():
    """VICReg at epsilon = 0 and variance 0: the full hinge, and 0 for a derivative that is not there."""
    form = VarianceCovariance(*numbers(5, 7, 2, 0))
    a = np.full((4, 2), 0.1)
    value, by_a, _ = evaluator_of(form).value_and_gradient(a, a)
    assert value == 7 and not by_a.any()


def test_symbols_are_asked_for():
    """A form with symbols is refused before anything is computed."""
    with pytest.raises(InputError, match=r"lambda_=lambda\): give a number for lambda"):
        evaluator_of(CrossCorrelation(sp.Symbol("lambda")))


def test_first_outputs_must_be_there():
    a, b = two_views(outputs=1)
    with pytest.raises(InputError, match="first 2 outputs; the rows have 1"):
        evaluator_of(FORMS["first outputs"]).value(a, b)


def peak(function):
    """Return the largest number of bytes in use while a function runs."""
    tracemalloc.start()
    function()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_nothing_is_n_by_n(form):
    """Value, gradient and influence at N = 20,000 within a few copies of the rows; N x N would be 3.2 GB.

    But for whitening, the value takes less than one copy: rows are turned to float64 and multiplied a block at a time.
    """
    a, b = two_views(20_000, 8)
    evaluator = evaluator_of(form)
    if not getattr(form, "whitened", False):
        assert peak(lambda: evaluator.value(a, b)) < a.nbytes
    for compute in (evaluator.value, evaluator.value_and_gradient, evaluator.influence):
        assert peak(lambda compute=compute: compute(a, b)) < 16 * a.nbytes
    assert peak(lambda: a @ b[:400].T) > 16 * a.nbytes


def test_moments_of_images():
    """The moments of W z are W m and W S W^T."""
    a, b = two_views()
    W = np.random.default_rng(2).normal(size=(2, 3))
    found, right = view_moments(a, b).image(W), view_moments(a @ W.T, b @ W.T)
    assert isinstance(found, ViewMoments)
    assert_close(found.second, right.second, 1e-12)
    assert_close(found.mean, right.mean, 1e-12)


@pytest.mark.parametrize("name", benchmark.LOSSES)
def test_the_baselines_of_the_benchmark_are_the_same_losses(name):
    """N x N and through moments, value and gradients."""
    ours, theirs = (task() for task in benchmark.on_rows(name, 30, 4))
    for found, right in zip(ours, theirs, strict=True):
        assert_close(found, right, 1e-12)
        with pytest.raises(AssertionError):
            assert_close(1.001 * found, right, 1e-12)


@pytest.mark.parametrize("name", benchmark.OF_MOMENTS)
def test_the_step_of_the_benchmark_is_a_derivative(name):
    """The value and derivative by W that `SampledLoss` gives on the same features."""
    step = benchmark.Step(name, 50, 4, 3)
    value, by_W = step.task()()
    W = np.random.default_rng(1).standard_normal((3, 4)) / 2
    right, right_by_W = SampledLoss(benchmark.OF_MOMENTS[name], *benchmark.two_views(50, 4)).value_and_gradient(W)
    assert_close(value, right, 1e-10)
    assert_close(by_W, right_by_W, 1e-10)
