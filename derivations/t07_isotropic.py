"""T7. Cosine NT-Xent at k equal modes, exactly: its value, and the correlation at which one more mode enters.

Let `P = 1 / k` on k modes of one canonical correlation r. Then `f / |f|` is uniform on the sphere, the expectation over
negatives is a constant, and

    E_chi e^(cos / tau) = Gamma(k/2) (2 tau)^(k/2 - 1) I_(k/2 - 1)(1 / tau),
    E cos = (2 r / k) (Gamma((k+1)/2) / Gamma(k/2))^2 F(1/2, 1/2; k/2 + 1; r^2)                      (Hotelling, 1953),
    L = -E cos / tau + log E_chi e^(cos / tau).

One more mode, of correlation r', grows where `r' > r*`, with g, g' standard normal vectors of k entries of correlation r,

    r* = (J_2 - k/(k-2) I_(k/2)(1/tau) / I_(k/2 - 1)(1/tau)) / J_1,    J_1 = k E 1 / (|g| |g'|),  J_2 = k E cos / |g|^2.

At order `1 / k` the distance `r - r*` is positive at any temperature, for `r > 0` (T7.shell-error). Views are Gaussian; k
>= 3, as beside one or two modes the slope of another is infinite.
"""

import mpmath
import numpy as np
import sympy as sp

import symscape as ss

tau = sp.Symbol("tau", positive=True)


def prove(proof: ss.Proof) -> None:
    """Check value and threshold against known integrals, and the threshold against a sampled loss."""
    exact = ss.isotropic_cosine(ss.NTXent(tau=tau))
    number = {"modes": 7, "correlation": sp.Rational(4, 5), "tau": sp.Rational(1, 2)}
    with mpmath.workdps(30):
        k, r, t, G = 7, mpmath.mpf(4) / 5, mpmath.mpf(1) / 2, mpmath.gamma
        proof.text("A cosine of independent directions has the density (1 - "
                   "c^2)^((k - 3) / 2): integrate, without Bessel functions.")  # fmt: skip
        mass = mpmath.quad(lambda c: (1 - c**2) ** 2, [-1, 1])
        negatives = mpmath.quad(lambda c: mpmath.exp(c / t) * (1 - c**2) ** 2, [-1, 1]) / mass
        cosine = 2 * r / k * (G((k + 1) / 2) / G(k / 2)) ** 2 * mpmath.hyp2f1(0.5, 0.5, k / 2 + 1, r**2)
        value = exact.evaluate(exact.value, **number)
        proof.digits("k = 7, r = 4/5, tau = 1/2: L is", value, -cosine / t + mpmath.log(negatives), 25)

        proof.text("E |g|^a |g'|^b cos = r 2^((a+b)/2) Gamma((k+a+1)/2) Gamma((k+b+1)/2) / (Gamma(k/2) "
                   "Gamma(k/2+1)) F((1-a)/2, (1-b)/2; k/2+1; r^2) gives J_2 at a = -2, b = 0; J_1 is a "
                   "mixture over m of independent chi laws of k + 2m degrees, m negative binomial.")  # fmt: skip
        J_2 = r * k / 2 * G((k - 1) / 2) * G((k + 1) / 2) / (G(k / 2) * G(k / 2 + 1))
        J_2 *= mpmath.hyp2f1(1.5, 0.5, k / 2 + 1, r**2)

        def mixture(m: mpmath.mpf) -> mpmath.mpf:
            chance = (1 - r**2) ** (mpmath.mpf(k) / 2) * r ** (2 * m) * G(k / 2 + m) / (G(k / 2) * mpmath.factorial(m))
            return chance * (G((k - 1) / 2 + m) / G(k / 2 + m)) ** 2 / (2 * (1 - r**2))

        J_1 = k * mpmath.nsum(mixture, [0, mpmath.inf])
        tilted = mpmath.quad(lambda c: c * mpmath.exp(c / t) * (1 - c**2) ** 2, [-1, 1]) / mass / negatives
        entry = exact.evaluate(exact.entry_correlation, **number)
        proof.digits("r* is", entry, (J_2 - mpmath.mpf(k) / (k - 2) * tilted) / J_1, 20)

    proof.text("Sampled at k = 8, r = 4/5, tau = 1/2: the slope of the loss "
               "as coded along one more mode is linear in r'; its root.")  # fmt: skip
    rng, roots = np.random.default_rng(21), []
    for _ in range(40):
        g, z = rng.standard_normal((2, 20_000, 8))
        h = 0.8 * g + 0.6 * z
        A, B, inner = (g**2).sum(axis=1), (h**2).sum(axis=1), (g * h).sum(axis=1)
        # f = (g, w z), E z z' = r', averaged over z: d cos / d(w^2) = r' / (|g| |g'|) - cos (1 / |g|^2 + 1 / |g'|^2) / 2.
        gain, cost = 1 / np.sqrt(A * B), inner / np.sqrt(A * B) * (1 / A + 1 / B) / 2
        u, v = g[:300], z[-1600:]
        A, B = (u**2).sum(axis=1), (v**2).sum(axis=1)
        cosines = u @ v.T / np.sqrt(A[:, None] * B)
        share = np.exp(2 * cosines)
        share /= share.sum(axis=1, keepdims=True)
        push = -(share * cosines * (1 / A[:, None] + 1 / B)).sum(axis=1).mean() / 2
        roots.append((cost.mean() + push) / gain.mean())
    claimed = float(exact.evaluate(exact.entry_correlation, 8, sp.Rational(4, 5), tau=0.5))
    proof.sampled("one more mode enters at r*", np.mean(roots), np.std(roots, ddof=1) / np.sqrt(len(roots)), claimed)


if __name__ == "__main__":
    ss.present(prove)
