"""Views: the random vectors that a loss compares, each an augmentation of some datum."""

from __future__ import annotations

import re
from typing import Any

import sympy as sp
from sympy.core.symbol import Str

from symscape.errors import InputError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*'*\Z")

#: Letters of the promised notation: the second moment of a view, and the cross moment of two views of one datum.
SECOND_MOMENT, CROSS_MOMENT = "Sigma", "A_0"


class View(sp.Basic):
    """A view: ``View("chi2")`` is an augmented view of a datum of its own, independent of every other.

    ``of=`` another view shares that view's datum: ``View("x3", of=anchor)`` is a third crop. ``moment`` names the second
    moment of the features of this view, ``cross`` their cross moment with the other views of the datum; a clean,
    un-augmented view has both equal to A_0: ``View("s", of=anchor, moment="A_0")``.

    Raises InputError for a name that is not an identifier (primes may follow).

    >>> View("chi2").name, View("s", of=View("x"), moment="A_0").datum
    ('chi2', 'x')
    """

    def __new__(cls, name: Any, of: Any = None, moment: Any = SECOND_MOMENT, cross: Any = CROSS_MOMENT) -> View:
        """Make a view; ``of`` is another view or None."""
        for value, what in ((name, "name"), (moment, "moment"), (cross, "cross")):
            if not isinstance(value, (str, Str)) or not _NAME.match(str(value)):
                raise InputError(
                    f"View({what}={str(value)!r}): a {what} is a letter followed by letters, digits, _ or '"
                )
        for value in (name, moment, cross):
            if re.match(r"(mean|m_\d+|T_\d+|b|W)\Z", str(value)):
                raise InputError(
                    f"View(...): the name {str(value)!r} is taken by a mean, W or b; choose another, such as 'chi2'"
                )
        if of is not None and not isinstance(of, (View, Str)):
            raise InputError(f"View({str(name)!r}, of={of!r}): of= takes another view, whose datum this one shares")
        datum = name if of is None else (of.datum if isinstance(of, View) else of)
        return super().__new__(cls, Str(str(name)), Str(str(datum)), Str(str(moment)), Str(str(cross)))

    @property
    def name(self) -> str:
        """The name by which the view is printed."""
        return self.args[0].name

    @property
    def datum(self) -> str:
        """The datum of which this is a view; views of different data are independent."""
        return self.args[1].name

    @property
    def moment(self) -> str:
        """The letter of the second moment of this view."""
        return self.args[2].name

    @property
    def cross(self) -> str:
        """The letter of the cross moment with other views of the same datum."""
        return self.args[3].name

    def _sympystr(self, printer: Any) -> str:
        return self.name

    def _sympyrepr(self, printer: Any) -> str:
        return f"View({self.name!r})"

    def _latex(self, printer: Any) -> str:
        return latex_name(self.name)


def latex_name(name: str) -> str:
    """Return the LaTeX of the name of a view or vector: ``chi2`` is a chi with index 2.

    >>> latex_name("chi2"), latex_name("x'")
    ('\\\\chi_{2}', "x'")
    """
    match = re.match(r"([A-Za-z]+)_?(\w*?)('*)\Z", name)
    assert match is not None
    stem, index, primes = match.groups()
    greek = stem if len(stem) == 1 else sp.latex(sp.Symbol(stem))
    return f"{greek}_{{{index}}}{primes}" if index else greek + primes


def covariance_letter(u: View, v: View) -> str | None:
    """Return the letter of E[phi(u) phi(v)^T] about the mean; None when the views are independent.

    Raises InputError when two views of one datum name different cross moments.
    """
    if u.datum != v.datum:
        return None
    if u == v:
        return u.moment
    named = {u.cross, v.cross} - {CROSS_MOMENT} or {CROSS_MOMENT}
    if len(named) > 1:
        raise InputError(
            f"the views {u} and {v} share a datum but name the cross moments {u.cross} and {v.cross}; name the same one"
        )
    return named.pop()


anchor = View("x")
positive = View("x'", of=anchor)
negative = View("chi")
