"""The language of losses: SymPy objects for inner products of representations, expectations, and output coordinates.

    dot(u, v), sqnorm(u), sqdist(u, v)      inner products of f(u) = W phi(u) and f(v)
    E(expr, over=chi)                       expectation; conditional on the views that stay free
    total(expr, over=chi, n=n)              sum over n exchangeable copies of a view (finite batch)
    P(i, j), M(i, j)                        entries of E[f(x) f(x)^T] and of E[f(x) f(x')^T]; centred=True: about the mean
    output_sum(expr, i, j, distinct=True)   sum over output coordinates
    weight_norm()                           ||W||_F^2

All are SymPy expressions, so that sympy.log, exp, sqrt, tanh, Max, quotients and powers apply to them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp
from sympy.core.symbol import Str
from sympy.printing.precedence import PRECEDENCE

from symscape.algebra.atoms import exact
from symscape.errors import ConditionalExpectationError, InputError
from symscape.probability.views import View

#: Number of outputs, the rows of W.
d_1 = sp.Symbol("d_1", integer=True, positive=True)


class Node(sp.Expr):
    """Base of the language's own expressions; all are real scalars."""

    is_commutative = True
    is_extended_real = True
    is_finite = True
    is_number = False  # a node without arguments, such as the norm of W, is no number either


def _view(value: Any, call: str) -> View:
    if not isinstance(value, View):
        raise InputError(f"{call}: {value!r} is not a view; use anchor, positive, negative or View('name')")
    return value


def _two_views(name: str, u: Any, v: Any) -> list[View]:
    if not (isinstance(u, View) and isinstance(v, View)):
        bad = v if isinstance(u, View) else u
        _view(bad, f"{name}({u}, {v})")
    return sorted((u, v), key=_view_order)


class Dot(Node):
    """The inner product f(u).f(v)."""

    def __new__(cls, u: Any, v: Any) -> Dot:
        u, v = _two_views("dot", u, v)
        return super().__new__(cls, u, v)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        u, v = (printer.doprint(a) if not isinstance(a, View) else a._latex(printer) for a in self.args)
        text = rf"\lVert f({u}) \rVert^{{2}}" if u == v else rf"f({u})^{{\top}} f({v})"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        u, v = self.args
        return f"|f({u})|^2" if u == v else f"f({u}).f({v})"

    @property
    def precedence(self) -> int:
        """How tightly the printed form binds: f(u).f(v) is put in brackets in a power."""
        return PRECEDENCE["Atom"] if self.args[0] == self.args[1] else PRECEDENCE["Mul"]


class SqDist(Node):
    """The squared distance |f(u) - f(v)|^2."""

    def __new__(cls, u: Any, v: Any) -> sp.Expr:
        u, v = _two_views("sqdist", u, v)
        return sp.S.Zero if u == v else super().__new__(cls, u, v)

    def _eval_expand_func(self, **hints: Any) -> sp.Expr:
        return self.as_dots()

    def as_dots(self) -> sp.Expr:
        """Return |f(u)|^2 - 2 f(u).f(v) + |f(v)|^2."""
        u, v = self.args
        return Dot(u, u) - 2 * Dot(u, v) + Dot(v, v)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        u, v = (a._latex(printer) for a in self.args)
        text = rf"\lVert f({u}) - f({v}) \rVert^{{2}}"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        return "|f({}) - f({})|^2".format(*self.args)


def _view_order(view: View) -> tuple[int, str]:
    """Sort the anchor before its positive before anything else."""
    return ({"x": 0, "x'": 1}.get(view.name, 2), view.name)


class Expectation(Node):
    """E over some views of an expression; use `E`, which checks its arguments."""

    def __new__(cls, expr: sp.Expr, *views: View) -> Expectation:
        return super().__new__(cls, expr, *sorted(views, key=_view_order))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        names = ", ".join(v._latex(printer) for v in self.args[1:])
        text = rf"\mathbb{{E}}_{{{names}}}\left[{printer._print(self.args[0])}\right]"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        return f"E_{{{', '.join(v.name for v in self.args[1:])}}}[{printer._print(self.args[0])}]"


class Total(Node):
    """Sum of an expression over n exchangeable copies of a view; use `total`."""

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        expr, view, n = self.args
        name = view._latex(printer)
        copy = printer._print(expr).replace(f"f({name})", f"f({name}_{{j}})")
        text = rf"\sum_{{j=1}}^{{{printer._print(n)}}} {copy}"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        expr, view, n = self.args
        return f"sum_{{{n} copies of {view}}} {printer._print(expr)}"


class Output(sp.Basic):
    """An index of output coordinates; make some with ``i, j = outputs("i j")``."""

    def __new__(cls, name: Any) -> Output:
        return super().__new__(cls, Str(str(name)))

    @property
    def name(self) -> str:
        """The name of the index."""
        return self.args[0].name

    def _sympystr(self, printer: Any) -> str:
        return self.name

    def _latex(self, printer: Any) -> str:
        return self.name


class Entry(Node):
    """An entry of a second moment of the representation: ``P(i, j)`` or ``M(i, j)``, centred or not."""

    def __new__(cls, kind: Any, i: Any, j: Any, centred: Any = False) -> Entry:
        for index in (i, j):
            if not isinstance(index, Output):
                raise InputError(f"{kind}({i}, {j}): {index!r} is not an output index; make some with outputs('i j')")
        i, j = sorted((i, j), key=lambda index: index.name)
        return super().__new__(cls, Str(str(kind)), i, j, sp.true if centred else sp.false)

    @property
    def kind(self) -> str:
        """``P`` or ``M``."""
        return self.args[0].name

    @property
    def centred(self) -> bool:
        """Whether the moment is about the mean."""
        return bool(self.args[3])

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        text = f"{self.kind}_{{{self.args[1]}{self.args[2]}}}"
        return text if exp is None else f"{text}^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        return f"{self.kind}[{self.args[1]},{self.args[2]}]"


class OutputSum(Node):
    """Sum over output indices, all of them or only distinct ones; use `output_sum`."""

    def __new__(cls, expr: sp.Expr, distinct: Any, *indices: Output) -> OutputSum:
        return super().__new__(cls, expr, sp.true if distinct else sp.false, *indices)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        expr, distinct, *indices = self.args
        names = (r" \neq " if distinct else ", ").join(index.name for index in indices)
        inner = printer._print(expr)
        text = rf"\sum_{{{names}}} " + (rf"\left({inner}\right)" if expr.is_Add else inner)
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        expr, distinct, *indices = self.args
        names = (" != " if distinct else ", ").join(index.name for index in indices)
        return f"sum_{{{names}}} ({printer._print(expr)})"


class WeightNorm(Node):
    """The squared Frobenius norm of W."""

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        text = r"\lVert W \rVert_F^{2}"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        return "||W||^2"


# What users call


def dot(u: View, v: View) -> sp.Expr:
    """Return f(u).f(v).

    >>> from symscape.probability.views import anchor, positive
    >>> dot(positive, anchor) == dot(anchor, positive)
    True
    """
    return Dot(u, v)


def sqnorm(u: View) -> sp.Expr:
    """Return |f(u)|^2."""
    return Dot(u, u)


def sqdist(u: View, v: View) -> sp.Expr:
    """Return |f(u) - f(v)|^2."""
    return SqDist(u, v)


def weight_norm() -> sp.Expr:
    """Return the squared Frobenius norm of W."""
    return WeightNorm()


def outputs(names: str) -> Any:
    """Return output indices for names separated by spaces; one name gives one index.

    >>> i, j = outputs("i j")
    """
    made = tuple(Output(name) for name in names.replace(",", " ").split())
    return made[0] if len(made) == 1 else made


def P(i: Output, j: Output, centred: bool = False) -> sp.Expr:
    """Return the entry E[f_i(x) f_j(x)]; ``centred=True``: of the covariance."""
    return Entry("P", i, j, centred)


def M(i: Output, j: Output, centred: bool = False) -> sp.Expr:
    """Return the entry E[f_i(x) f_j(x')]; ``centred=True``: of the cross-covariance."""
    return Entry("M", i, j, centred)


def output_sum(expr: Any, *indices: Output, distinct: bool = False) -> sp.Expr:
    """Return the sum of ``expr`` over output indices 1..d1; ``distinct=True``: only tuples of different ones.

    >>> i, j = outputs("i j")
    >>> output_sum(M(i, j) ** 2, i, j, distinct=True)
    sum_{i != j} (M[i,j]**2)
    """
    expr = exact(expr)
    if not indices or any(not isinstance(index, Output) for index in indices) or len(set(indices)) < len(indices):
        raise InputError(f"output_sum({expr}, ...): name one or more different output indices, got {indices!r}")
    return OutputSum(expr, distinct, *indices)


def total(expr: Any, over: View, n: Any) -> sp.Expr:
    """Return the sum of ``expr`` over n independent copies of the view ``over``; an outer E integrates them all.

    ``n`` is a positive integer or a symbol: derived landscapes are exact in n.
    """
    expr, n = exact(expr), exact(n)
    if n.is_positive is False or n.is_integer is False or n is sp.oo:
        raise InputError(f"total(..., n={n}): the number of copies is a positive integer or a symbol")
    if _view(over, "total(..., over=...)") not in free_views(expr):
        raise InputError(f"total({expr}, over={over}): the expression does not contain the view {over}")
    return Total(expr, over, n)


def E(expr: Any, over: View | Iterable[View] | None = None) -> sp.Expr:
    """Return the expectation of ``expr`` over a view, a tuple of views, or (None) every view free in it.

    Conditional on the views that stay free. Raises ConditionalExpectationError when a view that stays free shares its
    datum with one that is integrated, and InputError when a named view does not occur.

    >>> from symscape.probability.views import anchor, negative
    >>> E(sp.exp(dot(anchor, negative)), over=negative)
    E_{chi}[exp(f(x).f(chi))]
    """
    expr = exact(expr)
    free = free_views(expr)
    if over is None:
        views = free
        if not views:
            raise InputError(f"E({expr}): no view is free in the expression, so there is nothing to integrate")
    else:
        if not isinstance(over, View) and (isinstance(over, str) or not isinstance(over, Iterable)):
            _view(over, f"E({expr}, over={over!r})")
        views = {over} if isinstance(over, View) else set(over)
        if not views:
            raise InputError(
                f"E({expr}, over={over!r}): name at least one view, or leave over= out to integrate every free one"
            )
        for view in views:
            _view(view, f"E({expr}, over={over})")
        missing = views - free
        if missing:
            names = ", ".join(sorted(v.name for v in missing))
            raise InputError(f"E({expr}, over=...): {names} does not occur free in the expression")
    for view in views:
        tied = sorted(v.name for v in free - views if v.datum == view.datum)
        if tied:
            raise ConditionalExpectationError(
                f"E({expr}, over={view}): {tied[0]} stays free and is a view of the same datum as {view}; "
                f"integrate both, over=({view}, {tied[0]}), or use an independent view"
            )
    return Expectation(expr, *views)


def free_views(expr: sp.Expr) -> set[View]:
    """Return the views of an expression that no expectation inside it integrates."""
    if isinstance(expr, View):
        return {expr}
    if isinstance(expr, Expectation):
        return free_views(expr.args[0]) - set(expr.args[1:])
    found: set[View] = set()
    for argument in expr.args:
        if isinstance(argument, sp.Basic):
            found |= free_views(argument)
    return found


def free_outputs(expr: sp.Basic) -> set[str]:
    """Return the names of the output indices of an expression that no sum over outputs in it binds."""
    if isinstance(expr, Output):
        return {expr.name}
    if isinstance(expr, OutputSum):
        return free_outputs(expr.args[0]) - {index.name for index in expr.args[2:]}
    found: set[str] = set()
    for argument in expr.args:
        if isinstance(argument, sp.Basic):
            found |= free_outputs(argument)
    return found
