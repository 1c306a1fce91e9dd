"""X1. InfoNCE over Gaussian views, without truncation: the negatives are integrated exactly.

Views are jointly Gaussian with mean zero, augmented alike, `n = oo`. For every W, with `P = W Sigma W^T`,
`M = W A_0 W^T`,

    L(W) = Tr(P - M) / tau - (1/2) log det(1 + P / tau) - (1/2) Tr P (tau + P)^{-1},

in which only `Tr M` is not a function of P. Aligned with the modes, `A_0 u = r Sigma u`,

    L = sum_i [ (1 - r_i) p_i / tau - (1/2) log(1 + p_i / tau) - p_i / (2 (tau + p_i)) ],

and by von Neumann's trace inequality no W of the same spectrum p lies lower than the aligned one that gives the largest
r to the largest p. So this is the whole landscape, at any distance from `W = 0`: T1 is its beginning.

Assumption beyond T1: the views are Gaussian at every order, and the features are the Gaussian ones, not a network's.
"""

import mpmath as mp
import numpy as np
import sympy as sp

import symscape as ss

tau = sp.Symbol("tau", positive=True)
p, r = sp.Symbol("p_i", nonnegative=True), sp.Symbol("r_i", real=True)
x, chi = sp.symbols("x chi", real=True)
v = sp.Symbol("v", positive=True)


def prove(proof: ss.Proof) -> None:
    """Integrate the negative, then the anchor; compare with a double integral and with sampled batches."""
    proof.text("One output of variance v: the negative is a Gaussian integral of e^{-(x - chi)^2 / (2 tau)}.")
    density = sp.exp(-(chi**2) / (2 * v)) / sp.sqrt(2 * sp.pi * v)
    mean = sp.integrate(sp.exp(-((x - chi) ** 2) / (2 * tau)) * density, (chi, -sp.oo, sp.oo))
    by_hand = sp.exp(-(x**2) / (2 * (tau + v))) / sp.sqrt(1 + v / tau)
    proof.exact("E_chi is e^{-x^2 / (2 (tau + v))} / sqrt(1 + v / tau)", sp.simplify(mean / by_hand), sp.S.One)

    proof.text(
        "Its logarithm is quadratic in x, and E x^2 = v. The positive adds E|x - x'|^2 / (2 tau) = (1 - r) v / tau."
    )
    closed = ss.closed_form(ss.InfoNCE(tau=tau))
    ((_, summand),) = closed.sums.items()
    claimed = (1 - r) * p / tau - sp.log(1 + p / tau) / 2 - p / (2 * (tau + p))
    proof.exact("a mode adds", summand, claimed)
    modes = [
        claimed.subs({p: sp.Symbol(f"p_{k}", nonnegative=True), r: sp.Symbol(f"r_{k}", real=True)}) for k in (0, 1)
    ]
    proof.exact("modes add up, with nothing between them", closed.expr(2), modes[0] + modes[1])

    proof.text("A double integral by quadrature, at p = 3 and tau = 1/2, far from W = 0: p / tau = 6.")
    nodes, heights = np.polynomial.hermite_e.hermegauss(16)

    def log_mean(at: float) -> mp.mpf:
        peak, width = at * 3 / mp.mpf(3.5), mp.sqrt(1.5 / mp.mpf(3.5))
        kernel = lambda z: mp.exp(-((at - z) ** 2) - z * z / 6) / mp.sqrt(6 * mp.pi)  # noqa: E731
        return mp.log(mp.quad(kernel, [peak - 9 * width, peak, peak + 9 * width]))

    spread = sum(h * log_mean(np.sqrt(3) * z) for z, h in zip(nodes, heights / heights.sum(), strict=True))
    expected = summand.subs({p: 3, r: sp.Rational(3, 5), tau: sp.Rational(1, 2)}).evalf(20)
    proof.digits("the loss at r = 3/5 is", 3 * (1 - mp.mpf(3) / 5) / mp.mpf(0.5) + spread, expected, 12)

    proof.text(
        "A W that is not aligned: P enters through its eigenvalues, M through its trace. Batches of N rows have a bias "
        "of O(1/N) from the log of a mean: 2 gap(N) - gap(N/2) is free of it, a gap being the loss less the formula at "
        "its own moments."
    )
    rng = np.random.default_rng(7)
    root, noise, W = rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), rng.normal(size=(2, 3))
    W *= np.sqrt(3.5 / np.linalg.eigvalsh(W @ (root @ root.T + noise @ noise.T) @ W.T)[-1])
    f = sp.lambdify((p, r, tau), summand)

    def formula(P: np.ndarray, M: np.ndarray) -> float:
        return float(f(np.linalg.eigvalsh(P), 0.0, 0.5).sum() - np.trace(M) / 0.5)

    def gap(fa: np.ndarray, fb: np.ndarray) -> float:
        apart = (fa**2).sum(1)[:, None] + (fb**2).sum(1) - 2 * fa @ fb.T  # |f - f'|^2 / (2 tau) at tau = 1/2
        P, M = (fa.T @ fa + fb.T @ fb) / (2 * len(fa)), (fa.T @ fb + fb.T @ fa) / (2 * len(fa))
        return float(np.diag(apart).mean() + np.log(np.exp(-apart).mean(1)).mean() - formula(P, M))

    gaps = []
    for _ in range(150):
        datum = rng.normal(size=(400, 3)) @ root.T
        fa, fb = ((datum + rng.normal(size=(400, 3)) @ noise.T) @ W.T for _ in range(2))
        gaps.append(2 * gap(fa, fb) - (gap(fa[:200], fb[:200]) + gap(fa[200:], fb[200:])) / 2)
    whole = formula(W @ (root @ root.T + noise @ noise.T) @ W.T, W @ root @ root.T @ W.T)
    proof.sampled("sampled batches at a random W", whole + np.mean(gaps), np.std(gaps) / np.sqrt(len(gaps)), whole)


if __name__ == "__main__":
    ss.present(prove)
