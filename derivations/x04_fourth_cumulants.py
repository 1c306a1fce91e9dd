"""X4. Beyond Gaussian views order 4 gains a fourth cumulant for InfoNCE and NT-Xent, and nothing for the other losses.

For any distribution of mean zero and two exchangeable views let
`kappa[uv|st] = sum_ab cum(f_a(u), f_a(v), f_b(s), f_b(t))`. Then

    InfoNCE gains        kappa[xx|xx] / (8 tau^2),
    smooth NT-Xent gains kappa[xx|xx'] / (tau epsilon^2),

and InfoNCE of dot products, spectral, Barlow Twins and VICReg gain nothing. Degree 2, and with it B and every threshold
at `W = 0`, needs second moments only; spectral, Barlow Twins and VICReg need no more at any order.

Cumulants change strengths. One output with excess kurtosis k has `(3/4 + k/8) p^2 / tau^2` in InfoNCE, so that heavy
tails weaken a mode, and two points, `k = -2`, make it strongest: `p = tau^2 b` to leading order in the eigenvalue b of
the pencil, against `(2/3) tau^2 b` for Gaussian views. The quartic part is `(E|f|^4 - (E|f|^2)^2) / 8 + Tr P^2 / 2`
over `tau^2`, which is positive: InfoNCE is bounded below at order 4 for any distribution.

Local: order 4. With a mean, third cumulants enter as well. The negatives are independent data.
"""

from itertools import product

import numpy as np
import sympy as sp

import symscape as ss
from symscape import A_0, Sigma, W

tau, epsilon, u, b, k = sp.symbols("tau epsilon u b k", positive=True)
POINTS = ((2, -1), (-1, 2), (-1, -1))  # of the datum, each of probability 1/3, for two outputs
NOISE = ((sp.Rational(1, 2), 1), (-sp.Rational(1, 2), -1))


def prove(proof: ss.Proof) -> None:
    """Expand the loss over any distribution, and check it on one where every expectation is a finite sum."""
    P, M = W * Sigma * W.T, W * A_0 * W.T

    proof.text(
        "log E_chi e^{-z/(2 tau)} = -E z/(2 tau) + Var z/(8 tau^2), z = |f - f(chi)|^2. Given f, z has the variance of "
        "|f(chi)|^2, E|f|^4 - (Tr P)^2, plus 4 f^T P f, and a covariance odd in f, of mean zero. As E|f|^4 is "
        "kappa + (Tr P)^2 + 2 Tr P^2, the mean is kappa + 6 Tr P^2."
    )
    kappa = sp.Function("kappa_xx_xx", real=True)(W)
    infonce = ss.landscape(ss.InfoNCE(tau=tau), data=ss.CumulantViews())
    proof.exact("InfoNCE is", infonce, -sp.Trace(M) / tau + (kappa + 6 * sp.Trace(P * P)) / (8 * tau**2))
    proof.text(
        "Smooth NT-Xent: -f.f'/(tau epsilon) (1 - |f|^2/(2 epsilon) - |f'|^2/(2 epsilon)) holds E |f|^2 "
        "f.f' / (tau epsilon^2)."
    )
    smooth, crossed = ss.NTXent(tau=tau, epsilon=epsilon), sp.Function("kappa_xx_xxp", real=True)(W)
    gain = ss.landscape(smooth, data=ss.CumulantViews()).expr - ss.landscape(smooth).expr
    proof.exact("NT-Xent gains", sp.expand(gain), crossed / (tau * epsilon**2))
    blind = (ss.InfoNCE(similarity="dot"), ss.SpectralContrastive(), ss.BarlowTwins.symbolic(), ss.VICReg())
    same = [ss.landscape(loss, data=ss.CumulantViews()) == ss.landscape(loss) for loss in blind]
    proof.exact("dot form, spectral, Barlow Twins, VICReg are as before", same, [True] * 4)
    orders = [str(ss.facts(loss).distribution_free_order) for loss in (ss.InfoNCE(), smooth, *blind)]
    proof.exact("second moments suffice up to the order", orders, ["2", "2", "4", "inf", "inf", "inf"])

    proof.text("A datum of three points with noise of two, at tau = 1: every expectation is a finite sum, exactly.")
    views = [sp.Matrix(s) + sp.Matrix(e) for s in POINTS for e in NOISE]
    second = sum((v * v.T for v in views), sp.zeros(2)) / len(views)
    clean = sum((sp.Matrix(s) * sp.Matrix(s).T for s in POINTS), sp.zeros(2)) / 3
    fourth = sum(v.dot(v) ** 2 for v in views) / len(views)
    cumulant = fourth - second.trace() ** 2 - 2 * (second**2).trace()
    pull = sum((sp.Matrix(e) - sp.Matrix(g)).dot(sp.Matrix(e) - sp.Matrix(g)) for e, g in product(NOISE, NOISE)) / 4
    logs = [sp.log(sum(sp.exp(-u * (v - c).dot(v - c) / 2) for c in views) / len(views)) for v in views]
    series = [sp.diff(u * pull / 2 + sum(logs) / len(views), u, j).subs(u, 0) / j for j in (1, 2)]
    claimed = [-clean.trace(), cumulant / 8 + sp.Rational(3, 4) * (second**2).trace()]
    proof.exact("the finite sum has these coefficients of |W|^2 and |W|^4", series, claimed)
    rows = np.array(views, dtype=float).reshape(-1, 2)
    moments = {
        "A0": np.array(clean, dtype=float),
        "Sigma": np.array(second, dtype=float),
        "kappa": ss.FourthCumulants({"x": rows}),
    }
    proof.digits("and the compiled landscape the value", infonce.numpy()(np.eye(2), **moments, tau=1), sum(claimed), 13)

    proof.text(
        "One output on two points +-1, r = 1, decay 1 - b: the exact loss log((1 + e^{-2u})/2) + (1 - b) u at p = u is "
        "least where"
    )
    loss = sp.log((1 + sp.exp(-2 * u)) / 2) + (1 - b) * u
    proof.exact("u = atanh(b)", sp.simplify(sp.diff(loss, u).subs(u, sp.atanh(b)).rewrite(sp.log)), sp.S.Zero)
    strength = b / (2 * (sp.Rational(3, 4) + k / 8))
    leading = sp.limit(sp.atanh(b) / b, b, 0)
    proof.exact("to leading order p / b at kurtosis -2", leading, (strength / b).subs(k, -2))


if __name__ == "__main__":
    ss.present(prove)
