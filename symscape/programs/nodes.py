"""Expressions in W as a graph of matrix operations, every product built once.

A node is a scalar, a vector of d1 outputs, a d1 x d1 square or a d1 x d0 tall matrix; letters are d0 x d0, means d0. Nodes are
made by a `Graph`, which returns the same node for the same operation on the same operands (so common products are shared) and
simplifies on the way: transposes of symmetric matrices, sums of sums, products with numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

SCALAR, VECTOR, SQUARE, TALL, LETTER, MEAN = "scalar", "vector", "square", "tall", "letter", "mean"


class Node:
    """One operation. ``varies``: depends on W. ``base``: the one symmetric matrix it is a polynomial in, if any."""

    __slots__ = ("args", "base", "data", "index", "kind", "op", "symmetric", "varies")

    def __init__(self, index: int, op: str, args: tuple[Node, ...], data: Any, kind: str, symmetric: bool, base: Any):
        self.index, self.op, self.args, self.data, self.kind = index, op, args, data, kind
        self.symmetric, self.base = symmetric, base
        self.varies: bool = op in ("W", "V", "b", "kappa") or any(a.varies for a in args)

    def __repr__(self) -> str:
        inner = ", ".join(map(repr, self.args))
        return f"{self.op}{'' if self.data is None else f'[{self.data}]'}({inner})"


Terms = Sequence[tuple[Node, Node]]


class Graph:
    """Makes nodes. ``kinds`` says of letters whether they are "dense", "diagonal" or the "identity"."""

    def __init__(self, kinds: dict[str, str] | None = None):
        self.kinds = dict(kinds or {})
        self._made: dict[tuple, Node] = {}
        self.one = self.number(1)

    def _node(
        self, op: str, args: Iterable[Node], kind: str, data: Any = None, symmetric: bool = False, base: Any = None
    ) -> Node:
        args = tuple(args)
        key = (op, tuple(a.index for a in args), data)
        if key not in self._made:
            self._made[key] = Node(len(self._made), op, args, data, kind, symmetric, base)
        return self._made[key]

    # Inputs

    def number(self, value: float) -> Node:
        """Return a constant."""
        return self._node("number", (), SCALAR, data=value)

    def coefficient(self, k: int) -> Node:
        """Return the coefficient of the k-th term, a number given at each call."""
        return self._node("coefficient", (), SCALAR, data=k)

    def kappa(self, k: int) -> Node:
        """Return the value of the k-th joint cumulant, computed elsewhere."""
        return self._node("kappa", (), SCALAR, data=k)

    def weights(self) -> Node:
        """Return W."""
        return self._node("W", (), TALL)

    def direction(self) -> Node:
        """Return V, a variation of W."""
        return self._node("V", (), TALL)

    def bias(self) -> Node:
        """Return b, d1."""
        return self._node("b", (), VECTOR)

    def letter(self, name: str) -> Node:
        """Return a symmetric d0 x d0 matrix."""
        return self._node("letter", (), LETTER, data=name, symmetric=True)

    def mean(self, name: str) -> Node:
        """Return a vector of d0."""
        return self._node("mean", (), MEAN, data=name)

    # With d0: the dear products

    def right(self, tall: Node, letter: str) -> Node:
        """Return tall @ letter."""
        kind = self.kinds.get(letter, "dense")
        if kind == "identity":
            return tall
        return self._node("scale_columns" if kind == "diagonal" else "right", (tall, self.letter(letter)), TALL)

    def gram(self, a: Node, b: Node, moment: str | None = None) -> Node:
        """Return a @ b^T of two tall matrices; ``moment``: it is W S W^T for this letter, hence symmetric."""
        return self._node("gram", (a, b), SQUARE, symmetric=moment is not None, base=moment, data=moment)

    def left(self, square: Node, tall: Node) -> Node:
        """Return square @ tall."""
        if square.op == "diagonal_matrix":
            return self._node("scale_rows", (square.args[0], tall), TALL)
        return self._node("left", (square, tall), TALL)

    def image(self, tall: Node, mean: str) -> Node:
        """Return tall @ mean."""
        return self._node("image", (tall, self.mean(mean)), VECTOR)

    def spread(self, vector: Node, mean: str) -> Node:
        """Return vector mean^T."""
        return self._node("spread", (vector, self.mean(mean)), TALL)

    # Among d1

    def product(self, a: Node, b: Node) -> Node:
        """Return a @ b of two squares."""
        if a.op == "eye" or b.op == "eye":
            return b if a.op == "eye" else a
        if b.op == "diagonal_matrix":
            return self._node("scale_inner", (a, b.args[0]), SQUARE)
        if a.op == "diagonal_matrix":
            return self._node("scale_rows", (a.args[0], b), SQUARE)
        if a.symmetric and b.symmetric and a.index > b.index:
            return self.transpose(self.product(b, a))
        base = a.base if a.base is not None and a.base == b.base else None
        symmetric = base is not None or (a is b and a.symmetric)
        return self._node("product", (a, b), SQUARE, symmetric=symmetric, base=base)

    def transpose(self, a: Node) -> Node:
        """Return the transpose of a square."""
        if a.symmetric:
            return a
        if a.op == "sum":
            turned = self.sum([(c, self.transpose(x)) for c, x in zip(a.data, a.args, strict=True)])
            assert turned is not None
            return turned
        return a.args[0] if a.op == "transpose" else self._node("transpose", (a,), SQUARE)

    def apply(self, a: Node, v: Node) -> Node:
        """Return a @ v of a square and a vector."""
        return self._with_scalars_in_front((a, v), lambda x, y: self._node("apply", (x, y), VECTOR))

    def diagonal(self, a: Node) -> Node:
        """Return the diagonal of a square."""
        return self._node("diagonal", (a,), VECTOR)

    def diagonal_matrix(self, v: Node) -> Node:
        """Return the square with a given diagonal."""
        return self._node("diagonal_matrix", (v,), SQUARE, symmetric=True)

    def outer(self, u: Node, v: Node) -> Node:
        """Return u v^T of two vectors."""
        return self._with_scalars_in_front((u, v), lambda x, y: self._node("outer", (x, y), SQUARE, symmetric=x is y))

    def eye(self) -> Node:
        """Return the d1 x d1 identity."""
        return self._node("eye", (), SQUARE, symmetric=True)

    def ones(self) -> Node:
        """Return a vector of ones."""
        return self._node("ones", (), VECTOR)

    def contraction(self, subscripts: tuple[str, ...], parts: Sequence[Node], free: str = "") -> Node:
        """Return the sum over all indices that are not ``free`` of the product of entries of squares and vectors."""
        kind = (SCALAR, VECTOR, SQUARE)[len(free)]
        return self._node("contraction", parts, kind, data=(subscripts, free))

    # Any kind

    def dot(self, a: Node, b: Node) -> Node:
        """Return the sum of products of entries."""
        if a.index > b.index:
            a, b = b, a
        return self._node("dot", (a, b), SCALAR)

    def total(self, v: Node) -> Node:
        """Return the sum of the entries of a vector."""
        return self._node("total", (v,), SCALAR)

    def times(self, *factors: Node) -> Node:
        """Return the product entry by entry of nodes of one kind; numbers are multiplied out."""
        flat = [g for f in factors for g in (f.args if f.op == "times" else (f,))]
        kind = flat[0].kind
        if kind == SCALAR:
            value = 1.0
            for f in flat:
                if f.op == "number":
                    value *= f.data
            flat = [f for f in flat if f.op != "number"]
            if value == 0 or not flat:
                return self.number(value)
            if value != 1:
                flat.append(self.number(value))

        def plain(*factors: Node) -> Node:
            left = [f for f in factors if f.op != "ones"] or list(factors[:1])
            if len(left) == 1:
                return left[0]
            left.sort(key=lambda f: f.index)
            return self._node("times", left, kind, symmetric=all(f.symmetric for f in left))

        return plain(*flat) if kind == SCALAR else self._with_scalars_in_front(flat, plain)

    def _with_scalars_in_front(self, factors: Sequence[Node], make: Callable[..., Node]) -> Node:
        """Return a product of vectors or squares, the scalars in front of its factors in front of it."""
        single = [f.op == "sum" and len(f.args) == 1 for f in factors]
        scalars = [f.data[0] for f, s in zip(factors, single, strict=True) if s]
        made = make(*(f.args[0] if s else f for f, s in zip(factors, single, strict=True)))
        scaled = self.sum([(self.times(*scalars), made)]) if scalars else made
        assert scaled is not None
        return scaled

    def sum(self, terms: Iterable[tuple[Node, Node]]) -> Node | None:
        """Return the sum of coefficient times node, all of one kind, None when it is empty."""
        merged: dict[int, tuple[list[Node], Node]] = {}
        for coefficient, node in terms:
            inner = zip(node.data, node.args, strict=True) if node.op == "sum" and _free(node) else [(self.one, node)]
            for c, x in inner:
                if x.kind == SCALAR and x.op == "number":
                    c, x = self.times(c, x), self.one
                merged.setdefault(x.index, ([], x))[0].append(self.times(coefficient, c))
        pairs = [(self._total_of(cs), x) for cs, x in merged.values()]
        pairs = [(c, x) for c, x in pairs if not (c.op == "number" and c.data == 0)]
        diagonals = [(c, x.args[0]) for c, x in pairs if x.op == "diagonal_matrix"]
        if len(diagonals) > 1 or (diagonals and len(pairs) == 1 and pairs[0][0] is not self.one):
            rest = [(c, x) for c, x in pairs if x.op != "diagonal_matrix"]
            together = self.sum(diagonals)
            return self.sum([*rest, *([(self.one, self.diagonal_matrix(together))] if together is not None else [])])
        if not pairs:
            return None
        kind = pairs[0][1].kind
        if kind == SCALAR:
            return self._scalar_sum(pairs)
        if len(pairs) == 1 and pairs[0][0] is self.one:
            return pairs[0][1]
        base = pairs[0][1].base
        same = base is not None and all(x.base == base for _, x in pairs)
        held = {(c.index, x.index) for c, x in pairs}
        symmetric = kind == SQUARE and all(x.symmetric or (c.index, self.transpose(x).index) in held for c, x in pairs)
        key = ("sum", tuple((c.index, x.index) for c, x in pairs))
        if key not in self._made:
            node = Node(
                len(self._made), "sum", tuple(x for _, x in pairs), None, kind, symmetric, base if same else None
            )
            node.data = tuple(c for c, _ in pairs)
            node.varies = node.varies or any(c.varies for c in node.data)
            self._made[key] = node
        return self._made[key]

    def _total_of(self, coefficients: list[Node]) -> Node:
        return coefficients[0] if len(coefficients) == 1 else self._scalar_sum([(self.one, c) for c in coefficients])

    def _scalar_sum(self, pairs: Terms) -> Node:
        constant = sum(c.data * x.data for c, x in pairs if c.op == x.op == "number")
        terms = [self.times(c, x) for c, x in pairs if not (c.op == x.op == "number")]
        counted: dict[int, list[Any]] = {}
        for term in terms:
            number, rest = self._split(term)
            counted.setdefault(rest.index, [0.0, rest])[0] += number
        found = [self.times(self.number(n), rest) for n, rest in counted.values() if n != 0]
        if constant:
            found.append(self.number(constant))
        if not found:
            return self.number(0)
        if len(found) == 1:
            return found[0]
        return self._node("plus", sorted(found, key=lambda f: f.index), SCALAR)

    def _split(self, term: Node) -> tuple[float, Node]:
        if term.op == "times" and any(f.op == "number" for f in term.args):
            rest = [f for f in term.args if f.op != "number"]
            return next(f.data for f in term.args if f.op == "number"), self.times(*rest)
        return 1.0, term


def _free(node: Node) -> bool:
    """Whether a sum may be dissolved into a larger one: it costs little to form again."""
    return node.kind != TALL


def operands(node: Node) -> tuple[Node, ...]:
    """Return what a node is computed from, coefficients of a sum included."""
    return (*node.data, *node.args) if node.op == "sum" else node.args


def in_order(outputs: Sequence[Node]) -> list[Node]:
    """Return the nodes that outputs need, operands first."""
    done: dict[int, Node] = {}
    waiting = list(reversed(outputs))
    while waiting:
        node = waiting[-1]
        missing = [operand for operand in operands(node) if operand.index not in done]
        if node.index in done or not missing:
            waiting.pop()
            done.setdefault(node.index, node)
        else:
            waiting += reversed(missing)
    return list(done.values())


def number_text(value: float) -> str:
    """Return a number as source, integers without a point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
