"""X2. The rest of the catalogue: which losses share a landscape, which need special parameters, and which never do.

To order 4, up to a constant, a factor c and a scale s of W:

- InfoNCE, InfoNCE of dot products and spectral are one class (X2.infonce-and-spectral); on the shell `Tr P = 1` the
  cosine of NT-Xent has, at leading order in `k tau >> 1`, the landscape of InfoNCE of dot products.
- Alignment plus uniformity, `E|f - f'|^2 + log E e^{-t |f - f(chi)|^2}`, has `(2 - 2 t) Tr P` beside
  `-2 Tr M + 4 t^2 Tr P^2`: it is InfoNCE at `t = 1` only, with `c = 3/4` and `s = 8 tau / 3`; at `t > 1` it pushes
  every direction away from the origin (Wang and Isola, 2020, whose features are normalised, as these are not).
- Raw Barlow Twins at `lambda = 1`, `d_1 - 2 Tr M + Tr M^2`, is spectral with M in place of P: one landscape only
  without augmentation.
- Batch-normalised Barlow Twins: `epsilon` is a scale of W, `epsilon -> s epsilon`.
- VICReg, and smooth NT-Xent, stand alone.

Local: order 4 and `W = 0`, except where a relation is said to hold to all orders.
"""

import sympy as sp

import symscape as ss
from symscape import A_0, Sigma, W

tau, t, c, w = sp.symbols("tau t c w", positive=True)
x, xp, chi = ss.anchor, ss.positive, ss.negative
SPECTRAL = ss.SpectralContrastive()


def prove(proof: ss.Proof) -> None:
    """Compare the losses pair by pair, and solve for the parameters at which a pair is one."""
    P, M = W * Sigma * W.T, W * A_0 * W.T

    proof.text(
        "Alignment plus uniformity: x - chi has covariance 2 P, so log E e^{-t Y} = -t 2 Tr P + t^2 (8 Tr P^2) / 2 at "
        "order 4."
    )
    uniformity = ss.Loss(ss.E(ss.sqdist(x, xp)) + sp.log(ss.E(sp.exp(-t * ss.sqdist(x, chi)))), name="align-uniform")
    claimed = -2 * sp.Trace(M) + (2 - 2 * t) * sp.Trace(P) + 4 * t**2 * sp.Trace(P * P)
    proof.exact("its landscape is", ss.landscape(uniformity), claimed)
    found = ss.equivalence(uniformity, ss.InfoNCE(tau=tau))
    proof.exact("it is that of InfoNCE where", found.conditions, sp.Eq(t, 1))
    proof.text("There c s = 2 tau from order 2, and c s^2 = 16 tau^2 / 3 from order 4.")
    ((_, case),) = found.cases
    proof.exact("with c and s", (case.factor, case.scale), (sp.Rational(3, 4), 8 * tau / 3))
    proof.exact("until order", ss.differs_at(case.loss_a, case.loss_b), 6)

    proof.text("Barlow Twins counts M where spectral counts P.")
    twins = ss.landscape(ss.BarlowTwins())
    proof.exact("raw Barlow Twins at lambda = 1 is", twins, ss.d_1 - 2 * sp.Trace(M) + sp.Trace(M * M))
    proof.exact("it is no loss of the spectral class", bool(ss.equivalence(ss.BarlowTwins(), SPECTRAL)), False)
    alike = twins.expr.xreplace({A_0: Sigma})
    proof.exact("without augmentation, A_0 = Sigma, it is", alike, ss.d_1 - 2 * sp.Trace(P) + sp.Trace(P * P))
    normalised = ss.equivalence(ss.BarlowTwins(epsilon=1), ss.BarlowTwins(epsilon=sp.Rational(1, 4)))
    proof.exact("batch-normalised: epsilon = 1 against 1/4 is the scale", normalised.scale, sp.Rational(1, 4))

    proof.text("The cosine has no series at 0. On the shell Tr P = 1 it has a leading order, which is the dot form's.")
    shell = ss.normalised_landscape(ss.NTXent(tau=tau)).outer
    TrM, TrP2 = (sp.Symbol(name, real=True) for name in ("Tr M", "Tr P²"))
    proof.exact("NT-Xent on the shell is", shell, -TrM / tau + TrP2 / (2 * tau**2))
    dot = ss.landscape(ss.InfoNCE(tau=tau, similarity="dot"))
    proof.exact("and InfoNCE of dot products is", dot, -sp.Trace(M) / tau + sp.Trace(P * P) / (2 * tau**2))

    proof.text("A multiple of a loss with a framework's weight decay w is that loss with w / c.")
    scaled = ss.equivalence(c * ss.InfoNCE() + ss.WeightDecay(w / 2), ss.InfoNCE() + ss.WeightDecay(w / (2 * c)))
    proof.exact("the factor is", (scaled.scale, scaled.factor), (sp.S.One, c))
    proof.exact("to all orders", scaled.reach, "to all orders")

    proof.text("All pairs at order 4, by number.")
    losses = [ss.InfoNCE(), ss.InfoNCE(similarity="dot"), SPECTRAL, ss.BarlowTwins(), ss.VICReg(), ss.NTXent(epsilon=1)]
    proof.exact("classes of one landscape", ss.equivalence_map(losses).classes, ((0, 1, 2), (3,), (4,), (5,)))
    proof.exact("at order 6", ss.equivalence_map(losses[:3], order=6).classes, ((0,), (1, 2)))

    proof.text("Beyond Gaussian views of mean zero the class breaks up.")
    mean = ss.equivalence(ss.InfoNCE(), SPECTRAL, data=ss.GaussianViews(mean=True))
    proof.exact("with a mean the first word that differs is", mean.difference.monomial, "|W mean|²")
    cumulants = [bool(ss.equivalence(loss, SPECTRAL, data=ss.CumulantViews())) for loss in losses[:2]]
    proof.exact("with fourth cumulants: Euclidean, dot form", cumulants, [False, True])


if __name__ == "__main__":
    ss.present(prove)
