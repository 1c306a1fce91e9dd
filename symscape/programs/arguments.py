"""Arguments of compiled functions: their names, and arrays of real numbers of the right shape."""

from __future__ import annotations

import keyword
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from symscape.errors import MomentsError

Array = NDArray[Any]


def argument_name(name: str) -> str:
    """Return the keyword argument for a letter or parameter: A_0 is A0, lambda is lambda_."""
    if name == "A_0":
        return "A0"
    return name + "_" if keyword.iskeyword(name) else name


def real_array(name: str, value: Any) -> Array:
    """Return an array of float32, float64 or mpmath numbers. Raises MomentsError for anything else."""
    try:
        array = np.asarray(value)
        if array.dtype.kind == "c":
            raise TypeError("complex")
        if array.dtype.kind == "f" and array.dtype.itemsize >= 4:
            return array
        if array.dtype.kind == "O" and all(isinstance(x, (mpmath.mpf, int, float)) for x in array.flat):
            return array
        return array.astype(float)
    except (TypeError, ValueError) as error:
        shown = repr(value) if len(repr(value)) < 60 else f"a {type(value).__name__}"
        raise MomentsError(
            f"{name}={shown} is not an array of real numbers; give one of numbers, rows of equal length"
        ) from error


def shaped(name: str, value: Any, shape: tuple[int, ...], d1: int = 0) -> Array:
    """Return an array of real numbers of a given shape, for a W of ``d1`` outputs. Raises MomentsError."""
    array = real_array(name, value)
    if array.shape != shape:
        turned = "; W looks transposed, it is d1 x d0" if d1 and array.shape == (d1,) * len(shape) else ""
        raise MomentsError(f"{name} has shape {array.shape}; with this W it is {shape}{turned}")
    return array


def high_precision(array: Array) -> Array:
    """Return an array of mpmath numbers."""
    made = np.empty(array.shape, dtype=object)
    made[...] = np.vectorize(mpmath.mpf, otypes=[object])(array)
    return made


def plain(value: Any) -> Any:
    """Return a value as a float, or as the mpmath number it is; an array as it is."""
    if np.ndim(value) > 0:
        return value
    value = value.item() if isinstance(value, np.ndarray) else value
    return value if isinstance(value, mpmath.mpf) else float(value)
