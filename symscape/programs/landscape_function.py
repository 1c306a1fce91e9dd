"""A landscape as a function of W: checks shapes, names its arguments as the theory does, shares products."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from symscape.algebra.words import IDENTITY, Monomial
from symscape.errors import InputError, MomentsError, UnknownNameError
from symscape.programs.moment_program import Cumulants, MomentProgram
from symscape.typesetting.symbols import Meaning, d_1

Array = NDArray[np.floating[Any]]


def argument_name(name: str) -> str:
    """Return the keyword argument for a letter or parameter: A_0 is A0, lambda is lambda_."""
    import keyword

    if name == "A_0":
        return "A0"
    return name + "_" if keyword.iskeyword(name) else name


#: Functions that Python's math module evaluates; any other goes to mpmath.
_IN_MATH = {sp.exp, sp.log, sp.sin, sp.cos, sp.tan, sp.asin, sp.acos, sp.atan, sp.sinh, sp.cosh, sp.tanh, sp.erf}


class LandscapeFunction:
    """``f(W, A0=..., Sigma=..., **parameters)``: the value of a landscape, for W of shape (..., d1, d0).

    Shapes: letters d0 x d0, means d0, ``b`` (only of a landscape with a bias) (..., d1). Parameters are numbers, by name or
    in ``params={symbol: value}``, which may hold more than is needed. ``kappa=`` evaluates joint cumulants where the
    landscape has them. Arguments in ``accepted`` may be given though these terms do not use them, as parts of a landscape
    take what the whole takes.
    Raises MomentsError for wrong shapes, UnknownNameError for unknown or missing arguments.
    """

    def __init__(
        self,
        name: str,
        terms: Sequence[tuple[Monomial, sp.Expr]],
        meaning: Meaning,
        accepted: Collection[str] = (),
    ):
        self.name = name
        self._accepted = frozenset(accepted)
        self.meaning = meaning
        self._program = MomentProgram([monomial for monomial, _ in terms])
        coefficients = [coefficient for _, coefficient in terms]
        symbols = sorted({s for c in coefficients for s in c.free_symbols}, key=str)
        self.parameters: tuple[sp.Symbol, ...] = tuple(s for s in symbols if s != d_1)
        functions = {f.func for c in coefficients for f in c.atoms(sp.Function)}
        modules = "math" if functions <= _IN_MATH else "mpmath"
        self._coefficients = sp.lambdify([[d_1, *self.parameters]], coefficients, modules=modules, cse=True)
        self.letters = tuple(s for s in self._program.letters if s != IDENTITY)
        self.vectors = tuple(v for v in self._program.vectors if v != "mean" or meaning.has_mean)
        self._needs_mean = meaning.has_mean and (meaning.centred or "mean" in self.vectors)
        self._cumulants = sorted({g for m in self._program.monomials for g in m if g[0].startswith("cumulant")})

    def __call__(self, W: ArrayLike, **arguments: Any) -> Any:
        """Return the value: a float, or an array for a batch of W."""
        return _plain(self._run(W, arguments, gradient=False)[0])

    def gradient(self, W: ArrayLike, **arguments: Any) -> Any:
        """Return the derivative by W, of the shape of W; with a bias, the pair of derivatives by W and b."""
        return self.value_and_gradient(W, **arguments)[1]

    def value_and_gradient(self, W: ArrayLike, **arguments: Any) -> tuple[Any, Any]:
        """Return value and gradient, sharing the products."""
        value, dW, db = self._run(W, arguments, gradient=True)
        return _plain(value), dW if db is None else (dW, db)

    def __repr__(self) -> str:
        given = ["A0", "Sigma", *(argument_name(s) for s in self.letters if s not in ("A_0", "Sigma"))]
        given += ["mean"] if self._needs_mean else []
        given += [v for v in self.vectors if v != "mean"] + (["b"] if self.meaning.has_bias else [])
        given += ["kappa"] if self._cumulants else []
        given += [argument_name(str(p)) for p in self.parameters]
        return f"{self.name}(W, {', '.join(f'{a}=...' for a in given)})"

    def _run(self, W: ArrayLike, arguments: dict[str, Any], gradient: bool) -> tuple[Array, Array | None, Array | None]:
        weights = _real("W", W)
        if weights.ndim < 2:
            raise MomentsError(f"W has shape {weights.shape}; it is d1 x d0, or (..., d1, d0) for a batch")
        d1, d0 = weights.shape[-2:]
        left = dict(arguments)
        params = {str(k): v for k, v in dict(left.pop("params", None) or {}).items()}
        for name in params:
            if argument_name(name) in left:
                raise InputError(f"{self!r}: {name} is given twice, by name and in params=")
        matrices: dict[str, Array] = {}
        for letter in dict.fromkeys(("A_0", "Sigma", *self.letters)):
            given = left.pop(argument_name(letter), None)
            if given is None:
                if letter in self.letters:
                    raise UnknownNameError(f"{self!r}: the argument {argument_name(letter)} is missing")
                continue
            matrices[letter] = _shaped(argument_name(letter), given, (d0, d0))
        means = self._means(left, d0)
        if self.meaning.centred and self.meaning.has_mean:
            outer = np.outer(means["mean"], means["mean"])
            matrices = {s: m - outer for s, m in matrices.items()}
        bias = None
        if self.meaning.has_bias:
            bias = left.pop("b", None)
            if bias is None:
                raise UnknownNameError(f"{self!r}: the argument b, the bias, is missing")
            bias = _real("b", bias)
            if bias.shape == weights.shape[-2:-1]:
                bias = np.broadcast_to(bias, weights.shape[:-1])
            if bias.shape != weights.shape[:-1]:
                raise MomentsError(
                    f"b has shape {bias.shape}; with W of shape {weights.shape} it is {weights.shape[:-1]}"
                )
        kappa: Cumulants | None = left.pop("kappa", None)
        if kappa is not None and not self._cumulants and "kappa" not in self._accepted:
            raise UnknownNameError(f"{self!r}: this landscape has no cumulants; derive it with data=CumulantViews()")
        if kappa is not None and not hasattr(kappa, "value_and_gradient"):
            raise InputError(f"{self!r}: kappa={kappa!r} does not evaluate cumulants; pass FourthCumulants({{...}})")
        if self._cumulants and kappa is None:
            raise UnknownNameError(f"{self!r}: the argument kappa is missing; see FourthCumulants")
        values = self._parameter_values(left, params)
        try:
            coefficients = [float(c) for c in self._coefficients([d1, *values])]
        except (ZeroDivisionError, ValueError, OverflowError, TypeError) as error:
            given = ", ".join(f"{argument_name(str(s))}={v}" for s, v in zip(self.parameters, values, strict=True))
            raise InputError(
                f"{self!r}: a coefficient is singular or not real at {given}; choose other values"
            ) from error
        return self._program.run(weights, matrices, means, bias, coefficients, kappa, gradient)

    def _means(self, left: dict[str, Any], d0: int) -> dict[str, Array]:
        wanted = [v for v in self.vectors if v != "mean"] + (["mean"] if self._needs_mean else [])
        means = {}
        for vector in dict.fromkeys([*wanted, "mean"]):
            given = left.pop(vector, None)
            if given is not None and self.meaning.has_mean:
                means[vector] = _shaped(vector, np.ravel(given), (d0,))
            elif given is not None and vector not in self._accepted:
                raise UnknownNameError(f"{self!r}: this landscape has no {vector}; pass data=GaussianViews(mean=True)")
            elif vector in wanted:
                raise UnknownNameError(f"{self!r}: the argument {vector} is missing")
        return means

    def _parameter_values(self, left: dict[str, Any], params: Mapping[str, Any]) -> list[float]:
        values = []
        for symbol in self.parameters:
            name = argument_name(str(symbol))
            if name in left:
                value = left[name]
            elif str(symbol) in params:
                value = params[str(symbol)]
            else:
                raise UnknownNameError(f"{self!r}: the parameter {name} is missing")
            try:
                values.append(float(value))
            except (TypeError, ValueError) as error:
                raise InputError(f"{self!r}: {name}={value!r} is not a number") from error
            if not np.isfinite(values[-1]):
                raise InputError(
                    f"{self!r}: {name}={value!r} is not finite; for n = oo derive the landscape with n=sympy.oo"
                )
        for unknown in sorted(set(left) - self._accepted - {argument_name(str(s)) for s in self.parameters}):
            raise UnknownNameError(f"{self!r}: there is no argument {unknown!r}")
        return values


def _real(name: str, value: Any) -> Array:
    try:
        array = np.asarray(value)
        if array.dtype.kind == "c":
            raise TypeError("complex")
        return array.astype(float, copy=False)
    except (TypeError, ValueError) as error:
        shown = repr(value) if len(repr(value)) < 60 else f"{type(value).__name__} of length {len(value)}"
        raise MomentsError(
            f"{name}={shown} is not an array of real numbers; give one of numbers, rows of equal length"
        ) from error


def _shaped(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    array = _real(name, value)
    if array.shape != shape:
        raise MomentsError(f"{name} has shape {array.shape}; with this W it is {shape}")
    return array


def _plain(value: Array) -> Any:
    return float(value) if np.ndim(value) == 0 else value
