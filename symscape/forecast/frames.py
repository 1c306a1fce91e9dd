"""The moments that a loss sees: about the mean or about zero, with or without the direction of the mean.

A loss that is invariant to f -> f + c sees moments about the mean. A loss of second moments alone (spectral contrastive, raw
Barlow Twins) sees those about zero, exactly. Any other sees the mean apart: with negatives, -Tr M + |W mean|^2 and a quartic
part in which a large mean costs most, so that training turns W away from the mean, W mean = 0, or leaves features about zero
as they are. Both are frames to try; on rows, the loss itself chooses. With a bias, b = -W mean removes the mean for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.errors import SymscapeError
from symscape.landscape.facts import is_shift_invariant
from symscape.landscape.landscape import landscape
from symscape.losses.language import Entry
from symscape.losses.loss import Loss
from symscape.probability.data_models import GaussianViews
from symscape.stationary.word_form import MEAN, split_form

Array = NDArray[np.floating[Any]]

#: A mean of this length, in units of the deviation along it, is none, and one of the second is short: it costs a mode less than
#: turning the weights from it does.
NO_MEAN, SHORT = 1e-4, 0.3


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates y = basis phi + offset in which a loss sees second moments alone, or nearly.

    ``basis``: k x d0; ``offset``: k. ``mean_goes``: how the mean is got rid of: by the "loss", which ignores it, by the "bias"
    b = -W mean, by the "weights", basis mean = 0; "stays" where it is not. ``sentence`` says this.
    """

    basis: Array
    offset: Array
    mean_goes: str
    sentence: str

    @property
    def centred(self) -> bool:
        """Whether the second moments of this frame are about the mean."""
        return self.mean_goes != "stays"

    def moments(self, C: Array, covariance: Array, mean: Array) -> tuple[Array, Array]:
        """Return A_0 and Sigma (k x k) of y, from C = Sigma - A_0, the covariance and the mean of the features.

        Nothing large cancels: moments about zero are not asked for.
        """
        centre = self.basis @ mean + self.offset
        added, S = (self.basis @ matrix @ self.basis.T for matrix in (C, covariance))
        S = (S + S.T) / 2 + np.outer(centre, centre)
        return S - (added + added.T) / 2, S

    def decay_metric(self) -> Array:
        """Return D (k x k) such that weights V of y have ||W||^2 = Tr(V D V^T): a bias does not decay."""
        metric: Array = self.basis @ self.basis.T
        return metric


def frames_of(loss: Loss, covariance: Array, mean: Array, bias: bool = False) -> tuple[Frame, ...]:
    """Return the frames in which the minimum of a loss may lie, the likelier first; covariance d0 x d0, mean d0.

    >>> from symscape.losses.infonce import InfoNCE
    >>> from symscape.losses.spectral_contrastive import SpectralContrastive
    >>> S, m = np.eye(2), np.array([0.5, 0.0])
    >>> [[frame.mean_goes for frame in frames_of(loss, S, m)]
    ...  for loss in (InfoNCE(), SpectralContrastive(), InfoNCE(similarity="dot"))]
    [['loss'], ['stays'], ['weights', 'stays']]
    """
    d0 = len(mean)
    one, zero = np.eye(d0), np.zeros(d0)
    if is_shift_invariant(loss.expr):
        return (Frame(one, -mean, "loss", "moments about the mean, which the loss does not see"),)
    about_zero = Frame(one, zero, "stays", "second moments about zero, the mean included")
    if bias and sees_second_moments_alone(loss):
        constant = np.append(zero, 1.0)
        with_one = np.vstack([one, zero])
        return (Frame(with_one, constant, "stays", "second moments of (phi, 1): the bias is one more feature"),)
    if bias:
        return (Frame(one, -mean, "bias", "moments about the mean, which the bias b = -W mean removes"),)
    length = _length(mean, covariance)
    if d0 == 1 or length < NO_MEAN or sees_second_moments_alone(loss):
        return (about_zero,)
    Q = _orthogonal_to(mean)
    without = Frame(Q, np.zeros(d0 - 1), "weights", "weights orthogonal to the mean, W mean = 0")
    return (about_zero, without) if length < SHORT else (without, about_zero)


def sees_second_moments_alone(loss: Loss) -> bool:
    """Whether a loss is, for any data, an exact function of second moments about zero.

    >>> from symscape.losses.spectral_contrastive import SpectralContrastive
    >>> sees_second_moments_alone(SpectralContrastive())
    True
    """
    entries = loss.expr.atoms(Entry)
    if entries:
        return not any(entry.centred for entry in entries)
    try:
        land = landscape(loss, order=4, data=GaussianViews(mean=True))
        form, _ = split_form(land)
    except SymscapeError:
        return False
    free = land.distribution_free_order
    return land.is_exact and MEAN not in form.letters and not form.centred and free >= land.order


def _length(mean: Array, covariance: Array) -> float:
    """Return the length of the mean in units of the deviation along it."""
    squared = float(mean @ mean)
    if not squared:
        return 0.0
    along = float(mean @ covariance @ mean)
    return squared / np.sqrt(along) if along > 0 else float("inf")


def _orthogonal_to(mean: Array) -> Array:
    """Return an orthonormal basis, (d0 - 1) x d0, of the directions orthogonal to the mean: a reflection without one row."""
    unit = mean / np.linalg.norm(mean)
    k = int(np.abs(unit).argmax())
    axis = unit.copy()
    axis[k] += np.sign(unit[k])
    axis /= np.linalg.norm(axis)
    reflection = np.eye(len(mean)) - 2 * np.outer(axis, axis)
    return np.delete(reflection, k, axis=0)
