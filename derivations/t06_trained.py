"""T6. Trained, InfoNCE with clean anchors and negatives loses its modes at the augmentation strengths 2 rho_k.

The setting of T6.one-sided: only the positive is augmented, `x' = x + sqrt(s) eps`, `E phi(eps) phi(eps)^T = C`, and `A_0`
and C have no common eigenvectors. The thresholds are `s = 2 rho_k`, `A_0 u = rho C u`. With every view augmented alike the
same data lose no mode at any of these strengths (T6.augmented-alike).

The loss is trained as coded, every negative beside every anchor, on a sample whose second moments are the given ones. The
threshold of a mode beside others that are large rests on more than second moments; that it holds at 1 % shows that the
modes do not compete: anchors and negatives are alike, as in T1.
"""

import numpy as np
from scipy.optimize import minimize

import symscape as ss


def prove(proof: ss.Proof) -> None:
    """Train on either side of each threshold, one-sided, and augmented alike."""
    A0 = np.diag([1.0, 0.9, 0.5])
    C = np.array([[0.6, 0.2, 0.0], [0.2, 0.9, -0.3], [0.0, -0.3, 1.2]])
    rho = np.sort(np.linalg.eigvals(np.linalg.solve(C, A0)).real)[::-1]

    proof.text("Data and noises of a sample with exact second moments: "
               "anchors with two noises, and negatives with one.")  # fmt: skip
    rng, count = np.random.default_rng(3), 250
    z = rng.standard_normal((2, count, 9))
    z = np.concatenate([z, -z], axis=1)
    z = np.stack([v @ np.linalg.inv(np.linalg.cholesky(v.T @ v / len(v))).T for v in z])
    datum, other = z[:, :, :3] * np.sqrt(np.diag(A0))
    (first, noise), (fresh, _) = (z[i].reshape(-1, 3, 3).swapaxes(0, 1)[1:] @ np.linalg.cholesky(C).T for i in (0, 1))

    proof.text("InfoNCE in W, and its gradient by hand; shared = 1 puts noise on anchors and negatives too.")

    def objective(flat: np.ndarray, strength: float, shared: int) -> tuple[float, np.ndarray]:
        V, size = flat.reshape(3, 3), np.sqrt(strength)
        x, chi, move = datum + shared * size * first, other + shared * size * fresh, size * (noise - shared * first)
        f, h, e = x @ V.T, chi @ V.T, move @ V.T
        kernel = np.exp(f @ h.T - (f**2).sum(axis=1)[:, None] / 2 - (h**2).sum(axis=1) / 2)
        sums = kernel.sum(axis=1)
        share = kernel / sums[:, None]
        value = (e**2).sum(axis=1).mean() / 2 + np.log(sums / len(h)).mean()
        by_h = share.T @ f - share.sum(axis=0)[:, None] * h
        return value, ((e.T @ move + (share @ h - f).T @ x + by_h.T @ chi) / len(f)).ravel()

    def kept(strength: float, shared: int = 0) -> int:
        start, settings = rng.standard_normal(9) / 100, {"ftol": 1e-16, "gtol": 1e-9, "maxiter": 2000}
        found = minimize(objective, start, (strength, shared), jac=True, method="L-BFGS-B", options=settings)
        V = found.x.reshape(3, 3)
        return int((np.linalg.eigvalsh(V @ A0 @ V.T) > 1e-3).sum())

    for k in range(3):
        at = 2 * rho[k]
        proof.numeric(
            f"only the positive augmented, mode {k} is kept 1 % below s = 2 rho_{k} and lost 1 % above it",
            lambda off, k=k, at=at: (kept(0.99 * at * (1 + off)), kept(1.01 * at * (1 + off))) == (k + 1, k),
            f"{at:.4f}",
        )

    proof.text("All views augmented alike, each by a noise of its own, at the strength that lost all: nothing is lost.")
    proof.exact("at s = 2 rho_0 the survivors number", kept(2 * rho[0], 1), 3)


if __name__ == "__main__":
    ss.present(prove)
