"""Which released losses have a given value at complete collapse: "my loss is stuck at 6.93"."""

from __future__ import annotations

import textwrap
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy as sp

from symscape.algebra.atoms import exact
from symscape.errors import InputError
from symscape.losses.catalogue import make_loss
from symscape.losses.collapsed_value import N, collapsed_value
from symscape.losses.language import d_1
from symscape.losses.loss import Loss
from symscape.losses.presets.presets import PRESETS

#: Batch sizes and numbers of outputs that are looked at.
SIZES = range(2, 2**20 + 1)


@dataclass(frozen=True)
class Baseline:
    """Losses with one value at complete collapse, and the sizes at which it is the one asked for.

    ``symbol``: N, the batch size, or d_1, the number of outputs; None where neither matters. ``sizes``: its range;
    ``likely``: the one in it with the most factors of two.
    """

    losses: tuple[str, ...]
    value: sp.Expr
    symbol: sp.Symbol | None
    sizes: range

    @property
    def likely(self) -> int | None:
        """The roundest size in binary, None where no size matters."""
        return max(self.sizes, key=lambda size: size & -size) if self.symbol is not None else None

    def __str__(self) -> str:
        if self.symbol is None:
            return f"{self.value}, at every size"
        first, last = self.sizes[0], self.sizes[-1]
        return f"{self.value}, {self.symbol} = {self.likely}" + (f" ({first} to {last})" if last > first else "")


@dataclass(frozen=True, repr=False)
class Baselines:
    """The answer of `stuck_at`: its rows, roundest sizes first, and the losses whose value at collapse depends on the point
    or is undefined. Shown as a table.
    """

    value: sp.Expr
    tolerance: sp.Expr
    rows: tuple[Baseline, ...]
    undetermined: tuple[str, ...]

    def __iter__(self) -> Iterator[Baseline]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        lines = [f"{float(self.value):g} +- {float(self.tolerance):g} when every output is the same point:"]
        for row in self.rows:
            lines += [f"  {row}", *_wrapped(row.losses)]
        lines += [] if self.rows else ["  no loss"]
        if self.undetermined:
            lines += ["  no value of their own at collapse:", *_wrapped(self.undetermined)]
        return "\n".join(lines)

    __repr__ = __str__


def stuck_at(value: Any, tolerance: Any = None, losses: Loss | str | Iterable[Loss | str] | None = None) -> Baselines:
    """Return the presets, with their default settings, that have this value at complete collapse, and at which sizes.

    ``tolerance``: unless said, half a unit of the last digit of a float, but not less than 1e-6 of it, a few units of float32.
    ``losses``: others than all presets, one or several, or their names. N is the batch over which the loss is computed, all
    processes together where outputs are gathered. Raises InputError for a value that is not a finite number.

    >>> stuck_at(6.93, losses=["lightly/ntxent", "info-nce-pytorch/infonce", "lightly/vicreg"])
    6.93 +- 0.005 when every output is the same point:
      log(2*N - 1), N = 512 (510 to 514)
          lightly/ntxent
      log(N), N = 1024 (1018 to 1027)
          info-nce-pytorch/infonce
    """
    value = _as_printed(value)
    number = value if isinstance(value, (list, tuple)) else exact(value)
    if (
        isinstance(number, (list, tuple))
        or not number.is_number
        or number.is_finite is not True
        or number.is_real is not True
    ):
        raise InputError(f"stuck_at({value!r}): the value of a loss is a finite number")
    width = _last_digit(value) if tolerance is None else exact(tolerance)
    if width.is_nonnegative is not True:
        raise InputError(
            f"stuck_at({value!r}, tolerance={tolerance!r}): the tolerance is a number that is not negative"
        )
    groups: dict[sp.Expr, list[str]] = {}
    undetermined = []
    for loss in _losses(losses):
        try:
            found = collapsed_value(loss)
        except InputError:
            found = sp.nan
        if found is sp.nan or found.free_symbols - {N, d_1} or {N, d_1} <= found.free_symbols:
            undetermined.append(loss.name)
        else:
            groups.setdefault(found, []).append(loss.name)
    rows = (_baseline(expr, tuple(names), number, width) for expr, names in groups.items())
    ordered = sorted((row for row in rows if row is not None), key=_oddness)
    return Baselines(number, width, tuple(ordered), tuple(undetermined))


def _oddness(row: Baseline) -> int:
    """The odd part of the likely size: 1 for a power of two, and 0 where no size matters."""
    return 0 if row.likely is None else row.likely // (row.likely & -row.likely)


def _wrapped(names: tuple[str, ...]) -> list[str]:
    return textwrap.wrap(
        ", ".join(names), 110, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False
    )


def _losses(given: Loss | str | Iterable[Loss | str] | None) -> Iterator[Loss]:
    """Yield the losses that are looked at: all presets, unless some are given."""
    if given is None:
        yield from (recipe.make({}) for recipe in PRESETS.values())
        return
    for loss in [given] if isinstance(given, (Loss, str)) else given:
        yield make_loss(loss, {}) if isinstance(loss, str) else loss


def _as_printed(value: Any) -> Any:
    """Return a number of an array library as the Python float with the digits that it is printed with."""
    if not hasattr(value, "item"):
        return value
    try:
        return float(str(value))
    except ValueError:
        return value.tolist()


def _last_digit(value: Any) -> sp.Expr:
    """Return half a unit of the last digit that a float is printed with, or a few float32 units; exact numbers are exact."""
    if not isinstance(value, (float, sp.Float)):
        return sp.Rational(1, 10**9)
    mantissa, _, exponent = f"{value!r}".lower().partition("e")
    digits = mantissa.partition(".")[2]
    last = sp.Rational(Fraction(10) ** (int(exponent or 0) - len(digits))) / 2
    return sp.Max(last, abs(sp.Rational(str(value))) / 10**6)


def _baseline(expr: sp.Expr, names: tuple[str, ...], value: sp.Expr, width: sp.Expr) -> Baseline | None:
    lowest, highest = float(value - width), float(value + width)
    symbols = sorted(expr.free_symbols, key=str)
    if not symbols:
        return Baseline(names, expr, None, range(0)) if lowest <= float(expr) <= highest else None
    at: Callable[[int], float] = sp.lambdify(symbols[0], expr, "math")
    if at(SIZES[-1]) < at(SIZES[0]):
        at, lowest, highest = sp.lambdify(symbols[0], -expr, "math"), -highest, -lowest
    first, end = bisect_left(SIZES, lowest, key=at), bisect_right(SIZES, highest, key=at)
    return Baseline(names, expr, symbols[0], SIZES[first:end]) if first < end else None
