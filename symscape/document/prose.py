"""Sentences as LaTeX: recognises the plain-text mathematics in them, escapes the rest, links results and cites sources."""

from __future__ import annotations

import re
from collections.abc import Sequence

from symscape.document.formula import write
from symscape.document.reading import OPEN, Node, read
from symscape.document.runs import is_mathematics, trimmed, weight
from symscape.document.vocabulary import escaped, is_known
from symscape.typesetting.latex import visible_width

#: A formula within a line that shows so many signs may end after a comma.
BREAKABLE = 20

#: What is cited: how docstrings name it, and the key of the reference.
SOURCES = (
    (r"arXiv 2210\.00638", "ziyin"),
    (r"Jing et al\.(?:, 2021| \(2021\))", "jing"),
    (r"HaoChen et al\.(?:, 2021| \(2021\))", "haochen"),
    (r"Zbontar et al\.(?:, 2021| \(2021\))", "zbontar"),
    (r"Bardes et al\.(?:, 2022| \(2022\))", "bardes"),
    (r"Chen et al\.(?:, 2020| \(2020\))", "chen"),
    (r"van den Oord et al\.(?:, 2018| \(2018\))", "oord"),
    (r"Schur, 1923", "schur"),
    (r"Horn, 1954", "horn"),
    (r"Sheppard, 1899", "sheppard"),
    (r"Hotelling, 1953", "hotelling"),
    (r"Breiman and Freedman, 1983", "breiman"),
    (r"Wang and Isola, 2020", "wang"),
    (r"Zhai et al\.(?:, 2023| \(2023\))", "zhai"),
)
_PIECE = re.compile(
    r"`(?P<code>[^`]*)`|(?P<result>\b[TX]\d{1,2}(?:\.[a-z]+(?:-[a-z0-9]+)*)?\b(?![_^(]))|(?P<source>"
    + "|".join(pattern for pattern, _ in SOURCES)
    + ")"
)
_CODE = re.compile(r"[a-z]{3,}(?:_[a-z]{3,})+(?:=\w+|\(.*\))?")
_PROSE_SIGNS = {
    **{sign: f"${tex}$" for sign, tex in (("=", "="), ("<", "<"), (">", ">"), ("+", "+"), ("<=", r"\le"), (">=", r"\ge"))},
    "!=": r"$\ne$", "->": r"$\to$", ">>": r"$\gg$", "<<": r"$\ll$", "+-": r"$\pm$", "*": r"$*$", "|": r"\textbar{}",
    "||": r"\textbar{}\textbar{}", "^": r"\textasciicircum{}", "_": r"\_", "...": r"\dots", "×": r"$\times$",
}  # fmt: skip


def sentence(text: str) -> str:
    r"""Return text with plain-text mathematics as LaTeX for text mode; what stands between backticks is mathematics.

    >>> print(sentence("a mode is kept where b_i > 0, see T4.families"))
    a mode is kept where $b_{i} > 0$, see \result{T4.families}
    >>> print(sentence("`n = oo` is 100 % of Jing et al., 2021"))
    $n = \infty$ is 100 \% of \cite{jing}
    """
    text = re.sub(r"(?<=\d) x (?=\d)", " × ", " ".join(text.split()))
    out, place = "", 0
    for match in _PIECE.finditer(text):
        out += _plain(text[place : match.start()])
        if match["code"] is not None:
            out += inline(match["code"])
        elif match["result"]:
            out += rf"\result{{{match['result']}}}"
        else:
            key = next(key for pattern, key in SOURCES if re.fullmatch(pattern, match["source"]))
            out += rf"\cite{{{key}}}"
        place = match.end()
    return out + _plain(text[place:])


def inline(text: str) -> str:
    """Return what stands between backticks: mathematics, or a name in code."""
    if not text.strip():
        return ""
    if _CODE.fullmatch(text.strip()):
        return rf"\texttt{{{escaped(text.strip())}}}"
    return _inline(read(text))


def _inline(nodes: Sequence[Node]) -> str:
    """Return mathematics within a line, which may end after a comma where it is long."""
    text = write(nodes)
    if visible_width(text) > BREAKABLE:
        text = text.replace(", ", r", \allowbreak ")
    return f"${text}$"


def words_in(text: str) -> int:
    """Return how many words of English a text has.

    >>> words_in("kept where b_i > 0"), words_in("Tr P^2 + sum_i p_i")
    (2, 0)
    """
    return _words_in(read(text))


def _words_in(nodes: Sequence[Node]) -> int:
    return sum(
        _words_in(node.items)
        + (node.kind == "name" and not is_known(node.says) and node.says not in ("in", "not"))
        + (node.kind == "text" and node.says[0].isalpha())
        for node in nodes
    )


def has_mathematics(text: str) -> bool:
    """Whether something in a text is mathematics beyond doubt."""
    return any(weight(node, None) == 2 for node in read(text))


def _plain(text: str) -> str:
    if not text.strip():
        return " " if text else ""
    return " " * text[0].isspace() + _prose(read(text)) + " " * text[-1].isspace()


def _prose(nodes: Sequence[Node]) -> str:
    """Return pieces as text, with the runs of them that are mathematics in math mode."""
    out: list[str] = []
    k = 0
    while k < len(nodes):
        end = k
        while end < len(nodes) and weight(nodes[end], nodes[end - 1] if end else None):
            end += 1
        first, last = trimmed(nodes, k, end) if end > k else (k, k)
        if last > first and is_mathematics(nodes[first:last]):
            out += [_word(nodes, j) for j in range(k, first)]
            out.append(" " * (nodes[first].space and first > 0) + _inline(nodes[first:last]))
            out += [_word(nodes, j) for j in range(last, end)]
        else:
            out += [_word(nodes, j) for j in range(k, end)]
        if end < len(nodes):
            out.append(_word(nodes, end))
        k = end + 1
    return "".join(out).lstrip()


def _word(nodes: Sequence[Node], k: int) -> str:
    """Return a piece in text mode, with the blank before it."""
    node = nodes[k]
    blank = " " * (node.space and k > 0)
    if node.kind == "sign":
        return blank + _prose_sign(nodes, k)
    if node.kind == "group":
        left, right = escaped(node.says), escaped(OPEN[node.says])
        return blank + left + _prose(node.items) + right + _prose_scripts(node)
    if node.kind == "bars":
        bar = _PROSE_SIGNS[node.says]
        return blank + bar + _prose(node.items) + bar + _prose_scripts(node)
    if node.says == '"':
        opens = node.space or k == 0
        return blank + ("``" if opens else "''")
    if node.kind == "minus script":
        return "$^{-}$"
    return blank + escaped(node.says) + _prose_scripts(node)


def _prose_sign(nodes: Sequence[Node], k: int) -> str:
    node = nodes[k]
    beside = [n for n in (nodes[k - 1] if k else None, nodes[k + 1] if k + 1 < len(nodes) else None) if n is not None]
    if node.says in "+-" and any(n.kind == "sign" and n.says in ("+", "-") for n in beside):
        return rf"{{\ttfamily {node.says}}}"  # the signs of two eigenvalues, side by side
    if node.says == "-":
        return "--" if node.space and (k + 1 >= len(nodes) or nodes[k + 1].space) else "-"
    return _PROSE_SIGNS.get(node.says, node.says)


def _prose_scripts(node: Node) -> str:
    text = f"$_{{{write(node.below)}}}$" if node.below else ""
    return text + "'" * node.primes + (f"$^{{{write(node.above)}}}$" if node.above else "")
