"""The UCI handwritten digits: 1797 images of 8 x 8 pixels.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
doi:10.24432/C50P49, its test set; licence CC BY 4.0. Kept here as integers 0 to 16, compressed.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray


def load_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (pixels, labels): 1797 x 64 in units of full ink, so between 0 and 1; labels 0 to 9.

    >>> pixels, labels = load_digits()
    >>> pixels.shape, float(pixels.max()), int(labels.max())
    ((1797, 64), 1.0, 9)
    """
    with files(__package__).joinpath("digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return archive["pixels"] / 16.0, archive["labels"].astype(np.int64)
