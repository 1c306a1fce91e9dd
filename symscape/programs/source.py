"""Nodes as source code: straight lines of array operations, for one W or for a batch, in the dialect of an array library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from symscape.programs.nodes import LETTER, MEAN, SCALAR, SQUARE, VECTOR, Node, in_order, number_text, operands


@dataclass(frozen=True)
class Dialect:
    """How an array library writes what differs. ``in_place``: arrays that are no longer needed are overwritten."""

    xp: str
    batched: bool
    in_place: bool = False
    transpose: str = ".T"
    eye: str = "{xp}.eye({d1})"
    ones: str = "{xp}.ones({d1})"
    diagonal: str = "{xp}.diagonal({0}, axis1=-2, axis2=-1).copy()"


#: The most terms of one expression.
LONGEST = 50
#: One W at a time, and batches along leading axes.
NUMPY_SINGLE = Dialect("np", batched=False, in_place=True)
NUMPY_BATCH = Dialect("np", batched=True, in_place=True, transpose=".swapaxes(-1, -2)")


@dataclass
class Writer:
    """Writes the lines that compute some nodes. ``names``: of inputs, and of moments that have one (P, M)."""

    dialect: Dialect
    names: Mapping[tuple[str, object], str]
    lines: list[str] = field(default_factory=list)

    def write(self, outputs: Sequence[Node]) -> list[str]:
        """Write the lines; return the expressions of the outputs."""
        self._name: dict[Node, str] = {}
        self._taken: set[str] = {name for (op, _), name in self.names.items() if op != "gram"}
        self._left: dict[Node, int] = {}
        nodes = in_order(outputs)
        for node in (*nodes, None):
            for used in map(_owner, outputs if node is None else operands(node)):
                self._left[used] = self._left.get(used, 0) + 1
        for node in nodes:
            self._emit(node)
            for used in map(_owner, operands(node)):
                self._left[used] -= 1
        return [self.text(node) for node in outputs]

    # Names

    def text(self, node: Node) -> str:
        """Return what stands for a node in a line."""
        if node.op == "transpose":
            return f"{self.text(node.args[0])}{self.dialect.transpose}"
        return self._name[node]

    def _new(self, node: Node, wanted: str = "") -> str:
        stem = wanted or {SCALAR: "s", VECTOR: "v", SQUARE: "Y"}.get(node.kind, "G")
        name, k = stem, 1
        while name in self._taken or (not wanted and k == 1):
            name, k = f"{stem}{k}", k + 1
        self._taken.add(name)
        self._name[node] = name
        return name

    # Lines

    def _emit(self, node: Node) -> None:
        given = self.names.get((node.op, node.data))
        if node.op == "transpose":
            return
        if node.op == "number":
            self._name[node] = number_text(node.data)
        elif node.kind in (LETTER, MEAN) or node.op in ("W", "V", "b", "kappa", "coefficient"):
            assert given is not None
            self._name[node] = given
        elif node.op == "sum":
            self._emit_sum(node)
        elif node.op == "plus" and len(node.args) > LONGEST:
            # Python's parser does not take thousands of terms in one expression.
            texts = [self.text(a) for a in node.args]
            self._assign(node, _joined(texts[:LONGEST]))
            for k in range(LONGEST, len(texts), LONGEST):
                self.lines.append(f"{self._name[node]} = {_joined([self._name[node], *texts[k : k + LONGEST]])}")
        elif node.op in ("times", "plus") and node.kind == SCALAR and self._left.get(node, 0) == 1:
            self._name[node] = f"({self._expression(node)})"
        else:
            self._assign(node, self._expression(node))

    def _assign(self, node: Node, expression: str) -> None:
        wanted = str(self.names.get((node.op, node.data), "")) if node.op == "gram" else ""
        if node.op == "right":
            wanted = f"{self.text(node.args[0])}_{self.text(node.args[1])}"
        self.lines.append(f"{self._new(node, wanted)} = {expression}")

    def _emit_sum(self, node: Node) -> None:
        pairs = list(zip(node.data, node.args, strict=True))
        if not self.dialect.in_place:
            self._assign(node, _joined([self._scaled(c, x) for c, x in pairs]))
            return
        spare = [p for p in pairs if self._is_spare(p[1])]
        start = next((p for p in spare if _is_number(p[0], 1)), spare[0] if spare else None)
        if start is None:
            # What is built must have the shape of the batch from its first line on.
            pairs.sort(key=lambda p: (not (p[0].varies or p[1].varies), not _is_number(p[0], 1)))
            start, *rest = pairs
            second = [rest.pop(0)] if rest and _is_number(start[0], 1) else []
            self._assign(node, _joined([self._scaled(c, x) for c, x in (start, *second)]))
            name = self._name[node]
        else:
            rest = [p for p in pairs if p is not start]
            name = self._name[node] = self.text(start[1])
            if not _is_number(start[0], 1):
                self.lines.append(f"{name} *= {self._spread(start[0], start[1])}")
        for c, x in rest:
            if _is_number(c, 1) or _is_number(c, -1):
                self.lines.append(f"{name} {'+' if c.data == 1 else '-'}= {self.text(x)}")
            elif self._is_spare(x):
                self.lines.append(f"{self.text(x)} *= {self._spread(c, x)}")
                self.lines.append(f"{name} += {self.text(x)}")
            else:
                self.lines.append(f"{name} += {self._scaled(c, x)}")

    def _is_spare(self, node: Node) -> bool:
        """Whether an array belongs to this program and has its last use here."""
        made = (
            "right",
            "scale_columns",
            "gram",
            "left",
            "product",
            "sum",
            "times",
            "scale_rows",
            "scale_inner",
            "apply",
        )
        return node.op in made and node.varies and self._left.get(node, 0) == 1 and node.kind != SCALAR

    def _scaled(self, c: Node, x: Node) -> str:
        if _is_number(c, 1):
            return self.text(x)
        if _is_number(c, -1):
            return f"-{self.text(x)}"
        return f"{self._spread(c, x)} * {self.text(x)}"

    def _spread(self, scalar: Node, over: Node) -> str:
        """Return a scalar in the shape that multiplies vectors or matrices of a batch."""
        text = self.text(scalar)
        if not (self.dialect.batched and scalar.varies) or over.kind == SCALAR:
            return text
        return f"{text}[..., None]" if over.kind == VECTOR else f"{text}[..., None, None]"

    def _expression(self, node: Node) -> str:
        d = self.dialect
        t = [self.text(a) for a in node.args]
        match node.op:
            case "right":
                if d.batched and d.in_place and node.args[0].op in ("W", "V"):
                    return f"({t[0]}.reshape(-1, {t[0]}.shape[-1]) @ {t[1]}).reshape({t[0]}.shape)"
                return f"{t[0]} @ {t[1]}"
            case "left" | "product":
                return f"{t[0]} @ {t[1]}"
            case "scale_columns":
                return f"{t[0]} * {t[1]}"
            case "gram":
                return f"{t[0]} @ {t[1]}{d.transpose}"
            case "image":
                return f"{t[0]} @ {t[1]}"
            case "apply":
                if node.args[1].op == "ones":
                    return f"{t[0]}.sum(-1)"
                return f"({t[0]} @ {t[1]}[..., None])[..., 0]" if d.batched else f"{t[0]} @ {t[1]}"
            case "spread" | "outer":
                return f"{t[0]}[..., :, None] * {t[1]}" + ("[..., None, :]" if node.op == "outer" else "")
            case "diagonal":
                return d.diagonal.format(t[0], xp=d.xp)
            case "diagonal_matrix":
                return f"{t[0]}[..., :, None] * {d.eye.format(xp=d.xp, d1='W.shape[-2]')}"
            case "scale_rows":
                return f"{t[0]}[..., :, None] * {t[1]}"
            case "scale_inner":
                return f"{t[0]} * {t[1]}[..., None, :]"
            case "eye":
                return d.eye.format(xp=d.xp, d1="W.shape[-2]")
            case "ones":
                return d.ones.format(xp=d.xp, d1="W.shape[-2]")
            case "dot":
                if not d.batched:
                    return f"{d.xp}.vdot({t[0]}, {t[1]})"
                one = "...i" if node.args[0].kind == VECTOR else "...ij"
                return f'{d.xp}.einsum("{one},{one}->...", {t[0]}, {t[1]})'
            case "total":
                return f"{t[0]}.sum(-1)"
            case "contraction":
                subscripts, free = node.data
                inside = ",".join("..." + s for s in subscripts)
                return f'{d.xp}.einsum("{inside}->...{free}", {", ".join(t)})'
            case "times":
                return " * ".join(self._spread(a, node) if a.kind == SCALAR else self.text(a) for a in node.args)
            case "plus":
                return _joined(t)
        raise AssertionError(f"no source for {node.op}")


def _owner(node: Node) -> Node:
    """Return the node that holds the memory: a transpose is a view."""
    return node.args[0] if node.op == "transpose" else node


def _is_number(node: Node, value: float) -> bool:
    return node.op == "number" and node.data == value


def _joined(terms: Sequence[str]) -> str:
    return " + ".join(terms).replace("+ -", "- ")
