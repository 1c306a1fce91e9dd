"""The families: how a kind of loss is built from its settings, in population and on a batch."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symscape.losses.barlow_twins import BarlowTwins
from symscape.losses.batch import (
    AlignUniform,
    CrossCorrelation,
    CrossEntropy,
    FirstOutputs,
    MeanCosine,
    PairwiseSigmoid,
    Spectral,
    Transformation,
    VarianceCovariance,
)
from symscape.losses.infonce import InfoNCE
from symscape.losses.language import E, M, P, dot, output_sum, outputs, sqnorm
from symscape.losses.loss import Loss
from symscape.losses.ntxent import NTXent
from symscape.losses.presets.preset import (
    Family,
    count,
    count_or_all,
    not_negative,
    positive,
    real,
    share,
    smoothing,
)
from symscape.losses.spectral_contrastive import SpectralContrastive
from symscape.losses.unexpressed import Unexpressed
from symscape.losses.vicreg import VICReg
from symscape.probability.views import View, anchor, negative
from symscape.probability.views import positive as other_view

x, xp, chi = anchor, other_view, negative


def _cosine(u: View, v: View) -> sp.Expr:
    return dot(u, v) / sp.sqrt(sqnorm(u)) / sp.sqrt(sqnorm(v))


def _softplus(u: sp.Expr) -> sp.Expr:
    return sp.log(1 + sp.exp(u))


# Cross-entropies


def _cosine_entropy(
    tau: Any,
    epsilon: Any,
    scale: Any = 1,
    base: Any = None,
    loss_dim: Any = sp.oo,
    pool: str = "both-views",
    positive: bool = True,
) -> Loss:
    smooth = sp.S.Zero if epsilon is None else epsilon
    form: Any = CrossEntropy("cosine", tau, pool, positive, epsilon=smooth)
    factor = sp.sympify(scale) * (1 if base is None else tau / base)
    if loss_dim is not sp.oo:
        form = FirstOutputs(form, loss_dim)
    return Loss(factor * NTXent(tau, epsilon).expr, "cross-entropy of cosines", ((factor, form),))


_CONSTANT = (
    "the population expression, for many negatives, leaves out the log of the number of candidates, and does not tell "
    "whether the positive is among them"
)
_SMOOTH = "epsilon smooths the normalisation, f / sqrt(|f|^2 + epsilon); the library has none"
_COSINE = (_CONSTANT, _SMOOTH)
NTXENT = Family(_cosine_entropy, {"tau": positive, "epsilon": smoothing}, _COSINE)
SCALED_NTXENT = Family(_cosine_entropy, {"tau": positive, "scale": positive, "epsilon": smoothing}, _COSINE)
SUPCON = Family(_cosine_entropy, {"tau": positive, "base": positive, "epsilon": smoothing}, _COSINE)
DIRECTCLR = Family(
    _cosine_entropy,
    {"loss_dim": count_or_all, "tau": positive, "epsilon": smoothing},
    (*_COSINE, "W stands for the first loss_dim outputs: the loss does not see the others"),
)


def _euclidean_entropy(c: Any, pool: str) -> Loss:
    form = CrossEntropy("sqdist", c / 2, pool)
    return Loss(InfoNCE(tau=c / 2).expr, "cross-entropy of squared distances", ((sp.S.One, form),))


def _dot_entropy(tau: Any, pool: str) -> Loss:
    form = CrossEntropy("dot", tau, pool)
    return Loss(InfoNCE(tau=tau, similarity="dot").expr, "cross-entropy of dot products", ((sp.S.One, form),))


EUCLIDEAN = Family(
    _euclidean_entropy, {"c": positive}, (_CONSTANT, "the logit is -|u - v|^2 / c; c is 2 tau of InfoNCE(tau)")
)
DOT = Family(_dot_entropy, {"tau": positive}, (_CONSTANT,))


def _sigmoid(t: Any, b: Any, n: Any) -> Loss:
    expr = E(_softplus(-t * _cosine(x, xp) - b)) + n * E(_softplus(t * _cosine(x, chi) + b))
    return Loss(expr, "pairwise sigmoid", ((sp.S.One, PairwiseSigmoid(t, b)),))


SIGMOID = Family(
    _sigmoid,
    {"t": positive, "b": real, "n": count},
    (
        "n is the number of negatives per positive, N - 1 for a batch of N; t (as its log) and b are learned in training",
    ),
)


# Losses of unit rows


def _align_uniform(alpha: Any, t: Any, weight: Any) -> Loss:
    align = E((2 - 2 * _cosine(x, xp)) ** (alpha / 2))
    uniform = sp.log(E(sp.exp(-t * (2 - 2 * _cosine(x, chi)))))
    return Loss(align + weight * uniform, "alignment and uniformity", ((sp.S.One, AlignUniform(alpha, t, weight)),))


def _mean_cosine(offset: Any, slope: Any) -> Loss:
    form = MeanCosine(offset, slope)
    return Loss(offset + slope * E(_cosine(x, xp)), "mean cosine", ((sp.S.One, form),))


def _whitened(epsilon: Any) -> Loss:
    form = MeanCosine(sp.Integer(2), sp.Integer(-2), whitened=True, epsilon=epsilon)
    reason = (
        "it whitens each view by the Cholesky factor of the batch covariance, which is no function of inner products"
    )
    return Loss(Unexpressed("W-MSE", reason), "W-MSE", ((sp.S.One, form),))


def _transformation(offset: Any, rho: Any, beta: Any) -> Loss:
    expr = offset - E(_cosine(x, xp)) + rho * (1 - beta) * E(_cosine(x, chi) ** 2)
    return Loss(expr, "TiCo", ((sp.S.One, Transformation(offset, rho, beta)),))


ALIGN_UNIFORM = Family(_align_uniform, {"alpha": positive, "t": positive, "weight": not_negative})
TARGET = Family(
    _mean_cosine,
    {},
    (
        "in training the target is constant (stop-gradient, or a moving average of weights): what is followed is no gradient "
        "of this or any loss. The expression is that of the value, each view varying, and collapse reaches its least value",
        "the views are the outputs that the library compares: predictions in the one, targets in the other",
    ),
)
WHITENED = Family(
    _whitened, {"epsilon": share}, ("the whole batch is whitened; the library whitens random parts of w_size rows",)
)
TICO = Family(
    _transformation,
    {"rho": not_negative, "beta": share},
    (
        "value and expression are those of the first step, where the moving average C starts from 0; later C is mostly "
        "constant, and the library's loss is no function of two views",
    ),
)


# Losses of moments


def _spectral(mu: Any) -> Loss:
    return Loss(SpectralContrastive().expr / mu, "spectral contrastive", ((sp.S.One, Spectral(mu)),))


def _barlow_twins(lambda_: Any, epsilon: Any, scale: Any = 1, standardise: str = "views") -> Loss:
    if standardise == "deviation":
        i, j = outputs("i j")
        spread_i, spread_j = (sp.sqrt(P(k, k, centred=True)) + epsilon for k in (i, j))
        same, other = M(i, i, centred=True) / spread_i**2, M(i, j, centred=True) / (spread_i * spread_j)
        expr = output_sum((1 - same) ** 2, i) + lambda_ * output_sum(other**2, i, j, distinct=True)
    else:
        expr = BarlowTwins(lambda_, epsilon).expr
    return Loss(scale * expr, "Barlow Twins", ((sp.sympify(scale), CrossCorrelation(lambda_, epsilon, standardise)),))


def _vicreg(lambda_: Any, mu: Any, nu: Any, epsilon: Any, half: bool = True) -> Loss:
    mu = mu if half else 2 * mu
    form = VarianceCovariance(lambda_, mu, nu, epsilon)
    return Loss(VICReg(lambda_, mu, nu, epsilon).expr, "VICReg", ((sp.S.One, form),))


SPECTRAL = Family(
    _spectral,
    {"mu": positive},
    ("rows are clipped to length sqrt(mu), which changes nothing near W = 0: the expression does not clip",),
)
_BARLOW_NOTES = (
    "where variances are below epsilon, as at W = 0, the curvature is set by epsilon and not by the data; epsilon=0 is the "
    "regime of the data, and has no series at W = 0",
)
BARLOW_TWINS = Family(_barlow_twins, {"lambda_": not_negative, "epsilon": not_negative}, _BARLOW_NOTES)
SCALED_BARLOW_TWINS = Family(
    _barlow_twins, {"lambda_": not_negative, "epsilon": not_negative, "scale": positive}, _BARLOW_NOTES
)
VICREG = Family(
    _vicreg,
    {"lambda_": not_negative, "mu": not_negative, "nu": not_negative, "epsilon": not_negative},
    ("where variances are below epsilon, as at W = 0, the curvature is set by epsilon and not by the data",),
)
