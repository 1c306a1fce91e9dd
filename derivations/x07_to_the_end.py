"""X7. One loss of a user's own through T1 to T5: stationary points, survival, thresholds, with no new code.

The loss is invented here: positives are pulled together in a squared distance, negatives are pushed apart by a bounded
function,

    L = E|f(x) - f(x')|^2 + (1/t) log E e^{-t |f(x) - f(chi)|^2} + gamma ||W||^2,

alignment and uniformity with the push over t. Its landscape at order 4 is `-2 Tr M + 4 t Tr P^2 + gamma ||W||^2` (T1),
it rotates (T2), `B = 2 A_0 - gamma` is free of the augmentation (T3), mode k has `p_k = b_k / (8 t)` where `b_k > 0`, b
the pencil of (B, Sigma), and every local minimum is global (T4); it is kept for `gamma < 2 lambda_k` (T5). Exactly,
over Gaussian views (X1),

    L = 2 sum_i (1 - r_i) p_i - (1/(2 t)) sum_i log(1 + 4 t p_i) + gamma ||W||^2,
    p_i = (1/(1 - r_i) - 1) / (4 t)   at gamma = 0,

so that no mode with `0 < r < 1` collapses, and order 4 gives `p_i = r_i / (4 t)`, the leading order of that.
"""

import numpy as np
import sympy as sp

import symscape as ss

t, gamma = sp.symbols("t gamma", positive=True)
p, r = sp.Symbol("p_i", nonnegative=True), sp.Symbol("r_i", real=True)
x, xp, chi = ss.anchor, ss.positive, ss.negative
MINE = ss.Loss(ss.E(ss.sqdist(x, xp)) + sp.log(ss.E(sp.exp(-t * ss.sqdist(x, chi)))) / t, name="mine")


def prove(proof: ss.Proof) -> None:
    """Derive, solve, find thresholds, integrate exactly; then sample the loss on Gaussian views."""
    P, M = ss.W * ss.Sigma * ss.W.T, ss.W * ss.A_0 * ss.W.T
    decayed = MINE + ss.WeightDecay(gamma)
    land = ss.landscape(decayed)

    proof.text("T1: x - chi has covariance 2 P: log E e^{-t Y} = -2 t Tr P + 4 t^2 Tr P^2; over t, Tr P cancels.")
    by_hand = -2 * sp.Trace(M) + 4 * t * sp.Trace(P * P) + gamma * sp.Trace(ss.W * ss.W.T)
    proof.exact("the landscape is", land, by_hand)
    proof.exact("T2: rotation-invariant", ss.facts(MINE).rotation_invariant, True)
    proof.exact("T3: B, without augmentation, is", land.hessian.B, 2 * ss.A_0 - gamma * sp.Identity(ss.d_0))

    proof.text("T4: alpha = 4 t, beta = 0: p = b / (2 alpha), and L = -sum b^2 / (4 alpha).")
    family = ss.stationary_points(land).family(kept=(0, 1))
    b_0, b_1 = sp.symbols("b_0 b_1", real=True)
    proof.exact("the strengths of modes 0 and 1 are", family.spectrum, (b_0 / (8 * t), b_1 / (8 * t)))
    proof.exact("the loss there is", family.loss, -(b_0**2 + b_1**2) / (16 * t))
    A0, Sigma = np.diag([3.0, 2.0, 0.5]) + 0.2, np.diag([4.0, 4.0, 4.0]) + 0.2
    points = ss.stationary_points(land, A0, Sigma, d1=2, gamma=2.0, t=0.5)
    indices = [(point.kept, point.index) for point in points if point.kind == "minimum"]
    proof.exact("the only local minimum keeps both modes", indices, [((0, 1), 0)])
    slope = land.numpy().gradient

    def vanishes(off: float) -> bool:
        slopes = [slope((1 + off) * point.W, A0=A0, Sigma=Sigma, gamma=2.0, t=0.5) for point in points]
        return bool(np.abs(slopes).max() < 1e-10)

    proof.numeric("the gradient vanishes at all families", vanishes, f"{points.count} families")

    threshold = ss.threshold(land, gamma).mode(0).critical
    proof.exact("T5: mode 0 survives for gamma below", threshold, 2 * sp.Symbol("lambda_0", real=True))

    proof.text("X1: E e^{-t Y} = det(1 + 4 t P)^{-1/2}, whose logarithm over t is a sum over modes.")
    closed = ss.closed_form(MINE)
    (summand,) = closed.sums.values()
    proof.exact("exactly, a mode adds", summand, 2 * (1 - r) * p - sp.log(1 + 4 * t * p) / (2 * t))
    found = ss.mode_minimiser(closed)
    proof.exact("and is trained to", found.p, (1 / (1 - r) - 1) / (4 * t))
    proof.exact("whose leading order is that of order 4", sp.diff(found.p, r).subs(r, 0), 1 / (4 * t))

    proof.text(
        "The sampled loss at W = diag(0.9, 0.7): batches of 400 rows, the O(1/N) of the logarithm removed as in X1."
    )
    rng, w, (a, c) = np.random.default_rng(1), np.array([0.9, 0.7]), (np.array([0.8, 0.5]), np.array([0.2, 0.5]))

    def value(fa: np.ndarray, fb: np.ndarray) -> float:
        apart = (fa**2).sum(1)[:, None] + (fb**2).sum(1) - 2 * fa @ fb.T
        others = (np.exp(-apart / 2).sum() - np.exp(-np.diag(apart) / 2).sum()) / (len(fa) * (len(fa) - 1))
        return float(np.diag(apart).mean() + 2 * np.log(others))

    values = []
    for _ in range(200):
        s = rng.standard_normal((400, 2)) * np.sqrt(a)
        fa, fb = ((s + rng.standard_normal((400, 2)) * np.sqrt(c)) * w for _ in range(2))
        values.append(2 * value(fa, fb) - (value(fa[:200], fb[:200]) + value(fa[200:], fb[200:])) / 2)
    expected = closed.value(w**2, a, t=0.5)
    proof.sampled("the loss is", float(np.mean(values)), float(np.std(values) / np.sqrt(200)), expected)


if __name__ == "__main__":
    ss.present(prove)
