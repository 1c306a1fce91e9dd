"""Which evaluator computes which form of a loss on a batch."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from symscape.errors import InputError
from symscape.losses import batch
from symscape.losses.batch import BatchForm, FirstOutputs
from symscape.sampling.evaluator import Evaluator

#: Module and name of what makes an evaluator of a form; modules are loaded when they are needed.
_MAKERS: dict[type[BatchForm], tuple[str, str]] = {
    batch.Expression: ("expression.expression_evaluator", "ExpressionEvaluator"),
    batch.CrossEntropy: ("pairs.cross_entropy", "CrossEntropyEvaluator"),
    batch.AlignUniform: ("pairs.align_uniform", "AlignUniformEvaluator"),
    batch.PairwiseSigmoid: ("pairs.sigmoid", "PairwiseSigmoidEvaluator"),
    batch.Spectral: ("moments.spectral", "spectral_evaluator"),
    batch.MeanCosine: ("moments.mean_cosine", "MeanCosineEvaluator"),
    batch.CrossCorrelation: ("moments.cross_correlation", "CrossCorrelationEvaluator"),
    batch.VarianceCovariance: ("moments.variance_covariance", "VarianceCovarianceEvaluator"),
    batch.Transformation: ("moments.transformation", "TransformationEvaluator"),
}


def evaluator_of(form: BatchForm) -> Evaluator:
    """Return the evaluator of a form with numbers for all its symbols. Raises InputError for a form that has none.

    >>> import sympy as sp
    >>> type(evaluator_of(batch.CrossEntropy("dot", sp.S.One))).__name__
    'CrossEntropyEvaluator'
    """
    if isinstance(form, FirstOutputs):
        from symscape.sampling.moments.first_outputs import FirstOutputsEvaluator

        return FirstOutputsEvaluator(evaluator_of(form.form), float(form.count))
    if type(form) not in _MAKERS:
        known = ", ".join(kind.__name__ for kind in _MAKERS)
        raise InputError(f"{form}: no evaluator computes this form; forms that have one: {known}")
    module, name = _MAKERS[type(form)]
    make: Callable[[BatchForm], Any] = getattr(import_module(f"symscape.sampling.{module}"), name)
    return make(form)
