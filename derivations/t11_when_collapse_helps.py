"""T11. Collapse helps where the signal of the lost modes is below the variance that they cost.

In the setting of T11.excess-risk, with `N > d + 1` and k < d modes kept, the collapsed representation has the smaller
expected risk exactly where

    b_K / v < (d - k) / (N - d - 1),    that is, N < d + 1 + (d - k) v / b_K,

`b_K = sum over lost i of (r_i t_i)^2` the signal lost, `v` the noise that all modes leave. So dimensional collapse
helps if the lost modes are irrelevant to the task, weakly shared by the views (small r), or too many for the labels at
hand. A collapse that reaches modes of signal wins for few labels only, and one that loses no signal, `b_K = 0`, wins at
every N.

What differs from the paper: the condition is on the number of labels as well as on the task.
"""

import numpy as np
import sympy as sp

import symscape as ss

N, d, k, v, b_K, extra = sp.symbols("N d k v b_K x", positive=True)
gamma = sp.Symbol("gamma", positive=True)


def prove(proof: ss.Proof) -> None:
    """Compare the two risks, find the N at which they are equal, and let weight decay choose the modes."""
    found = ss.least_squares_risk()

    proof.text("Full less collapsed risk: v d / (N-d-1) - [(v + b_K)(N-1)/(N-k-1) - v], over the common denominator,")
    gap = found.full_excess - found.collapsed_excess
    claimed = v * (N - 1) / (N - k - 1) * ((d - k) / (N - d - 1) - b_K / v)
    proof.exact("is v (N-1)/(N-k-1) times the margin of the condition", gap, claimed)
    proof.text("For N > d + 1 > k + 1 the factor is positive, so that the margin decides.")
    proof.exact("collapse wins where", found.condition, sp.Lt(b_K / v, (d - k) / (N - d - 1)))
    proof.exact("that is, below N =", found.samples_below, d + 1 + (d - k) * v / b_K)
    proof.exact(
        "without lost signal it wins by",
        sp.factor(gap.subs(b_K, 0)),
        v * (N - 1) * (d - k) / ((N - k - 1) * (N - d - 1)),
    )

    proof.text("InfoNCE with weight decay keeps the modes of A_0 above gamma: here two of six, in order.")
    A0, added = np.diag([4.0, 3.0, 0.8, 0.6, 0.4, 0.2]), np.diag([1.0, 1.0, 2.0, 2.0, 2.0, 2.0])
    theta, noise = np.array([0.5, -0.4, 0.5, 0.4, 0.3, 0.3]), 1.0
    land = ss.landscape(ss.InfoNCE() + ss.WeightDecay(gamma))
    kept = ss.collapse(land, A0, A0 + added, d1=6, gamma=1.0).surviving
    proof.exact("modes kept at gamma = 1", kept, 2)
    # Diagonal moments: r_i = a / (a + c) and t_i = theta_i sqrt(a + c), so that (r_i t_i)^2 = a^2 theta_i^2 / (a + c).
    a, c = np.diag(A0), np.diag(added)
    lost = np.sum((a**2 * theta**2 / (a + c))[2:])
    left = noise**2 + np.sum(theta**2 * a * c / (a + c))
    report = ss.collapse_helps(A0, A0 + added, theta, noise, samples=16, kept=kept)
    proof.digits("collapse wins below this N", report.samples_below, 6 + 1 + 4 * left / lost, 12)

    proof.text("The experiment agrees on either side: both fits on the same draws, at few and at many labels.")
    rng, best = np.random.default_rng(5), a * theta / (a + c)
    for samples, draws in ((16, 40000), (400, 1000)):
        s = rng.standard_normal((draws, samples, 6)) * np.sqrt(a)
        x = s + rng.standard_normal(s.shape) * np.sqrt(c)
        y = s @ theta + noise * rng.standard_normal(s.shape[:2])
        risks = []
        for modes in (6, kept):
            z, gap = x[..., :modes], np.tile(-best, (draws, 1))
            gap[:, :modes] += np.linalg.solve(z.swapaxes(1, 2) @ z, z.swapaxes(1, 2) @ y[..., None])[..., 0]
            risks.append(gap**2 @ (a + c))
        saved, error = risks[0] - risks[1], float(np.std(risks[0] - risks[1]) / np.sqrt(draws))
        report = ss.collapse_helps(A0, A0 + added, theta, noise, samples, kept)
        predicted = report.full_excess - report.collapsed_excess
        proof.sampled(f"risk saved by collapse at N = {samples}", float(saved.mean()), error, predicted)
        proof.exact("collapse helps", report.helps, samples == 16)


if __name__ == "__main__":
    ss.present(prove)
