"""T10, data imbalance between two classes about means of their own, seen by one output along their difference."""

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import minimize

import symscape as ss
from symscape.conditions.imbalance.classes import pi_i
from symscape.conditions.imbalance.mixtures import delta, mixture_strength, within
from symscape.conditions.imbalance.mixtures import sigma as noise_symbol

B_, C_ = pi_i * (1 - pi_i) * delta**2, within + noise_symbol**2
MIXTURES = {
    "spectral": (ss.SpectralContrastive(), {"spread": within, "noise": noise_symbol}, (within + B_) / (C_ + B_)),
    "spectral, points": (ss.SpectralContrastive(), {}, sp.S.One),
    # Two points: -w2 B + (3/4) w2^2 B^2 + w2^2 kappa/8, kappa = B delta^2 - 6 B^2, so w2 = 4/delta^2.
    "InfoNCE, points": (ss.InfoNCE(), {}, 4 * pi_i * (1 - pi_i)),
    # Means +-delta/2: E f^2 holds the mean, so w2 delta^2/4 = 1.
    "spectral, off-centre": (ss.SpectralContrastive(), {"mean": (pi_i - sp.Rational(1, 2)) * delta}, 4 * pi_i * (1 - pi_i)),
    "Barlow Twins": (ss.BarlowTwins(), {"spread": within, "noise": noise_symbol}, (C_ + B_) / (within + B_)),
    # One output: 2 lambda (1 - r) p + mu (1 - sqrt(p + eps)), and no noise: the hinge alone, p = 1 - eps.
    "VICReg, points": (ss.VICReg(), {}, sp.Rational(9999, 10000)),
}  # fmt: skip


def assert_same(found, expected):
    """Assert that two expressions are equal identically."""
    assert sp.simplify(found - expected) == 0, f"{found} is not {expected}"


@pytest.mark.parametrize("name", MIXTURES)
def test_t10_two_classes_about_means_of_their_own(name):
    """T10: the variance of one output along the difference of two means, at the minimum, against solutions by hand."""
    loss, setting, p = MIXTURES[name]
    found = mixture_strength(loss, **setting)
    assert_same(found.p, p)
    second = setting.get("spread", 0) + setting.get("noise", 0) ** 2 + B_
    assert_same(found.q, p / second * delta**2)
    with pytest.raises(AssertionError):
        assert_same(found.p, sp.Rational(11, 10) * p)


def assert_minimum_of_the_mixture(loss, share, found, **moments):
    """Assert that the landscape over the mixture, as a NumPy function of W, is least at the weight found."""
    f = ss.landscape(loss, data=ss.MixtureViews(2)).numpy()
    least = minimize(
        lambda w: f([[w[0]]], pi_1=share, **moments),
        [0.8],
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-15},
    )
    np.testing.assert_allclose(least.x[0] ** 2, found, rtol=1e-5)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("loss", [ss.InfoNCE(), ss.NTXent(epsilon=1), ss.SpectralContrastive()], ids=repr)
def test_t10_the_quartic_landscape_of_a_mixture(loss, share):
    """T10: the strength along delta is where the landscape over MixtureViews(2), classes and all, is least at d1 = 1."""
    d, A, s = 1.5, 0.2, 0.3
    values = {pi_i: share, delta: d}
    found = mixture_strength(loss, noise=s, spread=A).q.subs(values) / d**2
    moments = {"A_1": [[A]], "A_2": [[A]], "m_1": [(1 - share) * d], "m_2": [-share * d]}
    if "Sigma_1" in repr(ss.landscape(loss, data=ss.MixtureViews(2)).numpy()):
        moments |= {"Sigma_1": [[A + s**2]], "Sigma_2": [[A + s**2]]}
    assert_minimum_of_the_mixture(loss, share, float(found), **moments)
    with pytest.raises(AssertionError):
        assert_minimum_of_the_mixture(loss, share, 1.1 * float(found), **moments)


def test_t10_shift_invariant_losses_see_the_centred_mixture():
    """T10: for squared distances the overall mean does not matter; for inner products one output is spent on it."""
    off = {"mean": (pi_i - sp.Rational(1, 2)) * delta}
    assert_same(mixture_strength(ss.InfoNCE(), **off).q, mixture_strength(ss.InfoNCE()).q)
    assert mixture_strength(ss.SpectralContrastive()).robust_in_p
    assert not mixture_strength(ss.SpectralContrastive(), **off).robust_in_p
