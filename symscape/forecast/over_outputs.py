"""Theory of losses that count outputs apart (VICReg, Barlow Twins): least over rotations of the outputs, away from W = 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.forecast.solved import Solved
from symscape.losses.language import d_1
from symscape.losses.loss import Loss
from symscape.spectrum.equal_shares.data_regime import data_regime
from symscape.spectrum.equal_shares.decay import cross_weight
from symscape.spectrum.equal_shares.equal_shares import equal_share_landscape
from symscape.spectrum.equal_shares.minimum import least_over_rotations, numbers_of
from symscape.spectrum.equal_shares.weights import minimise_over_modes

Array = NDArray[np.floating[Any]]


#: Shares this close to equal are attained; and a mode of a descent is kept above this share of the strongest.
ATTAINED, KEPT = 1e-6, 1e-4


@dataclass(frozen=True, eq=False)
class OutputsTheory:
    """Theory by the least value over rotations: every output gets the same share of P and of M where that is proved best.

    ``per_trace``: gamma / c, where weight decay gamma joins a term -c Tr M of the loss; 0 without weight decay.
    """

    loss: Loss
    per_trace: float
    notes: tuple[str, ...] = ()

    name: ClassVar[str] = "least over rotations of the outputs"
    is_truncated: ClassVar[bool] = False

    @property
    def variable(self) -> str:
        """What the eigenvalues of the modes are: "r", or "b" of the pencil (A_0 - (gamma / c) 1, Sigma)."""
        return "b" if self.per_trace else "r"

    def pencil(self, A_0: Array, Sigma: Array, decay_metric: Array, d1: int) -> Array:
        """Return the matrix whose eigenvalues with Sigma are those of the modes; weights decay by ``decay_metric``."""
        return A_0 - self.per_trace * decay_metric

    def solve(self, eigenvalues: Array, d1: int, sizes: Array | None = None) -> Solved:
        """Return the minimum for given eigenvalues, descending."""
        call = f"forecast of {self.loss.name}"
        r = np.minimum(eigenvalues, 1.0)
        found = least_over_rotations(call, self.loss, numbers_of(self.loss, d1, {}, call), r, d1)
        if found.share_residual > ATTAINED:
            return self._over_weights(r, d1, found.threshold)
        shares = (
            "are proved to be best" if found.equal_shares == "optimal" else "are taken; they are not proved to be best"
        )
        notes = (*self.notes, f"equal shares of the outputs {shares}")
        critical = found.threshold
        return Solved(found.p, found.kept, found.value, critical, found.W, notes)

    def _over_weights(self, r: Array, d1: int, threshold: float) -> Solved:
        """Return the minimum over all weights, by descents: no rotation gives every output the same shares."""
        least = minimise_over_modes(self.loss, r, d1, np.random.default_rng(0))
        p = (least.W**2).sum(axis=0)
        strongest = np.isin(np.arange(len(p)), np.argsort(-p, kind="stable")[:d1])
        kept = strongest & (p > KEPT * p.max(initial=0.0))
        outputs = np.where(kept, least.W, 0.0)
        note = "so few outputs cannot share equally: the least of three descents over all weights"
        value = np.where(kept, p, 0.0)
        return Solved(value, tuple(np.flatnonzero(kept).tolist()), least.value, threshold, outputs, (*self.notes, note))


def outputs_theory(loss: Loss, gamma: sp.Expr, d1: int) -> OutputsTheory:
    """Return the theory of a loss of single outputs without free parameters, with weight decay gamma.

    Raises InputError for weight decay on a loss in which M enters otherwise than through its trace (raw Barlow Twins).
    """
    regime = data_regime(loss)
    chosen = loss if regime is None else regime
    notes: tuple[str, ...] = ()
    if regime is not None:
        notes = ("the regime of the data, P_ii far above the small constant of the loss; outputs are given variance 1",)
    if not gamma:
        return OutputsTheory(chosen, 0.0, notes)
    if equal_share_landscape(chosen).shell is not None:
        note = (
            "the loss keeps every output's scale: weight decay only shrinks outputs (until its small constant is felt)"
        )
        return OutputsTheory(chosen, 0.0, (*notes, note))
    c = cross_weight(chosen.expr, loss.name)
    if c is None:
        raise InputError(
            f"{loss.name} with weight decay {gamma}: M enters beyond its trace, so that decay has no closed form; leave "
            "it out, or train a head, train_head(loss, a, b, d1, weight_decay=...)"
        )
    return OutputsTheory(chosen, float(gamma / c.xreplace({d_1: sp.Integer(d1)})), notes)
