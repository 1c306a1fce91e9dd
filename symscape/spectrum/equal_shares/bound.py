"""A lower bound of a loss of second moments over all W, which proves equal shares optimal where it is attained.

Where a loss is, up to a constant and with phi(q, m) = phi_P(q) + phi_M(m),

    L(W) = sum_i phi(P_ii, M_ii) + a Tr P^2 + b Tr PM + c Tr M^2,

a line below phi that touches it at the equal share (q*, m*), with slopes s and t, gives for every W

    L(W) >= const + s Tr P + t Tr M + a Tr P^2 + b Tr PM + c Tr M^2,

a function of G = W^T W in canonical coordinates. Where a + b (r_i + r_j) / 2 + c r_i r_j >= 0 for all pairs, entries of G off
the diagonal only add to it, and its least value is a sum over modes of the least (s + t r) p + (a + b r + c r^2) p^2. At most
d1 modes enter that sum where von Neumann's trace inequality applies: to G and diag(r) at b = c = 0, to
H = diag(r)^(1/2) G diag(r)^(1/2) and diag(1/r) at a = b = 0, r >= 0; and at a = b = s = 0 all is in the eigenvalues of M.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.losses.language import Expectation, Node, OutputSum
from symscape.losses.loss import Loss
from symscape.spectrum.equal_shares.output_losses import (
    M_ii,
    M_jj,
    P_ii,
    P_jj,
    as_maximum,
    read_expectation,
    read_output_sum,
)
from symscape.spectrum.equal_shares.tangent import is_bounded_below

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SeparatedLoss:
    """L = constant + sum_i (phi_P(P_ii) + phi_M(M_ii)) + a Tr P^2 + b Tr PM + c Tr M^2, all numbers.

    ``unit_outputs``: the loss keeps f_i -> s_i f_i, and stands here at P_ii = 1. ``largest_share``: a P_ii beyond which
    shrinking an output never increases the loss, infinity if none is known.
    """

    constant: float
    phi_P: sp.Expr
    phi_M: sp.Expr
    quadratic: tuple[float, float, float]
    unit_outputs: bool
    largest_share: float


def separated(loss: Loss, largest_r: float = 1.0) -> SeparatedLoss | None:
    """Return a loss with numbers for parameters as sums over single outputs and traces; None where it is not of this form.

    >>> from symscape.losses.vicreg import VICReg
    >>> from symscape.spectrum.equal_shares.output_losses import with_numbers
    >>> form = separated(with_numbers(VICReg(), 2, {}, "VICReg"))
    >>> form.phi_P, form.phi_M, form.quadratic
    (-P_ii**2 + 25*P_ii + 25*Max(0, 1 - sqrt(P_ii + 1/10000))/2, -25*M_ii, (1.0, 0.0, 0.0))
    """
    terms, traces, constant = [], dict.fromkeys(("P", "M", "PP", "MP", "MM"), sp.S.Zero), sp.S.Zero
    for summand in sp.Add.make_args(sp.expand_mul(as_maximum(loss.expr), deep=False)):
        coefficient, node = summand.as_independent(Node, as_Add=False)
        try:
            if node == 1:
                constant += coefficient
            elif isinstance(node, OutputSum):
                terms.append((coefficient, read_output_sum(node, loss.name)))
            elif isinstance(node, Expectation):
                for factor, words in read_expectation(node, loss.name):
                    if len(words) != 1 or words[0] not in traces:
                        return None
                    traces[words[0]] += coefficient * factor
            else:
                return None
        except InputError:
            return None
    unit = not any(traces.values()) and bool(terms) and all(term.keeps_output_scales for _, term in terms)
    held = {P_ii: sp.S.One, P_jj: sp.S.One} if unit else {}
    own = sp.Add(*[c * term.own for c, term in terms]).xreplace(held)
    a, b, c = traces["PP"], traces["MP"], traces["MM"]
    pairs = {(2, 0): sp.S.Zero, (1, 1): sp.S.Zero, (0, 2): sp.S.Zero}
    for factor, term in terms:
        for powers, value in term.pairs.items():
            value = sp.simplify(value.xreplace(held))
            if powers not in pairs or value.has(P_ii, M_ii, P_jj, M_jj):
                return None
            pairs[powers] += factor * value
    phi = own + traces["P"] * P_ii + traces["M"] * M_ii
    phi -= pairs[2, 0] * P_ii**2 + pairs[1, 1] * P_ii * M_ii + pairs[0, 2] * M_ii**2
    phi = sp.expand(phi.xreplace(held))
    phi_P, phi_M = sp.Add(*[t for t in sp.Add.make_args(phi) if not t.has(M_ii)]), sp.S.Zero
    phi_M = phi - phi_P
    if phi_M.has(P_ii) or phi.free_symbols - {P_ii, M_ii}:
        return None
    quadratic = (float(a + pairs[2, 0]), float(b + pairs[1, 1]), float(c + pairs[0, 2]))
    shares = sp.oo if unit or own.has(M_ii) else _largest_share(own, traces, pairs, largest_r)
    return SeparatedLoss(float(constant), phi_P, phi_M, quadratic, unit, float(shares))


def _largest_share(
    own: sp.Expr, traces: dict[str, sp.Expr], pairs: dict[tuple[int, int], sp.Expr], largest_r: float
) -> sp.Expr:
    """Return the P_ii from which on every term grows with the scale of an output.

    The sum over single outputs is constant there; M_ii <= r P_ii bounds the traces; and the form in P_ij, M_ij is positive.
    """
    kinks = own.atoms(sp.Max)
    if len(kinks) != 1 or traces["PP"] or traces["MP"] or traces["MM"]:
        return sp.oo
    (kink,) = kinks
    turns = [float(t) for t in sp.solve(kink.args[0] - kink.args[1], P_ii) if t.is_real and t > 0]
    positive = pairs[2, 0] >= 0 and pairs[0, 2] >= 0 and 4 * pairs[2, 0] * pairs[0, 2] >= pairs[1, 1] ** 2
    falls = traces["P"] + min(traces["M"], 0) * largest_r < 0 or traces["M"] > 0
    if len(turns) != 1 or not positive or falls:
        return sp.oo
    beyond = max(kink.args, key=lambda branch: float(branch.subs(P_ii, 2 * turns[0] + 1)))
    return sp.Float(turns[0]) if not own.xreplace({kink: beyond}).has(P_ii) else sp.oo


def lower_bound(form: SeparatedLoss, p: Array, r: Array, d1: int) -> tuple[float, bool]:
    """Return (bound, over rotations): a lower bound of L over every W, and whether equal shares are best at this spectrum.

    The bound is -infinity where no line below phi is found on all shares that outputs can have. The second asks for less:
    shares between the least and the largest eigenvalue of P, and of M (Schur and Horn). ``p`` and ``r``: one number per mode.
    """
    total, cross = float(p.sum()), float(r @ p)
    q, m = (1.0 if form.unit_outputs else total / d1), cross / d1
    a, b, c = form.quadratic
    weights = a + b * r + c * r**2
    t = float(sp.diff(form.phi_M, M_ii).subs(M_ii, m))
    kept = p > 0
    if kept.any():
        s = -float(np.mean((t * r + 2 * weights * p)[kept]))
    else:
        s = float(sp.diff(form.phi_P, P_ii).subs(P_ii, q))
    if not form.phi_P.has(P_ii) and not form.unit_outputs:
        s = 0.0
    spectrum = np.sort(np.concatenate([p[kept], np.zeros(max(d1 - int(kept.sum()), 0))]))
    crosses = np.sort(np.concatenate([(r * p)[kept], np.zeros(max(d1 - int(kept.sum()), 0))]))
    m_range = (float(r.min()), float(r.max())) if form.unit_outputs else (-np.inf, np.inf)
    m_holds = is_bounded_below(form.phi_M, M_ii, m, t, *m_range)
    m_turned = m_holds or is_bounded_below(form.phi_M, M_ii, m, t, float(crosses[0]), float(crosses[-1]))
    if form.unit_outputs:
        q_holds = q_turned = True
    else:
        q_holds = is_bounded_below(form.phi_P, P_ii, q, s, 0.0, form.largest_share)
        low, high = float(spectrum[0]), float(spectrum[-1])
        # Rotations keep the sum of the shares, so that any slope serves: that of either side of a kink.
        q_turned = q_holds or any(
            is_bounded_below(form.phi_P, P_ii, q, slope, low, high) for slope in _slopes(form.phi_P, q)
        )
    if not (m_holds and q_holds):
        return -np.inf, bool(m_turned and q_turned)
    at_share = sum(float(phi.subs({P_ii: q, M_ii: m})) for phi in (form.phi_P, form.phi_M)) - t * m
    at_share += 0.0 if form.unit_outputs else -s * q
    bound = (
        form.constant + d1 * at_share + _relaxed(s, t, form.quadratic, r, d1) + (-s * d1 if form.unit_outputs else 0.0)
    )
    return float(bound), True


def _slopes(phi: sp.Expr, q: float) -> list[float]:
    step = 1e-9 * max(q, 1e-300)
    slope = sp.diff(phi, P_ii)
    return [float(slope.subs(P_ii, at)) for at in (q - step, q + step)]


def _relaxed(s: float, t: float, quadratic: tuple[float, float, float], r: Array, d1: int) -> float:
    """Return the least s Tr P + t Tr M + a Tr P^2 + b Tr PM + c Tr M^2, or a bound below it, over W with d1 rows."""
    a, b, c = quadratic
    low, high = float(r.min()), float(r.max())
    of_P, of_M = b == 0 and c == 0, a == 0 and b == 0 and (s == 0 or low >= 0)
    if not (of_P or of_M) and min(a + b * (x + y) / 2 + c * x * y for x in (low, high) for y in (low, high)) < 0:
        return -np.inf
    falling, weights = np.minimum(s + t * r, 0.0), a + b * r + c * r**2
    falling[np.abs(falling) < 1e-10 * (abs(s) + abs(t) + 1e-300)] = 0.0
    if (weights[falling < 0] <= 0).any():
        return -np.inf
    least = -(falling**2) / (4 * np.where(weights > 0, weights, 1.0))
    return float(np.sort(least)[:d1].sum() if of_P or of_M else least.sum())
