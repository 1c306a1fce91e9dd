"""What a preset is: a family of losses as one library codes it, with that library's constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sympy as sp

from symscape.algebra.atoms import exact
from symscape.errors import InputError, UnknownNameError
from symscape.losses.loss import Loss, gamma_from_weight_decay, positive_parameter

#: Checks a setting: (call, name, value) to an exact value; raises InputError.
Check = Callable[[str, str, Any], Any]


@dataclass(frozen=True)
class Family:
    """Losses of one kind: ``build(**settings)`` with exact settings, and how each setting is checked."""

    build: Callable[..., Loss]
    checks: Mapping[str, Check]
    notes: tuple[str, ...] = ()


def chosen_settings(call: str, defaults: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings under the names that the defaults have; a keyword such as ``lambda`` may go without its underscore."""
    chosen = {}
    for key, value in settings.items():
        match = next((name for name in defaults if name.rstrip("_") == key.rstrip("_")), None)
        if match is None:
            has = ", ".join(name.rstrip("_") for name in defaults) or "none"
            raise UnknownNameError(f"{call} has no parameter {key!r}; it has: {has}")
        chosen[match] = value
    return chosen


@dataclass(frozen=True)
class Recipe:
    """A loss of a released library: the family it belongs to, and the library's constants.

    ``version``: of the package the constants were read from, where they were read from a package. ``weight_decay``: the
    framework's number in the official recipe; ``coupled``: whether it adds (w / 2) ||W||^2 to the loss. ``fixed``: what the
    family is built with besides settings.
    """

    name: str
    family: Family
    defaults: Mapping[str, Any]
    version: str = ""
    notes: tuple[str, ...] = ()
    weight_decay: Any = None
    optimizer: str = ""
    coupled: bool = False
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The name by which the command line knows it."""
        return self.name

    def make(self, settings: Mapping[str, Any]) -> Preset:
        """Return the preset with settings in place of defaults. Raises UnknownNameError and InputError for bad ones."""
        chosen = {**self.defaults, **chosen_settings(self.name, self.defaults, settings)}
        checked = {name: self.family.checks[name](self.name, name, value) for name, value in chosen.items()}
        return Preset(self, checked, self.family.build(**checked, **self.fixed))

    def symbolic(self) -> dict[str, Any]:
        """Return the settings with a symbol for every number: positive where the library's number is, real where not."""
        made = {}
        for name, value in self.defaults.items():
            finite = value is not None and exact(value).is_finite and not exact(value).free_symbols
            sign = {"positive": True} if finite and exact(value).is_positive else {"real": True}
            made[name] = sp.Symbol(name.rstrip("_"), **sign) if finite else value
        return made


class Preset(Loss):
    """A loss as a released library codes it: ``expr`` its population expression, ``batch`` the library's number.

    Made by `preset`. Constants that grow with the batch, such as log(2N - 1), belong to the batch alone.
    """

    def __init__(self, recipe: Recipe, settings: Mapping[str, Any], loss: Loss):
        super().__init__(loss._expr, recipe.name, loss.batch)
        self._recipe, self._settings = recipe, dict(settings)

    @property
    def library(self) -> str:
        """The library, or the repository of a paper's authors."""
        return self._recipe.name.split("/")[0]

    @property
    def version(self) -> str:
        """The version of the package whose constants these are; empty for code without versions."""
        return self._recipe.version

    @property
    def settings(self) -> dict[str, Any]:
        """The settings in use."""
        return dict(self._settings)

    @property
    def defaults(self) -> dict[str, Any]:
        """The library's settings."""
        return dict(self._recipe.defaults)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the expression leaves out, and how training differs from it: sentences."""
        notes = [*self._recipe.family.notes, *self._recipe.notes]
        if self._recipe.weight_decay is not None:
            decay = f"weight decay {self._recipe.weight_decay:g} under {self._recipe.optimizer}"
            lost = "is decoupled or rescaled per layer: no gradient of a loss, so there is no gamma"
            notes.append(f"{decay}: gamma = {self.gamma}" if self._recipe.coupled else f"{decay} {lost}")
        return tuple(notes)

    @property
    def weight_decay(self) -> float | None:
        """The framework's weight decay in the official recipe, if there is one."""
        return self._recipe.weight_decay

    @property
    def gamma(self) -> sp.Expr | None:
        """The same as a term of the loss, `WeightDecay(gamma)`: half of it; None where there is none or it is decoupled."""
        return gamma_from_weight_decay(self._recipe.weight_decay) if self._recipe.coupled else None

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value}" for name, value in self._settings.items())
        return f'preset("{self.name}"{settings})'


# Checks of settings

positive: Check = positive_parameter
not_negative: Check = partial(positive_parameter, zero=True)


def real(call: str, name: str, value: Any) -> sp.Expr:
    """Return an exact real parameter."""
    return value if (value := exact(value)).is_negative else not_negative(call, name, value)


def smoothing(call: str, name: str, value: Any) -> sp.Expr | None:
    """Return a positive parameter, or None."""
    return None if value is None else positive(call, name, value)


def share(call: str, name: str, value: Any) -> sp.Expr:
    """Return a parameter between 0 and 1, or a symbol."""
    value = not_negative(call, name, value)
    if (1 - value).is_negative:
        raise InputError(f"{call}({name}={value}): {name} is between 0 and 1")
    return value


def count(call: str, name: str, value: Any) -> sp.Expr:
    """Return a positive integer, or a symbol."""
    value = positive(call, name, value)
    if value.is_integer is False:
        raise InputError(f"{call}({name}={value}): {name} is a positive integer or a symbol")
    return value


def count_or_all(call: str, name: str, value: Any) -> sp.Expr:
    """Return a positive integer, a symbol, or oo for all."""
    return sp.oo if exact(value) is sp.oo else count(call, name, value)
