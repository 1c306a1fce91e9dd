"""A stationary point as a value: the weights, the loss there, what is kept, and its stability."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Stability:
    """Negative and zero eigenvalues of the Hessian in W, and where the zeros come from.

    ``index``: how many are negative; ``positive``: how many are positive. Zeros: ``rotation``, directions of W -> O W that
    change W; ``tied``, exchanges of modes of equal b_i, along which the points of equal value go on; ``constant``, weights of
    features that never vary; ``flat``, none of these: the second variation leaves them undecided.
    """

    index: int
    positive: int
    rotation: int
    tied: int
    constant: int
    flat: int

    @property
    def nullity(self) -> int:
        """How many eigenvalues are zero."""
        return self.rotation + self.tied + self.constant + self.flat

    @property
    def kind(self) -> str:
        """``minimum``, ``saddle``, ``maximum``, or ``degenerate``: no descent at second order, but a flat direction."""
        if self.index == 0:
            return "degenerate" if self.flat else "minimum"
        return "saddle" if self.positive or self.flat else "maximum"


@dataclass(frozen=True, eq=False)
class StationaryPoint:
    """One stationary point: a representative of its family, up to rotations of the outputs.

    ``kept``: the modes it keeps, 0-based in descending b_i; ``spectrum``: the eigenvalues p of P = W S W^T by mode kept;
    ``loss``: the value of the landscape; ``W``: d1 x d0, output a carrying mode kept[a]; ``bias``: (d1,), or None.
    """

    kept: tuple[int, ...]
    spectrum: Array
    loss: float
    stability: Stability
    d1: int
    _rows: Array = field(repr=False)
    _split: object = field(repr=False)

    @cached_property
    def _weights(self) -> tuple[Array, Array | None]:
        columns = np.zeros((self.d1, self._rows.shape[1]))
        columns[: len(self.kept)] = np.sqrt(self.spectrum)[:, None] * self._rows
        return self._split(columns)  # type: ignore[operator]

    @property
    def W(self) -> Array:
        """The weights, d1 x d0."""
        return self._weights[0]

    @property
    def bias(self) -> Array | None:
        """The bias, (d1,); None without one, zero where nothing depends on it (stability is then in W alone)."""
        return self._weights[1]

    @property
    def rank(self) -> int:
        """How many modes are kept: the rank of P."""
        return len(self.kept)

    @property
    def index(self) -> int:
        """The number of negative eigenvalues of the Hessian in W."""
        return self.stability.index

    @property
    def nullity(self) -> int:
        """The number of zero eigenvalues of the Hessian in W, symmetry directions included."""
        return self.stability.nullity

    @property
    def symmetry_nullity(self) -> int:
        """The number of zero eigenvalues that are only the rotation symmetry W -> O W."""
        return self.stability.rotation

    @property
    def kind(self) -> str:
        """``minimum``, ``saddle``, ``maximum`` or ``degenerate``."""
        return self.stability.kind

    def __str__(self) -> str:
        kept = ", ".join(map(str, self.kept)) or "nothing"
        spectrum = ", ".join(f"{p:.4g}" for p in self.spectrum) or "0"
        return (
            f"{self.kind}: keeps {kept}; p = {spectrum}; loss {self.loss:.6g}; index {self.index}, "
            f"nullity {self.nullity} ({self.symmetry_nullity} by rotation)"
        )

    __repr__ = __str__
