"""T12. Figure 1, in one dimension: the landscape of InfoNCE is a double well, and weight decay fills it in.

With one feature and one output, `A_0 = a`, `Sigma = s`, `W = w`, and weight decay `gamma`, InfoNCE has at order 4

    L(w) = -(a / tau - gamma) w^2 + (3 s^2 / (4 tau^2)) w^4.

For `gamma < a / tau` the origin is the maximum and `w^2 = 2 tau^2 (a / tau - gamma) / (3 s^2)` are the two minima, with
`L = -tau^2 (a / tau - gamma)^2 / (3 s^2)`; for `gamma >= a / tau` the origin is the only stationary point, and the
minimum: collapse. The cut along a mode of W = diag(w1, ..., w_d) is this function. The geometry at the origin, one
sign, decides. Source of the figure: arXiv 2210.00638, Figure 1.

Local: order 4. The exact loss of Gaussian views has the same sign at the origin and one pair of minima too, at another
distance: `w^2 = p / s`, with `y = 1 / (1 + p / tau)` solving `y^2 + y = 2 (1 - tau b)`, `b = (a / tau - gamma) / s`, if
`b < 1 / tau` (X1).
"""

import mpmath as mp
import numpy as np
import sympy as sp

import symscape as ss

a, s, tau, gamma = sp.symbols("a s tau gamma", positive=True)
w = sp.Symbol("w", real=True)


def prove(proof: ss.Proof) -> None:
    """Put numbers of one feature into the landscape, find its stationary points, and compare with the exact loss."""
    land = ss.landscape(ss.InfoNCE(tau=tau) + ss.WeightDecay(gamma))

    proof.text("One by one matrices: every trace is a product of numbers.")
    numbers = {ss.W: sp.ImmutableMatrix([[w]]), ss.A_0: sp.ImmutableMatrix([[a]]), ss.Sigma: sp.ImmutableMatrix([[s]])}
    cut = sp.expand(land.expr.xreplace({**numbers, ss.d_0: 1, ss.d_1: 1}).doit())
    b = a / tau - gamma
    proof.exact("the 1-d landscape is", cut, -b * w**2 + 3 * s**2 * w**4 / (4 * tau**2))

    proof.text("dL/dw = -2 b w + 3 s^2 w^3 / tau^2 = 0 at w = 0 and at w^2 = 2 tau^2 b / (3 s^2), real where b > 0.")
    square = 2 * tau**2 * b / (3 * s**2)
    slope, bend = sp.diff(cut, w), sp.diff(cut, w, 2)
    at_well = sp.cancel(slope / w).subs(w, sp.sqrt(square))
    proof.exact("away from 0 the slope vanishes at that w^2", sp.simplify(at_well), sp.S.Zero)
    proof.exact("the curvature at 0 is", bend.subs(w, 0), -2 * b)
    proof.exact("the curvature at the wells is", sp.expand(bend.subs(w, sp.sqrt(square))), sp.expand(4 * b))
    proof.exact(
        "the depth of the wells is", sp.expand(cut.subs(w, sp.sqrt(square))), sp.expand(-(tau**2) * b**2 / (3 * s**2))
    )
    proof.exact(
        "so the mode survives where",
        ss.threshold(land, gamma).mode(0).solved,
        gamma < sp.Symbol("lambda_0", real=True) / tau,
    )

    proof.text(
        "The exact loss at d1 = 1, a double Gaussian integral: E_x of the logarithm of E_chi, which is Gaussian."
    )
    values = {"a": 1.0, "s": 1.25, "tau": 0.5, "gamma": 0.4}
    nodes, heights = np.polynomial.hermite_e.hermegauss(40)

    def log_mean(x: float, p: mp.mpf) -> mp.mpf:
        peak, width = x * p / (p + 0.5), mp.sqrt(p * 0.5 / (p + 0.5))
        density = lambda z: mp.exp(-((x - z) ** 2) - z * z / (2 * p)) / mp.sqrt(2 * mp.pi * p)  # noqa: E731
        return mp.log(mp.quad(density, [peak - 9 * width, peak, peak + 9 * width]))

    def exact(weight: float) -> mp.mpf:
        p = mp.mpf(weight) ** 2 * values["s"]
        pull = mp.mpf(weight) ** 2 * ((values["s"] - values["a"]) / values["tau"] + values["gamma"])
        return pull + sum(
            h * log_mean(mp.sqrt(p) * z, p) for h, z in zip(heights / heights.sum(), nodes, strict=True) if h > 1e-18
        )

    near = cut.subs({symbol: values[str(symbol)] for symbol in (a, s, tau, gamma)})
    proof.digits("at w = 0.02 landscape and integral agree", exact(0.02), near.subs(w, 0.02), 5)
    pencil = (values["a"] / values["tau"] - values["gamma"]) / values["s"]
    y = (mp.sqrt(9 - 8 * values["tau"] * pencil) - 1) / 2
    well = mp.sqrt(values["tau"] * (1 / y - 1) / values["s"])

    def is_stationary(off: float) -> bool:
        place = well * (1 + off)
        return bool(abs(exact(place + 1e-4) - exact(place - 1e-4)) / 2e-4 < 1e-6)

    series = mp.sqrt(square.subs({symbol: values[str(symbol)] for symbol in (a, s, tau, gamma)}))
    figure = f"w = {float(well):.4f}, at order 4 {float(series):.4f}"
    proof.numeric("the exact well is where X1 puts it", is_stationary, figure)


if __name__ == "__main__":
    ss.present(prove)
