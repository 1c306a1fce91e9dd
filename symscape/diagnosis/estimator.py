"""The forecast as an estimator in the style of scikit-learn: `fit` on two views, then `transform` by the predicted head."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symscape.data.features import open_features
from symscape.diagnosis.diagnose import MAX_ROWS, diagnose
from symscape.errors import InputError, SymscapeError, UnknownNameError
from symscape.losses.loss import Loss
from symscape.sampling.sampled_loss import sampled_loss

if TYPE_CHECKING:
    from symscape.data.moments import FeatureMoments
    from symscape.diagnosis.modes import DiagnosedMode
    from symscape.diagnosis.report import Diagnosis

Array = NDArray[np.floating[Any]]


class CollapseForecast:
    """What a loss will make of features of two views, as an estimator: parameters are stored as given, `fit` finds the rest.

    ``loss``: a Loss or the name of one or of a preset; ``settings``: its parameters by name; ``d1``: outputs, as many as
    features unless given; the others as of `diagnose`. ``weight_decay`` is gamma of gamma ||W||^2.

    After `fit`: ``kind_``, ``surviving_``, ``spectrum_`` (d1, descending), ``effective_rank_``, ``modes_``, ``W_`` (d1 x d0),
    ``bias_`` (d1 or None), ``moments_``, ``n_features_in_`` and ``report_``, which has all else.

    >>> rng = np.random.default_rng(0)
    >>> s = rng.normal(size=(2000, 4)) * [2.0, 1.0, 0.5, 0.1]
    >>> a, b = (s + 0.3 * rng.normal(size=s.shape) for _ in range(2))
    >>> model = CollapseForecast("spectral", d1=3, weight_decay=0.6).fit(a, b)
    >>> model.kind_, model.surviving_, model.transform(a).shape
    ('dimensional', 2, (2000, 3))
    """

    report_: Diagnosis
    moments_: FeatureMoments
    kind_: str
    surviving_: int
    spectrum_: Array
    effective_rank_: float
    W_: Array
    bias_: Array | None
    n_features_in_: int

    def __init__(
        self,
        loss: Loss | str = "infonce",
        d1: int | None = None,
        weight_decay: Any = 0.0,
        settings: Mapping[str, Any] | None = None,
        bias: bool = False,
        batch_size: int | None = None,
        refine: bool = True,
        max_rows: int = MAX_ROWS,
        drop_bad_rows: bool = False,
        seed: int = 0,
    ):
        self.loss = loss
        self.d1 = d1
        self.weight_decay = weight_decay
        self.settings = settings
        self.bias = bias
        self.batch_size = batch_size
        self.refine = refine
        self.max_rows = max_rows
        self.drop_bad_rows = drop_bad_rows
        self.seed = seed

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; ``deep`` changes nothing, as none is an estimator."""
        return {name: getattr(self, name) for name in _parameters()}

    def set_params(self, **params: Any) -> CollapseForecast:
        """Set parameters by name; return self. Raises UnknownNameError for one that is none, and then sets none."""
        unknown = sorted(set(params) - set(_parameters()))
        if unknown:
            raise UnknownNameError(
                f"CollapseForecast: there is no parameter {unknown[0]!r}; there are {', '.join(_parameters())}; parameters of "
                "the loss go in settings={...}"
            )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def fit(self, features_a: Any, features_b: Any = None) -> CollapseForecast:
        """Forecast what the loss makes of features of two views, N x d0, as `diagnose` takes them; return self.

        Raises InputError and UnknownNameError as `diagnose` does; what was fitted before then stays.
        """
        params = self.get_params()
        settings = dict(params.pop("settings") or {})
        for name in settings:
            if name in params:
                raise UnknownNameError(
                    f"CollapseForecast(settings={{{name!r}: ...}}): pass {name}=... beside the settings"
                )
        self.report_ = report = diagnose(features_a, features_b, **params, **settings)
        self.moments_, self.n_features_in_ = report.moments, report.moments.columns
        self.kind_, self.surviving_ = report.kind, report.surviving
        self.spectrum_, self.effective_rank_ = report.spectrum, report.effective_rank
        self.W_, self.bias_ = report.W, report.bias
        return self

    @property
    def modes_(self) -> tuple[DiagnosedMode, ...]:
        """Every mode by descending eigenvalue, found when first asked for."""
        return self.report_.modes

    def transform(self, features: Any) -> Array:
        """Return the representations of N x d0 features by the predicted head, N x d1. Raises InputError for others."""
        self._check_fitted("transform")
        rows = np.asarray(features)
        if rows.ndim != 2 or rows.shape[1] != self.n_features_in_ or rows.dtype.kind not in "fiu":
            raise InputError(
                f"CollapseForecast.transform: features have shape {rows.shape} and type {rows.dtype}; give N x "
                f"{self.n_features_in_} real numbers"
            )
        if not np.isfinite(rows).all():
            bad = int(np.argmin(np.isfinite(rows).all(axis=1)))
            raise InputError(f"CollapseForecast.transform: row {bad} of features has NaN or infinity; leave it out")
        return self.report_.best.representations(rows.astype(float))

    def fit_transform(self, features_a: Any, features_b: Any = None) -> Array:
        """Fit, and return the representations of the first view, N x d1."""
        fitted = self.fit(features_a, features_b).report_.request.features
        if fitted is None:
            raise InputError("CollapseForecast.fit_transform: moments have no rows to transform; pass features")
        return self.transform(fitted.all()[0])

    def score(self, features_a: Any, features_b: Any = None) -> float:
        """Return minus the loss, without weight decay, of features of two views at the predicted weights: higher is better.

        Raises InputError for features that do not fit, and where the loss is 0/0 because everything collapsed.
        """
        self._check_fitted("score")
        paired = open_features(features_a, features_b, drop_bad_rows=self.drop_bad_rows)
        z_a, z_b = (self.transform(view) for view in paired.all())
        return -sampled_loss(self.report_.request.problem.loss, z_a, z_b).value

    def _check_fitted(self, name: str) -> None:
        if not hasattr(self, "report_"):
            raise SymscapeError(
                f"CollapseForecast.{name}: nothing was fitted yet; call fit(features_a, features_b) first"
            )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "report_")

    def __sklearn_tags__(self) -> Any:
        # Asked for by scikit-learn alone, which is there then.
        utils = import_module("sklearn.utils")
        return utils.Tags(None, utils.TargetTags(required=True), transformer_tags=utils.TransformerTags())

    def __repr__(self) -> str:
        defaults = signature(CollapseForecast.__init__).parameters
        changed = [f"{k}={v!r}" for k, v in self.get_params().items() if v is not defaults[k].default]
        return f"CollapseForecast({', '.join(changed)})"


def _parameters() -> list[str]:
    return [name for name in signature(CollapseForecast.__init__).parameters if name != "self"]
