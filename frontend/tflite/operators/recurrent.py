"""Recurrent layers in floating point: one ``Scan`` with a step as its body, from states of zero.

Kernels: ``unidirectional_sequence_lstm.cc`` with ``lstm_eval.cc``, ``unidirectional_sequence_rnn.cc``, ``svdf.cc``.
An interpreter keeps the states from one inference to the next; here each inference starts from zero, as the
interpreter's does after ``reset_all_variables``.
"""

import numpy as np

from ....graph import Graph, Node
from ....graph.ops import (
    Activation,
    Add,
    Dense,
    Input,
    Maximum,
    Minimum,
    Mul,
    Output,
    Reduce,
    Reduction,
    Relu,
    Scan,
    Sub,
)
from ..registry import Call, Variable, operator

STATE_NOTE = "its state starts from zero in every inference; an interpreter would keep it until it is reset"
HYBRID = "hybrid kernels quantize activations by each sample's own range; convert with a representative dataset"


def sequence(call: Call, *, time_major: bool) -> Node:
    """Give input 0 as [steps, features]."""
    shape = call.info(0).shape
    if len(shape) != 3:
        raise call.misfit(f"a sequence of shape {shape}")
    if not time_major:
        return call.flow(0)
    if shape[1] != 1:
        raise call.refuse(f"a batch of {shape[1]} on axis 1", "convert the model with a batch of 1")
    return call.reshaped(call.whole(0), (shape[0], shape[2]))


def scanned(call: Call, body: Graph, x: Node, states: list[Node]) -> Node:
    """Run a step for each row of ``x``."""
    call.notes.append(f"{call.op} {call.name!r}: {STATE_NOTE}")
    return call.fitted(call.node(Scan(body, x.shape[0], 1, len(states)), x, *states))


def activated(call: Call, x: Node, name: str) -> Node:
    """Apply a fused activation of a recurrent kernel."""
    match name:
        case "NONE":
            return x
        case "RELU":
            return call.node(Relu(), x)
        case "TANH":
            return call.node(Activation("tanh"), x)
        case "RELU6":
            return call.node(Minimum(), call.node(Relu(), x), call.real(6.0, "six"))
        case "RELU_N1_TO_1":
            return clipped(call, x, 1.0)
    raise call.attributes.refusal("fused_activation_function", name, "NONE, RELU, RELU6 and TANH are supported")


def clipped(call: Call, x: Node, bound: float) -> Node:
    """Clip to [-bound, bound], where the bound is above zero."""
    if bound <= 0:
        return x
    return call.node(Minimum(), call.node(Maximum(), x, call.real(-bound, "least")), call.real(bound, "greatest"))


def read_state(call: Call, i: int) -> None:
    """Count a state tensor as read. Raises UnsupportedError where it is computed."""
    if not isinstance(call.value(i), Variable):
        raise call.refuse(f"input {i}, a state, is no variable of its own", "states start from zero")


def float_lstm(call: Call, x: Node, clips: tuple[float, float], activation: str) -> Node:
    """An LSTM in floating point over the rows of ``x``; ``clips`` of the cell and of the projection."""
    cells, units = call.array(2).shape[0], call.array(6).shape[1]
    step, hidden, cell = (_entry(n, (k,)) for n, k in (("x", x.shape[1]), ("h", units), ("c", cells)))
    peep = {0: 9, 1: 10, 3: 11}
    coupled = not call.has(1)

    def gate(k: int, state: Node) -> Node:
        total = call.node(Dense(), step, _matrix(call, 1 + k))
        total = call.node(Add(), total, call.node(Dense(), hidden, _matrix(call, 5 + k)))
        if k in peep and call.has(peep[k]):
            total = call.node(Add(), total, call.node(Mul(), state, call.real(call.array(peep[k]), f"peephole {k}")))
        if call.has(20 + k):
            total = call.node(Mul(), _normalized(call, total), call.real(call.array(20 + k), f"norm {k}"))
        return call.node(Add(), total, call.real(call.array(12 + k), f"bias {k}"))

    forget = call.node(Activation("sigmoid"), gate(1, cell))
    one = call.real(1.0, "one")
    enter = call.node(Sub(), one, forget) if coupled else call.node(Activation("sigmoid"), gate(0, cell))
    new = call.node(Mul(), enter, activated(call, gate(2, cell), activation))
    kept = clipped(call, call.node(Add(), call.node(Mul(), forget, cell), new), clips[0])
    leave = call.node(Activation("sigmoid"), gate(3, kept))
    made = call.node(Mul(), leave, activated(call, kept, activation))
    if call.has(16):
        bias = [call.real(call.array(17), "projection bias")] if call.has(17) else []
        made = clipped(call, call.node(Dense(), made, _matrix(call, 16), *bias), clips[1])
    elif call.has(17):
        raise call.misfit("a projection's bias without its weights")
    if coupled and any(call.has(i) for i in (5, 9, 12, 20)):
        raise call.misfit("weights of an input gate that is coupled to the forget gate")
    return scanned(call, body_of((step, hidden, cell), (made, kept, made)), x, _zeros(call, hidden, cell))


def _entry(name: str, shape: tuple[int, ...]) -> Node:
    return Node(Input(name, shape), (), name)


def body_of(entries: tuple[Node, ...], results: tuple[Node, ...]) -> Graph:
    """Give the graph of a step: sequence and states in, next states and the emission out."""
    return Graph(entries, tuple(Node(Output(f"y{i}"), (n,), f"y{i}") for i, n in enumerate(results)), "step")


def _zeros(call: Call, *states: Node) -> list[Node]:
    return [call.real(np.zeros(s.shape), f"state {i}") for i, s in enumerate(states)]


def _matrix(call: Call, i: int) -> Node:
    """Weights [out, in] as [in, out]."""
    array = call.array(i)
    if array.ndim != 2 or array.dtype != np.float32:
        raise call.refuse(f"input {i} is {array.dtype} of shape {array.shape}", HYBRID)
    return call.real(array.T, f"weights {i}")


def _normalized(call: Call, x: Node) -> Node:
    mean = call.node(Reduce(Reduction.MEAN, (0,), True), x)
    centred = call.node(Sub(), x, mean)
    spread = call.node(Reduce(Reduction.MEAN, (0,), True), call.node(Mul(), centred, centred))
    root = call.node(Activation("rsqrt"), call.node(Add(), spread, call.real(1e-8, "epsilon")))
    return call.node(Mul(), centred, root)


@operator("UNIDIRECTIONAL_SEQUENCE_RNN", versions=3)
def rnn(call: Call) -> Node:
    """``h = activation(W x + R h + b)``."""
    call.attributes.ignore("asymmetric_quantize_inputs", why="only hybrid kernels read it, and those are refused")
    x = sequence(call, time_major=call.attributes.boolean("time_major"))
    activation = call.activation()
    if call.info(0).type != "FLOAT32" or call.info(1).type != "FLOAT32":
        raise call.refuse(f"weights of {call.info(1).type} on {call.info(0).type}", HYBRID)
    read_state(call, 4)
    step, hidden = _entry("x", x.shape[1:]), _entry("h", (call.array(1).shape[0],))
    total = call.node(Add(), call.node(Dense(), step, _matrix(call, 1)), call.node(Dense(), hidden, _matrix(call, 2)))
    made = activated(call, call.node(Add(), total, call.real(call.array(3), "bias")), activation)
    return scanned(call, body_of((step, hidden), (made, made)), x, _zeros(call, hidden))
