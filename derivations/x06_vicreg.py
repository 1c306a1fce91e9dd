"""X6. VICReg: the lambda, nu and mu that keep exactly k modes, from its hinge at equal shares.

Minimised over rotations (T9) every output gets the share `Tr P / d_1`. In canonical coordinates, `T = sum_i p_i`, the
slope along a mode is

    d_1 dL/dp_i = 2 lambda (1 - r_i) + 4 nu p_i - 4 nu T / d_1 - h,

with `h = mu / (2 sqrt(T/d_1 + epsilon))` while the hinge is active, `T/d_1 + epsilon < 1`, and h between 0 and `mu / 2`
at its kink, where `T = d_1 (1 - epsilon)`. So kept modes have `p_i - p_j = lambda (r_i - r_j) / (2 nu)`, and mode
`k + 1` (r descending) enters where `sum_{i <= k} lambda (r_i - r_{k+1}) / (2 nu)` is T. At the kink exactly k modes are
kept for

    t_k < lambda / nu < t_{k-1},    t_k = 2 d_1 (1 - epsilon) / sum_{i <= k} (r_i - r_{k+1}),

so that `lambda / nu` alone decides there, and `mu` does not. With an active hinge, mode 2 enters at
`T = p_1 = lambda (r_1 - r_2) / (2 nu)`, where

    mu = 2 sqrt(p_1/d_1 + epsilon) (2 lambda (1 - r_2) - 4 nu p_1 / d_1).

Assumption: equal shares are attained and optimal, which `rotation_minimised` checks at each of these points;
`Sigma = 1` is the choice of coordinates. No word of `W = 0`: VICReg's series there reaches `P_jj < epsilon` only.
"""

import numpy as np
import sympy as sp

import symscape as ss

lambda_, mu, nu, epsilon = sp.symbols("lambda mu nu epsilon", positive=True)
T, p, r = sp.Symbol("TrP", positive=True), sp.Symbol("p_i", nonnegative=True), sp.Symbol("r_i", real=True)
R = [0.95, 0.85, 0.7, 0.5]


def prove(proof: ss.Proof) -> None:
    """Read the slope off the regimes of the hinge, and count modes on both sides of each end."""
    proof.text("Stationarity at equal shares, regime by regime of the hinge: mu acts only while it is active.")
    active, kink, _ = ss.hinge_regimes(ss.VICReg.symbolic())
    h = mu / (2 * sp.sqrt(T / ss.d_1 + epsilon))
    slope = 2 * lambda_ * (1 - r) + 4 * nu * p - 4 * nu * T / ss.d_1
    proof.exact("active hinge: d_1 dL/dp is", sp.expand(ss.d_1 * active.stationarity), sp.expand(slope - h))
    eta = sp.Symbol("eta", real=True)
    proof.exact(
        "at the kink: d_1 dL/dp is, eta the multiplier",
        sp.expand(ss.d_1 * kink.stationarity),
        sp.expand(slope - ss.d_1 * eta),
    )
    proof.exact("with eta between", kink.multiplier, (sp.S.Zero, mu / (2 * ss.d_1)))

    proof.text(
        "Two kept modes have the same h and T: their slopes differ by 2 lambda (r_j - r_i) + 4 nu (p_i - p_j) = 0."
    )
    found = ss.rotation_minimised(ss.VICReg(lambda_=22), R, 4)
    proof.exact("at lambda = 22, mu = 25, nu = 1 VICReg keeps", found.surviving, 2)
    proof.digits("p_1 - p_2 there is lambda (r_1 - r_2) / (2 nu)", found.p[0] - found.p[1], 22 * (R[0] - R[1]) / 2, 8)
    proof.digits("and Tr P is d_1 (1 - epsilon), the kink", found.p.sum(), 4 * (1 - 1e-4), 8)

    def end(k: int) -> float:
        return float(2 * 4 * (1 - 1e-4) / sum(R[i] - R[k] for i in range(k)))

    def kept(**weights: float) -> int:
        least = ss.rotation_minimised(ss.VICReg(**weights), R, 4)
        return least.surviving if least.equal_shares else -1

    proof.numeric(
        "t_2: lambda 1 % below keeps three modes, 1 % above two",
        lambda off: [kept(lambda_=side * end(2) * (1 + off)) for side in (0.99, 1.01)] == [3, 2],
        f"lambda = {end(2):.4f} at nu = 1",
    )
    proof.numeric(
        "nu enters inversely: 1 % below 25 / t_2 keeps two, 1 % above three",
        lambda off: [kept(nu=side * 25 / end(2) * (1 + off)) for side in (0.99, 1.01)] == [2, 3],
        f"nu = {25 / end(2):.4f} at lambda = 25",
    )
    strength = 25 * (R[0] - R[1]) / 2
    turn = float(2 * np.sqrt(strength / 4 + 1e-4) * (2 * 25 * (1 - R[1]) - 4 * strength / 4))
    proof.numeric(
        "active hinge: mu 1 % below keeps one mode, 1 % above two",
        lambda off: [kept(mu=side * turn * (1 + off)) for side in (0.99, 1.01)] == [1, 2],
        f"mu = {turn:.4f} at lambda = 25, nu = 1",
    )
    proof.exact(
        "once the hinge is at its kink mu does nothing: kept at mu = 50, 500", [kept(mu=50.0), kept(mu=500.0)], [2, 2]
    )


if __name__ == "__main__":
    ss.present(prove)
