"""T5. Trained, the spectral loss loses its modes to weight decay at twice the eigenvalues of A_0.

The landscape of the spectral loss, `-2 Tr M + Tr P^2`, is exact, and its minima are all global (T4), so that training from
anywhere must cross the thresholds of T5.weight-decay: mode k is kept where `gamma < 2 lambda_k`, `lambda_k` the eigenvalues
of `A_0`, which does not commute with Sigma here.

The loss is trained as coded, `-(2/N) sum_i f_i.f_i' + sum_(i != j) (f_i.f_j')^2 / (N (N - 1))`, on a sample whose own
second moments are the given ones, so that thresholds of the sample and of the population are the same up to `1 / N`. A mode
1 % below its threshold has a strength of 1e-2 or so; 1 % above it the strength is zero.
"""

import numpy as np
from scipy.optimize import minimize

import symscape as ss


def prove(proof: ss.Proof) -> None:
    """Train on either side of each threshold."""
    cross = np.array([[5, 1, 0], [1, 4, 1], [0, 1, 2]]) / 5
    sigma = cross + np.array([[3, -2, 1], [-2, 4, 0], [1, 0, 2]]) / 5
    lambdas = np.linalg.eigvalsh(cross)[::-1]

    proof.text("A sample with E x x^T = Sigma and E x x'^T = A_0 exactly: x = y + e, x' = y - e, y and e whitened.")
    rng = np.random.default_rng(1)
    z = rng.standard_normal((3000, 6))
    z = np.concatenate([z, -z]) @ np.linalg.inv(np.linalg.cholesky(z.T @ z / len(z))).T
    same, apart = (
        z[:, i : i + 3] @ np.linalg.cholesky(m).T for i, m in ((0, (sigma + cross) / 2), (3, (sigma - cross) / 2))
    )
    x, xp, count = same + apart, same - apart, len(same)
    proof.digits("E x x^T and E x x'^T in the sample", [*(x.T @ x / count).flat, *((x.T @ xp + xp.T @ x) / (2 * count)).flat],
                 [*sigma.flat, *cross.flat], 12)  # fmt: skip

    proof.text("The loss in W, and its gradient by hand; own pairs are left out of the second sum.")

    def objective(flat: np.ndarray, decay: float) -> tuple[float, np.ndarray]:
        V = flat.reshape(3, 3)
        f, h = x @ V.T, xp @ V.T
        own, F, H, pairs = (f * h).sum(axis=1), f.T @ f, h.T @ h, count * (count - 1)
        value = -2 * own.mean() + ((F * H).sum() - (own**2).sum()) / pairs + decay * (V**2).sum()
        by_f = -2 * h / count + 2 * (f @ H - own[:, None] * h) / pairs
        by_h = -2 * f / count + 2 * (h @ F - own[:, None] * f) / pairs
        return value, (by_f.T @ x + by_h.T @ xp + 2 * decay * V).ravel()

    def strengths(decay: float) -> np.ndarray:
        start, settings = rng.standard_normal(9) / 10, {"ftol": 1e-16, "gtol": 1e-10, "maxiter": 2000}
        V = minimize(objective, start, (decay,), jac=True, method="L-BFGS-B", options=settings).x.reshape(3, 3)
        return np.linalg.eigvalsh(V @ sigma @ V.T)[::-1]

    def kept(decay: float) -> int:
        return int((strengths(decay) > 1e-3).sum())

    for k in (0, 1, 2):
        at = 2 * lambdas[k]
        proof.numeric(
            f"trained, mode {k} is kept 1 % below its threshold and lost 1 % above it",
            lambda off, k=k, at=at: (kept(0.99 * at * (1 + off)), kept(1.01 * at * (1 + off))) == (k + 1, k),
            f"{at:.4f}",
        )

    proof.text("At gamma = 4/5 the trained strengths are p_i = b_i / 2, b_i of the pencil (2 A_0 - gamma, Sigma).")
    b = np.sort(np.linalg.eigvals(np.linalg.solve(sigma, 2 * cross - 0.8 * np.eye(3))).real)[::-1]
    # The sum over i != j differs from the product of the means by a share of 1 / N.
    proof.digits("eigenvalues of P, trained", strengths(0.8)[:2], b[:2] / 2, 2)


if __name__ == "__main__":
    ss.present(prove)
