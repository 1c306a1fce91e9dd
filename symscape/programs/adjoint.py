"""Derivatives backwards: of a sum of scalars by the moments and vectors they are made of."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from symscape.programs.nodes import SCALAR, Graph, Node, in_order


def adjoints(graph: Graph, seeds: Sequence[tuple[Node, Node]], leaves: Collection[Node]) -> dict[Node, Node]:
    """Return the derivative of the sum of slope times scalar, for ``seeds`` (scalar, slope), by each of the leaves."""
    parts: dict[Node, list[tuple[Node, Node]]] = {}
    for scalar, slope in seeds:
        parts.setdefault(scalar, []).append((graph.one, slope))
    found: dict[Node, Node] = {}
    for node in reversed(in_order([scalar for scalar, _ in seeds])):
        total = graph.sum(parts.get(node, ()))
        if total is None:
            continue
        if node in leaves:
            found[node] = total
        else:
            for operand, share in _shares(graph, node, total):
                parts.setdefault(operand, []).append(share)
    return found


def _shares(g: Graph, node: Node, up: Node) -> list[tuple[Node, tuple[Node, Node]]]:
    """Return (operand, (scalar, derivative)) for every operand of a node whose own derivative is ``up``."""
    one, args = g.one, node.args
    match node.op:
        case "dot":
            a, b = args
            return [(a, (up, b)), (b, (up, a))]
        case "total":
            return [(args[0], (up, g.ones()))]
        case "apply":
            a, v = args
            return [(a, (one, g.outer(up, v))), (v, (one, g.apply(g.transpose(a), up)))]
        case "diagonal":
            return [(args[0], (one, g.diagonal_matrix(up)))]
        case "times":
            shares = []
            for k, factor in enumerate(args):
                rest = g.times(up, *args[:k], *args[k + 1 :])
                shares.append((factor, (one, rest)))
            return shares
        case "product":
            a, b = args
            return [(a, (one, g.product(up, g.transpose(b)))), (b, (one, g.product(g.transpose(a), up)))]
        case "transpose":
            return [(args[0], (one, g.transpose(up)))]
        case "scale_inner":
            a, v = args
            by_vector = g.apply(g.transpose(g.times(a, up)), g.ones())
            return [(a, (one, g.product(up, g.diagonal_matrix(v)))), (v, (one, by_vector))]
        case "scale_rows":
            v, a = args
            return [(a, (one, g.product(g.diagonal_matrix(v), up))), (v, (one, g.apply(g.times(a, up), g.ones())))]
        case "contraction":
            return [(part, (up, _contraction_derivative(g, node, k))) for k, part in enumerate(args)]
        case "ones" | "number" | "coefficient":
            return []
    raise AssertionError(f"no derivative of {node.op}")


def _contraction_derivative(g: Graph, node: Node, k: int) -> Node:
    subscripts, _ = node.data
    others = [(s, part) for j, (s, part) in enumerate(zip(subscripts, node.args, strict=True)) if j != k]
    missing = [c for c in subscripts[k] if all(c not in s for s, _ in others)]
    others += [(c, g.ones()) for c in missing]
    return g.contraction(tuple(s for s, _ in others), tuple(part for _, part in others), free=subscripts[k])


def slopes(graph: Graph, values: Sequence[Sequence[Node]], coefficients: Sequence[Node]) -> dict[Node, Node]:
    """Return, for a sum of coefficient times product of scalars, the derivative by each scalar."""
    parts: dict[Node, list[tuple[Node, Node]]] = {}
    for factors, coefficient in zip(values, coefficients, strict=True):
        for k, factor in enumerate(factors):
            rest = graph.times(coefficient, *factors[:k], *factors[k + 1 :])
            parts.setdefault(factor, []).append((rest, graph.one))
    found = {}
    for factor, terms in parts.items():
        total = graph.sum(terms)
        assert factor.kind == SCALAR
        if total is not None:
            found[factor] = total
    return found
