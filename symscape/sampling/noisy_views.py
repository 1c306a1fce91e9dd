"""Views made of given rows and additive Gaussian noise: a population whose moments are known exactly."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from symscape.errors import MomentsError
from symscape.sampling.cumulants import FourthCumulants

Array = NDArray[np.float64]


@dataclass(frozen=True)
class NoisyViews:
    """The population phi(x) = s + noise * e: s one of the rows, centred, and e standard Gaussian, fresh for every view.

    ``rows`` is N x d0. Raises MomentsError for anything else, or for NaN.
    """

    rows: Array
    noise: float
    A_0: Array = field(init=False)
    Sigma: Array = field(init=False)

    def __post_init__(self) -> None:
        rows = np.asarray(self.rows, dtype=float)
        if rows.ndim != 2 or len(rows) < 4 or not np.isfinite(rows).all():
            raise MomentsError(f"NoisyViews: the rows have shape {rows.shape}; give a finite N x d0 array with N >= 4")
        rows = rows - rows.mean(axis=0)
        A_0 = rows.T @ rows / len(rows)
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "A_0", A_0)
        object.__setattr__(self, "Sigma", A_0 + self.noise**2 * np.eye(rows.shape[1]))

    @property
    def cumulants(self) -> FourthCumulants:
        """The joint cumulants of the views: Gaussian noise adds none, so every pattern has those of the rows."""
        crops = {kind + "'" * k: self.rows for kind in ("x", "x_A_0") for k in range(4)}
        return FourthCumulants(crops)
