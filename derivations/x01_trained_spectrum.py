"""X1. The trained spectrum of InfoNCE over Gaussian views, exactly: every mode with 0 < r < 1 is kept, if outputs suffice.

The landscape of X1.closed-form is strictly convex in each `p_i >= 0`, so each set of at most min(d0, d1) modes with
`r_i > 0` has one stationary spectrum, and there are no other stationary points, ties of r apart. With
`y = 1 / (1 + p / tau)` a kept mode solves

    y^2 + y = 2 (1 - r),    y = (sqrt(9 - 8 r) - 1) / 2,    p = tau (1 / y - 1),    0 < r < 1.

The k largest r are kept at the minimum; with a positive r left out, every other point is a saddle. At the ends

    p = (2/3) tau r + O(r^2)  (r -> 0, the spectrum of order 4),      p (1 - r) -> tau / 2  (r -> 1):

at `r = 1`, a mode that augmentation does not touch, the loss falls for ever. With `A_0` positive definite and C too,
every r lies in (0, 1) at any augmentation strength: no collapse in the setting of Jing et al., 2021, away from `W = 0`
also.

Assumption: Gaussian views at every order. At `r = 1/2` order 4 gives p short by 46 %.
"""

import numpy as np
import sympy as sp
from scipy.optimize import minimize

import symscape as ss

tau = sp.Symbol("tau", positive=True)
p, r = sp.Symbol("p_i", nonnegative=True), sp.Symbol("r_i", real=True)
y = sp.Symbol("y", positive=True)


def prove(proof: ss.Proof) -> None:
    """Show that the points are aligned, solve for one mode, prove convexity, and descend from random W."""
    closed = ss.closed_form(ss.InfoNCE(tau=tau))
    ((_, summand),) = closed.sums.items()

    proof.text(
        "In canonical coordinates L = F(P) - Tr(W R W^T) / tau, P = W W^T, R = diag(r): F'(P) W = W R / tau where it "
        "is stationary. From the left by W^T: G F'(G) = G R / tau for G = W^T W, so that G R is symmetric: G commutes "
        "with R. So W is aligned. Along a mode, 1/(2 (tau + p)) and tau/(2 (tau + p)^2) are y/(2 tau) and y^2/(2 tau):"
    )
    slope = sp.diff(summand, p)
    proof.exact(
        "dL/dp is (2 (1 - r) - y - y^2) / (2 tau)",
        slope.subs(p, tau * (1 / y - 1)),
        (2 * (1 - r) - y - y**2) / (2 * tau),
    )
    proof.exact("at p = 0, y = 1, it is", slope.subs(p, 0), -r / tau)
    bend = 1 / (2 * (tau + p) ** 2) + tau / (tau + p) ** 3
    proof.exact("d2L/dp2, positive for every p, is", sp.diff(summand, p, 2), bend)

    proof.text("y in (0, 1) is p > 0; y^2 + y runs from 0 to 2 there, and meets 2 (1 - r) once, exactly for 0 < r < 1.")
    found = ss.mode_minimiser(closed)
    root = (sp.sqrt(9 - 8 * r) - 1) / 2
    proof.exact("p is", found.p, tau * (1 / root - 1))
    proof.exact("it exists where", found.exists, sp.And(r > 0, r < 1))
    proof.exact("it is the only one", (found.unique, found.diverges_at), (True, 1))
    proof.exact("as r -> 0, p / r goes to", sp.limit(found.p / r, r, 0, "+"), 2 * tau / 3)
    proof.exact("as r -> 1, p (1 - r) goes to", sp.limit(found.p * (1 - r), r, 1, "-"), tau / 2)
    golden = (1 + sp.sqrt(5)) / 2
    value = 1 / (2 * golden**3) - sp.log(golden) / 2  # 1 + p / tau = 1 / y is the golden ratio
    proof.digits("at r = 1/2 the value of the mode is", found.value.subs(r, 0.5).evalf(), value.evalf(), 12)
    table = ss.truncation_table(ss.InfoNCE(tau=tau), [0.5], order=4, tau=1)
    short = (1 / (3 * (golden - 1)) - 1).evalf(20)
    proof.digits("there order 4 errs in p by", table.relative_error[0], short, 10)

    proof.text("Descent over all W, 2 x 4, from a random start, in coordinates where nothing is diagonal.")
    rng = np.random.default_rng(3)
    root_s, noise = rng.normal(size=(2, 4, 4))
    A0, Sigma = root_s @ root_s.T, root_s @ root_s.T + noise @ noise.T

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        W = flat.reshape(2, 4)
        P, M, one = W @ Sigma @ W.T, W @ A0 @ W.T, np.eye(2)
        inverse = np.linalg.inv(one + P)  # tau = 1
        value = np.trace(P - M) - np.linalg.slogdet(one + P)[1] / 2 - np.trace(P @ inverse) / 2
        return value, (2 * W @ (Sigma - A0) - (inverse + inverse @ inverse) @ W @ Sigma).ravel()

    start = rng.normal(size=8)
    W = minimize(loss, start, jac=True, options={"gtol": 1e-10}).x.reshape(2, 4)
    correlations = np.sort(np.linalg.eigvals(np.linalg.solve(Sigma, A0)).real)[::-1]
    predicted = [found.strength(c, tau=1) for c in correlations[:2]]
    proof.digits("the spectrum of P at the end", np.linalg.eigvalsh(W @ Sigma @ W.T)[::-1], predicted, 6)

    proof.text("Augmentation 10^4 times as strong leaves r small and positive: nothing collapses.")
    weak = np.linalg.eigvals(np.linalg.solve(A0 + 1e4 * noise @ noise.T, A0)).real
    proof.exact("modes that survive", closed.minimum(r=np.sort(weak)[::-1], tau=1).surviving, 4)


if __name__ == "__main__":
    ss.present(prove)
