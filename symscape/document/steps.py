"""One derivation as LaTeX: its theorem, remarks, and the numbered steps with what each derived and how it was checked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from symscape.document.derived import Derived, derived
from symscape.document.prose import sentence
from symscape.document.syntax import problems
from symscape.document.theorem import theorem
from symscape.document.vocabulary import escaped, is_known
from symscape.verification.derivations import Outcome
from symscape.verification.proof import LEADS
from symscape.verification.verdict import Kind, Verdict

#: A note of so many signs is not broken.
UNBROKEN = 50


def derived_latex(verdict: Verdict) -> Derived | None:
    """Return what a claim derived as LaTeX, made where the objects are."""
    found = derived(verdict.shown, verdict.claimed)
    if found is None:
        return None
    return found if not any(problems(f"${line}$") for line in found.lines) and not problems(found.words) else None


def derivation_latex(outcome: Outcome) -> str:
    """Return a derivation that was run, with `derived_latex` kept of what it derived, as LaTeX."""
    derivation = outcome.derivation
    said = theorem(derivation.claim, derivation.theorem)
    parts = [
        rf"\newresult{{{derivation.identifier}}}{{{said.claim}}}{{{_plain(derivation.claim)}}}",
        f"\\begin{{theorem}}\n{said.statement}\n\\end{{theorem}}",
        *(f"\\begin{{remark}}[{title}]\n{text}\n\\end{{remark}}" for title, text in said.remarks),
        f"\\begin{{derivation}}\n{_steps(outcome)}\n\\end{{derivation}}",
    ]
    return "\n".join(checked(part) for part in parts)


def checked(latex: str) -> str:
    """Return LaTeX that is sound; what is not stands there as it would be typed, and stops no document."""
    if not problems(latex):
        return latex
    return "\n".join(line if not problems(line) else rf"\texttt{{{escaped(line)}}}" for line in latex.split("\n"))


def _plain(claim: str) -> str:
    """Return a claim for bookmarks, which hold no mathematics."""
    return escaped(claim.rstrip(".").replace("`", ""))


def _steps(outcome: Outcome) -> str:
    said: dict[int, list[str]] = {}
    for place, words in outcome.texts:
        said.setdefault(place, []).append(words)
    parts: list[str] = []
    items: list[str] = []
    for place in range(len(outcome.verdicts) + 1):
        if place in said:
            parts += _list(items)
            items = []
            parts.append(sentence(" ".join(said[place])))
        if place < len(outcome.verdicts):
            items.append(claim_latex(outcome.verdicts[place]))
    return "\n\n".join([*parts, *_list(items)])


def _list(items: Sequence[str]) -> list[str]:
    return ["\\begin{claims}\n" + "\n".join(items) + "\n\\end{claims}"] if items else []


def claim_latex(verdict: Verdict) -> str:
    """Return one claim: its number, what it says and derived, and how that was checked."""
    statement = sentence(_capital(verdict.statement))
    found, note = verdict.shown, rf"\note{{{note_latex(verdict)}}}"
    item = rf"\item[{verdict.number}.] "
    if not isinstance(found, Derived):
        return f"{item}{statement.rstrip('.')}.{note}"
    leads = verdict.statement.split()[-1] in LEADS or verdict.statement.endswith(("=", ",", "$"))
    joint = "" if leads or statement.endswith(":") else ":"
    if found.short:
        return f"{item}{statement}{joint} {found.words or f'${found.lines[0]}$'}.{note}"
    return f"{item}{statement}{joint}{note}\n{equation(found.lines)}"


def equation(lines: Sequence[str]) -> str:
    """Return lines as one numbered equation."""
    if len(lines) == 1:
        return f"\\begin{{equation}}\n\\fit{{{lines[0]}}}\n\\end{{equation}}"
    rows = [rf"& \fit{{{lines[0]}}}", *(rf"& \quad \fit{{{{}}{line}}}" for line in lines[1:])]
    body = " \\\\\n".join(rows)
    return f"\\begin{{equation}}\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n\\end{{equation}}"


def note_latex(verdict: Verdict) -> str:
    """Return how a claim was checked, in a few words that stay on one line where they are few."""
    words = _note(verdict)
    return rf"\mbox{{{words}}}" if len(words) <= UNBROKEN else words


def _note(verdict: Verdict) -> str:
    if verdict.kind is Kind.EXACT:
        return "exact"
    if verdict.kind is Kind.NUMERIC:
        return "numeric" if verdict.figure == "checked" else f"numeric: {sentence(verdict.figure)}"
    return sentence(verdict.figure) if verdict.kind is Kind.DIGITS else rf"sampled, {escaped(verdict.figure)}"


def _capital(text: str) -> str:
    """Return a sentence that starts with a capital, if it starts with a word."""
    word = re.match(r"[a-z]{2,}(?![\w^(])|a(?= [a-z]{2,})", text)
    return text[0].upper() + text[1:] if word and (word[0] == "a" or not is_known(word[0])) else text
