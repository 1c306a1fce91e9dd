"""T9. Barlow Twins, normalised over the batch, lives on the shell Tr P = d_1 and keeps few modes at small lambda.

Batch-normalised, with epsilon = 0, the loss does not change when an output is scaled. At equal shares it is, on
`Tr P = d_1`,

    L = d_1 (1 - Tr M / d_1)^2 + lambda (Tr M^2 - (Tr M)^2 / d_1),
    lambda r_i^2 p_i = c r_i + eta / 2,        c = 1 - (1 - lambda) Tr M / d_1,

with eta the multiplier of the shell: mode i is kept where `r_i > -eta / (2 c)`. For lambda <= 1 equal shares are the best
rotation; as lambda -> 0 only `Tr M` counts, and the top mode is kept alone, because a mode of smaller r lowers `Tr M` on
the shell. With two outputs mode 1 is kept where `lambda r_0 (r_0 + r_1) > (r_0 - r_1) (1 - r_0)`.

What differs from the paper: raw Barlow Twins keeps these modes at any lambda (T9.barlow-twins-raw); to normalise over the
batch is what makes a mode costly.
Local: epsilon > 0 adds a regime of outputs of variance below epsilon, whose series is T1; the data's regime is epsilon = 0.
"""

import numpy as np
import sympy as sp

import symscape as ss

lam = sp.Symbol("lambda", positive=True)
r_i, eta, TrM, p_i = sp.symbols("r_i eta TrM p_i", real=True)
d_1 = ss.d_1


def prove(proof: ss.Proof) -> None:
    """Solve the shell for the kept modes, count them, and sample the loss at the predicted W."""
    (regime,) = ss.hinge_regimes(ss.BarlowTwins(lambda_=lam, epsilon=0))
    c = 1 - (1 - lam) * TrM / d_1

    proof.text("dL/dp_i = -2 r_i (1 - Tr M / d_1) + 2 lambda r_i^2 p_i "
               "- 2 lambda r_i Tr M / d_1 is eta on the kept modes.")  # fmt: skip
    (strength,), (least,) = regime.strengths, regime.thresholds
    symbols = {s.name: s for s in (strength + least).free_symbols}
    plain = {symbols[s.name]: s for s in (r_i, eta, TrM)}
    proof.exact("p_i is", strength.subs(plain), (c * r_i + eta / 2) / (lam * r_i**2))
    proof.exact("mode i is kept where r_i exceeds", least.subs(plain), -eta / (2 * c))

    proof.text("Two outputs, two modes: p_0 + p_1 = 2 and equal slopes. "
               "Mode 1 enters at p_0 = 2, p_1 = 0, where both slopes agree:")  # fmt: skip
    r_0, r_1 = sp.symbols("r_0 r_1", positive=True)
    slope = -2 * r_i * (1 - TrM / 2) + 2 * lam * r_i**2 * p_i - lam * r_i * TrM
    at = {TrM: 2 * r_0}
    (entry,) = sp.solve(slope.subs({r_i: r_1, p_i: 0, **at}) - slope.subs({r_i: r_0, p_i: 2, **at}), lam)
    # (r_0 - r_1)(1 - r_0) = lambda r_0 (r_0 + r_1).
    proof.exact("mode 1 is kept for lambda above", sp.factor(entry), (r_0 - r_1) * (1 - r_0) / (r_0 * (r_0 + r_1)))
    edge = 0.2 * 0.1 / (0.9 * 1.6)
    loss = ss.BarlowTwins(lambda_=lam, epsilon=0)

    def surviving(weight: float) -> int:
        return ss.rotation_minimised(loss, [0.9, 0.7], 2, lambda_=weight).surviving

    def descended(weight: float) -> int:
        p = ss.minimise_over_weights(loss, [0.9, 0.7], 2, np.random.default_rng(0), starts=1, lambda_=weight).p
        return int((p > 1e-3 * p.max()).sum())

    for name, count in (("at equal shares", surviving), ("over all W, by descent", descended)):
        proof.numeric(f"{name}: one mode 1 % below lambda = {edge:.5f}, two 1 % above",
                      lambda off, f=count: (f(0.99 * edge * (1 + off)), f(1.01 * edge * (1 + off))) == (1, 2))  # fmt: skip

    proof.text("Sixteen modes, sixteen outputs, lambda = 0.0051: the "
               "kept strengths satisfy both sums, Tr P = 16 and Tr M.")  # fmt: skip
    r = np.linspace(0.95, 0.2, 16)
    usual = ss.rotation_minimised(ss.BarlowTwins(lambda_=0.0051, epsilon=0), r, 16)
    kept, M = usual.surviving, float(r @ usual.p)
    proof.digits("Tr P is d_1", usual.p.sum(), 16, 9)
    # The kept p_i from c and eta: two linear equations, sum p = 16 and sum r p = Tr M.
    inverse = [np.sum(1 / r[:kept] ** n) for n in (0, 1, 2)]
    system = np.array([[inverse[1], inverse[2] / 2], [inverse[0], inverse[1] / 2]])
    c_eta = np.linalg.solve(system, [0.0051 * 16, 0.0051 * M])
    proof.digits("and c is 1 - (1 - lambda) Tr M / d_1", c_eta[0], 1 - (1 - 0.0051) * M / 16, 7)

    proof.text("Sampled: the loss as coded, outputs normalised over the "
               "batch, at the predicted W for four modes and four outputs.")  # fmt: skip
    near, rng, values = np.array([0.9, 0.8, 0.7, 0.6]), np.random.default_rng(13), []
    least_four = ss.rotation_minimised(ss.BarlowTwins(lambda_=0.2, epsilon=0), near, 4)
    for _ in range(20):
        x = rng.standard_normal((20_000, 4))
        xp = near * x + np.sqrt(1 - near**2) * rng.standard_normal(x.shape)
        f, h = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (x @ least_four.W.T, xp @ least_four.W.T))
        K = f.T @ h / len(f)
        values.append(((1 - np.diag(K)) ** 2).sum() + 0.2 * ((K**2).sum() - (np.diag(K) ** 2).sum()))
    proof.sampled("L is", np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values)), least_four.value)


if __name__ == "__main__":
    ss.present(prove)
