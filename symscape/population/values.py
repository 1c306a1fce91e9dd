"""Population values and Taylor coefficients of any loss of the language at d1 = 1 and 2, to many digits."""

from __future__ import annotations

from functools import partial
from typing import Any

import mpmath
import sympy as sp
from numpy.typing import ArrayLike

from symscape.errors import InputError, NotAnalyticError, OrderError
from symscape.losses.language import Total, d_1
from symscape.losses.loss import Loss
from symscape.population.evaluation import MOST_POINTS, Context, Evaluation, TooManyPoints
from symscape.population.law import Law, make_law
from symscape.population.quadrature import half_lines, trapezoid
from symscape.probability.data_models import DataModel, GaussianViews

#: Digits carried beyond those that are asked for.
GUARD = 15
#: How often the nodes are made denser before giving up.
LEVELS = 12


def population_value(
    loss: Loss, W: ArrayLike, *, digits: int = 30, data: DataModel | None = None, **arguments: Any
) -> Any:
    """Return the population value of a loss at W as an mpmath number of ``digits`` digits, by quadrature: no series.

    W is d1 x d0 with d1 = 1 or 2; the moments are ``A0=``, ``Sigma=`` (and ``mean=``, or ``A_1=``, ``Sigma_1=``, ``m_1=``, ...
    for MixtureViews), d0 x d0, and parameters come by name. Exponentials of quadratic forms are integrated in closed
    form, polynomials exactly, all else by trapezoidal rules made denser until two agree;
    at d1 = 1 and mean zero the cosine's jump at 0 is no obstacle. Raises InputError when they do
    not, quoting the digits reached: where too many views are integrated at once, or the integrand has kinks.

    >>> from symscape.losses.infonce import InfoNCE
    >>> print(mpmath.nstr(population_value(InfoNCE(), [[1.0]], A0=[[0.25]], Sigma=[[0.5]]), 20))
    -0.11939922072074885766
    """
    call = f"population_value({getattr(loss, 'name', loss)}, ...)"
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= 200:
        raise InputError(f"{call}: digits={digits!r}; give a number of digits from 1 to 200")
    with mpmath.workdps(digits + GUARD):
        expr, law = _prepared(call, loss, W, data, arguments)
        singular = _is_singular_at_zero(expr, law)
        rule = half_lines if singular else trapezoid
        values: list[Any] = []
        for level in range(LEVELS):
            # The first step is of use only if a second one, with about 1.5 times the nodes per dimension, is affordable.
            most = MOST_POINTS if level else MOST_POINTS // 5
            evaluation = Evaluation(law, 1, partial(rule, digits, level), singular, most)
            try:
                values.append(_finite(call, evaluation.value(expr, Context(), {}).origin))
            except TooManyPoints as error:
                raise InputError(f"{call}: {_reached(values, digits)}, and the next step takes {error}") from None
            if not evaluation.approximate or (len(values) > 1 and _gap(values) <= mpmath.mpf(10) ** -digits):
                break
        else:
            raise InputError(f"{call}: {_reached(values, digits)}; is the integrand smooth, the expectation finite?")
    with mpmath.workdps(digits):
        return +values[-1]


def population_series(
    loss: Loss,
    W: ArrayLike,
    *,
    order: int = 8,
    digits: int = 15,
    data: DataModel | None = None,
    **arguments: Any,
) -> tuple[Any, ...]:
    """Return the Taylor coefficients of t^0, t^2, ..., t^order in L(tW) as mpmath numbers of at least ``digits`` digits.

    Arguments are those of `population_value`. At fixed representations the coefficient of t^2k is a polynomial in them, so
    Gauss-Hermite quadrature with enough nodes is exact. Raises NotAnalyticError for a loss without a series at W = 0, such
    as a scale-invariant one; it has a `population_value`.

    >>> from symscape.losses.infonce import InfoNCE
    >>> [mpmath.nstr(c, 5) for c in population_series(InfoNCE(), [[1.0]], order=4, A0=[[0.25]], Sigma=[[0.5]])]
    ['0.0', '-0.25', '0.1875']
    """
    call = f"population_series({getattr(loss, 'name', loss)}, order={order})"
    if isinstance(order, bool) or not isinstance(order, int) or order < 0 or order % 2:
        raise OrderError(f"{call}: the order is an even integer, such as 8")
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= 200:
        raise InputError(f"{call}: digits={digits!r}; give a number of digits from 1 to 200")
    with mpmath.workdps(digits + GUARD):
        expr, law = _prepared(call, loss, W, data, arguments)
        length = max(order // 2 + 1, 2)
        try:
            found = Evaluation(law, length).value(expr, Context(), {})
        except NotAnalyticError as error:
            raise NotAnalyticError(
                f"{call}: no series at W = 0: {error}. A scale-invariant loss has none; smooth its normalisation "
                "(epsilon=...), or use population_value"
            ) from error
        except TooManyPoints as error:
            raise InputError(f"{call}: takes {error}; lower the order, d1, or the number of negatives") from None
        coefficients = [mpmath.mpf(0) if c is None else _finite(call, c) for c in found.c[: order // 2 + 1]]
    with mpmath.workdps(max(digits, 15)):
        return tuple(+c for c in coefficients)


def _prepared(
    call: str, loss: Loss, W: ArrayLike, data: DataModel | None, arguments: dict[str, Any]
) -> tuple[sp.Expr, Law]:
    """Return the expression with numbers for all symbols, and the law of the representations."""
    if not isinstance(loss, Loss):
        raise InputError(f"{call}: the first argument is a Loss; wrap an expression in Loss(...)")
    data = GaussianViews() if data is None else data
    if not isinstance(data, DataModel):
        raise InputError(f"{call}: data={data!r}; give GaussianViews() or MixtureViews(k)")
    params = {str(k): v for k, v in dict(arguments.pop("params", None) or {}).items()}
    symbols = {str(s) for component in data.components(False) for s in component.weight.free_symbols}
    names = set(loss.parameters) | {f"{name}_" for name in loss.parameters} | symbols
    given = {**params, **{k: arguments.pop(k) for k in list(arguments) if k in names}}
    missing = sorted((set(loss.with_values(given).expr.free_symbols) - {d_1}) | (symbols - set(given)), key=str)
    if missing:
        raise InputError(f"{call}: the symbol {missing[0]} has no value; pass {missing[0]}=...")
    law = make_law(call, W, data, sorted(loss.views, key=str), arguments, {s: sp.sympify(given[s]) for s in symbols})
    if law.outputs > 2:
        raise InputError(f"{call}: W has {law.outputs} rows; quadrature reaches d1 = 1 and 2")
    expr = loss.with_values(given).expr
    single = {node: node.args[0] for node in expr.atoms(Total) if node.args[2] == 1}
    return expr.xreplace(single), law


def _is_singular_at_zero(expr: sp.Expr, law: Law) -> bool:
    """Whether the integrands may be singular at f = 0, as a loss of cosines is, and rules exist for that."""
    if law.outputs > 1 or len(law.classes) > 1 or any(law.classes[0].mean):
        return False
    try:
        Evaluation(law, 2).value(expr, Context(), {})
    except (NotAnalyticError, TooManyPoints):
        return True
    return False


def _finite(call: str, value: Any) -> Any:
    if isinstance(value, mpmath.mpc) or not mpmath.isfinite(value):
        raise InputError(f"{call}: the value {mpmath.nstr(value, 5)} is not a finite real number")
    return value


def _gap(values: list[Any]) -> Any:
    """The difference of the last two values, relative where they are not tiny."""
    last, before = values[-1], values[-2]
    return abs(last - before) / (abs(last) if abs(last) > mpmath.mpf(10) ** -10 else 1)


def _reached(values: list[Any], digits: int) -> str:
    if len(values) < 2:
        return f"{digits} digits are out of reach"
    got = 0 if _gap(values) >= 1 else int(-mpmath.log10(_gap(values))) if _gap(values) else digits
    return f"{got} of {digits} digits were reached"
