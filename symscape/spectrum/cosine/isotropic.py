"""A loss of cosines at k equal modes, exactly: its value, and the threshold for one more mode to enter.

With P = 1/k on k modes of one canonical correlation r, every f/|f| is uniform on the sphere, so that an expectation over an
independent view is a constant, and one over two views of a datum an expectation of two Gaussian vectors of correlation r.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mpmath
import sympy as sp

from symscape.algebra.atoms import exact
from symscape.errors import InputError, UnknownNameError
from symscape.losses.language import Dot, Entry, Expectation, Node, SqDist, Total, WeightNorm
from symscape.losses.loss import Loss
from symscape.probability.views import CROSS_MOMENT, SECOND_MOMENT, View, covariance_letter
from symscape.spectrum.cosine.moments import k, pair_mean, sphere_mean
from symscape.spectrum.cosine.thresholds import r_new

#: The canonical correlation that the k modes share.
r = sp.Symbol("r", real=True)


@dataclass(frozen=True)
class IsotropicCosine:
    """A loss of cosines at k equal modes of correlation r, Gaussian features of mean zero.

    ``value``: the loss, in k and r. ``entry_slope``: dL/d delta at delta = 0 for f = (sqrt(1 - delta) g, sqrt(delta) z),
    g the k modes at E|g|^2 = 1 and z one more, of correlation r_new; the mode enters where it is negative. k >= 3.
    """

    loss: Loss
    value: sp.Expr
    entry_slope: sp.Expr

    @property
    def entry_correlation(self) -> sp.Expr:
        """The r_new above which one more mode enters, in closed form; raises InputError where the slope is not linear."""
        slope = sp.expand(self.entry_slope)
        if not slope.is_polynomial(r_new) or sp.degree(slope, r_new) != 1:
            raise InputError(
                f"{self.loss.name}: the slope is not linear in the correlation of the new mode; find its root"
            )
        return -slope.coeff(r_new, 0) / slope.coeff(r_new, 1)

    def evaluate(self, expr: sp.Expr, modes: int, correlation: Any, **parameters: Any) -> Any:
        """Return one of the expressions as a number of mpmath, at its working precision.

        Raises UnknownNameError for a missing parameter, InputError for a number of modes that is no positive integer.
        """
        if isinstance(modes, bool) or int(modes) != modes or modes < 1:
            raise InputError(f"{self.loss.name}: the number of modes is a positive integer, not {modes!r}")
        if expr.has(r_new) and modes < 3:
            raise InputError(
                f"{self.loss.name}: a mode enters beside {modes} others with an infinite slope; modes is 3 or more"
            )
        values = {k: sp.Integer(int(modes)), r: exact(correlation)}
        values |= {s: exact(parameters[s.name]) for s in expr.free_symbols if s.name in parameters}
        missing = sorted(map(str, expr.free_symbols - set(values)))
        if missing:
            raise UnknownNameError(f"{self.loss.name}: no value for {missing[0]}; pass {missing[0]}=...")
        # Parameters stay arguments: SymPy would evaluate hypergeometric functions of numbers symbolically, at length.
        names = sorted(expr.free_symbols, key=str)
        return sp.lambdify(names, expr, "mpmath")(*[_number(values[s]) for s in names])

    def entry_threshold(self, parameter: Any, bracket: tuple[float, float], modes: int, correlation: Any,
                        r_new: Any, **parameters: Any) -> float:  # fmt: skip
        """Return the value of a parameter at which a mode of correlation r_new enters: the root of the slope in a bracket.

        Raises InputError when the slope has one sign at both ends of the bracket.
        """

        def slope(value: Any) -> Any:
            return self.evaluate(
                self.entry_slope, modes, correlation, r_new=r_new, **{**parameters, str(parameter): float(value)}
            )

        ends = [slope(end) for end in bracket]
        if ends[0] * ends[1] > 0:
            raise InputError(
                f"{self.loss.name}: the slope of the new mode has one sign between {parameter} = {bracket[0]} and "
                f"{bracket[1]}, {mpmath.nstr(ends[0], 3)} and {mpmath.nstr(ends[1], 3)}; give a wider bracket"
            )
        from scipy.optimize import brentq

        return float(brentq(lambda value: float(slope(value)), *bracket, rtol=1e-14))


def isotropic_cosine(loss: Loss) -> IsotropicCosine:
    """Return a loss of cosines at k equal modes, exactly, with the slope of one more mode.

    Expectations of powers of a cosine, and over independent views of exp(cosine), come out in closed form (Bessel and
    hypergeometric functions), others as integrals over an angle. Raises InputError for a loss that is not one of cosines,
    or that multiplies different cosines under an expectation, or has finitely many negatives.

    >>> from symscape.losses.ntxent import NTXent
    >>> found = isotropic_cosine(NTXent(tau=1))
    >>> sign = mpmath.log(mpmath.cosh(1)) - 1  # one mode, r = 1: the cosine is a sign
    >>> bool(abs(found.evaluate(found.value, 1, 1) - sign) < 1e-14)
    True
    """
    cosines = _Cosines(loss)
    value, slope = cosines.result()
    return IsotropicCosine(loss, value, slope)


class _Cosines:
    """The walk over one loss. ``pairs`` maps the symbol of each cosine to its two views."""

    def __init__(self, loss: Loss):
        self.loss, self.call = loss, f"isotropic_cosine({loss.name})"
        if loss.expr.has(Total):
            raise InputError(
                f"{self.call}: sums over finitely many negatives are not constant on the sphere; take n = oo"
            )
        if loss.expr.has(Entry, WeightNorm):
            raise InputError(f"{self.call}: entries of P and M, and ||W||, are no cosines of views")
        self.pairs: dict[sp.Symbol, tuple[View, View]] = {}
        self.expr = self._in_cosines(loss.expr)

    def _in_cosines(self, expr: sp.Expr) -> sp.Expr:
        """Write f(u).f(v) as |f(u)| |f(v)| c_uv; in a loss of cosines the norms cancel."""
        norms = {view: sp.Dummy(f"|f({view})|", positive=True) for view in expr.atoms(View)}
        expr = expr.replace(lambda e: isinstance(e, SqDist), lambda e: e.as_dots())
        values: dict[sp.Expr, sp.Expr] = {}
        for node in sorted(expr.atoms(Dot), key=sp.default_sort_key):
            u, v = node.args
            values[node] = norms[u] * norms[v]
            if u != v:
                symbol = sp.Dummy(f"c_{u}{v}", real=True)
                self.pairs[symbol] = (u, v)
                values[node] *= symbol
        expr = expr.xreplace(values)
        if expr.free_symbols & set(norms.values()):
            expr = sp.simplify(expr)
        left = sorted(str(s) for s in expr.free_symbols & set(norms.values()))
        if left:
            raise InputError(
                f"{self.call}: {left[0].lstrip('_')} does not cancel: not a loss of cosines f(u).f(v) / |f(u)| |f(v)|"
            )
        return expr

    def result(self) -> tuple[sp.Expr, sp.Expr]:
        return self._outside(self.expr)

    def _outside(self, expr: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
        """Return the value and the slope of an expression of expectations."""
        constant, nested = self._constants(expr)
        values = {symbol: value for symbol, (value, _) in nested.items()}
        slopes = [sp.diff(constant, symbol).xreplace(values) * slope for symbol, (_, slope) in nested.items()]
        return constant.xreplace(values), sp.Add(*slopes)

    def _constants(self, expr: sp.Expr) -> tuple[sp.Expr, dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]]:
        """Replace the outermost expectations by symbols; each stands for its value and its slope, averaged over all views."""
        nested = {node: sp.Dummy("V", real=True) for node in _outermost(expr)}
        return expr.xreplace(nested), {symbol: self._average(node) for node, symbol in nested.items()}

    def _average(self, node: Expectation) -> tuple[sp.Expr, sp.Expr]:
        inner, nested = self._constants(node.args[0])
        values = {symbol: value for symbol, (value, _) in nested.items()}
        # 1. An inner expectation is a constant at delta = 0: isotropy. Its slope depends on the views that stay free, and
        #    only its mean counts where what multiplies it does not depend on them.
        slope = sp.S.Zero
        for symbol, (_, inner_slope) in nested.items():
            factor = sp.diff(inner, symbol)
            if factor.free_symbols & set(self.pairs):
                raise InputError(f"{self.call}: {node} multiplies a cosine by a function of another expectation")
            slope += factor.xreplace(values) * inner_slope
        # 2. Every other term is a function of one cosine.
        value = sp.S.Zero
        for term in sp.Add.make_args(sp.expand(inner.xreplace(values))):
            present = sorted(term.free_symbols & set(self.pairs), key=str)
            if not present:
                value += term
                continue
            if len(present) > 1:
                raise InputError(
                    f"{self.call}: {node} multiplies different cosines; only functions of one have this form"
                )
            c, (u, v) = present[0], self.pairs[present[0]]
            value += self._mean(term, c, u, v)
            # 3. d cos / d delta = z z' / (|g| |g'|) - cos (z^2 / |g|^2 + z'^2 / |g'|^2) / 2, averaged over z.
            rate = sp.diff(term, c)
            slope += _moment(u, v, r_new) * self._mean(rate, c, u, v, -1, -1)
            slope -= _moment(u, u, r_new) / 2 * self._mean(rate * c, c, u, v, -2, 0)
            slope -= _moment(v, v, r_new) / 2 * self._mean(rate * c, c, u, v, 0, -2)
        return value, slope

    def _mean(self, expr: sp.Expr, c: sp.Symbol, u: View, v: View, alpha: int = 0, beta: int = 0) -> sp.Expr:
        """Return E[|g|^alpha |g'|^beta h(c)], where u and v have the second moments m_uu / k and m_vv / k in each mode."""
        scale = (_moment(u, u, r) / k) ** sp.Rational(alpha, 2) * (_moment(v, v, r) / k) ** sp.Rational(beta, 2)
        if u.datum == v.datum:
            rho = _moment(u, v, r) / sp.sqrt(_moment(u, u, r) * _moment(v, v, r))
            return scale * pair_mean(expr, c, rho, alpha, beta)
        # Norms and direction of independent vectors are independent: E|g|^-2 = 1 / (k - 2); z z' has mean zero, so that
        # E 1/|g| is multiplied by nothing.
        radial = sp.S.One if alpha + beta == 0 else 1 / (k - 2)
        return sp.S.Zero if alpha * beta else scale * radial * sphere_mean(expr, c)


def _moment(u: View, v: View, correlation: sp.Expr) -> sp.Expr:
    """Return E f_i(u) f_i(v) of a mode of this correlation, where P is 1."""
    letter = covariance_letter(u, v)
    known = {None: sp.S.Zero, SECOND_MOMENT: sp.S.One, CROSS_MOMENT: correlation}
    if letter not in known:
        raise InputError(
            f"the moment {letter} of the views {u} and {v} is neither Sigma nor A_0, so it is no function of r"
        )
    return known[letter]


def _outermost(expr: sp.Expr) -> list[sp.Expr]:
    if isinstance(expr, Expectation):
        return [expr]
    return [node for argument in expr.args if argument.has(Node) for node in _outermost(argument)]


def _number(value: sp.Expr) -> Any:
    """Return an exact number at the working precision; counts stay integers."""
    if value.is_Rational:
        return int(value) if value.is_Integer else mpmath.mpf(int(value.p)) / int(value.q)
    return mpmath.mpmathify(value.evalf(mpmath.mp.dps))
