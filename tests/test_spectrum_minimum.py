"""The numeric minimum over spectra: right at every scale of p, and honest about an infimum at infinity."""

import numpy as np
import pytest
import sympy as sp

from symscape.spectrum.modes import p_i, r_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape

S = sp.Symbol("S")


def assert_minimum(summand, r, expected, **options):
    """Assert that the minimum over spectra of a sum over modes is a given spectrum, to 1e-12."""
    found = SpectrumLandscape("a sum over modes", S, {S: summand}).minimum(r=r, **options)
    assert found.bounded and np.allclose(found.p, expected, rtol=1e-12, atol=0), f"{found.p} for {expected}"


@pytest.mark.parametrize("decade", range(-12, 13, 3))
def test_the_minimum_at_every_scale(decade):
    """p^2 / (2 s) - r p is least at p = s r, for s over 24 decades; s r^2 (1 + ...) with a quartic, too."""
    s, r = 10.0**decade, np.array([0.9, 0.5, 0.1, -0.2])
    assert_minimum(p_i**2 / (2 * sp.Float(s)) - r_i * p_i, r, s * np.maximum(r, 0))
    # p - s r log(1 + p/s) has its minimum at p = s (r - 1) for r > 1.
    assert_minimum(p_i - sp.Float(s) * r_i * sp.log(1 + p_i / sp.Float(s)), [4, 3, 0.5], s * np.array([3, 2, 0]))
    with pytest.raises(AssertionError):
        assert_minimum(p_i**2 / (2 * sp.Float(s)) - r_i * p_i, r, 1.05 * s * np.maximum(r, 0))


@pytest.mark.parametrize("summand", [sp.exp(-r_i * p_i), 1 / (1 + p_i), 5 + sp.exp(-p_i), -p_i * r_i, -sp.log(1 + p_i)])
def test_an_infimum_at_infinity_is_no_minimum(summand):
    """e^{-p}, 1/(1 + p), -p, -log(1 + p): no minimum, and `bounded` says so; with p^2 added there is one."""
    landscape = SpectrumLandscape("falls", S, {S: summand})
    with np.errstate(all="ignore"):
        assert not landscape.minimum(r=[0.9, 0.5]).bounded
    tied = SpectrumLandscape("held", S, {S: summand + p_i**2 / 100})
    assert tied.minimum(r=[0.9, 0.5]).bounded


def test_two_minima_far_apart():
    """(p - 1)^2 (p - 10^6)^2 10^{-12} + p 10^{-7}: the lower of two minima a million apart is found."""
    summand = (p_i - 1) ** 2 * (p_i - 10**6) ** 2 * sp.Rational(1, 10**12) + p_i * sp.Rational(1, 10**7)
    found = SpectrumLandscape("double well", S, {S: summand}).minimum(r=[0.5])
    assert abs(found.p[0] - 1) < 1e-6
    other = SpectrumLandscape("tilted", S, {S: summand - 2 * p_i * sp.Rational(1, 10**7)}).minimum(r=[0.5])
    assert abs(other.p[0] - 1e6) < 1
