"""T9. In B augmentation competes with the data under VICReg alone, and there where 4 lambda sqrt(epsilon) > mu.

At the origin, `B = c_A A_0 + c_C C` with `C = Sigma - A_0` what augmentation adds; it competes with the data where
`c_A > 0 > c_C`:

    InfoNCE, spectral, Barlow Twins, smooth NT-Xent:    c_C = 0
    VICReg:    c_A = mu / (2 d_1 sqrt(epsilon)),    c_C = (mu - 4 lambda sqrt(epsilon)) / (2 d_1 sqrt(epsilon)),

hence in VICReg alone, and there where `4 lambda sqrt(epsilon) > mu`. Then, with `Sigma = A_0 + s C` and `A_0 u = rho C u`,
mode 0 is stuck at zero, and collapse is complete, for a strength

    s >= rho_0 mu / (4 lambda sqrt(epsilon) - mu).

At the usual weights `4 lambda sqrt(epsilon) = 1 < mu = 25`, and augmentation helps to leave the origin.

Local: this is the origin, and complete collapse. Where modes are lost away from it, augmentation competes in every loss
whose strengths depend on r: T9.augmentation-away.
"""

import numpy as np
import sympy as sp

import symscape as ss

lam, mu, nu, epsilon, tau = sp.symbols("lambda mu nu epsilon tau", positive=True)
rho_0 = sp.Symbol("rho_0", real=True)
s = ss.augmentation_strength
d_1 = ss.d_1


def prove(proof: ss.Proof) -> None:
    """Split B into data and augmentation, and find the strength at which nothing survives."""
    twins = ss.BarlowTwins(lambda_=lam), ss.BarlowTwins(lambda_=lam, epsilon=epsilon)
    for loss in (ss.InfoNCE(tau=tau), ss.SpectralContrastive(), ss.NTXent(tau=tau, epsilon=epsilon), *twins):
        proof.exact(f"{loss.name}: the coefficient of C in B", ss.landscape(loss).hessian.augmentation, 0)

    proof.text("VICReg: alignment gives -2 lambda C / d_1, the hinge's slope mu / (2 d_1 sqrt(epsilon)) (A_0 + C).")
    land = ss.landscape(ss.VICReg(lam, mu, nu, epsilon))
    c_C = (mu - 4 * lam * sp.sqrt(epsilon)) / (2 * d_1 * sp.sqrt(epsilon))
    proof.exact("the coefficient of C is", land.hessian.augmentation, c_C)
    proof.exact("B is", land.hessian.B, mu / (2 * d_1 * sp.sqrt(epsilon)) * ss.A_0 + c_C * (ss.Sigma - ss.A_0))
    quarter = {"epsilon": sp.Rational(1, 4), "nu": 1}
    for weight, competes in ((3, False), (1, True)):
        loss = ss.VICReg(lambda_=1, mu=weight, **quarter)
        proof.exact(
            f"lambda = 1, epsilon = 1/4, mu = {weight}: it competes", ss.landscape(loss).hessian.competition, competes
        )

    proof.text("mu = 1: in units of C, d_1 B along a mode is rho - s "
               "(4 lambda sqrt(epsilon) - mu) / (2 sqrt(epsilon)).")  # fmt: skip
    found = ss.threshold(ss.landscape(ss.VICReg(lambda_=1, mu=1, **quarter)), s)
    proof.exact("mode 0 is lost at s =", found.mode(0).critical, rho_0)
    # In units of u^T C u, for any weights.
    along = sp.Trace(land.hessian.B).subs({ss.A_0: sp.Matrix([[rho_0]]), ss.Sigma: sp.Matrix([[rho_0 + s]])}).doit()
    (critical,) = sp.solve(along, s)
    proof.exact("with any weights at s =", sp.factor(critical), rho_0 * mu / (4 * lam * sp.sqrt(epsilon) - mu))

    def kept(strength: float) -> int:
        return ss.rotation_minimised(ss.VICReg(lambda_=1, mu=1, **quarter), [2 / (2 + strength)], 1).surviving

    proof.numeric("over all W, rho_0 = 2: one mode 1 % below s = 2, none 1 % above",
                  lambda off: (kept(0.99 * 2 * (1 + off)), kept(1.01 * 2 * (1 + off))) == (1, 0))  # fmt: skip

    proof.text("Sampled VICReg of one feature and one output, A_0 = C = 1, "
               "s = 1/2, lambda = mu = 1, epsilon = 1/4: its fall per W^2.")  # fmt: skip
    rng, falls = np.random.default_rng(14), []
    for _ in range(25):
        datum, noise = rng.standard_normal(40_000), rng.standard_normal((2, 40_000))
        x, xp = datum + np.sqrt(0.5) * noise
        at = []
        for w in (0.1, 0.2):
            hinge = [np.maximum(0, 1 - np.sqrt(w**2 * view.var(ddof=1) + 0.25)) - 0.5 for view in (x, xp)]
            at.append((w**2 * ((x - xp) ** 2).mean() + sum(hinge) / 2) / w**2)
        falls.append((at[1] - 4 * at[0]) / 3)  # Richardson: the quartic part drops out
    # c_A A_0 + c_C s C = 1 - 1 * 1/2.
    proof.sampled("b is", np.mean(falls), np.std(falls, ddof=1) / np.sqrt(len(falls)), 0.5)


if __name__ == "__main__":
    ss.present(prove)
