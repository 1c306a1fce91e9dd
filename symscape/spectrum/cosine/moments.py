"""Moments of norms and cosines of Gaussian vectors in k dimensions, as SymPy expressions.

For g, g' ~ N(0, 1) in R^k with correlation rho in every coordinate, a = |g|, b = |g'|, c their cosine. Expanding
e^{rho a b c / (1 - rho^2)} in the joint density leaves radial integrals and moments of c on the sphere:

    E[a^alpha b^beta h(c)] = s^{k/2} (2 s)^{(alpha + beta)/2} sum_j (2 rho)^j / j!
                             Gamma((k + alpha + j)/2) Gamma((k + beta + j)/2) / Gamma(k/2)^2 <c^j h(c)>,    s = 1 - rho^2,

with < > the mean over the uniform sphere.
"""

from __future__ import annotations

import sympy as sp

#: The number of modes, and the angle of which a cosine is integrated.
k = sp.Symbol("k", integer=True, positive=True)
_theta = sp.Symbol("theta", real=True)


def sphere_mean(expr: sp.Expr, c: sp.Symbol) -> sp.Expr:
    """Return the mean of an expression in the cosine c of two independent uniform directions of R^k.

    Powers and exponentials in closed form, term by term; any other function as an integral over the angle.

    >>> c, t = sp.Symbol("c", real=True), sp.Symbol("t", positive=True)
    >>> sphere_mean(3 * c**2, c)
    3/k
    >>> sphere_mean(sp.exp(t * c), c)
    (t/2)**(1 - k/2)*besseli(k/2 - 1, t)*gamma(k/2)
    """
    return sp.Add(*[_sphere_term(term, c) for term in sp.Add.make_args(sp.expand(expr))])


def _sphere_term(term: sp.Expr, c: sp.Symbol) -> sp.Expr:
    constant, rest = term.as_independent(c, as_Add=False)
    power, exponent, other = _split(rest, c)
    if other != 1:
        weight = sp.gamma(k / 2) / (sp.sqrt(sp.pi) * sp.gamma((k - 1) / 2)) * sp.sin(_theta) ** (k - 2)
        return constant * sp.Integral(rest.xreplace({c: sp.cos(_theta)}) * weight, (_theta, 0, sp.pi))
    if exponent == 0:
        # <c^{2n}> = (1/2)_n / (k/2)_n.
        return constant * (0 if power % 2 else sp.expand_func(sp.rf(sp.S.Half, power // 2) / sp.rf(k / 2, power // 2)))
    # <e^{bc}> = Gamma(k/2) psi_0, psi_n = (b/2)^{-v} I_v(b) at v = k/2 - 1 + n, even in b, and psi_n' = (b/2) psi_{n+1}.
    b, symbol = exponent / c, sp.Dummy("b", real=True)
    derivative: dict[int, sp.Expr] = {0: sp.S.One}
    for _ in range(power):
        risen = {n + 1: symbol / 2 * weight for n, weight in derivative.items()}
        kept = {n: sp.diff(weight, symbol) for n, weight in derivative.items()}
        derivative = {n: risen.get(n, 0) + kept.get(n, 0) for n in {**risen, **kept}}
    found = [weight.subs(symbol, b) * _psi(n, sp.Abs(b)) for n, weight in derivative.items() if weight != 0]
    return constant * sp.gamma(k / 2) * sp.Add(*found)


def _psi(n: int, b: sp.Expr) -> sp.Expr:
    order = k / 2 - 1 + n
    return (b / 2) ** -order * sp.besseli(order, b)


def _split(rest: sp.Expr, c: sp.Symbol) -> tuple[int, sp.Expr, sp.Expr]:
    """Return n, e and the other factors of c^n exp(e), with e a multiple of c."""
    power, exponent, other = 0, sp.S.Zero, sp.S.One
    for factor in sp.Mul.make_args(rest):
        base, exp = factor.as_base_exp()
        if base == c and exp.is_Integer and exp.is_positive:
            power += int(exp)
        elif isinstance(factor, sp.exp) and not (factor.args[0] / c).has(c):
            exponent += factor.args[0]
        elif factor != 1:
            other *= factor
    return power, exponent, other


def pair_mean(expr: sp.Expr, c: sp.Symbol, rho: sp.Expr, alpha: int = 0, beta: int = 0) -> sp.Expr:
    """Return E[|g|^alpha |g'|^beta h(c)] for g, g' ~ N(0, 1) in R^k of correlation rho, c their cosine.

    Powers of c in closed form, term by term; any other function as an integral over the angle. Holds for k + alpha > 0 and
    k + beta > 0, and |rho| <= 1 where it is finite there.

    >>> c, r = sp.Symbol("c", real=True), sp.Symbol("r", real=True)
    >>> sp.simplify(pair_mean(c, c, r).subs(k, 1) - 2 * sp.asin(r) / sp.pi).subs(r, sp.Rational(1, 3)).evalf(20, chop=True)
    0
    """
    return sp.Add(*[_pair_term(term, c, rho, alpha, beta) for term in sp.Add.make_args(sp.expand(expr))])


def _pair_term(term: sp.Expr, c: sp.Symbol, rho: sp.Expr, alpha: int, beta: int) -> sp.Expr:
    constant, rest = term.as_independent(c, as_Add=False)
    power, exponent, other = _split(rest, c)
    s, half = 1 - rho**2, sp.S.Half
    A, B = (k + alpha) / 2, (k + beta) / 2
    if other != 1 or exponent != 0:
        # The sum over j without the mean over the sphere: even j and odd j each give a Gauss function of rho^2 c^2.
        density = sp.gamma(A) * sp.gamma(B) * sp.hyper([A, B], [half], rho**2 * c**2)
        density += (
            2
            * rho
            * c
            * sp.gamma(A + half)
            * sp.gamma(B + half)
            * sp.hyper([A + half, B + half], [3 * half], rho**2 * c**2)
        )
        weight = s ** (k / 2) * (2 * s) ** sp.Rational(alpha + beta, 2) / sp.gamma(k / 2) ** 2
        return constant * weight * sphere_mean(sp.Mul(rest, density, evaluate=False), c)
    # <c^{j + m}> = (1/2)_N / (k/2)_N keeps j = 2 n + q, q = m mod 2, N = n + n_0, n_0 = (m + q)/2. With
    # (2 rho)^j / j! = (2 rho)^q rho^{2n} / (n! (1/2 + q)_n) the sum over n is 3F2(A + q/2, B + q/2, 1/2 + n_0; 1/2 + q,
    # k/2 + n_0; rho^2), a Gauss function for m = 0 and 1, whose Euler transformation takes the powers of s off.
    q = power % 2
    n0 = (power + q) // 2
    upper, lower = [A + q * half, B + q * half], [k / 2 + n0]
    front = (2 * rho) ** q * sp.gamma(upper[0]) * sp.gamma(upper[1]) / sp.gamma(k / 2) ** 2
    front *= sp.rf(half, n0) / sp.expand_func(sp.rf(k / 2, n0))
    if n0 == q:
        gauss = sp.hyper([lower[0] - upper[0], lower[0] - upper[1]], lower, rho**2)
        return constant * front * sp.Integer(2) ** sp.Rational(alpha + beta, 2) * gauss
    gauss = sp.hyper([*upper, half + n0], [half + q, *lower], rho**2)
    return constant * front * s ** (k / 2) * (2 * s) ** sp.Rational(alpha + beta, 2) * gauss
