"""What sampled losses are given: arrays, names, extreme scales, BLAS threads."""

import os
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import symscape as ss
from symscape.data import threads
from symscape.errors import InputError, UnknownNameError
from symscape.sampling import batch_arguments
from symscape.sampling.expression.program import Program
from symscape.sampling.pairs import sigmoid
from symscape.sampling.pairs.logits import PairLogits
from symscape.sampling.sampled_loss import SampledLoss, sampled_loss


def views(rows=40, columns=3, scale=1.0, dtype=np.float64):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(rows, columns))
    return (scale * a).astype(dtype), (scale * (a + 0.3 * rng.normal(size=a.shape))).astype(dtype)


# Arrays


@pytest.mark.parametrize("loss", [ss.VICReg(), ss.InfoNCE()], ids=repr)
def test_changes_of_the_arrays_are_not_seen(loss):
    """Neither where moments are kept nor where rows are read."""
    (a, b), W = views(), np.eye(2, 3)
    sampled = SampledLoss(loss, a, b)
    before = sampled.value(W), sampled.value()
    a *= 3
    b[0] = np.nan
    assert (sampled.value(W), sampled.value()) == before
    assert sampled_loss(loss, 3 * views()[0], views()[1]).value != before[1]


def test_large_arrays_are_not_copied(monkeypatch):
    monkeypatch.setattr(batch_arguments, "COPIED", 100)
    a, b = views()
    sampled = SampledLoss(ss.InfoNCE(), a, b)
    assert np.shares_memory(sampled._a, a) and not sampled._a.flags.writeable and a.flags.writeable


def test_float32_of_any_byte_order_is_float32():
    a, b = views(dtype=np.float32)
    swapped = SampledLoss(ss.InfoNCE(), a.astype(">f4"), b.astype("<f4"))
    assert "float32" in repr(swapped) and swapped.value() == SampledLoss(ss.InfoNCE(), a, b).value()
    assert swapped.value_and_gradient()[1][0].dtype == np.dtype("=f4")


class Tensor:
    """What an array of another library does when NumPy asks for its numbers."""

    def __init__(self, rows, error=None):
        self.rows, self.error = rows, error

    def __array__(self, dtype=None, copy=None):
        if self.error:
            raise self.error
        return self.rows

    def detach(self):
        return Tensor(self.rows)


def test_tensors():
    a, b = views()
    assert SampledLoss(ss.InfoNCE(), Tensor(a), b).value() == SampledLoss(ss.InfoNCE(), a, b).value()
    for error in (RuntimeError("Can't call numpy() on Tensor that requires grad"), TypeError("can't convert cuda:0")):
        with pytest.raises(InputError, match=r"b is not an array: .*; pass tensor.detach\(\).cpu\(\).numpy\(\)"):
            SampledLoss(ss.InfoNCE(), a, Tensor(b, error))


@pytest.mark.parametrize("params", [[1], 3, "tau"])
def test_params_are_a_mapping(params):
    with pytest.raises(InputError, match="is not a mapping"):
        SampledLoss(ss.InfoNCE.symbolic(), *views(), params=params)


@pytest.mark.parametrize(("shape", "says"), [((0, 5), "two data"), ((1, 5), "two data"), ((5, 0), "one column")])
def test_too_few(shape, says):
    with pytest.raises(InputError, match=f"N x d with one row for each datum; give at least {says}"):
        SampledLoss(ss.InfoNCE(), np.ones(shape), np.ones(shape))


def test_names():
    a, b = views()
    assert sampled_loss("lightly/ntxent", a, b) == sampled_loss(ss.preset("lightly/ntxent"), a, b)
    assert sampled_loss("vicreg", a, b, nu=2, lambda_=3) == sampled_loss(ss.VICReg(nu=2, lambda_=3), a, b)
    with pytest.raises(UnknownNameError, match="did you mean"):
        sampled_loss("lightly/ntxnt", a, b)
    with pytest.raises(UnknownNameError, match="no parameter 'warmth'"):
        sampled_loss("lightly/ntxent", a, b, warmth=1)


# Scales

x, xp = ss.anchor, ss.positive
LOSSES = {
    "barlow-twins": "lightly/barlow-twins",
    "raw barlow-twins": ss.BarlowTwins(),
    "w-mse": "lightly/w-mse",
    "vicreg": ss.VICReg(),
    "dot": ss.InfoNCE(similarity="dot"),
    "sqdist": ss.InfoNCE(),
    "windows": ss.InfoNCE(n=2, similarity="dot"),
    "spectral": ss.SpectralContrastive(),
    "ntxent": "lightly/ntxent",
    "cubic": ss.Loss(ss.E(ss.dot(x, xp) ** 3)),
}
SCALES = [(1e200, "f8"), (1e150, "f8"), (1e100, "f8"), (1e30, "f4"), (1e8, "f4"), (1e-40, "f4"), (1e-150, "f8")]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("scale", "dtype"), SCALES)
def test_extreme_scales(name, scale, dtype):
    """A finite result, or words: never a warning, an infinity or NaN."""
    sampled = SampledLoss(LOSSES[name], *views(scale=scale, dtype=dtype))
    for call in (sampled.value, sampled.value_and_gradient, sampled.estimate, lambda: sampled.value(np.eye(2, 3))):
        try:
            found = call()
        except InputError as error:
            assert any(way in str(error) for way in ("rescale", "divide the representations", "use more rows"))
            continue
        parts = found if isinstance(found, tuple) else [found]
        parts = [found.value, found.standard_error] if hasattr(found, "value") else parts
        assert all(np.isfinite(part).all() for part in parts)


@pytest.mark.parametrize("loss", [ss.InfoNCE(similarity="dot"), ss.InfoNCE(), ss.NTXent(tau=0.01)], ids=repr)
@pytest.mark.parametrize("scale", [1.0, 30.0, 1e3, 1e100])
def test_the_standard_error_of_large_logits_is_the_jackknife(loss, scale):
    """Each datum left out in turn, at logits of any size."""
    a, b = views(scale=scale)
    sampled = SampledLoss(loss, a, b)
    N = len(a)
    values = np.array([SampledLoss(loss, np.delete(a, i, 0), np.delete(b, i, 0)).value() for i in range(N)])
    unit = np.abs(values).max()
    expected = unit * np.sqrt((N - 1) / N * np.sum((values / unit - (values / unit).mean()) ** 2))
    # The log of the number of candidates that a catalogue loss leaves out is the same for all; positives of 1/N differ.
    assert sampled.estimate().standard_error == pytest.approx(expected, rel=0.05)
    assert 1.1 * sampled.estimate().standard_error != pytest.approx(expected, rel=0.05)


def test_right_values_at_large_scales():
    """Where squares do not overflow, losses that do not feel the scale say what they say at scale 1."""
    for name in ("w-mse", "ntxent"):
        values = [SampledLoss(LOSSES[name], *views(scale=scale)).value() for scale in (1.0, 1e150)]
        assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_overflow_is_told_with_its_size():
    with pytest.raises(InputError, match=r"overflows float64 at entries up to .*e\+150; rescale the representations"):
        SampledLoss(ss.VICReg(), *views(scale=1e150)).value()
    with pytest.raises(InputError, match="or give float64"):
        SampledLoss(LOSSES["cubic"], *views(scale=1e8, dtype=np.float32)).value_and_gradient()


# Threads


def blas_threads():
    return [pool["num_threads"] for pool in threads._controller().info() if pool["user_api"] == "blas"]


@pytest.fixture
def two_threads():
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        yield blas_threads()


def test_one_thread_inside_and_as_many_as_before_outside(two_threads):
    with threads.one_thread():
        with threads.one_thread():
            assert set(blas_threads()) <= {1}
        assert set(blas_threads()) <= {1}
    assert blas_threads() == two_threads
    with pytest.raises(ZeroDivisionError), threads.one_thread():
        _ = 1 / 0
    assert blas_threads() == two_threads


CALLERS = """
import threading
import numpy
from threadpoolctl import ThreadpoolController
from symscape.data.threads import one_thread

def calls(count):
    for _ in range(200):
        with one_thread():
            sum(range(50 * count))

def number():
    return max((pool["num_threads"] for pool in ThreadpoolController().info()), default=2)

before = number()
callers = [threading.Thread(target=calls, args=(count,)) for count in range(6)]
for caller in callers:
    caller.start()
for caller in callers:
    caller.join()
assert number() == before
"""


def test_callers_at_the_same_time():
    """However they overlap, the number of threads is in the end what it was: in a process that starts with two."""
    two = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "2")
    subprocess.run([sys.executable, "-c", CALLERS], env=os.environ | two, check=True)


TILES = [
    ("lightly/ntxent", PairLogits, "tile"),
    ("lightly/align-uniform", PairLogits, "tile"),
    (ss.InfoNCE(n=2), PairLogits, "tile"),
    (ss.preset("open-clip/siglip"), sigmoid, "fill_diagonals"),
    (LOSSES["cubic"], Program, "run"),
]


@pytest.mark.parametrize(("loss", "owner", "name"), TILES, ids=str)
def test_loops_over_tiles_take_one_thread(loss, owner, name, two_threads, monkeypatch):
    """What is multiplied inside is multiplied by one thread, and the caller finds the number of before."""
    seen, inner = [], getattr(owner, name)

    def watched(*arguments, **named):
        seen.append(set(blas_threads()))
        return inner(*arguments, **named)

    monkeypatch.setattr(owner, name, watched)
    sampled = SampledLoss(loss, *views(rows=8))
    for call in (sampled.value, sampled.value_and_gradient, sampled.estimate):
        before = len(seen)
        call()
        assert len(seen) > before and all(number <= {1} for number in seen)
    assert blas_threads() == two_threads
