"""Cross-entropy of positives against negatives on a batch: InfoNCE, NT-Xent, CLIP, decoupled contrastive, and the like."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from symscape.data.threads import one_thread
from symscape.errors import InputError
from symscape.losses.batch import CrossEntropy
from symscape.sampling.evaluator import Array
from symscape.sampling.pairs.left_out import left_out
from symscape.sampling.pairs.logits import pair_logits
from symscape.sampling.pairs.negatives import Negatives
from symscape.sampling.pairs.similar import Similar, anchor_losses, anchor_slopes, trusted
from symscape.sampling.pairs.tiles import blocks
from symscape.sampling.pairs.weighted import PairSums, row_gradient, tiles_to_keep, two_sided_gradient
from symscape.sampling.pairs.windows import Windows
from symscape.sampling.settings import choice, setting

#: Which anchors each pool has: rows of one matrix of pairs, its rows and columns, or both of a symmetric one.
ANCHORS = {"one-way": "rows", "both-ways": "both", "both-views": "symmetric"}


@dataclass(frozen=True)
class CrossEntropyEvaluator:
    """Evaluator of a `CrossEntropy` with numbers for its symbols.

    With D = log sum over the negatives of e^s - s(positive), an anchor has the loss log(1 + e^D), or D when its positive is no
    candidate: so the positive's logit enters exactly, and losses much below 1 keep their digits. All take O(N^2 d1) time and,
    up to N d1 of a million, 64 MiB. Raises InputError where numbers are missing or logits are beyond float64.

    >>> import sympy as sp
    >>> evaluator = CrossEntropyEvaluator(CrossEntropy("cosine", sp.Rational(1, 2)))
    >>> a, b = np.eye(2), np.eye(2)
    >>> float(np.exp(evaluator.value(a, b)) - 1).__round__(12) == np.exp(-2).round(12)
    np.True_
    """

    form: CrossEntropy

    @one_thread()
    def value(self, a: Array, b: Array) -> float:
        """Return the loss."""
        return self._batch(a, b).value()

    @one_thread()
    def value_and_gradient(self, a: Array, b: Array) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b."""
        return self._batch(a, b).value_and_gradient()

    @one_thread()
    def influence(self, a: Array, b: Array) -> Array:
        """Return N - 1 times what the loss loses when a datum is left out, as anchor and as candidate, about its mean, (N,).

        Not the derivative by the datum's weight: where few candidates carry an anchor's sum, the log is far from linear in
        them. With ``negatives`` n, the mean over windows stands in the place of the candidate.
        """
        return self._batch(a, b).influence()

    def _batch(self, a: Array, b: Array) -> AllNegatives | Windows:
        form, N = self.form, len(a)
        kind = choice(form, "similarity", ("cosine", "dot", "sqdist"))
        pool = choice(form, "pool", tuple(ANCHORS))
        similar = Similar(a, b, kind, setting(form, "tau", positive=True), setting(form, "epsilon", least=0.0))
        if form.negatives.is_infinite:
            return AllNegatives(similar, pool, form.positive, form.per_candidate)
        n = setting(form, "negatives", least=1.0)
        if pool != "one-way":
            raise InputError(
                f'CrossEntropy(pool={pool!r}, negatives={form.negatives}): only pool="one-way" takes a number of negatives'
            )
        if n != int(n) or n > N - 1:
            raise InputError(
                f"CrossEntropy(negatives={form.negatives}): {N} rows give an anchor 1 to {N - 1} negatives; pass more rows"
            )
        return Windows(similar, int(n), form.positive, form.per_candidate)


@dataclass(frozen=True)
class AllNegatives:
    """The loss of two views with all negatives that they hold; ``positive``: whether the positive is a candidate too."""

    similar: Similar
    pool: str
    positive: bool
    per_candidate: bool

    @cached_property
    def _positives(self) -> Array:
        """The logits of the positives of rows."""
        return np.tile(self.similar.positive, 2) if self.pool == "both-views" else self.similar.positive

    @cached_property
    def _negatives(self) -> Negatives:
        similar, N = self.similar, len(self.similar.a)
        u, v = similar.rows
        excluded: tuple[int, ...] = (0,)
        if self.pool == "both-views":
            u = v = np.concatenate([u, v])
            excluded = 0, N, -N
        logits = pair_logits(u, v, similar.tau, similar.squared)
        safe, bound, wanted = logits.range, logits.bound, self._positives + logits.range.margin
        if self.pool != "one-way":
            bound, wanted = bound.max(), np.median(wanted)
        bound = bound + logits.rounding  # so that rounding of the shift cannot lift exponentials out of range
        logits = logits.shifted(np.clip(wanted, bound - safe.room, bound))
        return Negatives(logits, excluded, ANCHORS[self.pool], self._positives if self.positive else None)

    def _finish(self, losses: Array) -> float:
        candidates = len(self._negatives.logits.right) - (self.pool == "both-views") - (not self.positive)
        value = trusted(float(losses.mean()), self._negatives.logits)
        return value - float(np.log(candidates)) if self.per_candidate else value

    def value(self) -> float:
        """Return the loss."""
        sums = self._negatives.log_sums()
        return self._finish(np.array([anchor_losses(s.log - self._positives, self.positive) for s in sums]))

    def value_and_gradient(self) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b."""
        negatives, N = self._negatives, len(self.similar.a)
        if self.pool == "one-way":

            def weigh(rows: slice, log: Array) -> Array:
                return anchor_slopes(log - self._positives[rows], self.positive) / N

            log, pairs = row_gradient(negatives, weigh)
            losses, own = anchor_losses(log - self._positives, self.positive), pairs.left_weights.copy()
        else:
            kept = tiles_to_keep(negatives)
            sums = negatives.log_sums(kept)
            gaps = np.array([s.log - self._positives for s in sums])
            losses, weights = anchor_losses(gaps, self.positive), anchor_slopes(gaps, self.positive) / (2 * N)
            own = weights.reshape(2, N).sum(axis=0)
            pairs = two_sided_gradient(negatives, tuple(weights), sums, kept)
        gradients = self._with_positives(pairs, own)
        return self._finish(losses), *self.similar.pull_back(*gradients)

    def _with_positives(self, pairs: PairSums, own: Array) -> tuple[Array, Array]:
        """Return the gradients by the rows that are compared, from sums over negatives and the weights of the positives."""
        logits, N = self._negatives.logits, len(self.similar.a)
        d, symmetric = logits.width, self.pool == "both-views"
        first, second = logits.left[:N, :d], logits.right[-N:, :d]
        by_a, by_b = pairs.left[:N], pairs.right[-N:]
        for part in blocks(N):
            weights = own[part, None].astype(first.dtype)
            by_a[part] -= weights * second[part]
            by_b[part] -= weights * first[part]
        weights_a, weights_b = pairs.left_weights[:N] - own, pairs.right_weights[-N:] - own
        rows = logits.left[:N], (logits.left if symmetric else logits.right)[-N:]
        return logits.gradient(by_a, weights_a, rows[0]), logits.gradient(by_b, weights_b, rows[1])

    def influence(self) -> Array:
        """Return the jackknife influence of each datum."""
        negatives, N = self._negatives, len(self.similar.a)
        sums, positives = negatives.log_sums(), self._positives
        losses = np.array([anchor_losses(s.log - positives, self.positive) for s in sums])
        self._finish(losses)
        total = losses.reshape(-1, N).sum(axis=0)
        for side, found in zip((negatives, negatives.transposed()), sums, strict=False):
            total += left_out(side, found.log, positives, self.positive, N)
        total /= losses.size // N
        influence: Array = total - total.mean()
        return influence
