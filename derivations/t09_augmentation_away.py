"""T9. Away from the origin augmentation competes with the data in VICReg and Barlow Twins, whatever B says.

With `Sigma = A_0 + s C` and `A_0 u = rho C u` a mode has the correlation `r_k = rho_k / (rho_k + s)`, which falls with the
strength s of the augmentation. Losses whose kept modes are decided by r can lose them at finite s. With two outputs mode 1
is lost where

    VICReg, at the kink    s (rho_0 - rho_1) / ((rho_0 + s) (rho_1 + s)) = 4 nu (1 - epsilon) / lambda,
    Barlow Twins           (r_0 - r_1) (1 - r_0) = lambda r_0 (r_0 + r_1),

which are the conditions of T9.kept-modes and T9.barlow-twins with r put in. InfoNCE (T6.augmented-alike) and the spectral
loss, whose modes do not compete, never lose a mode with `rho_k > 0`.

The left side of the first row is largest at `s = sqrt(rho_0 rho_1)`, where it is
`(sqrt(rho_0) - sqrt(rho_1)) / (sqrt(rho_0) + sqrt(rho_1))`: where that is less than the right side no augmentation loses
mode 1 at the kink. Strong augmentation makes modes alike again; what it then does is to take the minimum off the kink.

What differs from the paper: B does not tell these losses. At the usual weights VICReg's has augmentation on the side of the
data.
"""

import numpy as np
import sympy as sp

import symscape as ss

s = ss.augmentation_strength
a, b = sp.symbols("a b", positive=True)
SIDES = (0.99, 1.01)


def prove(proof: ss.Proof) -> None:
    """Follow the minimum along the strength of augmentation."""
    usual = ss.landscape(ss.VICReg()).hessian
    proof.exact("at the usual weights augmentation competes in VICReg's B", usual.competition, False)

    proof.text("The gap r_0 - r_1 as a function of s, rho_0 = a^2, rho_1 = b^2: one maximum.")
    gap = a**2 / (a**2 + s) - b**2 / (b**2 + s)
    proof.exact("the gap is", sp.factor(gap), s * (a - b) * (a + b) / ((a**2 + s) * (b**2 + s)))
    proof.exact("its slope at s = a b is", sp.simplify(sp.diff(gap, s).subs(s, a * b)), 0)
    proof.exact("its largest value is", sp.factor(gap.subs(s, a * b)), (a - b) / (a + b))

    def kept(loss: ss.Loss, data: list[float], strength: float) -> int:
        return ss.rotation_minimised(loss, [rho / (rho + strength) for rho in data], 2).surviving

    proof.text("VICReg, usual weights, rho = 9, 7/3: (20/3) s = 0.16 (1 - epsilon) (9 + s) (7/3 + s).")
    share = 0.16 * (1 - 1e-4)
    edge = min(np.roots([share, share * 34 / 3 - 20 / 3, share * 21]).real)
    proof.numeric(f"VICReg: two modes 1 % below s = {edge:.4f}, one 1 % above",
                  lambda off: [kept(ss.VICReg(), [9.0, 7 / 3], q * edge * (1 + off)) for q in SIDES] == [2, 1])  # fmt: skip

    proof.text("Barlow Twins, lambda = 0.0051: 1 - r_0 = s / (9 + s); the smallest positive root in s.")
    strength = sp.Symbol("strength", positive=True)
    r = [rho / (rho + strength) for rho in (9, sp.Rational(7, 3))]
    condition = sp.numer(sp.together((r[0] - r[1]) * (1 - r[0]) - sp.Rational(51, 10000) * r[0] * (r[0] + r[1])))
    step = min(
        root for root in map(complex, sp.Poly(condition, strength).nroots()) if abs(root.imag) < 1e-9 and root.real > 0
    ).real
    twins = ss.BarlowTwins(lambda_=0.0051, epsilon=0)
    proof.numeric(f"two modes 1 % below s = {step:.4f}, one 1 % above",
                  lambda off: [kept(twins, [9.0, 7 / 3], q * step * (1 + off)) for q in SIDES] == [2, 1])  # fmt: skip

    proof.text("At rho = 9, 8 the largest gap is (3 - sqrt(8)) / (3 + sqrt(8)) "
               "= 0.03, below 0.16: no strength at the kink loses mode 1.")  # fmt: skip
    near = [ss.rotation_minimised(ss.VICReg(), [9 / (9 + at), 8 / (8 + at)], 2) for at in (0.1, 1.0, 2.5)]
    proof.exact(
        "regime and modes at s = 1/10, 1, 5/2", [(m.regime, m.surviving) for m in near], [("at the kink", 2)] * 3
    )
    for name, loss in (("InfoNCE", ss.InfoNCE()), ("spectral", ss.SpectralContrastive())):
        A0 = np.diag([9.0, 7 / 3])
        found = ss.collapse(ss.landscape(loss), A0=A0, Sigma=A0 + 1000 * np.eye(2), d1=2).surviving
        proof.exact(f"{name}: at s = 1000 the survivors number", found, 2)

    proof.text("A descent over all W finds the same: the VICReg loss itself, 1 % on either side of its threshold.")

    def descended(strength: float) -> int:
        r = [rho / (rho + strength) for rho in (9.0, 7 / 3)]
        return int((ss.minimise_over_weights(ss.VICReg(), r, 2, np.random.default_rng(3), starts=2).p > 1e-3).sum())

    proof.numeric("two modes below, one above",
                  lambda off: (descended(0.99 * edge * (1 + off)), descended(1.01 * edge * (1 + off))) == (2, 1))  # fmt: skip


if __name__ == "__main__":
    ss.present(prove)
