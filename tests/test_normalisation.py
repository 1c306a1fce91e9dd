"""T7: what normalisation does to collapse: the landscape on the shell Tr P = 1 and its thresholds."""

import numpy as np
import pytest
import sympy as sp
from cosine_losses import LOSSES, E, chi, cosine, numbers_of, t, tau, x, xp

import symscape as ss
from symscape.spectrum.cosine import thresholds as cosine_thresholds
from symscape.spectrum.cosine.isotropic import isotropic_cosine, r_new
from symscape.spectrum.cosine.shell import normalised_landscape
from symscape.spectrum.cosine.table import shell_error_table
from symscape.spectrum.cosine.thresholds import entry_correlation, shell_thresholds
from symscape.spectrum.modes import r_i
from symscape.spectrum.words import spectrum_of_words

CORRELATIONS = np.array([0.95, 0.9, 0.8, 0.7, 0.65, 0.3])


def traces(p, correlations):
    """Tr M, Tr P^2, Tr PM, Tr M^2 on the aligned family."""
    return [(w * p**n).sum() for w, n in ((correlations, 1), (1, 2), (correlations, 2), (correlations**2, 2))]


def siglip_on_shell(M, P2, M2, t, offset):
    """E g(cos) = g(m) + g''(m) Var / 2 with Var f(x).f(x') = Tr P^2 + Tr M^2 (Wick) about Tr M, Tr P^2 about 0."""

    def g(u):
        return np.log1p(np.exp(u)), np.exp(u) / (1 + np.exp(u)) ** 2

    (near, curve), (far, bend) = g(offset - t * M), g(-offset)
    return near + far + t**2 / 2 * (curve * (P2 + M2) + bend * P2)


# On Tr P = 1, by hand: log E_chi e^{u f.f(chi)} = u^2 f^T P f / 2, and |f|^2 = 1.
LEADING = {
    "NT-Xent": lambda M, P2, PM, M2: -M / 0.3 + P2 / (2 * 0.09),
    "decoupled": lambda M, P2, PM, M2: -M / 0.3 + P2 / (2 * 0.09),
    "alignment and uniformity": lambda M, P2, PM, M2: 2 - 2 * M - 2 * 1.7 + 2 * 1.7**2 * P2,
    "SimSiam": lambda M, P2, PM, M2: -M,
    "spectral, cosines": lambda M, P2, PM, M2: -2 * M + P2,
    "SigLIP": lambda M, P2, PM, M2: siglip_on_shell(M, P2, M2, 1.7, 0.4),
}


def assert_on_shell(land, expected, scale=1.0):
    """Assert the value of a landscape at a spectrum of trace 1."""
    p = np.array([0.3, 0.25, 0.2, 0.15, 0.07, 0.03])
    found = land.value(p, CORRELATIONS, **numbers_of(land))
    np.testing.assert_allclose(found, scale * expected(*traces(p, CORRELATIONS)), rtol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_leading_landscape_on_the_shell(name):
    """T7: at Tr P = 1 each cosine is an inner product, and the landscape is its expansion about the means."""
    land = normalised_landscape(LOSSES[name])
    assert land.shell == 1
    assert_on_shell(land, LEADING[name])
    with pytest.raises(AssertionError):
        assert_on_shell(land, LEADING[name], scale=1.01)


# E cos = Tr M - 2 Tr PM + Tr M (3 Tr P^2 + Tr M^2) / 2: with |f|^2 = 1 + d, the covariances of f.f', d and d' are
# 2 Tr PM, E d^2 = 2 Tr P^2, E d d' = 2 Tr M^2.
def mean_cosine(M, P2, PM, M2):
    return M - 2 * PM + M * (3 * P2 + M2) / 2


@pytest.mark.parametrize("name", ["NT-Xent", "decoupled", "SimSiam", "spectral, cosines"])
def test_fluctuations_of_the_norm(name):
    """T7: at order 1/k the norms change the positive term alone, by -2 Tr PM + Tr M (3 Tr P^2 + Tr M^2) / 2."""
    weight = {"NT-Xent": 1 / 0.3, "decoupled": 1 / 0.3, "SimSiam": 1, "spectral, cosines": 2}[name]

    def expected(*values):
        return LEADING[name](*values) - weight * (mean_cosine(*values) - values[0])

    land = normalised_landscape(LOSSES[name], fluctuations=True)
    assert_on_shell(land, expected)
    with pytest.raises(AssertionError):
        assert_on_shell(land, LEADING[name])


def assert_thresholds(found, land, scale=1.0):
    """Assert that mode k is in the minimum, found numerically, on one side of its threshold only (2 per cent off)."""
    for mode, threshold in enumerate(found.values(CORRELATIONS) * scale):
        if not np.isfinite(threshold) or threshold == 0:
            continue
        for side, value in ((1, threshold * 0.98), (-1, threshold * 1.02)):
            minimum = land.minimum(r=CORRELATIONS, **{str(found.parameter): value})
            assert (mode in minimum.kept) == ((side > 0) == found.kept_below)


@pytest.mark.parametrize("name", ["NT-Xent", "alignment and uniformity"])
def test_threshold_per_mode(name):
    """T7: the top k modes are kept, mode k while sum_{i<k} (r_i - r_k) < 1/tau (2 t^2 for alignment and uniformity)."""
    land = normalised_landscape(LOSSES[name])
    found = shell_thresholds(land, next(iter(land.parameters)))
    gap = cosine_thresholds.gap
    bound = 1 / tau if name == "NT-Xent" else 2 * t**2
    assert sp.simplify(found.condition.rhs - bound) == 0
    assert sp.simplify(bound.subs(found.parameter, found.threshold) - gap) == 0
    assert_thresholds(found, land)
    with pytest.raises(AssertionError):
        assert_thresholds(found, land, scale=1.05)


def assert_kept_spectrum(found, land, value, shift=0.0):
    minimum = land.minimum(r=CORRELATIONS, **{str(found.parameter): value})
    np.testing.assert_allclose(found.spectrum(CORRELATIONS, value + shift), minimum.p, atol=1e-9)
    assert found.kept(CORRELATIONS, value) == minimum.surviving


def test_strength_of_kept_modes():
    """T7: p_i = tau (r_i - m_k), m_k = (sum_{i<=k} r_i - 1/tau) / k, whatever the temperature."""
    land = normalised_landscape(LOSSES["NT-Xent"])
    found = shell_thresholds(land, tau)
    m_k = (cosine_thresholds.R - 1 / tau) / cosine_thresholds.k
    assert sp.simplify(found.strength - tau * (r_i - m_k)) == 0
    for value in (0.1, 1.0, 3.0, 30.0):
        assert_kept_spectrum(found, land, value)
    with pytest.raises(AssertionError):
        assert_kept_spectrum(found, land, 1.0, shift=0.02)


def assert_shrinks(errors, counts, power):
    """Assert that errors fall like k^-power over the last doublings, within 15 per cent of the exponent."""
    slopes = np.diff(np.log(np.abs(errors))) / np.diff(np.log(counts))
    np.testing.assert_allclose(slopes[-1], -power, rtol=0.15)


def test_error_of_the_shell_shrinks():
    """T7: the landscape on the shell misses value and threshold by 1/k; with the fluctuations of |f|^2, by 1/k^2."""
    table = shell_error_table(LOSSES["NT-Xent"], k=[64, 128, 256, 512], r=0.8, tau=0.5)
    counts = table.column("k")
    for name, power in (("error_value", 1), ("error_entry", 1), ("error_value_next", 2), ("error_entry_next", 2)):
        assert_shrinks(table.column(name), counts, power)
        with pytest.raises(AssertionError):
            assert_shrinks(table.column(name), counts, power + 1)
    # One order further still: 1/k^3.
    land = normalised_landscape(LOSSES["NT-Xent"], fluctuations=True, order=4).subs({"tau": 0.5})
    entries = [float(entry_correlation(land, int(count), 0.8)) for count in counts]
    assert_shrinks(np.array(entries) - table.column("entry"), counts, 3)
    assert len(str(table).splitlines()) == 7
    np.testing.assert_array_equal(table.column("tau"), 0.5)


@pytest.mark.parametrize("name", ["alignment and uniformity", "spectral, cosines", "SigLIP"])
def test_other_losses_of_cosines_have_the_same_routes(name):
    """T7, X7: for a user's loss too the shell meets the exact isotropic value at order 1/k^2."""
    exact, counts, ratios = isotropic_cosine(LOSSES[name]), (24, 48), []
    numbers = numbers_of(normalised_landscape(LOSSES[name]))
    values = [float(exact.evaluate(exact.value, n, 0.6, **numbers)) for n in counts]
    for keep in (False, True):
        land = normalised_landscape(LOSSES[name], fluctuations=keep)
        errors = [land.value([1 / n] * n, [0.6] * n, **numbers) - v for n, v in zip(counts, values, strict=True)]
        ratios.append(abs(errors[0] / errors[1]))
    # Halved by doubling k at leading order; quartered, or better where the coefficient of 1/k^2 is small, at the next.
    np.testing.assert_allclose(ratios[0], 2, rtol=0.2)
    assert ratios[1] > 3.3


def test_high_temperature_keeps_more_than_one_mode():
    """T7: as tau grows the exact threshold stays below r: E cos itself prefers several modes, which the leading order on
    the shell, made for tau << 1, does not see, and the fluctuations of the norm do."""
    exact = isotropic_cosine(LOSSES["SimSiam"])
    entry = float(exact.evaluate(exact.entry_correlation, 64, 0.8))
    land = normalised_landscape(LOSSES["SimSiam"], fluctuations=True)
    assert entry < 0.8
    np.testing.assert_allclose(float(entry_correlation(land, 64, 0.8)), entry, atol=0.1 * (0.8 - entry))
    assert entry_correlation(normalised_landscape(LOSSES["SimSiam"]), 64, sp.Rational(4, 5)) == sp.Rational(4, 5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: normalised_landscape(ss.InfoNCE()), "not scale-invariant"),
        (lambda: normalised_landscape(ss.NTXent(epsilon=1)), r"landscape\(loss\)"),
        (lambda: normalised_landscape(LOSSES["NT-Xent"] + ss.WeightDecay(1)), "not scale-invariant"),
        (lambda: normalised_landscape(ss.BarlowTwins(epsilon=0)), "no loss of"),
        (lambda: normalised_landscape(LOSSES["NT-Xent"], order=4), "fluctuations=True"),
        (lambda: normalised_landscape(LOSSES["NT-Xent"], order=3), "even number"),
        (lambda: normalised_landscape(tau), "Loss"),
        (lambda: normalised_landscape(ss.Loss(E(abs(cosine(x, chi))))), "no series"),
        (lambda: spectrum_of_words(ss.landscape(ss.BarlowTwins(lambda_=2))), "numpy"),
        (lambda: shell_thresholds(spectrum_of_words(ss.landscape(ss.InfoNCE(tau=tau))), tau), "shell"),
        (lambda: shell_thresholds(normalised_landscape(LOSSES["NT-Xent"]), "t"), "no parameter t"),
        (lambda: shell_thresholds(normalised_landscape(LOSSES["SimSiam"] / tau), tau), "greatest r"),
        (lambda: shell_thresholds(normalised_landscape(LOSSES["NT-Xent"], fluctuations=True), tau), "minimum"),
        (lambda: shell_thresholds(normalised_landscape(LOSSES["NT-Xent"]), tau).values([0.1, 0.2]), "descending"),
        (lambda: isotropic_cosine(ss.InfoNCE()), "does not cancel"),
        (lambda: isotropic_cosine(ss.Loss(E(cosine(x, xp) * cosine(x, chi)))), "different cosines"),
        (lambda: isotropic_cosine(ss.Loss(E(ss.total(cosine(x, chi), over=chi, n=3)))), "finitely many"),
        (lambda: shell_error_table(LOSSES["NT-Xent"], k=2, r=0.5, tau=1), "fewer than 3"),
        (lambda: shell_error_table(LOSSES["NT-Xent"], k=3, r=0.5, tau=1).column("q"), "choose one"),
    ],
)
def test_errors_name_the_next_step(make, words):
    """What has no landscape on the shell, or no closed form, is refused with the way out."""
    with pytest.raises(ss.SymscapeError, match=words):
        make()


def test_assumptions_are_stated():
    """The range of each landscape on the shell stands with it."""
    assert "k tau >> 1 and tau << 1" in normalised_landscape(LOSSES["NT-Xent"]).assumptions[-1]
    assert "k^-1" in normalised_landscape(LOSSES["NT-Xent"], fluctuations=True).assumptions[-1]
    assert r_new in isotropic_cosine(LOSSES["NT-Xent"]).entry_slope.free_symbols
