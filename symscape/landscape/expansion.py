"""Walk a plan: the series of every step in words, expectations integrated where they stand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from itertools import product as product_of_choices
from typing import Any

import sympy as sp

from symscape.algebra import series
from symscape.algebra.graphs import monomial_of_index_sum
from symscape.algebra.polynomial import Polynomial, Terms, add_term
from symscape.algebra.scalars import Scalars
from symscape.algebra.words import IDENTITY, closed_word, coordinate, copies, degree, ends, entry, open_word, product
from symscape.errors import ConditionalExpectationError, InputError, OrderError, UnboundViewError
from symscape.landscape import plan as steps
from symscape.probability.contraction import GaussianLaw
from symscape.probability.data_models import DataModel
from symscape.probability.expectation import CopiesIntegrator, Integrator, set_partitions
from symscape.probability.exponential import log_expectation_of_exponential
from symscape.probability.views import CROSS_MOMENT, SECOND_MOMENT, View

#: Called after each step that does something: (step, its series, the rule that was used).
Recorder = Callable[[steps.Step, Polynomial, str], None]

WHOLE_INTEGRAL = "Gaussian integral done whole: log E exp of a quadratic form is a log-determinant"


class Expansion:
    """The series of a plan over a data model, to the order of the plan."""

    def __init__(self, plan: steps.Plan, data: DataModel, bias: bool, record: Recorder | None = None):
        self.plan, self.data, self.bias = plan, data, bias
        self.record = record or (lambda step, polynomial, rule: None)
        components = data.components(bias)
        self.scalars = Scalars([*plan.scalars(), *(c.weight for c in components)])
        self.zero = Polynomial(self.scalars, plan.order, {})
        self.components = [(self.scalars.convert(c.weight), c) for c in components]
        self.degrees_assumed: set[int] = set()
        self._known: dict[steps.Step, Polynomial] = {}
        # For every view that is summed over: its generators, with the number of copies and the summand of each.
        self._copies: dict[View, dict[tuple, tuple[Any, Polynomial]]] = {}
        self._numbers = count()
        views = plan.root.source.atoms(View)
        for view in views:
            if any(other.name == view.name and other != view for other in views):
                raise InputError(f"two different views are called {view.name}; give one of them another name")

    def result(self) -> Polynomial:
        """Return the series of the whole loss. Raises UnboundViewError if a view were left in it."""
        result = self.expand(self.plan.root)
        views = {view.name for view in self.plan.root.source.atoms(View)}
        left = {name for m, _ in result.terms() for g in m for name in ends(g)} & views
        if left:
            raise UnboundViewError(f"{self.plan.root.source}: the view {min(left)} is never integrated")
        return result

    def expand(self, step: steps.Step) -> Polynomial:
        """Return the series of one step."""
        found = self._known.get(step)
        if found is None:
            found = self._known[step] = getattr(self, "_" + type(step).__name__)(step)
        return found

    def _origin(self, step: steps.Step) -> Polynomial:
        return self.zero.constant(self.scalars.convert(step.origin))

    # Leaves

    def _Constant(self, step: steps.Step) -> Polynomial:
        return self._origin(step)

    def _InnerProduct(self, step: steps.Step) -> Polynomial:
        u, v = step.source.args
        return self.zero.from_generator(open_word(u.name, (), v.name))

    def _SquaredNorm(self, step: steps.Step) -> Polynomial:
        return self.zero.from_generator(closed_word((IDENTITY,)))

    def _MomentEntry(self, step: steps.Step) -> Polynomial:
        """E[f_i f_j] = sum_c pi_c ((W S_c W^T)_ij + (W m_c)_i (W m_c)_j), less the product of the means if centred."""
        i, j = (index.name for index in step.source.args[1:3])
        letter = SECOND_MOMENT if step.source.kind == "P" else CROSS_MOMENT
        terms: Terms = {}
        for weight, component in self.components:
            add_term(terms, (entry(component.letter(letter), i, j),), weight)
            if component.mean:
                add_term(terms, product((coordinate(component.mean, i),), (coordinate(component.mean, j),)), weight)
        if step.source.centred:
            for weight_a, a in self.components:
                for weight_b, b in self.components:
                    if a.mean and b.mean:
                        both = product((coordinate(a.mean, i),), (coordinate(b.mean, j),))
                        add_term(terms, both, -weight_a * weight_b)
        return self.zero.from_terms(terms)

    # Algebra and functions

    def _Sum(self, step: steps.Step) -> Polynomial:
        total = self.zero
        for child in step.children:
            total = total + self.expand(child)
        return total

    _Branch = _Sum

    def _Product(self, step: steps.Step) -> Polynomial:
        factors = sorted((self.expand(child) for child in step.children), key=len)
        total = factors[0]
        for factor in factors[1:]:
            total = total * factor
        return total

    def _IntegerPower(self, step: steps.Step) -> Polynomial:
        return self.expand(step.children[0]).power(int(step.source.exp))

    def _Power(self, step: steps.Step) -> Polynomial:
        exponent, inverse = (self.scalars.convert(s) for s in step.scalars)
        ratio = self.expand(step.children[0]).without_constant().scale(inverse)
        return series.binomial(ratio, exponent).scale(self.scalars.convert(step.origin))

    def _Exponential(self, step: steps.Step) -> Polynomial:
        result = series.exponential(self.expand(step.children[0]).without_constant())
        return result.scale(self.scalars.convert(step.origin))

    def _Logarithm(self, step: steps.Step) -> Polynomial:
        inverses = dict(zip(map(id, steps.factors(step.children[0])), step.scalars, strict=True))
        rest, rule = self._log_ratio(step.children[0], inverses)
        result = self._origin(step) + rest
        self.record(step, result, rule)
        return result

    def _Taylor(self, step: steps.Step) -> Polynomial:
        rest = self.expand(step.children[0]).without_constant()
        half = self.plan.order // min(rest.parts, default=2)
        return series.compose([self.scalars.convert(s) for s in step.scalars[: half + 1]], rest)

    def _log_ratio(self, step: steps.Step, inverses: dict[int, sp.Expr]) -> tuple[Polynomial, str]:
        """Return log(step / its value at W = 0): additive on products, whole on expectations of exponentials."""
        if isinstance(step, steps.Constant):
            return self.zero, ""
        if isinstance(step, steps.Exponential):
            return self.expand(step.children[0]).without_constant(), "log of exp"
        if isinstance(step, steps.Product):
            parts = [self._log_ratio(child, inverses) for child in step.children]
            total = self.zero
            for part, _ in parts:
                total = total + part
            return total, max((rule for _, rule in parts), key=len)
        if isinstance(step, steps.Average) and isinstance(step.children[0], steps.Exponential):
            whole = self._whole_integral(step)
            if whole is not None and whole[1]:
                return whole[0], WHOLE_INTEGRAL
        inverse = self.scalars.convert(inverses[id(step)])
        return series.logarithm(self.expand(step).without_constant().scale(inverse)), "Series of the logarithm"

    # Expectations

    def _whole_integral(self, step: steps.Step) -> tuple[Polynomial, bool] | None:
        """Return E exp(q) / exp(q at W = 0) as a whole, or its logarithm (True) when the law is a single Gaussian.

        Over a mixture the integral is a sum over the classes of the data. None when no such rule applies.
        """
        child = step.children[0]
        if self.data.cumulants or not isinstance(child, steps.Exponential):
            return None
        exponent = self.expand(child.children[0]).without_constant()
        views = step.source.args[1:]
        data = sorted({view.datum for view in views})
        total = self.zero
        for classes in product_of_choices(self.components, repeat=len(data)):
            chosen = dict(zip(data, classes, strict=True))
            covariances: dict[tuple[str, str], str] = {}
            means: dict[str, str] = {}
            weight = self.scalars.one
            for datum, (factor, component) in chosen.items():
                law = component.law([view for view in views if view.datum == datum])
                covariances.update(law.covariances)
                means.update(law.means)
                weight = weight * factor
            law = GaussianLaw(covariances, means)
            whole = log_expectation_of_exponential(exponent, law)
            if whole is None:
                return None
            self.degrees_assumed |= self._degrees_of_higher_moments(exponent, law)
            if len(self.components) == 1:
                return whole, True
            total = total + series.exponential(whole).scale(weight)
        return total, False

    def _degrees_of_higher_moments(self, exponent: Polynomial, law: GaussianLaw) -> set[int]:
        """The degrees at which E exp(exponent) has moments of three or more legs of one law."""
        found = [(law.legs((g,)), degree(g)) for m, _ in exponent.terms() for g in m if g[0] == "form"]
        ones = min((d for legs, d in found if legs == 1), default=None)
        twos = min((d for legs, d in found if legs == 2), default=None)
        lowest = [3 * ones] if ones else []
        lowest += [2 * twos] if twos else []
        lowest += [ones + twos] if ones and twos else []
        return set(range(min(lowest), self.plan.order + 1, 2)) if lowest else set()

    def _Average(self, step: steps.Step) -> Polynomial:
        views = step.source.args[1:]
        child = step.children[0]
        whole = self._whole_integral(step)
        if whole is not None:
            result = (series.exponential(whole[0]) if whole[1] else whole[0]).scale(self.scalars.convert(step.origin))
            self.record(step, result, WHOLE_INTEGRAL)
            return result
        result = self.expand(child)
        groups: dict[str, list[View]] = {}
        for view in views:
            groups.setdefault(view.datum, []).append(view)
        while groups:
            # A view inside a sum over copies shows its legs only once the copies are integrated: those first.
            ready = [datum for datum, group in groups.items() if not self._hidden(group, result)]
            if not ready:
                hidden = next(iter(groups.values()))[0]
                raise ConditionalExpectationError(
                    f"{step.source}: {hidden} occurs inside a sum over copies that this expectation does not integrate; "
                    "integrate the copies in the same E, or in one inside it"
                )
            result = self._integrate(groups.pop(ready[0]), result)
        self.record(step, result, "Wick contraction")
        return result

    def _hidden(self, group: list[View], polynomial: Polynomial) -> bool:
        """Whether a view of the group occurs in the summands of copies of some other view."""
        names = {view.name for view in group}
        own = {g for view in group if view in self._copies for g in self._copies[view]}
        return any(
            g[0] == "copies" and g not in own and names & set(ends(g))
            for terms in polynomial.parts.values()
            for monomial in terms
            for g in monomial
        )

    def _integrate(self, group: list[View], polynomial: Polynomial) -> Polynomial:
        laws = [(weight, component.law(group)) for weight, component in self.components]
        kinds = {view.name: _kind(view) for view in group}
        one = Integrator(laws, kinds if self.data.cumulants else None)
        present = {g for terms in polynomial.parts.values() for monomial in terms for g in monomial}
        summed = [view for view in group if view in self._copies and present & set(self._copies[view])]
        if summed and len(group) > 1:
            raise InputError(f"the copies of {summed[0]} share a datum with {group}; sum over an independent view")
        if summed:
            made = {g: known for g, known in self._copies[summed[0]].items() if g in present}
            numbers = [number for number, _ in made.values()]
            if any(number != numbers[0] for number in numbers):
                raise InputError(
                    f"{summed[0]} has two different numbers of copies in one expectation; use a second View"
                )
            summands = {g: summand for g, (_, summand) in made.items()}
            result = CopiesIntegrator(one, summands, numbers[0]).expectation(polynomial)
        else:
            result = one.expectation(polynomial)
        self.degrees_assumed |= one.degrees_assumed
        return result

    def _CopiesSum(self, step: steps.Step) -> Polynomial:
        """sum_j h(chi_j) = n * (what does not depend on chi) + one generator per degree for the rest."""
        _, view, _ = step.source.args
        number = self.scalars.convert(step.scalars[0])
        made = self._copies.setdefault(view, {})
        result = self.zero
        for d, terms in self.expand(step.children[0]).parts.items():
            inside = {m: c for m, c in terms.items() if any(view.name in ends(g) for g in m)}
            if inside:
                names = {name for monomial in inside for g in monomial for name in ends(g)}
                if any(g[0] == "copies" and view.name in ends(g) for monomial in inside for g in monomial):
                    raise InputError(
                        f"{step.source}: a sum over copies of {view} inside holds {view} too; write one sum"
                    )
                generator = copies(next(self._numbers), d, names)
                summand = self.zero.from_terms(inside)
                made[generator] = (number, summand)
                result = result + self.zero.from_generator(generator)
                name = steps.Constant(sp.Symbol(f"T_{generator[1]}"), sp.S.Zero)
                self.record(name, summand, f"Sum over the {step.source.args[2]} copies of {view}, degree {d}")
            result = result + self.zero.from_terms({m: c for m, c in terms.items() if m not in inside}).scale(number)
        return result

    def _CoordinateSum(self, step: steps.Step) -> Polynomial:
        _, distinct, *indices = step.source.args
        names = [index.name for index in indices]
        powers = [self.scalars.one, *(self.scalars.convert(s) for s in step.scalars)]
        # A sum over distinct indices is a signed sum, over their partitions, of free sums with the blocks merged.
        merges: list[tuple[int, list[list[str]]]] = [(1, [[n] for n in names])]
        if distinct:
            merges = [(_moebius(partition), partition) for partition in set_partitions(names)]
        terms: Terms = {}
        for monomial, coefficient in self.expand(step.children[0]).terms():
            local = [g for g in monomial if g[0] in ("entry", "coordinate") and any(n in names for n in g[2:])]
            rest = tuple(g for g in monomial if g not in local)
            for sign, partition in merges:
                first = {name: block[0] for block in partition for name in block}
                renamed = [_rename(g, first) for g in local]
                words, free = monomial_of_index_sum(renamed, [block[0] for block in partition])
                value = coefficient * powers[free] * self.scalars.rational(sign)
                add_term(terms, product(rest, words), value)
        result = self.zero.from_terms(terms)
        self.record(step, result, "Sum over outputs")
        return result


def _kind(view: View) -> str:
    """The name under which cumulants know a view: views of one kind and one datum are exchangeable."""
    own = "" if view.moment == SECOND_MOMENT and view.cross == CROSS_MOMENT else f"_{view.moment}"
    return "x" + own + ("" if view.cross == CROSS_MOMENT else f"_{view.cross}")


def _moebius(partition: list[list[str]]) -> int:
    sign = 1
    for block in partition:
        for k in range(1, len(block)):
            sign *= -k
    return sign


def _rename(generator: tuple, first: dict[str, str]) -> tuple:
    if generator[0] == "coordinate":
        return coordinate(generator[1], first[generator[2]])
    return entry(generator[1], *(first[i] for i in generator[2:]))


def check_order(order: object, data: DataModel, call: str) -> int:
    """Return a valid order; raise OrderError that quotes the call."""
    if isinstance(order, bool) or not hasattr(order, "__index__"):
        raise OrderError(f"{call}: the order {order!r} is not a positive even integer, such as 4")
    value = int(order.__index__())
    if value < 2 or value % 2:
        hint = value + 1 if value > 0 else 4
        raise OrderError(f"{call}: the order {value} is not a positive even integer; try order={hint}")
    highest = data.highest_order
    if highest is not None and value > highest:
        raise OrderError(
            f"{call}: {type(data).__name__} determines order {highest} only; use order={highest}, or GaussianViews()"
        )
    return value
