"""The baselines of the benchmarks are right: each slow route gives the landscape of the engine."""

import importlib
from fractions import Fraction
from math import prod
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape.algebra.words import closed_word

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    names = ("baselines", "engine", "geometry", "timing")
    baselines, engine, geometry, timing = (importlib.import_module(name) for name in names)


def in_components(land, d0, d1):
    """Return a landscape in traces as a polynomial in the entries of W, A_0 and Sigma."""
    W, A0, Sigma = baselines.matrices(d0, d1)
    letters = {"A_0": A0, "Sigma": Sigma}
    total = sp.S.Zero
    for monomial, coefficient in land.terms:
        assert all(kind == "tr" for kind, _ in monomial)
        traces = [prod((W * letters[s] * W.T for s in word), start=sp.eye(d1)).trace() for _, word in monomial]
        total += coefficient * prod(traces)
    return sp.expand(total)


def in_words(land):
    """Return a landscape as the baselines write it: words with coefficients."""
    return {
        tuple(sorted(("trace", baselines.cyclic(word)) for _, word in monomial)): Fraction(int(c.p), int(c.q))
        for monomial, c in land.terms
    }


def infonce(order):
    return ss.landscape(ss.InfoNCE(tau=1), order=order)


@pytest.mark.parametrize(("order", "d0", "d1"), [(4, 2, 1), (4, 2, 2), (6, 2, 1)])
def test_component_expansion_gives_the_landscape(order, d0, d1):
    found = baselines.component_expansion(order, d0, d1)
    assert found == in_components(infonce(order), d0, d1)
    assert found != in_components(ss.landscape(ss.InfoNCE(tau=2), order=order), d0, d1)


@pytest.mark.parametrize(("order", "d0", "d1"), [(4, 3, 2), (6, 2, 2)])
def test_ring_expansion_gives_the_landscape(order, d0, d1):
    found = sp.expand(baselines.ring_expansion(order, d0, d1))
    assert found == in_components(infonce(order), d0, d1)
    assert found != in_components(infonce(order - 2), d0, d1)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("route", ["pairing_sum", "pairing_sum_by_view"])
def test_pairing_sums_give_the_landscape(route, order):
    found = getattr(baselines, route)(order)
    assert found == in_words(infonce(order))
    assert found != in_words(ss.landscape(ss.InfoNCE(tau=2), order=order))


def test_there_are_1_3_15_105_pairings():
    """2n legs have (2n - 1)!! pairings, which for Tr P alone give E (xi^T xi)^n of one coordinate."""
    counts = [len(list(baselines.pairings(list(range(2 * k))))) for k in range(1, 5)]
    assert counts == [1, 3, 15, 105]
    moments = [baselines.gaussian_moment((2 * k,), sp.Matrix([[1]])) for k in range(1, 5)]
    assert moments == counts


def test_moments_of_two_coordinates():
    """E[x^2 y^2] = s_xx s_yy + 2 s_xy^2; an odd moment is zero."""
    a, b, c = sp.symbols("a b c")
    covariance = sp.Matrix([[a, b], [b, c]])
    assert baselines.gaussian_moment((2, 2), covariance) == a * c + 2 * b**2
    assert baselines.gaussian_moment((2, 1), covariance) == 0


def test_cold_means_cold():
    infonce(4)
    assert closed_word.cache_info().currsize > 0
    timing.clear_caches()
    assert closed_word.cache_info().currsize == 0


@pytest.mark.parametrize("quick", [True, False])
def test_every_row_has_a_task(quick):
    rows = engine.ratio_rows(quick)
    assert {*engine.TIME_GOALS, *(name for name, *_ in rows)} <= set(engine.TASKS)
    assert len(rows) == 4


def test_tables_and_durations():
    assert [timing.duration(t) for t in (12.34, 0.00752, 3e-6, None)] == ["12.3 s", "7.52 ms", "3 us", ""]
    assert timing.markdown_table(["a", "bc"], [["1", "2"]]) == "| a | bc |\n| - | -- |\n| 1 | 2  |"


def test_the_baselines_of_the_geometry_find_the_same_points():
    """SymPy's stationary points at d0 = 2, d1 = 1 are those of the families; a descent ends at the least value found."""
    A0, Sigma = np.array([[2.0, 1.0], [1.0, 1.0]]), np.array([[3.0, 1.0], [1.0, 2.0]])
    points = ss.stationary_points(infonce(4), A0, Sigma, 1)
    found = [np.array([float(v) for v in solution.values()]) for solution in geometry.sympy_stationary_points()]
    values = infonce(4).numpy()
    theirs = {round(values(w[None, :], A0=A0, Sigma=Sigma), 9) for w in found}
    assert theirs == {round(point.loss, 9) for point in points} and len(theirs) == points.count
    large = geometry.Large(12)
    assert abs(large.task()[0] / large.descent() - 1) < 1e-6
    assert abs(1.02 * large.task()[0] / large.descent() - 1) > 1e-6
