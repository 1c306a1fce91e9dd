"""What commands have in common: options that choose a loss and a data model, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from symscape.errors import ExpressionError, InputError, UnknownNameError
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.catalogue import find_loss, is_name, make_loss, parameter_defaults, symbolic_settings
from symscape.losses.loss import Loss
from symscape.losses.parser import parse_loss, parse_setting
from symscape.probability.data_models import CumulantViews, DataModel, GaussianViews, MixtureViews

DATA_MODELS: dict[str, DataModel] = {
    "gaussian": GaussianViews(),
    "gaussian-mean": GaussianViews(mean=True),
    "cumulants": CumulantViews(),
    "mixture": MixtureViews(2),
}

#: Orders beyond this take long without a word.
HIGHEST_ORDER = 60

LossName = Annotated[
    str, typer.Argument(help="A loss or preset by name, or an expression such as 'E(sqdist(x, xp)) + ...'.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter; repeat for more.")
]
ExpressionFile = Annotated[Path | None, typer.Option(help="Read the expression of the loss from a file.")]
Order = Annotated[int, typer.Option(help="Order of the series in W: a positive even number.")]
Symbolic = Annotated[bool, typer.Option(help="Keep every parameter that is not set as a symbol.")]
DataName = Annotated[str, typer.Option(help=f"Data model: {', '.join(DATA_MODELS)}.")]
Bias = Annotated[bool, typer.Option(help="Give the model a bias, f = W phi + b.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def chosen_landscape(loss: Loss, order: int, data: str, bias: bool) -> Landscape:
    """Return the landscape that the options ask for.

    Raises UnknownNameError for another data model, InputError for too high an order.
    """
    if order > HIGHEST_ORDER:
        raise InputError(
            f"--order {order}: at most {HIGHEST_ORDER} here; landscape(loss, order) in Python has no limit"
        )
    if data not in DATA_MODELS:
        raise UnknownNameError(f"--data {data}: unknown data model; known: {', '.join(DATA_MODELS)}")
    return landscape(loss, order=order, data=DATA_MODELS[data], bias=bias)


def read_settings(command: str, settings: list[str] | None) -> dict[str, Any]:
    """Return the settings NAME=VALUE of a command, parsed. Raises InputError for a name that is given twice."""
    values: dict[str, Any] = {}
    for text in settings or []:
        name, value = parse_setting(text)
        if name in values:
            raise InputError(f"{command}: --set {name}=... is given twice")
        values[name] = value
    return values


def chosen_loss(
    text: str, file: Path | None, values: dict[str, Any], symbolic: bool, command: str = "derive"
) -> tuple[Loss, Loss | None]:
    """Return the loss to derive, and the same with numbers only for the check (None when numbers are missing)."""
    if bool(text) == bool(file):
        given = f"both {text!r} and --file {file}" if text else "none of them"
        raise InputError(f"{command}: give a loss or preset by name, an expression, or --file with one; given: {given}")
    if file is not None:
        text = _read_expression(file)
    if file is None and (is_name(text) or not any(c in text for c in "()*/")):
        plain, kind = make_loss(text, values), find_loss(text)
        wanted = make_loss(text, {**symbolic_settings(kind), **values}) if symbolic else plain
        defaults = parameter_defaults(kind)
        numbers = {}
        for name, value in wanted.settings.items():
            symbolic_value = bool(getattr(value, "free_symbols", None))
            # A symbolic number of negatives is checked at a finite one, where every term of it counts.
            numbers[name] = (4 if name == "n" else defaults[name] or 1) if symbolic_value else value
        return wanted, make_loss(text, numbers)
    parsed = parse_loss(text, name="your loss")
    unknown = sorted(set(values) - {name.rstrip("_") for name in parsed.parameters} - set(parsed.parameters))
    if unknown:
        has = ", ".join(parsed.parameters) or "none"
        raise UnknownNameError(f"--set {unknown[0]}=...: the expression has no parameter {unknown[0]!r}; it has: {has}")
    chosen = parsed.with_values(values)
    return chosen, None if chosen.parameters else chosen


def _read_expression(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--file {file}: {getattr(error, 'strerror', None) or 'not a text file'}") from error
    if not text.strip():
        raise ExpressionError(f"--file {file}: the file is empty; write an expression such as E(sqdist(x, xp))")
    return " ".join(line.split("#", 1)[0].strip() for line in text.splitlines()).strip()
