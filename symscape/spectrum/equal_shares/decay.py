"""Weight decay on a loss of second moments, taken into A_0 where M enters through its trace alone.

With L = F(P) - c Tr M and decay gamma ||W||^2 = gamma Tr W W^T,

    L + gamma ||W||^2 = F(P) - c Tr W (A_0 - (gamma / c) 1) W^T,

which is L at the cross moment A_0 - (gamma / c) 1: its modes are those of the pencil (A_0 - (gamma / c) 1, Sigma).
"""

from __future__ import annotations

from functools import lru_cache

import sympy as sp

from symscape.errors import InputError
from symscape.losses.language import Expectation, OutputSum, WeightNorm, weight_norm
from symscape.losses.loss import Loss
from symscape.spectrum.equal_shares.output_losses import (
    M_ii,
    M_jj,
    P_ii,
    as_maximum,
    read_expectation,
    read_output_sum,
    rewrite,
)

_TrM = sp.Dummy("TrM", real=True)


def without_decay(loss: Loss) -> tuple[Loss, sp.Expr]:
    """Return (loss without weight decay, gamma). Raises InputError where ||W||^2 enters otherwise than in a sum.

    >>> from symscape.losses.loss import WeightDecay
    >>> from symscape.losses.vicreg import VICReg
    >>> rest, gamma = without_decay(VICReg() + WeightDecay(3))
    >>> rest.expr == VICReg().expr, gamma
    (True, 3)
    """
    if not loss.expr.has(WeightNorm):
        return loss, sp.S.Zero
    size = weight_norm()
    rest, gamma = sp.expand_mul(loss.expr, deep=False).as_independent(size, as_Add=True)
    gamma = sp.cancel(gamma / size)
    if gamma.has(WeightNorm):
        raise InputError(
            f"{loss.name}: ||W||^2 enters otherwise than as gamma ||W||^2; add WeightDecay(gamma) to a loss"
        )
    return Loss(rest, name=loss.name), gamma


@lru_cache(maxsize=256)
def cross_weight(loss_expr: sp.Expr, call: str) -> sp.Expr | None:
    """Return c where the loss is F(P) - c Tr M, c free of moments; None where M enters otherwise, or not at all.

    >>> from symscape.losses.vicreg import VICReg
    >>> cross_weight(VICReg.symbolic().expr, "VICReg")
    2*lambda/d_1
    """
    moments: list[sp.Symbol] = []
    otherwise: list[sp.Expr] = []

    def held() -> sp.Symbol:
        moments.append(sp.Dummy(real=True))
        return moments[-1]

    def on_node(node: sp.Expr) -> sp.Expr:
        total = held()
        if isinstance(node, Expectation):
            for factor, words in read_expectation(node, call):
                if words == ("M",):
                    total += factor * _TrM
                elif any("M" in word for word in words):
                    otherwise.append(node)
            return total
        assert isinstance(node, OutputSum)
        term = read_output_sum(node, call)
        slope = sp.simplify(sp.diff(term.own, M_ii))
        in_pairs = any(powers[1] or c.has(M_ii, M_jj) for powers, c in term.pairs.items())
        if in_pairs or slope.has(M_ii, P_ii):
            otherwise.append(node)
        return total + slope * _TrM

    outer = rewrite(as_maximum(loss_expr), on_node, call)
    c = sp.simplify(-sp.diff(outer, _TrM))
    return None if otherwise or c == 0 or c.has(_TrM, *moments) else c
