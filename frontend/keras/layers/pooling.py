"""Pooling over windows and over everything."""

from ....graph import Node
from ....graph.ops import AvgPool, MaxPool, Reduce, Reduction
from ..registry import Layer, layer
from .common import channels_first, read_padding, single, spatial
from .convolution import rank_of


@layer("MaxPooling1D", "MaxPooling2D", "MaxPool1D", "MaxPool2D")
def max_pool(layer: Layer, inputs: list[Node]) -> Node:
    """Import the greatest value of each window; padding never wins."""
    return _pool(layer, single(layer, inputs), MaxPool)


@layer("AveragePooling1D", "AveragePooling2D", "AvgPool1D", "AvgPool2D")
def average_pool(layer: Layer, inputs: list[Node]) -> Node:
    """Import the mean of each window; padding does not count."""
    return _pool(layer, single(layer, inputs), AvgPool)


def _pool(layer: Layer, x: Node, op: type[MaxPool | AvgPool]) -> Node:
    config, rank = layer.config, rank_of(layer)
    size = config.integers("pool_size", rank, low=1)
    given = config.take("strides", None)
    strides = size if given is None else config.integers("strides", rank, low=1)

    def apply(y: Node) -> Node:
        padding = read_padding(layer, y.shape[:-1], size, strides, (1,) * rank, False)
        return layer.node(op(size, strides, padding, (1,) * rank), y)

    return spatial(layer, x, rank, apply)


@layer("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPool1D", "GlobalMaxPool2D")
def global_max(layer: Layer, inputs: list[Node]) -> Node:
    """Import the greatest value of each channel."""
    return _global(layer, single(layer, inputs), Reduction.MAX)


@layer("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAvgPool1D", "GlobalAvgPool2D")
def global_average(layer: Layer, inputs: list[Node]) -> Node:
    """Import the mean of each channel."""
    return _global(layer, single(layer, inputs), Reduction.MEAN)


def _global(layer: Layer, x: Node, kind: Reduction) -> Node:
    rank = rank_of(layer)
    if len(x.shape) != rank + 1:
        raise layer.unsupported(f"the layer works over {rank} axes and channels, it is given {x.shape}")
    axes = tuple(range(1, rank + 1)) if channels_first(layer.config) else tuple(range(rank))
    return layer.node(Reduce(kind, axes, keep=layer.config.boolean("keepdims", False)), x)
