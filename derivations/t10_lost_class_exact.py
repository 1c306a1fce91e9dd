"""T10. The exact InfoNCE loss over three classes of points loses the rare one below a probability of its own.

Orthogonal classes of points `m_c` and `-m_c`, `|m_c| = 1`, `tau = 1`, without augmentation noise, weight decay
`gamma ||W||^2`, and nothing truncated: with `q_c = |W m_c|^2`,

    L = sum_c pi_c log k_c + gamma sum_c q_c,
    k_c = pi_c (1 + e^{-2 q_c}) / 2 + sum_{b != c} pi_b e^{-(q_c + q_b)/2}.

The slope along the rare class at `q_c = 0`, the common classes at the minimum of the rest, is

    gamma - pi_c (1 + pi_c / k_c) / 2 - pi_c sum_{b != c} pi_b e^{-q_b/2} / (2 k_b),

and the class is lost where it is positive. At the origin it is `gamma - pi_c`: the threshold from B. Training the
common classes lowers the threshold, as at order 4 (T10.lost-class).

Numeric: the minimum is found by descent from `q = 1`, and is taken to be global.
"""

import numpy as np
import sympy as sp
from scipy.optimize import brentq, minimize

import symscape as ss

gamma = sp.Symbol("gamma", positive=True)
q, shares = sp.symbols("q_1:4", nonnegative=True), sp.symbols("pi_1:4", positive=True)
DECAY = 0.12


def prove(proof: ss.Proof) -> None:
    """Write the finite sum, take its slope, and train on either side of where the slope changes sign."""
    proof.text("A datum meets itself, its mirror image at squared distance 4 q_c, and the other classes at q_c + q_b.")
    kernel = [
        shares[c] / 2 * (1 + sp.exp(-2 * q[c]))
        + sum(shares[b] * sp.exp(-(q[c] + q[b]) / 2) for b in range(3) if b != c)
        for c in range(3)
    ]
    loss = sum(shares[c] * sp.log(kernel[c]) for c in range(3)) + gamma * sum(q)

    proof.text(
        "Its own term brings -pi_c (pi_c + (k_c - pi_c) / 2) / k_c, that of class b -pi_b pi_c e^{-q_b/2} / (2 k_b)."
    )
    y = sp.symbols("y_1:3", positive=True)  # e^{-q_b/2}, which makes the slope rational
    rational = {q[0]: -2 * sp.log(y[0]), q[1]: -2 * sp.log(y[1]), q[2]: 0}
    slope, k = sp.diff(loss, q[2]).subs(rational), [expr.subs(rational) for expr in kernel]
    pull = sum(shares[b] * y[b] / (2 * k[b]) for b in (0, 1))
    claimed = gamma - shares[2] * (1 + shares[2] / k[2]) / 2 - shares[2] * pull
    proof.exact("the slope along class 3 at q_3 = 0 is", slope, claimed)

    proof.text("At the origin all k_c are 1, so that the slope is gamma - pi_c, as B along the class says.")
    at_origin = sp.simplify(slope.subs({y[0]: 1, y[1]: 1}).subs(shares[0], 1 - shares[1] - shares[2]))
    proof.exact("the slope at the origin is", at_origin, gamma - shares[2])
    unit = {sp.Symbol("|m_i|^2", positive=True): 1}
    land = ss.class_threshold(ss.InfoNCE() + ss.WeightDecay(gamma))
    proof.exact("so the landscape of order 4 has the threshold", land.origin.subs(unit), gamma)

    proof.text("Trained: the common classes of equal size, and the rare one held at 0 or free.")
    values = [loss, *(sp.diff(loss, s) for s in q)]
    compiled = sp.lambdify([q, shares], [v.subs(gamma, DECAY) for v in values], cse=True)

    def trained(rare: float, free: int) -> np.ndarray:
        pi, full = ((1 - rare) / 2, (1 - rare) / 2, rare), np.zeros(3)

        def objective(strengths: np.ndarray) -> tuple[float, np.ndarray]:
            value, *slopes = compiled([*strengths, *full[free:]], pi)
            return value, np.array(slopes[:free])

        start, options = [1.0, 1.0, 0.1][:free], {"ftol": 1e-15, "gtol": 1e-10}
        full[:free] = minimize(objective, start, jac=True, bounds=[(0, None)] * free, options=options).x
        return full

    def slope_of_rare(rare: float) -> float:
        return float(compiled(trained(rare, 2), ((1 - rare) / 2, (1 - rare) / 2, rare))[3])

    exact = brentq(slope_of_rare, 0.05, 0.1199, xtol=1e-7)

    def lost_below(off: float) -> bool:
        below, above = (trained(side * exact * (1 + off), 3)[2] for side in (0.99, 1.01))
        return bool(below < 1e-5 < 1e-3 < above)

    figure = f"pi_c = {exact:.4f}, below the {DECAY} of the origin"
    proof.numeric("training loses the class 1 % below that threshold, and keeps it 1 % above", lost_below, figure)


if __name__ == "__main__":
    ss.present(prove)
