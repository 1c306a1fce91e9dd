"""T10. The landscape of InfoNCE over orthogonal classes: their fourth cumulant enters, and is derived here.

Class c has probability `pi_c`; its data are `m_c` or `-m_c`, equally likely, the `m_c` and the `W m_c` orthogonal, and
views are not noisy, so that `A_0 = Sigma`. With `q_c = |W m_c|^2` and `Q = sum_c pi_c q_c`, P has the eigenvalue
`p_c = pi_c q_c` along class c, and the fourth cumulant of f, summed over pairs of outputs, is

    kappa = E|f|^4 - (Tr P)^2 - 2 Tr P^2 = sum_c pi_c q_c^2 - Q^2 - 2 sum_c pi_c^2 q_c^2.

At order 4 InfoNCE is

    L = -Q / tau + (3 / (4 tau^2)) sum_c p_c^2 + kappa / (8 tau^2)
      = -Q / tau + (1 / (2 tau^2)) sum_c p_c^2 + (1 / (8 tau^2)) (sum_c pi_c q_c^2 - Q^2).

Augmentation noise adds nothing to `kappa` (T10.noisy-classes). Classes are no Gaussian views: with the landscape of T1
in place of this one, `pi_c q_c^2` would be lacking.

What differs from the paper: the cumulant, which decides robustness (T10.orthogonal-classes).
Local: order 4 in W.
"""

import numpy as np
import sympy as sp

import symscape as ss

tau, t = sp.symbols("tau t", positive=True)
pi, q = [sp.Rational(k, 10) for k in (6, 3, 1)], sp.symbols("q_1:4", positive=True)


def prove(proof: ss.Proof) -> None:
    """Take the moments of three classes, put them into the landscape, and compare with the loss as a finite sum."""
    proof.text("Three classes of probability 0.6, 0.3, 0.1: twenty rows, f = W m_c or -W m_c along output c.")
    rows = [(c, sign) for c in range(3) for sign in (1, -1) for _ in range(int(10 * pi[c]))]
    f = [[sign * sp.sqrt(q[c]) if a == c else sp.S.Zero for a in range(3)] for c, sign in rows]
    P = sp.Matrix(3, 3, lambda a, b: sum(row[a] * row[b] for row in f) / 20)
    Q, squares = sum(pi[c] * q[c] for c in range(3)), sum(pi[c] ** 2 * q[c] ** 2 for c in range(3))
    proof.exact("P is", P, sp.diag(*(pi[c] * q[c] for c in range(3))))

    proof.text("cum(f_a, f_a, f_b, f_b) is E f_a^2 f_b^2 less the three pairings P_aa P_bb + 2 P_ab^2.")
    pairs = [(a, b) for a in range(3) for b in range(3)]
    summed = sum(
        sum(row[a] ** 2 * row[b] ** 2 for row in f) / 20 - P[a, a] * P[b, b] - 2 * P[a, b] ** 2 for a, b in pairs
    )
    kappa = sum(pi[c] * q[c] ** 2 for c in range(3)) - Q**2 - 2 * squares
    proof.exact("their sum is kappa", sp.expand(summed), sp.expand(kappa))

    proof.text("The landscape over any distribution, compiled, at rows with these moments.")
    points = np.array([[sign * (a == c) for a in range(3)] for c, sign in rows], dtype=float)
    moments = {
        "A0": points.T @ points / 20,
        "Sigma": points.T @ points / 20,
        "kappa": ss.FourthCumulants({"x": points}),
    }
    infonce = ss.landscape(ss.InfoNCE(tau=tau), data=ss.CumulantViews())
    strengths = (0.5, 0.8, 1.2)
    by_hand = -Q / tau + squares / (2 * tau**2) + (kappa + 2 * squares) / (8 * tau**2)
    expected = by_hand.subs({**dict(zip(q, strengths, strict=True)), tau: 2})
    proof.digits("InfoNCE over them", infonce.numpy()(np.diag(np.sqrt(strengths)), **moments, tau=2), expected)

    proof.text(
        "Over points the loss is a finite sum, tau = 1. A datum meets itself, its mirror image at squared distance 4 "
        "q_c, and the other classes at q_c + q_b."
    )
    kernel = [
        pi[c] / 2 * (1 + sp.exp(-2 * t * q[c]))
        + sum(pi[b] * sp.exp(-t * (q[c] + q[b]) / 2) for b in range(3) if b != c)
        for c in range(3)
    ]
    exact = sum(pi[c] * sp.log(kernel[c]) for c in range(3))
    series = [sp.expand(sp.diff(exact, t, k).subs(t, 0) / sp.factorial(k)) for k in (1, 2)]
    claimed = [-Q, sp.expand(squares / 2 + (kappa + 2 * squares) / 8)]
    proof.exact("its series in q to second order", series, claimed)


if __name__ == "__main__":
    ss.present(prove)
