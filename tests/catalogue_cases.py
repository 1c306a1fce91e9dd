"""The losses of the catalogue at parameters away from their defaults, for tests that run over all of them."""

import pytest

import symscape as ss

LOSSES = {
    "infonce": ss.InfoNCE(tau=0.75),
    "infonce n=1": ss.InfoNCE(tau=0.75, n=1),
    "infonce n=2": ss.InfoNCE(tau=0.75, n=2),
    "infonce dot": ss.InfoNCE(tau=0.75, similarity="dot"),
    "infonce dot n=2": ss.InfoNCE(tau=0.75, n=2, similarity="dot"),
    "ntxent": ss.NTXent(tau=0.75, epsilon=0.5),
    "spectral": ss.SpectralContrastive(),
    "barlow twins": ss.BarlowTwins(lambda_=0.25),
    "barlow twins normalised": ss.BarlowTwins(lambda_=0.25, epsilon=0.5),
    "vicreg": ss.VICReg(lambda_=5, mu=3, nu=2, epsilon=0.25),
}
every_loss = pytest.mark.parametrize("name", LOSSES)


def cumulant_terms(land: ss.Landscape) -> list:
    return [generator for word, _ in land.terms for generator in word if generator[0].startswith("cumulant")]
