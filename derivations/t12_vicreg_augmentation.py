"""T12. The three landscapes of Figure 1 along the augmentation axis: VICReg passes through them, InfoNCE does not.

Let `A_0 = diag(a_1, a_2)` and `Sigma = A_0 + c C`, `C = diag(c_1, c_2)`, c the augmentation strength. VICReg has at
`W = 0`

    d_1 B = h A_0 - (2 lambda - h) c C,    h = mu / (2 sqrt(epsilon)),

so that for `2 lambda > h` the variance of the data and that of the augmentation compete, and mode i leaves the origin
where

    c < h rho_i / (2 lambda - h),    rho_i = a_i / c_i.

For `rho_1 < rho_2` the signs of B run through ++, -+, -- as c grows: none, dimensional, complete collapse at the
origin. InfoNCE, whose views are augmented alike, has `B = A_0 / tau`: `dB / dc = 0`, and no augmentation strength
brings it to collapse.

Local: VICReg's hinge is expanded at `W = 0`, which reaches `P_jj < epsilon` only. Its defaults, `lambda = mu = 25` and
`epsilon = 1e-4`, have `h = 1250 > 2 lambda = 50`, so that the origin repels at any augmentation; which modes are kept
then is decided away from `W = 0` (T9). Source of the figure: arXiv 2210.00638, Figure 1; VICReg as its path is ours.
"""

import numpy as np
import sympy as sp

import symscape as ss

lambda_, mu, nu, epsilon, c, tau = sp.symbols("lambda mu nu epsilon c tau", positive=True)
a_1, a_2, c_1, c_2 = sp.symbols("a_1 a_2 c_1 c_2", positive=True)
w_1, w_2 = sp.symbols("w_1 w_2", real=True)


def prove(proof: ss.Proof) -> None:
    """Find B along the augmentation axis, the strengths at which its signs change, and descend on either side."""
    h = mu / (2 * sp.sqrt(epsilon))
    vicreg = ss.landscape(ss.VICReg(lambda_=lambda_, mu=mu, nu=nu, epsilon=epsilon))
    axis = {ss.A_0: sp.ImmutableMatrix.diag(a_1, a_2), ss.Sigma: sp.ImmutableMatrix.diag(a_1 + c * c_1, a_2 + c * c_2)}

    proof.text(
        "Invariance brings (2 lambda / d_1) Tr C, and the hinge 1 - sqrt(P_jj + epsilon) has the slope -1/(2 "
        "sqrt(epsilon))."
    )
    B = (ss.d_1 * vicreg.hessian.B).xreplace({**axis, ss.d_0: 2}).doit().as_explicit()
    claimed = [h * a - (2 * lambda_ - h) * c * v for a, v in ((a_1, c_1), (a_2, c_2))]
    proof.exact("d_1 B is", B.applyfunc(sp.simplify), sp.diag(*claimed).applyfunc(sp.simplify))
    proof.text("The coefficients of A_0 at fixed C, and of C: of opposite signs where 2 lambda > h.")
    proof.exact("competition at lambda = mu = 1, epsilon = 1/4", FIGURE.hessian.competition, True)

    rho = sp.Symbol("rho_0", real=True)
    (critical,) = sp.solve(claimed[0], c)
    proof.exact("mode 1 is lost at the strength", critical, h * a_1 / ((2 * lambda_ - h) * c_1))
    first = ss.threshold(FIGURE, ss.augmentation_strength).mode(0)
    proof.exact("threshold() finds it at h = 1, lambda = 1: below", first.critical, rho)

    proof.text("W = diag(w1, w2) at lambda = mu = nu = 1, epsilon = 1/4, where h = 1: off-diagonal P and nu drop out.")
    diagonal = {ss.W: sp.ImmutableMatrix.diag(w_1, w_2), ss.d_0: 2, ss.d_1: 2}
    plane = sp.expand(FIGURE.expr.xreplace({**axis, **diagonal}).doit())
    modes = ((w_1, a_1, c_1), (w_2, a_2, c_2))
    cuts = sum(-(a - c * v) * w**2 + (a + c * v) ** 2 * w**4 for w, a, v in modes) / 2
    proof.exact("in the plane L is", plane, sp.expand(sp.Rational(1, 2) + cuts))

    proof.text("rho = (1, 3): ++ below 1, -+ between, -- above 3. Descent from a small W shows what leaves the origin.")
    A0, added, f = np.diag([1.0, 3.0]), np.eye(2), FIGURE.numpy()
    for strength, signs, kept in ((0.5, "++", 2), (2.0, "-+", 1), (4.0, "--", 0)):
        Sigma = A0 + strength * added
        b = np.diag(A0) - strength
        proof.exact(f"signs of B at c = {strength}", "".join("+" if v > 0 else "-" for v in b), signs)
        W = np.array([[0.02, 0.0], [0.0, 0.02]])
        for _ in range(5000):
            W = W - 0.02 * f.gradient(W, A0=A0, Sigma=Sigma)
        strengths = np.diag(W) ** 2
        expected = np.maximum(b, 0) / (2 * (np.diag(A0) + strength) ** 2)
        proof.exact("modes that leave the origin", int((strengths > 1e-6).sum()), kept)
        if kept:
            proof.digits("w_i^2 at the end", strengths, expected, 8)

    proof.text("InfoNCE: views augmented alike leave C out of B altogether.")
    infonce = ss.landscape(ss.InfoNCE(tau=tau)).hessian.B.xreplace(axis).doit().as_explicit()
    proof.exact("B of InfoNCE along the axis is", infonce, sp.diag(a_1 / tau, a_2 / tau))
    proof.exact("its derivative by c is", sp.diff(infonce, c), sp.zeros(2, 2))


FIGURE = ss.landscape(ss.VICReg(lambda_=1, mu=1, nu=1, epsilon=sp.Rational(1, 4)))

if __name__ == "__main__":
    ss.present(prove)
