"""T1. The landscape of InfoNCE at order 4.

Views x, x' of a datum and chi of an independent one are jointly Gaussian with mean zero, and augmented alike. For the
squared-Euclidean InfoNCE with n = oo negatives, f = W phi,

    L = -Tr M / tau + (3 / (4 tau^2)) Tr P^2 + O(W^6),    P = W Sigma W^T,  M = W A_0 W^T.

Degree 2 needs second moments only; degree 4 needs that the views are Gaussian.
"""

import sympy as sp

import symscape as ss
from symscape import A_0, Sigma, W

tau = sp.Symbol("tau", positive=True)
x, xp, chi = ss.anchor, ss.positive, ss.negative


def prove(proof: ss.Proof) -> None:
    """Expand the two terms, and add them."""
    P, M = W * Sigma * W.T, W * A_0 * W.T

    proof.text("The positive pulls: its squared distance is quadratic in W, so its expectation is exact.")
    pull = ss.landscape(ss.Loss(ss.E(ss.sqdist(x, xp)) / (2 * tau)))
    proof.exact("the pull of the positive is", pull, (sp.Trace(P) - sp.Trace(M)) / tau)

    proof.text("The negatives push: E_chi e^{-|f(x)-f(chi)|^2/(2 tau)} is expanded, then its logarithm, then E_x.")
    push = ss.landscape(ss.Loss(ss.E(sp.log(ss.E(sp.exp(-ss.sqdist(x, chi) / (2 * tau)), over=chi)))))
    proof.exact("the push of the negatives is", push, -sp.Trace(P) / tau + 3 * sp.Trace(P * P) / (4 * tau**2))

    proof.text("In the sum Tr P cancels: augmentation C = Sigma - A_0 leaves the quadratic part.")
    land = ss.landscape(ss.InfoNCE(tau=tau))
    proof.exact("the landscape is", land, -sp.Trace(M) / tau + 3 * sp.Trace(P * P) / (4 * tau**2))
    proof.exact("so B, of the quadratic part -Tr(W B W^T), is", land.hessian.B, A_0 / tau)


if __name__ == "__main__":
    ss.present(prove)
