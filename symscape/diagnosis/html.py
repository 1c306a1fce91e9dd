"""The report as one self-contained HTML page, or as a part of a notebook: no scripts, nothing fetched from elsewhere."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from symscape.diagnosis.sections import Section, answer, sections_of, subject
from symscape.diagnosis.wording import figure, number
from symscape.errors import SymscapeError

if TYPE_CHECKING:
    from symscape.diagnosis.report import Diagnosis

#: Up to so many modes a page shows every one.
EVERY = 128

_STYLE = """
.symscape { --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --paper: #ffffff; --tint: #f3f6f9; --mark: #0072b2;
  color: var(--ink); background: var(--paper); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  max-width: 62rem; margin: 0 auto; padding: 1.2rem 1.4rem; box-sizing: border-box; overflow-wrap: anywhere; }
.symscape h1 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 .3rem; color: var(--ink); }
.symscape h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; color: var(--ink); }
.symscape .source { color: var(--soft); margin: 0 0 1rem; }
.symscape dl { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; }
.symscape dl div { flex: 1 1 9rem; background: var(--tint); border-left: 3px solid var(--mark); padding: .45rem .7rem; }
.symscape dt { color: var(--soft); font-size: .8rem; }
.symscape dd { margin: 0; font-size: 1.15rem; font-weight: 600; }
.symscape figure { margin: 1rem 0; background: #ffffff; border: 1px solid var(--line); padding: .5rem; text-align: center; }
.symscape svg { width: min(100%, 36rem); height: auto; }
.symscape .table { overflow-x: auto; max-height: 34rem; overflow-y: auto; border: 1px solid var(--line); width: fit-content;
  max-width: 100%; }
.symscape table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0; }
.symscape th, .symscape td { padding: .2rem .7rem; text-align: left; white-space: nowrap; color: var(--ink);
  border-bottom: 1px solid var(--line); background: var(--paper); }
.symscape th { position: sticky; top: 0; background: var(--tint); font-weight: 600; }
.symscape .number { text-align: right; }
.symscape tr.lost td { color: var(--soft); }
.symscape td.gap { color: var(--soft); font-style: italic; }
.symscape ul { margin: .3rem 0; padding-left: 1.2rem; }
.symscape p { margin: .35rem 0; }
.symscape .legend { color: var(--soft); font-size: .88rem; }
@media (prefers-color-scheme: dark) {
  .symscape.page { color-scheme: dark; --ink: #e6edf3; --soft: #9aa7b4; --line: #3a424c; --paper: #12161b;
    --tint: #1d232b; --mark: #56b4e9; }
  body.symscape-body { background: #12161b; }
}
@media print {
  .symscape.page { --ink: #000000; --soft: #444444; --line: #bbbbbb; --paper: #ffffff; --tint: #f3f3f3; max-width: none;
    padding: 0; }
  body.symscape-body { background: #ffffff; }
  .symscape .table { max-height: none; overflow: visible; border: 0; }
  .symscape th { position: static; }
  .symscape td, .symscape th { padding: .1rem .4rem; font-size: .8rem; }
  .symscape tr, .symscape figure, .symscape dl div { break-inside: avoid; }
  .symscape h2 { break-after: avoid; }
}
"""


def html_of(report: Diagnosis, further: Sequence[Section] = ()) -> str:
    """Return a report as a self-contained HTML page, with ``further`` sections before its notes.

    The figure is inline where matplotlib is installed, and left out where it is not.
    """
    body = "\n".join(_body(report, "page", further, len(report.modes) <= EVERY))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.name)}: what will collapse</title>\n<style>{_STYLE}</style>\n</head>\n"
        f'<body class="symscape-body" style="margin: 0">\n{body}\n</body>\n</html>\n'
    )


def fragment_of(report: Diagnosis) -> str:
    """Return a report as HTML to stand in a notebook: the short table of modes, in colours that do not follow the browser's."""
    body = "\n".join(_body(report, "fragment", (), False))
    return f"<style>{_STYLE}</style>\n{body}"


def _body(report: Diagnosis, kind: str, further: Sequence[Section], every_mode: bool) -> Iterator[str]:
    *first, notes = sections_of(report, every_mode)
    said = answer(report)
    yield f'<div class="symscape {kind}">'
    yield f"<h1>{_words(said[:1].upper() + said[1:])}</h1>"
    yield f'<p class="source">{escape(subject(report))}, from {escape(report.moments.name)}</p>'
    yield from _cards(report)
    drawn = _figure(report)
    if drawn:
        yield f"<figure>{drawn}</figure>"
    for section in (*first, *further, notes):
        yield from _section(section)
    yield "</div>"


def _cards(report: Diagnosis) -> Iterator[str]:
    """Yield the few numbers that matter most."""
    yield "<dl>"
    cards = {
        "modes that survive": f"{report.surviving} of {report.possible}",
        "effective rank": figure(report.effective_rank),
        "loss, predicted": number(report.loss, 4),
        "loss at collapse": number(report.loss_at_collapse, 4) or "0/0",
    }
    for name, value in cards.items():
        yield f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
    yield "</dl>"


def _figure(report: Diagnosis) -> str:
    """Return the predicted spectrum as inline SVG; empty where matplotlib is not installed."""
    from symscape.figures.style import root_figure, settings
    from symscape.figures.writing import FORMATS

    stream = io.StringIO()
    try:
        with settings():
            figure = root_figure(report.plot())
            figure.savefig(stream, format="svg", metadata=FORMATS["svg"])
    except SymscapeError:
        return ""
    svg = stream.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    label = escape(f"Predicted eigenvalues of P by mode: {report.surviving} of {report.possible} survive")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def _section(section: Section) -> Iterator[str]:
    yield f"<section>\n<h2>{escape(section.title)}</h2>"
    if section.rows:
        yield '<div class="table" tabindex="0"><table>'
        yield from _rows(section)
        yield "</table></div>"
        yield from (f'<p class="legend">{_words(sentence)}</p>' for sentence in section.sentences)
    elif len(section.sentences) == 1:
        yield f"<p>{_words(section.sentences[0])}</p>"
    else:
        yield "<ul>"
        yield from (f"<li>{_words(sentence)}</li>" for sentence in section.sentences)
        yield "</ul>"
    yield "</section>"


def _words(text: str) -> str:
    """Return escaped words; a number stays with its sign of error."""
    return escape(text).replace(" ±", "&nbsp;±").replace("± ", "±&nbsp;")


def _rows(section: Section) -> Iterator[str]:
    to_right = section.numeric
    classes = [' class="number"' if right else "" for right in to_right]
    cells = "".join(
        f'<th scope="col"{kind}>{escape(heading)}</th>' for heading, kind in zip(section.headings, classes, strict=True)
    )
    yield f"<thead><tr>{cells}</tr></thead>\n<tbody>"
    for row in section.rows:
        if len(row) < len(section.headings):
            yield f'<tr><td class="gap" colspan="{len(section.headings)}">{escape(row[0])}</td></tr>'
            continue
        lost = ' class="lost"' if "collapses" in row or "no output left" in row else ""
        cells = "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, classes, strict=True))
        yield f"<tr{lost}>{cells}</tr>"
    yield "</tbody>"
