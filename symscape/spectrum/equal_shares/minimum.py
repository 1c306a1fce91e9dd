"""The least value over all W of a loss that is not rotation-invariant: its spectrum, its hinge regime, and what is proved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.losses.loss import Loss
from symscape.spectrum.equal_shares.bound import SeparatedLoss, lower_bound, separated
from symscape.spectrum.equal_shares.branches import BranchedLandscape, SmoothBranch, branches_of_loss, lowest
from symscape.spectrum.equal_shares.output_losses import numbers_of
from symscape.spectrum.equal_shares.rotation import equal_share_rotation
from symscape.spectrum.minimum import SpectrumMinimum, threshold_of_a_mode
from symscape.spectrum.ranks import entropy_rank, participation_ratio

Array = NDArray[np.floating[Any]]

#: A residual of shares below this is rounding.
_EXACT_SHARES = 1e-7
#: A value this close to its lower bound, relative to one plus its size, attains it.
_ATTAINED = 1e-7


@dataclass(frozen=True, eq=False)
class RotationMinimised:
    """The least value of a loss over W aligned with the modes, minimised over rotations of the outputs.

    ``p``: strength per mode; ``kept``: kept modes, 0-based; ``value``: the loss at equal shares; ``regime``: "active",
    "at the kink", "inactive", "smooth", or "large outputs" for a loss that tends to a scale-invariant one as they grow, taken
    there, Tr P = d1; ``multiplier``: the common dL/dp_i of the kept modes, less the hinge's part, where
    Tr P is held; 0 elsewhere. ``equal_shares``: "optimal" where a bound proves, for these numbers and to rounding, that equal
    shares are best over all rotations at this spectrum (of outputs of variance 1, where the loss keeps each output's scale) and
    that a rotation attains them; else "numeric". ``lower_bound``: of
    the loss over every W, -infinity if none is proved. ``share_residual``: the largest deviation of a share from an equal one,
    relative to the strongest mode. ``W``: d1 x d0 weights in canonical coordinates, which attain the value where that is 0.
    ``threshold``: the r at which a mode starts to survive, with the sums over modes as they are at the minimum; NaN if there is
    none.
    """

    p: Array
    kept: tuple[int, ...]
    value: float
    regime: str
    multiplier: float
    equal_shares: str
    lower_bound: float
    share_residual: float
    W: Array
    threshold: float = float("nan")

    @property
    def surviving(self) -> int:
        """How many modes are kept."""
        return len(self.kept)

    @property
    def is_global(self) -> bool:
        """Whether the value is proved, to rounding, to be the least over every W."""
        close = self.value - self.lower_bound <= _ATTAINED * (1 + abs(self.value))
        return self.equal_shares == "optimal" and bool(close)

    @cached_property
    def entropy_rank(self) -> float:
        """Effective rank: exp of the entropy of p / sum p (Roy and Vetterli, 2007), of eigenvalues of P; 0 at collapse."""
        return entropy_rank(self.p)

    @cached_property
    def participation_ratio(self) -> float:
        """Effective rank: (sum p)^2 / sum p^2, of eigenvalues of P; 0 at collapse."""
        return participation_ratio(self.p)


def rotation_minimised(
    loss: Loss, r: Any, d1: int, params: Mapping[Any, Any] | None = None, **parameters: Any
) -> RotationMinimised:
    """Return the spectrum of least loss with d1 outputs, over modes of canonical correlations r, descending.

    Each smooth regime of the loss is minimised, and the kink with Tr P held at it; the lowest one that lies in its own regime
    is the result. Raises InputError for r that does not descend or lies outside [-1, 1], and where `equal_share_landscape`
    does; UnknownNameError for a parameter without a value.

    >>> from symscape.losses.vicreg import VICReg
    >>> found = rotation_minimised(VICReg(), r=[0.9, 0.8, 0.5, 0.1], d1=4)
    >>> found.kept, found.regime, found.equal_shares
    ((0, 1), 'at the kink', 'optimal')
    """
    call = f"rotation_minimised({getattr(loss, 'name', loss)}, ...)"
    modes = correlations(r, call)
    numbers = numbers_of(loss, d1, {**{str(key): value for key, value in (params or {}).items()}, **parameters}, call)
    return least_over_rotations(call, loss, numbers, modes, d1)


def least_over_rotations(
    call: str, loss: Loss, numbers: Mapping[sp.Symbol, sp.Expr], r: Array, d1: int
) -> RotationMinimised:
    """Return what `rotation_minimised` does for any eigenvalues r, descending, of a pencil (A_0', Sigma).

    ``numbers``: values of d_1 and of the parameters, by symbol.
    """
    branched, numbers = compiled(loss, numbers)
    values = branched.values(numbers)
    minima = [branch.minimum(values, r, d1) for branch in branched.branches]
    best = lowest(minima)
    if best is None:
        raise InputError(
            f"{call}: the loss has no least value at equal shares: it falls without end, or towards infinity"
        )
    found, branch = minima[best], branched.branches[best]
    assert found is not None and branched.loss is not None
    form = separated(branched.loss)
    judged = None if form is None else form.at(numbers, float(r.max()))
    threshold = threshold_of_a_mode(branch.spectrum.at(*values), found, r, np.zeros(len(r)))
    elsewhere = _is_lower_elsewhere(branch, values, r, d1, found)
    return replace(_judged(judged, r, d1, found, branch, elsewhere), threshold=threshold)


def compiled(loss: Loss, numbers: Mapping[sp.Symbol, Any]) -> tuple[BranchedLandscape, Mapping[sp.Symbol, Any]]:
    """Return a loss as compiled branches, and the values of their symbols.

    Parameters stay symbols, for later calls; where its branches cannot be told apart so, numbers take their place.
    """
    try:
        return branches_of_loss(loss), numbers
    except InputError:
        if not loss.parameters:
            raise
    return branches_of_loss(Loss(loss.expr.xreplace(dict(numbers)), name=loss.name)), {}


def _is_lower_elsewhere(
    branch: SmoothBranch, values: tuple[float, ...], r: Array, d1: int, found: SpectrumMinimum
) -> bool:
    """Whether another mode in place of a kept one has a lower value: then the modes are not kept by descending r."""
    if len(r) <= d1:
        return False
    spectrum, none = branch.spectrum.at(*values), np.zeros(len(r))
    left_out = [j for j in range(len(r)) if j not in found.kept]
    for j in {left_out[0], left_out[-1]} if left_out else ():
        for i in {found.kept[0], found.kept[-1]} if found.kept else ():
            p = np.array(found.p, dtype=float)
            p[i], p[j] = 0.0, p[i]
            if spectrum.value(p, r, none) + 1e-9 * abs(found.value) < found.value:
                return True
    # A mode at the other end may be worth keeping where none is kept here.
    other = branch.minimum(values, r[::-1], d1)
    return other is not None and other.value + other.rounding + 1e-9 * abs(found.value) < found.value


def correlations(r: Any, call: str) -> Array:
    """Return canonical correlations as an array; raise InputError unless they descend within [-1, 1]."""
    modes = np.atleast_1d(np.asarray(r, dtype=float))
    if modes.ndim != 1 or not len(modes) or not np.isfinite(modes).all() or (np.abs(modes) > 1 + 1e-9).any():
        raise InputError(f"{call}: r={r!r} are canonical correlations, finite numbers between -1 and 1, one per mode")
    if (np.diff(modes) > 0).any():
        raise InputError(f"{call}: list r in descending order, for instance r=sorted(r, reverse=True)")
    return modes


def _judged(
    form: SeparatedLoss | None, r: Array, d1: int, found: SpectrumMinimum, branch: SmoothBranch, lower_elsewhere: bool
) -> RotationMinimised:
    p = np.asarray(found.p, dtype=np.float64)
    size = max(d1, len(r))
    strengths = np.concatenate([p, np.zeros(size - len(r))])[:d1]
    crosses = np.concatenate([p * r, np.zeros(size - len(r))])[:d1]
    # Spectra whose shares enter other than through their sum have to be spread equally.
    spread_P = form is None or form.unit_outputs or not form.phi_P.is_linear
    spread_M = form is None or not form.phi_M.is_linear
    spread = [x for x, needed in ((strengths, spread_P), (crosses, spread_M)) if needed]
    O, residual = equal_share_rotation(*spread) if spread else (np.eye(d1), 0.0)
    bound, over_rotations = (-np.inf, False) if form is None else lower_bound(form, p, r, d1)
    proved = over_rotations and residual < _EXACT_SHARES
    W = np.zeros((d1, len(r)))
    kept = min(d1, len(r))
    W[:, :kept] = (O * np.sqrt(strengths))[:, :kept]
    multiplier = found.multiplier if branch.spectrum.on_shell else 0.0
    verdict = "optimal" if proved and not lower_elsewhere else "numeric"
    return RotationMinimised(p, found.kept, found.value, branch.name, multiplier, verdict, bound, residual, W)


@dataclass(frozen=True, eq=False)
class KeptModes:
    """Kept modes against one parameter: arrays of one number per value, ready to plot."""

    parameter: str
    values: Array
    surviving: NDArray[np.int64]
    least_kept_r: Array
    entropy_rank: Array
    participation_ratio: Array
    loss: Array
    regime: tuple[str, ...]
    equal_shares: tuple[str, ...]


def kept_modes_table(
    loss: Loss, r: Any, d1: int, parameter: Any, values: Iterable[Any], **parameters: Any
) -> KeptModes:
    """Return the kept modes and effective ranks for several values of one parameter, or of ``parameter="d1"``.

    ``least_kept_r`` is the smallest canonical correlation that is kept, NaN at complete collapse. Raises what
    `rotation_minimised` raises.

    >>> from symscape.losses.vicreg import VICReg
    >>> kept_modes_table(VICReg.symbolic(), [0.9, 0.8, 0.1], 4, "nu", [0.1, 1], lambda_=25, mu=25, epsilon=1e-4).surviving
    array([1, 2])
    """
    chosen, parameter = list(values), str(parameter)
    found = []
    for value in chosen:
        outputs = value if parameter == "d1" else d1
        given = parameters if parameter == "d1" else {**parameters, parameter: value}
        found.append(rotation_minimised(loss, r, outputs, **given))
    modes = correlations(r, "kept_modes_table(...)")
    return KeptModes(
        parameter,
        np.array([float(value) for value in chosen]),
        np.array([f.surviving for f in found]),
        np.array([modes[list(f.kept)].min() if f.kept else np.nan for f in found]),
        np.array([f.entropy_rank for f in found]),
        np.array([f.participation_ratio for f in found]),
        np.array([f.value for f in found]),
        tuple(f.regime for f in found),
        tuple(f.equal_shares for f in found),
    )
