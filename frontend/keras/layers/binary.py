"""BinaryDense and binary_tanh: the binarized layers of Courbariaux et al., Binarized Neural Networks (2016), as
hls4ml's examples use them.

binary_tanh(x) = 2 round(clip(x / 2 + 1 / 2, 0, 1)) - 1 with halves to even, so that 0 gives -1. The weights of
BinaryDense are H binary_tanh(w / H).
"""

from fractions import Fraction

import numpy as np

from ....graph import Array, Fixed, NDArray, Node
from ....graph.formats import narrowest
from ....graph.ops import Constant, Dense, Step
from ...attributes import Attributes
from ..registry import Layer, Weight, activation, layer
from .activations import activate
from .common import single

EDGE = np.float32(2.0**-24)
"""The greatest float32 x for which x / 2 + 1 / 2 still rounds to 1 / 2, and so to -1."""


@layer("BinaryDense", weights=(Weight("kernel"), Weight("bias", when="use_bias")))
def binary_dense(layer: Layer, inputs: list[Node]) -> Node:
    """Import a product with weights of +H and -H."""
    x, config = single(layer, inputs), layer.config
    units, width = config.integer("units", low=1), x.shape[-1] if x.shape else 0
    for key in ("kernel_lr_multiplier", "bias_lr_multiplier"):
        config.ignore(key, why="a learning rate")
    scale = _scale(config, width, units)
    exact = layer.with_parameters({"kernel": lambda owner, name, w: _binarized(owner, name, w, scale)})
    operands = [x, exact.parameter("kernel", (width, units))]
    if config.boolean("use_bias", True):
        operands.append(layer.parameter("bias", (units,)))
    return activate(layer, layer.node(Dense(), *operands))


def _scale(config: Attributes, width: int, units: int) -> Fraction:
    """H: a number, or that of Glorot's initialization, sqrt(1.5 / (inputs + units)) in float32."""
    if config.peek("H", 1.0) == "Glorot":
        config.take("H")
        return Fraction(float(np.float32(np.sqrt(1.5 / (width + units)))))
    value = config.real("H", 1.0)
    if value <= 0:
        raise config.refusal("H", value, "give a positive number, or Glorot")
    return Fraction(float(np.float32(value)))


def _binarized(layer: Layer, name: str, weights: NDArray, scale: Fraction) -> Node:
    signs = np.where(weights.astype(np.float64) / float(scale) > float(EDGE), 1, -1)
    return Node(Constant(Array(signs), narrowest(scale, -1, 1)), (), f"{layer.name}/{name}")


@activation("binary_tanh")
def binary_tanh(layer: Layer, x: Node, config: Attributes) -> Node:
    """Import the sign, with -1 for 0."""
    edge = layer.constant(np.array([np.nextafter(EDGE, np.float32(1.0))]))
    signs = Node(Constant(Array(np.array([-1, 1])), Fixed(2, 2)), (), layer.name)
    return layer.node(Step(), x, edge, signs)
