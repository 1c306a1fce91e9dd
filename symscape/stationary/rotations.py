"""Landscapes in which outputs count apart, minimised over rotations of the outputs: closed words again.

With the spectrum held, only sum_i h(P_ii, M_ii) changes under a rotation, h a quadratic form of the diagonal entries. By
Schur and Horn the diagonals of O diag(p) O^T are averages of p. So where h is convex, equal shares of every output are
best, sum_i P_ii M_ii = Tr P Tr M / d1; where h is concave, outputs aligned with the modes are, sum_i P_ii M_ii = Tr P M.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from symscape.errors import InputError
from symscape.stationary.word_form import OutputWords, WordForm, Words


@dataclass(frozen=True)
class RotationMinimisedForm:
    """The word form of least value over rotations, and how it is reached: ``equal shares``, ``aligned``, or ``any``."""

    form: WordForm
    rotation: str

    @property
    def statement(self) -> str:
        """What the form rests on."""
        if self.rotation == "equal shares":
            return (
                "every output has the same share of the spectrum: least over rotations, where a rotation reaches it (of P and "
                "M at once there may be none, as for 3 outputs; the value is then a lower bound)"
            )
        if self.rotation == "aligned":
            return "every output carries one mode: least over rotations"
        return "rotations of the outputs do not change the landscape"


def minimised_over_rotations(form: WordForm, apart: OutputWords, d1: sp.Expr) -> RotationMinimisedForm | None:
    """Return a form with its sums over single outputs replaced by their least value at a given spectrum.

    None when the sums are neither convex nor concave. Raises InputError when parameters leave that open.

    >>> from symscape.landscape.landscape import landscape
    >>> from symscape.losses.barlow_twins import BarlowTwins
    >>> from symscape.stationary.word_form import split_form
    >>> found = minimised_over_rotations(*split_form(landscape(BarlowTwins(lambda_=2))), sp.Integer(4))
    >>> found.rotation, found.form.higher
    ('aligned', (((('A_0', 'A_0'),), 1),))
    """
    if not apart:
        return RotationMinimisedForm(form, "any")
    letters = sorted({s for pair in apart for s in pair})
    matrix = sp.zeros(len(letters))
    for (s, t), c in apart.items():
        i, j = letters.index(s), letters.index(t)
        matrix[i, j] += c / 2
        matrix[j, i] += c / 2
    if matrix.free_symbols:
        raise InputError(
            f"{form.name}: whether equal or single outputs are best depends on {min(map(str, matrix.free_symbols))}; give "
            "the parameters numbers"
        )
    values = [sp.re(sp.N(v, 30)) for v, m in matrix.eigenvals().items() for _ in range(m)]
    bound = sp.Float("1e-20") * max(map(abs, values))
    if all(v >= -bound for v in values):
        rotation = "equal shares"
    elif all(v <= bound for v in values):
        rotation = "aligned"
    else:
        return None
    higher: dict[Words, sp.Expr] = dict(form.higher)
    for (s, t), c in apart.items():
        words: Words
        if rotation == "aligned":
            words, value = (tuple(sorted((s, t))),), c
        else:
            words, value = tuple(sorted(((s,), (t,)))), c / d1
        higher[words] = sp.cancel(higher.get(words, sp.S.Zero) + value)
    return RotationMinimisedForm(
        WordForm(
            form.name, form.constant, form.quadratic, tuple((w, c) for w, c in higher.items() if c != 0), form.centred,
            form.features, form.is_exact, form.order,
        ),
        rotation,
    )  # fmt: skip
