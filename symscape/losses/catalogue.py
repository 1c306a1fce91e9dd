"""The catalogue by name: what the command line calls each loss, and how it is made from settings."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from symscape.errors import UnknownNameError
from symscape.losses.barlow_twins import BarlowTwins
from symscape.losses.infonce import InfoNCE
from symscape.losses.loss import CatalogueLoss
from symscape.losses.ntxent import NTXent
from symscape.losses.spectral_contrastive import SpectralContrastive
from symscape.losses.vicreg import VICReg

CATALOGUE: tuple[type[CatalogueLoss], ...] = (InfoNCE, NTXent, SpectralContrastive, BarlowTwins, VICReg)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")


def find_loss(name: str) -> type[CatalogueLoss]:
    """Return the class of a loss by its name; case and hyphens are ignored. Raises UnknownNameError with suggestions.

    >>> find_loss("Barlow-Twins").__name__
    'BarlowTwins'
    """
    known = {key: loss for loss in CATALOGUE for key in (_plain(loss.command), _plain(loss.__name__))}
    found = known.get(_plain(name))
    if found is None:
        close = get_close_matches(_plain(name), known, n=1)
        hint = f"did you mean {known[close[0]].command!r}? " if close else ""
        names = ", ".join(loss.command for loss in CATALOGUE)
        raise UnknownNameError(f"unknown loss {name!r}; {hint}known: {names}")
    return found


def parameter_defaults(loss: type[CatalogueLoss]) -> dict[str, Any]:
    """Return the parameters of a loss with their defaults.

    >>> parameter_defaults(NTXent)
    {'tau': 1, 'epsilon': None}
    """
    signature = inspect.signature(loss.__init__)
    return {name: p.default for name, p in signature.parameters.items() if name != "self"}


def make_loss(name: str, settings: Mapping[str, Any]) -> CatalogueLoss:
    """Return the loss of this name with settings; a keyword such as ``lambda`` may go without its underscore.

    Raises UnknownNameError for a parameter that the loss does not have.
    """
    loss = find_loss(name)
    defaults = parameter_defaults(loss)
    chosen = {}
    for key, value in settings.items():
        match = next((p for p in defaults if p.rstrip("_") == key.rstrip("_")), None)
        if match is None:
            has = ", ".join(p.rstrip("_") for p in defaults) or "none"
            raise UnknownNameError(f"{loss.command} has no parameter {key!r}; it has: {has}")
        chosen[match] = value
    return loss(**chosen)
