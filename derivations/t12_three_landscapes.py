"""T12. Figure 1, in two dimensions: none, dimensional and complete collapse of W = diag(w1, w2), by the signs of B.

With `A_0 = diag(a_1, a_2)`, `Sigma = diag(s_1, s_2)` and `W = diag(w_1, w_2)`, InfoNCE with weight decay has at order 4

    L = sum_i [ -(a_i / tau - gamma) w_i^2 + (3 s_i^2 / (4 tau^2)) w_i^4 ],

a sum of two cuts (T12.one-dimension), so that B has the eigenvalues `a_i / tau - gamma`. For `a_2 > a_1`:

    ++  gamma < a_1 / tau:               nine stationary points, four minima, nothing collapses,
    -+  a_1 / tau < gamma < a_2 / tau:   three, two minima on the axis w_1 = 0, dimensional collapse,
    --  a_2 / tau < gamma:               one, the origin, complete collapse.

In the plane the points on the axes are saddles at ++, and the origin is a maximum, a saddle, a minimum in turn. Among
all W every point keeps its kind; the minima of a case are one family, joined by rotations of the outputs. Source of the
figure: arXiv 2210.00638, Figure 1.

Local: order 4 for the figure; the signs of B decide all three cases for the exact loss of Gaussian views as well (X1).
"""

from itertools import product

import numpy as np
import sympy as sp

import symscape as ss

tau, gamma, a_1, a_2, s_1, s_2 = sp.symbols("tau gamma a_1 a_2 s_1 s_2", positive=True)
w_1, w_2 = sp.symbols("w_1 w_2", real=True)
CASES = {"++": (0.5, 9, 4, "none"), "-+": (1.5, 3, 2, "dimensional"), "--": (2.5, 1, 1, "complete")}


def prove(proof: ss.Proof) -> None:
    """Cut the landscape by W = diag(w1, w2); count its stationary points for each pair of signs, in the plane and in W."""
    land = ss.landscape(ss.InfoNCE(tau=tau) + ss.WeightDecay(gamma))
    matrices = {ss.W: sp.diag(w_1, w_2), ss.A_0: sp.diag(a_1, a_2), ss.Sigma: sp.diag(s_1, s_2)}
    sizes = {ss.d_0: 2, ss.d_1: 2}
    numbers = {symbol: sp.ImmutableMatrix(matrix) for symbol, matrix in matrices.items()} | sizes

    proof.text("Diagonal matrices: the traces are sums over the two modes.")
    plane = sp.expand(land.expr.xreplace(numbers).doit())
    modes = ((w_1, a_1, s_1), (w_2, a_2, s_2))
    cuts = sum(-(a / tau - gamma) * w**2 + 3 * s**2 * w**4 / (4 * tau**2) for w, a, s in modes)
    proof.exact("in the plane the landscape is", plane, sp.expand(cuts))
    B = land.hessian.B.xreplace(numbers).doit().as_explicit()
    proof.exact("B is", B, sp.diag(a_1 / tau - gamma, a_2 / tau - gamma))

    A0, Sigma = np.diag([1.0, 2.0]), np.diag([1.5, 2.5])
    given = {a_1: 1, a_2: 2, s_1: sp.Rational(3, 2), s_2: sp.Rational(5, 2), tau: 1}
    for signs, (decay, count, minima, kind) in CASES.items():
        proof.text(f"Signs {signs}, at gamma = {decay}: each mode is a double well or a single one.")
        here = plane.subs({**given, gamma: sp.Rational(decay)})
        along = [[root for root in sp.roots(sp.diff(here, w), w) if root.is_real] for w in (w_1, w_2)]
        hessian = sp.hessian(here, (w_1, w_2))
        kinds = []
        for place in product(*along):
            bends = list(hessian.subs(dict(zip((w_1, w_2), place, strict=True))).diagonal())
            kinds.append("minimum" if min(bends) > 0 else "maximum" if max(bends) < 0 else "saddle")
        signs_of_B = "".join("+" if value - decay > 0 else "-" for value in (1, 2))
        proof.exact("the signs of B are", signs_of_B, signs)
        proof.exact("stationary points and minima in the plane", (len(kinds), kinds.count("minimum")), (count, minima))

        proof.text("Among all W: one family for each set of kept modes; the collapse is that of its minimum.")
        points = ss.stationary_points(land, A0, Sigma, d1=2, gamma=decay, tau=1.0)
        # A set of k modes with plus signs is a family, which crosses the plane in 2^k points.
        among_all = sorted(point.kind for point in points for _ in range(2 ** len(point.kept)))
        proof.exact("the families cross the plane in as many points, of the same kinds", among_all, sorted(kinds))
        proof.exact("the origin has the index", points.family(kept=()).index, 2 * signs.count("+"))
        proof.exact("collapse", ss.collapse(land, A0, Sigma, d1=2, gamma=decay, tau=1.0).kind, kind)

    proof.text("Descent from a random W, which is aligned with nothing, must end at the one least value.")
    rng = np.random.default_rng(0)
    f, families = land.numpy(), ss.stationary_points(land, A0, Sigma, d1=2, gamma=0.5, tau=1.0)
    W, moments = rng.standard_normal((2, 2)), {"A0": A0, "Sigma": Sigma, "gamma": 0.5, "tau": 1.0}
    for _ in range(3000):
        W = W - 0.02 * f.gradient(W, **moments)
    proof.digits("it ends at the value of the minima", f(W, **moments), families.minima[0].loss, 9)


if __name__ == "__main__":
    ss.present(prove)
