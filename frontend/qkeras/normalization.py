"""QBatchNormalization: batch normalization with quantized statistics and factors, as a product and a sum by channel."""

from ...graph import Node
from ...graph.arrays import NDArray
from ...graph.ops import Add, Mul
from ..keras.ignored import ignore_training
from ..keras.layers.common import along, axes_of
from ..keras.registry import Layer, Weight, layer
from .identify import quantizer_of
from .layers import check_finite, ignore_ranges, inverse_root
from .numbers import f32, real_values
from .quantizer import Quantizer

DEFAULTS = {
    "gamma": "quantized_relu_po2(6, 2048)",
    "beta": "quantized_po2(5)",
    "mean": "quantized_po2(5)",
    "variance": "quantized_relu_po2(6, quadratic_approximation=True)",
}
TRAINED = ("gamma", "variance")
"""Where qkeras takes ``auto_po2`` for an alpha that is not given."""


def read_quantizers(layer: Layer) -> dict[str, Quantizer | None]:
    """Read the four quantizers, whether their statistics exist or not."""
    found = {}
    for name, default in DEFAULTS.items():
        value = layer.config.take(f"{name}_quantizer", default)
        quantizer = quantizer_of(value, where=f"{layer.place}: {name}_quantizer")
        found[name] = quantizer.trainable() if quantizer and name in TRAINED else quantizer
    return found


@layer(
    "QBatchNormalization",
    weights=(
        Weight("gamma", when="scale"),
        Weight("beta", when="center"),
        Weight("moving_mean", trainable=False),
        Weight("moving_variance", trainable=False),
    ),
)
def q_batch_normalization(layer: Layer, inputs: list[Node]) -> Node:
    """Import x * factor + (beta - mean * factor), factor = gamma / sqrt(variance + epsilon), each in float32."""
    (x,), config = inputs, layer.config
    ignore_ranges(layer)
    ignore_training(config, "momentum", "fused", "renorm_clipping", "renorm_momentum", "synchronized")
    config.ignore("activation", why="qkeras 0.9 stores it and does nothing with it")
    config.expect("inverse_quantizer", None, hint="it is not one of qkeras 0.9; leave it out")
    for key in ("renorm", "virtual_batch_size", "adjustment"):
        config.expect(key, None, False, hint="leave it out; qkeras drops it")
    axes = axes_of(layer, "axis", config.take("axis", -1), len(x.shape))
    if len(axes) != 1:
        raise config.refusal("axis", config.peek("axis"), "qkeras normalizes along one axis")
    size = (x.shape[axes[0]],)
    quantizers, epsilon = read_quantizers(layer), config.real("epsilon", 1e-3)

    def statistic(name: str, stored: str) -> NDArray:
        values, quantizer = f32(layer.array(stored, size)), quantizers[name]
        check_finite(layer, stored, values)
        return values if quantizer is None else real_values(quantizer.weights(values, f"{layer.name}/{name}"))

    factor = inverse_root(layer, statistic("variance", "moving_variance"), epsilon)
    factor = f32(factor * statistic("gamma", "gamma")) if config.boolean("scale", True) else factor
    offset = f32(-statistic("mean", "moving_mean") * factor)
    offset = f32(statistic("beta", "beta") + offset) if config.boolean("center", True) else offset
    shape = along(x.shape, axes)
    product = layer.node(Mul(), x, layer.constant(factor.reshape(shape), "scale"))
    return layer.node(Add(), product, layer.constant(offset.reshape(shape), "offset"))
