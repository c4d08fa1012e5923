"""One step of RNN, GRU and LSTM: their equations, and the activations that they name.

Formulas: the definitions of RNN, GRU and LSTM (opset 22).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ....graph import NDArray, Node
from ....graph.ops import Activation, Add, Dense, Mul, Relu, Sub
from ..registry import Call
from .activations import clipped
from .pointwise import scaled
from .slicing import sliced

Squash = Callable[[Node], Node]

NUMBERS: dict[str, tuple[float | None, float | None]] = {
    "Relu": (None, None), "Tanh": (None, None), "Sigmoid": (None, None), "Softsign": (None, None),
    "Softplus": (None, None), "LeakyRelu": (0.01, None), "ThresholdedRelu": (1.0, None), "Elu": (1.0, None),
    "HardSigmoid": (0.2, 0.5), "Affine": (np.nan, np.nan), "ScaledTanh": (np.nan, np.nan),
}  # fmt: skip
"""Defaults of alpha and beta: None where a function has none, NaN where it must be given."""

PLAIN = {"Tanh": "tanh", "Sigmoid": "sigmoid", "Softsign": "softsign", "Softplus": "softplus"}


def squashes(call: Call, count: int, default: Sequence[str]) -> list[Squash]:
    """Read the activations: ``count`` of them, those of the second direction after those of the first."""
    names = call.attributes.take("activations", None) or list(default) * (count // len(default))
    alphas, betas = (list(call.attributes.take(f"activation_{k}", None) or ()) for k in ("alpha", "beta"))
    if len(names) != count:
        raise call.attributes.refusal("activations", names, f"give {count} names")
    limit = call.attributes.real("clip", 0.0)
    if limit < 0:
        raise call.attributes.refusal("clip", limit, "give a number above 0")
    # Runtimes (ONNX Runtime, OpenVINO) clip what the gates add up, not the cell state on its way to the output.
    limits = [0.0 if len(default) == 3 and i % 3 == 2 else limit for i in range(count)]
    made = [_squash(call, str(n), alphas, betas, most) for n, most in zip(names, limits, strict=True)]
    if alphas or betas:
        raise call.refuse("more activation_alpha or activation_beta than its activations have", "leave them out")
    return made


def _squash(call: Call, name: str, alphas: list[float], betas: list[float], limit: float) -> Squash:
    if name not in NUMBERS:
        raise call.attributes.refusal("activations", name, f"supported: {', '.join(NUMBERS)}")
    alpha, beta = (
        None if d is None else float(given.pop(0)) if given else d
        for d, given in zip(NUMBERS[name], (alphas, betas), strict=True)
    )
    if any(v is not None and not np.isfinite(v) for v in (alpha, beta)):
        raise call.refuse(f"{name} without its alpha and beta", "give activation_alpha and activation_beta")
    return lambda x: _applied(call, name, clipped(call, x, -limit, limit) if limit else x, alpha, beta)


def _applied(call: Call, name: str, x: Node, alpha: float | None, beta: float | None) -> Node:
    if name in PLAIN:
        return call.node(Activation(PLAIN[name]), x)
    if alpha is None:
        return call.node(Relu(), x)
    if beta is None:
        function = {"LeakyRelu": "leaky_relu", "ThresholdedRelu": "threshold", "Elu": "elu"}[name]
        return call.node(Activation(function, (alpha,)), x)
    if name == "HardSigmoid":
        return call.node(Activation("hard_sigmoid", (alpha, beta)), x)
    if name == "ScaledTanh":
        return scaled(call, call.node(Activation("tanh"), scaled(call, x, beta)), alpha)
    return call.node(Add(), scaled(call, x, alpha), call.constant(np.float32(beta)))


@dataclass(frozen=True, eq=False)
class Weights:
    """Of one direction: ``w`` [gates * units, channels], ``r`` [gates * units, units], biases [gates * units],
    peepholes [3 * units].
    """

    w: NDArray
    r: NDArray
    w_bias: NDArray
    r_bias: NDArray
    peephole: NDArray | None = None

    @property
    def units(self) -> int:
        """The number of hidden units."""
        return int(self.r.shape[1])


States = tuple[Node, ...]
Step = Callable[[Call, Weights, Sequence[Squash], Node, States], States]
"""From one step of the sequence [..., channels] and the states [..., units] to the next states, hidden first."""


def _dense(call: Call, x: Node, matrix: NDArray, bias: NDArray | None = None) -> Node:
    biases = () if bias is None else (call.constant(bias, "bias"),)
    return call.node(Dense(), x, call.constant(np.ascontiguousarray(matrix.T), "weight"), *biases)


def _gates(call: Call, x: Node, units: int) -> list[Node]:
    last = len(x.shape) - 1
    return [sliced(call, x, {last: slice(k, k + units)}) for k in range(0, x.shape[-1], units)]


def rnn_step(call: Call, v: Weights, squash: Sequence[Squash], x: Node, states: States) -> States:
    """``f(x W + h R + b)``."""
    z = call.node(Add(), _dense(call, x, v.w, v.w_bias + v.r_bias), _dense(call, states[0], v.r))
    return (squash[0](z),)


def lstm_step(call: Call, v: Weights, squash: Sequence[Squash], x: Node, states: States) -> States:
    """Gates in the order input, output, forget, cell."""
    return _lstm(call, v, squash, x, states, coupled=False)


def coupled_lstm_step(call: Call, v: Weights, squash: Sequence[Squash], x: Node, states: States) -> States:
    """The forget gate is what the input gate leaves (``input_forget``)."""
    return _lstm(call, v, squash, x, states, coupled=True)


def _lstm(call: Call, v: Weights, squash: Sequence[Squash], x: Node, states: States, *, coupled: bool) -> States:
    hidden, cell = states
    z = call.node(Add(), _dense(call, x, v.w, v.w_bias + v.r_bias), _dense(call, hidden, v.r))
    i, o, f, c = _gates(call, z, v.units)
    looks = None if v.peephole is None else [call.constant(p, "peephole") for p in np.split(v.peephole, 3)]

    def seen(gate: Node, k: int, state: Node) -> Node:
        return gate if looks is None else call.node(Add(), gate, call.node(Mul(), state, looks[k]))

    opened = squash[0](seen(i, 0, cell))
    one = call.constant(np.float32(1))
    kept = call.node(Sub(), one, opened) if coupled else squash[0](seen(f, 2, cell))
    added = call.node(Mul(), opened, squash[1](c))
    after = call.node(Add(), call.node(Mul(), kept, cell), added)
    out = squash[0](seen(o, 1, after))
    return call.node(Mul(), out, squash[2](after)), after


def gru_step(call: Call, v: Weights, squash: Sequence[Squash], x: Node, states: States) -> States:
    """Gates in the order update, reset, hidden; the reset gate acts before the recurrent matrix."""
    return _gru(call, v, squash, x, states[0], linear_first=False)


def linear_gru_step(call: Call, v: Weights, squash: Sequence[Squash], x: Node, states: States) -> States:
    """The reset gate acts after the recurrent matrix (``linear_before_reset``)."""
    return _gru(call, v, squash, x, states[0], linear_first=True)


def _gru(call: Call, v: Weights, squash: Sequence[Squash], x: Node, h: Node, *, linear_first: bool) -> States:
    n = v.units
    both = call.node(
        Add(),
        _dense(call, x, v.w[: 2 * n], (v.w_bias + v.r_bias)[: 2 * n]),
        _dense(call, h, v.r[: 2 * n]),
    )
    update, reset = (squash[0](gate) for gate in _gates(call, both, n))
    if linear_first:
        own = _dense(call, x, v.w[2 * n :], v.w_bias[2 * n :])
        recurrent = call.node(Mul(), reset, _dense(call, h, v.r[2 * n :], v.r_bias[2 * n :]))
    else:
        own = _dense(call, x, v.w[2 * n :], (v.w_bias + v.r_bias)[2 * n :])
        recurrent = _dense(call, call.node(Mul(), reset, h), v.r[2 * n :])
    new = squash[1](call.node(Add(), own, recurrent))
    rest = call.node(Mul(), call.node(Sub(), call.constant(np.float32(1)), update), new)
    return (call.node(Add(), rest, call.node(Mul(), update, h)),)
