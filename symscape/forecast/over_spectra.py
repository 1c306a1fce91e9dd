"""Theory by a landscape over spectra: the closed form for Gaussian views, the shell of cosines, or the series.

The landscape is a function of strengths p_i and of one number per mode: the canonical correlation r_i, or, with weight decay,
the eigenvalue b_i of the pencil (B, Sigma), which is exact where all but the quadratic part is a function of P alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.forecast.solved import Solved, aligned_outputs
from symscape.landscape.landscape import landscape
from symscape.landscape.plan import scaling_degree
from symscape.losses.language import d_1
from symscape.losses.loss import Loss, WeightDecay
from symscape.programs.landscape_function import LandscapeFunction
from symscape.spectrum.closed_form.closed_form import closed_form
from symscape.spectrum.cosine.shell import normalised_landscape
from symscape.spectrum.minimum import NumericSpectrum, find_minimum, threshold_of_a_mode
from symscape.spectrum.modes import b_i, p_i, r_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.spectrum.words import spectrum_of_words

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class SpectralTheory:
    """Theory by ``land``, whose modes are those of the pencil (A_0, Sigma), or (B, Sigma) where ``quadratic`` gives B.

    ``gamma``: weight decay; where B does not hold it, modes are those of (A_0, Sigma), and decay acts along them.
    """

    name: str
    land: SpectrumLandscape
    quadratic: LandscapeFunction | None
    gamma: float
    is_truncated: bool
    notes: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """What the eigenvalues of the modes are: "r", or "b"."""
        return "r" if self.quadratic is None else "b"

    def pencil(self, A_0: Array, Sigma: Array, decay_metric: Array, d1: int) -> Array:
        """Return the matrix whose eigenvalues with Sigma are those of the modes; weights decay by ``decay_metric``."""
        if self.quadratic is None:
            return A_0
        return -self.quadratic.hessian_at_origin(d1=d1, A0=A_0, Sigma=Sigma) / 2 - self.gamma * decay_metric

    def solve(self, eigenvalues: Array, d1: int, sizes: Array | None = None) -> Solved:
        """Return the minimum for given eigenvalues, descending; ``sizes``: |u_k|^2 of the modes, which decay acts on."""
        decay = None if self.quadratic is not None or sizes is None or not self.gamma else -self.gamma * sizes
        none = np.zeros_like(eigenvalues)
        r, b = (none, eigenvalues) if self.variable == "b" else (eigenvalues, none if decay is None else decay)
        found = find_minimum(self._compiled, r, b, d1)
        if not found.bounded:
            raise InputError(
                f"{self.name}: the landscape has no minimum at these numbers: a strength runs to infinity. Are the two views "
                "identical (r = 1), or is this a series that falls without end? Add weight decay, or augment more"
            )
        outputs = aligned_outputs(found.p, found.kept, d1)
        critical = np.nan if decay is not None else threshold_of_a_mode(self._compiled, found, r, b, self.variable)
        return Solved(found.p, found.kept, found.value, critical, outputs, self.notes)

    @cached_property
    def _compiled(self) -> NumericSpectrum:
        found: NumericSpectrum = self.land._numeric({})
        return found


def spectral_theory(loss: Loss, gamma: sp.Expr, d1: int, order: int = 4) -> SpectralTheory:
    """Return the theory of a rotation-invariant loss without free parameters, with weight decay gamma, for d1 outputs.

    Cosines: the shell, on which decay does nothing. Else the closed form where there is one, else the series to ``order``.
    """
    if scaling_degree(loss.expr) == 0:
        notes: tuple[str, ...] = ("the loss does not change along W -> c W; strengths are in units of Tr P",)
        if gamma:
            notes += (
                "weight decay only shrinks the scale of W (it sets an effective step size); no mode is lost by it",
            )
        return SpectralTheory("shell of cosines", normalised_landscape(loss), None, 0.0, False, notes)
    try:
        found = _by_closed_form(loss, gamma)
    except InputError:
        found = _by_series(loss, gamma, order)
    return replace(found, land=found.land.subs({d_1: d1})) if d_1 in found.land.parameters else found


def _by_closed_form(loss: Loss, gamma: sp.Expr) -> SpectralTheory:
    """Raises InputError where there is no closed form, or none with weight decay."""
    name = "closed form for Gaussian views"
    land = closed_form(loss)
    if all(expr.is_polynomial(p_i) for expr in land.sums.values()) and land.outer.is_polynomial(*land.sums):
        name = "exact landscape in second moments"
    if not gamma:
        return SpectralTheory(name, land, None, 0.0, False, land.assumptions)
    land = closed_form(loss + WeightDecay(gamma), pencil=True)
    return SpectralTheory(name, land, _quadratic(loss), float(gamma), False, land.assumptions)


def _by_series(loss: Loss, gamma: sp.Expr, order: int) -> SpectralTheory:
    land = landscape(loss, order=order)
    aligned = spectrum_of_words(land)
    name = "exact landscape" if land.is_exact else f"series at W = 0 to order {order}"
    if not gamma:
        return SpectralTheory(name, aligned, None, 0.0, not land.is_exact, aligned.assumptions)
    slope = sp.Add(*[sp.diff(aligned.outer, s) * sp.diff(e, p_i) for s, e in aligned.sums.items()])
    rest = sp.expand(slope - slope.xreplace(dict.fromkeys(aligned.sums, sp.S.Zero)).subs(p_i, 0))
    if rest.has(r_i):
        total = sp.Symbol("Tr WDWᵀ", real=True)
        decayed = SpectrumLandscape(
            aligned.name, aligned.outer - total, {**aligned.sums, total: b_i * p_i}, None, aligned.assumptions
        )
        note = "weight decay acts along the modes of (A_0, Sigma), though it need not commute with Sigma"
        return SpectralTheory(name, decayed, None, float(gamma), not land.is_exact, (*aligned.assumptions, note))
    with_decay = landscape(loss + WeightDecay(gamma), order=order)
    pencil = spectrum_of_words(with_decay)
    return SpectralTheory(name, pencil, _quadratic(loss), float(gamma), not land.is_exact, pencil.assumptions)


def _quadratic(loss: Loss) -> LandscapeFunction:
    return landscape(loss, order=2).numpy()
