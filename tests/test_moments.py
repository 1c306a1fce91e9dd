"""Moments are checked where they enter; the error quotes what is wrong."""

import numpy as np
import pytest

import symscape as ss

I2 = np.eye(2)
BAD = [
    ({"A0": I2, "Sigma": np.eye(3)}, "shape"),
    ({"A0": np.ones((2, 3)), "Sigma": I2}, "A0 has shape"),
    ({"A0": I2, "Sigma": [[1, 2], [0, 1]]}, "not symmetric"),
    ({"A0": I2, "Sigma": [[1, np.nan], [np.nan, 1]]}, "nan"),
    ({"A0": [[np.inf, 0], [0, 1]], "Sigma": I2}, "inf"),
    ({"A0": I2, "Sigma": -I2}, "positive semidefinite"),
    ({"A0": 2 * I2, "Sigma": I2}, "Sigma - A0 has the eigenvalue -1"),
    ({"A0": -2 * I2, "Sigma": I2}, "Sigma + A0 has the eigenvalue -1"),
    ({"A0": 0 * I2, "Sigma": I2, "mean": [2, 0]}, "Sigma - mean mean^T has the eigenvalue -3"),
    ({"A0": 0 * I2, "Sigma": I2, "mean": [1, 0, 0]}, "mean has shape"),
    ({"A0": "no", "Sigma": I2}, "'no'"),
    ({"A0": np.zeros((0, 0)), "Sigma": np.zeros((0, 0))}, "d0 x d0"),
]


@pytest.mark.parametrize(("arguments", "quoted"), BAD, ids=[q for _, q in BAD])
def test_bad_moments_are_refused(arguments, quoted):
    """Wrong shapes, asymmetry, NaN, indefinite Sigma and an A_0 that Sigma does not dominate each get a clear error."""
    with pytest.raises(ss.MomentsError) as error:
        ss.Moments(**arguments)
    assert quoted in str(error.value)


def test_moments_of_views_are_averaged_and_dominated():
    """From two arrays: A_0 symmetrised, Sigma averaged over both views, C = Sigma - A_0 = E[e e^T] / 2 exactly psd."""
    rng = np.random.default_rng(0)
    s = rng.standard_normal((50, 3))
    a, b = s + 0.1 * rng.standard_normal((50, 3)), s + 0.1 * rng.standard_normal((50, 3))
    moments = ss.Moments.from_views(a, b)
    np.testing.assert_allclose(moments["Sigma"], (a.T @ a + b.T @ b) / 100, atol=1e-14)
    np.testing.assert_allclose(moments["A0"], (a.T @ b + b.T @ a) / 100, atol=1e-14)
    same = ss.Moments.from_views(a, a)
    assert np.array_equal(same["A0"], same["Sigma"])


def test_views_of_unequal_length_or_with_nan_are_refused():
    """Views of unequal length, and NaN with its row, are told."""
    a = np.ones((4, 2))
    with pytest.raises(ss.MomentsError, match=r"\(4, 2\) and \(3, 2\)"):
        ss.Moments.from_views(a, a[:3])
    bad = a.copy()
    bad[2, 1] = np.nan
    with pytest.raises(ss.MomentsError, match=r"second view .* 1 rows, first row 2"):
        ss.Moments.from_views(a, bad)


def test_a_landscape_takes_moments_as_a_mapping():
    """f(W, **moments) equals f(W, A0=..., Sigma=...); with a mean it needs data=GaussianViews(mean=True)."""
    moments = ss.Moments(A0=I2, Sigma=2 * I2)
    f = ss.landscape(ss.InfoNCE()).numpy()
    assert f(I2, **moments) == f(I2, A0=I2, Sigma=2 * I2) == -2 + 0.75 * 8
