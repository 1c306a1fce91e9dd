"""symscape derives the loss landscape of self-supervised learning around W = 0.

Type a loss, get its effective landscape as an exact polynomial in traces, with its LaTeX, its derivation, its NumPy
function, and a check on data:

>>> import symscape as ss
>>> ss.landscape(ss.InfoNCE(tau=1), order=4)
-Tr M + 3/4 Tr P² + O(W⁶)

Here P = W Sigma W^T and M = W A_0 W^T are the second moments of the representation f = W phi.
"""

from typing import TYPE_CHECKING, Any

from symscape.algebra.atoms import exact
from symscape.errors import (
    ConditionalExpectationError,
    ExpressionError,
    InputError,
    MomentsError,
    NotAnalyticError,
    OrderError,
    ScaleInvariantError,
    SymscapeError,
    UnboundViewError,
    UncountedError,
    UnknownNameError,
)
from symscape.landscape.facts import Facts, facts
from symscape.landscape.landscape import Assumption, Landscape, landscape
from symscape.losses.barlow_twins import BarlowTwins
from symscape.losses.catalogue import CATALOGUE
from symscape.losses.collapsed_value import collapsed_value
from symscape.losses.infonce import InfoNCE
from symscape.losses.language import E, M, P, d_1, dot, output_sum, outputs, sqdist, sqnorm, total, weight_norm
from symscape.losses.loss import Loss, WeightDecay, gamma_from_weight_decay
from symscape.losses.ntxent import NTXent
from symscape.losses.presets.preset import Preset
from symscape.losses.presets.presets import preset, presets
from symscape.losses.spectral_contrastive import SpectralContrastive
from symscape.losses.stuck_at import stuck_at
from symscape.losses.vicreg import VICReg
from symscape.probability.data_models import CumulantViews, GaussianViews, MixtureViews
from symscape.probability.views import View, anchor, negative, positive
from symscape.typesetting.symbols import A_0, Sigma, W, d_0

if TYPE_CHECKING:
    from symscape.conditions.bias import bias_effect
    from symscape.conditions.collapse import collapse
    from symscape.conditions.collapsed import Collapse
    from symscape.conditions.condition import Condition
    from symscape.conditions.design import inverse_design
    from symscape.conditions.downstream import collapse_helps, least_squares_risk, simulate_least_squares
    from symscape.conditions.equivalence.equivalence import differs_at, equivalence, equivalence_map
    from symscape.conditions.growth.gradient_flow import gradient_flow
    from symscape.conditions.growth.growth import growth_rates
    from symscape.conditions.imbalance.imbalance import imbalance
    from symscape.conditions.imbalance.mixtures import mixture_strength
    from symscape.conditions.imbalance.robustness import class_threshold, robustness
    from symscape.conditions.imbalance.table import imbalance_table
    from symscape.conditions.margins import augmentation_strength
    from symscape.conditions.survival import survival_curve
    from symscape.conditions.threshold import threshold
    from symscape.data.augmentations import augmented_digits
    from symscape.data.digits import load_digits
    from symscape.data.features import PairedFeatures, open_features
    from symscape.data.moments import FeatureMoments, feature_moments
    from symscape.data.sentences import load_sentence_features
    from symscape.diagnosis.comparison import Comparison
    from symscape.diagnosis.diagnose import diagnose
    from symscape.diagnosis.estimator import CollapseForecast
    from symscape.diagnosis.report import Diagnosis
    from symscape.exports.module import export
    from symscape.losses.parser import parse_loss
    from symscape.population.values import population_series, population_value
    from symscape.probability.moments import Moments
    from symscape.programs.landscape_function import LandscapeFunction
    from symscape.sampling.check.check import check, check_on_digits
    from symscape.sampling.check.result import Check
    from symscape.sampling.cumulants import FourthCumulants
    from symscape.sampling.evaluator import Estimate
    from symscape.sampling.sampled_loss import SampledLoss, sampled_loss
    from symscape.spectrum.closed_form.closed_form import closed_form
    from symscape.spectrum.closed_form.minimiser import NoClosedForm, mode_minimiser
    from symscape.spectrum.closed_form.truncation import truncation_table
    from symscape.spectrum.cosine.isotropic import isotropic_cosine
    from symscape.spectrum.cosine.shell import normalised_landscape
    from symscape.spectrum.cosine.table import shell_error_table
    from symscape.spectrum.cosine.thresholds import shell_thresholds
    from symscape.spectrum.equal_shares.equal_shares import equal_share_landscape, hinge_regimes
    from symscape.spectrum.equal_shares.minimum import kept_modes_table, rotation_minimised
    from symscape.spectrum.equal_shares.weights import minimise_over_weights
    from symscape.spectrum.spectrum_landscape import SpectrumLandscape
    from symscape.stationary.aligned_families import NoSolution
    from symscape.stationary.point import StationaryPoint
    from symscape.stationary.points import StationaryPoints
    from symscape.stationary.quartic_theory import local_minima_are_global, second_variation
    from symscape.stationary.stationary_points import stationary_points
    from symscape.training.train_head import train_head
    from symscape.training.trained_head import TrainedHead
    from symscape.verification.derivations import present
    from symscape.verification.proof import Proof

__version__ = "0.1.0"

# What needs NumPy is imported when it is first asked for.
_LATER = {
    "Check": "symscape.sampling.check.result",
    "Collapse": "symscape.conditions.collapsed",
    "CollapseForecast": "symscape.diagnosis.estimator",
    "Comparison": "symscape.diagnosis.comparison",
    "Condition": "symscape.conditions.condition",
    "Diagnosis": "symscape.diagnosis.report",
    "Estimate": "symscape.sampling.evaluator",
    "FeatureMoments": "symscape.data.moments",
    "FourthCumulants": "symscape.sampling.cumulants",
    "LandscapeFunction": "symscape.programs.landscape_function",
    "Moments": "symscape.probability.moments",
    "NoClosedForm": "symscape.spectrum.closed_form.minimiser",
    "NoSolution": "symscape.stationary.aligned_families",
    "PairedFeatures": "symscape.data.features",
    "Proof": "symscape.verification.proof",
    "SampledLoss": "symscape.sampling.sampled_loss",
    "SpectrumLandscape": "symscape.spectrum.spectrum_landscape",
    "StationaryPoint": "symscape.stationary.point",
    "StationaryPoints": "symscape.stationary.points",
    "TrainedHead": "symscape.training.trained_head",
    "augmentation_strength": "symscape.conditions.margins",
    "augmented_digits": "symscape.data.augmentations",
    "bias_effect": "symscape.conditions.bias",
    "check": "symscape.sampling.check.check",
    "check_on_digits": "symscape.sampling.check.check",
    "class_threshold": "symscape.conditions.imbalance.robustness",
    "closed_form": "symscape.spectrum.closed_form.closed_form",
    "collapse": "symscape.conditions.collapse",
    "collapse_helps": "symscape.conditions.downstream",
    "diagnose": "symscape.diagnosis.diagnose",
    "differs_at": "symscape.conditions.equivalence.equivalence",
    "equal_share_landscape": "symscape.spectrum.equal_shares.equal_shares",
    "equivalence": "symscape.conditions.equivalence.equivalence",
    "equivalence_map": "symscape.conditions.equivalence.equivalence",
    "export": "symscape.exports.module",
    "feature_moments": "symscape.data.moments",
    "gradient_flow": "symscape.conditions.growth.gradient_flow",
    "growth_rates": "symscape.conditions.growth.growth",
    "hinge_regimes": "symscape.spectrum.equal_shares.equal_shares",
    "imbalance": "symscape.conditions.imbalance.imbalance",
    "imbalance_table": "symscape.conditions.imbalance.table",
    "inverse_design": "symscape.conditions.design",
    "isotropic_cosine": "symscape.spectrum.cosine.isotropic",
    "kept_modes_table": "symscape.spectrum.equal_shares.minimum",
    "least_squares_risk": "symscape.conditions.downstream",
    "load_digits": "symscape.data.digits",
    "load_sentence_features": "symscape.data.sentences",
    "local_minima_are_global": "symscape.stationary.quartic_theory",
    "minimise_over_weights": "symscape.spectrum.equal_shares.weights",
    "mixture_strength": "symscape.conditions.imbalance.mixtures",
    "mode_minimiser": "symscape.spectrum.closed_form.minimiser",
    "normalised_landscape": "symscape.spectrum.cosine.shell",
    "open_features": "symscape.data.features",
    "parse_loss": "symscape.losses.parser",
    "population_series": "symscape.population.values",
    "population_value": "symscape.population.values",
    "present": "symscape.verification.derivations",
    "sampled_loss": "symscape.sampling.sampled_loss",
    "robustness": "symscape.conditions.imbalance.robustness",
    "rotation_minimised": "symscape.spectrum.equal_shares.minimum",
    "second_variation": "symscape.stationary.quartic_theory",
    "shell_error_table": "symscape.spectrum.cosine.table",
    "shell_thresholds": "symscape.spectrum.cosine.thresholds",
    "simulate_least_squares": "symscape.conditions.downstream",
    "stationary_points": "symscape.stationary.stationary_points",
    "train_head": "symscape.training.train_head",
    "survival_curve": "symscape.conditions.survival",
    "threshold": "symscape.conditions.threshold",
    "truncation_table": "symscape.spectrum.closed_form.truncation",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'symscape' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


__all__ = [
    "A_0",
    "CATALOGUE",
    "Assumption",
    "BarlowTwins",
    "Check",
    "Collapse",
    "CollapseForecast",
    "Comparison",
    "Condition",
    "ConditionalExpectationError",
    "CumulantViews",
    "Diagnosis",
    "E",
    "Estimate",
    "ExpressionError",
    "Facts",
    "FeatureMoments",
    "FourthCumulants",
    "GaussianViews",
    "InfoNCE",
    "InputError",
    "Landscape",
    "LandscapeFunction",
    "Loss",
    "M",
    "MixtureViews",
    "Moments",
    "MomentsError",
    "NTXent",
    "NoClosedForm",
    "NoSolution",
    "NotAnalyticError",
    "OrderError",
    "P",
    "PairedFeatures",
    "Preset",
    "Proof",
    "SampledLoss",
    "ScaleInvariantError",
    "Sigma",
    "SpectralContrastive",
    "SpectrumLandscape",
    "StationaryPoint",
    "StationaryPoints",
    "SymscapeError",
    "TrainedHead",
    "UnboundViewError",
    "UncountedError",
    "UnknownNameError",
    "VICReg",
    "View",
    "W",
    "WeightDecay",
    "anchor",
    "augmentation_strength",
    "augmented_digits",
    "bias_effect",
    "check",
    "check_on_digits",
    "class_threshold",
    "closed_form",
    "collapse",
    "collapse_helps",
    "collapsed_value",
    "d_0",
    "d_1",
    "diagnose",
    "differs_at",
    "dot",
    "equal_share_landscape",
    "equivalence",
    "equivalence_map",
    "exact",
    "export",
    "facts",
    "feature_moments",
    "gamma_from_weight_decay",
    "gradient_flow",
    "growth_rates",
    "hinge_regimes",
    "imbalance",
    "imbalance_table",
    "inverse_design",
    "isotropic_cosine",
    "kept_modes_table",
    "landscape",
    "least_squares_risk",
    "load_digits",
    "load_sentence_features",
    "local_minima_are_global",
    "minimise_over_weights",
    "mixture_strength",
    "mode_minimiser",
    "negative",
    "normalised_landscape",
    "open_features",
    "output_sum",
    "outputs",
    "parse_loss",
    "population_series",
    "population_value",
    "positive",
    "present",
    "preset",
    "presets",
    "robustness",
    "rotation_minimised",
    "sampled_loss",
    "second_variation",
    "shell_error_table",
    "shell_thresholds",
    "simulate_least_squares",
    "sqdist",
    "sqnorm",
    "stationary_points",
    "stuck_at",
    "survival_curve",
    "threshold",
    "total",
    "train_head",
    "truncation_table",
    "weight_norm",
]
