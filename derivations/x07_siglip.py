"""X7. SigLIP, which no file of the package knows, goes through T1, T2, T3 and T5 as it is typed.

With `softplus(y) = log(1 + e^y)`, logits `t f(x).f(u)` and a bias -b (by default `t = 10`, `b = 10`), the loss is

    L = E softplus(-t f(x).f(x') + b) + E softplus(t f(x).f(chi) - b).

For Gaussian views of mean zero, with `s = 1 / (1 + e^{-b})` and `s' = 1 - s`,

    L = const - t s Tr M + (t^2 s s' / 2) ((Tr M)^2 + Tr M^2 + 2 Tr P^2) + O(W^6).

It rotates; it is not shift-invariant. `B = t s A_0` is free of the augmentation, so that with weight decay `gamma` a
mode leaves the origin for `gamma < t s lambda_k`; at the minimum the modes after the first compete through `(Tr M)^2`.
The default b makes the pull of the positives full, `s = 1`, and `s s' = e^{-b}` nearly: strengths are of the order
`e^b / t`, far beyond order 4.

Local: order 4.
Assumption: one positive against one negative in the mean; released code sums over all negatives of a batch, which
multiplies the second term by `N - 1`, and normalises f, as this does not. Source: Zhai et al., 2023.
"""

from itertools import product

import mpmath as mp
import numpy as np
import sympy as sp

import symscape as ss
from symscape import A_0, Sigma, W

t, b, gamma = sp.symbols("t b gamma", positive=True)
x, xp, chi, E = ss.anchor, ss.positive, ss.negative, ss.E


def prove(proof: ss.Proof) -> None:
    """Type the loss, expand softplus by hand, and integrate it by quadrature."""
    positive, negative = sp.exp(-t * ss.dot(x, xp) + b), sp.exp(t * ss.dot(x, chi) - b)
    siglip = ss.Loss(E(sp.log(1 + positive)) + E(sp.log(1 + negative)), name="SigLIP")
    land = ss.landscape(siglip)
    TrM, TrM2, TrP2 = (sp.Trace(word) for word in (W * A_0 * W.T, (W * A_0 * W.T) ** 2, (W * Sigma * W.T) ** 2))

    proof.text("softplus has the slope s at b and s' at -b, and the curvature s s' at both.")
    s, rest = sp.exp(b) / (1 + sp.exp(b)), 1 / (1 + sp.exp(b))
    curvature = [sp.diff(sp.log(1 + sp.exp(sign * b)), b, 2) for sign in (1, -1)]
    proof.exact("the curvatures", curvature, [s * rest, s * rest])

    proof.text(
        "E f.f' = Tr M and E f.f(chi) = 0; by Isserlis E (f.f')^2 = (Tr M)^2 + Tr M^2 + Tr P^2 and E (f.f(chi))^2 = Tr "
        "P^2."
    )
    proof.exact("degree 2", land.part(2), -t * s * TrM)
    proof.exact("degree 4", land.part(4), t**2 * s * rest / 2 * (TrM**2 + TrM2 + 2 * TrP2))

    proof.text("T2, T3 and T5, from the expression and its landscape.")
    facts = ss.facts(siglip)
    proof.exact("rotates, shifts", (facts.rotation_invariant, facts.shift_invariant), (True, False))
    proof.exact("B is", land.hessian.B, t * s * A_0)
    decayed = ss.landscape(siglip + ss.WeightDecay(gamma))
    threshold = ss.threshold(decayed, gamma).mode(0).critical
    proof.exact("mode 0 survives for gamma below", sp.simplify(threshold), t * s * sp.Symbol("lambda_0", real=True))
    proof.text(
        "The second mode competes through (Tr M)^2. At A_0 = diag(1, 1/2), Sigma = 1 the first has |W u|^2 = q with 4 "
        "t^2 s s' q = t s - gamma, and the second is kept for gamma < t s / 2 - t^2 s s' q / 2, or gamma < 3 t s / 7."
    )
    full, moments = 2 / (1 + np.exp(-1.3)), (np.diag([1.0, 0.5]), np.eye(2))  # t s at t = 2, b = 1.3
    sides = [side * end * full for end in (3 / 7, 1) for side in (0.99, 1.01)]

    def kept(off: float) -> list[int]:
        return [ss.collapse(decayed, *moments, d1=2, gamma=v * (1 + off), t=2, b=1.3).surviving for v in sides]

    proof.numeric("modes kept 1 % beside both", lambda off: kept(off) == [2, 1, 1, 0])

    proof.text("By quadrature, one output, lambda = 0.6, Sigma = 1: four nodes a view integrate degree 4 exactly.")
    nodes, heights = np.polynomial.hermite_e.hermegauss(4)
    grid = list(product(zip(nodes, heights / heights.sum(), strict=True), repeat=3))

    def exact(u: mp.mpf) -> mp.mpf:
        total = mp.mpf(0)
        for (f, h1), (g, h2), (k, h3) in grid:
            logits = (1.3 - 2 * u * f * (0.6 * f + 0.8 * g), 2 * u * f * k - 1.3)
            total += h1 * h2 * h3 * sum(mp.log(1 + mp.exp(logit)) for logit in logits)
        return total

    with mp.workdps(25):
        coefficients = mp.taylor(exact, 0, 2)
    found = [land.part(k).numpy()([[1.0]], A0=[[0.6]], Sigma=[[1.0]], t=2, b=1.3) for k in (0, 2, 4)]
    proof.digits("coefficients of 1, w^2 and w^4 at t = 2, b = 1.3", found, coefficients, 12)


if __name__ == "__main__":
    ss.present(prove)
