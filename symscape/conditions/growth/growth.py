"""`growth_rates`: how fast modes leave the origin under gradient flow, in which order, and when each reaches its plateau.

Near W = 0 the flow dW/dt = -dL/dW is dW/dt = 2 W B, so weights along an eigenvector of B grow like e^{2 kappa t}, kappa its
eigenvalue: of B itself, not of the pencil (B, Sigma), for the flow is Euclidean in W. Modes are learned by descending kappa,
while the pencil decides which survive. On one mode, W = w u^T with q = |w|^2, the landscape is a polynomial in q, and

    dq/dt = 2 w . dw/dt = -4 q L'(q),    for a quartic landscape L = -kappa q + h q^2 a logistic,

with plateau q = kappa / (2 h). Modes evolve each on its own where B and the moments of the higher words commute, every higher
word is one trace, and the columns W(0) u_i are orthogonal. SGD with step eta advances time by eta a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.algebra.words import IDENTITY
from symscape.conditions.growth.gradient_flow import Trajectory, gradient_flow
from symscape.conditions.growth.mode_growth import Growth, NumericGrowth, logistic, q_k
from symscape.errors import InputError, UnknownNameError
from symscape.landscape.landscape import Landscape
from symscape.losses.language import d_1
from symscape.programs.arguments import argument_name
from symscape.stationary.given import Given, checked_outputs, given_moments, parameter_values
from symscape.stationary.stationary_points import call_of, refuse_a_mean_without_place
from symscape.stationary.word_form import MEAN, Features, OutputWords, WordForm, split_form

__all__ = ["Growth", "NumericGrowth", "Trajectory", "gradient_flow", "growth_rates", "logistic"]

Array = NDArray[np.floating[Any]]

#: Matrices whose commutator is below this, relative to their product, commute; eigenvalues of B closer than this are tied.
COMMUTES = 1e-9

#: What the moments of one mode are called.
lambda_k = sp.Symbol("lambda_k", real=True)
sigma_k = sp.Symbol("sigma_k", positive=True)


def growth_rates(
    land: Landscape,
    A0: Any = None,
    Sigma: Any = None,
    d1: int | None = None,
    scale: Any = None,
    fraction: float = 0.5,
    mean: Any = None,
    params: Mapping[Any, Any] | None = None,
    **parameters: Any,
) -> Growth | NumericGrowth:
    """Return the growth rates of modes near W = 0 under gradient flow, and the times to their plateaus.

    In symbols, or with A0, Sigma (d0 x d0) and d1 as numbers; ``scale`` is the initial |W u_k|, one number or one per mode
    in the order of descending kappa, and ``fraction`` the part of the plateau to reach. Raises what `word_form` raises, and
    InputError for W mean + b as a coordinate; UnknownNameError for missing or unknown arguments. Source: ours.

    >>> from symscape.landscape.landscape import landscape
    >>> from symscape.losses.spectral_contrastive import SpectralContrastive
    >>> found = growth_rates(landscape(SpectralContrastive()))
    >>> found.weight_rate, found.flow, found.plateau
    (4*lambda_k, 8*lambda_k*q_k - 8*q_k**2*sigma_k**2, lambda_k/sigma_k**2)
    >>> growth_rates(landscape(SpectralContrastive()), A0=np.diag([1.0, 3.0]), Sigma=np.eye(2) * 4, d1=2).kappa
    array([6., 2.])
    """
    call = call_of("growth_rates", land)
    if not isinstance(land, Landscape):
        raise InputError(f"{call}: gradient flow near W = 0 is that of landscape(loss)")
    refuse_a_mean_without_place(call, land, mean)
    form, apart = split_form(land)
    if form.features is Features.WITH_MEAN:
        raise InputError(f"{call}: W mean + b is no Euclidean coordinate of (W, b); derive it with bias=False")
    if not 0 < fraction < 1:
        raise InputError(f"{call}: fraction={fraction!r} is a part of the plateau, between 0 and 1")
    if A0 is None and Sigma is None and d1 is None:
        if scale is not None:
            raise InputError(f"{call}: scale={scale!r} needs numbers beside it; pass A0, Sigma and d1, or use .time")
        values = parameter_values(call, _parameters(form, apart), parameters, params)
        return _symbolic(form.subs(values), {pair: c.xreplace(values) for pair, c in apart.items()})
    for name, value in (("A0", A0), ("Sigma", Sigma), ("d1", d1)):
        if value is None:
            raise UnknownNameError(f"{call}: the argument {name} is missing; give A0, Sigma and d1, or none of them")
    assert d1 is not None
    values = {d_1: sp.Integer(checked_outputs(call, d1))}
    form, apart = form.subs(values), {pair: c.xreplace(values) for pair, c in apart.items()}
    letters = {name: value for name, value in parameters.items() if name in _names(form)}
    chosen = {name: value for name, value in parameters.items() if name not in letters}
    symbols = _parameters(form, apart)
    values = parameter_values(call, symbols, chosen, params)
    missing = [str(s) for s in symbols if s not in values]
    if missing:
        raise UnknownNameError(f"{call}: no value for {', '.join(missing)}; pass {argument_name(missing[0])}=...")
    form, apart = form.subs(values), {pair: c.xreplace(values) for pair, c in apart.items()}
    return _numeric(call, form, apart, given_moments(call, form, A0, Sigma, d1, mean, letters), scale, float(fraction))


def _parameters(form: WordForm, apart: OutputWords) -> tuple[sp.Symbol, ...]:
    return tuple(sorted({*form.parameters, *(s for c in apart.values() for s in c.free_symbols)}, key=str))


def _names(form: WordForm) -> set[str]:
    """The arguments that moments of further views and means are given by."""
    return {letter.split()[0] for letter in form.letters} - {"A_0", "Sigma", IDENTITY, MEAN}


def _powers(
    form: WordForm, apart: OutputWords, entries: Mapping[str, Any], number: Callable[[sp.Expr], Any]
) -> dict[int, Any]:
    """Return the coefficient of each q^k in L on W = w u^T: every word is a power of q times its letters along u."""
    words: list[tuple[tuple[str, ...], sp.Expr]] = [((s,), -c) for s, c in form.quadratic.items()]
    words += [(tuple(s for word in group for s in word), c) for group, c in form.higher]
    words += [(pair, c) for pair, c in apart.items()]
    found: dict[int, Any] = {1: number(sp.S.Zero)}
    for letters, c in words:
        value = number(c)
        for s in letters:
            value = value * entries[s]
        found[len(letters)] = found.get(len(letters), 0) + value
    return found


def _couples(form: WordForm, apart: OutputWords) -> bool:
    """Whether a higher word is more than one trace, so that modes couple whatever the moments."""
    return bool(apart) or any(len(words) > 1 for words, _ in form.higher)


def _symbolic(form: WordForm, apart: OutputWords) -> Growth:
    entries: dict[str, sp.Expr] = {"A_0": lambda_k, "Sigma": sigma_k, IDENTITY: sp.S.One}
    entries |= {
        s: sp.Symbol(f"({s})_k", real=True) for s in (*form.letters, *_apart_letters(apart)) if s not in entries
    }
    powers = _powers(form, apart, entries, sp.sympify)
    mode = sp.Add(*(c * q_k**k for k, c in powers.items()))
    kappa, flow = sp.factor(-powers[1]), sp.expand(-4 * q_k * mode.diff(q_k))
    varying = set(form.quadratic) - {IDENTITY}
    said = ["kappa_k is the eigenvalue of B along u_k" + ("; A_0 and Sigma commute" if len(varying) > 1 else "")]
    bend = powers.get(2, sp.S.Zero)
    if _couples(form, apart):
        said.append("modes couple: the flow is that of one mode alone" + (", on one output" if apart else ""))
        return Growth(form.name, kappa, flow, None, None, None, tuple(said))
    said.append(
        "flow: the moments commute, and the columns W(0) u_k are orthogonal, so that modes evolve each on its own"
    )
    if set(powers) != {1, 2} or bend.is_nonpositive:
        return Growth(form.name, kappa, flow, None, None, None, tuple(said))
    a, b = sp.symbols("a b", positive=True)
    values = {a: 4 * kappa, b: 8 * bend}
    solution, time = (e.xreplace(values) for e in logistic())
    time = time.replace(sp.log, lambda x: sp.log(sp.factor(sp.cancel(x))))
    said.append("plateau and time: kappa_k > 0" + ("" if bend.is_nonnegative else f" and {sp.factor(bend)} > 0"))
    return Growth(form.name, kappa, flow, sp.cancel(kappa / (2 * bend)), solution, time, tuple(said))


def _apart_letters(apart: OutputWords) -> set[str]:
    return {s for pair in apart for s in pair}


def _numeric(call: str, form: WordForm, apart: OutputWords, given: Given, scale: Any, fraction: float) -> NumericGrowth:
    B = given.combination(form.quadratic)
    # Sigma also where L does without it: plateaus are told in P.
    letters = sorted(form.higher_letters | _apart_letters(apart) | {"Sigma"})
    higher = {s: given.matrices[s] for s in letters}
    kappa, rows = _eigenvectors(B, higher)
    commute = all(_commute(x, y) for x in (B, *higher.values()) for y in higher.values())
    approximate = _couples(form, apart) or not commute
    starts = None if scale is None else _scales(call, scale, len(kappa))
    plateau, times = np.zeros(len(kappa)), np.full(len(kappa), np.nan)
    entries = {s: np.einsum("ki,ij,kj->k", rows, matrix, rows) for s, matrix in given.matrices.items()}
    powers = _powers(form, apart, entries, float)
    for k in range(len(kappa)):
        # L'(q), highest power first.
        slope = np.array([n * np.broadcast_to(powers.get(n, 0.0), kappa.shape)[k] for n in range(max(powers), 0, -1)])
        end = 0.0 if kappa[k] <= 0 else _first_rest(slope)
        plateau[k] = entries["Sigma"][k] * end if end else 0.0
        if end == 0:
            times[k] = np.inf
        elif starts is not None and k < given.d1 and end < np.inf:
            times[k] = _time(slope, float(starts[k]) ** 2, fraction * end)
    said = [
        "the columns W(0) u_k are orthogonal"
        + ("" if not approximate else "; modes couple: the rates are exact, the rest is not")
    ]
    if given.d1 < len(kappa):
        said.append(
            f"{given.d1} outputs: the modes learned first; a mode with a larger b of the pencil may replace them later"
        )
    known = None if starts is None else times
    return NumericGrowth(form.name, kappa, rows, plateau, known, fraction, approximate, tuple(said))


def _eigenvectors(B: Array, others: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return eigenvalues of B, descending, with rows that make the other matrices diagonal within each tie."""
    kappa, vectors = np.linalg.eigh(B)
    kappa, vectors = kappa[::-1], vectors[:, ::-1]
    mixture = sum((0.3819 + 0.217 * k) * m / (np.abs(m).max() or 1.0) for k, m in enumerate(others.values()))
    edges = np.flatnonzero(np.abs(np.diff(kappa)) > COMMUTES * np.abs(kappa).max(initial=0.0)) + 1
    blocks = [
        block @ np.linalg.eigh(block.T @ mixture @ block)[1][:, ::-1] for block in np.split(vectors, edges, axis=1)
    ]
    rows = np.concatenate(blocks, axis=1).T
    return kappa, rows * np.where(rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]


def _commute(x: Array, y: Array) -> bool:
    return bool(np.abs(x @ y - y @ x).max() <= COMMUTES * max(np.abs(x).max() * np.abs(y).max(), 1e-300) * len(x))


def _scales(call: str, scale: Any, count: int) -> Array:
    values = (
        np.broadcast_to(np.asarray(scale, dtype=float), (count,)) if np.ndim(scale) == 0 else np.asarray(scale, float)
    )
    if values.shape != (count,) or not np.isfinite(values).all() or not (values > 0).all():
        raise InputError(
            f"{call}: scale={scale!r} is the initial |W u_k|: one positive number, or {count}, one per mode"
        )
    return values


def _first_rest(slope: Array) -> float:
    """Return the least positive root of L'(q), inf when there is none."""
    roots = np.roots(slope)
    real = roots.real[(np.abs(roots.imag) <= 1e-9 * np.abs(roots)) & (roots.real > 0)]
    return float(real.min()) if len(real) else float("inf")


def _time(slope: Array, start: float, end: float) -> float:
    """Return the time from q = start to end under dq/dt = -4 q L'(q), by the logistic formula or by quadrature in log q."""
    if start >= end:
        return 0.0
    if len(slope) == 2:
        a, b = -4 * slope[1], 4 * slope[0]
        # `logistic`, with f a / b = end.
        return float(np.log(end * (a - b * start) / (start * (a - b * end))) / a)
    from scipy.integrate import quad

    return float(
        quad(lambda x: -1 / (4 * np.polyval(slope, np.exp(x))), np.log(start), np.log(end), epsabs=0, epsrel=1e-10)[0]
    )
