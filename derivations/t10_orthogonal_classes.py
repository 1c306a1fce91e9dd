"""T10. Over orthogonal classes, losses of second moments keep a rare class in P; a fourth cumulant keeps |W m_c|^2 instead.

Classes as in T10.class-cumulant: probabilities `pi_c`, data `m_c` or `-m_c`, no augmentation noise, `q_c = |W m_c|^2`,
`p_c = pi_c q_c`, `Q = sum_c pi_c q_c`. A loss is robust in a strength that stays bounded below as `pi_c -> 0`. At the
minimum of the landscape of order 4,

    p_c = 1,  q_c = 1 / pi_c                     (spectral, and raw Barlow Twins),
    p_c = tau,  q_c = tau / pi_c                 (InfoNCE of dot products),
    q_c = (4 tau + Q) / (4 pi_c + 1)             (InfoNCE),
    q_c = tau epsilon / (2 tau + pi_c)           (NT-Xent smoothed by epsilon).

The first three, and VICReg, are robust in `p_c` and `q_c`, the last two in `q_c` only: there `p_c = pi_c q_c -> 0`.
Why: the fourth cumulant, which enters InfoNCE and NT-Xent, holds `pi_c q_c^2`, and outweighs `p_c^2 = pi_c^2 q_c^2` as
`pi_c -> 0`; a loss blind to it sees `p_c` alone, which without noise does not know `pi_c`. T10.noisy-classes has what
noise changes.

What differs from the paper: which losses are robust depends on the strength that is asked for, and on views without
noise.
Local: order 4 in W. Without noise exact InfoNCE falls for ever in `q_c` (T10.two-points).
"""

import mpmath
import sympy as sp

import symscape as ss

tau, epsilon = sp.symbols("tau epsilon", positive=True)
pi = sp.Symbol("pi_i", positive=True)
Q, TrP = sp.Symbol("Tr M", real=True), sp.Symbol("Tr P", real=True)
LOSSES = {
    "InfoNCE": ss.InfoNCE(tau=tau),
    "InfoNCE, dot": ss.InfoNCE(tau=tau, similarity="dot"),
    "NT-Xent": ss.NTXent(tau=tau, epsilon=epsilon),
    "spectral": ss.SpectralContrastive(),
    "Barlow Twins": ss.BarlowTwins(),
    "VICReg": ss.VICReg(),
}


def prove(proof: ss.Proof) -> None:
    """Solve for the strengths of a class, loss by loss, and let its probability go to 0."""
    of = {name: ss.robustness(loss) for name, loss in LOSSES.items()}

    proof.text("InfoNCE has the slope pi (-1/tau + (4 pi + 1) q_c / (4 tau^2) - Q / (4 tau^2)) in q_c.")
    infonce = of["InfoNCE"]
    proof.exact("|W m_c|^2 is", infonce.q, (4 * tau + Q) / (4 * pi + 1))
    proof.exact("p_c and q_c go like pi_c to the powers", (infonce.p_exponent, infonce.q_exponent), (1, 0))
    proof.text("Q = sum pi q closes the equation: at tau = 1, Q = s / (1 - s/4) with s = sum pi / (pi + 1/4).")
    shares = [mpmath.mpf(k) / 10 for k in (6, 3, 1)]
    s = sum(share / (share + 0.25) for share in shares)
    claimed = [(4 + s / (1 - s / 4)) / (4 * share + 1) for share in shares]
    found = ss.imbalance(ss.InfoNCE(), [0.6, 0.3, 0.1])
    proof.digits("the least landscape over all strengths has these q_c", found.q, claimed, 8)

    proof.text("Smooth NT-Xent gains kappa / (tau epsilon^2) and loses Q^2 by it; without noise P = M.")
    proof.exact("|W m_c|^2 is", of["NT-Xent"].q.subs(TrP, Q), tau * epsilon / (2 * tau + pi))
    proof.text("The cosine itself sees directions alone: f / |f| is a unit vector for every class.")
    proof.exact("of f / |f|, p_c is", ss.robustness(ss.NTXent()).p, pi)

    proof.text("Losses that are blind to kappa are functions of p_c alone, whose minimum does not know pi_c.")
    proof.exact("dot products, -Q/tau + sum p_c^2 / (2 tau^2): p_c is", of["InfoNCE, dot"].p, tau)
    proof.exact("spectral, -2 Q + sum p_c^2: p_c is", of["spectral"].p, sp.S.One)
    proof.exact("raw Barlow Twins, sum (1 - p_c)^2: p_c is", of["Barlow Twins"].p, sp.S.One)

    robust = sorted(name for name, found in of.items() if found.robust_in_p)
    proof.exact("robust in p_c are", robust, ["Barlow Twins", "InfoNCE, dot", "VICReg", "spectral"])
    proof.exact("robust in q_c are all", all(found.robust_in_q for found in of.values()), True)


if __name__ == "__main__":
    ss.present(prove)
