"""How many modes survive as a function of one parameter: a piecewise constant curve, found by its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.conditions.collapse import collapse, of_decay_alone, suited_landscape
from symscape.conditions.compiled_branches import along_parameter
from symscape.conditions.doubts import Doubts, modes_along
from symscape.conditions.loss_of_outputs import loss_of_outputs
from symscape.conditions.margin_count import count_by_margins
from symscape.conditions.margins import augmentation_strength
from symscape.conditions.steps import Bisected, Counted, FollowedSteps, FollowedWidths, Widths, plateaus_of
from symscape.errors import InputError, UnknownNameError
from symscape.landscape.landscape import Landscape
from symscape.losses.language import WeightNorm
from symscape.losses.loss import Loss
from symscape.probability.moments import Moments
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.stationary.given import checked_outputs
from symscape.stationary.stationary_points import call_of

Array = NDArray[np.floating[Any]]

#: Where descents over spectra start: outputs of losses that count them apart are of scale 1 or small.
UNIT_SCALES, ALL_SCALES = (1e-3, 1.0), (1e-3, 1.0, 1e3)
#: Between which values a positive parameter is searched unless said.
RANGE = (1e-6, 1e6)
#: The names of the number of outputs, and between which numbers it is searched unless said.
WIDTH, WIDTHS = ("d1", "d_1"), (1, 512)
#: How many numbers of outputs are searched for everywhere; those between are followed.
ANCHORS = 19
#: Stands for a parameter that changes nothing.
IDLE = ""


@dataclass(frozen=True)
class Plateau:
    """``surviving`` modes are kept while the parameter is between ``low`` and ``high``; for d1, both included."""

    low: float
    high: float
    surviving: int

    def __str__(self) -> str:
        if isinstance(self.low, int):
            return f"{self.surviving} for {self.low} to {self.high}"
        return f"{self.surviving} for {self.low:.6g} < . < {self.high:.6g}"

    __repr__ = __str__


@dataclass(frozen=True)
class SurvivalCurve:
    """The number of surviving modes over a range of a parameter, as plateaus from left to right.

    ``notes``: what the steps rest on, where they are not proved; found when asked for, by descents over W.
    """

    parameter: str
    plateaus: tuple[Plateau, ...]
    _doubts: Doubts | None = field(default=None, compare=False, repr=False)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What the steps rest on, where they are not proved."""
        return () if self._doubts is None else tuple(self._doubts)

    def __iter__(self) -> Iterator[Plateau]:
        return iter(self.plateaus)

    def keeping(self, modes: int) -> tuple[Plateau, ...]:
        """Return the plateaus on which exactly this many modes survive."""
        return tuple(p for p in self.plateaus if p.surviving == modes)

    def keeping_at_least(self, modes: int) -> tuple[tuple[float, float], ...]:
        """Return the intervals on which at least this many modes survive."""
        found: list[tuple[float, float]] = []
        for p in self.plateaus:
            if p.surviving >= modes:
                if found and found[-1][1] == p.low:
                    found[-1] = (found[-1][0], p.high)
                else:
                    found.append((p.low, p.high))
        return tuple(found)

    def at(self, value: float) -> int:
        """Return how many modes survive at a value within the range."""
        return next(p.surviving for p in self.plateaus if p.low <= value <= p.high)

    def __str__(self) -> str:
        return "\n".join([f"{self.parameter}: " + "; ".join(map(str, self.plateaus)), *(f"  {n}" for n in self.notes)])

    __repr__ = __str__


def survival_curve(
    land: Landscape | SpectrumLandscape | Loss,
    parameter: Any,
    A0: Any,
    Sigma: Any,
    d1: int | None = None,
    between: tuple[float, float] | None = None,
    points: int = 97,
    mean: Any = None,
    params: Mapping[Any, Any] | None = None,
    **parameters: Any,
) -> SurvivalCurve:
    """Return how many modes survive as a function of a parameter, all else given.

    ``land``: a landscape, a landscape over spectra, or a loss whose outputs count apart, taken away from W = 0 by
    equal shares. ``parameter``: a symbol or name, ``augmentation_strength``, or ``d1``, the number of outputs, whose plateaus
    are whole numbers, both ends included, and for which d1 is left out. ``between``: `RANGE` unless said, `WIDTHS` for d1. The
    steps between ``points`` values spread evenly in the logarithm of ``between`` are located; a plateau narrower than their
    distance can be missed. Raises InputError for a range that is not 0 < low < high, UnknownNameError for an unknown parameter.
    """
    call = f"survival_curve({call_of('', land)[1:-1]}, {parameter})"
    name = str(parameter)
    asked = land if isinstance(land, Loss) else None
    low, high = checked_range(call, name, between)
    fixed = {**_named(params), **parameters}
    if asked is not None:
        land = suited_landscape(asked)
        if isinstance(land, SpectrumLandscape) and asked.expr.has(WeightNorm):
            idle = of_decay_alone(asked)
            fixed = {key: value for key, value in fixed.items() if key not in idle}
            if name in idle:
                name = IDLE
    if name in WIDTH:
        count = lru_cache(maxsize=None)(_count_by_width(call, land, A0, Sigma, mean, fixed, (int(low), int(high))))
        widths = Widths(count).plateaus(int(low), int(high), points)
        return SurvivalCurve("d1", tuple(Plateau(*p) for p in widths))
    if d1 is None:
        raise UnknownNameError(f"{call}: the argument d1 is missing; give the number of outputs")
    grid = [float(value) for value in np.geomspace(low, high, points)]
    plateaus = plateaus_of(_counted(call, land, name, A0, Sigma, d1, mean, fixed, grid), grid)
    doubts = None
    if isinstance(land, Loss):
        doubts = Doubts(call, land, name, Moments(A0, Sigma), int(d1), fixed, tuple(plateaus))
    return SurvivalCurve(str(parameter), tuple(Plateau(*p) for p in plateaus), doubts)


def checked_range(call: str, name: str, between: tuple[float, float] | None) -> tuple[float, float]:
    """Return the range to search; raise InputError unless it is 0 < low < high, whole numbers for d1."""
    low, high = between or (WIDTHS if name in WIDTH else RANGE)
    if not 0 < low < high < np.inf:
        raise InputError(f"{call}: between={between} is not a range 0 < low < high")
    if name in WIDTH and (int(low) != low or int(high) != high):
        raise InputError(f"{call}: between={between}: numbers of outputs are whole")
    return low, high


def _named(params: Mapping[Any, Any] | None) -> dict[str, Any]:
    return {str(key): value for key, value in (params or {}).items()}


def _count_by_width(
    call: str,
    land: Landscape | SpectrumLandscape | Loss,
    A0: Any,
    Sigma: Any,
    mean: Any,
    fixed: Mapping[str, Any],
    between: tuple[int, int],
) -> Callable[[int], int]:
    """Return the number of surviving modes as a function of the number of outputs."""
    if isinstance(land, Landscape):
        return lambda width: collapse(land, A0, Sigma, width, mean, dict(fixed)).surviving
    moments = _without_mean(call, A0, Sigma, mean)
    modes = modes_along(call, land, "d1", moments, None, fixed)
    seen, used = _without_decay(land, fixed)
    along = along_parameter(call, seen, None, None, used, modes, _scales(land))
    return FollowedWidths(along, sorted({round(w) for w in np.geomspace(*between, ANCHORS)}))


def _without_mean(call: str, A0: Any, Sigma: Any, mean: Any) -> Moments:
    if mean is not None:
        raise InputError(
            f"{call}: the modes are those of features of mean zero; pass moments about the mean, without mean="
        )
    return Moments(A0, Sigma)


def _scales(land: SpectrumLandscape | Loss) -> tuple[float, ...]:
    return UNIT_SCALES if isinstance(land, Loss) else ALL_SCALES


def _without_decay(
    land: SpectrumLandscape | Loss, fixed: Mapping[str, Any]
) -> tuple[SpectrumLandscape | Loss, dict[str, Any]]:
    """Return what is minimised over the modes, and the values of its own parameters."""
    if not isinstance(land, Loss):
        return land, dict(fixed)
    rest = loss_of_outputs(land).loss
    gone = {name.rstrip("_") for name in set(land.parameters) - set(rest.parameters)}
    return rest, {key: value for key, value in fixed.items() if key.rstrip("_") not in gone}


def _counted(
    call: str,
    land: Landscape | SpectrumLandscape | Loss,
    name: str,
    A0: Any,
    Sigma: Any,
    d1: Any,
    mean: Any,
    fixed: Mapping[str, Any],
    grid: Sequence[float],
) -> Counted:
    """Return the number of surviving modes as a function of the parameter ``name``."""
    moments, outputs = Moments(A0, Sigma, mean), checked_outputs(call, d1)
    strength = name == augmentation_strength.name
    known = {str(s).rstrip("_") for s in _parameters(land)}
    if not strength and name != IDLE and name.rstrip("_") not in known:
        raise UnknownNameError(
            f"{call}: there is no parameter {name!r}; there are {', '.join(sorted(known)) or 'none'}"
        )
    if isinstance(land, Landscape):
        # A mean that the landscape has no place for is refused where its points are found.
        quick = (
            None
            if mean is not None and not land.data.has_mean
            else count_by_margins(land, name, moments, outputs, fixed)
        )
        if quick is not None:
            return Bisected(quick)
        A, C = moments["A0"], moments["Sigma"] - moments["A0"]

        def of_landscape(value: float) -> int:
            more = {} if strength else {name: value}
            Sigma = A + value * C if strength else moments["Sigma"]
            return collapse(land, A, Sigma, outputs, mean, {**fixed, **more}).surviving

        return Bisected(of_landscape)
    modes = modes_along(call, land, name, _without_mean(call, A0, Sigma, mean), outputs, fixed)
    seen, used = _without_decay(land, fixed)
    along = along_parameter(call, seen, None if strength else name, outputs, used, modes, _scales(land))
    return FollowedSteps(along, grid)


def _parameters(land: Landscape | SpectrumLandscape | Loss) -> list[sp.Symbol]:
    if isinstance(land, Loss):
        return list(land.parameters.values())
    return list(land.loss.parameters.values()) if isinstance(land, Landscape) else list(land.parameters)
