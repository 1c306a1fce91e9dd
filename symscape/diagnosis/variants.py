"""The user's loss with one setting changed, however the loss was given: by name, as a preset, or with symbols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symscape.algebra.atoms import exact
from symscape.errors import UnknownNameError
from symscape.losses.catalogue import is_name, make_loss
from symscape.losses.loss import CatalogueLoss, Loss
from symscape.losses.parser import parse_loss
from symscape.losses.presets.preset import Preset

#: Settings that are constants of an implementation, and not for tuning.
CONSTANTS = frozenset({"epsilon", "scale", "base", "offset", "alpha", "loss_dim", "n", "similarity", "d_1"})


def variable_settings(loss: Loss | str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings of a loss that training recipes tune: numbers that are no constants of an implementation.

    >>> from symscape.losses.vicreg import VICReg
    >>> variable_settings(VICReg(), {}), variable_settings("lightly/ntxent", {})
    (('lambda_', 'mu', 'nu'), ('tau',))
    """
    if isinstance(loss, str):
        loss, settings = (make_loss(loss, settings), {}) if is_name(loss) else (parse_loss(loss), settings)
    own = loss.settings if isinstance(loss, (CatalogueLoss, Preset)) else {}
    named = [name for name, value in own.items() if not isinstance(value, (str, type(None))) and exact(value).is_number]
    return tuple(name for name in dict.fromkeys([*named, *settings]) if name.rstrip("_") not in CONSTANTS)


def with_setting(loss: Loss | str, settings: Mapping[str, Any], name: str, value: Any) -> tuple[Loss, dict[str, Any]]:
    """Return the loss with another value of a setting, and the settings that are still to be put in.

    Raises UnknownNameError for a name that the loss does not have.
    """
    if isinstance(loss, str) and is_name(loss):
        return make_loss(loss, {**_without(settings, name), name: value}), {}
    if isinstance(loss, str):
        loss = parse_loss(loss, name="your loss")
    rest = _without(settings, name)
    if isinstance(loss, Preset) and name.rstrip("_") in {key.rstrip("_") for key in loss.settings}:
        return make_loss(loss.name, {**loss.settings, name: value}), rest
    if isinstance(loss, CatalogueLoss) and name.rstrip("_") in {key.rstrip("_") for key in loss.settings}:
        key = next(key for key in loss.settings if key.rstrip("_") == name.rstrip("_"))
        return type(loss)(**{**loss.settings, key: value}), rest
    if name.rstrip("_") in {key.rstrip("_") for key in loss.parameters}:
        return loss.with_values({name.rstrip("_"): value}), rest
    has = ", ".join(variable_settings(loss, settings)) or "none"
    raise UnknownNameError(f"{loss.name} has no setting {name!r} to change; it has: {has}")


def _without(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key.rstrip("_") != name.rstrip("_")}
