"""What a sampled loss is given, checked: numbers for its symbols, and arrays of views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from symscape.errors import InputError, UnknownNameError
from symscape.losses.language import d_1
from symscape.losses.loss import Loss
from symscape.programs.arguments import argument_name

#: Views that take no more bytes than this together are copied.
COPIED = 16 << 20


def with_numbers(call: str, loss: Loss, params: Mapping[Any, Any], parameters: Mapping[str, Any]) -> Loss:
    """Return the loss with a number for every symbol but d_1, which the arrays say, and those that a batch does not need."""
    needed = set[sp.Symbol]().union(*(c.free_symbols | form.free_symbols for c, form in loss.batch))
    known = {argument_name(name): name for name in loss.parameters if name != str(d_1)}
    if not isinstance(params, Mapping):
        raise InputError(
            f"{call}: params={params!r} is not a mapping; pass params={{symbol: value}}, or values by name"
        )
    by_name = {argument_name(str(symbol)): value for symbol, value in params.items()}
    for name, value in parameters.items():
        if name not in known:
            has = ", ".join(known) or "none"
            raise UnknownNameError(f"{call}: the loss has no parameter {name!r}; it has: {has}")
        if name in by_name:
            raise InputError(f"{call}: {name} is given twice, by name and in params=")
        by_name[name] = value
    missing = [name for name, symbol in known.items() if name not in by_name and loss.parameters[symbol] in needed]
    if missing:
        hint = ", ".join(f"{name}=..." for name in missing)
        raise UnknownNameError(f"{call}: the parameter {missing[0]} has no value; pass {hint}")
    chosen = {}
    for name, symbol in known.items():
        if name not in by_name:
            continue
        value = by_name[name]
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise InputError(f"{call}: {name}={value!r} is not a number") from error
        if np.isnan(number) or (np.isinf(number) and symbol != "n"):
            raise InputError(f"{call}: {name}={value!r} is not finite")
        if loss.parameters[symbol].is_integer and np.isfinite(number) and not number.is_integer():
            raise InputError(f"{call}: {name}={value!r} is an integer in this loss")
        if loss.parameters[symbol].is_positive and number <= 0:
            raise InputError(f"{call}: {name}={value!r} is positive in this loss")
        if np.isinf(number):
            chosen[symbol] = sp.oo
        else:
            chosen[symbol] = sp.Integer(int(number)) if number.is_integer() else value
    return loss.with_values(chosen)


def number_of(expr: sp.Expr) -> float:
    """Return an expression without symbols as a float; raise InputError for any other."""
    try:
        return float(expr)
    except (TypeError, OverflowError) as error:
        raise InputError(f"{expr}: not a finite real number; give its symbols values that make it one") from error


def checked_views(call: str, given: Mapping[str, ArrayLike]) -> dict[str, NDArray]:
    """Return read-only arrays of one float type, checked: N x d, equal shapes, finite, N >= 2; copies where they are small."""
    arrays = {name: real_array(f"{call}: {name}", value) for name, value in given.items()}
    single = all(array.dtype == np.float32 for array in arrays.values())
    first = arrays["a"]
    for name, array in arrays.items():
        if array.ndim != 2:
            raise InputError(
                f"{call}: {name} has shape {array.shape}; a view is an array N x d, one row for each datum"
            )
        if array.shape != first.shape:
            raise InputError(
                f"{call}: a has shape {first.shape} and {name} {array.shape}; rows of all views are paired, N x d each"
            )
    rows, columns = first.shape
    if rows < 2 or columns < 1:
        outputs = "at least two data, N >= 2" if rows < 2 else "at least one column"
        raise InputError(f"{call}: a has shape {first.shape}, N x d with one row for each datum; give {outputs}")
    small = sum(array.nbytes for array in arrays.values()) <= COPIED
    found = {}
    for name, array in arrays.items():
        array = array if single else array.astype(np.float64, copy=False)
        refuse_infinite(f"{call}: {name}", array)
        found[name] = array.copy() if small else array.view()
        found[name].flags.writeable = False
    return found


def real_array(name: str, value: ArrayLike) -> NDArray:
    """Return real numbers as an array: float32, of either byte order, in float32, all others in float64."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        way = "pass tensor.detach().cpu().numpy()" if hasattr(value, "detach") else "give rows of equal length"
        raise InputError(f"{name} is not an array: {error}; {way}") from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} is an array of {array.dtype}; give real numbers")
    single = array.dtype.kind == "f" and array.dtype.itemsize == 4
    with np.errstate(over="ignore"):  # what overflows is infinite, and refused as such
        return array.astype(np.float32 if single else np.float64, copy=False)


def refuse_infinite(name: str, array: NDArray) -> None:
    """Raise InputError at the first entry that is NaN or infinite."""
    if not np.isfinite(array).all():
        row, column = (int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise InputError(
            f"{name}[{row}, {column}] is {array[row, column]}; remove that row from all views, or repair it"
        )
