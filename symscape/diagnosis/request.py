"""What was asked of a diagnosis: the problem, the loss as the user gave it, and how rows are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from symscape.data.features import PairedFeatures
from symscape.forecast.problem import Problem
from symscape.losses.loss import Loss


@dataclass(frozen=True, eq=False)
class Request:
    """``loss`` and ``settings``: as given; ``gamma``: weight decay beside the loss; ``features``: None where only moments are.

    ``max_rows``: on how many rows the loss is run, ``batch_size``: of one batch, None for all of these.
    """

    problem: Problem
    loss: Loss | str
    settings: Mapping[str, Any]
    gamma: Any
    features: PairedFeatures | None
    max_rows: int
    batch_size: int | None
    seed: int
    extra: Mapping[str, Any] = field(default_factory=dict)
