"""X5. Gradient flow from a small W: every mode grows at its own rate, and arrives on a logistic.

For `dW/dt = -dL/dW` and `L = -Tr(W B W^T) + alpha Tr P^2`, with B and `Sigma` commuting and the columns `W(0) u_k`
orthogonal, the strengths `q_k = |W u_k|^2` along the eigenvectors of B (`B u_k = kappa_k u_k`,
`Sigma u_k = sigma_k u_k`) obey

    dq/dt = 4 kappa q - 8 alpha sigma^2 q^2,    plateau q_oo = kappa / (2 alpha sigma^2),
    t_f = log((q_oo / q(0) - 1) f / (1 - f)) / (4 kappa)    to reach a part f of the plateau.

Near `W = 0` `|W u_k|` grows like `e^{2 kappa_k t}` whatever `Sigma` is. InfoNCE with weight decay has
`kappa = lambda / tau - gamma` and `alpha = 3 / (4 tau^2)`, so `t_f` goes like the logarithm of the initial scale over
the rate. SGD with step eta advances t by eta a step.

Local: order 4. Where the matrices do not commute the rates hold near `W = 0` and the times are approximate.
"""

import numpy as np
import sympy as sp

import symscape as ss

tau, gamma, q_k, q_0, sigma, t, a, c = sp.symbols("tau gamma q_k q_0 sigma_k time a c", positive=True)
lambda_k, part = sp.Symbol("lambda_k", real=True), sp.Symbol("fraction", positive=True)


def prove(proof: ss.Proof) -> None:
    """Write the flow of one mode, solve it, and integrate the flow of all of W; then sample the gradient."""
    land = ss.landscape(ss.InfoNCE(tau=tau) + ss.WeightDecay(gamma))
    growth = ss.growth_rates(land)

    proof.text("W = w u^T: L = -kappa q + alpha sigma^2 q^2 with q = |w|^2, and dq/dt = 2 w.dw/dt = -4 q dL/dq.")
    kappa, alpha = lambda_k / tau - gamma, sp.Rational(3, 4) / tau**2
    q = sp.Symbol("q_k", positive=True)
    proof.exact("the flow of one mode is", growth.flow, sp.expand(4 * kappa * q - 8 * alpha * sigma**2 * q**2))
    proof.exact("|W u_k| grows at the rate", growth.weight_rate, 2 * kappa)
    proof.exact("the plateau is", growth.plateau, kappa / (2 * alpha * sigma**2))

    proof.text("A logistic dq/dt = a q - c q^2: its inverse 1/q is linear, and decays to c/a like e^{-a t}.")
    solution = 1 / (c / a + (1 / q_0 - c / a) * sp.exp(-a * t))
    proof.exact("this solves it", sp.simplify(sp.diff(solution, t) - a * solution + c * solution**2), sp.S.Zero)
    values = {a: 4 * kappa, c: 8 * alpha * sigma**2}
    numbers = {tau: 0.7, gamma: 0.2, lambda_k: 0.9, sigma: 1.4, q_0: 0.001, part: 0.3, t: 2.0}
    proof.digits("q(t) at numbers", growth.solution.subs(numbers), solution.subs(values).subs(numbers), 12)
    plateau = kappa / (2 * alpha * sigma**2)
    arrival = sp.log((plateau / q_0 - 1) * part / (1 - part)) / (4 * kappa)
    proof.digits("the time to a part of the plateau at numbers", growth.time.subs(numbers), arrival.subs(numbers), 12)

    proof.text(
        "All of W, 4 x 4, turned moments that commute; lambda = 1, 0.6, 0.3, 0.05 against gamma = 0.1: the last decays."
    )
    turn, outputs = (np.linalg.qr(np.random.default_rng(k).standard_normal((4, 4)))[0] for k in (0, 1))
    eigenvalues, variances = np.array([1.0, 0.6, 0.3, 0.05]), np.array([1.2, 2.0, 0.5, 1.0])
    A0, Sigma = (turn @ np.diag(values) @ turn.T for values in (eigenvalues, variances))
    fixed = ss.landscape(ss.InfoNCE() + ss.WeightDecay(sp.Rational(1, 10)))
    times = [float(arrival.subs({tau: 1, gamma: 0.1, lambda_k: v, sigma: s, q_0: 1e-6, part: 0.5}))
             for v, s in zip(eigenvalues[:3], variances, strict=False)]  # fmt: skip
    flow = ss.gradient_flow(fixed, 1e-3 * outputs @ turn.T, times, A0, Sigma)
    reached = np.diagonal(flow.along(turn.T[:3]))
    half = (eigenvalues[:3] - 0.1) / (2 * 0.75 * variances[:3] ** 2) / 2
    proof.digits("at the three times the three modes are half way", reached, half, 5)

    proof.text("Sigma that does not commute: near W = 0 the rates are the eigenvalues of B, not those of the pencil.")
    mixed = Sigma + 0.4 * np.outer(turn[:, 0] + turn[:, 2], turn[:, 0] + turn[:, 2])
    small = ss.gradient_flow(fixed, 1e-7 * np.random.default_rng(2).standard_normal((3, 4)), [0.0, 1.0], A0, mixed)
    slopes = np.log(small.along(turn.T)[1] / small.along(turn.T)[0]) / 2
    proof.digits("log |W u_k| rises by, in unit time", slopes, 2 * (eigenvalues - 0.1), 6)

    proof.text(
        "Batches of 128 rows, InfoNCE as coded: 127 negatives, kappa = (127/128) lambda / tau. Its gradient at "
        "W = 0.01 along u is -2 kappa W; one output, lambda = 0.6, noise of variance 0.16."
    )
    rng, w, rates = np.random.default_rng(6), 0.01, []
    for _ in range(20):
        datum = np.sqrt(0.6) * rng.standard_normal((100, 128, 1))
        x, y = datum + 0.4 * rng.standard_normal(datum.shape), datum + 0.4 * rng.standard_normal(datum.shape)
        apart = (x - y.swapaxes(1, 2)) ** 2  # |x_i - y_j|^2; the logits are -w^2 of it over 2
        weights = np.exp(-(w**2) * apart / 2)
        weights /= weights.sum(axis=2, keepdims=True)
        rates.append(((weights * apart).sum(axis=2) - (x - y)[..., 0] ** 2).mean(axis=1))  # -dL/dw over w
    error = float(np.std(rates) / np.sqrt(np.size(rates)))
    proof.sampled("the rate is", float(np.mean(rates)), error, 2 * 127 / 128 * 0.6)


if __name__ == "__main__":
    ss.present(prove)
