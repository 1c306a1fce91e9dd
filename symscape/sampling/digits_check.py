"""A landscape against the sampled loss on noisy views of the handwritten digits, in standard errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symscape.data.digits import load_digits
from symscape.landscape.landscape import Landscape, landscape
from symscape.losses.loss import Loss
from symscape.probability.data_models import CumulantViews, GaussianViews
from symscape.sampling.noisy_views import NoisyViews

Array = NDArray[np.float64]

#: Ratios of the largest quartic to the quadratic part at which a landscape is checked.
RATIOS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
#: A series is called good while it is this close to the sampled change of the loss.
GOOD = 0.05


@dataclass(frozen=True)
class CheckRow:
    """One scale of W: the change of the loss from W = 0, sampled and by the landscape, without and with cumulants."""

    trace_P: float
    sampled: float
    standard_error: float
    gaussian: float
    cumulant: float | None
    next_part: float

    @property
    def deviation(self) -> float:
        """Sampled less the Gaussian landscape, in standard errors."""
        return (self.sampled - self.gaussian) / self.standard_error

    @property
    def cumulant_deviation(self) -> float | None:
        """Sampled less the landscape with cumulants, in standard errors."""
        return None if self.cumulant is None else (self.sampled - self.cumulant) / self.standard_error

    @property
    def best(self) -> float:
        """The landscape with cumulants, where it is known."""
        return self.gaussian if self.cumulant is None else self.cumulant

    @property
    def relative_error(self) -> float:
        """The error of the best landscape relative to the sampled change of the loss."""
        return abs(self.best - self.sampled) / abs(self.sampled)

    @property
    def verdict(self) -> str:
        """``agrees``: within 3 standard errors; ``truncation``: off by what the next two orders explain; else ``differs``."""
        gap = abs(self.sampled - self.best)
        if gap <= 3 * self.standard_error:
            return "agrees"
        return "truncation" if gap <= 3 * self.standard_error + 3 * self.next_part else "differs"


@dataclass(frozen=True)
class DigitsCheck:
    """The rows of a check with what was drawn: d1 outputs of a random W, views with Gaussian noise, several draws."""

    loss: str
    order: int
    d1: int
    noise: float
    draws: int
    rows: tuple[CheckRow, ...]

    @property
    def agrees(self) -> bool:
        """Whether no row differs while the series is within 5 % of the sampled change of the loss."""
        return not any(
            row.verdict == "differs" for row in self.rows if row.relative_error < GOOD or row is self.rows[0]
        )

    @property
    def good_up_to(self) -> float | None:
        """The largest Tr P, without a gap from the smallest, at which the series is within 5 % of the sampled change."""
        reached = None
        for row in self.rows:
            if row.relative_error > GOOD:
                break
            reached = row.trace_P
        return reached

    def sentence(self) -> str:
        """Return in words how far the truncated series is good."""
        if self.good_up_to is None:
            return "The truncated series is off by more than 5 % at every scale tried."
        last = self.rows[-1]
        reach = f"within 5 % of the sampled loss up to Tr P = {self.good_up_to:.3g}"
        if self.good_up_to == last.trace_P:
            return f"The series of order {self.order} stays {reach}, the largest scale tried."
        return (
            f"The series of order {self.order} stays {reach}; beyond that, "
            "truncation and not sampling is the difference."
        )


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
    loss is sampled at t W for a random d1 x 64 W and several t. Fluctuations of second order in W are removed by control
    variates of known expectation, the O(1/K) bias of functions of a mean over K negatives by halving. ``land`` replaces the
    landscape that is checked. ``progress`` is called with (done, all).
    """
    rng = np.random.default_rng(0) if rng is None else rng
    population = NoisyViews(load_digits()[0], noise)
    W = rng.standard_normal((d1, population.rows.shape[1]))
    W = W / np.sqrt(np.trace(W @ population.Sigma @ W.T))
    land = landscape(loss, order=order) if land is None else land
    general = None
    if land.order == 4 and isinstance(land.data, GaussianViews):
        general = landscape(land.loss, order=4, data=CumulantViews())
    if general is not None and general == land:
        general = None
    scales = _scales(land, W, population)
    values, controls = np.empty((draws, len(scales))), []
    moments = {"A_0": population.A_0, "Sigma": population.Sigma}
    for k in range(draws):
        draw = population.draw(loss, W, rng)
        values[k] = [draw.value(t) for t in scales]
        controls.append(draw.mean_inner_products(moments))
        if progress is not None:
            progress(k + 1, draws)
    estimates, errors = _regression(values, np.array(controls))
    f, g = land.numpy(), None if general is None else general.numpy()
    further = None if land.is_exact else landscape(land.loss, order=order + 4)
    beyond = [] if further is None else [further.part(d).numpy() for d in (order + 2, order + 4)]
    rows = []
    for t, sampled, error in zip(scales, estimates, errors, strict=True):
        arguments = {"A0": population.A_0, "Sigma": population.Sigma}
        origin = f(0 * W, **arguments)
        cumulant = None if g is None else g(t * W, kappa=population.cumulants, **arguments) - origin
        next_part = sum(abs(part(t * W, **arguments)) for part in beyond)
        rows.append(
            CheckRow(t * t, float(sampled - origin), float(error), f(t * W, **arguments) - origin, cumulant, next_part)
        )
    return DigitsCheck(loss.name, order, d1, noise, draws, tuple(rows))


def _scales(land: Landscape, W: Array, population: NoisyViews) -> list[float]:
    """The t at which the quartic part of the landscape at t W is a given fraction of the quadratic part."""
    arguments = {"A0": population.A_0, "Sigma": population.Sigma}
    parts = {d: abs(land.part(d).numpy()(W, **arguments)) for d in (2, 4) if d <= land.order}
    quadratic, quartic = parts[2], parts.get(4, 0.0)
    typical = quadratic / quartic if quadratic and quartic else 1.0
    return [float(np.sqrt(ratio * typical)) for ratio in RATIOS]


def _regression(values: Array, controls: Array) -> tuple[Sequence[float], Sequence[float]]:
    """Return mean and standard error of each column of ``values`` at controls = 0, by least squares."""
    scale = np.abs(controls).max(axis=0)
    controls = controls[:, scale > 0] / scale[scale > 0]
    basis, _, _ = np.linalg.svd(controls, full_matrices=False)
    singular = np.linalg.svd(controls, compute_uv=False)
    kept = controls if len(singular) == 0 else basis[:, singular > 1e-9 * singular[0]]
    # The intercept at controls = 0: the kept basis spans the controls, and is zero where they are.
    design = np.column_stack([np.ones(len(values)), kept])
    solution, _, _, _ = np.linalg.lstsq(design, values, rcond=None)
    residual = values - design @ solution
    freedom = max(1, len(values) - design.shape[1])
    variance = np.sum(residual**2, axis=0) / freedom * np.linalg.inv(design.T @ design)[0, 0]
    return list(solution[0]), list(np.sqrt(variance))
