"""``symscape derive``: the landscape of a loss, step by step, and a check on real data."""

from __future__ import annotations

import json
from typing import Annotated

import numpy as np
import typer

from symscape.cli import geometry, record, report
from symscape.cli.choice import (
    AsJson,
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
from symscape.errors import InputError
from symscape.landscape.landscape import Landscape
from symscape.losses.loss import Loss
from symscape.probability.data_models import CumulantViews, GaussianViews
from symscape.sampling.check.check import check_on_digits


def derive(
    loss: LossName = "",
    order: Order = 4,
    settings: Settings = None,
    symbolic: Symbolic = False,
    data: DataName = "gaussian",
    bias: Bias = False,
    file: ExpressionFile = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print the derivation in LaTeX and nothing else.")] = False,
    as_json: AsJson = False,
    check: Annotated[bool, typer.Option(help="Check the landscape on the handwritten digits.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the check.")] = 0,
) -> None:
    """Derive the landscape of a loss: the steps, the Hessian at the origin, LaTeX, and a check on real data."""
    if latex and as_json:
        raise InputError("derive: --latex and --json each print one thing; give one of them")
    chosen, numeric = chosen_loss(loss, file, read_settings("derive", settings), symbolic)
    land = chosen_landscape(chosen, order, data, bias)
    if latex:
        typer.echo(land.steps.latex())
        return
    if not as_json:
        report.print_derivation(land, geometry.geometry_lines(land))
    checked, why_not = None, ""
    if check:
        why_not = _why_no_check(numeric, order, land)
        if not why_not and numeric is not None:
            with report.progress(not as_json) as progress:
                checked = check_on_digits(numeric, order=order, rng=np.random.default_rng(seed), progress=progress)
    if as_json:
        typer.echo(json.dumps(record.landscape_record(land, checked), indent=2))
    else:
        report.print_check(checked, why_not, numeric, bool(set(chosen.parameters) - {"d_1"}))
    if checked is not None and not checked.agrees:
        raise typer.Exit(code=1)


def _why_no_check(numeric: Loss | None, order: int, land: Landscape) -> str:
    if numeric is None:
        return "no check on data: give every parameter a number with --set NAME=VALUE"
    if not isinstance(land.data, (GaussianViews, CumulantViews)) or land.data.has_mean or land.bias:
        return "no check on data: the digits are centred, so the check is for mean zero and no bias"
    if order < 4:
        return "no check on data: it needs the quartic part, --order 4 or more"
    return ""
