"""A claim of a derivation, how it was checked, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    """How a claim is checked."""

    EXACT = "exact identity"
    DIGITS = "high precision"
    SAMPLED = "sampled"
    NUMERIC = "numeric"


@dataclass(frozen=True)
class Verdict:
    """One claim: its place in the derivation, what it says, what was derived (``shown``), and whether it holds.

    ``figure`` is what was measured: digits that agree, a deviation in standard errors, a largest difference; for an exact
    identity it says what is identical. ``result`` is what was derived, in a line, where it fits one. ``tampered``: a wrong
    formula stood in the place of the claim. ``claimed``: what was typed in, where it is identical with what was derived.
    """

    number: int
    statement: str
    kind: Kind
    figure: str
    holds: bool
    seconds: float
    shown: Any = None
    result: str = ""
    tampered: bool = False
    claimed: Any = None

    @property
    def says(self) -> str:
        """The statement, with what was derived."""
        return f"{self.statement}: {self.result}" if self.result else self.statement

    def __str__(self) -> str:
        mark = "holds" if self.holds else "FAILS"
        return f"({self.number}) {self.says}  [{self.kind.value}: {self.figure}; {mark}]"
