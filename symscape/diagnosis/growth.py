"""How fast weights along the modes grow near W = 0, under gradient flow of the loss with its weight decay."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.data.moments import FeatureMoments
from symscape.errors import SymscapeError
from symscape.forecast.forecast import Forecast
from symscape.forecast.problem import Problem
from symscape.landscape.landscape import landscape

Array = NDArray[np.floating[Any]]


def growth_rates_along(asked: Problem, forecast: Forecast, moments: FeatureMoments) -> Array:
    """Return 2 u^T B u / u^T u by mode: dW/dt = 2 W B near W = 0. NaN for a loss without a series there (cosines).

    Modes are those of the pencil (B, Sigma), the flow that of B: where they do not commute, this is the rate at first.
    """
    frame = forecast.frame
    A_0, Sigma = frame.moments(moments.C, moments.covariance, moments.mean)
    try:
        H = landscape(asked.loss, order=2).numpy().hessian_at_origin(d1=asked.d1, A0=A_0, Sigma=Sigma)
    except SymscapeError:
        return np.full(len(forecast.eigenvalues), np.nan)
    B = -H / 2 - float(asked.gamma) * frame.decay_metric()
    modes = forecast.coordinates
    # Coordinates of the frame are orthonormal in the features, but for a bias, whose weights count alike.
    found: Array = 2 * np.einsum("ki,ij,kj->k", modes, B, modes) / np.einsum("ki,ki->k", modes, modes)
    return found
