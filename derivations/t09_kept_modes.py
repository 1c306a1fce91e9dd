"""T9. Which modes VICReg keeps, as a function of lambda, mu, nu, d_1 and r.

At the kink (T9.vicreg) mode j, counted from 0 in descending r, is kept where its gap `g_j = sum_(i<j) (r_i - r_j)`
satisfies

    lambda g_j < 2 nu d_1 (1 - epsilon),    j < d_1,

which is a threshold in each quantity: lambda, nu and d_1 enter by `lambda / (nu d_1)` alone, a larger lambda loses modes, a
larger nu or d_1 wins them, mu does not matter, and a mode is lost where its r falls too far below the others', however
large it is. With the hinges active mu matters too. Where all outputs are used, `Tr P / d_1 = x` is

    x = (mu / (4 lambda mean(1 - r)))^2 - epsilon,    the last mode is kept where 2 nu d_1 x > lambda g,

so that for two outputs it is lost below `mu = 4 lambda mean(1 - r) sqrt(lambda (r_0 - r_1) / (4 nu) + epsilon)`.

Local: these hold where equal shares are best. For VICReg it is enough that the loss is convex in a share below the kink,
`mu >= 16 nu`; at lower mu unequal shares can win, and the engine says where it has no proof.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy as sp

import symscape as ss

lam, mu, nu, epsilon = sp.symbols("lambda mu nu epsilon", positive=True)
EPS = 1e-4


def prove(proof: ss.Proof) -> None:
    """Find each threshold by counting modes at the minimum."""
    _, kink, _ = ss.hinge_regimes(ss.VICReg(lam, mu, nu, epsilon))
    r = np.array([0.95, 0.9, 0.85, 0.7])
    bounds = 2 * (1 - EPS) / np.array([0.05, 0.15, 0.6])  # gaps: 0.05; 0.1 + 0.05; 0.25 + 0.2 + 0.15

    def kept(modes: Sequence[float] = r, outputs: int = 4, weight: float = 25.0, covariance: float = 1.0) -> int:
        numbers = {"lambda": weight, "nu": covariance, "epsilon": EPS}
        return kink.landscape.minimum(r=modes, d1=outputs, params=numbers).surviving

    def turns(count: Callable[[float], int], at: float, below: int, above: int) -> Callable[[float], bool]:
        return lambda off: (count(0.99 * at * (1 + off)), count(1.01 * at * (1 + off))) == (below, above)

    proof.text("At the kink the regime does not hold mu, and p_i holds lambda and nu by their ratio.")
    (strength,) = kink.strengths
    proof.exact("the landscape holds mu", kink.landscape.outer.has(mu), False)
    c, share = sp.symbols("c eta", real=True)
    scaled = strength.subs({lam: c * lam, nu: c * nu, share: c * share}, simultaneous=True)
    proof.exact("lambda, nu, H times c: p_i is", sp.simplify(scaled), sp.simplify(strength))
    regimes = [ss.rotation_minimised(ss.VICReg(mu=m), r, 4) for m in (30, 1000)]
    proof.exact(
        "at mu = 30 and 1000, lambda = 25, nu = 1", [(m.regime, m.surviving) for m in regimes], [("at the kink", 3)] * 2
    )

    proof.text("Four outputs: lambda g_j = 8 nu (1 - epsilon). The minimum keeps mode j on one side of it only.")
    for k, bound in zip((1, 2, 3), bounds, strict=True):
        at = 4 * bound
        proof.numeric(f"nu = 1: mode {k} is lost at lambda = {at:.3f}", turns(lambda w: kept(weight=w), at, k + 1, k))
        proof.numeric(
            f"lambda = 25: mode {k} is won at nu = {25 / at:.4f}",
            turns(lambda v: kept(covariance=v), 25 / at, k, k + 1),
        )
    # 25 g_j / (2 (1 - epsilon)) = 0.63, 1.88, 7.5 outputs.
    proof.exact("kept by d_1 = 1, ..., 9 outputs", [kept(outputs=d) for d in range(1, 10)], [1, 2, 3, 3, 3, 3, 3, 4, 4])
    at = (2.7 - 0.32 * (1 - EPS)) / 3  # 2.7 - 3 r_3 = 8 (1 - epsilon) / 25
    proof.numeric(f"mode 3 is won at r_3 = {at:.4f}", turns(lambda last: kept([0.95, 0.9, 0.85, last]), at, 3, 4))

    proof.text("Hinges active, two outputs: H = 2 lambda mean(1 - r) makes the two p_i sum to 2 x; mode 1 is "
               "lost where x = lambda (r_0 - r_1) / (4 nu). At lambda = 20, nu = 1, r = 1/2, 2/5, x = 1/2.")  # fmt: skip
    at = 4 * 20 * 0.55 * np.sqrt(0.5 + EPS)

    def hinged(weight: float) -> Any:
        return ss.rotation_minimised(ss.VICReg(lambda_=20, mu=weight), [0.5, 0.4], 2)

    proof.exact("the minimum is proved, hinges", (hinged(at).is_global, hinged(at).regime), (True, "active"))
    proof.numeric(f"mode 1 is won at mu = {at:.3f}", turns(lambda m: hinged(m).surviving, at, 1, 2))


if __name__ == "__main__":
    ss.present(prove)
