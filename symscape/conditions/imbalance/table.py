"""The losses side by side: which keep a rare class, and which a rare class of two about means of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symscape.conditions.imbalance.mixtures import MixtureStrength, mixture_strength
from symscape.conditions.imbalance.robustness import Robustness, growth, robustness
from symscape.losses.loss import Loss


@dataclass(frozen=True)
class ImbalanceRow:
    """One loss: orthogonal classes as pi_c -> 0, and the direction between two classes as pi -> 0."""

    loss: Loss
    classes: Robustness
    mixture: MixtureStrength

    @property
    def cells(self) -> tuple[str, ...]:
        """What the table shows."""
        c, m = self.classes, self.mixture
        return (
            c.name,
            f"{growth(c.p_exponent, c.lost)} {_robust(c.robust_in_p)}",
            f"{growth(c.q_exponent, c.lost)} {_robust(c.robust_in_q)}",
            f"{growth(m.p_exponent, False, 'pi')} {_robust(m.robust_in_p)}",
            f"{growth(m.q_exponent, False, 'pi')} {_robust(m.robust_in_q)}",
            c.reason,
        )


@dataclass(frozen=True)
class ImbalanceTable:
    """Rows, losses side by side; made by `imbalance_table`."""

    rows: tuple[ImbalanceRow, ...]

    def __str__(self) -> str:
        head = ("loss", "p_c", "|W m_c|^2", "two means: p", "|W delta|^2", "why")
        lines = [head, *(row.cells for row in self.rows)]
        widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
        padded = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
        return "\n".join([*padded, "yes: bounded below as the class probability goes to 0; no augmentation noise"])

    __repr__ = __str__


def imbalance_table(losses: Sequence[Loss] | None = None) -> ImbalanceTable:
    """Return which losses are robust to data imbalance, without noise, a row per loss; by default the catalogue.

    Orthogonal sign-symmetric classes in p_c and |W m_c|^2, and two points about means of their own (zero overall).

    >>> from symscape.losses.infonce import InfoNCE
    >>> from symscape.losses.spectral_contrastive import SpectralContrastive
    >>> [row.cells[1:5] for row in imbalance_table([InfoNCE(), SpectralContrastive()]).rows]
    [('O(pi_c) no', 'O(1) yes', 'O(pi) no', 'O(1) yes'), ('O(1) yes', 'O(1/pi_c) yes', 'O(1) yes', 'O(1/pi) yes')]
    """
    chosen = catalogue_losses() if losses is None else tuple(losses)
    return ImbalanceTable(tuple(ImbalanceRow(loss, robustness(loss), mixture_strength(loss)) for loss in chosen))


def catalogue_losses() -> tuple[Loss, ...]:
    """Return the losses of the catalogue, in the variants that differ here."""
    from symscape.losses.barlow_twins import BarlowTwins
    from symscape.losses.infonce import InfoNCE
    from symscape.losses.ntxent import NTXent
    from symscape.losses.spectral_contrastive import SpectralContrastive
    from symscape.losses.vicreg import VICReg

    contrastive = (InfoNCE(), InfoNCE(similarity="dot"), NTXent(), NTXent(epsilon=1), SpectralContrastive())
    return (*contrastive, BarlowTwins(), BarlowTwins(lambda_=0.0051, epsilon=0), VICReg())


def _robust(value: bool) -> str:
    return "yes" if value else "no"
