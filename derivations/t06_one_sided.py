"""T6. Where only the positive is augmented, InfoNCE loses mode k as the augmentation strength passes 2 rho_k.

Anchor and negatives are clean, the positive is augmented: `x' = x + sqrt(s) eps`, `E phi(eps) phi(eps)^T = C`. Then

    B = (A_0 - s C / 2) / tau,        X = 2 A_0 - s C  in the notation of Jing et al. (2021),

and with `A_0 u = rho C u` mode k survives where `s < 2 rho_k`; collapse is complete where `s >= 2 rho_0`. In canonical
correlations, `r = rho / (rho + s)`, that is `r > 1 / 3`. Here strong augmentation does collapse, dimension after dimension,
as Jing et al. describe it for an X with negative eigenvalues.

The threshold is not of order 4 only: with Gaussian views and without truncation a mode is kept where `1/3 < r < 1`, with

    y^2 + y = (1 - r) / r,        p_i = tau (1 / y - 1) / r_i.

What differs from the paper: "no collapse" in this setting needs the assumption that positive and negatives are augmented
alike.
"""

import numpy as np
import sympy as sp

import symscape as ss

tau, y = sp.symbols("tau y", positive=True)
rho_1, rho_0 = sp.symbols("rho_1 rho_0", real=True)
s = ss.augmentation_strength


def prove(proof: ss.Proof) -> None:
    """Derive the threshold at the origin, then without truncation, then count with numbers."""
    x, chi = ss.View("x", moment="A_0"), ss.View("chi", moment="A_0")
    xp = ss.View("x'", of=x)
    contrast = ss.E(sp.log(ss.E(sp.exp(-ss.sqdist(x, chi) / (2 * tau)), over=chi)))
    loss = ss.Loss(ss.E(ss.sqdist(x, xp)) / (2 * tau) + contrast, name="one-sided InfoNCE")
    land = ss.landscape(loss)

    proof.text("The positive pulls with Tr P / 2 more than the negatives push: what is left of it is -C / 2.")
    proof.exact("B is", land.hessian.B, (ss.A_0 - (ss.Sigma - ss.A_0) / 2) / tau)
    # Clean data have the moment A_0 in place of Sigma, so that the quartic part is that of T1 with M for P.
    M = ss.W * ss.A_0 * ss.W.T
    proof.exact("the quartic part is", land.part(4).expr, 3 * sp.Trace(M * M) / (4 * tau**2))
    found = ss.threshold(land, s)
    proof.exact("mode 1 survives where", found.mode(1).solved, s < 2 * rho_1)
    proof.exact("complete collapse where", found.complete.inequality.subs(tau, 1).simplify(), s >= 2 * rho_0)

    proof.text("Without truncation the negatives see tau + r p in place "
               "of tau + p, so that the slope of a mode is, in y:")  # fmt: skip
    mode = ss.mode_minimiser(ss.closed_form(loss))
    r = mode.variable
    p = next(t for t in mode.summand.free_symbols if t.name == "p_i")
    slope = sp.simplify(sp.diff(mode.summand, p).subs(p, tau * (1 / y - 1) / r))
    proof.exact("dL/dp is", slope, ((1 - r) - r * (y + y**2)) / (2 * tau))
    proof.text("y = 1 at p = 0 and falls to 0 as p grows, y + y^2 from 2 to 0: one root where 0 < (1 - r) / r < 2.")
    proof.exact("the minimum exists where", mode.exists, sp.And(r > sp.Rational(1, 3), r < 1))
    half = sp.Rational(1, 2)
    for at in (sp.Rational(2, 5), half, sp.Rational(4, 5)):
        root = sp.sqrt(sp.Rational(1, 4) + (1 - at) / at) - half
        proof.exact(f"at r = {at} the strength is", mode.p.subs(r, at), tau * (1 / root - 1) / at)

    proof.text("Numbers, A_0 and C without common eigenvectors: thresholds are those of the pencil (A_0, C), times 2.")
    A0 = np.diag([1.0, 0.9, 0.5])
    C = np.array([[0.6, 0.2, 0.0], [0.2, 0.9, -0.3], [0.0, -0.3, 1.2]])
    rho = np.sort(np.linalg.eigvals(np.linalg.solve(C, A0)).real)[::-1]
    counted = ss.threshold(land, s, A0=A0, Sigma=A0 + C, d1=3, tau=1)
    proof.digits("the thresholds are 2 rho_k", [counted.critical(k) for k in range(3)], 2 * rho, 8)


if __name__ == "__main__":
    ss.present(prove)
