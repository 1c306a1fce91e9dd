"""X5. The order in which modes are learned is not the order in which they survive.

Gradient flow from a small W learns modes by descending `kappa_k`, the eigenvalues of B (X5.gradient-flow). Which modes
are kept when outputs are few is decided by the eigenvalues `b` of the pencil, `B u = b Sigma u` (T4). Along common
eigenvectors

    b_k = kappa_k / sigma_k,

so that a mode of large variance and small r is learned first, and given up later. The mode with the larger b is
unstable in W beside a kept one of smaller b, and takes its output over at the rate `2 sigma_j (b_j - b_i)` of
`|W u_j|`.

With outputs for all, `d1 >= d0`, both orders name the same modes: those with positive eigenvalues, equally many
(Sylvester).

Local: order 4; small W in general position.
Assumption: Euclidean gradient flow, so that adaptive optimisers may learn in another order.
"""

import numpy as np
import sympy as sp

import symscape as ss

b_i, b_j, sigma_i, sigma_j, alpha = sp.symbols("b_i b_j sigma_i sigma_j alpha", positive=True)
u, v = sp.symbols("u v", real=True)


def prove(proof: ss.Proof) -> None:
    """Compare the two orders on one output, find the rate of the takeover, and follow the flow."""
    proof.text(
        "Two modes, A_0 = diag(1, 1/2) and Sigma = diag(4, 1): kappa = (1, 1/2) for InfoNCE, and b = (1/4, 1/2)."
    )
    A0, Sigma = np.diag([1.0, 0.5]), np.diag([4.0, 1.0])
    land = ss.landscape(ss.InfoNCE())
    growth = ss.growth_rates(land, A0, Sigma, d1=1, scale=1e-4)
    learned = [int(np.argmax(np.abs(direction))) for direction in growth.directions]
    proof.exact("learned in the order", learned, [0, 1])
    minimum = ss.stationary_points(land, A0, Sigma, d1=1).minima[0]
    proof.exact("kept with one output", int(np.argmax(np.abs(minimum.W[0]))), 1)
    proof.digits("with b descending", ss.stationary_points(land, A0, Sigma, d1=1).eigenvalues, [0.5, 0.25], 12)

    proof.text(
        "W = (u, v) in the two modes: L = -b_i sigma_i u^2 - b_j sigma_j v^2 + alpha (sigma_i u^2 + sigma_j v^2)^2."
    )
    plane = -b_i * sigma_i * u**2 - b_j * sigma_j * v**2 + alpha * (sigma_i * u**2 + sigma_j * v**2) ** 2
    kept = sp.sqrt(b_i / (2 * alpha * sigma_i))  # P = sigma_i u^2 = b_i / (2 alpha)
    proof.exact("at u alone the slope vanishes", sp.simplify(sp.diff(plane, u).subs({v: 0, u: kept})), sp.S.Zero)
    rate = sp.simplify(-sp.diff(plane, v, 2).subs({v: 0, u: kept}))
    proof.exact("there dv/dt = rate v, with rate", rate, 2 * sigma_j * (b_j - b_i))
    numbers = {
        ss.A_0: sp.ImmutableMatrix.diag(b_i * sigma_i, b_j * sigma_j),
        ss.Sigma: sp.ImmutableMatrix.diag(sigma_i, sigma_j),
    }
    row = {ss.W: sp.ImmutableMatrix([[u, v]]), ss.d_0: 2, ss.d_1: 1}
    infonce = sp.expand(land.expr.xreplace({**numbers, **row}).doit())
    proof.exact("InfoNCE is this at alpha = 3/4", infonce, sp.expand(plane.subs(alpha, sp.Rational(3, 4))))

    proof.text("The flow from W = (1e-4, 1e-7): mode 0 arrives, rests at its saddle, and gives the output to mode 1.")
    moments = (A0, Sigma)
    flow = ss.gradient_flow(land, [[1e-4, 1e-7]], [2 * float(growth.times[0]), 500.0], *moments)
    strengths = flow.along(np.eye(2)) * np.diag(Sigma)
    # p = b / (2 alpha) = b / 1.5 in either mode.
    proof.digits("P at the first plateau, b_0 / (2 alpha)", strengths[0, 0], 0.25 / 1.5, 4)
    proof.digits("P at the end, in both modes", strengths[1], [0.0, 0.5 / 1.5], 8)
    saddle = np.array([[np.sqrt(0.25 / 1.5 / 4), 1e-8]])
    near = ss.gradient_flow(land, saddle, [0.0, 10.0], *moments).along(np.eye(2))[:, 1]
    proof.digits(
        "near the saddle log |W u_1| rises by, in unit time", np.log(near[1] / near[0]) / 20, 2 * 1.0 * (0.5 - 0.25), 6
    )

    proof.text("With two outputs nothing is given up: both orders name both modes.")
    last = ss.gradient_flow(land, 1e-4 * np.eye(2), [500.0], *moments)
    proof.digits("P at the end with two outputs", last.spectra[-1], [0.5 / 1.5, 0.25 / 1.5], 8)


if __name__ == "__main__":
    ss.present(prove)
