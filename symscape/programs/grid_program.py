"""Programs over grids of small W: one array per entry, every operation once over many points, in buffers that are reused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from math import prod
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
    points = prod(W.shape[:-2])
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
            self._body(held, numbers, [buffer[:here] for buffer in buffers], [row[part] for row in flat])
        return [self._shaped(result, kind) for result, kind in zip(made, self._kinds, strict=True)]

    def _kept_buffers(self, size: int, dtype: np.dtype) -> list[Array]:
        """Return buffers that are kept from call to call, one set a thread: fresh memory would cost as much as the sums."""
        kept: list[Array] | None = getattr(self._local, "buffers", None)
        if kept is None or (kept and (len(kept[0]) < size or kept[0].dtype != dtype)):
            # One array each: rows of one array, a multiple of 4096 bytes apart, would share the same lines of the cache.
            kept = self._local.buffers = [np.empty(size, dtype) for _ in range(self._writer.registers)]
        return kept

    @staticmethod
    def _shaped(result: Array | None, kind: str | None) -> Array | None:
        if result is None:
            return None
        if kind == "scalar":
            return result[0, 0]
        return result[:, 0].T if kind == "vector" else result.transpose(2, 0, 1)


class _CellWriter:
    """Writes cells as array operations with ``out=``, and counts the buffers that they need.

    Sums are added up term by term as the terms are made, so that few buffers are held at a time.
    """

    def __init__(self, outputs: Sequence[Cell]):
        self.lines: list[str] = []
        self.entries: list[tuple[str, int, int]] = []
        self.registers = 0
        self._count = len(outputs)
        self._numbers: dict[Cell, str] = {}
        self._place: dict[Cell, str] = {}
        self._free: list[str] = []
        self._left: dict[Cell, int] = {}
        for cell in _reached(outputs):
            for used in cell.args:
                self._left[used] = self._left.get(used, 0) + 1
        self._results: dict[Cell, list[str]] = {}
        for k, cell in enumerate(outputs):
            self._results.setdefault(cell, []).append(f"o{k}")
        for cell in self._results:
            self._emit(cell)

    def source(self, names: Sequence[str]) -> str:
        """Return the source of ``numbers``, what a call computes once, and of ``body``, what it does at every point."""
        counts = {"e": len(self.entries), "n": len(self._numbers), "r": self.registers, "o": self._count}
        unpack = [f"{''.join(f'{stem}{k}, ' for k in range(n))}= {stem}" for stem, n in counts.items() if n]
        return "\n".join(
            [
                f"def numbers({', '.join(names)}):",
                f"    return ({' '.join(f'{cell.data},' for cell in self._numbers)})",
                "def body(e, n, r, o):",
                *(f"    {line}" for line in (*unpack, *self.lines, "return None")),
            ]
        )

    def _number(self, cell: Cell) -> str:
        return self._numbers.setdefault(cell, f"n{len(self._numbers)}")

    def _target(self, cell: Cell) -> str:
        """Return where a cell goes: an output, or a buffer that is free."""
        if cell in self._results:
            return self._results[cell][0]
        return self._free.pop() if self._free else self._fresh()

    def _release(self, *cells: Cell) -> None:
        for cell in cells:
            self._left[cell] -= 1
            if self._left[cell] == 0 and self._place[cell].startswith("r"):
                self._free.append(self._place[cell])

    def _emit(self, cell: Cell) -> None:
        if cell in self._place:
            return
        if cell.constant:
            self.lines += [f"{out}[...] = {self._number(cell)}" for out in self._results[cell]]
            return
        if cell.op == "entry":
            place = f"e{len(self.entries)}"
            self.entries.append(cell.data)
            self.lines += [f"{out}[...] = {place}" for out in self._results.get(cell, [])]
        else:
            place = self._emit_product(cell) if cell.op == "product" else self._emit_sum(cell)
            self.lines += [f"{out}[...] = {place}" for out in self._results.get(cell, [])[1:]]
        self._place[cell] = place

    def _emit_product(self, cell: Cell) -> str:
        a, b = cell.args
        self._emit(a)
        self._emit(b)
        self._release(a, b)
        target = self._target(cell)
        self.lines.append(f"np.multiply({self._place[a]}, {self._place[b]}, out={target})")
        return target

    def _emit_sum(self, cell: Cell) -> str:
        pairs = sorted(zip(cell.data, cell.args, strict=True), key=lambda p: (p[1].constant, p[0].data != "1"))
        (weight, first), *rest = pairs
        self._emit(first)
        so_far, target, waiting = self._place[first], "", [first]
        if weight.data != "1" or not rest:
            self._release(*waiting)
            target, waiting = self._target(cell), []
            self.lines.append(f"np.multiply({so_far}, {self._number(weight)}, out={target})")
            so_far = target
        for weight, x in rest:
            if x.constant:
                term, used = self._number(weight), []
            else:
                self._emit(x)
                term, used = self._place[x], [x]
                if weight.data not in ("1", "-1"):
                    self._release(x)
                    scaled = self._free.pop() if self._free else self._fresh()
                    self.lines.append(f"np.multiply({term}, {self._number(weight)}, out={scaled})")
                    term, used = scaled, []
                    self._free.append(scaled)
            # Whatever has its last use in this line may hold its result.
            self._release(*waiting, *used)
            verb = "subtract" if weight.data == "-1" and not x.constant else "add"
            target, waiting = target or self._target(cell), []
            self.lines.append(f"np.{verb}({so_far}, {term}, out={target})")
            so_far = target
        return target

    def _fresh(self) -> str:
        self.registers += 1
        return f"r{self.registers - 1}"


def _reached(outputs: Sequence[Cell]) -> list[Cell]:
    seen: dict[Cell, None] = {}
    waiting = list(outputs)
    while waiting:
        cell = waiting.pop()
        if cell not in seen:
            seen[cell] = None
            waiting += cell.args
    return list(seen)
