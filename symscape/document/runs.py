"""Finds runs of mathematics in sentences: which pieces can be part of one, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence

from symscape.document.reading import Node
from symscape.document.vocabulary import COUNTED, ENGLISH, OPERATORS, RELATIONS, is_known


def weight(node: Node, before: Node | None) -> int:
    """Return 2 for what is mathematics wherever it stands, 1 for what can be part of it, 0 for words."""
    if node.kind == "name":
        if node.scripted:
            return 2
        if not is_known(node.says):
            return 0
        return 1 if node.says in ENGLISH else 2
    if node.kind == "number":
        return 2 if node.scripted or "e" in node.says else 1
    if node.kind == "sign":
        if node.says == ".":
            return int(
                not node.space and before is not None and before.kind in ("name", "group") and weight(before, None) == 2
            )
        return int(node.says in OPERATORS or node.says in RELATIONS or node.says == "...")
    if node.kind in ("group", "bars"):
        pairs = zip(node.items, (None, *node.items), strict=False)
        inner = [weight(n, last) for n, last in pairs if n.says not in (",", ";", ":", "|")]
        if not node.items or not all(inner):
            return 0
        if node.space and not node.scripted and any(n.says in RELATIONS for n in node.items):
            return 0  # a remark in brackets
        if node.scripted or node.kind == "bars":
            return 2
        attached = before is not None and not node.space and before.kind == "name" and is_known(before.says)
        return (
            2 if attached or 2 in inner else 1 if any(n.says in OPERATORS for n in node.items) else int(len(inner) > 1)
        )
    return 0


def trimmed(nodes: Sequence[Node], first: int, last: int) -> tuple[int, int]:
    """Draw in the ends of a run that are words or punctuation after all."""
    changed = True
    while changed and first < last:
        changed = False
        node, after = nodes[first], nodes[first + 1] if first + 1 < last else None
        acts = after is not None and (
            after.says in OPERATORS | RELATIONS or (after.kind == "group" and not after.space)
        )
        if node.kind == "name" and not node.scripted and node.says in ENGLISH and not acts:
            changed = after is None or not _takes(node.says, after)
        elif node.kind == "number" and after is not None and after.space and first and nodes[first - 1].says in COUNTED:
            changed = after.kind == "name"
        elif (node.says in ("*", "/", ".", "×", "...") and node.kind == "sign") or (
            node.says in ("+", "-") and node.kind == "sign" and (after is None or after.space)
        ):
            changed = True
        if changed:
            first += 1
            continue
        node, before = nodes[last - 1], nodes[last - 2] if last - 1 > first else None
        follows = before is not None and before.says in OPERATORS | RELATIONS and before.kind == "sign"
        if node.kind == "sign" and node.says not in RELATIONS:
            changed = not (node.says == "..." and follows)
        elif node.kind == "name" and not node.scripted and node.says in ENGLISH:
            wanted = {"mean": ("W", "mean"), "cos": ("E",)}.get(node.says, ())
            stands = follows and node.says in ("mean", "a", "A", "I")
            changed = not stands and (before is None or before.says not in wanted)
        elif node.kind == "number" and not node.scripted and "e" not in node.says:
            changed = before is not None and not follows and not _is_identity(nodes, first, last)
        if changed:
            last -= 1
    return first, last


def _takes(word: str, after: Node) -> bool:
    """Whether a word that can be a function has an argument in what follows it."""
    if word == "sum":
        return after.kind == "group" or after.scripted
    return after.kind in ("name", "bars", "group") and word not in ("a", "A", "I", "mean")


def _is_identity(nodes: Sequence[Node], first: int, last: int) -> bool:
    """Whether a run ends with a matrix 1, as in B - gamma 1."""
    percent = last < len(nodes) and nodes[last].says == "%"
    acts = last - 3 >= first and nodes[last - 3].says in ("+", "-")
    return nodes[last - 1].says == "1" and acts and not percent


def is_mathematics(nodes: Sequence[Node]) -> bool:
    """Whether a run is mathematics: something in it is beyond doubt, or an operation stands between numbers."""
    if len(nodes) == 2 and nodes[0].says in ("+", "-", "+-") and nodes[1].kind == "number" and not nodes[1].space:
        return True
    if any(weight(node, nodes[k - 1] if k else None) == 2 for k, node in enumerate(nodes)):
        return True
    acts = any(node.kind == "sign" and node.says in OPERATORS | RELATIONS for node in nodes)
    return acts and sum(node.kind in ("number", "name", "group") for node in nodes) > 1
