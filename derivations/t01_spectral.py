"""T1. The landscape of the spectral contrastive loss is exact, and free of any distribution assumption.

The views have mean zero and second moments, and are otherwise arbitrary; `chi` is independent of `x`. For `f = W phi`,

    L = -2 E f(x).f(x') + E (f(x).f(chi))^2 = -2 Tr M + Tr P^2,    P = W Sigma W^T,  M = W A_0 W^T.

In whitened features, `Sigma = 1`, this is matrix factorisation: `L = ||A_0 - W^T W||_F^2 - ||A_0||_F^2`. Source of the
loss and of that form: HaoChen et al., 2021.

What differs from the paper: nothing is cut off and nothing is assumed Gaussian, so that all that T3 to T5 conclude from
this landscape holds for the loss itself, at any distance from `W = 0` and for any features of mean zero.
"""

import numpy as np
import sympy as sp

import symscape as ss
from symscape import A_0, Sigma, W

x, xp, chi = ss.anchor, ss.positive, ss.negative


def prove(proof: ss.Proof) -> None:
    """Average each term, see that nothing was cut off or assumed, complete the square, and sample."""
    P, M = W * Sigma * W.T, W * A_0 * W.T

    proof.text("The positive: E f(x).f(x') = E Tr W phi(x) phi(x')^T W^T = Tr M, by the definition of A_0.")
    proof.exact("the pull of the positive is", ss.landscape(ss.Loss(-2 * ss.E(ss.dot(x, xp)))), -2 * sp.Trace(M))

    proof.text("The negative: (f(x).f(chi))^2 = Tr (f(x) f(x)^T) (f(chi) f(chi)^T), a product of independent factors.")
    proof.exact("the push of the negative is", ss.landscape(ss.Loss(ss.E(ss.dot(x, chi) ** 2))), sp.Trace(P * P))

    land = ss.landscape(ss.SpectralContrastive())
    proof.exact("the landscape is", land, -2 * sp.Trace(M) + sp.Trace(P * P))

    proof.text("The loss is a polynomial of degree 4 in W, so the series ends; no step used more than second moments.")
    proof.exact("nothing is cut off", land.is_exact, True)
    proof.exact("the ledger of assumptions says", [str(a) for a in land.assumptions],
                ["degree 2, 4: second moments, mean zero; any distribution"])  # fmt: skip
    of_any_views = ss.landscape(ss.SpectralContrastive(), data=ss.CumulantViews())
    proof.exact("no fourth cumulant enters", of_any_views, -2 * sp.Trace(M) + sp.Trace(P * P))

    proof.text("Completing the square at Sigma = 1, written out in the entries of a 2 x 3 matrix W and a general A_0.")
    w = sp.ImmutableMatrix(2, 3, sp.symbols("w_1:7"))
    a = sp.ImmutableMatrix(3, 3, lambda i, j: sp.Symbol(f"a_{min(i, j)}{max(i, j)}"))
    whitened = {"W": w, "A_0": a, "Sigma": sp.eye(3).as_immutable()}
    value = land.expr.subs({ss.d_0: 3, ss.d_1: 2})
    value = value.xreplace({symbol: whitened[symbol.name] for symbol in value.atoms(sp.MatrixSymbol)}).doit()
    factorised = sum(entry**2 for entry in a - w.T * w) - sum(entry**2 for entry in a)
    proof.exact("it is the error of the factorisation", value, factorised)

    proof.text(
        "Sampled: centred exponentials, zero for half of the data, with exponential noise; nothing like Gaussian."
    )
    rng = np.random.default_rng(1)
    N, mixing = 400_000, np.array([[1.0, 0.4, 0.0], [0.0, 1.0, 0.3], [0.2, 0.0, 0.8]])
    data = (rng.exponential(size=(2, N, 3)) - 1) * (rng.random((2, N, 1)) < 0.5) @ mixing
    views = data[[0, 0, 1]] + (rng.exponential(size=(3, N, 3)) - 1) / 2
    head = np.array([[0.5, -0.3, 0.2], [0.1, 0.6, -0.4]])
    f, g, h = views @ head.T
    draws = -2 * (f * g).sum(1) + (f * h).sum(1) ** 2
    # An exponential has variance 1, and half of the data are zero: A_0 = mixing^T mixing / 2; the noise adds 1/4.
    A0 = mixing.T @ mixing / 2
    derived = land.numpy()(head, A0=A0, Sigma=A0 + np.eye(3) / 4)
    proof.sampled("the loss of such views is", float(draws.mean()), float(draws.std() / np.sqrt(N)), derived)


if __name__ == "__main__":
    ss.present(prove)
