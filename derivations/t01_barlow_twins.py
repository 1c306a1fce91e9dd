"""T1. The landscapes of Barlow Twins: raw it is exact; batch-normalised it couples M to P output by output.

`L = sum_i (1 - K_ii)^2 + lambda sum_{i != j} K_ij^2`. Raw, `K = M = W A_0 W^T`, not centred; `o` multiplies entry by
entry:

    L = d_1 - 2 Tr M + lambda Tr M^2 + (1 - lambda) Tr M o M.

Batch-normalised, `K_ij = M_ij / sqrt((P_ii + epsilon) (P_jj + epsilon))` with P and M centred, for any views:

    L = d_1 - 2 Tr M/epsilon + (2 Tr M o P + lambda Tr M^2 + (1 - lambda) Tr M o M)/epsilon^2 + O(W^6).

Neither needs more than second moments. Source of the loss: Zbontar et al., 2021.

What differs from the paper: raw Barlow Twins is not invariant to a shift of the representation, the batch-normalised
form is; and with `epsilon = 0` the latter is scale-invariant and has no landscape around `W = 0`.
Local: the batch-normalised series converges for `P_ii < epsilon`.
"""

import math

import numpy as np
import sympy as sp
from sympy import HadamardProduct, Trace

import symscape as ss
from symscape import A_0, Sigma, W

lambda_, epsilon = sp.symbols("lambda epsilon", positive=True)
i, j = ss.outputs("i j")


def prove(proof: ss.Proof) -> None:
    """Square the cross-correlation, with and without its normalisation, and see how fast the remainder falls."""
    P, M = W * Sigma * W.T, W * A_0 * W.T

    proof.text("Raw: the diagonal gives sum_i (1 - M_ii)^2 = d_1 - 2 Tr M + sum_i M_ii^2.")
    diagonal = ss.landscape(ss.Loss(ss.output_sum((1 - ss.M(i, i)) ** 2, i)))
    proof.exact("the diagonal is", diagonal, ss.d_1 - 2 * Trace(M) + Trace(HadamardProduct(M, M)))

    proof.text("Off the diagonal sum_{i != j} M_ij^2 = Tr M^2 - sum_i M_ii^2.")
    redundancy = ss.landscape(ss.Loss(ss.output_sum(ss.M(i, j) ** 2, i, j, distinct=True)))
    proof.exact("the redundancy is", redundancy, Trace(M * M) - Trace(HadamardProduct(M, M)))

    raw = ss.landscape(ss.BarlowTwins(lambda_=lambda_))
    raw_by_hand = ss.d_1 - 2 * Trace(M) + lambda_ * Trace(M * M) + (1 - lambda_) * Trace(HadamardProduct(M, M))
    proof.exact("the raw landscape is", raw, raw_by_hand)
    proof.exact("nothing is cut off, and no moment beyond the second enters",
                (raw.is_exact, ss.facts(ss.BarlowTwins()).distribution_free_order), (True, math.inf))  # fmt: skip

    proof.text(
        "Batch-normalised: K_ii = M_ii/epsilon - M_ii P_ii/epsilon^2 + ..., and K_ij^2 = M_ij^2/epsilon^2 + ... : only "
        "the linear term of (1 - K_ii)^2 sees the normalisation at this order."
    )
    land = ss.landscape(ss.BarlowTwins(lambda_=lambda_, epsilon=epsilon))
    quartic = 2 * Trace(HadamardProduct(M, P)) + lambda_ * Trace(M * M) + (1 - lambda_) * Trace(HadamardProduct(M, M))
    proof.exact("the batch-normalised landscape is", land, ss.d_1 - 2 * Trace(M) / epsilon + quartic / epsilon**2)
    proof.exact("B, of the quadratic part -Tr(W B W^T), is", land.hessian.B, 2 * A_0 / epsilon)

    proof.text("A shift f -> f + c moves E f f'^T but no covariance.")
    shift = tuple(ss.facts(loss).shift_invariant for loss in (ss.BarlowTwins(), ss.BarlowTwins(epsilon=epsilon)))
    proof.exact("shift-invariant: raw, batch-normalised", shift, (False, True))
    scale = ss.facts(ss.BarlowTwins(epsilon=0))
    proof.exact("at epsilon = 0: scale-invariant, analytic", (scale.scale_invariant, scale.analytic), (True, False))

    proof.text(
        "Witness: for W -> t W the loss itself, computed from its definition, must leave a remainder of degree 6: "
        "halving t divides it by 64, while an error in a coefficient of degree 4 would leave 16."
    )
    head = np.array([[0.6, -0.2, 0.3], [0.1, 0.5, -0.4]])
    A0 = np.array([[0.9, 0.2, 0.0], [0.2, 0.7, 0.1], [0.0, 0.1, 0.4]])
    moments = {"A0": A0, "Sigma": A0 + np.diag([0.3, 0.2, 0.5]), "lambda_": 0.3, "epsilon": 1.5}

    def remainder(t: float, off: float) -> float:
        p, m = (t**2 * head @ moments[name] @ head.T for name in ("Sigma", "A0"))
        root = np.sqrt(np.diag(p) + 1.5)
        K = m / np.outer(root, root)
        exact = ((1 - np.diag(K)) ** 2).sum() + 0.3 * ((K**2).sum() - (np.diag(K) ** 2).sum())
        return exact - land.numpy()(t * head, **moments) - off * land.part(4).numpy()(t * head, **moments)

    proof.numeric("the remainder falls as t^6",
                  lambda off: abs(math.log2(remainder(0.1, off) / remainder(0.05, off)) - 6) < 0.1)  # fmt: skip


if __name__ == "__main__":
    ss.present(prove)
