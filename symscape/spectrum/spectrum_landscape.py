"""A landscape as a function of the spectrum of P alone: W aligned with the modes, mode i of strength p_i.

In canonical coordinates Sigma = 1 and A_0 = diag(r), and W = diag(sqrt(p)) up to a rotation of the outputs, every
rotation-invariant landscape is a function of sums over modes, such as Tr P = sum_i p_i and Tr M = sum_i r_i p_i:

    L(p) = outer(S_1, S_2, ...),    S_k = sum_i s_k(p_i; r_i, b_i).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sympy as sp

from symscape.algebra.atoms import exact
from symscape.errors import InputError, UnknownNameError
from symscape.losses.language import d_1
from symscape.spectrum.modes import MODE_SYMBOLS, mode_symbols, p_i

if TYPE_CHECKING:
    from symscape.spectrum.minimum import SpectrumMinimum


@dataclass(frozen=True)
class SpectrumLandscape:
    """L(p) = outer(S_1, S_2, ...), with S_k the sum over modes of ``sums[S_k]``, an expression in p_i, r_i and b_i.

    ``shell``: the value at which Tr P is held, or None. ``assumptions``: what the form rests on, in sentences.
    Raises InputError when ``outer`` holds a symbol of a single mode.

    >>> from symscape.spectrum.modes import r_i
    >>> S, T = sp.symbols("S T")
    >>> L = SpectrumLandscape("spectral", S, {S: p_i**2 - 2 * r_i * p_i})
    >>> L.expr(2)
    p_0**2 - 2*p_0*r_0 + p_1**2 - 2*p_1*r_1
    >>> L.stationarity
    2*p_i - 2*r_i
    """

    name: str
    outer: sp.Expr
    sums: Mapping[sp.Symbol, sp.Expr]
    shell: sp.Expr | None = None
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        mixed = self.outer.free_symbols & set(MODE_SYMBOLS)
        if mixed:
            raise InputError(f"{self.name}: outer={self.outer} holds {min(map(str, mixed))}, which belongs in a sum")

    @property
    def parameters(self) -> tuple[sp.Symbol, ...]:
        """The symbols that need a value, d_1 included, sorted by name."""
        inside = set().union(*(s.free_symbols for s in self.sums.values()), self.outer.free_symbols)
        if self.shell is not None:
            inside |= self.shell.free_symbols
        return tuple(sorted(inside - set(self.sums) - set(MODE_SYMBOLS), key=str))

    def subs(self, values: Mapping[Any, Any]) -> SpectrumLandscape:
        """Return the landscape with values for symbols, by symbol or by name.

        Raises UnknownNameError for a name that is no parameter.
        """
        known = {str(s): s for s in self.parameters}
        chosen = {}
        for key, value in values.items():
            name = str(key) if str(key) in known else str(key).rstrip("_")
            if name not in known:
                raise UnknownNameError(
                    f"{self.name}: there is no parameter {key!r}; it has: {', '.join(known) or 'none'}"
                )
            chosen[known[name]] = exact(value)
        return SpectrumLandscape(
            self.name,
            self.outer.xreplace(chosen),
            {s: e.xreplace(chosen) for s, e in self.sums.items()},
            None if self.shell is None else self.shell.xreplace(chosen),
            self.assumptions,
        )

    # Symbolic

    def expr(self, modes: int) -> sp.Expr:
        """Return L for a number of modes, in symbols p_0, r_0, b_0, p_1, ..."""
        totals = {s: sp.Add(*[e.xreplace(mode_symbols(k)) for k in range(modes)]) for s, e in self.sums.items()}
        return self.outer.xreplace(totals)

    @cached_property
    def stationarity(self) -> sp.Expr:
        """dL/dp_i: it vanishes for a kept mode, and is not negative for a collapsed one (on the shell, less a multiplier).

        An expression in p_i, r_i, b_i and the sums.
        """
        slope = sp.Add(*[sp.diff(self.outer, s) * sp.diff(e, p_i) for s, e in self.sums.items()])
        return sp.expand(slope) if slope.is_polynomial(*MODE_SYMBOLS, *self.sums) else slope

    def _traces_spelled_out(self) -> sp.Expr:
        """Return outer with every sum over modes written as a sum, but those that are traces by name."""
        i = sp.Symbol("i", integer=True)
        named = {s: e for s, e in self.sums.items() if not s.name.startswith("Tr")}
        return self.outer.xreplace({s: sp.Sum(e, (i, 1, sp.Symbol("k"))) for s, e in named.items()})

    def __str__(self) -> str:
        shell = "" if self.shell is None else f" on the shell Tr P = {self.shell}"
        sums = ", ".join(f"{s} = sum_i {e}" for s, e in self.sums.items())
        return f"{self.name}: L = {self.outer}{shell}, {sums}"

    __repr__ = __str__

    def latex(self) -> str:
        """Return L in LaTeX, sums over modes written out."""
        text = sp.latex(self._traces_spelled_out(), symbol_names={s: latex_trace(s) for s in self.sums})
        return (
            text if self.shell is None else rf"{text}, \quad \operatorname{{Tr}}\left[P\right] = {sp.latex(self.shell)}"
        )

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    # Numeric

    def value(
        self, p: Any, r: Any = None, b: Any = None, params: Mapping[Any, Any] | None = None, **parameters: Any
    ) -> float:
        """Return L at a spectrum; p, r and b are sequences, one number per mode.

        Parameters by name, or in ``params`` where their name is p, r or b.
        """
        return float(self._numeric(_together(params, parameters)).value(*_arrays(p, r, b)))

    def gradient(
        self, p: Any, r: Any = None, b: Any = None, params: Mapping[Any, Any] | None = None, **parameters: Any
    ) -> Any:
        """Return dL/dp at a spectrum, an array of one number per mode."""
        return self._numeric(_together(params, parameters)).gradient(*_arrays(p, r, b))

    def minimum(
        self,
        r: Any = None,
        b: Any = None,
        d1: int | None = None,
        params: Mapping[Any, Any] | None = None,
        **parameters: Any,
    ) -> SpectrumMinimum:
        """Return the spectrum of least L over p >= 0 with at most d1 modes kept.

        ``r`` (and ``b``) list the modes in the order in which they are kept, descending; the first d1 of them compete. d1 is
        also the value of the symbol d_1. Found numerically, and polished to a stationary point of its support.
        Raises UnknownNameError for a missing parameter, InputError where L has a kink, at which the minimum may lie.
        """
        from symscape.spectrum.minimum import find_minimum

        kinks = self.outer.atoms(sp.Max, sp.Min, sp.Abs)
        if kinks:
            raise InputError(
                f"{self.name}.minimum(...): L has a kink, {min(map(str, kinks))}; take its regimes one by one, "
                "hinge_regimes(loss), or the least value of all, rotation_minimised(loss, r, d1)"
            )
        numbers = b if r is None else r
        if numbers is None:
            raise InputError(f"{self.name}.minimum(...): give the modes, r=... or b=...")
        _, r_array, b_array = _arrays([0.0] * len(numbers), r, b)
        outputs = len(numbers) if d1 is None else d1
        if isinstance(outputs, bool) or not isinstance(outputs, int) or outputs < 1:
            raise InputError(f"{self.name}.minimum(d1={d1!r}): d1 is the number of outputs, a positive integer")
        given = _together(params, parameters)
        if d_1 in self.parameters:
            given = {"d_1": outputs, **given}
        return find_minimum(self._numeric(given), r_array, b_array, outputs)

    def _numeric(self, parameters: Mapping[str, Any]) -> Any:
        from symscape.spectrum.minimum import NumericSpectrum

        fixed = self.subs(parameters)
        missing = ", ".join(map(str, fixed.parameters))
        if missing:
            raise UnknownNameError(f"{self.name}: no value for {missing}; pass {missing.split(', ')[0]}=...")
        return NumericSpectrum(fixed.outer, fixed.sums, fixed.shell)


def latex_trace(symbol: sp.Symbol) -> str:
    """Return the LaTeX of a sum named after a trace, such as Tr P².

    >>> latex_trace(sp.Symbol("Tr MP²"))
    '\\\\operatorname{Tr}\\\\left[MP^{2}\\\\right]'
    """
    if not symbol.name.startswith("Tr"):
        return sp.latex(symbol)
    word = symbol.name.removeprefix("Tr").strip().translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
    powers = re.sub(r"(?<=[A-Za-z])(\d+)", r"^{\1}", word)
    return rf"\operatorname{{Tr}}\left[{powers}\right]"


def _together(params: Mapping[Any, Any] | None, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {**{str(key): value for key, value in (params or {}).items()}, **parameters}


def _arrays(*lists: Sequence[float] | None) -> list[Any]:
    import numpy as np

    count = len(np.atleast_1d(np.asarray(lists[0], dtype=float)))
    found = []
    for name, values in zip("prb", lists, strict=True):
        array = np.zeros(count) if values is None else np.atleast_1d(np.asarray(values, dtype=float))
        if array.shape != (count,) or not np.isfinite(array).all():
            raise InputError(f"{name}={values!r}: give {count} finite numbers, one per mode")
        found.append(array)
    return found
