"""Normalization by stored statistics (BatchNormalization, Normalization, Rescaling) and by those of the sample."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....graph import NDArray, Node
from ....graph.ops import Activation, Add, Maximum, Mul, Reduce, Reduction, Sub
from ...attributes import Attributes
from ..ignored import ignore_training
from ..registry import Dialect, Layer, Masking, Weight, layer
from .common import along, axes_of, axis_of, single

BATCH_NORM = (
    Weight("gamma", when="scale"),
    Weight("beta", when="center"),
    Weight("moving_mean", trainable=False),
    Weight("moving_variance", trainable=False),
)


@layer(
    "BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization",
    weights=BATCH_NORM, masking=Masking.PASS,
)  # fmt: skip
def batch_normalization(layer: Layer, inputs: list[Node]) -> Node:
    """Import x * gamma / sqrt(variance + epsilon) + (beta - mean * gamma / sqrt(variance + epsilon))."""
    x, config = single(layer, inputs), layer.config
    ignore_training(config, "momentum", "synchronized", "renorm_clipping", "renorm_momentum", "fused")
    config.expect("renorm", False, None, hint="train without renorm")
    config.expect("virtual_batch_size", None, hint="train without virtual batches")
    config.expect("adjustment", None, hint="train without an adjustment")
    axes = axes_of(layer, "axis", config.take("axis", -1), len(x.shape))
    if len(axes) != 1:
        raise config.refusal("axis", [a + 1 for a in axes], "normalize along one axis")
    scale, shift = batch_norm_constants(layer, x.shape[axes[0]])
    shape = along(x.shape, axes)
    y = layer.node(Mul(), x, layer.constant(scale.reshape(shape), "scale"))
    return layer.node(Add(), y, layer.constant(shift.reshape(shape), "shift"))


def batch_norm_constants(layer: Layer, channels: int) -> tuple[NDArray, NDArray]:
    """Give factor and summand of a batch normalization at inference, float64 [channels]."""
    config, shape = layer.config, (channels,)
    epsilon = config.real("epsilon", 1e-3)
    gamma = layer.array("gamma", shape) if config.boolean("scale", True) else np.ones(shape)
    beta = layer.array("beta", shape) if config.boolean("center", True) else np.zeros(shape)
    mean, variance = (layer.array(n, shape).astype(np.float64) for n in ("moving_mean", "moving_variance"))
    if (variance + epsilon <= 0).any():
        raise layer.unsupported("a variance that is not positive", "the training diverged; load an earlier checkpoint")
    scale = gamma / np.sqrt(variance + epsilon)
    return scale, beta - mean * scale


def _rms(config: Mapping[str, Any]) -> bool:
    return bool(config.get("rms_scaling", False))


LAYER_NORM = (
    Weight("gamma", when=lambda c: _rms(c) or bool(c.get("scale", True))),
    Weight("beta", when=lambda c: not _rms(c) and bool(c.get("center", True))),
)


@layer("LayerNormalization", weights=LAYER_NORM, masking=Masking.PASS)
def layer_normalization(layer: Layer, inputs: list[Node]) -> Node:
    """Import (x - mean) / sqrt(variance + epsilon) * gamma + beta over some axes; rms_scaling keeps the mean."""
    x, config = single(layer, inputs), layer.config
    value = config.take("axis", -1)
    axes = axes_of(layer, "axis", value, len(x.shape))
    epsilon, rms = config.real("epsilon", 1e-3), config.boolean("rms_scaling", False)
    scale, center = config.boolean("scale", True), config.boolean("center", True)
    spread = x if rms else layer.node(Sub(), x, layer.node(Reduce(Reduction.MEAN, axes, keep=True), x))
    square = layer.node(Mul(), *(spread_of_rms(layer, x, axes) if rms else (spread, spread)))
    y = layer.node(Mul(), spread, _inverse_root(layer, square, axes, epsilon))
    weights, shape = tuple(x.shape[a] for a in _weight_order(layer, value, len(x.shape))), along(x.shape, axes)
    if scale or rms:
        y = layer.node(Mul(), y, layer.arranged("gamma", weights, lambda w: w.reshape(shape)))
    if center and not rms:
        y = layer.node(Add(), y, layer.arranged("beta", weights, lambda w: w.reshape(shape)))
    return y


def _weight_order(layer: Layer, value: Any, rank: int) -> list[int]:
    """Give the axes in the order of the stored weights: as written in tf-keras, sorted as written in Keras 3.

    Both then reshape the weights to the order of the input, whatever the axes were.
    """
    items = value if isinstance(value, list) else [value]
    written = sorted(items) if layer.dialect is Dialect.KERAS3 else items
    return [axis_of(layer, "axis", v, rank) for v in written]


def spread_of_rms(layer: Layer, x: Node, axes: Sequence[int]) -> tuple[Node, Node]:
    """Keras 3 divides by the standard deviation, not the root mean square: the mean is subtracted here all the same."""
    centred = layer.node(Sub(), x, layer.node(Reduce(Reduction.MEAN, tuple(axes), keep=True), x))
    return centred, centred


def _inverse_root(layer: Layer, square: Node, axes: tuple[int, ...], epsilon: float) -> Node:
    """Give 1 / sqrt(mean(square) + epsilon)."""
    mean = layer.node(Reduce(Reduction.MEAN, axes, keep=True), square)
    return layer.node(Activation("rsqrt"), layer.node(Add(), mean, layer.constant(epsilon, "epsilon")))


@layer("RMSNormalization", weights=(Weight("scale"),))
def rms_normalization(layer: Layer, inputs: list[Node]) -> Node:
    """Import x / sqrt(mean(x^2) + epsilon) * scale over some axes."""
    x, config = single(layer, inputs), layer.config
    value = config.take("axis", -1)
    axes = axes_of(layer, "axis", value, len(x.shape))
    if _weight_order(layer, value, len(x.shape)) != list(range(len(x.shape) - len(axes), len(x.shape))):
        raise config.refusal(
            "axis", value, "normalize over the last axes, in order; Keras gives no other the right scale"
        )
    y = layer.node(Mul(), x, _inverse_root(layer, layer.node(Mul(), x, x), axes, config.real("epsilon", 1e-6)))
    weights, shape = tuple(x.shape[a] for a in axes), along(x.shape, axes)
    return layer.node(Mul(), y, layer.arranged("scale", weights, lambda w: w.reshape(shape)))


@layer("UnitNormalization", masking=Masking.PASS)
def unit_normalization(layer: Layer, inputs: list[Node]) -> Node:
    """Import x / |x| over some axes."""
    x = single(layer, inputs)
    axes = axes_of(layer, "axis", layer.config.take("axis", -1), len(x.shape))
    return unit_length(layer, x, axes, 1e-12 if layer.dialect is Dialect.TF_KERAS else 1e-14)


def unit_length(layer: Layer, x: Node, axes: tuple[int, ...], least: float) -> Node:
    """Give x / sqrt(max(sum(x^2), least))."""
    total = layer.node(Reduce(Reduction.SUM, axes, keep=True), layer.node(Mul(), x, x))
    bounded = layer.node(Maximum(), total, layer.constant(least))
    return layer.node(Mul(), x, layer.node(Activation("rsqrt"), bounded))


def _adapted(config: Mapping[str, Any]) -> bool:
    return config.get("mean") is None


NORMALIZATION = tuple(Weight(name, when=_adapted, trainable=False) for name in ("mean", "variance", "count"))


@layer("Normalization", weights=NORMALIZATION, masking=Masking.PASS)
def normalization(layer: Layer, inputs: list[Node]) -> Node:
    """Import (x - mean) / max(sqrt(variance), 1e-7), or its inverse, with stored or given statistics."""
    x, config = single(layer, inputs), layer.config
    value, invert = config.take("axis", -1), config.boolean("invert", False)
    axes = () if value is None or value == [] else axes_of(layer, "axis", value, len(x.shape))
    mean, variance = (_statistic(layer, n, x.shape, axes) for n in ("mean", "variance"))
    if (variance < 0).any():
        raise layer.unsupported("a variance below 0", "adapt the layer again")
    deviation = np.maximum(np.sqrt(variance), 1e-7)
    scale, shift = (deviation, mean) if invert else (1 / deviation, -mean / deviation)
    return _affine(layer, x, scale, shift)


def _affine(layer: Layer, x: Node, scale: NDArray, shift: NDArray) -> Node:
    y = x if (scale == 1).all() else layer.node(Mul(), x, layer.constant(scale, "scale"))
    return y if (shift == 0).all() else layer.node(Add(), y, layer.constant(shift, "shift"))


def _statistic(layer: Layer, name: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> NDArray:
    """Give mean or variance in a shape that broadcasts; a given one is aligned to the kept axes from the right."""
    kept = tuple(shape[a] for a in axes)
    given = layer.config.take(name, None)
    if given is None:
        value = layer.array(name, kept).astype(np.float64)
    else:
        value = np.asarray(given, np.float64)
        if value.ndim > len(axes) and value.size == 1:
            value = value.reshape(())
        elif value.ndim > len(axes):
            value = value.reshape(kept)
        value = np.broadcast_to(value, kept)
    full = [shape[i] if i in axes else 1 for i in range(len(shape))]
    return value.reshape(full)


@layer("Rescaling", masking=Masking.PASS)
def rescaling(layer: Layer, inputs: list[Node]) -> Node:
    """Import x * scale + offset, numbers or arrays that broadcast from the right."""
    x, config = single(layer, inputs), layer.config
    scale, offset = (_of_sample(config, k, d, len(x.shape)) for k, d in (("scale", 1.0), ("offset", 0.0)))
    return _affine(layer, x, scale, offset)


def _of_sample(config: Attributes, key: str, default: float, rank: int) -> NDArray:
    """Read numbers that broadcast with [batch, ...], where the batch may only meet an axis of length 1."""
    value = np.asarray(config.take(key, default), np.float64)
    if value.ndim > rank + 1 or (value.ndim == rank + 1 and value.shape[0] != 1):
        raise config.refusal(key, value.tolist(), "its first axis meets the batch; give one number per channel")
    return value[0] if value.ndim == rank + 1 else value
