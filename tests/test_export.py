"""Exported modules: they stand alone, they agree with the landscape, and they are written whole or not at all."""

import ast
import json
import subprocess
import sys

import numpy as np
import pytest
import sympy as sp
from export_cases import LANDSCAPES, SHAPES, TAU, arguments, load

import symscape as ss
from symscape.errors import InputError, UnknownNameError
from symscape.exports import module as exports

BACKENDS = ("numpy", "jax", "torch")


def flat(derivative):
    """Return a gradient by W, or by W and b, as one array."""
    return np.concatenate([np.ravel(part) for part in (derivative if isinstance(derivative, tuple) else (derivative,))])


def assert_round_trip(module, land, shape):
    """Assert that a module and its landscape give the same value and gradient."""
    W, given = arguments(land, shape)
    value, slope = land.numpy().value_and_gradient(W, **given)
    found, found_slope = module.value_and_gradient(W, **given)
    assert np.shape(found) == np.shape(value)
    np.testing.assert_allclose(found, value, rtol=1e-13, atol=1e-300)
    np.testing.assert_allclose(module.value(W, **given), value, rtol=1e-12, atol=1e-300)
    scale = np.abs(flat(slope)).max()
    np.testing.assert_allclose(flat(found_slope), flat(slope), rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(flat(module.gradient(W, **given)), flat(slope), rtol=0, atol=1e-13 * scale)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", LANDSCAPES)
def test_a_numpy_module_agrees_with_its_landscape(name, shape, tmp_path):
    land = LANDSCAPES[name]()
    assert_round_trip(load(ss.export(land, tmp_path / "exported.py")), land, shape)


@pytest.mark.parametrize("name", ["infonce, tau", "mixture"])
def test_a_number_that_is_off_in_the_module_is_caught(name, tmp_path):
    land = LANDSCAPES[name]()
    file = ss.export(land, tmp_path / "exported.py")
    text = file.read_text()
    assert "3/4" in text or "1/2" in text
    for old in ("3/4", "1/2"):
        text = text.replace(old, old + ".000001")
    file.write_text(text)
    with pytest.raises(AssertionError):
        assert_round_trip(load(file), land, (2, 3))


@pytest.mark.parametrize("name", LANDSCAPES)
def test_a_module_stands_alone(name, tmp_path):
    """In an interpreter that cannot find this package, it runs, and loads neither it nor SymPy."""
    land = LANDSCAPES[name]()
    ss.export(land, tmp_path / "exported.py")
    W, given = arguments(land, (2, 3))
    plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in given.items()}
    code = (
        "import json, sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "class Closed:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('symscape', 'sympy'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Closed())\n"
        "import exported\n"
        "W, given = json.loads(sys.stdin.read())\n"
        "import numpy as np\n"
        "given = {k: np.array(v) if isinstance(v, list) else v for k, v in given.items()}\n"
        "print(repr(float(exported.value(W, **given))))\n"
        "assert not {'symscape', 'sympy'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps([W.tolist(), plain]),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert float(done.stdout) == pytest.approx(land.numpy()(W, **given), rel=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", LANDSCAPES)
def test_every_backend_imports_its_library_alone(name, backend):
    """The source parses, imports one library, works on no array in place, and has its formula in the docstring."""
    source = exports.module_source(LANDSCAPES[name](), backend)
    tree = ast.parse(source)
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert imported == [{"numpy": "numpy", "jax": "jax.numpy", "torch": "torch"}[backend]]
    assert not any(isinstance(node, (ast.ImportFrom, ast.AugAssign)) for node in ast.walk(tree))
    text = ast.get_docstring(tree)
    assert "L(W) = " in text and "2210.00638" in text and "What it assumes" in text
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {"value", "gradient", "value_and_gradient"} <= functions
    assert max(map(len, source.splitlines())) <= 200


def test_parameters_can_be_fixed(tmp_path):
    module = load(ss.export(ss.landscape(ss.InfoNCE(tau=TAU)), tmp_path / "fixed.py", params={TAU: 0.5}))
    W, given = arguments(ss.landscape(ss.InfoNCE()), (2, 3))
    assert module.value(W, **given) == pytest.approx(ss.landscape(ss.InfoNCE(tau=0.5)).numpy()(W, **given), rel=1e-13)


def test_a_module_tells_wrong_arguments(tmp_path):
    module = load(ss.export(ss.landscape(ss.InfoNCE()), tmp_path / "exported.py"))
    with pytest.raises(ValueError, match=r"A0 has shape \(3, 3\); with this W it is \(2, 2\)"):
        module.value(np.ones((1, 2)), A0=np.eye(3), Sigma=np.eye(2))
    with pytest.raises(TypeError, match="the argument Sigma is missing"):
        module.gradient(np.ones((1, 2)), A0=np.eye(2))
    with pytest.raises(ValueError, match=r"W has shape \(2,\)"):
        module.value([1.0, 2.0], A0=np.eye(2), Sigma=np.eye(2))
    assert module.value([[1, 2]], A0=np.eye(2, dtype=int), Sigma=np.eye(2)) == pytest.approx(-5 + 0.75 * 25)


def test_bad_exports_write_nothing(tmp_path):
    land = ss.landscape(ss.InfoNCE())
    with pytest.raises(UnknownNameError, match="unknown backend 'fortran'; known: numpy, jax, torch"):
        ss.export(land, tmp_path / "a.py", backend="fortran")
    with pytest.raises(InputError, match=r"ends with \.py"):
        ss.export(land, tmp_path / "a.txt")
    with pytest.raises(UnknownNameError, match="did you mean 'torch'"):
        ss.export(land, tmp_path / "a.py", backend="pytorch")
    for name, message in (("numpy.py", "hides the library"), ("my-loss.py", "cannot be imported")):
        with pytest.raises(InputError, match=message):
            ss.export(land, tmp_path / name)
    with pytest.raises(InputError, match="the first argument is a landscape"):
        ss.export(ss.InfoNCE(), tmp_path / "a.py")
    with pytest.raises(InputError, match="not a folder with room"):
        ss.export(land, tmp_path / "nowhere" / "a.py")
    with pytest.raises(InputError, match="joint cumulants"):
        ss.export(ss.landscape(ss.InfoNCE(), data=ss.CumulantViews()), tmp_path / "a.py")
    u = sp.Symbol("u", positive=True)
    with pytest.raises(InputError, match="the function gamma, which numpy lacks; give its parameters numbers"):
        ss.export(ss.landscape(sp.gamma(u) * ss.SpectralContrastive()), tmp_path / "a.py")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole(tmp_path, monkeypatch):
    """A failure half-way leaves the file that was there, and no other."""
    file = ss.export(ss.landscape(ss.InfoNCE()), tmp_path / "a.py")
    before = file.read_text()

    def broken(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(exports.os, "replace", broken)
        with pytest.raises(InputError, match="No space left"):
            ss.export(ss.landscape(ss.VICReg()), file)
    assert file.read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.py"]
    ss.export(ss.landscape(ss.VICReg()), file)
    assert file.read_text() != before
