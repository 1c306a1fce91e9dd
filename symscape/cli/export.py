"""``symscape export``: a landscape as a standalone module in NumPy, JAX or PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from symscape.cli.choice import (
    Bias,
    DataName,
    ExpressionFile,
    LossName,
    Order,
    Settings,
    Symbolic,
    chosen_landscape,
    chosen_loss,
    read_settings,
)
from symscape.exports.module import BACKENDS
from symscape.exports.module import export as write_module


def export(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The module to write, a .py file; replaced if it exists.")
    ],
    loss: LossName = "",
    backend: Annotated[str, typer.Option(help=f"Array library: {', '.join(BACKENDS)}.")] = "numpy",
    order: Order = 4,
    settings: Settings = None,
    symbolic: Symbolic = False,
    data: DataName = "gaussian",
    bias: Bias = False,
    file: ExpressionFile = None,
) -> None:
    """Write the landscape of a loss as a Python module with value, gradient and value_and_gradient."""
    chosen, _ = chosen_loss(loss, file, read_settings("export", settings), symbolic, command="export")
    land = chosen_landscape(chosen, order, data, bias)
    path = write_module(land, output, backend)
    typer.echo(f"{path}: {land}")
