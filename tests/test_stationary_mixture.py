"""T4, T10: stationary points over a mixture; the spectral loss sees second moments only, so the metric averages them."""

import numpy as np
import pytest

import symscape as ss

PI = 0.3
RNG = np.random.default_rng(0)
CLASSES = {
    "Sigma_1": np.eye(3), "Sigma_2": 2 * np.eye(3), "A_1": 0.5 * np.eye(3), "A_2": np.diag([0.9, 0.5, 0.1]),
    "m_1": RNG.standard_normal(3), "m_2": RNG.standard_normal(3), "pi_1": PI,
}  # fmt: skip


def average(first, second):
    """A second moment over both classes, means included."""
    outer = PI * np.outer(CLASSES["m_1"], CLASSES["m_1"]) + (1 - PI) * np.outer(CLASSES["m_2"], CLASSES["m_2"])
    return PI * CLASSES[first] + (1 - PI) * CLASSES[second] + outer


def assert_minimum_is_that_of_second_moments(A0, Sigma):
    """Assert that the mixture's landscape has the minimum of the landscape with these second moments."""
    mixture = ss.landscape(ss.SpectralContrastive(), data=ss.MixtureViews(2))
    found = ss.stationary_points(mixture, A0=A0, Sigma=Sigma, d1=2, **CLASSES)
    plain = ss.stationary_points(ss.landscape(ss.SpectralContrastive()), A0=A0, Sigma=Sigma, d1=2)
    assert found.complete and found.count == plain.count
    np.testing.assert_allclose(found.minima[0].spectrum, plain.minima[0].spectrum, rtol=1e-10)
    np.testing.assert_allclose(found.minima[0].loss, plain.minima[0].loss, rtol=1e-10)
    assert np.abs(mixture.numpy().gradient(found.minima[0].W, **CLASSES)).max() < 1e-10


def test_the_spectral_loss_over_a_mixture_is_solved_completely():
    """Words in means and covariances of the classes are recognised as Tr P^2 of the averaged second moment."""
    assert_minimum_is_that_of_second_moments(average("A_1", "A_2"), average("Sigma_1", "Sigma_2"))
    with pytest.raises(AssertionError):
        assert_minimum_is_that_of_second_moments(average("A_1", "A_2"), 1.02 * average("Sigma_1", "Sigma_2"))


def test_a_shift_invariant_loss_over_a_mixture_is_refused_with_a_way_out():
    """Single products of different means have no canonical coordinates; the error names imbalance."""
    land = ss.landscape(ss.VICReg(), data=ss.MixtureViews(2))
    with pytest.raises(ss.InputError, match=r"imbalance|rotation_minimised"):
        ss.stationary_points(land, A0=np.eye(3), Sigma=np.eye(3), d1=2, **CLASSES)
