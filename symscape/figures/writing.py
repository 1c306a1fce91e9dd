"""Figures as files: the format by the name of the file, and the whole file or none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from symscape.errors import InputError
from symscape.figures.style import settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What each format is told, so that the same figure makes the same bytes.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": "symscape"},
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": "symscape", "Producer": "symscape"},
}


def format_of(file: str | os.PathLike[str]) -> str:
    """Return the format that a file's name asks for. Raises InputError for another than png, svg or pdf.

    >>> format_of("figure-1.PDF")
    'pdf'
    """
    path = Path(file)
    ending = path.suffix.lower().lstrip(".")
    if ending not in FORMATS:
        what = f"unknown format {ending!r}" if ending else "the name has no ending"
        stem = path.stem or "figure"
        raise InputError(f"{file}: {what}; the formats are {', '.join(FORMATS)}: for instance {stem}.pdf")
    return ending


@contextmanager
def whole_file(file: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a stream that takes the place of a file when all went well, and leaves no trace otherwise.

    Raises InputError at once where the file cannot be written.
    """
    path = Path(file)
    if path.is_dir():
        raise InputError(f"{file}: cannot write here: it is a folder")
    try:
        handle, name = tempfile.mkstemp(prefix=".symscape-", dir=path.parent)
    except OSError as error:
        raise InputError(f"{file}: cannot write here: {error.strerror}") from error
    try:
        try:
            with os.fdopen(handle, "wb") as stream:
                yield stream
            os.chmod(name, 0o644)
            os.replace(name, path)
        except OSError as error:
            raise InputError(f"{file}: cannot write here: {error.strerror}") from error
    except BaseException:
        os.unlink(name)
        raise


def write(figure: Figure, stream: BinaryIO, form: str, dpi: float) -> None:
    """Write a figure to a stream in one of the formats; ``dpi`` is for pixels only."""
    with settings():
        figure.savefig(stream, format=form, dpi=dpi, metadata=FORMATS[form])
