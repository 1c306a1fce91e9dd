"""Symbols with their values, moments by hand, and short forms for losses that tests write in the loss language."""

from collections.abc import Callable

import numpy as np
import sympy as sp

import symscape as ss

x, xp, chi = ss.anchor, ss.positive, ss.negative
a, b, eps, m, t, tau = sp.symbols("a b epsilon m t tau", positive=True)
n = sp.Symbol("n", positive=True, integer=True)
i, j, k = ss.outputs("i j k")
VALUES = {a: 0.3, b: 0.7, eps: 1.5, m: 0.4, t: 1.25, tau: 0.8, n: 3}
A, B, EPS, MARGIN, T, TAU, N = VALUES.values()


def softplus(y):
    return sp.log(1 + sp.exp(y))


def Tr(*factors):
    return np.trace(np.linalg.multi_dot(factors)) if len(factors) > 1 else np.trace(factors[0])


def moments(seed: int, d1: int = 3, d0: int = 3):
    """Return W, A_0, Sigma with entries that are multiples of 1/64, so that they are exact in SymPy, too."""
    rng = np.random.default_rng(seed)
    W, root, noise = (
        rng.integers(-6, 7, (d1, d0)) / 8,
        rng.integers(-6, 7, (d0, d0)) / 8,
        rng.integers(-6, 7, (d0, d0)) / 8,
    )
    return W, {"A0": root @ root.T, "Sigma": root @ root.T + noise @ noise.T}


def landscape(expr: sp.Expr, order: int = 4):
    return ss.landscape(ss.Loss(expr), order=order)


def function(expr: sp.Expr) -> Callable:
    """Return the landscape at order 4 as a function of W and the moments."""
    f = landscape(expr).numpy()
    return lambda W, **given: f(W, params=VALUES, **given)


def assert_same_as_sympy(land: ss.Landscape, expr: sp.Expr, d1: int = 2) -> None:
    """Assert that a SymPy expression with matrices in place of its symbols has the value of the NumPy function."""
    W, given = moments(seed=3, d1=d1)
    matrices = {ss.W: W, ss.A_0: given["A0"], ss.Sigma: given["Sigma"]}
    explicit = {
        symbol: sp.ImmutableMatrix(sp.Matrix(matrix).applyfunc(sp.nsimplify)) for symbol, matrix in matrices.items()
    }
    numbers = {ss.d_1: sp.Integer(d1), ss.d_0: sp.Integer(3)}
    numbers |= {symbol: sp.nsimplify(value) for symbol, value in VALUES.items()}
    found = float(expr.xreplace(explicit | numbers).doit())
    expected = land.numpy()(W, params=VALUES, **given)
    assert abs(found - expected) <= 1e-12 * max(1, abs(expected)), f"{found} for {expected}"
