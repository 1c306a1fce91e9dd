"""How far the landscape on the shell is from the exact isotropic cosine: values and thresholds side by side."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symscape.algebra.atoms import exact
from symscape.errors import InputError
from symscape.losses.loss import Loss
from symscape.spectrum.cosine.isotropic import isotropic_cosine
from symscape.spectrum.cosine.shell import normalised_landscape
from symscape.spectrum.cosine.thresholds import entry_correlation


@dataclass(frozen=True)
class ShellErrorRow:
    """One setting: k modes of correlation r, the parameters, and the exact numbers beside those on the shell.

    ``value``: the loss; ``entry``: the correlation above which one more mode enters. Exact, from the leading order on the
    shell (``_shell``), and with the fluctuations of the norm (``_next``).
    """

    k: int
    r: float
    parameters: tuple[float, ...]
    value: float
    value_shell: float
    value_next: float
    entry: float
    entry_shell: float
    entry_next: float

    @property
    def errors(self) -> tuple[float, float, float, float]:
        """The errors of value and entry, at leading order and at the next: shell less exact."""
        return (
            self.value_shell - self.value,
            self.value_next - self.value,
            self.entry_shell - self.entry,
            self.entry_next - self.entry,
        )


@dataclass(frozen=True)
class ShellErrorTable:
    """Rows of `ShellErrorRow`; prints as a table, and gives its columns as arrays."""

    loss: str
    parameters: tuple[str, ...]
    rows: tuple[ShellErrorRow, ...]

    def column(self, name: str) -> NDArray[np.float64]:
        """Return a column: a field of the rows, a parameter, or ``error_`` and value, value_next, entry, entry_next.

        Raises InputError for another name.
        """
        errors = ("error_value", "error_value_next", "error_entry", "error_entry_next")
        known = [f.name for f in fields(ShellErrorRow) if f.name != "parameters"]
        if name in errors:
            return np.array([row.errors[errors.index(name)] for row in self.rows])
        if name in self.parameters:
            return np.array([row.parameters[self.parameters.index(name)] for row in self.rows])
        if name in known:
            return np.array([getattr(row, name) for row in self.rows], dtype=float)
        raise InputError(f"column({name!r}): choose one of {', '.join([*known, *self.parameters, *errors])}")

    def __str__(self) -> str:
        heads = ["k", "r", *self.parameters, "exact L", "error", "next", "exact entry", "error", "next"]
        lines = [f"{self.loss} at k equal modes: value, and the correlation above which one more mode enters"]
        lines.append(" ".join(f"{head:>11}" for head in heads))
        for row in self.rows:
            value, value_next, entry, entry_next = row.errors
            cells = [row.k, row.r, *row.parameters, row.value, value, value_next, row.entry, entry, entry_next]
            lines.append(" ".join(f"{cell:>11.4g}" for cell in cells))
        lines.append("error: of the leading order on the shell; next: with the fluctuations of |f|^2")
        return "\n".join(lines)

    __repr__ = __str__


def shell_error_table(loss: Loss, k: Any, r: Any, **parameters: Any) -> ShellErrorTable:
    """Return the landscape on the shell against the exact isotropic cosine, for every combination of the arguments.

    ``k`` (from 3), ``r`` and each parameter of the loss are a number or a sequence of numbers. Raises InputError for a k
    below 3, and as `isotropic_cosine` and `normalised_landscape` do.

    >>> import sympy as sp
    >>> from symscape.losses.ntxent import NTXent
    >>> table = shell_error_table(NTXent(tau=sp.Symbol("tau", positive=True)), k=[16, 32], r=0.8, tau=0.5)
    >>> table.column("error_entry").round(4).tolist()
    [0.0212, 0.0099]
    """
    counts, correlations = np.atleast_1d(k), np.atleast_1d(r)
    if (counts < 3).any() or (counts != counts.astype(int)).any():
        raise InputError(
            f"shell_error_table(k={k!r}): beside fewer than 3 modes the exact slope of a new mode is infinite"
        )
    exact_case = isotropic_cosine(loss)
    entry = exact_case.entry_correlation
    lands = [normalised_landscape(loss, fluctuations=keep) for keep in (False, True)]
    names = tuple(parameters)
    rows = []
    for count, correlation, *values in product(counts, correlations, *[np.atleast_1d(parameters[n]) for n in names]):
        modes, given = int(count), {name: float(v) for name, v in zip(names, values, strict=True)}
        found = []
        for land in lands:
            fixed = land.subs({name: v for name, v in given.items() if name in map(str, land.parameters)})
            spectrum = [1 / modes] * modes, [float(correlation)] * modes
            found.append((fixed.value(*spectrum), float(entry_correlation(fixed, modes, exact(float(correlation))))))
        rows.append(
            ShellErrorRow(
                modes,
                float(correlation),
                tuple(given.values()),
                float(exact_case.evaluate(exact_case.value, modes, correlation, **given)),
                found[0][0],
                found[1][0],
                float(exact_case.evaluate(entry, modes, correlation, **given)),
                found[0][1],
                found[1][1],
            )
        )
    return ShellErrorTable(loss.name, names, tuple(rows))
