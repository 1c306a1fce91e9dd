"""T7. One output: a cosine is a sign, NT-Xent is known exactly, and the shell is far from it.

With `d_1 = 1`, `f / |f|` is the sign of `w.phi`. For Gaussian views, with `r_w = w^T A_0 w / w^T Sigma w`,

    L = -(2 / pi) arcsin(r_w) / tau + log cosh(1 / tau).

L falls with `r_w` and depends on nothing else, so that its stationary points are the modes `A_0 u = r Sigma u` at any
scale, the top one is the only minimum, and the others are saddles, the last a maximum: whatever the temperature, the one
output carries the mode of largest r. Norms are flat directions (T2).

Local: the shell has `-r / tau + 1 / (2 tau^2)` for L. Its hypothesis `k tau >> 1` fails at k = 1 for `tau <= 1`; it still
keeps the right mode.
"""

import mpmath
import numpy as np
import sympy as sp

import symscape as ss

tau = sp.Symbol("tau", positive=True)


def prove(proof: ss.Proof) -> None:
    """Compare with the orthant probability, classify the modes, and sample the loss."""
    exact = ss.isotropic_cosine(ss.NTXent(tau=tau))

    proof.text("Two Gaussians of correlation r have one sign with probability 1/2 + arcsin(r) / pi "
               "(Sheppard, 1899), here by integration; the sign of a negative is +1 or -1, as likely.")  # fmt: skip
    for r, t in (
        (mpmath.mpf(1) / 5, mpmath.mpf(1) / 2),
        (mpmath.mpf(9) / 10, mpmath.mpf(1) / 10),
        (-mpmath.mpf(3) / 5, mpmath.mpf(2)),
    ):
        with mpmath.workdps(25):
            same = 2 * mpmath.quad(
                lambda u, r=r: mpmath.npdf(u) * mpmath.ncdf(r * u / mpmath.sqrt(1 - r**2)), [0, 4, 12]
            )
            claimed = -(2 * same - 1) / t + mpmath.log((mpmath.exp(1 / t) + mpmath.exp(-1 / t)) / 2)
            derived = exact.evaluate(exact.value, 1, sp.Rational(str(r)), tau=sp.Rational(str(t)))
        proof.digits(f"r = {r}, tau = {t}: L is", derived, claimed, 12)

    proof.text("r_w along a line through mode i towards mode j is (r_i + s r_j) "
               "/ (1 + s), s the squared step: its slope in s, at s = 0, is")  # fmt: skip
    r_i, r_j, step = sp.symbols("r_i r_j s", real=True)
    proof.exact("r_j - r_i", sp.diff((r_i + step * r_j) / (1 + step), step).subs(step, 0), r_j - r_i)
    proof.text("so that L, which falls with r_w, rises from mode i towards j "
               "where r_j < r_i. The number of directions in which it falls:")  # fmt: skip
    r = np.array([0.9, 0.7, 0.4, 0.1])

    def loss(w: np.ndarray) -> float:
        return float(exact.evaluate(exact.value, 1, float(w**2 @ r / (w @ w)), tau=0.5))

    falling = []
    for mode, u in enumerate(np.eye(4)):
        falling.append(sum(loss(u + 0.05 * v) < loss(u) for other, v in enumerate(np.eye(4)) if other != mode))
    proof.exact("by mode, descending in r", falling, [0, 1, 2, 3])

    proof.text("The shell at k = 1: 1 / (2 tau^2) in place of log cosh(1 / tau), r in place of (2 / pi) arcsin r.")
    land = ss.normalised_landscape(ss.NTXent(tau=tau))
    shell = land.value([1.0], [0.9], tau=0.1)
    proof.digits("tau = 1/10, r = 9/10: the shell has L", shell, -0.9 / 0.1 + 1 / (2 * 0.01), 12)
    proof.digits("and the exact loss", exact.evaluate(exact.value, 1, 0.9, tau=0.1),
                 -2 / np.pi * np.arcsin(0.9) / 0.1 + np.log(np.cosh(10)), 12)  # fmt: skip
    proof.exact("both keep the top mode", land.minimum(r=r, d1=1, tau=0.1).kept, (0,))

    proof.text("Sampled: w mixes two modes of r = 3/5 and 1/5 in equal parts, so that r_w = 2/5; tau = 1/2.")
    rng, N, modes = np.random.default_rng(10), 400_000, np.array([0.6, 0.2])
    x, chi = rng.standard_normal((2, N, 2))
    xp = modes * x + np.sqrt(1 - modes**2) * rng.standard_normal((N, 2))
    f, fp, fn = (np.sign(view.sum(axis=1)) for view in (x, xp, chi))
    # The mean over all negatives takes one of two values, by the sign of the anchor.
    contrast = {sign: np.log(np.exp(sign * fn / 0.5).mean()) for sign in (1.0, -1.0)}
    values = -f * fp / 0.5 + np.where(f > 0, contrast[1.0], contrast[-1.0])
    error = values.std() / np.sqrt(N)
    proof.sampled("L is", values.mean(), error, -2 / np.pi * np.arcsin(0.4) / 0.5 + np.log(np.cosh(2)))


if __name__ == "__main__":
    ss.present(prove)
