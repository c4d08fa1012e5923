"""Which tensors stand in memory, what is computed together, and where everything is kept.

A step computes one tensor that stands in memory: an anchor (a product, a window, a reduction, ...) with the pointwise
operations that follow it, or elements that are computed one by one from tensors in memory. What only moves values or
computes a little is done where it is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import lcm

from ...graph import Array, Graph, Node, Op, UnsupportedError
from ...graph.arrays import NDArray
from ...graph.evaluate.kernel import Value, run
from ...graph.formats import narrowest
from ...graph.ops import (
    Activation,
    Add,
    ArgMax,
    AvgPool,
    Broadcast,
    Compare,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    Div,
    DynamicScale,
    FixedSoftmax,
    GatherND,
    Input,
    Lookup,
    MatMul,
    Maximum,
    MaxPool,
    Minimum,
    Mul,
    MultiplyShift,
    Output,
    Power,
    Quantize,
    Quotient,
    Reduce,
    Relu,
    Remainder,
    Reshape,
    Scan,
    ScatterND,
    Select,
    Slice,
    Softmax,
    Step,
    Sub,
    Take,
    TakeAlong,
    TopK,
    Transpose,
    Upsample,
)
from ...graph.tensor import grids
from .contract import Contraction, contraction
from .layout import Layout, arena_type, bordered, plain
from .machine import Machine
from .widths import WIDTHS

ANCHORS: tuple[type[Op], ...] = (
    Dense, MatMul, Conv, ConvTranspose, MaxPool, AvgPool, Reduce, ArgMax, TopK, Softmax, FixedSoftmax, ScatterND, Scan,
)  # fmt: skip
POINTWISE: tuple[type[Op], ...] = (
    Quantize, MultiplyShift, Lookup, Step, DynamicScale, Add, Sub, Mul, Div, Power, Maximum, Minimum, Relu, Activation,
    Compare, Select, Quotient, Remainder,
)  # fmt: skip
FOLLOWED: tuple[type[Op], ...] = (Dense, MatMul, Conv, ConvTranspose, MaxPool, AvgPool, Reduce)
"""Anchors whose elements are handed to the operations behind them while they are in registers."""
SIMPLE: tuple[type[Op], ...] = (Reshape, Transpose, Slice, Broadcast)
"""What may be done again by each reader."""


@dataclass(frozen=True, eq=False)
class Work:
    """One step: ``end`` is what is written, ``anchor`` what it begins with (None: element by element)."""

    end: Node
    anchor: Node | None


@dataclass(frozen=True, eq=False)
class Groups:
    """``work`` in order of execution; ``standing`` are the nodes that are tensors in memory, inputs among them."""

    work: tuple[Work, ...]
    standing: frozenset[Node]
    users: dict[Node, tuple[Node, ...]] = field(default_factory=dict)


def flat(graph: Graph) -> Graph:
    """Bring operands of products whose elements have formats of their own to one format, which holds them all.

    Weights of float products that are computed from constants become constants.
    """
    return graph.map(_flat)


def _flat(node: Node) -> Node:
    if isinstance(node.op, Scan):
        return replace(node, op=replace(node.op, body=flat(node.op.body)))
    if isinstance(node.op, Dense | Conv | ConvTranspose) and not node.type.is_integer:
        known = tuple(_known(w) for w in node.inputs[1:])
        return node if known == node.inputs[1:] else replace(node, inputs=(node.inputs[0], *known))
    if not isinstance(node.op, Dense | Conv) or not node.type.is_integer:
        return node
    x = node.inputs[0]
    if not grids(x.type.format):
        return node
    low, high = x.type.interval
    format = narrowest(x.type.quantized.scale, int(low.min()), int(high.max()))
    return replace(node, inputs=(Node(Quantize(format), (x,), node.where), *node.inputs[1:]))


def _known(weights: Node) -> Node:
    """Compute weights. Raises UnsupportedError for those that depend on an input."""
    if isinstance(weights.op, Constant):
        return weights
    parts = Graph((), (Node(Output("weights"), (weights,)),))
    if any(isinstance(n.op, Input) for n in parts.nodes):
        what = "weights that are computed from an input"
        raise UnsupportedError(what, where=weights.where, hint="use a matrix product")
    values: dict[Node, NDArray] = {}
    for n in parts.nodes:
        values[n] = run(n.op, n.type, *(Value(i.type, values[i]) for i in n.inputs))
    return Node(Constant(Array(values[weights][0]), weights.type.format), (), weights.where)


def group(graph: Graph, *, narrow: bool = False) -> Groups:
    """Decide what is computed together. ``narrow``: what stands in memory is to be small, also where readers then have
    more to do.
    """
    users = graph.users
    standing = {n for n in graph.nodes if _stands(n, users[n])}
    anchors: dict[Node, Node] = {}
    taken: set[Node] = set()
    for node in graph.nodes:
        if isinstance(node.op, ANCHORS):
            chain = _follow(node, users, standing, taken)
            if narrow and chain[-1] not in standing:
                chain = _narrowest(chain)
            taken.update(chain)
            anchors[chain[-1]] = node
            standing.add(chain[-1])
    order = [n for n in graph.nodes if n in standing and not isinstance(n.op, Input)]
    return Groups(tuple(Work(n, anchors.get(n)) for n in order), frozenset(standing), users)


def _stands(node: Node, users: tuple[Node, ...]) -> bool:
    """Whether a node has to be in memory for the sake of those that read it."""
    if isinstance(node.op, Constant | Output):
        return False
    if isinstance(node.op, Input):
        return True
    if any(isinstance(u.op, Output) for u in users):
        return True
    if any(_wants_memory(u, node) for u in users):
        return True
    if isinstance(node.op, Concat):
        return True
    return len(users) > 1 and not (isinstance(node.op, SIMPLE) and not any(_grows(u, node) for u in users))


def _wants_memory(user: Node, node: Node) -> bool:
    if isinstance(user.op, ANCHORS):
        return not isinstance(user.op, Reduce) or not isinstance(node.op, SIMPLE)
    return not isinstance(node.op, SIMPLE) and _grows(user, node)


def _grows(user: Node, node: Node) -> bool:
    """Whether a reader reads elements several times."""
    return isinstance(user.op, (Broadcast, Upsample, Take, TakeAlong, GatherND, *POINTWISE)) and (
        user.type.size > node.type.size
    )


def _follow(anchor: Node, users: dict[Node, tuple[Node, ...]], standing: set[Node], taken: set[Node]) -> list[Node]:
    """Give the anchor and the pointwise operations that can be done while its result is in registers."""
    chain = [anchor]
    while isinstance(anchor.op, FOLLOWED) and chain[-1] not in standing and len(users[chain[-1]]) == 1:
        following = users[chain[-1]][0]
        if not isinstance(following.op, POINTWISE) or following.shape != anchor.shape or following in taken:
            break
        if sum(i is chain[-1] for i in following.inputs) != 1 or isinstance(following.op, Quotient | Remainder):
            break
        chain.append(following)
    return chain


def _narrowest(chain: list[Node]) -> list[Node]:
    """Cut a chain after the last of its tensors that take the fewest bytes: readers do what follows themselves."""
    widths = [WIDTHS[arena_type(n, unsigned_bytes=False)[0]] for n in chain]
    return chain[: len(chain) - widths[::-1].index(min(widths))]


def layouts(groups: Groups, machine: Machine) -> dict[Node, Layout]:
    """Choose the layout of every tensor in the arena: type, borders and rounding as its readers want them."""
    wants: dict[Node, list[Contraction]] = {}
    for work in groups.work:
        if work.anchor is not None and (found := contraction(work.anchor, machine)) is not None:
            wants.setdefault(work.anchor.inputs[0], []).append(found)
    return {n: _layout(n, wants.get(n, []), machine) for n in groups.standing if not isinstance(n.op, Input)}


def _layout(node: Node, wants: Sequence[Contraction], machine: Machine) -> Layout:
    dtype, base = arena_type(node, machine.unsigned_bytes)
    wanted = {w.operand_type for w in wants}
    if len(wanted) == 1 and (found := wanted.pop()) is not None and (found[0] != "float32" or dtype == found[0]):
        dtype, base = found
    if not wants or not node.shape:
        return plain(node.shape, dtype, base)
    multiple = lcm(*(w.multiple for w in wants))
    border = wants[0].border
    for w in wants[1:]:
        border = tuple((max(a, c), max(b, d)) for (a, b), (c, d) in zip(border, w.border, strict=True))
    return bordered(node.shape, dtype, border, multiple, base)
