"""Words as nodes: chains of moments in the cheapest order, traces from two half chains, graphs by series and parallel steps."""

from __future__ import annotations

from collections.abc import Sequence

from symscape.algebra.words import Generator, Word
from symscape.programs.nodes import Graph, Node


class WordValues:
    """Makes the nodes of words over one W. ``vectors``: "mean", "bias", both or neither, by the name of each vector."""

    def __init__(self, graph: Graph, vectors: dict[str, frozenset[str]]):
        self.graph, self._vectors = graph, vectors
        self.W = graph.weights()
        self._chains: dict[Word, Node] = {}

    # Moments

    def weighted(self, letter: str) -> Node:
        """Return W S."""
        return self.graph.right(self.W, letter)

    def moment(self, letter: str) -> Node:
        """Return R = W S W^T."""
        return self.graph.gram(self.weighted(letter), self.W, letter)

    def vector(self, name: str) -> Node | None:
        """Return v = W m + b, None where it is zero."""
        parts = self._vectors[name]
        terms = [(self.graph.one, self.graph.image(self.W, name))] if "mean" in parts else []
        terms += [(self.graph.one, self.graph.bias())] if "bias" in parts else []
        return self.graph.sum(terms)

    # Chains

    def chain(self, word: Word) -> Node:
        """Return the product of the moments of a word."""
        if word[::-1] < word:
            return self.graph.transpose(self.chain(word[::-1]))
        if word not in self._chains:
            if len(word) == 1:
                made = self.moment(word[0])
            else:
                k = min(range(1, len(word)), key=lambda k: (self._missing(word[:k], word[k:]), abs(len(word) - 2 * k)))
                made = self.graph.product(self.chain(word[:k]), self.chain(word[k:]))
            self._chains[word] = made
        return self._chains[word]

    def has_chain(self, word: Word) -> bool:
        """Whether the product of a word is there already, or costs nothing."""
        return len(word) == 1 or min(word, word[::-1]) in self._chains

    def _missing(self, *words: Word) -> int:
        """Return about how many products the chains of these words still need."""
        wanted = {min(w, w[::-1]) for w in words if w and not self.has_chain(w)}
        return sum(len(w) - 1 for w in wanted)

    # Values of words

    def value(self, generator: Generator) -> Node | None:
        """Return a word as a scalar node; None where it is zero."""
        kind = generator[0]
        if kind == "tr":
            return self._trace(generator[1])
        if kind == "form":
            return self._form(*generator[1:])
        return self._contracted(generator[1], generator[2])

    def _trace(self, word: Word) -> Node:
        if len(word) == 1:
            return self.graph.dot(self.weighted(word[0]), self.W)
        turns = [(word * 2)[s : s + len(word)] for s in range(len(word))]
        half = (len(word) + 1) // 2
        # Tr(A B) is the sum of entries of A times B^T, and B^T is the chain read backwards.
        left, right = min(
            ((turn[:k], turn[k:][::-1]) for turn in turns for k in (half, len(word) - half)),
            key=lambda pair: self._missing(*pair),
        )
        return self.graph.dot(self.chain(left), self.chain(right))

    def _form(self, left: str, word: Word, right: str) -> Node | None:
        u, v = self.vector(left), self.vector(right)
        if u is None or v is None:
            return None
        half = len(word) // 2
        return self.graph.dot(self.applied(word[:half][::-1], u), self.applied(word[half:], v))

    def applied(self, word: Word, vector: Node) -> Node:
        """Return the product of a word's moments and a vector."""
        for letter in reversed(word):
            vector = self.graph.apply(self.moment(letter), vector)
        return vector

    # Graphs: sums over outputs of products of entries

    def _contracted(self, edges: Sequence[tuple[str, int, int]], legs: Sequence[tuple[str, int]]) -> Node | None:
        g = self.graph
        between: dict[tuple[int, int], list[Node]] = {}
        at: dict[int, list[Node]] = {}
        for vertex in (*(v for _, a, b in edges for v in (a, b)), *(v for _, v in legs)):
            at.setdefault(vertex, [])
        for letter, a, b in edges:
            R = self.moment(letter)
            if a == b:
                at[a].append(g.diagonal(R))
            else:
                between.setdefault((min(a, b), max(a, b)), []).append(R)
        for name, a in legs:
            end = self.vector(name)
            if end is None:
                return None
            at[a].append(end)
        # Parallel edges multiply entry by entry; then vertices are summed out, those with fewest neighbours first.
        joined = {pair: g.times(*squares) for pair, squares in between.items()}
        weights: dict[int, Node | None] = {v: g.times(*vs) if vs else None for v, vs in at.items()}
        while len(weights) > 1:
            v = min(weights, key=lambda v: (sum(v in pair for pair in joined), v))
            pairs = [pair for pair in joined if v in pair]
            if len(pairs) > 2:
                return self._by_slices(joined, weights)
            self._sum_out(v, pairs, joined, weights)
        ((_, last),) = weights.items()
        return g.total(g.ones() if last is None else last)

    def _sum_out(
        self,
        v: int,
        pairs: list[tuple[int, int]],
        joined: dict[tuple[int, int], Node],
        weights: dict[int, Node | None],
    ) -> None:
        """Remove a vertex with one neighbour (a product with a vector) or two (a product of squares)."""
        g, weight = self.graph, weights.pop(v)
        oriented = []
        for a, b in pairs:
            # Read an edge (a, b), a < b, from the other vertex to v.
            square = joined.pop((a, b))
            oriented.append((a, square) if b == v else (b, g.transpose(square)))
        if len(oriented) == 1:
            ((u, square),) = oriented
            image = g.apply(square, g.ones() if weight is None else weight)
            old = weights[u]
            weights[u] = image if old is None else g.times(old, image)
            return
        (u, first), (w, second) = oriented
        middle = first if weight is None else g.product(first, g.diagonal_matrix(weight))
        made = g.product(middle, g.transpose(second))
        pair = (min(u, w), max(u, w))
        made = made if u < w else g.transpose(made)
        joined[pair] = g.times(joined[pair], made) if pair in joined else made

    def _by_slices(self, joined: dict[tuple[int, int], Node], weights: dict[int, Node | None]) -> Node:
        """A graph in which every vertex has three neighbours or more: one sum over all outputs at once."""
        names = {v: chr(ord("i") + k) for k, v in enumerate(weights)}
        parts = [(names[a] + names[b], node) for (a, b), node in joined.items()]
        parts += [(names[v], node) for v, node in weights.items() if node is not None]
        return self.graph.contraction(tuple(s for s, _ in parts), tuple(node for _, node in parts))
