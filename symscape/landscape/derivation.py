"""The derivation of a landscape as numbered steps, printable and typeset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from symscape.typesetting.latex import visible_width

#: A left side with more visible signs than this stands on a row of its own.
LONG = 35


@dataclass(frozen=True)
class DerivationStep:
    """One step: its number, the rule in words, left side and the lines of the right side in LaTeX, and all as text."""

    number: int
    rule: str
    left: str
    lines: tuple[str, ...]
    text: str

    @property
    def right(self) -> str:
        """The right side on one line."""
        return " ".join(self.lines)

    def rows(self) -> list[str]:
        """Return the rows of an align environment; a long left side stands on a row of its own."""
        if visible_width(self.left) > LONG or visible_width(self.left + self.lines[0]) > 2 * LONG:
            return [rf"& {self.left}", rf"& \quad = {self.lines[0]}", *(rf"& \qquad {line}" for line in self.lines[1:])]
        return [f"{self.left} ={{}}& {self.lines[0]}", *(rf"& {line}" for line in self.lines[1:])]


class Derivation:
    """The steps from a loss to its landscape; iterates over them.

    ``str()`` prints them, ``latex()`` returns an ``align*`` environment.
    """

    def __init__(self, steps: tuple[DerivationStep, ...]):
        self._steps = steps

    def __iter__(self) -> Iterator[DerivationStep]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __str__(self) -> str:
        return "\n".join(f"({s.number}) {s.rule}\n      {s.text}" for s in self._steps)

    __repr__ = __str__

    def latex(self) -> str:
        """Return the steps as LaTeX: a sentence and a displayed equation each."""
        return "\n".join(
            rf"\noindent ({s.number}) {latex_words(s.rule)}."
            + "\n\\begin{align*}\n"
            + " \\\\\n".join(s.rows())
            + "\n\\end{align*}"
            for s in self._steps
        )

    def _repr_latex_(self) -> str:
        rows = [row for s in self._steps for row in s.rows()]
        return "$$\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}$$"


def latex_words(text: str) -> str:
    """Return words of a rule with the names of views as mathematics.

    >>> latex_words("Sum over the n copies of chi")
    'Sum over the n copies of $\\\\chi$'
    """
    return text.replace("chi", r"$\chi$").replace("log E exp", r"$\log \mathbb{E} \exp$")
