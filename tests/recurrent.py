"""Recurrent layers as graphs, for tests of lowering and of the back ends."""

import numpy as np

from gatewright.graph import Array, Graph, Node
from gatewright.graph.ops import (
    Activation,
    Add,
    Concat,
    Constant,
    Dense,
    Input,
    Mul,
    Output,
    Scan,
    Slice,
    Softmax,
    Sub,
)


def real(value: np.ndarray) -> Node:
    return Node(Constant(Array(np.asarray(value, np.float32))))


def part(x: Node, index: int, units: int) -> Node:
    return Node(Slice((index * units,), ((index + 1) * units,), (1,)), (x,))


def lstm(steps: int, channels: int, units: int, *, seed: int = 0, reverse: bool = False, last: bool = False) -> Graph:
    """One LSTM layer over [steps, channels]: Keras's gates, the emission is the hidden state."""
    rng = np.random.default_rng(seed)
    x, h, c = (Node(Input(name, (size,)), (), "lstm") for name, size in (("x", channels), ("h", units), ("c", units)))
    w = real(rng.normal(0, 0.6, (channels + units, 4 * units)))
    b = real(rng.normal(0, 0.3, 4 * units))
    z = Node(Dense(), (Node(Concat(0), (x, h), "lstm"), w, b), "lstm")
    gates = [
        Node(Activation("tanh" if k == 2 else "sigmoid"), (part(z, k, units),), f"lstm/{name}")
        for k, name in enumerate(("input", "forget", "cell", "output"))
    ]
    kept = Node(Mul(), (gates[1], c), "lstm/kept")
    new_c = Node(Add(), (kept, Node(Mul(), (gates[0], gates[2]), "lstm/added")), "lstm/state")
    new_h = Node(Mul(), (gates[3], Node(Activation("tanh"), (new_c,), "lstm/squashed")), "lstm/hidden")
    body = Graph((x, h, c), tuple(Node(Output(n), (v,)) for n, v in (("h", new_h), ("c", new_c), ("y", new_h))))
    zero = real(np.zeros(units))
    sequence = Node(Input("x", (steps, channels)))
    scan = Node(Scan(body, steps, 1, 2, reverse, last), (sequence, zero, zero), "lstm")
    return Graph((sequence,), (Node(Output("y"), (scan,)),), "recurrent")


def lstm_and_dense(steps: int, channels: int, units: int, *, seed: int = 0) -> Graph:
    """A sequence of hidden states, a second LSTM that gives its last one, a dense layer."""
    first = lstm(steps, channels, units, seed=seed)
    second = lstm(steps, units, units, seed=seed + 1, reverse=True, last=True)
    scan = second.outputs[0].inputs[0]
    inner = Node(scan.op, (first.outputs[0].inputs[0], *scan.inputs[1:]), "lstm_1")
    rng = np.random.default_rng(seed)
    y = Node(Dense(), (inner, real(rng.normal(0, 0.5, (units, 3))), real(rng.normal(0, 0.5, 3))), "dense")
    return Graph(first.inputs, (Node(Output("y"), (y,)),), "recurrent")


def gru(steps: int, channels: int, units: int, *, seed: int = 0) -> Node:
    """One GRU layer over [steps, channels], as Keras has it after version 2: the last hidden state."""
    rng = np.random.default_rng(seed)
    x, h = (Node(Input(name, (size,)), (), "gru") for name, size in (("x", channels), ("h", units)))

    def gates(v: Node, size: int) -> Node:
        w, b = real(rng.normal(0, 0.5, (size, 3 * units))), real(rng.normal(0, 0.2, 3 * units))
        return Node(Dense(), (v, w, b), "gru")

    a, b = gates(x, channels), gates(h, units)
    z, r = (
        Node(Activation("sigmoid"), (Node(Add(), (part(a, k, units), part(b, k, units)), "gru"),), f"gru/{name}")
        for k, name in enumerate(("update", "reset"))
    )
    kept = Node(Mul(), (r, part(b, 2, units)), "gru/kept")
    new = Node(Activation("tanh"), (Node(Add(), (part(a, 2, units), kept), "gru"),), "gru/new")
    step = Node(Mul(), (z, Node(Sub(), (h, new), "gru")), "gru/step")
    state = Node(Add(), (new, step), "gru/state")
    body = Graph((x, h), tuple(Node(Output(n), (state,)) for n in "hy"))
    sequence = Node(Input("x", (steps, channels)))
    return Node(Scan(body, steps, 1, 1, False, True), (sequence, real(np.zeros(units))), "gru")


def spotter(steps: int = 49, channels: int = 10, units: int = 32, words: int = 12) -> Graph:
    """A keyword spotter over spectra: a GRU layer, a dense layer, softmax; its weights are drawn."""
    rng = np.random.default_rng(1)
    state = gru(steps, channels, units)
    w, b = real(rng.normal(0, 0.4, (units, words))), real(rng.normal(0, 0.2, words))
    scores = Node(Softmax(0), (Node(Dense(), (state, w, b), "dense"),), "softmax")
    return Graph(state.inputs[:1], (Node(Output("words"), (scores,)),), "spotter")
