"""Quantizers as activations: entries of the table of activations, and what a layer of qkeras understands by a name."""

from collections.abc import Mapping
from typing import Any

from ...graph import Node, UnsupportedError
from ..attributes import Attributes
from ..keras.layers.activations import apply_activation
from ..keras.registry import ACTIVATIONS, ActivationBuild, Layer, layer
from .functions import FUNCTIONS
from .identify import QUANTIZERS, RANDOM, call_of, from_config, parse
from .notes import note_activation
from .quantizer import Quantizer


def _build(name: str) -> ActivationBuild:
    """Make the entry of a quantizer: its attributes by name, or the text between the brackets as ``arguments``."""

    def build(layer: Layer, x: Node, config: Attributes) -> Node:
        values: Mapping[str, Any] = {key: config.take(key) for key in config.unread}
        if "arguments" in values:
            values = parse(f"{name}({values['arguments']})", where=layer.place)[1]
        return _applied(layer, x, from_config(name, values, where=config.where))

    return build


def _applied(layer: Layer, x: Node, quantizer: Quantizer) -> Node:
    note_activation(layer, quantizer)
    return quantizer.nodes(x, layer.name)


for _name in (*QUANTIZERS, *RANDOM):
    ACTIVATIONS[_name] = _build(_name)


def activate(layer: Layer, x: Node, key: str = "activation") -> Node:
    """Apply the activation of a layer of qkeras: a quantizer, a function of qkeras, or one of Keras."""
    value = layer.config.take(key, None)
    if value is None:
        return x
    if not isinstance(value, str | Mapping):
        name, config = call_of(value, where=layer.place)
        return _applied(layer, x, from_config(name, config, where=f"{layer.place}: {key}"))
    name = _function_name(value)
    return FUNCTIONS[name](x, layer.name) if name in FUNCTIONS else apply_activation(layer, x, value, key)


def _function_name(value: str | Mapping[str, Any]) -> str:
    """Give the name of an activation that is a plain function."""
    if isinstance(value, str):
        return value.strip()
    if value.get("class_name") in ("function", "builtin_function"):
        return str(value.get("config")).rpartition(">")[2]
    return ""


@layer("QActivation")
def q_activation(layer: Layer, inputs: list[Node]) -> Node:
    """Import a quantizer that is a layer."""
    (x,) = inputs
    return activate(layer, x)


@layer("QAdaptiveActivation")
def q_adaptive_activation(layer: Layer, inputs: list[Node]) -> Node:
    """Refuse: its integer bits are a running average, computed anew after each call and stored in no file."""
    layer.config.ignore_all(dict.fromkeys(layer.config.unread, "the layer is refused"))
    what = "QAdaptiveActivation changes its format with the data that passes through"
    hint = "put a QActivation there, with the integer bits that layer.quantizer.integer shows after the training"
    raise UnsupportedError(what, where=layer.place, hint=hint)
