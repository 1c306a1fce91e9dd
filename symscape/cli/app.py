"""The command ``symscape``: ``list``, ``derive`` and ``collapse``.

Exit status: 0 on success, 1 when a check fails, 2 on bad input, which is told in one line on standard error.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from symscape import __version__
from symscape.cli import geometry, record, report
from symscape.errors import ExpressionError, InputError, SymscapeError, UnknownNameError
from symscape.landscape.landscape import landscape
from symscape.losses.catalogue import CATALOGUE, find_loss, make_loss, parameter_defaults
from symscape.losses.loss import CatalogueLoss, Loss
from symscape.losses.parser import parse_loss, parse_setting
from symscape.probability.data_models import CumulantViews, DataModel, GaussianViews, MixtureViews
from symscape.sampling.check_result import DigitsCheck
from symscape.sampling.digits_check import check_on_digits

app = typer.Typer(
    help="Derive the loss landscape of self-supervised learning around W = 0.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DATA_MODELS: dict[str, DataModel] = {
    "gaussian": GaussianViews(),
    "gaussian-mean": GaussianViews(mean=True),
    "cumulants": CumulantViews(),
    "mixture": MixtureViews(2),
}


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"symscape {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Derive the loss landscape of self-supervised learning around W = 0."""


@app.command("list")
def list_losses(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """List the losses, their parameters and their facts."""
    if as_json:
        typer.echo(json.dumps([record.loss_record(loss) for loss in CATALOGUE], indent=2))
    else:
        report.print_losses(CATALOGUE)


@app.command()
def derive(
    loss: Annotated[
        str, typer.Argument(help="A loss of the catalogue, or an expression such as 'E(sqdist(x, xp)) + ...'.")
    ] = "",
    order: Annotated[int, typer.Option(help="Order of the series in W: a positive even number.")] = 4,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter; repeat for more.")
    ] = None,
    symbolic: Annotated[bool, typer.Option(help="Keep every parameter that is not set as a symbol.")] = False,
    data: Annotated[str, typer.Option(help=f"Data model: {', '.join(DATA_MODELS)}.")] = "gaussian",
    bias: Annotated[bool, typer.Option(help="Give the model a bias, f = W phi + b.")] = False,
    file: Annotated[Path | None, typer.Option(help="Read the expression of the loss from a file.")] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print the derivation in LaTeX and nothing else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
    check: Annotated[bool, typer.Option(help="Check the landscape on the handwritten digits.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the check.")] = 0,
) -> None:
    """Derive the landscape of a loss: the steps, the Hessian at the origin, LaTeX, and a check on real data."""
    if latex and as_json:
        raise InputError("derive: --latex and --json each print one thing; give one of them")
    chosen, numeric = _chosen_loss(loss, file, _settings("derive", settings), symbolic)
    if data not in DATA_MODELS:
        raise UnknownNameError(f"--data {data}: unknown data model; known: {', '.join(DATA_MODELS)}")
    land = landscape(chosen, order=order, data=DATA_MODELS[data], bias=bias)
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
    _leave(checked)


@app.command("collapse")
def collapse_command(
    loss: Annotated[
        str, typer.Argument(help="A loss of the catalogue, or an expression such as 'E(sqdist(x, xp)) + ...'.")
    ] = "",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter; repeat for more.")
    ] = None,
    gamma: Annotated[str, typer.Option(help="Weight decay: adds gamma ||W||^2 (half of a framework's number).")] = "0",
    d1: Annotated[int, typer.Option("--d1", help="Number of outputs.")] = 16,
    moments: Annotated[
        Path | None, typer.Option(help="An .npz file with the arrays A0 and Sigma; the digits without it.")
    ] = None,
    noise: Annotated[float, typer.Option(help="Augmentation of the digits: a standard deviation.")] = 0.3,
    file: Annotated[Path | None, typer.Option(help="Read the expression of the loss from a file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Say which modes of given features survive under a loss, and how strong they become."""
    chosen, _ = _chosen_loss(loss, file, _settings("collapse", settings), symbolic=False, command="collapse")
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


def _settings(command: str, settings: list[str] | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for text in settings or []:
        name, value = parse_setting(text)
        if name in values:
            raise InputError(f"{command}: --set {name}=... is given twice")
        values[name] = value
    return values


def _leave(checked: DigitsCheck | None) -> None:
    if checked is not None and not checked.agrees:
        raise typer.Exit(code=1)


def _chosen_loss(
    text: str, file: Path | None, values: dict[str, Any], symbolic: bool, command: str = "derive"
) -> tuple[Loss, Loss | None]:
    """Return the loss to derive, and the same with numbers only for the check (None when numbers are missing)."""
    if bool(text) == bool(file):
        given = f"both {text!r} and --file {file}" if text else "none of them"
        raise InputError(f"{command}: give a loss of the catalogue, an expression, or --file with one; given: {given}")
    if file is not None:
        text = _read_expression(file)
    if file is None and not any(c in text for c in "()*/"):
        kind: Any = find_loss(text)
        plain = make_loss(text, values)
        wanted = _symbolic_where_unset(kind, values) if symbolic else plain
        defaults = parameter_defaults(kind)
        numbers = {}
        for name, value in wanted.settings.items():
            symbolic_value = bool(getattr(value, "free_symbols", None))
            # A symbolic number of negatives is checked at a finite one, where every term of it counts.
            numbers[name] = (4 if name == "n" else defaults[name] or 1) if symbolic_value else value
        return wanted, kind(**numbers)
    parsed = parse_loss(text, name="your loss")
    unknown = sorted(set(values) - {name.rstrip("_") for name in parsed.parameters} - set(parsed.parameters))
    if unknown:
        has = ", ".join(parsed.parameters) or "none"
        raise UnknownNameError(f"--set {unknown[0]}=...: the expression has no parameter {unknown[0]!r}; it has: {has}")
    chosen = parsed.with_values(values)
    return chosen, None if chosen.parameters else chosen


def _symbolic_where_unset(kind: Any, values: dict[str, Any]) -> CatalogueLoss:
    settings = kind.symbolic().settings
    for key, value in values.items():
        settings[next(name for name in settings if name.rstrip("_") == key.rstrip("_"))] = value
    return kind(**settings)


def _read_expression(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--file {file}: {getattr(error, 'strerror', None) or 'not a text file'}") from error
    if not text.strip():
        raise ExpressionError(f"--file {file}: the file is empty; write an expression such as E(sqdist(x, xp))")
    return " ".join(line.split("#", 1)[0].strip() for line in text.splitlines()).strip()


def _why_no_check(numeric: Loss | None, order: int, land: Any) -> str:
    if numeric is None:
        return "no check on data: give every parameter a number with --set NAME=VALUE"
    if not isinstance(land.data, (GaussianViews, CumulantViews)) or land.data.has_mean or land.bias:
        return "no check on data: the digits are centred, so the check is for mean zero and no bias"
    if order < 4:
        return "no check on data: it needs the quartic part, --order 4 or more"
    return ""


def main() -> None:
    """Run the command; errors of input go to standard error in one line, with exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot print P² still gets the rest
    try:
        status = app(standalone_mode=False) or 0
    except SymscapeError as error:
        _fail(str(error))
    except typer.Exit as error:
        status = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:
        # Typer's own complaints about the command line carry a message of their own.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        _fail(f"{message().rstrip('.')}. Try: symscape --help")
    if status == 130:
        print("symscape: interrupted", file=sys.stderr)
    sys.exit(status)


def _fail(message: str) -> None:
    print("symscape: error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
