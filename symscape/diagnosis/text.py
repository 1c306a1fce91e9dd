"""The report in a terminal: the answer in the first line, then the modes, the ranks, the loss, and what it rests on."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from symscape.diagnosis.sections import Section, answer, sections_of, subject

if TYPE_CHECKING:
    from symscape.diagnosis.report import Diagnosis

#: Columns of a terminal that the text fits in.
WIDTH = 100


def text_of(report: Diagnosis, further: Sequence[Section] = ()) -> str:
    """Return a report as text, 100 columns wide, with ``further`` sections before its notes."""
    *first, notes = sections_of(report)
    lines = list(_wrapped(f"{subject(report)}: {answer(report)}", "", "  "))
    for section in (*first, *further, notes):
        lines += ["", *section_text(section)]
    return "\n".join(lines)


def section_text(section: Section) -> Iterator[str]:
    """Yield the lines of a section: its title, its table, its sentences."""
    yield section.title
    yield from _table(section)
    mark = "" if section.rows else "- " if len(section.sentences) > 1 else ""
    for sentence in section.sentences:
        hang = 4 if sentence.startswith("(") else len(mark)
        yield from _wrapped(sentence, f"  {mark}", "  " + " " * hang)


def _wrapped(sentence: str, first: str, rest: str) -> Iterator[str]:
    """Yield a sentence in lines; a number stays with its sign of error and its unit."""
    held = sentence.replace(" ±", "\0±").replace("± ", "±\0").replace(" %", "\0%").replace(" = ", "\0=\0")
    for line in textwrap.wrap(held, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False):
        yield line.replace("\0", " ")


def _table(section: Section) -> Iterator[str]:
    """Yield the lines of a table; columns of numbers are set to the right, of words to the left."""
    if not section.rows:
        return
    whole = [row for row in (section.headings, *section.rows) if len(row) == len(section.headings)]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    for row in (section.headings, *section.rows):
        if len(row) < len(section.headings):
            yield f"  {row[0]}"
            continue
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, section.numeric, strict=True)
        ]
        yield ("  " + "  ".join(cells)).rstrip()
