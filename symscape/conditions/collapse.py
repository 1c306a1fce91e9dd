"""`collapse`: which modes survive at the global minimum of a landscape, and which term of the loss decides each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.algebra.atoms import exact
from symscape.conditions.collapse_by_descent import collapse_by_descent
from symscape.conditions.collapse_of_outputs import collapse_of_outputs
from symscape.conditions.collapsed import Collapse, Mode, critical_eigenvalues, spectrum_of_outputs
from symscape.conditions.loss_of_outputs import ONLY_SCALE
from symscape.errors import InputError, UnknownNameError
from symscape.landscape.facts import is_rotation_invariant
from symscape.landscape.landscape import Landscape, landscape
from symscape.landscape.plan import scaling_degree
from symscape.losses.language import WeightNorm, d_1
from symscape.losses.loss import Loss
from symscape.probability.moments import Moments
from symscape.programs.arguments import argument_name
from symscape.spectrum.cosine.shell import normalised_landscape
from symscape.spectrum.equal_shares.branches import branches_of_landscape
from symscape.spectrum.equal_shares.decay import without_decay
from symscape.spectrum.minimum import SpectrumMinimum, threshold_of_a_mode
from symscape.spectrum.modes import b_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.stationary.coordinates import canonical_coordinates
from symscape.stationary.given import Given, checked_outputs
from symscape.stationary.points import StationaryPoints
from symscape.stationary.quartic_points import QuarticPoints
from symscape.stationary.rotations import minimised_over_rotations
from symscape.stationary.stationary_points import (
    NotConvexError,
    call_of,
    numeric_points,
    refuse_a_mean_without_place,
    without_unused,
)
from symscape.stationary.word_form import Features, OutputWords, WordForm, split_form

Array = NDArray[np.floating[Any]]


def collapse(
    land: Landscape | SpectrumLandscape | Loss,
    A0: Any = None,
    Sigma: Any = None,
    d1: int | None = None,
    mean: Any = None,
    params: Mapping[Any, Any] | None = None,
    **parameters: Any,
) -> Collapse:
    """Return what collapses at the global minimum of a landscape, with numbers for moments, outputs and parameters.

    A0, Sigma: d0 x d0 second moments; ``mean``: (d0,); ``d1``: the number of outputs. Where outputs count apart (VICReg, Barlow
    Twins) the landscape is minimised over rotations first. A landscape over spectra (closed form, shell, equal shares) is
    taken as it is, and a loss by the route that suits it (`suited_landscape`). Raises MomentsError for moments that no views
    have, UnknownNameError for a missing or unknown argument, InputError for a landscape that has no least value.

    >>> from symscape.losses.infonce import InfoNCE
    >>> from symscape.losses.loss import WeightDecay
    >>> land = landscape(InfoNCE() + WeightDecay(2))
    >>> found = collapse(land, A0=[[3, 0], [0, 1]], Sigma=[[4, 0], [0, 2]], d1=2)
    >>> found.kind, found.surviving
    ('dimensional', 1)
    """
    call = call_of("collapse", land)
    if A0 is None and Sigma is None and d1 is None:
        raise UnknownNameError(
            f"{call}: give A0, Sigma and d1; without numbers, threshold(land, parameter) gives the conditions"
        )
    notes: tuple[str, ...] = ()
    given = (
        {**{str(k): v for k, v in (params or {}).items()}, **parameters} if isinstance(params, Mapping | None) else {}
    )
    if isinstance(land, Loss):
        loss, land = land, suited_landscape(land)
        if isinstance(land, Loss):
            return collapse_of_outputs(call, land, A0, Sigma, d1, mean, params, parameters)
        if isinstance(land, SpectrumLandscape) and loss.expr.has(WeightNorm):
            notes = (ONLY_SCALE,)
            given = {name: value for name, value in given.items() if name not in of_decay_alone(loss)}
    if isinstance(land, SpectrumLandscape):
        return _over_spectra(call, land, A0, Sigma, d1, mean, given, notes)
    if not isinstance(land, Landscape):
        raise InputError(f"{call}: the first argument is a landscape or a loss; derive one with landscape(loss)")
    refuse_a_mean_without_place(call, land, mean)
    form, apart = split_form(land)
    try:
        points = numeric_points(call, form, apart, A0, Sigma, d1, mean, params, without_unused(land, parameters))
    except NotConvexError as error:
        return collapse_by_descent(call, land, error.form, error.given)
    return _of_points(call, land, points, form, apart)


def suited_landscape(loss: Loss) -> Landscape | SpectrumLandscape | Loss:
    """Return what the minimum of a loss is best read from.

    A loss of cosines: the shell, without weight decay, which changes the scale of W alone there; one that counts outputs
    apart: itself, for `rotation_minimised`; any other: its landscape.
    """
    if not is_rotation_invariant(loss.expr):
        return loss
    rest = without_decay(loss)[0] if loss.expr.has(WeightNorm) else loss
    return normalised_landscape(rest) if scaling_degree(rest.expr) == 0 else landscape(loss)


def of_decay_alone(loss: Loss) -> set[str]:
    """Return the names, in every spelling, of parameters that enter through weight decay alone."""
    rest, _ = without_decay(loss)
    names = set(loss.parameters) - set(rest.parameters)
    return names | {argument_name(name) for name in names}


def _of_points(call: str, land: Landscape, points: StationaryPoints, form: WordForm, apart: OutputWords) -> Collapse:
    lowest = next(iter(points.minima), None) if points.bounded_below else None
    if lowest is None:
        raise InputError(
            f"{call}: at order {land.order} and these numbers the landscape falls without end, so it has no minimum; "
            "derive it at order 4 or another order, or use closed_form(loss)"
        )
    modes = points.eigenvalues
    spectrum = np.zeros(len(modes))
    spectrum[list(lowest.kept)] = lowest.spectrum
    given = points.given
    kept = set(lowest.kept)
    possible = min(given.columns, given.d1)
    extra = []
    never = given.columns - len(modes)
    if never:
        extra.append(f"the features never vary in {never} directions, which no mode takes up")
    extra += [
        f"mode {k} is the constant feature: it takes up {'one output' if k in kept else 'no output'}"
        for k in _constant_modes(points)
    ]
    ties = points.minima.__len__()  # len() stops at 2^63, and ties among many modes are more
    if ties > 1:
        many = str(ties) if ties < 10**6 else "more than a million"
        extra.append(f"{many} choices among tied modes give the same loss; the first is shown")
    if apart:
        extra.append(
            "near W = 0 only, where the series holds; away from it, take collapse(loss, ...) of the loss itself"
        )
    elif not land.is_exact:
        extra.append(
            f"p is that of the series to order {land.order}; closed_form(loss), where there is one, gives it exactly"
        )
    if lowest.kind == "degenerate":
        extra.append("an eigenvalue is at its threshold: the minimum is flat to second order there")
    if land.has_branches:
        extra.append("the series is that of the branch of Max, Min or absolute value that is active at W = 0")
    # On the quartic form mode k grows from zero at the rate b_k - 2 beta Tr P, in its metric.
    threshold = 2 * points.beta * float(spectrum.sum()) if isinstance(points, QuarticPoints) else float("nan")
    columns, eigenvalues = _aligned(spectrum, points.coordinates.rows, given.d1)
    if apart:
        columns = _turned(columns, form, apart, given)
    W, bias = given.weights(columns)
    if given.features is not Features.PLAIN or lowest.rank:
        eigenvalues = spectrum_of_outputs(columns, given.matrices["Sigma"], lowest.rank)
    return Collapse(
        land.loss.name,
        lowest.rank,
        possible,
        tuple(
            Mode(float(b), row, k in kept)
            for k, (b, row) in enumerate(zip(modes, points.coordinates.rows, strict=True))
        ),
        spectrum,
        lowest.loss,
        points.origin,
        (*(points.notes or (points.statement,)), *extra),
        W,
        eigenvalues,
        bias,
        critical_eigenvalues(threshold, modes, kept, given.d1),
        land,
        given,
    )


def _turned(columns: Array, form: WordForm, apart: OutputWords, given: Given) -> Array:
    """Return weights turned so that every output has the same share, where that is the rotation of least value."""
    from symscape.spectrum.equal_shares.rotation import equal_share_rotation

    numbers = {**given.values, d_1: sp.Integer(given.d1)}
    numeric = {pair: sp.sympify(c).xreplace(numbers) for pair, c in apart.items()}
    least = minimised_over_rotations(form.subs(numbers), numeric, sp.Integer(given.d1))
    if least is None or least.rotation != "equal shares":
        return columns
    letters = sorted({letter for pair in apart for letter in pair})
    O, _ = equal_share_rotation(*(np.einsum("ai,ij,aj->a", columns, given.matrices[s], columns) for s in letters))
    found: Array = O @ columns
    return found


def _constant_modes(points: StationaryPoints) -> list[int]:
    """Return the modes that are the constant feature of a bias."""
    if points.given.features is Features.PLAIN:
        return []
    rows = points.coordinates.rows
    return [k for k, row in enumerate(rows) if np.abs(row[:-1]).max(initial=0.0) < 1e-7 * abs(row[-1])]


def _over_spectra(
    call: str,
    land: SpectrumLandscape,
    A0: Any,
    Sigma: Any,
    d1: Any,
    mean: Any,
    parameters: Mapping[str, Any],
    notes: tuple[str, ...] = (),
) -> Collapse:
    if mean is not None:
        raise InputError(f"{call}: a landscape over spectra is for features of mean zero; leave mean= out")
    if any(e.has(b_i) for e in land.sums.values()):
        raise InputError(f"{call}: its modes are eigenvalues b of (B, Sigma); use {land.name}.minimum(b=..., d1=...)")
    moments, outputs = Moments(A0, Sigma), checked_outputs(call, d1)
    modes = canonical_coordinates(call, moments["Sigma"], moments["A0"])
    found = land.minimum(r=modes.eigenvalues, d1=outputs, **parameters)
    if not found.bounded:
        raise InputError(f"{call}: the landscape has no minimum at these numbers: a strength runs to infinity (r = 1?)")
    kept = set(found.kept)
    origin = float("nan") if land.shell is not None else land.value(
        np.zeros(len(modes.eigenvalues)), modes.eigenvalues, **_with_outputs(land, parameters, outputs)
    )  # fmt: skip
    return Collapse(
        land.name,
        found.surviving,
        min(len(moments["Sigma"]), outputs),
        tuple(
            Mode(float(r), row, k in kept) for k, (r, row) in enumerate(zip(modes.eigenvalues, modes.rows, strict=True))
        ),
        found.p,
        found.value,
        origin,
        ("modes by canonical correlation r", *land.assumptions, *notes),
        *_aligned(found.p, modes.rows, outputs),
        critical=critical_eigenvalues(
            _threshold(land, found, modes.eigenvalues, _with_outputs(land, parameters, outputs)),
            modes.eigenvalues,
            kept,
            outputs,
        ),
    )


def _aligned(p: Array, rows: Array, outputs: int) -> tuple[Array, Array]:
    """Return (W, spectrum of P) of outputs that carry one mode each."""
    kept = np.flatnonzero(p)
    kept = kept[np.argsort(-p[kept], kind="stable")]
    W, spectrum = np.zeros((outputs, rows.shape[1])), np.zeros(outputs)
    W[: len(kept)] = np.sqrt(p[kept])[:, None] * rows[kept]
    spectrum[: len(kept)] = p[kept]
    return W, spectrum


def _threshold(land: SpectrumLandscape, found: SpectrumMinimum, r: Array, parameters: Mapping[str, Any]) -> float:
    known = {str(s).rstrip("_"): s for s in land.parameters}
    branched = branches_of_landscape(land)
    values = branched.values({known[key.rstrip("_")]: exact(value) for key, value in parameters.items()})
    return threshold_of_a_mode(branched.branches[0].spectrum.at(*values), found, r, np.zeros(len(r)))


def _with_outputs(land: SpectrumLandscape, parameters: Mapping[str, Any], outputs: int) -> dict[str, Any]:
    return {**({"d_1": outputs} if "d_1" in map(str, land.parameters) else {}), **parameters}
