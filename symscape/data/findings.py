"""What is odd about features, and what to do about it: one function per kind of finding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from symscape.data.canonical import spread_of_mean
from symscape.stationary.coordinates import CONSTANT as DEPENDENT

if TYPE_CHECKING:
    from symscape.data.moments import FeatureMoments

Array = NDArray[np.floating[Any]]

#: A deviation below this part of the mean is rounding; correlations this close to 1 are 1; r this close to 1 is 1.
CONSTANT, SAME = 1e-15, 1e-10
#: Rows per feature from which on the bias of r is small.
ENOUGH = 10
#: A mean of so many deviations is large; views differ by this part of variance, or of a deviation.
LARGE, DIFFERENT = 100.0, 0.1
#: Probability with which chance alone makes a finding.
CHANCE = 1e-5


#: A correlation of the views that is none by chance, however few the groups of rows are.
OBVIOUS = 0.3
#: Findings that put the whole forecast in doubt.
GRAVE = frozenset(
    {"swapped axes", "misaligned pairs", "identical views", "fewer rows than features", "few rows", "views that differ"}
)


@dataclass(frozen=True)
class Finding:
    """``kind``: its name; ``sentence``: what was found and what to do; ``where``: the columns or rows that it is about."""

    kind: str
    sentence: str
    where: tuple[int, ...] = ()

    @property
    def is_grave(self) -> bool:
        """Whether it puts the whole forecast in doubt."""
        return self.kind in GRAVE

    def __str__(self) -> str:
        return self.sentence


def noticed_in(a: NDArray[Any], b: NDArray[Any]) -> tuple[Finding, ...]:
    """Return what the values of the first rows show: whole numbers up to 255, as in images."""
    least, most = min(float(a.min()), float(b.min())), max(float(a.max()), float(b.max()))
    whole = all(view.dtype.kind in "iu" or bool((view == np.rint(view)).all()) for view in (a, b))
    if not (whole and least >= 0 and 16 < most <= 255):
        return ()
    said = f"the features are whole numbers from {least:g} to {most:g}, as pixels of images are"
    return (
        Finding(
            "integer images", f"{said}; divide them by 255 before training, or weights and thresholds shrink with them"
        ),
    )


def findings_of(moments: FeatureMoments) -> tuple[Finding, ...]:
    """Return what the moments show, the gravest first."""
    kinds = (bad_rows, swapped_axes, misaligned, identical_views, few_rows, idle_features, different_views, large_means)
    return tuple(finding for kind in kinds for finding in kind(moments))


def bad_rows(moments: FeatureMoments) -> Iterable[Finding]:
    """Pairs with NaN or infinite entries that were left out."""
    if moments.dropped:
        total = moments.rows + moments.dropped
        sentence = (
            f"{moments.dropped} of {total} pairs of rows have NaN or infinite entries and were left out, first "
            f"{listed(moments.first_dropped, moments.dropped, 'row')}; see what made them"
        )
        yield Finding("bad rows", sentence, moments.first_dropped)


def swapped_axes(moments: FeatureMoments) -> Iterable[Finding]:
    """Many more columns than rows: the transpose may have been meant."""
    if moments.columns >= 4 * moments.rows:
        yield Finding(
            "swapped axes",
            f"there are {moments.rows} rows and {moments.columns} columns; rows are data and columns features: if these "
            "are the other way round, pass the transposes",
        )


def misaligned(moments: FeatureMoments) -> Iterable[Finding]:
    """No feature, and no direction, is the same in both views beyond its error."""
    varies = ~_constant(moments)
    if not varies.any() or moments.rows < ENOUGH:
        return
    variance = np.diagonal(moments.covariance)[varies]
    common = [((np.diagonal(g.about(moments.mean) - g.C)[varies]) / variance).mean() for g in moments.groups]
    share = np.array([group.rows for group in moments.groups]) / moments.rows
    error = float(spread_of_mean(moments.groups, np.array(common)))
    correlation = float(share @ np.array(common))
    if abs(correlation) > min(_errors(moments) * error, OBVIOUS):
        return
    if moments.rows > 2 * moments.columns:
        modes = moments.canonical()
        if (np.abs(modes.held_out) > _errors(moments, moments.columns) * modes.held_out_error).any():
            return
    yield Finding(
        "misaligned pairs",
        f"no direction is correlated between the views beyond its error (features: {correlation:.2g} ± {error:.1g} on "
        "average): the pairs may be misaligned; row i of both views must be the same datum, so shuffle both alike",
    )


def identical_views(moments: FeatureMoments) -> Iterable[Finding]:
    """Views that are one array, or features that augmentation does not touch."""
    varies = ~_constant(moments)
    variance, lost = np.diagonal(moments.covariance), np.diagonal(moments.C)
    same = np.flatnonzero(varies & (lost <= SAME * variance))
    if len(same) and len(same) == varies.sum():
        yield Finding(
            "identical views",
            "both views are the same: every r is 1 and there is no augmentation to learn from; was one array passed twice?",
        )
    elif len(same):
        yield Finding(
            "features without augmentation",
            f"{len(same)} of {moments.columns} features are the same in both views, {listed(same)}: r = 1 along them, so "
            "they survive whatever they mean",
            tuple(same.tolist()),
        )


def few_rows(moments: FeatureMoments) -> Iterable[Finding]:
    """Fewer rows than features, or too few for r to be without bias."""
    rows, columns = moments.rows, moments.columns
    if rows <= columns:
        yield Finding(
            "fewer rows than features",
            f"{rows} rows of {columns} features: some direction separates any rows, so that r is near 1 whatever the data "
            f"are; take at least {ENOUGH * columns} rows, or fewer features",
        )
    elif rows < ENOUGH * columns:
        modes = moments.canonical()
        held = modes.held_out
        said = (
            f" (largest: {modes.r[0]:.3g}, on rows that did not choose its direction {held[0]:.3g})"
            if len(held)
            else ""
        )
        yield Finding(
            "few rows",
            f"{rows} rows of {columns} features: r is too large by about d0/N = {columns / rows:.2g}{said}; take "
            f"{ENOUGH * columns} rows or more, or go by r on held-out rows, feature_moments(...).canonical().held_out",
        )


def idle_features(moments: FeatureMoments) -> Iterable[Finding]:
    """Features that are constant, copies of others, or combinations of others."""
    constant = np.flatnonzero(_constant(moments))
    if len(constant):
        yield Finding(
            "constant features",
            f"{len(constant)} of {moments.columns} features are constant, {listed(constant)}: they tell no data apart; "
            "drop them, or give the head a bias in their place",
            tuple(constant.tolist()),
        )
    copies = _copies(moments)
    if len(copies):
        yield Finding(
            "duplicated features",
            f"{len(copies)} of {moments.columns} features are copies of earlier ones up to scale and shift, "
            f"{listed(copies)}: weight decay is shared between copies, so that these count for more; drop them",
            tuple(copies.tolist()),
        )
    rank = _rank(moments)
    more = moments.columns - len(constant) - len(copies) - rank
    if more > 0 and moments.rows > moments.columns:
        yield Finding(
            "dependent features",
            f"{more} more directions never vary: some features are linear combinations of others; modes are found on the "
            f"{rank} directions that vary",
        )


def different_views(moments: FeatureMoments) -> Iterable[Finding]:
    """Views with variances or means of their own, as when one of them is augmented more."""
    varies = ~_constant(moments)
    variance = np.where(varies, np.diagonal(moments.covariance), 1.0)
    for what, unit in (("variance", 2 * variance), ("mean", np.sqrt(variance))):
        differences = np.array([getattr(g, f"{what}_difference") / unit for g in moments.groups])
        share = np.array([group.rows for group in moments.groups]) / moments.rows
        off, error = np.abs(share @ differences), spread_of_mean(moments.groups, differences)
        found = np.flatnonzero(varies & (off > DIFFERENT) & (off > _errors(moments, moments.columns) * error))
        if len(found):
            worst = found[np.argmax(off[found])]
            in_units = "of their mean variance" if what == "variance" else "deviations"
            yield Finding(
                "views that differ",
                f"the {what}s of the views differ in {len(found)} of {moments.columns} features, most in column {worst}, by "
                f"{(2 if what == 'variance' else 1) * off[worst]:.2g} {in_units}: theory takes both views to be augmented "
                "alike and sees their average; augment both alike, or centre and scale each view",
                tuple(found.tolist()),
            )


def large_means(moments: FeatureMoments) -> Iterable[Finding]:
    """Means far beyond the deviations about them."""
    varies = ~_constant(moments)
    ratio = np.abs(moments.mean) / np.sqrt(np.where(varies, np.diagonal(moments.covariance), np.inf))
    found = np.flatnonzero(ratio > LARGE)
    if len(found):
        yield Finding(
            "large means",
            f"{len(found)} of {moments.columns} features have means of more than {LARGE:g} deviations, up to "
            f"{ratio.max():.2g}, {listed(found)}: rounding takes digits of what varies, and a loss that does not centre "
            "sees little else; subtract the mean before training",
            tuple(found.tolist()),
        )


def listed(numbers: Sequence[int] | NDArray[Any], count: int | None = None, what: str = "column", most: int = 5) -> str:
    """Return numbers in words, the first few of many.

    >>> listed([3, 7]), listed(range(9)), listed([4], what="row")
    ('columns 3, 7', 'columns 0, 1, 2, 3, 4, ...', 'row 4')
    """
    of = len(numbers) if count is None else count
    shown = [str(int(n)) for n in numbers[:most]]
    return f"{what}{'s' if of > 1 else ''} {', '.join(shown)}{', ...' if of > len(shown) else ''}"


def _errors(moments: FeatureMoments, tests: int = 1) -> float:
    """Return how many standard errors, estimated from groups, the largest of so many deviations does not reach by chance."""
    return float(student.isf(CHANCE / (2 * tests), max(1, len(moments.groups) - 1)))


def _constant(moments: FeatureMoments) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.sqrt(np.diagonal(moments.covariance)) <= CONSTANT * np.abs(moments.mean)
    return found


def _rank(moments: FeatureMoments) -> int:
    """Return the number of directions that vary, of features in units of their deviations."""
    varies = ~_constant(moments)
    covariance = moments.covariance[varies][:, varies]
    deviations = np.sqrt(np.diagonal(covariance))
    values = np.linalg.eigvalsh(covariance / np.outer(deviations, deviations))
    return int((values > DEPENDENT * values.max(initial=0.0)).sum())


def _copies(moments: FeatureMoments) -> NDArray[np.int64]:
    """Return the features that have correlation 1 or -1 with an earlier one."""
    varies = np.flatnonzero(~_constant(moments))
    covariance = moments.covariance[np.ix_(varies, varies)]
    deviations = np.sqrt(np.diagonal(covariance))
    close = np.abs(covariance) >= (1 - SAME) * np.outer(deviations, deviations)
    return varies[np.tril(close, -1).any(axis=1)]
