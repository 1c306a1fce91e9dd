"""T9. Raw Barlow Twins keeps every mode with r > 0 that has an output, at any lambda; normalised, it loses most of them.

Raw, `K = M`, at equal shares and with `c = 1 - (1 - lambda) Tr M / d_1`,

    dL/dp_i = -2 c r_i + 2 lambda r_i^2 p_i,      p_i = c / (lambda r_i),      Tr M = k d_1 / (lambda d_1 + (1 - lambda) k)

with k modes kept, so that `c = lambda d_1 / (lambda d_1 + (1 - lambda) k) > 0`: an empty mode with `r_i > 0` has a negative
slope, and `min(d_1, n)` modes survive, n the number of these. The weakest have the largest strength. Normalised over the
batch, the shell `Tr P = d_1` adds a price eta for each unit of p (T9.barlow-twins), and modes of smaller r are not worth
it.

Equal shares are the best rotation for `lambda <= 1`, raw near `W = 0` (T9.best-rotation) and normalised everywhere.

What differs from the paper: results for raw Barlow Twins do not carry over to the loss in use, in which modes with `r > 0`
do collapse.
"""

import numpy as np
import sympy as sp

import symscape as ss

lam, k = sp.symbols("lambda k", positive=True)
r_i, TrM = sp.symbols("r_i TrM", real=True)
d_1 = ss.d_1


def prove(proof: ss.Proof) -> None:
    """Solve for the strengths, count what is kept, and train on a sample."""
    loss = ss.BarlowTwins(lambda_=lam)
    (raw,) = ss.hinge_regimes(loss)
    c = 1 - (1 - lam) * TrM / d_1

    proof.text("The slope is linear in p_i, and c r_i is not zero; sum r_i p_i = Tr M over k modes fixes c.")
    (strength,) = raw.strengths
    symbols = {s.name: s for s in strength.free_symbols}
    proof.exact("p_i is", strength.subs({symbols["r_i"]: r_i, symbols["TrM"]: TrM}), c / (lam * r_i))
    (total,) = sp.solve(k * c / lam - TrM, TrM)
    proof.exact("Tr M is", sp.factor(total), k * d_1 / (lam * d_1 + (1 - lam) * k))
    proof.exact("c is", sp.factor(c.subs(TrM, total)), lam * d_1 / (lam * d_1 + (1 - lam) * k))

    proof.text("Sixteen modes, sixteen outputs, lambda = 1e-4, 0.0051, "
               "1: raw, none is lost; normalised, the number grows.")  # fmt: skip
    r, weights = np.linspace(0.95, 0.2, 16), [1e-4, 0.0051, 1]
    kept = [
        ss.kept_modes_table(form, r, 16, "lambda", weights) for form in (loss, ss.BarlowTwins(lambda_=lam, epsilon=0))
    ]
    proof.exact("raw, survive", list(map(int, kept[0].surviving)), [16, 16, 16])
    proof.exact(
        "normalised, the numbers grow, from less than 16", bool((np.diff([*kept[1].surviving, 16]) >= 0).all()), True
    )
    proof.exact("and equal shares are", sorted(set(kept[1].equal_shares)), ["optimal"])
    proof.exact("at lambda = 0.0051 at most half of them survive", bool(kept[1].surviving[1] <= 8), True)

    proof.text("The strengths of the raw minimum at lambda = 0.0051, four modes and six outputs.")
    r = np.array([0.9, 0.7, 0.5, 0.2])
    least = ss.rotation_minimised(ss.BarlowTwins(lambda_=0.0051), r, 6)
    share = 6 / (0.0051 * 6 + (1 - 0.0051) * 4)  # c / lambda
    proof.digits("p_i is", least.p, share / r, 7)

    proof.text("Trained raw on samples by plain gradient descent, two modes of r = 9/10 and "
               "1/5, two outputs, lambda = 1/20: M tends to 1, W^T W to the inverse of A_0, "
               "and the weak mode has the strength 1 / r_1 = 5. Normalised, it is lost.")  # fmt: skip
    rng, near, ends = np.random.default_rng(17), np.array([0.9, 0.2]), []
    lost = ss.rotation_minimised(ss.BarlowTwins(lambda_=0.05, epsilon=0), near, 2).surviving
    proof.exact("normalised, survive", lost, 1)
    for _ in range(12):
        x = rng.standard_normal((200_000, 2))
        xp = near * x + np.sqrt(1 - near**2) * rng.standard_normal(x.shape)
        A0, W = (x.T @ xp + xp.T @ x) / (2 * len(x)), rng.standard_normal((2, 2)) / 10
        for _ in range(4000):
            M = W @ A0 @ W.T
            # sum_i (1 - M_ii)^2 + lambda sum_(i != j) M_ij^2: the batch enters by its cross moment alone.
            W = W - 0.1 * (0.1 * M + np.diag(-2 + 1.9 * np.diag(M))) @ W @ A0
        ends.append((W**2).sum(axis=0)[1])
    proof.sampled("p_1, trained, is c / (lambda r_1)", np.mean(ends), np.std(ends, ddof=1) / np.sqrt(12), 1 / 0.2)


if __name__ == "__main__":
    ss.present(prove)
