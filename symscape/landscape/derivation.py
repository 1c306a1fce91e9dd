"""The derivation of a landscape as numbered steps, printable and typeset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class DerivationStep:
    """One step: its number, the rule in words, left and right side in LaTeX, and the right side as text."""

    number: int
    rule: str
    left: str
    right: str
    text: str


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
        blocks = []
        for s in self._steps:
            equation = f"{s.left} = {s.right}" if s.left else s.right
            blocks.append(rf"\noindent ({s.number}) {s.rule}." + "\n\\begin{equation*}\n" + equation + "\n\\end{equation*}")
        return "\n".join(blocks)

    def _repr_latex_(self) -> str:
        rows = [rf"({s.number})\quad {s.left} &= {s.right}" for s in self._steps if s.left]
        return "$$\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}$$"
