"""Layers of HGQ2 that join, sum or pool tensors, and the quantizer that is a layer of its own.

Source: hgq/layers/ops, hgq/layers/pooling.py, hgq/quantizer/quantizer.py of HGQ2 0.2.
"""

from collections.abc import Mapping
from math import log2, prod
from typing import Any

import numpy as np

from ...graph import Node
from ...graph.ops import Add, Mul, Reduce, Reduction
from ..keras.layers.common import axes_of, single
from ..keras.registry import Layer, Masking, Weight, layer
from ..qkeras.numbers import exact_constant, f32
from .config import read_quantizer, variables
from .einsum import Named, contract, parse, without_batch
from .frame import ebops, like, one_input, read_frame, several_inputs


def merged(config: Mapping[str, Any]) -> tuple[Weight, ...]:
    """Give the variables of a layer of several inputs without weights of its own."""
    return (*ebops(config), *several_inputs(config))


def plain(config: Mapping[str, Any]) -> tuple[Weight, ...]:
    """Give the variables of a layer of one input without weights of its own."""
    return (*ebops(config), *one_input(config))


for _name in ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Dot"):
    layer(f"hgq>Q{_name}", weights=merged, masking=Masking.REFUSE)(like(_name))

for _kind in ("MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling"):
    for _rank in (1, 2, 3):
        layer(f"hgq>Q{_kind}{_rank}D", weights=plain)(like(f"{_kind}{_rank}D"))


@layer(
    "hgq>Quantizer",
    weights=lambda config: tuple(_own(w) for w in variables(config.get("config"), "q")),
    masking=Masking.PASS,
)
def quantizer_layer(layer: Layer, inputs: list[Node]) -> Node:
    """Import a quantizer by itself."""
    quantizer = read_quantizer(layer, layer.config.take("config"), "q")
    x = single(layer, inputs)
    return quantizer.tensor(layer, x) if quantizer else x


def _own(weight: Weight) -> Weight:
    return Weight(weight.name, trainable=weight.trainable, group="quantizer")


@layer("hgq>QAveragePow2", weights=merged)
def average_pow2(layer: Layer, inputs: list[Node]) -> Node:
    """Import the sum times the power of two nearest to 1 / n, by its logarithm."""
    frame = read_frame(layer)
    total, *others = frame.enter(inputs)
    for x in others:
        total = layer.node(Add(), total, x)
    return frame.leave(times(layer, total, 2.0 ** round(log2(1 / len(inputs)))))


def times(layer: Layer, x: Node, scale: float) -> Node:
    """Multiply by a power of two."""
    if scale == 1:
        return x
    return layer.node(Mul(), x, Node(exact_constant(f32(scale)), (), f"{layer.name}/scale"))


@layer("hgq>QSum", "hgq>QMeanPow2", weights=plain)
def total(layer: Layer, inputs: list[Node]) -> Node:
    """Import a sum over axes times a power of two: one that is given, or the nearest to 1 / n by its logarithm."""
    frame, config = read_frame(layer), layer.config
    x = single(layer, frame.enter(inputs))
    axes = axes_of(layer, "axes", config.take("axes", -1), len(x.shape))
    count = prod(x.shape[a] for a in axes)
    scale = config.real("scale", 1.0) if layer.class_name == "hgq>QSum" else 2.0 ** round(log2(1 / count))
    if scale <= 0 or np.frexp(scale)[0] != 0.5:
        raise config.refusal("scale", scale, "a power of two")
    y = layer.node(Reduce(Reduction.SUM, axes, config.boolean("keepdims", False)), x)
    return frame.leave(times(layer, y, scale))


@layer("hgq>QEinsum", weights=merged)
def einsum(layer: Layer, inputs: list[Node]) -> Node:
    """Import a sum of products of tensors by an equation."""
    frame = read_frame(layer)
    xs = frame.enter(inputs)
    words, out = parse(layer, layer.config.text("equation"), [len(x.shape) + 1 for x in xs])
    letters, out = without_batch(layer, words, out, [True] * len(xs))
    return frame.leave(contract(layer, [Named(x, w) for x, w in zip(xs, letters, strict=True)], out))
