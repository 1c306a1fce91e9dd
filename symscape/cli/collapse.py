"""``symscape collapse``: which modes of given features survive under a loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from symscape.cli import geometry, record, report
from symscape.cli.choice import AsJson, ExpressionFile, LossName, Settings, chosen_loss, read_settings
from symscape.errors import InputError
from symscape.losses.parser import parse_setting


def collapse(
    loss: LossName = "",
    settings: Settings = None,
    gamma: Annotated[str, typer.Option(help="Weight decay: adds gamma ||W||^2 (half of a framework's number).")] = "0",
    d1: Annotated[int, typer.Option("--d1", help="Number of outputs.")] = 16,
    moments: Annotated[
        Path | None, typer.Option(help="An .npz file with the arrays A0 and Sigma; the digits without it.")
    ] = None,
    noise: Annotated[float, typer.Option(help="Augmentation of the digits: a standard deviation.")] = 0.3,
    file: ExpressionFile = None,
    as_json: AsJson = False,
) -> None:
    """Say which modes of given features survive under a loss, and how strong they become."""
    chosen, _ = chosen_loss(loss, file, read_settings("collapse", settings), symbolic=False, command="collapse")
    missing = ", ".join(sorted(set(chosen.parameters) - {"d_1"}))
    if missing:
        raise InputError(f"collapse: give every parameter a number with --set NAME=VALUE; missing: {missing}")
    decay = parse_setting(f"gamma={gamma}")[1]
    if getattr(decay, "free_symbols", None):
        raise InputError(f"collapse: --gamma {gamma} is not a number")
    numbers, source = geometry.moments_of(moments, noise)
    found = geometry.forecast(chosen, decay, numbers, d1)
    if as_json:
        typer.echo(json.dumps(record.collapse_record(found, source), indent=2))
    else:
        report.print_collapse(found, source)
