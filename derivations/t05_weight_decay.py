"""T5. Weight decay subtracts gamma from B, and loses mode k where gamma passes an eigenvalue of what is left.

Weight decay adds `gamma Tr W W^T`, so that the quadratic part `-Tr(W B W^T)` has `B = B_0 - gamma 1` under every loss with
a series at `W = 0`. With `lambda_k` the eigenvalues of `A_0`, descending, the k-th mode survives, if an output is left for
it, where

    gamma < lambda_k / tau      InfoNCE with n = oo negatives, of distances or of dot products
    gamma < 2 lambda_k          spectral contrastive

and these two do not let modes compete: the condition of a mode does not ask for the others. Under the other losses modes
compete (T5.competing), and the condition at the origin is that of the first mode, hence of complete collapse:

    gamma >= n lambda_0 / ((n + 1) tau)    InfoNCE with n negatives
    gamma >= lambda_0 / (tau epsilon)      NT-Xent, smooth
    gamma >= 2 lambda_0                    Barlow Twins, raw
    gamma >= 2 lambda_0 / epsilon          Barlow Twins, batch-normalised
    gamma >= 2 lambda kappa_0 / d_1        VICReg, kappa_0 the top eigenvalue of A_0 + (mu / (4 lambda sqrt(epsilon)) - 1) Sigma

Local: in the second list the condition says that `W = 0` is a minimum near `W = 0`. VICReg's series reaches only
`P_jj < epsilon`, and it has minima far from there (T9). NT-Xent without epsilon has no threshold: any decay pulls its scale
to 0.
"""

import numpy as np
import sympy as sp

import symscape as ss
from symscape import A_0, Sigma, d_0, d_1

gamma, tau, epsilon, lam, mu, nu = sp.symbols("gamma tau epsilon lambda mu nu", positive=True)
n = sp.Symbol("n", positive=True, integer=True)
lambda_k, lambda_0 = sp.symbols("lambda_k lambda_0", real=True)


def prove(proof: ss.Proof) -> None:
    """Subtract gamma from B, then ask for the sign of its eigenvalues."""
    decay, one = ss.WeightDecay(gamma), sp.Identity(d_0)

    proof.text("B_0 is the quadratic part without decay (T3); what decay "
               "adds, gamma Tr W W^T, is quadratic, so B = B_0 - gamma 1.")  # fmt: skip
    free = {"InfoNCE": (ss.InfoNCE(tau=tau), 1 / tau), "InfoNCE, dot": (ss.InfoNCE(tau=tau, similarity="dot"), 1 / tau),
            "spectral": (ss.SpectralContrastive(), 2)}  # fmt: skip
    competing = {"InfoNCE, n negatives": (ss.InfoNCE(tau=tau, n=n), n / ((n + 1) * tau)),
                 "NT-Xent, smooth": (ss.NTXent(tau=tau, epsilon=epsilon), 1 / (tau * epsilon)),
                 "Barlow Twins, raw": (ss.BarlowTwins(lambda_=lam), 2),
                 "Barlow Twins, batch-normalised": (ss.BarlowTwins(lambda_=lam, epsilon=epsilon), 2 / epsilon)}  # fmt: skip
    for name, (loss, pull) in {**free, **competing}.items():
        proof.exact(f"{name}: B is", ss.landscape(loss + decay).hessian.B, pull * A_0 - gamma * one)
    vicreg = ss.landscape(ss.VICReg(lam, mu, nu, epsilon) + decay)
    B_0 = (2 * lam * A_0 + (mu / (2 * sp.sqrt(epsilon)) - 2 * lam) * Sigma) / d_1
    proof.exact("VICReg: B is", vicreg.hessian.B, B_0 - gamma * one)

    proof.text("At quartic part alpha Tr P^2 a mode is kept where its b is positive, "
               "and by Sylvester's law the pencil (B, Sigma) has as many positive "
               "eigenvalues as B (T5.pencil): those of A_0 decide, whatever Sigma is.")  # fmt: skip
    for name, (loss, pull) in free.items():
        found = ss.threshold(ss.landscape(loss + decay), gamma)
        proof.exact(f"{name}: mode k survives where", found.any_mode.solved, gamma < pull * lambda_k)
        proof.exact(f"{name}: complete collapse where", found.complete.solved, gamma >= pull * lambda_0)

    proof.text("Where the quartic part mixes modes, the first mode alone has the condition of the origin.")
    for name, (loss, pull) in competing.items():
        found = ss.threshold(ss.landscape(loss + decay), gamma).complete
        proof.exact(f"{name}: complete collapse where", found.solved, gamma >= pull * lambda_0)
    found = ss.threshold(vicreg, gamma).complete.solved
    proof.exact("VICReg: complete collapse where", found, gamma >= 2 * lam * lambda_0 / d_1)

    proof.text("A framework's weight_decay = 2 gamma adds 2 gamma W to the gradient, that of gamma |W|^2.")
    proof.exact("gamma is", ss.gamma_from_weight_decay(2 * gamma), gamma)

    proof.text("Sampled InfoNCE at W = t u^T, u the first eigenvector "
               "of A_0: its fall per t^2 is the decay that stops it.")  # fmt: skip
    rng, t, temperature, slopes = np.random.default_rng(5), 0.1, 0.5, []
    cross, noise = np.diag([1.0, 0.6]), np.linalg.cholesky([[0.5, 0.3], [0.3, 0.4]])
    for _ in range(80):
        s = rng.standard_normal((2, 1000, 2)) @ np.sqrt(cross)
        x, xp = (s[0] + rng.standard_normal((1000, 2)) @ noise.T for _ in range(2))
        chi, values = s[1] + rng.standard_normal((1000, 2)) @ noise.T, []
        for scale in (t, 2 * t):
            f, fp, h = (scale * view[:, 0] for view in (x, xp, chi))
            contrast = np.log(np.exp(-((f[:, None] - h) ** 2) / (2 * temperature)).mean(axis=1)).mean()
            values.append((((f - fp) ** 2).mean() / (2 * temperature) + contrast) / scale**2)
        slopes.append((values[1] - 4 * values[0]) / 3)  # Richardson: the quartic part drops out
    land = ss.landscape(ss.InfoNCE(tau=temperature) + decay)
    critical = ss.threshold(land, gamma, A0=cross, Sigma=cross + noise @ noise.T, d1=1).critical(0)
    proof.sampled("it is lambda_0 / tau", np.mean(slopes), np.std(slopes, ddof=1) / np.sqrt(80), critical)


if __name__ == "__main__":
    ss.present(prove)
