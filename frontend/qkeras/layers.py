"""The layers of qkeras: those of Keras, with quantized weights. Each reads its own attributes, Keras's the rest.

At inference the batch-normalized layers fold first and quantize then; both folding modes are the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...graph import Node, ShapeError
from ...graph.arrays import NDArray
from ..attributes import Attributes
from ..keras.registry import LAYERS, Build, Kind, Layer, Parameter, Weight, Weights
from .activations import activate
from .identify import quantizer_of
from .notes import note_weights
from .numbers import f32
from .quantizer import Quantizer

RANGES = ("kernel_range", "bias_range", "depthwise_range", "pointwise_range", "beta_range", "gamma_range")


@dataclass(frozen=True)
class Slot:
    """A weight and the attribute that quantizes it. ``trainable``: with no alpha, qkeras takes ``auto_po2`` there."""

    weight: str
    attribute: str
    trainable: bool = True


KERNEL, BIAS = Slot("kernel", "kernel_quantizer"), Slot("bias", "bias_quantizer", trainable=False)
DEPTHWISE = Slot("depthwise_kernel", "depthwise_quantizer")
POINTWISE = Slot("pointwise_kernel", "pointwise_quantizer")


def read_quantizer(layer: Layer, slot: Slot) -> Quantizer | None:
    """Give the quantizer that a layer has for a weight."""
    value = layer.config.take(slot.attribute, None)
    quantizer = quantizer_of(value, where=f"{layer.place}: {slot.attribute}")
    return quantizer.trainable() if quantizer and slot.trainable else quantizer


def quantized(layer: Layer, name: str, values: NDArray, quantizer: Quantizer | None) -> Node:
    """Make a constant of a weight."""
    where = f"{layer.name}/{name}"
    check_finite(layer, name, values)
    if quantizer is None:
        return layer.constant(values, name)
    constant = quantizer.weights(f32(values), where)
    note_weights(layer, name, constant, f32(values))
    return Node(constant, (), where)


def check_finite(layer: Layer, name: str, values: NDArray) -> None:
    """Raise ShapeError for weights that are no numbers."""
    if not np.isfinite(values).all():
        what = f"NaN or infinite values in {name!r}"
        raise ShapeError(what, where=layer.place, hint="the training diverged; load an earlier checkpoint")


def parameter(quantizer: Quantizer | None) -> Parameter:
    """Make the rule that quantizes a weight."""
    return lambda layer, name, values: quantized(layer, name, values, quantizer)


def without(layer: Layer, **changes: Any) -> Layer:
    """Give the layer as one of Keras: what is read is gone, and ``changes`` hold. Its attributes need a ``done``."""
    values = {key: layer.config.take(key) for key in layer.config.unread}
    return replace(layer, config=Attributes({**values, **changes}, where=layer.config.where))


def ignore_ranges(layer: Layer) -> None:
    """Read attributes that qkeras warns about and does nothing with."""
    layer.config.ignore(*RANGES, why="deprecated; qkeras 0.9 only warns about it")


def like(base: str, *slots: Slot) -> Build:
    """Give the builder of a layer that is one of Keras with quantized weights and qkeras's activations."""

    def build(layer: Layer, inputs: list[Node]) -> Node:
        ignore_ranges(layer)
        rules = {slot.weight: parameter(read_quantizer(layer, slot)) for slot in slots}
        return as_keras(layer, inputs, base, rules)

    return build


def as_keras(
    layer: Layer,
    inputs: list[Node],
    base: str,
    rules: Mapping[str, Parameter],
    then: Callable[[Node], Node] = lambda node: node,
    **changes: Any,
) -> Node:
    """Build Keras's layer ``base`` with other weights, do ``then``, and apply the activation as qkeras does."""
    activation = layer.config.take("activation", None)
    inner = without(layer, **changes)
    with inner.config:
        result = LAYERS[base].build(inner.with_parameters(rules), inputs)
    assert isinstance(result, Node)
    shown = replace(layer, config=Attributes({"activation": activation}, where=layer.config.where))
    return activate(shown, then(result))


# Layers that fold a batch normalization into their weights

BATCHNORM = {
    "momentum": "how the moving averages were computed",
    "renorm_clipping": "only used with renorm, which is refused",
    "renorm_momentum": "only used with renorm, which is refused",
    "fused": "a speed option with the same results",
    "ema_freeze_delay": "when training stopped to update the averages",
    "synchronized": "how the moving averages were computed",
}
FOLDED = (
    Weight("gamma", when="scale", group="batchnorm"),
    Weight("beta", when="center", group="batchnorm"),
    Weight("iteration", trainable=False),
    Weight("moving_mean", trainable=False, group="batchnorm"),
    Weight("moving_variance", trainable=False, group="batchnorm"),
)


@dataclass(frozen=True)
class Folding:
    """What batch normalization multiplies the kernel by and makes of the bias, in float32 as qkeras does."""

    factor: NDArray
    mean: NDArray
    beta: NDArray

    def bias(self, values: NDArray) -> NDArray:
        """Give the folded bias."""
        return f32(f32(self.factor * f32(values - self.mean)) + self.beta)

    def kernel(self, values: NDArray) -> NDArray:
        """Give the folded kernel; for a depthwise kernel [.., channels, multiplier] the factor has both axes."""
        return f32(self.factor.reshape(values.shape[-2:] if self.factor.size != values.shape[-1] else -1) * values)


def read_folding(layer: Layer, axes: int) -> Folding:
    """Read the batch normalization inside of a layer of ``axes`` axes, the batch among them."""
    config = layer.config
    config.ignore_all(BATCHNORM)
    config.choice("folding_mode", "ema_stats_folding", "batch_stats_folding", default="ema_stats_folding")
    config.expect("renorm", False, hint="build the layer without renorm")
    config.expect("virtual_batch_size", None, hint="leave it out")
    config.expect("adjustment", None, hint="leave it out")
    axis = config.take("axis", -1)
    if axis not in (-1, axes - 1, [-1], [axes - 1]):
        raise config.refusal("axis", axis, "batch normalization along the channels, the last axis")
    if not config.boolean("center", True):
        raise config.refusal("center", False, "qkeras itself fails without a beta; build the layer with center=True")
    variance, epsilon = f32(layer.weights["moving_variance"]), config.real("epsilon", 1e-3)
    factor = inverse_root(layer, variance, epsilon)
    if config.boolean("scale", True):
        factor = f32(factor * f32(layer.weights["gamma"]))
    return Folding(factor, f32(layer.weights["moving_mean"]), f32(layer.weights["beta"]))


def inverse_root(layer: Layer, variance: NDArray, epsilon: float) -> NDArray:
    """Give 1 / sqrt(variance + epsilon) in float32. Raises ShapeError where that is no number."""
    total = f32(variance + f32(epsilon))
    if not (np.isfinite(total) & (total > 0)).all():
        what, hint = "a variance that is not positive and finite", "the training diverged; load an earlier checkpoint"
        raise ShapeError(what, where=layer.place, hint=hint)
    return f32(1 / np.sqrt(total))


def folded(base: str, kernel: Slot, axes: int) -> Build:
    """Give the builder of a layer that folds a batch normalization into its weights before it quantizes them."""

    def build(layer: Layer, inputs: list[Node]) -> Node:
        ignore_ranges(layer)
        config = layer.config
        if config.peek("data_format", None) == "channels_first":
            raise config.refusal("data_format", "channels_first", "qkeras folds along the last axis of the kernel only")
        folding = read_folding(layer, axes)
        quantizers = read_quantizer(layer, kernel), read_quantizer(layer, BIAS)
        rules: dict[str, Parameter] = {
            kernel.weight: lambda inner, name, values: quantized(inner, name, folding.kernel(values), quantizers[0]),
            "bias": lambda inner, name, values: quantized(inner, name, folding.bias(values), quantizers[1]),
        }
        weights = dict(layer.weights)
        if not config.boolean("use_bias", True):
            weights["bias"] = np.zeros(folding.beta.shape, np.float32)
        return as_keras(replace(layer, weights=weights), inputs, base, rules, use_bias=True)

    return build


def _kernel_weights(*names: str) -> tuple[Weight, ...]:
    return (*(Weight(name) for name in names), Weight("bias", when="use_bias"))


_TABLE: dict[str, tuple[Build, Weights]] = {
    "QDense": (like("Dense", KERNEL, BIAS), _kernel_weights("kernel")),
    "QConv1D": (like("Conv1D", KERNEL, BIAS), _kernel_weights("kernel")),
    "QConv2D": (like("Conv2D", KERNEL, BIAS), _kernel_weights("kernel")),
    "QConv2DTranspose": (like("Conv2DTranspose", KERNEL, BIAS), _kernel_weights("kernel")),
    "QDepthwiseConv2D": (like("DepthwiseConv2D", DEPTHWISE, BIAS), _kernel_weights("depthwise_kernel")),
    "QSeparableConv1D": (
        like("SeparableConv1D", DEPTHWISE, POINTWISE, BIAS),
        _kernel_weights("depthwise_kernel", "pointwise_kernel"),
    ),
    "QSeparableConv2D": (
        like("SeparableConv2D", DEPTHWISE, POINTWISE, BIAS),
        _kernel_weights("depthwise_kernel", "pointwise_kernel"),
    ),
    "QDenseBatchnorm": (folded("Dense", KERNEL, 2), (*_kernel_weights("kernel"), *FOLDED)),
    "QConv2DBatchnorm": (folded("Conv2D", KERNEL, 4), (*_kernel_weights("kernel"), *FOLDED)),
    "QDepthwiseConv2DBatchnorm": (
        folded("DepthwiseConv2D", DEPTHWISE, 4),
        (*_kernel_weights("depthwise_kernel"), *FOLDED),
    ),
}

for _name, (_build, _weights) in _TABLE.items():
    LAYERS[_name] = Kind(_build, _weights)
