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
    UnknownNameError,
)
from symscape.landscape.facts import Facts, facts
from symscape.landscape.landscape import Assumption, Landscape, landscape
from symscape.losses.barlow_twins import BarlowTwins
from symscape.losses.catalogue import CATALOGUE
from symscape.losses.infonce import InfoNCE
from symscape.losses.language import E, M, P, d_1, dot, output_sum, outputs, sqdist, sqnorm, total, weight_norm
from symscape.losses.loss import Loss, WeightDecay, gamma_from_weight_decay
from symscape.losses.ntxent import NTXent
from symscape.losses.spectral_contrastive import SpectralContrastive
from symscape.losses.vicreg import VICReg
from symscape.probability.data_models import CumulantViews, GaussianViews, MixtureViews
from symscape.probability.views import View, anchor, negative, positive
from symscape.typesetting.symbols import A_0, Sigma, W, d_0

if TYPE_CHECKING:
    from symscape.data.digits import load_digits
    from symscape.losses.parser import parse_loss
    from symscape.probability.moments import Moments
    from symscape.sampling.cumulants import FourthCumulants
    from symscape.sampling.digits_check import check_on_digits

__version__ = "0.1.0"

# What needs NumPy is imported when it is first asked for.
_LATER = {
    "FourthCumulants": "symscape.sampling.cumulants",
    "Moments": "symscape.probability.moments",
    "check_on_digits": "symscape.sampling.digits_check",
    "load_digits": "symscape.data.digits",
    "parse_loss": "symscape.losses.parser",
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
    "ConditionalExpectationError",
    "CumulantViews",
    "E",
    "ExpressionError",
    "Facts",
    "FourthCumulants",
    "GaussianViews",
    "InfoNCE",
    "InputError",
    "Landscape",
    "Loss",
    "M",
    "MixtureViews",
    "Moments",
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
    "check_on_digits",
    "d_0",
    "d_1",
    "dot",
    "exact",
    "facts",
    "gamma_from_weight_decay",
    "landscape",
    "load_digits",
    "negative",
    "output_sum",
    "outputs",
    "parse_loss",
    "positive",
    "sqdist",
    "sqnorm",
    "total",
    "weight_norm",
]
