"""Anything that holds features, as arrays by name: arrays, mappings of arrays, paths."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from symscape.data.sources.files import arrays_of_file
from symscape.data.sources.rows import ArrayRows, DaskRows, Rows, SlicedRows, float_type
from symscape.errors import InputError, UnknownNameError

#: How to name arrays in a file.
KEYS = "keys=('view_a', 'view_b'), or --keys view_a,view_b"


def arrays_of(argument: str, given: Any) -> dict[str, Rows]:
    """Return the arrays of what was given for an argument, by name; "" where there is one without a name."""
    if isinstance(given, (str, os.PathLike)):
        return arrays_of_file(Path(given))
    if isinstance(given, Mapping):
        return {str(key): array_rows(f"{argument}[{key!r}]", value) for key, value in given.items()}
    return {"": array_rows(argument, given)}


def array_rows(argument: str, given: Any) -> Rows:
    """Return an array as rows; one that is elsewhere (Dask, zarr, HDF5) is left there."""
    module = type(given).__module__.split(".")[0]
    if module.startswith("dask") and hasattr(given, "to_dask_array"):
        raise InputError(f"{argument} is {_kind(given)}; pass .to_dask_array(lengths=True)")
    if module == "dask" or (module in ("zarr", "h5py") and hasattr(given, "shape")):
        shape = tuple(given.shape)
        if any(n != n for n in shape):
            raise InputError(
                f"{argument} is a Dask array of unknown length, shape {shape}; call {argument}.compute_chunk_sizes() first"
            )
        return (DaskRows if module == "dask" else SlicedRows)(argument, shape, np.dtype(given.dtype), given)
    if given is None:
        raise InputError(f"{argument} is None; pass an array N x d0 or a path")
    if np.ma.isMaskedArray(given):
        # What is masked is missing, and counts as bad.
        return ArrayRows.of(argument, np.ma.filled(given.astype(float), np.nan))
    try:
        return ArrayRows.of(argument, np.asarray(given))
    except Exception as error:
        hint = "; pass features.detach().float().cpu().numpy()" if module == "torch" else ""
        raise InputError(f"{argument} is {_kind(given)}, which is no array of numbers ({error}){hint}") from error


def one_of(argument: str, arrays: Mapping[str, Rows], key: str | None) -> Rows:
    """Return the array of this name, or the only one that may be features."""
    if key is not None and set(arrays) != {""}:
        if key not in arrays:
            raise UnknownNameError(f"{argument} holds no array {key!r}; it holds {_names(arrays)}")
        return arrays[key]
    likely = [rows for rows in arrays.values() if _may_be_features(rows)] if len(arrays) > 1 else list(arrays.values())
    if len(likely) != 1:
        raise InputError(f"{argument} holds {_names(arrays)}; say which one: {KEYS}")
    return likely[0]


def two_of(argument: str, arrays: Mapping[str, Rows], keys: tuple[str, str] | None) -> tuple[Rows, Rows]:
    """Return both views from one place: of these names, or the only two arrays that have one shape."""
    if set(arrays) == {""}:
        rows = arrays[""]
        hint = "pass the other view as features_b, row i being the same datum"
        if len(rows.shape) == 3 and 2 in rows.shape[:2]:
            hint = "pass x[0] and x[1]" if rows.shape[0] == 2 else "pass x[:, 0] and x[:, 1]"
        raise InputError(
            f"{rows.name} is one array of shape {rows.shape}, and features of two views are needed; {hint}"
        )
    if keys is not None:
        return one_of(argument, arrays, keys[0]), one_of(argument, arrays, keys[1])
    likely = [rows for rows in arrays.values() if _may_be_features(rows)]
    if len(likely) != 2 or likely[0].shape != likely[1].shape:
        raise InputError(f"{argument} holds {_names(arrays)}; name the two views of it, N x d0 both: {KEYS}")
    return likely[0], likely[1]


def _may_be_features(rows: Rows) -> bool:
    return len(rows.shape) == 2 and float_type(rows.dtype) is not None


def _names(arrays: Mapping[str, Rows]) -> str:
    if not arrays:
        return "no arrays"
    shown = [f"{key} {' x '.join(map(str, rows.shape))}" for key, rows in arrays.items()]
    return "the arrays " + ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")


def _kind(value: Any) -> str:
    return f"a {type(value).__module__.split('.')[0]}.{type(value).__name__}"
