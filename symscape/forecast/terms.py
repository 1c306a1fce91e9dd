"""Which term of a loss drives a mode and which holds it, at the minimum of the theory.

The slope of every additive term by the strength p_k, with its sign turned: positive drives mode k, negative holds it. The
terms of a kept mode add up to zero (on a shell or at a kink: to the multiplier), those of a collapsed one to less.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import SymscapeError
from symscape.forecast.forecast import Forecast
from symscape.forecast.problem import Problem
from symscape.landscape.landscape import landscape
from symscape.losses.loss import Loss
from symscape.spectrum.closed_form.closed_form import closed_form
from symscape.spectrum.cosine.shell import normalised_landscape
from symscape.spectrum.equal_shares.equal_shares import equal_share_landscape
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.spectrum.words import spectrum_of_words

Array = NDArray[np.floating[Any]]


class TermForce(NamedTuple):
    """A term of the loss, and by mode what it adds to the drive of the strength: positive drives, negative holds."""

    term: str
    force: Array


def term_forces(asked: Problem, forecast: Forecast) -> tuple[TermForce, ...]:
    """Return the force of every term of the loss on every mode, at a forecast; empty where a term has no landscape."""
    found = []
    for term in sp.expand(asked.loss.expr, deep=False).as_ordered_terms():
        if not term.has(*asked.loss.views) and term.is_number:
            continue
        land = _landscape_of(asked, Loss(term))
        if land is None:
            return ()
        outputs = {"d_1": asked.d1} if "d_1" in map(str, land.parameters) else {}
        slope: Array = land.gradient(forecast.strengths, r=forecast.r, params=outputs)
        found.append(TermForce(str(term), -slope))
    if asked.gamma:
        found.append(TermForce(f"{asked.gamma}*||W||^2", -float(asked.gamma) * forecast.sizes))
    return tuple(found)


def _landscape_of(asked: Problem, term: Loss) -> SpectrumLandscape | None:
    routes = (
        [equal_share_landscape] if not asked.is_rotation_invariant
        else [normalised_landscape] if asked.is_scale_free
        else [closed_form, lambda loss: spectrum_of_words(landscape(loss, order=4))]
    )  # fmt: skip
    for route in routes:
        try:
            return route(term)
        except SymscapeError:
            continue
    return None
