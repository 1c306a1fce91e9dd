"""How far theory may be trusted on given rows: its loss against the loss of the rows, and of Gaussian rows with their moments.

At the weights that theory predicts, the loss of Gaussian rows differs from the theory's by truncation (and by what a finite
batch adds), and the loss of the rows from that of Gaussian rows by what is not Gaussian in the features.
"""

from __future__ import annotations

from dataclasses import dataclass

from symscape.sampling.evaluator import Estimate


@dataclass(frozen=True)
class Accuracy:
    """What the loss gains over complete collapse at the weights of the theory: by theory, on Gaussian rows, on the rows.

    ``truncated``: whether the theory is a series, cut off. Gains are positive where the loss falls; NaN where collapse is 0/0.
    """

    theory: float
    gaussian: Estimate
    rows: Estimate
    truncated: bool

    @property
    def beyond_gaussian(self) -> float:
        """What features that are not Gaussian change of the gain, relative to it."""
        return _relative(self.rows.value, self.gaussian.value)

    @property
    def beyond_theory(self) -> float:
        """What truncation, and a finite batch, change of the gain, relative to it."""
        return _relative(self.gaussian.value, self.theory)

    @property
    def off(self) -> float:
        """How far the gain by theory is from that on the rows, relative to the latter."""
        return _relative(self.theory, self.rows.value)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What this says of the theory on these rows."""
        found = [
            f"at the theory's weights the loss falls by {self.rows.value:.4g} ± {self.rows.standard_error:.1g} on the rows, by "
            f"{self.gaussian.value:.4g} on Gaussian rows of the same moments, by {self.theory:.4g} in theory"
        ]
        return tuple(found)


def _relative(value: float, reference: float) -> float:
    return abs(value - reference) / abs(reference) if reference else float("inf")
