"""T7. Cosine losses on the shell Tr P = 1: temperature loses modes one after another, and complete collapse does not exist.

A loss of cosines does not change along `f -> c f`; its landscape is a function on the shell `Tr P = 1`. With k comparable
modes kept, `|f|^2 = 1 + O(k^(-1/2))`, and NT-Xent is, at leading order, with `m_k` the multiplier of the shell,

    L = -Tr M / tau + Tr P^2 / (2 tau^2),        p_i = tau (r_i - m_k),  m_k = (sum_(i<k) r_i - 1 / tau) / k.

The k modes of largest r are kept, and mode j, counted from 0, is one of them if and only if

    sum_(i<j) (r_i - r_j) < 1 / tau,

a threshold in temperature for each mode: cold representations are full, warm ones are not. The top mode is always kept.

Local: leading order needs `k tau >> 1` and also `tau << 1`, which a leading order in `1 / (k tau)` alone does not show. The
fluctuations of `|f|^2` change the mean cosine at order `1 / k`, at any tau, to

    E cos = Tr M - 2 Tr PM + Tr M (3 Tr P^2 + Tr M^2) / 2,

while the threshold compares r with `1 / (k tau)`: it moves by a share `tau r (1 - r^2)` of that (T7.shell-error). At
`tau -> oo` the leading order would keep the top mode only, and the mean cosine itself keeps more. Views are Gaussian, W is
aligned with the modes.
"""

import numpy as np
import sympy as sp

import symscape as ss

tau = sp.Symbol("tau", positive=True)
k = sp.Symbol("k", integer=True, positive=True)
R, r_i = sp.symbols("R r_i", real=True)
gap = sp.Symbol("gap", nonnegative=True)
x, xp = ss.anchor, ss.positive


def prove(proof: ss.Proof) -> None:
    """Derive the landscape on the shell, solve its minimum, and sample the mean cosine."""
    land = ss.normalised_landscape(ss.NTXent(tau=tau))

    proof.text("On the shell a cosine is an inner product: log E_chi e^(f.f- / "
               "tau) = f^T P f / (2 tau^2), whose mean is Tr P^2 / (2 tau^2).")  # fmt: skip
    TrM, TrP2, TrPM, TrM2 = (sp.Symbol(name) for name in ("Tr M", "Tr P²", "Tr PM", "Tr M²"))
    plain = {s: sp.Symbol(s.name) for s in land.outer.free_symbols if s != tau}
    proof.exact("L is", land.outer.subs(plain), -TrM / tau + TrP2 / (2 * tau**2))
    proof.exact("on the shell Tr P =", land.shell, 1)

    proof.text("Kept modes share the slope -r_i / tau + p_i / tau^2 = -m / "
               "tau, so p_i = tau (r_i - m); summing over k modes gives m.")  # fmt: skip
    found = ss.shell_thresholds(land, tau)
    proof.exact("p_i is, R the sum of r over the kept modes", found.strength, tau * (r_i - (R - 1 / tau) / k))
    proof.text("The last of k modes is kept while its p > 0: its gap, sum_(i<j) (r_i - r_j), is less than 1 / tau.")
    proof.exact("a mode is kept where", found.condition, gap < 1 / tau)
    proof.exact("that is, below the temperature", found.threshold, 1 / gap)

    proof.text("Numbers: the gap grows with k, so that warming loses "
               "the last mode first. The minimum of L on the shell:")  # fmt: skip
    r = np.array([0.95, 0.9, 0.8, 0.7])
    for mode, critical in ((2, 1 / 0.25), (3, 1 / 0.55)):  # 0.15 + 0.1 and 0.25 + 0.2 + 0.1

        def kept(temperature: float) -> int:
            return land.minimum(r=r, tau=temperature).surviving

        proof.numeric(
            f"mode {mode} is kept 1 % below tau = {critical:.4f} and lost 1 % above it",
            lambda off, m=mode, c=critical: (kept(0.99 * c * (1 + off)), kept(1.01 * c * (1 + off))) == (m + 1, m),
        )
    proof.exact("at tau = 1000 the modes kept number", kept(1000.0), 1)

    proof.text("At order 1 / k the positive sees the norms: with |f|^2 = 1 + d, cos = f.f' (1 - (d + d') / 2 "
               "+ 3 (d^2 + d'^2) / 8 + d d' / 4), E f.f' d = 2 Tr PM, E d^2 = 2 Tr P^2, E d d' = 2 Tr M^2.")  # fmt: skip
    cosine = ss.dot(x, xp) / sp.sqrt(ss.sqnorm(x) * ss.sqnorm(xp))
    mean = ss.normalised_landscape(ss.Loss(ss.E(cosine), name="mean cosine"), fluctuations=True)
    by_hand = TrM - 2 * TrPM + TrM * (3 * TrP2 + TrM2) / 2
    proof.exact("E cos is", mean.outer.subs({s: sp.Symbol(s.name) for s in mean.sums}), by_hand)

    proof.text("Sampled: E cos of 48 unequal modes, and the same without the fluctuations, which is Tr M.")
    rng, N = np.random.default_rng(9), 40_000
    p, correlations = np.linspace(1, 2, 48) / 72, np.linspace(0.2, 0.9, 48)
    f = rng.standard_normal((N, 48))
    h = correlations * f + np.sqrt(1 - correlations**2) * rng.standard_normal((N, 48))
    cosines = (f * h) @ p / np.sqrt((f**2 @ p) * (h**2 @ p))
    M, P2, PM, M2 = (correlations @ p, p @ p, correlations @ p**2, correlations**2 @ p**2)
    error = cosines.std() / np.sqrt(N)
    proof.sampled("E cos with the fluctuations is", cosines.mean(), error, M - 2 * PM + M * (3 * P2 + M2) / 2)


if __name__ == "__main__":
    ss.present(prove)
