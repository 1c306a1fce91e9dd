"""Stationary points on the aligned family, symbolically: landscapes with further words, as functions of the spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp
from sympy.logic.boolalg import Boolean

from symscape.errors import InputError
from symscape.spectrum.modes import mode_symbols, p_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape, latex_trace


@dataclass(frozen=True)
class NoSolution:
    """The spectrum solves ``equations`` (each equal to 0) in ``unknowns``, for which there is no closed form.

    ``numeric`` says how to get numbers.
    """

    equations: tuple[sp.Expr, ...]
    unknowns: tuple[sp.Symbol, ...]
    numeric: str = (
        "pass A0, Sigma, d1 and the parameters: stationary_points(land, A0=..., Sigma=..., d1=...).family(...)"
    )

    def __str__(self) -> str:
        equations = "; ".join(f"0 = {e}" for e in self.equations)
        return f"no closed form: {equations}. For numbers, {self.numeric}"

    __repr__ = __str__


@dataclass(frozen=True)
class AlignedFamily:
    """The stationary point on the aligned family that keeps a set of modes, in r_0, b_0, r_1, ... and the parameters.

    ``spectrum``: p by mode kept; ``loss``: the value; ``exists``: where all p are positive; ``growth``: dL/dp_i at p_i = 0 for
    a mode of r_i, b_i left out: it stays out where this is not negative.
    """

    kept: tuple[int, ...]
    spectrum: tuple[sp.Expr, ...]
    loss: sp.Expr
    exists: Boolean
    growth: sp.Expr

    def latex(self) -> str:
        """Return spectrum, value and existence in LaTeX."""
        rows = [f"p_{{{i}}} &= {sp.latex(p)}" for i, p in zip(self.kept, self.spectrum, strict=True)]
        rows += [rf"\mathcal{{L}} &= {sp.latex(self.loss)}", rf"\text{{exists where }} & {sp.latex(self.exists)}"]
        return r"\begin{aligned} " + r" \\ ".join(rows) + r" \end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def __str__(self) -> str:
        spectrum = ", ".join(f"p_{i} = {p}" for i, p in zip(self.kept, self.spectrum, strict=True)) or "P = 0"
        return (
            f"keeps {', '.join(map(str, self.kept)) or 'nothing'}: {spectrum}; another mode grows at -({self.growth})"
        )

    __repr__ = __str__


class AlignedFamilies:
    """Stationary points along the modes of a landscape that is a function of the spectrum; others may exist.

    At order 4 stationarity is linear in p, and `family` solves it; above, the answer is a `NoSolution` with the equations.
    """

    complete = False
    statement = "the aligned family; points that are not aligned with the modes may exist"

    def __init__(self, landscape: SpectrumLandscape):
        self.name, self.landscape = landscape.name, landscape

    @property
    def stationarity(self) -> sp.Expr:
        """dL/dp_i in p_i, r_i, b_i and the traces: zero for a kept mode."""
        return self.landscape.stationarity

    def family(self, kept: Sequence[int] = ()) -> AlignedFamily | NoSolution:
        """Return the family that keeps these modes, 0-based, or the equations that it solves.

        Raises InputError for modes that are not different integers from 0.
        """
        if any(isinstance(i, bool) or not hasattr(i, "__index__") or int(i) < 0 for i in kept) or len(set(kept)) < len(
            kept
        ):
            raise InputError(
                f"stationary_points({self.name}).family(kept={tuple(kept)}): modes are different integers from 0"
            )
        chosen = tuple(sorted(map(int, kept)))
        names = [mode_symbols(i) for i in chosen]
        unknowns = tuple(mode[p_i] for mode in names)
        totals = {s: sp.Add(*[e.xreplace(mode) for mode in names]) for s, e in self.landscape.sums.items()}
        slope = self.landscape.stationarity
        equations = tuple(sp.expand(slope.xreplace(mode).xreplace(totals)) for mode in names)
        if not all(
            e.is_polynomial(*unknowns) and sp.Poly(e, *unknowns).total_degree() <= 1 for e in equations if unknowns
        ):
            return NoSolution(equations, unknowns)
        solved = sp.solve(equations, unknowns, dict=True) if unknowns else [{}]
        if len(solved) != 1 or len(solved[0]) < len(unknowns):
            return NoSolution(equations, unknowns)
        spectrum = tuple(sp.factor(solved[0][p]) for p in unknowns)
        at = dict(zip(unknowns, spectrum, strict=True))
        outer = self.landscape.outer.xreplace(totals)
        growth = slope.subs(p_i, 0).xreplace(totals).subs(at)
        return AlignedFamily(
            chosen,
            spectrum,
            sp.factor(outer.subs(at)),
            sp.And(*[sp.Gt(p, 0) for p in spectrum]),
            sp.factor(growth),
        )

    def latex(self) -> str:
        """Return stationarity of a kept mode in LaTeX."""
        return "0 = " + sp.latex(self.stationarity, symbol_names={s: latex_trace(s) for s in self.landscape.sums})

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def __str__(self) -> str:
        return (
            f"stationary points of {self.name} along the modes (A_0 u = r Sigma u): {self.statement}\n"
            f"  a kept mode solves 0 = {self.stationarity}"
        )

    __repr__ = __str__
