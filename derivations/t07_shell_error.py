"""T7. The landscape on the shell misses the exact isotropic cosine at order 1 / k, its threshold by a share tau r (1 - r^2).

At k equal modes of correlation r the landscape on the shell (T7.shell) has `-r / tau + 1 / (2 k tau^2)` for L, and lets one
more mode enter at `r - 1 / (k tau)`. The exact L is larger, and the exact `r*` (T7.isotropic) smaller, by

    r (1 - r^2) / (2 k tau) + O(1 / k^2)    and    r (1 - r^2) / k + O(1 / k^2).

Both follow from the mean cosine at order `1 / k` (T7.shell): at `p = 1 / k` it is `r - r (1 - r^2) / (2 k)`, and its slope
along a new mode of correlation r' exceeds that along an old one by `r' - r + r (1 - r^2) / k`. Hence, beside k equal modes,

    r - r* = (1 + tau r (1 - r^2)) / (k tau) + O(1 / k^2).

What differs from the paper: a normalised landscape of leading order in `1 / (k tau)` needs a second hypothesis, `tau << 1`.
At fixed tau its threshold has a wrong coefficient however large k is, and at `tau -> oo` it says that one mode is kept,
where the mean cosine keeps more.
"""

import numpy as np
import sympy as sp

import symscape as ss

tau, k = sp.symbols("tau k", positive=True)
r, r_new = sp.symbols("r r_new", real=True)


def prove(proof: ss.Proof) -> None:
    """Expand the mean cosine at equal modes, and compare with the exact isotropic case as k grows."""
    proof.text("By hand, from E cos = Tr M - 2 Tr PM + Tr M (3 Tr P^2 + Tr M^2) / 2 with M = r p and all p = 1 / k:")
    mean = r - 2 * r / k + r * (3 / k + r**2 / k) / 2
    proof.exact("E cos is", sp.expand(mean), sp.expand(r - r * (1 - r**2) / (2 * k)))
    proof.text("Its slope in p along an old mode, and along a new one, "
               "at which Tr P^2, Tr PM, Tr M^2 have no slope yet:")  # fmt: skip
    old = r - 4 * r / k + r * (3 / k + r**2 / k) / 2 + r * (6 / k + 2 * r**2 / k) / 2
    new = r_new * (1 + (3 / k + r**2 / k) / 2)
    # At r' = r + O(1 / k): the old slope must be repaid by the push of the negatives, 1 / (k tau).
    (entry,) = sp.solve(new - old + 1 / (k * tau), r_new)
    proof.exact("k (r - r*) tends to", sp.limit(k * (r - entry), k, sp.oo), 1 / tau + r * (1 - r**2))

    proof.text("The engine's order 1 / k, from the moments of the fluctuations, is the same: its error has no 1 / k "
               "left. k times each error tends to its coefficient; three values of k are extrapolated in 1 / k.")  # fmt: skip
    for temperature in (0.5, 0.25):
        table = ss.shell_error_table(ss.NTXent(tau=tau), k=[128, 256, 512], r=0.8, tau=temperature)
        limits = []
        for name in ("error_value", "error_entry", "error_value_next"):
            a, b, c = table.column(name) * [128, 256, 512]
            limits.append((a - 6 * b + 8 * c) / 3)
        claimed = [-0.8 * 0.36 / (2 * temperature), 0.8 * 0.36, 0.0]
        proof.digits(f"tau = {temperature}: of L, of r*, and of L with the fluctuations", limits, claimed, 3)

    proof.text("k tau >> 1 alone is not enough: k tau (r - r*) is 1 + tau r (1 - r^2), near 1 only where it is cold.")
    exact = ss.isotropic_cosine(ss.NTXent(tau=tau))
    for name, temperature in (("cold", 0.05), ("hot", 5.0)):
        entry = float(exact.evaluate(exact.entry_correlation, 800, sp.Rational(4, 5), tau=temperature))
        share, claimed = (0.8 - entry) * 800 * temperature, 1 + temperature * 0.8 * 0.36
        proof.numeric(f"{name}, tau = {temperature}, k = 800: it is {claimed:.4f}",
                      lambda off, s=share, c=claimed: abs(s / c - 1 - off) < 0.012, f"{share:.4f}")  # fmt: skip

    proof.text("Sampled at k = 32, r = 4/5: the mean cosine, whose "
               "distance from r is r (1 - r^2) / (2 k) and a little more.")  # fmt: skip
    rng, gaps, N = np.random.default_rng(15), [], 30_000
    for _ in range(20):
        f, z = rng.standard_normal((2, N, 32))
        h = 0.8 * f + 0.6 * z
        A, B, inner = (f**2).sum(axis=1), (h**2).sum(axis=1), (f * h).sum(axis=1)
        # The ratio of the means is r up to 1 / N; less its own fluctuation, the mean cosine has little noise.
        gaps.append(inner.mean() / np.sqrt(A.mean() * B.mean()) - (inner / np.sqrt(A * B)).mean())
    error = np.std(gaps, ddof=1) / np.sqrt(20)
    value = exact.evaluate(exact.value, 32, sp.Rational(4, 5), tau=1) - exact.evaluate(exact.value, 32, 0, tau=1)
    proof.sampled("r - E cos is that of the closed form", np.mean(gaps), error, 0.8 + float(value))


if __name__ == "__main__":
    ss.present(prove)
