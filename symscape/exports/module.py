"""A landscape as a standalone module: value, gradient, and both, in NumPy, JAX or PyTorch, importing nothing else."""

from __future__ import annotations

import os
import re
import tempfile
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sympy as sp

from symscape.algebra.words import IDENTITY
from symscape.errors import InputError, UnknownNameError
from symscape.exports.coefficients import coefficient_source
from symscape.landscape.landscape import Landscape, landscape
from symscape.programs.arguments import argument_name
from symscape.programs.moment_program import GRADIENT, VALUE, moment_name
from symscape.programs.source import Dialect, Writer
from symscape.typesetting.symbols import d_1


@dataclass(frozen=True)
class Backend:
    """What the source for an array library needs: its import, how it writes operations, how it makes arrays."""

    imports: str
    dialect: Dialect
    weights: str
    array: str
    title: str
    note: str = ""


_AXES = "axis1=-2, axis2=-1"
_LIKE_W = "dtype=W.dtype, device=W.device"
BACKENDS = {
    "numpy": Backend(
        imports="import numpy as np",
        dialect=Dialect("np", True, transpose=".swapaxes(-1, -2)", diagonal=f"{{xp}}.diagonal({{0}}, {_AXES})"),
        weights="W = np.asarray(W)\n    W = W if W.dtype.kind == 'f' else W.astype(float)",
        array="np.asarray({0})",
        title="NumPy",
    ),
    "jax": Backend(
        imports="import jax.numpy as jnp",
        dialect=Dialect("jnp", True, transpose=".swapaxes(-1, -2)", diagonal=f"{{xp}}.diagonal({{0}}, {_AXES})"),
        weights="W = jnp.asarray(W)\n    W = W if W.dtype.kind == 'f' else W.astype(float)",
        array="jnp.asarray({0})",
        title="JAX",
        note="Functions are pure: jax.jit, jax.grad and jax.vmap apply. For float64 set jax_enable_x64.",
    ),
    "torch": Backend(
        imports="import torch",
        dialect=Dialect(
            "torch",
            True,
            transpose=".mT",
            eye=f"{{xp}}.eye({{d1}}, {_LIKE_W})",
            ones=f"{{xp}}.ones({{d1}}, {_LIKE_W})",
            diagonal="{xp}.diagonal({0}, dim1=-2, dim2=-1)",
        ),
        weights="W = torch.as_tensor(W)\n    W = W if W.is_floating_point() else W.to(torch.get_default_dtype())",
        array=f"torch.as_tensor({{0}}, {_LIKE_W})",
        title="PyTorch",
        note="Nothing is done in place: value(W, ...) can be differentiated by autograd. Arrays are taken in the type of W.",
    ),
}


def export(
    land: Landscape, file: str | os.PathLike[str], backend: str = "numpy", params: Mapping[Any, Any] | None = None
) -> Path:
    """Write a landscape as a Python module with ``value``, ``gradient`` and ``value_and_gradient``; return its path.

    The functions take ``(W, A0=..., Sigma=..., **parameters)`` as ``land.numpy()`` does, W of shape (..., d1, d0); the module
    imports its array library ("numpy", "jax" or "torch") and nothing else. ``params={symbol: number}`` fixes parameters. A
    file that exists is replaced, at once and whole. Raises UnknownNameError for another backend, InputError for a landscape
    with joint cumulants and for a file that cannot be written.

    >>> import symscape as ss, tempfile, os
    >>> file = os.path.join(tempfile.mkdtemp(), "landscape_numpy.py")
    >>> print(export(ss.landscape(ss.InfoNCE()), file).name)
    landscape_numpy.py
    """
    if not isinstance(land, Landscape):
        raise InputError(f"export({land!r}, ...): the first argument is a landscape, for instance landscape(InfoNCE())")
    call = f"export({land.loss.name}, {str(file)!r}, backend={backend!r})"
    if params:
        land = landscape(land.loss.with_values(params), land.order, land.data, land.bias)
    source = module_source(land, backend, call)
    path = Path(file)
    if path.suffix != ".py":
        raise InputError(
            f"{call}: the file of a Python module ends with .py, for instance {path.name or 'landscape'}.py"
        )
    if not path.stem.isidentifier() or path.stem in ("numpy", "jax", "jaxlib", "torch", "math"):
        why = "hides the library of that name" if path.stem.isidentifier() else "cannot be imported"
        raise InputError(
            f"{call}: a module named {path.stem!r} {why}; choose another name, such as landscape_{backend}.py"
        )
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"{call}: {path if path.is_dir() else path.parent} is not a folder with room for it")
    try:
        _replace(path, source)
    except OSError as error:
        raise InputError(f"{call}: cannot write {path}: {error.strerror}") from error
    return path


def _replace(path: Path, text: str) -> None:
    """Put a text in place of a file, whole or not at all."""
    handle, name = tempfile.mkstemp(suffix=".py", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def module_source(land: Landscape, backend: str = "numpy", call: str = "export") -> str:
    """Return the source of the module that `export` writes."""
    if backend not in BACKENDS:
        close = get_close_matches(str(backend).lower(), [*BACKENDS, *(b.title.lower() for b in BACKENDS.values())], n=1)
        meant = next((name for name, b in BACKENDS.items() if close and close[0] in (name, b.title.lower())), "")
        hint = f"did you mean {meant!r}? " if meant else ""
        raise UnknownNameError(f"{call}: unknown backend {backend!r}; {hint}known: {', '.join(BACKENDS)}")
    return _Module(land, backend, call).source()


class _Module:
    """One landscape in one dialect."""

    def __init__(self, land: Landscape, backend: str, call: str):
        self.land, self.backend, self.name, self.call = land, BACKENDS[backend], backend, call
        self.function = land.numpy()
        if self.function.program.cumulants:
            raise InputError(f"{call}: joint cumulants are computed from features, which a module does not hold; "
                             "derive the landscape with data=GaussianViews()")  # fmt: skip
        self.used = tuple(s for s in self.function.letters if s != IDENTITY)
        meaning = self.function.meaning
        self.means = tuple(v for v in self.function.vectors if meaning.has_mean)
        self.centring = meaning.centred and meaning.has_mean
        if self.centring and "mean" not in self.means:
            self.means = ("mean", *self.means)
        letters = dict.fromkeys(("A_0", "Sigma", *self.used))
        self.arrays = [*map(argument_name, letters), *self.means, *(["b"] if meaning.has_bias else [])]
        self.needed = [argument_name(s) for s in self.used] + self.arrays[len(letters) :]
        self.parameters = [argument_name(str(p)) for p in self.function.parameters]

    def source(self) -> str:
        """Return the whole module."""
        functions = [
            self._function("value", VALUE, "the value"),
            self._gradient(),
            self._function("value_and_gradient", GRADIENT, f"the value and {self._derivatives}"),
            self._checks(),
        ]
        return "\n\n\n".join([f"{self._docstring()}\n\n{self.backend.imports}", *functions]) + "\n"

    @property
    def _derivatives(self) -> str:
        return "its derivatives by W and by b" if "b" in self.arrays else "its derivative by W"

    def _signature(self) -> str:
        parameters = ["*", *self.parameters] if self.parameters else []
        return ", ".join(["W", *(f"{a}=None" for a in self.arrays), *parameters])

    # Text

    def _docstring(self) -> str:
        land = self.land
        formula = textwrap.wrap(f"L(W) = {land}", 116, initial_indent="    ", subsequent_indent="        ")
        names = [f"{moment_name(s)} = W {argument_name(s)} W^T" for s in self.used]
        lines = [
            f'"""Landscape of {land.loss.name} around W = 0 in {self.backend.title}: value and gradient.',
            "",
            *formula,
        ]
        if names:
            lines += ["", *textwrap.wrap("with " + ", ".join(names) + self._centred_note() + ".", 118)]
        lines += ["", *textwrap.wrap(f"It is the series of L = {land.loss.expr}.", 118), "", "Arguments"]
        lines += [f"    {line}" for line in self._shapes()]
        lines += ["", "What it assumes"]
        for row in land.assumptions:
            lines += textwrap.wrap(str(row), 118, initial_indent="    ", subsequent_indent="        ")
        if self.backend.note:
            lines += ["", self.backend.note]
        reference = (
            "Ziyin et al., What shapes the loss landscape of self-supervised learning?, ICLR 2023, arXiv 2210.00638"
        )
        derived = f"Derived by symscape {version('symscape')}. Reference: {reference}."
        lines += ["", *textwrap.wrap(derived, 118), '"""']
        return "\n".join(lines).replace("\\", "\\\\")

    def _centred_note(self) -> str:
        return ", each less its part in the mean, W mean mean^T W^T" if self.centring else ""

    def _shapes(self) -> list[str]:
        lines = ["W: (..., d1, d0), weights; leading axes are a batch"]
        for name in self.arrays:
            if name in ("A0", "Sigma"):
                what = "E[phi(x) phi(x')^T]" if name == "A0" else "E[phi(x) phi(x)^T]"
                lines.append(
                    f"{name}: (d0, d0), symmetric, second moment {what}" + ("" if name in self.needed else "; not used")
                )
            elif name == "b":
                lines.append("b: (..., d1), bias of f = W phi + b")
            elif name in self.means:
                lines.append(f"{name}: (d0,), mean of phi")
            else:
                lines.append(f"{name}: (d0, d0), symmetric")
        return lines + [f"{name}: number" for name in self.parameters]

    def _checks(self) -> str:
        xp = self.backend
        lines = [
            "def _checked(W, **given):",
            f"    {xp.weights}",
            "    if W.ndim < 2:",
            '        raise ValueError(f"W has shape {tuple(W.shape)}; it is (..., d1, d0)")',
            "    d1, d0 = W.shape[-2:]",
            "    arrays = [W]",
            "    for name, array in given.items():",
            "        if array is None:",
            '            raise TypeError(f"the argument {name} is missing")',
            f"        array = {xp.array.format('array')}",
        ]
        shape = "(d0, d0)"
        if self.means:
            shape = f"(d0,) if name in {tuple(self.means)!r} else (d0, d0)"
        if "b" in self.arrays:
            lines += [
                '        if name == "b":',
                f"            array = {xp.dialect.xp}.broadcast_to(array, W.shape[:-1])",
                "            arrays.append(array)",
                "            continue",
            ]
        lines += [
            f"        wanted = {shape}",
            "        if tuple(array.shape) != wanted:",
            '            raise ValueError(f"{name} has shape {tuple(array.shape)}; with this W it is {wanted}")',
            "        arrays.append(array)",
            "    return arrays if len(arrays) > 1 else W",
        ]
        return "\n".join(lines)

    # Code

    def _function(self, name: str, what: str, returns: str) -> str:
        head = [f"def {name}({self._signature()}):", f'    """Return {returns}."""']
        return "\n".join([*head, *(f"    {line}" for line in self._body(what))])

    def _gradient(self) -> str:
        given = ", ".join(["W", *self.arrays, *(f"{p}={p}" for p in self.parameters)])
        return (
            f'def gradient({self._signature()}):\n    """Return {self._derivatives}."""\n'
            f"    return value_and_gradient({given})[1]"
        )

    def _body(self, what: str) -> list[str]:
        function, program = self.function, self.function.program
        given = frozenset(self.means)
        names: dict[tuple[str, object], str] = {("W", None): "W", ("b", None): "b"}
        names.update({("letter", s): argument_name(s) for s in self.used})
        names.update({("mean", v): v for v in self.means})
        names.update({("gram", s): "WW" if s == IDENTITY else moment_name(s) for s in program.letters})
        names.update({("coefficient", k): f"c{k}" for k in range(len(function.terms))})
        writer = Writer(self.backend.dialect, names)
        outputs = program.results(what, given, function.meaning.has_bias)
        texts = iter(writer.write([node for node in outputs if node is not None]))
        results = [None if node is None else next(texts) for node in outputs]
        checked = ", ".join(f"{a}={a}" for a in self.needed)
        unpacked = ", ".join(["W", *self.needed])
        lines = [f"{unpacked} = _checked(W{', ' if checked else ''}{checked})"]
        if self.centring:
            lines += [f"{a} = {a} - mean[:, None] * mean" for a in map(argument_name, self.used)]
        lines += self._coefficients("\n".join([*writer.lines, *(r for r in results if r)]))
        zero_like = {0: "0.0 * W[..., 0, 0]", 1: "0.0 * W", 2: "0.0 * W[..., 0]"}
        wanted = results[:1] if what == VALUE else results[:3] if "b" in self.arrays else results[:2]
        shown = [zero_like[k] if r is None else r for k, r in enumerate(wanted)]
        if outputs[0] is not None and not outputs[0].varies:
            shown[0] += " + 0.0 * W[..., 0, 0]"
        value, *rest = shown
        value = _without_brackets(value)
        if what == GRADIENT:
            value += f", {rest[0] if len(rest) == 1 else '(' + ', '.join(rest) + ')'}"
        return [*lines, *(part for line in (*writer.lines, f"return {value}") for part in _broken(line))]

    def _coefficients(self, code: str) -> list[str]:
        used = set(map(int, re.findall(r"\bc(\d+)\b", code)))
        terms = [(k, c) for k, (_, c) in enumerate(self.function.terms) if k in used]
        lines = ["d1 = W.shape[-2]"] if any(c.has(d_1) for _, c in terms) else []
        if self.name == "torch" and self.parameters and any(c.atoms(sp.Function, sp.Pow) for _, c in terms):
            lines += [f"{p} = torch.as_tensor({p}, dtype=W.dtype, device=W.device)" for p in self.parameters]
        return lines + [f"c{k} = {coefficient_source(c, self.name, self.call)}" for k, c in terms]


def _without_brackets(text: str) -> str:
    """Return an expression without a pair of brackets around the whole of it."""
    depth = 0
    for k, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and k < len(text) - 1:
            return text
    return text[1:-1] if text.startswith("(") else text


def _broken(line: str) -> list[str]:
    """Return a line as several where it is long: broken before the signs outside of brackets."""
    if len(line) <= 110:
        return [line]
    sign = " = " if " = " in line else " "
    head, _, total = line.partition(sign)
    cuts, comma, depth = [0], len(total), 0
    for k, character in enumerate(total):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and character == ",":
            comma = k
            break
        if depth == 0 and total.startswith((" + ", " - "), k):
            cuts.append(k)
    pieces = [total[a:b].strip() for a, b in zip(cuts, [*cuts[1:], comma], strict=True)]
    return [f"{head}{sign}(", *(f"    {piece}" for piece in pieces), f"){total[comma:]}"]
