"""Dask arrays, on this machine and on a cluster, have the moments of the same numbers in NumPy."""

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client

import symscape as ss

ROWS, COLUMNS = 3000, 5


def two_views(seed=0):
    rng = np.random.default_rng(seed)
    s = rng.standard_normal((ROWS, COLUMNS)) + 2
    return tuple((s + 0.3 * rng.standard_normal(s.shape)).astype(np.float32) for _ in range(2))


VIEWS = two_views()


def chunked(*chunks, views=VIEWS):
    return tuple(da.from_array(view, chunks=chunk) for view, chunk in zip(views, chunks, strict=True))


def assert_same_moments(found, exact, tolerance=1e-6):
    """Assert that moments agree to rounding."""
    assert (found.rows, found.columns, found.dropped) == (exact.rows, exact.columns, exact.dropped)
    for name in ("mean", "Sigma", "A_0", "C"):
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), atol=tolerance)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A local cluster of one worker with two threads."""
    folder = str(tmp_path_factory.mktemp("worker"))
    with Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=":0", local_directory=folder
    ) as client:
        yield client


CHUNKS = {
    "few chunks, columns split": ((1700, 3), (1000, 5)),
    "many chunks": ((40, 5), (40, 5)),
    "one chunk": ((ROWS, COLUMNS), (ROWS, COLUMNS)),
    "uneven chunks": (((1, 999, 2000), 5), (77, 2)),
}


@pytest.mark.parametrize("chunks", CHUNKS)
def test_dask_arrays_have_the_moments_of_numpy(chunks):
    """However rows and columns are cut."""
    found, exact = ss.feature_moments(*chunked(*CHUNKS[chunks])), ss.feature_moments(*VIEWS)
    assert_same_moments(found, exact)
    assert len(found.groups) == 32
    # Errors are of other groups of the rows, and known to 1/8 each.
    np.testing.assert_allclose(found.canonical().standard_error, exact.canonical().standard_error, rtol=0.7)
    with pytest.raises(AssertionError):
        assert_same_moments(found, ss.feature_moments(VIEWS[0], VIEWS[1] + np.float32(1e-4)))


def test_a_cluster_has_the_moments_of_numpy(cluster):
    """On a distributed cluster, by its client: no chunk of features comes back, only sums; progress counts the rows."""
    seen = []
    a, b = chunked((100, 5), (200, 5))
    found = ss.feature_moments(a, b, progress=lambda done, total: seen.append((done, total)), groups=8)
    assert_same_moments(found, ss.feature_moments(*VIEWS))
    assert seen == sorted(seen) and seen[-1] == (ROWS, ROWS) and len(seen) == 8


def test_bad_rows_on_a_cluster_are_counted_and_located(cluster):
    """Row numbers are those of the whole array, whatever chunk they are in; dropped, the moments are those of the rest."""
    a, b = (view.copy() for view in VIEWS)
    a[[3, 1234], 0], b[2999, 4] = np.nan, np.inf
    views = chunked((100, 5), (100, 5), views=(a, b))
    with pytest.raises(ss.InputError, match=r"in 3 of 3000 rows, first rows 3, 1234, 2999;"):
        ss.feature_moments(*views, groups=8)
    found = ss.feature_moments(*views, drop_bad_rows=True, groups=8)
    assert found.first_dropped == (3, 1234, 2999)
    assert_same_moments(found, ss.feature_moments(a, b, drop_bad_rows=True))


def test_a_dask_array_and_another_are_read_block_by_block():
    assert_same_moments(
        ss.feature_moments(chunked((500, 5), (1, 1))[0], VIEWS[1], groups=4), ss.feature_moments(*VIEWS)
    )


def test_rows_of_dask_arrays_are_picked():
    """take(), blocks() and all() compute what they give."""
    from symscape.data.features import open_features

    paired = open_features(*chunked((500, 3), (700, 5)))
    assert paired.name == "arrays" and paired.dtype == np.float32
    for rows, view in zip(
        (*paired.take([5, 2, -1]), *paired.all()), (*(v[[5, 2, -1]] for v in VIEWS), *VIEWS), strict=True
    ):
        assert type(rows) is np.ndarray and np.array_equal(rows, view)
    assert np.array_equal(np.concatenate([a for a, _ in paired.blocks(999)]), VIEWS[0])


def test_unknown_lengths_are_refused_with_what_to_call():
    """An array that was filtered does not know its length until it is asked."""
    a, b = chunked((500, 5), (500, 5))
    a, b = a[a[:, 0] > 2], b[a[:, 0] > 2]
    with pytest.raises(ss.InputError, match=r"features_a\.compute_chunk_sizes\(\)"):
        ss.feature_moments(a, b)
    kept = VIEWS[0][:, 0] > 2
    assert_same_moments(
        ss.feature_moments(a.compute_chunk_sizes(), b.compute_chunk_sizes(), groups=4),
        ss.feature_moments(*(view[kept] for view in VIEWS)),
    )


def test_overflow_is_told_from_a_chunk():
    """A huge entry in a late chunk is named, and does not become an infinite moment."""
    a, b = (view.astype(float) for view in VIEWS)
    a[2500, 1] = 1e200
    with pytest.raises(ss.InputError, match=r"1e\+200, whose squares overflow"):
        ss.feature_moments(*chunked((300, 5), (300, 5), views=(a, b)), groups=8)


def test_the_scheduler_in_use_is_used():
    """No scheduler is imposed: the one that is set runs the sums."""
    calls = []

    def recorded(graph, keys, **arguments):
        calls.append(1)
        return dask.get(graph, keys, **arguments)

    with dask.config.set(scheduler=recorded):
        ss.feature_moments(*chunked((500, 5), (500, 5)))
    assert len(calls) >= 2
