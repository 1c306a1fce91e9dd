"""T10. Two classes of points, InfoNCE without truncation: the strength in q is bounded below, and that in p is not.

Class 1 has probability `pi` and class 2 `1 - pi`; each is a point, without augmentation noise, `tau = 1`, one output.
With q the squared distance of the two representations, and weight decay `g q`,

    L = pi log(pi + (1 - pi) e^{-q/2}) + (1 - pi) log(1 - pi + pi e^{-q/2}) + g q.

Without decay L falls for ever, towards the negative entropy of the classes: `r = 1` here, where the exact loss has no
minimum (X1), and `q = 4` of order 4 (T10.two-classes) is where the quartic stops. With decay, and
`rho = g / (pi (1 - pi))` held between 1/2 and 1 as `pi -> 0`,

    q -> -2 log(2 rho - 1),

so that q stays and p = pi (1 - pi) q goes to 0 like pi: the exact loss is robust in q alone, as order 4 says. For
`rho >= 1` the direction is lost. That is the threshold `pi (1 - pi) delta^2 = gamma` of B, exact here.
"""

import mpmath as mp
import sympy as sp

import symscape as ss

pi, q, g, rho = sp.symbols("pi q g rho", positive=True)
y = sp.Symbol("y", positive=True)


def prove(proof: ss.Proof) -> None:
    """Differentiate the finite sum, compare its series with order 4, and let a class become rare."""
    e = sp.exp(-q / 2)
    loss = pi * sp.log(pi + (1 - pi) * e) + (1 - pi) * sp.log(1 - pi + pi * e)

    proof.text("Each class has the slope -pi (1 - pi) e^{-q/2} / 2 over what it sees; with y = e^{-q/2}, 0 < y < 1:")
    slope = sp.diff(loss, q).subs(q, -2 * sp.log(y))
    by_hand = -pi * (1 - pi) * y / 2 * (1 / (pi + (1 - pi) * y) + 1 / (1 - pi + pi * y))
    proof.exact("dL/dq, negative at every q, is", slope, by_hand)
    entropy = pi * sp.log(pi) + (1 - pi) * sp.log(1 - pi)
    proof.exact("as q -> oo, y -> 0, L tends to", loss.subs(q, -2 * sp.log(y)).subs(y, 0), entropy)

    proof.text(
        "To second order in q the slope is -V (1 - q/4), V = pi (1 - pi): least at q = 4, the strength of order 4."
    )
    series = [sp.factor(sp.diff(loss, q, k).subs(q, 0) / sp.factorial(k)) for k in (1, 2)]
    proof.exact("the series of L is", series, [-pi * (1 - pi), pi * (1 - pi) / 8])
    order_four = ss.mixture_strength(ss.InfoNCE())
    proof.exact("and the landscape of the mixture has q", order_four.q, sp.Integer(4))

    proof.text("With decay dL/dq + g = 0, over V. As pi -> 0 at a fixed q the first class leaves 1 and the second y.")
    limit = sp.limit(sp.cancel(slope / (pi * (1 - pi))), pi, 0)
    proof.exact("the slope over V tends to", limit, -(1 + y) / 2)
    (found,) = sp.solve(limit + rho, y)
    proof.exact("so y = e^{-q/2} tends to", found, 2 * rho - 1)
    proof.text("It is below 1, q > 0, for rho < 1; it is positive for rho > 1/2, below which q grows like -2 log pi.")
    at_origin = sp.cancel(slope.subs(y, 1) / (pi * (1 - pi)))
    proof.exact("at q = 0 the slope over V is -1 at every pi: lost for rho >= 1", at_origin, sp.Integer(-1))

    proof.text("By numbers, pi = 1e-9: the root of the exact slope.")
    exact = sp.lambdify((y, pi), by_hand / (pi * (1 - pi)), "mpmath")
    for ratio in (0.7, 0.9):
        root = mp.findroot(lambda s, ratio=ratio: exact(s, mp.mpf(10) ** -9) + ratio, 2 * ratio - 1)
        proof.digits(f"q at rho = {ratio}", -2 * mp.log(root), -2 * mp.log(2 * mp.mpf(str(ratio)) - 1), 7)
    far = mp.findroot(lambda z: exact(z * mp.mpf(10) ** -9, mp.mpf(10) ** -9) + 0.3, 1)
    proof.digits("at rho = 0.3 y / pi is that of y / (pi + y) = 0.6", far, 1.5, 7)


if __name__ == "__main__":
    ss.present(prove)
