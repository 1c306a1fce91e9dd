"""Standard errors by leaving out groups of data, for losses whose influences may be too linear."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from symscape.sampling.evaluator import Array

GROUPS = 20


def correction(without: Callable[[NDArray[np.intp]], float], influence: Array) -> float:
    """Return the standard error by leaving out groups of data, in units of what their influences tell for the same groups.

    ``without``: the loss on the given data. Where the loss is linear in the weights of data the ratio is 1, whichever the
    groups, so that it adds no noise of its own to the standard error that it multiplies. Groups are drawn, always alike, since
    neighbouring rows may be related.

    >>> rows = np.random.default_rng(0).exponential(size=100)
    >>> about_mean = rows - rows.mean()
    >>> [round(correction(lambda kept: k * rows[kept].mean(), about_mean), 12) for k in (1, 2)]
    [1.0, 2.0]
    """
    count = len(influence)
    groups = np.array_split(np.random.default_rng(0).permutation(count), min(GROUPS, count // 2))
    kept = [np.setdiff1d(np.arange(count), group) for group in groups]
    odds = np.array([len(rest) / len(group) for rest, group in zip(kept, groups, strict=True)])
    found, told = np.array([[without(rest), influence[rest].mean()] for rest in kept]).T
    apart = [values - values.mean() for values in (found, told)]
    unit = max(float(np.abs(values).max()) for values in apart) or 1.0  # squares of large values would overflow
    error, linear = (float(np.sqrt(np.mean(odds * (values / unit) ** 2))) for values in apart)
    return error / linear if linear > 0 else 1.0
