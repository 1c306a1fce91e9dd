"""Canonical correlations of two views from their moments, with errors, and on rows that did not choose the directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.data.sums import PairedSums
from symscape.stationary.coordinates import canonical_coordinates

Array = NDArray[np.floating[Any]]

#: Parts of the rows that are held out in turn, and the width from which on there are two, for time.
PARTS, WIDE = 4, 1024


@dataclass(frozen=True, eq=False)
class CanonicalCorrelations:
    """The modes of two views: A_0 u = r Sigma u, by descending r, on the span of the features.

    ``r``: k; ``lost``: 1 - r without cancellation, what augmentation takes; ``directions``: k x d0, rows u with
    u Sigma u^T = 1; ``constant``: d0 - k, the number of directions that never vary; ``centred``: about the mean, or about zero.

    The largest of many r are estimated too large, and directions fitted to few rows the more so: by about d0/N. ``held_out``
    is free of that.
    """

    total: PairedSums
    groups: tuple[PairedSums, ...]
    centred: bool
    lost: Array
    directions: Array

    @property
    def r(self) -> Array:
        """The canonical correlations, descending."""
        found: Array = 1.0 - self.lost
        return found

    @property
    def constant(self) -> int:
        """The number of directions in which the features never vary."""
        return len(self.total.shift) - len(self.lost)

    @cached_property
    def standard_error(self) -> Array:
        """By mode, of r, to first order: u^T (A_g - r Sigma_g) u over groups g of rows; for Gaussian views (1 - r^2)/sqrt N."""
        found = np.array([_left_over(self.directions, self.r, group, self._point) for group in self.groups])
        return spread_of_mean(self.groups, found)

    @cached_property
    def held_out(self) -> Array:
        """r along directions chosen on other rows: in turn every fourth group is left out (every second for wide features).

        Modes are paired by their rank. Fewer than k where the other rows span fewer directions.
        """
        return self._held_out[0]

    @cached_property
    def held_out_error(self) -> Array:
        """The standard error of ``held_out``."""
        return self._held_out[1]

    @cached_property
    def _held_out(self) -> tuple[Array, Array]:
        parts = min(PARTS if len(self.total.shift) <= WIDE else 2, len(self.groups))
        if parts < 2:
            return np.zeros(0), np.zeros(0)
        chosen = []
        for k in range(parts):
            rest = self.total - sum_of(self.groups[k::parts])
            chosen.append(canonical_correlations(rest, (), self.centred).directions)
        modes = min(map(len, chosen))
        sizes = np.zeros((2, modes))
        for k, directions in enumerate(chosen):
            part = sum_of(self.groups[k::parts])
            sizes += part.rows * np.array(
                [_along(directions[:modes], matrix) for matrix in (part.C, part.about(self._point))]
            )
        r = 1.0 - sizes[0] / sizes[1]
        found = [_left_over(chosen[g % parts][:modes], r, group, self._point) for g, group in enumerate(self.groups)]
        scale = sizes[1] / self.total.rows
        return r, spread_of_mean(self.groups, np.array(found) / scale)

    @property
    def _point(self) -> Array:
        return self.total.mean if self.centred else np.zeros_like(self.total.shift)

    def __repr__(self) -> str:
        shown = ", ".join(f"{value:.3g}" for value in self.r[:6])
        return f"CanonicalCorrelations({shown}{', ...' if len(self.lost) > 6 else ''}; {len(self.lost)} modes)"


def canonical_correlations(total: PairedSums, groups: Sequence[PairedSums], centred: bool) -> CanonicalCorrelations:
    """Return the canonical correlations of moments; ``groups``: the sums over groups of the rows, for errors."""
    Sigma = total.covariance if centred else total.Sigma
    # The pencil of -C: its eigenvalues are r - 1, which a difference of A_0 and Sigma would blur.
    modes = canonical_coordinates("canonical(...)", Sigma, -total.C)
    lost = np.maximum(-modes.eigenvalues, 0.0)
    return CanonicalCorrelations(total, tuple(groups), centred, lost, modes.rows)


def sum_of(groups: Sequence[PairedSums]) -> PairedSums:
    """Return the sums over the rows of all groups."""
    total = groups[0]
    for group in groups[1:]:
        total = total + group
    return total


def spread_of_mean(groups: Sequence[PairedSums], values: Array) -> Array:
    """Return the standard error of the mean over rows of values given by group; infinite for one group alone."""
    if len(groups) < 2:
        return np.full(values.shape[1:], np.inf)
    share = np.array([group.rows for group in groups], dtype=float)
    share = (share / share.sum()).reshape(-1, *[1] * (values.ndim - 1))
    off = values - (share * values).sum(axis=0)
    found: Array = np.sqrt(len(groups) / (len(groups) - 1) * ((share * off) ** 2).sum(axis=0))
    return found


def _left_over(rows: Array, r: Array, group: PairedSums, point: Array) -> Array:
    """Return u^T (A_g - r Sigma_g) u = (1 - r) u^T Sigma_g u - u^T C_g u by mode."""
    found: Array = (1.0 - r) * _along(rows, group.about(point)) - _along(rows, group.C)
    return found


def _along(rows: Array, matrix: Array) -> Array:
    found: Array = np.einsum("ki,ki->k", rows @ matrix, rows)
    return found
