"""A landscape against the sampled loss on noisy views of the handwritten digits, in standard errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from symscape.data.digits import load_digits
from symscape.errors import InputError
from symscape.landscape.landscape import Landscape, dropped_cumulants, landscape
from symscape.losses.loss import Loss
from symscape.probability.data_models import CumulantViews, GaussianViews
from symscape.sampling.check_result import CheckRow, DigitsCheck
from symscape.sampling.noisy_views import NoisyViews

Array = NDArray[np.float64]

#: Ratios of the quartic to the quadratic part at which a landscape is checked.
RATIOS = (0.003, 0.01, 0.03, 0.1, 0.3, 0.6)
#: Standard errors are not trusted below this fraction of the values that were subtracted.
ROUNDOFF = 1e-11


def check_on_digits(
    loss: Loss,
    order: int = 4,
    rng: np.random.Generator | None = None,
    d1: int = 4,
    noise: float = 0.3,
    draws: int = 30,
    land: Landscape | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DigitsCheck:
    """Check the landscape of a loss with numeric parameters on the digits.

    The views are s + noise * e for the centred digits s, so A_0, Sigma and every cumulant of the population are exact; the
    loss is sampled at t W for a random d1 x 64 W and several t, each with draws of its own. Fluctuations of second order
    in W are removed by control variates of known expectation, the O(1/K) bias of functions of a mean over K rows by
    halving. ``land`` replaces the landscape that is checked. ``progress`` is called with (done, all). Raises InputError for
    a loss with symbols, fewer than 12 draws, a noise that is not positive.
    """
    call = f"check_on_digits({loss.name}, ...)"
    if set(loss.parameters) - {"d_1"}:
        names = ", ".join(sorted(set(loss.parameters) - {"d_1"}))
        raise InputError(f"{call}: the loss has the symbols {names}; give them numbers")
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise InputError(f"{call}: rng={rng!r} is not a numpy.random.Generator; pass numpy.random.default_rng(0)")
    if draws < 12 or noise <= 0 or d1 < 1:
        raise InputError(
            f"{call}: draws={draws}, noise={noise}, d1={d1}; draws is 12 or more, noise and d1 are positive"
        )
    right = landscape(loss, order=order)
    land = right if land is None else land
    if land.bias or not isinstance(land.data, (GaussianViews, CumulantViews)) or land.data.has_mean:
        raise InputError(f"{call}: the digits are centred; give a landscape for mean zero and no bias")
    rng = np.random.default_rng(0) if rng is None else rng
    population = NoisyViews(load_digits()[0], noise)
    W = rng.standard_normal((d1, population.rows.shape[1]))
    W = W / np.sqrt(np.trace(W @ population.Sigma @ W.T))
    scales = _scales(right, W, population)
    estimates, errors = _sampled(loss, W, population, scales, rng, draws, progress)
    return DigitsCheck(
        loss.name,
        land.order,
        land.is_exact,
        d1,
        noise,
        draws,
        tuple(_rows(land, W, population, scales, estimates, errors)),
    )


def _sampled(
    loss: Loss,
    W: Array,
    population: NoisyViews,
    scales: Sequence[float],
    rng: np.random.Generator,
    draws: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[float], list[float]]:
    moments = {"A_0": population.A_0, "Sigma": population.Sigma}
    estimates, errors = [], []
    for k, t in enumerate(scales):
        values, controls = [], []
        for done in range(draws):
            draw = population.draw(loss, W, rng)
            values.append(draw.value(t))
            controls.append(draw.mean_inner_products(moments))
            if progress is not None:
                progress(k * draws + done + 1, draws * len(scales))
        estimate, error = _at_zero_controls(np.array(values), np.array(controls))
        estimates.append(estimate)
        errors.append(error)
    return estimates, errors


def _rows(
    land: Landscape,
    W: Array,
    population: NoisyViews,
    scales: Sequence[float],
    estimates: Sequence[float],
    errors: Sequence[float],
) -> list[CheckRow]:
    f = land.numpy()
    arguments = {"A0": population.A_0, "Sigma": population.Sigma}
    gaussian = isinstance(land.data, GaussianViews)
    dropped = land.order >= 4 and gaussian and bool(dropped_cumulants(land))
    general = landscape(land.loss, order=4, data=CumulantViews()).part(4).numpy() if dropped else None
    quartic = landscape(land.loss, order=4).part(4).numpy()
    order = land.order
    further = None if land.is_exact else landscape(land.loss, order=order + 4)
    free = further is not None and further.distribution_free_order >= order + 2
    rows = []
    for t, sampled, error in zip(scales, estimates, errors, strict=True):
        origin, value = f(0 * W, **arguments), f(t * W, **arguments)
        kurtosis = 0.0
        if general is not None:
            kurtosis = general(t * W, kappa=population.cumulants, **arguments) - quartic(t * W, **arguments)
        nexts = [] if further is None else [further.part(order + k).numpy()(t * W, **arguments) for k in (2, 4)]
        next_part = nexts[0] if nexts else 0.0
        # Of the next order only the Gaussian part is known unless it needs second moments alone.
        slack = 2 * abs(nexts[1]) + (0.0 if free else abs(next_part)) if nexts else 0.0
        if not free:
            # Nor are the cumulants of degree 6 and more within the order.
            slack += sum(abs(land.part(d).numpy()(t * W, **arguments)) for d in range(6, order + 1, 2))
        rows.append(
            CheckRow(
                trace_P=t * t,
                sampled=float(sampled - origin),
                standard_error=float(error),
                gaussian=value - origin,
                cumulant=value - origin + kurtosis if general is not None else None,
                quartic=land.part(4).numpy()(t * W, **arguments) if order >= 4 else 0.0,
                next_part=next_part,
                slack=slack,
                branch=land.has_branches,
            )
        )
    return rows


def _scales(land: Landscape, W: Array, population: NoisyViews) -> list[float]:
    """The t at which the quartic part of the landscape at t W is a given fraction of the quadratic part."""
    arguments = {"A0": population.A_0, "Sigma": population.Sigma}
    parts = {d: abs(land.part(d).numpy()(W, **arguments)) for d in (2, 4) if d <= land.order}
    quadratic, quartic = parts[2], parts.get(4, 0.0)
    typical = quadratic / quartic if quadratic and quartic else 1.0
    return [float(np.sqrt(ratio * typical)) for ratio in RATIOS]


def _at_zero_controls(values: Array, controls: Array) -> tuple[float, float]:
    """Return the value at controls = 0 by least squares, and its standard error, not below roundoff."""
    scale = np.abs(controls).max(axis=0)
    controls = controls[:, scale > 0] / scale[scale > 0]
    basis, singular, _ = np.linalg.svd(controls, full_matrices=False)
    kept = basis[:, singular > 1e-9 * max(singular, default=0.0)]
    # The intercept at controls = 0: the kept basis spans the controls, and is zero where they are.
    design = np.column_stack([np.ones(len(values)), kept])
    solution, _, _, _ = np.linalg.lstsq(design, values, rcond=None)
    residual = values - design @ solution
    freedom = max(1, len(values) - design.shape[1])
    variance = residual @ residual / freedom * np.linalg.inv(design.T @ design)[0, 0]
    return float(solution[0]), float(max(np.sqrt(variance), ROUNDOFF * np.abs(values).max()))
