"""T1. The landscape of NT-Xent with a smooth normalisation at order 4.

The similarity is the cosine smoothed at the origin,
`s(u, v) = f(u).f(v) / sqrt((|f(u)|^2 + epsilon) (|f(v)|^2 + epsilon))`; views are jointly Gaussian with mean zero,
augmented alike, and negatives are many. With `P = W Sigma W^T` and `M = W A_0 W^T`,

    L = -E s(x, x')/tau + E_x log E_chi e^{s(x, chi)/tau}
      = -Tr M/(tau epsilon) + (Tr P Tr M + 2 Tr P M)/(tau epsilon^2) + Tr P^2/(2 tau^2 epsilon^2) + O(W^6).

Unlike InfoNCE it has words of `P` and `M` together: normalisation sets a scale that all modes share.

What differs from the paper: the cosine itself, `epsilon = 0`, is scale-invariant and has no landscape around `W = 0`.
Local: the series of `s` needs `|f|^2 < epsilon`, so the landscape is asymptotic as `P -> 0`; away from it see T7.
"""

from itertools import product

import mpmath as mp
import numpy as np
import sympy as sp

import symscape as ss
from symscape import A_0, Sigma, W

tau, epsilon = sp.symbols("tau epsilon", positive=True)
x, xp, chi = ss.anchor, ss.positive, ss.negative


def prove(proof: ss.Proof) -> None:
    """Expand the cosine, average the two terms, add them, and integrate the loss by quadrature as a witness."""
    P, M, tr = W * Sigma * W.T, W * A_0 * W.T, sp.Trace

    proof.text("The cosine itself does not change under W -> c W: it is a function of the direction, singular at 0.")
    of_cosine = ss.facts(ss.NTXent(tau=tau))
    proof.exact("it is scale-invariant, and analytic", (of_cosine.scale_invariant, of_cosine.analytic), (True, False))

    proof.text(
        "Smoothed, s = f(u).f(v)/epsilon (1 - (|f(u)|^2 + |f(v)|^2)/(2 epsilon) + ...), so the positive needs two "
        "averages."
    )
    proof.exact("E f(x).f(x') is", ss.landscape(ss.Loss(ss.E(ss.dot(x, xp)))), tr(M))
    # Isserlis: |f(x)|^2 and f(x).f(x') average apart, or each f(x) of the norm pairs with one of the two factors.
    weighted = ss.landscape(ss.Loss(ss.E(ss.sqnorm(x) * ss.dot(x, xp))))
    proof.exact("E |f(x)|^2 f(x).f(x') is", weighted, tr(P) * tr(M) + 2 * tr(P * M))
    cosine = ss.dot(x, xp) / sp.sqrt(ss.sqnorm(x) + epsilon) / sp.sqrt(ss.sqnorm(xp) + epsilon)
    pull = -tr(M) / (tau * epsilon) + (tr(P) * tr(M) + 2 * tr(P * M)) / (tau * epsilon**2)
    proof.exact("so the pull of the positive is", ss.landscape(ss.Loss(-ss.E(cosine) / tau)), pull)

    proof.text(
        "The negatives: E_chi s vanishes with the mean, so log E_chi e^{s/tau} starts at E_chi s^2/(2 tau^2), where s "
        "= f(x).f(chi)/epsilon is enough."
    )
    cosine = ss.dot(x, chi) / sp.sqrt(ss.sqnorm(x) + epsilon) / sp.sqrt(ss.sqnorm(chi) + epsilon)
    push = ss.landscape(ss.Loss(ss.E(sp.log(ss.E(sp.exp(cosine / tau), over=chi)))))
    proof.exact("the push of the negatives is", push, tr(P * P) / (2 * tau**2 * epsilon**2))

    land = ss.landscape(ss.NTXent(tau=tau, epsilon=epsilon))
    proof.exact("the landscape is", land, pull + tr(P * P) / (2 * tau**2 * epsilon**2))
    proof.exact("so B, of the quadratic part -Tr(W B W^T), is", land.hessian.B, A_0 / (tau * epsilon))

    proof.text(
        "Witness: for d1 = 1, P = t and M = r t the loss is an integral over (u, u') of correlation r and over v; its "
        "coefficients integrate polynomials of degree 4, for which 4 nodes a variable are exact."
    )
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)
    line = [(u, w / sum(weights)) for u, w in zip(nodes.tolist(), weights.tolist(), strict=True)]

    def loss_at(p: mp.mpf, tau: float = 0.75, epsilon: float = 1.25, r: float = 0.625) -> mp.mpf:
        def s(u: float, v: float) -> mp.mpf:
            return p * u * v / mp.sqrt((p * u * u + epsilon) * (p * v * v + epsilon))

        pull = mp.fsum(a * b * s(u, r * u + mp.sqrt(1 - r * r) * v) for (u, a), (v, b) in product(line, line)) / tau
        return mp.fsum(a * mp.log(mp.fsum(b * mp.exp(s(u, v) / tau) for v, b in line)) for u, a in line) - pull

    given = {"A0": [[0.625]], "Sigma": [[1.0]], "tau": 0.75, "epsilon": 1.25}
    derived = [land.part(k).numpy()([[1.0]], **given) for k in (2, 4)]
    proof.digits("its parts of degree 2 and 4 are those of the integral", derived, mp.taylor(loss_at, 0, 2)[1:], 12)


if __name__ == "__main__":
    ss.present(prove)
