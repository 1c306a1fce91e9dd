"""Data models: the joint law of the features of all views, as far as a landscape needs it.

A model is a finite mixture of components. Given its component, the views of one datum are jointly Gaussian about a mean,
or, for `CumulantViews`, have given third and fourth joint cumulants; views of different data are independent.
Letters name covariances about the mean of the component.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from symscape.algebra.atoms import exact
from symscape.errors import InputError
from symscape.probability.contraction import GaussianLaw
from symscape.probability.views import View, covariance_letter


@dataclass(frozen=True)
class Component:
    """One component of a mixture: its weight, the suffix of its letters, and the name of its mean vector, if any."""

    weight: sp.Expr
    suffix: str
    mean: str | None

    def letter(self, letter: str) -> str:
        """Return the name of a second-moment letter within this component: A_0 becomes A_c, Sigma Sigma_c."""
        return ("A" if letter == "A_0" else letter) + self.suffix if self.suffix else letter

    def law(self, views: Iterable[View]) -> GaussianLaw:
        """Return the Gaussian law of some views of one datum, or of independent data."""
        views = list(views)
        covariances = {
            (u.name, v.name): self.letter(letter)
            for u in views
            for v in views
            if (letter := covariance_letter(u, v)) is not None
        }
        means = {v.name: self.mean for v in views} if self.mean else {}
        return GaussianLaw(covariances, means)


@dataclass(frozen=True)
class DataModel:
    """Base of the data models. ``bias=True`` in `landscape` adds a constant feature, so that every mean is non-zero."""

    @property
    def has_mean(self) -> bool:
        """Whether the features have a mean."""
        return False

    @property
    def cumulants(self) -> bool:
        """Whether third and fourth cumulants are kept."""
        return False

    @property
    def highest_order(self) -> int | None:
        """The highest order that the model determines, or None."""
        return None

    def components(self, bias: bool) -> tuple[Component, ...]:
        """Return the mixture components."""
        return (Component(sp.Integer(1), "", "mean" if self.has_mean or bias else None),)

    def moments_needed(self, bias: bool) -> str:
        """Return in words which moments the terms need that hold for any distribution."""
        return "second moments and means" if self.has_mean or bias else "second moments, mean zero"

    @property
    def assumption(self) -> str:
        """The model in words."""
        raise NotImplementedError


@dataclass(frozen=True)
class SingleComponent(DataModel):
    """Base of the models without classes: features with mean zero, or with a mean."""

    mean: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.mean, bool):
            raise InputError(
                f"{type(self).__name__}(mean={self.mean!r}): mean is True or False; numbers come with numpy()"
            )

    @property
    def has_mean(self) -> bool:
        """Whether the features have a mean."""
        return self.mean


@dataclass(frozen=True)
class GaussianViews(SingleComponent):
    """Features of the views of one datum are jointly Gaussian: Sigma = E[phi phi^T], A_0 = E[phi(x) phi(x')^T].

    With ``mean=True`` they have the mean ``mean``; Sigma and A_0 stay second moments (not about the mean). Raises
    InputError for a mean that is not True or False.

    >>> GaussianViews().assumption
    'views of one datum jointly Gaussian, mean zero'
    """

    @property
    def assumption(self) -> str:
        """The model in words."""
        return "views of one datum jointly Gaussian, " + ("with a mean" if self.mean else "mean zero")


@dataclass(frozen=True)
class CumulantViews(SingleComponent):
    """Any distribution of the features, through its joint third and fourth cumulants; determines order 4.

    A cumulant enters a landscape contracted with W, by pattern: kappa[xx|xx'] is the sum over outputs a, b of the joint
    cumulant of f_a(x), f_a(x), f_b(x), f_b(x'). The two views of a datum are taken to be exchangeable.
    """

    @property
    def cumulants(self) -> bool:
        """Whether third and fourth cumulants are kept."""
        return True

    @property
    def highest_order(self) -> int | None:
        """The highest order that the model determines."""
        return 4

    @property
    def assumption(self) -> str:
        """The model in words."""
        return "any distribution, " + ("with a mean" if self.mean else "mean zero") + ", exchangeable views"


@dataclass(frozen=True)
class MixtureViews(DataModel):
    """A mixture of Gaussians: datum s ~ sum_c pi_c N(m_c, A_c); both views share the class; Sigma_c is a view's.

    Sigma_c and A_c are covariances within class c, about m_c. ``weights`` are numbers or symbols that sum to 1; without
    them they are pi_1, ..., pi_K with the last written as one minus the others. Raises InputError for fewer than one class.

    >>> [c.letter("A_0") for c in MixtureViews(2).components(bias=False)]
    ['A_1', 'A_2']
    """

    classes: int = 2
    weights: tuple[sp.Expr, ...] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.classes, bool) or not isinstance(self.classes, int) or self.classes < 1:
            raise InputError(f"MixtureViews({self.classes!r}): the number of classes is a positive integer, such as 2")
        if self.weights is not None:
            call = f"MixtureViews({self.classes}, weights={self.weights})"
            if isinstance(self.weights, str) or not isinstance(self.weights, Iterable):
                raise InputError(f"{call}: give a tuple of {self.classes} weights that sum to 1")
            weights = tuple(exact(w) for w in self.weights)
            object.__setattr__(self, "weights", weights)
            if len(weights) != self.classes or sp.simplify(sp.Add(*weights) - 1) != 0:
                raise InputError(f"{call}: give {self.classes} weights that sum to 1")
            if any(w.is_negative for w in weights):
                raise InputError(f"{call}: weights are probabilities; choose them between 0 and 1")

    @property
    def has_mean(self) -> bool:
        """Whether the features have a mean."""
        return True

    def components(self, bias: bool) -> tuple[Component, ...]:
        """Return the mixture components."""
        if self.weights is not None:
            weights = self.weights
        else:
            free = sp.symbols(f"pi_1:{self.classes}", positive=True) if self.classes > 1 else ()
            weights = (*free, sp.S.One - sp.Add(*free))
        return tuple(Component(w, f"_{c}", f"m_{c}") for c, w in enumerate(weights, 1))

    def moments_needed(self, bias: bool) -> str:
        """Return in words which moments the terms need that hold for any distribution within the classes."""
        return "second moments and means of the classes"

    @property
    def assumption(self) -> str:
        """The model in words."""
        return f"mixture of {self.classes} Gaussians, the views of a datum share its class"
