"""T9. VICReg collapses completely where lambda (1 - r_0) >= mu / (4 sqrt(epsilon)); the origin does not decide the rest.

The hinge `h(q) = max(0, 1 - sqrt(q + epsilon))` is convex, so that it lies above its tangent at 0, of slope
`-1 / (2 sqrt(epsilon))`. For every W, aligned or not, with r_0 the largest correlation and `Tr M <= r_0 Tr P`,

    d_1 (L(W) - L(0)) >= (2 lambda (1 - r_0) - mu / (2 sqrt(epsilon))) Tr P.

So `W = 0` is a global minimum where `lambda (1 - r_0) >= mu / (4 sqrt(epsilon))`, and elsewhere the first mode leaves it.
Without a hinge, `mu = 0` or `epsilon >= 1`, that is any lambda > 0: alignment alone collapses. At the usual weights, lambda
= mu = 25 and epsilon = 1e-4, it never happens: it asks for `1 - r_0 >= 25`.

What differs from the paper: the geometry at the origin decides complete collapse of VICReg, not the dimensional one. Every
mode with `lambda (1 - r_i) < mu / (4 sqrt(epsilon))` leaves the origin, and modes are lost all the same, at `P_jj ~ 1`, by
the gap condition of T9.vicreg. The series at `W = 0` reaches only `P_jj < epsilon`.
"""

import numpy as np
import sympy as sp

import symscape as ss

lam, mu, nu, epsilon = sp.symbols("lambda mu nu epsilon", positive=True)


def prove(proof: ss.Proof) -> None:
    """Compare the slope at the origin with the minimum over all W."""
    r = np.array([0.97, 0.9, 0.8, 0.7, 0.5, 0.3])

    proof.text("At Tr P = 0 and p_i = 0 the active regime has the slope "
               "of the origin; B of T3 has it with the other sign.")  # fmt: skip
    active, _, _ = ss.hinge_regimes(ss.VICReg(lam, mu, nu, epsilon))
    symbols = {s.name: s for s in active.stationarity.free_symbols}
    TrP, r_i, p_i = symbols["TrP"], symbols["r_i"], symbols["p_i"]
    slope = active.stationarity.subs({p_i: 0, TrP: 0})
    proof.exact("d_1 dL/dp_i is", sp.simplify(ss.d_1 * slope), 2 * lam * (1 - r_i) - mu / (2 * sp.sqrt(epsilon)))
    B = ss.landscape(ss.VICReg(lam, mu, nu, epsilon)).hessian.B
    along = sp.Trace(B).subs({ss.A_0: sp.Matrix([[r_i]]), ss.Sigma: sp.Matrix([[1]])}).doit()
    proof.exact("b_i is", sp.simplify(along), sp.simplify(-slope))
    q = sp.Symbol("q", nonnegative=True)
    curvature = sp.diff(1 - sp.sqrt(q + epsilon), q, 2)
    proof.exact("the hinge is convex below its kink: h'' is", curvature, 1 / (4 * (q + epsilon) ** sp.Rational(3, 2)))
    (weight,) = sp.solve(slope, lam)
    proof.exact("it vanishes at lambda =", weight, mu / (4 * sp.sqrt(epsilon) * (1 - r_i)))

    proof.text("The minimum over all W, six modes, four outputs, mu = 25, epsilon = 1e-4.")
    edge = 25 / (4 * 0.01) / (1 - 0.97)

    def surviving(weight: float, **weights: float) -> int:
        return ss.rotation_minimised(ss.VICReg(lambda_=weight, **weights), r, 4).surviving

    proof.numeric(f"one mode survives 1 % below lambda = {edge:.0f}, none 1 % above",
                  lambda off: (surviving(0.99 * edge * (1 + off)), surviving(1.01 * edge * (1 + off))) == (1, 0))  # fmt: skip
    found = ss.rotation_minimised(ss.VICReg(lambda_=1.01 * edge), r, 4)
    proof.exact("where none survives, W = 0 is proved global", found.is_global, True)
    proof.exact(
        "without a hinge, at lambda = 1/100, survive", (surviving(0.01, mu=0), surviving(0.01, epsilon=4)), (0, 0)
    )

    proof.text("The usual weights: positive b at the origin for all six modes, of which four outputs could hold four.")
    origin = ss.collapse(ss.landscape(ss.VICReg()), A0=np.diag(r), Sigma=np.eye(6), d1=4)
    proof.exact("modes of positive b", sum(mode.eigenvalue > 0 for mode in origin.modes), 6)
    # gaps 0, 0.07, 0.27, 0.57 against 2 nu d_1 (1 - epsilon) / lambda = 0.32
    proof.exact("modes kept at the minimum", surviving(25.0), 3)
    descended = ss.minimise_over_weights(ss.VICReg(), r, 4, np.random.default_rng(2), starts=1)
    proof.exact("and by a descent over all 4 x 6 weights", int((descended.p > 1e-3).sum()), 3)

    proof.text("Sampled: one output at W = w, r = 1/2, mu = 1, epsilon = 1/4. The lambda at which the "
               "rise of the alignment term as coded makes up for the fall of the hinge, as w goes to 0.")  # fmt: skip
    rng, balances = np.random.default_rng(16), []
    for _ in range(25):
        x, z = rng.standard_normal((2, 40_000))
        xp, at = (x + np.sqrt(3) * z) / 2, []
        for w in (0.05, 0.1):
            hinge = [np.maximum(0, 1 - np.sqrt(w**2 * view.var(ddof=1) + 0.25)) - 0.5 for view in (x, xp)]
            at.append(-sum(hinge) / 2 / ((w * (x - xp)) ** 2).mean())
        balances.append((4 * at[0] - at[1]) / 3)  # Richardson: the quartic part drops out
    proof.sampled("mu / (4 sqrt(epsilon) (1 - r))", np.mean(balances), np.std(balances, ddof=1) / 5, 1.0)


if __name__ == "__main__":
    ss.present(prove)
