"""Cross-entropy against n negatives at a time: cyclic windows of the other rows, so that all of a batch is used.

The negatives of anchor i are rows i+1 .. i+n of b, then i+n+1 .. i+2n, and so on modulo N; its loss is the mean over them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import as_strided

from symscape.sampling.evaluator import Array
from symscape.sampling.pairs.exponential import EXPONENTIAL
from symscape.sampling.pairs.logits import PairLogits, drop_subnormal, pair_logits, raise_to_floor
from symscape.sampling.pairs.similar import Similar, anchor_losses, anchor_slopes, trusted
from symscape.sampling.pairs.tiles import blocks, panel_rows


@dataclass(frozen=True)
class Panel:
    """Some anchors and, from the first of them on, all rows of b in cyclic order: ``logits``, and windows of it as a view.

    The row i + o of b stands o places after the diagonal; a skewed view makes the windows an array (anchors, windows, n).
    """

    rows: slice
    columns: tuple[tuple[slice, slice], ...]
    logits: Array
    windows: Array

    def clear_the_rest(self) -> None:
        """Set what is in no window to 0."""
        used = self.windows.shape[1] * self.windows.shape[2]
        for i, row in enumerate(self.logits):
            row[: i + 1] = 0
            row[i + 1 + used :] = 0


@dataclass(frozen=True)
class Windows:
    """The loss of two views with ``n`` negatives at a time; ``positive``: whether the positive is a candidate too."""

    similar: Similar
    n: int
    positive: bool
    per_candidate: bool

    @cached_property
    def _logits(self) -> PairLogits:
        similar = self.similar
        return pair_logits(*similar.rows, similar.tau, similar.squared)

    @property
    def _count(self) -> int:
        return (len(self.similar.a) - 1) // self.n

    def _panels(self) -> Iterator[Panel]:
        logits, N = self._logits, len(self.similar.a)
        size = logits.left.itemsize
        height = min(N, panel_rows(2 * N, size, 4 * logits.left.nbytes))
        memory = np.empty((height, N + height), logits.left.dtype)
        for rows in blocks(N, height):
            first, r = rows.start, rows.stop - rows.start
            cyclic = [(first, N), (0, first), (first, first + r - 1)]
            columns, at = [], 0
            for start, stop in cyclic:
                for c in blocks(stop, 512, start):
                    columns.append((slice(at, at + c.stop - c.start), c))
                    at += c.stop - c.start
            panel = memory[:r, :at]
            for place, c in columns:
                panel[:, place] = logits.tile(rows, c, np.empty((r, c.stop - c.start), panel.dtype))
            down, along = panel.strides
            shape = r, self._count, self.n
            windows = as_strided(panel[:, 1:], shape, (down + along, self.n * along, along))
            yield Panel(rows, tuple(columns), panel, windows)

    def _shares(self, panel: Panel) -> Array:
        """Turn the windows into shares e^s / sum over the window, in place, and return the logs of these sums."""
        windows = panel.windows
        largest = windows.max(axis=2)
        windows -= largest[..., None]
        EXPONENTIAL.function(raise_to_floor(windows), out=windows)
        sums = windows.sum(axis=2, dtype=np.float64)
        windows /= sums[..., None].astype(windows.dtype)
        return np.log(sums) + largest / EXPONENTIAL.unit

    def _gaps(self, panel: Panel) -> Array:
        return self._shares(panel) - self.similar.positive[panel.rows, None]

    def _finish(self, losses: Array) -> float:
        constant = np.log(self.n + self.positive) if self.per_candidate else 0.0
        return trusted(float(losses.mean()), self._logits) - float(constant)

    def value(self) -> float:
        """Return the loss."""
        return self._finish(np.concatenate([anchor_losses(self._gaps(p), self.positive) for p in self._panels()]))

    def value_and_gradient(self) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b."""
        logits, (N, d) = self._logits, self.similar.a.shape
        left, right = logits.left[:, :d], logits.right[:, :d]
        by_a, by_b = np.zeros_like(left), np.zeros_like(right)
        weights_a, weights_b, losses = np.zeros(N), np.zeros(N), np.empty(N)
        for panel in self._panels():
            rows, gaps = panel.rows, self._gaps(panel)
            losses[rows] = anchor_losses(gaps, self.positive).mean(axis=1)
            slopes = anchor_slopes(gaps, self.positive) / gaps.shape[1] / N
            panel.windows[...] *= slopes[..., None].astype(left.dtype)
            panel.clear_the_rest()
            drop_subnormal(panel.logits)
            own = slopes.sum(axis=1)
            by_a[rows] -= own[:, None].astype(left.dtype) * right[rows]
            by_b[rows] -= own[:, None].astype(left.dtype) * left[rows]
            weights_b[rows] -= own
            for place, c in panel.columns:
                tile = panel.logits[:, place]
                by_a[rows] += tile @ right[c]
                by_b[c] += tile.T @ left[rows]
                weights_b[c] += tile.sum(axis=0)
        gradients = logits.gradient(by_a, weights_a, logits.left), logits.gradient(by_b, weights_b, logits.right)
        return self._finish(losses), *self.similar.pull_back(*gradients)

    def influence(self) -> Array:
        """Return the influence of each datum: as anchor its mean loss; as negative, n times what it adds to a loss.

        That is the change of each loss it is in when a mean of e^s over the anchor's negatives stands in its place.
        """
        N = len(self.similar.a)
        total, received = np.empty(N), np.zeros(N)
        for panel in self._panels():
            rows, count = panel.rows, self._count
            logs, windows = self._shares(panel), panel.windows
            typical = np.logaddexp.reduce(logs, axis=1)[:, None] - np.log(count * self.n)
            own = self.similar.positive[rows, None]
            whole = np.logaddexp(logs, own) if self.positive else logs
            total[rows] = (whole - own).mean(axis=1)
            with np.errstate(divide="ignore"):
                for k in range(count):
                    share = np.minimum(windows[:, k] * np.exp(logs[:, k] - whole[:, k])[:, None], 1.0)
                    rest = np.log1p(-share)
                    windows[:, k] = -np.logaddexp(rest, typical - whole[:, k, None])
            panel.clear_the_rest()
            for place, c in panel.columns:
                received[c] += panel.logits[:, place].sum(axis=0, dtype=np.float64) / count
        total += received
        trusted(float(np.abs(total).mean()), self._logits)
        influence: Array = total - total.mean()
        return influence
