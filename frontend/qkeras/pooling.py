"""QAveragePooling2D and QGlobalAveragePooling2D: the mean times its count (the sum) times a quantized 1 / count."""

from fractions import Fraction

import numpy as np

from ...graph import Affine, Array, Fixed, Node
from ...graph.formats import exponent_of
from ...graph.ops import Constant, Mul
from ..keras.registry import Layer, layer
from .identify import quantizer_of
from .layers import as_keras
from .numbers import f32
from .quantizer import Quantizer


def _average_quantizer(layer: Layer) -> Quantizer | None:
    where = f"{layer.place}: average_quantizer"
    return quantizer_of(layer.config.take("average_quantizer", None), where=where)


def _rescaled(layer: Layer, mean: Node, count: int, quantizer: Quantizer | None) -> Node:
    """Multiply a mean by its count and by what the quantizer makes of 1 / count."""
    if quantizer is None:
        return mean
    scale = Fraction(count)
    exponent = exponent_of(scale)
    kind = Affine(1, False, scale) if exponent is None else Fixed(1, 1 + exponent, False)
    total = layer.node(Mul(), mean, Node(Constant(Array(np.array(1)), kind), (), f"{layer.name}/count"))
    share = quantizer.weights(f32(1.0 / count), f"{layer.name}/share")
    return layer.node(Mul(), total, Node(share, (), f"{layer.name}/share"))


@layer("QAveragePooling2D")
def q_average_pooling(layer: Layer, inputs: list[Node]) -> Node:
    """Import a mean over windows."""
    quantizer = _average_quantizer(layer)
    size = layer.config.peek("pool_size", [2, 2])
    count = size * size if isinstance(size, int) else int(np.prod(size))
    return as_keras(layer, inputs, "AveragePooling2D", {}, lambda mean: _rescaled(layer, mean, count, quantizer))


@layer("QGlobalAveragePooling2D")
def q_global_average_pooling(layer: Layer, inputs: list[Node]) -> Node:
    """Import a mean over the whole image."""
    quantizer = _average_quantizer(layer)
    (x,) = inputs
    first = layer.config.peek("data_format", None) == "channels_first"
    count = int(np.prod(x.shape[1:] if first else x.shape[:-1]))
    return as_keras(layer, inputs, "GlobalAveragePooling2D", {}, lambda mean: _rescaled(layer, mean, count, quantizer))
