"""What collapsed at a minimum, as a value: kind, modes, spectrum, and which term of the loss decides each mode."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import NotAnalyticError
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.loss import Loss
from symscape.stationary.given import Given, numeric_outputs
from symscape.stationary.word_form import word_form

Array = NDArray[np.floating[Any]]


class Mode(NamedTuple):
    """One mode: its eigenvalue b (B u = b S u), its direction u in feature space (d0,), and whether it survives."""

    eigenvalue: float
    direction: Array
    survives: bool


class TermEffect(NamedTuple):
    """What one term of the loss adds to the b of every mode: positive drives the mode from zero, negative holds it there."""

    term: sp.Expr
    contributions: Array


@dataclass(frozen=True, eq=False)
class Collapse:
    """What collapses at the global minimum.

    ``kind``: ``complete`` (nothing survives), ``none`` (min(d0, d1) modes survive) or ``dimensional``; ``surviving``: how many
    modes do; ``modes``: (eigenvalue, direction, survives) by descending eigenvalue; ``spectrum``: the strength p of every mode,
    in the metric of the landscape's quartic part; ``W``: d1 x d0 weights at the minimum, one of many where rotating the outputs
    changes nothing; ``bias``: (d1,), or None; ``loss``: the value at the minimum, and ``loss_at_origin``; ``terms``: which term
    of the loss drives and which holds each mode; ``notes``: what the answer rests on.

    ``spectrum_of_P``: the d1 eigenvalues of P at W, descending, zero for what collapsed. P is what the loss sees: Cov f for a
    loss of centred outputs (VICReg, batch-normalised Barlow Twins), E[f f^T], the bias in f, for any other. On the shell of a
    loss that keeps its value under scaling, W and P are of that scale. Losses of single outputs: W attains ``loss`` where a
    rotation with equal shares exists, to the `share_residual` of `rotation_minimised`.

    ``critical``: by mode, the eigenvalue b at which it starts to survive, with the sums over all modes, such as Tr P, as they
    are at the minimum, or, where all outputs are taken, the eigenvalue of the mode that it would have to replace, or that would
    replace it, if that is larger; NaN where it is not known. A mode survives where its b is above it.
    """

    name: str
    surviving: int
    possible: int
    modes: tuple[Mode, ...]
    spectrum: Array
    loss: float
    loss_at_origin: float
    notes: tuple[str, ...]
    W: Array
    spectrum_of_P: Array
    bias: Array | None = None
    critical: Array = field(default_factory=lambda: np.zeros(0))
    _land: Landscape | None = None
    _given: Given | None = None

    @property
    def kind(self) -> str:
        """``complete``, ``dimensional`` or ``none``."""
        if self.surviving == 0:
            return "complete"
        return "none" if self.surviving >= self.possible else "dimensional"

    @property
    def kept(self) -> tuple[int, ...]:
        """The surviving modes, 0-based."""
        return tuple(k for k, mode in enumerate(self.modes) if mode.survives)

    @cached_property
    def terms(self) -> tuple[TermEffect, ...]:
        """The share of every additive term of the loss in each b; they sum to the b. Empty where terms have no series."""
        if self._land is None or self._given is None:
            return ()
        if not self.modes:
            return ()
        directions = np.array([mode.direction for mode in self.modes])
        return _term_effects(self._land, self._given, directions)

    def __str__(self) -> str:
        kind = "no" if self.kind == "none" else self.kind
        lines = [f"{self.name}: {kind} collapse, {self.surviving} of {self.possible} possible modes survive"]
        shown = list(enumerate(self.modes))[:12]
        for k, mode in shown:
            fate = f"survives, p = {self.spectrum[k]:.4g}" if mode.survives else "collapses"
            effects = " ".join(f"{t.contributions[k]:+.3g} [{n}]" for n, t in enumerate(self.terms, 1))
            lines.append(f"  mode {k}: b = {mode.eigenvalue:.4g}{f' = {effects}' if effects else ''}; {fate}")
        lines += [f"  ... {len(self.modes)} modes"] * (len(self.modes) > 12)
        lines += [f"  [{n}]: {t.term}" for n, t in enumerate(self.terms, 1)]
        return "\n".join(lines + [f"  {note}" for note in self.notes])

    __repr__ = __str__


def critical_eigenvalues(threshold: float, b: Array, kept: Collection[int], outputs: int) -> Array:
    """Return `Collapse.critical` from the eigenvalue at which a mode starts to survive if an output is left for it."""
    found = np.full(len(b), threshold)
    lost = [k for k in range(len(b)) if k not in kept]
    if len(kept) == outputs and lost:
        weakest, next_one = min(b[k] for k in kept), max(b[k] for k in lost)
        found[list(kept)] = np.fmax(found[list(kept)], next_one)
        found[lost] = np.fmax(found[lost], weakest)
    return found


def spectrum_of_outputs(W: Array, Sigma: Array, rank: int) -> Array:
    """Return the d1 eigenvalues of W Sigma W^T, descending, of which ``rank`` are not zero."""
    found: Array = np.linalg.eigvalsh(W @ Sigma @ W.T)[::-1].copy()
    found[rank:] = 0.0
    return found


def _term_effects(land: Landscape, given: Given, directions: Array) -> tuple[TermEffect, ...]:
    """Return u^T B_t u for the quadratic part B_t of every additive term of the loss."""
    found = []
    for term in land.loss.expr.as_ordered_terms():
        try:
            part = landscape(Loss(term), order=2, data=land.data, bias=land.bias)
            form = word_form(part)
        except NotAnalyticError:
            return ()
        if not form.quadratic:
            continue
        form = numeric_outputs(form.subs(given.values), given.d1)
        if form.features is not given.features or any(s not in given.matrices for s in form.letters):
            return ()
        B = given.combination(form.quadratic)
        found.append(TermEffect(term, np.einsum("ki,ij,kj->k", directions, B, directions)))
    return tuple(found)
