"""The effective landscape of a loss around W = 0: an exact polynomial in trace words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import sympy as sp

from symscape.algebra.polynomial import Polynomial
from symscape.algebra.scalars import Scalars
from symscape.algebra.words import IDENTITY, Monomial, degree, names_of
from symscape.errors import InputError
from symscape.landscape import plan as steps
from symscape.landscape.centring import in_second_moments
from symscape.landscape.derivation import Derivation, DerivationStep
from symscape.landscape.expansion import Expansion, check_order
from symscape.landscape.hessian import OriginHessian
from symscape.losses.loss import Loss
from symscape.probability.data_models import CumulantViews, DataModel, GaussianViews
from symscape.probability.views import CROSS_MOMENT, SECOND_MOMENT
from symscape.typesetting.latex import LatexWriter, visible_width
from symscape.typesetting.symbols import Meaning, is_mean
from symscape.typesetting.sympy_form import sympy_form
from symscape.typesetting.text import polynomial_text, superscript

if TYPE_CHECKING:
    from symscape.programs.landscape_function import LandscapeFunction


class Assumption(NamedTuple):
    """One row of the ledger: what is assumed, and the degrees in W of the terms that need it."""

    statement: str
    degrees: tuple[int, ...]

    def __str__(self) -> str:
        return f"degree {', '.join(map(str, self.degrees))}: {self.statement}" if self.degrees else self.statement


class Landscape:
    """The series of a loss around W = 0, up to ``order`` in W; made by `landscape`.

    Immutable. ``polynomial`` is its normal form: monomials of words with exact coefficients. Two landscapes are equal
    when their normal forms are, and they reach the same order (or both are exact).
    """

    loss: Loss
    data: DataModel
    bias: bool
    polynomial: Polynomial
    is_exact: bool
    _plan: steps.Plan
    _degrees_assumed: frozenset[int]
    _part_of: tuple[Landscape, int] | None

    def __init__(
        self,
        loss: Loss,
        data: DataModel,
        bias: bool,
        polynomial: Polynomial,
        plan: steps.Plan,
        degrees: frozenset[int],
        exact: bool,
        part_of: tuple[Landscape, int] | None = None,
    ):
        values: dict[str, Any] = {"loss": loss, "data": data, "bias": bias, "polynomial": polynomial, "is_exact": exact}
        values |= {"_plan": plan, "_degrees_assumed": degrees, "_part_of": part_of}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a landscape does not change: {name} cannot be set; derive another with landscape(...)")

    def __reduce__(self) -> tuple[Any, ...]:
        if self._part_of is None:
            return landscape, (self.loss, self.order, self.data, self.bias)
        return Landscape.part, self._part_of

    @property
    def order(self) -> int:
        """The highest degree in W that was kept."""
        return self.polynomial.order

    @property
    def has_branches(self) -> bool:
        """Whether a Max, Min or absolute value was expanded in the branch that is active at W = 0."""
        return any(isinstance(step, steps.Branch) for step in self._plan.root.walk())

    @property
    def _scalars(self) -> Scalars:
        return self.polynomial.domain

    # The polynomial

    @cached_property
    def terms(self) -> tuple[tuple[Monomial, sp.Expr], ...]:
        """The terms of the normal form, as (monomial, coefficient), by ascending degree.

        Letters are covariances about the mean of a component of the data model.
        """
        pairs = ((m, self._scalars.expression(c)) for m, c in self.polynomial.terms())
        return tuple((m, c) for m, c in pairs if c != 0)

    @cached_property
    def display(self) -> tuple[tuple[tuple[Monomial, sp.Expr], ...], Meaning]:
        """The terms that are printed and compiled, with their meaning: in second moments where that is shorter."""
        moments = self._in_second_moments
        if moments is not None and len(moments) <= len(self.terms):
            return moments, Meaning(False, True, False)
        return self.terms, self._meaning

    @property
    def _meaning(self) -> Meaning:
        """What the words of ``terms`` stand for."""
        centred = self.data.has_mean and self.data.components(self.bias)[0].mean == "mean"
        return Meaning(centred, self.data.has_mean, self.bias)

    @cached_property
    def _in_second_moments(self) -> tuple[tuple[Monomial, sp.Expr], ...] | None:
        """The terms in second moments and the mean, where letters are covariances; None where that form does not serve."""
        converted = in_second_moments(self.polynomial) if self._meaning.centred and not self.bias else None
        if converted is None:
            return None
        pairs = ((m, self._scalars.expression(c)) for m, c in converted.terms())
        return tuple((m, c) for m, c in pairs if c != 0)

    @property
    def _canonical(self) -> tuple[dict[Monomial, sp.Expr], Meaning | None]:
        """The terms in one form, and what their words mean; None when no word depends on whether there is a mean."""
        terms, meaning = self._in_second_moments, Meaning(False, True, False)
        if terms is None:
            terms, meaning = self.terms, self._meaning
        ends_and_letters = [name for m, _ in terms for g in m for name in names_of(g)]
        depends = any(map(is_mean, ends_and_letters)) or (
            meaning.centred and any(n != IDENTITY for n in ends_and_letters)
        )
        return dict(terms), meaning if depends else None

    @cached_property
    def expr(self) -> sp.Expr:
        """The landscape as a SymPy scalar: traces of words in the MatrixSymbols W, A_0, Sigma, constant included."""
        return sympy_form(*self.display)

    def part(self, degree: int) -> Landscape:
        """Return the homogeneous part of one degree in W, again a landscape, exact as such.

        Raises InputError beyond the order.
        """
        if isinstance(degree, bool) or not isinstance(degree, int):
            raise InputError(f"part({degree!r}): the degree is an integer, such as 4")
        if degree < 0 or degree > self.order:
            raise InputError(f"part({degree}): the landscape has order {self.order}")
        # Homogeneous, so nothing was cut off from it: a part is exact as it stands.
        part = self.polynomial.part(degree)
        return Landscape(self.loss, self.data, self.bias, part, self._plan, self._degrees_assumed, True, (self, degree))

    @staticmethod
    def degree_of(monomial: Monomial) -> int:
        """Return the degree in W of a monomial of ``terms``."""
        return sum(map(degree, monomial))

    @property
    def parts(self) -> Iterator[Landscape]:
        """The non-zero homogeneous parts, by ascending degree."""
        return (self.part(d) for d in sorted(self.polynomial.parts))

    @property
    def parameters(self) -> tuple[sp.Symbol, ...]:
        """The symbols in the coefficients, sorted by name."""
        return tuple(sorted({s for _, c in self.terms for s in c.free_symbols}, key=str))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Landscape):
            return NotImplemented
        if self.order != other.order and not (self.is_exact and other.is_exact):
            return False
        (mine, meaning), (others, other_meaning) = self._canonical, other._canonical
        if meaning != other_meaning:
            return False
        ring = Scalars([*mine.values(), *others.values()])
        gaps = (
            ring.convert(mine.get(m, sp.S.Zero)) - ring.convert(others.get(m, sp.S.Zero)) for m in {**mine, **others}
        )
        return all(ring.is_zero(gap) for gap in gaps)

    def __hash__(self) -> int:
        return hash(frozenset(self._canonical[0]))

    # What it says

    @property
    def hessian(self) -> OriginHessian:
        """The quadratic part as -Tr(W B W^T); with a bias, of (W, b) at b = 0."""
        terms, meaning = self.display
        found: dict[str | tuple[str, str], sp.Expr] = {}
        for monomial, coefficient in terms:
            if self.degree_of(monomial) == 2:
                if len(monomial) > 1 or monomial[0][0] not in ("tr", "form"):
                    raise InputError(
                        f"the quadratic part of {self.loss.name}, {self.part(2)}, is not of the form -Tr(W B W^T): "
                        "it couples the outputs; read it from part(2)"
                    )
                (generator,) = monomial
                key = generator[1][0] if generator[0] == "tr" else (generator[1], generator[3])
                found[key] = -coefficient
        return OriginHessian(found, meaning)

    @cached_property
    def assumptions(self) -> tuple[Assumption, ...]:
        """The ledger: what the landscape assumes, and which of its terms need it."""
        found = [Assumption(regime, ()) for regime in self._plan.regimes]
        present = {d for d in self.polynomial.parts if d}
        lowest, dropped = self._needs_distribution
        assumed = present if self._part_of is not None else present | self._degrees_assumed
        resting = {d for d in assumed if lowest is not None and lowest <= d <= self.order}
        free = present - resting
        if free:
            moments = self.data.moments_needed(self.bias)
            found.append(Assumption(f"{moments}; any distribution", tuple(sorted(free))))
        if resting:
            found.append(Assumption(self.data.assumption, tuple(sorted(resting))))
        if dropped:
            text = polynomial_text(dropped, self.display[1])
            found.append(Assumption(f"Gaussianity drops the cumulant terms {text}", (4,)))
        return tuple(found)

    @cached_property
    def _needs_distribution(self) -> tuple[int | None, list[tuple[Monomial, sp.Expr]]]:
        """The lowest degree that rests on more than second moments, and the cumulants that a Gaussian drops there."""
        if self._part_of is not None:
            lowest, dropped = self._part_of[0]._needs_distribution
            degrees = [d for d in self.polynomial.parts if lowest is not None and d >= lowest]
            return min(degrees, default=None), dropped if 4 in degrees else []
        lowest = min(self._degrees_assumed, default=None)
        if lowest == 4 and isinstance(self.data, GaussianViews):
            dropped = dropped_cumulants(self)
            if dropped:
                return 4, dropped
            # Nothing is left of it at degree 4; what it multiplies at higher degrees may still rest on it.
            return (6 if self.order >= 6 else None), []
        return lowest, []

    @property
    def distribution_free_order(self) -> int | float:
        """The order up to which the landscape needs second moments only; infinite when it is exact and needs no more."""
        lowest, _ = self._needs_distribution
        if lowest is not None and lowest <= self.order:
            return lowest - 2
        # Expectations of quadratic forms alone need second moments at every order, whatever functions stand around them.
        averages = [step for step in self._plan.root.walk() if isinstance(step, steps.Average)]
        quadratic = all(polynomial_degree(step.children[0]) == 2 for step in averages)
        return float("inf") if self.is_exact or quadratic else self.order

    @cached_property
    def steps(self) -> Derivation:
        """The derivation as numbered steps."""
        return _derivation(self)

    # Out of here

    def latex(self, notation: str = "W") -> str:
        """Return the landscape in LaTeX; ``notation="PM"`` writes P = W Sigma W^T and M = W A_0 W^T."""
        terms, meaning = self.display
        text = LatexWriter(meaning, notation).polynomial(terms)
        return text if self.is_exact else text + rf" + O(W^{{{self.order + 2}}})"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def numpy(self) -> LandscapeFunction:
        """Return the landscape as a function of W: ``f(W, A0=..., Sigma=..., **parameters)``, with gradients."""
        from symscape.programs.arguments import argument_name
        from symscape.programs.landscape_function import LandscapeFunction

        terms, meaning = self.display
        accepted = {argument_name(name) for name in self.loss.parameters} | (
            {"kappa"} if self.data.cumulants else set()
        )
        for component in self.data.components(self.bias):
            accepted |= {argument_name(component.letter(moment)) for moment in (SECOND_MOMENT, CROSS_MOMENT)}
            accepted |= {argument_name(component.letter(view.moment)) for view in self.loss.views}
            accepted |= {argument_name(component.letter(view.cross)) for view in self.loss.views}
            accepted |= {str(symbol) for symbol in component.weight.free_symbols}
            accepted |= {component.mean} if component.mean else set()
        return LandscapeFunction(f"landscape of {self.loss.name}", terms, meaning, accepted)

    def __str__(self) -> str:
        text = polynomial_text(*self.display)
        return text if self.is_exact else f"{text} + O(W{superscript(self.order + 2)})"

    __repr__ = __str__


def landscape(loss: Loss, order: int = 4, data: DataModel | None = None, bias: bool = False) -> Landscape:
    """Return the effective landscape of a loss around W = 0, exact to ``order`` in W (any positive even number).

    ``data`` is GaussianViews() unless given; ``bias=True`` adds b to f = W phi. Raises OrderError for an odd, zero or
    negative order, ScaleInvariantError and NotAnalyticError when the loss has no series at W = 0.

    >>> from symscape.losses.infonce import InfoNCE
    >>> landscape(InfoNCE(tau=1), order=4)
    -Tr M + 3/4 Tr P² + O(W⁶)
    """
    if not isinstance(loss, Loss):
        hint = "wrap an expression in Loss(...)"
        hint += f", or use parse_loss({loss!r}) or preset({loss!r})" if isinstance(loss, str) else ""
        raise InputError(f"landscape({loss!r}): the first argument is a Loss; {hint}")
    data = GaussianViews() if data is None else data
    if not isinstance(bias, bool):
        raise InputError(f"landscape(..., bias={bias!r}): bias is True or False; its numbers come with numpy()")
    if not isinstance(data, DataModel):
        raise InputError(f"landscape(..., data={data!r}): data is GaussianViews(), MixtureViews(k) or CumulantViews()")
    call = f"landscape({loss.name}, order={order})"
    taken = {str(s) for c in data.components(bias) for s in c.weight.free_symbols} | ({"b"} if bias else set())
    clash = sorted(taken & set(loss.parameters))
    if clash:
        raise InputError(
            f"{call}: the parameter {clash[0]} has the name of a weight or of the bias; choose another name"
        )
    plan = steps.plan(loss.expr, check_order(order, data, call), call)
    expansion = Expansion(plan, data, bias)
    polynomial = expansion.result()
    degree = polynomial_degree(plan.root)
    exact = degree is not None and degree <= plan.order
    return Landscape(loss, data, bias, polynomial, plan, frozenset(expansion.degrees_assumed), exact)


def polynomial_degree(step: steps.Step) -> int | None:
    """Return the degree in W of a step that is a polynomial, None for any other."""
    if isinstance(step, steps.Constant):
        return 0
    if isinstance(step, (steps.InnerProduct, steps.MomentEntry, steps.SquaredNorm)):
        return 2
    degrees = [polynomial_degree(child) for child in step.children]
    known = [d for d in degrees if d is not None]
    if len(known) < len(degrees):
        return None
    if isinstance(step, steps.Product):
        return sum(known)
    if isinstance(step, steps.IntegerPower):
        return known[0] * int(step.source.exp)
    if isinstance(step, (steps.Sum, steps.Average, steps.CopiesSum, steps.CoordinateSum)):
        return max(known)
    return 0 if max(known) == 0 else None


def dropped_cumulants(land: Landscape) -> list[tuple[Monomial, sp.Expr]]:
    """Return the terms of degree 4 in joint cumulants that a Gaussian landscape leaves out."""
    general = landscape(land.loss, order=4, data=CumulantViews(mean=land.data.has_mean), bias=land.bias)
    return [(m, c) for m, c in general.terms if any(g[0].startswith("cumulant") for g in m)]


def _loss_lines(loss: Loss) -> list[str]:
    """Return the terms of a loss in LaTeX, a line each where the whole is long."""
    if visible_width(loss.latex()) <= 60:
        return [loss.latex()]
    lines = [sp.latex(term) for term in loss.expr.as_ordered_terms()]
    return lines[:1] + [line if line.startswith("-") else f"+ {line}" for line in lines[1:]]


def _derivation(land: Landscape) -> Derivation:
    """Expand once more, at order 4 at most, writing down what each expectation and logarithm gives."""
    order = min(land.order, 4)
    call = f"landscape({land.loss.name}, order={order})"
    plan = steps.plan(land.loss.expr, order, call)
    made: list[DerivationStep] = []
    meaning = land._meaning
    writer = LatexWriter(meaning, "PM")

    def add(rule: str, left: str, lines: list[str], text: str) -> None:
        made.append(DerivationStep(len(made) + 1, rule, left, tuple(lines), text))

    add("The loss", r"\mathcal{L}", _loss_lines(land.loss), f"L = {land.loss.expr}")
    seen: set[sp.Expr] = set()

    def record(step: steps.Step, polynomial: Polynomial, rule: str) -> None:
        if step.source in seen:
            return
        seen.add(step.source)
        terms = [(m, c) for m, e in polynomial.terms() if (c := polynomial.domain.expression(e)) != 0]
        lines, text = writer.lines(terms), polynomial_text(terms, meaning)
        if polynomial_degree(step) is None:
            lines[-1] += rf" + O(W^{{{order + 2}}})"
            text += f" + O(W{superscript(order + 2)})"
        add(rule, sp.latex(step.source), lines, f"{step.source} = {text}")

    Expansion(plan, land.data, land.bias, record).result()
    terms, shown_meaning = land.display
    lines = LatexWriter(shown_meaning, "PM").lines(terms)
    if not land.is_exact:
        lines[-1] += rf" + O(W^{{{land.order + 2}}})"
    rule = "Sum: the landscape" + (f", to order {land.order}" if land.order > order else "")
    if meaning.centred and not shown_meaning.centred:
        rule += ", in second moments, of which a tilde takes off the mean"
    add(rule, r"\mathcal{L}", lines, f"L = {land}")
    return Derivation(tuple(made))
