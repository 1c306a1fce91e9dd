"""What was derived, as LaTeX: landscapes in P and M, scalars, conditions, matrices, tuples, numbers and words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from symscape.document.printer import plain_traces, sympy_latex
from symscape.document.prose import sentence
from symscape.document.vocabulary import escaped
from symscape.landscape.landscape import Landscape
from symscape.losses.loss import Loss
from symscape.typesetting.latex import LatexWriter, visible_width

#: About how many signs a displayed line holds, and one within a sentence; and how many lines are shown of one thing.
WIDTH, SHORT, LINES = 60, 26, 6
#: About how many signs the columns of a matrix may show, printed smaller; what stands for what is longer.
WIDEST, TOO_LONG = 100, "too long to print"
#: How many signs a fraction within a fraction is worth.
NESTED = 10


@dataclass(frozen=True)
class Derived:
    """A result as LaTeX for math mode, line by line, or in ``words``, for text mode.

    ``stands_alone``: it is a formula to be displayed and numbered, however short.
    """

    lines: tuple[str, ...]
    words: str = ""
    stands_alone: bool = False

    @property
    def short(self) -> bool:
        """Whether it can stand in a sentence."""
        if self.words:
            return True
        return not self.stands_alone and len(self.lines) == 1 and visible_width(self.lines[0]) <= SHORT


def derived(found: Any, claimed: Any = None) -> Derived | None:
    """Return what was derived as LaTeX; None where there is nothing that a reader could use.

    ``claimed`` is identical with what was derived, and shown in its place where it is the shorter form.
    """
    words = _words(found)
    if words:
        return Derived((), words)
    found = _shorter(found, claimed)
    lines = latex_lines(found)
    if len(lines) > LINES or (isinstance(found, sp.MatrixBase) and _matrix_width(found) > WIDEST):
        return Derived((), TOO_LONG)
    return Derived(tuple(lines), "", _is_formula(found)) if lines else None


def _matrix_width(matrix: sp.MatrixBase) -> int:
    return sum(max(visible_width(sympy_latex(entry)) for entry in matrix.col(k)) + 2 for k in range(matrix.cols))


def _shorter(found: Any, claimed: Any) -> Any:
    """Return the shorter of two forms of the same thing, part by part."""
    if isinstance(found, (list, tuple)) and isinstance(claimed, (list, tuple)) and len(found) == len(claimed):
        return [_shorter(a, b) for a, b in zip(found, claimed, strict=True)]
    scalars = isinstance(found, sp.Expr) and isinstance(claimed, sp.Expr)
    if not scalars and not (isinstance(found, sp.MatrixBase) and isinstance(claimed, sp.MatrixBase)):
        return found
    if isinstance(found, sp.Basic) and found.has(sp.Dummy):
        return claimed
    return min((found, claimed), key=lambda form: sum(map(_weight, latex_lines(form))))


def _weight(line: str) -> int:
    """Return how hard a line is to read: its signs, and more for fractions within fractions."""
    depth, nested, open_fractions = 0, 0, [0]
    for match in re.finditer(r"\\frac|[{}]", line):
        if match[0] == r"\frac":
            nested += len(open_fractions) > 1
            open_fractions.append(depth)
        else:
            depth += 1 if match[0] == "{" else -1
            # A fraction ends with the brace in which it stands, or with its own second one.
            while len(open_fractions) > 1 and match[0] == "}" and depth <= open_fractions[-1]:
                if line[match.end() : match.end() + 1] == "{" and depth == open_fractions[-1]:
                    break
                open_fractions.pop()
    return visible_width(line) + NESTED * nested


def _is_formula(value: Any) -> bool:
    if isinstance(value, (Landscape, sp.MatrixExpr, sp.Rel, sp.And)):
        return True
    if isinstance(value, sp.MatrixBase):
        return True
    return isinstance(value, sp.Expr) and bool(value.free_symbols) and not value.is_Symbol


def _is_truth(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_)) or value is sp.true or value is sp.false


def _words(value: Any) -> str:
    """Return what is said in words, or true and false, for text mode; "" for all else."""
    if _is_truth(value):
        return str(bool(value)).lower()
    if isinstance(value, (str, Loss)):
        return sentence(str(value))
    if isinstance(value, (list, tuple)) and value:
        parts = [_words(part) for part in value]
        if all(parts):
            same = len(parts) > 3 and len(set(parts)) == 1
            joint = "; " if any(isinstance(part, str) and " " in part for part in value) else ", "
            return f"{parts[0]}, all {len(parts)}" if same else joint.join(parts)
    return ""


def latex_lines(value: Any) -> list[str]:
    r"""Return a value as lines of LaTeX for math mode, every line but the first with the sign that joins it to the last.

    >>> latex_lines((True, sp.Rational(2, 3)))
    ['\\left(\\text{true},\\; \\frac{2}{3}\\right)']
    """
    if value is None:
        return []
    if isinstance(value, Landscape):
        return _landscape(value)
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim == 1):
        return _sequence(list(value))
    if isinstance(value, np.ndarray):
        value = sp.Matrix(value)
    if isinstance(value, sp.Basic) and value.has(sp.Dummy):
        return []  # a symbol without a name says nothing to a reader
    if isinstance(value, sp.Rel):
        return _relation(value)
    if isinstance(value, sp.Expr) and not isinstance(value, sp.MatrixExpr) and value.is_Add:
        return _sum(value)
    return [_one(value)]


def _one(value: Any) -> str:
    """Return a value as one line of LaTeX."""
    if _is_truth(value) or isinstance(value, (str, Loss)):
        return rf"\text{{{_words(value)}}}"
    if isinstance(value, (list, tuple, np.ndarray)):
        return "".join(_sequence(list(value), nested=True))
    if isinstance(value, Landscape):
        return " ".join(_landscape(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (float, np.floating, mpmath.mpf, sp.Float)):
        return _number(float(value))
    if isinstance(value, np.integer):
        return str(int(value))
    if isinstance(value, (sp.Basic, sp.MatrixBase)):
        return sympy_latex(value)
    if hasattr(value, "latex"):
        return str(value.latex())
    return rf"\text{{{escaped(str(value))}}}"


def _number(value: float) -> str:
    """Return a number to six digits.

    >>> _number(0.33333333), _number(8.15e-17), _number(float("inf"))
    ('0.333333', '8.2 \\\\cdot 10^{-17}', '\\\\infty')
    """
    if value in (float("inf"), float("-inf")):
        return r"\infty" if value > 0 else r"-\infty"
    text = f"{value:.6g}" if value == 0 or abs(value) >= 1e-4 else f"{value:.1e}"
    digits, _, power = text.partition("e")
    return rf"{digits} \cdot 10^{{{int(power)}}}" if power else digits


def _landscape(land: Landscape) -> list[str]:
    terms, meaning = land.display
    lines = LatexWriter(meaning, "PM").lines(terms, WIDTH, WIDTH)
    if not land.is_exact:
        rest = rf"+ O(W^{{{land.order + 2}}})"
        if visible_width(lines[-1]) + 8 > WIDTH:
            lines.append(rest)
        else:
            lines[-1] += f" {rest}"
    return [plain_traces(line) for line in lines]


def _sequence(values: list[Any], nested: bool = False) -> list[str]:
    """Return a tuple, in lines where it is long."""
    if len(values) == 1 and not nested:
        return [_one(values[0])] if isinstance(values[0], (list, tuple)) else latex_lines(values[0])
    if len(values) > 3 and isinstance(values[0], sp.Basic) and all(value == values[0] for value in values):
        return [rf"{_one(values[0])} \quad\text{{({len(values)} times)}}"]
    rows: list[str] = [""]
    for k, value in enumerate(values):
        piece = _one(value) + (r",\; " if k + 1 < len(values) else "")
        if rows[-1] and visible_width(rows[-1] + piece) > WIDTH:
            rows.append("")
        rows[-1] += piece
    if len(rows) == 1:
        return [rf"\left({rows[0]}\right)"]
    return [f"({rows[0].rstrip()}", *(row.rstrip() for row in rows[1:-1]), f"{rows[-1]})"]


def _relation(relation: sp.Rel) -> list[str]:
    text = sympy_latex(relation)
    if visible_width(text) <= WIDTH:
        return [text]
    signs = {"<": "<", ">": ">", "<=": r"\le", ">=": r"\ge", "==": "=", "!=": r"\ne"}
    left, right = latex_lines(relation.lhs), latex_lines(relation.rhs)
    return [*left, f"{signs[relation.rel_op]} {right[0]}", *right[1:]]


def _sum(expr: sp.Expr) -> list[str]:
    """Return a sum in lines, its signs drawn out."""
    whole = sympy_latex(expr)
    if visible_width(whole) <= WIDTH:
        return [whole]
    rows: list[str] = [""]
    for term in expr.as_ordered_terms():
        text = sympy_latex(term)
        piece = text if text.startswith("-") else f"+ {text}"
        if rows[-1] and visible_width(rows[-1] + piece) > WIDTH:
            rows.append("")
        rows[-1] = f"{rows[-1]} {piece}".strip()
    rows[0] = rows[0].removeprefix("+ ")
    return rows
