"""A loss that counts single outputs, as its least value over rotations sees it: without weight decay, and its modes with it.

Decay moves the modes where M enters through Tr M alone, to the pencil (A_0 - (gamma / c) 1, Sigma). It moves none where the
loss keeps its value along f -> c f: there it changes the scale of W only. Elsewhere it has no closed form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.losses.language import Entry, d_1
from symscape.losses.loss import Loss
from symscape.spectrum.equal_shares.data_regime import data_regime
from symscape.spectrum.equal_shares.decay import cross_weight, without_decay
from symscape.spectrum.equal_shares.equal_shares import equal_share_landscape
from symscape.spectrum.minimum import NumericSpectrum
from symscape.stationary.coordinates import CanonicalCoordinates, canonical_coordinates

Array = NDArray[np.floating[Any]]

ONLY_SCALE = (
    "weight decay does not change which modes survive: the loss keeps its value along f -> c f, so that decay changes the "
    "scale of W alone, and the infimum with it is at W -> 0; W is that without decay"
)
ONLY_SCALE_OF_LARGE = (
    "weight decay: while outputs are large beside the constants of the loss it changes the scale of W alone, not which modes "
    "survive; it pulls the outputs towards these constants, so this asks for a small one"
)


@dataclass(frozen=True)
class LossOfOutputs:
    """``loss``: without weight decay; ``shift``: what is taken from A_0, times 1, in expressions of the parameters.

    ``large``: whether the loss is taken where its outputs are large beside its constants; ``notes``: what that rests on.
    """

    loss: Loss
    shift: sp.Expr
    large: bool
    notes: tuple[str, ...]

    @property
    def centred(self) -> bool | None:
        """Whether moments are about the mean; None where some are and some are not."""
        found = {bool(entry.centred) for entry in self.loss.expr.atoms(Entry)}
        return found.pop() if len(found) == 1 else None

    def about_mean(self, call: str, moments: Mapping[str, Array]) -> tuple[Array, Array]:
        """Return (A_0, Sigma) as the loss sees them; raise InputError for a mean where it sees both."""
        A0, Sigma, mean = moments["A0"], moments["Sigma"], moments.get("mean")
        if mean is None or self.centred is False:
            return A0, Sigma
        if self.centred is None:
            raise InputError(
                f"{call}: the loss holds moments about the mean and about zero; pass features of mean zero"
            )
        outer = np.outer(mean, mean)
        return A0 - outer, Sigma - outer

    def shift_at(self, numbers: Mapping[sp.Symbol, Any]) -> float:
        """Return what is taken from A_0, times 1, with numbers for the parameters."""
        return float(self.shift.xreplace(dict(numbers)))

    def modes(self, call: str, A0: Array, Sigma: Array, numbers: Mapping[sp.Symbol, Any]) -> CanonicalCoordinates:
        """Return the modes of the pencil (A_0 - shift 1, Sigma): canonical correlations where nothing is taken from A_0."""
        shift = self.shift_at(numbers)
        if shift:
            decay = shift * np.eye(len(A0))
            return canonical_coordinates(call, Sigma, A0 - decay, [A0, decay])
        return canonical_coordinates(call, Sigma, A0)


@lru_cache(maxsize=128)
def loss_of_outputs(loss: Loss) -> LossOfOutputs:
    """Return a loss of single outputs with its weight decay apart.

    Raises InputError for decay on a loss in which M enters otherwise than as its trace.

    >>> from symscape.losses.loss import WeightDecay
    >>> from symscape.losses.vicreg import VICReg
    >>> loss_of_outputs(VICReg() + WeightDecay(sp.Symbol("gamma", positive=True))).shift
    d_1*gamma/50
    """
    rest, gamma = without_decay(loss)
    large = data_regime(rest) is not None
    if gamma == 0:
        return LossOfOutputs(rest, sp.S.Zero, large, ())
    if large or equal_share_landscape(rest).shell is not None:
        return LossOfOutputs(rest, sp.S.Zero, large, (ONLY_SCALE_OF_LARGE if large else ONLY_SCALE,))
    c = cross_weight(rest.expr, loss.name)
    if c is None:
        raise InputError(
            f"{loss.name}: weight decay has a closed form where M enters the loss through Tr M alone, as in "
            f"E|f(x) - f(x')|^2; in {rest.expr} it does not: leave the decay out, or train with SampledLoss"
        )
    shift = sp.simplify(gamma / c)
    return LossOfOutputs(rest, shift, large, (f"weight decay: b is an eigenvalue of (A_0 - ({shift}) 1, Sigma)",))


def least_variance(loss: Loss, numbers: Mapping[sp.Symbol, Any], p: Array, r: Array, limit: float) -> float:
    """Return the variance P_ii of the outputs from which a loss is within 1 % of its limit for large ones."""
    land = equal_share_landscape(loss)
    spectrum = NumericSpectrum(land.outer, land.sums, None, land.parameters).at(
        *(float(numbers[s]) for s in land.parameters)
    )
    share = float(p.sum()) / float(numbers[d_1])
    scales = np.geomspace(1e-16, 1e16, 1281)
    far = [abs(spectrum.value(scale / share * p, r, np.zeros(len(r))) - limit) > 0.01 * abs(limit) for scale in scales]
    return float(scales[np.flatnonzero(far).max(initial=-1) + 1 if far[-1] is False else -1])
