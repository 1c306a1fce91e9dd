"""Writes plain-text mathematics, once read, as LaTeX for math mode; words inside become text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symscape.document.reading import OPEN, Node, parts_letters, read
from symscape.document.units import (
    OPERANDS,
    averages,
    denominator,
    is_summand,
    membership,
    numerator,
    units_of,
)
from symscape.document.vocabulary import (
    DIFFERENTIALS,
    FUNCTIONS,
    GREEK,
    LETTERS,
    SIGNS,
    escaped,
    is_known,
)

_WORDS = r"\text{"


def formula(text: str, display: bool = False) -> str:
    r"""Return plain-text mathematics as LaTeX for math mode; ``display``: with built-up fractions.

    >>> print(formula("3/(4 tau^2) Tr P^2 + O(W^6)"))
    3/(4 \tau^{2}) \Tr P^{2} + O(W^{6})
    >>> print(formula("3/(4 tau^2) Tr P^2", display=True))
    \frac{3}{4 \tau^{2}} \Tr P^{2}
    >>> print(formula("sum_{i != j} P_ij^2"))
    \sum_{i \ne j} P_{ij}^{2}
    """
    return write(read(text), display)


def write(nodes: Sequence[Node], display: bool = False) -> str:
    """Return pieces as LaTeX for math mode."""
    units = units_of(nodes)
    out: list[tuple[str, Node]] = []
    k = 0
    while k < len(units):
        unit = units[k]
        first = unit[0]
        if display and first.says == "/" and first.kind == "sign" and k + 1 < len(units):
            start = numerator(units, k)
            if start < k and units[k + 1][0].kind in OPERANDS:
                end = denominator(units, k)
                top, bottom = _bare(units[start:k]), _bare(units[k + 1 : end])
                out[len(out) - (k - start) :] = [(rf"\frac{{{top}}}{{{bottom}}}", units[start][0])]
                k = end
                continue
        if first.says == "sum" and not first.scripted and k + 1 < len(units) and not is_summand(units[k + 1][0]):
            unit = (replace(first, kind="text"),)
        latex, taken = membership(units, k)
        if first.says == "mean" and not first.scripted and averages(units, k):
            latex = r"\operatorname{mean}" + "".join(_node(node, False) for node in unit[1:])
        whole = first if len(unit) == 1 else replace(first, kind="formula")
        out.append((latex or _unit(unit, display, units[k - 1] if k else ()), whole))
        k += taken
    return _set(out)


def _set(pieces: Sequence[tuple[str, Node]]) -> str:
    """Return pieces side by side; a blank beside words goes into their box, and neighbouring words share one."""
    text, after_words = "", False
    for latex, node in pieces:
        words = latex.startswith(_WORDS) and node.kind in ("text", "name")
        if latex == ":" and after_words:
            latex, words = _WORDS + ":}", True
        blank = node.space and bool(text)
        if words and after_words:
            text = text[:-1] + " " * blank + latex.removeprefix(_WORDS)
        elif words:
            text += (" " if text else "") + (_WORDS + " " + latex.removeprefix(_WORDS) if blank else latex)
        elif after_words and blank:
            text = text[:-1] + " } " + latex
        else:
            text += (" " if text and latex not in (",", ";", ".", "/") and not text.endswith("/") else "") + latex
        after_words = words
    return text


def _bare(units: Sequence[tuple[Node, ...]]) -> str:
    """Return a part of a fraction, without the brackets that the bar makes superfluous."""
    if len(units) == 1 and len(units[0]) == 1:
        (node,) = units[0]
        if node.kind == "group" and node.says == "(" and not node.scripted:
            return write(node.items)
    return write([node for unit in units for node in unit])


def _unit(unit: tuple[Node, ...], display: bool, before: tuple[Node, ...]) -> str:
    first = unit[0]
    if len(unit) == 2 and first.says == "sqrt" and unit[1].kind == "group":
        return rf"\sqrt{{{write(unit[1].items)}}}" + _scripts(unit[1])
    if first.says == "o" and before:
        return r"\circ"
    parts = [_node(first, display, alone=len(unit) == 1)]
    for node in unit[1:]:
        text = r"\circ" if node.says == "o" else _node(node, display and node.space, joins=True)
        parts.append((" " if node.space or node.says == "." or parts[-1].endswith(r"\cdot") else "") + text)
    return "".join(parts)


def _node(node: Node, display: bool, joins: bool = False, alone: bool = False) -> str:
    if node.kind == "name":
        return _name(node)
    if node.kind == "number":
        return _number(node.says) + _scripts(node)
    if node.says == "." and node.kind == "sign":
        return r"\cdot" if joins else "."
    if node.kind == "sign":
        return SIGNS[node.says]
    if node.kind == "group":
        return _group(node, display, alone) + _scripts(node)
    if node.kind == "bars":
        left, right = (r"\lVert", r"\rVert") if node.says == "||" else (r"\lvert", r"\rvert")
        return f"{left} {write(node.items, display)} {right}" + _scripts(node)
    return r"\#" if node.says == "#" else _WORDS + escaped(node.says) + "}"


def _group(node: Node, display: bool, alone: bool = False) -> str:
    if node.says == "{":
        return rf"\{{{write(node.items)}\}}"
    if node.says == "[" and len(node.items) > 1 and all(n.kind == "group" or n.says == "," for n in node.items):
        rows = [" & ".join(write(cell) for cell in _parted(n.items)) for n in node.items if n.kind == "group"]
        return r"\begin{pmatrix} " + r" \\ ".join(rows) + r" \end{pmatrix}"
    if node.says == "[" and any(n.says == "|" for n in node.items) and parts_letters(node.items):
        return "[" + "".join(r" \mid " if n.says == "|" else n.says + "'" * n.primes for n in node.items) + "]"
    if display and alone and not node.scripted and any(n.says == "/" for n in node.items):
        whole = write(node.items, display)
        if whole.startswith(r"\frac{") and _is_one_group(whole.removeprefix(r"\frac")):
            return whole
    inner = write(node.items, display)
    left, right = node.says, OPEN[node.says]
    return rf"\left{left} {inner} \right{right}" if r"\frac" in inner or r"\sum" in inner else f"{left}{inner}{right}"


def _is_one_group(text: str) -> bool:
    """Whether a text is two arguments in braces and nothing else."""
    depth, ends = 0, []
    for place, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if not depth and sign == "}":
            ends.append(place)
    return len(ends) == 2 and ends[-1] == len(text) - 1


def _parted(nodes: Sequence[Node]) -> list[list[Node]]:
    """Split at commas."""
    parts: list[list[Node]] = [[]]
    for node in nodes:
        if node.kind == "sign" and node.says == ",":
            parts.append([])
        else:
            parts[-1].append(node)
    return parts


def _name(node: Node) -> str:
    name, digits = node.says, ""
    stem = name.rstrip("0123456789")
    if name == "d2L":
        return r"\mathrm{d}^{2}L"
    if stem != name:
        name, digits = stem, name[len(stem) :]
    below = _script_text(node.below) if node.below else digits
    scripts = _scripts(Node("name", "", below=(), above=node.above, primes=node.primes))
    under = f"_{{{below}}}" if below else ""
    if name == "mean" and not node.below:
        return rf"\bar\phi{under}{scripts}"
    if name == "E":
        return rf"\E{under}{scripts}"
    if name == "sum" and not node.below:
        return r"\sum" + scripts
    if name == "sum":
        return rf"\sum{under}"
    if name == "eps":
        return rf"\varepsilon{under}{scripts}"
    if name in LETTERS:
        return LETTERS[name] + under + scripts
    if name in GREEK:
        return rf"\{name}{under}{scripts}"
    if name in FUNCTIONS:
        return f"{FUNCTIONS[name]}{under}{scripts}"
    if name in DIFFERENTIALS:
        return rf"\mathrm{{d}}{name[1]}" + (f"^{{{digits}}}" if digits else under) + scripts
    if len(name) == 1:
        return f"{name}{under}{scripts}"
    if node.scripted:
        return rf"\mathrm{{{name}}}{under}{scripts}"
    return _WORDS + node.says + "}"


def _scripts(node: Node) -> str:
    above = _script_text(node.above, up=True) if node.above else ""
    text = f"_{{{_script_text(node.below)}}}" if node.below else ""
    if node.primes and above:
        return text + "^{" + r"\prime" * node.primes + " " + above + "}"
    return text + "'" * node.primes + (f"^{{{above}}}" if above else "")


def _script_text(nodes: Sequence[Node], up: bool = False) -> str:
    """Return a script: T above is a transposition, two letters are two indices, ``in`` is membership, words are words."""
    if len(nodes) == 1 and nodes[0].says == "*":
        return "*"
    if len(nodes) == 1 and nodes[0].kind == "name" and not nodes[0].scripted:
        name = nodes[0].says
        if up and name == "T":
            return r"\top"
        if len(name) > 1 and not is_known(name):
            return name if len(name) == 2 else rf"\mathrm{{{name}}}"
    return write(nodes)


def _number(text: str) -> str:
    if "e" not in text:
        return text
    digits, power = text.split("e")
    front = "" if digits in ("1", "1.0") else rf"{digits} \cdot "
    return rf"{front}10^{{{int(power)}}}"
