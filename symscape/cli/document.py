"""The command ``symscape document``: the derivations, run and typeset, as LaTeX or PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from symscape.cli import report
from symscape.document.document import checked_output, document_latex, run_for_document, write_document
from symscape.verification.derivations import chosen


def document_command(
    identifiers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Results or parts of them: T1, T1.infonce; all without."),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="File to write: .tex, or .pdf where TeX is installed.")
    ] = Path("symscape.tex"),
) -> None:
    """Run the derivations and write all that they derive as one LaTeX document, or as its PDF."""
    path = checked_output(output)
    wanted = chosen(identifiers or ())
    with report.counting(len(wanted), "derivations") as advance:
        outcomes = run_for_document(wanted, advance)
    bad = [outcome for outcome in outcomes if not outcome.good]
    if bad:
        report.print_outcomes(bad, False)
        typer.echo(f"no document is made of what does not hold: {path} is left as it was", err=True)
        raise typer.Exit(code=1)
    warnings = write_document(document_latex(outcomes), path)
    claims = sum(len(outcome.verdicts) for outcome in outcomes)
    typer.echo(f"wrote {path}: {len(outcomes)} theorems, {claims} claims")
    for warning in warnings:
        typer.echo(f"TeX: {warning}", err=True)
