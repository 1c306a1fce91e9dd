"""X1. Exact InfoNCE with weight decay: the pencil (B, Sigma) takes the place of r, whether or not B commutes with Sigma.

With weight decay `gamma` the quadratic part is `-Tr(W B W^T)`, `B = A_0 / tau - gamma`, and the rest of the closed form
is a function of P alone. So with `B u = b Sigma u` everything of X1.trained-spectrum holds with `tau b` in place of r:

    y^2 + y = 2 (1 - tau b),    p = tau (1 / y - 1),    kept exactly for 0 < b < 1 / tau.

A mode survives where `b > 0`, and by Sylvester's law as many b are positive as eigenvalues of `A_0` exceed `gamma tau`:
the thresholds of order 4 (T5) are exact. At `r = 1` the loss falls for ever without weight decay, and any `gamma > 0`
gives it a minimum: along such a mode, `a` the eigenvalue of `A_0 = Sigma`, `p` tends to `a / (2 gamma)` as
`gamma -> 0`.

Assumption: Gaussian views at every order.
"""

import numpy as np
import sympy as sp
from scipy.linalg import eigh
from scipy.optimize import minimize

import symscape as ss

tau, gamma, a = sp.symbols("tau gamma a", positive=True)
p, b = sp.Symbol("p_i", nonnegative=True), sp.Symbol("b_i", real=True)


def prove(proof: ss.Proof) -> None:
    """Write the closed form over the pencil, solve it, and descend where nothing commutes."""
    loss = ss.InfoNCE(tau=tau) + ss.WeightDecay(gamma)
    B = ss.landscape(loss).hessian.B
    proof.exact("B is", B, ss.A_0 / tau - gamma * sp.Identity(ss.d_0))
    closed = ss.closed_form(loss, pencil=True)
    ((_, summand),) = closed.sums.items()
    claimed = p / tau - sp.log(1 + p / tau) / 2 - p / (2 * (tau + p)) - b * p
    proof.exact("a mode of the pencil adds", summand, claimed)

    proof.text("The slope is 1/tau - b - (y + y^2) / (2 tau): that of X1.trained-spectrum with tau b for r.")
    found = ss.mode_minimiser(closed)
    y = (sp.sqrt(9 - 8 * tau * b) - 1) / 2
    proof.exact("p is", found.p, tau * (1 / y - 1))
    proof.exact("it exists where", found.exists, sp.And(b > 0, b < 1 / tau))
    threshold = ss.threshold(ss.landscape(loss), gamma).mode(0).critical
    proof.exact("b_0 > 0 is, by Sylvester, gamma below", threshold, sp.Symbol("lambda_0", real=True) / tau)

    proof.text(
        "r = 1: A_0 = Sigma = a along the mode, so that b = 1/tau - gamma/a, and tau b = 1 - tau gamma / a is below 1."
    )
    untouched = found.p.subs(b, 1 / tau - gamma / a)
    proof.exact("gamma p tends to", sp.limit(gamma * untouched, gamma, 0, "+"), a / 2)

    proof.text("Descent over all W, 2 x 3, with B and Sigma that do not commute.")
    rng = np.random.default_rng(5)
    root, noise = rng.normal(size=(2, 3, 3))
    A0, Sigma = root @ root.T, root @ root.T + noise @ noise.T
    temperature, decay = 0.5, 0.05
    matrix = A0 / temperature - decay * np.eye(3)
    eigenvalues = eigh(matrix, Sigma, eigvals_only=True)[::-1]

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        W = flat.reshape(2, 3)
        P, one = W @ Sigma @ W.T / temperature, np.eye(2)
        inverse = np.linalg.inv(one + P)
        value = np.trace(P) - np.linalg.slogdet(one + P)[1] / 2 - np.trace(P @ inverse) / 2 - np.sum((W @ matrix) * W)
        slope = 2 * one - inverse - inverse @ inverse
        return value, (slope @ W @ Sigma / temperature - 2 * W @ matrix).ravel()

    starts = rng.normal(size=(3, 6)) / 3
    best = min((minimize(objective, s, jac=True, options={"gtol": 1e-10}) for s in starts), key=lambda end: end.fun)
    W = best.x.reshape(2, 3)
    minimum = closed.minimum(b=eigenvalues, d1=2, tau=temperature)
    proof.digits("the least value is", best.fun, minimum.value, 8)
    spectrum = np.linalg.eigvalsh(W @ Sigma @ W.T)[::-1]
    predicted = [found.strength(value, tau=temperature) for value in eigenvalues[:2]]
    proof.digits("the trained spectrum is", spectrum, predicted, 6)

    proof.text("2 % on either side of the second threshold, gamma = lambda_2 / tau, at any distance from W = 0.")
    second = np.sort(np.linalg.eigvalsh(A0))[::-1][1] / temperature

    def loses_one(off: float) -> bool:
        kept = []
        for side in (0.98, 1.02):
            pencil = eigh(A0 / temperature - side * second * (1 + off) * np.eye(3), Sigma, eigvals_only=True)[::-1]
            kept.append(closed.minimum(b=pencil, tau=temperature).surviving)
        return kept == [2, 1]

    proof.numeric("modes kept go from 2 to 1", loses_one, f"gamma = {second:.4f}")


if __name__ == "__main__":
    ss.present(prove)
