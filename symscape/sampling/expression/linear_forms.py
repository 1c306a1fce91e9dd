"""Parts of an expression that are linear in the inner products of two views: one matrix product with two further columns."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from symscape.losses.language import Dot, Node, SqDist
from symscape.probability.views import View
from symscape.sampling.expression.inputs import InnerForm, Slot
from symscape.sampling.expression.scalars import number


def inner_form(expr: sp.Expr, slots: Mapping[View, Slot]) -> InnerForm | None:
    """Return an expression that is linear in inner products of two views of different data, or one inner product."""
    terms: list[tuple[float, sp.Expr, Slot, Slot]] = []
    constant = 0.0
    for term in sp.Add.make_args(expr):
        factor, node = term.as_independent(Node, as_Add=False)
        if node == 1:
            constant += number(factor)
        elif isinstance(node, (Dot, SqDist)):
            u, v = (slots[view] for view in node.args)
            terms.append((number(factor), node, u, v))
        else:
            return None
    crossing = {frozenset((u, v)) for _, _, u, v in terms if u.datum != v.datum}
    if not crossing and expr.func in (Dot, SqDist):
        _, _, u, v = terms[0]
        return InnerForm(u, v, 1.0) if isinstance(expr, Dot) else InnerForm(u, v, -2.0, 1.0, 1.0)
    if len(crossing) != 1 or any(not {u, v} <= next(iter(crossing)) for _, _, u, v in terms):
        return None
    first, second = sorted(next(iter(crossing)), key=lambda slot: slot.datum)
    dot = left = right = 0.0
    for coefficient, node, u, v in terms:
        if u != v:
            is_dot = isinstance(node, Dot)
            dot += coefficient if is_dot else -2 * coefficient
            left += 0.0 if is_dot else coefficient
            right += 0.0 if is_dot else coefficient
        elif u == first:
            left += coefficient
        else:
            right += coefficient
    return InnerForm(first, second, dot, left, right, constant)
