"""T10. Between two classes about means of their own, one output: what the strength along the difference of means does.

Class 1 has probability `pi` and class 2 `1 - pi`; their means differ by `delta`, the data have mean zero, within a
class the datum has variance A along `delta`, and augmentation adds `sigma^2`. With `V = pi (1 - pi) delta^2` the data
have second moment `A_0 = A + V` and fourth cumulant `V (delta^2 - 6 V)` there. For one output let `p = E f^2` and
`q = |W delta|^2`. At the minimum of the landscape of order 4, `tau = 1`,

    spectral:  p = (A + V) / (A + sigma^2 + V),   so q = 1 / (pi (1 - pi)) for points,
    InfoNCE:   q = 4 and p = 4 pi (1 - pi) for points (A = sigma = 0).

So spectral keeps p as `pi -> 0` and InfoNCE keeps q; with data within the classes, A > 0, both keep both.

What differs from the paper: the mean of all data must be zero for spectral. Off it, an inner product spends the output
on the mean, and p goes like pi.
Local: order 4 in W. T10.two-points has the exact loss over points.
"""

import mpmath as mp
import numpy as np
import sympy as sp

import symscape as ss

pi = sp.Symbol("pi_i", positive=True)
delta, A, sigma = sp.symbols("delta A sigma", positive=True)


def prove(proof: ss.Proof) -> None:
    """Check the moments of a mixture by quadrature, and solve for the strengths of two classes."""
    V = pi * (1 - pi) * delta**2

    proof.text(
        "A landscape over a mixture needs more than second moments. Its check: E_chi is Gaussian class by class, and "
        "E_x of a Taylor coefficient in u = w^2 is that of a polynomial, which Gauss-Hermite nodes integrate exactly."
    )
    share, m, variance, noise = 0.3, (1.05, -0.45), 0.2, 0.09
    second, weights = variance + noise, (share, 1 - share)
    nodes, heights = np.polynomial.hermite_e.hermegauss(12)

    def log_mean(x: float, u: mp.mpf) -> mp.mpf:
        spread = 1 + u * second
        return mp.log(
            sum(w * mp.exp(-u * (x - c) ** 2 / (2 * spread)) / mp.sqrt(spread) for w, c in zip(weights, m, strict=True))
        )

    def exact(u: mp.mpf) -> mp.mpf:
        places = [(w * h / heights.sum(), c + np.sqrt(second) * z) for w, c in zip(weights, m, strict=True)
                  for z, h in zip(nodes, heights, strict=True)]  # fmt: skip
        return u * noise + sum(w * log_mean(x, u) for w, x in places)

    with mp.workdps(30):
        coefficients = mp.taylor(exact, 0, 2)[1:]
    land = ss.landscape(ss.InfoNCE(), data=ss.MixtureViews(2))
    given = {f"{kind}_{c}": [[v]] for c in (1, 2) for kind, v in (("A", variance), ("Sigma", second))}
    given |= {"pi_1": share, "m_1": [m[0]], "m_2": [m[1]]}
    found = [land.part(k).numpy()([[1.0]], **given) for k in (2, 4)]
    proof.digits("over two Gaussian classes InfoNCE has these coefficients of w^2 and w^4", found, coefficients, 10)

    proof.text("The fourth cumulant of two points at (1 - pi) delta and -pi delta; Gaussian spread adds none.")
    fourth = pi * ((1 - pi) * delta) ** 4 + (1 - pi) * (pi * delta) ** 4 - 3 * V**2
    proof.exact("along delta it is", sp.expand(fourth), sp.expand(V * (delta**2 - 6 * V)))

    proof.text("The strengths follow from a slope linear in q.")
    spectral = ss.mixture_strength(ss.SpectralContrastive(), noise=sigma, spread=A)
    infonce = ss.mixture_strength(ss.InfoNCE())
    proof.exact("spectral: p is r along delta", spectral.p, (A + V) / (A + V + sigma**2))
    points = ss.mixture_strength(ss.SpectralContrastive())
    proof.exact("spectral over points: q is", points.q, 1 / (pi * (1 - pi)))
    proof.exact("InfoNCE over points: q is", infonce.q, sp.Integer(4))
    proof.exact("InfoNCE over points: p is", infonce.p, 4 * pi * (1 - pi))
    proof.exact("robust in p: spectral, InfoNCE", (points.robust_in_p, infonce.robust_in_p), (True, False))
    within = ss.mixture_strength(ss.InfoNCE(), spread=A)
    proof.exact("InfoNCE with spread A: as pi -> 0, p is", sp.limit(within.p, pi, 0), sp.Rational(2, 3))
    off = ss.mixture_strength(ss.SpectralContrastive(), mean=(pi - sp.Rational(1, 2)) * delta)
    proof.exact("spectral with means +-delta/2: p about the mean is", off.p, 4 * pi * (1 - pi))


if __name__ == "__main__":
    ss.present(prove)
