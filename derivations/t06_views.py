"""T6. Whether augmentation can collapse InfoNCE is decided by the positive and the negatives, not by the anchor.

Let each of the three views of InfoNCE, anchor x, positive x', negative chi, be clean (second moment `A_0`) or augmented
(second moment Sigma); two views of one datum have cross moment `A_0` in any case. With `S_+` and `S_-` the second moments
of positive and negatives,

    B = (A_0 + (S_- - S_+) / 2) / tau.

With `Sigma = A_0 + s C`, s the strength of the augmentation, and `A_0 u = rho C u`, mode k is lost as s grows only if the
positive is augmented and the negatives are not:

    positive and negatives alike         B = A_0 / tau                  kept at any s where rho_k > 0
    negatives alone augmented            B = (A_0 + s C / 2) / tau      kept at any s where rho_k > 0
    positive alone augmented             B = (A_0 - s C / 2) / tau      lost for s >= 2 rho_k

whatever the anchor is: six choices with an attraction, and two, anchor and positive both clean, where `f(x) = f(x')` and
nothing attracts. Two hypotheses carry "no collapse": positive and negatives have one second moment, and `A_0` is positive
definite.

What differs from the paper: its text at hand does not name the first of these; it is what parts its setting from the one
below. In the notation of Jing et al. (2021), gradient flow near `W = 0` is `dW/dt = W X` with `X = Sigma_0 - Sigma_1`, the
spread of anchor against negatives less that of anchor against positive, and `X = 2 tau B`. Collapse there needs an X with
negative eigenvalues, which views augmented alike exclude.
Local: B decides at `W = 0`. Without truncation a mode is kept for the same r (T6.augmented-alike, T6.one-sided).
"""

import itertools

import numpy as np
import sympy as sp

import symscape as ss
from symscape import A_0, Sigma

tau = sp.Symbol("tau", positive=True)
s = ss.augmentation_strength
rho, rho_1 = sp.symbols("rho rho_1", real=True)
MOMENT = {"A_0": A_0, "Sigma": Sigma}


def prove(proof: ss.Proof) -> None:
    """Derive B for the eight choices, then sample its sign."""
    for anchor, positive, negative in itertools.product(MOMENT, repeat=3):
        x = ss.View("x", moment=anchor)
        xp, chi = ss.View("x'", of=x, moment=positive), ss.View("chi", moment=negative)
        contrast = ss.E(sp.log(ss.E(sp.exp(-ss.sqdist(x, chi) / (2 * tau)), over=chi)))
        land = ss.landscape(ss.Loss(ss.E(ss.sqdist(x, xp)) / (2 * tau) + contrast, name="InfoNCE"))
        noisy = [v for v, m in (("anchor", anchor), ("positive", positive), ("negatives", negative)) if m == "Sigma"]
        name = f"augmented {' and '.join(noisy) or 'none'}"
        proof.text("E|f - f'|^2 - E|f - f-|^2: the anchor's own |f|^2 cancels.")
        B = land.hessian.B
        proof.exact(f"{name}: B is", B, (A_0 + (MOMENT[negative] - MOMENT[positive]) / 2) / tau)
        # E (x - chi)(x - chi)^T less E (x - x')(x - x')^T, by second moments.
        X = MOMENT[anchor] + MOMENT[negative] - (MOMENT[anchor] + MOMENT[positive] - 2 * A_0)
        proof.exact(f"{name}: X of Jing et al. is 2 tau B,", 2 * tau * B, X)
        # Along A_0 u = rho C u, in units of u^T C u.
        along = sp.Trace(B).subs({A_0: sp.Matrix([[rho]]), Sigma: sp.Matrix([[rho + s]])}).doit()
        part = (negative == "Sigma") - (positive == "Sigma")
        proof.exact(f"{name}: along a mode B is", along, (rho + sp.Rational(part, 2) * s) / tau)
        if part < 0:
            proof.exact(f"{name}: mode 1 is kept where", ss.threshold(land, s).mode(1).solved, s < 2 * rho_1)
        elif anchor == "Sigma":
            # Not even noise a hundred times the data loses a mode.
            found = ss.collapse(land, A0=np.diag([2.0, 1.0]), Sigma=np.diag([202.0, 201.0]), d1=2, tau=1)
            proof.exact(f"{name}: modes that survive noise 100 times the data", found.surviving, 2)

    proof.text("Sample the loss of one feature, A_0 = C = 1, s = 4/5, anchor augmented: its fall per W^2 is b.")
    rng, strength, N = np.random.default_rng(6), 0.8, 600_000
    for name, plus, minus in (("alike", 1, 1), ("negatives alone", 0, 1), ("positive alone", 1, 0)):
        datum, other = rng.standard_normal(N), rng.standard_normal((2, N))
        x, xp = (datum + np.sqrt(on * strength) * rng.standard_normal(N) for on in (1, plus))
        chi = other + np.sqrt(minus * strength) * rng.standard_normal((2, N))
        values = [
            ((w * (x - xp)) ** 2 / 2 + np.log(np.exp(-((w * (x - chi)) ** 2) / 2).mean(axis=0))) / w**2
            for w in (0.1, 0.2)
        ]
        falls = (values[1] - 4 * values[0]) / 3  # Richardson: what is quartic in W drops out
        proof.sampled(f"{name}: b is", falls.mean(), falls.std() / np.sqrt(N), 1 + (minus - plus) * strength / 2)


if __name__ == "__main__":
    ss.present(prove)
