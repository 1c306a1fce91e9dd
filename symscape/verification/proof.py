"""The hand that a derivation is given: it takes claims one by one, checks each where it stands, and can plant errors.

    def prove(proof):
        land = ss.landscape(ss.InfoNCE(tau=tau))
        proof.exact("the landscape to order 4 is", land.expr, -Tr(M) / tau + ...)

What was derived stands first, what is claimed second. With ``tamper=True`` every claim is replaced by a wrong one, a few per
cent off, and the derivation is good when each is caught.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import sympy as sp

from symscape.errors import InputError
from symscape.landscape.landscape import Landscape
from symscape.losses.loss import Loss
from symscape.typesetting.sympy_reading import matrix_terms, with_word_symbols
from symscape.verification.verdict import Kind, Verdict

#: What a planted error multiplies a number by, less one.
PLANTED = sp.Rational(1, 40)
#: A sampled claim holds within so many standard errors, and only where an error of 5 % would be twice as many.
DEVIATIONS = 4.0
VISIBLE = 0.05
#: Last words of statements that lead up to a result; and the longest that is shown in a line.
LEADS = frozenset({"is", "are", "where", "with", "a", "by", "gives", "reads", "at", "if", "becomes", "equals"})
LONGEST = 160


class Proof:
    """Takes the claims of one derivation; ``verdicts`` holds what came of them, in order.

    ``report`` is called with each verdict as it comes. With ``tamper`` a wrong formula stands in the place of each claim.
    """

    def __init__(self, tamper: bool = False, report: Callable[[Verdict], None] | None = None):
        self.tamper = tamper
        self.verdicts: list[Verdict] = []
        self.texts: list[tuple[int, str]] = []
        self._report = report
        self._started = time.perf_counter()

    # What a derivation says

    def text(self, words: str) -> None:
        """Say what the next step does: a sentence of the argument."""
        self.texts.append((len(self.verdicts), words))

    def exact(self, statement: str, derived: Any, claimed: Any) -> None:
        """Claim that two exact things are identical: scalars, conditions, matrices, landscapes, tuples of these, words.

        Scalars are equal when the difference simplifies to zero; landscapes when their normal forms are, and a landscape equals
        a scalar in traces when all its terms up to its order do.
        """
        claim = _wrong(claimed) if self.tamper else claimed
        equal = _identical(derived, claim)
        figure = "identical" if equal else f"derived {_short(derived)}, not {_short(claim)}"
        self._take(statement, Kind.EXACT, figure, equal, derived, claim if equal else None)

    def digits(self, statement: str, derived: Any, claimed: Any, digits: int = 12) -> None:
        """Claim that two numbers, or sequences of numbers, agree to so many digits."""
        with mpmath.workdps(max(mpmath.mp.dps, digits + 10)):
            found, expected = _numbers(derived), _numbers(claimed)
            if len(found) != len(expected):
                raise InputError(f"digits({statement!r}): {len(found)} numbers are compared with {len(expected)}")
            if self.tamper:
                # Even the last digit that is claimed must count.
                size = max((abs(e) for e in expected), default=mpmath.mpf(0)) or mpmath.mpf(1)
                expected = [e + size * mpmath.mpf(10) ** (1 - digits) for e in expected]
            scale = max((abs(e) for e in expected), default=mpmath.mpf(0)) or mpmath.mpf(1)
            gaps = [abs(f - e) for f, e in zip(found, expected, strict=True)]
            # The largest of some numbers and NaN may be any of them.
            finite = all(mpmath.isfinite(gap) for gap in gaps)
            worst = max(gaps, default=mpmath.mpf(0)) / scale if finite else mpmath.inf
            agree = digits + 3 if worst == 0 else int(mpmath.floor(-mpmath.log10(worst))) if finite else 0
            figure = f"{min(agree, digits + 3)} digits" + (
                "" if worst <= mpmath.mpf(10) ** -digits else f", {digits} claimed"
            )
            holds = worst <= mpmath.mpf(10) ** -digits
        self._take(statement, Kind.DIGITS, figure, holds, derived)

    def sampled(self, statement: str, estimate: float, standard_error: float, claimed: float) -> None:
        """Claim that a sampled number is what was derived, in standard errors; the sample must be able to see 5 %."""
        claimed = float(claimed)
        if not (math.isfinite(estimate) and standard_error > 0):
            raise InputError(
                f"sampled({statement!r}): the estimate is {estimate} ± {standard_error}; draw a larger sample"
            )
        visible = VISIBLE * abs(claimed) > 2 * DEVIATIONS * standard_error
        if self.tamper:
            claimed *= 1 + VISIBLE
        deviation = (estimate - claimed) / standard_error
        figure = f"{deviation:+.1f} s.e." + ("" if visible else "; the sample is too small to see 5 %")
        self._take(statement, Kind.SAMPLED, figure, visible and abs(deviation) <= DEVIATIONS, claimed)

    def numeric(self, statement: str, check: Callable[[float], bool], figure: str = "") -> None:
        """Claim a fact that numbers show: ``check(off)`` must be true at 0, and false when the claim is ``off`` = 0.025 off."""
        off = float(PLANTED) if self.tamper else 0.0
        self._take(statement, Kind.NUMERIC, figure or "checked", bool(check(off)), None)

    # What becomes of it

    def _take(self, statement: str, kind: Kind, figure: str, holds: bool, shown: Any, claimed: Any = None) -> None:
        now = time.perf_counter()
        # A result stands behind a statement that leads up to it, "the landscape is", not behind a sentence.
        result = str(shown) if kind is Kind.EXACT and statement.split()[-1] in LEADS else ""
        verdict = Verdict(
            len(self.verdicts) + 1,
            statement,
            kind,
            figure,
            bool(holds),
            now - self._started,
            shown,
            result if len(result) <= LONGEST else "",
            self.tamper,
            claimed,
        )
        self._started = now
        self.verdicts.append(verdict)
        if self._report is not None:
            self._report(verdict)

    @property
    def good(self) -> bool:
        """Whether every claim holds; with planted errors, whether every one was caught. A derivation claims something."""
        return bool(self.verdicts) and all(v.holds != self.tamper for v in self.verdicts)


def _numbers(value: Any) -> list[Any]:
    parts = list(value) if isinstance(value, Sequence) or hasattr(value, "__len__") else [value]
    return [mpmath.mpf(str(sp.N(p, mpmath.mp.dps + 5))) if isinstance(p, sp.Basic) else mpmath.mpf(p) for p in parts]


def _identical(a: Any, b: Any) -> bool:
    if isinstance(a, Landscape) and isinstance(b, sp.Expr):
        a = a.expr
    if isinstance(b, Landscape) and isinstance(a, sp.Expr):
        b = b.expr
    if isinstance(a, (Landscape, Loss)) or isinstance(b, (Landscape, Loss)):
        return bool(a == b)
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(_identical(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, (str, bool)) or isinstance(b, (str, bool)):
        return bool(a == b)
    a, b = sp.sympify(a), sp.sympify(b)
    if a == b:
        return True
    if _is_condition(a) or _is_condition(b):
        return _is_condition(a) and _is_condition(b) and _same_condition(a, b)
    if isinstance(a, sp.MatrixBase) and isinstance(b, sp.MatrixBase):
        return a.shape == b.shape and all(sp.simplify(x) == 0 for x in a - b)
    if isinstance(a, sp.MatrixExpr) or isinstance(b, sp.MatrixExpr):
        return matrix_terms(a - b) == {}
    difference = with_word_symbols(a - b)
    # SymPy cannot simplify the traces that are left, nor need it: they are one or another.
    difference = sp.expand(difference.xreplace({trace: sp.Dummy() for trace in difference.atoms(sp.Trace)}))
    return bool(difference == 0 or sp.simplify(difference) == 0)


def _is_condition(value: Any) -> bool:
    """Whether this is a statement; a symbol could be one, and is a number here."""
    return isinstance(value, sp.logic.boolalg.Boolean) and not isinstance(value, sp.Expr)


def _same_condition(a: sp.Basic, b: sp.Basic) -> bool:
    """Whether two conditions say the same: as they stand, or as one inequality whose sides differ by the same amount."""
    if a.func != b.func and getattr(a, "reversed", None) is not None and a.reversed.func == b.func:
        a = a.reversed
    if not (isinstance(a, sp.Rel) and isinstance(b, sp.Rel) and a.func == b.func):
        return bool(sp.simplify_logic(sp.Equivalent(a, b)) == sp.true)
    return bool(sp.simplify((a.lhs - a.rhs) - (b.lhs - b.rhs)) == 0)


def _wrong(claim: Any) -> Any:
    """Return a claim that is a few per cent off, or says the contrary."""
    if isinstance(claim, (tuple, list)):
        return type(claim)([*claim[:-1], _wrong(claim[-1]) if claim else PLANTED])
    if isinstance(claim, Landscape):
        parts = [p for p in claim.parts if p.order] or [claim]
        return _landscape_off(claim, parts[-1].order)
    if isinstance(claim, bool) or claim is None:  # None: undecided
        return not claim
    if isinstance(claim, str):
        return f"not {claim}"
    if isinstance(claim, Loss):
        return claim * (1 + PLANTED)
    claim = sp.sympify(claim)
    if isinstance(claim, sp.Rel):
        return claim.func(claim.lhs, claim.rhs * (1 + PLANTED) if claim.rhs != 0 else PLANTED)
    if _is_condition(claim):
        return sp.Not(claim)
    if isinstance(claim, (sp.MatrixBase, sp.MatrixExpr)):
        if isinstance(claim, sp.ZeroMatrix) or (isinstance(claim, sp.MatrixBase) and claim.is_zero_matrix):
            return (sp.ones if isinstance(claim, sp.MatrixBase) else sp.OneMatrix)(*claim.shape) * PLANTED
        return claim * (1 + PLANTED)
    if claim.is_infinite:
        return -claim
    if claim == 0 or claim in (sp.oo, -sp.oo):
        return PLANTED
    if not claim.is_Add:
        return claim * (1 + PLANTED)
    first, *rest = claim.as_ordered_terms()
    return sp.Add(first, *rest[:-1], rest[-1] * (1 + PLANTED))


def _landscape_off(land: Landscape, degree: int) -> Landscape:
    """Return a landscape whose part of one degree is a few per cent too large."""
    polynomial = land.polynomial
    factor = polynomial.domain.convert(1 + PLANTED)
    parts = {d: {m: c * factor if d == degree else c for m, c in part.items()} for d, part in polynomial.parts.items()}
    wrong = type(polynomial)(polynomial.domain, polynomial.order, parts)
    return Landscape(land.loss, land.data, land.bias, wrong, land._plan, land._degrees_assumed, land.is_exact)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:50]} ... {text[-25:]}"
