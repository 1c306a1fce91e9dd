"""X6. Contrastive losses: the weight decay, temperature, number of negatives and smoothing that keep exactly k modes.

With `lambda_1 >= lambda_2 >= ...` the eigenvalues of `A_0`, and enough outputs, InfoNCE keeps exactly k modes for

    lambda_{k+1} / tau < gamma < lambda_k / tau,    equivalently    lambda_{k+1} / gamma < tau < lambda_k / gamma,

whatever `Sigma` is, by Sylvester's law. With n negatives the first mode needs `n > gamma tau / (lambda_1 - gamma tau)`,
and the second more than its own such bound, because `(Tr M)^2` couples it to the first. NT-Xent smoothed by `epsilon`
keeps its first mode for `epsilon < lambda_1 / (gamma tau)`. A number of modes between tied eigenvalues cannot be had.

Local: for InfoNCE with `n = oo` the intervals are those of the exact loss of Gaussian views (X1.weight-decay); those in
n and `epsilon` are of order 4.
"""

import mpmath as mp
import numpy as np
import sympy as sp

import symscape as ss

gamma, tau, epsilon = sp.symbols("gamma tau epsilon", positive=True)
n = sp.Symbol("n", positive=True, integer=True)


def prove(proof: ss.Proof) -> None:
    """Design in each parameter, compare with the formulas, and count modes on both sides of the ends."""
    A0 = np.diag([3.0, 2.0, 1.0, 0.5]) + 0.2
    Sigma = A0 + np.diag([0.5, 1.0, 1.5, 2.0])  # commutes with nothing
    levels = np.linalg.eigvalsh(A0)[::-1]

    proof.text("Weight decay: B = A_0 / tau - gamma has k positive eigenvalues between two levels.")
    decayed = ss.landscape(ss.InfoNCE(tau=tau) + ss.WeightDecay(gamma))
    found = ss.inverse_design(decayed, gamma, 2, A0, Sigma, d1=4, tau=0.5)
    (interval,) = found.intervals
    proof.digits("gamma that keeps two modes at tau = 1/2", interval, [levels[2] / 0.5, levels[1] / 0.5], 7)
    (interval,) = ss.inverse_design(decayed, tau, 3, A0, Sigma, d1=4, gamma=0.3).intervals
    proof.digits("tau that keeps three modes at gamma = 0.3", interval, [levels[3] / 0.3, levels[2] / 0.3], 7)

    def keeps_two(off: float) -> bool:
        ends = [1.01 * levels[2] / 0.5, 0.99 * levels[1] / 0.5]
        return all(ss.collapse(decayed, A0, Sigma, d1=4, gamma=end * (1 + off), tau=0.5).surviving == 2 for end in ends)

    proof.numeric(
        "1 % inside both ends two modes survive", keeps_two, f"{levels[2] / 0.5:.4f} to {levels[1] / 0.5:.4f}"
    )
    flow = ss.gradient_flow(decayed, 0.1 * np.eye(4), [60.0], A0, Sigma, gamma=found.suggested, tau=0.5)
    proof.exact("gradient flow at the suggested gamma keeps", int((flow.spectra[-1] > 1e-4).sum()), 2)

    proof.text(
        "Negatives: A_0 = diag(1, 0.9), Sigma = diag(1.5, 1), gamma = 0.8, tau = 1. Beside the first mode, of weight "
        "q, the second has the slope -n/(n+1) a_1 + gamma + n/(n+1)^2 a_0 a_1 q at its own weight 0; q = (n/(n+1) a_0 "
        "- gamma)/(2 c), where c = n/(n+1) (3/4) s_0^2 + n/(n+1)^2 (a_0^2 - a_0 s_0)."
    )

    def slope(count: mp.mpf) -> mp.mpf:
        share, coupling = count / (count + 1), count / (count + 1) ** 2
        q = (share - 0.8) / (2 * (share * 0.75 * 1.5**2 + coupling * (1 - 1.5)))
        return -share * 0.9 + 0.8 + coupling * 0.9 * q

    negatives = ss.landscape(ss.InfoNCE(n=n) + ss.WeightDecay(gamma))
    small, wide = np.diag([1.0, 0.9]), np.diag([1.5, 1.0])
    (interval,) = ss.inverse_design(negatives, n, 1, small, wide, d1=2, between=(2, 20), gamma=0.8).intervals
    proof.digits("n that keeps one mode", interval, [0.8 / (1 - 0.8), mp.findroot(slope, 8)], 6)
    counts = [ss.collapse(negatives, small, wide, d1=2, gamma=0.8, n=count).surviving for count in (4, 5, 8, 9)]
    proof.exact("modes at n = 4, 5, 8, 9", counts, [0, 1, 1, 2])

    proof.text("Smoothing: B = A_0 / (tau epsilon) - gamma.")
    smooth = ss.landscape(ss.NTXent(tau=tau, epsilon=epsilon) + ss.WeightDecay(gamma))
    first = ss.threshold(smooth, epsilon).mode(0)
    proof.exact(
        "the first mode of NT-Xent needs epsilon below",
        first.critical,
        sp.Symbol("lambda_0", real=True) / (gamma * tau),
    )

    proof.text("Tied eigenvalues are lost together.")
    none = ss.inverse_design(decayed, gamma, 1, np.eye(4), 2 * np.eye(4), d1=4, tau=1.0)
    proof.exact("values that keep one of four tied modes", none.intervals, ())


if __name__ == "__main__":
    ss.present(prove)
