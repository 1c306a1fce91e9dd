"""Gaussian views mode by mode: quadratic forms in the representations, and exponentials of them, integrated exactly.

In canonical coordinates the modes of aligned Gaussian views are independent. In mode i a view has variance p_i, two views
of one datum have covariance r_i p_i, and views of different data none; a clean view has variance r_i p_i.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import sympy as sp

from symscape.errors import InputError
from symscape.probability.views import CROSS_MOMENT, SECOND_MOMENT, View, covariance_letter
from symscape.spectrum.modes import p_i, r_i

Pair = tuple[View, View]

#: What a letter of the landscape is in mode i.
LETTERS = {SECOND_MOMENT: p_i, CROSS_MOMENT: r_i * p_i}


@dataclass(frozen=True)
class Quadratic:
    """constant + sum_i [ mode + sum over pairs (u, v) of forms[u, v] f_i(u) f_i(v) ], i running over the modes.

    ``mode`` and ``forms`` are expressions in p_i and r_i; ``constant`` belongs to no mode.
    """

    constant: sp.Expr = sp.S.Zero
    mode: sp.Expr = sp.S.Zero
    forms: Mapping[Pair, sp.Expr] = field(default_factory=dict)

    def __add__(self, other: Quadratic) -> Quadratic:
        forms = dict(self.forms)
        for pair, coefficient in other.forms.items():
            forms[pair] = forms.get(pair, sp.S.Zero) + coefficient
        forms = {pair: c for pair, c in forms.items() if c != 0}
        return Quadratic(self.constant + other.constant, self.mode + other.mode, forms)

    def __mul__(self, factor: sp.Expr) -> Quadratic:
        forms = {pair: factor * c for pair, c in self.forms.items()}
        return Quadratic(factor * self.constant, factor * self.mode, forms)

    @property
    def views(self) -> set[View]:
        """The views that are not integrated."""
        return {view for pair in self.forms for view in pair}


def in_order(u: View, v: View) -> Pair:
    """Return a pair of views in the order in which forms hold it."""
    return (u, v) if sort_key(u) <= sort_key(v) else (v, u)


def sort_key(view: View) -> tuple[str, ...]:
    """Return what tells two views apart, the name first."""
    return view.name, view.datum, view.moment, view.cross


def covariance(u: View, v: View) -> sp.Expr:
    """Return E[f_i(u) f_i(v)] in mode i; raise InputError for a view with a moment other than Sigma and A_0."""
    letter = covariance_letter(u, v)
    if letter is None:
        return sp.S.Zero
    if letter not in LETTERS:
        raise InputError(
            f"the views {u} and {v} have the moment {letter}, which need not share its modes with Sigma and A_0; "
            f'use moment="Sigma" or moment="A_0", or landscape(loss, order=4), which takes any moment'
        )
    return LETTERS[letter]


def expected(quadratic: Quadratic, views: Collection[View]) -> Quadratic:
    """Return the expectation of a quadratic form over some views.

    E f_i(u) f_i(v) is their covariance when both are integrated, and zero when one is: it is independent of the other.
    """
    mode, forms = quadratic.mode, {}
    for (u, v), coefficient in quadratic.forms.items():
        if u in views and v in views:
            mode += coefficient * covariance(u, v)
        elif u not in views and v not in views:
            forms[u, v] = coefficient
    return Quadratic(quadratic.constant, mode, forms)


def log_expected_exponential(quadratic: Quadratic, views: Iterable[View]) -> tuple[Quadratic, tuple[sp.Expr, ...]]:
    """Return log E exp(quadratic) over some views, and what must be positive in every mode for it to be finite.

    With covariance S of the views xi that are integrated, and l linear in those that stay free,

        log E exp(l^T xi + xi^T Q xi) = -log det(1 - 2 S Q) / 2 + l^T (1 - 2 S Q)^{-1} S l / 2.

    It is finite when the eigenvalues of 1 - 2 S Q, which are real, are positive: when their elementary symmetric
    polynomials are, as det(x + 1 - 2 S Q) then has no zero at x >= 0.
    """
    xi = sorted(set(views) & quadratic.views, key=sort_key)
    free = sorted(quadratic.views - set(xi), key=sort_key)
    if not xi:
        return quadratic, ()
    zero = sp.S.Zero
    S = sp.Matrix(len(xi), len(xi), lambda a, b: covariance(xi[a], xi[b]))
    Q = sp.Matrix(
        len(xi), len(xi), lambda a, b: quadratic.forms.get(in_order(xi[a], xi[b]), zero) / (1 if a == b else 2)
    )
    L = sp.Matrix(len(xi), len(free), lambda a, z: quadratic.forms.get(in_order(xi[a], free[z]), zero))
    matrix = (sp.eye(len(xi)) - 2 * S * Q).applyfunc(sp.cancel)
    characteristic = matrix.charpoly(sp.Dummy("x")).all_coeffs()
    symmetric = tuple(sp.cancel((-1) ** k * c) for k, c in enumerate(characteristic) if k)
    determinant = symmetric[-1]
    K = (matrix.adjugate() * S).applyfunc(sp.cancel)
    added = {}
    for a, u in enumerate(free):
        for b, v in enumerate(free[a:], start=a):
            form = (L[:, a].T * K * L[:, b])[0] / determinant
            added[in_order(u, v)] = sp.cancel(form / 2 if a == b else form)
    kept = {pair: c for pair, c in quadratic.forms.items() if not set(pair) & set(xi)}
    rest = Quadratic(quadratic.constant, quadratic.mode - log(determinant) / 2, kept)
    return rest + Quadratic(forms=added), symmetric


# Scalars of one mode


def log(expr: sp.Expr) -> sp.Expr:
    """Return the logarithm of a rational function of p_i that is 1 at p_i = 0, as logarithms of polynomials that are."""
    parts = []
    for polynomial in sp.fraction(sp.cancel(expr)):
        origin = polynomial.subs(p_i, 0)
        parts.append(sp.log(sp.expand(polynomial / origin)))
    return parts[0] - parts[1]


def tidy(mode: sp.Expr) -> sp.Expr:
    """Return an expression of one mode that vanishes at p_i = 0 as logarithms and p_i times partial fractions.

    >>> tau = sp.Symbol("tau", positive=True)
    >>> tidy(p_i**2 / (2 * tau * (tau + p_i)) - p_i / (2 * tau))
    -p_i/(2*(p_i + tau))
    """
    terms = sp.Add.make_args(sp.expand(mode, log=False, power_base=False))
    curved = sp.Add(*[t for t in terms if not t.is_rational_function(p_i)])
    slope = sp.cancel(sp.together(sp.Add(*[t for t in terms if t.is_rational_function(p_i)]) / p_i))
    try:
        fractions = sp.apart(slope, p_i)
    except (sp.PolynomialError, NotImplementedError):
        fractions = slope
    return sp.Add(*[p_i * sp.factor(t) for t in sp.Add.make_args(fractions)], sp.collect(curved, curved.atoms(sp.log)))


def is_positive(expr: sp.Expr, *, correlations: str = "real") -> bool:
    """Whether a rational expression is positive for all p_i > 0 and |r_i| < 1 (``"positive"``: 0 < r_i < 1), provably.

    Shown by the signs of its coefficients once r = (1 - c) / (1 + c), or 1 / (1 + c), with c > 0; symbols are real, and
    positive where they are declared so. False when this does not show it.

    >>> is_positive(1 + p_i * (1 - r_i)), is_positive(1 - p_i * r_i)
    (True, False)
    """
    c, p = sp.Dummy("c", positive=True), sp.Dummy("p", positive=True)
    r = 1 / (1 + c) if correlations == "positive" else (1 - c) / (1 + c)
    reals = {symbol: sp.Dummy(real=True) for symbol in expr.free_symbols if symbol.is_extended_real is None}
    try:
        parts = sp.fraction(sp.cancel(sp.together(expr.xreplace({**reals, r_i: r, p_i: p}))))
        signs = [{value for term in sp.Add.make_args(sp.expand(part)) if (value := _sign(term))} for part in parts]
    except sp.PolynomialError:
        return False
    return signs in ([{1}, {1}], [{-1}, {-1}])


def _sign(term: sp.Expr) -> int:
    """Return 1 or -1 for a term of known sign, 0 for zero, and 2 where it is open."""
    if term.is_zero:
        return 0
    return 1 if term.is_positive else -1 if term.is_negative else 2
