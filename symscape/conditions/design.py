"""Inverse design: the values of a parameter at which exactly k modes survive, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symscape.conditions.survival import WIDTH, SurvivalCurve, checked_range, survival_curve
from symscape.errors import InputError
from symscape.landscape.landscape import Landscape
from symscape.losses.loss import Loss
from symscape.probability.moments import Moments
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.stationary.given import checked_outputs
from symscape.stationary.stationary_points import call_of


@dataclass(frozen=True)
class Design:
    """``intervals``: the open intervals of the parameter in which exactly ``keep`` modes survive; empty where there are none.

    For the number of outputs, d1, the first and the last whole number. ``suggested``: a value well inside the widest of them
    (the geometric mean of its ends), None where there are none; ``reason``: why there is none, or what the interval rests on;
    ``curve``: survivors over the whole range searched, whose ``notes`` say where its steps are not proved.
    """

    name: str
    parameter: str
    keep: int
    intervals: tuple[tuple[float, float], ...]
    reason: str
    curve: SurvivalCurve

    @property
    def suggested(self) -> float | None:
        """A value inside the widest interval, on a logarithmic scale."""
        if not self.intervals:
            return None
        low, high = max(self.intervals, key=lambda ends: ends[1] / ends[0])
        middle = float(np.sqrt(low * high))
        return round(middle) if self.parameter in WIDTH else middle

    @property
    def _modes(self) -> str:
        return "mode" if self.keep == 1 else "modes"

    def __str__(self) -> str:
        if not self.intervals:
            return f"{self.name}: no {self.parameter} keeps exactly {self.keep} {self._modes}: {self.reason}"
        if self.parameter in WIDTH:
            ranges = [f"{low}" if low == high else f"{low} to {high}" for low, high in self.intervals]
            where = f"{self.parameter} = {' or '.join(ranges)}"
        else:
            where = " or ".join(f"{low:.6g} < {self.parameter} < {high:.6g}" for low, high in self.intervals)
        return f"{self.name}: exactly {self.keep} {self._modes} kept for {where}; {self.reason}"

    __repr__ = __str__


def inverse_design(
    land: Landscape | SpectrumLandscape | Loss,
    parameter: Any,
    keep: int,
    A0: Any,
    Sigma: Any,
    d1: int | None = None,
    mean: Any = None,
    between: tuple[float, float] | None = None,
    params: Mapping[Any, Any] | None = None,
    **parameters: Any,
) -> Design:
    """Return the values of a parameter at which exactly ``keep`` modes survive at the global minimum.

    ``land`` and ``parameter`` as in `survival_curve`, ``d1`` among them, the number of outputs, which is then left out;
    ``between``: the range searched. Raises InputError for a ``keep`` that is no number of modes.

    >>> import sympy as sp
    >>> from symscape.landscape.landscape import landscape
    >>> from symscape.losses.infonce import InfoNCE
    >>> from symscape.losses.loss import WeightDecay
    >>> land = landscape(InfoNCE() + WeightDecay(sp.Symbol("gamma", positive=True)))
    >>> inverse_design(land, "gamma", 1, A0=[[3, 0], [0, 1]], Sigma=[[4, 0], [0, 2]], d1=2)
    InfoNCE + WeightDecay(gamma): exactly 1 mode kept for 1 < gamma < 3; range searched: 1e-06 to 1e+06
    """
    call = f"inverse_design({call_of('', land)[1:-1]}, {parameter}, keep={keep!r})"
    moments, name = Moments(A0, Sigma, mean), str(parameter)
    low, high = checked_range(call, name, between)
    if name in WIDTH:
        if d1 is not None:
            raise InputError(f"{call}: d1 is what is looked for; leave d1={d1!r} out")
        widest = int(high)
    else:
        widest = checked_outputs(call, d1)
    possible = min(len(moments["Sigma"]), widest)
    if isinstance(keep, bool) or not hasattr(keep, "__index__") or int(keep) < 0:
        raise InputError(f"{call}: keep is a number of modes, 0 to min(d0, d1) = {possible}")
    curve = survival_curve(land, parameter, A0, Sigma, d1, (low, high), mean=mean, params=params, **parameters)
    found = tuple((p.low, p.high) for p in curve.keeping(int(keep)))
    searched = f"range searched: {low:.6g} to {high:.6g}"
    reason = searched if found else f"{_why_none(curve, int(keep), possible)}; {searched}"
    return Design(call_of("", land)[1:-1], curve.parameter, int(keep), found, reason, curve)


def _why_none(curve: SurvivalCurve, keep: int, possible: int) -> str:
    numbers = [p.surviving for p in curve]
    if keep > possible:
        return f"at most min(d0, d1) = {possible} can survive"
    if len(set(numbers)) == 1:
        return f"{numbers[0]} survive whatever its value"
    if keep > max(numbers):
        return f"at most {max(numbers)} survive"
    if keep < min(numbers):
        return f"at least {min(numbers)} survive"
    step = next(
        (a, b) for a, b in zip(curve.plateaus, curve.plateaus[1:], strict=False)
        if min(a.surviving, b.surviving) < keep < max(a.surviving, b.surviving)
    )  # fmt: skip
    return (
        f"the number goes from {step[0].surviving} to {step[1].surviving} at {step[1].low:.6g}, where modes of equal strength "
        "are lost together"
    )
