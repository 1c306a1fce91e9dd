"""What a check of a landscape against a sampled loss found: rows of one scale of W each, and their verdict."""

from __future__ import annotations

from dataclasses import dataclass

#: A series is called good while it is this close to the sampled change of the loss.
GOOD = 0.05
#: The error in the quartic part that a check must be able to see before it says that a landscape agrees.
VISIBLE = 0.05


@dataclass(frozen=True)
class CheckRow:
    """One scale of W: the change of the loss from W = 0, sampled and by the landscape, without and with cumulants.

    ``quartic`` is the quartic part there, ``next_part`` what the next order of the series adds, ``slack`` a bound on what
    is known of neither: the order after that, and the cumulants in ``next_part``. ``branch`` says that a Max, Min or
    absolute value was expanded in one of its branches.
    """

    trace_P: float
    sampled: float
    standard_error: float
    gaussian: float
    cumulant: float | None
    quartic: float
    next_part: float
    slack: float
    branch: bool = False

    @property
    def deviation(self) -> float:
        """Sampled less the Gaussian landscape, in standard errors."""
        return (self.sampled - self.gaussian) / self.standard_error

    @property
    def cumulant_deviation(self) -> float | None:
        """Sampled less the landscape with cumulants, in standard errors."""
        return None if self.cumulant is None else (self.sampled - self.cumulant) / self.standard_error

    @property
    def best(self) -> float:
        """The landscape with cumulants, where it is known."""
        return self.gaussian if self.cumulant is None else self.cumulant

    @property
    def relative_error(self) -> float:
        """The error of the best landscape relative to the sampled change of the loss."""
        return abs(self.best - self.sampled) / abs(self.sampled)

    @property
    def tolerance(self) -> float:
        """How far the loss may be from the landscape with its next order: three standard errors and the slack."""
        return 3 * self.standard_error + self.slack

    @property
    def verdict(self) -> str:
        """``agrees`` within 3 standard errors; ``truncation``: what the next orders explain; ``differs``; ``branch``: left.

        ``branch`` marks a difference where another branch of a Max, Min or absolute value comes into play.
        """
        if abs(self.sampled - self.best) <= 3 * self.standard_error:
            return "agrees"
        if abs(self.sampled - self.best - self.next_part) <= self.tolerance:
            return "truncation"
        return "branch" if self.branch else "differs"

    @property
    def sees_the_quartic(self) -> bool:
        """Whether a quartic part that is 5 % off would show at this scale."""
        return VISIBLE * abs(self.quartic) > self.tolerance


@dataclass(frozen=True)
class DigitsCheck:
    """The rows of a check with what was drawn: d1 outputs of a random W, views with Gaussian noise, several draws."""

    loss: str
    order: int
    exact: bool
    d1: int
    noise: float
    draws: int
    rows: tuple[CheckRow, ...]

    @property
    def agrees(self) -> bool:
        """Whether no row differs; a branch may be left, but not at the smallest scale."""
        return self.rows[0].verdict != "branch" and not any(row.verdict == "differs" for row in self.rows)

    @property
    def conclusive(self) -> bool:
        """Whether an error of 5 % in the quartic part would have been seen at some scale."""
        return all(row.quartic == 0 for row in self.rows) or any(row.sees_the_quartic for row in self.rows)

    @property
    def good_up_to(self) -> float | None:
        """The largest Tr P, without a gap from the smallest, at which the series is within 5 % of the sampled change."""
        reached = None
        for row in self.rows:
            if row.relative_error > GOOD:
                break
            reached = row.trace_P
        return reached

    def sentence(self) -> str:
        """Return in words how far the landscape is good."""
        if not self.agrees:
            return "The landscape does NOT agree with the sampled loss."
        doubt = (
            "" if self.conclusive else " An error of 5 % in the quartic part would not have been seen: inconclusive."
        )
        if self.exact:
            return f"The landscape is exact, and agrees at every scale.{doubt}"
        if self.good_up_to is None:
            return f"The truncated series is off by more than 5 % at every scale tried.{doubt}"
        reach = f"within 5 % of the sampled loss up to Tr P = {self.good_up_to:.3g}"
        if self.good_up_to == self.rows[-1].trace_P:
            return f"The series of order {self.order} stays {reach}, the largest scale tried.{doubt}"
        left = any(row.verdict == "branch" for row in self.rows)
        cause = (
            "another branch of the loss comes into play" if left else "truncation and not sampling is the difference"
        )
        return f"The series of order {self.order} stays {reach}; beyond that, {cause}.{doubt}"
