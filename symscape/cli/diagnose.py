"""``symscape diagnose``: what a loss will make of features of two views, before training."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from symscape.cli.choice import AsJson, Bias, Settings, chosen_loss, read_settings
from symscape.data.digits import load_digits
from symscape.data.features import PairedFeatures, open_features
from symscape.diagnosis.diagnose import MAX_ROWS, diagnose
from symscape.diagnosis.html import html_of
from symscape.diagnosis.plot import plot_spectrum
from symscape.diagnosis.record import comparison_record, record_of, suggestions_record
from symscape.diagnosis.report import Diagnosis
from symscape.diagnosis.sections import Section, comparison_section, keep_section, what_if_section
from symscape.diagnosis.text import text_of
from symscape.errors import InputError
from symscape.figures.catalogue import DPI
from symscape.figures.style import root_figure
from symscape.figures.style import settings as figure_settings
from symscape.figures.writing import format_of, whole_file, write
from symscape.losses.loss import Loss, gamma_from_weight_decay
from symscape.losses.parser import parse_setting

#: Outputs, and deviation of the noise between views, where the digits stand in for features.
DIGITS_OUTPUTS, DIGITS_NOISE = 16, 0.3


def diagnose_command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE [FILE]]",
            help="Features of two views, N x d0 each, rows paired: two files, or one with both (.npy, .npz, .safetensors, "
            ".zarr). The handwritten digits with noise without any.",
        ),
    ] = None,
    loss: Annotated[str, typer.Option(help="A loss or preset by name, or an expression; see symscape list.")] = "",
    settings: Settings = None,
    d1: Annotated[
        int | None, typer.Option("--d1", help="Number of outputs; as many as features without it, 16 for the digits.")
    ] = None,
    gamma: Annotated[
        str | None, typer.Option(help="Weight decay: adds gamma ||W||^2 (half of a framework's number).")
    ] = None,
    weight_decay: Annotated[
        str | None, typer.Option(help="Weight decay as a framework counts it, coupled: gamma is half of it.")
    ] = None,
    bias: Bias = False,
    batch_size: Annotated[int | None, typer.Option(help="Run the loss in batches of so many rows.")] = None,
    rows: Annotated[int, typer.Option(help="Run the loss on at most so many rows.")] = MAX_ROWS,
    seed: Annotated[int, typer.Option(help="Draws these rows.")] = 0,
    keys: Annotated[str | None, typer.Option(metavar="A,B", help="Names of the two arrays in one file.")] = None,
    drop_bad_rows: Annotated[
        bool, typer.Option("--drop-bad-rows", help="Leave out pairs of rows with NaN or infinity.")
    ] = False,
    no_refine: Annotated[
        bool, typer.Option("--no-refine", help="By theory alone, without running the loss on rows.")
    ] = False,
    keep: Annotated[
        int | None, typer.Option(metavar="K", help="Also say what would keep exactly so many modes.")
    ] = None,
    what_if: Annotated[
        bool, typer.Option("--what-if", help="Also say what a bias, standardised features, ... would change.")
    ] = False,
    representations: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Compare with representations after training, N x d1; repeat for the other view."
        ),
    ] = None,
    as_json: AsJson = False,
    html: Annotated[Path | None, typer.Option(help="Also write the report as one HTML page.")] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw the predicted spectrum: png, svg or pdf by its ending.")
    ] = None,
) -> None:
    """Say which modes of features survive training under a loss, and what the trained spectrum will be."""
    paths = list(files or [])
    chosen = _loss(loss, settings)
    decay = _gamma(gamma, weight_decay)
    if keep is not None and keep < 0:
        raise InputError(f"diagnose: --keep {keep}: the number of modes to keep is 0 or more")
    trained = _representations(representations or [])
    features = _features(paths, keys, drop_bad_rows)
    outputs = DIGITS_OUTPUTS if d1 is None and not paths else d1
    with ExitStack() as stack:
        page, drawing = _outputs(stack, html, figure, [*paths, *(representations or [])])
        with _progress() as progress:
            report = diagnose(
                features, loss=chosen, d1=outputs, weight_decay=decay, bias=bias, batch_size=batch_size,
                refine=not no_refine, max_rows=rows, seed=seed, progress=progress,
            )  # fmt: skip
            further, more = _further(report, keep, what_if, trained)
        if page is not None:
            page.write(html_of(report, further).encode())
        if drawing is not None and figure is not None:
            write(root_figure(plot_spectrum(report)), drawing, format_of(figure), DPI)
        said = (
            json.dumps({**record_of(report), **more}, indent=2, allow_nan=False)
            if as_json
            else text_of(report, further)
        )
    typer.echo(said)
    for path in (html, figure):
        if path is not None and not as_json:
            typer.echo(f"wrote {path}")


def _loss(text: str, settings: list[str] | None) -> Loss:
    """Return the loss with all its numbers. Raises InputError where there is none, or one lacks a number."""
    if not text.strip():
        raise InputError("diagnose: say which loss, for instance --loss infonce, or a preset; symscape list names them")
    chosen, _ = chosen_loss(text, None, read_settings("diagnose", settings), symbolic=False, command="diagnose")
    missing = ", ".join(sorted(set(chosen.parameters) - {"d_1"}))
    if missing:
        raise InputError(f"diagnose: give every parameter a number with --set NAME=VALUE; missing: {missing}")
    return chosen


def _gamma(gamma: str | None, weight_decay: str | None) -> Any:
    """Return gamma, from itself or from a framework's number. Raises InputError for both, and for what is no number."""
    if gamma is not None and weight_decay is not None:
        raise InputError(
            f"diagnose: --gamma {gamma} and --weight-decay {weight_decay} say the same thing twice; give one (gamma is half)"
        )
    option, text = ("--gamma", gamma) if weight_decay is None else ("--weight-decay", weight_decay)
    value = parse_setting(f"{option.strip('-').replace('-', '_')}={text or 0}")[1]
    if getattr(value, "free_symbols", None):
        raise InputError(f"diagnose: {option} {text} is not a number")
    return value if option == "--gamma" else gamma_from_weight_decay(value)


def _features(paths: Sequence[Path], keys: str | None, drop_bad_rows: bool) -> PairedFeatures:
    """Return the features of the files, or the digits. Raises InputError for files that hold no pairs."""
    if len(paths) > 2:
        raise InputError(f"diagnose: give one file or two, features of two views; {len(paths)} given")
    names = None if keys is None else tuple(name.strip() for name in keys.split(","))
    if names is not None and (len(names) != 2 or not all(names) or len(paths) != 1):
        raise InputError(f"diagnose: --keys {keys} is for one file with two arrays: --keys NAME,NAME")
    if not paths:
        pixels, _ = load_digits()
        rng = np.random.default_rng(0)
        return open_features(*(pixels + DIGITS_NOISE * rng.standard_normal(pixels.shape) for _ in range(2)))
    pair = None if names is None else (names[0], names[1])
    return open_features(*paths, keys=pair, drop_bad_rows=drop_bad_rows)


def _representations(paths: Sequence[Path]) -> tuple[np.ndarray, ...]:
    """Return representations of one view, or of both. Raises InputError for files that hold none."""
    if len(paths) > 2:
        raise InputError(f"diagnose: representations are of one view or two; {len(paths)} files given")
    if not paths:
        return ()
    views = open_features(paths[0], paths[-1]).all()
    return views[: len(paths)]


def _outputs(stack: ExitStack, html: Path | None, figure: Path | None, inputs: Sequence[Path]) -> tuple[Any, Any]:
    """Return streams to the files that are asked for, before any work. Raises InputError where one would not do."""
    for option, path in (("--html", html), ("--figure", figure)):
        for given in inputs:
            if path is not None and (path.resolve() == given.resolve() or given.resolve() in path.resolve().parents):
                raise InputError(f"diagnose: {option} {path} would write over the input {given}; choose another name")
    if html is not None and figure is not None and html.resolve() == figure.resolve():
        raise InputError(f"diagnose: --html and --figure are both {html}; choose two names")
    if figure is not None:
        format_of(figure)
        stack.enter_context(figure_settings())
    streams = [None if path is None else stack.enter_context(whole_file(path)) for path in (html, figure)]
    return streams[0], streams[1]


def _further(
    report: Diagnosis, keep: int | None, what_if: bool, trained: Sequence[np.ndarray]
) -> tuple[list[Section], dict[str, Any]]:
    """Return the sections, and the record, of what is asked beside the report."""
    sections: list[Section] = []
    record: dict[str, Any] = {}
    if what_if:
        sections.append(what_if_section(report.what_ifs))
        record["what_if"] = [str(change) for change in report.what_ifs]
    if keep is not None:
        found = report.keep(keep)
        sections.append(keep_section(keep, found))
        record["keep"] = suggestions_record(found)
    if trained:
        compared = report.compare(trained[0], trained[1] if len(trained) > 1 else None)
        sections.append(comparison_section(compared))
        record["comparison"] = comparison_record(compared)
    return sections, record


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """Yield what shows (stage, done, total) on standard error; None when that is no terminal. Cleans up when interrupted."""
    console = Console(highlight=False, stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("opening", total=None, count="")

        def move(stage: str, done: int, total: int) -> None:
            count = f"{done}/{total}" if total else str(done)
            bar.update(task, description=stage, completed=done, total=total or None, count=count)

        yield move
