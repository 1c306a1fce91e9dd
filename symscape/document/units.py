"""Groups pieces of plain-text mathematics into what a fraction takes as one: f(x).f(y), log det A, Tr P M, and products."""

from __future__ import annotations

from collections.abc import Sequence

from symscape.document.reading import Node
from symscape.document.vocabulary import ACTING, DIFFERENTIALS, PREFIX, is_known

#: What a product before a slash can hold.
OPERANDS = frozenset(["name", "number", "group", "bars"])


def is_summand(node: Node) -> bool:
    """Whether a sum sign before this has something to sum; else it is the word."""
    return node.kind in ("number", "group", "bars", "sign") or _is_math_name(node)


def averages(units: Sequence[tuple[Node, ...]], k: int) -> bool:
    """Whether ``mean`` at k is an average of something, not the mean of the features."""
    if len(units[k]) > 1:
        return True
    after = units[k + 1][0] if k + 1 < len(units) else None
    return after is not None and after.kind == "name" and after.says != "mean"


def membership(units: Sequence[tuple[Node, ...]], k: int) -> tuple[str, int]:
    """Return "in" or "not in" between an element and a set as a sign, with the number of units it takes."""
    words = [unit[0].says for unit in units[k : k + 3]]
    taken = 1 if words[0] == "in" else 2 if words[:2] == ["not", "in"] else 0
    if not taken or not k or k + taken >= len(units):
        return "", 1
    element, whole = units[k - 1][-1], units[k + taken][0]
    if _is_math_name(element) and (whole.says == "[" or (_is_math_name(whole) and whole.says[0].isupper())):
        return (r"\in" if taken == 1 else r"\notin"), taken
    return "", 1


def units_of(nodes: Sequence[Node]) -> list[tuple[Node, ...]]:
    """Group what a fraction takes as one: f(x), f(x).f(y), log(...), Tr P M."""
    units: list[tuple[Node, ...]] = []
    k = 0
    while k < len(nodes):
        unit = [nodes[k]]
        k += 1
        if unit[0].kind == "name" and _is_math_name(unit[0]):
            if unit[0].says in PREFIX and k < len(nodes) and nodes[k].space:
                if unit[0].says == "Tr":
                    while k < len(nodes) and _is_matrix(nodes, k):
                        unit.append(nodes[k])
                        k += 1
                elif nodes[k].kind in ("group", "name") and _is_argument(nodes[k]):
                    unit.append(nodes[k])
                    k += 1
            elif k < len(nodes) and nodes[k].kind == "group" and not nodes[k].space:
                unit.append(nodes[k])
                k += 1
        while k + 1 < len(nodes) and _is_dot(nodes, k) and unit[-1].kind in ("name", "group"):
            unit += nodes[k : k + 2]
            k += 2
            if nodes[k - 1].kind == "name" and k < len(nodes) and nodes[k].kind == "group" and not nodes[k].space:
                unit.append(nodes[k])
                k += 1
        units.append(tuple(unit))
    return units


def _is_dot(nodes: Sequence[Node], k: int) -> bool:
    return (
        nodes[k].says == "."
        and not nodes[k].space
        and not nodes[k + 1].space
        and nodes[k + 1].kind in ("name", "group")
    )


def _is_argument(node: Node) -> bool:
    return node.kind == "group" or (_is_math_name(node) and node.says not in ("E", "Tr", "sum", "mean", *PREFIX))


def _is_matrix(nodes: Sequence[Node], k: int) -> bool:
    node = nodes[k]
    if node.kind == "group":
        return node.says == "("
    if node.kind != "name":
        return False
    if node.says == "o":
        return k + 1 < len(nodes) and nodes[k + 1].kind == "name"
    return (len(node.says) == 1 and node.says.isupper() and node.says != "E") or node.says in ("Sigma", "PM", "MP")


def _is_math_name(node: Node) -> bool:
    return node.kind == "name" and is_known(node.says)


def numerator(units: Sequence[tuple[Node, ...]], slash: int) -> int:
    """Return where the product before a slash starts: after a sign, an expectation, a sum, a word or another fraction."""
    k = slash
    if k and units[k - 1][0].kind == "name" and units[k - 1][0].says.rstrip("2") in (*DIFFERENTIALS, "d2L"):
        return k - 1
    while k and units[k - 1][0].kind in OPERANDS and (k < 2 or units[k - 2][0].says != "/"):
        first = units[k - 1][0]
        if first.kind == "name" and (not is_known(first.says) or (first.says in ACTING and len(units[k - 1]) == 1)):
            break
        k -= 1
    return k


def denominator(units: Sequence[tuple[Node, ...]], slash: int) -> int:
    """Return where the factor after a slash ends: a sum or an expectation takes with it what it acts on."""
    first, end = units[slash + 1], slash + 2
    if first[0].kind == "name" and first[0].says in ACTING and len(first) == 1:
        while end < len(units) and units[end][0].kind in OPERANDS:
            end += 1
    return end
