"""T8. When the bias costs a feature: spectral and raw Barlow Twins give their first output to the constant.

In second moments of (phi, 1), with `Sigma' = [[Sigma + mean mean^T, mean], [mean^T, 1]]` and `A_0'` alike, the canonical
correlations are those of (A_0, Sigma) and a 1 for the constant: `det(A_0' - r Sigma') = (1 - r) det(A_0 - r Sigma)`. As no
correlation exceeds 1, the constant is the mode with the largest b, here `b = 2`, it has the strength `|m|^2 = 1` at the
minimum, and

    with d_1 outputs and n features that would survive, the bias costs a feature exactly where d_1 <= n.

Weight decay on W does not hold the bias; the other features keep their thresholds. A mean without a bias is a rank-one
addition to both moments: it makes directions along the mean more alike in the two views, and takes an output in part.
Losses that ignore the mean (T8.bias) lose nothing, whatever `d_1` is. T8.trained has the same in training.
"""

import numpy as np
import sympy as sp

import symscape as ss

r, a, c, v, s, t, u, m_0, m_1 = sp.symbols("r a c v s t u m_0 m_1", real=True)


def prove(proof: ss.Proof) -> None:
    """Add the constant to the modes, count what is kept, and look at the minimum."""
    proof.text("Subtract mean times the last row from the others: the determinant splits.")
    A, S, mean = sp.Matrix([[a, c], [c, v]]), sp.Matrix([[s, t], [t, u]]), sp.Matrix([m_0, m_1])
    bordered = [sp.Matrix(sp.BlockMatrix([[X + mean * mean.T, mean], [mean.T, sp.eye(1)]])) for X in (A, S)]
    determinant = sp.expand((bordered[0] - r * bordered[1]).det())
    proof.exact("det(A_0' - r Sigma') is", determinant, sp.expand((1 - r) * (A - r * S).det()))

    for name, loss in (("spectral", ss.SpectralContrastive()), ("Barlow Twins, raw", ss.BarlowTwins())):
        found = ss.bias_effect(loss)
        n = next(q for q in found.costs_a_feature.free_symbols if q != ss.d_1)
        proof.exact(f"{name}: the bias takes an output", found.spends_an_output, True)
        proof.exact(f"{name}: it costs a feature where", found.costs_a_feature, ss.d_1 <= n)
    proof.exact("InfoNCE: it costs a feature", bool(ss.bias_effect(ss.InfoNCE()).costs_a_feature), False)

    proof.text("Count the features kept, apart from the constant, for 1 to 5 outputs and three features of r > 0.")
    A0, shift = np.diag([0.9, 0.6, 0.3]), np.array([0.5, -0.2, 0.1])
    moments = {"A0": A0 + np.outer(shift, shift), "Sigma": np.eye(3) + np.outer(shift, shift), "mean": shift}
    for name, loss, expected in (
        ("spectral", ss.SpectralContrastive(), [0, 1, 2, 3, 3]),
        ("InfoNCE", ss.InfoNCE(), [1, 2, 3, 3, 3]),
    ):
        land, kept = ss.landscape(loss, data=ss.GaussianViews(mean=True), bias=True), []
        for d1 in range(1, 6):
            modes = ss.collapse(land, **moments, d1=d1).modes
            kept.append(sum(mode.survives and bool(np.abs(mode.direction[:3]).max() > 1e-7) for mode in modes))
        proof.exact(f"{name}: features kept with d_1 = 1, ..., 5", kept, expected)

    proof.text("At the minimum -2 |m|^2 + |m|^4 + 2 m^T P m has m^T P m "
               "= 0, so |m|^2 = 1, the features on the other outputs.")  # fmt: skip
    land = ss.landscape(ss.SpectralContrastive(), data=ss.GaussianViews(mean=True), bias=True)
    point = ss.stationary_points(land, **moments, d1=3).minima[0]
    m = point.W @ shift + point.bias
    proof.digits("|m|^2 and |P m|", [m @ m, np.linalg.norm(point.W @ point.W.T @ m)], [1, 0], 8)
    proof.text("A mean without a bias: B = 2 (A_0 + mean mean^T), and r of the pencil with Sigma + mean mean^T.")
    plain = ss.collapse(ss.landscape(ss.SpectralContrastive(), data=ss.GaussianViews(mean=True)), **moments, d1=3)
    roots = np.linalg.eigvals(np.linalg.solve(moments["Sigma"], moments["A0"])).real
    proof.digits("b without a bias", [mode.eigenvalue for mode in plain.modes], 2 * np.sort(roots)[::-1], 10)


if __name__ == "__main__":
    ss.present(prove)
