"""The presets by name: what released libraries run under each name, read from their code in November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import sympy as sp

from symscape.errors import UnknownNameError
from symscape.losses.presets.families import (
    ALIGN_UNIFORM,
    BARLOW_TWINS,
    DIRECTCLR,
    DOT,
    EUCLIDEAN,
    NTXENT,
    SCALED_BARLOW_TWINS,
    SCALED_NTXENT,
    SIGMOID,
    SPECTRAL,
    SUPCON,
    TARGET,
    TICO,
    VICREG,
    WHITENED,
)
from symscape.losses.presets.preset import Preset, Recipe

LIGHTLY, SOLO, STABLE, PML = "1.6.0", "1.0.2", "0.1.8", "2.9.0"

ONE_WAY = {"pool": "one-way"}
BOTH_WAYS = {"pool": "both-ways"}
WITHOUT_POSITIVE = {"positive": False}
BARLOW = {"lambda_": 0.005, "epsilon": 1e-5}
WEIGHTS = {"lambda_": 25, "mu": 25, "nu": 1, "epsilon": 1e-4}
BYOL = {"offset": sp.Integer(2), "slope": sp.Integer(-2)}
SIMSIAM = {"offset": sp.S.Zero, "slope": sp.S.NegativeOne}
UNIFORM = {"alpha": 2, "weight": 1}


def _cosine(tau: float, **more: Any) -> dict[str, Any]:
    return {**more, "tau": tau, "epsilon": None}


_TABLE = (
    # NT-Xent and its relatives: all 2N views against each other
    Recipe("lightly/ntxent", NTXENT, _cosine(0.5), LIGHTLY),
    Recipe("solo-learn/ntxent", NTXENT, _cosine(0.1), SOLO),
    Recipe("stable-pretraining/ntxent", NTXENT, _cosine(0.5), STABLE),
    Recipe("pml/ntxent", NTXENT, _cosine(0.07), PML),
    Recipe("pml/supcon", NTXENT, _cosine(0.1), PML, ("every datum is a class of its own",)),
    Recipe("optax/ntxent", NTXENT, _cosine(0.07), "0.2.8"),
    Recipe(
        "simclr-tf/ntxent",
        SCALED_NTXENT,
        _cosine(0.1, scale=2),
        notes=("the sum of both directions, not their mean: scale=2", "the README's recipe has weight decay 1e-4"),
        weight_decay=1e-6,
        optimizer="LARS",
    ),
    Recipe("supcon/self-supervised", SUPCON, _cosine(0.5, base=0.07), notes=("the loss is multiplied by tau / base",)),
    Recipe(
        "lightly/directclr", DIRECTCLR, _cosine(0.5, loss_dim=sp.oo), LIGHTLY, ("the library has no default loss_dim",)
    ),
    Recipe("lightly/dcl", NTXENT, _cosine(0.1), LIGHTLY, fixed=WITHOUT_POSITIVE),
    Recipe(
        "dcl-official/dcl",
        NTXENT,
        _cosine(0.1),
        notes=("rows normalised before, both directions averaged",),
        fixed=WITHOUT_POSITIVE,
    ),
    Recipe("pml/ntxent-euclidean", EUCLIDEAN, {"c": 0.07}, PML, fixed={"pool": "both-views"}),
    Recipe("pml/ntxent-dot", DOT, {"tau": 0.07}, PML, fixed={"pool": "both-views"}),
    # One view against the other
    Recipe("info-nce-pytorch/infonce", NTXENT, _cosine(0.1), "0.1.4", fixed=ONE_WAY),
    Recipe(
        "solo-learn/nnclr",
        NTXENT,
        _cosine(0.1),
        SOLO,
        ("in training the first view is the nearest neighbour of its datum in a queue, held constant",),
        fixed=ONE_WAY,
    ),
    Recipe("pml/ntxent-one-way", NTXENT, _cosine(0.07), PML, fixed=ONE_WAY),
    Recipe("pml/ntxent-euclidean-one-way", EUCLIDEAN, {"c": 0.07}, PML, fixed=ONE_WAY),
    Recipe("pml/ntxent-dot-one-way", DOT, {"tau": 0.07}, PML, fixed=ONE_WAY),
    Recipe("clip/cross-entropy", NTXENT, _cosine(0.07), notes=("tau is learned in training",), fixed=BOTH_WAYS),
    Recipe("stable-pretraining/clip", NTXENT, _cosine(0.07), STABLE, fixed=BOTH_WAYS),
    Recipe(
        "directclr-official/directclr",
        DIRECTCLR,
        _cosine(0.1, loss_dim=360),
        weight_decay=1e-6,
        optimizer="LARS",
        fixed=BOTH_WAYS,
    ),
    Recipe("open-clip/siglip", SIGMOID, {"t": 10, "b": -10, "n": sp.Symbol("n", integer=True, positive=True)}),
    # Losses of unit rows without candidates
    Recipe(
        "align-uniform-official/align-uniform", ALIGN_UNIFORM, {**UNIFORM, "t": 2}, notes=("rows normalised before",)
    ),
    Recipe("lightly/align-uniform", ALIGN_UNIFORM, {**UNIFORM, "t": 1}, LIGHTLY),
    Recipe("simsiam-official/simsiam", TARGET, {}, weight_decay=1e-4, optimizer="SGD", coupled=True, fixed=SIMSIAM),
    Recipe("lightly/simsiam", TARGET, {}, LIGHTLY, fixed=SIMSIAM),
    Recipe("solo-learn/simsiam", TARGET, {}, SOLO, fixed=SIMSIAM),
    Recipe("solo-learn/byol", TARGET, {}, SOLO, fixed=BYOL),
    Recipe("stable-pretraining/byol", TARGET, {}, STABLE, fixed=BYOL),
    Recipe("lightly/w-mse", WHITENED, {"epsilon": 0}, LIGHTLY),
    Recipe("lightly/tico", TICO, {"rho": 8, "beta": 0.9}, LIGHTLY, fixed={"offset": sp.S.One}),
    Recipe(
        "sayannag/tico", TICO, {"rho": 20, "beta": 0.9}, notes=("without the constant 1",), fixed={"offset": sp.S.Zero}
    ),
    # Losses of moments
    Recipe("spectral-official/spectral", SPECTRAL, {"mu": 1}, notes=("its recipes set mu to 1 or 10",)),
    Recipe("barlow-twins-official/barlow-twins", BARLOW_TWINS, {**BARLOW, "lambda_": 0.0051}),
    Recipe("lightly/barlow-twins", BARLOW_TWINS, BARLOW, LIGHTLY),
    Recipe("solo-learn/barlow-twins", SCALED_BARLOW_TWINS, {**BARLOW, "scale": 0.025}, SOLO),
    Recipe(
        "vissl/barlow-twins",
        SCALED_BARLOW_TWINS,
        {**BARLOW, "lambda_": 0.0051, "scale": 0.024},
        notes=("both views are standardised by their common mean and variance",),
        fixed={"standardise": "jointly"},
    ),
    Recipe(
        "stable-pretraining/barlow-twins",
        BARLOW_TWINS,
        BARLOW,
        STABLE,
        ("divides by the unbiased deviation plus epsilon, which has no series at W = 0; K is divided by N",),
        fixed={"standardise": "deviation"},
    ),
    Recipe(
        "monai/barlow-twins",
        BARLOW_TWINS,
        {**BARLOW, "epsilon": 1e-6},
        notes=("divides by the unbiased deviation plus epsilon, which has no series at W = 0; K is divided by N",),
        fixed={"standardise": "deviation"},
    ),
    Recipe("vicreg-official/vicreg", VICREG, WEIGHTS, weight_decay=1e-6, optimizer="LARS"),
    Recipe("lightly/vicreg", VICREG, WEIGHTS, LIGHTLY),
    Recipe("pml/vicreg", VICREG, WEIGHTS, PML),
    Recipe("stable-pretraining/vicreg", VICREG, WEIGHTS, STABLE),
    Recipe(
        "solo-learn/vicreg",
        VICREG,
        WEIGHTS,
        SOLO,
        ("the hinges of both views are added, not averaged: mu counts double",),
        fixed={"half": False},
    ),
)

PRESETS: Mapping[str, Recipe] = {recipe.name: recipe for recipe in _TABLE}

_NO_PRESET = {
    "moco": "MoCo compares with a queue of keys of earlier batches (65536, held constant), so it is no function of two views; "
    "on the keys of one batch it is preset('info-nce-pytorch/infonce', tau=0.07)",
}


def plain(name: str) -> str:
    """Return a name without case, hyphens, underscores and spaces."""
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")


def find_preset(name: str) -> Recipe:
    """Return the recipe of a preset; case and hyphens are ignored. Raises UnknownNameError with suggestions.

    >>> find_preset("Solo-Learn/VICReg").name
    'solo-learn/vicreg'
    """
    if not isinstance(name, str):
        raise UnknownNameError(f"preset({name!r}): the name is a text such as 'lightly/ntxent'; presets() lists them")
    found = {plain(key): recipe for key, recipe in PRESETS.items()}.get(plain(name))
    if found is None:
        hint = preset_hint(name) or "presets() lists them"
        raise UnknownNameError(f"preset({name!r}): unknown preset; {hint}")
    return found


def preset_hint(name: str) -> str:
    """Return what may have been meant by an unknown name, or why there is no such preset; empty when nothing is close."""
    wanted, known = plain(name), {plain(key): key for key in PRESETS}
    for word, why in _NO_PRESET.items():
        if word in wanted:
            return why
    parts = [part for part in wanted.split("/") if part]
    alike = [key for short, key in known.items() if any(part in short.split("/") for part in parts[-1:])]
    alike = alike or [known[short] for short in get_close_matches(wanted, known, n=3)]
    alike = alike or [key for short, key in known.items() if any(part in short for part in parts)]
    return f"did you mean {' or '.join(map(repr, alike))}?" if alike else ""


def preset(name: str, **settings: Any) -> Preset:
    """Return a loss as a released library codes it: its population expression, and the library's number on a batch.

    ``settings`` replace the library's defaults. ``.notes`` say what the expression leaves out, ``.defaults``, ``.version``,
    ``.weight_decay`` and ``.gamma`` what the library has. Raises UnknownNameError for an unknown name or setting, InputError
    for a bad value.

    >>> vicreg = preset("solo-learn/vicreg")
    >>> vicreg
    preset("solo-learn/vicreg", lambda_=25, mu=25, nu=1, epsilon=1/10000)
    >>> vicreg.notes[-1]
    'the hinges of both views are added, not averaged: mu counts double'
    >>> preset("pml/ntxent-euclidean", c=2).expr
    E_{x}[log(E_{chi}[exp(-|f(x) - f(chi)|^2/2)])] + E_{x, x'}[|f(x) - f(x')|^2/2]
    """
    return find_preset(name).make(settings)


def presets(loss: str = "") -> tuple[str, ...]:
    """Return the names of the presets, or of those whose name has ``loss`` in it.

    >>> presets("vicreg")
    ('vicreg-official/vicreg', 'lightly/vicreg', 'pml/vicreg', 'stable-pretraining/vicreg', 'solo-learn/vicreg')
    """
    return tuple(name for name in PRESETS if plain(loss) in plain(name))
