"""X2: which losses have the same landscape, to which order, and up to what; each beside a wrong relation that must fail."""

import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape.conditions.equivalence.equivalence import differs_at, equivalence, equivalence_map
from symscape.conditions.equivalence.orders import same_closed_forms
from symscape.spectrum.closed_form.closed_form import closed_form

x, xp, chi = ss.anchor, ss.positive, ss.negative
tau, t, lambda_, c, w = sp.symbols("tau t lambda c w", positive=True)
n = sp.Symbol("n", positive=True, integer=True)
SPECTRAL, DOT = ss.SpectralContrastive(), ss.InfoNCE(tau=tau, similarity="dot")
UNIFORMITY = ss.Loss(ss.E(ss.sqdist(x, xp)) + sp.log(ss.E(sp.exp(-t * ss.sqdist(x, chi)))), name="align-uniformity")
ALL_ORDERS, SCALE, CONSTANT = "to all orders", "up to a factor and a scale of W", "equal up to a constant"
VALUES = {"tau": 0.7, "t": 1.3, "lambda": 0.4, "c": 3.0, "w": 0.2, "n": 7.0}


def assert_relation(found, factor=None, scale=None):
    """Assert L_a(W) = factor L_b(sqrt(scale) W) + constant with numbers, at random W and moments."""
    rng = np.random.default_rng(3)
    A0, C = (v @ v.T for v in rng.standard_normal((2, 4, 4)))
    W = rng.standard_normal((3, 4))

    def number(value):
        return float(value.subs({s: VALUES[s.name] for s in value.free_symbols - {ss.d_1}}).subs(ss.d_1, 3))

    factor, scale = (
        number(found.factor if factor is None else factor),
        number(found.scale if scale is None else scale),
    )
    a, b = (ss.landscape(loss, order=found.order).numpy() for loss in (found.loss_a, found.loss_b))
    given = {"A0": A0, "Sigma": A0 + C, "params": VALUES}
    left, right = a(W, **given), factor * b(np.sqrt(scale) * W, **given) + number(found.constant)
    assert left == pytest.approx(right, rel=1e-12), f"{left} is not {right}"


#: The relation, its reach, c and s by hand. Order 2: c s = a_2 / b_2, order 4: c s^2 = a_4 / b_4.
HOLDS = {
    # -1/tau against -2, 3/(4 tau^2) against 1.
    "InfoNCE and spectral": (ss.InfoNCE(tau=tau), SPECTRAL, SCALE, "to order 4", sp.Rational(1, 3), 3 / (2 * tau)),
    # log E_chi e^{f.f(chi)/tau} = f^T P f / (2 tau^2): -1/tau against -2, 1/(2 tau^2) against 1, and nothing beyond.
    "dot InfoNCE and spectral": (DOT, SPECTRAL, SCALE, ALL_ORDERS, sp.Rational(1, 2), 1 / tau),
    # The temperature is a scale of W.
    "InfoNCE and its temperature": (ss.InfoNCE(tau=tau), ss.InfoNCE(), SCALE, ALL_ORDERS, sp.S.One, 1 / tau),
    # A framework's weight decay w adds w/2: c x loss with w is c x (loss with w/c).
    "scale and weight decay": (
        c * ss.InfoNCE() + ss.WeightDecay(w / 2), ss.InfoNCE() + ss.WeightDecay(w / (2 * c)),
        "up to a factor", ALL_ORDERS, c, sp.S.One,
    ),
    "a constant": (ss.Loss(SPECTRAL.expr + 2, name="shifted"), SPECTRAL, CONSTANT, ALL_ORDERS, sp.S.One, sp.S.One),
    "a user's own loss": (
        ss.Loss(-ss.E(ss.dot(x, xp)) / tau + ss.E(ss.dot(x, chi) ** 2) / (2 * tau**2), name="mine"), DOT,
        "equal", ALL_ORDERS, sp.S.One, sp.S.One,
    ),
    # f -> 2 f in batch-normalised Barlow Twins is epsilon -> epsilon / 4.
    "epsilon is a scale": (
        ss.BarlowTwins(epsilon=1), ss.BarlowTwins(epsilon=sp.Rational(1, 4)),
        SCALE, "to order 4", sp.S.One, sp.Rational(1, 4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOLDS)
def test_x2_losses_of_one_landscape(name):
    """X2: pairs of losses have one landscape up to a constant, a factor c and a scale s of W, and no other c or s serve."""
    loss_a, loss_b, holds, reach, factor, scale = HOLDS[name]
    found = equivalence(loss_a, loss_b)
    assert (found.holds, found.reach) == (holds, reach)
    assert sp.simplify(found.factor - factor) == 0 and sp.simplify(found.scale - scale) == 0
    assert_relation(found)
    for wrong in ({"factor": factor * sp.Rational(51, 50)}, {"scale": scale * sp.Rational(51, 50)}):
        with pytest.raises(AssertionError):
            assert_relation(found, **wrong)


@pytest.mark.parametrize("name", HOLDS)
def test_x2_an_altered_loss_is_told_apart(name):
    """X2: five per cent of one term more, and the pair is another one, with the monomial that differs."""
    loss_a, loss_b, *_ = HOLDS[name]
    extra = ss.Loss(ss.E(ss.sqnorm(x)) / 20)
    altered = equivalence(loss_a + extra, loss_b)
    assert not altered and altered.difference.monomial == "Tr P"
    assert sp.simplify(altered.difference.first - altered.difference.second - sp.Rational(1, 20)) == 0


def test_x2_infonce_and_spectral_part_at_order_6():
    """X2: Euclidean InfoNCE and spectral differ from order 6 on, where InfoNCE has -2/3 Tr P^3 / tau^3; the dot form never."""
    assert differs_at(ss.InfoNCE(tau=tau), SPECTRAL) == 6
    assert equivalence(ss.InfoNCE(tau=tau), SPECTRAL, order=6).difference == ("Tr P³", -2 / (3 * tau**3), 0)
    assert differs_at(DOT, SPECTRAL, up_to=8) is None
    with pytest.raises(AssertionError):
        assert differs_at(ss.Loss(DOT.expr + ss.E(ss.dot(x, chi) ** 4) / 50), SPECTRAL) is None


def assert_population_relation(factor, scale, similarity, tolerance):
    """Assert InfoNCE(p) = factor * spectral(scale p) for Gaussian views and one output, by quadrature, at tau = 1."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    for p, r in ((0.05, 0.3), (0.2, 0.8)):
        f = np.sqrt(p) * nodes
        logits = np.outer(f, f) if similarity == "dot" else -((f[:, None] - f) ** 2) / 2
        negatives = weights @ np.log(np.exp(logits) @ weights)
        infonce = negatives + (-r * p if similarity == "dot" else (1 - r) * p)
        spectral = -2 * r * scale * p + (scale * p) ** 2
        assert infonce == pytest.approx(factor * spectral, abs=tolerance)


def test_x2_all_orders_against_gaussian_integrals():
    """X2: at any scale of W dot InfoNCE is half the spectral loss; Euclidean InfoNCE is a third of it near 0 only."""
    assert_population_relation(0.5, 1.0, "dot", 1e-12)
    for wrong in ((0.51, 1.0, "dot", 1e-5), (0.5, 1.02, "dot", 1e-5), (1 / 3, 1.5, "euclidean", 1e-5)):
        with pytest.raises(AssertionError):
            assert_population_relation(*wrong)


def test_x2_closed_forms_that_differ_slightly():
    """X2: closed forms are compared as functions of p, additive or not, at the same c and s."""
    one, unit = closed_form(ss.InfoNCE(tau=tau), pencil=True), closed_form(ss.InfoNCE(), pencil=True)
    assert same_closed_forms(one, unit, sp.S.One, 1 / tau)
    assert not same_closed_forms(one, unit, sp.S.One, sp.Rational(51, 50) / tau)
    assert not same_closed_forms(one, unit, sp.Rational(51, 50), 1 / tau)
    # A function of Tr P that is not additive, invented here.
    twice, single = (ss.Loss(k * sp.exp(s * ss.E(ss.sqnorm(x)))) for k, s in ((2, 3), (1, 1)))
    found = equivalence(twice, single)
    assert (found.factor, found.scale, found.reach) == (2, 3, "to all orders")
    assert same_closed_forms(closed_form(twice), closed_form(single), sp.Integer(2), sp.Integer(3))
    assert not same_closed_forms(closed_form(twice), closed_form(single), sp.Integer(2), sp.Rational(31, 10))


def test_x2_raw_barlow_twins_is_not_spectral():
    """X2: raw Barlow Twins at lambda = 1 has Tr M^2 where spectral has Tr P^2; lambda = 1 is its only equal among lambda."""
    found = equivalence(ss.BarlowTwins(), SPECTRAL)
    assert not found and found.difference == ("Tr M²", 1, 0) and found.conditions == sp.false
    family = equivalence(ss.BarlowTwins(lambda_=lambda_), ss.BarlowTwins())
    assert not family and family.conditions == sp.Eq(lambda_, 1) == family.equal_when
    assert family.cases[0][1].holds == "equal"


def test_x2_alignment_uniformity_is_infonce_at_one_t():
    """X2: alignment + uniformity has (2 - 2t) Tr P beside -2 Tr M + 4 t^2 Tr P^2: InfoNCE at t = 1 only, to order 4."""
    found = equivalence(UNIFORMITY, ss.InfoNCE(tau=tau))
    assert not found and found.difference == ("Tr P", 2 - 2 * t, 0) and found.conditions == sp.Eq(t, 1)
    ((_, case),) = found.cases
    # c s = 2 tau, c s^2 = 16 tau^2 / 3.
    assert (case.factor, case.scale, case.reach) == (sp.Rational(3, 4), 8 * tau / 3, "to order 4")
    assert_relation(case)
    assert differs_at(case.loss_a, case.loss_b) == 6
    # With alignment weighted by t the quadratic part is InfoNCE's at every t.
    weighted = ss.Loss(t * ss.E(ss.sqdist(x, xp)) + sp.log(ss.E(sp.exp(-t * ss.sqdist(x, chi)))))
    assert_relation(equivalence(weighted, ss.InfoNCE(tau=tau)))


def test_x2_many_negatives_are_a_limit():
    """X3: at finite n InfoNCE has terms of its own, (Tr M)^2 n / (2 (n + 1)^2); as n -> oo the landscapes are equal."""
    finite = equivalence(ss.InfoNCE(n=n), ss.InfoNCE())
    assert not finite and finite.difference == ("(Tr M)²", n / (2 * (n + 1) ** 2), 0)
    assert equivalence(ss.InfoNCE(n=n), ss.InfoNCE(), order=6, limit={n: sp.oo}).holds == "equal"
    for wrong in (sp.Rational(51, 50) * ss.InfoNCE(), ss.InfoNCE(tau=sp.Rational(51, 50))):
        assert equivalence(ss.InfoNCE(n=n), wrong, limit={n: sp.oo}).holds != "equal"
    with pytest.raises(ss.InputError, match="no limit"):
        equivalence(n * ss.InfoNCE(), ss.InfoNCE(), limit={n: sp.oo})


def test_x2_signs_matter():
    """X2: a landscape turned over is another one; a factor of unknown sign is a condition."""
    assert not equivalence(-SPECTRAL, SPECTRAL)
    factor = sp.Symbol("u", real=True)
    found = equivalence(factor * SPECTRAL, SPECTRAL)
    assert found.holds == "up to a factor" and found.conditions == (factor > 0) and found.equal_when == sp.Eq(factor, 1)


def test_x2_beyond_second_moments():
    """X2: with a mean InfoNCE ignores it and spectral does not; beyond Gaussian views the dot form has the spectral order 4."""
    assert equivalence(ss.InfoNCE(), SPECTRAL, data=ss.GaussianViews(mean=True)).difference == ("|W mean|²", 0, -1)
    found = equivalence(ss.InfoNCE(similarity="dot"), SPECTRAL, data=ss.CumulantViews())
    assert found.holds == "up to a factor" and found.reach == "to order 4"  # f^T P f needs Gaussian negatives beyond
    assert not equivalence(ss.InfoNCE(), SPECTRAL, data=ss.CumulantViews())


def test_x2_map_of_the_catalogue():
    """X2: at order 4 InfoNCE, its dot form and spectral are one class; every other loss of the catalogue stands alone."""
    losses = [ss.InfoNCE(), ss.InfoNCE(similarity="dot"), SPECTRAL, ss.BarlowTwins(), ss.NTXent(), ss.VICReg()]
    table = equivalence_map(losses)
    assert table.classes == ((0, 1, 2), (3,), (4,), (5,))
    assert str(table).splitlines()[2].split()[-7:] == ["c,s", "=", "c*", "no", "no", "series", "no"]
    assert table.latex().count(r"\\") == 7
    assert equivalence_map([ss.InfoNCE(), SPECTRAL], order=6).classes == ((0,), (1,))
    assert len(equivalence_map().losses) >= 5


def test_x2_what_is_no_loss():
    """X2: anything but two losses is refused in words; a loss without a series asks for its way out."""
    with pytest.raises(ss.InputError, match="wrap an expression in Loss"):
        equivalence(sp.Symbol("y"), SPECTRAL)
    with pytest.raises(ss.ScaleInvariantError):
        equivalence(ss.NTXent(), SPECTRAL)
