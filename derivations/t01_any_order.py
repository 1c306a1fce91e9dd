"""T1. Landscapes at any even order: InfoNCE in closed form, NT-Xent at order 6.

Views are jointly Gaussian with mean zero and augmented alike. A loss of inner products is even in W, and its part of
any degree `2k` is a polynomial in traces of words of `P = W Sigma W^T` and `M = W A_0 W^T`. For InfoNCE with many
negatives

    L = -Tr M/tau + sum_{k >= 2} (-1)^k (k + 1)/(2 k tau^k) Tr P^k           (squared distances),
    L = -Tr M/tau + Tr P^2/(2 tau^2), and no further terms                   (dot products).

Smooth NT-Xent has eight words of degree 6, checked against four-fold integrals in which no factors are paired.

Local: the first series converges where the eigenvalues of P are below `tau`; a higher order extends no landscape beyond
that.
"""

from itertools import product

import mpmath as mp
import numpy as np
import sympy as sp

import symscape as ss
from symscape import A_0, Sigma, W

tau, p = sp.symbols("tau p", positive=True)
f, c = sp.symbols("f c", real=True)


def prove(proof: ss.Proof) -> None:
    """Integrate the negatives, expand the result to order 12, and meet NT-Xent at order 6 by quadrature."""
    P, M = W * Sigma * W.T, W * A_0 * W.T

    proof.text("Along an eigenvector of P the negatives are N(0, p), and the integral over them is Gaussian.")
    kernel = sp.exp(-((f - c) ** 2) / (2 * tau)) * sp.exp(-(c**2) / (2 * p)) / sp.sqrt(2 * sp.pi * p)
    integral = sp.simplify(sp.integrate(kernel, (c, -sp.oo, sp.oo)))
    completed = sp.exp(-(f**2) / (2 * (tau + p))) / sp.sqrt(1 + p / tau)
    proof.exact("completing the square, E_chi e^{-(f - chi)^2/(2 tau)} is", integral, completed)

    proof.text(
        "It is quadratic in f, so E f^2 = p is all that is left to know; with the positive's Tr P/tau, each eigenvalue "
        "adds g(q) = q - log(1 + q)/2 - q/(2 (1 + q)), q = p/tau."
    )
    q = sp.Symbol("q")
    g = sp.series(q - sp.log(1 + q) / 2 - q / (1 + q) / 2, q, 0, 7).removeO()
    coefficients = [sp.Rational((-1) ** k * (k + 1), 2 * k) for k in range(2, 7)]
    proof.exact("g has no linear term, and then (-1)^k (k + 1)/(2 k) q^k",
                [g.coeff(q, k) for k in range(1, 7)], [sp.S.Zero, *coefficients])  # fmt: skip

    proof.text("The engine knows nothing of this integral: it contracts moments word by word.")
    push = sum(a * sp.Trace(P**k) / tau**k for k, a in enumerate(coefficients, 2))
    proof.exact("InfoNCE at order 12 is", ss.landscape(ss.InfoNCE(tau=tau), order=12), push - sp.Trace(M) / tau)

    proof.text("With dot products E_chi e^{f.chi/tau} = e^{f^T P f/(2 tau^2)}: the logarithm is quadratic.")
    dot = ss.landscape(ss.InfoNCE(tau=tau, similarity="dot"), order=12)
    proof.exact("at order 12 it is that of order 4", dot, -sp.Trace(M) / tau + sp.Trace(P * P) / (2 * tau**2))

    proof.text(
        "NT-Xent, d1 = 2, P = t diag(2, 1), M = t K: the coefficient of t^3 integrates polynomials of degree 6, for "
        "which Gauss-Hermite quadrature with 4 nodes a variable is exact."
    )
    land = ss.landscape(ss.NTXent(tau=tau, epsilon=1), order=6)
    # Two words with Tr P alone carry 1/tau^2, from (f.chi)^2; the six with M carry 1/tau, from the positive.
    powers = sorted(sp.degree(1 / c, tau) for _, c in land.part(6).terms)
    proof.exact("the words of degree 6 carry the powers 1/tau and 1/tau^2", powers, [1] * 6 + [2] * 2)
    S, K = np.diag([2.0, 1.0]), np.array([[1.0, 0.3], [0.3, 0.4]])
    # x = root(P) u, and given x the other view is M P^-1 x + spread v, spread spread^T = P - M P^-1 M.
    root, spread = np.sqrt(S), np.linalg.cholesky(S - K @ np.linalg.inv(S) @ K)
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)
    line = list(zip(nodes, weights / weights.sum(), strict=True))
    plane = [(np.array([u, v]), a * b) for (u, a), (v, b) in product(line, line)]
    mapped = K @ np.linalg.inv(S) @ root
    independent = [[(q, root @ u, root @ v) for v, q in plane] for u, _ in plane]
    paired = [(a * b, root @ u, mapped @ u + spread @ v) for (u, a), (v, b) in product(plane, plane)]

    def similarity(t: mp.mpf, u: np.ndarray, v: np.ndarray) -> mp.mpf:
        return t * float(u @ v) / mp.sqrt((t * float(u @ u) + 1) * (t * float(v @ v) + 1))

    def loss_at(t: mp.mpf, tau: float = 0.75) -> mp.mpf:
        pull = mp.fsum(w * similarity(t, u, v) for w, u, v in paired) / tau
        means = [mp.fsum(w * mp.exp(similarity(t, u, v) / tau) for w, u, v in row) for row in independent]
        return mp.fsum(w * mp.log(mean) for (_, w), mean in zip(plane, means, strict=True)) - pull

    derived = [land.part(k).numpy()(np.eye(2), A0=K, Sigma=S, tau=0.75) for k in (2, 4, 6)]
    proof.digits("its parts of degree 2, 4, 6 are those of the integral", derived, mp.taylor(loss_at, 0, 3)[1:], 11)


if __name__ == "__main__":
    ss.present(prove)
