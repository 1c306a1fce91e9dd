"""Exported JAX and PyTorch modules against the landscape, and their own automatic derivatives against the exported gradient.

Run by name, with jax and torch installed beside the tests: ``python -m pytest tests/backends_check.py``.
"""

import numpy as np
import pytest
from export_cases import LANDSCAPES, SHAPES, arguments, load

import symscape as ss


@pytest.fixture
def jax():
    """JAX in float64."""
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


@pytest.fixture
def torch():
    """PyTorch."""
    import torch

    return torch


def as_numpy(parts):
    """Return a gradient by W, or by W and b, as one NumPy array."""
    parts = parts if isinstance(parts, tuple) else (parts,)
    return np.concatenate([np.ravel(np.asarray(part)) for part in parts])


def assert_close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * (np.abs(expected).max() + 1e-300))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", LANDSCAPES)
def test_jax(name, shape, tmp_path, jax):
    land = LANDSCAPES[name]()
    module = load(ss.export(land, tmp_path / "exported_jax.py", backend="jax"))
    W, given = arguments(land, shape)
    value, slope = land.numpy().value_and_gradient(W, **given)
    found, found_slope = jax.jit(module.value_and_gradient)(W, **given)
    assert_close(np.asarray(found), value)
    assert_close(as_numpy(found_slope), as_numpy(slope))
    by_jax = jax.grad(lambda W: module.value(W, **given).sum())(W)
    assert_close(np.asarray(by_jax), np.asarray(slope[0] if isinstance(slope, tuple) else slope))
    with pytest.raises(AssertionError):
        assert_close(1.0001 * np.asarray(by_jax) + 1e-9, np.asarray(slope[0] if isinstance(slope, tuple) else slope))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", LANDSCAPES)
def test_torch(name, shape, tmp_path, torch):
    land = LANDSCAPES[name]()
    module = load(ss.export(land, tmp_path / "exported_torch.py", backend="torch"))
    W, given = arguments(land, shape)
    value, slope = land.numpy().value_and_gradient(W, **given)
    tensors = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in given.items()}
    weights = torch.from_numpy(W).requires_grad_()
    found, found_slope = module.value_and_gradient(weights, **tensors)
    assert_close(found.detach().numpy(), value)
    detached = found_slope if isinstance(found_slope, tuple) else (found_slope,)
    assert_close(as_numpy(tuple(part.detach().numpy() for part in detached)), as_numpy(slope))
    module.value(weights, **tensors).sum().backward()
    assert_close(weights.grad.numpy(), np.asarray(slope[0] if isinstance(slope, tuple) else slope))


def test_a_parameter_can_be_differentiated_too(tmp_path, jax, torch):
    """The temperature as a tensor, or as an argument of jax.grad."""
    land = LANDSCAPES["infonce, tau"]()
    W, given = arguments(land, (2, 3))
    step = 1e-6
    f = land.numpy()
    by_tau = (f(W, **(given | {"tau": 0.3 + step})) - f(W, **(given | {"tau": 0.3 - step}))) / (2 * step)
    module = load(ss.export(land, tmp_path / "exported_torch.py", backend="torch"))
    tau = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    module.value(W, **(given | {"tau": tau})).backward()
    assert float(tau.grad) == pytest.approx(by_tau, rel=1e-6)
    module = load(ss.export(land, tmp_path / "exported_jax.py", backend="jax"))
    assert float(jax.grad(lambda t: module.value(W, **(given | {"tau": t})))(0.3)) == pytest.approx(by_tau, rel=1e-6)
