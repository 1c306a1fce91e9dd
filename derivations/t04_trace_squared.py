"""T4. With a term (Tr P)^2 the signs of b_i alone do not decide which modes survive.

Let `L = -Tr(W B W^T) + alpha Tr P^2 + beta (Tr P)^2`, bounded below, and `b_1 > b_2 > ...` the eigenvalues of the
pencil (B, S). The k-th mode survives at the global minimum, if `k <= d_1`, where

    h_k = (alpha + beta k) b_k - beta (b_1 + ... + b_k) > 0,

so that modes compete for the shared total `Tr P`. With `beta > 0` a mode of `b_k > 0` may collapse: it leaves the
origin, and returns to zero far from it. With `beta < 0` a mode of `b_k < 0` may survive: it is held at the origin, and
grows once others have.

Complete collapse, `b_1 <= 0`, is decided by signs for either: `h_1 = alpha b_1`. Example: a penalty
`E |f|^4 = 2 Tr P^2 + (Tr P)^2` has `alpha = 2 beta`, and the second of two modes survives where `3 b_2 > b_1`.

What differs from the paper: the geometry of the origin decides dimensional collapse where the quartic part is `Tr P^2`
alone (T3.collapse); under such a penalty, and with the equal shares that losses of single outputs choose (T9), it
decides complete collapse only.
"""

import numpy as np
import sympy as sp
from scipy.optimize import minimize

import symscape as ss

c = sp.Symbol("c", positive=True)
b_0, b_1 = sp.symbols("b_0 b_1", real=True)
x, xp, chi = ss.anchor, ss.positive, ss.negative
PENALISED = ss.Loss(-ss.E(ss.dot(x, xp)) + c * ss.E(ss.sqnorm(x) ** 2), name="norm penalty")
REWARDED = ss.Loss(-ss.E(ss.dot(x, xp)) + ss.E(ss.dot(x, chi) ** 2) - ss.E(ss.sqnorm(x)) ** 2 / 3, name="norm reward")


def prove(proof: ss.Proof) -> None:
    """Find (Tr P)^2 in a loss, its margins, and both kinds of exception, by formula and by descent."""
    P, M = ss.W * ss.Sigma * ss.W.T, ss.W * ss.A_0 * ss.W.T

    proof.text("The fourth moment of the norm: |f|^2 |f|^2 pairs within the norms, (Tr P)^2, or across, twice Tr P^2.")
    penalised = ss.landscape(PENALISED)
    proof.exact("the landscape of -E f.f' + c E |f|^4 is", penalised,
                -sp.Trace(M) + c * (2 * sp.Trace(P * P) + sp.Trace(P) ** 2))  # fmt: skip

    proof.text(
        "h_2 = (alpha + 2 beta) b_1 - beta (b_0 + b_1) in modes counted from 0, here with alpha = 2 c, beta = c."
    )
    families = ss.stationary_points(penalised)
    proof.exact("the margin of the second mode is", families.margin(1), c * (3 * b_1 - b_0))
    proof.exact("that of the first is", families.margin(0), 2 * c * b_0)
    pair = families.family((0, 1))
    proof.exact("its strength beside the first is", pair.spectrum[1], (3 * b_1 - b_0) / (16 * c))

    proof.text("beta > 0: b = (0.9, 0.2) are both positive, but 3 b_1 < b_0.")
    A0 = np.diag([0.9, 0.2])
    origin = ss.stationary_points(penalised, A0, np.eye(2), d1=2, c=1).family(())
    proof.exact("all four directions leave the origin", origin.index, 4)
    report = ss.collapse(penalised, A0, np.eye(2), d1=2, c=1)
    proof.exact("but one mode survives", (report.kind, report.surviving), ("dimensional", 1))
    # The first alone: p = b_0/(2 (alpha + beta)) = 0.15, and there the second has the slope 2 beta T - b_1 = 0.3 - 0.2 > 0.
    proof.digits("with the strength b_0/(2 (alpha + beta))", report.spectrum[:1], [0.9 / 6], 12)

    proof.text(
        "beta < 0: alpha = 1, beta = -1/3, d_1 = 2 is bounded below, and h_2 = (b_0 + 2 b_1)/3 with alpha + 2 beta = "
        "1/3."
    )
    rewarded = ss.landscape(REWARDED)
    proof.exact("the margin of the second mode is", ss.stationary_points(rewarded).margin(1), (b_0 + 2 * b_1) / 3)
    B0 = np.diag([0.9, -0.2])
    origin = ss.stationary_points(rewarded, B0, np.eye(2), d1=2).family(())
    proof.exact("b = (0.9, -0.2): two of four directions leave the origin", origin.index, 2)
    gained = ss.collapse(rewarded, B0, np.eye(2), d1=2)
    proof.exact("but both modes survive", (gained.kind, gained.surviving), ("none", 2))

    proof.text("Witness: descent from random W, which knows of no modes, ends with these spectra.")
    rng = np.random.default_rng(0)
    for name, land, moment, given, expected in (("beta > 0", penalised, A0, {"c": 1.0}, [0.15, 0.0]),
                                                ("beta < 0", rewarded, B0, {}, [0.8, 0.25])):  # fmt: skip
        f = land.numpy()
        end = minimize(lambda v, f=f, m=moment, g=given: f(v.reshape(2, 2), A0=m, Sigma=np.eye(2), **g), rng.standard_normal(4),
                       options={"gtol": 1e-10})  # fmt: skip
        P = end.x.reshape(2, 2) @ end.x.reshape(2, 2).T
        proof.digits(f"{name}: eigenvalues of P", np.linalg.eigvalsh(P)[::-1], expected, 5)


if __name__ == "__main__":
    ss.present(prove)
