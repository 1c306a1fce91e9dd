"""Runs TeX: a LaTeX document becomes a PDF in a temporary folder, and its errors and warnings are told in a readable way."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from symscape.errors import InputError, SymscapeError

#: A line may stand out by so many points before it is worth reading about.
OVERFULL = 5.0
PROGRAM = "pdflatex"
#: How often TeX is run at most: for the table of contents and the references.
RUNS = 4
_WRAPPED = 79


class TeXError(SymscapeError):
    """TeX did not accept a document."""


@dataclass(frozen=True)
class Typeset:
    """A document that was typeset: its PDF, and the warnings of TeX that are worth reading."""

    pdf: bytes
    warnings: tuple[str, ...]


def tex(program: str = PROGRAM) -> str:
    """Return where TeX is. Raises InputError where it is not installed."""
    found = shutil.which(program)
    if found is None:
        raise InputError(
            f"{program} is not installed: write a .tex file, or install TeX, on Debian with apt-get install "
            "texlive-latex-recommended texlive-fonts-recommended lmodern"
        )
    return found


def typeset(latex: str, program: str = PROGRAM) -> Typeset:
    """Return a LaTeX document typeset. Raises InputError where TeX is not installed, TeXError where it stops."""
    found = tex(program)
    with tempfile.TemporaryDirectory(prefix="symscape-") as place:
        folder = Path(place)
        (folder / "document.tex").write_text(latex, encoding="utf-8")
        before = None
        for _ in range(RUNS):
            done = subprocess.run(
                [found, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "document.tex"],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
            )  # fmt: skip
            log = _log(folder)
            if done.returncode != 0:
                raise TeXError(f"{program} stopped: {first_error(log, latex)}")
            after = [path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in (".aux", ".toc", ".out")]
            if after == before:
                break
            before = after
        return Typeset((folder / "document.pdf").read_bytes(), warnings(log))


def first_error(log: str, latex: str) -> str:
    r"""Return the first error of a log with the line of the document it is about.

    >>> first_error("! Undefined control sequence.\nl.2 \\foo\n", "a\n\\foo b\n")
    'Undefined control sequence, line 2: \\foo b'
    """
    match = re.search(r"^! (.*?)\.?$", log, re.MULTILINE)
    if match is None:
        return "the log names no error; its last line is " + (log.strip().split("\n")[-1] or "empty")
    where = re.compile(r"^l\.(\d+)", re.MULTILINE).search(log, match.end())
    lines = latex.split("\n")
    if where is None or int(where[1]) > len(lines):
        return match[1]
    return f"{match[1]}, line {where[1]}: {lines[int(where[1]) - 1].strip()[:120]}"


def warnings(log: str) -> tuple[str, ...]:
    r"""Return the warnings of a log that are worth reading: missing references and fonts, lines that stand out.

    >>> warnings("Overfull \\hbox (12.3pt too wide) in paragraph at lines 3--4\nLaTeX Warning: Reference `a' undefined.\n")
    ('Overfull \\hbox (12.3pt too wide) in paragraph at lines 3--4', "LaTeX Warning: Reference `a' undefined.")
    """
    found = []
    for line in log.split("\n"):
        wide = re.match(r"Overfull \\[hv]box \((\d+\.?\d*)pt too", line)
        if (
            (wide and float(wide[1]) > OVERFULL)
            or re.match(r"(LaTeX|Package \w+|pdfTeX)( Font)? warning", line, re.IGNORECASE)
            or line.startswith("Missing character")
        ):
            found.append(line)
    return tuple(found)


def _log(folder: Path) -> str:
    path = folder / "document.log"
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    # TeX breaks lines of its log at a fixed width.
    return re.sub(rf"(?<=^.{{{_WRAPPED}}})\n", "", text, flags=re.MULTILINE)
