"""Products whose readers each take some of the filters: a product for each of them, with what follows it there.

%2 = dense(%0, %1) : 197x576                %2 = dense(%0, %1[:, :192]) : 197x192
%3 = reshape(%2) : 197x3x3x64               %3 = reshape(%2) : 197x1x3x64
%4 = gather[axis=1, indices=0](%3)    ->    ...
%5 = gather[axis=1, indices=1](%3)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np

from ...graph import Graph, Node
from ...graph.arrays import NDArray
from ...graph.channels import channelwise, taken
from ...graph.evaluate.kernel import Value, run
from ...graph.ops import Constant, Dense, Gather, Output, Reshape, Slice, Transpose
from .plan import beside

LEAST_ROWS, LEAST_FILTERS, MOST = 16, 16, 1 << 24
"""Of a product that is cut, and elements up to which it is looked at where they go."""

MOVES = (Reshape, Transpose, Gather, Slice)
Users = Mapping[Node, tuple[Node, ...]]


@dataclass(frozen=True)
class _Part:
    """Filters from ``begin`` to ``end`` of a chain of nodes that begins with a product."""

    chain: tuple[Node, ...]
    begin: int
    end: int


def cut_products(graph: Graph) -> Graph:
    """Give each reader of some filters of a dense layer a layer of its own, which it is computed with."""
    users = graph.users
    found = {
        node: parts for node in graph.nodes
        if isinstance(node.op, Dense) and all(isinstance(i.op, Constant) for i in node.inputs[1:])
        if (parts := _parts(node, users))
    }  # fmt: skip
    if not found:
        return graph
    new: dict[Node, Node] = {}
    made: dict[Node, Node] = {}

    def change(old: Node, node: Node) -> Node:
        new[old] = made.get(old) or node
        if old in found:
            cuts = {reader: _made(reader, part, new) for reader, part in found[old].items()}
            if all(stands_for(cut, reader, users) for reader, cut in cuts.items()):
                made.update(cuts)
        return new[old]

    return with_same_outputs(graph.rebuilt(change), graph)


def with_same_outputs(made: Graph, old: Graph) -> Graph:
    """Give a graph that was made of an old one, or that one, where the format of an output would be another."""
    same = all(a.type.format == b.type.format for a, b in zip(made.outputs, old.outputs, strict=True))
    return made if same else old


def stands_for(made: Node, old: Node, users: Users) -> bool:
    """Whether a node holds what another one does; of integers, fewer may be possible."""
    a, b = made.type.format, old.type.format
    if a == b or made.type.is_integer != old.type.is_integer or not made.type.is_integer:
        return a == b
    same = made.type.quantized.scale == old.type.quantized.scale and made.type.quantized.zero == old.type.quantized.zero
    return bool(same) and not any(isinstance(u.op, Output) for u in users[old])


def _parts(product: Node, users: Users) -> dict[Node, _Part]:
    """Find who reads which filters; nothing where somebody reads others too."""
    rows, filters = prod(product.shape[:-1]), product.shape[-1]
    if rows < LEAST_ROWS or product.type.size > MOST:
        return {}
    chain = following(product, users)
    if not all(isinstance(u.op, MOVES) for u in users[chain[-1]]):
        return {}
    places = np.arange(rows * filters).reshape(1, *product.shape)
    found: dict[Node, _Part] = {}
    for node, taken_places in _readers(chain[-1], places, users):
        begin = int(taken_places.flat[0])
        width = taken_places.size // rows
        if width < LEAST_FILTERS or width >= filters or taken_places.size != rows * width:
            return {}
        wanted = np.arange(rows)[:, None] * filters + np.arange(begin, begin + width)
        if (taken_places.ravel() != wanted.ravel()).any():
            return {}
        found[node] = _Part(chain, begin, begin + width)
    ranges = sorted({(p.begin, p.end) for p in found.values()})
    apart = all(a[1] <= b[0] for a, b in pairwise(ranges))
    return found if len(ranges) == len(found) > 1 and apart else {}


def following(product: Node, users: Users) -> tuple[Node, ...]:
    """Give a product and the operations behind it that do something to each element, with constants."""
    chain = [product]
    while len(users[chain[-1]]) == 1 and _follows(users[chain[-1]][0], chain[-1]):
        chain.append(users[chain[-1]][0])
    return tuple(chain)


def _follows(node: Node, before: Node) -> bool:
    """Whether an operation does something to each element of what is before it, with constants of each filter."""
    constants = beside(node, before)
    return constants is not None and all(i.type.size in (1, *i.shape[-1:]) for i in constants)


def _readers(node: Node, places: NDArray, users: Users) -> Iterator[tuple[Node, NDArray]]:
    """Follow what only moves elements to nodes with fewer of them; ``places``: where each element was."""
    if not all(isinstance(user.op, MOVES) for user in users[node]):
        yield node, places
        return
    for user in users[node]:
        moved = run(user.op, user.type, Value(node.type, places))
        if moved.size < places.size:
            yield user, moved
        else:
            yield from _readers(user, moved, users)


def _made(old: Node, part: _Part, new: Mapping[Node, Node]) -> Node:
    """Write the part of a chain that a node reads, in its shape."""
    chosen = np.arange(part.begin, part.end)
    product = part.chain[0]
    inputs = new[product.inputs[0]], *(chosen_of(i, chosen) for i in product.inputs[1:])
    found = Node(product.op, inputs, product.where)
    return Node(Reshape(old.shape), (continued(found, part.chain, chosen),), old.where)


def continued(product: Node, chain: Sequence[Node], chosen: NDArray) -> Node:
    """Write what follows the first node of a chain behind another product, whose filters are ``chosen`` of its own."""
    found, before = product, chain[0]
    for node in chain[1:]:
        inputs = tuple(found if i is before else chosen_of(i, chosen) for i in node.inputs)
        found, before = Node(channelwise(node.op, node.shape, chosen), inputs, node.where), node
    return found


def chosen_of(constant: Node, chosen: NDArray) -> Node:
    """Pick channels of a constant; one number stays what it is."""
    return constant if constant.type.size == 1 else taken(constant, chosen, -1)
