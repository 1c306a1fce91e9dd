"""Any expression of the language on a batch of two views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.losses.batch import Expression
from symscape.sampling.evaluator import ViewMoments
from symscape.sampling.expression.moments_alone import MomentResult, run_on_moments
from symscape.sampling.expression.program import Result, compiled
from symscape.sampling.expression.rows import Batch

Array = NDArray[np.floating[Any]]


class ExpressionEvaluator:
    """The value, gradient and influence of ``form.expr`` on a batch: expectations are means over rows, or pairs of rows.

    Datum x has the rows i of a and b, x = a_i and x' = b_i. An independent datum chi is every other row j, its view b_j where
    it is compared with x, a_j where it is compared with x', and both in turn where it is compared with both. So E over chi,
    given x, is the mean over j != i, and E over x and chi the mean over all pairs i != j. ``total(..., over=chi, n=n)`` takes
    the rows i + 1, ..., i + n, then the n after them, and so on, cyclically. Where three or more data are compared with one
    another, chi and chi2 are the rows i + k and i + l for spread k and l of disjoint sets, at most 1024 pairs (k, l).
    P is the mean of both views' second moments, M is symmetrised; centred ones are about the mean of each view.

    ``views`` holds arrays for further views by name, ``weight_norm`` the squared norm of W. No array of all pairs is formed.
    Raises InputError, with the expression and the way out, where a value or derivative does not exist.

    >>> import numpy as np, sympy as sp
    >>> from symscape.losses.language import E, dot
    >>> from symscape.probability.views import anchor, negative
    >>> loss = ExpressionEvaluator(Expression(E(sp.log(E(sp.exp(dot(anchor, negative)), over=negative)))))
    >>> loss.value(np.eye(2), np.eye(2))
    0.0
    """

    def __init__(self, form: Expression):
        self.form = form

    def value(self, a: Array, b: Array) -> float:
        """Return the loss."""
        return self.run(a, b).value

    def value_and_gradient(self, a: Array, b: Array) -> tuple[float, Array, Array]:
        """Return the loss and its derivatives by a and by b."""
        result = self.run(a, b, gradient=True)
        return result.value, result.gradients["a"].astype(a.dtype), result.gradients["b"].astype(b.dtype)

    def influence(self, a: Array, b: Array) -> Array:
        """Return N times the derivative by the weight of each datum, (N,), up to a constant.

        What a datum does as one of the copies in a ``total`` is what changes when a typical copy takes its place.
        """
        influence = self.run(a, b, influence=True).influence
        assert influence is not None
        return influence

    def run(
        self,
        a: Array,
        b: Array,
        views: Mapping[str, Array] | None = None,
        weight_norm: float | None = None,
        gradient: bool = False,
        influence: bool = False,
    ) -> Result:
        """Return the value with what else is asked for; gradients by array name, "a", "b" and those of ``views``."""
        batch = Batch({"a": a, "b": b, **(views or {})})
        program = compiled(self.form.expr, batch.outputs, frozenset(views or ()))
        return program.run(batch, weight_norm, gradient, influence)

    def moments_suffice(self, outputs: int) -> bool:
        """Whether the loss is a function of the second moments of two views, so that `run_on_moments` computes it."""
        return compiled(self.form.expr, outputs, frozenset()).of_moments

    def run_on_moments(self, moments: ViewMoments, weight_norm: float | None = None) -> MomentResult:
        """Return the value and derivatives from the views' moments. Raises MomentsError where their digits do not suffice."""
        return run_on_moments(compiled(self.form.expr, moments.mean.shape[1], frozenset()), moments, weight_norm)

    def __repr__(self) -> str:
        return f"ExpressionEvaluator({self.form.expr})"
