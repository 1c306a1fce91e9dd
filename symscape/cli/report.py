"""What the command prints in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import sympy as sp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from symscape.conditions.collapsed import Collapse
from symscape.errors import InputError
from symscape.landscape.facts import Facts, facts
from symscape.landscape.landscape import Landscape
from symscape.losses.catalogue import parameter_defaults
from symscape.losses.loss import CatalogueLoss, Loss
from symscape.losses.presets.preset import Preset, Recipe
from symscape.sampling.check.result import Check
from symscape.verification.derivations import Outcome
from symscape.verification.verdict import Kind, Verdict


def _console(stderr: bool = False) -> Console:
    return Console(highlight=False, stderr=stderr)


def fact_words(found: Facts) -> str:
    """Return the facts of a loss in words."""
    words = ["polynomial" if found.polynomial else "analytic at W = 0" if found.analytic else "no series at W = 0"]
    words += [
        f"{name}-invariant"
        for name, holds in (
            ("scale", found.scale_invariant),
            ("rotation", found.rotation_invariant),
            ("shift", found.shift_invariant),
        )
        if holds
    ]
    if found.distribution_free_order is not None:
        order = found.distribution_free_order
        words.append("distribution-free" + ("" if order == float("inf") else f" to order {order}"))
    return ", ".join(words)


def print_losses(losses: Iterable[type[CatalogueLoss]]) -> None:
    """Print the catalogue as a table."""
    table = Table(title="Losses", title_justify="left", show_lines=True)
    for heading in ("loss", "parameters", "what it is", "facts"):
        table.add_column(heading, overflow="fold")
    for loss in losses:
        parameters = ", ".join(f"{k.rstrip('_')}={v}" for k, v in parameter_defaults(loss).items()) or "none"
        table.add_row(loss.command, parameters, loss.summary, fact_words(facts(loss.default())))
    console = _console()
    console.print(table)
    console.print("Facts are for the defaults shown. Derive one: symscape derive infonce", soft_wrap=True)


def print_presets(recipes: Iterable[Recipe]) -> None:
    """Print the presets as a table, and their notes, each once."""
    table = Table(title="Presets: losses as released libraries code them", title_justify="left")
    for heading in ("preset", "parameters", "notes"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "preset")
    numbers: dict[str, int] = {}
    for recipe in recipes:
        made = recipe.make({})
        places = [str(numbers.setdefault(note, len(numbers) + 1)) for note in made.notes]
        parameters = ", ".join(f"{k.rstrip('_')}={v}" for k, v in recipe.defaults.items()) or "none"
        table.add_row(recipe.name, parameters, " ".join(places))
    console = _console()
    console.print(table)
    for note, number in numbers.items():
        for line in textwrap.wrap(f"{number:2d} {note}", 120, subsequent_indent="   "):
            _line(console, line, indent=0)
    console.print("Derive one: symscape derive lightly/vicreg", soft_wrap=True)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"), soft_wrap=True)


def _line(console: Console, text: str, indent: int = 2) -> None:
    console.print(Text(" " * indent + text), soft_wrap=True)


def _legend(land: Landscape) -> list[str]:
    """Return what the symbols of a landscape stand for."""
    model = "f = W phi" + " + b" * land.bias
    if land.data.has_mean and land.data.components(land.bias)[0].mean != "mean":
        return [
            f"with {model}; class c has probability pi_c, mean m_c, covariances Sigma_c of a view and A_c of two views"
        ]
    said = [f"with P = W Sigma Wᵀ, M = W A_0 Wᵀ, Sigma = E[phi(x) phi(x)ᵀ], A_0 = E[phi(x) phi(x')ᵀ], {model}"]
    if land.display[1].centred and land.display[1].has_mean:
        said.append("P\u0303 = W (Sigma - mean meanᵀ) Wᵀ and M\u0303 = W (A_0 - mean meanᵀ) Wᵀ, P and M about the mean")
    if land.data.cumulants:
        said.append("κ[uv|st] is the sum over outputs a, b of the joint cumulant of f_a(u), f_a(v), f_b(s), f_b(t)")
    return said


def print_derivation(land: Landscape, geometry: Sequence[str] = ()) -> None:
    """Print the loss, the steps, the landscape, its geometry, the assumptions and the LaTeX."""
    console = _console()
    console.print(Text(f"{land.loss!r}", style="bold"), soft_wrap=True)
    for text in _legend(land):
        _line(console, text)
    if isinstance(land.loss, (CatalogueLoss, Preset)):
        _line(console, fact_words(facts(land.loss)))
    for note in land.loss.notes if isinstance(land.loss, Preset) else ():
        _line(console, note)
    _heading(console, "Derivation" + (" (its steps to order 4)" if land.order > 4 else ""))
    for step in land.steps:
        _line(console, f"({step.number}) {step.rule}")
        _line(console, step.text, indent=6)
    _heading(console, f"Landscape around W = 0, {'exact' if land.is_exact else f'to order {land.order}'}")
    _line(console, f"L = {land}")
    _heading(console, "Hessian at the origin: the quadratic part is -Tr(W B Wᵀ)")
    try:
        hessian = land.hessian
    except InputError as error:
        _line(console, str(error))
    else:
        _line(console, f"B = {sp.sstr(hessian.B)}")
        for sentence in hessian.sentences():
            _line(console, sentence)
    if geometry:
        _heading(console, "Stationary points and thresholds")
        for line in geometry:
            for part in textwrap.wrap(line, 120, subsequent_indent="      ", drop_whitespace=False) or [""]:
                _line(console, part)
    _heading(console, "Assumptions")
    for assumption in land.assumptions:
        _line(console, str(assumption))
    _heading(console, "LaTeX")
    _line(console, land.latex("PM"))


def print_collapse(found: Collapse, source: str) -> None:
    """Print which modes survive, with their numbers."""
    console = _console()
    kind = "no" if found.kind == "none" else found.kind
    console.print(Text(f"{found.name} on {source}", style="bold"), soft_wrap=True)
    _line(console, f"{kind} collapse: {found.surviving} of {found.possible} possible modes survive")
    rows = [["mode", "b or r", "p", ""]]
    shown = min(len(found.modes), max(found.surviving + 3, 8))
    for k, mode in enumerate(found.modes[:shown]):
        strength = f"{found.spectrum[k]:.4g}" if mode.survives else "0"
        rows.append([str(k), f"{mode.eigenvalue:.4g}", strength, "survives" if mode.survives else "collapses"])
    widths = [max(len(row[c]) for row in rows) for c in range(4)]
    for row in rows:
        _line(console, "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if shown < len(found.modes):
        _line(console, f"... {len(found.modes)} modes")
    for effect in found.terms:
        values = effect.contributions[: max(found.surviving, 1)]
        does = (
            "drives modes from zero"
            if values.min() > 0
            else "holds modes at zero"
            if values.max() < 0
            else "does not act at W = 0"
        )
        _line(console, f"{does}: {effect.term}")
    for note in found.notes:
        _line(console, note)


@contextmanager
def _bar(words: str, total: int | None) -> Iterator[Callable[[int, int | None], None] | None]:
    """Yield what moves a bar on standard error to (done, all); None when that is no terminal. Cleans up when interrupted."""
    if not _console(stderr=True).is_terminal:
        yield None
        return
    columns = TextColumn(words), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=_console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=total)
        yield lambda done, of: bar.update(task, completed=done, total=of)


@contextmanager
def progress(wanted: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a callback that shows the progress of a check; None when it is not wanted, or standard error is no terminal."""
    if not wanted:
        yield None
        return
    with _bar("checking on digits", None) as move:
        yield move


@contextmanager
def counting(total: int, words: str) -> Iterator[Callable[[], None]]:
    """Yield what counts one more of a number of things done."""
    done = 0
    with _bar(words, total) as move:

        def advance() -> None:
            nonlocal done
            done += 1
            if move is not None:
                move(done, total)

        yield advance


def print_outcomes(outcomes: Sequence[Outcome], every_claim: bool) -> None:
    """Print what came of derivations, one a row, or claim by claim; what failed is repeated at the end."""
    console = _console()
    table = Table(title="Derivations", title_justify="left", show_lines=every_claim)
    for heading in ("", "claim", "proof", "time"):
        table.add_column(heading, overflow="fold")
    for outcome in outcomes:
        name, seconds = Text(outcome.derivation.identifier, style="bold"), f"{outcome.seconds:.1f} s"
        words = _proof_words(outcome.verdicts) if outcome.good else "FAILS"
        table.add_row(name, Text(outcome.derivation.claim), words, seconds)
        for v in outcome.verdicts if every_claim else ():
            table.add_row(f"  ({v.number})", Text(v.says), Text(f"{v.kind.value}: {v.figure}"), "")
    console.print(table)
    for outcome in outcomes:
        for v in outcome.verdicts:
            if not v.holds:
                console.print(Text(f"{outcome.derivation.identifier} FAILS: {v}"), soft_wrap=True)
        if outcome.error:
            console.print(Text(f"{outcome.derivation.identifier} FAILS: {outcome.error}"), soft_wrap=True)
    claims = sum(len(o.verdicts) for o in outcomes)
    bad = [o.derivation.identifier for o in outcomes if not o.good]
    words = f"{len(outcomes)} derivations, {claims} claims: " + ("all hold" if not bad else f"{', '.join(bad)} FAIL")
    console.print(words, soft_wrap=True)


def markdown_outcomes(outcomes: Iterable[Outcome]) -> str:
    """Return what came of derivations as a Markdown table: result, module, claim, how it is verified, time."""
    lines = ["| result | module | claim | verified | time |", "| --- | --- | --- | --- | --- |"]
    for outcome in outcomes:
        d = outcome.derivation
        claim = d.claim.replace("|", "\\|").rstrip(".")
        words = _proof_words(outcome.verdicts) if outcome.good else "FAILS"
        lines.append(f"| {d.result} | [{d.file.stem}]({d.file.name}) | {claim} | {words} | {outcome.seconds:.1f} s |")
    return "\n".join(lines)


def _proof_words(verdicts: Sequence[Verdict]) -> str:
    """Return how claims were proved, and the weakest figure of each kind.

    >>> from symscape.verification.verdict import Kind
    >>> _proof_words([Verdict(1, "a", Kind.EXACT, "identical", True, 0), Verdict(2, "b", Kind.DIGITS, "13 digits", True, 0)])
    '1 exact; 1 in 13 digits'
    """
    by_kind = {kind: [v.figure for v in verdicts if v.kind is kind] for kind in Kind}
    words = [f"{len(by_kind[Kind.EXACT])} exact"] if by_kind[Kind.EXACT] else []
    if digits := by_kind[Kind.DIGITS]:
        words.append(f"{len(digits)} in {min(int(figure.split()[0]) for figure in digits)} digits")
    if sampled := by_kind[Kind.SAMPLED]:
        words.append(f"{len(sampled)} sampled, within {max(abs(float(f.split()[0])) for f in sampled):.1f} s.e.")
    if numeric := by_kind[Kind.NUMERIC]:
        words.append(f"{len(numeric)} numeric")
    return "; ".join(words)


def print_caught(outcomes: Sequence[Outcome]) -> None:
    """Print for every claim, and for every result, whether its planted error was caught."""
    console = _console()
    by_result: dict[str, bool] = {}
    for outcome in outcomes:
        derivation = outcome.derivation
        by_result[derivation.result] = by_result.get(derivation.result, True) and outcome.good
        for v in outcome.verdicts:
            words = "NOT CAUGHT" if v.holds else "caught"
            console.print(Text(f"{derivation.identifier} ({v.number}) {words}: {v.statement}"), soft_wrap=True)
        if outcome.error:
            console.print(Text(f"{derivation.identifier} stopped: {outcome.error}"), soft_wrap=True)
    for result, caught in by_result.items():
        console.print(f"{result} {'caught' if caught else 'NOT CAUGHT'}")


def print_check(checked: Check | None, why_not: str, loss: Loss | None, symbols: bool) -> None:
    """Print the check on digits as a table, and what it says; ``symbols``: the derived loss has some."""
    console = _console()
    if checked is None:
        if why_not:
            _heading(console, why_not)
        return
    _heading(
        console, f"Check on the handwritten digits: {loss!r}" + (", numbers in place of symbols" if symbols else "")
    )
    for line in checked.lines():
        _line(console, line)
