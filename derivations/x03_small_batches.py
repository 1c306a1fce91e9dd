"""X3. What a small batch changes: modes leave the origin at n/(n+1) of the rate, and weight decay has a least n.

For InfoNCE with n negatives (X3.finite-negatives), weight decay `gamma`:

    B = n/(n+1) A_0 / tau - gamma,    mode k survives where  gamma < n/(n+1) lambda_k / tau,

`lambda_k` the eigenvalues of `A_0`. So for `gamma tau < lambda_0` the first mode is kept only with
`n > gamma tau / (lambda_0 - gamma tau)` negatives: small batches collapse at a weight decay that large ones bear.
Without weight decay n moves no threshold at `W = 0`.

With one r for all modes, `A_0 = r Sigma`, the landscape is of the class of T4, with

    alpha = n/(n+1) 3/(4 tau^2) - n/(n+1)^2 r (2 - r) / (2 tau^2),    beta = n/(n+1)^2 r^2 / (2 tau^2),

and k kept modes have `p = n r / (2 (n + 1) tau (alpha + k beta))`. At `r = 1/2` one negative makes one mode 6/5 as
strong as `n = oo` does, and eight modes 12/17 as strong: the coupling `beta` makes modes compete.

Local: order 4.
Assumption: the negatives are independent of the anchor and of each other, so a batch of N rows that shares them has
this landscape in the mean, with `n = N - 1`.
"""

import numpy as np
import sympy as sp

import symscape as ss

tau, gamma = sp.symbols("tau gamma", positive=True)
n, k = sp.symbols("n k", positive=True, integer=True)
r = sp.Symbol("r", real=True)
lambda_0 = sp.Symbol("lambda_0", real=True)


def prove(proof: ss.Proof) -> None:
    """Read the thresholds in gamma and in n, solve the isotropic case, and sample the loss with three negatives."""
    land = ss.landscape(ss.InfoNCE(tau=tau, n=n) + ss.WeightDecay(gamma))
    share = n / (n + 1)
    proof.exact("B is", land.hessian.B, share / tau * ss.A_0 - gamma * sp.Identity(ss.d_0))
    in_gamma, in_n = ss.threshold(land, gamma).mode(0), ss.threshold(land, n).mode(0)
    proof.exact("the first mode survives for gamma below", in_gamma.critical, share * lambda_0 / tau)
    proof.exact("that is, for n above", in_n.critical, gamma * tau / (lambda_0 - gamma * tau))

    proof.text("By numbers: gamma tau / (lambda_0 - gamma tau) = 4 at lambda_0 = 1, gamma = 0.8, tau = 1.")
    A0, Sigma = np.diag([1.0, 0.5]), np.diag([1.5, 1.0])
    kept = [ss.collapse(land, A0, Sigma, d1=2, gamma=0.8, tau=1.0, n=count).surviving for count in (3, 4, 5, 6)]
    proof.exact("modes kept at n = 3, 4, 5, 6", kept, [0, 0, 1, 1])

    proof.text("A_0 = r Sigma: Tr M^2 and Tr M P are r^2 Tr P^2 and r Tr P^2, and (Tr M)^2 is r^2 (Tr P)^2.")
    alike = ss.landscape(ss.InfoNCE(tau=tau, n=n)).expr.xreplace({ss.A_0: r * ss.Sigma})
    P = ss.W * ss.Sigma * ss.W.T
    alpha = share * sp.Rational(3, 4) / tau**2 - n / (n + 1) ** 2 * r * (2 - r) / (2 * tau**2)
    beta = n / (n + 1) ** 2 * r**2 / (2 * tau**2)
    quartic = -share * r / tau * sp.Trace(P) + alpha * sp.Trace(P * P) + beta * sp.Trace(P) ** 2
    proof.exact("the landscape is", alike, quartic)

    proof.text(
        "k equal modes: -b k p + alpha k p^2 + beta k^2 p^2 is least at p = b / (2 (alpha + k beta)), b = n "
        "r / ((n + 1) tau)."
    )
    strength = share * r / tau / (2 * (alpha + k * beta))
    numbers = {r: 0.5, tau: 1, n: 4, k: 2}
    minimum = ss.stationary_points(ss.landscape(ss.InfoNCE(n=4)), 0.5 * np.eye(2), np.eye(2), d1=2).minima[0]
    proof.digits("p at r = 1/2, n = 4, k = 2", minimum.spectrum[0], strength.subs(numbers), 9)
    ratios = [
        (strength.subs(n, 1) / sp.limit(strength, n, sp.oo)).subs({r: sp.Rational(1, 2), k: modes}) for modes in (1, 8)
    ]
    claimed = (sp.Rational(6, 5), sp.Rational(12, 17))
    proof.exact("r = 1/2: p at n = 1 over n = oo, one mode and eight", tuple(map(sp.cancel, ratios)), claimed)

    proof.text(
        "Sampled, n = 3, a small W, one output: A_0 = 0.6, Sigma = 1, p = 0.02. The leading part is 3/4 of that of "
        "n = oo."
    )
    rng, p, draws = np.random.default_rng(3), 0.02, 1_000_000
    f = rng.standard_normal(draws)
    positive, negatives = 0.6 * f + 0.8 * rng.standard_normal(draws), rng.standard_normal((3, draws))
    gaps = p * ((f - positive) ** 2 - (f - negatives) ** 2) / 2
    values = np.log((1 + np.exp(gaps).sum(axis=0)) / 4)
    expected = ss.landscape(ss.InfoNCE(n=3)).numpy()([[np.sqrt(p)]], A0=[[0.6]], Sigma=[[1.0]])
    proof.sampled("the loss at W is", float(values.mean()), float(values.std() / np.sqrt(draws)), expected)


if __name__ == "__main__":
    ss.present(prove)
