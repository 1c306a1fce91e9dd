"""The strength of one mode at the minimum, in closed form: where the slope of the landscape vanishes, mode by mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.logic.boolalg import Boolean

from symscape.algebra.atoms import exact
from symscape.errors import InputError, UnknownNameError
from symscape.spectrum.closed_form.gaussian import is_positive
from symscape.spectrum.modes import b_i, p_i, r_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape


@dataclass(frozen=True)
class _Mode:
    """One mode of a landscape without coupling: L = sum_i summand, a function of p_i and of ``variable``, r_i or b_i."""

    name: str
    variable: sp.Symbol
    summand: sp.Expr

    def with_numbers(self, expr: Any, at: Any, parameters: Mapping[str, Any]) -> Any:
        """Return an expression with numbers for the variable and the parameters; raise UnknownNameError if one lacks."""
        known = {str(s).rstrip("_"): s for s in self.summand.free_symbols - {p_i, self.variable}}
        given = {name.rstrip("_"): exact(value) for name, value in parameters.items()}
        odd = sorted(set(known) ^ set(given))
        if odd:
            what = "no value for" if odd[0] in known else "there is no parameter"
            raise UnknownNameError(f"{self.name}: {what} {odd[0]!r}; it has: {', '.join(sorted(known)) or 'none'}")
        return expr.subs({self.variable: exact(at), **{symbol: given[name] for name, symbol in known.items()}})


@dataclass(frozen=True)
class ModeMinimiser(_Mode):
    """The strength p_i > 0 of least L in a mode, as a function of ``variable`` (r_i or b_i) and the parameters.

    ``p`` holds where ``exists`` does; it runs to infinity at ``diverges_at`` (None: nowhere). ``second_derivative`` of L by
    p_i at p. ``unique``: True when L is proved convex in p_i > 0, for |r_i| < 1 or at least for 0 < r_i < 1, so that p is
    its only stationary point and, where ``exists`` fails, no minimum has p_i > 0; None when that is not proved.
    ``value``: what the mode adds to L.
    """

    p: sp.Expr
    exists: Boolean
    diverges_at: sp.Expr | None
    second_derivative: sp.Expr
    unique: bool | None
    value: sp.Expr

    def latex(self) -> str:
        """Return the strength and where it exists in LaTeX."""
        return rf"p_i = {sp.latex(self.p)}, \quad {sp.latex(self.exists)}"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"

    def __str__(self) -> str:
        return f"{self.name}: p_i = {self.p}, where {sp.sstr(self.exists)}"

    __repr__ = __str__

    def strength(self, at: Any, **parameters: Any) -> float:
        """Return p at a number for ``variable``: 0 for a lost mode, inf where L falls for ever.

        Raises UnknownNameError for a missing parameter.
        """
        exists = self.with_numbers(self.exists, at, parameters) == sp.true
        if exists and (self.unique or self.with_numbers(self.value, at, parameters) < 0):
            return float(self.with_numbers(self.p, at, parameters))
        slope = self.with_numbers(sp.diff(self.summand, p_i).subs(p_i, 0), at, parameters)
        return 0.0 if slope >= 0 else float("inf")


@dataclass(frozen=True)
class NoClosedForm(_Mode):
    """The minimum over p_i solves ``equation``, which radicals of low degree do not solve; ``reason`` says more."""

    equation: sp.Eq
    reason: str

    def strength(self, at: Any, **parameters: Any) -> float:
        """Return p of least L at a number for ``variable``: 0 for a lost mode, inf where L falls for ever.

        Found between 1e-9 and 1e9 by Brent's method. Raises UnknownNameError for a missing parameter.
        """
        import numpy as np
        from scipy.optimize import brentq

        summand = self.with_numbers(self.summand, at, parameters)
        value, slope = (sp.lambdify(p_i, e, "numpy") for e in (summand, sp.diff(summand, p_i)))
        grid = np.geomspace(1e-9, 1e9, 4001)
        with np.errstate(all="ignore"):
            slopes = np.broadcast_to(slope(grid), grid.shape)
            found = [0.0] if slopes[0] >= 0 else []
            for k in np.flatnonzero((slopes[:-1] < 0) & (slopes[1:] >= 0)):
                found.append(float(brentq(slope, grid[k], grid[k + 1], xtol=1e-300, rtol=1e-14)))
        return min(found, key=value, default=float("inf"))


def mode_minimiser(closed: SpectrumLandscape) -> ModeMinimiser | NoClosedForm:
    """Return the strength p_i of least L per mode, for a landscape that is a sum over decoupled modes.

    A `NoClosedForm` carries the equation where SymPy does not solve it. Raises InputError for a landscape that couples its
    modes, or is held on a shell.

    >>> tau = sp.Symbol("tau", positive=True)
    >>> S = sp.Symbol("S")
    >>> found = mode_minimiser(SpectrumLandscape("dot", S, {S: p_i**2 / (2 * tau**2) - r_i * p_i / tau}))
    >>> found.p, found.exists, found.unique
    (r_i*tau, r_i > 0, True)
    """
    if not isinstance(closed, SpectrumLandscape):
        raise InputError(f"mode_minimiser({closed!r}): give a landscape over spectra, such as closed_form(loss)")
    mode = _Mode(closed.name, *one_mode(closed))
    slope = sp.cancel(sp.together(sp.diff(mode.summand, p_i)))
    numerator, denominator = sp.fraction(slope)
    equation = sp.Eq(sp.collect(sp.expand(numerator), p_i), 0, evaluate=False)

    def no_closed_form(reason: str) -> NoClosedForm:
        return NoClosedForm(mode.name, mode.variable, mode.summand, equation, reason)

    if not (numerator.is_polynomial(p_i) and denominator.is_polynomial(p_i)):
        return no_closed_form("the slope is no rational function of p_i")
    second = sp.cancel(sp.diff(slope, p_i))
    domain = next((d for d in ("real", "positive") if is_positive(second, correlations=d)), None)
    roots: list[sp.Expr] = []
    for factor, _ in sp.factor_list(numerator, p_i)[1]:
        degree = sp.degree(factor, p_i)
        if degree > 2 and not any(is_positive(sign * factor, correlations=domain or "real") for sign in (1, -1)):
            return no_closed_form(f"it holds a factor of degree {degree} in p_i")
        roots += _roots(factor)
    condition = None if domain is None else _existence(slope, mode.variable, domain)
    branch = _branch(mode, roots, second, condition)
    if branch is None:
        return no_closed_form("no single branch of its roots is the minimum for all values")
    root = roots[branch]
    p, curvature, value = (_simplified(e, root, mode.variable) for e in (p_i, second, mode.summand))
    if condition is None:
        inside = [_simplified(a.args[0], root, mode.variable) for a in mode.summand.atoms(sp.log)]
        condition = sp.And(*[sp.Gt(e, 0) for e in (p, curvature, *inside)])
    diverges_at = _divergence(mode, p, sp.LC(numerator, p_i), condition)
    unique = None if domain is None else True
    return ModeMinimiser(mode.name, mode.variable, mode.summand, p, condition, diverges_at, curvature, unique, value)


# 1. One mode: outer is affine in the sums.


def one_mode(closed: SpectrumLandscape) -> tuple[sp.Symbol, sp.Expr]:
    """Return the variable, r_i or b_i, and the summand of a landscape without coupling; raise InputError for any other."""
    call = f"mode_minimiser({closed.name})"
    if closed.shell is not None:
        raise InputError(
            f"{call}: the shell couples the modes; use .minimum(r=..., ...), which minimises over all of them"
        )
    factors = [sp.diff(closed.outer, symbol) for symbol in closed.sums]
    if any(factor.has(*closed.sums) for factor in factors):
        raise InputError(
            f"{call}: {closed.outer} couples the modes; use .minimum(r=..., ...), which minimises over all of them"
        )
    summand = sp.Add(*[f * e for f, e in zip(factors, closed.sums.values(), strict=True)])
    both = summand.free_symbols & {r_i, b_i}
    if len(both) > 1:
        raise InputError(f"{call}: a mode depends on both r_i and b_i; write it with one of them")
    return (both.pop() if both else r_i), summand


# 2. Stationary points: roots in p_i of the factors of the slope.


def _roots(factor: sp.Expr) -> list[sp.Expr]:
    polynomial = sp.Poly(factor, p_i)
    if polynomial.degree() == 1:
        a, c = polynomial.all_coeffs()
        return [sp.factor(-c / a)]
    if polynomial.degree() != 2:
        return []
    a, b, c = polynomial.all_coeffs()
    root = sp.sqrt(sp.factor(b**2 - 4 * a * c))
    return [sp.factor((-b + sign * root) / (2 * a)) for sign in (1, -1)]


# 3. A convex L has its minimum at p_i > 0 when it falls at p_i = 0 and rises at infinity.


def _existence(slope: sp.Expr, variable: sp.Symbol, domain: str) -> Boolean:
    numerator, denominator = (sp.Poly(part, p_i) for part in sp.fraction(slope))
    if numerator.degree() < denominator.degree():
        return sp.false
    falls = _positive_where(-sp.cancel(slope.subs(p_i, 0)), variable, domain)
    if domain == "positive" and not _implies_positive(falls, variable):
        falls = sp.And(falls, sp.Gt(variable, 0))
    return sp.And(falls, _positive_where(sp.cancel(numerator.LC() / denominator.LC()), variable, domain))


def _positive_where(expr: sp.Expr, variable: sp.Symbol, domain: str) -> Boolean:
    """Return expr > 0, solved for the variable where it is linear in it with a slope of known sign."""
    numerator, denominator = sp.fraction(sp.together(expr))
    if is_positive(denominator) and sp.degree(numerator, variable) == 1:
        slope, constant = sp.Poly(numerator, variable).all_coeffs()
        if slope.is_positive or slope.is_negative:
            bound = sp.factor(-constant / slope)
            return sp.Gt(variable, bound) if slope.is_positive else sp.Lt(variable, bound)
    return sp.true if not expr.has(b_i) and is_positive(expr, correlations=domain) else sp.Gt(expr, 0)


def _implies_positive(condition: Boolean, variable: sp.Symbol) -> bool:
    return (
        isinstance(condition, sp.StrictGreaterThan) and condition.lhs == variable and bool(condition.rhs.is_nonnegative)
    )


# 4. The branch: the root that is a minimum at p_i > 0, the same one wherever there is one.


def _branch(mode: _Mode, roots: list[sp.Expr], second: sp.Expr, condition: Boolean | None) -> int | None:
    """Return which root is the minimum, None when that changes, or when none is.

    A convex L has one positive stationary point; it is continuous in the variable, and no other root can meet it, as it
    would be a double one. So one look per set of parameters would do; there are several.
    """
    logarithms = [atom.args[0] for atom in mode.summand.atoms(sp.log)]
    chosen: set[int] = set()
    for numbers in _samples(mode):
        if condition is not None and condition.subs(numbers) != sp.true:
            continue
        minima = []
        for k, root in enumerate(roots):
            p = sp.N(root.subs(numbers), 30)
            if not (p.is_real and p.is_finite and p > 0):
                continue
            here = {**numbers, p_i: p}
            if second.subs(here) > 0 and all(argument.subs(here) > 0 for argument in logarithms):
                minima.append((sp.N(mode.summand.subs(here)), k))
        if condition is not None and len(minima) != 1:
            return None
        if minima:
            chosen.add(min(minima)[1])
    return chosen.pop() if len(chosen) == 1 else None


def _samples(mode: _Mode) -> Iterator[dict[sp.Symbol, sp.Rational]]:
    """Yield rational values of the variable and the parameters."""
    fractions = [sp.Rational(k, 20) for k in (1, 7, 13, 19)]
    scales = [sp.Integer(1)] if mode.variable == r_i else [sp.Rational(2) ** k for k in (-4, -1, 3)]
    values = [sign * scale * fraction for sign in (1, -1) for scale in scales for fraction in fractions]
    parameters = sorted(mode.summand.free_symbols - {p_i, mode.variable}, key=str)
    for shift, value in ((shift, value) for shift in range(3) for value in values):
        chosen = {s: sp.Rational(2 + 3 * ((k + shift) % 3), 3 + k) for k, s in enumerate(parameters)}
        yield {mode.variable: value, **chosen}


# 5. Where it diverges: the leading coefficient of the slope vanishes, and with it the root runs away.


def _divergence(mode: _Mode, p: sp.Expr, lead: sp.Expr, condition: Boolean) -> sp.Expr | None:
    if not lead.has(mode.variable):
        return None
    parameters = {s: n for s, n in next(_samples(mode)).items() if s != mode.variable}
    for value in sp.solve(lead, mode.variable):
        for side in ("-", "+"):
            beside = value + sp.Rational(-1 if side == "-" else 1, 10**6)
            if condition.subs(mode.variable, beside).subs(parameters) != sp.true:
                continue
            # The inverse of a root of the slope is finite there, and by the vanishing coefficient it is zero for one root.
            if (1 / p).subs(mode.variable, value) == 0:
                return sp.factor(value)
    return None


# 6. What depends on p_i, at the root.


def _simplified(expr: sp.Expr, root: sp.Expr, variable: sp.Symbol) -> sp.Expr:
    """Return an expression at p_i = root, as rational functions and logarithms of such.

    A square root of D, linear in the variable, makes everything rational in q = sqrt(D): it replaces the variable.
    """
    q = sp.Dummy("q", positive=True)
    radicands = {e.base for e in root.atoms(sp.Pow) if e.exp.is_Rational and not e.exp.is_Integer and e.has(variable)}
    radicand = radicands.pop() if len(radicands) == 1 else sp.S.One
    if not (radicand.is_polynomial(variable) and sp.degree(radicand, variable) == 1):
        at_root = expr.subs(p_i, root)
        return sp.simplify(at_root) if radicand != 1 else _factored(at_root)
    slope, constant = sp.Poly(radicand, variable).all_coeffs()
    rational = root.replace(lambda e: e.is_Pow and e.base == radicand, lambda e: q ** (2 * e.exp))
    by_q = {variable: (q**2 - constant) / slope}
    return _factored(expr.subs(p_i, rational).subs(by_q)).xreplace({q: sp.sqrt(radicand)})


def _factored(expr: sp.Expr) -> sp.Expr:
    logarithms = {node: sp.Dummy() for node in expr.atoms(sp.log)}
    values = {dummy: sp.log(sp.factor(sp.cancel(node.args[0]))) for node, dummy in logarithms.items()}
    terms = sp.collect(sp.expand_mul(expr.xreplace(logarithms)), list(values), evaluate=False)
    return sp.Add(*[sp.factor(sp.cancel(c)) * key for key, c in terms.items()]).xreplace(values)
