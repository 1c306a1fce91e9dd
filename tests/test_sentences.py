"""The features of a real network: rows of both views are of one sentence, and half precision loses nothing that is measured."""

import importlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import eigh

from symscape.data.sentences import load_sentence_features

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    builder = importlib.import_module("sentences")

DEAD = [127, 223, 319]
CORRELATED, NEAR = "the views of one row vary together", "partners are near"


@pytest.fixture(scope="module")
def views():
    return load_sentence_features()


def live(view):
    """Return a view, centred, without the features that the network holds constant."""
    return np.delete(view - view.mean(axis=0), DEAD, axis=1)


def canonical_correlations(a, b):
    """Return r of A_0 u = r Sigma u, descending; both views have one Sigma, and A_0 is symmetric."""
    a, b = live(a), live(b)
    return eigh(a.T @ b + b.T @ a, a.T @ a + b.T @ b, eigvals_only=True)[::-1]


def assert_rows_are_pairs(a, b, rng):
    """Canonical correlations are far above those of shuffled rows, one by one, and nearly every row is at an acute angle to its
    partner.
    """
    shuffled = canonical_correlations(a, b[rng.permutation(len(b))])
    assert (canonical_correlations(a, b) > shuffled + 0.25).all(), CORRELATED
    assert np.mean((live(a) * live(b)).sum(axis=1) > 0) > 0.99, NEAR


def test_the_features_are_two_finite_arrays_of_one_shape(views):
    """1600 x 384 twice; lengths of rows vary, as they are not normalised; the mean is not 0, as they are not centred."""
    for view in views:
        assert view.shape == (1600, 384) and view.dtype == np.float64 and np.isfinite(view).all()
        lengths = np.linalg.norm(view, axis=1)
        assert lengths.min() < 0.6 * lengths.max()
        assert np.linalg.norm(view.mean(axis=0)) > 1
    assert not np.array_equal(*views)


def test_the_network_holds_three_features_constant(views):
    """The gain of the last layer's normalisation is 0 there, and so Sigma is singular; all others vary."""
    for view in views:
        deviations = view.std(axis=0)
        assert np.flatnonzero(deviations < 1e-6).tolist() == DEAD
        assert np.delete(deviations, DEAD).min() > 0.1


def test_rows_of_the_two_views_are_pairs(views):
    """The two views of a sentence are near each other, and no shuffled rows are."""
    assert_rows_are_pairs(*views, np.random.default_rng(0))


@pytest.mark.parametrize(("share", "message"), [(1, CORRELATED), (0.5, CORRELATED), (0.05, NEAR)])
def test_shuffled_rows_are_found(views, share, message):
    """Planted: all rows shuffled, half of them, a twentieth."""
    rng = np.random.default_rng(1)
    a, b = views
    rows, shuffled = rng.choice(len(b), int(share * len(b)), replace=False), b.copy()
    shuffled[rows] = b[np.roll(rows, 1)]
    with pytest.raises(AssertionError, match=message):
        assert_rows_are_pairs(a, shuffled, rng)


def rounded(view, bits, rng):
    """Return a view with an error of up to half a unit in the last of so many bits."""
    return view * (1 + rng.uniform(-1, 1, view.shape) / 2**bits)


def test_half_precision_is_harmless(views):
    """Rounding to 11 bits once more moves no canonical correlation by a hundredth of 1/sqrt(N), the standard error of the least
    certain; rounding to 4 bits is seen.
    """
    rng = np.random.default_rng(2)
    with files("symscape.data").joinpath("sentences.npz").open("rb") as file, np.load(file) as archive:
        assert {archive[name].dtype for name in archive.files} == {np.dtype(np.float16)}
    right = canonical_correlations(*views)
    moved = {b: np.abs(canonical_correlations(*(rounded(v, b, rng) for v in views)) - right).max() for b in (4, 11)}
    assert moved[11] < 0.01 / np.sqrt(len(views[0])) < moved[4] / 10


def assert_dropped_and_misspelt(dropout, typo):
    """Of many words, so many are dropped and so many of the others misspelt, in standard errors."""
    rng = np.random.default_rng(3)
    words = ["ab"] * 100
    kept = [word for _ in range(100) for word in builder.augmented(" ".join(words), rng).split()]
    dropped, misspelt = 1 - len(kept) / 10_000, kept.count("ba") / len(kept)
    assert set(kept) == {"ab", "ba"}
    for found, chance, number in ((dropped, dropout * 99 / 100, 10_000), (misspelt, typo, len(kept))):
        assert abs(found - chance) < 4 * np.sqrt(chance * (1 - chance) / number)


def test_a_view_drops_words_and_swaps_letters():
    """A word is dropped with chance 0.2, but never all are; one that stays is misspelt with chance 0.1."""
    assert_dropped_and_misspelt(0.2, 0.1)
    rng = np.random.default_rng(4)
    assert {builder.augmented("a b", rng) for _ in range(200)} == {"a b", "a", "b"}
    assert sorted(builder.swapped_letters("correlation", rng)) == sorted("correlation")


@pytest.mark.parametrize("wrong", [(0.22, 0.1), (0.2, 0.12)])
def test_wrong_chances_are_found(wrong):
    """Planted: a chance that is 0.02 off."""
    with pytest.raises(AssertionError):
        assert_dropped_and_misspelt(*wrong)


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        (
            "Return the *sum* of ``a`` and\n    `b` along axis 1. More.\n\nMuch more.",
            "Return the sum of a and b along axis 1.",
        ),
        ("Solve it with :class:`~.Matrix` objects or by hand.", ""),
        ("Solve it with :class:`Matrix` objects or by hand.", "Solve it with Matrix objects or by hand."),
        ("Too short.", ""),
        ("Computes $x^2$ in one pass over all the rows.", ""),
        ("", ""),
    ],
)
def test_the_first_sentence_is_plain_words(docstring, sentence):
    """Markup goes, other paragraphs too; formulas, dotted names and short sentences are left out."""
    assert builder.first_sentence(docstring) == sentence
