"""The regime of the data: a loss whose outputs are large beside its constants, where it no longer sees their scale.

Batch-normalised Barlow Twins divides by P_ii + epsilon. For P_ii >> epsilon it tends to its epsilon = 0 form, which keeps
f_i -> s_i f_i, and its infimum over W is that of this limit.
"""

from __future__ import annotations

from functools import lru_cache

from symscape.errors import InputError
from symscape.losses.language import Entry, OutputSum
from symscape.losses.loss import Loss
from symscape.spectrum.equal_shares.equal_shares import equal_share_landscape, large_output_limit, limit_at_scale


@lru_cache(maxsize=64)
def data_regime(loss: Loss) -> Loss | None:
    """Return the scale-invariant loss that a loss tends to as its outputs grow; None where there is none, or it is the loss.

    >>> from symscape.losses.barlow_twins import BarlowTwins
    >>> data_regime(BarlowTwins(lambda_=1, epsilon=1)).expr
    sum_{i} (M[i,i]**2/P[i,i]**2 - 2*M[i,i]/P[i,i] + 1) + sum_{i != j} (M[i,j]**2/(P[i,i]*P[j,j]))
    """
    land = equal_share_landscape(loss)
    if land.shell is not None:
        return None
    limit = large_output_limit(land.outer)
    if limit is None:
        return None
    bodies = {
        node: limit_at_scale(node.args[0], dict.fromkeys(node.atoms(Entry), 1)) for node in loss.expr.atoms(OutputSum)
    }
    if not any(body is None for body in bodies.values()):
        grown = {node: node.func(body, *node.args[1:]) for node, body in bodies.items()}
        at_infinity = Loss(loss.expr.xreplace(grown), name=loss.name)
        if equal_share_landscape(at_infinity).shell is not None:
            return at_infinity
    raise InputError(
        f"data_regime({loss.name}): as the outputs grow the loss tends to the scale-invariant {limit}, which its terms do not "
        "show one by one; write it with its small constant 0"
    )
