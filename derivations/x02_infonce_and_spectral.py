"""X2. InfoNCE of dot products is the spectral contrastive loss at every order; Euclidean InfoNCE is at order 4.

Two losses have one landscape when `L_a(W) = c L_b(sqrt(s) W) + constant` with `c > 0` and `s > 0`. For Gaussian views,
augmented alike, `n = oo`,

    InfoNCE of dot products:  -Tr M / tau + Tr P^2 / (2 tau^2) = (1/2) L_spectral(W / sqrt(tau)),     exactly,
    Euclidean InfoNCE:        -Tr M / tau + 3 Tr P^2 / (4 tau^2) + O(W^6) = (1/3) L_spectral(sqrt(3/(2 tau)) W) + O(W^6),

and the second relation ends at order 6, where Euclidean InfoNCE has `-2 Tr P^3 / (3 tau^3)` and spectral has nothing.
The temperature is a scale of W alone. One landscape means the same kind of collapse, the same kept modes and thresholds
up to `gamma -> c s gamma`, and spectra `p_a = p_b / s`. Source of the spectral loss: HaoChen et al., 2021.

Assumption: spectral is free of any distribution and InfoNCE is not. With a mean, or a fourth cumulant, the Euclidean
relation ends.
"""

import mpmath as mp
import numpy as np
import sympy as sp

import symscape as ss
from symscape import A_0, Sigma, W

tau, v, f = sp.symbols("tau v f", positive=True)
g = sp.Symbol("g", real=True)
SPECTRAL, EUCLIDEAN, DOT = ss.SpectralContrastive(), ss.InfoNCE(tau=tau), ss.InfoNCE(tau=tau, similarity="dot")


def prove(proof: ss.Proof) -> None:
    """Integrate the negatives of dot products, match coefficients, and test both relations by quadrature."""
    P, M = W * Sigma * W.T, W * A_0 * W.T

    proof.text(
        "One output: f.f(chi)/tau is Gaussian given f, so the logarithm of its exponential moment ends at second order."
    )
    density = sp.exp(-(g**2) / (2 * v)) / sp.sqrt(2 * sp.pi * v)
    log_mean = sp.log(sp.integrate(sp.exp(f * g / tau) * density, (g, -sp.oo, sp.oo)))
    proof.exact("log E_chi e^{f f(chi) / tau} is", sp.expand_log(log_mean, force=True), f**2 * v / (2 * tau**2))
    proof.text("With more outputs it is f^T P f / (2 tau^2), whose mean is Tr P^2 / (2 tau^2).")
    land = ss.landscape(DOT, order=10)
    proof.exact("to order 10 the dot form has", land, -sp.Trace(M) / tau + sp.Trace(P * P) / (2 * tau**2))
    proof.exact("spectral, a polynomial, has", ss.landscape(SPECTRAL), -2 * sp.Trace(M) + sp.Trace(P * P))

    proof.text(
        "Order 2 gives c s = a_2 / b_2, order 4 c s^2 = a_4 / b_4: two equations, for the dot form 1/(2 tau) and "
        "1/(2 tau^2)."
    )
    exact = ss.equivalence(DOT, SPECTRAL)
    proof.exact("dot form: c and s", (exact.factor, exact.scale), (sp.Rational(1, 2), 1 / tau))
    proof.exact("dot form: reach", exact.reach, "to all orders")
    local = ss.equivalence(EUCLIDEAN, SPECTRAL)
    proof.exact("Euclidean: c and s", (local.factor, local.scale), (sp.Rational(1, 3), 3 / (2 * tau)))
    proof.exact("Euclidean: the lowest order at which they differ", ss.differs_at(EUCLIDEAN, SPECTRAL), 6)
    difference = ss.equivalence(EUCLIDEAN, SPECTRAL, order=6).difference
    proof.exact("by the coefficient of Tr P^3", difference.first, -2 / (3 * tau**3))
    temperature = ss.equivalence(EUCLIDEAN, ss.InfoNCE())
    proof.exact("the temperature is a scale", (temperature.factor, temperature.scale), (sp.S.One, 1 / tau))
    proof.exact("to all orders", temperature.reach, "to all orders")

    proof.text("What follows: the spectra are those of spectral, b_i / 2, over s.")
    spectrum = [
        ss.stationary_points(ss.landscape(loss)).family(kept=(0,)).spectrum[0] for loss in (EUCLIDEAN, DOT, SPECTRAL)
    ]
    b = sp.Symbol("b_0", real=True)
    r = {EUCLIDEAN: tau * b, DOT: tau * b, SPECTRAL: b / 2}  # r by the b of each loss
    proof.exact("p in b: Euclidean, dot, spectral", spectrum, [2 * tau * r[EUCLIDEAN] / 3, tau * r[DOT], r[SPECTRAL]])

    proof.text(
        "By quadrature at one output, p = 2: the dot form is half of spectral there, too; the Euclidean one is no "
        "third of it."
    )
    nodes, heights = (np.asarray(part) for part in np.polynomial.hermite_e.hermegauss(80))
    features, heights = np.sqrt(2.0) * nodes, heights / heights.sum()
    dots = -0.6 * 2 + heights @ np.log(np.exp(np.outer(features, features) / 4) @ heights) * 4
    # At tau = 4, 4 L = -r p + 4 E log E e^{f g / 4}; half of spectral at p / 4, times 4.
    proof.digits("dot form at tau = 4, r = 0.6, times 4", dots, 2 * (-2 * 0.6 * 0.5 + mp.mpf(0.5) ** 2), 12)
    logits = -((features[:, None] - features) ** 2) / 2
    euclidean = (1 - 0.6) * 2 + heights @ np.log(np.exp(logits) @ heights)
    closed = (1 - 0.6) * 2 - mp.log(3) / 2 - mp.mpf(2) / 6
    proof.digits("the Euclidean form, against 1.8 for a third of spectral, is", euclidean, closed, 10)


if __name__ == "__main__":
    ss.present(prove)
