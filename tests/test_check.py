"""check(loss, ...): right landscapes pass, and 2 % in any one coefficient does not, at the default sample size."""

import importlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from catalogue_cases import LOSSES

import symscape as ss
from symscape.algebra.polynomial import Polynomial
from symscape.landscape.landscape import Landscape
from symscape.sampling.check.batches import Point, Sampler
from symscape.sampling.check.check import check
from symscape.sampling.check.directions import Terms, value
from symscape.sampling.check.image import Ray
from symscape.sampling.check.mixtures import MixtureCumulants
from symscape.sampling.check.populations import RowsPopulation, population_of
from symscape.sampling.check.rounding import rounding_of_loss

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    errors = importlib.import_module("check").errors

GAUSSIAN = ss.GaussianViews()
QUICK = [name for name in LOSSES if "n=" not in name]


def planted(land: Landscape, index: int, factor: float = 1.02) -> Landscape:
    """Return a landscape with one coefficient of its normal form off by a factor, constants included."""
    domain = land.polynomial.domain
    monomials = [m for m, _ in land.polynomial.terms()]
    off = domain.convert(sp.nsimplify(factor))
    parts = {
        d: {m: c * off if m == monomials[index] else c for m, c in terms.items()}
        for d, terms in land.polynomial.parts.items()
    }
    wrong = Polynomial(domain, land.order, parts)
    return Landscape(land.loss, land.data, land.bias, wrong, land._plan, land._degrees_assumed, land.is_exact)


def features(rows: int = 400):
    """Two views with a mean that are far from Gaussian."""
    rng = np.random.default_rng(3)
    s = rng.exponential(size=(rows, 3)) * [1.0, 0.7, 0.5] + [0.3, 0, -0.2]
    return s + 0.4 * rng.normal(size=s.shape), s + 0.4 * rng.normal(size=s.shape)


# Right and wrong landscapes


def with_planted_terms(found, land: Landscape):
    """Yield a check with 2 % of a term added to its landscape, for every term and for the constant."""
    terms, population = Terms(land), population_of("", GAUSSIAN, {}, 2)
    values = [terms.at(W, population) for W in found.weights]
    for index, degree in enumerate(terms.degrees):
        parts = [0.02 * values[r.direction - 1][index] * r.scale**degree for r in found.rows]
        rows = (replace(r, landscape=r.landscape + part) for r, part in zip(found.rows, parts, strict=True))
        yield replace(found, rows=tuple(rows))
    if found.constant is not None and found.constant[1]:
        yield replace(found, constant=(found.constant[0], 1.02 * found.constant[1]))


@pytest.mark.parametrize("name", [*QUICK, "infonce n=2"])
def test_the_right_landscape_passes_and_two_percent_in_any_one_term_fails(name):
    """Every term of every landscape is visible at the default sample size, constants too."""
    found = check(LOSSES[name], GAUSSIAN)
    assert found.verdict == "agrees" and found.conclusive, str(found)
    wrong = list(with_planted_terms(found, ss.landscape(LOSSES[name])))
    assert [w.verdict for w in wrong] == ["differs"] * len(ss.landscape(LOSSES[name]).terms)


@pytest.mark.parametrize("loss", [ss.SpectralContrastive(), ss.VICReg()], ids=repr)
def test_a_landscape_with_one_coefficient_off_by_two_percent_is_refused(loss):
    """The same with wrong landscapes in place of wrong rows; for VICReg as released, nu counts 1e-6 of its neighbour."""
    land = ss.landscape(loss)
    assert check(loss, GAUSSIAN).verdict == "agrees"
    for index in range(len(land.terms)):
        assert check(loss, GAUSSIAN, land=planted(land, index)).verdict == "differs"


@pytest.mark.parametrize("name", ["infonce dot", "spectral", "barlow twins normalised"])
def test_right_landscapes_raise_no_false_alarm(name):
    """Over seeds, which choose W too, nothing differs."""
    for seed in range(1, 4):
        found = check(LOSSES[name], GAUSSIAN, samples=4096, rng=np.random.default_rng(seed))
        assert found.agrees, f"seed {seed}: {found}"


def test_the_standard_error_is_that_of_the_estimate():
    """Estimates of independent samplings scatter by their standard errors, within the bounds of a chi-square of 24."""
    population = population_of("", GAUSSIAN, {}, 2)
    W = np.array([[0.6, 0.2, 0.1], [-0.1, 0.5, 0.3]])
    points = []
    for seed in range(25):
        sampler = Sampler(ss.SpectralContrastive(), population, [Ray(W, (0.5,))], 128)
        sampler.draw(10, np.random.default_rng(seed))
        points.append(sampler.points()[0][0])
    exact = ss.landscape(ss.SpectralContrastive()).numpy()(0.5 * W, **population.moments)
    deviations = np.array([(p.estimate - exact) / p.standard_error for p in points])
    assert 0.6 < np.sqrt(np.mean(deviations**2)) < 1.5
    assert abs(deviations.mean()) < 4 / 5


def test_the_bias_in_the_number_of_data_is_removed():
    """NT-Xent with the positive among 2N - 1 candidates is biased by O(1/N): far more than what the check lets through."""
    found = check(LOSSES["ntxent"], GAUSSIAN, samples=4096)
    row = found.rows[0]
    assert abs(row.bias_removed) > 100 * row.chance
    biased = replace(row, sampled=row.sampled + row.bias_removed)
    assert not replace(found, rows=(biased, *found.rows[1:])).agrees


def test_truncation_is_told_from_sampling():
    """At large Tr P the quartic landscape of InfoNCE is off by truncation, which its next orders explain; not so for 2 %."""
    found = check(LOSSES["infonce"], GAUSSIAN, samples=4096)
    assert {row.verdict for row in found.rows} == {"agrees", "truncation"}
    assert found.good_up_to is not None and "truncation" in found.sentence()


def test_the_control_variate_saves_samples():
    """At d1 = 2 the same error of the quartic coefficient takes at least 5 times fewer samples than without it."""
    assert errors(ss.InfoNCE(), size=256, batches=16).fewer_samples > 5
    assert errors(LOSSES["ntxent"], size=256, batches=16).fewer_samples > 5


# Other data


def test_user_arrays_are_their_own_population():
    """Features with a mean and fourth cumulants: the Gaussian landscape is off, the one with cumulants agrees."""
    found = check(ss.InfoNCE(tau=0.75), features())
    assert found.verdict == "agrees", str(found)
    row = found.rows[0]
    assert abs(row.deviation) > 20 and row.with_cumulants is not None
    without = replace(found, rows=tuple(replace(r, with_cumulants=None) for r in found.rows))
    assert not without.agrees


def test_a_landscape_with_cumulants_is_checked_as_it_stands():
    """CumulantViews gets the cumulants of the rows, and 2 % in one of their coefficients shows."""
    loss, data = ss.InfoNCE(tau=0.75), features()
    land = ss.landscape(loss, data=ss.CumulantViews(mean=True))
    assert check(loss, data, land=land).verdict == "agrees"
    cumulant = next(k for k, (m, _) in enumerate(land.polynomial.terms()) if m[0][0].startswith("cumulant"))
    assert check(loss, data, land=planted(land, cumulant)).verdict == "differs"


@pytest.mark.parametrize("loss", [ss.SpectralContrastive(), ss.VICReg(5, 3, 2, 0.25)], ids=repr)
def test_mixtures_are_checked(loss):
    """T10: the landscape of a mixture, and 2 % in the term of one class."""
    assert check(loss, ss.MixtureViews(2)).agrees
    land = ss.landscape(loss, data=ss.MixtureViews(2))
    assert check(loss, ss.MixtureViews(2), land=planted(land, len(land.terms) - 1)).verdict == "differs"


def test_cumulants_of_a_mixture_are_those_of_its_samples():
    """The closed form against the cumulants of a million draws, third and fourth, in five of their standard errors."""
    population = population_of("", ss.MixtureViews(2), {}, 2)
    W = np.array([[0.6, 0.2, 0.1], [-0.1, 0.5, 0.3]])
    exact = MixtureCumulants(population.components)
    patterns = [((("x", "x"), ("x", "x'")), None), ((("x", "x'"), ("x", "x'")), None), ((("x", "x'"), "x"), W[:, 0])]
    found = []
    for seed in range(10):
        rows = RowsPopulation(*population.draw(100_000, np.random.default_rng(seed)))
        found.append([rows.cumulants.value_and_gradient(p, W, end)[0] for p, end in patterns])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(10)
    expected = np.array([exact.value_and_gradient(p, W, end)[0] for p, end in patterns])
    assert np.all(np.abs(mean - expected) < 5 * error) and np.all(np.abs(expected) > 10 * error)


def test_a_loss_of_ones_own_with_weight_decay_is_checked():
    """X7: any expression; ||W||^2 counts as it stands, and 2 % in it shows."""
    x, xp, chi = ss.anchor, ss.positive, ss.negative
    t = sp.Symbol("t", positive=True)
    loss = ss.Loss(ss.E(ss.sqdist(x, xp)) + sp.log(ss.E(sp.exp(-t * ss.sqdist(x, chi))))) + ss.WeightDecay(0.1)
    assert check(loss, GAUSSIAN, t=1.25, samples=4096).verdict == "agrees"
    wrong = ss.landscape(loss.with_values({"t": 1.25}) + ss.WeightDecay(0.002))
    assert check(loss, GAUSSIAN, t=1.25, samples=4096, land=wrong).verdict == "differs"


def test_presets_are_checked_as_released():
    """Constants of the library, pools of 2N rows, clipped rows, whose series holds until one is clipped: told as a branch."""
    assert check(ss.preset("pml/ntxent-euclidean"), GAUSSIAN, samples=4096).verdict == "agrees"
    clipped = check(ss.preset("spectral-official/spectral"), GAUSSIAN, samples=4096)
    assert clipped.verdict == "agrees" and "branch" in {row.verdict for row in clipped.rows}


# Errors must not hide, and rounding and heavy tails must not alarm


DOT = ss.InfoNCE(tau=0.5, similarity="dot")


@pytest.mark.parametrize("factor", [0.98, 1.02, 1.4, -1])
@pytest.mark.parametrize("seed", [0, 1])
def test_errors_in_a_mixture_show_whichever_their_sign(factor, seed):
    """An error that cancels against the next orders at one scale is seen nevertheless, in every kind of term."""
    land = ss.landscape(DOT, data=ss.MixtureViews(2))
    for index in (0, 5, 13):
        found = check(DOT, ss.MixtureViews(2), rng=seed, samples=4096, land=planted(land, index, factor))
        assert found.verdict == "differs", f"term {index}: {found}"


@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_errors_show_on_features_whichever_their_sign(factor):
    """The same on rows that are far from Gaussian, where the next orders are measured."""
    land = ss.landscape(DOT, data=ss.GaussianViews(mean=True))
    for index in range(len(land.terms)):
        assert check(DOT, features(), samples=4096, land=planted(land, index, factor)).verdict == "differs"


def test_an_error_does_not_hide_behind_the_next_orders():
    """A row whose gap is within chance differs all the same if the next orders are not."""
    found = check(ss.InfoNCE(), GAUSSIAN, samples=4096)
    row = max(found.rows, key=lambda r: abs(r.next_part) / r.allowed)
    hidden = replace(row, landscape=row.sampled)
    assert abs(row.next_part) > 1.5 * row.allowed and hidden.verdict == "differs"


def test_next_orders_of_a_mixture_are_measured():
    """What is measured at larger scales is the derived part of degree 6, of the actual mixture, within 1 %."""
    found = check(ss.InfoNCE(), ss.MixtureViews(2), samples=4096)
    population = population_of("", ss.MixtureViews(2), {}, 2)
    part = ss.landscape(ss.InfoNCE(), order=6, data=ss.MixtureViews(2)).part(6).numpy()
    row = found.rows[1]
    exact = value(part, found.weights[0], population.arguments) * row.scale**6
    assert row.next_part == pytest.approx(exact, rel=0.01)


def test_rounding_raises_no_alarm():
    """Losses of 0 at W = 0 that are differences of logarithms: rounding of log N is a floor for the standard error."""
    assert rounding_of_loss(ss.InfoNCE(), 2, 512) > 1e-14
    x, chi = ss.anchor, ss.negative
    difference = ss.Loss(sp.log(1000 + ss.E(sp.exp(ss.dot(x, chi)))) - sp.log(1001))
    assert rounding_of_loss(difference, 2, 512) > 1e-14
    for seed in (1, 2):
        found = check(ss.InfoNCE(), ss.MixtureViews(2), rng=seed, samples=4096)
        assert found.agrees, str(found)
    row = found.rows[0]
    assert replace(row, sampled=row.sampled + 0.1 * row.tolerance).verdict == "agrees"
    assert replace(row, sampled=row.sampled + 3 * row.allowed).verdict == "differs"


@pytest.mark.parametrize("kind", ["exponential", "student"])
def test_heavy_tails_raise_no_alarm(kind):
    """Cumulants beyond the fourth, many times as large as the Gaussian parts, are next orders and no difference."""
    for seed in range(2):
        r = np.random.default_rng(seed)
        s = r.exponential(size=(200, 3)) if kind == "exponential" else r.standard_t(3, size=(200, 3))
        rows = s + 0.3 * r.normal(size=s.shape), s + 0.45 * r.normal(size=s.shape)
        for loss in (ss.NTXent(tau=0.5, epsilon=1), DOT):
            found = check(loss, rows, samples=4096, rng=seed)
            assert found.agrees, str(found)


@pytest.mark.parametrize("loss", [ss.VICReg(epsilon=0.25), ss.InfoNCE()], ids=repr)
def test_a_large_mean_raises_no_alarm(loss):
    """A mean of a hundred deviations costs digits of the covariances, which the bounds know; 2 % still shows."""
    a, b = features(50)
    land = ss.landscape(loss, data=ss.GaussianViews(mean=True))
    assert check(loss, a + 100, b + 100, samples=4096).verdict == "agrees"
    wrong = planted(land, len(land.terms) - 1)
    assert check(loss, a + 100, b + 100, samples=4096, land=wrong).verdict == "differs"


@pytest.mark.parametrize("mean", [False, True])
def test_a_mean_of_rounding_is_none(mean):
    """Centred arrays take an ordinary landscape, and one with a mean; arrays with a mean take only that."""
    a, b = features(100)
    land = ss.landscape(ss.InfoNCE(), data=ss.GaussianViews(mean=mean))
    assert check(ss.InfoNCE(), a - a.mean(axis=0), b - b.mean(axis=0), land=land, samples=4096).verdict == "agrees"
    with pytest.raises(ss.InputError, match="have a mean"):
        check(ss.InfoNCE(), a, b, land=ss.landscape(ss.InfoNCE()))


def test_few_batches_widen_what_is_put_down_to_chance():
    """Student's t: as rare as four standard errors of a normal distribution, which 8 batches do not tell."""
    few, many = (Point(0.0, 1.0, 0.0, 0.0, 0.0, freedom) for freedom in (7, 10_000))
    assert few.quantile > 7 and many.quantile == pytest.approx(4, abs=0.01)


# What it prints, and what it refuses


def test_what_is_found_is_plain_data():
    """The record is JSON without infinities; printing shows every row, and which errors would have been seen."""
    found = check(ss.SpectralContrastive(), GAUSSIAN, W=[[1.0, 0.0, 0.0]], samples=4096)
    record = json.loads(json.dumps(found.record, allow_nan=False))
    assert record["verdict"] == "agrees" and len(record["rows"]) == len(found.rows)
    text = str(found)
    assert text.count("agrees") >= len(found.rows) and "Tr P²" in text
    assert found.d1 == 1 and np.isclose(found.weights[0] @ [1.5, 0, 0], 1.5 / np.sqrt(1.5))


def test_a_check_is_shown_in_one_line_and_printed_in_full():
    """The repr says the verdict, and a row never contradicts the deviation beside it."""
    rows = features(100)
    found = check(ss.InfoNCE(), *rows, samples=4096, rng=0)
    assert repr(found) == f"Check(InfoNCE: agrees, the given features, 100 x 3, {found.samples} samples)"
    assert found == check(ss.InfoNCE(), rows, samples=4096, rng=np.random.default_rng(0))
    for row in found.rows:
        assert (abs(row.left) > 4) == (row.verdict == "differs")
        assert row.verdict != "agrees" or row.relative_error < 0.05
    noisy = replace(
        found.rows[0], standard_error=1.0, with_cumulants=None, landscape=2 * found.rows[0].sampled, slack=1.0
    )
    assert noisy.verdict == "noise"
    assert found.rows[-1].left == 0 and " - " in found.table()[-1]


def test_progress_is_told():
    """The caller's function hears of every batch, and of at most as many as were announced."""
    heard = []
    found = check(ss.InfoNCE(), GAUSSIAN, samples=4096, progress=lambda done, most: heard.append((done, most)))
    assert heard == [(k + 1, found.batches) for k in range(found.batches)]


def test_what_hides_is_called_inconclusive():
    """A term that is much too small to be seen is named, and the verdict is inconclusive, not agreement."""
    x, chi = ss.anchor, ss.negative
    loss = ss.Loss(ss.E(ss.sqnorm(x)) + ss.E(sp.exp(ss.dot(x, chi))) + 1e-9 * ss.E(ss.sqnorm(x)) ** 2)
    found = check(loss, GAUSSIAN, samples=4096)
    assert found.agrees and not found.conclusive and found.verdict == "inconclusive"
    assert "inconclusive" in str(found) and "(Tr P)²" in found.sight()


@pytest.mark.parametrize(
    ("loss", "data", "arguments", "message"),
    [
        (ss.InfoNCE.symbolic(), GAUSSIAN, {}, "symbols n, tau"),
        (ss.InfoNCE(), "digits", {}, "give None for the digits"),
        (ss.InfoNCE(), ss.CumulantViews(), {}, "names no distribution"),
        (ss.InfoNCE(), (np.zeros((3, 2)), np.zeros((3, 3))), {}, "shapes"),
        (ss.InfoNCE(), (np.ones((9, 2)), np.ones((9, 2))), {}, "16 or more"),
        (ss.InfoNCE(), GAUSSIAN, {"Sigma": np.eye(2)}, "A0 is missing"),
        (ss.InfoNCE(), GAUSSIAN, {"A0": 2 * np.eye(2), "Sigma": np.eye(2)}, "Sigma - A0"),
        (ss.InfoNCE(), GAUSSIAN, {"sigma": 1}, "unknown argument sigma"),
        (ss.InfoNCE(), GAUSSIAN, {"d1": 0}, "positive integer"),
        (ss.InfoNCE(), GAUSSIAN, {"d1": 5, "A0": np.eye(2) / 2, "Sigma": np.eye(2)}, "dependent"),
        (ss.InfoNCE(), GAUSSIAN, {"samples": 10}, "4096 samples or more"),
        (ss.InfoNCE(), GAUSSIAN, {"rng": -3}, "rng=-3 is not a numpy.random.Generator"),
        (ss.InfoNCE(), GAUSSIAN, {"W": "x"}, "W='x' is not a matrix"),
        (ss.InfoNCE(), GAUSSIAN, {"W": [[1, 2], [3]]}, r"W=\[\[1, 2\], \[3\]\] is not a matrix"),
        (ss.InfoNCE(), GAUSSIAN, {"W": np.ones((2, 3)) * 1j}, "1.j.* is not a matrix of real numbers"),
        (ss.InfoNCE(), GAUSSIAN, {"land": "x"}, "land='x' is not a landscape"),
        (ss.InfoNCE(), GAUSSIAN, {"params": [1]}, r"params=\[1\] is not a dictionary"),
        (ss.InfoNCE(), (np.tile([1.0, 2.0, 3.0], (20, 1)),) * 2, {}, "the features are constant"),
        (ss.InfoNCE(), tuple(z + 1e4 for z in features()), {}, "subtract the mean"),
        (ss.preset("align-uniform-official/align-uniform"), GAUSSIAN, {}, "takes no epsilon.*normalised_landscape"),
        (ss.preset("open-clip/siglip"), GAUSSIAN, {"n": 8}, "takes no epsilon.*smooth cosines"),
        (ss.InfoNCE(), GAUSSIAN, {"W": np.zeros((2, 3))}, "represents these views by 0"),
        (ss.InfoNCE(), GAUSSIAN, {"W": np.ones((2, 4))}, "d1 x 3"),
        (ss.InfoNCE(), GAUSSIAN, {"land": ss.landscape(ss.InfoNCE(), bias=True)}, "without a bias"),
        (ss.InfoNCE(), GAUSSIAN, {"land": ss.landscape(ss.InfoNCE(), data=ss.MixtureViews(2))}, "derive the landscape"),
        (ss.NTXent(), GAUSSIAN, {}, "scale-invariant"),
        (ss.Loss(ss.E(ss.dot(ss.anchor, ss.View("x3", of=ss.anchor)))), GAUSSIAN, {}, "x3"),
        ("infonce", GAUSSIAN, {}, "is a Loss"),
    ],
)
def test_bad_arguments_are_told(loss, data, arguments, message):
    """Each is refused before any work, with the next step."""
    with pytest.raises(ss.InputError, match=message):
        check(loss, data, **arguments)
