"""`collapse`: which modes survive at the global minimum of a landscape, and which term of the loss decides each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.conditions.collapsed import Collapse, Mode
from symscape.errors import InputError, UnknownNameError
from symscape.landscape.facts import is_rotation_invariant
from symscape.landscape.landscape import Landscape, landscape
from symscape.landscape.plan import scaling_degree
from symscape.losses.language import Entry, WeightNorm
from symscape.losses.loss import Loss
from symscape.probability.moments import Moments
from symscape.programs.arguments import argument_name
from symscape.spectrum.cosine.shell import normalised_landscape
from symscape.spectrum.modes import b_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape
from symscape.stationary.coordinates import canonical_coordinates
from symscape.stationary.given import Given, checked_outputs
from symscape.stationary.points import StationaryPoints
from symscape.stationary.search import falls_without_end
from symscape.stationary.stationary_points import (
    NotConvexError,
    call_of,
    numeric_points,
    refuse_a_mean_without_place,
    without_unused,
)
from symscape.stationary.word_form import Features, WordForm, split_form

Array = NDArray[np.floating[Any]]

#: Random starts of a descent in W, where nothing better is known.
DESCENTS = 20


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
    if isinstance(land, Loss):
        land = suited_landscape(land)
        if isinstance(land, Loss):
            return _of_outputs(call, land, A0, Sigma, d1, mean, params, parameters)
    if isinstance(land, SpectrumLandscape):
        return _over_spectra(
            call, land, A0, Sigma, d1, mean, {**{str(k): v for k, v in (params or {}).items()}, **parameters}
        )
    if not isinstance(land, Landscape):
        raise InputError(f"{call}: the first argument is a landscape or a loss; derive one with landscape(loss)")
    refuse_a_mean_without_place(call, land, mean)
    form, apart = split_form(land)
    try:
        points = numeric_points(call, form, apart, A0, Sigma, d1, mean, params, without_unused(land, parameters))
    except NotConvexError as error:
        return _by_descent(call, land, error.form, error.given)
    return _of_points(call, land, points, bool(apart))


def suited_landscape(loss: Loss) -> Landscape | SpectrumLandscape | Loss:
    """Return what the minimum of a loss is best read from.

    A loss of cosines: the shell; one that counts outputs apart: itself, for `rotation_minimised`; any other: its landscape.
    """
    if not is_rotation_invariant(loss.expr):
        return loss
    return normalised_landscape(loss) if scaling_degree(loss.expr) == 0 else landscape(loss)


def _of_outputs(
    call: str,
    loss: Loss,
    A0: Any,
    Sigma: Any,
    d1: Any,
    mean: Any,
    params: Mapping[Any, Any] | None,
    parameters: Mapping[str, Any],
) -> Collapse:
    """Minimise a loss of single outputs over their rotations, away from W = 0; its entries say which moments it sees."""
    from symscape.spectrum.equal_shares.minimum import rotation_minimised

    if loss.expr.has(WeightNorm):
        raise InputError(f"{call}: weight decay on a loss of single outputs has no closed form; leave it out")
    moments, outputs = Moments(A0, Sigma, mean), checked_outputs(call, d1)
    centred = {bool(entry.centred) for entry in loss.expr.atoms(Entry)}
    if mean is not None and len(centred) > 1:
        raise InputError(f"{call}: the loss holds moments about the mean and about zero; pass features of mean zero")
    outer = np.outer(moments["mean"], moments["mean"]) if mean is not None and centred == {True} else 0.0
    modes = canonical_coordinates(call, moments["Sigma"] - outer, moments["A0"] - outer)
    r = np.clip(modes.eigenvalues, -1.0, 1.0)
    given = {**{str(key): value for key, value in (params or {}).items()}, **parameters}
    found = rotation_minimised(loss, r, outputs, **given)
    kept, spectrum = set(found.kept), np.zeros(len(r))
    spectrum[: len(found.p)] = found.p
    return Collapse(
        loss.name,
        len(kept),
        min(len(moments["Sigma"]), outputs),
        tuple(Mode(float(b), row, k in kept) for k, (b, row) in enumerate(zip(r, modes.rows, strict=True))),
        spectrum,
        found.value,
        float("nan"),
        (f"b: canonical correlation r; least over rotations of the outputs, equal shares: {found.equal_shares}",),
    )


def _of_points(call: str, land: Landscape, points: StationaryPoints, apart: bool) -> Collapse:
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
        land,
        given,
    )


def _constant_modes(points: StationaryPoints) -> list[int]:
    """Return the modes that are the constant feature of a bias."""
    if points.given.features is Features.PLAIN:
        return []
    rows = points.coordinates.rows
    return [k for k, row in enumerate(rows) if np.abs(row[:-1]).max(initial=0.0) < 1e-7 * abs(row[-1])]


def _by_descent(call: str, land: Landscape, form: WordForm, given: Given) -> Collapse:
    """Minimise over W itself, from random starts, where no rotation is known to be the best."""
    from scipy.optimize import minimize

    if given.features is not Features.PLAIN:
        raise InputError(f"{call}: no rotation of the outputs is known to be the best; leave the bias out")
    f, rng = land.numpy(), np.random.default_rng(0)
    arguments: dict[str, Any] = {argument_name(str(s)): float(v) for s, v in given.values.items()}
    # The compiled landscape takes second moments about zero, and the mean beside them.
    outer = np.outer(given.mean, given.mean) if form.centred and given.mean is not None else 0.0
    arguments |= {"A0": given.matrices["A_0"] + outer, "Sigma": given.matrices["Sigma"] + outer}
    arguments |= {} if given.mean is None else {"mean": given.mean}
    modes = canonical_coordinates(call, given.matrices["Sigma"], given.combination(form.quadratic))
    shape = (given.d1, given.columns)

    def objective(flat: Array) -> tuple[float, Array]:
        value, slope = f.value_and_gradient(flat.reshape(shape), **arguments)
        return value, slope.ravel()

    highest = land.part(max(land.polynomial.parts)).numpy()
    if falls_without_end(
        lambda W: highest.value_and_gradient(W, **arguments),
        max(land.polynomial.parts),
        given.d1,
        np.diagonal(given.matrices["Sigma"]),
    ):
        raise InputError(
            f"{call}: the landscape falls without end at these numbers, so it has no minimum; use another order"
        )
    scale = np.sqrt(float(np.abs(modes.eigenvalues).max()) / max(float(np.trace(given.matrices["Sigma"])), 1e-300))
    best = None
    for _ in range(DESCENTS):
        start = scale * 10 ** rng.uniform(-1.5, 0.5) * rng.standard_normal(shape[0] * shape[1])
        found = minimize(
            objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-16, "gtol": 1e-11}
        )
        if best is None or found.fun < best.fun:
            best = found
    assert best is not None
    if not np.isfinite(best.fun) or np.abs(best.x).max() > 1e6 * scale:
        raise InputError(
            f"{call}: the landscape falls without end at these numbers, so it has no minimum; use another order"
        )
    W = best.x.reshape(shape)
    whitened = W @ given.matrices["Sigma"] @ modes.rows.T
    spectrum = (whitened**2).sum(axis=0)
    strengths = np.linalg.eigvalsh(W @ given.matrices["Sigma"] @ W.T)
    rank = int((strengths > 1e-6 * max(float(strengths.max()), 1e-6 * scale**2)).sum())
    kept = set(np.argsort(-spectrum)[:rank])
    note = f"numeric: the least of {DESCENTS} descents in W; no rotation of the outputs is known to be the best"
    return Collapse(
        land.loss.name,
        rank,
        min(given.columns, given.d1),
        tuple(
            Mode(float(b), row, k in kept) for k, (b, row) in enumerate(zip(modes.eigenvalues, modes.rows, strict=True))
        ),
        np.where([k in kept for k in range(len(spectrum))], spectrum, 0.0),
        float(best.fun),
        float(form.constant),
        (note,),
        land,
        given,
    )


def _over_spectra(
    call: str, land: SpectrumLandscape, A0: Any, Sigma: Any, d1: Any, mean: Any, parameters: Mapping[str, Any]
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
        ("modes by canonical correlation r", *land.assumptions),
    )


def _with_outputs(land: SpectrumLandscape, parameters: Mapping[str, Any], outputs: int) -> dict[str, Any]:
    return {**({"d_1": outputs} if "d_1" in map(str, land.parameters) else {}), **parameters}
