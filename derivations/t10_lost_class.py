"""T10. With weight decay a class is lost below a probability; under InfoNCE the classes that are learned lower it.

Orthogonal classes as in T10.orthogonal-classes, augmentation noise of variance `sigma^2`, weight decay `gamma ||W||^2`.
Class c leaves the origin where B along it is positive, which is where

    pi_c > gamma tau / |m_c|^2                                        (InfoNCE),
    pi_c > gamma / (2 |m_c|^2)                                        (spectral),
    pi_c > (d_1 gamma + (2 lambda - h) sigma^2) / (h |m_c|^2)     (VICReg),   h = mu / (2 sqrt(epsilon)).

At the minimum, with `Tr M = sum_b pi_b |W m_b|^2` over the classes that are kept, InfoNCE at order 4 loses a class
below

    pi_c = gamma / (|m_c|^2 (1 / tau + Tr M / (4 tau^2))):

common classes help a rare one. For spectral, whose classes decouple, both thresholds are the same.

Local: the thresholds from B hold near `W = 0` only, and the one at the minimum is that of order 4. T10.lost-class-exact
has the exact loss.
What differs from the paper: that the other classes move the threshold.
"""

import numpy as np
import sympy as sp
from scipy.optimize import brentq

import symscape as ss

gamma, tau, sigma, lambda_, mu, epsilon = sp.symbols("gamma tau sigma lambda mu epsilon", positive=True)
m = sp.Symbol("|m_i|^2", positive=True)
trace = sp.Symbol("Tr M", real=True)
DECAY = 0.12


def prove(proof: ss.Proof) -> None:
    """Solve B = 0, and the slope at p_c = 0, for the class probability; minimise on either side of it."""
    proof.text(
        "Along class c, A_0 is pi_c |m_c|^2 and Sigma is pi_c |m_c|^2 + sigma^2: B there vanishes at the threshold."
    )
    infonce = ss.class_threshold(ss.InfoNCE(tau=tau) + ss.WeightDecay(gamma))
    spectral = ss.class_threshold(ss.SpectralContrastive() + ss.WeightDecay(gamma))
    vicreg = ss.class_threshold(ss.VICReg(lambda_=lambda_, mu=mu, epsilon=epsilon) + ss.WeightDecay(gamma))
    h = mu / (2 * sp.sqrt(epsilon))
    proof.exact("InfoNCE, B = A_0 / tau - gamma", infonce.origin, gamma * tau / m)
    proof.exact("spectral, B = 2 A_0 - gamma", spectral.origin, gamma / (2 * m))
    claimed = (ss.d_1 * gamma + (2 * lambda_ - h) * sigma**2) / (h * m)
    proof.exact("VICReg, d_1 B = 2 lambda A_0 - (2 lambda - h) Sigma - d_1 gamma", vicreg.origin, claimed)

    proof.text(
        "At the minimum the slope at p_c = 0 counts: the fourth cumulant has -Q^2, which leaves -Tr M / (4 tau^2) "
        "there."
    )
    proof.exact("InfoNCE with the others learned", infonce.trained, gamma / (m * (1 / tau + trace / (4 * tau**2))))
    proof.exact("spectral with the others learned", spectral.trained, gamma / (2 * m))

    proof.text("By numbers: at the threshold the common classes are as they are without the rare one.")

    def common(rare: float) -> np.ndarray:
        return np.array([(1 - rare) / 2, (1 - rare) / 2, rare])

    def gap(rare: float) -> float:
        rest = ss.imbalance(ss.InfoNCE(), common(rare), gamma=DECAY, d1=2)
        return float(infonce.trained.subs({gamma: DECAY, tau: 1, m: 1, trace: rest.pi @ rest.q}) - rare)

    threshold = brentq(gap, 0.06, 0.1199, xtol=1e-6)

    def lost_below(off: float) -> bool:
        sides = [side * threshold * (1 + off) for side in (0.99, 1.01)]
        below, above = (ss.imbalance(ss.InfoNCE(), common(rare), gamma=DECAY).q[2] for rare in sides)
        return bool(below == 0 < above)

    figure = f"pi_c = {threshold:.4f}, below the {DECAY} of the origin"
    proof.numeric("InfoNCE at order 4 loses the class 1 % below, and keeps it 1 % above", lost_below, figure)


if __name__ == "__main__":
    ss.present(prove)
