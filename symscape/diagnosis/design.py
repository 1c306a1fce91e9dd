"""Inverse design on a report: which weight decay, temperature, loss weight or width keeps exactly k modes."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from symscape.conditions.design import Design, inverse_design
from symscape.conditions.survival import WIDTHS, checked_range
from symscape.diagnosis.variants import variable_settings, with_setting
from symscape.errors import InputError, SymscapeError, UnknownNameError
from symscape.forecast.problem import Problem, problem
from symscape.forecast.theory import in_frame, theory_of
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.loss import Loss, WeightDecay
from symscape.spectrum.closed_form.closed_form import closed_form
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.stationary.given import checked_outputs

if TYPE_CHECKING:
    from symscape.diagnosis.report import Diagnosis

gamma = sp.Symbol("gamma", positive=True)


@dataclass(frozen=True)
class Suggestion:
    """What one parameter can do: ``intervals`` in which exactly ``keep`` modes survive, a ``value`` well inside the widest.

    ``parameter``: "weight_decay" (gamma), "d1", or a setting of the loss; ``intervals`` empty and ``value`` None where nothing
    does, and ``reason`` says why; ``design``: the search behind it, None where the loss has no place for the parameter. All
    by theory; ``on_rows``: how many modes the loss on the report's rows keeps at the value, None where it was not run.
    """

    parameter: str
    keep: int
    intervals: tuple[tuple[float, float], ...]
    value: float | None
    reason: str
    design: Design | None = None
    on_rows: int | None = None

    def __str__(self) -> str:
        parameter = "weight_decay (gamma)" if self.parameter == "weight_decay" else self.parameter
        modes = "1 mode" if self.keep == 1 else f"{self.keep} modes"
        if not self.intervals:
            return f"{parameter}: none keeps exactly {modes}: {self.reason}"
        where = " or ".join(_interval(self.parameter, *ends) for ends in self.intervals)
        rows = "" if self.on_rows is None else f"at {self.value:.4g} the loss on rows keeps {self.on_rows}"
        more = "; ".join(filter(None, (self.reason, rows)))
        return f"{parameter}: {where} keeps exactly {modes}" + (f" ({more})" if more else "")

    __repr__ = __str__


def _interval(parameter: str, low: float, high: float) -> str:
    if parameter == "d1":
        if high == WIDTHS[1]:
            return f"d1 >= {low:.0f}"
        return f"d1 = {low:.0f}" if low == high else f"{low:.0f} <= d1 <= {high:.0f}"
    return f"{low:.4g} < {parameter} < {high:.4g}"


class Suggestions(tuple[Suggestion, ...]):
    """Suggestions by parameter; prints one a line."""

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    __repr__ = __str__


def suggestions(
    report: Diagnosis, keep: int, parameter: str | None = None, d1: int | None = None, between: Any = None
) -> Suggestions:
    """Return what keeps exactly ``keep`` modes, one parameter at a time and all else as it is, by theory, and tried on rows.

    ``parameter``: one of them, all unless given; ``d1``: another number of outputs to keep them with; ``between``: the range
    searched. Raises InputError for a ``keep`` that is no number of modes, UnknownNameError for an unknown parameter.
    """
    asked = report.request.problem
    call = f"keep({keep!r})"
    if isinstance(keep, bool) or not isinstance(keep, Integral) or keep < 0:
        raise InputError(f"{call}: keep is a number of modes, an integer from 0")
    keep = int(keep)
    if not isinstance(parameter, (str, type(None))):
        raise InputError(f"{call}: parameter={parameter!r} is the name of one")
    outputs = asked.d1 if d1 is None else checked_outputs(call, d1)
    known = ("weight_decay", *variable_settings(report.request.loss, report.request.settings), "d1")
    if parameter is not None and parameter.rstrip("_") not in {name.rstrip("_") for name in known}:
        raise UnknownNameError(f"{call}: there is no parameter {parameter!r} to change; there are {', '.join(known)}")
    chosen = [name for name in known if parameter is None or name.rstrip("_") == parameter.rstrip("_")]
    if d1 is not None and parameter is None:
        chosen.remove("d1")
    if between is not None:
        checked_range(call, _symbol_name(parameter or ""), between)
    # A range without a name is one of weights, not of widths.
    ranges = [None if parameter is None and name == "d1" else between for name in chosen]
    found = (_suggestion(report, keep, name, outputs, searched) for name, searched in zip(chosen, ranges, strict=True))
    on_rows = report.refined is not None and not asked.sees_moments_alone
    return Suggestions(_tried_on_rows(report, one, outputs) if on_rows and one.intervals else one for one in found)


def _tried_on_rows(report: Diagnosis, found: Suggestion, d1: int) -> Suggestion:
    """Return a suggestion with what the loss on the report's rows keeps at its value."""
    change = {found.parameter: found.value} if found.parameter != "d1" else {"d1": int(found.value or 1)}
    try:
        kept = report.what_if(**{"d1": d1, **change}, refine=True).surviving
    except SymscapeError:
        return found
    return replace(found, on_rows=kept)


def _suggestion(report: Diagnosis, keep: int, name: str, d1: int, between: Any) -> Suggestion:
    asked = report.request.problem
    if name == "weight_decay" and asked.is_scale_free:
        reason = "the loss does not change along W -> c W, so that weight decay only shrinks the weights"
        return Suggestion(name, keep, (), None, reason)
    if name == "d1" and asked.is_rotation_invariant:
        return _width(report, keep, checked_range(f"keep({keep})", "d_1", between))
    if len(report.theory.frame.basis) > report.moments.columns and (name == "weight_decay" or asked.gamma):
        return _with_a_bias(report, keep, name, d1, checked_range(f"keep({keep})", "gamma", between))
    A_0, Sigma = report.theory.frame.moments(report.moments.C, report.moments.covariance, report.moments.mean)
    try:
        target = _target(report, name, d1)
        found = inverse_design(
            target, _symbol_name(name), keep, A_0, Sigma, None if name == "d1" else d1, between=between
        )
    except SymscapeError as error:
        return Suggestion(name, keep, (), None, str(error))
    reason = found.reason.split("; range searched")[0] if not found.intervals else ""
    reason = "" if reason.startswith("range searched") else reason
    value = found.suggested
    if value is not None:
        # The search follows the series; the route of the report has the last word, inside and near the ends.
        low, high = max(found.intervals, key=lambda ends: ends[1] / ends[0])
        inside = [value] if name == "d1" else [value, low * (high / low) ** 0.02, low * (high / low) ** 0.98]
        other = [(kept, at) for at in inside if (kept := surviving_at(report, name, at, d1)) != keep]
        if other:
            reason = f"at order 4; the {report.theory.route} keeps {other[0][0]} at {other[0][1]:.4g}"
    return Suggestion(name, keep, found.intervals, value, reason, found)


def _width(report: Diagnosis, keep: int, between: tuple[float, float]) -> Suggestion:
    """Return the widths that keep so many modes, where the number only grows with the width: modes do not change with it."""
    low, high = int(between[0]), int(between[1])
    widths = range(low, high + 1)
    counts: dict[int, int] = {}

    def kept(width: int) -> int:
        # Beyond as many outputs as modes nothing changes.
        width = min(width, len(report.theory.eigenvalues))
        if width not in counts:
            counts[width] = surviving_at(report, "d1", width, width)
        return counts[width]

    first, beyond = (bisect_left(widths, number, key=kept) for number in (keep, keep + 1))
    if first < beyond:
        ends = (float(widths[first]), float(widths[beyond - 1]))
        return Suggestion("d1", keep, (ends,), ends[0], "")
    return Suggestion("d1", keep, (), None, f"{kept(low)} to {kept(high)} survive for d1 = {low} to {high}")


def _with_a_bias(report: Diagnosis, keep: int, name: str, d1: int, between: tuple[float, float]) -> Suggestion:
    """Return the decay that keeps so many modes of a loss that sees a bias as one more feature, which does not decay."""
    if name != "weight_decay":
        reason = "beside weight decay the bias does not decay, and this is not solved for; try values, what_if(...)"
        return Suggestion(name, keep, (), None, reason)
    low, high = between
    most, least = (surviving_at(report, name, end, d1) for end in (low, high))

    def threshold(number: int) -> float:
        """Return the decay below which at least so many survive: more decay never keeps more."""
        if most < number or least >= number:
            return low if most < number else high
        ends = [np.log(low), np.log(high)]
        while ends[1] - ends[0] > 1e-8:
            middle = (ends[0] + ends[1]) / 2
            ends[surviving_at(report, name, float(np.exp(middle)), d1) < number] = middle
        return float(np.exp(ends[0]))

    interval = threshold(keep + 1), threshold(keep)
    if not interval[0] < interval[1]:
        return Suggestion(name, keep, (), None, f"{least} to {most} survive for {low:.4g} <= gamma <= {high:.4g}")
    return Suggestion(name, keep, (interval,), float(np.sqrt(interval[0] * interval[1])), "")


def surviving_at(report: Diagnosis, name: str, value: float, d1: int) -> int:
    """Return how many modes the theory keeps at another value of one parameter."""
    asked = changed_problem(report, name, value, d1)
    moments, frame = report.moments, report.theory.frame
    found = in_frame("keep", asked, theory_of(asked), frame, frame.moments(moments.C, moments.covariance, moments.mean))
    return found.surviving


def changed_problem(report: Diagnosis, name: str, value: Any, d1: int) -> Problem:
    """Return the problem with another value of one parameter, for d1 outputs."""
    request = report.request
    loss, settings, decay, outputs = request.loss, dict(request.settings), request.gamma, d1
    if name == "weight_decay":
        decay = value
    elif name == "d1":
        outputs = int(value)
    else:
        loss, settings = with_setting(loss, settings, name, value)
    return problem("keep", loss, outputs, decay, request.problem.bias, settings)


def _symbol_name(name: str) -> str:
    return "gamma" if name == "weight_decay" else name.rstrip("_")


def _target(report: Diagnosis, name: str, d1: int) -> Landscape | SpectrumLandscape | Loss:
    """Return what inverse design searches: the loss with a symbol for the parameter, in the form that suits it."""
    asked = report.request.problem
    loss, decay = asked.loss, asked.gamma
    if name == "weight_decay":
        decay = gamma
    elif name != "d1":
        symbol = sp.Symbol(name.rstrip("_"), positive=True)
        changed, settings = with_setting(report.request.loss, dict(report.request.settings), name, symbol)
        made = changed.with_values({**settings, "d_1": d1})
        loss = Loss(made.expr, made.name)
    if not asked.is_rotation_invariant or asked.is_scale_free:
        acts = decay and not asked.is_scale_free
        return loss + WeightDecay(decay) if acts else loss
    if not decay:
        try:
            return closed_form(loss)
        except InputError:
            pass
    return landscape(loss + WeightDecay(decay) if decay else loss)
