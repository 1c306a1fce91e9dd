"""Data imbalance over orthogonal classes: the strength of every class at the minimum of a landscape, in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from symscape.conditions.imbalance.classes import (
    CLASS_SYMBOLS,
    ClassLandscape,
    class_landscape,
    depends_on_directions_only,
)
from symscape.conditions.imbalance.exact import loss_on_classes
from symscape.errors import InputError, ScaleInvariantError, UnknownNameError
from symscape.losses.language import weight_norm
from symscape.losses.loss import Loss, WeightDecay
from symscape.spectrum.minimum import NumericSpectrum, SpectrumMinimum, find_minimum
from symscape.spectrum.spectrum_landscape import SpectrumLandscape

Array = NDArray[np.floating[Any]]

#: With fewer outputs than classes, most choices of the classes that get one that are tried out.
MOST_CHOICES = 2000

#: Largest relative violation of stationarity of a minimum; relative rounding of a sum of terms.
CONVERGED, ROUNDING = 1e-7, 1e-12


@dataclass(frozen=True, eq=False)
class Imbalance:
    """Strengths of the classes at the minimum, an entry per class; made by `imbalance`.

    ``pi``: probability; ``r``: canonical correlation; ``p``: eigenvalue of P along the class; ``q``: |W m_c|^2;
    ``lost``: p = 0. ``value``: of the landscape. ``bounded``: False when no minimum was found, and p is where the search
    stopped. ``note``: what p and q belong to, where it is not W itself.
    """

    name: str
    pi: Array
    r: Array
    p: Array
    q: Array
    value: float
    bounded: bool = True
    note: str = ""

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Which classes are collapsed."""
        return self.p == 0

    def __str__(self) -> str:
        rows = [f"{self.name}", f"{'pi_c':>9}  {'r_c':>8}  {'p_c':>9}  {'|W m_c|^2':>9}"]
        for pi, r, p, q, lost in zip(self.pi, self.r, self.p, self.q, self.lost, strict=True):
            rows.append(f"{pi:9.4g}  {r:8.4g}  {p:9.4g}  {q:9.4g}{'  lost' if lost else ''}")
        if not self.bounded:
            rows.append("no minimum found: the landscape falls without end, or towards a value at infinity")
        return "\n".join([*rows, self.note] if self.note else rows)

    __repr__ = __str__


def imbalance(
    loss: Loss,
    pi: ArrayLike,
    strength: ArrayLike = 1.0,
    noise: ArrayLike = 0.0,
    gamma: float = 0.0,
    d1: int | None = None,
    **parameters: Any,
) -> Imbalance:
    """Return the strength of every class where the landscape of a loss is least.

    ``pi``: probabilities of K orthogonal classes, summing to 1; ``strength``: |m_c|^2, and ``noise``: the standard deviation
    sigma of the augmentation, a number or K of them; ``gamma``: weight decay; ``d1``: outputs, K unless given; parameters of
    the loss by name. Rotation-invariant losses through their landscape of order 4, fourth cumulants included; losses of single
    outputs at equal shares. Raises InputError, and ScaleInvariantError where a loss of directions alone decides nothing.

    >>> from symscape.losses.infonce import InfoNCE
    >>> print(imbalance(InfoNCE(), [0.9, 0.1]))
    InfoNCE
         pi_c       r_c        p_c  |W m_c|^2
          0.9         1      1.068      1.186
          0.1         1     0.3898      3.898
    """
    probabilities, strengths, noises = _classes(pi, strength, noise)
    outputs = len(probabilities) if d1 is None else d1
    if isinstance(outputs, bool) or not isinstance(outputs, (int, np.integer)) or outputs < 1:
        raise InputError(f"imbalance(d1={d1!r}): d1 is the number of outputs, a positive integer")
    signal = probabilities * strengths
    second = signal + noises**2
    r = signal / second
    directions_only = depends_on_directions_only(loss)
    whole = loss + WeightDecay(gamma) if gamma else loss
    if directions_only and not (noises.any() or whole.expr.has(weight_norm())):
        return _of_directions(loss, probabilities, r, outputs)
    land = class_landscape(whole)
    values = _values(land, {"d_1": int(outputs), **parameters})
    p, value, bounded = _least_classes(land, values, probabilities, second, r, int(outputs))
    return Imbalance(loss.name, probabilities, r, p, p * strengths / second, value, bounded)


def _of_directions(loss: Loss, pi: Array, r: Array, outputs: int) -> Imbalance:
    """At sigma = 0 a view of class c is +-W m_c / |W m_c| whatever pi_c, a unit vector: q = 1, p = pi_c."""
    if outputs < len(pi):
        raise ScaleInvariantError(
            f"imbalance({loss.name}, d1={outputs}): the loss sees the direction of f alone, and with fewer outputs than the "
            f"{len(pi)} classes their directions cannot be orthogonal; smooth it, NTXent(epsilon=...)"
        )
    note = "strengths of f / |f|, a unit vector for every class; the loss leaves |W m_c| free"
    value = float(loss_on_classes(loss, list(pi), [1] * len(pi)))
    return Imbalance(loss.name, pi, r, pi.copy(), np.ones_like(pi), value, True, note)


def _classes(pi: Any, strength: Any, noise: Any) -> tuple[Array, Array, Array]:
    probabilities = np.atleast_1d(np.asarray(pi, dtype=float))
    if probabilities.ndim != 1 or not (probabilities > 0).all() or abs(probabilities.sum() - 1) > 1e-9:
        raise InputError(f"imbalance(pi={pi!r}): give positive class probabilities that sum to 1")
    found = [probabilities]
    for name, value, lowest in (("strength", strength, "positive"), ("noise", noise, "not negative")):
        array = np.asarray(value, dtype=float)
        if array.shape not in ((), probabilities.shape) or not np.isfinite(array).all():
            raise InputError(f"imbalance({name}={value!r}): give one number, or {len(probabilities)}, one per class")
        if (array < 0).any() or (name == "strength" and (array == 0).any()):
            raise InputError(f"imbalance({name}={value!r}): {name} is {lowest}")
        found.append(np.broadcast_to(array, probabilities.shape).astype(float))
    return found[0], found[1], found[2]


def _values(land: ClassLandscape, given: Mapping[str, Any]) -> dict[sp.Symbol, Any]:
    known = {str(s): s for s in land.parameters}
    named = {key if key in known else key.rstrip("_"): value for key, value in given.items()}
    unknown = sorted(set(named) - set(known) - {"d_1"})
    if unknown:
        raise UnknownNameError(f"imbalance({land.name}): there is no parameter {unknown[0]!r}; it has: {sorted(known)}")
    missing = sorted(set(known) - set(named))
    if missing:
        raise UnknownNameError(f"imbalance({land.name}): no value for {', '.join(missing)}; pass {missing[0]}=...")
    return {symbol: sp.sympify(named[name]) for name, symbol in known.items()}


class _NumericClasses(NumericSpectrum):
    """A landscape over classes with numbers; in place of b, a class brings its place in the list of classes."""

    symbols = CLASS_SYMBOLS

    def __init__(
        self, land: SpectrumLandscape | ClassLandscape, values: Mapping[sp.Symbol, Any], pi: Array, second: Array
    ):
        self._pi, self._second = pi, second
        sums = {symbol: summand.xreplace(values) for symbol, summand in land.sums.items()}
        shell = None if land.shell is None else land.shell.subs(values)
        super().__init__(land.outer.xreplace(values), sums, shell)

    def _of_modes(self, p: Array, r: Array, b: Array) -> tuple[Array, ...]:
        places = b.astype(int)
        return p, r, self._pi[places], self._second[places]


def _least_classes(
    land: ClassLandscape, values: Mapping[sp.Symbol, Any], pi: Array, second: Array, r: Array, outputs: int
) -> tuple[Array, float, bool]:
    """Return p, the least value, and whether it is a minimum, over the choices of classes and the pieces of the landscape."""
    whole = _NumericClasses(land, values, pi, second)
    pieces = [_NumericClasses(piece, values, pi, second) for piece in land.pieces] or [whole]
    minima: list[tuple[Array, float, float]] = []
    stopped: list[tuple[Array, float, float]] = []
    for choice in _choices(r, outputs):
        places = np.array(choice)
        modes: tuple[Array, Array] = (np.asarray(r[places], dtype=float), places.astype(float))
        for piece in pieces:
            least: SpectrumMinimum = find_minimum(piece, *modes, len(places))
            full: Array = np.zeros(len(r))
            full[places] = least.p
            kind = minima if least.bounded and least.residual < CONVERGED else stopped
            kind.append((full, whole.value(least.p, *modes), whole.rounding(least.p, *modes)))
    # Along a line of least values a search runs far out, and what it gains there is rounding.
    best = min(minima, key=lambda m: m[1], default=None)
    lower = [s for s in stopped if best is None or s[1] + s[2] < best[1]]
    if lower or best is None:
        p, value, _ = min(lower, key=lambda s: s[1])
        return p, value, False
    return best[0], best[1], True


def _choices(r: Array, outputs: int) -> Sequence[tuple[int, ...]]:
    count = len(r)
    if outputs >= count:
        return [tuple(range(count))]
    if comb(count, outputs) <= MOST_CHOICES:
        return list(combinations(range(count), outputs))
    raise InputError(
        f"imbalance(d1={outputs}) with {count} classes: {comb(count, outputs)} choices of the classes that get an output are "
        "too many; take d1 nearer to the number of classes"
    )
