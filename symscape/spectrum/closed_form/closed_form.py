"""Landscapes without truncation: for Gaussian views, logarithms and means of exponentials of quadratic forms are exact.

The negatives of InfoNCE, for instance, are integrated for good, which leaves a global function of the spectrum

    L(p) = sum_i [ (1 - r_i) p_i / tau - log(1 + p_i / tau) / 2 - p_i / (2 (tau + p_i)) ].
"""

from __future__ import annotations

import sympy as sp

from symscape.errors import InputError
from symscape.landscape.landscape import landscape
from symscape.losses.loss import Loss
from symscape.probability.views import CROSS_MOMENT
from symscape.spectrum.closed_form.gaussian import tidy
from symscape.spectrum.closed_form.integration import DECAY, Integration
from symscape.spectrum.modes import b_i, p_i, r_i
from symscape.spectrum.spectrum_landscape import SpectrumLandscape


def closed_form(loss: Loss, pencil: bool = False) -> SpectrumLandscape:
    """Return the landscape of a loss for Gaussian views of mean zero, not truncated, as a function of the spectrum of P.

    ``pencil=True`` writes the quadratic part as -sum_i b_i p_i, b_i the eigenvalues of the pencil (B, Sigma), which takes
    weight decay in. Raises InputError for a loss with a term that has no closed form, and names it; with ``pencil=True``
    when r_i enters beyond the quadratic part; for weight decay without it. Source: Gaussian integrals; in this form ours.

    >>> from symscape.losses.infonce import InfoNCE
    >>> closed_form(InfoNCE(tau=1)).expr(1)
    -p_0*r_0 + p_0 - p_0/(2*(p_0 + 1)) - log(p_0 + 1)/2
    >>> closed_form(InfoNCE(tau=1), pencil=True).expr(1)
    -b_0*p_0 + p_0 - p_0/(2*(p_0 + 1)) - log(p_0 + 1)/2
    """
    if not isinstance(loss, Loss):
        raise InputError(f"closed_form({loss!r}): the first argument is a Loss; wrap an expression in Loss(...)")
    if not isinstance(pencil, bool):
        raise InputError(f"closed_form({loss.name}, pencil={pencil!r}): pencil is True or False")
    integration = Integration(loss)
    outer, mode, sums = integration.decoupled(integration.value(loss.expr))
    assumptions = [*integration.rests_on, *dict.fromkeys(integration.finite)]
    if any(view.moment == CROSS_MOMENT for view in loss.views):
        assumptions.append("r_i >= 0: A_0 is the second moment of a clean view")
    slope = sp.cancel(sp.diff(mode, p_i).subs(p_i, 0))
    rest = tidy(mode - slope * p_i)
    beyond = [
        name for s, name in ((r_i, "r_i"), (DECAY, "weight decay")) if any(e.has(s) for e in (rest, *sums.values()))
    ]
    if pencil:
        if beyond:
            raise InputError(
                f"closed_form({loss.name}, pencil=True): {beyond[0]} enters beyond the quadratic part, so that the rest is "
                "no function of P alone; use closed_form(loss) where there is no weight decay, or landscape(loss, order=4)"
            )
        B = landscape(loss, order=2).hessian.B  # raises where there is no quadratic part
        # What functions of sums add to the quadratic part is in B, and leaves the rest.
        at_origin = dict.fromkeys(sums, sp.S.Zero)
        for symbol, summand in sums.items():
            rest -= sp.diff(outer, symbol).xreplace(at_origin) * sp.diff(summand, p_i).subs(p_i, 0) * p_i
        mode = rest - b_i * p_i
        assumptions.append(
            f"b_i are the eigenvalues of the pencil (B, Sigma) with B = {B}; exact also where B does not commute with "
            "Sigma, as the rest is a function of P alone"
        )
    elif any(e.has(DECAY) for e in (mode, *sums.values())):
        raise InputError(
            f"closed_form({loss.name}): weight decay need not commute with Sigma, so that it is no function of p and r; "
            "pass pencil=True, and give eigenvalues b of the pencil (B, Sigma) in place of r"
        )
    elif beyond:
        assumptions.append("W is aligned with the modes: P and M are diagonal together")
    else:
        assumptions.append("among all W with the spectrum p the least L is at one aligned with the modes, as the rest of L "
                           "is a function of P alone")  # fmt: skip
    if mode != 0:
        total = integration.new_symbol("S")
        outer, sums = outer + total, {total: mode, **sums}
    return SpectrumLandscape(f"closed form of {loss.name}", outer, sums, assumptions=tuple(assumptions))
