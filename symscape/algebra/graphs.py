"""Words in which output coordinates count apart: sums over output indices of products of entries of W S W^T.

A sum over indices of a product of entries is a multigraph: a vertex is a summed index, an edge an entry (W S W^T)_ij
labelled with its letter S, a leg a coordinate (W m)_i labelled with its vector m. Its connected components multiply.
A component in which every vertex joins exactly two ends is an ordinary trace, or an open word between two legs;
the rest are Hadamard words, for instance sum_i P_ii^2 = Tr(P o P): one vertex with two loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from symscape.algebra.words import Generator, Monomial, closed_word, open_word

Edge = tuple[str, int, int]
Leg = tuple[str, int]


def monomial_of_index_sum(entries: Sequence[Generator], indices: Sequence[str]) -> tuple[Monomial, int]:
    """Return the sum over ``indices`` of a product of entries and coordinates, as (monomial, number of free sums).

    Each index that no entry uses is a free sum and contributes one factor d1.

    >>> from symscape.algebra.words import entry
    >>> monomial_of_index_sum([entry("A", "i", "j"), entry("B", "i", "j")], ["i", "j"])
    ((('tr', ('A', 'B')),), 0)
    >>> monomial_of_index_sum([entry("A", "i", "i"), entry("A", "i", "i")], ["i", "j"])
    ((('graph', (('A', 0, 0), ('A', 0, 0)), ()),), 1)
    """
    edges = [(g[1], indices.index(g[2]), indices.index(g[3])) for g in entries if g[0] == "entry"]
    legs = [(g[1], indices.index(g[2])) for g in entries if g[0] == "coordinate"]
    used = {v for _, a, b in edges for v in (a, b)} | {v for _, v in legs}
    components = [_component_generator(*part) for part in _components(edges, legs, used)]
    return tuple(sorted(components)), len(indices) - len(used)


def _components(edges: list[Edge], legs: list[Leg], vertices: set[int]) -> list[tuple[list[Edge], list[Leg]]]:
    root = {v: v for v in vertices}

    def find(v: int) -> int:
        while root[v] != v:
            v = root[v]
        return v

    for _, a, b in edges:
        root[find(a)] = find(b)
    tops = sorted({find(v) for v in vertices})
    return [([e for e in edges if find(e[1]) == top], [leg for leg in legs if find(leg[1]) == top]) for top in tops]


def _component_generator(edges: list[Edge], legs: list[Leg]) -> Generator:
    ends: dict[int, int] = {}
    for _, a, b in edges:
        ends[a] = ends.get(a, 0) + 1
        ends[b] = ends.get(b, 0) + 1
    for _, a in legs:
        ends[a] = ends.get(a, 0) + 1
    if all(count == 2 for count in ends.values()):
        return _chain_generator(list(edges), list(legs))
    return _normal_graph(edges, legs)


def _chain_generator(edges: list[Edge], legs: list[Leg]) -> Generator:
    """A connected graph whose vertices all join two ends: a cycle is a trace, a path between two legs an open word."""
    if legs:
        (left, vertex), rest_legs = legs[0], legs[1:]
        start = None
    else:
        (first, start, vertex), edges = edges[0], edges[1:]
    word = [] if legs else [first]
    while edges:
        position = next((k for k, (_, a, b) in enumerate(edges) if vertex in (a, b)), None)
        if position is None:
            break
        letter, a, b = edges.pop(position)
        word.append(letter)
        vertex = b if vertex == a else a
    if start is None:
        return open_word(left, tuple(word), rest_legs[0][0])
    return closed_word(tuple(word))


def _normal_graph(edges: list[Edge], legs: list[Leg]) -> Generator:
    vertices = sorted({v for _, a, b in edges for v in (a, b)} | {v for _, v in legs})
    best = None
    for order in permutations(range(len(vertices))):
        name = dict(zip(vertices, order, strict=True))
        named_edges = tuple(sorted((letter, *sorted((name[a], name[b]))) for letter, a, b in edges))
        named_legs = tuple(sorted((vector, name[a]) for vector, a in legs))
        if best is None or (named_edges, named_legs) < best:
            best = (named_edges, named_legs)
    assert best is not None
    return ("graph", *best)
