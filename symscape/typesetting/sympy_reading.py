"""SymPy's traces and matrix sums in a normal form: SymPy itself does not see that Tr(W S W^T) and Tr(W^T W S) are one.

Traces of products of W S W^T, in any order, power or transposition that a user may write, become one symbol for each closed
word; sums of matrices become coefficients of their parts.
"""

from __future__ import annotations

import sympy as sp
from sympy.matrices.expressions import HadamardProduct, MatAdd, MatMul, MatPow, MatrixExpr
from sympy.matrices.expressions.transpose import Transpose

from symscape.algebra.words import IDENTITY, closed_word
from symscape.typesetting.symbols import W


def with_word_symbols(expr: sp.Expr) -> sp.Expr:
    """Return a scalar with every trace of a product of moments W S W^T as the symbol of its closed word.

    Traces of anything else, such as Hadamard products, stay traces, multiplied out.

    >>> from symscape.typesetting.symbols import A_0, Sigma
    >>> P, M = W * Sigma * W.T, W * A_0 * W.T
    >>> sp.expand(with_word_symbols(sp.Trace(P * M) - sp.Trace(W.T * W * Sigma * W.T * W * A_0)))
    0
    """
    return expr.xreplace({trace: _trace(trace.arg) for trace in expr.atoms(sp.Trace)})


def matrix_terms(expr: MatrixExpr) -> dict[MatrixExpr, sp.Expr]:
    """Return a sum of matrices as its parts with their coefficients, those that cancel left out.

    >>> from symscape.typesetting.symbols import A_0, Sigma
    >>> matrix_terms(2 * (Sigma - A_0) + 2 * A_0)
    {Sigma: 2}
    >>> matrix_terms(2 * (A_0 - sp.Identity(A_0.rows)) - 2 * A_0)
    {I: -2}
    """
    found: dict[MatrixExpr, sp.Expr] = {}
    for coefficient, factors in _products(expr):
        base = _product(factors, expr).doit()
        if base.is_ZeroMatrix:
            continue
        found[base] = found.get(base, sp.S.Zero) + coefficient
    return {base: c for base, coefficient in found.items() if (c := sp.simplify(coefficient)) != 0}


def _trace(matrix: MatrixExpr) -> sp.Expr:
    total = sp.S.Zero
    for coefficient, factors in _products(matrix):
        word = _word(factors)
        if word:
            total += coefficient * sp.Symbol(f"Tr {' '.join(word)}")
        else:
            total += coefficient * (_other_trace(factors) if factors else matrix.shape[0])
    return total


def _other_trace(factors: list[MatrixExpr]) -> sp.Expr:
    """Return the trace of a product from whichever factor comes first, in whichever direction."""
    turns = [way[k:] + way[:k] for way in (factors, _reversed(factors)) for k in range(len(factors))]
    first = min(turns, key=lambda turn: [sp.default_sort_key(factor) for factor in turn])
    return sp.Trace(MatMul(*first)).doit()


def _word(factors: list[MatrixExpr]) -> tuple[str, ...]:
    """Return the closed word of a cyclic product W S W^T W S' W^T ..., empty when it is no such product."""
    if W not in factors:
        return ()
    start = factors.index(W)
    turned = factors[start:] + factors[:start]
    word, k = [], 0
    while k < len(turned):
        if turned[k] != W:
            return ()
        letter = turned[k + 1] if k + 1 < len(turned) else None
        if letter == W.T:
            word.append(IDENTITY)
            k += 2
        elif isinstance(letter, sp.MatrixSymbol) and k + 2 < len(turned) and turned[k + 2] == W.T:
            word.append(letter.name)
            k += 3
        else:
            return ()
    return closed_word(tuple(word))[1]


def _products(matrix: MatrixExpr) -> list[tuple[sp.Expr, list[MatrixExpr]]]:
    """Return a matrix as a sum of coefficient times product of symbols, multiplied out."""
    if isinstance(matrix, MatAdd):
        return [term for part in matrix.args for term in _products(part)]
    if isinstance(matrix, MatMul):
        coefficient, matrices = matrix.as_coeff_matrices()
        found: list[tuple[sp.Expr, list[MatrixExpr]]] = [(coefficient, [])]
        for factor in matrices:
            found = [(c * d, left + right) for c, left in found for d, right in _products(factor)]
        return found
    if isinstance(matrix, HadamardProduct):
        found = [(sp.S.One, [])]
        for argument in matrix.args:
            found = [
                (c * d, [*left, _product(right, argument)]) for c, left in found for d, right in _products(argument)
            ]
        return [(c, [HadamardProduct(*sorted(parts, key=sp.default_sort_key))]) for c, parts in found]
    if isinstance(matrix, MatPow) and matrix.exp.is_Integer and matrix.exp.is_positive:
        return _products(MatMul(*[matrix.base] * int(matrix.exp), evaluate=False))
    if isinstance(matrix, Transpose) and isinstance(matrix.arg, (MatAdd, MatMul, MatPow, Transpose)):
        return [(c, _reversed(fs)) for c, fs in _products(matrix.arg)]
    if isinstance(matrix, Transpose) and matrix.shape[0] == matrix.shape[1]:
        return [(sp.S.One, [matrix.arg])]  # letters are symmetric
    if isinstance(matrix, sp.Identity):
        return [(sp.S.One, [])] if matrix.shape != (1, 1) else [(sp.S.One, [matrix])]
    return [(sp.S.One, [matrix])]


def _product(factors: list[MatrixExpr], like: MatrixExpr) -> MatrixExpr:
    return MatMul(*factors) if factors else sp.Identity(like.shape[0])


def _reversed(factors: list[MatrixExpr]) -> list[MatrixExpr]:
    """Return the factors of the transpose: letters are symmetric, W and vectors are not."""
    return [f if f.shape[0] == f.shape[1] else f.T for f in reversed(factors)]
