"""Activation functions, as the argument ``activation=`` of a layer or as a layer of their own.

Definitions: keras/src/activations/activations.py of Keras 3, tf_keras/src/activations.py and backend.py of tf-keras.
"""

from collections.abc import Mapping
from typing import Any

from ....graph import Node
from ....graph.ops import Activation, Maximum, Minimum, Mul, Reduce, Reduction, Relu, Softmax, Sub
from ...attributes import Attributes
from ..ignored import ignore_common
from ..registry import ACTIVATIONS, LAYERS, Dialect, Layer, Masking, activation, layer
from .common import axis_of, single

SELU = (1.6732632423543772, 1.0507009873554805)
"""alpha and scale: Klambauer et al., Self-Normalizing Neural Networks (2017), section 2."""


def activate(layer: Layer, x: Node, key: str = "activation") -> Node:
    """Apply what the attribute ``activation`` of a layer says; without it, nothing."""
    return apply_activation(layer, x, layer.config.take(key, None), key)


def apply_activation(layer: Layer, x: Node, value: Any, key: str = "activation") -> Node:
    """Apply an activation given as a name (``"relu"``, ``"quantized_relu(4)"``) or as a serialized object."""
    if value is None:
        return x
    name, config = _parse(layer, value, key)
    attributes = Attributes(config, where=f"{layer.place}: {key} {name}")
    if name in ACTIVATIONS:
        with attributes:
            attributes.ignore("name", why="says nothing")
            return ACTIVATIONS[name](layer, x, attributes)
    if name in LAYERS and isinstance(value, Mapping) and not LAYERS[name].stored(config):
        return _as_layer(layer, x, name, attributes)
    raise layer.config.refusal(key, value, f"supported: {', '.join(sorted(ACTIVATIONS))}")


def _parse(layer: Layer, value: Any, key: str) -> tuple[str, Mapping[str, Any]]:
    """Split an activation into its name and its attributes."""
    if isinstance(value, Mapping):
        name, config = value.get("class_name"), value.get("config")
        if name in ("function", "builtin_function") and isinstance(config, str):
            return _unpacked(layer, config, key), {}
        if isinstance(name, str) and isinstance(config or {}, Mapping):
            return name.rpartition(">")[2], config or {}
    if not isinstance(value, str):
        raise layer.config.refusal(key, value, "give the name of an activation")
    name, bracket, rest = value.partition("(")
    return name.strip(), {"arguments": rest.rstrip().removesuffix(")")} if bracket else {}


def _unpacked(layer: Layer, name: str, key: str) -> str:
    """Give the name of a function without its package, which must not be another than Keras for Keras's names."""
    package, _, bare = name.rpartition(">")
    if package not in ("", "keras") and bare in ACTIVATIONS and ACTIVATIONS[bare].__module__ == __name__:
        raise layer.config.refusal(key, name, f"it is not the {bare} of Keras; write it with layers")
    return bare


def _as_layer(outer: Layer, x: Node, name: str, config: Attributes) -> Node:
    """Apply a layer object (``activation=LeakyReLU(0.1)``)."""
    with config:
        ignore_common(config)
        config.ignore("dtype", why="that of the layer around it")
        inner = Layer(outer.name, name, outer.dialect, config, {}, config.where)
        result = LAYERS[name].build(inner, [x])
    return single(outer, result if isinstance(result, list) else [result])


def _function(name: str, *parameters: float) -> Any:
    def build(layer: Layer, x: Node, config: Attributes) -> Node:
        return layer.node(Activation(name, parameters), x)

    return build


for _names, _build in {
    ("sigmoid",): _function("sigmoid"),
    ("tanh",): _function("tanh"),
    ("softplus",): _function("softplus"),
    ("softsign",): _function("softsign"),
    ("silu", "swish"): _function("silu"),
    ("mish",): _function("mish"),
    ("selu",): _function("selu", *SELU),
    ("elu",): _function("elu", 1.0),
    ("celu",): _function("celu", 1.0),
    ("exponential", "exp"): _function("exp"),
    ("leaky_relu",): _function("leaky_relu", 0.2),
    ("hard_tanh",): _function("hard_tanh"),
    ("hard_shrink",): _function("hard_shrink", 0.5),
    ("soft_shrink",): _function("soft_shrink", 0.5, 0.5),
    ("tanh_shrink",): _function("tanh_shrink"),
    ("squareplus",): _function("squareplus", 4.0),
    ("sparse_plus",): _function("sparse_plus"),
    ("sparse_sigmoid",): _function("sparse_sigmoid"),
    ("log_sigmoid",): _function("log_sigmoid"),
    ("hard_silu", "hard_swish"): _function("hard_silu", 1 / 6, 0.5),
}.items():
    activation(*_names)(_build)


@activation("linear")
def linear(layer: Layer, x: Node, config: Attributes) -> Node:
    """Leave the values as they are."""
    return x


@activation("relu")
def relu(layer: Layer, x: Node, config: Attributes) -> Node:
    """max(x, 0)."""
    return layer.node(Relu(), x)


@activation("relu6")
def relu6(layer: Layer, x: Node, config: Attributes) -> Node:
    """min(max(x, 0), 6)."""
    return layer.node(Minimum(), layer.node(Relu(), x), layer.scalar(6.0, x))


@activation("hard_sigmoid")
def hard_sigmoid(layer: Layer, x: Node, config: Attributes) -> Node:
    """clip(x / 6 + 0.5) in Keras 3, clip(0.2 x + 0.5) in tf-keras."""
    slope = 1 / 6 if layer.dialect is Dialect.KERAS3 else 0.2
    return layer.node(Activation("hard_sigmoid", (slope, 0.5)), x)


@activation("gelu")
def gelu(layer: Layer, x: Node, config: Attributes) -> Node:
    """Apply x P(X <= x), or its approximation by tanh."""
    approximate = config.boolean("approximate", False)
    return layer.node(Activation("gelu_tanh" if approximate else "gelu"), x)


@activation("softmax")
def softmax(layer: Layer, x: Node, config: Attributes) -> Node:
    """exp(x) / sum(exp(x)) along the last axis."""
    return layer.node(Softmax(axis_of(layer, "axis", config.take("axis", -1), len(x.shape))), x)


@activation("log_softmax")
def log_softmax(layer: Layer, x: Node, config: Attributes) -> Node:
    """Apply x - max - log(sum(exp(x - max))) along the last axis."""
    axes = (axis_of(layer, "axis", config.take("axis", -1), len(x.shape)),)
    shifted = layer.node(Sub(), x, layer.node(Reduce(Reduction.MAX, axes, keep=True), x))
    total = layer.node(Reduce(Reduction.SUM, axes, keep=True), layer.node(Activation("exp"), shifted))
    return layer.node(Sub(), shifted, layer.node(Activation("log"), total))


@layer("Activation", masking=Masking.PASS)
def activation_layer(layer: Layer, inputs: list[Node]) -> Node:
    """Import an activation that stands alone."""
    return activate(layer, single(layer, inputs))


def capped_relu(layer: Layer, x: Node, slope: float, top: float | None, threshold: float) -> Node:
    """f(x) = top for x >= top, x for threshold <= x < top, slope * (x - threshold) below."""
    if slope != 0 and top is None and threshold == 0:
        return layer.node(Activation("leaky_relu", (slope,)), x)
    y = layer.node(Activation("threshold", (threshold,)), x) if threshold != 0 else layer.node(Relu(), x)
    if top is not None:
        y = layer.node(Minimum(), y, layer.scalar(top, y))
        if threshold < 0:
            y = layer.node(Maximum(), y, layer.scalar(0.0, y))
    if slope != 0:
        below = layer.node(Relu(), layer.node(Sub(), layer.scalar(threshold, x), x))
        y = layer.node(Sub(), y, layer.node(Mul(), below, layer.scalar(slope, x)))
    return y
