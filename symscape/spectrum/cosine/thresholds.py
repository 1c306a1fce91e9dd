"""Which modes a landscape on the shell keeps, as a function of a parameter such as the temperature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.algebra.atoms import exact
from symscape.errors import InputError, UnknownNameError
from symscape.spectrum.modes import p_i, r_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape

Array = NDArray[np.float64]

#: The number of kept modes, the sum of their r, and sum_{i<k} (r_i - r_k) over the modes before mode k.
k = sp.Symbol("k", integer=True, positive=True)
R = sp.Symbol("R", real=True)
gap = sp.Symbol("gap", nonnegative=True)
#: The correlation of a mode that is not kept yet.
r_new = sp.Symbol("r_new", real=True)


@dataclass(frozen=True)
class ShellThresholds:
    """The threshold per mode on the shell, in one parameter of the loss; modes are counted from 1, r descending.

    ``strength``: p_i of a kept mode in r_i, k and R = sum of r over the kept modes. ``condition``: mode k is kept if and
    only if it holds, gap = sum_{i<k} (r_i - r_k). ``threshold``: the parameter at which mode k appears, in gap; it is
    kept below it (``kept_below``) or above it. ``complete_collapse`` is a sentence.
    """

    landscape: SpectrumLandscape
    parameter: sp.Symbol
    strength: sp.Expr
    condition: sp.Expr
    threshold: sp.Expr
    kept_below: bool
    complete_collapse: str

    def values(self, r: Any, **parameters: Any) -> Array:
        """Return the threshold of each mode; oo (kept below) or 0 (kept above) for modes that are always kept.

        Raises InputError for r that is not descending, UnknownNameError for a missing parameter.
        """
        gaps = self._gaps(r)
        expr = self._fixed(self.threshold, parameters)
        always = float(sp.limit(expr, gap, 0, "+"))
        return np.array([always if g <= 0 else float(expr.subs(gap, g)) for g in gaps])

    def kept(self, r: Any, value: Any, **parameters: Any) -> int:
        """Return how many modes are kept at a value of the parameter."""
        # sum_{i<k} (r_i - r_k) does not fall with k, so that the kept modes are the first ones.
        bound = float(self._fixed(self.condition.rhs, {**parameters, self.parameter.name: value}))
        return int(np.sum(self._gaps(r) < bound))

    def spectrum(self, r: Any, value: Any, **parameters: Any) -> Array:
        """Return p of every mode at a value of the parameter."""
        numbers = np.asarray(r, dtype=float)
        count = self.kept(r, value, **parameters)
        strength = self._fixed(self.strength, {**parameters, self.parameter.name: value})
        p = np.zeros(len(numbers))
        p[:count] = sp.lambdify(r_i, strength.subs({k: count, R: float(numbers[:count].sum())}))(numbers[:count])
        return p

    def _gaps(self, r: Any) -> Array:
        numbers = np.asarray(r, dtype=float)
        if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all() or (np.diff(numbers) > 0).any():
            raise InputError(f"r={r!r}: give the canonical correlations of the modes, descending")
        return np.cumsum(numbers) - np.arange(1, len(numbers) + 1) * numbers

    def _fixed(self, expr: sp.Expr, parameters: dict[str, Any]) -> sp.Expr:
        values = {s: exact(parameters[s.name]) for s in expr.free_symbols if s.name in parameters}
        missing = sorted(map(str, expr.free_symbols - set(values) - {k, R, gap, r_i}))
        if missing:
            raise UnknownNameError(f"{self.landscape.name}: no value for {missing[0]}; pass {missing[0]}=...")
        return expr.xreplace(values)

    def __str__(self) -> str:
        side = "below" if self.kept_below else "above"
        return (
            f"{self.landscape.name}: mode k is kept iff {self.condition}, gap = sum over i < k of r_i - r_k;\n"
            f"  that is, {side} {self.parameter} = {self.threshold}; a kept mode has p_i = {self.strength}\n"
            f"  {self.complete_collapse}"
        )

    __repr__ = __str__


def shell_thresholds(land: SpectrumLandscape, parameter: sp.Symbol | str) -> ShellThresholds:
    """Return the threshold per mode of a landscape on the shell that is quadratic in p, in one of its parameters.

    Theorem. On sum p = s, sum_i (a_0 + a_1 r_i) p_i + c p_i^2 with a_1 < 0 < c has one minimum: the top k modes are kept,
    p_i = s / k + (a_1 / 2 c) (R / k - r_i), and mode k is kept if and only if gap_k < 2 c s / (-a_1).

    Raises InputError for a landscape of another form; `SpectrumLandscape.minimum` serves it.

    >>> from symscape.losses.ntxent import NTXent
    >>> from symscape.spectrum.cosine.shell import normalised_landscape
    >>> found = shell_thresholds(normalised_landscape(NTXent(tau=sp.Symbol("tau", positive=True))), "tau")
    >>> found.condition, found.threshold
    (gap < 1/tau, 1/gap)
    >>> found.kept([0.9, 0.8, 0.5], value=1.0), found.values([0.9, 0.8, 0.5]).round(3).tolist()
    (3, [inf, 10.0, 1.429])
    """
    call = f"shell_thresholds({land.name}, {parameter})"
    named = {str(s): s for s in land.parameters}
    if str(parameter) not in named:
        raise UnknownNameError(f"{call}: there is no parameter {parameter}; it has: {', '.join(named) or 'none'}")
    symbol = named[str(parameter)]
    if land.shell is None:
        raise InputError(f"{call}: this landscape is not held on a shell; use .minimum(r=...)")

    # 1. The slope of one mode: a_0 + a_1 r_i + 2 c p_i. (sum p)^2 and the like are constants of the shell.
    held = {s: land.shell for s, summand in land.sums.items() if summand == p_i}
    slope = sp.expand(land.stationarity.xreplace(held))
    other = f"{call}: the slope {slope} is not linear in p_i and r_i with constant coefficients; use .minimum(r=...)"
    if not slope.is_polynomial(p_i, r_i):
        raise InputError(other)
    form = {powers: c for powers, c in sp.Poly(slope, p_i, r_i).terms() if c != 0}
    if not set(form) <= {(0, 0), (0, 1), (1, 0)} or any(c.free_symbols & set(land.sums) for c in form.values()):
        raise InputError(other)
    pull, spread = form.get((0, 1), sp.S.Zero), form.get((1, 0), sp.S.Zero)
    if spread == 0:
        raise InputError(f"{call}: L is linear in p on the shell, so only the modes of the greatest r are kept, whatever "
                         f"{parameter} is; normalised_landscape(..., fluctuations=True) has what spreads them")  # fmt: skip
    if not (spread.is_positive and pull.is_negative):
        raise InputError(f"{call}: a minimum needs the slope {slope} to fall with r_i and to rise with p_i")

    # 2. Kept modes share one slope, the multiplier m; the shell fixes it: summing over k of them gives s.
    m = sp.Dummy("m")
    (strength,) = sp.solve(slope - m, p_i)
    total = sp.expand(strength)
    (multiplier,) = sp.solve(k * total.coeff(r_i, 0) + R * total.coeff(r_i, 1) - land.shell, m)
    strength = sp.expand(strength.subs(m, multiplier))

    # 3. Mode k is kept while its strength is positive: R = gap + k r_k, and r_k drops out.
    last = sp.expand(k * strength.subs(R, gap + k * r_i))
    bound = sp.simplify(last.coeff(gap, 0) / -last.coeff(gap, 1))
    if last.has(r_i) or bound.has(k):  # pragma: no cover - excluded by the form above
        raise InputError(other)

    # 4. As a condition on the parameter.
    solutions = [s for s in sp.solve(bound - gap, symbol) if s.is_positive is not False]
    rate = sp.diff(bound, symbol)
    falls, rises = rate.is_negative, rate.is_positive
    if len(solutions) != 1 or not (falls or rises):
        raise InputError(f"{call}: the condition gap < {bound} does not give one threshold in {parameter}; read .condition "
                         "off another parameter, or use .minimum(r=...)")  # fmt: skip
    lost = f"Raising {symbol}" if falls else f"Lowering {symbol}"
    return ShellThresholds(
        land,
        symbol,
        strength,
        sp.Lt(gap, bound),
        sp.simplify(solutions[0]),
        bool(falls),
        "Complete collapse does not happen: the loss does not change along f -> c f, and p sums to "
        f"{land.shell} on the shell. {lost} loses dimensions one after another, where the landscape holds.",
    )


def entry_correlation(land: SpectrumLandscape, modes: Any, r: Any) -> sp.Expr:
    """Return the correlation above which one more mode enters beside ``modes`` equal ones of correlation r.

    Numbers or symbols; on the shell, from the slopes of an empty mode and of a kept one. Raises InputError when the slope
    of an empty mode is not linear in its correlation.

    >>> from symscape.losses.ntxent import NTXent
    >>> from symscape.spectrum.cosine.shell import normalised_landscape
    >>> entry_correlation(normalised_landscape(NTXent(tau=sp.Symbol("tau", positive=True))), k, sp.Symbol("r", real=True))
    r - 1/(k*tau)
    """
    if land.shell is None:
        raise InputError(f"entry_correlation({land.name}, ...): this landscape is not held on a shell")
    modes, r = exact(modes), exact(r)
    equal = {p_i: land.shell / modes, r_i: r}
    totals = {s: modes * summand.xreplace(equal) for s, summand in land.sums.items()}
    slope = land.stationarity
    empty, full = slope.xreplace({p_i: sp.S.Zero, r_i: r_new}), slope.xreplace(equal)
    gain = (empty - full).xreplace(totals)
    rate = sp.diff(gain, r_new)
    if rate == 0 or rate.has(r_new):
        raise InputError(
            f"entry_correlation({land.name}, ...): the slope of an empty mode is not linear in its correlation"
        )
    found = -gain.xreplace({r_new: sp.S.Zero}) / rate
    return sp.expand(sp.cancel(found)) if found.is_rational_function(*found.free_symbols) else found
