"""T9. VICReg's hinge has three regimes, and in each a mode is kept where its correlation exceeds a threshold.

At equal shares (T9.equal-shares), with `H = mu / (2 sqrt(Tr P / d_1 + epsilon))` while the hinges are active, 0 when they
are not, and at the kink `Tr P = d_1 (1 - epsilon)` any H between 0 and mu / 2,

    d_1 dL/dp_i = 2 lambda (1 - r_i) - H + 4 nu (p_i - Tr P / d_1),
    p_i = Tr P / d_1 + (H - 2 lambda (1 - r_i)) / (4 nu),      mode i is kept where this is positive.

At the kink, with the k modes of largest r kept, H drops out of the spectrum:

    p_i = (1 - epsilon) d_1 / k + lambda (r_i - mean_k r) / (2 nu),
    mode j, from 0, is kept where sum_(i<j) (r_i - r_j) < 2 nu d_1 (1 - epsilon) / lambda,
    and the minimum is at the kink where 4 lambda mean_k (1 - r) + 8 nu (1 - epsilon) (d_1 / k - 1) <= mu.

Away from the kink the sums Tr P are those of the minimum, and the thresholds hold beside them. Equal shares are proved to
be the best rotation where the bound is attained (T9.best-rotation). When collapse is complete, and what the origin says:
T9.vicreg-collapse.
"""

import numpy as np
import sympy as sp

import symscape as ss

lam, mu, nu, epsilon = sp.symbols("lambda mu nu epsilon", positive=True)
TrP, H, r_i = sp.symbols("TrP H r_i", real=True)
d_1 = ss.d_1


def prove(proof: ss.Proof) -> None:
    """Differentiate each regime, solve the kink, and compare with the minimum over all W and with a sample."""
    active, kink, inactive = ss.hinge_regimes(ss.VICReg(lam, mu, nu, epsilon))
    share = TrP / d_1

    proof.text("The slope of d_1 L by p_i has H from the hinge; the strengths of kept modes, solved for, are")
    strength = share + (H - 2 * lam * (1 - r_i)) / (4 * nu)
    slope = mu / (2 * sp.sqrt(share + epsilon))
    for regime, hinge in ((active, slope), (kink, d_1 * sp.Symbol("eta", real=True)), (inactive, 0)):
        (found,) = regime.strengths
        plain = {s: sp.Symbol(s.name, real=True) for s in found.free_symbols if s.name in ("TrP", "r_i", "eta")}
        proof.exact(f"{regime.name}: p_i is", found.subs(plain), strength.subs(H, hinge))
    proof.exact("the kink is at Tr P =", kink.landscape.shell, d_1 * (1 - epsilon))
    proof.exact("and H between", tuple(d_1 * end for end in kink.multiplier), (0, mu / 2))

    proof.text("At the kink the k strengths sum to Tr P; that fixes H, "
               "with R = mean_k r, and H <= mu / 2 is the condition.")  # fmt: skip
    R, k = sp.symbols("R k", positive=True)
    held = strength.subs(TrP, d_1 * (1 - epsilon))
    (H_k,) = sp.solve(k * held.subs(r_i, R) - d_1 * (1 - epsilon), H)
    proof.exact("H is", H_k, 2 * lam * (1 - R) + 4 * nu * (1 - epsilon) * (d_1 / k - 1))
    proof.exact("p_i is", held.subs(H, H_k), (1 - epsilon) * d_1 / k + lam * (r_i - R) / (2 * nu))

    proof.text("Six modes, four outputs. At mu = 25 the kink needs 100 "
               "mean_k (1 - r) + 8 (4 / k - 1) <= 25 (lambda = 25, nu = 1).")  # fmt: skip
    r = np.array([0.97, 0.9, 0.8, 0.7, 0.5, 0.3])
    least, eps = ss.rotation_minimised(ss.VICReg(), r, 4), 1e-4
    # gaps 0, 0.07, 0.27, 0.57 against 2 nu d_1 (1 - eps) / lambda = 0.32: three modes.
    found = least.regime, least.kept, least.is_global
    proof.exact("regime, kept modes, proved global", found, ("at the kink", (0, 1, 2), True))
    by_hand = 4 * (1 - eps) / 3 + 25 / 2 * (r[:3] - r[:3].mean())
    proof.digits("the kept p_i are", least.p[:3], by_hand, 8)
    edge = 100 * (1 - r[:3]).mean() + 8 * (1 - eps) * (4 / 3 - 1)

    def regimes(weight: float) -> list[str]:
        return [ss.rotation_minimised(ss.VICReg(mu=side * weight), r, 4).regime for side in (0.99, 1.01)]

    proof.numeric(f"the minimum reaches the kink as mu passes {edge:.3f}",
                  lambda off: regimes(edge * (1 + off)) == ["active", "at the kink"])  # fmt: skip

    proof.text("Sampled: the loss as coded (two views, unbiased covariances) at the predicted W, hinges active.")
    far = np.array([0.7, 0.6, 0.5, 0.3])
    least, rng, values = ss.rotation_minimised(ss.VICReg(), far, 4), np.random.default_rng(12), []
    for _ in range(20):
        x = rng.standard_normal((20_000, 4))
        xp = far * x + np.sqrt(1 - far**2) * rng.standard_normal(x.shape)
        f, h = x @ least.W.T, xp @ least.W.T
        value = 25 * ((f - h) ** 2).mean()
        for cov in (np.cov(f.T), np.cov(h.T)):
            off = cov - np.diag(np.diag(cov))
            value += 12.5 * np.maximum(0, 1 - np.sqrt(np.diag(cov) + 1e-4)).mean() + (off**2).sum() / 4
        values.append(value)
    proof.exact("the regime is", least.regime, "active")
    proof.sampled("L is", np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values)), least.value)


if __name__ == "__main__":
    ss.present(prove)
