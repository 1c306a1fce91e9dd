"""Losses on a batch, plainly: every pair of rows in an array, every mean a weighted mean. Slow, and close to the definitions.

``weights`` (N,) are those of the data. Constants that belong to the batch size, N / (N - 1) and numbers of candidates, stay at
their values: they are no means.
"""

from functools import singledispatch

import numpy as np
from scipy.linalg import cholesky
from scipy.special import logsumexp

from symscape.losses.batch import (
    AlignUniform,
    CrossCorrelation,
    CrossEntropy,
    FirstOutputs,
    MeanCosine,
    PairwiseSigmoid,
    Spectral,
    Transformation,
    VarianceCovariance,
)


def loss_on_batch(loss, a, b):
    """Return the value of a Loss: the sum of its forms."""
    return sum(float(coefficient) * value(form, a, b, np.ones(len(a))) for coefficient, form in loss.batch)


def unit(z, epsilon=0.0):
    length = np.sqrt((z**2).sum(1, keepdims=True) + epsilon)
    return z / (length if epsilon else np.maximum(length, 1e-12))


def distances(u, v):
    return ((u[:, None] - v) ** 2).sum(2)


def mean(rows, w):
    return w @ rows / w.sum()


def covariance(u, v, w):
    return (w * (u - mean(u, w)).T) @ (v - mean(v, w)) / w.sum()


def unbiased(z):
    return len(z) / (len(z) - 1)


@singledispatch
def value(form, a, b, w):
    raise NotImplementedError(form)


@value.register
def _(form: FirstOutputs, a, b, w):
    return value(form.form, a[:, : int(form.count)], b[:, : int(form.count)], w)


@value.register
def _(form: CrossEntropy, a, b, w):
    tau, count = float(form.tau), len(a)

    def logits(u, v):
        if form.similarity == "sqdist":
            return -distances(u, v) / (2 * tau)
        if form.similarity == "cosine":
            u, v = unit(u, float(form.epsilon)), unit(v, float(form.epsilon))
        return u @ v.T / tau

    def one_way(u, v, others, anchors, candidates):
        """Anchors u, positives at column i; ``others``: columns that are no candidates."""
        scores = logits(u, v)
        own = np.diag(scores)
        taken = np.ones(scores.shape, dtype=bool)
        if others:
            taken[np.arange(count), count + np.arange(count)] = False
        if not form.positive:
            taken[np.arange(count), np.arange(count)] = False
        masses = np.where(taken, np.broadcast_to(candidates, scores.shape), 0.0)
        size = taken.sum(1)
        share = np.log(masses.sum(1)) if form.per_candidate else np.log(masses.sum(1) / size)
        with np.errstate(divide="ignore"):
            total = logsumexp(scores + np.log(masses), axis=1)
        return mean(total - share - own, anchors)

    if form.pool == "one-way":
        return one_way(a, b, False, w, w)
    if form.pool == "both-ways":
        return (one_way(a, b, False, w, w) + one_way(b, a, False, w, w)) / 2
    both = np.concatenate([w, w])
    ways = ((a, np.concatenate([b, a])), (b, np.concatenate([a, b])))
    return sum(one_way(u, v, True, w, both) for u, v in ways) / 2


@value.register
def _(form: Spectral, a, b, w):
    mu = float(form.mu)
    if np.isfinite(mu):
        a, b = (z * np.minimum(1, np.sqrt(mu / np.maximum((z**2).sum(1, keepdims=True), 1e-300))) for z in (a, b))
    products, pairs = a @ b.T, np.outer(w, w)
    if form.distinct:
        np.fill_diagonal(pairs, 0)
    loss = -2 * mean(np.diag(products), w) + (pairs * products**2).sum() / pairs.sum()
    return loss / mu if np.isfinite(mu) else loss


@value.register
def _(form: AlignUniform, a, b, w):
    u, v, t = unit(a), unit(b), float(form.t)
    above = np.triu(np.outer(w, w), 1)
    align = mean(np.sqrt(((u - v) ** 2).sum(1)) ** float(form.alpha), w)
    uniform = [np.log((above * np.exp(-t * distances(z, z))).sum() / above.sum()) for z in (u, v)]
    return align + float(form.weight) * sum(uniform) / 2


@value.register
def _(form: PairwiseSigmoid, a, b, w):
    sign = 2 * np.eye(len(a)) - 1
    losses = np.log1p(np.exp(-sign * (float(form.t) * unit(a) @ unit(b).T + float(form.b))))
    return w @ losses @ w * len(a) / w.sum() ** 2


@value.register
def _(form: MeanCosine, a, b, w):
    if form.whitened:
        a, b = (whiten(z, w, float(form.epsilon)) for z in (a, b))
    return float(form.offset) + float(form.slope) * mean((unit(a) * unit(b)).sum(1), w)


def whiten(z, w, epsilon):
    C = (1 - epsilon) * covariance(z, z, w) * unbiased(z) + epsilon * np.eye(z.shape[1])
    return (z - mean(z, w)) @ np.linalg.inv(cholesky(C, lower=True)).T


@value.register
def _(form: CrossCorrelation, a, b, w):
    def variances(z):
        return np.diag(covariance(z, z, w))

    epsilon = float(form.epsilon)
    if form.standardise == "jointly":
        both = np.concatenate([w, w])
        z = np.concatenate([a, b])
        centre = mean(z, both)
        a, b = ((z - centre) / np.sqrt(mean((np.concatenate([a, b]) - centre) ** 2, both) + epsilon) for z in (a, b))
    elif form.standardise == "views":
        a, b = ((z - mean(z, w)) / np.sqrt(variances(z) + epsilon) for z in (a, b))
    elif form.standardise == "deviation":
        a, b = ((z - mean(z, w)) / (np.sqrt(variances(z) * unbiased(z)) + epsilon) for z in (a, b))
    K = (w * a.T) @ b / w.sum()
    off = K[~np.eye(len(K), dtype=bool)]
    return ((1 - np.diag(K)) ** 2).sum() + float(form.lambda_) * (off**2).sum()


@value.register
def _(form: VarianceCovariance, a, b, w):
    covariances = [covariance(z, z, w) * unbiased(z) for z in (a, b)]
    hinges = sum(np.maximum(0, 1 - np.sqrt(np.diag(C) + float(form.epsilon))).mean() for C in covariances)
    off = sum((C[~np.eye(len(C), dtype=bool)] ** 2).sum() / len(C) for C in covariances)
    invariance = mean((a - b) ** 2, w).mean()
    return float(form.lambda_) * invariance + float(form.mu) * hinges / 2 + float(form.nu) * off


@value.register
def _(form: Transformation, a, b, w):
    u, v = unit(a), unit(b)
    C = (1 - float(form.beta)) * (w * u.T) @ u / w.sum()
    return float(form.offset) - mean((u * v).sum(1), w) + float(form.rho) * mean(((u @ C) * u).sum(1), w)
