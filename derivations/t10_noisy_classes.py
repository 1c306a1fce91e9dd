"""T10. With augmentation noise a rare class fades under InfoNCE and spectral; raw Barlow Twins inflates it instead.

Orthogonal classes as in T10.class-cumulant, and augmentation that adds Gaussian noise of variance `sigma^2` along class
c. Noise adds no cumulant, so `kappa` stays, and with `r_c = pi_c |m_c|^2 / (pi_c |m_c|^2 + sigma^2)` P has the
eigenvalue `p_c = pi_c q_c / r_c`. At the minimum of the landscape of order 4, with `Q = sum_c pi_c q_c`,

    p_c = r_c                                            (spectral),
    p_c = tau r_c                                        (InfoNCE of dot products),
    q_c = (4 tau + Q) / (6 pi_c / r_c^2 + 1 - 2 pi_c)    (InfoNCE),
    p_c = 1 / r_c                                        (raw Barlow Twins).

As `pi_c -> 0`, `r_c` goes like `pi_c`: the first three go to 0 in `p_c` and in `q_c`, and none is robust. Barlow Twins
pulls `r_c p_c` to 1, and amplifies the noise of a rare class without bound.

What differs from the paper: robustness needs views without noise along the class.
Local: order 4 in W for InfoNCE.
"""

import mpmath as mp
import numpy as np
import sympy as sp

import symscape as ss

tau, sigma = sp.symbols("tau sigma", positive=True)
pi, m = sp.Symbol("pi_i", positive=True), sp.Symbol("|m_i|^2", positive=True)
Q = sp.Symbol("Tr M", real=True)


def prove(proof: ss.Proof) -> None:
    """Integrate InfoNCE over noisy classes, solve for the strengths, and let a class become rare."""
    proof.text(
        "Two classes of probability 0.7 and 0.3, noise of variance 0.2 in two outputs, f = sqrt(u) (x_1, x_2), "
        "tau = 1: E_chi is a sum of Gaussian integrals, and E_x of a coefficient in u is exact on four nodes for each "
        "output."
    )
    places = [(share / 2, sign * np.eye(2)[c]) for c, share in enumerate((0.7, 0.3)) for sign in (1, -1)]
    nodes, heights = np.polynomial.hermite_e.hermegauss(4)
    noisy = [(w * h * g / heights.sum() ** 2, centre + np.sqrt(0.2) * np.array([z, y])) for w, centre in places
             for z, h in zip(nodes, heights, strict=True) for y, g in zip(nodes, heights, strict=True)]  # fmt: skip

    def loss(u: mp.mpf) -> mp.mpf:
        spread, total = 1 + u * 0.2, 0.4 * u  # the positive: E |x - x'|^2 / 2
        for w, x in noisy:
            seen = sum(v * mp.exp(-u * float((x - centre) @ (x - centre)) / (2 * spread)) for v, centre in places)
            total += w * mp.log(seen / spread)
        return total

    with mp.workdps(25):
        coefficients = mp.taylor(loss, 0, 2)[1:]
    proof.text(
        "There q = (1, 1), Q = 1, p = (0.9, 0.5), and kappa = sum pi q^2 - Q^2 - 2 sum pi^2 q^2 as without noise."
    )
    kappa = 1 - 1 - 2 * (0.7**2 + 0.3**2)
    claimed = [-1, 0.75 * (0.9**2 + 0.5**2) + kappa / 8]
    proof.digits("the coefficients of u and u^2 are those of the landscape", coefficients, claimed, 12)

    proof.text("InfoNCE in q_c: -pi/tau + (3/2) (pi/r)^2 q / tau^2 + (pi q - pi Q - 2 pi^2 q) / (4 tau^2) = 0.")
    r = pi * m / (pi * m + sigma**2)
    infonce = ss.robustness(ss.InfoNCE(tau=tau), noise=sigma)
    proof.exact("InfoNCE: q_c is", infonce.q, (4 * tau + Q) / (6 * pi / r**2 + 1 - 2 * pi))
    dot = ss.robustness(ss.InfoNCE(tau=tau, similarity="dot"), noise=sigma)
    spectral = ss.robustness(ss.SpectralContrastive(), noise=sigma)
    twins = ss.robustness(ss.BarlowTwins(), noise=sigma)
    proof.exact("dot products: p_c is", dot.p, tau * r)
    proof.exact("spectral: p_c is", spectral.p, r)
    proof.exact("raw Barlow Twins: p_c is", twins.p, 1 / r)

    proof.text("As pi -> 0 at a given sigma r goes like pi, and 6 pi / r^2 like 1 / pi.")
    powers = [(found.p_exponent, found.q_exponent) for found in (infonce, dot, spectral, twins)]
    proof.exact("powers of pi in p_c and q_c", powers, [(1, 1), (1, 1), (1, 1), (-1, -1)])

    proof.text("By numbers: a class of probability 0.001 beside two common ones, sigma = 0.3, |m|^2 = 1.")
    found = ss.imbalance(ss.InfoNCE(), [0.4995, 0.4995, 0.001], noise=0.3)
    share = 0.001 / (0.001 + 0.09)
    expected = (4 + found.pi @ found.q) / (6 * 0.001 / share**2 + 1 - 0.002)
    proof.digits("q_c of the rare class", found.q[2], expected, 6)


if __name__ == "__main__":
    ss.present(prove)
