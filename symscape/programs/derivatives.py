"""Value, gradient and Hessian-vector product of a polynomial in words, as nodes.

With Y_S the derivative of the value by R_S = W S W^T, the derivative by W is the sum of (Y_S + Y_S^T) W S. A trace's own Y is
a sum of words, which are multiplied out with the chains that the value needs anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symscape.algebra.words import Generator, Monomial, Word
from symscape.programs.adjoint import adjoints, slopes
from symscape.programs.nodes import Graph, Node
from symscape.programs.word_values import WordValues


@dataclass(frozen=True)
class Results:
    """Nodes of what a program returns; None stands for zero, or for what was not asked. ``dkappa``: by joint cumulant."""

    value: Node | None
    dW: Node | None = None
    db: Node | None = None
    dkappa: tuple[Node | None, ...] = ()


class Polynomial:
    """A sum of coefficient times product of words, on a graph. Words that are zero have been left out."""

    def __init__(self, graph: Graph, vectors: dict[str, frozenset[str]], monomials: Sequence[Monomial]):
        self.graph = graph
        self.words = WordValues(graph, vectors)
        self.vectors = vectors
        self.cumulants = sorted({g for m in monomials for g in m if g[0].startswith("cumulant")})
        self._node_of: dict[Generator, Node] = {}
        self._word_of: dict[Node, Word] = {}
        # Short words first, so that longer ones find their chains.
        for generator in sorted({g for m in monomials for g in m}, key=lambda g: (len(str(g)), str(g))):
            if generator[0].startswith("cumulant"):
                node: Node | None = graph.kappa(self.cumulants.index(generator))
            else:
                node = self.words.value(generator)
            if node is not None:
                self._node_of[generator] = node
                if generator[0] == "tr":
                    self._word_of[node] = generator[1]
        self._terms = [
            ([self._node_of[g] for g in monomial], graph.coefficient(k))
            for k, monomial in enumerate(monomials)
            if all(g in self._node_of for g in monomial)
        ]

    def value(self) -> Results:
        """Return the value."""
        g = self.graph
        return Results(g.sum([(g.one, g.times(c, *factors)) for factors, c in self._terms]))

    def value_and_gradient(self) -> Results:
        """Return the value and its derivatives by W, by b, and by every joint cumulant.

        Traces of single moments with constant coefficients, together -Tr(W B W^T), are half the product of W and their
        gradient, so that no further pass over W is needed.
        """
        g, words = self.graph, self.words
        plain = [
            (factors[0], c)
            for factors, c in self._terms
            if len(factors) == 1 and len(self._word_of.get(factors[0], ())) == 1
        ]
        two = g.number(2)
        quadratic = g.sum([(g.times(two, c), words.weighted(self._word_of[node][0])) for node, c in plain])
        rest = [(factors, c) for factors, c in self._terms if not (len(factors) == 1 and (factors[0], c) in plain)]
        by_scalar = slopes(g, [factors for factors, _ in rest], [c for _, c in rest])
        value = [(g.one, g.times(c, *factors)) for factors, c in rest]
        if quadratic is not None:
            value.append((g.number(0.5), g.dot(quadratic, words.W)))
        dW, db = self._pulled_back(by_scalar)
        if quadratic is not None:
            dW.append((g.one, quadratic))
        dkappa = tuple(by_scalar.get(g.kappa(k)) for k in range(len(self.cumulants)))
        return Results(g.sum(value), g.sum(dW), g.sum(db), dkappa)

    def _pulled_back(self, by_scalar: dict[Node, Node]) -> tuple[list[tuple[Node, Node]], list[tuple[Node, Node]]]:
        """Return the terms of the derivatives by W and by b."""
        g, words = self.graph, self.words
        traces = {self._word_of[node]: slope for node, slope in by_scalar.items() if node in self._word_of}
        others = [(n, s) for n, s in by_scalar.items() if n not in self._word_of and n.op != "kappa"]
        letters = sorted({s for gen in self._node_of for s in letters_of(gen)})
        leaves = {words.moment(s): s for s in letters}
        vectors = {node: name for name in self.vectors if (node := words.vector(name)) is not None}
        seeds = adjoints(g, others, {*leaves, *vectors})
        dW, db = [], []
        for moment, letter in leaves.items():
            shares = _cyclic_derivative(traces, letter)
            identity = g.sum([(g.number(2), slope) for slope in shares.pop((), [])])
            symmetrised = (
                [(g.number(2), self._products({w: self._added(s) for w, s in shares.items()}))] if shares else []
            )
            if moment in seeds:
                symmetrised.append((g.one, seeds[moment]))
                symmetrised.append((g.one, g.transpose(seeds[moment])))
            terms = []
            for c, square in symmetrised:
                if square.symmetric or c is g.one:
                    terms.append((c, square))
                else:
                    terms += [(g.one, square), (g.one, g.transpose(square))]
            by_moment = g.sum(terms)
            if identity is not None:
                dW.append((identity, words.weighted(letter)))
            if by_moment is not None:
                dW.append((g.one, g.left(by_moment, words.weighted(letter))))
        for node, name in vectors.items():
            if node in seeds:
                if "mean" in self.vectors[name]:
                    dW.append((g.one, g.spread(seeds[node], name)))
                if "bias" in self.vectors[name]:
                    db.append((g.one, seeds[node]))
        return dW, db

    def _added(self, terms: list[Node]) -> Node:
        found = self.graph.sum([(self.graph.one, t) for t in terms])
        return self.graph.number(0) if found is None else found

    def _products(self, wanted: dict[Word, Node], outermost: bool = True) -> Node:
        """Return the sum of coefficient times chain; at the outermost level only its symmetric part matters."""
        g, words = self.graph, self.words
        direct = [(c, words.chain(w) if w else g.eye()) for w, c in wanted.items() if not w or words.has_chain(w)]
        groups: dict[Word, dict[Word, Node]] = {}
        for word, c in wanted.items():
            if word and not words.has_chain(word):
                turned = [word, word[::-1]] if outermost else [word]
                split = max(
                    ((w[:-k], w[-k:]) for w in turned for k in range(1, len(w)) if words.has_chain(w[-k:])),
                    key=lambda pair: len(pair[1]),
                )
                lefts = groups.setdefault(split[1], {})
                lefts[split[0]] = c if split[0] not in lefts else self._added([lefts[split[0]], c])
        for right, lefts in groups.items():
            direct.append((g.one, g.product(self._products(lefts, outermost=False), words.chain(right))))
        found = g.sum(direct)
        assert found is not None
        return found


def _cyclic_derivative(traces: dict[Word, Node], letter: str) -> dict[Word, list[Node]]:
    """Return the derivative of traces by one moment, as words with slopes; a word stands for its symmetric part."""
    found: dict[Word, list[Node]] = {}
    for word, slope in traces.items():
        for k, s in enumerate(word):
            if s == letter:
                rest = (*word[k + 1 :], *word[:k])
                found.setdefault(min(rest, rest[::-1]), []).append(slope)
    return found


def letters_of(generator: Generator) -> tuple[str, ...]:
    """Return the letters of a word, with repetitions."""
    if generator[0] == "tr":
        return generator[1]
    if generator[0] == "form":
        return generator[2]
    return tuple(edge[0] for edge in generator[1]) if generator[0] == "graph" else ()


def vectors_of(generator: Generator) -> tuple[str, ...]:
    """Return the vectors of a word, with repetitions."""
    if generator[0] == "form":
        return (generator[1], generator[3])
    if generator[0] == "graph":
        return tuple(leg[0] for leg in generator[2])
    return (generator[2],) if generator[0] == "cumulant3" else ()
