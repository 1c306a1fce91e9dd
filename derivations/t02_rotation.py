"""T2. Rotations W -> O W: which landscapes keep them, and what breaks them in the others.

For `O` orthogonal, `(O f(u)).(O f(v)) = f(u).f(v)`, so a loss of inner products, cosines or distances keeps every
`W -> O W`: its landscape is a polynomial in traces of words `W S W^T`. These are InfoNCE, NT-Xent, spectral
contrastive, and raw Barlow Twins at `lambda = 1`. Losses that name outputs break it, each through one word. For two
outputs with moments `diag(p_1, p_2)` and `diag(m_1, m_2)`, turned by an angle `theta`, the landscape at order 4 changes
by

    -(1 - lambda) (m_1 - m_2)^2 sin(2 theta)^2 / 2                          (raw Barlow Twins),
    -(m_1 - m_2) (p_1 - p_2) sin(2 theta)^2 / epsilon^2                     (batch-normalised, lambda = 1),
    -(mu/(8 epsilon^(3/2)) - 2 nu) (p_1 - p_2)^2 sin(2 theta)^2 / (2 d_1)   (VICReg).

All of them keep `W -> D W` with signs `D = diag(+-1)`, `W -> -W` among these, and permutations of the outputs.

What differs from the paper: for Barlow Twins and VICReg the spectrum of W alone does not fix the value; T9 finds the
rotation.
Local: VICReg with `mu = 16 nu epsilon^(3/2)` is rotation-invariant at order 4, but not as a loss.
"""

import sympy as sp

import symscape as ss

tau, epsilon, lambda_, mu, nu = sp.symbols("tau epsilon lambda mu nu", positive=True)
m_1, m_2, p_1, p_2, theta = sp.symbols("m_1 m_2 p_1 p_2 theta", real=True)

INNER_PRODUCTS = {
    "InfoNCE": ss.InfoNCE(tau=tau, n=2),
    "smooth NT-Xent": ss.NTXent(tau=tau, epsilon=epsilon),
    "spectral contrastive": ss.SpectralContrastive(),
    "raw Barlow Twins at lambda = 1": ss.BarlowTwins(),
}
OUTPUTS = {
    "raw Barlow Twins": ss.BarlowTwins(lambda_=lambda_),
    "batch-normalised Barlow Twins": ss.BarlowTwins(epsilon=epsilon),
    "VICReg": ss.VICReg(mu=mu, nu=nu, epsilon=epsilon),
}


def prove(proof: ss.Proof) -> None:
    """Turn two outputs by every angle, and compare landscapes as polynomials in the entries of W."""

    def at(land: ss.Landscape, W: sp.Matrix, A_0: sp.Matrix, Sigma: sp.Matrix) -> sp.Expr:
        value = land.expr.subs({ss.d_0: 2, ss.d_1: 2})
        matrices = {"W": W, "A_0": A_0, "Sigma": Sigma}
        return value.xreplace({a: matrices[a.name].as_immutable() for a in value.atoms(sp.MatrixSymbol)}).doit()

    proof.text(
        "Losses of inner products, at a general W of two outputs; planes generate all rotations, and features can be "
        "chosen with Sigma = 1 and A_0 diagonal. A rotation is a flow along J W, J = ((0, -1), (1, 0)): where the slope "
        "of L along J W vanishes at every W, L is constant on every orbit."
    )
    W, A_0, Sigma = sp.Matrix(2, 2, sp.symbols("w_1:5")), sp.diag(*sp.symbols("r_1 r_2")), sp.eye(2)
    flow, mirror = sp.Matrix([[0, -1], [1, 0]]) * W, sp.diag(1, -1)
    for name, loss in INNER_PRODUCTS.items():
        land = ss.landscape(loss)
        value = at(land, W, A_0, Sigma)
        slope = sum(sp.diff(value, w) * step for w, step in zip(W, flow, strict=True))
        reflected = at(land, mirror * W, A_0, Sigma) - value
        proof.exact(f"{name}, along J W and mirrored, changes by", [sp.expand(slope), sp.expand(reflected)], [0, 0])
    invariant = [ss.facts(loss).rotation_invariant for loss in (*INNER_PRODUCTS.values(), *OUTPUTS.values())]
    proof.exact("as losses the first four are rotation-invariant, the others not", invariant, [True] * 4 + [False] * 3)

    proof.text("The others: sum_i M_ii^2 of M = diag(m_1, m_2) falls by (m_1 - m_2)^2 sin(2 theta)^2 / 2 under a turn.")
    M, P = sp.diag(m_1, m_2), sp.diag(p_1, p_2)
    turn = sp.Matrix([[sp.cos(theta), -sp.sin(theta)], [sp.sin(theta), sp.cos(theta)]])
    change = {name: at(ss.landscape(loss), turn, M, P) - at(ss.landscape(loss), sp.eye(2), M, P)
              for name, loss in OUTPUTS.items()}  # fmt: skip
    half = sp.sin(2 * theta) ** 2 / 2
    proof.exact("raw Barlow Twins changes by", change["raw Barlow Twins"], -(1 - lambda_) * (m_1 - m_2) ** 2 * half)
    proof.exact("batch-normalised Barlow Twins, at lambda = 1, changes by", change["batch-normalised Barlow Twins"],
                -2 * (m_1 - m_2) * (p_1 - p_2) * half / epsilon**2)  # fmt: skip
    diagonal = (mu / (8 * sp.sqrt(epsilon) ** 3) - 2 * nu) / 2
    proof.exact("VICReg changes by", change["VICReg"], -diagonal * (p_1 - p_2) ** 2 * half)
    proof.exact("which vanishes at mu =", sp.solve(diagonal, mu), [16 * nu * sp.sqrt(epsilon) ** 3])

    proof.text("A change of sign or an exchange of outputs changes M_ij^2 at most by an exchange of places.")
    for name, move in {"a change of sign": sp.diag(1, -1), "an exchange": sp.Matrix([[0, 1], [1, 0]])}.items():
        for kind, loss in OUTPUTS.items():
            land = ss.landscape(loss)
            gap = at(land, move * W, A_0, Sigma) - at(land, W, A_0, Sigma)
            proof.exact(f"under {name} {kind} changes by", sp.expand(gap), sp.S.Zero)


if __name__ == "__main__":
    ss.present(prove)
