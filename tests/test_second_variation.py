"""T4 in exact arithmetic: families, Hessians and the proof, each against rational numbers or an identity."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import sympy as sp
from stationary_cases import QUARTIC, gamma, random_moments

import symscape as ss

LAND = ss.landscape(QUARTIC)
R = sp.Rational


def exact_hessian(b, p, alpha, beta, d1):
    """Return the Hessian of -Tr(W B W^T) + alpha Tr P^2 + beta (Tr P)^2, P = W W^T, at W = diag(sqrt p), times one half.

    By hand: with D the variation, X = W D^T + D W^T, the second-order term is
    -Tr(D B D^T) + alpha (Tr X^2 + 2 Tr P D D^T) + beta ((Tr X)^2 + 2 Tr P Tr D D^T).
    Square roots are kept exact as SymPy radicals.
    """
    d0 = len(b)
    W = sp.zeros(d1, d0)
    for a, (mode, strength) in enumerate(p.items()):
        W[a, mode] = sp.sqrt(strength)
    T = sum(p.values(), sp.S.Zero)
    P, B = W * W.T, sp.diag(*b)
    entries = [(a, i) for a in range(d1) for i in range(d0)]

    def unit(a, i):
        D = sp.zeros(d1, d0)
        D[a, i] = 1
        return D

    def form(D, E):
        X, Y = W * D.T + D * W.T, W * E.T + E * W.T
        return (
            -(D * B * E.T).trace() + alpha * ((X * Y).trace() + 2 * (P * D * E.T).trace())
            + beta * (X.trace() * Y.trace() + 2 * T * (D * E.T).trace())
        )  # fmt: skip

    units = [unit(*entry) for entry in entries]
    return sp.Matrix(len(units), len(units), lambda m, n: form(units[m], units[n]))


def exact_inertia(H):
    """Return (negative, zero) of a symmetric exact matrix: by blocks, from the signs of characteristic coefficients.

    All roots are real, so Descartes' rule of signs counts exactly.
    """
    negative = zero = 0
    seen = set()
    for start in range(H.rows):
        if start in seen:
            continue
        block, todo = [], [start]
        while todo:
            k = todo.pop()
            if k not in seen:
                seen.add(k)
                block.append(k)
                todo += [m for m in range(H.rows) if H[k, m] != 0]
        part = H.extract(block, block)
        coefficients = [sp.nsimplify(sp.simplify(c)) for c in part.charpoly().all_coeffs()]
        while coefficients and coefficients[-1] == 0:
            zero += 1
            coefficients.pop()
        # det(t - H) at -t: a change of sign per negative root.
        signs = [sp.sign(c) * (-1) ** k for k, c in enumerate(coefficients) if c != 0]
        negative += sum(s != t for s, t in pairwise(signs))
    return negative, zero


def assert_exact_stability(b, alpha, beta_, d1, kept, index, nullity):
    """Assert index and nullity of a family by an exact Hessian."""
    T = sum((b[i] for i in kept), sp.S.Zero) / (2 * (alpha + beta_ * len(kept)))
    p = {i: (b[i] - 2 * beta_ * T) / (2 * alpha) for i in kept}
    assert all(strength > 0 for strength in p.values()), f"{kept} does not exist"
    found = exact_inertia(exact_hessian(b, p, alpha, beta_, d1))
    assert found == (index, nullity), f"b = {b}, beta = {beta_}, d1 = {d1}, kept {kept}: {(index, nullity)} for {found}"


EXACT = [
    # b (as 2 r - gamma at Sigma = 1), beta, d1
    ([R(3, 2), R(1), R(1, 2)], R(0), 2),
    ([R(3, 2), R(1), R(-1, 2)], R(1, 3), 2),
    ([R(3, 2), R(1)], R(-1, 4), 3),
    ([R(1), R(1), R(1, 2)], R(1, 5), 2),
    ([R(1), R(0)], R(0), 2),
    ([R(1), R(1, 2)], R(1, 2), 2),
    ([R(3, 2)], R(-1, 2), 1),
    ([R(6, 5), R(4, 5), R(-1, 5)], R(-1, 5), 3),
]


@pytest.mark.parametrize(("b", "beta_", "d1"), EXACT)
def test_t4_index_and_nullity_exactly(b, beta_, d1):
    """T4: index and nullity of every family are those of a Hessian with rational entries and radicals, counted exactly."""
    A0 = np.diag([float(v) / 2 for v in b])
    points = ss.stationary_points(LAND, A0=A0, Sigma=np.eye(len(b)), d1=d1, gamma=0, beta=beta_)
    listed = {point.kept: point for point in points}
    for k in range(min(len(b), d1) + 1):
        for kept in combinations(range(len(b)), k):
            T = sum((b[i] for i in kept), sp.S.Zero) / (2 * (1 + beta_ * k))
            exists = all(b[i] - 2 * beta_ * T > 0 for i in kept)
            assert exists == (kept in listed), f"{b}, beta = {beta_}: {kept}"
            if exists:
                point = listed[kept]
                assert_exact_stability(b, R(1), beta_, d1, kept, point.index, point.nullity)
                for wrong in ((point.index + 1, point.nullity), (point.index, point.nullity + 1)):
                    with pytest.raises(AssertionError):
                        assert_exact_stability(b, R(1), beta_, d1, kept, *wrong)


@pytest.mark.parametrize("seed", range(12))
def test_t4_symbolic_families_are_the_numeric_points(seed):
    """T4: spectrum, value, existence, index and the condition for a minimum, as formulas, give the points' numbers."""
    rng = np.random.default_rng(seed)
    d0, d1 = ((3, 2), (2, 3), (4, 4), (4, 1))[seed % 4]
    values = {"gamma": 0.07, "beta": (0.0, 0.5, -0.7 / min(d0, d1))[seed % 3]}
    A0, Sigma = random_moments(rng, d0)
    points = ss.stationary_points(LAND, A0=A0, Sigma=Sigma, d1=d1, **values)
    families = ss.stationary_points(LAND, beta=values["beta"])
    listed = {point.kept: point for point in points}
    numbers = {sp.Symbol(f"b_{i}", real=True): sp.Float(float(v), 17) for i, v in enumerate(points.eigenvalues)}
    numbers |= {ss.d_1: sp.Integer(d1), gamma: sp.Float(values["gamma"])}
    beta_ = values["beta"]
    for k in range(min(d0, d1) + 1):
        for kept in combinations(range(d0), k):
            family = families.family(kept)
            assert bool(family.exists.subs(numbers)) == (kept in listed), f"seed {seed}: {kept}"
            if kept not in listed:
                continue
            point = listed[kept]
            threshold = 2 * beta_ * float(family.total.subs(numbers))
            above = sum(b > threshold for i, b in enumerate(points.eigenvalues) if i not in kept)
            numbers[sp.Symbol("n_above", integer=True, nonnegative=True)] = sp.Integer(above)
            assert np.allclose([float(p.subs(numbers)) for p in family.spectrum], point.spectrum, rtol=1e-12), (
                f"seed {seed}"
            )
            assert abs(float(family.loss.subs(numbers)) - point.loss) < 1e-12
            assert (family.index.subs(numbers), family.nullity.subs(numbers)) == (point.index, point.nullity)
            assert family.symmetry_nullity.subs(numbers) == point.symmetry_nullity
            # The margin of the mode after the kept ones needs one more b: none is left where all are kept.
            following = {sp.Symbol(f"b_{d0}", real=True): sp.Integer(-100)}
            least = family.minimum.subs({**numbers, **following})
            assert bool(least) == (point.index == 0), f"seed {seed}: {kept}, {family.minimum}"


def test_t4_every_general_claim_is_an_identity():
    """T4: the proof that local minima are global holds step by step, and fails when an eigenvalue in it is wrong."""
    proof = ss.local_minima_are_global()
    assert proof.holds and len(proof) >= 8 and all(step.holds for step in proof)
    step = list(proof)[2]
    wrong = type(step)(step.statement, (step.identities[0] + sp.Symbol("b_a", real=True) / 20,))
    assert not wrong.holds and "FAILS" in str(wrong)


def test_t4_the_second_variation_is_that_of_the_exact_hessian():
    """T4: exchange b_a - b_b, growth 2 beta T - b_b, in an exact Hessian with symbols; one symmetry direction per copy."""
    alpha, b = sp.symbols("alpha beta", positive=True)
    p0, b1 = sp.symbols("p_0 b_1", positive=True)
    b0 = 2 * (alpha + b) * p0
    H = exact_hessian([b0, b1], {0: p0}, alpha, b, 2).applyfunc(sp.expand)
    # Entries (0,0), (0,1), (1,0), (1,1): stretch, exchange, copy, growth.
    expected = sp.diag(4 * p0 * (alpha + b), b0 - b1, 0, 2 * b * p0 - b1)
    assert (H - expected).applyfunc(sp.expand) == sp.zeros(4)
    assert (H - expected * R(21, 20)).applyfunc(sp.expand) != sp.zeros(4)
    names = [block.name.split(":")[0] for block in ss.second_variation()]
    assert names == ["exchange", "growth", "copy", "pair", "stretch"]
