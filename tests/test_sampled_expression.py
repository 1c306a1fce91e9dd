"""Any expression on a batch against loops over rows in mpmath: value, gradient, influence; scales; refusals."""

import tracemalloc

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from row_by_row import RowByRow, influence, slope

import symscape as ss
from symscape.errors import InputError
from symscape.losses.batch import Expression
from symscape.sampling.expression.design import TUPLES, arrays_of_views, shifts_of_data
from symscape.sampling.expression.expression_evaluator import ExpressionEvaluator
from symscape.sampling.expression.row_mean import RowMean

x, xp, chi, chi2 = ss.anchor, ss.positive, ss.negative, ss.View("chi2")
dot, sqdist, sqnorm, E, total = ss.dot, ss.sqdist, ss.sqnorm, ss.E, ss.total
i, j = ss.outputs("i j")
log, exp = sp.log, sp.exp


def batch(seed=0, rows=5, outputs=2, scale=1.0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(rows, outputs))
    return scale * a, scale * (a + rng.normal(size=a.shape) / 2)


def evaluator(expr):
    return ExpressionEvaluator(Expression(ss.Loss(expr).expr))


def assert_as_row_by_row(expr, a, b, tolerance=1e-10, **given):
    """Assert value, slope along a random direction, and influence."""
    found, rng = evaluator(expr), np.random.default_rng(5)
    value, by_a, by_b = found.value_and_gradient(a, b)
    expected = float(RowByRow(a, b, **given).value(expr))
    assert abs(value - expected) < tolerance * max(1, abs(expected)), f"{expr}: {value} for {expected}"
    assert abs(found.value(a, b) - value) <= 1e-13 * max(1, abs(value)), f"{expr}: value and gradient apart"
    da, db = rng.normal(size=(2, *a.shape))
    along, size = np.sum(by_a * da + by_b * db), np.sum(abs(by_a * da) + abs(by_b * db))
    expected = slope(expr, a, b, da, db, **given)
    assert abs(along - expected) < tolerance * max(1, size), f"{expr}: slope {along} for {expected}"
    weights, expected = found.influence(a, b), influence(expr, a, b, **given)
    assert np.allclose(weights - weights.mean(), expected, atol=tolerance * max(1, np.abs(weights).max())), (
        f"{expr}: influence"
    )


def softplus(u):
    return log(1 + exp(u))


EXPRESSIONS = {
    "infonce": ss.InfoNCE(tau=0.7).expr,
    "infonce-dot": ss.InfoNCE(tau=0.7, similarity="dot").expr,
    "infonce-two-negatives": ss.InfoNCE(tau=0.7, n=2).expr,
    "ntxent": ss.NTXent(tau=0.5).expr,
    "ntxent-smooth": ss.NTXent(tau=0.5, epsilon=1).expr,
    "spectral": ss.SpectralContrastive().expr,
    "barlow-twins-raw": ss.BarlowTwins(lambda_=0.3).expr,
    "barlow-twins": ss.BarlowTwins(lambda_=0.3, epsilon=0.1).expr,
    "vicreg": ss.VICReg(lambda_=5, mu=3, nu=2, epsilon=0.25).expr,
    "align-uniform": E(sqdist(x, xp)) + log(E(exp(-2 * sqdist(x, chi)))),
    "siglip": E(softplus(1 - 2 * dot(x, xp))) + E(softplus(2 * dot(x, chi) - 1)),
    "decoupled": -E(dot(x, xp)) / 2 + E(log(E(exp(dot(x, chi) / 2), over=chi))),
    "triplet": E(softplus(sp.Rational(1, 3) + sqdist(x, xp) - sqdist(x, chi))),
    "hinge": E(sp.Max(0, 1 - dot(x, xp) + dot(x, chi))),
    "bounded": E(sp.erf(dot(x, chi)) + sp.atan(dot(x, xp)) / 3 + sp.sinh(sp.Rational(1, 5) * sqnorm(x))),
    "absolute": E(sp.Abs(dot(x, xp) - dot(x, chi))) + E(sp.Min(1, sqdist(x, chi))),
    "saturating": E(sp.tanh(sqdist(x, xp))) - E(sp.tanh(sqdist(x, chi))),
    "distance": E(sp.sqrt(sqdist(x, chi))),
    "quotient": E(sqdist(x, chi) * exp(dot(x, chi))) / E(exp(dot(x, chi))),
    "softmax": E(log(exp(dot(x, xp)) / (2 * exp(dot(x, xp)) + 3 * E(exp(dot(x, chi)), over=chi)))),
    "power-of-an-exponential-mean": E(sqnorm(x) * E(exp(dot(x, chi)), over=chi) ** -2),
    "candidates-as-anchors": E(log(E(exp(dot(x, chi)), over=x))),
    "two-windows": E(log(1 + total(exp(dot(x, chi)), over=chi, n=2)) * dot(x, xp)),
    "mean-in-a-mean": E(sqnorm(x) / (1 + E(sqnorm(x))) * sp.sin(dot(x, xp))),
    "shadowed": E(dot(x, chi) * E(exp(dot(x, chi)), over=x)),
    "outputs-and-rows": ss.output_sum(ss.P(i, i) ** 2 / E(sqnorm(x)), i)
    + ss.output_sum(1 / ss.d_1, i, j, distinct=True),
    "two-to-the-power": E(2 ** dot(x, chi)),
    "piecewise": E(sp.Piecewise((dot(x, chi) ** 2, dot(x, chi) > 0), (-dot(x, xp), True))),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_is_what_its_loops_say(name):
    """Value, gradient and influence of every loss of the catalogue as an expression, and of users' losses."""
    assert_as_row_by_row(EXPRESSIONS[name], *batch())


def test_views_that_serve_a_negative():
    """chi is b_j against x, a_j against x', both in turn against both; an array of its own where one is given."""
    a, b = batch()
    assert_as_row_by_row(E(log(E(exp(dot(xp, chi)), over=chi))), a, b, arrays={"chi": "a"})
    both = E(log(E(exp(dot(x, chi) - dot(xp, chi) ** 2), over=chi)))
    value = evaluator(both).value(a, b)
    halves = [float(RowByRow(a, b, arrays={"chi": z}).value(both)) for z in "ab"]
    assert abs(value - sum(halves) / 2) < 1e-12
    assert abs(halves[0] - halves[1]) > 1e-3, "the two views would not be told apart"
    c, x3 = a - 1, ss.View("x3", of=x)
    third = E(log(E(exp(dot(x3, chi)), over=chi)) + dot(x, x3) * dot(x, xp))
    found = evaluator(third).run(a, b, views={"x3": c}, gradient=True)
    assert abs(found.value - float(RowByRow(a, b, arrays={"x3": c}).value(third))) < 1e-12
    assert np.any(found.gradients["x3"])
    with pytest.raises(InputError, match=r"x3 .* give it an array, views=\{'x3': array\}"):
        evaluator(third).value(a, b)
    clean = ss.View("s", of=x, moment="A_0")
    with pytest.raises(InputError, match="moments of its own"):
        evaluator(E(dot(x, clean))).value(a, b)


def scalars(leaves, binary=True):
    """Expressions that are finite and smooth enough wherever the leaves are."""

    def extend(inner):
        unary = [
            inner.map(sp.tanh),
            inner.map(lambda u: exp(sp.Rational(1, 3) * sp.tanh(u))),
            inner.map(lambda u: softplus(u / 4)),
            inner.map(lambda u: log(2 + u**2)),
            inner.map(lambda u: 1 / sp.sqrt(1 + u**2)),
            inner.map(lambda u: sp.Max(u, sp.Rational(1, 3))),
            inner.map(lambda u: sp.Abs(u - sp.Rational(1, 7))),
            inner.map(lambda u: -3 * u + 1),
        ]
        pairs = st.tuples(inner, inner)
        return st.one_of(*unary, pairs.map(lambda p: p[0] + p[1]), pairs.map(lambda p: p[0] * p[1]))

    return st.recursive(leaves, extend, max_leaves=4)


ROW = st.sampled_from([dot(x, xp), sqdist(x, xp), sqnorm(x), sqnorm(xp)])
PAIR = st.sampled_from(
    [dot(x, chi), sqdist(x, chi), dot(x, chi) / 3 - sqnorm(x) + 2 * sqnorm(chi), sqnorm(chi), sqnorm(x)]
)
GIVEN_ROW = (
    scalars(PAIR)
    .filter(lambda e: e.has(chi) and e.has(dot(x, chi), sqdist(x, chi)))
    .flatmap(
        lambda e: st.sampled_from(
            [E(e, over=chi), log(1 + E(exp(e / 5), over=chi)), E(exp(e / 5), over=chi) ** sp.Rational(-1, 2)]
        )
    )
)
CLOSED = st.one_of(
    scalars(st.one_of(ROW, GIVEN_ROW)).filter(lambda e: e.has(x) or e.has(xp)).map(E),
    scalars(PAIR).filter(lambda e: e.has(dot(x, chi), sqdist(x, chi))).map(E),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(scalars(CLOSED), st.integers(0, 1000))
def test_expressions_made_at_random(expr, seed):
    """X7: whatever the language can say."""
    expr = sp.sympify(expr)
    if not expr.has(ss.View) or ss.Loss(expr).expr.has(sp.nan):
        return
    assert_as_row_by_row(expr, *batch(seed, rows=4, scale=0.7), tolerance=1e-8)


@pytest.mark.parametrize(
    "planted",
    [
        {"with_itself": True},
        {"arrays": {"chi": "a"}},
        {"arrays": {"x'": "a"}},
        {"arrays": {"x": "b"}},
    ],
)
def test_a_wrong_row_or_view_is_caught(planted):
    """The pair j = i included, or a view from the other array, does not pass."""
    with pytest.raises(AssertionError, match="for"):
        assert_as_row_by_row(EXPRESSIONS["infonce"], *batch(), **planted)


@pytest.mark.parametrize("name", ["infonce", "ntxent", "triplet", "barlow-twins"])
def test_two_percent_in_a_coefficient_is_caught(name):
    a, b = batch()
    expected = float(RowByRow(a, b).value(EXPRESSIONS[name]))
    wrong = EXPRESSIONS[name] + sp.Rational(2, 100) * E(sqdist(x, xp))
    assert (
        abs(evaluator(EXPRESSIONS[name]).value(a, b) - expected) < 1e-10 < abs(evaluator(wrong).value(a, b) - expected)
    )


# Blocks


@pytest.mark.parametrize("name", ["infonce", "infonce-two-negatives", "ntxent", "quotient", "mean-in-a-mean"])
def test_blocks_of_anchors_change_nothing(name, monkeypatch):
    """One anchor at a time, cyclic shifts and all, gives what one block gives."""
    a, b = batch(rows=13)
    whole = evaluator(EXPRESSIONS[name]).run(a, b, gradient=True, influence=True)
    monkeypatch.setattr(RowMean, "_block_rows", lambda self, batch, shifts, keep: 3)
    parts = evaluator(EXPRESSIONS[name]).run(a, b, gradient=True, influence=True)
    assert abs(whole.value - parts.value) < 1e-13
    for key in ("a", "b"):
        assert np.allclose(whole.gradients[key], parts.gradients[key], rtol=1e-12, atol=1e-14)
    assert np.allclose(whole.influence, parts.influence, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("downwards", [False, True])
def test_a_scale_that_grows_from_block_to_block(downwards, monkeypatch):
    """A log of a mean over all pairs, the exponents of whose blocks are thousands apart, keeps what is largest."""
    monkeypatch.setattr(RowMean, "_block_rows", lambda self, batch, shifts, keep: 1)
    a, b = batch(rows=6)
    sizes = np.linspace(1, 40, 6)[:: -1 if downwards else 1, None]
    assert_as_row_by_row(log(E(exp(dot(x, xp))) + E(exp(dot(x, chi)))), sizes * a, sizes * b)


def test_memory_is_bounded():
    """No array of all pairs: at N = 3000 one would be 72 MB."""
    a, b = batch(rows=3000, outputs=4)
    found = evaluator(EXPRESSIONS["infonce"])
    found.value(a[:10], b[:10])
    tracemalloc.start()
    found.value_and_gradient(a, b)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6


# Three data and more


def triples(rows):
    shifts = shifts_of_data(rows, (1, 1), (True, True), "")
    return [(int(k), int(l)) for k in shifts[0].table[:, 0] for l in shifts[1].table[:, 0]]


def test_three_data_are_rows_at_two_shifts():
    """E over x, chi, chi2 is the mean over rows and over pairs of shifts; conditional on x, over the shifts."""
    a, b = batch(rows=9)
    product = dot(x, chi) * dot(chi, chi2) * dot(x, chi2)
    arrays = arrays_of_views(E(product), E(product), ())[0]
    z = {"a": a, "b": b}
    f, g, h = z[arrays[x]], z[arrays[chi]], z[arrays[chi2]]

    def term(n, k, l):
        u, v, w = f[n], g[(n + k) % 9], h[(n + l) % 9]
        return (u @ v) * (v @ w) * (u @ w)

    values = np.array([[term(n, k, l) for k, l in triples(9)] for n in range(9)])
    assert abs(evaluator(E(product)).value(a, b) - values.mean()) < 1e-12
    inner = E(log(E(exp(product / 9), over=(chi, chi2))))
    assert abs(evaluator(inner).value(a, b) - np.log(np.exp(values / 9).mean(axis=1)).mean()) < 1e-12


@pytest.mark.parametrize(
    "expr",
    [
        E(dot(x, chi) * dot(chi, chi2) * dot(x, chi2)),
        E(log(E(exp(E(dot(x, chi) * dot(chi, chi2) * sqdist(x, chi2), over=chi2) / 9), over=chi))),
        E(sqdist(chi, chi2) * total(exp(dot(x, chi) / 3), over=chi, n=2)),
    ],
)
def test_gradients_of_three_data(expr):
    """By differences; at d1 = 2 and 12 rows."""
    a, b = batch(rows=12)
    found, rng = evaluator(expr), np.random.default_rng(1)
    _, by_a, by_b = found.value_and_gradient(a, b)
    da, db = rng.normal(size=(2, *a.shape))
    h = 1e-5
    difference = (found.value(a + h * da, b + h * db) - found.value(a - h * da, b - h * db)) / (2 * h)
    assert abs(np.sum(by_a * da + by_b * db) - difference) < 1e-7 * max(1, abs(difference))


@pytest.mark.parametrize("rows", [3, 4, 10, 1000])
@pytest.mark.parametrize("copies", [(1, 1), (1, 1, 1), (2, 1)])
def test_shifts_are_apart_and_bounded(rows, copies):
    """No datum meets itself, no two data are one row, and their combinations are bounded."""
    if rows <= sum(copies):
        with pytest.raises(InputError, match=f"at least {sum(copies) + 1} rows"):
            shifts_of_data(rows, copies, (True,) * len(copies), "E[...]")
        return
    tables = [s.table for s in shifts_of_data(rows, copies, (True,) * len(copies), "")]
    used = np.concatenate([t.ravel() for t in tables])
    assert len(set(used)) == len(used)
    assert used.min() >= 1
    assert used.max() < rows
    assert np.prod([t.size for t in tables]) <= TUPLES


# Scales


@pytest.mark.parametrize("tau", [0.001, 0.01, 1, 100])
@pytest.mark.parametrize("scale", [1e-8, 1, 1e4])
def test_any_temperature(tau, scale):
    """Log-mean-exps, softmaxes, quotients of exponentials and softplus at any temperature and scale of the views."""
    tau = sp.nsimplify(tau)
    a, b = batch(scale=scale)
    for expr in (
        ss.InfoNCE(tau=tau).expr,
        ss.InfoNCE(tau=tau, n=2).expr,
        log(E(exp(dot(x, chi) / tau))),
        E(sqdist(x, chi) * exp(dot(x, chi) / tau)) / E(exp(dot(x, chi) / tau)),
        E(softplus(dot(x, chi) / tau)),
        E(log(exp(dot(x, xp) / tau) / (exp(dot(x, xp) / tau) + 3 * E(exp(dot(x, chi) / tau), over=chi)))),
    ):
        value, by_a, by_b = evaluator(expr).value_and_gradient(a, b)
        expected = float(RowByRow(a, b).value(expr))
        assert abs(value - expected) <= 1e-11 * max(abs(expected), 1), f"{expr} at tau {tau}"
        assert np.isfinite([by_a, by_b]).all()


def test_far_from_the_origin_distances_keep_their_digits():
    """Squared distances are taken about the mean of the batch, and of duplicates are 0."""
    a, b = batch(rows=6)
    loss = E(log(E(exp(-sqdist(x, chi)), over=chi)))
    assert abs(evaluator(loss).value(a + 1e6, b + 1e6) - evaluator(loss).value(a, b)) < 1e-8
    b[3] = a[1]
    root = E(sp.sqrt(sqdist(x, chi)))
    assert abs(evaluator(root).value(a, b) - float(RowByRow(a, b).value(root))) < 1e-13
    with pytest.raises(InputError, match="no derivative: two representations coincide"):
        evaluator(root).value_and_gradient(a, b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_have_the_type_of_the_views(dtype):
    a, b = (z.astype(dtype) for z in batch())
    value, by_a, by_b = evaluator(EXPRESSIONS["ntxent"]).value_and_gradient(a, b)
    assert isinstance(value, float)
    assert by_a.dtype == by_b.dtype == dtype


# Refusals


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (ss.NTXent().expr, "divides by zero"),
        (E(log(dot(x, xp))), "argument of log"),
        (log(E(dot(x, chi)) - 100), "argument of log"),
        (E(exp(1000 * sqnorm(x))), "beyond the largest float"),
        (E(sp.sqrt(dot(x, chi) - 100)), "not real"),
        (E(sp.asin(5 * sqnorm(x))), "not finite and real"),
        (E(sqdist(x, xp) * sp.Symbol("q")), "q has no value"),
        (E(total(dot(x, chi), over=chi, n=sp.Symbol("n"))), "number of copies n is a symbol"),
        (E(total(dot(x, chi), over=chi, n=5)), "at least 6 rows"),
        (E(total(dot(x, chi), over=chi, n=2) * total(sqdist(x, chi), over=chi, n=3)), r"\[2, 3\] copies"),
        (E(sqnorm(x)) + ss.weight_norm(), "norm of W; give W"),
        (ss.output_sum(ss.output_sum(ss.P(i, j), i), j), "one output_sum over all"),
    ],
)
def test_what_has_no_value_is_refused(expr, message):
    """In words that quote the expression and say where to go; a warning would fail the test."""
    a, b = batch()
    a[2] = 0 if message == "divides by zero" else a[2]
    with pytest.raises(InputError, match=message):
        evaluator(expr).value_and_gradient(a, b)


@pytest.mark.parametrize("scale", [1e-80, 1e80])
def test_views_beyond_the_range_of_floats_are_refused(scale):
    with pytest.raises(InputError, match="rescale the views"):
        evaluator(EXPRESSIONS["infonce"]).value(*batch(scale=scale))


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_equal_representations(name):
    """At complete collapse there is a value and a finite gradient, or an error that names what divides by zero."""
    a = np.full((6, 2), 0.5)
    try:
        value, by_a, by_b = evaluator(EXPRESSIONS[name]).value_and_gradient(a, a)
    except InputError as error:
        assert name == "distance"
        assert "two representations coincide" in str(error)
    else:
        assert abs(value - float(RowByRow(a, a).value(EXPRESSIONS[name]))) < 1e-12
        assert np.isfinite([by_a, by_b]).all()
