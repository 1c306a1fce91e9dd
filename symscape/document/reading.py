"""Reads the plain-text mathematics of docstrings into a tree: names, numbers, signs, brackets, bars, with their scripts.

Nothing that is read is an error: what fits nowhere, such as a bracket that is never closed, stays as a piece of text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

OPEN = {"(": ")", "[": "]", "{": "}"}

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<text>(?:s\.e\.|i\.e\.|e\.g\.|et\ al\.)
        | [A-Za-z]{2,}\d*(?:-[A-Za-z]+)+ | [A-Za-z]-[A-Za-z]{2,} | \d-d(?![\w^])   # Gauss-Hermite, k-th, 2-d
        | (?!Var_|mean_)[A-Za-z]{3,}(?:_[A-Za-z]{3,})+                                 # a name in code
        | [A-Za-z]{2,}(?:'s\b|s'(?=\s)))                                 # the loss's, losses'
  | (?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+\b)?)
  | (?P<name>d2?[A-Z](?![A-Za-z])|d[cpqstvw]2?(?![A-Za-z0-9])|[A-Za-z]+\d*)
  | (?P<sign>\.\.\.|\|\||<=|>=|!=|->|>>|<<|\+-|[-+=<>*/.,:;|'^_×])
  | (?P<bracket>[()\[\]{}])
  | (?P<other>.)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Node:
    """A piece: its ``kind`` (name, number, sign, group, bars, text), what it says, and its scripts.

    ``space``: a blank stands before it. A group or pair of bars holds ``items``; a group says its opening bracket. ``below``
    and ``above`` are subscript and superscript, ``primes`` how many primes it has.
    """

    kind: str
    says: str
    space: bool = False
    items: tuple[Node, ...] = ()
    below: tuple[Node, ...] = ()
    above: tuple[Node, ...] = ()
    primes: int = 0

    @property
    def scripted(self) -> bool:
        """Whether it has a script."""
        return bool(self.below or self.above or self.primes)


def read(text: str) -> tuple[Node, ...]:
    """Return the pieces of a text.

    >>> [(node.kind, node.says) for node in read("2 Tr P^2 <= x")]
    [('number', '2'), ('name', 'Tr'), ('name', 'P'), ('sign', '<='), ('name', 'x')]
    """
    return _with_scripts(_with_bars(_with_groups(list(_tokens(text)))))


def _tokens(text: str) -> Iterator[Node]:
    space = False
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        if kind == "space":
            space = True
            continue
        # f.f-: the representation of a negative.
        if kind == "sign" and match[0] == "-" and text[: match.start()].endswith("f"):
            before = text[: match.start() - 1]
            after = text[match.end() :]
            if not before[-1:].isalnum() and (not after or after[0] in " |)^"):
                yield Node("minus script", "-")
                continue
        yield Node("text" if kind == "other" else kind, match[0], space)
        space = False


def _with_groups(tokens: list[Node]) -> list[Node]:
    """Put what stands between matching brackets into groups; a bracket without its other half is text."""
    stack: list[tuple[Node, list[Node]]] = []
    level: list[Node] = []
    for token in tokens:
        if token.kind == "bracket" and token.says in OPEN:
            stack.append((token, level))
            level = []
        elif token.kind == "bracket":
            if stack and OPEN[stack[-1][0].says] == token.says:
                opening, outer = stack.pop()
                level = [*outer, Node("group", opening.says, opening.space, tuple(level))]
            else:
                level.append(replace(token, kind="text"))
        else:
            level.append(token)
    while stack:
        opening, outer = stack.pop()
        level = [*outer, replace(opening, kind="text"), *level]
    return level


def _with_bars(nodes: Sequence[Node]) -> list[Node]:
    """Pair bars of the same kind at the same level; inside [...] they part letters, and one that is left over stays a sign."""
    done: list[Node] = []
    for node in nodes:
        if node.kind == "group":
            inner = node.items if node.says == "[" and parts_letters(node.items) else _with_bars(node.items)
            node = replace(node, items=tuple(inner))
        done.append(node)
    found: list[Node] = []
    k = 0
    while k < len(done):
        node = done[k]
        if node.kind == "sign" and node.says in ("|", "||"):
            end = next(
                (j for j in range(k + 1, len(done)) if done[j].kind == "sign" and done[j].says == node.says), None
            )
            if end is not None and end > k + 1:
                found.append(Node("bars", node.says, node.space, tuple(_with_bars(done[k + 1 : end]))))
                k = end + 1
                continue
        found.append(node)
        k += 1
    return found


def parts_letters(items: Sequence[Node]) -> bool:
    """Whether bars in a bracket part letters, as in kappa[xx|xx'], and enclose nothing."""
    return all(node.kind == "name" or node.says in ("|", "'") for node in items)


def _with_scripts(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Hang subscripts, superscripts and primes on what stands before them."""
    found: list[Node] = []
    k = 0
    while k < len(nodes):
        node = nodes[k]
        if node.items:
            node = replace(node, items=_with_scripts(node.items))
        last = found[-1] if found else None
        holds = last is not None and last.kind in ("name", "number", "group", "bars")
        if node.kind == "minus script":
            if last is not None:
                found[-1] = replace(last, above=(Node("sign", "-"),))
        elif node.kind == "sign" and node.says in "_^" and holds and last is not None:
            script, k = _script(nodes, k + 1, node.says)
            if script:
                found[-1] = replace(last, below=script) if node.says == "_" else replace(last, above=script)
            elif node.says == "_":
                pass  # lambda_: the name of a parameter in code
            else:
                found.append(replace(node, kind="text"))
            continue
        elif node.kind == "sign" and node.says == "'" and holds and last is not None and not node.space:
            found[-1] = replace(last, primes=last.primes + 1)
        elif (
            node.kind == "sign"
            and node.says == "*"
            and holds
            and last is not None
            and _ends(nodes, k)
            and not node.space
        ):
            found[-1] = replace(last, above=(Node("sign", "*"),))
        elif node.kind == "sign" and node.says in "_^'":
            found.append(replace(node, kind="text"))
        else:
            found.append(node)
        k += 1
    return tuple(found)


def _ends(nodes: Sequence[Node], k: int) -> bool:
    """Whether nothing that a sign at k could act on follows it."""
    return k + 1 >= len(nodes) or nodes[k + 1].space or nodes[k + 1].kind in ("sign", "text")


def _script(nodes: Sequence[Node], k: int, mark: str) -> tuple[tuple[Node, ...], int]:
    """Return the script that starts at k, and where the text goes on."""
    if k >= len(nodes) or nodes[k].space:
        return (), k
    node = nodes[k]
    if node.kind == "group":
        return _with_scripts(node.items) or (replace(node, kind="text", says=""),), k + 1
    if node.kind in ("name", "number"):
        return (node,), k + 1
    if node.says in ("-", "+"):
        follows = k + 1 < len(nodes) and nodes[k + 1].kind == "number" and not nodes[k + 1].space
        return ((node, nodes[k + 1]), k + 2) if follows and mark == "^" else ((node,), k + 1)
    return (), k
