"""``symscape list``: the losses, their parameters and facts, and the presets of released libraries."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from symscape.cli import record, report
from symscape.cli.choice import AsJson
from symscape.losses.catalogue import CATALOGUE
from symscape.losses.presets.presets import PRESETS


def list_losses(
    only_presets: Annotated[
        bool, typer.Option("--presets", help="Presets only: losses of released libraries.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the losses with their parameters and facts, and the presets of released libraries."""
    if as_json and only_presets:
        typer.echo(json.dumps([record.preset_record(recipe) for recipe in PRESETS.values()], indent=2))
    elif as_json:
        typer.echo(json.dumps([record.loss_record(loss) for loss in CATALOGUE], indent=2))
    else:
        if not only_presets:
            report.print_losses(CATALOGUE)
        report.print_presets(PRESETS.values())
