"""One row of a check: the sampled loss and its landscape at one t W."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

#: A series whose truncation is this small, and explained, agrees.
NEGLIGIBLE = 0.001
#: Standard errors that are put down to chance.
CHANCE = 4


@dataclass(frozen=True)
class CheckRow:
    """One t W: the change of the loss from W = 0, sampled and by the landscape, without and with cumulants.

    ``direction`` numbers W. ``bias_removed`` is the bias in the number of data that was taken out, ``bias_bound`` a bound on
    the rest. ``next_part`` is what the next orders of the series add, ``slack`` a bound on what is known of neither: the
    order after those, and cumulants beyond the fourth. ``branch``: the series is that of one branch, of a Max or of rows
    that are not clipped.
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
    slack: float
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
    def left(self) -> float:
        """Sampled less the best landscape and the next order of its series, in standard errors."""
        return (self.sampled - self.best - self.next_part) / self.standard_error

    @property
    def best(self) -> float:
        """The landscape with cumulants, where they are known."""
        return self.landscape if self.with_cumulants is None else self.with_cumulants

    @property
    def relative_error(self) -> float:
        """The error of the best landscape relative to the sampled change of the loss."""
        return abs(self.best - self.sampled) / abs(self.sampled) if self.sampled else float(self.best != 0)

    @property
    def chance(self) -> float:
        """What sampling may do: four standard errors, and the bias that may be left."""
        return CHANCE * self.standard_error + self.bias_bound

    @property
    def verdict(self) -> str:
        """``agrees``: up to chance, and 0.1 % that the next orders explain; ``truncation``: they explain more; ``differs``.

        ``branch`` marks a difference where another branch of a Max, Min or absolute value comes into play.
        """
        gap = self.sampled - self.best
        if abs(gap) <= self.chance:
            return "agrees"
        if abs(gap - self.next_part) <= self.chance + self.slack:
            return "truncation" if self.relative_error > NEGLIGIBLE else "agrees"
        return "branch" if self.branch else "differs"

    @property
    def record(self) -> dict[str, Any]:
        """The row as plain values for JSON."""
        return {
            **asdict(self),
            "slack": self.slack if isfinite(self.slack) else None,
            "deviation": self.deviation,
            "relative_error": self.relative_error,
            "verdict": self.verdict,
        }
