"""Landscapes against losses as practitioners code them, on sampled Gaussian views, in standard errors.

Two biases that no standard error shows are removed, and the noise is cut, by one device. The gap of a batch is its loss
minus the landscape at its own moments: both feel the same fluctuations of the moments. The log of a mean over N negatives,
batch statistics, and the landscape at sampled moments are all biased by O(1/N); 2 gap(N) - gap(N/2), with the mean over
the two halves of the batch, is not. What is left is the loss at N = oo minus the landscape, up to O(1/N^2).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import symscape as ss

N, BATCHES = 200, 500


def logits(a, b, tau):
    return -((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T) / (2 * tau)


def cross_entropy(scores):
    """Return the mean over rows of -log softmax at the diagonal, minus its value at equal scores."""
    return np.mean(np.log(np.exp(scores).mean(1)) - np.diag(scores))


def infonce_euclidean(a, b):
    return cross_entropy(logits(a, b, 0.75))


def infonce_dot(a, b):
    return cross_entropy(a @ b.T / 0.75)


def infonce_two_negatives(a, b):
    """Positive i against the negatives i + k and i - k of the batch, for all k that keep the three apart."""
    scores, row = logits(a, b, 0.75), np.arange(len(a))[:, None]
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
    loss: ss.Loss
    sampled: Callable
    size: float  # Tr P


CASES = {
    "infonce": Case(ss.InfoNCE(tau=0.75), infonce_euclidean, 0.2),
    "infonce dot": Case(ss.InfoNCE(tau=0.75, similarity="dot"), infonce_dot, 0.2),
    "infonce n=2": Case(ss.InfoNCE(tau=0.75, n=2), infonce_two_negatives, 0.2),
    "ntxent": Case(ss.NTXent(tau=0.75, epsilon=1), ntxent, 0.05),
    "spectral": Case(ss.SpectralContrastive(), spectral, 1),
    "barlow twins": Case(ss.BarlowTwins(lambda_=0.25, epsilon=1), barlow_twins, 0.2),
    "vicreg": Case(ss.VICReg(lambda_=5, mu=3, nu=2, epsilon=0.25), vicreg, 0.05),
}
