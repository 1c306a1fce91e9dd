"""``symscape verify``: every derivation that comes with the package, claim by claim."""

from __future__ import annotations

from typing import Annotated

import typer

from symscape.cli import report
from symscape.verification.derivations import Outcome, chosen, run_all


def verify(
    identifiers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Results or parts of them: T1, T1.infonce; all without."),
    ] = None,
    tamper: Annotated[
        bool, typer.Option("--tamper", help="Plant a wrong formula in every claim; succeed if all are caught.")
    ] = False,
    every_claim: Annotated[bool, typer.Option("--claims", help="Show every claim, not one row a derivation.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="A Markdown table, one row a derivation.")] = False,
) -> None:
    """Prove every claim of the theory again, and say how each was checked."""
    wanted = chosen(identifiers or ())
    outcomes: dict[str, Outcome] = {}
    with report.counting(len(wanted), "derivations") as advance:
        for outcome in run_all(wanted, tamper):
            outcomes[outcome.derivation.identifier] = outcome
            advance()
    found = [outcomes[d.identifier] for d in wanted]
    if tamper:
        report.print_caught(found)
    elif markdown:
        typer.echo(report.markdown_outcomes(found))
    else:
        report.print_outcomes(found, every_claim)
    if not all(outcome.good for outcome in outcomes.values()):
        raise typer.Exit(code=1)
