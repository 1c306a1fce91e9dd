"""How many modes survive as a function of one parameter: a piecewise constant curve, found by its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.algebra.atoms import exact
from symscape.conditions.collapse import collapse, suited_landscape
from symscape.conditions.compiled_branches import compiled_branches
from symscape.conditions.margins import Combination, augmentation_strength, quadratic_margin
from symscape.errors import InputError, UnknownNameError
from symscape.landscape.landscape import Landscape
from symscape.losses.loss import Loss
from symscape.probability.moments import Moments
from symscape.programs.arguments import argument_name
from symscape.spectrum.minimum import SpectrumMinimum
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.stationary.coordinates import canonical_coordinates
from symscape.stationary.given import checked_outputs
from symscape.stationary.quartic_form import quartic_form
from symscape.stationary.stationary_points import call_of
from symscape.stationary.word_form import Features, split_form

Array = NDArray[np.floating[Any]]

#: Steps are located to this relative accuracy.
ACCURACY = 1e-9
#: A strength above this share of the largest one is kept by a descent in W.
DESCENT = 1e-4
#: Where descents over spectra start: outputs of losses that count them apart are of scale 1 or small.
UNIT_SCALES, ALL_SCALES = (1e-3, 1.0), (1e-3, 1.0, 1e3)
#: Between which values a positive parameter is searched unless said.
RANGE = (1e-6, 1e6)


@dataclass(frozen=True)
class Plateau:
    """``surviving`` modes are kept while the parameter is between ``low`` and ``high``."""

    low: float
    high: float
    surviving: int

    def __str__(self) -> str:
        return f"{self.surviving} for {self.low:.6g} < . < {self.high:.6g}"

    __repr__ = __str__


@dataclass(frozen=True)
class SurvivalCurve:
    """The number of surviving modes over a range of a parameter, as plateaus from left to right.

    ``notes``: what the steps rest on, where they are not proved.
    """

    parameter: str
    plateaus: tuple[Plateau, ...]
    notes: tuple[str, ...] = ()

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
    d1: int,
    between: tuple[float, float] = RANGE,
    points: int = 97,
    mean: Any = None,
    params: Mapping[Any, Any] | None = None,
    **parameters: Any,
) -> SurvivalCurve:
    """Return how many modes survive as a function of a parameter, all else given.

    ``land``: a landscape, a landscape over spectra, or a loss whose outputs count apart, taken away from W = 0 by
    equal shares. ``parameter``: a symbol or name, or ``augmentation_strength``. The steps between ``points`` values spread
    evenly in the logarithm of ``between`` are bisected; a plateau narrower than their distance can be missed. Raises InputError
    for a range that is not 0 < low < high, UnknownNameError for an unknown parameter.
    """
    call = f"survival_curve({call_of('', land)[1:-1]}, {parameter})"
    if isinstance(land, Loss):
        land = suited_landscape(land)
    low, high = between
    if not 0 < low < high < np.inf:
        raise InputError(f"{call}: between={between} is not a range 0 < low < high")
    fixed = {**_named(params), **parameters}
    count = lru_cache(maxsize=None)(surviving_count(call, land, str(parameter), A0, Sigma, d1, mean, fixed))
    grid = np.geomspace(low, high, points)
    plateaus: list[Plateau] = []
    start = float(low)
    for a, b in pairwise(grid):
        for step in _steps(count, float(a), float(b)):
            plateaus.append(Plateau(start, step, count(_middle(start, step))))
            start = step
    plateaus.append(Plateau(start, float(high), count(float(high))))
    notes: tuple[str, ...] = ()
    if isinstance(land, Loss):
        notes = tuple(_doubts(call, land, str(parameter), Moments(A0, Sigma, mean), int(d1), fixed, plateaus))
    return SurvivalCurve(str(parameter), tuple(plateaus), notes)


def _doubts(
    call: str, loss: Loss, name: str, moments: Moments, d1: int, fixed: Mapping[str, Any], plateaus: list[Plateau]
) -> Iterator[str]:
    """Yield the steps at which equal shares are not proved to be best, with what a descent over all W keeps beside them."""
    from symscape.spectrum.equal_shares.minimum import rotation_minimised
    from symscape.spectrum.equal_shares.weights import minimise_over_weights

    def setting(value: float) -> tuple[Array, dict[str, Any]]:
        A, C = moments["A0"], moments["Sigma"] - moments["A0"]
        if name == augmentation_strength.name:
            return canonical_coordinates(call, A + value * C, A).eigenvalues, dict(fixed)
        return canonical_coordinates(call, moments["Sigma"], A).eigenvalues, {**fixed, name: value}

    for left, right in pairwise(plateaus):
        step, fewer = right.low, min(left.surviving, right.surviving)
        beside = step * (0.98 if left.surviving < right.surviving else 1.02)
        r, given = setting(beside)
        if rotation_minimised(loss, r, d1, **given).is_global:
            continue
        found = minimise_over_weights(loss, r, d1, np.random.default_rng(0), **given).p
        kept = int((found > DESCENT * max(float(found.max()), DESCENT)).sum())
        where = f"at {name} = {step:.6g} equal shares of the outputs are not proved to be best"
        if kept == fewer:
            yield f"{where}; numeric: a descent over all W agrees 2 % beyond it"
        else:
            yield f"{where}, and are not: 2 % beyond it a descent over all W keeps {kept} modes, not {fewer}"


def _named(params: Mapping[Any, Any] | None) -> dict[str, Any]:
    return {str(key): value for key, value in (params or {}).items()}


def _middle(a: float, b: float) -> float:
    return float(np.sqrt(a * b))


def _steps(count: Callable[[float], int], a: float, b: float) -> list[float]:
    """Return where the count changes between a and b, each by bisection."""
    if count(a) == count(b):
        return []
    if b - a <= ACCURACY * b:
        return [_middle(a, b)]
    middle = _middle(a, b)
    return _steps(count, a, middle) + _steps(count, middle, b)


def surviving_count(
    call: str,
    land: Landscape | SpectrumLandscape | Loss,
    name: str,
    A0: Any,
    Sigma: Any,
    d1: Any,
    mean: Any,
    fixed: Mapping[str, Any],
) -> Callable[[float], int]:
    """Return the number of surviving modes as a function of the parameter ``name``."""
    moments, outputs = Moments(A0, Sigma, mean), checked_outputs(call, d1)
    A, C = moments["A0"], moments["Sigma"] - moments["A0"]
    strength = name == augmentation_strength.name
    known = {str(s).rstrip("_") for s in _parameters(land)}
    if not strength and name.rstrip("_") not in known:
        raise UnknownNameError(
            f"{call}: there is no parameter {name!r}; there are {', '.join(sorted(known)) or 'none'}"
        )

    def matrices(value: float) -> tuple[Array, Array]:
        return A, (A + value * C if strength else moments["Sigma"])

    if isinstance(land, Landscape):
        # A mean that the landscape has no place for is refused where its points are found.
        quick = (
            None if mean is not None and not land.data.has_mean else _by_margins(land, name, moments, outputs, fixed)
        )
        if quick is not None:
            return quick

        def of_landscape(value: float) -> int:
            more = {} if strength else {name: value}
            return collapse(land, *matrices(value), outputs, mean, {**fixed, **more}).surviving

        return of_landscape

    if mean is not None:
        raise InputError(
            f"{call}: the modes are those of features of mean zero; pass moments about the mean, without mean="
        )
    compiled = compiled_branches(call, land, None if strength else name, outputs, fixed)
    scales = UNIT_SCALES if isinstance(land, Loss) else ALL_SCALES

    def of_spectrum(value: float) -> int:
        cross, sigma = matrices(value)
        r = canonical_coordinates(call, sigma, cross).eigenvalues
        best: SpectrumMinimum | None = None
        for branch in compiled:
            found = branch.minimum(value, r, outputs, scales)
            if found is not None and (best is None or found.value < best.value):
                best = found
        if best is None:
            raise InputError(f"{call}: at {name} = {value:.6g} the landscape has no least value")
        return best.surviving

    return of_spectrum


def _by_margins(
    land: Landscape, name: str, moments: Moments, outputs: int, fixed: Mapping[str, Any]
) -> Callable[[float], int] | None:
    """Count the positive margins, where modes do not compete and the parameter changes none of their eigenvalues.

    None where modes compete, or their margins are no functions of the eigenvalues of one matrix.
    """
    form, apart = split_form(land)
    if apart or form.centred or form.features is not Features.PLAIN:
        return None
    given = {s: exact(fixed[key]) for s in form.parameters for key in (str(s), argument_name(str(s))) if key in fixed}
    known = {argument_name(str(s)) for s in form.parameters} | {str(s) for s in form.parameters}
    symbol = next((s for s in form.parameters if str(s).rstrip("_") == name.rstrip("_")), augmentation_strength)
    form = form.subs(given)
    quartic = quartic_form(form)
    if quartic is None or quartic.beta != 0 or not quartic.alpha.is_positive or set(fixed) - known:
        return None
    quantity, margin, _ = quadratic_margin(form.quadratic, symbol)
    if quantity.matrix is None or not margin.free_symbols <= {quantity.of(), symbol}:
        return None

    def combined(pair: Combination) -> Array:
        return float(pair[0]) * moments["A0"] + float(pair[1]) * moments["Sigma"]

    metric = np.eye(len(moments["Sigma"])) if quantity.metric is None else combined(quantity.metric)
    try:
        eigenvalues = canonical_coordinates("", metric, combined(quantity.matrix)).eigenvalues
    except InputError:
        return None  # along directions without augmentation the ratio of data to augmentation is infinite
    evaluate = sp.lambdify([quantity.of(), symbol], margin, "numpy")
    size = float(np.abs(eigenvalues).max(initial=0.0))

    def count(value: float) -> int:
        margins = np.broadcast_to(evaluate(eigenvalues, value), eigenvalues.shape)
        slope = np.broadcast_to(evaluate(eigenvalues + size, value) - margins, eigenvalues.shape)
        return min(outputs, int((margins > 1e-12 * np.abs(slope)).sum()))

    return count


def _parameters(land: Landscape | SpectrumLandscape | Loss) -> list[sp.Symbol]:
    if isinstance(land, Loss):
        return list(land.parameters.values())
    return list(land.loss.parameters.values()) if isinstance(land, Landscape) else list(land.parameters)
