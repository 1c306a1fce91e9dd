"""The global minimum of a loss that counts single outputs, over rotations of them and away from W = 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from symscape.conditions.collapsed import Collapse, Mode, critical_eigenvalues
from symscape.conditions.loss_of_outputs import least_variance, loss_of_outputs
from symscape.losses.loss import Loss
from symscape.probability.moments import Moments
from symscape.spectrum.equal_shares.minimum import least_over_rotations
from symscape.spectrum.equal_shares.output_losses import numbers_of
from symscape.stationary.given import checked_outputs


def collapse_of_outputs(
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
    moments, outputs = Moments(A0, Sigma, mean), checked_outputs(call, d1)
    numbers = numbers_of(
        loss, outputs, {**{str(key): value for key, value in (params or {}).items()}, **parameters}, call
    )
    seen = loss_of_outputs(loss)
    modes = seen.modes(call, *seen.about_mean(call, moments), numbers)
    shifted = seen.shift_at(numbers) != 0
    b = modes.eigenvalues if shifted else np.clip(modes.eigenvalues, -1.0, 1.0)
    found = least_over_rotations(call, seen.loss, numbers, b, outputs)
    kept = set(found.kept)
    quantity = (
        "b: eigenvalue of A_0, less what weight decay takes from it," if shifted else "b: canonical correlation r;"
    )
    notes = [f"{quantity} least over rotations of the outputs, equal shares: {found.equal_shares}", *seen.notes]
    if seen.large:
        variance = least_variance(seen.loss, numbers, found.p, b, found.value)
        notes.append(
            "large outputs: the loss tends to one that keeps their scale, whose minimum this is, Tr P = d_1 standing for any "
            f"scale; it is within 1 % of that for outputs of variance P_ii > {variance:.2g}"
        )
    eigenvalues = np.zeros(outputs)
    eigenvalues[: len(kept)] = np.sort(found.p[found.p > 0])[::-1]
    return Collapse(
        loss.name,
        len(kept),
        min(len(moments["Sigma"]), outputs),
        tuple(Mode(float(e), row, k in kept) for k, (e, row) in enumerate(zip(b, modes.rows, strict=True))),
        found.p,
        found.value,
        float("nan"),
        tuple(notes),
        found.W @ modes.rows,
        eigenvalues,
        critical=critical_eigenvalues(found.threshold, b, kept, outputs),
    )
