"""The whole document: what it says of itself, the derivations result by result, how each was checked, and references."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from symscape import __version__
from symscape.document.contents import LOSSES, NOTATION, PREAMBLE, REFERENCES, TITLES
from symscape.document.formula import formula
from symscape.document.pdf import Typeset, tex, typeset
from symscape.document.prose import sentence
from symscape.document.steps import derivation_latex, derived_latex
from symscape.errors import InputError, SymscapeError
from symscape.figures.writing import whole_file
from symscape.verification.derivations import Derivation, Outcome, run_all
from symscape.verification.verdict import Kind

ENDINGS = (".tex", ".pdf")


class UnprovedError(SymscapeError):
    """A derivation does not hold, so that no document is made of it."""


def document_latex(outcomes: Sequence[Outcome]) -> str:
    """Return the document of some derivations, run with what they derived kept as LaTeX.

    Raises UnprovedError when a claim among them does not hold.
    """
    for outcome in outcomes:
        if not outcome.good:
            why = outcome.error or "; ".join(
                f"claim {v.number}: {v.statement}" for v in outcome.verdicts if not v.holds
            )
            raise UnprovedError(f"{outcome.derivation.identifier} does not hold ({why or 'it claims nothing'})")
    by_result: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_result.setdefault(outcome.derivation.result, []).append(outcome)
    parts = [PREAMBLE, r"\begin{document}", _front(outcomes), _notation()]
    for result, members in by_result.items():
        title = TITLES.get(result, "Results")
        parts.append(rf"\renewcommand{{\thesection}}{{{result}}}" + "\n" + rf"\section{{{title}}}\label{{{result}}}")
        parts += [derivation_latex(outcome) for outcome in members]
    parts.append(_table(outcomes))
    parts += [_references("\n".join(parts)), r"\end{document}"]
    return "\n\n".join(parts) + "\n"


def run_for_document(
    chosen: Sequence[Derivation], advance: Callable[[], None] | None = None, workers: int | None = None
) -> list[Outcome]:
    """Run derivations with what they derived kept as LaTeX, in order; ``advance`` is called as each is done."""
    found: dict[str, Outcome] = {}
    for outcome in run_all(chosen, workers=workers, keep=derived_latex):
        found[outcome.derivation.identifier] = outcome
        if advance is not None:
            advance()
    return [found[derivation.identifier] for derivation in chosen]


def checked_output(output: str | os.PathLike[str]) -> Path:
    """Return the file to write. Raises InputError where it is no .tex or .pdf, or cannot be written, or needs TeX in vain."""
    path = Path(output)
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{output}: a document is a .tex or a .pdf file: for instance {path.stem or 'document'}.pdf")
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(
            f"{output}: cannot write here: {'it is a folder' if path.is_dir() else 'there is no such folder'}"
        )
    if path.suffix.lower() == ".pdf":
        tex()
    return path


def write_document(latex: str, output: str | os.PathLike[str]) -> tuple[str, ...]:
    """Write a document as .tex or, typeset, as .pdf, whole or not at all; return the warnings of TeX worth reading.

    Raises InputError where it cannot be written or TeX is not installed, and TeXError where TeX stops.
    """
    path = checked_output(output)
    made = typeset(latex) if path.suffix.lower() == ".pdf" else Typeset(latex.encode(), ())
    with whole_file(path) as stream:
        stream.write(made.pdf)
    return made.warnings


def _front(outcomes: Sequence[Outcome]) -> str:
    claims = sum(len(outcome.verdicts) for outcome in outcomes)
    return rf"""\title{{What shapes the loss landscape of self-supervised learning:\\ the derived conditions}}
\author{{derived and typeset by symscape {__version__}}}
\date{{}}
\maketitle

\begin{{abstract}}
The landscape of a self-supervised loss around $W = 0$ decides whether its representation collapses (\cite{{ziyin}}). This
document derives that landscape for InfoNCE, NT-Xent, the spectral contrastive loss, Barlow Twins and VICReg, its stationary
points, and the conditions for no, dimensional and complete collapse. It holds {len(outcomes)} theorems with {claims} claims.
Every formula in a derivation was derived by machine, and every claim was checked where it stands.
\end{{abstract}}

{{\small\setlength{{\parskip}}{{0pt}}\tableofcontents}}

\section*{{How to read it}}
\addcontentsline{{toc}}{{section}}{{How to read it}}
A theorem has the name of the program that proves it, such as \result{{T1.infonce}}; its text is that program's. Remarks say
where it differs from the paper (\cite{{ziyin}}), and how far it reaches. The derivation follows in steps. Each numbered step is
a claim, and says at its end how it was checked:
\begin{{kinds}}
\item[exact] What was derived is identical with a formula that was typed in from the theory or found by hand. The shorter of the
two forms is shown.
\item[digits] Numbers agree with an independent computation to so many digits.
\item[sampled] A sampled number agrees with the derived one; its deviation is given in standard errors. The sample is large
enough to see an error of 5\,\%.
\item[numeric] A fact that numbers show, and that fails when the claim is 2.5\,\% off.
\end{{kinds}}
Every check was itself checked: with a wrong formula, a few per cent off, in the place of the claim, it fails.
"""


def _notation() -> str:
    rows = "\n".join(rf"{sentence(symbol)} & {sentence(meaning)} \\" for symbol, meaning in NOTATION)
    losses = "\n".join(
        rf"\item[{name}] {sentence(source[0].upper() + source[1:] if source[:3] != 'van' else source)}:"
        "\n" rf"\[ \fit{{{formula(expression, display=True)}}} \]"
        for name, expression, source in LOSSES
    )  # fmt: skip
    return rf"""\section*{{Notation}}
\addcontentsline{{toc}}{{section}}{{Notation}}
\begin{{longtable}}{{@{{}}>{{\raggedright\arraybackslash}}p{{0.29\linewidth}}p{{0.66\linewidth}}@{{}}}}
\toprule
{rows}
\bottomrule
\end{{longtable}}

Unless a theorem says otherwise, views are jointly Gaussian with mean zero, and anchor, positive and negatives are augmented
alike. Modes are counted from 0 in programs, and from 0 or 1 in theorems, as each says. The losses, in the limit of many
negatives and up to constants:
\begin{{description}}
{losses}
\end{{description}}
"""


def _table(outcomes: Sequence[Outcome]) -> str:
    rows, last = [], ""
    for outcome in outcomes:
        counts = [
            sum(v.kind is kind for v in outcome.verdicts)
            for kind in (Kind.EXACT, Kind.DIGITS, Kind.SAMPLED, Kind.NUMERIC)
        ]
        digits = [int(v.figure.split()[0]) for v in outcome.verdicts if v.kind is Kind.DIGITS]
        errors = [abs(float(v.figure.split()[0])) for v in outcome.verdicts if v.kind is Kind.SAMPLED]
        cells = [str(count) if count else "" for count in counts]
        cells.insert(2, str(min(digits)) if digits else "")
        cells.insert(4, f"{max(errors):.1f}" if errors else "")
        if last and outcome.derivation.result != last:
            rows.append(r"\midrule")
        last = outcome.derivation.result
        rows.append(
            rf"\result{{{outcome.derivation.identifier}}} & " + " & ".join(cells) + rf" & {len(outcome.verdicts)} \\"
        )
    totals = [
        sum(v.kind is kind for o in outcomes for v in o.verdicts)
        for kind in (Kind.EXACT, Kind.DIGITS, Kind.SAMPLED, Kind.NUMERIC)
    ]
    body = "\n".join(rows)
    head = r"theorem & exact & to digits & fewest & sampled & largest & numeric & claims \\"
    return rf"""\section*{{How each theorem was checked}}
\addcontentsline{{toc}}{{section}}{{How each theorem was checked}}
Number of claims by kind of proof, the fewest digits to which numbers agree in a theorem, and the largest deviation of a sampled
number in standard errors.

\begin{{longtable}}{{@{{}}lrrrrrrr@{{}}}}
\toprule
{head}
\midrule
\endhead
{body}
\midrule
all & {totals[0]} & {totals[1]} & & {totals[2]} & & {totals[3]} & {sum(totals)} \\
\bottomrule
\end{{longtable}}
"""


def _references(latex: str) -> str:
    """Return the references that a text cites."""
    cited = [entry for entry in REFERENCES if rf"\cite{{{entry[0]}}}" in latex]
    items = "\n".join(rf"\bibitem[{label}]{{{key}}} {text}" for key, label, text in cited)
    return rf"""\addcontentsline{{toc}}{{section}}{{References}}
\begin{{thebibliography}}{{}}
\setlength{{\itemsep}}{{0pt}}
{items}
\end{{thebibliography}}"""
