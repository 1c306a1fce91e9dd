"""An expression on a batch, slowly and plainly: loops over rows in mpmath, with a weight for every row.

E is a weighted mean over rows, different ones for different data, those that stay free included; a term that depends on fewer
data is a mean over fewer. ``total`` over n copies takes windows of the rows i + 1, i + 2, ... cyclically; the weight of a row
there is that of what changes when its term gives way to the mean of all terms of the anchor.
"""

from collections.abc import Mapping
from itertools import product

import mpmath
import numpy as np
import sympy as sp

import symscape as ss
from symscape.losses.language import Dot, Entry, Expectation, OutputSum, SqDist, Total, WeightNorm, free_views

mp = mpmath.MPContext()
mp.dps = 40

FUNCTIONS = {getattr(sp, name): getattr(mp, name) for name in ("exp", "log", "tanh", "sin", "sinh", "erf", "atan")}
FUNCTIONS |= {sp.Abs: abs, sp.Max: max, sp.Min: min}


class RowByRow:
    """``RowByRow(a, b).value(expr)``: a holds x, b holds x' and chi, unless ``arrays`` says otherwise, "a", "b" or an array."""

    def __init__(self, a, b, weights=None, arrays=None, with_itself=False):
        self.a, self.b = self._rows(a), self._rows(b)
        known = {"a": self.a, "b": self.b}
        self.arrays = {"x": self.a, "x'": self.b, "chi": self.b}
        self.arrays |= {k: known[v] if isinstance(v, str) else self._rows(v) for k, v in (arrays or {}).items()}
        self.weights = [mp.mpf(1)] * len(self.a) if weights is None else weights
        self.with_itself = with_itself

    @staticmethod
    def _rows(z):
        return [[mp.mpf(entry) for entry in row] for row in np.asarray(z).tolist()] if isinstance(z, np.ndarray) else z

    def value(self, expr: sp.Expr, rows: Mapping[str, int] | None = None, index: Mapping[str, int] | None = None):
        """Return the value, data at the given rows and output indices at the given numbers."""
        rows, index = rows or {}, index or {}
        if isinstance(expr, Dot):
            return mp.fdot(*(self._row(view, rows) for view in expr.args))
        if isinstance(expr, SqDist):
            u, v = (self._row(view, rows) for view in expr.args)
            return sum((p - q) ** 2 for p, q in zip(u, v, strict=True))
        if isinstance(expr, Expectation):
            known = {view.datum for view in free_views(expr)}
            data = sorted({v.datum for v in expr.args[1:]}, key=lambda datum: (datum != "x", datum))
            rows = {datum: k for datum, k in rows.items() if datum in known}
            terms = [expr.args[0]] if rows else sp.Add.make_args(expr.args[0])
            used = [{view.datum for view in free_views(term)} for term in terms]
            return mp.fsum(
                self._mean(term, [d for d in data if d in here], rows, index)
                for term, here in zip(terms, used, strict=True)
            )
        if isinstance(expr, Total):
            raise AssertionError("a sum over copies stands in an expectation over them")
        if isinstance(expr, OutputSum):
            return self._sum(expr, rows)
        if isinstance(expr, Entry):
            return self._entry(expr, *(index[i.name] for i in expr.args[1:3]))
        assert not isinstance(expr, WeightNorm)
        if expr == ss.d_1:
            return mp.mpf(len(self.a[0]))
        if isinstance(expr, sp.Piecewise):
            return next(self.value(e, rows, index) for e, c in expr.args if c == True or self._holds(c, rows, index))  # noqa: E712
        if not expr.args:
            return mp.mpf(expr.p) / expr.q if expr.is_Rational else mp.mpf(sp.N(expr, 40))
        arguments = [self.value(argument, rows, index) for argument in expr.args]
        if expr.is_Add:
            return mp.fsum(arguments)
        if expr.is_Mul:
            return mp.fprod(arguments)
        return arguments[0] ** arguments[1] if expr.is_Pow else FUNCTIONS[expr.func](*arguments)

    def _holds(self, condition, rows, index):
        assert isinstance(condition, sp.StrictGreaterThan)
        left, right = (self.value(side, rows, index) for side in condition.args)
        return left > right

    def _row(self, view, rows):
        return self.arrays[view.name][rows[view.datum]]

    def _mean(self, body, data, rows, index):
        if any(node.args[1].datum == datum for node in body.atoms(Total) for datum in data):
            return self._mean_over_windows(body, data, rows)
        above, below = mp.mpf(0), mp.mpf(0)
        for tuple_of_rows in product(range(len(self.a)), repeat=len(data)):
            taken = [*tuple_of_rows, *rows.values()]
            if self.with_itself or len(set(taken)) == len(taken):
                weight = mp.fprod(self.weights[k] for k in tuple_of_rows)
                above += weight * self.value(body, {**rows, **dict(zip(data, tuple_of_rows, strict=True))}, index)
                below += weight
        return above / below

    def _mean_over_windows(self, body, data, rows):
        assert data == ["x", "chi"]
        assert not rows
        totals = body.atoms(Total)
        (n,) = {int(node.args[2]) for node in totals}
        known = {node: sp.Dummy() for node in totals}
        above, N = mp.mpf(0), len(self.a)
        for i in range(N):
            order = [(i + k) % N for k in range(1, N)]
            windows = [order[k : k + n] for k in range(0, len(order) - n + 1, n)]
            terms = {
                t: {j: self.value(t.args[0], {"x": i, "chi": j}) for j in order[: len(windows) * n]} for t in totals
            }
            typical = {t: mp.fsum(terms[t].values()) / len(terms[t]) for t in totals}
            value, changes = mp.mpf(0), {}
            for window in windows:
                sums = {known[t]: mp.fsum(terms[t][j] for j in window) for t in totals}
                here = _Given(self, sums).value(body.xreplace(known), {"x": i})
                value += here / len(windows)
                for j in window:
                    exchanged = {known[t]: sums[known[t]] - terms[t][j] + typical[t] for t in totals}
                    changes[j] = here - _Given(self, exchanged).value(body.xreplace(known), {"x": i})
            centre = mp.fsum(changes.values()) / len(changes)
            value += mp.fsum((self.weights[j] - 1) * (changes[j] - centre) for j in changes) / len(windows)
            above += self.weights[i] * value
        return above / mp.fsum(self.weights)

    def _sum(self, expr, rows):
        inner, distinct, *names = expr.args
        d1, total = len(self.a[0]), mp.mpf(0)
        for numbers in np.ndindex(*(d1,) * len(names)):
            if not distinct or len(set(numbers)) == len(numbers):
                total += self.value(inner, rows, {i.name: k for i, k in zip(names, numbers, strict=True)})
        return total

    def _entry(self, expr, i, j):
        pairs = [(self.a, self.a), (self.b, self.b)] if expr.kind == "P" else [(self.a, self.b), (self.b, self.a)]
        return mp.fsum(self._moment(u, v, i, j, expr.centred) for u, v in pairs) / 2

    def _moment(self, u, v, i, j, centred):
        total, rows = mp.fsum(self.weights), range(len(u))
        mean_u = mp.fsum(self.weights[k] * u[k][i] for k in rows) / total if centred else 0
        mean_v = mp.fsum(self.weights[k] * v[k][j] for k in rows) / total if centred else 0
        return mp.fsum(self.weights[k] * (u[k][i] - mean_u) * (v[k][j] - mean_v) for k in rows) / total


class _Given(RowByRow):
    """The same batch, with values for symbols."""

    def __init__(self, batch, known):
        self.__dict__.update(batch.__dict__)
        self.known = known

    def value(self, expr, rows=None, index=None):
        return self.known[expr] if expr in self.known else super().value(expr, rows, index)


def slope(expr, a, b, by_a, by_b, **given):
    """Return the derivative along a direction by central differences at 40 digits."""
    h = mp.mpf(10) ** -12

    def at(t):
        moved = []
        for z, dz in ((a, by_a), (b, by_b)):
            entries = zip(RowByRow._rows(z), RowByRow._rows(dz), strict=True)
            moved.append([[p + t * q for p, q in zip(*rows, strict=True)] for rows in entries])
        return RowByRow(*moved, **given).value(expr)

    return float((at(h) - at(-h)) / (2 * h))


def influence(expr, a, b, **given):
    """Return N times the derivative by the weight of each row, less their mean."""
    h = mp.mpf(10) ** -12

    def at(k, t):
        weights = [mp.mpf(1) + (t if j == k else 0) for j in range(len(a))]
        return RowByRow(a, b, weights, **given).value(expr)

    found = np.array([float((at(k, h) - at(k, -h)) / (2 * h)) for k in range(len(a))]) * len(a)
    return found - found.mean()
