"""SymPy's traces and matrix sums in a normal form: SymPy itself does not see that Tr(W S W^T) and Tr(W^T W S) are one.

Traces of products of W S W^T, in any order, power or transposition that a user may write, become one symbol for each closed
word; sums of matrices become coefficients of their parts.
"""

from __future__ import annotations

import sympy as sp
from sympy.matrices.expressions import MatAdd, MatMul, MatPow, MatrixExpr
from sympy.matrices.expressions.transpose import Transpose

from symscape.algebra.words import IDENTITY, closed_word
from symscape.typesetting.symbols import W


def with_word_symbols(expr: sp.Expr) -> sp.Expr:
    """Return a scalar with every trace of a product of moments W S W^T as the symbol of its closed word.

    Traces of anything else, such as Hadamard products, stay as they are.

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
    """
    found: dict[MatrixExpr, sp.Expr] = {}
    for coefficient, factors in _products(expr):
        base = MatMul(*factors).doit() if len(factors) > 1 else factors[0]
        found[base] = found.get(base, sp.S.Zero) + coefficient
    return {base: c for base, coefficient in found.items() if (c := sp.simplify(coefficient)) != 0}


def _trace(matrix: MatrixExpr) -> sp.Expr:
    total = sp.S.Zero
    for coefficient, factors in _products(matrix):
        word = _word(factors)
        total += coefficient * (sp.Symbol(f"Tr {' '.join(word)}") if word else sp.Trace(MatMul(*factors)))
    return total


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
    if isinstance(matrix, MatPow) and matrix.exp.is_Integer and matrix.exp.is_positive:
        return _products(MatMul(*[matrix.base] * int(matrix.exp), evaluate=False))
    if isinstance(matrix, Transpose) and isinstance(matrix.arg, (MatAdd, MatMul, MatPow, Transpose)):
        return [(c, [_transposed(f) for f in reversed(fs)]) for c, fs in _products(matrix.arg)]
    if isinstance(matrix, Transpose) and matrix.arg != W:
        return [(sp.S.One, [matrix.arg])]  # letters are symmetric
    if isinstance(matrix, sp.Identity):
        return [(sp.S.One, [])] if matrix.shape != (1, 1) else [(sp.S.One, [matrix])]
    return [(sp.S.One, [matrix])]


def _transposed(factor: MatrixExpr) -> MatrixExpr:
    if factor == W:
        return W.T
    return W if factor == W.T else factor
