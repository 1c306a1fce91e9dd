"""Machine-readable records of what the command finds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import sympy as sp

from symscape.conditions.collapsed import Collapse
from symscape.errors import InputError
from symscape.landscape.facts import facts
from symscape.landscape.landscape import Landscape
from symscape.losses.catalogue import parameter_defaults
from symscape.losses.loss import CatalogueLoss
from symscape.losses.presets.preset import Recipe
from symscape.sampling.check.result import Check
from symscape.typesetting.text import polynomial_text


def loss_record(loss: type[CatalogueLoss]) -> dict[str, Any]:
    """Return name, parameters and facts of a loss."""
    return {
        "name": loss.command,
        "class": loss.__name__,
        "summary": loss.summary,
        "parameters": {k: None if v is None else str(v) for k, v in parameter_defaults(loss).items()},
        "facts": _finite(asdict(facts(loss.default()))),
    }


def preset_record(recipe: Recipe) -> dict[str, Any]:
    """Return name, constants and notes of a preset."""
    made = recipe.make({})
    return {
        "name": made.name,
        "library": made.library,
        "version": made.version or None,
        "parameters": {k: None if v is None else str(v) for k, v in recipe.defaults.items()},
        "weight_decay": made.weight_decay,
        "gamma": None if made.gamma is None else str(made.gamma),
        "notes": list(made.notes),
    }


def landscape_record(land: Landscape, checked: Check | None) -> dict[str, Any]:
    """Return a landscape with its terms, its Hessian, its assumptions and its check."""
    terms, meaning = land.display
    return {
        "loss": repr(land.loss),
        "order": land.order,
        "exact": land.is_exact,
        "text": str(land),
        "expr": sp.sstr(land.expr),
        "latex": land.latex(),
        "latex_PM": land.latex("PM"),
        "terms": [
            {
                "degree": land.degree_of(monomial),
                "coefficient": str(coefficient),
                "word": polynomial_text([(monomial, sp.S.One)], meaning) if monomial else "1",
            }
            for monomial, coefficient in terms
        ],
        "hessian": _hessian_record(land),
        "assumptions": [{"statement": a.statement, "degrees": list(a.degrees)} for a in land.assumptions],
        "steps": [{"rule": s.rule, "left": s.left, "right": s.right} for s in land.steps],
        "check": None if checked is None else checked.record,
    }


def collapse_record(found: Collapse, source: str) -> dict[str, Any]:
    """Return which modes survive, with their numbers."""
    return {
        "loss": found.name,
        "moments": source,
        "kind": found.kind,
        "surviving": found.surviving,
        "possible": found.possible,
        "loss_at_minimum": found.loss,
        "modes": [
            {"eigenvalue": mode.eigenvalue, "p": float(p), "survives": bool(mode.survives)}
            for mode, p in zip(found.modes, found.spectrum, strict=True)
        ],
        "terms": [{"term": str(t.term), "contributions": [float(c) for c in t.contributions]} for t in found.terms],
        "notes": list(found.notes),
    }


def _hessian_record(land: Landscape) -> dict[str, Any]:
    try:
        hessian = land.hessian
    except InputError as error:
        return {"B": None, "coefficients": {}, "says": [str(error)]}
    keys = {key if isinstance(key, str) else " ".join(key): str(c) for key, c in hessian.coefficients.items()}
    return {"B": sp.sstr(hessian.B), "coefficients": keys, "says": hessian.sentences()}


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: write it as a word."""
    return {k: "all" if v == float("inf") else v for k, v in values.items()}
