"""What a loss trains from given moments, by the route of the theory that suits the loss."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.forecast.forecast import Forecast
from symscape.forecast.frames import Frame, frames_of
from symscape.forecast.over_outputs import outputs_theory
from symscape.forecast.over_spectra import spectral_theory
from symscape.forecast.problem import Problem
from symscape.forecast.solved import Solved
from symscape.losses.collapsed_value import collapsed_value
from symscape.losses.loss import Loss
from symscape.stationary.coordinates import canonical_coordinates

Array = NDArray[np.floating[Any]]


class Theory(Protocol):
    """A route: the pencil whose eigenvalues a loss sees, and its minimum for given ones."""

    @property
    def name(self) -> str:
        """What the route is called."""
        ...

    @property
    def variable(self) -> str:
        """What the eigenvalues of the modes are: "r" or "b"."""
        ...

    @property
    def is_truncated(self) -> bool:
        """Whether it is a series, cut off."""
        ...

    def pencil(self, A_0: Array, Sigma: Array, decay_metric: Array, d1: int) -> Array:
        """Return the matrix whose eigenvalues with Sigma are those of the modes; weights decay by ``decay_metric``."""
        ...

    def solve(self, eigenvalues: Array, d1: int, sizes: Array | None = None) -> Solved:
        """Return the minimum for given eigenvalues, descending; ``sizes``: |u_k|^2 of the modes."""
        ...


@lru_cache(maxsize=64)
def theory_of(asked: Problem, order: int = 4) -> Theory:
    """Return the route of the theory that suits a loss; ``order``: of the series, where nothing better is known."""
    if asked.is_rotation_invariant:
        return spectral_theory(asked.loss, asked.gamma, asked.d1, order)
    return outputs_theory(asked.loss, asked.gamma, asked.d1)


def theory_forecasts(call: str, asked: Problem, C: Array, covariance: Array, mean: Array) -> tuple[Forecast, ...]:
    """Return the forecast of the theory in every frame in which the minimum may lie, the likelier first.

    C = Sigma - A_0 and the covariance, d0 x d0, and the mean, d0.
    """
    theory = theory_of(asked)
    return tuple(
        in_frame(call, asked, theory, frame, frame.moments(C, covariance, mean))
        for frame in frames_of(asked.loss, covariance, mean, asked.bias)
    )


def in_frame(call: str, asked: Problem, theory: Theory, frame: Frame, moments: tuple[Array, Array]) -> Forecast:
    """Return the forecast of the theory in a frame, for A_0 and Sigma (k x k) of its coordinates."""
    A_0, Sigma = moments
    modes = canonical_coordinates(call, Sigma, theory.pencil(A_0, Sigma, frame.decay_metric(), asked.d1))
    rows, offsets = modes.rows @ frame.basis, modes.rows @ frame.offset
    solved = theory.solve(modes.eigenvalues, asked.d1, np.einsum("ki,ki->k", rows, rows))
    return Forecast(
        "theory",
        theory.name,
        frame,
        theory.variable,
        modes.eigenvalues,
        modes.rows,
        rows,
        offsets,
        np.einsum("ki,ij,kj->k", modes.rows, A_0, modes.rows),
        np.array(solved.p, dtype=float),
        tuple(solved.kept),
        solved.outputs,
        solved.value,
        _value_at_collapse(asked),
        solved.critical,
        asked.bias,
        asked.is_scale_free,
        solved.notes,
    )


def _value_at_collapse(asked: Problem) -> float:
    """Return the population's loss when every output is the same point, the origin where that matters; NaN where it is 0/0."""
    try:
        value = collapsed_value(Loss(asked.loss.expr, asked.loss.name), d1=asked.d1)
    except InputError:
        return float("nan")
    return float(value.xreplace(dict.fromkeys(value.free_symbols, sp.S.Zero)))
