"""Losses by name, catalogue and presets: what the command line calls each, and how it is made from settings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from symscape.errors import UnknownNameError
from symscape.losses.barlow_twins import BarlowTwins
from symscape.losses.infonce import InfoNCE
from symscape.losses.loss import CatalogueLoss
from symscape.losses.ntxent import NTXent
from symscape.losses.presets.preset import Preset, Recipe, chosen_settings
from symscape.losses.presets.presets import find_preset, plain, preset_hint
from symscape.losses.spectral_contrastive import SpectralContrastive
from symscape.losses.vicreg import VICReg

CATALOGUE: tuple[type[CatalogueLoss], ...] = (InfoNCE, NTXent, SpectralContrastive, BarlowTwins, VICReg)

_NAME = re.compile(r"[A-Za-z][\w\- ]*(/[A-Za-z][\w\- ]*)?\Z")


def is_name(text: str) -> bool:
    """Tell whether a text is spelled like the name of a loss or preset, and not like an expression.

    >>> is_name("barlow-twins"), is_name("lightly/ntxent"), is_name("E(sqdist(x, xp))")
    (True, True, False)
    """
    return bool(_NAME.match(text.strip()))


def find_loss(name: str) -> type[CatalogueLoss] | Recipe:
    """Return the class of a loss, or the recipe of a preset, by its name; case and hyphens are ignored.

    Raises UnknownNameError with suggestions.

    >>> find_loss("Barlow-Twins").__name__, find_loss("lightly/vicreg").command
    ('BarlowTwins', 'lightly/vicreg')
    """
    known = {key: loss for loss in CATALOGUE for key in (plain(loss.command), plain(loss.__name__))}
    wanted = plain(name)
    if wanted in known:
        return known[wanted]
    if "/" in name:
        return find_preset(name)
    close = get_close_matches(wanted, known, n=1)
    hint = f"did you mean {known[close[0]].command!r}?" if close else preset_hint(name)
    end = "" if not hint else " " if hint.endswith("?") else "; "
    names = ", ".join(loss.command for loss in CATALOGUE)
    raise UnknownNameError(f"unknown loss {name!r}; {hint}{end}known: {names}, and the presets of `symscape list`")


def parameter_defaults(loss: type[CatalogueLoss] | Recipe) -> dict[str, Any]:
    """Return the parameters of a loss or preset with their defaults.

    >>> parameter_defaults(NTXent)
    {'tau': 1, 'epsilon': None}
    """
    if isinstance(loss, Recipe):
        return dict(loss.defaults)
    signature = inspect.signature(loss.__init__)
    return {name: p.default for name, p in signature.parameters.items() if name != "self"}


def symbolic_settings(loss: type[CatalogueLoss] | Recipe) -> dict[str, Any]:
    """Return the settings of a loss or preset with a symbol for every parameter.

    >>> symbolic_settings(find_loss("lightly/align-uniform"))
    {'alpha': alpha, 'weight': weight, 't': t}
    """
    return loss.symbolic() if isinstance(loss, Recipe) else loss.symbolic().settings


def make_loss(name: str, settings: Mapping[str, Any]) -> CatalogueLoss | Preset:
    """Return the loss or preset of this name with settings; a keyword such as ``lambda`` may go without its underscore.

    Raises UnknownNameError for a parameter that the loss does not have.
    """
    loss = find_loss(name)
    if isinstance(loss, Recipe):
        return loss.make(settings)
    return loss(**chosen_settings(loss.command, parameter_defaults(loss), settings))
