"""T1. The landscape of VICReg at order 4, while the variance hinges are active.

With `P = W Sigma W^T` centred and `M = W A_0 W^T`, `o` the product entry by entry, and `epsilon < 1`,

    L = (lambda/d_1) E |f(x) - f(x')|^2 + (mu/d_1) sum_j max(0, 1 - sqrt(P_jj + epsilon)) + (2 nu/d_1) sum_{i != j} P_ij^2
      = mu (1 - sqrt(epsilon)) + (2 lambda/d_1) (Tr P - Tr M) - mu Tr P/(2 d_1 sqrt(epsilon))
        + mu Tr P o P/(8 d_1 epsilon^(3/2)) + (2 nu/d_1) (Tr P^2 - Tr P o P) + O(W^6),

for any views with second moments. Source of the loss and of its constants: Bardes et al., 2022, and their code.

What differs from the paper: the origin of VICReg is decided by `epsilon`, which is there for the numerics of a square
root.
Local: the series converges for `P_jj < epsilon` only (`1e-4` by default), and the hinge is off where
`P_jj >= 1 - epsilon`; what VICReg does away from the origin is T9. At `epsilon >= 1` the hinge is never active.
"""

import math

import numpy as np
import sympy as sp
from sympy import HadamardProduct, Trace

import symscape as ss
from symscape import A_0, Sigma, W

lambda_, mu, nu, epsilon = sp.symbols("lambda mu nu epsilon", positive=True)
x, xp = ss.anchor, ss.positive
i, j = ss.outputs("i j")


def prove(proof: ss.Proof) -> None:
    """Expand invariance, variance and covariance, add them, and see how fast the remainder falls."""
    P, M = W * Sigma * W.T, W * A_0 * W.T

    proof.text("Invariance: E |f(x) - f(x')|^2 = E |f(x)|^2 + E |f(x')|^2 - 2 E f(x).f(x').")
    invariance = ss.landscape(ss.Loss(ss.E(ss.sqdist(x, xp))))
    proof.exact("the invariance term is", invariance, 2 * Trace(P) - 2 * Trace(M))

    proof.text(
        "Variance: at W = 0 the hinge is 1 - sqrt(epsilon) > 0, and in this branch sqrt(p + epsilon) = sqrt(epsilon) + "
        "p/(2 sqrt(epsilon)) - p^2/(8 epsilon^(3/2)) + ..."
    )
    hinge = ss.output_sum(sp.Max(0, 1 - sp.sqrt(ss.P(j, j, centred=True) + epsilon)), j)
    variance = ss.d_1 * (1 - sp.sqrt(epsilon)) - Trace(P) / (2 * sp.sqrt(epsilon))
    variance += Trace(HadamardProduct(P, P)) / (8 * sp.sqrt(epsilon) ** 3)
    proof.exact("the variance term is", ss.landscape(ss.Loss(hinge)), variance)

    proof.text("Covariance: sum_{i != j} P_ij^2 = Tr P^2 - sum_i P_ii^2.")
    covariance = ss.landscape(ss.Loss(ss.output_sum(ss.P(i, j, centred=True) ** 2, i, j, distinct=True)))
    proof.exact("the covariance term is", covariance, Trace(P * P) - Trace(HadamardProduct(P, P)))

    land = ss.landscape(ss.VICReg.symbolic())
    off_diagonal = Trace(P * P) - Trace(HadamardProduct(P, P))
    by_hand = (2 * lambda_ * (Trace(P) - Trace(M)) + mu * variance + 2 * nu * off_diagonal) / ss.d_1
    proof.exact("the landscape is", land, sp.expand(by_hand))
    B = 2 * lambda_ / ss.d_1 * A_0 + (mu / (2 * sp.sqrt(epsilon)) - 2 * lambda_) / ss.d_1 * Sigma
    proof.exact("so B, of the quadratic part -Tr(W B W^T), is", land.hessian.B, B)

    proof.text("The ledger states the branch and the reach of the series.")
    said = " ".join(a.statement for a in land.assumptions)
    wanted = ("converges for |P[j,j]| < epsilon only", "1 - sqrt(epsilon) > 0 (the regime", "any distribution")
    proof.exact("it says", [words for words in wanted if words in said], list(wanted))
    off = ss.landscape(ss.VICReg(lambda_=lambda_, mu=mu, nu=nu, epsilon=4))
    proof.exact("at epsilon >= 1 the hinge is off, and B is", off.hessian.B, 2 * lambda_ / ss.d_1 * (A_0 - Sigma))

    proof.text(
        "Witness: for W -> t W the loss itself, computed from its definition, must leave a remainder of degree 6: "
        "halving t divides it by 64, while an error in a coefficient of degree 4 would leave 16."
    )
    head = np.array([[0.6, -0.2, 0.3], [0.1, 0.5, -0.4]])
    A0 = np.array([[0.9, 0.2, 0.0], [0.2, 0.7, 0.1], [0.0, 0.1, 0.4]])
    given = {"A0": A0, "Sigma": A0 + np.diag([0.3, 0.2, 0.5]), "lambda_": 3, "mu": 2, "nu": 1, "epsilon": 0.25}

    def remainder(t: float, off: float) -> float:
        p, m = (t**2 * head @ given[name] @ head.T for name in ("Sigma", "A0"))
        spread = np.maximum(0, 1 - np.sqrt(np.diag(p) + 0.25)).sum()
        exact = (3 * 2 * np.trace(p - m) + 2 * spread + 2 * ((p**2).sum() - (np.diag(p) ** 2).sum())) / 2
        return exact - land.numpy()(t * head, **given) - off * land.part(4).numpy()(t * head, **given)

    proof.numeric("the remainder falls as t^6",
                  lambda off: abs(math.log2(remainder(0.1, off) / remainder(0.05, off)) - 6) < 0.15)  # fmt: skip


if __name__ == "__main__":
    ss.present(prove)
