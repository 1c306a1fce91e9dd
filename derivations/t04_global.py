"""T4. Local minima are global, and the collapsed points of a landscape that does not collapse are saddles or maxima.

Let `L = -Tr(W B W^T) + alpha Tr P^2 + beta (Tr P)^2` with `alpha > 0`, `alpha + min(d_0, d_1) beta > 0`, and
`b_1 > b_2 > ...` the eigenvalues of the pencil (B, S), as in T4.families. Define the margins

    h_k = (alpha + beta k) b_k - beta (b_1 + ... + b_k).

A point without a direction of descent keeps the k largest modes, with `h_k > 0`, and `k = d_1` or `h_{k+1} <= 0`. There
is exactly one such k, and L takes its least value there.

Every other stationary point has a direction along which L falls to second order: a strict saddle, or a maximum. So
where `min(d_0, d_1)` modes survive, every point that keeps fewer, the origin among them, has a direction of descent.
Equal `b_i` give several points of the same least value.

What differs from the paper: where B is positive definite the collapsed origin is no saddle, but a maximum.
"""

import numpy as np
import sympy as sp
from scipy.optimize import minimize

import symscape as ss

alpha = sp.Symbol("alpha", positive=True)
beta = sp.Symbol("beta", real=True)
x, xp, chi = ss.anchor, ss.positive, ss.negative
#: B = A_0, S = Sigma, and both words of degree 4.
QUARTIC = ss.Loss(-ss.E(ss.dot(x, xp)) + alpha * ss.E(ss.dot(x, chi) ** 2) + beta * ss.E(ss.sqnorm(x)) ** 2)


def prove(proof: ss.Proof) -> None:
    """Rule out descent, count what is left, and descend from random weights."""
    land = ss.landscape(QUARTIC)
    exchange, growth, _, _, stretch = ss.second_variation()
    b_a, b_b, T = sp.symbols("b_a b_b T", real=True)

    proof.text("No descent by exchange: b_a >= b_b for every a kept and b not, so the k largest are kept.")
    proof.exact("exchange is", exchange.eigenvalue, b_a - b_b)
    proof.text("No descent by growth: k = d_1, or b_{k+1} <= 2 beta T for what is left.")
    proof.exact("growth is", growth.eigenvalue, 2 * beta * T - b_b)

    proof.text("With s the sum of the k largest, T = s/(2 (alpha + beta k)): both conditions are signs of margins.")
    k, b_k, b_next, s = sp.symbols("k b_k b_{k+1} s", real=True)
    kept_total = s / (2 * (alpha + beta * k))
    margin = (alpha + beta * k) * b_k - beta * s
    margin_next = (alpha + beta * (k + 1)) * b_next - beta * (s + b_next)
    p_k = (b_k - 2 * beta * kept_total) / (2 * alpha)
    proof.exact("2 alpha (alpha + beta k) p_k = h_k", 2 * alpha * (alpha + beta * k) * p_k, margin)
    left_out = b_next - 2 * beta * kept_total
    proof.exact("(alpha + beta k) (b_{k+1} - 2 beta T) = h_{k+1}", (alpha + beta * k) * left_out, margin_next)
    proof.exact("the margin of the engine is h_2", ss.stationary_points(land).margin(1),
                margin.subs({k: 2, b_k: sp.Symbol("b_1", real=True), s: sum(sp.symbols("b_0 b_1", real=True))}))  # fmt: skip

    proof.text("Margins fall with k where alpha + beta k > 0, so they change sign once: there is one such k.")
    proof.exact("h_{k+1} - h_k is", margin_next - margin, (alpha + beta * k) * (b_next - b_k))

    proof.text(
        "L is bounded below: Tr P^2 >= T^2/k by Cauchy-Schwarz, and (alpha/k + beta) T^2 outgrows the quadratic part. "
        "Its least value is reached at a point without descent: at the only one."
    )
    p, r = sp.symbols("p_0:2", positive=True)
    gap = alpha * (p**2 + r**2) + beta * (p + r) ** 2 - (alpha / 2 + beta) * (p + r) ** 2
    proof.exact("for k = 2 the quartic part exceeds that by", gap, alpha * (p - r) ** 2 / 2)
    proof.exact("the stiffness of the strengths is", stretch.eigenvalue,
                sp.Symbol("alpha", real=True) + beta * sp.Symbol("k", integer=True, nonnegative=True))  # fmt: skip
    steps = ss.local_minima_are_global()
    proof.exact("every step of the general proof is an identity", [step.holds for step in steps], [True] * 9)

    proof.text("Numbers, beta of either sign: of all families one has no descent, and it has the least value.")
    A0 = np.array([[2.0, 0.6, 0.1], [0.6, 1.0, 0.3], [0.1, 0.3, 0.4]])
    rng, least, reached, without_descent, collapsed = np.random.default_rng(0), [], [], [], []
    for value in (-0.3, 0.0, 0.3):
        given = {"A0": A0, "Sigma": A0 + np.diag([1.0, 3.0, 0.5]), "alpha": 1.0, "beta": value}
        points, f = list(ss.stationary_points(land, d1=2, **given)), land.numpy()
        least.append(min(point.loss for point in points))
        without_descent += [point.loss for point in points if point.index == 0]
        collapsed += [point.index > 0 for point in points if point.rank < 2]
        for _ in range(3):
            start = rng.standard_normal(6)
            reached.append(minimize(lambda v, f=f, g=given: f(v.reshape(2, 3), **g), start, options={"gtol": 1e-9}).fun)
    proof.digits("the points of index 0, one for each beta, have the least value", without_descent, least, 12)
    proof.digits("nine descents from random W end at it", reached, list(np.repeat(least, 3)), 8)
    proof.exact("points that keep 0 or 1 of 2 modes have a descent", all(collapsed), True)


if __name__ == "__main__":
    ss.present(prove)
