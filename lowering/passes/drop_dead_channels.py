"""Drop channels that hold one number whatever the input is."""

from dataclasses import replace

import numpy as np

from ...graph import Array, Graph, Node, Op, RangeError, ShapeError
from ...graph.arrays import NDArray
from ...graph.channels import channelwise, taken
from ...graph.formats import narrowest
from ...graph.numerics import common_scale, divide, multiply, whole
from ...graph.ops import (
    Add,
    AvgPool,
    Constant,
    Conv,
    Dense,
    Lookup,
    MaxPool,
    MultiplyShift,
    Quantize,
    Relu,
    Sub,
)
from ..rewrite import note


def drop_dead_channels(graph: Graph) -> Graph:
    """Let products read only channels that vary; what the others add goes into the bias. What computed them goes too.

    A channel is dead where the interval analysis leaves it one value (all weights of a filter are zero, or a
    ReLU clamps all that a filter can give). One that is not zero stays where zeros are padded beside it: its
    share differs at the border.

    %3 = relu(%2) : 8x8x4           %3 = relu(%2) : 8x8x3
    %5 = conv(%3, %4) : 8x8x2   ->  %5 = conv(%3, %4, %6) : 8x8x2
    """
    users = graph.users

    def change(old: Node, node: Node) -> Node:
        if isinstance(old.op, Dense | Conv) and _alone(old.inputs[0], users):
            return _narrowed(old, node, users) or node
        return node

    found = graph.rebuilt(change)
    if found.nodes == graph.nodes:
        return graph
    gone = _channels(graph) - _channels(found)
    return note(found, f"{gone:,} channels hold one number whatever the input is: they are left out")


def like(graph: Graph, other: Graph) -> Graph:
    """Leave out dead channels of a graph of integers where another graph of the same model has fewer channels."""
    return drop_dead_channels(graph) if graph.is_integer and _channels(other) < _channels(graph) else graph


def _channels(graph: Graph) -> int:
    """Count the filters of all products."""
    return sum(n.shape[-1] for n in graph.nodes if isinstance(n.op, Dense | Conv) and n.shape)


def _alone(node: Node, users: dict[Node, tuple[Node, ...]]) -> bool:
    return len(users[node]) == 1


def _narrowed(old: Node, node: Node, users: dict[Node, tuple[Node, ...]]) -> Node | None:
    """Give a product that reads only what varies; None where nothing can be left out."""
    x, w, op = node.inputs[0], node.inputs[1], node.op
    if not node.type.is_integer or not isinstance(w.op, Constant) or len(x.shape) < 1 or node.shape != old.shape:
        return None
    if isinstance(op, Conv) and op.groups != 1:
        return None
    values, dead = _constant_channels(x)
    if isinstance(op, Conv) and any(map(any, op.padding)):
        dead &= values == 0
    live = np.flatnonzero(~dead)
    live = live if len(live) else np.array([0])
    if len(live) == x.shape[-1]:
        return None
    gone = np.setdiff1d(np.arange(x.shape[-1]), live)
    try:
        picked = _picked(old.inputs[0], x, live, users)
        if picked is None:
            return None
        weights = taken(w, live, -2)
        bias = _bias(node, (w.type.quantized.centre(w.op.value.data)[..., gone, :] * values[gone, None]), old)
        made = Node(op, (picked, weights, *bias), node.where)
    except (RangeError, ShapeError):  # exact integers would need more bits than there are
        return None
    return made if made.type.is_integer and made.type.quantized.scale == node.type.quantized.scale else None


def _constant_channels(x: Node) -> tuple[NDArray, NDArray]:
    """Give a value of each channel, centred, and whether it is the only one."""
    low, high = (np.broadcast_to(b, x.shape).reshape(-1, x.shape[-1]) for b in x.type.interval)
    return low[0], (low == high).all(axis=0) & (low == low[0]).all(axis=0)


def _bias(node: Node, shares: NDArray, old: Node) -> tuple[Node, ...]:
    """Give the bias with what the channels that go would have added: [*kernel, gone, F] products."""
    total = shares.astype(object).reshape(-1, shares.shape[-1]).sum(axis=0)
    before = node.inputs[2:]
    if not any(total):
        return before
    x, w = node.inputs[:2]
    unit = multiply(x.type.quantized.scale, w.type.quantized.scale)
    scale, sums = unit, total
    if before:
        bias = before[0]
        assert isinstance(bias.op, Constant)
        scale = common_scale(unit, bias.type.quantized.scale)
        own = bias.type.quantized.centre(bias.op.value.data).astype(object)
        sums = total * whole(divide(unit, scale)) + own * whole(divide(bias.type.quantized.scale, scale))
    least, most = min(sums), max(sums)
    if not -(1 << 62) < least <= most < 1 << 62:
        raise RangeError("a bias of over 63 bits")
    return (Node(Constant(Array(sums.astype(np.int64)), narrowest(scale, int(least), int(most))), (), old.where),)


def _picked(old: Node, node: Node, live: NDArray, users: dict[Node, tuple[Node, ...]]) -> Node | None:
    """Give a node with only some of its channels computed; None where something else reads the others.

    ``old`` is the node of the original graph, whose readers are known.
    """
    if not _alone(old, users) or not node.type.is_integer:
        return None
    op, inputs = node.op, node.inputs

    def of(i: int) -> Node | None:
        return _picked(old.inputs[i], inputs[i], live, users)

    match op:
        case Conv() if op.groups == inputs[0].shape[-1] == node.shape[-1] and op.groups > 1:
            x = of(0)
            return None if x is None else _with(node, replace(op, groups=len(live)), (x, *_filters(inputs[1:], live)))
        case Conv(groups=1) | Dense():
            if not all(isinstance(i.op, Constant) for i in inputs[1:]):
                return None
            return _with(node, op, (inputs[0], *_filters(inputs[1:], live)))
        case Add() | Sub():
            if any(i.shape != node.shape for i in inputs):
                return None
            pair = of(0), of(1)
            return None if pair[0] is None or pair[1] is None else _with(node, op, (pair[0], pair[1]))
        case MultiplyShift() | Quantize() | Relu() | Lookup() | MaxPool() | AvgPool():
            x = of(0)
            return None if x is None else _with(node, channelwise(op, node.shape, live), (x, *inputs[1:]))
    return None


def _filters(constants: tuple[Node, ...], live: NDArray) -> tuple[Node, ...]:
    return tuple(taken(c, live, -1) for c in constants)


def _with(node: Node, op: Op, inputs: tuple[Node, ...]) -> Node:
    return replace(node, op=op, inputs=inputs)
