"""How a loss is computed on a batch of two views, as data: what the code of a library does, apart from its numbers.

Views are N x d1 arrays A and B with rows a_i, b_i; ``^`` marks normalised rows. A `Loss` carries a sum of these forms with
coefficients, beside its population expression; the folder ``sampling`` evaluates them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import sympy as sp


@dataclass(frozen=True)
class BatchForm:
    """Base of the forms: fields are flags, names, and scalar SymPy expressions."""

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """The symbols that need a value before the form can be computed."""
        return {s for f in fields(self) if isinstance(v := getattr(self, f.name), sp.Basic) for s in v.free_symbols}

    def xreplace(self, values: dict[sp.Symbol, Any]) -> Self:
        """Return the form with values for symbols."""
        changed = {f.name: v.xreplace(values) for f in fields(self) if isinstance(v := getattr(self, f.name), sp.Basic)}
        return replace(self, **changed)


@dataclass(frozen=True)
class CrossEntropy(BatchForm):
    """Mean over anchors of -s(positive) + log sum over candidates of e^s.

    ``similarity``: the logit s is u^.v^ / tau ("cosine"), u.v / tau ("dot") or -|u - v|^2 / (2 tau) ("sqdist").
    ``pool``: "one-way": anchor a_i, positive b_i, candidates all b_j; "both-ways": the mean of that and of the same from B to
    A; "both-views": each of the 2N rows of [A; B] against all others, its positive being the other view of its datum.
    ``positive``: whether the positive is a candidate. ``epsilon``: rows are divided by sqrt(|z|^2 + epsilon) in place of
    max(|z|, 1e-12), for "cosine". ``per_candidate``: the log of a mean, so that equal representations give 0.
    ``negatives``: how many negatives an anchor has ("one-way" only), oo for all that the batch holds; n of them are b_{i+1} to
    b_{i+n}, then b_{i+n+1} to b_{i+2n}, ... modulo N, and an anchor's loss is the mean over these windows.
    """

    similarity: str
    tau: sp.Expr
    pool: str = "one-way"
    positive: bool = True
    epsilon: sp.Expr = sp.S.Zero
    per_candidate: bool = False
    negatives: sp.Expr = sp.oo


@dataclass(frozen=True)
class Spectral(BatchForm):
    """-(2/N) sum a_i.b_i + sum_{i != j} (a_i.b_j)^2 / (N(N-1)), divided by ``mu``, rows clipped to length sqrt(mu).

    ``mu`` oo: neither clipped nor divided. ``distinct=False``: the mean over all N^2 pairs (i, j), which is a function of the
    second moments alone, and biased by (E (a.b)^2 - that mean) / N.
    """

    mu: sp.Expr = sp.oo
    distinct: bool = True


@dataclass(frozen=True)
class AlignUniform(BatchForm):
    """mean |a^_i - b^_i|^alpha + weight * half the sum over views of log mean_{i<j} e^{-t |z^_i - z^_j|^2}."""

    alpha: sp.Expr
    t: sp.Expr
    weight: sp.Expr


@dataclass(frozen=True)
class PairwiseSigmoid(BatchForm):
    """(1/N) sum_ij softplus(-y_ij (t a^_i.b^_j + b)), y = 1 on the diagonal and -1 off it."""

    t: sp.Expr
    b: sp.Expr


@dataclass(frozen=True)
class MeanCosine(BatchForm):
    """``offset`` + ``slope`` * mean of a^_i.b^_i; after whitening each view, if ``whitened``.

    Whitening: z -> L^{-1} (z - mean), L the Cholesky factor of (1 - epsilon) Cov1 + epsilon 1.
    """

    offset: sp.Expr
    slope: sp.Expr
    whitened: bool = False
    epsilon: sp.Expr = sp.S.Zero


@dataclass(frozen=True)
class CrossCorrelation(BatchForm):
    """sum (1 - K_ii)^2 + lambda_ sum_{i != j} K_ij^2, K = A^T B / N.

    ``standardise``: "none": A, B as they are; "views": each view (z - mean) / sqrt(var0 + epsilon); "jointly": the same with
    one mean and variance of both views; "deviation": each view (z - mean) / (std1 + epsilon). var0 is the biased variance,
    std1 the root of the unbiased one.
    """

    lambda_: sp.Expr
    epsilon: sp.Expr = sp.S.Zero
    standardise: str = "views"


@dataclass(frozen=True)
class VarianceCovariance(BatchForm):
    """lambda_ mean((A - B)^2) + mu (v(A) + v(B)) / 2 + nu (c(A) + c(B)).

    v = mean_j relu(1 - sqrt(var1 + epsilon)), c = sum over i != j of Cov1^2 / d1.
    """

    lambda_: sp.Expr
    mu: sp.Expr
    nu: sp.Expr
    epsilon: sp.Expr


@dataclass(frozen=True)
class Transformation(BatchForm):
    """TiCo at its first step: offset - mean a^.b^ + rho mean a^^T C a^, C = (1 - beta) A^^T A^ / N."""

    offset: sp.Expr
    rho: sp.Expr
    beta: sp.Expr


@dataclass(frozen=True)
class FirstOutputs(BatchForm):
    """Another form, computed on the first ``count`` coordinates of the rows; oo: on all of them."""

    form: BatchForm
    count: sp.Expr

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """The symbols of the form, and of the count."""
        return super().free_symbols | self.form.free_symbols

    def xreplace(self, values: dict[sp.Symbol, Any]) -> Self:
        """Return the form with values for symbols, inside too."""
        return replace(super().xreplace(values), form=self.form.xreplace(values))


@dataclass(frozen=True)
class Decay(BatchForm):
    """gamma ||W||_F^2."""

    gamma: sp.Expr


@dataclass(frozen=True)
class Expression(BatchForm):
    """An expression of the language: expectations are means over rows, those of independent data over pairs of rows."""

    expr: sp.Expr


#: A loss on a batch: coefficients and forms, to be added up.
BatchSum = tuple[tuple[sp.Expr, BatchForm], ...]
