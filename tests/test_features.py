"""Features are read alike from arrays and files of every kind, a few rows at a time; what is broken is refused by name."""

import os
import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest
import zarr
from safetensors.numpy import save_file

import symscape as ss
from symscape.data.features import open_features

ROWS, COLUMNS = 23, 3
VIEWS = tuple(np.random.default_rng(0).standard_normal((2, ROWS, COLUMNS)))


class Foreign:
    """An array of another library: NumPy gets it through __array__."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


def npy(folder, dtype, order="C"):
    paths = folder / "a.npy", folder / "b.npy"
    for path, view in zip(paths, VIEWS, strict=True):
        np.save(path, np.asarray(view.astype(dtype), order=order))
    return paths


def npz(folder, dtype, save=np.savez, order="C"):
    path = folder / "both.npz"
    a, b = (np.asarray(view.astype(dtype), order=order) for view in VIEWS)
    save(path, labels=np.arange(ROWS), first=a, second=b)
    return path, None


def safetensors(folder, dtype):
    path = folder / "both.safetensors"
    save_file({"first": VIEWS[0].astype(dtype), "second": VIEWS[1].astype(dtype), "labels": np.arange(ROWS)}, path)
    return path, None


def zarr_group(folder, dtype):
    path = folder / "both.zarr"
    group = zarr.open_group(str(path), mode="w")
    for name, view in zip(("first", "second"), VIEWS, strict=True):
        group.create_array(name, shape=view.shape, chunks=(5, 2), dtype=dtype)[:] = view.astype(dtype)
    return path, None


def zarr_arrays(folder, dtype):
    paths = folder / "a.zarr", folder / "b.zarr"
    for path, view in zip(paths, VIEWS, strict=True):
        zarr.save_array(str(path), view.astype(dtype))
    return paths


SOURCES = {
    "arrays": lambda folder, dtype: tuple(view.astype(dtype) for view in VIEWS),
    "Fortran order": lambda folder, dtype: tuple(np.asfortranarray(view.astype(dtype)) for view in VIEWS),
    "another library": lambda folder, dtype: tuple(Foreign(view.astype(dtype)) for view in VIEWS),
    "mapping": lambda folder, dtype: ({"first": VIEWS[0].astype(dtype), "second": VIEWS[1].astype(dtype)}, None),
    "memory-mapped": lambda folder, dtype: tuple(np.load(path, mmap_mode="r") for path in npy(folder, dtype)),
    "npy": npy,
    "npy, Fortran order": lambda folder, dtype: npy(folder, dtype, "F"),
    "npz": npz,
    "npz, compressed": lambda folder, dtype: npz(folder, dtype, np.savez_compressed),
    "npz, Fortran order": lambda folder, dtype: npz(folder, dtype, order="F"),
    "safetensors": safetensors,
    "zarr group": zarr_group,
    "zarr arrays": zarr_arrays,
    "open zarr arrays": lambda folder, dtype: tuple(zarr.open(p, mode="r") for p in zarr_arrays(folder, dtype)),
}
#: The stored types, and those in which they are given.
TYPES = {"float16": np.float32, "float32": np.float32, "float64": np.float64}


def assert_gives_the_views(paired, dtype):
    """Assert that blocks, picked rows and all rows are those of VIEWS as stored in this type."""
    views = [view.astype(dtype) for view in VIEWS]
    assert (paired.rows, paired.columns, paired.dtype) == (ROWS, COLUMNS, TYPES[dtype])
    blocks = list(paired.blocks(7))
    assert [len(a) for a, _ in blocks] == [7, 7, 7, 2]
    wanted = [22, 0, 7, 7, -1]
    found = [paired.all(), [np.concatenate(view) for view in zip(*blocks, strict=True)], paired.take(wanted)]
    for rows, of in zip(found, (slice(None), slice(None), wanted), strict=True):
        for row, view in zip(rows, views, strict=True):
            assert row.dtype == paired.dtype and np.array_equal(row, view[of])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same_rows(source, dtype, tmp_path):
    """Whatever holds them, and in whatever type, the rows are those that were stored; float64 only where it was given."""
    assert_gives_the_views(open_features(*SOURCES[source](tmp_path, dtype)), dtype)


@pytest.mark.parametrize("source", SOURCES)
def test_any_run_of_rows_is_read(source, tmp_path):
    """Rows start to stop, wherever they lie."""
    paired = open_features(*SOURCES[source](tmp_path, "float32"))
    for start, stop in ((0, 1), (6, 10), (5, 23), (22, 23)):
        assert np.array_equal(paired.view_b.read(start, stop), VIEWS[1].astype(np.float32)[start:stop])


def test_swapped_views_are_told_apart():
    """The check that sources give the views fails when they come in the wrong order."""
    with pytest.raises(AssertionError):
        assert_gives_the_views(open_features(VIEWS[1], VIEWS[0]), "float64")


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    """bfloat16 arrays and tensors, which NumPy lacks, are read exactly, as float32."""
    a, b = (view.astype(ml_dtypes.bfloat16) for view in VIEWS)
    save_file({"a": a, "b": b}, tmp_path / "half.safetensors")
    for paired in (open_features(tmp_path / "half.safetensors"), open_features(a, b)):
        assert paired.dtype == np.float32
        for rows, view in zip((*paired.all(), *paired.take([3])), (a, b, a[[3]], b[[3]]), strict=True):
            assert np.array_equal(rows, view.astype(np.float32))
        assert np.array_equal(ss.feature_moments(paired).C, ss.feature_moments(*paired.all()).C)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "uint64", ">f4", ">f8", "longdouble"])
def test_every_real_type_is_converted(dtype):
    """Integers, truth values, and numbers of the other byte order have the moments of their values."""
    a, b = (np.abs(3 * view).astype(dtype) for view in VIEWS)
    found, as_float = ss.feature_moments(a, b), ss.feature_moments(a.astype(float), b.astype(float))
    np.testing.assert_allclose(found.Sigma, as_float.Sigma, rtol=1e-6)
    np.testing.assert_allclose(found.A_0, as_float.A_0, rtol=1e-6)


def test_masked_entries_are_bad_rows():
    """What a masked array masks is missing; its number is not used."""
    masked = np.ma.masked_greater(VIEWS[0], 1.5)
    bad = np.flatnonzero(masked.mask.any(axis=1))
    assert len(bad) and ss.feature_moments(masked, VIEWS[1], drop_bad_rows=True).dropped == len(bad)


def test_keys_name_the_views(tmp_path):
    """keys= picks arrays of one file, or one of each of two files; without them a file with three candidates is not guessed."""
    path = tmp_path / "many.npz"
    np.savez(path, a=VIEWS[0], b=VIEWS[1], c=VIEWS[0] + 1)
    assert_gives_the_views(open_features(path, keys=("a", "b")), "float64")
    assert_gives_the_views(open_features(path, path, keys=("a", "b")), "float64")
    with pytest.raises(ss.InputError, match=r"many|a 23 x 3, b 23 x 3, c 23 x 3"):
        open_features(path)
    with pytest.raises(ss.UnknownNameError, match=r"no array 'z'; it holds the arrays a 23 x 3"):
        open_features(path, keys=("a", "z"))
    with pytest.raises(ss.InputError, match="names of two arrays"):
        open_features(path, keys=("a",))


def test_the_name_says_where_features_are_from(tmp_path):
    assert open_features(*VIEWS).name == "arrays"
    assert open_features(*npy(tmp_path, float)).name == "a.npy and b.npy"
    assert open_features(npz(tmp_path, float)[0]).name == "both.npz"
    assert repr(open_features(*VIEWS)) == "PairedFeatures(arrays; 23 x 3, float64)"


a = VIEWS[0]
BAD = {
    "unequal length": ((a, a[:-1]), r"\(23, 3\) and features_b \(22, 3\); row i of both must be the same datum"),
    "unequal width": ((a, a[:, :2]), "give two N x d0 arrays"),
    "one transposed": ((a, a.T), "one of them has its axes swapped"),
    "images": ((np.ones((5, 8, 8)),) * 2, r"x\.reshape\(len\(x\), -1\)"),
    "one axis": ((a[:, 0], a[:, 0]), r"x\.reshape\(-1, 1\)"),
    "no axis": ((3.0, 3.0), r"shape \(\)"),
    "no rows": ((a[:0], a[:0]), "empty"),
    "no columns": ((a[:, :0], a[:, :0]), "empty"),
    "one row": ((a[:1], a[:1]), "at least 2"),
    "objects": ((a.astype(object), a), "Python objects"),
    "ragged": (([[1, 2], [3]], a), "no array of numbers"),
    "words": ((a.astype(str), a), "features are real numbers"),
    "complex": ((a + 0j, a), "complex128"),
    "dates": ((a.astype("datetime64[s]"), a), "datetime64"),
    "None": ((None, a), "features_a is None"),
    "one view": ((a,), "pass the other view as features_b"),
    "both in one": ((np.stack([a, a]),), r"pass x\[0\] and x\[1\]"),
    "both in one, by row": ((np.stack([a, a], axis=1),), r"pass x\[:, 0\] and x\[:, 1\]"),
    "empty mapping": (({},), "holds no arrays"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_pair_of_features_is_refused(case):
    """Each error quotes the shapes or types, and says what to pass."""
    arguments, message = BAD[case]
    with pytest.raises(ss.InputError, match=message):
        open_features(*arguments)


def test_bad_rows_are_refused_or_left_out_wherever_they_are_read():
    """Reading a row with NaN names it; with drop_bad_rows the pair is left out of both views."""
    views = VIEWS[0].copy(), VIEWS[1].copy()
    views[0][4, 1], views[1][9, 0] = np.nan, -np.inf
    refused, dropped = (open_features(*views, drop_bad_rows=drop) for drop in (False, True))
    for read in (refused.all, lambda: list(refused.blocks(5)), lambda: refused.take([0, 4])):
        with pytest.raises(ss.InputError, match=r"first rows? 4"):
            read()
    good = np.delete(np.arange(ROWS), [4, 9])
    for rows, view in zip(dropped.all(), VIEWS, strict=True):
        assert np.array_equal(rows, view[good])
    assert [len(rows) for rows, _ in dropped.blocks(5)] == [4, 4, 5, 5, 3]
    assert len(dropped.take([4, 5, 9])[0]) == 1 and len(refused.take([5])[0]) == 1


@pytest.mark.parametrize("indices", [[0, 23], [-24], [0.5], [[1]], "1", None])
def test_rows_that_are_none_are_refused(indices):
    """take() refuses numbers beyond the rows, and what are no numbers."""
    with pytest.raises(ss.InputError, match="take"):
        open_features(*VIEWS).take(indices)


def test_a_mask_picks_rows():
    assert np.array_equal(open_features(*VIEWS).take(VIEWS[0][:, 0] > 0)[1], VIEWS[1][VIEWS[0][:, 0] > 0])


# Files that are broken


class Trap:
    """Unpickling this creates a file."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def test_pickled_arrays_are_refused_unread(tmp_path, monkeypatch):
    """Arrays of Python objects are refused by name, and no code in them is run."""
    monkeypatch.chdir(tmp_path)
    trap = np.array([[Trap(), 1.0]], dtype=object)
    np.save("trap.npy", trap, allow_pickle=True)
    np.savez("trap.npz", a=trap, b=trap)
    (tmp_path / "trap.pkl").write_bytes(pickle.dumps(trap))
    for path, message in (("trap.npy", "pickled"), ("trap.npz", "pickled"), ("trap.pkl", "numpy.save")):
        with pytest.raises(ss.InputError, match=rf"{path}.*{message}"):
            open_features(path, VIEWS[0])
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("source", ["npy", "npz", "npz, compressed", "safetensors"])
def test_a_truncated_file_is_refused_wherever_it_ends(source, tmp_path):
    """A file cut at any length raises an InputError that names it, when it is opened or read, and nothing else."""
    path = SOURCES[source](tmp_path, "float32")[0]
    whole = path.read_bytes()
    for length in (0, 1, 4, 7, 9, 30, *range(60, len(whole), 37), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ss.InputError, match=path.stem):
            open_features(path, path if source == "npy" else None).all()
    path.write_bytes(whole)
    open_features(path, path if source == "npy" else None).all()


def test_a_damaged_compressed_file_is_refused(tmp_path):
    """A byte that has flipped in compressed numbers is seen, not decoded."""
    path = npz(tmp_path, "float64", np.savez_compressed)[0]
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("second.npy").header_offset + 120
    damaged = bytearray(path.read_bytes())
    damaged[start + 100] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(ss.InputError, match=r"both\.npz"):
        open_features(path).all()


def test_a_file_that_shrinks_after_it_was_opened_is_refused(tmp_path):
    """Rows that are no longer there are an InputError, not a crash."""
    paths = npy(tmp_path, "float64")
    paired = open_features(*paths)
    paths[0].write_bytes(paths[0].read_bytes()[:300])
    with pytest.raises(ss.InputError, match=r"a\.npy"):
        paired.all()


def test_what_is_no_file_of_features_is_refused(tmp_path):
    """A missing file, an empty one, a folder, text under a false name, a stray type of file: each is told apart."""
    (tmp_path / "empty.npy").touch()
    (tmp_path / "text.npy").write_text("1,2\n")
    (tmp_path / "text.npz").write_text("1,2\n")
    (tmp_path / "text.safetensors").write_text("1,2\n3,4,5,6,7\n")
    (tmp_path / "data.csv").write_text("1,2\n")
    (tmp_path / "model.onnx").write_text("1")
    (tmp_path / "folder.zarr").mkdir()
    save_file({"a": VIEWS[0].astype(ml_dtypes.float8_e4m3fn)}, tmp_path / "eight.safetensors")
    cases = {
        "missing.npy": "no such file",
        "empty.npy": "0 bytes",
        "text.npy": r"numpy\.save",
        "text.npz": r"numpy\.savez",
        "text.safetensors": "save_file",
        "data.csv": r"numpy\.loadtxt",
        "model.onnx": r"\.npy, \.npz, \.safetensors and \.zarr are read",
        "folder.zarr": "no zarr store",
        "eight.safetensors": "F8_E4M3",
    }
    for name, message in cases.items():
        with pytest.raises(ss.InputError, match=message) as error:
            open_features(tmp_path / name, VIEWS[0])
        assert name in str(error.value)


def test_without_zarr_the_error_says_what_to_install(tmp_path, monkeypatch):
    path = zarr_group(tmp_path, "float32")[0]
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    with pytest.raises(ss.InputError, match=r"pip install 'symscape\[files\]'"):
        open_features(path)
