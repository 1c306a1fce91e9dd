"""Numbers, errors, shares and lists of modes in words, for the faces of a report."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, isnan, log10

#: A list of modes in a sentence names so many.
NAMED = 8


def number(value: float, digits: int = 3) -> str:
    """Return a number to a few significant digits, whole ones in full; empty for NaN.

    >>> number(0.123456), number(1797.4), number(float("nan"))
    ('0.123', '1797', '')
    """
    if isnan(value):
        return ""
    if isfinite(value) and 10**digits <= abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def figure(value: float, digits: int = 3) -> str:
    """Return a number to so many significant digits, zeros at its end too, as in a column; empty for NaN.

    >>> figure(2.0), figure(0.00123456), figure(0.0), figure(1797.0)
    ('2.00', '0.00123', '0', '1797')
    """
    if value == 0 or not isfinite(value) or not 1e-4 <= abs(value) < 10 ** (digits - 1):
        return number(value, digits)
    return f"{value:.{digits - 1 - floor(log10(abs(value)))}f}"


def with_error(value: float, error: float) -> str:
    """Return a number and its standard error, to the digits that the error leaves.

    >>> with_error(0.89853, 0.0024), with_error(6.678, 0.2), with_error(0.5, float("nan"))
    ('0.899 ± 0.002', '6.7 ± 0.2', '0.5')
    >>> with_error(-0.001, 0.02)
    '0.00 ± 0.02'
    """
    if not (isfinite(error) and error > 0 and isfinite(value)):
        return number(value)
    places = max(-floor(log10(error)), 0)
    # What rounds to zero has no sign.
    return f"{round(value, places) + 0.0:.{places}f} ± {error:.{places}f}" if places <= 6 else number(value, 6)


def percent(share: float) -> str:
    """Return a share in per cent, to two digits.

    >>> percent(0.3377), percent(0.00123), percent(1.5)
    ('34 %', '0.12 %', '150 %')
    """
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"


def probability(value: float) -> str:
    """Return a probability in per cent that is never rounded up to certainty; empty for NaN.

    >>> probability(0.99996), probability(0.9719), probability(0.5), probability(float("nan"))
    ('> 99.9 %', '97.1 %', '50 %', '')
    """
    if isnan(value):
        return ""
    return "> 99.9 %" if value > 0.999 else f"{floor(1000 * value + 1e-9) / 10:g} %"


def counted(count: int, what: str) -> str:
    """Return how many, with an s where there is not one.

    >>> counted(1, "mode"), counted(3, "mode")
    ('1 mode', '3 modes')
    """
    return f"{count} {what}{'s' * (count != 1)}"


def listed(indices: Sequence[int]) -> str:
    """Return modes by number, in words; many are cut short.

    >>> listed([3]), listed([3, 4, 9]), listed(range(20))
    ('mode 3', 'modes 3, 4 and 9', 'modes 0, 1, 2, 3, 4, 5, 6, 7 and 12 more')
    """
    if len(indices) == 1:
        return f"mode {indices[0]}"
    names = [str(k) for k in indices]
    shown = names if len(names) <= NAMED + 1 else [*names[:NAMED], f"{len(names) - NAMED} more"]
    return f"modes {', '.join(shown[:-1])} and {shown[-1]}"
