"""Features of a real network: two views of 1600 sentences, as all-MiniLM-L6-v2 embeds them.

Network: sentence-transformers/all-MiniLM-L6-v2, licence Apache 2.0; the mean over tokens of its last layer, 384 numbers, before
its final normalisation to length 1. Sentences: the first of docstrings of NumPy, SciPy and SymPy, licence BSD 3-Clause; none of
them is kept here. Each view drops a word with chance 0.2 and swaps two letters of one that stays with chance 0.1, anew for each
view. Kept in half precision, 11 bits a number; `benchmarks/sentences.py` makes the file.

Features 127, 223 and 319 are constant to rounding, as the network's last gain is 0 there: Sigma has rank 381, centred.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray


def load_sentence_features() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (view_a, view_b), each 1600 x 384: row i of both is of sentence i. Neither centred nor normalised.

    >>> view_a, view_b = load_sentence_features()
    >>> view_a.shape, view_b.shape, view_a.dtype.name
    ((1600, 384), (1600, 384), 'float64')
    """
    with files(__package__).joinpath("sentences.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return archive["view_a"].astype(np.float64), archive["view_b"].astype(np.float64)
