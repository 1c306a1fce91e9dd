"""N x d0 arrays that are read a few rows at a time: one small class per way of storing them."""

from __future__ import annotations

import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError

Array = NDArray[Any]

#: Numbers of one read when rows are picked out of a file.
PICKED = 2**21


def float_type(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Return the type that features of a stored type are computed in, None for what is no real number.

    >>> [str(float_type(np.dtype(name))) for name in ("f2", "f4", "f8", "u1", "c8")]
    ['float32', 'float32', 'float64', 'float64', 'None']
    """
    if dtype.name == "bfloat16" or (dtype.kind == "f" and dtype.itemsize <= 4):
        return np.dtype(np.float32)
    return np.dtype(np.float64) if dtype.kind in "fiub" else None


@dataclass(frozen=True, eq=False)
class Rows(ABC):
    """A stored array: ``name`` for messages, ``shape``, and ``dtype`` as stored."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @abstractmethod
    def read(self, start: int, stop: int) -> Array:
        """Return rows start to stop as stored."""

    def blocks(self, rows_per_block: int) -> Generator[Array, None, None]:
        """Yield all rows in order."""
        for start in range(0, self.shape[0], rows_per_block):
            yield self.read(start, min(start + rows_per_block, self.shape[0]))

    def take(self, indices: NDArray[np.int64]) -> Array:
        """Return the rows of these numbers, each part of the array that holds some being read once."""
        wanted, back = np.unique(indices, return_inverse=True)
        step = max(1, PICKED // max(1, self.shape[1]))
        picked, start = [np.empty((0, *self.shape[1:]), self.dtype)], 0
        for block in self.blocks(step):
            inside = wanted[np.searchsorted(wanted, start) : np.searchsorted(wanted, start + len(block))]
            picked.append(block[inside - start])
            start += len(block)
        found: Array = np.concatenate(picked)[back]
        return found


@dataclass(frozen=True, eq=False)
class ArrayRows(Rows):
    """An array in memory, or mapped into it."""

    array: Array

    @classmethod
    def of(cls, name: str, array: Array) -> ArrayRows:
        """Return the rows of an array."""
        return cls(name, array.shape, array.dtype, array)

    def read(self, start: int, stop: int) -> Array:
        """Return a view of rows start to stop."""
        return self.array[start:stop]

    def take(self, indices: NDArray[np.int64]) -> Array:
        """Return the rows of these numbers."""
        return self.array[indices]


@dataclass(frozen=True, eq=False)
class SlicedRows(Rows):
    """An array that is elsewhere and gives an array when it is sliced: of zarr, HDF5."""

    array: Any

    def read(self, start: int, stop: int) -> Array:
        """Return rows start to stop."""
        return np.asarray(self.array[start:stop])


@dataclass(frozen=True, eq=False)
class DaskRows(SlicedRows):
    """A Dask array, computed when it is read."""

    def take(self, indices: NDArray[np.int64]) -> Array:
        """Return the rows of these numbers."""
        return np.asarray(self.array[indices])


@dataclass(frozen=True, eq=False)
class FileRows(Rows):
    """Numbers that lie row after row in a file, from a byte on.

    Each block is mapped into memory by itself, so that pages that were read do not count as memory of the process for good.
    """

    path: Path
    offset: int

    def read(self, start: int, stop: int) -> Array:
        """Return rows start to stop, mapped from the file."""
        size = self.dtype.itemsize * int(np.prod(self.shape[1:]))
        try:
            mapped = np.memmap(self.path, self.dtype, "r", self.offset + start * size, (stop - start, *self.shape[1:]))
        except (ValueError, OSError) as error:
            raise InputError(f"{self.name} cannot be read up to row {stop}, it has changed ({error})") from error
        return mapped.view(np.ndarray)

    def take(self, indices: NDArray[np.int64]) -> Array:
        """Return the rows of these numbers."""
        return self.read(0, self.shape[0])[indices]


@dataclass(frozen=True, eq=False)
class PackedRows(Rows):
    """A compressed array of a .npz file, unpacked as it is read, front to back."""

    path: Path
    member: str
    offset: int

    def read(self, start: int, stop: int) -> Array:
        """Return rows start to stop, having unpacked those before."""
        with closing(self._unpacked(start, stop, stop - start)) as blocks:
            return next(blocks)

    def blocks(self, rows_per_block: int) -> Generator[Array, None, None]:
        """Yield all rows in order."""
        return self._unpacked(0, self.shape[0], rows_per_block)

    def _unpacked(self, start: int, stop: int, rows_per_block: int) -> Generator[Array, None, None]:
        size = self.dtype.itemsize * int(np.prod(self.shape[1:]))
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                file.seek(self.offset + start * size)
                for first in range(start, stop, rows_per_block):
                    rows = min(rows_per_block, stop - first)
                    read = file.read(rows * size)
                    if len(read) < rows * size:
                        raise EOFError("too few bytes")
                    yield np.frombuffer(read, self.dtype).reshape(rows, *self.shape[1:])
        except (EOFError, zlib.error, zipfile.BadZipFile) as error:
            raise InputError(f"{self.name} is damaged or truncated ({error}); write it anew") from error


@dataclass(frozen=True, eq=False)
class Bfloat16Rows(Rows):
    """bfloat16, which NumPy lacks: stored as the upper halves of float32."""

    halves: Rows

    @classmethod
    def of(cls, halves: Rows) -> Bfloat16Rows:
        """Return the numbers whose upper halves are given as uint16."""
        return cls(halves.name, halves.shape, np.dtype(np.float32), halves)

    def read(self, start: int, stop: int) -> Array:
        """Return rows start to stop as float32."""
        return _whole(self.halves.read(start, stop))

    def take(self, indices: NDArray[np.int64]) -> Array:
        """Return the rows of these numbers as float32."""
        return _whole(self.halves.take(indices))


def _whole(halves: Array) -> Array:
    return (halves.astype(np.uint32) << 16).view(np.float32)
