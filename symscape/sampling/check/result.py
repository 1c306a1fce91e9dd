"""What a check of a landscape against a sampled loss found: rows, which errors of terms would have shown, the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.sampling.check.row import CheckRow

Array = NDArray[np.float64]

#: A series is called good while it is this close to the sampled change of the loss.
GOOD = 0.05
#: The error of a coefficient that a check must be able to see before it says that a landscape agrees.
VISIBLE = 0.02
#: Terms that are listed by name.
SHOWN = 8


@dataclass(frozen=True)
class TermSight:
    """A term of the landscape, and the least relative error of its coefficient that would have been seen at some row."""

    term: str
    degree: int
    least_error: float

    @property
    def visible(self) -> bool:
        """Whether an error of 2 % would have been seen."""
        return self.least_error <= VISIBLE


@dataclass(frozen=True, repr=False)
class Check:
    """A landscape against the sampled loss: ``print(check(...))`` shows it, ``verdict`` sums it up.

    ``samples`` data in ``batches`` batches were drawn from ``population``, represented by ``directions`` weights with d1
    outputs: ``weights``, each d1 x d0 with Tr P = 1, times the scale of a row. ``constant``: the loss at W = 0, as coded and
    by the landscape; None where it depends on the size of the batch.
    """

    loss: str
    order: int
    exact: bool
    population: str
    d1: int
    directions: int
    samples: int
    batches: int
    rows: tuple[CheckRow, ...]
    terms: tuple[TermSight, ...]
    constant: tuple[float, float] | None
    weights: tuple[Array, ...] = field(compare=False, repr=False)

    @property
    def constant_agrees(self) -> bool:
        """Whether the constants agree to rounding, where they can be compared."""
        if self.constant is None:
            return True
        sampled, derived = self.constant
        return abs(sampled - derived) <= 1e-9 * max(1.0, abs(sampled))

    @property
    def agrees(self) -> bool:
        """Whether nothing differs; another branch may come into play, where a wrong coefficient would have shown before."""
        left = [row for row in self.rows if row.verdict == "branch"]
        return self.constant_agrees and all(row.verdict != "differs" for row in self.rows) and all(map(self._new, left))

    def _new(self, row: CheckRow) -> bool:
        """Whether a difference, if it fell like the highest part of the series, would have shown at a smaller scale."""
        gap = abs(row.rest)
        smaller = (r for r in self.rows if r.direction == row.direction and r.scale < row.scale)
        return any(gap * (r.scale / row.scale) ** self.order > r.allowed for r in smaller)

    @property
    def conclusive(self) -> bool:
        """Whether an error of 2 % in any one coefficient would have been seen."""
        return all(term.visible for term in self.terms)

    @property
    def verdict(self) -> str:
        """``differs``, ``agrees``, or ``inconclusive``: nothing differs, but an error of 2 % could have hidden."""
        return "differs" if not self.agrees else "agrees" if self.conclusive else "inconclusive"

    @property
    def good_up_to(self) -> float | None:
        """The largest Tr P, without a gap from the smallest, at which the series is within 5 % of the sampled change."""
        reached = None
        for row in self._ray:
            if row.relative_error > GOOD:
                break
            reached = row.trace_P
        return reached

    @property
    def _ray(self) -> list[CheckRow]:
        return [row for row in self.rows if row.direction == 1]

    # In words

    def sentence(self) -> str:
        """Return in words how far the landscape is good."""
        if not self.constant_agrees:
            return "The landscape does NOT agree with the sampled loss: its constant differs."
        if not self.agrees:
            return "The landscape does NOT agree with the sampled loss."
        if self.exact:
            return "The landscape is exact, and agrees at every scale."
        if self.good_up_to is None:
            return "The truncated series is off by more than 5 % of what was sampled at every scale tried."
        reach = f"within 5 % of the sampled loss up to Tr P = {self.good_up_to:.3g}"
        if self.good_up_to == self._ray[-1].trace_P:
            return f"The series of order {self.order} stays {reach}, the largest scale tried."
        cause = "truncation and not sampling is the difference"
        if any(row.verdict == "noise" for row in self._ray):
            cause = "truncation is the difference, or sampling noise is as large"
        if any(row.verdict == "branch" for row in self.rows):
            cause = "another branch of the loss comes into play"
        return f"The series of order {self.order} stays {reach}; beyond that, {cause}."

    def sight(self) -> str:
        """Return in words which errors would have been seen."""
        if not self.terms:
            return "There is no term to check."
        ranked = sorted(self.terms, key=lambda term: -term.least_error)
        kept = [term for term in self.terms if term in ranked[:SHOWN]]
        shown = ", ".join(f"{t.term} {_percent(t.least_error)}" for t in kept)
        rest = f", and less of {len(self.terms) - SHOWN} others" if len(self.terms) > SHOWN else ""
        hidden = [t.term for t in self.terms if not t.visible]
        names = ", ".join(hidden) if len(hidden) <= SHOWN else f"{len(hidden)} coefficients"
        doubt = f" 2 % of {names} would not have been seen: inconclusive." if hidden else ""
        if any(t.degree >= 6 and not isfinite(t.least_error) for t in self.terms):
            doubt += (
                " Terms of degree 6 and more rest on the law of the views, which is not that of the landscape here."
            )
        elif hidden:
            doubt += " More samples or a W in which they are larger may show them."
        return f"An error of a coefficient would show from: {shown}{rest}.{doubt}"

    def table(self) -> list[str]:
        """Return the rows as lines of text, headings first."""
        with_cumulants = any(row.with_cumulants is not None for row in self.rows)
        headings = ["W"] if self.directions > 1 else []
        headings += ["Tr P", "sampled", "± s.e.", "bias <", f"order {self.order}"]
        headings += (["with κ"] if with_cumulants else []) + ([] if self.exact else ["next"])
        lines = [[*headings, "dev.", "rel. error", "verdict"]]
        for row in self.rows:
            cells = [str(row.direction)] if self.directions > 1 else []
            cells += [f"{row.trace_P:.3g}", f"{row.sampled:.6g}", f"{row.standard_error:.1e}", f"{row.bias_bound:.1e}"]
            cells += [f"{row.landscape:.6g}"]
            cells += [f"{row.best:.6g}"] if with_cumulants else []
            cells += [] if self.exact else [f"{row.next_part:.1e}" if isfinite(row.slack) else "-"]
            lines.append([*cells, _deviation(row), _percent(row.relative_error), row.verdict])
        return _aligned(lines)

    def lines(self) -> list[str]:
        """Return everything that is printed below the heading."""
        weights = f"{self.directions} W" if self.directions > 1 else "one W"
        with_cumulants = any(row.with_cumulants is not None for row in self.rows)
        after = "" if self.exact else "next: what the next orders of the series add. "
        legend = (
            f"{after}dev.: sampled less all of these, in standard errors, which what bias and higher orders may do widens; it "
            "differs beyond 4"
        )
        unknown = (
            ""
            if all(isfinite(row.slack) for row in self.rows)
            else ", and - where nothing bounds the orders after those"
        )
        kappa = "κ: the joint fourth cumulants of the views, which Gaussian views lack. " if with_cumulants else ""
        return [
            f"{self.population}; {weights} of {self.d1} outputs, {self.samples} samples in {self.batches} batches; changes "
            "of the loss from W = 0",
            *self.table(),
            f"{legend}{unknown}. rel. error: of the series itself.",
            f"{kappa}bias <: what may be left of the bias in the number of data.",
            self.sentence(),
            self.sight(),
        ]

    def __repr__(self) -> str:
        return f"Check({self.loss}: {self.verdict}, {self.population}, {self.samples} samples)"

    def __str__(self) -> str:
        return "\n".join([f"Check of {self.loss}: {self.verdict}", *(f"  {line}" for line in self.lines())])

    @property
    def record(self) -> dict[str, Any]:
        """Everything as plain values for JSON."""
        plain = {k: v for k, v in asdict(self).items() if k not in ("rows", "terms", "weights")}
        return {
            **plain,
            "weights": [W.tolist() for W in self.weights],
            "rows": [row.record for row in self.rows],
            "terms": [
                {
                    "term": t.term,
                    "degree": t.degree,
                    "least_error": t.least_error if isfinite(t.least_error) else None,
                    "visible": t.visible,
                }
                for t in self.terms
            ],
            "agrees": self.agrees,
            "conclusive": self.conclusive,
            "verdict": self.verdict,
            "good_up_to_trace_P": self.good_up_to,
            "says": f"{self.sentence()} {self.sight()}",
        }


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 10 else "> 1000 %"


def _deviation(row: CheckRow) -> str:
    return f"{row.left:+.1f}" if isfinite(row.slack) else "-"


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
