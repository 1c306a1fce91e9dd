"""T1. The landscape of InfoNCE at order 4.

Views `x`, `x'` of a datum and `chi` of an independent one are jointly Gaussian with mean zero, and augmented alike. For
the squared-Euclidean InfoNCE with `n = oo` negatives and `f = W phi`,

    L = -Tr M / tau + 3/(4 tau^2) Tr P^2 + O(W^6),    P = W Sigma W^T,  M = W A_0 W^T.

With dot products as similarity the coefficient is `1/(2 tau^2)` in place of `3/(4 tau^2)`. Source: arXiv 2210.00638,
section 3.

What differs from the paper: degree 2 needs second moments only, but degree 4 needs views that are Gaussian.
Local: a series at `W = 0`, which converges where the eigenvalues of `P` are below `tau`; its own minimum lies there
(T4).
"""

from itertools import product

import mpmath as mp
import numpy as np
import sympy as sp

import symscape as ss
from symscape import A_0, Sigma, W

tau = sp.Symbol("tau", positive=True)
x, xp, chi = ss.anchor, ss.positive, ss.negative


def prove(proof: ss.Proof) -> None:
    """Expand the two terms, add them, and integrate the loss by quadrature as a witness."""
    P, M = W * Sigma * W.T, W * A_0 * W.T
    D = ss.sqdist(x, chi)

    proof.text("The positive pulls: its squared distance is quadratic in W, so its expectation is exact.")
    pull = ss.landscape(ss.Loss(ss.E(ss.sqdist(x, xp)) / (2 * tau)))
    proof.exact("the pull of the positive is", pull, (sp.Trace(P) - sp.Trace(M)) / tau)

    proof.text(
        "The negatives push with log E_chi e^{-D/(2 tau)} = -E_chi D/(2 tau) + Var_chi D/(8 tau^2) - ..., D = |f(x) - "
        "f(chi)|^2, so two averages over x are needed."
    )
    # E D = E|f(x)|^2 + E|f(chi)|^2, as chi is independent of x.
    proof.exact("the mean distance is", ss.landscape(ss.Loss(ss.E(D))), 2 * sp.Trace(P))
    # D = |f(chi)|^2 - 2 f(x).f(chi) + |f(x)|^2: the first varies by 2 Tr P^2, the second by 4 f^T P f, without covariance.
    variance = ss.Loss(ss.E(ss.E(D**2, over=chi) - ss.E(D, over=chi) ** 2))
    proof.exact("the mean variance of the distance is", ss.landscape(variance), 6 * sp.Trace(P * P))
    push = ss.landscape(ss.Loss(ss.E(sp.log(ss.E(sp.exp(-D / (2 * tau)), over=chi)))))
    proof.exact("so the push of the negatives is", push, -sp.Trace(P) / tau + 3 * sp.Trace(P * P) / (4 * tau**2))

    proof.text("In the sum Tr P cancels: augmentation C = Sigma - A_0 leaves the quadratic part.")
    land = ss.landscape(ss.InfoNCE(tau=tau))
    proof.exact("the landscape is", land, -sp.Trace(M) / tau + 3 * sp.Trace(P * P) / (4 * tau**2))
    proof.exact("so B, of the quadratic part -Tr(W B W^T), is", land.hessian.B, A_0 / tau)

    proof.text("Dot products lack |f(chi)|^2, and with it its variance 2 Tr P^2: of 3/4 the share 1/4 is gone.")
    dot = ss.landscape(ss.InfoNCE(tau=tau, similarity="dot"))
    proof.exact("with dot products the landscape is", dot, -sp.Trace(M) / tau + sp.Trace(P * P) / (2 * tau**2))

    proof.text(
        "Witness: for d1 = 2 and P = t diag(2, 1) the push is a four-fold Gaussian integral, and the coefficient of "
        "t^2 integrates a polynomial of degree 4, for which Gauss-Hermite quadrature with 4 nodes is exact."
    )
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)
    line = [(u, w / sum(weights)) for u, w in zip(nodes.tolist(), weights.tolist(), strict=True)]
    plane = [(u, v, a * b) for (u, a), (v, b) in product(line, line)]

    def push_at(t: mp.mpf, tau: float = 0.75) -> mp.mpf:
        return mp.fsum(
            w * mp.log(mp.fsum(q * mp.exp(-t * (2 * (u - r) ** 2 + (v - s) ** 2) / (2 * tau)) for r, s, q in plane))
            for u, v, w in plane
        )

    # Tr P = 3 t and Tr P^2 = 5 t^2, while (Tr P)^2 would be 9 t^2.
    expected = [-3 / mp.mpf(0.75), 3 * 5 / (4 * mp.mpf(0.75) ** 2)]
    proof.digits("the integrated push has these coefficients, too", mp.taylor(push_at, 0, 2)[1:], expected, 12)


if __name__ == "__main__":
    ss.present(prove)
