"""X1. The Taylor series of the closed form is T1 at every order, and converges for eigenvalues of P below tau only.

In powers of P the closed form of InfoNCE (X1.closed-form) is

    L = -Tr M / tau + sum_{k >= 2} (-1)^k (k + 1) / (2 k tau^k) Tr P^k,

so that at order 2k T1 has the one word `Tr P^k` with this coefficient: 3/4 at order 4, -2/3 at order 6, 5/8 at order 8.
The coefficients tend to 1/2 in size, so that the radius of convergence is `p = tau`, the singularity of
`log(1 + p / tau)` at `-tau`.

Local: series to an order 4 m are bounded below, those to 4 m + 2 are not. And at the trained spectrum, `p < tau` is
`r < 5/8`: for modes with a larger r no order of the series describes the minimum.
"""

import mpmath as mp
import sympy as sp

import symscape as ss

tau = sp.Symbol("tau", positive=True)
p, r = sp.Symbol("p_i", nonnegative=True), sp.Symbol("r_i", real=True)
k = sp.Symbol("k", integer=True, positive=True)


def prove(proof: ss.Proof) -> None:
    """Expand log and fraction, compare with the landscape order by order, and find where the series stops."""
    ((_, summand),) = ss.closed_form(ss.InfoNCE(tau=tau)).sums.items()

    proof.text(
        "log(1 + u) = sum -(-u)^k / k and u / (1 + u) = sum -(-u)^k, u = p / tau: half their sum, with the sign "
        "turned, is sum (-u)^k (1/k + 1) / 2. At k = 1 this is -u, which with (1 - r) u leaves -r u."
    )
    coefficient = (-1) ** k * (k + 1) / (2 * k * tau**k)
    taylor = [sp.diff(summand, p, n).subs(p, 0) / sp.factorial(n) for n in range(1, 11)]
    claimed = [-r / tau, *(coefficient.subs(k, n) for n in range(2, 11))]
    proof.exact("coefficients of p, ..., p^10 of the closed form", [sp.simplify(t) for t in taylor], claimed)

    proof.text("The landscape, by its own route: moments of Gaussians, word by word, to order 20 in W.")
    land = ss.landscape(ss.InfoNCE(tau=tau), order=20)
    found = [dict(land.part(2 * n).terms) for n in range(1, 11)]
    words = [{(("tr", ("A_0",)),): -1 / tau}]
    words += [{(("tr", ("Sigma",) * n),): coefficient.subs(k, n)} for n in range(2, 11)]
    proof.exact("each order has one word", [list(f) for f in found] == [list(w) for w in words], True)
    proof.exact(
        "with these coefficients", [next(iter(f.values())) for f in found], [next(iter(w.values())) for w in words]
    )

    proof.text("A deep order, alone: order 60 in W.")
    deep = ss.landscape(ss.InfoNCE(), order=60).part(60)
    proof.exact("Tr P^30 has the coefficient", deep.terms[0][1], sp.Rational(31, 60))

    proof.text("The ratio of coefficients gives the radius.")
    ratio = sp.simplify(-coefficient / coefficient.subs(k, k + 1))
    proof.exact("the radius of convergence is", sp.limit(ratio, k, sp.oo), tau)
    exact = lambda x: x - mp.log(1 + x) / 2 - x / (2 * (1 + x))  # noqa: E731

    def partial(x: mp.mpf, order: int) -> mp.mpf:
        return sum((-1) ** n * mp.mpf(n + 1) / (2 * n) * x**n for n in range(2, order + 1))

    proof.digits(
        "inside, at p = 0.9 tau, 400 terms give (r = 0)", partial(mp.mpf("0.9"), 400), exact(mp.mpf("0.9")), 13
    )

    proof.text("Where the trained mode reaches p = tau: y = 1/2, so that 2 (1 - r) = 3/4.")
    strength = ss.mode_minimiser(ss.closed_form(ss.InfoNCE(tau=tau))).p
    (edge,) = sp.solve(strength - tau, r)
    proof.exact("there r is", edge, sp.Rational(5, 8))
    bounded = [bool(ss.truncation_table(ss.InfoNCE(tau=tau), [0.3], order=n, tau=1).bounded[0]) for n in (4, 6)]
    proof.exact("bounded below at orders 4 and 6", bounded, [True, False])


if __name__ == "__main__":
    ss.present(prove)
