"""Which evaluator computes which form of a loss on a batch."""

from __future__ import annotations

from functools import singledispatch

from symscape.errors import InputError
from symscape.losses.batch import (
    AlignUniform,
    BatchForm,
    CrossCorrelation,
    CrossEntropy,
    Expression,
    FirstOutputs,
    MeanCosine,
    PairwiseSigmoid,
    Spectral,
    Transformation,
    VarianceCovariance,
)
from symscape.sampling.evaluator import Evaluator


@singledispatch
def evaluator_of(form: BatchForm) -> Evaluator:
    """Return the evaluator of a form with numbers for all its symbols; ``evaluator_of.register`` adds one for a new form.

    Raises InputError for a form that has none.
    """
    raise InputError(
        f"{form}: no evaluator computes this form; add one with evaluator_of.register({type(form).__name__})"
    )


@evaluator_of.register
def _(form: Expression) -> Evaluator:
    from symscape.sampling.expression.expression_evaluator import ExpressionEvaluator

    return ExpressionEvaluator(form)


@evaluator_of.register
def _(form: CrossEntropy) -> Evaluator:
    from symscape.sampling.pairs.cross_entropy import CrossEntropyEvaluator

    return CrossEntropyEvaluator(form)


@evaluator_of.register
def _(form: AlignUniform) -> Evaluator:
    from symscape.sampling.pairs.align_uniform import AlignUniformEvaluator

    return AlignUniformEvaluator(form)


@evaluator_of.register
def _(form: PairwiseSigmoid) -> Evaluator:
    from symscape.sampling.pairs.sigmoid import PairwiseSigmoidEvaluator

    return PairwiseSigmoidEvaluator(form)


@evaluator_of.register
def _(form: Spectral) -> Evaluator:
    from symscape.sampling.moments.spectral import spectral_evaluator

    return spectral_evaluator(form)


@evaluator_of.register
def _(form: MeanCosine) -> Evaluator:
    from symscape.sampling.moments.mean_cosine import MeanCosineEvaluator

    return MeanCosineEvaluator(form)


@evaluator_of.register
def _(form: CrossCorrelation) -> Evaluator:
    from symscape.sampling.moments.cross_correlation import CrossCorrelationEvaluator

    return CrossCorrelationEvaluator(form)


@evaluator_of.register
def _(form: VarianceCovariance) -> Evaluator:
    from symscape.sampling.moments.variance_covariance import VarianceCovarianceEvaluator

    return VarianceCovarianceEvaluator(form)


@evaluator_of.register
def _(form: Transformation) -> Evaluator:
    from symscape.sampling.moments.transformation import TransformationEvaluator

    return TransformationEvaluator(form)


@evaluator_of.register
def _(form: FirstOutputs) -> Evaluator:
    from symscape.sampling.moments.first_outputs import FirstOutputsEvaluator

    return FirstOutputsEvaluator(evaluator_of(form.form), float(form.count))
