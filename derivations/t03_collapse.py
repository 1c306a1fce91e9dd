"""T3. The origin decides how much collapses: complete, dimensional, or none.

Let the landscape be `const - Tr(W B W^T) + alpha Tr P^2` with `alpha > 0`, `P = W S W^T`, `S` a positive definite
moment, as for InfoNCE and the spectral contrastive loss (`S = Sigma`) and raw Barlow Twins at `lambda = 1` (`S = A_0`),
with weight decay or not. Let `n_+` be the number of positive eigenvalues of B. Then the Hessian at `W = 0` has
`d_1 n_+` negative eigenvalues, and at the global minimum `min(d_1, n_+)` modes survive:

    B <= 0                      (complete collapse: the origin is the minimum)
    0 < n_+ < min(d_0, d_1)     (dimensional collapse: the origin is a saddle)
    n_+ >= min(d_0, d_1)        (no collapse: the origin is a saddle, or a maximum where B > 0)

The strengths need the pencil `B u = b S u`; the count does not, whether or not B and S commute (Sylvester's law of
inertia).

What differs from the paper: signs decide for this form of the quartic part; with `(Tr P)^2` they do not
(T4.trace-squared), and in VICReg they decide for `P_jj < epsilon` only (T9).
Local: the landscape of order 4; exact for the spectral contrastive loss and for raw Barlow Twins.
"""

import numpy as np
import sympy as sp
from scipy.optimize import minimize

import symscape as ss

tau, gamma = sp.symbols("tau gamma", positive=True)
n_above = sp.Symbol("n_above", integer=True, nonnegative=True)


def prove(proof: ss.Proof) -> None:
    """Read the conditions from the origin, and meet them by descent from random weights."""
    land = ss.landscape(ss.InfoNCE(tau=tau) + ss.WeightDecay(gamma))

    proof.text("At W = 0 each of d_1 rows has the Hessian -2 B, so each positive eigenvalue of B is d_1 ways down.")
    origin = ss.stationary_points(land).family(())
    proof.exact("the index of the origin is", origin.index, ss.d_1 * n_above)
    proof.exact("it is the minimum where", origin.minimum, sp.Le(sp.Symbol("b_0", real=True), 0))

    proof.text(
        "A mode of b > 0 lowers L by b p - alpha p^2, by b^2/(4 alpha) at most; the d_1 largest are worth most (T4). "
        "For B = A_0/tau - gamma the sign of b_k is that of lambda_k/tau - gamma, lambda_k an eigenvalue of A_0."
    )
    found = ss.threshold(land, gamma)
    lambda_0, lambda_k = sp.symbols("lambda_0 lambda_k", real=True)
    proof.exact("mode k < d_1 survives where", found.any_mode.solved, sp.Lt(gamma, lambda_k / tau))
    proof.exact("collapse is complete where", found.complete.solved, sp.Ge(gamma, lambda_0 / tau))

    proof.text("With numbers: A_0 and Sigma that do not commute, and B by itself, without Sigma, for the count n_+.")
    A0 = np.array([[2.0, 0.6, 0.1], [0.6, 1.0, 0.3], [0.1, 0.3, 0.4]])
    Sigma = A0 + np.array([[1.0, -0.3, 0.2], [-0.3, 2.0, 0.4], [0.2, 0.4, 0.5]])
    decays, d1 = (0.05, 0.5, 1.5, 3.0), 2
    positive = [int((np.linalg.eigvalsh(A0 - g * np.eye(3)) > 0).sum()) for g in decays]
    reports = [ss.collapse(land, A0, Sigma, d1=d1, tau=1, gamma=g) for g in decays]
    proof.exact("the number of positive eigenvalues of B, as gamma grows, is", positive, [3, 2, 1, 0])
    proof.exact("min(2, n_+) modes survive", [r.surviving for r in reports], [min(d1, n) for n in positive])
    proof.exact("collapse is", [r.kind for r in reports], ["none", "none", "dimensional", "complete"])
    origins = [ss.stationary_points(land, A0, Sigma, d1=d1, tau=1, gamma=g).family(()) for g in decays]
    proof.exact("the index of the origin is 2 n_+", [o.index for o in origins], [d1 * n for n in positive])
    # Where every eigenvalue of B is positive there is no way up either: the origin is then a maximum.
    proof.exact("the origin is a", [o.kind for o in origins], ["maximum", "saddle", "saddle", "minimum"])

    proof.text(
        "Witness: descent from random W, which knows nothing of modes, ends where that many directions are left."
    )
    f, rng = land.numpy(), np.random.default_rng(0)
    ranks, values = [], []
    for g in decays:
        given = {"A0": A0, "Sigma": Sigma, "tau": 1.0, "gamma": g}
        end = minimize(
            lambda v, given=given: f(v.reshape(2, 3), **given),
            rng.standard_normal(6),
            jac=lambda v, given=given: f.gradient(v.reshape(2, 3), **given).ravel(),
            options={"gtol": 1e-10},
        )
        P = end.x.reshape(2, 3) @ Sigma @ end.x.reshape(2, 3).T
        ranks.append(int((np.linalg.eigvalsh(P) > 1e-6).sum()))
        values.append(end.fun)
    proof.exact("the rank of P where it ends is", ranks, [r.surviving for r in reports])
    proof.digits("its value is", values, [r.loss for r in reports], 9)


if __name__ == "__main__":
    ss.present(prove)
