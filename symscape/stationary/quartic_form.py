"""Landscapes -Tr(W B W^T) + alpha Tr P^2 + beta (Tr P)^2: read from a word form, with their symbolic solution.

With P = W S W^T for a metric S, whitening V = W S^{1/2} leaves -Tr(V B' V^T) + alpha Tr (V V^T)^2 + beta (Tr V V^T)^2, whose
gradient vanishes where V B' = (2 alpha P + 2 beta T) V, T = Tr P: the eigenvectors of P are paired with eigenvectors of B', and

    b_i = 2 alpha p_i + 2 beta T    for every kept mode i.                                                        (*)

Everything here is solved from (*) and from the landscape on the aligned family.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from symscape.stationary.word_form import WordForm, is_rank_one


@dataclass(frozen=True)
class QuarticForm:
    """constant - Tr(W B W^T) + alpha Tr P^2 + beta (Tr P)^2 with P = W S W^T.

    ``B`` and ``metric`` (S) hold the coefficient of each letter.
    """

    constant: sp.Expr
    B: Mapping[str, sp.Expr]
    alpha: sp.Expr
    beta: sp.Expr
    metric: Mapping[str, sp.Expr]

    def subs(self, values: Mapping[sp.Symbol, sp.Expr]) -> QuarticForm:
        """Return the form with values for parameters."""
        values = dict(values)
        return QuarticForm(
            self.constant.xreplace(values),
            {s: c.xreplace(values) for s, c in self.B.items()},
            self.alpha.xreplace(values),
            self.beta.xreplace(values),
            {s: c.xreplace(values) for s, c in self.metric.items()},
        )


def quartic_form(form: WordForm) -> QuarticForm | None:
    """Return the quadratic-plus-quartic form of a word form of order 4, or None when it has further words.

    The quartic part must be alpha Tr P^2 + beta (Tr P)^2 for one combination P of the second moments; the metric is that
    combination, the coefficients of its letters, means apart, summing to 1.

    >>> from symscape.landscape.landscape import landscape
    >>> from symscape.losses.infonce import InfoNCE
    >>> from symscape.stationary.word_form import word_form
    >>> found = quartic_form(word_form(landscape(InfoNCE(tau=2))))
    >>> found.alpha, found.beta, found.metric
    (3/16, 0, {'Sigma': 1})
    """
    joint: dict[tuple[str, str], sp.Expr] = {}
    apart: dict[tuple[str, str], sp.Expr] = {}
    for words, coefficient in form.higher:
        if len(words) == 1 and len(words[0]) == 2:
            _add(joint, *words[0], coefficient)
        elif len(words) == 2 and len(words[0]) == len(words[1]) == 1:
            _add(apart, words[0][0], words[1][0], coefficient)
        else:
            return None
    letters = sorted(form.higher_letters, key=lambda s: (s != "Sigma", is_rank_one(s), s))
    first = next((s for s in letters if joint.get((s, s), 0) != 0), None)
    if first is None:
        return None
    alpha = joint[first, first]
    metric = {s: sp.cancel(joint.get((first, s), sp.S.Zero) / alpha) for s in letters}
    beta = sp.cancel(apart.get((first, first), sp.S.Zero))
    for s in letters:
        for t in letters:
            gaps = [
                found.get((s, t), sp.S.Zero) - scale * metric[s] * metric[t]
                for found, scale in ((joint, alpha), (apart, beta))
            ]
            # Tr(G E G E) = (Tr G E)^2 for E = m m^T: only the sum of the two counts.
            gaps = [sum(gaps)] if s == t and is_rank_one(s) else gaps
            if any(sp.simplify(gap) != 0 for gap in gaps):
                return None
    # A mixture's second moment is an average of letters: weights that sum to 1.
    weight = sp.simplify(sp.Add(*[c for s, c in metric.items() if not is_rank_one(s)]))
    if weight not in (0, 1):
        alpha, beta = sp.factor(alpha * weight**2), sp.factor(beta * weight**2)
        metric = {s: sp.cancel(c / weight) for s, c in metric.items()}
    return QuarticForm(form.constant, dict(form.quadratic), alpha, beta, {s: c for s, c in metric.items() if c != 0})


def _add(into: dict[tuple[str, str], sp.Expr], s: str, t: str, coefficient: sp.Expr) -> None:
    """Add a coefficient of a symmetric form; off the diagonal, half to each side."""
    for key in {(s, t), (t, s)}:
        into[key] = into.get(key, sp.S.Zero) + (coefficient if s == t else coefficient / 2)


# Solved symbolically, for any number of kept modes


def total_of_kept(alpha: sp.Expr, beta: sp.Expr, count: sp.Expr, sum_b: sp.Expr) -> sp.Expr:
    """Return T = Tr P at a stationary point with ``count`` kept modes whose b_i sum to ``sum_b``: (*) summed, and solved.

    >>> alpha, beta = sp.symbols("alpha beta")
    >>> total_of_kept(alpha, beta, sp.Integer(2), sp.Symbol("s"))
    s/(2*(alpha + 2*beta))
    """
    T = sp.Dummy("T")
    (solution,) = sp.solve(sp.Eq(sum_b, 2 * alpha * T + 2 * beta * count * T), T)
    return sp.factor(solution)


def strength_of_mode(alpha: sp.Expr, beta: sp.Expr, b_mode: sp.Expr, total: sp.Expr) -> sp.Expr:
    """Return p_i at a stationary point, from (*).

    >>> alpha, beta, b, T = sp.symbols("alpha beta b T")
    >>> strength_of_mode(alpha, beta, b, T)
    (-2*T*beta + b)/(2*alpha)
    """
    strength = sp.Dummy("p")
    (solution,) = sp.solve(sp.Eq(b_mode, 2 * alpha * strength + 2 * beta * total), strength)
    return sp.factor(solution)


def value_of_kept(
    constant: sp.Expr, alpha: sp.Expr, beta: sp.Expr, count: sp.Expr, sum_b: sp.Expr, sum_b_squared: sp.Expr
) -> sp.Expr:
    """Return L at a stationary point from the number of kept modes, the sum of their b_i and of their b_i^2.

    >>> alpha, s1, s2 = sp.symbols("alpha s_1 s_2")
    >>> value_of_kept(sp.S.Zero, alpha, sp.S.Zero, sp.Integer(2), s1, s2)
    -s_2/(4*alpha)
    """
    # On the aligned family L = c - sum b p + alpha sum p^2 + beta T^2; with p_i affine in b_i both sums are moments of b_i.
    total = total_of_kept(alpha, beta, count, sum_b)
    mode = sp.Dummy("b")
    slope, shift = sp.Poly(strength_of_mode(alpha, beta, mode, total), mode).all_coeffs()
    linear = slope * sum_b_squared + shift * sum_b
    square = slope**2 * sum_b_squared + 2 * slope * shift * sum_b + count * shift**2
    return sp.factor(sp.cancel(constant - linear + alpha * square + beta * total**2))
