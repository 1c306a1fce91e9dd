"""A loss over orthogonal classes without noise, exactly: a finite sum over classes and signs, not a series in W."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import sympy as sp

from symscape.algebra.atoms import exact
from symscape.errors import InputError
from symscape.losses.language import Dot, Entry, Expectation, OutputSum, SqDist, Total, WeightNorm
from symscape.losses.loss import Loss

#: The class and the sign of a datum.
Place = tuple[int, int]


def loss_on_classes(loss: Loss, pi: Sequence[Any], q: Sequence[Any], strength: Sequence[Any] | None = None) -> sp.Expr:
    """Return a loss as a SymPy expression over K classes of points +-m_c, all views without noise, W m_c orthogonal.

    ``pi``: probabilities, ``q``: |W m_c|^2, ``strength``: |m_c|^2 (1 unless given), K numbers or symbols each. Every
    expectation is a sum over classes and signs. Raises InputError for finitely many negatives, and losses of single outputs.

    >>> from symscape.losses.ntxent import NTXent
    >>> loss_on_classes(NTXent(), [1], [sp.Symbol("q", positive=True)])      # no q: directions alone count
    -1 + log(exp(-1)/2 + E/2)
    """
    strengths = [1] * len(pi) if strength is None else strength
    if not (len(pi) == len(q) == len(strengths)):
        raise InputError(f"loss_on_classes(pi={pi!r}, q={q!r}): give one probability and one strength per class")
    weights, squares = [exact(w) for w in pi], [exact(s) for s in q]
    norm = sp.Add(*[square / exact(s) for square, s in zip(squares, strengths, strict=True)])
    places = list(product(range(len(weights)), (1, -1)))

    def value(expr: sp.Expr, at: Mapping[str, Place]) -> sp.Expr:
        if isinstance(expr, Dot):
            (c, s), (other, t) = (at[view.datum] for view in expr.args)
            return s * t * squares[c] if c == other else sp.S.Zero
        if isinstance(expr, SqDist):
            return value(expr.as_dots(), at)
        if isinstance(expr, Expectation):
            data = sorted({view.datum for view in expr.args[1:]})
            total = sp.S.Zero
            for chosen in product(places, repeat=len(data)):
                probability = sp.Mul(*[weights[c] / 2 for c, _ in chosen])
                total += probability * value(expr.args[0], {**at, **dict(zip(data, chosen, strict=True))})
            return total
        if isinstance(expr, WeightNorm):
            return norm
        if isinstance(expr, (Entry, OutputSum, Total)):
            raise InputError(
                f"loss_on_classes({loss.name}): {expr} is no expectation over views; the sum over classes reads losses of "
                "inner products with infinitely many negatives"
            )
        return expr.func(*(value(argument, at) for argument in expr.args)) if expr.args else expr

    return value(loss.expr, {})
