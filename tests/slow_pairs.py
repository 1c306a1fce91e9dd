"""Losses over pairs of rows as their definitions say: N x N arrays, one weight per datum, real or complex; and in mpmath.

Entries may be complex, so that derivatives come from a complex step: f'(x) = Im f(x + ih) / h, without cancellation.
"""

import mpmath as mp
import numpy as np


def unit(z, epsilon=0.0):
    return z / np.sqrt((z**2).sum(axis=1, keepdims=True) + epsilon)


def logits(similarity, tau, u, v):
    if similarity == "sqdist":
        return -((u[:, None] - v[None]) ** 2).sum(axis=-1) / (2 * tau)
    return u @ v.T / tau


def log_mean(s, weights):
    """log of the weighted mean of e^s along rows, by the largest."""
    largest = np.where(weights != 0, s.real, -np.inf).max(axis=-1, keepdims=True)
    total = (weights * np.exp(np.where(weights != 0, s - largest, 0))).sum(axis=-1)
    return np.log(total / weights.sum(axis=-1)) + largest[..., 0]


def anchor_losses(s, positive, allowed, weights, per_candidate):
    """-s(positive) + log sum over allowed candidates, each with its weight, in units of the mean weight."""
    count = 1 if per_candidate else allowed.sum(axis=1)
    return log_mean(s, allowed * weights) + np.log(count) - s[np.arange(len(s)), positive]


def cross_entropy(form, a, b, w=None):
    N = len(a)
    w = np.ones(N) if w is None else w
    tau, epsilon = float(form.tau), float(form.epsilon)
    if form.similarity == "cosine":
        a, b = unit(a, epsilon), unit(b, epsilon)
    if form.negatives.is_finite:
        return windows(form, logits(form.similarity, tau, a, b), int(form.negatives))
    diagonal = np.eye(N, dtype=bool)
    if form.pool == "both-views":
        z, weights = np.concatenate([a, b]), np.tile(w, 2)
        partner = np.roll(np.arange(2 * N), N)
        allowed = ~np.eye(2 * N, dtype=bool)
        if not form.positive:
            allowed[np.arange(2 * N), partner] = False
        losses = anchor_losses(logits(form.similarity, tau, z, z), partner, allowed, weights, form.per_candidate)
        return (weights * losses).sum() / weights.sum()
    allowed = np.ones((N, N), bool) if form.positive else ~diagonal
    sides = [(a, b)] if form.pool == "one-way" else [(a, b), (b, a)]
    found = [
        (w * anchor_losses(logits(form.similarity, tau, u, v), np.arange(N), allowed, w, form.per_candidate)).sum()
        for u, v in sides
    ]
    return sum(found) / len(found) / w.sum()


def jackknife_differences(loss, form, a, b, data):
    """N - 1 times what the loss loses when a datum is left out, less the same for the first of the data."""
    left = np.array([loss(form, np.delete(a, k, axis=0), np.delete(b, k, axis=0)) for k in data])
    return (len(a) - 1) * (left[0] - left)


def windows(form, s, n):
    """Anchor i against rows i+1 .. i+n, then i+n+1 .. i+2n, ... modulo N."""
    N, losses = len(s), []
    for i in range(N):
        for k in range((N - 1) // n):
            chosen = [(i + 1 + k * n + o) % N for o in range(n)] + [i] * form.positive
            losses.append(log_mean(s[i, chosen], np.ones(len(chosen))) - s[i, i])
            losses[-1] += 0 if form.per_candidate else np.log(len(chosen))
    return sum(losses) / len(losses)


def align_uniform(form, a, b, w=None):
    w = np.ones(len(a)) if w is None else w
    alpha, t, weight = float(form.alpha), float(form.t), float(form.weight)
    a, b = unit(a), unit(b)
    above = np.triu(np.outer(w, w), 1)
    aligned = (w * ((a - b) ** 2).sum(axis=1) ** (alpha / 2)).sum() / w.sum()
    spread = [np.log((above * np.exp(logits("sqdist", 1 / (2 * t), z, z))).sum() / above.sum()) for z in (a, b)]
    return aligned + weight * sum(spread) / 2


def sigmoid(form, a, b, w=None):
    N = len(a)
    w = np.ones(N) if w is None else w
    x = float(form.t) * unit(a) @ unit(b).T + float(form.b)
    others = np.outer(w, w) * ~np.eye(N, dtype=bool)
    positive = (w * np.log1p(np.exp(-np.diag(x)))).sum() / w.sum()
    return positive + (N - 1) * (others * np.log1p(np.exp(x))).sum() / others.sum()


def exact_cross_entropy(form, a, b):
    """In 60 digits, of the arrays' very numbers; the library's max(|z|, 1e-12) included."""
    with mp.workdps(60):
        tau, N = mp.mpf(form.tau.p) / form.tau.q, len(a)
        rows = [[x if isinstance(x, mp.mpf) else mp.mpf(float(x)) for x in row] for row in [*a, *b]]
        if form.similarity == "cosine":
            rows = [[x / max(mp.norm(row), mp.mpf(1e-12)) for x in row] for row in rows]

        def s(i, j):
            if form.similarity == "sqdist":
                return -sum((x - y) ** 2 for x, y in zip(rows[i], rows[j], strict=True)) / (2 * tau)
            return mp.fdot(rows[i], rows[j]) / tau

        first, second = range(N), range(N, 2 * N)
        pools = {"one-way": [(first, second)], "both-ways": [(first, second), (second, first)]}
        pools["both-views"] = [(range(2 * N), range(2 * N))]
        losses = []
        for anchors, candidates in pools[form.pool]:
            for i in anchors:
                partner = (i + N) % (2 * N)
                chosen = [j for j in candidates if j != i and (form.positive or j != partner)]
                total = mp.fsum(mp.exp(s(i, j)) for j in chosen)
                losses.append(mp.log(total / len(chosen) if form.per_candidate else total) - s(i, partner))
        return mp.fsum(losses) / len(losses)


def exact_slope(form, a, b, turn_a, turn_b):
    """The derivative of the loss along a direction, by a central difference in 60 digits, scaled to the size of the views."""
    step = mp.mpf(10) ** -25 * mp.mpf(float(np.abs(a).max()))
    with mp.workdps(60):
        ends = []
        for sign in (1, -1):
            moved = [
                [
                    [mp.mpf(float(x)) + sign * step * mp.mpf(float(t)) for x, t in zip(*rows, strict=True)]
                    for rows in pairs
                ]
                for pairs in (zip(a, turn_a, strict=True), zip(b, turn_b, strict=True))
            ]
            ends.append(exact_cross_entropy(form, *moved))
        return float((ends[0] - ends[1]) / (2 * step))
