"""The global minimum of a landscape over W itself, by descents from random starts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.conditions.collapsed import Collapse, Mode, spectrum_of_outputs
from symscape.errors import InputError
from symscape.landscape.landscape import Landscape
from symscape.programs.arguments import argument_name
from symscape.stationary.coordinates import canonical_coordinates
from symscape.stationary.given import Given
from symscape.stationary.search import falls_without_end
from symscape.stationary.word_form import Features, WordForm

Array = NDArray[np.floating[Any]]

#: Random starts of a descent in W, where nothing better is known.
DESCENTS = 20


def collapse_by_descent(call: str, land: Landscape, form: WordForm, given: Given) -> Collapse:
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
        W,
        spectrum_of_outputs(W, given.matrices["Sigma"], rank),
        None,
        np.full(len(modes.eigenvalues), np.nan),
        land,
        given,
    )
