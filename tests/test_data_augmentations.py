"""Three augmentations of the digits: each is what its name and strength say."""

import numpy as np
import pytest
from scipy import ndimage

import symscape as ss
from symscape.data.augmentations import occluded, shifted

DIGITS = ss.load_digits()[0]


def views(kind, strength, seed=0, copies=1):
    return ss.augmented_digits(kind, strength, np.random.default_rng(seed), copies)


@pytest.mark.parametrize("kind", ["noise", "shift", "occlusion"])
def test_views_are_augmented_independently(kind):
    """Shape, copies, and that both views and all copies differ from the digits and each other; strength 0 leaves them alone."""
    a, b = views(kind, 0.5, copies=2)
    assert a.shape == b.shape == (2 * 1797, 64)
    assert all((x != y).any() for x, y in ((a, b), (a[:1797], a[1797:]), (a[:1797], DIGITS), (b[:1797], DIGITS)))
    assert np.array_equal(a, views(kind, 0.5, copies=2)[0]) and (a[:1797] != views(kind, 0.5, seed=1)[0]).any()
    assert all(np.array_equal(view, DIGITS) for view in views(kind, 0))


def test_noise_has_its_deviation():
    """The standard deviation is the strength, within 5 standard errors; that of another strength is not."""
    a, b = views("noise", 0.3)
    for view in (a, b):
        found, error = (view - DIGITS).std(), 0.3 / np.sqrt(2 * DIGITS.size)
        assert abs(found - 0.3) < 5 * error and abs(found - 0.305) > 5 * error
    assert abs(((a - DIGITS) * (b - DIGITS)).mean()) < 5 * 0.09 / np.sqrt(DIGITS.size)


def test_every_shifted_digit_is_one_shift_of_it():
    """Each image is that digit moved by one (y, x) of at most the strength: found again by SciPy's shift, image by image."""
    images = DIGITS[:40].reshape(-1, 8, 8)
    moved = shifted(images, 1.5, np.random.default_rng(2))
    moves = np.random.default_rng(2).uniform(-1.5, 1.5, (2, 40))
    for image, found, move in zip(images, moved, moves.T, strict=True):
        np.testing.assert_allclose(found, ndimage.shift(image, move, order=1, mode="grid-constant"), atol=1e-12)
        assert abs(found - ndimage.shift(image, -move, order=1, mode="grid-constant")).max() > 1e-3


@pytest.mark.parametrize("part", [0.05, 0.25, 0.6, 1.0])
def test_occlusion_covers_its_part_with_a_rectangle(part):
    """The part covered is the strength on average, in one rectangle, anywhere: every pixel is covered in some image."""
    images = np.ones((4000, 8, 8))
    covered = occluded(images, part, np.random.default_rng(3)) == 0
    share = covered.mean(axis=(1, 2))
    assert abs(share.mean() - part) <= 5 * share.std() / np.sqrt(4000) and share.std() < 0.1
    assert np.array_equal(covered, covered.any(axis=2)[:, :, None] & covered.any(axis=1)[:, None, :])
    for side in (covered.any(axis=1), covered.any(axis=2)):
        assert (np.abs(np.diff(np.pad(side.astype(int), ((0, 0), (1, 1))), axis=1)).sum(axis=1) <= 2).all()
    assert covered.any(axis=0).all()


def test_augmentations_have_moments():
    """Each leaves some directions and takes others; stronger noise takes more."""
    for kind in ("noise", "shift", "occlusion"):
        r = ss.feature_moments(*views(kind, 0.5)).canonical().r
        assert r[0] > 0.7 and (r < 0.5).any()
    weak, strong = (ss.feature_moments(*views("noise", strength)).canonical().r for strength in (0.2, 0.4))
    assert (weak > strong).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("blur", 1), "there are noise, shift, occlusion"),
        (("noise", -1), "from 0 to"),
        (("noise", np.nan), "nan"),
        (("occlusion", 1.5), "from 0 to 1"),
        (("shift", 9), "from 0 to 8"),
        (("noise", 1, 0), "default_rng"),
        (("noise", 1, np.random.default_rng(0), 0), "copies=0"),
        (("noise", 1, np.random.default_rng(0), 1.5), "copies=1.5"),
    ],
)
def test_senseless_augmentations_are_refused(arguments, message):
    with pytest.raises(ss.InputError, match=message):
        ss.augmented_digits(*arguments, *([np.random.default_rng(0)] if len(arguments) == 2 else []))
