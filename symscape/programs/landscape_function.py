"""A landscape as a function of W: names its arguments as the theory does, checks shapes, runs the compiled program."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from symscape.algebra.words import IDENTITY, Monomial, degree
from symscape.errors import InputError, MomentsError, UnknownNameError
from symscape.programs.arguments import argument_name, high_precision, plain, real_array, shaped
from symscape.programs.canonical import CanonicalFunction
from symscape.programs.moment_program import Cumulants, MomentProgram
from symscape.typesetting.symbols import Meaning, d_1

Array = NDArray[Any]


#: Functions that Python's math module evaluates; any other goes to mpmath.
_IN_MATH = {sp.exp, sp.log, sp.sin, sp.cos, sp.tan, sp.asin, sp.acos, sp.atan, sp.sinh, sp.cosh, sp.tanh, sp.erf}


class _Call(NamedTuple):
    """The arguments of one call: arrays of one type, and the coefficients as numbers."""

    W: Array
    matrices: dict[str, Array]
    means: dict[str, Array]
    bias: Array | None
    kappa: Cumulants | None
    coefficients: tuple[Any, ...]


class LandscapeFunction:
    """``f(W, A0=..., Sigma=..., **parameters)``: the value of a landscape, for W of shape (..., d1, d0).

    Shapes: letters d0 x d0, symmetric; means d0; ``b`` (only of a landscape with a bias) (..., d1). Parameters are numbers, by
    name or in ``params={symbol: value}``, which may hold more than is needed. ``kappa=`` evaluates joint cumulants where the
    landscape has them. Arguments in ``accepted`` may be given though these terms do not use them, as parts of a landscape
    take what the whole takes. Arrays of float32 are computed with in float32, arrays of mpmath numbers (dtype object) with
    mpmath's precision.
    Raises MomentsError for wrong shapes, UnknownNameError for unknown or missing arguments.

    >>> import symscape as ss
    >>> f = ss.landscape(ss.InfoNCE(tau=1)).numpy()
    >>> f([[1.0, 0.5]], A0=np.eye(2), Sigma=np.eye(2))
    -0.078125
    >>> f.hessian_at_origin(A0=np.eye(2))
    array([[-2.,  0.],
           [ 0., -2.]])
    """

    def __init__(
        self,
        name: str,
        terms: Sequence[tuple[Monomial, sp.Expr]],
        meaning: Meaning,
        accepted: Collection[str] = (),
    ):
        self.name = name
        self.meaning = meaning
        self.terms = tuple(terms)
        self._accepted = frozenset(accepted)
        self.program = MomentProgram([monomial for monomial, _ in terms])
        coefficients = [coefficient for _, coefficient in terms]
        symbols = sorted({s for c in coefficients for s in c.free_symbols}, key=str)
        self.parameters: tuple[sp.Symbol, ...] = tuple(s for s in symbols if s != d_1)
        self.letters = tuple(s for s in self.program.letters if s != IDENTITY)
        self.vectors = tuple(v for v in self.program.vectors if v != "mean" or meaning.has_mean)
        self._needs_mean = meaning.has_mean and (meaning.centred or "mean" in self.vectors)
        self._wanted = tuple(v for v in self.vectors if v != "mean") + (("mean",) if self._needs_mean else ())
        self._may_have = tuple(dict.fromkeys([*self._wanted, "mean"]))
        self._letter_of = {argument_name(s): s for s in ("A_0", "Sigma", *self.letters)}
        self._parameter_names = frozenset(argument_name(str(s)) for s in self.parameters)
        self._evaluators: dict[str, Callable[..., list[Any]]] = {}
        self._last: tuple[tuple[Any, ...], tuple[Any, ...]] | None = None
        self._repeated: Callable[..., tuple[float, Array] | None] | None = None

    def __call__(self, W: ArrayLike, **arguments: Any) -> Any:
        """Return the value: a float, or an array for a batch of W."""
        return plain(self._run(self._call(W, arguments), gradient=False)[0])

    def gradient(self, W: ArrayLike, **arguments: Any) -> Any:
        """Return the derivative by W, of the shape of W; with a bias, the pair of derivatives by W and b."""
        return self.value_and_gradient(W, **arguments)[1]

    def value_and_gradient(self, W: ArrayLike, **arguments: Any) -> tuple[Any, Any]:
        """Return value and gradient, sharing the products."""
        repeated = self._repeated
        if repeated is not None and (found := repeated(W, arguments)) is not None:
            return found
        call = self._call(W, arguments)
        self._repeated = self._repeatable(call, arguments)
        value, dW, db = self._run(call, gradient=True)
        return plain(value), dW if db is None else (dW, db)

    def hessian_vector_product(self, W: ArrayLike, V: ArrayLike, **arguments: Any) -> Array:
        """Return the derivative of the gradient by W along V, of the shape of W; a bias is held fixed.

        Raises InputError for a landscape with joint cumulants.
        """
        call = self._call(W, arguments)
        direction = real_array("V", V)
        if direction.shape != call.W.shape:
            raise MomentsError(f"V has shape {direction.shape}; with this W it is {call.W.shape}")
        if self.program.cumulants:
            raise InputError(
                f"{self!r}: joint cumulants have no Hessian-vector product; take differences of the gradient"
            )
        direction = direction.astype(call.W.dtype, copy=False)
        return self.program.hessian_vector(call.W, direction, call.matrices, call.means, call.bias, call.coefficients)

    def hessian_at_origin(self, d1: int = 1, **arguments: Any) -> Array:
        """Return H, d0 x d0: at W = 0 the Hessian is one block H for each output; -2 B, for a landscape -Tr(W B W^T) + ....

        With a bias H is (d0 + 1) x (d0 + 1), that of (W, b), the bias last. ``d1`` matters where coefficients depend on it.
        Raises InputError when the quadratic part couples outputs.
        """
        if isinstance(d1, bool) or not isinstance(d1, int) or d1 < 1:
            raise InputError(f"{self!r}: d1={d1!r}; the number of outputs is a positive integer")
        given = [real_array(name, arguments[name]) for name in self._letter_of if arguments.get(name) is not None]
        if not given or given[0].ndim < 1:
            raise UnknownNameError(f"{self!r}: give A0 or Sigma, whose size is d0")
        d0, quadratic = given[0].shape[-1], self._quadratic
        bias = {"b": np.zeros(d1)} if self.meaning.has_bias and "b" not in arguments else {}
        call = quadratic._call(np.zeros((d1, d0)), {**arguments, **bias})
        size = d0 + self.meaning.has_bias
        H = np.zeros((size, size), dtype=object if call.W.dtype.kind == "O" else float)
        for (monomial, _), coefficient in zip(quadratic.terms, call.coefficients, strict=True):
            (generator,) = monomial
            if generator[0] == "tr":
                H[:d0, :d0] += 2 * coefficient * call.matrices.get(generator[1][0], np.eye(d0))
            elif generator[0] == "form":
                u, v = (self._with_bias(call.means.get(name), d0) for name in (generator[1], generator[3]))
                H += coefficient * (np.outer(u, v) + np.outer(v, u))
            else:
                raise InputError(f"{self!r}: the quadratic part couples outputs; take Hessian-vector products at W = 0")
        return H

    @cached_property
    def _quadratic(self) -> LandscapeFunction:
        terms = [(m, c) for m, c in self.terms if sum(map(degree, m)) == 2]
        taken = {*self._accepted, *self._letter_of, *self._parameter_names, *self.vectors, "mean", "kappa"}
        return LandscapeFunction(self.name, terms, self.meaning, taken)

    def canonical(self, **arguments: Any) -> CanonicalFunction:
        """Return the landscape in canonical coordinates V = W T, where Sigma is the identity and A_0 the diagonal of r.

        Takes A0, Sigma and the parameters once; a value and gradient then costs several times less. Raises InputError when
        Sigma is singular, or the landscape has a bias or joint cumulants.
        """
        if "A0" not in arguments or "Sigma" not in arguments:
            raise UnknownNameError(f"{self!r}: canonical coordinates need A0= and Sigma=")
        if self.meaning.has_bias or self.program.cumulants:
            raise InputError(f"{self!r}: canonical coordinates are for landscapes without bias and joint cumulants")
        Sigma = real_array("Sigma", arguments["Sigma"])
        if Sigma.dtype.kind == "O" or Sigma.ndim != 2 or not np.isfinite(Sigma).all():
            raise MomentsError(f"{self!r}: canonical coordinates need a finite d0 x d0 array Sigma of floats")
        call = self._call(np.zeros((1, len(Sigma))), arguments)
        values = self._values(arguments)

        def coefficients(d1: int) -> tuple[Any, ...]:
            return self._numbers(d1, values, exact=False)

        return CanonicalFunction(repr(self), self.program, call.matrices, call.means, coefficients)

    def __reduce__(self) -> tuple[Any, ...]:
        return LandscapeFunction, (self.name, self.terms, self.meaning, tuple(sorted(self._accepted)))

    def __repr__(self) -> str:
        given = ["A0", "Sigma", *(argument_name(s) for s in self.letters if s not in ("A_0", "Sigma"))]
        given += ["mean"] if self._needs_mean else []
        given += [v for v in self.vectors if v != "mean"] + (["b"] if self.meaning.has_bias else [])
        given += ["kappa"] if self.program.cumulants else []
        given += [argument_name(str(p)) for p in self.parameters]
        return f"{self.name}(W, {', '.join(f'{a}=...' for a in given)})"

    # A loop of calls

    def _repeatable(
        self, call: _Call, arguments: Mapping[str, Any]
    ) -> Callable[..., tuple[float, Array] | None] | None:
        """Return what serves the next call if it is like this one: one W and matrices of float64, the same parameters.

        For W of 64 x 128 the reading of arguments would take a tenth of the time of the products.
        """
        matrices, shape = call.matrices, call.W.shape
        plain_call = not (call.means or call.bias is not None or call.kappa is not None or self.meaning.has_mean)
        if not plain_call or len(shape) != 2 or call.W.dtype != np.float64 or "params" in arguments:
            return None
        names = [(name, letter in self.letters) for name, letter in self._letter_of.items() if letter in matrices]
        others = {name: value for name, value in arguments.items() if name not in dict(names)}
        if any(type(value) not in (int, float) for value in others.values()):
            return None
        square, dtype, count = (shape[1], shape[1]), call.W.dtype, len(arguments)
        program = self.program.single(call.W)
        if program is None:
            return None
        used = [name for name, wanted in names if wanted]
        order = [None if letter == IDENTITY else used.index(argument_name(letter)) for letter in self.program.letters]
        coefficients = call.coefficients

        def repeated(W: Any, given: Mapping[str, Any]) -> tuple[float, Array] | None:
            if type(W) is not np.ndarray or W.shape != shape or W.dtype is not dtype or len(given) != count:
                return None
            arrays = []
            for name, wanted in names:
                array = given.get(name)
                if type(array) is not np.ndarray or array.shape != square or array.dtype is not dtype:
                    return None
                if wanted:
                    arrays.append(array)
            for name, value in others.items():
                other = given.get(name)
                if type(other) is not type(value) or other != value:
                    return None
            inputs = [None if k is None else arrays[k] for k in order]
            value, dW, _ = program(W, inputs, None, coefficients, (), None)
            return float(value), dW

        return repeated

    # One call

    def _run(self, call: _Call, gradient: bool) -> tuple[Array, Array | None, Array | None]:
        return self.program.run(call.W, call.matrices, call.means, call.bias, call.coefficients, call.kappa, gradient)

    def _with_bias(self, mean: Array | None, size: int) -> Array:
        mean = np.zeros(size) if mean is None else mean
        return np.append(mean, 1.0) if self.meaning.has_bias else mean

    def _call(self, W: ArrayLike, arguments: Mapping[str, Any]) -> _Call:
        weights = real_array("W", W)
        if weights.ndim < 2:
            raise MomentsError(f"W has shape {weights.shape}; it is d1 x d0, or (..., d1, d0) for a batch")
        d1, d0 = weights.shape[-2:]
        if d1 == 0 or d0 == 0:
            raise MomentsError(f"W has shape {weights.shape}; it has at least one output and one feature")
        left = dict(arguments)
        matrices: dict[str, Array] = {}
        for name, letter in self._letter_of.items():
            given = left.pop(name, None)
            if given is not None:
                matrices[letter] = shaped(name, given, (d0, d0), d1)
            elif letter in self.letters:
                taken = self._accepted | self._parameter_names | {"params", "b", "kappa", "mean"}
                others = sorted(set(left) - taken)
                given_as = f", and there is no argument {others[0]!r}" if others else ""
                raise UnknownNameError(f"{self!r}: the argument {name} is missing{given_as}")
        means = self._means(left, d0)
        if self.meaning.centred and self.meaning.has_mean:
            outer = np.outer(means["mean"], means["mean"])
            matrices = {s: m - outer for s, m in matrices.items()}
        bias = self._bias(left, weights) if self.meaning.has_bias else None
        kappa = self._kappa(left)
        dtype = weights.dtype
        if any(given.dtype is not dtype for given in (*matrices.values(), *means.values())):
            dtype = np.result_type(weights, *matrices.values(), *means.values())
            weights = weights.astype(dtype, copy=False)
        exact = dtype.kind == "O"
        if exact:
            weights, bias = high_precision(weights), None if bias is None else high_precision(bias)
            matrices, means = ({k: high_precision(v) for k, v in given.items()} for given in (matrices, means))
        values = self._values(left)
        for unknown in left and sorted(set(left) - self._accepted - self._parameter_names - {"params"}):
            raise UnknownNameError(f"{self!r}: there is no argument {unknown!r}")
        return _Call(weights, matrices, means, bias, kappa, self._numbers(d1, values, exact))

    def _bias(self, left: dict[str, Any], weights: Array) -> Array:
        bias = left.pop("b", None)
        if bias is None:
            raise UnknownNameError(f"{self!r}: the argument b, the bias, is missing")
        bias = real_array("b", bias)
        if bias.shape == weights.shape[-2:-1]:
            bias = np.broadcast_to(bias, weights.shape[:-1])
        if bias.shape != weights.shape[:-1]:
            raise MomentsError(f"b has shape {bias.shape}; with W of shape {weights.shape} it is {weights.shape[:-1]}")
        return bias

    def _kappa(self, left: dict[str, Any]) -> Cumulants | None:
        kappa: Cumulants | None = left.pop("kappa", None)
        if kappa is not None and not self.program.cumulants and "kappa" not in self._accepted:
            raise UnknownNameError(f"{self!r}: this landscape has no cumulants; derive it with data=CumulantViews()")
        if kappa is not None and not hasattr(kappa, "value_and_gradient"):
            raise InputError(f"{self!r}: kappa={kappa!r} does not evaluate cumulants; pass FourthCumulants({{...}})")
        if self.program.cumulants and kappa is None:
            raise UnknownNameError(f"{self!r}: the argument kappa is missing; see FourthCumulants")
        return kappa

    def _means(self, left: dict[str, Any], d0: int) -> dict[str, Array]:
        means = {}
        for vector in self._may_have:
            given = left.pop(vector, None)
            if given is not None and self.meaning.has_mean:
                means[vector] = shaped(vector, np.ravel(given), (d0,))
            elif given is not None and vector not in self._accepted:
                raise UnknownNameError(f"{self!r}: this landscape has no {vector}; pass data=GaussianViews(mean=True)")
            elif vector in self._wanted:
                raise UnknownNameError(f"{self!r}: the argument {vector} is missing")
        return means

    # Parameters

    def _values(self, given: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the parameters of a call, in order."""
        if not self.parameters and "params" not in given:
            return ()
        chosen = given.get("params") or {}
        if not isinstance(chosen, Mapping):
            raise InputError(f"{self!r}: params={chosen!r} is not a dictionary of symbols and numbers")
        params = {str(k): v for k, v in chosen.items()}
        for name in params:
            if argument_name(name) in given:
                raise InputError(f"{self!r}: {name} is given twice, by name and in params=")
        values = []
        for parameter in self.parameters:
            symbol, name = str(parameter), argument_name(str(parameter))
            if name not in given and symbol not in params:
                raise UnknownNameError(f"{self!r}: the parameter {name} is missing")
            value = given[name] if name in given else params[symbol]
            try:
                number = float(value)
            except (TypeError, ValueError) as error:
                raise InputError(f"{self!r}: {name}={value!r} is not a number") from error
            if not np.isfinite(number):
                raise InputError(
                    f"{self!r}: {name}={value!r} is not finite; for n = oo derive the landscape with n=sympy.oo"
                )
            if (parameter.is_positive and number <= 0) or (parameter.is_nonnegative and number < 0):
                raise InputError(f"{self!r}: {name}={value!r}; {name} is positive in this loss")
            values.append(value if isinstance(value, mpmath.mpf) else number)
        return tuple(values)

    def _numbers(self, d1: int, values: tuple[Any, ...], exact: bool) -> tuple[Any, ...]:
        """Return the coefficients as floats, or as mpmath numbers; those of the last call are kept."""
        key = (d1, exact, mpmath.mp.prec if exact else 0, *values)
        if self._last is not None and self._last[0] == key:
            return self._last[1]
        evaluate = self._evaluator(exact)
        arguments = [d1, *(map(mpmath.mpf, values) if exact else map(float, values))]
        try:
            found = tuple(mpmath.mpf(c) if exact else float(c) for c in evaluate(arguments))
        except (ZeroDivisionError, ValueError, OverflowError, TypeError) as error:
            given = ", ".join(f"{argument_name(str(s))}={v}" for s, v in zip(self.parameters, values, strict=True))
            raise InputError(
                f"{self!r}: a coefficient is singular or not real at {given}; choose other values"
            ) from error
        self._last = (key, found)
        return found

    def _evaluator(self, exact: bool) -> Callable[..., list[Any]]:
        coefficients = [coefficient for _, coefficient in self.terms]
        functions = {f.func for c in coefficients for f in c.atoms(sp.Function)}
        modules = "math" if functions <= _IN_MATH and not exact else "mpmath"
        if modules not in self._evaluators:
            self._evaluators[modules] = sp.lambdify([[d_1, *self.parameters]], coefficients, modules=modules, cse=True)
        return self._evaluators[modules]
