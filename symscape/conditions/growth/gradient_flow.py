"""Gradient flow dW/dt = -dL/dW of a landscape, integrated numerically."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscape.errors import InputError
from symscape.landscape.landscape import Landscape
from symscape.probability.moments import Moments

Array = NDArray[np.floating[Any]]

#: Relative accuracy of the integration, and the growth of |W| beyond which a flow counts as running off.
ACCURACY, FAR = 1e-10, 1e6


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A flow: ``times`` (T,), ``W`` (T, d1, d0), ``spectra`` (T, d1): eigenvalues of P, descending, ``loss`` (T,)."""

    times: Array
    W: Array
    spectra: Array
    loss: Array

    def along(self, directions: ArrayLike) -> Array:
        """Return |W u|^2 over time for each row u of directions (k, d0), an array (T, k)."""
        return (np.einsum("tij,kj->tik", self.W, np.atleast_2d(np.asarray(directions, dtype=float))) ** 2).sum(axis=1)


def gradient_flow(
    land: Landscape,
    W0: ArrayLike,
    times: ArrayLike,
    A0: Any,
    Sigma: Any,
    mean: Any = None,
    params: Mapping[Any, Any] | None = None,
    **parameters: Any,
) -> Trajectory:
    """Return the gradient flow from W0 (d1 x d0) at ascending times from 0 on.

    The landscape is followed as it is truncated. Raises InputError for a landscape with a bias, times that do not ascend, a
    flow that runs off to infinity; MomentsError for moments that no pair of views has.

    >>> from symscape.landscape.landscape import landscape
    >>> from symscape.losses.spectral_contrastive import SpectralContrastive
    >>> flow = gradient_flow(landscape(SpectralContrastive()), [[0.01]], [0.0, 20.0], A0=[[1.0]], Sigma=[[2.0]])
    >>> flow.spectra.round(6)[-1]                    # p = b / 2 for b = 2 a / sigma
    array([0.5])
    """
    from scipy.integrate import solve_ivp

    call = f"gradient_flow({land.loss.name})"
    if land.bias:
        raise InputError(f"{call}: a landscape with a bias is not followed; derive it with bias=False")
    start, moments = np.array(W0, dtype=float), Moments(A0, Sigma, mean)
    when = np.atleast_1d(np.asarray(times, dtype=float))
    if when.ndim != 1 or not np.isfinite(when).all() or (np.diff(when) <= 0).any() or when[0] < 0:
        raise InputError(f"{call}: times={times!r} are finite, from 0 on, and ascend")
    if start.ndim != 2 or not np.isfinite(start).all():
        raise InputError(f"{call}: W0 has shape {start.shape}; it is d1 x d0, and finite")
    landscape_at = land.numpy()
    arguments = {**moments, "params": params, **parameters}
    size = float(np.abs(start).max(initial=0.0))

    def velocity(_: float, flat: Array) -> Array:
        return -landscape_at.gradient(flat.reshape(start.shape), **arguments).ravel()

    def far(_: float, flat: Array) -> float:
        return FAR * max(1.0, size) - float(np.abs(flat).max())

    far.terminal = True  # type: ignore[attr-defined]  # how solve_ivp is told
    found = solve_ivp(
        velocity, (0.0, float(when[-1]) or 1.0), start.ravel(), "DOP853", when, rtol=ACCURACY, atol=ACCURACY * size, events=far
    )  # fmt: skip
    if not found.success or len(found.t) < len(when):
        raise InputError(f"{call}: the flow runs off to infinity by t = {found.t[-1] if len(found.t) else 0.0:.6g}")
    W = found.y.T.reshape(len(when), *start.shape)
    P = W @ moments["Sigma"] @ W.swapaxes(1, 2)
    spectra = np.linalg.eigvalsh(P)[:, ::-1]
    return Trajectory(when, W, np.maximum(spectra, 0.0), np.asarray(landscape_at(W, **arguments)))
