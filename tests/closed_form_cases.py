"""What the tests of closed forms share: losses, their parameters, and the strength of a mode at the minimum.

Notation. u = p / tau. Euclidean InfoNCE at n = oo, by hand: log E_chi e^{-|x - chi|^2 / 2 tau} is, per mode,
-log(1 + u) / 2 - x^2 / (2 (tau + p)), whose mean over x is -log(1 + u) / 2 - p / (2 (tau + p)); alignment adds (1 - r) u.
"""

from functools import lru_cache

import numpy as np
import sympy as sp

import symscape as ss
from symscape import E, View, sqdist
from symscape.spectrum.closed_form.closed_form import closed_form
from symscape.spectrum.closed_form.minimiser import mode_minimiser
from symscape.spectrum.modes import p_i, r_i

x, xp, chi = ss.anchor, ss.positive, ss.negative
tau, t, gamma = sp.symbols("tau t gamma", positive=True)
c = sp.Symbol("c", positive=True)
half = sp.Rational(1, 2)

INFONCE = (1 - r_i) * p_i / tau - half * sp.log(1 + p_i / tau) - p_i / (2 * (tau + p_i))


def infonce(anchor, positive, negative):
    """Euclidean InfoNCE, n = oo, for any three views."""
    spread = sp.log(E(sp.exp(-sqdist(anchor, negative) / (2 * tau)), over=negative))
    return ss.Loss(E(sqdist(anchor, positive)) / (2 * tau) + E(spread))


def crops(clean_anchor=False, clean_positive=False, clean_negative=False):
    """An anchor, a positive and a negative, each an augmented view or the clean datum."""
    anchor = View("s", moment="A_0") if clean_anchor else View("x")
    positive = View("sp", of=anchor, moment="A_0") if clean_positive else View("xp", of=anchor)
    return anchor, positive, View("sn", moment="A_0") if clean_negative else View("chi")


ONE_SIDED = infonce(*crops(clean_anchor=True, clean_negative=True))
UNIFORMITY = ss.Loss(E(sqdist(x, xp)) + sp.log(E(sp.exp(-2 * sqdist(x, chi)))))
MEAN_OF_EXPONENTIALS = ss.Loss(E(sqdist(x, xp)) + E(sp.exp(-t * sqdist(x, chi))) / t)
# Two temperatures, invented here: its slope is a cubic in p.
TWO_TEMPERATURES = ss.Loss(UNIFORMITY.expr + ss.InfoNCE(tau=tau).expr)


def summand(landscape):
    """The one summand of a landscape that is a sum over modes."""
    ((symbol, expr),) = landscape.sums.items()
    assert landscape.outer == symbol
    return expr


@lru_cache
def minimiser(loss):
    """The strength of a mode at the minimum of the closed form of a loss."""
    return mode_minimiser(closed_form(loss))


def assert_equal(found, expected):
    assert sp.simplify(found - expected) == 0, f"{found} is not {expected}"


def by_matrices(P, M, temperature):
    """Tr(P - M)/tau - log det(1 + P/tau)/2 - Tr P (tau + P)^{-1}/2: the closed form before it is diagonal."""
    one = np.eye(len(P))
    _, logdet = np.linalg.slogdet(one + P / temperature)
    spread = logdet + np.trace(np.linalg.solve(temperature * one + P, P))
    return np.trace(P - M) / temperature - spread / 2


def views_and_weights(size, seed):
    """A_0 and Sigma, 3 x 3, as factors; W, 2 x 3, aligned with nothing, of largest eigenvalue ``size`` of P."""
    rng = np.random.default_rng(seed)
    root, noise = rng.normal(size=(2, 3, 3))
    A0 = root @ root.T
    Sigma = A0 + noise @ noise.T
    W = rng.normal(size=(2, 3))
    return root, noise, A0, Sigma, W * np.sqrt(size / np.linalg.eigvalsh(W @ Sigma @ W.T)[-1])
