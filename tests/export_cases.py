"""Landscapes that are exported in tests, with random numbers for their arguments."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import sympy as sp

import symscape as ss

TAU = sp.Symbol("tau", positive=True)
LANDSCAPES = {
    "infonce, tau": lambda: ss.landscape(ss.InfoNCE(tau=TAU), 6),
    "decay, lambda": lambda: ss.landscape(
        ss.BarlowTwins.symbolic() + ss.WeightDecay(sp.Symbol("gamma", positive=True))
    ),
    "spectral, exact": lambda: ss.landscape(ss.SpectralContrastive()),
    "ntxent, mean and bias": lambda: ss.landscape(ss.NTXent.symbolic(), 4, ss.GaussianViews(mean=True), bias=True),
    "raw barlow twins, mean": lambda: ss.landscape(ss.BarlowTwins(lambda_=0.3), 4, ss.GaussianViews(mean=True)),
    "vicreg, mean and bias": lambda: ss.landscape(ss.VICReg(), 4, ss.GaussianViews(mean=True), bias=True),
    "mixture": lambda: ss.landscape(ss.InfoNCE(), 4, ss.MixtureViews(2)),
    "functions of parameters": lambda: ss.landscape(
        ss.Loss(
            ss.E(sp.log(1 + sp.exp(TAU + ss.sqdist(ss.anchor, ss.positive)))) + sp.sqrt(2) * ss.E(ss.sqnorm(ss.anchor))
        )
    ),
    "alignment": lambda: ss.landscape(ss.Loss(ss.E(ss.sqdist(ss.anchor, ss.positive)), "alignment")),
    "part without Sigma": lambda: ss.landscape(ss.InfoNCE()).part(2),
    "a constant": lambda: ss.landscape(ss.VICReg()).part(0),
}
SHAPES = [(2, 3), (4, 2, 3)]


def arguments(land: ss.Landscape, shape: tuple[int, ...]) -> tuple[np.ndarray, dict[str, Any]]:
    """Return W and the arguments of a landscape."""
    f, rng, d0 = land.numpy(), np.random.default_rng(7), shape[-1]
    roots = {s: rng.normal(size=(d0, d0)) for s in dict.fromkeys(("A_0", "Sigma", *f.letters))}
    given: dict[str, Any] = {"A0" if s == "A_0" else s: m @ m.T for s, m in roots.items()}
    given |= {v: rng.normal(size=d0) for v in f._wanted}
    given |= {"lambda_" if str(p) == "lambda" else str(p): 0.3 + 0.1 * k for k, p in enumerate(f.parameters)}
    given |= {"b": rng.normal(size=shape[:-1])} if f.meaning.has_bias else {}
    return rng.normal(size=shape) / 2, given


def load(file: Path) -> ModuleType:
    """Return an exported module."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
