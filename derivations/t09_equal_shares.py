"""T9. Losses that count outputs apart: minimising over rotations of the outputs leaves a landscape of the spectrum alone.

VICReg and Barlow Twins change under `W -> O W`. Let `p_i` be the eigenvalues of P along the modes, `r_i` the canonical
correlations, and `P_ij`, `M_ij` the moments of the outputs `f = O diag(sqrt(p)) u`. The diagonal of `O diag(p) O^T` can be
any vector that p majorises (Schur, 1923; Horn, 1954); in particular, at any `d_1`, some O makes all entries equal, and at
every O

    (Tr P)^2 / d_1 <= sum_i P_ii^2 <= Tr P^2.

Where `d_1` is a power of two, a Hadamard matrix does it for every spectrum at once, for P and M together. At equal shares

    sum_i g(P_ii, M_ii) = d_1 g(Tr P / d_1, Tr M / d_1),    sum_(i != j) P_ij^2 = Tr P^2 - (Tr P)^2 / d_1,   and alike for M.

VICReg and Barlow Twins, raw and batch-normalised, become functions of the power sums of p and of r p alone: landscapes of
the spectrum. Whether equal shares are the best rotation is T9.best-rotation.
"""

import numpy as np
import sympy as sp

import symscape as ss

lam, mu, nu, epsilon = sp.symbols("lambda mu nu epsilon", positive=True)
TrP, TrM, TrP2, TrM2 = sp.symbols("TrP TrM TrP2 TrM2")


def prove(proof: ss.Proof) -> None:
    """Share spectra by a Hadamard matrix, and put the shares into the losses."""
    hadamard = sp.Matrix([[1, 1], [1, -1]])
    O = sp.kronecker_product(hadamard, hadamard) / 2
    p, m = sp.symbols("p_0:4"), sp.symbols("m_0:4")

    proof.text("Entries of O are +-1/2, so that each output has a quarter "
               "of any spectrum; sum_ij P_ij^2 = Tr P^2 under any O.")  # fmt: skip
    P, M = O * sp.diag(*p) * O.T, O * sp.diag(*m) * O.T
    proof.exact("O is orthogonal", O * O.T, sp.eye(4))
    proof.exact("the diagonal of P is", list(P.diagonal()), [sp.Add(*p) / 4] * 4)
    proof.exact("the diagonal of M is", list(M.diagonal()), [sp.Add(*m) / 4] * 4)
    off = sp.expand(sum(P[i, j] ** 2 for i in range(4) for j in range(4) if i != j))
    proof.exact("sum_(i != j) P_ij^2 is", off, sp.expand(sum(x**2 for x in p) - sp.Add(*p) ** 2 / 4))

    proof.text("Draw 300 rotations: the sum of squared diagonals lies "
               "between (Tr P)^2 / d_1 and Tr P^2, and comes near both.")  # fmt: skip
    rng, spectrum = np.random.default_rng(1), np.array([2.0, 1.0, 0.5, 0.1])
    turns = np.linalg.qr(rng.standard_normal((300, 4, 4)))[0]
    sums = np.concatenate([(((O_ * spectrum) @ np.swapaxes(O_, -1, -2)).diagonal(0, -2, -1) ** 2).sum(axis=-1)
                           for O_ in (turns, np.array(O, dtype=float)[None], np.eye(4)[None])])  # fmt: skip
    proof.digits("the least and the largest", [sums.min(), sums.max()], [3.6**2 / 4, 5.26], 12)

    proof.text("The landscapes of the spectrum, from the losses' definitions:")
    d_1 = ss.d_1
    vicreg = (
        lam * 2 * (TrP - TrM) / d_1
        + mu * sp.Max(0, 1 - sp.sqrt(TrP / d_1 + epsilon))
        + 2 * nu * (TrP2 - TrP**2 / d_1) / d_1
    )
    barlow = d_1 * (1 - TrM / d_1) ** 2 + lam * (TrM2 - TrM**2 / d_1)
    for name, loss, claimed in (
        ("VICReg", ss.VICReg(lam, mu, nu, epsilon), vicreg),
        ("Barlow Twins, raw", ss.BarlowTwins(lambda_=lam), barlow),
    ):
        found = ss.equal_share_landscape(loss)
        proof.exact(f"{name}: L is", found.outer.subs({s: sp.Symbol(s.name) for s in found.sums}), claimed)
    found = ss.equal_share_landscape(ss.BarlowTwins(lambda_=lam, epsilon=0))
    proof.exact(
        "batch-normalised, epsilon = 0: the same on the shell Tr P =",
        (found.outer.subs({s: sp.Symbol(s.name) for s in found.sums}), found.shell),
        (barlow, d_1),
    )


if __name__ == "__main__":
    ss.present(prove)
