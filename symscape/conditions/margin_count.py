"""How many modes survive, by counting positive margins: where modes do not compete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.algebra.atoms import exact
from symscape.conditions.margins import Combination, augmentation_strength, quadratic_margin
from symscape.errors import InputError
from symscape.landscape.landscape import Landscape
from symscape.probability.moments import Moments
from symscape.programs.arguments import argument_name
from symscape.stationary.coordinates import canonical_coordinates
from symscape.stationary.quartic_form import quartic_form
from symscape.stationary.word_form import Features, split_form

Array = NDArray[np.floating[Any]]


def count_by_margins(
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
