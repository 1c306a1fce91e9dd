"""T2. The origin is stationary, with a mean and a bias too; away from b = 0 it depends on the loss.

Let `f(u) = W phi(u) + b` with features of any mean. A loss that is analytic in inner products or second moments of
representations is even in `(W, b)`, so `(W, b) = (0, 0)` is stationary. At `W = 0` with a bias `b != 0` the slope along
a direction `V` is

    0                                  (InfoNCE, NT-Xent, VICReg, batch-normalised Barlow Twins),
    4 (|b|^2 - 1) b.(V mean)           (spectral contrastive, raw Barlow Twins at lambda = 1).

The first are blind to a constant, or compare the positive with negatives of the same mean; the others pull
`E f(x).f(x')` itself, so that for a mean that is not zero `W = 0` is stationary at `b = 0` and on the sphere `|b| = 1`
only.

What differs from the paper: "the origin" needs features of mean zero, or `b = 0`; the cosine, not analytic at 0, has no
origin to expand about, nor has a loss of `|f|` in place of `|f|^2`.
Local: slopes at `b != 0` are taken at order 4 in `(W, b)`, which is all there is for the last two losses.
"""

import sympy as sp

import symscape as ss

tau, epsilon = sp.symbols("tau epsilon", positive=True)
t = sp.Symbol("t", real=True)
x = ss.anchor

BLIND_AT_FIRST_ORDER = {
    "InfoNCE": ss.InfoNCE(tau=tau),
    "InfoNCE of dot products": ss.InfoNCE(tau=tau, similarity="dot"),
    "smooth NT-Xent": ss.NTXent(tau=tau, epsilon=epsilon),
    "VICReg": ss.VICReg(),
    "batch-normalised Barlow Twins": ss.BarlowTwins(epsilon=epsilon),
}
RAW = {"spectral contrastive": ss.SpectralContrastive(), "raw Barlow Twins": ss.BarlowTwins()}


def prove(proof: ss.Proof) -> None:
    """Move (W, b) along a line through zero, then W alone at a bias that stays."""
    V, b, mean = (sp.Matrix(*shape, sp.symbols(f"{name}_1:{shape[0] * shape[1] + 1}"))
                  for name, shape in (("v", (2, 2)), ("b", (2, 1)), ("m", (2, 1))))  # fmt: skip
    # Second moments about zero are those about the mean, diag(2, 1) and diag(3, 2), plus mean mean^T.
    A_0, Sigma = sp.diag(2, 1) + mean * mean.T, sp.diag(3, 2) + mean * mean.T

    def along(loss: ss.Loss, W: sp.Matrix, bias: sp.Matrix) -> sp.Expr:
        value = ss.landscape(loss, data=ss.GaussianViews(mean=True), bias=True).expr.subs({ss.d_0: 2, ss.d_1: 2})
        matrices = {"W": W, "b": bias, "mean": mean, "A_0": A_0, "Sigma": Sigma}
        return value.xreplace({a: matrices[a.name].as_immutable() for a in value.atoms(sp.MatrixSymbol)}).doit()

    proof.text("Inner products are quadratic in (W, b): along (t V, t b) a landscape has no odd powers of t.")
    for name, loss in (BLIND_AT_FIRST_ORDER | RAW).items():
        line = along(loss, t * V, t * b)
        slope = sp.expand(sp.diff(line, t))
        odd = sp.expand(line - line.subs(t, -t))
        proof.exact(f"{name}: odd part, and slope at 0", (odd, slope.subs(t, 0)), (sp.S.Zero, sp.S.Zero))

    proof.text(
        "At W = 0 with a bias, f is b plus a first-order change delta(u). A contrastive loss sees -E delta s(x, x') + "
        "E delta s(x, chi), equal means with opposite signs; a centred one sees no b."
    )
    for name, loss in BLIND_AT_FIRST_ORDER.items():
        slope = sp.expand(sp.diff(along(loss, t * V, b), t).subs(t, 0))
        proof.exact(f"{name}: slope at (0, b)", slope, sp.S.Zero)

    proof.text(
        "With v = W mean + b, spectral and raw Barlow Twins hold -2 |v|^2 + |v|^4, of slope 4 (|v|^2 - 1) v.(V mean)."
    )
    for name, loss in RAW.items():
        slope = sp.expand(sp.diff(along(loss, t * V, b), t).subs(t, 0))
        by_hand = 4 * (b.dot(b) - 1) * b.dot(V * mean)
        proof.exact(f"{name}: slope at (0, b)", slope, sp.expand(by_hand))

    proof.text("What has no series at W = 0 is refused, with the reason.")
    refused = []
    for loss in (ss.NTXent(tau=tau), ss.BarlowTwins(epsilon=0), ss.Loss(ss.E(sp.sqrt(ss.sqnorm(x))))):
        try:
            refused.append(str(ss.landscape(loss)))
        except ss.NotAnalyticError as error:
            refused.append(type(error).__name__)
    proof.exact("cosine, normalised correlation and |f| raise", refused,
                ["ScaleInvariantError", "ScaleInvariantError", "NotAnalyticError"])  # fmt: skip


if __name__ == "__main__":
    ss.present(prove)
