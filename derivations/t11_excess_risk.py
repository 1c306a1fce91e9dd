"""T11. Least squares on k of d modes: a lost mode costs its signal, a kept one costs variance.

Labels `y = theta.phi(s) + noise`, noise of variance `sigma^2`, and least squares on N independent pairs `(f(x), y)`, f
with k modes kept. Views and data are jointly Gaussian of mean zero with `E[s s^T] = E[s x^T] = A_0`. In canonical
coordinates `z` of a view (`E[z z^T] = 1`) and `t` of `theta`, mode i predicts the label with coefficient `r_i t_i`.
With

    v = sigma^2 + sum_i r_i (1 - r_i) t_i^2,    b_K = sum over lost i of (r_i t_i)^2,

the expected excess risks at a fresh x, over the best linear predictor from all modes, are

    k modes kept:  (v + b_K) (1 + k / (N - k - 1)) - v   (N > k + 1),     all d modes:  v d / (N - d - 1)   (N > d + 1).

Assumptions that the paper's abstract does not state: a downstream task that is linear regression, Gaussian features,
labels that depend on the clean datum, and a representation that is not trained on the N pairs. Source of the variance
of least squares: Breiman and Freedman, 1983.
"""

import mpmath as mp
import numpy as np
import sympy as sp

import symscape as ss

N, d, k, v, b_K = sp.symbols("N d k v b_K", positive=True)
r, t = sp.symbols("r_i t_i", real=True)


def prove(proof: ss.Proof) -> None:
    """Predict along one mode; add the variance of least squares; run the experiment."""
    found = ss.least_squares_risk()

    proof.text(
        "Modes decouple: E (t s - beta z)^2 = r t^2 - 2 beta r t + beta^2 along one of them, as E s^2 = E s z = r."
    )
    proof.exact("the best coefficient of a mode is", found.coefficient, r * t)
    proof.exact("what is left of it is", found.residual, r * (1 - r) * t**2)
    proof.text(
        "Without the mode r t^2 is left: losing it costs (r t)^2, which acts as further noise, independent of the kept "
        "z."
    )

    proof.text(
        "Least squares errs by (Z^T Z)^{-1} Z^T noise; at a fresh z this has variance (v + b_K) Tr (Z^T Z)^{-1}. A "
        "diagonal entry of the inverse is one over a chi-square of N - k + 1 degrees of freedom (Wishart)."
    )
    proof.exact("E Tr (Z^T Z)^{-1} is", found.inverse_trace, k / (N - k - 1))
    freedom = mp.mpf(9 - 3 + 1)
    density = lambda x: x ** (freedom / 2 - 1) * mp.exp(-x / 2) / (2 ** (freedom / 2) * mp.gamma(freedom / 2))  # noqa: E731
    mean = mp.quad(lambda x: density(x) / x, [0, 1, 5, 20, 60, 200])
    proof.digits("by quadrature, at N = 9 and k = 3", 3 * mean, found.inverse_trace.subs({N: 9, k: 3}), 12)
    proof.exact("k modes: the excess risk is", found.collapsed_excess, (v + b_K) * (1 + k / (N - k - 1)) - v)
    proof.exact("all modes: the excess risk is", found.full_excess, v * d / (N - d - 1))

    proof.text(
        "With matrices that do not commute: v is the residual variance of the best linear predictor Sigma^{-1} A_0 "
        "theta."
    )
    features = np.random.default_rng(31).standard_normal((5, 5))
    A0 = features @ np.diag([3, 2, 1.5, 0.5, 0.2]) @ features.T
    Sigma, theta, sigma = A0 + np.diag([1.0, 0.5, 2.0, 1.0, 1.5]), np.array([0.5, -0.4, 0.3, 0.2, -0.1]), 2.0
    report = ss.collapse_helps(A0, Sigma, theta, noise=sigma, samples=16, kept=2)
    best = np.linalg.solve(Sigma, A0 @ theta)
    proof.digits("v is", report.noise_left, sigma**2 + theta @ A0 @ theta - best @ Sigma @ best, 11)
    labels = sigma**2 + theta @ A0 @ theta
    proof.digits(
        "v and the signals of all modes make E y^2", report.noise_left + np.sum((report.r * report.t) ** 2), labels, 11
    )

    proof.text("The experiment: 40000 times draw N = 16 pairs, fit, and take the exact risk of the fit at a fresh x.")
    rng, kept = np.random.default_rng(8), report.kept
    s = rng.standard_normal((40000, 16, 5)) @ np.linalg.cholesky(A0).T
    x = s + rng.standard_normal(s.shape) @ np.linalg.cholesky(Sigma - A0).T
    y = s @ theta + sigma * rng.standard_normal(s.shape[:2])
    # W holds the canonical directions: W Sigma W^T = 1 and W A_0 W^T = diag(r), r descending.
    root = np.linalg.inv(np.linalg.cholesky(Sigma))
    W = (root.T @ np.linalg.eigh(root @ A0 @ root.T)[1][:, ::-1]).T
    for modes, risk in ((kept, report.collapsed_excess), (range(5), report.full_excess)):
        z = x @ W[list(modes)].T
        fit = np.linalg.solve(z.swapaxes(1, 2) @ z, z.swapaxes(1, 2) @ y[..., None])[..., 0]
        gap = fit @ W[list(modes)] - best
        risks = np.einsum("ni,ij,nj->n", gap, Sigma, gap)
        error = float(risks.std() / np.sqrt(len(risks)))
        proof.sampled(f"excess risk with {len(modes)} modes", float(risks.mean()), error, risk)


if __name__ == "__main__":
    ss.present(prove)
