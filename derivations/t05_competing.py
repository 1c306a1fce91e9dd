"""T5. Where modes compete, a mode is lost to weight decay before its own b is zero.

Let Sigma and `A_0` be diagonal together: `r_i` canonical correlations, `s_i` eigenvalues of Sigma. Under decay mode 1,
beside mode 0, is kept where the slope of the loss in `p_1` is negative at `p_1 = 0` and `p_0` at its minimum. With
`b_i = c r_i - gamma / s_i`,

    -2 Tr M + Tr P^2 + beta (Tr P)^2:  (1 + 2 beta) b_1 > beta (b_0 + b_1),                         c = 2
    NT-Xent, smooth:                   (1 + 6 tau r_0) b_1 > tau (r_0 + r_1) b_0,                   c = 1 / (tau epsilon)
    InfoNCE, n negatives:              (2 r_0^2 - 2 r_0 + 3 (n + 1) / 2) b_1 > r_0 r_1 b_0,         c = n / ((n + 1) tau)

In each the condition asks for more than `b_1 > 0`: the mode that is there takes something from the next one, by
normalisation (T7), by the finite number of negatives (X3), or by the term `(Tr P)^2` (T4).

Local: NT-Xent and InfoNCE at order 4, and of these points aligned with the modes; others are not excluded by the argument.
"""

import numpy as np
import sympy as sp

import symscape as ss

gamma, tau, epsilon, beta, p, q = sp.symbols("gamma tau epsilon beta p_0 p_1", positive=True)
n = sp.Symbol("n", positive=True, integer=True)
r_0, r_1 = sp.symbols("r_0 r_1", real=True)
s_0, s_1 = sp.symbols("s_0 s_1", positive=True)
x, xp, chi = ss.anchor, ss.positive, ss.negative


def prove(proof: ss.Proof) -> None:
    """Fill mode 0, and ask for the slope of mode 1."""
    quadratic = -2 * ss.E(ss.dot(x, xp)) + ss.E(ss.dot(x, chi) ** 2) + beta * ss.E(ss.sqnorm(x)) ** 2
    three = ss.Loss(quadratic, name="competing"), ss.NTXent(tau=tau, epsilon=epsilon), ss.InfoNCE(tau=tau, n=n)
    cases = dict(zip(("(Tr P)^2", "NT-Xent", "InfoNCE, n"), three, strict=True))

    proof.text("On common modes W = diag(sqrt(p_i / s_i)) turns traces into sums: the loss by hand is")
    P, M, P2, PM, M2 = p + q, r_0 * p + r_1 * q, p**2 + q**2, r_0 * p**2 + r_1 * q**2, (r_0 * p) ** 2 + (r_1 * q) ** 2
    by_hand = {
        "(Tr P)^2": -2 * M + P2 + beta * P**2,
        "NT-Xent": -M / (tau * epsilon) + (M * P + 2 * PM) / (tau * epsilon**2) + P2 / (2 * (tau * epsilon) ** 2),
        "InfoNCE, n": n / (n + 1) * (-M / tau + 3 * P2 / (4 * tau**2))
        + n / (tau * (n + 1)) ** 2 * (M**2 / 2 + M2 / 2 - PM),
    }
    W = sp.Matrix([[sp.sqrt(p / s_0), 0], [0, sp.sqrt(q / s_1)]])
    known = {ss.W: W, ss.A_0: sp.diag(r_0 * s_0, r_1 * s_1), ss.Sigma: sp.diag(s_0, s_1), ss.d_0: 2, ss.d_1: 2}
    for name, loss in cases.items():
        derived = sp.expand(ss.landscape(loss).expr.subs(known).doit())
        proof.exact(f"{name}: the landscape of two modes is", derived, by_hand[name])

    proof.text("With decay gamma (p_0 / s_0 + p_1 / s_1): solve dL/dp_0 = "
               "0 at p_1 = 0, put it into dL/dp_1; both are linear in b.")  # fmt: skip
    pull = {"(Tr P)^2": sp.Integer(2), "NT-Xent": 1 / (tau * epsilon), "InfoNCE, n": n / ((n + 1) * tau)}
    claimed = {
        "(Tr P)^2": lambda b0, b1: (1 + 2 * beta) * b1 - beta * (b0 + b1),
        "NT-Xent": lambda b0, b1: (1 + 6 * tau * r_0) * b1 - tau * (r_0 + r_1) * b0,
        "InfoNCE, n": lambda b0, b1: (2 * r_0**2 - 2 * r_0 + 3 * (n + 1) / 2) * b1 - r_0 * r_1 * b0,
    }
    critical = {}
    for name in cases:
        b = [pull[name] * r - gamma / s for r, s in ((r_0, s_0), (r_1, s_1))]
        L = by_hand[name] + gamma * (p / s_0 + q / s_1)
        (full,) = sp.solve(sp.diff(L, p).subs(q, 0), p)
        (step,) = sp.solve(sp.diff(L, q).subs({q: 0, p: full}), gamma)
        (expected,) = sp.solve(claimed[name](*b), gamma)
        proof.exact(f"{name}: by hand mode 1 is lost at gamma =", sp.factor(step), sp.factor(expected))
        margin = ss.threshold(ss.landscape(cases[name] + ss.WeightDecay(gamma)), gamma).mode(1).margin
        (critical[name],) = sp.solve(sp.numer(sp.together(margin)), gamma)
        proof.exact(f"{name}: the engine's condition vanishes at", sp.factor(critical[name]), sp.factor(expected))

    proof.text("It is less than c r_1 s_1, where b_1 = 0; with numbers, r = (9, 7) / 10 and s = 1, by")
    numbers = {tau: sp.Rational(1, 2), epsilon: 1, n: 3, beta: sp.Rational(1, 3), s_0: 1, s_1: 1}
    numbers |= {r_0: sp.Rational(9, 10), r_1: sp.Rational(7, 10)}
    # 4 (7/5 - g) = 9/5 - g;  3.7 (7/5 - g) = 0.8 (9/5 - g);  5.82 (1.05 - g) = 0.63 (1.35 - g).
    shares = {"(Tr P)^2": sp.Rational(19, 21), "NT-Xent": sp.Rational(187, 203), "InfoNCE, n": sp.Rational(167, 173)}
    for name, share in shares.items():
        proof.exact(f"{name}: the share", (critical[name] / (pull[name] * r_1)).subs(numbers), share)

    proof.text("Numbers: the minimum over all W with these moments has mode 1 on one side of it only.")
    for name, loss in cases.items():
        land, at = ss.landscape(loss + ss.WeightDecay(gamma)), float(shares[name] * (pull[name] * r_1).subs(numbers))
        given = {symbol: numbers[symbol] for symbol in loss.parameters.values()}

        def kept(decay: float, f: ss.Landscape = land, given: dict[sp.Symbol, sp.Expr] = given) -> int:
            return ss.collapse(f, A0=np.diag([0.9, 0.7]), Sigma=np.eye(2), d1=2, gamma=decay, params=given).surviving

        proof.numeric(f"{name}: two modes survive 1 % below gamma = {at:.4f}, one 1 % above it",
                      lambda off, f=kept, at=at: (f(0.99 * at * (1 + off)), f(1.01 * at * (1 + off))) == (2, 1))  # fmt: skip


if __name__ == "__main__":
    ss.present(prove)
