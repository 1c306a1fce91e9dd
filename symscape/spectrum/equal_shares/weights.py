"""Losses of second moments as functions of W, with exact gradients, and their least value over all W.

The witness of `symscape.spectrum.equal_shares.minimum`: nothing here knows of aligned modes or of equal shares. With
L(P, M), P = W Sigma W^T, M = W A_0 W^T and symmetric derivatives, dL/dW = 2 (dL/dP W Sigma + dL/dM W A_0).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.errors import InputError
from symscape.losses.language import Entry, Expectation, OutputSum
from symscape.losses.loss import Loss
from symscape.spectrum.equal_shares.bound import separated
from symscape.spectrum.equal_shares.minimum import correlations
from symscape.spectrum.equal_shares.output_losses import as_maximum, read_expectation, rewrite, with_numbers
from symscape.spectrum.equal_shares.search import limited_memory_bfgs

Array = NDArray[np.float64]
Moments = dict[str, Array]

#: Width that stands for a sharp kink: its slope at the kink itself is then the mean of both sides.
_SHARP = 1e-150
#: Widths of the rounded kinks that the search passes through, in units of the kink's two branches.
_ROUNDING = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)


class MomentLoss:
    """A loss of the second moments of d1 outputs, its parameters numbers: value and gradient, by P and M or by W.

    ``rounding`` replaces Max(u, v) by (u + v + sqrt((u - v)^2 + rounding^2)) / 2; 0 keeps it. Raises InputError where the loss
    is no function of P and M, UnknownNameError for a parameter without a value.

    >>> from symscape.losses.barlow_twins import BarlowTwins
    >>> value, gradient = MomentLoss(BarlowTwins(lambda_=2), d1=2).at(np.eye(2), A0=np.eye(2) / 2, Sigma=np.eye(2))
    >>> value, gradient.tolist()
    (0.5, [[-1.0, 0.0], [0.0, -1.0]])
    """

    def __init__(self, loss: Loss, d1: int, **parameters: Any):
        call = f"MomentLoss({getattr(loss, 'name', loss)}, ...)"
        numeric = with_numbers(loss, d1, parameters, call)
        self.loss, self.d1 = numeric, d1
        self._nodes: list[tuple[sp.Symbol, Callable[[Moments, float], tuple[float, Moments]]]] = []

        def on_node(node: sp.Expr) -> sp.Expr:
            symbol = sp.Dummy(real=True)
            reader = _traces if isinstance(node, Expectation) else _entries
            self._nodes.append((symbol, reader(node, d1, call)))
            return symbol

        width = sp.Dummy("rounding", nonnegative=True)
        outer = _rounded(rewrite(as_maximum(loss_expr := numeric.expr), on_node, call), width)
        self.has_kinks = as_maximum(loss_expr).has(sp.Max)
        symbols = [symbol for symbol, _ in self._nodes]
        self._outer = sp.lambdify([*symbols, width], outer)
        self._slopes = sp.lambdify([*symbols, width], [sp.diff(outer, s) for s in symbols])

    def of_moments(self, P: Any, M: Any, rounding: float = 0.0) -> tuple[float, Array, Array]:
        """Return (L, dL/dP, dL/dM) at symmetric d1 x d1 moments; the derivatives are symmetric."""
        moments = {"P": np.asarray(P, dtype=float), "M": np.asarray(M, dtype=float)}
        rounding = max(rounding, _SHARP)
        parts = [node(moments, rounding) for _, node in self._nodes]
        values = [value for value, _ in parts]
        slopes = {kind: np.zeros((self.d1, self.d1)) for kind in "PM"}
        for factor, (_, by) in zip(self._slopes(*values, rounding), parts, strict=True):
            for kind in "PM":
                slopes[kind] += factor * by[kind]
        dP, dM = ((slopes[kind] + slopes[kind].T) / 2 for kind in "PM")
        return float(self._outer(*values, rounding)), dP, dM

    def at(self, W: Any, A0: Any, Sigma: Any, rounding: float = 0.0) -> tuple[float, Array]:
        """Return (L, dL/dW) at d1 x d0 weights; A0 and Sigma are d0 x d0."""
        W = np.asarray(W, dtype=float)
        if W.shape != (self.d1, len(Sigma)):
            raise InputError(f"MomentLoss.at(W): W has shape {W.shape}; it is d1 x d0, {self.d1} x {len(Sigma)}")
        WS, WA = W @ Sigma, W @ A0
        value, dP, dM = self.of_moments(WS @ W.T, WA @ W.T, rounding)
        return value, 2 * (dP @ WS + dM @ WA)


def _rounded(expr: sp.Expr, width: sp.Symbol) -> sp.Expr:
    def smooth(*branches: sp.Expr) -> sp.Expr:
        total, *others = branches
        for branch in others:
            total = (total + branch + sp.sqrt((total - branch) ** 2 + width**2)) / 2
        return total

    return expr.replace(sp.Max, smooth)


def _traces(node: Expectation, d1: int, call: str) -> Callable[[Moments, float], tuple[float, Moments]]:
    terms = [(float(coefficient), words) for coefficient, words in read_expectation(node, call)]

    def evaluate(moments: Moments, rounding: float) -> tuple[float, Moments]:
        total, slopes = 0.0, {kind: np.zeros((d1, d1)) for kind in "PM"}
        for coefficient, words in terms:
            values = [float(np.trace(_product(word, moments, d1))) for word in words]
            total += coefficient * float(np.prod(values))
            for k, word in enumerate(words):
                others = coefficient * float(np.prod(values[:k] + values[k + 1 :]))
                for place, letter in enumerate(word):
                    # Tr(X Y) has the derivative Y^T by X: take the word from behind the letter around to before it.
                    slopes[letter] += others * _product(word[place + 1 :] + word[:place], moments, d1).T
        return total, slopes

    return evaluate


def _product(word: str, moments: Moments, d1: int) -> Array:
    result = np.eye(d1)
    for letter in word:
        result = result @ moments[letter]
    return result


def _entries(node: OutputSum, d1: int, call: str) -> Callable[[Moments, float], tuple[float, Moments]]:
    body, distinct, *indices = node.args
    if len(indices) > 2 or body.has(OutputSum, Expectation):
        raise InputError(f"{call}: {node} is read over one or two outputs, without sums or expectations inside")
    axes = {index.name: k for k, index in enumerate(indices)}
    entries = sorted(body.atoms(Entry), key=sp.default_sort_key)
    symbols = [sp.Dummy(str(entry), real=True) for entry in entries]
    width = sp.Dummy("rounding", nonnegative=True)
    plain = _rounded(body.xreplace(dict(zip(entries, symbols, strict=True))), width)
    compiled = [sp.lambdify([*symbols, width], e) for e in (plain, *[sp.diff(plain, s) for s in symbols])]
    shape = (d1,) * len(indices)
    mask = 1.0 - np.eye(d1) if distinct and len(indices) == 2 else np.ones(shape)
    own = np.arange(d1)

    def evaluate(moments: Moments, rounding: float) -> tuple[float, Moments]:
        arguments = []
        for entry in entries:
            i, j = (axes[index.name] for index in entry.args[1:3])
            if i != j:
                arguments.append(moments[entry.kind])
            else:
                diagonal = moments[entry.kind][own, own]
                arguments.append(diagonal if len(shape) == 1 else np.expand_dims(diagonal, 1 - i))
        value, *by_entry = (mask * f(*arguments, rounding) for f in compiled)
        slopes = {kind: np.zeros((d1, d1)) for kind in "PM"}
        for entry, slope in zip(entries, by_entry, strict=True):
            i, j = (axes[index.name] for index in entry.args[1:3])
            if i != j:
                slopes[entry.kind] += slope
            else:
                slopes[entry.kind][own, own] += slope if len(shape) == 1 else slope.sum(axis=1 - i)
        return float(value.sum()), slopes

    return evaluate


@dataclass(frozen=True)
class WeightsMinimum:
    """The least value found over all W: d1 x d0 weights in canonical coordinates, eigenvalues of P descending.

    Where the loss keeps the scale of every output, all have variance 1. ``values``: the value reached from every start,
    ascending.
    """

    value: float
    W: Array
    p: Array
    values: tuple[float, ...]


def minimise_over_weights(
    loss: Loss, r: Any, d1: int, rng: np.random.Generator, starts: int = 3, **parameters: Any
) -> WeightsMinimum:
    """Return the least value of the population loss over all d1 x d0 weights W, in coordinates Sigma = 1, A_0 = diag(r).

    Found by L-BFGS with exact gradients from Gaussian starts; a kink is rounded, less and less. Raises what
    `MomentLoss` raises, and InputError for r that does not descend within [-1, 1].
    """
    modes = correlations(r, f"minimise_over_weights({getattr(loss, 'name', loss)}, ...)")
    if isinstance(starts, bool) or not isinstance(starts, int) or starts < 1:
        raise InputError(f"minimise_over_weights(starts={starts!r}): give a positive number of starts")
    return minimise_over_modes(loss, modes, d1, rng, starts, **parameters)


def minimise_over_modes(
    loss: Loss, modes: NDArray[np.floating[Any]], d1: int, rng: np.random.Generator, starts: int = 3, **parameters: Any
) -> WeightsMinimum:
    """Return what `minimise_over_weights` does for any eigenvalues of a pencil (A_0', Sigma), descending."""
    moment_loss = MomentLoss(loss, d1, **parameters)
    shape = (d1, len(modes))
    A0, Sigma = np.diag(modes), np.eye(len(modes))

    def objective(flat: Array, rounding: float) -> tuple[float, Array]:
        value, slope = moment_loss.at(flat.reshape(shape), A0, Sigma, rounding)
        return value, slope.ravel()

    found = []
    for _ in range(starts):
        flat = rng.standard_normal(shape[0] * shape[1]) / np.sqrt(len(modes))
        for rounding in _ROUNDING if moment_loss.has_kinks else (0.0,):
            # A lost mode that is wanted back starts from zero slope: give it something to grow from.
            flat = flat + 1e-3 * np.abs(flat).max() * rng.standard_normal(flat.size) * (rounding > 1e-5)
            flat = limited_memory_bfgs(partial(objective, rounding=rounding), flat)
        found.append((moment_loss.at(flat.reshape(shape), A0, Sigma)[0], flat.reshape(shape)))
    found.sort(key=lambda pair: pair[0])
    value, W = found[0]
    form = separated(moment_loss.loss)
    if form is not None and form.unit_outputs:
        W = W / np.linalg.norm(W, axis=1, keepdims=True)
    return WeightsMinimum(value, W, np.linalg.eigvalsh(W @ W.T)[::-1], tuple(v for v, _ in found))
