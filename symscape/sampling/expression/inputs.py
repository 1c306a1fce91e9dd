"""What a tape asks of a batch, by key: inner products of views, entries of moments, values of closed parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Slot(NamedTuple):
    """Where the rows of a view come from: an array, and the datum by number, 0 for the anchor."""

    array: str
    datum: int


@dataclass(frozen=True)
class InnerForm:
    """dot * u.v + left * |u|^2 + right * |v|^2 + constant."""

    u: Slot
    v: Slot
    dot: float
    left: float = 0.0
    right: float = 0.0
    constant: float = 0.0

    @property
    def is_distance(self) -> bool:
        """Whether it is a multiple of |u - v|^2, the constant apart."""
        return self.left == self.right == -self.dot / 2


class EntryKey(NamedTuple):
    """An entry of a moment of the representation, its indices by axis."""

    kind: str
    centred: bool
    i: int
    j: int


class RowKey(NamedTuple):
    """A function of the rows of one independent datum, by number, which is computed once for every row."""

    number: int
    datum: int


class ValueKey(NamedTuple):
    """The factor, or the scale, of the value of a closed part by number."""

    number: int
    is_scale: bool = False


def window_axis(datum: int) -> int:
    """Return the array axis of the windows of an independent datum; that of its copies follows. Axis 0 is the anchor's."""
    return 2 * datum - 1
