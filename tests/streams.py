"""Small networks of integers that remember, and what they give when their states are fed by hand."""

from collections.abc import Callable, Sequence

import numpy as np

from gatewright.graph import Array, Fixed, Graph, NDArray, Node, State, evaluate
from gatewright.graph.ops import (
    Add,
    Concat,
    Constant,
    Conv,
    Dense,
    Input,
    MaxPool,
    Mul,
    Output,
    Quantize,
    Relu,
    Reshape,
    Slice,
)

BYTE = Fixed(8, 3)


def entry(name: str, *shape: int, format: Fixed = BYTE) -> Node:
    """Give an input."""
    return Node(Input(name, shape, format), (), name)


def state(before: Node, after: Node, initial: "np.typing.ArrayLike" = 0) -> State:
    """Let a node be what an input is in the next step; it begins with stored integers."""
    name = before.op.name  # type: ignore[attr-defined]
    return State(before, Node(Output(name), (after,), name), Array(np.broadcast_to(initial, before.shape)))


def numbers(seed: int, *shape: int) -> Node:
    """Give constant integers of 5 bits."""
    return Node(Constant(Array(np.random.default_rng(seed).integers(-16, 16, shape)), Fixed(5, 2)), (), f"w{seed}")


def into(x: Node, where: str = "") -> Node:
    """Bring a value to bytes."""
    return Node(Quantize(BYTE), (x,), where)


def window() -> Graph:
    """A convolution over the last 4 frames, then one over its last 3 results."""
    x, frames, rows = entry("x", 6), entry("frames", 3, 6), entry("rows", 2, 8)

    def layer(kept: Node, x: Node, seed: int, filters: int) -> tuple[Node, Node]:
        frame = Node(Concat(0), (kept, _shaped(x, 1, x.type.size)), f"window{seed}")
        length, width = frame.shape
        shifted = Node(Slice((1, 0), (length, width), (1, 1)), (frame,), f"shift{seed}")
        made = Node(Conv((1,), ((0, 0),), (1,)), (frame, numbers(seed, length, width, filters)), f"conv{seed}")
        return into(Node(Relu(), (_shaped(made, filters),), f"relu{seed}"), f"relu{seed}"), shifted

    first, frames_next = layer(frames, x, 1, 8)
    second, rows_next = layer(rows, first, 2, 5)
    return Graph((x,), (Node(Output("y"), (second,)),), "window", states=(
        state(frames, frames_next), state(rows, rows_next, np.arange(16).reshape(2, 8)),
    ))  # fmt: skip


def _shaped(x: Node, *shape: int) -> Node:
    return Node(Reshape(shape), (x,))


def recurrence() -> Graph:
    """A gated unit: what is kept is read by a product and by what mixes it with the new; it is an output too."""
    x, h = entry("x", 5), entry("h", 7)
    seen = into(Node(Add(), (Node(Dense(), (x, numbers(3, 5, 7))), Node(Dense(), (h, numbers(4, 7, 7))))), "seen")
    new = Node(Relu(), (seen,), "new")
    mixed = into(Node(Add(), (Node(Mul(), (h, numbers(5, 7))), new), "mix"), "kept")
    return Graph((x,), (Node(Output("kept"), (mixed,)), Node(Output("seen"), (seen,))), "recurrence", states=(
        state(h, mixed, np.arange(7) * 9 - 20),
    ))  # fmt: skip


def exchange() -> Graph:
    """Two states that change places, one that only the input fills, one that nothing assigns."""
    x, a, b, late, fixed = (entry(n, 4) for n in ("x", "a", "b", "late", "fixed"))
    total = into(Node(Add(), (Node(Add(), (a, late)), fixed)), "sum")
    return Graph((x,), (Node(Output("y"), (total,)), Node(Output("b"), (b,))), "exchange", states=(
        state(a, b, [1, 2, 3, 4]), state(b, a, [-9, 8, -7, 6]), state(late, x), state(fixed, fixed, [5, 0, 0, -5]),
    ))  # fmt: skip


def read_again() -> Graph:
    """A state that is read on both sides of what becomes its next value, in other orders."""
    x, h = entry("x", 3, 4), entry("h", 3, 4)
    after = into(Node(Add(), (Node(Mul(), (h, numbers(6, 3, 4))), x)), "after")
    turned = Node(Slice((2, 0), (None, 4), (-1, 1)), (h,), "turned")
    both = into(Node(Add(), (Node(Add(), (turned, after)), h)), "both")
    return Graph((x,), (Node(Output("y"), (both,)),), "read_again", states=(state(h, after, 3),))


def spectrogram() -> Graph:
    """Convolutions over an image of 32 frames of which each step brings one."""
    x, past = entry("x", 1, 32, 1), entry("past", 31, 32, 1)
    image = Node(Concat(0), (past, x), "image")
    after = Node(Slice((1, 0, 0), (32, 32, 1), (1, 1, 1)), (image,), "shift")
    h = image
    for i, channels in enumerate((1, 8)):
        h = Node(Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (h, numbers(20 + i, 3, 3, channels, 8)), f"conv{i}")
        h = into(Node(Relu(), (h,), f"relu{i}"), f"relu{i}")
    h = Node(MaxPool((4, 4), (4, 4), ((0, 0), (0, 0)), (1, 1)), (h,), "pool")
    y = into(Node(Dense(), (_shaped(h, h.type.size), numbers(30, h.type.size, 4)), "fc"), "fc")
    return Graph((x,), (Node(Output("y"), (y,)),), "spectrogram", states=(state(past, after, 1),))


NETWORKS: tuple[Callable[[], Graph], ...] = (window, recurrence, exchange, read_again)


def frames(graph: Graph, count: int, seed: int = 0) -> list[NDArray]:
    """Draw stored integers [count, *shape] for every input."""
    rng = np.random.default_rng(seed)
    return [
        rng.integers(int(n.type.quantized.bounds[0]), int(n.type.quantized.bounds[1]) + 1, (count, *n.shape))
        for n in graph.inputs
    ]


def by_hand(graph: Graph, fed: Sequence[NDArray]) -> list[NDArray]:
    """Compute the outputs, stored, with a graph that has every state as an input and an output."""
    entries, nexts = [s.entry for s in graph.states], [s.next for s in graph.states]
    renamed = [Node(Output(f"next{i}"), n.inputs) for i, n in enumerate(nexts)]
    open_graph = Graph((*graph.inputs, *entries), (*graph.outputs, *renamed))
    kept = [s.initial.data for s in graph.states]
    rows: list[list[NDArray]] = []
    for k in range(len(fed[0])):
        found = evaluate(open_graph, [*(v[k : k + 1] for v in fed), *(v[None] for v in kept)], integers=True)
        values = [v[0] for v in found]
        rows.append(values[: len(graph.outputs)])
        kept = values[len(graph.outputs) :]
    return [np.stack(column) for column in zip(*rows, strict=True)]
