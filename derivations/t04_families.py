"""T4. All stationary points of a quartic landscape: one family for each admissible set of kept modes.

Let `L = -Tr(W B W^T) + alpha Tr P^2 + beta (Tr P)^2` with `P = W S W^T`, B symmetric, S positive definite, `alpha > 0`
and `alpha + min(d_0, d_1) beta > 0`; B and S need not commute. Let `B u_i = b_i S u_i`, `u_i^T S u_j = delta_ij`. Then
W is stationary if and only if, up to a rotation of the outputs, its rows are `sqrt(p_i) u_i^T` for i in a set K of
`k <= min(d_0, d_1)` modes and zero else (for equal `b_i` the `u_i` may have to be chosen for W), with

    T = Tr P = (sum_{i in K} b_i)/(2 (alpha + k beta)),    p_i = (b_i - 2 beta T)/(2 alpha) > 0,
    L = -(1/2) sum_{i in K} b_i p_i = -(sum_{i in K} b_i^2 - beta (sum_{i in K} b_i)^2/(alpha + k beta))/(4 alpha).

The set is admissible where all these `p_i` are positive; for `beta = 0` this means `b_i > 0`.
"""

from itertools import combinations

import numpy as np
import sympy as sp

import symscape as ss

alpha = sp.Symbol("alpha", positive=True)
beta = sp.Symbol("beta", real=True)
x, xp, chi = ss.anchor, ss.positive, ss.negative
#: B = A_0, S = Sigma, and both words of degree 4.
QUARTIC = ss.Loss(-ss.E(ss.dot(x, xp)) + alpha * ss.E(ss.dot(x, chi) ** 2) + beta * ss.E(ss.sqnorm(x)) ** 2)


def prove(proof: ss.Proof) -> None:
    """Set the gradient to zero, find that W^T W commutes with B, and solve for the strengths."""
    land = ss.landscape(QUARTIC)
    P, M = ss.W * ss.Sigma * ss.W.T, ss.W * ss.A_0 * ss.W.T
    form = -sp.Trace(M) + alpha * sp.Trace(P * P) + beta * sp.Trace(P) ** 2
    proof.exact("the landscape of -E f.f' + alpha E (f.f(chi))^2 + beta (E |f|^2)^2 is", land, form)

    proof.text("In coordinates with S = 1 (W -> W S^(1/2)) its gradient, differentiated entry by entry, with T = Tr P.")
    w = sp.Matrix(2, 2, sp.symbols("w_1:5", real=True))
    B = sp.Matrix(2, 2, sp.symbols("B_1 B_2 B_2 B_3", real=True))
    value = land.expr.subs({ss.d_0: 2, ss.d_1: 2})
    matrices = {"W": w, "A_0": B, "Sigma": sp.eye(2)}
    value = value.xreplace({m: matrices[m.name].as_immutable() for m in value.atoms(sp.MatrixSymbol)}).doit()
    G = sp.Matrix(2, 2, [sp.diff(value, entry) for entry in w])
    T = (w * w.T).trace()
    proof.exact("the gradient G is", G, 2 * (-w * B + 2 * alpha * w * w.T * w + 2 * beta * T * w))

    proof.text("Let Q = W^T W. Where G = 0, so is W^T G: Q B is symmetric there, and Q and B share an eigenbasis.")
    Q = w.T * w
    proof.exact("W^T G / 2 is", w.T * G / 2, -Q * B + 2 * alpha * Q * Q + 2 * beta * T * Q)
    proof.exact("the commutator of Q and B is", Q * B - B * Q, (G.T * w - w.T * G) / 2)

    proof.text(
        "In that basis q_i (b_i - 2 alpha q_i - 2 beta T) = 0: a mode is absent, or b_i = 2 alpha p_i + 2 beta T. For "
        "a set of three modes this is a linear system."
    )
    b, p = sp.symbols("b_0:3", real=True), sp.symbols("p_0:3", real=True)
    solved = sp.solve([v - 2 * alpha * s - 2 * beta * sum(p) for v, s in zip(b, p, strict=True)], p)
    total = sum(b) / (2 * (alpha + 3 * beta))
    by_hand = [(v - 2 * beta * total) / (2 * alpha) for v in b]
    proof.exact("its solution is", [solved[s] for s in p], by_hand)
    families = ss.stationary_points(land)
    family = families.family((0, 1, 2))
    proof.exact("which are total and spectrum of the family", (family.total, *family.spectrum), (total, *by_hand))

    proof.text("Each part of L is b p or half of a derivative along p: at a stationary point L = -(1/2) sum b p.")
    k, s_1, s_2 = families.k, families.s_1, families.s_2
    proof.exact("its value is", family.loss, -sum(v * s for v, s in zip(b, by_hand, strict=True)) / 2)
    claimed = -(s_2 - beta * s_1**2 / (alpha + k * beta)) / (4 * alpha)
    proof.exact("for k modes, with s_n the sums of b^n, it is", families.loss, claimed)

    proof.text("With numbers, B and S that do not commute: p is admissible or not, set by set, and W is stationary.")
    A0 = np.array([[2.0, 0.6, 0.1], [0.6, 1.0, 0.3], [0.1, 0.3, 0.4]])
    given = {"A0": A0, "Sigma": A0 + np.diag([1.0, 3.0, 0.5]), "alpha": 1.0, "beta": 0.3}
    points = ss.stationary_points(land, d1=2, **given)
    eigenvalues = np.sort(np.linalg.eigvals(np.linalg.solve(given["Sigma"], A0)).real)[::-1]
    admissible = [K for n in range(3) for K in combinations(range(3), n)
                  if all(eigenvalues[i] > 0.3 * eigenvalues[list(K)].sum() / (1 + 0.3 * n) for i in K)]  # fmt: skip
    proof.exact("the families are those of the admissible sets", [point.kept for point in points], admissible)
    gradient = land.numpy().gradient
    slope = [lambda off, W=point.W: np.abs(gradient((1 + off) * W, **given)).max() for point in points if point.rank]
    proof.numeric("at their W the gradient vanishes", lambda off: all(size(off) < 1e-12 for size in slope))
    met = points.search(60, np.random.default_rng(0)).points
    proof.exact("the number of values that a search for zeros of the gradient meets is", len(met), len(admissible))
    proof.numeric(
        "and ends nowhere else",
        lambda off: all(any(e.matches((1 + off) * q.loss, (1 + off) * q.spectrum) for q in points) for e in met),
    )


if __name__ == "__main__":
    ss.present(prove)
