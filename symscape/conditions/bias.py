"""What a bias and a mean do to a loss: ignored, driven to zero mean, or an output spent on the constant feature."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from sympy.logic.boolalg import Boolean

from symscape.errors import InputError
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.language import Entry, d_1
from symscape.losses.loss import Loss
from symscape.probability.data_models import GaussianViews
from symscape.stationary.word_form import MEAN, Features, WordForm, split_form

#: Canonical correlation of the constant feature with itself: both views are 1.
CONSTANT_CORRELATION = sp.S.One


@dataclass(frozen=True)
class BiasEffect:
    """What f = W phi + b does to a loss, with features of any mean.

    ``kind``: ``ignored`` (the landscape holds neither mean nor bias), ``constant feature`` (in second moments of (phi, 1) the
    bias is one more feature, of canonical correlation 1), or ``mean`` (W mean + b enters as a coordinate of its own).
    ``strength``: the coefficient b of the constant feature or of |W mean + b|^2 at the origin: positive drives it from zero;
    None when it vanishes and higher terms hold it there. ``spends_an_output``: whether an output goes to the constant at the
    minimum; ``costs_a_feature``: when that costs a feature that would survive without a bias; ``landscape``: with the bias.
    """

    loss: str
    kind: str
    strength: sp.Expr | None
    spends_an_output: bool | Boolean
    costs_a_feature: bool | Boolean
    landscape: Landscape
    reason: str

    def __str__(self) -> str:
        return f"{self.loss}: {self.kind}; {self.reason}"

    __repr__ = __str__


#: Modes that survive without a bias, were there outputs enough.
n_surviving = sp.Symbol("n_surviving", integer=True, nonnegative=True)


def bias_effect(loss: Loss, order: int = 4) -> BiasEffect:
    """Return what a bias and a mean of the features do to a loss, read from its derived landscape.

    Raises what `landscape` raises, InputError for a quadratic part that is no sum of moments.

    >>> from symscape.losses.infonce import InfoNCE
    >>> from symscape.losses.spectral_contrastive import SpectralContrastive
    >>> bias_effect(InfoNCE()).kind, bias_effect(SpectralContrastive()).kind
    ('ignored', 'constant feature')
    >>> bias_effect(SpectralContrastive()).costs_a_feature
    d_1 <= n_surviving
    """
    if not isinstance(loss, Loss):
        raise InputError(f"bias_effect({loss!r}): the first argument is a Loss; wrap an expression in Loss(...)")
    land = landscape(loss, order=order, data=GaussianViews(mean=True), bias=True)
    if not any(g[0] in ("form", "graph") and _has_mean(g) for m, _ in land.terms for g in m):
        reason = "the landscape holds covariances only: neither the mean nor the bias enters, and no output is spent"
        return BiasEffect(loss.name, "ignored", sp.S.Zero, False, False, land, reason)
    if not loss.views and not any(entry.centred for entry in loss.expr.atoms(Entry)):
        # A function of second moments about zero alone: those of (phi, 1) with a bias.
        form, _ = split_form(landscape(loss, order=order))
        return _constant_feature(loss, land, form)
    form, _ = split_form(land)
    if form.features is Features.WITH_ONE:
        return _constant_feature(loss, land, form)
    return _own_coordinate(loss, land, form)


def _has_mean(generator: tuple) -> bool:
    if generator[0] == "form":
        return "mean" in (generator[1], generator[3])
    return bool(generator[2])


def _constant_feature(loss: Loss, land: Landscape, form: WordForm) -> BiasEffect:
    cross, sigma = (form.quadratic.get(s, sp.S.Zero) for s in ("A_0", "Sigma"))
    strength = sp.factor(cross * CONSTANT_CORRELATION + sigma)  # weight decay does not hold the bias
    if not strength.is_positive:
        spends: bool | Boolean = False if strength.is_nonpositive else sp.Gt(strength, 0)
    else:
        spends = True
    return BiasEffect(
        loss.name, "constant feature", strength, spends,
        sp.And(spends, sp.Le(d_1, n_surviving)) if spends is not False else False, land,
        f"in second moments of (phi, 1) the bias is one more feature, of canonical correlation 1 and b = {strength}, the "
        "largest there is: it takes one output, which costs a feature when all d_1 outputs would have carried one",
    )  # fmt: skip


def _own_coordinate(loss: Loss, land: Landscape, form: WordForm) -> BiasEffect:
    strength = sp.factor(form.quadratic.get(MEAN, sp.S.Zero))
    if strength == 0:
        reason = (
            "W mean + b is a coordinate of its own, absent from the quadratic part and held at zero by higher terms: "
            "b = -W mean, no output is spent"
        )
        return BiasEffect(loss.name, "mean", None, False, False, land, reason)
    drives = strength.is_positive
    reason = f"W mean + b is a coordinate of its own, with b = {strength} in the quadratic part" + (
        ": it is driven from zero and takes one output" if drives else ""
    )
    spends: bool | Boolean = bool(drives) if drives is not None else sp.Gt(strength, 0)
    costs = sp.And(spends, sp.Le(d_1, n_surviving)) if spends is not False else False
    return BiasEffect(loss.name, "mean", strength, spends, costs, land, reason)
