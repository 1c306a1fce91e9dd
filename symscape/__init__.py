"""symscape derives the loss landscape of self-supervised learning around W = 0.

Type a loss, get its effective landscape as an exact polynomial in traces, with its LaTeX, its derivation, its NumPy
function, and a check on data:

>>> import symscape as ss
>>> ss.landscape(ss.InfoNCE(tau=1), order=4)
-Tr M + 3/4 Tr P² + O(W⁶)

Here P = W Sigma W^T and M = W A_0 W^T are the second moments of the representation f = W phi.
"""

from symscape.algebra.scalars import exact
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
    UnknownNameError,
)
from symscape.landscape.landscape import Assumption, Landscape, landscape
from symscape.losses.barlow_twins import BarlowTwins
from symscape.losses.infonce import InfoNCE
from symscape.losses.language import E, M, P, d_1, dot, output_sum, outputs, sqdist, sqnorm, total, weight_norm
from symscape.losses.loss import Loss, WeightDecay, gamma_from_weight_decay
from symscape.losses.ntxent import NTXent
from symscape.losses.spectral_contrastive import SpectralContrastive
from symscape.losses.vicreg import VICReg
from symscape.probability.data_models import CumulantViews, GaussianViews, MixtureViews
from symscape.probability.views import View, anchor, negative, positive
from symscape.typesetting.symbols import A_0, Sigma, W, d_0

__version__ = "0.1.0"

__all__ = [
    "A_0",
    "Assumption",
    "BarlowTwins",
    "ConditionalExpectationError",
    "CumulantViews",
    "E",
    "ExpressionError",
    "GaussianViews",
    "InfoNCE",
    "InputError",
    "Landscape",
    "Loss",
    "M",
    "MixtureViews",
    "MomentsError",
    "NTXent",
    "NotAnalyticError",
    "OrderError",
    "P",
    "ScaleInvariantError",
    "Sigma",
    "SpectralContrastive",
    "SymscapeError",
    "UnboundViewError",
    "UnknownNameError",
    "VICReg",
    "View",
    "W",
    "WeightDecay",
    "anchor",
    "d_0",
    "d_1",
    "dot",
    "exact",
    "gamma_from_weight_decay",
    "landscape",
    "negative",
    "output_sum",
    "outputs",
    "positive",
    "sqdist",
    "sqnorm",
    "total",
    "weight_norm",
]
