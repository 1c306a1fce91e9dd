"""T4. Index and nullity of every stationary point: exchange, growth, and rotations that cost nothing.

Let W keep a set K of k modes of `L = -Tr(W B W^T) + alpha Tr P^2 + beta (Tr P)^2`, as in T4.families. The second
variation splits into

    b_a - b_b                                                    (exchange: a kept, b not, the output of a turns to b)
    2 beta T - b_b                                               (growth: b not kept, a free output takes b)
    0                                                            (copy: a free output takes a kept mode)
    2 alpha (sqrt(p_a) x + sqrt(p_b) y)^2                        (pair: outputs of two kept modes turn to each other)
    4 alpha sum_a p_a x_a^2 + 4 beta (sum_a sqrt(p_a) x_a)^2     (stretch: the strengths change; positive)

With distinct `b_i`, and `b_b != 2 beta T` for modes that are not kept,

    index = #{(a, b): a in K, b not in K, b_b > b_a} + (d_1 - k) #{b not in K: b_b > 2 beta T},
    nullity = k (d_1 - k) + k (k - 1)/2 = dim O(d_1) - dim O(d_1 - k).

All zero directions are rotations of the outputs. With `b_a = b_b` exchange adds zeros along which equal points go on
("tied"); with `b_b = 2 beta T` growth adds zeros that the quartic part decides ("flat").
"""

import numpy as np
import sympy as sp

import symscape as ss

alpha = sp.Symbol("alpha", positive=True)
beta = sp.Symbol("beta", real=True)
x, xp, chi = ss.anchor, ss.positive, ss.negative
#: B = A_0, S = Sigma, and both words of degree 4.
QUARTIC = ss.Loss(-ss.E(ss.dot(x, xp)) + alpha * ss.E(ss.dot(x, chi) ** 2) + beta * ss.E(ss.sqnorm(x)) ** 2)


def prove(proof: ss.Proof) -> None:
    """Vary a point that keeps two of three modes with three outputs, and read off the blocks."""
    land = ss.landscape(QUARTIC)

    proof.text(
        "Where S = 1 and W = diag(sqrt(p_0), sqrt(p_1), 0): L(W + t D), b_0 and b_1 from stationarity, b_2 free."
    )
    p_0, p_1, b_2, t = *sp.symbols("p_0 p_1", positive=True), *sp.symbols("b_2 t", real=True)
    b_0, b_1 = (2 * alpha * p + 2 * beta * (p_0 + p_1) for p in (p_0, p_1))
    D = sp.Matrix(3, 3, sp.symbols("D_00 D_01 D_02 D_10 D_11 D_12 D_20 D_21 D_22", real=True))
    W = sp.diag(sp.sqrt(p_0), sp.sqrt(p_1), 0) + t * D
    value = land.expr.subs({ss.d_0: 3, ss.d_1: 3})
    matrices = {"W": W, "A_0": sp.diag(b_0, b_1, b_2), "Sigma": sp.eye(3)}
    explicit = {m: matrices[m.name].as_immutable() for m in value.atoms(sp.MatrixSymbol)}
    series = sp.Poly(value.xreplace(explicit).doit(), t)
    proof.exact("the point is stationary: the part of degree 1 is", sp.expand(series.coeff_monomial(t)), sp.S.Zero)

    proof.text("The part of degree 2 is a sum of squares, block by block; copy, D_20 and D_21, is absent.")
    r_0, r_1, second = sp.sqrt(p_0), sp.sqrt(p_1), sp.expand(series.coeff_monomial(t**2))
    exchange = (b_0 - b_2) * D[0, 2] ** 2 + (b_1 - b_2) * D[1, 2] ** 2
    growth = (2 * beta * (p_0 + p_1) - b_2) * D[2, 2] ** 2
    pair = 2 * alpha * (r_0 * D[0, 1] + r_1 * D[1, 0]) ** 2
    stretch = 4 * alpha * (p_0 * D[0, 0] ** 2 + p_1 * D[1, 1] ** 2) + 4 * beta * (r_0 * D[0, 0] + r_1 * D[1, 1]) ** 2
    proof.exact("it is exchange + growth + pair + stretch", second, sp.expand(exchange + growth + pair + stretch))

    proof.text("The same blocks for any numbers; their zeros are the rotations of d_1 outputs that move k of them.")
    exchange, growth, copy, pair, _ = ss.second_variation()
    b_a, b_b, total, k = *sp.symbols("b_a b_b T", real=True), sp.Symbol("k", integer=True, nonnegative=True)
    proof.exact("eigenvalues of copy, exchange, growth", (copy.eigenvalue, exchange.eigenvalue, growth.eigenvalue),
                (0, b_a - b_b, 2 * beta * total - b_b))  # fmt: skip
    orthogonal = ss.d_1 * (ss.d_1 - 1) / 2 - (ss.d_1 - k) * (ss.d_1 - k - 1) / 2
    proof.exact("zeros of copy and pair", copy.multiplicity + pair.multiplicity, sp.expand(orthogonal))

    proof.text("A family that keeps modes 0 and 2 leaves out mode 1, which lies above mode 2: one exchange goes down.")
    family = ss.stationary_points(ss.landscape(QUARTIC), beta=0).family((0, 2))
    above = sp.Symbol("n_above", integer=True, nonnegative=True)
    proof.exact("its nullity and index", (family.nullity, family.index), (2 * ss.d_1 - 3, 1 + (ss.d_1 - 2) * above))

    proof.text("With numbers, B and S that do not commute: eigenvalues of the Hessian by differences, counted.")
    A0 = np.array([[2.0, 0.6, 0.1], [0.6, 1.0, 0.3], [0.1, 0.3, 0.4]])
    given = {"A0": A0, "Sigma": A0 + np.diag([1.0, 3.0, 0.5]), "alpha": 1.0, "beta": 0.1}
    points, gradient = list(ss.stationary_points(land, d1=3, **given)), land.numpy().gradient
    step, counted = 1e-4 * np.eye(9).reshape(9, 3, 3), []
    for point in points:
        H = (gradient(point.W + step, **given) - gradient(point.W - step, **given)).reshape(9, 9) / 2e-4
        values = np.linalg.eigvalsh(H + H.T) / 2
        counted.append((int((values < -1e-6).sum()), int((abs(values) < 1e-6).sum())))
    proof.exact("index and nullity, family by family", [(point.index, point.nullity) for point in points], counted)

    proof.text("Zeros that are no rotation: two equal b, one kept; and a mode of b = 2 beta T beside a free output.")
    tied, flat = (ss.stationary_points(land, np.diag(r), np.eye(2), d1=d1, alpha=1, beta=value).family((0,))
                  for r, d1, value in (([0.5, 0.5], 1, 0), ([0.6, 0.2], 2, 0.5)))  # fmt: skip
    proof.exact("nullity, by rotation, kind: tied", (tied.nullity, tied.symmetry_nullity, tied.kind), (1, 0, "minimum"))
    proof.exact("and flat", (flat.nullity, flat.symmetry_nullity, flat.kind), (2, 1, "degenerate"))


if __name__ == "__main__":
    ss.present(prove)
