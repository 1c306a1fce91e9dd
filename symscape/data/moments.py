"""Moments of features in one pass, with what so many rows leave open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.data.canonical import CanonicalCorrelations, canonical_correlations
from symscape.data.features import SHOWN, PairedFeatures, bad_rows_error, good_rows, open_features
from symscape.data.findings import Finding, findings_of, noticed_in
from symscape.data.on_dask import parts_on_dask
from symscape.data.parts import Part, add_good_rows, joined
from symscape.data.sources.rows import DaskRows
from symscape.data.sums import PairedSums, Plan, Sums
from symscape.data.threads import blas_threads, in_order, one_thread
from symscape.errors import InputError
from symscape.probability.moments import Moments

Array = NDArray[np.floating[Any]]
Progress = Callable[[int, int], object]

#: Numbers of a block of one view, rows of the first one, by which the pass is planned, and rows of a block at most.
BLOCK, FIRST, MOST = 2**24, 1024, 2**15
#: Multiplications that take no time.
QUICK = 2**30
#: Bytes that the sums of all groups may take, and how many groups there are even so.
MEMORY, LEAST = 2**29, 4
#: Threads at most, each with a block at hand.
WORKERS = 8
#: Beyond this, sums of squares may overflow.
SQUARED = 1e150


@dataclass(frozen=True, eq=False)
class StandardErrors:
    """Standard errors entry by entry: of ``mean`` (d0), ``Sigma``, ``A_0`` and ``C`` (d0 x d0)."""

    mean: Array
    Sigma: Array
    A_0: Array
    C: Array


@dataclass(frozen=True, eq=False)
class FeatureMoments:
    """Moments of features of two views, averaged over both, symmetrised, divided by N. Made by `feature_moments`.

    ``mean`` (d0); ``Sigma``, ``A_0`` (d0 x d0) about zero; ``C`` = Sigma - A_0 = E[e e^T] / 2, e the difference of the views,
    found without cancellation; ``covariance``: Sigma about the mean, found without cancellation too.

    ``groups``: the same of groups of rows (``rows``, ``mean``, ``Sigma``, ``A_0``, ``C`` each), by whose spread errors are
    found; ``dropped``: how many bad rows were left out, ``first_dropped`` the numbers of the first; ``findings``: what is odd
    about the features, and what to do about it.
    """

    total: PairedSums
    groups: tuple[PairedSums, ...]
    dropped: int = 0
    first_dropped: tuple[int, ...] = ()
    name: str = "arrays"
    noticed: tuple[Finding, ...] = ()

    @property
    def rows(self) -> int:
        """N, the number of pairs that the moments are of."""
        return self.total.rows

    @property
    def columns(self) -> int:
        """d0, the number of features."""
        return len(self.total.shift)

    @cached_property
    def mean(self) -> Array:
        """E[phi] over both views, d0."""
        return self.total.mean

    @cached_property
    def Sigma(self) -> Array:
        """E[phi(x) phi(x)^T] about zero, d0 x d0."""
        return self.total.Sigma

    @cached_property
    def A_0(self) -> Array:
        """E[phi(x) phi(x')^T] about zero, symmetrised, d0 x d0."""
        return self.total.A_0

    @cached_property
    def C(self) -> Array:
        """Sigma - A_0, what augmentation adds, d0 x d0."""
        return self.total.C

    @cached_property
    def covariance(self) -> Array:
        """Sigma about the mean, d0 x d0."""
        return self.total.covariance

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What is odd about the features, each with what to do about it. Found when first asked for."""
        return (*self.noticed, *findings_of(self))

    def about(self, centred: bool) -> Moments:
        """Return A_0 and Sigma about the mean, or about zero with the mean beside them, as a landscape takes them."""
        if centred:
            return Moments(self.covariance - self.C, self.covariance)
        return Moments(self.A_0, self.Sigma, self.mean)

    def canonical(self, centred: bool = True) -> CanonicalCorrelations:
        """Return the canonical correlations of the views about the mean, or about zero, on the span of the features."""
        return self._about_mean if centred else canonical_correlations(self.total, self.groups, False)

    @cached_property
    def _about_mean(self) -> CanonicalCorrelations:
        return canonical_correlations(self.total, self.groups, True)

    def standard_errors(self, centred: bool = False) -> StandardErrors:
        """Return standard errors of mean, Sigma, A_0 and C, entry by entry; of moments about zero, or about the mean."""
        point = self.mean if centred else np.zeros(self.columns)
        count, squares = len(self.groups), [np.zeros(self.columns), *(np.zeros((self.columns,) * 2) for _ in range(3))]
        S, C = self.total.about(point), self.C
        for group in self.groups:
            share = group.rows / self.rows
            S_g, C_g = group.about(point) - S, group.C - C
            for square, off in zip(squares, (group.mean - self.mean, S_g, S_g - C_g, C_g), strict=True):
                square += (share * off) ** 2
        if count < 2:
            return StandardErrors(*(np.full_like(square, np.inf) for square in squares))
        return StandardErrors(*(np.sqrt(count / (count - 1) * square) for square in squares))

    def leave_group_out(self) -> Iterator[FeatureMoments]:
        """Yield the moments without each group of rows, for the jackknife of any function of them."""
        for g, group in enumerate(self.groups):
            yield FeatureMoments(self.total - group, self.groups[:g] + self.groups[g + 1 :], name=self.name)

    def scaled(self, factors: Any) -> FeatureMoments:
        """Return the moments of the features multiplied by these factors, d0; 1 over the deviations standardises them."""
        by = np.asarray(factors, dtype=float)
        if by.shape != (self.columns,) or not np.isfinite(by).all():
            raise InputError(f"scaled(factors): factors have shape {by.shape}; give {self.columns} finite numbers")
        return replace(self, total=self.total.scaled(by), groups=tuple(group.scaled(by) for group in self.groups))

    def __repr__(self) -> str:
        bad = f", {self.dropped} bad rows dropped" if self.dropped else ""
        return f"FeatureMoments({self.name}; {self.rows} x {self.columns}{bad})"


def feature_moments(
    features_a: Any,
    features_b: Any = None,
    *,
    keys: tuple[str, str] | None = None,
    drop_bad_rows: bool = False,
    progress: Progress | None = None,
    groups: int = 32,
) -> FeatureMoments:
    """Return the moments of features of two views, N x d0 each and rows paired, in one pass over them.

    The features are what `open_features` takes, or come from it; Dask arrays are summed where their scheduler has them.
    ``progress(rows_done, rows_total)`` is called after every block. Blocks run on as many threads as BLAS may take. float32 is
    multiplied as float32 where that resolves every direction, and added up in float64.

    Errors come from sums over ``groups`` of rows (fewer for many features, to bound memory): block j of consecutive rows
    belongs to group j modulo ``groups``. Rows are taken to be independent. Rows sorted by class make errors too large, unless
    blocks are shorter than classes, which then count as having fixed shares; several augmentations of one datum make them
    too small.

    Raises InputError for what is no pair of finite N x d0 arrays, naming the first bad rows; ``drop_bad_rows=True`` leaves
    pairs with NaN or infinite entries out.

    >>> rng = np.random.default_rng(0)
    >>> s = rng.normal(size=(4000, 2))
    >>> moments = feature_moments(s + 0.5 * rng.normal(size=s.shape), s + 0.5 * rng.normal(size=s.shape))
    >>> modes = moments.canonical()
    >>> [f"{r:.2f} ± {error:.2f}" for r, error in zip(modes.r, modes.standard_error)]  # exact: 1 / 1.25
    ['0.81 ± 0.01', '0.79 ± 0.01']
    """
    features = open_features(features_a, features_b, keys=keys, drop_bad_rows=drop_bad_rows)
    if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)) or groups < 2:
        raise InputError(f"groups={groups!r} is a number of groups of rows, an integer from 2")
    if progress is not None and not callable(progress):
        raise InputError(f"progress={progress!r} is called as progress(rows_done, rows_total)")
    count = _group_count(features, groups)
    # Every group is of several blocks from all over the data, of more where adding them up takes no time.
    blocks = 4 if features.rows * features.columns**2 < QUICK else 1
    step = max(1, min(MOST, BLOCK // features.columns, features.rows // (blocks * count)))
    workers = min(WORKERS, blas_threads())
    with one_thread():
        plan, noticed = _planned(features)
        if isinstance(features.view_a, DaskRows) and isinstance(features.view_b, DaskRows):
            parts = parts_on_dask(features.view_a.array, features.view_b.array, plan, count, step, progress)
        else:
            parts = _block_by_block(features, plan, count, step, progress, workers)
        return _moments_of(features, plan, parts, noticed)


def _group_count(features: PairedFeatures, groups: int) -> int:
    """Return how many groups of rows fit into the memory for them."""
    fitting = MEMORY // (16 * features.columns**2)
    return int(min(groups, max(LEAST, fitting), features.rows))


def _planned(features: PairedFeatures) -> tuple[Plan, tuple[Finding, ...]]:
    """Return how to multiply, by the first block that has good rows, and what is noticed in its values."""
    with closing(features.raw_blocks(max(FIRST, 2 * features.columns))) as blocks:
        for a, b in blocks:
            good = good_rows(a, b)
            if good.any():
                a, b = a[good], b[good]
                _assert_squares(features, max(float(np.abs(a).max()), float(np.abs(b).max())))
                return Plan.of(a, b, features.dtype), noticed_in(a, b)
    raise InputError(f"{features.name}: NaN or infinite entries in all {features.rows} rows; these are no features")


def _block_by_block(
    features: PairedFeatures, plan: Plan, count: int, step: int, progress: Progress | None, workers: int
) -> list[Part]:
    """Return the sums over groups of rows, in one pass. After a bad row that is not to be dropped, bad rows are counted."""
    sums = [Sums(plan) for _ in range(count)]
    found, done = Part(None), 0

    def summed(number: int, a: NDArray[Any], b: NDArray[Any], counted: bool) -> tuple[int, NDArray[np.int64], float]:
        if counted:
            return len(a), np.flatnonzero(~good_rows(a, b)), 0.0
        return len(a), *add_good_rows(sums[number % count], a, b)

    with closing(features.raw_blocks(step)) as blocks:
        tasks = ((summed, n, a, b, found.bad > 0 and not features.drop_bad_rows) for n, (a, b) in enumerate(blocks))
        for rows, bad, overflow in in_order(tasks, workers):
            if len(bad) or overflow:
                found = joined([found, Part(None, len(bad), tuple((done + bad[:SHOWN]).tolist()), overflow)])
            done += rows
            if progress is not None:
                progress(done, features.rows)
    return [*(Part(part.sums if part.rows else None) for part in sums), found]


def _assert_squares(features: PairedFeatures, largest: float, bound: float = SQUARED) -> None:
    if largest > bound:
        raise InputError(
            f"{features.name} has entries up to {largest:.3g}, whose squares overflow; rescale the features"
        )


def _moments_of(
    features: PairedFeatures, plan: Plan, parts: Sequence[Part], noticed: tuple[Finding, ...]
) -> FeatureMoments:
    """Return the moments from sums over groups of rows. Raises InputError for bad rows, and for too few that are good."""
    everything = joined(parts)
    if everything.bad and not features.drop_bad_rows:
        raise bad_rows_error(features, everything.first, everything.bad, features.rows)
    _assert_squares(features, everything.overflow, bound=0.0)
    groups, total = tuple(part.sums for part in parts if part.sums is not None), everything.sums
    if total is None or total.rows < 2:
        left = 0 if total is None else total.rows
        raise InputError(f"{features.name}: {left} of {features.rows} rows are finite; moments need at least 2")
    if plan.dtype == np.float32:
        total = total.rounded_up()
    return FeatureMoments(total, groups, everything.bad, everything.first, features.name, noticed)
