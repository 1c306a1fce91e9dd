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

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

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
from symscape.spectrum.equal_shares.tangent import TangentTest

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class SeparatedLoss:
    """L = constant + sum_i (phi_P(P_ii) + phi_M(M_ii)) + a Tr P^2 + b Tr PM + c Tr M^2, all numbers.

    ``unit_outputs``: the loss keeps f_i -> s_i f_i, and stands here at P_ii = 1. ``largest_share``: a P_ii beyond which
    shrinking an output never increases the loss, infinity if none is known.
    """

    constant: float
    phi_P: TangentTest
    phi_M: TangentTest
    quadratic: tuple[float, float, float]
    unit_outputs: bool
    largest_share: float


@dataclass(frozen=True)
class SeparatedForm:
    """A `SeparatedLoss` before ``parameters`` have values; compiled once."""

    parameters: tuple[sp.Symbol, ...]
    phi_P: TangentTest
    phi_M: TangentTest
    unit_outputs: bool
    _numbers: Callable[..., Any]
    _share: Callable[[tuple[float, ...], float], float]

    def at(self, values: Mapping[sp.Symbol, float], largest_r: float = 1.0) -> SeparatedLoss:
        """Return the loss with numbers for its parameters."""
        given = tuple(float(values[s]) for s in self.parameters)
        constant, *quadratic = (float(number) for number in self._numbers(*given))
        a, b, c = quadratic
        share = self._share(given, largest_r)
        return SeparatedLoss(
            constant, self.phi_P.at(*given), self.phi_M.at(*given), (a, b, c), self.unit_outputs, share
        )


@lru_cache(maxsize=256)
def separated(loss: Loss) -> SeparatedForm | None:
    """Return a loss as sums over single outputs and traces; None where it is not of this form.

    >>> from symscape.losses.vicreg import VICReg
    >>> from symscape.losses.language import d_1
    >>> form = separated(VICReg()).at({d_1: 2})
    >>> form.quadratic, form.phi_M.value(1.0), round(form.phi_P.value(1.0), 6)
    ((1.0, 0.0, 0.0), -25.0, 24.0)
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
    phi_P = sp.Add(*[t for t in sp.Add.make_args(phi) if not t.has(M_ii)])
    phi_M = phi - phi_P
    if phi_M.has(P_ii):
        return None
    numbers = [constant, a + pairs[2, 0], b + pairs[1, 1], c + pairs[0, 2]]
    inside = set().union(phi.free_symbols, *(sp.sympify(e).free_symbols for e in [*numbers, *traces.values()]))
    symbols = tuple(sorted(inside - {P_ii, M_ii}, key=str))
    share = _no_share if unit or own.has(M_ii) else _largest_share(own, traces, pairs, symbols)
    return SeparatedForm(
        symbols,
        TangentTest(phi_P, P_ii, symbols),
        TangentTest(phi_M, M_ii, symbols),
        unit,
        sp.lambdify(symbols, numbers),
        share,
    )


def _no_share(values: tuple[float, ...], largest_r: float) -> float:
    return float("inf")


def _largest_share(
    own: sp.Expr, traces: dict[str, sp.Expr], pairs: dict[tuple[int, int], sp.Expr], symbols: tuple[sp.Symbol, ...]
) -> Callable[[tuple[float, ...], float], float]:
    """Return the P_ii from which on every term grows with the scale of an output, as a function of the parameters.

    The sum over single outputs is constant there; M_ii <= r P_ii bounds the traces; and the form in P_ij, M_ij is positive.
    """
    kinks = own.atoms(sp.Max)
    if len(kinks) != 1 or traces["PP"] or traces["MP"] or traces["MM"]:
        return _no_share
    (kink,) = kinks
    turns = sp.solve(kink.args[0] - kink.args[1], P_ii)
    flat = [not own.xreplace({kink: branch}).has(P_ii) for branch in kink.args]
    if not turns or len(kink.args) != 2 or not any(flat):
        return _no_share
    places = sp.lambdify(symbols, turns)
    signs = sp.lambdify(symbols, [pairs[2, 0], pairs[1, 1], pairs[0, 2], traces["P"], traces["M"]])
    branches = sp.lambdify([P_ii, *symbols], list(kink.args))

    def share(values: tuple[float, ...], largest_r: float) -> float:
        found = [float(t) for t in places(*values) if np.isreal(t) and t > 0]
        square, mixed, cross, of_P, of_M = signs(*values)
        positive = square >= 0 and cross >= 0 and 4 * square * cross >= mixed**2
        falls = of_P + min(of_M, 0) * largest_r < 0 or of_M > 0
        if len(found) != 1 or not positive or falls:
            return float("inf")
        beyond = int(np.argmax(branches(2 * found[0] + 1, *values)))
        return found[0] if flat[beyond] else float("inf")

    return share


def lower_bound(form: SeparatedLoss, p: Array, r: Array, d1: int) -> tuple[float, bool]:
    """Return (bound, over rotations): a lower bound of L over every W, and whether equal shares are best at this spectrum.

    The bound is -infinity where no line below phi is found on all shares that outputs can have. The second asks for less:
    shares between the least and the largest eigenvalue of P, and of M (Schur and Horn). ``p`` and ``r``: one number per mode.
    """
    total, cross = float(p.sum()), float(r @ p)
    q, m = (1.0 if form.unit_outputs else total / d1), cross / d1
    a, b, c = form.quadratic
    weights = a + b * r + c * r**2
    t = form.phi_M.slope(m)
    kept = p > 0
    if kept.any():
        s = -float(np.mean((t * r + 2 * weights * p)[kept]))
    else:
        s = form.phi_P.slope(q)
    if not form.phi_P.depends and not form.unit_outputs:
        s = 0.0
    spectrum = np.sort(np.concatenate([p[kept], np.zeros(max(d1 - int(kept.sum()), 0))]))
    crosses = np.sort(np.concatenate([(r * p)[kept], np.zeros(max(d1 - int(kept.sum()), 0))]))
    m_range = (float(r.min()), float(r.max())) if form.unit_outputs else (-np.inf, np.inf)
    m_holds = form.phi_M.is_bounded_below(m, t, *m_range)
    m_turned = m_holds or form.phi_M.is_bounded_below(m, t, float(crosses[0]), float(crosses[-1]))
    if form.unit_outputs:
        q_holds = q_turned = True
    else:
        q_holds = form.phi_P.is_bounded_below(q, s, 0.0, form.largest_share)
        low, high = float(spectrum[0]), float(spectrum[-1])
        # Rotations keep the sum of the shares, so that any slope serves: that of either side of a kink.
        q_turned = q_holds or any(form.phi_P.is_bounded_below(q, slope, low, high) for slope in _slopes(form.phi_P, q))
    if not (m_holds and q_holds):
        return -np.inf, bool(m_turned and q_turned)
    at_share = form.phi_P.value(q) + form.phi_M.value(m) - t * m
    at_share += 0.0 if form.unit_outputs else -s * q
    bound = (
        form.constant + d1 * at_share + _relaxed(s, t, form.quadratic, r, d1) + (-s * d1 if form.unit_outputs else 0.0)
    )
    return float(bound), True


def _slopes(phi: TangentTest, q: float) -> list[float]:
    step = 1e-9 * max(q, 1e-300)
    return [phi.slope(at) for at in (q - step, q + step)]


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
