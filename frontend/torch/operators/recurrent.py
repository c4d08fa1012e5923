"""LSTM, GRU and RNN: each direction of each layer is one scan over the steps.

Formulas: the documentation of torch.nn.LSTM, GRU and RNN.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ....graph import Graph, Node
from ....graph.ops import Activation, Add, Concat, Dense, Input, Mul, Output, Relu, Reshape, Scan, Slice, Sub
from ..broadcast import sample
from ..registry import Build, Call, Results, operator
from ..values import Absent, Flow, Known, Place

States = tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Weights:
    """Of one direction of one layer: [channels, gates * units], [units, gates * units], biases, projection."""

    w: Node
    r: Node
    w_bias: Node | None
    r_bias: Node | None
    projection: Node | None


Step = Callable[[Call, Weights, Node, States], States]
"""From one step of the sequence [channels] and the states to the next states, hidden first."""


def _dense(call: Call, x: Node, w: Node, bias: Node | None) -> Node:
    return call.node(Dense(), x, w) if bias is None else call.node(Dense(), x, w, bias)


def _gates(call: Call, z: Node, count: int) -> list[Node]:
    n = z.shape[0] // count
    return [call.node(Slice((k * n,), ((k + 1) * n,), (1,)), z) for k in range(count)]


def _apply(call: Call, function: str, x: Node) -> Node:
    return call.node(Activation(function), x)


def _sum(call: Call, v: Weights, x: Node, h: Node) -> Node:
    return call.node(Add(), _dense(call, x, v.w, v.w_bias), _dense(call, h, v.r, v.r_bias))


def _lstm(call: Call, v: Weights, x: Node, states: States) -> States:
    """Gates in the order input, forget, cell, output."""
    hidden, cell = states
    i, f, g, o = _gates(call, _sum(call, v, x, hidden), 4)
    kept = call.node(Mul(), _apply(call, "sigmoid", f), cell)
    after = call.node(Add(), kept, call.node(Mul(), _apply(call, "sigmoid", i), _apply(call, "tanh", g)))
    out = call.node(Mul(), _apply(call, "sigmoid", o), _apply(call, "tanh", after))
    return (out if v.projection is None else call.node(Dense(), out, v.projection)), after


def _gru(call: Call, v: Weights, x: Node, states: States) -> States:
    """Gates in the order reset, update, new; the reset gate acts after the recurrent matrix."""
    own = _gates(call, _dense(call, x, v.w, v.w_bias), 3)
    back = _gates(call, _dense(call, states[0], v.r, v.r_bias), 3)
    reset, update = (_apply(call, "sigmoid", call.node(Add(), own[k], back[k])) for k in (0, 1))
    new = _apply(call, "tanh", call.node(Add(), own[2], call.node(Mul(), reset, back[2])))
    rest = call.node(Mul(), call.node(Sub(), call.constant(np.float32(1)), update), new)
    return (call.node(Add(), rest, call.node(Mul(), update, states[0])),)


def _rnn_tanh(call: Call, v: Weights, x: Node, states: States) -> States:
    return (_apply(call, "tanh", _sum(call, v, x, states[0])),)


def _rnn_relu(call: Call, v: Weights, x: Node, states: States) -> States:
    return (call.node(Relu(), _sum(call, v, x, states[0])),)


CELLS: dict[str, tuple[Step, int]] = {
    "lstm": (_lstm, 4),
    "gru": (_gru, 3),
    "rnn_tanh": (_rnn_tanh, 1),
    "rnn_relu": (_rnn_relu, 1),
}
"""The step of each, and how many gates its weights hold."""


def _cell(name: str) -> Build:
    return lambda call: _run(call, *CELLS[name])


for _name in CELLS:
    operator(_name)(_cell(_name))


def _run(call: Call, step: Step, gates: int) -> Results:
    """Give the sequence, the last hidden states, and the last cells of an LSTM."""
    if call.overload != "input":
        raise call.refuse("packed sequences of different lengths", "give whole sequences")
    x, batch_first = call.flow("input"), call.arguments.boolean("batch_first")
    if x.rank != 3:
        raise call.misfit(f"reads [batch, time, channels], got {call.shape(x)}", "give the input an axis for the batch")
    at = Place(0 if batch_first else 1)
    if not call.folding and x.place != at:
        raise call.refuse("the batch is not where the operator has it", "batch_first=True, with the batch as axis 0")
    if call.arguments.boolean("train") and call.arguments.real("dropout"):
        raise call.arguments.refusal("train", True, "export the model for inference: model.eval()")
    call.arguments.ignore("dropout", why="only training drops values")
    layers = call.integer("num_layers")
    both = call.arguments.boolean("bidirectional")
    weights = _weights(call, layers, 2 if both else 1, gates, x.node.shape[-1])
    starts = _starts(call, layers * (2 if both else 1), gates == 4)
    return _layers(call, step, x, weights, starts, at)


def _single(name: str) -> Build:
    step, gates = CELLS[name]

    def build(call: Call) -> Results:
        """One step of one layer."""
        x = call.front(call.flow("input"))
        values = call.tensors("hx") if name == "lstm" else [call.value("hx")]
        nodes = [call.weights(call.value(k), k, np.transpose) for k in ("w_ih", "w_hh")]
        biases = [None if call.optional(k) is None else call.constant(call.array(k), k) for k in ("b_ih", "b_hh")]
        v = Weights(nodes[0], nodes[1], biases[0], biases[1], None)
        if len(x.node.shape) != 1 or len(values) != 1 + (name == "lstm"):
            raise call.misfit(f"reads [batch, channels], got {call.shape(x)}")
        _check(call, v, gates, x.node.shape[0])
        states = tuple(_state(call, value) for value in values)
        return [x.on(n) for n in step(call, v, x.node, states)]

    return build


def _state(call: Call, value: Flow | Known) -> Node:
    """Give a state [batch, units] of one sample."""
    if isinstance(value, Known):
        array = value.at(0)[:1] if call.folding else sample(call, value, Place(0), 2, "the initial state")
        return call.constant(array.reshape(-1), "state")
    return call.front(call.as_flow(value, "hx")).node


for _name in CELLS:
    operator(f"{_name}_cell")(_single(_name))


def _weights(call: Call, layers: int, directions: int, gates: int, channels: int) -> list[list[Weights]]:
    """Read the weights of every layer and direction."""
    given, biases = call.tensors("params"), call.arguments.boolean("has_biases")
    each = len(given) // max(layers * directions, 1)
    projected = each == 3 + 2 * biases
    if layers < 1 or len(given) != each * layers * directions or each not in (2 + 2 * biases, 3 + 2 * biases):
        raise call.misfit(f"{len(given)} weights for {layers} layers in {directions} directions")
    found = []
    for layer in range(layers):
        row = []
        for d in range(directions):
            part = given[each * (layer * directions + d) :][:each]
            nodes = [call.weights(v, "weight", np.transpose) for v in part]
            w_bias, r_bias = (nodes[2], nodes[3]) if biases else (None, None)
            row.append(Weights(nodes[0], nodes[1], w_bias, r_bias, nodes[-1] if projected else None))
            _check(call, row[-1], gates, channels)
        found.append(row)
        channels = directions * row[0].r.shape[0]
    return found


def _check(call: Call, v: Weights, gates: int, channels: int) -> None:
    wide = v.w.shape[1] if len(v.w.shape) == 2 else 0
    hidden = v.projection.shape[1] if v.projection is not None else wide // gates
    if not wide or wide % gates or v.w.shape[0] != channels or v.r.shape != (hidden, wide):
        raise call.misfit(f"weights of shapes {v.w.shape} and {v.r.shape} for {channels} channels")


def _starts(call: Call, count: int, cells: bool) -> list[list[Node]]:
    """Give the initial states: for each kind one [units] for each layer and direction."""
    values = call.tensors("hx") if cells else [call.value("hx")]
    if len(values) != 1 + cells:
        raise call.misfit(f"{len(values)} initial states")
    found = []
    for value in values:
        if isinstance(value, Known):
            if value.at(0).ndim != 3:
                raise call.misfit(f"an initial state of shape {value.at(0).shape}")
            rows = call.real(value.at(0) if call.folding else sample(call, value, Place(1), 3, "the initial state"))
            found.append([call.constant(row, "state") for row in rows])
        else:
            state = call.as_flow(value, "hx")
            if state.rank != 3 or (state.place != Place(1) and not call.folding):
                raise call.refuse("axis 1 of an initial state is not the batch", "permute [batch, layers, units] to it")
            found.append([_row(call, state.node, k) for k in range(state.node.shape[0])])
        if len(found[-1]) != count:
            raise call.misfit(f"{len(found[-1])} initial states for {count} layers and directions")
    return found


def _row(call: Call, x: Node, k: int) -> Node:
    """Give ``x[k]`` along axis 0."""
    rest = x.shape[1:]
    cut = call.node(Slice((k, *(0,) * len(rest)), (k + 1, *rest), (1,) * len(x.shape)), x)
    return call.node(Reshape(rest), cut)


def _layers(
    call: Call, step: Step, x: Flow, weights: list[list[Weights]], starts: list[list[Node]], at: Place
) -> Results:
    sequence = x.node
    ends: list[list[Node]] = [[] for _ in starts]
    for layer, row in enumerate(weights):
        parts = []
        for d, v in enumerate(row):
            states = tuple(kind[layer * len(row) + d] for kind in starts)
            hidden, last = _direction(call, step, v, sequence, states, reverse=d == 1)
            parts.append(hidden)
            for kind, node in zip(ends, last, strict=False):
                kind.append(node)
        sequence = parts[0] if len(parts) == 1 else call.node(Concat(1), *parts)
    place = None if call.folding else at
    results: list[Flow | Absent] = [Flow(sequence, place)]
    for kind in ends:
        results.append(Flow(_stacked(call, kind), None if call.folding else Place(1)) if kind else Absent("the cells"))
    return results


def _direction(
    call: Call, step: Step, v: Weights, x: Node, states: States, *, reverse: bool
) -> tuple[Node, list[Node]]:
    """Give the hidden states of all steps [steps, units], and the last states."""
    entry = Node(Input("x", x.shape[1:]), (), f"{call.name}/x")
    inside = tuple(Node(Input(f"state{k}", s.shape), (), f"{call.name}/state{k}") for k, s in enumerate(states))
    nexts = step(call, v, entry, inside)
    whole = len(nexts) > 1 and call.wanted[2:3] == (True,)  # the last cells are read
    emitted = call.node(Concat(0), *nexts) if whole else nexts[0]
    outputs = [Node(Output(f"next{k}"), (n,), call.name) for k, n in enumerate(nexts)]
    body = Graph((entry, *inside), (*outputs, Node(Output("y"), (emitted,), call.name)), call.name)
    scan = call.node(Scan(body, x.shape[0], 1, len(states), reverse), x, *states)
    end = _row(call, scan, 0 if reverse else x.shape[0] - 1)
    if not whole:
        return scan, [end]
    units = nexts[0].shape[0]
    hidden = call.node(Slice((0, 0), (x.shape[0], units), (1, 1)), scan)
    return hidden, [call.node(Slice((a,), (b,), (1,)), end) for a, b in ((0, units), (units, end.shape[0]))]


def _stacked(call: Call, rows: Sequence[Node]) -> Node:
    wide = [call.node(Reshape((1, *r.shape)), r) for r in rows]
    return wide[0] if len(wide) == 1 else call.node(Concat(0), *wide)
