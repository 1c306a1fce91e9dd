"""T7. Smooth normalisation at order 4: no complete collapse, and modes that compete, so that dimensions can be lost.

NT-Xent has no series at `W = 0`, as cosines do not change under `f -> c f`. With `f / sqrt(|f|^2 + epsilon)` in place of
`f / |f|` it has:

    L = -Tr M / (tau epsilon) + (Tr M Tr P + 2 Tr PM) / (tau epsilon^2) + Tr P^2 / (2 (tau epsilon)^2) + O(W^6).

The same loss of dot products, not normalised, is `-Tr M / tau + Tr P^2 / (2 tau^2)`: normalisation adds
`Tr M Tr P + 2 Tr PM`. Then

    complete collapse:     only where r_0 <= 0 (no decay), as B = A_0 / (tau epsilon)
    dimensional collapse:  mode j is lost where r_j (epsilon - Tr P) <= Tr M, at any tau
    two modes:             mode 1 is lost, beside mode 0, where r_1 <= tau r_0^2 / (1 + 5 tau r_0);

without normalisation every mode with `r_j > 0` is kept. Normalisation causes no complete collapse, but a dimensional one.

Local: order 4 is accurate where `Tr P << epsilon`; mode 0 alone has `p_0 = epsilon tau r_0 / (1 + 6 tau r_0)`, which is
that for `tau r_0 << 1`. As epsilon goes to 0 the landscape depends on `P / epsilon` alone and leaves this range; T7.shell
has that limit. Degree 4 needs Gaussian views.
"""

import numpy as np
import sympy as sp

import symscape as ss

tau, epsilon, p, q = sp.symbols("tau epsilon p_0 p_1", positive=True)
r_0, r_1 = sp.symbols("r_0 r_1", positive=True)


def prove(proof: ss.Proof) -> None:
    """Derive the landscape, the slope of an empty mode, and sample the coupling of two modes."""
    P, M = ss.W * ss.Sigma * ss.W.T, ss.W * ss.A_0 * ss.W.T
    TrP, TrM, TrP2, TrPM = (sp.Trace(m) for m in (P, M, P * P, P * M))
    proof.exact("cosines are scale-invariant", ss.facts(ss.NTXent(tau=tau)).scale_invariant, True)
    proof.text("The smooth cosine is f.f' (1 - (|f|^2 + |f'|^2) / (2 epsilon)) "
               "/ epsilon; E f.f' |f|^2 = Tr M Tr P + 2 Tr PM (Wick).")  # fmt: skip
    land = ss.landscape(ss.NTXent(tau=tau, epsilon=epsilon))
    added = (TrM * TrP + 2 * TrPM) / (tau * epsilon**2)
    proof.exact("the landscape is", land, -TrM / (tau * epsilon) + added + TrP2 / (2 * (tau * epsilon) ** 2))
    dots = ss.landscape(ss.InfoNCE(tau=tau, similarity="dot"))
    proof.exact("without normalisation it is", dots, -TrM / tau + TrP2 / (2 * tau**2))

    proof.text("Complete collapse: augmentation is not in B, and one r_0 > 0 is enough to leave the origin.")
    proof.exact("B is", land.hessian.B, ss.A_0 / (tau * epsilon))
    found = ss.threshold(land, tau).mode(0).inequality
    proof.exact("mode 0 survives where", found.subs({tau: 1, epsilon: 1}), sp.Symbol("r_0", real=True) > 0)

    proof.text("Dimensional collapse: on modes of Sigma = 1, A_0 = diag(r), the slope in p_1 at p_1 = 0 is")
    moments = {ss.A_0: sp.diag(r_0, r_1), ss.Sigma: sp.eye(2), ss.d_0: 2, ss.d_1: 2}
    L = sp.expand(land.expr.subs({ss.W: sp.diag(sp.sqrt(p), sp.sqrt(q)), **moments}).doit())
    slope = sp.diff(L, q).subs(q, 0)
    proof.exact("dL/dp_1, where Tr M = r_0 p_0", slope, (r_1 * (p - epsilon) + r_0 * p) / (tau * epsilon**2))
    (full,) = sp.solve(sp.diff(L, p).subs(q, 0), p)
    proof.exact("mode 0 alone has the strength", sp.factor(full), epsilon * tau * r_0 / (1 + 6 * tau * r_0))
    (last,) = sp.solve(slope.subs(p, full), r_1)
    proof.exact("mode 1 enters at r_1 =", sp.factor(last), tau * r_0**2 / (1 + 5 * tau * r_0))

    proof.text("The minimum over all W, at r_0 = 9/10, tau = 1/2, and whatever epsilon is:")
    at = 0.5 * 0.81 / (1 + 4.5 / 2)
    for size in (1.0, 0.01):

        def kept(r: float, size: float = size) -> int:
            return ss.collapse(land, A0=np.diag([0.9, r]), Sigma=np.eye(2), d1=2, tau=0.5, epsilon=size).surviving

        proof.numeric(f"at epsilon = {size} mode 1 is lost 1 % below r_1 = {at:.4f} and kept 1 % above it",
                      lambda off, f=kept: (f(0.99 * at * (1 + off)), f(1.01 * at * (1 + off))) == (1, 2))  # fmt: skip
    found = ss.collapse(dots, A0=np.diag([0.9, 0.001]), Sigma=np.eye(2), d1=2, tau=0.5).surviving
    proof.exact("dots keep, at r_1 = 1/1000,", found, 2)

    proof.text("Sampled: the coupling p_0 p_1 (r_0 + r_1) / (tau epsilon^2), "
               "a mixed difference of the loss with four negatives each.")  # fmt: skip
    rng, N, r, step = np.random.default_rng(7), 500_000, np.array([0.9, 0.6]), 0.004
    x, chi = rng.standard_normal((N, 2)), rng.standard_normal((4, N, 2))
    xp = r * x + np.sqrt(1 - r**2) * rng.standard_normal((N, 2))

    def loss(strengths: np.ndarray) -> np.ndarray:
        views = (np.sqrt(strengths) * v for v in (x, xp, chi))
        units = [f / np.sqrt((f**2).sum(axis=-1, keepdims=True) + 1) for f in views]
        return np.log(np.exp((units[0] * units[2]).sum(axis=-1)).mean(axis=0)) - (units[0] * units[1]).sum(axis=1)

    one, two = np.eye(2)
    near, far = ((loss(h * (one + two)) - loss(h * one) - loss(h * two)) / h**2 for h in (step, 2 * step))
    coupling = 2 * near - far  # the part of the sixth degree drops out
    proof.sampled("at tau = epsilon = 1 it is r_0 + r_1", coupling.mean(), coupling.std() / np.sqrt(N), 1.5)


if __name__ == "__main__":
    ss.present(prove)
