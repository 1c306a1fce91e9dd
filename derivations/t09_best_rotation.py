"""T9. Where equal shares are the best rotation of the outputs: near W = 0 a sign decides, away from it a bound over every W.

Let the spectrum be fixed. By Schur and Horn `sum_i P_ii^2` runs over rotations from `(Tr P)^2 / d_1`, equal shares, to
`Tr P^2`, single modes. So near `W = 0` equal shares are best where the coefficient of the squared diagonal in degree 4 is
positive:

    VICReg               mu > 16 nu epsilon^(3/2),    the term being (mu - 16 nu epsilon^(3/2)) / (8 d_1 epsilon^(3/2)) Tr P o P
    Barlow Twins, raw    lambda < 1,                  the term being (1 - lambda) Tr M o M

and otherwise each output best carries a single mode. Away from it, a line below a function of one share, which touches it
at the equal share, bounds the loss from below over every W; where equal shares attain the bound they are the global
minimum, proved for these numbers and to rounding. Where no bound is attained the engine says "numeric", and makes no claim
of a minimum.

What differs from the paper: equal shares of two spectra at once need a Hadamard-like rotation, which `d_1 = 3` does not
have; and at `mu < 16 nu` VICReg is not convex in a share below its kink, so that unequal shares can win.
"""

import numpy as np
import sympy as sp

import symscape as ss

lam, mu, nu, epsilon = sp.symbols("lambda mu nu epsilon", positive=True)
d_1 = ss.d_1


def prove(proof: ss.Proof) -> None:
    """Read the sign of the squared diagonals, then compare the bound with the minimum and with descents."""
    proof.text("Which rotation is best near W = 0 is decided by the squared diagonals of degree 4.")
    PP, MM = (sp.Trace(sp.HadamardProduct(X, X)) for X in (ss.W * ss.Sigma * ss.W.T, ss.W * ss.A_0 * ss.W.T))
    quartic = ss.landscape(ss.VICReg(lam, mu, nu, epsilon)).part(4).expr
    full = sp.Trace(ss.W * ss.Sigma * ss.W.T * ss.W * ss.Sigma * ss.W.T)
    sign = (mu - 16 * nu * epsilon ** sp.Rational(3, 2)) / (8 * d_1 * epsilon ** sp.Rational(3, 2))
    proof.exact("VICReg: degree 4 is", quartic, sign * PP + 2 * nu / d_1 * full)
    quartic = ss.landscape(ss.BarlowTwins(lambda_=lam)).part(4).expr
    full = sp.Trace(ss.W * ss.A_0 * ss.W.T * ss.W * ss.A_0 * ss.W.T)
    proof.exact("Barlow Twins: degree 4 is", quartic, (1 - lam) * MM + lam * full)

    proof.text("Equal shares, by a Hadamard matrix, less single modes: "
               "the coefficient times (Tr P)^2 / d_1 - Tr P^2 < 0.")  # fmt: skip
    rng, p = np.random.default_rng(1), np.array([0.02, 0.01])
    shared, single = np.array([[1, 1], [1, -1]]) / np.sqrt(2) * np.sqrt(p), np.diag(np.sqrt(p))
    for weight, coefficient in ((3, 1 / 2), (1, -1 / 2)):  # (mu - 2) / 2 at nu = 1, epsilon = 1/4, d_1 = 2
        f = ss.landscape(ss.VICReg(lambda_=1, mu=weight, nu=1, epsilon=sp.Rational(1, 4))).numpy()
        difference = f(shared, A0=np.eye(2) / 2, Sigma=np.eye(2)) - f(single, A0=np.eye(2) / 2, Sigma=np.eye(2))
        # (Tr P)^2 / 2 - Tr P^2 = 0.03^2 / 2 - 0.0005 = -0.00005.
        proof.digits(f"mu = {weight}, epsilon = 1/4: the difference is", difference, -0.00005 * coefficient, 9)

    proof.text("Away from W = 0: the loss over all 4 x 6 weights, by descent, "
               "ends at the equal-share minimum where that is proved.")  # fmt: skip
    r = np.array([0.97, 0.9, 0.8, 0.7, 0.5, 0.3])
    for name, loss in (("VICReg", ss.VICReg()), ("Barlow Twins", ss.BarlowTwins(lambda_=0.0051, epsilon=0))):
        least = ss.rotation_minimised(loss, r, 4)
        proof.exact(f"{name}: equal shares are", (least.equal_shares, least.is_global), ("optimal", True))
        proof.digits(f"{name}: the bound over every W is attained", least.lower_bound, least.value, 9)
        descended = ss.minimise_over_weights(loss, r, 4, rng, starts=1)
        proof.digits(f"{name}: the value found by descent", descended.value, least.value, 6)
    three = ss.rotation_minimised(ss.BarlowTwins(lambda_=0.0051, epsilon=0), [0.9, 0.86, 0.8, 0.73, 0.7], 3)
    found = three.equal_shares, bool(three.share_residual > 1e-5)
    proof.exact("Barlow Twins with three outputs: equal shares are, and are missed", found, ("numeric", True))
    r = [0.97, 0.95, 0.9, 0.86, 0.8, 0.73]
    weak = ss.rotation_minimised(ss.VICReg(mu=5), r, 4)
    proof.exact("VICReg at mu = 5 < 16 nu", weak.equal_shares, "numeric")
    rival = ss.minimise_over_weights(ss.VICReg(mu=5), r, 4, rng, starts=1).value
    proof.exact("there, the loss found by descent is lower by 1 % or more", bool(rival < 0.99 * weak.value), True)


if __name__ == "__main__":
    ss.present(prove)
