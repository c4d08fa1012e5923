"""Convolutions: ordinary, depthwise, separable; one to three spatial axes, either layout."""

from ....graph import Node, ShapeError
from ....graph.ops import Conv
from ..registry import Layer, Weight, layer
from .activations import activate
from .common import Pairs, read_padding, single, spatial

BIAS = Weight("bias", when="use_bias")
Sizes = tuple[int, ...]


def rank_of(layer: Layer) -> int:
    """How many spatial axes the class works over, by its name."""
    return next(rank for rank in (1, 2, 3) if f"{rank}D" in layer.class_name)


@layer("Conv1D", "Conv2D", "Conv3D", weights=(Weight("kernel"), BIAS))
def convolution(layer: Layer, inputs: list[Node]) -> Node:
    """Import a convolution with strides, dilation, groups and any padding."""
    rank = rank_of(layer)
    return activate(layer, spatial(layer, single(layer, inputs), rank, lambda x: _convolve(layer, x, rank)))


def _convolve(layer: Layer, x: Node, rank: int) -> Node:
    config, channels = layer.config, x.shape[-1]
    for key in ("quantization_config", "quantization_mode", "lora_rank", "lora_alpha"):
        config.expect(key, None, hint="use the model as it was before")
    filters, groups = config.integer("filters", low=1), config.integer("groups", 1, low=1)
    kernel = config.integers("kernel_size", rank, low=1)
    if channels % groups or filters % groups:
        what = f"{groups} groups do not divide {channels} channels and {filters} filters"
        raise ShapeError(what, where=layer.place, hint="configuration and weights are of different models")
    strides, dilation, padding = window(layer, x, kernel, rank == 1)
    operands = [x, layer.parameter("kernel", (*kernel, channels // groups, filters)), *bias(layer, filters)]
    return layer.node(Conv(strides, padding, dilation, groups), *operands)


def window(layer: Layer, x: Node, kernel: Sizes, causal: bool = False) -> tuple[Sizes, Sizes, Pairs]:
    """Read strides, dilation and padding of a kernel that slides over ``x`` (channels last)."""
    config, rank = layer.config, len(kernel)
    strides = config.integers("strides", rank, 1, low=1)
    dilation = config.integers("dilation_rate", rank, 1, low=1)
    if max(strides) > 1 and max(dilation) > 1:
        raise config.refusal(
            "dilation_rate", list(dilation), "use either strides or dilation; frameworks differ on both at once"
        )
    return strides, dilation, read_padding(layer, x.shape[:-1], kernel, strides, dilation, causal)


def bias(layer: Layer, filters: int) -> list[Node]:
    """Give the bias as a list of no or one operand."""
    return [layer.parameter("bias", (filters,))] if layer.config.boolean("use_bias", True) else []


@layer("DepthwiseConv1D", "DepthwiseConv2D", weights=(Weight("depthwise_kernel"), BIAS))
def depthwise(layer: Layer, inputs: list[Node]) -> Node:
    """Import a convolution of each channel by itself; output channel c * multiplier + m comes from channel c."""
    rank = rank_of(layer)
    _depthwise_only(layer)
    return activate(layer, spatial(layer, single(layer, inputs), rank, lambda x: per_channel(layer, x, rank, True)))


def _depthwise_only(layer: Layer) -> None:
    layer.config.expect("groups", 1, hint="Keras itself does not use it here")
    layer.config.expect("filters", None)


def per_channel(layer: Layer, x: Node, rank: int, biased: bool, causal: bool = False) -> Node:
    """Convolve each channel of ``x`` (channels last) by ``depth_multiplier`` kernels of its own."""
    config, channels = layer.config, x.shape[-1]
    kernel, multiplier = config.integers("kernel_size", rank, low=1), config.integer("depth_multiplier", 1, low=1)
    strides, dilation, padding = window(layer, x, kernel, causal)
    total = channels * multiplier
    weights = layer.arranged(
        "depthwise_kernel", (*kernel, channels, multiplier), lambda w: w.reshape(*kernel, 1, total)
    )
    operands = [x, weights, *(bias(layer, total) if biased else ())]
    return layer.node(Conv(strides, padding, dilation, channels), *operands)


@layer("SeparableConv1D", "SeparableConv2D", weights=(Weight("depthwise_kernel"), Weight("pointwise_kernel"), BIAS))
def separable(layer: Layer, inputs: list[Node]) -> Node:
    """Import a depthwise convolution followed by one of size 1 that mixes the channels."""
    rank = rank_of(layer)
    layer.config.expect("groups", 1, hint="Keras itself does not use it here")
    return activate(layer, spatial(layer, single(layer, inputs), rank, lambda x: _separable(layer, x, rank)))


def _separable(layer: Layer, x: Node, rank: int) -> Node:
    filters, one = layer.config.integer("filters", low=1), (1,) * rank
    y = per_channel(layer, x, rank, False, rank == 1)
    operands = [y, layer.parameter("pointwise_kernel", (*one, y.shape[-1], filters)), *bias(layer, filters)]
    return layer.node(Conv(one, ((0, 0),) * rank, one), *operands)
