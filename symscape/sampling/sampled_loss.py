"""The loss as practitioners run it: on a batch of representations, or on features with W."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from symscape.data.threads import one_thread
from symscape.errors import InputError, MomentsError
from symscape.losses.batch import BatchForm, Decay
from symscape.losses.catalogue import make_loss
from symscape.losses.language import d_1
from symscape.losses.loss import Loss
from symscape.sampling.batch_arguments import checked_views, number_of, real_array, refuse_infinite, with_numbers
from symscape.sampling.evaluator import Array, Estimate, Evaluator, ViewMoments
from symscape.sampling.expression.expression_evaluator import ExpressionEvaluator
from symscape.sampling.forms import evaluator_of
from symscape.sampling.jackknife import correction
from symscape.sampling.moments.central import view_moments
from symscape.sampling.pairs.logits import largest
from symscape.sampling.pairs.negatives import Places

#: Numbers of data at which standard errors of own expressions are compared with those by leaving out groups: 20 values more.
LEAST, MOST = 20, 1024


def sampled_loss(
    loss: Loss | str,
    z_a: ArrayLike,
    z_b: ArrayLike,
    W: ArrayLike | None = None,
    params: Mapping[Any, Any] | None = None,
    views: Mapping[str, ArrayLike] | None = None,
    **parameters: Any,
) -> Estimate:
    """Return a loss on a batch of two views with its standard error: of representations N x d1, or features N x d0 with W.

    The value is what ``loss.batch`` says, which is where two numbers for one population may differ at finite N:

    - A preset gives the number in a training log, log(2N - 1) and such constants included. Losses of the catalogue leave out
      the log of the number of candidates: they are 0 when every output is the same point.
    - An own expression pairs a datum with independent ones alone, x = a_i with j != i: the positive is no candidate. `InfoNCE`
      counts it among them, as code does. So ``Loss(InfoNCE().expr)`` and ``InfoNCE()`` are two numbers, O(1/N) apart.

    The standard error is that of the population's loss, see `Estimate`: it counts how data differ, those that serve as
    negatives too, and does not show the O(1/N) bias of functions of a mean over the batch. Other arguments and errors as for
    `SampledLoss`.

    >>> import numpy as np, symscape as ss
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=(500, 3))
    >>> print(sampled_loss(ss.SpectralContrastive(), z, z + 0.1 * rng.normal(size=z.shape)))
    -2.98469 ± 0.014
    >>> print(sampled_loss("lightly/ntxent", z, z, tau=0.1))
    3.92746 ± 0.0091
    """
    return SampledLoss(loss, z_a, z_b, params, views, **parameters).estimate(W)


class _Term(NamedTuple):
    coefficient: float
    form: BatchForm
    evaluator: Evaluator | None


class SampledLoss:
    """A loss on a batch: ``SampledLoss(loss, a, b)`` of representations N x d1; of features N x d0 if W (d1 x d0) is given.

    ``loss`` may be the name of a preset or of a loss, ``"lightly/ntxent"``; parameters are then its settings. Otherwise
    parameters that are symbols of the loss get numbers by name, ``lambda_`` for lambda, or in ``params={symbol: value}``, which
    may hold more than is needed. Rows of a and b are paired: two views of one datum; ``views={name: array}`` holds arrays for
    more views, rows paired with those of a. With W, losses that are functions of second moments cost nothing that grows with N
    after the first call.

    Both float32 stays float32; anything else is float64, and sums are. Up to 16 MiB of arrays are copied; larger ones are not,
    and must not change: moments are kept from the first call on. Losses of pairs take 64 MiB beyond that, and one thread.

    Values: a preset gives the number in a training log; losses of the catalogue leave out the log of the number of candidates,
    and are 0 when every output is the same point; an own expression takes no positive among the candidates, where `InfoNCE`
    does (see `sampled_loss`). The standard error does not show the O(1/N) bias.

    Raises InputError for arrays of other shapes, of fewer than two rows, with NaN or infinity, where the loss has no value on
    the batch, and where it overflows; UnknownNameError for unknown or missing parameters; MomentsError for a W that does not
    fit.

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
        loss: Loss | str,
        a: ArrayLike,
        b: ArrayLike,
        params: Mapping[Any, Any] | None = None,
        views: Mapping[str, ArrayLike] | None = None,
        **parameters: Any,
    ):
        if isinstance(loss, str):
            loss, parameters = make_loss(loss, parameters), {}
        if not isinstance(loss, Loss):
            raise InputError(
                f"SampledLoss({loss!r}, ...): the first argument is a Loss, for instance InfoNCE(tau=0.1), or a preset's name"
            )
        self._call = f"SampledLoss({loss.name}, ...)"
        arrays = checked_views(self._call, {"a": a, "b": b, **(views or {})})
        self._a, self._b = arrays.pop("a"), arrays.pop("b")
        self._views = arrays
        self.loss = with_numbers(self._call, loss, {} if params is None else params, parameters)
        self._terms_of: dict[int, list[_Term]] = {}

    @property
    def rows(self) -> int:
        """N, the number of data."""
        return len(self._a)

    def value(self, W: ArrayLike | None = None) -> float:
        """Return the loss of the rows, or of W times the rows."""
        with self._in_range() as refuse:
            weights = self._weights(W)
            images = self._images(weights)
            terms = self._terms(self._outputs(weights))
            value = sum(term.coefficient * self._term(term, weights, images, gradient=False).value for term in terms)
            refuse(value)
        return value

    def value_and_gradient(self, W: ArrayLike | None = None) -> tuple[float, Any]:
        """Return the loss and its derivative by W; without W, the pair of its derivatives by a and by b."""
        with self._in_range() as refuse:
            value, gradient = self._value_and_gradient(self._weights(W))
            refuse(value, *(gradient if isinstance(gradient, tuple) else (gradient,)))
        return value, gradient

    def _value_and_gradient(self, weights: Array | None) -> tuple[float, Any]:
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
        with self._in_range() as refuse:
            value, influence = self._value_and_influence(self._weights(W))
            refuse(value, influence)
            unit = float(np.abs(influence).max()) or 1.0  # squares would overflow before the influence does
            error = unit * float((influence / unit).std(ddof=1)) / np.sqrt(self.rows)
            error *= self._correction(W, influence)
        return Estimate(float(value), float(error))

    def _correction(self, W: ArrayLike | None, influence: Array) -> float:
        """Return what to multiply the standard error by: influences of own expressions are linear in the weights of data."""
        weights = self._weights(W)
        evaluators = [term.evaluator for term in self._terms(self._outputs(weights))]
        own = [evaluator for evaluator in evaluators if isinstance(evaluator, ExpressionEvaluator)]
        if not any(own) or not LEAST <= self.rows <= MOST or not influence.any():
            return 1.0

        def without(kept: Places) -> float:
            views = {name: rows[kept] for name, rows in self._views.items()}
            return SampledLoss(self.loss, self._a[kept], self._b[kept], views=views).value(W)

        try:
            return correction(without, influence)
        except InputError:  # so few data that the expression needs all of them
            return 1.0

    def _value_and_influence(self, weights: Array | None) -> tuple[float, Array]:
        images = self._images(weights)
        value, influence = 0.0, np.zeros(self.rows)
        for term in self._terms(self._outputs(weights)):
            if isinstance(term.evaluator, ExpressionEvaluator):
                with one_thread():
                    result = term.evaluator.run(**images.given, weight_norm=_squared(weights), influence=True)
                assert result.influence is not None
                value += term.coefficient * result.value
                influence += term.coefficient * result.influence
                continue
            value += term.coefficient * self._term(term, weights, images, gradient=False).value
            if term.evaluator is not None:
                influence += term.coefficient * term.evaluator.influence(images.a, images.b)
        return value, influence

    def __repr__(self) -> str:
        rows, columns = self._a.shape
        return f"SampledLoss({self.loss.name}, {rows} rows of {columns} in {self._a.dtype})"

    @contextmanager
    def _in_range(self) -> Iterator[Callable[..., None]]:
        """Turn overflow inside into an InputError; gives what raises that for results that are not finite."""

        def refuse(*results: Any) -> None:
            if not all(np.isfinite(result).all() for result in results):
                raise FloatingPointError

        try:
            with np.errstate(over="raise", invalid="raise", divide="raise"):
                yield refuse
        except FloatingPointError:
            size = max(largest(rows) for rows in (self._a, self._b, *self._views.values()))
            raise InputError(
                f"{self._call}: the result overflows {self._a.dtype} at entries up to {size:.3g}; rescale the representations, "
                "so that their entries are near 1" + ("" if self._a.dtype == np.float64 else ", or give float64")
            ) from None

    # Terms

    def _terms(self, outputs: int) -> list[_Term]:
        """Return coefficients, forms and evaluators for so many outputs."""
        if outputs not in self._terms_of:
            size = {d_1: sp.Integer(outputs)}
            found = []
            for coefficient, form in self.loss.batch:
                form = form.xreplace(size)
                evaluator = None if isinstance(form, Decay) else evaluator_of(form)
                found.append(_Term(number_of(coefficient.xreplace(size)), form, evaluator))
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
            gamma = number_of(term.form.gamma)
            return _Found(gamma * float(np.sum(W.astype(np.float64) ** 2)), {}, 2 * gamma * W)
        if isinstance(evaluator, ExpressionEvaluator):
            found = self._expression_on_moments(evaluator, W)
            if found is not None:
                return found
            with one_thread():
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
        weights = real_array(f"{self._call}: W", W).astype(self._a.dtype)
        d0 = self._a.shape[1]
        if weights.ndim != 2 or weights.shape[1] != d0 or not len(weights):
            hint = "; it looks transposed" if weights.ndim == 2 and weights.shape[0] == d0 else ""
            raise MomentsError(
                f"{self._call}: W has shape {weights.shape}; with features of {d0} columns it is d1 x {d0}{hint}"
            )
        refuse_infinite(f"{self._call}: W", weights)
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
