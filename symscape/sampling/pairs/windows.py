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
from symscape.sampling.pairs.tiles import blocks, panel_rows, rectangle

#: Logits of windows that are worked on at a time: temporary arrays in float64 stay at 2 MiB each, however small windows are.
PART = 1 << 18


@dataclass(frozen=True)
class Panel:
    """Some anchors and, from the first of them on, all rows of b in cyclic order: ``logits``, and windows of it as a view.

    The row i + o of b stands o places after the diagonal; a skewed view makes the windows an array (anchors, windows, n).
    """

    rows: slice
    columns: tuple[tuple[slice, slice], ...]
    logits: Array
    windows: Array

    def parts(self) -> Iterator[tuple[slice, slice]]:
        """Cut anchors and windows into parts of at most PART logits, one window at least."""
        anchors, count, n = self.windows.shape
        height = max(1, min(anchors, PART // n))
        return rectangle(anchors, count, (height, max(1, PART // (height * n))))

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
        height = min(N, panel_rows(1, 2 * N * size + 8 * self._count, 4 * logits.left.nbytes + 64 * PART))
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

    def _shares(self, windows: Array) -> Array:
        """Turn windows into shares e^s / sum over the window, in place, and return the logs of these sums."""
        largest = windows.max(axis=2)
        windows -= largest[..., None]
        EXPONENTIAL.function(raise_to_floor(windows), out=windows)
        sums = windows.sum(axis=2, dtype=np.float64)
        windows /= sums[..., None].astype(windows.dtype)
        return np.log(sums) + largest / EXPONENTIAL.unit

    def _gaps(self, panel: Panel, part: tuple[slice, slice]) -> Array:
        return self._shares(panel.windows[part]) - self.similar.positive[panel.rows][part[0], None]

    def _finish(self, total: float) -> float:
        constant = np.log(self.n + self.positive) if self.per_candidate else 0.0
        return trusted(total / len(self.similar.a) / self._count, self._logits) - float(constant)

    def value(self) -> float:
        """Return the loss."""
        losses = (
            anchor_losses(self._gaps(panel, part), self.positive) for panel in self._panels() for part in panel.parts()
        )
        return self._finish(sum(float(part.sum()) for part in losses))

    def value_and_gradient(self) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b."""
        logits, (N, d) = self._logits, self.similar.a.shape
        left, right = logits.left[:, :d], logits.right[:, :d]
        by_a, by_b = np.zeros_like(left), np.zeros_like(right)
        weights_a, weights_b, total = np.zeros(N), np.zeros(N), 0.0
        for panel in self._panels():
            rows, own = panel.rows, np.zeros(len(panel.windows))
            for part in panel.parts():
                gaps, windows = self._gaps(panel, part), panel.windows[part]
                total += float(anchor_losses(gaps, self.positive).sum())
                slopes = anchor_slopes(gaps, self.positive) / self._count / N
                windows *= slopes[..., None].astype(left.dtype)
                own[part[0]] += slopes.sum(axis=1)
            panel.clear_the_rest()
            drop_subnormal(panel.logits)
            by_a[rows] -= own[:, None].astype(left.dtype) * right[rows]
            by_b[rows] -= own[:, None].astype(left.dtype) * left[rows]
            weights_b[rows] -= own
            for place, c in panel.columns:
                tile = panel.logits[:, place]
                by_a[rows] += tile @ right[c]
                by_b[c] += tile.T @ left[rows]
                weights_b[c] += tile.sum(axis=0)
        gradients = logits.gradient(by_a, weights_a, logits.left), logits.gradient(by_b, weights_b, logits.right)
        return self._finish(total), *self.similar.pull_back(*gradients)

    def influence(self) -> Array:
        """Return the influence of each datum: as anchor its mean loss; as negative, n times what it adds to a loss.

        That is the change of each loss it is in when a mean of e^s over the anchor's negatives stands in its place.
        """
        N = len(self.similar.a)
        total, received = np.zeros(N), np.zeros(N)
        for panel in self._panels():
            logs, losses = np.empty(panel.windows.shape[:2]), total[panel.rows]
            for part in panel.parts():
                logs[part] = self._shares(panel.windows[part])
            typical = np.logaddexp.reduce(logs, axis=1) - np.log(self._count * self.n)
            for part in panel.parts():
                own, windows = self.similar.positive[panel.rows][part[0], None], panel.windows[part]
                whole = np.logaddexp(logs[part], own) if self.positive else logs[part]
                losses[part[0]] += (whole - own).sum(axis=1) / self._count
                share = np.minimum(windows * np.exp(logs[part] - whole)[..., None], 1.0)
                with np.errstate(divide="ignore"):
                    rest = np.log1p(-share)
                windows[...] = -np.logaddexp(rest, (typical[part[0], None] - whole)[..., None])
            panel.clear_the_rest()
            for place, c in panel.columns:
                received[c] += panel.logits[:, place].sum(axis=0, dtype=np.float64) / self._count
        total += received
        trusted(float(np.abs(total).mean()), self._logits)
        influence: Array = total - total.mean()
        return influence
