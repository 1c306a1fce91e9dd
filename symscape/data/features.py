"""Features of two views, rows paired, wherever they are: in memory, in files larger than it, on a cluster."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.data.sources.given import arrays_of, one_of, two_of
from symscape.data.sources.rows import Rows, float_type
from symscape.errors import InputError

Array = NDArray[np.floating[Any]]

#: So many bad rows are named.
SHOWN = 5


@dataclass(frozen=True, eq=False)
class PairedFeatures:
    """Features of two views, N x d0 each, of which row i is one datum; read when asked for. Made by `open_features`.

    ``drop_bad_rows``: pairs with NaN or infinite entries are left out of what is read; else they are an InputError.
    """

    view_a: Rows
    view_b: Rows
    drop_bad_rows: bool = False

    @property
    def rows(self) -> int:
        """N, bad rows included."""
        return self.view_a.shape[0]

    @property
    def columns(self) -> int:
        """d0."""
        return self.view_a.shape[1]

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The type in which rows are given: float32 for float32 and shorter floats, else float64."""
        kinds = [float_type(view.dtype) for view in (self.view_a, self.view_b)]
        return np.result_type(*(kind for kind in kinds if kind is not None))

    @property
    def name(self) -> str:
        """The file or files, or "arrays"."""
        names = [view.name for view in (self.view_a, self.view_b)]
        if names[0].startswith("features_a"):
            return "arrays"
        files = [name.split("[")[0] for name in names]
        return files[0] if files[0] == files[1] else " and ".join(names)

    def raw_blocks(self, rows_per_block: int) -> Generator[tuple[NDArray[Any], NDArray[Any]], None, None]:
        """Yield all pairs of rows as stored, bad ones too."""
        with closing(self.view_a.blocks(rows_per_block)) as a, closing(self.view_b.blocks(rows_per_block)) as b:
            yield from zip(map(_plain, a), map(_plain, b), strict=True)

    def blocks(self, rows_per_block: int = 4096) -> Iterator[tuple[Array, Array]]:
        """Yield the rows of both views in order, so many at a time. Raises InputError for bad rows that are not dropped."""
        start = 0
        for a, b in self.raw_blocks(rows_per_block):
            yield self._checked(a, b, range(start, start + len(a)))
            start += len(a)

    def take(self, indices: Any) -> tuple[Array, Array]:
        """Return the rows of these numbers, m x d0 of each view. Raises InputError for numbers that are no rows."""
        wanted = np.asarray(indices)
        if wanted.dtype == bool and wanted.shape == (self.rows,):
            wanted = np.flatnonzero(wanted)
        if wanted.ndim != 1 or (len(wanted) and wanted.dtype.kind not in "iu"):
            raise InputError(f"take({indices!r}): give a list of row numbers")
        stray = wanted[(wanted < -self.rows) | (wanted >= self.rows)]
        if len(stray):
            raise InputError(f"take(...): {self.name} has rows 0 to {self.rows - 1}, and row {stray[0]} was asked for")
        wanted = np.where(wanted < 0, wanted + self.rows, wanted).astype(np.int64)
        return self._checked(self.view_a.take(wanted), self.view_b.take(wanted), wanted)

    def all(self) -> tuple[Array, Array]:
        """Return all rows of both views."""
        return self._checked(self.view_a.read(0, self.rows), self.view_b.read(0, self.rows), range(self.rows))

    def _checked(self, a: NDArray[Any], b: NDArray[Any], numbers: Any) -> tuple[Array, Array]:
        a, b = (np.ascontiguousarray(view, dtype=self.dtype) for view in (a, b))
        good = good_rows(a, b)
        if good.all():
            return a, b
        if not self.drop_bad_rows:
            raise bad_rows_error(self, np.asarray(numbers)[~good][:SHOWN], int((~good).sum()), len(good))
        return a[good], b[good]

    def __repr__(self) -> str:
        return f"PairedFeatures({self.name}; {self.rows} x {self.columns}, {self.dtype})"


def open_features(
    features_a: Any, features_b: Any = None, *, keys: tuple[str, str] | None = None, drop_bad_rows: bool = False
) -> PairedFeatures:
    """Return features of two views, N x d0 each and rows paired, without reading them.

    Arrays (NumPy, memory-mapped, or what turns into one; of Dask, zarr, HDF5, which stay where they are) or paths: .npy,
    .npz, .safetensors, .zarr; either two, or one file with both, ``keys`` their names in it. Any real type: float32 and
    shorter floats are read as float32, others as float64. ``drop_bad_rows`` leaves out pairs with NaN or infinite entries.

    Raises InputError for views of unequal shape, for what is no N x d0 array of real numbers, and for files that are missing,
    empty, truncated, or pickled.

    >>> paired = open_features(np.zeros((3, 2), np.float32), np.ones((3, 2), np.float16))
    >>> paired.rows, paired.columns, str(paired.dtype), paired.take([2])[1].tolist()
    (3, 2, 'float32', [[1.0, 1.0]])
    """
    if isinstance(features_a, PairedFeatures):
        if features_b is not None or keys is not None:
            raise InputError("open_features(paired): these are both views already; leave features_b and keys out")
        return (
            features_a
            if features_a.drop_bad_rows or not drop_bad_rows
            else PairedFeatures(features_a.view_a, features_a.view_b, drop_bad_rows)
        )
    if keys is not None and (len(keys) != 2 or not all(isinstance(key, str) for key in keys)):
        raise InputError(f"keys={keys!r} are the names of two arrays, keys=('view_a', 'view_b')")
    if features_b is None:
        a, b = two_of("features_a", arrays_of("features_a", features_a), keys)
    else:
        names = keys or (None, None)
        a = one_of("features_a", arrays_of("features_a", features_a), names[0])
        b = one_of("features_b", arrays_of("features_b", features_b), names[1])
    for rows in (a, b):
        _assert_features(rows)
    if a.shape != b.shape:
        raise InputError(_unequal(a, b))
    if a.shape[0] < 2:
        raise InputError(f"{a.name} has {a.shape[0]} row; moments and their errors need many, at least 2")
    return PairedFeatures(a, b, drop_bad_rows)


def _assert_features(rows: Rows) -> None:
    if rows.dtype.hasobject:
        raise InputError(f"{rows.name} holds Python objects, not numbers; are its rows of unequal length?")
    if float_type(rows.dtype) is None:
        raise InputError(f"{rows.name} has the type {rows.dtype}; features are real numbers")
    if len(rows.shape) > 2:
        raise InputError(
            f"{rows.name} has shape {rows.shape}; features are N x d0, for images pass x.reshape(len(x), -1)"
        )
    if len(rows.shape) < 2:
        raise InputError(
            f"{rows.name} has shape {rows.shape}; features are N x d0, for one feature pass x.reshape(-1, 1)"
        )
    if 0 in rows.shape:
        raise InputError(f"{rows.name} has shape {rows.shape}: it is empty")


def _unequal(a: Rows, b: Rows) -> str:
    said = f"{a.name} has shape {a.shape} and {b.name} {b.shape}; "
    if a.shape == b.shape[::-1]:
        return said + "one of them has its axes swapped: pass its transpose, so that rows are data"
    if a.shape[1] == b.shape[1]:
        return said + "row i of both must be the same datum, so they have equally many rows"
    return said + "give two N x d0 arrays, row i of both being the same datum"


def _plain(block: NDArray[Any]) -> NDArray[Any]:
    """Return a block in a type that NumPy computes with, as bfloat16 of an extension is not."""
    return block if block.dtype.kind in "fiub" else block.astype(np.float32)


def good_rows(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which pairs of rows are finite in both views."""
    good: NDArray[np.bool_] = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
    return good


def bad_rows_error(features: PairedFeatures, first: Any, count: int, of: int) -> InputError:
    """Return the error for bad rows: how many of how many, and the numbers of the first."""
    shown = ", ".join(str(int(n)) for n in first) + (", ..." if count > len(first) else "")
    return InputError(
        f"{features.name}: NaN or infinite entries in {count} of {of} rows, first rows {shown}; mend them, or pass "
        "drop_bad_rows=True (--drop-bad-rows) to leave these pairs out of both views"
    )
