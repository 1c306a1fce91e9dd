"""Losses as values: an expression of the language with a name, closed under sums and multiples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from symscape.algebra.atoms import exact
from symscape.errors import InputError, UnboundViewError
from symscape.losses.batch import BatchForm, BatchSum, Decay, Expression
from symscape.losses.language import Node, free_outputs, free_views, weight_norm
from symscape.losses.unexpressed import Unexpressed
from symscape.probability.views import View

#: Names that a compiled landscape takes as arguments, which no parameter may have.
RESERVED = frozenset({"W", "A_0", "A0", "Sigma", "mean", "kappa", "params"})


class Loss:
    """A loss: ``Loss(expr, name=...)`` of any expression of the language. Losses add, and multiply by scalars.

    ``expr`` is its SymPy expression; ``parameters`` are the free symbols by name; ``batch`` says how it is computed on a batch
    of two views, where code differs from the expression read as means over the rows. Raises UnboundViewError when a view is
    never integrated, InputError when the expression is no SymPy expression.

    >>> from symscape.losses.language import E, sqdist
    >>> from symscape.probability.views import anchor, positive
    >>> alignment = Loss(E(sqdist(anchor, positive)), name="alignment")
    >>> 3 * alignment
    Loss(3*E_{x, x'}[|f(x) - f(x')|^2], name='3*alignment')
    """

    def __init__(self, expr: Any, name: str = "loss", batch: BatchSum | None = None):
        if isinstance(expr, Loss):
            raise InputError(f"Loss({expr.name}): this is a loss already; add losses with +")
        expr = exact(expr)
        if not isinstance(expr, sp.Expr) or isinstance(expr, sp.MatrixExpr):
            raise InputError(f"Loss({expr!r}): not a scalar SymPy expression; build it from dot, sqdist and E")
        unbound = sorted(view.name for view in free_views(expr))
        if unbound:
            raise UnboundViewError(
                f"Loss({expr}): the view {unbound[0]} is never integrated; wrap the expression in E(...)"
            )
        unsummed = free_outputs(expr)
        if unsummed:
            raise InputError(
                f"Loss({expr}): the output index {min(unsummed)} is not summed; wrap it in output_sum(...)"
            )
        if expr.has(sp.oo, -sp.oo, sp.zoo, sp.nan, sp.I):
            raise InputError(f"Loss({expr}): the expression is not finite and real")
        taken = sorted({str(symbol) for symbol in expr.free_symbols} & RESERVED)
        if taken:
            raise InputError(
                f"Loss({expr}): the name {taken[0]} of a symbol is taken by a matrix or argument; choose another"
            )
        self._expr = expr
        self._unexpressed = tuple(sorted(expr.atoms(Unexpressed), key=str))
        self._name = str(name)
        self._batch = ((sp.S.One, Expression(expr)),) if batch is None else batch

    @property
    def expr(self) -> sp.Expr:
        """The loss as a SymPy expression. Raises InputError where only code can say the loss (W-MSE), and why."""
        for term in self._unexpressed:
            raise InputError(
                f"{self.name}: {term} has no expression in the language of losses, and so no landscape: {term.reason}. "
                "It has a value on a batch: sampled_loss(loss, z_a, z_b)"
            )
        return self._expr

    @property
    def name(self) -> str:
        """The name of the loss."""
        return self._name

    @property
    def batch(self) -> BatchSum:
        """How the loss is computed on a batch of two views: forms with coefficients; the expression itself if none is given."""
        return self._batch

    @property
    def parameters(self) -> dict[str, sp.Symbol]:
        """The symbols of the loss, by name."""
        symbols = self._expr.free_symbols.union(*(c.free_symbols | form.free_symbols for c, form in self._batch))
        return {str(symbol): symbol for symbol in sorted(symbols, key=str)}

    @property
    def views(self) -> frozenset[View]:
        """All views that occur."""
        return frozenset(self._expr.atoms(View))

    def with_values(self, values: Mapping[Any, Any]) -> Loss:
        """Return the loss with numbers for symbols, given by name or by symbol; names that it does not have are left.

        >>> from symscape.losses.language import E, sqnorm
        >>> from symscape.probability.views import anchor
        >>> Loss(sp.Symbol("c", positive=True) * E(sqnorm(anchor)), "size").with_values({"c": 2})
        Loss(2*E_{x}[|f(x)|^2], name='size')
        """
        given = {str(name): exact(value) for name, value in values.items()}
        chosen = {}
        for name, symbol in self.parameters.items():
            value = given.get(name, given.get(name + "_"))
            if value is not None:
                chosen[symbol] = value
        if not chosen:
            return self
        batch = tuple((c.xreplace(chosen), form.xreplace(chosen)) for c, form in self._batch)
        return Loss(self._expr.xreplace(chosen), self._name, batch)

    def __add__(self, other: Any) -> Loss:
        if not isinstance(other, Loss):
            raise InputError(f"{self.name} + {other!r}: add a Loss to a loss, for instance WeightDecay(gamma)")
        return Loss(self._expr + other._expr, f"{self.name} + {other.name}", self._batch + other._batch)

    def __radd__(self, other: Any) -> Loss:
        if isinstance(other, (int, sp.Integer)) and other == 0:
            return self  # sum(losses) starts at 0
        raise InputError(f"{other!r} + {self.name}: add a Loss to a loss, for instance WeightDecay(gamma)")

    def __mul__(self, factor: Any) -> Loss:
        if isinstance(factor, Loss):
            raise InputError(f"{self.name} * {factor.name}: losses add; they multiply by scalars only")
        factor = exact(factor)
        if factor.has(Node) or factor.has(sp.oo, -sp.oo, sp.zoo, sp.nan):
            raise InputError(f"{factor} * {self.name}: losses multiply by finite scalars only")
        name = f"({self.name})" if " + " in self.name else self.name
        return Loss(factor * self._expr, f"{factor}*{name}", tuple((factor * c, form) for c, form in self._batch))

    __rmul__ = __mul__

    def __neg__(self) -> Loss:
        return self * -1

    def __sub__(self, other: Loss) -> Loss:
        return self + (-other)

    def __truediv__(self, divisor: Any) -> Loss:
        return self * (1 / exact(divisor))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Loss) and self._expr == other._expr

    def __hash__(self) -> int:
        return hash(self._expr)

    def __repr__(self) -> str:
        return f"Loss({self._expr}, name={self._name!r})"

    def latex(self) -> str:
        """Return the loss in LaTeX."""
        return sp.latex(self._expr)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle \mathcal{{L}} = {self.latex()}$"


class CatalogueLoss(Loss):
    """Base of the catalogue: a loss with named settings; each subclass writes its expression and its `symbolic` form."""

    #: Name on the command line, and one line of description.
    command: str
    summary: str

    def __init__(self, expr: sp.Expr, batch: BatchForm, **settings: Any):
        super().__init__(expr, type(self).__name__, ((sp.S.One, batch),))
        self._settings = settings

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments the loss was made with."""
        return dict(self._settings)

    @classmethod
    def default(cls) -> CatalogueLoss:
        """Return the loss with its default parameters."""
        return cls()  # type: ignore[call-arg]  # every loss of the catalogue has defaults

    @classmethod
    def symbolic(cls) -> CatalogueLoss:
        """Return the loss with every parameter a symbol."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in self._settings.items())})"


def positive_parameter(call: str, name: str, value: Any, zero: bool = False) -> sp.Expr:
    """Return an exact parameter; raise InputError when it is known not to be positive (or zero, when allowed)."""
    value = exact(value)
    if value.has(Node):
        raise InputError(f"{call}({name}={value}): {name} is a number or a symbol, not an expression in views")
    if value.is_extended_real is False or value in (sp.nan, sp.oo, -sp.oo, sp.zoo):
        raise InputError(f"{call}({name}={value}): {name} is a finite real number or a symbol")
    bad = value.is_negative if zero else value.is_nonpositive
    if bad:
        raise InputError(f"{call}({name}={value}): {name} is {'not negative' if zero else 'positive'}")
    return value


class WeightDecay(Loss):
    """Weight decay gamma ||W||_F^2; a framework's coupled ``weight_decay=w`` is gamma = w / 2.

    >>> WeightDecay(sp.Symbol("gamma")).expr
    gamma*||W||^2
    """

    def __init__(self, gamma: Any):
        exact_gamma = positive_parameter("WeightDecay", "gamma", gamma, zero=True)
        super().__init__(exact_gamma * weight_norm(), f"WeightDecay({gamma})", ((sp.S.One, Decay(exact_gamma)),))


def gamma_from_weight_decay(w: Any) -> sp.Expr:
    """Return gamma for a framework's coupled ``weight_decay=w``, which adds (w / 2) ||W||^2.

    Decoupled decay (AdamW, LARS) is not the gradient of a loss: do not convert it.

    >>> gamma_from_weight_decay(0.01)
    1/200
    """
    return positive_parameter("gamma_from_weight_decay", "w", w, zero=True) / 2
