"""What a loss is worth at complete collapse: every output the same point, for every datum and view.

Each form is evaluated there as it is computed: with constant logits the softmax is uniform, centred outputs are zero, cosines
are one. What remains may depend on the batch size N, the number of outputs d_1, and for losses of raw products on the point.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import sympy as sp

from symscape.algebra.atoms import exact
from symscape.errors import InputError
from symscape.losses.batch import (
    AlignUniform,
    BatchForm,
    CrossCorrelation,
    CrossEntropy,
    Decay,
    Expression,
    FirstOutputs,
    MeanCosine,
    PairwiseSigmoid,
    Spectral,
    Transformation,
    VarianceCovariance,
)
from symscape.losses.catalogue import make_loss
from symscape.losses.language import (
    Dot,
    Entry,
    Expectation,
    Node,
    OutputSum,
    SqDist,
    Total,
    WeightNorm,
    d_1,
    weight_norm,
)
from symscape.losses.loss import Loss

#: The batch size, and of the point c its squared length and the sum of the fourth powers of its coordinates.
N = sp.Symbol("N", integer=True, positive=True)
squared_length = sp.Symbol("|c|^2", positive=True)
fourth_powers = sp.Symbol("sum c_i^4", positive=True)


def collapsed_value(loss: Loss | str, batch_size: Any = None, d1: Any = None) -> sp.Expr:
    """Return the value of a loss on a batch in which every output is the same point, not the origin.

    ``loss`` may be the name of one. A SymPy expression in the batch size N and the number of outputs d_1, or with numbers for
    them. Losses of raw products
    (spectral contrastive, raw Barlow Twins) depend on the point c through ``|c|^2`` and ``sum c_i^4``. Raises InputError
    where the value is 0/0, for a batch size below 2, or where an expression of single outputs depends on the point;
    UnknownNameError for an unknown name.

    >>> from symscape.losses.presets.presets import preset
    >>> collapsed_value("lightly/ntxent"), collapsed_value(preset("lightly/ntxent", tau=0.1), batch_size=512)
    (log(2*N - 1), log(1023))
    >>> collapsed_value("lightly/vicreg"), collapsed_value("lightly/barlow-twins", d1=128)
    (99/4, 128)
    """
    loss = make_loss(loss, {}) if isinstance(loss, str) else loss
    call = f"collapsed_value({getattr(loss, 'name', loss)!r}, ...)"
    if not isinstance(loss, Loss):
        raise InputError(f"{call}: the first argument is a Loss, for instance preset('lightly/ntxent'), or its name")
    values = {}
    for symbol, given, least, name in ((N, batch_size, 2, "batch_size"), (d_1, d1, 1, "d1")):
        if given is not None:
            values[symbol] = exact(given)
            if values[symbol].is_integer is False or (values[symbol] - least).is_negative:
                raise InputError(f"{call}: {name}={given} is an integer of {least} or more, or a symbol")
    total = sp.Add(*(coefficient * at_one_point(form) for coefficient, form in loss.batch))
    return sp.expand(total, log=False).xreplace(values)


@singledispatch
def at_one_point(form: BatchForm) -> sp.Expr:
    """Return the value of a form at complete collapse."""
    raise InputError(f"{form}: its value at complete collapse is not known; register it with at_one_point.register")


@at_one_point.register
def _(form: CrossEntropy) -> sp.Expr:
    """All logits are equal: log of the number of candidates."""
    if form.per_candidate:
        return sp.S.Zero
    others = 2 * N - 2 if form.pool == "both-views" else N - 1
    if form.negatives is not sp.oo:
        others = form.negatives
    return sp.log(others + 1 if form.positive else others)


@at_one_point.register
def _(form: Spectral) -> sp.Expr:
    """Every product is |c|^2, clipped to mu."""
    if form.mu is sp.oo:
        return squared_length**2 - 2 * squared_length
    product = sp.Min(squared_length, form.mu)
    return (product**2 - 2 * product) / form.mu


@at_one_point.register
def _(form: AlignUniform) -> sp.Expr:
    """Distances are 0, and so is the log of a mean of ones."""
    return sp.S.Zero


@at_one_point.register
def _(form: PairwiseSigmoid) -> sp.Expr:
    """All cosines are 1."""
    logit = form.t + form.b
    return sp.log(1 + sp.exp(-logit)) + (N - 1) * sp.log(1 + sp.exp(logit))


@at_one_point.register
def _(form: MeanCosine) -> sp.Expr:
    """Cosines are 1; whitened outputs are zero, where the covariance can be inverted at all."""
    if not form.whitened:
        return form.offset + form.slope
    if form.epsilon.is_zero:
        raise InputError(
            "W-MSE at complete collapse: the covariance is zero, and cannot be whitened without an epsilon"
        )
    return form.offset


@at_one_point.register
def _(form: CrossCorrelation) -> sp.Expr:
    """Standardised outputs are zero, and K with them; raw, K is c c^T."""
    if form.standardise == "none":
        off = squared_length**2 - fourth_powers
        return d_1 - 2 * squared_length + fourth_powers + form.lambda_ * off
    if form.epsilon.is_zero:
        raise InputError(
            "Barlow Twins at complete collapse: standardised outputs are 0/0 at epsilon=0; pass an epsilon"
        )
    return d_1


@at_one_point.register
def _(form: VarianceCovariance) -> sp.Expr:
    """Variances and covariances are zero: the whole hinge."""
    return form.mu * sp.Max(0, 1 - sp.sqrt(form.epsilon))


@at_one_point.register
def _(form: Transformation) -> sp.Expr:
    """Cosines are 1, and the second moment of unit rows has the eigenvalue 1 along them."""
    return form.offset - 1 + form.rho * (1 - form.beta)


@at_one_point.register
def _(form: FirstOutputs) -> sp.Expr:
    """The same of the form inside, of fewer outputs."""
    inner = at_one_point(form.form)
    return inner if form.count is sp.oo else inner.xreplace({d_1: form.count})


@at_one_point.register
def _(form: Decay) -> sp.Expr:
    """W is not zero because outputs agree."""
    return form.gamma * weight_norm()


@at_one_point.register
def _(form: Expression) -> sp.Expr:
    """Inner products are |c|^2, distances and centred moments 0, expectations the value itself."""
    return _constant(form.expr)


def _constant(expr: sp.Expr) -> sp.Expr:
    if not expr.has(Node) or isinstance(expr, WeightNorm):
        return expr
    if isinstance(expr, Dot):
        return squared_length
    if isinstance(expr, SqDist) or (isinstance(expr, Entry) and expr.centred):
        return sp.S.Zero
    if isinstance(expr, Expectation):
        return _constant(expr.args[0])
    if isinstance(expr, Total):
        return expr.args[2] * _constant(expr.args[0])
    if isinstance(expr, OutputSum):
        inner, distinct, *indices = expr.args
        terms = sp.ff(d_1, len(indices)) if distinct else d_1 ** len(indices)
        return sp.expand_func(terms) * _constant(inner)
    if isinstance(expr, Node):
        raise InputError(
            f"{expr} depends on the point at which outputs collapse; write it with centred=True, or with dot"
        )
    return expr.func(*(_constant(argument) for argument in expr.args))
