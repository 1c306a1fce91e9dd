"""What is odd about features is found, and nothing is found in features that are in order."""

import re

import numpy as np
import pytest

import symscape as ss
from symscape.data.findings import findings_of, listed

ROWS = 2000


def two_views(seed=0, rows=ROWS, columns=6, noise=0.3):
    rng = np.random.default_rng(seed)
    s = rng.standard_normal((rows, columns))
    return tuple(s + noise * rng.standard_normal(s.shape) for _ in range(2))


def with_column(views, k, column):
    """Return copies of both views in which column k is made of the view."""
    changed = [view.copy() for view in views]
    for view in changed:
        view[:, k] = column(view)
    return tuple(changed)


def reordered(views):
    return views[0], views[1][np.random.default_rng(1).permutation(len(views[1]))]


def with_bad_rows(views):
    a = views[0].copy()
    a[[5, 77], 1] = np.nan
    return a, views[1]


def only_the_last_mode_is_shared(views):
    """Views that share one weak direction among many: misaligned on average, not in that direction."""
    rng = np.random.default_rng(2)
    fresh = rng.standard_normal(views[1].shape)
    fresh[:, -1] = views[1][:, -1]
    return views[0], fresh


views = two_views()
pixels = tuple(np.clip(np.rint(128 + 30 * view), 0, 255) for view in views)
#: By case: the views, the kind of the one finding, what its sentence says, and where.
CASES = {
    "NaN": (with_bad_rows(views), "bad rows", "2 of 2000 pairs .* rows 5, 77", (5, 77)),
    "constant": (with_column(views, 2, lambda v: 0.1), "constant features", "1 of 6 .* column 2", (2,)),
    "duplicated": (with_column(views, 4, lambda v: 3 - 2 * v[:, 1]), "duplicated features", "column 4", (4,)),
    "combined": (
        with_column(views, 4, lambda v: v[:, 1] - v[:, 2]),
        "dependent features",
        "1 more .* 5 directions",
        (),
    ),
    "fewer rows": (tuple(v[:5] for v in views), "fewer rows than features", "5 rows of 6 .* 60 rows", ()),
    "few rows": (tuple(v[:40] for v in views), "few rows", r"d0/N = 0.15 \(largest: 0.9", ()),
    "shuffled": (reordered(views), "misaligned pairs", "row i of both views", ()),
    "off by one": ((views[0], np.roll(views[1], 1, axis=0)), "misaligned pairs", "may be misaligned", ()),
    "one array twice": ((views[0], views[0]), "identical views", "every r is 1", ()),
    "one feature not augmented": (
        (views[0], np.column_stack([views[0][:, 0], views[1][:, 1:]])),
        "features without augmentation",
        "column 0",
        (0,),
    ),
    "unlike scales": (
        (views[0], 2 * views[1]),
        "views that differ",
        "variances .* 6 of 6 .* by 1.2 of",
        tuple(range(6)),
    ),
    "unlike means": ((views[0], views[1] + [0, 0, 1, 0, 0, 0]), "views that differ", "means .* column 2", (2,)),
    "large means": (with_column(views, 1, lambda v: v[:, 1] + 1e4), "large means", "subtract the mean", (1,)),
    "integer images": (tuple(v.astype(np.uint8) for v in pixels), "integer images", "divide them by 255", ()),
    "whole numbers": (pixels, "integer images", "pixels of images", ()),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES)
def test_what_is_odd_is_found(case, dtype):
    """Each planted fault is found, alone, with what to do and where, in float32 as in float64."""
    (a, b), kind, sentence, where = CASES[case]
    if a.dtype != np.uint8:
        a, b = a.astype(dtype), b.astype(dtype)
    found = ss.feature_moments(a, b, drop_bad_rows=True).findings
    assert [finding.kind for finding in found] == [kind]
    assert re.search(sentence, str(found[0])), str(found[0])
    assert found[0].where == where


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_found_in_features_that_are_in_order(seed):
    """Gaussian and heavy-tailed features, strongly or weakly augmented, with a mean, are in order."""
    noise = (0.1, 0.5, 1.5)[seed % 3]
    a, b = two_views(seed, noise=noise)
    if seed % 2:
        a, b = np.exp(a / 2), np.exp(b / 2)
    assert ss.feature_moments(a + 1, b + 1).findings == ()


def test_one_shared_direction_is_alignment():
    """Pairs that share one direction of six are not called misaligned; those that share none are."""
    a, b = only_the_last_mode_is_shared(views)
    assert ss.feature_moments(a, b).findings == ()
    b[:, -1] = np.random.default_rng(3).standard_normal(len(b))
    assert [finding.kind for finding in ss.feature_moments(a, b).findings] == ["misaligned pairs"]


def test_swapped_axes_are_suspected():
    """Six rows of 300 columns are asked about; they are too few rows in any case."""
    kinds = [finding.kind for finding in ss.feature_moments(*(view[:300].T for view in views)).findings]
    assert kinds[0] == "swapped axes" and "fewer rows than features" in kinds


def test_small_whole_numbers_are_no_images():
    """Counts and one-hot features are left alone."""
    rng = np.random.default_rng(4)
    counts = rng.poisson(2.0, (ROWS, 3))
    assert ss.feature_moments(counts + rng.integers(0, 2, counts.shape), counts).noticed == ()


def test_many_places_are_listed_in_short():
    """All columns are in ``where``; the sentence names the first five."""
    wide = two_views(columns=12)
    for view in wide:
        view[:, 2:] = 1.0
    (finding,) = findings_of(ss.feature_moments(*wide))
    assert finding.where == tuple(range(2, 12)) and "columns 2, 3, 4, 5, 6, ...:" in finding.sentence
    assert listed([1], 3, "row") == "rows 1, ..."
