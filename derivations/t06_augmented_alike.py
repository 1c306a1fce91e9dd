"""T6. With all views augmented alike and A_0 positive definite, InfoNCE keeps every mode at any augmentation strength.

The setting of Jing et al. (2021): one linear layer, features of second moment `A_0`, additive augmentation `s C`, InfoNCE.
With anchor, positive and negatives augmented alike, `Sigma = A_0 + s C` and `B = A_0 / tau`: the strength s is not in it.
With Gaussian views the landscape is known without truncation (X1),

    L = sum_i [(1 - r_i) p_i / tau - log(1 + p_i / tau) / 2 - p_i / (2 (tau + p_i))],

and mode i has its minimum at `p_i = tau (1 / y - 1)`, `y^2 + y = 2 (1 - r_i)`: positive for `0 < r_i < 1`, hence for every
s where `A_0` is positive definite. With `A_0 u = rho C u`, `r = rho / (rho + s)`: augmentation makes a mode weak,
`p = 2 tau rho / (3 s) + O(1 / s^2)`, and never zero. So no collapse: `min(d_0, d_1)` modes survive.

Which hypotheses decide: the views are augmented alike (T6.views), and `A_0` has no zero eigenvalue; a direction with
`r = 0` is lost at any s, `s -> 0` included. Weight decay loses modes again, at a gamma that does not depend on s.

What differs from the paper: "no collapse" holds for the minimum; how long training needs to leave `W = 0` along a weak mode
is X5.
"""

import numpy as np
import sympy as sp
from scipy.optimize import brentq

import symscape as ss

tau, gamma, y, s, rho = sp.symbols("tau gamma y s rho", positive=True)
rho_k, lambda_k = sp.symbols("rho_k lambda_k", real=True)


def prove(proof: ss.Proof) -> None:
    """Ask the origin, then the landscape without truncation, then samples."""
    loss = ss.InfoNCE(tau=tau)
    land = ss.landscape(loss)

    proof.text("At the origin: augmentation is not in B, and with weight decay it is not in the threshold.")
    proof.exact("B is", land.hessian.B, ss.A_0 / tau)
    proof.exact("the coefficient of C in B is", land.hessian.augmentation, 0)
    strength = ss.threshold(land, ss.augmentation_strength)
    proof.exact("mode k survives where", strength.any_mode.inequality.subs(tau, 1), rho_k > 0)
    decayed = ss.threshold(ss.landscape(loss + ss.WeightDecay(gamma)), ss.augmentation_strength)
    proof.exact("with weight decay, where", decayed.any_mode.inequality, lambda_k / tau - gamma > 0)

    proof.text("Away from the origin: the landscape without truncation is a sum over modes, stationary where")
    mode = ss.mode_minimiser(ss.closed_form(loss))
    r = mode.variable
    p = next(t for t in mode.summand.free_symbols if t.name == "p_i")
    by_hand = (1 - r) * p / tau - sp.log(1 + p / tau) / 2 - p / (2 * (tau + p))
    proof.exact("what a mode adds to L is", mode.summand, by_hand)
    slope = sp.factor(sp.simplify(sp.diff(by_hand, p).subs(p, tau * (1 / y - 1))))
    proof.exact("its slope at p = tau (1 / y - 1) is", slope, (2 * (1 - r) - y - y**2) / (2 * tau))
    root = tau * (1 / (sp.sqrt(sp.Rational(9, 4) - 2 * r) - sp.Rational(1, 2)) - 1)  # y = -1/2 + sqrt(1/4 + 2 (1 - r))
    for at in (sp.Rational(1, 100), sp.Rational(1, 3), sp.Rational(4, 5)):
        proof.exact(f"at r = {at} the strength is", mode.p.subs(r, at), root.subs(r, at))
    proof.exact("the minimum exists exactly where", mode.exists, sp.And(r > 0, r < 1))

    proof.text("r = rho / (rho + s) lies between 0 and 1 for every s > 0; as s grows p falls as 1 / s.")
    weak = root.subs(r, rho / (rho + s))
    proof.exact("s p tends to", sp.limit(sp.simplify(s * weak), s, sp.oo), 2 * tau * rho / 3)

    proof.text("All four modes of an A_0 that does not commute with C survive, strong as the augmentation is.")
    root_a, noise = np.random.default_rng(2).standard_normal((2, 4, 4))
    A0, C = root_a @ root_a.T, noise @ noise.T
    kept = [ss.collapse(land, A0=A0, Sigma=A0 + size * C, d1=4, tau=1).surviving for size in (1e-2, 1.0, 1e4)]
    proof.exact("at s = 1/100, 1, 10000 the survivors number", kept, [4, 4, 4])
    singular = np.diag([2.0, 1.0, 0.5, 0.0])
    proof.exact("with one direction of A_0 empty, and s = 1e-4",
                ss.collapse(land, A0=singular, Sigma=singular + 1e-4 * C, d1=4, tau=1).surviving, 3)  # fmt: skip

    proof.text("Sampled: minimise the loss of one feature with rho = s, r = 1/2, over p, "
               "every negative beside every anchor; the sample's own second moments are "
               "made exact, which takes most of the noise and leaves the loss as it is.")  # fmt: skip
    rng, found = np.random.default_rng(8), []
    for _ in range(40):
        z = rng.standard_normal((3, 600))
        x, noise, chi = np.linalg.inv(np.linalg.cholesky(z @ z.T / 600)) @ z
        attraction = ((x - (x + np.sqrt(3) * noise) / 2) ** 2).mean() / 2
        apart = (x[:, None] - chi) ** 2 / 2

        def slope(at: float, attraction: float = attraction, apart: np.ndarray = apart) -> float:
            weight = np.exp(-at * apart)
            return attraction - ((weight * apart).mean(axis=1) / weight.mean(axis=1)).mean()

        found.append(brentq(slope, 0.2, 2.0, xtol=1e-3))
    golden = (np.sqrt(5) - 1) / 2  # y^2 + y = 1
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    proof.sampled("the strength is tau (1 / y - 1)", np.mean(found), error, float(1 / golden - 1))


if __name__ == "__main__":
    ss.present(prove)
