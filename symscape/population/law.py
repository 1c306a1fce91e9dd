"""The law of representations: for each class of data, covariances and means of f = W phi, as mpmath matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from symscape.errors import InputError, MomentsError, UnknownNameError
from symscape.probability.data_models import CumulantViews, DataModel
from symscape.probability.moments import Moments
from symscape.probability.views import CROSS_MOMENT, SECOND_MOMENT, View, covariance_letter

Matrix = Any


@dataclass(frozen=True)
class ClassLaw:
    """One class of data: its weight, covariances of the representation about its mean by letter, and that mean, d1."""

    weight: Any
    covariances: Mapping[str, Matrix]
    mean: Sequence[Any]

    def joint(self, views: Sequence[View]) -> Matrix:
        """Return the covariance of the stacked representations of some views, zero between different data."""
        d = len(self.mean)
        found = mpmath.zeros(len(views) * d)
        for a, u in enumerate(views):
            for b, v in enumerate(views):
                letter = covariance_letter(u, v)
                if letter is not None:
                    block = self.covariances[letter]
                    for i in range(d):
                        for j in range(d):
                            found[a * d + i, b * d + j] = block[i, j]
        return found


@dataclass(frozen=True)
class Law:
    """The classes, and d0 x d0 moments seen through W."""

    classes: tuple[ClassLaw, ...]
    weight_norm: Any

    @property
    def outputs(self) -> int:
        """The number d1 of outputs."""
        return len(self.classes[0].mean)

    def second_moment(self, letter: str, centred: bool) -> Matrix:
        """Return the d1 x d1 second moment of the representation over all classes, or its covariance."""
        d = self.outputs
        mean = [sum(c.weight * c.mean[i] for c in self.classes) for i in range(d)]
        found = mpmath.zeros(d)
        for i in range(d):
            for j in range(d):
                entries = (c.weight * (c.covariances[letter][i, j] + c.mean[i] * c.mean[j]) for c in self.classes)
                found[i, j] = sum(entries) - (mean[i] * mean[j] if centred else 0)
        return found


def make_law(
    call: str, W: Any, data: DataModel, views: Sequence[View], arguments: Mapping[str, Any], weights: Mapping[str, Any]
) -> Law:
    """Return the law of representations for moments by argument name: A0, Sigma, mean; A_1, Sigma_1, m_1, ... of classes.

    Raises MomentsError for moments that no views have, UnknownNameError for missing ones, InputError for a data model
    without a law.
    """
    if isinstance(data, CumulantViews):
        raise InputError(f"{call}: CumulantViews() names no distribution; use GaussianViews() or MixtureViews(k)")
    weight_matrix = _matrix(call, "W", W)
    letters = {SECOND_MOMENT, CROSS_MOMENT} | {v.moment for v in views} | {v.cross for v in views}
    classes, used = [], set()
    for component in data.components(False):
        names = {letter: "A0" if component.letter(letter) == "A_0" else component.letter(letter) for letter in letters}
        names_and_mean = [*names.values(), *([component.mean] if component.mean else [])]
        used.update(names_and_mean)
        missing = [name for name in names_and_mean if name not in arguments]
        if missing:
            raise UnknownNameError(f"{call}: the argument {missing[0]} is missing")
        given = {letter: np.asarray(arguments[name]) for letter, name in names.items()}
        mean = np.ravel(arguments[component.mean]) if component.mean else None
        _checked(call, component.mean, given, mean, weight_matrix.cols)
        numbers = {letter: _matrix(call, names[letter], value) for letter, value in given.items()}
        centre = mpmath.matrix([0] * weight_matrix.cols if mean is None else [number(v) for v in mean])
        if component.mean == "mean":  # second moments were given: take the mean off
            numbers = {letter: m - centre * centre.T for letter, m in numbers.items()}
        covariances = {letter: weight_matrix * m * weight_matrix.T for letter, m in numbers.items()}
        weight = number(component.weight.xreplace({s: weights[str(s)] for s in component.weight.free_symbols}))
        classes.append(ClassLaw(weight, covariances, list(weight_matrix * centre)))
    unknown = sorted(set(arguments) - used)
    if unknown:
        raise UnknownNameError(
            f"{call}: unknown argument {unknown[0]}; known: {', '.join(sorted(used))}, and parameters"
        )
    if any(c.weight < 0 for c in classes):
        raise InputError(f"{call}: a class has the weight {mpmath.nstr(min(c.weight for c in classes), 5)}")
    return Law(tuple(classes), sum(v**2 for v in weight_matrix))


def number(value: Any) -> Any:
    """Return a float, an mpmath or a SymPy number, at the working precision."""
    if isinstance(value, sp.Basic):
        return mpmath.mpmathify(sp.N(value, mpmath.mp.dps + 5)) * 1
    return mpmath.mpf(float(value)) if isinstance(value, (np.number, int)) else mpmath.mpf(value)


def square_root(covariance: Matrix) -> Matrix:
    """Return R with R R^T = covariance, n x rank."""
    values, vectors = mpmath.eigsy(covariance)
    least = mpmath.mpf(10) ** (-0.8 * mpmath.mp.dps) * max(map(abs, values))
    kept = [k for k in range(len(values)) if values[k] > least]
    root = mpmath.zeros(covariance.rows, len(kept))
    for column, k in enumerate(kept):
        for i in range(covariance.rows):
            root[i, column] = vectors[i, k] * mpmath.sqrt(values[k])
    return root


def _checked(call: str, mean_name: str | None, given: Mapping[str, Any], mean: Any, d0: int) -> None:
    floats = {letter: np.asarray(value, dtype=float) for letter, value in given.items()}
    mean = None if mean is None else np.asarray(mean, dtype=float)
    if mean_name not in (None, "mean") and mean is not None:  # covariances of a class: add its mean
        if mean.shape != (d0,):
            raise MomentsError(f"{call}: {mean_name} has shape {mean.shape}; with this W it is {(d0,)}")
        floats = {letter: value + np.outer(mean, mean) for letter, value in floats.items()}
    try:
        Moments(floats[CROSS_MOMENT], floats[SECOND_MOMENT], mean)
    except MomentsError as error:
        raise MomentsError(f"{call}: {error}") from error
    for letter, value in floats.items():
        if value.shape != (d0, d0):
            raise MomentsError(f"{call}: {letter} has shape {value.shape}; with this W it is {(d0, d0)}")


def _matrix(call: str, name: str, value: Any) -> Matrix:
    rows = np.asarray(value)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows.astype(float)).all():
        raise MomentsError(f"{call}: {name} has shape {rows.shape}; give a finite matrix")
    return mpmath.matrix([[number(v) for v in row] for row in rows])
