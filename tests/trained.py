"""Losses as practitioners code them, with gradients by hand, trained on samples whose own second moments are the given ones.

A sample's second moments decide where W = 0 loses its stability; with these exact, and every view beside its mirror image,
a threshold at the origin holds for the sample itself, and 2 per cent can be told apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize

Array = np.ndarray[Any, np.dtype[np.float64]]
Objective = Callable[[Array], tuple[float, Array]]


def root(matrix: Array) -> Array:
    """Return the symmetric square root of a covariance."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def white(rng: np.random.Generator, count: int, dimensions: int) -> Array:
    """Return count Gaussian points and as many mirror images, whitened: mean zero and second moment 1 to rounding."""
    z = rng.standard_normal((count, dimensions))
    z = z @ np.linalg.inv(np.linalg.cholesky(z.T @ z / count)).T
    return np.concatenate([z, -z])


def two_views(rng: np.random.Generator, A0: Array, Sigma: Array, count: int) -> tuple[Array, Array]:
    """Return two views of 2 count data; their second moments are Sigma, and the cross-view one A0, in the sample."""
    d0 = len(A0)
    z = white(rng, count, 2 * d0)
    same, apart = z[:, :d0] @ root((Sigma + A0) / 2), z[:, d0:] @ root((Sigma - A0) / 2)
    return same + apart, same - apart


def one_sided_views(rng: np.random.Generator, A0: Array, C: Array, count: int) -> tuple[Array, Array]:
    """Return clean data of second moment A0, and each with augmentation of covariance C added."""
    d0 = len(A0)
    z = white(rng, count, 2 * d0)
    clean = z[:, :d0] @ root(A0)
    return clean, clean + z[:, d0:] @ root(C)


# Losses of a whole sample, and their gradients in W


def spectral(x: Array, xp: Array) -> Objective:
    """-(2/N) sum a_i.b_i + sum_{i != j} (a_i.b_j)^2 / (N (N - 1)), as in the official code."""
    N = len(x)

    def objective(W: Array) -> tuple[float, Array]:
        a, b = x @ W.T, xp @ W.T
        own = (a * b).sum(axis=1)
        gram_a, gram_b = a.T @ a, b.T @ b
        pairs = N * (N - 1)
        value = -2 * own.mean() + ((gram_a * gram_b).sum() - (own**2).sum()) / pairs
        by_a = -2 * b / N + 2 * (a @ gram_b - own[:, None] * b) / pairs
        by_b = -2 * a / N + 2 * (b @ gram_a - own[:, None] * a) / pairs
        return float(value), by_a.T @ x + by_b.T @ xp

    return objective


def infonce(x: Array, xp: Array, chi: Array, tau: float = 1.0) -> Objective:
    """mean |f - f'|^2/(2 tau) + mean log mean exp(-|f - f-|^2/(2 tau)): every datum of chi a negative of every anchor."""
    N = len(x)

    def objective(W: Array) -> tuple[float, Array]:
        f, h, apart = x @ W.T, chi @ W.T, (x - xp) @ W.T
        logits = (f @ h.T - (f**2).sum(axis=1)[:, None] / 2 - (h**2).sum(axis=1) / 2) / tau
        top = logits.max(axis=1)
        kernel = np.exp(logits - top[:, None])
        sums = kernel.sum(axis=1)
        share = kernel / sums[:, None]
        value = (apart**2).sum() / (2 * tau * N) + (np.log(sums / len(chi)) + top).mean()
        by_h = share.T @ f - share.sum(axis=0)[:, None] * h
        return float(value), (apart.T @ (x - xp) + (share @ h - f).T @ x + by_h.T @ chi) / (N * tau)

    return objective


def vicreg(
    x: Array, xp: Array, lambda_: float, mu: float, nu: float, epsilon: float, rounding: float = 0.0
) -> Objective:
    """lambda mean (A - B)^2 + mu (v(A) + v(B)) / 2 + nu (c(A) + c(B)), v and c of the unbiased covariance.

    ``rounding`` rounds the kink of max(0, u) to (u + sqrt(u^2 + rounding^2)) / 2.
    """
    N = len(x)

    def objective(W: Array) -> tuple[float, Array]:
        d1 = len(W)
        apart = (x - xp) @ W.T
        value = lambda_ * (apart**2).mean()
        slope = 2 * lambda_ * apart.T @ (x - xp) / (N * d1)
        for view in (x, xp):
            f = view @ W.T
            f = f - f.mean(axis=0)
            cov = f.T @ f / (N - 1)
            spread = np.sqrt(np.diag(cov) + epsilon)
            off = cov - np.diag(np.diag(cov))
            length = np.sqrt((1 - spread) ** 2 + rounding**2)
            hinge, active = (1 - spread + length) / 2, (1 + (1 - spread) / np.maximum(length, 1e-300)) / 2
            value += mu / 2 * hinge.mean() + nu * (off**2).sum() / d1
            by_cov = 2 * nu * off / d1 - np.diag(mu * active / (4 * spread * d1))
            slope += 2 * by_cov @ f.T @ view / (N - 1)
        return float(value), slope

    return objective


def with_decay(objective: Objective, gamma: float) -> Objective:
    """Return the objective with gamma |W|^2 added."""

    def decayed(W: Array) -> tuple[float, Array]:
        value, slope = objective(W)
        return value + gamma * float((W**2).sum()), slope + 2 * gamma * W

    return decayed


def constant_feature(view: Array) -> Array:
    """Return a view with one more feature, constant 1."""
    return np.column_stack([view, np.ones(len(view))])


# Training


def by_descent(objective: Objective, start: Array, rate: float, steps: int) -> Array:
    """Return the weights after gradient descent with a fixed rate."""
    W = start
    for _ in range(steps):
        W = W - rate * objective(W)[1]
    return W


def trained(objective: Objective, start: Array) -> Array:
    """Return the weights that L-BFGS reaches."""

    def flat(w: Array) -> tuple[float, Array]:
        value, slope = objective(w.reshape(start.shape))
        return value, slope.ravel()

    options = {"ftol": 1e-16, "gtol": 1e-10, "maxiter": 3000, "maxfun": 6000, "maxcor": 30}
    return minimize(flat, start.ravel(), jac=True, method="L-BFGS-B", options=options).x.reshape(start.shape)


def strengths(W: Array, Sigma: Array) -> Array:
    """Return the eigenvalues of P, descending."""
    return np.linalg.eigvalsh(W @ Sigma @ W.T)[::-1]


def gradient_error(objective: Objective, W: Array) -> float:
    """Return the largest error of the gradient against central differences."""
    step, slope, worst = 1e-5, objective(W)[1], 0.0
    for index in np.ndindex(*W.shape):
        move = np.zeros_like(W)
        move[index] = step
        numeric = (objective(W + move)[0] - objective(W - move)[0]) / (2 * step)
        worst = max(worst, abs(numeric - slope[index]))
    return worst
