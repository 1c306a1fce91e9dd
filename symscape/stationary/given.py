"""The numbers that turn a symbolic landscape into one with points: moments, outputs, parameters; checked where they enter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symscape.algebra.atoms import exact
from symscape.algebra.words import IDENTITY
from symscape.errors import InputError, MomentsError, UnknownNameError
from symscape.losses.language import d_1
from symscape.probability.moments import Moments, symmetric_matrix
from symscape.programs.arguments import argument_name
from symscape.stationary.word_form import MEAN, Features, WordForm

Array = NDArray[np.floating[Any]]


def checked_outputs(call: str, d1: Any) -> int:
    """Return the number of outputs; raise InputError unless it is a positive integer."""
    if isinstance(d1, bool) or not hasattr(d1, "__index__") or int(d1.__index__()) < 1:
        raise InputError(f"{call}: d1={d1!r} is the number of outputs, the rows of W: a positive integer")
    return int(d1.__index__())


def parameter_values(
    call: str, parameters: tuple[sp.Symbol, ...], given: Mapping[str, Any], params: Mapping[Any, Any] | None
) -> dict[sp.Symbol, sp.Expr]:
    """Return exact values for parameters, by keyword or in ``params``; what is missing is left out.

    Raises UnknownNameError for a name that is no parameter, InputError for a value that is no finite real number.
    """
    known = {argument_name(str(s)): s for s in parameters}
    values: dict[sp.Symbol, sp.Expr] = {}
    if params is not None and not isinstance(params, Mapping):
        raise InputError(f"{call}: params={params!r} is not a mapping of symbols to numbers, such as {{tau: 0.5}}")
    by_name = {str(key): value for key, value in (params or {}).items()}
    for s in parameters:
        for name in (str(s), argument_name(str(s))):
            if name in by_name:
                values[s] = by_name[name]
    for name, value in given.items():
        if name not in known:
            has = ", ".join(known) or "none"
            raise UnknownNameError(f"{call}: there is no parameter {name!r}; this landscape has: {has}")
        if known[name] in values and values[known[name]] != value:
            raise InputError(f"{call}: {name} is given twice, as {value!r} and in params as {values[known[name]]!r}")
        values[known[name]] = value
    for s, value in values.items():
        try:
            number = exact(value)
        except InputError as error:
            raise InputError(f"{call}: {argument_name(str(s))}={value!r} is not a finite real number") from error
        if not number.is_number or number.is_extended_real is False or number.is_finite is not True:
            hint = "; for n = oo derive the landscape with n=sympy.oo" if str(s) == "n" else ""
            raise InputError(f"{call}: {argument_name(str(s))}={value!r} is not a finite real number{hint}")
        if s.is_nonnegative and number.is_negative:
            raise InputError(
                f"{call}: {argument_name(str(s))}={value!r} is negative; this symbol stands for a positive number"
            )
        values[s] = number
    return values


@dataclass(frozen=True)
class Given:
    """Moments as matrices by letter, in the features that the columns of W stand for, the outputs and the parameters."""

    matrices: Mapping[str, Array]
    d0: int
    d1: int
    mean: Array | None
    features: Features
    values: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    #: Whether there is a bias that nothing depends on.
    free_bias: bool = False

    @property
    def columns(self) -> int:
        """How many columns W has in these features."""
        return self.d0 + (self.features is not Features.PLAIN)

    def combination(self, coefficients: Mapping[str, Any]) -> Array:
        """Return the sum of coefficient times matrix."""
        return sum(self.terms(coefficients), start=np.zeros((self.columns, self.columns)))

    def terms(self, coefficients: Mapping[str, Any]) -> list[Array]:
        """Return every coefficient times its matrix."""
        return [float(coefficient) * self.matrices[letter] for letter, coefficient in coefficients.items()]

    def weights(self, columns: Array) -> tuple[Array, Array | None]:
        """Return (W, bias) for weights in these features."""
        if self.features is Features.PLAIN:
            return columns, np.zeros(columns.shape[:-1]) if self.free_bias else None
        W, last = columns[..., :-1], columns[..., -1]
        if self.features is Features.WITH_MEAN and self.mean is not None:
            last = last - W @ self.mean
        return W, last


def given_moments(
    call: str, form: WordForm, A0: Any, Sigma: Any, d1: Any, mean: Any = None, more: Mapping[str, Any] | None = None
) -> Given:
    """Return the checked matrices that a word form needs; ``more`` holds the letters of views with moments of their own.

    Raises MomentsError for moments that no pair of views has, UnknownNameError for a letter that is missing.
    """
    try:
        moments = Moments(A0, Sigma, mean)
    except MomentsError as error:
        raise MomentsError(f"{call}: {error}") from error
    more = dict(more or {})
    d0, outputs = len(moments["Sigma"]), checked_outputs(call, d1)
    centre = np.zeros(d0) if mean is None else moments["mean"]
    own = {"A_0": moments["A0"], "Sigma": moments["Sigma"], IDENTITY: np.eye(d0)}
    for letter in form.letters:
        if letter in own or letter == MEAN:
            continue
        if letter.endswith("ᵀ"):
            vector = letter.split()[0]
            values = np.asarray(_wanted(call, vector, more), dtype=float).ravel()
            if values.shape != (d0,):
                raise MomentsError(f"{call}: {vector} has {len(values)} entries; with this Sigma it has {d0}")
            own[letter] = np.outer(values, values)
        else:
            own[letter] = symmetric_matrix(letter, _wanted(call, argument_name(letter), more))
            if len(own[letter]) != d0:
                raise MomentsError(f"{call}: {letter} has shape {own[letter].shape}; with this Sigma it is {(d0, d0)}")
    if form.centred and mean is None:
        raise UnknownNameError(f"{call}: the argument mean is missing; this landscape is about the mean")
    outer = np.outer(centre, centre)
    if form.centred:
        own = {s: m if s == IDENTITY else m - outer for s, m in own.items()}
    own[MEAN] = outer
    if form.features is not Features.PLAIN:
        own = {s: _with_one(s, m, centre, form.features) for s, m in own.items()}
    return Given(own, d0, outputs, None if mean is None else centre, form.features)


def _wanted(call: str, name: str, more: Mapping[str, Any]) -> Any:
    if name not in more:
        raise UnknownNameError(f"{call}: the argument {name} is missing")
    return more[name]


def _with_one(letter: str, matrix: Array, mean: Array, features: Features) -> Array:
    """Return the matrix of a letter in features with one more column."""
    size = len(matrix)
    result = np.zeros((size + 1, size + 1))
    if letter == MEAN:
        # W' = (W, W m + b): the mean of the representation is the last column.
        result[size, size] = 1.0
        return result
    result[:size, :size] = matrix
    if features is Features.WITH_ONE and letter != IDENTITY:
        result[:size, size] = result[size, :size] = mean
        result[size, size] = 1.0
    return result


def numeric_outputs(form: WordForm, d1: int) -> WordForm:
    """Return the form with the symbol d_1 replaced by the number of outputs."""
    return form.subs({d_1: sp.Integer(d1)})
