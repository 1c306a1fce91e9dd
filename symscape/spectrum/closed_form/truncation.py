"""What a truncated landscape gets wrong: the spectrum at the minimum of a series against the landscape in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.landscape.landscape import landscape
from symscape.losses.loss import Loss
from symscape.spectrum.closed_form.closed_form import closed_form
from symscape.spectrum.closed_form.minimiser import mode_minimiser, one_mode
from symscape.spectrum.minimum import FAR
from symscape.spectrum.modes import p_i, r_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.spectrum.words import spectrum_of_words

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TruncationTable:
    """Per canonical correlation r: the strength at the minimum, exact and of the series to ``order`` in W, and the values.

    ``p_truncated`` is the minimum of the series that descent from p = 0 meets first, nan where there is none; ``bounded``
    tells where the series is bounded below. ``relative_error`` is (p_truncated - p_exact) / p_exact, nan where p_exact is 0
    or infinite. Values are those of each landscape at its own minimum, of the mode, or of all modes where they are coupled.
    """

    name: str
    order: int
    r: Array
    p_exact: Array
    p_truncated: Array
    relative_error: Array
    value_exact: Array
    value_truncated: Array
    bounded: NDArray[np.bool_]

    def __str__(self) -> str:
        heads = ("r", "p exact", f"p order {self.order}", "rel. error", "L exact", f"L order {self.order}", "bounded")
        columns = (self.r, self.p_exact, self.p_truncated, self.relative_error, self.value_exact, self.value_truncated)
        lines = [f"{self.name}, order {self.order}", "".join(f"{head:>13}" for head in heads)]
        for *numbers, bounded in zip(*columns, self.bounded, strict=True):
            lines.append("".join(f"{number:13.5g}" for number in numbers) + f"{'yes' if bounded else 'no':>13}")
        return "\n".join(lines)

    __repr__ = __str__


def truncation_table(loss: Loss, r: Sequence[float], order: int = 4, **parameters: Any) -> TruncationTable:
    """Return what the landscape of a loss to ``order`` gets wrong at canonical correlations r, one row per mode.

    Both landscapes are derived from the loss. Raises InputError for a loss without a closed form or with weight decay, or
    correlations outside [-1, 1], UnknownNameError for a parameter without a value, OrderError for an order not even.

    >>> from symscape.losses.infonce import InfoNCE
    >>> print(truncation_table(InfoNCE(tau=1), [0.1, 0.5]))
    InfoNCE, order 4
                r      p exact    p order 4   rel. error      L exact    L order 4      bounded
              0.1     0.073212     0.066667    -0.089406    -0.003546   -0.0033333          yes
              0.5      0.61803      0.33333     -0.46066     -0.12257    -0.083333          yes
    """
    correlations = np.atleast_1d(np.asarray(r, dtype=float))
    if correlations.ndim != 1 or not (np.abs(correlations) <= 1).all():
        raise InputError(f"truncation_table({loss.name}, r={r!r}): r is a list of correlations between -1 and 1")
    exact, series = closed_form(loss).subs(parameters), spectrum_of_words(landscape(loss, order))
    # A parameter that only later terms hold is none of the series.
    names = {str(symbol).rstrip("_") for symbol in series.parameters}
    series = series.subs({key: value for key, value in parameters.items() if key.rstrip("_") in names})
    if _is_coupled(exact) or _is_coupled(series):
        columns = _joint_minima(exact, series, correlations)
    else:
        columns = _minima_per_mode(exact, series, correlations)
    p_exact, p_truncated = columns[:2]
    with np.errstate(all="ignore"):
        relative = np.where((p_exact > 0) & np.isfinite(p_exact), p_truncated / p_exact - 1, np.nan)
    return TruncationTable(loss.name, order, correlations, p_exact, p_truncated, relative, *columns[2:])


def _is_coupled(landscape: SpectrumLandscape) -> bool:
    return any(sp.diff(landscape.outer, symbol).has(*landscape.sums) for symbol in landscape.sums)


def _minima_per_mode(exact: SpectrumLandscape, series: SpectrumLandscape, correlations: Array) -> tuple[Any, ...]:
    minimiser, rows = mode_minimiser(exact), []
    _, truncated = one_mode(series)
    for r in correlations:
        p = minimiser.strength(r)
        value = minimiser.with_numbers(minimiser.summand, r, {})
        numbers = truncated.subs(r_i, minimiser.with_numbers(r_i, r, {}))
        rows.append((p, _value(value, p), *_first_minimum(sp.Poly(numbers, p_i))))
    p_exact, value_exact, p_truncated, value_truncated, bounded = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    return p_exact, p_truncated, value_exact, value_truncated, bounded


def _value(value: sp.Expr, p: float) -> float:
    return float(value.subs(p_i, p)) if np.isfinite(p) else float(sp.limit(value, p_i, sp.oo))


def _first_minimum(polynomial: sp.Poly) -> tuple[float, float, bool]:
    """Return the minimum that descent from p = 0 meets, its value, and whether the polynomial is bounded below."""
    bounded = bool(polynomial.LC() >= 0 or polynomial.degree() <= 0)
    slope = polynomial.diff(p_i)
    if slope.is_zero or slope.eval(0) >= 0:
        return 0.0, 0.0, bounded
    curvature = slope.diff(p_i)
    roots = [root for root in slope.nroots(n=20, maxsteps=200) if root.is_real and root > 0]
    minima = [root for root in roots if curvature.eval(root) > 0]
    if not minima:
        return np.nan, np.nan, bounded
    return float(min(minima)), float(polynomial.eval(min(minima))), bounded


def _joint_minima(exact: SpectrumLandscape, series: SpectrumLandscape, correlations: Array) -> tuple[Any, ...]:
    found = [landscape.minimum(r=list(correlations)) for landscape in (exact, series)]
    ones = np.ones(len(correlations))
    strengths = [np.where(m.p < FAR, m.p, np.inf) if m.bounded else np.nan * ones for m in found]
    values = [m.value * ones if m.bounded else np.nan * ones for m in found]
    return *strengths, *values, np.full(len(correlations), found[1].bounded)
