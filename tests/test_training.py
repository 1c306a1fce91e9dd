"""Linear heads trained on the losses as code runs them: against closed forms, each other, and the symmetries of the losses."""

import numpy as np
import pytest

import symscape as ss
from symscape.spectrum.ranks import entropy_rank
from symscape.training.train_head import train_head

#: The five losses, as released libraries compute them where these are libraries' names; VICReg with its hinges all active.
FIVE = (
    ss.SpectralContrastive(),
    ss.InfoNCE(tau=1),
    "barlow-twins-official/barlow-twins",
    ss.VICReg(mu=5),
    "lightly/ntxent",
)
SHIFT_INVARIANT = FIVE[1:4]


@pytest.fixture(scope="module")
def digits():
    """Two noisy views of the digits, 1797 x 64 each."""
    pixels, _ = ss.load_digits()
    rng = np.random.default_rng(0)
    return tuple(pixels + 0.3 * rng.normal(size=pixels.shape) for _ in range(2))


@pytest.fixture(scope="module")
def few(digits):
    """Some digits, in the eight features that vary most."""
    pixels = sum(digits) / 2
    _, _, axes = np.linalg.svd(pixels - pixels.mean(axis=0), full_matrices=False)
    return tuple(view[:400] @ axes[:8].T for view in digits)


def correlations(a, b):
    """Return the canonical correlations of two views about their mean, descending."""
    mean = (a.mean(axis=0) + b.mean(axis=0)) / 2
    moments = ss.Moments.from_views(a - mean, b - mean)
    half = np.linalg.inv(np.linalg.cholesky(moments["Sigma"]))
    return np.linalg.eigvalsh(half @ moments["A0"] @ half.T)[::-1]


def distance(p, q):
    """Return sum |p - q| / sum q."""
    return np.abs(p - q).sum() / q.sum()


# Against theory


@pytest.mark.parametrize("gamma", [0.0, 0.05, 1.0])
def test_the_spectral_head_is_the_closed_form(digits, gamma):
    """-2 Tr M + Tr P^2 + gamma |W|^2 at the rows' own moments: kept modes, spectrum and value, but for pairs i = j, O(1/N)."""
    a, b = digits
    moments = ss.Moments.from_views(a, b)
    theory = _theory(moments, gamma)
    head = train_head(ss.SpectralContrastive(), a, b, 16, weight_decay=gamma)
    p = head.spectrum(a, b)
    predicted = np.sort(theory.spectrum)[::-1][:16]
    assert head.converged
    assert (p > 1e-3 * p[0]).sum() == theory.surviving
    assert np.abs(p - predicted).max() < 0.01
    assert distance(p, predicted) < 0.01
    if gamma:
        other = _theory(moments, 2 * gamma)
        assert distance(p, np.sort(other.spectrum)[::-1][:16]) > 0.02


def _theory(moments, gamma):
    return ss.collapse(ss.landscape(ss.SpectralContrastive() + ss.WeightDecay(gamma)), **moments, d1=16)


@pytest.mark.parametrize("mu", [10, 100])
def test_vicreg_keeps_what_theory_keeps(digits, mu):
    """VICReg with hinges active everywhere (mu = 10), and with all of them at their kink (mu = 100): modes and spectrum."""
    loss = ss.VICReg(mu=mu)
    theory = ss.rotation_minimised(loss, correlations(*digits), d1=8)
    head = train_head(loss, *digits, 8)
    p = head.spectrum(*digits, centred=True)
    assert head.converged
    assert (p > 1e-3 * p[0]).sum() == len(theory.kept)
    assert distance(p, np.sort(theory.p)[::-1][:8]) < 0.01
    assert ("at their kink" in head.reason) == (mu == 100)


def test_infonce_keeps_the_modes_with_positive_b(digits):
    """With weight decay InfoNCE keeps as many modes as have b_i > 0 in the landscape of the covariances."""
    a, b = digits
    mean = (a.mean(axis=0) + b.mean(axis=0)) / 2
    moments = ss.Moments.from_views(a - mean, b - mean)
    theory = ss.collapse(ss.landscape(ss.InfoNCE(tau=1) + ss.WeightDecay(0.15)), **moments, d1=16)
    head = train_head(ss.InfoNCE(tau=1), a[::2], b[::2], 16, weight_decay=0.15)
    p = head.spectrum(a, b, centred=True)
    assert 0 < theory.surviving < 16
    assert abs((p > 1e-3 * p[0]).sum() - theory.surviving) <= 1


# Against each other


@pytest.mark.parametrize("loss", [*FIVE[:3], ss.VICReg(), FIVE[4]], ids=str)
def test_two_starts_lead_to_one_minimum(few, loss):
    """From random weights of other sizes: the same value to 1e-6, the same eigenvalues of P to 1e-4."""
    heads = [train_head(loss, *few, 4, rng=np.random.default_rng(k), scale=s) for k, s in ((1, 0.1), (2, 0.5))]
    p, q = (head.spectrum(*few, centred=True) for head in heads)
    assert all(head.converged for head in heads)
    assert abs(heads[0].value - heads[1].value) < 1e-6 * abs(heads[0].value)
    assert np.abs(p - q).max() < 1e-4 * q[0]
    assert heads[0].value < heads[0].value_at_start


@pytest.mark.parametrize("loss", FIVE, ids=str)
def test_sgd_comes_near(few, loss):
    """SGD untuned, on the same batches' mean loss as L-BFGS: value within 3 % of what training gains, spectrum within 5 %."""
    stochastic = train_head(loss, *few, 4, method="SGD", batch_size=200, steps=600)
    exact = train_head(loss, *few, 4, batch_size=200)
    p, q = (head.spectrum(*few, centred=True) for head in (stochastic, exact))
    gained = exact.value_at_start - exact.value
    assert stochastic.value - exact.value < 0.03 * gained
    assert distance(p, q) < 0.05


def test_hinges_at_their_kink_do_not_stop_the_descent(few):
    """At mu = 400 every output rests on its kink; from several starts one value, which no step nearby lowers."""
    heads = [train_head(ss.VICReg(mu=400), *few, 4, rng=np.random.default_rng(k)) for k in range(2)]
    sampled = ss.SampledLoss(ss.VICReg(mu=400), *few)
    W, rng = heads[0].W, np.random.default_rng(0)
    assert np.ptp([head.value for head in heads]) < 1e-5
    for size in (1e-1, 1e-2, 1e-3):
        step = size * rng.standard_normal((20, *W.shape)) * np.abs(W).max()
        assert min(sampled.value(W + h) for h in step) > heads[0].value
    assert abs(sampled.value(W) - heads[0].value) < 1e-12


def test_a_start_of_low_rank_is_left(few):
    """At W of rank one the gradient has rank one; training leaves the saddle all the same."""
    W = np.zeros((4, 8))
    W[0] = train_head(ss.SpectralContrastive(), *few, 1).W
    assert train_head(ss.SpectralContrastive(), *few, 4, W=W).value == pytest.approx(
        train_head(ss.SpectralContrastive(), *few, 4).value, abs=1e-9
    )


# Symmetries


@pytest.mark.parametrize(("loss", "size"), [("lightly/ntxent", "all"), ("barlow-twins-official/barlow-twins", "each")])
def test_outputs_whose_size_the_loss_does_not_see_keep_size_one(few, loss, size):
    """W -> c W changes no loss of cosines: Tr P = 1; batch normalisation none of any output: variance 1 each."""
    head = train_head(loss, *few, 4)
    large = train_head(loss, *few, 4, W=1000 * head.W)
    z = np.concatenate([head.representations(x) for x in few])
    measured = z.var(axis=0) if size == "each" else (z**2).mean(axis=0).sum()
    assert np.allclose(measured, 1.0, atol=1e-12)
    assert large.value == pytest.approx(head.value, rel=1e-9)
    assert np.abs(large.W).max() < 10 * np.abs(head.W).max()


def test_batch_normalised_outputs_may_decay(few):
    """With weight decay Barlow Twins' small constant is felt: outputs shrink, and the objective has a minimum."""
    head = train_head("barlow-twins-official/barlow-twins", *few, 4, weight_decay=1e-3)
    assert head.converged
    assert head.spectrum(*few, centred=True).sum() < 0.5


def test_features_in_other_units_make_the_same_head(few):
    """Columns in units from 1e-4 to 1e4 change W, and not the representations' loss and spectrum."""
    units = 10.0 ** np.linspace(-4, 4, 8)
    head, scaled = (train_head(ss.InfoNCE(tau=1), *(x * u for x in few), 4) for u in (1.0, units))
    assert scaled.value == pytest.approx(head.value, rel=1e-9)
    assert scaled.W * units == pytest.approx(head.W @ np.eye(8), abs=2.0)


def test_columns_without_data_get_no_weight(few):
    """A feature that is 0 in all rows, and one given twice: weights 0, and the least of the weights that add up."""
    padded = [np.column_stack([x, np.zeros(len(x)), x[:, 0]]) for x in few]
    head = train_head(ss.SpectralContrastive(), *padded, 4)
    assert not head.W[:, 8].any()
    assert np.allclose(head.W[:, 0], head.W[:, 9])
    assert head.value == pytest.approx(train_head(ss.SpectralContrastive(), *few, 4).value, rel=1e-9)


# Bias, decay, batches


@pytest.mark.parametrize("loss", SHIFT_INVARIANT, ids=str)
def test_a_bias_changes_no_shift_invariant_loss(few, loss):
    """InfoNCE of distances, Barlow Twins and VICReg: the same least value with a bias, decay or not."""
    for gamma in (0.0, 0.01):
        plain = train_head(loss, *few, 3, weight_decay=gamma)
        biased = train_head(loss, *few, 3, weight_decay=gamma, bias=True, W=plain.W)
        assert biased.value == pytest.approx(plain.value, rel=1e-7)


def test_a_bias_is_a_feature_of_value_one(few):
    """Without decay a bias and a column of ones are the same; decay acts on the weights of the column, not on the bias."""
    ones = [np.column_stack([x, np.ones(len(x))]) for x in few]
    for gamma in (0.0, 0.05):
        biased = train_head(ss.SpectralContrastive(), *few, 3, bias=True, weight_decay=gamma)
        column = train_head(ss.SpectralContrastive(), *ones, 3, weight_decay=gamma)
        assert biased.bias.shape == (3,) and column.bias is None
        assert (abs(biased.value - column.value) < 1e-8) == (gamma == 0)
    loss = ss.sampled_loss(ss.SpectralContrastive(), *(biased.representations(x) for x in few)).value
    assert biased.value == pytest.approx(loss + 0.05 * (biased.W**2).sum(), rel=1e-9)


def test_decay_in_the_loss_and_beside_it_are_one(few):
    """`loss + WeightDecay(gamma)` and weight_decay=gamma are the same objective, and add up."""
    inside = train_head(ss.InfoNCE() + ss.WeightDecay(0.02), *few, 3, bias=True)
    beside = train_head(ss.InfoNCE(), *few, 3, bias=True, weight_decay=0.02)
    both = train_head(ss.InfoNCE() + ss.WeightDecay(0.01), *few, 3, bias=True, weight_decay=0.01)
    assert inside.value == pytest.approx(beside.value, rel=1e-9)
    assert both.value == pytest.approx(beside.value, rel=1e-9)
    assert train_head(ss.InfoNCE(), *few, 3, bias=True, weight_decay=0.03).value > beside.value + 1e-3


def test_batches_are_the_practitioners_loss(few):
    """A loss of pairs on batches of 40 has another minimum than on all rows; on 1.5 batches the half one is left out."""
    whole, batched = (train_head("lightly/ntxent", *few, 3, batch_size=size) for size in (None, 40))
    z = [batched.representations(x) for x in few]
    rows = np.random.default_rng(5).permutation(len(z[0]))[:40]
    value = ss.sampled_loss("lightly/ntxent", *(x[rows] for x in z)).value
    assert abs(value - batched.value) < 0.3 < whole.value - batched.value
    cut = train_head(ss.SpectralContrastive(), *(x[:150] for x in few), 3, batch_size=100)
    assert cut.converged


def test_names_and_parameters_reach_the_loss(few):
    """A preset's setting, a symbol by name or in params=: one loss."""
    named = train_head("vicreg", *few, 3, nu=2, mu=5)
    symbolic = train_head(ss.VICReg.symbolic(), *few, 3, params={"lambda": 25, "mu": 5, "epsilon": 1e-4}, nu=2)
    assert named.value == pytest.approx(symbolic.value, rel=1e-9)
    assert abs(named.value - train_head("vicreg", *few, 3, mu=5).value) > 1e-3


def test_what_a_head_makes_of_features(few):
    """Eigenvalues of P: of both views, their mean; about zero or the mean; single precision rows are taken in double."""
    head = train_head(ss.SpectralContrastive(), *(x.astype(np.float32) for x in few), 3, bias=True)
    z = np.concatenate([x @ head.W.T + head.bias for x in few])
    assert head.spectrum(*few) == pytest.approx(np.linalg.eigvalsh(z.T @ z / len(z))[::-1])
    assert head.spectrum(*few, centred=True) == pytest.approx(np.linalg.eigvalsh(np.cov(z.T, bias=True))[::-1])
    assert entropy_rank(head.spectrum(few[0])) < 3.01
    assert head.converged
    assert "head of 3 x 8 with a bias" in str(head)
