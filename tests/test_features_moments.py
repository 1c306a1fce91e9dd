"""Moments of features in one pass: right to rounding, their errors those of repeated sampling, r on fresh rows."""

import zipfile
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import symscape as ss
from symscape.data import moments as moments_module
from symscape.data.canonical import canonical_correlations, spread_of_mean
from symscape.data.rank_update import add_symmetric_product
from symscape.data.sums import Plan, paired_sums


def two_views(rng, rows, columns=4, noise=0.5, mean=0.0, dtype=np.float64):
    """Return two noisy views of Gaussian data whose features have deviations 1 to 0.5, so that r_i are known."""
    s = rng.standard_normal((rows, columns)) * np.linspace(1, 0.5, columns)
    return tuple((s + noise * rng.standard_normal(s.shape) + mean).astype(dtype) for _ in range(2))


def exact_moments(a, b):
    """Return mean, covariance, Sigma and C from the definition, in rational arithmetic of the stored numbers."""
    rows = [[[Fraction(float(v)) for v in row] for row in view] for view in (a, b)]
    n, d = a.shape
    mean = [sum(row[i] for view in rows for row in view) / (2 * n) for i in range(d)]

    def average(term):
        return np.array(
            [[float(sum(term(x, y, i, j) for x, y in zip(*rows, strict=True)) / n) for j in range(d)] for i in range(d)]
        )

    covariance = average(lambda x, y, i, j: sum((v[i] - mean[i]) * (v[j] - mean[j]) for v in (x, y)) / 2)
    Sigma = average(lambda x, y, i, j: (x[i] * x[j] + y[i] * y[j]) / 2)
    C = average(lambda x, y, i, j: (x[i] - y[i]) * (x[j] - y[j]) / 2)
    return np.array([float(m) for m in mean]), covariance, Sigma, C


def assert_close_in_deviations(found, exact, tolerance):
    """Assert that a matrix is right within a part of what the deviations of its features make of an entry."""
    scale = np.sqrt(np.outer(np.diagonal(exact), np.diagonal(exact)))
    assert (np.abs(found - exact) <= tolerance * scale).all()


@pytest.mark.parametrize(
    ("dtype", "mean"), [(np.float64, 0.0), (np.float64, 1e4), (np.float64, 1e7), (np.float32, 1e4)]
)
def test_moments_are_those_of_rational_arithmetic(dtype, mean):
    """Mean, Sigma, its part about the mean, and C are right to rounding, about a mean of ten million deviations too."""
    a, b = two_views(np.random.default_rng(1), 30, 2, mean=mean, dtype=dtype)
    exact_mean, covariance, Sigma, C = exact_moments(a, b)
    found = ss.feature_moments(a, b)
    np.testing.assert_allclose(found.mean, exact_mean, rtol=1e-15, atol=1e-15)
    assert_close_in_deviations(found.covariance, covariance, 1e-12)
    assert_close_in_deviations(found.C, C, 1e-12)
    assert_close_in_deviations(found.Sigma, Sigma, 1e-12)
    assert_close_in_deviations(found.A_0, Sigma - C, 1e-12 * max(1.0, mean**2))


def test_one_shot_formulas_lose_what_one_pass_keeps():
    """The check in deviations is not met by E[x x^T] - mean mean^T, nor C by Sigma - A_0, at a mean of 1e7."""
    a, b = two_views(np.random.default_rng(1), 30, 2, mean=1e7)
    _, covariance, _, C = exact_moments(a, b)
    Sigma, mean = (a.T @ a + b.T @ b) / 60, (a.mean(0) + b.mean(0)) / 2
    cross = a.T @ b / 30
    with pytest.raises(AssertionError):
        assert_close_in_deviations(Sigma - np.outer(mean, mean), covariance, 1e-12)
    with pytest.raises(AssertionError):
        assert_close_in_deviations(Sigma - (cross + cross.T) / 2, C, 1e-12)


@pytest.mark.parametrize("mean", [0.0, 3.0, 1e2])
def test_float32_is_multiplied_as_float32_to_seven_digits(mean):
    """Where every direction is resolved, blocks of float32 added up in float64 are right to some 1e-7."""
    a, b = two_views(np.random.default_rng(2), 40_000, 8, mean=mean, dtype=np.float32)
    assert Plan.of(a[:1024], b[:1024], a.dtype).dtype == np.float32
    found, exact = ss.feature_moments(a, b), ss.feature_moments(a.astype(float), b.astype(float))
    assert_close_in_deviations(found.covariance, exact.covariance, 3e-7)
    assert_close_in_deviations(found.C, exact.C, 3e-7)
    naive = [view - view.mean(0) for view in (a + np.float32(1e4), b + np.float32(1e4))]
    with pytest.raises(AssertionError):
        assert_close_in_deviations(sum(v.T @ v for v in naive) / 80_000, exact.covariance, 3e-7)


def test_directions_that_float32_does_not_resolve_are_multiplied_as_float64():
    """Nearly dependent features, a variance of 1e-8 of the largest: r along it is right, which float32 products miss."""
    rng = np.random.default_rng(3)
    a, b = two_views(rng, 20_000, 3, dtype=np.float32)
    weak = two_views(rng, 20_000, 1, noise=0.3)
    a, b = (
        np.column_stack([v, v[:, 0] + 1e-4 * w[:, 0]]).astype(np.float32) for v, w in zip((a, b), weak, strict=True)
    )
    plan = Plan.of(a[:1024], b[:1024], a.dtype)
    assert plan.dtype == np.float64
    exact = ss.feature_moments(a.astype(float), b.astype(float)).canonical().r
    np.testing.assert_allclose(ss.feature_moments(a, b).canonical().r, exact, atol=1e-9)
    rounded = paired_sums(a, b, Plan(plan.shift, np.dtype(np.float32), False))
    assert np.abs(canonical_correlations(rounded, (), True).r - exact).max() > 1e-4


def test_squares_that_float32_does_not_hold_are_multiplied_as_float64():
    """Features in tiny or huge units, and one huge row, do not overflow or vanish."""
    a, b = two_views(np.random.default_rng(4), 2000, 2, dtype=np.float32)
    for unit in (1e-30, 1e30):
        x, y = a * np.float32(unit), b * np.float32(unit)
        exact = ss.feature_moments(x.astype(float), y.astype(float))
        np.testing.assert_allclose(ss.feature_moments(x, y).C, exact.C, rtol=1e-12)
    a[1500] *= np.float32(1e25)
    np.testing.assert_allclose(
        ss.feature_moments(a, b).Sigma, ss.feature_moments(a.astype(float), b.astype(float)).Sigma, rtol=1e-6
    )


def test_moments_may_be_passed_on():
    """about() gives moments as landscapes take them: positive semidefinite with fewer rows than features, in float32 too."""
    for rows, dtype in ((2000, np.float32), (10, np.float32), (10, np.float64)):
        found = ss.feature_moments(*two_views(np.random.default_rng(5), rows, 20, mean=1.0, dtype=dtype))
        about_mean, about_zero = found.about(True), found.about(False)
        np.testing.assert_allclose(
            about_zero["Sigma"] - np.outer(found.mean, found.mean), about_mean["Sigma"], atol=1e-12
        )
        np.testing.assert_allclose(about_mean["Sigma"] - about_mean["A0"], found.C, atol=1e-12)


def test_rounding_leaves_no_direction_that_augmentation_shrinks():
    """C of rank one, in float32: the zero eigenvalues are not negative, and constant features stay exactly so."""
    rng = np.random.default_rng(6)
    s = rng.standard_normal((5000, 6)) @ rng.standard_normal((6, 6))
    s[:, 5] = 0.1
    push = np.append(rng.standard_normal(5), 0.0)
    a, b = ((s + rng.standard_normal((5000, 1)) * push).astype(np.float32) for _ in range(2))
    found = ss.feature_moments(a, b)
    assert Plan.of(a[:1024], b[:1024], a.dtype).dtype == np.float32
    assert np.linalg.eigvalsh(found.C)[0] > -1e-13 * np.linalg.eigvalsh(found.C)[-1]
    assert found.covariance[5, 5] == 0 and found.canonical().constant == 1
    e = a - b
    assert np.linalg.eigvalsh((e.T @ e).astype(float))[0] < -1e-9 * np.linalg.eigvalsh((e.T @ e).astype(float))[-1]


def test_the_difference_of_the_views_is_seen():
    """The means and variances of each view follow from the sums of e and of s e."""
    a, b = two_views(np.random.default_rng(7), 500, 3)
    b = 2 * b + 1
    sums = paired_sums(a, b, Plan(np.full(3, 0.3), np.dtype(np.float64), False))
    assert sums.compared == sums.rows
    np.testing.assert_allclose(sums.mean_difference, a.mean(0) - b.mean(0), atol=1e-12)
    np.testing.assert_allclose(sums.variance_difference, a.var(0) - b.var(0), atol=1e-12)


def test_scaled_moments_are_those_of_scaled_features():
    """Moments of features times factors, their groups and errors too; wrong factors are refused."""
    a, b = two_views(np.random.default_rng(8), 300, 3, mean=2.0)
    factors = np.array([2.0, -1.0, 0.5])
    found, exact = ss.feature_moments(a, b).scaled(factors), ss.feature_moments(a * factors, b * factors)
    for name in ("mean", "Sigma", "A_0", "C"):
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(
            getattr(found.standard_errors(), name), getattr(exact.standard_errors(), name), rtol=1e-9
        )
    with pytest.raises(ss.InputError, match="3 finite numbers"):
        ss.feature_moments(a, b).scaled([1, 2])


# Errors


def test_errors_of_moments_are_those_of_gaussian_views():
    """Var Sigma_ij = (S_ii S_jj + S_ij^2 + A_ii A_jj + A_ij^2)/2N, Var C_ij = (C_ii C_jj + C_ij^2)/N, on average."""
    rows = 40_000
    moments = ss.feature_moments(*two_views(np.random.default_rng(9), rows, 8), groups=200)
    S, A, C = moments.Sigma, moments.A_0, moments.C
    S2, A2, C2 = (np.outer(np.diagonal(m), np.diagonal(m)) + m**2 for m in (S, A, C))
    errors = moments.standard_errors(centred=True)
    expected = {
        "Sigma": (S2 + A2) / (2 * rows),
        "A_0": (S2 + A2) / (2 * rows),
        "C": C2 / rows,
        "mean": np.diagonal(S + A) / (2 * rows),
    }
    for name, variance in expected.items():
        ratio = float((getattr(errors, name) ** 2 / variance).mean())
        assert abs(ratio - 1) < 0.1, (name, ratio)
        assert not abs(1.25 * ratio - 1) < 0.1


def test_errors_of_r_are_the_spread_over_repeated_samples():
    """The error of every r_i, from groups, is its spread over 300 data sets, and (1 - r^2)/sqrt N; 1.25 times it is not."""
    rng, rows = np.random.default_rng(10), 3000
    found = [ss.feature_moments(*two_views(rng, rows), groups=8).canonical() for _ in range(300)]
    r = np.linspace(1, 0.5, 4) ** 2 / (np.linspace(1, 0.5, 4) ** 2 + 0.25)
    spread = np.std([modes.r for modes in found], axis=0, ddof=1)
    error = np.sqrt(np.mean([modes.standard_error**2 for modes in found], axis=0))
    for expected in (spread, (1 - r**2) / np.sqrt(rows)):
        assert (np.abs(error / expected - 1) < 0.14).all()
        assert not (np.abs(1.25 * error / expected - 1) < 0.14).all()


@pytest.mark.parametrize("centred", [True, False])
def test_first_order_errors_are_the_jackknife(centred):
    """Solving again without each group of rows gives the same errors of r as first order does."""
    moments = ss.feature_moments(*two_views(np.random.default_rng(11), 8000, mean=0.5), groups=20)
    left = np.array([rest.canonical(centred).r for rest in moments.leave_group_out()])
    jackknife = np.sqrt(19 / 20 * ((left - left.mean(0)) ** 2).sum(0))
    np.testing.assert_allclose(moments.canonical(centred).standard_error, jackknife, rtol=0.05)


def test_leaving_a_group_out_is_leaving_out_its_rows():
    """With one block a group, groups are runs of rows, and the moments without one are those of the other rows."""
    a, b = two_views(np.random.default_rng(12), 80)
    moments = ss.feature_moments(a, b, groups=80)
    assert [group.rows for group in moments.groups] == [1] * 80
    for k, rest in zip(range(3), moments.leave_group_out(), strict=False):
        others = ss.feature_moments(np.delete(a, k, axis=0), np.delete(b, k, axis=0))
        np.testing.assert_allclose(rest.Sigma, others.Sigma, atol=1e-12)
        np.testing.assert_allclose(rest.C, others.C, atol=1e-12)


def test_one_group_tells_no_error():
    """An error that cannot be estimated is infinite, not zero."""
    moments = next(ss.feature_moments(*two_views(np.random.default_rng(13), 100), groups=2).leave_group_out())
    assert np.isinf(moments.canonical().standard_error).all() and np.isinf(moments.standard_errors().C).all()
    assert len(moments.canonical().held_out) == 0
    assert np.isinf(spread_of_mean(moments.groups, np.ones((1, 2)))).all()


# Canonical correlations


def test_canonical_correlations_solve_the_pencil():
    """A_0 u = r Sigma u and u Sigma u^T = 1, about the mean and about zero; 1 - r is kept where r rounds to 1."""
    a, b = two_views(np.random.default_rng(14), 500, mean=2.0)
    moments = ss.feature_moments(a, b)
    for centred in (True, False):
        modes, m = moments.canonical(centred), moments.about(centred)
        U = modes.directions
        np.testing.assert_allclose(U @ m["Sigma"] @ U.T, np.eye(4), atol=1e-10)
        np.testing.assert_allclose(U @ m["A0"] @ U.T, np.diag(modes.r), atol=1e-10)
        assert (np.diff(modes.r) <= 0).all()
    near = ss.feature_moments(a, a + 1e-9 * (b - a)).canonical()
    assert (near.lost > 1e-20).all() and (near.lost < 1e-17).all()


def test_directions_that_never_vary_have_no_mode():
    """A constant, a copied and a combined feature take one mode each, and leave the r of the others alone."""
    a, b = two_views(np.random.default_rng(15), 500)
    wide = [np.column_stack([v, np.ones(500), 2 - v[:, 0], v[:, 1] + v[:, 2]]) for v in (a, b)]
    found, plain = ss.feature_moments(*wide).canonical(), ss.feature_moments(a, b).canonical()
    assert found.constant == 3 and found.directions.shape == (4, 7)
    np.testing.assert_allclose(found.r, plain.r, atol=1e-10)
    np.testing.assert_allclose(found.standard_error, plain.standard_error, rtol=1e-6)


def test_held_out_r_has_no_bias():
    """Independent views, 3 rows a feature: r of the rows that chose the directions reaches 0.6; on others it is 0."""
    rng = np.random.default_rng(16)
    modes = ss.feature_moments(rng.standard_normal((90, 30)), rng.standard_normal((90, 30))).canonical()
    assert modes.r[0] > 0.6 > 6 * modes.standard_error[0]
    scaled = modes.held_out / modes.held_out_error
    assert (np.abs(scaled) < 5).all() and abs(scaled.mean()) < 1
    assert not (np.abs(modes.r[:30] / modes.held_out_error) < 5).all()


# How a pass goes


def test_progress_is_told_and_groups_fit_the_rows():
    """progress(done, total) counts up to all rows; groups are the moments of all rows, split."""
    seen = []
    a, b = two_views(np.random.default_rng(17), 1000)
    moments = ss.feature_moments(a, b, progress=lambda done, total: seen.append((done, total)), groups=10)
    assert seen == sorted(set(seen)) and seen[-1] == (1000, 1000) and len(seen) > 10
    assert len(moments.groups) == 10 and sum(group.rows for group in moments.groups) == moments.rows
    weighted = sum(group.rows * group.C for group in moments.groups) / moments.rows
    np.testing.assert_allclose(weighted, moments.C, atol=1e-14)


@pytest.mark.parametrize("rows", [40, 5000])
def test_threads_change_nothing_but_rounding(rows, monkeypatch):
    """Blocks summed by five threads, two groups among them, give the moments and the order of progress of one thread."""
    a, b = two_views(np.random.default_rng(22), rows)
    found = {}
    for workers in (1, 5):
        monkeypatch.setattr(moments_module, "blas_threads", lambda workers=workers: workers)
        seen = []
        found[workers] = ss.feature_moments(a, b, progress=lambda done, total, seen=seen: seen.append(done), groups=2)
        assert seen == sorted(seen) and seen[-1] == rows and len(seen) >= 8
    for one, more in zip((found[1].total, *found[1].groups), (found[5].total, *found[5].groups), strict=True):
        assert one.rows == more.rows
        np.testing.assert_allclose(one.covariance, more.covariance, atol=1e-13)
        np.testing.assert_allclose(one.C, more.C, atol=1e-13)


def test_symmetric_products_are_added_by_blas():
    """The upper triangle of rows^T rows is added, in both types; another order or type of memory is refused, not misread."""
    rng = np.random.default_rng(23)
    for dtype in (np.float32, np.float64):
        rows, total = (
            rng.standard_normal((7, 3)).astype(dtype),
            np.asfortranarray(rng.standard_normal((3, 3)).astype(dtype)),
        )
        expected = total + np.triu(rows.T @ rows)
        add_symmetric_product(rows, total)
        np.testing.assert_allclose(total, expected, rtol=1e-5)
        for wrong in (
            (rows[:, ::-1], total),
            (rows, np.ascontiguousarray(total)),
            (rows, total[:2]),
            (rows.astype(">f4"), total),
        ):
            with pytest.raises(TypeError, match="Fortran order"):
                add_symmetric_product(*wrong)


@pytest.mark.parametrize("workers", [1, 3])
def test_bad_rows_are_counted_and_located_or_dropped(workers, monkeypatch):
    """All bad rows are counted before the error; dropped, the moments are those of the other pairs; on several threads too."""
    monkeypatch.setattr(moments_module, "blas_threads", lambda: workers)
    a, b = two_views(np.random.default_rng(18), 3000)
    bad = [3, 700, 701, 1500, 2000, 2999]
    a[bad[:3], 1], b[bad[3:], 2] = np.nan, np.inf
    with pytest.raises(
        ss.InputError, match=r"in 6 of 3000 rows, first rows 3, 700, 701, 1500, 2000, \.\.\.; .*drop_bad_rows"
    ):
        ss.feature_moments(a, b)
    found = ss.feature_moments(a, b, drop_bad_rows=True)
    assert (found.rows, found.dropped, found.first_dropped) == (2994, 6, (3, 700, 701, 1500, 2000))
    rest = ss.feature_moments(np.delete(a, bad, axis=0), np.delete(b, bad, axis=0))
    np.testing.assert_allclose(found.covariance, rest.covariance, atol=1e-12)


def test_too_few_good_rows_are_refused():
    """No good row, or one, has no moments; entries whose squares overflow are told."""
    a, b = two_views(np.random.default_rng(19), 50)
    with pytest.raises(ss.InputError, match="in all 50 rows"):
        ss.feature_moments(np.full_like(a, np.nan), b, drop_bad_rows=True)
    a[1:] = np.nan
    with pytest.raises(ss.InputError, match="1 of 50 rows are finite"):
        ss.feature_moments(a, b, drop_bad_rows=True)
    for row in (0, 45):
        huge = b.copy()
        huge[row] *= 1e200
        with pytest.raises(ss.InputError, match="squares overflow"):
            ss.feature_moments(huge, b)
    late = np.concatenate([b] * 100)
    late[4000] = 1e200
    with pytest.raises(ss.InputError, match=r"1e\+200, whose squares overflow"):
        ss.feature_moments(late, np.concatenate([b] * 100))


@pytest.mark.parametrize("arguments", [{"groups": 1}, {"groups": 2.5}, {"groups": True}, {"progress": 3}])
def test_senseless_arguments_are_refused(arguments):
    with pytest.raises(ss.InputError, match=next(iter(arguments))):
        ss.feature_moments(*two_views(np.random.default_rng(20), 10), **arguments)


def test_an_interrupted_pass_leaves_nothing_open(tmp_path, monkeypatch):
    """After KeyboardInterrupt in the middle of a pass over a compressed file every archive is closed."""
    opened = []

    class Recorded(zipfile.ZipFile):
        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            opened.append(self)

    a, b = two_views(np.random.default_rng(21), 500)
    np.savez_compressed(tmp_path / "both.npz", a=a, b=b)
    monkeypatch.setattr(zipfile, "ZipFile", Recorded)

    def interrupt(done, total):
        assert any(archive.fp is not None for archive in opened)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ss.feature_moments(tmp_path / "both.npz", progress=interrupt)
    assert len(opened) > 2 and all(archive.fp is None for archive in opened)
    assert [path.name for path in tmp_path.iterdir()] == ["both.npz"]


def test_the_baselines_of_the_benchmark_have_the_same_moments(tmp_path, monkeypatch):
    """One-shot NumPy and Dask find the Sigma and A_0 of the one pass; their halves are not those."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    benchmark = import_module("moments")
    files = benchmark.written_views(tmp_path, 3000, 16)
    found = benchmark.in_one_pass(files)
    for baseline in (benchmark.one_shot, benchmark.in_dask):
        Sigma, A_0 = baseline(files)
        np.testing.assert_allclose(Sigma, found.Sigma, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(A_0, found.A_0, rtol=1e-5, atol=1e-5)
        assert abs(A_0 - Sigma).max() > 1e-2
