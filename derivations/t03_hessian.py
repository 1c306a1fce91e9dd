"""T3. The Hessian at the origin is -2 B for each output; only VICReg lets augmentation compete with data in B.

The quadratic part of a landscape is `-Tr(W B W^T)`, so each row of `W` has the Hessian `-2 B` at `W = 0`, and a
direction `u` leaves the origin downhill where `u^T B u > 0`. Views are augmented alike, with `Sigma = A_0 + C`,
`C >= 0` what augmentation adds:

    B = n/(n + 1) A_0/tau                                            (InfoNCE, both similarities, n negatives),
    B = A_0/(tau epsilon)                                            (smooth NT-Xent),
    B = 2 A_0  and  2 A_0/epsilon                                    (spectral and raw Barlow Twins; batch-normalised),
    B = mu/(2 d_1 sqrt(epsilon)) A_0 - (2 lambda - mu/(2 sqrt(epsilon)))/d_1 C    (VICReg, epsilon < 1),

and weight decay adds `-gamma 1`. Only in VICReg does C enter; it competes with the data where
`4 lambda sqrt(epsilon) > mu`.

What differs from the paper: which views are augmented matters. With the positive augmented and anchor and negatives
clean, InfoNCE has `B = (A_0 - C/2)/tau`: augmentation competes, and modes are lost (T6).
Local: at `W = 0`. Augmentation that does not enter B enters the strength of what survives, through `P`.
"""

import sympy as sp

import symscape as ss
from symscape import A_0, Sigma

tau, epsilon, gamma, lambda_, mu, nu = sp.symbols("tau epsilon gamma lambda mu nu", positive=True)
n = sp.Symbol("n", positive=True, integer=True)
C = Sigma - A_0

BLIND_TO_AUGMENTATION = {
    "InfoNCE, n negatives": (ss.InfoNCE(tau=tau, n=n), n * A_0 / ((n + 1) * tau)),
    "InfoNCE of dot products": (ss.InfoNCE(tau=tau, n=n, similarity="dot"), n * A_0 / ((n + 1) * tau)),
    "smooth NT-Xent": (ss.NTXent(tau=tau, epsilon=epsilon), A_0 / (tau * epsilon)),
    "spectral contrastive": (ss.SpectralContrastive(), 2 * A_0),
    "raw Barlow Twins": (ss.BarlowTwins(lambda_=lambda_), 2 * A_0),
    "batch-normalised Barlow Twins": (ss.BarlowTwins(lambda_=lambda_, epsilon=epsilon), 2 * A_0 / epsilon),
}


def prove(proof: ss.Proof) -> None:
    """Read B of each loss, split it into data and augmentation, and differentiate a landscape twice."""
    proof.text("Pull and push have the same Tr P with opposite signs wherever a positive is compared with negatives.")
    for name, (loss, B) in BLIND_TO_AUGMENTATION.items():
        hessian = ss.landscape(loss).hessian
        proof.exact(f"B of {name} is", hessian.B, B)
        proof.exact("and the coefficient of C in it is", hessian.augmentation, sp.S.Zero)

    proof.text("Weight decay gamma Tr W W^T is quadratic itself: it shifts every eigenvalue of B.")
    decayed = ss.landscape(ss.InfoNCE(tau=tau) + ss.WeightDecay(gamma)).hessian
    proof.exact("with weight decay B of InfoNCE is", decayed.B, A_0 / tau - gamma * sp.Identity(ss.d_0))

    proof.text("VICReg: the invariance term is -2 lambda C/d_1 in B, the variance term mu Sigma/(2 d_1 sqrt(epsilon)).")
    vicreg = ss.landscape(ss.VICReg.symbolic()).hessian
    data = mu / (2 * ss.d_1 * sp.sqrt(epsilon))
    augmentation = -(2 * lambda_ - mu / (2 * sp.sqrt(epsilon))) / ss.d_1
    proof.exact("B of VICReg is", vicreg.B, data * A_0 + augmentation * C)
    proof.exact("data and augmentation enter with", (vicreg.data, vicreg.augmentation), (data, augmentation))
    proof.exact("at the edge of competition mu is", sp.solve(vicreg.augmentation, mu), [4 * lambda_ * sp.sqrt(epsilon)])
    at = {value: ss.landscape(ss.VICReg(lambda_=1, mu=value, epsilon=sp.Rational(1, 4))).hessian for value in (1, 3)}
    proof.exact("for lambda = 1, epsilon = 1/4 they compete at mu = 1, not at 3",
                [at[1].competition, at[3].competition], [True, False])  # fmt: skip

    proof.text(
        "One-sided augmentation: the pull is E |f(s) - f(x')|^2/(2 tau) = Tr W C W^T/(2 tau), the push has -Tr W A_0 "
        "W^T/tau of clean data, with nothing to cancel C."
    )
    s, clean = ss.View("s", moment="A_0"), ss.View("t", moment="A_0")
    push = sp.log(ss.E(sp.exp(-ss.sqdist(s, clean) / (2 * tau)), over=clean))
    one_sided = ss.Loss(ss.E(ss.sqdist(s, ss.View("s'", of=s))) / (2 * tau) + ss.E(push))
    proof.exact("B of the one-sided InfoNCE is", ss.landscape(one_sided).hessian.B, (A_0 - C / 2) / tau)

    proof.text("The second derivatives of the landscape itself, in the four entries of W by rows, for two features.")
    w = sp.symbols("w_1:5")
    a, c = (sp.Matrix(2, 2, sp.symbols(f"{name}_1 {name}_2 {name}_2 {name}_3")) for name in ("a", "c"))
    value = ss.landscape(ss.VICReg(lambda_=lambda_, mu=mu, nu=nu, epsilon=epsilon)).expr.subs({ss.d_0: 2, ss.d_1: 2})
    matrices = {"W": sp.Matrix(2, 2, w), "A_0": a, "Sigma": a + c}
    value = value.xreplace({m: matrices[m.name].as_immutable() for m in value.atoms(sp.MatrixSymbol)}).doit()
    second = sp.hessian(value, w).subs(dict.fromkeys(w, 0))
    B = (mu / (4 * sp.sqrt(epsilon))) * a - (lambda_ - mu / (4 * sp.sqrt(epsilon))) * c
    proof.exact("the Hessian at W = 0 is -2 B for each row", second, sp.diag(-2 * B, -2 * B))


if __name__ == "__main__":
    ss.present(prove)
