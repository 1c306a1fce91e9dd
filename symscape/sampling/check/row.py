"""One row of a check: the sampled loss and its landscape at one t W."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf, isfinite
from typing import Any

#: A series whose truncation is this small, and explained, agrees.
NEGLIGIBLE = 0.001
#: Standard errors that are put down to chance, of a normal distribution.
CHANCE = 4
#: Sampling noise that is a larger share of the change of the loss says so in the row.
NOISY = 0.05


@dataclass(frozen=True)
class CheckRow:
    """One t W: the change of the loss from W = 0, sampled and by the landscape, without and with cumulants.

    ``direction`` numbers W. ``bias_removed`` is the bias in the number of data that was taken out, ``bias_bound`` a bound on
    the rest. ``next_part`` is what the orders add that the landscape does not know: derived, or where the law of the views is
    not that of a model, measured at larger scales. ``tolerance`` is what sampling may do to the rest after it, by chance and
    bias; ``slack`` bounds what is known of neither, the orders after those. ``quantile``: how many standard errors are put
    down to chance, more than four where few batches tell them. ``branch``: the series is that of one branch, of a Max or of
    rows that are not clipped.
    """

    direction: int
    scale: float
    trace_P: float
    sampled: float
    standard_error: float
    bias_removed: float
    bias_bound: float
    landscape: float
    with_cumulants: float | None
    next_part: float
    tolerance: float
    slack: float
    quantile: float = CHANCE
    branch: bool = False

    @property
    def deviation(self) -> float:
        """Sampled less landscape, in standard errors."""
        return (self.sampled - self.landscape) / self.standard_error

    @property
    def cumulant_deviation(self) -> float | None:
        """Sampled less the landscape with cumulants, in standard errors."""
        return None if self.with_cumulants is None else (self.sampled - self.with_cumulants) / self.standard_error

    @property
    def best(self) -> float:
        """The landscape with cumulants, where they are known."""
        return self.landscape if self.with_cumulants is None else self.with_cumulants

    @property
    def rest(self) -> float:
        """Sampled less the best landscape and the next orders of its series."""
        return self.sampled - self.best - self.next_part

    @property
    def allowed(self) -> float:
        """What the rest may be: what sampling may do, and what higher orders may add."""
        return self.tolerance + self.slack

    @property
    def left(self) -> float:
        """The rest in standard errors, widened by all that it may be: a row differs beyond 4."""
        if not isfinite(self.slack):
            return 0.0
        return CHANCE * self.rest / self.allowed if self.allowed else float(self.rest and inf)

    @property
    def relative_error(self) -> float:
        """The error of the best landscape relative to the sampled change of the loss."""
        return abs(self.best - self.sampled) / abs(self.sampled) if self.sampled else float(self.best != 0)

    @property
    def chance(self) -> float:
        """What sampling may do to the sampled change: so many standard errors, and the bias that may be left."""
        return self.quantile * self.standard_error + self.bias_bound

    @property
    def verdict(self) -> str:
        """``agrees``: within chance or 0.1 %; ``truncation``: next orders explain more; ``noise``: 5 % is chance; ``differs``.

        What counts is the rest after the next orders: an error of a coefficient may cancel against them at one scale.
        ``branch`` marks a difference where another branch of a Max, Min or absolute value comes into play.
        """
        if not abs(self.rest) <= self.allowed:
            return "branch" if self.branch else "differs"
        if abs(self.sampled - self.best) <= max(self.chance, NEGLIGIBLE * abs(self.sampled)):
            return "agrees" if self.relative_error <= NOISY else "noise"
        return "truncation"

    @property
    def record(self) -> dict[str, Any]:
        """The row as plain values for JSON."""
        return {
            **asdict(self),
            "slack": self.slack if isfinite(self.slack) else None,
            "deviation": self.deviation,
            "left": self.left,
            "relative_error": self.relative_error,
            "verdict": self.verdict,
        }
