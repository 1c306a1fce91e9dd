"""`threshold`: when each mode survives, solved for one parameter: conditions as data, symbolic or with numbers.

At beta = 0 a mode survives where its b is positive, and by Sylvester's law the pencil (B, S) has as many positive eigenvalues
as B itself: thresholds in weight decay are eigenvalues of the rest of B, whether or not the matrices commute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from symscape.conditions.condition import Condition, condition
from symscape.conditions.margins import (
    Quantity,
    augmentation_strength,
    meaning_of_symbols,
    mode_in_terms,
    of_mode,
    quadratic_margin,
)
from symscape.conditions.survival import WIDTH, SurvivalCurve, checked_range, survival_curve
from symscape.errors import InputError, UnknownNameError
from symscape.landscape.landscape import Landscape
from symscape.losses.language import d_1
from symscape.losses.loss import Loss
from symscape.spectrum.modes import b_i, mode_symbols, r_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.spectrum.words import spectrum_of_words
from symscape.stationary.aligned_families import AlignedFamilies, AlignedFamily
from symscape.stationary.families import mode_eigenvalue
from symscape.stationary.given import parameter_values
from symscape.stationary.quartic_form import QuarticForm, quartic_form
from symscape.stationary.rotations import minimised_over_rotations
from symscape.stationary.stationary_points import call_of
from symscape.stationary.word_form import OutputWords, WordForm, split_form


@dataclass(frozen=True)
class Threshold:
    """When modes survive, as conditions in one parameter.

    ``quantity``: what a mode enters by; ``mode(k)``: the condition for mode k (0-based, descending) to survive, if outputs
    are left for it (k < d1); ``any_mode``: the same for any mode, None where modes compete; ``complete``: when nothing
    survives; ``assumptions``: what the conditions rest on.
    """

    name: str
    parameter: sp.Symbol
    quantity: Quantity
    any_mode: Condition | None
    assumptions: tuple[str, ...]
    _form: QuarticForm | None = None
    _families: AlignedFamilies | None = None
    _first: Condition | None = None
    _quadratic: Mapping[str, sp.Expr] = field(default_factory=dict)

    def mode(self, k: int) -> Condition:
        """Return the condition for mode k to survive beside the modes before it.

        Raises InputError for a k that is no mode, and for one whose condition has no closed form.
        """
        if isinstance(k, bool) or not hasattr(k, "__index__") or int(k) < 0:
            raise InputError(f"threshold({self.name}, {self.parameter}).mode({k!r}): modes are numbered from 0")
        if self.any_mode is not None:
            found = self.any_mode
            return Condition(
                of_mode(found.margin, self.quantity, k),
                found.parameter,
                None if found.critical is None else of_mode(found.critical, self.quantity, k),
                found.kept_side,
                tuple(of_mode(a, self.quantity, k) for a in found.assuming),
            )
        if k == 0 and self._first is not None:
            return self._first
        margin = self._competing_margin(k)
        if margin is None:
            raise InputError(
                f"threshold({self.name}, {self.parameter}).mode({k}): no closed form; pass A0, Sigma, d1 for numbers"
            )
        return condition(margin, self.parameter)

    def _competing_margin(self, k: int) -> sp.Expr | None:
        along: dict[sp.Symbol, sp.Expr] = {}
        for i in range(k + 1):
            along |= mode_in_terms(self._quadratic, self.parameter, i)
        if self._form is not None:
            b = [mode_eigenvalue(i) for i in range(k + 1)]
            margin = (self._form.alpha + self._form.beta * (k + 1)) * b[-1] - self._form.beta * sp.Add(*b)
            if dict(self._form.metric) != {"Sigma": 1}:
                # b of another metric is no function of r; where B varies with the parameter, so do the b.
                free = {s for c in self._quadratic.values() for s in c.free_symbols} | {augmentation_strength}
                return None if self.parameter in free else sp.factor(margin)
            return sp.factor(margin.xreplace(along))
        if self._families is None:
            return None
        family = self._families.family(range(k))
        if not isinstance(family, AlignedFamily):
            return None
        growth = family.growth.xreplace({r_i: mode_symbols(k)[r_i], b_i: mode_symbols(k)[b_i]})
        return sp.factor(-growth.xreplace(along))

    @property
    def complete(self) -> Condition:
        """The condition for complete collapse: that not even the first mode survives."""
        return self.mode(0).failure

    def __str__(self) -> str:
        lines = [f"{self.name}, by {self.parameter}; {self.quantity.letter}_k: {self.quantity.meaning}, descending"]
        if self.any_mode is not None:
            lines.append(f"  mode k < d_1 survives where {self.any_mode}")
        else:
            lines.append(f"  modes compete; the first survives where {self.mode(0)}")
        lines.append(f"  complete collapse where {self.complete}")
        return "\n".join([*lines, *(f"  {a}" for a in self.assumptions)])

    __repr__ = __str__

    def latex(self) -> str:
        """Return the condition of a mode in LaTeX: of any mode where they do not compete, else of the first."""
        if self.any_mode is None:
            return self.mode(0).latex()
        return self.any_mode.latex() + r", \quad k < d_{1}"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"


@dataclass(frozen=True)
class NumericThreshold:
    """Thresholds with numbers: ``intervals[k]``: where mode k survives; ``curve``: how many modes survive over the range.

    An interval that reaches an end of the range searched, ``between``, may go on beyond it.
    """

    name: str
    parameter: str
    intervals: tuple[tuple[tuple[float, float], ...], ...]
    curve: SurvivalCurve
    between: tuple[float, float]

    @property
    def complete(self) -> tuple[tuple[float, float], ...]:
        """Where nothing survives."""
        return tuple((p.low, p.high) for p in self.curve.keeping(0))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the numbers rest on, where they are not proved."""
        return self.curve.notes

    def critical(self, k: int) -> float | None:
        """Return the one value at which mode k is lost or gained; None when there is none or several.

        Raises InputError for a k that is no mode, counted from 0.
        """
        if isinstance(k, bool) or not hasattr(k, "__index__") or int(k) < 0:
            raise InputError(
                f"threshold({self.name}, {self.parameter}, ...).critical({k!r}): modes are numbered from 0"
            )
        if int(k) >= len(self.intervals):
            return None
        ends = {e for interval in self.intervals[k] for e in interval if e not in self.between}
        return ends.pop() if len(ends) == 1 else None

    def _where(self, interval: tuple[float, float]) -> str:
        """Return an interval in words; an end of the range is no threshold."""
        low, high = interval
        if low <= self.between[0]:
            return "everywhere" if high >= self.between[1] else f"below {high:.6g}"
        return f"above {low:.6g}" if high >= self.between[1] else f"from {low:.6g} to {high:.6g}"

    def __str__(self) -> str:
        lines = [f"{self.name}, by {self.parameter} between {self.between[0]:.3g} and {self.between[1]:.3g}"]
        for k, intervals in enumerate(self.intervals):
            lines.append(f"  mode {k} survives {', '.join(map(self._where, intervals)) or 'nowhere'}")
        complete = ", ".join(map(self._where, self.complete)) or "nowhere"
        lines.append(f"  no other mode survives in this range; complete collapse {complete}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    __repr__ = __str__


def threshold(
    land: Landscape | SpectrumLandscape | Loss,
    parameter: Any,
    A0: Any = None,
    Sigma: Any = None,
    d1: int | None = None,
    mean: Any = None,
    between: tuple[float, float] | None = None,
    params: Mapping[Any, Any] | None = None,
    **parameters: Any,
) -> Threshold | NumericThreshold:
    """Return when each mode survives, as conditions in one parameter; with A0, Sigma and d1, as numbers.

    ``parameter``: a symbol of the landscape (gamma, tau, epsilon, lambda, mu, nu, n), its name, or ``augmentation_strength``,
    which multiplies C = Sigma - A_0. Other parameters may be given numbers. With numbers, ``land`` may also be a landscape over
    spectra, or a loss whose outputs count apart (VICReg, Barlow Twins), which is minimised over rotations away from W = 0.
    Raises UnknownNameError for a parameter that the landscape does not have.

    >>> from symscape.landscape.landscape import landscape
    >>> from symscape.losses.infonce import InfoNCE
    >>> from symscape.losses.loss import WeightDecay
    >>> gamma, tau = sp.symbols("gamma tau", positive=True)
    >>> threshold(landscape(InfoNCE(tau=tau) + WeightDecay(gamma)), gamma).mode(0)
    gamma < lambda_0/tau
    """
    call = f"threshold({call_of('', land)[1:-1]}, {parameter})"
    if A0 is not None or Sigma is not None or d1 is not None:
        by_width = str(parameter) in WIDTH
        for name, value in (("A0", A0), ("Sigma", Sigma), ("d1", d1)):
            if value is None and not (by_width and name == "d1"):
                raise UnknownNameError(
                    f"{call}: the argument {name} is missing; give A0, Sigma and d1, or none of them"
                )
        between = checked_range(call, str(parameter), between)
        curve = survival_curve(land, parameter, A0, Sigma, d1, between, mean=mean, params=params, **parameters)
        most = max(p.surviving for p in curve)
        intervals = tuple(curve.keeping_at_least(k + 1) for k in range(most))
        return NumericThreshold(call_of("", land)[1:-1], str(parameter), intervals, curve, between)
    if not isinstance(land, Landscape):
        raise InputError(f"{call}: symbolic thresholds are those of landscape(loss); for numbers pass A0, Sigma and d1")
    form, apart = split_form(land)
    symbols = tuple(sorted({s for c in apart.values() for s in c.free_symbols} | set(form.parameters), key=str))
    symbol = _symbol(call, symbols, parameter)
    values = parameter_values(call, tuple(s for s in symbols if s != symbol), parameters, params)
    return _symbolic(
        land, form.subs(values), {key: c.xreplace(values) for key, c in apart.items()}, symbol, values.get(d_1, d_1)
    )


def _symbol(call: str, symbols: tuple[sp.Symbol, ...], parameter: Any) -> sp.Symbol:
    known = {str(s).rstrip("_"): s for s in symbols} | {str(augmentation_strength): augmentation_strength}
    name = str(parameter).rstrip("_")
    if name not in known:
        hint = "; add weight decay with landscape(loss + WeightDecay(gamma))" if name == "gamma" else ""
        raise UnknownNameError(f"{call}: there is no parameter {str(parameter)!r}; there are {', '.join(known)}{hint}")
    return known[name]


def _symbolic(land: Landscape, form: WordForm, apart: OutputWords, symbol: sp.Symbol, outputs: sp.Expr) -> Threshold:
    name = land.loss.name
    quantity, margin, assumptions = quadratic_margin(form.quadratic, symbol)
    first = condition(of_mode(margin, quantity, 0), symbol)
    compete = "modes compete: mode k is tried beside modes 0 to k - 1, in the order of descending b"
    along = meaning_of_symbols(form.quadratic, symbol)
    if apart:
        form_or_none = _over_rotations(form, apart, outputs)
        if form_or_none is None:
            open_rotation = (
                "near W = 0; the rotation of the outputs that is best, and with it the modes after the first, depends on "
                "parameters: give them and d_1 numbers"
            )
            return Threshold(name, symbol, quantity, None, (*assumptions, open_rotation), None, None, first)
        form, statement = form_or_none
        assumptions = (*assumptions, "near W = 0", statement)
    quartic = quartic_form(form)
    if quartic is not None and not quartic.alpha.is_positive:
        assumptions = (*assumptions, f"{sp.sstr(quartic.alpha)} > 0, or the landscape falls without end")
    if form.order > 4:
        assumptions = (*assumptions, "near W = 0: above order 4 a mode may also survive beyond, by a jump")
    if quartic is not None and quartic.beta == 0:
        return Threshold(name, symbol, quantity, condition(margin, symbol), assumptions)
    if quartic is not None:
        rests = (*assumptions, compete, along)
        return Threshold(name, symbol, quantity, None, rests, quartic, None, first, form.quadratic)
    aligned = "modes along A_0 u = r Sigma u; points that are not aligned with them may exist"
    rests = (*assumptions, compete, aligned, along)
    families = None if apart else AlignedFamilies(spectrum_of_words(land))
    return Threshold(name, symbol, quantity, None, rests, None, families, first, form.quadratic)


def _over_rotations(form: WordForm, apart: OutputWords, outputs: sp.Expr) -> tuple[WordForm, str] | None:
    """Return the form of least value over rotations of the outputs, and what it rests on; None where that is open."""
    try:
        least = minimised_over_rotations(form, apart, outputs)
    except InputError:
        return None
    return None if least is None else (least.form, least.statement)
