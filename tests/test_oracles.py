"""Presets give the values of released libraries on two fixed views, to 1e-10."""

import json
from dataclasses import fields, replace
from pathlib import Path

import batch_reference
import numpy as np
import pytest
import sympy as sp

from symscape.losses.batch import FirstOutputs
from symscape.losses.loss import Loss
from symscape.losses.presets.presets import preset
from symscape.sampling.sampled_loss import SampledLoss

DATA = Path(__file__).parent / "data"
#: Values of released libraries on two fixed views, 16 x 4.
LIBRARY = json.loads((DATA / "library_losses.json").read_text())
VALUES = LIBRARY["values"]

PRESETS = {
    "lightly.NTXentLoss(tau=0.5)": preset("lightly/ntxent"),
    "lightly.NTXentLoss(tau=0.1)": preset("lightly/ntxent", tau=0.1),
    "lightly.DirectCLRLoss(loss_dim=2,tau=0.5)": preset("lightly/directclr", loss_dim=2),
    "lightly.DCLLoss(tau=0.1)": preset("lightly/dcl"),
    "lightly.BarlowTwinsLoss(lam=5e-3)": preset("lightly/barlow-twins"),
    "lightly.VICRegLoss(25,25,1)": preset("lightly/vicreg"),
    "lightly.TiCoLoss(beta=.9,rho=8) first call": preset("lightly/tico"),
    "lightly.HypersphereLoss(t=1,lam=1,alpha=2)": preset("lightly/align-uniform"),
    "lightly.NegativeCosineSimilarity": preset("lightly/simsiam"),
    "lightly.WMSELoss(w_size=N,eps=0)": preset("lightly/w-mse"),
    "pml.SelfSupervisedLoss(NTXentLoss(tau=0.07))": preset("pml/ntxent"),
    "pml.SelfSupervisedLoss(NTXentLoss(tau=0.07),symmetric=False)": preset("pml/ntxent-one-way"),
    "pml.NTXent squared-Euclid exp(-|u-v|^2/2), both views": preset("pml/ntxent-euclidean", c=2),
    "pml.NTXent squared-Euclid exp(-|u-v|^2/2), cross-view": preset("pml/ntxent-euclidean-one-way", c=2),
    "pml.NTXent raw dot product tau=1, both views": preset("pml/ntxent-dot", tau=1),
    "pml.SelfSupervisedLoss(SupConLoss(tau=0.1))": preset("pml/supcon"),
    "pml.VICRegLoss(25,25,1)": preset("pml/vicreg"),
    "info_nce.InfoNCE(tau=0.1) one-way": preset("info-nce-pytorch/infonce"),
    "optax.ntxent(tau=0.07) [JAX]": preset("optax/ntxent"),
    "stable_pretraining.NTXEntLoss(tau=0.5)": preset("stable-pretraining/ntxent"),
    "stable_pretraining.CLIPLoss(tau=0.07)": preset("stable-pretraining/clip"),
    "stable_pretraining.BarlowTwinsLoss(5e-3)": preset("stable-pretraining/barlow-twins"),
    "stable_pretraining.VICRegLoss(25,25,1)": preset("stable-pretraining/vicreg"),
    "stable_pretraining.BYOLLoss": preset("stable-pretraining/byol"),
    "solo.simclr_loss_func(tau=0.1)": preset("solo-learn/ntxent"),
    "solo.barlow_loss_func(5e-3,scale=0.025)": preset("solo-learn/barlow-twins"),
    "solo.vicreg_loss_func(25,25,1)": preset("solo-learn/vicreg"),
    "solo.byol_loss_func": preset("solo-learn/byol"),
    "solo.simsiam_loss_func": preset("solo-learn/simsiam"),
    "official jhaochenz spectral D(mu=1)": preset("spectral-official/spectral"),
    "official jhaochenz spectral D(mu=100) (no clipping)": preset("spectral-official/spectral", mu=100),
    "official SsnL align(a=2)+uniform(t=2), L2-normalised": preset("align-uniform-official/align-uniform"),
    "official raminnakhli DCL(tau=0.1), L2-normalised, symmetrised": preset("dcl-official/dcl"),
    "sayannag TiCo(beta=.9,rho=20), C0=0": preset("sayannag/tico"),
    "vissl BarlowTwinsCriterion(.0051,scale=.024) joint norm": preset("vissl/barlow-twins"),
    "monai BarlowTwinsLoss(5e-3)": preset("monai/barlow-twins"),
    "HobbitLong SupConLoss(tau=.5,base=.07) self-sup": preset("supcon/self-supervised"),
    "open_clip SigLipLoss(scale=10,bias=-10)": preset("open-clip/siglip"),
}


@pytest.fixture(scope="module")
def views():
    with np.load(DATA / "views.npz") as file:
        return file["view_a"], file["view_b"]


def assert_value(found, key):
    """Assert agreement to 1e-10."""
    assert abs(found - VALUES[key]) <= 1e-10 * max(1, abs(VALUES[key])), f"{found} for {VALUES[key]}"


def test_every_library_value_has_a_preset():
    assert set(PRESETS) == set(VALUES)


def test_versions_are_those_of_the_values():
    """A preset tells the version of the package that its constants were read from."""
    packages = {"pml": "pytorch-metric-learning", "lightly": "lightly", "solo-learn": "solo-learn", "optax": "optax"}
    packages |= {name: name for name in ("info-nce-pytorch", "stable-pretraining")}
    for found in PRESETS.values():
        assert found.version == LIBRARY["versions"].get(packages.get(found.library), "")


@pytest.mark.parametrize("key", VALUES)
def test_the_definition_gives_the_library_value(key, views):
    """The batch form of the preset, pair by pair."""
    assert_value(batch_reference.loss_on_batch(PRESETS[key], *views), key)


@pytest.mark.parametrize("key", VALUES)
def test_the_evaluator_gives_the_library_value(key, views):
    """The batch form of the preset, as `sampled_loss` computes it."""
    loss = PRESETS[key].with_values({"n": len(views[0]) - 1})
    assert_value(SampledLoss(loss, *views).value(), key)


# Planted errors


def changed(loss, **fields_of_form):
    """Return the loss with other fields in its form."""
    ((coefficient, form),) = loss.batch
    return Loss(sp.S.Zero, "planted", ((coefficient, replace(form, **fields_of_form)),))


def a_percent_off(loss):
    """Yield the loss with one constant after the other 1 % off: its factor, and every number of its form."""
    ((coefficient, form),) = loss.batch
    more = sp.Rational(101, 100)
    yield Loss(sp.S.Zero, "planted", ((coefficient * more, form),))
    if isinstance(form, FirstOutputs):
        return
    for field in fields(form):
        number = getattr(form, field.name)
        if isinstance(number, sp.Expr) and number.is_finite and number != 0:
            yield changed(loss, **{field.name: number * more})


@pytest.mark.parametrize("key", VALUES)
def test_a_constant_one_percent_off_is_caught(key, views):
    for planted in a_percent_off(PRESETS[key]):
        with pytest.raises(AssertionError):
            assert_value(batch_reference.loss_on_batch(planted, *views), key)


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("solo.vicreg_loss_func(25,25,1)", {"mu": sp.Integer(25)}),
        ("lightly.DCLLoss(tau=0.1)", {"positive": True}),
        ("lightly.NTXentLoss(tau=0.5)", {"positive": False}),
        ("lightly.NTXentLoss(tau=0.5)", {"pool": "both-ways"}),
        ("lightly.NTXentLoss(tau=0.5)", {"per_candidate": True}),
        ("stable_pretraining.CLIPLoss(tau=0.07)", {"pool": "one-way"}),
        ("lightly.BarlowTwinsLoss(lam=5e-3)", {"standardise": "deviation"}),
        ("stable_pretraining.BarlowTwinsLoss(5e-3)", {"standardise": "views"}),
        ("vissl BarlowTwinsCriterion(.0051,scale=.024) joint norm", {"standardise": "views"}),
        ("official jhaochenz spectral D(mu=1)", {"mu": sp.oo}),
        ("official jhaochenz spectral D(mu=1)", {"distinct": False}),
        ("lightly.WMSELoss(w_size=N,eps=0)", {"whitened": False}),
        ("sayannag TiCo(beta=.9,rho=20), C0=0", {"offset": sp.S.One}),
    ],
)
def test_another_loss_of_the_same_name_is_caught(key, wrong, views):
    """mu not doubled, the positive left in DCL's denominator or out of NT-Xent's, one deviation for another, ..."""
    with pytest.raises(AssertionError):
        assert_value(batch_reference.loss_on_batch(changed(PRESETS[key], **wrong), *views), key)


@pytest.mark.parametrize("key", ["lightly.VICRegLoss(25,25,1)", "monai BarlowTwinsLoss(5e-3)"])
def test_the_biased_variance_for_the_unbiased_one_is_caught(key, views, monkeypatch):
    monkeypatch.setattr(batch_reference, "unbiased", lambda z: 1.0)
    with pytest.raises(AssertionError):
        assert_value(batch_reference.loss_on_batch(PRESETS[key], *views), key)
