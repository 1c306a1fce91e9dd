"""A polynomial in words, compiled: value, gradient and Hessian-vector product as straight lines of matrix products.

    W -> W S -> R = W S W^T, v = W m + b -> words -> value,

and the derivative by W is the sum of (Y + Y^T) W S, Y the derivative by R. Programs are made when they are first run, one for a
single W and one for batches; grids of small W have their own (see `grid_program`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from symscape.algebra.words import IDENTITY, Monomial
from symscape.programs.derivatives import Polynomial, Results, letters_of, vectors_of
from symscape.programs.grid_program import MOST_OPERATIONS, GridProgram, suits_grid
from symscape.programs.nodes import Graph, Node
from symscape.programs.source import NUMPY_BATCH, NUMPY_SINGLE, Dialect, Writer
from symscape.programs.tangent import tangent

Array = NDArray[np.floating[Any]]

_NONE: frozenset[str] = frozenset()

#: What a program computes.
VALUE, GRADIENT, HESSIAN_VECTOR = "value", "value and gradient", "Hessian-vector product"


class Cumulants(Protocol):
    """What evaluates joint cumulants contracted with W: ``kappa=`` of a compiled landscape."""

    def value_and_gradient(self, pattern: tuple, W: Array, end: Array | None) -> tuple[Any, Array, Array | None]:
        """Return the contraction for one W, its derivative by W, and by the end of a third cumulant."""
        ...


def moment_name(letter: str) -> str:
    """Return the name of W S W^T in programs: P and M where S is Sigma and A_0."""
    return {"Sigma": "P", "A_0": "M"}.get(letter, f"R_{letter}")


class MomentProgram:
    """A sum of coefficient times product of words; coefficients, matrices and means are given at each call.

    ``kinds``: letters that are "diagonal" (given as vectors of d0) or the "identity"; others are dense. ``bias``: v = W m + b.
    """

    def __init__(self, monomials: Sequence[Monomial], kinds: Mapping[str, str] | None = None):
        self.monomials = tuple(monomials)
        generators = sorted({g for m in self.monomials for g in m})
        self.letters = sorted({letter for g in generators for letter in letters_of(g)})
        self.vectors = sorted({vector for g in generators for vector in vectors_of(g)})
        self.cumulants = [g for g in generators if g[0].startswith("cumulant")]
        self.kinds = {IDENTITY: "identity", **dict(kinds or {})}
        self._programs: dict[tuple, Callable[..., Any]] = {}
        self._grids: dict[tuple, Callable[..., Any] | None] = {}

    def run(
        self,
        W: Array,
        matrices: Mapping[str, Array],
        means: Mapping[str, Array],
        bias: Array | None,
        coefficients: Sequence[Any],
        kappa: Cumulants | None,
        gradient: bool,
    ) -> tuple[Array, Array | None, Array | None]:
        """Return (value, derivative by W, derivative by the bias); the derivatives are None unless asked for."""
        if W.dtype.kind == "O" and W.ndim == 2:
            # Sums over no axis of objects are no arrays, so that one W is a batch of one.
            one = None if bias is None else bias[None]
            found = self.run(W[None], matrices, means, one, coefficients, kappa, gradient)
            return found[0][0], *(None if f is None else f[0] for f in found[1:])
        given = frozenset(means) if means else _NONE
        cumulants = _Cumulants(self.cumulants, kappa, W, means, bias) if self.cumulants else None
        what = GRADIENT if gradient else VALUE
        values = cumulants.values if cumulants is not None else ()
        inputs = self._inputs(matrices, means)
        value, *derivatives = self._program(what, W, given, bias)(W, inputs, bias, coefficients, values, None)
        value = 0.0 if value is None else value
        if np.ndim(value) < W.ndim - 2:
            value = np.broadcast_to(value, W.shape[:-2]).copy()
        if not gradient:
            return value, None, None
        dW, db, *dkappa = derivatives
        dW = np.zeros_like(W) if dW is None else dW
        if bias is not None and db is None:
            db = np.zeros_like(bias)
        if cumulants is not None:
            dW, db = cumulants.add(dkappa, dW, db)
        return value, dW, db

    def hessian_vector(
        self,
        W: Array,
        V: Array,
        matrices: Mapping[str, Array],
        means: Mapping[str, Array],
        bias: Array | None,
        coefficients: Sequence[Any],
    ) -> Array:
        """Return the derivative of dW along V."""
        program = self._program(HESSIAN_VECTOR, W, frozenset(means), bias)
        found = program(W, self._inputs(matrices, means), bias, coefficients, (), V)[0]
        return np.zeros_like(W) if found is None else found

    def results(self, what: str, given: frozenset[str], bias: bool) -> list[Node | None]:
        """Return the nodes that a program computes."""
        parts = {v: frozenset((["mean"] if v in given else []) + (["bias"] if bias else [])) for v in self.vectors}
        graph = Graph(self.kinds)
        polynomial = Polynomial(graph, parts, self.monomials)
        if what == VALUE:
            return [polynomial.value().value]
        found: Results = polynomial.value_and_gradient()
        if what == GRADIENT:
            return [found.value, found.dW, found.db, *found.dkappa]
        return [None if found.dW is None else tangent(graph, found.dW)]

    def source(self, what: str, dialect: Dialect, given: frozenset[str], bias: bool) -> tuple[list[str], list[str]]:
        """Return the lines of a program and the expressions of what it computes."""
        outputs = self.results(what, given, bias)
        writer = Writer(dialect, self._names())
        found = iter(writer.write([node for node in outputs if node is not None]))
        return writer.lines, ["None" if node is None else next(found) for node in outputs]

    def _names(self) -> dict[tuple[str, object], str]:
        names: dict[tuple[str, object], str] = {("W", None): "W", ("V", None): "V", ("b", None): "b"}
        names |= {("letter", s): f"S_{k}" for k, s in enumerate(self.letters)}
        names |= {("mean", v): f"m_{k}" for k, v in enumerate(self.vectors)}
        names |= {("coefficient", k): f"c{k}" for k in range(len(self.monomials))}
        names |= {("kappa", k): f"k{k}" for k in range(len(self.cumulants))}
        return names

    def _inputs(self, matrices: Mapping[str, Array], means: Mapping[str, Array]) -> tuple[Any, ...]:
        return (*map(matrices.get, self.letters), *map(means.get, self.vectors))

    @cached_property
    def _has_gradient(self) -> bool:
        return all(node is not None for node in self.results(GRADIENT, _NONE, False)[:2])

    def single(self, W: Array) -> Callable[..., Any] | None:
        """Return the value and gradient of one W, (W, inputs, ...) -> (value, dW, ...); None where either is zero."""
        return self._program(GRADIENT, W, _NONE, None) if self._has_gradient else None

    def _program(self, what: str, W: Array, given: frozenset[str], bias: Array | None) -> Callable[..., Any]:
        batched, biased = W.ndim > 2 or W.dtype.kind == "O", bias is not None
        if batched and not self.cumulants and suits_grid(W):
            size = (what, W.shape[-2:], given, biased)
            if size not in self._grids:
                self._grids[size] = self._grid(what, W.shape[-2], W.shape[-1], given, biased)
            unrolled = self._grids[size]
            if unrolled is not None:
                return unrolled
        key = (what, batched, given, biased)
        if key not in self._programs:
            self._programs[key] = self._compiled(what, NUMPY_BATCH if batched else NUMPY_SINGLE, given, biased)
        return self._programs[key]

    def _grid(self, what: str, d1: int, d0: int, given: frozenset[str], bias: bool) -> Callable[..., Any] | None:
        """Return a program by entries, or None where it would be too long."""
        names = self._names()
        if len(self.monomials) > MOST_OPERATIONS // 4:
            return None
        made = GridProgram(self.results(what, given, bias), d1, d0, names)
        if made.operations > MOST_OPERATIONS:
            return None
        of_inputs = [names["letter", s] for s in self.letters] + [names["mean", v] for v in self.vectors]

        def program(W: Array, inputs: Any, b: Any, coefficients: Any, kappas: Any, V: Any) -> list[Any]:
            batch = W.shape[:-2]
            arrays = {"W": W.reshape(-1, d1, d0)} | ({"b": b.reshape(-1, d1, 1)} if bias else {})
            arrays |= {"V": V.reshape(-1, d1, d0)} if V is not None else {}
            numbers = {n: None if x is None else np.asarray(x).tolist() for n, x in zip(of_inputs, inputs, strict=True)}
            numbers |= {f"c{k}": c for k, c in enumerate(coefficients)}
            found = made(arrays, numbers)
            return [None if x is None else x.reshape(*batch, *x.shape[1:]) if len(batch) > 1 else x for x in found]

        return program

    def _compiled(self, what: str, dialect: Dialect, given: frozenset[str], bias: bool) -> Callable[..., Any]:
        lines, results = self.source(what, dialect, given, bias)
        names = self._names()
        unpack = [f"{', '.join(names['letter', s] for s in self.letters)}, " if self.letters else ""]
        unpack += [f"{', '.join(names['mean', v] for v in self.vectors)}, " if self.vectors else ""]
        body = [f"{''.join(unpack)}= inputs"] if self.letters or self.vectors else []
        for stem, count in (("c", len(self.monomials)), ("k", len(self.cumulants))):
            if count:
                body.append(
                    f"{', '.join(f'{stem}{k}' for k in range(count))}, = {'coefficients' if stem == 'c' else 'kappas'}"
                )
        body += [*lines, f"return {', '.join(results)},"]
        return _function("\n    ".join(["def program(W, inputs, b, coefficients, kappas, V):", *body]))


def _function(source: str) -> Callable[..., Any]:
    namespace: dict[str, Any] = {"np": np}
    exec(compile(source, "<matrix program>", "exec"), namespace)
    made: Callable[..., Any] = namespace["program"]
    return made


class _Cumulants:
    """Joint cumulants at the points of a call, which another object evaluates: values for a program, and their derivatives."""

    def __init__(
        self, generators: Sequence[tuple], kappa: Cumulants | None, W: Array, means: Mapping[str, Array], bias: Any
    ):
        assert kappa is not None
        self.values, self._dW, self._dend, self._ends = [], [], [], []
        for generator in generators:
            vector = generator[2] if generator[0] == "cumulant3" else None
            end = None
            if vector is not None:
                end = np.zeros(W.shape[:-1]) if means.get(vector) is None else W @ means[vector]
                end = end if bias is None else end + bias
            batch, shape = W.shape[:-2], W.shape
            ends = [None] * int(np.prod(batch)) if end is None else end.reshape(-1, shape[-2])
            found = [
                kappa.value_and_gradient(generator[1], w, e)
                for w, e in zip(W.reshape(-1, *shape[-2:]), ends, strict=True)
            ]
            self.values.append(np.array([f[0] for f in found]).reshape(batch))
            self._dW.append(np.array([f[1] for f in found]).reshape(shape))
            self._dend.append(None if end is None else np.array([f[2] for f in found]).reshape(end.shape))
            self._ends.append(None if vector is None else means.get(vector))

    def add(self, slopes: Sequence[Any], dW: Array, db: Array | None) -> tuple[Array, Array | None]:
        """Return the derivatives by W and b with what comes through the cumulants."""
        for slope, by_W, by_end, mean in zip(slopes, self._dW, self._dend, self._ends, strict=True):
            if slope is None:
                continue
            scale = np.asarray(slope)
            dW = dW + scale[..., None, None] * by_W
            if by_end is not None:
                if mean is not None:
                    dW = dW + (scale[..., None] * by_end)[..., :, None] * mean
                if db is not None:
                    db = db + scale[..., None] * by_end
        return dW, db
