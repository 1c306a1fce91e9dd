"""X7. Four more losses that no file of the package knows, through T1, T2 and T3, each against a derivation by hand.

Any expression in `dot`, `sqdist`, `sqnorm` of views, expectations and analytic functions is a loss. With
`D = |f(x) - f(x')|^2` and `Y = |f(x) - f(chi)|^2`, to order 4 and for Gaussian views of mean zero,

- alignment and uniformity, `E D + log E e^{-t Y}`, is `-2 Tr M + (2 - 2 t) Tr P + 4 t^2 Tr P^2`: for `t < 1`
  augmentation competes with the data in `B = 2 A_0 - (2 - 2 t) Sigma`, and for `t > 1` it helps a mode to survive,
- decoupled InfoNCE, `-E f.f' / tau + E log E e^{f.f(chi) / tau}`, is `-Tr M / tau + Tr P^2 / (2 tau^2)`,
- bounded distances, `E tanh D - E tanh Y`, is `-2 Tr M` with no quartic part,
- a variance floor, `E D + (1 - E|f|^2)^2`, is `1 - 2 Tr M + (Tr P)^2`, exactly and for any distribution.

All rotate, `W -> O W`; those of distances are shift-invariant too.

Local: order 4. That of bounded distances falls for ever, though the loss does not: away from `W = 0` it is no guide.
The variance floor holds `Tr P` alone: at its minimum all strength may lie in one mode, the one with the largest r.
"""

import sympy as sp

import symscape as ss
from symscape import A_0, Sigma, W

t, tau = sp.symbols("t tau", positive=True)
x, xp, chi, E = ss.anchor, ss.positive, ss.negative, ss.E
P, M = W * Sigma * W.T, W * A_0 * W.T
TrM, TrP, TrP2 = sp.Trace(M), sp.Trace(P), sp.Trace(P * P)


def prove(proof: ss.Proof) -> None:
    """Type each loss, state its landscape by hand, and read off its symmetries and B."""
    D, Y, dot = ss.sqdist(x, xp), ss.sqdist(x, chi), ss.dot(x, chi)

    proof.text(
        "x - chi has covariance 2 P: E Y = 2 Tr P, Var Y = 2 Tr (2 P)^2, log E e^{-t Y} = -t E Y + t^2 Var Y / 2."
    )
    uniformity = ss.Loss(E(D) + sp.log(E(sp.exp(-t * Y))), name="alignment and uniformity")
    proof.exact("alignment and uniformity", ss.landscape(uniformity), -2 * TrM + (2 - 2 * t) * TrP + 4 * t**2 * TrP2)

    proof.text("Given f, f.f(chi) is Gaussian of variance f^T P f, and E f^T P f = Tr P^2.")
    decoupled = ss.Loss(-E(ss.dot(x, xp)) / tau + E(sp.log(E(sp.exp(dot / tau), over=chi))), name="decoupled InfoNCE")
    proof.exact("decoupled InfoNCE", ss.landscape(decoupled), -TrM / tau + TrP2 / (2 * tau**2))

    proof.text("tanh y = y - y^3/3: the cube is of order 6, and what is left is E D - E Y = -2 Tr M.")
    bounded = ss.Loss(E(sp.tanh(D)) - E(sp.tanh(Y)), name="bounded distances")
    proof.exact("bounded distances", ss.landscape(bounded), -2 * TrM)

    proof.text("2 Tr (P - M) + (1 - Tr P)^2: Tr P cancels.")
    floor = ss.Loss(E(D) + (1 - E(ss.sqnorm(x))) ** 2, name="variance floor")
    proof.exact("a variance floor", ss.landscape(floor), 1 - 2 * TrM + TrP**2)
    proof.exact("it is exact", ss.landscape(floor).is_exact, True)

    proof.text("T2 and T3, derived from the expressions.")
    losses = (uniformity, decoupled, bounded, floor)
    proof.exact("all rotate", [ss.facts(loss).rotation_invariant for loss in losses], [True] * 4)
    shifts = [ss.facts(loss).shift_invariant for loss in losses]
    proof.exact("shift-invariant are those of distances alone", shifts, [True, False, True, False])
    claimed = (2 * A_0 + (2 * t - 2) * Sigma, A_0 / tau, 2 * A_0, 2 * A_0)
    for loss, by_hand in zip(losses, claimed, strict=True):
        proof.exact(f"B of {loss.name}", ss.landscape(loss).hessian.B, by_hand)

    proof.text("At one output all integrals are known: exactly, E e^{-t Y} = (1 + 4 t p)^{-1/2}.")
    p, r = sp.Symbol("p_0", nonnegative=True), sp.Symbol("r_0", real=True)
    closed = ss.closed_form(uniformity).expr(1)
    proof.exact("alignment and uniformity, whole", closed, 2 * (1 - r) * p - sp.log(1 + 4 * t * p) / 2)

    proof.text("The floor: -2 r p per mode and T^2 in common, T = Tr P: the largest r takes all, with T = r.")
    least = ss.closed_form(floor).minimum(r=[0.9, 0.6, 0.3])
    proof.digits("strengths of three modes", least.p, [0.9, 0, 0], 6)


if __name__ == "__main__":
    ss.present(prove)
