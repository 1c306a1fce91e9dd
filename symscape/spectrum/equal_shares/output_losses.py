"""Losses of the outputs' second moments, read term by term: traces of P and M, and sums over outputs of their entries.

A sum over one output is a function of its own P_ii and M_ii. A sum over two different ones is a polynomial in P_ij and M_ij
whose coefficients are functions of the two outputs' own moments. Data have mean zero, so centred entries are the plain ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy as sp

from symscape.algebra.atoms import exact
from symscape.errors import InputError, UnknownNameError
from symscape.landscape.landscape import landscape
from symscape.losses.language import Entry, Expectation, Node, OutputSum, d_1, free_outputs
from symscape.losses.loss import Loss

#: Moments of one output, of another one, and between the two.
P_ii, M_ii, P_jj, M_jj = sp.symbols("P_ii M_ii P_jj M_jj", positive=True)
P_ij, M_ij = sp.symbols("P_ij M_ij", real=True)

#: A product of traces, each a word of letters P and M, with its coefficient.
TraceTerm = tuple[sp.Expr, tuple[str, ...]]


@dataclass(frozen=True)
class OutputTerm:
    """A sum over outputs: ``own`` of (P_ii, M_ii) over i, plus ``pairs`` over i != j.

    ``pairs[k, l]`` is the coefficient of P_ij^k M_ij^l, a function of P_ii, M_ii, P_jj, M_jj.
    """

    own: sp.Expr
    pairs: Mapping[tuple[int, int], sp.Expr]

    @property
    def keeps_output_scales(self) -> bool:
        """Whether f_i -> s_i f_i leaves the sum as it is, for every scale of every output."""
        s, t = sp.symbols("s t", positive=True)
        scaled = {P_ii: s**2 * P_ii, M_ii: s**2 * M_ii, P_jj: t**2 * P_jj, M_jj: t**2 * M_jj}

        def same(coefficient: sp.Expr, degree: int) -> bool:
            return sp.simplify(coefficient.subs(scaled, simultaneous=True) * (s * t) ** degree - coefficient) == 0

        return same(self.own, 0) and all(same(c, k + l) for (k, l), c in self.pairs.items())


def read_output_sum(node: OutputSum, call: str) -> OutputTerm:
    """Return a sum over one or two outputs as a sum over outputs and one over pairs of different ones.

    Raises InputError, quoting the sum, for more outputs, and where P_ij or M_ij enters otherwise than as a polynomial.

    >>> from symscape.losses.language import M, outputs, output_sum
    >>> i, j = outputs("i j")
    >>> read_output_sum(output_sum(M(i, j) ** 2, i, j), "mine")
    OutputTerm(own=M_ii**2, pairs={(0, 2): 1})
    """
    body, distinct, *indices = node.args
    if body.has(OutputSum) or body.has(Expectation):
        raise InputError(
            f"{call}: {node} holds a sum or an expectation inside a sum over outputs; take it out of the sum"
        )
    if len(indices) > 2:
        raise InputError(f"{call}: {node} sums over {len(indices)} outputs; at most two are read")
    first = indices[0].name
    names = {("P", 2): P_ii, ("M", 2): M_ii, ("P", 1): P_ij, ("M", 1): M_ij, ("P", 0): P_jj, ("M", 0): M_jj}
    entries = {e: names[e.kind, [e.args[1].name, e.args[2].name].count(first)] for e in body.atoms(Entry)}
    body = body.xreplace(entries)
    if body.has(Node):
        raise InputError(f"{call}: {node} holds more than entries of P and M; write it with P(i, j) and M(i, j)")
    if len(indices) == 1:
        return OutputTerm(body, {})
    own = sp.S.Zero if distinct else body.xreplace({P_ij: P_ii, M_ij: M_ii, P_jj: P_ii, M_jj: M_ii})
    try:
        pairs = dict(sp.Poly(body, P_ij, M_ij).terms())
    except sp.PolynomialError as error:
        raise InputError(f"{call}: {node} is no polynomial in P_ij and M_ij at i != j; square them, say") from error
    return OutputTerm(own, {powers: c for powers, c in pairs.items() if c != 0})


@lru_cache(maxsize=256)
def read_expectation(node: Expectation, call: str) -> tuple[TraceTerm, ...]:
    """Return an expectation of a polynomial of inner products, of degree 2 or 4 in W, as products of traces.

    ``(c, ("P", "PM"))`` is c Tr P Tr PM. Raises InputError for any other expectation.
    """
    land = landscape(Loss(node, name=call), order=2)
    land = land if land.is_exact else landscape(Loss(node, name=call), order=4)
    letters = {"Sigma": "P", "A_0": "M"}
    if not land.is_exact or any(g[0] != "tr" or set(g[1]) - set(letters) for m, _ in land.terms for g in m):
        raise InputError(
            f"{call}: {node} is not a function of P and M alone; expectations of degree 2 or 4, such as E(sqdist(x, xp)), are"
        )
    return tuple((c, tuple("".join(sorted(letters[l] for l in g[1])) for g in m)) for m, c in land.terms)


def rewrite(expr: sp.Expr, on_node: Callable[[sp.Expr], sp.Expr], call: str) -> sp.Expr:
    """Return an expression with every expectation and every sum over outputs replaced by ``on_node`` of it.

    Raises InputError for anything else of the language, such as weight decay.
    """
    if not expr.has(Node):
        return expr
    if isinstance(expr, Expectation) or (isinstance(expr, OutputSum) and not free_outputs(expr)):
        return on_node(expr)
    if isinstance(expr, Node):
        raise InputError(
            f"{call}: {expr} is not a function of P and M alone; weight decay is one where Sigma is a multiple s of the "
            "identity: gamma / s * E(sqnorm(x))"
        )
    return expr.func(*(rewrite(argument, on_node, call) for argument in expr.args))


def as_maximum(expr: sp.Expr) -> sp.Expr:
    """Return an expression with Abs and Min written with Max."""
    expr = expr.replace(sp.Abs, lambda u: sp.Max(u, -u, evaluate=False))
    return expr.replace(sp.Min, lambda *us: -sp.Max(*[-u for u in us]))


def with_numbers(loss: Loss, d1: int, parameters: Mapping[str, Any], call: str) -> Loss:
    """Return the loss with d_1 and every parameter a number; raises what `numbers_of` raises."""
    numbers = numbers_of(loss, d1, parameters, call)
    return Loss(loss.expr.xreplace(numbers), name=loss.name)


def numbers_of(loss: Loss, d1: int, parameters: Mapping[str, Any], call: str) -> dict[sp.Symbol, sp.Expr]:
    """Return the values of d_1 and of every parameter of a loss, by symbol.

    Raises InputError for a d1 that is no positive integer, UnknownNameError for a parameter that is unknown or missing.
    """
    if not isinstance(loss, Loss):
        raise InputError(f"{call}: the first argument is a Loss, got {loss!r}; wrap an expression in Loss(...)")
    if isinstance(d1, bool) or not isinstance(d1, int) or d1 < 1:
        raise InputError(f"{call}: d1={d1!r} is the number of outputs, a positive integer")
    symbols = {name: symbol for name, symbol in loss.parameters.items() if symbol != d_1}
    values: dict[sp.Symbol, sp.Expr] = {d_1: sp.Integer(d1)}
    for key, value in parameters.items():
        name = key if key in symbols else key.rstrip("_")
        if name not in symbols:
            raise UnknownNameError(f"{call}: there is no parameter {key!r}; it has: {', '.join(symbols) or 'none'}")
        values[symbols[name]] = exact(value)
    missing = [name for name, symbol in symbols.items() if symbol not in values]
    if missing:
        raise UnknownNameError(f"{call}: no value for {', '.join(missing)}; pass {missing[0]}=...")
    return values
