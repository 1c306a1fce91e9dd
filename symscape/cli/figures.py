"""The command ``symscape figure``: the figures as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from symscape.errors import InputError
from symscape.figures.catalogue import DPI, FIGURES, find_figure, save_figure


def figure_command(
    name: Annotated[str, typer.Argument(help="A figure by name; case and hyphens are ignored. See --list.")] = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write: png, svg or pdf by its ending.")
    ] = None,
    dpi: Annotated[int, typer.Option(help="Dots per inch of a png.")] = DPI,
    show_list: Annotated[bool, typer.Option("--list", help="List the figures.")] = False,
) -> None:
    """Draw a figure of the paper, derived anew, into a file."""
    if show_list:
        if name or output is not None:
            raise InputError("figure: --list stands alone")
        width = max(len(figure.name) for figure in FIGURES)
        for figure in FIGURES:
            typer.echo(f"{figure.name:{width}}  {figure.title}")
        return
    if not name:
        raise InputError(f"figure: give the name of one: {', '.join(figure.name for figure in FIGURES)}")
    found = find_figure(name)
    if output is None:
        raise InputError(f"figure: give the file to write, for instance -o {found.name}.pdf")
    typer.echo(f"wrote {save_figure(name, output, dpi)}: {found.title}")
