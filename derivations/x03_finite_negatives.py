"""X3. InfoNCE with n negatives at order 4, exact in n.

The positive is in the denominator, with n independent negatives; views are jointly Gaussian, augmented alike. For every
`n >= 1`,

    L = n/(n+1) (-Tr M / tau + 3 Tr P^2 / (4 tau^2))
        + n/(n+1)^2 ((Tr M)^2 / 2 + Tr M^2 / 2 - Tr M P) / tau^2 + O(W^6),

less the constant log(n + 1) of equal logits. For `n -> oo` this is T1. What finite n adds is of order `1/n`, and
couples the modes through `(Tr M)^2`: it is no landscape of the closed class of T4.

What differs from the paper: its landscape is that of `n = oo`.
Local: order 4.
"""

from itertools import product

import mpmath as mp
import numpy as np
import sympy as sp

import symscape as ss
from symscape import A_0, Sigma, W

tau = sp.Symbol("tau", positive=True)
n = sp.Symbol("n", positive=True, integer=True)
x, xp = ss.anchor, ss.positive


def prove(proof: ss.Proof) -> None:
    """Expand the logarithm of a mean of n + 1 exponentials, and compare with explicit negatives and with integrals."""
    P, M = W * Sigma * W.T, W * A_0 * W.T
    TrM, TrP, TrP2, TrM2, TrMP = (sp.Trace(word) for word in (M, P, P * P, M * M, M * P))

    proof.text(
        "Logits y_+ = -|f - f'|^2 / (2 tau) and y_j = -|f - f_j|^2 / (2 tau): L = -E y_+ + E log mean e^y, and to "
        "second order log mean e^y = mean(y) + (mean(y^2) - mean(y)^2) / 2. By Isserlis, with E y_+ = -Tr "
        "(P - M) / tau, E y_j = -Tr P / tau, the terms are those below."
    )
    # |f - f'|^2 has covariance 2 (P - M), |f - f_j|^2 has 2 P; E z^2 = (Tr C)^2 + 2 Tr C^2 for z = |g|^2, g ~ N(0, C).
    own = ((2 * (TrP - TrM)) ** 2 + 8 * (TrP2 - 2 * TrMP + TrM2)) / (4 * tau**2)
    other = ((2 * TrP) ** 2 + 8 * TrP2) / (4 * tau**2)
    # Cov(f - f_j, f - f_k) = P, Cov(f - f', f - f_j) = P - M: E |g|^2 |h|^2 = Tr C_g Tr C_h + 2 Tr C_gh C_gh^T.
    two = ((2 * TrP) ** 2 + 2 * TrP2) / (4 * tau**2)
    mixed = (4 * TrP * (TrP - TrM) + 2 * (TrP2 - 2 * TrMP + TrM2)) / (4 * tau**2)
    mean = -((TrP - TrM) + n * TrP) / ((n + 1) * tau)
    square = (own + n * other) / (n + 1)
    squared = (own + n * other + n * (n - 1) * two + 2 * n * mixed) / (n + 1) ** 2
    by_hand = (TrP - TrM) / tau + mean + (square - squared) / 2
    claimed = n / (n + 1) * (-TrM / tau + 3 * TrP2 / (4 * tau**2))
    claimed += n / (n + 1) ** 2 * (TrM**2 / 2 + TrM2 / 2 - TrMP) / tau**2
    words = {word: sp.Dummy() for word in (TrM, TrP, TrP2, TrM2, TrMP)}
    proof.exact("these add up to the theorem", sp.factor(by_hand.xreplace(words)), sp.factor(claimed.xreplace(words)))
    land = ss.landscape(ss.InfoNCE(tau=tau, n=n))
    proof.exact("and the engine, with n a symbol, derives", land, claimed)

    proof.text("Negatives written out, with no symbol n: one and two views of other data.")
    for count in (1, 2):
        negatives = [ss.View(f"chi{k}") for k in range(count)]
        ratios = [sp.exp((ss.sqdist(x, xp) - ss.sqdist(x, view)) / (2 * tau)) for view in negatives]
        own_loss = ss.Loss(ss.E(sp.log(1 + sum(ratios))) - sp.log(count + 1))
        proof.exact(f"{count} explicit", ss.landscape(own_loss), claimed.subs(n, count))
    limit = ss.equivalence(ss.InfoNCE(tau=tau, n=n), ss.InfoNCE(tau=tau), order=6, limit={n: sp.oo})
    proof.exact("as n -> oo it is T1, to order 6", limit.holds, "equal")

    proof.text(
        "One output and one negative, by quadrature: Gauss-Hermite nodes in x, x' and chi integrate the coefficients "
        "of w^2 and w^4, polynomials of degree 4, exactly; a = 0.6 and s = 1 are the moments."
    )
    nodes, heights = np.polynomial.hermite_e.hermegauss(4)
    grid = [(h1 * h2 * h3, z1, 0.6 * z1 + 0.8 * z2, z3) for (z1, h1), (z2, h2), (z3, h3)
            in product(zip(nodes, heights, strict=True), repeat=3)]  # fmt: skip
    whole = sum(cell[0] for cell in grid)

    def exact(u: mp.mpf) -> mp.mpf:
        terms = (h * mp.log((1 + mp.exp(u * ((f - g) ** 2 - (f - k) ** 2) / 2)) / 2) for h, f, g, k in grid)
        return mp.fsum(terms) / whole

    with mp.workdps(30):
        coefficients = mp.taylor(exact, 0, 2)[1:]
    numeric = ss.landscape(ss.InfoNCE(n=1))
    found = [numeric.part(k).numpy()([[1.0]], A0=[[0.6]], Sigma=[[1.0]]) for k in (2, 4)]
    proof.digits("coefficients of w^2 and w^4 at n = 1", found, coefficients, 12)


if __name__ == "__main__":
    ss.present(prove)
