"""Layers whose weights or statistics belong to parts: GroupNormalization, LocallyConnected, SpectralNormalization."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ....graph import Node, ShapeError
from ....graph.ops import Activation, Add, Gather, MatMul, Mul, Reduce, Reduction, Sub
from ...attributes import Attributes
from ..dtypes import check_dtype
from ..ignored import ignore_common
from ..registry import LAYERS, Dialect, Layer, Masking, Weight, layer
from .activations import activate
from .cells import class_of
from .common import along, axis_of, reshape, single, spatial
from .convolution import rank_of


@layer(
    "GroupNormalization", weights=(Weight("gamma", when="scale"), Weight("beta", when="center")), masking=Masking.PASS
)
def group_normalization(layer: Layer, inputs: list[Node]) -> Node:
    """Import (x - mean) / sqrt(variance + epsilon) over all but the groups of channels, times gamma, plus beta."""
    x, config = single(layer, inputs), layer.config
    if layer.dialect is Dialect.TF_KERAS and (x in layer.masks.of or layer.call.peek("mask") is not None):
        raise layer.unsupported("a mask for GroupNormalization", "normalize before the mask")
    axis = axis_of(layer, "axis", config.take("axis", -1), len(x.shape))
    channels, given = x.shape[axis], config.integer("groups", 32)
    groups = channels if given == -1 else given
    if groups < 1 or channels % groups:
        raise ShapeError(f"{given} groups do not divide {channels} channels", where=layer.place)
    split = (*x.shape[:axis], groups, channels // groups, *x.shape[axis + 1 :])
    axes = tuple(i for i in range(len(split)) if i != axis)
    y = _standard(layer, reshape(layer, x, split), axes, config.real("epsilon", 1e-3))
    y, shape = reshape(layer, y, x.shape), along(x.shape, (axis,))
    if config.boolean("scale", True):
        y = layer.node(Mul(), y, layer.arranged("gamma", (channels,), lambda w: w.reshape(shape)))
    if config.boolean("center", True):
        y = layer.node(Add(), y, layer.arranged("beta", (channels,), lambda w: w.reshape(shape)))
    return y


def _standard(layer: Layer, x: Node, axes: tuple[int, ...], epsilon: float) -> Node:
    centred = layer.node(Sub(), x, layer.node(Reduce(Reduction.MEAN, axes, keep=True), x))
    variance = layer.node(Reduce(Reduction.MEAN, axes, keep=True), layer.node(Mul(), centred, centred))
    spread = layer.node(Add(), variance, layer.constant(epsilon, "epsilon"))
    return layer.node(Mul(), centred, layer.node(Activation("rsqrt"), spread))


@layer("LocallyConnected1D", "LocallyConnected2D", weights=(Weight("kernel"), Weight("bias", when="use_bias")))
def locally_connected(layer: Layer, inputs: list[Node]) -> Node:
    """Import a convolution with weights of its own at each position."""
    if layer.config.peek("implementation", 1) != 1:
        raise layer.config.refusal("implementation", layer.config.peek("implementation"), "use 1: weights by position")
    layer.config.expect(
        "data_format", "channels_last", None, hint="its kernels are in another order; use channels_last"
    )
    rank = rank_of(layer)
    return activate(layer, spatial(layer, single(layer, inputs), rank, lambda x: _local(layer, x, rank)))


def _local(layer: Layer, x: Node, rank: int) -> Node:
    config, channels = layer.config, x.shape[-1]
    filters, kernel = config.integer("filters", low=1), config.integers("kernel_size", rank, low=1)
    strides = config.integers("strides", rank, 1, low=1)
    config.choice("padding", "valid", default="valid")
    if any(k > n for k, n in zip(kernel, x.shape, strict=False)):
        raise ShapeError(f"a kernel {kernel} does not fit into {x.shape}", where=layer.place)
    space = tuple((n - k) // s + 1 for n, k, s in zip(x.shape, kernel, strides, strict=False))
    places = np.arange(x.type.size).reshape(x.shape)
    windows = np.lib.stride_tricks.sliding_window_view(places, kernel, axis=tuple(range(rank)))
    windows = windows[tuple(slice(None, None, s) for s in strides)]  # [*space, C, *kernel]
    picks = np.moveaxis(windows, rank, -1).reshape(-1)
    if picks.size > MAX_PICKS:
        raise layer.unsupported(f"{picks.size:,} values in windows", "use smaller sizes")
    count, taps = prod(space), prod(kernel) * channels
    flat = layer.node(Gather(0, tuple(int(i) for i in picks)), reshape(layer, x, (x.type.size,)))
    rows = reshape(layer, flat, (count, 1, taps))
    y = layer.node(MatMul(), rows, layer.parameter("kernel", (count, taps, filters)))
    y = reshape(layer, y, (*space, filters))
    return layer.node(Add(), y, layer.parameter("bias", (*space, filters))) if config.boolean("use_bias", True) else y


MAX_PICKS = 1 << 20


def _spectral(config: Mapping[str, Any]) -> tuple[Weight, ...]:
    name, inner = class_of(config.get("layer"))
    kind = LAYERS.get(name)
    stored = kind.stored(inner) if kind else ()
    mine = tuple(replace(w, group=f"layer/{w.group}" if w.group else "layer", when=None) for w in stored)
    return (*mine, Weight("vector_u", trainable=False))


@layer("SpectralNormalization", weights=_spectral)
def spectral_normalization(layer: Layer, inputs: list[Node]) -> Node:
    """Import the layer inside: training keeps its kernel normalized, and the stored one is."""
    name, config = class_of(layer.config.take("layer"))
    layer.config.ignore("power_iterations", why="how training normalizes the kernel; the stored one is normalized")
    kind = LAYERS.get(name)
    if kind is None or kind.masking in (Masking.OWN, Masking.REFUSE) or name == "SpectralNormalization":
        raise layer.unsupported(f"SpectralNormalization of {name}", "use the layer itself")
    inner = replace(layer, class_name=name, config=Attributes(config, where=f"{layer.place}: {name}"))
    with inner.config:
        ignore_common(inner.config)
        check_dtype(inner.config)
        found = kind.build(inner, inputs)
    return found if isinstance(found, Node) else single(layer, found)
