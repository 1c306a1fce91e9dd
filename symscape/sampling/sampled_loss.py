"""The loss as practitioners run it: on a batch of representations, or on features with W."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from symscape.errors import InputError, MomentsError, UnknownNameError
from symscape.losses.batch import BatchForm, Decay
from symscape.losses.language import d_1
from symscape.losses.loss import Loss
from symscape.programs.arguments import argument_name
from symscape.sampling.evaluator import Array, Estimate, Evaluator, ViewMoments
from symscape.sampling.expression.expression_evaluator import ExpressionEvaluator
from symscape.sampling.forms import evaluator_of
from symscape.sampling.moments.central import view_moments


def sampled_loss(
    loss: Loss,
    z_a: ArrayLike,
    z_b: ArrayLike,
    W: ArrayLike | None = None,
    params: Mapping[Any, Any] | None = None,
    views: Mapping[str, ArrayLike] | None = None,
    **parameters: Any,
) -> Estimate:
    """Return a loss on a batch of two views with its standard error: of representations N x d1, or features N x d0 with W.

    The value is what released code computes, as ``loss.batch`` says, constants included. The standard error is that of the
    population's loss: it counts how data differ, those that serve as negatives too, and does not show the O(1/N) bias of
    functions of a mean over the batch. Other arguments and errors as for `SampledLoss`.

    >>> import numpy as np, symscape as ss
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=(500, 3))
    >>> print(sampled_loss(ss.SpectralContrastive(), z, z + 0.1 * rng.normal(size=z.shape)))
    -2.98469 ± 0.014
    """
    return SampledLoss(loss, z_a, z_b, params, views, **parameters).estimate(W)


class _Term(NamedTuple):
    coefficient: float
    form: BatchForm
    evaluator: Evaluator | None


class SampledLoss:
    """A loss on a batch: ``SampledLoss(loss, a, b)`` of representations N x d1; of features N x d0 if W (d1 x d0) is given.

    Rows of a and b are paired: two views of one datum. Both float32 stays float32; anything else is float64, and sums are.
    Parameters that are symbols of the loss get numbers by name, ``lambda_`` for lambda, or in ``params={symbol: value}``, which
    may hold more than is needed. ``views={name: array}`` holds arrays for more views than two, rows paired with those of a.
    With W, losses that are functions of second moments cost nothing that grows with N after the first call.

    Raises InputError for arrays of other shapes, of fewer than two rows, with NaN or infinity, and where the loss has no value
    on the batch; UnknownNameError for unknown or missing parameters; MomentsError for a W that does not fit.

    >>> import numpy as np, symscape as ss
    >>> rng = np.random.default_rng(0)
    >>> phi = rng.normal(size=(100, 5))
    >>> sampled = SampledLoss(ss.VICReg.symbolic(), phi, phi + 0.1, lambda_=25, mu=25, nu=1, epsilon=1e-4)
    >>> sampled
    SampledLoss(VICReg, 100 rows of 5 in float64)
    >>> value, dW = sampled.value_and_gradient(np.eye(2, 5))
    >>> value == sampled.value(np.eye(2, 5)), dW.shape
    (True, (2, 5))
    """

    def __init__(
        self,
        loss: Loss,
        a: ArrayLike,
        b: ArrayLike,
        params: Mapping[Any, Any] | None = None,
        views: Mapping[str, ArrayLike] | None = None,
        **parameters: Any,
    ):
        if not isinstance(loss, Loss):
            raise InputError(f"SampledLoss({loss!r}, ...): the first argument is a Loss, for instance InfoNCE(tau=0.1)")
        self._call = f"SampledLoss({loss.name}, ...)"
        arrays = _arrays(self._call, {"a": a, "b": b, **(views or {})})
        self._a, self._b = arrays.pop("a"), arrays.pop("b")
        self._views = arrays
        self.loss = _with_numbers(self._call, loss, params or {}, parameters)
        self._terms_of: dict[int, list[_Term]] = {}

    @property
    def rows(self) -> int:
        """N, the number of data."""
        return len(self._a)

    def value(self, W: ArrayLike | None = None) -> float:
        """Return the loss of the rows, or of W times the rows."""
        weights = self._weights(W)
        images = self._images(weights)
        return sum(
            term.coefficient * self._term(term, weights, images, gradient=False).value
            for term in self._terms(self._outputs(weights))
        )

    def value_and_gradient(self, W: ArrayLike | None = None) -> tuple[float, Any]:
        """Return the loss and its derivative by W; without W, the pair of its derivatives by a and by b."""
        weights = self._weights(W)
        images = self._images(weights)
        value = 0.0
        by_images: dict[str, Array] = {}
        by_W = None if weights is None else np.zeros(weights.shape)
        for term in self._terms(self._outputs(weights)):
            found = self._term(term, weights, images, gradient=True)
            value += term.coefficient * found.value
            for name, array in found.by_images.items():
                by_images[name] = term.coefficient * array + by_images.get(name, 0.0)
            if by_W is not None and found.by_W is not None:
                by_W += term.coefficient * found.by_W
        if by_W is None or weights is None:
            pair = tuple(
                by_images.get(k, np.zeros_like(z)).astype(z.dtype) for k, z in (("a", self._a), ("b", self._b))
            )
            return value, pair
        for name, array in by_images.items():
            by_W += array.T @ self._features(name)
        return value, by_W.astype(weights.dtype)

    def estimate(self, W: ArrayLike | None = None) -> Estimate:
        """Return the loss with its standard error, from the influence of every datum."""
        weights = self._weights(W)
        images = self._images(weights)
        value, influence = 0.0, np.zeros(self.rows)
        for term in self._terms(self._outputs(weights)):
            if isinstance(term.evaluator, ExpressionEvaluator):
                result = term.evaluator.run(**images.given, weight_norm=_squared(weights), influence=True)
                assert result.influence is not None
                value += term.coefficient * result.value
                influence += term.coefficient * result.influence
                continue
            value += term.coefficient * self._term(term, weights, images, gradient=False).value
            if term.evaluator is not None:
                influence += term.coefficient * term.evaluator.influence(images.a, images.b)
        return Estimate(float(value), float(influence.std(ddof=1) / np.sqrt(self.rows)))

    def __repr__(self) -> str:
        rows, columns = self._a.shape
        return f"SampledLoss({self.loss.name}, {rows} rows of {columns} in {self._a.dtype})"

    # Terms

    def _terms(self, outputs: int) -> list[_Term]:
        """Return coefficients, forms and evaluators for so many outputs."""
        if outputs not in self._terms_of:
            size = {d_1: sp.Integer(outputs)}
            found = []
            for coefficient, form in self.loss.batch:
                form = form.xreplace(size)
                evaluator = None if isinstance(form, Decay) else evaluator_of(form)
                found.append(_Term(_number(coefficient.xreplace(size)), form, evaluator))
            self._terms_of[outputs] = found
        return self._terms_of[outputs]

    def _term(self, term: _Term, W: Array | None, images: _Images, gradient: bool) -> _Found:
        evaluator = term.evaluator
        if evaluator is None:
            assert isinstance(term.form, Decay)
            if W is None:
                raise InputError(
                    f"{self._call}: weight decay is a function of W; give W, and features in place of representations"
                )
            gamma = _number(term.form.gamma)
            return _Found(gamma * float(np.sum(W.astype(np.float64) ** 2)), {}, 2 * gamma * W)
        if isinstance(evaluator, ExpressionEvaluator):
            found = self._expression_on_moments(evaluator, W)
            if found is not None:
                return found
            result = evaluator.run(**images.given, weight_norm=_squared(W), gradient=gradient)
            by_W = None if W is None else 2 * result.by_weight_norm * W
            return _Found(result.value, result.gradients, by_W)
        if W is not None and hasattr(evaluator, "from_moments") and self._moments_pay:
            moments = self._centred_moments if getattr(evaluator, "shift_invariant", False) else self._moments
            try:
                value, by_mean, by_second = evaluator.from_moments(moments.image(W.astype(np.float64)))
            except MomentsError:  # digits that moments lose are there in the rows
                pass
            else:
                return _Found(float(value), {}, _through_moments(moments, W, by_mean, by_second))
        if not gradient:
            return _Found(float(evaluator.value(images.a, images.b)), {})
        value, by_a, by_b = evaluator.value_and_gradient(images.a, images.b)
        return _Found(float(value), {"a": by_a, "b": by_b})

    def _expression_on_moments(self, evaluator: ExpressionEvaluator, W: Array | None) -> _Found | None:
        if W is None or self._views or not self._moments_pay or not evaluator.moments_suffice(len(W)):
            return None
        try:
            result = evaluator.run_on_moments(self._moments.image(W.astype(np.float64)), _squared(W))
        except MomentsError:  # digits that moments lose are there in the rows
            return None
        by_W = _through_moments(self._moments, W, result.by_mean, result.by_second) + 2 * result.by_weight_norm * W
        return _Found(result.value, {}, by_W)

    # Rows and their moments

    def _features(self, name: str) -> Array:
        return {"a": self._a, "b": self._b, **self._views}[name]

    def _images(self, W: Array | None) -> _Images:
        return _Images(self, W)

    @property
    def _moments_pay(self) -> bool:
        """Whether W applied to d0 x d0 moments is cheaper than to the rows."""
        return len(self._a) >= 2 * self._a.shape[1]

    @cached_property
    def _moments(self) -> ViewMoments:
        return view_moments(self._a, self._b)

    @cached_property
    def _centred_moments(self) -> ViewMoments:
        mean = (self._a.mean(axis=0, dtype=np.float64) + self._b.mean(axis=0, dtype=np.float64)) / 2
        return view_moments(self._a, self._b, shift=mean)

    def _outputs(self, W: Array | None) -> int:
        return self._a.shape[1] if W is None else len(W)

    def _weights(self, W: ArrayLike | None) -> Array | None:
        if W is None:
            return None
        weights = _real(f"{self._call}: W", W).astype(self._a.dtype)
        d0 = self._a.shape[1]
        if weights.ndim != 2 or weights.shape[1] != d0 or not len(weights):
            hint = "; it looks transposed" if weights.ndim == 2 and weights.shape[0] == d0 else ""
            raise MomentsError(
                f"{self._call}: W has shape {weights.shape}; with features of {d0} columns it is d1 x {d0}{hint}"
            )
        _finite(f"{self._call}: W", weights)
        return weights


class _Images:
    """The representations, computed when a form asks for rows."""

    def __init__(self, sampled: SampledLoss, W: Array | None):
        self._sampled, self._W = sampled, W

    def _of(self, name: str) -> Array:
        rows = self._sampled._features(name)
        return rows if self._W is None else rows @ self._W.T

    @cached_property
    def a(self) -> Array:
        """The first view."""
        return self._of("a")

    @cached_property
    def b(self) -> Array:
        """The second view."""
        return self._of("b")

    @cached_property
    def given(self) -> dict[str, Any]:
        """Both views and the others, as arguments."""
        return {"a": self.a, "b": self.b, "views": {name: self._of(name) for name in self._sampled._views}}


class _Found(NamedTuple):
    value: float
    by_images: Mapping[str, Array]
    by_W: Array | None = None


def _through_moments(moments: ViewMoments, W: Array, by_mean: Array, by_second: Array) -> Array:
    """Return the derivative by W of a function of the moments W m and W S W^T."""
    found = np.einsum("ui,uj->ij", by_mean, moments.mean)
    for u in range(2):
        for v in range(2):
            D, S = by_second[u, v], moments.second[u, v]
            if np.any(D):
                found += D @ (W @ S.T) + D.T @ (W @ S)
    return found


def _squared(W: Array | None) -> float | None:
    return None if W is None else float(np.sum(W.astype(np.float64) ** 2))


# Checks


def _with_numbers(call: str, loss: Loss, params: Mapping[Any, Any], parameters: Mapping[str, Any]) -> Loss:
    """Return the loss with a number for every symbol but d_1, which the arrays say, and those that a batch does not need."""
    needed = set[sp.Symbol]().union(*(c.free_symbols | form.free_symbols for c, form in loss.batch))
    known = {argument_name(name): name for name in loss.parameters if name != str(d_1)}
    by_name = {argument_name(str(symbol)): value for symbol, value in params.items()}
    for name, value in parameters.items():
        if name not in known:
            has = ", ".join(known) or "none"
            raise UnknownNameError(f"{call}: the loss has no parameter {name!r}; it has: {has}")
        if name in by_name:
            raise InputError(f"{call}: {name} is given twice, by name and in params=")
        by_name[name] = value
    missing = [name for name, symbol in known.items() if name not in by_name and loss.parameters[symbol] in needed]
    if missing:
        hint = ", ".join(f"{name}=..." for name in missing)
        raise UnknownNameError(f"{call}: the parameter {missing[0]} has no value; pass {hint}")
    chosen = {}
    for name, symbol in known.items():
        if name not in by_name:
            continue
        value = by_name[name]
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise InputError(f"{call}: {name}={value!r} is not a number") from error
        if np.isnan(number) or (np.isinf(number) and symbol != "n"):
            raise InputError(f"{call}: {name}={value!r} is not finite")
        if loss.parameters[symbol].is_integer and np.isfinite(number) and not number.is_integer():
            raise InputError(f"{call}: {name}={value!r} is an integer in this loss")
        if loss.parameters[symbol].is_positive and number <= 0:
            raise InputError(f"{call}: {name}={value!r} is positive in this loss")
        if np.isinf(number):
            chosen[symbol] = sp.oo
        else:
            chosen[symbol] = sp.Integer(int(number)) if number.is_integer() else value
    return loss.with_values(chosen)


def _number(expr: sp.Expr) -> float:
    try:
        return float(expr)
    except (TypeError, OverflowError) as error:
        raise InputError(f"{expr}: not a finite real number; give its symbols values that make it one") from error


def _arrays(call: str, given: Mapping[str, ArrayLike]) -> dict[str, NDArray]:
    """Return the arrays, of one float type, checked: N x d, equal shapes, finite, N >= 2."""
    arrays = {name: _real(f"{call}: {name}", value) for name, value in given.items()}
    single = all(array.dtype == np.float32 for array in arrays.values())
    first = arrays["a"]
    for name, array in arrays.items():
        if array.ndim != 2:
            raise InputError(
                f"{call}: {name} has shape {array.shape}; a view is an array N x d, one row for each datum"
            )
        if array.shape != first.shape:
            raise InputError(
                f"{call}: a has shape {first.shape} and {name} {array.shape}; rows of all views are paired, N x d each"
            )
    rows, columns = first.shape
    if rows < 2 or columns < 1:
        swapped = "; the axes look swapped, rows are data" if columns >= 2 else ""
        raise InputError(f"{call}: a has shape {first.shape}; give at least two data, N >= 2{swapped}")
    found = {}
    for name, array in arrays.items():
        found[name] = array if single else array.astype(np.float64, copy=False)
        _finite(f"{call}: {name}", found[name])
    return found


def _real(name: str, value: ArrayLike) -> NDArray:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is not an array: {error}; give rows of equal length") from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} is an array of {array.dtype}; give real numbers")
    return array if array.dtype == np.float32 else array.astype(np.float64, copy=False)


def _finite(name: str, array: NDArray) -> None:
    if not np.isfinite(array).all():
        row, column = (int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise InputError(
            f"{name}[{row}, {column}] is {array[row, column]}; remove that row from all views, or repair it"
        )
