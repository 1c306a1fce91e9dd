"""Reads the docstring of a derivation as a theorem: statement, displays, remarks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from symscape.document.formula import formula
from symscape.document.prose import has_mathematics, sentence, words_in
from symscape.typesetting.latex import visible_width

#: What opens a paragraph that is not part of the statement.
_LABEL = re.compile(
    r"(?:^|(?<=[.:;] ))(What differs from the paper|Local|Numeric|Assumptions?(?: [^:.]{1,60})?): (?=\S)"
)
#: About how many signs a displayed line holds.
WIDTH = 70
_DISPLAY = 4


@dataclass(frozen=True)
class Theorem:
    """A theorem in LaTeX: what it claims in a line, its statement, and remarks by title."""

    claim: str
    statement: str
    remarks: tuple[tuple[str, str], ...]


def theorem(claim: str, docstring: str) -> Theorem:
    """Return a derivation's docstring, whose first line is the claim, as LaTeX."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for kind, lines in _blocks(docstring.strip().split("\n")[1:]):
        if kind == "display":
            parts[-1][1].append(display(lines))
        elif kind == "items":
            items = "\n".join(rf"\item {sentence(' '.join(item.split()))}" for item in lines)
            parts[-1][1].append(f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}")
        else:
            pieces = _LABEL.split(" ".join(" ".join(lines).split()))
            if pieces[0].strip():
                parts[-1][1].append(sentence(pieces[0]))
            for title, text in zip(pieces[1::2], pieces[2::2], strict=True):
                parts.append((title, [sentence(text[0].upper() + text[1:])]))
    statement = [_flowing(blocks) for title, blocks in parts if not title and blocks]
    statement += [rf"\emph{{{title}.}} {_flowing(blocks)}" for title, blocks in parts if title.startswith("Assumption")]
    remarks = tuple((title, _flowing(b)) for title, b in parts if title and not title.startswith("Assumption"))
    return Theorem(sentence(claim.rstrip(".")), "\n\n".join(statement), remarks)


def _flowing(blocks: Sequence[str]) -> str:
    """Join paragraphs and displays: a display belongs to the paragraph before it."""
    text = ""
    for block in blocks:
        text += ("" if not text else "\n" if block.startswith((r"\[", r"\begin")) else "\n\n") + block
    return text


def _blocks(lines: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return paragraphs, displays and lists; the lines of a list are its items."""
    found: list[tuple[str, list[str]]] = []
    open_block = False
    for line in lines:
        if not line.strip():
            open_block = False
            continue
        indent = len(line) - len(line.lstrip())
        last = found[-1] if found else None
        if line.startswith("- "):
            if last is not None and last[0] == "items":
                last[1].append(line[2:])
            else:
                found.append(("items", [line[2:]]))
        elif open_block and last is not None and last[0] == "items" and indent:
            last[1][-1] += " " + line.strip()
        elif indent >= _DISPLAY:
            if open_block and last is not None and last[0] == "display":
                last[1].append(line)
            else:
                found.append(("display", [line]))
        elif open_block and last is not None and last[0] == "words" and not _LABEL.match(line.strip() + " x"):
            last[1].append(line)
        else:
            found.append(("words", [line]))
        open_block = True
    return found


def display(lines: Sequence[str]) -> str:
    """Return indented lines as a display: blanks part columns, deeper indentation continues the line above."""
    base = min(len(line) - len(line.lstrip()) for line in lines)
    rows = [(len(line) - len(line.lstrip()) > base, cells) for line, cells in zip(lines, _columns(lines), strict=True)]
    if len(rows) == 1:
        return _single(rows[0][1])
    columns = max(len(cells) for _, cells in rows)
    if columns == 1:
        body = " \\\\\n".join(rf"& {_continued(deeper)}\fit{{{_cell(cells[0])}}}" for deeper, cells in rows)
        return f"\\[\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n\\]"
    body = " \\\\\n".join(
        _continued(deeper) + " & ".join(rf"\displaystyle {_cell(cell)}" for cell in cells) for deeper, cells in rows
    )
    # A strut keeps fractions of neighbouring rows apart.
    strut = r"\rule[-1em]{0pt}{2.7em}" if r"\frac" in body else ""
    wide = [max((visible_width(_cell(row[k])) for _, row in rows if k < len(row)), default=0) for k in range(columns)]
    gap = r"@{\qquad}" if sum(wide) + 3 * (columns - 1) <= WIDTH else r"@{\quad}"
    spec = rf"@{{{strut}}}" + gap.join("l" * columns) + "@{}"
    stretch = "1" if strut else "1.4"
    head = f"\\renewcommand{{\\arraystretch}}{{{stretch}}}\n"
    return f"\\[\n{head}\\fit{{\\begin{{array}}{{{spec}}}\n{body}\n\\end{{array}}}}\n\\]"


def _continued(deeper: bool) -> str:
    return r"\quad " if deeper else ""


def _columns(lines: Sequence[str]) -> list[list[str]]:
    """Return the cells of each line: what wide blanks part, two of them only where another line has a cell there, too."""
    starts = [[m.start() for m in re.finditer(r"(?<=\s\s)\S", line)] for line in lines]
    found = []
    for k, line in enumerate(lines):
        others = {start for j, row in enumerate(starts) if j != k for start in row}
        cells: list[str] = []
        for match in re.finditer(r"\S+(?: \S+)*", line):
            wide = len(lines) == 1 or match.start() in others or line[: match.start()].endswith("   ")
            relation = match[0].startswith(("= ", "< ", "> ")) or match[0] in ("=", "<", ">")
            if cells and (relation or cells[-1].endswith((" =", " <", " >"))):
                cells[-1] += f" {match[0]}"
            elif cells and not wide:
                cells[-1] += f"  {match[0]}"
            else:
                cells.append(match[0])
        found.append(cells)
    return found


def _single(cells: Sequence[str]) -> str:
    """Return a display of one line: a sentence, cells side by side, or one below the other where they are too wide."""
    written = [_cell(cell) for cell in cells]
    if len(cells) == 1 and written[0].startswith(r"\text{") and visible_width(written[0]) > WIDTH // 2:
        return f"\\begin{{quote}}\n{sentence(cells[0])}\n\\end{{quote}}"
    lines = _filled(written)
    if len(lines) > 1:
        body = " \\\\\n".join(rf"& \fit{{{line}}}" for line in lines)
        return f"\\[\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n\\]"
    return f"\\[\n\\fit{{{lines[0]}}}\n\\]"


def _filled(cells: Sequence[str]) -> list[str]:
    """Put cells side by side, in as many lines as they need."""
    lines = [cells[0]]
    for cell in cells[1:]:
        longer = rf"{lines[-1]} \qquad {cell}"
        if visible_width(longer) + 3 * longer.count(r"\qquad") > WIDTH:
            lines.append(cell)
        else:
            lines[-1] = longer
    return lines


def _cell(cell: str) -> str:
    """Return a cell for math mode: formulas, or text where it is a sentence."""
    parts = cell.split("  ")
    if len(parts) > 1:
        return r" \quad ".join(_cell(part.strip()) for part in parts if part.strip())
    words = words_in(cell)
    if words >= 2 or (words and not has_mathematics(cell)):
        return rf"\text{{{sentence(cell)}}}"
    text = formula(cell, display=True)
    return rf"{{}}{text}" if text.startswith(("+", "-", "=", "<", ">", r"\le", r"\ge")) else text
