"""Losses over pairs of rows: value, gradient and influence in tiles are those of their definitions."""

import importlib
import tracemalloc
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import slow_pairs
import sympy as sp

from symscape.errors import InputError
from symscape.losses.batch import AlignUniform, CrossEntropy, PairwiseSigmoid
from symscape.sampling.pairs import exponential, logits, tiles
from symscape.sampling.pairs.align_uniform import AlignUniformEvaluator
from symscape.sampling.pairs.cross_entropy import CrossEntropyEvaluator
from symscape.sampling.pairs.logits import PairLogits
from symscape.sampling.pairs.sigmoid import PairwiseSigmoidEvaluator

R = sp.Rational
STEP = 1e-40


def views(N, d=3, seed=0, dtype=float, noise=0.6):
    rng = np.random.default_rng(seed)
    s = rng.standard_normal((N, d)) + 0.3
    return tuple((s + noise * rng.standard_normal((N, d))).astype(dtype) for _ in range(2))


def evaluator_and_reference(form):
    if isinstance(form, CrossEntropy):
        return CrossEntropyEvaluator(form), slow_pairs.cross_entropy
    if isinstance(form, AlignUniform):
        return AlignUniformEvaluator(form), slow_pairs.align_uniform
    return PairwiseSigmoidEvaluator(form), slow_pairs.sigmoid


def differs(found, wanted, tolerance):
    """How far numbers are apart, in units of the tolerance times the largest of them."""
    wanted = np.asarray(wanted)
    return np.abs(found - wanted).max() / (tolerance * max(np.abs(wanted).max(), 1e-3))


def assert_value_and_gradient(form, a, b, tolerance=1e-12, reference_form=None):
    evaluator, reference = evaluator_and_reference(form)
    reference_form, rng = reference_form or form, np.random.default_rng(1)
    value, *gradients = evaluator.value_and_gradient(a, b)
    a64, b64 = a.astype(float), b.astype(float)
    assert differs(evaluator.value(a, b), reference(reference_form, a64, b64), tolerance) < 1
    assert differs(value, evaluator.value(a, b), tolerance) < 1
    for side in range(2):
        assert gradients[side].dtype == a.dtype and gradients[side].shape == a.shape
        for _ in range(3):
            turn = [np.zeros(a.shape), np.zeros(a.shape)]
            turn[side] = rng.standard_normal(a.shape) / np.sqrt(len(a))
            slope = reference(reference_form, a64 + 1j * STEP * turn[0], b64 + 1j * STEP * turn[1]).imag / STEP
            size = np.linalg.norm(gradients[side])
            assert abs(np.vdot(gradients[side].astype(float), turn[side]) - slope) < 10 * tolerance * (size + 1e-9)


def assert_influence(form, a, b, tolerance=1e-11, planted=1.0):
    evaluator, reference = evaluator_and_reference(form)
    found = evaluator.influence(a, b)
    assert found.shape == (len(a),) and abs(found.mean()) < tolerance
    if isinstance(form, CrossEntropy):
        data = [0, 3, len(a) // 2, len(a) - 1]
        wanted = slow_pairs.jackknife_differences(reference, form, a, b, data)
        assert differs(planted * (found[data] - found[0]), wanted, tolerance) < 1
        return
    for k in (0, 3, len(a) - 1):
        w = np.ones(len(a), complex)
        w[k] += 1j * STEP
        assert differs(planted * found[k], len(a) * reference(form, a, b, w).imag / STEP, tolerance) < 1


CROSS_ENTROPIES = [
    CrossEntropy(similarity, tau, pool, positive, epsilon)
    for (similarity, tau, epsilon), pool, positive in product(
        [("cosine", R(1, 5), 0), ("cosine", R(1, 2), 2), ("dot", R(3, 2), 0), ("sqdist", R(4, 3), 0)],
        ["one-way", "both-ways", "both-views"],
        [True, False],
    )
]
FINITE = [
    CrossEntropy(similarity, R(3, 2), positive=positive, negatives=sp.Integer(n), per_candidate=n < 3)
    for similarity, n, positive in product(["cosine", "dot", "sqdist"], [1, 2, 8, 10], [True, False])
]
OTHERS = [
    AlignUniform(R(2), R(2), R(1)),
    AlignUniform(R(3, 2), R(1, 2), R(5)),
    PairwiseSigmoid(R(10), R(-10)),
    PairwiseSigmoid(R(-3), R(2)),
    PairwiseSigmoid(R(90), R(-20)),
]
CROSS_ENTROPIES = [replace(form, epsilon=sp.sympify(form.epsilon)) for form in CROSS_ENTROPIES]


@pytest.mark.parametrize("form", CROSS_ENTROPIES + OTHERS, ids=str)
def test_value_gradient_and_influence(form):
    """In one tile; the gradient against a complex step, the influence against leaving a datum out, or a step of its weight."""
    assert_value_and_gradient(form, *views(11))
    assert_influence(form, *views(11))


@pytest.mark.parametrize("form", FINITE, ids=str)
def test_finitely_many_negatives(form):
    """The n negatives of an anchor are cyclic windows of the other rows."""
    assert_value_and_gradient(form, *views(11))


@pytest.mark.parametrize("form", [*CROSS_ENTROPIES[::2], *OTHERS, *FINITE[3::4]], ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_many_tiles(form, dtype):
    """N is no multiple of a tile, and rows, columns and corners of tiles all occur."""
    small = {"SUMMED": (16, 8), "WEIGHTED": (8, 16)}
    with pytest.MonkeyPatch.context() as patch:
        for name, size in small.items():
            for module in ("negatives", "weighted", "left_out", "align_uniform", "sigmoid"):
                patch.setattr(f"symscape.sampling.pairs.{module}.{name}", size, raising=False)
        patch.setattr("symscape.sampling.pairs.weighted.panel_rows", lambda *_: 7)
        patch.setattr("symscape.sampling.pairs.windows.panel_rows", lambda *_: 7)
        patch.setattr("symscape.sampling.pairs.windows.PART", 60)
        patch.setattr("symscape.sampling.pairs.weighted.MEMORY", (8 << 20) + 9000)
        precise = dtype == np.float64
        assert_value_and_gradient(form, *views(51, dtype=dtype), tolerance=1e-12 if precise else 2e-5)
        if precise and not (isinstance(form, CrossEntropy) and form.negatives.is_finite):
            assert_influence(form, *views(51))


@pytest.mark.parametrize("form", [CROSS_ENTROPIES[0], CROSS_ENTROPIES[20], OTHERS[0], OTHERS[2]], ids=str)
def test_tiles_of_full_size(form):
    """700 rows: beyond the real tiles in every direction."""
    assert_value_and_gradient(form, *views(700, d=2))
    assert_influence(form, *views(700, d=2), tolerance=1e-10)


@pytest.mark.parametrize("base", [exponential.NATURAL, exponential.BINARY])
def test_both_exponentials(base):
    """Whichever exponential the processor does faster, results agree."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("logits", "negatives", "align_uniform", "windows"):
            patch.setattr(f"symscape.sampling.pairs.{module}.EXPONENTIAL", base)
        for form in (CROSS_ENTROPIES[0], CROSS_ENTROPIES[13], CROSS_ENTROPIES[22], FINITE[5], OTHERS[0]):
            assert_value_and_gradient(form, *views(11))


def test_all_other_rows_are_one_window():
    """n = N - 1 negatives and the positive are all that a batch holds."""
    form = CrossEntropy("dot", R(2))
    whole = replace(form, negatives=sp.Integer(12))
    a, b = views(13)
    assert differs(CrossEntropyEvaluator(whole).value(a, b), CrossEntropyEvaluator(form).value(a, b), 1e-13) < 1


# Planted errors


def wrong(form):
    """Yield forms that differ by one mistake."""
    yield replace(form, tau=form.tau * R(51, 50))
    yield replace(form, positive=not form.positive)
    yield replace(form, per_candidate=not form.per_candidate)
    yield from (replace(form, pool=pool) for pool in ("one-way", "both-ways", "both-views") if pool != form.pool)
    yield replace(form, similarity="dot" if form.similarity != "dot" else "sqdist")
    if form.similarity == "cosine":
        yield replace(form, epsilon=form.epsilon + R(1, 10))


@pytest.mark.parametrize("form", CROSS_ENTROPIES, ids=str)
def test_a_wrong_form_is_caught(form):
    for mistaken in wrong(form):
        with pytest.raises(AssertionError):
            assert_value_and_gradient(form, *views(11), reference_form=mistaken)


def test_a_forgotten_exclusion_is_caught(monkeypatch):
    monkeypatch.setattr(logits, "fill_diagonals", lambda *_: None)
    for form in CROSS_ENTROPIES:
        with pytest.raises(AssertionError):
            assert_value_and_gradient(form, *views(11))


def test_a_missed_shift_is_caught(monkeypatch):
    right = PairLogits.shifted
    monkeypatch.setattr(PairLogits, "shifted", lambda self, shift: replace(right(self, shift), shift=self.shift))
    for form in CROSS_ENTROPIES:
        with pytest.raises(AssertionError):
            assert_value_and_gradient(replace(form, tau=form.tau / 1000), *views(11))


@pytest.mark.parametrize("form", CROSS_ENTROPIES[::5] + OTHERS, ids=str)
def test_an_influence_2_percent_off_is_caught(form):
    with pytest.raises(AssertionError):
        assert_influence(form, *views(11), planted=1.02)


# Standard errors


def spread_over_standard_error(form, N=120, batches=250, influence=None):
    """Standard deviation over independent batches, in units of what the influence says."""
    evaluator, _ = evaluator_and_reference(form)
    influence = influence or evaluator.influence
    values, squares = [], []
    for seed in range(batches):
        a, b = views(N, d=2, seed=seed)
        values.append(evaluator.value(a, b))
        squares.append(np.mean(influence(a, b) ** 2) / N)
    return np.std(values) / np.sqrt(np.mean(squares))


def assert_standard_error(ratio, batches=250):
    """A ratio of standard deviations is known to 1 / sqrt(2 batches); at N = 120 another 5 % is allowed."""
    assert abs(np.log(ratio)) < 3 / np.sqrt(2 * batches) + 0.05


JACKKNIFE = [
    CrossEntropy("cosine", R(1, 2), "both-views"),
    CrossEntropy("dot", R(2), "both-ways", positive=False),
    CrossEntropy("sqdist", R(1)),
    CrossEntropy("sqdist", R(1), negatives=sp.Integer(1)),
    CrossEntropy("dot", R(2), negatives=sp.Integer(2), positive=False),
    CrossEntropy("sqdist", R(1), negatives=sp.Integer(20)),
    CrossEntropy("cosine", R(1, 2), negatives=sp.Integer(119)),
    OTHERS[0],
    OTHERS[2],
]


@pytest.mark.parametrize("form", JACKKNIFE, ids=str)
def test_the_standard_error_is_the_spread_of_batches(form):
    assert_standard_error(spread_over_standard_error(form))


def heavy_batches(form, rows, batches=200):
    """Values of independent batches, jackknife influences, and those by weights, which are linear in the candidates."""
    values, jackknife, linear = [], [], []
    for seed in range(batches):
        a, b = rows(np.random.default_rng(seed))
        evaluator = CrossEntropyEvaluator(form)
        values.append(evaluator.value(a, b))
        jackknife.append(evaluator.influence(a, b).var(ddof=1) / len(a))
        if seed < 20:
            steps = np.eye(len(a)) * STEP * 1j + 1
            slopes = np.array([slow_pairs.cross_entropy(form, a, b, w).imag for w in steps]) / STEP
            linear.append(slopes.var(ddof=1) * len(a))
    return np.std(values, ddof=1), np.sqrt(np.mean(jackknife)), np.sqrt(np.mean(linear))


def gaussian_rows(rng):
    z = rng.normal(size=(120, 3))
    return z + 0.5 * rng.normal(size=z.shape), z + 0.5 * rng.normal(size=z.shape)


def gamma_rows(rng):
    z = rng.gamma(1.0, size=(60, 3))
    return z + 0.1 * rng.normal(size=z.shape), z + 0.1 * rng.normal(size=z.shape)


@pytest.mark.parametrize("rows", [gaussian_rows, gamma_rows])
@pytest.mark.parametrize("form", [CrossEntropy("dot", R(1, 2)), CrossEntropy("dot", R(7, 100), "both-views")], ids=str)
def test_the_standard_error_where_few_candidates_carry_the_sums(form, rows):
    """Within 25 % of the spread, where the derivative by weights tells half of it or less."""
    spread, jackknife, linear = heavy_batches(form, rows)
    assert abs(jackknife / spread - 1) < 0.25
    assert linear / spread < 0.7


def test_a_standard_error_of_anchors_alone_is_caught():
    """The spread of the anchors' losses, as if their candidates were fixed, is not that of the loss."""
    form = CrossEntropy("dot", R(2))

    def anchors_alone(a, b):
        s = slow_pairs.logits("dot", 2.0, a, b)
        losses = np.log(np.exp(s).sum(axis=1)) - np.diag(s)
        return losses - losses.mean()

    assert_standard_error(spread_over_standard_error(form))
    with pytest.raises(AssertionError):
        assert_standard_error(spread_over_standard_error(form, influence=anchors_alone))


# Memory and bad input


@pytest.mark.parametrize("call", ["value", "value_and_gradient", "influence"])
@pytest.mark.parametrize(
    "form",
    [
        CrossEntropy("dot", R(8)),
        CrossEntropy("sqdist", R(1), "both-ways"),
        CrossEntropy("cosine", R(1, 2), "both-views"),
        CrossEntropy("sqdist", R(1), negatives=sp.Integer(1)),
        CrossEntropy("dot", R(8), negatives=sp.Integer(2), positive=False),
        CrossEntropy("cosine", R(1, 2), negatives=sp.Integer(3999)),
    ],
    ids=str,
)
def test_memory(form, call):
    """N x N of float32 would be 256 MB, and 64 MB with temporary arrays of 128 MB for windows; 64 and 40 MiB are enough."""
    windows = form.negatives.is_finite
    a, b = views(4000 if windows else 8000, d=8, dtype=np.float32)
    function = getattr(CrossEntropyEvaluator(form), call)
    tracemalloc.start()
    function(a, b)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (40 << 20 if windows else tiles.MEMORY)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (CrossEntropy("cosine", sp.Symbol("tau")), "give a number for tau"),
        (CrossEntropy("cosine", R(0)), "tau is positive"),
        (CrossEntropy("cosine", R(1), epsilon=R(-1)), "epsilon is at least 0"),
        (CrossEntropy("euclid", R(1)), "choose one of 'cosine'"),
        (CrossEntropy("dot", R(1), "two-way"), "choose one of 'one-way'"),
        (CrossEntropy("dot", R(1), negatives=sp.Integer(11)), "11 rows give an anchor 1 to 10 negatives"),
        (CrossEntropy("dot", R(1), negatives=R(3, 2)), "11 rows give an anchor 1 to 10 negatives"),
        (CrossEntropy("dot", R(1), "both-ways", negatives=R(2)), 'only pool="one-way"'),
        (AlignUniform(R(2), R(-1), R(1)), "t is positive"),
        (PairwiseSigmoid(sp.oo, R(-1)), "t is a finite real number"),
    ],
    ids=str,
)
def test_bad_settings(form, words):
    evaluator, _ = evaluator_and_reference(form)
    for call in (evaluator.value, evaluator.value_and_gradient, evaluator.influence):
        with pytest.raises(InputError, match=words):
            call(*views(11))


# Baselines of the benchmark


def test_the_baselines_of_the_benchmark():
    """What the benchmark compares with is what its name says, and every task runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
        benchmark = importlib.import_module("pairs")
    a, b = benchmark.views(300, 4, np.float64)
    exponentials = np.exp(a @ b.T)
    assert np.allclose(benchmark.bare_value(a, b), exponentials[256:])
    for found, wanted in zip(benchmark.bare_gradient(a, b), (exponentials @ b, exponentials.T @ a), strict=True):
        assert np.allclose(found, wanted) and not np.allclose(1.02 * found, wanted)
    value, *gradients = benchmark.ntxent_numpy(a, b)
    ours, *of_ours = benchmark.evaluator("cosine", R(1, 2), "both-views").value_and_gradient(a, b)
    assert np.isclose(value, ours) and all(np.allclose(x, y) for x, y in zip(gradients, of_ours, strict=True))
    found = list(benchmark.tasks((40,), 20))
    assert len(found) == 6
    assert all(task.run() is not None and benchmark.peak(task.run) < benchmark.MEMORY_GOAL for task in found)
