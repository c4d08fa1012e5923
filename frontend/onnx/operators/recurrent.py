"""RNN, GRU and LSTM: each direction is one scan over the steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....graph import Graph, NDArray, Node
from ....graph.ops import Concat, Input, Output, Reshape, Scan, Transpose
from ..registry import Absent, Call, Known, Moved, Value, operator
from .cells import (
    Squash,
    Step,
    Weights,
    coupled_lstm_step,
    gru_step,
    linear_gru_step,
    lstm_step,
    rnn_step,
    squashes,
)
from .slicing import sliced

DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
"""Whether the steps of each direction run backwards."""


@dataclass(frozen=True, eq=False)
class Layer:
    """What the three operators share. ``x`` is [steps, *batch, channels], ``batch`` empty where samples go alone."""

    x: Node
    backwards: tuple[bool, ...]
    batch_last: bool
    weights: tuple[Weights, ...]
    starts: tuple[tuple[Node, ...], ...]
    """The initial states of each direction [*batch, units]."""

    @property
    def steps(self) -> int:
        """The length of the sequences."""
        return self.x.shape[0]

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch, where it is an axis of ``x``."""
        return self.x.shape[1:-1]


@operator("RNN")
def rnn(call: Call) -> list[Node | Value]:
    """``h = f(x W + h R + b)``."""
    layer = _read(call, gates=1, states=1)
    made = squashes(call, len(layer.backwards), ("Tanh",))
    return _run(call, layer, rnn_step, [[s] for s in made])


@operator("GRU")
def gru(call: Call) -> list[Node | Value]:
    """Gated recurrent unit; the reset gate before or after the recurrent matrix (``linear_before_reset``)."""
    layer = _read(call, gates=3, states=1)
    step = linear_gru_step if call.attributes.boolean("linear_before_reset", 0) else gru_step
    made = squashes(call, 2 * len(layer.backwards), ("Sigmoid", "Tanh"))
    return _run(call, layer, step, [made[k : k + 2] for k in range(0, len(made), 2)])


@operator("LSTM")
def lstm(call: Call) -> list[Node | Value]:
    """Long short-term memory, with peepholes where there are any."""
    layer = _read(call, gates=4, states=2)
    step = coupled_lstm_step if call.attributes.boolean("input_forget", 0) else lstm_step
    made = squashes(call, 3 * len(layer.backwards), ("Sigmoid", "Tanh", "Tanh"))
    return _run(call, layer, step, [made[k : k + 3] for k in range(0, len(made), 3)])


def _read(call: Call, *, gates: int, states: int) -> Layer:
    backwards = DIRECTIONS[call.attributes.choice("direction", *DIRECTIONS, default="forward")]
    batch_first = call.attributes.boolean("layout", 0)
    x = _sequence(call, batch_first)
    steps, batch, channels = x.shape[0], x.shape[1:-1], x.shape[-1]
    _check_lengths(call, steps)
    weights = _weights(call, len(backwards), gates, channels)
    if call.attributes.integer("hidden_size", weights[0].units) != weights[0].units:
        raise call.misfit(f"hidden_size does not fit {weights[0].units} units of the weights")
    shape = (*batch, weights[0].units)
    first = 5
    starts = [_start(call, first + k, len(backwards), shape, batch_first) for k in range(states)]
    return Layer(x, backwards, not batch_first, weights, tuple(zip(*starts, strict=True)))


def _sequence(call: Call, batch_first: bool) -> Node:
    """Give the sequences [steps, *batch, channels]."""
    moved = call.moved(0)
    if moved is not None:
        if batch_first or moved.axis != 1:
            raise call.refuse("the batch is not where the operator has it", "axis 1, or axis 0 with layout = 1")
        return _sound(call, moved.node, 2)
    x = call.flow(0)
    if call.lead:
        if not batch_first:
            raise call.refuse("axis 0 is the time, not the batch", "transpose [batch, time, channels] before it")
        return _sound(call, x, 2)
    return call.node(Transpose((1, 0, 2)), _sound(call, x, 3)) if batch_first else _sound(call, x, 3)


def _sound(call: Call, x: Node, rank: int) -> Node:
    if len(x.shape) != rank:
        raise call.misfit(f"reads sequences of vectors, got samples of shape {x.shape}")
    return x


def _check_lengths(call: Call, steps: int) -> None:
    lengths = call.optional(4)
    if lengths is None:
        return
    if not isinstance(lengths, Known) or any(bool((v != steps).any()) for v in lengths.variants):
        raise call.refuse("sequence_lens other than the whole length", "leave it out, or mask the sequences")


def _weights(call: Call, directions: int, gates: int, channels: int) -> tuple[Weights, ...]:
    w, r = call.array(1), call.array(2)
    if w.ndim != 3 or r.ndim != 3 or len(w) != directions or w.shape[2] != channels or w.shape[1] % gates:
        raise call.misfit(f"weights of shapes {w.shape} and {r.shape} for {directions} directions, {channels} channels")
    units = w.shape[1] // gates
    if r.shape != (directions, gates * units, units):
        raise call.misfit(f"recurrent weights of shape {r.shape} for {units} units")
    none = np.zeros((directions, 2 * gates * units), np.float32)
    b = none if call.optional(3) is None else call.array(3)
    peephole = call.array(7) if gates == 4 and call.optional(7) is not None else None
    if b.shape != none.shape or (peephole is not None and peephole.shape != (directions, 3 * units)):
        raise call.misfit(f"biases of shape {b.shape} for {units} units")
    half = gates * units
    return tuple(
        Weights(w[d], r[d], b[d, :half], b[d, half:], None if peephole is None else peephole[d])
        for d in range(directions)
    )


def _start(call: Call, i: int, directions: int, shape: tuple[int, ...], batch_first: bool) -> list[Node]:
    """Give an initial state for each direction, [*batch, units]; zeros where it is left out."""
    moved = call.moved(i)
    if moved is not None:
        whole = moved.node if moved.axis == (0 if batch_first else 1) else None
    else:
        value = call.optional(i)
        if value is None:
            return [call.constant(np.zeros(shape, np.float32))] * directions
        if isinstance(value, Known):
            return [call.constant(v) for v in _constant_start(call, value, directions, shape, batch_first)]
        whole = value.node if batch_first or not call.lead else None
    if whole is None:
        raise call.refuse(f"axis 0 of input {i} is not the batch", "give it as [directions, batch, units]")
    if batch_first and not call.lead:
        whole = call.node(Transpose((1, 0, 2)), whole)
    if whole.shape != (directions, *shape):
        raise call.misfit(f"an initial state of shape {whole.shape} for {directions} directions of {shape}")
    parts = [sliced(call, whole, {0: slice(d, d + 1)}) for d in range(directions)]
    return [call.node(Reshape(shape), part) for part in parts]


def _constant_start(
    call: Call, value: Known, directions: int, shape: tuple[int, ...], batch_first: bool
) -> list[NDArray]:
    found = []
    for array in value.variants:
        v = call.real(array)
        if v.ndim != 3:
            raise call.misfit(f"an initial state of shape {v.shape}")
        v = v.swapaxes(0, 1) if batch_first else v
        if call.lead:
            if (v != v[:, :1]).any():
                raise call.refuse("the initial state differs by sample", "start all samples alike")
            v = v[:, 0]
        found.append(v)
    if any(v.shape != (directions, *shape) or (v != found[0]).any() for v in found):
        raise call.misfit(f"an initial state of shape {found[0].shape} for {directions} directions of {shape}")
    return list(found[0])


def _run(call: Call, layer: Layer, step: Step, squash: Sequence[Sequence[Squash]]) -> list[Node | Value]:
    """Give Y, Y_h and, for two states, Y_c, as far as anything reads them."""
    count = len(layer.starts[0])
    wanted = [*call.wanted, False, False, False][: count + 1]
    stacked: list[Node] = []
    finals: list[list[Node]] = [[] for _ in range(count)]
    for d, backwards in enumerate(layer.backwards):
        emits = count > 1 and wanted[2]
        last = not wanted[0]
        scan = _scan(call, layer, d, step, squash[d], both=emits, last=last)
        end = scan if last else _step_of(call, scan, 0 if backwards else layer.steps - 1)
        units, axis = layer.weights[d].units, len(layer.batch)
        for k, final in enumerate(finals):
            final.append(sliced(call, end, {axis: slice(k * units, (k + 1) * units)}) if emits else end)
        stacked.append(scan if last or not emits else sliced(call, scan, {axis + 1: slice(0, units)}))
    results: list[Node | Value] = [
        _sequences(call, layer, stacked) if wanted[0] else Absent("nothing reads the sequence")
    ]
    return results + [_ends(call, layer, final) for final in finals]


def _scan(call: Call, layer: Layer, d: int, step: Step, squash: Sequence[Squash], *, both: bool, last: bool) -> Node:
    weights, starts = layer.weights[d], layer.starts[d]
    x = Node(Input("x", layer.x.shape[1:]), (), f"{call.name}/x")
    states = tuple(Node(Input(f"state{k}", s.shape), (), f"{call.name}/state{k}") for k, s in enumerate(starts))
    nexts = step(call, weights, squash, x, states)
    emitted = call.node(Concat(len(layer.batch)), *nexts) if both else nexts[0]
    outputs = [Node(Output(f"next{k}"), (v,), call.name) for k, v in enumerate(nexts)]
    body = Graph((x, *states), (*outputs, Node(Output("y"), (emitted,), call.name)), call.name)
    return call.node(Scan(body, layer.steps, 1, len(states), layer.backwards[d], last), layer.x, *starts)


def _step_of(call: Call, scan: Node, k: int) -> Node:
    return call.node(Reshape(scan.shape[1:]), sliced(call, scan, {0: slice(k, k + 1)}))


def _sequences(call: Call, layer: Layer, parts: list[Node]) -> Node | Value:
    """Give [steps, directions, batch, units], or [batch, steps, directions, units]."""
    rows = [call.node(Reshape((p.shape[0], 1, *p.shape[1:])), p) for p in parts]
    joined = rows[0] if len(rows) == 1 else call.node(Concat(1), *rows)
    if call.lead:
        return Moved(joined, call.type(), 2) if layer.batch_last else joined
    return joined if layer.batch_last else call.node(Transpose((2, 0, 1, 3)), joined)


def _ends(call: Call, layer: Layer, parts: list[Node]) -> Node | Value:
    """Give [directions, batch, units], or [batch, directions, units]."""
    rows = [call.node(Reshape((1, *p.shape)), p) for p in parts]
    joined = rows[0] if len(rows) == 1 else call.node(Concat(0), *rows)
    if call.lead:
        return Moved(joined, call.type(), 1) if layer.batch_last else joined
    return joined if layer.batch_last else call.node(Transpose((1, 0, 2)), joined)
