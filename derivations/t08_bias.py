"""T8. A bias and a mean: some losses ignore them, some drive the mean of f to zero, some spend an output on it.

Let `f = W phi + b`, `E phi = mean`, `m = W mean + b` the mean of the representation, and P, M now moments about the mean.
Then, at order 4,

    InfoNCE of distances, VICReg, Barlow Twins (batch-normalised):   L does not depend on m
    InfoNCE of dot products:         L(m) - L(0) = m^T P m / (2 tau^2)
    NT-Xent, smooth:                 L(m) - L(0) = (|m|^2 Tr M + 2 m^T M m) / (tau epsilon^2) + m^T P m / (2 (tau epsilon)^2)
    spectral contrastive:            L(m) - L(0) = -2 |m|^2 + |m|^4 + 2 m^T P m
    Barlow Twins, raw, lambda = 1:   L(m) - L(0) = -2 |m|^2 + |m|^4 + 2 m^T M m

The first three are shift-invariant or centre f themselves. The next two are stationary at `m = 0` and do not fall from
there (`M >= 0`): where P is not singular along m the bias of the minimum is `b = -W mean`. The last two see second moments
about zero, and those of (phi, 1) at that: the constant is one more feature, of canonical correlation 1, and takes the first
output (T8.feature). In all of them `(W, b) = 0` is stationary.

What differs from the paper: raw Barlow Twins is not shift-invariant; the code in use normalises over the batch, and is.
Local: order 4 for InfoNCE of dot products and NT-Xent; the other rows of m are exact, being polynomial or invariant.
"""

import numpy as np
import sympy as sp

import symscape as ss

tau, epsilon, lam, mu, nu = sp.symbols("tau epsilon lambda mu nu", positive=True)


def prove(proof: ss.Proof) -> None:
    """Compare each landscape with mean and bias with the displayed one, and sample one of them."""
    ignoring = {"InfoNCE": ss.InfoNCE(tau=tau), "VICReg": ss.VICReg(lam, mu, nu, epsilon),
                "Barlow Twins, batch-normalised": ss.BarlowTwins(lambda_=lam, epsilon=epsilon)}  # fmt: skip
    seeing = {"InfoNCE, dot": ss.InfoNCE(tau=tau, similarity="dot"), "NT-Xent": ss.NTXent(tau=tau, epsilon=epsilon),
              "spectral": ss.SpectralContrastive(), "Barlow Twins, raw": ss.BarlowTwins()}  # fmt: skip
    for name, loss in ignoring.items():
        proof.exact(f"{name}: f -> f + c leaves the loss", ss.facts(loss).shift_invariant, True)
        proof.exact(f"{name}: a bias is", ss.bias_effect(loss).kind, "ignored")
    for name, loss in seeing.items():
        proof.exact(f"{name}: f -> f + c leaves the loss", ss.facts(loss).shift_invariant, False)

    proof.text("A W, a mean and a bias at random; moments are those about zero, to which the mean adds mean mean^T.")
    rng = np.random.default_rng(8)
    W, mean, b = rng.standard_normal((2, 3)) / 3, np.array([0.5, -0.2, 0.1]), np.array([0.3, -0.4])
    A0 = np.array([[0.9, 0.1, 0.0], [0.1, 0.6, 0.2], [0.0, 0.2, 0.3]])
    Sigma, outer, m = A0 + np.diag([0.2, 0.4, 0.6]), np.outer(mean, mean), W @ mean + b
    P, M, mm = W @ Sigma @ W.T, W @ A0 @ W.T, (W @ mean + b) @ (W @ mean + b)
    numbers = {"tau": 0.7, "epsilon": 1.5, "lambda": 2.0, "mu": 3.0, "nu": 1.3}
    t, eps = numbers["tau"], numbers["epsilon"]
    claimed = {
        **dict.fromkeys(ignoring, 0.0),
        "InfoNCE, dot": m @ P @ m / (2 * t**2),
        "NT-Xent": (mm * np.trace(M) + 2 * m @ M @ m) / (t * eps**2) + m @ P @ m / (2 * (t * eps) ** 2),
        "spectral": -2 * mm + mm**2 + 2 * m @ P @ m,
        "Barlow Twins, raw": -2 * mm + mm**2 + 2 * m @ M @ m,
    }
    for name, loss in {**ignoring, **seeing}.items():
        given = {key: value for key, value in numbers.items() if key in map(str, loss.parameters)}
        f = ss.landscape(loss, data=ss.GaussianViews(mean=True), bias=True).numpy()
        centred = ss.landscape(loss).numpy()(W, A0=A0, Sigma=Sigma, params=given)
        value = f(W, A0=A0 + outer, Sigma=Sigma + outer, mean=mean, b=b, params=given)
        proof.digits(f"{name}: L(m) / L(0) is", value / centred, 1 + claimed[name] / centred, 12)
        zero = f.gradient(np.zeros((2, 3)), A0=A0 + outer, Sigma=Sigma + outer, mean=mean, b=np.zeros(2), params=given)
        proof.digits(f"{name}: the gradient at (W, b) = 0 is", [abs(g).max() for g in zero], [0.0, 0.0], 12)

    proof.text("Where m is driven to zero the minimum has b = -W mean; "
               "where the constant is a feature, m starts with b = 2.")  # fmt: skip
    land = ss.landscape(seeing["InfoNCE, dot"], data=ss.GaussianViews(mean=True), bias=True)
    point = ss.stationary_points(land, A0=A0 + outer, Sigma=Sigma + outer, mean=mean, d1=2, tau=t).minima[0]
    proof.digits("InfoNCE, dot: the bias of the minimum", point.bias, -point.W @ mean, 10)
    for name in ("spectral", "Barlow Twins, raw"):
        found = ss.bias_effect(seeing[name])
        proof.exact(f"{name}: the constant has", (found.kind, found.strength), ("constant feature", 2))

    proof.text("Sampled InfoNCE of dot products, one output, W = b = 3/10, tau = 1/2, Sigma "
               "= 1: what the mean costs. A sample's own mean is made 0 and its variance 1, "
               "which takes out what is linear in b and cancels in the population.")  # fmt: skip
    w, costs = 0.3, []
    for _ in range(30):
        x, chi = (np.concatenate([v, -v]) / np.sqrt((v**2).mean()) for v in rng.standard_normal((2, 400)))
        value = [
            np.log(np.exp(np.outer(w * x + c, w * chi + c) / 0.5).mean(axis=1)).mean() - c**2 / 0.5 for c in (w, 0.0)
        ]
        costs.append(value[0] - value[1])
    error = np.std(costs, ddof=1) / np.sqrt(len(costs))
    proof.sampled("L(m) - L(0) is m^2 P / (2 tau^2)", np.mean(costs), error, w**2 * w**2 / (2 * 0.25))


if __name__ == "__main__":
    ss.present(prove)
