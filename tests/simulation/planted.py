"""Faults, planted at random places of a graph: what a wrong importer, pass or kernel does to one layer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from gatewright.graph import Affine, Array, Fixed, GatewrightError, Graph, Grid, Node, Rounding, trace, values_of
from gatewright.graph.arrays import as_array
from gatewright.graph.ops import Concat, Constant, Conv, Dense, Input, MultiplyShift, Output, Quantize, Reshape, Scaling


@dataclass(frozen=True)
class Planted:
    """A graph with a fault in ``node`` (of the faulty graph); ``channel`` where it is in one only."""

    kind: str
    graph: Graph
    node: Node
    channel: int | None = None


def put(graph: Graph, old: Node, new: Callable[[tuple[Node, ...]], Node]) -> tuple[Graph, Node]:
    """Replace one node: ``new`` gets its operands."""
    done: dict[Node, Node] = {}
    for node in graph.nodes:
        inputs = tuple(done[i] for i in node.inputs)
        same = all(i is j for i, j in zip(inputs, node.inputs, strict=True))
        done[node] = new(inputs) if node is old else node if same else replace(node, inputs=inputs)
    ends = {"inputs": graph.inputs, "outputs": graph.outputs}
    return replace(graph, **{k: tuple(done[n] for n in v) for k, v in ends.items()}), done[old]


def changed(constant: Node, fn: Callable[[np.ndarray], np.ndarray]) -> Node:
    """A constant with other values: real ones, or integers in a format with room for them."""
    op = constant.op
    assert isinstance(op, Constant)
    if not constant.type.is_integer:
        return replace(constant, op=Constant(Array(fn(op.value.data).astype(np.float32))))
    format = op.format
    centred = np.rint(fn(format.centre(op.value.data).astype(np.float64))).astype(np.int64)
    if isinstance(format, Fixed):
        fraction = format.common_fraction
        width = int(as_array(format.width).max()) + 3 + int(np.ptp(as_array(format.fraction)))
        return replace(constant, op=Constant(Array(centred), Fixed(width, width - fraction)))
    return replace(
        constant, op=Constant(Array(centred + as_array(format.zero_point)), replace(format, width=format.width + 2))
    )


def linear(graph: Graph) -> list[Node]:
    """Layers with constant weights."""
    return [n for n in graph.nodes if isinstance(n.op, (Dense, Conv)) and isinstance(n.inputs[1].op, Constant)]


def scaled(graph: Graph, rng: np.random.Generator) -> Planted | None:
    """Weights and bias 1.5 times as large."""
    return _weights(graph, rng, "scale", None)


def negated(graph: Graph, rng: np.random.Generator) -> Planted | None:
    """The weights and the bias of one channel, negated."""
    nodes = linear(graph)
    if not nodes:
        return None
    node = nodes[rng.integers(len(nodes))]
    return _weights(graph, rng, "channel", int(rng.integers(node.shape[-1])), node)


def _weights(
    graph: Graph, rng: np.random.Generator, kind: str, channel: int | None, node: Node | None = None
) -> Planted | None:
    nodes = linear(graph)
    if not nodes:
        return None
    node = node or nodes[rng.integers(len(nodes))]

    def other(values: np.ndarray) -> np.ndarray:
        if channel is None:
            return values * 1.5
        factors = np.ones(values.shape[-1])
        factors[channel] = -1
        return values * factors

    def build(inputs: tuple[Node, ...]) -> Node:
        return replace(node, inputs=(inputs[0], *(changed(i, other) for i in inputs[1:])))

    return Planted(kind, *put(graph, node, build), channel)


def off_zero(graph: Graph, rng: np.random.Generator) -> Planted | None:
    """A zero point that is 3 too large: of stored weights, or of an input."""
    nodes = [n for n in linear(graph) if isinstance(n.inputs[1].type.format, Affine)]
    nodes += [n for n in graph.inputs if isinstance(n.type.format, Affine)]
    if not nodes:
        return None
    node = nodes[rng.integers(len(nodes))]

    def build(inputs: tuple[Node, ...]) -> Node:
        if isinstance(node.op, Input):
            format = node.op.format
            assert isinstance(format, Affine)
            return replace(node, op=replace(node.op, format=replace(format, zero_point=format.zero_point + 3)))
        w = inputs[1].op
        assert isinstance(w, Constant)
        assert isinstance(w.format, Affine)
        zero = replace(inputs[1], op=Constant(w.value, replace(w.format, zero_point=w.format.zero_point + 3)))
        return replace(node, inputs=(inputs[0], zero, *inputs[2:]))

    return Planted("zero point", *put(graph, node, build))


def misrounded(graph: Graph, rng: np.random.Generator) -> Planted | None:
    """One quantizer that truncates."""
    nodes = [
        n
        for n in graph.nodes
        if isinstance(n.op, Quantize) and n.op.rounding is not Rounding.TRN and not n.op.inserted.startswith("index")
    ]
    if not nodes:
        return None
    node = nodes[rng.integers(len(nodes))]
    return Planted(
        "rounding", *put(graph, node, lambda i: replace(node, inputs=i, op=replace(node.op, rounding=Rounding.TRN)))
    )


def rescaled(graph: Graph, rng: np.random.Generator) -> Planted | None:
    """A zero point that is 3 too large, or another rounding, in a change of scale by multiplier and shift."""
    nodes = [n for n in graph.nodes if isinstance(n.op, MultiplyShift)]
    if not nodes:
        return None
    node = nodes[rng.integers(len(nodes))]
    assert isinstance(node.op, MultiplyShift)
    format = node.op.format
    assert isinstance(format, Affine)
    if rng.random() < 0.5 and isinstance(format.zero_point, int):
        op = replace(node.op, format=replace(format, zero_point=format.zero_point + 3))
    else:
        op = replace(node.op, scaling=Scaling.REDUCED)
    return Planted("rescale", *put(graph, node, lambda i: replace(node, inputs=i, op=op)))


def swapped(graph: Graph, rng: np.random.Generator) -> Planted | None:
    """Two operands of a concatenation, exchanged."""
    nodes = [n for n in graph.nodes if isinstance(n.op, Concat) and len({i.shape for i in n.inputs}) < len(n.inputs)]
    nodes = [n for n in nodes if n.inputs[0].shape == n.inputs[1].shape and n.inputs[0] is not n.inputs[1]]
    if not nodes:
        return None
    node = nodes[rng.integers(len(nodes))]
    return Planted("concat", *put(graph, node, lambda i: replace(node, inputs=(i[1], i[0], *i[2:]))))


FAULTS = (scaled, negated, off_zero, misrounded, swapped)


def plant(graph: Graph, rng: np.random.Generator, x: list[np.ndarray], faults: tuple = FAULTS) -> Planted:  # type: ignore[type-arg]
    """Plant a fault that can be seen on these samples: the layer's own result changes by at least 1 %."""
    good = list(trace(graph, x if len(x) > 1 else x[0]).values())
    for _ in range(400):
        try:
            found = faults[rng.integers(len(faults))](graph, rng)
            if found is None or (not all(n.type.is_integer for n in found.graph.nodes) and graph.is_integer):
                continue
            values = trace(found.graph, x if len(x) > 1 else x[0])
        except GatewrightError:
            continue
        if found.kind == "zero point" and isinstance(found.node.op, Input):
            return found
        if _visible(graph, found, good, values, 0.0 if found.kind in ("rounding", "rescale") else 0.01):
            return found
    raise AssertionError("no fault can be planted")


def _visible(
    graph: Graph, found: Planted, good: list[np.ndarray], values: dict[Node, np.ndarray], least: float
) -> bool:
    """Compare by the name of the layer, because the order of nodes may have changed."""
    pairs = [
        (values_of(n, v), values_of(m, w))
        for n, v in zip(graph.nodes, good, strict=True)
        for m, w in ((found.node, values[found.node]),)
        if n.where == m.where and type(n.op) is type(m.op) and n.shape == m.shape
    ]
    apart = [np.sqrt(np.mean((a - b) ** 2)) / (np.sqrt(np.mean(a**2)) + 1e-12) for a, b in pairs]
    return min(apart, default=0.0) > least


def affine_network(seed: int) -> Graph:
    """An int8 network as quantized runtimes have them: a zero point at each tensor, a scale a channel of weights."""
    rng = np.random.default_rng(seed)

    def scale(low: float, high: float) -> Fraction:
        return Fraction(int(rng.uniform(low, high) * 4096), 4096)

    def weights(shape: tuple[int, ...], name: str) -> Node:
        scales = Grid(np.array([scale(0.002, 0.01) for _ in range(shape[-1])], dtype=object))
        return Node(Constant(Array(rng.integers(-127, 128, shape)), Affine(8, True, scales)), (), f"{name}/weights")

    def quantized(node: Node, name: str) -> Node:
        low, high = node.type.real_range or (-1.0, 1.0)
        unit = Fraction(round((high - low) / 255 / 4 * 4096) or 1, 4096)
        return Node(Quantize(Affine(8, True, unit, int(rng.integers(-20, 20))), Rounding.RND_INF), (node,), name)

    def conv(h: Node, size: int, filters: int, name: str) -> Node:
        pads = ((size // 3, size // 3),) * 2
        stride = 1 if size == 3 else 2
        w = weights((size, size, h.shape[-1], filters), name)
        return quantized(Node(Conv((stride, stride), pads, (1, 1)), (h, w), name), name)

    x = Node(Input("x", (8, 8, 3), Affine(8, True, Fraction(1, 64), -5)), (), "x")
    h = conv(conv(x, 3, 6, "conv0"), 3, 6, "conv1")
    joined = quantized(Node(Concat(2), (conv(h, 2, 4, "left"), conv(h, 2, 4, "right")), "joined"), "joined")
    flat = Node(Reshape((joined.type.size,)), (joined,), "flat")
    head = quantized(Node(Dense(), (flat, weights((flat.shape[0], 5), "head")), "head"), "head")
    return Graph((x,), (Node(Output("y"), (head,)),), "affine")
