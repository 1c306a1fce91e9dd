"""Presets: the population expression of each is the limit of what its library computes, and everything about it is told."""

import json
import sys

import batch_reference
import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape.cli.app import main
from symscape.errors import InputError, NotAnalyticError, ScaleInvariantError, UnknownNameError
from symscape.losses.catalogue import find_loss, make_loss
from symscape.losses.collapsed_value import N, collapsed_value, fourth_powers, squared_length
from symscape.losses.language import d_1
from symscape.losses.loss import Loss
from symscape.losses.presets.presets import PRESETS, preset, presets
from symscape.losses.stuck_at import stuck_at
from symscape.sampling.sampled_loss import SampledLoss

#: Temperatures at which a log of a mean over a few hundred data is close to its limit; no clipping.
MILD = {"tau": 2, "c": 3, "t": 1, "b": -1, "mu": 1000, "base": 1}
EXPRESSED = [name for name in presets() if name != "lightly/w-mse"]


def mild(name):
    """Return a preset at mild settings, where 400 data are many."""
    recipe = PRESETS[name]
    settings = {key: value for key, value in MILD.items() if key in recipe.defaults and "vicreg" not in name}
    if "loss_dim" in recipe.defaults:
        settings["loss_dim"] = sp.oo
    if "lambda_" in recipe.defaults and "vicreg" not in name:
        settings["lambda_"] = 1
    if "base" in recipe.defaults:
        settings["base"] = sp.Rational(1, 2)
    return recipe.make(settings)


def exchangeable_views(data=400, outputs=3):
    """Two views with the same empirical distribution: every pair in both orders."""
    rng = np.random.default_rng(3)
    datum = rng.normal(size=(data // 2, outputs)) @ (np.diag([0.6, 1.0, 1.6]) + 0.3)
    a, b = ((datum + 0.4 * rng.normal(size=datum.shape)) / 2 for _ in range(2))
    return np.concatenate([a, b]), np.concatenate([b, a])


def assert_population_is_the_limit(loss, expr):
    """Assert that the batch form and an expression rise from collapse by the same, to the O(1/N) that 400 data leave."""
    a, b = exchangeable_views()
    n = {"n": len(a) - 1}
    sizes = {N: len(a), d_1: a.shape[1], squared_length: 1, sp.Symbol("n", integer=True, positive=True): n["n"]}
    collapsed = [float(collapsed_value(one).xreplace(sizes)) for one in (loss, Loss(expr))]
    on_batch = batch_reference.loss_on_batch(loss, a, b)
    in_population = SampledLoss(Loss(expr).with_values(n), a, b).value()
    rise, right = on_batch - collapsed[0], in_population - collapsed[1]
    assert abs(rise - right) < 0.01 * abs(right), f"{rise} for {right}"


@pytest.mark.parametrize("name", EXPRESSED)
def test_the_expression_is_the_limit_of_the_library_value(name):
    """Factors, temperatures, which variances, which pairs: a factor 3 % off does not pass."""
    loss = mild(name)
    assert_population_is_the_limit(loss, loss.expr)
    for wrong in (sp.Rational(97, 100), sp.Rational(103, 100)):
        with pytest.raises(AssertionError):
            assert_population_is_the_limit(loss, wrong * loss.expr)


def test_landscapes_of_training_scripts():
    """Factors are part of the loss: SimCLR's 2, SupCon's tau / base, VISSL's .024, the doubled mu of solo-learn."""
    plain = ss.landscape(preset("lightly/ntxent", tau=0.1, epsilon=1))
    assert ss.landscape(preset("simclr-tf/ntxent", epsilon=1)) == ss.landscape(2 * Loss(plain.loss.expr))
    sevenfold = sp.Rational(50, 7) * Loss(preset("lightly/ntxent", epsilon=1).expr)
    assert ss.landscape(preset("supcon/self-supervised", epsilon=1)) == ss.landscape(sevenfold)
    vissl = ss.landscape(sp.Rational(24, 1000) * ss.BarlowTwins(0.0051, epsilon=1e-5))
    assert ss.landscape(preset("vissl/barlow-twins")) == vissl != ss.landscape(preset("lightly/barlow-twins"))
    assert ss.landscape(preset("solo-learn/vicreg")) == ss.landscape(ss.VICReg(mu=50))
    assert ss.landscape(preset("vicreg-official/vicreg")) == ss.landscape(ss.VICReg())
    assert ss.landscape(preset("pml/ntxent-euclidean", c=2)) == ss.landscape(ss.InfoNCE())
    assert ss.landscape(preset("spectral-official/spectral", mu=10)) == ss.landscape(ss.SpectralContrastive() / 10)


def test_directclr_is_ntxent_of_its_first_outputs():
    """W stands for the first outputs, so the expression is that of all outputs."""
    assert preset("lightly/directclr", loss_dim=2).expr == preset("lightly/ntxent").expr
    assert preset("lightly/directclr").batch == preset("lightly/ntxent").batch


def test_siglip_has_n_negatives_for_each_positive():
    """(1/N) sum over all pairs: N - 1 negatives per positive, n a parameter; smooth in nothing at W = 0 but the cosines."""
    n = sp.Symbol("n", integer=True, positive=True)
    found = preset("open-clip/siglip")
    assert set(found.parameters) == {"n"}
    assert sp.expand(found.expr).coeff(n) == sp.expand(
        preset("open-clip/siglip", n=1).expr - found.expr.xreplace({n: 0})
    )


# What is told


def test_presets_say_what_they_are():
    assert len(set(presets())) == len(presets()) > 40
    for name in presets():
        found = preset(name)
        assert isinstance(found, Loss) and found.name == name == f"{found.library}/{name.split('/')[1]}"
        again = eval(repr(found), {"preset": preset, "n": sp.Symbol("n", integer=True, positive=True), "oo": sp.oo})
        assert again.batch == found.batch and again.settings == found.settings
        assert found.settings.keys() == found.defaults.keys()
        assert all(note == note.strip() and note for note in found.notes)


@pytest.mark.parametrize("spelling", ["Solo-Learn/VICReg", "sololearn/vicreg", "SOLO_LEARN/VIC-Reg"])
def test_case_and_hyphens_are_ignored(spelling):
    assert preset(spelling).name == find_loss(spelling).command == "solo-learn/vicreg"


def test_settings_replace_defaults_and_are_checked():
    tau = sp.Symbol("tau", positive=True)
    assert preset("lightly/ntxent", tau=tau).expr == ss.NTXent(tau=tau).expr
    assert preset("lightly/vicreg", mu=10).settings["mu"] == 10
    assert preset("lightly/barlow-twins", **{"lambda": 1}).settings["lambda_"] == 1
    assert make_loss("lightly/ntxent", {"tau": 0.2}) == preset("lightly/ntxent", tau=0.2) != preset("lightly/ntxent")


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("lightly/ntxent", {"tau": -1}, r"lightly/ntxent\(tau=-1\): tau is positive"),
        ("lightly/ntxent", {"tua": 1}, "no parameter 'tua'; it has: tau, epsilon"),
        ("lightly/vicreg", {"mu": -1}, "mu is not negative"),
        ("lightly/vicreg", {"mu": sp.oo}, "finite real"),
        ("lightly/directclr", {"loss_dim": 1.5}, "positive integer"),
        ("open-clip/siglip", {"n": 0}, "n is positive"),
        ("open-clip/siglip", {"b": sp.I}, "finite real"),
        ("lightly/tico", {"beta": 2}, "between 0 and 1"),
        ("lightly/ntxent", {"tau": "small"}, "small"),
        ("lightly/vicrge", {}, "did you mean 'lightly/vicreg'"),
        ("vicreg", {}, "'vicreg-official/vicreg' or 'lightly/vicreg'"),
        ("simclr", {}, "'simclr-tf/ntxent'"),
        ("moco", {}, "queue of keys"),
        ("MoCo-v2/infonce", {}, "queue of keys"),
        ("nothing-like-it", {}, r"presets\(\) lists them"),
        (3, {}, "the name is a text"),
    ],
)
def test_bad_names_and_settings_are_told(name, settings, says):
    with pytest.raises(InputError, match=says):
        preset(name, **settings)


def test_weight_decay_is_converted_only_where_it_is_a_term_of_the_loss():
    """Coupled decay w is gamma = w / 2; under LARS it is no gradient of a loss."""
    assert preset("simsiam-official/simsiam").gamma == sp.Rational(1, 20000)
    vicreg = preset("vicreg-official/vicreg")
    assert vicreg.weight_decay == 1e-6 and vicreg.gamma is None and "LARS" in vicreg.notes[-1]
    assert preset("lightly/ntxent").weight_decay is None


@pytest.mark.parametrize("name", presets("simsiam") + presets("byol"))
def test_a_constant_target_is_told(name):
    """SimSiam and BYOL do not follow the gradient of their value, whose least value is reached at collapse."""
    assert any("no gradient" in note for note in preset(name).notes)
    a, _ = exchangeable_views(20)
    assert SampledLoss(preset(name), a, 2 * a).value() == pytest.approx(float(collapsed_value(preset(name))), abs=1e-12)


WHITENED = preset("lightly/w-mse")


@pytest.mark.parametrize(
    "loss",
    [WHITENED, 2 * WHITENED, WHITENED + ss.WeightDecay(1), ss.WeightDecay(1) + WHITENED, ss.InfoNCE() - WHITENED],
)
def test_w_mse_has_a_value_and_no_landscape(loss):
    """No expression says a Cholesky factor: every derivation of it, or of a sum with it, stops with that reason."""
    for derive in (ss.landscape, ss.facts, ss.collapse, lambda loss: loss.expr):
        with pytest.raises(InputError, match=r"W-MSE has no expression.*Cholesky"):
            derive(loss, **({"A0": [[1]], "Sigma": [[2]], "d1": 1} if derive is ss.collapse else {}))
    a, b = exchangeable_views(20)
    assert np.isfinite(SampledLoss(loss, a, b).value(np.eye(3)))


@pytest.mark.parametrize("name", presets())
def test_a_landscape_or_the_reason_why_not(name):
    """Cosines have no series without epsilon, deviations none at all; every other preset has its landscape."""
    deviation = name in ("stable-pretraining/barlow-twins", "monai/barlow-twins")
    if name == "lightly/w-mse":
        return
    expr = preset(name).expr
    if deviation:
        with pytest.raises(NotAnalyticError):
            ss.landscape(preset(name))
    elif ss.facts(preset(name)).scale_invariant:
        with pytest.raises(ScaleInvariantError):
            ss.landscape(preset(name))
        if "epsilon" in preset(name).defaults:
            assert ss.landscape(preset(name, epsilon=1)).order == 4
    else:
        assert ss.landscape(preset(name)) == ss.landscape(Loss(expr))


# Values at complete collapse


BASELINES = {
    "lightly/ntxent": sp.log(2 * N - 1),
    "simclr-tf/ntxent": 2 * sp.log(2 * N - 1),
    "info-nce-pytorch/infonce": sp.log(N),
    "lightly/dcl": sp.log(2 * N - 2),
    "lightly/barlow-twins": d_1,
    "vicreg-official/vicreg": sp.Rational(99, 4),
    "solo-learn/vicreg": sp.Rational(99, 2),
    "lightly/align-uniform": 0,
    "solo-learn/byol": 0,
    "lightly/simsiam": -1,
}


@pytest.mark.parametrize("name", BASELINES)
def test_values_at_collapse_that_users_meet(name):
    assert sp.simplify(collapsed_value(preset(name)) - BASELINES[name]) == 0


CATALOGUE = [ss.InfoNCE(), ss.NTXent(), ss.InfoNCE(n=4), ss.SpectralContrastive(), ss.BarlowTwins(0.3)]
CATALOGUE += [ss.BarlowTwins(0.3, epsilon=1), ss.VICReg(), 3 * ss.VICReg(mu=2) - ss.BarlowTwins(epsilon=0.1)]


def assert_collapsed(loss, value):
    """Assert the value of a loss at a batch of 6 equal rows of 4 outputs, none of them zero."""
    point = np.array([0.5, -0.25, 1.0, 0.125])
    a = np.tile(point, (6, 1))
    numbers = {squared_length: (point**2).sum(), fourth_powers: (point**4).sum()}
    found = float(value.xreplace(numbers))
    assert abs(found - batch_reference.loss_on_batch(loss, a, a)) < 1e-12
    if not any(form.__class__.__name__ == "CrossEntropy" and form.negatives != sp.oo for _, form in loss.batch):
        assert abs(found - SampledLoss(loss.with_values({"n": 5}), a, a).value()) < 1e-12


@pytest.mark.parametrize("loss", [*map(preset, EXPRESSED), *CATALOGUE], ids=repr)
def test_value_at_collapse_is_that_of_equal_rows(loss):
    """The symbolic value against the definition, and the evaluator, on equal rows; 1 % off is seen where it is not 0."""
    if "360" in repr(loss):
        loss = preset("directclr-official/directclr", loss_dim=3)
    value = collapsed_value(loss, batch_size=6, d1=4)
    if any(getattr(form, "negatives", sp.oo) != sp.oo for _, form in loss.batch):
        assert value == 0
        return
    assert_collapsed(loss, value)
    if value != 0:
        with pytest.raises(AssertionError):
            assert_collapsed(loss, value * sp.Rational(101, 100))


def test_expressions_collapse_like_forms():
    """A user's own loss: inner products are |c|^2, distances 0, centred moments 0."""
    x, xp, chi = ss.anchor, ss.positive, ss.negative
    mine = Loss(ss.E(ss.sqdist(x, xp)) + sp.log(ss.E(sp.exp(-2 * ss.sqdist(x, chi)))) + ss.E(ss.dot(x, chi) ** 2))
    assert collapsed_value(mine) == squared_length**2
    assert collapsed_value(Loss(ss.VICReg(mu=3).expr)) == collapsed_value(ss.VICReg(mu=3))
    assert collapsed_value(Loss(ss.InfoNCE(n=4).expr)) == 0
    i, j = ss.outputs("i j")
    pairs = ss.output_sum((1 - ss.P(i, j, centred=True)) ** 2, i, j, distinct=True)
    assert sp.expand(collapsed_value(Loss(pairs)) - d_1 * (d_1 - 1)) == 0
    with pytest.raises(InputError, match="depends on the point"):
        collapsed_value(Loss(ss.BarlowTwins().expr))
    gamma = sp.Symbol("gamma", positive=True)
    assert collapsed_value(ss.VICReg() + ss.WeightDecay(gamma)) == sp.Rational(99, 4) + gamma * ss.weight_norm()


def test_where_there_is_no_value_at_collapse():
    for loss in (preset("lightly/w-mse"), ss.BarlowTwins(epsilon=0)):
        with pytest.raises(InputError, match="at complete collapse"):
            collapsed_value(loss)
    with pytest.raises(InputError, match="batch_size=1"):
        collapsed_value(preset("lightly/ntxent"), batch_size=1)
    with pytest.raises(InputError, match="is a Loss"):
        collapsed_value(6.93)
    with pytest.raises(InputError, match="d1=0"):
        collapsed_value("lightly/ntxent", d1=0)
    with pytest.raises(UnknownNameError, match="did you mean"):
        collapsed_value("lightly/ntxnt")


def test_losses_by_name():
    assert collapsed_value("lightly/ntxent") == collapsed_value(preset("lightly/ntxent"))
    assert collapsed_value("vicreg") == collapsed_value(ss.VICReg())
    by_loss, by_name, alone = (
        stuck_at(6.93, losses=losses)
        for losses in ([preset("lightly/ntxent")], iter(["lightly/ntxent"]), "lightly/ntxent")
    )
    assert by_loss == by_name == alone == stuck_at(6.93, losses=preset("lightly/ntxent")) and len(alone) == 1
    assert repr(alone) == str(alone) and "N = 512" in repr(alone)
    with pytest.raises(UnknownNameError):
        stuck_at(6.93, losses="lightly/ntxnt")


#: What log(1023) is printed as: by Python from float32 and float64, by NumPy, by a logger.
PRINTED = [
    6.930495262145996,
    6.9304951590,
    np.float64(6.930495),
    np.float32(6.930495),
    np.float64(6.93),
    np.float32(6.93),
    np.array(6.9305),
    693.05e-2,
]


@pytest.mark.parametrize("value", PRINTED, ids=repr)
def test_what_a_script_prints_is_found(value):
    assert 512 in stuck_at(value, losses="lightly/ntxent").rows[0].sizes


def test_what_a_script_does_not_print_is_not_found():
    """A millionth is a few units of float32: 3e-6 of the value, and more digits than NumPy prints of float32, are far off."""
    assert not stuck_at(6.930495 * (1 + 3e-6), losses="lightly/ntxent").rows
    assert not stuck_at(np.float32(6.9306), losses="lightly/ntxent").rows
    assert stuck_at(np.float32(6.93)).tolerance == stuck_at(6.93).tolerance == sp.Rational(1, 200)


def test_a_loss_stuck_at_693_is_ntxent_at_batch_512():
    """log(2 * 512 - 1) = 6.9305; log 1024 = 6.9315 of a one-way loss is as close, and is listed."""
    found = stuck_at(6.93)
    first = found.rows[0]
    assert "lightly/ntxent" in first.losses and first.symbol == N and first.likely == 512
    assert list(first.sizes) == [k for k in range(2, 2000) if abs(np.log(2 * k - 1) - 6.93) <= 0.005]
    one_way = next(row for row in found if "info-nce-pytorch/infonce" in row.losses)
    assert one_way.likely == 1024
    assert not any("vicreg" in name or name == "lightly/barlow-twins" for row in found for name in row.losses)
    assert stuck_at(6.9305).rows[0].sizes == range(512, 513)
    assert not any("lightly/ntxent" in row.losses for row in stuck_at(6.93, tolerance=1e-4))


def test_other_values_that_losses_are_stuck_at():
    assert "vicreg-official/vicreg" in stuck_at(24.75).rows[0].losses
    assert "solo-learn/vicreg" in stuck_at(49.5).rows[0].losses
    (row,) = (row for row in stuck_at(8192) if "lightly/barlow-twins" in row.losses)
    assert row.symbol == d_1 and row.likely == 8192
    assert "lightly/simsiam" in stuck_at(-1.0).rows[0].losses
    assert set(stuck_at(0.3).undetermined) == {"lightly/w-mse", "spectral-official/spectral"}
    falling = stuck_at(-6.93, losses=[-preset("lightly/ntxent")])
    assert falling.rows[0].likely == 512
    text = str(stuck_at(6.93))
    assert "log(2*N - 1), N = 512 (510 to 514)" in text and max(map(len, text.splitlines())) <= 112


@pytest.mark.parametrize("value", [float("nan"), np.float32("inf"), sp.oo, sp.Symbol("x"), "6.93", np.ones(3), [6.93]])
def test_stuck_at_takes_numbers(value):
    with pytest.raises(InputError):
        stuck_at(value)


# The command line


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["symscape", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    out, err = capsys.readouterr()
    return stop.value.code or 0, out, err


def test_list_shows_every_preset(monkeypatch, capsys):
    """In a table after the catalogue, alone, and as JSON."""
    status, out, _ = run(monkeypatch, capsys, "list", "--presets")
    assert status == 0 and "mu counts double" in out and "Derive one" in out
    _, both, _ = run(monkeypatch, capsys, "list")
    assert "rotation-invariant" in both and "lightly/vicreg" in both
    _, text, _ = run(monkeypatch, capsys, "list", "--presets", "--json")
    records = {record["name"]: record for record in json.loads(text)}
    assert set(records) == set(presets())
    assert records["lightly/ntxent"]["parameters"] == {"tau": "0.5", "epsilon": None}
    assert records["simsiam-official/simsiam"]["gamma"] == "1/20000"


def test_presets_are_derived_by_name(monkeypatch, capsys):
    """`derive` and `collapse` take preset names, settings, and --symbolic."""
    status, out, _ = run(monkeypatch, capsys, "derive", "PML/NTXent-Euclidean", "--set", "c=2")
    assert status == 0 and "L = -Tr M + 3/4 Tr P² + O(W⁶)" in out and "agrees" in out and "c is 2 tau" in out
    status, out, _ = run(monkeypatch, capsys, "derive", "vissl/barlow-twins", "--symbolic", "--no-check")
    assert status == 0 and "scale*(lambda*" in out
    status, out, _ = run(monkeypatch, capsys, "collapse", "solo-learn/vicreg", "--json")
    assert status == 0 and json.loads(out)["loss"] == "solo-learn/vicreg"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("derive", "lightly/w-mse"), "Cholesky"),
        (("derive", "lightly/vicrge"), "lightly/vicreg"),
        (("derive", "moco"), "queue"),
        (("derive", "simclr"), "simclr-tf/ntxent"),
        (("derive", "lightly/ntxent"), "scale-invariant"),
        (("collapse", "lightly/tico", "--set", "rho=-1"), "rho=-1"),
    ],
)
def test_what_is_no_landscape_is_told_in_one_line(monkeypatch, capsys, words, says):
    status, out, err = run(monkeypatch, capsys, *words)
    assert (status, out) == (2, "") and err.count("\n") == 1 and says in err


def test_unknown_names_are_unknown_names():
    with pytest.raises(UnknownNameError):
        find_loss("lightly/nothing-like-it")
