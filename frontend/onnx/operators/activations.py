"""Activations with their attributes; defaults are those of the operators' definitions, the same in every opset."""

from collections.abc import Callable

import numpy as np

from ....graph import Node
from ....graph.ops import Activation, Maximum, Minimum, Mul, Relu, Reshape, Sub
from ..registry import Build, Call, Flow, operator
from .pointwise import operands, scaled

LARGEST = float(np.finfo(np.float32).max)
SELU_ALPHA, SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875

PLAIN = {"Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "Softsign": "softsign", "Mish": "mish"}
WITH_NUMBERS: dict[str, tuple[str, dict[str, float]]] = {
    "LeakyRelu": ("leaky_relu", {"alpha": 0.01}),
    "Elu": ("elu", {"alpha": 1.0}),
    "Selu": ("selu", {"alpha": SELU_ALPHA, "gamma": SELU_GAMMA}),
    "Celu": ("celu", {"alpha": 1.0}),
    "ThresholdedRelu": ("threshold", {"alpha": 1.0}),
    "HardSigmoid": ("hard_sigmoid", {"alpha": 0.2, "beta": 0.5}),
    "Shrink": ("soft_shrink", {"lambd": 0.5, "bias": 0.0}),
}
"""Operators whose attributes are the function's parameters, in this order."""


def _plain(function: str) -> Build:
    return lambda call: call.node(Activation(function), call.flow())


def _with_numbers(function: str, defaults: dict[str, float]) -> Build:
    def build(call: Call) -> Node:
        numbers = tuple(call.attributes.real(key, default) for key, default in defaults.items())
        return call.node(Activation(function, numbers), call.flow())

    return build


for _operator, _function in PLAIN.items():
    operator(_operator)(_plain(_function))
for _operator, (_function, _defaults) in WITH_NUMBERS.items():
    operator(_operator)(_with_numbers(_function, _defaults))


@operator("Relu")
def relu(call: Call) -> Node:
    """``max(x, 0)``."""
    return call.node(Relu(), call.flow())


@operator("HardSwish")
def hard_swish(call: Call) -> Node:
    """``x * max(0, min(1, x / 6 + 0.5))``."""
    return call.node(Activation("hard_silu", (1.0 / 6.0, 0.5)), call.flow())


@operator("Swish")
def swish(call: Call) -> Node:
    """``x * sigmoid(alpha * x)``."""
    x, alpha = call.flow(), call.attributes.real("alpha", 1.0)
    if alpha == 1.0:
        return call.node(Activation("silu"), x)
    return call.node(Mul(), x, call.node(Activation("sigmoid"), scaled(call, x, alpha)))


@operator("SwiGLU")
def swiglu(call: Call) -> Node:
    """``a * sigmoid(alpha * a) * b``."""
    a, b = operands(call, (0, 1))
    if a.shape != b.shape:
        raise call.misfit(f"operands of shapes {a.shape} and {b.shape}")
    gate = call.node(Activation("sigmoid"), scaled(call, a, call.attributes.real("alpha", 1.0)))
    return call.node(Mul(), call.node(Mul(), a, gate), b)


@operator("Gelu")
def gelu(call: Call) -> Node:
    """Gaussian error linear unit, exact or by tanh."""
    kind = call.attributes.choice("approximate", "none", "tanh", default="none")
    return call.node(Activation("gelu" if kind == "none" else "gelu_tanh"), call.flow())


@operator("PRelu")
def prelu(call: Call) -> Node:
    """``x`` above zero, ``slope * x`` below, written as ``relu(x) - slope * relu(-x)``."""
    x = call.flow()
    shape = x.shape
    _, slope = operands(call, (0, 1))
    below = call.node(Mul(), call.node(Relu(), scaled(call, x, -1.0)), slope)
    if below.shape != shape:
        raise call.misfit(f"a slope of shape {slope.shape} for samples of shape {shape}")
    return call.node(Sub(), call.node(Relu(), x), below)


@operator("Clip")
def clip(call: Call) -> Node:
    """``min(max(x, low), high)``: attributes before opset 11, inputs that may be left out from then on."""
    if call.opset >= 11 and (call.is_whole() or not all(_is_constant(call, i) for i in (1, 2))):
        return _between(call)
    if call.opset < 11:
        low: float | None = call.attributes.real("min", -LARGEST)
        high: float | None = call.attributes.real("max", LARGEST)
    else:
        low, high = call.scalar(1), call.scalar(2)
    if any(v is not None and np.isnan(v) for v in (low, high)):
        raise call.refuse("a bound is NaN", "give numbers")
    return clipped(call, call.flow(), low, high)


def _is_constant(call: Call, i: int) -> bool:
    return not isinstance(call.inputs[i] if i < len(call.inputs) else None, Flow)


def _between(call: Call) -> Node:
    """Bounds that are whole numbers, or computed."""
    x = call.flow()
    for i, op in ((1, Maximum()), (2, Minimum())):
        value = call.optional(i)
        if value is not None:
            bound = call.operand(i, len(x.shape) + call.lead)
            if bound.type.size != 1:
                raise call.misfit(f"a bound of shape {bound.shape}")
            x = call.node(op, x, call.node(Reshape(()), bound) if bound.shape else bound)
    return x


def clipped(call: Call, x: Node, low: float | None, high: float | None) -> Node:
    """Apply the bounds that bound anything in float32."""
    if low is not None and low > -LARGEST:
        x = call.node(Relu(), x) if low == 0.0 else _bound(call, x, low, Maximum)
    if high is not None and high < LARGEST:
        x = _bound(call, x, high, Minimum)
    return x


def _bound(call: Call, x: Node, value: float, op: Callable[[], Maximum | Minimum]) -> Node:
    return call.node(op(), x, call.constant(np.float32(value)))
