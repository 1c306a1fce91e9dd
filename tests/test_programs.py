"""Compiled programs against the definitions of words: value, gradient, Hessian-vector product, in every layout."""

import pickle
import threading
from dataclasses import dataclass

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_words import Case, gradient, value

import symscape as ss
from symscape.algebra.graphs import monomial_of_index_sum
from symscape.algebra.words import closed_word, open_word
from symscape.errors import InputError, MomentsError, UnknownNameError
from symscape.programs import grid_program
from symscape.programs.moment_program import GRADIENT, HESSIAN_VECTOR, VALUE, MomentProgram
from symscape.programs.source import NUMPY_SINGLE

LANDSCAPES = {
    "infonce": lambda: ss.landscape(ss.InfoNCE(), 8),
    "infonce, two negatives": lambda: ss.landscape(ss.InfoNCE(n=2), 6),
    "ntxent": lambda: ss.landscape(ss.NTXent(epsilon=1), 6),
    "ntxent, bias": lambda: ss.landscape(ss.NTXent(epsilon=1), 4, bias=True),
    "ntxent, mean and bias": lambda: ss.landscape(ss.NTXent(epsilon=1), 4, ss.GaussianViews(mean=True), bias=True),
    "barlow twins": lambda: ss.landscape(ss.BarlowTwins(lambda_=0.3, epsilon=1), 6),
    "raw barlow twins, mean": lambda: ss.landscape(ss.BarlowTwins(lambda_=0.3), 4, ss.GaussianViews(mean=True)),
    "vicreg and decay": lambda: ss.landscape(ss.VICReg(epsilon=0.25) + ss.WeightDecay(0.1), 6),
    "mixture": lambda: ss.landscape(ss.InfoNCE(), 4, ss.MixtureViews(2)),
}
#: One W, a batch, a grid by entries (more outputs than features, and fewer), a batch of two axes, a grid too large to unroll.
SHAPES = [(2, 3), (3, 2), (5, 2, 3), (100, 2, 3), (70, 4, 2), (10, 20, 1, 3), (65, 5, 6)]


@dataclass
class Drawn:
    """Random numbers for a landscape's words at one shape of W."""

    W: np.ndarray
    bias: np.ndarray | None
    case: Case
    program: MomentProgram

    def at(self, place: tuple[int, ...]) -> Case:
        """Return the case at one W of the batch."""
        return self.case._replace(bias=None if self.bias is None else self.bias[place])


def drawn(name: str, shape: tuple[int, ...], seed: int = 0) -> Drawn:
    f = LANDSCAPES[name]().numpy()
    rng = np.random.default_rng(seed)
    d0 = shape[-1]
    roots = {s: rng.normal(size=(d0, d0)) for s in f.letters}
    means = {v: rng.normal(size=d0) for v in f.vectors}
    bias = rng.normal(size=shape[:-1]) if f.meaning.has_bias else None
    monomials = f.program.monomials
    case = Case(monomials, rng.normal(size=len(monomials)), {s: m @ m.T for s, m in roots.items()}, means, bias)
    return Drawn(rng.normal(size=shape), bias, case, MomentProgram(monomials))


def run(d: Drawn, gradient: bool = True):
    return d.program.run(d.W, d.case.matrices, d.case.means, d.bias, d.case.coefficients, None, gradient)


def assert_same(found, expected, tolerance=1e-11):
    """Assert equality relative to the largest entry."""
    scale = np.abs(expected).max() + 1e-300
    assert np.shape(found) == np.shape(expected)
    assert np.abs(np.asarray(found) - expected).max() <= tolerance * scale


def assert_program_is_the_definition(d: Drawn, total, dW, db) -> None:
    places = list(np.ndindex(d.W.shape[:-2]))
    some = places[:3] + places[-3:]
    assert np.shape(total) == d.W.shape[:-2]
    assert_same([total[p] for p in some], np.array([value(d.at(p), d.W[p], d.at(p).bias) for p in some]))
    for p in some:
        by_W, by_b = gradient(d.at(p), d.W[p])
        assert_same(dW[p], by_W)
        if by_b is not None:
            assert_same(db[p], by_b)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", LANDSCAPES)
def test_a_program_is_the_definition(name, shape):
    """Value and gradient, in every layout, equal the words as they are written; the value alone is the same."""
    d = drawn(name, shape)
    total, dW, db = run(d)
    assert_program_is_the_definition(d, np.asarray(total), dW, db)
    assert_same(run(d, gradient=False)[0], total)


@pytest.mark.parametrize("shape", [(2, 3), (100, 2, 3)], ids=str)
@pytest.mark.parametrize("name", LANDSCAPES)
def test_a_small_error_is_caught(name, shape):
    """One coefficient that is off by 1e-9, or a gradient that is a transposed product, does not pass."""
    d = drawn(name, shape)
    wrong = d.case._replace(coefficients=d.case.coefficients + 1e-9 * np.abs(d.case.coefficients).max())
    with pytest.raises(AssertionError):
        assert_program_is_the_definition(Drawn(d.W, d.bias, wrong, d.program), *map(np.asarray, run(d)))
    total, dW, db = run(d)
    with pytest.raises(AssertionError):
        assert_program_is_the_definition(d, np.asarray(total), dW[..., ::-1], db)


@pytest.mark.parametrize("shape", [(2, 3), (4, 3, 2), (80, 2, 2)], ids=str)
@pytest.mark.parametrize("name", LANDSCAPES)
def test_hessian_vector_products_are_differences_of_gradients(name, shape):
    """The derivative of the gradient along V, against a central difference of the same gradient."""
    d = drawn(name, shape)
    V = np.random.default_rng(1).normal(size=shape)
    numbers = (d.case.matrices, d.case.means, d.bias, d.case.coefficients)
    found = d.program.hessian_vector(d.W, V, *numbers)
    step = 1e-5
    up, down = (d.program.run(d.W + s * step * V, *numbers, None, True)[1] for s in (1, -1))
    assert_same(found, (up - down) / (2 * step), 1e-6)
    with pytest.raises(AssertionError):
        assert_same(1.00001 * found, (up - down) / (2 * step), 1e-6)


LETTERS, ENDS = st.sampled_from(["Sigma", "A_0", "1"]), st.sampled_from(["m", "u"])


@st.composite
def generators(draw):
    """A word: a trace, an open word, or a sum over outputs of a product of entries and coordinates."""
    kind = draw(st.sampled_from(["tr", "form", "graph"]))
    word = tuple(draw(st.lists(LETTERS, min_size=1, max_size=5)))
    if kind == "tr":
        return [closed_word(word)]
    if kind == "form":
        return [open_word(draw(ENDS), word[:3], draw(ENDS))]
    indices = st.sampled_from("ijkl")
    entries = [("entry", s, *sorted((draw(indices), draw(indices)))) for s in word[:4]]
    entries += [("coordinate", draw(ENDS), draw(indices)) for _ in range(draw(st.integers(0, 2)))]
    return list(monomial_of_index_sum(entries, ["i", "j", "k", "l"])[0])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(generators(), min_size=1, max_size=2), min_size=1, max_size=4), st.booleans())
def test_any_polynomial_in_words_is_compiled_rightly(terms, biased):
    """Random words, products and sums, with repeated letters, loops, double edges and dense graphs."""
    monomials = [tuple(sorted(g for part in term for g in part)) for term in terms]
    rng = np.random.default_rng(5)
    A, S = (m @ m.T for m in rng.normal(size=(2, 3, 3)))
    means = {"m": rng.normal(size=3)} if biased else {"m": rng.normal(size=3), "u": rng.normal(size=3)}
    for shape in ((2, 3), (66, 2, 3)):
        bias = rng.normal(size=shape[:-1]) if biased else None
        case = Case(monomials, rng.normal(size=len(monomials)), {"A_0": A, "Sigma": S}, means, bias)
        d = Drawn(rng.normal(size=shape), bias, case, MomentProgram(monomials))
        total, dW, db = run(d)
        assert_program_is_the_definition(d, np.asarray(total), dW, db)


def test_a_graph_in_which_every_output_meets_three_others_is_one_sum():
    """The complete graph on four outputs has no vertex to sum out first."""
    entries = [("entry", "Sigma", a, b) for a, b in ("ij", "ik", "il", "jk", "jl", "kl")]
    ((graph,), free) = monomial_of_index_sum(entries, list("ijkl"))
    assert free == 0
    d = drawn("infonce", (3, 2))
    case = d.case._replace(monomials=[(graph,)], coefficients=[0.7])
    for shape in ((3, 2), (64, 3, 2)):
        e = Drawn(np.random.default_rng(0).normal(size=shape), None, case, MomentProgram([(graph,)]))
        assert_program_is_the_definition(e, *map(np.asarray, run(e)[:2]), None)


# What programs cost


def products(order: int, what: str) -> int:
    """Return the number of matrix products of the InfoNCE landscape."""
    program = ss.landscape(ss.InfoNCE(), order).numpy().program
    return sum(line.count("@") for line in program.source(what, NUMPY_SINGLE, frozenset(), False)[0])


def test_no_product_is_made_twice():
    """W A_0, W Sigma, P, and P (W Sigma) for value and gradient at order 4; higher orders add powers of P only."""
    assert (products(4, VALUE), products(4, GRADIENT), products(4, HESSIAN_VECTOR)) == (3, 4, 7)
    assert (products(8, VALUE), products(8, GRADIENT)) == (4, 6)
    # Tr P^6 is the square of P^3, and its derivative one product more.
    assert (products(12, VALUE), products(12, GRADIENT)) == (5, 7)


def test_arguments_are_left_alone_and_results_are_new():
    """Programs overwrite their own arrays only, and a later call does not change an earlier result."""
    f = ss.landscape(ss.InfoNCE(), 8).numpy()
    rng = np.random.default_rng(0)
    A0, Sigma = np.eye(3), 2 * np.eye(3)
    for shape in ((2, 3), (5, 2, 3), (100, 2, 3)):
        W = rng.normal(size=shape)
        kept = W.copy(), A0.copy(), Sigma.copy()
        first = f.value_and_gradient(W, A0=A0, Sigma=Sigma)
        copies = np.array(first[0]), first[1].copy()
        f.value_and_gradient(rng.normal(size=shape), A0=A0, Sigma=Sigma)
        assert all(np.array_equal(a, b) for a, b in zip(kept, (W, A0, Sigma), strict=True))
        assert np.array_equal(copies[0], first[0]) and np.array_equal(copies[1], first[1])


def test_a_call_like_the_one_before_is_still_read_rightly():
    """A loop of equal calls takes a short way; whatever differs from the call before must count, whatever is wrong be told."""
    tau = sp.Symbol("tau", positive=True)
    one_sided = ss.View("s", of=ss.anchor, moment="C")
    loss = ss.InfoNCE(tau=tau) + ss.Loss(ss.E(ss.dot(ss.anchor, ss.positive) * ss.sqnorm(one_sided)), "more")
    f, fresh = (ss.landscape(loss).numpy() for _ in range(2))
    rng = np.random.default_rng(0)
    A0, Sigma, C = (m @ m.T for m in rng.normal(size=(3, 3, 3)))
    calls = [
        (rng.normal(size=shape), {"A0": a, "Sigma": s, "C": c, "tau": t})
        for shape in ((2, 3), (2, 3), (4, 3), (5, 2, 3))
        for a, s, c, t in (
            (A0, Sigma, C, 0.5),
            (Sigma, A0, C, 0.5),
            (A0, Sigma, C, 0.7),
            (A0, Sigma, A0, 0.7),
            (A0, Sigma, A0, 1),
        )
    ]
    for W, numbers in calls:
        expected = (fresh(W, **numbers), ss.landscape(loss).numpy().gradient(W, **numbers))
        for _ in range(2):
            found = f.value_and_gradient(W, **numbers)
            assert_same(found[0], expected[0])
            assert_same(found[1], expected[1])
    W, numbers = calls[0]
    f.value_and_gradient(W, **numbers)
    for change, message in (
        ({"A0": np.eye(2)}, "A0 has shape"),
        ({"tau": "x"}, "not a number"),
        ({"sigma": 1.0}, "no argument 'sigma'"),
    ):
        with pytest.raises((InputError, MomentsError, UnknownNameError), match=message):
            f.value_and_gradient(W, **(numbers | change))
    with pytest.raises(UnknownNameError, match="Sigma is missing"):
        f.value_and_gradient(W, **{k: v for k, v in numbers.items() if k != "Sigma"} | {"other": 1.0})
    assert (
        f.value_and_gradient(W.astype("f4"), **{k: v if k == "tau" else v.astype("f4") for k, v in numbers.items()})[
            1
        ].dtype
        == "f4"
    )


def test_grids_may_be_computed_in_several_threads():
    """Buffers that are kept belong to a thread."""
    f = ss.landscape(ss.InfoNCE()).numpy()
    grids = np.random.default_rng(0).normal(size=(4, 30_000, 2, 2))
    given = {"A0": np.eye(2), "Sigma": np.eye(2)}
    expected = [f.value_and_gradient(grid, **given)[1].copy() for grid in grids]
    found: dict[int, np.ndarray] = {}

    def work(k: int) -> None:
        for _ in range(5):
            found[k] = f.value_and_gradient(grids[k], **given)[1]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(grids))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[k], expected[k]) for k in range(len(grids)))


@pytest.mark.parametrize("points", [63, 64, 257, 1000])
def test_a_grid_is_the_same_in_chunks(points, monkeypatch):
    """The last chunk may be shorter; fewer points than a grid go the way of batches."""
    f = ss.landscape(ss.BarlowTwins(lambda_=0.3, epsilon=1)).numpy()
    W = np.random.default_rng(0).normal(size=(points, 2, 2))
    given = {"A0": np.diag([1.0, 0.5]), "Sigma": np.diag([2.0, 1.0])}
    whole = f(W, **given)
    monkeypatch.setattr(grid_program, "CHUNK", 100)
    fresh = ss.landscape(ss.BarlowTwins(lambda_=0.3, epsilon=1)).numpy()
    assert_same(fresh(W, **given), whole, 0)
    assert_same(whole, np.array([f(w, **given) for w in W]), 1e-13)


# Precision


def test_float32_stays_float32():
    """Arrays of float32 give a gradient of float32, right to its precision; one array of float64 decides."""
    f = ss.landscape(ss.InfoNCE(), 6).numpy()
    rng = np.random.default_rng(0)
    for shape in ((8, 16), (3, 8, 16), (100, 2, 2)):
        d0 = shape[-1]
        W, root = rng.normal(size=shape) / d0, rng.normal(size=(d0, d0))
        A0, Sigma = root @ root.T, root @ root.T + np.eye(d0)
        exact = f.gradient(W, A0=A0, Sigma=Sigma)
        single = f.gradient(*(W.astype("f4"),), A0=A0.astype("f4"), Sigma=Sigma.astype("f4"))
        assert single.dtype == np.float32
        assert_same(single, exact, 1e-5)
        assert f.gradient(W.astype("f4"), A0=A0, Sigma=Sigma).dtype == np.float64


def test_mpmath_numbers_give_mpmath_precision():
    """The same program with forty digits, against exact rationals of SymPy; and a hundred times more than a float can see."""
    tau = sp.Rational(1, 3)
    land = ss.landscape(ss.InfoNCE(tau=tau, n=2), 6)
    W = sp.Matrix([[sp.Rational(1, 3), sp.Rational(2, 7)], [sp.Rational(-1, 5), sp.Rational(3, 11)]])
    A, S = sp.Matrix([[1, sp.Rational(1, 3)], [sp.Rational(1, 3), 2]]), sp.Matrix([[3, 1], [1, 4]])
    moments = {"A_0": W * A * W.T, "Sigma": W * S * W.T}
    expected = sum(
        c * sp.prod([sp.prod([moments[s] for s in g[1]], sp.eye(2)).trace() for g in m]) for m, c in land.terms
    )
    with mpmath.workdps(40):
        arrays = [np.array([[mpmath.mpf(int(x.p)) / int(x.q) for x in m.row(i)] for i in range(2)]) for m in (W, A, S)]
        found = land.numpy()(arrays[0], A0=arrays[1], Sigma=arrays[2])
        exact = mpmath.mpf(int(expected.p)) / int(expected.q)
        assert abs(found - exact) < mpmath.mpf(10) ** -38
        assert abs(found * (1 + mpmath.mpf(10) ** -30) - exact) > mpmath.mpf(10) ** -38
        gradient = land.numpy().gradient(arrays[0], A0=arrays[1], Sigma=arrays[2])
        step = mpmath.mpf(10) ** -13
        moved = arrays[0].copy()
        moved[0, 1] += step
        other = arrays[0].copy()
        other[0, 1] -= step
        slope = (
            land.numpy()(moved, A0=arrays[1], Sigma=arrays[2]) - land.numpy()(other, A0=arrays[1], Sigma=arrays[2])
        ) / (2 * step)
        assert abs(gradient[0, 1] - slope) < mpmath.mpf(10) ** -22


# The function's own derivatives


@pytest.mark.parametrize("name", LANDSCAPES)
def test_the_hessian_at_the_origin_is_that_of_the_function(name):
    """One block for each output, read off the quadratic part, against Hessian-vector products at W = 0."""
    land = LANDSCAPES[name]()
    f, d1, d0 = land.numpy(), 2, 3
    rng = np.random.default_rng(2)
    given = {
        ("A0" if s == "A_0" else s): (lambda m: m @ m.T)(rng.normal(size=(d0, d0)))
        for s in ("A_0", "Sigma", *f.letters)
    }
    given |= {v: rng.normal(size=d0) for v in f._wanted}
    given |= {str(p): 0.3 for p in f.parameters}
    H = f.hessian_at_origin(d1=d1, **given)
    bias = {"b": np.zeros(d1)} if f.meaning.has_bias else {}
    block = H[:d0, :d0]
    V = rng.normal(size=(d1, d0))
    assert_same(f.hessian_vector_product(np.zeros((d1, d0)), V, **given, **bias), V @ block, 1e-12)
    if f.meaning.has_bias:
        step, beta = 1e-6, rng.normal(size=d1)
        up, down = (f.gradient(s * step * V, b=s * step * beta, **given) for s in (1, -1))
        both = np.column_stack([up[0] - down[0], up[1] - down[1]]) / (2 * step)
        assert_same(both, np.column_stack([V, beta]) @ H, 1e-8)


def test_canonical_coordinates_give_the_same_landscape():
    """Value and gradient in V = W T, for letters that stay dense there too; the gradient by W is that by V times T^T."""
    rng = np.random.default_rng(3)
    root, noise = rng.normal(size=(2, 5, 5))
    A0, Sigma = root @ root.T, root @ root.T + noise @ noise.T
    for land, more in (
        (ss.landscape(ss.InfoNCE(), 6), {}),
        (ss.landscape(ss.InfoNCE() + ss.WeightDecay(0.3)), {}),
        (ss.landscape(ss.VICReg()), {}),
        (ss.landscape(ss.InfoNCE(tau=sp.Symbol("tau", positive=True))), {"tau": 0.7}),
        (ss.landscape(ss.SpectralContrastive(), data=ss.GaussianViews(mean=True)), {"mean": rng.normal(size=5)}),
    ):
        f = land.numpy()
        canonical = f.canonical(A0=A0, Sigma=Sigma, **more)
        for shape in ((3, 5), (4, 3, 5), (90, 2, 5)):
            W = rng.normal(size=shape) / 3
            expected, slope = f.value_and_gradient(W, A0=A0, Sigma=Sigma, **more)
            found, dV = canonical.value_and_gradient(canonical.coordinates(W))
            assert_same(found, expected, 1e-11)
            assert_same(dV @ canonical.T.T, slope, 1e-10)
            assert_same(canonical.weights(canonical.coordinates(W)), W, 1e-11)
        with pytest.raises(AssertionError):
            assert_same(canonical(canonical.coordinates(W) * 1.00001), expected, 1e-11)
    assert np.all(np.diff(canonical.r) <= 0) and canonical.r[-1] > 0 and canonical.r[0] < 1


def test_canonical_coordinates_need_features_that_vary():
    f = ss.landscape(ss.InfoNCE()).numpy()
    with pytest.raises(InputError, match=r"not positive definite.*drop constant features"):
        f.canonical(A0=np.diag([1.0, 0.0]), Sigma=np.diag([1.0, 0.0]))
    with pytest.raises(UnknownNameError, match="A0= and Sigma="):
        f.canonical(A0=np.eye(2))
    with pytest.raises(MomentsError, match=r"V has shape \(2, 3\); it is \(\.\.\., d1, 2\)"):
        f.canonical(A0=np.eye(2), Sigma=2 * np.eye(2))(np.ones((2, 3)))


def test_bad_arguments_are_told():
    f = ss.landscape(ss.InfoNCE()).numpy()
    given = {"A0": np.eye(2), "Sigma": np.eye(2)}
    with pytest.raises(MomentsError, match=r"V has shape \(1, 3\); with this W it is \(1, 2\)"):
        f.hessian_vector_product(np.ones((1, 2)), np.ones((1, 3)), **given)
    with pytest.raises(MomentsError, match="at least one output and one feature"):
        f(np.ones((0, 2)), **given)
    with pytest.raises(UnknownNameError, match="whose size is d0"):
        f.hessian_at_origin()
    with pytest.raises(InputError, match="d1=-1"):
        f.hessian_at_origin(d1=-1, **given)
    with pytest.raises(MomentsError, match="rows of equal length"):
        f.hessian_at_origin(A0=[[1, 2], [3]])
    with pytest.raises(MomentsError, match="W looks transposed"):
        f(np.ones((3, 2)), A0=np.eye(3), Sigma=np.eye(3))
    with pytest.raises(UnknownNameError, match="A0 is missing, and there is no argument 'A_0'"):
        f(np.ones((1, 2)), A_0=np.eye(2), Sigma=np.eye(2))
    with pytest.raises(InputError, match="not a dictionary"):
        ss.landscape(ss.InfoNCE()).numpy()(np.ones((1, 2)), **given, params=[1])
    symbolic = ss.landscape(ss.InfoNCE(tau=sp.Symbol("tau", positive=True))).numpy()
    with pytest.raises(InputError, match="tau is positive"):
        symbolic(np.ones((1, 2)), **given, tau=-1)
    with pytest.raises(MomentsError, match="NaN or infinite"):
        f.canonical(A0=np.full((2, 2), np.nan), Sigma=np.eye(2))
    with pytest.raises(MomentsError, match="finite d0 x d0 array"):
        f.canonical(A0=np.eye(2), Sigma=np.full((2, 2), np.nan))
    canonical = f.canonical(A0=np.eye(2), Sigma=2 * np.eye(2))
    for call in (canonical, canonical.coordinates, canonical.weights):
        for wrong in ("x", [[1, 2], [3]], np.ones((2, 3)), 1j * np.eye(2), np.ones((0, 2))):
            with pytest.raises(MomentsError):
                call(wrong)
    cumulants = ss.landscape(ss.InfoNCE(), data=ss.CumulantViews()).numpy()
    rows = np.random.default_rng(0).normal(size=(9, 2))
    kappa = ss.FourthCumulants({"x": rows, "x'": rows})
    with pytest.raises(InputError, match="differences of the gradient"):
        cumulants.hessian_vector_product(np.ones((1, 2)), np.ones((1, 2)), kappa=kappa, **given)


def test_a_compiled_landscape_survives_a_pickle():
    """After a call, too, when programs have been made."""
    f = ss.landscape(ss.NTXent.symbolic(), data=ss.GaussianViews(mean=True)).numpy()
    W, numbers = np.ones((2, 3)) / 4, {"tau": 0.5, "epsilon": 1.0}
    moments = {"A0": np.eye(3), "Sigma": 2 * np.eye(3), "mean": np.ones(3)}
    value = f(W, **moments, **numbers)
    assert pickle.loads(pickle.dumps(f))(W, **moments, **numbers) == value


def test_the_hessian_at_the_origin_takes_mpmath_numbers():
    f = ss.landscape(ss.InfoNCE(tau=sp.Rational(1, 3))).numpy()
    with mpmath.workdps(30):
        third = np.array([[mpmath.mpf(1) / 3]], dtype=object)
        assert abs(f.hessian_at_origin(A0=third, Sigma=third)[0, 0] + 2) < mpmath.mpf(10) ** -28
