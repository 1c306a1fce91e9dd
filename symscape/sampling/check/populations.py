"""Populations that views are drawn from: their moments and cumulants exactly, and pairs of views as many as wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from symscape.errors import InputError, MomentsError, UnknownNameError
from symscape.probability.data_models import DataModel, GaussianViews, MixtureViews
from symscape.probability.moments import Moments
from symscape.sampling.check.mixtures import Component, MixturePopulation
from symscape.sampling.cumulants import FourthCumulants
from symscape.sampling.noisy_views import NoisyViews

Array = NDArray[np.float64]

#: A mean or a deviation of given features that is zero but for rounding, relative to their deviation or size.
ZERO = 1e-8
#: A mean that is so many times the deviation is refused.
FAR = 300


class Population(Protocol):
    """What a check draws from. ``data`` is the model whose landscape is exact for it, or exact but for cumulants."""

    @property
    def name(self) -> str:
        """What the views are, in words."""
        ...

    @property
    def data(self) -> DataModel:
        """The data model of a landscape for it."""
        ...

    @property
    def is_of_model(self) -> bool:
        """Whether the views have the law of ``data``; otherwise they have cumulants of their own."""
        ...

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The moments that a landscape over ``data`` takes, by argument name."""
        ...

    @property
    def moments(self) -> Moments:
        """Second moments A0 and Sigma of all views, and the mean where there is one."""
        ...

    @property
    def cumulants(self) -> Any:
        """The joint third and fourth cumulants."""
        ...

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return two views of ``count`` independent data, (count, d0) each."""
        ...


@dataclass(frozen=True)
class NoisyPopulation:
    """Rows with additive Gaussian noise, fresh for every view."""

    views: NoisyViews
    name: str
    data: DataModel = field(default_factory=GaussianViews)
    is_of_model: bool = field(default=False, init=False)

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The second moments."""
        return dict(self.moments)

    @property
    def moments(self) -> Moments:
        """The second moments: the rows are centred."""
        return Moments(self.views.A_0, self.views.Sigma)

    @property
    def cumulants(self) -> FourthCumulants:
        """The cumulants of the rows: Gaussian noise adds none."""
        return self.views.cumulants

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return two noisy copies of rows drawn with replacement."""
        rows = self.views.rows[rng.integers(0, len(self.views.rows), size=count)]
        e = rng.standard_normal((2, *rows.shape))
        return rows + self.views.noise * e[0], rows + self.views.noise * e[1]


@dataclass(frozen=True)
class RowsPopulation:
    """The rows of two arrays, as a population: data are drawn from them with replacement, their views in either order."""

    a: Array
    b: Array
    data: DataModel = field(default_factory=lambda: GaussianViews(mean=True))
    is_of_model: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """What the views are, in words."""
        return f"the given features, {self.a.shape[0]} x {self.a.shape[1]}"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Second moments and mean of the rows."""
        return dict(self.moments)

    @property
    def moments(self) -> Moments:
        """Second moments of the rows, averaged over both views, and their mean unless it is zero."""
        return Moments.from_views(self.a, self.b, mean=self.data.has_mean)

    @property
    def cumulants(self) -> FourthCumulants:
        """The cumulants of the rows, views in either order."""
        return exchangeable_cumulants(self.a, self.b)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return views of rows drawn with replacement, exchanged half of the time."""
        rows, swap = rng.integers(0, len(self.a), size=count), rng.random((count, 1)) < 0.5
        a, b = self.a[rows], self.b[rows]
        return np.where(swap, b, a), np.where(swap, a, b)


def exchangeable_cumulants(a: Array, b: Array) -> FourthCumulants:
    """Return the joint cumulants of paired rows, averaged over the order of the views."""
    return FourthCumulants({"x": np.concatenate([a, b]), "x'": np.concatenate([b, a])})


def population_of(call: str, data: Any, arguments: dict[str, Any], d1: int, mean: bool | None = None) -> Population:
    """Return the population that the ``data`` argument of a check names; takes its moments out of ``arguments``.

    ``mean``: whether a landscape of arrays whose mean is zero but for rounding takes one; they need none.
    Raises InputError for anything but None, a data model with a law, or a pair of arrays; MomentsError for bad numbers.
    """
    if isinstance(data, GaussianViews):
        return _gaussian(call, data, arguments, d1)
    if isinstance(data, MixtureViews):
        return _mixture(call, data, arguments, d1)
    if isinstance(data, DataModel):
        raise InputError(
            f"{call}: {type(data).__name__} names no distribution to draw from; give GaussianViews(), "
            "MixtureViews(k), or a pair of feature arrays"
        )
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise InputError(
            f"{call}: data={type(data).__name__}; give None for the digits, GaussianViews(), "
            "MixtureViews(k), or a pair of feature arrays (features_a, features_b)"
        )
    return _rows(call, data, mean)


def _rows(call: str, data: Sequence[Any], mean: bool | None) -> RowsPopulation:
    Moments.from_views(*data)
    a, b = (np.asarray(rows, dtype=float) for rows in data)
    if len(a) < 16:
        raise MomentsError(f"{call}: the features have {len(a)} rows; a check needs 16 or more")
    centre = (a.mean(axis=0) + b.mean(axis=0)) / 2
    size, spread = np.abs([a, b]).max(), np.sqrt(np.mean([(a - centre) ** 2, (b - centre) ** 2]))
    if spread <= ZERO * size:
        raise MomentsError(
            f"{call}: the features are constant, their {len(a)} rows differ by {spread:.2g} of {size:.3g}; give features of "
            "different data"
        )
    if np.abs(centre).max() > FAR * spread:
        raise MomentsError(
            f"{call}: the mean of the features is {np.abs(centre).max() / spread:.0f} times their deviation, so that rounding "
            "hides covariances; subtract the mean of both views, which a loss of differences does not feel"
        )
    centred = bool(np.abs(centre).max() <= ZERO * spread)
    return RowsPopulation(a, b, GaussianViews(mean=bool(mean) if centred else True))


def _gaussian(call: str, data: GaussianViews, arguments: dict[str, Any], d1: int) -> MixturePopulation:
    names = ("A0", "Sigma", "mean") if data.mean else ("A0", "Sigma")
    given: dict[str, Any] = {name: arguments.pop(name) for name in names if name in arguments}
    missing = [name for name in names if name not in given]
    if given and missing:
        raise UnknownNameError(f"{call}: the argument {missing[0]} is missing; give all moments, or none")
    if not given:
        defaults = _default_class(max(3, d1), 0, 1)
        outer = np.outer(defaults.mean, defaults.mean) * data.mean
        given = {"A0": defaults.A0 + outer, "Sigma": defaults.Sigma + outer}
        given |= {"mean": defaults.mean} if data.mean else {}
    moments = Moments(**given)
    centre = np.asarray(moments.get("mean", np.zeros(len(moments["Sigma"]))), dtype=np.float64)
    outer = np.outer(centre, centre)
    component = Component(1.0, moments["Sigma"] - outer, moments["A0"] - outer, centre)
    return MixturePopulation((component,), data, dict(moments))


def _mixture(call: str, data: MixtureViews, arguments: dict[str, Any], d1: int) -> MixturePopulation:
    made: list[Component] = []
    taken: dict[str, Any] = {}
    components = data.components(False)
    symbols = sorted({s for c in components for s in c.weight.free_symbols}, key=str)
    # Neither weights nor means that are opposite: coefficients would vanish, or cancel, whose errors nobody could see.
    shares = np.arange(data.classes + 1, 1, -1) / sum(range(2, data.classes + 2))
    weights = {s: arguments.pop(str(s), float(share)) for s, share in zip(symbols, shares, strict=False)}
    taken |= {str(s): w for s, w in weights.items()}
    for k, c in enumerate(components):
        default = _default_class(max(3, d1), k, len(components))
        names = {"Sigma": c.letter("Sigma"), "A0": c.letter("A_0"), "mean": str(c.mean)}
        here: dict[str, Any] = {kind: arguments.pop(name, None) for kind, name in names.items()}
        if any(v is None for v in here.values()) and not all(v is None for v in here.values()):
            missing = next(names[kind] for kind, v in here.items() if v is None)
            raise UnknownNameError(f"{call}: the argument {missing} is missing; give all moments of a class, or none")
        used: dict[str, Any] = {
            k: getattr(default, k) if v is None else np.asarray(v, dtype=float) for k, v in here.items()
        }
        weight = float(c.weight.xreplace(weights))
        Moments(used["A0"], used["Sigma"])
        if used["mean"].shape != used["Sigma"].shape[:1]:
            raise MomentsError(f"{call}: {names['mean']} has shape {used['mean'].shape}; give d0 numbers")
        if weight < 0:
            raise InputError(f"{call}: class {k + 1} has the weight {weight}; weights lie between 0 and 1")
        made.append(Component(weight, used["Sigma"], used["A0"], used["mean"]))
        taken |= {names[kind]: value for kind, value in used.items()}
    if len({c.Sigma.shape for c in made}) > 1:
        raise MomentsError(f"{call}: the classes have different numbers of features; give moments of all classes")
    return MixturePopulation(tuple(made), data, taken)


def _default_class(d0: int, k: int, classes: int) -> Component:
    """Moments with correlations of the views from 0.9 to 0.2, and means apart."""
    Sigma = np.diag(np.linspace(1.5, 0.5, d0)) / (1 + k)
    A0 = Sigma @ np.diag(np.linspace(0.9, 0.2, d0) if k % 2 == 0 else np.linspace(0.3, 0.8, d0))
    mean = 0.8 * np.cos(np.arange(d0) + 2 * np.pi * k / (classes + 1))
    return Component(1.0, Sigma, A0, mean)
