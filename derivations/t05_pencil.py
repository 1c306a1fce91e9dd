"""T5. The thresholds in weight decay are eigenvalues of A_0, also where A_0 and Sigma have no common eigenvectors.

Let the landscape be `-Tr(W B W^T) + alpha Tr P^2` with `B = c A_0 - gamma 1`, `alpha > 0`, `c > 0`, Sigma positive
definite. The modes are those of the pencil `B u = b Sigma u`, which turn with gamma; a mode is kept at the minimum where
`b > 0`. Then

    number of b_i > 0  =  number of lambda_i > gamma / c,    lambda_i: eigenvalues of A_0 alone.

Hence Sigma, and with it augmentation, decides the directions and the strengths of the kept modes, `p_i = b_i / (2 alpha)`,
but not how many there are. This is Sylvester's law of inertia: `Sigma^(-1/2) B Sigma^(-1/2)` has the signs of `B`.

With the spectral loss the landscape is exact, so that the statement is global: no other minima exist (T4); T5.trained has
the same thresholds in training.
"""

import numpy as np
import sympy as sp

import symscape as ss

gamma, b = sp.symbols("gamma b", real=True)


def prove(proof: ss.Proof) -> None:
    """Count positive roots of det(B - b Sigma), and compare the steps of the count with the engine's."""
    A0 = sp.ImmutableMatrix([[5, 1, 0], [1, 4, 1], [0, 1, 2]]) / 5
    Sigma = A0 + sp.ImmutableMatrix([[3, -2, 1], [-2, 4, 0], [1, 0, 2]]) / 5
    proof.exact("A_0 and Sigma do not commute", A0 * Sigma == Sigma * A0, False)

    proof.text("A root b of det(B - b Sigma) passes zero only where det "
               "B = 0: at the eigenvalues of A_0, times c = 2 here.")  # fmt: skip
    B = 2 * A0 - gamma * sp.eye(3)
    pencil = (B - b * Sigma).det()
    y = 5 * gamma / 2  # the eigenvalues of 5 A_0 are the roots of y^3 - 11 y^2 + 36 y - 33
    proof.exact("at b = 0 the pencil is the characteristic polynomial of 2 A_0",
                sp.expand(pencil.subs(b, 0)), -sp.Rational(8, 125) * sp.expand(y**3 - 11 * y**2 + 36 * y - 33))  # fmt: skip

    proof.text("Between these the count is constant: Sturm's theorem counts the positive roots exactly.")
    steps = np.sort(np.roots([1, -11, 36, -33])) * 2 / 5
    places = [sp.Rational(round(100 * s), 100) for s in (steps[0] / 2, steps[:2].mean(), steps[1:].mean(), 5)]
    for place, kept in zip(places, (3, 2, 1, 0), strict=True):
        polynomial = sp.Poly(pencil.subs(gamma, place), b)
        proof.exact(f"at gamma = {place} the modes of positive b number", polynomial.count_roots(0, None), kept)

    proof.text("The engine finds the steps by counting at the minimum; they are the "
               "eigenvalues of 2 A_0, and not those of the pencil (A_0, Sigma).")  # fmt: skip
    cross, sigma = (np.array(m, dtype=float) for m in (A0, Sigma))
    land = ss.landscape(ss.SpectralContrastive() + ss.WeightDecay(sp.Symbol("gamma", positive=True)))
    found = ss.threshold(land, "gamma", A0=cross, Sigma=sigma, d1=3)
    proof.digits("the thresholds are", [found.critical(k) for k in range(3)], steps[::-1], 8)

    proof.text("The kept modes have p_i = b_i / 2 (alpha = 1), b_i at this gamma.")
    at = sp.Rational(4, 5)
    roots = sorted(sp.Poly(pencil.subs(gamma, at), b).nroots(n=20), reverse=True)
    minimum = ss.stationary_points(land, A0=cross, Sigma=sigma, d1=3, gamma=0.8).minima[0]
    spectrum = np.linalg.eigvalsh(minimum.W @ sigma @ minimum.W.T)[::-1]
    proof.digits("eigenvalues of P at the minimum, gamma = 4/5", spectrum[:2], [root / 2 for root in roots[:2]], 10)


if __name__ == "__main__":
    ss.present(prove)
