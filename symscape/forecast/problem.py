"""What is to be forecast: a loss with numbers, its weight decay apart, and the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from symscape.algebra.atoms import exact
from symscape.errors import InputError, UnknownNameError
from symscape.forecast.frames import sees_second_moments_alone
from symscape.landscape.facts import is_rotation_invariant
from symscape.landscape.plan import scaling_degree
from symscape.losses.batch import Decay
from symscape.losses.catalogue import is_name, make_loss
from symscape.losses.language import OutputSum, d_1
from symscape.losses.loss import Loss, WeightDecay, positive_parameter
from symscape.losses.parser import parse_loss
from symscape.spectrum.equal_shares.data_regime import data_regime
from symscape.spectrum.equal_shares.decay import without_decay
from symscape.stationary.given import checked_outputs


@dataclass(frozen=True, eq=False)
class Problem:
    """A loss without free parameters, its weight decay apart, and the number of outputs: what is to be forecast.

    ``loss``: without weight decay; ``gamma``: of gamma ||W||^2, in all.
    """

    loss: Loss
    gamma: sp.Expr
    d1: int
    bias: bool

    @property
    def whole(self) -> Loss:
        """The loss with its weight decay."""
        return self.loss + WeightDecay(self.gamma) if self.gamma else self.loss

    @cached_property
    def is_scale_free(self) -> bool:
        """Whether the loss does not change along W -> c W, or ceases to as outputs grow (small constants apart)."""
        if self.is_rotation_invariant or scaling_degree(self.loss.expr) == 0:
            return scaling_degree(self.loss.expr) == 0
        return data_regime(self.loss) is not None

    @cached_property
    def sees_moments_alone(self) -> bool:
        """Whether the loss is a function of second moments, for any data: about the mean, or about zero."""
        return not self.is_rotation_invariant or sees_second_moments_alone(self.loss)

    @cached_property
    def is_rotation_invariant(self) -> bool:
        """Whether the loss does not change along W -> O W."""
        return is_rotation_invariant(self.loss.expr)


def problem(
    call: str,
    loss: Loss | str,
    d1: Any,
    weight_decay: Any = 0,
    bias: bool = False,
    params: Mapping[Any, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Problem:
    """Return what is to be forecast. ``loss`` may be a name or an expression; ``weight_decay`` is gamma, beside the loss's own.

    Raises UnknownNameError for unknown names and parameters without a value, InputError for a d1 or gamma that is none.
    """
    given = {**{str(k): v for k, v in (params or {}).items()}, **(parameters or {})}
    if isinstance(loss, str) and is_name(loss):
        loss, given = make_loss(loss, given), {}
    elif isinstance(loss, str):
        loss = parse_loss(loss, name="your loss")
    if not isinstance(loss, Loss):
        raise InputError(f"{call}: loss={loss!r} is no loss; pass one such as InfoNCE(tau=0.5), or its name")
    unknown = sorted(set(given) - set(loss.parameters) - {name + "_" for name in loss.parameters})
    if unknown and not params:
        has = ", ".join(sorted(set(loss.parameters) - {"d_1"})) or "none"
        raise UnknownNameError(f"{call}: {loss.name} has no parameter {unknown[0]!r}; it has: {has}")
    outputs = checked_outputs(call, d1)
    chosen = loss.with_values({**given, "d_1": outputs})
    try:
        gamma = positive_parameter(call, "weight_decay", weight_decay, zero=True)
    except InputError as error:
        raise InputError(
            f"{call}: weight_decay={weight_decay!r} is gamma of gamma ||W||^2, a number from 0: {error}"
        ) from None
    bare, decay = without_decay(chosen)
    missing = sorted(map(str, (chosen.expr.free_symbols | gamma.free_symbols) - {d_1}))
    if missing:
        raise UnknownNameError(f"{call}: {loss.name} needs a value for {missing[0]}; pass {missing[0]}=...")
    if decay:
        batch = tuple((c, form) for c, form in chosen.batch if not isinstance(form, Decay))
        chosen = Loss(bare.expr, chosen.name, batch)
    if not chosen.views and not chosen.expr.has(OutputSum):
        raise InputError(f"{call}: no term of {chosen.name} depends on the data, so there is nothing to forecast")
    return Problem(chosen, exact(gamma) + decay, outputs, bool(bias))
