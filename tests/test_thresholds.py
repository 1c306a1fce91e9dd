"""T3, T5, T9, X6: thresholds as conditions, symbolic against numeric, and what `collapse` says of degenerate cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

import symscape as ss

gamma, tau, epsilon, lambda_, mu, nu = sp.symbols("gamma tau epsilon lambda mu nu", positive=True)
n = sp.Symbol("n", positive=True, integer=True)
decay = ss.WeightDecay(gamma)
x, xp, chi = ss.anchor, ss.positive, ss.negative

#: A user's loss with (Tr P)^2 in its quartic part, so that modes compete.
COMPETING = ss.Loss(
    -2 * ss.E(ss.dot(x, xp)) + ss.E(ss.dot(x, chi) ** 2) + ss.E(ss.sqnorm(x)) ** 2 / 3, name="competing"
)

LOSSES = {
    "infonce": ss.InfoNCE(tau=tau) + decay,
    "infonce dot": ss.InfoNCE(tau=tau, similarity="dot") + decay,
    "infonce n": ss.InfoNCE(tau=tau, n=n) + decay,
    "infonce dot n": ss.InfoNCE(tau=tau, n=n, similarity="dot") + decay,
    "ntxent": ss.NTXent(tau=tau, epsilon=epsilon) + decay,
    "spectral": ss.SpectralContrastive() + decay,
    "competing": COMPETING + decay,
    "vicreg": ss.VICReg(lambda_=lambda_, mu=mu, nu=1, epsilon=epsilon) + decay,
    "barlow twins": ss.BarlowTwins(lambda_=3) + decay,
}


def random_numbers(name: str, rng: np.random.Generator) -> tuple[dict[str, float], Any, Any]:
    """Return parameters, r and s, with modes along the axes in descending b."""
    values = {"gamma": rng.uniform(0.05, 0.8), "tau": rng.uniform(0.5, 1.5), "epsilon": rng.uniform(0.5, 2.0)}
    values |= {"lambda": rng.uniform(0.1, 2.0), "mu": rng.uniform(0.5, 2.0), "n": float(rng.integers(2, 20))}
    r = np.sort(rng.uniform(0.2, 0.95, 3))[::-1]
    s = np.sort(rng.uniform(0.8, 1.2, 3))[::-1]
    if name == "vicreg":
        values["epsilon"] = rng.uniform(0.1, 0.8)  # active hinges
    needed = set(LOSSES[name].parameters)
    return {k: v for k, v in values.items() if k in needed}, r, s


def symbols_of_modes(r: Any, s: Any, strength: float = 1.0) -> dict[str, float]:
    """Return what stands for every mode in a condition: r, s, eigenvalues of A_0, and ratios of data to augmentation."""
    found = {"d_1": 3.0, "augmentation_strength": strength}
    for k, (a, b) in enumerate(zip(r, s, strict=True)):
        found |= {f"r_{k}": a, f"s_{k}": b, f"lambda_{k}": a * b, f"rho_{k}": a / (1 - a), f"c_{k}": b * (1 - a)}
    return found


def numeric(expr: sp.Expr, numbers: dict[str, float]) -> float:
    """Return the value of an expression, its symbols by name."""
    return float(expr.xreplace({symbol: sp.Float(numbers[str(symbol)]) for symbol in expr.free_symbols}))


def kept_by_conditions(margins: list[sp.Expr], numbers: dict[str, float]) -> int:
    """Return how many modes are kept, one condition after another."""
    for k, margin in enumerate(margins):
        if numeric(margin, numbers) <= 0:
            return k
    return len(margins)


def parameters_of(name: str) -> list[str]:
    return [*LOSSES[name].parameters, "augmentation_strength"]


CASES = [(name, parameter) for name in LOSSES for parameter in parameters_of(name) if parameter != "d_1"]


@pytest.mark.parametrize(("name", "parameter"), CASES)
def test_conditions_are_what_collapse_finds(name, parameter):
    """T5: for every loss and every parameter the symbolic conditions, mode after mode, count what survives at the minimum."""
    rng = np.random.default_rng(11)
    land = ss.landscape(LOSSES[name])
    found = ss.threshold(land, parameter)
    modes = 1 if name == "vicreg" else 3  # with symbols it is open which rotation of the outputs of VICReg is best
    margins, tried = [found.mode(k).margin for k in range(modes)], 0
    while tried < 5:
        values, r, s = random_numbers(name, rng)
        minimum = ss.collapse(land, np.diag(r * s), np.diag(s), 3, params=values)
        if [int(np.abs(mode.direction).argmax()) for mode in minimum.modes] != [0, 1, 2]:
            continue
        tried += 1
        numbers = {**values, **symbols_of_modes(r, s)}
        if (
            "A_0 + (" in found.quantity.meaning
        ):  # VICReg: B is 2 lambda / d1 times A_0 + (mu / (4 sqrt(epsilon) lambda) - 1) Sigma
            ratio = values["mu"] / (4 * np.sqrt(values["epsilon"]) * values["lambda"]) - 1
            numbers["lambda_0"] = (r[0] + ratio) * s[0]
        kept = kept_by_conditions(margins, numbers)
        assert kept == min(minimum.surviving, modes), f"trial {tried}: {values}, r={r}, s={s}"


@pytest.mark.parametrize("name", ["infonce n", "infonce dot n", "ntxent", "competing"])
def test_thresholds_of_competing_modes(name):
    """T5, X3, T7: mode 1 beside mode 0 is lost at the weight decay that the symbolic condition has, as numbers find."""
    values, r, s = {"tau": 0.8, "epsilon": 1.2, "n": 3.0}, np.array([0.9, 0.7]), np.array([1.1, 1.0])
    land = ss.landscape(LOSSES[name])
    given = {k: v for k, v in values.items() if k in LOSSES[name].parameters}
    condition = ss.threshold(land, gamma).mode(1)
    assert condition.kept_side in ("below", None)
    numbers = {**values, **{k: v for k, v in symbols_of_modes(r, s).items() if not k.startswith("lambda")}}
    fixed = {t: sp.Float(numbers[str(t)]) for t in condition.margin.free_symbols - {gamma}}
    (critical,) = sp.solve(sp.numer(sp.together(condition.margin.xreplace(fixed))), gamma)
    if condition.critical is not None:
        np.testing.assert_allclose(numeric(condition.critical, numbers), float(critical), rtol=1e-9)
    counted = ss.threshold(land, gamma, np.diag(r * s), np.diag(s), 2, between=(0.01, 10), **given)

    def assert_lost_at(value):
        np.testing.assert_allclose(counted.critical(1), float(value), rtol=1e-6)

    assert_lost_at(critical)
    for error in (0.9, 1.1):
        with pytest.raises(AssertionError):
            assert_lost_at(error * critical)


@pytest.mark.parametrize("name", LOSSES)
def test_solved_thresholds_have_the_right_side(name):
    """T5: where a condition is solved, the mode is kept on its side of the critical value, and 10 per cent off is noticed."""
    rng = np.random.default_rng(5)
    land, solved = ss.landscape(LOSSES[name]), 0
    for parameter in parameters_of(name):
        condition = ss.threshold(land, parameter).mode(0)
        assert condition.latex() and str(condition)
        if condition.critical is None:
            assert condition.solved is None
            continue
        values, r, s = random_numbers(name, rng)
        numbers = {**values, **symbols_of_modes(r, s)}
        critical = numeric(condition.critical, numbers)
        if not all(numeric(a.lhs - a.rhs, numbers) * (1 if a.func is sp.Gt else -1) > 0 for a in condition.assuming):
            continue

        def kept(value, condition=condition, numbers=numbers, parameter=parameter):
            return bool(condition.evaluate({**numbers, parameter: value}))

        def assert_critical(at, kept=kept, side=condition.kept_side):
            assert kept(0.98 * at) == (side == "below") and kept(1.02 * at) == (side == "above")

        assert_critical(critical)
        for error in (0.9, 1.1):
            with pytest.raises(AssertionError):
                assert_critical(error * critical)
        solved += 1
    assert solved >= 1 + (name not in ("spectral", "competing", "barlow twins"))


def test_competing_modes_by_hand():
    """T4, T5: with alpha Tr P^2 + beta (Tr P)^2 mode 1 is kept iff (alpha + 2 beta) b_1 > beta (b_0 + b_1); here alpha = 1 and
    beta = 1/3, so iff 4 b_1 > b_0, with b_k = 2 r_k - gamma / s_k."""

    def assert_hand(factor):
        margin = ss.threshold(ss.landscape(LOSSES["competing"]), gamma).mode(1).margin
        r, s = sp.symbols("r_0:2", real=True), sp.symbols("s_0:2", positive=True)
        b = [2 * r[k] - gamma / s[k] for k in range(2)]
        ratio = sp.simplify(margin / (factor * b[1] - b[0]))
        assert ratio.is_number and ratio > 0

    assert_hand(4)
    with pytest.raises(AssertionError):
        assert_hand(sp.Rational(44, 10))


def test_finite_negatives_by_hand():
    """X3, T5: one negative lowers the threshold of complete collapse to half of that of many: lambda_0 n / ((n + 1) tau)."""
    found = ss.threshold(ss.landscape(LOSSES["infonce n"]), gamma).complete
    lam = sp.Symbol("lambda_0", real=True)
    assert sp.simplify(found.critical - lam * n / ((n + 1) * tau)) == 0
    with pytest.raises(AssertionError):
        assert sp.simplify(found.critical - sp.Rational(11, 10) * lam * n / ((n + 1) * tau)) == 0


def test_a_parameter_that_changes_no_sign():
    """T5: without decay no temperature, no number of negatives and no augmentation collapses a mode with r > 0 of InfoNCE."""
    for loss in (ss.InfoNCE(tau=tau), ss.InfoNCE(tau=tau, n=n)):
        land = ss.landscape(loss)
        for parameter in [*loss.parameters, "augmentation_strength"]:
            condition = ss.threshold(land, parameter).mode(0)
            assert condition.critical is None and not condition.depends and "whatever" in str(condition)
    decayed = ss.threshold(ss.landscape(LOSSES["infonce"]), tau).mode(0)
    assert decayed.depends and str(decayed) == "tau < lambda_0/gamma"


def test_conditions_are_data():
    """A condition is an inequality with values for some symbols or for all, by name or by symbol, and typesets."""
    condition = ss.threshold(ss.landscape(LOSSES["infonce"]), gamma).mode(0)
    lam = sp.Symbol("lambda_0", real=True)
    assert condition.evaluate({gamma: 1, "lambda_0": 3, tau: 2}) == sp.true
    assert condition.evaluate({"gamma": 2, "lambda_0": 3, "tau": 2}) == sp.false
    assert condition.evaluate({gamma: 1, tau: 2}).free_symbols == {lam}
    assert condition.solved == sp.Lt(gamma, lam / tau)
    assert condition.latex() == r"\gamma < \frac{\lambda_{0}}{\tau}" and condition._repr_latex_().startswith("$")


# Numbers

A0 = np.diag([1.0, 0.9, 0.5])
TURN = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
SIGMA = A0 + TURN @ np.diag([0.2, 0.6, 1.5]) @ TURN.T


def assert_critical_values(found: Any, expected: Any) -> None:
    np.testing.assert_allclose([found.critical(k) for k in range(len(expected))], expected, rtol=1e-7)


def test_numeric_thresholds_are_eigenvalues():
    """T5: thresholds in weight decay are eigenvalues of A_0 / tau, those in temperature lambda / gamma, for any Sigma."""
    land = ss.landscape(LOSSES["infonce"])
    by_decay = ss.threshold(land, gamma, A0, SIGMA, 3, tau=0.5)
    assert_critical_values(by_decay, [2.0, 1.8, 1.0])
    assert_critical_values(ss.threshold(land, "tau", A0, SIGMA, 3, gamma=2), [0.5, 0.45, 0.25])
    with pytest.raises(AssertionError):
        assert_critical_values(by_decay, [2.0, 1.8 * 1.1, 1.0])
    assert by_decay.complete == ((by_decay.curve.plateaus[-1].low, 1e6),)
    assert by_decay.critical(3) is None and "mode 2 survives" in str(by_decay)


def test_survival_curve_is_a_staircase():
    """X6: the number of surviving modes as plateaus; two outputs are the most there are."""
    curve = ss.survival_curve(ss.landscape(LOSSES["spectral"]), gamma, A0, SIGMA, 2)
    assert [p.surviving for p in curve] == [2, 1, 0]
    np.testing.assert_allclose([p.high for p in curve][:2], [1.8, 2.0], rtol=1e-7)
    assert curve.at(1.7) == 2 and curve.at(1.9) == 1 and curve.at(2.1) == 0
    (wide,) = curve.keeping_at_least(1)
    np.testing.assert_allclose(wide, (1e-6, 2.0), rtol=1e-7)
    (one,) = curve.keeping(1)
    np.testing.assert_allclose((one.low, one.high), (1.8, 2.0), rtol=1e-7)
    assert "1 for 1.8" in str(curve)


def test_weights_of_vicreg_by_hand():
    """T9: at the kink p_0 - p_1 = lambda (r_0 - r_1) / (2 nu) and p_0 + p_1 = 2 (1 - epsilon): mode 1 is lost where lambda
    reaches 4 nu (1 - epsilon) / (r_0 - r_1); equal shares are proved best there."""
    found = ss.threshold(ss.VICReg(lambda_=lambda_), lambda_, np.diag([0.9, 0.7]), np.eye(2), 2, between=(5, 100))
    by_hand = 4 * (1 - 1e-4) / 0.2
    np.testing.assert_allclose(found.critical(1), by_hand, rtol=1e-7)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(found.critical(1), 1.1 * by_hand, rtol=1e-7)
    assert found.notes == ()


def test_weights_of_vicreg_near_the_origin():
    """T9: with d1 and the quartic weights given, the symbolic condition of mode 1 near W = 0 is what numbers find."""
    loss = ss.VICReg(lambda_=lambda_, mu=3, nu=1, epsilon=sp.Rational(1, 4))
    land = ss.landscape(loss)
    condition = ss.threshold(land, lambda_, d_1=2).mode(1)
    counted = ss.threshold(land, lambda_, np.diag([0.9, 0.7]), np.eye(2), 2)
    critical = numeric(condition.critical, {"r_0": 0.9, "r_1": 0.7})
    np.testing.assert_allclose(counted.critical(1), critical, rtol=1e-7)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(counted.critical(1), 1.1 * critical, rtol=1e-7)
    with pytest.raises(ss.InputError, match="mode\\(1\\): no closed form"):
        ss.threshold(land, lambda_).mode(1)


def test_steps_that_are_not_proved_are_marked():
    """T9: where equal shares are not best, the threshold says so, with what a descent over all W keeps."""
    found = ss.threshold(ss.VICReg(lambda_=lambda_, mu=1), lambda_, np.diag([0.9, 0.7]), np.eye(2), 2, between=(1, 10))
    assert len(found.notes) == 1 and "keeps 2 modes, not 1" in found.notes[0] and found.notes[0] in str(found)


def test_compiled_branches_agree_with_the_minimum():
    """The counts of a curve, compiled once for every value, are those of `rotation_minimised` and of `minimum`."""
    rng, r = np.random.default_rng(2), np.array([0.9, 0.7, 0.4])
    curve = ss.survival_curve(ss.VICReg(lambda_=lambda_), lambda_, np.diag(r), np.eye(3), 3, between=(1, 100))
    twins = ss.survival_curve(ss.BarlowTwins(lambda_=lambda_, epsilon=0), "lambda", np.diag(r), np.eye(3), 3)
    cosine = ss.normalised_landscape(ss.NTXent(tau=tau))
    shell = ss.survival_curve(cosine, tau, np.diag(r), np.eye(3), 3)
    for value in np.exp(rng.uniform(0, np.log(100), 6)):
        assert curve.at(value) == ss.rotation_minimised(ss.VICReg(lambda_=lambda_), r, 3, lambda_=value).surviving
        least = ss.rotation_minimised(ss.BarlowTwins(lambda_=lambda_, epsilon=0), r, 3, lambda_=value / 100)
        assert twins.at(value / 100) == least.surviving
        assert shell.at(value / 10) == cosine.minimum(r=r, d1=3, tau=value / 10).surviving


# Which term destabilises, which protects

TERMS = {
    "spectral": ss.SpectralContrastive() + ss.WeightDecay(0.3),
    "infonce": ss.InfoNCE(tau=0.7) + ss.WeightDecay(0.3),
    "vicreg": ss.VICReg(lambda_=2, mu=3, nu=1, epsilon=0.25) + ss.WeightDecay(0.3),
    "alignment": ss.Loss(ss.E(ss.sqdist(x, xp)) + sp.log(ss.E(sp.exp(-2 * ss.sqdist(x, chi))))),
}


@pytest.mark.parametrize("name", TERMS)
def test_terms_add_up_to_b(name):
    """T3: what the terms of a loss add to b of a mode sums to b; decay and augmentation hold every mode at zero."""
    found = ss.collapse(ss.landscape(TERMS[name]), A0, SIGMA, 3)
    total = np.sum([term.contributions for term in found.terms], axis=0)
    b = np.array([mode.eigenvalue for mode in found.modes])
    np.testing.assert_allclose(total, b, rtol=1e-9, atol=1e-12)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(total - 0.1 * found.terms[0].contributions, b, rtol=1e-9, atol=1e-12)
    for term in found.terms:
        text = str(term.term)
        if "||W||" in text or text.startswith(("2*E_{x, x'}[|f", "E_{x, x'}[|f")):
            assert (term.contributions < 0).all(), text


# Degenerate cases


def test_degenerate_cases():
    """T3: no data that both views share collapses completely; features that never vary, and ties, are said."""
    land = ss.landscape(ss.InfoNCE())
    none = ss.collapse(land, np.zeros((2, 2)), np.eye(2), 2)
    assert none.kind == "complete" and none.surviving == 0
    assert ss.collapse(land, -0.5 * np.eye(2), np.eye(2), 2).kind == "complete"
    assert ss.collapse(land, np.eye(2), np.eye(2), 2).kind == "none"
    assert ss.collapse(land, A0, SIGMA, 7).surviving == 3
    one = ss.collapse(land, A0, SIGMA, 1)
    assert (one.kind, one.surviving, one.kept) == ("none", 1, (0,))
    flat = ss.collapse(land, np.diag([0.5, 0.0]), np.diag([1.0, 0.0]), 2)
    assert flat.surviving == 1 and flat.kind == "dimensional" and any("never vary" in note for note in flat.notes)
    tied = ss.collapse(land, 0.5 * np.eye(3), np.eye(3), 1)
    assert tied.surviving == 1 and any("tied" in note for note in tied.notes)
    many = ss.collapse(land, 0.5 * np.eye(80), np.eye(80), 40)
    assert many.surviving == 40 and any("more than a million" in note for note in many.notes)
    at = ss.collapse(ss.landscape(ss.SpectralContrastive() + decay), np.eye(1), np.eye(1), 1, gamma=2)
    assert at.kind == "complete" and any("threshold" in note for note in at.notes)
    with pytest.raises(ss.InputError, match="order=4"):
        ss.collapse(ss.landscape(ss.InfoNCE(), order=2), A0, SIGMA, 2)


# Errors


def test_errors_quote_the_call():
    """A bad argument is named in the call it came with, and the next step offered."""
    land = ss.landscape(LOSSES["infonce"])
    cases = [
        (lambda: ss.threshold(land, "q"), ss.UnknownNameError, "threshold\\(InfoNCE.*'q'; there are gamma, tau"),
        (lambda: ss.threshold(land, gamma, A0), ss.UnknownNameError, "Sigma is missing"),
        (lambda: ss.threshold(land, gamma, A0, SIGMA, 2), ss.UnknownNameError, "no value for tau; pass tau="),
        (lambda: ss.threshold(land, gamma, A0, SIGMA, 0, tau=1), ss.InputError, "d1=0"),
        (lambda: ss.threshold(land, gamma, A0, SIGMA, 2, between=(2, 1), tau=1), ss.InputError, "between=\\(2, 1\\)"),
        (lambda: ss.threshold(land, gamma, tau="x"), ss.InputError, "'x'"),
        (lambda: ss.threshold(land, gamma, rho=1), ss.UnknownNameError, "'rho'"),
        (lambda: ss.threshold(land, gamma).mode(-1), ss.InputError, "mode\\(-1\\)"),
        (lambda: ss.threshold(land, gamma, A0, SIGMA, 2, tau=1).critical(-1), ss.InputError, "critical\\(-1\\)"),
        (lambda: ss.threshold(ss.VICReg.symbolic(), "nu"), ss.InputError, "landscape\\(loss\\)"),
        (lambda: ss.threshold(ss.VICReg(), "nu", A0, SIGMA, 2), ss.UnknownNameError, "no parameter 'nu'"),
        (lambda: ss.threshold(ss.VICReg(nu=nu, mu=mu), nu, A0, SIGMA, 2), ss.UnknownNameError, "no value for mu"),
        (lambda: ss.threshold(ss.VICReg(nu=nu), nu, A0, SIGMA, 2, rho=1), ss.UnknownNameError, "'rho'"),
        (lambda: ss.collapse(land, SIGMA, A0, 2, gamma=1, tau=1), ss.MomentsError, "A0|A_0|Sigma"),
        (lambda: ss.collapse("InfoNCE", A0, SIGMA, 2), ss.InputError, "landscape"),
        (lambda: ss.collapse(land, A0, SIGMA, 2, gamma=1), ss.UnknownNameError, "no value for tau"),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=message):
            call()
