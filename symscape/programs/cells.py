"""Matrix nodes of small W, entry by entry: scalar cells that share their common parts, for programs over grids.

A cell is a number of the call (the same at every point of a grid), or varies from point to point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product as combinations
from typing import Any

from symscape.programs.nodes import LETTER, MEAN, SCALAR, SQUARE, TALL, VECTOR, Node, in_order, number_text, operands


class Cell:
    """A number of the call (``op`` "constant", its source in ``data``), an entry of W or V, a product, or a weighted sum."""

    __slots__ = ("args", "data", "index", "op")

    def __init__(self, index: int, op: str, args: tuple[Cell, ...], data: Any):
        self.index, self.op, self.args, self.data = index, op, args, data

    @property
    def constant(self) -> bool:
        """Whether it is the same at every point."""
        return self.op == "constant"


class Cells:
    """Makes cells; equal ones are made once."""

    def __init__(self) -> None:
        self._made: dict[tuple, Cell] = {}
        self.zero, self.one = self.constant("0"), self.constant("1")

    def _cell(self, op: str, args: Sequence[Cell], data: Any = None) -> Cell:
        key = (op, tuple(a.index for a in args), data if op != "sum" else tuple(c.index for c in data))
        if key not in self._made:
            self._made[key] = Cell(len(self._made), op, tuple(args), data)
        return self._made[key]

    def constant(self, source: str) -> Cell:
        """Return a number of the call."""
        return self._cell("constant", (), source)

    def entry(self, name: str, i: int, j: int) -> Cell:
        """Return an entry of W or V, or of the bias."""
        return self._cell("entry", (), (name, i, j))

    def times(self, a: Cell, b: Cell) -> Cell:
        """Return a product; a number times a weighted sum of entries is again one."""
        if self.zero in (a, b):
            return self.zero
        if a.constant and b.constant:
            if self.one in (a, b):
                return b if a is self.one else a
            first, second = sorted((a, b), key=lambda c: c.index)
            return self.constant(f"({first.data})*({second.data})")
        if b.constant:
            a, b = b, a
        if a.constant:
            return b if a is self.one else self.sum([(a, b)])
        return self._cell("product", sorted((a, b), key=lambda c: c.index))

    def sum(self, terms: Sequence[tuple[Cell, Cell]]) -> Cell:
        """Return a sum of number times cell; sums of one term dissolve in it."""
        weights: dict[int, tuple[list[Cell], Cell]] = {}
        for weight, cell in terms:
            if cell.op == "sum" and len(cell.args) == 1:
                weight, cell = self.times(weight, cell.data[0]), cell.args[0]
            if cell.constant:
                weight, cell = self.times(weight, cell), self.one
            if weight is not self.zero:
                weights.setdefault(cell.index, ([], cell))[0].append(weight)
        pairs = [(self._added(ws), cell) for ws, cell in weights.values()]
        if len(pairs) == 1 and (pairs[0][0] is self.one or pairs[0][1] is self.one):
            return pairs[0][1] if pairs[0][0] is self.one else pairs[0][0]
        return self._cell("sum", [c for _, c in pairs], tuple(w for w, _ in pairs)) if pairs else self.zero

    def distributed(self, weight: Cell, cell: Cell) -> Cell:
        """Return a number times a cell, multiplied into the weights of a sum that is used nowhere else."""
        if cell.op != "sum" or not weight.constant:
            return self.times(weight, cell)
        return self.sum([(self.times(weight, w), c) for w, c in zip(cell.data, cell.args, strict=True)])

    def _added(self, numbers: list[Cell]) -> Cell:
        return numbers[0] if len(numbers) == 1 else self.constant("+".join(f"({c.data})" for c in numbers))


Table = list[list[Cell]]


class Unrolled:
    """The cells of nodes for W of a given shape: matrices as lists of rows, vectors as columns of one, scalars 1 x 1."""

    def __init__(self, d1: int, d0: int, names: dict[tuple[str, object], str]):
        self.d1, self.d0, self.names, self.cells = d1, d0, names, Cells()

    def outputs(self, wanted: Sequence[Node]) -> list[Table]:
        """Return the cells of some nodes."""
        nodes = in_order(wanted)
        self._uses: dict[Node, int] = {}
        for used in (*wanted, *(o for node in nodes for o in operands(node))):
            self._uses[used] = self._uses.get(used, 0) + 1
        self._of: dict[Node, Table] = {}
        for node in nodes:
            self._of[node] = self._table(node)
        return [self._of[node] for node in wanted]

    def _shape(self, kind: str) -> tuple[int, int]:
        d1, d0 = self.d1, self.d0
        return {SCALAR: (1, 1), VECTOR: (d1, 1), SQUARE: (d1, d1), TALL: (d1, d0), LETTER: (d0, d0), MEAN: (d0, 1)}[
            kind
        ]

    def _filled(self, node: Node, cell: Callable[[int, int], Cell]) -> Table:
        rows, columns = self._shape(node.kind)
        table = [[self.cells.zero] * columns for _ in range(rows)]
        for i, j in combinations(range(rows), range(columns)):
            table[i][j] = table[j][i] if node.symmetric and j < i else cell(i, j)
        return table

    def _dotted(self, pairs: Sequence[tuple[Cell, Cell]]) -> Cell:
        """Return a sum of products; numbers become weights."""
        terms = []
        for a, b in pairs:
            if b.constant and not a.constant:
                a, b = b, a
            terms.append((a, b) if a.constant else (self.cells.one, self.cells.times(a, b)))
        return self.cells.sum(terms)

    def _table(self, node: Node) -> Table:
        cells, d1, d0 = self.cells, range(self.d1), range(self.d0)
        t = [self._of[a] for a in node.args]
        name = self.names.get((node.op, node.data))
        match node.op:
            case "number":
                return [[cells.constant(number_text(node.data))]]
            case "coefficient":
                return [[cells.constant(str(name))]]
            case "letter":
                return self._filled(node, lambda i, j: cells.constant(f"{name}[{i}][{j}]"))
            case "mean":
                return self._filled(node, lambda i, j: cells.constant(f"{name}[{i}]"))
            case "W" | "V" | "b":
                return self._filled(node, lambda i, j: cells.entry(node.op, i, j))
            case "eye":
                return self._filled(node, lambda i, j: cells.one if i == j else cells.zero)
            case "ones":
                return self._filled(node, lambda i, j: cells.one)
            case "right":
                return self._filled(node, lambda i, j: self._dotted([(t[0][i][k], t[1][k][j]) for k in d0]))
            case "scale_columns":
                numbers = self.names["letter", node.args[1].data]
                return self._filled(node, lambda i, j: cells.times(t[0][i][j], cells.constant(f"{numbers}[{j}]")))
            case "gram":
                return self._filled(node, lambda i, j: self._dotted([(t[0][i][k], t[1][j][k]) for k in d0]))
            case "image":
                return self._filled(node, lambda i, j: self._dotted([(t[0][i][k], t[1][k][0]) for k in d0]))
            case "left" | "product" | "apply":
                return self._filled(node, lambda i, j: self._dotted([(t[0][i][k], t[1][k][j]) for k in d1]))
            case "spread" | "outer":
                return self._filled(node, lambda i, j: cells.times(t[0][i][0], t[1][j][0]))
            case "transpose":
                return self._filled(node, lambda i, j: t[0][j][i])
            case "diagonal":
                return self._filled(node, lambda i, j: t[0][i][i])
            case "diagonal_matrix":
                return self._filled(node, lambda i, j: t[0][i][0] if i == j else cells.zero)
            case "scale_rows":
                return self._filled(node, lambda i, j: cells.times(t[0][i][0], t[1][i][j]))
            case "scale_inner":
                return self._filled(node, lambda i, j: cells.times(t[0][i][j], t[1][j][0]))
            case "dot":
                return [[self._dot(*node.args)]]
            case "total":
                return [[cells.sum([(cells.one, row[0]) for row in t[0]])]]
            case "plus":
                return [[cells.sum([(cells.one, x[0][0]) for x in t])]]
            case "times":
                return self._filled(node, lambda i, j: self._multiplied([x[i][j] for x in t]))
            case "sum":
                return self._summed(node)
            case "contraction":
                return self._filled(node, lambda i, j: self._contracted(node, i, j))
        raise AssertionError(f"no cells for {node.op}")

    def _dot(self, a: Node, b: Node) -> Cell:
        pairs = [(x, y) for r, s in zip(self._of[a], self._of[b], strict=True) for x, y in zip(r, s, strict=True)]
        if not (a.symmetric and b.symmetric and a.kind == SQUARE):
            return self._dotted(pairs)
        # Entries off the diagonal count twice.
        counted: dict[tuple[int, int], list[Any]] = {}
        for x, y in pairs:
            counted.setdefault((x.index, y.index), [0, x, y])[0] += 1
        cells = self.cells
        return cells.sum([(cells.constant(str(n)), cells.times(x, y)) for n, x, y in counted.values()])

    def _multiplied(self, factors: Sequence[Cell]) -> Cell:
        result = self.cells.one
        for factor in sorted(factors, key=lambda c: (not c.constant, c.index)):
            result = self.cells.times(result, factor)
        return result

    def _summed(self, node: Node) -> Table:
        cells = self.cells

        def entry(i: int, j: int) -> Cell:
            terms = []
            for c, x in zip(node.data, node.args, strict=True):
                (weight,), cell = self._of[c][0], self._of[x][i][j]
                alone = self._uses[x] == 1
                terms.append((cells.one, cells.distributed(weight, cell) if alone else cells.times(weight, cell)))
            if len(terms) == 1:
                return terms[0][1]
            # A sum that is used nowhere else is added term by term.
            flat: list[tuple[Cell, Cell]] = []
            for (one, cell), x in zip(terms, node.args, strict=True):
                alone = cell.op == "sum" and self._uses[x] == 1
                flat += zip(cell.data, cell.args, strict=True) if alone else [(one, cell)]
            return cells.sum(flat)

        return self._filled(node, entry)

    def _contracted(self, node: Node, i: int, j: int) -> Cell:
        subscripts, free = node.data
        bound = sorted({c for s in subscripts for c in s} - set(free))
        terms = []
        for values in combinations(range(self.d1), repeat=len(bound)):
            place = dict(zip(bound, values, strict=True)) | dict(zip(free, (i, j), strict=False))
            factors = []
            for s, part in zip(subscripts, node.args, strict=True):
                table = self._of[part]
                factors.append(table[place[s[0]]][place[s[1]] if len(s) == 2 else 0])
            terms.append((self.cells.one, self._multiplied(factors)))
        return self.cells.sum(terms)
