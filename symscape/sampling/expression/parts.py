"""What a closed part of an expression is worth on a batch, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.sampling.expression.compiler import Scaled
from symscape.sampling.expression.inputs import RowKey, ValueKey
from symscape.sampling.expression.rows import Batch, Gradient
from symscape.sampling.expression.tape import Tape

Array = NDArray[np.float64]
#: The value, on a tape, of an expectation or sum that nothing is free in; with a scale if wanted.
Closed = Callable[[Tape, sp.Expr, bool], Scaled]


class Wanted(NamedTuple):
    """Which derivatives are asked for; ``slope`` where the loss is known to be linear in this part."""

    gradient: bool = False
    influence: bool = False
    slope: float = 1.0


@dataclass
class Found:
    """What a closed part is: ``factor`` * exp(``scale``), with derivatives of the factor, all of them times the slope."""

    factor: float
    scale: float = 0.0
    by_parts: dict[ValueKey, float] = field(default_factory=dict)
    influence: Array | None = None
    gradient: Gradient | None = None
    moments: dict[tuple[str, bool], Array] = field(default_factory=dict)
    by_rows: dict[RowKey, Array] = field(default_factory=dict)


class Part(Protocol):
    """A closed part of an expression."""

    tape: Tape
    end: Scaled

    def run(self, batch: Batch, values: Mapping[Any, Any], wanted: Wanted, gradient: Gradient | None) -> Found:
        """Return its value with derivatives, which are added to ``gradient`` if one is given."""
        ...
