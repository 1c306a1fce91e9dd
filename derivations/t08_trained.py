"""T8. Trained, the bias of the spectral loss takes one output: with d_1 = 2 a feature is lost, with d_1 = 3 it is back.

Three features of mean zero, canonical correlations `r = 9/10, 3/5, 3/10`, weight decay gamma on W and none on b. Feature k
has the threshold `gamma = 2 r_k` (T5.weight-decay, Sigma = 1). With a bias the constant is a feature of correlation 1 that
no decay holds (T8.feature), so that

    d_1 = 2, no bias      two features below gamma = 2 r_1 = 6/5, one above
    d_1 = 2, with bias    one feature on either side
    d_1 = 3, with bias    two features below gamma = 6/5, one above: the second is back, at its own threshold

and Euclidean InfoNCE, whose distances do not change with b, has the gradient zero in b.

The losses are trained and evaluated as coded, on a sample whose second moments are the given ones.
"""

import numpy as np
from scipy.optimize import minimize

import symscape as ss


def prove(proof: ss.Proof) -> None:
    """Train with and without a bias, on either side of the threshold of the second feature."""
    correlations = np.array([0.9, 0.6, 0.3])

    proof.text("A sample with E x x^T = 1, E x x'^T = diag(r), and mean "
               "zero, exactly; a bias is one more feature, constant 1.")  # fmt: skip
    rng, count = np.random.default_rng(4), 2000
    z = rng.standard_normal((count, 6))
    z = np.concatenate([z, -z])
    z = z @ np.linalg.inv(np.linalg.cholesky(z.T @ z / len(z))).T
    same, apart = z[:, :3] * np.sqrt((1 + correlations) / 2), z[:, 3:] * np.sqrt((1 - correlations) / 2)

    def kept(d1: int, bias: int, decay: float) -> int:
        x, xp = (np.column_stack([view, np.ones((len(view), bias))]) for view in (same + apart, same - apart))
        pairs, decayed = len(x) * (len(x) - 1), np.arange(3 + bias) < 3

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            V = flat.reshape(d1, -1)
            f, h = x @ V.T, xp @ V.T
            own, F, H = (f * h).sum(axis=1), f.T @ f, h.T @ h
            value = -2 * own.mean() + ((F * H).sum() - (own**2).sum()) / pairs + decay * (V[:, decayed] ** 2).sum()
            by_f = -2 * h / len(x) + 2 * (f @ H - own[:, None] * h) / pairs
            by_h = -2 * f / len(x) + 2 * (h @ F - own[:, None] * f) / pairs
            return value, (by_f.T @ x + by_h.T @ xp + 2 * decay * V * decayed).ravel()

        start, settings = rng.standard_normal(d1 * (3 + bias)) / 10, {"ftol": 1e-16, "gtol": 1e-10, "maxiter": 2000}
        V = minimize(objective, start, jac=True, method="L-BFGS-B", options=settings).x.reshape(d1, -1)[:, :3]
        return int((np.linalg.eigvalsh(V @ V.T) > 1e-3).sum())

    # Mode 1 has its threshold at 2 r_1 = 1.2 where an output is left for it.
    for d1, bias, below, above in ((2, 0, 2, 1), (3, 1, 2, 1)):
        proof.numeric(
            f"d_1 = {d1}, {'with' if bias else 'no'} bias: {below} features 1 % below gamma = 1.2, {above} 1 % above",
            lambda off, d1=d1, bias=bias, below=below, above=above: (
                kept(d1, bias, 0.99 * 1.2 * (1 + off)), kept(d1, bias, 1.01 * 1.2 * (1 + off))) == (below, above),
        )  # fmt: skip
    proof.exact("d_1 = 2, with bias: features on either side", (kept(2, 1, 1.188), kept(2, 1, 1.212)), (1, 1))

    proof.text("InfoNCE as coded at a random W and two biases: the same loss, to rounding.")
    W, x, xp, chi = rng.standard_normal((2, 3)) / 2, same + apart, same - apart, rng.standard_normal((50, 3))

    def infonce(bias: np.ndarray) -> float:
        f, g, h = (view @ W.T + bias for view in (x, xp, chi))
        negatives = ((f[:, None] - h) ** 2).sum(axis=-1)
        return ((f - g) ** 2).sum(axis=-1).mean() / 2 + np.log(np.exp(-negatives / 2).mean(axis=1)).mean()

    proof.digits("InfoNCE at b = (3, -2)", infonce(np.array([3.0, -2.0])), infonce(np.zeros(2)), 12)


if __name__ == "__main__":
    ss.present(prove)
