"""Programs over grids of small W: one array per entry, every operation once over many points, in buffers that are reused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.programs.cells import Cell, Unrolled
from symscape.programs.nodes import Node

Array = NDArray[np.floating[Any]]

#: Points that are worked on at a time: their buffers stay in the cache.
CHUNK = 12_288
#: Grids are unrolled for W of at most so many entries, at no fewer points, and in no more operations.
MOST_ENTRIES, FEWEST_POINTS, MOST_OPERATIONS = 16, 64, 2000


def suits_grid(W: Array) -> bool:
    """Whether these are many points of small W, of a float type."""
    points = int(np.prod(W.shape[:-2]))
    return points >= FEWEST_POINTS and 0 < W.shape[-1] * W.shape[-2] <= MOST_ENTRIES and W.dtype.kind == "f"


class GridProgram:
    """A program for W of shape (points, d1, d0), by entries. ``outputs``: nodes; ``names``: of the numbers of a call."""

    def __init__(self, outputs: Sequence[Node | None], d1: int, d0: int, names: Mapping[tuple[str, object], str]):
        unrolled = Unrolled(d1, d0, dict(names))
        tables = iter(unrolled.outputs([node for node in outputs if node is not None]))
        self._tables = [None if node is None else next(tables) for node in outputs]
        self._kinds = [None if node is None else node.kind for node in outputs]
        cells = [cell for table in self._tables if table is not None for row in table for cell in row]
        self._writer = _CellWriter(cells)
        self._local = threading.local()
        self.operations = len(self._writer.lines)
        self.source = self._writer.source(
            [name for (op, _), name in names.items() if op not in ("W", "V", "b", "kappa")]
        )
        namespace: dict[str, Any] = {"np": np}
        exec(compile(self.source, "<grid program>", "exec"), namespace)
        self._body: Callable[..., None] = namespace["body"]
        self._numbers: Callable[..., tuple[float, ...]] = namespace["numbers"]

    def __call__(
        self,
        arrays: Mapping[str, Array],
        inputs: Mapping[str, Any],
    ) -> list[Array | None]:
        """Return the outputs. ``arrays``: W, V and b, (points, rows, columns); ``inputs``: matrices and numbers by name."""
        points, dtype = len(arrays["W"]), arrays["W"].dtype
        numbers = self._numbers(**inputs)
        # One array an entry; the results are views with the axes of W.
        made = [None if t is None else np.empty((len(t), len(t[0]), points), dtype) for t in self._tables]
        flat = [row for result in made if result is not None for rows in result for row in rows]
        size = min(CHUNK, points)
        buffers = self._kept_buffers(size, dtype)
        entries = [arrays[name][:, i, j] for name, i, j in self._writer.entries]
        for low in range(0, points, size):
            part = slice(low, low + size)
            held = [np.ascontiguousarray(e[part]) for e in entries]
            here = min(size, points - low)
            self._body(held, numbers, list(buffers[:, :here]), [row[part] for row in flat])
        return [self._shaped(result, kind) for result, kind in zip(made, self._kinds, strict=True)]

    def _kept_buffers(self, size: int, dtype: np.dtype) -> Array:
        """Return buffers that are kept from call to call, one set a thread: fresh memory would cost as much as the sums."""
        kept: Array | None = getattr(self._local, "buffers", None)
        if kept is None or kept.shape[1] < size or kept.dtype != dtype:
            kept = self._local.buffers = np.empty((self._writer.registers, size), dtype)
        return kept

    @staticmethod
    def _shaped(result: Array | None, kind: str | None) -> Array | None:
        if result is None:
            return None
        if kind == "scalar":
            return result[0, 0]
        return np.moveaxis(result[:, 0] if kind == "vector" else result, -1, 0)


class _CellWriter:
    """Writes cells as array operations with ``out=``, and counts the buffers that they need."""

    def __init__(self, outputs: Sequence[Cell]):
        self._outputs = outputs
        self.lines: list[str] = []
        self.entries: list[tuple[str, int, int]] = []
        self.registers = 0
        self._numbers: dict[Cell, str] = {}
        self._place: dict[Cell, str] = {}
        self._free: list[str] = []
        order = _in_order(outputs)
        self._left: dict[Cell, int] = {}
        for cell in order:
            for used in cell.args:
                self._left[used] = self._left.get(used, 0) + 1
        places: dict[Cell, list[str]] = {}
        for k, cell in enumerate(outputs):
            places.setdefault(cell, []).append(f"o{k}")
        for cell in order:
            self._emit(cell, places.get(cell, []))

    def source(self, names: Sequence[str]) -> str:
        """Return the source of ``numbers``, what a call computes once, and of ``body``, what it does at every point."""
        numbers = [f"{source}," for source in (c.data for c in self._numbers)]
        unpack = []
        for stem, count in (
            ("e", len(self.entries)),
            ("n", len(self._numbers)),
            ("r", self.registers),
            ("o", len(self._outputs)),
        ):
            if count:
                unpack.append(f"{', '.join(f'{stem}{k}' for k in range(count))}, = {stem}")
        return "\n".join(
            [
                f"def numbers({', '.join(names)}):",
                f"    return ({' '.join(numbers)})",
                "def body(e, n, r, o):",
                *(f"    {line}" for line in (*unpack, *self.lines, "return None")),
            ]
        )

    def _number(self, cell: Cell) -> str:
        if cell not in self._numbers:
            self._numbers[cell] = f"n{len(self._numbers)}"
        return self._numbers[cell]

    def _register(self) -> str:
        if self._free:
            return self._free.pop()
        self.registers += 1
        return f"r{self.registers - 1}"

    def _release(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            self._left[cell] -= 1
            if self._left[cell] == 0 and self._place.get(cell, "").startswith("r"):
                self._free.append(self._place[cell])

    def _emit(self, cell: Cell, results: list[str]) -> None:
        if cell.constant:
            for out in results:
                self.lines.append(f"{out}[...] = {self._number(cell)}")
            return
        if cell.op == "entry":
            self._place[cell] = f"e{len(self.entries)}"
            self.entries.append(cell.data)
            for out in results:
                self.lines.append(f"{out}[...] = {self._place[cell]}")
            return
        if cell.op == "product":
            a, b = (self._place[x] for x in cell.args)
            self._release(cell.args)
            target = results[0] if results else self._register()
            self.lines.append(f"np.multiply({a}, {b}, out={target})")
        else:
            target = self._emit_sum(cell, results)
        self._place[cell] = target
        for out in results[1:]:
            self.lines.append(f"{out}[...] = {target}")

    def _emit_sum(self, cell: Cell, results: list[str]) -> str:
        pairs = sorted(zip(cell.data, cell.args, strict=True), key=lambda p: p[0].data != "1")
        varying = [(w, x) for w, x in pairs if not x.constant]
        constant = [w for w, x in pairs if x.constant]
        target = ""
        weight, x = varying[0]
        so_far = self._place[x]
        if weight.data != "1" or len(varying) + len(constant) == 1:
            self._release([x])
            target = results[0] if results else self._register()
            self.lines.append(f"np.multiply({so_far}, {self._number(weight)}, out={target})")
            so_far = target
            held: list[Cell] = []
        else:
            held = [x]
        for weight, x in varying[1:]:
            term = self._place[x]
            if weight.data not in ("1", "-1"):
                scaled = self._register()
                self.lines.append(f"np.multiply({term}, {self._number(weight)}, out={scaled})")
                term = scaled
            else:
                scaled = ""
            if not target:
                target = results[0] if results else self._register()
            verb = "subtract" if weight.data == "-1" else "add"
            self.lines.append(f"np.{verb}({so_far}, {term}, out={target})")
            so_far = target
            self._release([x])
            if scaled:
                self._free.append(scaled)
        for weight in constant:
            if not target:
                target = results[0] if results else self._register()
            self.lines.append(f"np.add({so_far}, {self._number(weight)}, out={target})")
            so_far = target
        self._release(held)
        return target


def _in_order(outputs: Sequence[Cell]) -> list[Cell]:
    seen: dict[Cell, None] = {}

    def visit(cell: Cell) -> None:
        if cell not in seen:
            for operand in cell.args:
                visit(operand)
            seen[cell] = None

    for output in outputs:
        visit(output)
    return list(seen)
