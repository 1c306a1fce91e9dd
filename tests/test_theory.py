"""The results T1, T2, T3, X3 and X4 of the theory, one sentence each, beside a wrong formula that must fail."""

import numpy as np
import pytest
import sympy as sp

import symscape as ss

W, A, S = ss.W, ss.A_0, ss.Sigma
tau, epsilon, gamma = sp.symbols("tau epsilon gamma", positive=True)
n = sp.Symbol("n", positive=True, integer=True)


def tr(*moments):
    """The trace of a product of W S W^T."""
    return sp.Trace(sp.MatMul(*[factor for m in moments for factor in (W, m, W.T)]))


def assert_landscape(loss, expected, order=4):
    """Assert that the landscape of a loss is a displayed expression."""
    found = ss.landscape(loss, order=order).expr
    gap = found - expected
    traces = {trace: sp.Dummy() for trace in gap.atoms(sp.Trace)}
    assert sp.simplify(gap.xreplace(traces)) == 0, f"{found} is not {expected}"


LANDSCAPES = {
    # T1, THEORY section 3: conventions to check against.
    "InfoNCE, n = oo, tau = 1": (ss.InfoNCE(), -tr(A) + sp.Rational(3, 4) * tr(S, S)),
    "spectral contrastive": (ss.SpectralContrastive(), -2 * tr(A) + tr(S, S)),
    "InfoNCE at temperature tau": (ss.InfoNCE(tau=tau), -tr(A) / tau + 3 * tr(S, S) / (4 * tau**2)),
    # log E_chi e^{f.f(chi)/tau} = f^T P f / (2 tau^2): half of Tr P^2 / tau^2.
    "InfoNCE of dot products": (ss.InfoNCE(tau=tau, similarity="dot"), -tr(A) / tau + tr(S, S) / (2 * tau**2)),
    # -E f.f'/(tau eps) (1 - |f|^2/(2 eps) - |f'|^2/(2 eps)), with E |f|^2 f.f' = Tr P Tr M + 2 Tr P M.
    "NT-Xent, smooth": (
        ss.NTXent(tau=tau, epsilon=epsilon),
        -tr(A) / (tau * epsilon) + (tr(A) * tr(S) + 2 * tr(A, S)) / (tau * epsilon**2) + tr(S, S) / (2 * (tau * epsilon) ** 2),
    ),
    # sum_i (1 - M_ii)^2 + sum_{i != j} M_ij^2 = d1 - 2 Tr M + Tr M^2.
    "Barlow Twins, raw, lambda = 1": (ss.BarlowTwins(), ss.d_1 - 2 * tr(A) + tr(A, A)),
    # X3: with u = e^{-d+} + sum_j e^{-d_j}, log(u / (n+1)) to second order in the distances; exact in n.
    "InfoNCE, n negatives": (
        ss.InfoNCE(n=n),
        n / (n + 1) * (-tr(A) + sp.Rational(3, 4) * tr(S, S))
        + n / (n + 1) ** 2 * (tr(A) ** 2 / 2 + tr(A, A) / 2 - tr(A, S)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LANDSCAPES)
def test_t1_effective_landscapes(name):
    """T1, X3: the effective landscape at order 4 of every rotation-invariant loss is the displayed one, and no other."""
    loss, expected = LANDSCAPES[name]
    assert_landscape(loss, expected)
    for wrong in (sp.Rational(51, 50) * expected, expected + tr(S, S) / 50):
        with pytest.raises(AssertionError):
            assert_landscape(loss, wrong)


def test_t1_barlow_twins_and_vicreg_count_outputs_apart():
    """T1: at lambda != 1, and in VICReg, diagonals enter: sum_i M_ii^2 = Tr M o M."""
    lambda_ = sp.Symbol("lambda", positive=True)
    M = W * A * W.T
    assert_landscape(
        ss.BarlowTwins(lambda_=lambda_),
        ss.d_1 - 2 * tr(A) + lambda_ * tr(A, A) + (1 - lambda_) * sp.Trace(sp.HadamardProduct(M, M)),
    )
    # 1 - sqrt(P_jj + 1/4) = 1/2 - P_jj + P_jj^2 - ...
    diagonal = sp.Trace(sp.HadamardProduct(W * S * W.T, W * S * W.T))
    invariance, variance, covariance = 2 * tr(S) - 2 * tr(A), diagonal - tr(S), 2 * (tr(S, S) - diagonal)
    assert_landscape(
        ss.VICReg(lambda_=1, mu=1, nu=1, epsilon=sp.Rational(1, 4)),
        sp.Rational(1, 2) + (invariance + variance + covariance) / ss.d_1,
    )


def assert_invariant(loss, transform, **arguments):
    """Assert that the landscape has the same value at W and at its transform."""
    rng = np.random.default_rng(5)
    features = rng.standard_normal((4, 4))
    A0 = features @ features.T
    f = ss.landscape(loss).numpy()
    weights = rng.standard_normal((3, 4)) / 3
    moments = {"A0": A0, "Sigma": A0 + np.eye(4), **arguments}
    np.testing.assert_allclose(f(transform(weights), **moments), f(weights, **moments), rtol=1e-12)


def rotated(weights):
    """W -> O W with O orthogonal."""
    orthogonal, _ = np.linalg.qr(np.random.default_rng(6).standard_normal((3, 3)))
    return orthogonal @ weights


@pytest.mark.parametrize(
    "loss", [ss.InfoNCE(), ss.NTXent(epsilon=1), ss.SpectralContrastive(), ss.BarlowTwins()], ids=repr
)
def test_t2_rotation_and_reflection(loss):
    """T2: losses of dot products, cosines and distances keep W -> O W; so does raw Barlow Twins at lambda = 1."""
    assert_invariant(loss, rotated)
    assert_invariant(loss, np.negative)


@pytest.mark.parametrize(
    "loss", [ss.BarlowTwins(lambda_=2), ss.BarlowTwins(epsilon=1), ss.VICReg(epsilon=0.5)], ids=repr
)
def test_t2_losses_of_single_outputs_do_not_rotate(loss):
    """T2: raw Barlow Twins at lambda != 1, batch-normalised Barlow Twins and VICReg keep W -> -W but not W -> O W."""
    assert_invariant(loss, np.negative)
    with pytest.raises(AssertionError):
        assert_invariant(loss, rotated)


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("loss", [ss.InfoNCE(), ss.NTXent(epsilon=1), ss.SpectralContrastive(), ss.VICReg()], ids=repr)
def test_t2_the_origin_is_stationary(loss, mean):
    """T2: every loss of second-degree words has a vanishing gradient at (W, b) = 0, with a mean and a bias too."""
    land = ss.landscape(loss, data=ss.GaussianViews(mean=mean), bias=True)
    moments = {"A0": np.eye(3), "Sigma": 2 * np.eye(3), "b": np.zeros(2)}
    dW, db = land.numpy().gradient(np.zeros((2, 3)), **moments, **({"mean": np.ones(3) / 2} if mean else {}))
    assert not dW.any() and not db.any()


def numeric_hessian(loss, A0, Sigma, d1, **parameters):
    """Central differences of the gradient at W = 0."""
    f, step, size = ss.landscape(loss).numpy(), 1e-4, d1 * len(A0)
    rows = []
    for k in range(size):
        W = np.zeros(size)
        W[k] = step
        up, down = (f.gradient(sign * W.reshape(d1, -1), A0=A0, Sigma=Sigma, **parameters) for sign in (1, -1))
        rows.append(((up - down) / (2 * step)).ravel())
    return np.array(rows)


B_OF = {
    "InfoNCE": (ss.InfoNCE(tau=2), A / 2),
    "InfoNCE with weight decay": (ss.InfoNCE() + ss.WeightDecay(sp.Rational(1, 10)), A - sp.Identity(ss.d_0) / 10),
    "InfoNCE, n = 3": (ss.InfoNCE(n=3), sp.Rational(3, 4) * A),
    "spectral": (ss.SpectralContrastive(), 2 * A),
    "VICReg": (ss.VICReg(epsilon=sp.Rational(1, 4), lambda_=1, mu=1), (2 * A - S) / ss.d_1),
}


@pytest.mark.parametrize("name", B_OF)
def test_t3_hessian_at_the_origin(name):
    """T3: the Hessian at W = 0 is -2 B for each row of W, B a combination of A_0, Sigma and, for weight decay, 1."""
    loss, expected = B_OF[name]
    A0, Sigma = np.diag([3.0, 1.0, 0.25]) + 0.2, np.diag([4.0, 2.0, 1.25]) + 0.2
    numbers = {A: sp.ImmutableMatrix(A0), S: sp.ImmutableMatrix(Sigma), ss.d_0: 3, ss.d_1: 2}

    def numeric(B):
        return np.array(B.xreplace(numbers).doit().as_explicit(), dtype=float)

    hessian = numeric_hessian(loss, A0, Sigma, d1=2)
    np.testing.assert_allclose(numeric(ss.landscape(loss).hessian.B), numeric(expected), rtol=1e-14)
    np.testing.assert_allclose(hessian, np.kron(np.eye(2), -2 * numeric(expected)), atol=2e-4 * abs(hessian).max())
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(
            hessian, np.kron(np.eye(2), -2.1 * numeric(expected)), atol=2e-4 * abs(hessian).max()
        )


def test_t3_where_augmentation_competes_with_data():
    """T3: InfoNCE, spectral and Barlow Twins have no augmentation in B; in VICReg it competes with the data as soon as
    4 lambda sqrt(epsilon) > mu."""
    for loss in (ss.InfoNCE.symbolic(), ss.SpectralContrastive(), ss.BarlowTwins.symbolic(), ss.NTXent.symbolic()):
        assert ss.landscape(loss).hessian.augmentation == 0
        assert ss.landscape(loss).hessian.competition is False
    assert ss.landscape(ss.VICReg.symbolic()).hessian.competition is None
    assert ss.landscape(ss.VICReg(epsilon=sp.Rational(1, 4), lambda_=1, mu=1)).hessian.competition is True
    assert ss.landscape(ss.VICReg(epsilon=sp.Rational(1, 4), lambda_=1, mu=3)).hessian.competition is False


def test_x3_many_negatives_are_the_population_limit():
    """X3: as n grows, the landscape of n negatives goes to that of n = oo, coefficient by coefficient."""
    finite, limit = ss.landscape(ss.InfoNCE(n=n)), ss.landscape(ss.InfoNCE())
    limits = {m: c for m, e in finite.terms if (c := sp.limit(e, n, sp.oo)) != 0}
    assert limits == dict(limit.terms)
    assert ss.landscape(ss.InfoNCE(n=1000)) != limit


def test_x4_cumulants_of_the_catalogue():
    """X4: at order 4 InfoNCE gains kappa[xx|xx] / (8 tau^2), smooth NT-Xent kappa[xx|xx'] / (tau epsilon^2); dot products,
    spectral, Barlow Twins and VICReg gain nothing."""
    xx, xy = ("x", "x"), ("x", "x'")
    infonce = dict(ss.landscape(ss.InfoNCE(tau=tau), data=ss.CumulantViews()).terms)
    assert infonce[(("cumulant4", (xx, xx)),)] == 1 / (8 * tau**2)
    ntxent = dict(ss.landscape(ss.NTXent(tau=tau, epsilon=epsilon), data=ss.CumulantViews()).terms)
    assert ntxent[(("cumulant4", (xx, xy)),)] == 1 / (tau * epsilon**2)
    for loss in (ss.InfoNCE(similarity="dot"), ss.SpectralContrastive(), ss.BarlowTwins.symbolic(), ss.VICReg()):
        terms = ss.landscape(loss, data=ss.CumulantViews()).terms
        assert terms == ss.landscape(loss).terms


def test_scale_carries_over():
    """c times a loss with decay w is the loss with w / c, times c (LOSSES): landscapes are linear in the loss."""
    c = sp.Symbol("c", positive=True)
    scaled = c * ss.InfoNCE() + ss.WeightDecay(gamma)
    assert ss.landscape(scaled) == ss.landscape(c * (ss.InfoNCE() + ss.WeightDecay(gamma / c)))
    assert ss.landscape(scaled) != ss.landscape(c * (ss.InfoNCE() + ss.WeightDecay(gamma)))
    assert ss.gamma_from_weight_decay(sp.Symbol("w", positive=True)) == sp.Symbol("w", positive=True) / 2
