"""A loss of the same form on normalised outputs, f / |f|: inner products become cosines."""

from __future__ import annotations

import sympy as sp

from symscape.errors import InputError
from symscape.losses.language import Dot, Entry, SqDist
from symscape.losses.loss import Loss


def on_normalised_outputs(loss: Loss) -> Loss:
    """Return a loss with f / |f| in place of f. Raises InputError for a loss of single outputs.

    >>> from symscape.losses.spectral_contrastive import SpectralContrastive
    >>> on_normalised_outputs(SpectralContrastive()).expr
    E_{x, chi}[(f(x).f(chi))**2/(|f(chi)|^2*|f(x)|^2)] - 2*E_{x, x'}[(f(x).f(x'))/(sqrt(|f(x)|^2)*sqrt(|f(x')|^2))]
    """
    if loss.expr.has(Entry):
        raise InputError(f"{loss.name}: it counts outputs apart, and has no form in cosines")

    def cosine(u: sp.Basic, v: sp.Basic) -> sp.Expr:
        return sp.S.One if u == v else Dot(u, v) / (sp.sqrt(Dot(u, u)) * sp.sqrt(Dot(v, v)))

    expr = loss.expr.replace(SqDist, lambda u, v: 2 - 2 * Dot(u, v)).replace(Dot, cosine)
    return Loss(expr, f"{loss.name} of normalised outputs")
