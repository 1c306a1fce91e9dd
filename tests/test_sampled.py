"""Landscapes against losses as practitioners code them, on sampled Gaussian views, in standard errors.

Two biases that no standard error shows are removed, and the noise is cut, by one device. The gap of a batch is its loss
minus the landscape at its own moments: both feel the same fluctuations of the moments. The log of a mean over N negatives,
batch statistics, and the landscape at sampled moments are all biased by O(1/N); 2 gap(N) - gap(N/2), with the mean over
the two halves of the batch, is not. What is left is the loss at N = oo minus the landscape, up to O(1/N^2).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pytest

import symscape as ss

N, BATCHES = 200, 500


# The losses, as coded


def squared_distances(a, b):
    return (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T


def cross_entropy(scores):
    """Return the mean over rows of -log softmax at the diagonal, minus its value at equal scores."""
    return np.mean(np.log(np.exp(scores).mean(1)) - np.diag(scores))


def infonce_euclidean(a, b):
    return cross_entropy(-squared_distances(a, b) / (2 * 0.75))


def infonce_dot(a, b):
    return cross_entropy(a @ b.T / 0.75)


def infonce_two_negatives(a, b):
    """Positive i against the negatives i + k and i - k of the batch, for all k that keep the three apart."""
    scores, row = -squared_distances(a, b) / (2 * 0.75), np.arange(len(a))[:, None]
    k = np.arange(1, (len(a) + 1) // 2)
    own = np.diag(scores)[:, None]
    others = np.exp(scores[row, (row + k) % len(a)]) + np.exp(scores[row, (row - k) % len(a)])
    return np.mean(np.log((np.exp(own) + others) / 3) - own)


def ntxent(a, b):
    """All 2N views, each against all others, the smooth normalisation in place of the cosine's."""
    z = np.concatenate([a, b])
    z = z / np.sqrt((z**2).sum(1, keepdims=True) + 1)
    scores = z @ z.T / 0.75
    partner = np.roll(np.arange(len(z)), len(a))
    own = scores[np.arange(len(z)), partner]
    np.fill_diagonal(scores, -np.inf)
    return np.mean(np.log(np.exp(scores).sum(1) / (len(z) - 1)) - own)


def spectral(a, b):
    scores = a @ b.T
    off = (scores**2).sum() - (np.diag(scores) ** 2).sum()
    return -2 * np.diag(scores).mean() + off / (len(a) * (len(a) - 1))


def barlow_twins(a, b):
    a, b = ((z - z.mean(0)) / np.sqrt(z.var(0) + 1) for z in (a, b))
    k = a.T @ b / len(a)
    return ((1 - np.diag(k)) ** 2).sum() + 0.25 * ((k**2).sum() - (np.diag(k) ** 2).sum())


def vicreg(a, b):
    def variance(z):
        return np.maximum(0, 1 - np.sqrt(z.var(0, ddof=1) + 0.25)).mean()

    def covariance(z):
        c = np.cov(z.T)
        return ((c**2).sum() - (np.diag(c) ** 2).sum()) / z.shape[1]

    return 5 * np.mean((a - b) ** 2) + 3 * (variance(a) + variance(b)) / 2 + 2 * (covariance(a) + covariance(b))


class Case(NamedTuple):
    """A loss, as coded, and where to compare: Tr P, and an order that leaves a negligible remainder there."""

    loss: ss.Loss
    as_coded: Callable
    size: float
    order: int


CASES = {
    "infonce": Case(ss.InfoNCE(tau=0.75), infonce_euclidean, 0.15, 12),
    "infonce-dot": Case(ss.InfoNCE(tau=0.75, similarity="dot"), infonce_dot, 0.3, 4),
    "infonce-two-negatives": Case(ss.InfoNCE(tau=0.75, n=2), infonce_two_negatives, 0.1, 12),
    "ntxent": Case(ss.NTXent(tau=0.75, epsilon=1), ntxent, 0.03, 12),
    "spectral": Case(ss.SpectralContrastive(), spectral, 1, 4),
    "barlow-twins": Case(ss.BarlowTwins(lambda_=0.25, epsilon=1), barlow_twins, 0.2, 16),
    "vicreg": Case(ss.VICReg(lambda_=5, mu=3, nu=2, epsilon=0.25), vicreg, 0.08, 12),
}


class Gaps(NamedTuple):
    """Per batch, free of O(1/N): the loss minus the landscape, and the quartic part; the quartic part of all data."""

    differences: np.ndarray
    quartics: np.ndarray
    quartic: float


@lru_cache
def gaps(name: str) -> Gaps:
    case, rng = CASES[name], np.random.default_rng(list(CASES).index(name))
    root, noise = rng.normal(size=(2, 3, 3))
    noise = noise / 2
    A0, Sigma = root @ root.T, root @ root.T + noise @ noise.T
    W = rng.normal(size=(2, 3))
    W *= np.sqrt(case.size / np.trace(W @ Sigma @ W.T))
    land = ss.landscape(case.loss, case.order)
    whole, quartic = land.numpy(), land.part(4).numpy()

    def gap(x, xp):
        cross, own = x.T @ xp / len(x), (x.T @ x + xp.T @ xp) / (2 * len(x))
        moments = {"A0": (cross + cross.T) / 2, "Sigma": own}
        return np.array([case.as_coded(x @ W.T, xp @ W.T) - whole(W, **moments), quartic(W, **moments)])

    def without_bias():
        datum = rng.normal(size=(N, 3)) @ root.T
        x, xp = (datum + rng.normal(size=(N, 3)) @ noise.T for _ in range(2))
        halves = (gap(x[part], xp[part]) for part in (slice(N // 2), slice(N // 2, N)))
        return 2 * gap(x, xp) - sum(halves) / 2

    differences, quartics = np.array([without_bias() for _ in range(BATCHES)]).T
    return Gaps(differences, quartics, quartic(W, A0=A0, Sigma=Sigma))


def assert_zero_in_standard_errors(differences: np.ndarray, quartic: float) -> None:
    """Assert that the mean is zero within 4 standard errors, and that 8 of them are below 5 % of the quartic part."""
    standard_error = differences.std(ddof=1) / np.sqrt(len(differences))
    assert 8 * standard_error < 0.05 * abs(quartic), "the sample is too small to see 5 % of the quartic part"
    assert abs(differences.mean()) < 4 * standard_error, f"{differences.mean() / standard_error:.1f} standard errors"


@pytest.mark.parametrize("name", CASES)
def test_the_loss_as_coded_has_the_derived_landscape(name):
    """T1, X3: on sampled Gaussian views, d0 = 3 and d1 = 2."""
    found = gaps(name)
    assert_zero_in_standard_errors(found.differences, found.quartic)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("name", CASES)
def test_five_percent_off_in_the_quartic_part_is_caught(name, sign):
    """The same comparison sees the quartic coefficients to 5 %, either way."""
    found = gaps(name)
    with pytest.raises(AssertionError, match="standard errors"):
        assert_zero_in_standard_errors(found.differences - sign * 0.05 * found.quartics, found.quartic)
