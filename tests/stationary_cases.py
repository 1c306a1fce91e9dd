"""Random moments, and what a stationary point must satisfy by the compiled landscape alone."""

from collections.abc import Callable

import numpy as np
import sympy as sp

import symscape as ss

x = ss.anchor
gamma, beta = sp.Symbol("gamma", nonnegative=True), sp.Symbol("beta", real=True)
#: -2 Tr M + Tr P^2 + beta (Tr P)^2 + gamma |W|^2: the quartic form with every term.
QUARTIC = ss.SpectralContrastive() + ss.Loss(beta * ss.E(ss.sqnorm(x)) ** 2) + ss.WeightDecay(gamma)


def random_moments(rng: np.random.Generator, d0: int, r=None, commuting: bool = False, scale: float = 1.0):
    """Return (A0, Sigma) with canonical correlations r; ``commuting``: with each other and with the identity."""
    r = rng.uniform(-0.3, 0.95, d0) if r is None else np.asarray(r, dtype=float)
    turn = np.linalg.qr(rng.standard_normal((d0, d0)))[0]
    if commuting:
        spread = rng.uniform(0.3, 2.0, d0) * scale
        return turn * (r * spread) @ turn.T, turn * spread @ turn.T
    X = rng.standard_normal((d0, d0))
    Sigma = scale * (X @ X.T / d0 + 0.2 * np.eye(d0))
    half = np.linalg.cholesky(Sigma) @ turn
    A0 = half * r @ half.T
    return (A0 + A0.T) / 2, Sigma


def weights(point) -> np.ndarray:
    """Return W and the bias of a point as one array, d1 x (d0 or d0 + 1)."""
    return point.W if point.bias is None else np.column_stack([point.W, point.bias])


def of_columns(f: Callable, bias: bool, **arguments) -> tuple[Callable, Callable]:
    """Return value and gradient of a compiled landscape as functions of `weights`."""

    def split(V):
        return (V[..., :-1], {"b": V[..., -1], **arguments}) if bias else (V, arguments)

    def value(V):
        W, given = split(V)
        return f(W, **given)

    def gradient(V):
        W, given = split(V)
        found = f.gradient(W, **given)
        return np.concatenate([found[0], found[1][..., None]], axis=-1) if bias else found

    return value, gradient


def hessian(gradient: Callable, V: np.ndarray, order: int = 4, step: float | None = None) -> np.ndarray:
    """Return the Hessian by differences of the gradient at step, 2 step, ...: exact for a polynomial of this order."""
    half, size = order // 2, V.size
    step = max(np.abs(V).max(), 0.1) / half if step is None else step
    nodes = np.arange(1, half + 1)
    mixed = np.linalg.solve(nodes[None, :].astype(float) ** (2 * np.arange(half)[:, None] + 1), np.eye(half)[0]) / 2
    moves = np.eye(size).reshape(size, *V.shape) * step
    found = sum(w * (gradient(V + n * moves) - gradient(V - n * moves)) for n, w in zip(nodes, mixed, strict=True))
    found = found.reshape(size, size) / step
    return (found + found.T) / 2


def inertia(H: np.ndarray, tolerance: float = 1e-9) -> tuple[int, int]:
    """Return how many eigenvalues are negative, and zero."""
    values = np.linalg.eigvalsh(H)
    zero = tolerance * np.abs(values).max()
    return int((values < -zero).sum()), int((np.abs(values) <= zero).sum())


def rotation_rank(V: np.ndarray) -> int:
    """Return the dimension of the orbit of V under rotations of the rows: the rank of Omega V over antisymmetric Omega."""
    tangent = []
    for i in range(len(V)):
        for j in range(i):
            turned = np.zeros_like(V)
            turned[i], turned[j] = V[j], -V[i]
            tangent.append(turned.ravel())
    return int(np.linalg.matrix_rank(np.array(tangent), tol=1e-9 * max(np.abs(V).max(), 1e-300))) if tangent else 0


def assert_stationary(point, value, gradient, B_norm, message, order=4, index=None, spread=0.0):
    """Assert that a point is stationary to 1e-12 of |B| |W|, with its value, index, nullity and rotations as stated.

    ``index``: another claim for it; ``spread``: a relative error put into W. Both are for planted errors.
    """
    V = weights(point) * (1 + spread)
    size = B_norm * np.linalg.norm(V)
    assert np.abs(gradient(V)).max() <= 1e-12 * size, f"{message}: gradient {np.abs(gradient(V)).max()} of {size}"
    gap = abs(value(V) - point.loss)
    assert gap <= 1e-12 * (abs(point.loss) + size * np.linalg.norm(V)), f"{message}: loss {point.loss}, off by {gap}"
    H = hessian(gradient, V, order)
    claimed = (point.index if index is None else index, point.nullity)
    assert claimed == inertia(H), f"{message}: index and nullity {claimed}, of the Hessian {inertia(H)}"
    assert point.symmetry_nullity == rotation_rank(V), f"{message}: {point.symmetry_nullity} rotations"
