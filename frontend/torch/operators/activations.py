"""Activations with their arguments; defaults are those of the operators' schemas."""

from collections.abc import Callable

import numpy as np

from ....graph import Node
from ....graph.ops import Activation, Add, Maximum, Minimum, Mul, Relu, Slice, Sub
from ..broadcast import operands
from ..registry import Build, Call, Results, operator
from ..values import Flow, Known, Place

LARGEST = float(np.finfo(np.float32).max)
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

PLAIN = {
    "sigmoid": "sigmoid", "tanh": "tanh", "silu": "silu", "mish": "mish", "log_sigmoid": "log_sigmoid",
    "softsign": "softsign",
}  # fmt: skip


def _plain(function: str) -> Build:
    return lambda call: call.node(Activation(function), call.flow().node)


for _operator, _function in PLAIN.items():
    operator(_operator)(_plain(_function))


@operator("log_sigmoid_forward")
def log_sigmoid_forward(call: Call) -> Results:
    """Logarithm of the sigmoid; the buffer that training keeps is not computed."""
    return [call.node(Activation("log_sigmoid"), call.flow().node)]


@operator("relu")
def relu(call: Call) -> Node:
    """``max(x, 0)``."""
    return call.node(Relu(), call.flow().node)


@operator("relu6")
def relu6(call: Call) -> Node:
    """``min(max(x, 0), 6)``."""
    return clipped(call, call.flow().node, 0.0, 6.0)


@operator("hardtanh")
def hardtanh(call: Call) -> Node:
    """``min(max(x, low), high)``."""
    return clipped(call, call.flow().node, call.number("min_val", -1), call.number("max_val", 1))


def scaled(call: Call, x: Node, factor: float) -> Node:
    """``x * factor``."""
    return x if factor == 1.0 else call.node(Mul(), x, call.constant(np.float32(factor)))


def shifted(call: Call, x: Node, offset: float) -> Node:
    """``x + offset``."""
    return x if offset == 0.0 else call.node(Add(), x, call.constant(np.float32(offset)))


def clipped(call: Call, x: Node, low: float | None, high: float | None) -> Node:
    """Apply the bounds that bound anything in float32; where they cross the upper one wins, as in PyTorch."""
    if low is not None and low > -LARGEST:
        x = call.node(Relu(), x) if low == 0.0 else _bound(call, x, low, Maximum)
    if high is not None and high < LARGEST:
        x = _bound(call, x, high, Minimum)
    return x


def _bound(call: Call, x: Node, value: float, op: Callable[[], Maximum | Minimum]) -> Node:
    return call.node(op(), x, call.constant(np.float32(value)))


@operator("clamp", "clip", "clamp_min", "clamp_max")
def clamp(call: Call) -> Results:
    """``min(max(x, low), high)``; each bound a number or a tensor."""
    x, low, high = call.flow(), call.optional("min"), call.optional("max")
    numbers = [None if v is None else _number(v) for v in (low, high)]
    if any(n is not None and np.isnan(n) for n in numbers):
        raise call.refuse("a bound is NaN", "give numbers")
    if all(v is None or n is not None for v, n in zip((low, high), numbers, strict=True)):
        return x.on(clipped(call, x.node, numbers[0], numbers[1]))
    result = x
    for bound, op in ((low, Maximum()), (high, Minimum())):
        if bound is not None:
            nodes, place = operands(call, result, bound)
            result = Flow(call.node(op, *nodes), place)
    return result


def _number(value: Flow | Known) -> float | None:
    """Give the one number that a bound is, None for a tensor."""
    if isinstance(value, Known) and len(value.variants) == 1 and value.at(0).ndim == 0:
        return float(value.at(0))
    return None


@operator("leaky_relu")
def leaky_relu(call: Call) -> Node:
    """``x`` from zero on, ``slope * x`` below."""
    return call.node(Activation("leaky_relu", (call.number("negative_slope", 0.01),)), call.flow().node)


@operator("rrelu", "rrelu_with_noise")
def rrelu(call: Call) -> Node:
    """At inference a leaky ReLU whose slope is halfway between the two bounds."""
    call.arguments.expect("training", False, hint="export the model for inference (model.eval())")
    call.arguments.ignore("generator", "noise", why="only training draws numbers")
    slope = (call.number("lower", 0.125) + call.number("upper", 1 / 3)) / 2
    return call.node(Activation("leaky_relu", (slope,)), call.flow().node)


@operator("elu")
def elu(call: Call) -> Node:
    """``scale * (x if x > 0 else alpha * (exp(x * input_scale) - 1))``."""
    alpha, scale, inner = (call.number(k, 1) for k in ("alpha", "scale", "input_scale"))
    x = call.flow().node
    if inner == 1.0:
        return call.node(Activation("elu", (alpha,)) if scale == 1.0 else Activation("selu", (alpha, scale)), x)
    below = call.node(Activation("elu", (alpha,)), call.node(Minimum(), scaled(call, x, inner), call.constant(0.0)))
    if inner < 0:
        raise call.arguments.refusal("input_scale", inner, "give a positive one")
    return scaled(call, call.node(Add(), call.node(Relu(), x), below), scale)


@operator("selu")
def selu(call: Call) -> Node:
    """The exponential linear unit that keeps mean and variance."""
    return call.node(Activation("selu", (SELU_ALPHA, SELU_SCALE)), call.flow().node)


@operator("celu")
def celu(call: Call) -> Node:
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``."""
    alpha = call.number("alpha", 1)
    if alpha <= 0:
        raise call.arguments.refusal("alpha", alpha, "give a positive one")
    return call.node(Activation("celu", (alpha,)), call.flow().node)


@operator("gelu")
def gelu(call: Call) -> Node:
    """Gaussian error linear unit, exact or by tanh."""
    kind = call.arguments.choice("approximate", "none", "tanh", default="none")
    return call.node(Activation("gelu" if kind == "none" else "gelu_tanh"), call.flow().node)


@operator("hardswish")
def hardswish(call: Call) -> Node:
    """``x * min(max(x + 3, 0), 6) / 6``."""
    return call.node(Activation("hard_silu", (1.0 / 6.0, 0.5)), call.flow().node)


@operator("hardsigmoid")
def hardsigmoid(call: Call) -> Node:
    """``min(max(x + 3, 0), 6) / 6``."""
    return call.node(Activation("hard_sigmoid", (1.0 / 6.0, 0.5)), call.flow().node)


@operator("softplus")
def softplus(call: Call) -> Node:
    """``log(1 + exp(beta * x)) / beta``, and x itself where ``beta * x`` is above the threshold.

    Without the threshold the two differ by ``log1p(exp(-beta * x)) / beta``: the greatest difference is at the
    threshold. It is left out where float32 does not show it.
    """
    beta, threshold = call.number("beta", 1), call.number("threshold", 20)
    if beta <= 0:
        raise call.arguments.refusal("beta", beta, "give a positive one")
    if threshold < 17.0:  # exp(-17) is under half a unit of float32 at 17
        raise call.arguments.refusal("threshold", threshold, "leave it at 20: below 17 the function has a step")
    return scaled(call, call.node(Activation("softplus"), scaled(call, call.flow().node, beta)), 1.0 / beta)


@operator("hardshrink")
def hardshrink(call: Call) -> Node:
    """Zero within the bound, x outside."""
    return call.node(Activation("hard_shrink", (_bound_of(call),)), call.flow().node)


@operator("softshrink")
def softshrink(call: Call) -> Node:
    """Zero within the bound, x moved toward zero by it outside."""
    bound = _bound_of(call)
    return call.node(Activation("soft_shrink", (bound, bound)), call.flow().node)


def _bound_of(call: Call) -> float:
    bound = call.number("lambd", 0.5)
    if bound < 0:
        raise call.arguments.refusal("lambd", bound, "give one that is not negative")
    return bound


@operator("threshold")
def threshold(call: Call) -> Node:
    """``x`` above the threshold, a value up to it."""
    x, bound, value = call.flow().node, call.number("threshold"), call.number("value")
    if value == 0.0:
        return call.node(Activation("threshold", (bound,)), x)
    if value == bound:
        return _bound(call, x, bound, Maximum)
    moved = shifted(call, x, -value)
    return shifted(call, call.node(Activation("threshold", (bound - value,)), moved), value)


@operator("prelu", "_prelu_kernel")
def prelu(call: Call) -> Results:
    """``x`` above zero, ``slope * x`` below, written as ``relu(x) - slope * relu(-x)``; a slope for each channel."""
    x, slope = call.flow(), call.value("weight")
    if call.op == "prelu":
        weights = call.fixed(slope, "weight")
        shape = (-1, *(1,) * (x.rank - 2)) if weights.size > 1 and x.rank > 1 else ()
        slope = Known((weights.reshape(shape),))
    nodes, place = operands(call, x, slope)
    below = call.node(Mul(), call.node(Relu(), scaled(call, nodes[0], -1.0)), nodes[1])
    return Flow(call.node(Sub(), call.node(Relu(), nodes[0]), below), place)


@operator("glu")
def glu(call: Call) -> Results:
    """The first half of an axis times the sigmoid of the second."""
    x = call.flow()
    axis = call.axis(x, call.integer("dim", -1))
    n = x.node.shape[axis]
    if n % 2:
        raise call.misfit(f"an axis of length {n} has no halves")
    halves = [_half(call, x.node, axis, start, n // 2) for start in (0, n // 2)]
    return x.on(call.node(Mul(), halves[0], call.node(Activation("sigmoid"), halves[1])))


def _half(call: Call, x: Node, axis: int, start: int, length: int) -> Node:
    starts = tuple(start if i == axis else 0 for i in range(len(x.shape)))
    stops = tuple(start + length if i == axis else n for i, n in enumerate(x.shape))
    return call.node(Slice(starts, stops, (1,) * len(x.shape)), x)


__all__ = ["Place", "clipped", "scaled", "shifted"]
