"""Pooling over windows and over everything."""

from ....graph import Node
from ....graph.ops import AvgPool, Concat, Div, MaxPool, Mul, Reduce, Reduction, Reshape, Slice
from ..masks import single_mask
from ..registry import Layer, Masking, layer
from .common import channels_first, read_padding, single, spatial
from .convolution import rank_of

MAX_WINDOWS = 1024


def names_of(*stems: str) -> list[str]:
    """Give the class names over one to three axes."""
    return [f"{stem}{rank}D" for stem in stems for rank in (1, 2, 3)]


@layer(*names_of("MaxPooling", "MaxPool"))
def max_pool(layer: Layer, inputs: list[Node]) -> Node:
    """Import the greatest value of each window; padding never wins."""
    return _pool(layer, single(layer, inputs), MaxPool)


@layer(*names_of("AveragePooling", "AvgPool"))
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


@layer(*names_of("GlobalMaxPooling", "GlobalMaxPool"))
def global_max(layer: Layer, inputs: list[Node]) -> Node:
    """Import the greatest value of each channel."""
    return _global(layer, single(layer, inputs), Reduction.MAX)


@layer(*names_of("GlobalAveragePooling", "GlobalAvgPool"), masking=Masking.OWN)
def global_average(layer: Layer, inputs: list[Node]) -> Node:
    """Import the mean of each channel; over one axis, of the steps that the mask keeps."""
    x = single(layer, inputs)
    mask = single_mask(layer, x) if rank_of(layer) == 1 else None
    return _global(layer, x, Reduction.MEAN) if mask is None else _masked_mean(layer, x, mask)


def _masked_mean(layer: Layer, x: Node, mask: Node) -> Node:
    first, keep = channels_first(layer.config), layer.config.boolean("keepdims", False)
    axis = 1 if first else 0
    if len(x.shape) != 2 or mask.shape != (x.shape[axis],):
        raise layer.unsupported(f"a mask {mask.shape} for {x.shape}", "use one mask for all channels")
    wide = layer.node(Reshape((1, x.shape[1]) if first else (x.shape[0], 1)), mask)
    total = layer.node(Reduce(Reduction.SUM, (axis,), keep=keep), layer.node(Mul(), x, wide))
    count = layer.node(Reduce(Reduction.SUM, (axis,), keep=keep), wide)
    return layer.node(Div(), total, count)


def _global(layer: Layer, x: Node, kind: Reduction) -> Node:
    rank = rank_of(layer)
    if len(x.shape) != rank + 1:
        raise layer.unsupported(f"the layer works over {rank} axes and channels, it is given {x.shape}")
    axes = tuple(range(1, rank + 1)) if channels_first(layer.config) else tuple(range(rank))
    return layer.node(Reduce(kind, axes, keep=layer.config.boolean("keepdims", False)), x)


@layer(*names_of("AdaptiveMaxPooling"))
def adaptive_max(layer: Layer, inputs: list[Node]) -> Node:
    """Import the greatest value of as many windows as the output is long."""
    return _adaptive(layer, single(layer, inputs), Reduction.MAX)


@layer(*names_of("AdaptiveAveragePooling"))
def adaptive_average(layer: Layer, inputs: list[Node]) -> Node:
    """Import the mean of as many windows as the output is long."""
    return _adaptive(layer, single(layer, inputs), Reduction.MEAN)


def _adaptive(layer: Layer, x: Node, kind: Reduction) -> Node:
    rank = rank_of(layer)
    sizes = layer.config.integers("output_size", rank, low=1)

    def apply(y: Node) -> Node:
        for axis, size in enumerate(sizes):
            if size > MAX_WINDOWS:
                raise layer.config.refusal("output_size", list(sizes), f"use at most {MAX_WINDOWS}")
            y = _windows(layer, y, axis, size, kind)
        return y

    return spatial(layer, x, rank, apply)


def _windows(layer: Layer, x: Node, axis: int, size: int, kind: Reduction) -> Node:
    """Reduce ``size`` windows along an axis: window i goes from floor(i n / size) to ceil((i + 1) n / size)."""
    length, parts = x.shape[axis], []
    for i in range(size):
        starts, stops = [0] * len(x.shape), list(x.shape)
        starts[axis], stops[axis] = i * length // size, -(-(i + 1) * length // size)
        part = layer.node(Slice(tuple(starts), tuple(stops), (1,) * len(x.shape)), x)
        parts.append(layer.node(Reduce(kind, (axis,), keep=True), part))
    return layer.node(Concat(axis), *parts) if len(parts) > 1 else parts[0]
