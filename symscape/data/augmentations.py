"""Three augmentations of the digits, for examples and studies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from symscape.data.digits import load_digits
from symscape.errors import InputError, UnknownNameError

Array = NDArray[np.float64]

SIDE = 8


def augmented_digits(kind: str, strength: float, rng: np.random.Generator, copies: int = 1) -> tuple[Array, Array]:
    """Return two views of the handwritten digits, each (1797 copies) x 64 pixels, augmented independently.

    ``kind``: "noise", Gaussian of standard deviation ``strength`` (full ink is 1); "shift", by up to ``strength`` pixels along
    each axis, blank where nothing was; "occlusion", a rectangle anywhere that covers about this part of the image, blank.
    Copy k of digit i is row 1797 k + i. Raises InputError for a strength out of range, UnknownNameError for another kind.

    >>> a, b = augmented_digits("occlusion", 0.25, np.random.default_rng(0))
    >>> a.shape, bool((a != b).any())
    ((1797, 64), True)
    """
    if kind not in KINDS:
        raise UnknownNameError(
            f"augmented_digits({kind!r}, ...): there is no such augmentation; there are {', '.join(KINDS)}"
        )
    augment, most = KINDS[kind]
    if not 0 <= strength <= most:
        raise InputError(
            f"augmented_digits({kind!r}, strength={strength!r}): the strength is a number from 0 to {most:g}"
        )
    if isinstance(copies, bool) or not isinstance(copies, (int, np.integer)) or copies < 1:
        raise InputError(f"augmented_digits(..., copies={copies!r}): copies is an integer from 1")
    if not isinstance(rng, np.random.Generator):
        raise InputError(f"augmented_digits(..., rng={rng!r}): pass numpy.random.default_rng(0)")
    pixels = np.tile(load_digits()[0], (int(copies), 1)).reshape(-1, SIDE, SIDE)
    a, b = (augment(pixels, float(strength), rng).reshape(len(pixels), -1) for _ in range(2))
    return a, b


def with_noise(images: Array, deviation: float, rng: np.random.Generator) -> Array:
    """Return images plus Gaussian noise."""
    return images + deviation * rng.standard_normal(images.shape)


def shifted(images: Array, most: float, rng: np.random.Generator) -> Array:
    """Return images moved by up to ``most`` pixels along each axis, by linear interpolation, zero where nothing was."""
    number, down, right = np.indices(images.shape, dtype=float)
    move = rng.uniform(-most, most, (2, len(images), 1, 1))
    found: Array = map_coordinates(images, (number, down - move[0], right - move[1]), order=1, mode="grid-constant")
    return found


def occluded(images: Array, part: float, rng: np.random.Generator) -> Array:
    """Return images with a rectangle set to zero: of this part of their area on average, of random shape, anywhere."""
    # The height is log-uniform between the least that leaves the width within the image and all of it.
    height = SIDE * part ** rng.uniform(0, 1, len(images)) if part else np.zeros(len(images))
    width = SIDE**2 * part / np.maximum(height, 1e-300)
    inside = [_interval(length, rng) for length in (height, width)]
    found: Array = np.where(inside[0][:, :, None] & inside[1][:, None, :], 0.0, images)
    return found


def _interval(length: Array, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which pixels of a side are in an interval of this length, rounded up or down at random, anywhere."""
    whole = np.floor(length + rng.uniform(0, 1, len(length)))
    start = np.floor(rng.uniform(0, 1, len(length)) * (SIDE - whole + 1))
    pixel = np.arange(SIDE)
    found: NDArray[np.bool_] = (pixel >= start[:, None]) & (pixel < (start + whole)[:, None])
    return found


KINDS: dict[str, tuple[Callable[[Array, float, np.random.Generator], Array], float]] = {
    "noise": (with_noise, 1e6),
    "shift": (shifted, float(SIDE)),
    "occlusion": (occluded, 1.0),
}
