"""Derivatives forwards: how nodes change when W moves along V. Of a gradient, this is the Hessian-vector product."""

from __future__ import annotations

from symscape.programs.nodes import Graph, Node, in_order


def tangent(graph: Graph, output: Node) -> Node | None:
    """Return the derivative of a node along W -> W + t V, None where it is zero."""
    made: dict[Node, Node | None] = {}
    for node in in_order([output]):
        made[node] = _tangent(graph, node, made) if node.varies else None
    return made[output]


def _tangent(g: Graph, node: Node, made: dict[Node, Node | None]) -> Node | None:
    one, args = g.one, node.args
    d = [made[a] for a in args]
    match node.op:
        case "W":
            return g.direction()
        case "b" | "kappa":
            return None
        case "right" | "scale_columns":
            return None if d[0] is None else g.right(d[0], args[1].data)
        case "gram":
            a, b = args
            if node.data is None:
                return g.sum(
                    [(one, g.gram(x, y)) for x, y in ((d[0], b), (a, d[1])) if x is not None and y is not None]
                )
            # W S W^T moves by W S V^T and its transpose: no further product with S.
            half = g.gram(a, g.direction())
            return g.sum([(one, half), (one, g.transpose(half))])
        case "image":
            return None if d[0] is None else g.image(d[0], args[1].data)
        case "spread":
            return None if d[0] is None else g.spread(d[0], args[1].data)
        case "transpose" | "diagonal" | "diagonal_matrix" | "total":
            return None if d[0] is None else getattr(g, node.op)(d[0])
        case "sum":
            terms = [(c, x) for c, x in zip(node.data, d, strict=True) if x is not None]
            terms += [(dc, x) for c, x in zip(node.data, args, strict=True) if (dc := made[c]) is not None]
            return g.sum(terms)
        case "plus":
            return g.sum([(one, x) for x in d if x is not None])
        case "times":
            return g.sum([(one, g.times(*args[:k], x, *args[k + 1 :])) for k, x in enumerate(d) if x is not None])
        case "contraction":
            subscripts, free = node.data
            moved = [(*args[:k], x, *args[k + 1 :]) for k, x in enumerate(d) if x is not None]
            return g.sum([(one, g.contraction(subscripts, parts, free)) for parts in moved])
    # What is left is bilinear.
    a, b = args
    make = {
        "product": g.product,
        "left": g.left,
        "apply": g.apply,
        "dot": g.dot,
        "outer": g.outer,
        "scale_inner": lambda x, y: g.product(x, g.diagonal_matrix(y)),
        "scale_rows": lambda x, y: _scaled_rows(g, x, y),
    }[node.op]
    return g.sum([(one, make(x, y)) for x, y in ((d[0], b), (a, d[1])) if x is not None and y is not None])


def _scaled_rows(g: Graph, v: Node, matrix: Node) -> Node:
    square = g.diagonal_matrix(v)
    return g.left(square, matrix) if matrix.kind == "tall" else g.product(square, matrix)
