"""`stationary_points`: from a landscape to all its stationary points, with numbers or symbolically."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from symscape.algebra.words import IDENTITY
from symscape.errors import InputError, UnknownNameError
from symscape.landscape.landscape import Landscape
from symscape.losses.language import d_1
from symscape.programs.arguments import argument_name
from symscape.spectrum.words import spectrum_of_words
from symscape.stationary.aligned import AlignedForm
from symscape.stationary.aligned_families import AlignedFamilies
from symscape.stationary.aligned_points import AlignedPoints
from symscape.stationary.coordinates import canonical_coordinates, common_modes
from symscape.stationary.families import StationaryFamilies
from symscape.stationary.given import Given, checked_outputs, given_moments, numeric_outputs, parameter_values
from symscape.stationary.points import StationaryPoints
from symscape.stationary.quartic_form import quartic_form
from symscape.stationary.quartic_points import QuarticPoints
from symscape.stationary.rotations import minimised_over_rotations
from symscape.stationary.searched_points import SearchedPoints
from symscape.stationary.word_form import MEAN, Features, OutputWords, WordForm, single_letter, word_form
from symscape.stationary.word_program import WordProgram
from symscape.typesetting.symbols import Meaning


def without_unused(land: Landscape, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters without those of the loss that left no trace in its landscape: parts take what the whole takes."""
    kept = {argument_name(str(s)) for s in land.parameters}
    unused = {argument_name(name) for name in land.loss.parameters} - kept
    return {name: value for name, value in parameters.items() if name not in unused}


def refuse_a_mean_without_place(call: str, land: Landscape, mean: Any) -> None:
    """Raise UnknownNameError for a mean that is given to a landscape of features of mean zero."""
    if mean is not None and not land.data.has_mean:
        raise UnknownNameError(f"{call}: this landscape has no mean; derive it with data=GaussianViews(mean=True)")


def call_of(function: str, land: Any) -> str:
    """Return how a call is quoted in errors."""
    name = getattr(land, "name", None) or getattr(getattr(land, "loss", None), "name", None)
    return f"{function}({name or repr(land)})"


class NotConvexError(InputError):
    """Sums over single outputs that are neither convex nor concave: no rotation of the outputs is known to be the best."""

    def __init__(self, call: str, form: WordForm, given: Given):
        super().__init__(
            f"{call}: the sums over single outputs are neither convex nor concave, so that no rotation of the outputs is known "
            "to be the best; use minimise_over_weights(loss, ...)"
        )
        self.form, self.given = form, given


def numeric_points(
    call: str,
    form: WordForm,
    apart: OutputWords,
    A0: Any,
    Sigma: Any,
    d1: Any,
    mean: Any = None,
    params: Mapping[Any, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> StationaryPoints:
    """Return the stationary points of a word form with numbers; see `stationary_points`.

    Words in which single outputs count (``apart``) are minimised over rotations first.
    """
    for name, value in (("A0", A0), ("Sigma", Sigma), ("d1", d1)):
        if value is None:
            raise UnknownNameError(f"{call}: the argument {name} is missing; give A0, Sigma and d1, or none of them")
    outputs = checked_outputs(call, d1)
    form = numeric_outputs(form, outputs)
    apart = {key: c.xreplace({d_1: sp.Integer(outputs)}) for key, c in apart.items()}
    symbols = tuple(sorted({s for c in apart.values() for s in c.free_symbols} | set(form.parameters), key=str))
    names = {argument_name(str(s)) for s in symbols}
    more = {k: v for k, v in (parameters or {}).items() if k not in names and k in _letter_names(form)}
    given_parameters = {k: v for k, v in (parameters or {}).items() if k not in more}
    values = parameter_values(call, symbols, given_parameters, params)
    missing = ", ".join(argument_name(str(s)) for s in symbols if s not in values)
    if missing:
        raise UnknownNameError(f"{call}: no value for {missing}; pass {missing.split(', ')[0]}=...")
    form = form.subs(values)
    given = replace(given_moments(call, form, A0, Sigma, d1, mean, more), values=values)
    notes: tuple[str, ...] = ()
    if apart:
        least = minimised_over_rotations(
            form, {key: c.xreplace(values) for key, c in apart.items()}, sp.Integer(outputs)
        )
        if least is None:
            raise NotConvexError(call, form, given)
        form, notes = least.form, (least.statement,)
    points = _points(call, form, given)
    points.notes = notes
    return points


def _points(call: str, form: WordForm, given: Given) -> StationaryPoints:
    if not form.higher:
        raise InputError(f"{call}: the landscape has no part beyond the quadratic one; derive it with order=4 or more")
    form = replace(form, higher=tuple((words, c) for words, c in form.higher if c != 0))
    if all(len(word) == 1 for words, _ in form.higher for word in words):
        raise InputError(
            f"{call}: the part beyond the quadratic one has alpha = 0 at these numbers: it depends on Tr P at most, so that "
            "P is not determined; choose other values"
        )
    B, terms = given.combination(form.quadratic), given.terms(form.quadratic)
    program = WordProgram.from_form(form, given.matrices)
    quartic = quartic_form(form)
    if quartic is not None:
        metric = given.combination(quartic.metric)
        if _is_semidefinite(metric):
            modes = canonical_coordinates(call, metric, B, terms)
            numbers = (float(c) for c in (quartic.constant, quartic.alpha, quartic.beta))
            return QuarticPoints(call, modes, given, program, metric, *numbers)
    letter = single_letter(form)
    metric = given.matrices[letter or "Sigma"]
    if not _is_semidefinite(metric):
        letter, metric = None, given.matrices["Sigma"]
    if form.features is Features.WITH_MEAN:
        # W m + b is a coordinate of its own, in which Sigma, about the mean, vanishes.
        letter, metric = None, given.matrices["Sigma"] + given.matrices[MEAN]
    others = {s: given.matrices[s] for s in sorted(form.higher_letters)}
    found = common_modes(call, metric, B, others, terms)
    if found is None:
        equation = f"stationarity is the matrix equation grad L(W) = 0 of degree {2 * _degree(form) - 1} in W"
        return SearchedPoints(call, canonical_coordinates(call, metric, B, terms), given, program, metric, equation)
    coordinates, entries = found
    aligned = AlignedForm(form, entries, coordinates.eigenvalues, coordinates.sizes)
    return AlignedPoints(call, coordinates, given, program, metric, aligned, letter is not None and letter != IDENTITY)


def _degree(form: WordForm) -> int:
    return max(sum(map(len, words)) for words, _ in form.higher)


def _letter_names(form: WordForm) -> set[str]:
    names = {argument_name(s) for s in form.letters} | {s.split()[0] for s in form.letters if s.endswith("ᵀ")}
    return names - {"A0", "Sigma"}


def _is_semidefinite(metric: Any) -> bool:
    values = np.linalg.eigvalsh(metric)
    return bool(values.min() >= -1e-12 * np.abs(values).max())


def stationary_points(
    land: Landscape,
    A0: Any = None,
    Sigma: Any = None,
    d1: int | None = None,
    mean: Any = None,
    params: Mapping[Any, Any] | None = None,
    **parameters: Any,
) -> StationaryPoints | StationaryFamilies | AlignedFamilies:
    """Return all stationary points of a landscape: with numbers the points, without them the families as formulas.

    A0, Sigma: d0 x d0 second moments, ``mean``: d0 (of a landscape with a mean), ``d1``: the number of outputs; parameters by
    name or in ``params``. Landscapes -Tr(W B W^T) + alpha Tr P^2 + beta (Tr P)^2 are solved completely, for any B; further
    words on the family aligned with the modes, and where there is none, by a search from random starts: ``complete`` and
    ``statement`` say which. Raises MomentsError for moments that no views have, UnknownNameError for a missing or unknown
    argument, InputError for a landscape in which outputs count apart, or that falls without end along constant features.

    >>> import sympy as sp
    >>> from symscape.landscape.landscape import landscape
    >>> from symscape.losses.infonce import InfoNCE
    >>> from symscape.losses.loss import WeightDecay
    >>> land = landscape(InfoNCE() + WeightDecay(sp.Symbol("gamma", positive=True)))
    >>> points = stationary_points(land, A0=[[3, 0], [0, 1]], Sigma=[[4, 0], [0, 2]], d1=2, gamma=2)
    >>> points.count, points.minima[0].kept, points.minima[0].kind
    (2, (0,), 'minimum')
    >>> stationary_points(land).family(kept=(0, 1)).spectrum
    (2*b_0/3, 2*b_1/3)
    """
    call = (
        f"stationary_points({getattr(land, 'name', None) or getattr(getattr(land, 'loss', None), 'name', repr(land))})"
    )
    if not isinstance(land, Landscape):
        raise InputError(f"{call}: the first argument is a landscape; derive one with landscape(loss)")
    form = word_form(land)  # refuses where outputs count apart
    parameters = without_unused(land, parameters)
    refuse_a_mean_without_place(call, land, mean)
    if A0 is None and Sigma is None and d1 is None:
        values = parameter_values(call, form.parameters, parameters, params)
        return symbolic_points(land, form.subs(values), values)
    points = numeric_points(call, form, {}, A0, Sigma, d1, mean, params, parameters)
    if land.bias and form.features is Features.PLAIN:
        points.given = replace(points.given, free_bias=True)
    return points


def symbolic_points(
    land: Landscape, form: WordForm, values: Mapping[sp.Symbol, sp.Expr]
) -> StationaryFamilies | AlignedFamilies:
    """Return the families of a landscape as formulas, with values for some parameters."""
    if not form.higher:
        raise InputError(
            f"stationary_points({land.loss.name}): the landscape has no part beyond the quadratic one; derive it with order=4"
        )
    quartic = quartic_form(form)
    if quartic is not None:
        return StationaryFamilies(land.loss.name, quartic, Meaning(form.centred, form.centred, False))
    over_spectra = spectrum_of_words(land)
    # Parameters of the quadratic part alone are in b_i.
    return AlignedFamilies(over_spectra.subs({s: v for s, v in values.items() if s in over_spectra.parameters}))
