"""The arrays of a file by name: .npy, .npz, .safetensors, .zarr. Pickled arrays are refused, for they may run any code."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from symscape.data.sources.rows import ArrayRows, Bfloat16Rows, FileRows, PackedRows, Rows, SlicedRows
from symscape.errors import InputError

READ = ".npy, .npz, .safetensors and .zarr"
#: What other files that hold features are turned into one of these with.
TURNED = {
    ".pt": "torch.load(...), then numpy.save(path, features.numpy())",
    ".pth": "torch.load(...), then numpy.save(path, features.numpy())",
    ".pkl": "the program that wrote it, then numpy.save",
    ".pickle": "the program that wrote it, then numpy.save",
    ".csv": "numpy.loadtxt(path, delimiter=','), then numpy.save",
    ".txt": "numpy.loadtxt(path), then numpy.save",
    ".parquet": "pandas.read_parquet(path).to_numpy(), then numpy.save",
    ".h5": "h5py.File(path), and pass its datasets",
    ".hdf5": "h5py.File(path), and pass its datasets",
    ".mat": "scipy.io.loadmat(path), and pass its arrays",
}
SAFETENSORS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2"}
SAFETENSORS |= {"I8": "i1", "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "BOOL": "?"}
PICKLED = "holds pickled Python objects, which may run any code when they are read, so they are not; save plain numbers"


def arrays_of_file(path: Path) -> dict[str, Rows]:
    """Return the arrays of a file by name, unread; that of a .npy file or a single zarr array has the name "".

    Raises InputError, which names the file, for one that is missing, empty, truncated, pickled, or of another kind.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such file; the working directory is {Path.cwd()}")
    if path.is_dir():
        if not any((path / mark).exists() for mark in (".zarray", ".zgroup", "zarr.json")):
            raise InputError(f"{path} is a directory and no zarr store; pass the files in it, {READ} are read")
        return _zarr(path)
    if path.suffix not in READERS:
        how = TURNED.get(path.suffix)
        raise InputError(f"{path}: {READ} are read{f'; for this file use {how}' if how else ''}")
    if not path.stat().st_size:
        raise InputError(f"{path} is empty, 0 bytes; write it anew")
    return READERS[path.suffix](path)


def _npy(path: Path) -> dict[str, Rows]:
    try:
        array = npy.open_memmap(path, mode="r")
    except (ValueError, EOFError, OSError) as error:
        if "Python objects" in str(error):
            raise InputError(f"{path} {PICKLED}") from error
        raise InputError(
            f"{path} is no .npy file or truncated ({_first_line(error)}); write it with numpy.save"
        ) from error
    if array.flags.c_contiguous:
        return {"": FileRows(path.name, array.shape, array.dtype, path, array.offset)}
    return {"": ArrayRows.of(path.name, array)}


def _npz(path: Path) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".npy"):
                    rows = _member(path, archive, info)
                    found[info.filename.removesuffix(".npy")] = rows
    except (zipfile.BadZipFile, EOFError, zlib.error, ValueError, struct.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is no .npz file or truncated ({_first_line(error)}); write it with numpy.savez"
        ) from error
    return found


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Rows:
    """Return an array of a .npz file: read from its place where it is stored as it is, else unpacked on the way."""
    name = f"{path.name}[{info.filename.removesuffix('.npy')}]"
    with archive.open(info) as file:
        header = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = header(file)
        offset = file.tell()
    if dtype.hasobject:
        raise InputError(f"{name} {PICKLED}")
    if fortran and len(shape) > 1:
        with np.load(path, allow_pickle=False) as whole:
            return ArrayRows.of(name, whole[info.filename.removesuffix(".npy")])
    if info.compress_type != zipfile.ZIP_STORED:
        return PackedRows(name, shape, dtype, path, info.filename, offset)
    with path.open("rb") as raw:
        raw.seek(info.header_offset + 26)
        lengths = sum(struct.unpack("<HH", raw.read(4)))
    return FileRows(name, shape, dtype, path, info.header_offset + 30 + lengths + offset)


def _safetensors(path: Path) -> dict[str, Rows]:
    """Return the tensors of a file: 8 bytes with the length of a JSON header, the header, the numbers row after row.

    Source: https://huggingface.co/docs/safetensors, "Format".
    """
    size = path.stat().st_size
    found: dict[str, Rows] = {}
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > size - 8:
                raise ValueError(f"a header of {length} bytes in a file of {size}")
            header = json.loads(file.read(length))
        for key, entry in header.items():
            if key == "__metadata__":
                continue
            name, shape, (start, stop) = f"{path.name}[{key}]", tuple(entry["shape"]), entry["data_offsets"]
            if entry["dtype"] not in SAFETENSORS:
                if len(shape) == 2:
                    raise InputError(f"{name} has the type {entry['dtype']}; convert it to F32 or BF16")
                continue
            dtype = np.dtype(SAFETENSORS[entry["dtype"]])
            if stop - start != dtype.itemsize * int(np.prod(shape)) or 8 + length + stop > size:
                raise ValueError(f"the numbers of {key} end at byte {8 + length + stop} of {size}")
            rows = FileRows(name, shape, dtype, path, 8 + length + start)
            found[key] = Bfloat16Rows.of(rows) if entry["dtype"] == "BF16" else rows
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise InputError(
            f"{path} is no .safetensors file or truncated ({_first_line(error)}); write it with safetensors.numpy.save_file"
        ) from error
    return found


def _zarr(path: Path) -> dict[str, Rows]:
    try:
        import zarr  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise InputError(f"{path} is read by zarr: pip install 'symscape[files]'") from error
    try:
        store: Any = zarr.open(str(path), mode="r")
    except Exception as error:
        raise InputError(f"{path} is no zarr array or group ({_first_line(error)})") from error
    if hasattr(store, "shape"):
        return {"": SlicedRows(path.name, store.shape, store.dtype, store)}
    return {key: SlicedRows(f"{path.name}[{key}]", x.shape, x.dtype, x) for key, x in sorted(store.arrays())}


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


READERS: dict[str, Callable[[Path], dict[str, Rows]]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".zarr": _zarr,
}
