"""The report of a diagnosis: what survives, what collapses, how sure that is, and what to change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symscape.data.moments import FeatureMoments
from symscape.diagnosis.accuracy import Accuracy
from symscape.diagnosis.growth import growth_rates_along
from symscape.diagnosis.modes import DiagnosedMode
from symscape.diagnosis.request import Request
from symscape.diagnosis.uncertainty import Uncertainty, uncertainty
from symscape.forecast.forecast import Forecast
from symscape.forecast.terms import TermForce, term_forces
from symscape.forecast.theory import theory_of
from symscape.spectrum.ranks import entropy_rank, participation_ratio, singular_entropy_rank, stable_rank

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from symscape.diagnosis.comparison import Comparison
    from symscape.diagnosis.design import Suggestions
    from symscape.diagnosis.what_if import WhatIf
    from symscape.training.trained_head import TrainedHead

Array = NDArray[np.floating[Any]]

#: A mode within so many standard errors of its threshold is said to be at it.
ERRORS = 2.0


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What a loss will make of features, before training. Made by `diagnose`.

    ``theory``: the forecast from moments alone; ``refined``: that of the loss on the rows over the aligned family (None where
    no rows are at hand); ``accuracy``: of the theory on the rows; ``moments``: of the data, with what was found in them,
    ``moments.findings``.
    """

    request: Request
    moments: FeatureMoments
    theory: Forecast
    refined: Forecast | None
    accuracy: Accuracy | None

    @property
    def best(self) -> Forecast:
        """The forecast to go by: the refined one where there are rows, else that of the theory."""
        return self.theory if self.refined is None else self.refined

    @property
    def theory_is_truncated(self) -> bool:
        """Whether the theory is a series at W = 0, cut off."""
        return theory_of(self.request.problem).is_truncated

    @property
    def name(self) -> str:
        """The loss, with its weight decay."""
        gamma = self.request.problem.gamma
        return self.request.problem.loss.name + (f" + {float(gamma):g} ||W||^2" if gamma else "")

    @property
    def kind(self) -> str:
        """``complete`` (nothing survives), ``none`` (min(d0, d1) modes survive) or ``dimensional``."""
        return self.best.kind

    @property
    def surviving(self) -> int:
        """How many modes survive."""
        return self.best.surviving

    @property
    def possible(self) -> int:
        """How many could: min(d0, d1)."""
        return self.best.possible

    @property
    def spectrum(self) -> Array:
        """Predicted eigenvalues of P after training, descending, length d1, zeros for collapsed modes.

        About the mean where the loss centres. Where the loss does not see the size of outputs, their sum is a convention: 1 for
        cosines, d1 where outputs are standardised.
        """
        return self.best.spectrum

    @property
    def W(self) -> Array:
        """Predicted weights, d1 x d0, up to a rotation of the outputs where the loss has that freedom."""
        return self.best.W

    @property
    def bias(self) -> Array | None:
        """Predicted bias, d1, where the model has one."""
        return self.best.bias

    @property
    def effective_rank(self) -> float:
        """exp of the entropy of the eigenvalues of P (Roy and Vetterli, 2007); other definitions in ``ranks``."""
        return self.best.effective_rank

    @property
    def ranks(self) -> dict[str, float]:
        """Effective ranks of the prediction, by definition."""
        spectrum = self.spectrum
        return {
            "exp entropy of the eigenvalues of P": entropy_rank(spectrum),
            "exp entropy of the singular values of f (RankMe)": singular_entropy_rank(spectrum),
            "participation ratio (sum p)^2 / sum p^2": participation_ratio(spectrum),
            "stable rank sum p / max p": stable_rank(spectrum),
        }

    @property
    def loss(self) -> float:
        """The loss at the predicted weights: as code runs it on the rows where there are any, else the population's."""
        return self.best.value

    @property
    def loss_at_collapse(self) -> float:
        """The same when all outputs are one point; NaN where it is 0/0."""
        return self.best.value_at_collapse

    @cached_property
    def uncertainty(self) -> Uncertainty | None:
        """Standard errors of the theory's forecast, for so many rows; None where the moments have no groups of rows."""
        asked = self.request.problem
        if len(self.moments.groups) < 2:
            return None
        return uncertainty(asked, theory_of(asked), self.theory, self.moments)

    @cached_property
    def terms(self) -> tuple[TermForce, ...]:
        """By term of the loss, what it adds to the drive of every mode at the theory's minimum; negative holds the mode."""
        return term_forces(self.request.problem, self.theory)

    @cached_property
    def growth_rates(self) -> Array:
        """How fast the weights along every mode grow near W = 0 under gradient flow, by mode; NaN where there is no series."""
        return growth_rates_along(self.request.problem, self.theory, self.moments)

    @property
    def learning_order(self) -> tuple[int, ...]:
        """The surviving modes in the order in which they are learned from small weights; empty where that is unknown."""
        rates = self.growth_rates
        if np.isnan(rates).any():
            return ()
        return tuple(sorted(self.best.kept, key=lambda k: -rates[k]))

    @cached_property
    def modes(self) -> tuple[DiagnosedMode, ...]:
        """Every mode by descending eigenvalue: (eigenvalue, direction, survives), and what else is known of it by name."""
        return tuple(self._mode(k) for k in range(len(self.theory.eigenvalues)))

    def _mode(self, k: int) -> DiagnosedMode:
        theory, error = self.theory, self.uncertainty
        kept = k in self.best.kept
        confidence = np.nan if error is None else float(error.confidence[k])
        if kept != (k in theory.kept):
            confidence = 1 - confidence  # that of the theory's verdict
        pull = [(float(term.force[k]), term.term) for term in self.terms]
        return DiagnosedMode.make(
            theory.eigenvalues[k],
            theory.rows[k],
            kept,
            number=k,
            standard_error=np.nan if error is None else float(error.eigenvalues[k]),
            r=float(theory.r[k]),
            r_error=np.nan if error is None else float(error.r[k]),
            strength=float(self.best.strengths[k]),
            theory_strength=float(theory.strengths[k]),
            confidence=confidence,
            verdict=self._verdict(k, kept),
            growth_rate=float(self.growth_rates[k]),
            driven_by=max(pull)[1] if pull and max(pull)[0] > 0 else "",
            held_by=min(pull)[1] if pull and min(pull)[0] < 0 else "",
        )

    def _verdict(self, k: int, kept: bool) -> str:
        theory, error = self.theory, self.uncertainty
        beyond = not theory.eigenvalues[k] <= theory.critical  # an unknown threshold is none
        if not kept and beyond and self.surviving >= self.possible:
            return "no output left"
        if kept != (k in theory.kept):
            return "at its threshold"  # theory and the loss on rows do not agree
        near = error is not None and abs(theory.eigenvalues[k] - theory.critical) < ERRORS * error.margin[k]
        if near:
            return "at its threshold"
        return "survives" if kept else "collapses"

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What the prediction rests on, what was found in the data, and where the theory is off, in sentences."""
        from symscape.diagnosis.notes import notes_of

        return notes_of(self)

    def keep(
        self,
        modes: int,
        parameter: str | None = None,
        d1: int | None = None,
        between: tuple[float, float] | None = None,
    ) -> Suggestions:
        """Return what keeps exactly so many modes, one parameter at a time: weight decay (gamma), settings of the loss, width.

        ``parameter``: one of them alone; ``d1``: with another number of outputs; ``between``: the range searched. By theory, on
        these moments; where the report is refined, the loss on rows then says what it keeps at the value suggested. Raises
        InputError for a number that is none, UnknownNameError for an unknown parameter.
        """
        from symscape.diagnosis.design import suggestions

        return suggestions(self, modes, parameter, d1, between)

    def what_if(self, **changes: Any) -> Diagnosis:
        """Return the report with changes, by theory unless ``refine=True``.

        ``loss``, ``d1``, ``weight_decay``, ``bias``, settings of the loss by name; ``batch_size`` (then on rows);
        ``normalise=True`` (the loss on f / |f|), ``standardise=True`` (features of deviation 1), ``labels`` of the rows with
        ``shares`` (rows drawn so that classes have these shares, "balanced" unless given). Raises InputError for changes that
        make no sense, UnknownNameError for an unknown setting.
        """
        from symscape.diagnosis.what_if import changed

        return changed(self, **changes)

    @cached_property
    def what_ifs(self) -> tuple[WhatIf, ...]:
        """What a bias, standardised features, normalised outputs, and no weight decay would change, by theory."""
        from symscape.diagnosis.what_if import usual_changes

        return usual_changes(self)

    def compare(self, z_a: ArrayLike, z_b: ArrayLike | None = None, train: bool = True) -> Comparison:
        """Return how representations after training, N x d1 of the same rows, compare with the prediction, and why they differ.

        One view will do, though two tell more. ``train``: also free all weights on the rows, starting from the prediction, to
        tell modes that mix from training that has not converged. Raises InputError for representations that do not fit.
        """
        from symscape.diagnosis.comparison import compare

        return compare(self, z_a, z_b, train)

    def train(self, **settings: Any) -> TrainedHead:
        """Return the head that training reaches on the rows from the predicted weights; settings as of `train_head`.

        Raises InputError where the report was made from moments alone.
        """
        from symscape.diagnosis.comparison import trained_from

        return trained_from(self, **settings)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the predicted spectrum by theory and refined, with errors, and the modes that collapse; return the axes."""
        from symscape.diagnosis.plot import plot_spectrum

        return plot_spectrum(self, ax)

    def __str__(self) -> str:
        from symscape.diagnosis.text import text_of

        return text_of(self)

    __repr__ = __str__

    def record(self) -> dict[str, Any]:
        """Return all numbers of the report as plain Python values, ready for JSON."""
        from symscape.diagnosis.record import record_of

        return record_of(self)

    def html(self) -> str:
        """Return the report as one self-contained HTML page."""
        from symscape.diagnosis.html import html_of

        return html_of(self)

    def _repr_html_(self) -> str:
        from symscape.diagnosis.html import fragment_of

        return fragment_of(self)
