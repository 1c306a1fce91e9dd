"""What the figures show is what the theory says: read off the drawn axes, and compared with formulas by hand.

Every figure is drawn once. Beside each comparison stands a planted error of a few per cent that must be caught.
"""

from functools import cache
from itertools import product

import numpy as np
import pytest
import sympy as sp

import symscape as ss
from symscape import figures
from symscape.figures import regions
from symscape.figures.catalogue import FIGURES
from symscape.figures.figure_1 import (
    A0,
    BY_AUGMENTATION,
    BY_DECAY,
    augmentation_landscape,
    values_along,
    weight_decay_landscape,
)
from symscape.figures.style import KINDS, settings

KIND_OF_MARKER = {marker: kind for kind, (marker, _) in KINDS.items()}


@cache
def drawn(name):
    """Return the axes of a figure, drawn and laid out once."""
    axes = figures.find_figure(name).draw()
    with settings():
        axes[0].figure.draw_without_rendering()
    return axes


def lines(ax):
    """Return the lines of axes that are more than a marker."""
    return [line for line in ax.lines if len(line.get_xdata()) > 2]


def assert_close(found, expected, rtol=1e-6, atol=1e-9):
    """Assert that numbers read off a figure are those of a formula."""
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)


def assert_differs(found, expected):
    """Assert that a comparison catches an error of 2 per cent."""
    with pytest.raises(AssertionError):
        assert_close(np.asarray(found) * 1.02, expected)


# Figure 1


def infonce_by_hand(W, sigma, decay):
    """L = gamma ||W||^2 - Tr M + (3/4) Tr P^2 at tau = 1."""
    P = W @ sigma @ W.T
    return decay * np.sum(W**2) - np.trace(W @ A0[: len(sigma), : len(sigma)] @ W.T) + 0.75 * np.trace(P @ P)


def vicreg_by_hand(W, sigma, _):
    """(1/d1) (2 Tr P - 2 Tr M + sum_j (-P_jj + P_jj^2) + 2 sum_{i != j} P_ij^2): 1 - sqrt(P + 1/4) is 1/2 - P + P^2 - ..."""
    P = W @ sigma @ W.T
    M = W @ A0[: len(sigma), : len(sigma)] @ W.T
    own = np.diag(P)
    hinge = np.sum(own**2 - own)
    return (2 * np.trace(P) - 2 * np.trace(M) + hinge + 2 * (np.sum(P**2) - own @ own)) / len(W)


def infonce_squares(a, sigma, decay):
    """T4: w^2 = 2 (a - gamma) / (3 sigma^2)."""
    return 2 * (a - decay) / (3 * sigma**2)


def vicreg_squares(a, sigma, _):
    """Of 2 (sigma - a) q - sigma q + sigma^2 q^2 in q = w^2."""
    return (2 * a - sigma) / (2 * sigma**2)


CASES = {
    "figure-1": (infonce_by_hand, infonce_squares, BY_DECAY, weight_decay_landscape),
    "figure-1-augmentation": (vicreg_by_hand, vicreg_squares, BY_AUGMENTATION, augmentation_landscape),
}


def index_by_hand(by_hand, W, *given, step=1e-3):
    """The number of negative eigenvalues of the Hessian in W, by differences."""
    units = step * np.eye(W.size).reshape(W.size, *W.shape)
    signs = tuple(product((1, -1), repeat=2))
    hessian = [[sum(s * t * by_hand(W + s * u + t * v, *given) for s, t in signs) for u in units] for v in units]
    return int(np.sum(np.linalg.eigvalsh(np.array(hessian) / (4 * step**2)) < -1e-3))


@pytest.mark.parametrize("panel", range(3))
@pytest.mark.parametrize("name", CASES)
def test_t12_the_planes_are_the_landscape(name, panel):
    """T12: the contours are those of L at W = diag(w_1, w_2), w_1 to the right."""
    by_hand, _, settings_of, land = CASES[name]
    setting = settings_of[panel]
    w = np.linspace(-0.9, 0.9, 7)
    plane = np.stack(np.meshgrid(w, w), axis=-1)
    found = values_along(land(), plane, A0, setting.Sigma, **setting.parameters)
    decay = setting.parameters.get("gamma")
    expected = [[by_hand(np.diag([u, v]), setting.Sigma, decay) for u in w] for v in w]
    assert_close(found, expected)
    assert_differs(found, expected)
    assert np.abs(found - np.transpose(found)).max() > 0.05, "the two axes could be exchanged unseen"


@pytest.mark.parametrize("panel", range(3))
@pytest.mark.parametrize("name", CASES)
def test_t12_stationary_points_are_marked_where_they_are_by_kind_and_index(name, panel):
    """T12: markers sit at all stationary diag(w), the signs of B say which; kinds and indices are those of the Hessian."""
    by_hand, squares_of, settings_of, _ = CASES[name]
    setting, ax = settings_of[panel], drawn(name)[2 + panel]
    decay = setting.parameters.get("gamma")
    squares = squares_of(np.diag(A0), np.diag(setting.Sigma), decay)
    assert list(squares > 0) == [panel < 2, panel < 1]
    ends = [(0.0, np.sqrt(q), -np.sqrt(q)) if q > 0 else (0.0,) for q in squares]
    marked = {tuple(line.get_xydata()[0]): KIND_OF_MARKER[line.get_marker()] for line in ax.lines}
    assert_close(
        sorted(np.round(list(marked), 9).tolist()), sorted(np.round(list(product(*ends)), 9).tolist()), atol=1e-6
    )
    if panel < 2:
        assert_differs(sorted(np.round(list(marked), 9).tolist()), sorted(np.round(list(product(*ends)), 9).tolist()))
    indices = {tuple(text.xy): int(text.get_text()) for text in ax.texts}
    assert len(indices) == 2 ** np.sum(squares > 0)
    for place, index in indices.items():
        assert index == index_by_hand(by_hand, np.diag(place), setting.Sigma, decay)
        kind = "minimum" if index == 0 else "maximum" if index == 4 else "saddle"
        assert {k for p, k in marked.items() if np.allclose(np.abs(p), place)} == {kind}


@pytest.mark.parametrize("panel", range(2))
@pytest.mark.parametrize("name", CASES)
def test_t12_the_cuts(name, panel):
    """T12: the origin is a maximum where B is positive, else the only minimum."""
    by_hand, squares_of, settings_of, _ = CASES[name]
    setting, ax = settings_of[2 * panel], drawn(name)[panel]
    sigma, decay = setting.Sigma[:1, :1], setting.parameters.get("gamma")
    ((w, value),) = [line.get_data() for line in lines(ax)]
    expected = [by_hand(np.array([[v]]), sigma, decay) for v in w]
    assert_close(value, expected)
    assert_differs(value, expected)
    points = [line for line in ax.lines if len(line.get_xdata()) == 1]
    assert sorted(KIND_OF_MARKER[p.get_marker()] for p in points) == (
        ["minimum"] if panel else ["maximum"] + ["minimum"] * 2
    )
    assert_close(max(p.get_xdata()[0] for p in points) ** 2, max(squares_of(1.0, sigma[0, 0], decay), 0), atol=1e-9)


def test_a_plane_of_ones_own_landscape():
    """Any landscape of order 4 goes into `landscape_plane`; moments that are not diagonal are refused."""
    land = ss.landscape(ss.SpectralContrastive())
    ax = figures.landscape_plane(land=land, A0=np.diag([1.0, 0.5]), Sigma=np.eye(2), reach=1.5)
    minima = {
        tuple(np.abs(m.get_xydata()[0]).round(6)) for m in ax.lines if KIND_OF_MARKER[m.get_marker()] == "minimum"
    }
    assert minima == {(1.0, round(np.sqrt(0.5), 6))}
    with pytest.raises(ss.InputError, match="diagonal"):
        figures.landscape_plane(land=land, A0=np.eye(2) + 0.1, Sigma=2 * np.eye(2))


# Phase diagrams


def assert_bounds(ax, expected):
    """Assert that the bounds of a phase diagram are the given functions of x, and that they colour and name its regions."""
    found = lines(ax)[: len(expected)]
    for line, bound in zip(found, expected, strict=True):
        x, y = line.get_data()
        assert_close(y, bound(x), rtol=1e-4, atol=1e-4)
    bounds = [line.get_ydata() for line in found]
    with settings():
        colours = [patch.get_facecolor()[0] for patch in ax.collections]
        assert_close(colours, np.array(regions.shades(len(expected)))[1:])
    to_data = ax.transAxes + ax.transData.inverted()
    for text in ax.texts:
        if text.get_transform() == ax.transAxes:
            x, y = to_data.transform(text.get_position())
            kept = int(regions.surviving_at(found[0].get_xdata(), bounds, np.array([x]), np.array([y]))[0])
            assert text.get_text() in regions.words_for(kept, len(expected))


def assert_bounds_and_planted_errors(ax, expected):
    """The same, and bounds 5 per cent off are caught."""
    assert_bounds(ax, expected)
    with pytest.raises(AssertionError):
        assert_bounds(ax, [lambda x, bound=bound: 1.05 * bound(x) for bound in expected])


@pytest.mark.parametrize("panel", range(3))
def test_t6_bounds_by_augmentation_strength(panel):
    """T6, at Sigma = A_0 + s: gamma < a_k for InfoNCE, (3 a_k - (a_k + s)) / 2 with only the positive augmented, and
    2 a_k - (2 - 2 t) (a_k + s) for uniformity at t = 1/2."""
    values = (3.0, 2.0, 1.0)
    slope = (0.0, 0.5, 1.0)[panel]
    bounds = [lambda s, a=a: np.maximum(a - slope * s, 0) for a in values]
    assert_bounds_and_planted_errors(drawn("phase-augmentation")[panel], bounds)


def test_a_phase_diagram_of_ones_own():
    """The spectral loss has B = 2 A_0: its bounds are twice the eigenvalues of A_0, in any coordinates."""
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    ax = figures.phase_diagram(
        ss.SpectralContrastive(), A0=turn @ np.diag([2.0, 0.5]) @ turn.T, C=np.eye(2), decays=(0, 5)
    )
    assert_bounds_and_planted_errors(ax, [lambda s: 4.0 + 0 * s, lambda s: 1.0 + 0 * s])


def test_t5_bounds_by_temperature_without_normalisation():
    """T5: gamma < a_k / tau."""
    bounds = [lambda tau, a=a: a / tau for a in (3.0, 2.0, 1.0)]
    assert_bounds_and_planted_errors(drawn("phase-normalisation")[0], bounds)


def smooth_slope(epsilon, tau, kept, decay=0.1, data=(3.0, 2.0, 1.0), features=(4.0, 3.0, 2.0)):
    """dL/dp of the first mode left out, at the minimum over the modes before it, of the smooth cosine at order 4:
    gamma sum p/s - Tr M/(e t) + (Tr M Tr P + 2 Tr MP)/(e^2 t) + Tr P^2/(2 e^2 t^2)."""
    s = np.array(features)
    r = np.array(data) / s
    linear, one = decay / s - r / (epsilon * tau), np.ones(kept)
    quadratic = np.outer(r[:kept], one) + np.outer(one, r[:kept]) + np.diag(4 * r[:kept] + 1 / tau)
    p = np.linalg.solve(quadratic / (epsilon**2 * tau), -linear[:kept]) if kept else np.zeros(0)
    return linear[kept] + (r[kept] * p.sum() + r[:kept] @ p) / (epsilon**2 * tau)


def test_t7_bounds_of_the_smooth_cosine():
    """T7: mode k enters beside the modes before it where the slope of its strength changes its sign."""
    for kept, line in enumerate(lines(drawn("phase-normalisation")[1])[:3]):
        for tau, epsilon in list(zip(*line.get_data(), strict=True))[5::15]:
            assert smooth_slope(0.99 * epsilon, tau, kept) < 0 < smooth_slope(1.01 * epsilon, tau, kept)
    assert len(lines(drawn("phase-normalisation")[1])) == 3


def test_t7_modes_kept_on_the_shell():
    """T7: mode k is kept below tau = 1 / sum_{i<k} (r_i - r_k), and one mode always."""
    (steps,) = drawn("phase-normalisation")[2].patches
    counts, edges, _ = steps.get_data()
    r = np.linspace(0.95, 0.05, 16)
    gaps = [sum(r[i] - r[k] for i in range(k)) for k in range(1, 16)]
    expected = [1 / g for g in sorted(gaps, reverse=True) if 1 / g < edges[-1]]
    assert_close(edges[1:-1], expected)
    assert_differs(edges[1:-1], expected)
    assert list(counts) == list(range(16, 15 - len(expected), -1))


def test_t10_bounds_by_class_probability():
    """T10: 2 pi_c for the spectral loss. For InfoNCE pi_c (1 + Q/4), Q of the frequent class alone, |W m|^2 = q, from its
    loss by hand: f = -+sqrt(q) with probability (1 - pi)/2 each, and 0."""
    spectral, infonce = drawn("phase-imbalance")
    assert_bounds_and_planted_errors(spectral, [lambda pi: 2 * (1 - pi), lambda pi: 2 * pi])
    q, f, gamma = sp.symbols("q f gamma", positive=True)
    far, near = sp.exp(-2 * q), sp.exp(-q / 2)
    value = f * sp.log(f * (1 + far) / 2 + (1 - f) * near) + (1 - f) * sp.log(f * near + 1 - f)
    slope = sp.diff(sp.series(value, q, 0, 3).removeO() + gamma * q, q)
    learned = sp.lambdify((f, gamma), sp.solve(slope, q)[0])
    first_line, second = lines(infonce)[:2]
    pi, rare = second.get_data()
    assert_close(first_line.get_ydata(), 1 - pi)
    expected = pi * (1 + (1 - pi) * learned(1 - pi, rare) / 4)
    assert_close(rare, expected, rtol=1e-4)
    assert_differs(rare, expected)
    assert_close(lines(infonce)[2].get_ydata(), pi)


def test_shades_are_told_apart_in_grey():
    """From complete collapse to none the regions become lighter, by a tenth of the range at least."""
    with settings():
        for modes in (1, 2, 3):
            grey = np.array(regions.shades(modes))[:, :3] @ (0.299, 0.587, 0.114)
            assert np.all(np.diff(grey) > 0.1)


# Spectra


def panel_spectrum(panel):
    """Return r and p of all points of a panel of the spectra, ascending in r."""
    data = np.concatenate([line.get_xydata() for line in drawn("spectra")[panel].lines])
    return data[data[:, 0].argsort()].T


def barlow_slopes(r, p, lambda_=0.0051, d1=16):
    """dL/dp_i of batch-normalised Barlow Twins at equal shares, outputs of variance 1: d1 (1 - m)^2 + lambda (sum r^2 p^2
    - d1 m^2), m = sum r p / d1."""
    m = r @ p / d1
    return -2 * (1 - m) * r + 2 * lambda_ * (r**2 * p - m * r)


SPECTRA = {
    0: lambda r: (3 - np.sqrt(9 - 8 * r)) / (np.sqrt(9 - 8 * r) - 1),  # X1, in closed form
    1: lambda r: r,  # T4: b / 2, b = 2 r
    3: lambda r: 1 / r,  # M = 1
}


@pytest.mark.parametrize("panel", SPECTRA)
def test_spectra_of_modes_that_do_not_meet(panel):
    """X1, T4: the strength of a mode is a function of its own correlation."""
    r, p = panel_spectrum(panel)
    assert len(r) == 16
    assert_close(p, SPECTRA[panel](r))
    assert_differs(p, SPECTRA[panel](r))


def test_t7_spectrum_of_ntxent_on_the_shell():
    """T7: p_i = 1/k + tau (r_i - mean r) on the k modes kept."""
    r, p = panel_spectrum(2)
    kept = p > 0
    assert_close(p[kept], 1 / kept.sum() + (r[kept] - r[kept].mean()) / 2)
    assert_differs(p[kept], 1 / kept.sum() + (r[kept] - r[kept].mean()) / 2)
    assert 1 / kept.sum() + (r[~kept].max() - r[kept].mean()) / 2 < 0


def test_t9_spectrum_of_barlow_twins():
    """T9: sum p = d1, kept modes share one slope, and a lost mode has a larger one."""
    r, p = panel_spectrum(4)
    assert_close(p.sum(), 16)
    slopes = barlow_slopes(r, p)
    assert_close(slopes[p > 0], slopes[-1], rtol=1e-5)
    assert np.all(slopes[p == 0] > slopes[-1]) and (p > 0).sum() == 4
    assert_differs(slopes[p > 0][:-1], slopes[-1])


def vicreg_slopes(r, p, d1=16, lambda_=25, mu=25, nu=1, epsilon=1e-4):
    """dL/dp_i of VICReg at equal shares P_jj = Tr P / d1, hinge active:
    (2 lambda (Tr P - Tr M) + 2 nu (Tr P^2 - (Tr P)^2/d1)) / d1
    + mu (1 - sqrt(Tr P / d1 + epsilon))."""
    share = p.sum() / d1
    return (2 * lambda_ * (1 - r) + 4 * nu * (p - share) - mu / (2 * np.sqrt(share + epsilon))) / d1


def test_t9_spectrum_of_vicreg():
    """T9: the hinge is active, kept modes have slope 0, lost ones a positive one."""
    r, p = panel_spectrum(5)
    kept = p > 0
    assert p.sum() < 16 * (1 - 1e-4) and kept.sum() == 6
    assert_close(vicreg_slopes(r, p)[kept], 0, atol=1e-6)
    assert np.all(vicreg_slopes(r, p)[~kept] > 0)
    assert np.abs(vicreg_slopes(r, 1.02 * p)[kept]).max() > 1e-3


# Quartic and exact, growth, robustness


def test_x1_series_and_closed_form():
    """X1: one mode has p (1 - r) - p / (2 (1 + p)) - log(1 + p) / 2, and the series are its Taylor polynomials in w^2 = p."""
    p = sp.Symbol("p", positive=True)
    r = sp.Rational(7, 10)
    exact = p * (1 - r) - p / (2 * (1 + p)) - sp.log(1 + p) / 2
    expected = [exact, *(sp.series(exact, p, 0, order // 2 + 1).removeO() for order in (4, 8))]
    found = lines(drawn("quartic-and-exact")[0])
    dots = [line for line in drawn("quartic-and-exact")[0].lines if len(line.get_xdata()) == 1]
    for line, dot, expr in zip(found, dots, expected, strict=True):
        w, value = line.get_data()
        assert_close(value, sp.lambdify(p, expr)(w**2))
        assert_differs(value, sp.lambdify(p, expr)(w**2))
        ((at, low),) = dot.get_xydata()
        assert abs(float(sp.diff(expr, p).subs(p, at**2))) < 1e-9
        assert_close(low, float(expr.subs(p, at**2)))


def test_x1_trained_strengths():
    """X1: exact, and 2 r / 3 of the quartic (T4); the exact one runs to infinity at r = 1."""
    exact, quartic, _ = lines(drawn("quartic-and-exact")[1])
    for line, formula in ((exact, SPECTRA[0]), (quartic, lambda r: 2 * r / 3)):
        r, p = line.get_data()
        assert_close(p, formula(r))
        assert_differs(p, formula(r))
    assert exact.get_ydata()[-1] > 100


def test_x5_growth_is_logistic():
    """X5: q = |W u|^2 of the spectral loss obeys dq/dt = 8 a q - 8 sigma^2 q^2; circles sit at half the plateau."""
    ax = drawn("growth")[0]
    for line, a, s in zip(lines(ax), *figures_growth(), strict=True):
        t, p = line.get_data()
        plateau = a / s
        expected = plateau / (1 + (plateau / (s * 1e-6) - 1) * np.exp(-8 * a * t))
        assert_close(p, expected, rtol=1e-5)
        assert_differs(p, expected)
    circles = [line.get_xydata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    assert len(circles) == 3
    for (time, half), line in zip(circles, lines(ax), strict=True):
        assert_close(np.interp(time, *line.get_data()), half, rtol=1e-2)


def figures_growth():
    """The moments of the panel with an output for every mode, as they are drawn: A_0 and Sigma."""
    return (2.0, 1.2, 0.7), (2.2, 1.5, 1.1)


def test_x5_the_mode_learned_first_is_replaced():
    """X5: with one output the mode of the larger A_0 is learned first, and that of the larger a / sigma stays."""
    one, two = (line.get_ydata() for line in lines(drawn("growth")[1]))
    half = 0.5 * one.max()
    assert np.argmax(one > half) < np.argmax(two > half)
    assert one[-1] < 1e-6
    assert_close(two[-1], 1.4 / 1.6)


def test_t10_strength_of_a_rare_class():
    """T10: without noise p_c is 1 but for InfoNCE, where it falls like pi_c; with noise, r_c = pi / (pi + sigma^2) for the
    spectral loss, 1 / r_c for Barlow Twins, and VICReg loses the class."""
    clean, noisy = drawn("robustness")
    infonce, *others = (line.get_ydata() for line in lines(clean))
    pi = lines(clean)[0].get_xdata()
    for p in others:
        assert_close(p, 1.0, rtol=2e-4)  # VICReg's outputs have the variance 1 - epsilon
        assert_differs(p, 1.0)
    slope = np.log(infonce[1] / infonce[0]) / np.log(pi[1] / pi[0])
    assert 0.98 < slope < 1.0
    _, spectral, barlow, vicreg = (line.get_ydata() for line in lines(noisy))
    r = pi / (pi + 0.1**2)
    assert_close(spectral, r)
    assert_close(barlow, 1 / r)
    assert_differs(spectral, r)
    assert np.isnan(vicreg[0]) and vicreg[-1] > 0.9


# How they are drawn


def assert_nothing_is_covered(axes):
    """Assert that no legend lies on a line or marker, and that no two labels of points or regions lie on each other."""
    for ax in axes:
        legend = ax.get_legend()
        if legend is not None:
            box = legend.get_window_extent()
            for line in ax.lines:
                places = ax.transData.transform(line.get_xydata())
                assert not any(box.contains(*place) for place in places), f"the legend covers {line.get_label()}"
        boxes = [text.get_window_extent() for text in ax.texts]
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i]), [t.get_text() for t in ax.texts]


@pytest.mark.parametrize("name", [figure.name for figure in FIGURES])
def test_nothing_is_covered(name):
    """Legends leave the data free, and labels each other."""
    assert_nothing_is_covered(drawn(name))


def test_a_covered_line_is_caught():
    """A legend that is put on the lines does not pass."""
    axes = figures.quartic_and_exact()
    axes[1].legend(loc="lower center")
    axes[0].figure.draw_without_rendering()
    with pytest.raises(AssertionError, match="covers"):
        assert_nothing_is_covered(axes)


@pytest.mark.parametrize("name", [figure.name for figure in FIGURES])
def test_lines_are_told_apart_without_colour(name):
    """Lines of one panel with labels of their own have dashes of their own."""
    for ax in drawn(name):
        dashes = [str(line._unscaled_dash_pattern) for line in lines(ax) if not line.get_label().startswith("_")]
        assert len(set(dashes)) == len(dashes)
